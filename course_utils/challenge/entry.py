"""An entry: a small Python file, what it may mention, and what it defines.

Most of what is forbidden here would not help, since no code of an entry runs while its net is
trained and tested. It is refused so that whoever tries it is told why not, already at home.
"""

import ast
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from course_utils.data import Augment
from course_utils.training import TrainConfig

__all__ = ["MOST_BYTES", "Entry", "Refused", "read_entry", "refuse_code"]

MOST_BYTES = 6000
MODULES = (
    "__future__", "collections", "collections.abc", "dataclasses", "functools", "itertools", "math",
    "typing", "torch",
)  # fmt: skip
"""What an entry may import, besides `PACKAGES` and `NAMES`."""
PACKAGES = ("torch.nn", "torch.func", "torch.linalg", "course_utils.models")
NAMES = {"course_utils.data": {"Augment"}, "course_utils.training": {"TrainConfig"}}
FORBIDDEN = {
    "open", "exec", "eval", "compile", "getattr", "setattr", "delattr", "globals", "locals", "vars",
    "backward", "from_file", "load", "save",
}  # fmt: skip
ADVICE = (
    "an entry gets its images from the challenge, and may import torch, torch.nn, "
    "course_utils.models, Augment and TrainConfig"
)


class Refused(ValueError):
    """A reason to refuse an entry, in one sentence about it."""


@dataclass(frozen=True)
class Entry:
    """What an entry defines.

    Args:
        build: Returns a fresh net, from images (N, 3, 32, 32) to logits (N, 10).
        config: How to train it.
        augment: What to do to the training images.
        batch_size: Images per update.

    Raises:
        Refused: One of them has the wrong type.
    """

    build: Callable[[], Any]
    config: TrainConfig = TrainConfig()  # noqa: RUF009 - frozen, so shared without harm
    augment: Augment | None = None
    batch_size: int = 64

    def __post_init__(self) -> None:
        kinds = (("config", TrainConfig), ("augment", Augment | None), ("batch_size", int))
        if not callable(self.build):
            raise Refused("build is not a function: define build(), which returns the net")
        for name, kind in kinds:
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise Refused(f"{name} has the wrong type: {type(value).__name__}")


def read_entry(source: str) -> Entry:
    """Run an entry's code, and return what it defines.

    Raises:
        Refused: It mentions what an entry must not, stops with an error, or defines no `build`.
    """
    refuse_code(source)
    space: dict[str, Any] = {"__name__": "entry"}
    try:
        exec(compile(source, "entry", "exec"), space)
    except (Exception, SystemExit) as error:
        raise Refused(f"its code stops with {type(error).__name__}: {error}") from None
    if "build" not in space:
        raise Refused("it defines no build(): write a function that returns the net")
    return Entry(**{name: space[name] for name in Entry.__annotations__ if name in space})


def refuse_code(source: str) -> None:
    """Look at an entry's code, without running it.

    Raises:
        Refused: It is too long, not valid Python, or mentions what an entry must not.
    """
    if len(source.encode()) > MOST_BYTES:
        raise Refused(f"the file has more than {MOST_BYTES:,} bytes: an entry is code, not weights")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"it is not valid Python: {error}") from None
    known: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, alias in _imported(node):
                if not _is_allowed(name):
                    raise Refused(f"line {node.lineno} imports {name}: {ADVICE}")
                known[alias] = _found(name)
    for node in ast.walk(tree):
        _refuse_node(node, known)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield the full name of each thing that a line imports, and the name that it gets."""
    if isinstance(node, ast.ImportFrom):
        for name in node.names:
            yield f"{'.' * node.level}{node.module}.{name.name}", name.asname or name.name
        return
    for name in node.names:
        if not _is_allowed(name.name):
            yield name.name, ""
        top = name.name.partition(".")[0]
        yield (name.name, name.asname) if name.asname else (top, top)


def _is_allowed(name: str) -> bool:
    """Return whether an entry may use something from a module, by its full name."""
    place, _, last = name.rpartition(".")
    if name == "course_utils" or name.startswith(tuple(f"{each}." for each in PACKAGES)):
        return True  # of the course's own parts, `models` alone may follow
    if name in (*MODULES, *PACKAGES) or last in NAMES.get(place, ()):
        return True
    return place in MODULES and not isinstance(_found(name), ModuleType | None)


def _found(name: str) -> Any:
    """Return what a full name stands for; None if there is no such thing."""
    place, _, last = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ImportError:
        return getattr(_found(place), last, None) if place else None


def _refuse_node(node: ast.AST, known: dict[str, Any]) -> None:
    """Refuse names that only serve to get at something else, and ways into other modules.

    Raises:
        Refused: It is one of them.
    """
    line = f"line {getattr(node, 'lineno', 0)}"
    name = {ast.Name: "id", ast.Attribute: "attr"}.get(type(node), "")
    text = getattr(node, name, "")
    if text in FORBIDDEN or (text.startswith("__") and text not in ("__init__", "__name__")):
        raise Refused(f"{line} uses {text}: an entry only builds a net, and the challenge trains")
    if isinstance(node, ast.Attribute):
        found = _value(node, known)
        if isinstance(found, ModuleType) and not _is_allowed(found.__name__):
            raise Refused(f"{line} reaches into {found.__name__}: {ADVICE}")


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """Return what a dotted name stands for if it begins with something imported; else None."""
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, known), node.attr, None)
    return known.get(node.id) if isinstance(node, ast.Name) else None
