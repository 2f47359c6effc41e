"""JupyterLab as ``make lab`` starts it, on a copy of the course that no test can harm."""

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab_server import free_port, wait_until_up, without_autosave

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PARTS = ("course_utils", "notebooks", "exercises")
TOKEN = "browser-tests"

# Python runs this before anything else in the server and in each kernel. Whatever connects to
# another machine, or asks for the address of one, is written down and refused.
CUT_OFF = """
import os
import sys

LOG = os.environ["COURSE_TEST_OUTSIDE"]
INSIDE = ("", "None", "localhost", "127.", "::1", "0.0.0.0", "::")


def refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if host in INSIDE or host.startswith("127."):
        return
    with open(LOG, "a") as log:
        log.write(f"{event} {host}\\n")
    raise ConnectionRefusedError(f"this test has no network: {host}")


sys.addaudithook(refuse)
"""


@dataclass(frozen=True)
class CourseLab:
    """A running JupyterLab: its address without a path, its folder, what it wanted outside."""

    url: str
    home: Path

    @property
    def course(self) -> Path:
        """The copy of the course that it shows."""
        return self.home / "course"

    @property
    def start(self) -> str:
        """The address that a learner's browser is sent to, with the token."""
        return f"{self.url}/?token={TOKEN}"

    def outside(self) -> list[str]:
        """Return the machines that the server or a kernel has asked for so far."""
        log = self.home / "outside.log"
        return log.read_text().splitlines() if log.exists() else []

    def shut_down(self) -> None:
        """Do what the menu's *Shut Down* does: kernels end, then the server."""
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(f"{self.url}/api/shutdown", b"", headers)
        urllib.request.urlopen(request, timeout=60).close()


def environment(home: Path) -> dict[str, str]:
    """Return what the server is told: everything of its own, the quick profile, no network."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    folders = {f"JUPYTER_{name}": home / name.lower() for name in names}
    folders |= {"IPYTHONDIR": home / "ipython", "COURSE_STATE": home / "state"}
    folders |= {"COURSE_TEST_OUTSIDE": home / "outside.log"}
    course = {
        "COURSE_PROFILE": "quick",
        "PYTHONPATH": f"{home / 'site'}{os.pathsep}{home / 'course'}",
    }
    return os.environ | {name: str(folder) for name, folder in folders.items()} | course


def copy_course(home: Path) -> None:
    """Write the copy of the course, the cut through the network and settings below `home`."""
    for part in PARTS:
        shutil.copytree(ROOT / part, home / "course" / part)
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(CUT_OFF)
    without_autosave(home / "config_dir")


@contextmanager
def serve_course(home: Path) -> Iterator[CourseLab]:
    """Run ``python -m course_utils lab`` on a copy of the course, until the end of the block."""
    copy_course(home)
    port, log = free_port(), home / "lab.log"
    command = [sys.executable, "-m", "course_utils", "lab", "--no-browser", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    command += ["--LabApp.expose_app_in_browser=True"]  # the tests ask it what it knows
    lab = CourseLab(f"http://127.0.0.1:{port}", home)
    with log.open("wb") as out:
        options = {"stdout": out, "stderr": out, "start_new_session": True}
        server = subprocess.Popen(command, env=environment(home), cwd=lab.course, **options)
    try:
        wait_until_up(f"{lab.url}/api/status?token={TOKEN}", server, log)
        yield lab
        lab.shut_down()
        server.wait(timeout=60)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 9)
            server.wait()
