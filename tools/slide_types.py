"""Which cell of a lesson begins a slide: what `make slides` and JupyterLab's slide show read.

One rule holds for all lessons; `# %% slide="skip"` in a source overrides it for one cell. How much
fits on a slide is decided in the finished slides, where it can be measured.
"""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

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
    before = None
    for cell in cells:
        kind = cell.metadata.get("slide") or slide_type(cell, before)
        if kind not in TYPES:
            raise ValueError(f"slide={kind!r}: choose one of {', '.join(TYPES)}")
        if kind not in ("skip", "notes"):
            before = cell
        yield kind


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
