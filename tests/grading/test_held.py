"""Limits that the system keeps: a folder of a size, and no memory that nobody counts."""

import os
import subprocess
import sys
from pathlib import Path

from convnet_grader import held

FILL = """
import os, sys
from pathlib import Path
from convnet_grader.held import hold, is_full
folder, user = Path(sys.argv[1]), os.getuid()
assert hold(folder, 8), "no folder is held"
assert os.getuid() == user and not list(folder.iterdir())
os.chdir(folder)
with open("a", "wb", buffering=0) as file:
    os.unlink("a")
    try:
        for _ in range(100):
            file.write(bytes(2**20))
    except OSError as error:
        print(error.errno, is_full(folder, 8 * 2**20))
print(is_full(folder, 8 * 2**20))
try:
    for number in range(30_000):
        open(str(number), "w").close()
except OSError as error:
    print(error.errno, is_full(folder, 8 * 2**20))
"""


def test_a_held_folder_has_the_room_it_was_given_and_no_more(bubblewrap, tmp_path):
    """A deleted file that is open counts, and so does an empty one; outside nothing is seen."""
    assert held.holds_limits()
    (tmp_path / "theirs.txt").write_text("seen by all but the process that holds the folder")
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", FILL, tmp_path],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["28", "True", "False", "28", "True"], done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.txt"]


def test_any_other_folder_is_counted(tmp_path):
    assert not held.is_full(tmp_path, 10_000)
    (tmp_path / "a").write_bytes(b"x" * 5000)
    assert not held.is_full(tmp_path, 10_000)
    (tmp_path / "b").write_bytes(b"x" * 50_000)
    assert held.is_full(tmp_path, 10_000)


def test_what_is_too_deep_to_be_counted_is_too_much(tmp_path):
    """As 3,000 folders inside each other, at which a recursive walk stops with an error."""
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(3000):
            Path("a").mkdir()
            os.chdir("a")
    finally:
        os.chdir(before)
    assert held.is_full(tmp_path, 2**30)
    subprocess.run(["rm", "-rf", "--", tmp_path / "a"], check=True)


CALLS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(call):
    return call() == -1 and ctypes.get_errno() == 38
print(refused(lambda: libc.memfd_create(b"a", 0)), refused(lambda: libc.shmget(0, 4096, 0o600)))
print(os.getpid() > 0, len(os.listdir("/")) > 0)
"""


def test_memory_that_nobody_counts_is_refused_and_all_else_works(bubblewrap, tmp_path):
    assert held.without_memory_files(), "the numbers of this processor's calls are known"
    filter = os.memfd_create("filter")
    os.write(filter, held.without_memory_files())
    os.lseek(filter, 0, os.SEEK_SET)
    inside = ["bwrap", "--dev-bind", "/", "/", "--seccomp", str(filter), "--"]
    done = subprocess.run(
        [*inside, sys.executable, "-c", CALLS], pass_fds=(filter,), capture_output=True, text=True
    )
    os.close(filter)
    assert done.stdout.split() == ["True"] * 4, done.stderr


def test_on_another_processor_there_is_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert held.without_memory_files() == b""
