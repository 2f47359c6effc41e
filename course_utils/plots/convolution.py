"""Figures of convolutions: windows, weight matrices, filters, receptive fields and costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter
from torch import Tensor, nn

from course_utils.arithmetic import (
    Field,
    Layer,
    Size,
    output_sizes,
    receptive_field,
    receptive_fields,
)
from course_utils.plots.style import (
    BLUE,
    FONT,
    INTENSITY,
    LINES,
    ORANGE,
    RED,
    SIGNED,
    SKY,
    bare,
    colour_bar,
    new_figure,
    number,
    panel,
    tidy,
)

__all__ = [
    "plot_channel_sum",
    "plot_counts",
    "plot_filter_bank",
    "plot_filters",
    "plot_grids",
    "plot_maps",
    "plot_receptive_field",
    "plot_window",
    "plot_wiring",
]

CELL = 0.4  # inches: side of a cell that holds a number
LETTER = 0.19  # cells: width of a letter of a title
LARGEST = 18  # cells or kernels along a side that a figure has room for
NARROW = 40  # pixels of an image that are drawn one by one, not as a bar
WIDEST = 256  # pixels of an image that can be drawn at all

Cell = tuple[int, int]  # row and column


# --- Grids of numbers --------------------------------------------------------------------------


def plot_grids(
    grids: Sequence[Tensor],
    titles: Sequence[str],
    *,
    shared: bool = True,
    columns: int = 6,
    framed: Sequence[Iterable[Cell]] = (),
    intensity: str = INTENSITY,
) -> Figure:
    """Draw small grids side by side, with the number written in every cell.

    Args:
        grids: Each (H, W), any size up to 18 a side; a cell that is NaN stays empty.
        titles: One for each grid.
        shared: Whether all share one colour scale; otherwise each has its own.
        columns: The most grids in a row.
        framed: For each grid the cells (row, column) that get a red frame, or nothing at all.
        intensity: Colour map of values that are never negative.

    Raises:
        ValueError: A grid is not (H, W) or too large, or the titles are not one for each.
    """
    figure, panels = _grid_panels(grids, titles, columns)
    together = torch.cat([grid.flatten().double() for grid in grids])
    for axes, grid, title in zip(panels, grids, titles, strict=True):
        _draw_numbers(axes, grid, _scale(together if shared else grid, intensity))
        bare(axes, title)
    for axes, cells in zip(panels, framed, strict=False):
        for row, column in cells:
            frame = Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False, edgecolor=RED)
            axes.add_patch(frame).set_linewidth(2.2)
    return figure


def plot_window(
    image: Tensor,
    kernel: Tensor,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    position: Cell = (0, 0),
    products: bool = False,
    whole: bool = True,
) -> Figure:
    """Draw a worked example: the input with one window, the filter, and the output with its cell.

    Args:
        image: (H, W), at most 18 a side with its padding.
        kernel: (k_h, k_w).
        stride: Distance between windows.
        padding: Zeros on each side, drawn white and hatched, as they are not pixels.
        dilation: Distance between the taps of the filter.
        position: Row and column of the output cell that is marked.
        products: Whether the products that add up to that cell are drawn, too.
        whole: Whether every output cell is drawn, or only those up to the marked one.

    Raises:
        ValueError: The sizes are too large, or there is no such output cell.
    """
    batch, weight = image[None, None].double(), kernel[None, None].double()
    output = F.conv2d(batch, weight, stride=stride, padding=padding, dilation=dilation)[0, 0]
    if not all(0 <= at < size for at, size in zip(position, output.shape, strict=True)):
        raise ValueError(f"position {position} is outside the {tuple(output.shape)} output")
    padded = F.pad(image.double(), [padding] * 4)
    taps = [
        (position[0] * stride + r * dilation, position[1] * stride + c * dilation)
        for r, c in np.ndindex(*kernel.shape)
    ]
    panels = {"input": (padded, taps), "filter": (kernel, [])}
    if products:
        values = torch.stack([padded[tap] for tap in taps]).view(kernel.shape) * kernel
        values += 0.0  # a product of -0 is a 0
        panels[f"products, sum {number(float(values.sum()))}"] = (values, [])
    panels["output"] = (output, [position])
    grids, framed = zip(*panels.values(), strict=True)
    figure = plot_grids(grids, list(panels), shared=False, framed=framed)
    _hatch_padding(figure.axes[0], tuple(padded.shape), padding)
    if not whole:
        _cover_after(figure.axes[-1], position)
    return figure


def _grid_panels(
    grids: Sequence[Tensor], titles: Sequence[str], columns: int
) -> tuple[Figure, list[Axes]]:
    """Return a figure of one panel for each grid, its cells all of the same size."""
    if len(grids) == 0 or len(grids) != len(titles):
        raise ValueError(f"{len(grids)} grids and {len(titles)} titles: give one title each")
    for grid in grids:
        if grid.ndim != 2 or max(grid.shape) > LARGEST:
            shape = tuple(grid.shape)
            raise ValueError(f"shape {shape}: give (H, W), at most {LARGEST} cells a side")
    columns = min(columns, len(grids))
    rows = -(-len(grids) // columns)
    pairs = list(zip(grids, titles, strict=True))
    widths = [
        max(max(grid.shape[1], LETTER * len(title) - 0.5) for grid, title in pairs[i::columns])
        + 0.6
        for i in range(columns)
    ]
    heights = [
        max(grid.shape[0] for grid in grids[i * columns : (i + 1) * columns]) + 1.1
        for i in range(rows)
    ]
    height = sum(heights)  # in cells
    figure = new_figure(CELL * sum(widths), CELL * height)
    for index, (grid, _) in enumerate(pairs):
        row, column = divmod(index, columns)
        middle = sum(widths[:column]) + widths[column] / 2
        top = sum(heights[:row]) + 0.9 + (heights[row] - 1.1 - grid.shape[0]) / 2
        left, bottom = middle - grid.shape[1] / 2, height - top - grid.shape[0]
        panel(figure, *(CELL * at for at in (left, bottom, grid.shape[1], grid.shape[0])))
    return figure, figure.axes


def _scale(values: Tensor, intensity: str = INTENSITY) -> ScalarMappable:
    """Return colours for the values: around zero if any is negative, else from low to high."""
    known = values[~values.isnan()].double()
    if len(known) == 0:  # an empty grid needs no colour
        return ScalarMappable(Normalize(0, 1), intensity)
    low, high = float(known.min()), float(known.max())
    if low < 0:
        high = max(-low, high)
        return ScalarMappable(Normalize(-high, high), SIGNED)
    return ScalarMappable(Normalize(low, max(high, low + 1e-9)), intensity)


def _paint(axes: Axes, array: np.ndarray, scale: ScalarMappable) -> None:
    """Draw an array in the colours of a scale, its cells kept sharp."""
    low, high = scale.get_clim()
    axes.imshow(array, cmap=scale.get_cmap(), vmin=low, vmax=high, interpolation="nearest")


def _draw_numbers(axes: Axes, grid: Tensor, scale: ScalarMappable, fontsize: float = FONT) -> None:
    """Draw a grid in colour, with its numbers: whole ones as such, others with two decimals."""
    array = grid.detach().double().numpy()
    _paint(axes, array, scale)
    whole = np.array_equal(array, np.round(array), equal_nan=True)
    for (row, column), value in np.ndenumerate(array):
        if not np.isnan(value):
            dark = np.mean(scale.to_rgba(value)[:3]) < 0.5
            text = f"{value:.0f}" if whole else f"{value:.2f}"
            axes.text(column, row, text.replace("-", "−"), ha="center", va="center",
                      color="white" if dark else "black", fontsize=fontsize)  # fmt: skip


def _hatch_padding(axes: Axes, shape: tuple[int, ...], width: int) -> None:
    """Paint the outermost rows and columns white and hatched, their zeros grey."""
    for (row, column), text in _written(axes):
        if min(row, column, shape[0] - 1 - row, shape[1] - 1 - column) < width:
            _cover(axes, (row, column), facecolor="white", edgecolor="0.8", hatch="////")
            text.set(color="0.35", style="italic")


def _cover_after(axes: Axes, position: Cell) -> None:
    """Paint the cells after a position grey, without numbers; the others keep their colours."""
    for cell, text in _written(axes):
        if cell > position:
            text.remove()
            _cover(axes, cell, facecolor="0.95")


def _written(axes: Axes) -> list[tuple[Cell, Text]]:
    """Return each cell that has a number, and the number."""
    places = [(text.get_position(), text) for text in axes.texts]
    return [((int(row), int(column)), text) for (column, row), text in places]


def _cover(axes: Axes, cell: Cell, **look: Any) -> None:
    """Paint over the colour of a cell, under its number."""
    row, column = cell
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, zorder=1.5, **look))


# --- Weight matrices and other maps ------------------------------------------------------------


def plot_maps(
    maps: Sequence[Tensor],
    titles: Sequence[str],
    *,
    xlabel: str = "",
    ylabel: str = "",
    size: float = 2.1,
    shared: bool = True,
    columns: int = 6,
) -> Figure:
    """Draw maps of numbers side by side; exact zeros stay white.

    Args:
        maps: Each (H, W): weight matrices, gradients, differences.
        titles: One for each map.
        xlabel: What the columns are.
        ylabel: What the rows are.
        size: Width of each map, in inches.
        shared: Whether all share one colour scale, drawn beside them; otherwise each has its own.
        columns: The most maps in a row.

    Raises:
        ValueError: A map is not (H, W), or the titles are not one for each.
    """
    if len(maps) == 0 or len(maps) != len(titles) or any(values.ndim != 2 for values in maps):
        shapes = [tuple(values.shape) for values in maps]
        raise ValueError(f"shapes {shapes} and {len(titles)} titles: give (H, W), one title each")
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    figure = new_figure(size * columns + 0.9 * shared, (size + 0.3) * rows + 0.3 * shared)
    panels = figure.subplots(rows, columns, squeeze=False)
    scale = _scale(torch.cat([values.detach().flatten().double() for values in maps]))
    for axes in panels.flat[len(maps) :]:
        axes.set_axis_off()
    for axes, values, title in zip(panels.flat, maps, titles, strict=False):
        array = np.ma.masked_equal(values.detach().double().numpy(), 0)
        _paint(axes, array, scale if shared else _scale(values))
        bare(axes, title)
        axes.spines[:].set(visible=True, color="0.7")
        axes.set_xlabel(xlabel, fontsize=FONT)
    panels[0, 0].set_ylabel(ylabel, fontsize=FONT)
    if shared:
        colour_bar(figure, scale, list(panels.flat[: len(maps)]), shrink=0.8, aspect=15)
    return figure


def plot_filter_bank(weight: Tensor, groups: int = 1, size: float = 0.42) -> Figure:
    """Draw the weights of a convolution: a row for each filter, a column for each input channel.

    With groups, a filter has no weights for the channels of the other groups: these stay white.

    Args:
        weight: (c_out, c_in / groups, k_h, k_w).
        groups: As in `nn.Conv2d`.
        size: Side of one kernel, in inches.

    Raises:
        ValueError: Not four axes, too many kernels to draw, or c_out is not a multiple of groups.
    """
    if weight.ndim != 4 or max(weight.shape[0], weight.shape[1] * groups) > LARGEST:
        raise ValueError(
            f"weight {tuple(weight.shape)} in {groups} groups: give (c_out, c_in / groups, k, k) "
            f"with at most {LARGEST} channels"
        )
    if weight.shape[0] % groups:
        raise ValueError(f"{weight.shape[0]} filters cannot be split into {groups} groups")
    c_out, per_group = weight.shape[:2]
    c_in = per_group * groups
    figure = new_figure(size * c_in + 1.6, 1.12 * size * c_out + 0.5)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    panels = figure.subplots(c_out, c_in, squeeze=False)
    scale = _scale(torch.cat([weight.detach().flatten(), -weight.detach().flatten()]))
    for axes, (filter_index, channel) in zip(panels.flat, np.ndindex(c_out, c_in), strict=True):
        first = filter_index * groups // c_out * per_group  # the first channel of its group
        if first <= channel < first + per_group:
            kernel = weight[filter_index, channel - first].detach().numpy()
            _paint(axes, kernel, scale)
        bare(axes, str(channel) if filter_index == 0 else "")
        axes.set_box_aspect(weight.shape[2] / weight.shape[3])
    for index, axes in enumerate(panels[:, 0]):
        axes.set_ylabel(f"{index}", fontsize=FONT, rotation=0, ha="right", va="center")
    figure.supxlabel("input channel (numbers on top)", fontsize=FONT)
    figure.supylabel("filter = output channel", fontsize=FONT)
    colour_bar(figure, scale, list(panels.flat), "weight", shrink=0.7, aspect=15, pad=0.04)
    return figure


def plot_channel_sum(
    image: Tensor,
    weight: Tensor,
    bias: float,
    *,
    position: Cell = (0, 0),
    channels: Sequence[int] | None = None,
) -> Figure:
    """Draw how one filter makes one map: each channel times its kernel, the sum, and the bias.

    One window is framed, and so is what it gives.

    Args:
        image: (C, H, W), at most 18 a side.
        weight: (C, k_h, k_w), one filter.
        bias: The filter's bias.
        position: Row and column of the map that the framed window gives.
        channels: The channels' numbers, for the titles; from 1 by default.

    Raises:
        ValueError: The filter does not have a kernel for each channel, or the sizes are too large.
    """
    if len(image) != len(weight):
        raise ValueError(f"{len(image)} channels and {len(weight)} kernels: give one kernel each")
    alone = F.conv2d(image[None].double(), weight[:, None].double(), groups=len(image))[0]
    window = [(position[0] + r, position[1] + c) for r, c in np.ndindex(*weight.shape[1:])]
    empty = torch.full_like(alone[0], torch.nan)
    sums = {0: ("sum over the channels", alone.sum(0)), len(image) - 1: (
        f"+ bias {number(bias)} = map", alone.sum(0) + bias)}  # fmt: skip
    grids, titles, framed = [], [], []
    for row, channel in enumerate(channels or range(1, len(image) + 1)):
        last, total = sums.get(row, ("", empty))
        grids += [image[row], weight[row], alone[row], total]
        titles += [f"channel {channel}", f"kernel {channel}", "their convolution", last]
        framed += [window, [], [position], [position] if last else []]
    return plot_grids(grids, titles, columns=4, framed=framed)


def plot_wiring(layers: Mapping[str, nn.Conv2d]) -> Figure:
    """Draw which channels each filter of some convolutions reads, a panel for each layer.

    A line is one kernel. It joins an input channel, on the left, to a filter, on the right.

    Args:
        layers: Title -> layer, with at most 18 channels in and out.

    Raises:
        ValueError: There is no layer, or one with too many channels.
    """
    channels = [max(layer.in_channels, layer.out_channels) for layer in layers.values()]
    if not 1 <= max(channels, default=0) <= LARGEST:
        raise ValueError(f"{channels} channels: give at least one layer, each with at most 18")
    figure = new_figure(1.85 * len(layers), 0.28 * max(channels) + 0.9)
    for axes, (title, layer) in zip(
        figure.subplots(1, len(layers), squeeze=False)[0], layers.items(), strict=True
    ):
        _draw_wiring(axes, layer)
        bare(axes, f"{title}\n{layer.weight.numel()} weights")
    return figure


def _draw_wiring(axes: Axes, layer: nn.Conv2d) -> None:
    """Draw the channels of a layer as squares, and a line for each of its kernels."""
    per_group, filters = layer.weight.shape[1], layer.out_channels // layer.groups
    for index in range(layer.out_channels):
        group = index // filters
        for channel in range(group * per_group, (group + 1) * per_group):
            ends = [_height(channel, layer.in_channels), _height(index, layer.out_channels)]
            axes.plot([0, 1], ends, color=LINES[group % len(LINES)], linewidth=0.8, zorder=1)
    for x, num, colour in ((0, layer.in_channels, ORANGE), (1, layer.out_channels, SKY)):
        heights = [_height(index, num) for index in range(num)]
        axes.scatter([x] * num, heights, s=70, marker="s", color=colour, edgecolor="0.3", zorder=2)
    axes.set_xlim(-0.25, 1.25)
    axes.set_xlabel("channels → filters", fontsize=FONT)


def _height(index: int, num: int) -> float:
    """Return where one of several channels is drawn: the first on top, the middle at 0."""
    return (num - 1) / 2 - index


# --- What filters do ---------------------------------------------------------------------------


def plot_filters(kernels: Mapping[str, Tensor], responses: Sequence[Tensor]) -> Figure:
    """Draw filters, and below each the image that it filtered.

    A filter whose weights sum to zero gives a map of differences, drawn in two colours around
    zero. Any other gives an image, drawn in grey from 0 to 1.

    Args:
        kernels: Name -> (k_h, k_w).
        responses: What each filter gave, (H, W) float.

    Raises:
        ValueError: There is no filter, or not one response for each.
    """
    if not kernels or len(kernels) != len(responses):
        raise ValueError(f"{len(kernels)} filters and {len(responses)} responses: give one each")
    columns = min(4, len(kernels))
    rows = -(-len(kernels) // columns)
    width = 7.6 / columns
    height = width * responses[0].shape[0] / responses[0].shape[1]
    figure = new_figure(7.6, rows * (height + 1.25))
    panels = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[0.95, height] * rows)
    for axes in panels.flat:
        axes.set_axis_off()
    for index, ((name, kernel), response) in enumerate(
        zip(kernels.items(), responses, strict=True)
    ):
        row, column = divmod(index, columns)
        _draw_kernel(panels[2 * row, column], kernel, name)
        signed = abs(float(kernel.double().sum())) < 1e-5
        _draw_response(panels[2 * row + 1, column], response, signed=signed)
    return figure


def _draw_kernel(axes: Axes, kernel: Tensor, name: str) -> None:
    """Draw a filter, with its numbers if they can be read, and the sum of its weights."""
    axes.set_axis_on()
    scale = _scale(torch.cat([kernel.flatten(), -kernel.flatten()]))
    if max(kernel.shape) <= 3:
        _draw_numbers(axes, kernel, scale, FONT - 2)
    else:
        _paint(axes, kernel.numpy(), scale)
    bare(axes, f"{name}\nsum {number(float(kernel.double().sum()))}")


def _draw_response(axes: Axes, response: Tensor, *, signed: bool) -> None:
    axes.set_axis_on()
    array = response.detach().numpy()
    # A photo has a few huge differences: the scale ends before them, or all else would be pale.
    high = float(np.quantile(np.abs(array), 0.95)) or 1.0
    look = {"cmap": SIGNED, "vmin": -high, "vmax": high} if signed else {"cmap": "gray"}
    axes.imshow(array, interpolation="nearest", **({"vmin": 0, "vmax": 1} | look))
    bare(axes)


# --- Receptive fields --------------------------------------------------------------------------


@dataclass(frozen=True)
class Level:
    """One row of a receptive-field figure: the positions of a layer, or the pixels."""

    label: str  # what stands at its left
    num: int  # positions, padding not counted
    seen: tuple[int, int]  # first and last position that is seen; either may lie in the padding
    offset: float  # where position 0 is drawn, in pixels of the image
    jump: int  # distance between neighbouring positions, in pixels of the image
    merged: bool  # whether neighbours are drawn as one bar

    @property
    def half(self) -> float:
        """Half the width of a position, in pixels of the image."""
        return self.jump / 2 if self.merged else 0.42

    def x(self, position: int) -> float:
        """Return where a position is drawn: above the middle of what it sees."""
        return self.offset + position * self.jump


def plot_receptive_field(layers: Sequence[Layer], n: int, output: int | None = None) -> Figure:
    """Draw what one output sees in every layer below it, along one axis of the image.

    Args:
        layers: The stack, from the image upwards; its sizes are plain integers.
        n: Pixels of the image, at most 256; more than 40 are drawn as bars.
        output: Which output of the last layer; the middle one by default.

    Raises:
        ValueError: There is no layer, the image is too wide, or there is no such output.
    """
    if not layers or n > WIDEST:
        raise ValueError(
            f"{len(layers)} layers on {n} pixels: give a layer, and at most {WIDEST} pixels"
        )
    levels = _levels(layers, n, output)
    figure = new_figure(min(0.25 * n + 2.2, 9.2), 0.5 * len(levels) + 0.5)
    axes = figure.subplots()
    last = layers[-1].name or f"layer {len(layers)}"
    axes.set_title(f"in colour: what one output of {last} sees", fontsize=FONT)
    for height, level in enumerate(levels):
        _draw_level(axes, height, level)
    for height, (below, above) in enumerate(pairwise(levels)):
        _draw_cone(axes, height, below, above)
    labels = [level.label for level in levels]
    axes.set_yticks(range(len(levels)), labels, fontsize=FONT)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.autoscale_view()
    return figure


def _levels(layers: Sequence[Layer], n: int, output: int | None) -> list[Level]:
    """Return the image and every layer, each with the range that the output sees of it."""
    sizes = [n, *(_plain(size) for size in output_sizes(n, layers))]
    output = sizes[-1] // 2 if output is None else output
    if not 0 <= output < sizes[-1]:
        raise ValueError(f"output {output} does not exist: the last layer has {sizes[-1]}")
    fields = [Field(), *receptive_fields(layers)]
    names = [
        "image",
        *(layer.name or f"layer {i}, {layer.k} wide" for i, layer in enumerate(layers, 1)),
    ]
    ranges = seen_ranges(layers, output)
    levels = []
    for name, num, field, seen in zip(names, sizes, fields, ranges, strict=True):
        middle = _plain(field.start) + (_plain(field.size) - 1) / 2
        real = min(seen[1], num - 1) - max(seen[0], 0) + 1
        padding = seen[1] - seen[0] + 1 - real
        label = f"{name}: {real} of {num}" + (f", {padding} in the padding" if padding else "")
        levels.append(Level(label, num, seen, middle, _plain(field.jump), merged=n > NARROW))
    return levels


def seen_ranges(layers: Sequence[Layer], output: int) -> list[tuple[int, int]]:
    """Return the first and last position that an output sees at each level, the image first.

    There is one level more than layers; what lies below 0 or past the edge is padding.
    """
    ranges = []
    for level in range(len(layers) + 1):
        field = receptive_field(layers[level:])
        first = _plain(field.start) + output * _plain(field.jump)
        ranges.append((first, first + _plain(field.size) - 1))
    return ranges


def _plain(size: Size) -> int:
    """Return the size as one integer; this figure shows one axis, so it takes no pair."""
    if not isinstance(size, int):
        raise ValueError(f"size {size} is a pair: this figure shows one axis, give integers")
    return size


def _draw_level(axes: Axes, height: int, level: Level) -> None:
    """Draw the positions of a level as boxes: seen ones filled, padding dotted."""
    first, last = level.seen

    def look(position: int) -> tuple[bool, bool] | int:
        kind = first <= position <= last, 0 <= position < level.num
        return kind if level.merged else position

    for _, group in groupby(range(min(0, first), max(level.num - 1, last) + 1), look):
        run = list(group)
        inside, real = first <= run[0] <= last, 0 <= run[0] < level.num
        colour = (SKY if height else ORANGE) if real else "white"
        left, right = level.x(run[0]) - level.half, level.x(run[-1]) + level.half
        fill, edge = (colour, "0.35") if inside else ("0.93", "0.7")
        box = Rectangle((left, height - 0.28), right - left, 0.56, facecolor=fill, edgecolor=edge)
        axes.add_patch(box).set_linestyle("-" if real else ":")


def _draw_cone(axes: Axes, height: int, below: Level, above: Level) -> None:
    """Shade what lies between the seen positions of two neighbouring levels."""
    corners = [
        (below.x(below.seen[0]) - below.half, height + 0.28),
        (below.x(below.seen[1]) + below.half, height + 0.28),
        (above.x(above.seen[1]) + above.half, height + 0.72),
        (above.x(above.seen[0]) - above.half, height + 0.72),
    ]
    axes.add_patch(Polygon(corners, facecolor=SKY, alpha=0.25, edgecolor="none"))


# --- Costs -------------------------------------------------------------------------------------


def plot_counts(counts: Mapping[str, int], xlabel: str, *, log: bool = True) -> Figure:
    """Draw counts as bars, each with its number.

    Args:
        counts: Name -> count, at least 1.
        xlabel: What is counted.
        log: Whether the scale is logarithmic, for counts of very different sizes. Where their
            ratio is the point, draw them to scale.

    Raises:
        ValueError: There is nothing to draw, or a count below 1, which has no logarithm to show.
    """
    if not counts or min(counts.values()) < 1:
        raise ValueError(f"counts {dict(counts)}: give at least one, each at least 1")
    figure = new_figure(6.6, 0.34 * len(counts) + 0.75)
    axes = figure.subplots()
    names, values = list(counts), list(counts.values())
    bars = axes.barh(names, values, color=BLUE, height=0.65)
    axes.bar_label(bars, [f" {value:,}" for value in values], fontsize=FONT - 1)
    tidy(axes, f"{xlabel}, logarithmic scale" if log else xlabel, "")
    if log:
        axes.set_xscale("log")
        axes.set_xlim(0.8, max(values) ** 1.22 * 2)
    else:
        axes.set_xlim(0, 1.25 * max(values))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    return figure
