"""Answers of exercise 04: sizes after two layers, receptive fields."""

import torch
from torch import nn

from course_utils.arithmetic import Layer, output_size
from course_utils.arithmetic import receptive_field as field_of
from course_utils.quiz.computation import computation


def _pooled(n: float) -> float:
    return (n - 2) // 2 + 1


@computation(
    no_floor=lambda n, k, s, p: ((n + 2 * p - k) / s + 1) / 2,
    rounded_up=lambda n, k, s, p: -(((k - n - 2 * p) // s - 1) // 2),
    padding_one_side=lambda n, k, s, p: _pooled(output_size(n + p, k, s)),
    padding_ignored=lambda n, k, s, p: _pooled(output_size(n, k, s)),
    pooling_forgotten=lambda n, k, s, p: output_size(n, k, s, p),
    pooling_keeps_size=lambda n, k, s, p: output_size(n, k, s, p) - 1,
)
def two_steps(n: int, k: int, s: int, p: int) -> int:
    """Size after a convolution and 2x2 pooling."""
    layers = nn.Sequential(nn.Conv2d(1, 1, k, stride=s, padding=p), nn.MaxPool2d(2)).to("meta")
    return int(layers(torch.empty(1, 1, n, n, device="meta")).shape[-1])


@computation(
    stride_ignored=lambda a, b, s: a + b - 1,
    kernels_added=lambda a, b, s: a + b,
    stride_widens_itself=lambda a, b, s: 1 + (a - 1) * s + (b - 1),
    no_plus_one=lambda a, b, s: a + b * s,
)
def field(a: int, b: int, s: int) -> int:
    """Field of a convolution of a with stride s, then one of b."""
    return int(field_of([Layer(a, s=s), Layer(b)]).size)  # type: ignore[arg-type]
