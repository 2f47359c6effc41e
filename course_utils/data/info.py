"""What a data set is: its classes, the size of its pictures, where it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class DataInfo:
    """Facts about a loaded data set.

    Attributes:
        name: the name it was loaded by.
        classes: class names; a label is an index into them.
        image_shape: (C, H, W) of one picture.
        mean: mean of each channel over the training part, pixels in [0, 1].
        std: standard deviation of each channel over the training part, pixels in [0, 1].
        source: who made the pictures, in one sentence.
        licence: under which terms.
        skipped: files that could not be read and were left out.
        notes: what the loader decided by itself, e.g. to read photos from disk batch by batch.
    """

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str
    licence: str
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def denormalise(self, images: Tensor) -> Tensor:
        """Undo the normalisation, to show what a model was given.

        Args:
            images: (..., C, H, W), float, normalised.

        Returns:
            (..., C, H, W), float in [0, 1].
        """
        mean = images.new_tensor(self.mean)[:, None, None]
        std = images.new_tensor(self.std)[:, None, None]
        return (images * std + mean).clamp(0, 1)


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, exact up to the last float64 digit.

    A byte takes only 256 values, so a histogram of each channel holds everything that both
    sums need, and counting is the fastest way over the pixels.

    Args:
        images: (N, C, H, W), uint8.

    Returns:
        Means and standard deviations, C of each, for pixels in [0, 1]. A channel that never
        changes gets the deviation 1, so that dividing by it is harmless.
    """
    counts = torch.stack([_histogram(images[:, c]) for c in range(images.shape[1])])  # (C, 256)
    weights = counts.double() / counts.sum(dim=1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (weights * values).sum(dim=1)
    variance = (weights * (values - mean[:, None]) ** 2).sum(dim=1)
    std = torch.where(variance > 0, variance.sqrt(), torch.ones_like(variance))
    return _floats(mean), _floats(std)


def _histogram(channel: Tensor) -> Tensor:
    """Counts (256,) of the bytes of a channel (N, H, W), a piece at a time to spare memory."""
    rows = max(1, _CHUNK_BYTES // max(1, channel[0].numel()))
    counts = [torch.bincount(piece.flatten().cpu(), minlength=256) for piece in channel.split(rows)]
    return torch.stack(counts).sum(dim=0)


def _floats(values: Sequence[float] | Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
