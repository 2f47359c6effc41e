"""Answers of lesson and exercise 15: maps, errors of measurement, networks built from rows."""

import torch
from torch import nn

from course_utils.models.resnet import BasicBlock
from course_utils.models.vgg import CONFIGURATIONS, VGG
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters, shape_after


def vgg_map_side(n: int) -> Answer:
    """Count the places across the last maps of a VGG before its last pool, for n pixels."""
    with torch.device("meta"):
        *blocks, last = VGG(CONFIGURATIONS["A"], pooled_size=1, hidden_size=8).blocks
    before_pool = nn.Sequential(*blocks, *list(last.children())[:-1])
    return Answer(
        shape_after(before_pool, 3, n, n)[-1],
        last_pool_counted=n // 32,
        only_first_pool=n // 2,
        area_for_side=(n // 16) ** 2,
        map_as_large_as_picture=n,
    )


def cam_at_place(a: int, b: int, g: int, h: int) -> Answer:
    """Return Grad-CAM where two maps are a and b, and the mean gradients are g/10 and h/10."""
    maps = torch.tensor([a, b], dtype=torch.float64)
    weights = torch.tensor([g, h], dtype=torch.float64) / 10
    total = round((a * g + b * h) / 10, 6)
    return Answer(
        round(float((weights * maps).sum().relu()), 6),
        relu_forgotten=min(total, 0) or None,
        relu_on_each_map=max(round(a * g / 10, 6), 0) + max(round(b * h / 10, 6), 0),
        weights_forgotten=float(a + b),
        absolute_weights=round((a * abs(g) + b * abs(h)) / 10, 6),
    )


def standard_error(a: int, n: int) -> Answer:
    """Return the standard error, in percentage points, of an accuracy of a % on n images."""
    share = torch.tensor(a / 100, dtype=torch.float64)
    return Answer(
        float(100 * torch.distributions.Bernoulli(share).stddev / n**0.5),
        root_forgotten=100 * a / 100 * (1 - a / 100) / n,
        number_forgotten=100 * (a / 100 * (1 - a / 100)) ** 0.5,
        half_for_any=100 * 0.5 / n**0.5,
        share_of_errors=100 * (1 - a / 100) / n**0.5,
    )


def _block(c_in: int, c_out: int, stride: int = 1, shortcut: str = "A") -> int:
    with torch.device("meta"):
        return num_parameters(BasicBlock(c_in, c_out, stride, shortcut))


def halving_block_parameters(c: int) -> Answer:
    """Count the parameters of a residual block with shortcut A that doubles c channels."""
    right = _block(c, 2 * c, 2)
    return Answer(
        right,
        bias_counted=right + 2 * (2 * c),
        norm_forgotten=9 * c * 2 * c + 9 * (2 * c) ** 2,
        channels_stay=_block(c, c),
        shortcut_projects=_block(c, 2 * c, 2, "B"),
    )
