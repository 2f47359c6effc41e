"""Fixtures of the widget tests: one Chromium, pages without a network, one JupyterLab."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

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

Compute = Callable[[type[CourseWidget], list[dict[str, Any]]], list[dict[str, Any]]]


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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without a network: any request, and any error in the console, fails the test."""
    context = browser.new_context(viewport={"width": 1040, "height": 900})
    faults: list[str] = []

    def refuse(route: Route) -> None:
        faults.append(f"asked the network for {route.request.url}")
        route.abort()

    context.route(lambda url: not url.startswith(("data:", "blob:", "file:")), refuse)
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: faults.append(f"raised {error}"))
    opened.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    yield opened
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
