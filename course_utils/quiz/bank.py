"""The question banks: reading `banks/NN_slug/*.toml`, and refusing what is malformed.

A bank is checked whole when it is read. What is wrong is said with the file, the line on which the
item begins, and the item's id.
"""

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from inspect import signature
from typing import Any, Literal, get_args

from course_utils import facts
from course_utils.arguments import shown
from course_utils.quiz import answer
from course_utils.quiz.answer import Computation

__all__ = [
    "KINDS",
    "Bank",
    "BankError",
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
KINDS: tuple[Kind, ...] = get_args(Kind)

_ANY = {"id", "kind", "section", "question", "explanation"}
_DRAWN = {"computation", "variables", "wrong"}
_FIELDS = {
    "single": _ANY | _DRAWN | {"options", "trap"},
    "multiple": _ANY | {"options"},
    "number": _ANY | _DRAWN | {"unit", "tolerance", "tolerance_percent"},
    "shape": _ANY | _DRAWN | {"form"},
}
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)(?::([^{}]*))?\}")
_MOST_NUMBERS_TRIED = 1000


class BankError(ValueError):
    """What is wrong with a bank, with its file, line and item."""


@dataclass(frozen=True)
class Option:
    """One answer to choose.

    Attributes:
        text: The answer.
        right: Whether it is right.
        rule: Id of the wrong rule that leads somebody to misjudge it; "" for the right answer of a
            single choice.
        why: More to say to somebody who chose it, or "".
    """

    text: str
    right: bool = False
    rule: str = ""
    why: str = ""


