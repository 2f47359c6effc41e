"""A bubblewrap sandbox for one student's kernel, on Linux.

Only the kernel, which runs the student's code, is inside; nbgrader, the gradebook and all other
students stay outside. The kernel sees Python, the course's package and its own folder, which is
deleted afterwards. It sees no network, no other process and no other file: what is not listed in
`sandbox_command` does not exist for it.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import course_utils

__all__ = [
    "HARNESS",
    "PACKAGE",
    "Limits",
    "RunFolder",
    "SandboxUnavailable",
    "clear_away",
    "new_run_folder",
    "read_secret",
    "require_sandbox",
    "sandbox_command",
    "sandbox_environment",
]

PACKAGE = Path(course_utils.__file__).resolve().parent
"""The package that students' code imports."""
HARNESS = Path(__file__).resolve().with_name("harness.py")
"""All that a kernel sees of the grader, which runs it there by its path."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
"""Programs and libraries, read-only."""
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts")
"""The files of /etc that programs need; the rest (passwords, keys) stays outside."""
TRUSTED_HINT = "or, for notebooks of people you trust, grade without it: --trusted"


class SandboxUnavailable(RuntimeError):
    """The lack of a sandbox; the message says in one sentence what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Args:
        seconds: From the start of its kernel to its end; one cell may take a quarter of them.
        memory_mb: For all its processes together.
        processes: How many at a time, and roughly as many threads.
        disk_mb: In its temporary folder.
        output_kb: How much it may print, in all.

    Raises:
        ValueError: A limit is not positive.
    """

    seconds: float = 480
    memory_mb: int = 2048
    processes: int = 64
    disk_mb: int = 256
    output_kb: int = 1024

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} = {value}: take a number above 0")

    @property
    def cell_seconds(self) -> int:
        """The whole seconds that one cell may take."""
        return max(1, round(self.seconds / 4))


@dataclass(frozen=True)
class RunFolder:
    """The temporary folder of one run, the only place that the student's code can write to.

    Args:
        path: Where it is on this machine; short, as the names of sockets must be.
    """

    path: Path

    @property
    def home(self) -> Path:
        """What the kernel sees as its home folder."""
        return self.path / "home"

    @property
    def work(self) -> Path:
        """Where the notebook runs."""
        return self.home / "work"

    @property
    def connection(self) -> Path:
        """The sockets between kernel and grader; the same path inside and outside."""
        return self.path / "connection"

    def fill(self, folder: Path | None) -> None:
        """Make its contents, with copies of the files in a folder.

        Notebooks stay outside: the one that is being graded contains the hidden checks.
        """
        for part in (self.path / "tmp", self.path / "shm", self.connection, self.home):
            part.mkdir()
        if folder is None:
            self.work.mkdir()
        else:
            ignored = shutil.ignore_patterns("*.ipynb")
            shutil.copytree(folder, self.work, ignore=ignored, copy_function=shutil.copyfile)
        _copy_font_list(self.home)


@contextmanager
def new_run_folder(parent: str | None = None) -> Iterator[Path]:
    """Make a folder for one run, and remove it at the end."""
    folder = Path(mkdtemp(prefix="run-", dir=parent or None)).resolve()
    try:
        yield folder
    finally:
        clear_away(folder)


def clear_away(folder: Path) -> bool:
    """Remove what a student's code left; return whether everything is gone.

    The system's own programs do it: they cope with thousands of nested folders, with paths that are
    too long for one call, and with folders that nobody may enter.
    """
    for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        subprocess.run([*command, "--", folder], stderr=subprocess.DEVNULL)
    return not folder.exists()


@functools.cache
def require_sandbox(runs: str | None = None) -> None:
    """Check that a sandbox works here, by starting one.

    Args:
        runs: Where throw-away folders are made; None for the system's own place.

    Raises:
        SandboxUnavailable: It does not.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(
            f"the sandbox needs Linux, and this is {sys.platform}: grade on a Linux machine or in "
            f"a virtual machine, {TRUSTED_HINT}"
        )
    if shutil.which("bwrap") is None or shutil.which("prlimit") is None:
        raise SandboxUnavailable(
            "the sandbox needs bubblewrap: install it (on Debian and Ubuntu: sudo apt install "
            f"bubblewrap), {TRUSTED_HINT}"
        )
    with new_run_folder(runs) as place:
        folder = RunFolder(place)
        folder.fill(None)
        command = sandbox_command(
            folder, Limits(), [sys.executable, "-c", "import zmq, course_utils"]
        )
        environment = sandbox_environment("nobody")  # as for a kernel: it finds this package
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    if done.returncode:
        raise SandboxUnavailable(_what_to_do(done.stderr.strip().replace("\n", "; ")))


