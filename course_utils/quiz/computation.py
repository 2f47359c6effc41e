"""A computation: the right answer of an item, and what each wrong rule would give instead.

The functions live in ``computations/``, one module a lesson. A bank names them, so that no answer
stands in it::

    @computation(
        no_floor=lambda n, k, s, p: (n + 2 * p - k) / s + 1,
        padding_one_side=lambda n, k, s, p: (n + p - k) // s + 1,
    )
    def output_size(n: int, k: int, s: int, p: int) -> int:
        return arithmetic.output_size(n, k, s, p)
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Value = int | float | str | tuple[int, ...]
"""What an item's answer can be."""

Rule = Callable[..., Value | None]

PACKAGE = "course_utils.quiz.computations"


@dataclass(frozen=True)
class Computation:
    """A function of the variables of an item, and functions of the same variables for each slip.

    Attributes:
        right: gives the right answer. Raises ``ValueError`` for numbers that make no sense
            together (a kernel larger than the picture, say): others are drawn then.
        wrong: id of a wrong rule -> what it gives, or None where it makes no sense.
    """

    right: Callable[..., Value]
    wrong: Mapping[str, Rule]

    def __call__(self, **variables: Any) -> Value:
        """Return the right answer."""
        return _computed(self.right, tuple(variables.items()))

    def slip(self, rule: str, **variables: Any) -> Value | None:
        """Return what a wrong rule gives."""
        return _computed(self.wrong[rule], tuple(variables.items()))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that the function takes."""
        return tuple(inspect.signature(self.right).parameters)


@lru_cache(maxsize=4096)  # some build a whole net, and a question asks more than once
def _computed(function: Callable[..., Any], variables: tuple[tuple[str, Any], ...]) -> Any:
    return function(**dict(variables))


def computation(**wrong: Rule) -> Callable[[Callable[..., Value]], Computation]:
    """Make a function the computation of an item.

    Args:
        wrong: id of a wrong rule -> a function of the same variables.
    """
    return lambda right: Computation(right, wrong)


def find(name: str) -> Computation:
    """Return the computation that a bank names.

    Args:
        name: module and function, such as ``shared.conv_shape``.

    Raises:
        ValueError: there is no such function; the message says where it should stand.
    """
    module_name, _, function = name.partition(".")
    try:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"computation = {name!r}: there is no module computations/{module_name}.py"
        ) from error
    found = getattr(module, function, None)
    if not isinstance(found, Computation):
        raise ValueError(
            f"computation = {name!r}: computations/{module_name}.py has no function {function!r} "
            "that is decorated with @computation(...)"
        )
    return found
