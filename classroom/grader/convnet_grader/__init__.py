"""The batch grader: from what students sent to points, feedback and a list for the teacher.

`cli` is the command, `session` what it does from beginning to end. Below it: `collect` (who sent
what), `folder` (nbgrader's course), `batch` and `worker` (processes), `execute`, `kernel` and
`sandbox` (a student's code), `judge`, `verdict` and `released` (the checks, in a process of their
own), `preprocessors` and `integrity` (damaged and changed notebooks), `attempts`, `gradebook` and
`items` (results). `boundary` keeps one submission's problems from all others, `notebook` and
`decoding` read what other programs wrote. `exchange` collects on a shared machine, `leaderboard`
runs a challenge. `harness` runs beside the student's code, by its path; the sandbox shows nothing
else of this package.

The package needs nbgrader, which the course's extra `classroom` installs, and PyTorch for the
answers. The course's own package, `course_utils`, knows nothing of this one: it finds the command
as an entry point.
"""

from importlib.util import find_spec

from course_utils.cli import NO_GRADER

__all__: list[str] = []


def _is_here(package: str) -> bool:
    """Return whether a package could be imported, without doing so: both take their time."""
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


if not (_is_here("nbgrader") and _is_here("torch")):
    raise ImportError(NO_GRADER)