def _what_to_do(error: str) -> str:
    """Turn what bubblewrap says into a sentence."""
    switch = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if switch.is_file() and switch.read_text().strip() != "0":
        return (
            f"AppArmor forbids the sandbox ({error}): allow it, as 'AppArmor' in "
            f"classroom/README.md says, {TRUSTED_HINT}"
        )
    if error and not error.startswith("bwrap"):
        return f"Python does not work in the sandbox ({error}): repair that, {TRUSTED_HINT}"
    return (
        f"the sandbox does not start ({error}): this machine or container has to allow "
        f"unprivileged user namespaces, {TRUSTED_HINT}"
    )


def sandbox_command(
    folder: RunFolder,
    limits: Limits,
    command: Sequence[str],
    hidden: Iterable[Path] = (),
    filter: int | None = None,
) -> list[str]:
    """Return the command line that runs a command in the sandbox.

    Args:
        folder: Gets all that the command writes.
        limits: Those that the system can enforce, process by process.
        command: What to run.
        hidden: Folders that must stay hidden even inside something visible, such as when Python is
            installed in the course's own folder.
        filter: The open file of a filter of system calls, if it holds one.
    """
    visible = list(_visible())
    program = shutil.which("bwrap") or "bwrap"  # the PATH of the sandbox may lack its folder
    options = [
        program, "--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "student",
        "--unsetenv", "JPY_PARENT_PID",  # a kernel ends if this process is not its parent
    ]  # fmt: skip
    options += ["--bind", str(folder.path / "tmp"), "/tmp"]  # first: the course may be below /tmp
    for path in visible:
        options += ["--ro-bind-try", path, path]
    for secret in (*_answers(), *hidden):
        if any(secret.resolve().is_relative_to(Path(place).resolve()) for place in visible):
            cover = ["--tmpfs"] if secret.is_dir() else ["--ro-bind", "/dev/null"]
            options += [*cover, str(secret.resolve())]
    options += ["--proc", "/proc", "--dev", "/dev"]
    options += ["--bind", str(folder.path / "shm"), "/dev/shm", "--remount-ro", "/dev"]
    options += ["--bind", str(folder.connection), str(folder.connection)]
    options += ["--bind", str(folder.home), "/home/student", "--remount-ro", "/"]
    if filter is not None and os.fstat(filter).st_size:
        options += ["--seccomp", str(filter)]
    options += ["--chdir", "/home/student/work", "--"]
    return [*options, *_prlimit(limits), *command]


def sandbox_environment(student: str) -> dict[str, str]:
    """Return the environment of a kernel: little of ours, and the student's id."""
    kept = ("LANG", "LC_ALL", "TZ", "COURSE_PROFILE", "NBGRADER_EXECUTION")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "COURSE_STUDENT": student,
        "HOME": "/home/student",
        "MPLCONFIGDIR": "/home/student/.cache/matplotlib",
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PACKAGE.parent),
    }


def _visible() -> Iterator[str]:
    """Yield what the sandbox can read: the system, Python with its packages, ours, the harness."""
    yield from SYSTEM
    yield from (f"/etc/{name}" for name in SETTINGS)
    yield from dict.fromkeys((sys.base_prefix, sys.prefix))
    for path in sys.path:  # packages outside Python's folder, such as those of `pip --user`
        place = Path(path)
        is_inside = place.is_relative_to(sys.prefix) or place.is_relative_to(sys.base_prefix)
        if place.name in ("site-packages", "dist-packages") and not is_inside:
            yield path
    yield from (str(PACKAGE), str(HARNESS))


def _answers() -> Iterator[Path]:
    """Yield the files that compute the quiz's answers, and the folders made from them."""
    for file in sorted(PACKAGE.glob("quiz/banks/*/answers.py")):
        yield file
        if (compiled := file.with_name("__pycache__")).is_dir():
            yield compiled


def read_secret(place: Path) -> bytes:
    """Return the secret of a class; make it if there is none."""
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_bytes(os.urandom(32))
    return place.read_bytes()


def _prlimit(limits: Limits) -> list[str]:
    """Return the start of a command line that limits each process.

    Memory is limited by what a process may write to (`--data`): torch reserves more *addresses*
    than it ever uses. Older systems count the processes of a whole user, so the limit starts from
    those that already run; `Watchdog` counts those of the sandbox itself.
    """
    running = sum(1 for _ in Path("/proc").glob("[0-9]*/task/*"))
    return [
        "prlimit",
        f"--data={(limits.memory_mb + 1024) * 2**20}",
        f"--fsize={limits.disk_mb * 2**20}",
        f"--nproc={running + 4 * limits.processes}",
        "--nofile=1024",
        "--core=0",
        "--",
    ]


def _copy_font_list(home: Path) -> None:
    """Spare each run the search for fonts, which takes matplotlib seconds."""
    target = home / ".cache" / "matplotlib"
    target.mkdir(parents=True)
    for file in _font_lists():
        shutil.copyfile(file, target / file.name)


@functools.cache
def _font_lists() -> list[Path]:
    """Return the lists of fonts that matplotlib has made on this machine."""
    import matplotlib

    return sorted(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))
