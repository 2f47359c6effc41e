"""Augmentation of a whole batch at once: each image gets its own crop and flip.

Nothing here loops over images. All random numbers of a batch are drawn first, on the CPU, from
one generator (`draw`), and only then applied (`crop_and_flip`): the same generator gives the same
images on every device, and each of several processes can draw for the whole batch and keep its
own share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from course_utils.arguments import flag, whole

__all__ = ["Augment", "Draws", "crop_and_flip", "draw", "join"]


@dataclass(frozen=True)
class Augment:
    """What to do to each training image, with its own random numbers.

    Attributes:
        crop_padding: Black pixels added on each side before a crop of the old size is taken at
            random.
        flip: Whether to mirror images left to right, each with probability one half.

    Raises:
        ValueError: A value is out of its range.

    Source: He et al. 2016, section 4.2.
    """

    crop_padding: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "crop_padding", whole("crop_padding", self.crop_padding, 0))
        flag("flip", self.flip)


class Draws(NamedTuple):
    """The random numbers of one batch; None for what is not used."""

    offset: Tensor | None = None  # (B, 2) row and column of the crop in the padded image
    flip: Tensor | None = None  # (B,) bool

    def map(self, change: Callable[[Tensor], Tensor]) -> "Draws":
        """Return the draws with a function applied to each tensor, to select rows or to move it."""
        return Draws(*(None if values is None else change(values) for values in self))


def join(parts: Sequence[Draws]) -> Draws:
    """Join the draws of several batches, at least one, of the same augmentation."""
    together = zip(*parts, strict=True)
    return Draws(*(None if values[0] is None else torch.cat(values) for values in together))


def draw(augment: Augment, num_images: int, generator: Generator) -> Draws:
    """Draw the random numbers for one batch.

    Args:
        augment: What to do.
        num_images: Images in the batch.
        generator: A generator on the CPU.
    """
    offset = flip = None
    if augment.crop_padding:
        offset = torch.randint(2 * augment.crop_padding + 1, (num_images, 2), generator=generator)
    if augment.flip:
        flip = torch.rand(num_images, generator=generator) < 0.5
    return Draws(offset, flip)


def crop_and_flip(images: Tensor, augment: Augment, draws: Draws) -> Tensor:
    """Shift and mirror each image by its own draws.

    Args:
        images: (B, C, H, W), uint8.
        augment: What to do.
        draws: One row per image, on the images' device.

    Returns:
        (B, C, H, W), uint8.
    """
    if draws.offset is None and draws.flip is None:
        return images
    num, _, height, width = images.shape
    padding = augment.crop_padding
    padded = F.pad(images, (padding,) * 4) if padding else images  # (B, C, H+2p, W+2p)
    sample = torch.arange(num, device=images.device)
    if draws.flip is not None:
        # Both versions of all images, then the choice: cheaper than moving images singly.
        padded = torch.cat([padded, padded.flip(3)])  # (2B, C, H+2p, W+2p)
        sample = sample + num * draws.flip
    if draws.offset is None:
        return padded.index_select(0, sample)
    top, left = draws.offset.unbind(dim=1)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (2B, C, 2p+1, 2p+1, H, W), a view
    return windows[sample, :, top, left]
