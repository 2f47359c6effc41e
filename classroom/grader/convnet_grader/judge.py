"""The grader's side of the judge: one process for each submission, forked from a warm one."""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Judge", "JudgeLost", "open_bench"]

ADDRESS = "CONVNET_GRADER_JUDGE"
"""The variable by which workers find the process that all their judges are forked from."""
STUDENT = "COURSE_STUDENT"


class JudgeLost(RuntimeError):
    """The end of the judge before it reached a verdict."""


def open_bench() -> None:
    """Fork the judges of this process, and of those that it starts, from one process."""
    os.environ[ADDRESS] = _bench()[2]


@functools.cache
def _bench() -> tuple[subprocess.Popen[str], tempfile.TemporaryDirectory[str], str]:
    """Start the process that judges are forked from; it ends with this one.

    Returns:
        The process, the folder of its socket, and the socket.
    """
    folder = tempfile.TemporaryDirectory(prefix="judge-", ignore_cleanup_errors=True)
    address = f"{folder.name}/socket"
    # On a hub a teacher has an id, too; each judge is told whose numbers the quiz uses.
    environment = {name: value for name, value in os.environ.items() if name != STUDENT}
    process = subprocess.Popen(
        [sys.executable, "-m", "convnet_grader.verdict", address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise JudgeLost("the judge does not start")
    return process, folder, address


def _link() -> socket.socket:
    """Return a link to the process that judges are forked from: a running one, or our own."""
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(os.environ.get(ADDRESS, ""))
    except OSError:  # there is none, or it has gone
        link.connect(_bench()[2])
    return link


class Judge:
    """A judge of one submission.

    Attributes:
        asked: Question of the quiz -> what this student sees of it.
    """

    def __init__(
        self, student: str, setup: str, asked: list[tuple[str, str]], seconds: float
    ) -> None:
        """Get one.

        Args:
            student: The id.
            setup: The set-up cell as it was released.
            asked: Bank and item of each question of the quiz.
            seconds: How much processor time it may take.
        """
        self._connection = Connection(_link().detach())
        self._process = int(self._connection.recv_bytes())
        self._send(student=student, setup=setup, asked=asked, seconds=1 + int(seconds))
        self.asked: dict[str, Any] = self.receive()

    def examine(self, name: str, source: str, points: float, draw: int) -> None:
        """Start it on a check cell; `receive` tells how it goes on."""
        self._send(name=name, source=source, points=points, draw=draw)

    def answer(self, text: str) -> None:
        """Pass it the answer of the student's kernel."""
        self._connection.send_bytes(json.dumps(text).encode())

    def waits(self, seconds: float) -> bool:
        """Return whether it has something to say, after at most this many seconds."""
        return self._connection.poll(seconds)

    def receive(self) -> dict[str, Any]:
        """Return what it says: a question (`ask`) or a verdict.

        Raises:
            JudgeLost: It has ended.
        """
        try:
            return dict(json.loads(self._connection.recv_bytes()))
        except (EOFError, OSError):
            raise JudgeLost("the judge has ended") from None

    def _send(self, **message: Any) -> None:
        self._connection.send_bytes(json.dumps(message).encode())

    def end(self) -> None:
        """End it."""
        self._connection.close()
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
