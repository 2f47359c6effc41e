"""Run all checks of the course, even if one fails, and then say which failed.

    python tools/check.py lint               style, types, imports
    python tools/check.py test [WORDS]       these, the built notebooks, nbval and the tests

WORDS are passed on to pytest for the tests. The short checks run side by side; each prints its
output when it has ended. The exit status is 0 if everything passed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PYTEST = (sys.executable, "-m", "pytest", "-n", "auto")
# Processes with one thread each are faster than threads that fight for the same cores.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Check:
    """A command, and what to add to its environment."""

    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, **options: int) -> "Outcome":
        """Run the command in the root of the course."""
        start = time.monotonic()
        done = subprocess.run(
            self.command, cwd=ROOT, env=os.environ | self.variables, text=True, **options
        )
        return Outcome(done.returncode, time.monotonic() - start, done.stdout or "")


@dataclass(frozen=True)
class Outcome:
    """How a check ended, after how many seconds, and what it printed if captured."""

    status: int
    seconds: float
    printed: str


LINT = {
    "types": Check((f"{BIN}/mypy",)),
    "style": Check((f"{BIN}/ruff", "check", ".")),
    "format": Check((f"{BIN}/ruff", "format", "--check", ".")),
    "imports": Check((f"{BIN}/lint-imports",)),
}
FETCH_CHROMIUM = Check((sys.executable, "tests/shared/programs.py"))
BUILT = {"built notebooks": Check((sys.executable, "tools/build.py", "--check"))}
NBVAL = Check(
    (*PYTEST, "--dist", "loadfile", "-p", "warm_kernels", "--nbval", "--nbval-kernel-name", "warm",
     "--nbval-sanitize-with=tests/nbval_sanitize.cfg", "notebooks", "solutions"),
    ONE_THREAD | {"COURSE_PROFILE": "quick", "PYTHONPATH": str(ROOT / "tests" / "shared")},
)  # fmt: skip


def tests(words: list[str]) -> Check:
    """Return the check that runs the tests."""
    return Check((*PYTEST, "--dist", "loadgroup", *words), ONE_THREAD)


def short(checks: dict[str, Check]) -> Iterator[tuple[str, Outcome]]:
    """Run checks side by side; print what each of them prints, one after the other."""
    caught = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(check.run, **caught) for check in checks.values()]
        for name, future in zip(checks, running, strict=True):
            print(f"--- {name}\n{future.result().printed}", end="", flush=True)
            yield name, future.result()


def long(checks: dict[str, Check]) -> Iterator[tuple[str, Outcome]]:
    """Run checks one after the other; they print directly."""
    for name, check in checks.items():
        print(f"--- {name}", flush=True)
        yield name, check.run()


def report(outcomes: dict[str, Outcome]) -> int:
    """Say how each check ended; return 1 if one of them failed."""
    print("---")
    for name, outcome in outcomes.items():
        word = "FAILED" if outcome.status else "ok"
        print(f"{name:16} {word:7}{outcome.seconds:5.0f} s")
    return int(any(outcome.status for outcome in outcomes.values()))


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; return the status."""
    which, *words = arguments
    if which == "lint":
        return report(dict(short(LINT)))
    FETCH_CHROMIUM.run()
    outcomes = dict(short(LINT | BUILT))
    return report(outcomes | dict(long({"nbval": NBVAL, "tests": tests(words)})))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
