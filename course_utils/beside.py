"""What runs beside the learner's code, and how its answers come back: as plain data.

A check knows what is right. What it looks at may be in another process: when a class is graded,
checks run in the grader's own process, which no learner's code can reach. So a check never holds
what a learner wrote, but a `Handle` to it. Calling the handle passes the arguments on, calls the
learner's function where it is, and brings back what it returned, or the error that it stopped with.
In a notebook at home, all this happens in the same process.

What has to be looked at in place (the gradients of a model, say) is the work of a *gatherer*: a
function in the check's cell, marked by `@beside`, that returns plain data.

Plain data are None, numbers, texts, lists, tuples, sets, dictionaries, tensors, random generators,
errors, and NumPy's numbers and arrays, which become Python numbers and tensors.
"""

import base64
import builtins
import contextlib
import functools
import json
import linecache
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from traceback import walk_tb
from types import FunctionType
from typing import Any

__all__ = [
    "SESSION",
    "Answerer",
    "CheckFailed",
    "Handle",
    "NotAnswered",
    "Session",
    "beside",
    "decode",
    "encode",
    "forbidding",
    "get",
    "handed_in",
    "place_of",
]

LARGEST = 8 * 2**20  # bytes of one tensor; 1.5 times as much in all that is passed at once


class NotAnswered(Exception):
    """The answer cell is still unchanged."""


class CheckFailed(AssertionError):
    """What is wrong with an answer, in one sentence."""

    def _render_traceback_(self) -> list[str]:
        """Show the sentence alone: a traceback in the feedback would print the hidden check."""
        return [f"{type(self).__name__}: {self}"]


# --- Plain data --------------------------------------------------------------------------------


def encode(value: Any, keep: Callable[[Any], int]) -> Any:
    """Return a value in a form that JSON can hold.

    Args:
        value: Whatever a learner's code returned, or a check passes on.
        keep: Takes what is not plain, such as a model, and returns the number that stands for it.

    Raises:
        CheckFailed: It is too large to be passed on, or of a kind that cannot be.
    """
    value = _without_numpy(value)
    if value is None or type(value) is bool:
        return value
    plainly: list[tuple[type, Callable[[Any], Any]]]
    plainly = [(int, int.__int__), (float, float.__float__), (str, str.__str__)]
    for base, plain in plainly:
        if isinstance(value, base):  # also of a learner's own subclass: the value counts
            return plain(value)
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [encode(each, keep) for each in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key, keep), encode(each, keep)] for key, each in value.items()]}
    if value is ...:
        return {"ellipsis": 0}
    if isinstance(value, BaseException):
        return {"error": _described(value)}
    special = _of_torch(value)
    return special or {"object": keep(value), "kind": type(value).__name__}


def _without_numpy(value: Any) -> Any:
    """Turn a number or an array of NumPy into Python's, or a tensor."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic | numpy.ndarray):
        return value
    if isinstance(value, numpy.generic):
        return value.item()
    torch = sys.modules.get("torch")
    return torch.from_numpy(value.copy()) if torch and value.dtype.kind in "biufc" else value


def _of_torch(value: Any) -> dict[str, Any] | None:
    """Return a tensor, a dtype or a generator in a form that JSON can hold; else None."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(value, torch.Generator):
        return {"generator": _of_torch(value.get_state())}
    if type(value) is torch.dtype:  # nothing that only claims to be one
        return {"dtype": str(value).removeprefix("torch.")}
    return _tensor(torch, value) if isinstance(value, torch.Tensor) else None


