"""Figures of training: curves, comparisons, and which classes are confused."""

from collections.abc import Mapping, Sequence

import matplotlib.ticker as ticker
import numpy as np
from IPython.display import DisplayHandle
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.display import to_bundle
from course_utils.plots.style import (
    BLUE,
    DASHES,
    FONT,
    INTENSITY,
    RED,
    chance_line,
    colour_bar,
    counted,
    dashes,
    in_words,
    new_figure,
    per_cent,
    tidy,
    told_apart,
)
from course_utils.training import History
from course_utils.training.records import RecordedRuns

__all__ = ["LivePlot", "plot_confusion", "plot_histories", "plot_history", "plot_records"]

OUT_OF_VIEW = 3  # times the highest training loss
MOST_INSIDE = 4  # names that a panel has room for beside its curves
LEAST_HEIGHT = {"loss": 0.5, "accuracy": 0.2}  # of a panel: less would show noise as if it mattered

Curve = tuple[str, list[float], str, str, str]  # label, values, colour, marker, line style


def draw_curves(
    axes: Axes,
    curves: Sequence[Curve],
    quantity: str,
    ylabel: str = "",
    *,
    chance: float | None = None,
    least: float = 0.0,
) -> None:
    """Draw one line for each curve of a quantity, over a range of y of at least `least`."""
    for label, values, colour, marker, line in curves:
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, line, color=colour, marker=marker, markersize=4, label=label)
    tidy(axes, "epoch", ylabel or in_words(quantity))
    counted(axes)
    _keep_height(axes, least)
    if "accuracy" in quantity:
        per_cent(axes.yaxis)
        chance_line(axes, chance)
    axes.legend(fontsize=FONT - 1, frameon=False)


def plot_history(history: History, title: str = "", *, chance: float | None = None) -> Figure:
    """Draw loss and accuracy over the epochs, for training and validation set.

    Args:
        history: What `fit` returned, or a recorded run; it may be empty.
        title: Title above both panels.
        chance: Accuracy of guessing; a dotted line where that is in view.
    """
    figure = new_figure(7.2, 2.6)
    panels = figure.subplots(1, 2)
    for axes, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        curves = [
            ("training", history.column(f"train_{quantity}"), BLUE, "o", "-"),
            ("validation", history.column(f"val_{quantity}"), RED, "s", "--"),
        ]
        draw_curves(axes, curves, quantity, chance=chance, least=LEAST_HEIGHT[quantity])
    # In its first epochs a deep net with batch normalisation may have a validation loss of a
    # million, because its running averages lag behind. It may leave the panel, so that you can
    # read the rest.
    highest = OUT_OF_VIEW * max(history.column("train_loss"), default=0.0)
    if max(history.column("val_loss"), default=0.0) > highest > 0:
        panels[0].set_ylim(0, highest)
        _mark_what_left(panels[0], history.column("val_loss"))
    if title:
        figure.suptitle(title, fontsize=FONT + 1)
    return figure


def _keep_height(axes: Axes, least: float) -> None:
    """Widen the range of y around its middle where it is smaller than `least`."""
    low, high = axes.get_ylim()
    missing = max(least - (high - low), 0.0)
    axes.set_ylim(low - missing / 2, high + missing / 2)


def _mark_what_left(axes: Axes, losses: Sequence[float]) -> None:
    """Mark each validation loss above the panel at its upper edge, with its value."""
    top = axes.get_ylim()[1]
    for epoch, loss in enumerate(losses, start=1):
        if loss > top:
            axes.plot(epoch, top, "^", color=RED, markersize=6, clip_on=False)
            text = f"{loss:,.0f}" if 100 <= loss < 1e8 else f"{loss:.3g}"
            axes.annotate(text, (epoch, top), (0, 5), textcoords="offset points",
                          ha="center", fontsize=FONT - 2, color=RED)  # fmt: skip


def plot_histories(
    histories: Mapping[str, History],
    quantity: str = "val_accuracy",
    ylabel: str = "",
    *,
    chance: float | None = None,
) -> Figure:
    """Draw one quantity of several runs in one panel.

    Args:
        histories: Label -> run.
        quantity: A field of an epoch's record: `train_loss`, `val_accuracy`, ...
        ylabel: Name of the quantity; by default its field in words.
        chance: Accuracy of guessing; a dotted line where that is in view.

    Raises:
        ValueError: There is no run, or more than can be told apart.
    """
    curves = [
        (label, history.column(quantity), colour, marker, "-")
        for label, history, colour, marker in told_apart(histories, "runs")
    ]
    figure = new_figure(5.2, 3.0)
    draw_curves(figure.subplots(), curves, quantity, ylabel, chance=chance)
    return figure


