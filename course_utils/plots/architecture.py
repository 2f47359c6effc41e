"""Diagrams of networks, drawn from the modules themselves: one block, or a whole net."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox
from torch import nn

from course_utils.inspection.trace import Operation, Shape, Step, list_steps, parts_of
from course_utils.plots.graph import Arrow, Slot, arrange, merge
from course_utils.plots.style import BLUE, FONT, GREEN, ORANGE, PINK, SKY, YELLOW, new_figure

__all__ = ["plot_architecture", "plot_block"]

COLOURS = {
    "convolution": BLUE,
    "linear": PINK,
    "pooling": ORANGE,
    "norm": YELLOW,
    "activation": GREEN,
    "other": SKY,
}
LINE, CELL = 0.21, 0.22  # inches: height of a line of text, and of an operation's cell
GAP, WIDE_GAP = 0.44, 0.64  # inches between two rows; wide where a line bends beside a size
CHARACTER, DIGIT = 0.068, 0.074  # inches: average width of a letter and of a digit in labels
ASIDE, HALF = 0.05, 0.07  # inches: from a line to its size, and half of the size's height
FINE = Affine2D().scale(100)  # without it, curves would be taken for a few straight lines
SMALL = FONT - 1  # points
KINDS = {"stem": "convolution", "pool": "pooling", "transition": "pooling", "classifier": "linear"}
MOST_STEPS = 100  # of one block: more would fill many pages

Stage = tuple[str, Shape]


# --- One block ---------------------------------------------------------------------------------


def plot_block(
    module: nn.Module, input_shape: Shape | Sequence[Shape], *, title: str = ""
) -> Figure:
    """Draw what happens inside one block, from top to bottom, with sizes on the arrows.

    The module is traced, so the diagram cannot differ from the code. It shows evaluation mode.

    Args:
        module: A block such as `BasicBlock`, `Inception` or `VGGBlock`.
        input_shape: (C, H, W) of its input; a list of such shapes where it takes a list of
            tensors, as `DenseLayer` does.
        title: Title above the diagram.

    Raises:
        ValueError: The block cannot take the input, has too many steps, or branches on the values
            in its tensors.

    Example:
        >>> from course_utils.models.resnet import BasicBlock
        >>> figure = plot_block(BasicBlock(64, 128, stride=2), (64, 56, 56))
    """

    def is_step(part: nn.Module) -> bool:
        is_torch = type(part).__module__.startswith("torch.nn")
        return not isinstance(part, nn.Sequential) and (is_torch or not parts_of(part))

    steps = merge(list_steps(module, input_shape, is_step))
    if len(steps) > MOST_STEPS:
        raise ValueError(
            f"{type(module).__name__} has {len(steps)} steps, of which {MOST_STEPS} can be drawn: "
            "draw its parts"
        )
    rows, arrows = arrange(steps, lambda k, passing: _room(steps[k], passing))
    return _Drawing(steps, rows, arrows).figure(title)


def _box(step: Step) -> tuple[float, float]:
    """Return width and height of a step's box, in inches."""
    if _is_round(step):
        return 0.3, 0.3
    longest = max(len(operation.text) for operation in step.operations)
    return longest * CHARACTER + 0.2, CELL * len(step.operations) + 0.04


def _is_round(step: Step) -> bool:
    return step.kind == "join" and len(step.operations[0].text) == 1


def _room(step: Step, passing: bool) -> tuple[float, float]:
    """Return left and right of a slot's centre, with the label beside its arrow."""
    label = len(_size(step.shapes)) * DIGIT + 0.1
    side = max(_box(step)[0] / 2 + 0.1, label)
    return (0.12, label) if passing else (side, side)


def _size(shapes: Sequence[Shape]) -> str:
    """Write `64×56×56`; of a list, `(64+32+32)×56×56`."""
    if len(shapes) == 1:
        return "×".join(map(str, shapes[0]))
    channels = "+".join(str(shape[0]) for shape in shapes)
    return "×".join([f"({channels})", *map(str, shapes[0][1:])])


