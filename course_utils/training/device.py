"""Where data and model meet: device, memory layout, number format and random generators."""

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from course_utils.arguments import instance, one_of
from course_utils.data import Batches, Loaders
from course_utils.training.config import Precision

__all__ = ["Shuffler", "autocast", "choose_precision", "device_of_model", "seeded"]

CPU_BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")  # as Linux and torch both spell them


def check_model(model: nn.Module) -> None:
    """Make sure that a model is a module whose sizes are known.

    Raises:
        ValueError: It is not.
    """
    instance("model", model, nn.Module, "one, such as models.build(...)")
    if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        raise ValueError("the model's lazy layers have no sizes yet: call model(images) once")


def device_of_model(model: nn.Module) -> torch.device:
    """Return the device of a model's parameters; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def device_of_data(loaders: Loaders) -> torch.device:
    """Return the device of the validation images, whose order is fixed."""
    with torch.random.fork_rng(devices=[]):  # a DataLoader draws from the global generator
        return images_and_labels(next(iter(loaders.val), ()))[0].device


def images_and_labels(batch: Any) -> tuple[Tensor, Tensor]:
    """Return the two tensors of a batch.

    Raises:
        ValueError: It is not made of two tensors with one entry for each image.
    """
    parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
    if len(parts) != 2 or not all(isinstance(part, Tensor) and part.dim() for part in parts):
        kinds = ", ".join(type(part).__name__ for part in parts)
        raise ValueError(f"a batch is two tensors, images and labels, but this one is ({kinds})")
    images, labels = parts
    if len(images) != len(labels):
        raise ValueError(f"a batch has {len(images)} images, but {len(labels)} labels")
    return images, labels


def move_batch(batch: Any, device: torch.device, channels_last: bool) -> tuple[Tensor, Tensor]:
    """Move a batch to a device; a batch that is already there is not copied.

    Args:
        batch: Images (B, C, H, W), or (B, D) for a model of plain vectors, and labels (B,).
        device: The model's device.
        channels_last: Whether to lay images out as NHWC; their shape stays the same.

    Raises:
        ValueError: It is not a batch.
    """
    images, labels = images_and_labels(batch)
    images = images.to(device, non_blocking=True)
    if channels_last and images.dim() == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    return images, labels.to(device, non_blocking=True)


def laid_out(batches: Batches, channels_last: bool) -> Batches:
    """Return the batches laid out as NHWC from the start, if they support it."""
    if channels_last and hasattr(batches, "memory_format") and hasattr(batches, "with_options"):
        return batches.with_options(memory_format=torch.channels_last)
    return batches


def choose_precision(name: Precision, device: torch.device) -> torch.dtype:
    """Return the format in which a model's products are computed on a device.

    `auto` is bfloat16 where the hardware multiplies it natively: CUDA from the Ampere
    generation on, and CPUs with AMX or AVX512-BF16. Elsewhere bfloat16 is emulated and slow,
    so `auto` is float32 there. bfloat16 has float32's range, so no loss scaling is needed.

    Raises:
        ValueError: The name is none of the four.
    """
    if one_of("precision", name, get_args(Precision)) != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        is_fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        is_fast = device.type == "cpu" and bool(cpu_flags() & set(CPU_BFLOAT16_FLAGS))
    return torch.bfloat16 if is_fast else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which a forward pass computes in the given format."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def cpu_flags() -> set[str]:
    """Return the instruction sets of this CPU that matter here; empty where none is known."""
    if hasattr(torch.cpu, "get_capabilities"):  # newer torch asks the CPU itself
        return {flag for flag, present in torch.cpu.get_capabilities().items() if present is True}
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of the global generators that a model on the device draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        state[device.type] = torch.get_device_module(device).get_rng_state(device)
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Restore what `random_state` returned; a device that it does not know is left alone."""
    torch.set_rng_state(state["cpu"])
    if device.type != "cpu" and device.type in state:
        torch.get_device_module(device).set_rng_state(state[device.type], device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators that a model on the device draws from, then put them back."""
    before = random_state(device)
    try:
        places = {"cpu": torch.device("cpu"), device.type: device}
        generators = {kind: torch.Generator(place) for kind, place in places.items()}
        fresh = {kind: dice.manual_seed(seed).get_state() for kind, dice in generators.items()}
        set_random_state(fresh, device)
        yield
    finally:
        set_random_state(before, device)


class Shuffler:
    """The generators behind the order of the training images, and their states before an epoch.

    Batches draw from a `generator` of their own, or of their sampler, or from the global
    generators as a `DataLoader` does. With the states restored, they yield the same epoch again.
    """

    def __init__(self, batches: Any, device: torch.device) -> None:
        owners = (batches, getattr(batches, "sampler", None))  # the sampler of a DataLoader
        found = [getattr(owner, "generator", None) for owner in owners]
        self.generator: torch.Generator | None = found[0] or found[1]
        self.device = device
        self.remember()

    def remember(self) -> None:
        """Store the generators' states as the beginning of an epoch."""
        self.own = None if self.generator is None else self.generator.get_state()
        self.shared = random_state(self.device)

    def epoch(self, batches: Batches, num_done: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the stored epoch again, without the batches that are already done."""
        if self.generator is not None and self.own is not None:
            self.generator.set_state(self.own)
        if not num_done:
            self.shared = random_state(self.device)
            return iter(batches)
        now = random_state(self.device)
        set_random_state(self.shared, self.device)
        rest = iter(batches)
        deque(islice(rest, num_done), maxlen=0)
        set_random_state(now, self.device)
        return rest
