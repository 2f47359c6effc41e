"""Receptive fields through any network, by watching the operations of a forward pass.

Branches that meet again (a residual sum, Inception's concatenation) are exact: the field of a sum
is the smallest window that holds the fields of its terms. A tensor that is written to, through a
view or in place, has seen what was written, and so has every view of it. Where no rule is known
the field is unknown, and so is everything after it: nothing is guessed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef, WeakTensorKeyDictionary

from course_utils.arguments import instance
from course_utils.arithmetic import Field, Layer, Pair, Size
from course_utils.inspection.sharing import (
    Overlap,
    overlap,
    storage_key,
    tensors_in,
    written_by,
)

__all__ = ["FieldTracker", "Seen"]

aten = torch.ops.aten


@dataclass(frozen=True)
class Seen:
    """What each position of a tensor has seen of the image."""

    field: Field  # of all channels together, its sizes as pairs (h, w)
    n: Pair  # number of positions (h, w); kept while a tensor is flattened to vectors
    mixed: bool = False  # whether some channels have seen less than others
    num_blank: int = 0  # at most so many channels of zeros, if they alone make it mixed

    def through(self, layer: Layer, n: Pair) -> "Seen":
        """Return what is seen after a layer that leaves n positions."""
        return replace(self, field=self.field.after(layer), n=n)

    def whole(self) -> "Seen":
        """Return what a unit sees that looks at every position."""
        return self.through(Layer(k=self.n, s=self.n), (1, 1))


NOTHING = Seen(Field(), (0, 0))
"""What a tensor has seen that does not depend on the image, such as a weight: only a mark."""


class FieldTracker(TorchDispatchMode):
    """Follows the receptive field of every tensor that is computed from images (N, C, H, W).

    Use it as a context around a forward pass, most cheaply on the meta device. Statistics that a
    normalisation layer takes over the whole map are left out, as is usual: they couple all pixels,
    but nobody says that a network with group normalisation sees everything in layer 1.

    >>> picture = torch.empty(1, 3, 32, 32, device="meta")
    >>> with torch.no_grad(), FieldTracker(picture) as fields:
    ...     x = torch.nn.Conv2d(3, 8, 3, padding=1, device="meta")(picture)
    ...     x = torch.nn.functional.max_pool2d(x, 2)
    >>> fields.of(x)
    Field(size=(4, 4), jump=(2, 2), start=(-1, -1))
    """

    def __init__(self, picture: Tensor) -> None:
        instance("picture", picture, Tensor, "one (N, C, H, W)")
        if picture.dim() != 4:
            raise ValueError(f"picture is {tuple(picture.shape)}: give one (N, C, H, W)")
        super().__init__()
        self._seen = WeakTensorKeyDictionary()
        self._sharing: defaultdict[int, list[TensorWeakRef]] = defaultdict(list)
        self._note(picture, Seen(Field((1, 1), (1, 1), (0, 0)), _positions(picture)))

    def of(self, tensor: Tensor) -> Field | None:
        """Return the receptive field of a tensor's elements, or None if it is not known."""
        seen = self._seen.get(tensor)
        return seen.field if seen and seen is not NOTHING else None

    def pass_through(self, layer: Layer, before: Tensor, after: Tensor) -> None:
        """State that a layer of known geometry turned one tensor into another."""
        seen = self._seen.get(before)
        known = seen is not None and seen is not NOTHING
        self._note(after, seen.through(layer, _positions(after)) if known else None)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation, then note what its results have seen, and what it has written to."""
        given = tensors_in((args, kwargs or {}))
        for tensor in given:
            self._meet(tensor)
        norm = func.overloadpacket in NORMS  # its running statistics are not maps
        written = [] if norm else written_by(func, args, kwargs or {})
        out = func(*args, **(kwargs or {}))
        results = tensors_in(out) or written
        if results:
            overwrites = func.overloadpacket in OVERWRITING
            inputs = [t for t in given if not (overwrites and any(t is w for w in written))]
            seen = self._follow(func, args, inputs, results[0])
            for tensor in results:
                if not any(tensor is other for other in written):
                    self._note(tensor, seen)
            for tensor in written:
                self._write(tensor, seen)
        return out

    def _follow(
        self, func: Any, args: Sequence[Any], given: list[Tensor], out: Tensor
    ) -> Seen | None:
        """Return what the results have seen; None if an input or the operation is unknown."""
        operation = func.overloadpacket
        inputs = [tensor for tensor in given if self._seen[tensor] is not NOTHING]
        if not inputs or operation in CONSTANT:
            return NOTHING
        known = [self._seen[tensor] for tensor in inputs]
        if any(seen is None for seen in known):
            return None
        if torch.Tag.pointwise in func.tags or operation in SAME or operation in OVERWRITING:
            aligned = all(_is_flat(x) == _is_flat(out) for x in inputs)
            return _union(known, out) if aligned else None
        if operation is aten.cat:
            union = _union(known, out) if _is_channel(args[1:2], out) else None
            alike = len(inputs) == len(given) and all(seen == known[0] for seen in known)
            return union and replace(union, mixed=union.mixed or not alike)
        # What is left takes one map. A weight made from the image has no receptive field.
        rule, x = RULES.get(operation), args[1] if operation is aten.addmm else args[0]
        only_map = len(inputs) == 1 and inputs[0] is x
        return rule(known[0], x, args, out) if rule and only_map else None

    # --- Tensors that share memory ---

    def _note(self, tensor: Tensor, seen: Seen | None) -> None:
        if tensor not in self._seen:
            self._sharing[storage_key(tensor)].append(TensorWeakRef(tensor))
        self._seen[tensor] = seen

    def _meet(self, tensor: Tensor) -> None:
        """Note a tensor that no operation made: a weight, or a view by `.data`."""
        if tensor not in self._seen:
            others = self._sharers(tensor)
            same = [self._seen[other] for other in others if overlap(tensor, other) == "same"]
            untouched = all(self._seen[other] is NOTHING for other in others)
            self._note(tensor, same[0] if same else NOTHING if untouched else None)

    def _sharers(self, tensor: Tensor) -> list[Tensor]:
        """Return the other living tensors in the same piece of memory."""
        alive = (reference() for reference in self._sharing[storage_key(tensor)])
        return [other for other in alive if other is not None and other is not tensor]

    def _write(self, tensor: Tensor, seen: Seen | None) -> None:
        """Note what has been written into a tensor, and so into those that share its memory."""
        before = self._seen.get(tensor)
        self._note(tensor, seen)
        if seen is None or seen != before:  # else, as with an in-place ReLU, nothing has changed
            for other in self._sharers(tensor):
                self._seen[other] = self._after_write(other, seen, overlap(tensor, other))

    def _after_write(self, other: Tensor, seen: Seen | None, lies: Overlap) -> Seen | None:
        """Return what a tensor has seen of which a part, or all, has been written to."""
        own = self._seen[other]
        if lies == "apart":
            return own
        if lies == "same" or (lies == "inside" and seen and not seen.mixed):
            return seen
        if lies != "partly" or seen is None or own is None:
            return None
        known = [part for part in (own, seen) if part is not NOTHING]
        union = _union(known, other) if known else NOTHING
        return union and replace(union, mixed=True)


Rule = Callable[[Seen, Tensor, Sequence[Any], Tensor], Seen | None]
"""(what the input has seen, the input, all arguments, the result) -> what the result has seen."""


def convolution(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Follow any ordinary 2D convolution; a transposed one has no single field."""
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    if transposed or out.dim() != 4:
        return None
    layer = Layer(_positions(weight), _pair(stride), _pair(padding), _pair(dilation))
    mixed = seen.mixed and args[8] > 1
    return replace(seen.through(layer, _positions(out)), mixed=mixed, num_blank=0)


