"""The data sets by name: loading one, and saying what state each is in."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from course_utils.data import classic, fashion_mini, folder, shapes
from course_utils.data import status as statuses
from course_utils.data.augment import Augment
from course_utils.data.batches import Batches
from course_utils.data.folder import FolderConfig
from course_utils.data.info import DataInfo, channel_statistics
from course_utils.data.photos import Photos
from course_utils.data.raw import Part, RawSet
from course_utils.data.shapes import ShapesConfig
from course_utils.data.splits import balanced_first, hold_out
from course_utils.data.status import DataStatus

VAL_FRACTION = 0.1
FOLDER_PREFIX = "imagefolder:"
LIMIT_KEEPS = 10  # pictures of each class that a limit leaves in validation and test part
STATISTICS_PHOTOS = 2000  # enough for mean and deviation to three digits


@dataclass(frozen=True, eq=False)
class Loaders:
    """A data set ready for a model.

    Attributes:
        train: what to learn from, in a new order every epoch, augmented if asked for.
        val: what to choose by: a share of the training part that is never trained on.
        test: what to be judged by, once, after all choices are made.
        info: what the pictures are.
    """

    train: Batches
    val: Batches
    test: Batches
    info: DataInfo


@dataclass(frozen=True)
class NoOptions:
    """The options of a data set that has none."""


@dataclass(frozen=True)
class DataSet:
    """How to get a data set.

    Attributes:
        read: from its options and the data folder to its parts.
        status: from the data folder to its state.
        options: a dataclass; its fields are the options of `load`.
    """

    read: Callable[[Any, Path], RawSet]
    status: Callable[[Path], DataStatus]
    options: type = NoOptions


def _classic(data_set: classic.ClassicSet) -> DataSet:
    return DataSet(
        read=lambda _, root: classic.read(data_set, root),
        status=lambda root: statuses.classic(data_set, root),
    )


SETS: Mapping[str, DataSet] = {
    "fashion_mnist_mini": DataSet(
        read=lambda _, root: fashion_mini.read(),
        status=lambda root: statuses.shipped("fashion_mnist_mini"),
    ),
    "shapes": DataSet(
        read=lambda config, root: shapes.read(config),
        status=lambda root: statuses.drawn("shapes"),
        options=ShapesConfig,
    ),
    "mnist": _classic(classic.MNIST),
    "fashion_mnist": _classic(classic.FASHION_MNIST),
    "cifar10": _classic(classic.CIFAR10),
}


def names() -> list[str]:
    """The names that `load` knows; `imagefolder:PATH` is one more."""
    return list(SETS)


def status(name: str, root: Path | str | None = None) -> DataStatus:
    """The state of a data set on this machine, without reading it or asking the network.

    Args:
        name: one of `names()`.
        root: folder of the downloaded sets; None as `data_root` says.

    Raises:
        ValueError: an unknown name.
    """
    return _find(name).status(data_root(root))


def data_root(root: Path | str | None = None) -> Path:
    """The folder of the downloaded data sets.

    Args:
        root: the folder, if it was named; None for the environment's COURSE_DATA, else `data`
            beside the package where the course was cloned, else a folder in the user's cache.
    """
    named = root if root is not None else os.environ.get("COURSE_DATA")
    if named:
        return Path(named).expanduser()
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
    val_fraction: float = VAL_FRACTION,
    **options: Any,
) -> Loaders:
    """Load a data set, split it and serve it in batches.

    Mean and standard deviation are those of the training part as it is used, so neither the
    validation nor the test part leaks into the normalisation.

    Args:
        name: one of `names()`, or `imagefolder:PATH`.
        batch_size: pictures in a batch.
        root: folder of the downloaded sets; None as `data_root` says.
        device: where the batches are made.
        augment: what to do to each training picture; validation and test pictures stay as
            they are.
        generator: for shuffling and augmentation, on the CPU; None for a new one with seed 0.
        limit: keep this many training pictures, the classes taking turns. Validation and test
            part shrink by the same factor, but keep at least ten pictures of each class.
        val_fraction: share of each class of the training part to hold out for validation, in
            [0, 1). The choice is always the same. 0 leaves `val` empty. A data set with a
            validation part of its own keeps that.
        **options: the data set's own, e.g. the dials of `shapes`.

    Returns:
        Training, validation and test part, and what they are.

    Raises:
        ValueError: an unknown name or option, or a value out of its range.
        DataUnavailable: the set cannot be had on this machine now.
    """
    raw = read(name, root, **options)
    train, val, test = _limited(*_split(raw, val_fraction), raw.test, limit, len(raw.classes))
    info = _describe(name, raw, train)
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    serve = partial(_serve, info, batch_size, torch.device(device))
    return Loaders(
        train=serve(train, shuffle=True, augment=augment, generator=generator),
        val=serve(val),
        test=serve(test),
        info=info,
    )


def read(name: str, root: Path | str | None = None, **options: Any) -> RawSet:
    """Read a data set as its makers publish it: no split, no normalisation.

    Args:
        name: one of `names()`, or `imagefolder:PATH`.
        root: folder of the downloaded sets; None as `data_root` says.
        **options: the data set's own.

    Raises:
        ValueError: an unknown name or option.
        DataUnavailable: the set cannot be had on this machine now.
    """
    data_set = _find(name)
    return data_set.read(_options(name, data_set.options, options), data_root(root))


def _find(name: str) -> DataSet:
    if name.startswith(FOLDER_PREFIX):
        named = name.removeprefix(FOLDER_PREFIX)
        if not named:
            raise ValueError(f"{FOLDER_PREFIX}PATH needs the PATH of a folder of pictures")
        path = Path(named).expanduser()
        return DataSet(
            read=lambda config, root: folder.read(config, path, root),
            status=lambda root: statuses.own_folder(name, path),
            options=FolderConfig,
        )
    if name not in SETS:
        known = ", ".join([*SETS, f"{FOLDER_PREFIX}PATH"])
        raise ValueError(f"there is no data set {name!r}: choose one of {known}")
    return SETS[name]


def _options(name: str, kind: type, given: Mapping[str, Any]) -> Any:
    """The given options as the data set's own dataclass."""
    known = [field.name for field in fields(kind)]
    for option in given:
        if option not in known:
            choice = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{name} has no option {option!r}: {choice}")
    return kind(**given)


