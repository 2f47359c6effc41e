"""A trained net to scale: the image, its filters and its maps, in one row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.inspection.capture import capture, find_layer, in_mode
from course_utils.plots.style import FONT, SIGNED, bare, new_figure, panel

__all__ = ["plot_inside"]

MOST = 16  # channels of a layer that are drawn
INPUTS = 6  # kernels of a filter that are drawn
SIDE = 15  # pixels of the image that a kernel is enlarged to, about
HEIGHT = 121  # pixels of a sheet, about
GAP = 12  # pixels between two stages
LETTER = 3  # pixels: width of a letter of a title, about
WIDTH = 9.0  # inches


@dataclass(frozen=True)
class Stage:
    """What one step of the net is drawn as: its title, and its tiles of pixels."""

    title: str
    tiles: Tensor  # (rows, columns, h, w); NaN where there is none
    gap: int = 1  # empty pixels between two tiles

    @property
    def canvas(self) -> Tensor:
        """All tiles on one sheet (H, W)."""
        rows, columns, height, width = self.tiles.shape
        high, wide = height + self.gap, width + self.gap
        sheet = torch.full((rows, high, columns, wide), torch.nan)
        sheet[:, :height, :, :width] = self.tiles.permute(0, 2, 1, 3)
        return sheet.reshape(rows * high, columns * wide)[: -self.gap, : -self.gap]

    @property
    def width(self) -> int:
        """Pixels that the sheet or its title needs across."""
        return max(self.canvas.shape[1], LETTER * max(map(len, self.title.split("\n"))))


@torch.no_grad()
def plot_inside(model: nn.Module, image: Tensor, layers: Iterable[str]) -> Figure:
    """Draw what some layers of a model hold for one image, from left to right and to scale.

    Every pixel of the image and of a map has the same size, and so has a unit of a linear layer,
    drawn as a column. Before the maps of a convolution stand its filters, one in each row, a
    kernel for each input channel; they are enlarged, by a factor that stands above them. Of each
    layer at most 16 channels are drawn, and of its filters as many as there is room for, each
    with at most 6 kernels. What has negative values is drawn in two colours around zero, all else
    in grey from zero.

    Args:
        model: Any model that takes the image; it is run in evaluation mode.
        image: (C, H, W), float, as the model takes it.
        layers: Names of convolutions, pooling and linear layers, from the image to the logits.

    Raises:
        ValueError: There is no such layer, or its output is neither maps nor a vector.

    Example:
        >>> from course_utils import models
        >>> image = torch.rand(1, 28, 28)
        >>> figure = plot_inside(models.build("lenet5"), image, ["features.0", "features.2"])
    """
    names = list(layers)
    with in_mode(model, training=False), capture(model, names) as captured:
        model(image[None])
    grey = image.mean(dim=0).cpu()
    stages = [Stage(f"image\n{_sides(image)}", (grey - grey.min())[None, None])]
    for name in names:
        stages += _stages(find_layer(model, name), captured.features[name][0].cpu(), name)
    return _draw(stages)


def _stages(layer: nn.Module, output: Tensor, name: str) -> Iterator[Stage]:
    """Yield the filters of a convolution, and the output of any layer."""
    if output.ndim not in (1, 3):
        raise ValueError(f"layer {name!r} gives {tuple(output.shape)}: give one with (C, H, W)")
    if isinstance(layer, nn.Conv2d):
        weight = layer.weight.detach().cpu()
        size = "×".join(map(str, weight.shape))
        zoom = max(1, SIDE // max(weight.shape[2:]))
        rows = max(1, HEIGHT // (zoom * (weight.shape[2] + 1)))
        shown = weight[: min(rows, MOST), :INPUTS]
        some = "" if len(shown) == len(weight) else f"the first {len(shown)} "
        enlarged = shown.repeat_interleave(zoom, dim=2).repeat_interleave(zoom, dim=3)
        yield Stage(f"{some}filters, {zoom}×\n{size}", enlarged, gap=zoom)
    title = f"{type(layer).__name__.removesuffix('2d')}\n{_sides(output)}"
    if output.ndim == 1:
        yield Stage(title, output[None, None, :, None].expand(-1, -1, -1, 4))
    else:
        yield Stage(title, _packed(output[:MOST]))


def _packed(maps: Tensor) -> Tensor:
    """Arrange maps (N, H, W) in as few columns as keep the sheet about 120 pixels high."""
    rows = min(len(maps), max(1, HEIGHT // (maps.shape[1] + 1)))
    columns = -(-len(maps) // rows)
    tiles = torch.full((rows * columns, *maps.shape[1:]), torch.nan)
    tiles[: len(maps)] = maps
    return tiles.unflatten(0, (rows, columns))


def _sides(shape: Tensor) -> str:
    return "×".join(map(str, shape.shape))


def _draw(stages: list[Stage]) -> Figure:
    """Draw the stages side by side, the middle of each at one height."""
    sheets = [stage.canvas for stage in stages]
    widths = [stage.width + GAP for stage in stages]
    pixel = WIDTH / sum(widths)  # inches
    tallest = max(len(sheet) for sheet in sheets)
    height = tallest * pixel + 0.6
    figure = new_figure(WIDTH, height)
    middle = (height - 0.5) / 2
    for index, (stage, sheet) in enumerate(zip(stages, sheets, strict=True)):
        rows, columns = sheet.shape
        left = pixel * (sum(widths[:index]) + (widths[index] - columns) / 2)
        bottom = middle - rows * pixel / 2
        axes = panel(figure, left, bottom, columns * pixel, rows * pixel)
        axes.imshow(np.ma.masked_invalid(sheet.numpy()), interpolation="nearest", **_look(sheet))
        bare(axes)
        centre = pixel * (sum(widths[:index]) + widths[index] / 2)
        figure.text(centre / WIDTH, 1 - 0.42 / height, stage.title, fontsize=FONT - 2,
                    ha="center", va="bottom", linespacing=1.1)  # fmt: skip
    return figure


def _look(sheet: Tensor) -> dict[str, Any]:
    """Return colours around zero for what has a sign, and grey for what has none."""
    high = float(sheet.nan_to_num().abs().max()) or 1.0
    if bool((sheet.nan_to_num() < 0).any()):
        return {"cmap": SIGNED, "vmin": -high, "vmax": high}
    return {"cmap": "gray", "vmin": 0.0, "vmax": high}
