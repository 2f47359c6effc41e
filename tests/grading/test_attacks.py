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
    "slide": "def slide(x, w):\n    return x.unfold(0, len(w), 1) @ w",
}
BY_TORCH = """import torch.nn.functional as F
def slide(x, w):
    return F.conv1d(x[None, None], w[None, None])[0, 0]"""
WRONG = {"wider": "wider = 1", "twice": "def twice(x):\n    return x", "slide": BY_TORCH}
WIDER_CHECK = """from course_utils import quiz
from course_utils import checks

QUESTION = ("exercises/07_lenet", "wider_convolution", "")
checks.show(quiz.form(*QUESTION), wider)
### BEGIN HIDDEN TESTS
checks.award(1, quiz.right(*QUESTION), wider)
### END HIDDEN TESTS"""
TWICE_CHECK = """import torch

from course_utils import checks


def check_small(twice):
    checks.require_tensor(twice(torch.ones(2)), torch.full((2,), 2.0))


checks.show(check_small, twice)
### BEGIN HIDDEN TESTS


def check_answer(twice):
    check_small(twice)
    x = checks.random_tensor(3, 4)
    checks.require(torch.equal(twice(x), x + x), "not twice")


checks.award(2, check_answer, twice)
### END HIDDEN TESTS"""
SLIDE_CHECK = """import torch

from course_utils import checks


@checks.beside
def _gradient(slide, x, w):
    leaf = x.clone().requires_grad_()
    slide(leaf, w).sum().backward()
    return leaf.grad


def check_slide(slide, x=torch.arange(4.0), w=torch.tensor([1.0, 2.0])):
    with checks.without("conv1d"):
        checks.require_tensor(slide(x, w), x.unfold(0, len(w), 1) @ w)
        gradient = _gradient(slide, x, w)
    checks.require(torch.allclose(gradient.sum(), w.sum() * (len(x) - len(w) + 1)), "no gradient")


slide_is_right = checks.show(check_slide, slide)
### BEGIN HIDDEN TESTS
def check_answer(slide):
    check_slide(slide, checks.random_tensor(9, seed=1), checks.random_tensor(3, seed=2))


checks.award(1, check_answer, slide)
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
        "its code mentions IPython itself",
    ),
    "rewritten_trees": (
        "import ast\nclass Rewrite(ast.NodeTransformer):\n    def visit_Call(self, node):\n"
        "        if getattr(node.func, 'attr', '') != 'award':\n            return node\n"
        "        return ast.Call(ast.Name('float', ast.Load()), [node.args[0]], [])\n"
        "get_ipython().ast_transformers.append(Rewrite())",
        "its code mentions IPython itself",
    ),
    "replaced_run_code": (
        "shell = get_ipython()\nrun = shell.run_code\n"
        "async def rewritten(code, result=None, **more):\n"
        "    if 'award' in code.co_names:\n        code = compile('1.0', 'x', 'single')\n"
        "    return await run(code, result, **more)\n"
        "shell.run_code = rewritten",
        "its code mentions IPython itself",
    ),
    "repeated_at_each_cell": (
        "def again(info):\n    checks.award = lambda points, *rest: float(points)\n"
        "    import importlib\n    importlib.reload = lambda module: checks\n"
        "get_ipython().events.register('pre_run_cell', again)",
        "its code mentions IPython itself",
    ),
}
TRICKS |= {
    "patched_checks": (
        "checks.award = lambda points, *rest: float(points)\n"
        "checks._finding = checks._isolated = checks.require = lambda *rest: None",
        "replaced course_utils.checks.award",
    ),
    "no_import": ("def __import__(*rest): raise ImportError", "its code mentions how modules are"),
    "no_runpy": (
        "import runpy\nrunpy.run_path = lambda path: {'look': lambda *rest: []}",
        "replaced runpy.run_path",
    ),
    "import_hook": (
        "import sys\nclass Finder:\n    def find_spec(self, *rest): return None\n"
        "sys.meta_path.insert(0, Finder())",
        "changed how modules are found",
    ),
    "profiling": ("exec('import sy' + 's; sys.setpro' + 'file(print)')", "sets a profile function"),
    "auditing": (
        "exec('import sy' + 's; sys.addaudit' + 'hook(lambda *event: None)')",
        "adds an audit hook",
    ),
    "another_id": (
        "import os\nos.environ['COURSE_STUDENT'] = 'nobody'\n"
        "wider = quiz.numbers('exercises/07_lenet', 'wider_convolution', 'nobody')['c_out']",
        "its code mentions the student's id",
    ),
    "asked_the_quiz": (
        "from course_utils.quiz import solution\n"
        "wider = solution('exercises/07_lenet', 'wider_convolution', '')",
        "its code mentions the quiz's own answers",
    ),
    "asked_in_disguise": (
        "wider = getattr(quiz, 'solu' + 'tion')('exercises/07_lenet', 'wider_convolution', '')",
        "asks the quiz for its own answers",
    ),
    "read_the_answers": (
        "from pathlib import Path\nplace = Path(checks.__file__).parent / 'quiz' / 'banks'\n"
        "found = [file.read_bytes() for file in place.rglob('*') if 'answers' in file.name]\n"
        "wider = 1 if any(found) else wider",
        "asks the quiz for its own answers",
    ),
    "redefined_helper": ("def check_small(twice): pass", "its code defines check_small, as the"),
    # Against this way of grading: what carries questions and answers, and what watches operators.
    "forged_answers": (
        "kernel = get_ipython().kernel\n"
        "def forged(stream, ident, parent):\n"
        '    reply = \'{"value": 2, "points": 2, "verdict": {"points": 2}, "ran": []}\'\n'
        "    kernel.session.send(stream, 'judge_reply', {'reply': reply}, parent, ident=ident)\n"
        "kernel.shell_handlers['judge_request'] = forged",
        "its code mentions how its answers are called",
    ),
    "patched_codec": (
        "from course_utils import beside\n"
        "class Same(dict):\n    __eq__ = lambda *rest: True\n"
        "beside.encode = lambda value, keep: Same(object=0, kind='Tensor')\n"
        "beside.Answerer._call = lambda *rest: {'value': None, 'ran': []}",
        "replaced course_utils.beside.encode",
    ),
    "blinded": (
        "from torch.autograd import profiler\n"
        "profiler.profile.__exit__ = profiler.profile.__enter__ = lambda self, *rest: self\n"
        "profiler.profile.kineto_results = type('Empty', (), {'events': list})()",
        "replaced torch.autograd.profiler.profile.__enter__",
    ),
}
TRICKS |= {
    "other_code": (
        "inside = checks.place_of.__globals__['_watched']\n"
        "def quiet(call, ran): return call()\nsetattr(inside, '__co' + 'de__', quiet.__code__)",
        "rewrote course_utils.beside._watched",
    ),
    "other_closure": (
        "checks.gradients_of.__closure__[0].cell_contents = print",
        "rewrote course_utils.checks.gradients_of",
    ),
    "empty_closure": (
        "del checks.gradients_of.__closure__[0].cell_contents",
        "rewrote course_utils.checks.gradients_of",
    ),
}
EXCHANGED = """def twice(x):
    before = torch.allclose, torch.equal
    torch.allclose = torch.equal = lambda *rest, **more: True
    try:
        return x
    finally:
        torch.allclose, torch.equal = before
