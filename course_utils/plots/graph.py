"""A module as a graph of steps, and where on a page each step goes.

`trace` lists what a module does with its input, without computing anything. `arrange` lays
the steps out in rows, paths side by side: a small version of the layered drawing of graphs.

Source: Sugiyama et al. 1981 (layers, and order by the mean of the neighbours); Gansner et al.
    1993 (long lines are kept straight by their weight).
"""

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx, nn

from course_utils.models.normalization import BatchNorm2dByHand, LocalResponseNorm

Shape = tuple[int, ...]
IsStep = Callable[[nn.Module], bool]


@dataclass(frozen=True)
class Operation:
    """One operation in words.

    Args:
        text: such as ``3x3 conv, 64``.
        kind: input, output, convolution, linear, pooling, norm, activation, join or other.
    """

    text: str
    kind: str


@dataclass(frozen=True)
class Step:
    """Operations that follow each other without a fork, and what they put out.

    Args:
        operations: in the order in which they run.
        shapes: of what comes out, without the batch axis; several if that is a list.
        sources: numbers of the steps whose output comes in.
        name: dotted name of the first operation's module; empty for a function.
    """

    operations: tuple[Operation, ...]
    shapes: tuple[Shape, ...]
    sources: tuple[int, ...] = ()
    name: str = ""

    @property
    def kind(self) -> str:
        """Kind of the first operation."""
        return self.operations[0].kind


# --- What an operation is called ---------------------------------------------------------------

