"""How a layer's output responds to a shift of its input, as one number.

A layer f is *equivariant* to the shift T if f(Tx) = T f(x): the output moves with the input. A
function g is *invariant* if g(Tx) = g(x): the output stays the same. Both functions below measure
how much the two sides differ, relative to the size of the output.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["equivariance_error", "invariance_error", "shift"]

Layer = Callable[[Tensor], Tensor]


def shift(x: Tensor, rows: float, columns: float = 0) -> Tensor:
    """Move images down and to the right; what leaves at one edge comes back at the opposite one.

    Whole numbers move pixels and are exact. For a fraction, each frequency of the image moves by
    itself: it is multiplied by exp(-2 pi i (u rows + v columns)) with u and v in cycles per pixel.
    If the image has no frequency of 1/2 or above, nothing is lost.

    Args:
        x: (..., H, W), float.
        rows: Pixels downwards; negative is upwards.
        columns: Pixels to the right; negative is to the left.
    """
    if float(rows).is_integer() and float(columns).is_integer():
        return x.roll((int(rows), int(columns)), dims=(-2, -1))
    height, width = x.shape[-2:]
    u = torch.fft.fftfreq(height, dtype=x.dtype, device=x.device)[:, None]  # (H, 1) cycles/pixel
    v = torch.fft.fftfreq(width, dtype=x.dtype, device=x.device)  # (W,)
    angle = -2 * math.pi * (u * rows + v * columns)  # (H, W)
    phase = torch.polar(torch.ones_like(angle), angle)
    return torch.fft.ifft2(torch.fft.fft2(x) * phase).real


@torch.no_grad()
def equivariance_error(layer: Layer, x: Tensor, rows: float, columns: float = 0) -> float:
    """Measure ||f(Tx) - T f(x)|| / ||f(x)||: 0 if the output moves with the input.

    On an output that is s times smaller than the input, T is a shift by rows/s and columns/s,
    which may be fractions.

    Args:
        layer: From (N, C, H, W) to (N, C', H/s, W/s), for some whole s.
        x: (N, C, H, W), float.
        rows: Pixels downwards.
        columns: Pixels to the right.

    Raises:
        ValueError: The output is not a map, does not divide the input's size, or is 0 everywhere.

    >>> equivariance_error(torch.relu, torch.eye(4)[None, None], rows=1)
    0.0
    """
    output = layer(x)  # (N, C', H/s, W/s)
    down, right = _strides(x, output)
    look_then_move = shift(output, rows / down, columns / right)
    return _distance(layer(shift(x, rows, columns)), look_then_move, output)


@torch.no_grad()
def invariance_error(function: Layer, x: Tensor, rows: float, columns: float = 0) -> float:
    """Measure ||g(Tx) - g(x)|| / ||g(x)||: 0 if the shift does not change the output.

    The function goes from (N, C, H, W) to any shape; x and the shift are as in
    `equivariance_error`.

    Raises:
        ValueError: The output is 0 everywhere.

    >>> invariance_error(lambda x: x.mean(dim=(2, 3)), torch.eye(4)[None, None], rows=1)
    0.0
    """
    output = function(x)
    return _distance(function(shift(x, rows, columns)), output, output)


def _strides(x: Tensor, output: Tensor) -> tuple[int, int]:
    """Return how many times smaller than the input the output is, down and across."""
    if output.dim() < 2:
        raise ValueError(f"the output {tuple(output.shape)} is not a map: measure its invariance")
    sizes, smaller = tuple(x.shape[-2:]), tuple(output.shape[-2:])
    if any(n % m for n, m in zip(sizes, smaller, strict=True)):
        raise ValueError(
            f"an output of {smaller} from an input of {sizes}: the layer must keep the size, or "
            "divide it by its stride, so pad the input or choose another size"
        )
    return sizes[0] // smaller[0], sizes[1] // smaller[1]


def _distance(a: Tensor, b: Tensor, reference: Tensor) -> float:
    size = reference.norm()
    if size == 0:
        raise ValueError("the output is 0 everywhere, so no error can be measured relative to it")
    return float((a - b).norm() / size)
