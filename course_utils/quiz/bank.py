"""The question banks: reading ``quizzes/NN_slug.toml``, and refusing what is malformed.

A bank is checked whole when it is read. What is wrong is said with the file, the line on which the
item begins, and the item's id.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from course_utils import facts
from course_utils.quiz import computation

CHOICES = ("single", "mistake", "multiple")
COMPUTED = ("number", "shape")
KINDS = (*CHOICES, *COMPUTED, "order")

_ANY = {"id", "kind", "section", "question", "explanation", "hint"}
_DRAWN = {"computation", "variables", "wrong"}
_FIELDS = {
    "single": _ANY | _DRAWN | {"options"},
    "mistake": _ANY | {"options", "trap"},
    "multiple": _ANY | {"options"},
    "number": _ANY | _DRAWN | {"unit", "tolerance", "tolerance_percent"},
    "shape": _ANY | _DRAWN | {"form"},
    "order": _ANY | {"steps", "slips"},
}
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)(?::([^{}]*))?\}")


class BankError(ValueError):
    """What is wrong with a bank, with its file, line and item."""


@dataclass(frozen=True)
class Option:
    """One answer to choose.

    Attributes:
        text: the answer.
        right: whether it is right.
        rule: id of the wrong rule that leads somebody to misjudge it; "" for the right answer of a
            single choice.
        why: more to say to somebody who chose it, or "".
    """

    text: str
    right: bool = False
    rule: str = ""
    why: str = ""


@dataclass(frozen=True)
class Slip:
    """Two steps in the wrong order.

    Attributes:
        step: the one that stands too early; its number, from 1.
        before: the one that must come first; its number, from 1.
        rule: id of the wrong rule.
    """

    step: int
    before: int
    rule: str


@dataclass(frozen=True)
class Item:
    """One question as its bank has it; see ``course_utils/quiz/README.md`` for each field."""

    id: str
    kind: str
    section: str
    question: str
    explanation: str
    hint: str = ""
    options: tuple[Option, ...] = ()
    computation: str = ""
    variables: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    unit: str = ""
    tolerance: float = 0.0
    tolerance_percent: float = 0.0
    form: str = ""
    trap: str = ""
    steps: tuple[str, ...] = ()
    slips: tuple[Slip, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of all the wrong rules that this item can recognise."""
        if self.computation:
            return self.wrong or tuple(computation.find(self.computation).wrong)
        named = [option.rule for option in self.options] + [slip.rule for slip in self.slips]
        return tuple(dict.fromkeys(rule for rule in named if rule))


@dataclass(frozen=True)
class Bank:
    """The items of one lesson or exercise.

    Attributes:
        name: such as ``04_stride_padding_pooling`` or ``exercises/04_stride_padding_pooling``.
        items: in their order.
        rules: id of each wrong rule that the items may name -> its sentence.
        own: ids of those that stand in this bank itself.
    """

    name: str
    items: tuple[Item, ...]
    rules: Mapping[str, str]
    own: tuple[str, ...] = ()

    @property
    def lesson(self) -> str:
        """Slug of the lesson that the items are about."""
        return self.name.rpartition("/")[2]

    def item(self, item_id: str) -> Item:
        """Look up one item.

        Raises:
            ValueError: there is no such item; the message lists those there are.
        """
        for item in self.items:
            if item.id == item_id:
                return item
        names = ", ".join(item.id for item in self.items)
        raise ValueError(f"bank {self.name} has no item {item_id!r}: choose from {names}")


# --- Finding banks ---------------------------------------------------------------------------


def names() -> list[str]:
    """Return the names of all banks there are, lessons first."""
    folder = files("course_utils").joinpath("quizzes")
    lessons = sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".toml"))
    inner = folder.joinpath("exercises")
    exercises = sorted(path.name[:-5] for path in inner.iterdir()) if inner.is_dir() else []
    return lessons + [f"exercises/{name}" for name in exercises]


@cache
def load(name: str) -> Bank:
    """Read a bank, once.

    Args:
        name: such as ``04_stride_padding_pooling``, or ``exercises/...`` for items of an exercise.

    Raises:
        ValueError: there is no such bank.
        BankError: it is malformed.
    """
    if name not in names():
        raise ValueError(f"there is no quiz {name!r}: choose from {', '.join(names())}")
    known = dict(common_rules())
    lesson = name.rpartition("/")[2]
    if lesson != name and lesson in names():
        known |= load(lesson).rules
    return parse(_text(f"quizzes/{name}.toml"), name, known)


