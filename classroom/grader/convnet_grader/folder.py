"""The folder that a batch writes, and nbgrader's course in it."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from convnet_grader.sandbox import Limits, read_secret

if TYPE_CHECKING:
    from traitlets.config import Config

__all__ = [
    "CLASSROOM",
    "Batch",
    "Stage",
    "batch_config",
    "course_config",
    "generate",
    "prepare",
    "teachers_settings",
]

CLASSROOM = Path(__file__).resolve().parents[2]
CONFIG = '''"""nbgrader's settings for this batch: start `jupyter lab` here for Formgrader."""

from pathlib import Path

load_subconfig({settings!r})  # noqa: F821 - traitlets puts it there
c = get_config()  # noqa: F821
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"
'''

DEFAULT = Limits()
Stage = Literal["exercises", "submitted", "autograded", "feedback"]
"""The folders of nbgrader's course with a notebook for each student, or for nobody (`.`)."""


@dataclass(frozen=True)
class Batch:
    """What a batch grades, and how.

    Args:
        exercise: Such as `07_lenet`.
        solution: The folder with the exercise's solution.
        out: Gets the results.
        limits: What one submission may use.
        trusted: Grade without the sandbox.
        hidden: Folders that students' code must not see, wherever they are.
        runs: Where to make temporary folders; "" for the system's own place.
        held: Whether each worker has that place to itself, with room for one submission.
    """

    exercise: str
    solution: Path
    out: Path
    limits: Limits = DEFAULT
    trusted: bool = False
    hidden: tuple[Path, ...] = ()
    runs: str = ""
    held: bool = False

    @property
    def course(self) -> Path:
        """The folder that nbgrader works in: gradebook, submitted and graded notebooks."""
        return self.out / "course"

    @property
    def gradebook(self) -> str:
        """Where nbgrader finds the gradebook; workers wait for one another."""
        return f"sqlite:///{self.course / 'gradebook.db'}?timeout=60"

    @property
    def fingerprint(self) -> str:
        """A hash of the exercise with its checks: if it changes, everything is graded again."""
        digest = hashlib.sha256()
        for file in sorted(self.solution.rglob("*")):
            if file.is_file():
                digest.update(str(file.relative_to(self.solution)).encode() + file.read_bytes())
        return digest.hexdigest()

    def notebook(self, stage: Stage, student: str = ".") -> Path:
        """Return where nbgrader keeps a notebook at some stage."""
        return self.course / stage / student / self.exercise / f"{self.exercise}.ipynb"


def teachers_settings() -> str:
    """Return where the teacher's settings of nbgrader are; without them there is no sandbox.

    Raises:
        ValueError: The grader was installed without the course around it.
    """
    file = CLASSROOM / "nbgrader_config.py"
    if not file.is_file():
        raise ValueError(
            f"{file} is not there: grade in a copy of the whole course, installed with --editable"
        )
    return str(file)


def course_config(course: Path) -> "Config":
    """Return the teacher's settings of nbgrader, moved to another course folder.

    Raises:
        ValueError: The grader was installed without the course around it.
    """
    from traitlets.config.loader import PyFileConfigLoader

    config = PyFileConfigLoader(teachers_settings()).load_config()
    config.CourseDirectory.root = str(course)
    return config


def batch_config(batch: Batch) -> "Config":
    """Return nbgrader's settings for a batch that `prepare` has prepared."""
    from traitlets.config.loader import PyFileConfigLoader

    config = PyFileConfigLoader(str(batch.course / "nbgrader_config.py")).load_config()
    config.CourseDirectory.db_url = batch.gradebook
    config.Execute.timeout = batch.limits.cell_seconds
    config.SandboxedExecute.update(asdict(batch.limits))
    config.SandboxedExecute.trusted = batch.trusted
    config.SandboxedExecute.hidden = [str(path) for path in batch.hidden]
    config.SandboxedExecute.runs = batch.runs
    config.SandboxedExecute.secret = str(batch.course / "secret")
    return config


def generate(slugs: Sequence[str], config: "Config") -> None:
    """Run nbgrader's `generate_assignment` in a course folder that has `solutions/`.

    Args:
        slugs: Names such as `07_lenet`.
        config: Of the course folder, which gets `exercises/` and a gradebook.

    Raises:
        RuntimeError: `nbgrader` refuses a notebook; the message has its log.
    """
    from nbgrader.apps import NbGraderAPI  # slow to import, and lessons do not need it

    api = NbGraderAPI(config=config)
    for slug in slugs:
        result = api.generate_assignment(slug)
        if not result["success"]:
            raise RuntimeError(f"nbgrader does not release {slug}:\n{result['log']}")


def prepare(batch: Batch) -> None:
    """Write points and hidden checks of the exercise into the batch's gradebook, if new.

    Raises:
        ValueError: There is no such exercise, the results are those of another one, or the grader
            was installed without the course around it.
        RuntimeError: `nbgrader` refuses the solution; the message has its log.
    """
    if not (batch.solution / f"{batch.exercise}.ipynb").is_file():
        raise ValueError(f"there is no exercise {batch.exercise} in {batch.solution.parent}")
    stamp = batch.course / "exercise.txt"
    before = stamp.read_text().split() if stamp.is_file() else []
    if before and before[0] != batch.exercise:
        raise ValueError(f"{batch.out} has the results of {before[0]}: name another folder")
    batch.course.mkdir(parents=True, exist_ok=True)
    settings = teachers_settings()
    (batch.course / "nbgrader_config.py").write_text(CONFIG.format(settings=settings))
    read_secret(batch.course / "secret")  # workers find it there
    if before == [batch.exercise, batch.fingerprint]:
        return
    if not before:  # a first attempt that failed leaves half a gradebook
        (batch.course / "gradebook.db").unlink(missing_ok=True)
    target = batch.course / "solutions" / batch.exercise
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(batch.solution, target)
    generate([batch.exercise], batch_config(batch))
    stamp.write_text(f"{batch.exercise} {batch.fingerprint}\n")
