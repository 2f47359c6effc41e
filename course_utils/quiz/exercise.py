"""Bank items in graded exercises: every student has numbers of their own.

An exercise shows an item with `ask`, checks the form of an answer with `form` and `checks.show`,
and awards points with `right` and `checks.award` in a hidden check.

The seed is the student's id. In grading, the grader gives it in the environment variable
COURSE_STUDENT with which the kernel starts; the id in the notebook is for showing the questions at
home.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from course_utils import checks
from course_utils.quiz import bank as banks
from course_utils.quiz import render, variants
from course_utils.quiz.marking import mark, right_answer
from course_utils.quiz.variants import NOBODY

__all__ = [
    "VARIABLE",
    "ask",
    "form",
    "generator",
    "numbers",
    "question",
    "right",
    "solution",
    "student",
]

VARIABLE = "COURSE_STUDENT"
_STARTED_WITH = Path("/proc/self/environ")


def student(claimed: object = None) -> str:
    """Return the id that questions are drawn with.

    Args:
        claimed: The id in the notebook.

    Returns:
        The grader's id, if there is one; else the notebook's; else "nobody".
    """
    granted = _started_with().get(VARIABLE) or os.environ.get(VARIABLE)
    name = granted or (claimed if isinstance(claimed, str) else "")
    return name.strip() or NOBODY


def _started_with() -> dict[str, str]:
    """Return the environment that the process started with, before code could change it (Linux)."""
    try:
        raw = _STARTED_WITH.read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in raw.split("\0") if "=" in entry)


def generator(student_id: object = None) -> torch.Generator:
    """Return a generator for a task's own variant: the same numbers for one student each time.

    Args:
        student_id: What the notebook says; what the grader says counts, see `student`.
    """
    return torch.Generator().manual_seed(checks.seed_of(student(student_id)))


def question(bank: str, item: str, student_id: object = None) -> variants.Question:
    """Draw an item for a student, given the names of bank and item and the notebook's id."""
    found = banks.load(bank)
    return variants.pose(found, found.item(item), student(student_id))


def ask(bank: str, item: str, student_id: object = None) -> None:
    """Show an item with the student's own numbers, in a notebook or a terminal."""
    from IPython.display import display

    posed = question(bank, item, student_id)
    number = 1 + posed.bank.items.index(posed.item)
    text, html = render.as_text(posed, number), render.as_html(posed, number)
    display({"text/plain": text, "text/html": html}, raw=True)


def numbers(bank: str, item: str, student_id: object = None) -> dict[str, Any]:
    """Return the numbers of a student's question, for a solution that fits every student."""
    return dict(question(bank, item, student_id).values)


def solution(bank: str, item: str, student_id: object = None) -> Any:
    """Return a right answer in the form that `right` takes, for the solution of an exercise."""
    posed = question(bank, item, student_id)
    if not posed.options:
        return right_answer(posed)
    letters = [letter for letter, option in posed.lettered.items() if option.right]
    return set(letters) if posed.item.kind == "multiple" else letters[0]


def form(bank: str, item: str, student_id: object = None) -> Callable[[Any], Any]:
    """Return a check of an answer's form alone, for `checks.show`."""
    posed = question(bank, item, student_id)
    return lambda answer: _in_form(posed, answer)


def right(bank: str, item: str, student_id: object = None) -> Callable[[Any], None]:
    """Return the check of an answer, for `checks.award` in a hidden test.

    It computes the answer again, for the student that the grader names. A wrong answer that comes
    from a wrong rule is rejected in the words of that rule.
    """

    def check_answer(answer: Any) -> None:
        posed = question(bank, item, student_id)
        verdict = mark(posed, _in_form(posed, answer))
        checks.require(verdict.right, " ".join(verdict.sentences))

    return check_answer


def _in_form(posed: Any, answer: Any) -> Any:
    """Return an answer in the form that `mark` takes, or reject its form."""
    kind = posed.item.kind
    if kind == "shape":
        return checks.as_shape(answer, len(posed.answer))
    if kind == "number":
        if answer is None or answer is ...:
            raise checks.NotAnswered
        is_number = type(answer) in (int, float)
        checks.require(is_number, f"answer with a number such as 55, not with {answer!r}")
        return answer
    letters = "".join(posed.lettered)
    if kind == "multiple":
        chosen = checks.as_letters(answer, letters)
        checks.require(len(chosen) > 0, "choose at least one letter: at least one is right")
        return {posed.lettered[letter].text for letter in chosen}
    return posed.lettered[checks.as_letter(answer, letters)].text
