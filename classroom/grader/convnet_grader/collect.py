"""Submissions as learning platforms export them: who sent what, and what cannot be graded.

A name is only looked at, and never used as a path; an archive is read, never unpacked.
"""

import hashlib
import os
import re
import stat
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode
from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning

__all__ = [
    "LARGEST",
    "Problem",
    "SentFile",
    "Submission",
    "checked",
    "collect",
    "identify",
    "parsed",
    "sent_files",
    "which_exercise",
]

LARGEST = 10 * 2**20
"""Bytes of a notebook; one with all its figures has about one megabyte."""
IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")
COPY = re.compile(r"( \(\d+\)|-\d+)$")
CANVAS = re.compile(r"[^\W\d_]+_(?:late_)?(?P<id>\d+)_\d+_(?P<rest>.+)", re.IGNORECASE)
MOODLE = re.compile(r".+_(?P<id>\d+)_assignsubmission_file_?.*")
STUDENT = re.compile(r"\w[\w.@-]{0,79}")


@dataclass(frozen=True)
class Problem:
    """Something that cannot be graded, for the teacher's list.

    Args:
        name: Of the file.
        reason: In words that follow the name.
        student: The id, or "" where it is not known.
    """

    name: str
    reason: str
    student: str = ""


@dataclass(frozen=True)
class Submission:
    """One student's notebook.

    Args:
        student: The id.
        name: Of the file, as it came.
        file: Our copy of it.
        digest: A hash of its content.
    """

    student: str
    name: str
    file: Path
    digest: str


@dataclass(frozen=True)
class SentFile:
    """A file in a folder or archive, not yet read.

    Args:
        name: With folders, "/" between them.
        size: In bytes, as announced.
        is_link: Whether it only points to another file.
        read: Returns at most so many bytes of it.
    """

    name: str
    size: int
    is_link: bool
    read: Callable[[int], bytes]


def sent_files(source: Path) -> Iterator[SentFile]:
    """Yield all that a folder or a zip file holds, but for what systems leave behind.

    Raises:
        ValueError: It is neither.
    """
    if source.is_dir():
        found = _in_folder(source)
    elif zipfile.is_zipfile(source):
        found = _in_archive(source)
    else:
        raise ValueError(f"{source} is no folder and no zip file of notebooks")
    for file in found:
        parts = [part for part in file.name.split("/") if part not in (".", "..")]
        if not any(part in IGNORED or part.startswith(".") for part in parts):
            yield file


