"""A data set before it is split and batched: what every source of pictures hands over."""

from dataclasses import dataclass

from torch import Tensor

from course_utils.data.photos import Photos


@dataclass(frozen=True, eq=False)
class Part:
    """Pictures with their labels.

    Attributes:
        images: (N, C, H, W), uint8; or photos that are read when needed.
        labels: (N,), int64.
    """

    images: Tensor | Photos
    labels: Tensor

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.labels)

    def select(self, index: Tensor) -> "Part":
        """The pictures at these positions (K,)."""
        if isinstance(self.images, Photos):
            return Part(self.images.select(index), self.labels[index])
        return Part(self.images[index], self.labels[index])


@dataclass(frozen=True, eq=False)
class RawSet:
    """A data set as its makers publish it, in two parts or in three.

    Attributes:
        train: what to learn from; the validation part is split off from it if there is none.
        test: what to be judged by.
        classes: class names; a label is an index into them.
        source: who made the pictures.
        licence: under which terms.
        val: the validation part, where the source has its own.
        skipped: files that could not be read and were left out.
        notes: what the source decided by itself.
    """

    train: Part
    test: Part
    classes: tuple[str, ...]
    source: str
    licence: str
    val: Part | None = None
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
