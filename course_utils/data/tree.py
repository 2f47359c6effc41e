"""Which image files a folder holds, by set and class, and what is left out and why."""

import errno
import os
import stat
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from course_utils.data.errors import DataUnavailable
from course_utils.data.splits import hold_out

__all__ = ["Files", "ImageTree", "find_images", "listing", "name_in"]

# What Pillow reads, and what it does not: better reported as unreadable than overlooked.
SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe"),
    *(".jpeg", ".jpg", ".jxl", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".svg"),
    *(".tga", ".tif", ".tiff", ".webp", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf"),
)
PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
# What systems and their tools put into any folder, besides names that begin with a dot.
SYSTEM = (
    *("__macosx", "icon\r", "network trash folder", "temporary items", "__pycache__"),
    *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "lost+found", "lost.dir"),
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb"),
)
_NAMED = 5  # how many of the files left out are named in a message
_WORDS = {
    errno.ENOENT: "a link that leads nowhere",
    errno.ELOOP: "a link that leads to itself",
    errno.EACCES: "no permission to read it",
}


@dataclass(frozen=True, eq=False)
class Files:
    """Image files of one set, with their labels (N,)."""

    paths: Sequence[Path]
    labels: Tensor

    def select(self, index: Tensor) -> "Files":
        """Return the files at these positions (K,)."""
        return Files([self.paths[i] for i in index.tolist()], self.labels[index])


@dataclass(frozen=True, eq=False)
class ImageTree:
    """The image files of a folder.

    Attributes:
        parts: The files of `train`, of `test`, and of `val` if the folder has it.
        classes: Class names; a label is an index into them.
        skipped: What was left out: the path in the folder -> the reason.
    """

    parts: Mapping[str, Files]
    classes: tuple[str, ...]
    skipped: Mapping[str, str]


def find_images(folder: Path, test_fraction: float) -> ImageTree:
    """Find the image files of each set, without opening any.

    Args:
        folder: A folder that holds a folder for each set, or one for each class.
        test_fraction: Share of each class for the test set if the folder has none.

    Raises:
        DataUnavailable: There is no such folder.
        ValueError: Sets are missing, or have different classes, or a class has no images.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 (no error where a path is too long)
        raise DataUnavailable(
            f"there is no folder {folder.absolute()}: write imagefolder:PATH, where PATH holds "
            "train/ and test/, or one folder for each class"
        )
    walk = _Walk(folder)
    folders, loose = walk.enter(folder)
    places = _find_parts(folder, folders)
    if not places:
        files, classes = walk.read_part(folder, folders, loose)
        train, test = hold_out(files.labels, test_fraction)
        halves = {"train": files.select(train), "test": files.select(test)}
        return ImageTree(halves, classes, walk.skipped)
    for path in (*folders, *loose):
        if path not in places.values():
            walk.skip(path, "neither a set nor a class")
    parts = {}
    for part, place in places.items():
        parts[part], theirs = walk.read_part(place, *walk.enter(place))
        classes = theirs if part == "train" else classes
        if theirs != classes:
            odd = ", ".join(sorted({*theirs} ^ {*classes}))
            raise ValueError(
                f"{place} and {places['train']} have different classes: {odd} in only one of them"
            )
    return ImageTree(parts, classes, walk.skipped)


def _find_parts(folder: Path, folders: Sequence[Path]) -> dict[str, Path]:
    """Return the folder of each set; none if there are only classes."""
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        for path in folders:
            if path.name.lower() in names and found.setdefault(part, path) != path:
                raise ValueError(
                    f"{folder} holds {found[part].name} and {path.name}, which mean the same "
                    "set: keep one of them"
                )
    here = " and ".join(path.name for path in found.values())
    for needed in ("train", "test"):
        if found and needed not in found:
            raise ValueError(
                f"{folder} has {here}, but no {needed}: add {needed}/, or rename what is a class"
            )
    return found


class _Walk:
    """A walk through a folder that enters every folder once and notes what it leaves out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: dict[str, str] = {}
        self._entered = [root.resolve()]

    def skip(self, path: Path, reason: str | OSError) -> None:
        """Leave something out."""
        if isinstance(reason, OSError):
            reason = _WORDS.get(reason.errno or 0, str(reason.strerror))
        self.skipped[name_in(self.root, path)] = reason

    def read_part(
        self, folder: Path, folders: Sequence[Path], loose: Sequence[Path]
    ) -> tuple[Files, tuple[str, ...]]:
        """Return the files and the classes of a folder that holds one folder for each class."""
        if len(folders) < 2:
            raise ValueError(
                f"{folder} has {len(folders)} folders: it needs at least two, one for each class"
                + (f", or is {folders[0]} meant?" if folders else "")
            )
        for path in loose:
            self.skip(path, "in no class folder")
        found: dict[str, list[Path]] = {}
        for path in folders:
            name = unicodedata.normalize("NFC", _shown(path.name))
            if name in found:
                raise ValueError(f"{folder} has two folders that read {name!r}: rename one")
            found[name] = self._read_class(path)
        classes = tuple(sorted(found))
        paths = [path for name in classes for path in found[name]]
        labels = [label for label, name in enumerate(classes) for _ in found[name]]
        return Files(paths, torch.tensor(labels)), classes

    def _read_class(self, folder: Path) -> list[Path]:
        """Return the image files of a class, in alphabetical order, including deeper folders."""
        folders, images = self.enter(folder)
        if folders and not images:
            raise ValueError(
                f"{folder} holds only folders: put the images of the class into it, or name the "
                "folder of the classes as PATH"
            )
        if not images:
            out = listing(self.skipped, f"{name_in(self.root, folder)}/")
            raise ValueError(
                f"{folder} holds no images{f' but {out}' * bool(out)}: add some, or remove the "
                "folder"
            )
        while folders:
            deeper, more = self.enter(folders.pop())
            folders += deeper
            images += more
        return sorted(images)

    def enter(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return the folders and the image files in a folder, both in alphabetical order."""
        folders, images = [], []
        for path in self._visible(folder):
            try:
                mode = path.stat().st_mode
            except OSError as error:
                self.skip(path, error)
                continue
            if stat.S_ISDIR(mode):
                if not self._is_read_already(path):
                    folders.append(path)
            elif not stat.S_ISREG(mode):
                self.skip(path, "not a file: a pipe, a socket or a device")
            elif path.suffix.lower() in SUFFIXES:
                images.append(path)
        return folders, images

    def _visible(self, folder: Path) -> list[Path]:
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            self.skip(folder, error)
            return []
        return [path for path in paths if path.name[0] != "." and path.name.lower() not in SYSTEM]

    def _is_read_already(self, folder: Path) -> bool:
        """Return whether a folder is a link to one that is read anyway, or that holds one."""
        if not folder.is_symlink():
            return False
        real = folder.resolve()
        if any(real.is_relative_to(path) or path.is_relative_to(real) for path in self._entered):
            self.skip(folder, "a link to a folder that is already read")
            return True
        self._entered.append(real)
        return False


def name_in(root: Path, path: Path) -> str:
    """Return the path of something in a folder, as in the report of what is left out."""
    return _shown(path.relative_to(root).as_posix())


def listing(skipped: Mapping[str, str], below: str = "") -> str:
    """Return the first files left out, in words: `a.png (empty), b.png (...) and 3 more`.

    Args:
        skipped: Path -> reason.
        below: Only this path and what lies below it; "" for everything.
    """
    named = [f"{path} ({why})" for path, why in skipped.items() if f"{path}/".startswith(below)]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


def _shown(name: str) -> str:
    """Return a name that any file and figure can hold, even if its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
