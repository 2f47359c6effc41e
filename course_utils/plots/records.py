"""Recorded runs as curves: the mean over the seeds, with a band of one standard deviation."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from course_utils.plots.style import in_words, new_figure, told_apart
from course_utils.plots.training import draw_curves
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
    figure = new_figure(5.6, 3.1)
    axes = figure.subplots()
    curves = []
    for label, recorded, colour, marker in told_apart(runs, "experiments"):
        mean, deviation = recorded.mean(quantity), recorded.deviation(quantity)
        epochs = range(1, len(mean) + 1)
        low = [m - d for m, d in zip(mean, deviation, strict=True)]
        high = [m + d for m, d in zip(mean, deviation, strict=True)]
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        curves.append((label, mean, colour, marker, "-"))
    draw_curves(axes, curves, ylabel or in_words(quantity), percent="accuracy" in quantity)
    seeds = " or ".join(map(str, sorted({recorded.num_seeds for recorded in runs.values()})))
    axes.set_xlabel(f"epoch (mean of {seeds} seeds, band ± 1 deviation)")
    return figure
