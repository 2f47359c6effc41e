"""Answers of lesson 12: going deeper."""

import torch

from course_utils.models.highway import HighwayLinear
from course_utils.quiz.computation import computation


@computation(
    gates_swapped=lambda h, x, percent: round(x * percent / 100 + h * (1 - percent / 100), 4),
    carry_forgotten=lambda h, x, percent: round(h * percent / 100, 4),
    skip_for_gate=lambda h, x, percent: round(h * percent / 100 + x, 4),
)
def highway_output(h: int, x: int, percent: int) -> float:
    """Output of one highway unit for H(x) = h, input x, and T = percent / 100."""
    layer = HighwayLinear(1)
    with torch.no_grad():
        layer.transform.weight.zero_()
        layer.transform.bias.fill_(h)
        layer.gate.weight.zero_()
        layer.gate.bias.fill_(torch.logit(torch.tensor(percent / 100)).item())
        return round(float(layer(torch.tensor([[float(x)]]))), 4)


@computation(
    gate_is_free=lambda units: units * units + units,
    bias_forgotten=lambda units: 2 * units * units,
    one_gate_a_layer=lambda units: units * units + units + units + 1,
    carry_has_weights=lambda units: 3 * (units * units + units),
)
def highway_parameters(units: int) -> int:
    """Parameters of a fully connected highway layer."""
    with torch.device("meta"):
        layer = HighwayLinear(units)
    return sum(parameter.numel() for parameter in layer.parameters())