@dataclass(frozen=True)
class Item:
    """One question as its bank has it; `course_utils/quiz/README.md` says what each field means."""

    id: str
    kind: Kind
    section: str
    question: str
    explanation: str
    options: tuple[Option, ...] = ()
    computation: Computation | None = None
    variables: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    unit: str = ""
    tolerance: float = 0.0
    tolerance_percent: float = 0.0
    form: str = ""
    trap: str = ""

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of all the wrong rules that this item can recognise."""
        named = (option.rule for option in self.options if option.rule)
        return self.wrong or tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class Bank:
    """The items of one lesson or exercise.

    Attributes:
        name: Such as `13_resnet`, or `exercises/13_resnet`.
        items: In their order.
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
            ValueError: There is no such item; the message lists those there are.
        """
        items = {item.id: item for item in self.items}
        if item_id not in items:
            known = ", ".join(items)
            raise ValueError(f"bank {self.name} has no item {item_id!r}: choose from {known}")
        return items[item_id]


# --- Finding banks ---------------------------------------------------------------------------


def names() -> list[str]:
    """Return the names of all banks there are, those of lessons first."""
    folders = sorted(files("course_utils.quiz").joinpath("banks").iterdir(), key=lambda f: f.name)
    lessons = [f.name for f in folders if f.joinpath("lesson.toml").is_file()]
    exercises = [f.name for f in folders if f.joinpath("exercise.toml").is_file()]
    return lessons + [f"exercises/{name}" for name in exercises]


def load(name: str) -> Bank:
    """Read a bank, once.

    Args:
        name: Such as `13_resnet`, or `exercises/13_resnet` for the items of an exercise.

    Raises:
        ValueError: There is no such bank.
        BankError: It is malformed.
    """
    if not isinstance(name, str) or name not in names():
        raise ValueError(f"there is no quiz {shown(name)}: choose from {', '.join(names())}")
    return _load(name)


@cache
def _load(name: str) -> Bank:
    lesson = name.rpartition("/")[2]
    has_lesson = lesson != name and lesson in names()
    known = load(lesson).rules if has_lesson else common_rules()
    return parse(_text(_path(name)), name, known)


@cache
def common_rules() -> Mapping[str, str]:
    """Return the wrong rules that any bank may name: id -> sentence."""
    path = "shared/rules.toml"
    try:
        return _rules(tomllib.loads(_text(path)), {})
    except ValueError as error:
        raise BankError(f"{path}: {error}") from error


def _path(name: str) -> str:
    """Where below `banks` the bank of this name stands."""
    kind, _, lesson = name.rpartition("/")
    return f"{lesson}/{'exercise' if kind else 'lesson'}.toml"


def _text(path: str) -> str:
    return files("course_utils.quiz").joinpath("banks", path).read_text("utf-8")


# --- Reading one -----------------------------------------------------------------------------


def parse(text: str, name: str, rules: Mapping[str, str] | None = None) -> Bank:
    """Read and check a bank.

    Args:
        text: TOML with `[[items]]` and, where it has wrong rules of its own, `[rules]`.
        name: Of the bank; says in which folder its computations stand.
        rules: Wrong rules that are known already, id -> sentence; those of every bank if None.

    Raises:
        BankError: It is malformed.
    """
    place = _path(name)
    known = common_rules() if rules is None else rules
    try:
        tables = tomllib.loads(text)
        _only(tables, {"items", "rules"}, "a bank")
        own = _rules(tables.get("rules", {}), known)
    except ValueError as error:  # tomllib's own says on which line
        raise BankError(f"{place}: {error}") from error
    heads = (re.match(r"\s*\[\[\s*items\s*\]\]", line) for line in text.splitlines())
    rows, lines = tables.get("items", []), [n for n, head in enumerate(heads, 1) if head]
    if not isinstance(rows, list) or not rows or len(rows) != len(lines):
        raise BankError(f"{place}: a bank is a list of tables, each headed [[items]]")
    bank = Bank(name, (), {**known, **own})
    for row, line in zip(rows, lines, strict=True):
        try:
            bank = replace(bank, items=(*bank.items, _item(row, bank)))
        except ValueError as error:
            label = row.get("id", f"number {len(bank.items) + 1}")
            raise BankError(f"{place}, line {line}, item {label}: {error}") from error
    return bank


def _rules(table: Any, known: Mapping[str, str]) -> dict[str, str]:
    for rule, sentence in table.items():
        _require(re.fullmatch(r"[a-z][a-z0-9_]*", rule), f"rule {rule!r}: use lower_case_words")
        _require(
            isinstance(sentence, str) and len(sentence) >= 12 and sentence[-1] not in ".!?",
            f"rule {rule}: needs a clause that ends 'that comes out where ...', no full stop",
        )
        _require(
            rule not in known,
            f"rule {rule} is there already, for every bank or from the lesson's: use that",
        )
    return dict(table)


def _item(row: Any, bank: Bank) -> Item:
    item = _typed_item(row, bank.lesson)
    _require(re.fullmatch(r"[a-z][a-z0-9_]*", item.id), "id must be lower_case_words")
    is_new = item.id not in {other.id for other in bank.items}
    _require(is_new, "another item of this bank has the same id")
    for name in ("section", "question", "explanation"):
        _require(getattr(item, name).strip(), f"{name} is missing")
    if item.kind in ("number", "shape") or item.computation:
        item = _with_rules(item)
    else:
        _check_options(item)
    _check_placeholders(item)
    for rule in item.rules:
        _require(
            rule in bank.rules,
            f"wrong rule {rule!r} has no sentence: add it to [rules] of this bank, "
            "or to shared/rules.toml if other lessons need it",
        )
    return item


def _typed_item(row: Mapping[str, Any], folder: str) -> Item:
    kind = row.get("kind")
    _require(kind in KINDS, f"kind = {kind!r} must be one of {', '.join(KINDS)}")
    _only(row, _FIELDS[str(kind)], f"a {kind} item")
    values = dict(row)
    texts = _ANY | {"computation", "unit", "form", "trap"}
    for name in texts & set(values):
        _require(isinstance(values[name], str), f"{name} must be a text, not {values[name]!r}")
    for name in {"tolerance", "tolerance_percent"} & set(values):
        is_size = isinstance(values[name], int | float) and values[name] >= 0
        _require(is_size, f"{name} must be a number of at least 0")
    if "computation" in values:
        values["computation"] = answer.find(values["computation"], folder)
    values["options"] = tuple(_option(option) for option in _list(row, "options"))
    values["wrong"] = tuple(_list(row, "wrong"))
    values["variables"] = {n: _choices(n, v) for n, v in row.get("variables", {}).items()}
    if "trap" in values:
        claim = facts.trap(values["trap"]).claim
        values.setdefault("question", f"A slide says: “{claim}” What is wrong with that?")
    return Item(**{"id": "", "section": "", "question": "", "explanation": "", **values})


def _option(row: Any) -> Option:
    _require(isinstance(row, dict), f"an option is a table with a text, not {row!r}")
    _only(row, {"text", "right", "rule", "why"}, "an option")
    _require(isinstance(row.get("text"), str) and row["text"].strip(), "an option has no text")
    _require(isinstance(row.get("right", False), bool), "right must be true or false")
    return Option(**row)


def _choices(name: str, row: Any) -> tuple[Any, ...]:
    """Return the values that a variable can take: a list, or from, to and perhaps step."""
    if isinstance(row, dict):
        _only(row, {"from", "to", "step"}, f"variable {name}")
        whole = all(isinstance(value, int) for value in row.values())
        _require({"from", "to"} <= set(row) and whole, f"variable {name} needs whole from and to")
        row = list(range(row["from"], row["to"] + 1, row.get("step", 1)))
    _require(isinstance(row, list) and row, f"variable {name} needs a list, or from and to")
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


# --- What each kind needs ----------------------------------------------------------------------


def _check_options(item: Item) -> None:
    several = item.kind == "multiple"
    fewest = 3 if several else 2
    _require(fewest <= len(item.options) <= 6, f"needs {fewest} to 6 options")
    right = sum(option.right for option in item.options)
    _require(right, "needs a right option")
    _require(right == 1 or several, "has more than one right option: then its kind is multiple")
    for option in item.options:
        _require(
            option.rule or (option.right and not several),
            f"option {option.text!r} names no wrong rule by which it is misjudged",
        )
    num_texts = len({option.text for option in item.options})
    _require(num_texts == len(item.options), "has the same answer twice")


def _with_rules(item: Item) -> Item:
    """Check a drawn item, and list its wrong rules, which are all unless it chooses some."""
    if item.computation is None:
        raise ValueError("needs a computation, such as computation = 'shared.output_size'")
    _require(not item.options, "has both options and a computation: the computation makes them")
    taken = set(signature(item.computation).parameters)
    _require(
        taken == set(item.variables),
        f"has the variables {sorted(item.variables)}, but its computation takes {sorted(taken)}",
    )
    known = _rules_of(item, item.computation)
    unknown = [rule for rule in item.wrong if rule not in known]
    _require(not unknown, f"its computation has no wrong rule {', '.join(unknown)}")
    item = replace(item, wrong=item.wrong or known)
    _require(len(item.wrong) >= 2, "its computation needs at least two wrong rules")
    return item


def _rules_of(item: Item, computation: Computation) -> tuple[str, ...]:
    """Wrong rules that a computation knows, by the first numbers that make sense."""
    numbers = itertools.product(*item.variables.values())
    for values in itertools.islice(numbers, _MOST_NUMBERS_TRIED):
        with suppress(ValueError):
            drawn = dict(zip(item.variables, values, strict=True))
            return answer.compute(computation, **drawn).rules
    raise ValueError("no values of its variables make sense together")


# --- Texts with placeholders -------------------------------------------------------------------


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put values in the place of `{name}` and `{name:format}`, and facts in that of `{fact:key}`.

    Args:
        text: Braces around anything but a name are left alone.
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
            raise ValueError(f"{{{name}}} is no variable (there are: {known})")
        return written(values[name], form)

    return _PLACEHOLDER.sub(value, text)


def written(value: Any, form: str = "") -> str:
    """Write a value for a reader: 61,706 and (16, 5, 5).

    Args:
        value: Number, text or tuple.
        form: Python's format, for a number; thousands are set apart if it is "".
    """
    if isinstance(value, tuple):
        return "(" + ", ".join(map(str, value)) + ")"
    if isinstance(value, float) and not form:
        form = ",.0f" if value.is_integer() else ",.6g" if abs(value) < 1e6 else ",.1f"
    return format(value, form or ("," if isinstance(value, int) and abs(value) >= 10_000 else ""))


def _check_placeholders(item: Item) -> None:
    sample = {name: values[0] for name, values in item.variables.items()}
    texts = [item.question, item.form]
    texts += [text for option in item.options for text in (option.text, option.why)]
    for text in texts:
        fill(text, sample)
    found = {"answer": ""} if item.computation else {}
    fill(re.sub(r"\{answer:[^{}]*\}", "{answer}", item.explanation), sample | found)


# --- Small checks ------------------------------------------------------------------------------


def _require(condition: object, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _only(row: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    unknown = sorted(set(row) - set(known))
    _require(not unknown, f"{what} has no field {', '.join(unknown)}")


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name, [])
    _require(isinstance(value, list), f"{name} must be a list")
    return list(value)
