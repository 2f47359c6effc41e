"""The ledger of the course: figures from the papers, traps of the folklore, and who to cite.

A number from a paper is written down once, in `facts.toml`, with its table or section, whether
somebody held it against the paper's text, and what we compute ourselves. Lessons show it from here:

>>> fact = get("resnet50.multiply_adds")
>>> fact.value, fact.unit, fact.source
(3.8, '10^9 multiply-adds', 'He et al. 2016, Table 1')
>>> [trap.key for trap in traps("09_vgg")]
['vgg19_has_138m', 'vgg_pools_3x3', 'vgg_won_ilsvrc']
"""

import difflib
import fnmatch
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib.resources import files
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from course_utils.tables import Table, show

__all__ = [
    "Fact",
    "Ledger",
    "Paper",
    "Trap",
    "cite",
    "find",
    "get",
    "ledger",
    "paper",
    "parse",
    "table",
    "trap",
    "traps",
]

How = Literal[
    "paper's text", "notes that quote the paper", "public page", "computed", "from memory"
]
"""How a fact was checked; "from memory" goes with checked = false."""

Value = int | float | str | tuple[Any, ...]
Entry = TypeVar("Entry", "Paper", "Fact", "Trap")


@dataclass(frozen=True)
class Paper:
    """Who wrote what, where and when.

    Args:
        key: Name in the ledger, such as `he2016`.
        authors: Full names, in the paper's order.
        title: The paper's title.
        venue: Journal, conference or series, with pages where it has them.
        year: Year of the venue.
        arxiv: Number at arXiv, or "".
        doi: Digital object identifier, or "".
    """

    key: str
    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    arxiv: str = ""
    doi: str = ""

    @property
    def short(self) -> str:
        """The reference as a sentence has it: "He et al. 2016", "Glorot & Bengio 2010"."""
        surnames = [_surname(author) for author in self.authors]
        people = f"{surnames[0]} et al." if len(surnames) > 2 else " & ".join(surnames)
        return f"{people} {self.year}"

    @property
    def url(self) -> str:
        """Where to read it: the publisher's page, else arXiv, else ""."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""

    def __str__(self) -> str:
        """Write the whole reference, as a reading list has it."""
        people = self.authors[0] if len(self.authors) == 1 else _enumerate(self.authors)
        where = f" arXiv:{self.arxiv}." if self.arxiv else ""
        link = f" doi:{self.doi}." if self.doi else ""
        stop = "" if self.title.endswith("?") else "."
        return f"{people}. {self.title}{stop} {self.venue}, {self.year}.{where}{link}"


@dataclass(frozen=True)
class Fact:
    """One figure, or one statement, that the course uses.

    Args:
        key: Stable dotted name, such as `vgg16.parameters`.
        what: What the figure is, in words.
        value: What the source says.
        unit: Of the value: "%", "10^6 parameters", ...; "" for a statement.
        checked: Whether it was held against the source, or computed.
        how: How it was held against the source.
        paper: The paper's key, or "" if the source is no paper.
        where: Table or section; for something other than a paper, the source itself.
        ours: What we compute, in the plain unit: 138357544, not 138.4; None if we cannot.
        why: Why ours deviates from what the source prints, or what to beware of.
        compute: How ours is computed, for the test that does so and compares.
    """

    key: str
    what: str
    value: Value
    unit: str
    checked: bool
    how: How
    where: str
    paper: str = ""
    ours: int | float | None = None
    why: str = ""
    compute: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scale(self) -> int:
        """How many plain units one unit is: 10**6 for "10^6 parameters", else 1."""
        power = self.unit.split(" ")[0]
        return 10 ** int(power[3:]) if power.startswith("10^") else 1

    @property
    def text(self) -> str:
        """Value and unit as prose has them: "8.8%", "3.8 x 10^9 multiply-adds"."""
        if isinstance(self.value, tuple):
            return " / ".join(" ".join(map(str, _as_row(row))) for row in self.value)
        if self.unit == "year":
            return str(self.value)
        times = " x" if self.scale > 1 else ""
        space = "" if self.unit in ("", "%") else " "
        return f"{show(self.value)}{times}{space}{self.unit}"

    @property
    def source(self) -> str:
        """Where it stands: "He et al. 2016, Table 1"."""
        return f"{paper(self.paper).short}, {self.where}" if self.paper else self.where

    def __str__(self) -> str:
        doubt = "" if self.checked else "; not checked in the source"
        return f"{self.text} ({self.source}{doubt})"


@dataclass(frozen=True)
class Trap:
    """Something that slides or folklore say, and what is right.

    Args:
        key: Stable name, such as `vgg_pools_3x3`.
        claim: What is said.
        right: What is right, and why.
        lessons: Slugs of the lessons that put it right.
        papers: Keys of the papers that settle it.
        facts: Keys of the facts behind it.
        checked: Whether it was held against the sources, or computed.
    """

    key: str
    claim: str
    right: str
    lessons: tuple[str, ...]
    checked: bool
    papers: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"Said: {self.claim}\nRight: {self.right}"


@dataclass(frozen=True)
class Ledger:
    """All papers, facts and traps, by key."""

    papers: Mapping[str, Paper]
    facts: Mapping[str, Fact]
    traps: Mapping[str, Trap]


# --- Looking things up -------------------------------------------------------------------------


def get(key: str) -> Fact:
    """Look up one fact.

    Args:
        key: Dotted name, such as `alexnet.parameters`.

    Returns:
        The fact, with its value, unit and source.

    Raises:
        ValueError: There is no such fact; the message offers the nearest names.

    >>> get("vgg16.parameters").ours
    138357544
    """
    return _lookup("fact", key, ledger().facts)


def find(pattern: str) -> list[Fact]:
    """Look up all facts whose key fits a pattern, in the ledger's order.

    Args:
        pattern: A key in which `*` stands for anything.

    Returns:
        At least one fact.

    Raises:
        ValueError: Nothing fits.

    >>> [fact.value for fact in find("vgg1?.parameters")]
    [133, 133, 138, 144]
    """
    found = [fact for key, fact in ledger().facts.items() if fnmatch.fnmatchcase(key, pattern)]
    return found or [get(pattern)]  # which raises, with the nearest names


def table(*patterns: str, caption: str = "") -> Table:
    """Set facts side by side with what we compute.

    Args:
        *patterns: Keys, or patterns as in `find`; every fact without any.
        caption: One line above the table.

    Returns:
        Columns "what", "source says", "we compute", "source", "checked", "remark".

    Raises:
        ValueError: Nothing fits a pattern.

    >>> table("alexnet.parameters").to_dicts()[0]["we compute"]
    60965224
    """
    columns = ("what", "source says", "we compute", "source", "checked", "remark")
    rows = [
        (fact.what, fact.text, fact.ours, fact.source, fact.checked, fact.why)
        for pattern in patterns or ("*",)
        for fact in find(pattern)
    ]
    return Table(columns, tuple(rows), caption)


def trap(key: str) -> Trap:
    """Look up one trap.

    Args:
        key: Its name in the ledger.

    Returns:
        What is said, and what is right.

    Raises:
        ValueError: There is no such trap; the message offers the nearest names.

    >>> trap("blur_kernel_sums_to_one").lessons
    ('03_convolution',)
    """
    return _lookup("trap", key, ledger().traps)


def traps(lesson: str | None = None) -> list[Trap]:
    """List the traps, all of them or those of one lesson.

    Args:
        lesson: A slug such as `09_vgg`; None for all.

    Returns:
        The traps in the ledger's order; a lesson may have none.

    >>> len(traps()) > len(traps(lesson="13_resnet")) > 0
    True
    """
    return [trap for trap in ledger().traps.values() if lesson is None or lesson in trap.lessons]


def paper(key: str) -> Paper:
    """Look up one paper.

    Args:
        key: First author and year, such as `he2016`.

    Returns:
        Authors, title, venue, year and where to read it.

    Raises:
        ValueError: There is no such paper; the message offers the nearest names.

    >>> paper("simonyan2015").short
    'Simonyan & Zisserman 2015'
    """
    return _lookup("paper", key, ledger().papers)


def cite(key: str) -> str:
    """Give the whole reference of a paper, for a reading list.

    Args:
        key: First author and year, such as `he2016`.

    Returns:
        Authors, title, venue, year, arXiv number and DOI.

    Raises:
        ValueError: There is no such paper.

    >>> cite("lin2014")
    'Min Lin, Qiang Chen and Shuicheng Yan. Network in Network. ICLR, 2014. arXiv:1312.4400.'
    """
    return str(paper(key))


# --- Reading the ledger ------------------------------------------------------------------------


@cache
def ledger() -> Ledger:
    """Return the course's own ledger, read once, when first asked for."""
    return parse(files("course_utils").joinpath("facts.toml").read_text("utf-8"))


