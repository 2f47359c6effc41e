"""A model followed without computing anything: its copy on the meta device, and its steps.

`without_storage` makes the copy that `summary` and the block diagrams run. `list_steps` lists
what a module does with its input. `one_sentence` turns whatever a model raises meanwhile into a
`ValueError` that says what to do.
"""

import copy
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.arguments import listed, shown
from course_utils.inspection.sharing import overlap, tensors_in, written_by
from course_utils.models.normalization import BatchNorm2dByHand, LocalResponseNorm

__all__ = [
    "IsStep",
    "Kind",
    "Operation",
    "Shape",
    "Step",
    "describe",
    "empty_input",
    "is_identity",
    "kind_of",
    "list_steps",
    "main_tensor",
    "one_sentence",
    "parts_of",
    "times",
    "without_storage",
]

Shape = tuple[int, ...]
IsStep = Callable[[nn.Module], bool]
Kind = Literal[
    "input", "output", "convolution", "linear", "pooling", "norm", "activation", "join", "other"
]

CHECKS = "course_utils.models"  # where the hooks come from that check a model's input
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


# --- The copy ----------------------------------------------------------------------------------


def without_storage(model: nn.Module) -> nn.Module:
    """Return a copy on the meta device that shares nothing with the model and copies no value.

    Hooks that watch the model are left out: they must not see the copy run. What belongs to the
    model is copied: hooks of `torch.nn.utils` that compute its weights (pruning, weight norm),
    methods of its own modules, and the checks of this course's models.

    Raises:
        ValueError: The model holds something that cannot be copied, or layers without sizes.
    """
    lazy = [name for name, value in [*model.named_parameters(), *model.named_buffers()]
            if isinstance(value, UninitializedTensorMixin)]  # fmt: skip
    if lazy:
        raise ValueError(
            f"{type(model).__name__} has lazy layers, whose sizes are not known yet "
            f"({lazy[0]}): run it once on a batch of images first"
        )
    modules = list(model.modules())
    held = tensors_in([vars(module) for module in modules])
    memo: dict[int, Any] = {id(tensor): _as_meta(tensor) for tensor in held}
    hooks = [value for module in modules for name, value in vars(module).items()
             if name in HOOKS]  # fmt: skip
    memo |= {id(registered): type(registered)() for registered in hooks}
    try:
        twin = copy.deepcopy(model, memo)
        for registered in hooks:
            own = {k: hook for k, hook in registered.items() if _belongs(hook, modules)}
            memo[id(registered)].update(copy.deepcopy(own, memo))
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be copied ({_first_line(error)}): ask about its parts"
        ) from error
    return twin


