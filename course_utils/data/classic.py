"""`mnist`, `fashion_mnist` and `cifar10`: downloaded by pooch on first use, read by torchvision.

The files are where torchvision expects them, so a folder filled by torchvision serves the course,
and vice versa. A download first goes to a hidden folder beside them; a file moves to its place
when it is complete and its MD5 is right. Every load checks the MD5 of all files. That guards
against damage, not against malice: an MD5 is what the authors published.
"""

import contextlib
import errno
import gzip
import hashlib
import shutil
import tarfile
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import torch

from course_utils.data.errors import DataCorrupt, DataUnavailable
from course_utils.data.raw import Part, RawSet

__all__ = ["ClassicSet", "classic_set", "read_classic", "status"]

STAGING = ".downloading"
TIMEOUT_SECONDS = 30.0  # without a single byte
OFFLINE = "fashion_mnist_mini or shapes, which need no download"


@dataclass(frozen=True)
class ClassicSet:
    """A row of `classic.toml`, which says what the fields mean."""

    name: str
    kind: str
    folder: str
    files: Mapping[str, str]
    megabytes: int
    source: str
    licence: str
    archive: str | None = None

    @property
    def archives(self) -> list[str]:
        """The names of the archives that its authors offer."""
        return [self.archive] if self.archive else [f"{name}.gz" for name in self.files]

    def paths(self, root: Path) -> dict[Path, str]:
        """Return its files with the MD5 of each."""
        return {root / self.folder / name: md5 for name, md5 in self.files.items()}

    def archive_folder(self, root: Path) -> Path:
        """Return where its archives may be put, as torchvision does."""
        return root if self.archive else root / self.folder

    def torchvision_class(self) -> Any:
        """Return the class that reads it and knows the servers."""
        from torchvision import datasets  # here: importing it takes as long as torch itself

        return getattr(datasets, self.kind)


