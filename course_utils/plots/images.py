"""Images as figures: grids, channels, and pixels with their numbers."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.plots.convolution import plot_grids
from course_utils.plots.display import DPI
from course_utils.plots.style import (
    BLUE,
    FONT,
    ORANGE,
    SKY,
    YELLOW,
    bare,
    new_figure,
    panel,
)

__all__ = ["plot_channels", "plot_images", "plot_pixels", "plot_prediction", "plot_tasks"]


def to_hwc(image: Tensor) -> np.ndarray:
    """Return an image as matplotlib draws it: (1, H, W) as (H, W), (3, H, W) as (H, W, 3)."""
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"shape {tuple(image.shape)} is not an image: expected (1 or 3, H, W)")
    if image.is_floating_point() and not 0 <= image.min() <= image.max() <= 1:
        low, high = float(image.min()), float(image.max())
        raise ValueError(f"values from {low:.2f} to {high:.2f}: undo the normalisation first")
    array = image.detach().cpu().permute(1, 2, 0).numpy()  # (H, W, C)
    return array[..., 0] if array.shape[2] == 1 else array


def draw_image(axes: Axes, image: Tensor, title: str = "") -> None:
    """Draw one image (C, H, W) into an axes, one channel in grey, pixels kept square."""
    top = 1.0 if image.is_floating_point() else 255
    axes.imshow(to_hwc(image), cmap="gray", vmin=0, vmax=top, interpolation="nearest")
    bare(axes, title)


def plot_images(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[str] = (),
    *,
    num_columns: int = 10,
    size: float = 0.9,
    row_titles: Sequence[str] = (),
) -> Figure:
    """Draw images side by side in rows.

    A pixel is a whole number of dots wide if there is room for one, so that fine patterns look
    as they are.

    Args:
        images: (N, C, H, W), or a list of (C, H, W); uint8 or float in [0, 1].
        titles: One for each image, or none at all.
        num_columns: The most images in a row.
        size: Width of the place of one image, in inches.
        row_titles: One for each row, written beside it, or none at all.

    Raises:
        ValueError: There is no image, or the titles are not one for each image or row.

    Example:
        >>> figure = plot_images(torch.rand(4, 3, 32, 32), ["a", "b", "c", "d"])
    """
    if len(images) == 0 or len(titles) not in (0, len(images)):
        raise ValueError(f"{len(images)} images and {len(titles)} titles: give one title each")
    columns = min(num_columns, len(images))
    rows = -(-len(images) // columns)
    if len(row_titles) not in (0, rows):
        raise ValueError(f"{rows} rows and {len(row_titles)} row titles: give one title each")
    lines = [line for title in titles for line in title.split("\n")]
    head = 0.04 + 0.2 * max((title.count("\n") + 1 for title in titles if title), default=0)
    sizes = [_whole_dots(image, size) for image in images]
    place = max(max(w for w, _ in sizes) + 0.08, min(size, 0.075 * max(map(len, lines), default=0)))
    row_height = max(h for _, h in sizes) + 0.06 + head
    side = 0.24 if row_titles else 0.0
    figure = new_figure(side + columns * place, rows * row_height)
    for index, (image, (w, h)) in enumerate(zip(images, sizes, strict=True)):
        row, column = divmod(index, columns)
        left = side + column * place + (place - w) / 2
        bottom = (rows - 1 - row) * row_height + (row_height - head - h) / 2
        axes = panel(figure, *(round(at * DPI) / DPI for at in (left, bottom, w, h)))
        draw_image(axes, image, titles[index] if titles else "")
        if row_titles and column == 0:
            axes.set_ylabel(row_titles[row], fontsize=FONT)
    return figure


def _whole_dots(image: Tensor, size: float) -> tuple[float, float]:
    """Return width and height of an image, in inches, so that its pixels are whole dots."""
    height, width = image.shape[1:]
    room = (size - 0.06) * DPI
    dots = room // width if room >= width else room / width  # for each pixel
    return width * dots / DPI, height * dots / DPI


def plot_channels(image: Tensor) -> Figure:
    """Draw an image (3, H, W), uint8 or float in [0, 1], beside its three channels in grey."""
    if image.shape[0] != 3:
        raise ValueError(f"{image.shape[0]} channels: a colour image has 3")
    figure = new_figure(8.8, 2.2 * image.shape[1] / image.shape[2] + 0.3)
    panels = figure.subplots(1, 4)
    draw_image(panels[0], image, "all three")
    for index, name in enumerate(("red", "green", "blue")):
        draw_image(panels[index + 1], image[index : index + 1], f"channel {index}: {name}")
    return figure


def plot_pixels(values: Tensor, title: str = "") -> Figure:
    """Draw one channel in grey, with the number of every pixel written on it.

    Args:
        values: (H, W), any dtype; at most 18 pixels a side.
        title: Title above the figure.

    Raises:
        ValueError: The tensor is not (H, W), or too large for its numbers to be read.
    """
    return plot_grids([values], [title], intensity="gray")


def plot_prediction(image: Tensor, probabilities: Tensor, classes: Sequence[str]) -> Figure:
    """Draw an image beside a bar for the probability of each class, the likeliest on top.

    Args:
        image: (C, H, W), uint8 or float in [0, 1].
        probabilities: (K,), summing to 1.
        classes: K names.

    Raises:
        ValueError: The sizes do not agree.
    """
    if probabilities.shape != (len(classes),):
        raise ValueError(f"{len(classes)} classes, but {tuple(probabilities.shape)} probabilities")
    figure = new_figure(6.0, 2.6)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
    draw_image(left, image)
    order = probabilities.argsort().tolist()
    shares = probabilities.detach().cpu()[order].tolist()
    bars = right.barh([classes[index] for index in order], shares, color=BLUE)
    right.bar_label(bars, [f" {share:.0%}" for share in shares], fontsize=FONT - 1)
    right.set_xlim(0, 1.12)
    right.set_xticks([])
    right.set_title("predicted probability", fontsize=FONT)
    right.tick_params(labelsize=FONT - 1, length=0)
    right.spines[:].set_visible(False)
    return figure


def mask_box(mask: Tensor) -> tuple[int, int, int, int]:
    """Return the smallest box around a mask (H, W): its first column and row, width and height."""
    rows, columns = mask.nonzero(as_tuple=True)
    if len(rows) == 0:
        raise ValueError("the mask is empty: there is nothing to put a box around")
    left, top = int(columns.min()), int(rows.min())
    return left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1


def draw_box(axes: Axes, mask: Tensor, label: str, colour: str) -> None:
    """Draw the box around a mask, with its label above the top edge."""
    left, top, width, height = mask_box(mask)
    box = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=colour, lw=2)
    axes.add_patch(box)
    frame = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
    axes.text(left - 0.5, top - 1.5, label, va="bottom", fontsize=FONT - 1, bbox=frame)


def plot_tasks(image: Tensor, masks: Mapping[str, Tensor]) -> Figure:
    """Draw what four tasks of computer vision ask about one image.

    Args:
        image: (3, H, W), uint8 or float in [0, 1].
        masks: Name of each object -> its pixels (H, W), bool; the first is the main object.
    """
    main, *_ = masks
    figure = new_figure(9.2, 2.9)
    panels = figure.subplots(1, 4)
    answers = {
        "classification": f"“{main}”",
        "localisation": f"“{main}”, and where",
        "detection": "every object, and where",
        "segmentation": "the class of every pixel",
    }
    for axes, (title, answer) in zip(panels, answers.items(), strict=True):
        draw_image(axes, image, title)
        axes.set_xlabel(answer, fontsize=FONT)
    draw_box(panels[1], masks[main], main, YELLOW)
    classes = torch.full((*image.shape[1:], 3), 0.93)  # (H, W, 3): the background is light grey
    for (name, mask), colour in zip(masks.items(), cycle((YELLOW, SKY, ORANGE)), strict=False):
        draw_box(panels[2], mask, name, colour)
        classes[mask] = torch.tensor(to_rgb(colour))
        row, column = mask.nonzero().float().mean(dim=0).tolist()
        panels[3].text(column, row, name, fontsize=FONT - 1, ha="center", va="center")
    panels[3].imshow(classes.numpy(), interpolation="nearest")
    return figure