class _Drawing:
    """Draws steps whose places are known; inches from the upper left corner, y pointing down."""

    def __init__(
        self, steps: Sequence[Step], rows: Sequence[Sequence[Slot]], arrows: Sequence[Arrow]
    ) -> None:
        self.steps, self.rows, self.arrows = steps, rows, arrows
        self.boxes = [_box(step) for step in steps]
        self.width = max(slot.x + slot.right for row in rows for slot in row)
        self.tops: list[float] = []
        self.heights = [max(self.boxes[s.step][1] for s in row if not s.passing) for row in rows]
        self.row = {slot: i for i, row in enumerate(rows) for slot in row}
        bent = {self.row[here] for arrow in arrows for here, there in pairwise(arrow)
                if abs(here.x - there.x) > 0.05}  # fmt: skip
        bottom = 0.05
        for i, height in enumerate(self.heights):
            gap = WIDE_GAP if i - 1 in bent else GAP
            self.tops.append(bottom + (gap if i else 0))
            bottom = self.tops[-1] + height
        self.height = bottom + 0.05

    def figure(self, title: str) -> Figure:
        """Return the figure, just large enough for its content."""
        head = 0.3 if title else 0.0
        width = max(self.width, len(title) * CHARACTER * 1.2) + 0.2
        figure, axes = _canvas(width, self.height + head, top=-head)
        self.shift = (width - self.width) / 2
        if title:
            axes.text(width / 2, -head + 0.14, title, fontsize=FONT + 1, ha="center", va="center")
        self.paths = {arrow: self._route(arrow) for arrow in self.arrows}
        self.lines = [FINE.transform_path(path) for path in self.paths.values()]
        self.labels: list[Bbox] = []
        for arrow in self.arrows:
            self._draw_arrow(axes, arrow)
            self._draw_label(axes, arrow)
        for row in self.rows:
            for slot in row:
                if not slot.passing:
                    self._draw_step(axes, slot)
        return figure

    def _middle(self, slot: Slot) -> tuple[float, float]:
        row = self.row[slot]
        return slot.x + self.shift, self.tops[row] + self.heights[row] / 2

    def _draw_step(self, axes: Axes, slot: Slot) -> None:
        step, (width, height) = self.steps[slot.step], self.boxes[slot.step]
        x, y = self._middle(slot)
        if step.kind in ("input", "output"):
            axes.text(x, y, step.kind, fontsize=FONT, ha="center", va="center", style="italic")
        elif _is_round(step):
            axes.add_patch(Circle((x, y), 0.15, facecolor="white", edgecolor="black"))
            axes.text(x, y, step.operations[0].text, fontsize=FONT + 3, ha="center",
                      va="center_baseline")  # fmt: skip
        else:
            _draw_cells(axes, step.operations, x - width / 2, y - height / 2, (width, height))

    def _draw_arrow(self, axes: Axes, arrow: Arrow) -> None:
        axes.add_patch(FancyArrowPatch(path=self.paths[arrow], arrowstyle="-|>", mutation_scale=8,
                                       linewidth=0.9, color="0.25", shrinkA=0,
                                       shrinkB=0))  # fmt: skip

    def _draw_label(self, axes: Axes, arrow: Arrow) -> None:
        """Write the size beside the line, where it hides as few lines and sizes as possible."""
        text = _size(self.steps[arrow[0].step].shapes)
        width = len(text) * DIGIT
        places = [
            (Bbox.from_bounds(left, y - HALF, width, 2 * HALF), side)
            for x, y in self._label_places(arrow)
            for left, side in ((x + ASIDE, "left"), (x - ASIDE - width, "right"))
        ]
        box, side = min(places, key=lambda place: self._hidden(place[0]))
        self.labels.append(box)
        axes.text(box.x0 if side == "left" else box.x1, (box.y0 + box.y1) / 2, text,
                  fontsize=SMALL, va="center", ha=side, color="0.1")  # fmt: skip

    def _hidden(self, box: Bbox) -> int:
        """Count the lines and sizes under a label; a label off the page is worse than any."""
        around = box.padded(0.03).transformed(FINE)
        num_lines = sum(line.intersects_bbox(around, filled=False) for line in self.lines)
        off_page = box.x0 < 0 or box.x1 > self.width + 2 * self.shift
        return num_lines + box.count_overlaps(self.labels) + 99 * off_page

    def _route(self, arrow: Arrow) -> Path:
        """Return a line that curves between rows and runs straight beside the steps it passes."""
        first, *_, last = arrow
        here = self._exit(first)
        vertices, codes = [here], [int(Path.MOVETO)]
        for slot in arrow[1:]:
            goal = self._entry(arrow) if slot is last else self._beside(slot, top=True)
            middle = (here[1] + goal[1]) / 2
            vertices += [(here[0], middle), (goal[0], middle), goal]
            codes += [int(Path.CURVE4)] * 3
            here = goal
            if slot is not last:
                here = self._beside(slot, top=False)
                vertices.append(here)
                codes.append(int(Path.LINETO))
        return Path(vertices, codes)

    def _beside(self, slot: Slot, *, top: bool) -> tuple[float, float]:
        row = self.row[slot]
        y = self.tops[row] + (0 if top else self.heights[row])
        return slot.x + self.shift, y

    def _arriving(self, slot: Slot) -> list[Arrow]:
        arriving = [arrow for arrow in self.arrows if arrow[-1] is slot]
        return sorted(arriving, key=lambda arrow: arrow[-2].x)

    def _exit(self, slot: Slot) -> tuple[float, float]:
        """Return where arrows begin: below the middle of their step."""
        x, y = self._middle(slot)
        return x, y + self.boxes[slot.step][1] / 2

    def _entry(self, arrow: Arrow) -> tuple[float, float]:
        """Return where an arrow ends: on top of its step, beside the others that end there."""
        slot = arrow[-1]
        width, height = self.boxes[slot.step]
        arriving = self._arriving(slot)
        place = arriving.index(arrow) - (len(arriving) - 1) / 2
        spread = min(0.16, width * 0.8 / len(arriving))
        x, y = self._middle(slot)
        return x + place * spread, y - height / 2 + (0.02 if width < 0.4 else 0)

    def _label_places(self, arrow: Arrow) -> list[tuple[float, float]]:
        """Return spots on the line, the best first: beside what it passes; else ends and middle."""
        if len(arrow) > 2:
            return [self._middle(slot) for slot in arrow[-2:0:-1]]
        first, last = arrow
        (start, below), (end, above) = self._exit(first), self._entry(arrow)
        ends = [(start, below + 0.13), (end, above - 0.13)]
        joins = len(self._arriving(last)) > 1
        forks = sum(other[0] is first for other in self.arrows) > 1
        middle = ((start + end) / 2, (below + above) / 2)
        return [middle, *ends] if joins == forks else [*(ends if joins else ends[::-1]), middle]


