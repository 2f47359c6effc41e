"""Answers of lesson and exercise 07: LeNet-5's sizes and costs, and the loss of a fresh net."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import shape_after


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


def size_seen(n: int) -> Answer:
    """Say what a LeNet-5 built for 28 x 28 pixels does with images of n x n."""
    found = {up: math.prod(_maps(n, n, up=up)) for up in (False, True)}

    def stops(numbers: int) -> str:
        return f"An error at the first linear layer: it gets {numbers} numbers, not 400"

    fits = "No error: ten logits for each image"
    runs = found[False] == 400
    up = None if found[True] in (400, found[False]) else stops(found[True])
    return Answer(
        fits if runs else stops(found[False]),
        rounded_up=up,
        linear_adapts=None if runs else fits,
        one_map_only=stops(found[False] // 16),
        convolution_is_bound=f"An error at the first convolution: it gets {n} rows, not 28",
    )


def pairs_told(n: int) -> Answer:
    """Return which experiment tells whether labels belong to their images."""
    return Answer(
        f"Show {n} images of one batch, each with its label, and check whether they agree",
        fit_tells=f"Train on {n} images of one batch, and check whether the loss still falls",
        class_counts_tell=f"Count the labels of {n} batches, and check whether all classes occur",
        seed_tells=f"Train for {n} epochs with another seed, and check whether the accuracy "
        "changes",
    )
