"""The two steps of a challenge that a teacher's machine runs, each in a process of its own.

Each reads what it needs from its input and writes one reply. The first runs the entry's code, the
second has none of it; neither knows the labels of the hidden images.
"""

import io
import json
import os
import sys
from typing import Any

import torch

from course_utils.challenge.entry import Refused, read_entry
from course_utils.challenge.scoring import Rules, prepared, score

__all__ = ["packed", "record_step", "score_step"]


def packed(content: dict[str, Any]) -> bytes:
    """Return plain data and tensors as bytes."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _unpacked(data: bytes) -> dict[str, Any]:
    """Return what was packed; nothing that would run code."""
    return torch.load(io.BytesIO(data), weights_only=True)


def record_step() -> None:
    """Run an entry's code, and reply with the recording of its net, or with why it is refused."""
    given = _unpacked(sys.stdin.buffer.read())
    reply = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # an entry may print what it likes
    try:
        content = prepared(read_entry(given["source"]), Rules(**given["rules"]))
    except Refused as refused:
        content = {"refused": str(refused)}
    with os.fdopen(reply, "wb") as stream:
        stream.write(packed(content))


def score_step() -> None:
    """Train and classify from a recording, and reply with the answers, as JSON."""
    given = _unpacked(sys.stdin.buffer.read())
    try:
        recording = _unpacked(given["recording"])
        if "refused" in recording:
            raise Refused(recording["refused"])
        answers = score(recording, Rules(**given["rules"]), given["images"], given["secret"])
        content = vars(answers) | {"classes": answers.classes.tolist()}
    except Refused as refused:
        content = {"refused": str(refused)}
    except Exception as error:  # a recording is whatever the first step's process left
        words = " ".join(str(error).split())[:200]
        content = {"refused": f"its net stops with {type(error).__name__}: {words}"}
    print(json.dumps(content))
