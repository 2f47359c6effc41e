"""Figures of what an answer rests on: a picture beside maps of its evidence."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.images import draw_image
from course_utils.plots.style import FONT, INTENSITY, SIGNED, YELLOW, bare, new_figure

Maps = Mapping[str, Tensor]


def plot_attribution(
    picture: Tensor, models: Mapping[str, Maps], mask: Tensor | None = None, title: str = ""
) -> Figure:
    """Draw a picture, and in a column for each model the maps of what its answer rests on.

    If one model's map has negative values, all maps of that name are drawn in two colours around
    zero; otherwise from zero to the largest value. Each has a scale of its own: look at where,
    not at how much.

    Args:
        picture: (C, H, W), uint8 or float in [0, 1].
        models: Name of the model -> name of the map -> (h, w); stretched to the picture. All
            models have the same maps.
        mask: (H, W), bool: the object, whose outline is drawn on the maps; None for no outline.
        title: Above the picture.

    Raises:
        ValueError: There is no model, or the models have different maps.
    """
    kinds = [list(maps) for maps in models.values()]
    if not kinds or any(kind != kinds[0] for kind in kinds):
        raise ValueError(f"maps {kinds}: give at least one model, and the same maps for each")
    num_rows, num_columns = len(kinds[0]), 1 + len(kinds)
    figure = new_figure(1.75 * num_columns + 0.2, 1.75 * num_rows + 0.35)
    grid = figure.add_gridspec(num_rows, num_columns)
    draw_image(figure.add_subplot(grid[:, 0]), picture, title)
    for row, kind in enumerate(kinds[0]):
        signed = any(bool((maps[kind] < 0).any()) for maps in models.values())
        for column, (name, maps) in enumerate(models.items(), start=1):
            axes = figure.add_subplot(grid[row, column])
            _draw_map(axes, maps[kind], tuple(picture.shape[1:]), mask, signed=signed)
            bare(axes, name if row == 0 else "")
            if column == 1:
                axes.set_ylabel(kind, fontsize=FONT)
    return figure


def _draw_map(
    axes: Axes, values: Tensor, size: tuple[int, ...], mask: Tensor | None, *, signed: bool
) -> None:
    """Draw one map over the area of the picture, and the outline of the object on it."""
    array = values.detach().cpu().numpy()
    height, width = size
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    top = float(np.abs(array).max()) or 1.0
    colours, low = (SIGNED, -top) if signed else (INTENSITY, 0.0)
    axes.imshow(array, cmap=colours, vmin=low, vmax=top, extent=extent, interpolation="nearest")
    if mask is not None:
        colour = "black" if signed else YELLOW
        axes.contour(mask.cpu().numpy(), levels=[0.5], colors=colour, linewidths=1.1)