def parse(text: str) -> Ledger:
    """Read a ledger and check it whole: every field, its type, every key it points to.

    Args:
        text: TOML with the tables `papers`, `facts` and `traps`.

    Returns:
        The ledger.

    Raises:
        ValueError: A malformed entry; the message begins with its key.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the ledger is not TOML: {error}") from error
    for name in tables:
        _require(name in ("papers", "facts", "traps"), name, "is no table of a ledger")
    papers = {key: _entry(Paper, key, row) for key, row in tables.get("papers", {}).items()}
    facts = {key: _fact(key, row) for key, row in _leaves(tables.get("facts", {}))}
    traps = {key: _entry(Trap, key, row) for key, row in tables.get("traps", {}).items()}
    read = Ledger(papers, facts, traps)
    _check_links(read)
    return read


def _leaves(node: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """List the dotted key and the row of every fact; a table of tables is a group."""
    found = []
    for name, inner in node.items():
        key = f"{prefix}{name}"
        is_group = isinstance(inner, dict) and all(isinstance(x, dict) for x in inner.values())
        found += _leaves(inner, f"{key}.") if is_group else [(key, inner)]
    return found


def _fact(key: str, row: Any) -> Fact:
    fact = _entry(Fact, key, row)
    _require("." in key, key, "needs a dotted key, such as vgg16.parameters")
    _require(fact.how in get_args(How), key, f"how = {fact.how!r} must be one of {get_args(How)}")
    sure = fact.how != "from memory"
    _require(fact.checked == sure, key, f"has checked = {fact.checked} with how = {fact.how!r}")
    _require(
        fact.unit != "" or isinstance(fact.value, str | tuple), key, "has a number but no unit"
    )
    return fact


def _entry(kind: Callable[..., Entry], key: str, row: Any) -> Entry:
    _require(isinstance(row, dict), key, "is not a table of fields")
    _require("key" not in row, key, "has a field 'key', which its heading already gives")
    return kind(**_typed(kind, key, {"key": key, **row}))


def _typed(kind: Any, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row, lists as tuples, once every field is known, present and of its type."""
    known = {item.name: item for item in fields(kind)}
    hints = get_type_hints(kind)
    for name in row:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        _require(name in known, key, f"has an unknown field {name!r}: {hint}")
    for name, item in known.items():
        optional = item.default is not MISSING or item.default_factory is not MISSING
        _require(optional or name in row, key, f"lacks the field {name!r}")
    values = {name: _frozen(value) for name, value in row.items()}
    for name, value in values.items():
        wanted = _kinds(hints[name])
        # True is an int to Python, but a slip in a ledger.
        fits = isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
        words = " or ".join(kind.__name__ for kind in wanted)
        _require(fits, key, f"has {name} = {value!r}, which is not of type {words}")
    return values


