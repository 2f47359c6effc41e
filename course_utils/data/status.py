"""What state a data set is in on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from course_utils.data import fashion_mini
from course_utils.data.classic import ClassicSet

State = Literal["built in", "on disk", "not downloaded", "incomplete"]


@dataclass(frozen=True)
class DataStatus:
    """State of a data set.

    Attributes:
        name: of the data set.
        state: "built in" needs nothing; "on disk" is complete, as far as names and sizes tell
            (its MD5s are checked when it is loaded); "not downloaded" and "incomplete" need a
            network, or somebody who brings the files.
        folder: where its files are or would be; None where there are none.
        num_bytes: room that it takes on the disk.
        message: all of it in a sentence, with what to do.
    """

    name: str
    state: State
    folder: Path | None
    num_bytes: int
    message: str


def drawn(name: str) -> DataStatus:
    """The status of a set that is made on demand."""
    return DataStatus(name, "built in", None, 0, "built in: drawn on demand")


def shipped(name: str, file: Path = fashion_mini.FILE) -> DataStatus:
    """The status of the set that is shipped with the course."""
    size = file.stat().st_size if file.is_file() else 0
    if not size:
        message = f"{file} is missing: install the course again"
        return DataStatus(name, "incomplete", file.parent, 0, message)
    return DataStatus(name, "built in", file.parent, size, f"built in: {_megabytes(size)}")


def own_folder(name: str, folder: Path) -> DataStatus:
    """The status of somebody's own folder of pictures; they are not counted."""
    if folder.is_dir():
        return DataStatus(name, "on disk", folder, 0, f"on disk: {folder}")
    return DataStatus(name, "not downloaded", folder, 0, f"there is no folder {folder}")


def classic(data_set: ClassicSet, root: Path) -> DataStatus:
    """The status of a set that is downloaded."""
    paths = data_set.paths(root)
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    folder, total = root / data_set.folder, sum(sizes)
    if len(sizes) == len(paths):
        message = f"on disk: {_megabytes(total)} in {folder}"
        return DataStatus(data_set.name, "on disk", folder, total, message)
    if all((root / data_set.archive_folder / name).is_file() for name in data_set.archives):
        message = f"on disk: packed in {root / data_set.archive_folder}, unpacked when loaded"
        return DataStatus(data_set.name, "on disk", folder, total, message)
    state: State = "incomplete" if sizes else "not downloaded"
    message = (
        f"{state}: loading it downloads it, or put {', '.join(data_set.archives)} "
        f"into {root / data_set.archive_folder}"
    )
    return DataStatus(data_set.name, state, folder, total, message)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
