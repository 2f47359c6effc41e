"""Answers of exercise 10: shapes, parameters and work of an Inception module."""

import torch
from torch import nn

from course_utils.arithmetic import conv_multiply_adds
from course_utils.models.googlenet import Inception
from course_utils.quiz.computation import computation


def _halved(h: int, w: int) -> tuple[int, int]:
    return (h - 1) // 2 + 1, (w - 1) // 2 + 1


@computation(
    reductions_concatenated=lambda reduce3, reduce5, one, three, five, pool, c, h, w: (
        one + reduce3 + three + reduce5 + five + pool,
        *_halved(h, w),
    ),
    pool_path_forgotten=lambda reduce3, reduce5, one, three, five, pool, c, h, w: (
        one + three + five,
        *_halved(h, w),
    ),
    height_width_swapped=lambda reduce3, reduce5, one, three, five, pool, c, h, w: (
        one + three + five + pool,
        *_halved(w, h),
    ),
    padding_ignored=lambda reduce3, reduce5, one, three, five, pool, c, h, w: (
        one + three + five + pool,
        (h - 3) // 2 + 1,
        (w - 3) // 2 + 1,
    ),
    stride_ignored=lambda reduce3, reduce5, one, three, five, pool, c, h, w: (
        one + three + five + pool,
        h,
        w,
    ),
    channels_last=lambda reduce3, reduce5, one, three, five, pool, c, h, w: (
        *_halved(h, w),
        one + three + five + pool,
    ),
)
def module_shape(
    reduce3: int, reduce5: int, one: int, three: int, five: int, pool: int, c: int, h: int, w: int
) -> tuple[int, ...]:
    """What leaves an Inception module and a 3x3 pool with stride 2 and padding 1 behind it."""
    with torch.device("meta"):
        module = Inception(c, one, (reduce3, three), (reduce5, five), pool)
        maps = nn.MaxPool2d(3, stride=2, padding=1)(module(torch.empty(1, c, h, w)))
    return tuple(maps.shape[1:])


@computation(
    bias_forgotten=lambda c, r, k, f: r * c + f * r * k * k,
    reduction_is_free=lambda c, r, k, f: f * (r * k * k + 1),
    reduction_overlooked=lambda c, r, k, f: r * (c + 1) + f * (c * k * k + 1),
    kernel_not_squared=lambda c, r, k, f: r * (c + 1) + f * (r * k + 1),
    one_channel_filters=lambda c, r, k, f: r * (c + 1) + f * (k * k + 1),
)
def path_parameters(c: int, r: int, k: int, f: int) -> int:
    """Parameters of a path: a reduction from c to r channels, then f filters of k x k."""
    path = nn.Sequential(nn.Conv2d(c, r, 1, device="meta"), nn.Conv2d(r, f, k, device="meta"))
    return sum(parameter.numel() for parameter in path.parameters())


@computation(
    reduction_is_free=lambda c, r, k, f: c / r,
    other_way_round=lambda c, r, k, f: (c * r + r * f * k * k) / (c * f * k * k),
    kernel_not_squared=lambda c, r, k, f: c * f * k / (c * r + r * f * k),
    reduction_overlooked=lambda c, r, k, f: c * f * k * k / (c * r + c * f * k * k),
)
def work_saved(c: int, r: int, k: int, f: int) -> float:
    """How many times less work a path with a reduction does, to four digits."""
    plain = conv_multiply_adds(c, f, k, 1)
    reduced = conv_multiply_adds(c, r, 1, 1) + conv_multiply_adds(r, f, k, 1)
    return float(f"{plain / reduced:.4g}")
