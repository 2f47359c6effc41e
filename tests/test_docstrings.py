"""Docstrings have one style; what no rule of ruff's can hold is held here.

Ruff holds the rest: the sections and the arguments in them (D417), a summary on one line (D205),
in the imperative (D401). See CONTRIBUTING.md, "The house rules".
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("course_utils", "classroom/grader")
    for path in (ROOT / folder).rglob("*.py")
)
SECTION = re.compile(
    r"^( *)(Args|Attributes|Raises|Returns|Yields):\n((?:\1 +.*\n|\n)*)", re.MULTILINE
)
LISTS = ("Args", "Attributes", "Raises")
ENTRY = re.compile(r"\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*: (.*)", re.DOTALL)


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string that stands alone, as docstrings do."""
    for node in ast.walk(ast.parse(text)):
        value = getattr(node.value, "value", None) if isinstance(node, ast.Expr) else None
        if isinstance(value, str):
            yield node.lineno, value


def entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield section and text of each entry of a docstring's sections."""
    for indent, section, block in SECTION.findall(docstring + "\n"):
        if section not in LISTS:
            yield section, block
            continue
        for entry in re.split(rf"^{indent}    (?=\S)", block, flags=re.MULTILINE)[1:]:
            named = ENTRY.fullmatch(entry)
            yield section, named[1] if named else f"(no name) {entry}"


def complaints(text: str) -> list[str]:
    """Say what in the docstrings of a file is not in the style of the house."""
    found = []
    for line, docstring in docstrings(text):
        if "``" in docstring:
            found.append(f"line {line}: code stands between single backticks")
        for section, entry in entries(docstring):
            words = " ".join(entry.split())
            if not re.match(r"[^a-z]", words) or words.startswith("(no name)"):
                found.append(f"line {line}: {section} begins with a capital: {words}")
            if not re.search(r"""[.?!…][)"'`*]*$""", words):
                found.append(f"line {line}: {section} ends with a full stop: {words}")
    return found


@pytest.mark.parametrize("path", FILES)
def test_a_file_s_docstrings_are_in_the_style_of_the_house(path):
    found = complaints((ROOT / path).read_text("utf-8"))
    assert not found, "\n".join(found)


GOOD = '''
def f(a, *b):
    """Return what a reader wants.

    Args:
        a: (N, C), of which
            the second line belongs to the first.
        *b: `none` or more.

    Returns:
        A number. Or none at all?

    Raises:
        ValueError: The number is "odd".
    """
'''


def test_the_style_is_told_from_what_is_not():
    assert complaints(GOOD) == []
    for right, wrong, complaint in [
        ("`none`", "``none``", "single backticks"),
        ("A number.", "a number.", "Returns begins with a capital: a number."),
        ("a: (N, C)", "a: of (N, C)", "Args begins with a capital"),
        ("to the first.", "to the first", "Args ends with a full stop: (N, C), of which"),
        ('is "odd".', 'is "odd"', "Raises ends with a full stop"),
        ("*b: `none`", "`none`", "Args begins with a capital: (no name)"),
    ]:
        assert right in GOOD
        (found,) = complaints(GOOD.replace(right, wrong))
        assert complaint in found
