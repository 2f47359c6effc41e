"""Figures of the experiments on depth: gradients, gates, blocks, reused maps and landscapes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import FixedFormatter
from torch import Tensor

from course_utils.inspection import Ablation, Landscape, ReuseMap
from course_utils.inspection.shattering import covariance
from course_utils.plots.style import (
    BLACK,
    FONT,
    INTENSITY,
    LINES,
    MARKERS,
    ORANGE,
    RED,
    SIGNED,
    bare,
    colour_bar,
    new_figure,
    number,
    per_cent,
    tidy,
    whole_ticks,
)

__all__ = [
    "plot_ablations",
    "plot_feature_reuse",
    "plot_function_classes",
    "plot_gates",
    "plot_landscape",
    "plot_shattering",
]

CHANCE = 0.1  # of ten classes
BLOCK = 0.21  # inches: width of a block's bar and its name
MOST_LABELS = 14  # ticks that a panel of reused maps has room for
NUM_LEVELS = 14  # the most contours: few enough to count
ROUND = ((1, 10), (1, 3, 10), (1, 2, 5, 10), (1, 1.5, 2, 3, 4, 5, 7, 10))  # in each decade
LARGEST_PANELS = 4


CLASSES = {
    "not nested": (((0, 0), 0.5), ((1.3, 0.2), 0.8), ((-0.3, 1.2), 1.15), ((0.6, -0.6), 1.6)),
    "nested": (((0, 0), 0.5), ((0.2, 0.1), 0.8), ((0.45, 0.25), 1.15), ((0.8, 0.4), 1.6)),
}
"""What `plot_function_classes` draws: centre and radius of each class, the smallest first."""
BEST_FUNCTION = (2.7, 1.5)


def plot_function_classes() -> Figure:
    """Draw why a larger class of functions need not come closer to the best function.

    A circle is what nets of one depth can compute, a star the function that one would like to
    have, and the marker on each circle the class's nearest to it.
    """
    figure = new_figure(6.6, 3.2)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    note = (
        "circles: what nets of four depths can compute; markers: the closest to the best function"
    )
    figure.supxlabel(note, fontsize=FONT)
    for axes, (title, circles) in zip(panels, CLASSES.items(), strict=True):
        bare(axes, title)
        for i, (centre, radius) in enumerate(circles):
            look = {"facecolor": LINES[i], "alpha": 0.15, "linewidth": 0}
            axes.add_patch(Circle(centre, radius, **look))
            axes.add_patch(Circle(centre, radius, fill=False, edgecolor=LINES[i], linewidth=1.4))
            x, y = _nearest(centre, radius)
            axes.plot(x, y, MARKERS[i], color=LINES[i], markersize=6)
            axes.annotate(str(i + 1), (x, y), (5, -9), textcoords="offset points", fontsize=FONT)
        axes.plot(*BEST_FUNCTION, "*", color=BLACK, markersize=13)
        axes.annotate("the best function", BEST_FUNCTION, (0, 9), textcoords="offset points",
                      ha="center", fontsize=FONT - 1)  # fmt: skip
        axes.set_aspect("equal")
    return figure


def _nearest(centre: tuple[float, float], radius: float) -> tuple[float, float]:
    """Return the point of a disc that is closest to the best function."""
    towards = np.subtract(BEST_FUNCTION, centre)
    x, y = np.add(centre, radius * towards / np.linalg.norm(towards))
    return float(x), float(y)


def plot_shattering(series: Mapping[str, Tensor], inputs: Tensor) -> Figure:
    """Draw gradients along a line of inputs, and below how they are correlated.

    The upper panels show the first series of each kind, scaled to mean square 1; the lower ones
    the covariance between each two inputs, over all of them, on one scale: what exceeds 1 is
    drawn as 1.

    Args:
        series: Label -> (R, N), the derivative at each input for R nets, or R draws of noise.
        inputs: (N,), the inputs.

    Raises:
        ValueError: There is no series, or one does not have a value for each input.

    Source: Balduzzi et al. 2017, figure 1.
    """
    wrong = [label for label, values in series.items() if values.shape[1:] != inputs.shape]
    if not series or wrong:
        raise ValueError(f"{', '.join(wrong) or 'no series'}: give (R, {len(inputs)}) values each")
    figure = new_figure(1.75 * len(series) + 1.0, 3.5)
    panels = figure.subplots(2, len(series), squeeze=False)
    for column, (label, values) in enumerate(series.items()):
        upper, lower = panels[:, column]
        first = values[0] / values[0].square().mean().sqrt()
        upper.plot(inputs.numpy(), first.numpy(), color=LINES[0], linewidth=0.7)
        upper.set_title(label, fontsize=FONT)
        matrix, low, high = covariance(values).numpy(), float(inputs[0]), float(inputs[-1])
        look = {"cmap": SIGNED, "vmin": -1, "vmax": 1, "extent": (low, high, high, low)}
        image = lower.imshow(matrix, **look)
        for axes in (upper, lower):
            axes.set_xlabel("input x", fontsize=FONT - 1)
            axes.tick_params(labelsize=FONT - 2)
    panels[0, 0].set_ylabel("dy/dx, scaled", fontsize=FONT - 1)
    panels[1, 0].set_ylabel("input x'", fontsize=FONT - 1)
    label = "covariance, one\nscale for all"
    colour_bar(figure, image, list(panels[1]), label, pad=0.02, extend="both")
    return figure


def plot_gates(gates: Sequence[Sequence[float]]) -> Figure:
    """Draw how open the transform gates of each layer are after each epoch.

    Args:
        gates: A row for each epoch (the first before training): the mean of T for each layer.

    Raises:
        ValueError: There is no row, or the rows differ in length.
    """
    if len({len(row) for row in gates}) != 1:
        raise ValueError(f"{len(gates)} rows of {[len(r) for r in gates]} gates: give equal rows")
    figure = new_figure(6.4, 0.26 * len(gates) + 1.4)
    axes = figure.subplots()
    highest = max(max(row) for row in gates)
    edges = (0.5, len(gates[0]) + 0.5, len(gates) - 0.5, -0.5)  # layers count from 1
    image = axes.imshow(gates, cmap=INTENSITY, vmin=0, vmax=highest, aspect="auto", extent=edges)
    axes.set_xlabel("highway layer, from the input up", fontsize=FONT)
    axes.set_ylabel("epochs trained", fontsize=FONT)
    whole_ticks(axes.xaxis)
    whole_ticks(axes.yaxis)
    axes.tick_params(labelsize=FONT - 1)
    colour_bar(figure, image, axes, "mean of T: 0 carries,\n1 transforms")
    return figure


def plot_ablations(ablations: Mapping[str, Ablation]) -> Figure:
    """Draw the accuracy of models without each of their blocks, beside that of the whole.

    Args:
        ablations: Label -> what `inspection.ablate` returned, with accuracies as scores.

    Raises:
        ValueError: There is no model.
    """
    if not ablations:
        raise ValueError("there is no model to draw: give at least one")
    widths = [max(BLOCK * len(found.scores), 1.9) for found in ablations.values()]
    figure = new_figure(sum(widths) + 0.9, 2.9)
    panels = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, (label, found) in zip(panels, ablations.items(), strict=True):
        axes.bar(range(len(found.scores)), list(found.scores.values()), color="0.55", width=0.7)
        axes.axhline(found.whole, color=BLACK, linewidth=1.2)
        axes.axhline(CHANCE, color=BLACK, linewidth=1.0, linestyle=":")
        names = [name.removeprefix("stages.") for name in found.scores]
        tidy(axes, "block removed (stage.block)", "")
        axes.grid(visible=False, axis="x")
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=FONT - 2)
        axes.set_title(f"{label}: whole {found.whole:.0%}", fontsize=FONT)
    panels[0].set_ylim(0, 1)
    panels[0].set_ylabel("accuracy (dotted: chance)", fontsize=FONT)
    per_cent(panels[0].yaxis)
    return figure


def plot_feature_reuse(maps: Sequence[ReuseMap]) -> Figure:
    """Draw, for each dense block, how strongly each layer weights the maps of each earlier one.

    Each column is drawn relative to its largest weight. A frame stands around the column of what
    reads the whole block: a transition layer or the classifier.

    Args:
        maps: What `feature_reuse` returns, or some of it.

    Raises:
        ValueError: There is no map.

    Source: Huang et al. 2017, figure 5.
    Differs: the paper's colours stand for the mean absolute weight itself; see `ReuseMap.relative`.
    """
    if not maps:
        raise ValueError("no maps to draw: give what feature_reuse(model) returns")
    figure = new_figure(2.35 * len(maps) + 0.7, 2.75)
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    images = [_draw_block(axes, block) for axes, block in zip(panels, maps, strict=True)]
    for i, axes in enumerate(panels, start=1):
        axes.set_title(f"block {i}", fontsize=FONT)
    panels[0].set_ylabel("maps made by layer", fontsize=FONT)
    label = "mean |weight|, relative to\nthe largest in its column"
    colour_bar(figure, images[-1], list(panels), label, shrink=0.75, pad=0.02)
    return figure


def _draw_block(axes: Axes, block: ReuseMap) -> AxesImage:
    """Draw one triangle; what a layer cannot read stays white."""
    colours = colormaps[INTENSITY].with_extremes(bad="white")
    image = axes.imshow(block.relative().cpu().numpy(), cmap=colours, vmin=0, vmax=1)
    last = len(block.targets) - 1
    frame = Rectangle((last - 0.5, -0.5), 1, len(block.sources), fill=False, edgecolor=RED)
    frame.set(linewidth=2, clip_on=False)
    axes.add_patch(frame)
    _label(axes, block)
    axes.set_xlabel("read by layer", fontsize=FONT)
    axes.spines[:].set_visible(False)
    return image


def _label(axes: Axes, block: ReuseMap) -> None:
    """Label rows and columns: always the first and last, otherwise as many as fit."""
    step = -(-len(block.sources) // MOST_LABELS)
    columns, rows = list(block.targets), list(block.sources)
    shown = [i for i in range(0, len(columns) - 1, step) if i < len(columns) - step]
    ticks = [*shown, len(columns) - 1]
    axes.set_xticks(ticks, [columns[i] for i in ticks], fontsize=FONT - 2)
    axes.get_xticklabels()[-1].set(rotation=30, ha="right", rotation_mode="anchor")
    ticks = list(range(0, len(rows), step))
    axes.set_yticks(ticks, [rows[i] for i in ticks], fontsize=FONT - 2)


def plot_landscape(landscapes: Mapping[str, Landscape]) -> Figure:
    """Draw one or several loss landscapes side by side, on one common scale.

    The scale is this figure's own, as its bar says: two figures cannot be compared by colour.
    A cross marks the model. The levels are round numbers, about evenly spaced in log loss. Equal
    colours mean equal losses in all panels, which is what makes them comparable; that needs
    directions with filter normalisation.

    Args:
        landscapes: Title -> what `loss_surface` returned.

    Raises:
        ValueError: There is no landscape, too many for one figure, or no range of losses.
    """
    if not 1 <= len(landscapes) <= LARGEST_PANELS:
        raise ValueError(f"{len(landscapes)} landscapes: one figure holds 1 to {LARGEST_PANELS}")
    levels = _levels([found.losses for found in landscapes.values()])
    figure = new_figure(2.9 * len(landscapes) + 1.0, 3.2)
    panels = figure.subplots(1, len(landscapes), squeeze=False)[0]
    for axes, (title, landscape) in zip(panels, landscapes.items(), strict=True):
        filled = _draw_contours(axes, landscape, levels)
        axes.set_title(title, fontsize=FONT)
        axes.set_xlabel("first direction (×: the trained net)", fontsize=FONT)
    panels[0].set_ylabel("second direction", fontsize=FONT)
    first = min(level for level in levels if level > 0)  # its first digit must be seen
    written = [number(level, digits=max(3, math.ceil(-math.log10(first)))) for level in levels]
    place = {"ticks": levels, "format": FixedFormatter(written)}
    colour_bar(figure, filled, list(panels), "loss, on a scale of this figure alone", **place)
    return figure


def _levels(losses: Sequence[Tensor]) -> np.ndarray:
    """Return round levels that enclose the lowest loss and the highest finite one."""
    finite = np.concatenate([values.numpy()[np.isfinite(values.numpy())] for values in losses])
    if finite.size == 0:
        raise ValueError("no loss is finite: take smaller steps away from the model")
    low, high = float(finite.min()), float(finite.max())
    if not 0 < low < high:
        raise ValueError(
            f"losses from {low:.3g} to {high:.3g} give no levels: take larger steps, "
            "and a loss above 0"
        )
    return _round_levels(low, high)


def _round_levels(low: float, high: float) -> np.ndarray:
    """Return the densest levels of `ROUND` that are not too many, or else evenly spaced ones."""
    decades = np.arange(np.floor(np.log10(low)), np.floor(np.log10(high)) + 1)
    for steps in reversed(ROUND):
        grid = np.unique(np.outer(10**decades, steps).round(12))
        below, above = grid[grid <= low][-1], grid[grid >= high][0]
        levels = grid[(below <= grid) & (grid <= above)]
        if 4 <= len(levels) <= NUM_LEVELS:
            return levels
    return np.geomspace(low, high, NUM_LEVELS)


def _draw_contours(axes: Axes, landscape: Landscape, levels: np.ndarray) -> QuadContourSet:
    """Draw one plane; a loss above the highest level, or not finite, gets the highest colour."""
    losses = np.nan_to_num(landscape.losses.numpy(), nan=np.inf).clip(levels[0], levels[-1])
    x, y = landscape.x.numpy(), landscape.y.numpy()
    norm = BoundaryNorm(levels, ncolors=256)
    filled = axes.contourf(x, y, losses, levels=levels, cmap=INTENSITY, norm=norm)
    axes.contour(x, y, losses, levels=levels, colors="white", linewidths=0.4)
    axes.plot(0, 0, marker="x", color=ORANGE, markersize=7, markeredgewidth=2)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=FONT - 1)
    return filled
