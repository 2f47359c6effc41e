"""Every control of the channel stepper by keyboard, and what is then shown."""

from typing import Any

import pytest

from course_utils.widgets import ChannelStepper

MAP = "Map of the filter; the arrow keys move the window"


def assert_shows(shown: Any, widget: ChannelStepper) -> None:
    """The numbers on the page are those of the reference."""
    result = widget.result()
    assert shown.readout == widget.describe()
    wanted = [f"{value:.0f}".replace("-", "−") for row in result["map"] for value in row]
    assert shown.numbers("Map:") == wanted
    parts = shown.root.locator(".cw-part").all_inner_texts()
    assert parts.count("not read") == 4 - len(result["read"])
    for channel, part in zip(result["read"], result["parts"], strict=True):
        assert parts[channel] == f"{part:.0f}".replace("-", "−")


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Layer", ["ArrowDown"], {"kind": "1 × 1"}),
        ("Layer", ["End"], {"kind": "3 × 3, depthwise"}),
        ("Filter", ["ArrowRight", "ArrowRight"], {"filter": 2}),
        ("Map cell", ["End"], {"step": 8}),
        (MAP, ["ArrowDown", "ArrowRight"], {"step": 4}),
        (MAP, ["ArrowUp"], {"step": 0}),
    ],
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(ChannelStepper())
    shown.press(label, *keys)
    assert_shows(shown, ChannelStepper(**change))


def test_next_and_a_click_move_the_window(show: Any) -> None:
    shown = show(ChannelStepper(kind="3 × 3, two groups", filter=2))
    shown.root.get_by_role("button", name="Next").click()
    assert_shows(shown, ChannelStepper(kind="3 × 3, two groups", filter=2, step=1))
    shown.root.locator(".cw-pick .cw-cell").nth(7).click()
    assert_shows(shown, ChannelStepper(kind="3 × 3, two groups", filter=2, step=7))


def test_a_smaller_map_keeps_to_its_last_cell(show: Any) -> None:
    shown = show(ChannelStepper(kind="1 × 1", step=20))
    shown.press("Layer", "Home")
    assert "row 3, column 3" in shown.readout


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("1 × 1", "nn.Conv2d(4, 4, kernel_size=1)"),
        ("3 × 3, depthwise", "nn.Conv2d(4, 4, kernel_size=3, groups=4)"),
    ],
)
def test_pytorch_line_makes_the_layer(kind: str, line: str, show: Any) -> None:
    assert show(ChannelStepper(kind=kind)).root.locator("code").inner_text() == line