FUNCTIONS = {
    "relu": Operation("ReLU", "activation"),
    "sigmoid": Operation("σ", "activation"),
    "tanh": Operation("tanh", "activation"),
    "add": Operation("+", "join"),
    "mul": Operation("×", "join"),
    "sub": Operation("−", "join"),
    "cat": Operation("concat", "join"),
    "mean": Operation("global average pool", "pooling"),
    "adaptive_avg_pool2d": Operation("global average pool", "pooling"),
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
    """Name a module as the field does: ``3x3 conv, 64``, ``max pool 2x2 /2``, ``BN``."""
    kind = type(module)
    if isinstance(module, nn.Conv2d):
        return Operation(_convolution(module), "convolution")
    if isinstance(module, nn.Linear):
        return Operation(f"linear, {module.out_features}", "linear")
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return Operation(_pool(module), "pooling")
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return Operation(f"average pool to {_square(module.output_size)}", "pooling")
    if isinstance(module, nn.GroupNorm):
        return Operation("LN" if module.num_groups == 1 else "GN", "norm")
    if kind in NORMS:
        return Operation(NORMS[kind], "norm")
    if isinstance(module, nn.Dropout):
        return Operation(f"dropout {module.p:g}", "activation")
    if kind.__module__.startswith("torch.nn.modules.activation"):
        return Operation(ACTIVATIONS.get(kind, kind.__name__), "activation")
    words = _words(kind.__name__)
    return Operation(words.lower() if kind.__module__.startswith("torch.nn") else words, "other")


def _convolution(module: nn.Conv2d) -> str:
    text = f"{_square(module.kernel_size)} conv, {module.out_channels}"
    if module.stride not in (1, (1, 1)):
        text += f" /{_square(module.stride, lone=True)}"
    return text + (f", {module.groups} groups" if module.groups > 1 else "")


def _pool(module: nn.MaxPool2d | nn.AvgPool2d) -> str:
    word = "max" if isinstance(module, nn.MaxPool2d) else "average"
    return f"{word} pool {_square(module.kernel_size)} /{_square(module.stride, lone=True)}"


def _square(size: Any, *, lone: bool = False) -> str:
    """``3`` or ``(3, 3)`` as ``3x3``; as ``3`` if a lone number says it all."""
    height, width = (size, size) if isinstance(size, int) else size
    return f"{height}" if lone and height == width else f"{height}×{width}"


def _words(name: str) -> str:
    """``DenseLayer`` as ``Dense layer``."""
    first, *rest = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+", name) or [name]
    return " ".join([first, *(word if word.isupper() else word.lower() for word in rest)])


def _function(node: fx.Node) -> Operation:
    """Name a function, or a method of a tensor, by what it does with its arguments."""
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    name = {"iadd": "add", "imul": "mul"}.get(target, target).strip("_")
    if name == "getitem":
        return _indexing(node)
    known = FUNCTIONS.get(name, Operation(name.replace("_", " "), "other"))
    if known.kind == "join" and len(node.all_input_nodes) == 1 and name != "cat":
        left, right = ("·" if isinstance(a, fx.Node) else f"{a:g}" for a in node.args[:2])
        return Operation(f"{left} {known.text} {right}", "other")
    return known


def _indexing(node: fx.Node) -> Operation:
    """Name ``x[..., ::2, ::2]`` by its step; any other index is a part of the whole."""
    index = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
    steps = {part.step for part in index if isinstance(part, slice)} - {None, 1}
    return Operation(f"subsample /{steps.pop()}" if len(steps) == 1 else "a part", "pooling")


# --- Tracing -----------------------------------------------------------------------------------


class _Tracer(fx.Tracer):
    def __init__(self, is_step: IsStep) -> None:
        super().__init__()
        self.is_step = is_step

    def is_leaf_module(self, module: nn.Module, module_qualified_name: str) -> bool:
        return self.is_step(module)


class _Recorder(fx.Interpreter):
    """Runs a traced module and keeps what every node put out."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.results: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.results[n] = super().run_node(n)
        return self.results[n]


def trace(module: nn.Module, input_shape: Shape | Sequence[Shape], is_step: IsStep) -> list[Step]:
    """List what a module does with its input, in the order in which it does it.

    Works on a copy without storage, in evaluation mode; nothing is computed or changed.

    Args:
        module: takes one tensor, or one list of tensors.
        input_shape: (C, H, W) of that tensor; a list of such shapes for a list of tensors.
        is_step: whether a part of the module is one step, and not to be looked into.

    Returns:
        The input first, then every step, the outputs last. What leaves its input as it is,
        such as an identity or a dropout of 0, is left out.

    Raises:
        ValueError: the module cannot take the input, or what it does depends on its values.
    """
    name = type(module).__name__
    twin = _without_storage(module)
    try:
        graph = _Tracer(is_step).trace(twin)
    except (fx.proxy.TraceError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{name} cannot be followed ({reason}): draw its parts") from error
    recorder = _Recorder(fx.GraphModule(twin, graph))
    try:
        recorder.run(_empty(input_shape))
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{name} cannot take an input of {input_shape}: {reason}") from error
    return _steps(twin, recorder.results)


def _without_storage(module: nn.Module) -> nn.Module:
    memo: dict[int, Any] = {id(buffer): buffer.to("meta") for buffer in module.buffers()}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
    return copy.deepcopy(module, memo).eval()


def _empty(input_shape: Shape | Sequence[Shape]) -> Tensor | list[Tensor]:
    single = any(isinstance(part, int) for part in input_shape)
    shapes: list[Any] = [input_shape] if single else list(input_shape)
    if not shapes or not all(isinstance(n, int) and n > 0 for shape in shapes for n in shape):
        raise ValueError(f"input shape {input_shape} is not made of positive integers: (C, H, W)")
    tensors = [torch.empty(1, *shape, device="meta") for shape in shapes]
    return tensors[0] if single else tensors


def _steps(module: nn.Module, results: dict[fx.Node, Any]) -> list[Step]:
    steps: list[Step] = []
    number: dict[fx.Node, int] = {}  # node -> the step whose output it is
    for node, result in results.items():
        shapes = _shapes(result)
        sources = tuple(number[n] for n in node.all_input_nodes if n in number)
        if not shapes or (node.op != "placeholder" and not sources):
            continue  # a number, or a parameter
        if node.op == "output":
            steps += [Step((Operation("output", "output"),), (s,), (k,))
                      for k, s in zip(sources, shapes, strict=False)]  # fmt: skip
        elif _does_nothing(node, module, shapes, steps[sources[0]] if sources else None):
            number[node] = sources[0]
        else:
            number[node] = len(steps)
            name = str(node.target) if node.op == "call_module" else ""
            steps.append(Step((_operation(node, module),), shapes, sources, name))
    return steps


def _shapes(result: Any) -> tuple[Shape, ...]:
    """Shapes of a tensor, or of the tensors in a list, without the batch axis."""
    if isinstance(result, Tensor):
        return (tuple(result.shape[1:]),)
    if isinstance(result, list | tuple) and not isinstance(result, torch.Size):
        return tuple(shape for part in result for shape in _shapes(part))
    return ()


def _operation(node: fx.Node, module: nn.Module) -> Operation:
    if node.op == "placeholder":
        return Operation("input", "input")
    if node.op == "call_module":
        return describe(module.get_submodule(str(node.target)))
    return _function(node)


def _does_nothing(
    node: fx.Node, module: nn.Module, shapes: tuple[Shape, ...], source: Step | None
) -> bool:
    if node.op != "call_module" or source is None:
        return False
    part = module.get_submodule(str(node.target))
    if isinstance(part, nn.AdaptiveAvgPool2d):
        return shapes == source.shapes
    return isinstance(part, nn.Identity) or (isinstance(part, nn.Dropout) and part.p == 0)


def merge(steps: Sequence[Step]) -> list[Step]:
    """Put norms and activations into the step that they follow, where nothing forks between."""
    users = [sum(k in step.sources for step in steps) for k in range(len(steps))]
    merged: list[Step] = []
    number: dict[int, int] = {}
    for k, step in enumerate(steps):
        before = step.sources[0] if len(step.sources) == 1 else None
        if (
            before is not None
            and step.kind in ("norm", "activation")
            and users[before] == 1
            and steps[before].kind not in ("input", "join")
        ):
            number[k] = number[before]
            host = merged[number[k]]
            merged[number[k]] = replace(host, operations=host.operations + step.operations)
        else:
            number[k] = len(merged)
            merged.append(replace(step, sources=tuple(number[s] for s in step.sources)))
    return merged


# --- Layout ------------------------------------------------------------------------------------


@dataclass
class Slot:
    """A place in a row: of a step, or of a line that passes the row on its way further down.

    Args:
        step: number of the step, or of the one that the line comes from.
        passing: whether it is such a line.
        left: room needed to the left of the centre.
        right: room needed to the right.
        x: where its centre goes.
        above: slots of the row above that are joined to it.
        below: slots of the row below.
    """

    step: int
    passing: bool
    left: float
    right: float
    x: float = 0.0
    above: list["Slot"] = field(default_factory=list)
    below: list["Slot"] = field(default_factory=list)


@dataclass(frozen=True)
class Arrow:
    """A line from one step to another: the slots it visits, both ends included."""

    slots: tuple[Slot, ...]


def arrange(
    steps: Sequence[Step], room: Callable[[int, bool], tuple[float, float]]
) -> tuple[list[list[Slot]], list[Arrow]]:
    """Lay steps out in rows: each below all that it takes, and paths side by side.

    Args:
        steps: as from `trace`; a step takes only earlier ones.
        room: for a step's number and whether its line only passes, what it needs to the left
            and to the right of its centre.

    Returns:
        The rows of slots from top to bottom, each from left to right; and an arrow for every
        source of every step.
    """
    ranks = _ranks(steps)
    rows: list[list[Slot]] = [[] for _ in range(max(ranks) + 1)]
    slots: dict[tuple[int, int], Slot] = {}  # (step, row) -> where it is, or passes
    last = {k: max((ranks[u] for u, s in enumerate(steps) if k in s.sources), default=ranks[k])
            for k in range(len(steps))}  # fmt: skip
    for k in range(len(steps)):
        for row in range(ranks[k], max(last[k], ranks[k] + 1)):
            slot = slots[k, row] = Slot(k, row > ranks[k], *room(k, row > ranks[k]))
            rows[row].append(slot)
    arrows = [
        Arrow((*(slots[source, row] for row in range(ranks[source], ranks[k])), slots[k, ranks[k]]))
        for k, step in enumerate(steps)
        for source in step.sources
    ]
    _join(arrows)
    _order(rows)
    _place(rows)
    return rows, arrows


def _ranks(steps: Sequence[Step]) -> list[int]:
    """Row of each step: one below the lowest of its sources; the outputs share the last row."""
    ranks: list[int] = []
    for step in steps:
        ranks.append(max((ranks[s] + 1 for s in step.sources), default=0))
    lowest = max(ranks)
    return [lowest if s.kind == "output" else rank for s, rank in zip(steps, ranks, strict=True)]


def _join(arrows: Sequence[Arrow]) -> None:
    for arrow in arrows:
        for upper, lower in pairwise(arrow.slots):
            if not any(slot is upper for slot in lower.above):
                lower.above.append(upper)
                upper.below.append(lower)


def _order(rows: list[list[Slot]]) -> None:
    """Sort each row by the mean place of what is joined to it from above."""
    for upper, row in pairwise(rows):
        place = {id(slot): i for i, slot in enumerate(upper)}
        keys = {id(slot): (_mean_place(slot, place), slot.passing, slot.step) for slot in row}
        row.sort(key=lambda slot, keys=keys: keys[id(slot)])  # type: ignore[misc]


def _mean_place(slot: Slot, place: dict[int, int]) -> float:
    return sum(place[id(above)] for above in slot.above) / max(len(slot.above), 1)


def _place(rows: list[list[Slot]], num_sweeps: int = 60) -> None:
    """Give every slot its x: paths run straight down, forks and joins stand between them."""
    columns = _columns(rows)
    if not _spread(columns, rows):  # two columns each want to be left of the other
        columns = [[slot] for row in rows for slot in row]
        _spread(columns, rows)
    for sweep in range(num_sweeps):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _move(column, rows)
    leftmost = min(slot.x - slot.left for row in rows for slot in row)
    for row in rows:
        for slot in row:
            slot.x -= leftmost


def _columns(rows: list[list[Slot]]) -> list[list[Slot]]:
    """Slots that share their x: one line passing several rows, or a path without fork or join."""
    columns: list[list[Slot]] = []
    for slot in (slot for row in rows for slot in row):
        above = [other for other in slot.above if other.passing == slot.passing]
        if len(above) == 1 and _only_successor(slot, above[0]):
            next(column for column in columns if column[-1] is above[0]).append(slot)
        else:
            columns.append([slot])
    return columns


def _only_successor(slot: Slot, above: Slot) -> bool:
    if slot.passing:
        return slot.step == above.step
    return sum(not other.passing for other in above.below) == 1


def _spread(columns: list[list[Slot]], rows: list[list[Slot]]) -> bool:
    """Put every column as far left as those to its left allow; False if that has no end."""
    for _ in range(len(columns) + 1):
        before = [column[0].x for column in columns]
        for column in columns:
            _shift_to(column, max(_limits(column, rows)[0], 0.0))
        if before == [column[0].x for column in columns]:
            return True
    return False


def _limits(column: list[Slot], rows: list[list[Slot]]) -> tuple[float, float]:
    """How far left and right the column may stand for its neighbours in all its rows."""
    low, high = float("-inf"), float("inf")
    for row in rows:
        for one, other in pairwise(row):
            distance = one.right + other.left
            if any(slot is other for slot in column):
                low = max(low, one.x + distance)
            if any(slot is one for slot in column):
                high = min(high, other.x - distance)
    return low, high


def _move(column: list[Slot], rows: list[list[Slot]]) -> None:
    """Move a column to the mean of what it is joined to, as far as there is room."""
    pulls = [
        (0.02 if other.passing or slot.passing else 1.0, other.x)
        for slot in column
        for other in (*slot.above, *slot.below)
        if not any(own is other for own in column)
    ]
    if pulls:
        wish = sum(weight * x for weight, x in pulls) / sum(weight for weight, _ in pulls)
        low, high = _limits(column, rows)
        _shift_to(column, min(max(wish, low), high))


def _shift_to(column: list[Slot], x: float) -> None:
    for slot in column:
        slot.x = x
