"""Memory, processor and process limits of each learner, where there is no systemd.

With systemd, which every ordinary Debian or Ubuntu has, `jupyterhub_config.py` leaves this to
SystemdSpawner. JupyterHub's own LocalProcessSpawner accepts limits and does not enforce them.
Limits of a single process do not help either: a learner has many of them, and torch reserves far
more addresses than it uses. What counts all processes of a learner together is a control group.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Integer, Unicode

CONTROLLERS = ("memory", "cpu", "pids")
PERIOD = 100_000  # microseconds over which processor time is counted


@dataclass(frozen=True)
class ControlGroup:
    """A group of processes that is limited as a whole.

    Args:
        name: A path, such as ``convnet-learners/kim``.
        root: Where the system shows control groups; version 2 has one tree, version 1 one for each
            controller.
    """

    name: str
    root: Path = Path("/sys/fs/cgroup")

    @property
    def is_unified(self) -> bool:
        """Whether these are control groups of version 2."""
        return (self.root / "cgroup.controllers").is_file()

    @property
    def folders(self) -> list[Path]:
        """Where this group is."""
        if self.is_unified:
            return [self.root / self.name]
        return [self.root / controller / self.name for controller in CONTROLLERS]

    def create(self, memory: int, processors: float, processes: int) -> None:
        """Make the group, empty, or give an old one new limits.

        Args:
            memory: Bytes, swap included.
            processors: Processors' worth of time.
            processes: Processes and threads at a time.

        Raises:
            OSError: This machine does not let us.
        """
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)
        self.kill()
        if self.is_unified:
            self._delegate()
        for file, text in self._limits(memory, processors, processes).items():
            file.write_text(text)

    def _delegate(self) -> None:
        """Hand the controllers down from group to group, as version 2 wants it."""
        for folder in reversed(self.folders[0].parents):
            if folder.is_relative_to(self.root):
                wanted = " ".join(f"+{controller}" for controller in CONTROLLERS)
                (folder / "cgroup.subtree_control").write_text(wanted)

    def _limits(self, memory: int, processors: float, processes: int) -> dict[Path, str]:
        """Return file -> what is to be written into it."""
        quota = int(processors * PERIOD)
        if self.is_unified:
            folder = self.folders[0]
            return {
                folder / "memory.max": str(memory),
                folder / "memory.swap.max": "0",
                folder / "cpu.max": f"{quota} {PERIOD}",
                folder / "pids.max": str(processes),
            }
        in_memory, in_cpu, in_pids = self.folders
        return {
            in_memory / "memory.limit_in_bytes": str(memory),
            in_cpu / "cpu.cfs_period_us": str(PERIOD),
            in_cpu / "cpu.cfs_quota_us": str(quota),
            in_pids / "pids.max": str(processes),
        }

    def enter(self, pid: int) -> None:
        """Put a process into the group; what it starts from then on is in it, too."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def members(self) -> Iterator[int]:
        """Yield the processes in the group."""
        for folder in self.folders:
            with suppress(OSError):
                yield from map(int, (folder / "cgroup.procs").read_text().split())

    def kill(self, most: int = 50) -> None:
        """End the processes in the group; again, as one may be started meanwhile."""
        for _ in range(most):
            members = set(self.members())
            if not members:
                return
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """End what is in the group, and take it away; one that is not there is no error."""
        self.kill()
        for folder in self.folders:
            with suppress(OSError):  # a process that is still ending; the next start tries again
                folder.rmdir()


def require_control_groups(root: Path = Path("/sys/fs/cgroup")) -> None:
    """Check that limits can be enforced on this machine, by making a group.

    Raises:
        RuntimeError: They cannot; without them one learner's mistake ends everybody's lesson.
    """
    trial = ControlGroup(f"convnet-trial-{os.getpid()}", root)
    try:
        trial.create(2**30, 1.0, 10)
    except OSError as error:
        raise RuntimeError(
            f"no limit of memory can be enforced here ({error}): run the hub as root on a machine "
            "with systemd, or in a container that may write to /sys/fs/cgroup"
        ) from None
    finally:
        trial.remove()


class CgroupSpawner(LocalProcessSpawner):
    """Starts each server as its user, in a control group of its own."""

    group = Unicode("convnet-learners", help="The group that holds the learners'.").tag(config=True)
    most_processes = Integer(512, help="Processes and threads of a learner.").tag(config=True)

    @property
    def control_group(self) -> ControlGroup:
        """The group of this user's server."""
        return ControlGroup(f"{self.group}/{self.user.name}")

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does first: enter the group, then become the user.

        Raises:
            ValueError: A limit is missing.
        """
        if not self.mem_limit or not self.cpu_limit:
            raise ValueError("mem_limit and cpu_limit are both needed: set them in the config")
        group, become_user = self.control_group, super().make_preexec_fn(name)
        group.create(self.mem_limit, self.cpu_limit, self.most_processes)

        def begin() -> None:
            group.enter(os.getpid())
            become_user()

        return begin

    async def poll(self) -> Any:
        """Say whether the server has ended; what it left running ends with it."""
        status = await super().poll()
        if status is not None:
            self.control_group.remove()
        return status

    async def stop(self, now: bool = False) -> None:
        """Stop the server and all that it has started."""
        await super().stop(now)
        self.control_group.remove()