def classic_set(name: str) -> ClassicSet:
    """Return what is known about a data set."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return ClassicSet(name=name, **rows[name])


def status(data_set: ClassicSet, root: Path) -> str:
    """Say in a sentence whether a data set is here, without reading it."""
    sizes = [path.stat().st_size for path in data_set.paths(root) if path.is_file()]
    place = data_set.archive_folder(root)
    if len(sizes) == len(data_set.files):
        return f"on disk: {sum(sizes) / 1e6:.0f} MB in {root / data_set.folder}"
    if all((place / name).is_file() for name in data_set.archives):
        return f"on disk: packed in {place}, unpacked when loaded"
    state = "incomplete" if sizes else "not downloaded"
    return f"{state}: loading it downloads it, or put {', '.join(data_set.archives)} into {place}"


def read_classic(data_set: ClassicSet, root: Path) -> RawSet:
    """Read a data set, downloading what is missing.

    Args:
        data_set: Which one.
        root: The data folder.

    Raises:
        DataUnavailable: It is not here and cannot be downloaded now.
        DataCorrupt: One of its files is damaged.
    """
    if missing_files(data_set, root):
        obtain(data_set, root)
    kind = data_set.torchvision_class()
    train, test = kind(root, train=True), kind(root, train=False)
    classes = tuple(train.classes)
    return RawSet(_part(train), _part(test), classes, data_set.source, data_set.licence)


def _part(part: Any) -> Part:
    """Turn what torchvision has read, (N, 28, 28) or (N, 32, 32, 3) bytes, into a part."""
    images = torch.as_tensor(part.data)
    images = images[:, None] if images.dim() == 3 else images.permute(0, 3, 1, 2)
    return Part(images.contiguous(), torch.as_tensor(part.targets, dtype=torch.int64))


def missing_files(data_set: ClassicSet, root: Path) -> list[str]:
    """Return the names of the files that are missing.

    Raises:
        DataCorrupt: One is there, but damaged.
    """
    for path, md5 in data_set.paths(root).items():
        if path.is_file() and md5_of(path) != md5:
            raise DataCorrupt(
                f"{path} is damaged (its MD5 is not {md5}): delete it and load "
                f"{data_set.name!r} again"
            )
    return [path.name for path in data_set.paths(root) if not path.is_file()]


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def obtain(data_set: ClassicSet, root: Path) -> None:
    """Put the missing files in place, from archives that are here or over the network.

    If several processes want the same files, one does it and the others wait.

    Raises:
        DataUnavailable: This is not possible now.
        DataCorrupt: An archive is damaged.
    """
    from filelock import FileLock
    from requests import RequestException

    staging = root / STAGING / data_set.name
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with FileLock(root / STAGING / "lock"):
            staging.mkdir(exist_ok=True)  # the process before us may have tidied up
            _unpack_missing(data_set, root, staging)
            shutil.rmtree(staging)
    except RequestException as error:
        raise DataUnavailable(_offline_sentence(data_set, root, error)) from error
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise DataUnavailable(_disk_sentence(data_set, root, error)) from error


def _unpack_missing(data_set: ClassicSet, root: Path, staging: Path) -> None:
    """Find or download the archives of the missing files, and unpack them."""
    for path in staging.iterdir():
        if path.name not in data_set.archives:
            path.unlink()  # half a file that a killed process left
    missing = missing_files(data_set, root)
    for name in data_set.archives:
        if missing and (data_set.archive or name.removesuffix(".gz") in missing):
            archive = data_set.archive_folder(root) / name
            if not archive.is_file():
                archive = _download(data_set, staging / name)
            _unpack(data_set, root, archive, staging)


def _download(data_set: ClassicSet, archive: Path) -> Path:
    """Download an archive from the first server that has it complete."""
    from requests import RequestException

    kind = data_set.torchvision_class()
    if data_set.archive:
        return _fetch(kind.url, archive, kind.tgz_md5)
    md5, urls = dict(kind.resources)[archive.name], [f"{url}{archive.name}" for url in kind.mirrors]
    for url in urls[:-1]:
        with contextlib.suppress(RequestException, DataCorrupt):
            return _fetch(url, archive, md5)
    return _fetch(urls[-1], archive, md5)


def _fetch(url: str, archive: Path, md5: str) -> Path:
    """Download a file, with a progress bar, and give it its name when it is complete."""
    import pooch

    loader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT_SECONDS)
    try:
        pooch.retrieve(url, f"md5:{md5}", archive.name, archive.parent, downloader=loader)
    except ValueError as error:
        raise DataCorrupt(
            f"{archive.name} was damaged on the way (its MD5 is wrong): load it again"
        ) from error
    return archive


def _unpack(data_set: ClassicSet, root: Path, archive: Path, staging: Path) -> None:
    """Unpack to a temporary folder, check, and only then move into place."""
    places = {path.name: path for path in data_set.paths(root)}
    try:
        for name, content in _members(archive):
            if name in places:
                with (staging / name).open("wb") as file:
                    shutil.copyfileobj(content, file, 2**20)
                if md5_of(staging / name) != data_set.files[name]:
                    raise DataCorrupt(f"{name} has the wrong MD5")
                places[name].parent.mkdir(parents=True, exist_ok=True)
                (staging / name).replace(places[name])
    except (DataCorrupt, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise DataCorrupt(
            f"{archive} is damaged, or another file of that name: delete it and load "
            f"{data_set.name!r} again"
        ) from error


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the files in an archive, each with its name without folders."""
    if not archive.name.endswith(".tar.gz"):
        with gzip.open(archive) as unpacked:
            yield archive.name.removesuffix(".gz"), cast(IO[bytes], unpacked)
        return
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member)
            if content is not None:
                yield Path(member.name).name, content


def _offline_sentence(data_set: ClassicSet, root: Path, error: BaseException) -> str:
    while error.__context__ is not None:  # down to what the system said
        error = error.__context__
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return (
        f"{data_set.name!r} is not in {root} and cannot be downloaded now ({reason}): "
        f"put {', '.join(data_set.archives)} into {data_set.archive_folder(root)}, "
        f"or use {OFFLINE}"
    )


def _disk_sentence(data_set: ClassicSet, root: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return (
            f"the disk of {root} is full: {data_set.name!r} needs about {data_set.megabytes} MB "
            "while it is unpacked, so make room, or set COURSE_DATA to a folder on another disk"
        )
    return (
        f"cannot write to {root} ({error.strerror or error}): set COURSE_DATA to a folder that "
        f"you may write to, or use {OFFLINE}"
    )
