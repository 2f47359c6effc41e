"""How many threads to compute with.

How they wait for each other is set from outside: see ``environment``. This file imports no torch,
so that a program can ask before it does.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor
from pathlib import Path

COUNT_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Processors:
    """What this process may compute on.

    Attributes:
        logical: Processors that it may be scheduled on.
        physical: Cores of the machine; two logical processors may share one.
        quota: Processors' worth of time that its control group may use; None for no limit.
    """

    logical: int
    physical: int
    quota: float | None = None


def recommended_threads(processors: Processors, num_processes: int = 1) -> int:
    """Return how many threads one process should compute with.

    One a physical core: two threads on one core wait for the same multipliers. Never more than
    the control group pays for: a container with 64 visible processors and a quota of 2 would
    spend its time stopped. The momentary load is left out on purpose: the number of threads
    decides the order of additions and so the last digits, which should not vary with it.

    Args:
        processors: Of this machine.
        num_processes: Processes that train together on this machine.
    """
    share = min(processors.logical, processors.physical)
    if processors.quota is not None:
        share = min(share, floor(processors.quota))
    return max(1, share // num_processes)


def find_processors() -> Processors:
    """Ask the operating system what this process may compute on."""
    logical = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return Processors(logical, _physical_cores() or logical, _quota())


def _physical_cores() -> int | None:
    """Count the cores of this machine on Linux; elsewhere torch's own choice is kept."""
    siblings = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    return len({path.read_text() for path in siblings}) or None


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
    if limit == "max" or int(limit) <= 0:
        return None
    return int(limit) / int(period)


@contextmanager
def limited_threads(num_processes: int = 1) -> Iterator[int]:
    """Compute with no more than the recommended number of threads, then as before.

    A number in the environment wins; so does a smaller one given to ``torch.set_num_threads``.

    Args:
        num_processes: Processes that train together on this machine.

    Yields:
        The number of threads in use.
    """
    import torch  # here, so that the file can be imported before torch

    before = torch.get_num_threads()
    count = before
    if not any(name in os.environ for name in COUNT_VARIABLES):
        count = min(before, recommended_threads(find_processors(), num_processes))
    try:
        if count != before:
            torch.set_num_threads(count)
        yield count
    finally:
        if count != before:
            torch.set_num_threads(before)


def explain(
    processors: Processors | None = None, environment: Mapping[str, str] = os.environ
) -> str:
    """Say in a sentence how many threads training uses, and why."""
    processors = processors or find_processors()
    for name in COUNT_VARIABLES:
        if name in environment:
            return f"Training uses {_threads(environment[name])}: {name} says so."
    count = recommended_threads(processors)
    reason = f"this process may use {processors.logical} processors on {processors.physical} cores"
    if processors.quota is not None:
        reason += f", and its control group pays for {processors.quota:g}"
    return f"Training uses {_threads(str(count))}: {reason}."


def _threads(count: str) -> str:
    return f"{count} thread" if count == "1" else f"{count} threads"
