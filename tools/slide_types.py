"""Which cell of a lesson begins a slide: what `make slides` and JupyterLab's slide show read.

One rule holds for all lessons; `# %% slide="skip"` in a source overrides it for one cell. How much
fits on a slide is decided in the finished slides, where it can be measured.
"""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

MARK = " ◇"  # ends the heading of a section that you may skip on a first reading
TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
# What is for a reader, not for an audience.
NOT_SHOWN = re.compile("## Further reading")


def slide_types(cells: list[NotebookNode]) -> Iterator[str]:
    """Yield one of `TYPES` for each cell.

    Args:
        cells: All cells of a lesson; one with `slide` in its metadata gets that.

    Raises:
        ValueError: A cell asks for a type that does not exist.
    """
    before, skipped = None, ""
    for cell in cells:
        skipped = left_out(cell, skipped)
        kind = cell.metadata.get("slide") or ("skip" if skipped else slide_type(cell, before))
        if kind not in TYPES:
            raise ValueError(f"slide={kind!r}: choose one of {', '.join(TYPES)}")
        if kind not in ("skip", "notes"):
            before = cell
        yield kind


def left_out(cell: NotebookNode, skipped: str) -> str:
    """Return the level of the marked section that a cell is in, such as "##"; empty for none.

    Args:
        cell: The cell.
        skipped: What this function returned for the cell before.
    """
    heading = re.match(r"(#+) (.*)", cell.source) if cell.cell_type == "markdown" else None
    if heading and heading[2].endswith(MARK) and not skipped:
        return heading[1]
    ends = heading and len(heading[1]) <= len(skipped) and not heading[2].endswith(MARK)
    return "" if ends else skipped


def slide_type(cell: NotebookNode, before: NotebookNode | None) -> str:
    """Return what the rule says of a cell.

    Args:
        cell: The cell.
        before: The one that is on the slides before it.
    """
    if cell.cell_type == "markdown":
        if NOT_SHOWN.match(cell.source):
            return "skip"
        return "slide" if re.match("##? ", cell.source) else "subslide"
    if only_prepares(cell.source):
        return "skip"
    if before is None or before.cell_type == "code":
        return "subslide"
    # The audience predicts first; the next key press shows the code and its output.
    return "fragment" if "**Predict, then run.**" in before.source else "-"


def only_prepares(source: str) -> bool:
    """Return whether code only imports and assigns, and has nothing to show."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with IPython's own commands
        return True
    imports = bool(body) and isinstance(body[0], ast.Import | ast.ImportFrom)
    return imports and all(isinstance(s, ast.Import | ast.ImportFrom | ast.Assign) for s in body)
