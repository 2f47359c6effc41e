"""What each claim about a trained model is held against: a case in which it must be false.

    python tools/build.py --control 07_lenet     # try one lesson's claims and their controls
    python tools/build.py --control --seeds 1 2  # all lessons, also with other seeds; claims.md

A claim such as "more than 80 % are classified correctly" says something about training only if it
is false without: on untrained weights, on shuffled labels, between two seeds of the same arm. In a
lesson's source, a cell marked `# %% control="untrained weights"` follows the claim. There,
`refute(condition, sentence)` repeats the claim's sentence, and the condition, on that other case.
Such cells are no part of the built notebook.

What was measured on either side becomes `docs/claims.md`.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

__all__ = [
    "Noted",
    "claims_something",
    "computation",
    "noted",
    "page",
    "with_notes",
    "without_controls",
]

MARK = "noted: "
PREAMBLE = f'''
def _note(control, sentence, holds, values):
    """Print what a claim, or its control, came to."""
    import json
    numbers = {{}}
    for name, value in values.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            pass
    print({MARK!r} + json.dumps([control, sentence, bool(holds), numbers]))
'''
HEAD = """# Claims about trained models, and their controls

Written by `python tools/build.py --control --seeds 1 2`; do not edit. For each claim that a lesson
makes about a trained model: what was measured with the lesson's own seed and with two others, and
the same measured where the claim must be false, which is the control.
"""


class Noted(NamedTuple):
    """What one claim, or one control of it, came to in one run.

    Attributes:
        control: What the control is, or None for the claim itself.
        sentence: The claim.
        holds: Whether the condition was true.
        values: What the condition compares: expression -> number.
    """

    control: str | None
    sentence: str
    holds: bool
    values: dict[str, float]

    @property
    def is_wrong(self) -> bool:
        """Whether a claim does not hold, or a control does."""
        return self.holds != (self.control is None)


def without_controls(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Return the cells of a lesson that are for its learners."""
    return [cell for cell in cells if "control" not in cell.metadata]


def with_notes(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Return a lesson's cells, which print what their claims came to and stop at none of them."""
    changed = [new_code_cell(PREAMBLE)]
    for cell in cells:
        if cell.cell_type == "code" and ("expect(" in cell.source or "refute(" in cell.source):
            tree = _Notes(cell.metadata.get("control")).visit(ast.parse(cell.source))
            cell.source = ast.unparse(ast.fix_missing_locations(tree))
        changed.append(cell)
    return changed


def claims_something(cells: Iterable[NotebookNode]) -> bool:
    """Return whether any cell of `with_notes` notes a claim about a trained model, or a control."""
    return any("_note(" in cell.source for cell in cells if cell.source != PREAMBLE)


class _Notes(ast.NodeTransformer):
    """Replaces each claim about a trained model, or each control, by a note of it."""

    def __init__(self, control: str | None) -> None:
        self.control = control

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace one call."""
        name = ast.unparse(node.func)
        marked = any(keyword.arg == "trained" for keyword in node.keywords)
        if name != "refute" and not (name == "expect" and marked):
            return self.generic_visit(node)
        claim, sentence = node.args
        shown = list(_compared(claim))
        values = ast.Dict([ast.Constant(ast.unparse(each)) for each in shown], shown)
        function = ast.Name("_note", ast.Load())
        return ast.Call(function, [ast.Constant(self.control), sentence, claim, values], [])


def _compared(claim: ast.expr) -> Iterator[ast.expr]:
    """Yield the expressions that a condition compares, but for constants."""
    if isinstance(claim, ast.BoolOp):
        for each in claim.values:
            yield from _compared(each)
    elif isinstance(claim, ast.Compare):
        for side in (claim.left, *claim.comparators):
            if any(isinstance(node, ast.Name) for node in ast.walk(side)):
                yield side


def computation(source: str) -> str:
    """Return code without what is only read or only looked at.

    That is comments, what is drawn or printed, and texts in words, with a space beside a small
    letter: `3 3 1` is a net of VGG. What a note says stays.
    """
    return ast.unparse(_Unread().visit(ast.parse(source)))


class _Unread(ast.NodeTransformer):
    """Empties the texts that are only read, and the calls that only show something."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave a note as it is, and nothing of what only shows: nothing may be trained there."""
        name = ast.unparse(node.func)
        if name in ("LivePlot", "print", "show") or name.startswith("plot_"):
            return ast.Constant("")
        return node if name == "_note" else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Empty one text."""
        is_read = isinstance(node.value, str) and re.search("[a-z] | [a-z]", node.value)
        return ast.Constant("") if is_read else node


def noted(notebook: NotebookNode) -> list[Noted]:
    """Return what an executed notebook noted, in order."""
    lines = (
        line
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
        for line in output.text.splitlines()
    )
    return [Noted(*json.loads(line.removeprefix(MARK))) for line in lines if line.startswith(MARK)]


def page(runs: dict[str, dict[int, list[Noted]]]) -> str:
    """Return `docs/claims.md`.

    Args:
        runs: Lesson -> offset of its seeds -> what was noted.
    """
    parts = [HEAD]
    for lesson, by_seed in sorted(runs.items()):
        if not by_seed:
            continue  # it claims nothing about a trained model
        rows: dict[tuple[str, str | None], list[dict[str, float]]] = {}
        for _, notes in sorted(by_seed.items()):
            for each in notes:
                rows.setdefault((each.sentence, each.control), []).append(each.values)
        parts.append(f"\n## {lesson}\n\nSeeds + {', '.join(map(str, sorted(by_seed)))}.\n\n")
        parts.append("| claim | measured | control | measured there |\n| --- | --- | --- | --- |\n")
        for sentence in dict.fromkeys(sentence for sentence, _ in rows):
            controls = [control for text, control in rows if text == sentence and control]
            for control in controls or [None]:
                there = _measured(rows[sentence, control]) if control else "not tried"
                own = _measured(rows.get((sentence, None), []))
                parts.append(f"| {sentence} | {own} | {control or 'none'} | {there} |\n")
    return "".join(parts)


def _measured(values: list[dict[str, float]]) -> str:
    """Return expressions with their numbers, one for each seed."""
    names = dict.fromkeys(name for each in values for name in each)
    return "<br>".join(
        f"`{name}`: {', '.join(f'{each[name]:.3g}' for each in values if name in each)}"
        for name in names
    ).replace("|", "\\|")
