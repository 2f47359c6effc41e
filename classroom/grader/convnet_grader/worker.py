"""A process that grades one submission after another, with nbgrader loaded once.

The student's code is not in this process: `SandboxedExecute` starts a kernel for it.
"""

import os
import re
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from convnet_grader import attempts, integrity
from convnet_grader.attempts import Outcome
from convnet_grader.boundary import Problems
from convnet_grader.collect import Submission
from convnet_grader.execute import DISTURBED, DRAW, NOTES
from convnet_grader.feedback import finding
from convnet_grader.folder import Batch, batch_config
from convnet_grader.held import hold
from convnet_grader.notebook import read_notebook
from convnet_grader.preprocessors import NO_RESULT, is_test

if TYPE_CHECKING:
    from nbgrader.apps import NbGraderAPI

__all__ = [
    "Feedback",
    "done",
    "grade",
    "last_error",
    "refresh",
    "score",
    "work",
    "write_feedback",
]


@dataclass(frozen=True)
class Feedback:
    """A student whose feedback page must be written again, as a person has changed points.

    Args:
        student: The id.
        name: Name of the graded file, as it was sent.
        digest: A hash of the notebook.
    """

    student: str
    name: str
    digest: str


NO_PAGE = "its feedback page cannot be made: write to this student yourself"


def work(connection: Connection, batch: Batch) -> None:
    """Grade what comes in until nothing more comes.

    Args:
        connection: Brings jobs, and takes their outcomes.
        batch: What is graded, and how.
    """
    if batch.held:
        hold(Path(batch.runs), batch.limits.disk_mb)  # first: this process has one thread yet
    _end_with_parent()
    _write_to(batch.course / "log.txt")
    from nbgrader.apps import NbGraderAPI

    api = NbGraderAPI(config=batch_config(batch))
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(done(api, batch, job))


def done(api: "NbGraderAPI", batch: Batch, job: "Submission | Feedback") -> Outcome:
    """Do a job; one that goes wrong in any way has an outcome that says so."""
    problems = Problems()
    with problems.of(job.name, job.student):
        return grade(api, batch, job) if isinstance(job, Submission) else refresh(api, batch, job)
    return Outcome(job.student, job.name, job.digest, batch.fingerprint, failure=problems[0].reason)


def grade(api: "NbGraderAPI", batch: Batch, submission: Submission) -> Outcome:
    """Grade one submission, write its feedback and keep both."""
    start = time.monotonic()
    student, target = submission.student, batch.notebook("submitted", submission.student)
    outcome = Outcome(student, submission.name, submission.digest, batch.fingerprint)
    target.parent.mkdir(parents=True, exist_ok=True)
    notebook, mended = read_notebook(submission.file.read_bytes())
    nbformat.write(notebook, target)
    result = api.autograde(batch.exercise, student, force=True)
    if not result["success"]:
        return replace(outcome, failure=last_error(result["log"]))
    graded = nbformat.read(batch.notebook("autograded", student), as_version=4)
    if graded.metadata.get(DISTURBED) and not submission.alone:
        return replace(outcome, failure="the machine was too busy for it", disturbed=True)
    released = nbformat.read(batch.notebook("exercises"), as_version=4)
    page = write_feedback(api, batch, student)
    seconds = round(time.monotonic() - start, 2)
    outcome = replace(
        outcome, time=attempts.now(), seconds=seconds, **_read(released, graded, notebook, mended)
    )
    files = {f"{batch.exercise}.ipynb": submission.file}
    if page is None:  # the points stay, whatever happens to the page
        outcome.remarks.append(NO_PAGE)
    else:
        files["feedback.html"] = page
    attempts.keep(batch.out / "attempts", outcome, files)
    code = batch.out / "code" / f"{student}.py"
    code.parent.mkdir(exist_ok=True)
    attempts.write_at_once(code, "\n\n".join(integrity.code_of(released, notebook)))
    return outcome


def refresh(api: "NbGraderAPI", batch: Batch, job: Feedback) -> Outcome:
    """Write a student's feedback again, from the current gradebook."""
    page = write_feedback(api, batch, job.student)
    failure = "" if page else NO_PAGE
    return Outcome(job.student, job.name, job.digest, batch.fingerprint, failure=failure)


def _read(
    released: NotebookNode, graded: NotebookNode, submitted: NotebookNode, mended: list[str]
) -> dict[str, Any]:
    """Return the outcome that a graded notebook, and its earlier state, lead to."""
    remarks = [*mended, *graded.metadata.get(NOTES, []), *integrity.changes(released, submitted)]
    remarks += integrity.misplaced(released, submitted)
    remarks += integrity.suspicions(released, submitted)
    tests = [cell for cell in graded.cells if is_test(cell)]
    findings = {cell.metadata.nbgrader.grade_id: finding(cell) for cell in tests}
    remarks += [
        f"{name} ended without a result" for name, text in findings.items() if text == NO_RESULT
    ]
    return {
        "scores": {cell.metadata.nbgrader.grade_id: score(cell) for cell in tests},
        "findings": {name: text for name, text in findings.items() if text},
        "remarks": remarks,
        "draw": graded.metadata.get(DRAW, 0),
    }


def score(cell: NotebookNode) -> float:
    """Return what nbgrader gives for a test cell that has been run."""
    from nbgrader.utils import determine_grade

    return float(determine_grade(cell)[0] or 0.0)


def write_feedback(api: "NbGraderAPI", batch: Batch, student: str) -> Path | None:
    """Write a student's feedback page, which works offline; return None if that fails."""
    if not api.generate_feedback(batch.exercise, student, force=True)["success"]:
        return None
    page = batch.out / "feedback" / f"{student}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(batch.notebook("feedback", student).with_suffix(".html"), page)
    return page


def last_error(log: str) -> str:
    """Return the line of nbgrader's log that says what went wrong."""
    lines = [
        line for line in log.splitlines() if re.match(r"[\w.]+(Error|Exception|Entry)\b", line)
    ]
    lines = lines or [line for line in log.splitlines() if line.startswith("[ERROR]")]
    return (lines[-1] if lines else "nbgrader gives no reason")[:300]


def _end_with_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when that has gone."""
    signal.signal(signal.SIGINT, lambda number, frame: None)

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _write_to(log: Path) -> None:
    """Send all that nbgrader says to a file: the terminal has a progress bar."""
    stream = log.open("a", encoding="utf-8")
    os.dup2(stream.fileno(), sys.stdout.fileno())
    os.dup2(stream.fileno(), sys.stderr.fileno())
