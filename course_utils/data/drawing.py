"""Drawing from formulas, for a whole batch of images at once.

An outline is a *signed distance*: a function of the plane that is negative inside the figure,
0 on its edge, positive outside. Figures are joined by the minimum, intersected by the maximum,
and cut by negation; near the edge, the distance in pixels says how much of a pixel is covered.

Coordinates: x to the right, y up, the figure about as large as a circle of radius 1. Each
function takes x and y of the same shape and returns that shape.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["OUTLINES", "Outline", "coverage"]

Outline = Callable[[Tensor, Tensor], Tensor]


def disc(x: Tensor, y: Tensor, radius: float = 0.88) -> Tensor:
    """Draw a disc around the origin."""
    return torch.hypot(x, y) - radius


def box(x: Tensor, y: Tensor, half_width: float, half_height: float) -> Tensor:
    """Draw a rectangle around the origin."""
    return torch.maximum(x.abs() - half_width, y.abs() - half_height)


def square(x: Tensor, y: Tensor) -> Tensor:
    """Draw a square."""
    return box(x, y, 0.76, 0.76)


def triangle(x: Tensor, y: Tensor) -> Tensor:
    """Draw an equilateral triangle, one corner up."""
    sides = torch.maximum(x.abs() * math.cos(math.pi / 6) + y * 0.5, -y)
    return sides - 0.52


def ring(x: Tensor, y: Tensor) -> Tensor:
    """Draw a disc with a hole."""
    return (torch.hypot(x, y) - 0.66).abs() - 0.24


def cross(x: Tensor, y: Tensor) -> Tensor:
    """Draw a plus sign."""
    return torch.minimum(box(x, y, 0.92, 0.3), box(x, y, 0.3, 0.92))


def star(x: Tensor, y: Tensor) -> Tensor:
    """Draw a star of five points, one up.

    The star is the same thin triangle ten times: fold the plane onto one of them, then measure the
    distance to the line from the outer to the inner corner.
    """
    tenth = math.pi / 5
    turned = torch.atan2(x, y)  # 0 at the upper point
    folded = (turned - 2 * tenth * torch.round(turned / (2 * tenth))).abs()  # [0, pi/5]
    radius = torch.hypot(x, y)
    outer, inner = 1.0, 0.42
    edge_x, edge_y = inner * math.sin(tenth), inner * math.cos(tenth) - outer
    length = math.hypot(edge_x, edge_y)
    across, along = radius * torch.sin(folded), radius * torch.cos(folded) - outer
    return (along * edge_x - across * edge_y) / length


def heart(x: Tensor, y: Tensor) -> Tensor:
    """Draw a square on its corner with a half disc on each upper side."""
    side, y = 0.96, y + 0.12
    half = side / 2
    turned = box((x + y) * math.sqrt(0.5), (x - y) * math.sqrt(0.5), half, half)
    middle = half * math.sqrt(0.5)
    lobes = torch.hypot(x.abs() - middle, y - middle) - half
    return torch.minimum(turned, lobes)


def crescent(x: Tensor, y: Tensor) -> Tensor:
    """Draw a disc without a second, shifted one."""
    return torch.maximum(disc(x, y, 0.92), -disc(x - 0.42, y, 0.72))


def arrow(x: Tensor, y: Tensor) -> Tensor:
    """Draw an arrow to the right."""
    head = torch.maximum((x - 0.95 + y.abs() * 1.1) / math.hypot(1, 1.1), 0.1 - x)
    shaft = box(x + 0.3, y, 0.65, 0.24)  # well into the head, so that no seam shows
    return torch.minimum(head, shaft)


def hourglass(x: Tensor, y: Tensor) -> Tensor:
    """Draw two triangles tip to tip."""
    sides = (x.abs() - 0.78 * y.abs() - 0.06) / math.hypot(1, 0.78)
    return torch.maximum(sides, y.abs() - 0.8)


OUTLINES: dict[str, Outline] = {
    "circle": disc,
    "square": square,
    "triangle": triangle,
    "ring": ring,
    "cross": cross,
    "star": star,
    "heart": heart,
    "crescent": crescent,
    "arrow": arrow,
    "hourglass": hourglass,
}


def coverage(distance: Tensor) -> Tensor:
    """Return how much of each pixel lies inside: 0 to 1, with a soft edge one pixel wide.

    Args:
        distance: Signed distance in pixels.
    """
    return (0.5 - distance).clamp(0, 1)
