"""What the grader puts beside the student's code: it calls that code when the judge asks for it.

The grader runs this file by its path, in the kernel, before any of the student's code. It gives no
points and knows no right answers. Whatever shares a process with the student's code can still be
deceived about what happened in it (which of torch's operators ran, whose class a layer has), so it
restores the functions of torch and of the course before each check. It tells the teacher what it
found instead, and what Python reports to its audit hooks, which nobody can remove again.
"""

import json
import operator
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from types import CellType, FunctionType
from typing import Any

__all__ = ["install"]

WATCHED = (
    "builtins", "importlib", "runpy", "math", "json", "torch", "torch.nn", "torch.nn.functional",
    "torch.nn.init", "torch.Tensor", "torch.nn.Module", "torch.overrides.TorchFunctionMode",
    "torch.autograd.profiler", "torch.autograd.profiler.profile", "course_utils.beside.Answerer",
    "IPython.core.interactiveshell.InteractiveShell", "ipykernel.ipkernel.IPythonKernel",
    "ipykernel.zmqshell.ZMQInteractiveShell",
)  # fmt: skip
"""Modules and classes to watch, besides all of the course's own modules."""
CHANGING = {
    "builtins.input", "builtins.get_ipython", "builtins.display", "builtins.execfile",
    "builtins.runfile", "IPython.core.interactiveshell.InteractiveShell._instance",
    "torch.Storage",
}  # fmt: skip
"""What IPython itself replaces while a notebook runs, and torch where its type is set for all."""
ASKED = "asks the quiz for its own answers"
EVENTS = {
    "sys.setprofile": "sets a profile function",
    "sys.settrace": "sets a trace function",
    "sys.addaudithook": "adds an audit hook",
    "gc.get_objects": "lists all of Python's objects",
    "gc.get_referrers": "lists who holds an object",
    "ctypes.dlopen": "loads a system library",
    "os.fork": "starts another process",
}
"""What no answer needs to do."""
STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "subprocess.Popen"}
UNSEEN = "your code starts another process, and this check cannot see what runs there"


def install(student: str, cells: dict[str, str], asked: dict[str, Any]) -> None:
    """Answer the judge's requests from now on.

    Args:
        student: The id.
        cells: Name of a test cell -> source of its gatherers, and of their imports.
        asked: Question of the quiz -> its numbers and options, as this student sees them.
    """
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    spaces = {name: _space(name, source) for name, source in cells.items()}
    noted, started = _audited()
    if asked:
        _give_numbers(asked, noted)
    answer = _in_sight(_answering(shell.user_ns, spaces, noted), started)
    kernel, session = shell.kernel, shell.kernel.session

    def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        try:
            reply = answer(parent["content"]["request"])
        except KeyboardInterrupt:
            reply = json.dumps({"interrupted": True})
        session.send(stream, "judge_reply", {"reply": reply}, parent, ident=ident)

    kernel.shell_handlers["judge_request"] = handle


def _space(name: str, source: str) -> dict[str, Any]:
    """Return the gatherers of a cell, and the names that they see."""
    space: dict[str, Any] = {"__name__": f"gatherers of {name}"}
    exec(compile(source, space["__name__"], "exec"), space)
    return space


def _in_sight(answer: Any, started: list[str]) -> Any:
    """Refuse the answers of code that started a process, where a check must see what runs."""

    def answer_in_sight(text: str) -> str:
        started.clear()
        reply: str = answer(text)
        if started and json.loads(text).get("watch"):
            return json.dumps({"error": {"names": ["CheckFailed"], "message": UNSEEN}})
        return reply

    return answer_in_sight


def _answering(names: dict[str, Any], spaces: dict[str, dict[str, Any]], noted: list[str]) -> Any:
    """Return what answers the judge's requests."""
    from course_utils.beside import Answerer

    answerer, before = Answerer(names, {}), _state()
    bodies = _bodies(before)
    checks = vars(sys.modules.get("course_utils.checks") or sys)

    def remarks() -> str:
        found = [*_restored(before), *_rewritten(bodies), *noted]
        noted.clear()
        return json.dumps({"value": None, "remarks": found})

    def begin(request: dict[str, Any]) -> str:
        found = remarks()
        answerer.gatherers = checks | spaces.get(request["cell"], {})
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(request["seed"])
        return found

    def answer(text: str) -> str:
        request = json.loads(text)
        if request["do"] == "begin":
            return begin(request)
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            reply = answerer.answer(text)
        return remarks() if request["do"] == "put" else reply  # the end of a check

    return answer


