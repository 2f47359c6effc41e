"""Both controls of the dial by keyboard, and what is then shown against the reference."""

import base64
from typing import Any

import pytest
from playwright.sync_api import expect

from course_utils.widgets import SpuriousBackgroundDial
from course_utils.widgets.spurious_background_dial import EMPTY, MEANING
from course_utils.widgets.text import number, percent

DIAL = "ρ, background correlation in training"


def assert_shows(shown: Any, widget: SpuriousBackgroundDial) -> None:
    """Numbers, answers and frames on the page are those of the reference."""
    result = widget.result()
    chosen = widget.results[result["index"]]
    assert shown.readout == widget.describe()
    rows = shown.root.locator(".cw-scores tr").all()[1:]
    for row, model, measured in zip(rows, result["models"], chosen["models"], strict=True):
        parts = [*model["accuracy"], model["gap"], measured["fooled"], measured["on_figure"]]
        assert row.locator("td").all_inner_texts() == [percent(part) for part in parts]
    texts = shown.root.locator(".cw-test-text").all_inner_texts()
    wanted = [
        f"{m['name']}\npredicts “{m['answers'][k]}”\n{MEANING[m['kinds'][k]]}\n"
        f"{percent(m['shares'][k])} of the map on the figure\n"
        f"colour scale: ±{number(m['largest'][k])}"
        for k in (0, 1)
        for m in result["models"]
    ]
    assert texts == wanted
    frames = sum(foreign for row in result["foreign"] for foreign in row)
    assert shown.root.locator(".cw-foreign").count() == frames


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        (DIAL, ["ArrowRight"], {"correlation": 0.8}),
        (DIAL, ["Home"], {"correlation": 0.0}),
        (DIAL, ["End", "ArrowLeft", "ArrowRight"], {"correlation": 1.0}),
        (DIAL, ["ArrowLeft", "ArrowLeft"], {"correlation": 0.2}),
        ("Test figure", ["ArrowRight"], {"picture": 1}),
        ("Test figure", ["End"], {"picture": 2}),
    ],
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(SpuriousBackgroundDial())
    before = shown.stage
    shown.press(label, *keys)
    assert shown.stage != before
    assert_shows(shown, SpuriousBackgroundDial(**change))


PIXELS = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [...data].filter((_, i) => i % 4 < 3);
}"""


def test_pictures_are_drawn_pixel_for_pixel(show: Any) -> None:
    widget = SpuriousBackgroundDial(picture=1)
    shown = show(widget)
    drawn = [c.evaluate(PIXELS) for c in shown.root.locator(".cw-test-picture canvas").all()]
    pool = [list(base64.b64decode(p)) for p in widget.pictures]
    assert drawn == [pool[which] for which in widget.tests[1]["pictures"]]
    shown.press(DIAL, "Home")
    examples = [c.evaluate(PIXELS) for c in shown.root.locator(".cw-examples canvas").all()]
    assert examples == [pool[which] for row in widget.results[0]["examples"] for which in row]


def test_maps_carry_the_outline_of_the_figure(show: Any) -> None:
    shown = show(SpuriousBackgroundDial())
    for canvas in shown.root.locator(".cw-test-map canvas").all():
        pixels = canvas.evaluate(PIXELS)
        black = sum(pixels[i : i + 3] == [0, 0, 0] for i in range(0, len(pixels), 3))
        assert 20 < black < 200


def test_canvases_say_what_they_show(show: Any) -> None:
    widget = SpuriousBackgroundDial(correlation=0.0)
    shown = show(widget)
    labels = shown.root.locator("canvas").evaluate_all(
        "all => all.map((canvas) => canvas.getAttribute('aria-label'))"
    )
    foreign = sum(f for row in widget.result()["foreign"] for f in row)
    assert sum("in front of another class’s background" in label for label in labels) == foreign
    assert sum("Occlusion map of the convnet" in label for label in labels) == 2


def test_no_results_are_explained_not_blank(show: Any) -> None:
    widget = SpuriousBackgroundDial()
    widget.results = []
    shown = show(widget)
    assert shown.readout == EMPTY
    expect(shown.root.locator(".cw-stage")).to_be_hidden()
    expect(shown.control("Test figure")).to_be_disabled()
