"""The learner's answers, in a small file per quiz, so that a restarted kernel shows them again.

The files are in `~/.convnet-course/quiz`, or below the folder that COURSE_STATE names. They hold
what the learner typed and no right answers; a quiz marks it again when it is shown. Deleting a file
starts that quiz again.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from course_utils.arguments import as_path

__all__ = ["VARIABLE", "Entry", "path_of", "recall", "remember"]

VARIABLE = "COURSE_STATE"


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """What a learner did with one item.

    Attributes:
        variant: How often they asked for other numbers.
        answer: The last answer in this variant, in the form that `mark` takes, or None.
        tries: Number of answers in this variant.
        rules: Wrong rules behind all answers so far, in order.
        revealed: Whether this variant's answer was shown to them.
    """

    variant: int = 0
    answer: Any = None
    tries: int = 0
    rules: list[str] = []
    revealed: bool = False


def path_of(quiz: str) -> Path:
    """Return the file of a quiz, by the name of its bank."""
    folder = os.environ.get(VARIABLE) or Path.home() / ".convnet-course"
    return as_path(folder, VARIABLE) / "quiz" / f"{quiz}.json"


def recall(quiz: str) -> tuple[dict[str, Entry], str]:
    """Read what was answered in the quiz of a bank.

    Returns:
        Item id -> entry, and a sentence for the reader if the file could not be read. A damaged
        file is set aside under another name.
    """
    path = path_of(quiz)
    try:
        return msgspec.convert(json.loads(path.read_text("utf-8")), dict[str, Entry]), ""
    except FileNotFoundError:
        return {}, ""
    except (ValueError, RecursionError, msgspec.ValidationError):
        return {}, _set_aside(path)
    except OSError as error:
        return {}, f"Your answers cannot be read ({error.strerror or error})."


def remember(quiz: str, entries: Mapping[str, Entry]) -> str:
    """Write the answers, in full or not at all; untouched items are left out.

    Returns:
        A sentence for the reader if it could not be written, else "".
    """
    path = path_of(quiz)
    part = path.with_suffix(f".{os.getpid()}.part")
    touched = {name: entry for name, entry in entries.items() if entry != Entry()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(touched, indent=1, default=msgspec.structs.asdict), "utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        return (
            f"Your answers cannot be kept ({error.strerror or error}): "
            f"set {VARIABLE} to a folder that you may write to."
        )
    return ""


def _set_aside(path: Path) -> str:
    """Rename a file that cannot be read, so that no work is overwritten."""
    names = (path.with_suffix(f".unreadable-{number}.json") for number in count(1))
    aside = next(name for name in names if not name.exists())
    try:
        path.replace(aside)
    except OSError:
        return "The file of your answers is damaged and cannot be renamed; the quiz starts again."
    return f"The file of your answers was damaged. It is now {aside.name}; the quiz starts again."
