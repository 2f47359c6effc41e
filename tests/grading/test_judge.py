"""The judge: a process of its own examines the check cells, and asks for what students wrote."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from scripts import ROOT

from convnet_grader import harness
from convnet_grader.judge import ADDRESS, Judge, JudgeLost, open_bench
from convnet_grader.preprocessors import is_test
from convnet_grader.released import bound_names, free_names, gatherers, questions
from convnet_grader.verdict import NO_RESULT
from course_utils import beside, quiz

SLUGS = sorted(path.stem for path in ROOT.glob("sources/exercises/*.py"))
NOT_ANSWERED = {"kind": "CheckFailed", "finding": "not answered yet"}


def read(kind, slug):
    notebook = nbformat.read(ROOT / kind / slug / f"{slug}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def run(cells, names):
    """Run the cells that a student's answers need, in a namespace."""
    for cell in cells:
        role = cell.metadata.get("nbgrader", {})
        is_locked = role.get("locked") and not role["grade"]
        if role.get("solution") or (is_locked and not role["grade_id"].startswith("ask_")):
            exec(compile(cell.source, "cell", "exec"), names)


class Court:
    """A judge, and what the harness makes of a student's names; only the kernel is left out."""

    def __init__(self, names, tests, *, setup="", student="kim", seconds=100):
        asked = questions(list(tests.values()))
        self.judge = Judge(student, setup, asked, seconds)
        sources = list(tests.values())
        spaces = {
            name: harness._space(name, gatherers(sources[: number + 1]))
            for number, name in enumerate(tests)
        }
        self.tests, self.answer = tests, harness._answering(names, spaces, [])

    def verdict(self, name, points=10, draw=1):
        self.answer(harness.json.dumps({"do": "begin", "cell": name, "seed": draw}))
        self.judge.examine(name, self.tests[name], points, draw)
        while "verdict" not in (said := self.judge.receive()):
            self.judge.answer(self.answer(said["ask"]))
        return said["verdict"]


@pytest.fixture
def court():
    """A function that opens a court."""
    opened = []

    def open_court(names, tests, **more):
        opened.append(Court(names, tests, **more))
        return opened[-1]

    yield open_court
    for each in opened:
        each.judge.end()


def examined(court, slug, answers, monkeypatch, draws, before=""):
    """Return the verdicts about a student's notebook for each draw, and the points of its tests."""
    monkeypatch.setenv("COURSE_STUDENT", "kim")
    names = {"__name__": "__main__", "student_id": ""}
    exec(before, names)
    run(read(answers, slug), names)
    cells = {c.metadata.nbgrader.grade_id: c for c in read("solutions", slug) if is_test(c)}
    setup = next(c.source for c in read("solutions", slug) if "nbgrader" in c.metadata)
    opened = court(names, {name: cell.source for name, cell in cells.items()}, setup=setup)
    points = {name: cell.metadata.nbgrader.points for name, cell in cells.items()}
    verdicts = [
        {name: opened.verdict(name, points[name], draw) for name in cells} for draw in draws
    ]
    return verdicts, points


@pytest.mark.parametrize("slug", SLUGS)
def test_a_solution_earns_everything_whatever_is_drawn(court, slug, monkeypatch):
    verdicts, points = examined(court, slug, "solutions", monkeypatch, draws=(1, 2))
    for found in verdicts:
        assert {name: verdict.get("points") for name, verdict in found.items()} == points, found
        assert all(verdict["printed"].startswith("✓") for verdict in found.values())
        assert all(all(verdict["flags"].values()) for verdict in found.values())


@pytest.mark.parametrize("slug", SLUGS)
def test_a_stub_earns_nothing_and_is_not_blamed(court, slug, monkeypatch):
    [found], _ = examined(court, slug, "exercises", monkeypatch, draws=(1,))
    flags = [verdict.pop("flags") for verdict in found.values()]
    assert not any(value for each in flags for value in each.values())
    for verdict in found.values():
        assert verdict == NOT_ANSWERED | {"printed": "✗ not answered yet\n"}


@pytest.mark.parametrize("slug", ["02_why_not_mlps", "07_lenet", "11_normalization"])
def test_another_type_of_numbers_at_home_changes_nothing(court, monkeypatch, slug):
    double = "import torch; torch.set_default_dtype(torch.float64)"
    try:
        [found], points = examined(court, slug, "solutions", monkeypatch, (1,), double)
    finally:
        exec(double.replace("64", "32"))
    assert {name: verdict.get("points") for name, verdict in found.items()} == points


