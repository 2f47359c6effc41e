"""Exercises in three tiers: their form, what a lesson gives away of them, and their banks."""

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from inspect import signature
from itertools import chain
from pathlib import Path
from types import FunctionType, ModuleType

import nbformat
import pytest

from course_utils import quiz

ROOT = Path(__file__).resolve().parents[2]
SLUGS = sorted(path.stem for path in ROOT.glob("sources/exercises/*.py"))
HEADING = re.compile(
    r"## (?P<title>.+) · (?P<tier>Drill|Build or repair|Investigate)"
    r" · (?P<minutes>\d+) minutes · (?P<points>\d+) points?$",
    re.MULTILINE,
)
ROW = re.compile(r"^\| (.+) \| (.+) \| (\d+) \| (\d+)(?:, (\d+) of them from a person)? \|$", re.M)
LONGEST = 5
"""Statements in a row that a solution may share with a lesson."""


@pytest.fixture(scope="module", params=SLUGS)
def slug(request):
    return request.param


@pytest.fixture(scope="module")
def solution(slug, read_solution):
    return read_solution(slug)


def role(cell):
    return cell.metadata.get("nbgrader", {})


def sections(notebook):
    """Return (heading, cells) of each part that has a tier; cells before the first are left out."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## Challenge"):
            break  # at the end, and without points
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            found.append((HEADING.match(cell.source), []))
        if found:
            found[-1][1].append(cell)
    return found


# --- Form --------------------------------------------------------------------------------------


def test_headings_table_and_cells_agree(solution):
    rows = []
    for heading, cells in sections(solution):
        assert heading, cells[0].source
        points = [role(c)["points"] for c in cells if role(c).get("grade")]
        written = [role(c)["points"] for c in cells if role(c).get("grade") and role(c).solution]
        assert int(heading["points"]) == sum(points) > 0
        rows.append((heading["title"], heading["tier"].lower(), heading["minutes"],
                     heading["points"], str(sum(written) or "")))  # fmt: skip
    head = solution.cells[0].source
    assert ROW.findall(head) == rows
    said = re.search(r"\*\*Minutes:\*\* (\d+) &nbsp; \*\*Points:\*\* (\d+)", head)
    totals = (sum(int(row[number]) for row in rows) for number in (2, 3))
    assert said and tuple(map(int, said.groups())) == tuple(totals)
    total = sum(role(cell).get("points", 0) for cell in solution.cells if role(cell).get("grade"))
    assert int(said[2]) == total, "every point is in a task"


def test_no_answer_swallows_what_comes_after_it(solution):
    """A learner gets no cell with an answer: a heading in it would be lost."""
    answers = [cell.source for cell in solution.cells if role(cell).get("solution")]
    written = [source for source in answers if "**A model answer.**" in source]
    assert written and not any(re.search(r"^#+ ", source, re.M) for source in written)


def test_all_tiers_are_there_and_drills_give_a_third_at_most(solution):
    points = {"Drill": 0, "Build or repair": 0, "Investigate": 0}
    for heading, _ in sections(solution):
        points[heading["tier"]] += int(heading["points"])
    assert all(points.values())
    assert 3 * points["Drill"] <= sum(points.values())


def test_the_minutes_are_those_of_the_readme(slug, solution):
    minutes = re.search(r"\*\*Minutes:\*\* (\d+)", solution.cells[0].source)[1]
    assert f"/{slug}.ipynb) | {minutes} |" in (ROOT / "README.md").read_text("utf-8")


def test_each_task_has_three_hints_and_says_how_to_see_a_solution(slug, solution):
    for heading, cells in sections(solution):
        if not heading["title"].startswith("Task"):
            continue
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        found = re.findall(r"<details><summary>Hint (\d) of 3</summary>\n\n\S", text)
        assert found == ["1", "2", "3"], heading["title"]
        assert text.count("</details>") == 3 and "hint:" not in text
        answers = [role(cell)["grade_id"] for cell in cells
                   if cell.cell_type == "code" and role(cell).get("solution")]  # fmt: skip
        assert re.findall(rf'checks\.reveal\("{slug}", "(\w+)"\)', text) == answers


def test_a_worked_solution_gives_reasons(solution):
    for cell in solution.cells:
        if cell.cell_type == "code" and role(cell).get("solution"):
            for region in re.findall(r"### BEGIN SOLUTION(.*?)### END SOLUTION", cell.source, re.S):
                assert re.search(r"# \S", region), role(cell)["grade_id"]


def test_an_investigation_begins_with_a_prediction_and_ends_in_words(solution):
    for heading, cells in sections(solution):
        if heading["tier"] == "Investigate":
            order = [role(cell).get("grade_id") for cell in cells if role(cell).get("solution")]
            assert order[0] == "prediction"
            assert role(cells[-1]).get("grade") and cells[-1].cell_type == "markdown"
            assert "**Marking scheme.**" in cells[-1].source


NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")  # without its sign
WORDS = {"a quarter": 0.25, "four": 4, "six": 6}


def numbers(text):
    """Return the numbers of a text, each with half of its last digit, by which it is rounded."""
    digits = [each.rstrip(",").replace(",", "") for each in NUMBER.findall(text)]
    written = [(float(each), 0.5 * 10.0 ** -len(each.partition(".")[2])) for each in digits]
    return written + [(value, 0.0) for word, value in WORDS.items() if word in text]


def says(text, finding):
    """Return whether a text has one of the numbers of a finding, as such or in per cent.

    Signs do not count; a 0, 1 or 2 is not taken for a rounded number.
    """
    return any(abs(value * unit - said) <= (half if half < said / 4 else 0) + 1e-9
               for value, _ in numbers(finding) for said, half in numbers(text)
               for unit in (1, 100))  # fmt: skip


def test_a_model_answer_is_about_the_run_that_is_shown(solution):
    printed = "".join(
        output.get("text", "")
        for cell in solution.cells if cell.cell_type == "code" for output in cell.outputs
    )  # fmt: skip
    [(predicted, measured)] = re.findall(
        r"✓ you predicted (.+?)(?:,? and (?:measured|found)|; depth costs) (.+)", printed
    )
    [answer] = [cell.source for cell in solution.cells if "**A model answer.**" in cell.source]
    answer = answer.partition("**Marking scheme.**")[0]
    for finding in (predicted, measured):
        if NUMBER.search(finding):
            assert says(answer, finding), finding
        else:
            names = re.findall(r"[a-z]{4,}", finding.partition(": ")[0])
            assert names and all(name in answer for name in names), finding


def test_lesson_and_exercise_lead_to_each_other(slug, solution):
    link = re.search(r"\*\*Before:\*\* \[lesson (\d\d)\]\((.+?)\)", solution.cells[0].source)
    target = (ROOT / "exercises" / slug / link[2]).resolve()
    assert link[1] == slug[:2] and target == ROOT / "notebooks" / f"{slug}.ipynb"


# --- Nothing to copy ---------------------------------------------------------------------------


def lessons_up_to(slug):
    """Return the paths of the lessons up to one."""
    return [path for path in sorted(ROOT.glob("notebooks/*.ipynb")) if path.stem[:2] <= slug[:2]]


def lesson_trees(path):
    """Return the trees of a lesson's code cells, with inlined code; `Erase` changes them."""
    cells = nbformat.read(path, as_version=4).cells
    return [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]


