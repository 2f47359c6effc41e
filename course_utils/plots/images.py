"""Images as figures: grids, channels, and pixels with their numbers."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.plots.convolution import plot_grids
from course_utils.plots.style import (
    BLUE,
    FONT,
    INTENSITY,
    ORANGE,
    SKY,
    YELLOW,
    bare,
    new_figure,
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
) -> Figure:
    """Draw images side by side in rows.

    Args:
        images: (N, C, H, W), or a list of (C, H, W); uint8 or float in [0, 1].
        titles: One for each image, or none at all.
        num_columns: The most images in a row.
        size: Width of one image, in inches.

    Raises:
        ValueError: There is no image, or the titles are not one for each.

    Example:
        >>> figure = plot_images(torch.rand(4, 3, 32, 32), ["a", "b", "c", "d"])
    """
    if len(images) == 0 or len(titles) not in (0, len(images)):
        raise ValueError(f"{len(images)} images and {len(titles)} titles: give one title each")
    columns = min(num_columns, len(images))
    rows = -(-len(images) // columns)
    ratio = images[0].shape[1] / images[0].shape[2]
    height = size * ratio + (0.22 if titles else 0.04)
    figure = new_figure(columns * size, rows * height)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(images) :]:
        axes.set_axis_off()
    for axes, image, title in zip(grid.flat, images, titles or [""] * len(images), strict=False):
        draw_image(axes, image, title)
    return figure


def plot_channels(image: Tensor) -> Figure:
    """Draw an image (3, H, W), uint8 or float in [0, 1], beside its three channels."""
    if image.shape[0] != 3:
        raise ValueError(f"{image.shape[0]} channels: a colour image has 3")
    figure = new_figure(8.8, 2.2 * image.shape[1] / image.shape[2] + 0.3)
    panels = figure.subplots(1, 4)
    draw_image(panels[0], image, "all three")
    for index, name in enumerate(("red", "green", "blue")):
        alone = torch.zeros_like(image)  # (3, H, W): black except for one channel
        alone[index] = image[index]
        draw_image(panels[index + 1], alone, f"channel {index}: {name}")
    return figure


def plot_pixels(values: Tensor, title: str = "") -> Figure:
    """Draw one channel with the number of every pixel written on it.

    Args:
        values: (H, W), any dtype; at most 18 pixels a side.
        title: Title above the figure.

    Raises:
        ValueError: The tensor is not (H, W), or too large for its numbers to be read.
    """
    return plot_grids([values], [title])


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
    classes = torch.zeros(image.shape[1:])  # (H, W): 0 is the background
    for index, (name, mask) in enumerate(masks.items(), start=1):
        draw_box(panels[2], mask, name, (YELLOW, SKY, ORANGE)[(index - 1) % 3])
        classes[mask] = index
    panels[3].imshow(classes.numpy(), cmap=INTENSITY, interpolation="nearest")
    return figure
