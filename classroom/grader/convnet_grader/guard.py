"""Undoes, before each cell, what earlier cells did to Python, IPython, torch and the checks.

The grader runs this file anew each time, in the student's kernel (`execute.py`). It is no wall:
what shares a process with the checks can deceive them. It makes the tricks useless that one finds
in an evening, and the teacher is told of them.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["look"]

STORE = "_state_before_the_notebook"
WATCHED = (
    "builtins", "importlib", "math", "torch", "torch.nn", "torch.nn.functional", "torch.nn.init",
    "torch.Tensor", "torch.nn.Module", "IPython.core.interactiveshell.InteractiveShell",
    "ipykernel.ipkernel.IPythonKernel", "ipykernel.zmqshell.ZMQInteractiveShell",
)  # fmt: skip
"""Modules and classes whose functions checks rely on, besides all of the course's own modules."""
CHANGING = {"builtins.input", "IPython.core.interactiveshell.InteractiveShell._instance"}
"""What IPython itself replaces while a notebook runs."""
TRANSFORMERS = ("ast_transformers", "input_transformers_post", "input_transformers_cleanup")


def look(student: str, needed: Sequence[str]) -> list[str]:
    """Put things right before a cell runs; return what was wrong, for the teacher.

    Args:
        student: The id, which a notebook may have overwritten.
        needed: Modules that the checks import; they are loaded before any code of the student's.
    """
    os.environ["COURSE_STUDENT"] = student
    if STORE not in sys.modules:
        sys.modules[STORE] = ModuleType(STORE)
        for name in needed:
            with suppress(ImportError):  # a function of a module, not a module
                importlib.import_module(name)
    store: dict[str, Any] = vars(sys.modules[STORE])
    return [*_functions_restored(store), *_shell_restored(store)]


def _functions_restored(store: dict[str, Any]) -> Iterator[str]:
    """Give modules and classes their own functions back; yield the names of the others."""
    course = [name for name in list(sys.modules) if name.split(".")[0] == "course_utils"]
    for name in (*WATCHED, *course):
        holder = _find(name)
        if holder is None:
            continue
        if name not in store:
            store[name] = {key: value for key, value in vars(holder).items() if callable(value)}
        for key in _changed(holder, name, store[name]):
            if key in store[name]:
                setattr(holder, key, store[name][key])
            else:
                delattr(holder, key)
            yield f"replaced {name}.{key}"


def _find(name: str) -> Any:
    """Return a module, or a class in a module, if it is loaded; else None."""
    if name in sys.modules:
        return sys.modules[name]
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(module), attribute, None)


def _changed(holder: Any, name: str, before: dict[str, Any]) -> list[str]:
    """Return the names of functions that are not what they were; of a class, new ones, too."""
    now = dict(vars(holder))
    keys = [key for key, value in before.items() if now.get(key) is not value]
    if isinstance(holder, type):
        keys += [key for key, value in now.items() if key not in before and callable(value)]
    root = name.split(".")[0]
    return [
        key
        for key in keys
        if f"{name}.{key}" not in CHANGING and not _is_own(now.get(key), key, root)
    ]


def _is_own(value: Any, name: str, root: str) -> bool:
    """Say whether a function came from its own package: torch wraps some of its own, later."""
    code = getattr(getattr(value, "__wrapped__", value), "__code__", None)
    place = getattr(sys.modules[root], "__file__", None)
    in_place = code is None or (place and Path(code.co_filename).is_relative_to(Path(place).parent))
    is_of = str(getattr(value, "__module__", "")).split(".")[0] == root
    return bool(in_place and is_of and getattr(value, "__name__", "") == name)


def _shell_restored(store: dict[str, Any]) -> Iterator[str]:
    """Undo what changes how IPython runs cells; yield what that was."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    if "shell" not in store:
        store["shell"] = {name: list(getattr(shell, name)) for name in TRANSFORMERS}
        store["own"] = {id(owner): set(_hiding(owner)) for owner in (shell, shell.kernel)}
    for name in TRANSFORMERS:
        if getattr(shell, name) != store["shell"][name]:
            setattr(shell, name, list(store["shell"][name]))
            yield f"changed {name}"
    for owner in (shell, shell.kernel):
        for name in set(_hiding(owner)) - store["own"].get(id(owner), set()):
            del vars(owner)[name]
            yield f"replaced {type(owner).__name__}.{name}"
    for event, callbacks in shell.events.callbacks.items():
        for callback in [each for each in callbacks if _is_of_notebook(each)]:
            callbacks.remove(callback)
            yield f"acts at {event}"


def _hiding(owner: Any) -> list[str]:
    """Return the attributes of an object that stand before methods of its class."""
    own = vars(owner)
    return [name for name in own if callable(own[name]) and callable(getattr(type(owner), name, 0))]


def _is_of_notebook(function: Any) -> bool:
    """Say whether a function was defined in a cell."""
    return getattr(function, "__module__", "") == "__main__"
