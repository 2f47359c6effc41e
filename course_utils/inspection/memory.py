"""How much memory one training step takes, counted on any device, or without one."""

import weakref
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.inspection.capture import in_mode
from course_utils.inspection.sharing import storage_key, tensors_in

__all__ = ["TrainingMemory", "training_memory"]


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of one forward and backward pass, on top of the parameters and the images.

    Attributes:
        saved: What the forward pass keeps for the backward pass: activations, and little else.
        peak: The most that is alive at any moment of the two passes: what was saved, what is
            being computed, and the gradients so far.
    """

    saved: int
    peak: int


def training_memory(model: nn.Module, images: Tensor) -> TrainingMemory:
    """Count the bytes that one training step keeps, and the most it holds at any moment.

    The count is of tensors, the same on every device: it leaves out working space inside a kernel
    and what an allocator keeps in reserve. A model and images on the meta device are
    counted without being computed, so that even DenseNet-201 with 256 images takes no memory.
    The model is left as it was: its mode, buffers and gradients, and the random state.

    Args:
        model: Returns logits, or a NamedTuple of them; used in training mode.
        images: (N, C, H, W), float, on the model's device.

    Raises:
        ValueError: No parameter of the model takes a gradient, so nothing would be kept.

    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())
    >>> training_memory(net, torch.zeros(4, 1, 10, 10)).saved == 4 * 8 * 8 * 8 * 4
    True
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("no parameter of the model takes a gradient: set requires_grad on some")
    own = {storage_key(tensor) for tensor in (*model.parameters(), *model.buffers(), images)}
    kept: dict[int, torch.UntypedStorage] = {}
    live = LiveBytes(own)

    def keep(tensor: Tensor) -> Tensor:
        # Two layers that save the same tensor, or views of it, share one piece of memory. It is
        # held until it is counted, so that no other can come to lie at its address.
        if storage_key(tensor) not in own:
            kept[storage_key(tensor)] = tensor.untyped_storage()
        return tensor

    with in_mode(model, training=True), torch.random.fork_rng(), torch.enable_grad(), live:
        model.train()  # dropout, too: its masks are kept for the backward pass
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            sums = [output.sum() for output in tensors_in(model(images))]
        num_saved = sum(storage.nbytes() for storage in kept.values())
        kept.clear()
        torch.autograd.grad(sums, parameters, allow_unused=True)
    return TrainingMemory(num_saved, live.peak)


class LiveBytes(TorchDispatchMode):
    """Follows the memory of all tensors computed inside it, as long as they live.

    Memory with one of its `own` keys exists anyway, and is not counted.
    """

    def __init__(self, own: Container[int] = ()) -> None:
        super().__init__()
        self.now = self.peak = 0  # bytes alive at this moment, and the most so far
        self._own = own
        self._alive: dict[int, weakref.ref] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation, then note the memory of its results."""
        out = func(*args, **(kwargs or {}))
        for tensor in tensors_in(out):
            self._note(tensor)
        return out

    def _note(self, tensor: Tensor) -> None:
        key, storage = storage_key(tensor), tensor.untyped_storage()
        if key in self._own or key in self._alive:
            return
        num_bytes = storage.nbytes()

        def freed(_: weakref.ref) -> None:
            del self._alive[key]
            self.now -= num_bytes

        self._alive[key] = weakref.ref(storage, freed)
        self.now += num_bytes
        self.peak = max(self.peak, self.now)
