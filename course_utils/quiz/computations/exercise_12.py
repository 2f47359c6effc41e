"""Answers of exercise 12: highway layers in a row, and how far derivatives agree."""

import torch

from course_utils.models.highway import HighwayLinear
from course_utils.quiz.computation import computation


@computation(
    gates_swapped=lambda percent, n: round(100 * (percent / 100) ** n, 4),
    shares_subtracted=lambda percent, n: 100 - n * percent,
    single_layer=lambda percent, n: 100 - percent,
)
def carried_share(percent: int, n: int) -> float:
    """Per cent of the input that n layers with H = 0 carry."""
    share = 1.0
    for _ in range(n):
        share *= 1 - percent / 100
    return round(100 * share, 4)


@computation(
    gate_is_free=lambda units, n: n * (units * units + units),
    bias_forgotten=lambda units, n: n * 2 * units * units,
    carry_has_weights=lambda units, n: n * 3 * (units * units + units),
    single_layer=lambda units, n: 2 * (units * units + units),
)
def stack_parameters(units: int, n: int) -> int:
    """Parameters of n fully connected highway layers."""
    with torch.device("meta"):
        layers = [HighwayLinear(units) for _ in range(n)]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


@computation(
    not_divided=lambda a, b: a * b,
    divided_by_count=lambda a, b: round(a * b / 4, 4),
    series_wrapped=lambda a, b: 0,
)
def agreement(a: int, b: int) -> float:
    """Autocorrelation at lag 1 of the series a, b, -a, -b."""
    series = torch.tensor([a, b, -a, -b], dtype=torch.float64)
    return round(float(series[:-1] @ series[1:] / (series @ series)), 4)
