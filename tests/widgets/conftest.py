"""Fixtures of the widget tests: one Chromium, pages without a network, one JupyterLab."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, sync_playwright

from course_utils.widgets.base import CourseWidget, esm_of

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package: a neighbour needs a path
from lab_server import (
    CHROMIUM_ARGS,
    KERNEL,
    all_widgets,
    notebook_of_all,
    open_and_run,
    serve,
)

Compute = Callable[[type[CourseWidget], list[dict[str, Any]]], list[dict[str, Any]]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `widget` once for every widget."""
    if "widget" in metafunc.fixturenames:
        metafunc.parametrize("widget", all_widgets(), ids=lambda widget: widget.__name__)


# --- Chromium --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium, started once."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield running
        running.close()


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
        if isinstance(a, float) or isinstance(b, float):
            return bool(a == pytest.approx(b, rel=1e-9, abs=1e-9))
        return bool(a == b)

    return agree


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The text of axe-core, as its package ships it."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


# --- A widget on a page ----------------------------------------------------------------------


@dataclass
class Shown:
    """A widget on a page, and what the tests ask of it."""

    page: Page
    root: Locator

    def control(self, label: str) -> Locator:
        """The control with this visible label."""
        return self.root.get_by_label(label, exact=True)

    def press(self, label: str, *keys: str) -> None:
        """Focus a control by its label and press keys."""
        self.control(label).focus()
        for key in keys:
            self.page.keyboard.press(key)

    def numbers(self, label: str) -> list[str]:
        """The texts in the cells of the grid whose label starts so, row by row."""
        grid = self.root.locator(f".cw-grid[aria-label^='{label}']")
        return grid.locator(".cw-cell").evaluate_all(
            "cells => cells.map((c) => c.querySelector('input')?.value ?? c.textContent)"
        )

    @property
    def readout(self) -> str:
        """What a screen reader is told after a change."""
        return self.root.locator(".cw-readout").inner_text()

    @property
    def stage(self) -> str:
        """All that is drawn, colours and boxes included, as one string to compare."""
        script = """(root) => root.querySelector(".cw-stage").innerHTML
            + [...root.querySelectorAll("canvas")].map((c) => c.toDataURL()).join()
            + [...root.querySelectorAll("input")].map((i) => i.value).join()"""
        return str(self.root.evaluate(script))


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


def export(notebook: nbformat.NotebookNode) -> str:
    """The notebook as nbconvert's HTML page, stored widget state left out."""
    notebook.metadata.pop("widgets", None)
    return HTMLExporter().from_notebook_node(notebook)[0]


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


RUN_CODE = """async (code) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const request = kernel.requestExecute({ code, store_history: false });
    let printed = "";
    request.onIOPub = ({ header, content }) => {
        printed += header.msg_type === "stream" ? content.text : (content.traceback ?? []).join("");
    };
    await request.done;
    return printed.trim();
}"""


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
