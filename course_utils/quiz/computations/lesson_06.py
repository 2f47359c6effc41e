"""Answers of lesson 06: equivariance and Fourier."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.quiz.computation import computation


@computation(
    input_pixels=lambda s, n, d: d,
    multiplied_by_stride=lambda s, n, d: d * s,
)
def shifted_output(s: int, n: int, d: int) -> int:
    """By how much the output of a strided circular convolution moves, found by trying."""
    row = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before, after = _strided(row, s), _strided(row.roll(d), s)
    for shift in range(len(before)):
        if torch.allclose(before.roll(shift), after):
            return shift
    raise ValueError(f"a shift by {d} is no shift of the output at stride {s}")


def _strided(row: Tensor, s: int) -> Tensor:
    kernel = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    padded = F.pad(row[None, None], (1, 1), mode="circular")
    return F.conv1d(padded, kernel[None, None], stride=s)[0, 0]


@computation(
    cut_not_left_out=lambda n, f, s: f / s,
    frequency_kept=lambda n, f, s: f,
    fold_forgotten=lambda n, f, s: f % (n // s),
)
def aliased(n: int, f: int, s: int) -> int:
    """Cycles that are seen in every s-th pixel of f cycles on n pixels."""
    places = torch.arange(n, dtype=torch.float64)
    seen = torch.cos(2 * math.pi * f * places / n)[::s]
    found = int(torch.fft.rfft(seen).abs().argmax())
    if f > n // 2 or not 0 < found < len(seen) / 2:
        raise ValueError(f"{f} cycles on {n} pixels make no clear question at step {s}")
    return found