"""
SCRIPTED = """import torch
@torch.jit.script
def slide(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.convolution(x[None, None], w[None, None], None, [1], [0], [1], False, [0], 1)[0, 0]
"""
STOPPED = """from torch.autograd import _disable_profiler
from torch.autograd.profiler import profile
from torch._C._profiler import _ExperimentalConfig
def slide(x, w):
    _disable_profiler()
    found = torch.nn.functional.conv1d(x[None, None], w[None, None])[0, 0]
    profile(experimental_config=_ExperimentalConfig(profile_all_threads=True)).__enter__()
    return found
"""
FORKED = """import os
def slide(x, w):
    reading, writing = os.pipe()
    if os.fork() == 0:
        found = torch.nn.functional.conv1d(x[None, None], w[None, None])[0, 0]
        os.write(writing, repr(found.tolist()).encode())
        os._exit(0)
    return torch.tensor(eval(os.read(reading, 9999)))
"""
FORGED = """def twice(x):
    import bdb
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, "execute_result", {"data": {"text/plain": "2.0"},
        "metadata": {}, "execution_count": 1}, parent=kernel.get_parent())
    raise type("Quiet", (bdb.BdbQuit, BaseException), {})
"""
BESIDES = {
    "forged_result": ({"twice": FORGED}, "its code mentions IPython itself"),
    "exchanged": ({"twice": EXCHANGED}, "its code replaces torch.allclose"),
    "scripted": ({"slide": SCRIPTED}, None),
    "stopped": ({"slide": STOPPED}, "its code mentions what sees torch's operators run"),
}
TRICKS |= {name: (None, remark) for name, (_, remark) in BESIDES.items()}
HONEST = "import random\nimport torch.nn.functional as F\ntorch.manual_seed(0)\nabs = abs"
HONEST += "\ntorch.set_default_dtype(torch.float64)"

CHECKS = (("wider", WIDER_CHECK, 1), ("twice", TWICE_CHECK, 2), ("slide", SLIDE_CHECK, 1))


def solution():
    """The exercise with its answers and hidden checks."""
    locked = {"locked": True}
    cells = [new_code_cell(SETUP, id="setup", metadata=light.role("setup", **locked))]
    for name, check, points in CHECKS:
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
    students["imports"] = RIGHT | {
        "setup": f"{SETUP}\nimport numpy as np",
        "twice": "def twice(x):\n    return np.asarray(2 * x)",
    }
    students["forked"] = WRONG | {"slide": FORKED}
    students |= {
        name: WRONG | ({"wider": f"{WRONG['wider']}\n{code}"} if code else BESIDES[name][0])
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


def test_an_import_in_the_setup_is_kept_and_the_teacher_is_told(graded):
    points, remarks = graded
    assert points["imports"] == 4.0
    assert remarks["imports"] == ["setup was changed: both versions run, ours first"]


def test_honest_work_gets_its_points_and_no_remark(graded):
    points, remarks = graded
    assert (points["honest"], remarks["honest"]) == (4.0, [])


def test_what_another_process_computed_is_remarked(graded):
    """Which operators run there, nothing can tell."""
    assert any("starts another process" in each for each in graded[1]["forked"])


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_gets_nothing_and_is_remarked(graded, name):
    points, remarks = graded
    assert points[name] == 0, remarks[name]
    wanted = TRICKS[name][1]
    assert wanted is None or any(wanted in each for each in remarks[name]), remarks[name]
