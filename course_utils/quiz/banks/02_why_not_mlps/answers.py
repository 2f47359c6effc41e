"""Answers of lesson and exercise 02: dense layers, where a pixel goes, and what that changes."""

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
        bias_per_colour=3 * n * n * units + 3,
    )


def one_row_down(h: int, w: int) -> Answer:
    """Return the distance in the list between a pixel and the one below it."""
    return Answer(
        torch.empty(3, h, w, device="meta").stride(1),
        list_keeps_neighbours=1,
        columns_first=h,
        channels_interleaved=3 * w,
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


def flattened_seen(size: int, when: str) -> Answer:
    """Say what a different order of flattening does to a trained MLP's accuracy on the test set."""
    usual = "An accuracy about as high as in the old order"
    lower = "An accuracy far lower, hardly above that of guessing"
    always = when == "for the training and for the test images"
    return Answer(
        usual if always else lower,
        fixed_order_hurts=lower if always else None,
        weights_follow=None if always else usual,
        sum_is_small="An accuracy a few points lower, as most numbers stay where they were",
        order_checked=f"An error at the first layer, which expects the size (3, {size}, {size})",
    )


def shift_told(shift: int, low: int) -> Answer:
    """Return which experiment tells whether shifted figures can still be recognised."""
    return Answer(
        f"Train the same MLP on images shifted by {shift} pixels, and test it on such images",
        smaller_shifts=f"Test the same MLP on images shifted by 1 to {shift} pixels, and draw the "
        "accuracies as a curve",
        more_of_the_same="Test the MLP on ten times as many shifted images, for a smaller "
        "standard error",
        size_blamed="Train a wider MLP on centred figures, and test it on the shifted ones",
    )
