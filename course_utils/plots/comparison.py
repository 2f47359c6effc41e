"""One chart for many models: the cost of each, and how good it is."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, BboxBase

from course_utils.arguments import number, positive
from course_utils.plots.style import BLUE, FONT, RED, new_figure, per_cent, tidy

__all__ = ["ComparisonRow", "pareto_front", "plot_comparison"]

LABEL = FONT - 1.5  # points
MARKER = 6  # points across
CLEARANCE = 3  # points that a label keeps from whatever else is drawn
DISTANCES = (8, 13, 19, 26, 34, 43, 53)  # points from a point to its label; the nearest wins
FAR = 14  # points beyond which a thin line joins a label to its point
ANGLES = (0, 180, 90, 270, 30, 150, 330, 210, 60, 120, 300, 240)  # degrees; right of it is best


@dataclass(frozen=True)
class ComparisonRow:
    """One model on the chart.

    Attributes:
        label: Its name in the chart.
        accuracy: In [0, 1], a mean over runs.
        deviation: Standard deviation of one run; 0 draws no bar.
        costs: Name of a cost, as on an axis -> its value, above 0.

    Raises:
        ValueError: A value is out of its range.
    """

    label: str
    accuracy: float
    deviation: float
    costs: Mapping[str, float]

    def __post_init__(self) -> None:
        number(f"{self.label}: accuracy", self.accuracy, 0, 1)
        number(f"{self.label}: deviation", self.deviation, 0)
        for name, value in self.costs.items():
            positive(f"{self.label}: {name}", value)


def pareto_front(rows: Sequence[ComparisonRow], cost: str) -> list[ComparisonRow]:
    """Return the models that no other beats at the same or a lower cost, the cheapest first."""
    front: list[ComparisonRow] = []
    for row in sorted(rows, key=lambda row: (row.costs[cost], -row.accuracy)):
        if not front or row.accuracy > front[-1].accuracy:
            front.append(row)
    return front


def plot_comparison(rows: Sequence[ComparisonRow], *, lowest: float = 0.0) -> Figure:
    """Draw accuracy against cost, one panel for each cost, every model labelled.

    Bars are one standard deviation up and down. Blue points, joined by a line, are models
    without an equally accurate rival at the same or a lower cost; the others are hollow and red.

    Args:
        rows: The models; all have the same costs, and each its own name.
        lowest: An accuracy in [0, 1) where the axis ends. A model below it is a triangle at the
            bottom, with the numbers in its label, so that one failure does not squeeze all
            others together.

    Raises:
        ValueError: There is no model, two share a name, or their costs differ.
    """
    _check(rows)
    rows = [_lifted(row, lowest) if row.accuracy < lowest else row for row in rows]
    costs = list(rows[0].costs)
    figure = new_figure(4.6 * len(costs), 5.0)
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, cost in zip(panels, costs, strict=True):
        _draw_panel(axes, rows, cost, lowest)
    for axes in panels[1:]:
        axes.set_ylabel("")
    figure.supxlabel("blue: no other is as accurate at the same or a lower cost", fontsize=FONT)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # fixes where every point lies, which the labels need
    for axes, cost in zip(panels, costs, strict=True):
        _label_points(canvas, axes, rows, cost)
    return figure


def _check(rows: Sequence[ComparisonRow]) -> None:
    if not rows or not rows[0].costs:
        raise ValueError("there is nothing to compare: give at least one model with one cost")
    labels = [row.label for row in rows]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"two models are called {', '.join(twice)}: give each its own label")
    for row in rows:
        if list(row.costs) != list(rows[0].costs):
            raise ValueError(
                f"{row.label} has the costs {list(row.costs)}, {rows[0].label} has "
                f"{list(rows[0].costs)}: give all models the same"
            )


def _lifted(row: ComparisonRow, lowest: float) -> ComparisonRow:
    """Return a model that is off the chart, at its lower edge."""
    label = f"{row.label} ({row.accuracy:.0%} ± {row.deviation:.0%})"
    return replace(row, label=label, accuracy=lowest, deviation=0.0)


def _draw_panel(axes: Axes, rows: Sequence[ComparisonRow], cost: str, lowest: float) -> None:
    """Draw points with their bars, and the line of the best."""
    front = pareto_front(rows, cost)
    axes.plot([row.costs[cost] for row in front], [row.accuracy for row in front],
              drawstyle="steps-post", color=BLUE, linewidth=1, alpha=0.5)  # fmt: skip
    for row in rows:
        colour, fill = (BLUE, BLUE) if row in front else (RED, "white")
        axes.errorbar(row.costs[cost], row.accuracy, yerr=row.deviation or None,
                      fmt="v" if row.accuracy == lowest else "o",
                      markersize=MARKER, color=colour, markerfacecolor=fill, elinewidth=1,
                      capsize=2, zorder=3)  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.16, y=0.1)
    tidy(axes, f"{cost} (log scale)", "test accuracy (mean ± 1 standard deviation)")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    per_cent(axes.yaxis)


def _label_points(
    canvas: FigureCanvasAgg, axes: Axes, rows: Sequence[ComparisonRow], cost: str
) -> None:
    """Write each name beside its point, clear of points, bars and other names."""
    radius = MARKER / 2 * canvas.figure.dpi / 72  # pixels
    taken = [_occupied(axes, row, cost, radius) for row in rows]
    taken += _steps(axes, pareto_front(rows, cost), cost)
    # From the crowded to the lonely: points with little room choose first.
    order = sorted(rows, key=lambda row: _crowd(axes, rows, row, cost), reverse=True)
    for row in order:
        label = axes.annotate(row.label, (row.costs[cost], row.accuracy), fontsize=LABEL,
                              ha="center", va="center", xytext=(0, 0),
                              textcoords="offset points", parse_math=False)  # fmt: skip
        label.set_in_layout(False)
        taken.append(_place(canvas, axes, label, taken))


def _place(canvas: FigureCanvasAgg, axes: Axes, label: Annotation, taken: Sequence[Bbox]) -> Bbox:
    """Move a label to the nearest free place around its point; return the box it fills."""
    scale = canvas.figure.dpi / 72  # pixels in a point
    box = label.get_window_extent(canvas.get_renderer())  # centred on the point
    best, least = (0.0, 0.0), math.inf
    for x, y in _places(box.width / scale, box.height / scale):
        moved = box.translated(x * scale, y * scale)
        covered = sum(_overlap(moved, other, CLEARANCE * scale) for other in taken)
        inside = _overlap(moved, axes.bbox.padded(-CLEARANCE * scale))
        covered += moved.width * moved.height - inside
        if covered < least:
            best, least = (x, y), covered
        if not covered:
            break
    label.set_position(best)
    gap_x = max(abs(best[0]) - box.width / scale / 2, 0)
    gap_y = max(abs(best[1]) - box.height / scale / 2, 0)
    if max(gap_x, gap_y) > FAR:
        _join(axes, label, math.copysign(gap_x, best[0]), math.copysign(gap_y, best[1]))
    return box.translated(best[0] * scale, best[1] * scale)


def _join(axes: Axes, label: Annotation, x: float, y: float) -> None:
    """Draw a thin line from a point to its label's nearest spot, so many points away."""
    look = {"arrowstyle": "-", "linewidth": 0.6, "color": "0.5", "shrinkB": 4, "shrinkA": 0}
    line = axes.annotate("", label.xy, xytext=(x, y), textcoords="offset points",
                         arrowprops=look, zorder=1)  # fmt: skip
    line.set_in_layout(False)


