import math

import pytest
import torch
from torch import nn

from course_utils.models import build
from course_utils.models.initialization import glorot_uniform_, he_normal_, lecun_uniform_


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(32, 64, 3), nn.Linear(300, 500))


def test_he_s_variance_is_two_over_fan_in(layers):
    conv, linear = he_normal_(layers)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.03)
    assert linear.weight.std().item() == pytest.approx(math.sqrt(2 / 300), rel=0.03)
    assert not conv.bias.any()
    assert not linear.bias.any()


def test_glorot_s_bound_is_that_of_both_fans(layers):
    conv, linear = glorot_uniform_(layers)
    assert conv.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (96 * 9)), rel=0.01)
    assert linear.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 800), rel=0.01)


def test_lecun_s_bound_is_2_4_over_fan_in(layers):
    conv, linear = lecun_uniform_(layers)
    assert conv.weight.abs().max().item() == pytest.approx(2.4 / (32 * 9), rel=0.01)
    assert linear.weight.abs().max().item() == pytest.approx(2.4 / 300, rel=0.01)
    assert linear.bias.abs().max().item() == pytest.approx(2.4 / 300, rel=0.05)


@pytest.mark.parametrize("one_tower", [False, True])
def test_alexnet_starts_as_its_paper_says(one_tower):
    model = build("alexnet", one_tower=one_tower, generator=torch.Generator().manual_seed(0))
    convs = [m for m in model.features if isinstance(m, nn.Conv2d)]
    linears = [m for m in model.classifier if isinstance(m, nn.Linear)]
    for layer in (*convs, *linears):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert [layer.bias.unique().tolist() for layer in convs] == [[0], [1], [0], [1], [1]]
    assert [layer.bias.unique().tolist() for layer in linears] == [[1], [1], [0]]


@pytest.mark.parametrize(
    ("activation", "bound"),
    [
        ("sigmoid", math.sqrt(6 / (400 + 120))),
        ("tanh", math.sqrt(6 / 520)),
        ("scaled_tanh", 2.4 / 400),
    ],
)
def test_lenet_s_start_follows_its_activation(activation, bound):
    layer = build("lenet5", activation=activation).classifier[1]
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_highway_gates_start_closed():
    for name in ("highway", "highway_small"):
        model = build(name, gate_bias=-3.0)
        gates = [m.gate.bias for m in model.modules() if hasattr(m, "gate")]
        assert gates
        assert all(bias.unique().tolist() == [-3.0] for bias in gates)
        default = build(name)
        assert all(m.gate.bias.max() < 0 for m in default.modules() if hasattr(m, "gate"))
