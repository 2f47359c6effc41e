"""Exercise 06 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "06_equivariance_and_fourier"

ERROR = """
def equivariance_error(layer, x, rows):
    def move(t):
        return {move}
    def size(t):
        return {size}
    return {result}
"""
MOVE = "torch.cat([t[..., -rows:, :], t[..., :-rows, :]], dim=-2)"
SIZE = "float((t * t).sum()) ** 0.5"
RATIO = "size(layer(move(x)) - move(layer(x))) / size(layer(x))"
UPWARDS = RATIO.replace("move(layer(x))", "layer(x).roll(-rows, -2)")
FOURIER = """
def cross_correlation(x, kernel):
    F, X = torch.fft.fft2(kernel, s=x.shape), torch.fft.fft2(x)
    return {result}
"""
ROLLS = """
def cross_correlation(x, kernel):
    k = len(kernel)
    return sum(kernel[i, j] * x.roll((-i, -j), (0, 1)) for i in range(k) for j in range(k))
"""
BLUR = """
def blur_pool(maps):
    weights = torch.tensor({weights})
    kernel = {kernel}
    C = maps.shape[1]
    around = nn.functional.pad(maps, (1, 1, 1, 1), mode="{mode}")
    out = nn.functional.conv2d(around, kernel.expand(C, 1, 3, 3), stride={stride}, groups=C)
    return out{end}
"""


def error(move=MOVE, size=SIZE, result=RATIO):
    return ERROR.format(move=move, size=size, result=result)


def fourier(result="torch.fft.ifft2(F.conj() * X).real"):
    return FOURIER.format(result=result)


def blur(
    weights="[0.25, 0.5, 0.25]", kernel="weights[:, None] * weights", mode="circular", **other
):
    options = {"stride": 2, "end": ""} | other
    return BLUR.format(weights=weights, kernel=kernel, mode=mode, **options)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("error", error()),
        ("error", error(size="t.norm().item()", move="t.roll(rows, 2)")),
        ("fourier", fourier()),
        ("fourier", ROLLS),
        ("blur_pool", blur()),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup="import torch\nfrom torch import nn")


ERROR_CHECK, FOURIER_CHECK, BLUR_CHECK = "error_check", "fourier_check", "blur_pool_check"
WRONG = [
    (ERROR_CHECK, error(result="size(layer(move(x)) - move(layer(x)))"), "do not divide"),
    (ERROR_CHECK, error(result="size(layer(move(x)) - layer(x)) / size(layer(x))"), "invariance"),
    (ERROR_CHECK, error(result=RATIO.replace("/ size(layer(x))", "/ size(x)")), "the size of x"),
    (ERROR_CHECK, error(size="float((t * t).sum())"), "you forget the square root"),
    (ERROR_CHECK, error(result=UPWARDS), "you make the second shift upwards"),
    (ERROR_CHECK, error(size="t.abs().mean().item()"), "not the right number"),
    (ERROR_CHECK, error(size="t.norm()"), "has .item()"),
    (ERROR_CHECK, error(move="t.roll(rows, -1)"), "not the right number"),
    (ERROR_CHECK, error(result="0.0"), "0.0 is not the right number"),
    (FOURIER_CHECK, fourier("torch.fft.ifft2(F * X).real"), "you forget the conjugate"),
    (FOURIER_CHECK, fourier("torch.fft.ifft2(F * X.conj()).real"), "differs"),
    (FOURIER_CHECK, fourier("torch.fft.ifft2(F.conj() * X)"), "complex"),
    (FOURIER_CHECK, fourier("torch.fft.ifft2(F.conj() * X).real * X.numel()"), "do not divide"),
    (FOURIER_CHECK, ROLLS.replace("(-i, -j)", "(-j, -i)"), "you swap rows and columns"),
    (FOURIER_CHECK, ROLLS.replace("-i, -j", "1 - i, 1 - j"), "middle for its corner"),
    (
        FOURIER_CHECK,
        "def cross_correlation(x, k): return torch.conv2d(x[None, None], k[None, None])[0, 0]",
        "your code calls torch's own conv2d",
    ),
    (BLUR_CHECK, blur(kernel="nn.functional.pad(weights[None], (0, 0, 1, 1))"), "only one axis"),
    (BLUR_CHECK, blur(weights="[1.0, 2.0, 1.0]"), "do not add up to 1"),
    (BLUR_CHECK, blur(mode="reflect"), "you pad with a mirror image"),
    (BLUR_CHECK, blur(mode="replicate"), "differs"),
    (BLUR_CHECK, blur(stride=1, end="[..., 1::2, 1::2]"), "you skip the first pixel"),
    (BLUR_CHECK, blur(stride=1), "(1, 1, 4, 4), expected (1, 1, 2, 2): every second row"),
    (BLUR_CHECK, "def blur_pool(m): return m[..., ::2, ::2]", "you do not blur at all"),
    (BLUR_CHECK, "def blur_pool(m): return nn.functional.avg_pool2d(m, 2)", "2 x 2 pixels"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup="import torch\nfrom torch import nn")
