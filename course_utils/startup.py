"""What a program can decide before it loads torch: threads, how they wait, which memory it keeps.

Two libraries below torch read their settings only from the environment: OpenMP when torch is
loaded, and the C library when the process starts. Importing this module does not load
torch, so that a program can ask here first.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor
from pathlib import Path

__all__ = [
    "SPIN_COUNT",
    "VARIABLES",
    "Processors",
    "explain_environment",
    "explain_threads",
    "find_processors",
    "limited_threads",
    "recommended_environment",
    "recommended_threads",
    "start_again_as_recommended",
]

COUNT_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Whoever sets one of these has decided the matter; otherwise the first is set.
WAITING_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
MEMORY_VARIABLES = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
VARIABLES = (*WAITING_VARIABLES, *MEMORY_VARIABLES)

# Turns of the waiting loop before a thread gives up its processor. GNU OpenMP's own default
# spins for many milliseconds: if another process has taken the processor that a thread
# waits for, each layer of a small network then costs a time slice. These turns last about half a
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
ADVICE = {
    WAITING_VARIABLES: str(SPIN_COUNT),
    MEMORY_VARIABLES: ":".join(f"{name}={value}" for name, value in TUNABLES.items()),
}


@dataclass(frozen=True)
class Processors:
    """The processors that this process may compute on.

    Attributes:
        logical: Logical processors that it may be scheduled on.
        physical: Cores of the machine; two logical processors may share one.
        quota: Processors' worth of time that its control group may use; None for no limit.
    """

    logical: int
    physical: int
    quota: float | None = None


def find_processors() -> Processors:
    """Ask the operating system what this process may compute on."""
    logical = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    siblings = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    physical = len({path.read_text() for path in siblings})  # 0 on systems without such files
    return Processors(logical, physical or logical, _quota())


def _quota() -> float | None:
    """Read the limit of this process's control group, version 2 or 1."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text()
            period = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    return None if limit == "max" or int(limit) <= 0 else int(limit) / int(period)


def recommended_threads(processors: Processors, num_processes: int = 1) -> int:
    """Return how many threads one process should compute with.

    One per physical core: two threads on one core wait for the same multipliers. Never more than
    the control group allows: a container with 64 visible processors and a quota of 2 would
    spend its time stopped. The current load is ignored on purpose: the number of threads
    decides the order of additions and so the last digits, which should not vary with it.

    Args:
        processors: Those of this machine.
        num_processes: Processes that train together on this machine.
    """
    share = min(processors.logical, processors.physical)
    if processors.quota is not None:
        share = min(share, floor(processors.quota))
    return max(1, share // num_processes)


@contextmanager
def limited_threads(num_processes: int = 1) -> Iterator[int]:
    """Compute with at most the recommended number of threads, and restore the number afterwards.

    A number in the environment wins; so does a smaller one given to `torch.set_num_threads`.

    Args:
        num_processes: Processes that train together on this machine.

    Yields:
        The number of threads in use.
    """
    import torch  # here, so that the module can be imported before torch

    before = count = torch.get_num_threads()
    if not _first_set(COUNT_VARIABLES):
        count = min(before, recommended_threads(find_processors(), num_processes))
    try:
        if count != before:
            torch.set_num_threads(count)
        yield count
    finally:
        if count != before:
            torch.set_num_threads(before)


def recommended_environment() -> dict[str, str]:
    """Return the variables that a program should set before it starts Python.

    They make a waiting thread give up its processor soon (see `SPIN_COUNT`), and a process
    keep the memory that it has freed (see `TUNABLES`). If the user has set either, nothing is
    recommended for it. Only Linux has libraries that read them.
    """
    if sys.platform != "linux":
        return {}
    return {names[0]: value for names, value in ADVICE.items() if not _first_set(names)}


def start_again_as_recommended() -> None:
    """Run this program's command line again, with what its environment lacks; then go on.

    The process stays the same, with its number, its parent and its terminal. Call it before
    anything else happens.
    """
    missing = recommended_environment()
    if missing:
        words = [sys.executable, *sys.orig_argv[1:]]  # Python finds its packages by the first
        os.execve(sys.executable, words, {**os.environ, **missing})


def explain_threads() -> str:
    """Say in a sentence how many threads training uses, and why."""
    processors, name = find_processors(), _first_set(COUNT_VARIABLES)
    count = os.environ[name] if name else str(recommended_threads(processors))
    reason = f"this process may use {processors.logical} processors on {processors.physical} cores"
    if name:
        reason = f"{name} says so"
    elif processors.quota is not None:
        reason += f", and its control group allows {processors.quota:g}"
    return f"Training uses {count} thread{'' if count == '1' else 's'}: {reason}."


def explain_environment() -> dict[str, str]:
    """Say in a sentence how threads wait and where freed memory goes, and what is better."""
    return {
        "waiting threads": _explain(
            WAITING_VARIABLES,
            good="Waiting threads give up their processor soon",
            bad="Waiting threads spin, which can make training ten times slower when other "
            "programs are busy",
        ),
        "freed memory": _explain(
            MEMORY_VARIABLES,
            good="Memory that a training step frees is kept for the next one",
            bad="Memory that a training step frees goes back to the system and is fetched again, "
            "which can make training a tenth slower",
        ),
    }


def _explain(names: tuple[str, ...], good: str, bad: str) -> str:
    """Say which of these variables is set, or what the effect is if none is."""
    if name := _first_set(names):
        setting = f"{name}={os.environ[name]}"
        is_ours = setting == f"{names[0]}={ADVICE[names]}"
        return f"{good}: {name} says so." if is_ours else f"{setting} is set, and stays as it is."
    if sys.platform != "linux":
        return f"{names[0]} and the like have no effect on this system."
    return f"{bad}: start Python with {names[0]}={ADVICE[names]} in the environment."


def _first_set(names: tuple[str, ...]) -> str | None:
    """Return the first of some variables that is set, or None."""
    return next((name for name in names if name in os.environ), None)
