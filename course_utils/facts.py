"""The ledger of the course: figures from the papers, traps of the folklore, and whom to cite.

A number from a paper is written down once, in `facts.toml`, with its table or section, whether it
was checked against the paper's text, and what we compute ourselves. Lessons take it from here:

>>> fact = get("resnet50.multiply_adds")
>>> fact.value, fact.unit, fact.source
(3.8, '10^9 multiply-adds', 'He et al. 2016, Table 1')
>>> trap("blur_kernel_sums_to_one").lessons
('03_convolution',)
"""

import difflib
import fnmatch
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from course_utils.tables import Table, show

__all__ = [
    "Fact",
    "Ledger",
    "Paper",
    "Trap",
    "cite",
    "get",
    "ledger",
    "paper",
    "parse",
    "table",
    "trap",
]

How = Literal[
    "paper's text", "notes that quote the paper", "public page", "computed", "from memory"
]
"""How a fact was checked; "from memory" goes with checked = false."""

Row = tuple[int | float | str, ...]
Entry = TypeVar("Entry", bound="_Entry")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all entries have: their name in `facts.toml`, such as `he2016`."""

    key: str = ""


class Paper(_Entry, frozen=True):
    """Who wrote what, where and when.

    Args:
        authors: Full names, in the paper's order.
        title: The paper's title.
        venue: Journal, conference or series, with pages if it has them.
        year: Year of the venue.
        arxiv: Number at arXiv, or "".
        doi: Digital object identifier, or "".
    """

    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    arxiv: str = ""
    doi: str = ""

    @property
    def short(self) -> str:
        """The reference as in a sentence: "He et al. 2016", "Glorot & Bengio 2010"."""
        surnames = [_surname(author) for author in self.authors]
        people = f"{surnames[0]} et al." if len(surnames) > 2 else " & ".join(surnames)
        return f"{people} {self.year}"

    def __str__(self) -> str:
        """Write the whole reference, as in a reading list."""
        *others, last = self.authors
        people = f"{', '.join(others)} and {last}" if others else last
        where = f" arXiv:{self.arxiv}." if self.arxiv else ""
        link = f" doi:{self.doi}." if self.doi else ""
        stop = "" if self.title.endswith("?") else "."
        return f"{people}. {self.title}{stop} {self.venue}, {self.year}.{where}{link}"


class Fact(_Entry, frozen=True):
    """One figure, or one statement, that the course uses; its key is dotted: `vgg16.parameters`.

    Args:
        what: What the figure is, in words.
        value: What the source says.
        unit: The value's unit: "%", "10^6 parameters", ...; "" for a statement.
        checked: Whether it was checked against the source, or computed.
        how: How it was checked.
        paper: The paper's key, or "" if the source is not a paper.
        where: Table or section; for something other than a paper, the source itself.
        ours: What we compute, in the plain unit: 138357544, not 138.4; None if we cannot.
        why: Why ours differs from what the source prints, or what to beware of.
        compute: How ours is computed, for the test that computes and compares it.
    """

    what: str
    value: int | float | str | tuple[int | float | str | Row, ...]
    unit: str
    checked: bool
    how: How
    where: str
    paper: str = ""
    ours: int | float | None = None
    why: str = ""
    compute: dict[str, Any] = {}

    @property
    def scale(self) -> int:
        """How many plain units one unit is: 10**6 for "10^6 parameters", else 1."""
        power = self.unit.split(" ")[0]
        return 10 ** int(power[3:]) if power.startswith("10^") else 1

    @property
    def text(self) -> str:
        """Value and unit as in prose: "8.8%", "3.8 x 10^9 multiply-adds"."""
        if isinstance(self.value, tuple):
            rows = (row if isinstance(row, tuple) else (row,) for row in self.value)
            return " / ".join(" ".join(map(str, row)) for row in rows)
        if self.unit == "year":
            return str(self.value)
        times = " x" if self.scale > 1 else ""
        space = "" if self.unit in ("", "%") else " "
        return f"{show(self.value)}{times}{space}{self.unit}"

    @property
    def source(self) -> str:
        """Where to find it: "He et al. 2016, Table 1"."""
        return f"{paper(self.paper).short}, {self.where}" if self.paper else self.where

    def __str__(self) -> str:
        doubt = "" if self.checked else "; not checked in the source"
        return f"{self.text} ({self.source}{doubt})"


class Trap(_Entry, frozen=True):
    """Something that slides or folklore claim, and what is right.

    Args:
        claim: What is said.
        right: What is right, and why.
        lessons: Slugs of the lessons that correct it.
        papers: Keys of the papers that settle it.
        facts: Keys of the facts behind it.
        checked: Whether it was checked against the sources, or computed.
    """

    claim: str
    right: str
    lessons: tuple[str, ...]
    checked: bool
    papers: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"Claim: {self.claim}\nCorrect: {self.right}"


class Ledger(NamedTuple):
    """All papers, facts and traps, by key."""

    papers: Mapping[str, Paper]
    facts: Mapping[str, Fact]
    traps: Mapping[str, Trap]


# --- Looking things up -------------------------------------------------------------------------


def get(key: str) -> Fact:
    """Look up one fact.

    Raises:
        ValueError: There is no such fact; the message offers the nearest names.

    >>> get("vgg16.parameters").ours
    138357544
    """
    return _lookup("fact", key, ledger().facts)


def table(*patterns: str, caption: str = "") -> Table:
    """Show facts side by side with what we compute.

    Args:
        *patterns: Keys in which `*` stands for anything; without patterns, every fact.
        caption: One line above the table.

    Returns:
        Columns "what", "source says", "we compute", "source", "checked", "remark"; facts in the
        ledger's order.

    Raises:
        ValueError: No fact matches a pattern.

    >>> table("alexnet.parameters").to_dicts()[0]["we compute"]
    60965224
    """
    facts = ledger().facts
    rows = [
        (fact.what, fact.text, fact.ours, fact.source, fact.checked, fact.why)
        for pattern in patterns or ("*",)
        for key in fnmatch.filter(facts, pattern) or [pattern]  # which no fact has: that raises
        for fact in [get(key)]
    ]
    columns = ("what", "source says", "we compute", "source", "checked", "remark")
    return Table(columns, tuple(rows), caption)


def trap(key: str) -> Trap:
    """Look up one trap: what is said, and what is right.

    Raises:
        ValueError: There is no such trap; the message offers the nearest names.
    """
    return _lookup("trap", key, ledger().traps)


def paper(key: str) -> Paper:
    """Look up one paper.

    Args:
        key: First author and year, such as `he2016`.

    Raises:
        ValueError: There is no such paper; the message offers the nearest names.

    >>> paper("simonyan2015").short
    'Simonyan & Zisserman 2015'
    """
    return _lookup("paper", key, ledger().papers)


def cite(key: str) -> str:
    """Return the whole reference of a paper, for a reading list; the key is as in `paper`.

    >>> cite("lin2014")
    'Min Lin, Qiang Chen and Shuicheng Yan. Network in Network. ICLR, 2014. arXiv:1312.4400.'
    """
    return str(paper(key))


def _lookup(kind: str, key: str, entries: Mapping[str, Entry]) -> Entry:
    if key in entries:
        return entries[key]
    near = difflib.get_close_matches(key, entries, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see facts.toml"
    raise ValueError(f"no {kind} {key!r} in the ledger: {hint}")


# --- Reading the ledger ------------------------------------------------------------------------


@cache
def ledger() -> Ledger:
    """Return the course's own ledger, read once, when first asked for."""
    return parse(files("course_utils").joinpath("facts.toml").read_text("utf-8"))


