"""Pooling on a grid that you can edit, and what changes when the activation comes after it."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure

from course_utils.arithmetic import pool_output_size
from course_utils.plots import plot_grids
from course_utils.widgets.base import (
    CourseWidget,
    Matrix,
    Result,
    State,
    checked_matrix,
    matrix_by_name,
)
from course_utils.widgets.text import number

__all__ = ["ACTIVATIONS", "PICTURES", "PoolingAndOrder"]

PICTURES: dict[str, Matrix] = {
    "Mixed signs": [
        [3, -4, 1, 0, -2, 5],
        [-1, 2, -6, 4, 0, -3],
        [0, -5, 7, -2, 3, 1],
        [6, 1, -3, -8, -1, 2],
        [-2, -7, -1, -4, 9, -6],
        [-3, -1, -5, -2, 4, 0],
    ],
    "All positive": [[(3 * r + 5 * c + r * c) % 9 + 1 for c in range(6)] for r in range(6)],
    "All negative": [[-((2 * r + 7 * c + r * c) % 9) - 1 for c in range(6)] for r in range(6)],
    "Alternating signs": [[4 if (r + c) % 2 else -4 for c in range(6)] for r in range(6)],
    "One peak": [[8 if (r, c) == (2, 3) else 0 for c in range(6)] for r in range(6)],
}
"""Images by name, as rows of numbers."""

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "ReLU": F.relu,
    "leaky ReLU": lambda x: F.leaky_relu(x, 0.1),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "|x|": torch.abs,
    "−x": torch.neg,
}
"""What may come before or after the pooling; the last two break the rule."""


class PoolingAndOrder(CourseWidget):
    """Pool a small grid, with the activation before or after, and see where the two differ.

    Args:
        picture: A name in `PICTURES`, or rows of numbers, at most 8x8.
        pool: `"max"` or `"average"`.
        activation: A name in `ACTIVATIONS`.
        window: Side of the pooling window, 1 to 4.
        stride: Distance between windows, 1 to 4.
        step: Which window is shown, counted row by row from 0.

    Raises:
        ValueError: For an unknown image, or rows that form no rectangle of the size allowed.
    """

    title = "Pooling, and the order of activation and pooling"
    data: ClassVar[dict[str, Any]] = {"pictures": PICTURES, "activations": list(ACTIVATIONS)}

    picture: traitlets.List[list[float]] = traitlets.List().tag(sync=True)
    pool = traitlets.Enum(["max", "average"], "average").tag(sync=True)
    activation = traitlets.Enum(list(ACTIVATIONS), "ReLU").tag(sync=True)
    window = traitlets.Int(2, min=1, max=4).tag(sync=True)
    stride = traitlets.Int(2, min=1, max=4).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(self, picture: str | Matrix = "Mixed signs", **settings: Any) -> None:
        super().__init__(picture=matrix_by_name("picture", picture, PICTURES), **settings)

    @traitlets.validate("picture")
    def _rectangle(self, proposal: Any) -> Matrix:
        return checked_matrix("picture", proposal["value"], largest=8)

    @staticmethod
    def reference(state: State) -> Result:
        """Compute both orders with `F.max_pool2d` or `F.avg_pool2d`."""
        image = torch.tensor(state["picture"], dtype=torch.float64)  # (n_h, n_w)
        k, s = state["window"], state["stride"]
        try:
            out = pool_output_size((image.shape[0], image.shape[1]), k, s)
        except ValueError:
            problem = (
                f"No window fits: it is {k} × {k}, but the image's shorter side is "
                f"{min(image.shape)}. Use a smaller window or a larger image."
            )
            return {"problem": problem, "out": [0, 0]}
        pooling = F.max_pool2d if state["pool"] == "max" else F.avg_pool2d
        activate = ACTIVATIONS[state["activation"]]
        activated, pooled = activate(image), pooling(image[None], k, s)[0]
        before, after = pooling(activated[None], k, s)[0], activate(pooled)  # both (o_h, o_w)
        difference = before - after
        assert tuple(before.shape) == out
        maps = {"activated": activated, "pooled": pooled, "before": before, "after": after}
        return {
            "problem": None,
            "out": list(before.shape),
            **{name: values.tolist() for name, values in maps.items()},
            "difference": difference.tolist(),
            "differing": int((difference.abs() > 1e-9).sum()),
            "largest": float(difference.abs().max()),
            "calls": [image.numel(), before.numel()],
            **_one_window(state, image, before.shape[1], before.numel()),
        }

    def draw(self, result: Result) -> Figure:
        """Draw both orders one below the other, the image and the difference beside them."""
        row, col, k, s = result["row"], result["col"], self.window, self.stride
        window = [(row * s + i, col * s + j) for i in range(k) for j in range(k)]
        panels = {
            "image": (self.picture, window),
            f"activation first: {self.activation}": (result["activated"], window),
            f"then {self.pool}": (result["before"], [(row, col)]),
            "upper − lower": (result["difference"], [(row, col)]),
            f"pooling first: {self.pool}": (result["pooled"], [(row, col)]),
            f"then {self.activation}": (result["after"], [(row, col)]),
        }
        grids, framed = zip(*panels.values(), strict=True)
        tensors = [torch.tensor(grid) for grid in grids]
        return plot_grids(tensors, list(panels), shared=False, columns=3, framed=framed)

    def tell(self, result: Result) -> str:
        """Say in how many places the two orders differ, and by how much."""
        total = result["out"][0] * result["out"][1]
        start = f"{self.pool.capitalize()} pooling and {self.activation}: the two orders"
        if result["differing"] == 0:
            return f"{start} agree in all {total} places."
        largest = number(result["largest"])
        return f"{start} differ in {result['differing']} of {total} places, by up to {largest}."


def _one_window(state: State, image: torch.Tensor, cols: int, total: int) -> dict[str, Any]:
    k, s = state["window"], state["stride"]
    step = min(state["step"], total - 1)
    row, col = step // cols, step % cols
    seen = image[row * s : row * s + k, col * s : col * s + k]
    return {"step": step, "row": row, "col": col, "seen": seen.tolist()}
