"""Computations that several lessons use. Add your own below the group that they belong to."""

import torch
from torch import nn

from course_utils import arithmetic
from course_utils.quiz.computation import computation

# --- Sizes -----------------------------------------------------------------------------------


@computation(
    no_floor=lambda n, k, s, p: (n + 2 * p - k) / s + 1,
    rounded_up=lambda n, k, s, p: _rounded_up(n, k, s, p),
    padding_one_side=lambda n, k, s, p: arithmetic.output_size(n + p, k, s),
    padding_ignored=lambda n, k, s, p: arithmetic.output_size(n, k, s),
    no_plus_one=lambda n, k, s, p: (n + 2 * p - k) // s,
    stride_ignored=lambda n, k, s, p: arithmetic.output_size(n, k, 1, p),
)
def output_size(n: int, k: int, s: int, p: int) -> int:
    """Size of the output along one axis."""
    return arithmetic.output_size(n, k, s, p)


def _rounded_up(n: int, k: int, s: int, p: int) -> int:
    return -((k - n - 2 * p) // s) + 1


@computation(
    padding_ignored=lambda c_in, c_out, h, w, k, s, p: _conv_shape(c_in, c_out, h, w, k, s, 0),
    rounded_up=lambda c_in, c_out, h, w, k, s, p: (
        c_out,
        _rounded_up(h, k, s, p),
        _rounded_up(w, k, s, p),
    ),
    height_width_swapped=lambda c_in, c_out, h, w, k, s, p: _conv_shape(c_in, c_out, w, h, k, s, p),
    channels_kept=lambda c_in, c_out, h, w, k, s, p: _conv_shape(c_in, c_in, h, w, k, s, p),
    channels_multiplied=lambda c_in, c_out, h, w, k, s, p: _conv_shape(
        c_in, c_in * c_out, h, w, k, s, p
    ),
    channels_last=lambda c_in, c_out, h, w, k, s, p: (
        *_conv_shape(c_in, c_out, h, w, k, s, p)[1:],
        c_out,
    ),
)
def conv_shape(c_in: int, c_out: int, h: int, w: int, k: int, s: int, p: int) -> tuple[int, ...]:
    """Shape (C, H, W) of what a convolution makes of one picture."""
    return _conv_shape(c_in, c_out, h, w, k, s, p)


def _conv_shape(c_in: int, c_out: int, h: int, w: int, k: int, s: int, p: int) -> tuple[int, ...]:
    arithmetic.output_size((h, w), k, s, p)  # a kernel that is too large raises ValueError
    layer = nn.Conv2d(c_in, c_out, k, stride=s, padding=p, device="meta")
    return tuple(layer(torch.empty(1, c_in, h, w, device="meta")).shape[1:])


# --- Parameters and work -----------------------------------------------------------------------


@computation(
    bias_forgotten=lambda c_in, c_out, k: c_out * c_in * k * k,
    one_channel_filters=lambda c_in, c_out, k: c_out * (k * k + 1),
    bias_per_kernel=lambda c_in, c_out, k: c_out * c_in * (k * k + 1),
    bias_per_channel_in=lambda c_in, c_out, k: c_out * c_in * k * k + c_in,
    kernel_not_squared=lambda c_in, c_out, k: c_out * (c_in * k + 1),
)
def conv_parameters(c_in: int, c_out: int, k: int) -> int:
    """Parameters of a convolution with biases."""
    layer = nn.Conv2d(c_in, c_out, k, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    groups_ignored=lambda c_in, c_out, k, g: c_out * (c_in * k * k + 1),
    bias_forgotten=lambda c_in, c_out, k, g: c_out * c_in // g * k * k,
    filters_halved_too=lambda c_in, c_out, k, g: c_out // g * (c_in // g * k * k + 1),
    kernel_not_squared=lambda c_in, c_out, k, g: c_out * (c_in // g * k + 1),
    one_channel_filters=lambda c_in, c_out, k, g: c_out * (k * k + 1),
    bias_per_kernel=lambda c_in, c_out, k, g: c_out * (c_in // g) * (k * k + 1),
)
def grouped_parameters(c_in: int, c_out: int, k: int, g: int) -> int:
    """Parameters of a convolution in g groups, with biases."""
    layer = nn.Conv2d(c_in, c_out, k, groups=g, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    bias_counted=lambda c_in, c_out, k: conv_parameters(c_in=c_in, c_out=c_out, k=k),
    one_channel_filters=lambda c_in, c_out, k: c_out * k * k,
    kernel_not_squared=lambda c_in, c_out, k: c_out * c_in * k,
)
def conv_weights(c_in: int, c_out: int, k: int) -> int:
    """Parameters of a convolution without biases."""
    layer = nn.Conv2d(c_in, c_out, k, bias=False, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    one_position_only=lambda c_in, c_out, k, n: c_out * c_in * k * k,
    one_channel_filters=lambda c_in, c_out, k, n: c_out * k * k * n * n,
    kernel_not_squared=lambda c_in, c_out, k, n: c_out * c_in * k * n * n,
)
def conv_multiply_adds(c_in: int, c_out: int, k: int, n: int) -> int:
    """Multiply-adds of a convolution whose *output* has n x n positions."""
    return arithmetic.conv_multiply_adds(c_in, c_out, k, n)


@computation(
    bias_forgotten=lambda n_in, n_out: n_in * n_out,
    bias_per_channel_in=lambda n_in, n_out: n_in * n_out + n_in,
)
def linear_parameters(n_in: int, n_out: int) -> int:
    """Parameters of a fully connected layer with biases."""
    layer = nn.Linear(n_in, n_out, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())
