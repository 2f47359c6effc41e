"""Limits that the system itself keeps, since watching comes too late or does not see everything.

A folder of a size: files that were deleted but are still open count in it, and so do those below
a path that is too long for any program. And no memory outside of what is counted: files that are
nowhere but in memory.
"""

import ctypes
import errno
import functools
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["MOST_FILES", "hold", "holds_limits", "is_full", "without_memory_files"]

MOST_FILES = 20_000
NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000  # of unshare(2)
PRIVATE = 0x4000 | (1 << 18)  # of mount(2): what is mounted here is seen here only
NO_DEVICES = 2 | 4  # and no program that would run as somebody else

TRY = """
import sys
from pathlib import Path
from convnet_grader import held, sandbox
if not held.hold(Path(sys.argv[1]), 8):
    sys.exit(1)
sandbox.require_sandbox(sys.argv[1])
"""


def hold(folder: Path, megabytes: int) -> bool:
    """Give this process, and all it starts, a folder of limited size; return whether it worked.

    The folder is then empty, and in memory; other processes see it as it was. It works only in a
    process with a single thread.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEW_MOUNTS | (NEW_USER if user else 0)):
        return False
    if user:  # in a space of its own it may mount something; it stays who it is
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    options = f"size={megabytes}m,nr_inodes={MOST_FILES},mode=700".encode()
    return not (
        libc.mount(b"none", b"/", None, PRIVATE, None)
        or libc.mount(b"grading", os.fsencode(folder), b"tmpfs", NO_DEVICES, options)
    )


@functools.cache
def holds_limits() -> bool:
    """Return whether `hold` and a sandbox inside of it work here, by trying both in a process."""
    if sys.platform != "linux":
        return False
    with TemporaryDirectory(prefix="grading-try-") as folder:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        tried = subprocess.run(
            [sys.executable, "-c", TRY, folder], env=environment, capture_output=True, check=False
        )
    return tried.returncode == 0


def is_full(folder: Path, most_bytes: int) -> bool:
    """Return whether what is in a folder has reached its limit.

    Args:
        folder: One that is held, as `hold` does it, or any.
        most_bytes: Its limit.
    """
    room = os.statvfs(folder)
    if room.f_blocks * room.f_frsize <= most_bytes:
        return room.f_bavail * room.f_frsize < 2**16 or room.f_favail < 10
    return _is_large(folder, most_bytes)


def _is_large(folder: Path, most_bytes: int) -> bool:
    """Return whether the files in a folder are many, large together, or too deep to be counted."""
    total = count = 0
    todo = [str(folder)]
    while todo:
        try:
            entries = list(os.scandir(todo.pop()))
        except FileNotFoundError:  # gone meanwhile
            continue
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return True
            continue
        for entry in entries:
            total += _bytes_of(entry)
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)
        count += len(entries)
        if total > most_bytes or count > MOST_FILES:
            return True
    return False


def _bytes_of(entry: os.DirEntry[str]) -> int:
    """Return what a file takes on the disk; 0 if it has gone."""
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0


# --- Memory that nobody counts -----------------------------------------------------------------

NUMBERS = {
    "x86_64": (0xC000003E, {"memfd_create": 319, "memfd_secret": 447, "shmget": 29}),
    "aarch64": (0xC00000B7, {"memfd_create": 279, "memfd_secret": 447, "shmget": 194}),
}
"""Of a processor: how Linux names it to a filter, and its numbers of system calls."""
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 38  # "no such function", which programs get along with
OTHER_NUMBERS = 0x40000000  # of a second way to call the system, on x86_64


def without_memory_files() -> bytes:
    """Return a filter of system calls that refuses memory of no process and no folder.

    It is what bubblewrap takes as `--seccomp`; empty on a processor whose numbers we do not know.
    """
    if platform.machine() not in NUMBERS:
        return b""
    processor, calls = NUMBERS[platform.machine()]
    refused = sorted(calls.values())
    rest = len(refused) + 1  # lines from the first comparison to the one that allows
    program = [
        (LOAD, 0, 0, 4),
        (EQUAL, 0, rest + 2, processor),
        (LOAD, 0, 0, 0),
        (AT_LEAST, rest, 0, OTHER_NUMBERS),
        *((EQUAL, rest - 1 - place, 0, number) for place, number in enumerate(refused)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in program)