def _as_meta(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta", requires_grad=False)
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def _belongs(hook: Any, modules: Sequence[nn.Module]) -> bool:
    """Return whether a hook is part of the model, not a watcher."""
    owner = getattr(hook, "__self__", None)
    homes = ("torch.nn.utils", CHECKS)
    return type(hook).__module__.startswith(homes) or any(owner is module for module in modules)


def parts_of(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the direct parts of a module by name, without those that compute its weights."""
    return [(name, part) for name, part in module.named_children() if name != "parametrizations"]


def kind_of(module: nn.Module) -> type[nn.Module]:
    """Return the class of a module, whatever computes its weights."""
    return parametrize.type_before_parametrizations(module)


def is_identity(module: nn.Module) -> bool:
    """Return whether a module is an identity, or the empty sequence that stands for one."""
    empty = isinstance(module, nn.Sequential) and len(module) == 0
    return empty or isinstance(module, nn.Identity)


# --- Running it --------------------------------------------------------------------------------


def empty_input(model: nn.Module, input_shape: Shape | Sequence[Shape]) -> Tensor | list[Tensor]:
    """Return an input without storage, of the type of the model's parameters.

    It is a batch of one image of a shape such as (C, H, W), or a list of batches for a list
    of shapes.

    Raises:
        ValueError: The shape is not made of positive integers.
    """
    parts = listed("input size", input_shape) if isinstance(input_shape, Iterable) else []
    single = not any(isinstance(part, Iterable) for part in parts)
    shapes = [parts] if single else [listed("input size", part) for part in parts]
    if not all(shape and all(map(_is_size, shape)) for shape in shapes):
        raise ValueError(
            f"input size {shown(input_shape)} is not made of positive integers: give (C, H, W), "
            "such as (3, 32, 32)"
        )
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    try:
        tensors = [torch.empty(1, *map(int, shape), dtype=dtype, device="meta") for shape in shapes]
    except (RuntimeError, TypeError) as error:  # too many numbers to be counted
        raise ValueError(f"input size {shown(input_shape)} is too large for any memory") from error
    return tensors[0] if single else tensors


def _is_size(n: object) -> bool:
    return isinstance(n, Integral) and not isinstance(n, bool) and int(n) > 0


@contextmanager
def one_sentence(model: nn.Module, input_shape: object) -> Iterator[None]:
    """Turn whatever a copy without storage raises in this context into one sentence.

    Tensors that the model makes on the way have no storage either.

    Raises:
        ValueError: The model takes several inputs, reads values, or cannot take this input.
    """
    name = type(model).__name__
    inputs = _required_inputs(model)
    if len(inputs) > 1:
        raise ValueError(
            f"{name} takes {len(inputs)} inputs ({', '.join(inputs)}), but gets one here: "
            "wrap it in a module that makes the others, or ask about its parts"
        )
    try:
        with torch.no_grad(), torch.device("meta"):
            yield
    except Exception as error:
        reason = _first_line(error)
        if isinstance(error, RuntimeError) and "meta" in reason.lower():
            raise ValueError(
                f"{name} reads the values in its tensors, but here it runs without any "
                f"({reason}): remove that branch or check from `forward`, or ask about its parts"
            ) from error
        raise ValueError(f"{name} cannot take an input of {input_shape}: {reason}") from error


def _required_inputs(model: nn.Module) -> list[str]:
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):  # compiled code has none
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return re.split(r"\.? *\n|\. ", text)[0]


def main_tensor(output: Any) -> Tensor | None:
    """Return the output itself, or the first of several: GoogLeNet's logits before its heads'."""
    return next(iter(tensors_in(output)), None)


def times(shape: Sequence[int]) -> str:
    """Write a shape as `3 x 32 x 32`."""
    return " x ".join(map(str, shape))


# --- Steps and their names ---------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One operation, in words."""

    text: str  # such as `3x3 conv, 64`
    kind: Kind  # its group, which gives its colour


@dataclass(frozen=True)
class Step:
    """Operations that follow each other without a fork, and their output."""

    operations: tuple[Operation, ...]
    shapes: tuple[Shape, ...]  # of the output, without the batch axis; several if it is a list
    sources: tuple[int, ...] = ()  # numbers of the steps whose outputs come in
    name: str = ""  # dotted name of the first operation's module; empty for a function

    @property
    def kind(self) -> Kind:
        """Kind of the first operation."""
        return self.operations[0].kind


FUNCTIONS = {
    "relu": Operation("ReLU", "activation"),
    "sigmoid": Operation("σ", "activation"),
    "tanh": Operation("tanh", "activation"),
    "add": Operation("+", "join"),
    "mul": Operation("×", "join"),
    "sub": Operation("−", "join"),
    "cat": Operation("concat", "join"),
    "pad": Operation("pad with zeros", "other"),
}
"""Functions and methods of a tensor by name, without the underscores of their in-place forms."""

NORMS: dict[type[nn.Module], str] = {
    nn.BatchNorm2d: "BN",
    nn.BatchNorm1d: "BN",
    BatchNorm2dByHand: "BN",
    nn.InstanceNorm2d: "IN",
    nn.LayerNorm: "LN",
    LocalResponseNorm: "LRN",
    nn.LocalResponseNorm: "LRN",
}

ACTIVATIONS: dict[type[nn.Module], str] = {nn.Sigmoid: "σ", nn.Tanh: "tanh"}


def describe(module: nn.Module) -> Operation:
    """Name a module as the field does: `3x3 conv, 64`, `max pool 2x2 /2`, `BN`."""
    kind = kind_of(module)
    if isinstance(module, nn.Conv2d):
        return Operation(_convolution(module), "convolution")
    if isinstance(module, nn.Linear):
        return Operation(f"linear, {module.out_features}", "linear")
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        word = "max" if isinstance(module, nn.MaxPool2d) else "average"
        stride = _square(module.stride, lone=True)
        return Operation(f"{word} pool {_square(module.kernel_size)} /{stride}", "pooling")
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return Operation(f"average pool to {_square(module.output_size)}", "pooling")
    if isinstance(module, nn.GroupNorm):
        return Operation("LN" if module.num_groups == 1 else "GN", "norm")
    if kind in NORMS:
        return Operation(NORMS[kind], "norm")
    if isinstance(module, nn.Dropout):
        return Operation(f"dropout {module.p:g}", "activation")
    if kind.__module__.startswith("torch.nn.modules.activation") and not parts_of(module):
        return Operation(ACTIVATIONS.get(kind, kind.__name__), "activation")
    words = _words(kind.__name__)
    return Operation(words.lower() if kind.__module__.startswith("torch.nn") else words, "other")


def _convolution(module: nn.Conv2d) -> str:
    text = f"{_square(module.kernel_size)} conv, {module.out_channels}"
    if module.stride not in (1, (1, 1)):
        text += f" /{_square(module.stride, lone=True)}"
    return text + (f", {module.groups} groups" if module.groups > 1 else "")


def _square(size: Any, *, lone: bool = False) -> str:
    """Write `3` or `(3, 3)` as `3x3`, or as `3` where a lone number will do."""
    height, width = (size, size) if isinstance(size, int) else size
    return f"{height}" if lone and height == width else f"{height}×{width}"


def _words(name: str) -> str:
    """Write `DenseLayer` as `Dense layer`."""
    first, *rest = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+", name) or [name]
    return " ".join([first, *(word if word.isupper() else word.lower() for word in rest)])


def _function(node: fx.Node, shapes: tuple[Shape, ...]) -> Operation:
    """Name a function, or a method of a tensor, by what it does with its arguments."""
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    name = {"iadd": "add", "imul": "mul"}.get(target, target).strip("_")
    if name == "getitem":
        return _indexing(node)
    if name in ("mean", "adaptive_avg_pool2d"):
        return _average(name, shapes[0])
    known = FUNCTIONS.get(name, Operation(name.replace("_", " "), "other"))
    if known.kind == "join" and len(node.all_input_nodes) == 1 and name != "cat":
        left, right = ("·" if isinstance(a, fx.Node) else f"{a:g}"
                       for a in [*node.args, *node.kwargs.values()][:2])  # fmt: skip
        return Operation(f"{left} {known.text} {right}", "other")
    return known


def _average(name: str, shape: Shape) -> Operation:
    """Name a mean by the size of its result."""
    if len(shape) == 1 or shape[1:] == (1, 1):
        return Operation("global average pool", "pooling")
    text = "mean" if name == "mean" else f"average pool to {_square(shape[1:])}"
    return Operation(text, "pooling")


def _indexing(node: fx.Node) -> Operation:
    """Name `x[..., ::2, ::2]` by its step; any other index is "a part"."""
    index = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
    steps = {part.step for part in index if isinstance(part, slice)} - {None, 1}
    return Operation(f"subsample /{steps.pop()}" if len(steps) == 1 else "a part", "pooling")


# --- Following a module ------------------------------------------------------------------------


class _Tracer(fx.Tracer):
    def __init__(self, is_step: IsStep) -> None:
        super().__init__()
        self.is_step = is_step

    def is_leaf_module(self, module: nn.Module, module_qualified_name: str) -> bool:
        return self.is_step(module)


class _Recorder(fx.Interpreter):
    """Runs a traced module; keeps every node's output, and whose output each node changed."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.results: dict[fx.Node, Any] = {}
        self.renewed: dict[fx.Node, list[fx.Node]] = {}  # by the node that works in place
        # Whether a part of a tensor was changed that is used as a whole later, or whose other
        # views are: there is no arrow for that.
        self.is_torn = False

    def run_node(self, n: fx.Node) -> Any:
        given = [out for node in n.all_input_nodes if isinstance(out := self.results[node], Tensor)]
        versions = [tensor._version for tensor in given]
        result = super().run_node(n)
        written = [t for t, version in zip(given, versions, strict=True) if t._version != version]
        self.renewed[n] = []
        for node, out in self.results.items() if written else ():
            lies = overlap(written[0], out) if isinstance(out, Tensor) else "apart"
            if lies == "same":
                self.renewed[n].append(node)
            elif lies != "apart" and not set(node.users) <= self.results.keys() | {n}:
                self.is_torn = True
        self.results[n] = result
        return result


class _PartWrites(TorchDispatchMode):
    """Counts the writes into parts of tensors: a tracer mistakes `x[:, :2] += y` for a sum."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation, and look at what it writes to."""
        written = written_by(func, args, kwargs or {})
        bases = [(tensor, tensor._base) for tensor in written]
        self.count += any(base is not None and base.numel() > t.numel() for t, base in bases)
        return func(*args, **(kwargs or {}))


def list_steps(
    module: nn.Module, input_shape: Shape | Sequence[Shape], is_step: IsStep
) -> list[Step]:
    """List what a module does with its input, in order.

    This works on a copy without storage, in evaluation mode; nothing is computed or changed.

    Args:
        module: A module that takes one tensor, or one list of tensors.
        input_shape: (C, H, W) of that tensor; a list of such shapes for a list of tensors.
        is_step: Whether a part of the module is one step, not to be looked into.

    Returns:
        First the input, then every step, last the outputs. What leaves its input as it is, such
        as an identity or a dropout of 0, is left out.

    Raises:
        ValueError: The module cannot take the input, or what it does depends on the values.
    """
    name, twin = type(module).__name__, without_storage(module).eval()
    images = empty_input(module, input_shape)
    with one_sentence(module, input_shape), _PartWrites() as eager:
        twin(images)
    for part in twin.modules():  # what has been checked: a tracer has no sizes to check
        for key, hook in list(part._forward_pre_hooks.items()):
            if type(hook).__module__.startswith(CHECKS):
                del part._forward_pre_hooks[key]
    # A tracer ignores the hooks of the module that it starts with.
    root = nn.Sequential(twin) if twin._forward_pre_hooks or twin._forward_hooks else twin
    try:
        with torch.device("meta"):
            graph = _Tracer(is_step).trace(root)
    except Exception as error:
        reason = _first_line(error)
        raise ValueError(f"{name} cannot be followed ({reason}): draw its parts") from error
    recorder = _Recorder(fx.GraphModule(root, graph))
    with one_sentence(module, input_shape), _PartWrites() as traced:
        recorder.run(images)
    if recorder.is_torn or traced.count < eager.count:
        reason = "it writes into a part of a tensor"
        raise ValueError(f"{name} cannot be followed ({reason}): draw its parts")
    steps = _steps(root, recorder)
    return steps if root is twin else [replace(s, name=s.name.removeprefix("0.")) for s in steps]


def _steps(module: nn.Module, recorder: _Recorder) -> list[Step]:
    steps: list[Step] = []
    number: dict[fx.Node, int] = {}  # node -> the step whose output it is
    for node, result in recorder.results.items():
        shapes = tuple(tuple(tensor.shape[1:]) for tensor in tensors_in(result))  # of one image
        sources = tuple(number[n] for n in node.all_input_nodes if n in number)
        if not shapes or (node.op != "placeholder" and not sources):
            continue  # a number, or a parameter
        if node.op == "output":
            steps += [Step((Operation("output", "output"),), (s,), (k,))
                      for k, s in zip(sources, shapes, strict=False)]  # fmt: skip
        elif _hands_on(node, module, shapes, steps[sources[0]] if sources else None):
            number[node] = sources[0]
        else:
            number[node] = len(steps)
            name = str(node.target) if node.op == "call_module" else ""
            steps.append(Step((_operation(node, module, shapes),), shapes, sources, name))
            number |= dict.fromkeys(recorder.renewed[node], number[node])
    return steps


def _operation(node: fx.Node, module: nn.Module, shapes: tuple[Shape, ...]) -> Operation:
    if node.op == "placeholder":
        return Operation("input", "input")
    if node.op == "call_module":
        return describe(module.get_submodule(str(node.target)))
    return _function(node, shapes)


def _hands_on(
    node: fx.Node, module: nn.Module, shapes: tuple[Shape, ...], source: Step | None
) -> bool:
    """Return whether a node leaves its input as it is."""
    if node.op != "call_module" or source is None:
        return False
    part = module.get_submodule(str(node.target))
    if isinstance(part, nn.AdaptiveAvgPool2d):
        return shapes == source.shapes
    return is_identity(part) or (isinstance(part, nn.Dropout) and part.p == 0)
