"""Fixtures of the widget tests: one Chromium, pages without a network, one JupyterLab."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
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
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, sync_playwright

from course_utils import widgets
from course_utils.widgets.base import CourseWidget, esm_of

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOKEN = "widget-tests"
KERNEL = "python3"

Compute = Callable[[type[CourseWidget], list[dict[str, Any]]], list[dict[str, Any]]]


def all_widgets() -> list[type[CourseWidget]]:
    """Every widget of the course, by the names that the package exports."""
    exported = [getattr(widgets, name) for name in widgets.__all__]
    return [thing for thing in exported if issubclass(thing, CourseWidget)]


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


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without a network: a request that its own template did not make fails the test."""
    context = browser.new_context(viewport={"width": 1040, "height": 900})
    faults: list[str] = []

    def refuse(route: Route) -> None:
        if route.request.url not in template_urls():
            faults.append(f"asked the network for {route.request.url}")
        route.abort()

    context.route(lambda url: not url.startswith(("data:", "blob:", "file:")), refuse)
    yield watched_page(context, faults)
    context.close()
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


def notebook_of_all() -> nbformat.NotebookNode:
    """A notebook whose cells show one widget each."""
    first = "import course_utils.widgets as widgets"
    cells = [first, *(f"widgets.{widget.__name__}()" for widget in all_widgets())]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": "Python 3"}
    return notebook


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


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, at most a minute."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


def private_settings(home: Path) -> dict[str, str]:
    """Folders of the server's own, so that neither reads the other's settings; no news pop-up."""
    config = home / "config" / "labconfig"
    config.mkdir(parents=True)
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "page_config.json").write_text(json.dumps(disabled))
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    folders = ("config", "data", "runtime", "ipython")
    return {name: str(home / folder) for name, folder in zip(places, folders, strict=True)}


@pytest.fixture(scope="session")
def lab_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab of our own, showing the notebook of all widgets."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "notebooks"
    root.mkdir()
    nbformat.write(notebook_of_all(), root / "widgets.ipynb")
    port, log = free_port(), home / "lab.log"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.port_retries=0", "--allow-root"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, stdout=out, stderr=out, env=os.environ | private_settings(home)
        )
    try:
        wait_until_up(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, log)
        yield f"http://127.0.0.1:{port}/doc/tree/widgets.ipynb?token={TOKEN}&reset"
    finally:
        server.terminate()
        server.wait(timeout=20)


RUN_ALL = """async () => {
    await window.jupyterapp.restored;
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


@pytest.fixture(scope="session")
def lab(browser: Browser, lab_url: str) -> Iterator[Page]:
    """The notebook of all widgets, open and run in JupyterLab, in a page that stays open."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    faults: list[str] = []
    page = watched_page(context, faults)
    page.set_default_timeout(60_000)
    page.goto(lab_url)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.evaluate(RUN_ALL)
    page.wait_for_function(
        "n => document.querySelectorAll('.cw').length === n", arg=len(all_widgets())
    )
    yield page
    context.close()
    assert not faults, faults
