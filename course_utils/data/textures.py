"""Backgrounds from formulas: ten families of texture, for a whole batch of images at once.

Each function takes x and y in pixels, both (N, H, W), already shifted, rotated and stretched by
each image's own draws, and returns values in [0, 1]: how far the background is from one of its
two colours to the other.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["TEXTURES", "Texture"]

Texture = Callable[[Tensor, Tensor], Tensor]


def stripes(x: Tensor, y: Tensor) -> Tensor:
    """Draw horizontal stripes."""
    return _wave(y / 8)


def bars(x: Tensor, y: Tensor) -> Tensor:
    """Draw vertical stripes with hard edges."""
    return _hard(_wave(x / 7))


def diagonal(x: Tensor, y: Tensor) -> Tensor:
    """Draw stripes at 45 degrees."""
    return _hard(_wave((x + y) / 9))


def checks(x: Tensor, y: Tensor) -> Tensor:
    """Draw a chessboard."""
    return _hard(0.5 + 0.5 * torch.sin(x * math.pi / 6) * torch.sin(y * math.pi / 6))


def dots(x: Tensor, y: Tensor) -> Tensor:
    """Draw dots in rows and columns."""
    return (2.9 - torch.hypot(_cell(x, 8), _cell(y, 8))).clamp(0, 1)


def grid(x: Tensor, y: Tensor) -> Tensor:
    """Draw thin crossing lines."""
    line = torch.minimum(_cell(x, 8).abs(), _cell(y, 8).abs())
    return (1.2 - line).clamp(0, 1)


def waves(x: Tensor, y: Tensor) -> Tensor:
    """Draw wavy lines."""
    return _wave((y + 2.5 * torch.sin(x * 2 * math.pi / 14)) / 8)


def ripples(x: Tensor, y: Tensor) -> Tensor:
    """Draw circles around one point."""
    return _wave(torch.hypot(x, y) / 7)


def clouds(x: Tensor, y: Tensor) -> Tensor:
    """Draw soft patches: three waves of incommensurable periods."""
    sum_of_waves = torch.sin(x / 2.9) * torch.sin(y / 3.7) + torch.sin((x - 1.7 * y) / 5.3)
    return (0.5 + 0.3 * sum_of_waves).clamp(0, 1)


def slope(x: Tensor, y: Tensor) -> Tensor:
    """Fade one colour into the other."""
    return torch.sigmoid((x + 0.3 * y) / 8)


TEXTURES: dict[str, Texture] = {
    texture.__name__: texture
    for texture in (stripes, bars, diagonal, checks, dots, grid, waves, ripples, clouds, slope)
}


def _wave(phase: Tensor) -> Tensor:
    """Return a wave between 0 and 1 with period 1."""
    return 0.5 + 0.5 * torch.sin(2 * math.pi * phase)


def _hard(value: Tensor) -> Tensor:
    """Go most of the way to a hard edge at 0.5."""
    return (0.5 + 3 * (value - 0.5)).clamp(0, 1)


def _cell(x: Tensor, period: float) -> Tensor:
    """Return the distance, with its sign, to the nearest multiple of the period."""
    return x - period * torch.round(x / period)
