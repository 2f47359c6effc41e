"""A lesson as a page: what axe-core finds, how the Tab key goes through it, what colours tell.

The page is nbconvert's, made of the stored notebook: what somebody reads who has no kernel.
"""

from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from browser_pages import watched
from course_lab import LESSONS, ROOT
from exported_page import export
from playwright.sync_api import Browser, Page

# What nbconvert's own page gets wrong, which a lesson cannot mend, and only in its contrast:
THEME = [
    ".highlight",  # the colours of code: numbers at 4.3 to 1, comments at 4.2, where 4.5 is asked
    ".jp-InputPrompt",  # "In [3]:" in light grey, which says nothing that a reader needs
    ".jp-OutputPrompt",  # the same
]

AXE = """async (theme) => {
    const part = { include: [["html"]], exclude: theme.map((selector) => [selector]) };
    const { violations } = await axe.run(part, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
        `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""


@pytest.fixture(scope="session")
def offline(browser: Browser) -> Iterator[Page]:
    """A page that reaches no other machine; formulas stay as they are typed in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    watched(context)
    page = context.new_page()
    page.set_default_timeout(120_000)
    yield page
    context.close()


@pytest.fixture(scope="session")
def exported(
    request: pytest.FixtureRequest, offline: Page, tmp_path_factory: pytest.TempPathFactory
) -> Page:
    """One lesson, exported with its stored outputs and opened."""
    path = ROOT / "notebooks" / f"{request.param}.ipynb"
    page = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    page.write_text(export(nbformat.read(path, as_version=4)), encoding="utf-8")
    offline.goto(page.as_uri(), wait_until="domcontentloaded")
    alive = "() => [...document.querySelectorAll('[data-course-widget]')]"
    offline.wait_for_function(f"{alive}.every((place) => place.querySelector('.cw, .cq'))")
    return offline


LESSON = [pytest.param(n, marks=pytest.mark.xdist_group(f"page {n}"), id=n) for n in LESSONS]
each_lesson = pytest.mark.parametrize("exported", LESSON, indirect=True, scope="session")
JUDGING = [one for one in LESSON if one.id[:2] in ("02", "04", "06")]


@each_lesson
def test_axe_finds_nothing_of_ours(exported: Page, axe_source: str) -> None:
    exported.evaluate(axe_source)
    assert exported.evaluate(AXE, THEME) == []


# What can be focused, as the page holds it. Of radio buttons with one name Tab reaches one.
STOPS = """() => [...document.querySelectorAll(
        "a[href], button, input, select, textarea, summary, [tabindex]")]
    .filter((node) => !node.disabled && node.tabIndex >= 0 && node.checkVisibility()
        && !(node.type === "radio" && document.querySelector(
            `input[type=radio][name="${node.name}"]`) !== node))"""


# Where Tab starts from is where the last click or focus was, even when that is given up.
TO_THE_TOP = """() => {
    const top = document.createElement("span");
    top.tabIndex = -1;
    document.body.prepend(top);
    top.focus();
}"""


@each_lesson
def test_the_tab_key_goes_in_the_order_of_the_page(exported: Page) -> None:
    stops = exported.evaluate(f"() => (window.stops = ({STOPS})()).length")
    exported.evaluate(TO_THE_TOP)
    met = []
    for _ in range(stops):
        exported.keyboard.press("Tab")
        met.append(exported.evaluate("window.stops.indexOf(document.activeElement)"))
    assert met == list(range(stops))


@each_lesson
def test_nothing_is_shown_in_another_order_than_it_is_read(exported: Page) -> None:
    """Neither a tab index of its own nor a style turns the order of the page round."""
    found: list[Any] = exported.evaluate("""() => [...document.querySelectorAll("main *")]
        .filter((node) => {
            const style = getComputedStyle(node);
            return node.tabIndex > 0 || style.order !== "0" || /reverse/.test(style.flexDirection)
                || /reverse/.test(style.flexWrap);
        }).map((node) => node.outerHTML.slice(0, 200))""")
    assert found == []


# Text in the colours of right and wrong.
JUDGED = """() => [".cw-good", ".cw-bad"].map((kind) =>
    [...document.querySelectorAll(kind)].map((node) => node.textContent.trim()))"""


@pytest.mark.parametrize("exported", JUDGING, indirect=True, scope="session")
def test_right_and_wrong_are_told_by_words_too(exported: Page) -> None:
    """Whatever is chosen, no text stands there once in the colour of right, once of wrong."""
    good, bad = set[str](), set[str]()
    controls = exported.locator(".cw select, .cw input[type=range]")
    for control in controls.element_handles():  # whatever the others do, the same ones
        for _ in range(3):
            right, wrong = exported.evaluate(JUDGED)
            good.update(right)
            bad.update(wrong)
            if control.is_enabled():
                control.press("ArrowDown")
    assert good and bad
    assert "" not in good | bad
    assert not good & bad
