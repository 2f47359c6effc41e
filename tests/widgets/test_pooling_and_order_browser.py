"""Every control of the pooling widget by keyboard, and what is then shown against the reference."""

from typing import Any

import pytest
from playwright.sync_api import expect

from course_utils.widgets import PoolingAndOrder
from course_utils.widgets.pooling_and_order import PICTURES
from course_utils.widgets.text import number


def assert_shows(shown: Any, widget: PoolingAndOrder) -> None:
    """The numbers on the page are those of the reference."""
    result = widget.result()
    for label, key in (
        ("Activation first minus", "difference"),
        (f"{widget.pool} pooling of the image", "pooled"),
    ):
        assert shown.numbers(label) == [number(v) for row in result[key] for v in row]
    pair = (number(result[key][result["row"]][result["col"]]) for key in ("before", "after"))
    place = f"Row {result['row'] + 1}, column {result['col'] + 1}: {' against '.join(pair)}."
    assert shown.readout == f"{widget.describe()} {place}"


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Image", ["ArrowDown"], {"picture": "All positive"}),
        ("Pooling", ["ArrowUp"], {"pool": "max"}),
        ("Activation", ["ArrowDown"], {"activation": "leaky ReLU"}),
        ("Activation", ["ArrowDown"] * 2, {"activation": "tanh"}),
        ("Activation", ["End"], {"activation": "−x"}),
        ("Window", ["ArrowRight"], {"window": 3}),
        ("Stride", ["ArrowLeft"], {"stride": 1}),
        ("Output cell", ["ArrowRight"], {"step": 1}),
        ("Difference; the arrow keys move the window", ["ArrowDown", "ArrowRight"], {"step": 4}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(PoolingAndOrder())
    before = shown.stage
    shown.press(label, *keys)
    assert shown.stage != before
    assert_shows(shown, PoolingAndOrder(**change))


def test_typing_into_the_picture(show: Any) -> None:
    shown = show(PoolingAndOrder())
    shown.control("image, row 1, column 2").fill("4")
    shown.page.keyboard.press("Enter")
    picture = [list(row) for row in PICTURES["Mixed signs"]]
    picture[0][1] = 4
    assert_shows(shown, PoolingAndOrder(picture))
    expect(shown.control("Image")).to_have_value("your own numbers")


def test_buttons_and_clicks_move_the_window(show: Any) -> None:
    shown = show(PoolingAndOrder())
    shown.root.get_by_role("button", name="Next").press("Enter")
    assert_shows(shown, PoolingAndOrder(step=1))
    shown.root.locator(".cw-pick .cw-cell").nth(8).click()
    assert_shows(shown, PoolingAndOrder(step=8))


def test_the_window_is_written_out(show: Any) -> None:
    shown = show(PoolingAndOrder(pool="average", activation="ReLU"))
    lines = shown.root.locator(".cw-formula").all_inner_texts()
    assert lines[0].endswith("average(3, 0, 0, 2) = 1.25")
    assert lines[1].endswith("ReLU(average(3, −4, −1, 2)) = ReLU(0) = 0")


def test_reason_fits_the_pair(show: Any) -> None:
    shown = show(PoolingAndOrder(pool="max", activation="tanh"))
    assert "it can always change places with max pooling" in shown.root.inner_text()
    shown.press("Activation", "End")
    assert "reverses the order" in shown.root.inner_text()


def test_an_impossible_setting_is_explained_not_blank(show: Any) -> None:
    shown = show(PoolingAndOrder([[1, 2], [3, 4]]))
    shown.press("Window", "ArrowRight")
    assert "it is 3 × 3, but the image's shorter side is 2" in shown.readout
    shown.press("Window", "ArrowLeft")
    assert "agree in all 1 places" in shown.readout
