"""Whether an exception is one that the course wrote, for whoever gave the wrong argument."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import course_utils

PACKAGE = Path(course_utils.__file__).parent


def refusal(call: Callable[[], Any]) -> str | None:
    """Call a function that has one wrong argument.

    Args:
        call: Does so.

    Returns:
        The sentence that the function refuses with; None if it does not refuse.

    Raises:
        AssertionError: It ends in an exception that is not ours, or in more than one sentence.
    """
    try:
        call()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = PACKAGE in Path(last.filename).parents and (last.line or "").startswith("raise ")
        message = str(error)
        assert isinstance(error, ValueError) and ours, f"{type(error).__name__}: {message}"
        assert message and "\n" not in message, message
        return message
    return None
