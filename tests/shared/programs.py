"""What tests need of a machine beyond Python, make and git: asked for here and nowhere else.

Each row of `NEEDS` is a fixture. A test that asks for it, or whose fixtures do, is skipped where
the machine lacks the thing, and a line at the end of a run says what was lacking and how to add it.

With `COURSE_NO_SKIPS=1` a test that asks for nothing finds no program of the table on its PATH: a
need that is not declared is a failure. With `COURSE_HIDE_PROGRAMS=1` the machine seems to have
nothing of the table, and only the tests that ask for something are run, or rather skipped.
"""

import atexit
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import getproxies

import pytest

HIDE = bool(os.environ.get("COURSE_HIDE_PROGRAMS"))
NO_SKIPS = bool(os.environ.get("COURSE_NO_SKIPS"))
OFFICIAL_FILES = Path("/usr/share/datasets/fashion-mnist")
PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
LONGEST_DOWNLOAD = 120  # seconds


def works(*command: str) -> bool:
    """Return whether a command is there and ends well."""
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwright_says(pattern: str) -> str:
    """Return what Playwright says about the Chromium that it would install; "" if nothing."""
    told = subprocess.run([*PLAYWRIGHT, "--dry-run"], capture_output=True, text=True, check=False)
    found = re.search(pattern, told.stdout)
    return found[1] if found else ""


def playwright_chromium() -> str | None:
    """Return where the Chromium is that Playwright has installed."""
    place = Path(playwright_says(r"Install location: +(\S.*headless_shell.*)"))
    return next(map(str, place.glob("*/*headless?shell")), None)


def chromium_path() -> str | None:
    """Return where a Chromium is that starts: the system's, or else Playwright's."""
    path = shutil.which("chromium") or shutil.which("google-chrome") or playwright_chromium()
    return path if path and works(path, "--version") else None


def sandbox_starts() -> bool:
    """Return whether students' code can be shut in here, by the grader's own check."""
    from convnet_grader.sandbox import SandboxUnavailable, require_sandbox

    try:
        require_sandbox()
    except SandboxUnavailable:
        return False
    return True


def is_root() -> bool:
    """Return whether this process may do everything that has to do with users."""
    return os.name == "posix" and os.geteuid() == 0


def new_network(*command: str) -> list[str]:
    """Return the command that runs another one where no network interface is up."""
    return ["unshare", "--net", *([] if is_root() else ["--map-root-user"]), *command]


@dataclass(frozen=True)
class Need:
    """A thing that some tests need, and some machines lack.

    Attributes:
        name: What the closing line calls it.
        find: Returns something true where it is there.
        programs: What has to be taken off the PATH to hide it.
        debian: The package that adds it on Debian and Ubuntu.
        brew: The package that adds it on macOS.
        otherwise: What to do where there is no package, or where that was not enough.
    """

    name: str
    find: Callable[[], object]
    programs: tuple[str, ...] = ()
    debian: str = ""
    brew: str = ""
    otherwise: str = "on Linux only"

    def skip(self) -> NoReturn:
        """Skip the test that is running."""
        pytest.skip(f"needs {self.name}")

    def package(self, manager: str) -> str:
        """Return the package that adds it; "" if there is none, or it is there and does not do."""
        is_there = any(map(shutil.which, self.programs))
        return "" if is_there else {"apt-get": self.debian, "brew": self.brew}.get(manager, "")


NEEDS = {
    "chromium": Need(
        "Chromium",
        chromium_path,
        ("chromium", "google-chrome"),
        debian="chromium",
        otherwise=".venv/bin/playwright install --only-shell --with-deps chromium",
    ),
    "bubblewrap": Need(
        "bubblewrap",
        sandbox_starts,
        ("bwrap",),
        debian="bubblewrap",
        otherwise="on a Linux that lets bubblewrap make namespaces (classroom/README.md)",
    ),
    "npm": Need("npm", partial(shutil.which, "npm"), ("npm",), debian="npm", brew="node"),
    "hub_proxy": Need(
        "configurable-http-proxy",
        partial(shutil.which, "configurable-http-proxy"),
        ("configurable-http-proxy",),
        debian="node-configurable-http-proxy",
    ),
    "official_files": Need(
        "the official files of Fashion-MNIST",
        lambda: OFFICIAL_FILES.is_dir() and OFFICIAL_FILES,
        debian="dataset-fashion-mnist",
        otherwise="with Debian's package dataset-fashion-mnist",
    ),
    # Whether one answers, only those find out who ask it: they call `skip` then.
    "registry": Need("a package registry", lambda: True, otherwise="with a network"),
    "root": Need("root", is_root, otherwise="as root"),
    "mounts": Need(
        "the right to mount",
        lambda: is_root() and works("unshare", "--mount", "true"),
        ("unshare",),
        otherwise="as root on Linux, in no container or in a privileged one",
    ),
    "own_network": Need(
        "network namespaces",
        lambda: works(*new_network("true")),
        ("unshare",),
        otherwise="on a Linux that lets you make network namespaces",
    ),
}