# --- What the judge makes of a cell ------------------------------------------------------------

LIGHT = """from course_utils import checks


def check_small(double):
    checks.require_number(double(21), 42)


small_is_right = checks.show(check_small, double)
### BEGIN HIDDEN TESTS
checks.award(2, check_small, double)
### END HIDDEN TESTS"""


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("2.0", {"points": 2.0}),
        ("1.5", {"points": 1.5}),
        ("0", {"points": 0.0}),
        ("2.5", {"kind": "CheckFailed", "finding": NO_RESULT}),
        ("-1", {"kind": "CheckFailed", "finding": NO_RESULT}),
        ("'2.0'", {"kind": "CheckFailed", "finding": NO_RESULT}),
        ("True", {"kind": "CheckFailed", "finding": NO_RESULT}),
        ("x = 2", {"kind": "CheckFailed", "finding": NO_RESULT}),
        ("raise KeyError('key')", {"kind": "KeyError", "finding": "'key'"}),
        ("assert 1 == 2", {"kind": "AssertionError", "finding": "AssertionError"}),
    ],
)
def test_points_are_the_value_of_the_last_line(court, line, verdict):
    found = court({}, {"cell": f"print('seen')\n{line}"}).verdict("cell", points=2)
    assert found == verdict | {"printed": "seen\n", "flags": {}}


def test_checks_share_what_they_define_and_see_each_answer_as_it_is_then(court):
    names = {"double": lambda x: 2 * x}
    opened = court(names, {"first": LIGHT, "second": "checks.award(1, check_small, double)"})
    assert opened.verdict("first")["points"] == 2
    names["double"] = lambda x: x
    assert opened.verdict("second")["finding"] == "21 is not the right number, which is 42"
    del names["double"]
    assert "double is not defined" in opened.verdict("first")["finding"]


def test_names_of_a_students_break_nothing(court):
    names = dict.fromkeys(("checks", "check_small", "sum", "len", "_space", "print"), 5)
    names["double"] = lambda x: 2 * x
    assert court(names, {"cell": LIGHT}).verdict("cell")["points"] == 2


def test_the_setup_is_run_where_a_check_needs_it(court):
    opened = court({"number": 7}, {"cell": "assert number == 3\n1.0"}, setup="number = 3")
    assert opened.verdict("cell")["points"] == 1


def test_a_check_that_looks_inside_from_outside_says_how_old_it_is(court):
    old = "checks.award(1, lambda build: list(build().parameters()), build)"
    opened = court({"build": lambda: SimpleNamespace()}, {"cell": f"{LIGHT[:32]}\n{old}"})
    assert "release the exercise again" in opened.verdict("cell")["finding"]


def test_inputs_are_drawn_anew_and_the_same_draw_is_the_same(court):
    seen = []
    cell = "from course_utils import checks\nnote(checks.random_tensor(2, seed=3).tolist())\n1.0"
    names = {"note": seen.append}
    for draw in (1, 2, 1):
        court(names, {"cell": cell}).verdict("cell", draw=draw)
    assert seen[0] == seen[2] != seen[1]


