"""Exercise 03 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "03_convolution"

LOOPS = """
def conv2d(picture, kernel):
    (H, W), (h, w) = picture.shape, kernel.shape
    rows = []
    for i in range(H - h + 1):
        rows.append([(picture[i:i + h, j:j + w] * kernel).sum() for j in range(W - w + 1)])
    return torch.tensor(rows)
"""
UNFOLD = """
def conv2d(picture, kernel):
    windows = picture.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return torch.einsum("ijhw,hw->ij", windows, kernel)
"""
WITH_NUMPY = """
import numpy as np
def conv2d(picture, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(picture.numpy(), kernel.shape)
    return torch.from_numpy((windows * kernel.numpy()).sum(axis=(2, 3)))
"""
STACKED = """
def convolution_matrix(kernel, n):
    k = len(kernel)
    rows = [torch.cat([torch.zeros(i), kernel, torch.zeros(n - k - i)]) for i in range(n - k + 1)]
    return torch.stack(rows)
"""
FROM_THE_IDENTITY = """
def convolution_matrix(kernel, n):
    return (torch.eye(n).unfold(1, len(kernel), 1) @ kernel).T
"""
STEPS = """
def separable_conv2d(picture, column, row):
    height, width = picture.shape[0] - len(column) + 1, picture.shape[1] - len(row) + 1
    half = sum(c * picture[i:height + i] for i, c in enumerate(column))
    return sum(r * half[:, j:width + j] for j, r in enumerate(row))

def separable_multiplications(n, k):
    m = n + 1 - k
    return m * k * (n + m)
"""
TURNED_MATRIX = FROM_THE_IDENTITY.replace("kernel).T", "kernel)")
MIRRORED_MATRIX = STACKED.replace("kernel, torch.zeros(n", "kernel.flip(0), torch.zeros(n")
WHOLE_KERNEL = """
def separable_conv2d(picture, column, row):
    return conv2d(picture, torch.outer(column, row))
"""

WIPED = "f = conv2d\ndef conv2d(p, k): return f(p, k) + p.zero_()[0, 0]"

CONV, MATRIX, SEPARABLE = "conv2d_check", "matrix_check", "separable_check"
WRONG = [
    (CONV, LOOPS.replace("* kernel)", "* kernel.flip(0, 1))"), "rotate the kernel by 180"),
    (CONV, LOOPS.replace("* kernel)", "* kernel.flip(1))"), "you mirror the kernel"),
    (CONV, LOOPS.replace("sum()", "mean()"), "divide the sum by the number of weights"),
    (CONV, LOOPS.replace("- h + 1", "- h"), "(1, 3), expected (2, 3): the kernel has to lie"),
    (CONV, LOOPS.replace("(H, W), (h", "picture += 1\n    (H, W), (h"), "differs"),
    (CONV, UNFOLD + "f = conv2d\ndef conv2d(p, k): return f(p, k), p.zero_()", "a tensor, not"),
    (CONV, UNFOLD + WIPED, "changes the image"),
    (CONV, "def conv2d(p, k): return torch.conv2d(p[None, None], k[None, None])", "torch's own"),
    (CONV, LOOPS.replace("(W - w + 1)", "(W - h + 1)"), "your code stopped with"),
    (MATRIX, TURNED_MATRIX, "you swap rows and columns"),
    (MATRIX, MIRRORED_MATRIX, "you mirror the kernel"),
    (MATRIX, STACKED.replace("zeros(i)", "zeros(0)").replace("k - i", "k"), "move the kernel"),
    (MATRIX, STACKED.replace("n - k + 1", "n - k"), "(2, 4), expected (3, 4)"),
    (MATRIX, STACKED.replace("stack(rows)", "stack(rows).tolist()"), "a tensor, not list"),
    (SEPARABLE, STEPS.replace("sum(r", "half\n    return sum(r"), "you use only the column"),
    (SEPARABLE, STEPS.replace("(picture, c", "(picture, row, c").replace("n, row", "n"), "swap co"),
    (SEPARABLE, LOOPS + WHOLE_KERNEL + STEPS[STEPS.index("def separable_m") :], "the whole kernel"),
]  # fmt: skip
WRONG_COUNTS = {
    "m * m * k * k": "you use the whole kernel at every position",
    "2 * k * m * m": "as few outputs as the second",
    "2 * k * m * n": "as many outputs as the first",
    "2 * k * n * n": "keep its size",
    "k * m * n": "only the first step",
    "float(m * k * (n + m))": "whole number",
}


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("conv2d", LOOPS),
        ("conv2d", UNFOLD),
        ("conv2d", WITH_NUMPY),
        ("matrix", STACKED),
        ("matrix", FROM_THE_IDENTITY),
        ("separable", STEPS),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source})


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding)


@pytest.mark.parametrize(("formula", "finding"), WRONG_COUNTS.items())
def test_a_wrong_count_is_named(exercise, formula, finding):
    source = STEPS.replace("m * k * (n + m)", formula)
    result = exercise.grade(separable=source)["separable_count_check"]
    assert result.score == 0
    assert finding in result.finding
