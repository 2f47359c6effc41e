"""What a submission did to the cells that are not the student's, and what its code speaks of."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from convnet_grader.preprocessors import cells_with_role, copies_of

__all__ = ["belongs", "changes", "suspicions"]

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
    if any(copy.source != cell.source for copy in copies):
        yield f"{name} was changed"
    roles = [copy.metadata["nbgrader"] for copy in copies if "nbgrader" in copy.metadata]
    kept = {key: cell.metadata.nbgrader.get(key) for key in ROLE}
    if any({key: role.get(key) for key in ROLE} != kept for role in roles):
        yield f"{name} had other points, or another role"


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
