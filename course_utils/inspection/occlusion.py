"""Occlusion: cover a patch of the picture, and see how much the model's answer suffers."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.arguments import whole
from course_utils.inspection.attribution import class_scores, require_pictures
from course_utils.inspection.modes import asked, in_mode

__all__ = ["Occlusion", "log_odds", "occlusion"]


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
) -> Occlusion:
    """Measure how a model's answers depend on each part of the pictures.

    A square of zeros, the mean colour, is laid over the picture, here and there on a grid; each
    time the model is asked again. Captum does the covering, the asking and the averaging. The
    model is used in evaluation mode and handed back in the mode it came in.

    Args:
        model: Returns logits (N, num_classes).
        images: (N, C, H, W), float, normalised, on the model's device.
        labels: (N,), int64: the classes to ask for; None for the model's own answers.
        patch: Side of the square in pixels, a multiple of `stride`.
        stride: Distance between its places in pixels; H and W are multiples of it.

    Raises:
        ValueError: The grid does not fit the picture, or pictures or labels are not as said.

    Source: Zeiler & Fergus 2014, section 4.2.
    Differs: log-odds instead of probability, which hardly moves where a model is sure.
    """
    from captum.attr import Occlusion as CaptumOcclusion

    require_pictures(images)
    patch, stride = whole("patch", patch), whole("stride", stride)
    _check_grid(tuple(images.shape[2:]), patch, stride)
    with in_mode(model, training=False):
        with asked(images):
            answers = model(images).argmax(dim=1) if labels is None else labels
        drops = CaptumOcclusion(class_scores(model, images, answers, log_odds)).attribute(
            images,
            sliding_window_shapes=(images.shape[1], patch, patch),
            strides=(images.shape[1], stride, stride),
        )  # (N, C, H, W): the same in all channels, and within each cell of stride by stride
    return Occlusion(answers, drops[:, 0, ::stride, ::stride])


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
    if patch % stride:
        raise ValueError(f"patch {patch} is not a multiple of stride {stride}: try 8 and 4")
    if patch > min(size) or any(side % stride for side in size):
        raise ValueError(
            f"a patch of {patch} moved by {stride} does not tile a picture of "
            f"{size[0]}x{size[1]}: use a stride that divides its sides, and a smaller patch"
        )
