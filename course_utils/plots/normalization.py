"""Figure of normalisation: which numbers share a mean and a variance."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from course_utils.plots.style import BLUE, FONT, ORANGE, bare, new_figure

SKEW = (0.45, 0.3)  # how far one picture further back is drawn to the right, and up
REST = "0.93"
NORMS = ("batch", "layer", "group", "instance")

Cell = tuple[int, int, int]  # picture, channel, pixel


def plot_norms(
    num_images: int = 4, num_channels: int = 6, num_pixels: int = 5, group_size: int = 3
) -> Figure:
    """Draw, for each normalisation, one set of numbers that share a mean and a variance.

    The first four normalise activations, a block of pictures x channels x pixels (height and
    width laid out as one axis). The last two normalise filters, whatever the pictures are.

    Args:
        num_images: Pictures in the block.
        num_channels: Channels of the block, and filters of the layer.
        num_pixels: Pixels of each map.
        group_size: Channels of a group; it divides `num_channels`.

    Raises:
        ValueError: The groups do not fit, or a size is not positive.

    Source: after the idea of Wu & He 2018, figure 2.
    """
    sizes = (num_images, num_channels, num_pixels, group_size)
    if min(sizes) < 1 or num_channels % group_size:
        raise ValueError(f"sizes {sizes}: positive, with channels a multiple of the group size")
    figure = new_figure(7.4, 4.9)
    panels = figure.subplots(2, 3).flatten()
    for axes, norm in zip(panels, NORMS, strict=False):
        draw_block(axes, norm, sizes)
    draw_filters(panels[4], "weight norm", "a filter: its length is set", num_channels)
    draw_filters(panels[5], "scaled weight std.", "a filter: mean 0, variance set", num_channels)
    return figure


def shares(norm: str, cell: Cell, group_size: int) -> bool:
    """Return whether a number shares its mean with the first one: picture 0, channel 0.

    Args:
        norm: One of `NORMS`.
        cell: Picture, channel and pixel of the number.
        group_size: Channels of a group.

    Raises:
        ValueError: The normalisation is unknown.
    """
    image, channel, _ = cell
    rules = {
        "batch": channel == 0,
        "layer": image == 0,
        "group": image == 0 and channel < group_size,
        "instance": image == 0 and channel == 0,
    }
    if norm not in rules:
        raise ValueError(f"norm {norm!r} is unknown: choose from {', '.join(rules)}")
    return rules[norm]


def draw_block(axes: Axes, norm: str, sizes: tuple[int, int, int, int]) -> None:
    """Draw the block of numbers from the front, the top and the right, one set coloured."""
    num_images, num_channels, num_pixels, group_size = sizes
    faces = list(_faces(num_images, num_channels, num_pixels))
    colours = [BLUE if shares(norm, cell, group_size) else REST for cell, _ in faces]
    polygons = [corners for _, corners in faces]
    axes.add_collection(
        PolyCollection(polygons, facecolors=colours, edgecolors="white", linewidths=0.8)
    )
    which = {
        "batch": "a channel, all pictures",
        "layer": "a picture, all channels",
        "group": f"a picture, {group_size} channels",
        "instance": "a picture, a channel",
    }
    _finish(axes, f"{norm} norm", which[norm])
    axes.text(num_channels / 2, -0.25, "channels", ha="center", va="top", fontsize=FONT - 2)
    axes.text(-0.2, num_pixels / 2, "pixels", ha="right", va="center", rotation=90,
              fontsize=FONT - 2)  # fmt: skip
    right, up = (num_channels + num_images * SKEW[0] / 2, num_images * SKEW[1] / 2)
    axes.text(right + 0.25, up - 0.15, "pictures", ha="left", va="top", fontsize=FONT - 2)


def draw_filters(
    axes: Axes, title: str, which: str, num_filters: int, num_weights: int = 5
) -> None:
    """Draw a layer's filters as columns of weights, one of them coloured."""
    polygons = [_square(f, w) for f in range(num_filters) for w in range(num_weights)]
    colours = [ORANGE if f == 0 else REST for f in range(num_filters) for _ in range(num_weights)]
    axes.add_collection(
        PolyCollection(polygons, facecolors=colours, edgecolors="white", linewidths=0.8)
    )
    _finish(axes, title, which)
    axes.text(num_filters / 2, -0.25, "filters", ha="center", va="top", fontsize=FONT - 2)
    axes.text(-0.2, num_weights / 2, "weights of a filter", ha="right", va="center", rotation=90,
              fontsize=FONT - 2)  # fmt: skip


def _faces(
    num_images: int, num_channels: int, num_pixels: int
) -> Iterator[tuple[Cell, np.ndarray]]:
    """Each visible square of the block, (4, 2) corners, with the number behind it."""
    back = np.array(SKEW)
    for channel in range(num_channels):
        for pixel in range(num_pixels):
            yield (0, channel, pixel), _square(channel, num_pixels - 1 - pixel)
        for image in range(num_images):
            edge = np.array([[channel, num_pixels], [channel + 1, num_pixels]]) + image * back
            yield (image, channel, 0), np.vstack([edge, edge[::-1] + back])
    for image in range(num_images):
        for pixel in range(num_pixels):
            bottom = num_pixels - 1 - pixel
            edge = np.array([[num_channels, bottom], [num_channels, bottom + 1]]) + image * back
            yield (image, num_channels - 1, pixel), np.vstack([edge, edge[::-1] + back])


def _square(left: float, bottom: float) -> np.ndarray:
    """Corners of a unit square, (4, 2)."""
    return np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + np.array([left, bottom])


def _finish(axes: Axes, title: str, which: str) -> None:
    """Name a panel, and show all of it undistorted."""
    bare(axes, f"{title}\n")
    axes.text(0.5, 1.02, which, transform=axes.transAxes, ha="center", va="bottom",
              fontsize=FONT - 1, color="0.35")  # fmt: skip
    axes.autoscale_view()
    axes.margins(0.08, 0.1)
    axes.set_aspect("equal")
