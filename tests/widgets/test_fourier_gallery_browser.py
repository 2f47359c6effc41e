"""Every control of the gallery by keyboard and by mouse, against the reference."""

from typing import Any

import pytest
import torch
from playwright.sync_api import expect

from course_utils.kernels import KERNELS
from course_utils.widgets import FourierGallery
from course_utils.widgets.fourier_gallery import FILTERS, PICTURES, verdict

START: dict[str, Any] = {"filter": "Band-pass"}


def assert_shows(shown: Any, widget: FourierGallery) -> None:
    """The sentence on the page is that of the reference, and so is the number it rests on."""
    assert shown.readout == widget.describe()
    difference = shown.root.locator("canvas[aria-label^='The difference']")
    assert difference.get_attribute("aria-label").endswith(verdict(widget.result()))


@pytest.mark.parametrize(
    ("label", "keys", "change"),
    [
        ("Image", ["ArrowDown"], {"picture": "Disc"}),
        ("Image", ["End", "ArrowUp"], {"picture": "One dot"}),
        ("Filter", ["ArrowUp", "ArrowUp"], {"filter": "Low-pass"}),
        ("Filter", ["End"], {"filter": "Lopsided 5 × 5"}),
        ("Roll-off", ["ArrowDown"], {"edge": "Gaussian"}),
        ("Cut-off", ["ArrowRight", "ArrowRight"], {"cut_off": 8}),
        ("Band", ["ArrowLeft"], {"width": 3}),
        ("Border", ["ArrowDown"], {"border": "zeros"}),
        ("Append zeros", ["Space"], {"append": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_control_by_keyboard(
    label: str, keys: list[str], change: dict[str, Any], show: Any
) -> None:
    shown = show(FourierGallery(**START))
    before = shown.stage
    shown.press(label, *keys)
    assert shown.stage != before
    assert_shows(shown, FourierGallery(**(START | change)))


@pytest.mark.parametrize(
    ("label", "change"), [("In space", {"flip": True}), ("Product", {"conjugate": False})]
)
def test_bar_and_flip_belong_together(label: str, change: dict[str, Any], show: Any) -> None:
    sobel = {"filter": "Sobel, vertical edges"}
    shown = show(FourierGallery(**sobel))
    theorem = shown.root.locator(".cw-formula")
    assert "=" in theorem.inner_text()
    shown.press(label, "ArrowDown")
    assert "≠" in theorem.inner_text()
    assert_shows(shown, FourierGallery(**sobel, **change))
    shown.press("Product" if label == "In space" else "In space", "ArrowDown")
    assert "=" in theorem.inner_text()


def test_the_cut_off_can_be_dragged(show: Any) -> None:
    shown = show(FourierGallery(filter="Low-pass"))
    shown.root.locator(".cw-live").scroll_into_view_if_needed()
    box = shown.root.locator(".cw-live canvas").bounding_box()
    frequency = box["width"] / 32
    x, y = box["x"] + 16.5 * frequency, box["y"] + 16.5 * frequency
    shown.page.mouse.move(x + 6 * frequency, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x, y - 11 * frequency, steps=4)
    shown.page.mouse.up()
    shown.page.mouse.move(x, y)  # let go: this moves nothing
    expect(shown.control("Cut-off")).to_have_value("11")
    assert_shows(shown, FourierGallery(filter="Low-pass", cut_off=11))


def test_the_ring_has_the_size_of_the_cut_off(show: Any) -> None:
    shown = show(FourierGallery(filter="Low-pass", cut_off=8))
    ring = shown.root.locator(".cw-cut-off").first.bounding_box()
    canvas = shown.root.locator(".cw-live canvas").bounding_box()
    assert ring["width"] == pytest.approx(canvas["width"] / 2, rel=0.02)


@pytest.mark.parametrize("name", FILTERS)
def test_a_kernel_has_no_cut_off(name: str, show: Any) -> None:
    shown = show(FourierGallery(filter=name))
    for label in ("Cut-off", "Band", "Roll-off"):
        expect(shown.control(label)).to_be_disabled()
    expect(shown.root.locator(".cw-cut-off:visible")).to_have_count(0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "On the ring, the theorem is exact."),
        ({"border": "zeros"}, "finds the opposite edge there"),
        ({"border": "zeros", "append": True}, "at least n + k − 1"),
        ({"append": True}, "the product finds the appended zeros there"),
        ({"conjugate": False}, "its spectrum is real"),
        ({"conjugate": False, "filter": "Lopsided 5 × 5"}, "needs the conjugate"),
        ({"flip": True, "filter": "Lopsided 5 × 5"}, "without the bar"),
        (
            {"picture": "Disc", "filter": "Laplacian", "border": "zeros"},
            "nothing crosses the border",
        ),
    ],
    ids=str,
)
def test_the_reason_fits(settings: dict[str, Any], words: str, show: Any) -> None:
    shown = show(FourierGallery(**settings))
    assert words in shown.root.locator(".cw-wide-note").inner_text()


def test_a_picture_of_ones_own_is_named_so(show: Any) -> None:
    shown = show(FourierGallery([[0.5] * 32] * 32))
    expect(shown.control("Image")).to_have_value("your own image")


def test_the_line_of_pytorch_follows_the_settings(show: Any) -> None:
    shown = show(FourierGallery())
    code = shown.root.locator("code")
    wanted = "torch.fft.ifft2(torch.fft.fft2(f).conj() * torch.fft.fft2(x)).real"
    assert code.inner_text() == wanted
    shown.press("Append zeros", "Space")
    shown.press("Product", "ArrowDown")
    wanted = "torch.fft.ifft2(torch.fft.fft2(f) * torch.fft.fft2(x, s=(64, 64))).real[:32, :32]"
    assert code.inner_text() == wanted


def test_the_line_of_pytorch_is_what_the_gallery_shows() -> None:
    result = FourierGallery(filter="Lopsided 5 × 5", border="zeros", append=True).result()
    x = torch.tensor(PICTURES["House"], dtype=torch.float64)
    f = torch.zeros(64, 64, dtype=torch.float64)
    f[:5, :5] = torch.tensor(KERNELS["Lopsided 5 × 5"])
    f = f.roll((-2, -2), (0, 1))  # its middle at pixel (0, 0)
    line = torch.fft.ifft2(torch.fft.fft2(f).conj() * torch.fft.fft2(x, s=(64, 64))).real[:32, :32]
    torch.testing.assert_close(torch.tensor(result["by_product"], dtype=torch.float64), line)
