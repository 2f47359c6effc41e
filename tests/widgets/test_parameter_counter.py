"""The counts against torch's own layers, and the JavaScript against the reference."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.widgets import ParameterCounter
from course_utils.widgets.parameter_counter import LAYERS

NUM_STATES = 400


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Any setting a learner can reach, impossible ones included."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def power(highest: int) -> int:
        return 2 ** whole(0, highest)

    groups = power(3)
    return {
        "n": whole(1, 12) if whole(0, 3) else whole(13, 256),
        "c_in": groups * whole(1, 12) if whole(0, 5) else whole(1, 1024),
        "c_out": groups * whole(1, 12) if whole(0, 5) else whole(1, 1024),
        "k": whole(1, 15) if whole(0, 1) else whole(1, 3),
        "s": whole(1, 8),
        "p": whole(0, 7),
        "groups": groups,
        "bias": bool(whole(0, 1)),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(2)
    return [random_state(generator) for _ in range(NUM_STATES)]


def conv_of(state: dict[str, Any]) -> nn.Conv2d:
    """The layer itself, without memory for its weights."""
    channels = state["c_in"], state["c_out"]
    place = {"stride": state["s"], "padding": state["p"], "groups": state["groups"]}
    return nn.Conv2d(*channels, state["k"], **place, bias=state["bias"], device="meta")


def num_parameters(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


def test_reference_counts_what_torch_counts(states: list[dict[str, Any]]) -> None:
    problems = {"divide": 0, "fits": 0}
    for state in states:
        result = ParameterCounter.reference(state)
        try:
            conv = conv_of(state)
            image = torch.empty(1, state["c_in"], state["n"], state["n"], device="meta")
            with FlopCounterMode(display=False) as flops:
                output = conv(image)
        except (ValueError, RuntimeError):
            problems["divide" if "divide" in result["problem"] else "fits"] += 1
            continue
        assert result["problem"] is None
        assert result["weight"] == list(conv.weight.shape)
        assert result["output"] == list(output.shape[1:])
        assert result["parameters"]["conv"] == num_parameters(conv)
        assert result["multiply_adds"]["conv"] == flops.get_total_flops() // 2
        dense = nn.Linear(image.numel(), output.numel(), bias=state["bias"], device="meta")
        assert result["parameters"]["dense"] == num_parameters(dense)
        assert result["multiply_adds"]["dense"] == dense.weight.numel()
    assert min(problems.values()) > NUM_STATES / 50


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    for state, shown in zip(states, compute(ParameterCounter, states), strict=True):
        assert same(shown, ParameterCounter.reference(state)), state


def test_largest_setting_is_still_exact_in_the_browser(compute: Any) -> None:
    state = ParameterCounter(n=256, c_in=1024, c_out=1024, k=1, p=7).state()
    [shown] = compute(ParameterCounter, [state])
    assert shown["parameters"] == ParameterCounter.reference(state)["parameters"]
    assert shown["parameters"]["dense"] < 2**53


@pytest.mark.parametrize("name", list(LAYERS))
def test_every_known_layer_is_possible(name: str) -> None:
    widget = ParameterCounter(name)
    assert widget.result()["problem"] is None


def test_figures_of_the_lectures() -> None:
    reduction = ParameterCounter("1×1 that reduces channels").result()
    assert (reduction["input"], reduction["output"]) == ([60, 100, 100], [20, 100, 100])
    alexnet = ParameterCounter("AlexNet, conv1").result()
    assert alexnet["output"] == [96, 55, 55]
    assert alexnet["parameters"]["conv"] == 34_944
    assert ParameterCounter("LeNet, conv1").result()["parameters"]["conv"] == 156


def test_impossible_settings_are_explained() -> None:
    assert "2 groups do not divide 3 input" in ParameterCounter(groups=2).describe()
    small = ParameterCounter(n=2, k=5, p=1)
    assert "covers 5 pixels, but the padded image has only 4" in small.describe()
    assert "No window fits" in small.still().texts[0].get_text()


def test_unknown_layer_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="layer = 'conv9' is unknown: choose from LeNet, conv1"):
        ParameterCounter("conv9")
