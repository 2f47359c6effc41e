"""Pop quizzes: question banks, variants by seed, marking that names the slip, and the widget.

In a lesson, ``quiz.show("04_stride_padding_pooling")`` asks the items of its bank. An exercise asks
them with numbers that each student has alone: see `course_utils.quiz.exercise`. How to write a bank
is in ``README.md`` beside this file.
"""

from course_utils.quiz.bank import Bank, BankError, Item, load, names, parse
from course_utils.quiz.exercise import (
    NOBODY,
    ask,
    form,
    numbers,
    question,
    right,
    solution,
    student,
)
from course_utils.quiz.marking import NoAnswer, Verdict, mark, rules_in
from course_utils.quiz.render import list_as_html, list_as_text
from course_utils.quiz.variants import SEED, Question, pose, pose_all

__all__ = [
    "Bank",
    "BankError",
    "Item",
    "NoAnswer",
    "Question",
    "Verdict",
    "ask",
    "form",
    "load",
    "mark",
    "names",
    "numbers",
    "parse",
    "pose",
    "question",
    "right",
    "rules_in",
    "show",
    "solution",
    "stored_form",
    "student",
]


def show(name: str) -> None:
    """Ask the quiz of a lesson, in JupyterLab; elsewhere a list of its questions stands there.

    Answers are remembered, see `course_utils.quiz.memory`.

    Args:
        name: of its bank, such as ``04_stride_padding_pooling``.

    Raises:
        ValueError: there is no such bank.
    """
    from IPython.display import display

    from course_utils.quiz.widget import QuizWidget  # anywidget is not needed to grade

    display(QuizWidget(name))


def stored_form(name: str) -> tuple[str, str]:
    """Return the questions of a bank as a stored notebook shows them: as text and as HTML.

    Args:
        name: of the bank; those of exercises are posed as to a learner without an id.
    """
    bank = load(name)
    questions = pose_all(bank, SEED if bank.name == bank.lesson else NOBODY)
    return list_as_text(questions), list_as_html(questions)