def parse(text: str) -> Ledger:
    """Read a ledger.

    Args:
        text: TOML with the tables `papers`, `facts` and `traps`.

    Raises:
        ValueError: It is not TOML, or an entry is malformed; the message begins with its key.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"facts.toml: {error}") from error
    return Ledger(
        {key: _entry(Paper, key, row) for key, row in tables.get("papers", {}).items()},
        {key: _entry(Fact, key, row) for key, row in _leaves(tables.get("facts", {}))},
        {key: _entry(Trap, key, row) for key, row in tables.get("traps", {}).items()},
    )


def _leaves(node: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """List the dotted key and the row of every fact; a table of tables is a group."""
    found = []
    for name, inner in node.items():
        key = f"{prefix}{name}"
        is_group = isinstance(inner, dict) and all(isinstance(x, dict) for x in inner.values())
        found += _leaves(inner, f"{key}.") if is_group else [(key, inner)]
    return found


def _entry(kind: type[Entry], key: str, row: Any) -> Entry:
    try:
        return msgspec.structs.replace(msgspec.convert(row, kind), key=key)
    except msgspec.ValidationError as error:
        raise ValueError(f"facts.toml: {key}: {error}") from error


def _surname(author: str) -> str:
    """Return the last word of a name, with a particle before it: "Van Gool"."""
    words = author.split()
    particle = len(words) > 2 and words[-2].lower() in ("van", "de", "der", "von")
    return " ".join(words[-2:]) if particle else words[-1]
