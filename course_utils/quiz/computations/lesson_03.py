"""Answers of lesson 03: convolution."""

import torch
import torch.nn.functional as F

from course_utils.quiz.computation import computation


@computation(
    ends_forgotten=lambda n, d: (2 * d + 1) * n,
    half_a_window=lambda n, d: (d + 1) * n,
    shared_already=lambda n, d: 2 * d + 1,
)
def local_weights(n: int, d: int) -> int:
    """Weights of a locally connected layer on a row: entries of a band matrix."""
    rows, columns = torch.arange(n)[:, None], torch.arange(n)[None]
    return int(((columns - rows).abs() <= d).sum())


@computation(
    mean_of_the_weights=lambda a, b, v: (2 * a + b) * v / 3,
    only_the_centre=lambda a, b, v: b * v,
    kernel_not_squared=lambda a, b, v: (2 * a + b) * v,
)
def flat_area(a: int, b: int, v: int) -> int:
    """What a filter of three rows a b a makes of pixels of the value v."""
    kernel = torch.tensor([[a, b, a]] * 3, dtype=torch.float64)
    return int(F.conv2d(torch.full((1, 1, 3, 3), float(v)).double(), kernel[None, None]))


@computation(
    pixels_counted_once=lambda c, n, k: c * n * n,
    kernel_not_squared=lambda c, n, k: c * k * n * n,
    windows_do_not_overlap=lambda c, n, k: c * k * k * (n // k) ** 2,
    one_channel_filters=lambda c, n, k: None if c == 1 else k * k * n * n,
)
def unfolded_table(c: int, n: int, k: int) -> int:
    """Numbers in the unfolded table of a picture, at stride 1 and with the size kept."""
    picture = torch.empty(1, c, n, n, device="meta")
    return F.unfold(picture, k, padding=k // 2).numel()
