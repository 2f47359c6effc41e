"""Pictures that stay in their files: read, resized and cut when they are needed."""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from os import cpu_count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from course_utils.data.errors import DataCorrupt


class RawBatch(NamedTuple):
    """A batch of bytes, and which rows of the asked-for batch it holds."""

    images: Tensor  # (B, C, H, W) uint8
    labels: Tensor  # (B,) int64
    kept: Tensor | slice


def read_photo(path: Path, size: int) -> Tensor:
    """Read one picture file: upright, in RGB, resized and cut to a square.

    The shorter side is resized to `size` and the middle is cut out. Transparent pixels show
    white behind them.

    Args:
        path: a file that Pillow can read.
        size: side of the result in pixels.

    Returns:
        (3, size, size), uint8.

    Raises:
        OSError: the file is not a picture, or only a part of one.
    """
    from PIL import Image, ImageOps  # here, because importing the course must stay quick

    with Image.open(path) as file:
        # A JPEG decoder can halve a large photo while decoding; at least twice the size remains.
        file.draft("RGB", (2 * size, 2 * size))
        photo = _in_rgb(ImageOps.exif_transpose(file))
    if photo.size != (size, size):
        photo = ImageOps.fit(photo, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1).contiguous()  # (3, size, size)


def _in_rgb(photo: Any) -> Any:
    """A Pillow picture of any mode (grey, palette, transparent, CMYK, 16 bit) as RGB."""
    from PIL import Image

    if photo.mode.startswith("I;16"):  # 16 bit grey, which Pillow would clip instead of scale
        return Image.fromarray((np.asarray(photo) // 257).astype(np.uint8)).convert("RGB")
    if not photo.has_transparency_data:
        return photo.convert("RGB")
    photo = photo.convert("RGBA")
    white = Image.new("RGBA", photo.size, "white")
    return Image.alpha_composite(white, photo).convert("RGB")


def try_photo(path: Path, size: int) -> Tensor | None:
    """`read_photo`, or None for a file that cannot be read."""
    try:
        return read_photo(path, size)
    except Exception:  # a broken file makes Pillow raise nearly anything
        return None


def has_header(path: Path) -> bool:
    """Whether a file begins like a picture; much quicker than reading it."""
    from PIL import Image

    try:
        with Image.open(path):
            return True
    except Exception:  # as above
        return False


def default_workers() -> int:
    """How many threads or processes decode pictures: one a core, at most eight."""
    return min(8, cpu_count() or 1)


class Photos:
    """Picture files with their labels, in the place of a tensor (N, 3, size, size) of bytes."""

    def __init__(
        self, paths: Sequence[Path], labels: Tensor, size: int, workers: int | None = None
    ) -> None:
        """Remember the files; nothing is read.

        Args:
            paths: N files.
            labels: (N,), int64.
            size: side of the pictures in pixels.
            workers: processes that read; 0 reads in this one; None for one a core.
        """
        self.paths = list(paths)
        self.labels = labels
        self.size = size
        self.workers = default_workers() if workers is None else workers

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), as a tensor of the pictures would have it."""
        return len(self.paths), 3, self.size, self.size

    def select(self, index: Tensor) -> "Photos":
        """The photos at these positions (K,)."""
        paths = [self.paths[i] for i in index.tolist()]
        return Photos(paths, self.labels[index], self.size, self.workers)

    def __getitem__(self, index: Any) -> Tensor:
        """Read photos as indexing a tensor of them would give them.

        Args:
            index: a number, a slice, or numbers (K,).

        Returns:
            (3, size, size) for a number, else (K, 3, size, size); uint8.

        Raises:
            OSError: one of them cannot be read.
        """
        if isinstance(index, int):
            return read_photo(self.paths[index], self.size)
        paths = [self.paths[i] for i in torch.arange(len(self.paths))[index].tolist()]
        with ThreadPoolExecutor(default_workers()) as pool:
            return torch.stack(list(pool.map(lambda path: read_photo(path, self.size), paths)))

    def readable(self, index: Tensor) -> Tensor:
        """Read the photos at these positions (K,), without those that cannot be read.

        Returns:
            (at most K, 3, size, size), uint8.

        Raises:
            DataCorrupt: none can be read.
        """
        with ThreadPoolExecutor(default_workers()) as pool:
            photos = list(pool.map(lambda i: try_photo(self.paths[i], self.size), index.tolist()))
        good = [photo for photo in photos if photo is not None]
        if not good:
            raise DataCorrupt(f"none of {len(photos)} pictures beside {self.paths[0]} can be read")
        return torch.stack(good)

    def batches(self, chosen: Sequence[Tensor]) -> Iterator[RawBatch]:
        """Read batch after batch, by processes that read ahead.

        A photo that turns out to be unreadable is left out of its batch, with a warning.

        Args:
            chosen: for each batch, the positions of its photos, (B,).
        """
        self._schedule.batches = [index.tolist() for index in chosen]
        for batch, broken in self._loader:
            if broken:
                warnings.warn(f"left out, cannot be read: {', '.join(broken)}", stacklevel=2)
            yield batch

    @cached_property
    def _schedule(self) -> "_Schedule":
        return _Schedule()

    @cached_property
    def _loader(self) -> "DataLoader[Any]":
        # The workers live as long as the photos: starting them costs seconds on some systems.
        return DataLoader(
            _PhotoFiles(self.paths, self.labels, self.size),
            batch_sampler=self._schedule,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=_collate,
            generator=torch.Generator(),  # else it draws from the global generator
        )


class _Schedule:
    """The batch sampler of a loader that is told before each epoch what to read."""

    batches: Sequence[list[int]] = ()

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _PhotoFiles(Dataset[tuple[Tensor | None, int, str]]):
    def __init__(self, paths: Sequence[Path], labels: Tensor, size: int) -> None:
        self.paths, self.labels, self.size = paths, labels, size

    def __getitem__(self, i: int) -> tuple[Tensor | None, int, str]:
        return try_photo(self.paths[i], self.size), int(self.labels[i]), str(self.paths[i])

    def __len__(self) -> int:
        return len(self.paths)


def _collate(
    photos: Sequence[tuple[Tensor | None, int, str]],
) -> tuple[RawBatch, list[str]]:
    """Stack what could be read; name what could not."""
    kept = [i for i, (image, _, _) in enumerate(photos) if image is not None]
    images = [image for image, _, _ in photos if image is not None]
    labels = torch.tensor([photos[i][1] for i in kept], dtype=torch.int64)
    broken = [path for image, _, path in photos if image is None]
    stacked = torch.stack(images) if images else torch.empty(0, 3, 0, 0, dtype=torch.uint8)
    return RawBatch(stacked, labels, torch.tensor(kept, dtype=torch.int64)), broken
