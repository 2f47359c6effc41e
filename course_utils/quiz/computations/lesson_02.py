"""Answers of lesson 02: why not MLPs."""

import torch
from torch import nn

from course_utils.quiz.computation import computation


@computation(
    bias_forgotten=lambda n, units: _linear(3 * n * n, units, bias=False),
    channels_forgotten=lambda n, units: _linear(n * n, units),
    bias_per_channel_in=lambda n, units: 3 * n * n * units + 3,
)
def first_layer(n: int, units: int) -> int:
    """Parameters of a linear layer on pictures of n x n pixels in colour."""
    return _linear(torch.empty(3, n, n, device="meta").numel(), units)


def _linear(n_in: int, n_out: int, bias: bool = True) -> int:
    layer = nn.Linear(n_in, n_out, bias=bias, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    list_keeps_neighbours=lambda h, w: 1,
    columns_first=lambda h, w: h,
    channels_interleaved=lambda h, w: 3 * w,
)
def one_row_down(h: int, w: int) -> int:
    """Distance in the list between a pixel and the one below it."""
    return torch.empty(3, h, w, device="meta").stride(1)
