"""Answers of lesson and exercise 02: what dense layers cost, and where a pixel goes."""

import torch
from torch import nn

from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters


def first_layer(n: int, units: int) -> Answer:
    """Count the parameters of a linear layer on images of n x n pixels in colour."""
    return Answer(
        num_parameters(nn.Linear(3 * n * n, units, device="meta")),
        bias_forgotten=3 * n * n * units,
        channels_forgotten=n * n * units + units,
        bias_per_channel_in=3 * n * n * units + 3,
    )


def one_row_down(h: int, w: int) -> Answer:
    """Return the distance in the list between a pixel and the one below it."""
    return Answer(
        torch.empty(3, h, w, device="meta").stride(1),
        list_keeps_neighbours=1,
        columns_first=h,
        channels_interleaved=3 * w,
    )


def dense_parameters(size: int, units: int) -> Answer:
    """Count the parameters of a dense layer on a colour image."""
    return Answer(
        first_layer(size, units).right,
        bias_forgotten=3 * size * size * units,
        grey_picture=(size * size + 1) * units,
        side_not_area=(3 * size + 1) * units,
        bias_per_channel_in=3 * size * size * (units + 1),
    )


def place(size: int, channel: int, row: int, column: int) -> Answer:
    """Return the place of a number in the flattened image."""
    numbers = torch.arange(3 * size * size).view(3, size, size)
    return Answer(
        int(numbers[channel, row, column]),
        pixel_by_pixel=(row * size + column) * 3 + channel,
        columns_first=(channel * size + column) * size + row,
        channel_left_out=row * size + column,
    )


def training_memory(size: int, units: int) -> Answer:
    """Return the bytes that AdamW's training holds for the weights of a dense layer."""
    weight = nn.Linear(3 * size * size, units, bias=False, device="meta").weight
    return Answer(
        weight.nbytes * 4,  # the weight, its gradient, AdamW's two averages
        weights_only=weight.nbytes,
        gradient_only=weight.nbytes * 2,
        grey_picture=weight.nbytes * 4 // 3,
    )