def _kinds(hint: Any) -> tuple[type, ...]:
    """Return the classes that an annotation allows in a ledger."""
    if get_origin(hint) is Literal:
        return (str,)
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(option) or option for option in options if option is not NoneType)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _check_links(read: Ledger) -> None:
    """Require every paper and fact that an entry names to be in the ledger."""
    for fact in read.facts.values():
        named = not fact.paper or fact.paper in read.papers
        _require(named, fact.key, f"cites an unknown paper {fact.paper!r}")
    for item in read.traps.values():
        for name in item.papers:
            _require(name in read.papers, item.key, f"cites an unknown paper {name!r}")
        for name in item.facts:
            _require(name in read.facts, item.key, f"points to an unknown fact {name!r}")


def _require(condition: bool, key: str, complaint: str) -> None:
    if not condition:
        raise ValueError(f"facts.toml: {key} {complaint}")


def _lookup(kind: str, key: str, entries: Mapping[str, Entry]) -> Entry:
    if key in entries:
        return entries[key]
    near = difflib.get_close_matches(key, entries, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"see facts.{kind}s"
    raise ValueError(f"no {kind} {key!r} in the ledger: {hint}")


# --- Wording -----------------------------------------------------------------------------------


def _surname(author: str) -> str:
    """Return the last word of a name, with a particle before it: "Van Gool"."""
    words = author.split()
    particle = len(words) > 2 and words[-2].lower() in ("van", "de", "der", "von")
    return " ".join(words[-2:]) if particle else words[-1]


def _enumerate(authors: tuple[str, ...]) -> str:
    return f"{', '.join(authors[:-1])} and {authors[-1]}"


def _as_row(row: Any) -> tuple[Any, ...]:
    return row if isinstance(row, tuple) else (row,)
