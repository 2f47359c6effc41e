"""Answers of exercise 01: shapes, bytes, and what a byte cannot hold."""

import torch

from course_utils.quiz.computation import computation


@computation(
    height_width_swapped=lambda num, width, height: (num, 3, width, height),
    channels_last=lambda num, width, height: (num, height, width, 3),
    batch_last=lambda num, width, height: (3, height, width, num),
)
def batch_shape(num: int, width: int, height: int) -> tuple[int, ...]:
    """Shape of a batch of photos."""
    photos = [torch.empty(height, width, 3, device="meta")] * num
    return tuple(torch.stack(photos).permute(0, 3, 1, 2).shape)


@computation(
    one_byte_each=lambda num, width, height: num * 3 * height * width,
    one_channel_bytes=lambda num, width, height: num * height * width * 4,
    one_picture_bytes=lambda num, width, height: 3 * height * width * 4,
)
def batch_bytes(num: int, width: int, height: int) -> int:
    """Bytes of a batch of floats."""
    return torch.empty(num, 3, height, width, dtype=torch.float32, device="meta").nbytes


@computation(
    byte_saturates=lambda value, more: 255,
    byte_is_a_float=lambda value, more: value + more,
    wrapped_at_255=lambda value, more: (value + more) % 255,
)
def brighter(value: int, more: int) -> int:
    """Sum of two bytes."""
    if value + more < 256:
        raise ValueError(f"{value} + {more} fits into a byte")
    return int(torch.tensor(value, dtype=torch.uint8) + torch.tensor(more, dtype=torch.uint8))
