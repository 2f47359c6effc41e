"""Colours, sizes and texts of all figures; every palette is safe for colour-blind readers."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from itertools import cycle
from typing import Any, TypeVar

from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = [
    "BLACK",
    "BLUE",
    "DASHES",
    "FONT",
    "GREEN",
    "INTENSITY",
    "LINES",
    "MARKERS",
    "ORANGE",
    "PINK",
    "RED",
    "SIGNED",
    "SKY",
    "YELLOW",
    "bare",
    "chance_line",
    "colour_bar",
    "counted",
    "dashes",
    "in_words",
    "new_figure",
    "number",
    "panel",
    "per_cent",
    "tidy",
    "told_apart",
    "whole_ticks",
]

# Okabe and Ito's palette, for lines and boxes.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, YELLOW, BLACK = "#56B4E9", "#D55E00", "#F0E442", "#000000"
LINES = (BLUE, RED, GREEN, ORANGE, PINK, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # told apart without colour, too
# Colour is the model, dash is the condition.
DASHES = {"-": "solid", "--": "dashed", ":": "dotted", "-.": "dash-dotted"}

INTENSITY = "cividis"  # for one channel, counts and probabilities
SIGNED = "PuOr"  # for values around zero

Thing = TypeVar("Thing")

FONT = 9  # points


class PlainFigure(Figure):
    """A figure whose texts are drawn as they are: a class called `$5 to $9` is not a formula."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw everything; only the powers of ten on a logarithmic axis are set as formulas."""
        for text in self.findobj(Text):
            text.set(parse_math=False)
        for axis in self.findobj(Axis):
            if isinstance(axis, Axis) and axis.get_scale() == "log":
                for text in axis.get_ticklabels(which="both"):
                    text.set(parse_math=True)
        super().draw(renderer)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches that pyplot does not know of."""
    return PlainFigure(figsize=(width, height), layout="constrained")


def bare(axes: Axes, title: str = "") -> None:
    """Remove ticks and frame from an axes that holds an image, and set its title."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if title:
        axes.set_title(title, fontsize=FONT)


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add a panel at a place of a figure, all in inches; the figure arranges nothing itself."""
    figure.set_layout_engine("none")
    whole_width, whole_height = figure.get_size_inches()
    return figure.add_axes(
        (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    )


def tidy(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Label both axes, draw a light grid, and drop the frame's top and right side."""
    axes.set_xlabel(xlabel, fontsize=FONT)
    axes.set_ylabel(ylabel, fontsize=FONT)
    axes.tick_params(which="both", labelsize=FONT - 1)
    axes.grid(color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def colour_bar(
    figure: Figure, image: ScalarMappable, axes: Axes | list[Axes], label: str = "", **place: Any
) -> None:
    """Draw the scale of colours beside its axes; `place` is what `Figure.colorbar` takes."""
    bar = figure.colorbar(image, ax=axes, **place)
    bar.set_label(label, fontsize=FONT - 1)
    bar.ax.tick_params(labelsize=FONT - 2)


def chance_line(axes: Axes, chance: float | None) -> None:
    """Draw a dotted line at the accuracy of guessing, where that is in view."""
    low, high = axes.get_ylim()
    if chance is not None and low <= chance <= high:
        axes.axhline(chance, color="0.35", linewidth=1.2, linestyle=":", label="chance")


def dashes(conditions: Iterable[str]) -> dict[str, str]:
    """Return a dash for each condition, in the order in which they come; four can be told apart."""
    return dict(zip(dict.fromkeys(conditions), cycle(DASHES), strict=False))


def told_apart(things: Mapping[str, Thing], what: str) -> Iterator[tuple[str, Thing, str, str]]:
    """Yield label, thing, colour and marker of each thing to be told apart.

    Raises:
        ValueError: There is none, or more than can be told apart; `what` names them.
    """
    if not 1 <= len(things) <= len(LINES):
        raise ValueError(f"{len(things)} {what}: one figure compares 1 to {len(LINES)}")
    for (label, thing), colour, marker in zip(things.items(), LINES, MARKERS, strict=False):
        yield label, thing, colour, marker


def whole_ticks(axis: Axis) -> None:
    """Put the ticks of an axis at whole numbers."""
    axis.set_major_locator(ticker.MaxNLocator(integer=True))


def counted(axes: Axes, first: int = 1) -> None:
    """Give an x axis on which something is counted from `first` whole ticks, and none before it."""
    whole_ticks(axes.xaxis)
    left, right = axes.get_xlim()
    if left < first - 0.5 < right:
        axes.set_xlim(left=first - 0.5)


def per_cent(axis: Axis) -> None:
    """Write an axis of shares as per cent, with as many digits as the ticks need."""
    axis.set_major_formatter(lambda value, _: f"{round(100 * value, 6):g}%")


def in_words(quantity: str) -> str:
    """Name a field of an epoch's record: `val_accuracy` is the validation accuracy."""
    part, _, measure = quantity.partition("_")
    parts = {"train": "training", "val": "validation"}
    return f"{parts[part]} {measure}" if part in parts else quantity.replace("_", " ")


def number(x: float, digits: int = 2) -> str:
    """Write a number with at most `digits` decimals and a real minus sign.

    >>> number(-0.5), number(3.0), number(10 / 3), number(-3.125)
    ('−0.5', '3', '3.33', '−3.13')
    """
    rounded = Decimal(x).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{float(rounded) + 0.0:.{digits}f}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text
