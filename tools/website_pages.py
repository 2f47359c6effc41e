"""Pages of the site that are written from code: the package's documentation, and the ledger."""

import ast
import functools
import importlib
import inspect
import itertools
import pkgutil
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from types import GenericAlias, ModuleType
from typing import Any

from sphinx.pycode import ModuleAnalyzer

import course_utils
from course_utils import facts

NOT_PUBLIC = re.compile(r"course_utils\.(__main__|grading|quiz\.banks)\b|\._")
"""The command's entry, an address for released exercises, the answers, and private modules."""


# --- The package ---------------------------------------------------------------------------------


def modules() -> list[ModuleType]:
    """Return the package and all its public modules."""
    found = pkgutil.walk_packages(course_utils.__path__, "course_utils.")
    names = ["course_utils", *(info.name for info in found)]
    return [importlib.import_module(name) for name in names if not NOT_PUBLIC.search(name)]


def homes(module: ModuleType) -> dict[str, str]:
    """Return where each public name of a module is documented: name -> dotted name."""
    return {name: _home(module, name) for name in module.__all__}


def _home(module: ModuleType, name: str) -> str:
    """Return the dotted name of a thing where it is defined, whoever imports it."""
    if inspect.ismodule(thing := getattr(module, name)):
        return thing.__name__
    origin = _imports(module).get(name)
    if origin:
        return _home(importlib.import_module(origin), name)
    return f"{module.__name__}.{name}"


@functools.cache
def _imports(module: ModuleType) -> dict[str, str]:
    """Return what a module imports by `from ... import`: name -> module that it comes from."""
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    origins = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    found: dict[str, str] = {}
    for node in origins:
        for alias in node.names:
            found.setdefault(alias.asname or alias.name, str(node.module))
    return found


def names() -> dict[str, str]:
    """Return what a name in a text means: as it is written -> the dotted name it is filed under.

    A name without a dot counts only if it means one thing, and looks like code: `LeNet5`,
    `plot_records`, but not `fit`.
    """
    meaning: dict[str, str] = {}
    alone: Counter[str] = Counter()
    all_homes = {module.__name__: homes(module) for module in modules()}
    for path, public in all_homes.items():
        meaning[path] = path
        for name, home in public.items():
            meaning[f"{path}.{name}"] = meaning[home] = home
            meaning[f"{path.rpartition('.')[2]}.{name}"] = home
    for home in set(meaning.values()) - all_homes.keys():
        alone[home.rpartition(".")[2]] += 1
    for home in sorted(set(meaning.values()) - all_homes.keys()):
        name = home.rpartition(".")[2]
        if alone[name] == 1 and re.search(r"_|[a-z][A-Z]|[A-Z].*\d", name):
            meaning[name] = home
    return dict(sorted(meaning.items()))


def api_page(module: ModuleType) -> str:
    """Return the page about a module, as reStructuredText for autodoc.

    It is in no table of contents: every page of the site would carry a hundred of them.
    """
    name = module.__name__
    own, elsewhere = [], []
    for word, home in homes(module).items():
        is_own = home == f"{name}.{word}" and not inspect.ismodule(getattr(module, word))
        (own if is_own else elsewhere).append((word, home))
    lines = [":orphan:", "", name, "=" * len(name), "", f".. automodule:: {name}"]
    lines += ["   :no-members:", ""]
    for word, home in elsewhere:
        lines += [f"- :py:obj:`{word} <{home}>`: {_summary(getattr(module, word))}"]
    for word, _ in own:
        lines += ["", *_directive(module, word)]
    return "\n".join(lines) + "\n"


def _directive(module: ModuleType, name: str) -> list[str]:
    """Return the lines that document a thing."""
    thing = getattr(module, name)
    if isinstance(thing, GenericAlias):  # autodoc would tell about dict
        told = ModuleAnalyzer.for_module(module.__name__).find_attr_docs().get(("", name), [])
        typed = [f"   :module: {module.__name__}", f"   :type: {thing}", ""]
        return [f".. py:data:: {name}", *typed, *(f"   {line}" for line in told)]
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, BaseException) else "class"
    else:
        kind = "function" if inspect.isroutine(thing) else "data"
    return [f".. auto{kind}:: {module.__name__}.{name}"]


