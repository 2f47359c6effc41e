"""Figure of normalisation: which numbers share a mean and a variance."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from course_utils.plots.style import BLUE, FONT, ORANGE, bare, new_figure

__all__ = ["plot_norms"]

SKEW = (0.45, 0.3)  # how far the next image back is drawn to the right, and up
REST = "0.93"
NUM_IMAGES, NUM_CHANNELS, NUM_PIXELS = 4, 6, 5  # of the block; a layer has as many filters
GROUP_SIZE = 3  # channels

Norm = Literal["batch", "layer", "group", "instance"]
NORMS = get_args(Norm)


def plot_norms() -> Figure:
    """Draw, for each normalisation, one set of numbers that share a mean and a variance.

    The first four normalise activations, a block of images x channels x pixels (height and
    width laid out as one axis). The last two normalise filters, whatever the images are.

    Source: after an idea of Wu & He 2018, figure 2.
    """
    figure = new_figure(7.4, 4.9)
    figure.set_layout_engine("constrained", h_pad=0.1)  # or the upper titles would be cut
    panels = figure.subplots(2, 3).flatten()
    for axes, norm in zip(panels, NORMS, strict=False):
        draw_block(axes, norm)
    draw_filters(panels[4], "weight norm", "one filter: its norm is set")
    draw_filters(panels[5], "scaled weight std.", "one filter: mean 0, variance set")
    return figure


def shares(norm: Norm, image: int, channel: int, group_size: int = GROUP_SIZE) -> bool:
    """Return whether a number shares its mean with those of image 0, channel 0."""
    rules = {
        "batch": channel == 0,
        "layer": image == 0,
        "group": image == 0 and channel < group_size,
        "instance": image == 0 and channel == 0,
    }
    return rules[norm]


def draw_block(axes: Axes, norm: Norm) -> None:
    """Draw the block of numbers from the front, the top and the right, one set coloured."""
    which = {
        "batch": "one channel, all images",
        "layer": "one image, all channels",
        "group": f"one image, {GROUP_SIZE} channels",
        "instance": "one image, one channel",
    }
    colours = [BLUE if shares(norm, *cell) else REST for cell, _ in _faces()]
    _draw_squares(axes, [corners for _, corners in _faces()], colours)
    _name(axes, (f"{norm} norm", which[norm]), "channels", "pixels")
    right, up = (NUM_CHANNELS + NUM_IMAGES * SKEW[0] / 2, NUM_IMAGES * SKEW[1] / 2)
    axes.text(right + 0.25, up - 0.15, "images", ha="left", va="top", fontsize=FONT - 2)


def draw_filters(axes: Axes, title: str, which: str) -> None:
    """Draw a layer's filters as columns of weights, one of them coloured."""
    polygons = [_square(f, w) for f in range(NUM_CHANNELS) for w in range(NUM_PIXELS)]
    colours = [ORANGE if f == 0 else REST for f in range(NUM_CHANNELS) for _ in range(NUM_PIXELS)]
    _draw_squares(axes, polygons, colours)
    _name(axes, (title, which), "filters", "weights of a filter")


def _faces() -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Yield each visible square of the block: image and channel, and its corners (4, 2)."""
    back = np.array(SKEW)
    for channel in range(NUM_CHANNELS):
        for pixel in range(NUM_PIXELS):
            yield (0, channel), _square(channel, NUM_PIXELS - 1 - pixel)
        for image in range(NUM_IMAGES):
            edge = np.array([[channel, NUM_PIXELS], [channel + 1, NUM_PIXELS]]) + image * back
            yield (image, channel), np.vstack([edge, edge[::-1] + back])
    for image in range(NUM_IMAGES):
        for pixel in range(NUM_PIXELS):
            bottom = NUM_PIXELS - 1 - pixel
            edge = np.array([[NUM_CHANNELS, bottom], [NUM_CHANNELS, bottom + 1]]) + image * back
            yield (image, NUM_CHANNELS - 1), np.vstack([edge, edge[::-1] + back])


def _square(left: float, bottom: float) -> np.ndarray:
    """Return the corners of a unit square, (4, 2)."""
    return np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + np.array([left, bottom])


def _draw_squares(axes: Axes, corners: list[np.ndarray], colours: list[str]) -> None:
    """Draw squares, undistorted, with room around them."""
    squares = PolyCollection(corners, facecolors=colours, edgecolors="white", linewidths=0.8)
    axes.add_collection(squares)
    axes.autoscale_view()
    axes.margins(0.08, 0.1)
    axes.set_aspect("equal")


def _name(axes: Axes, titles: tuple[str, str], across: str, up: str) -> None:
    """Write above a panel what it shows, and beside it what its axes are."""
    bare(axes, f"{titles[0]}\n")
    axes.text(0.5, 1.02, titles[1], transform=axes.transAxes, ha="center", va="bottom",
              fontsize=FONT - 1, color="0.35")  # fmt: skip
    axes.text(NUM_CHANNELS / 2, -0.25, across, ha="center", va="top", fontsize=FONT - 2)
    axes.text(-0.2, NUM_PIXELS / 2, up, ha="right", va="center", rotation=90, fontsize=FONT - 2)
