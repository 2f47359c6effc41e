"""How good a model is on a part of the data it did not learn from."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.training.interfaces import Batches
from course_utils.training.losses import main_logits
from course_utils.training.metrics import Meter, averages, num_correct
from course_utils.training.placement import device_of_model, move_batch
from course_utils.training.precision import autocast, choose_precision


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one look at every picture.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: Part classified rightly, in [0, 1].
        num_images: Pictures looked at.
        confusion: (num_classes, num_classes), int64, on the CPU: how many pictures of the
            class of the row were taken for the class of the column.
    """

    loss: float
    accuracy: float
    num_images: int
    confusion: Tensor

    @property
    def class_accuracy(self) -> Tensor:
        """Part classified rightly in each class: (num_classes,), NaN for a class not seen."""
        return self.confusion.diagonal() / self.confusion.sum(dim=1)


def evaluate(
    model: nn.Module,
    batches: Batches,
    *,
    device: torch.device | str | None = None,
    precision: str = "auto",
) -> Evaluation:
    """Return loss, accuracy and confusion matrix of a model on one part of the data.

    The model is used in evaluation mode and handed back in the mode it came in.

    Args:
        model: Returns logits (N, num_classes).
        batches: Such as ``loaders.val`` or, once all choices are made, ``loaders.test``.
        device: Where to compute; None means where the model is.
        precision: As in ``TrainConfig``.

    Raises:
        ValueError: There are no pictures.
    """
    device = torch.device(device) if device is not None else device_of_model(model)
    was_training = model.training
    dtype = choose_precision(precision, device)
    meter, confusion = tally(model.to(device), batches, device, dtype)
    model.train(was_training)
    if confusion is None:
        raise ValueError("there are no pictures to evaluate on: this part of the data is empty")
    metrics = averages(meter.sums())
    return Evaluation(metrics.loss, metrics.accuracy, metrics.num_images, confusion.cpu())


@torch.no_grad()
def tally(
    model: nn.Module,
    batches: Batches,
    device: torch.device,
    dtype: torch.dtype,
    channels_last: bool = False,
) -> tuple[Meter, Tensor | None]:
    """Go through the batches once, and leave the model in evaluation mode.

    Args:
        model: On the device.
        batches: What to look at.
        device: Where to compute.
        dtype: Format in which products are computed.
        channels_last: Lay the pictures out as NHWC in memory.

    Returns:
        The sums of loss and right answers, and the confusion matrix: None without a batch.
    """
    model.eval()
    meter, confusion = Meter(), None
    for images, labels in batches:
        images, labels = move_batch(images, labels, device, channels_last)
        with autocast(device, dtype):
            logits = main_logits(model(images))  # (B, num_classes)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        meter.add(loss, num_correct(logits, labels), len(labels))
        confusion = count_confusions(logits, labels, confusion)
    return meter, confusion


def count_confusions(logits: Tensor, labels: Tensor, so_far: Tensor | None = None) -> Tensor:
    """Return a confusion matrix, rows are the true classes, added to that of earlier batches.

    Args:
        logits: (N, num_classes).
        labels: (N,).
        so_far: (num_classes, num_classes); changed in place.
    """
    num_classes = logits.shape[1]
    if so_far is None:
        so_far = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=logits.device)
    cells = labels * num_classes + logits.argmax(dim=1)  # (N,)
    so_far.view(-1).index_add_(0, cells, torch.ones_like(cells))
    return so_far
