"""A challenge of a class: entries in, a leader board out.

The labels of the hidden images, and the secret that both are drawn from, stay in this process. An
entry passes through two processes in the sandbox, one after the other: the first runs its code and
ends with a recording of its net (`course_utils.challenge`), the second trains that and classifies
the images. Neither reads or writes a file, and no code of the entry is left in the second.
"""

import html
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from convnet_grader.attempts import write_at_once
from convnet_grader.boundary import Problems, plain
from convnet_grader.collect import SentFile, sent_files
from convnet_grader.gradebook import write_table
from convnet_grader.kernel import StudentKernel, Watchdog, kill, process_tree
from convnet_grader.sandbox import (
    Limits,
    RunFolder,
    new_run_folder,
    require_sandbox,
    sandbox_command,
    sandbox_environment,
)
from course_utils import __version__
from course_utils.challenge import Refused, Rules, draw_test
from course_utils.challenge.entry import refuse_code
from course_utils.challenge.steps import packed
from course_utils.tables import Cell, Table

__all__ = ["COLUMNS", "Result", "Step", "board", "run_challenge"]

COLUMNS = (
    "place", "who", "accuracy", "standard error", "multiply-adds", "seconds", "trained", "remark"
)  # fmt: skip
TIE = 2  # standard errors of the difference between two nets, on the same images
LARGEST, MEMORY = 2**26, 4096  # bytes of a reply; megabytes of a process
RECORDING, CLASSIFYING = 60, 240  # processor seconds, besides those for training
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Leader board</title><style>
body {{ font: 1rem/1.5 sans-serif; margin: 2rem }} th, td {{ padding: .2rem .8rem }}
tr:nth-child(even) {{ background: #eee }}
</style></head><body><h1>Leader board</h1>{table}<p>{note}</p></body></html>
"""
NOTE = (
    "Entries share a place (=) if they differ by less than two standard errors of their "
    "difference, on the same images, from the first of that place."
)


@dataclass(frozen=True)
class Result:
    """What an entry has achieved, or why it was refused.

    Args:
        who: The name of its file.
        key: A hash of all that the result depends on.
        refused: Why, in one sentence; "" if it was not.
        right: A "1" for each image that it classifies correctly, a "0" for each other one.
        multiply_adds: For an image.
        seconds: Of processor time for training.
        share: How much of the training it asks for was done in time.
    """

    who: str
    key: str
    refused: str = ""
    right: str = ""
    multiply_adds: int = 0
    seconds: float = 0.0
    share: float = 0.0

    @property
    def accuracy(self) -> float:
        """The share of the hidden images that it classifies correctly."""
        return self.right.count("1") / len(self.right)


@dataclass(frozen=True)
class Step:
    """A process of a challenge.

    Args:
        name: A function of `course_utils.challenge.steps`.
        seconds: Of processor time that it may take.
        trusted: Whether to run it without the sandbox.
    """

    name: str
    seconds: int
    trusted: bool

    def run(self, content: dict[str, Any]) -> bytes:
        """Run it, and return its reply.

        Raises:
            Refused: It took too much of something, or ended without a reply.
        """
        code = f"from course_utils.challenge import steps; steps.{self.name}()"
        inner = [sys.executable, "-c", code]
        limited = ["prlimit", f"--cpu={self.seconds}", "--", *inner]
        limits = Limits(seconds=10 * self.seconds, memory_mb=MEMORY)  # of a clock, if it only waits
        with new_run_folder() as place, tempfile.TemporaryFile() as given:
            run = RunFolder(place)
            run.fill(None)
            given.write(packed(content))
            given.seek(0)
            command = inner if self.trusted else sandbox_command(run, limits, limited)
            return _reply(run, limits, command, given)


def _reply(run: RunFolder, limits: Limits, command: list[str], given: Any) -> bytes:
    """Run a command, watch it, and return what it writes.

    Raises:
        Refused: It took too much of something, or wrote nothing.
        RuntimeError: Something outside had disturbed it.
    """
    with tempfile.TemporaryFile() as reply:
        process = subprocess.Popen(
            command, stdin=given, stdout=reply, stderr=subprocess.DEVNULL, cwd=run.work,
            env=sandbox_environment(""), start_new_session=True,
        )  # fmt: skip
        watched = cast(StudentKernel, _Watched(run, process.pid))
        watchdog = Watchdog(watched, limits)
        watchdog.start()
        try:
            code = process.wait()
        finally:
            watchdog.stop()
            kill(process_tree(process.pid))
        reply.seek(0)
        data = reply.read(LARGEST)
    if watchdog.disturbed:
        raise RuntimeError("the machine was too busy: run the same command again")
    if watchdog.reason or not data or code:
        too_long = code in (-24, 128 + 24, -9, 128 + 9)  # the system's two ways to say so
        reason = "took too much processor time" if too_long else "ended Python"
        raise Refused(f"it {watchdog.reason or reason}")
    return data


@dataclass(frozen=True)
class _Watched:
    """What the watchdog looks at."""

    folder: RunFolder
    process_id: int


@dataclass(frozen=True)
class _Challenge:
    """What all entries of a challenge share."""

    rules: Rules
    secret: str
    images: Tensor
    labels: Tensor
    trusted: bool
    kept: Path

    def result(self, file: SentFile) -> Result:
        """Return the result of one entry, whatever goes wrong with it."""
        who, problems = plain(file.name.removesuffix(".py")), Problems()
        with problems.of(who):
            return self._result(file, who)
        return Result(who, "", problems[0].reason)  # not kept: the next call tries it again

    def _result(self, file: SentFile, who: str) -> Result:
        """Return the kept result of an entry, or a new one."""
        source = b"" if file.trouble else file.read()
        key = _hashed(self.secret, __version__, repr(self.rules), who, source.hex(), file.trouble)
        place = self.kept / f"{key}.json"
        if place.is_file():
            return Result(**json.loads(place.read_text("utf-8")))
        result = Result(who, key)
        try:
            if file.trouble:
                raise Refused(file.trouble)
            result = self._new(result, source)
        except Refused as refused:
            result = replace(result, refused=" ".join(plain(str(refused)).split())[:400])
        write_at_once(place, json.dumps(asdict(result)))
        return result

    def _new(self, result: Result, source: bytes) -> Result:
        """Run the two steps, and compare the answers with the labels.

        Raises:
            Refused: The entry breaks a rule.
        """
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Refused("the file is not in UTF-8") from None
        refuse_code(text)
        given: dict[str, Any] = {"rules": asdict(self.rules)}
        recording = Step("record_step", RECORDING, self.trusted).run(given | {"source": text})
        seconds = round(self.rules.seconds) + CLASSIFYING
        secret = _hashed(self.secret, "training", result.key)
        given |= {"recording": recording, "images": self.images, "secret": secret}
        answers = json.loads(Step("score_step", seconds, self.trusted).run(given))
        if "refused" in answers:
            raise Refused(str(answers["refused"]))
        right = torch.tensor(answers["classes"]) == self.labels
        return replace(
            result,
            right="".join(str(int(each)) for each in right),
            multiply_adds=int(answers["multiply_adds"]),
            seconds=float(answers["seconds"]),
            share=float(answers["share"]),
        )


def _hashed(*texts: str) -> str:
    return sha256("|".join(texts).encode()).hexdigest()


def run_challenge(
    source: Path,
    out: Path,
    secret: bytes,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    *,
    workers: int = 1,
    trusted: bool = False,
) -> list[Result]:
    """Score all entries in a folder or zip file, and write the leader board.

    Args:
        source: Holds the entries, each a file that ends in .py.
        out: Gets `leaderboard.csv` and `leaderboard.html`; and `entries/`, by which the same call
            later goes on with what is missing.
        secret: What the hidden images are drawn from.
        rules: Of the challenge.
        workers: How many entries at a time.
        trusted: Run without a sandbox.

    Raises:
        ValueError: There are no entries, or the secret is too short.
        SandboxUnavailable: There is no sandbox here, and the entries are not trusted.
    """
    if len(secret) < 8:
        raise ValueError("the secret has fewer than eight bytes: anybody could try them all")
    if not trusted:
        require_sandbox()
    files = [file for file in sent_files(source) if file.name.endswith(".py")]
    if not files:
        raise ValueError(f"there is no entry in {source}: an entry is a file that ends in .py")
    kept = out / "entries"
    kept.mkdir(parents=True, exist_ok=True)
    images, labels = draw_test(secret.hex(), rules.num_test)
    challenge = _Challenge(rules, secret.hex(), images, labels, trusted, kept)
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(challenge.result, files))
    table = board(results)
    write_table(out / "leaderboard.csv", table.columns, table.rows)
    page = PAGE.format(table=table._repr_html_(), note=html.escape(NOTE))
    write_at_once(out / "leaderboard.html", page)
    return results


def board(results: Iterable[Result]) -> Table:
    """Return the leader board: the best first, refused entries last."""
    honest = sorted((each for each in results if not each.refused), key=lambda each: -each.accuracy)
    rows: list[tuple[Cell, ...]] = [
        _row(each, place) for each, place in zip(honest, _places(honest), strict=True)
    ]
    empty = (None,) * 5
    rows += [("", each.who, *empty, f"refused: {each.refused}") for each in results if each.refused]
    return Table(COLUMNS, tuple(rows))


def _row(result: Result, place: str) -> tuple[Cell, ...]:
    accuracy, num = result.accuracy, len(result.right)
    error = (accuracy * (1 - accuracy) / num) ** 0.5
    remark = "" if result.share == 1 else "its time was over before its epochs"
    return (
        place, result.who, f"{accuracy:.1%}", f"{error:.1%}", result.multiply_adds,
        round(result.seconds), f"{result.share:.0%}", remark,
    )  # fmt: skip


def _places(ranked: Sequence[Result]) -> list[str]:
    """Return the place of each, the best first; who differs too little shares one."""
    places, first = [], 0
    for number, each in enumerate(ranked):
        if not _ties(ranked[first], each):
            first = number
        places.append(first + 1)
    return [f"{place}{'=' * (places.count(place) > 1)}" for place in places]


def _ties(one: Result, other: Result) -> bool:
    """Return whether two nets differ by less than chance would explain, on the same images."""
    pairs = list(zip(one.right, other.right, strict=True))
    gained, lost = pairs.count(("1", "0")), pairs.count(("0", "1"))
    variance = gained + lost - (gained - lost) ** 2 / len(pairs)
    return abs(gained - lost) <= TIE * variance**0.5
