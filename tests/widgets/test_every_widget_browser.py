"""What every widget owes its reader: alive where it can be, usable by keyboard, never blank."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from controls import settles
from playwright.sync_api import Browser, Page, expect

from course_utils import widgets
from course_utils.widgets.base import CourseWidget

# One process for all of them where pytest runs with --dist loadgroup: JupyterLab starts once.
pytestmark = pytest.mark.xdist_group("jupyterlab")

# Of everything axe-core checks, only what a whole page owes is left out: landmarks, headings.
AXE = """async () => (await axe.run(".cw", { rules: { region: { enabled: false } } }))
    .violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`)"""


def turn_first_slider(shown: Any) -> None:
    """Press an arrow key on the widget's first slider, the way it can still go."""
    slider = shown.root.locator("input[type=range]:enabled").first
    slider.focus()
    at_end = slider.evaluate("s => Number(s.value) >= Number(s.max)")
    shown.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(
    widget: type[CourseWidget], dark: bool, show: Callable[..., Any], axe_source: str
) -> None:
    shown = show(widget(), dark=dark)
    shown.page.evaluate(axe_source)
    assert shown.page.evaluate(AXE) == []


def test_every_control_has_a_visible_label(
    widget: type[CourseWidget], show: Callable[..., Any]
) -> None:
    shown = show(widget())
    for control in shown.root.locator("input[id], select").all():
        label = shown.root.locator(f"label[for='{control.get_attribute('id')}']")
        expect(label).to_be_visible()
        assert label.inner_text().strip()


def test_a_request_that_leaves_the_page_is_noticed(
    page: Page, offline_page: tuple[Page, list[str]]
) -> None:
    page.evaluate("fetch('https://elsewhere.invalid/x').catch(() => 0)")
    assert offline_page[1] == ["asked the network for https://elsewhere.invalid/x"]
    offline_page[1].clear()


def test_alive_in_an_exported_page(
    widget: type[CourseWidget], exported: Path, page: Page, find: Any
) -> None:
    page.goto(exported.as_uri(), wait_until="domcontentloaded")
    shown = find(page, widget)
    shown.root.wait_for()
    before = shown.stage, shown.readout
    turn_first_slider(shown)
    expect(shown.root.locator(".cw-readout")).not_to_have_text(before[1])
    assert shown.stage != before[0]


def test_fits_a_narrow_page(widget: type[CourseWidget], show: Callable[..., Any]) -> None:
    shown = show(widget())
    shown.page.set_viewport_size({"width": 700, "height": 900})
    box = shown.root.bounding_box()
    assert box is not None and box["x"] + box["width"] <= 700
    spill = "root => [...root.querySelectorAll('*')].filter((n) => "
    spill += "n.getBoundingClientRect().right > root.getBoundingClientRect().right + 1).length"
    assert shown.root.evaluate(spill) == 0


NOTEBOOK = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    return [notebook.activeCellIndex, notebook.widgets.map((cell) => cell.model.type)];
}"""


def test_keyboard_in_jupyterlab(widget: type[CourseWidget], lab: Page, find: Any) -> None:
    shown = find(lab, widget)
    shown.root.scroll_into_view_if_needed()
    shown.root.locator("input[type=range]:enabled").first.focus()
    before, cells = (shown.stage, shown.readout), lab.evaluate(NOTEBOOK)
    turn_first_slider(shown)
    expect(shown.root.locator(".cw-readout")).not_to_have_text(before[1])
    assert shown.stage != before[0]
    # Keys that command mode knows: select another cell, insert, delete, turn into Markdown.
    for key in ("ArrowDown", "ArrowUp", "a", "b", "d", "d", "m", "j", "k"):
        lab.keyboard.press(key)
    assert lab.evaluate(NOTEBOOK) == cells


def test_choices_in_jupyterlab(widget: type[CourseWidget], lab: Page, find: Any) -> None:
    shown = find(lab, widget)
    for select in shown.root.locator("select:enabled").all():
        if select.locator("option").count() < 2:
            continue
        select.focus()
        before, cells = select.input_value(), lab.evaluate(NOTEBOOK)
        lab.keyboard.press("ArrowDown")
        if select.input_value() == before:  # it was the last one
            lab.keyboard.press("ArrowUp")
        assert select.input_value() != before
        assert lab.evaluate(NOTEBOOK) == cells


def test_python_and_browser_share_the_state(lab: Page, find: Any, kernel: Any) -> None:
    shown = find(lab, widgets.ConvolutionStepper)
    kernel("ConvolutionStepper.stride = 2")
    expect(shown.control("Stride")).to_have_value("2")
    shown.press("Stride", "ArrowRight")

    def python_knows() -> None:
        assert kernel("print(ConvolutionStepper.stride)") == "3"

    settles(python_knows)  # a request may overtake the page's own message


def test_untrusted_notebook_shows_a_picture_of_each(browser: Browser, lab_url: str) -> None:
    page = browser.new_page()
    page.goto(lab_url.replace("widgets.ipynb", "untrusted.ipynb"))
    pictures = page.locator(".jp-OutputArea-output img[alt]")
    expect(pictures).to_have_count(len(widgets.__all__), timeout=30_000)
    sizes = pictures.evaluate_all("all => all.map((image) => image.naturalWidth)")
    assert min(sizes) > 400
    assert page.locator(".cw").count() == 0
    page.close()


def test_trusted_notebook_is_alive_before_its_kernel_has_run(
    browser: Browser, lab_url: str
) -> None:
    page = browser.new_page()
    page.goto(lab_url.replace("widgets.ipynb", "trusted.ipynb"))
    expect(page.locator(".cw")).to_have_count(len(widgets.__all__), timeout=30_000)
    stride = page.get_by_label("Stride").first
    stride.focus()
    page.keyboard.press("ArrowRight")
    expect(stride).to_have_value("2")
    page.close()


def test_output_has_a_picture_for_where_nothing_runs(widget: type[CourseWidget]) -> None:
    first, second = widget(), widget()
    bundle: dict[str, Any] = first._repr_mimebundle_()[0]  # type: ignore[index]
    assert bundle["text/html"] == second.to_html()
    assert re.fullmatch(r"[^<>]+: .{20,}", bundle["text/plain"], re.DOTALL)
    image = re.search(r'<img alt="([^"]{40,})" [^>]*src="data:image/webp;base64,', first.to_html())
    assert image is not None
