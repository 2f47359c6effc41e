"""The judge: a process that knows the answers, and that no student's code can reach.

The grader starts this module once (`judge.py`). It imports what checks need, and then makes a copy
of itself for each submission, which runs the check cells as they were released, in their own
namespace. There the names of the student's answers are handles: what a check asks of them goes
through the grader to the student's kernel, and comes back as plain data.
"""

import io
import json
import linecache
import os
import resource
import select
import signal
import socket
import sys
from ast import Expr, Expression, Module, parse
from collections.abc import Callable
from contextlib import redirect_stdout
from multiprocessing.connection import Connection
from typing import Any

from convnet_grader.released import bound_names, free_names
from course_utils import beside, checks, quiz

__all__ = ["NO_RESULT", "Judge", "pose", "serve"]

NO_RESULT = "this check did not run to its end"


class Judge:
    """An examiner of one submission's check cells, one after the other.

    Args:
        setup: The set-up cell as it was released, run once a check needs a name from it.
        ask: Passes a request to the student's kernel, and returns the answer.
    """

    def __init__(self, setup: str, ask: Callable[[str], str]) -> None:
        beside.SESSION.channel = ask
        self.setup: str | None = setup
        self.space: dict[str, Any] = {"__name__": "check", "student_id": ""}
        self.known = {"student_id"}

    def examine(self, name: str, source: str, points: float, draw: int) -> dict[str, Any]:
        """Run a check cell; return what it printed, its points, or what is wrong.

        Args:
            name: Of the cell.
            source: Its whole source, hidden checks included.
            points: The most that it gives.
            draw: The seed of the inputs.
        """
        beside.SESSION.draw = checks.seed_of(f"{draw}|{name}")
        printed = io.StringIO()
        verdict: dict[str, Any]
        try:
            with redirect_stdout(printed):
                value = self._run(name, source)
            verdict = {"points": _points(value, points)}
        except (Exception, SystemExit) as error:  # whatever a learner's code may do
            kind = type(error).__name__
            verdict = {"kind": kind, "finding": _readable(str(error)[:2000]) or kind}
        found = {key: self.space.get(key) for key in bound_names(source)}
        flags = {key: value for key, value in found.items() if type(value) is bool}
        return verdict | {"printed": _readable(printed.getvalue()), "flags": flags}

    def _run(self, name: str, source: str) -> Any:
        """Run a cell, and return the value of its last line."""
        tree = parse(source)
        self._fetch(source)
        self.known |= bound_names(source)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        last = tree.body[-1]
        if not isinstance(last, Expr):
            exec(compile(tree, name, "exec"), self.space)
            return None
        exec(compile(Module(tree.body[:-1], []), name, "exec"), self.space)
        return eval(compile(Expression(last.value), name, "eval"), self.space)

    def _fetch(self, source: str) -> None:
        """Put handles of the student's answers where the check looks for them."""
        wanted = [name for name in free_names(source) if name not in self.known]
        if self.setup and set(wanted) & bound_names(self.setup):
            exec(compile(self.setup, "setup", "exec"), self.space)
            self.known |= bound_names(self.setup)
            self.setup = None
        for name in wanted:
            if name not in self.known:
                self.space[name] = beside.get(name)


def _readable(text: str) -> str:
    """Return a text without halves of characters, which no file can have."""
    return text.encode("utf-8", "replace").decode()


def _points(value: Any, most: float) -> float:
    """Return the points that a check gives.

    Raises:
        CheckFailed: It ends with something else.
    """
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise checks.CheckFailed(NO_RESULT)
    return float(value)


def pose(student: str, asked: list[list[str]]) -> dict[str, Any]:
    """Return what a student sees of questions of the quiz: their numbers, text and options."""
    posed = {f"{bank}/{item}": quiz.question(bank, item, student) for bank, item in asked}
    return {
        name: {
            "values": dict(question.values),
            "text": question.text,
            "options": [option.text for option in question.options],
        }
        for name, question in posed.items()
    }


def serve(connection: Connection) -> None:
    """Judge one submission: greet with the process's number, then obey until the end."""

    def ask(text: str) -> str:
        connection.send_bytes(json.dumps({"ask": text}).encode())
        return str(json.loads(connection.recv_bytes()))

    connection.send_bytes(str(os.getpid()).encode())
    start = json.loads(connection.recv_bytes())
    os.environ[quiz.exercise.VARIABLE] = start["student"]
    resource.setrlimit(resource.RLIMIT_CPU, (start["seconds"], start["seconds"]))
    connection.send_bytes(json.dumps(pose(start["student"], start["asked"])).encode())
    judge = Judge(start["setup"], ask)
    while True:
        verdict = judge.examine(**json.loads(connection.recv_bytes()))
        connection.send_bytes(json.dumps({"verdict": verdict}).encode())


def main(address: str) -> None:
    """Make a judge for each connection, until the grader has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            accepted, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                try:
                    serve(Connection(accepted.detach()))
                except (EOFError, OSError):
                    os._exit(0)
            accepted.close()


if __name__ == "__main__":
    main(sys.argv[1])
