"""What a person should look at: code that needs no such words, and answers in the wrong place."""

from copy import deepcopy

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from convnet_grader.integrity import misplaced, suspicions

HONEST = """numbers = quiz.numbers("exercises/07_lenet", "wider_convolution", student_id)
quiz.ask("exercises/07_lenet", "wider_convolution", student_id)
gcd = 1  # of all built-in functions
"""


def spoken_of(code):
    released = new_notebook(cells=[new_code_cell("get_ipython()")])
    return suspicions(released, new_notebook(cells=[*released.cells, new_code_cell(code)]))


def test_an_honest_answer_and_the_exercise_itself_are_not_suspected():
    assert spoken_of(HONEST) == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ('answer = quiz.solution("a", "b", "")', "the quiz's own answers"),
        ("from course_utils.quiz.banks.shared import answers", "the quiz's own answers"),
        ("sys._getframe(1).f_globals", "the frames of the checks"),
        ("import builtins", "how modules are loaded"),
        ("checks.award = print", "the function that gives points"),
        ("with torch._C.DisableTorchFunction(): pass", "what sees torch's operators run"),
        ("from torch.autograd import _disable_profiler", "what sees torch's operators run"),
        ("from course_utils.models import resnet", "ready-made models"),
        ("from torchvision import models, transforms", "ready-made models"),
        ("from multiprocessing import Process", "other programs"),
    ],
)
def test_code_that_looks_behind_the_scenes_is_named(code, what):
    assert spoken_of(code) == [f"its code mentions {what}"]


OPEN = "YOUR ANSWER HERE"
SAID = "Because a stride of two halves the map."


def role(name, **extra):
    base = {"grade": True, "solution": True, "locked": False, "points": 1}
    return {"nbgrader": base | {"grade_id": name} | extra}


def released():
    return new_notebook(
        cells=[
            new_markdown_cell("Why is that so?", id="task"),
            new_markdown_cell(OPEN, id="why", metadata=role("why")),
            new_code_cell("float(1)", id="test", metadata=role("test", solution=False)),
        ]
    )


def without_ids(notebook):
    """As a program leaves a notebook that knows neither nbgrader nor ids of cells."""
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = {}, f"new{number}"
    return notebook


def answered_in(cell):
    def make(notebook):
        notebook.cells.insert(2, cell)

    return make


def stripped(notebook):
    without_ids(notebook).cells[1].source = SAID


def below_the_question(notebook):
    notebook.cells[0].source = SAID


def instead(notebook):
    notebook.cells[1] = new_markdown_cell(SAID)


@pytest.mark.parametrize(
    "change",
    [
        answered_in(new_markdown_cell(SAID)),
        answered_in(new_raw_cell(SAID)),
        answered_in(new_code_cell(SAID)),
        answered_in(new_code_cell(f"# {SAID}")),
        answered_in(new_code_cell(f'"""{SAID}"""')),
        below_the_question,
        instead,
        stripped,
    ],
    ids=["new", "raw", "code", "comment", "string", "above", "instead", "no ids"],
)
def test_an_answer_in_another_place_is_named_to_the_teacher(change):
    """Cells that nbgrader does not know have nowhere to be marked: jupyter/nbgrader#1546."""
    notebook = released()
    change(notebook)
    [remark] = misplaced(released(), notebook)
    assert remark.startswith("why is unanswered, but a cell that the student added says")
    assert "Because" in remark


def in_place(notebook):
    notebook.cells[1].source = SAID
    notebook.cells.append(new_markdown_cell("A note to myself."))


def in_place_without_ids(notebook):
    in_place(notebook)
    for cell in notebook.cells:
        cell.id = f"new-{cell.id}"  # nbgrader's own name is still there


def experiments(notebook):
    notebook.cells += [new_code_cell("x = 1\nprint(x)"), new_markdown_cell("  \n")]


@pytest.mark.parametrize("change", [in_place, in_place_without_ids, experiments, without_ids])
def test_who_answers_in_place_or_only_tries_things_is_not_named(change):
    notebook = released()
    change(notebook)
    assert misplaced(released(), notebook) == []


def test_of_two_questions_the_open_one_is_named():
    """Two cells are told apart although they were handed out with the same text."""
    ours = released()
    ours.cells.append(new_markdown_cell(OPEN, id="how", metadata=role("how")))
    theirs = deepcopy(ours)
    theirs.cells[1].source = SAID
    theirs.cells[-1].source = ""
    theirs.cells.append(new_markdown_cell("It is so, since the padding is one."))
    [remark] = misplaced(ours, theirs)
    assert remark.startswith("how is unanswered") and "'It is so, si" in remark
