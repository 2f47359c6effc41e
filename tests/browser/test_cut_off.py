"""That nothing is asked of another machine says something only if asking would be noticed."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from course_lab import CourseLab
from lab_page import LabPage

ASK = "import urllib.request\ntry:\n    urllib.request.urlopen({url!r}, timeout=5)\n"
ASK += "except OSError as error:\n    print(error.reason)"


@pytest.fixture
def notebook(lab: LabPage, course: CourseLab) -> Iterator[LabPage]:
    """An empty notebook, open."""
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    empty.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(empty, course.course / "empty.ipynb")
    lab.open("empty.ipynb")
    yield lab
    lab.close()


@pytest.mark.parametrize("host", ["elsewhere.invalid", "192.0.2.1"])
def test_a_kernel_that_asks_another_machine_is_refused_and_noted(
    notebook: LabPage, course: CourseLab, host: str
) -> None:
    before = len(course.outside())
    said = notebook.kernel(ASK.format(url=f"http://{host}/"))
    assert said == f"this test has no network: {host}"
    asked = [line.split()[1] for line in course.outside()[before:]]
    assert set(asked) == {host}


def test_a_page_that_asks_another_machine_is_refused_and_noted(notebook: LabPage) -> None:
    notebook.notes.clear()
    url = "https://elsewhere.invalid/x"
    assert (
        notebook.page.evaluate(f"fetch('{url}').then(() => 'there', () => 'refused')") == "refused"
    )
    assert notebook.notes.outside == [url]


def test_nothing_was_asked_while_jupyterlab_started(course: CourseLab) -> None:
    started = course.home / "outside.log"
    lines: list[str] = Path(started).read_text().splitlines() if started.exists() else []
    known = {"elsewhere.invalid", "192.0.2.1"}  # the two tests above
    assert {line.split()[1] for line in lines} <= known
