"""Figures of the experiments on depth: shattered gradients, gates, and blocks taken out."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.inspection.ablation import Ablation
from course_utils.inspection.shattering import covariance
from course_utils.plots.style import (
    BLACK,
    FONT,
    INTENSITY,
    LINES,
    SIGNED,
    new_figure,
    per_cent,
    tidy,
    whole_ticks,
)

__all__ = ["plot_ablations", "plot_gates", "plot_shattering"]

CHANCE = 0.1  # of ten classes
MANY_BLOCKS = 12  # as many as one panel has room to name


def plot_shattering(series: Mapping[str, Tensor], inputs: Tensor) -> Figure:
    """Draw gradients along a line of inputs, and below how they hang together.

    The upper panels show the first series of each kind, scaled to mean square 1; the lower ones
    the covariance of all of them between each two inputs.

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
    figure = new_figure(1.75 * len(series) + 0.4, 3.5)
    panels = figure.subplots(2, len(series), squeeze=False)
    for column, (label, values) in enumerate(series.items()):
        upper, lower = panels[:, column]
        first = values[0] / values[0].square().mean().sqrt()
        upper.plot(inputs.numpy(), first.numpy(), color=LINES[0], linewidth=0.7)
        upper.set_title(label, fontsize=FONT)
        upper.set_xlabel("input x", fontsize=FONT - 1)
        _draw_covariance(lower, values, inputs)
        for axes in (upper, lower):
            axes.tick_params(labelsize=FONT - 2)
    panels[0, 0].set_ylabel("dy/dx, scaled", fontsize=FONT - 1)
    panels[1, 0].set_ylabel("input x'", fontsize=FONT - 1)
    return figure


def _draw_covariance(axes: Axes, values: Tensor, inputs: Tensor) -> None:
    """Draw the covariance of series (R, N) between each two of N inputs."""
    low, high = float(inputs[0]), float(inputs[-1])
    matrix = covariance(values).numpy()
    axes.imshow(matrix, cmap=SIGNED, vmin=-1, vmax=1, extent=(low, high, high, low))
    axes.set_xlabel("input x", fontsize=FONT - 1)


def plot_gates(gates: Sequence[Sequence[float]]) -> Figure:
    """Draw how far the transform gates of each layer are open, after each epoch.

    Args:
        gates: A row for each look (the first before training), a mean of T for each layer.

    Raises:
        ValueError: There is no row, or the rows differ in length.
    """
    if len({len(row) for row in gates}) != 1:
        raise ValueError(f"{len(gates)} rows of {[len(r) for r in gates]} gates: give equal rows")
    figure = new_figure(6.4, 0.26 * len(gates) + 1.4)
    axes = figure.subplots()
    highest = max(max(row) for row in gates)
    image = axes.imshow(gates, cmap=INTENSITY, vmin=0, vmax=highest, aspect="auto")
    axes.set_xlabel("highway layer, from the input up", fontsize=FONT)
    axes.set_ylabel("epochs trained", fontsize=FONT)
    whole_ticks(axes.xaxis)
    whole_ticks(axes.yaxis)
    axes.tick_params(labelsize=FONT - 1)
    bar = figure.colorbar(image, ax=axes)
    bar.set_label("mean of T: 0 carries,\n1 transforms", fontsize=FONT - 1)
    bar.ax.tick_params(labelsize=FONT - 2)
    return figure


def plot_ablations(ablations: Mapping[str, Ablation]) -> Figure:
    """Draw the accuracy of models without each of their blocks, beside that of the whole.

    Args:
        ablations: Label -> what `inspection.ablate` found, with accuracies as scores.

    Raises:
        ValueError: There is no model.
    """
    if not ablations:
        raise ValueError("there is no model to draw: give at least one")
    figure = new_figure(3.1 * len(ablations) + 0.6, 2.9)
    panels = figure.subplots(1, len(ablations), sharey=True, squeeze=False)[0]
    for axes, (label, found), colour in zip(panels, ablations.items(), LINES, strict=False):
        axes.bar(range(len(found.scores)), list(found.scores.values()), color=colour, width=0.7)
        axes.axhline(found.whole, color=BLACK, linewidth=1.2)
        axes.axhline(CHANCE, color=BLACK, linewidth=1.0, linestyle=":")
        names = [name.removeprefix("stages.") for name in found.scores]
        every = 1 + (len(names) - 1) // MANY_BLOCKS  # of many blocks only some are named
        tidy(axes, "block taken out (stage.block)", "")
        axes.grid(visible=False, axis="x")
        axes.set_xticks(range(0, len(names), every), names[::every], rotation=60, fontsize=FONT - 2)
        axes.set_title(f"{label}: whole {found.whole:.0%}", fontsize=FONT)
    panels[0].set_ylim(0, 1)
    panels[0].set_ylabel("accuracy (dotted: chance)", fontsize=FONT)
    per_cent(panels[0].yaxis)
    return figure
