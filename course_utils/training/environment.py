"""What a program should have in its environment before it starts Python.

Two libraries below torch read their settings there and nowhere else: OpenMP, when torch is
loaded, and the C library, when the process starts. This file imports no torch, so that a program
can ask here first.
"""

import os
import sys
from collections.abc import Mapping

WAITING_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
MEMORY_VARIABLES = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
VARIABLES = (*WAITING_VARIABLES, *MEMORY_VARIABLES)

# Turns of the waiting loop before a thread gives its processor away. GNU OpenMP's own default
# spins for many milliseconds: when a neighbour's process has taken the processor that is waited
# for, each layer of a small network then costs a time slice. These turns last about half a
# millisecond. Measured with LeNet on two cores, ms a step: quiet 9.3 (default 8.9, sleeping at
# once 11.5), with two to three busy neighbours 40 (default 270, sleeping at once 36).
SPIN_COUNT = 10_000

# A training step frees what it has allocated. GNU's C library hands much of that back to the
# system, and the next step fetches it again, page by page: ten thousand page faults a step of
# ResNet-20. Here it keeps up to 1 GiB, fetches in pages of 2 MiB where it can, and gives only
# single tensors above 32 MiB (its own upper bound) a place of their own. `benchmarks/training.py`
# has a row for both variables together: ResNet-20 in bfloat16 is 1.15 times as fast with them;
# LeNet, whose tensors are small and whose threads wait often, loses 7 % on a quiet machine.
TUNABLES = {
    "glibc.malloc.hugetlb": 1,
    "glibc.malloc.mmap_threshold": 32 * 2**20,
    "glibc.malloc.trim_threshold": 2**30,
}


def recommended_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that a program should set before it starts Python.

    They make a waiting thread give its processor away soon (see ``SPIN_COUNT``), and a process
    keep the memory that it has freed (see ``TUNABLES``). What the user has set about either
    wins, and then nothing is recommended for it. Only Linux has libraries that read them.
    """
    advice: dict[str, str] = {}
    if sys.platform != "linux":
        return advice
    if not _first_set(WAITING_VARIABLES, environment):
        advice["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
    if not _first_set(MEMORY_VARIABLES, environment):
        advice["GLIBC_TUNABLES"] = ":".join(f"{name}={value}" for name, value in TUNABLES.items())
    return advice


def start_again_as_recommended() -> None:
    """Run this program's command line anew, with what its environment lacks; then go on.

    The process stays the same one, with its number, its parent and its terminal. Call it before
    anything else happens.
    """
    missing = recommended_environment()
    if missing:
        words = [sys.executable, *sys.orig_argv[1:]]  # Python finds its packages by the first one
        os.execve(sys.executable, words, {**os.environ, **missing})


def explain_waiting(environment: Mapping[str, str] = os.environ) -> str:
    """Say in a sentence how waiting threads behave, and what would be better."""
    return _explain(
        WAITING_VARIABLES,
        environment,
        good="Waiting threads give their processor away soon",
        bad="Waiting threads spin, which can make training ten times slower when other programs "
        "are busy",
    )


def explain_memory(environment: Mapping[str, str] = os.environ) -> str:
    """Say in a sentence what becomes of freed memory, and what would be better."""
    return _explain(
        MEMORY_VARIABLES,
        environment,
        good="Memory that a training step frees is kept for the next one",
        bad="Memory that a training step frees goes back to the system and is fetched again, which "
        "can make training a tenth slower",
    )


def _explain(names: tuple[str, ...], environment: Mapping[str, str], *, good: str, bad: str) -> str:
    """Say who has set one of these variables, or what is the matter as nobody has."""
    advised = {name: value for name, value in recommended_environment({}).items() if name in names}
    name = _first_set(names, environment)
    if name is None and not advised:
        return f"{names[0]} and the like mean nothing on this system."
    if name is None:
        setting = " ".join(f"{name}={value}" for name, value in advised.items())
        return f"{bad}: start Python with {setting} in the environment."
    if advised.get(name) == environment[name]:
        return f"{good}: {name} says so."
    return f"{name}={environment[name]} is set, and is left as it is."


def _first_set(names: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """Return the first of some variables that is set, or None."""
    return next((name for name in names if name in environment), None)
