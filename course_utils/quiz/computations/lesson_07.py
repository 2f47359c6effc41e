"""Answers of lesson 07: LeNet and the training loop."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.quiz.computation import computation


@computation(
    rounded_up=lambda n: _after_two_blocks(n, ceil_mode=True),
    padding_ignored=lambda n: _after_two_blocks(n, paddings=(0, 0)),
    second_padded=lambda n: _after_two_blocks(n, paddings=(2, 2)),
    one_block=lambda n: 6 * (n // 2) ** 2,
    one_map_only=lambda n: _after_two_blocks(n) // 16,
)
def numbers_for_linear(n: int) -> int:
    """Numbers that come out of LeNet-5's two blocks."""
    return _after_two_blocks(n)


def _after_two_blocks(n: int, paddings: tuple[int, int] = (2, 0), ceil_mode: bool = False) -> int:
    first = nn.Conv2d(1, 6, 5, padding=paddings[0], device="meta")
    second = nn.Conv2d(6, 16, 5, padding=paddings[1], device="meta")
    x = F.max_pool2d(first(torch.empty(1, 1, n, n, device="meta")), 2, ceil_mode=ceil_mode)
    return F.max_pool2d(second(x), 2, ceil_mode=ceil_mode).numel()


@computation(
    logarithm_to_base_10=lambda k: math.log10(k),
    logarithm_to_base_2=lambda k: math.log2(k),
    probability_for_loss=lambda k: 1 / k,
)
def fresh_loss(k: int) -> float:
    """Cross-entropy of equal logits for k classes."""
    return float(F.cross_entropy(torch.zeros(1, k), torch.tensor([0])))
