"""What a submission did to cells that are not the student's, and what its code mentions."""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from convnet_grader.preprocessors import cells_with_role, copies_of, is_test, lines_of
from course_utils.arguments import shown

__all__ = ["belongs", "changes", "code_of", "misplaced", "suspicions"]

ROLE = ("grade", "solution", "locked", "points")
SUSPICIOUS = {
    r"COURSE_STUDENT": "the student's id",
    r"\bget_ipython\b|\bIPython\b(?!\.display)|\bipykernel\b": "IPython itself",
    r"\bast_transformers\b|\bNodeTransformer\b|\binput_transformers": "how cells are compiled",
    r"\bawards?\b": "the function that gives points",
    r"\bquiz\.(?!(ask|form|numbers|show|student)\b)\w+|\bcourse_utils\.quiz\b": (
        "the quiz's own answers"
    ),
    r"\bcourse_utils\.beside\b|\bimport beside\b|\bjudge_request\b": "how its answers are called",
    r"\b_getframe\b|\bf_(back|globals|locals)\b|\bgc\.|\bset(trace|profile)\b|\baddaudithook\b": (
        "the frames of the checks"
    ),
    r"\bsys\.(modules|meta_path|path_hooks)\b|\bimportlib\b|\brunpy\b|\b(__)?builtins(__)?\b|"
    r"\b__import__\b": "how modules are loaded",
    r"\btorch\._C\b|\bDisableTorchFunction|_(dis|en)able_profiler\b": (
        "what sees torch's operators run"
    ),
    r"\bcourse_utils\.models\b|\btorchvision\.models\b|\bfrom course_utils import .*\bmodels\b|"
    r"\bfrom torchvision import .*\bmodels\b": "ready-made models",
    r"\bgradebook\b": "the gradebook",
    r"\bsocket\b|\burllib\b|\brequests\b": "the network",
    r"\bsubprocess\b|\bmultiprocessing\b|\bProcessPool|\bos\.(system|fork|exec\w*)\b|\bctypes\b": (
        "other programs"
    ),
    r"\bos\._exit\b": "how to end Python",
}
"""What no answer needs to mention; a full score that does is worth a look."""


def belongs(released: NotebookNode, submitted: NotebookNode) -> bool:
    """Return whether a notebook has a cell of an exercise."""
    return any(copies_of(cells_with_role(released), submitted.cells))


def changes(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return what happened to the cells that are not the student's; grading has undone it.

    Args:
        released: The exercise as it was handed out.
        submitted: What came back.
    """
    ours = cells_with_role(released)
    return [
        sentence
        for cell, copies in zip(ours, copies_of(ours, submitted.cells), strict=True)
        if cell.metadata.nbgrader.locked
        for sentence in _changes_of(cell, copies)
    ]


def _changes_of(cell: NotebookNode, copies: list[NotebookNode]) -> Iterator[str]:
    """Yield what happened to one cell; for one without points, only what was written into it."""
    name, grade = cell.metadata.nbgrader.grade_id, cell.metadata.nbgrader.grade
    if any(lines_of(copy) != lines_of(cell) for copy in copies):
        yield f"{name} was changed" + ("" if grade else ": both versions run, ours first")
    if not grade:
        return
    if not copies:
        yield f"{name} was deleted"
    if len(copies) > 1:
        yield f"{name} was copied"
    roles = [copy.metadata["nbgrader"] for copy in copies if "nbgrader" in copy.metadata]
    kept = {key: cell.metadata.nbgrader.get(key) for key in ROLE}
    if any({key: role.get(key) for key in ROLE} != kept for role in roles):
        yield f"{name} had other points, or another role"


def misplaced(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return which written answers are still empty, if there is text that may be one of them.

    Students who answer in their own cell, or with a program that drops the cells' ids and metadata,
    would otherwise get no points, and nobody would know.
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
        f"{cell.metadata.nbgrader.grade_id} is unanswered, but a cell that the student added says "
        f"{shown(max(added, key=len))}"
        for cell, found in zip(ours, copies, strict=True)
        if cell.metadata.nbgrader.grade and cell.metadata.nbgrader.solution
        if added and all(copy.source.strip() in ("", cell.source.strip()) for copy in found)
    ]


def _is_prose(cell: NotebookNode) -> bool:
    """Return whether a cell has text and no code, whatever kind it claims to be."""
    try:
        body = ast.parse(cell.source).body if cell.cell_type == "code" else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # words, a magic, a tower of (
        body = []
    literals = [isinstance(getattr(step, "value", None), ast.Constant) for step in body]
    return bool(cell.source.strip()) and all(literals)


def code_of(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return the code cells that a student wrote or changed."""
    ours = {cell.source for cell in released.cells}
    return [
        cell.source
        for cell in submitted.cells
        if cell.cell_type == "code" and cell.source not in ours
    ]


def suspicions(released: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Return what the student's own code mentions, or does, although no answer needs it."""
    cells = code_of(released, submitted)
    code = "\n".join(cells)
    found = [
        f"its code mentions {what}" for words, what in SUSPICIOUS.items() if re.search(words, code)
    ]
    known = [cell.source for cell in released.cells if cell.cell_type == "code"]
    trees = [_parsed(cell) for cell in cells]
    imported = {name for tree in [*map(_parsed, known), *trees] for name in _imported(tree)}
    replaced = sorted({name for tree in trees for name in _replaced(tree, imported)})
    tests = [_parsed(cell.source) for cell in released.cells if is_test(cell)]
    theirs = {node.name for tree in trees for node in _definitions(tree)}
    redefined = sorted({node.name for tree in tests for node in _definitions(tree)} & theirs)
    found += [f"its code replaces {name}" for name in replaced]
    return found + [f"its code defines {name}, as the checks do" for name in redefined]


def _parsed(source: str) -> ast.Module:
    """Return a cell as a syntax tree; an empty one if Python cannot parse it."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _definitions(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes of a cell."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a cell's imports define."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


def _replaced(tree: ast.Module, imported: set[str]) -> Iterator[str]:
    """Yield what a cell changes, or deletes, in something imported."""
    for node in ast.walk(tree):
        is_setattr = isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            name = ast.unparse(node)
        elif is_setattr and isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.args[0])
        else:
            continue
        if name.split(".")[0] in imported and not name.startswith("torch.backends"):
            yield name[:100]