@cache
def common_rules() -> Mapping[str, str]:
    """Return the wrong rules that any bank may name: id -> sentence."""
    try:
        return _rules(tomllib.loads(_text("quiz/rules.toml")), {})
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise BankError(f"quiz/rules.toml: {error}") from error


def _text(path: str) -> str:
    return files("course_utils").joinpath(path).read_text("utf-8")


# --- Reading one -----------------------------------------------------------------------------


def parse(text: str, name: str, rules: Mapping[str, str] | None = None) -> Bank:
    """Read and check a bank.

    Args:
        text: TOML with ``[[items]]`` and, where it has wrong rules of its own, ``[rules]``.
        name: for messages.
        rules: wrong rules that are known already: id -> sentence; those of every bank if None.

    Raises:
        BankError: it is malformed.
    """
    place = f"{name}.toml"
    known = common_rules() if rules is None else rules
    try:
        tables = tomllib.loads(text)
        _only(tables, {"items", "rules"}, "a bank")
        own = _rules(tables.get("rules", {}), known)
    except ValueError as error:  # tomllib's own says on which line
        raise BankError(f"{place}: {error}") from error
    rows, lines = tables.get("items", []), _lines_of_items(text)
    if not isinstance(rows, list) or not rows or len(rows) != len(lines):
        raise BankError(f"{place}: a bank is a list of tables, each headed [[items]]")
    items: list[Item] = []
    for row, line in zip(rows, lines, strict=True):
        try:
            items.append(_item(row, {**known, **own}, {item.id for item in items}))
        except ValueError as error:
            label = row.get("id", f"number {len(items) + 1}")
            raise BankError(f"{place}, line {line}, item {label}: {error}") from error
    return Bank(name, tuple(items), {**known, **own}, tuple(own))


def _lines_of_items(text: str) -> list[int]:
    """Line on which each [[items]] stands."""
    lines = text.splitlines()
    return [n for n, line in enumerate(lines, 1) if re.match(r"\s*\[\[\s*items\s*\]\]", line)]


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


def _item(row: Any, rules: Mapping[str, str], taken: set[str]) -> Item:
    item = _typed_item(row)
    _require(re.fullmatch(r"[a-z][a-z0-9_]*", item.id), "id must be lower_case_words")
    _require(item.id not in taken, "another item of this bank has the same id")
    for name in ("section", "question", "explanation"):
        _require(getattr(item, name).strip(), f"{name} is missing")
    _CHECKS[item.kind](item)
    _check_placeholders(item)
    for rule in item.rules:
        _require(
            rule in rules,
            f"wrong rule {rule!r} has no sentence: add it to [rules] of this bank, "
            "or to quiz/rules.toml if other lessons need it",
        )
    return item


def _typed_item(row: Mapping[str, Any]) -> Item:
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
    values["options"] = tuple(_option(option) for option in _list(row, "options"))
    values["slips"] = tuple(_slip(slip) for slip in _list(row, "slips"))
    values["wrong"], values["steps"] = tuple(_list(row, "wrong")), tuple(_list(row, "steps"))
    values["variables"] = {n: _choices(n, v) for n, v in row.get("variables", {}).items()}
    defaults = {"id": "", "section": "", "explanation": ""}
    if kind == "mistake":
        defaults["question"] = _slide(values.get("trap", ""))
    return Item(**{"question": "", **defaults, **values})


def _slide(trap: str) -> str:
    """The question of a "find the mistake" that has none of its own."""
    return f"A slide says: “{facts.trap(trap).claim}” What is wrong with that?" if trap else ""


def _option(row: Any) -> Option:
    _require(isinstance(row, dict), f"an option is a table with a text, not {row!r}")
    _only(row, {"text", "right", "rule", "why"}, "an option")
    _require(isinstance(row.get("text"), str) and row["text"].strip(), "an option has no text")
    _require(isinstance(row.get("right", False), bool), "right must be true or false")
    return Option(**row)


def _slip(row: Any) -> Slip:
    _require(isinstance(row, dict), f"a slip is a table, not {row!r}")
    _require(set(row) == {"step", "before", "rule"}, "a slip has the fields step, before and rule")
    return Slip(**row)


