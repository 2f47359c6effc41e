"""Wrong arguments, and whether an exception is one that the course wrote for whoever gave one."""

import math
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

import course_utils

WRONG = [-1, 2.5, math.nan, math.inf, "3", "", b"3", None, [], (), [1, 2, 3], {}, object(), 1j]
"""No count, no size and no choice of the course is any of these."""

ANYTHING = st.one_of(
    st.integers(),
    st.integers(10**18, 10**40),
    st.floats(),
    st.text(max_size=5),
    st.none(),
    st.booleans(),
    st.binary(max_size=3),
    st.lists(st.integers(-2, 9) | st.floats() | st.none(), max_size=3),
    st.tuples(st.integers(-2, 9), st.integers(-2, 9)),
    st.sampled_from([np.int8(7), np.uint64(3), np.float32(2), np.array([1, 2]), np.bool_(True)]),
    st.sampled_from([torch.tensor(3), torch.tensor([1, 2]), torch.tensor(True), torch.ones(2)]),
)

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
