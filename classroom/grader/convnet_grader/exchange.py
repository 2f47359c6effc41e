"""Collecting on a shared machine, where students own what they hand in until then.

nbgrader takes a submission's student from the name of its folder, warns if the owner is somebody
else, and collects it anyway. It follows links, with the teacher's rights: a link to the solution
would count as an answer. A folder with a strange name stops collecting, one without nbgrader's own
files stops the release of feedback, for the whole class. `classroom/hub/teacher` names this module.
"""

import os
import pwd
import secrets
import shutil
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import ExchangeCollect
from traitlets import Enum

from convnet_grader.boundary import Problems
from convnet_grader.collect import LARGEST

__all__ = ["NUMBERS", "CollectOwn", "Owners", "number_by_name", "number_by_system"]


def number_by_system(name: str) -> int:
    """Return a user's number on this machine.

    Raises:
        KeyError: There is no such user.
    """
    return pwd.getpwnam(name).pw_uid


def number_by_name(name: str) -> int:
    """Return a user's number if nobody keeps a list, by the rule of `classroom/kubernetes`."""
    return 100_000 + crc32(name.encode()) % 2_000_000_000


Owners = Literal["system", "names"]
NUMBERS: dict[Owners, Callable[[str], int]] = {"system": number_by_system, "names": number_by_name}
"""Where a student's number comes from: the system keeps a list, or the name determines it."""


class CollectOwn(ExchangeCollect):
    """A collector that takes only what is a student's own: plain files, and no links."""

    src_records: list[dict[str, Any]]
    owners = Enum(list(NUMBERS), "system", help="Where a student's number comes from.").tag(
        config=True
    )

    def init_src(self) -> None:
        """Find the latest submission of each student, among those that are really theirs."""
        super().init_src()
        for record in self.src_records:
            if not self._is_own(record):
                self.log.error("%s belongs to somebody else: not collected", record["filename"])
        self.src_records = [record for record in self.src_records if self._is_own(record)]

    def _path_to_record(self, path: str) -> dict[str, Any]:
        """Read a folder's name: student, exercise, time, and a word that nobody can guess."""
        try:
            return dict(super()._path_to_record(path))
        except (ExchangeError, ValueError, IndexError):
            nobody = {"username": "", "timestamp": datetime.fromtimestamp(0)}
            return nobody | {"filename": Path(path).name}

    def _sort_by_timestamp(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put the student's own first, so that nobody else's submission counts as the latest."""
        return sorted(super()._sort_by_timestamp(records), key=self._is_own, reverse=True)

    def _is_own(self, record: dict[str, Any]) -> bool:
        """Return whether the folder of a submission belongs to the student in its name."""
        try:
            found = Path(self.inbound_path, record["filename"]).lstat()
            is_theirs = found.st_uid == NUMBERS[self.owners](record["username"])
            return stat.S_ISDIR(found.st_mode) and is_theirs
        except (KeyError, OSError):  # no such user; a folder that has gone meanwhile
            return False

    def copy_files(self) -> None:
        """Collect one submission after another, whatever goes wrong with one of them."""
        records, problems = self.src_records, Problems()
        for record in records:
            self.src_records = [record]
            with problems.of(record["filename"], record["username"]):
                super().copy_files()
        self.src_records = records
        for problem in problems:
            self.log.error("%s %s: not collected", problem.name, problem.reason)

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy the plain files of a submission; an exercise is one notebook, without folders.

        Each file is opened before it is looked at, and never through a link: a student who
        exchanges files meanwhile gains nothing.
        """
        folder = os.open(src, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            Path(dest).mkdir()
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - a folder that is open
                if not _copy_plain(folder, name, Path(dest, name)):
                    self.log.error("%s/%s is not a plain file of the student's: skipped", src, name)
        finally:
            os.close(folder)
        (Path(dest) / "timestamp.txt").write_text(Path(src).name.rsplit("+", 3)[2])
        secret = Path(dest) / "submission_secret.txt"
        if not secret.is_file():  # not handed in by nbgrader; its feedback can be found by nobody
            secret.write_text(secrets.token_hex(64))


def _copy_plain(folder: int, name: str, target: Path) -> bool:
    """Copy one file from an open folder, if it is a small plain file of the folder's owner."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False
    try:
        found = os.fstat(file)
        is_own = found.st_uid == os.fstat(folder).st_uid
        if not (stat.S_ISREG(found.st_mode) and is_own and found.st_size <= LARGEST):
            return False
        with os.fdopen(file, "rb", closefd=False) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        return True
    finally:
        os.close(file)
