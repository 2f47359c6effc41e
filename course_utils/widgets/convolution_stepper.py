"""Convolution, one window at a time: the window, its products, their sum, the output's size."""

from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure

from course_utils.arithmetic import effective_kernel, output_size
from course_utils.kernels import KERNELS
from course_utils.plots import plot_window
from course_utils.widgets.base import (
    CourseWidget,
    Matrix,
    Result,
    State,
    checked_matrix,
    matrix_by_name,
)
from course_utils.widgets.text import number

__all__ = ["PICTURES", "ConvolutionStepper"]

LARGEST = {"picture": 12, "kernel": 5}  # rows and columns

PICTURES: dict[str, Matrix] = {
    "Square": [[9 if 2 <= r <= 4 and 2 <= c <= 4 else 1 for c in range(7)] for r in range(7)],
    "Vertical edge": [[1, 1, 1, 8, 8, 8, 8]] * 7,
    "Diagonal edge": [[9 if c > r else 2 for c in range(7)] for r in range(7)],
    "One dot": [[1 if r == c == 3 else 0 for c in range(7)] for r in range(7)],
    "Ramp": [[float(c) for c in range(7)]] * 7,
    "Noise": [
        [3, 7, 0, 5, 9, 2, 4],
        [8, 1, 6, 3, 0, 7, 5],
        [2, 9, 4, 8, 1, 6, 0],
        [5, 0, 7, 2, 6, 3, 9],
        [1, 4, 8, 9, 5, 0, 2],
        [7, 6, 3, 0, 4, 8, 1],
        [0, 2, 5, 6, 7, 9, 3],
    ],
    "Worked example": [
        [3, 3, 2, 1, 0],
        [0, 0, 1, 3, 1],
        [3, 1, 2, 2, 3],
        [2, 0, 0, 2, 2],
        [2, 0, 0, 0, 1],
    ],
}
"""Images by name, as rows of brightnesses."""


class ConvolutionStepper(CourseWidget):
    """Step a kernel over a small image and watch each output cell being computed.

    Args:
        picture: A name in `PICTURES`, or rows of numbers, at most 12x12.
        kernel: A name in `kernels.KERNELS`, or rows of numbers, at most 5x5.
        stride, padding, dilation: As in `nn.Conv2d`: 1 to 4, 0 to 3, 1 to 3.
        flip: True for convolution in the mathematical sense, False for cross-correlation, as in
            PyTorch.
        step: Which output cell is shown, counted row by row from 0.
        show_all: Whether every output cell is shown at once, not only those already visited.

    Raises:
        ValueError: For an unknown name, or rows that form no rectangle of the size allowed.
    """

    title = "Convolution, one window at a time"
    data: ClassVar[dict[str, Any]] = {
        "kernels": {name: k for name, k in KERNELS.items() if len(k) <= LARGEST["kernel"]},
        "pictures": PICTURES,
    }

    picture: traitlets.List[list[float]] = traitlets.List().tag(sync=True)
    kernel: traitlets.List[list[float]] = traitlets.List().tag(sync=True)
    stride = traitlets.Int(1, min=1, max=4).tag(sync=True)
    padding = traitlets.Int(0, min=0, max=3).tag(sync=True)
    dilation = traitlets.Int(1, min=1, max=3).tag(sync=True)
    flip = traitlets.Bool(False).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    show_all = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        picture: str | Matrix = "Square",
        kernel: str | Matrix = "Sobel, vertical edges",
        **settings: Any,
    ) -> None:
        super().__init__(
            picture=matrix_by_name("picture", picture, PICTURES),
            kernel=matrix_by_name("kernel", kernel, KERNELS),
            **settings,
        )

    @traitlets.validate("picture", "kernel")
    def _rectangle(self, proposal: Any) -> Matrix:
        name = proposal["trait"].name
        return checked_matrix(name, proposal["value"], LARGEST[name])

    @staticmethod
    def reference(state: State) -> Result:
        """Compute with `F.conv2d` and `F.unfold` what the module computes with loops."""
        image = torch.tensor(state["picture"], dtype=torch.float64)  # (n_h, n_w)
        kernel = torch.tensor(state["kernel"], dtype=torch.float64)  # (k_h, k_w)
        used = kernel.flip(0, 1) if state["flip"] else kernel
        covered = [cast(int, effective_kernel(k, state["dilation"])) for k in kernel.shape]
        facts = {"used": used.tolist(), "covered": covered}
        padded = [size + 2 * state["padding"] for size in image.shape]
        try:
            output, windows = _convolve(image, used, state)
        except ValueError:
            return {**facts, "problem": _problem(covered, padded), "out": [0, 0]}
        return {
            **facts,
            "problem": None,
            "out": list(output.shape),
            "output": output.tolist(),
            "unused": [(n - k) % state["stride"] for n, k in zip(padded, covered, strict=True)],
            **_one_step(state, output, windows, used),
        }

    def draw(self, result: Result) -> Figure:
        """Draw the image with its window, the kernel, the products and the output."""
        return plot_window(
            torch.tensor(self.picture),
            torch.tensor(result["used"]),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            position=(result["row"], result["col"]),
            products=True,
            whole=self.show_all,
        )

    def tell(self, result: Result) -> str:
        """Say which window is shown, and its sum."""
        rows, cols = result["out"]
        return (
            f"Output {rows} by {cols}; at row {result['row'] + 1}, column {result['col'] + 1} "
            f"the products under the window add up to {number(result['total'])}."
        )


def _convolve(
    image: torch.Tensor, used: torch.Tensor, state: State
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the output (o_h, o_w), and the windows as columns (k_h k_w, o_h o_w)."""
    n, k = (image.shape[0], image.shape[1]), (used.shape[0], used.shape[1])
    place = {key: state[key] for key in ("stride", "padding", "dilation")}
    out = output_size(n, k, state["stride"], state["padding"], state["dilation"])
    output = F.conv2d(image[None, None], used[None, None], **place)[0, 0]
    assert tuple(output.shape) == out
    return output, F.unfold(image[None, None], k, **place)[0]


def _one_step(
    state: State, output: torch.Tensor, windows: torch.Tensor, used: torch.Tensor
) -> dict[str, Any]:
    cols = output.shape[1]
    step = min(state["step"], output.numel() - 1)
    window = windows[:, step].reshape(used.shape)  # (k_h, k_w)
    return {
        "step": step,
        "row": step // cols,
        "col": step % cols,
        "top": step // cols * state["stride"],
        "left": step % cols * state["stride"],
        "window": window.tolist(),
        "products": (window * used).tolist(),
        "total": float((window * used).sum()),
    }


def _problem(covered: list[int], padded: list[int]) -> str:
    kernel, size = next((k, n) for k, n in zip(covered, padded, strict=True) if k > n)
    return (
        f"No window fits: the kernel covers {kernel} pixels, but the padded image has "
        f"only {size}. Use a smaller kernel or dilation, or more padding."
    )
