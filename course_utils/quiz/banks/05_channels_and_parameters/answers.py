"""Answers of lesson and exercise 05: channels, parameters, work."""

from torch import nn

from course_utils.arithmetic import conv_multiply_adds, output_size
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters, shape_after


def filtered_shape(
    n: int, c_in: int, c_out: int, k_h: int, k_w: int, p_h: int, p_w: int, s_h: int, s_w: int,
    h: int, w: int,
) -> Answer:  # fmt: skip
    """Return the shape (N, C, H, W) after a convolution whose settings differ by axis."""
    kernel, stride, padding = (k_h, k_w), (s_h, s_w), (p_h, p_w)
    layer = nn.Conv2d(c_in, c_out, kernel, stride, padding, device="meta")
    _, *sides = shape_after(layer, c_in, h, w)
    return Answer(
        (n, c_out, *sides),
        padding_ignored=(n, c_out, *output_size((h, w), kernel, stride)),
        stride_ignored=(n, c_out, *output_size((h, w), kernel, (1, 1), padding)),
        channels_kept=(n, c_in, *sides),
        axes_exchanged=(n, c_out, *output_size((h, w), (k_w, k_h), (s_w, s_h), (p_w, p_h))),
        height_width_swapped=(n, c_out, *output_size((w, h), kernel, stride, padding)),
    )


def conv_weights(c_in: int, c_out: int, k: int) -> Answer:
    """Count the parameters of a convolution without biases."""
    layer = nn.Conv2d(c_in, c_out, k, bias=False, device="meta")
    return Answer(
        num_parameters(layer),
        bias_counted=c_out * (c_in * k * k + 1),
        one_channel_filters=c_out * k * k,
        kernel_not_squared=c_out * c_in * k,
    )


def multiply_adds(c_in: int, c_out: int, k: int, n: int) -> Answer:
    """Count the multiply-adds of a convolution whose output has n x n positions."""
    return Answer(
        conv_multiply_adds(c_in, c_out, k, n),
        one_position_only=c_out * c_in * k * k,
        one_channel_filters=c_out * k * k * n * n,
        two_operations=2 * c_out * c_in * k * k * n * n,
        kernel_not_squared=c_out * c_in * k * n * n,
    )


def grouped_weights(c_in: int, c_out: int, k: int, groups: int) -> Answer:
    """Return the shape of the weights of a convolution with groups."""
    return Answer(
        tuple(nn.Conv2d(c_in, c_out, k, groups=groups, device="meta").weight.shape),
        groups_ignored=(c_out, c_in, k, k),
        one_tower=(c_out // groups, c_in // groups, k, k),
        in_out_swapped=(c_in // groups, c_out, k, k),
    )


def weight_shape(c_in: int, c_out: int, h: int, w: int) -> Answer:
    """Return the shape of a convolution's weights."""
    return Answer(
        tuple(nn.Conv2d(c_in, c_out, (h, w), device="meta").weight.shape),
        in_out_swapped=(c_in, c_out, h, w),
        height_width_swapped=(c_out, c_in, w, h),
        channels_last=(h, w, c_in, c_out),
        channels_flattened=(c_out, 1, h * c_in, w),
    )


def reduced_work(c: int, r: int, n: int) -> Answer:
    """Count the multiply-adds of a 1x1 reduction and a 5x5 convolution behind it."""
    return Answer(
        conv_multiply_adds(c, r, 1, n) + conv_multiply_adds(r, c, 5, n),
        expansion_only=conv_multiply_adds(c, c, 5, n),
        second_layer_only=conv_multiply_adds(r, c, 5, n),
        one_position_only=c * r + r * c * 25,
        kernel_not_squared=n * n * (c * r + r * c * 5),
    )