def plot_records(
    runs: Mapping[str, RecordedRuns],
    quantity: str = "val_accuracy",
    ylabel: str = "",
    *,
    each: bool = False,
    conditions: Mapping[str, str] | None = None,
    chance: float | None = None,
) -> Figure:
    """Draw one quantity of several recorded experiments, as `plot_histories` does for runs.

    Args:
        runs: Label -> recorded runs.
        quantity: A field of an epoch's record: `train_loss`, `val_accuracy`, ...
        ylabel: Name of the quantity; by default its field in words.
        each: Whether each seed is drawn as a thin line, instead of a band around their mean. A
            band misleads where some seeds learn and others do not.
        conditions: Label -> what experiments have in common; each condition has a dash.
        chance: Accuracy of guessing; a dotted line where that is in view.

    Raises:
        ValueError: There is no experiment, or more than can be told apart.
    """
    figure = new_figure(5.6, 3.1)
    axes = figure.subplots()
    condition_of = {label: (conditions or {}).get(label, "") for label in runs}
    dash_of = dashes(condition_of.values())
    curves = []
    for label, recorded, colour, marker in told_apart(runs, "experiments"):
        mean, deviation = np.array((recorded.mean(quantity), recorded.deviation(quantity)))
        epochs = range(1, len(mean) + 1)
        if each:
            for history in recorded.histories:
                axes.plot(epochs, history.column(quantity), color=colour, alpha=0.5, linewidth=0.8)
        else:
            axes.fill_between(epochs, mean - deviation, mean + deviation, color=colour, alpha=0.2,
                              linewidth=0)  # fmt: skip
        curves.append((label, mean.tolist(), colour, marker, dash_of[condition_of[label]]))
    draw_curves(axes, curves, quantity, ylabel, chance=chance)
    if conditions or len(curves) > MOST_INSIDE:  # beside the panel, with room to show dashes
        key = "\n".join(f"{DASHES[dash]}: {name}" for name, dash in dash_of.items() if name)
        axes.legend(fontsize=FONT - 1, frameon=False, handlelength=3.5, loc="center left",
                    bbox_to_anchor=(1, 0.5), title=key, title_fontsize=FONT - 1,
                    alignment="left")  # fmt: skip
    seeds = " or ".join(map(str, sorted({recorded.num_seeds for recorded in runs.values()})))
    around = "thin: each seed" if each else "band ± 1 standard deviation"
    axes.set_xlabel("epoch" if seeds == "1" else f"epoch (mean of {seeds} seeds, {around})")
    return figure


def plot_confusion(confusion: Tensor, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix: rows are true classes, columns predicted ones.

    Args:
        confusion: (K, K) counts, as in `Evaluation.confusion`.
        classes: K names.

    Raises:
        ValueError: The sizes do not agree.
    """
    num_classes = len(classes)
    if tuple(confusion.shape) != (num_classes, num_classes):
        raise ValueError(f"{num_classes} classes, but the matrix is {tuple(confusion.shape)}")
    counts = confusion.detach().cpu()
    share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)  # (K, K), rows sum to 1
    side = 0.44 * num_classes
    figure = new_figure(side + 2.3, side + 1.0)
    figure.set_layout_engine("constrained", w_pad=0.15)  # or the outer labels would be cut
    axes = figure.subplots()
    image = axes.imshow(share.numpy(), cmap=INTENSITY, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts.numpy()):
        colour = "white" if share[row, column] < 0.5 else "black"
        axes.text(column, row, str(int(count)), ha="center", va="center", color=colour,
                  fontsize=FONT - 2)  # fmt: skip
    axes.set_xticks(range(num_classes), classes, rotation=45, ha="right", fontsize=FONT - 1)
    axes.set_yticks(range(num_classes), classes, fontsize=FONT - 1)
    axes.set_xlabel("predicted class", fontsize=FONT)
    axes.set_ylabel("true class", fontsize=FONT)
    share_axis = {"shrink": 0.8, "format": ticker.PercentFormatter(1.0)}
    colour_bar(figure, image, axes, "share of the true class", **share_axis)
    return figure


class LivePlot:
    """A callback for `fit` that redraws the curves in place after each epoch.

    It is one of those in `fit(model, loaders, on_epoch_end=[LivePlot("LeNet-5")])`.

    Args:
        title: Title above the figure.
        chance: Accuracy of guessing; a dotted line where that is in view.
    """

    def __init__(self, title: str = "", *, chance: float | None = None) -> None:
        self.title, self.chance = title, chance
        self.handle: DisplayHandle | None = None

    def __call__(self, history: History) -> None:
        """Replace the figure with one of the history so far."""
        name = self.title or "Training"
        alt = f"{name}: training and validation loss and accuracy after each epoch"
        bundle = to_bundle(plot_history(history, self.title, chance=self.chance), alt)
        if self.handle is None:
            self.handle = DisplayHandle()
            self.handle.display(bundle, raw=True)
        else:
            self.handle.update(bundle, raw=True)
