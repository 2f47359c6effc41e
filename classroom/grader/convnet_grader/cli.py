"""The verbs `grade` and `leaderboard` of `python -m course_utils`, which finds an entry point.

Slow imports, and nbgrader itself, wait until the verb runs, so that `--help` answers at once.
"""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from convnet_grader.sandbox import Limits, read_secret
from course_utils.arguments import as_path
from course_utils.cli import GRADE_HELP
from course_utils.lab import course_root

if TYPE_CHECKING:
    from convnet_grader.folder import Batch

__all__ = ["add_grade", "add_leaderboard", "prepare_batch", "run_grade", "run_leaderboard"]

EXAMPLES = """examples:
  python -m course_utils grade ~/Downloads/submissions.zip --out grades/07_lenet
  python -m course_utils grade submissions --out grades/07_lenet --students students.csv

Run the same command again to go on with a batch that was stopped, to grade what is new, or to take
over the points that you gave by hand. classroom/README.md says more.
"""


def add_grade(verbs: Any) -> None:
    """Add the verbs `grade` and `leaderboard` with their options.

    Args:
        verbs: The subparsers of the command line.
    """
    limits = Limits()
    grade = verbs.add_parser(
        "grade",
        help=GRADE_HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    grade.add_argument(
        "submissions", type=as_path, metavar="SUBMISSIONS", help="a folder or zip file"
    )
    grade.add_argument(
        "--out", type=as_path, required=True, metavar="FOLDER", help="gets the results"
    )
    grade.add_argument("--exercise", metavar="SLUG", help="default: what the file names say")
    grade.add_argument(
        "--students", type=as_path, metavar="CSV", help="a table of the students you expect"
    )
    grade.add_argument(
        "--workers", type=int, metavar="N", help="so many at a time; default: one per core"
    )
    grade.add_argument(
        "--timeout", type=float, default=limits.seconds, metavar="S", help="for a submission"
    )
    grade.add_argument(
        "--memory", type=int, default=limits.memory_mb, metavar="MB", help="for a submission"
    )
    grade.add_argument(
        "--again", action="store_true", help="grade again what has been graded already"
    )
    grade.add_argument(
        "--trusted", action="store_true", help="run students' code without a sandbox"
    )
    grade.set_defaults(run=run_grade)
    add_leaderboard(verbs)


def add_leaderboard(verbs: Any) -> None:
    """Add the verb `leaderboard` with its options.

    Args:
        verbs: The subparsers of the command line.
    """
    verb = verbs.add_parser("leaderboard", help="score the entries to a challenge (for teachers)")
    verb.add_argument("entries", type=as_path, metavar="ENTRIES", help="a folder or zip file")
    verb.add_argument(
        "--out", type=as_path, required=True, metavar="FOLDER", help="gets the leader board"
    )
    verb.add_argument(
        "--seed-file", type=as_path, metavar="FILE", help="your secret; default: OUT/secret, made"
    )
    verb.add_argument("--seconds", type=float, metavar="S", help="to train an entry")
    verb.add_argument("--multiply-adds", type=int, metavar="N", help="at most, for an image")
    verb.add_argument("--workers", type=int, metavar="N", help="so many entries at a time")
    verb.add_argument("--trusted", action="store_true", help="run entries without a sandbox")
    verb.set_defaults(run=run_leaderboard)


def run_leaderboard(options: argparse.Namespace, rest: list[str]) -> int:
    """Score the entries to a challenge, and print the leader board.

    Raises:
        ValueError: The options do not fit together.
    """
    from convnet_grader.leaderboard import board, run_challenge
    from course_utils.challenge import Rules

    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    if workers < 1:
        raise ValueError(f"--workers {workers}: at least 1")
    given = {"multiply_adds": options.multiply_adds, "seconds": options.seconds}
    rules = Rules(**{name: value for name, value in given.items() if value is not None})
    secret = read_secret(options.seed_file or options.out / "secret")
    try:
        results = run_challenge(
            options.entries, options.out, secret, rules, workers=workers, trusted=options.trusted
        )
    except KeyboardInterrupt:
        print("leaderboard: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(board(results))
    return 0


def run_grade(options: argparse.Namespace, rest: list[str]) -> int:
    """Grade a batch of submissions, and say where the results are.

    Raises:
        ValueError: This is Windows, or the options do not fit together.
    """
    if sys.platform == "win32":
        raise ValueError("grading needs Linux or macOS: on Windows use WSL")
    from tqdm import tqdm

    from convnet_grader.session import review_lines, run_batch

    batch, workers = prepare_batch(options)
    with tqdm(unit="notebook", disable=None) as bar:

        def begin(total: int) -> Any:
            bar.reset(total)
            return lambda outcome: bar.update()

        try:
            result = run_batch(
                options.submissions,
                batch,
                workers=workers,
                students=options.students,
                again=options.again,
                progress=begin,
            )
        except KeyboardInterrupt:
            print("grade: stopped; run the same command again to go on from here", file=sys.stderr)
            return 130
    num_lines = len(review_lines(result.review))
    print(
        f"{batch.exercise}: {result.num_graded} graded now, {len(result.reports)} in all, "
        f"{len(result.failed) + len(result.problems)} not graded; {num_lines} lines in "
        f"{batch.out / 'review.csv'} for you to read"
    )
    return 0


def prepare_batch(options: argparse.Namespace) -> "tuple[Batch, int]":
    """Return what to grade, and by how many workers.

    Raises:
        ValueError: The options do not fit together.
    """
    from convnet_grader.collect import which_exercise
    from convnet_grader.folder import Batch

    solutions = course_root() / "solutions"
    slugs = sorted(path.parent.name for path in solutions.glob("*/*.ipynb"))
    exercise = options.exercise or which_exercise(options.submissions, slugs)
    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    if workers < 1:
        raise ValueError(f"--workers {workers}: at least 1")
    out = options.out.resolve()
    hidden = (out, options.submissions.resolve(), solutions)
    limits = Limits(seconds=options.timeout, memory_mb=options.memory)
    batch = Batch(exercise, solutions / exercise, out, limits, options.trusted, hidden)
    return batch, workers
