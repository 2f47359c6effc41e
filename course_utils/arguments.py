"""Arguments that a caller may get wrong: each is accepted, or refused with its name and value.

>>> whole("k", 3.5)
Traceback (most recent call last):
ValueError: k = 3.5 is not a whole number: give an integer
"""

import operator
import reprlib
from collections.abc import Sequence
from math import inf, isfinite
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

__all__ = [
    "as_path",
    "flag",
    "instance",
    "listed",
    "number",
    "one_of",
    "positive",
    "share",
    "shown",
    "whole",
]

Option = TypeVar("Option")


def shown(value: Any) -> str:
    """Return a value as text for a sentence: on one line, and cut if it is long."""
    return " ".join(reprlib.repr(value).split())


def whole(name: str, value: Any, least: float = 1, most: float = inf) -> int:
    """Return an argument as a Python integer, which cannot overflow.

    True and 3.0 are refused, since they are usually slips.

    Args:
        name: The argument's name, here and below.
        value: An integer of any kind: Python's, NumPy's, or a tensor that holds a single one.
        least: The smallest value allowed.
        most: The largest value allowed.

    Raises:
        ValueError: The value is anything else, or out of range.
    """
    is_flag = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    try:
        integer = None if is_flag else operator.index(value)
    except (TypeError, RuntimeError):  # RuntimeError: a tensor without a value
        integer = None
    if integer is None:
        raise ValueError(f"{name} = {shown(value)} is not a whole number: give an integer")
    if integer < least:
        raise ValueError(f"{name} = {integer} is too small: it must be at least {least}")
    if integer > most:
        raise ValueError(f"{name} = {shown(integer)} is too large: it must be at most {most:,}")
    return integer


def number(name: str, value: Any, least: float = -inf, most: float = inf) -> float:
    """Return an argument that is a finite number, but not a bool, as a float.

    Raises:
        ValueError: The value is anything else, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} = {shown(value)} is not a number: give one")
    try:
        real = float(value)
    except OverflowError:  # an integer of more than 308 digits
        real = inf
    if not (isfinite(real) and least <= real <= most):
        span = f"number from {least:g} to {most:g}" if most < inf else "finite number"
        low = f" of at least {least:g}" if least > -inf and most == inf else ""
        raise ValueError(f"{name} = {shown(value)} is out of range: give a {span}{low}")
    return real


def positive(name: str, value: Any) -> float:
    """Return an argument that is a finite number above 0 as a float.

    Raises:
        ValueError: The value is anything else.
    """
    real = number(name, value, 0)
    if not real:
        raise ValueError(f"{name} = {shown(value)} is out of range: give a number above 0")
    return real


def share(name: str, value: Any) -> float:
    """Return an argument that is a share of a whole, in [0, 1), so that some is left.

    Raises:
        ValueError: The value is anything else.
    """
    real = number(name, value, 0, 1)
    if real == 1:
        raise ValueError(f"{name} = {shown(value)} leaves nothing: give a share below 1, e.g. 0.1")
    return real


def flag(name: str, value: Any) -> bool:
    """Return an argument that is True or False, Python's or NumPy's.

    A 1, or the word "no", may be a slip.

    Raises:
        ValueError: The value is anything else.
    """
    if type(value).__name__ not in ("bool", "bool_"):
        raise ValueError(f"{name} = {shown(value)} is neither True nor False: give one of them")
    return bool(value)


def one_of(name: str, value: Any, options: Sequence[Option]) -> Option:
    """Return an argument that is one of a few options, of the same type.

    Raises:
        ValueError: The value is none of them; the message lists them.
    """
    for option in options:
        if type(value) is type(option) and value == option:
            return option
    choices = ", ".join(str(option) for option in options)
    raise ValueError(f"{name} = {shown(value)} is unknown: choose from {choices}")


def instance(name: str, value: Option, kind: Any, example: str) -> Option:
    """Return an argument that is an instance of a class.

    Args:
        name: The argument's name.
        value: The argument's value.
        kind: The class.
        example: What to give, in a few words.

    Raises:
        ValueError: The value is of another class.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise ValueError(
            f"{name} = {shown(value)} is not {article} {kind.__name__}: give {example}"
        )
    return value


def listed(name: str, value: Any) -> list[Any]:
    """Return an argument that holds several things as a list.

    Raises:
        ValueError: The value holds none.
    """
    try:
        return list(value)
    except TypeError as error:
        raise ValueError(f"{name} = {shown(value)} is not a list: give one") from error


def as_path(value: Any, name: str = "path") -> Path:
    """Return a path whose `~` is the home folder; the `type` of each option that takes a path.

    A shell leaves the `~` in `--out=~/grades` as it is, and so does everything else.

    Raises:
        ValueError: The value is not a path, or in the home folder of an unknown user.
    """
    try:
        found = Path(value).expanduser() if str(value) and "\0" not in str(value) else None
    except (TypeError, RuntimeError):
        found = None
    if found is None:
        raise ValueError(f"{name} = {shown(value)} is not a path: give that of a file or a folder")
    return found
