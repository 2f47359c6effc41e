"""What answers an item: the right answer, and what each wrong rule gives instead.

A bank names a function in the `answers.py` beside it, so that the bank itself holds no answer:

    def output_size(n: int, k: int, s: int, p: int) -> Answer:
        return Answer(
            arithmetic.output_size(n, k, s, p),
            no_floor=(n + 2 * p - k) / s + 1,
            padding_one_side=arithmetic.output_size(n + p, k, s),
        )

It raises `ValueError` for numbers that make no sense together, such as a kernel larger than the
image; then others are drawn.
"""

import importlib
from functools import lru_cache
from typing import Any

__all__ = ["Answer", "Value", "compute"]

Value = int | float | str | tuple[int, ...]
"""The possible types of an item's answer."""


class Answer:
    """The answer to an item whose numbers are drawn.

    Attributes:
        right: The right answer.
        rules: Ids of all the wrong rules, in their order.
        slips: Id of a wrong rule -> what it gives, without those that give None.
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
