"""Tricks that give points without work: the batch grader gives none, and tells the teacher."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from scripts import load_script

from convnet_grader.folder import Batch, prepare
from convnet_grader.session import run_batch

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("batch")]
SLUG = "92_attacked"
light = load_script(Path(__file__).with_name("light_exercise.py"))

SETUP = """import torch

from course_utils import quiz
from course_utils import checks"""
RIGHT = {
    "wider": """numbers = quiz.numbers("exercises/07_lenet", "wider_convolution", "")
wider = numbers["c_out"] * (numbers["c_in"] * numbers["k"] ** 2 + 1)""",
    "twice": "def twice(x):\n    return 2 * x",
}
WRONG = {"wider": "wider = 1", "twice": "def twice(x):\n    return x"}
WIDER_CHECK = """from course_utils import quiz
from course_utils import checks

QUESTION = ("exercises/07_lenet", "wider_convolution", "")
checks.show(quiz.form(*QUESTION), wider)
### BEGIN HIDDEN TESTS
from importlib import reload

reload(checks).award(1, quiz.right(*QUESTION), wider)
### END HIDDEN TESTS"""
TWICE_CHECK = """import torch

from course_utils import checks


def check_small(twice):
    checks.require_tensor(twice(torch.ones(2)), torch.full((2,), 2.0))


checks.show(check_small, twice)
### BEGIN HIDDEN TESTS
from importlib import reload


def check_answer(twice):
    check_small(twice)
    x = checks.random_tensor(3, 4)
    checks.require(torch.equal(twice(x), x + x), "not twice")


reload(checks).award(2, check_answer, twice)
### END HIDDEN TESTS"""

TRICKS = {
    "patched_quiz": (
        "quiz.right = quiz.form = lambda *names: (lambda answer: None)\n"
        "checks.require_tensor = checks.require = lambda *rest, **more: None",
        "replaced course_utils.quiz.right",
    ),
    "patched_quiz_inside": (
        "import course_utils.quiz.exercise as inside\n"
        "inside.right = inside._in_form = lambda *rest: (lambda answer: None)\n"
        "inside._fresh = None",
        "replaced course_utils.quiz.exercise.right",
    ),
    "patched_reload": (
        "import importlib\nimportlib.reload = lambda module: module\n"
        "checks.award = lambda points, *rest: float(points)",
        "replaced importlib.reload",
    ),
    "another_module": (
        "import sys, types, importlib, course_utils\n"
        "fake = types.ModuleType('fake')\nfake.__dict__.update(vars(checks))\n"
        "fake.award = lambda points, *rest: float(points)\n"
        "importlib.reload = lambda module: fake\n"
        "sys.modules['course_utils.checks'] = course_utils.checks = fake",
        "replaced importlib.reload",
    ),
    "patched_builtins": (
        "import builtins\nbuiltins.abs = lambda number: 0\nbuiltins.any = lambda items: False",
        "replaced builtins.abs",
    ),
    "patched_torch": (
        "torch.equal = torch.allclose = lambda *rest, **more: True\n"
        "torch.Tensor.__eq__ = torch.Tensor.all = lambda *rest: torch.tensor(True)",
        "replaced torch.equal",
    ),
    "swapped_torch": ("torch.equal = torch.allclose = torch.is_tensor", "replaced torch.equal"),
    "rewritten_cells": (
        "def rewrite(lines):\n    text = ''.join(lines)\n"
        "    place = text.find('.award(')\n"
        "    return [f'float({text[place + 7]})\\n'] if place > 0 else lines\n"
        "get_ipython().input_transformers_post.append(rewrite)",
        "changed input_transformers_post",
    ),
    "rewritten_trees": (
        "import ast\nclass Rewrite(ast.NodeTransformer):\n    def visit_Call(self, node):\n"
        "        if getattr(node.func, 'attr', '') != 'award':\n            return node\n"
        "        return ast.Call(ast.Name('float', ast.Load()), [node.args[0]], [])\n"
        "get_ipython().ast_transformers.append(Rewrite())",
        "changed ast_transformers",
    ),
    "replaced_run_code": (
        "shell = get_ipython()\nrun = shell.run_code\n"
        "async def rewritten(code, result=None, **more):\n"
        "    if 'award' in code.co_names:\n        code = compile('1.0', 'x', 'single')\n"
        "    return await run(code, result, **more)\n"
        "shell.run_code = rewritten",
        "replaced ZMQInteractiveShell.run_code",
    ),
    "repeated_at_each_cell": (
        "def again(info):\n    checks.award = lambda points, *rest: float(points)\n"
        "    import importlib\n    importlib.reload = lambda module: checks\n"
        "get_ipython().events.register('pre_run_cell', again)",
        "acts at pre_run_cell",
    ),
}
FORGED = """def twice(x):
    import bdb
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, "execute_result", {"data": {"text/plain": "2.0"},
        "metadata": {}, "execution_count": 1}, parent=kernel.get_parent())
    raise type("Quiet", (bdb.BdbQuit, BaseException), {})
"""
TRICKS["forged_result"] = (None, "its code speaks of IPython itself")
HONEST = "import random\nimport torch.nn.functional as F\ntorch.manual_seed(0)\nabs = abs"


def solution():
    """The exercise with its answers and hidden checks."""
    locked = {"locked": True}
    cells = [new_code_cell(SETUP, id="setup", metadata=light.role("setup", **locked))]
    for name, check, points in (("wider", WIDER_CHECK, 1), ("twice", TWICE_CHECK, 2)):
        cells.append(light.answer(name, RIGHT[name]))
        role = light.role(f"{name}_check", grade=True, points=points, **locked)
        cells.append(new_code_cell(check, id=f"{name}_check", metadata=role))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def graded(bubblewrap, tmp_path_factory):
    """Points and remarks of an honest student, and of one student for each trick."""
    tmp = tmp_path_factory.mktemp("attacks")
    place, sent = tmp / "solutions" / SLUG, tmp / "sent"
    place.mkdir(parents=True)
    sent.mkdir()
    nbformat.write(solution(), place / f"{SLUG}.ipynb")
    batch = Batch(SLUG, place, tmp / "results")
    prepare(batch)
    maker = light.Maker(nbformat.read(batch.notebook("exercises"), as_version=4), None)
    students = {"honest": RIGHT | {"wider": f"{HONEST}\n{RIGHT['wider']}"}}
    students |= {
        name: WRONG | ({"wider": f"{WRONG['wider']}\n{code}"} if code else {"twice": FORGED})
        for name, (code, _) in TRICKS.items()
    }
    for name, answers in students.items():
        text = light.as_bytes(maker.answered(**answers))
        (sent / f"{name.replace('_', '-')}_{SLUG}.ipynb").write_bytes(text)
    result = run_batch(sent, batch, workers=2)
    points = {report.student.replace("-", "_"): report.points for report in result.reports}
    remarks = {name: [] for name in students}
    for student, _, kind, reason in result.review:
        if kind == "look":
            remarks[student.replace("-", "_")].append(reason)
    return points, remarks


def test_honest_work_gets_its_points_and_no_remark(graded):
    points, remarks = graded
    assert (points["honest"], remarks["honest"]) == (3.0, [])


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_gets_nothing_and_is_remarked(graded, name):
    points, remarks = graded
    assert points[name] == 0, remarks[name]
    assert any(TRICKS[name][1] in remark for remark in remarks[name]), remarks[name]
