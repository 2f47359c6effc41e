"""What a submission's code speaks of, and an answer does not need."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from convnet_grader.integrity import suspicions

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
    ],
)
def test_code_that_looks_behind_the_scenes_is_named(code, what):
    assert spoken_of(code) == [f"its code speaks of {what}"]
