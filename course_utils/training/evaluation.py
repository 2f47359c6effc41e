"""How good a model is on a part of the data it did not learn from."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.training.interfaces import Batches
from course_utils.training.losses import main_logits
from course_utils.training.metrics import Meter, averages
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


@torch.no_grad()
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
    if not len(batches):
        raise ValueError("there are no pictures to evaluate on: this part of the data is empty")
    device = torch.device(device) if device is not None else device_of(model)
    dtype = choose_precision(precision, device)
    meter, confusion = Meter(), None
    was_training = model.training
    model.to(device).eval()
    try:
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            with autocast(device, dtype):
                logits = main_logits(model(images))  # (N, num_classes)
            meter.add(F.cross_entropy(logits, labels, reduction="sum"), logits, labels)
            confusion = count_confusions(logits, labels, confusion)
    finally:
        model.train(was_training)
    assert confusion is not None
    metrics = averages(meter.sums())
    return Evaluation(metrics.loss, metrics.accuracy, metrics.num_images, confusion.cpu())


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


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters are; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
