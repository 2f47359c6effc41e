"""Figures of a quantity against the depth of a net: gradient norms, spread of activations."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.plots.style import line_figure, tidy, whole_ticks

__all__ = ["plot_by_depth"]

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
    lines = {}
    for label, row in values.items():
        heights = list(row.values() if isinstance(row, Mapping) else row)
        if not heights:
            raise ValueError(f"{label!r} has no values: give one for each layer")
        lines[label] = (range(1, len(heights) + 1), heights)
    figure = line_figure(lines, "nets", (6.6, 3.2), log=log)
    [axes] = figure.axes
    tidy(axes, xlabel, ylabel)
    whole_ticks(axes.xaxis)
    return figure
