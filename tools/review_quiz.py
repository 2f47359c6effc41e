"""Find what is wrong with question banks that can be read; `make test` does so, too.

    python tools/review_quiz.py                          # all of them
    python tools/review_quiz.py 09_vgg exercises/09_vgg  # only these
    python tools/review_quiz.py --show 09_vgg            # print them instead

It prints answers and feedback, too; `--seed 7` prints another variant.
"""

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice, product
from pathlib import Path

from course_utils.quiz import Bank, load, mark, names, pose
from course_utils.quiz.answer import Answer, compute
from course_utils.quiz.bank import Item, common_rules, fill
from course_utils.quiz.marking import (
    answer_in_words,
    explain,
    right_answer,
    where,
    wrong_answers,
)
from course_utils.quiz.render import as_text, how_to_answer

SOURCES = Path(__file__).resolve().parents[1] / "sources" / "lessons"
SEEDS = range(12)
FEWEST, MOST = 5, 8
MOST_NUMBERS_TRIED = 1000
EVERY = {"id", "kind", "section", "question", "explanation"}
DRAWN = {"computation", "variables", "wrong"}
FIELDS = {
    "single": EVERY | DRAWN | {"options", "trap"},
    "multiple": EVERY | {"options"},
    "number": EVERY | DRAWN | {"unit", "tolerance", "tolerance_percent"},
    "shape": EVERY | DRAWN | {"form"},
}
"""The fields that an item of each kind may have."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
ANSWER_LETTERS = re.compile(r"\banswer [A-F]\b", re.IGNORECASE)


def headings(lesson: str) -> list[str]:
    """Return the headings of a lesson's source, in its order."""
    text = (SOURCES / f"{lesson}.py").read_text("utf-8")
    return re.findall(r"^# #{2,3} (.+?)\s*$", text, re.MULTILINE)


def problems(bank: Bank) -> Iterator[str]:
    """Yield what is wrong with a bank that can be read, each with its item.

    Looks at the number of items, the rules, the sections, what an item of its kind needs, and
    variants of every item: that numbers are found, that marking accepts the right answer and names
    every wrong rule.
    """
    is_lesson = bank.name == bank.lesson
    if is_lesson and not FEWEST <= len(bank.items) <= MOST:
        yield f"{bank.name}: {len(bank.items)} items, should have {FEWEST} to {MOST}"
    known = common_rules() if is_lesson else load(bank.lesson).rules
    yield from (f"{bank.name}: {fault}" for fault in faults_of_rules(bank, known))
    unused = sorted(set(bank.rules) - set(known) - rules_named(bank))
    if unused:
        yield f"{bank.name}: no item names the rules {', '.join(unused)}"
    sections = headings(bank.lesson)
    for item in bank.items:
        place = f"{bank.name}, item {item.id}"
        if item.section not in sections:
            yield f"{place}: the lesson has no section {item.section!r}; it has {sections}"
        if sum(item.id == other.id for other in bank.items) > 1:
            yield f"{place}: another item of this bank has the same id"
        try:
            found = list(misfits(bank, item))
            yield from (f"{place}: {fault}" for fault in found or faults(bank, item))
        except Exception as error:  # whatever a computation may raise
            yield f"{place}: {type(error).__name__}: {error}"


def rules_named(bank: Bank) -> set[str]:
    """Return the wrong rules of a bank's items, and of the items of its lesson's exercise."""
    both = [bank]
    with suppress(ValueError):  # there is none, or it cannot be read
        both.append(load(f"exercises/{bank.lesson}"))
    return {rule for part in both for item in part.items for rule in rules_of(item)}


def rules_of(item: Item) -> tuple[str, ...]:
    """Return the wrong rules that an item can recognise."""
    if item.computation:
        return item.wrong or known_to_computation(item)
    return tuple(option.rule for option in item.options if option.rule)


def known_to_computation(item: Item) -> tuple[str, ...]:
    """Return the wrong rules that a computation knows, from the first numbers that make sense."""
    numbers = product(*item.choices.values())
    for values in islice(numbers, MOST_NUMBERS_TRIED):
        with suppress(Exception):  # `faults` says what it is
            return compute(item.computation, **dict(zip(item.choices, values, strict=True))).rules
    return ()