def _in_folder(folder: Path) -> Iterator[SentFile]:
    """Yield what is in a folder; links are neither read nor followed."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            is_link = not stat.S_ISREG(mode)

            def read(most: int, path: Path = path) -> bytes:
                with path.open("rb") as file:
                    return file.read(most)

            yield SentFile(path.relative_to(folder).as_posix(), path.lstat().st_size, is_link, read)


def _in_archive(file: Path) -> Iterator[SentFile]:
    """Yield what is in a zip file, by the names that it claims."""
    with zipfile.ZipFile(file) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.is_dir():
                continue

            def read(most: int, info: zipfile.ZipInfo = info) -> bytes:
                with archive.open(info) as member:
                    return member.read(most)

            is_link = stat.S_ISLNK(info.external_attr >> 16)
            yield SentFile(info.filename, info.file_size, is_link, read)


def which_exercise(source: Path, slugs: Iterable[str]) -> str:
    """Return the one exercise that the names of the submissions speak of.

    Raises:
        ValueError: They speak of none, or of several.
    """
    names = [file.name for file in sent_files(source)]
    found = sorted(slug for slug in slugs if any(slug in name for name in names))
    if len(found) != 1:
        what = f"speak of {', '.join(found)}" if found else "do not say which exercise they are of"
        raise ValueError(f"the names in {source} {what}: add --exercise SLUG")
    return found[0]


def collect(
    source: Path,
    exercise: str,
    inbox: Path,
    belongs: Callable[[NotebookNode], bool] = lambda notebook: True,
    students: Mapping[str, str] | None = None,
) -> tuple[list[Submission], list[Problem]]:
    """Take the notebooks that can be graded into a folder, and list all others.

    Args:
        source: A folder or a zip file.
        exercise: Such as `07_lenet`.
        inbox: Gets a copy of each notebook, as `STUDENT.ipynb`.
        belongs: Says whether a notebook is one of this exercise.
        students: The first that `read_students` returns; without it every id is taken.
    """
    inbox.mkdir(parents=True, exist_ok=True)
    problems: list[Problem] = []
    found: dict[str, dict[str, Submission]] = defaultdict(dict)
    for file in sent_files(source):
        student = ""
        try:
            student = identify(file.name, exercise, students)
            data = checked(file, belongs)
        except ValueError as error:
            problems.append(Problem(file.name, str(error), student))
            continue
        digest = hashlib.sha256(data).hexdigest()
        copies = found[student.casefold()]
        target = inbox / f"{student}.ipynb"
        if not copies:
            target.write_bytes(data)
        copies.setdefault(digest, Submission(student, file.name, target, digest))
    for copies in found.values():
        if len(copies) > 1:
            problems += _rivals(list(copies.values()))
    return [next(iter(copies.values())) for copies in found.values() if len(copies) == 1], problems


def _rivals(copies: list[Submission]) -> list[Problem]:
    """Return the problems of a student who sent several different notebooks."""
    reason = f"is one of {len(copies)} different notebooks of this student: remove all but one"
    return [Problem(copy.name, reason, copy.student) for copy in copies]


def identify(name: str, exercise: str, students: Mapping[str, str] | None = None) -> str:
    """Return the id of the student who a file is of.

    Args:
        name: With folders, as a learning platform made it.
        exercise: Such as `07_lenet`.
        students: The id in a name -> the id in the gradebook.

    Raises:
        ValueError: The name leads out of its folder, or says no student, or another exercise.
    """
    path = PurePosixPath(name)
    if ".." in path.parts or path.is_absolute() or "\\" in name or ":" in name:
        raise ValueError("has a name that leads out of its folder: not read")
    if path.suffix != ".ipynb":
        raise ValueError("is no notebook (.ipynb)")
    key = _key(path, exercise, students or {})
    if students is not None and key not in students:
        raise ValueError(f"is of {key}, who is not in the list of students")
    student = re.sub(r"\s+", "_", students[key] if students else key)
    if not STUDENT.fullmatch(student):
        raise ValueError(f"is of {student!r}, which is no id: letters, digits, . @ _ and - only")
    return student


def _key(path: PurePosixPath, exercise: str, students: Mapping[str, str]) -> str:
    """Return the id as it stands in the name of a file."""
    stem, folder = path.stem, path.parent.name
    if COPY.sub("", stem).endswith(exercise):  # "07_lenet (1)", "07_lenet-2"
        stem = COPY.sub("", stem)
    if folder == exercise and len(path.parts) > 2:  # STUDENT/07_lenet/07_lenet.ipynb
        key, rest = path.parts[-3], stem
    elif match := MOODLE.fullmatch(folder):
        key, rest = match["id"], stem
    elif match := CANVAS.fullmatch(stem):
        key, rest = match["id"], match["rest"]
    elif stem == exercise and folder:  # STUDENT/07_lenet.ipynb
        key, rest = folder, stem
    elif stem.endswith(f"_{exercise}"):
        known = [name for name in students if stem.startswith(f"{name}_")]
        key, rest = max(known, key=len, default=stem.split("_")[0]), stem
    elif stem in students or re.fullmatch(r"[^_\s]*\d[^_\s]*", stem):
        key, rest = stem, exercise
    else:
        raise ValueError(f"has a name without a student's id, as in ID_{exercise}.ipynb")
    if not re.search(rf"(^|_){re.escape(exercise)}$", rest):
        raise ValueError(f"is not called {exercise}.ipynb")
    return key


def checked(file: SentFile, belongs: Callable[[NotebookNode], bool]) -> bytes:
    """Read a file that must be a notebook of the exercise.

    Raises:
        ValueError: It is not; the message says why.
    """
    if file.is_link:
        raise ValueError("is a link to another file: not read")
    too_large = f"is larger than {LARGEST // 2**20} MB: clear its outputs"
    if file.size > LARGEST:
        raise ValueError(too_large)
    try:
        data = file.read(LARGEST + 1)
    except (OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"cannot be read: {error}") from None
    if len(data) > LARGEST:
        raise ValueError(too_large)
    if not belongs(parsed(data)):
        raise ValueError("has no cell of this exercise")
    return data


def parsed(data: bytes) -> NotebookNode:
    """Return the notebook that bytes are.

    Raises:
        ValueError: They are none.
    """
    try:
        with warnings.catch_warnings():  # `RestoreCells` deals with both, and a teacher is told
            warnings.simplefilter("ignore", DuplicateCellId)
            warnings.simplefilter("ignore", MissingIDFieldWarning)
            notebook = nbformat.reads(data.decode("utf-8"), as_version=4)
            nbformat.validate(notebook)
    except (Exception, RecursionError) as error:  # whatever is wrong with a stranger's file
        reason = str(error).splitlines()[0][:100] if str(error) else ""
        raise ValueError(f"is no notebook inside ({type(error).__name__}: {reason})") from None
    return notebook