def _give_numbers(asked: dict[str, Any], noted: list[str]) -> None:
    """Let the quiz show numbers that it is given: the code that draws them knows the answers."""
    from course_utils.quiz import bank as banks
    from course_utils.quiz import exercise
    from course_utils.quiz.variants import Question

    class Shown(Question):
        """A question without its answer."""

        @property
        def answer(self) -> Any:
            noted.append(ASKED)
            raise ValueError("the answers of the quiz are not here")

    def question(bank: str, item: str, student_id: object = None) -> Question:
        found, given = banks.load(bank), asked[f"{bank}/{item}"]
        options = tuple(banks.Option(text) for text in given["options"])
        return Shown(found, found.item(item), given["values"], given["text"], options)

    exercise.question = question


def _audited() -> tuple[list[str], list[str]]:
    """Return two lists that grow: of what no answer needs to do, and of processes started."""
    noted: list[str] = []
    started: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        what = EVENTS.get(event)
        if event == "open" and "/answers." in str(arguments[0]):
            what = ASKED
        if what and what not in noted:
            noted.append(what)
        if event in STARTS:
            started.append(event)

    sys.addaudithook(hook)
    return noted, started


def _state() -> dict[str, Any]:
    """Return the functions of everything watched, and where Python looks for modules."""
    course = [name for name in list(sys.modules) if name.split(".")[0] == "course_utils"]
    state: dict[str, Any] = {"path": list(sys.meta_path)}
    for name in (*WATCHED, *course):
        holder = _find(name)
        if holder is not None:
            state[name] = {key: value for key, value in vars(holder).items() if callable(value)}
    return state


def _restored(state: dict[str, Any]) -> Iterator[str]:
    """Give modules and classes back their own functions; yield the names of replaced ones."""
    if sys.meta_path != state["path"]:
        sys.meta_path[:] = state["path"]
        yield "changed how modules are found"
    for name, functions in state.items():
        holder = _find(name)
        if name == "path" or holder is None:
            continue
        for key in _changed(holder, name, functions):
            if key in functions:
                setattr(holder, key, functions[key])
            else:
                delattr(holder, key)
            yield f"replaced {name}.{key}"


def _bodies(state: dict[str, Any]) -> dict[FunctionType, tuple[Any, ...]]:
    """Return the code of the course's functions, and of those by which it sees what runs."""
    return {
        function: _body(function)
        for name, functions in state.items()
        if name.startswith(("course_utils", "torch.autograd.profiler", "torch.overrides"))
        for value in functions.values()
        for function in (value, getattr(value, "__wrapped__", None))
        if isinstance(function, FunctionType)
    }


def _body(function: FunctionType) -> tuple[Any, ...]:
    """Return what a function does: its code, its defaults, and what it closes over."""
    closed = map(_content, function.__closure__ or ())
    return function.__code__, function.__defaults__, function.__kwdefaults__, *closed


def _content(cell: CellType) -> Any:
    """Return what is in a cell of a function's closure; None if it was emptied."""
    with suppress(ValueError):
        return cell.cell_contents
    return None


def _rewritten(bodies: dict[FunctionType, tuple[Any, ...]]) -> Iterator[str]:
    """Give functions their own code back; yield the names of those that had other code."""
    for function, body in bodies.items():
        if all(map(operator.is_, _body(function), body)):
            continue
        function.__code__, function.__defaults__, function.__kwdefaults__, *closed = body
        for cell, content in zip(function.__closure__ or (), closed, strict=True):
            cell.cell_contents = content
        yield f"rewrote {function.__module__}.{function.__qualname__}"


def _find(name: str) -> Any:
    """Return a module, or a class in a module, if it is loaded; else None."""
    if name in sys.modules:
        return sys.modules[name]
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(module), attribute, None)


def _changed(holder: Any, name: str, before: dict[str, Any]) -> list[str]:
    """Return the names of functions that have changed; of a class, also those that are new."""
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
    """Return whether a function comes from its own package: torch wraps some of its own later."""
    code = getattr(getattr(value, "__wrapped__", value), "__code__", None)
    place = getattr(sys.modules[root], "__file__", None)
    in_place = code is None or (place and Path(code.co_filename).is_relative_to(Path(place).parent))
    is_of = str(getattr(value, "__module__", "")).split(".")[0] == root
    return bool(in_place and is_of and getattr(value, "__name__", "") == name)
