"""Look for what is wrong with question banks that read well; `make test` does so, too.

    python tools/review_quiz.py                          # all of them
    python tools/review_quiz.py 09_vgg exercises/09_vgg  # only these

`python -m course_utils.quiz 09_vgg --show` prints a bank with its answers.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from course_utils.quiz import Bank, BankError, load, mark, names, pose
from course_utils.quiz.bank import Item, common_rules
from course_utils.quiz.marking import explain, right_answer, wrong_answers

SOURCES = Path(__file__).resolve().parents[1] / "sources" / "lessons"
SEEDS = range(12)
FEWEST, MOST = 5, 8
ANSWER_LETTERS = re.compile(r"\banswer [A-F]\b", re.IGNORECASE)


def headings(lesson: str) -> list[str]:
    """Return the headings of a lesson's source, in its order."""
    text = (SOURCES / f"{lesson}.py").read_text("utf-8")
    return re.findall(r"^# #{2,3} (.+?)\s*$", text, re.MULTILINE)


def problems(bank: Bank) -> Iterator[str]:
    """Yield what is wrong with a bank that reads well: each with its item.

    Looks at the number of items, the sections, and variants of every item: that numbers are
    found, that marking takes the right answer and names every wrong rule.
    """
    is_lesson = bank.name == bank.lesson
    if is_lesson and not FEWEST <= len(bank.items) <= MOST:
        yield f"{bank.name}: {len(bank.items)} items; {FEWEST} to {MOST} are wanted"
    known = common_rules() if is_lesson else load(bank.lesson).rules
    unused = sorted(set(bank.rules) - set(known) - rules_named(bank))
    if unused:
        yield f"{bank.name}: no item names the rules {', '.join(unused)}"
    sections = headings(bank.lesson)
    for item in bank.items:
        place = f"{bank.name}, item {item.id}"
        if item.section not in sections:
            yield f"{place}: the lesson has no section {item.section!r}; it has {sections}"
        try:
            yield from (f"{place}: {fault}" for fault in faults(bank, item))
        except Exception as error:  # whatever a computation may raise
            yield f"{place}: {type(error).__name__}: {error}"


def rules_named(bank: Bank) -> set[str]:
    """Return the wrong rules of a bank's items, and of the items of its lesson's exercise."""
    both = [bank]
    with suppress(ValueError):  # there is none, or it cannot be read
        both.append(load(f"exercises/{bank.lesson}"))
    return {rule for part in both for item in part.items for rule in item.rules}


def faults(bank: Bank, item: Item) -> Iterator[str]:
    """Yield what is wrong with one item."""
    texts = [item.question, item.explanation, *(o.why for o in item.options)]
    if any(ANSWER_LETTERS.search(text) for text in texts):
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


def check(name: str) -> list[str]:
    """Return all that is wrong with one bank; [] if nothing is."""
    try:
        return list(problems(load(name)))
    except BankError as error:
        return [str(error)]


def main() -> None:
    """Check banks; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description="Look for what is wrong with question banks.")
    parser.add_argument("names", nargs="*", help="such as 09_vgg; default: all")
    found = {name: check(name) for name in parser.parse_args().names or names()}
    for name, sentences in found.items():
        print(f"{name}: {'; '.join(sentences) or 'nothing wrong found'}")
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    main()
