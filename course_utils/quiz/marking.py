"""Marking an answer: right or not, and by which wrong rule."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils import facts
from course_utils.quiz.bank import show
from course_utils.quiz.computation import Value
from course_utils.quiz.variants import Question, is_close


class NoAnswer(ValueError):
    """What was given is no answer to this kind of question; the sentence says what is."""


@dataclass(frozen=True)
class Verdict:
    """What marking found.

    Attributes:
        right: whether the answer is right.
        rules: ids of the wrong rules that lead to it; () if right, or if none is known to.
        sentences: what to tell the learner, one a paragraph.
    """

    right: bool
    rules: tuple[str, ...]
    sentences: tuple[str, ...]


def mark(question: Question, answer: Any) -> Verdict:
    """Mark an answer; the right one is computed here.

    Args:
        question: as the learner saw it.
        answer: by kind: the text of an option (single, mistake), a collection of texts (multiple),
            all texts in order (order), a number or what was typed for it, a tuple or what was
            typed for it (shape).

    Raises:
        NoAnswer: it is no answer to this kind of question, such as letters for a number.
    """
    return _MARKERS[question.item.kind](question, answer)


def explain(question: Question) -> str:
    """Return why the right answer is right; it may hold the answer."""
    more = {"answer": question.answer} if question.item.computation else {}
    text = question.filled(question.item.explanation, **more)
    trap = question.item.trap
    return f"{text}\n\nThe ledger: {facts.trap(trap).right}" if trap else text


def solution(question: Question) -> str:
    """Return the right answer, as a reader would write it."""
    item = question.item
    if item.computation:
        return f"{show(question.answer)} {item.unit}".strip()
    if item.kind == "order":
        return " → ".join(question.filled(step) for step in item.steps)
    return "; ".join(option.text for option in question.options if option.right)


def where(question: Question, rule: str) -> str:
    """Return the sentence of a wrong rule."""
    return f"That comes out where {question.bank.rules[rule]}."


def rules_in(text: str, rules: Mapping[str, str]) -> list[str]:
    """Return the ids of the wrong rules that a text speaks of, such as a grader's feedback.

    Args:
        text: holds sentences of `mark`.
        rules: id -> sentence, as `Bank.rules` has them.
    """
    return [rule for rule, sentence in rules.items() if f"where {sentence}." in text]


_RIGHT = Verdict(True, (), ("Right.",))


# --- By kind -----------------------------------------------------------------------------------


def _mark_single(question: Question, answer: Any) -> Verdict:
    by_text = {option.text: option for option in question.options}
    if not isinstance(answer, str) or answer not in by_text:
        raise NoAnswer("choose one of the answers")
    option = by_text[answer]
    if option.right:
        return _RIGHT
    return Verdict(False, (option.rule,), _of(where(question, option.rule), option.why))


def _mark_multiple(question: Question, answer: Any) -> Verdict:
    texts = [option.text for option in question.options]
    if isinstance(answer, str) or not set(answer) <= set(texts):
        raise NoAnswer("choose among the statements")
    if not answer:
        raise NoAnswer("choose at least one: at least one is right")
    missed = [option for option in question.options if (option.text in answer) != option.right]
    if not missed:
        return _RIGHT
    count = f"{len(texts) - len(missed)} of {len(texts)} are judged rightly."
    sentences = [_misjudged(question, letter_of(texts, o.text), o.rule, o.why) for o in missed]
    return Verdict(False, tuple(dict.fromkeys(o.rule for o in missed)), (count, *sentences))


def letter_of(texts: Sequence[str], text: str) -> str:
    """Return the letter that stands before an option: A for the first."""
    return "ABCDEF"[list(texts).index(text)]


def _misjudged(question: Question, letter: str, rule: str, why: str) -> str:
    return " ".join(_of(f"{letter} is misjudged where {question.bank.rules[rule]}.", why))


def _mark_order(question: Question, answer: Any) -> Verdict:
    steps = [question.filled(step) for step in question.item.steps]
    if isinstance(answer, str) or sorted(answer) != sorted(steps):
        raise NoAnswer("put every step into the order once")
    place = {text: position for position, text in enumerate(answer)}
    broken = [
        slip
        for slip in question.item.slips
        if place[steps[slip.step - 1]] < place[steps[slip.before - 1]]
    ]
    if not broken:
        return _RIGHT
    rules = tuple(dict.fromkeys(slip.rule for slip in broken))
    return Verdict(False, rules, tuple(where(question, rule) for rule in rules))


def _mark_computed(question: Question, answer: Any) -> Verdict:
    item = question.item
    given = read_shape(answer) if item.kind == "shape" else read_number(answer, item.unit)
    right = question.answer
    if isinstance(given, tuple) and isinstance(right, tuple) and len(given) != len(right):
        raise NoAnswer(f"answer with {len(right)} sizes: {item.form or 'see the question'}")
    if is_close(item, given, right):
        return _RIGHT
    rules = [rule for rule, wrong in question.slips.items() if is_close(item, given, wrong)]
    if rules:
        return Verdict(False, (rules[0],), (where(question, rules[0]),))
    unknown = f"{show(given)} is not right, and no slip that we know of leads to it."
    return Verdict(False, (), _of(unknown, question.filled(item.hint)))


def _of(*sentences: str) -> tuple[str, ...]:
    return tuple(sentence for sentence in sentences if sentence)


_MARKERS = {
    "single": _mark_single,
    "mistake": _mark_single,
    "multiple": _mark_multiple,
    "order": _mark_order,
    "number": _mark_computed,
    "shape": _mark_computed,
}


# --- What was typed ----------------------------------------------------------------------------


def read_number(answer: Any, unit: str = "") -> Value:
    """Return a number from what was typed: 61706, 61,706, 1e-3, 1/9, -0.5, 55 pixels.

    Args:
        answer: a number, or a text.
        unit: may stand behind it.

    Raises:
        NoAnswer: it is no number.
    """
    if type(answer) in (int, float):
        return answer
    text = str(answer).strip().replace("−", "-").removesuffix(unit).strip() if answer else ""
    if re.fullmatch(r"[-+]?\d{1,3}([,\u2009 ]\d{3})+(\.\d+)?", text):
        text = re.sub(r"[,\u2009 ]", "", text)
    top, slash, bottom = text.partition("/")
    try:
        value = float(top) / float(bottom) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise NoAnswer("answer with a number, such as 61706 or 0.25")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def read_shape(answer: Any) -> tuple[int, ...]:
    """Return a shape from what was typed: (16, 5, 5) or 16 x 5 x 5.

    Raises:
        NoAnswer: it is no shape.
    """
    if isinstance(answer, tuple | list) and all(type(size) is int for size in answer):
        return tuple(answer)
    text = re.sub(r"[x×,()\[\]]", " ", answer) if isinstance(answer, str) else ""
    if not re.fullmatch(r"\s*\d+(\s+\d+)*\s*", text):
        raise NoAnswer("answer with sizes, such as (16, 5, 5)")
    return tuple(int(size) for size in text.split())
