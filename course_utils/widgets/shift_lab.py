"""Move a shape, and watch whether the maps of a small net move with it or flicker."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.equivariance import Layer, equivariance_error, invariance_error, shift
from course_utils.kernels import KERNELS, binomial, named_kernel
from course_utils.models.blurpool import BlurPool, MaxBlurPool
from course_utils.plots import plot_two_ways
from course_utils.widgets.base import CourseWidget, Result, State
from course_utils.widgets.text import number

__all__ = [
    "BORDERS",
    "FILTERS",
    "POOLS",
    "SCORES",
    "SHAPES",
    "ShiftLab",
    "layers_of",
    "picture_of",
    "verdict",
]

SIZE = 32
FARTHEST = SIZE // 2
SPOT = 12  # side of a shape; the rest of the image is black


def _drawn(inside: Callable[[float, float], bool]) -> list[str]:
    """Return rows of "#" and "." for a shape given by coordinates from -1 to 1, y downwards."""
    places = [(2 * i - SPOT + 1) / SPOT for i in range(SPOT)]
    return ["".join("#" if inside(x, y) else "." for x in places) for y in places]


SHAPES: dict[str, list[str]] = {
    "Disc": _drawn(lambda x, y: x * x + y * y < 0.8),
    "Ring": _drawn(lambda x, y: 0.35 < x * x + y * y < 0.95),
    "Square": _drawn(lambda x, y: max(abs(x), abs(y)) < 0.7),
    "Triangle": _drawn(lambda x, y: abs(x) < (y + 1) / 2),
    "Cross": _drawn(lambda x, y: min(abs(x), abs(y)) < 0.2),
    "Fine stripes": ["#." * (SPOT // 2)] * SPOT,
}
"""Shapes by name, as rows of "#" (1) and "." (0)."""

FILTERS = (
    "Sobel, vertical edges",
    "Sobel, horizontal edges",
    "Laplacian",
    "Gaussian 3 × 3",
    "Identity",
)
"""Names in `kernels.KERNELS`."""

_ring = partial(MaxBlurPool, padding_mode="circular")
POOLS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "stride 2": lambda: nn.MaxPool2d(1, stride=2),
    "max 2 × 2": lambda: nn.MaxPool2d(2),
    "average 2 × 2": lambda: nn.AvgPool2d(2),
    "blur 3 × 3": lambda: BlurPool(3, padding_mode="circular"),
    "max, blur 3 × 3": lambda: _ring(blur_size=3),
    "max, blur 5 × 5": lambda: _ring(blur_size=5),
}
"""What comes after the activation, by name; the blurs have circular borders."""

# The same in three steps: what is done at every pixel, the size of the blur, the stride.
PARTS = {
    "none": ("keep", 1, 1),
    "stride 2": ("keep", 1, 2),
    "max 2 × 2": ("max", 1, 2),
    "average 2 × 2": ("average", 1, 2),
    "blur 3 × 3": ("keep", 3, 2),
    "max, blur 3 × 3": ("max", 3, 2),
    "max, blur 5 × 5": ("max", 5, 2),
}
BORDERS = {"circular": "circular", "zeros": "constant"}
SCORES: dict[str, Callable[[], nn.Module]] = {
    "mean": lambda: nn.AdaptiveAvgPool2d(1),
    "maximum": lambda: nn.AdaptiveMaxPool2d(1),
}

PROBLEM = (
    "The map of the unmoved shape is 0 everywhere, so no error can be measured relative to it. "
    "Choose another kernel or pooling."
)


class ShiftLab(CourseWidget):
    """Move a shape, pass it through convolution, ReLU and pooling, and measure both errors.

    Args:
        shape: A name in `SHAPES`.
        kernel: A name in `FILTERS`.
        border: What the convolution sees beyond the border: `"circular"` or `"zeros"`.
        pool: A name in `POOLS`.
        score: How the pooled map is reduced to one number: `"mean"` or `"maximum"`.
        down, right: How far the shape has moved, -16 to 16 pixels, on the ring.

    Raises:
        ValueError: For an unknown name, or a shift out of its range.
    """

    title = "Shift lab: does the map move with the shape?"
    data: ClassVar[dict[str, Any]] = {
        "size": SIZE,
        "shapes": SHAPES,
        "kernels": {name: KERNELS[name] for name in FILTERS},
        "blurs": {size: binomial(size) for size in (1, 3, 5)},
        "parts": PARTS,
        "problem": PROBLEM,
        "scores": list(SCORES),
    }

    shape = traitlets.Enum(list(SHAPES), "Disc").tag(sync=True)
    kernel = traitlets.Enum(FILTERS, "Sobel, vertical edges").tag(sync=True)
    border = traitlets.Enum(list(BORDERS), "circular").tag(sync=True)
    pool = traitlets.Enum(list(POOLS), "max 2 × 2").tag(sync=True)
    score = traitlets.Enum(list(SCORES), "mean").tag(sync=True)
    down = traitlets.Int(0, min=-FARTHEST, max=FARTHEST).tag(sync=True)
    right = traitlets.Int(3, min=-FARTHEST, max=FARTHEST).tag(sync=True)

    @staticmethod
    def reference(state: State) -> Result:
        """Compute with torch's layers and the two errors of `course_utils.equivariance`."""
        x = picture_of(state["shape"])  # (1, 1, 32, 32)
        convolution, layer, score = layers_of(state)
        down, right = state["down"], state["right"]
        moved = shift(x, down, right)
        output, seen = layer(x), layer(moved)  # both (1, 1, 32/s, 32/s)
        step = SIZE // output.shape[-1]
        expected = shift(output, down / step, right / step)
        maps = {
            "picture": moved,
            "convolved": convolution(moved),
            "activated": convolution(moved).relu(),
            "still": output,
            "map": seen,
            "expected": expected,
            "difference": seen - expected,
        }
        return {
            **{name: values[0, 0].tolist() for name, values in maps.items()},
            "scores": [score(x).item(), score(moved).item()],
            **_errors(state, layer, score, x),
        }

    def draw(self, result: Result) -> Figure:
        """Draw both ways around, and their difference."""
        _, layer, _ = layers_of(self.state())
        return plot_two_ways(layer, picture_of(self.shape)[0], self.down, self.right)

    def tell(self, result: Result) -> str:
        """Say how far the shape has moved, and the two errors."""
        return f"{self.shape}, {self.kernel}, {self.pool}. {verdict(self.state(), result)}"


