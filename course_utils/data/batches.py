"""Batches of a part of a data set, made where the model is, a whole batch at a time.

The part stays on the device as bytes. Shuffling, augmentation, normalisation and the memory
format happen on the batch, so that an epoch costs milliseconds beside the model's seconds. A
part too large for that (`Photos`) is read from disk by worker processes instead, through the
same door.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from math import prod
from typing import Any

import torch
from torch import Generator, Tensor

from course_utils.data import augment as augmentation
from course_utils.data.augment import Augment, Draws, join
from course_utils.data.photos import Photos

BYTES_A_PASS = 2**20  # of finished pictures, that they are still in the cache when they are used


@dataclass(frozen=True, eq=False)
class Batches:
    """A part of a data set, as an iterable of batches `(images, labels)`.

    Iterating gives one epoch: images (B, C, H, W), float32, normalised, on the device, and
    labels (B,), int64. `len()` is the number of batches.

    Each epoch first draws one number from the generator and makes everything else from that:
    an epoch that is broken off does not change the next one, and saving the generator's state
    between two epochs is enough to continue exactly there.

    The last batch of an epoch is smaller when the batch size does not divide the part; no
    picture is left out. One exception: while shuffling, a last batch of a single picture joins
    the batch before it, because batch normalisation cannot learn from one picture.

    Attributes:
        images: (N, C, H, W), uint8, on the device; or photos, read when they are indexed.
        labels: (N,), int64.
        batch_size: pictures in a batch.
        mean: mean of each channel, for pixels in [0, 1]; subtracted.
        std: standard deviation of each channel, for pixels in [0, 1]; divided by.
        shuffle: a new order every epoch.
        augment: what to do to each picture, by its own dice; None for nothing.
        generator: where shuffling and augmentation draw from. It is on the CPU whatever the
            device, so that a seed means the same epoch everywhere. Needed for either of them.
        device: where batches are made.
        memory_format: how images lie in memory; their shape is (B, C, H, W) in each. `fit` asks
            for `torch.channels_last`, which many convolutions prefer.
        rank: which share of every batch this process takes, from 0.
        world_size: among how many processes every batch is shared.

    Raises:
        ValueError: a value out of its range, or no generator where one is needed.
    """

    images: Tensor | Photos
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
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}: a batch has at least one picture")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank is {self.rank}: it counts from 0 to {self.world_size - 1}")
        if self.shuffle and self.batch_size < self.world_size:
            raise ValueError(
                f"batch_size is {self.batch_size}: {self.world_size} processes need at least one "
                "picture each"
            )
        self._check_tensors()
        if self.generator is None and (self.shuffle or self.augment):
            raise ValueError(
                "shuffling and augmentation draw from a generator and generator is None: "
                "pass torch.Generator().manual_seed(0)"
            )
        if self.generator is not None and self.generator.device.type != "cpu":
            raise ValueError(
                f"the generator is on {self.generator.device}: pass one on the CPU, so that a "
                "seed means the same epoch on every device"
            )

    def _check_tensors(self) -> None:
        if self.images.shape[0] != len(self.labels):
            raise ValueError(f"{self.images.shape[0]} images, but {len(self.labels)} labels")
        if isinstance(self.images, Photos):
            return
        if self.images.dtype != torch.uint8:
            raise ValueError(f"images are {self.images.dtype}: give bytes, torch.uint8")
        if self.images.device.type != torch.device(self.device).type:
            raise ValueError(f"images are on {self.images.device}, device is {self.device}")

    @property
    def num_images(self) -> int:
        """The number of pictures in the part, over all processes."""
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        """The number of batches an epoch has for this process."""
        return sum(len(self._share(start, stop)) > 0 for start, stop in self._bounds())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Go through the part once."""
        generator = self._epoch_generator()
        order = self._order(generator)
        if not isinstance(self.images, Photos):
            order = order.to(self.device)
        bounds = self._bounds()
        shares = [self._share(*bound) for bound in bounds]
        chosen = [order[share.start : share.stop] for share in shares]
        draws = (
            self._draw(bound, share, generator) for bound, share in zip(bounds, shares, strict=True)
        )
        if isinstance(self.images, Photos):
            yield from self._from_disk(self.images, chosen, draws)
        else:
            yield from self._from_memory(self.images, chosen, draws)

    def shard(self, rank: int, world_size: int) -> "Batches":
        """The share of one of several processes: a slice of every batch.

        All processes need a generator in the same state. Together they then see what one
        process alone would see, picture for picture: the same batches and the same
        augmentation. While shuffling, a last batch joins the one before it if some process
        would get fewer than two pictures of it. Elsewhere a process may get fewer batches than
        its neighbour.

        Args:
            rank: which process, from 0.
            world_size: how many there are.
        """
        return replace(self, rank=rank, world_size=world_size)

    def with_options(self, **changes: Any) -> "Batches":
        """The same part with other settings, e.g. `with_options(batch_size=16)`."""
        return replace(self, **changes)

    def _bounds(self) -> list[tuple[int, int]]:
        """First and one-past-last position of each batch in the epoch's order."""
        starts = list(range(0, self.num_images, self.batch_size))
        smallest = min(self.batch_size, 2 * self.world_size) if self.shuffle else 1
        if len(starts) > 1 and self.num_images - starts[-1] < smallest:
            starts.pop()
        return list(zip(starts, [*starts[1:], self.num_images], strict=True)) if starts else []

    def _share(self, start: int, stop: int) -> range:
        """The positions of a batch that this process takes."""
        num = stop - start
        first, last = (num * share // self.world_size for share in (self.rank, self.rank + 1))
        return range(start + first, start + last)

    def _epoch_generator(self) -> Generator:
        """A generator for one epoch, seeded by one draw from the part's own."""
        epoch = torch.Generator()
        if self.generator is not None and (self.shuffle or self.augment):
            epoch.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
        return epoch

    def _order(self, generator: Generator) -> Tensor:
        """The order of the epoch: positions in the part, (N,)."""
        if not self.shuffle:
            return torch.arange(self.num_images)
        return torch.randperm(self.num_images, generator=generator)

    def _draw(self, bound: tuple[int, int], share: range, generator: Generator) -> Draws:
        """The random numbers of this process's share, drawn for all processes together."""
        if self.augment is None:
            return Draws()
        start, stop = bound
        draws = augmentation.draw(self.augment, stop - start, self.image_shape, generator)
        return draws.take(slice(share.start - start, share.stop - start), "cpu")

    def _from_memory(
        self, images: Tensor, chosen: list[Tensor], draws: Iterator[Draws]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch, several small ones made in one pass.

        A pass costs the same two dozen calls however many pictures it takes, and those calls
        are what would be felt beside a small network.
        """
        at_once = max(1, BYTES_A_PASS // (4 * prod(self.image_shape) * self.batch_size))
        for first in range(0, len(chosen), at_once):
            several = chosen[first : first + at_once]
            mine = join(list(islice(draws, len(several))))
            index, sizes = torch.cat(several), [len(part) for part in several if len(part)]
            if sizes:
                made = self._finish(images.index_select(0, index), mine.to(self.device))
                labels = self.labels.index_select(0, index)
                yield from zip(made.split(sizes), labels.split(sizes), strict=True)

    def _from_disk(
        self, photos: Photos, chosen: list[Tensor], draws: Iterator[Draws]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch, each as worker processes have read it."""
        for part, mine in zip(photos.batches(chosen), draws, strict=True):
            if len(part.labels):
                images = part.images.to(self.device)
                yield (
                    self._finish(images, mine.take(part.kept, self.device)),
                    part.labels.to(self.device),
                )

    def _finish(self, images: Tensor, draws: Draws) -> Tensor:
        """Augment and normalise a batch of bytes."""
        if self.augment is not None:
            images = augmentation.crop_and_flip(images, self.augment, draws)
        noise = None if draws.noise is None else self._normalise(draws.noise)
        return augmentation.fill_holes(self._normalise(images), draws, noise)

    def _normalise(self, images: Tensor) -> Tensor:
        """From bytes to (x / 255 - mean) / std in the wanted memory format."""
        scale, shift = self._scale_and_shift
        images = images.contiguous(memory_format=self.memory_format)
        return images.float().mul_(scale).add_(shift)

    @cached_property
    def _scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """1 / (255 std) and -mean / std, each spread over a whole picture (1, C, H, W).

        Spread out, each is one long run of numbers; the C numbers themselves would be slow in
        channels-last, where the innermost loop is over the C channels of one pixel.
        """
        mean, std = torch.tensor(self.mean).double(), torch.tensor(self.std).double()
        both = torch.stack([1 / (255 * std), -mean / std])[:, :, None, None]  # (2, C, 1, 1)
        both = both.expand(2, *self.image_shape).float().to(self.device)
        both = both.contiguous(memory_format=self.memory_format)
        return both[:1], both[1:]
