"""What training asks of the data: anything of this shape can be trained on."""

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor


class Batches(Protocol):
    """One part of a data set, cut into batches; iterating is one pass over it."""

    def __len__(self) -> int:
        """Return the number of batches in one pass."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, C, H, W), float, normalised, and labels (B,), int64."""


class Loaders(Protocol):
    """The two parts that training may look at. The test part is not its business."""

    @property
    def train(self) -> Batches:
        """What the model learns from; shuffled and augmented anew at each pass."""

    @property
    def val(self) -> Batches:
        """What the model is watched on; the same at each pass."""
