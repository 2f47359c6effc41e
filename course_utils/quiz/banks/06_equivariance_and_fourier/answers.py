"""Answers of lesson and exercise 06: what tells, aliasing, the reach of a border."""

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


def stripes_seen(n: int, c: int, s: int) -> Answer:
    """Say what becomes of c periods on n pixels if one pixel in s is kept."""
    left = n // s
    found = _cycles_seen(n, c, s, phase=0.3)
    if c in (left / 2, left) or found == 0:
        raise ValueError(f"{c} periods on {left} pixels make no clear question")
    same, false = (
        "The same stripes as before, with fewer pixels each",
        "Broader stripes, fewer of them",
    )
    return Answer(
        same if found == c else false,
        stripes_survive=None if found == c else same,
        always_false=false if found == c else None,
        blurred_by_itself="An even grey, with no stripes in it",
        periods_added="Finer stripes, more of them",
    )


def fault_told(a: int, b: int) -> Answer:
    """Return the shift at which only the border can break a net with two strides."""
    shift = next(n for n in range(1, 100) if n % a == 0 and n // a % b == 0)
    if max(a, b) == a + b - 1 or shift == a + b:
        raise ValueError(f"the strides {a} and {b} do not tell the slips apart")

    def pixels(number: int) -> str:
        return f"{number} pixel" + "s" * (number > 1)

    return Answer(
        pixels(shift),
        strides_added=pixels(a + b),
        largest_stride_only=pixels(max(a, b)),
        strides_forgotten=pixels(1),
    )


def dark_rim(k: int, num_layers: int) -> Answer:
    """Count the rows whose receptive field reaches over the border."""
    return Answer(
        field_of(*[Layer(k)] * num_layers) // 2,
        one_layer_only=k // 2,
        whole_kernel=num_layers * (k - 1),
        widths_added=num_layers * k,
    )
