"""JupyterLab for the course: how it starts, how it ends, and servers that were left running."""

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from course_utils.arguments import as_path

__all__ = ["Server", "course_root", "forgotten_servers", "serve"]

START = "notebooks/00_start_here.ipynb"


@dataclass(frozen=True)
class Server:
    """A running JupyterLab.

    Attributes:
        port: The port it listens on.
        pid: The number of its process.
        folder: The folder it shows.
    """

    port: int
    pid: int
    folder: Path


def course_root() -> Path:
    """Return the folder that holds the notebooks: the package's own, or the current one.

    Raises:
        ValueError: The package was installed without them, and they are not here either.
    """
    own = Path(__file__).resolve().parent.parent
    for root in (own, Path.cwd()):
        if (root / START).is_file():
            return root
    raise ValueError(f"{own / START} is not there: run this in a copy of the whole course")


# --- Start and end -----------------------------------------------------------------------------


def serve(options: list[str]) -> None:
    """Run JupyterLab, open on the first lesson, until it ends; options are passed on to it.

    It serves this machine only, with its token. It runs in this process and not in a child: ending
    the process, or closing its terminal, ends the server and its kernels.

    Raises:
        ValueError: There is no course to show.
    """
    at_home = (re.sub("=(~.*)", lambda found: f"={as_path(found[1])}", word) for word in options)
    words = [*lab_settings(course_root()), *at_home]
    end_properly()
    os.environ.update(lab_environment())
    from jupyterlab.labapp import LabApp  # reads the environment when it is imported

    LabApp.launch_instance(words)


def lab_settings(root: Path) -> list[str]:
    """Return the settings of JupyterLab: where the course is, and no checks for updates or news."""
    settings = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{START}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings.append("--allow-root")  # in a container: still loopback only, still with a token
    return settings


def lab_environment() -> dict[str, str]:
    """Return the variables that JupyterLab and its kernels need in addition to what is set.

    Kernels start with the settings that train fastest, and no pop-up offers news, which only a
    file can switch off.
    """
    from course_utils.startup import recommended_environment

    theirs = os.environ.get("JUPYTER_CONFIG_PATH", "")
    ours = str(Path(__file__).resolve().parent / "jupyter")
    paths = os.pathsep.join(filter(None, [theirs, ours]))
    return recommended_environment() | {"JUPYTER_CONFIG_PATH": paths}


def end_properly() -> None:
    """Make a closed terminal or an interrupt end JupyterLab as a request to terminate does.

    Jupyter does not handle a hangup, and drops everything when it is interrupted without a
    terminal: its kernels and notes would stay behind. In a terminal its own handler of Ctrl-C,
    which asks first, replaces the one set here. A signal that is ignored, such as a hangup under
    `nohup`, stays ignored.
    """
    for name, usual in (("SIGHUP", signal.SIG_DFL), ("SIGINT", signal.default_int_handler)):
        number = getattr(signal, name, None)  # Windows has no hangup
        if number is not None and signal.getsignal(number) == usual:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGTERM))


# --- What was left running ---------------------------------------------------------------------


def forgotten_servers() -> list[Server]:
    """Return the servers of a course whose terminal is gone, except the one this process is in.

    They occupy their port, and their kernels take memory and processors.
    """
    ours = {process.pid for process in [psutil.Process(), *psutil.Process().parents()]}
    return [server for server in _servers() if server.pid not in ours and _is_orphan(server.pid)]


def _servers() -> Iterator[Server]:
    """Yield the servers that show a course and have left a note in Jupyter's folder for notes."""
    from jupyter_core.paths import jupyter_runtime_dir

    for note in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            info = json.loads(note.read_text("utf-8"))
            server = Server(info["port"], info["pid"], Path(info["root_dir"]))
            is_its_own = psutil.Process(server.pid).create_time() <= note.stat().st_mtime
        except (OSError, ValueError, KeyError, psutil.Error):  # ended, or the note is half written
            continue
        if is_its_own and (server.folder / START).is_file():
            yield server


def _is_orphan(pid: int) -> bool:
    """Return whether the system adopted a process from the one that had started it.

    The process is still in the session of its shell, and its new parent is not.
    """
    try:
        parent = psutil.Process(pid).parent()
        if parent is None:
            return False
        return os.getsid(pid) not in (pid, os.getsid(parent.pid))
    except (psutil.Error, OSError, AttributeError):  # ended, somebody else's, or on Windows
        return False
