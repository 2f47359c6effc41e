"""Answers of lesson and exercise 01: shapes, bytes, and what a byte cannot hold."""

import torch

from course_utils.quiz.answer import Answer


def batch_shape(n: int, w: int, h: int) -> Answer:
    """Return the shape of n photos, w wide and h high, as PyTorch has it."""
    photo = torch.empty(h, w, 3, device="meta")  # as it is read from a file
    return Answer(
        tuple(torch.stack([photo.permute(2, 0, 1)] * n).shape),
        height_width_swapped=(n, 3, w, h),
        channels_last=(n, h, w, 3),
        channels_before_pictures=(3, n, h, w),
    )


def byte_sum(a: int, b: int) -> Answer:
    """Return what a byte of value a holds after b is added."""
    return Answer(
        int(torch.tensor(a, dtype=torch.uint8) + b),
        byte_has_no_end=a + b,
        byte_stops_at_255=min(a + b, 255),
    )


def batch_megabytes(n: int, side: int) -> Answer:
    """Return the size of a batch of square images in colour."""
    batch = torch.empty(n, 3, side, side, device="meta")
    return Answer(
        batch.nbytes / 1e6,
        floats_are_bytes=batch.numel() / 1e6,
        one_channel_only=batch[:, :1].nbytes / 1e6,
    )


def batch_bytes(num: int, width: int, height: int) -> Answer:
    """Return the bytes of a batch of floats."""
    batch = torch.empty(num, 3, height, width, dtype=torch.float32, device="meta")
    return Answer(
        batch.nbytes,
        one_byte_each=batch.numel(),
        one_channel_bytes=batch[:, 0].nbytes,
        one_picture_bytes=batch[0].nbytes,
    )


def wrapped_seen(low: int, high: int, more: int) -> Answer:
    """Say what becomes of a `uint8` photo with values from low to high if more is added to it."""
    first, last = (torch.tensor(value, dtype=torch.uint8) + more for value in (low, high))
    wrap = [low + more > 255, high + more > 255]
    if not wrap[1] or not 20 < last < low or (wrap[0] and first < 5):
        raise ValueError("too little wraps around to be seen, or too much to be told")
    if not wrap[0] and 255 - more - low < high - (255 - more):
        raise ValueError("more than half of the range wraps around: not only the brightest")
    darker = "The same image, but darker"
    patches = "Dark patches where the image was brightest, all else brighter"
    white = "White patches where the image was brightest, all else brighter"
    return Answer(
        darker if wrap[0] else patches,
        byte_saturates="An entirely white image" if wrap[0] else white,
        byte_is_a_float="The same image, but brighter",
        byte_refuses="An error, since such sums do not fit into a byte",
        only_some_wrap=patches if wrap[0] else None,
        all_wrap=None if wrap[0] else darker,
    )
