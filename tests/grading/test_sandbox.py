"""Where there is no sandbox nothing is graded; where there is one it hides what it should."""

import subprocess
import sys
from pathlib import Path

import pytest

from convnet_grader import kernel, sandbox
from convnet_grader.sandbox import Limits, RunFolder, SandboxUnavailable


@pytest.fixture(autouse=True)
def forget():
    """Let each test ask anew whether there is a sandbox."""
    sandbox.require_sandbox.cache_clear()
    yield
    sandbox.require_sandbox.cache_clear()


def test_another_system_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match=r"needs Linux, and this is darwin.*--trusted"):
        sandbox.require_sandbox()


def test_a_machine_without_bubblewrap_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    with pytest.raises(SandboxUnavailable, match=r"apt install bubblewrap\), or.*--trusted"):
        sandbox.require_sandbox()


def test_apparmor_is_named_where_it_forbids_namespaces(monkeypatch):
    monkeypatch.setattr(sandbox.Path, "is_file", lambda path: True)
    monkeypatch.setattr(sandbox.Path, "read_text", lambda path: "1\n")
    assert "AppArmor forbids the sandbox (no map)" in sandbox._what_to_do("no map")
    monkeypatch.setattr(sandbox.Path, "read_text", lambda path: "0\n")
    assert "does not start (bwrap: no map)" in sandbox._what_to_do("bwrap: no map")
    assert "Python does not work in the sandbox (no zmq)" in sandbox._what_to_do("no zmq")


@pytest.mark.parametrize("name", ["seconds", "memory_mb", "processes", "disk_mb", "output_kb"])
def test_limits_are_positive(name):
    with pytest.raises(ValueError, match=f"{name} = 0: take a number above 0"):
        Limits(**{name: 0})


@pytest.fixture
def run_inside(bubblewrap, tmp_path):
    """A function that runs Python in the sandbox, and returns what it prints."""

    def run(code, hidden=()):
        (tmp_path / "exercise").mkdir()
        (tmp_path / "exercise" / "numbers.txt").write_text("1 2 3")
        (tmp_path / "exercise" / "graded.ipynb").write_text("{}")
        (tmp_path / "run").mkdir()
        folder = RunFolder(tmp_path / "run")
        folder.fill(tmp_path / "exercise")
        command = sandbox.sandbox_command(folder, Limits(), [sys.executable, "-c", code], hidden)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_inside_there_is_the_exercise_and_little_else(run_inside, tmp_path):
    code = (
        "import os, course_utils; print(*os.listdir(), *os.listdir('/home'));"
        f"print(os.path.exists({str(tmp_path / 'exercise')!r}), os.path.exists('/etc/shadow'));"
        "print(sum(name.isdigit() for name in os.listdir('/proc')) < 5)"
    )
    assert run_inside(code) == ["numbers.txt", "student", "False", "False", "True"]


def test_inside_there_is_the_course_with_its_old_names_and_of_the_grader_only_the_harness(
    run_inside,
):
    grader = sandbox.HARNESS.parent
    code = (
        "import os; from importlib.util import find_spec; from course_utils import checks\n"
        "from course_utils.grading import checks as old\n"
        f"print(old is checks, find_spec('convnet_grader'), *os.listdir({str(grader)!r}))"
    )
    assert run_inside(code) == ["True", "None", "harness.py"]


def test_what_must_stay_hidden_does_so_even_in_a_visible_folder(run_inside):
    package = Path(sandbox.PACKAGE)
    code = f"import os; print(len(os.listdir({str(package / 'quiz' / 'banks')!r})))"
    assert run_inside(code, hidden=[package / "quiz" / "banks"]) == ["0"]


def test_nothing_but_the_run_folder_can_be_written(run_inside, tmp_path):
    code = (
        "import os\n"
        "def can(path):\n"
        "    try: open(path + '/new', 'w').close(); return True\n"
        "    except OSError: return False\n"
        f"print(*map(can, ['/home/student/work', '/tmp', '/dev/shm', '/', '/usr', '/dev',"
        f" {str(sandbox.PACKAGE)!r}]))"
    )
    assert run_inside(code) == ["True"] * 3 + ["False"] * 4


def test_a_tree_of_processes_is_counted_and_ended():
    code = "import subprocess, sys, time\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        while len(tree := kernel.process_tree(parent.pid)) < 2:
            assert parent.poll() is None
        assert kernel.memory_of(tree) > 2**20
    finally:
        kernel.kill(kernel.process_tree(parent.pid))
    parent.wait(timeout=20)
    assert kernel.process_tree(None) == []


def test_inside_there_is_no_solution_to_reveal(run_inside):
    code = "from course_utils import checks; checks.reveal('03_convolution', 'split')"
    assert " ".join(run_inside(code)).startswith("The solution of 03_convolution is not on this")