def faults_of_rules(bank: Bank, known: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the names and the sentences of a bank's rules."""
    for rule, sentence in bank.rules.items():
        if not NAME.fullmatch(rule):
            yield f"rule {rule!r}: use lower_case_words"
        if len(sentence) < 12 or sentence[-1] in ".!?":
            yield f"rule {rule}: needs a clause after 'you get this if ...', without a full stop"
        if known.get(rule, sentence) != sentence:
            yield f"rule {rule} is there already, for every bank or from the lesson's: use that"


def misfits(bank: Bank, item: Item) -> Iterator[str]:
    """Yield what an item of its kind needs but lacks, or has but cannot use."""
    if not NAME.fullmatch(item.id):
        yield "id must be lower_case_words"
    blank = [name for name in ("section", "explanation") if not getattr(item, name).strip()]
    if not (item.question.strip() or (item.trap and not item.question)):
        blank.append("question")
    yield from (f"{name} is missing" for name in blank)
    given = {name for name in item.__struct_fields__ if getattr(item, name)}
    yield from (f"a {item.kind} item has no field {name}" for name in given - FIELDS[item.kind])
    if min(item.tolerance, item.tolerance_percent) < 0:
        yield "tolerance must be a number of at least 0"
    computed = item.computation or item.kind in ("number", "shape")
    yield from (misfits_of_numbers if computed else misfits_of_options)(item)
    for rule in rules_of(item):
        if rule not in bank.rules:
            yield (
                f"wrong rule {rule!r} has no sentence: add it to [rules] of this bank, "
                "or to shared/rules.toml if other lessons need it"
            )


def misfits_of_options(item: Item) -> Iterator[str]:
    """Yield what is wrong with the options of an item that has no numbers."""
    several = item.kind == "multiple"
    fewest = 3 if several else 2
    if not fewest <= len(item.options) <= 6:
        yield f"needs {fewest} to 6 options"
    right = sum(option.right for option in item.options)
    if not right:
        yield "needs a right option"
    if right > 1 and not several:
        yield "has more than one right option: make its kind multiple"
    for option in item.options:
        if not option.text.strip():
            yield "an option has no text"
        if not option.rule and (several or not option.right):
            yield f"option {option.text!r} names no wrong rule by which it is misjudged"
    if len({option.text for option in item.options}) < len(item.options):
        yield "has the same answer twice"


def misfits_of_numbers(item: Item) -> Iterator[str]:
    """Yield what is wrong between a drawn item and its computation."""
    if not item.computation:
        yield "needs a computation, such as computation = 'shared.output_size'"
        return
    if item.options:
        yield "has both options and a computation: the computation makes them"
    folder, _, name = item.computation.rpartition(".")
    module = importlib.import_module(f"course_utils.quiz.banks.{folder}.answers")
    signature = inspect.signature(getattr(module, name))
    if signature.return_annotation is not Answer:
        yield f"{item.computation} does not return an Answer"
    taken, there = set(signature.parameters), set(item.variables)
    if taken != there:
        yield f"has the variables {sorted(there)}, but its computation takes {sorted(taken)}"
    yield from (f"variable {name} has no value" for name, some in item.choices.items() if not some)
    known = known_to_computation(item)
    if not known:
        yield "no values of its variables make sense together"
    yield from (f"its computation has no wrong rule {r}" for r in item.wrong if r not in known)
    if len(item.wrong or known) < 2:
        yield "its computation needs at least two wrong rules"


def faults(bank: Bank, item: Item) -> Iterator[str]:
    """Yield what is wrong with one item."""
    texts = [item.question, item.explanation, *(o.why for o in item.options)]
    if any(ANSWER_LETTERS.search(text) for text in texts):
        yield "a text refers to an answer by its letter, but the answers are shuffled"
    for option in item.options:
        fill(option.why, {})
    recognised: set[str] = set()
    for seed in SEEDS:
        question = pose(bank, item, seed)
        explain(question)  # which fills in the numbers, as the next line does
        how_to_answer(question)
        if not mark(question, right_answer(question)).right:
            yield f"seed {seed}: the right answer {right_answer(question)!r} is marked wrong"
        for rule, answer in wrong_answers(question):
            verdict = mark(question, answer)
            if verdict.right:
                yield f"seed {seed}: {answer!r}, by the wrong rule {rule}, is marked right"
            recognised |= set(verdict.rules)
    silent = set(rules_of(item)) - recognised
    if silent:
        yield f"the wrong rules {sorted(silent)} are never recognised: another gives the same"


def check(name: str) -> list[str]:
    """Return all that is wrong with one bank; [] if nothing is."""
    try:
        return list(problems(load(name)))
    except ValueError as error:
        return [str(error)]


def report(bank: Bank, seed: str) -> Iterator[str]:
    """Yield the lines of a bank: each question, what is right, and what a wrong rule gives."""
    yield f"\n{bank.name}"
    for number, item in enumerate(bank.items, 1):
        question = pose(bank, item, seed)
        yield "\n" + as_text(question, number)
        yield f"   {item.id}, of kind {item.kind}; read {item.section!r}"
        yield f"   ANSWER {answer_in_words(question)}\n   BECAUSE {explain(question)}"
        for rule, wrong in wrong_answers(question):
            yield f"   {wrong} -> {rule}: {where(question, rule)}"


def main() -> None:
    """Print banks, or check them and exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description="Find what is wrong with question banks.")
    known = names()
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(known)}"
    )
    parser.add_argument("--show", action="store_true", help="print them with their answers instead")
    parser.add_argument("--seed", default="lesson", help="which variant; default: the lesson's")
    options = parser.parse_args()
    if options.show:
        for name in options.names or known:
            print(*report(load(name), options.seed), sep="\n")
        return
    found = {name: check(name) for name in options.names or known}
    for name, sentences in found.items():
        print(f"{name}: {'; '.join(sentences) or 'nothing wrong found'}")
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    main()