def verdict(state: State, result: Result) -> str:
    """Say how far the map should move, and the two errors.

    Args:
        state: The lab's state.
        result: The reference's result for it.
    """
    down, right = state["down"], state["right"]
    step = SIZE // len(result["map"])
    rows, columns = (number(abs(pixels) / step) for pixels in (down, right))
    return (
        f"The shape has moved {abs(down)} {'up' if down < 0 else 'down'} and {abs(right)} "
        f"{'left' if right < 0 else 'right'}, in pixels; the map should move by {rows} and "
        f"{columns} cells. Equivariance error {number(result['equivariance'], 3)}; the "
        f"{state['score']} is {number(result['scores'][1], 3)}, unmoved "
        f"{number(result['scores'][0], 3)}: invariance error {number(result['invariance'], 3)}."
    )


# --- What it computes ------------------------------------------------------------------------


def _errors(state: State, layer: Layer, score: Layer, x: Tensor) -> dict[str, Any]:
    """Return both errors for every shift to the right, and for the one that is shown."""
    if not layer(x).any():
        blank = {"equivariance": None, "invariance": None}
        return {"problem": PROBLEM, **blank, "curves": {name: [] for name in blank}}
    shifts = range(-FARTHEST, FARTHEST + 1)
    equivariance = [equivariance_error(layer, x, state["down"], columns) for columns in shifts]
    invariance = [invariance_error(score, x, state["down"], columns) for columns in shifts]
    return {
        "problem": None,
        "equivariance": equivariance[state["right"] + FARTHEST],
        "invariance": invariance[state["right"] + FARTHEST],
        "curves": {"equivariance": equivariance, "invariance": invariance},
    }


def picture_of(shape: str) -> Tensor:
    """Return the image (1, 1, 32, 32) with the named shape of `SHAPES` at its centre."""
    spot = torch.tensor([[float(mark == "#") for mark in row] for row in SHAPES[shape]])
    return F.pad(spot.double(), ((SIZE - SPOT) // 2,) * 4)[None, None]


def layers_of(state: State) -> tuple[Layer, Layer, Layer]:
    """Return the convolution alone, the whole layer with ReLU and pooling, and the score.

    Args:
        state: The lab's state.
    """
    weights = named_kernel(state["kernel"]).double()[None, None]
    pool, head = POOLS[state["pool"]]().double(), SCORES[state["score"]]()

    def convolution(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=BORDERS[state["border"]]), weights)

    def layer(x: Tensor) -> Tensor:
        return pool(convolution(x).relu())

    return convolution, layer, lambda x: head(layer(x))