def _split(raw: RawSet, val_fraction: float) -> tuple[Part, Part]:
    """Training and validation part."""
    if raw.val is not None:
        return raw.train, raw.val
    train, val = hold_out(raw.train.labels, val_fraction)
    return raw.train.select(train), raw.train.select(val)


def _limited(
    train: Part, val: Part, test: Part, limit: int | None, num_classes: int
) -> tuple[Part, Part, Part]:
    """The parts after `limit`."""
    if limit is None or limit >= len(train):
        return train, val, test
    if limit < num_classes:
        raise ValueError(
            f"limit is {limit}: give at least {num_classes}, one picture for each class"
        )
    factor, least = limit / len(train), LIMIT_KEEPS * num_classes
    smaller = [_first(part, max(least, round(factor * len(part)))) for part in (val, test)]
    return _first(train, limit), smaller[0], smaller[1]


def _first(part: Part, num: int) -> Part:
    return part.select(balanced_first(part.labels, num))


def _describe(name: str, raw: RawSet, train: Part) -> DataInfo:
    """What is known about a data set, the statistics measured on its training part."""
    images = train.images
    if isinstance(images, Photos):
        images = images.readable(balanced_first(train.labels, STATISTICS_PHOTOS))
    mean, std = channel_statistics(images)
    channels, height, width = images.shape[1:]
    return DataInfo(
        name=name,
        classes=raw.classes,
        image_shape=(channels, height, width),
        mean=mean,
        std=std,
        source=raw.source,
        licence=raw.licence,
        skipped=raw.skipped,
        notes=raw.notes,
    )


def _serve(
    info: DataInfo,
    batch_size: int,
    device: torch.device,
    part: Part,
    **settings: Any,
) -> Batches:
    """A part as batches."""
    images = part.images
    return Batches(
        images=images if isinstance(images, Photos) else images.to(device).contiguous(),
        labels=part.labels.to(device),
        batch_size=batch_size,
        mean=info.mean,
        std=info.std,
        device=device,
        **settings,
    )
