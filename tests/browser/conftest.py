"""Fixtures of the browser tests: the course in JupyterLab, opened as a learner opens it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from browser_pages import watched
from course_lab import LESSONS, CourseLab, serve_course
from lab_page import Cell, LabPage
from playwright.sync_api import Browser, expect

PATIENCE = 120_000  # milliseconds; on a machine ten times slower than a laptop, too


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourseLab]:
    """JupyterLab as ``make lab`` starts it, on a copy of the course; one for each process."""
    with serve_course(tmp_path_factory.mktemp("course")) as running:
        yield running


@pytest.fixture(scope="session")
def lab(browser: Browser, course: CourseLab) -> Iterator[LabPage]:
    """A page on that JupyterLab, cut off from other machines, that stays open."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    notes = watched(context)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(course.start)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    yield LabPage(page, notes)
    context.close()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Let `expect` wait as long as everything else does."""
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


@dataclass(frozen=True)
class Lesson:
    """A lesson that was opened and run, and what was noted until then."""

    name: str
    lab: LabPage
    ran: bool
    cells: list[Cell]
    errors: list[str]
    outside: list[str]


@pytest.fixture(scope="session")
def lesson(request: pytest.FixtureRequest, lab: LabPage, course: CourseLab) -> Iterator[Lesson]:
    """One lesson, opened in JupyterLab and run from top to bottom; closed after its tests."""
    lab.notes.clear()
    before = len(course.outside())
    lab.open(f"notebooks/{request.param}.ipynb")
    try:
        ran = lab.run_all()
        asked = lab.notes.outside + course.outside()[before:]
        yield Lesson(request.param, lab, ran, lab.cells(), list(lab.notes.errors), asked)
    finally:
        lab.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `lesson` once for every lesson, all tests of one side by side."""
    if "lesson" in metafunc.fixturenames:
        groups = [pytest.param(n, marks=pytest.mark.xdist_group(f"lesson {n}")) for n in LESSONS]
        metafunc.parametrize("lesson", groups, indirect=True, scope="session", ids=LESSONS)
