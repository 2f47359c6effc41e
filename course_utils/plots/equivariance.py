"""Figures of shifts and of frequencies: look and move, spectra, and what filters let through."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from course_utils.equivariance import equivariance_error, shift
from course_utils.plots.style import (
    FONT,
    INTENSITY,
    ORANGE,
    SIGNED,
    bare,
    colour_bar,
    new_figure,
    number,
    tidy,
    told_apart,
)

__all__ = ["plot_frequency_responses", "plot_spectra", "plot_two_ways"]

RESPONSE_SIZE = 128  # frequencies along each axis at which a filter's response is drawn
FEW_WAVES = 12  # dots of a spectrum that are circled, at most
HALF = (-0.5, 0.5, 0.5, -0.5)  # cycles per pixel: left, right, bottom, top of a centred spectrum


# --- Look and move -----------------------------------------------------------------------------


def plot_two_ways(
    layer: Callable[[Tensor], Tensor], picture: Tensor, rows: int, columns: int
) -> Figure:
    """Draw both ways around the square: look, then move; and move, then look.

    Args:
        layer: From (1, 1, H, W) to a map (1, C, H/s, W/s); its first channel is drawn.
        picture: (1, H, W), float in [0, 1].
        rows: Pixels that the image moves downwards.
        columns: Pixels that it moves to the right.
    """
    x = picture[None]  # (1, 1, H, W)
    error = equivariance_error(layer, x, rows, columns)
    moved, output = shift(x, rows, columns), layer(x)
    scale = output.shape[-1] / x.shape[-1]
    look_move = shift(output, rows * scale, columns * scale)
    move_look = layer(moved)
    figure = new_figure(6.6, 4.7)
    panels = figure.subplots(2, 3)
    sizes = output[0, 0].detach().abs()
    top = float(sizes.quantile(0.99)) or float(sizes.max())  # a map of a few dots has no more
    for axes, values, title in (
        (panels[0, 0], x, "x"),
        (panels[1, 0], moved, "move:  T x"),
    ):
        axes.imshow(values[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        bare(axes, title)
    for axes, values, title in (
        (panels[0, 1], output, "look:  f(x)"),
        (panels[0, 2], look_move, "look, then move:  T f(x)"),
        (panels[1, 1], move_look, "move, then look:  f(T x)"),
        (panels[1, 2], move_look - look_move, f"difference: error {error:.2f}"),
    ):
        axes.imshow(values[0, 0].detach().numpy(), cmap=SIGNED, vmin=-top, vmax=top)
        bare(axes, title)
    return figure


# --- Frequencies -------------------------------------------------------------------------------


def plot_spectra(pictures: Sequence[Tensor], titles: Sequence[str], size: float = 2.1) -> Figure:
    """Draw images, and below each the amplitudes of its frequencies, 0 at the centre.

    The amplitudes are drawn on a logarithmic scale, since an image's low frequencies are
    thousands of times stronger than its high ones. Where there are few waves there are few
    dots, and each gets a circle.

    Args:
        pictures: Each (1, H, W), float in [0, 1].
        titles: One for each image.
        size: Width of each image, in inches.

    Raises:
        ValueError: There is no image, or the titles are not one for each.
    """
    if len(pictures) == 0 or len(pictures) != len(titles):
        raise ValueError(f"{len(pictures)} images and {len(titles)} titles: give one title each")
    figure = new_figure(size * len(pictures) + 0.4, 2 * size + 0.5)
    panels = figure.subplots(2, len(pictures), squeeze=False)
    for column, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        panels[0, column].imshow(picture[0].numpy(), cmap="gray", vmin=0, vmax=1)
        bare(panels[0, column], title)
        amplitude = torch.fft.fft2(picture[0]).abs() / picture[0].numel()  # (H, W)
        _draw_spectrum(panels[1, column], amplitude.clamp(min=1e-5).log10(), -5, 0)
        _circle_waves(panels[1, column], amplitude)
        panels[1, column].set_title("amplitudes, log scale", fontsize=FONT)
    _label_frequencies(panels[1])
    return figure


def plot_frequency_responses(kernels: Mapping[str, Tensor], picture: Tensor) -> Figure:
    """Draw what filters let through: each response and filtered image, and all gains as curves.

    Args:
        kernels: Name -> (k, k).
        picture: (1, H, W), float in [0, 1]; filtered with a circular boundary.

    Raises:
        ValueError: There is no filter, or more than can be told apart.
    """
    num = len(kernels)
    figure = new_figure(1.7 * num + 4.0, 3.8)
    grid = figure.add_gridspec(2, num + 1, width_ratios=[1] * num + [2.1])
    curve = figure.add_subplot(grid[:, num])
    frequencies = np.arange(RESPONSE_SIZE // 2 + 1) / RESPONSE_SIZE  # cycles per pixel
    upper = []
    gains = [frequency_response(kernel, RESPONSE_SIZE).max() for kernel in kernels.values()]
    top = float(max(gains, default=1.0))
    for column, (name, kernel, colour, marker) in enumerate(told_apart(kernels, "filters")):
        response = frequency_response(kernel, RESPONSE_SIZE)  # (128, 128)
        upper.append(figure.add_subplot(grid[0, column]))
        image = _draw_spectrum(upper[-1], response, 0, top)  # one scale, to be compared
        upper[-1].set_title(name, fontsize=FONT)
        _draw_filtered(figure.add_subplot(grid[1, column]), picture, kernel)
        profile = response[0, : len(frequencies)].numpy()
        curve.plot(frequencies, profile, color=colour, label=name, marker=marker, markersize=4,
                   markevery=(4 * column, 24))  # fmt: skip
    _label_frequencies(upper)
    colour_bar(figure, image, upper, "gain", aspect=12, pad=0.02)
    tidy(curve, "horizontal frequency, in cycles per pixel", "gain (factor on the amplitude)")
    curve.legend(
        fontsize=FONT - 1, frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1)
    )
    return figure


def frequency_response(kernel: Tensor, size: int) -> Tensor:
    """Return the gain of a filter (k, k) at each of size x size frequencies, 0 first."""
    return torch.fft.fft2(kernel, s=(size, size)).abs()


def _draw_filtered(axes: Axes, picture: Tensor, kernel: Tensor) -> None:
    """Draw what a filter makes of an image: grey, or in two colours if it sums to zero."""
    spectrum = torch.fft.fft2(kernel, s=tuple(picture.shape[1:])).conj() * torch.fft.fft2(picture)
    filtered = torch.fft.ifft2(spectrum).real[0]  # (H, W), the kernel's corner at the pixel
    if abs(float(kernel.sum())) > 1e-4:
        axes.imshow(filtered.numpy(), cmap="gray", vmin=0, vmax=1)
        scale = "black 0, white 1"
    else:
        top = float(filtered.abs().quantile(0.99))
        axes.imshow(filtered.numpy(), cmap=SIGNED, vmin=-top, vmax=top)
        scale = f"−{number(top)} to {number(top)}"
    bare(axes)
    axes.set_xlabel(scale, fontsize=FONT - 1)


def _draw_spectrum(axes: Axes, values: Tensor, low: float, high: float) -> AxesImage:
    """Draw values over frequencies, moved so that frequency 0 is at the centre."""
    centred = torch.fft.fftshift(values).numpy()
    image = axes.imshow(centred, cmap=INTENSITY, vmin=low, vmax=high, extent=HALF)
    axes.set_xticks([-0.5, 0, 0.5], ["−½", "0", "½"], fontsize=FONT - 1)
    axes.set_yticks([-0.5, 0, 0.5], ["−½", "0", "½"], fontsize=FONT - 1)
    return image


def _circle_waves(axes: Axes, amplitude: Tensor) -> None:
    """Circle the frequencies of an image (H, W), if it has few: one pixel is easily missed."""
    waves = (amplitude > 1e-3 * amplitude.max()).nonzero()  # (K, 2): row, column
    if len(waves) <= FEW_WAVES:
        height, width = amplitude.shape
        down = torch.fft.fftfreq(height)[waves[:, 0]]
        across = torch.fft.fftfreq(width)[waves[:, 1]]
        axes.scatter(across, down, s=28, facecolors="none", edgecolors=ORANGE, linewidths=0.9)


def _label_frequencies(panels: Sequence[Axes]) -> None:
    """Name the axes of a row of spectra: below each, and beside the first."""
    for axes in panels:
        axes.set_xlabel("across, cycles per pixel", fontsize=FONT - 1)
    panels[0].set_ylabel("down, cycles per pixel", fontsize=FONT - 1)
