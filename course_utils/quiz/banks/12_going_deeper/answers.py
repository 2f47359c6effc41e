"""Answers of lesson and exercise 12: highway layers, and how far derivatives agree."""

from math import prod

import torch
from torch import nn

from course_utils.models.highway import HighwayLinear
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters


def highway_output(h: int, x: int, percent: int) -> Answer:
    """Return the output of one highway unit for H(x) = h, input x, and T = percent / 100."""
    layer, share = HighwayLinear(1), percent / 100
    with torch.no_grad():
        layer.transform.weight.zero_()
        layer.transform.bias.fill_(h)
        layer.gate.weight.zero_()
        layer.gate.bias.fill_(torch.logit(torch.tensor(share)).item())
        right = round(float(layer(torch.tensor([[float(x)]]))), 4)
    return Answer(
        right,
        gates_swapped=round(x * share + h * (1 - share), 4),
        carry_forgotten=round(h * share, 4),
        skip_for_gate=round(h * share + x, 4),
    )


def highway_parameters(units: int, n: int) -> Answer:
    """Count the parameters of n fully connected highway layers."""
    with torch.device("meta"):
        layers = nn.ModuleList(HighwayLinear(units) for _ in range(n))
    return Answer(
        num_parameters(layers),
        gate_is_free=n * (units * units + units),
        bias_forgotten=n * 2 * units * units,
        one_gate_a_layer=n * (units * units + units + units + 1),
        carry_has_weights=n * 3 * (units * units + units),
        single_layer=2 * (units * units + units),
    )


def carried_share(percent: int, n: int) -> Answer:
    """Return the per cent of the input that n layers with H = 0 carry."""
    return Answer(
        round(100 * prod([1 - percent / 100] * n), 4),
        gates_swapped=round(100 * (percent / 100) ** n, 4),
        shares_subtracted=100 - n * percent,
        single_layer=100 - percent,
    )


def agreement(a: int, b: int) -> Answer:
    """Return the autocorrelation at lag 1 of the series a, b, -a, -b."""
    series = torch.tensor([a, b, -a, -b], dtype=torch.float64)
    return Answer(
        round(float(series[:-1] @ series[1:] / (series @ series)), 4),
        not_divided=a * b,
        divided_by_count=round(a * b / 4, 4),
        series_wrapped=0,
    )