def _draw_cells(
    axes: Axes, operations: Sequence[Operation], x: float, top: float, size: tuple[float, float]
) -> None:
    """Draw the operations of one step as cells on top of each other."""
    width, height = size[0], size[1] / len(operations)
    for i, operation in enumerate(operations):
        y = top + i * height
        cell = Rectangle((x, y), width, height, facecolor=_tint(operation.kind),
                         edgecolor="0.25", linewidth=0.9)  # fmt: skip
        axes.add_patch(cell)
        axes.text(x + width / 2, y + height / 2, operation.text, fontsize=SMALL,
                  ha="center", va="center_baseline")  # fmt: skip


def _tint(kind: str, strength: float = 0.3) -> tuple[float, float, float]:
    """Return the colour of a kind, light enough to write on."""
    parts = to_rgb(COLOURS.get(kind, "white"))
    red, green, blue = (1 - strength * (1 - part) for part in parts)
    return red, green, blue


def _canvas(width: float, height: float, top: float = 0.0) -> tuple[Figure, Axes]:
    """Return a figure whose coordinates are inches from the upper left corner, y pointing down."""
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(top + height, top)
    axes.set_axis_off()
    return figure, axes


# --- A whole net -------------------------------------------------------------------------------

MOST_STAGES = 20  # that a notebook's width has room for
WIDTH = 7.2  # inches, at most
TALLEST = 1.5  # inches: height of the largest block
WIDEST = 4096  # channels of a block that fills its place


def plot_architecture(
    net: nn.Module | Sequence[Stage], input_shape: Shape, *, title: str = ""
) -> Figure:
    """Draw a whole net from left to right, with a block for the output of each stage.

    The height of a block grows with the square root of the height of its maps, its width with
    the logarithm of their number. Consecutive layers of the same kind and output size
    form one stage; in a net with many stages, so do neighbouring blocks of the same type.

    Args:
        net: A model whose layers form a chain, or its stages as (label, output shape). A stage
            called stem, pool, transition or classifier has the colour of its kind.
        input_shape: (C, H, W) of an image.
        title: Title above the diagram.

    Raises:
        ValueError: The model cannot take the input, is not a chain, or has too many stages.

    Example:
        >>> from course_utils import models
        >>> figure = plot_architecture(models.build("lenet5"), (1, 28, 28), title="LeNet-5")
    """
    if isinstance(net, nn.Module):
        stages = _model_stages(net, input_shape)
    else:
        given = [_Stage((text,), s, kind=KINDS.get(text, "other")) for text, s in net]
        stages = [_Stage(("input",), input_shape, kind="input"), *given]
    if len(stages) > MOST_STAGES:
        raise ValueError(f"{len(stages)} stages do not fit: give at most {MOST_STAGES} as a list")
    return _draw_stages(stages, title)


