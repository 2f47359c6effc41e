"""Occlusion: cover a patch of the picture, and see how much the model's answer suffers."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Occlusion:
    """Which parts of pictures a model's answers rest on.

    Attributes:
        answers: (N,), int64: the class that the model gives to each whole picture, or the one
            that was asked for.
        maps: (N, H/s, W/s), float32, for windows moved by s pixels: how much the log-odds of the
            answer, log p/(1 - p), fall, on average over the windows that cover a cell of s by s
            pixels. Positive where the picture speaks for the answer, negative where against it.
    """

    answers: Tensor
    maps: Tensor


@torch.no_grad()
def occlusion(
    model: nn.Module,
    images: Tensor,
    *,
    labels: Tensor | None = None,
    patch: int = 8,
    stride: int = 4,
    fill: float = 0.0,
) -> Occlusion:
    """Measure how a model's answers depend on each part of the pictures.

    A square is laid over the picture, here and there on a grid; each time the model is asked
    again. The model is used in evaluation mode and handed back in the mode it came in.

    Args:
        model: Returns logits (N, num_classes).
        images: (N, C, H, W), float, normalised, on the model's device.
        labels: (N,), int64: the classes to ask for; None for the model's own answers.
        patch: Side of the square in pixels, a multiple of `stride`.
        stride: Distance between its places in pixels; H and W are multiples of it.
        fill: What the square is filled with; 0 is the mean colour of normalised pictures.

    Raises:
        ValueError: The grid does not fit the picture.

    Source: Zeiler & Fergus 2014, section 4.2.
    Differs: log-odds instead of probability, which hardly moves where a model is sure.
    """
    _check_grid(tuple(images.shape[2:]), patch, stride)
    was_training = model.training
    model.eval()
    logits = model(images)  # (N, K)
    answers = logits.argmax(dim=1) if labels is None else labels
    whole = log_odds(logits, answers)  # (N,)
    rows, cols = ((size - patch) // stride + 1 for size in images.shape[2:])
    drops = images.new_empty(len(images), 1, rows, cols)
    for row in range(rows):
        for col in range(cols):
            covered = images.clone()
            top, left = row * stride, col * stride
            covered[:, :, top : top + patch, left : left + patch] = fill
            drops[:, 0, row, col] = whole - log_odds(model(covered), answers)
    model.train(was_training)
    return Occlusion(answers, _spread(drops, patch // stride)[:, 0])


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log p/(1 - p) of one class of each row, where p is its softmax.

    Args:
        logits: (N, K), K at least 2.
        labels: (N,), int64.

    Returns:
        (N,): the class's logit minus the log-sum-exp of all others.
    """
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None])[:, 0] - others.logsumexp(dim=1)


def _check_grid(size: tuple[int, ...], patch: int, stride: int) -> None:
    if stride < 1 or patch < stride or patch % stride:
        raise ValueError(f"patch {patch} is not a multiple of stride {stride}: try 8 and 4")
    if patch > min(size) or any(side % stride for side in size):
        raise ValueError(
            f"a patch of {patch} moved by {stride} does not tile a picture of "
            f"{size[0]}x{size[1]}: use a stride that divides its sides, and a smaller patch"
        )


def _spread(drops: Tensor, cells: int) -> Tensor:
    """Average, in each cell, over the windows of `cells` by `cells` cells that cover it.

    Args:
        drops: (N, 1, rows, cols), one number a window.
        cells: side of a window, in cells.

    Returns:
        (N, 1, rows + cells - 1, cols + cells - 1).
    """
    ones = drops.new_ones(1, 1, cells, cells)
    total = F.conv_transpose2d(drops, ones)
    return total / F.conv_transpose2d(torch.ones_like(drops), ones)
