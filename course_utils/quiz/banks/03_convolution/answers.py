"""Answers of lesson and exercise 03: the convolution as a matrix, and one output by hand."""

import torch
import torch.nn.functional as F

from course_utils.arithmetic import output_size
from course_utils.quiz.answer import Answer


def local_weights(n: int, d: int) -> Answer:
    """Count the weights of a locally connected layer on a row: entries of a band matrix."""
    rows, columns = torch.arange(n)[:, None], torch.arange(n)[None]
    return Answer(
        int(((columns - rows).abs() <= d).sum()),
        ends_forgotten=(2 * d + 1) * n,
        half_a_window=(d + 1) * n,
        shared_already=2 * d + 1,
    )


def flat_area(a: int, b: int, v: int) -> Answer:
    """Return what a filter of three rows a b a makes of pixels of the value v."""
    kernel = torch.tensor([[a, b, a]] * 3, dtype=torch.float64)
    return Answer(
        int(F.conv2d(torch.full((1, 1, 3, 3), float(v)).double(), kernel[None, None])),
        mean_of_the_weights=(2 * a + b) * v / 3,
        only_the_centre=b * v,
        kernel_not_squared=(2 * a + b) * v,
    )


def unfolded_table(c: int, n: int, k: int) -> Answer:
    """Count the numbers in the unfolded table of an image, at stride 1 and with the size kept."""
    image = torch.empty(1, c, n, n, device="meta")
    return Answer(
        F.unfold(image, k, padding=k // 2).numel(),
        pixels_counted_once=c * n * n,
        kernel_not_squared=c * k * n * n,
        windows_do_not_overlap=c * k * k * (n // k) ** 2,
        one_channel_filters=None if c == 1 else k * k * n * n,
    )


def toeplitz_shape(n: int, k: int) -> Answer:
    """Return the shape of the matrix of a convolution over n numbers."""
    return Answer(
        (output_size(n, k), n),
        no_plus_one=(n - k, n),
        square_matrix=(n, n),
        in_out_swapped=(n, n - k + 1),
        one_row_only=(1, n),
    )


def zeros_in_the_matrix(n: int, k: int) -> Answer:
    """Count the entries outside the band of the matrix."""
    rows = torch.zeros(output_size(n, k), n)
    for i, row in enumerate(rows):
        row[i : i + k] = 1
    return Answer(
        int((rows == 0).sum()),
        no_plus_one=(n - k) * (n - k),
        square_matrix=n * (n - k),
        dense_layer=0,
        one_row_only=n - k,
    )


def one_output(a: int, b: int, c: int, d: int, e: int) -> Answer:
    """Return the cross-correlation of two 2x2 squares."""
    image = torch.tensor([[[[a, b], [c, d]]]])
    kernel = torch.tensor([[[[1, c], [0, e]]]])
    return Answer(
        int(F.conv2d(image, kernel)),
        flipped_twice=a * e + b * 0 + c * c + d * 1,
        axis_mirrored=a * c + b * 1 + c * e + d * 0,
        sum_of_squares=1 + c * c + e * e,
    )