@cache
def found(name: str) -> object:
    """Return what was found of one row of the table; something false where it is missing."""
    return None if HIDE else NEEDS[name].find()


def asked(item: pytest.Item) -> list[str]:
    """Return the rows of the table that a test asks for, itself or by its fixtures."""
    return [name for name in NEEDS if name in getattr(item, "fixturenames", ())]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that asks for what is missing, before any of its fixtures is set up."""
    for name in asked(item):
        if not found(name):
            NEEDS[name].skip()


def fixture_of(name: str) -> Callable[..., Any]:
    """Return the fixture of one row; its value is what was found."""
    return pytest.fixture(scope="session", name=name)(lambda: found(name))


globals().update({name: fixture_of(name) for name in NEEDS})


# --- What a run says at its end --------------------------------------------------------------


def ways(needs: list[Need], manager: str) -> list[str]:
    """Return what to do to get things, those of the package manager as one command."""
    packages = [package for need in needs if (package := need.package(manager))]
    command = [f"{manager} install {' '.join(packages)}"] if packages else []
    rest = [need.otherwise for need in needs if not need.package(manager)]
    return command + list(dict.fromkeys(rest))


def closing_line(skipped: Mapping[str, int], manager: str) -> str:
    """Return the sentence about tests that were not run.

    Args:
        skipped: Row of `NEEDS` -> number of tests that were skipped for want of it.
        manager: The package manager of this machine, apt-get or brew; "" if it has neither.
    """
    needs = [NEEDS[name] for name in skipped]
    listed = ", ".join(f"{NEEDS[name].name} ({count})" for name, count in skipped.items())
    total = sum(skipped.values())
    return (
        f"{total} tests were not run, for want of {listed}. "
        f"To run them: {'; '.join(ways(needs, manager))}."
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the closing line if anything was lacking."""
    rows = {f"Skipped: needs {need.name}": name for name, need in NEEDS.items()}
    reasons = (report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    skipped = Counter(rows[reason] for reason in reasons if reason in rows)
    if skipped:
        manager = next(filter(shutil.which, ("apt-get", "brew")), "")
        terminalreporter.write_line(closing_line(dict(skipped.most_common()), manager))


# --- Hiding ----------------------------------------------------------------------------------


@cache
def bare_path() -> str:
    """Return a PATH on which everything is but the programs of the table."""
    hidden = {program for need in NEEDS.values() for program in need.programs}
    place = Path(tempfile.mkdtemp(prefix="course-path-"))
    atexit.register(shutil.rmtree, place)
    folders = os.environ["PATH"].split(os.pathsep)
    for number, folder in enumerate(folders):
        if any(Path(folder, program).exists() for program in hidden):
            folders[number] = str(place / str(number))
            Path(folders[number]).mkdir()
            for program in Path(folder).iterdir():
                if program.name not in hidden:
                    Path(folders[number], program.name).symlink_to(program)
    return os.pathsep.join(folders)


@contextmanager
def hidden() -> Iterator[None]:
    """Let this process and those that it starts find no program of the table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", bare_path())
        patch.setenv("PLAYWRIGHT_BROWSERS_PATH", os.devnull)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hide the programs from a test that asks for none, where nothing may be skipped."""
    with hidden() if NO_SKIPS and not asked(item) else nullcontext():
        return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Hide everything, if that is wanted, even from what is imported."""
    if HIDE:
        hiding = hidden()
        hiding.__enter__()
        config.add_cleanup(lambda: hiding.__exit__(None, None, None))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that need nothing, where everything is hidden."""
    if HIDE:
        config.hook.pytest_deselected(items=[item for item in items if not asked(item)])
        items[:] = filter(asked, items)


# --- A Chromium from Playwright --------------------------------------------------------------


def fetch_chromium() -> None:
    """Try to install Playwright's Chromium where there is none; without a network give up soon."""
    if chromium_path():
        return
    print("There is no Chromium for the browser tests: trying to download one ...", flush=True)
    if answers(playwright_says(r"Download url: +https://([^/:]+)")):
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(PLAYWRIGHT, capture_output=True, timeout=LONGEST_DOWNLOAD, check=False)
    print("It is here." if chromium_path() else "No: those tests will be skipped.", flush=True)


def answers(host: str) -> bool:
    """Return whether a machine can be reached; a proxy is believed to reach all."""
    if getproxies().get("https"):
        return True
    with suppress(OSError), socket.create_connection((host, 443), timeout=3):
        return True
    return False


if __name__ == "__main__":
    fetch_chromium()
