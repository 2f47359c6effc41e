"""Training in several processes, under PyTorch's own launcher, `torchrun`.

Every process builds the same model and the same loaders from the same seed, takes its share of
each batch, and averages its gradients with the others'. So the batch size means the images
per update, however many processes share them.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from course_utils.data import Batches
from course_utils.runtime import choose_device, find_device

__all__ = ["World", "current_world", "process_group", "running_statistics"]

RUNNING_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class World:
    """The processes that train together; by default, only one.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
        local_size: Number of them on this machine.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def share(self, batches: Batches) -> Batches:
        """Return this process's share of every batch.

        Raises:
            ValueError: The batches cannot be shared.
        """
        if self.size == 1:
            return batches
        if not hasattr(batches, "shard"):
            raise ValueError(
                f"{type(batches).__name__} cannot be shared among {self.size} processes: "
                "give it a method shard(rank, world_size), or use course_utils.data.load"
            )
        return batches.shard(self.rank, self.size)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return a model whose gradients are averaged over the processes after backward."""
        if self.size == 1:
            return model
        devices = [device.index] if device.type == "cuda" else None
        # Running statistics are averaged once an epoch instead, see average_statistics.
        is_new = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
        switch = "forward_sync_buffers" if is_new else "broadcast_buffers"  # torch 2.14, before
        options: dict[str, Any] = {"device_ids": devices, switch: False}
        return DistributedDataParallel(model, **options)

    def gradients_averaged(self, network: nn.Module, now: bool) -> AbstractContextManager[object]:
        """Return the context of a backward pass: exchange gradients now, or keep adding them."""
        if isinstance(network, DistributedDataParallel) and not now:
            return network.no_sync()
        return nullcontext()

    def total(self, number: int, device: torch.device) -> int | Tensor:
        """Return the sum of a number over all processes, without waiting for the device."""
        if self.size == 1:
            return number
        return self.sum(torch.tensor(float(number), device=device), device)

    def check_agreement(self, steps_per_epoch: int, generator_state: Tensor | None) -> None:
        """Make sure that all processes see the same batches.

        Raises:
            ValueError: They do not.
        """
        state = b"" if generator_state is None else generator_state.numpy().tobytes()
        mine = (steps_per_epoch, state)
        if any(other != mine for other in self.gather(mine)):
            raise ValueError(
                f"the {self.size} processes would not see the same batches: seed the loaders' "
                "generator the same way in all of them, and load the same data"
            )

    def sum(self, values: Tensor, device: torch.device) -> Tensor:
        """Return the sum of a tensor over all processes, which exchange it on the device."""
        if self.size == 1:
            return values
        total = values.to(device, copy=True)
        dist.all_reduce(total)
        return total.to(values.device)

    def average_statistics(self, model: nn.Module) -> None:
        """Give all processes the mean of their BatchNorm statistics, each from its own share."""
        for buffer in running_statistics(model).values():
            buffer.copy_(self.sum(buffer, buffer.device) / self.size)

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that differ between processes: BatchNorm's running mean and variance."""
    buffers = model.named_buffers()
    return {name: b for name, b in buffers if name.rpartition(".")[2] in RUNNING_STATISTICS}


def current_world() -> World:
    """Return the processes that this one trains with."""
    if not dist.is_available() or not dist.is_initialized():
        return World()
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", dist.get_world_size()))
    return World(dist.get_rank(), dist.get_world_size(), local_size)


@contextmanager
def process_group(device: torch.device | str | None = None) -> Iterator[tuple[World, torch.device]]:
    """Join the processes that `torchrun` started; without it, do nothing.

    Each process takes the GPU of its own number on its machine. Tensors travel over nccl between
    GPUs and over gloo between CPUs.

    Args:
        device: Where to train; None means the fastest device of this machine, and under
            torchrun, this process's GPU, or the CPU.

    Yields:
        The world, and the device of this process.

    Raises:
        ValueError: There are more processes on this machine than GPUs.
    """
    if "LOCAL_RANK" not in os.environ:
        yield current_world(), find_device(device) if device else choose_device()
        return
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        device = _own_card(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    store, rank, size = _meeting_place()
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield current_world(), device
    finally:
        dist.destroy_process_group()


def _meeting_place() -> tuple[dist.Store, int, int]:
    """Return the store in which the processes find each other, this one's rank, their number.

    The launcher's store outlives a restart, with the addresses of dead processes in it. So on
    one machine each attempt gets a prefix of its own. On several machines the launchers may count
    attempts differently; there `TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1` does the same.
    """
    store, rank, size = next(dist.rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.PrefixStore(f"attempt-{attempt}", store)
    return store, rank, size


def _own_card(local_rank: int) -> torch.device:
    """Return the GPU of a process, and make it the current one."""
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f"process {local_rank} of this machine has no GPU: start at most "
            f"--nproc-per-node {torch.cuda.device_count()} processes, or train on the CPU"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
