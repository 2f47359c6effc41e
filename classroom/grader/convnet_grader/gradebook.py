"""What nbgrader's gradebook knows about an exercise, and the table that a teacher gets."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convnet_grader.attempts import Outcome, write_at_once
from convnet_grader.boundary import Problems, plain
from convnet_grader.folder import Batch

__all__ = ["Mark", "Report", "read_gradebook", "share_of", "write_gradebook", "write_table"]


@dataclass(frozen=True)
class Mark:
    """The points for one item.

    Args:
        name: Of nbgrader's cell.
        points: From a person, if there are any, else from the check; None if only a person can
            give them.
        most: How many there are.
        unread: Whether a person has to look, for the first time or again.
        comment: A person's comment, or "".
    """

    name: str
    points: float | None
    most: float
    unread: bool
    comment: str

    @property
    def share(self) -> float | None:
        """The points as a share of the most there are; None before a person has read it."""
        if self.points is None or self.unread:
            return None
        return self.points / self.most if self.most else 1.0


def share_of(marks: Iterable[Mark]) -> float | None:
    """Return the points of several marks as a share of the most there are, if there are any."""
    marks = list(marks)
    most = sum(mark.most for mark in marks)
    return sum(mark.points or 0.0 for mark in marks) / most if most else None


@dataclass(frozen=True)
class Report:
    """All marks of one student."""

    student: str
    marks: tuple[Mark, ...]

    @property
    def points(self) -> float:
        """The points that the student has so far."""
        return sum(mark.points or 0.0 for mark in self.marks)

    @property
    def most(self) -> float:
        """The points that there are."""
        return sum(mark.most for mark in self.marks)

    @property
    def share(self) -> float | None:
        """The points for what has been read, as a share of its maximum; None if nothing has."""
        return share_of(self.read)

    @property
    def read(self) -> list[Mark]:
        """The marks that no longer wait for a person."""
        return [mark for mark in self.marks if mark.share is not None]

    @property
    def unread(self) -> list[str]:
        """The answers that a person still has to read."""
        return [mark.name for mark in self.marks if mark.unread]

    @property
    def fingerprint(self) -> str:
        """A hash that changes when a person changes points or comments."""
        return hashlib.sha256(repr(self.marks).encode()).hexdigest()[:16]


def read_gradebook(batch: Batch, problems: Problems) -> list[Report]:
    """Return the marks of all students, in the order of their ids.

    Args:
        batch: What was graded.
        problems: Get those whose marks cannot be read.
    """
    from nbgrader.api import Gradebook

    reports = []
    with Gradebook(batch.gradebook) as gradebook:
        for entry in gradebook.assignment_submissions(batch.exercise):
            with problems.of("", entry.student.id):
                reports.append(Report(entry.student.id, _marks(entry)))
    return sorted(reports, key=lambda report: report.student)


def _marks(submission: object) -> tuple[Mark, ...]:
    """Return the marks of a submission of nbgrader's, in the order of the notebook's cells."""
    marks = []
    for notebook in submission.notebooks:  # type: ignore[attr-defined]
        order = {cell.name: place for place, cell in enumerate(notebook.notebook.source_cells)}
        comments = {comment.name: comment.comment or "" for comment in notebook.comments}
        for grade in sorted(notebook.grades, key=lambda grade: order.get(grade.name, 0)):
            given = grade.manual_score if grade.manual_score is not None else grade.auto_score
            points = None if given is None else float(given + (grade.extra_credit or 0))
            unread, comment = bool(grade.needs_manual_grade), comments.get(grade.name, "")
            marks.append(Mark(grade.name, points, float(grade.max_score), unread, comment))
    return tuple(marks)


def write_gradebook(
    file: Path, reports: Sequence[Report], attempts: Mapping[str, Sequence[Outcome]]
) -> None:
    """Write one line for each student: points, item by item, and when they were graded.

    Args:
        file: Gets the table.
        reports: Of the students who have been graded.
        attempts: Student -> the attempts, the latest last.
    """
    names = list(dict.fromkeys(mark.name for report in reports for mark in report.marks))
    head = ["student", "points", "most", "unread", *names, "graded", "attempts", "best"]
    rows = []
    for report in reports:
        points = {mark.name: mark.points for mark in report.marks}
        kept = attempts[report.student]
        best = max(sum(attempt.scores.values()) for attempt in kept)
        rows.append(
            [
                report.student, report.points, report.most, " ".join(report.unread),
                *(points.get(name) for name in names), kept[-1].time, len(kept), best,
            ]
        )  # fmt: skip
    write_table(file, head, rows)


def write_table(file: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table in which a spreadsheet takes no cell for a formula."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    write_at_once(file, stream.getvalue())


def _harmless(cell: object) -> object:
    """Put a mark in front of a text that a spreadsheet would run."""
    if not isinstance(cell, str):
        return cell
    is_formula = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return plain(f"'{cell}" if is_formula else cell)
