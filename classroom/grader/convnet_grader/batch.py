"""Grade many submissions, several at a time, and always finish."""

import errno
import fcntl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import mkdtemp

from convnet_grader.attempts import Outcome
from convnet_grader.collect import Submission
from convnet_grader.folder import Batch
from convnet_grader.judge import open_bench
from convnet_grader.sandbox import clear_away
from convnet_grader.worker import Feedback, work

__all__ = ["Worker", "grade_all", "only_batch", "throw_away_folder", "undone"]

PREFIX = "grading-"
GRACE = 120.0
"""Seconds that a worker gets on top of a submission's own: to start, and to write the results."""


@dataclass
class Worker:
    """A process that grades, and what it is grading now."""

    process: SpawnProcess
    connection: Connection
    job: Submission | Feedback | None = None
    end: float = 0.0

    @classmethod
    def start(cls, batch: Batch) -> "Worker":
        """Start a process with nothing to do yet."""
        context = get_context("spawn")  # shares nothing with this process
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, batch), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, job: Submission | Feedback, seconds: float) -> None:
        """Hand a job over; the worker has this many seconds for it."""
        self.job, self.end = job, time.monotonic() + seconds
        self.connection.send(job)

    def stop(self) -> None:
        """End the process, and with it the kernel that it may have."""
        self.connection.close()
        self.process.kill()
        self.process.join()


def grade_all(
    jobs: Iterable[Submission | Feedback],
    batch: Batch,
    *,
    workers: int = 2,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Grade submissions; one that goes wrong in any way has an outcome that says so.

    Args:
        jobs: Submissions to grade, and feedback to write again.
        batch: What is graded, and how.
        workers: How many at a time.
        on_outcome: Called with each outcome as soon as there is one.
    """
    queue, outcomes = deque(jobs), []
    with throw_away_folder(batch) as runs:
        batch = replace(batch, runs=str(runs))
        if any(isinstance(job, Submission) for job in queue):
            open_bench()  # PyTorch makes it as large as a worker and its kernel
        team = [Worker.start(batch) for _ in range(min(workers, len(queue)))]
        try:
            for outcome in _outcomes(queue, team, batch):
                outcomes.append(outcome)
                on_outcome(outcome)
        finally:
            for worker in team:
                worker.stop()
    return outcomes


def _outcomes(
    queue: deque[Submission | Feedback], team: list[Worker], batch: Batch
) -> Iterator[Outcome]:
    """Yield outcomes as they come in; workers that end or hang are replaced."""
    while queue or any(worker.job for worker in team):
        for worker in team:
            if worker.job is None and queue:
                worker.give(queue.popleft(), batch.limits.seconds + GRACE)
        wait([worker.connection for worker in team if worker.job], timeout=1)
        for place, worker in enumerate(team):
            outcome = _outcome(worker, batch) if worker.job else None
            if outcome is None:
                continue
            if outcome.failure and not worker.process.is_alive():
                worker.stop()
                team[place] = Worker.start(batch)
            team[place].job = None
            yield outcome


def _outcome(worker: Worker, batch: Batch) -> Outcome | None:
    """Return what a worker has sent, or what happened to it; None if it is still busy."""
    assert worker.job is not None
    lost = Outcome(worker.job.student, worker.job.name, worker.job.digest, batch.fingerprint)
    if worker.connection.poll():
        try:
            return worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(timeout=5)
            worker.process.kill()
            worker.process.join()
            reason = f"the grader's own process ended ({worker.process.exitcode})"
            return replace(lost, failure=reason)
    if time.monotonic() > worker.end:
        worker.process.kill()
        worker.process.join()
        return replace(lost, failure="grading it did not finish, and was stopped")
    return None


def undone(
    submissions: Iterable[Submission], batch: Batch, latest: Mapping[str, Outcome]
) -> list[Submission]:
    """Return the submissions that are not the latest graded attempt of their student.

    Args:
        submissions: Those that came in.
        batch: What is graded, and how.
        latest: Student -> the outcome of the latest attempt.
    """
    graded = {
        student: outcome.digest
        for student, outcome in latest.items()
        if outcome.exercise == batch.fingerprint
    }
    return [job for job in submissions if graded.get(job.student) != job.digest]


@contextmanager
def only_batch(out: Path) -> Iterator[None]:
    """Hold a folder of results, so that no other batch writes to it.

    Raises:
        ValueError: Another batch does, or the disk is full.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another batch is writing to {out}: wait for its end") from None
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            kept = "what is graded is kept; free some space and run the same command again"
            raise ValueError(f"the disk of {out} is full: {kept}") from error


@contextmanager
def throw_away_folder(batch: Batch) -> Iterator[Path]:
    """Make a folder for the runs of a batch; remove it, or what a killed batch left, later."""
    note = batch.course / "running.txt"
    if note.is_file() and Path(note.read_text()).name.startswith(PREFIX):
        clear_away(Path(note.read_text()))
    folder = Path(mkdtemp(prefix=PREFIX))
    note.write_text(str(folder))
    try:
        yield folder
    finally:
        if clear_away(folder):
            note.unlink(missing_ok=True)
