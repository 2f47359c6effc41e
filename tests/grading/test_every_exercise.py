"""What holds for each exercise: a stub earns nothing, the solution everything, for anybody."""

import re
from pathlib import Path

import nbformat
import pytest

from course_utils import quiz

ROOT = Path(__file__).resolve().parents[2]
SLUGS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())
QUESTION = re.compile(r'QUESTION = \("([^"]+)", "([^"]+)", student_id\)')


def answer_cells(notebook):
    """Return the source of each answer cell by its name."""
    coded = (cell for cell in notebook.cells if cell.cell_type == "code")
    roles = ((cell, cell.metadata.get("nbgrader", {})) for cell in coded)
    return {role["grade_id"]: cell.source for cell, role in roles if role.get("solution")}


def questions(slug):
    """Return (bank, item) of each question of an exercise that has the student's own numbers."""
    notebook = nbformat.read(ROOT / "solutions" / slug / f"{slug}.ipynb", as_version=4)
    return [found for cell in notebook.cells for found in QUESTION.findall(cell.source)]


@pytest.fixture(scope="module", params=SLUGS)
def slug(request):
    return request.param


@pytest.fixture(scope="module")
def solution(slug, read_solution):
    return read_solution(slug)


@pytest.fixture(scope="module")
def built(slug, read_exercise):
    return read_exercise(slug)


def test_the_stub_earns_nothing(slug, built):
    release = nbformat.read(ROOT / "exercises" / slug / f"{slug}.ipynb", as_version=4)
    results = built.grade(**answer_cells(release))
    assert results
    assert {name: result.score for name, result in results.items()} == dict.fromkeys(results, 0.0)
    assert {result.finding for result in results.values()} == {"CheckFailed: not answered yet"}


def test_the_solution_earned_everything_when_it_was_built(slug, built):
    """With nobody's numbers; nbval runs each cell again, where a check that fails raises."""
    earned = {}
    for cell in built.cells:
        if cell.metadata.nbgrader.grade:
            earned[cell.metadata.nbgrader.grade_id] = float(cell.outputs[-1].data["text/plain"])
    assert earned == built.points


def test_the_solution_earns_everything_with_a_students_own_numbers(built, solution, monkeypatch):
    """Those of another student are in test_judge.py."""
    monkeypatch.setenv("COURSE_STUDENT", "2026-0417")
    results = built.grade(**answer_cells(solution))
    findings = {name: result.finding for name, result in results.items() if result.finding}
    assert not findings
    assert {name: result.score for name, result in results.items()} == built.points


def test_a_solution_answers_the_questions_of_any_student(slug, built, solution, monkeypatch):
    sources = answer_cells(solution)
    asked = questions(slug)
    assert asked
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        space = built.setup()
        for bank, item in asked:
            exec(sources[item], space)
            quiz.right(bank, item, "")(space[item])  # raises if it is wrong


def test_the_points_at_the_top_are_those_of_the_cells(slug, solution):
    roles = [cell.metadata.get("nbgrader", {}) for cell in solution.cells]
    total = sum(role.get("points", 0) for role in roles if role.get("grade"))
    said = re.search(r"\*\*Points:\*\* (\d+)", solution.cells[0].source)
    assert said and int(said[1]) == total
    row = r"\| (\d+)(?: \| (?:the checks|a person)|, \d of them from a person|) \|$"
    parts = re.findall(row, solution.cells[0].source, re.MULTILINE)
    assert sum(map(int, parts)) == total
    assert re.search(r"\*\*Minutes:\*\* \d+", solution.cells[0].source)


@pytest.mark.parametrize(
    ("bank", "item"), sorted({found for slug in SLUGS for found in questions(slug)})
)
def test_students_get_numbers_of_their_own(bank, item, monkeypatch):
    drawn = set()
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        drawn.add(repr(quiz.solution(bank, item, "")))
    assert len(drawn) >= 4, "twenty students share too few answers: widen the variables"
