"""What answers an item: the right answer, and what each wrong rule gives in its place.

A bank names a function that stands in the `answers.py` beside it, so that no answer stands in the
bank itself:

    def output_size(n: int, k: int, s: int, p: int) -> Answer:
        return Answer(
            arithmetic.output_size(n, k, s, p),
            no_floor=(n + 2 * p - k) / s + 1,
            padding_one_side=arithmetic.output_size(n + p, k, s),
        )

It raises `ValueError` for numbers that make no sense together (a kernel larger than the image,
say): others are drawn then.
"""

import importlib
from functools import lru_cache
from typing import Any

__all__ = ["Answer", "Value", "compute"]

Value = int | float | str | tuple[int, ...]
"""What an item's answer can be."""


class Answer:
    """The answer to an item whose numbers are drawn.

    Attributes:
        right: The right answer.
        rules: Ids of all the wrong rules, in their order.
        slips: Id of a wrong rule -> what it gives; without those that give None.
    """

    def __init__(self, right: Value, **slips: Value | None) -> None:
        self.right, self.rules = right, tuple(slips)
        self.slips = {rule: value for rule, value in slips.items() if value is not None}


@lru_cache(maxsize=4096)  # some build a whole net, and a question asks more than once
def compute(name: str, **values: Any) -> Answer:
    """Return the answer for the values of the variables.

    Args:
        name: Folder and function of the computation, such as `shared.conv_shape`.
        **values: What the function takes.
    """
    folder, _, function = name.rpartition(".")
    module = importlib.import_module(f"course_utils.quiz.banks.{folder}.answers")
    return getattr(module, function)(**values)
