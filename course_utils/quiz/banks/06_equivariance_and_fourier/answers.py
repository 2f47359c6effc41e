"""Answers of lesson and exercise 06: strides and shifts, aliasing, the reach of a border."""

import math

import torch
import torch.nn.functional as F

from course_utils.arithmetic import Layer
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import field_of


def shifted_output(s: int, n: int, d: int) -> Answer:
    """Return by how much the output of a strided circular convolution moves, found by trying."""
    row = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    padded = F.pad(torch.stack([row, row.roll(d)])[:, None], (1, 1), mode="circular")
    kernel = torch.tensor([[[1.0, 2.0, -1.0]]], dtype=torch.float64)
    before, after = F.conv1d(padded, kernel, stride=s)[:, 0]
    for shift in range(len(before)):
        if torch.allclose(before.roll(shift), after):
            return Answer(shift, input_pixels=d, multiplied_by_stride=d * s)
    raise ValueError(f"a shift by {d} is no shift of the output at stride {s}")


def _cycles_seen(n: int, cycles: int, s: int, phase: float = 0.0) -> int:
    """Cycles that show in every s-th of n pixels, read off the spectrum."""
    places = torch.arange(n, dtype=torch.float64)
    seen = torch.cos(2 * math.pi * cycles * places / n + phase)[::s]
    return int(torch.fft.rfft(seen).abs().argmax())


def aliased(n: int, f: int, s: int) -> Answer:
    """Return the cycles that are seen in every s-th pixel of f cycles on n pixels."""
    found = _cycles_seen(n, f, s)
    if f > n // 2 or not 0 < found < math.ceil(n / s) / 2:
        raise ValueError(f"{f} cycles on {n} pixels make no clear question at step {s}")
    return Answer(
        found,
        cut_not_left_out=f / s,
        frequency_kept=f,
        fold_forgotten=f % (n // s),
    )


def exact_shift(a: int, b: int, c: int) -> Answer:
    """Return the smallest shift that three strides divide one after the other."""
    return Answer(
        next(n for n in range(1, 1000) if n % a == 0 and n // a % b == 0 and n // a // b % c == 0),
        strides_added=a + b + c,
        largest_stride_only=max(a, b, c),
        last_stride_only=c,
    )


def alias(n: int, c: int, s: int) -> Answer:
    """Return the periods that show after subsampling."""
    return Answer(
        _cycles_seen(n, c, s, phase=0.3),
        frequency_kept=c,
        frequency_divided=c / s,
        not_mirrored=c % (n // s),
    )


def dark_rim(k: int, num_layers: int) -> Answer:
    """Count the rows whose receptive field reaches over the border."""
    return Answer(
        field_of(*[Layer(k)] * num_layers) // 2,
        one_layer_only=k // 2,
        whole_kernel=num_layers * (k - 1),
        widths_added=num_layers * k,
    )
