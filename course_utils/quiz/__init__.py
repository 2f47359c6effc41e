"""Pop quizzes: question banks, variants by seed, marking that names the slip, and the widget.

In a lesson, `quiz.show("04_stride_padding_pooling")` asks the items of its bank. An exercise asks
them with each student's own numbers: see `course_utils.quiz.exercise`. How to write a bank
is in `README.md` beside this file.
"""

from course_utils.quiz.bank import Bank, load, names, parse
from course_utils.quiz.exercise import (
    ask,
    form,
    generator,
    numbers,
    question,
    right,
    solution,
    student,
)
from course_utils.quiz.marking import NoAnswer, mark
from course_utils.quiz.render import stored_form
from course_utils.quiz.variants import Question, pose

__all__ = [
    "Bank",
    "NoAnswer",
    "Question",
    "ask",
    "form",
    "generator",
    "load",
    "mark",
    "names",
    "numbers",
    "parse",
    "pose",
    "question",
    "right",
    "show",
    "solution",
    "stored_form",
    "student",
]


def show(name: str) -> None:
    """Ask the quiz of a lesson in JupyterLab; elsewhere, list its questions.

    Answers are remembered, see `course_utils.quiz.memory`.

    Args:
        name: Name of its bank, such as `04_stride_padding_pooling`.

    Raises:
        ValueError: There is no such bank.
    """
    from IPython.display import display

    from course_utils.quiz.widget import QuizWidget  # anywidget is not needed to grade

    display(QuizWidget(name))
