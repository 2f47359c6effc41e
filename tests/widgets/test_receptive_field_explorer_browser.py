"""Every control of the explorer by keyboard, and what is then shown against the reference."""

from typing import Any

import pytest
from playwright.sync_api import expect

from course_utils.widgets import ReceptiveFieldExplorer
from course_utils.widgets.receptive_field_explorer import conv, pool

LENET = [conv(5, p=2), pool(2), conv(5), pool(2)]
START: dict[str, Any] = {"layers": LENET, "n": 28, "layer": 4, "position": 2}
FIGURE = "Layers; left and right move between outputs, up and down between layers"


def assert_shows(shown: Any, widget: ReceptiveFieldExplorer) -> None:
    """The table and the readout are those of the reference."""
    result = widget.result()
    assert shown.readout == widget.describe()
    rows = shown.root.locator(".cw-layers tbody tr").all()
    assert len(rows) == len(result["sizes"])
    for level, row in enumerate(rows):
        texts = row.locator("td").all_inner_texts()[4:8]
        field, size = result["fields"][level], result["sizes"][level]
        assert texts[:3] == [f"{size} × {size}", str(field["jump"]), str(field["size"])]
        seen = result["seen"][level] if level <= result["layer"] else None
        wanted = f"{seen[0] + 1} to {seen[1] + 1}".replace("-", "−") if seen else ""
        assert texts[3] == wanted


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Image size", ["ArrowRight"], {"n": 29}),
        ("Layer", ["ArrowLeft"], {"layer": 3, "position": 5}),
        ("Output", ["ArrowRight"], {"position": 3}),
        ("Output", ["Home"], {"position": 0}),
        (FIGURE, ["ArrowLeft"], {"position": 1}),
        (FIGURE, ["ArrowDown"], {"layer": 3, "position": 5}),
        ("conv1 kernel", ["ArrowUp"], {"layers": [conv(6, p=2), *LENET[1:]]}),
        ("conv1 padding", ["ArrowDown"], {"layers": [conv(5, p=1), *LENET[1:]]}),
        (
            "conv2 dilation",
            ["ArrowUp"],
            {"layers": [*LENET[:2], conv(5, d=2), LENET[3]]},
        ),
        ("pool1 stride", ["ArrowDown"], {"layers": [LENET[0], pool(2, 1), *LENET[2:]]}),
        ("Remove conv2", ["Enter"], {"layers": [*LENET[:2], LENET[3]], "layer": 3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(ReceptiveFieldExplorer(**START))
    before = shown.stage
    shown.press(label, *keys)
    assert shown.stage != before
    assert_shows(shown, ReceptiveFieldExplorer(**(START | change)))


def test_known_stacks_can_be_chosen(show: Any) -> None:
    shown = show(ReceptiveFieldExplorer(**START))
    shown.press("Layers", "ArrowDown")
    assert_shows(shown, ReceptiveFieldExplorer("AlexNet, first five"))


def test_layers_can_be_added(show: Any) -> None:
    shown = show(ReceptiveFieldExplorer([conv(3, p=1)], n=16))
    shown.root.get_by_role("button", name="+ pool 2×2").press("Enter")
    shown.root.get_by_role("button", name="+ conv 3×3").press("Enter")
    layers = [conv(3, p=1), pool(2), conv(3, p=1)]
    assert_shows(shown, ReceptiveFieldExplorer(layers, n=16, layer=3, position=7))
    expect(shown.control("Layers")).to_have_value("your own layers")


def test_a_row_of_the_table_can_be_pointed_at(show: Any) -> None:
    shown = show(ReceptiveFieldExplorer(**START))
    shown.root.get_by_role("button", name="conv1", exact=True).press("Enter")
    assert "conv1, output" in shown.readout
    assert "sees 5 pixels across" in shown.readout


def test_a_click_on_a_cell_points_at_it(show: Any) -> None:
    shown = show(ReceptiveFieldExplorer(**START))
    box = shown.root.locator(".cw-side").bounding_box()
    left, right, top = 177, 587, 17  # pool2's five cells, in the drawing's own pixels
    x = box["x"] + (left - 33) + (right - left) * 4.5 / 5
    shown.page.mouse.click(x, box["y"] + top)
    assert_shows(shown, ReceptiveFieldExplorer(**(START | {"position": 4})))


def test_focus_stays_in_the_table_while_numbers_change(show: Any) -> None:
    shown = show(ReceptiveFieldExplorer(**START))
    shown.press("conv1 kernel", "ArrowUp", "ArrowUp")
    expect(shown.control("conv1 kernel")).to_be_focused()
    expect(shown.control("conv1 kernel")).to_have_value("7")


def test_an_impossible_layer_is_named_not_blank(show: Any) -> None:
    shown = show(ReceptiveFieldExplorer([conv(3), pool(2)], n=5))
    shown.control("conv1 kernel").fill("9")
    assert (
        "conv1 is impossible: its kernel covers 9 pixels, but its padded input has only 5."
        in shown.readout
    )
    assert "impossible" in shown.root.locator(".cw-layers").inner_text()
    shown.control("conv1 kernel").fill("2")
    assert "is impossible" not in shown.readout
