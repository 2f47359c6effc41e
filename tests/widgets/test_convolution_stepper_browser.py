"""Every control of the stepper by keyboard, and what is then shown against the reference."""

from typing import Any

import pytest
from playwright.sync_api import expect

from course_utils.kernels import KERNELS
from course_utils.widgets import ConvolutionStepper
from course_utils.widgets.convolution_stepper import PICTURES
from course_utils.widgets.text import number

START: dict[str, Any] = {"picture": "Noise", "kernel": "Sobel, vertical edges", "padding": 1}


def assert_shows(shown: Any, widget: ConvolutionStepper) -> None:
    """The numbers on the page are those of the reference."""
    result = widget.result()
    digits = 1 if result["out"][1] > 7 else 2
    outputs = [number(value, digits) for row in result["output"] for value in row]
    assert shown.numbers("Output") == outputs
    products = [number(value) for row in result["products"] for value in row]
    assert [text.split("= ")[1] for text in shown.numbers("Products")] == products
    row, col = result["row"] + 1, result["col"] + 1
    place = f"Output row {row}, column {col} of {result['out'][0]} × {result['out'][1]}"
    total = f"the {len(products)} products add up to {number(result['total'])}."
    assert shown.readout == f"{place}: {total}"


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Image", ["ArrowUp"], {"picture": list(PICTURES)[list(PICTURES).index("Noise") - 1]}),
        ("Kernel", ["ArrowDown"], {"kernel": "Sobel, horizontal edges"}),
        ("Operation", ["ArrowDown"], {"flip": True}),
        ("Stride", ["ArrowRight"], {"stride": 2}),
        ("Padding", ["ArrowLeft"], {"padding": 0}),
        ("Dilation", ["ArrowRight", "ArrowRight"], {"dilation": 3}),
        ("Output cell", ["ArrowRight", "ArrowRight"], {"step": 2}),
        ("Output cell", ["End"], {"step": 48}),
        ("Output; the arrow keys move the window", ["ArrowDown", "ArrowRight"], {"step": 8}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(ConvolutionStepper(**START))
    before = shown.stage
    shown.press(label, *keys)
    assert shown.stage != before
    assert_shows(shown, ConvolutionStepper(**(START | change)))


def test_typing_into_picture_and_kernel(show: Any) -> None:
    shown = show(ConvolutionStepper(**START))
    shown.control("image, row 1, column 1").focus()
    for key in ("ArrowRight", "ArrowDown"):
        shown.page.keyboard.press(key)
    expect(shown.control("image, row 2, column 2")).to_be_focused()
    shown.page.keyboard.type("−2.5")
    shown.page.keyboard.press("Enter")
    shown.control("kernel, row 2, column 2").fill("1/9")
    shown.page.keyboard.press("Tab")
    picture, kernel = (
        [list(row) for row in m] for m in (PICTURES["Noise"], KERNELS[START["kernel"]])
    )
    picture[1][1], kernel[1][1] = -2.5, 1 / 9
    assert_shows(shown, ConvolutionStepper(picture, kernel, padding=1))
    expect(shown.control("Kernel")).to_have_value("your own numbers")


def test_nonsense_in_a_cell_is_put_back(show: Any) -> None:
    shown = show(ConvolutionStepper(**START))
    shown.control("kernel, row 1, column 1").fill("1/0")
    shown.page.keyboard.press("Enter")
    expect(shown.control("kernel, row 1, column 1")).to_have_value("−1")
    assert_shows(shown, ConvolutionStepper(**START))


def test_buttons_step_and_play(show: Any) -> None:
    shown = show(ConvolutionStepper(**START))
    buttons = {
        name: shown.root.get_by_role("button", name=name) for name in ("Back", "Next", "Play")
    }
    buttons["Next"].press("Enter")
    buttons["Next"].press("Enter")
    buttons["Back"].press("Enter")
    assert_shows(shown, ConvolutionStepper(**START, step=1))
    buttons["Play"].press("Enter")
    played_on = "() => document.querySelector('.cw-wide input').value >= 4"
    shown.page.wait_for_function(played_on)
    shown.root.get_by_role("button", name="Pause").press("Enter")
    expect(buttons["Play"]).to_be_visible()


def test_whole_output_can_be_shown(show: Any) -> None:
    shown = show(ConvolutionStepper(**START))
    hidden = shown.root.locator(".cw-cell.later")
    expect(hidden).to_have_count(48)
    shown.press("Show the whole output", "Space")
    expect(hidden).to_have_count(0)


def test_a_click_on_an_output_cell_goes_there(show: Any) -> None:
    shown = show(ConvolutionStepper(**START))
    shown.root.locator(".cw-pick .cw-cell").nth(24).click()
    assert_shows(shown, ConvolutionStepper(**START, step=24))


def test_an_impossible_setting_is_explained_not_blank(show: Any) -> None:
    widget = ConvolutionStepper([[1, 2, 3]] * 3, "Sobel, vertical edges")
    shown = show(widget)
    shown.press("Dilation", "ArrowRight")
    assert shown.readout == widget.reference(widget.state() | {"dilation": 2})["problem"]
    assert "covers 5 pixels, but the padded image has only 3" in shown.readout
    shown.press("Padding", "ArrowRight")
    assert "add up to" in shown.readout


def test_formula_has_the_numbers_put_in(show: Any) -> None:
    shown = show(ConvolutionStepper(**START, stride=3))
    formula = shown.root.locator(".cw-formula").nth(1).inner_text()
    assert "⌊(7 + 2·1 − 1·2 − 1) / 3⌋ + 1 = ⌊6 / 3⌋ + 1 = 3" in formula
    code = shown.root.locator("code").inner_text()
    assert code == "F.conv2d(image, kernel, stride=3, padding=1)"
