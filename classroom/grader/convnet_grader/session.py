"""`python -m course_utils grade`: from what students sent to what a teacher gets."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import nbformat
from nbformat import NotebookNode

from convnet_grader import attempts, integrity
from convnet_grader.attempts import Outcome
from convnet_grader.batch import grade_all, only_batch, undone
from convnet_grader.collect import Problem, Submission, collect
from convnet_grader.folder import Batch, prepare
from convnet_grader.gradebook import Report, read_gradebook, write_gradebook, write_table
from convnet_grader.items import write_items
from convnet_grader.roster import read_students
from convnet_grader.sandbox import require_sandbox
from convnet_grader.worker import Feedback

__all__ = ["Result", "ReviewRow", "review_rows", "run_batch"]


class ReviewRow(NamedTuple):
    """A row of what a person should look at.

    Attributes:
        student: The id, or "" where it is not known.
        file: Its name, as it came, or "".
        kind: What is to be done; `classroom/README.md` says how.
        reason: In words that follow the name.
    """

    student: str
    file: str
    kind: Literal["not graded", "missing", "look", "read"]
    reason: str


@dataclass(frozen=True)
class Result:
    """What a batch came to.

    Args:
        reports: The marks of all students who have been graded, now or before.
        num_graded: How many now.
        failed: Those that could not be graded, although they look like notebooks.
        problems: Those that were not even tried.
        review: What a person should look at, the gravest first.
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
    """Grade a folder or archive of submissions; go on where an earlier batch ended.

    Args:
        source: A folder or a zip file.
        batch: What is graded, and how.
        workers: How many submissions at a time.
        students: A table of those whose submissions are expected.
        again: Grade what has been graded already, too.
        progress: Takes the number of submissions to grade, returns what is called after each.

    Raises:
        ValueError: The arguments do not fit together, or another batch writes here.
        SandboxUnavailable: There is no sandbox here, and the notebooks are not trusted.
    """
    if not batch.trusted:
        require_sandbox()
    roster, note = read_students(students) if students else (None, "")
    with only_batch(batch.out):
        prepare(batch)
        released = nbformat.read(batch.notebook("exercises"), as_version=4)

        def belongs(notebook: NotebookNode) -> bool:
            return integrity.belongs(released, notebook)

        inbox = batch.course / "inbox"
        jobs, problems = collect(source, batch.exercise, inbox, belongs, roster)
        to_do = jobs if again else undone(jobs, batch)
        new = grade_all(to_do, batch, workers=workers, on_outcome=progress(len(to_do)))
        failed = [outcome for outcome in new if outcome.failure]
        missing = set(roster.values()) - {job.student for job in jobs} if roster else set()
        doubt = [ReviewRow("", str(students), "look", note)] if note else []
        reports, review = _publish(batch, jobs, problems, failed, missing, workers, doubt)
    return Result(reports, len(new) - len(failed), failed, problems, review)


def _publish(
    batch: Batch,
    jobs: Sequence[Submission],
    problems: Sequence[Problem],
    failed: Sequence[Outcome],
    missing: Iterable[str],
    workers: int,
    doubt: Iterable[ReviewRow],
) -> tuple[list[Report], list[ReviewRow]]:
    """Write all that a teacher gets; return the marks and the review list."""
    outcomes = {outcome.student: outcome for outcome in attempts.latest(batch.out / "attempts")}
    reports = [report for report in read_gradebook(batch) if report.student in outcomes]
    _refresh_feedback(batch, reports, outcomes, workers)
    review = [*doubt, *review_rows(problems, failed, reports, outcomes, missing)]
    times = {
        student: [each.time for each in attempts.attempts_of(batch.out / "attempts", student)]
        for student in outcomes
    }
    write_gradebook(batch.out / "gradebook.csv", reports, times)
    write_table(batch.out / "review.csv", ReviewRow._fields, review)
    findings = {student: outcome.findings for student, outcome in outcomes.items()}
    write_items(batch.out / "items.html", batch.exercise, reports, findings)
    return reports, review


def _refresh_feedback(
    batch: Batch, reports: Sequence[Report], outcomes: dict[str, Outcome], workers: int
) -> None:
    """Write the feedback anew of those whose points or comments a person has changed."""
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
    grade_all(stale, batch, workers=workers)
    file.write_text(json.dumps(current, indent=1))


def _same_attempt(before: str, after: str) -> bool:
    """Say whether two states are of one attempt, and so the page was not written since."""
    return before.split()[1:] == after.split()[1:]


def review_rows(
    problems: Iterable[Problem],
    failed: Iterable[Outcome],
    reports: Iterable[Report],
    outcomes: dict[str, Outcome],
    missing: Iterable[str] = (),
) -> list[ReviewRow]:
    """Return what a person should look at, the gravest first."""
    rows = [ReviewRow(each.student, each.name, "not graded", each.reason) for each in problems]
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
        ReviewRow(each.student, each.name, "look", f"is the same file as that of {others}")
        for each, others in _twins(graded)
        if points.get(each.student)
    ]
    for report in reports:
        name = outcomes[report.student].name
        rows += [
            ReviewRow(report.student, name, "read", f"the answer {item}") for item in report.unread
        ]
    return rows


def _twins(graded: Sequence[Outcome]) -> list[tuple[Outcome, str]]:
    """Return who sent the very same file as somebody else, and who else."""
    groups = defaultdict(list)
    for outcome in graded:
        groups[outcome.digest].append(outcome)
    return [
        (outcome, ", ".join(other.student for other in group if other is not outcome))
        for group in groups.values()
        for outcome in group
        if len(group) > 1
    ]
