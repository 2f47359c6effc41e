"""Whether processes that should end have ended."""

import time
from collections.abc import Iterable

import psutil


def is_there(process: psutil.Process) -> bool:
    """Whether a process lives; one that has ended and waits to be noticed does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def left_over(family: Iterable[psutil.Process], seconds: float = 60) -> list[psutil.Process]:
    """Return what is still there after this time at the latest."""
    family, end = list(family), time.monotonic() + seconds
    while left := [member for member in family if is_there(member)]:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return left
