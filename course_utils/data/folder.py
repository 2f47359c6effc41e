"""`imagefolder:PATH`: anyone's own pictures, one folder a class.

    PATH/train/cat/*.jpg  PATH/train/dog/*.jpg  PATH/test/cat/*.jpg  PATH/test/dog/*.jpg

and, if wanted, the same under PATH/val. Without `train` and `test` the class folders lie in PATH
itself, and a share of each class becomes the test part, always the same one.
"""

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from course_utils.data.decoded import Decoded, remember
from course_utils.data.errors import DataUnavailable
from course_utils.data.photos import Photos, default_workers, has_header, try_photo
from course_utils.data.raw import Part, RawSet
from course_utils.data.splits import hold_out

# What Pillow reads, and .heic, which it does not: better named as unreadable than overlooked.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".avif", ".heic", ".heif"),
)
PARTS = ("train", "val", "test")
_NAMED_IN_WARNING = 5
_CALLER = 6  # how far up from a warning the call of `load` is


@dataclass(frozen=True)
class FolderConfig:
    """The options of `imagefolder:PATH`.

    Attributes:
        image_size: side of the pictures in pixels: the shorter side is resized to it, then the
            middle is cut out. 32 suits every model for small pictures.
        test_fraction: share of each class that becomes the test part where there is no `test`
            folder, in (0, 1).
        max_bytes: a set that is larger than this when decoded stays in its files and is read
            batch by batch.
        workers: processes that read such a set; None for one a core, at most eight.

    Raises:
        ValueError: a value out of its range.
    """

    image_size: int = 32
    test_fraction: float = 0.2
    max_bytes: int = 2 * 2**30
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.image_size < 1:
            raise ValueError(f"image_size is {self.image_size}: give a number of pixels, e.g. 32")
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction is a share in (0, 1), not {self.test_fraction}")


@dataclass(frozen=True, eq=False)
class Files:
    """Picture files of one part, with their labels (N,)."""

    paths: Sequence[Path]
    labels: Tensor

    def select(self, index: Tensor) -> "Files":
        """The files at these positions (K,)."""
        return Files([self.paths[i] for i in index.tolist()], self.labels[index])


def read(config: FolderConfig, folder: Path, root: Path) -> RawSet:
    """Read a folder of pictures.

    Args:
        config: the options.
        folder: PATH of the name.
        root: the data folder, where decoded pictures are kept for the next time.

    Raises:
        DataUnavailable: there is no such folder.
        ValueError: it does not hold what it should; the message says what is missing.
    """
    files, classes = find_files(folder, config.test_fraction)
    stays = _stays_in_files(files, config)
    parts, skipped = {}, []
    for name, found in files.items():
        images, kept = _open(found, config) if stays else _decode(found, config, root)
        parts[name] = Part(images, found.labels[kept])
        skipped += _left_out(folder, found, kept)
        _check_classes(folder, name, parts[name].labels, classes)
    return RawSet(
        train=parts["train"],
        test=parts["test"],
        val=parts.get("val"),
        classes=classes,
        source=f"the pictures in {folder}",
        licence="as the owner of the folder says",
        skipped=_warn_of(folder, skipped),
        notes=_warn_of_size(folder, config) if stays else (),
    )


def find_files(folder: Path, test_fraction: float) -> tuple[dict[str, Files], tuple[str, ...]]:
    """The picture files of each part, and the names of the classes.

    Args:
        folder: PATH.
        test_fraction: share of each class for a test part where the folder has none.

    Raises:
        DataUnavailable: there is no such folder.
        ValueError: parts are missing, or have different classes, or a class has no pictures.
    """
    if not folder.is_dir():
        raise DataUnavailable(
            f"there is no folder {folder.absolute()}: write imagefolder:PATH, where PATH holds "
            "train/ and test/, or one folder for each class"
        )
    parts = [name for name in PARTS if (folder / name).is_dir()]
    if not parts:
        classes = _class_names(folder)
        every = _files_of(folder, classes)
        train, test = hold_out(every.labels, test_fraction)
        return {"train": every.select(train), "test": every.select(test)}, classes
    for needed in ("train", "test"):
        if needed not in parts:
            raise ValueError(f"{folder} has {' and '.join(parts)}, but no {needed}: add {needed}/")
    classes = _class_names(folder / "train")
    for name in parts:
        _check_same(folder, name, classes)
    return {name: _files_of(folder / name, classes) for name in parts}, classes


