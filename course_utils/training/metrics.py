"""Loss and accuracy: of one batch, collected over many batches, and of a whole set."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import instance
from course_utils.data import Batches
from course_utils.runtime import asked, find_device
from course_utils.training import device as devices
from course_utils.training.config import Precision

__all__ = ["Evaluation", "Meter", "evaluate", "forward", "score", "tally"]


class Score(NamedTuple):
    """Sums over the images of a batch, each a tensor () on the device.

    Attributes:
        objective: What is minimised: the cross-entropy, including auxiliary heads.
        cross_entropy: What is reported, and compares with validation: without auxiliary heads.
        num_right: Images classified correctly.
    """

    objective: Tensor
    cross_entropy: Tensor
    num_right: Tensor


def forward(model: nn.Module, images: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Return the logits (B, num_classes) of the main head, then of the auxiliary heads.

    Args:
        model: Returns logits, or a NamedTuple of those of several heads, the main one first.
        images: (B, C, H, W).
        dtype: Format in which products are computed.

    Raises:
        ValueError: The model cannot work with such images, or returns something else.
    """
    with asked(images), devices.autocast(images.device, dtype):
        outputs = model(images)
    heads: Any = outputs if isinstance(outputs, tuple) else (outputs,)
    heads = [head for head in heads if head is not None]  # a head may be off
    for head in heads:
        if not isinstance(head, Tensor) or head.dim() != 2 or len(head) != len(images):
            found = tuple(head.shape) if isinstance(head, Tensor) else type(head).__name__
            wanted = f"({len(images)}, num_classes)"
            raise ValueError(f"the model returns {found}, but should return logits of {wanted}")
    return [head.float() for head in heads]  # 16 bits lose the differences that drive training


def class_numbers(labels: Tensor, num_classes: int, is_first: bool) -> Tensor:
    """Return labels (B,) as int64, checked to be classes of a model.

    Args:
        labels: Of any integer type.
        num_classes: The model's.
        is_first: Whether the batch is the first of a pass. On a device other than the CPU, where
            reading values means waiting, only the first batch is checked.

    Raises:
        ValueError: They are not; the message says what to do.
    """
    if labels.dim() != 1:
        shape, num = list(labels.shape), len(labels)
        way = ": give labels.argmax(dim=1)" if shape == [num, num_classes] else ""
        way = ": give labels[:, 0]" if shape == [num, 1] else way
        raise ValueError(f"labels have shape {tuple(shape)} instead of ({num},){way}")
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels are {labels.dtype}: give whole numbers, such as labels.long()")
    labels = labels.long()
    if len(labels) and (is_first or labels.device.type == "cpu"):
        lowest, highest = (int(extreme) for extreme in labels.aminmax())
        if lowest < 0 or highest >= num_classes:
            way = ": give labels - 1" if lowest > 0 and highest == num_classes else ""
            classes = f"{num_classes} classes, 0 to {num_classes - 1}"
            raise ValueError(
                f"labels go from {lowest} to {highest}, but the model has {classes}{way}"
            )
    return labels


def score(logits: list[Tensor], labels: Tensor, auxiliary_weight: float = 0.0) -> Score:
    """Return what is minimised and what is reported, summed over a batch.

    Args:
        logits: (B, num_classes) of the main head, then of each auxiliary head.
        labels: (B,), int64.
        auxiliary_weight: Weight of the loss of each auxiliary head.

    Source: Szegedy et al. 2014, Section 5: the losses of the auxiliary heads weigh 0.3.
    """
    main, *auxiliary = logits
    objective = cross_entropy = F.cross_entropy(main, labels, reduction="sum")
    for head in auxiliary:
        objective = objective + auxiliary_weight * F.cross_entropy(head, labels, reduction="sum")
    num_right = (main.detach().argmax(dim=1) == labels).sum()
    return Score(objective, cross_entropy.detach(), num_right)


