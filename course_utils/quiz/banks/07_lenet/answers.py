"""Answers of lesson and exercise 07: LeNet-5's sizes and costs, and the loss of a fresh net."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters, shape_after


def _maps(h: int, w: int, paddings: tuple[int, int] = (2, 0), up: bool = False) -> tuple[int, ...]:
    """Shape of one image after LeNet-5's two blocks; `up`: the pools round up."""
    pool = nn.MaxPool2d(2, ceil_mode=up)
    with torch.device("meta"):
        first = nn.Conv2d(1, 6, 5, padding=paddings[0])
        second = nn.Conv2d(6, 16, 5, padding=paddings[1])
    return shape_after(nn.Sequential(first, pool, second, pool), 1, h, w)


def numbers_for_linear(n: int) -> Answer:
    """Count the numbers that come out of LeNet-5's two blocks."""
    right = math.prod(_maps(n, n))
    return Answer(
        right,
        rounded_up=math.prod(_maps(n, n, up=True)),
        padding_ignored=math.prod(_maps(n, n, paddings=(0, 0))),
        second_padded=math.prod(_maps(n, n, paddings=(2, 2))),
        one_block=6 * (n // 2) ** 2,
        one_map_only=right // 16,
    )


def fresh_loss(k: int) -> Answer:
    """Return the cross-entropy of equal logits for k classes."""
    return Answer(
        float(F.cross_entropy(torch.zeros(1, k), torch.tensor([0]))),
        logarithm_to_base_10=math.log10(k),
        logarithm_to_base_2=math.log2(k),
        probability_for_loss=1 / k,
    )


def after_two_blocks(h: int, w: int) -> Answer:
    """Return the shape of one image after LeNet-5's two blocks."""
    right = _maps(h, w)
    return Answer(
        right,
        rounded_up=_maps(h, w, up=True),
        second_padded=_maps(h, w, paddings=(2, 2)),
        padding_ignored=_maps(h, w, paddings=(0, 0)),
        height_width_swapped=_maps(w, h),
        channels_last=(*right[1:], 16),
    )


def uses_of_a_weight(n: int) -> Answer:
    """Count the uses of each weight of the second convolution for an image of n x n pixels."""
    with torch.device("meta"):
        layers = nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5)
    return Answer(
        math.prod(shape_after(nn.Sequential(*layers), 1, n, n)[1:]),
        one_position_only=1,
        first_pooling_forgotten=(n - 4) ** 2,
        second_padded=(n // 2) ** 2,
        counted_after_pooling=((n // 2 - 4) // 2) ** 2,
    )


def changed_lenet_parameters(n: int, classes: int) -> Answer:
    """Count the parameters of LeNet-5 with sigmoids, average pooling and no padding."""
    maps = _maps(n, n, paddings=(0, 0))
    with torch.device("meta"):
        model = nn.Sequential(
            *(nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.AvgPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
            *(nn.Linear(math.prod(maps), 120), nn.Linear(120, 84), nn.Linear(84, classes)),
        )
        model(torch.empty(1, 1, n, n))  # the layers fit
    right = num_parameters(model)
    return Answer(
        right,
        padding_without_effect=right + 120 * (math.prod(_maps(n, n)) - math.prod(maps)),
        one_map_only=right - 120 * (math.prod(maps) - math.prod(maps[1:])),
        bias_forgotten=right - (6 + 16 + 120 + 84 + classes),
        pooling_has_weights=right + 2 * (6 + 16),
    )
