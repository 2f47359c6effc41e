"""Line figures: one quantity of several things against another."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils.plots.style import (
    FONT,
    LINES,
    MARKERS,
    chance_line,
    counted,
    dashes,
    new_figure,
    per_cent,
    tidy,
    told_apart,
    whole_ticks,
)

__all__ = ["plot_autocorrelation", "plot_by_depth", "plot_lines", "plot_loss_lines"]

Values = Mapping[str, float] | Sequence[float]

MOST_MARKERS = 60  # on one line: more would hide it


def plot_lines(
    lines: Mapping[str, Sequence[float]],
    x: Sequence[float],
    xlabel: str,
    ylabel: str,
    *,
    percent: bool = False,
    chance: float | None = None,
    by_condition: bool = False,
) -> Figure:
    """Draw several quantities over the same values of x, to compare them.

    Args:
        lines: Label -> one value for each x.
        x: Where they were measured.
        xlabel: What x is, with its unit.
        ylabel: What the lines are.
        percent: Whether the values are written as per cent.
        chance: Accuracy of guessing; a dotted line where that is in view.
        by_condition: Whether labels are `model, condition`: the colour is then the model's and
            the dash the condition's.

    Raises:
        ValueError: There is no line, more than can be told apart, or one of another length.
    """
    figure = _line_figure(_curves(lines, x, "value", "x"), "lines", (6.4, 3.1))
    [axes] = figure.axes
    if by_condition:
        _style_by_condition(axes)
    tidy(axes, xlabel, ylabel)
    axes.set_ylim(bottom=0)
    chance_line(axes, chance)
    _legend(axes)
    if percent:
        per_cent(axes.yaxis)
    return figure


def plot_by_depth(
    values: Mapping[str, Values],
    ylabel: str,
    *,
    xlabel: str = "layer, from the image to the logits",
    first: int = 1,
) -> Figure:
    """Draw one quantity of each layer against its depth, a line for each net.

    The scale is logarithmic. A value that is not positive or not finite leaves a gap in
    the line.

    Args:
        values: Label -> a value for each layer, from the first; or what `gradient_norms` and
            `activation_spread` return. The nets may differ in depth.
        ylabel: What the quantity is.
        xlabel: What the layers are.
        first: Number of the first layer.

    Raises:
        ValueError: There is no line, more than can be told apart, or one without values.
    """
    lines = {}
    for label, row in values.items():
        heights = list(row.values() if isinstance(row, Mapping) else row)
        if not heights:
            raise ValueError(f"{label!r} has no values: give one for each layer")
        lines[label] = (range(first, first + len(heights)), heights)
    figure = _line_figure(lines, "nets", (6.6, 3.2), log=True)
    [axes] = figure.axes
    _legend(axes)
    tidy(axes, xlabel, f"{ylabel} (log scale)")
    counted(axes, first)
    return figure


def plot_loss_lines(
    lines: Mapping[str, Sequence[float] | Tensor],
    positions: Sequence[float] | Tensor,
    *,
    xlabel: str = "distance from the model, in filter-normalised steps",
    log: bool = False,
) -> Figure:
    """Draw the loss along one direction, a line for each model; the model itself is at 0.

    Args:
        lines: Label -> loss at each position, as `loss_along` returns it. A loss that is not
            finite leaves a gap.
        positions: Multiples of the direction.
        xlabel: What the positions are.
        log: Whether the loss is drawn on a logarithmic scale.

    Raises:
        ValueError: There is no line, more than can be told apart, or one of another length.
    """
    curves = _curves(lines, positions, "loss", "positions")
    figure = _line_figure(curves, "lines", (6.6, 3.2), log=log, markersize=3.5)
    [axes] = figure.axes
    _legend(axes)
    tidy(axes, xlabel, "loss (log scale)" if log else "loss")
    return figure


def plot_autocorrelation(curves: Mapping[str, Tensor], title: str = "") -> Figure:
    """Draw autocorrelations against the lag.

    Args:
        curves: Label -> (L,), the value at lag 0, 1, ..., L - 1. A label that ends in `noise`
            is drawn as a grey reference.
        title: Title above the panel.

    Raises:
        ValueError: There is no curve, or more than can be told apart.

    Source: Balduzzi et al. 2017, figure 2.
    """
    figure = new_figure(6.0, 3.1)
    axes = figure.subplots()
    coloured = {label: values for label, values in curves.items() if not label.endswith("noise")}
    for label, values, colour, marker in told_apart(coloured, "curves"):
        axes.plot(values.numpy(), color=colour, marker=marker, markersize=4, label=label)
    for label in (label for label in curves if label not in coloured):
        style = "--" if "white" in label else ":"
        axes.plot(curves[label].numpy(), style, color="0.35", linewidth=1.4, label=label)
    tidy(axes, "lag, in grid points", "autocorrelation of the gradient")
    whole_ticks(axes.xaxis)
    axes.legend(fontsize=FONT - 1, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    if title:
        axes.set_title(title, fontsize=FONT + 1)
    return figure


def _curves(
    lines: Mapping[str, Sequence[float] | Tensor], x: Sequence[float] | Tensor, y: str, places: str
) -> dict[str, tuple[ArrayLike, ArrayLike]]:
    """Return each line with its x, or say which of them lacks a y for some place."""
    wrong = [label for label, values in lines.items() if len(values) != len(x)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: give one {y} for each of the {len(x)} {places}")
    return {label: (x, values) for label, values in lines.items()}


def _style_by_condition(axes: Axes) -> None:
    """Give lines of one model one colour and marker, and lines of one condition one dash."""
    parts = {line: str(line.get_label()).partition(", ") for line in axes.lines}
    models = list(dict.fromkeys(model for model, _, _ in parts.values()))
    dash_of = dashes(condition for _, _, condition in parts.values())
    for line, (model, _, condition) in parts.items():
        look = models.index(model)
        line.set(color=LINES[look], marker=MARKERS[look], linestyle=dash_of[condition])


def _legend(axes: Axes) -> None:
    axes.legend(fontsize=FONT - 1, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def _line_figure(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]],
    what: str,
    size: tuple[float, float],
    *,
    log: bool = False,
    markersize: float = 4,
) -> Figure:
    """Return a figure of lines that differ without colour, too, still without a legend.

    A y that is not finite, or on a logarithmic scale not positive, leaves a gap.
    """
    figure = new_figure(*size)
    axes = figure.subplots()
    for label, (x, y), colour, marker in told_apart(lines, what):
        heights = np.asarray(y, dtype=float)
        drawable = np.isfinite(heights) & ((heights > 0) | (not log))
        every = 1 + len(heights) // MOST_MARKERS
        axes.plot(x, np.where(drawable, heights, np.nan), color=colour, marker=marker,
                  markersize=markersize, markevery=every, label=label)  # fmt: skip
    if log:
        axes.set_yscale("log")
        low, high = axes.dataLim.intervaly
        if high < 1000 * low:  # less than three powers of ten: plain numbers, and more of them
            subs = (1, 2, 5) if high > 6 * low else (1, 1.5, 2, 3, 4, 5, 7)
            axes.yaxis.set_major_locator(LogLocator(subs=subs))
            axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            axes.yaxis.set_minor_formatter(NullFormatter())
    return figure
