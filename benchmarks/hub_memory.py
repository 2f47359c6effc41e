"""Memory of a learner on the hub, as the sizing in classroom/hub.md needs it.

    python benchmarks/hub_memory.py [--profile laptop] [--write]

Run it as root, on Linux. It starts the course's own hub, logs learners in, and lets all of them run
lesson 07 at the same time, while it reads the memory of their processes about twice a second. PSS
divides a page among the processes that share it, so you may add up the PSS of many learners. It
leaves out memory that the system can take back, such as files that were read.
"""

import argparse
import importlib.util
import math
import re
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import psutil
from report import RESULTS, circumstances, markdown, write_section

from course_utils.tables import Table

ROOT = Path(__file__).parents[1]
LESSON = ROOT / "notebooks" / "07_lenet.ipynb"
KERNEL = "ipykernel_launcher"
LEARNERS = 2
CLASSES = (30, 300)
HEADROOM = 1.25  # not everybody runs only this lesson, and another kernel is soon started
SYSTEM_GB = 2.0  # the system, the hub and its proxy
NODE_GB = 64


@dataclass(frozen=True)
class Measured:
    """Megabytes of PSS per learner, mean over the learners.

    Attributes:
        idle: The server, before a notebook is opened.
        server: The server, at its largest.
        loaded: The kernel, after `import torch` and the course's package.
        kernel: The kernel, at its largest in the lesson.
        together: All of a learner's processes, at their largest.
    """

    idle: float
    server: float
    loaded: float
    kernel: float
    together: float


def load(folder: str, name: str) -> ModuleType:
    """Import a module of the tests."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def pss(pid: int) -> float:
    """Return the megabytes of a process; 0 if it has gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def memory_of(user: int) -> dict[str, float]:
    """Return the megabytes of a user's server and kernels."""
    total = {"server": 0.0, "kernel": 0.0}
    for process in psutil.process_iter():
        try:
            if process.uids().real == user:
                is_kernel = KERNEL in process.cmdline()
                total["kernel" if is_kernel else "server"] += pss(process.pid)
        except psutil.Error:
            continue
    return total


class Meter(threading.Thread):
    """A thread that reads the memory of users again and again, and keeps each maximum."""

    def __init__(self, users: list[int]) -> None:
        """Take the users' names."""
        super().__init__(daemon=True)
        self.users = users
        self.peak: dict[tuple[int, str], float] = defaultdict(float)
        self._over = threading.Event()

    def run(self) -> None:
        """Read until told to stop."""
        while not self._over.wait(0.5):
            for user in self.users:
                now = memory_of(user)
                for name, value in (now | {"together": sum(now.values())}).items():
                    self.peak[user, name] = max(self.peak[user, name], value)

    def stop(self) -> None:
        """Stop reading."""
        self._over.set()
        self.join()

    def mean(self, name: str) -> float:
        """Return the mean of the users' maxima."""
        return sum(self.peak[user, name] for user in self.users) / len(self.users)


def measure(profile: str) -> Measured:
    """Start the hub, let the learners run the lesson, and read their memory."""
    tools, needs = load("classroom", "hub_machine"), load("shared", "programs").NEEDS
    hub = [needs[name] for name in ("root", "mounts", "hub_proxy", "bubblewrap")]
    if missing := [need.name for need in hub if not need.find()]:
        sys.exit(f"a hub for several users needs {', '.join(missing)}")
    tools.sweep()
    machine = tools.Machine(LEARNERS)
    try:
        with machine, ThreadPoolExecutor(LEARNERS) as pool:
            learners = [tools.Person(machine, name) for name in machine.learners]
            list(pool.map(tools.Person.start, learners))
            return run_lesson(machine, learners, profile, pool)
    finally:
        machine.leftovers()


def run_lesson(machine: Any, learners: list[Any], profile: str, pool: Any) -> Measured:
    """Run the lesson for all learners at once; return the memory that it took."""
    users = [machine.gid + 2 + place for place in range(LEARNERS)]  # after the teacher
    time.sleep(5)  # what a server does after its start
    idle = sum(memory_of(user)["server"] for user in users) / LEARNERS
    start = f"import os\nos.environ['COURSE_PROFILE'] = {profile!r}"
    imports = "import torch, torchvision, course_utils.training, course_utils.plots"
    loaded = Meter(users)
    loaded.start()
    list(pool.map(lambda learner: learner.run(start, imports), learners))
    loaded.stop()
    cells = [cell.source for cell in nbformat.read(LESSON, 4).cells if cell.cell_type == "code"]
    meter = Meter(users)
    meter.start()
    printed = list(pool.map(lambda learner: learner.run(start, *cells), learners))
    meter.stop()
    failed = [text for texts in printed for text in texts if re.match(r"(?s).*Error: ", text)]
    if failed:
        sys.exit(f"the lesson failed: {failed[0]}")
    return Measured(
        idle, meter.mean("server"), loaded.mean("kernel"), meter.mean("kernel"),
        meter.mean("together"),
    )  # fmt: skip


def as_table(measured: Measured) -> Table:
    """Return the figures of one learner."""
    rows = (
        ("server, no notebook open", round(measured.idle)),
        ("server, at its largest", round(measured.server)),
        ("kernel, torch and the course imported", round(measured.loaded)),
        ("kernel, at its largest", round(measured.kernel)),
        ("a learner altogether, at most", round(measured.together)),
    )
    return Table(("what", "PSS, MB"), rows)


def sizing(measured: Measured) -> str:
    """Return the arithmetic for classes of some sizes."""
    each = measured.together * HEADROOM / 1024
    lines = [
        f"- a learner: {measured.together:.0f} MB x {HEADROOM} for a second small notebook = "
        f"{each:.2f} GB"
    ]
    for learners in CLASSES:
        total = learners * each + SYSTEM_GB
        lines.append(
            f"- {learners} learners: {learners} x {each:.2f} GB + {SYSTEM_GB:g} GB for the system "
            f"and the hub = {total:.0f} GB"
        )
    fit = math.floor((NODE_GB - SYSTEM_GB) / each)
    lines.append(
        f"- nodes of {NODE_GB} GB: ({NODE_GB} - {SYSTEM_GB:g}) / {each:.2f} = {fit} learners a "
        f"node, {math.ceil(CLASSES[-1] / fit)} nodes for {CLASSES[-1]}"
    )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and maybe write."""
    parser = argparse.ArgumentParser(description="Memory of a learner on the hub.")
    parser.add_argument("--profile", choices=("quick", "laptop"), default="laptop")
    parser.add_argument("--write", action="store_true", help="rewrite the section of results.md")
    options = parser.parse_args()

    measured = measure(options.profile)
    table = as_table(measured)
    print(table, sizing(measured), sep="\n")
    if options.write:
        title = f"## Memory of a learner on the hub, lesson 07, profile `{options.profile}`"
        note = (
            f"Mean over {LEARNERS} learners who run the lesson at the same time. What programs "
            "share, such as the\ncode of PyTorch, is divided among all that run just then."
        )
        packages = ("torch", "jupyterhub", "jupyterlab", "nbgrader", "ipykernel")
        facts = circumstances(packages, {"OMP_NUM_THREADS": "2"})
        parts = (title, note, markdown(table), sizing(measured), facts)
        write_section(RESULTS, "hub memory", "\n\n".join(parts))


if __name__ == "__main__":
    main()
