"""Submissions as learning platforms export them: who sent what, and what cannot be graded.

A name is only looked at, never used as a path; an archive is read, never unpacked.
"""

import hashlib
import io
import os
import re
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nbformat import NotebookNode

from convnet_grader.boundary import Problem, Problems, Refused, plain
from convnet_grader.decoding import composed, decoded
from convnet_grader.notebook import read_notebook

__all__ = [
    "LARGEST",
    "SentFile",
    "Submission",
    "checked",
    "collect",
    "identify",
    "num_wrappers",
    "sent_files",
    "which_exercise",
]

LARGEST = 10 * 2**20
"""Largest notebook in bytes; one with all its figures has about one megabyte."""
DEEPEST = 20
"""How many nested folders to look into; a learning platform makes three or four."""
TOO_DEEP = f"is more than {DEEPEST} folders deep: not read"
IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")
UTF_8 = 0x800
"""The flag by which a zip file says that a name is in UTF-8."""
COPY = re.compile(r"( \(\d+\)|-\d+)$")
CANVAS = re.compile(r"[^\W\d_]+_(?:late_)?(?P<id>\d+)_\d+_(?P<rest>.+)", re.IGNORECASE)
MOODLE = re.compile(r".+_(?P<id>\d+)_assignsubmission_file_?.*")
STUDENT = re.compile(r"\w[\w.@-]{0,79}")


@dataclass(frozen=True)
class Submission:
    """One student's notebook.

    Args:
        student: The id.
        name: The file's name, as it was sent.
        file: Our copy of it.
        digest: A hash of its content.
        alone: Whether nothing else is graded meanwhile.
    """

    student: str
    name: str
    file: Path
    digest: str
    alone: bool = False


@dataclass(frozen=True)
class SentFile:
    """A file in a folder or archive, not yet read.

    Args:
        name: With folders, "/" between them; letters that nobody can read replaced.
        encoding: Of the name.
        read: Returns its content, but not much more than `LARGEST` bytes of it.
        trouble: Why it cannot be read, in words that follow the name; or "".
    """

    name: str
    encoding: str
    read: Callable[[], bytes]
    trouble: str = ""

    @classmethod
    def named(
        cls, name: bytes, western: str, read: Callable[[], bytes], trouble: str = ""
    ) -> "SentFile":
        """Return a file whose name is bytes, in whatever encoding."""
        try:
            text, encoding = decoded(name, western)
        except UnicodeDecodeError:
            text, encoding = name.decode("utf-8", "replace"), "utf-8"
            trouble = "has a name in an unknown encoding: rename it, in UTF-8"
        return cls(composed(text), encoding, read, trouble)


def sent_files(source: Path) -> Iterator[SentFile]:
    """Yield everything in a folder or a zip file, except for what systems leave behind.

    Raises:
        ValueError: It is neither.
    """
    if source.is_dir():
        found = _in_folder(source)
    elif zipfile.is_zipfile(source):
        found = _in_archive(source)
    else:
        raise ValueError(f"{source} is neither a folder nor a zip file of notebooks")
    for file in found:
        parts = [part for part in file.name.split("/") if part not in (".", "..")]
        if not any(part in IGNORED or part.startswith(".") for part in parts):
            yield file


def _in_folder(folder: Path) -> Iterator[SentFile]:
    """Yield what is in a folder; links are neither read nor followed."""
    closed: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        folders.sort()
        links = [name for name in folders if _is_link(Path(parent, name))]
        for name in sorted([*files, *links]):
            yield _of_folder(folder, Path(parent, name))
        if len(Path(parent).relative_to(folder).parts) >= DEEPEST:
            for name in folders:
                yield _of_folder(folder, Path(parent, name), TOO_DEEP)
            folders.clear()
    for error in closed:
        yield _of_folder(folder, Path(error.filename), f"cannot be read: {error.strerror}")


def _is_link(path: Path) -> bool:
    """Return whether a folder is a link; False for one that may not be looked at."""
    with suppress(OSError):
        return path.is_symlink()
    return False


def _of_folder(folder: Path, path: Path, trouble: str = "") -> SentFile:
    """Return a file of a folder, or something in it that cannot be read."""
    name = os.fsencode(path.relative_to(folder).as_posix())
    return SentFile.named(name, "cp1252", lambda: _read_plain(path), trouble)


