"""The boundary around each submission: what goes wrong with one becomes its own line.

Students send anything, and their code leaves anything behind. Every step that touches a student's
work runs inside `Problems.of`: listing, reading, comparing, grading, feedback, tables, analysis. So
no step has to foresee what can go wrong, and no submission stops a batch.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from nbconvert.filters import strip_ansi

__all__ = ["Kind", "Problem", "Problems", "Refused", "plain"]

Kind = Literal["not graded", "missing", "look", "read"]
"""What there is to do; `classroom/README.md` says how."""
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that reverse the order of letters, and halves of characters."""


class Refused(ValueError):
    """A reason not to grade a submission, in words that follow the name of its file."""


@dataclass(frozen=True)
class Problem:
    """Something about a submission, for the teacher's list.

    Args:
        name: Of the file.
        reason: In words that follow the name.
        student: The id, or "" if it is not known.
        kind: What to do about it.
    """

    name: str
    reason: str
    student: str = ""
    kind: Kind = "not graded"


class Problems(list[Problem]):
    """A list of problems that grows when a step fails."""

    @contextmanager
    def of(self, name: str, student: str = "", kind: Kind = "not graded") -> Iterator[None]:
        """Note whatever goes wrong inside as a problem of one submission, and continue.

        Args:
            name: Of the file.
            student: The id, or "" if it is not known.
            kind: What a failure means: no points, or only something to look at.
        """
        try:
            yield
        except Exception as error:
            self.append(Problem(plain(name), _reason(error), student, kind))


def _reason(error: Exception) -> str:
    """Return one sentence about an error, without its traceback."""
    text = " ".join(plain(str(error)).split())
    if isinstance(error, Refused):
        return text
    return f"makes the grader fail ({type(error).__name__}: {text})"[:200]


def plain(text: str) -> str:
    """Return a text fit for a table or a page, without what only a terminal understands."""
    return UNPRINTABLE.sub("\ufffd", strip_ansi(text).replace("\r\n", "\n"))
