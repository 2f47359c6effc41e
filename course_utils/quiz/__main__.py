"""Check question banks: ``python -m course_utils.quiz [NAME ...] [--show] [--seed SEED]``.

Without names it checks all of them. ``--show`` prints each item with its answer and the feedback
on each wrong rule.
"""

import argparse

from course_utils.quiz import bank, review


def main() -> int:
    """Check the banks; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.quiz", description=__doc__)
    parser.add_argument("names", nargs="*", help="such as 04_stride_padding_pooling; default: all")
    parser.add_argument("--show", action="store_true", help="print the items with their answers")
    parser.add_argument("--seed", default="lesson", help="which variant --show prints")
    options = parser.parse_args()
    found: list[str] = []
    for name in options.names or bank.names():
        faults = review.check(name)
        if options.show and not faults:
            print(*review.report(bank.load(name), options.seed), sep="\n")
        print(f"{name}: {'; '.join(faults) or 'nothing wrong found'}")
        found += faults
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
