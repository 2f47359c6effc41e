"""`mnist`, `fashion_mnist` and `cifar10`: read by torchvision, downloaded on first use.

The files lie where torchvision expects them, so a folder that was filled by torchvision serves
the course and the other way round. A download goes to a hidden folder beside them first; a file
moves to its place when it is whole and its MD5 is right. Every load checks the MD5 of all files.
"""

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import torch

from course_utils.data import downloads
from course_utils.data.errors import DataCorrupt, DataUnavailable
from course_utils.data.raw import Part, RawSet

STAGING = ".downloading"
OFFLINE = "fashion_mnist_mini or shapes, which need no download"


@dataclass(frozen=True)
class ClassicSet:
    """A data set that torchvision can read.

    Attributes:
        name: the course's name.
        kind: the name of torchvision's class.
        folder: where its files are, inside the data folder.
        files: the names of its files, each with the MD5 of its content.
        archives: the names of the archives that its makers offer.
        archive_folder: where the archives may be put, inside the data folder.
        megabytes: room that archives and files need while they are unpacked.
        source: who made the pictures.
        licence: under which terms.
    """

    name: str
    kind: str
    folder: str
    files: Mapping[str, str]
    archives: tuple[str, ...]
    archive_folder: str
    megabytes: int
    source: str
    licence: str

    def paths(self, root: Path) -> dict[Path, str]:
        """Its files with the MD5 of each."""
        return {root / self.folder / name: md5 for name, md5 in self.files.items()}


