"""The figure of feature reuse in a DenseNet: a triangle of sources and targets for each block."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from course_utils.inspection import ReuseMap
from course_utils.plots.style import FONT, INTENSITY, RED, new_figure

__all__ = ["plot_feature_reuse"]

MOST_LABELS = 14  # ticks that a panel has room for


def plot_feature_reuse(maps: Sequence[ReuseMap]) -> Figure:
    """Draw for each dense block how strongly each layer weighs the maps of each earlier one.

    Each column is drawn relative to its largest weight. A frame stands around the column of what
    reads the finished block: a transition, or the classifier.

    Args:
        maps: What `feature_reuse` returns, or some of it.

    Raises:
        ValueError: There is no map.

    Source: Huang et al. 2017, figure 5.
    Differs: the paper's colours stand for the mean absolute weight itself; see `ReuseMap.relative`.
    """
    if not maps:
        raise ValueError("no maps to draw: give what feature_reuse(model) returns")
    figure = new_figure(2.35 * len(maps) + 0.7, 2.75)
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    images = [_draw_block(axes, block) for axes, block in zip(panels, maps, strict=True)]
    for number, axes in enumerate(panels, start=1):
        axes.set_title(f"block {number}", fontsize=FONT)
    panels[0].set_ylabel("maps made by layer", fontsize=FONT)
    bar = figure.colorbar(images[-1], ax=list(panels), shrink=0.75, pad=0.02)
    bar.set_label("mean |weight|, largest\nof a column = 1", fontsize=FONT - 1)
    bar.ax.tick_params(labelsize=FONT - 2)
    return figure


def _draw_block(axes: Axes, block: ReuseMap) -> AxesImage:
    """Draw one triangle; what a layer cannot read stays white."""
    colours = colormaps[INTENSITY].with_extremes(bad="white")
    image = axes.imshow(block.relative().cpu().numpy(), cmap=colours, vmin=0, vmax=1)
    last = len(block.targets) - 1
    frame = Rectangle((last - 0.5, -0.5), 1, len(block.sources), fill=False, edgecolor=RED)
    frame.set(linewidth=2, clip_on=False)
    axes.add_patch(frame)
    _label(axes, block)
    axes.set_xlabel("read by layer", fontsize=FONT)
    axes.spines[:].set_visible(False)
    return image


def _label(axes: Axes, block: ReuseMap) -> None:
    """Name rows and columns: the first and last always, of many layers every second or third."""
    step = -(-len(block.sources) // MOST_LABELS)
    columns, rows = list(block.targets), list(block.sources)
    shown = [i for i in range(0, len(columns) - 1, step) if i < len(columns) - step]
    ticks = [*shown, len(columns) - 1]
    axes.set_xticks(ticks, [columns[i] for i in ticks], fontsize=FONT - 2)
    axes.get_xticklabels()[-1].set(rotation=30, ha="right", rotation_mode="anchor")
    ticks = list(range(0, len(rows), step))
    axes.set_yticks(ticks, [rows[i] for i in ticks], fontsize=FONT - 2)
