"""A student's feedback page in a browser: what a submission put into it has no power there."""

from pathlib import Path

import pytest
from browser_pages import watched
from feedback_pages import HOSTILE, graded, named, rendered
from nbformat.v4 import new_output
from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("feedback page")
ON_TOP = """(selector) => {
    const node = document.querySelector(selector), box = node.getBoundingClientRect();
    return node.contains(document.elementFromPoint(box.x + 5, box.y + box.height / 2));
}"""
AXE = """async () => (await axe.run({ resultTypes: ["violations"] })).violations.flatMap(
    ({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`))"""


@pytest.mark.parametrize("width", [1000, 390], ids=["wide", "narrow"])
def test_hostile_output_neither_loads_nor_leads_away_nor_covers(
    browser: Browser, axe_source: str, tmp_path: Path, width: int
) -> None:
    notebook, html = graded(), "\n".join(HOSTILE.values())
    named(notebook, "third").outputs = [new_output("display_data", {"text/html": html})]
    named(notebook, "third_check").outputs.append(new_output("stream", text=html * 3))
    named(notebook, "why").source = html
    file = tmp_path / "page.html"
    file.write_text(rendered(notebook), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900})
    notes = watched(context)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_timeout(300)  # a refresh after 0 seconds would have gone by then
    assert page.url == file.as_uri()
    for selector in ("main > h1", ".total", "#task-3 .head h2", "#task-5 .status"):
        page.locator(selector).scroll_into_view_if_needed()
        assert page.evaluate(ON_TOP, selector), selector
    assert page.locator(".total").inner_text() == "3 of 14 points"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("summary").first.click()
    assert page.locator("details[open]").count() == 1
    page.evaluate(axe_source)
    assert page.evaluate(AXE) == []
    assert notes.outside == [] and notes.errors == []
    context.close()
