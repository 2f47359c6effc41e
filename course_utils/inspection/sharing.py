"""Tensors that share memory, and who writes to it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch.utils._pytree import tree_leaves

__all__ = ["Overlap", "overlap", "storage_key", "tensors_in", "written_by"]

Overlap = Literal["same", "inside", "partly", "apart", "unknown"]


def storage_key(tensor: torch.Tensor) -> int:
    """Return what identifies a piece of memory while it is alive, on any device."""
    return tensor.untyped_storage()._cdata


def tensors_in(values: Any) -> list[torch.Tensor]:
    """Return the tensors in nested lists, tuples and dictionaries, in order."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def written_by(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the tensors that an operation, as a `TorchDispatchMode` sees it, changes in place."""
    named = func._schema.arguments
    values = [*zip(named, args, strict=False), *((a, kwargs.get(a.name)) for a in named)]
    return tensors_in([v for a, v in values if a.alias_info is not None and a.alias_info.is_write])


def overlap(written: torch.Tensor, other: torch.Tensor) -> Overlap:
    """Say how another tensor overlaps in memory with one that was written to.

    All of the other was written to, as a tensor of the same shape (`same`) or as some of its
    channels (`inside`); or part of it was (`partly`), or none (`apart`). An overlap is known
    only if the two differ in nothing but their channels.
    """
    if storage_key(written) != storage_key(other):
        return "apart"
    starts = [tensor.storage_offset() for tensor in (written, other)]
    ends = [
        start + sum((n - 1) * step for n, step in zip(t.shape, t.stride(), strict=True))
        for start, t in zip(starts, (written, other), strict=True)
    ]
    if starts[0] > ends[1] or starts[1] > ends[0]:
        return "apart"
    if (written.shape, written.stride(), starts[0]) == (other.shape, other.stride(), starts[1]):
        return "same"
    maps = written.dim() == other.dim() == 4 and written.stride() == other.stride()
    if not maps or _without_channels(written) != _without_channels(other):
        return "unknown"
    # The other's first map, counted from the written one's.
    first, rest = divmod(int(starts[1] - starts[0]), written.stride(1))
    if rest:
        return "unknown"
    last = first + other.shape[1]
    if first >= written.shape[1] or last <= 0:
        return "apart"
    return "inside" if first >= 0 and last <= written.shape[1] else "partly"


def _without_channels(tensor: torch.Tensor) -> tuple[int, ...]:
    return (tensor.shape[0], *tensor.shape[2:])
