"""Exercise 08 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "08_alexnet"
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"

DROPOUT = """
def dropout(x, p, training, generator):
    if {mode}:
        mask = {mask}
        return {kept}
    return {otherwise}
"""


def dropout(**other):
    options = {
        "mode": "training",
        "mask": "torch.bernoulli(torch.full(x.shape, 1 - p), generator=generator)",
        "kept": "mask * x / (1 - p)",
        "otherwise": "x",
    }
    return DROPOUT.format(**(options | other))


IN_PLACE = """
def dropout(x, p, training, generator):
    if training:
        mask = torch.empty_like(x).uniform_(generator=generator) < p
        x = (x / (1 - p)).masked_fill(mask, 0.0)
    return x
"""
LRN = """
def local_response_norm(a, size=5, alpha=1e-4, beta=0.75, k=2.0):
    n, c, h, w = a.shape
    before, after = {window}
    squares = F.pad({powers}, (0, 0, 0, 0, before, after))
    total = sum(squares[:, i : i + c] for i in range(before + after + 1))
    return a / (k + alpha * total) ** beta
"""


def lrn(window="size // 2, size // 2", powers="a**2"):
    return LRN.format(window=window, powers=powers)


def lrn_by(total, result="a / (k + alpha * total) ** beta"):
    return (
        "def local_response_norm(a, size=5, alpha=1e-4, beta=0.75, k=2.0):\n"
        f"    half = size // 2\n    total = {total}\n    return {result}"
    )


LRN_LOOPS = """
def local_response_norm(a, size=5, alpha=1e-4, beta=0.75, k=2.0):
    maps = []
    for i in range(a.shape[1]):
        total = 0
        for j in range(i - size // 2, i + size // 2 + 1):
            if 0 <= j < a.shape[1]:
                total = total + a[:, j] ** 2
        maps.append(a[:, i] / (k + alpha * total) ** beta)
    return torch.stack(maps, dim=1)
"""
BY_POOL = (
    "size * F.avg_pool3d(F.pad(a[:, None]**2, (0, 0, 0, 0, half, half)), (size, 1, 1), 1)[:, 0]"
)
FITTING = """
def fitting_sizes(kernel_size, stride, padding, smallest, largest):
    k, s, p = kernel_size, stride, padding
    return [n for n in range(smallest, {end}) if {condition}]
"""


def fitting(condition="n + 2 * p >= k and (n + 2 * p - k) % s == 0", end="largest + 1"):
    return FITTING.format(condition=condition, end=end)


BY_POSITIONS = """
def fitting_sizes(kernel_size, stride, padding, smallest, largest):
    sizes, n = [], kernel_size - 2 * padding  # one window
    while n <= largest:
        if n >= smallest:
            sizes.append(n)
        n += stride
    return sizes
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("dropout", dropout()),
        ("dropout", IN_PLACE),
        ("lrn", lrn()),
        ("lrn", LRN_LOOPS),
        ("lrn", lrn_by(BY_POOL)),
        ("fitting", fitting()),
        ("fitting", BY_POSITIONS),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


TRAINING, EVALUATION = "dropout_training_check", "dropout_evaluation_check"
LRN_CHECK, FITTING_CHECK = "lrn_check", "fitting_check"
DRAW = "(torch.rand({}, generator=generator) >= p)"
WRONG = [
    (TRAINING, dropout(kept="mask * x"), "scale up the numbers that you keep"),
    (TRAINING, dropout(kept="mask * x / p"), "not by the one that you drop"),
    (TRAINING, dropout(kept="mask * x * (1 - p)"), "as the paper did at test time"),
    (TRAINING, dropout(mask="torch.rand(x.shape, generator=generator) < p"), "you drop 7"),
    (TRAINING, dropout(mode="not training"), "scale up the numbers that you keep"),
    (TRAINING, dropout(mask="torch.rand(x.shape) >= p"), "the same seed does not"),
    (TRAINING, dropout(mask="torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) >= p"),
     "another seed drops the same"),
    (TRAINING, dropout(mask="torch.rand(x.shape, generator=generator.manual_seed("
     "generator.initial_seed())) >= p"), "do not seed the generator again"),
    (TRAINING, dropout(mask="(torch.rand(x.shape, generator=generator) >= p) "
     "* (torch.rand(1) >= 0)"), "torch's global random numbers as well"),
    (TRAINING, dropout(mask=DRAW.format("x.shape[x.dim() // 4 :]")), "every image"),
    (TRAINING, dropout(mask=DRAW.format("(*x.shape[:2], *[1] * (x.dim() - 2))")), "whole maps"),
    (TRAINING, dropout(kept="(mask * x.detach()).requires_grad_() / (1 - p)"),
     "the gradient has to pass through the numbers that you keep"),
    (TRAINING, dropout(kept="F.dropout(x, p)"), "torch's own dropout"),
    (TRAINING, dropout(kept="nn.Dropout(p)(x)"), "torch's own dropout"),
    (TRAINING, dropout(kept="x.data.mul_(mask / (1 - p)) + 0 * x"), "changes x itself"),
    (EVALUATION, dropout(otherwise="x * (1 - p)"), "as the paper did"),
    (EVALUATION, dropout(otherwise="x / (1 - p)"), "you scale up in evaluation"),
    (EVALUATION, dropout(mode="True"), "do not drop anything in evaluation"),
    (EVALUATION, dropout(mode="not training"), "do not drop anything in evaluation"),
    (EVALUATION, dropout(otherwise="x + 0 * torch.rand(1, generator=generator)"), "draw random"),
    (LRN_CHECK, lrn_by("F.pad(a**2, (0, 0, 0, 0, 1, 1))[:, :-2]"), "differs"),
    (LRN_CHECK, lrn(powers="a"), "not their squares"),
    (LRN_CHECK, lrn(window="0, size // 2"), "you begin the window at the channel"),
    (LRN_CHECK, lrn(window="size // 2, 0"), "you end the window at the channel"),
    (LRN_CHECK, lrn_by("a.square().sum(1, keepdim=True)"), "you add up all channels"),
    (LRN_CHECK, lrn_by("sum(a.roll(i, 1) ** 2 for i in range(-half, half + 1))"), "last channel"),
    (LRN_CHECK, lrn_by("a**2"), "you sum over the channel itself only"),
    (LRN_CHECK, lrn_by(BY_POOL.removeprefix("size * ")), "as torch does"),
    (LRN_CHECK, lrn_by(f"{BY_POOL} - a**2"), "you leave the channel itself out"),
    (LRN_CHECK, lrn_by(BY_POOL, "a / (k + alpha * total)"), "you forget the power beta"),
    (LRN_CHECK, lrn_by(BY_POOL, "a / (alpha * total) ** beta"), "you forget k"),
    (LRN_CHECK, lrn_by(BY_POOL, "a / (k + alpha * total).sqrt()"), "you take a power of 0.5"),
    (LRN_CHECK, lrn_by("0", "F.local_response_norm(a, size, size * alpha, beta, k)"),
     "torch's own local_response_norm"),
    (LRN_CHECK, lrn_by("0", "nn.LocalResponseNorm(size, size * alpha, beta, k)(a)"),
     "torch's own local_response_norm"),
    (FITTING_CHECK, fitting("(n - k) % s == 0"), "you leave out the padding"),
    (FITTING_CHECK, fitting("(n + p - k) % s == 0"), "on one side only"),
    (FITTING_CHECK, fitting("(n + 2 * p) % s == 0"), "you leave out the kernel"),
    (FITTING_CHECK, fitting(end="largest"), "you leave out the largest size"),
    (FITTING_CHECK, fitting("n + 2 * p >= k"), "gives an output at all"),
    (FITTING_CHECK, fitting("(n + 2 * p - k) % s"), "that do not fit"),
    (FITTING_CHECK, fitting("((n + 2 * p - k) / s + 1) % s == 0"), "number of positions"),
    (FITTING_CHECK, fitting("(n + 2 * p - k) % s == 0"), "smaller than the kernel"),
    (FITTING_CHECK, fitting("n >= k and (n + 2 * p - k) % s == 0"), "a small image"),
    (FITTING_CHECK, "def fitting_sizes(*sizes): return (225, 229, 233)", "return a list"),
    (FITTING_CHECK, "def fitting_sizes(*sizes): return [224, 229, 234]", "is not the list"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
