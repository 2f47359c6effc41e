"""A task of an exercise, solved in JupyterLab by typing, and what its check says meanwhile."""

from collections.abc import Iterator

import pytest
from lab_page import LabPage
from playwright.sync_api import expect

NAME = "04_stride_padding_pooling"
HANDED_OUT = "pass  # YOUR ANSWER HERE: replace this line"
WRONG = "return 2 * ((wanted * s + k - n) // 2,)"
RIGHT = "return 2 * (((wanted - 1) * s + k - n) // 2,)"


@pytest.fixture(scope="module")
def exercise(lab: LabPage) -> Iterator[LabPage]:
    """An exercise as it is handed out, run from top to bottom."""
    lab.open(f"exercises/{NAME}/{NAME}.ipynb")
    assert lab.run_all()
    yield lab
    lab.close()


def type_answer(lab: LabPage, task: int, old: str, new: str) -> None:
    """Replace a line of the task's cell by typing; run the cell and its check by keys."""
    line = lab.select(task).locator(".cm-line", has_text=old)
    line.click()
    lab.page.keyboard.press("End")
    lab.page.keyboard.press("Shift+Home")
    lab.page.keyboard.type(new)
    assert lab.cells()[task].source.endswith(f"\n    {new}")
    lab.page.keyboard.press("Shift+Enter")
    lab.page.keyboard.press("Shift+Enter")


def test_nothing_is_an_error_before_it_is_answered(exercise: LabPage) -> None:
    code = [cell for cell in exercise.cells() if cell.kind == "code"]
    assert [error for cell in code for error in cell.errors] == []
    checks = [cell.text for cell in code if "checks.show(" in cell.source]
    assert checks == ["✗ not answered yet\n"] * len(checks) and len(checks) == 7


def test_a_check_names_the_slip_and_then_finds_nothing_wrong(exercise: LabPage) -> None:
    task = exercise.place_of("def padding_for(n: int")
    check = exercise.place_of("padding_is_right = ")
    assert check == task + 1
    said = exercise.select(check).locator(".jp-OutputArea-output")
    expect(said).to_have_text("✗ not answered yet")
    type_answer(exercise, task, HANDED_OUT, WRONG)
    expect(said).to_have_text("✗ You get (3, 3) if you count one window too many.")
    type_answer(exercise, task, WRONG, RIGHT)
    expect(said).to_have_text("✓ nothing wrong found here")
    assert exercise.ask("padding_is_right")
