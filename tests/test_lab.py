"""JupyterLab on the course: what it is told, and that nothing of it is left behind."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from unittest import mock

import psutil
import pytest
from jupyter_core.paths import jupyter_config_path
from jupyterlab.labapp import LabApp
from jupyterlab_server.config import get_page_config
from lab_server import free_port, private_settings, wait_until_up
from processes import is_there, left_over

from course_utils import lab

# Starts a program in a terminal: the one at its standard input.
IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


# --- What it is told ---------------------------------------------------------------------------


def test_lab_passes_options_on_and_stays_private(monkeypatch):
    told = []
    monkeypatch.setattr(LabApp, "launch_instance", told.extend)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    with mock.patch.dict(os.environ):
        lab.serve(["--no-browser", "--port", "9000"])
    assert told[-3:] == ["--no-browser", "--port", "9000"]
    text = " ".join(told)
    assert "token" not in text and "ip=" not in text, "JupyterLab's own safe defaults stand"
    assert "default_url=/lab/tree/notebooks/00_start_here.ipynb" in text


def test_lab_asks_for_no_news_and_keeps_the_readers_settings(monkeypatch, tmp_path):
    page_config = tmp_path / "labconfig" / "page_config.json"
    page_config.parent.mkdir()
    page_config.write_text('{"disabledExtensions": {"theirs": true}}')
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", lab.lab_environment()["JUPYTER_CONFIG_PATH"])
    disabled = get_page_config(jupyter_config_path())["disabledExtensions"]
    assert {"@jupyterlab/apputils-extension:announcements", "theirs"} <= set(disabled)


def test_an_installed_package_opens_the_course_of_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site-packages/course_utils/lab.py"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / lab.START).touch()
    assert lab.course_root() == tmp_path


# --- How it ends -------------------------------------------------------------------------------


@contextmanager
def running(home, *in_front, **how):
    """Run `python -m course_utils lab` with a kernel; give its process and all that belong to it.

    Args:
        home: A folder for its files.
        in_front: What starts it, and stays its parent.
        how: More of `subprocess.Popen`.
    """
    port, log = free_port(), home / "lab.log"
    words = [sys.executable, "-m", "course_utils", "lab", "--no-browser", f"--port={port}"]
    words += ["--ServerApp.port_retries=0", "--IdentityProvider.token=lab-tests"]
    env = os.environ | private_settings(home)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*in_front, *words], env=env, stdout=out, stderr=out, preexec_fn=hear_signals, **how
        )
    family = [psutil.Process(process.pid)]
    try:
        url = f"http://127.0.0.1:{port}/api"
        wait_until_up(f"{url}/status?token=lab-tests", process, log)
        start_kernel(url)
        family += family[0].children(recursive=True)
        assert any("ipykernel" in word for member in family for word in member.cmdline())
        yield process, family
    finally:
        for member in filter(is_there, family):
            member.kill()
        process.wait()


def hear_signals():
    """Give a program the signals back that a test run in the background ignores."""
    for ignored in (signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_DFL)


def start_kernel(url):
    """Start a kernel, and wait until it is there."""
    headers = {"Authorization": "token lab-tests"}
    request = urllib.request.Request(f"{url}/kernels", b"{}", headers, method="POST")
    urllib.request.urlopen(request, timeout=60).close()


def notes(home):
    """The notes that Jupyter keeps on what is running: it takes them back as it ends."""
    return [path for kind in ("jpserver", "kernel") for path in home.glob(f"runtime/{kind}-*.json")]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_the_server_and_its_kernels(tmp_path, name):
    with running(tmp_path, stdin=subprocess.DEVNULL) as (process, family):
        process.send_signal(getattr(signal, name))
        assert left_over(family) == []
    assert notes(tmp_path) == []


def test_closing_the_terminal_ends_the_server_and_its_kernels(tmp_path):
    """As a learner does it: between the terminal and the course there is `make`, here a shell."""
    ours, theirs = os.openpty()
    in_front = [sys.executable, "-c", IN_A_TERMINAL, "/bin/sh", "-c", '"$@"; true', "sh"]
    with running(tmp_path, *in_front, stdin=theirs, start_new_session=True) as (_, family):
        os.close(theirs)
        os.close(ours)
        assert left_over(family) == []
    assert notes(tmp_path) == []


def test_a_hangup_that_is_ignored_stays_so():
    """As under `nohup`, by which somebody says that the server is to stay."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        lab.end_properly()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGINT, interrupt)


# --- What was left running ---------------------------------------------------------------------


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course, and Jupyter's folder of notes on running servers."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    (tmp_path / lab.START).parent.mkdir()
    (tmp_path / lab.START).touch()
    return tmp_path


def leave_note(runtime, pid, folder):
    """Note a server as Jupyter does."""
    info = {"port": 8899, "pid": pid, "root_dir": str(folder)}
    (runtime / f"jpserver-{pid}.json").write_text(json.dumps(info))


@contextmanager
def sleeper(*, orphan):
    """Give the number of a process whose shell waits for it, or has gone."""
    script = "sleep 600 & echo $!; " + ("" if orphan else "wait")
    shell = ["sh", "-c", script]
    with subprocess.Popen(shell, stdout=subprocess.PIPE, start_new_session=True) as started:
        pid = int(started.stdout.readline())
        if orphan:
            started.wait()
        yield pid
        os.killpg(started.pid, signal.SIGKILL)


def test_a_server_whose_terminal_is_gone_is_found(course):
    with sleeper(orphan=True) as pid:
        leave_note(course, pid, course)
        assert lab.forgotten_servers() == [lab.Server(8899, pid, course)]


def test_a_server_in_a_terminal_is_not_forgotten(course):
    with sleeper(orphan=False) as pid:
        leave_note(course, pid, course)
        assert lab.forgotten_servers() == []


def test_a_server_of_something_else_is_none_of_ours(course, tmp_path_factory):
    with sleeper(orphan=True) as pid:
        leave_note(course, pid, tmp_path_factory.mktemp("else"))
        assert lab.forgotten_servers() == []


def test_the_server_that_runs_this_very_notebook_is_not_forgotten(course, monkeypatch):
    monkeypatch.setattr(lab, "_is_orphan", lambda pid: True)
    leave_note(course, os.getppid(), course)
    assert lab.forgotten_servers() == []


def test_a_note_that_outlived_its_server_misleads_nobody(course):
    """Its number may have gone to another process since."""
    with sleeper(orphan=True) as pid:
        leave_note(course, pid, course)
        note = course / f"jpserver-{pid}.json"
        os.utime(note, (0, 0))
        (course / "jpserver-1.json").write_text('{"port": 88')
        assert lab.forgotten_servers() == []
