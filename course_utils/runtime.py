"""Where and how a lesson runs: device, seed, profile, and claims that are checked."""

import os
import random
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf
from typing import Any, Literal, get_args

import numpy as np
import torch

from course_utils.arguments import one_of, shown, whole

__all__ = [
    "PROFILE_NAMES",
    "Profile",
    "ProfileName",
    "asked",
    "choose_device",
    "expect",
    "find_device",
    "profile",
    "profile_name",
    "seed_everything",
]

ProfileName = Literal["quick", "laptop", "full"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True)
class Profile:
    """How much one lesson trains, for one kind of reader.

    Attributes:
        name: `quick` (a check that everything runs), `laptop` or `full`.
        data: Name of the data set, as `course_utils.data.load` takes it.
        epochs: Passes over the training set.
        batch_size: Images in a batch.
        lr: Highest learning rate of the schedule.
        limit: Training images used; 0 means all of them.
        checks_claims: Whether `expect` asserts what the lesson says about trained models.
    """

    name: ProfileName
    data: str
    epochs: int
    batch_size: int
    lr: float
    limit: int
    checks_claims: bool

    @property
    def loading(self) -> dict[str, Any]:
        """Options for `course_utils.data.load`, beside the name of the data set."""
        return {"batch_size": self.batch_size, "limit": self.limit or None}


def choose_device() -> torch.device:
    """Return the fastest device of this machine: cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def find_device(device: torch.device | str) -> torch.device:
    """Return a device by its name.

    Raises:
        ValueError: This machine has no such device.
    """
    try:
        return torch.empty(0, device=torch.device(device)).device
    except Exception as error:  # the type depends on how torch was built
        raise ValueError(f"there is no device {shown(device)} here: use 'cpu'") from error


@contextmanager
def asked(images: torch.Tensor) -> Iterator[None]:
    """Turn the error for images that a model cannot take into a ValueError of one sentence."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:
        given, reason = f"{tuple(images.shape)}, {images.dtype}", str(error).partition("\n")[0]
        raise ValueError(f"the model fails on images of {given}: {reason}") from error


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python's, NumPy's and torch's global generators.

    The variable `COURSE_SEED_OFFSET` is added to the seed, so that a maintainer can run a whole
    lesson again with other random numbers and see whether its claims still hold.

    Args:
        seed: Any integer from 0 to 2**32 - 1.

    Returns:
        A new CPU generator with the same seed, to pass to whatever takes one.

    Raises:
        ValueError: The seed is not an integer, or out of range.
    """
    seed = whole("seed", seed, least=-inf) + int(os.environ.get("COURSE_SEED_OFFSET", "0"))
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed {seed} is out of range: use an integer from 0 to {2**32 - 1}")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator is what a learner's code may use
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def profile_name() -> ProfileName:
    """Return the profile in force: `COURSE_PROFILE`, else full with a GPU, else laptop.

    Raises:
        ValueError: `COURSE_PROFILE` is not one of the three names.
    """
    name = os.environ.get("COURSE_PROFILE")
    if not name:
        return "laptop" if choose_device().type == "cpu" else "full"
    return one_of("COURSE_PROFILE", name, PROFILE_NAMES)


def profile(lesson: str | None = None, *, name: ProfileName | None = None) -> Profile:
    """Return the settings of a lesson under the profile in force.

    Args:
        lesson: The lesson's slug, such as `07_lenet`; None for the profile's defaults.
        name: One of `PROFILE_NAMES`; None for the profile in force.

    Raises:
        ValueError: There is no such profile.

    Example:
        >>> profile("07_lenet").data in ("fashion_mnist_mini", "fashion_mnist")
        True
    """
    in_force = profile_name() if name is None else one_of("name", name, PROFILE_NAMES)
    settings = _profile_table()[in_force]
    chosen = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    return Profile(name=in_force, **(chosen | settings.get(lesson or "", {})))


@cache
def _profile_table() -> dict[str, dict]:
    """Read `profiles.toml` once: profile -> default settings, and slug -> what it changes."""
    return tomllib.loads(files("course_utils").joinpath("profiles.toml").read_text("utf-8"))


def expect(claim: bool, sentence: str, *, trained: bool = False) -> None:
    """Assert a lesson's claim, so that a false one stops the notebook.

    Args:
        claim: What must be true.
        sentence: The claim in words; printed when it holds.
        trained: Whether the claim is about a trained model. The quick profile trains too little
            for such claims, so it says so instead of asserting them.

    Raises:
        AssertionError: The claim does not hold.
    """
    if trained and not profile().checks_claims:
        print(f"not checked in the quick profile: {sentence}")
    elif claim:
        print(f"✓ {sentence}")
    else:
        raise AssertionError(f"the lesson claims this, but here it does not hold: {sentence}")
