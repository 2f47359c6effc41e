"""Answers of exercise 03: the convolution as a matrix, and one output by hand."""

import torch
import torch.nn.functional as F

from course_utils.arithmetic import output_size
from course_utils.quiz.computation import computation


@computation(
    no_plus_one=lambda n, k: (n - k, n),
    square_matrix=lambda n, k: (n, n),
    in_out_swapped=lambda n, k: (n, n - k + 1),
    one_row_only=lambda n, k: (1, n),
)
def toeplitz_shape(n: int, k: int) -> tuple[int, int]:
    """Shape of the matrix of a convolution over n numbers."""
    return int(output_size(n, k)), n


@computation(
    no_plus_one=lambda n, k: (n - k) * (n - k),
    square_matrix=lambda n, k: n * (n - k),
    dense_layer=lambda n, k: 0,
    one_row_only=lambda n, k: n - k,
)
def zeros_in_the_matrix(n: int, k: int) -> int:
    """Entries outside the band of the matrix."""
    rows = torch.zeros(int(output_size(n, k)), n)
    for i, row in enumerate(rows):
        row[i : i + k] = 1
    return int((rows == 0).sum())


@computation(
    flipped_twice=lambda a, b, c, d, e: a * e + b * 0 + c * c + d * 1,
    axis_mirrored=lambda a, b, c, d, e: a * c + b * 1 + c * e + d * 0,
    sum_of_squares=lambda a, b, c, d, e: 1 + c * c + e * e,
)
def one_output(a: int, b: int, c: int, d: int, e: int) -> int:
    """Cross-correlation of two 2x2 squares."""
    picture = torch.tensor([[[[a, b], [c, d]]]])
    kernel = torch.tensor([[[[1, c], [0, e]]]])
    return int(F.conv2d(picture, kernel))
