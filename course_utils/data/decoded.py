"""Decode image files and keep the result: decoding takes far longer than reading bytes."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.data.photos import try_photo

__all__ = ["Decoded", "decode"]

FOLDER = "decoded"
_VERSION = 2  # of the way images are decoded: a change here invalidates what was kept


class Decoded(NamedTuple):
    """Image files as bytes."""

    images: Tensor  # (K, 3, S, S) uint8
    kept: Tensor  # (K,) int64: which of the files could be read
    reasons: dict[int, str]  # of the others: why not


def decode(paths: Sequence[Path], size: int, root: Path) -> Decoded:
    """Read image files, several at a time, or take what was read last time.

    Files that could not be read then are tried again: the cause may be gone.

    Args:
        paths: N files; names, sizes and modification times tell whether they are the same.
        size: Side of the images in pixels.
        root: The data folder; the results are kept in its folder `decoded`, which may be deleted
            at any time.
    """
    keeper = root / FOLDER / f"{_fingerprint(paths, size)}.npz"
    known = _recall(keeper)
    if known is not None:
        missing = sorted(set(range(len(paths))) - set(known.kept.tolist()))
        again = _read([paths[i] for i in missing], size)
        reasons = {i: why for i, why in zip(missing, again, strict=True) if isinstance(why, str)}
        if len(reasons) == len(missing):
            return known._replace(reasons=reasons)
    made = _decode_now(paths, size)
    with contextlib.suppress(OSError):  # no room or no right to write: then it is not kept
        _keep(keeper, made)
    return made


def _decode_now(paths: Sequence[Path], size: int) -> Decoded:
    images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    kept: list[int] = []
    reasons = {}
    for i, photo in enumerate(_read(paths, size)):
        if isinstance(photo, str):
            reasons[i] = photo
        else:
            images[len(kept)] = photo
            kept.append(i)
    return Decoded(images[: len(kept)], torch.tensor(kept, dtype=torch.int64), reasons)


def _read(paths: Sequence[Path], size: int) -> Iterator[Tensor | str]:
    """Read files with one thread per core, at most eight, and a progress bar in a terminal."""
    from tqdm.auto import tqdm

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        photos = pool.map(lambda path: try_photo(path, size), paths)
        yield from tqdm(photos, "images", len(paths), leave=False, delay=2, disable=None)


def _fingerprint(paths: Sequence[Path], size: int) -> str:
    """Return a name for these files in this state, and for the way they are read."""
    import PIL.ImageFile

    way = f"{_VERSION} {size} {PIL.__version__} {PIL.ImageFile.LOAD_TRUNCATED_IMAGES}"
    digest = hashlib.sha256(way.encode())
    for path in paths:
        digest.update(b"\n" + os.fsencode(path.absolute()))
        with contextlib.suppress(OSError):  # it may be gone by now
            facts = path.stat()
            digest.update(f" {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _recall(keeper: Path) -> Decoded | None:
    """Return what was kept, without the reasons; None if it is missing or incomplete."""
    with contextlib.suppress(Exception), keeper.open("rb") as file, np.load(file) as arrays:
        return Decoded(torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["kept"]), {})
    return None


def _keep(keeper: Path, made: Decoded) -> None:
    """Write to a temporary file and rename it, so that an incomplete file never has the name."""
    keeper.parent.mkdir(parents=True, exist_ok=True)
    beside = keeper.with_name(f"{keeper.stem}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, images=made.images.numpy(), kept=made.kept.numpy())
        beside.replace(keeper)
    finally:
        beside.unlink(missing_ok=True)
