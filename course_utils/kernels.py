"""The image filters of the course, by name: one table for Python and for the browser.

Lessons, figures and widgets, including their JavaScript, take their weights from here.

A filter is written as it is laid on the image, which is how `F.conv2d` uses it: the weight in the
upper left corner multiplies the pixel above and to the left. So a difference is positive where the
image gets brighter to the right or downwards. The Laplacian is the sum of the second differences,
and therefore negative in the middle, as in calculus: then *Sharpen* is the identity minus the
Laplacian, and a bright spot has a negative Laplacian. To find bright spots, take its negative.

The Gaussian filters have binomial weights, which approach a Gaussian and are exact in binary.
"""

import math
from collections.abc import Sequence

import torch

__all__ = ["KERNELS", "Matrix", "binomial", "named_kernel"]

Matrix = list[list[float]]
"""Rows of numbers."""


def binomial(size: int) -> list[float]:
    """Return the binomial coefficients of a row over their sum: 1 4 6 4 1 over 16 for size 5.

    Raises:
        ValueError: The size is below 1.
    """
    if size < 1:
        raise ValueError(f"a row of {size} weights: use 1 (no blur) or more")
    return [math.comb(size - 1, i) / 2 ** (size - 1) for i in range(size)]


def _outer(column: Sequence[float], row: Sequence[float]) -> Matrix:
    return [[a * b for b in row] for a in column]


def _difference_of_gaussians() -> Matrix:
    """Return the 3 x 3 blur minus the 7 x 7 blur."""
    weights = [[-v for v in row] for row in _outer(binomial(7), binomial(7))]
    for r, row in enumerate(_outer(binomial(3), binomial(3)), start=2):
        for c, weight in enumerate(row, start=2):
            weights[r][c] += weight
    return weights


KERNELS: dict[str, Matrix] = {
    "Identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "Mean of 4": [[1 / 4] * 2] * 2,
    "Mean of 9": [[1 / 9] * 3] * 3,
    **{f"Gaussian {k} × {k}": _outer(binomial(k), binomial(k)) for k in (3, 5, 7)},
    "Difference of Gaussians": _difference_of_gaussians(),
    "Sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "Emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "Edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "Sobel, vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "Sobel, horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "Laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "Worked example": [[0, 1, 2], [2, 2, 0], [0, 1, 2]],
    "Lopsided 5 × 5": [[a * b / 105 for b in (1, 0, 2, 0, 4)] for a in (1, 2, 3, 4, 5)],
    "One weight": [[2]],
}
"""Filters by name, as rows of weights."""


def named_kernel(name: str) -> torch.Tensor:
    """Return a filter of `KERNELS` as a tensor (k_h, k_w), float32.

    Raises:
        ValueError: There is no filter of that name.

    Example:
        >>> named_kernel("Laplacian").int().tolist()
        [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    """
    if name not in KERNELS:
        raise ValueError(f"there is no kernel {name!r}: choose from {', '.join(KERNELS)}")
    return torch.tensor(KERNELS[name], dtype=torch.float32)
