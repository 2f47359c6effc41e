"""Answers of exercise 05: weights, groups, and reduction before a large kernel."""

from torch import nn

from course_utils.arithmetic import conv_multiply_adds
from course_utils.quiz.computation import computation


@computation(
    in_out_swapped=lambda c_in, c_out, h, w: (c_in, c_out, h, w),
    height_width_swapped=lambda c_in, c_out, h, w: (c_out, c_in, w, h),
    channels_last=lambda c_in, c_out, h, w: (h, w, c_in, c_out),
    channels_flattened=lambda c_in, c_out, h, w: (c_out, 1, h * c_in, w),
)
def weight_shape(c_in: int, c_out: int, h: int, w: int) -> tuple[int, ...]:
    """Shape of a convolution's weights."""
    return tuple(nn.Conv2d(c_in, c_out, (h, w), device="meta").weight.shape)


@computation(
    groups_ignored=lambda c_in, c_out, k, g: c_out * (c_in * k * k + 1),
    bias_forgotten=lambda c_in, c_out, k, g: c_out * c_in // g * k * k,
    kernel_not_squared=lambda c_in, c_out, k, g: c_out * (c_in // g * k + 1),
    one_channel_filters=lambda c_in, c_out, k, g: c_out * (k * k + 1),
    bias_per_kernel=lambda c_in, c_out, k, g: c_out * (c_in // g) * (k * k + 1),
)
def grouped_parameters(c_in: int, c_out: int, k: int, g: int) -> int:
    """Parameters of a convolution in groups."""
    layer = nn.Conv2d(c_in, c_out, k, groups=g, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    expansion_only=lambda c, r, n: conv_multiply_adds(c, c, 5, n),
    second_layer_only=lambda c, r, n: conv_multiply_adds(r, c, 5, n),
    one_position_only=lambda c, r, n: c * r + r * c * 25,
    kernel_not_squared=lambda c, r, n: n * n * (c * r + r * c * 5),
)
def reduced_work(c: int, r: int, n: int) -> int:
    """Multiply-adds of a 1x1 reduction and a 5x5 convolution behind it."""
    return conv_multiply_adds(c, r, 1, n) + conv_multiply_adds(r, c, 5, n)
