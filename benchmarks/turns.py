"""Taking turns: many contenders are loaded at the same time, and only one of them computes.

Each contender is its own process. It trains epoch after epoch. Before each it says that it is ready
and waits for a line from the benchmark; after each it answers with how long the epoch took and how
much memory the process has needed so far. No turn begins before all the others are ready: what a
contender does between its epochs, such as validation, would cost the next one time. For the same
reason all stay until the last turn is over.

This file imports no torch: a process inherits the peak memory of the one that started it, so the
benchmark itself has to stay small.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import psutil

CONTENDERS = Path(__file__).with_name("contenders.py")
READY = "ready"
BYTES_IN_MAXRSS = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Setting:
    """What one contender is told.

    Attributes:
        contender: Who, and how: `ours` or `limit` with a precision, as `ours-auto`, or a name in
            `peers.PEERS` with a number of worker processes, as `loop-2`.
        model: A name from the course's registry.
        data: A name that `course_utils.data.load` knows.
        batch_size: Images in a batch.
        steps: Batches in an epoch, which is one turn.
        turns: Epochs to train.
        seed: The seed of the weights and of the order of the images.
    """

    contender: str
    model: str
    data: str
    batch_size: int
    steps: int
    turns: int
    seed: int = 0

    @property
    def num_images(self) -> int:
        """The number of images in an epoch."""
        return self.batch_size * self.steps


@dataclass(frozen=True)
class Turn:
    """The result of one epoch of a contender.

    Attributes:
        seconds: How long the epoch took.
        peak: The most memory that the process has held since it started, in MB.
        held: The memory that it holds when the epoch has ended, in MB.
    """

    seconds: float
    peak: float
    held: float


class Turns:
    """Batches of a contender: each pass over them waits for the contender's turn and is timed.

    Args:
        batches: Anything to iterate over once an epoch.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches = batches
        self.generator = getattr(batches, "generator", None)  # `fit` wants to know both
        self.memory_format = getattr(batches, "memory_format", None)

    def with_options(self, **changes: Any) -> "Turns":
        """Return the turns of the same batches with other settings, as `fit` asks for them."""
        return Turns(self.batches.with_options(**changes))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        wait()
        started = time.perf_counter()
        yield from self.batches
        report(time.perf_counter() - started)


def wait() -> None:
    """Wait, as a contender, for the next turn; without a benchmark there is none."""
    print(READY, flush=True)
    if not sys.stdin.readline():
        sys.exit("the benchmark has ended")


def wait_for_the_others() -> None:
    """Wait, as a contender that has trained its last epoch, for the end of the benchmark."""
    print(READY, flush=True)
    sys.stdin.read()


def report(seconds: float) -> None:
    """Report, as a contender, how the turn went."""
    print(json.dumps(asdict(Turn(seconds, peak_memory(), held_memory()))), flush=True)


def peak_memory() -> float:
    """Return the most memory that this process has held, in MB (`ru_maxrss`), without children."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_IN_MAXRSS / 2**20


def held_memory() -> float:
    """Return the memory that this process holds now, in MB, without children."""
    return psutil.Process().memory_info().rss / 2**20


class Contender:
    """A contender's process, from the benchmark's side; use it in a `with` statement.

    Args:
        setting: What it is told.
        environment: The environment of the process.
    """

    def __init__(self, setting: Setting, environment: dict[str, str]) -> None:
        self.setting = setting
        self.turns: list[Turn] = []
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on exit
        self._process = subprocess.Popen(
            [sys.executable, str(CONTENDERS), json.dumps(asdict(setting))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> "Contender":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def take_turn(self) -> Turn:
        """Let it train for one epoch, and wait until it is ready for the next.

        Raises:
            RuntimeError: The process has ended; the message quotes its last words.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._complain()
        self.turns.append(Turn(**json.loads(self._answer())))
        self.wait_until_ready()
        return self.turns[-1]

    def wait_until_ready(self) -> None:
        """Wait until it is waiting itself, and so computes nothing.

        Raises:
            RuntimeError: The process has ended, or says something else.
        """
        answer = self._answer()
        if answer != READY:
            raise RuntimeError(f"{self.setting.contender} said {answer!r}, not that it is ready")

    def _answer(self) -> str:
        """Return the next line of the process."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n") or self._complain()

    def _complain(self) -> NoReturn:
        raise RuntimeError(f"{self.setting.contender} has ended:\n{self._last_words()}")

    def _last_words(self) -> str:
        self._process.wait()
        self._complaints.seek(0)
        return self._complaints.read()[-2000:]
