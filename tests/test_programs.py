"""What is missing on a machine costs tests, and a run says so at its end; no need is a secret."""

import os
import subprocess
import sys
from pathlib import Path

import programs
import pytest
from programs import NEEDS, closing_line

TESTS = Path(__file__).resolve().parent


@pytest.fixture
def run(tmp_path):
    """Run a test file with the rules of all tests in a pytest of its own; return what it prints."""

    def call(source, *words, **variables):
        (tmp_path / "test_it.py").write_text(source)
        rules = ("COURSE_NO_SKIPS", "COURSE_HIDE_PROGRAMS")
        env = {k: v for k, v in os.environ.items() if k not in rules and "PYTEST" not in k}
        env |= {"PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest"]
        command += [*words, str(tmp_path)]
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)

    return call


SKIPS = """
import pytest

def test_in_a_test():
    pytest.skip("no GPU")

@pytest.mark.skipif(True, reason="no TPU")
def test_by_a_mark():
    pass

def test_passes():
    pass
"""
SKIPPED_MODULE = "import pytest\npytest.skip('no NPU', allow_module_level=True)\n"


def test_a_skip_is_a_failure_only_where_none_may_happen(run):
    assert run(SKIPS).returncode == 0
    done = run(SKIPS, COURSE_NO_SKIPS="1")
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 error" in done.stdout
    assert "no GPU" in done.stdout and "no TPU" in done.stdout


def test_a_module_that_skips_itself_is_a_failure_as_well(run):
    assert run(SKIPPED_MODULE).returncode == 5  # no test is left to run
    done = run(SKIPPED_MODULE, COURSE_NO_SKIPS="1")
    assert done.returncode not in (0, 5)
    assert "no NPU" in done.stdout


ASKS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_of_slides(npm, number):
    pass

@pytest.fixture
def page(chromium):
    return chromium

def test_of_a_page(page):
    pass

def test_of_nothing():
    pass
"""


def test_where_everything_is_hidden_what_asks_is_skipped_and_told_in_one_line(run):
    done = run(ASKS, "-p", "xdist", "-n", "2", COURSE_HIDE_PROGRAMS="1")
    assert done.returncode == 0
    assert "4 skipped" in done.stdout and "passed" not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "not run" in line]
    assert line.startswith("4 tests were not run, for want of npm (3), Chromium (1). To run them: ")
    assert "npm" in line.partition("To run them")[2]


SECRET = """
import shutil

def test_that_asks_finds_it(npm):
    assert shutil.which("npm")

def test_that_asks_for_nothing_finds_only_the_rest():
    assert not shutil.which("npm") and shutil.which("sh")
"""


def test_where_nothing_may_be_skipped_only_who_asks_finds_a_program(npm, run):
    done = run(SECRET, COURSE_NO_SKIPS="1")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "skipped, manager, line",
    [
        (
            {"chromium": 300, "npm": 12},
            "apt-get",
            "312 tests were not run, for want of Chromium (300), npm (12). "
            "To run them: apt-get install chromium npm.",
        ),
        (
            {"npm": 12, "bubblewrap": 9, "root": 1},
            "brew",
            "22 tests were not run, for want of npm (12), bubblewrap (9), root (1). To run them: "
            f"brew install node; {NEEDS['bubblewrap'].otherwise}; as root.",
        ),
        (
            {"mounts": 2, "own_network": 1},
            "",
            "3 tests were not run, for want of the right to mount (2), network namespaces (1). To "
            f"run them: {NEEDS['mounts'].otherwise}; {NEEDS['own_network'].otherwise}.",
        ),
    ],
)
def test_the_closing_line_says_what_adds_what_is_lacking(monkeypatch, skipped, manager, line):
    monkeypatch.setenv("PATH", os.devnull)
    assert closing_line(skipped, manager) == line


def test_without_a_network_a_chromium_is_given_up_at_once(monkeypatch, capsys):
    monkeypatch.setattr(programs, "chromium_path", lambda: None)
    monkeypatch.setattr(programs, "playwright_says", lambda pattern: "elsewhere.invalid")
    monkeypatch.setattr(programs, "getproxies", dict)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("asked for a download"))
    programs.fetch_chromium()
    assert capsys.readouterr().out.endswith("No: those tests will be skipped.\n")


def test_the_chromium_of_playwright_will_do(chromium, tmp_path, monkeypatch):
    shell = tmp_path / "chromium_headless_shell-1" / "chrome-linux" / "headless_shell"
    shell.parent.mkdir(parents=True)
    shell.symlink_to(chromium)
    monkeypatch.setattr(programs, "playwright_says", lambda pattern: str(shell.parents[1]))
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    assert programs.chromium_path() == str(shell)
    shell.unlink()
    shell.symlink_to("/bin/false")  # as where its libraries are missing
    assert programs.chromium_path() is None


def test_what_is_there_and_does_not_do_is_not_installed_again(tmp_path, monkeypatch):
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    line = closing_line({"bubblewrap": 9}, "apt-get")
    assert line.endswith(f"To run them: {NEEDS['bubblewrap'].otherwise}.")
