"""Loss and accuracy over many batches, kept on the device until they are asked for."""

import math
from dataclasses import dataclass
from typing import TypedDict

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


class State(TypedDict):
    """What a checkpoint keeps of an epoch that is not over."""

    losses: Tensor  # (batches,)
    correct: Tensor  # (batches,)
    num_images: int


class Meter:
    """Collects the sums of each batch without waiting for the device to compute them."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.num_images = 0
        self.num_checked = 0

    def __len__(self) -> int:
        """Return the number of batches taken in."""
        return len(self.losses)

    def add(self, loss: Tensor, correct: Tensor, num_images: int) -> None:
        """Take in one batch.

        Args:
            loss: Cross-entropy summed over the batch.
            correct: Number of right answers.
            num_images: Pictures in the batch.
        """
        self.losses.append(loss.detach())
        self.correct.append(correct)
        self.num_images += num_images

    @property
    def num_unchecked(self) -> int:
        """Batches taken in since ``find_non_finite`` last looked."""
        return len(self.losses) - self.num_checked

    def find_non_finite(self) -> int | None:
        """Return the index of the first new batch whose loss is NaN or infinite.

        The device has to finish those batches first.
        """
        start, self.num_checked = self.num_checked, len(self.losses)
        new = self.losses[start:]
        losses = [new[0].item()] if len(new) == 1 else self._on_cpu(new).tolist()
        return next((start + i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)

    def sums(self) -> Tensor:
        """Return loss, right answers and pictures, summed over all batches: (3,), float64."""
        loss = sum(self._on_cpu(self.losses).double().tolist())
        correct = int(self._on_cpu(self.correct).sum())
        return torch.tensor([loss, correct, self.num_images], dtype=torch.float64)

    def state(self) -> State:
        """Return everything taken in so far."""
        return {
            "losses": self._on_cpu(self.losses),
            "correct": self._on_cpu(self.correct),
            "num_images": self.num_images,
        }

    def load(self, state: State) -> None:
        """Take over what ``state`` gave."""
        self.losses = list(state["losses"])
        self.correct = list(state["correct"])
        self.num_images = state["num_images"]

    @staticmethod
    def _on_cpu(values: list[Tensor]) -> Tensor:
        if not values:
            return torch.zeros(0)
        return torch.stack([value.to(values[-1].device) for value in values]).cpu()


def num_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how many pictures are classified rightly, as a tensor () on the device.

    Args:
        logits: (N, num_classes).
        labels: (N,).
    """
    return (logits.detach().argmax(dim=1) == labels).sum()


def averages(sums: Tensor) -> Metrics:
    """Turn what ``Meter.sums`` gave into averages."""
    loss, correct, num_images = sums.tolist()
    return Metrics(loss / num_images, correct / num_images, int(num_images))
