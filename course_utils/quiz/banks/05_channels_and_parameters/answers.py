"""Answers of lesson and exercise 05: channels, parameters, work."""

import torch
from torch import nn

from course_utils.arithmetic import conv_multiply_adds, output_size
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import shape_after


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


def change_seen(c_in: int, c_out: int, g: int, j: int) -> Answer:
    """Say which maps of a grouped layer depend on the input channel with the index j.

    Raises:
        ValueError: There is no such channel, or every channel is a group of its own.
    """
    reads, makes = c_in // g, c_out // g
    if j >= c_in or reads == 1:
        raise ValueError(f"channel {j} of {c_in} in {g} groups makes no question")
    layer = nn.Conv2d(c_in, c_out, 3, groups=g)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        maps = torch.zeros(1, c_in, 3, 3)
        maps[:, j] = 1
        changed = (layer(maps) - layer(torch.zeros_like(maps))).flatten() > 1
    first, last = (int(changed.nonzero()[end]) for end in (0, -1))
    return Answer(
        f"The {last - first + 1} maps from {first} to {last}",
        groups_ignored=f"All {c_out} maps, from 0 to {c_out - 1}",
        depthwise_for_groups=f"Only the map with the index {j}",
        channels_dealt_out=f"The {makes} maps from {j % g * makes} to {j % g * makes + makes - 1}"
        if j % g != j // reads
        else None,
        group_size_of_input=f"The {reads} maps from {j // reads * reads} to "
        f"{j // reads * reads + reads - 1}",
    )


def time_told(c: int, n: int) -> Answer:
    """Say which experiment tells waiting from working."""
    return Answer(
        "Time each layer alone, and divide by its multiply-adds",
        counted_for_time=f"Count the multiply-adds of each layer, for {c} channels",
        whole_for_parts=f"Time both versions as a whole, also on maps of {2 * n} × {2 * n}",
        parameters_for_time="Compare the numbers of parameters that the two layers have",
    )