class Meter:
    """The sums of each batch, collected without waiting for the device."""

    def __init__(
        self, losses: Iterable[Tensor] = (), correct: Iterable[Tensor] = (), num_images: int = 0
    ) -> None:
        self.losses, self.correct, self.num_images = list(losses), list(correct), num_images
        self.num_checked = 0

    def __len__(self) -> int:
        """Return the number of batches added."""
        return len(self.losses)

    def add(self, loss: Tensor, correct: Tensor, num_images: int) -> None:
        """Add one batch: its summed loss (), the number of correct predictions (), its size."""
        self.losses.append(loss)
        self.correct.append(correct)
        self.num_images += num_images

    def find_non_finite(self, at_least: int = 1) -> int | None:
        """Return the index of the first new batch whose loss is NaN or infinite.

        The device has to finish those batches first, so it waits until there are enough of them.
        """
        start, new = self.num_checked, self.losses[self.num_checked :]
        if len(new) < max(1, at_least):
            return None
        self.num_checked = len(self.losses)
        losses = [new[0].item()] if len(new) == 1 else _on_cpu(new).tolist()
        return next((start + i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)

    def sums(self) -> Tensor:
        """Return loss, correct predictions and images, summed over all batches: (3,), float64."""
        loss = sum(_on_cpu(self.losses).double().tolist())
        correct = int(_on_cpu(self.correct).sum())
        return torch.tensor([loss, correct, self.num_images], dtype=torch.float64)

    def state(self) -> dict[str, Any]:
        """Return everything added so far; losses and correct predictions are (batches,)."""
        losses, correct = _on_cpu(self.losses), _on_cpu(self.correct)
        return {"losses": losses, "correct": correct, "num_images": self.num_images}


def _on_cpu(values: list[Tensor]) -> Tensor:
    if not values:
        return torch.zeros(0)
    return torch.stack([value.to(values[-1].device) for value in values]).cpu()


def averages(sums: Tensor) -> tuple[float, float, int]:
    """Turn what `Meter.sums` returned into mean loss, accuracy and number of images."""
    loss, correct, num_images = sums.tolist()
    return loss / num_images, correct / num_images, int(num_images)


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one pass over every image.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: Share classified correctly, in [0, 1].
        num_images: Number of images.
        confusion: (num_classes, num_classes), int64, on the CPU: how many images of the row's
            class were classified as the column's class.
    """

    loss: float
    accuracy: float
    num_images: int
    confusion: Tensor


def evaluate(
    model: nn.Module,
    batches: Batches,
    *,
    device: torch.device | str | None = None,
    precision: Precision = "auto",
) -> Evaluation:
    """Return loss, accuracy and confusion matrix of a model on one of the sets.

    The model is used in evaluation mode, and then put back into its own mode.

    Args:
        model: Returns logits (N, num_classes).
        batches: Such as `loaders.val` or, once all choices are made, `loaders.test`.
        device: Where to compute; None means on the model's device.
        precision: As in `TrainConfig`.

    Raises:
        ValueError: There are no images, or the model cannot take the batches.
    """
    devices.check_model(model)
    instance("batches", batches, Iterable, "one set, such as loaders.test")
    place = devices.device_of_model(model) if device is None else find_device(device)
    was_training = model.training
    try:
        dtype = devices.choose_precision(precision, place)
        meter, confusion = tally(model.to(place), batches, dtype)
    finally:
        model.train(was_training)
    if confusion is None:
        raise ValueError("there are no images to evaluate on: this set is empty")
    return Evaluation(*averages(meter.sums()), confusion.cpu())


@torch.no_grad()
def tally(
    model: nn.Module, batches: Batches, dtype: torch.dtype, channels_last: bool = False
) -> tuple[Meter, Tensor | None]:
    """Go through the batches once, and leave the model in evaluation mode.

    Returns:
        The sums of loss and correct predictions, and the confusion matrix
        (num_classes, num_classes), which is None without a batch.
    """
    model.eval()
    meter, confusion, place = Meter(), None, devices.device_of_model(model)
    for batch in batches:
        images, labels = devices.move_batch(batch, place, channels_last)
        logits = forward(model, images, dtype)
        num_classes = logits[0].shape[1]
        labels = class_numbers(labels, num_classes, is_first=confusion is None)
        sums = score(logits, labels)
        meter.add(sums.cross_entropy, sums.num_right, len(labels))
        if confusion is None:
            confusion = labels.new_zeros(num_classes, num_classes)
        cells = labels * num_classes + logits[0].argmax(dim=1)  # (B,)
        confusion.view(-1).index_add_(0, cells, torch.ones_like(cells))
    return meter, confusion
