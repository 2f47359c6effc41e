"""Arguments that a reader may get wrong: each is let through, or refused with its name and value.

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

__all__ = ["flag", "number", "one_of", "path", "share", "shown", "whole"]

Option = TypeVar("Option")


def shown(value: Any) -> str:
    """Return a value as a sentence can hold it: on one line, and cut where it is long."""
    return " ".join(reprlib.repr(value).split())


def whole(name: str, value: Any, least: float = 1, most: float = inf) -> int:
    """Return an argument as an integer of Python, which cannot overflow.

    True and 3.0 are refused, since they hide a slip more often than not.

    Args:
        name: What the function calls the argument, here and below.
        value: An integer of any kind: Python's, NumPy's, or a tensor that holds a single one.
        least: Smallest value allowed.
        most: Largest value allowed.

    Raises:
        ValueError: The value is something else, or out of range.
    """
    is_flag = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    try:
        integer = None if is_flag else operator.index(value)
    except (TypeError, RuntimeError):  # a RuntimeError is a tensor's that holds no value
        integer = None
    if integer is None:
        raise ValueError(f"{name} = {shown(value)} is not a whole number: give an integer")
    if integer < least:
        raise ValueError(f"{name} = {integer} is too small: it must be at least {least}")
    if integer > most:
        raise ValueError(f"{name} = {shown(integer)} is too large: it must be at most {most:,}")
    return integer


def number(name: str, value: Any, least: float = -inf, most: float = inf) -> float:
    """Return an argument that is a finite number of any kind but a bool as a float.

    Raises:
        ValueError: The value is something else, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} = {shown(value)} is not a number: give one")
    try:
        real = float(value)
    except OverflowError:  # an integer of more than 308 digits
        real = inf
    if not (isfinite(real) and least <= real <= most):
        raise ValueError(
            f"{name} = {shown(value)} is out of range: give a number from {least} to {most}"
        )
    return real


def share(name: str, value: Any) -> float:
    """Return an argument that is a part of a whole which leaves something, in [0, 1), as a float.

    Raises:
        ValueError: The value is something else, or out of range.
    """
    if number(name, value, 0, 1) == 1:
        raise ValueError(f"{name} = {shown(value)} leaves nothing: give a share below 1, e.g. 0.1")
    return float(value)


def path(name: str, value: Any) -> Path:
    """Return an argument that is a path, its `~` being the home folder.

    Raises:
        ValueError: The value is no path, or begins with the home folder of somebody unknown.
    """
    try:
        found = Path(value).expanduser()
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{name} = {shown(value)} is not a path: give that of a folder") from error
    if not str(value) or "\0" in str(value):
        raise ValueError(f"{name} = {shown(value)} is not a path: give that of a folder")
    return found


def flag(name: str, value: Any) -> bool:
    """Return an argument that is True or False; a 1, or the word "no", may hide a slip.

    Raises:
        ValueError: The value is something else.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {shown(value)} is neither True nor False: give one of them")
    return value


def one_of(name: str, value: Any, options: Sequence[Option]) -> Option:
    """Return an argument that is one of a few options, of the same type.

    Raises:
        ValueError: The value is none of them; the sentence lists them.
    """
    for option in options:
        if type(value) is type(option) and value == option:
            return option
    choices = ", ".join(str(option) for option in options)
    raise ValueError(f"{name} = {shown(value)} is unknown: choose from {choices}")
