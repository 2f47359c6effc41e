"""Figures of a quantity against the depth of a net: gradient norms, spread of activations."""

from collections.abc import Mapping, Sequence

import matplotlib.ticker as ticker
import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.style import FONT, LINES, MARKERS, new_figure, tidy

Values = Mapping[str, float] | Sequence[float]


def plot_by_depth(
    values: Mapping[str, Values],
    ylabel: str,
    *,
    log: bool = True,
    xlabel: str = "layer, from the picture to the logits",
) -> Figure:
    """Draw one quantity of each layer against its depth, a line for each net.

    Args:
        values: Label -> a value for each layer, from the first; or what `gradient_norms` and
            `activation_spread` return. The nets may differ in depth.
        ylabel: What the quantity is.
        log: Draw it on a logarithmic scale. There a value that is zero or not finite has no
            place: the line has a gap.
        xlabel: What the layers are.

    Raises:
        ValueError: There is no line, more than can be told apart, or one without values.
    """
    if not 1 <= len(values) <= len(LINES):
        raise ValueError(f"{len(values)} nets: one figure compares 1 to {len(LINES)}")
    figure = new_figure(6.6, 3.2)
    axes = figure.subplots()
    for (label, row), colour, marker in zip(values.items(), LINES, MARKERS, strict=False):
        heights = np.asarray(list(row.values() if isinstance(row, Mapping) else row), dtype=float)
        if heights.size == 0:
            raise ValueError(f"{label!r} has no values: give one for each layer")
        drawable = np.isfinite(heights) & ((heights > 0) | (not log))
        depths = np.arange(1, len(heights) + 1)
        axes.plot(depths, np.where(drawable, heights, np.nan), color=colour, marker=marker,
                  markersize=4, label=label)  # fmt: skip
    if log:
        axes.set_yscale("log")
    tidy(axes, xlabel, ylabel)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.legend(fontsize=FONT - 1, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
