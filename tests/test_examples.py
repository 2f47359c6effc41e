"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "course_utils").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, capsys):
    found = doctest.testmod(importlib.import_module(name))
    plt.close("all")
    assert found.attempted > 0, "an example that does not run tells nothing"
    assert found.failed == 0, capsys.readouterr().out
