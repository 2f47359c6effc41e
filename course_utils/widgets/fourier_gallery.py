"""A filter in space and in frequency, side by side: the convolution theorem, and where it ends."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.kernels import KERNELS
from course_utils.plots import plot_maps
from course_utils.widgets.base import (
    CourseWidget,
    Matrix,
    Result,
    State,
    checked_matrix,
    matrix_by_name,
)
from course_utils.widgets.text import number

__all__ = ["FILTERS", "MASKS", "PICTURES", "FourierGallery", "mask_of", "verdict"]

SIZE = 32
HALF = SIZE // 2
DARKEST = -5  # spectra are drawn from 10 to this power upwards, as in lesson 06


def _grey(brightness: Callable[[int, int], float]) -> Matrix:
    """Return an image from a brightness in [0, 1] for each row and column, in hundredths."""
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
"""Images by name, as rows of brightnesses in [0, 1]."""


FILTERS = (
    "Gaussian 3 × 3",
    "Gaussian 7 × 7",
    "Laplacian",
    "Difference of Gaussians",
    "Sobel, vertical edges",
    "Lopsided 5 × 5",
)
"""Filters given by their weights: names in `kernels.KERNELS`."""

Mask = Literal["Low-pass", "High-pass", "Band-pass"]
Edge = Literal["ideal", "Gaussian"]
MASKS = get_args(Mask)
"""Filters given by what they do to each frequency."""


def _hundredths(picture: Matrix) -> list[str]:
    """Write brightnesses as hex digits, two per pixel: every output holds all the images."""
    return [bytes(round(100 * v) for v in row).hex() for row in picture]


class FourierGallery(CourseWidget):
    """Filter an image in space and by a product of spectra, and check whether both results agree.

    Args:
        picture: A name in `PICTURES`, or 32 rows of 32 brightnesses in [0, 1],
            which are rounded to hundredths.
        filter: A name in `MASKS` or in `FILTERS`.
        edge: How a mask ends: `"ideal"` (abruptly) or `"Gaussian"`.
        cut_off: Where a mask ends, in cycles per 32 pixels, 1 to 20; the middle of a band.
        width: The width of a band-pass, in cycles per 32 pixels, 1 to 12.
        flip: True for convolution in the mathematical sense in space, False for cross-correlation.
        border: What lies beyond the border in space: `"circular"` or `"zeros"`.
        conjugate: Multiply by the conjugate of the filter's spectrum.
        append: Append 32 zeros to rows and columns before the spectra are taken.

    Raises:
        ValueError: For an unknown image, or rows of another size or brightness.
    """

    title = "Fourier gallery: a filter in space and in frequency"
    data: ClassVar[dict[str, Any]] = {
        "size": SIZE,
        "darkest": DARKEST,
        "pictures": {name: _hundredths(rows) for name, rows in PICTURES.items()},
        "kernels": {name: KERNELS[name] for name in FILTERS},
        "masks": MASKS,
    }

    picture: traitlets.List[list[float]] = traitlets.List().tag(sync=True)
    filter = traitlets.Enum([*MASKS, *FILTERS], "Low-pass").tag(sync=True)
    edge = traitlets.Enum(get_args(Edge), "ideal").tag(sync=True)
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
    def reference(state: State) -> Result:
        """Compute with `F.conv2d` in space and with `torch.fft` in frequency."""
        x = torch.tensor(state["picture"], dtype=torch.float64)  # (32, 32)
        kernel = _kernel(state)  # (32, 32), its centre at (16, 16)
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

    def draw(self, result: Result) -> Figure:
        """Draw image, filter and output, above their spectra and the spectra's product."""
        bar = "conj F[f] · F[x]" if self.conjugate else "F[f] · F[x]"
        numbers = {name: torch.tensor(v, dtype=torch.float64) for name, v in result.items()}
        maps = {name: values.round(decimals=6) for name, values in numbers.items()}
        if self.filter in FILTERS:  # of a small filter only its own weights
            half = len(KERNELS[self.filter]) // 2
            own = slice(HALF - half, HALF + half + 1)
            maps["kernel"] = maps["kernel"][own, own]
        if maps["kernel"].sum() > 0.5:  # the output is an image: its brightness ends at 0 and 1
            maps |= {name: maps[name].clamp(0, 1) for name in ("in_space", "by_product")}
        if equal := result["largest"] < 1e-9:
            maps["difference"] = torch.zeros(SIZE, SIZE)
        panels = {
            "image x": torch.tensor(self.picture),
            "filter f": maps["kernel"],
            "output, in space": maps["in_space"],
            "difference: none" if equal else "difference": maps["difference"],
            "|F[x]|, logarithmic": maps["spectrum"] - DARKEST,
            "|F[f]|": maps["response"],
            f"{bar}, log.": maps["product"] - DARKEST,
            "output, by product": maps["by_product"],
        }
        return plot_maps(list(panels.values()), list(panels), shared=False, columns=4, size=1.9)

    def tell(self, result: Result) -> str:
        """Say which filter it is, and whether the two ways agree."""
        return f"{self._filter_name()}. {verdict(result)}"

    def _filter_name(self) -> str:
        """Name the filter, with the frequencies that it keeps."""
        if self.filter in FILTERS:
            return str(self.filter)
        cut, low, high = (
            f"{number(max(0, cycles), 1)}/{SIZE}"
            for cycles in (
                self.cut_off,
                self.cut_off - self.width / 2,
                self.cut_off + self.width / 2,
            )
        )
        sides = f"{low} and {high}" if self.cut_off > self.width / 2 else high
        where = {
            ("Low-pass", "ideal"): f"below {cut}",
            ("Low-pass", "Gaussian"): f"gain 1 at 0, 0.61 at {cut}",
            ("High-pass", "ideal"): f"at least {cut}",
            ("High-pass", "Gaussian"): f"gain 0 at 0, 0.39 at {cut}",
            ("Band-pass", "ideal"): f"from {low} to {high}",
            ("Band-pass", "Gaussian"): f"gain 1 at {cut}, 0.61 at {sides}",
        }[self.filter, self.edge]
        return f"{self.filter} ({self.edge}): {where} cycles per pixel"


