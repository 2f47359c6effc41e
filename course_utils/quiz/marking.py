"""Marking an answer: right or not, and by which wrong rule."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from course_utils import facts
from course_utils.quiz.answer import Value
from course_utils.quiz.bank import Kind, written
from course_utils.quiz.variants import Question, is_close

__all__ = [
    "NoAnswer",
    "Verdict",
    "answer_in_words",
    "explain",
    "mark",
    "read_number",
    "read_shape",
    "right_answer",
    "where",
    "wrong_answers",
]


class NoAnswer(ValueError):
    """The input is not an answer to this kind of question; the sentence says what would be."""


@dataclass(frozen=True)
class Verdict:
    """What marking found.

    Attributes:
        right: Whether the answer is right.
        rules: Ids of the wrong rules behind it; () if it is right, or none is known.
        sentences: What to tell the learner, one per paragraph.
    """

    right: bool
    rules: tuple[str, ...]
    sentences: tuple[str, ...]


def mark(question: Question, answer: Any) -> Verdict:
    """Mark an answer; the right one is computed here.

    Args:
        question: As the learner saw it.
        answer: By kind: the text of an option (single), a collection of texts (multiple), a
            number or what was typed for it, a tuple or what was typed for it (shape).

    Raises:
        NoAnswer: It is not an answer to this kind of question, such as letters for a number.
    """
    return _MARKERS[question.item.kind](question, answer)


def right_answer(question: Question) -> Any:
    """Return a right answer in the form that `mark` takes."""
    if question.item.kind in ("number", "shape"):
        return question.answer
    right = [option.text for option in question.options if option.right]
    return right if question.item.kind == "multiple" else right[0]


def wrong_answers(question: Question) -> Iterator[tuple[str, Any]]:
    """Yield each wrong rule with an answer that it gives, in the form that `mark` takes."""
    if question.item.kind in ("number", "shape"):
        yield from question.slips.items()
    elif question.item.kind == "multiple":
        for option in question.options:
            flipped = {*right_answer(question)} ^ {option.text}
            if flipped:
                yield option.rule, sorted(flipped)
    else:
        yield from ((option.rule, option.text) for option in question.options if not option.right)


def explain(question: Question) -> str:
    """Return why the right answer is right; it may hold the answer."""
    more = {"answer": question.answer} if question.item.computation else {}
    text = question.filled(question.item.explanation, **more)
    trap = question.item.trap
    return f"{text}\n\nCorrect: {facts.trap(trap).right}" if trap else text


def answer_in_words(question: Question) -> str:
    """Return the right answer as a reader would write it."""
    if question.item.computation:
        return f"{written(question.answer)} {question.item.unit}".strip()
    return "; ".join(option.text for option in question.options if option.right)


def where(question: Question, rule: str) -> str:
    """Return the sentence of a wrong rule."""
    return f"You get this if {question.bank.rules[rule]}."


_RIGHT = Verdict(True, (), ("Right.",))


# --- By kind -----------------------------------------------------------------------------------


def _mark_single(question: Question, answer: Any) -> Verdict:
    by_text = {option.text: option for option in question.options}
    if not isinstance(answer, str) or answer not in by_text:
        raise NoAnswer("choose one of the answers")
    option = by_text[answer]
    if option.right:
        return _RIGHT
    sentences = (where(question, option.rule), option.why)
    return Verdict(False, (option.rule,), tuple(filter(None, sentences)))


def _mark_multiple(question: Question, answer: Any) -> Verdict:
    options, rules = question.lettered, question.bank.rules
    if isinstance(answer, str) or not set(answer) <= {option.text for option in question.options}:
        raise NoAnswer("choose from the statements")
    if not answer:
        raise NoAnswer("choose at least one statement: at least one is right")
    missed = {a: option for a, option in options.items() if (option.text in answer) != option.right}
    if not missed:
        return _RIGHT
    count = f"You judge {len(options) - len(missed)} of {len(options)} correctly."
    sentences = [
        f"You misjudge {letter} if {rules[option.rule]}. {option.why}".strip()
        for letter, option in missed.items()
    ]
    found = tuple(dict.fromkeys(option.rule for option in missed.values()))
    return Verdict(False, found, (count, *sentences))


def _mark_computed(question: Question, answer: Any) -> Verdict:
    item, right = question.item, question.answer
    if item.kind == "shape":
        given: Value = read_shape(answer)
    else:
        given = read_number(answer, item.unit, whole=isinstance(right, int))
    if isinstance(given, tuple) and isinstance(right, tuple) and len(given) != len(right):
        raise NoAnswer(f"answer with {len(right)} sizes: {item.form or 'see the question'}")
    if is_close(item, given, right):
        return _RIGHT
    rules = [rule for rule, wrong in question.slips.items() if is_close(item, given, wrong)]
    if rules:
        return Verdict(False, (rules[0],), (where(question, rules[0]),))
    unknown = f"{written(given)} is not right, and comes from no slip that we know."
    return Verdict(False, (), (unknown,))


_MARKERS: dict[Kind, Callable[[Question, Any], Verdict]] = {
    "single": _mark_single,
    "multiple": _mark_multiple,
    "number": _mark_computed,
    "shape": _mark_computed,
}


# --- What was typed ----------------------------------------------------------------------------

_GAP = "[ \u00a0\u2009\u202f'’]"
_GROUPS = r"[-+]?[1-9]\d{0,2}(?:SEPARATOR\d{3})"
_GAPPED = re.compile(_GROUPS.replace("SEPARATOR", _GAP) + r"+(?:[.,]\d+)?")  # 61 706,5
_ENGLISH = re.compile(_GROUPS.replace("SEPARATOR", ",") + r"+(?:\.\d+)?")  # 61,706.5
_DOTTED = _GROUPS.replace("SEPARATOR", r"\.")
_COMMA = re.compile(rf"(?:[-+]?\d*|{_DOTTED}+),\d+(?:[eE][-+]?\d+)?|{_DOTTED}{{2,}}")  # 61.706,5


def read_number(answer: Any, unit: str = "", *, whole: bool = False) -> int | float:
    """Return the number that was typed: 61706, 61,706, 61 706, 1e-3, 1/9, -0.5, 0,5, 55 pixels.

    A point is a decimal point. A comma separates thousands or is a decimal comma, whichever is
    possible; `1,250` could be both, so it is refused unless only a whole number makes sense.

    Args:
        answer: A number, or a text.
        unit: A unit that may follow.
        whole: Whether only a whole number makes sense.

    Raises:
        NoAnswer: It is not a number, or could be either of two.
    """
    if type(answer) in (int, float):
        return answer
    text = str(answer).strip().replace("−", "-").removesuffix(unit).strip() if answer else ""
    top, slash, bottom = (_in_python(part.strip(), whole) for part in text.partition("/"))
    try:
        value = float(top) / float(bottom) if slash else float(top)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise NoAnswer("answer with a number, such as 61706 or 0.25")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _in_python(text: str, whole: bool) -> str:
    """Write a number as Python does, if it is one: 61706.5 for 61,706.5 and for 61.706,5."""
    if _GAPPED.fullmatch(text):
        text = re.sub(_GAP, "", text)
    english, comma = _ENGLISH.fullmatch(text), _COMMA.fullmatch(text)
    if english and comma and not whole:
        plain, point = text.replace(",", ""), text.replace(",", ".")
        raise NoAnswer(f"{text} can be read as {plain} or as {point}: write one of the two")
    if english:
        return text.replace(",", "")
    return text.replace(".", "").replace(",", ".") if comma else text


def read_shape(answer: Any) -> tuple[int, ...]:
    """Return the shape that was typed: (16, 5, 5) or 16 x 5 x 5.

    Raises:
        NoAnswer: It is not a shape.
    """
    if isinstance(answer, tuple | list) and all(type(size) is int for size in answer):
        return tuple(answer)
    text = re.sub(r"[x×,()\[\]]", " ", answer) if isinstance(answer, str) else ""
    if not re.fullmatch(r"\s*\d+(\s+\d+)*\s*", text):
        raise NoAnswer("answer with sizes, such as (16, 5, 5)")
    return tuple(int(size) for size in text.split())
