"""What can go wrong with a data set: exceptions and checks, each with one clear sentence."""

from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

__all__ = [
    "DataCorrupt",
    "DataUnavailable",
    "check_choice",
    "check_number",
    "check_path",
    "check_share",
    "check_whole",
]


class DataUnavailable(RuntimeError):
    """A data set cannot be had now: no network, no such folder, no space left on the disk."""


class DataCorrupt(DataUnavailable):
    """A file of a data set is here, but it is not what it should be."""


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def check_whole(name: str, value: Any, least: int = 0, most: int = 2**60) -> int:
    """Return a whole number of any integer type, such as NumPy's, as Python's own.

    Raises:
        ValueError: It is no whole number, or out of range.
    """
    if _is_number(value, Integral) and least <= value <= most:
        return int(value)
    limit = f" and at most {most:,}" if most < 2**60 else ""
    raise ValueError(f"{name} is {value!r}: give a whole number of at least {least}{limit}")


def check_number(name: str, value: Any, least: float, most: float) -> float:
    """Return a number of any type as a float.

    Raises:
        ValueError: It is no number, or out of range.
    """
    if _is_number(value, Real) and least <= value <= most:
        return float(value)
    raise ValueError(f"{name} is {value!r}: give a number from {least:g} to {most:g}")


def check_share(name: str, value: Any) -> float:
    """Return a share of a whole that leaves something, in [0, 1).

    Raises:
        ValueError: It is no number, or out of range.
    """
    if _is_number(value, Real) and 0 <= value < 1:
        return float(value)
    raise ValueError(f"{name} is {value!r}: give a share in [0, 1), e.g. 0.1")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is not one of some words.

    Raises:
        ValueError: It is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}: give one of {', '.join(choices)}")


def check_path(name: str, value: object) -> Path:
    """Return a path whose `~` is the home folder.

    Raises:
        ValueError: It is no path, or the home folder of somebody unknown.
    """
    try:
        path = Path(value).expanduser()  # type: ignore[arg-type]
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{name} is {value!r}: give the path of a folder") from error
    if not str(value) or "\0" in str(value):
        raise ValueError(f"{name} is {value!r}: give the path of a folder")
    return path
