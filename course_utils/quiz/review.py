"""What an author runs over a bank, and what the tests run over all of them."""

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from course_utils.quiz.bank import Bank, BankError, Item, load, names
from course_utils.quiz.marking import explain, mark, solution, where
from course_utils.quiz.variants import Question, pose

SOURCES = Path(__file__).resolve().parents[2] / "sources" / "lessons"
SEEDS = range(12)
FEWEST, MOST = 5, 8
_ANSWER_LETTERS = re.compile(r"\banswer [A-F]\b", re.IGNORECASE)


def readable() -> list[Bank]:
    """Return the banks that can be read; `check` says what is wrong with the others."""
    found = []
    for name in names():
        with suppress(BankError):
            found.append(load(name))
    return found


def headings(lesson: str) -> list[str]:
    """Return the headings of a lesson's source, in its order.

    Args:
        lesson: its slug.

    Raises:
        ValueError: there is no such source; the package alone does not have them.
    """
    path = SOURCES / f"{lesson}.py"
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {SOURCES}")
    return re.findall(r"^# #{2,3} (.+?)\s*$", path.read_text("utf-8"), re.MULTILINE)


def problems(bank: Bank) -> Iterator[str]:
    """Yield what is wrong with a bank that reads well: each with its item.

    Looks at the number of items, the sections, and variants of every item: that numbers are
    found, that marking takes the right answer and names every wrong rule.
    """
    is_lesson = bank.name == bank.lesson
    if is_lesson and not FEWEST <= len(bank.items) <= MOST:
        yield f"{bank.name}: {len(bank.items)} items; {FEWEST} to {MOST} are wanted"
    unused = sorted(set(bank.own) - _rules_named(bank))
    if unused:
        yield f"{bank.name}: no item names the rules {', '.join(unused)}"
    known = headings(bank.lesson)
    for item in bank.items:
        place = f"{bank.name}, item {item.id}"
        if item.section not in known:
            yield f"{place}: the lesson has no section {item.section!r}; it has {known}"
        try:
            yield from (f"{place}: {fault}" for fault in _faults(bank, item))
        except Exception as error:  # whatever a computation may raise
            yield f"{place}: {type(error).__name__}: {error}"


def _rules_named(bank: Bank) -> set[str]:
    """Wrong rules of a bank's items, and of the items of its lesson's exercise."""
    exercise = f"exercises/{bank.lesson}"
    both = [bank, *(other for other in readable() if other.name == exercise)]
    return {rule for part in both for item in part.items for rule in item.rules}


def _faults(bank: Bank, item: Item) -> Iterator[str]:
    texts = [item.question, item.explanation, item.hint, *(o.why for o in item.options)]
    if any(_ANSWER_LETTERS.search(text) for text in texts):
        yield "a text names an answer by its letter, but the answers are shuffled"
    recognised: set[str] = set()
    for seed in SEEDS:
        question = pose(bank, item, seed)
        explain(question)
        if not mark(question, right_answer(question)).right:
            yield f"seed {seed}: the right answer {right_answer(question)!r} is marked wrong"
        for rule, answer in wrong_answers(question):
            verdict = mark(question, answer)
            if verdict.right:
                yield f"seed {seed}: {answer!r}, by the wrong rule {rule}, is marked right"
            recognised |= set(verdict.rules)
    silent = set(item.rules) - recognised
    if silent:
        yield f"the wrong rules {sorted(silent)} are never recognised: another gives the same"


def right_answer(question: Question) -> object:
    """Return a right answer in the form that `mark` takes."""
    item = question.item
    if item.kind in ("number", "shape"):
        return question.answer
    if item.kind == "order":
        return [question.filled(step) for step in item.steps]
    right = [option.text for option in question.options if option.right]
    return right if item.kind == "multiple" else right[0]


def wrong_answers(question: Question) -> Iterator[tuple[str, object]]:
    """Yield each wrong rule with an answer that it leads to."""
    item = question.item
    if item.kind in ("number", "shape"):
        yield from question.slips.items()
    elif item.kind == "order":
        yield from _wrong_orders(question)
    elif item.kind == "multiple":
        right = [option.text for option in question.options if option.right]
        for option in question.options:
            flipped = {*right} ^ {option.text}
            if flipped:
                yield option.rule, sorted(flipped)
    else:
        yield from ((option.rule, option.text) for option in question.options if not option.right)


def _wrong_orders(question: Question) -> Iterator[tuple[str, object]]:
    steps = [question.filled(step) for step in question.item.steps]
    for slip in question.item.slips:
        order = list(steps)
        order.insert(slip.before - 1, order.pop(slip.step - 1))
        yield slip.rule, order


def report(bank: Bank, seed: str | int) -> Iterator[str]:
    """Yield the lines of a bank for its author's eye: questions, answers, feedback."""
    for number, item in enumerate(bank.items, 1):
        question = pose(bank, item, seed)
        yield f"\n{number}. [{item.kind}] {item.id}  ({item.section})\n   {question.text}"
        if item.kind == "order":
            orders = itertools.permutations(question.filled(step) for step in item.steps)
            count = sum(mark(question, order).right for order in orders)
            yield f"   ({count} orders are right)"
        for option in question.options:
            yield f"   {'*' if option.right else '-'} {option.text}"
        yield f"   ANSWER {solution(question)}\n   BECAUSE {explain(question)}"
        for rule, answer in wrong_answers(question):
            yield f"   {answer} -> {rule}: {where(question, rule)}"


def check(name: str) -> list[str]:
    """Return all that is wrong with one bank; [] if nothing is."""
    try:
        return list(problems(load(name)))
    except (BankError, ValueError) as error:
        return [str(error)]
