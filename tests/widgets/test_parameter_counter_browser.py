"""Every control of the parameter counter by keyboard, and what is then shown."""

from typing import Any

import pytest
from playwright.sync_api import expect

from course_utils.widgets import ParameterCounter
from course_utils.widgets.parameter_counter import LAYERS
from course_utils.widgets.text import compact, count

START: dict[str, Any] = {"n": 32, "c_in": 16, "c_out": 16, "k": 3, "p": 1}


def assert_shows(shown: Any, widget: ParameterCounter) -> None:
    """The numbers on the page are those of the reference."""
    result = widget.result()
    assert shown.readout == widget.describe()
    for name, key in (("Parameters", "parameters"), ("Multiply-adds", "multiply_adds")):
        bars = shown.root.locator(f"svg[aria-label^='{name}:']")
        expect(bars.locator(".cw-strong")).to_have_text([compact(v) for v in result[key].values()])
        cell = shown.root.locator(f"tr:has(th:text-is('{name}')) b")
        assert cell.inner_text() == count(result[key]["conv"])
    shapes = shown.root.locator("svg[aria-label^='Input']").get_attribute("aria-label")
    wanted = [" × ".join(map(str, result[key])) for key in ("input", "output")]
    assert all(text in shapes for text in wanted)


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Layer", ["Home"], LAYERS["LeNet, conv1"]),
        ("Channels in", ["ArrowLeft"], {"c_in": 12}),
        ("Channels out", ["ArrowRight"], {"c_out": 20}),
        ("Input size", ["ArrowRight"], {"n": 48}),
        ("Kernel", ["ArrowRight", "ArrowRight"], {"k": 5}),
        ("Stride", ["ArrowRight"], {"s": 2}),
        ("Padding", ["ArrowLeft"], {"p": 0}),
        ("Groups", ["ArrowDown"], {"groups": 2}),
        ("Groups", ["End"], {"groups": 16}),
        ("Bias", ["Space"], {"bias": False}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(ParameterCounter(**START))
    before = shown.root.inner_html()
    shown.press(label, *keys)
    assert shown.root.inner_html() != before
    assert_shows(shown, ParameterCounter(**(START | change)))


def test_only_groups_that_divide_are_offered(show: Any) -> None:
    shown = show(ParameterCounter(n=8, c_in=6, c_out=12, k=1))
    options = shown.control("Groups").locator("option").all_inner_texts()
    assert options == ["1 (none)", "2", "3", "6"]


def test_impossible_settings_are_explained_not_blank(show: Any) -> None:
    shown = show(ParameterCounter(n=8, c_in=8, c_out=8, k=1, groups=8))
    shown.press("Channels in", "ArrowLeft")
    assert "8 groups do not divide 6 input and 8 output channels evenly" in shown.readout
    shown.press("Groups", "Home")
    assert "The convolution has" in shown.readout
    shown.press("Padding", "Home")
    shown.press("Kernel", "End")
    assert "covers 15 pixels, but the padded image has only 8" in shown.readout


def test_pytorch_line_says_what_is_set(show: Any) -> None:
    shown = show(ParameterCounter("AlexNet, conv2 (two groups)", bias=False))
    wanted = "nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2, bias=False)"
    assert shown.root.locator("code").inner_text() == wanted