def verdict(result: Result) -> str:
    """Say in one sentence whether the two ways agree.

    Args:
        result: The reference's result for a state.
    """
    if result["largest"] < 1e-9:
        return "Both ways give the same image: no pixel differs by more than rounding error."
    shown = number(result["largest"], 4)
    most = "less than 0.0001" if shown == "0" else f"up to {shown}"
    return f"The two ways differ in {result['differing']} of {SIZE * SIZE} pixels, by {most}."


def _checked(picture: Any) -> Matrix:
    """Return the image in hundredths, if it has the gallery's size and brightness."""
    rows = checked_matrix("picture", picture, SIZE)
    if (len(rows), len(rows[0])) != (SIZE, SIZE):
        raise ValueError(
            f"an image of {len(rows)} rows of {len(rows[0])} numbers: give {SIZE} rows of {SIZE}"
        )
    values = [v for row in rows for v in row]
    if not 0 <= min(values) <= max(values) <= 1:
        raise ValueError(
            f"brightnesses from {min(values)} to {max(values)}: bring them into [0, 1]"
        )
    return [[round(v, 2) for v in row] for row in rows]


# --- What it computes ------------------------------------------------------------------------


def _kernel(state: State) -> Tensor:
    """Return the filter's weights (32, 32) at the offsets from -16 to 15."""
    if state["filter"] in FILTERS:
        weights = torch.tensor(KERNELS[state["filter"]], dtype=torch.float64)  # (k, k), k odd
        before = HALF - len(weights) // 2
        after = SIZE - before - len(weights)
        return F.pad(weights, (before, after, before, after))
    mask = mask_of(state["filter"], state["edge"], state["cut_off"], state["width"])
    return torch.fft.fftshift(torch.fft.ifft2(mask).real)


def mask_of(name: Mask, edge: Edge, cut_off: float, width: float) -> Tensor:
    """Return the factor that a filter applies to each frequency (32, 32), frequency 0 first.

    Args:
        name: Which frequencies it keeps.
        edge: How it ends: abruptly, or as a Gaussian does.
        cut_off: In cycles per 32 pixels.
        width: Width of the band-pass, in the same unit.
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
    """Return the filtered image (32, 32), one sum per pixel."""
    before, after = (HALF - 1, HALF) if flip else (HALF, HALF - 1)
    weights = kernel.flip(0, 1) if flip else kernel
    mode = "circular" if border == "circular" else "constant"
    around = F.pad(x[None, None], (before, after, before, after), mode=mode)
    return F.conv2d(around, weights[None, None])[0, 0]


def _on_the_ring(kernel: Tensor, size: int) -> Tensor:
    """Return the weights on a ring of zeros, their centre at pixel (0, 0)."""
    appended = F.pad(kernel, (0, size - SIZE, 0, size - SIZE))
    return appended.roll((-HALF, -HALF), (0, 1))


def _logarithm(spectrum: Tensor) -> Tensor:
    """Return powers of ten of the amplitudes, frequency 0 at the centre."""
    amplitude = spectrum.abs() / SIZE**2
    return torch.fft.fftshift(amplitude.clamp(min=10.0**DARKEST).log10())
