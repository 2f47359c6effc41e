"""What all widgets share: the bundle of forms, and numbers written alike in both languages."""

import json
import re
from fractions import Fraction
from typing import Any

import matplotlib as mpl
import pytest
import torch
import traitlets
from playwright.sync_api import Page

from course_utils.plots import style
from course_utils.widgets import ConvolutionStepper, base
from course_utils.widgets.base import CourseWidget, esm_of
from course_utils.widgets.text import compact, count, number

SHARED = (base._HERE / "shared.mjs").read_text(encoding="utf-8")


@pytest.fixture
def shared(page: Page) -> Any:
    """Call a function of shared.mjs on each of many arguments, in Chromium."""
    script = """async ([esm, name, all]) => {
        const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
        const module = await import(url);
        return all.map((one) => module[name](one));
    }"""
    return lambda name, arguments: page.evaluate(script, [SHARED, name, arguments])


NUMBERS = [
    0,
    -0.0,
    1,
    -1,
    0.5,
    1 / 3,
    -2 / 3,
    3.125,
    -3.125,
    0.005,
    -0.004,
    12345.678,
    1e-9,
    99.995,
]
NUMBERS += (torch.randn(200, generator=torch.Generator().manual_seed(0)) * 50).tolist()


def test_numbers_are_written_alike(shared: Any) -> None:
    assert shared("number", NUMBERS) == [number(x) for x in NUMBERS]


def test_fractions_are_written_as_such(shared: Any) -> None:
    ratios = [a / b for a in range(-9, 10) for b in (1, 2, 3, 7, 9, 16, 64, 128, 256)]
    wanted = [str(Fraction(x).limit_denominator(256)).replace("-", "−") for x in ratios]
    assert shared("fraction", ratios) == wanted
    assert shared("fraction", [3 / 256, 1 / 257]) == ["3/256", "0.004"]


def test_counts_are_written_alike(shared: Any) -> None:
    counts = [0, 7, 999, 1000, 61_706, 999_999, 1_000_000, 138_357_544, 2.44e9, 4.9e15]
    assert shared("count", counts) == [count(x) for x in counts]
    assert shared("compact", counts) == [compact(x) for x in counts]


@pytest.mark.parametrize("x, text", [(100, "100"), (0, "0"), (-20.4, "−20"), (99.5, "100")])
def test_whole_numbers_keep_their_zeros(x: float, text: str) -> None:
    assert number(x, 0) == text


def test_typed_numbers_are_understood(shared: Any) -> None:
    texts = ["3", " -0.5 ", "−1/9", "2,5", "1e2", "", "1/0", "1/2/3", "x", "1/", "Infinity"]
    wanted = [3, -0.5, -1 / 9, 2.5, 100, *[None] * 6]
    assert json.loads(json.dumps(shared("parseNumber", texts)).replace("NaN", "null")) == wanted


@pytest.mark.parametrize(
    ("name", "table", "low"), [("cividis", "cividis", 0), ("puor", "PuOr", -1)]
)
def test_colours_are_matplotlibs(name: str, table: str, low: int, shared: Any) -> None:
    values = torch.linspace(low, 1, 301).tolist()
    colours = torch.tensor(shared(name, values))
    wanted = mpl.colormaps[table]([(v - low) / (1 - low) for v in values])[:, :3] * 255
    assert (colours - torch.tensor(wanted)).abs().max() <= 6  # of 255


def contrast(ink: str, rgb: list[int]) -> float:
    """Contrast ratio of black or white text on a colour, by WCAG's formula."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    ]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 1.05 / (luminance + 0.05) if ink == "#fff" else (luminance + 0.05) / 0.05


def test_ink_can_be_read_on_every_colour(shared: Any) -> None:
    colours = shared("cividis", torch.linspace(0, 1, 101).tolist())
    colours += shared("puor", torch.linspace(-1, 1, 101).tolist())
    for rgb, ink in zip(colours, shared("ink", colours), strict=True):
        assert contrast(ink, rgb) >= 4.5


def test_okabe_ito_is_one_list(page: Page) -> None:
    script = """async (esm) => {
        const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
        return (await import(url)).OKABE_ITO;
    }"""
    names = dict(zip(("purple", "vermillion", "skyBlue"), ("PINK", "RED", "SKY"), strict=True))
    colours = page.evaluate(script, SHARED)
    assert len(colours) == 8
    for name, colour in colours.items():
        assert colour == getattr(style, names.get(name, name.upper())), name


def test_esm_is_one_module_that_imports_nothing(widget: type[CourseWidget]) -> None:
    esm = esm_of(widget)
    assert not re.search(r"^\s*import\b", esm, re.MULTILINE)
    assert "://" not in esm.replace("http://www.w3.org/2000/svg", "")
    assert widget()._esm == esm


def test_state_is_plain_data_and_enough_to_make_the_widget_again(
    widget: type[CourseWidget],
) -> None:
    state = widget().state()
    assert json.loads(json.dumps(state)) == state
    assert widget(**state).to_html() == widget().to_html()


def test_what_every_widget_takes_is_passed_on(widget: type[CourseWidget]) -> None:
    assert widget(layout={"width": "50%"}).layout.width == "50%"


def test_html_changes_with_the_state() -> None:
    first, second = ConvolutionStepper(), ConvolutionStepper(stride=2)
    assert first.to_html() != second.to_html()


def test_bundle_keeps_the_live_view() -> None:
    widget = ConvolutionStepper()
    bundle, _ = widget._repr_mimebundle_() or ({}, {})
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == widget.model_id


class Hostile(ConvolutionStepper):
    """A widget whose state tries to leave the script that it stands in."""

    title = "</script> & <b>"
    note = traitlets.Unicode("</script><script>window.escaped = 1</script>").tag(sync=True)


def test_nothing_in_the_state_can_leave_the_script(page: Page, monkeypatch: Any) -> None:
    monkeypatch.setattr(base, "module_path", lambda _: base._HERE / "convolution_stepper.mjs")
    page.set_content(Hostile().to_html())
    page.locator(".cw").wait_for()
    assert page.evaluate("window.escaped") is None


def test_a_module_that_would_end_its_script_is_refused() -> None:
    with pytest.raises(ValueError, match="split the text"):
        base._as_constant('const x = "</script>";')


def test_two_of_the_same_on_one_page_are_both_alive(page: Page) -> None:
    html = ConvolutionStepper().to_html()
    page.set_content(html + html)
    page.locator(".cw").nth(1).wait_for()
    for index, keys in enumerate((["ArrowRight"], ["ArrowRight", "ArrowRight"])):
        page.locator(".cw").nth(index).get_by_label("Stride").focus()
        for key in keys:
            page.keyboard.press(key)
    shown = [page.locator(".cw").nth(i).get_by_label("Stride").input_value() for i in (0, 1)]
    assert shown == ["2", "3"]


def test_html_is_the_same_bytes_each_time(widget: type[CourseWidget]) -> None:
    assert widget().to_html() == widget().to_html()


@pytest.mark.parametrize("value", [[[1.0, float("inf")]], [[float("nan")]], [["x"]], [[None]], 7])
def test_rows_that_are_no_finite_numbers_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"picture.*: give (rows of numbers|a number from)"):
        base.checked_matrix("picture", value, largest=4)
