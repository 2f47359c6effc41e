"""The real nbgrader, with the teacher's settings, on submissions good and bad."""

import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from course_utils import quiz

ROOT = Path(__file__).resolve().parents[2]
SLUG = "07_lenet"
AUTOGRADED = {
    "after_two_blocks_check": 1,
    "wider_convolution_check": 1,
    "size_seen_check": 1,
    "pairs_told_check": 1,
    "precision_check": 1,
    "net_check": 3,
    "repair_check": 3,
    "experiment_check": 2,
}
SKIP = """
async def skip(*args, **kwargs): return False
get_ipython().run_code = skip  # no later cell runs, and none has an error
"""
QUIT = "import bdb\ndef stop(*args, **kwargs): raise bdb.BdbQuit\n"


def read(kind):
    return nbformat.read(ROOT / kind / SLUG / f"{SLUG}.ipynb", as_version=4)


def named(notebook, name):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def answered(**answers):
    """Fill answers into the exercise as it is handed out."""
    notebook = read("exercises")
    for name, source in answers.items():
        named(notebook, name).source = source
    return notebook


def letter(name, student):
    """Write down a student's right letter: the solution's cell looks it up, but not in grading."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_STUDENT", student)
        return f"{name} = {quiz.solution(f'exercises/{SLUG}', name)!r}"


def perfect(student="perfect"):
    """Fill the solution's answers in."""
    solution = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in read("solutions").cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    letters = {name: letter(name, student) for name in ("size_seen", "pairs_told")}
    return answered(**solution | letters)


def damaged():
    """Return right answers in a notebook that was treated badly, without ill will."""
    notebook = perfect("damaged")
    named(notebook, "setup").source += "\nimport sys; print('a warning', file=sys.stderr)"
    named(notebook, "net").source += "\nimport warnings; warnings.warn('of a library')"
    named(notebook, "size_seen_check").source = "float(1)"
    copy = deepcopy(named(notebook, "after_two_blocks_check"))
    copy.id = "copied"
    notebook.cells.insert(3, copy)
    notebook.cells.remove(named(notebook, "pairs_told_check"))
    del named(notebook, "precision_check").metadata["nbgrader"]
    stripped = named(notebook, "net_check")
    stripped.id, stripped.metadata = "another", nbformat.from_dict({})
    named(notebook, "repair_check").metadata.nbgrader.update(grade=False, points=99)
    for cell in notebook.cells[5:9]:
        cell.id = f"new-{cell.id}"[:60]
    return notebook


def tricked():
    """Return wrong answers, each with a trick of its own."""
    numbers = "get_ipython().display_formatter.formatters['text/plain'].for_type("
    numbers += "float, lambda number, printer, cycle: printer.text('1.0'))\n"
    forged = (
        "class Forged(int):\n    def __repr__(self): return '1.0'\nwider_convolution = Forged(1)"
    )
    tricks = {
        "after_two_blocks": numbers + "after_two_blocks = (16, 1, 1)",
        "wider_convolution": forged,
        "size_seen": "checks.award = lambda *args: 1.0\nsize_seen = 'Z'",
        "pairs_told": "class Yes(str):\n    __eq__ = lambda *args: True\npairs_told = Yes('Z')",
        "net": QUIT + "make_net = stop",
        "repair": SKIP,
    }
    return answered(**tricks)


SUBMISSIONS = {
    "perfect": (perfect, AUTOGRADED),
    "untouched": (answered, dict.fromkeys(AUTOGRADED, 0)),
    "damaged": (damaged, AUTOGRADED),
    "tricked": (tricked, dict.fromkeys(AUTOGRADED, 0)),
}


def hand_in(course):
    """Write the submissions where nbgrader looks for them."""
    for student, (make, _) in SUBMISSIONS.items():
        folder = course / ".course" / "submitted" / student / SLUG
        folder.mkdir(parents=True)
        nbformat.write(make(), folder / f"{SLUG}.ipynb")


def nbgrader(course, command):
    """Run a command of nbgrader as the teacher's guide says, in an environment not activated."""
    ours = Path(sys.executable).parent
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != str(ours))
    done = subprocess.run(
        [ours / "nbgrader", command, SLUG, f"--CourseDirectory.root={course}"],
        env=os.environ | {"PATH": path},
        cwd=ROOT / "classroom",
        timeout=500,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def scores(course):
    """Return student -> test cell -> score, and student -> whether a person must look."""
    found = {}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for submission in gradebook.assignment_submissions(SLUG):
            grades = submission.notebooks[0].grades
            found[submission.student.id] = {
                grade.name: (grade.auto_score, grade.needs_manual_grade) for grade in grades
            }
    return found


@pytest.mark.slow
def test_nbgrader_grades_what_is_handed_in(bubblewrap, release_tool, tmp_path):
    shutil.copytree(ROOT / "solutions" / SLUG, tmp_path / "solutions" / SLUG)
    release_tool.generate([SLUG], tmp_path)
    hand_in(tmp_path)
    nbgrader(tmp_path, "autograde")
    nbgrader(tmp_path, "generate_feedback")

    found = scores(tmp_path)
    written = {student: grades.pop("doubtful_labels") for student, grades in found.items()}
    assert found == {
        student: {name: (points, False) for name, points in expected.items()}
        for student, (_, expected) in SUBMISSIONS.items()
    }
    assert written == {
        student: (None, True) if student in ("perfect", "damaged") else (0, False)
        for student in SUBMISSIONS
    }
    for student in SUBMISSIONS:
        feedback = tmp_path / ".course" / "feedback" / student / SLUG / f"{SLUG}.html"
        check_feedback(feedback.read_text(encoding="utf-8"))


def check_feedback(page):
    """Hold a student's feedback page against what it must not have."""
    assert ">Task 2: a LeNet turned round" in page
    text = re.sub("<[^>]*>", "", page)
    assert not re.search(r"HIDDEN TESTS|name_slip|reload\(checks\)|def check_answer", text)
    assert (
        re.findall(r"""<(?:script|link)[^>]*(?:src|href)=["']?(?:https?:)?//[^>]*>""", page) == []
    )
