"""Answers of exercise 06: strides and shifts, aliasing, the reach of a border."""

import torch

from course_utils.arithmetic import Layer, receptive_field
from course_utils.quiz.computation import computation


@computation(
    strides_added=lambda a, b, c: a + b + c,
    largest_stride_only=lambda a, b, c: max(a, b, c),
    last_stride_only=lambda a, b, c: c,
)
def exact_shift(a: int, b: int, c: int) -> int:
    """Smallest shift that three strides divide one after the other."""
    return next(
        n for n in range(1, 1000) if n % a == 0 and n // a % b == 0 and n // a // b % c == 0
    )


@computation(
    frequency_kept=lambda n, c, s: c,
    frequency_divided=lambda n, c, s: c / s,
    not_mirrored=lambda n, c, s: c % (n // s),
)
def alias(n: int, c: int, s: int) -> int:
    """Periods that show after subsampling, read off the spectrum."""
    places = torch.arange(n, dtype=torch.float64)
    kept = torch.cos(2 * torch.pi * c * places / n + 0.3)[::s]
    return int(torch.fft.rfft(kept).abs().argmax())


@computation(
    one_layer_only=lambda k, num_layers: k // 2,
    whole_kernel=lambda k, num_layers: num_layers * (k - 1),
    widths_added=lambda k, num_layers: num_layers * k,
)
def dark_rim(k: int, num_layers: int) -> int:
    """Rows whose receptive field reaches over the border."""
    field = receptive_field([Layer(k)] * num_layers)
    return int(field.size) // 2  # type: ignore[arg-type]