class Erase(ast.NodeTransformer):
    """Makes all names one name, all constants one constant."""

    def visit(self, node):
        for field in ("id", "arg", "attr", "name", "value"):
            if not isinstance(getattr(node, field, None), ast.AST | list | None):
                setattr(node, field, "x")
        return self.generic_visit(node)


def statements(tree: ast.AST) -> Iterator[str]:
    """Yield statements in the order of their lines, without names; of compound ones the head."""
    for node in Erase().visit(tree).body:
        blocks = [vars(node).pop(name, []) for name in ("body", "orelse", "finalbody")]
        yield ast.dump(node)
        for block in blocks:
            yield from statements(ast.Module(block, []))


def longest_run(one: list[str], other: list[str]) -> int:
    """Return the length of the longest run of equal statements."""
    longest, before = 0, [0] * (len(other) + 1)
    for statement in one:
        now = [0]
        for number, candidate in enumerate(other):
            now.append(before[number] + 1 if statement == candidate else 0)
        longest, before = max(longest, *now), now
    return longest


def answers(notebook):
    """Return the source of each answer cell, by its name."""
    coded = (cell for cell in notebook.cells if cell.cell_type == "code")
    return {role(cell)["grade_id"]: cell.source for cell in coded if role(cell).get("solution")}


@cache
def printed_statements(path: Path) -> list[list[str]]:
    """Return the statements of each code cell of a lesson."""
    return [list(statements(tree)) for tree in lesson_trees(path)]


