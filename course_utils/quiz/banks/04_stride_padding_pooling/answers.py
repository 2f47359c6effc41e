"""Answers of lesson and exercise 04: stride, padding, pooling, receptive fields."""

import torch
from torch import nn

from course_utils.arithmetic import Layer, output_size
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import field_of, shape_after


def dilated_padding(n: int, k: int, d: int) -> Answer:
    """Return the padding that keeps n pixels at stride 1."""
    padding = d * (k - 1) // 2
    layer = nn.Conv2d(1, 1, k, padding=padding, dilation=d, device="meta")
    if shape_after(layer, 1, n, n)[-1] != n:
        raise ValueError(f"padding {padding} does not keep {n} pixels")
    return Answer(
        padding,
        dilation_forgotten=(k - 1) // 2,
        padding_not_halved=d * (k - 1),
        centre_counted=(d * (k - 1) + 2) // 2,
    )


def pooled_shape(c: int, h: int, w: int, k: int, s: int) -> Answer:
    """Return the shape (C, H, W) after pooling."""
    right = shape_after(nn.MaxPool2d(k, stride=s), c, h, w)
    return Answer(
        right,
        rounded_up=shape_after(nn.MaxPool2d(k, stride=s, ceil_mode=True), c, h, w),
        window_for_stride=shape_after(nn.MaxPool2d(k), c, h, w),
        maps_added=(1, *right[1:]),
        height_width_swapped=(c, *right[:0:-1]),
        no_plus_one=(c, (h - k) // s, (w - k) // s),
    )


def receptive_field(k: int) -> Answer:
    """Return the field of conv, pool, conv, pool, conv."""
    pool = Layer(2, s=2)
    return Answer(
        field_of(Layer(k), pool, Layer(k), pool, Layer(k)),
        kernels_added=1 + 3 * (k - 1) + 2 * (2 - 1),
        stride_widens_itself=1 + (k - 1) + 2 + 2 * (k - 1) + 4 + 4 * (k - 1),
    )


def two_steps(n: int, k: int, s: int, p: int) -> Answer:
    """Return the size after a convolution and 2x2 pooling."""
    convolution = nn.Conv2d(1, 1, k, stride=s, padding=p, device="meta")
    *_, filtered = shape_after(convolution, 1, n, n)
    *_, pooled = shape_after(nn.MaxPool2d(2), 1, filtered, filtered)
    return Answer(
        pooled,
        no_floor=((n + 2 * p - k) / s + 1) / 2,
        rounded_up=-(((k - n - 2 * p) // s - 1) // 2),
        padding_one_side=output_size(n + p, k, s) // 2,
        padding_ignored=output_size(n, k, s) // 2,
        pooling_forgotten=filtered,
        pooling_keeps_size=filtered - 1,
    )


def touched(n: int, k: int, s: int) -> Answer:
    """Say what a window without padding leaves out: counted on a row of pixels."""
    windows = torch.arange(n).unfold(0, k, s)
    lost = n - 1 - int(windows.max())
    if lost == 0:
        raise ValueError(f"windows of {k} with stride {s} cover all of {n} pixels")

    def without(last: int) -> str:
        number = f"{last} rows and columns" if last > 1 else "row and column"
        return f"All pixels except the last {number}"

    wide = f"{lost} pixels" if lost > 1 else "one pixel"
    return Answer(
        without(lost),
        lost_on_all_sides=f"All pixels except a frame {wide} wide",
        stride_lost=None if lost == s - 1 else without(s - 1),
        nothing_lost="All pixels, including the last row and column",
    )


def order_told(a: int, b: int, s: int) -> Answer:
    """Say which pixel only one of two orders of the layers sees."""
    first, last = field_of(Layer(a, s=s), Layer(b)), field_of(Layer(b), Layer(a, s=s))
    return Answer(
        f"Change pixel {first - 1}, counted from 0",
        seen_by_both="Change pixel 0, counted from 0",
        strides_overlooked=f"Change pixel {last - 1}, counted from 0",
        seen_by_none=f"Change pixel {first}, counted from 0",
    )
