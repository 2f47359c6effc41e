"""Points need evidence: a result that is a number, and no error."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

from convnet_grader.preprocessors import NO_RESULT, RequireEvidence

ROLE = {"grade": True, "solution": False, "locked": True, "points": 2.0, "grade_id": "x"}


def result(text):
    return new_output("execute_result", {"text/plain": text}, execution_count=1)


def error():
    return new_output("error", ename="CheckFailed", evalue="not twice", traceback=[])


def printed(text):
    return new_output("stream", text=text)


def graded(*outputs):
    """Return nbgrader's points for a test cell with these outputs, and the last error."""
    from nbgrader.utils import determine_grade

    cell = new_code_cell("", outputs=list(outputs))
    cell.metadata["nbgrader"] = nbformat.from_dict(ROLE)
    cell, _ = RequireEvidence().preprocess_cell(cell, {}, 0)
    errors = [output.evalue for output in cell.outputs if output.output_type == "error"]
    return determine_grade(cell)[0], errors[-1] if errors else ""


@pytest.mark.parametrize("points", ["2.0", "1.5", "0.0"])
def test_a_number_of_points_is_taken(points):
    assert graded(printed("fine"), result(points)) == (float(points), "")


@pytest.mark.parametrize(
    "outputs",
    [[], [printed("2.0")], [result("'2.0'")], [result("2.5")], [result("-1")], [result("2.0")] * 2],
    ids=["nothing", "printed", "a text", "too many points", "negative", "two results"],
)
def test_anything_else_is_no_result(outputs):
    assert graded(*outputs) == (0, NO_RESULT)


@pytest.mark.parametrize("outputs", [[error()], [result("2.0"), error()], [error(), result("2.0")]])
def test_an_error_outweighs_a_result(outputs):
    assert graded(*outputs) == (0, "not twice")
