"""Where a measured figure comes from: the processor and the state of the code."""

import platform
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Processor", "git", "processor"]


class Processor(NamedTuple):
    """What a speed depends on most.

    Attributes:
        name: Its name, as the system gives it.
        has_amx: Whether it multiplies bfloat16 matrices itself.
    """

    name: str
    has_amx: bool


def processor() -> Processor:
    """Return this machine's processor."""
    file = Path("/proc/cpuinfo")  # on Linux; other systems give only the name
    text = file.read_text("utf-8") if file.is_file() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    name = names[0] if names else platform.processor() or platform.machine()
    return Processor(name, "amx_bf16" in text.split())


def git(*words: str, folder: Path) -> str:
    """Return what git prints in a folder; "" if there is no repository, or no git."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
