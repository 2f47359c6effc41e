"""What this machine has, what that means for the course, and what to do about each problem."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from course_utils import data, runtime, startup
from course_utils.tables import Table

OLDEST_PYTHON = (3, 11)
NEEDED_GIGABYTES = 1.0  # of free disk: the notebooks' own files and one downloaded data set
GOOD, WARN = "ok", "look"


@dataclass(frozen=True)
class Finding:
    """One row of the doctor's table.

    Attributes:
        what: The thing looked at.
        state: ``ok``, or ``look`` where the reader has something to do.
        found: What it is like here, and what to do where something is to be done.
    """

    what: str
    state: str
    found: str


def doctor() -> Table:
    """Look at this machine and say what it means for the course.

    Changes nothing, downloads nothing and asks no network.

    Returns:
        A table that a notebook and a terminal both show: what, state, what was found.
    """
    findings = [
        check_python(),
        *check_packages(),
        check_device(),
        check_threads(),
        check_memory(),
        Finding("freed memory", GOOD, startup.explain_memory()),
        check_disk(Path.cwd()),
        check_profile(),
        *check_data(),
    ]
    rows = tuple((row.what, row.state, row.found) for row in findings)
    problems = sum(row.state == WARN for row in findings)
    caption = f"{problems} to look at" if problems else "All is ready."
    return Table(("what", "state", "found"), rows, caption)


def check_python() -> Finding:
    """Say whether this Python is recent enough."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("Python", GOOD, found)
    return Finding("Python", WARN, f"{found}: the course needs {'.'.join(map(str, OLDEST_PYTHON))}")


def check_packages() -> list[Finding]:
    """Say which versions of the packages that matter are installed."""
    findings = []
    for name in ("torch", "torchvision", "jupyterlab", "ipywidgets", "matplotlib"):
        try:
            findings.append(Finding(name, GOOD, version(name)))
        except PackageNotFoundError:
            findings.append(Finding(name, WARN, "missing: run `make lab` again"))
    return findings


def check_device() -> Finding:
    """Name the device that training will use."""
    device = runtime.choose_device()
    if device.type == "cuda":
        return Finding("device", GOOD, f"cuda: {torch.cuda.get_device_name(device)}")
    if device.type == "mps":
        return Finding("device", GOOD, "mps: the graphics part of this Mac")
    return Finding("device", GOOD, "cpu: no GPU found, and none is needed")


def check_threads() -> Finding:
    """Say how many threads training uses and how they wait, and why."""
    return Finding("threads", GOOD, f"{startup.explain_threads()} {startup.explain_waiting()}")


def check_memory() -> Finding:
    """Say how much memory the machine has, where the system tells."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return Finding("memory", GOOD, "this system does not tell; 4 GB are enough")
    if total >= 4:
        return Finding("memory", GOOD, f"{total:.0f} GB")
    return Finding("memory", WARN, f"{total:.1f} GB: close other programs before you train")


def check_disk(folder: Path) -> Finding:
    """Say whether notebooks can be saved in ``folder`` and a data set fits beside them."""
    free = shutil.disk_usage(folder).free / 1e9
    if not os.access(folder, os.W_OK):
        return Finding("disk", WARN, f"{folder} cannot be written to: copy the course elsewhere")
    if free < NEEDED_GIGABYTES:
        return Finding("disk", WARN, f"{free:.1f} GB free: make room, a data set needs up to 1 GB")
    return Finding("disk", GOOD, f"{free:.0f} GB free")


def check_profile() -> Finding:
    """Say which profile the lessons run in, and where that comes from."""
    try:
        name = runtime.profile_name()
    except ValueError as error:
        return Finding("profile", WARN, str(error))
    chosen = "set by COURSE_PROFILE" if os.environ.get("COURSE_PROFILE") else "chosen by the device"
    return Finding("profile", GOOD, f"{name}, {chosen}")


def check_data() -> list[Finding]:
    """Say for each data set whether it can be used now; a missing one is no problem."""
    return [
        Finding(f"data: {status.name}", GOOD, status.message)
        for status in map(data.status, data.names())
    ]