def runs_in_common(sources, slug):
    """Return for each answer the longest run of statements that it shares with a lesson's cell."""
    lessons = [cell for path in lessons_up_to(slug) for cell in printed_statements(path)]
    mine = {name: list(statements(ast.parse(source))) for name, source in sources.items()}
    return {name: max(longest_run(own, cell) for cell in lessons) for name, own in mine.items()}


def test_no_solution_repeats_a_lesson(slug, solution):
    found = runs_in_common(answers(solution), slug)
    assert {name: run for name, run in found.items() if run > LONGEST} == {}


def test_a_function_of_the_lesson_with_other_names_is_found():
    cells = lesson_trees(ROOT / "notebooks/03_convolution.ipynb")
    loops = next(tree for tree in cells if "conv2d_loops" in ast.unparse(tree).split("(")[0])
    copied = re.sub(r"\b(image|kernel|out|k_h|k_w|conv2d_loops)\b", r"my_\1", ast.unparse(loops))
    assert runs_in_common({"copied": copied}, "03_convolution")["copied"] > LONGEST


def printed(slug):
    """Return a module with every function and class that the lessons up to one define."""
    module = ModuleType("printed")
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for tree in chain.from_iterable(map(lesson_trees, lessons_up_to(slug))):
        body = [
            node
            for node in tree.body
            if isinstance(node, kept) or ast.unparse(node).startswith("settings = profile(")
        ]  # the defaults of a lesson's functions name its settings
        exec(compile(ast.Module(body, []), "a lesson", "exec"), vars(module))
    return module


def fitting(module, wanted):
    """Return the names of what is printed that can be called as an answer is, or made like it."""
    names = []
    for name, value in vars(module).items():
        if isinstance(value, FunctionType if isinstance(wanted, ast.FunctionDef) else type):
            with suppress(TypeError, ValueError):
                if isinstance(value, FunctionType):
                    signature(value).bind(*wanted.args.args)
                names.append(name)
    return names


def test_what_a_lesson_prints_earns_nothing_under_another_name(
    slug, solution, read_exercise, monkeypatch
):
    exercise, module, sources = read_exercise(slug), printed(slug), answers(solution)
    monkeypatch.setitem(sys.modules, "printed", module)
    unchecked = {name: sources[name] for name in sources.keys() - set(exercise.tasks.values())}
    tried, paid = 0, []
    for task in set(exercise.tasks.values()) & sources.keys():
        definitions = [node for node in ast.parse(sources[task]).body if hasattr(node, "body")]
        for wanted in definitions:
            for name in fitting(module, wanted) if hasattr(wanted, "name") else ():
                pasted = f"{sources[task]}\nfrom printed import {name} as {wanted.name}"
                results = exercise.grade(**unchecked | {task: pasted})
                paid += [(wanted.name, name) for result in results.values() if result.score]
                tried += 1
    assert tried > 20 and paid == []


# --- Banks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", [name for slug in SLUGS for name in (slug, f"exercises/{slug}")])
def test_a_bank_asks_for_more_than_arithmetic(bank):
    items = quiz.load(bank).items
    assert 2 * sum(item.kind in ("number", "shape") for item in items) <= len(items)
    experiment = re.compile(r"would you see|experiment would (?:tell|show|test)")
    asked = [item for item in items if experiment.search(item.question)]
    assert len(asked) >= 2
