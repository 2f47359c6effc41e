"""A filter in space and in frequency, side by side: the convolution theorem, and where it ends."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
import traitlets
from torch import Tensor

from course_utils.widgets.base import CourseWidget, Matrix, State, matrix_by_name
from course_utils.widgets.svg import MUTED, Colour, Drawing, colour_scale, number

SIZE = 32
HALF = SIZE // 2
DARKEST = -5  # spectra are drawn from 10 to this power upwards, as in lesson 06


def _grey(brightness: Callable[[int, int], float]) -> Matrix:
    """A picture from a brightness in [0, 1] for each row and column, in hundredths."""
    return [[round(brightness(r, c), 2) for c in range(SIZE)] for r in range(SIZE)]


def _wave(down: float, across: float) -> Matrix:
    turn = 2 * math.pi / SIZE
    return _grey(lambda r, c: 0.5 + 0.5 * math.cos(turn * (down * r + across * c)))


def _house(r: int, c: int) -> float:
    if 18 <= r < 26 and 9 <= c < 13:  # door
        return 0.1
    if 17 <= r < 21 and 17 <= c < 22:  # window
        return 1.0
    if 14 <= r < 26 and 6 <= c < 26:  # wall
        return 0.55
    if 5 <= r < 14 and abs(c - 15.5) <= 1.4 * (r - 5):  # roof
        return 0.25
    return 0.4 if r >= 26 else 0.8  # ground, sky


PICTURES: dict[str, Matrix] = {
    "House": _grey(_house),
    "Disc": _grey(lambda r, c: float((r - 15.5) ** 2 + (c - 15.5) ** 2 < 64)),
    "Broad stripes": _wave(0, 3),
    "Fine slanted stripes": _wave(10, 6),
    "Rings": _grey(
        lambda r, c: 0.5 + 0.5 * math.cos(math.pi / SIZE * ((r - 16) ** 2 + (c - 16) ** 2))
    ),
    "Noise": _grey(lambda r, c: (37 * r * r + 91 * c + 53 * r * c * c + 17 * c * c) % 101 / 100),
    "One dot": _grey(lambda r, c: float(r == c == HALF)),
}
"""Pictures by name, as rows of brightnesses in [0, 1]."""


def _outer(down: Sequence[float], across: Sequence[float], scale: float) -> Matrix:
    return [[a * b / scale for b in across] for a in down]


def _difference_of_blurs() -> Matrix:
    wide = _outer((1, 6, 15, 20, 15, 6, 1), (1, 6, 15, 20, 15, 6, 1), -4096)
    for r, row in enumerate(_outer((1, 2, 1), (1, 2, 1), 16)):
        for c, weight in enumerate(row):
            wide[r + 2][c + 2] += weight
    return wide


KERNELS: dict[str, Matrix] = {
    "Blur 3 × 3": _outer((1, 2, 1), (1, 2, 1), 16),
    "Blur 7 × 7": _outer((1, 6, 15, 20, 15, 6, 1), (1, 6, 15, 20, 15, 6, 1), 4096),
    "Laplacian": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "Difference of blurs": _difference_of_blurs(),
    "Sobel, vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "Lopsided 5 × 5": _outer((1, 2, 3, 4, 5), (1, 0, 2, 0, 4), 105),
}
"""Filters given by their weights."""

MASKS = ("Low-pass", "High-pass", "Band-pass")
"""Filters given by what they do to each frequency."""


def _hundredths(picture: Matrix) -> list[str]:
    """Rows of brightnesses as hex digits, two a pixel: every output holds all the pictures."""
    return [bytes(round(100 * v) for v in row).hex() for row in picture]


class FourierGallery(CourseWidget):
    """Filter a picture in space and by a product of spectra, and see whether both agree.

    Args:
        picture: a name in `PICTURES`, or 32 rows of 32 brightnesses in [0, 1],
            which are rounded to hundredths.
        filter: a name in `MASKS` or in `KERNELS`.
        edge: how a mask ends: ``"ideal"`` (at once) or ``"Gaussian"``.
        cut_off: where a mask ends, in cycles per 32 pixels, 1 to 20; the middle of a band.
        width: the width of a band-pass, in cycles per 32 pixels, 1 to 12.
        flip: True for the mathematicians' convolution in space, False for cross-correlation.
        border: what is beyond the border in space: ``"circular"`` or ``"zeros"``.
        conjugate: multiply by the conjugate of the filter's spectrum.
        append: append 32 zeros to rows and columns before the spectra are taken.

    Raises:
        ValueError: for an unknown picture, or rows of another size or brightness.
        traitlets.TraitError: for a setting out of its range.
    """

    title = "Fourier gallery: a filter in space and in frequency"
    data: ClassVar[dict[str, Any]] = {
        "size": SIZE,
        "darkest": DARKEST,
        "pictures": {name: _hundredths(rows) for name, rows in PICTURES.items()},
        "kernels": KERNELS,
        "masks": MASKS,
    }

    picture: traitlets.List[list[float]] = traitlets.List().tag(sync=True)
    filter = traitlets.Enum([*MASKS, *KERNELS], "Low-pass").tag(sync=True)
    edge = traitlets.Enum(["ideal", "Gaussian"], "ideal").tag(sync=True)
    cut_off = traitlets.Int(6, min=1, max=20).tag(sync=True)
    width = traitlets.Int(4, min=1, max=12).tag(sync=True)
    flip = traitlets.Bool(False).tag(sync=True)
    border = traitlets.Enum(["circular", "zeros"], "circular").tag(sync=True)
    conjugate = traitlets.Bool(True).tag(sync=True)
    append = traitlets.Bool(False).tag(sync=True)

    def __init__(self, picture: str | Matrix = "House", **settings: Any) -> None:
        super().__init__(picture=matrix_by_name("picture", picture, PICTURES), **settings)

    @traitlets.validate("picture")
    def _square(self, proposal: Any) -> Matrix:
        return _checked(proposal["value"])

    @staticmethod
    def reference(state: State) -> dict[str, Any]:
        """Compute with ``F.conv2d`` in space and with ``torch.fft`` in frequency."""
        return _reference(state)

    def describe(self) -> str:
        """Say which filter it is, and whether both ways agree."""
        return f"{filter_name(self.state())}. {verdict(self.result())}"

    def still(self) -> Drawing:
        """Draw picture, filter and output, above their spectra and the spectra's product."""
        return _still(self.state(), self.result())


