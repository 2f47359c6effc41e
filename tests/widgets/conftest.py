"""Fixtures of the widget tests: pages without a network, one JupyterLab."""

import json
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from exported_page import export
from lab_page import RUN_CODE
from lab_server import KERNEL, all_widgets, notebook_of_all, open_and_run, serve
from nbclient import NotebookClient
from playwright.sync_api import Browser, BrowserContext, Page, Request
from shown_widget import Shown

from course_utils.widgets.base import CourseWidget, esm_of

Compute = Callable[[type[CourseWidget], list[dict[str, Any]]], list[dict[str, Any]]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `widget` once for every widget."""
    if "widget" in metafunc.fixturenames:
        metafunc.parametrize("widget", all_widgets(), ids=lambda widget: widget.__name__)


# --- Pages without a network -------------------------------------------------------------------


def watched_page(context: BrowserContext, faults: list[str]) -> Page:
    """A page whose errors are noted in `faults`."""
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: faults.append(f"raised {error}"))
    return page


@pytest.fixture(scope="session")
def offline_page(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page without a network, and what went wrong on it: errors, and requests that left it."""
    context = browser.new_context(offline=True)
    faults: list[str] = []
    page = watched_page(context, faults)

    def note(request: Request) -> None:
        inside = request.url.startswith(("data:", "blob:", "file:", "about:"))
        if not inside and request.url not in template_urls():
            faults.append(f"asked the network for {request.url}")

    page.on("request", note)
    yield page, faults
    context.close()


@pytest.fixture
def page(offline_page: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page without a network, blank; an error or a request that leaves it fails the test."""
    page, faults = offline_page
    faults.clear()
    page.goto("about:blank")
    page.set_viewport_size({"width": 1040, "height": 900})
    yield page
    assert not faults, faults


@pytest.fixture
def compute(page: Page) -> Compute:
    """Run a widget's own `compute` in Chromium on many states, in one call."""

    def run(widget: type[CourseWidget], states: list[dict[str, Any]]) -> list[dict[str, Any]]:
        script = """async ([esm, states]) => {
            const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
            const { compute } = await import(url);
            return JSON.stringify(states.map((state) => compute(state)));
        }"""
        return json.loads(page.evaluate(script, [esm_of(widget), states]))

    return run


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """Whether two answers agree: texts and counts exactly, numbers to 1e-9 of their size."""

    def agree(a: Any, b: Any) -> bool:
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(agree(a[key], b[key]) for key in a)
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(map(agree, a, b))
        if float in (type(a), type(b)) and {type(a), type(b)} <= {float, int}:
            return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
        return bool(a == b)

    return agree


# --- A widget on a page ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def find() -> Callable[[Page, type[CourseWidget]], Shown]:
    """Find one widget on a page that shows all of them."""
    return lambda page, widget: Shown(
        page, page.get_by_role("group", name=widget.title, exact=True)
    )


@pytest.fixture
def show(page: Page) -> Callable[[CourseWidget], Shown]:
    """Put a widget's stand-alone HTML on a page of its own, alive without a kernel."""

    def put(widget: CourseWidget, *, dark: bool = False) -> Shown:
        theme = "false" if dark else "true"
        page.set_content(
            "<!doctype html><html lang='en'><head><title>widget</title></head>"
            f"<body data-jp-theme-light='{theme}'><main>{widget.to_html()}</main></body></html>"
        )
        root = page.locator(".cw")
        root.wait_for()
        return Shown(page, root)

    return put


# --- A notebook with every widget, executed and exported ---------------------------------------


@cache
def template_urls() -> str:
    """The page of an empty notebook: the addresses in it are nbconvert's, not ours."""
    return export(nbformat.v4.new_notebook())


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook of all widgets, executed by a kernel and exported to a file."""
    notebook = notebook_of_all()
    NotebookClient(notebook, timeout=120, kernel_name=KERNEL).execute()
    path = tmp_path_factory.mktemp("exported") / "widgets.html"
    path.write_text(export(notebook), encoding="utf-8")
    return path


# --- JupyterLab ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lab_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab of our own, showing the notebook of all widgets."""
    with serve(tmp_path_factory.mktemp("lab")) as url:
        yield url


@pytest.fixture(scope="session")
def kernel(lab: Page) -> Callable[[str], str]:
    """Run Python in the notebook's kernel; what it prints comes back."""
    return lambda code: lab.evaluate(RUN_CODE, code)


@pytest.fixture(scope="session")
def lab(browser: Browser, lab_url: str) -> Iterator[Page]:
    """The notebook of all widgets, open and run in JupyterLab, in a page that stays open."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    faults: list[str] = []
    page = watched_page(context, faults)
    page.set_default_timeout(60_000)
    open_and_run(page, lab_url)
    yield page
    context.close()
    assert not faults, faults
