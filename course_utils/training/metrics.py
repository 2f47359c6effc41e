"""Loss and accuracy over many batches, kept on the device until they are asked for."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Metrics:
    """Averages over pictures.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: Part classified rightly, in [0, 1].
        num_images: Pictures they were averaged over.
    """

    loss: float
    accuracy: float
    num_images: int


class Meter:
    """Collects the sums of each batch without waiting for the device to compute them."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.num_images = 0

    def add(self, loss_sum: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Take in one batch.

        Args:
            loss_sum: Cross-entropy summed over the batch.
            logits: (N, num_classes).
            labels: (N,).
        """
        self.losses.append(loss_sum.detach())
        self.correct.append((logits.detach().argmax(dim=1) == labels).sum())
        self.num_images += len(labels)

    def first_non_finite(self, start: int) -> int | None:
        """Return the index of the first batch from ``start`` on whose loss is NaN or infinite."""
        if start >= len(self.losses):
            return None
        finite = torch.stack(self.losses[start:]).isfinite().cpu()
        return None if finite.all() else start + int((~finite).nonzero()[0])

    def sums(self) -> Tensor:
        """Return loss, right answers and pictures, summed over all batches: (3,), float64."""
        loss = torch.stack(self.losses).cpu().double().sum()  # exact enough for any epoch
        correct = torch.stack(self.correct).cpu().sum()
        return torch.tensor([loss, correct, self.num_images], dtype=torch.float64)


def averages(sums: Tensor) -> Metrics:
    """Turn what ``Meter.sums`` gave into averages."""
    loss, correct, num_images = sums.tolist()
    return Metrics(loss / num_images, correct / num_images, int(num_images))