def _choices(name: str, row: Any) -> tuple[Any, ...]:
    """The values that a variable can take: a list, or from, to and perhaps step."""
    if isinstance(row, dict):
        _only(row, {"from", "to", "step"}, f"variable {name}")
        whole = all(isinstance(value, int) for value in row.values())
        _require({"from", "to"} <= set(row) and whole, f"variable {name} needs whole from and to")
        row = list(range(row["from"], row["to"] + 1, row.get("step", 1)))
    _require(isinstance(row, list) and row, f"variable {name} needs a list, or from and to")
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


# --- What each kind needs ----------------------------------------------------------------------


def _check_choice(item: Item) -> None:
    if item.computation:
        _require(not item.options, "has both options and a computation: the computation makes them")
        _check_computed(item)
        return
    _require(2 <= len(item.options) <= 6, "needs two to six options, or a computation")
    _require(sum(option.right for option in item.options) == 1, "needs one right option")
    for option in item.options:
        _require(
            option.right or option.rule, f"option {option.text!r} is wrong but names no wrong rule"
        )
    _check_different([option.text for option in item.options])


def _check_mistake(item: Item) -> None:
    _require(item.trap, "names no trap of the ledger")
    facts.trap(item.trap)
    _check_choice(item)


def _check_multiple(item: Item) -> None:
    _require(3 <= len(item.options) <= 6, "needs three to six options")
    _require(any(option.right for option in item.options), "needs at least one right option")
    for option in item.options:
        _require(option.rule, f"option {option.text!r} names no wrong rule that misjudges it")
    _check_different([option.text for option in item.options])


def _check_computed(item: Item) -> None:
    _require(item.computation, "needs a computation, such as computation = 'shared.output_size'")
    found = computation.find(item.computation)
    _require(
        set(found.variables) == set(item.variables),
        f"has the variables {sorted(item.variables)}, but {item.computation} takes "
        f"{sorted(found.variables)}",
    )
    unknown = [rule for rule in item.wrong if rule not in found.wrong]
    _require(not unknown, f"{item.computation} has no wrong rule {', '.join(unknown)}")
    _require(len(item.rules) >= 2, f"{item.computation} needs at least two wrong rules")


def _check_order(item: Item) -> None:
    count = len(item.steps)
    _require(3 <= count <= 6, "needs three to six steps")
    _check_different(list(item.steps))
    _require(item.slips, "needs slips: which step must not stand before which")
    for slip in item.slips:
        inside = 1 <= slip.before < slip.step <= count
        _require(
            inside,
            f"slip step = {slip.step}, before = {slip.before}: the steps are listed in a right "
            "order, so the one that is too early has the larger number",
        )


_CHECKS = {
    "single": _check_choice,
    "mistake": _check_mistake,
    "multiple": _check_multiple,
    "number": _check_computed,
    "shape": _check_computed,
    "order": _check_order,
}


# --- Texts with placeholders -------------------------------------------------------------------


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put values in the place of ``{name}`` and ``{name:format}``, facts in that of ``{fact:key}``.

    Args:
        text: braces around anything but a name are left alone.
        values: what the names stand for.

    Raises:
        ValueError: a name is unknown.
    """

    def value(match: re.Match[str]) -> str:
        name, form = match[1], match[2] or ""
        if name == "fact":
            return facts.get(form).text
        if name not in values:
            known = ", ".join(values) or "none"
            raise ValueError(f"{{{name}}} is no variable (there are: {known})")
        return show(values[name], form)

    return _PLACEHOLDER.sub(value, text)


def show(value: Any, form: str = "") -> str:
    """Write a value for a reader: 61,706 and (16, 5, 5).

    Args:
        value: number, text or tuple.
        form: Python's format, for a number; thousands are set apart if it is "".
    """
    if isinstance(value, tuple):
        return "(" + ", ".join(map(str, value)) + ")"
    if isinstance(value, float) and not form:
        form = ",.0f" if value.is_integer() else ",.6g" if abs(value) < 1e6 else ",.1f"
    return format(value, form or ("," if isinstance(value, int) and abs(value) >= 10_000 else ""))


def _check_placeholders(item: Item) -> None:
    sample = {name: values[0] for name, values in item.variables.items()}
    texts = [item.question, item.hint, item.form, *item.steps]
    texts += [text for option in item.options for text in (option.text, option.why)]
    for text in texts:
        fill(text, sample)
    answer = {"answer": ""} if item.computation else {}
    fill(re.sub(r"\{answer:[^{}]*\}", "{answer}", item.explanation), sample | answer)


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


def _check_different(texts: list[str]) -> None:
    _require(len(set(texts)) == len(texts), "has the same answer twice")
