"""The channel stepper against torch's own layers, and its JavaScript against the reference."""

from typing import Any

import pytest
import torch
from torch import nn

from course_utils.widgets import ChannelStepper
from course_utils.widgets.channel_stepper import BIASES, KINDS, PLANES, SLICES

STATES: list[dict[str, Any]] = [
    ChannelStepper(kind=kind, filter=which, step=step).state()
    for kind in KINDS
    for which in range(4)
    for step in (0, 4, 8, 24, 99)
]


def layer_of(kind: str) -> nn.Conv2d:
    """The layer that the widget's PyTorch line makes, its weights put in kernel by kernel."""
    k, groups = KINDS[kind]
    layer = nn.Conv2d(4, 4, kernel_size=k, groups=groups, dtype=torch.float64)
    with torch.no_grad():
        for which, slices in enumerate(layer.weight):
            first = which // (4 // groups) * (4 // groups)
            for place, kernel in enumerate(slices):
                kernel.copy_(torch.tensor(SLICES[k][(which + first + place) % 4]))
        layer.bias.copy_(torch.tensor(BIASES))
    return layer


@pytest.mark.parametrize("state", STATES, ids=lambda s: f"{s['kind']}-{s['filter']}-{s['step']}")
def test_reference_is_what_the_layer_computes(state: dict[str, Any]) -> None:
    layer, image = layer_of(state["kind"]), torch.tensor(PLANES, dtype=torch.float64)
    result = ChannelStepper.reference(state)
    output = layer(image)
    assert result["map"] == output[state["filter"]].tolist()
    assert result["total"] == output[state["filter"], result["row"], result["col"]].item()
    assert result["total"] == sum(result["parts"]) + result["bias"]
    assert result["parameters"] == sum(p.numel() for p in layer.parameters())
    per_number = layer.weight[0].numel()
    assert result["multiply_adds"] == output.numel() * per_number


def test_channels_that_are_read_are_those_that_matter() -> None:
    for kind in KINDS:
        for which in range(4):
            image = torch.tensor(PLANES, dtype=torch.float64).requires_grad_()
            layer_of(kind)(image)[which].abs().sum().backward()
            seen = [c for c in range(4) if image.grad[c].any()]
            read = ChannelStepper(kind=kind, filter=which).result()["read"]
            assert set(seen) <= set(read)
            if kind != "1 × 1":  # where one of the four weights is 0
                assert seen == read


def test_browser_computes_what_the_reference_says(compute: Any, same: Any) -> None:
    for state, shown in zip(STATES, compute(ChannelStepper, STATES), strict=True):
        assert same(shown, ChannelStepper.reference(state)), state


def test_kinds_differ_in_what_they_cost() -> None:
    costs = {kind: ChannelStepper(kind=kind).result() for kind in KINDS}
    assert [cost["parameters"] for cost in costs.values()] == [148, 20, 76, 40]
    assert [cost["multiply_adds"] for cost in costs.values()] == [1296, 400, 648, 324]


def test_a_step_beyond_the_map_shows_its_last_cell() -> None:
    assert "row 3, column 3" in ChannelStepper(step=99).describe()


def test_wrong_settings_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="kind = '5 × 5' is unknown: choose from 3 × 3, 1 × 1"):
        ChannelStepper(kind="5 × 5")
    with pytest.raises(ValueError, match="filter = 4 is too large: it must be at most 3"):
        ChannelStepper(filter=4)
