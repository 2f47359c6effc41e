"""`python -m course_utils grade`: from what students sent to what a teacher gets."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, get_args

import nbformat
from nbformat import NotebookNode

from convnet_grader import attempts, integrity
from convnet_grader.attempts import Outcome
from convnet_grader.batch import grade_all, only_batch, undone
from convnet_grader.boundary import Kind, Problem, Problems
from convnet_grader.collect import Submission, collect
from convnet_grader.folder import Batch, prepare
from convnet_grader.gradebook import Report, read_gradebook, write_gradebook, write_table
from convnet_grader.held import holds_limits
from convnet_grader.items import write_items
from convnet_grader.roster import filled_in, read_students
from convnet_grader.sandbox import require_sandbox
from convnet_grader.worker import Feedback

__all__ = ["Result", "ReviewLine", "ReviewRow", "review_lines", "review_rows", "run_batch"]


class ReviewRow(NamedTuple):
    """A row of what the teacher should look at.

    Attributes:
        student: The id, or "" if it is not known.
        file: Its name, as it was sent, or "".
        kind: What to do; `classroom/README.md` says how.
        reason: In words that follow the name.
    """

    student: str
    file: str
    kind: Kind
    reason: str


class ReviewLine(NamedTuple):
    """A line of `review.csv`: everything of one kind to do about one student.

    Attributes:
        student: The id, or "" if it is not known.
        file: Its name, or the names of the first ones.
        kind: What to do.
        reason: All reasons, the first ones in words.
        num_rows: How many rows it stands for.
    """

    student: str
    file: str
    kind: Kind
    reason: str
    num_rows: int


@dataclass(frozen=True)
class Result:
    """The result of a batch.

    Args:
        reports: The marks of all students who have been graded, now or before.
        num_graded: How many were graded now.
        failed: Those that could not be graded, although they look like notebooks.
        problems: Those that were not even tried.
        review: What the teacher should look at, the most serious first.
    """

    reports: Sequence[Report]
    num_graded: int
    failed: Sequence[Outcome]
    problems: Sequence[Problem]
    review: Sequence[ReviewRow]


def run_batch(
    source: Path,
    batch: Batch,
    *,
    workers: int = 2,
    students: Path | None = None,
    again: bool = False,
    progress: Callable[[int], Callable[[Outcome], None]] = lambda total: lambda outcome: None,
) -> Result:
    """Grade a folder or archive of submissions; continue where an earlier batch ended.

    Args:
        source: A folder or a zip file.
        batch: What is graded, and how.
        workers: How many submissions at a time.
        students: A table of those whose submissions are expected.
        again: Also grade what has been graded already.
        progress: Takes the number of submissions to grade, returns a function to call after each.

    Raises:
        ValueError: The arguments do not fit together, or another batch writes here.
        SandboxUnavailable: There is no sandbox here, and the notebooks are not trusted.
    """
    if not batch.trusted:
        require_sandbox()
        batch = replace(batch, held=holds_limits())
    roster, note = read_students(students) if students else (None, "")
    with only_batch(batch.out):
        prepare(batch)
        released = nbformat.read(batch.notebook("exercises"), as_version=4)
        _write_given(batch, released)

        def belongs(notebook: NotebookNode) -> bool:
            return integrity.belongs(released, notebook)

        inbox = batch.course / "inbox"
        jobs, problems = collect(source, batch.exercise, inbox, belongs, roster)
        if note:
            problems.append(Problem(str(students), note, kind="look"))
        to_do = jobs if again else undone(jobs, batch, _latest(batch, Problems()))
        new = grade_all(to_do, batch, workers=workers, on_outcome=progress(len(to_do)))
        new = _again_alone(to_do, new, batch)
        failed = [outcome for outcome in new if outcome.failure]
        missing = set(roster.values()) - {job.student for job in jobs} if roster else set()
        reports, review = _publish(batch, problems, failed, missing, workers)
        if students:
            _write_upload(batch, students, reports)
    untried = [problem for problem in problems if problem.kind == "not graded"]
    return Result(reports, len(new) - len(failed), failed, untried, review)


def _write_given(batch: Batch, released: NotebookNode) -> None:
    """Write the code that everybody was given, for programs that compare the students' code."""
    file = batch.course / "given" / f"{batch.exercise}.py"
    file.parent.mkdir(exist_ok=True)
    code = [cell.source for cell in released.cells if cell.cell_type == "code"]
    attempts.write_at_once(file, "\n\n".join(code))


def _again_alone(
    jobs: Iterable[Submission], outcomes: Sequence[Outcome], batch: Batch
) -> list[Outcome]:
    """Grade those again, one by one, whose kernel something outside had ended."""
    students = {outcome.student for outcome in outcomes if outcome.disturbed}
    alone = [replace(job, alone=True) for job in jobs if job.student in students]
    rest = [outcome for outcome in outcomes if not outcome.disturbed]
    return rest + grade_all(alone, batch, workers=1)


def _latest(batch: Batch, problems: Problems) -> dict[str, Outcome]:
    """Return the outcome of each student's latest attempt."""
    found = attempts.history(batch.out / "attempts", problems)
    return {student: outcomes[-1] for student, outcomes in found.items()}


