"""Figures of what a prediction relies on: an image beside maps of its evidence."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter
from torch import Tensor

from course_utils.plots.images import draw_image, to_hwc
from course_utils.plots.style import FONT, INTENSITY, SIGNED, bare, colour_bar, new_figure

__all__ = ["plot_attribution", "plot_overlays"]

Maps = Mapping[str, Tensor]
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue, by ITU-R BT.601


def plot_attribution(
    picture: Tensor, models: Mapping[str, Maps], mask: Tensor | None = None, title: str = ""
) -> Figure:
    """Draw an image and, in a column for each model, maps of what its prediction relies on.

    If one model's map has negative values, all maps of that name are drawn in two colours around
    zero; otherwise from zero to the largest value. Each map has its own
    scale, as the bar beside each row says: compare where it is large, not how large.

    Args:
        picture: (C, H, W), uint8 or float in [0, 1]; or one for each row of maps, (R, C, H, W).
        models: Name of the model -> name of the map -> (h, w); stretched to the image. All
            models have the same maps.
        mask: (H, W), bool: the object, whose outline is drawn on the maps; None for no outline.
        title: Title above the image.

    Raises:
        ValueError: There is no model, or the models have different maps.
    """
    kinds = [list(maps) for maps in models.values()]
    if not kinds or any(kind != kinds[0] for kind in kinds):
        raise ValueError(f"maps {kinds}: give at least one model, and the same maps for each")
    num_rows, num_columns = len(kinds[0]), 1 + len(kinds)
    figure = new_figure(1.75 * num_columns + 0.9, 1.75 * num_rows + 0.35)
    grid = figure.add_gridspec(num_rows, num_columns)
    rows: list[list[Axes]] = []
    if picture.ndim == 3:
        draw_image(figure.add_subplot(grid[:, 0]), picture, title)
    else:
        for row, shown in enumerate(picture):
            draw_image(figure.add_subplot(grid[row, 0]), shown, title if row == 0 else "")
    for row, kind in enumerate(kinds[0]):
        signed = any(bool((maps[kind] < 0).any()) for maps in models.values())
        rows.append([])
        for column, (name, maps) in enumerate(models.items(), start=1):
            axes = figure.add_subplot(grid[row, column])
            rows[-1].append(axes)
            _draw_map(axes, maps[kind], picture.shape[-2:], signed=signed)
            if mask is not None:
                _outline(axes, mask, "black" if signed else "white")
            bare(axes, name if row == 0 else "")
            if column == 1:
                axes.set_ylabel(kind, fontsize=FONT)
    for panels in rows:
        _own_scales(figure, panels)
    return figure


def plot_overlays(
    pictures: Tensor | Sequence[Tensor],
    maps: Mapping[str, Tensor],
    masks: Tensor | None = None,
    titles: Sequence[str] = (),
) -> Figure:
    """Draw images in a row, and under each the maps that several models lay over it.

    A map runs from dark blue (nothing) to yellow (its largest value); the image shines through
    in grey. Each map has its own scale: compare where it is large, not how large.

    Args:
        pictures: (N, C, H, W), or a list of (C, H, W); uint8 or float in [0, 1].
        maps: Name of each row -> (N, H, W), not negative, as `inspection.grad_cam` gives.
        masks: (N, H, W), bool: the objects, whose outlines are drawn; None for no outline.
        titles: One for each image, or none at all.

    Raises:
        ValueError: There is no image, or maps, masks or titles are not one for each.
    """
    num = len(pictures)
    counts = {name: len(values) for name, values in maps.items()}
    counts["titles"] = len(titles) or num
    counts["masks"] = num if masks is None else len(masks)
    wrong = [f"{count} {name}" for name, count in counts.items() if count != num]
    if num == 0 or wrong:
        raise ValueError(f"{num} images, but {', '.join(wrong) or 'none to draw'}: give one each")
    figure = new_figure(1.25 * num + 0.3, 1.25 * (1 + len(maps)) + 0.45)
    grid = figure.subplots(1 + len(maps), num, squeeze=False)
    for column, picture in enumerate(pictures):
        draw_image(grid[0, column], picture, titles[column] if titles else "")
        for axes, values in zip(grid[1:, column], maps.values(), strict=True):
            axes.imshow(overlay(picture, values[column]), interpolation="nearest")
            bare(axes)
            if masks is not None:
                _outline(axes, masks[column], "white")
    for axes, name in zip(grid[1:, 0], maps, strict=True):
        axes.set_ylabel(name, fontsize=FONT)
    key = "dark blue: no evidence; yellow: the map's own largest"
    outlined = "" if masks is None else "; white line: outline of the object"
    figure.supxlabel(key + outlined, fontsize=FONT)
    return figure


def overlay(picture: Tensor, values: Tensor) -> np.ndarray:
    """Lay a map (H, W) in colour over an image (C, H, W) in grey, three parts to two."""
    if values.shape != picture.shape[1:]:
        raise ValueError(f"map {tuple(values.shape)} on image {tuple(picture.shape)}: stretch it")
    pixels = to_hwc(picture) / (1.0 if picture.is_floating_point() else 255)
    grey = pixels if pixels.ndim == 2 else pixels @ LUMINANCE  # (H, W)
    array = values.detach().cpu().numpy()
    colours = matplotlib.colormaps[INTENSITY](array / (array.max() or 1))[..., :3]  # (H, W, 3)
    return 0.6 * colours + 0.4 * grey[..., None]


def _own_scales(figure: Figure, panels: list[Axes]) -> None:
    """Draw one bar beside a row of maps, whose ends are each map's own largest value."""
    [shown] = panels[0].images
    low = -1 if shown.get_clim()[0] < 0 else 0
    scale = ScalarMappable(Normalize(low, 1), shown.get_cmap())
    ticks = {-1: "−max", 0: "0", 1: "max"}
    ends = {at: text for at, text in ticks.items() if at >= low}
    place = {"ticks": list(ends), "format": FixedFormatter(list(ends.values()))}
    kind = "+ for, − against the class;\n" if low else ""
    colour_bar(figure, scale, panels, f"{kind}each map's own scale", shrink=0.9, aspect=15, **place)


def _outline(axes: Axes, mask: Tensor, colour: str) -> None:
    """Draw the edge of an object."""
    axes.contour(mask.cpu().numpy(), levels=[0.5], colors=colour, linewidths=1.1)


def _draw_map(axes: Axes, values: Tensor, size: Sequence[int], *, signed: bool) -> None:
    """Draw one map over the area of the image."""
    array = values.detach().cpu().numpy()
    height, width = size
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    top = float(np.abs(array).max()) or 1.0
    colours, low = (SIGNED, -top) if signed else (INTENSITY, 0.0)
    axes.imshow(array, cmap=colours, vmin=low, vmax=top, extent=extent, interpolation="nearest")