def max_pool(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen:
    """Follow arguments input, kernel, stride, padding, dilation, ceil mode."""
    kernel, stride, padding, dilation = _fill(args[1:5], ([], [], 0, 1))
    layer = Layer(_pair(kernel), _pair(stride or kernel), _pair(padding), _pair(dilation))
    return seen.through(layer, _positions(out))


def adaptive_pool(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Take equal windows if the sizes divide evenly; otherwise there is no single field."""
    n = _positions(out)
    if seen.n[0] % n[0] or seen.n[1] % n[1]:
        return None
    window = (seen.n[0] // n[0], seen.n[1] // n[1])
    return seen.through(Layer(window, window), n)


def reduction(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Let a mean over height and width see the whole map, and one over channels the same pixels."""
    dims = {dim % x.dim() for dim in _as_list(args[1] if len(args) > 1 else range(x.dim()))}
    space = {x.dim() - 2, x.dim() - 1}
    if _is_flat(x) or 0 in dims or space & dims not in (set(), space):
        return None
    together = replace(seen, mixed=seen.mixed and dims <= space)
    if space <= dims:
        return together.whole()
    return together if _positions(out) == seen.n else None


def linear(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Let a linear layer on flattened maps see all that any position has seen."""
    return replace(seen.whole(), mixed=False) if _is_flat(x) else None


def view(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Remember the positions while flattened; regrouping channels changes nothing."""
    keeps_maps = not _is_flat(x) and out.dim() > 2 and _positions(out) == seen.n
    flattens = out.dim() == 2 and out.shape[0] == x.shape[0]
    return seen if keeps_maps or flattens else None


def cut(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Follow x[:, :, a::s], given as input, axis, first, last, step."""
    axis, first, _, step = _fill(args[1:5], (0, None, None, 1))
    axis = axis % x.dim() - x.dim()
    if x.shape == out.shape:
        return seen
    if axis == -3 and out.shape[axis] > seen.num_blank > 0:
        return seen  # at least one of the maps is not blank
    if _is_flat(x) or axis < -2:
        return seen if not seen.mixed and (not _is_flat(x) or seen.n == (1, 1)) else None
    first = first or 0
    skipped = first + x.shape[axis] if first < 0 else first
    offset, stride = [0, 0], [1, 1]
    offset[axis], stride[axis] = skipped, step
    return _shifted(seen.through(Layer(1, (stride[0], stride[1])), _positions(out)), seen, offset)


def pad(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Move the start by the padding in height and width; channels of zeros see nothing."""
    if _is_flat(x):
        return seen if seen.n == (1, 1) else None
    left, _, top, _ = _fill(args[1][:4], (0, 0, 0, 0))
    blank = 0 if seen.mixed else sum(max(0, added) for added in args[1][4:6])
    mixed = seen.mixed or any(args[1][4:])
    seen = replace(seen, n=_positions(out), mixed=mixed, num_blank=blank)
    return _shifted(seen, seen, [-top, -left])


def channels(seen: Seen, x: Tensor, args: Sequence[Any], out: Tensor) -> Seen | None:
    """Keep the field of channels that are split off."""
    return seen if not seen.mixed and _is_channel(args[2:3], x) else None


RULES: dict[Any, Rule] = {
    aten.convolution: convolution,
    aten.max_pool2d_with_indices: max_pool,
    aten.avg_pool2d: lambda seen, x, args, out: max_pool(seen, x, args[:4], out),
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
    aten.split_with_sizes: channels,
}
"""What each operation does to the receptive field of its input."""

NORMS = {
    aten.native_batch_norm,
    aten._native_batch_norm_legit,
    aten._native_batch_norm_legit_no_training,
    aten.native_group_norm,
}
"""Normalisations, whose statistics are left out."""

SAME = {*NORMS, aten.native_dropout, aten.alias, aten.detach, aten._to_copy, aten.hardswish_}
"""Pointwise operations that PyTorch does not tag as such."""

OVERWRITING = {aten.copy_, aten.fill_, aten.zero_}
"""Operations that leave nothing of the old content of their first argument."""

CONSTANT = {
    *(aten.zeros_like, aten.ones_like, aten.empty_like, aten.full_like),
    *(aten.rand_like, aten.randn_like),
    *(aten.new_zeros, aten.new_ones, aten.new_empty, aten.new_full),
}
"""Operations that use only the shape of their input."""


# --- Helpers -----------------------------------------------------------------------------------


def _union(known: Sequence[Seen], out: Tensor) -> Seen | None:
    """Return the smallest field that holds all given ones, if their positions lie on one grid."""
    head = known[0]
    on_one_grid = all(
        seen.n == head.n and (seen.field.jump == head.field.jump or seen.n == (1, 1))
        for seen in known
    )
    if not on_one_grid or (not _is_flat(out) and _positions(out) != head.n):
        return None
    (top, bottom), (left, right) = (_extent(known, axis) for axis in (0, 1))
    field = replace(head.field, size=(bottom - top, right - left), start=(top, left))
    # A channel that has seen the whole field makes up for one that has not.
    made_good = any(not seen.mixed and seen.field == field for seen in known)
    mixed = any(seen.mixed for seen in known) and not made_good
    return replace(head, field=field, mixed=mixed, num_blank=0)


def _extent(known: Sequence[Seen], axis: int) -> tuple[int, int]:
    """Return the first pixel that output 0 of any field sees, and the one after the last."""
    starts = [_pair(seen.field.start)[axis] for seen in known]
    sizes = [_pair(seen.field.size)[axis] for seen in known]
    return min(starts), max(map(sum, zip(starts, sizes, strict=True)))


def _shifted(result: Seen, before: Seen, offset: Sequence[int]) -> Seen:
    """Return the result with its start moved by so many positions of the layer before."""
    start, jump = _pair(result.field.start), _pair(before.field.jump)
    moved = (start[0] + offset[0] * jump[0], start[1] + offset[1] * jump[1])
    return replace(result, field=replace(result.field, start=moved))


def _is_channel(axis: Sequence[int], tensor: Tensor) -> bool:
    """Return whether an axis, by default 0, is neither the batch's nor one of the image."""
    return 0 < (axis[0] if axis else 0) % tensor.dim() < tensor.dim() - 2


def _is_flat(tensor: Tensor) -> bool:
    return tensor.dim() <= 2


def _positions(tensor: Tensor) -> Pair:
    height, width = tensor.shape[-2:]
    return int(height), int(width)


def _pair(size: Size | Sequence[int]) -> Pair:
    """Return a size as PyTorch stores it, [k] or [k_h, k_w] or k, as a pair."""
    values = _as_list(size)
    return values[0], values[-1]


def _as_list(value: Any) -> list[int]:
    return list(value) if isinstance(value, Iterable) else [value]


def _fill(given: Sequence[Any], defaults: Sequence[Any]) -> list[Any]:
    """Return the given arguments, and the defaults of those that were left out."""
    return [*given, *defaults[len(given) :]]
