"""Receptive fields through any network, by watching the operations that a forward pass makes.

Branches that meet again (a residual sum, Inception's concatenation) are exact: the field of a sum
is the smallest window that holds the fields of its terms. Where no rule is known the field is
unknown, and so is everything after it: nothing is guessed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from course_utils.arithmetic import Field, Layer, Pair, Size

aten = torch.ops.aten


@dataclass(frozen=True)
class Seen:
    """What each position of a tensor has seen of the picture.

    Args:
        field: receptive field, its sizes as pairs (h, w).
        n: number of positions (h, w); kept while a tensor is flattened to vectors.
    """

    field: Field
    n: Pair

    def through(self, layer: Layer, n: Pair) -> "Seen":
        """What is seen after a layer that leaves n positions."""
        return Seen(self.field.after(layer), n)

    def whole(self) -> "Seen":
        """What one unit sees that looks at every position."""
        return self.through(Layer(k=self.n, s=self.n), (1, 1))


class FieldTracker(TorchDispatchMode):
    """Follows the receptive field of every tensor that is computed from a picture.

    Use it as a context around a forward pass, most cheaply on the meta device. Statistics that a
    normalisation layer takes over the whole map are left out, as is usual: they couple all
    pixels, yet nobody says that a network with group normalisation sees everything at layer 1.

    Args:
        picture: (N, C, H, W), the input of the network.

    >>> picture = torch.empty(1, 3, 32, 32, device="meta")
    >>> with torch.no_grad(), FieldTracker(picture) as fields:
    ...     x = torch.nn.Conv2d(3, 8, 3, padding=1, device="meta")(picture)
    ...     x = torch.nn.functional.max_pool2d(x, 2)
    >>> fields.of(x)
    Field(size=(4, 4), jump=(2, 2), start=(-1, -1))
    """

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__()
        self._seen = WeakTensorKeyDictionary()
        self._seen[picture] = Seen(Field((1, 1), (1, 1), (0, 0)), _positions(picture))

    def of(self, tensor: torch.Tensor) -> Field | None:
        """The receptive field of a tensor's elements, or None where it is not known."""
        seen = self._seen.get(tensor)
        return seen.field if seen else None

    def pass_through(self, layer: Layer, before: torch.Tensor, after: torch.Tensor) -> None:
        """State that a layer of known geometry led from one tensor to another."""
        seen = self._seen.get(before)
        self._seen[after] = seen.through(layer, _positions(after)) if seen else None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation, then note what its results have seen."""
        out = func(*args, **(kwargs or {}))
        inputs = [tensor for tensor in _tensors(args) if tensor in self._seen]
        if inputs and func.overloadpacket not in CONSTANT:
            seen = self._follow(func, args, inputs, out)
            for tensor in _tensors([out]):
                self._seen[tensor] = seen
        return out

    def _follow(
        self, func: Any, args: Sequence[Any], inputs: list[torch.Tensor], out: Any
    ) -> Seen | None:
        """What the results have seen; None if an input is unknown, or the operation is."""
        known = [self._seen[tensor] for tensor in inputs]
        first = next(_tensors([out]))
        if any(seen is None for seen in known):
            return None
        if torch.Tag.pointwise in func.tags or func.overloadpacket in SAME:
            aligned = all(_is_flat(x) == _is_flat(first) for x in inputs)
            return _union(known, first) if aligned else None
        rule = RULES.get(func.overloadpacket)
        if rule is aten_cat:
            return _union(known, first) if _joins_channels(args, first) else None
        # What is left takes one map. A weight made from the picture has no receptive field.
        x = args[1] if func.overloadpacket is aten.addmm else args[0]
        only_map = len(inputs) == 1 and inputs[0] is x
        return rule(known[0], x, args, first) if rule and only_map else None


Rule = Callable[[Seen, torch.Tensor, Sequence[Any], torch.Tensor], Seen | None]
"""(what the input has seen, the input, all arguments, the result) -> what the result has seen."""


def convolution(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """Any ordinary 2D convolution; a transposed one has no single field."""
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    if transposed or out.dim() != 4:
        return None
    layer = Layer(_positions(weight), _pair(stride), _pair(padding), _pair(dilation))
    return seen.through(layer, _positions(out))


def max_pool(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen:
    """Arguments: input, kernel, stride, padding, dilation, ceil mode."""
    kernel, stride, padding, dilation = _fill(args[1:5], ([], [], 0, 1))
    layer = Layer(_pair(kernel), _pair(stride or kernel), _pair(padding), _pair(dilation))
    return seen.through(layer, _positions(out))


def average_pool(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen:
    """Arguments: input, kernel, stride, padding, ceil mode, ..."""
    kernel, stride, padding = _fill(args[1:4], ([], [], 0))
    layer = Layer(_pair(kernel), _pair(stride or kernel), _pair(padding))
    return seen.through(layer, _positions(out))


def adaptive_pool(
    seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor
) -> Seen | None:
    """Equal windows if the sizes divide evenly; else they differ, and there is no one field."""
    n = _positions(out)
    if seen.n[0] % n[0] or seen.n[1] % n[1]:
        return None
    window = (seen.n[0] // n[0], seen.n[1] // n[1])
    return seen.through(Layer(window, window), n)


def reduction(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """A mean or sum over height and width sees the whole map; over channels, the same pixels."""
    dims = {dim % x.dim() for dim in _as_list(args[1] if len(args) > 1 else range(x.dim()))}
    if _is_flat(x) or 0 in dims:
        return None
    if {2, 3} <= dims:
        return seen.whole()
    return seen if dims == {1} and out.dim() == 4 else None


def linear(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """A fully connected layer on flattened maps sees everything that any position has seen."""
    return seen.whole() if _is_flat(x) else None


def view(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """Flattening keeps the number of positions in mind; regrouping channels changes nothing."""
    keeps_maps = not _is_flat(x) and out.dim() > 2 and _positions(out) == seen.n
    flattens = out.dim() == 2 and out.shape[0] == x.shape[0]
    return seen if keeps_maps or flattens else None


def cut(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """x[:, :, a::s]: arguments input, axis, first, last, step."""
    axis, first, _, step = _fill(args[1:5], (0, None, None, 1))
    axis %= x.dim()
    if axis < 2:
        return seen if not _is_flat(x) or seen.n == (1, 1) else None
    first = first or 0
    skipped = first + x.shape[axis] if first < 0 else first
    offset, stride = [0, 0], [1, 1]
    offset[axis - 2], stride[axis - 2] = skipped, step
    return _shifted(seen.through(Layer(1, (stride[0], stride[1])), _positions(out)), seen, offset)


def pad(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """Padding in height and width moves the start; padding in channels changes nothing."""
    if _is_flat(x):
        return seen if seen.n == (1, 1) else None
    left, _, top, _ = _fill(args[1][:4], (0, 0, 0, 0))
    return _shifted(replace(seen, n=_positions(out)), seen, [-top, -left])


def channels(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """Splitting into groups of channels."""
    axis = args[2] if len(args) > 2 else 0
    return seen if not _is_flat(x) and axis % x.dim() == 1 else None


def aten_cat(seen: Seen, x: torch.Tensor, args: Sequence[Any], out: torch.Tensor) -> Seen | None:
    """Concatenation of a single tensor; of several, `FieldTracker` takes the union."""
    return seen


RULES: dict[Any, Rule] = {
    aten.convolution: convolution,
    aten.max_pool2d_with_indices: max_pool,
    aten.avg_pool2d: average_pool,
    aten._adaptive_avg_pool2d: adaptive_pool,
    aten.adaptive_max_pool2d: adaptive_pool,
    aten.mean: reduction,
    aten.sum: reduction,
    aten.amax: reduction,
    aten.addmm: linear,
    aten.mm: linear,
    aten.view: view,
    aten._unsafe_view: view,
    aten.slice: cut,
    aten.constant_pad_nd: pad,
    aten.split: channels,
    aten.cat: aten_cat,
}
"""What each operation does to the receptive field of its input."""

SAME = {
    aten.native_batch_norm,
    aten._native_batch_norm_legit,
    aten._native_batch_norm_legit_no_training,
    aten.native_group_norm,
    aten.native_dropout,
    aten.alias,
    aten.detach,
    aten.hardswish_,
}
"""Operations from value to value that PyTorch does not tag so; statistics are left out."""

CONSTANT = {aten.zeros_like, aten.ones_like, aten.empty_like, aten.full_like}
"""Operations that take from their input no more than its shape."""


# --- Helpers -----------------------------------------------------------------------------------


def _union(known: Sequence[Seen], out: torch.Tensor) -> Seen | None:
    """The smallest field that holds all given ones, if their positions lie on one grid."""
    head = known[0]
    on_one_grid = all(
        seen.n == head.n and (seen.field.jump == head.field.jump or seen.n == (1, 1))
        for seen in known
    )
    if not on_one_grid or (not _is_flat(out) and _positions(out) != head.n):
        return None
    (top, bottom), (left, right) = (_extent(known, axis) for axis in (0, 1))
    field = replace(head.field, size=(bottom - top, right - left), start=(top, left))
    return replace(head, field=field)


def _extent(known: Sequence[Seen], axis: int) -> tuple[int, int]:
    """First pixel that output 0 of any field sees along an axis, and the one after the last."""
    starts = [_pair(seen.field.start)[axis] for seen in known]
    sizes = [_pair(seen.field.size)[axis] for seen in known]
    return min(starts), max(map(sum, zip(starts, sizes, strict=True)))


def _shifted(result: Seen, before: Seen, offset: Sequence[int]) -> Seen:
    """The result, its start moved by so many positions of what was before."""
    start, jump = _pair(result.field.start), _pair(before.field.jump)
    moved = (start[0] + offset[0] * jump[0], start[1] + offset[1] * jump[1])
    return replace(result, field=replace(result.field, start=moved))


def _joins_channels(args: Sequence[Any], out: torch.Tensor) -> bool:
    axis = args[1] if len(args) > 1 else 0
    return axis % out.dim() == 1


def _is_flat(tensor: torch.Tensor) -> bool:
    return tensor.dim() <= 2


def _positions(tensor: torch.Tensor) -> Pair:
    height, width = tensor.shape[-2:]
    return int(height), int(width)


def _pair(size: Size | Sequence[int]) -> Pair:
    """A size as PyTorch stores it, [k] or [k_h, k_w] or k, as a pair."""
    values = _as_list(size)
    return values[0], values[-1]


def _as_list(value: Any) -> list[int]:
    return list(value) if isinstance(value, Iterable) else [value]


def _fill(given: Sequence[Any], defaults: Sequence[Any]) -> list[Any]:
    """The given arguments, and the defaults of those that were left out."""
    return [*given, *defaults[len(given) :]]


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