def filter_name(state: State) -> str:
    """Return the filter in words, with the frequencies that it keeps.

    Args:
        state: the gallery's state.
    """
    name, cut, half = state["filter"], state["cut_off"], state["width"] / 2
    if name in KERNELS:
        return str(name)
    low, high = ((cut - half), (cut + half)) if name == "Band-pass" else (cut, cut)
    where = {
        "Low-pass": f"below {high}/{SIZE}",
        "High-pass": f"from {low}/{SIZE} upwards",
        "Band-pass": f"from {number(low, 1)}/{SIZE} to {number(high, 1)}/{SIZE}",
    }[name]
    return f"{name} ({state['edge']}): {where} cycles per pixel"


def verdict(result: dict[str, Any]) -> str:
    """Return one sentence on whether both ways agree.

    Args:
        result: the reference's answer for a state.
    """
    if result["largest"] < 1e-9:
        return "Both ways give the same picture: no pixel differs by more than rounding."
    shown = number(result["largest"], 4)
    most = "less than 0.0001" if shown == "0" else f"up to {shown}"
    return f"The two ways differ in {result['differing']} of {SIZE * SIZE} pixels, by {most}."


def _checked(picture: Matrix) -> Matrix:
    """The picture in hundredths, if it has the size and the brightness that the gallery shows."""
    widths = sorted({len(row) for row in picture})
    if len(picture) != SIZE or widths != [SIZE]:
        raise ValueError(
            f"a picture of {len(picture)} rows of {widths} numbers: give {SIZE} rows of {SIZE}"
        )
    values = [v for row in picture for v in row]
    if not 0 <= min(values) <= max(values) <= 1:
        raise ValueError(
            f"brightnesses from {min(values)} to {max(values)}: bring them into [0, 1]"
        )
    return [[round(v, 2) for v in row] for row in picture]


# --- What it computes ------------------------------------------------------------------------


def _reference(state: State) -> dict[str, Any]:
    x = torch.tensor(state["picture"], dtype=torch.float64)  # (32, 32)
    kernel = _kernel(state)  # (32, 32), its middle at (16, 16)
    in_space = _in_space(x, kernel, state["flip"], state["border"])
    ring = 2 * SIZE if state["append"] else SIZE
    of_f = torch.fft.fft2(_on_the_ring(kernel, ring))  # (ring, ring)
    of_x = torch.fft.fft2(x, s=(ring, ring))  # zeros appended
    product = (of_f.conj() if state["conjugate"] else of_f) * of_x
    by_product = torch.fft.ifft2(product).real[:SIZE, :SIZE]
    difference = in_space - by_product
    return {
        "kernel": kernel.tolist(),
        "in_space": in_space.tolist(),
        "by_product": by_product.tolist(),
        "difference": difference.tolist(),
        "spectrum": _logarithm(of_x).tolist(),
        "response": torch.fft.fftshift(of_f.abs()).tolist(),
        "product": _logarithm(product).tolist(),
        "differing": int((difference.abs() > 1e-9).sum()),
        "largest": float(difference.abs().max()),
        "imaginary": float(of_f.imag.abs().max()),
    }


def _kernel(state: State) -> Tensor:
    """The filter's weights (32, 32) at the offsets from -16 to 15."""
    if state["filter"] in KERNELS:
        weights = torch.tensor(KERNELS[state["filter"]], dtype=torch.float64)  # (k, k), k odd
        before = HALF - len(weights) // 2
        after = SIZE - before - len(weights)
        return F.pad(weights, (before, after, before, after))
    mask = mask_of(state["filter"], state["edge"], state["cut_off"], state["width"])
    return torch.fft.fftshift(torch.fft.ifft2(mask).real)