def _read_plain(path: Path) -> bytes:
    """Return the beginning of a file.

    Raises:
        Refused: It is a link, or not readable.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise Refused("is a link to another file: not read")
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _in_archive(file: Path) -> Iterator[SentFile]:
    """Yield what is in a zip file, under the names that the file claims."""
    with _opened(file) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.is_dir():
                continue

            def read(info: zipfile.ZipInfo = info) -> bytes:
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise Refused("is a link to another file: not read")
                with archive.open(info) as member:
                    return member.read(LARGEST + 1)

            says_utf_8 = info.flag_bits & UTF_8
            name = info.filename.encode("utf-8" if says_utf_8 else "cp437", "surrogateescape")
            yield SentFile.named(name, "cp437", read)


def _opened(file: Path) -> zipfile.ZipFile:
    """Open an archive, even if it claims UTF-8 for a name that is not in UTF-8.

    Raises:
        ValueError: It is damaged.
    """
    try:
        try:
            return zipfile.ZipFile(file)
        except UnicodeDecodeError:
            return zipfile.ZipFile(io.BytesIO(_without_false_claims(file.read_bytes())))
    except Exception as error:  # whatever a damaged table of contents leads to
        way_out = "download it again, or unpack it and name the folder"
        raise ValueError(f"{file} is damaged ({plain(str(error))[:100]}): {way_out}") from None


def _without_false_claims(data: bytes) -> bytes:
    """Return an archive in which only names in UTF-8 claim to be in it."""
    made = bytearray(data)
    for entry in re.finditer(rb"PK\x01\x02", data):  # in the table of contents
        start = entry.start()
        end = start + 46 + int.from_bytes(data[start + 28 : start + 30], "little")
        local = int.from_bytes(data[start + 42 : start + 46], "little")
        try:
            data[start + 46 : end].decode("utf-8")
        except UnicodeDecodeError:
            for flags in (slice(start + 8, start + 10), slice(local + 6, local + 8)):
                claimed = int.from_bytes(data[flags], "little")
                made[flags] = (claimed & ~UTF_8).to_bytes(len(data[flags]), "little")
    return bytes(made)


def which_exercise(source: Path, slugs: Iterable[str]) -> str:
    """Return the one exercise that the names of the submissions mention.

    Raises:
        ValueError: They mention none, or several.
    """
    names = [file.name for file in sent_files(source)]
    found = sorted(slug for slug in slugs if any(slug in name for name in names))
    if len(found) != 1:
        what = f"mention {', '.join(found)}" if found else "do not say which exercise it is"
        raise ValueError(f"the names in {source} {what}: add --exercise SLUG")
    return found[0]


def collect(
    source: Path,
    exercise: str,
    inbox: Path,
    belongs: Callable[[NotebookNode], bool] = lambda notebook: True,
    students: Mapping[str, str] | None = None,
) -> tuple[list[Submission], Problems]:
    """Take the notebooks that can be graded into a folder, and list all others.

    Args:
        source: A folder or a zip file.
        exercise: Such as `07_lenet`.
        inbox: Gets a copy of each notebook, as `STUDENT.ipynb`.
        belongs: Tells whether a notebook is of this exercise.
        students: The first that `read_students` returns; without it every id is accepted.
    """
    inbox.mkdir(parents=True, exist_ok=True)
    problems = Problems()
    found: dict[str, dict[str, Submission]] = defaultdict(dict)
    wrappers = num_wrappers((file.name for file in sent_files(source)), exercise, students)
    for file in sent_files(source):
        with problems.of(file.name):
            student = _owner(file, exercise, students, wrappers)
            with problems.of(file.name, student):
                data = checked(file, belongs)
                digest = hashlib.sha256(data).hexdigest()
                copies, target = found[student.casefold()], inbox / f"{student}.ipynb"
                if not copies:
                    target.write_bytes(data)
                copies.setdefault(digest, Submission(student, file.name, target, digest))
                problems += _strange_name(file, student)
    for copies in found.values():
        if len(copies) > 1:
            problems += _rivals(list(copies.values()))
    return [next(iter(copies.values())) for copies in found.values() if len(copies) == 1], problems


def _owner(file: SentFile, exercise: str, students: Mapping[str, str] | None, wrappers: int) -> str:
    """Return whose file it is.

    Raises:
        Refused: Its name does not say so.
    """
    if file.trouble:
        raise Refused(file.trouble)
    return identify(file.name, exercise, students, wrappers)


def _strange_name(file: SentFile, student: str) -> Iterator[Problem]:
    """Yield what a teacher has to know about a name whose encoding is a guess."""
    if file.encoding != "utf-8":
        reason = f"has a name that is not in UTF-8, and was read as {file.encoding}"
        yield Problem(file.name, reason, student, "look")


def _rivals(copies: list[Submission]) -> list[Problem]:
    """Return the problems of a student who sent several different notebooks."""
    reason = f"is one of {len(copies)} different notebooks of this student: remove all but one"
    return [Problem(copy.name, reason, copy.student) for copy in copies]


def identify(
    name: str,
    exercise: str,
    students: Mapping[str, str] | None = None,
    wrappers: int | None = None,
) -> str:
    """Return the id of the student whose file it is.

    What a learning platform wrote decides: the outermost folder, whatever a student put into it.

    Args:
        name: With folders, as a learning platform made it.
        exercise: Such as `07_lenet`.
        students: The id in a name -> the id in the gradebook.
        wrappers: How many outer folders are nobody's, as `num_wrappers` finds; None to tell from
            this name alone.

    Raises:
        Refused: The name leads out of its folder, names no student, or another exercise.
    """
    name = composed(name)
    path = PurePosixPath(name)
    if _leads_out(name):
        raise Refused("has a name that leads out of its folder: not read")
    if path.suffix != ".ipynb":
        raise Refused("is not a notebook (.ipynb)")
    outer = num_wrappers([name], exercise, students) if wrappers is None else wrappers
    key = _key(PurePosixPath(*path.parts[outer:]), exercise, students or {})
    if students is not None and key not in students:
        raise Refused(f"belongs to {key}, who is not on the list of students")
    student = re.sub(r"\s+", "_", students[key] if students else key)
    if not STUDENT.fullmatch(student):
        allowed = "letters, digits, . @ _ and - only"
        raise Refused(f"belongs to {student!r}, which is not an id: {allowed}")
    return student


def _leads_out(name: str) -> bool:
    """Return whether a name, used as a path, may lead out of its folder on some system."""
    path = PurePosixPath(name)
    return ".." in path.parts or path.is_absolute() or "\\" in name or ":" in name


def num_wrappers(
    names: Iterable[str], exercise: str, students: Mapping[str, str] | None = None
) -> int:
    """Return how many folders, no student's own, surround all the notebooks.

    Args:
        names: Of all files.
        exercise: Such as `07_lenet`.
        students: The id in a name -> the id in the gradebook; a folder of one of them is theirs.
    """
    notebooks = [name for name in names if name.endswith(".ipynb") and not _leads_out(name)]
    paths = [PurePosixPath(name).parts for name in notebooks]
    paths = [parts for parts in paths if len(parts) > 1 or _names_somebody(parts, exercise)]
    depth = 0
    while len({parts[depth : depth + 1] for parts in paths}) == 1:
        folder = paths[0][depth]
        is_own = bool(MOODLE.fullmatch(folder)) or folder in (students or {})
        if is_own or not all(_names_somebody(parts[depth + 1 :], exercise) for parts in paths):
            break
        depth += 1
    return depth


def _names_somebody(parts: tuple[str, ...], exercise: str) -> bool:
    """Return whether there is more in the name of a file than the exercise."""
    if len(parts) == 1:
        return COPY.sub("", PurePosixPath(parts[0]).stem) != exercise
    return len(parts) > 1 and parts[0] != exercise


def _key(path: PurePosixPath, exercise: str, students: Mapping[str, str]) -> str:
    """Return the id that is in the name of a file."""
    stem, folder = path.stem, path.parts[0] if len(path.parts) > 1 else ""
    if COPY.sub("", stem).endswith(exercise):  # "07_lenet (1)", "07_lenet-2"
        stem = COPY.sub("", stem)
    if match := MOODLE.fullmatch(folder):
        key, rest = match["id"], stem
    elif folder:  # STUDENT/07_lenet.ipynb, STUDENT/07_lenet/07_lenet.ipynb
        key, rest = folder, stem
    elif match := CANVAS.fullmatch(stem):
        key, rest = match["id"], match["rest"]
    elif stem.endswith(f"_{exercise}"):
        known = [name for name in students if stem.startswith(f"{name}_")]
        key, rest = max(known, key=len, default=stem.split("_")[0]), stem
    elif stem in students or re.fullmatch(r"[^_\s]*\d[^_\s]*", stem):
        key, rest = stem, exercise
    else:
        raise Refused(f"has a name without a student's id, as in ID_{exercise}.ipynb")
    if not re.search(rf"(^|_){re.escape(exercise)}$", rest):
        raise Refused(f"is not called {exercise}.ipynb")
    return key


def checked(file: SentFile, belongs: Callable[[NotebookNode], bool]) -> bytes:
    """Read a file that must be a notebook of the exercise.

    Raises:
        Refused: It is not; the message says why.
    """
    data = file.read()
    if len(data) > LARGEST:
        raise Refused(f"is larger than {LARGEST // 2**20} MB: clear its outputs")
    if not belongs(read_notebook(data)[0]):
        raise Refused("has no cell of this exercise")
    return data
