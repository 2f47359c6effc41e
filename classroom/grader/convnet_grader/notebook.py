"""A submitted notebook as Jupyter would open it, without what grading does not need."""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbformat.validator import isvalid, normalize
from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning

from convnet_grader.boundary import Refused

__all__ = ["read_notebook"]

MAKERS = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_notebook(data: bytes) -> tuple[NotebookNode, list[str]]:
    """Read a notebook, and repair what Jupyter itself would tolerate.

    The result is valid whatever came in: the text of each cell, its id, its attachments and
    nbgrader's metadata, if they are as they should be; no outputs, and nothing else.

    Args:
        data: JSON in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.

    Returns:
        The notebook in the newest format, and what was repaired, in words that follow its name.

    Raises:
        Refused: The bytes are not a notebook.
    """
    invalid: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():  # `RestoreCells` deals with both, and tells the teacher
            warnings.simplefilter("ignore", DuplicateCellId)
            warnings.simplefilter("ignore", MissingIDFieldWarning)
            found = nbformat.reads(data, as_version=4, capture_validation_error=invalid)
            cells = [_rebuilt(cell) for cell in found["cells"]]
            notebook = normalize(new_notebook(cells=cells))[1]
            mended = list(_mended(data, invalid.get("ValidationError"), found["cells"]))
    except Exception as error:  # whatever is wrong with a stranger's file
        reason = str(error).splitlines()[0][:100] if str(error) else ""
        raise Refused(f"has no notebook inside ({type(error).__name__}: {reason})") from None
    return notebook, mended


def _rebuilt(cell: dict[str, Any]) -> NotebookNode:
    """Return a cell with what grading needs.

    Raises:
        KeyError: It has no text, or is of no known type.
    """
    kind, text = cell["cell_type"], str(cell["source"])
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    made = MAKERS[kind](text)
    name, files = cell.get("id"), cell.get("attachments")
    if isinstance(name, str) and CELL_ID.fullmatch(name):
        made["id"] = name
    if role := _role(cell):
        made.metadata["nbgrader"] = role
    with_files = NotebookNode(made | {"attachments": files})
    fits = isvalid(with_files, ref=f"{kind}_cell", version=4, version_minor=5)
    return with_files if files and fits else made


def _role(cell: dict[str, Any]) -> NotebookNode | None:
    """Return what nbgrader wrote into a cell; None if nbgrader would not write such a thing."""
    role = _metadata(cell).get("nbgrader")
    if not isinstance(role, dict) or not isinstance(role.get("grade_id"), str):
        return None
    simple = {key: value for key, value in role.items() if isinstance(value, str | int | float)}
    return NotebookNode(simple)


def _metadata(cell: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a cell; none if they are something else."""
    metadata = cell.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _mended(
    data: bytes, invalid: Exception | None, cells: Sequence[dict[str, Any]]
) -> Iterator[str]:
    """Yield what is not as Jupyter writes it."""
    encoding = json.detect_encoding(data)
    if encoding != "utf-8":
        mark = "begins with a byte-order mark" if encoding == "utf-8-sig" else f"is in {encoding}"
        yield f"{mark}: read anyway"
    if invalid is not None:
        first = str(getattr(invalid, "message", invalid)).splitlines()[0][:100]
        yield f"is not quite as Jupyter writes a notebook, and was read anyway: {first}"
    damaged = [cell for cell in cells if "nbgrader" in _metadata(cell) and not _role(cell)]
    if damaged:
        yield f"has damaged metadata in cells ({len(damaged)}): recognised by their id or text"