_IDX_ARCHIVES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
MNIST = ClassicSet(
    name="mnist",
    kind="MNIST",
    folder="MNIST/raw",
    # Of the uncompressed files: archives compressed anew by a distribution are as good.
    files={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    archives=_IDX_ARCHIVES,
    archive_folder="MNIST/raw",
    megabytes=70,
    source="MNIST by Yann LeCun, Corinna Cortes and Christopher Burges (1998), from NIST's digits",
    licence="none stated by its makers",
)
FASHION_MNIST = ClassicSet(
    name="fashion_mnist",
    kind="FashionMNIST",
    folder="FashionMNIST/raw",
    files={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    archives=_IDX_ARCHIVES,
    archive_folder="FashionMNIST/raw",
    megabytes=90,
    source=(
        "Fashion-MNIST by Han Xiao, Kashif Rasul and Roland Vollgraf (Zalando Research, 2017), "
        "arXiv:1708.07747"
    ),
    licence="MIT, Copyright (c) 2017 Zalando SE",
)
CIFAR10 = ClassicSet(
    name="cifar10",
    kind="CIFAR10",
    folder="cifar-10-batches-py",
    files={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
    archives=("cifar-10-python.tar.gz",),
    archive_folder="",
    megabytes=360,
    source="CIFAR-10 by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton (2009)",
    licence="none stated by its makers",
)


def read(data_set: ClassicSet, root: Path) -> RawSet:
    """Read a data set, downloading what is missing.

    Args:
        data_set: which one.
        root: the data folder.

    Raises:
        DataUnavailable: it is not here and cannot be downloaded now.
        DataCorrupt: a file of it is damaged.
    """
    if missing_files(data_set, root):
        obtain(data_set, root)
    kind = _torchvision_class(data_set)
    train, test = kind(root, train=True), kind(root, train=False)
    return RawSet(
        train=_part(train),
        test=_part(test),
        classes=tuple(train.classes),
        source=data_set.source,
        licence=data_set.licence,
    )


def missing_files(data_set: ClassicSet, root: Path) -> list[str]:
    """The names of the files that are not in their place.

    Raises:
        DataCorrupt: one is there, but damaged.
    """
    missing = []
    for path, md5 in data_set.paths(root).items():
        if not path.is_file():
            missing.append(path.name)
        elif downloads.md5_of(path) != md5:
            raise DataCorrupt(
                f"{path} is damaged (its MD5 is not {md5}): delete it and load "
                f"{data_set.name!r} again"
            )
    return missing


def obtain(data_set: ClassicSet, root: Path) -> None:
    """Put the missing files in place, from archives that are here or over the network.

    Of several processes that want the same, one does it and the others wait.

    Raises:
        DataUnavailable: that is not possible now.
        DataCorrupt: an archive is damaged.
    """
    staging = root / STAGING / data_set.name
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with downloads.alone(root / STAGING / "lock"):
            staging.mkdir(exist_ok=True)  # the process before us may have tidied up
            for archive in _needed_archives(data_set, missing_files(data_set, root)):
                _unpack(data_set, root, _find_archive(data_set, root, archive, staging), staging)
            shutil.rmtree(staging)
    except downloads.NETWORK_ERRORS as error:
        if not any(staging.iterdir()):  # nothing arrived that the next try could build on
            staging.rmdir()
        raise DataUnavailable(_offline_sentence(data_set, root, error)) from error
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise DataUnavailable(_disk_sentence(data_set, root, error)) from error


def _needed_archives(data_set: ClassicSet, missing: list[str]) -> list[str]:
    """The archives that hold the missing files."""
    if len(data_set.archives) == 1:
        return list(data_set.archives) if missing else []
    return [name for name in data_set.archives if name.removesuffix(".gz") in missing]


def _find_archive(data_set: ClassicSet, root: Path, name: str, staging: Path) -> Path:
    """An archive that somebody put in its place, or else a downloaded one."""
    put_here = root / data_set.archive_folder / name
    if put_here.is_file():
        return put_here
    archive = staging / name
    if not archive.is_file():
        urls, md5 = _origin(data_set, name)
        downloads.fetch(urls, archive, md5)
    return archive


def _origin(data_set: ClassicSet, archive: str) -> tuple[list[str], str]:
    """Where torchvision gets an archive, and its MD5."""
    kind = _torchvision_class(data_set)
    if archive == getattr(kind, "filename", None):
        return [kind.url], kind.tgz_md5
    return [mirror + archive for mirror in kind.mirrors], dict(kind.resources)[archive]


def _unpack(data_set: ClassicSet, root: Path, archive: Path, staging: Path) -> None:
    """Unpack beside, check, and only then move into place.

    Raises:
        DataCorrupt: the archive is damaged, or holds something else.
    """
    places = {path.name: path for path in data_set.paths(root)}
    try:
        for name, content in _members(archive):
            if name not in places:
                continue
            unpacked = staging / name
            with unpacked.open("wb") as file:
                shutil.copyfileobj(content, file, 2**20)
            if downloads.md5_of(unpacked) != data_set.files[name]:
                raise DataCorrupt(f"{name} has the wrong MD5")
            places[name].parent.mkdir(parents=True, exist_ok=True)
            unpacked.replace(places[name])
    except (DataCorrupt, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise DataCorrupt(
            f"{archive} is damaged, or another file by that name: delete it and load "
            f"{data_set.name!r} again"
        ) from error


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files in an archive, each with its name without folders."""
    if not archive.name.endswith(".tar.gz"):
        with gzip.open(archive) as unpacked:
            yield archive.name.removesuffix(".gz"), cast(IO[bytes], unpacked)
        return
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member)
            if content is not None:
                yield Path(member.name).name, content


def _part(part: Any) -> Part:
    """A part as torchvision reads it: (N, 28, 28) bytes as a tensor, or (N, 32, 32, 3) in numpy."""
    images = torch.as_tensor(part.data)
    images = images[:, None] if images.dim() == 3 else images.permute(0, 3, 1, 2)
    return Part(images.contiguous(), torch.as_tensor(part.targets, dtype=torch.int64))


def _torchvision_class(data_set: ClassicSet) -> Any:
    from torchvision import datasets  # here: importing torchvision takes as long as torch itself

    return getattr(datasets, data_set.kind)


def _offline_sentence(data_set: ClassicSet, root: Path, error: Exception) -> str:
    cause = getattr(error, "reason", error)
    reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return (
        f"{data_set.name!r} is not in {root} and cannot be downloaded now ({reason}): "
        f"put {', '.join(data_set.archives)} into {root / data_set.archive_folder}, "
        f"or use {OFFLINE}"
    )


def _disk_sentence(data_set: ClassicSet, root: Path, error: OSError) -> str:
    if downloads.is_full(error):
        return (
            f"the disk of {root} is full: {data_set.name!r} needs about {data_set.megabytes} MB "
            "while it is unpacked, so make room, or set COURSE_DATA to a folder on another disk"
        )
    return (
        f"cannot write to {root} ({error.strerror or error}): set COURSE_DATA to a folder that "
        f"you may write to, or use {OFFLINE}"
    )
