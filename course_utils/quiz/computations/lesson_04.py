"""Answers of lesson 04: stride, padding, pooling, receptive fields."""

import torch
from torch import nn

from course_utils.arithmetic import Layer
from course_utils.arithmetic import receptive_field as field_of
from course_utils.quiz.computation import computation


@computation(
    dilation_forgotten=lambda n, k, d: (k - 1) // 2,
    padding_one_side=lambda n, k, d: d * (k - 1),
    rounded_up=lambda n, k, d: (d * (k - 1) + 2) // 2,
)
def dilated_padding(n: int, k: int, d: int) -> int:
    """Padding that keeps n pixels at stride 1."""
    padding = d * (k - 1) // 2
    layer = nn.Conv2d(1, 1, k, padding=padding, dilation=d, device="meta")
    if layer(torch.empty(1, 1, n, n, device="meta")).shape[-1] != n:
        raise ValueError(f"padding {padding} does not keep {n} pixels")
    return padding


@computation(
    rounded_up=lambda c, h, w, k, s: _pooled(c, h, w, k, s, ceil_mode=True),
    window_for_stride=lambda c, h, w, k, s: _pooled(c, h, w, k, k),
    maps_added=lambda c, h, w, k, s: (1, *_pooled(c, h, w, k, s)[1:]),
    height_width_swapped=lambda c, h, w, k, s: _pooled(c, w, h, k, s),
    no_plus_one=lambda c, h, w, k, s: (c, (h - k) // s, (w - k) // s),
)
def pooled_shape(c: int, h: int, w: int, k: int, s: int) -> tuple[int, ...]:
    """Shape (C, H, W) after pooling."""
    return _pooled(c, h, w, k, s)


def _pooled(c: int, h: int, w: int, k: int, s: int, ceil_mode: bool = False) -> tuple[int, ...]:
    pool = nn.MaxPool2d(k, stride=s, ceil_mode=ceil_mode)
    return tuple(pool(torch.empty(1, c, h, w, device="meta")).shape[1:])


@computation(
    kernels_added=lambda k: 1 + 3 * (k - 1) + 2 * (2 - 1),
    stride_widens_itself=lambda k: 1 + (k - 1) + 2 + 2 * (k - 1) + 4 + 4 * (k - 1),
)
def receptive_field(k: int) -> int:
    """Field of conv, pool, conv, pool, conv."""
    pool = Layer(2, s=2)
    size = field_of([Layer(k), pool, Layer(k), pool, Layer(k)]).size
    assert isinstance(size, int)
    return size
