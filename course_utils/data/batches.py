"""Batches of a set of images, made on the model's device, a whole batch at a time.

The set stays on the device as bytes. Shuffling, augmentation, normalisation and the memory format
happen on the batch, so that an epoch costs milliseconds compared with the model's seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Generator, Tensor

from course_utils.arguments import whole
from course_utils.data.augment import Augment, Draws, crop_and_flip, draw, join

__all__ = ["Batches"]

BYTES_A_PASS = 2**20  # of finished images, so that they are still in the cache when used


@dataclass(frozen=True, eq=False)
class Batches:
    """A training, validation or test set, as an iterable of batches `(images, labels)`.

    Iterating gives one epoch: images (B, C, H, W), float32, normalised, on the device, and
    labels (B,), int64. `len()` is the number of batches.

    Each epoch first draws one number from the generator and makes everything else from it: an
    epoch that is broken off does not change the next one, and saving the generator's state between
    two epochs is enough to continue exactly there.

    The last batch of an epoch is smaller if the batch size does not divide the set; no image is
    left out. One exception: while shuffling, a last batch of a single image joins the batch before
    it, because batch normalisation cannot learn from one image.

    Attributes:
        images: (N, C, H, W), uint8, on the device.
        labels: (N,), int64.
        batch_size: Images in a batch.
        mean: Mean of each channel, for pixels in [0, 1]; subtracted.
        std: Standard deviation of each channel, for pixels in [0, 1]; divided by.
        shuffle: Whether to take a new order every epoch.
        augment: What to do to each image, with its own random numbers; None for nothing.
        generator: What shuffling and augmentation draw from; each of them needs it. It is on the
            CPU whatever the device, so that a seed means the same epoch everywhere.
        device: Where batches are made.
        memory_format: How images lie in memory; their shape is always (B, C, H, W). `fit` asks for
            `torch.channels_last`, which many convolutions prefer.
        rank: Which share of every batch this process takes, from 0.
        world_size: Number of processes that share every batch.

    Raises:
        ValueError: A value is out of its range, or a generator is needed and missing.
    """

    images: Tensor
    labels: Tensor
    batch_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    shuffle: bool = False
    augment: Augment | None = None
    generator: Generator | None = None
    device: torch.device | str = "cpu"
    memory_format: torch.memory_format = torch.contiguous_format
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "batch_size", whole("batch_size", self.batch_size))
        whole("rank", self.rank, 0, self.world_size - 1)
        if self.shuffle and self.batch_size < self.world_size:
            raise ValueError(
                f"batch_size is {self.batch_size}: {self.world_size} processes need at least one "
                "image each"
            )
        self._check_tensors()
        self._check_dice()

    def _check_tensors(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images, but {len(self.labels)} labels")
        if self.images.dtype != torch.uint8:
            raise ValueError(f"images are {self.images.dtype}: give bytes, torch.uint8")
        if self.images.device.type != torch.device(self.device).type:
            raise ValueError(f"images are on {self.images.device}, device is {self.device}")

    def _check_dice(self) -> None:
        if self.augment and self.augment.crop_padding >= min(self.image_shape[1:]):
            raise ValueError(
                f"crop_padding is {self.augment.crop_padding}: a crop could miss an image of "
                f"{self.image_shape[1]}x{self.image_shape[2]} pixels, so give less"
            )
        if self.generator is None and (self.shuffle or self.augment):
            raise ValueError(
                "shuffling and augmentation draw from a generator, but generator is None: "
                "pass torch.Generator().manual_seed(0)"
            )
        if self.generator is not None and self.generator.device.type != "cpu":
            raise ValueError(
                f"the generator is on {self.generator.device}: pass one on the CPU, so that a "
                "seed means the same epoch on every device"
            )

    @property
    def num_images(self) -> int:
        """The number of images in the set, over all processes."""
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        """Return the number of batches that an epoch has for this process."""
        return sum(len(self._share(bound)) > 0 for bound in self._bounds())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Go through the set once, making several small batches in one pass.

        A pass costs the same two dozen calls however many images it takes, and beside a small
        network it is those calls that count.
        """
        generator = self._epoch_generator()
        order = torch.arange(self.num_images, device=self.device)
        if self.shuffle:
            order = torch.randperm(self.num_images, generator=generator).to(self.device)
        bounds = self._bounds()
        at_once = max(1, BYTES_A_PASS // (4 * prod(self.image_shape) * self.batch_size))
        for first in range(0, len(bounds), at_once):
            several = bounds[first : first + at_once]
            draws = join([self._draw(bound, generator) for bound in several])
            chosen = [order[share.start : share.stop] for share in map(self._share, several)]
            index, sizes = torch.cat(chosen), [len(part) for part in chosen if len(part)]
            if sizes:
                images = self._finish(self.images.index_select(0, index), draws)
                labels = self.labels.index_select(0, index)
                yield from zip(images.split(sizes), labels.split(sizes), strict=True)

    def shard(self, rank: int, world_size: int) -> "Batches":
        """Return the share of one of several processes: a slice of every batch.

        All processes need a generator in the same state. Together they then see what a single
        process would see, image for image: the same batches and the same augmentation. While
        shuffling, a last batch joins the one before it if some process would get fewer than two
        images of it. Otherwise a process may get fewer batches than its neighbour.

        Args:
            rank: Number of the process, from 0.
            world_size: Number of processes.
        """
        return replace(self, rank=rank, world_size=world_size)

    def with_options(self, **changes: Any) -> "Batches":
        """Return the same set with other settings, e.g. `with_options(batch_size=16)`."""
        return replace(self, **changes)

    def _bounds(self) -> list[tuple[int, int]]:
        """Return the first and one-past-last position of each batch in the epoch's order."""
        starts = list(range(0, self.num_images, self.batch_size))
        smallest = min(self.batch_size, 2 * self.world_size) if self.shuffle else 1
        if len(starts) > 1 and self.num_images - starts[-1] < smallest:
            starts.pop()
        return list(zip(starts, [*starts[1:], self.num_images], strict=True)) if starts else []

    def _share(self, bound: tuple[int, int]) -> range:
        """Return the positions of a batch that this process takes."""
        start, stop = bound
        first, last = (
            (stop - start) * share // self.world_size for share in (self.rank, self.rank + 1)
        )
        return range(start + first, start + last)

    def _epoch_generator(self) -> Generator:
        """Return a generator for one epoch, seeded by one draw from the set's own."""
        epoch = torch.Generator()
        if self.generator is not None and (self.shuffle or self.augment):
            epoch.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
        return epoch

    def _draw(self, bound: tuple[int, int], generator: Generator) -> Draws:
        """Draw the random numbers of a batch for all processes, and return this one's."""
        if self.augment is None:
            return Draws()
        start, stop = bound
        share = self._share(bound)
        draws = draw(self.augment, stop - start, generator)
        return draws.map(lambda values: values[share.start - start : share.stop - start])

    def _finish(self, images: Tensor, draws: Draws) -> Tensor:
        """Augment a batch of bytes; return (x / 255 - mean) / std, in the wanted memory format."""
        if self.augment is not None:
            draws = draws.map(lambda values: values.to(self.device))
            images = crop_and_flip(images, self.augment, draws)
        scale, shift = self._scale_and_shift
        images = images.contiguous(memory_format=self.memory_format)
        return images.float().mul_(scale).add_(shift)

    @cached_property
    def _scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """1 / (255 std) and -mean / std, each spread over a whole image (1, C, H, W).

        Spread out, each is one long run of numbers; the C numbers themselves would be slow in
        channels-last, where the innermost loop is over the C channels of one pixel.
        """
        mean, std = torch.tensor(self.mean).double(), torch.tensor(self.std).double()
        both = torch.stack([1 / (255 * std), -mean / std])[:, :, None, None]  # (2, C, 1, 1)
        both = both.expand(2, *self.image_shape).float().to(self.device)
        both = both.contiguous(memory_format=self.memory_format)
        return both[:1], both[1:]
