"""Where tensors are, and how they lie in memory."""

import torch
from torch import Tensor, nn

from course_utils.training.interfaces import Loaders


def move_batch(
    images: Tensor, labels: Tensor, device: torch.device, channels_last: bool
) -> tuple[Tensor, Tensor]:
    """Bring a batch to a device; a batch that is there already is not copied.

    Args:
        images: (B, C, H, W), or (B, D) for a model of plain vectors.
        labels: (B,).
        device: Where the model is.
        channels_last: Lay pictures out as NHWC; their shape stays as it is.
    """
    images = images.to(device, non_blocking=True)
    if channels_last and images.dim() == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    return images, labels.to(device, non_blocking=True)


def move_model(model: nn.Module, device: torch.device, channels_last: bool) -> nn.Module:
    """Bring a model to a device, in place, its filters laid out as the pictures are."""
    model.to(device)
    return model.to(memory_format=torch.channels_last) if channels_last else model


def device_of_model(model: nn.Module) -> torch.device:
    """Return where a model's parameters are; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def device_of_data(loaders: Loaders) -> torch.device:
    """Return where the pictures are. Validation pictures are asked: they have a fixed order."""
    first = next(iter(loaders.val), None)
    return torch.device("cpu") if first is None else first[0].device
