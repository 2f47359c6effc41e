"""What a data set is: its classes, the size of its images, where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["DataInfo", "channel_statistics"]


@dataclass(frozen=True)
class DataInfo:
    """Facts about a loaded data set.

    Attributes:
        name: The name it was loaded by.
        classes: Class names; a label is an index into them.
        image_shape: (C, H, W) of one image.
        mean: Mean of each channel over the training set, pixels in [0, 1].
        std: Standard deviation of each channel over the training set, pixels in [0, 1].
        source: Who made the images, in one sentence.
        licence: The terms of use.
        skipped: What was left out of a folder of images: the path in it -> the reason. Hidden and
            system files, and files without the name of an image, are not listed.
    """

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str
    licence: str
    skipped: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def denormalise(self, images: Tensor) -> Tensor:
        """Undo the normalisation, to show what a model sees.

        Args:
            images: (..., C, H, W), float, normalised.

        Returns:
            (..., C, H, W), float in [0, 1].
        """
        mean = images.new_tensor(self.mean)[:, None, None]
        std = images.new_tensor(self.std)[:, None, None]
        return (images * std + mean).clamp(0, 1)


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel, exact up to the last float64 digit.

    A byte has only 256 values, so a histogram of each channel holds everything that both sums
    need, and counting is the fastest way through the pixels.

    Args:
        images: (N, C, H, W), uint8.

    Returns:
        Means and standard deviations, C of each, for pixels in [0, 1]. A channel that never
        changes gets the standard deviation 1, so that dividing by it is harmless.
    """
    channels = images.cpu().unbind(1)
    counts = torch.stack([torch.bincount(c.flatten(), minlength=256) for c in channels])  # (C, 256)
    weights = counts.double() / counts.sum(dim=1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (weights * values).sum(dim=1)
    variance = (weights * (values - mean[:, None]) ** 2).sum(dim=1)
    std = torch.where(variance > 0, variance.sqrt(), torch.ones_like(variance))
    return tuple(mean.tolist()), tuple(std.tolist())
