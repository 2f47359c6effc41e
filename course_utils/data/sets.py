"""The data sets by name: load one, or say what state each is in."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from course_utils.arguments import as_path, flag, instance, share, shown, whole
from course_utils.data import classic, fashion_mini
from course_utils.data.augment import Augment
from course_utils.data.batches import Batches
from course_utils.data.folder import FolderConfig, read_folder
from course_utils.data.info import DataInfo, channel_statistics
from course_utils.data.raw import Part, RawSet
from course_utils.data.shapes import ShapesConfig, draw_shapes
from course_utils.data.splits import balanced_first, hold_out
from course_utils.runtime import find_device

__all__ = ["Loaders", "data_root", "load", "names", "read_raw", "status"]

VAL_FRACTION = 0.1
FOLDER_PREFIX = "imagefolder:"
LIMIT_KEEPS = 10  # images of each class that a limit leaves in validation and test set


@dataclass(frozen=True, eq=False)
class Loaders:
    """A data set ready for a model.

    Attributes:
        train: The training set, in a new order every epoch, augmented if you ask for it.
        val: The validation set, to choose by: a share of the training images, never trained on.
        test: The test set, to be used once, after all choices are made.
        info: What the images are.
    """

    train: Batches
    val: Batches
    test: Batches
    info: DataInfo


@dataclass(frozen=True)
class DataSet:
    """How to get a data set.

    Attributes:
        read: From its options and the data folder to its sets.
        status: From the data folder to its state, in a sentence.
        options: A dataclass, whose fields are the options of `load`; None if there are none.
    """

    read: Callable[[Any, Path], RawSet]
    status: Callable[[Path], str]
    options: type | None = None


def _classic(name: str) -> DataSet:
    return DataSet(
        read=lambda _, root: classic.read_classic(classic.classic_set(name), root),
        status=lambda root: classic.status(classic.classic_set(name), root),
    )


SETS: Mapping[str, DataSet] = {
    "fashion_mnist_mini": DataSet(
        read=lambda _, root: fashion_mini.read_fashion_mini(),
        status=lambda root: fashion_mini.status(),
    ),
    "shapes": DataSet(
        read=lambda config, root: draw_shapes(config),
        status=lambda root: "built in: drawn on demand",
        options=ShapesConfig,
    ),
    "mnist": _classic("mnist"),
    "fashion_mnist": _classic("fashion_mnist"),
    "cifar10": _classic("cifar10"),
}


def names() -> list[str]:
    """Return the names that `load` knows; `imagefolder:PATH` is one more."""
    return list(SETS)


def status(name: str, root: Path | str | None = None) -> str:
    """Say in a sentence what state a data set is in, without reading it or using the network.

    It begins with `built in`, `on disk` (as far as names and sizes tell; the MD5s are checked when
    it is loaded), `not downloaded` or `incomplete`.

    Args:
        name: One of `names()`, or `imagefolder:PATH`.
        root: Folder of the downloaded data sets; None as in `data_root`.

    Raises:
        ValueError: An unknown name.
    """
    return _find(name).status(data_root(root))


def data_root(root: Path | str | None = None) -> Path:
    """Return the folder of the downloaded data sets.

    Args:
        root: The folder, if you choose one; None for the environment's COURSE_DATA, else `data`
            beside the package if the course was cloned, else a folder in the user's cache.

    Raises:
        ValueError: The root is not a path.
    """
    if root is not None:
        return as_path(root, "root")
    if named := os.environ.get("COURSE_DATA"):
        return as_path(named, "COURSE_DATA")
    project = Path(__file__).parents[2]
    if (project / "pyproject.toml").is_file():
        return project / "data"
    return Path.home() / ".cache" / "convnet-course"


def load(
    name: str,
    *,
    batch_size: int,
    root: Path | str | None = None,
    device: torch.device | str = "cpu",
    augment: Augment | None = None,
    generator: Generator | None = None,
    limit: int | None = None,
    limit_evaluation: bool = True,
    val_fraction: float = VAL_FRACTION,
    **options: Any,
) -> Loaders:
    """Load a data set, split it and serve it in batches.

    Mean and standard deviation are those of the training set as it is used, so neither validation
    nor test images leak into the normalisation.

    Args:
        name: One of `names()`, or `imagefolder:PATH`.
        batch_size: Images in a batch.
        root: Folder of the downloaded data sets; None as in `data_root`.
        device: Where the batches are made.
        augment: What to do to each training image; validation and test images stay as they are.
        generator: For shuffling and augmentation, on the CPU; None for a new one with seed 0.
        limit: Keep at most this many training images, the classes in turn. Validation and test set
            shrink by the same factor, but keep at least ten images of each class.
        limit_evaluation: False leaves validation and test set whole in spite of the limit.
        val_fraction: Share of each class of the training set to hold out for validation, in
            [0, 1). The choice is always the same. 0 leaves `val` empty. A data set with its own
            validation set keeps that.
        **options: The data set's own, e.g. the dials of `shapes`.

    Returns:
        Training, validation and test set, and what they are.

    Raises:
        ValueError: An unknown name or option, or a value out of its range.
        DataUnavailable: The set is not available on this machine now.
    """
    batch_size = whole("batch_size", batch_size)
    val_fraction = share("val_fraction", val_fraction)
    if limit is not None:
        limit = whole("limit", limit, 0)
    limit_evaluation = flag("limit_evaluation", limit_evaluation)
    if augment is not None:
        instance("augment", augment, Augment, "data.Augment(...) or None")
    if generator is not None:
        instance("generator", generator, Generator, "torch.Generator().manual_seed(0) or None")
    device = find_device(device)
    raw = read_raw(name, root, **options)
    train, val = raw.train, raw.val
    if val is None:
        train, val = map(raw.train.select, hold_out(raw.train.labels, val_fraction))
    train, val, test = _limited(train, val, raw.test, limit, len(raw.classes), limit_evaluation)
    info = _describe(name, raw, train)
    if generator is None:
        generator = torch.Generator().manual_seed(0)

    def serve(part: Part, **settings: Any) -> Batches:
        return Batches(
            images=part.images.to(device).contiguous(),
            labels=part.labels.to(device),
            batch_size=batch_size,
            mean=info.mean,
            std=info.std,
            device=device,
            **settings,
        )

    return Loaders(
        train=serve(train, shuffle=True, augment=augment, generator=generator),
        val=serve(val),
        test=serve(test),
        info=info,
    )


def read_raw(name: str, root: Path | str | None = None, **options: Any) -> RawSet:
    """Read a data set as its authors publish it: no split, no normalisation.

    Args:
        name: One of `names()`, or `imagefolder:PATH`.
        root: Folder of the downloaded data sets; None as in `data_root`.
        **options: The data set's own.

    Raises:
        ValueError: An unknown name or option.
        DataUnavailable: The set is not available on this machine now.
    """
    data_set = _find(name)
    return data_set.read(_options(name, data_set.options, options), data_root(root))


def _find(name: str) -> DataSet:
    if not isinstance(name, str):
        raise ValueError(f"name = {shown(name)}: for a folder of images write 'imagefolder:{name}'")
    if name.startswith(FOLDER_PREFIX):
        named = name.removeprefix(FOLDER_PREFIX)
        if not named:
            raise ValueError(f"{FOLDER_PREFIX}PATH needs the PATH of a folder of images")
        folder = as_path(named, "PATH")
        return DataSet(
            read=lambda config, root: read_folder(config, folder, root),
            status=lambda root: (
                f"{'on disk:' if folder.is_dir() else 'there is no folder'} {folder}"
            ),
            options=FolderConfig,
        )
    if name not in SETS:
        known = ", ".join([*SETS, f"{FOLDER_PREFIX}PATH"])
        raise ValueError(f"there is no data set {name!r}: choose one of {known}")
    return SETS[name]


def _options(name: str, kind: type | None, given: Mapping[str, Any]) -> Any:
    """Return the given options as the data set's own dataclass."""
    known = [field.name for field in fields(kind)] if kind else []
    for option in given:
        if option not in known:
            choice = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{name} has no option {option!r}: {choice}")
    return kind and kind(**given)


def _limited(
    train: Part, val: Part, test: Part, limit: int | None, num_classes: int, evaluation: bool
) -> tuple[Part, Part, Part]:
    """Return the sets after `limit`."""
    if limit is None or limit >= len(train):
        return train, val, test
    if limit < num_classes:
        raise ValueError(f"limit is {limit}: give at least {num_classes}, one image for each class")
    if evaluation:
        factor, least = limit / len(train), LIMIT_KEEPS * num_classes
        val, test = (_first(part, max(least, round(factor * len(part)))) for part in (val, test))
    return _first(train, limit), val, test


def _first(part: Part, num: int) -> Part:
    return part.select(balanced_first(part.labels, num))


def _describe(name: str, raw: RawSet, train: Part) -> DataInfo:
    """Return what is known about a data set, with the statistics of its training set."""
    mean, std = channel_statistics(train.images)
    channels, height, width = train.images.shape[1:]
    return DataInfo(
        name=name,
        classes=raw.classes,
        image_shape=(channels, height, width),
        mean=mean,
        std=std,
        source=raw.source,
        licence=raw.licence,
        skipped=raw.skipped,
    )
