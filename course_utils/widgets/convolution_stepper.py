"""Convolution, one window at a time: the window, its products, their sum, the output's size."""

from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
import traitlets

from course_utils import arithmetic
from course_utils.widgets.base import CourseWidget, Matrix, State, checked_matrix, matrix_by_name
from course_utils.widgets.svg import MARK, Drawing, colour_scale, fraction, number

KERNELS: dict[str, Matrix] = {
    "Identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "Blur (mean of 9)": [[1 / 9] * 3] * 3,
    "Gaussian blur": [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]],
    "Sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "Emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "Sobel, vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "Sobel, horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "Laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "Worked example": [[0, 1, 2], [2, 2, 0], [0, 1, 2]],
    "Mean of 4 (2×2)": [[1 / 4] * 2] * 2,
    "Gaussian 5×5": [[a * b / 256 for b in (1, 4, 6, 4, 1)] for a in (1, 4, 6, 4, 1)],
    "One weight (1×1)": [[2]],
}
"""Kernels by name, as rows of weights."""

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
"""Pictures by name, as rows of brightnesses."""


class ConvolutionStepper(CourseWidget):
    """Step a kernel over a small picture and watch each output cell being made.

    Args:
        picture: a name in `PICTURES`, or rows of numbers, at most 12x12.
        kernel: a name in `KERNELS`, or rows of numbers, at most 5x5.
        stride, padding, dilation: as in ``nn.Conv2d``: 1 to 4, 0 to 3, 1 to 3.
        flip: True for the mathematicians' convolution, False for cross-correlation (as PyTorch).
        step: which output cell is shown, counted row by row from 0.
        show_all: show every output cell at once, not only those already visited.

    Raises:
        ValueError: for an unknown name, or rows that make no rectangle of the size allowed.
        traitlets.TraitError: for a setting out of its range.
    """

    title = "Convolution, one window at a time"
    data: ClassVar[dict[str, Any]] = {"kernels": KERNELS, "pictures": PICTURES}

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
        return checked_matrix(name, proposal["value"], largest=12 if name == "picture" else 5)

    @staticmethod
    def reference(state: State) -> dict[str, Any]:
        """Compute with ``F.conv2d`` and ``F.unfold`` what the module computes with loops."""
        return _reference(state)

    def describe(self) -> str:
        """Say which window is shown, and its sum."""
        result = self.result()
        if result["problem"]:
            return str(result["problem"])
        rows, cols = result["out"]
        return (
            f"Output {rows} by {cols}; at row {result['row'] + 1}, column {result['col'] + 1} "
            f"the products under the window add up to {number(result['total'])}."
        )

    def still(self) -> Drawing:
        """Draw the picture with its window, the kernel, the products and the output."""
        return _still(self.state(), self.result())


def _reference(state: State) -> dict[str, Any]:
    image = torch.tensor(state["picture"], dtype=torch.float64)  # (n_h, n_w)
    kernel = torch.tensor(state["kernel"], dtype=torch.float64)  # (k_h, k_w)
    used = kernel.flip(0, 1) if state["flip"] else kernel
    covered = [cast(int, arithmetic.effective_kernel(k, state["dilation"])) for k in kernel.shape]
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


def _convolve(
    image: torch.Tensor, used: torch.Tensor, state: State
) -> tuple[torch.Tensor, torch.Tensor]:
    """The output (o_h, o_w), and the windows under the kernel, one a column (k_h k_w, o_h o_w)."""
    n, k = (image.shape[0], image.shape[1]), (used.shape[0], used.shape[1])
    place = {key: state[key] for key in ("stride", "padding", "dilation")}
    out = arithmetic.output_size(n, k, state["stride"], state["padding"], state["dilation"])
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
        f"No window fits: the kernel covers {kernel} pixels, the padded picture has only "
        f"{size}. Use a smaller kernel or dilation, or more padding."
    )


# --- The still picture -----------------------------------------------------------------------


def _still(state: State, result: dict[str, Any]) -> Drawing:
    padding, picture = state["padding"], state["picture"]
    padded = _pad(picture, padding)
    page = Drawing(width=920, height=34 * max(len(padded), 9) + 120)
    colour = colour_scale([v for row in picture for v in row])
    page.text(20, 34, f"Picture, padding {padding}", bold=True)
    cell = min(34, 320 / len(padded[0]))
    page.grid(20, 46, padded, cell=cell, colour=colour)
    page.text(370, 34, "Kernel, flipped" if state["flip"] else "Kernel", bold=True)
    side = min(40, 190 / len(state["kernel"][0]))
    weights = [v for row in result["used"] for v in row]
    page.grid(
        370, 46, result["used"], cell=side, colour=colour_scale(weights, True), label=fraction
    )
    foot = page.height - 24
    if result["problem"]:
        page.text(20, foot, result["problem"], fill=MARK, bold=True)
        return page
    _draw_window(page, state, result, cell)
    _draw_sum(page, result, side, y=46 + side * len(result["used"]) + 34)
    page.text(620, 34, f"Output, {result['out'][0]} × {result['out'][1]}", bold=True)
    values = [v for row in result["output"] for v in row]
    small = min(34, 280 / max(result["out"]))
    page.grid(620, 46, result["output"], cell=small, colour=colour_scale(values))
    page.window(620 + result["col"] * small, 46 + result["row"] * small, small, small)
    page.text(20, foot, size_formula(state, result))
    return page


def _pad(picture: Matrix, padding: int) -> list[list[float]]:
    side = [0.0] * padding
    blank = [[0.0] * (len(picture[0]) + 2 * padding) for _ in range(padding)]
    return [*blank, *([*side, *row, *side] for row in picture), *blank]


def _draw_window(page: Drawing, state: State, result: dict[str, Any], cell: float) -> None:
    height, width = (covered * cell for covered in result["covered"])
    dash = "6 4" if state["dilation"] > 1 else ""
    page.window(20 + result["left"] * cell, 46 + result["top"] * cell, width, height, dash=dash)


def _draw_sum(page: Drawing, result: dict[str, Any], side: float, y: float) -> None:
    products = [v for row in result["products"] for v in row]
    page.text(370, y, "Products under the window", bold=True)
    page.grid(370, y + 12, result["products"], cell=side, colour=colour_scale(products, True))
    below = y + 12 + side * len(result["products"]) + 24
    page.text(370, below, f"sum = {number(result['total'])}", size=16, bold=True)


def size_formula(state: State, result: dict[str, Any]) -> str:
    """Return the formula of the output size with the numbers of the rows put in.

    Args:
        state: a stepper's state.
        result: the reference's answer for it.

    Returns:
        One line, such as ``⌊(7 + 2·0 − 3)/1⌋ + 1 = 5``.
    """
    n, s, p = len(state["picture"]), state["stride"], state["padding"]
    return f"output = ⌊({n} + 2·{p} − {result['covered'][0]})/{s}⌋ + 1 = {result['out'][0]}"
