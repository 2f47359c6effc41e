"""What we keep of each attempt: the notebook, its outcome and its feedback, with the time.

An attempt is complete once it has its outcome; that is how a batch that was interrupted knows
what is done.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from convnet_grader.boundary import Problems

__all__ = ["Outcome", "attempts_of", "history", "keep", "now", "write_at_once"]

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """The result of grading one notebook.

    Args:
        student: The id.
        name: The file's name, as it was sent.
        digest: A hash of the notebook.
        exercise: A hash of the exercise with its checks.
        time: When it was graded, as 2026-11-22T17:30:05Z.
        seconds: How long grading took.
        failure: Why there is no score, or "".
        scores: Test cell -> points given by its check.
        findings: Test cell -> what its check said was wrong.
        remarks: What the teacher should know: limits reached, test cells changed.
        draw: The seed of the inputs of its hidden checks.
        disturbed: Whether something outside ended its kernel, so that it has to be graded again.
    """

    student: str
    name: str
    digest: str
    exercise: str
    time: str = ""
    seconds: float = 0.0
    failure: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    draw: int = 0
    disturbed: bool = False


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keep(folder: Path, outcome: Outcome, files: dict[str, Path]) -> Path:
    """Store an attempt; its outcome comes last, in one step.

    Args:
        folder: Of all attempts.
        outcome: A graded one.
        files: Name in the attempt -> file to copy.
    """
    stamp = outcome.time.replace(":", "-")
    attempt = folder / outcome.student / f"{stamp}_{outcome.digest[:8]}"
    attempt.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        shutil.copyfile(file, attempt / name)
    write_at_once(attempt / OUTCOME, json.dumps(asdict(outcome), indent=1))
    return attempt


def write_at_once(file: Path, text: str) -> None:
    """Write a whole file or, if the disk is full or the power fails, nothing."""
    draft = file.with_name(f".{file.name}")
    draft.write_text(text, encoding="utf-8", newline="")
    draft.replace(file)


def attempts_of(folder: Path, student: str, problems: Problems) -> list[Outcome]:
    """Return the complete attempts of a student, the latest last.

    Args:
        folder: Of all attempts.
        student: The id.
        problems: Get those whose outcome cannot be read any more.
    """
    found = []
    for file in sorted((folder / student).glob(f"*/{OUTCOME}")):
        with problems.of(str(file.relative_to(folder.parent)), student, "look"):
            found.append(Outcome(**json.loads(file.read_text(encoding="utf-8"))))
    return found


def history(folder: Path, problems: Problems) -> dict[str, list[Outcome]]:
    """Return the complete attempts of each student, the latest last.

    Args:
        folder: Of all attempts.
        problems: Get those whose outcome cannot be read any more.
    """
    students = [place.name for place in sorted(folder.glob("*/"))]
    found = {student: attempts_of(folder, student, problems) for student in students}
    return {student: attempts for student, attempts in found.items() if attempts}
