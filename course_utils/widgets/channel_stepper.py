"""One filter over several channels: which it reads, what each adds, and what its map becomes."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure

from course_utils.arithmetic import conv_multiply_adds, conv_parameters
from course_utils.kernels import KERNELS
from course_utils.plots import plot_channel_sum
from course_utils.widgets.base import CourseWidget, Matrix, Result, State
from course_utils.widgets.text import number

__all__ = ["KINDS", "ChannelStepper"]

KINDS = {
    "3 × 3": [3, 1],
    "1 × 1": [1, 1],
    "3 × 3, two groups": [3, 2],
    "3 × 3, depthwise": [3, 4],
}
"""Kind of layer -> side of its kernels, number of groups; all have four channels in and out."""

PLANES: list[Matrix] = [
    [[0, 0, 3, 3, 3]] * 5,
    [[0] * 5, [0] * 5, [2] * 5, [2] * 5, [2] * 5],
    [[4 if r == c == 2 else 0 for c in range(5)] for r in range(5)],
    [[1 if (r + c) % 2 else 2 for c in range(5)] for r in range(5)],
]
SLICES: dict[int, list[Matrix]] = {
    3: [
        [[-1, 0, 1]] * 3,
        [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
        [[0, 0, 0], [0, 2, 0], [0, 0, 0]],
        KERNELS["Laplacian"],
    ],
    1: [[[2]], [[-1]], [[1]], [[0]]],
}
"""Filter f has kernel (f + c) mod 4 of its size for channel c, as far as it reads that channel."""
BIASES = [1, 0, -1, 2]


class ChannelStepper(CourseWidget):
    """Step a filter over an input of four channels, in four kinds of layer.

    Args:
        kind: A name in `KINDS`.
        filter: Which of the four filters is shown, counted from 0.
        step: Which cell of its map is shown, counted row by row from 0.

    Raises:
        ValueError: For an unknown kind, or a filter that is not there.
    """

    title = "Channels, one filter at a time"
    data: ClassVar[dict[str, Any]] = {
        "kinds": KINDS, "planes": PLANES, "kernels": SLICES, "biases": BIASES,
    }  # fmt: skip

    kind = traitlets.Enum([*KINDS], "3 × 3").tag(sync=True)
    filter = traitlets.Int(0, min=0, max=3).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)

    @staticmethod
    def reference(state: State) -> Result:
        """Compute with `F.conv2d` and its groups what the module computes with loops."""
        k, groups = KINDS[state["kind"]]
        image = torch.tensor(PLANES, dtype=torch.float64)  # (4, 5, 5)
        weight, bias = _weight(state["kind"]), torch.tensor(BIASES, dtype=torch.float64)
        which = state["filter"]
        output = F.conv2d(image, weight, bias, groups=groups)[which]  # (o, o)
        side = len(output)
        row, col = divmod(min(state["step"], side * side - 1), side)
        read = _read(which, groups)
        windows = image[read, row : row + k, col : col + k]  # (4 / groups, k, k)
        return {
            "problem": None,
            "read": read,
            "kernels": weight[which].tolist(),
            "map": output.tolist(),
            "row": row,
            "col": col,
            "parts": (windows * weight[which]).sum(dim=(1, 2)).tolist(),
            "bias": BIASES[which],
            "total": float(output[row, col]),
            "parameters": conv_parameters(4, 4, k, groups=groups),
            "multiply_adds": conv_multiply_adds(4, 4, k, side, groups=groups),
        }

    def draw(self, result: Result) -> Figure:
        """Draw the channels that the filter reads, its kernels, what they give, and their sum."""
        read = result["read"]
        return plot_channel_sum(
            torch.tensor(PLANES)[read],
            torch.tensor(result["kernels"]),
            result["bias"],
            position=(result["row"], result["col"]),
            channels=[channel + 1 for channel in read],
        )

    def tell(self, result: Result) -> str:
        """Say which channels the filter reads, and how one number of its map comes about."""
        channels = _listed([str(channel + 1) for channel in result["read"]])
        several = len(result["read"]) > 1
        return (
            f"Filter {self.filter + 1} reads channel{'s' if several else ''} {channels}. At row "
            f"{result['row'] + 1}, column {result['col'] + 1} the products "
            f"{'in each channel ' if several else ''}add up to "
            f"{_listed(map(number, result['parts']))}; together with the bias "
            f"{number(result['bias'])}, that makes {number(result['total'])}."
        )


def _read(which: int, groups: int) -> list[int]:
    """Return the channels that a filter of the layer reads."""
    size = 4 // groups
    first = which // size * size
    return [*range(first, first + size)]


def _weight(kind: str) -> torch.Tensor:
    """Return the weights of a layer, (4, 4 / groups, k, k)."""
    k, groups = KINDS[kind]
    rows = [[SLICES[k][(f + c) % 4] for c in _read(f, groups)] for f in range(4)]
    return torch.tensor(rows, dtype=torch.float64)


def _listed(words: Any) -> str:
    """Return words as in a sentence: "1, 2 and 3"."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
