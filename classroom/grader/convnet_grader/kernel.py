"""The kernel of one submission: started in the sandbox, watched, and ended whatever it does."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import zmq
from jupyter_client.manager import AsyncKernelManager

from convnet_grader.held import MOST_FILES, is_full, without_memory_files
from convnet_grader.sandbox import (
    Limits,
    RunFolder,
    new_run_folder,
    require_sandbox,
    sandbox_command,
    sandbox_environment,
)

__all__ = [
    "StudentKernel",
    "Watchdog",
    "kill",
    "kills_for_memory",
    "memory_of",
    "process_tree",
    "student_kernel",
]

LARGEST_MESSAGE = 16 * 2**20  # bytes; a larger one from the kernel is not read
MOST_PROCESSES = 500
SMALLEST_FREE = 256 * 2**20  # bytes of memory that are left to the machine


class StudentKernel(AsyncKernelManager):
    """IPython in a run folder, in the sandbox or, for trusted notebooks, without it."""

    def __init__(self, folder: RunFolder, student: str, wrap: Callable | None) -> None:
        """Take the folder, the student's id, and a function that wraps a command."""
        super().__init__(kernel_name="python3")
        self.folder, self.student, self.wrap = folder, student, wrap
        self.context.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        self.connection_file = str(folder.connection / "kernel.json")
        if wrap:  # the sandbox has its own network, so they talk through files
            self.transport, self.ip = "ipc", str(folder.connection / "socket")
            spec = self.kernel_spec
            assert spec is not None
            spec.interrupt_mode = "message"  # a signal from outside would end bubblewrap
            self.filter = os.memfd_create("filter")
            os.write(self.filter, without_memory_files())

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the command line of the kernel."""
        extra = extra_arguments or []
        command = [
            sys.executable, "-m", "ipykernel_launcher", "-f", self.connection_file, *extra
        ]  # fmt: skip
        return self.wrap(command, self.filter) if self.wrap else command

    async def _async_start_kernel(self, **options: Any) -> None:
        """Start it with the student's environment, and nothing on this terminal."""
        environment = sandbox_environment(self.student)
        if self.wrap:
            os.lseek(self.filter, 0, os.SEEK_SET)
            options["pass_fds"] = (self.filter,)
        else:
            environment["HOME"] = str(self.folder.home)
            environment["MPLCONFIGDIR"] = str(self.folder.home / ".cache" / "matplotlib")
        options |= {"env": environment, "cwd": str(self.folder.work)}
        options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super()._async_start_kernel(**options)

    start_kernel = _async_start_kernel

    @property
    def process_id(self) -> int | None:
        """The outermost process, or None before the start and after the end."""
        return getattr(self.provisioner, "pid", None) if self.has_kernel else None


class Watchdog(threading.Thread):
    """A thread that ends a kernel and all that it started once they exceed a limit.

    Attributes:
        reason: Why the kernel was ended, or None.
        disturbed: Whether that may have had a cause outside of this submission.
    """

    def __init__(self, kernel: StudentKernel, limits: Limits, pause: float = 0.2) -> None:
        """Watch a kernel that starts now, looking again after each pause, in seconds."""
        super().__init__(daemon=True)
        self.kernel, self.limits, self.pause = kernel, limits, pause
        self.end = time.monotonic() + limits.seconds
        self.reason: str | None = None
        self.disturbed = False
        self._kills = kills_for_memory()
        self._over = threading.Event()

    def run(self) -> None:
        """Watch until the kernel has ended, or has to be ended."""
        while not self._over.wait(self.pause):
            tree = process_tree(self.kernel.process_id)
            self.reason = self.reason or self._excess(tree)
            if self.reason:  # again and again: a process may have been started meanwhile
                kill(tree)

    def stop(self) -> None:
        """Stop watching."""
        self._over.set()
        self.join()
        self.disturbed = self.disturbed or kills_for_memory() != self._kills

    def _excess(self, tree: list[psutil.Process]) -> str | None:
        """Name the limit that is exceeded, or return None."""
        limits = self.limits
        if time.monotonic() > self.end:
            return f"took longer than {limits.seconds:g} seconds"
        if len(tree) > limits.processes:
            return f"started more than {limits.processes} processes"
        if memory_of(tree) > limits.memory_mb * 2**20:
            return f"used more than {limits.memory_mb} MB of memory"
        if psutil.virtual_memory().available < SMALLEST_FREE:
            self.disturbed = True
            return "left this machine without free memory"
        if is_full(self.kernel.folder.path, limits.disk_mb * 2**20):
            return f"wrote more than {limits.disk_mb} MB, or {MOST_FILES:,} files"
        return None


