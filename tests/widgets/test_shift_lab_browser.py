"""Every control of the shift lab by keyboard and by mouse, against the reference."""

from typing import Any

import pytest
from playwright.sync_api import expect

from course_utils.widgets import ShiftLab
from course_utils.widgets.shift_lab import verdict


def assert_shows(shown: Any, widget: ShiftLab) -> None:
    """The sentence on the page is that of the reference, and the sliders hold its shift."""
    assert shown.readout == verdict(widget.state(), widget.result())
    expect(shown.control("Shift right")).to_have_value(str(widget.right))
    expect(shown.control("Shift down")).to_have_value(str(widget.down))


HANDLE = "Image; the arrow keys move the shape"


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Shape", ["ArrowDown"], {"shape": "Ring"}),
        ("Kernel", ["ArrowDown", "ArrowDown"], {"kernel": "Laplacian"}),
        ("Border", ["ArrowDown"], {"border": "zeros", "right": 14}),
        ("Pooling", ["ArrowUp"], {"pool": "stride 2"}),
        ("Pooling", ["End"], {"pool": "max, blur 5 × 5"}),
        ("Score", ["ArrowUp"], {"score": "mean"}),
        ("Shift right", ["ArrowRight"], {"right": 4}),
        ("Shift right", ["Home"], {"right": -16}),
        ("Shift down", ["ArrowLeft", "ArrowLeft"], {"down": -2}),
        (HANDLE, ["ArrowDown", "ArrowRight", "ArrowRight"], {"down": 1, "right": 5}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    start = {"right": change["right"]} if label == "Border" else {}
    start |= {"score": "maximum"} if label == "Score" else {}
    shown = show(ShiftLab(**start))
    before = shown.stage
    shown.press(label, *keys)
    assert shown.stage != before
    assert_shows(shown, ShiftLab(**change))


def drag(shown: Any, rows: float, columns: float) -> None:
    """Drag the shape by so many pixels of the picture."""
    box = shown.root.locator(".cw-drag canvas").bounding_box()
    pixel, x, y = box["width"] / 32, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + columns * pixel, y + rows * pixel, steps=4)
    shown.page.mouse.up()
    shown.page.mouse.move(x, y)  # let go: this moves nothing


def test_the_shape_can_be_dragged(show: Any) -> None:
    shown = show(ShiftLab())
    drag(shown, rows=5, columns=-7)
    assert_shows(shown, ShiftLab(down=5, right=-4))


def test_what_leaves_on_the_right_comes_in_on_the_left(show: Any) -> None:
    shown = show(ShiftLab(right=14))
    drag(shown, rows=0, columns=4)
    assert_shows(shown, ShiftLab(right=-14))
    shown.press(HANDLE, *["ArrowLeft"] * 3)
    assert_shows(shown, ShiftLab(right=15))


def test_buttons_move_and_play(show: Any) -> None:
    shown = show(ShiftLab())
    shown.root.get_by_role("button", name="Next").press("Enter")
    assert_shows(shown, ShiftLab(right=4))
    shown.root.get_by_role("button", name="Play").press("Enter")
    shown.page.wait_for_function(
        "() => Number(document.querySelector('input[type=range]').value) >= 7"
    )
    shown.root.get_by_role("button", name="Pause").press("Enter")


def test_plots_name_the_errors(show: Any) -> None:
    shown = show(ShiftLab())
    errors = ShiftLab().result()
    for name in ("equivariance", "invariance"):
        now, most = errors[name], max(errors["curves"][name])
        label = f"The {name} error over the shift to the right; at 3 it is {now:.3g}"
        plot = shown.root.locator(f".cw-plot[aria-label^='{label}']")
        expect(plot).to_have_count(1)
        assert plot.get_attribute("aria-label").endswith(f"at most {round(most, 3):g}")


def test_the_reason_fits_the_shift(show: Any) -> None:
    shown = show(ShiftLab())
    note = shown.root.locator(".cw-wide-note")
    assert "not a multiple of the stride 2" in note.inner_text()
    shown.press("Shift right", "ArrowRight")
    assert "follows exactly" in note.inner_text()
    shown.press("Shift right", "End")
    shown.press("Border", "ArrowDown")
    assert "the shift brings in the opposite edge" in note.inner_text()


def test_an_empty_map_is_explained_not_blank(show: Any) -> None:
    widget = ShiftLab(shape="Fine stripes", pool="max 2 × 2")
    shown = show(widget)
    shown.press("Pooling", "ArrowUp")
    assert shown.readout == widget.reference(widget.state() | {"pool": "stride 2"})["problem"]
    shown.press("Kernel", "ArrowDown")
    assert "Equivariance error" in shown.readout