def _publish(
    batch: Batch,
    problems: Problems,
    failed: Sequence[Outcome],
    missing: Iterable[str],
    workers: int,
) -> tuple[list[Report], list[ReviewRow]]:
    """Write all that a teacher gets; return the marks and the review list."""
    history = attempts.history(batch.out / "attempts", problems)
    outcomes = {student: kept[-1] for student, kept in history.items()}
    reports = [each for each in read_gradebook(batch, problems) if each.student in outcomes]
    _refresh_feedback(batch, reports, outcomes, workers, problems)
    write_gradebook(batch.out / "gradebook.csv", reports, history)
    findings = {student: outcome.findings for student, outcome in outcomes.items()}
    with problems.of("items.html", kind="look"):
        write_items(batch.out / "items.html", batch.exercise, reports, findings)
    review = review_rows(problems, failed, reports, outcomes, missing)
    head = [*ReviewRow._fields, "count"]
    write_table(batch.out / "review.csv", head, review_lines(review))
    write_table(batch.course / "review.csv", ReviewRow._fields, review)
    return reports, review


def _write_upload(batch: Batch, students: Path, reports: Iterable[Report]) -> None:
    """Write the table of students with the points of those whose answers have all been read."""
    points = {report.student: report.points for report in reports if not report.unread}
    attempts.write_at_once(batch.out / "upload.csv", filled_in(students, batch.exercise, points))


def _refresh_feedback(
    batch: Batch,
    reports: Sequence[Report],
    outcomes: dict[str, Outcome],
    workers: int,
    problems: Problems,
) -> None:
    """Write the feedback again for those whose points or comments a person has changed."""
    file = batch.course / "feedback.json"
    shown = json.loads(file.read_text()) if file.is_file() else {}
    current = {
        report.student: f"{report.fingerprint} {outcomes[report.student].time}"
        for report in reports
    }
    stale = [
        Feedback(student, outcomes[student].name, outcomes[student].digest)
        for student, state in current.items()
        if student in shown and _same_attempt(shown[student], state) and shown[student] != state
    ]
    for each in grade_all(stale, batch, workers=workers):
        if each.failure:  # so that it is tried again
            problems.append(Problem(each.name, each.failure, each.student, "look"))
            current[each.student] = shown[each.student]
    attempts.write_at_once(file, json.dumps(current, indent=1))


def _same_attempt(before: str, after: str) -> bool:
    """Return whether two states are of one attempt, so that the page has not been written since."""
    return before.split()[1:] == after.split()[1:]


def review_rows(
    problems: Iterable[Problem],
    failed: Iterable[Outcome],
    reports: Iterable[Report],
    outcomes: dict[str, Outcome],
    missing: Iterable[str] = (),
) -> list[ReviewRow]:
    """Return what the teacher should look at, the most serious first."""
    rows = [ReviewRow(each.student, each.name, each.kind, each.reason) for each in problems]
    rows += [ReviewRow(each.student, each.name, "not graded", each.failure) for each in failed]
    rows += [
        ReviewRow(student, "", "missing", "sent nothing that can be graded") for student in missing
    ]
    graded = sorted(outcomes.values(), key=lambda outcome: outcome.student)
    rows += [
        ReviewRow(each.student, each.name, "look", remark)
        for each in graded
        for remark in each.remarks
    ]
    points = {report.student: report.points for report in reports}
    rows += [
        ReviewRow(each.student, each.name, "look", f"is the same file as the one from {others}")
        for each, others in _twins(graded)
        if points.get(each.student)
    ]
    for report in reports:
        name = outcomes[report.student].name
        rows += [
            ReviewRow(report.student, name, "read", f"the answer {item}") for item in report.unread
        ]
    return sorted(rows, key=lambda row: get_args(Kind).index(row.kind))


def review_lines(rows: Iterable[ReviewRow]) -> list[ReviewLine]:
    """Return one line for each student and kind, in the order of the rows."""
    groups = defaultdict(list)
    for row in rows:
        groups[row.student, row.kind].append(row)
    return [
        ReviewLine(
            student, _some([row.file for row in group], 1), kind, _reasons(group), len(group)
        )
        for (student, kind), group in groups.items()
    ]


def _reasons(group: Sequence[ReviewRow]) -> str:
    """Return the reasons of a line: how often each occurs, and in which files if in several."""
    files = defaultdict(list)
    for row in group:
        files[row.reason].append(row.file)
    is_one_file = len({row.file for row in group}) == 1
    reasons = []
    for reason, names in files.items():
        times = f" ({len(names)} times)" if len(names) > 1 else ""
        reasons.append(f"{reason}{times}" if is_one_file else f"{reason}: {_some(names, 20)}")
    return _some(reasons, 8, "; ")


def _some(texts: Iterable[str], most: int, between: str = ", ") -> str:
    """Return the first of several texts, without repeats or long ones, and how many more."""
    found = list(dict.fromkeys(texts))
    first = [text if len(text) <= 600 else f"{text[:600]} ..." for text in found[:most]]
    rest = [f"and {len(found) - most:,} more"] if len(found) > most else []
    return between.join([*first, *rest])


def _twins(graded: Sequence[Outcome]) -> list[tuple[Outcome, str]]:
    """Return who sent the very same file as somebody else, and who the others are."""
    groups = defaultdict(list)
    for outcome in graded:
        groups[outcome.digest].append(outcome)
    return [
        (outcome, ", ".join(other.student for other in group if other is not outcome))
        for group in groups.values()
        for outcome in group
        if len(group) > 1
    ]