HOSTILE = {
    "rubbish": "no JSON",
    "nothing": "{}",
    "unknown type": '{"value": {"tensor": {"dtype": "load", "shape": [1], "requires_grad": 0}}}',
    "too many numbers": '{"value": {"tensor": {"dtype": "float32", "shape": [9999999, 9999999], '
    '"bytes": "", "requires_grad": false}}}',
    "deep": '{"value": ' + '{"list": [' * 9999 + "]}" * 9999 + "}",
    "a list": "[1]",
    "unhashable": '{"value": {"dict": [[{"list": []}, 1]]}}',
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
def test_a_kernel_that_answers_rubbish_gets_nothing_and_the_judge_goes_on(court, reply):
    opened = court({"double": lambda x: 2 * x}, {"cell": LIGHT})
    right, opened.answer = opened.answer, lambda text: reply
    assert "points" not in opened.verdict("cell")
    opened.answer = right
    assert opened.verdict("cell")["points"] == 2


class Exits(list):
    """An answer that ends Python when it is looked at."""

    def __iter__(self):
        raise SystemExit


def test_an_answer_that_ends_python_when_it_is_looked_at_ends_no_judge(court):
    opened = court({"double": Exits()}, {"cell": LIGHT})
    assert opened.verdict("cell")["kind"] == "SystemExit"


class Claims:
    """An answer that claims to be a type of torch's numbers, of whatever name."""

    __class__ = property(lambda self: torch.dtype)

    def __str__(self):
        return "torch.conv1d"


def test_no_function_of_torch_comes_to_the_judge_in_place_of_an_answer():
    """It would be called there, where nobody sees what runs."""
    kept = []
    encoded = beside.encode(Claims(), lambda value: kept.append(value) or 0)
    assert encoded == {"object": 0, "kind": "Claims"}
    for forged in ({"dtype": "conv1d"}, {"tensor": {"dtype": "conv1d", "shape": []}}):
        with pytest.raises(beside.CheckFailed, match="conv1d, which is not one of torch's"):
            beside.decode(forged, lambda number, kind: None)
    assert beside.decode({"dtype": "float16"}, lambda number, kind: None) is torch.float16


def test_a_judge_that_ends_is_lost_and_another_one_is_made(court):
    opened = court({}, {"cell": "import os\nos._exit(1)"})
    with pytest.raises(JudgeLost):
        opened.verdict("cell")
    assert court({}, {"cell": "1.0"}).verdict("cell")["points"] == 1


def test_a_judge_may_not_compute_for_ever(court):
    with pytest.raises(JudgeLost):
        court({}, {"cell": "while True: pass"}, seconds=1).verdict("cell")


# --- What the sources of checks are held to ----------------------------------------------------


def test_what_a_cell_needs_is_found():
    source = "import a\nfrom b import c\ndef f(x, answer): return g(x) + a.h + answer + len(y)\n"
    source += "f(answer)\nclass K:\n    z = w"
    assert bound_names(source) == {"a", "c", "f", "K"}
    assert free_names(source) == ["answer", "g", "w", "y"]


def test_gatherers_are_what_is_marked_and_what_cells_import():
    cells = [
        "import a\nx = 1\n@checks.beside\ndef f():\n    return 1",
        "def g(): pass\nfrom b import c",
    ]
    assert gatherers(cells) == (
        "import a\n\n@checks.beside\ndef f():\n    return 1\n\nfrom b import c"
    )


@pytest.mark.parametrize("slug", SLUGS)
def test_check_cells_take_no_name_that_a_student_may_want(slug):
    """A student's helper called `run` is not the checks', and theirs is not the student's."""
    for cell in read("solutions", slug):
        if not is_test(cell):
            continue
        for node in ast.parse(cell.source).body:
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            for name in set() if is_import else bound_names(ast.unparse(node)):
                fits = re.fullmatch(r"_\w+|check_\w+|\w+_(is|are)_right|QUESTION", name)
                assert fits, f"{cell.metadata.nbgrader.grade_id} defines {name}"


@pytest.mark.parametrize("slug", SLUGS)
def test_hidden_inputs_are_drawn_by_checks(slug):
    """A seed that stands in the source is the same for every class, and can be looked up."""
    for cell in filter(is_test, read("solutions", slug)):
        assert not re.search(r"manual_seed\((\d|seed)", cell.source)


def test_there_is_a_judge_whatever_became_of_the_process_that_all_share(monkeypatch, tmp_path):
    monkeypatch.setenv(ADDRESS, str(tmp_path / "gone"))
    one = Judge("kim", "", [], 30)
    assert one.asked == {}
    one.end()
    open_bench()
    other = Judge("kim", "", [], 30)
    assert other.asked == {} and Path(os.environ[ADDRESS]).exists()
    other.end()


def test_numbers_are_the_students_where_the_teacher_has_an_id_too(monkeypatch):
    """As on a hub, which gives everybody's programs the name of their user."""
    asked = [("exercises/07_lenet", "after_two_blocks")]
    monkeypatch.delenv(ADDRESS, raising=False)
    expected = quiz.numbers(*asked[0], "kim")
    monkeypatch.setenv("COURSE_STUDENT", "teacher")
    code = "import sys, json\nfrom convnet_grader.judge import Judge\n"
    code += f"print(json.dumps(Judge('kim', '', {asked!r}, 30).asked))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["exercises/07_lenet/after_two_blocks"]["values"] == expected