@dataclass(frozen=True)
class _Stage:
    """Equal layers in a row: the name of each, the output shape of the last, their number."""

    lines: tuple[str, ...]
    shape: Shape
    count: int = 1
    kind: str = "other"

    @property
    def label(self) -> str:
        """The lines, and how many layers they stand for."""
        text = "\n".join(self.lines)
        if self.count == 1:
            return text
        return f"{self.count} × ({text})" if "×" in text else f"{self.count} × {text}"


def _model_stages(net: nn.Module, input_shape: Shape) -> list[_Stage]:
    containers = (nn.Sequential, nn.ModuleDict, nn.ModuleList)
    steps = list_steps(net, input_shape, lambda part: not isinstance(part, containers))
    if any(len(step.sources) > 1 for step in steps):
        name = type(net).__name__
        raise ValueError(f"{name} is not a chain: draw it with plot_block, or give its stages")
    units = [
        _Stage((step.operations[0].text,), step.shapes[0], kind=step.kind)
        for step in steps
        if step.kind not in ("norm", "activation", "output")
        and step.operations[0].text not in ("Flatten", "flatten")
    ]
    stages = list(_grouped(units, by_channels=True))
    return stages if len(stages) <= 14 else list(_grouped(units, by_channels=False))


def _grouped(units: Sequence[_Stage], *, by_channels: bool) -> Iterator[_Stage]:
    """Join neighbours with the same label and output size, or with the same height alone."""

    def key(unit: _Stage) -> tuple[object, ...]:
        size = unit.shape if by_channels or unit.kind != "other" else unit.shape[1:]
        return (unit.lines, size)

    for _, group in groupby(units, key):
        members = list(group)
        last = members[-1]
        yield _Stage(last.lines, last.shape, len(members), last.kind)


def _draw_stages(stages: Sequence[_Stage], title: str) -> Figure:
    tallest = max(_root(stage.shape) for stage in stages)
    heights = [TALLEST * _root(stage.shape) / tallest for stage in stages]
    slot = min(0.75, (WIDTH - 0.1) / len(stages))
    width = max(slot * len(stages), len(title) * CHARACTER * 1.2) + 0.1
    above = [len(stage.label) * CHARACTER - (TALLEST - height) / 2
             for stage, height in zip(stages, heights, strict=True)]  # fmt: skip
    head = max(*above, 0.0) + (0.3 if title else 0.0) + 0.1
    figure, axes = _canvas(width, head + TALLEST + 0.4)
    if title:
        axes.text(width / 2, 0.16, title, fontsize=FONT + 1, ha="center", va="center")
    middle = head + TALLEST / 2
    centres = [width / 2 + (i + 0.5 - len(stages) / 2) * slot for i in range(len(stages))]
    axes.plot([centres[0], centres[-1]], [middle, middle], color="0.6", linewidth=0.9, zorder=0)
    for stage, x, height in zip(stages, centres, heights, strict=True):
        _draw_stage(axes, stage, (x, middle), height, slot)
    return figure


def _draw_stage(
    axes: Axes, stage: _Stage, centre: tuple[float, float], height: float, slot: float
) -> None:
    """Draw a block with its label above and its size below it."""
    x, middle = centre
    width = slot * 0.78 * math.log2(stage.shape[0] + 1) / math.log2(WIDEST + 1)
    width = max(width, 0.05)
    block = Rectangle((x - width / 2, middle - height / 2), width, height, linewidth=0.9,
                      facecolor=_tint(stage.kind, 0.45), edgecolor="0.25")  # fmt: skip
    axes.add_patch(block)
    axes.text(x, middle - height / 2 - 0.05, stage.label, fontsize=SMALL, rotation=90,
              ha="center", va="bottom", linespacing=1.1)  # fmt: skip
    channels, *sides = map(str, stage.shape)
    size = f"{channels}\n{'×'.join(sides)}" if sides else channels
    fontsize = SMALL - 1 if slot > 0.47 else SMALL - 2
    axes.text(x, middle + TALLEST / 2 + 0.07, size, fontsize=fontsize, ha="center", va="top")


def _root(shape: Shape) -> float:
    """Return the root of the height of the maps; a vector is a map of one pixel."""
    return math.sqrt(shape[1]) if len(shape) > 1 else 1.0
