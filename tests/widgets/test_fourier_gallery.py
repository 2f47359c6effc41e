"""The gallery's reference against torch, and its own FFT against the reference."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from course_utils.kernels import KERNELS
from course_utils.models.blurpool import binomial_kernel
from course_utils.widgets import FourierGallery
from course_utils.widgets.fourier_gallery import FILTERS, MASKS, PICTURES, Mask, mask_of, verdict

NUM_STATES = 200
BATCH = 40  # states computed in one call: their answers are long


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Any setting a learner can reach, with pictures of one's own among them."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    own = torch.randint(0, 101, (32, 32), generator=generator).double().div(100).tolist()
    return {
        "picture": [*PICTURES.values(), own][whole(0, len(PICTURES))],
        "filter": [*MASKS, *FILTERS][whole(0, len(MASKS) + len(FILTERS) - 1)],
        "edge": ("ideal", "Gaussian")[whole(0, 1)],
        "cut_off": whole(1, 20),
        "width": whole(1, 12),
        "flip": bool(whole(0, 1)),
        "border": ("circular", "zeros")[whole(0, 1)],
        "conjugate": bool(whole(0, 1)),
        "append": bool(whole(0, 1)),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(6)
    return [random_state(generator) for _ in range(NUM_STATES)]


def tensor(rows: Any) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_output_in_space_is_what_torch_computes(states: list[dict[str, Any]]) -> None:
    checked = 0
    for state in states:
        if state["filter"] not in FILTERS:
            continue
        weights, x = tensor(KERNELS[state["filter"]]), tensor(state["picture"])
        if state["flip"]:
            weights = weights.flip(0, 1)
        mode = "circular" if state["border"] == "circular" else "constant"
        around = F.pad(x[None, None], (len(weights) // 2,) * 4, mode=mode)
        wanted = F.conv2d(around, weights[None, None])[0, 0]
        torch.testing.assert_close(tensor(FourierGallery.reference(state)["in_space"]), wanted)
        checked += 1
    assert checked > NUM_STATES / 3


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("edge", ["ideal", "Gaussian"])
def test_a_mask_multiplies_each_frequency(name: str, edge: str) -> None:
    widget = FourierGallery("Noise", filter=name, edge=edge, cut_off=7, width=3)
    mask = mask_of(name, edge, 7, 3)
    spectrum = torch.fft.fft2(tensor(PICTURES["Noise"]))
    wanted = torch.fft.ifft2(mask * spectrum).real
    result = widget.result()
    torch.testing.assert_close(tensor(result["in_space"]), wanted)
    torch.testing.assert_close(tensor(result["response"]), torch.fft.fftshift(mask))


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    for start in range(0, NUM_STATES, BATCH):
        batch = states[start : start + BATCH]
        for state, shown in zip(batch, compute(FourierGallery, batch), strict=True):
            setting = {key: value for key, value in state.items() if key != "picture"}
            assert same(shown, FourierGallery.reference(state)), setting


def agrees(**settings: Any) -> bool:
    """Whether space and frequency give the same picture."""
    return bool(FourierGallery(**settings).result()["largest"] < 1e-9)


@pytest.mark.parametrize("name", [*MASKS, *FILTERS])
def test_the_theorem_holds_on_the_ring_and_where_zeros_are_appended(name: str) -> None:
    for flip in (False, True):
        settings = {"filter": name, "flip": flip, "conjugate": not flip}
        assert agrees(**settings)
        assert agrees(**settings, border="zeros", append=True)
        assert not agrees(**settings, border="zeros")
        assert not agrees(**settings, append=True)


def test_the_bar_matters_unless_the_filter_is_symmetric() -> None:
    needs_bar = {name for name in (*MASKS, *FILTERS) if not agrees(filter=name, conjugate=False)}
    assert needs_bar == {"Sobel, vertical edges", "Lopsided 5 × 5"}


def test_filters_do_what_their_names_say() -> None:
    flat, fine = (0, 0), (0, 16)  # cycles down and across

    def response(frequency: tuple[int, int], **settings: Any) -> float:
        rows = FourierGallery(**settings).result()["response"]
        return float(rows[16 + frequency[0]][(16 + frequency[1]) % 32])

    for edge in ("ideal", "Gaussian"):
        assert response(flat, filter="Low-pass", edge=edge) == pytest.approx(1)
        assert response(fine, filter="Low-pass", edge=edge) < 0.05
        assert response(flat, filter="High-pass", edge=edge) == pytest.approx(0, abs=1e-12)
        assert response((0, 6), filter="Band-pass", edge=edge) == pytest.approx(1)
        assert response(flat, filter="Band-pass", edge=edge) < 0.05
    difference = binomial_kernel(3).double()
    difference = F.pad(difference, (2, 2, 2, 2)) - binomial_kernel(7)
    torch.testing.assert_close(tensor(KERNELS["Difference of Gaussians"]), difference)


def test_the_ideal_low_pass_is_exactly_below_its_cut_off() -> None:
    mask = mask_of("Low-pass", "ideal", 5, 1)
    assert mask[0, 4] == mask[3, 3] == 1
    assert mask[0, 5] == mask[3, 4] == 0  # 3 down, 4 across: 5 cycles


def test_a_picture_of_ones_own() -> None:
    rows = torch.linspace(0, 1, 1024).reshape(32, 32).tolist()
    widget = FourierGallery(rows)
    assert widget.picture[31][31] == 1
    with pytest.raises(ValueError, match="bring them into"):
        widget.picture = [[2.0] * 32] * 32
    assert widget.picture[31][:3] == [0.97, 0.97, 0.97]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("Horse", "picture = 'Horse' is unknown: choose from House"),
        ([[0.5] * 32] * 31, "31 rows of 32 numbers: give 32 rows of 32"),
        ([[0.5] * 31 + [2]] * 32, "from 0.5 to 2.0: bring them into"),
    ],
)
def test_bad_pictures_are_answered_with_one_sentence(picture: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FourierGallery(picture)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="cut_off = "):
        FourierGallery(cut_off=21)


def test_describe_says_whether_both_ways_agree() -> None:
    widget = FourierGallery(border="zeros", filter="Band-pass", cut_off=5, width=3)
    assert "from 3.5/32 to 6.5/32 cycles per pixel" in widget.describe()
    assert "The two ways differ in" in verdict(widget.result())
    wide = FourierGallery(filter="Band-pass", cut_off=1, width=4)  # its lower end is below 0
    assert "from 0/32 to 3/32 cycles per pixel" in wide.describe()
    assert "no pixel differs by more than rounding" in FourierGallery().describe()


@pytest.mark.parametrize(
    ("filter_name", "told", "gains"),
    [
        ("Low-pass", "gain 1 at 0, 0.61 at 6/32 cycles per pixel", {0: 1, 6: 0.61}),
        ("High-pass", "gain 0 at 0, 0.39 at 6/32 cycles per pixel", {0: 0, 6: 0.39}),
        (
            "Band-pass",
            "gain 1 at 6/32, 0.61 at 4/32 and 8/32 cycles per pixel",
            {6: 1, 4: 0.61, 8: 0.61},
        ),
    ],
)
def test_a_gaussian_filter_is_not_said_to_end_anywhere(
    filter_name: Mask, told: str, gains: dict[int, float]
) -> None:
    widget = FourierGallery(filter=filter_name, edge="Gaussian", cut_off=6, width=4)
    assert told in widget.describe()
    mask = mask_of(filter_name, "Gaussian", 6, 4)
    assert {cycles: round(mask[0, cycles].item(), 2) for cycles in gains} == gains
