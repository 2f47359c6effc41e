"""A data set before it is split and batched: what every source of images returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["MAX_BYTES", "Part", "RawSet"]

MAX_BYTES = 2 * 2**30  # of decoded images: a data set lives in memory


@dataclass(frozen=True, eq=False)
class Part:
    """Images with their labels.

    Attributes:
        images: (N, C, H, W), uint8.
        labels: (N,), int64.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def select(self, index: Tensor) -> "Part":
        """Return the images at these positions (K,)."""
        return Part(self.images[index], self.labels[index])


@dataclass(frozen=True, eq=False)
class RawSet:
    """A data set as its authors publish it, in two or three sets.

    Attributes:
        train: The training set; the validation set is split off from it if there is none.
        test: The test set.
        classes: Class names; a label is an index into them.
        source: Who made the images.
        licence: The terms of use.
        val: The validation set, if the source has its own.
        skipped: What was left out, and why.
    """

    train: Part
    test: Part
    classes: tuple[str, ...]
    source: str
    licence: str
    val: Part | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