def _places(width: float, height: float) -> Iterator[tuple[float, float]]:
    """Yield where a label's middle could be, in points from its point; the best first."""
    for distance in DISTANCES:
        for angle in ANGLES:
            x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            side, above = np.sign((round(x, 6), round(y, 6)))
            yield x * distance + side * width / 2, y * distance + above * height / 2


def _occupied(axes: Axes, row: ComparisonRow, cost: str, radius: float) -> Bbox:
    """Return the box around a point of some radius and its bar, in pixels."""
    ends = row.accuracy - row.deviation, row.accuracy + row.deviation
    return Bbox(axes.transData.transform([(row.costs[cost], y) for y in ends])).padded(radius)


def _steps(axes: Axes, front: Sequence[ComparisonRow], cost: str) -> list[Bbox]:
    """Return the boxes, as thin as the line, that the steps between the best models fill."""
    corners = axes.transData.transform([(row.costs[cost], row.accuracy) for row in front])
    boxes = []
    for (left, bottom), (right, top) in itertools.pairwise(corners):
        boxes += [Bbox([[left, bottom], [right, bottom]]), Bbox([[right, bottom], [right, top]])]
    return boxes


def _crowd(axes: Axes, rows: Sequence[ComparisonRow], row: ComparisonRow, cost: str) -> float:
    """Return how close the other points are: the sum of inverse distances in pixels."""
    places = axes.transData.transform([(other.costs[cost], other.accuracy) for other in rows])
    [mine] = axes.transData.transform([(row.costs[cost], row.accuracy)])
    return sum(1 / (1 + math.dist(mine, place)) for place in places)


def _overlap(box: Bbox, other: BboxBase, clearance: float = 0.0) -> float:
    """Return the area two boxes share, in square pixels, with some distance around the first."""
    width = min(box.x1, other.x1) - max(box.x0, other.x0) + clearance
    height = min(box.y1, other.y1) - max(box.y0, other.y0) + clearance
    return max(width, 0) * max(height, 0)