def mask_of(name: str, edge: str, cut_off: float, width: float) -> Tensor:
    """Return by what a filter multiplies each frequency (32, 32); frequency 0 comes first.

    Args:
        name: one of `MASKS`.
        edge: ``"ideal"`` or ``"Gaussian"``.
        cut_off: in cycles per 32 pixels.
        width: of the band-pass, in the same unit.
    """
    cycles = torch.fft.fftfreq(SIZE, d=1 / SIZE, dtype=torch.float64)  # 0 to 15, -16 to -1
    distance = (cycles[:, None] ** 2 + cycles**2).sqrt()
    if name == "Band-pass":
        if edge == "ideal":
            return ((distance - cut_off >= -width / 2) & (distance - cut_off < width / 2)).double()
        return torch.exp(-((distance - cut_off) ** 2) / (2 * (width / 2) ** 2))
    low = (
        (distance < cut_off).double()
        if edge == "ideal"
        else torch.exp(-(distance**2) / (2 * cut_off**2))
    )
    return low if name == "Low-pass" else 1 - low


def _in_space(x: Tensor, kernel: Tensor, flip: bool, border: str) -> Tensor:
    """The filtered picture (32, 32), one sum a pixel."""
    before, after = (HALF - 1, HALF) if flip else (HALF, HALF - 1)
    weights = kernel.flip(0, 1) if flip else kernel
    mode = "circular" if border == "circular" else "constant"
    around = F.pad(x[None, None], (before, after, before, after), mode=mode)
    return F.conv2d(around, weights[None, None])[0, 0]


def _on_the_ring(kernel: Tensor, size: int) -> Tensor:
    """The weights on a ring of zeros, their middle at pixel (0, 0)."""
    appended = F.pad(kernel, (0, size - SIZE, 0, size - SIZE))
    return appended.roll((-HALF, -HALF), (0, 1))


def _logarithm(spectrum: Tensor) -> Tensor:
    """Powers of ten of the amplitudes, frequency 0 in the middle."""
    amplitude = spectrum.abs() / SIZE**2
    return torch.fft.fftshift(amplitude.clamp(min=10.0**DARKEST).log10())


# --- The still picture -----------------------------------------------------------------------


def output_colour(result: dict[str, Any]) -> Colour:
    """Return the colours of both outputs: brightness, or signed if flat areas fade.

    Args:
        result: the reference's answer for a state.
    """
    signed = abs(sum(v for row in result["kernel"] for v in row)) < 0.5
    if not signed:
        brightness = colour_scale([1.0], signed=False)
        return lambda v: brightness(min(1.0, max(0.0, v)))
    outputs = (result["in_space"], result["by_product"])
    return colour_scale([v for rows in outputs for row in rows for v in row], signed=True)


def _still(state: State, result: dict[str, Any]) -> Drawing:
    page = Drawing(width=920, height=530)
    output, bright = output_colour(result), colour_scale([1.0], signed=False)
    spectra: Colour = lambda v: bright(1 - v / DARKEST)  # noqa: E731
    kernel = shown_kernel(state["filter"], result["kernel"])
    weights = colour_scale([v for row in kernel for v in row], signed=True)
    response = colour_scale([v for row in result["response"] for v in row], signed=False)
    difference = colour_scale([result["largest"] if result["largest"] > 1e-9 else 1.0], True)
    bar = "conj F[f] · F[x]" if state["conjugate"] else "F[f] · F[x]"
    panels: list[tuple[str, Any, Colour]] = [
        ("picture x", state["picture"], bright),
        ("filter f", kernel, weights),
        ("output, in space", result["in_space"], output),
        ("difference", result["difference"], difference),
        ("|F[x]|, logarithmic", result["spectrum"], spectra),
        ("|F[f]|", result["response"], response),
        (f"{bar}, log.", result["product"], spectra),
        ("output, by the product", result["by_product"], output),
    ]
    for index, (title, values, colour) in enumerate(panels):
        x, y = 20 + 225 * (index % 4), 34 + 230 * (index // 4)
        page.text(x, y, title, bold=True)
        page.picture(x, y + 10, values, size=195, colour=colour)
    page.text(20, 498, filter_name(state), fill=MUTED)
    page.text(20, 518, verdict(result))
    return page


def shown_kernel(name: str, kernel: Matrix) -> Matrix:
    """Return the weights worth looking at: of a small filter, only its own.

    Args:
        name: the filter's name.
        kernel: (32, 32), the middle at (16, 16).
    """
    if name not in KERNELS:
        return kernel
    half = len(KERNELS[name]) // 2
    return [row[HALF - half : HALF + half + 1] for row in kernel[HALF - half : HALF + half + 1]]
