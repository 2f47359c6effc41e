"""Computations that several lessons use, and helpers that most of them need."""

import torch
from torch import nn

from course_utils import arithmetic
from course_utils.quiz.answer import Answer


def num_parameters(module: nn.Module) -> int:
    """Count the parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def field_of(*layers: arithmetic.Layer) -> int:
    """Return the receptive field of layers with square kernels."""
    size = arithmetic.receptive_field(layers).size
    assert isinstance(size, int)
    return size


def shape_after(module: nn.Module, *size: int) -> tuple[int, ...]:
    """Return the output shape (C, H, W) of a module on `meta` for one image (C, H, W)."""
    return tuple(module(torch.empty(1, *size, device="meta")).shape[1:])


def _rounded_up(n: int, k: int, s: int, p: int) -> int:
    return -((k - n - 2 * p) // s) + 1


def output_size(n: int, k: int, s: int, p: int) -> Answer:
    """Return the size of the output along one axis."""
    return Answer(
        arithmetic.output_size(n, k, s, p),
        no_floor=(n + 2 * p - k) / s + 1,
        rounded_up=_rounded_up(n, k, s, p),
        padding_one_side=arithmetic.output_size(n + p, k, s),
        padding_ignored=arithmetic.output_size(n, k, s),
        no_plus_one=(n + 2 * p - k) // s,
        stride_ignored=arithmetic.output_size(n, k, 1, p),
    )


def conv_shape(c_in: int, c_out: int, h: int, w: int, k: int, s: int, p: int) -> Answer:
    """Return the output shape (C, H, W) of a convolution for one image."""
    arithmetic.output_size((h, w), k, s, p)  # a kernel that is too large raises ValueError
    layer = nn.Conv2d(c_in, c_out, k, stride=s, padding=p, device="meta")
    _, *sides = shape_after(layer, c_in, h, w)
    return Answer(
        (c_out, *sides),
        padding_ignored=(c_out, *arithmetic.output_size((h, w), k, s)),
        rounded_up=(c_out, _rounded_up(h, k, s, p), _rounded_up(w, k, s, p)),
        height_width_swapped=(c_out, *sides[::-1]),
        channels_kept=(c_in, *sides),
        channels_multiplied=(c_in * c_out, *sides),
        channels_last=(*sides, c_out),
    )


def conv_parameters(c_in: int, c_out: int, k: int, g: int) -> Answer:
    """Count the parameters of a convolution in g groups, with biases."""
    return Answer(
        num_parameters(nn.Conv2d(c_in, c_out, k, groups=g, device="meta")),
        groups_ignored=c_out * (c_in * k * k + 1),
        bias_forgotten=c_out * c_in // g * k * k,
        filters_halved_too=c_out // g * (c_in // g * k * k + 1),
        kernel_not_squared=c_out * (c_in // g * k + 1),
        one_channel_filters=c_out * (k * k + 1),
        bias_per_kernel=c_out * (c_in // g) * (k * k + 1),
        bias_per_channel_in=c_out * c_in // g * k * k + c_in,
    )
