"""Both orders against torch, and the JavaScript against the reference."""

from typing import Any

import pytest
import torch
from torch import nn

from course_utils.widgets import PoolingAndOrder
from course_utils.widgets.pooling_and_order import ACTIVATIONS, PICTURES

NUM_STATES = 400
LAYERS = {
    "ReLU": nn.ReLU(),
    "leaky ReLU": nn.LeakyReLU(0.1),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
}


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Any setting a learner can reach, impossible ones included."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    size = whole(2, 8), whole(2, 8)
    return {
        "picture": torch.randint(-18, 19, size, generator=generator).div(2).tolist(),
        "pool": ("max", "average")[whole(0, 1)],
        "activation": list(ACTIVATIONS)[whole(0, len(ACTIVATIONS) - 1)],
        "window": whole(1, 4),
        "stride": whole(1, 4),
        "step": whole(0, 20),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(1)
    return [random_state(generator) for _ in range(NUM_STATES)]


def test_reference_is_what_torch_computes(states: list[dict[str, Any]]) -> None:
    checked = 0
    for state in states:
        result = PoolingAndOrder.reference(state)
        image = torch.tensor(state["picture"], dtype=torch.float64)[None, None]
        kind = nn.MaxPool2d if state["pool"] == "max" else nn.AvgPool2d
        pool = kind(state["window"], state["stride"])
        if state["window"] > min(image.shape[2:]):
            assert "No window fits" in result["problem"]
            continue
        if state["activation"] in LAYERS:
            act = LAYERS[state["activation"]]
            before = torch.tensor(result["before"], dtype=torch.float64)
            after = torch.tensor(result["after"], dtype=torch.float64)
            torch.testing.assert_close(before, pool(act(image))[0, 0])
            torch.testing.assert_close(after, act(pool(image))[0, 0])
            checked += 1
    assert checked > NUM_STATES / 3


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    for state, shown in zip(states, compute(PoolingAndOrder, states), strict=True):
        assert same(shown, PoolingAndOrder.reference(state)), state


@pytest.mark.parametrize("picture", list(PICTURES))
@pytest.mark.parametrize("activation", ["ReLU", "leaky ReLU", "tanh", "sigmoid"])
def test_max_pooling_may_change_places_with_a_rising_activation(
    picture: str, activation: str
) -> None:
    widget = PoolingAndOrder(picture, pool="max", activation=activation, stride=1)
    assert widget.result()["differing"] == 0


def test_where_the_orders_differ() -> None:
    def differing(**settings: Any) -> int:
        return int(PoolingAndOrder("Mixed signs", **settings).result()["differing"])

    assert differing(pool="average", activation="ReLU") == 7
    assert differing(pool="average", activation="−x") == 0
    assert differing(pool="max", activation="−x") == 9
    assert differing(pool="max", activation="|x|") > 0


def test_average_and_relu_agree_where_a_window_has_one_sign() -> None:
    for picture in ("All positive", "All negative"):
        widget = PoolingAndOrder(picture, pool="average", activation="ReLU", stride=1)
        assert widget.result()["differing"] == 0
        assert "agree in all 25 places" in widget.describe()


def test_pooling_first_calls_the_activation_less_often() -> None:
    assert PoolingAndOrder().result()["calls"] == [36, 9]


def test_an_impossible_setting_is_explained() -> None:
    widget = PoolingAndOrder([[1, 2], [3, 4]], window=3)
    assert "it is 3 × 3, but the image's shorter side is 2" in widget.describe()
    assert "No window fits" in widget.still().texts[0].get_text()


def test_unknown_picture_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="picture = 'noise' is unknown: choose from Mixed signs"):
        PoolingAndOrder("noise")


def test_describe_shows_the_verdict() -> None:
    assert "differ in 7 of 9 places, by up to 1.75." in PoolingAndOrder().describe()
