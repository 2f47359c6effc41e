"""How many of PyTorch's operations a piece of code runs: what a timed test would guess at."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def num_operations(code: Callable[[], object]) -> int:
    """Return how many operations a call runs."""
    with _Counter() as counter:
        code()
    return counter.count
