"""Answers of lesson 15: maps, errors of measurement, networks built from rows."""

import torch

from course_utils.models.vgg import CONFIGURATIONS, VGG
from course_utils.quiz.computation import computation


@computation(
    last_pool_counted=lambda n: n // 32,
    only_first_pool=lambda n: n // 2,
    area_for_side=lambda n: (n // 16) ** 2,
    map_as_large_as_picture=lambda n: n,
)
def vgg_map_side(n: int) -> int:
    """Places across the last maps of a VGG before its last pool, for n pixels."""
    with torch.device("meta"):
        x = torch.empty(1, 3, n, n)
        *blocks, last = VGG(CONFIGURATIONS["A"], pooled_size=1, hidden_size=8).blocks
        for layer in [*blocks, *list(last.children())[:-1]]:
            x = layer(x)
    return int(x.shape[-1])


@computation(
    relu_forgotten=lambda a, b, g, h: min(_weighted(a, b, g, h), 0) or None,
    relu_on_each_map=lambda a, b, g, h: (
        max(_weighted(a, 0, g, h), 0) + max(_weighted(0, b, g, h), 0)
    ),
    weights_forgotten=lambda a, b, g, h: float(a + b),
    absolute_weights=lambda a, b, g, h: _weighted(a, b, abs(g), abs(h)),
)
def cam_at_place(a: int, b: int, g: int, h: int) -> float:
    """Grad-CAM where two maps are a and b, and the mean gradients are g/10 and h/10."""
    maps = torch.tensor([a, b], dtype=torch.float64)
    weights = torch.tensor([g, h], dtype=torch.float64) / 10
    return round(float((weights * maps).sum().relu()), 6)


def _weighted(a: int, b: int, g: int, h: int) -> float:
    return round((a * g + b * h) / 10, 6)


@computation(
    root_forgotten=lambda a, n: 100 * a / 100 * (1 - a / 100) / n,
    number_forgotten=lambda a, n: 100 * (a / 100 * (1 - a / 100)) ** 0.5,
    half_for_any=lambda a, n: 100 * 0.5 / n**0.5,
    share_of_errors=lambda a, n: 100 * (1 - a / 100) / n**0.5,
)
def standard_error(a: int, n: int) -> float:
    """Standard error, in percentage points, of an accuracy of a % on n pictures."""
    share = torch.tensor(a / 100, dtype=torch.float64)
    return float(100 * torch.distributions.Bernoulli(share).stddev / n**0.5)
