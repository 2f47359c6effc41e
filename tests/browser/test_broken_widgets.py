"""The check of the lessons' widgets can fail: widgets are broken on purpose, and it says so."""

from collections.abc import Iterator

import nbformat
import pytest
from controls import move_every_control, settles
from course_lab import CourseLab
from lab_page import LabPage
from shown_widget import Shown
from widget_figures import figures_are_right

from course_utils.widgets import ParameterCounter
from course_utils.widgets.base import esm_of

TITLE = ParameterCounter.title
PATIENCE = 5.0  # seconds; a broken widget never gets there, a whole one is there at once

# What is taken out of the widget's JavaScript, what stands there instead, and what the check says.
BROKEN = {
    "observer": ("keys.forEach((key) => model.on(`change:${key}`, redraw));", "", "Layer changed"),
    "listener": ('input.addEventListener("input", ', "((..._) => 0)(", "Channels in changed"),
    "formula": ("Math.floor((n + 2 * p - k) / stride) + 1", "n", r"== \['10', "),
    "kernel": ("model.save_changes();", "", "lacks"),
}


def broken(name: str) -> str:
    """Return the JavaScript of the parameter counter, one thing in it broken."""
    whole, instead, _ = BROKEN[name]
    text = esm_of(ParameterCounter)
    assert text.count(whole) == 1, f"{name}: the widget does not hold {whole!r} once"
    return text.replace(whole, instead)


@pytest.fixture(scope="module")
def counters(lab: LabPage, course: CourseLab) -> Iterator[LabPage]:
    """A notebook with one whole counter, and one for each way to break it."""
    cells = ["from course_utils.widgets import ParameterCounter"]
    cells += ["whole = ParameterCounter('LeNet, conv2')\nwhole"]
    for name in BROKEN:
        cells.append(f"{name} = ParameterCounter('LeNet, conv2', _esm={broken(name)!r})\n{name}")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, course.course / "broken.ipynb")
    lab.open("broken.ipynb")
    assert lab.run_all()
    yield lab
    lab.close()


def check_all(lab: LabPage, name: str, patience: float = PATIENCE) -> list[str]:
    """Do with the counter of that name what is done with each widget of a lesson."""
    cell = lab.select(lab.place_of(f"{name} = Parameter"))
    shown = Shown(lab.page, cell.get_by_role("group", name=TITLE, exact=True))
    shown.root.wait_for()

    def check() -> None:
        figures_are_right(shown, TITLE, lab.ask(f"{name}.describe()"))

    settles(check, patience)
    return move_every_control(shown, check, patience)


def test_the_whole_widget_passes(counters: LabPage) -> None:
    assert len(check_all(counters, "whole", patience=30)) == 9


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_widget_is_found(counters: LabPage, name: str) -> None:
    with pytest.raises(AssertionError, match=BROKEN[name][2]):
        check_all(counters, name)
