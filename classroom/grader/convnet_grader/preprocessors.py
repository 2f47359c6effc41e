"""Steps that nbgrader's grading and feedback lack, named in `classroom/nbgrader_config.py`."""

import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor

__all__ = [
    "NO_RESULT",
    "RequireEvidence",
    "RestoreCells",
    "WithholdHidden",
    "cells_with_role",
    "copies_of",
    "handed_out",
    "is_test",
    "lines_of",
]

Converted = tuple[NotebookNode, dict[str, Any]]
NO_RESULT = "this check did not run to its end"
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.DOTALL)


class RestoreCells(NbGraderPreprocessor):
    """A step that gives every cell the role it has in the exercise, and puts test cells back.

    It recognises cells by their id; if another program has changed the ids, by the name that
    nbgrader wrote into them; if that has gone too, by their unchanged text. Of several copies one
    keeps the role, metadata that a student changed does not count, and a missing graded cell comes
    back (nbgrader then fills in the text of a test). What a student wrote into a cell that is not
    theirs, such as one more import in the set-up, runs after it, in its own cell.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> Converted:
        """Restore the roles in one submitted notebook."""
        ours = cells_with_role(handed_out(self, resources))
        theirs = list(map(_chosen, ours, copies_of(ours, nb.cells)))
        for cell in nb.cells:
            cell.metadata.pop("nbgrader", None)
        place = 0
        for cell, found in zip(ours, theirs, strict=True):
            if found is None and cell.metadata.nbgrader.grade:
                self.log.warning("%s was missing: put back", cell.metadata.nbgrader.grade_id)
                found = cell
                nb.cells.insert(place + 1, cell)
            if found is not None:
                found.metadata["nbgrader"] = cell.metadata.nbgrader
                place = _position(found, nb.cells)
                if extra := _addition(cell, found):
                    nb.cells.insert(place + 1, extra)
        return nb, resources


def handed_out(step: NbGraderPreprocessor, resources: dict[str, Any]) -> NotebookNode:
    """Return the exercise that a step works on, as it was handed out."""
    course, names = CourseDirectory(parent=step), resources["nbgrader"]
    folder = course.format_path(course.release_directory, ".", names["assignment"])
    return nbformat.read(Path(folder) / f"{names['notebook']}.ipynb", as_version=4)


def is_test(cell: NotebookNode) -> bool:
    """Return whether a cell gives points by itself."""
    role = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(role.get("grade")) and not role.get("solution")


def lines_of(cell: NotebookNode) -> list[str]:
    """Return the lines of a cell, without the trailing spaces, which editors remove."""
    return [line.rstrip() for line in cell.source.rstrip().split("\n")]


def _addition(cell: NotebookNode, found: NotebookNode) -> NotebookNode | None:
    """Return a cell with what a student made of a locked one without points, else None."""
    role = cell.metadata.nbgrader
    is_ours = role.locked and not role.grade and cell.cell_type == "code"
    if not is_ours or lines_of(cell) == lines_of(found):
        return None
    return nbformat.v4.new_code_cell(found.source)


def cells_with_role(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells of an exercise that nbgrader knows."""
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def copies_of(ours: list[NotebookNode], submitted: list[NotebookNode]) -> list[list[NotebookNode]]:
    """Return the submitted cells that are one of ours, for each of ours.

    Cells are recognised by id or name. One of ours that is not found that way is looked for by its
    text among what is left.
    """
    copies = [[other for other in submitted if _has_name_of(cell, other)] for cell in ours]
    taken = {id(other) for found in copies for other in found}
    for cell, found in zip(ours, copies, strict=True):
        same = (c for c in submitted if id(c) not in taken and c.source == cell.source)
        twin = None if found else next(same, None)
        if twin is not None:
            found.append(twin)
            taken.add(id(twin))
    return copies


def _has_name_of(cell: NotebookNode, other: NotebookNode) -> bool:
    """Return whether a submitted cell has the id of one of ours, or its name."""
    name = other.metadata.get("nbgrader", {}).get("grade_id")
    return other.get("id") == cell.id or name == cell.metadata.nbgrader.grade_id


def _chosen(cell: NotebookNode, copies: list[NotebookNode]) -> NotebookNode | None:
    """Return the copy that counts as one of ours, or None."""
    if cell.metadata.nbgrader.solution:  # the copy that was worked on counts
        copies = [other for other in copies if other.source != cell.source] or copies
    return copies[-1] if copies else None


def _position(cell: NotebookNode, cells: list[NotebookNode]) -> int:
    """Return the place of a cell, also among cells with equal text."""
    return next(index for index, other in enumerate(cells) if other is cell)


class RequireEvidence(NbGraderPreprocessor):
    """A step that gives no points to a test cell that did not end with its number of points.

    nbgrader takes silence for success: a cell without an error, or with a result that is not a
    number, earns full marks. Our test cells end with `checks.award`, so silence means that the cell
    was cut short. nbgrader also stops at the first output that looks like a result, even if an
    error follows. The judge's verdict is always one of the two: this step is for a teacher's own
    settings that run notebooks in another way.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> Converted:
        """Add an error to a test cell that lacks its result; let an error outweigh any result."""
        if is_test(cell) and not _has_verdict(cell):
            cell.outputs.append(
                nbformat.v4.new_output(
                    "error",
                    ename="NoResult",
                    evalue=NO_RESULT,
                    traceback=[f"NoResult: {NO_RESULT}"],
                )
            )
        if is_test(cell) and any(
            output.output_type == "error" for output in cell.get("outputs", [])
        ):
            cell.outputs = [each for each in cell.outputs if each.output_type != "execute_result"]
        return cell, resources


def _has_verdict(cell: NotebookNode) -> bool:
    """Return whether a cell has an error, or exactly one result: a number from 0 to its points."""
    if any(output.output_type == "error" for output in cell.outputs):
        return True
    results = [output for output in cell.outputs if output.output_type == "execute_result"]
    try:
        points = [float(result.data["text/plain"]) for result in results]
    except (KeyError, TypeError, ValueError):
        return False
    return len(points) == 1 and 0 <= points[0] <= cell.metadata.nbgrader.points


class WithholdHidden(NbGraderPreprocessor):
    """A step that removes outputs that print a line of a hidden check from the feedback.

    A cell that runs after a check can print it. This keeps an honest feedback page clean; it
    does not stop somebody who prints the check in disguise.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> Converted:
        """Look through all outputs. Runs before the hidden checks are removed."""
        sources = "\n".join(cell.source for cell in nb.cells if utils.is_grade(cell))
        lines = [line.strip() for line in "\n".join(HIDDEN.findall(sources)).split("\n")]
        code = [line for line in lines if not re.match("f?[\"']", line)]  # sentences are not secret
        secret = {line for line in map(_letters, [*code, "BEGIN HIDDEN TESTS"]) if len(line) >= 16}
        for cell in nb.cells:
            shown = _letters(str(cell.get("outputs", "")))
            if any(line in shown for line in secret):
                sentence = "withheld: this cell printed a part of a hidden check\n"
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=sentence)]
        return nb, resources


def _letters(text: str) -> str:
    """Return a text without spaces, quotes and the like, which printing may change."""
    return re.sub(r"\W", "", text)
