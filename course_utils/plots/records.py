"""Recorded runs as curves: the mean over the seeds, with a band of one standard deviation."""

from collections.abc import Mapping

from matplotlib import ticker
from matplotlib.figure import Figure

from course_utils.plots.style import FONT, LINES, MARKERS, in_words, new_figure, per_cent, tidy
from course_utils.training.records import RecordedRuns


def plot_records(
    runs: Mapping[str, RecordedRuns], quantity: str = "val_accuracy", ylabel: str = ""
) -> Figure:
    """Draw one quantity of several recorded experiments into one panel.

    Args:
        runs: Label -> recorded runs.
        quantity: A field of an epoch's record: ``train_loss``, ``val_accuracy``, ...
        ylabel: Name of the quantity in words; its field name by default.

    Raises:
        ValueError: There is no experiment, or more than can be told apart.
    """
    if not 1 <= len(runs) <= len(LINES):
        raise ValueError(f"{len(runs)} experiments: one figure compares 1 to {len(LINES)}")
    figure = new_figure(5.6, 3.1)
    axes = figure.subplots()
    for (label, recorded), colour, marker in zip(runs.items(), LINES, MARKERS, strict=False):
        mean, deviation = recorded.mean(quantity), recorded.deviation(quantity)
        epochs = range(1, len(mean) + 1)
        low = [m - d for m, d in zip(mean, deviation, strict=True)]
        high = [m + d for m, d in zip(mean, deviation, strict=True)]
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(epochs, mean, color=colour, marker=marker, markersize=4, label=label)
    seeds = sorted({recorded.num_seeds for recorded in runs.values()})
    tidy(axes, f"epoch (mean of {' or '.join(map(str, seeds))} seeds, band ± 1 deviation)",
         ylabel or in_words(quantity))  # fmt: skip
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    if "accuracy" in quantity:
        per_cent(axes.yaxis)
    axes.legend(fontsize=FONT - 1, frameon=False)
    return figure
