"""Install PyTorch's CPU build into this Python, if that is the better choice.

    python tools/install_torch.py              # on Linux without an NVIDIA device: the CPU build
    TORCH=cpu python tools/install_torch.py    # the CPU build
    TORCH=cuda python tools/install_torch.py   # the usual build, which pip installs next

PyTorch's usual build for Linux brings gigabytes of GPU libraries. The CPU build is on its own
index, whose address uv knows. If uv or that index is out of reach, this installs nothing, and pip
takes the usual build. Everything else comes from pip in any case, with pip's own settings and the
options in `PIP_ARGS`; so does uv.
"""

# Runs before anything is installed, so with the standard library only.

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
CPU = "PyTorch's CPU build, about 0.2 GB"
USUAL = "PyTorch's usual build, about 3 GB with its GPU libraries"

# Files that show that the driver of an NVIDIA device is loaded.
NVIDIA = ("/proc/driver/nvidia/version", "/sys/module/nvidia/version")

# First a dry run of uv: one attempt, seconds for each answer and for all of them.
IMPATIENT = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "0"}
ANSWER_SECONDS = 20
# uv itself has 25 MB; a network that needs longer for them should not be asked for 3 GB.
UV_SECONDS = 600


class Choice(NamedTuple):
    """A build of PyTorch, and why it is this one.

    Attributes:
        build: `cpu`, or `usual` for the one that pip takes.
        text: What to tell the reader.
    """

    build: str
    text: str


class UnreachableError(Exception):
    """The CPU build is out of reach, for the reason given."""


def main() -> None:
    """Install the better choice; exit with 1 and a sentence if that fails."""
    asked = os.environ.get("TORCH", "")
    pip_args = shlex.split(os.environ.get("PIP_ARGS", ""))
    try:
        choice = choose(asked, sys.platform, has_nvidia(), names_an_index(pip_args))
        if not is_settled(asked, installed()):
            print(choice.text, flush=True)
            settle(asked, choice, pip_args)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"PyTorch cannot be installed: {error}")


# --- The choice ------------------------------------------------------------------------------


def choose(asked: str, system: str, nvidia: bool, index_given: bool) -> Choice:
    """Choose a build of PyTorch.

    Args:
        asked: `cpu` or `cuda`; if empty, this function decides.
        system: As `sys.platform` has it.
        nvidia: Whether there is an NVIDIA device.
        index_given: Whether `PIP_ARGS` says where packages come from.

    Raises:
        ValueError: There is no such build.
    """
    if asked not in ("", "cpu", "cuda"):
        raise ValueError(f"TORCH is {asked!r}: set it to cpu or cuda, or leave it out")
    if system != "linux":
        return Choice("usual", "PyTorch's usual build, about 0.1 GB: this system has no other.")
    if asked == "cpu":
        return Choice("cpu", f"{CPU}: TORCH=cpu says so.")
    if asked == "cuda":
        return Choice("usual", f"{USUAL}: TORCH=cuda says so.")
    if index_given:
        return Choice("usual", "PyTorch from where PIP_ARGS says.")
    if nvidia:
        return Choice("usual", f"{USUAL}: there is an NVIDIA device. TORCH=cpu takes the other.")
    return Choice("cpu", f"{CPU}: there is no NVIDIA device here. TORCH=cuda takes the other.")


def has_nvidia() -> bool:
    """Return whether this machine has an NVIDIA device, as far as its driver tells."""
    return any(Path(path).exists() for path in NVIDIA) or bool(shutil.which("nvidia-smi"))


def names_an_index(pip_args: list[str]) -> bool:
    """Return whether options of pip say where packages come from."""
    options = ("-i", "-f", "--index-url", "--extra-index-url", "--no-index", "--find-links")
    return any(word.partition("=")[0] in options for word in pip_args)


def pinned() -> list[str]:
    """Return the lines of the lock for PyTorch and for its library of images."""
    return re.findall(r"^(?:torch|torchvision)==\S+", LOCK.read_text("utf-8"), re.MULTILINE)


def installed() -> str:
    """Return the version of PyTorch in this environment, such as `2.9.0+cpu`, or nothing."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def is_settled(asked: str, found: str) -> bool:
    """Return whether the lock's PyTorch is installed, and no other was asked for."""
    number, _, build = found.partition("+")
    if f"torch=={number}" not in pinned():
        return False
    return not asked or (asked == "cpu") == (build == "cpu")


# --- The installation ------------------------------------------------------------------------


def settle(asked: str, choice: Choice, pip_args: list[str]) -> None:
    """Install the build that was chosen, or leave it to pip.

    Raises:
        RuntimeError: The CPU build was asked for and is out of reach, or its download broke off.
    """
    if choice.build == "cpu":
        try:
            install_cpu_build(pip_args)
        except UnreachableError as error:
            if asked:
                raise RuntimeError(f"{error}; TORCH=cuda takes the usual build") from None
            print(f"{error}. So pip takes {USUAL}.", flush=True)
    elif installed().endswith("+cpu"):  # pip would find nothing to do
        subprocess.check_call([*PIP, "uninstall", "--quiet", "--yes", "torch", "torchvision"])


def install_cpu_build(pip_args: list[str]) -> None:
    """Let uv install the CPU build, after a dry run.

    Raises:
        UnreachableError: There is no uv, or it cannot reach the index.
        RuntimeError: The download broke off.
    """
    install = [get_uv(pip_args), "pip", "install", "--python", sys.executable, "--no-deps"]
    install += ["--torch-backend", "cpu", *(["--reinstall"] if installed() else []), *pinned()]
    run([*install, "--dry-run"], ANSWER_SECONDS, "uv cannot get the CPU build", IMPATIENT)
    if subprocess.call(install):
        raise RuntimeError("the download broke off. Run the same command again")


def get_uv(pip_args: list[str]) -> str:
    """Return the path of uv: beside this Python, on the path, or installed by pip just now.

    Raises:
        UnreachableError: There is none, and pip cannot get it.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found:
        return found
    options = ["--quiet", "--retries", "1", "--timeout", "10", "--constraint", str(LOCK)]
    run([*PIP, "install", *options, *pip_args, "uv"], UV_SECONDS, "pip cannot get uv")
    return str(beside)


def run(
    command: list[str], seconds: float, problem: str, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command without its output.

    Args:
        command: Its words.
        seconds: How long it may take.
        problem: What to say if it fails.
        environment: What to add to this program's environment.

    Raises:
        UnreachableError: It failed or took too long; with the last line that it printed.
    """
    env = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{problem} (no answer in {seconds:.0f} s)") from None
    except OSError as error:
        raise UnreachableError(f"{problem} ({error})") from None
    if done.returncode:
        last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise UnreachableError(f"{problem} ({re.sub('^ *(ERROR|cause): ', '', last)})")


if __name__ == "__main__":
    main()
