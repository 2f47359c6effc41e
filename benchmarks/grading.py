"""Seconds per submission: the course's batch grader and stock `nbgrader autograde`, in turns.

    python benchmarks/grading.py --submissions 60           # print a table
    python benchmarks/grading.py --submissions 60 --write   # and write it to results.md

Both grade the same notebooks of exercise 07, which imports torch and, if the answers are right,
trains a small net. A third of the notebooks have all the answers, a third some, a third none.
Stock nbgrader has the course's settings, but runs students' code itself: one after the other,
without a sandbox. Ours runs it in the sandbox, and writes feedback, a table and an analysis, too.
Both restart for each turn, and the time to start counts.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from report import RESULTS, circumstances, markdown, write_section

from convnet_grader.folder import course_config, generate
from course_utils.tables import Table

ROOT = Path(__file__).parents[1]
SLUG = "07_lenet"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
STOCK_CONFIG = """
load_subconfig({settings!r})
c = get_config()
c.CourseDirectory.root = {root!r}
steps = c.Autograde.autograde_preprocessors
c.Autograde.autograde_preprocessors = ["nbgrader.preprocessors.Execute", *steps[1:]]
"""


@dataclass(frozen=True)
class Measured:
    """The result of one grader.

    Attributes:
        grader: Its name.
        turns: Seconds per submission, turn by turn.
        points: The points of all submissions together, which must be the same for both.
    """

    grader: str
    turns: tuple[float, ...]
    points: float

    @property
    def mean(self) -> float:
        """Seconds per submission over all turns, which have one size."""
        return sum(self.turns) / len(self.turns)


def write_submissions(folder: Path, count: int) -> list[str]:
    """Write notebooks as a learning platform exports them; return the students."""
    released = nbformat.read(ROOT / "exercises" / SLUG / f"{SLUG}.ipynb", as_version=4)
    solution = nbformat.read(ROOT / "solutions" / SLUG / f"{SLUG}.ipynb", as_version=4)
    answers = {cell.id: cell.source for cell in solution.cells if _is_answer(cell)}
    students = [f"s{number:03d}" for number in range(count)]
    folder.mkdir(parents=True)
    for number, student in enumerate(students):
        kept = list(answers)[: (len(answers), len(answers) // 2, 0)[number % 3]]
        notebook = deepcopy(released)
        for cell in notebook.cells:
            if cell.id in kept:
                cell.source = f"{answers[cell.id]}\n# {student}"
        nbformat.write(notebook, folder / f"{student}_{SLUG}.ipynb")
    return students


def _is_answer(cell: nbformat.NotebookNode) -> bool:
    role = cell.metadata.get("nbgrader", {})
    return bool(role.get("solution")) and not role.get("grade")


def grade_ours(sent: Path, out: Path, workers: int) -> Callable[[], float]:
    """Grade with the course's command; return what reads the points."""
    command = [sys.executable, "-m", "course_utils", "grade", str(sent), "--out", str(out)]
    run([*command, "--exercise", SLUG, "--workers", str(workers)], ROOT)
    return lambda: points_in(out / "course" / "gradebook.db")


def grade_stock(sent: Path, course: Path) -> Callable[[], float]:
    """Grade with nbgrader's command; return what reads the points."""
    settings = course / "nbgrader_config.py"
    text = STOCK_CONFIG.format(
        settings=str(ROOT / "classroom" / "nbgrader_config.py"), root=str(course)
    )
    settings.write_text(text)
    for file in sent.glob("*.ipynb"):
        target = course / ".course" / "submitted" / file.stem.split("_")[0] / SLUG
        target.mkdir(parents=True)
        shutil.copyfile(file, target / f"{SLUG}.ipynb")
    run([str(Path(sys.executable).with_name("nbgrader")), "autograde", SLUG], course)
    return lambda: points_in(course / "gradebook.db")


def run(command: list[str], folder: Path) -> None:
    """Run a command with one thread per process, as both graders do."""
    environment = os.environ | ONE_THREAD
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")


def points_in(gradebook: Path) -> float:
    """Return the sum of all points in a gradebook of nbgrader."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{gradebook}") as book:
        return sum(submission.score for submission in book.assignment_submissions(SLUG))


def prepared_course(folder: Path) -> Path:
    """Make a course folder of nbgrader with the exercise in its gradebook."""
    shutil.copytree(ROOT / "solutions" / SLUG, folder / "solutions" / SLUG)
    generate([SLUG], course_config(folder))
    return folder


def measure(submissions: int, turns: int, workers: int) -> tuple[Measured, Measured]:
    """Let both graders grade the same notebooks in turns, new ones in each turn."""
    size, seconds, points = submissions // turns, ([], []), [0.0, 0.0]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for turn in range(turns):
            place = Path(name) / str(turn)
            write_submissions(place / "sent", size)
            course = prepared_course(place / "stock")
            graders = [
                lambda place=place: grade_ours(place / "sent", place / "ours", workers),
                lambda place=place, course=course: grade_stock(place / "sent", course),
            ]
            for which in (0, 1) if turn % 2 == 0 else (1, 0):
                start = time.perf_counter()
                read = graders[which]()
                seconds[which].append((time.perf_counter() - start) / size)
                points[which] += read()
                print(f"turn {turn + 1}, {('ours', 'stock')[which]}: {seconds[which][-1]:.2f} s")
    ours = Measured(f"ours, {workers} workers, sandbox", tuple(seconds[0]), points[0])
    return ours, Measured("stock nbgrader autograde", tuple(seconds[1]), points[1])


def as_table(ours: Measured, stock: Measured) -> Table:
    """Return a table with both graders side by side."""
    rows = [
        (
            each.grader,
            round(each.mean, 2),
            f"{min(each.turns):.2f} to {max(each.turns):.2f}",
            round(stock.mean / each.mean, 2),
        )
        for each in (ours, stock)
    ]
    return Table(("grader", "seconds per submission", "by turn", "times as fast"), tuple(rows))


def main() -> None:
    """Measure, print, and maybe write; exit with 1 if the two graders disagree on points."""
    parser = argparse.ArgumentParser(description="Seconds per submission, ours and stock nbgrader.")
    parser.add_argument("--submissions", type=int, default=12, metavar="N")
    parser.add_argument("--turns", type=int, default=3, help="turns to split them into")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="rewrite the section of results.md")
    options = parser.parse_args()
    if options.submissions < options.turns:
        parser.error(f"--submissions {options.submissions}: give at least one per turn")

    ours, stock = measure(options.submissions, options.turns, options.workers)
    table = as_table(ours, stock)
    print(table)
    if ours.points != stock.points:
        sys.exit(f"ours gave {ours.points} points, stock {stock.points}: they must agree")
    if options.write:
        count = options.submissions // options.turns * options.turns
        title = f"## Grading {count} submissions of exercise 07, {options.turns} turns"
        facts = circumstances(("torch", "nbgrader", "ipykernel"), ONE_THREAD)
        write_section(RESULTS, "grading", f"{title}\n\n{markdown(table)}\n\n{facts}")


if __name__ == "__main__":
    main()
