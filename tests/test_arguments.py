"""What arguments are let through, and the whole sentence that refuses one."""

import re
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import arguments
from course_utils.arguments import as_path, flag, number, positive, share, whole


@pytest.mark.parametrize("value", [3, np.int8(3), np.array(3), torch.tensor(3), torch.tensor([3])])
def test_any_kind_of_integer_is_whole(value):
    assert type(whole("k", value)) is int and whole("k", value) == 3


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), torch.tensor(0.5).item()])
@pytest.mark.parametrize("check", [number, positive, share])
def test_any_kind_of_number_comes_back_as_a_float(check, value):
    assert type(check("x", value)) is float and check("x", value) == 0.5


def test_ends_of_a_range_belong_to_it():
    assert [whole("k", value, 2, 4) for value in (2, 4)] == [2, 4]
    assert [number("x", value, -1, 1) for value in (-1, 1)] == [-1, 1]
    assert number("x", 1e300) == 1e300 and positive("x", 1e-300) == 1e-300
    assert share("x", 0) == 0 and share("x", 0.999) == 0.999


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_a_flag_is_pythons_or_numpys(value):
    assert flag("on", value) is bool(value)


def test_a_path_begins_at_home():
    assert as_path("~/grades") == Path.home() / "grades"
    assert as_path(Path("a")) == Path("a")


@pytest.mark.parametrize(
    ("check", "value", "limits", "sentence"),
    [
        ("whole", 3.0, (), "k = 3.0 is not a whole number: give an integer"),
        ("whole", True, (), "k = True is not a whole number: give an integer"),
        ("whole", np.True_, (), "k = np.True_ is not a whole number: give an integer"),
        (
            "whole",
            torch.tensor(True),
            (),
            "k = tensor(True) is not a whole number: give an integer",
        ),
        ("whole", 0, (), "k = 0 is too small: it must be at least 1"),
        ("whole", -1, (0,), "k = -1 is too small: it must be at least 0"),
        ("whole", 5001, (1, 5000), "k = 5001 is too large: it must be at most 5,000"),
        ("number", "1", (), "k = '1' is not a number: give one"),
        ("number", True, (), "k = True is not a number: give one"),
        ("number", nan, (), "k = nan is out of range: give a finite number"),
        ("number", inf, (0,), "k = inf is out of range: give a finite number of at least 0"),
        ("number", -1, (0,), "k = -1 is out of range: give a finite number of at least 0"),
        ("number", 2, (-1, 1.5), "k = 2 is out of range: give a number from -1 to 1.5"),
        ("number", 2, (-inf, 1), "k = 2 is out of range: give a number from -inf to 1"),
        ("positive", 0, (), "k = 0 is out of range: give a number above 0"),
        ("positive", -2, (), "k = -2 is out of range: give a finite number of at least 0"),
        ("share", 1, (), "k = 1 leaves nothing: give a share below 1, e.g. 0.1"),
        ("share", 1.1, (), "k = 1.1 is out of range: give a number from 0 to 1"),
        ("share", -0.1, (), "k = -0.1 is out of range: give a number from 0 to 1"),
        ("flag", 1, (), "k = 1 is neither True nor False: give one of them"),
        ("flag", "no", (), "k = 'no' is neither True nor False: give one of them"),
        ("one_of", "c", (("a", "b"),), "k = 'c' is unknown: choose from a, b"),
        ("one_of", True, ((1, 2),), "k = True is unknown: choose from 1, 2"),
        ("instance", 3, (str, "a name"), "k = 3 is not a str: give a name"),
        ("listed", 3, (), "k = 3 is not a list: give one"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(check, value, limits, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        getattr(arguments, check)("k", value, *limits)


@pytest.mark.parametrize("value", ["", "a\0b", None, 3, "~nobody-of-this-name/x"])
def test_what_is_no_path_is_refused_by_its_name(value):
    sentence = f"out = {arguments.shown(value)} is not a path: give that of a file or a folder"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        as_path(value, "out")
    with pytest.raises(ValueError, match=r"^path = "):
        as_path(value)