@contextmanager
def student_kernel(
    folder: Path, student: str, limits: Limits, *, trusted: bool, runs: str = "", hidden: Any = ()
) -> Iterator[tuple[StudentKernel, Watchdog]]:
    """Prepare a kernel for one submission, and leave nothing of it behind.

    Args:
        folder: Files that come with the exercise; the kernel gets a copy.
        student: The id, which the kernel finds in `COURSE_STUDENT`.
        limits: What it may use.
        trusted: Run without the sandbox.
        runs: Where to make temporary folders; "" for the system's own place.
        hidden: Folders that the kernel must not see, wherever they are.

    Raises:
        SandboxUnavailable: There is no sandbox here, and the notebook is not trusted.
    """
    if not trusted:
        require_sandbox()
    with new_run_folder(runs) as place:
        run = RunFolder(place)
        run.fill(folder)

        def wrap(command: list[str], filter: int) -> list[str]:
            return sandbox_command(run, limits, command, hidden, filter)

        kernel = StudentKernel(run, student, None if trusted else wrap)
        watchdog = Watchdog(kernel, limits)
        watchdog.start()
        try:
            yield kernel, watchdog
        finally:
            watchdog.stop()
            kill(process_tree(kernel.process_id))


def kills_for_memory() -> int:
    """Return how many processes the system has ended since its start, as memory ran out."""
    file = Path("/proc/vmstat")
    found = re.search(r"^oom_kill (\d+)", file.read_text() if file.is_file() else "", re.MULTILINE)
    return int(found[1]) if found else 0


def process_tree(pid: int | None, most: int = MOST_PROCESSES) -> list[psutil.Process]:
    """Return a process and what it started, the oldest first; none if it has ended.

    Args:
        pid: The first one.
        most: Stop at this many: a fork bomb grows faster than anybody can count.
    """
    found = [pid] if pid else []
    for parent in found:  # which grows meanwhile
        if len(found) < most:
            found += _children(parent)
    tree = []
    for member in found:
        with suppress(psutil.Error):
            tree.append(psutil.Process(member))
    return tree


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    with suppress(psutil.Error, OSError):
        if sys.platform != "linux":
            return [child.pid for child in psutil.Process(pid).children()]
        lists = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for file in lists for child in file.read_text().split()]
    return []


def kill(tree: list[psutil.Process]) -> None:
    """End processes. The sandbox ends with its first one, even what was started since."""
    for process in tree:
        with suppress(psutil.Error):
            process.kill()


def memory_of(tree: list[psutil.Process]) -> int:
    """Return the bytes of memory that processes use, without the code of libraries.

    Memory that a process shares with one that it has started counts twice: finding out takes the
    system seconds if there are many, and a fork bomb does not wait.
    """
    total = 0
    for process in tree:
        with suppress(psutil.Error, OSError):
            total += _memory_of(process)
    return total


def _memory_of(process: psutil.Process) -> int:
    """Return the bytes of memory that one process uses."""
    if sys.platform != "linux":
        return process.memory_info().rss
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * sum(map(int, re.findall(r"^Rss(?:Anon|Shmem):\s*(\d+)", status, re.MULTILINE)))
