"""The stepper's reference against torch, and its JavaScript against the reference."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from course_utils.kernels import KERNELS
from course_utils.widgets import ConvolutionStepper

NUM_STATES = 400


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Any setting a learner can reach, impossible ones included."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    size = whole(1, 9), whole(1, 9)
    kernel = whole(1, 5), whole(1, 5)
    return {
        "picture": torch.randint(0, 10, size, generator=generator).tolist(),
        "kernel": torch.randint(-8, 9, kernel, generator=generator).div(4).tolist(),
        "stride": whole(1, 4),
        "padding": whole(0, 3),
        "dilation": whole(1, 3),
        "flip": bool(whole(0, 1)),
        "step": whole(0, 40),
        "show_all": bool(whole(0, 1)),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    return [random_state(generator) for _ in range(NUM_STATES)]


def test_reference_is_what_torch_computes(states: list[dict[str, Any]]) -> None:
    impossible = 0
    for state in states:
        result = ConvolutionStepper.reference(state)
        picture = torch.tensor(state["picture"], dtype=torch.float64)[None, None]
        kernel = torch.tensor(state["kernel"], dtype=torch.float64)
        if state["flip"]:
            kernel = kernel.flip(0, 1)
        settings = {key: state[key] for key in ("stride", "padding", "dilation")}
        try:
            wanted = F.conv2d(picture, kernel[None, None], **settings)[0, 0]
        except RuntimeError:
            impossible += 1
            assert result["problem"] and result["out"] == [0, 0]
            continue
        assert result["problem"] is None
        torch.testing.assert_close(torch.tensor(result["output"], dtype=torch.float64), wanted)
        assert result["total"] == pytest.approx(wanted[result["row"], result["col"]].item())
    assert NUM_STATES / 20 < impossible < NUM_STATES / 2


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    for state, shown in zip(states, compute(ConvolutionStepper, states), strict=True):
        assert same(shown, ConvolutionStepper.reference(state)), state


def test_convolution_with_one_dot_prints_the_kernel() -> None:
    widget = ConvolutionStepper("One dot", "Emboss", flip=True)
    centre = torch.tensor(widget.result()["output"])[1:4, 1:4]
    assert centre.tolist() == KERNELS["Emboss"]


def test_blurs_keep_the_brightness() -> None:
    for name in ("Mean of 9", "Gaussian 3 × 3", "Gaussian 5 × 5", "Mean of 4"):
        assert sum(map(sum, KERNELS[name])) == pytest.approx(1, abs=1e-12), name


def test_worked_example_of_the_lectures() -> None:
    widget = ConvolutionStepper("Worked example", "Worked example")
    assert widget.result()["output"] == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": "Sobell"}, "kernel = 'Sobell' is unknown: choose from Identity"),
        ({"picture": [[1, 2], [3]]}, "not a rectangle of 1 to 12"),
        ({"kernel": [[1] * 6] * 6}, "not a rectangle of 1 to 5"),
        (
            {"picture": [[1, float("inf")]]},
            r"picture\[0\]\[1\] = inf is out of range",
        ),
    ],
)
def test_bad_input_is_answered_with_one_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvolutionStepper(**settings)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="stride = 5 is too large: it must be at most 4"):
        ConvolutionStepper(stride=5)


def test_an_impossible_setting_is_explained() -> None:
    widget = ConvolutionStepper([[1, 2], [3, 4]], "Sobel, vertical edges")
    assert "covers 3 pixels, but the padded image has only 2" in widget.describe()
    assert "No window fits" in widget.still().texts[0].get_text()