def _tensor(torch: Any, tensor: Any) -> dict[str, Any]:
    """Return a tensor in a form that JSON can hold; one on the meta device has no numbers.

    Raises:
        CheckFailed: It is too large, or not an ordinary one.
    """
    if tensor.layout is not torch.strided or tensor.is_quantized:
        kind = "quantised" if tensor.is_quantized else tensor.layout
        raise CheckFailed(f"return an ordinary tensor: this one is {kind}")
    size = tensor.numel() * tensor.element_size()
    if size > LARGEST and not tensor.is_meta:
        raise CheckFailed(f"your code returns a tensor of {size / 2**20:.0f} MB: that is too large")
    data = {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
    if not tensor.is_meta:
        flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if size else b""
        data["bytes"] = base64.b64encode(raw).decode()
    return {"tensor": data | {"requires_grad": tensor.requires_grad}}


def decode(data: Any, find: Callable[[int, str], Any]) -> Any:
    """Return the value that was encoded.

    Args:
        data: The result of `encode`.
        find: Takes a number and the name of a class; returns what `keep` gave that number to.
    """
    if not isinstance(data, dict):
        return data
    if "object" in data:
        return find(data["object"], data["kind"])
    ((kind, content),) = data.items()
    if kind in ("list", "tuple", "set", "frozenset"):
        return getattr(builtins, kind)(decode(each, find) for each in content)
    if kind == "dict":
        return {decode(key, find): decode(each, find) for key, each in content}
    if kind == "error":
        return _error(content)
    return ... if kind == "ellipsis" else _into_torch(kind, content)


def _into_torch(kind: str, content: Any) -> Any:
    """Return the value that `_of_torch` encoded."""
    import torch  # the data says that it is needed

    if kind == "generator":
        generator = torch.Generator()
        generator.set_state(_into_torch(*content.popitem()))
        return generator
    if kind == "dtype":
        return _dtype(content)
    dtype, shape = _dtype(content["dtype"]), content["shape"]
    if "bytes" not in content:
        tensor = torch.empty(shape, dtype=dtype, device="meta")
    elif content["bytes"]:
        raw = bytearray(base64.b64decode(content["bytes"]))
        tensor = torch.frombuffer(raw, dtype=dtype, count=-1).reshape(shape)
    else:
        tensor = torch.zeros(0, dtype=dtype, device="cpu").reshape(shape)
    return tensor.requires_grad_(bool(content["requires_grad"]))


def _dtype(name: str) -> Any:
    """Return a type of numbers by its name.

    Raises:
        CheckFailed: The name is that of something else in torch, which a check might call.
    """
    import torch

    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise CheckFailed(f"your code returns {name}, which is not one of torch's dtypes")
    return found


# --- Errors ------------------------------------------------------------------------------------

_OURS: dict[str, type[Exception]] = {"NotAnswered": NotAnswered, "CheckFailed": CheckFailed}


def place_of(error: BaseException) -> str:
    """Return the last line of the learner's own code that an error passed through, or ""."""
    if hasattr(error, "place"):
        return str(error.place)
    for frame, line in reversed(list(walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__") == "__main__":
            text = linecache.getline(frame.f_code.co_filename, line).strip()
            return f" (line {line} of its cell, in {frame.f_code.co_name}: {text})"
    return ""


def _described(error: BaseException) -> dict[str, Any]:
    """Return what a check needs to know of an error."""
    try:
        message = str(error)[:2000]
    except Exception:  # of a class of the learner's own
        message = ""
    names = [kind.__name__ for kind in type(error).__mro__]
    return {"names": names, "message": message, "place": place_of(error)[:500]}


def _error(data: dict[str, Any]) -> BaseException:
    """Return an error that reads like the one described and is caught by the same name."""
    name, message = data["names"][0], data["message"]
    if name in _OURS:
        return _OURS[name](message)
    known = (getattr(builtins, each, None) for each in data["names"])
    fitting = (each for each in known if isinstance(each, type))
    base = next((each for each in fitting if issubclass(each, Exception | SystemExit)), Exception)
    kind: Any = type(name, (base,), {"__str__": lambda self: message, "place": data["place"]})
    error: BaseException = kind.__new__(kind)
    return error


# --- The learner's side ------------------------------------------------------------------------


class Answerer:
    """Calls the learner's code when a check asks for it, and keeps what it returned.

    Attributes:
        names: The learner's variables.
        gatherers: The functions that look at the learner's code in place, by name.
    """

    def __init__(self, names: dict[str, Any], gatherers: dict[str, Any]) -> None:
        self.names, self.gatherers = names, gatherers
        self._objects: list[Any] = []

    def keep(self, value: Any) -> int:
        """Return the number of an object, always the same one."""
        for number, kept in enumerate(self._objects):
            if kept is value:
                return number
        self._objects.append(value)
        return len(self._objects) - 1

    def find(self, number: int, kind: str = "") -> Any:
        """Return the object of a number."""
        return self._objects[number]

    def forget(self) -> None:
        """Forget all objects."""
        self._objects.clear()

    def answer(self, text: str) -> str:
        """Answer a request, both as JSON; an error in the learner's code is an answer, too."""
        request = json.loads(text)
        try:
            reply = json.dumps(getattr(self, f"_{request['do']}")(request))
            if len(reply) > 1.5 * LARGEST:
                raise CheckFailed("your code returns more data than a check can receive")
            return reply
        except KeyboardInterrupt:  # a time limit: no answer
            raise
        except BaseException as error:
            return json.dumps({"error": _described(error)})

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        if name not in self.names:
            raise NameError(
                f"{name} is not defined: did the cell that defines it stop with an error?"
            )
        return {"value": encode(self.names[name], self.keep)}

    def _put(self, request: dict[str, Any]) -> dict[str, Any]:
        self.names |= request["values"]
        return {"value": None}

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        args, named = decode(request["args"], self.find)
        call = functools.partial(self._function(request["target"]), *args, **named)
        ran: list[str] = []
        SESSION.inside += 1
        try:
            with _usual_numbers():
                value = _watched(call, ran) if request["watch"] else call()
        finally:
            SESSION.inside -= 1
        reply = {"value": encode(value, self.keep), "ran": ran}
        after = encode([args, named], self.keep)
        return reply if after == request["args"] else reply | {"args": after}

    def _function(self, target: int | str) -> Callable[..., Any]:
        return self.gatherers[target] if isinstance(target, str) else self.find(target)


@contextlib.contextmanager
def _usual_numbers() -> Iterator[None]:
    """Make torch create float32 numbers meanwhile, whatever default a learner's cell has set."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    theirs = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(theirs)


def _watched(call: Callable[[], Any], ran: list[str]) -> Any:
    """Call a function and list the torch operators that run meanwhile, in any thread.

    An operator is known by its own name, such as `convolution`, whatever calls it: a layer, a
    function, or code that torch compiled. A pure Python function is noted by its name.
    """
    from torch._C._profiler import _ExperimentalConfig
    from torch.autograd.profiler import profile, record_function
    from torch.overrides import TorchFunctionMode

    class Named(TorchFunctionMode):
        def __torch_function__(
            self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
        ) -> Any:
            ran.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it would print a line at each start
    profiler = profile(experimental_config=_ExperimentalConfig(profile_all_threads=True))
    mark = os.urandom(8).hex()  # is still there at the end, unless somebody stopped the profiler
    with profiler, record_function(mark), Named():
        value = call()
    assert profiler.kineto_results is not None
    ran += [event.name().removeprefix("aten::") for event in profiler.kineto_results.events()]
    if mark not in ran:
        raise CheckFailed("your code stops torch's profiler, which shows this check what runs")
    ran[:] = sorted({*ran} - {mark})
    return value


# --- The check's side --------------------------------------------------------------------------


@dataclass
class Session:
    """How checks reach the learner's code now.

    Attributes:
        channel: Takes a request, returns the answer to it, both as JSON.
        draw: What inputs are drawn from, besides a check's own seed; None gives everybody the same
            ones.
        forbidden: Torch functions that must not run now.
        inside: How many nested calls of the learner's code are running now.
    """

    channel: Callable[[str], str]
    draw: int | None = None
    forbidden: list[Sequence[str]] = field(default_factory=list)
    inside: int = 0


_LOCAL = Answerer({}, {})
SESSION = Session(_LOCAL.answer)
"""At home: in the same process."""


class Handle:
    """What a learner wrote or made, as a check sees it: it can be called, and passed back."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call it with these arguments, which must be plain data or handles; see `beside`."""
        return _ask(self._number, args, named)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise CheckFailed(
            f"this check looks for {name} in a {type(self).__name__} from outside, as checks of "
            "older releases did: such checks no longer run, so release the exercise again"
        )


def _handle(number: int, kind: str) -> Handle:
    """Return a handle whose class has the name of the learner's, for the checks' sentences."""
    return type(kind, (Handle,), {})(number)


def _number(value: Any) -> int:
    """Return the number of a handle or, at home, of anything."""
    if isinstance(value, Handle):
        return value._number
    if SESSION.channel == _LOCAL.answer:
        return _LOCAL.keep(value)
    raise TypeError(f"a check passes on a {type(value).__name__}: make it in a gatherer")


@contextlib.contextmanager
def handed_in(answers: Iterable[Any]) -> Iterator[list[Any]]:
    """Turn answers into what a check gets: plain data, or handles.

    Raises:
        CheckFailed: One is too large.
    """
    try:
        yield [decode(encode(answer, _number), _handle) for answer in answers]
    finally:
        _LOCAL.forget()


def get(name: str) -> Any:
    """Return a learner's variable as a check gets it.

    Raises:
        NameError: There is none with this name.
    """
    return _value(_reply({"do": "get", "name": name}))


def beside(function: Any) -> Any:
    """Mark a function that runs beside the learner's code and returns plain data.

    It sees only itself and what is imported or marked in its cell, but no variable of the notebook.
    A class that such a function needs is marked in the same way.

    Args:
        function: Takes plain data, and handles, which it gets as what they stand for.
    """
    if not isinstance(function, FunctionType):
        return function

    @functools.wraps(function)
    def gathered(*args: Any, **named: Any) -> Any:
        if SESSION.inside:
            return function(*args, **named)
        _LOCAL.gatherers[function.__name__] = function
        return _ask(function.__name__, args, named)

    return gathered


def _ask(target: int | str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call something; whatever the call changes in its arguments changes here, too."""
    given = [list(args), named]
    request = {"do": "call", "target": target, "args": encode(given, _number)}
    reply = _reply(request | {"watch": bool(SESSION.forbidden)})
    value = _value(reply)
    if "args" in reply:
        _updated(given, decode(reply["args"], _handle))
    for names in SESSION.forbidden:
        _require_none(names, reply["ran"])
    return value


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    return json.loads(SESSION.channel(json.dumps(request)))


def _value(reply: dict[str, Any]) -> Any:
    """Return the content of an answer.

    Raises:
        BaseException: The learner's code stopped with it.
    """
    if "error" in reply:
        raise _error(reply["error"])
    return decode(reply["value"], _handle)


def _updated(ours: Any, theirs: Any) -> Any:
    """Return ours with the content of theirs, changed in place if possible."""
    if isinstance(ours, Handle):
        return ours
    if type(ours) is list:
        first = [_updated(*pair) for pair in zip(ours, theirs, strict=False)]
        ours[:] = [*first, *theirs[len(ours) :]]
    elif type(ours) is dict:
        fresh = {key: _updated(ours.get(key), value) for key, value in theirs.items()}
        ours.clear()
        ours |= fresh
    elif type(ours) is tuple:
        return tuple(_updated(*pair) for pair in zip(ours, theirs, strict=True))
    elif hasattr(ours, "set_state"):
        ours.set_state(theirs.get_state())
    elif hasattr(ours, "requires_grad") and hasattr(theirs, "detach"):
        ours.data = theirs.detach()
    else:
        return theirs
    return ours


_FAMILIES = {
    "conv": ("conv",),
    "dropout": ("dropout",),
    "max_pool": ("max_pool",),
    "local_response_norm": ("local_response_norm",),
    "batch_norm": ("batch_norm", "group_norm", "layer_norm", "instance_norm", "rms_norm"),
}
"""What is forbidden together, whatever torch calls it inside: part of a name -> parts of names."""


def _require_none(names: Sequence[str], ran: Sequence[str]) -> None:
    """Reject code that ran what a task asks the learner to write.

    Raises:
        CheckFailed: One of the names ran, or another operator that does the same.
    """
    parts = {part for name in names for key, family in _FAMILIES.items() if key in name
             for part in family}  # fmt: skip
    found = [each for each in ran if any(part in each for part in parts) and "convert" not in each]
    found.sort(key=lambda each: each.startswith("_"))  # torch's public names first
    named = [name for name in names if name in found] + found
    if named:
        raise CheckFailed(f"your code calls torch's own {named[0]}: write it yourself")


@contextlib.contextmanager
def forbidding(names: Sequence[str]) -> Iterator[None]:
    """Forbid these torch functions meanwhile."""
    SESSION.forbidden.append(names)
    try:
        yield
    finally:
        SESSION.forbidden.pop()
