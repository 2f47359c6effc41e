"""From an item and a seed to the question that one learner sees.

Everything is drawn from a hash of the seed, the item and the name of what is drawn, so that a
student's machine and the grader's draw the same with any version of Python and torch. No answer
is kept: it is computed when a learner answers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from course_utils import facts
from course_utils.quiz.answer import Value, compute
from course_utils.quiz.bank import Bank, Item, Option, fill, written

__all__ = ["NOBODY", "SEED", "Question", "is_close", "pose", "slack"]

SEED = "lesson"
"""In a lesson, everybody sees the same first variant, so that a class can discuss it."""

NOBODY = "nobody"
"""Whom an exercise's numbers are drawn for if no student is named."""

_TRIES = 400
_TRIES_FOR_DIFFERENT = 40
_MOST_OPTIONS = 5


@dataclass(frozen=True)
class Question:
    """An item of a bank with the values of its variables drawn.

    Attributes:
        text: The question, with its numbers filled in.
        options: The options, in the order shown.
    """

    bank: Bank
    item: Item
    values: Mapping[str, Any]
    text: str
    options: tuple[Option, ...]

    @property
    def answer(self) -> Value:
        """The right answer, computed now; only for items with a computation."""
        return compute(self.item.computation, **self.values).right

    @property
    def slips(self) -> dict[str, Value]:
        """What each wrong rule gives, computed now: id -> answer."""
        return _slips(self.item, self.values)

    @property
    def lettered(self) -> dict[str, Option]:
        """The letter of each option -> the option."""
        return dict(zip("ABCDEF", self.options, strict=False))

    def filled(self, text: str, **more: Any) -> str:
        """Fill this question's numbers into a text of its item."""
        return fill(text, {**self.values, **more})


def pose(bank: Bank, item: Item, seed: str | int) -> Question:
    """Draw the numbers of an item and shuffle its options.

    With these numbers, each wrong rule gives a wrong answer. The same seed gives the same question;
    in a graded exercise, the seed is the student's id.

    Raises:
        ValueError: There are no numbers for which all wrong rules give wrong answers.
    """
    key = f"{seed}|{bank.name}|{item.id}"
    values = _draw(item, key)
    options = _options(item, values)
    order = sorted(range(len(options)), key=lambda index: _hashed(key, "order", index))
    text = item.question
    if not text:
        text = f"A slide says: “{facts.trap(item.trap).claim}” What is wrong with that?"
    shuffled = tuple(options[index] for index in order)
    return Question(bank, item, values, fill(text, values), shuffled)


def is_close(item: Item, given: Value, wanted: Value) -> bool:
    """Return whether a number is within an item's tolerance, or anything else is equal."""
    if isinstance(given, int | float) and isinstance(wanted, int | float):
        return abs(given - wanted) <= slack(item, wanted)
    return given == wanted


def slack(item: Item, wanted: float) -> float:
    """Return how far from a number an answer may be."""
    return max(item.tolerance, abs(wanted) * item.tolerance_percent / 100, 1e-9 * abs(wanted))


def _hashed(*parts: object) -> int:
    text = "|".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8])


def _draw(item: Item, key: str) -> dict[str, Any]:
    """Draw numbers for which every slip is wrong and, if found soon enough, all slips differ."""
    if not item.computation:
        return {}
    fitting: dict[str, Any] | None = None
    for attempt in range(_TRIES):
        values = {
            name: choices[_hashed(key, attempt, name) % len(choices)]
            for name, choices in item.choices.items()
        }
        reason = _unfit(item, values)
        if not reason and len(set((slips := _slips(item, values)).values())) == len(slips):
            return values
        fitting = fitting or (None if reason else values)
        if fitting is not None and attempt >= _TRIES_FOR_DIFFERENT:
            return fitting
    raise ValueError(f"item {item.id}: no numbers fit. The last, {values}: {reason}")


def _unfit(item: Item, values: Mapping[str, Any]) -> str:
    """Return why these numbers make no question, or ""."""
    try:
        right, slips = compute(item.computation, **values).right, _slips(item, values)
    except ValueError as error:
        return str(error)
    same = [rule for rule, wrong in slips.items() if is_close(item, wrong, right)]
    if same:
        return f"{', '.join(same)} gives the right answer"
    few = item.kind == "single" and len(set(slips.values())) < 2
    return "there are fewer than two wrong answers" if few else ""


def _slips(item: Item, values: Mapping[str, Any]) -> dict[str, Value]:
    found = compute(item.computation, **values).slips
    return {rule: found[rule] for rule in item.wrong or found if rule in found}


def _options(item: Item, values: Mapping[str, Any]) -> list[Option]:
    if item.kind != "single" or not item.computation:
        return [replace(option, text=fill(option.text, {})) for option in item.options]
    made = {written(compute(item.computation, **values).right): Option("", right=True)}
    for rule, answer in _slips(item, values).items():
        made.setdefault(written(answer), Option("", rule=rule))
    options = [replace(option, text=text) for text, option in made.items()]
    return options[:_MOST_OPTIONS]