def _summary(thing: Any) -> str:
    """Return the first line of a docstring; "" for a value, which has only its type's."""
    documented = inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)
    text = inspect.getdoc(thing) if documented else ""
    return text.partition("\n")[0] if text else ""


def api_index(below: Iterable[ModuleType]) -> str:
    """Return the page that lists the modules."""
    lines = ["The package", "===========", ""]
    lines += ["Every public name of `course_utils`, with its signature and its source.", ""]
    lines += [f"- :py:mod:`{one.__name__}`: {_summary(one)}" for one in below]
    return "\n".join(lines) + "\n"


# --- The ledger ----------------------------------------------------------------------------------

FILTER = """\
<p><label for="filter">Show only what contains</label>
<input id="filter" type="search" autocomplete="off"> <span role="status"></span></p>
"""


def ledger_page() -> str:
    """Return the ledger of facts and traps, as Markdown."""
    ledger = facts.ledger()
    parts = ["# The ledger of facts and traps\n\n", _plain(facts.__doc__ or ""), "\n\n", FILTER]
    parts += ["\n## What slides and folklore get wrong\n\n", *_traps(ledger)]
    parts += ["\n## Figures from the papers\n\n", *_figures(ledger)]
    parts += ["\n## Papers\n\n", *_papers(ledger)]
    return "".join(parts)


def _plain(docstring: str) -> str:
    """Return the second paragraph of a docstring in one line, without its code."""
    return " ".join(docstring.split("\n\n")[1].split()).replace(" Lessons take it from here:", "")


def _traps(ledger: facts.Ledger) -> Iterator[str]:
    yield "| said | right | lesson |\n|---|---|---|\n"
    for key, trap in ledger.traps.items():
        lessons = ", ".join(f"[{slug[:2]}](notebooks/{slug}.ipynb)" for slug in trap.lessons)
        yield f'| <a id="{key}"></a>{_cell(trap.claim)} | {_cell(trap.right)} | {lessons} |\n'


COLUMNS = ("what", "source says", "we compute", "source", "remark")


def _figures(ledger: facts.Ledger) -> Iterator[str]:
    """Yield a table for each group of facts, without the columns that it leaves empty."""
    for group, keys in itertools.groupby(ledger.facts, lambda key: key.partition(".")[0]):
        rows = [(key, _row(ledger.facts[key])) for key in keys]
        filled = [i for i in range(len(COLUMNS)) if any(row[i] for _, row in rows)]
        yield f"\n### `{group}`\n\n| {' | '.join(COLUMNS[i] for i in filled)} |\n"
        yield f"|{'---|' * len(filled)}\n"
        for key, row in rows:
            yield f'| <a id="{key}"></a>{" | ".join(_cell(row[i]) for i in filled)} |\n'


def _row(fact: facts.Fact) -> tuple[str, ...]:
    """Return what a fact's cells say."""
    ours = "" if fact.ours is None else f"{fact.ours:,}"
    doubt = "" if fact.checked else " (not checked in the source)"
    return fact.what, fact.text, ours, fact.source + doubt, fact.why


def _papers(ledger: facts.Ledger) -> Iterator[str]:
    for key, paper in ledger.papers.items():
        links = f" [arXiv](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
        links += f" [doi](https://doi.org/{paper.doi})" if paper.doi else ""
        yield f'- <a id="{key}"></a>{_cell(str(paper))}{links}\n'


def _cell(text: str) -> str:
    """Return a text that Markdown shows as it stands, in a table's cell too."""
    return re.sub(r"([\\|*_$`<>\[\]#~])", r"\\\1", text).replace("\n", " ")
