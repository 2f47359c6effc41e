"""The explorer's reference against torch's gradients, and its JavaScript against the reference."""

from typing import Any

import pytest
import torch
from torch import nn

from course_utils import arithmetic
from course_utils.widgets import ReceptiveFieldExplorer
from course_utils.widgets.receptive_field_explorer import STACKS, conv, pool

NUM_STATES = 300


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Any setting a learner can reach, impossible ones included."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def layer() -> dict[str, Any]:
        if whole(0, 2):
            return conv(whole(1, 5), whole(1, 3), whole(0, 3), whole(1, 2))
        return pool(whole(1, 4), whole(1, 3), whole(0, 2))

    return {
        "n": whole(1, 64),
        "layers": [layer() for _ in range(whole(0, 6))],
        "layer": whole(0, 7),
        "position": whole(0, 70),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(3)
    return [random_state(generator) for _ in range(NUM_STATES)]


def network(layers: list[dict[str, Any]], generator: torch.Generator) -> nn.Sequential:
    """The stack as torch's own layers, random positive weights in each convolution."""
    modules: list[nn.Module] = []
    for layer in layers:
        k, s, p, d = layer["k"], layer["s"], layer["p"], layer["d"]
        if layer["kind"] == "pool":
            modules.append(nn.AvgPool2d(k, s, p))
            continue
        module = nn.Conv2d(1, 1, k, s, p, d, bias=False, dtype=torch.float64)
        module.weight.data.uniform_(0.5, 1, generator=generator)
        modules.append(module)
    return nn.Sequential(*modules)


def test_reference_sees_what_gradients_see(states: list[dict[str, Any]]) -> None:
    generator = torch.Generator().manual_seed(4)
    problems = 0
    for state in states:
        result = ReceptiveFieldExplorer.reference(state)
        problems += result["problem"] is not None
        picture = torch.ones(1, 1, state["n"], state["n"], dtype=torch.float64, requires_grad=True)
        output = network(state["layers"][: result["layer"]], generator)(picture)
        assert output.shape[-1] == result["sizes"][result["layer"]]
        at = result["position"]
        (gradient,) = torch.autograd.grad(output[0, 0, at, at], picture)
        touched = gradient[0, 0] > 0
        assert touched.double().mean() == pytest.approx(result["share"], abs=1e-12)
        assert [v > 0 for v in result["paths"]] == touched.any(0).tolist()
    assert NUM_STATES / 20 < problems < NUM_STATES * 3 / 4


def test_range_in_the_picture_is_the_field_of_the_arithmetic(states: list[dict[str, Any]]) -> None:
    for state in states:
        result = ReceptiveFieldExplorer.reference(state)
        field = result["fields"][result["layer"]]
        low, high = result["seen"][0]
        assert low == field["start"] + result["position"] * field["jump"]
        assert high - low + 1 == field["size"]


def test_a_stack_that_torch_refuses_is_explained(states: list[dict[str, Any]]) -> None:
    for state in states:
        result = ReceptiveFieldExplorer.reference(state)
        layers = network(state["layers"], torch.Generator().manual_seed(0))
        picture = torch.ones(1, 1, state["n"], state["n"], dtype=torch.float64)
        try:
            layers(picture)
        except RuntimeError:
            assert "is impossible" in result["problem"]
        else:
            assert result["problem"] is None


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    for state, shown in zip(states, compute(ReceptiveFieldExplorer, states), strict=True):
        assert same(shown, ReceptiveFieldExplorer.reference(state)), state


def test_browser_and_reference_agree_on_the_known_stacks(compute: Any, same: Any) -> None:
    states = [ReceptiveFieldExplorer(name).state() for name in STACKS]
    for state, shown in zip(states, compute(ReceptiveFieldExplorer, states), strict=True):
        wanted = ReceptiveFieldExplorer.reference(state)
        assert wanted["problem"] is None
        assert same(shown, wanted)


def field(name: str) -> tuple[int, int]:
    result = ReceptiveFieldExplorer(name).result()
    return result["fields"][-1]["size"], result["fields"][-1]["jump"]


def test_fields_of_the_lectures() -> None:
    assert field("Three 3×3") == field("One 7×7") == (7, 1)
    assert field("LeNet-5") == (16, 4)
    assert field("VGG-16, all five blocks") == (212, 32)
    assert field("ResNet, stem and stage 1") == (43, 4)


def test_layers_of_the_arithmetic_are_welcome() -> None:
    widget = ReceptiveFieldExplorer([arithmetic.Layer(k=3, p=1), arithmetic.Layer(k=2, s=2)], n=8)
    assert widget.layers == [conv(3, p=1), pool(2) | {"kind": "conv"}]
    assert widget.result()["fields"][-1] == {"size": 4, "jump": 2, "start": -1}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("VGG-99", "layers = 'VGG-99' is unknown: choose from Three 3×3"),
        ([conv(3)] * 21, "21 layers do not fit on the screen: use at most 20"),
        ([conv(0)], "k = 0 is too small: it must be at least 1"),
        (
            [{"kind": "dense", "k": 1}],
            "a layer's kind = 'dense' is unknown: choose from conv",
        ),
        ([3], "a layer cannot be 3: make it with conv or pool"),
    ],
)
def test_bad_input_is_answered_with_one_sentence(layers: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReceptiveFieldExplorer(layers)


def test_an_impossible_layer_is_named() -> None:
    widget = ReceptiveFieldExplorer([conv(3), pool(2), conv(5)], n=6)
    assert widget.result()["layer"] == 2
    assert "conv2 is impossible: its kernel covers 5 pixels" in widget.still().texts[0].get_text()
    padded = ReceptiveFieldExplorer([pool(2, p=2)], n=6)
    assert padded.result()["problem"] == (
        "pool1 is impossible: its padding of 2 is more than half of its window of 2."
    )
