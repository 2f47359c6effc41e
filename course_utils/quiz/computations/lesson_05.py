"""Answers of lesson 05: channels and parameters."""

from typing import Any

import torch
from torch import nn

from course_utils import arithmetic
from course_utils.quiz.computation import computation


def _with(**changes: Any) -> Any:
    """The wrong rule that gets the shape of other settings: a value, or another's name."""
    return lambda **given: _filtered(
        **given | {name: given.get(value, value) for name, value in changes.items()}
    )


@computation(
    padding_ignored=_with(p_h=0, p_w=0),
    stride_ignored=_with(s_h=1, s_w=1),
    channels_kept=_with(c_out="c_in"),
    axes_exchanged=_with(k_h="k_w", k_w="k_h", s_h="s_w", s_w="s_h", p_h="p_w", p_w="p_h"),
    height_width_swapped=_with(h="w", w="h"),
)
def filtered_shape(
    n: int, c_in: int, c_out: int, k_h: int, k_w: int, p_h: int, p_w: int, s_h: int, s_w: int,
    h: int, w: int,
) -> tuple[int, ...]:  # fmt: skip
    """Shape (N, C, H, W) after a convolution whose settings differ by axis."""
    return _filtered(n, c_in, c_out, k_h, k_w, p_h, p_w, s_h, s_w, h, w)


def _filtered(
    n: int, c_in: int, c_out: int, k_h: int, k_w: int, p_h: int, p_w: int, s_h: int, s_w: int,
    h: int, w: int,
) -> tuple[int, ...]:  # fmt: skip
    kernel, stride, padding = (k_h, k_w), (s_h, s_w), (p_h, p_w)
    layer = nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=padding, device="meta")
    return tuple(layer(torch.empty(n, c_in, h, w, device="meta")).shape)


@computation(
    one_position_only=lambda c_in, c_out, k, n: c_out * c_in * k * k,
    one_channel_filters=lambda c_in, c_out, k, n: c_out * k * k * n * n,
    two_operations=lambda c_in, c_out, k, n: 2 * c_out * c_in * k * k * n * n,
    kernel_not_squared=lambda c_in, c_out, k, n: c_out * c_in * k * n * n,
)
def multiply_adds(c_in: int, c_out: int, k: int, n: int) -> int:
    """Multiply-adds of a convolution whose output has n x n positions."""
    return arithmetic.conv_multiply_adds(c_in, c_out, k, n)


@computation(
    groups_ignored=lambda c_in, c_out, k, groups: (c_out, c_in, k, k),
    one_tower=lambda c_in, c_out, k, groups: (c_out // groups, c_in // groups, k, k),
    in_out_swapped=lambda c_in, c_out, k, groups: (c_in // groups, c_out, k, k),
)
def grouped_weights(c_in: int, c_out: int, k: int, groups: int) -> tuple[int, ...]:
    """Shape of the weights of a convolution with groups."""
    return tuple(nn.Conv2d(c_in, c_out, k, groups=groups, device="meta").weight.shape)
