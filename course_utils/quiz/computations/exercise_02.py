"""Answers of exercise 02: what dense layers cost, and where a pixel goes."""

import torch
from torch import nn

from course_utils.quiz.computation import computation

FLOATS_PER_WEIGHT = 4  # the weight, its gradient, AdamW's two averages


@computation(
    bias_forgotten=lambda size, units: 3 * size * size * units,
    grey_picture=lambda size, units: (size * size + 1) * units,
    side_not_area=lambda size, units: (3 * size + 1) * units,
    bias_per_channel_in=lambda size, units: 3 * size * size * (units + 1),
)
def first_layer(size: int, units: int) -> int:
    """Parameters of a dense layer on a colour picture."""
    layer = nn.Linear(3 * size * size, units, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    pixel_by_pixel=lambda size, channel, row, column: (row * size + column) * 3 + channel,
    columns_first=lambda size, channel, row, column: (channel * size + column) * size + row,
    channel_left_out=lambda size, channel, row, column: row * size + column,
)
def place(size: int, channel: int, row: int, column: int) -> int:
    """Place of a number in the flattened picture."""
    numbers = torch.arange(3 * size * size).view(3, size, size)
    return int(numbers[channel, row, column])


@computation(
    weights_only=lambda size, units: 3 * size * size * units * 4,
    gradient_only=lambda size, units: 3 * size * size * units * 4 * 2,
    grey_picture=lambda size, units: size * size * units * 4 * FLOATS_PER_WEIGHT,
)
def training_memory(size: int, units: int) -> int:
    """Bytes that AdamW's training holds for the weights of a dense layer."""
    weight = nn.Linear(3 * size * size, units, bias=False, device="meta").weight
    return weight.nbytes * FLOATS_PER_WEIGHT
