"""What a submission did to the cells that are not the student's, and what its code speaks of."""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from convnet_grader.preprocessors import cells_with_role, copies_of
from course_utils.arguments import shown

__all__ = ["belongs", "changes", "misplaced", "suspicions"]

ROLE = ("grade", "solution", "locked", "points")
SUSPICIOUS = {
    r"COURSE_STUDENT": "the student's id",
    r"\bget_ipython\s*\(": "IPython itself",
    r"\bast_transformers\b|\bNodeTransformer\b|\binput_transformers": "how cells are compiled",
    r"\bawards?\b": "the function that gives points",
    r"\bquiz\.(?!(ask|form|numbers|show|student)\b)\w+": "the quiz's own answers",
    r"\b_getframe\b|\bf_(back|globals|locals)\b|\bgc\.|\bsettrace\b": "the frames of the checks",
    r"\bsys\.modules\b|\bimportlib\b|\b(__)?builtins(__)?\b": "how modules are loaded",
    r"\bgradebook\b": "the gradebook",
    r"\bsocket\b|\burllib\b|\brequests\b": "the network",
    r"\bsubprocess\b|\bos\.(system|fork|exec\w*)\b|\bctypes\b": "other programs",
    r"\bos\._exit\b": "the end of Python",
}
"""What an answer has no need to name; a full score that does is worth a look."""


def belongs(released: NotebookNode, submitted: NotebookNode) -> bool:
    """Say whether a notebook has a cell of an exercise."""
    return any(copies_of(cells_with_role(released), submitted.cells))


def changes(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return what happened to the test cells; grading has undone it.

    Args:
        released: The exercise as it was handed out.
        submitted: What came back.
    """
    ours = cells_with_role(released)
    return [
        sentence
        for cell, copies in zip(ours, copies_of(ours, submitted.cells), strict=True)
        if cell.metadata.nbgrader.grade and cell.metadata.nbgrader.locked
        for sentence in _changes_of(cell, copies)
    ]


def _changes_of(cell: NotebookNode, copies: list[NotebookNode]) -> Iterator[str]:
    """Yield what happened to one test cell."""
    name = cell.metadata.nbgrader.grade_id
    if not copies:
        yield f"{name} was deleted"
    if len(copies) > 1:
        yield f"{name} was copied"
    if any(_lines(copy) != _lines(cell) for copy in copies):
        yield f"{name} was changed"
    roles = [copy.metadata["nbgrader"] for copy in copies if "nbgrader" in copy.metadata]
    kept = {key: cell.metadata.nbgrader.get(key) for key in ROLE}
    if any({key: role.get(key) for key in ROLE} != kept for role in roles):
        yield f"{name} had other points, or another role"


def _lines(cell: NotebookNode) -> list[str]:
    """Return the lines of a cell, without the spaces at their ends, which editors take away."""
    return [line.rstrip() for line in cell.source.rstrip().split("\n")]


def misplaced(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return which written answers are still open, if there is text that may be one of them.

    Whoever answers in a cell of their own, or with a program that drops the cells' ids and
    metadata, would get no points, and nobody would know.
    """
    ours = cells_with_role(released)
    copies = copies_of(ours, submitted.cells)
    known, texts = {id(c) for found in copies for c in found}, {c.source for c in released.cells}
    added = [
        cell.source.strip()
        for cell in submitted.cells
        if id(cell) not in known and cell.source not in texts and _is_prose(cell)
    ]
    return [
        f"{cell.metadata.nbgrader.grade_id} is unanswered, and a cell of the student's own says "
        f"{shown(max(added, key=len))}"
        for cell, found in zip(ours, copies, strict=True)
        if cell.metadata.nbgrader.grade and cell.metadata.nbgrader.solution
        if added and all(copy.source.strip() in ("", cell.source.strip()) for copy in found)
    ]


def _is_prose(cell: NotebookNode) -> bool:
    """Say whether a cell has text and no code, of whatever kind it says that it is."""
    try:
        body = ast.parse(cell.source).body if cell.cell_type == "code" else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # words, a magic, a tower of (
        body = []
    literals = [isinstance(getattr(step, "value", None), ast.Constant) for step in body]
    return bool(cell.source.strip()) and all(literals)


def suspicions(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return what the student's own code speaks of and an answer does not need."""
    ours = {cell.source for cell in released.cells}
    code = "\n".join(
        cell.source
        for cell in submitted.cells
        if cell.cell_type == "code" and cell.source not in ours
    )
    return [
        f"its code speaks of {what}" for words, what in SUSPICIOUS.items() if re.search(words, code)
    ]
