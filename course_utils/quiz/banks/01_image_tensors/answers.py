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


def photo_batch_shape(num: int, width: int, height: int) -> Answer:
    """Return the shape of a batch of photos."""
    return Answer(
        batch_shape(num, width, height).right,
        height_width_swapped=(num, 3, width, height),
        channels_last=(num, height, width, 3),
        batch_last=(3, height, width, num),
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


def brighter(value: int, more: int) -> Answer:
    """Return the sum of two bytes."""
    if value + more < 256:
        raise ValueError(f"{value} + {more} fits into a byte")
    return Answer(
        int(torch.tensor(value, dtype=torch.uint8) + torch.tensor(more, dtype=torch.uint8)),
        byte_saturates=255,
        byte_is_a_float=value + more,
        wrapped_at_255=(value + more) % 255,
    )
