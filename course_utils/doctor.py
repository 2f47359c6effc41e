"""Whether this machine is ready for the course, and what to do if not."""

import html
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from course_utils import data, runtime, startup
from course_utils.lab import forgotten_servers
from course_utils.tables import Table

__all__ = ["Finding", "Report", "doctor"]

NEEDED_GIGABYTES = 1.0  # of free disk: the notebooks' own files and one downloaded data set
GOOD, WARN = "ok", "look"
MORE = "`python -m course_utils doctor --all` shows everything that was checked."


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor checked.

    Attributes:
        what: Its name.
        state: `ok`, or `look` if you have something to do.
        found: What was found, and what to do about it, if anything.
    """

    what: str
    state: str
    found: str


@dataclass(frozen=True, repr=False)
class Report:
    """The verdict and what to do; the table of everything on request.

    Attributes:
        findings: All of them, in the order of the table.
    """

    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings with something to do."""
        return tuple(finding for finding in self.findings if finding.state == WARN)

    @property
    def verdict(self) -> str:
        """One line that says whether the course can begin."""
        number = len(self.problems)
        things = f"{number} thing{'s' * (number > 1)} to look at:"
        return things if number else "Everything is ready."

    def table(self) -> Table:
        """Return a table of what was checked, its state and what was found."""
        rows = tuple((row.what, row.state, row.found) for row in self.findings)
        return Table(("what", "state", "found"), rows)

    def __str__(self) -> str:
        """Return the verdict and what to do, as a terminal shows it."""
        problems = (f"- {problem.what}: {problem.found}" for problem in self.problems)
        return "\n".join([self.verdict, *problems, MORE])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same as a notebook shows it, the table folded away below."""
        problems = "".join(
            f"<li>{html.escape(problem.what)}: {html.escape(problem.found)}</li>"
            for problem in self.problems
        )
        return (
            f"<p><strong>{self.verdict}</strong></p>{problems and f'<ul>{problems}</ul>'}"
            f"<details><summary>What was checked</summary>{self.table()._repr_html_()}</details>"
        )


def doctor(everything: bool = False) -> Report:
    """Check this machine and say whether the course can begin.

    It changes nothing, downloads nothing and does not use the network.

    Args:
        everything: Whether to check the environment variables that affect speed, too.

    Returns:
        The verdict, which a notebook and a terminal both show, and all findings.
    """
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    findings = [
        Finding("Python", GOOD, python),
        *check_packages(),
        check_device(),
        Finding("threads", GOOD, startup.explain_threads()),
        check_memory(),
        check_disk(Path.cwd()),
        check_profile(),
        *check_servers(),
        *(Finding(f"data: {name}", GOOD, data.status(name)) for name in data.names()),
    ]
    if everything:
        explained = startup.explain_environment().items()
        findings += [Finding(matter, GOOD, found) for matter, found in explained]
    return Report(tuple(findings))


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
        return Finding("device", GOOD, "mps: the GPU of this Mac")
    return Finding("device", GOOD, "cpu: no GPU found, and none is needed")


def check_memory() -> Finding:
    """Say how much memory the machine has, if the system tells."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return Finding("memory", GOOD, "this system does not say; 4 GB is enough")
    if total >= 4:
        return Finding("memory", GOOD, f"{total:.0f} GB")
    return Finding("memory", WARN, f"{total:.1f} GB: close other programs before you train")


def check_disk(folder: Path) -> Finding:
    """Check whether notebooks can be saved in `folder` and a data set fits beside them."""
    free = shutil.disk_usage(folder).free / 1e9
    if not os.access(folder, os.W_OK):
        return Finding("disk", WARN, f"{folder} cannot be written to: copy the course elsewhere")
    if free < NEEDED_GIGABYTES:
        return Finding("disk", WARN, f"{free:.1f} GB free: make room for a data set, up to 1 GB")
    return Finding("disk", GOOD, f"{free:.0f} GB free")


def check_profile() -> Finding:
    """Say which profile the lessons run in, and what determines it."""
    try:
        name = runtime.profile_name()
    except ValueError as error:
        return Finding("profile", WARN, str(error))
    chosen = (
        "set by COURSE_PROFILE" if os.environ.get("COURSE_PROFILE") else "chosen for this device"
    )
    return Finding("profile", GOOD, f"{name}, {chosen}")


def check_servers() -> list[Finding]:
    """Name each JupyterLab of the course that was left running, and say how to stop it."""
    return [
        Finding(
            f"port {server.port}",
            WARN,
            "JupyterLab is still running here although its terminal is closed, which can slow the "
            f"course down; stop it with: {sys.executable} -m jupyter_server stop {server.port}",
        )
        for server in forgotten_servers()
    ]
