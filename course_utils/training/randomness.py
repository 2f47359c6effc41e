"""Random numbers while training: seeded, saved, put back.

Layers such as dropout draw from the global generators; the order of the pictures comes from the
loaders' own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of the global generators that a model on the device draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Put back what ``random_state`` gave; a device that it does not know is left alone."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def seed_device(seed: int, device: torch.device) -> None:
    """Seed the global generators that a model on the device draws from, and no others."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators, and put them back afterwards as they were.

    Args:
        seed: Of all generators that a model on the device draws from.
        device: Where the model runs.
    """
    before = random_state(device)
    try:
        seed_device(seed, device)
        yield
    finally:
        set_random_state(before, device)


class Shuffler:
    """The generator behind the order of the training pictures, and where an epoch found it.

    Setting it back to there makes the same epoch again. Batches without a ``generator`` are
    taken to be the same at each pass.
    """

    def __init__(self, batches: object) -> None:
        self.generator: torch.Generator | None = getattr(batches, "generator", None)
        self.remembered = self.state()

    def state(self) -> Tensor | None:
        """Return the state of the generator now."""
        return None if self.generator is None else self.generator.get_state()

    def remember(self) -> None:
        """Take the generator's state for the beginning of an epoch."""
        self.remembered = self.state()

    def rewind(self, state: Tensor | None = None) -> None:
        """Set the generator to the beginning of the epoch, or to a state from a checkpoint."""
        self.remembered = self.remembered if state is None else state
        if self.generator is not None and self.remembered is not None:
            self.generator.set_state(self.remembered)
