"""Keeping decoded pictures for the next time: decoding takes far longer than reading bytes."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FOLDER = "decoded"
_VERSION = 1  # of the way pictures are decoded: a change here makes what was kept worthless


class Decoded(NamedTuple):
    """Picture files as bytes."""

    images: Tensor  # (K, 3, S, S) uint8
    kept: Tensor  # (K,) int64: which of the files could be read


def remember(root: Path, paths: Sequence[Path], size: int, make: Callable[[], Decoded]) -> Decoded:
    """What `make` made of these files the last time, if none has changed since, or else now.

    Args:
        root: the data folder; what is kept lies in its folder `decoded`, which may be deleted
            at any time.
        paths: the files; names, sizes and times of change tell whether they are the same.
        size: side of the pictures in pixels.
        make: decodes the files.
    """
    keeper = root / FOLDER / f"{_fingerprint(paths, size)}.npz"
    with contextlib.suppress(Exception), np.load(keeper) as arrays:
        return Decoded(torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["kept"]))
    # Absent or torn.
    made = make()
    with contextlib.suppress(OSError):  # no room or no right to write: then it is not kept
        _keep(keeper, made)
    return made


def _fingerprint(paths: Sequence[Path], size: int) -> str:
    digest = hashlib.sha256(f"{_VERSION} {size}".encode())
    for path in paths:
        facts = path.stat()
        digest.update(f"\n{path.absolute()} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _keep(keeper: Path, made: Decoded) -> None:
    """Write beside and rename, so that a torn file never carries the name."""
    keeper.parent.mkdir(parents=True, exist_ok=True)
    beside = keeper.with_name(f"{keeper.stem}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, images=made.images.numpy(), kept=made.kept.numpy())
        beside.replace(keeper)
    finally:
        beside.unlink(missing_ok=True)
