"""Answers of lesson 01: image tensors."""

import torch

from course_utils.quiz.computation import computation


@computation(
    height_width_swapped=lambda n, w, h: (n, 3, w, h),
    channels_last=lambda n, w, h: (n, h, w, 3),
    channels_before_pictures=lambda n, w, h: (3, n, h, w),
)
def batch_shape(n: int, w: int, h: int) -> tuple[int, ...]:
    """Shape of n photos, w wide and h high, as PyTorch has it."""
    photo = torch.empty(h, w, 3, device="meta")  # as it is read from a file
    return tuple(torch.stack([photo.permute(2, 0, 1)] * n).shape)


@computation(
    byte_has_no_end=lambda a, b: a + b,
    byte_stops_at_255=lambda a, b: min(a + b, 255),
)
def byte_sum(a: int, b: int) -> int:
    """What a byte of value a holds after b is added."""
    return int(torch.tensor(a, dtype=torch.uint8) + b)


@computation(
    floats_are_bytes=lambda n, side: _batch(n, 3, side).numel() / 1e6,
    one_channel_only=lambda n, side: _batch(n, 1, side).nbytes / 1e6,
)
def batch_megabytes(n: int, side: int) -> float:
    """Size of a batch of square pictures in colour."""
    return _batch(n, 3, side).nbytes / 1e6


def _batch(n: int, channels: int, side: int) -> torch.Tensor:
    return torch.empty(n, channels, side, side, device="meta")
