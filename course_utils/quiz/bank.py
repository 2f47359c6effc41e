"""The question banks: `banks/NN_slug/*.toml`, read into types.

A field that is unknown, missing or of another type is refused here. `tools/review_quiz.py` finds
what reads well and is wrong all the same.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar

import msgspec

from course_utils import facts
from course_utils.arguments import shown

__all__ = [
    "Bank",
    "Item",
    "Kind",
    "Option",
    "common_rules",
    "fill",
    "load",
    "names",
    "parse",
    "written",
]

Kind = Literal["single", "multiple", "number", "shape"]
Content = TypeVar("Content")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)(?::([^{}]*))?\}")


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a bank's file."""


class Option(_Table, frozen=True):
    """One option to choose.

    Attributes:
        text: The answer.
        right: Whether it is right.
        rule: Id of the wrong rule by which a learner misjudges it; "" for the right answer of a
            single choice.
        why: What else to tell a learner who chose it, or "".
    """

    text: str
    right: bool = False
    rule: str = ""
    why: str = ""


class Span(_Table, frozen=True):
    """Whole numbers in a range, both ends included."""

    to: int
    first: int = msgspec.field(name="from")
    step: int = 1


class Item(_Table, frozen=True):
    """One question as in its bank; `course_utils/quiz/README.md` says what each field means."""

    id: str
    kind: Kind
    section: str
    explanation: str
    question: str = ""
    options: tuple[Option, ...] = ()
    computation: str = ""
    variables: dict[str, Span | tuple[int | float | str, ...]] = {}
    wrong: tuple[str, ...] = ()
    unit: str = ""
    tolerance: float = 0.0
    tolerance_percent: float = 0.0
    form: str = ""
    trap: str = ""

    @property
    def choices(self) -> dict[str, Sequence[Any]]:
        """The values that each variable can take."""
        return {
            name: v if isinstance(v, tuple) else range(v.first, v.to + 1, v.step)
            for name, v in self.variables.items()
        }


class _File(_Table, frozen=True):
    items: tuple[Item, ...]
    rules: dict[str, str] = {}


@dataclass(frozen=True)
class Bank:
    """The items of one lesson or exercise.

    Attributes:
        name: Such as `13_resnet`, or `exercises/13_resnet`.
        items: The items, in order.
        rules: Id of each wrong rule that the items may name -> its sentence.
    """

    name: str
    items: tuple[Item, ...]
    rules: Mapping[str, str]

    @property
    def lesson(self) -> str:
        """Slug of the lesson that the items are about."""
        return self.name.rpartition("/")[2]

    def item(self, item_id: str) -> Item:
        """Look up one item.

        Raises:
            ValueError: There is no such item; the message lists the items.
        """
        items = {item.id: item for item in self.items}
        if item_id not in items:
            known = ", ".join(items)
            raise ValueError(f"bank {self.name} has no item {item_id!r}: choose from {known}")
        return items[item_id]


# --- Finding banks ---------------------------------------------------------------------------


def names() -> list[str]:
    """Return the names of all banks, those of lessons first."""
    folders = sorted(files("course_utils.quiz").joinpath("banks").iterdir(), key=lambda f: f.name)
    lessons = [f.name for f in folders if f.joinpath("lesson.toml").is_file()]
    exercises = [f.name for f in folders if f.joinpath("exercise.toml").is_file()]
    return lessons + [f"exercises/{name}" for name in exercises]


def load(name: str) -> Bank:
    """Read a bank, once.

    Args:
        name: Such as `13_resnet`, or `exercises/13_resnet` for the items of an exercise.

    Raises:
        ValueError: There is no such bank, or it is malformed.
    """
    if not isinstance(name, str) or name not in names():
        raise ValueError(f"there is no quiz {shown(name)}: choose from {', '.join(names())}")
    return _load(name)


@cache
def _load(name: str) -> Bank:
    lesson = name.rpartition("/")[2]
    known = common_rules() if lesson == name else load(lesson).rules
    return parse(_text(_path(name)), name, known)


@cache
def common_rules() -> Mapping[str, str]:
    """Return the wrong rules that any bank may name: id -> sentence."""
    path = "shared/rules.toml"
    return _read(_text(path), path, dict[str, str])


def parse(text: str, name: str, rules: Mapping[str, str] | None = None) -> Bank:
    """Read a bank.

    Args:
        text: TOML with `[[items]]` and, if it has its own wrong rules, `[rules]`.
        name: Name of the bank; it says in which folder its computations are.
        rules: Wrong rules that are already known, id -> sentence; those of every bank if None.

    Raises:
        ValueError: It is malformed; the message begins with the file and names the item.
    """
    known = common_rules() if rules is None else rules
    file = _read(text, _path(name), _File)
    lesson = name.rpartition("/")[2]
    items = tuple(_placed(item, lesson) for item in file.items)
    return Bank(name, items, {**known, **file.rules})


def _placed(item: Item, folder: str) -> Item:
    """Return the item with the folder of its computation before the function's name."""
    if not item.computation or "." in item.computation:
        return item
    return msgspec.structs.replace(item, computation=f"{folder}.{item.computation}")


def _read(text: str, path: str, kind: type[Content]) -> Content:
    try:
        return msgspec.toml.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from error


def _path(name: str) -> str:
    """Return the path of a bank below `banks`."""
    kind, _, lesson = name.rpartition("/")
    return f"{lesson}/{'exercise' if kind else 'lesson'}.toml"


def _text(path: str) -> str:
    return files("course_utils.quiz").joinpath("banks", path).read_text("utf-8")


# --- Texts with placeholders -------------------------------------------------------------------


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Replace `{name}` and `{name:format}` with values, and `{fact:key}` with facts.

    Args:
        text: The text; braces around anything but a name are left alone.
        values: What the names stand for.

    Raises:
        ValueError: A name is unknown.
    """

    def value(match: re.Match[str]) -> str:
        name, form = match[1], match[2] or ""
        if name == "fact":
            return facts.get(form).text
        if name not in values:
            known = ", ".join(values) or "none"
            raise ValueError(f"{{{name}}} is not a variable (there are: {known})")
        return written(values[name], form)

    return _PLACEHOLDER.sub(value, text)


def written(value: Any, form: str = "") -> str:
    """Write a value for a reader: 61,706 and (16, 5, 5).

    Args:
        value: Number, text or tuple.
        form: Python's format, for a number; "" separates thousands.
    """
    if isinstance(value, tuple):
        return "(" + ", ".join(map(str, value)) + ")"
    if isinstance(value, float) and not form:
        form = ",.0f" if value.is_integer() else ",.6g" if abs(value) < 1e6 else ",.1f"
    return format(value, form or ("," if isinstance(value, int) and abs(value) >= 10_000 else ""))
