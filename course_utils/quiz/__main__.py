"""Print the questions of lessons and exercises, with or without their answers."""

import argparse
from collections.abc import Iterator

from course_utils.quiz import Bank, load, names, pose
from course_utils.quiz.marking import answer_in_words, explain, where, wrong_answers
from course_utils.quiz.render import as_text


def report(bank: Bank, seed: str | int, *, answers: bool) -> Iterator[str]:
    """Yield the lines of a bank; with `answers` also what is right, and what a wrong rule gives."""
    for number, item in enumerate(bank.items, 1):
        question = pose(bank, item, seed)
        yield "\n" + as_text(question, number)
        if answers:
            yield f"   {item.id}, of kind {item.kind}; read {item.section!r}"
            yield f"   ANSWER {answer_in_words(question)}\n   BECAUSE {explain(question)}"
            for rule, wrong in wrong_answers(question):
                yield f"   {wrong} -> {rule}: {where(question, rule)}"


def main() -> None:
    """Print the banks that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.quiz", description=__doc__)
    known = names()
    parser.add_argument(
        "names", nargs="+", choices=known, metavar="NAME", help=f"one of: {', '.join(known)}"
    )
    parser.add_argument("--show", action="store_true", help="print the answers, too")
    parser.add_argument("--seed", default="lesson", help="which variant; default: the lesson's")
    options = parser.parse_args()
    for name in options.names:
        print(f"\n{name}", *report(load(name), options.seed, answers=options.show), sep="\n")


if __name__ == "__main__":
    main()
