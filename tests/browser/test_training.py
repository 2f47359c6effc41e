"""A training run in lesson 07, watched and stopped by the learner."""

import re
import shutil
from collections.abc import Iterator

import pytest
from course_lab import CourseLab
from lab_page import LabPage
from playwright.sync_api import expect

TRAINING = 'train("lenet5", "LeNet-5")'
SETTINGS = "TrainConfig(epochs=settings.epochs"
FUNCTION = "def train(name: str"
RESULTS = "evaluate(lenet, loaders.test)"
EPOCHS = 5000  # far more than anybody waits for
CHANGES = {
    SETTINGS: ("epochs=settings.epochs", f"epochs={EPOCHS}"),
    FUNCTION: ("[LivePlot(title, ", "[ProgressBar(), LivePlot(title, "),
}

CURVE = "img[alt^='LeNet-5: training and validation loss and accuracy']"
MOVED = """([selector, old_bar, old_curve]) => {
    const bar = document.querySelector(".jp-NotebookPanel:not(.lm-mod-hidden) .progress-bar");
    const curve = document.querySelector(selector);
    return bar && curve && bar.style.width !== old_bar && curve.src !== old_curve;
}"""


@pytest.fixture
def lesson_07(lab: LabPage, course: CourseLab) -> Iterator[LabPage]:
    """A copy of lesson 07, run up to LeNet-5's training, which is set to take far longer."""
    folder = course.course / "notebooks"
    shutil.copy(folder / "07_lenet.ipynb", folder / "training.ipynb")
    lab.open("notebooks/training.ipynb")
    lab.select(lab.place_of(TRAINING))
    lab.do("notebook:run-all-above")
    for found, (old, new) in CHANGES.items():
        cell = lab.place_of(found)
        source = lab.cells()[cell].source.split("mlp, mlp_history")[0]  # one run is enough
        assert source.count(old) == 1, old
        source = "from course_utils.training import ProgressBar\n\n" + source.replace(old, new)
        lab.write(cell, source)
        assert not lab.run(cell).errors
    yield lab
    lab.close()


def test_it_is_watched_stopped_and_the_model_is_of_use(lesson_07: LabPage) -> None:
    lab = lesson_07
    index = lab.place_of(TRAINING)
    cell = lab.select(index)
    lab.start("notebook:run-cell")
    bar = cell.locator(".progress-bar")
    curve = cell.locator(CURVE)
    expect(curve).to_be_visible()
    first = [bar.evaluate("bar => bar.style.width"), curve.get_attribute("src")]
    lab.page.wait_for_function(MOVED, arg=[CURVE, *first])
    expect(cell).to_contain_text(f"/{EPOCHS}, train loss")

    lab.do("notebook:interrupt-kernel")
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"))
    assert lab.cells()[index].errors == []
    interrupted, epochs = lab.ask("[lenet_history.interrupted, len(lenet_history)]")
    assert interrupted and 1 <= epochs < EPOCHS

    results = lab.run(lab.place_of(RESULTS))
    assert not results.errors
    assert "LeNet-5" in results.text and "test accuracy" in results.text
