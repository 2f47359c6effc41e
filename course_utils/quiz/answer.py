"""What answers an item: the right answer, and what each wrong rule gives in its place.

A bank names a function that stands in the `answers.py` beside it, so that no answer stands in the
bank itself:

    def output_size(n: int, k: int, s: int, p: int) -> Answer:
        return Answer(
            arithmetic.output_size(n, k, s, p),
            no_floor=(n + 2 * p - k) / s + 1,
            padding_one_side=arithmetic.output_size(n + p, k, s),
        )
"""

import importlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

__all__ = ["Answer", "Computation", "Value", "compute", "find"]

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


Computation = Callable[..., Answer]
"""A function of an item's variables. It raises `ValueError` for numbers that make no sense together
(a kernel larger than the image, say): others are drawn then."""


@lru_cache(maxsize=4096)  # some build a whole net, and a question asks more than once
def compute(computation: Computation, **values: Any) -> Answer:
    """Return the answer for the values of the variables."""
    return computation(**values)


def find(name: str, folder: str) -> Computation:
    """Return the function that a bank names.

    Args:
        name: Of a function in the bank's own folder, or one of all banks: `shared.conv_shape`.
        folder: Of the bank, such as `13_resnet`.

    Raises:
        ValueError: There is no such function; the message says where it should stand.
    """
    place, _, function = name.rpartition(".")
    place = place or folder
    try:
        module = importlib.import_module(f"course_utils.quiz.banks.{place}.answers")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"computation = {name!r}: there is no quiz/banks/{place}/answers.py"
        ) from error
    found = getattr(module, function, None)
    if not callable(found) or inspect.signature(found).return_annotation is not Answer:
        raise ValueError(
            f"computation = {name!r}: quiz/banks/{place}/answers.py has no function {function!r} "
            "that returns an Answer"
        )
    return found