def _class_names(folder: Path) -> tuple[str, ...]:
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    classes = tuple(sorted(name for name in names if not name.startswith((".", "__"))))
    if len(classes) < 2:
        raise ValueError(
            f"{folder} has {len(classes)} folders: it takes at least two, one for each class"
        )
    return classes


def _check_same(folder: Path, part: str, classes: tuple[str, ...]) -> None:
    theirs, ours = set(_class_names(folder / part)), set(classes)
    if theirs != ours:
        raise ValueError(
            f"{folder / part} and {folder / 'train'} have different classes: "
            f"{', '.join(sorted(theirs ^ ours))} in only one of them"
        )


def _files_of(folder: Path, classes: tuple[str, ...]) -> Files:
    """The picture files under each class folder, in alphabetical order.

    Raises:
        ValueError: a class has none.
    """
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(path for path in (folder / name).rglob("*") if _is_picture(path))
        if not found:
            raise ValueError(f"{folder / name} holds no pictures: add some, or remove the folder")
        paths += found
        labels += [label] * len(found)
    return Files(paths, torch.tensor(labels))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _stays_in_files(files: Mapping[str, Files], config: FolderConfig) -> bool:
    """Whether the pictures are too many to be decoded once and for all."""
    num = sum(len(found.paths) for found in files.values())
    return num * 3 * config.image_size**2 > config.max_bytes


def _open(files: Files, config: FolderConfig) -> tuple[Photos, Tensor]:
    """Photos to be read when needed, and the positions of those that look like pictures."""
    with ThreadPoolExecutor(default_workers()) as pool:
        good = torch.tensor(list(pool.map(has_header, files.paths)))
    kept = good.nonzero().squeeze(1)
    mine = files.select(kept)
    return Photos(mine.paths, mine.labels, config.image_size, config.workers), kept


def _decode(files: Files, config: FolderConfig, root: Path) -> Decoded:
    """All pictures (K, 3, S, S), uint8, and the positions of those that could be read (K,)."""

    def make() -> Decoded:
        return decode_all(files.paths, config.image_size)

    return remember(root, files.paths, config.image_size, make)


def decode_all(paths: Sequence[Path], size: int) -> Decoded:
    """Read picture files, several at a time.

    Args:
        paths: N files.
        size: side of the pictures in pixels.

    Returns:
        The pictures that could be read, and which those are.
    """
    from tqdm.auto import tqdm

    images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    kept: list[int] = []
    with ThreadPoolExecutor(default_workers()) as pool:
        photos = pool.map(lambda path: try_photo(path, size), paths)
        # The bar shows only where somebody looks, and only if there is something to wait for.
        bar = tqdm(photos, "pictures", len(paths), leave=False, delay=2, disable=None)
        for i, photo in enumerate(bar):
            if photo is not None:
                images[len(kept)] = photo
                kept.append(i)
    return Decoded(images[: len(kept)], torch.tensor(kept, dtype=torch.int64))


def _left_out(folder: Path, files: Files, kept: Tensor) -> list[str]:
    """The names of the files that were not kept."""
    good = set(kept.tolist())
    return [
        path.relative_to(folder).as_posix() for i, path in enumerate(files.paths) if i not in good
    ]


def _check_classes(folder: Path, part: str, labels: Tensor, classes: tuple[str, ...]) -> None:
    counts = torch.bincount(labels, minlength=len(classes))
    for name, count in zip(classes, counts.tolist(), strict=True):
        if not count:
            raise ValueError(
                f"the {part} part of {folder} has no readable picture of class {name!r}: add "
                "some, or remove the class"
            )


def _warn_of(folder: Path, skipped: Sequence[str]) -> tuple[str, ...]:
    if skipped:
        named = ", ".join(skipped[:_NAMED_IN_WARNING])
        more = f" and {len(skipped) - _NAMED_IN_WARNING} more (see info.skipped)"
        more = more if len(skipped) > _NAMED_IN_WARNING else ""
        warnings.warn(
            f"{len(skipped)} of the pictures in {folder} cannot be read and are left out: "
            f"{named}{more}",
            stacklevel=_CALLER,
        )
    return tuple(skipped)


def _warn_of_size(folder: Path, config: FolderConfig) -> tuple[str, ...]:
    note = (
        f"the pictures in {folder} need more than {config.max_bytes / 2**30:.2g} GiB of memory: "
        "they are read from disk batch by batch, which is slower"
    )
    warnings.warn(note, stacklevel=_CALLER)
    return (note,)
