"""Answers of exercise 05: weights, and reduction before a large kernel."""

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
    expansion_only=lambda c, r, n: conv_multiply_adds(c, c, 5, n),
    second_layer_only=lambda c, r, n: conv_multiply_adds(r, c, 5, n),
    one_position_only=lambda c, r, n: c * r + r * c * 25,
    kernel_not_squared=lambda c, r, n: n * n * (c * r + r * c * 5),
)
def reduced_work(c: int, r: int, n: int) -> int:
    """Multiply-adds of a 1x1 reduction and a 5x5 convolution behind it."""
    return conv_multiply_adds(c, r, 1, n) + conv_multiply_adds(r, c, 5, n)
