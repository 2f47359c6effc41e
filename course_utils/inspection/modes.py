"""A model's mode for the time of a look at it, and nothing left behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from course_utils.arguments import instance

__all__ = ["asked", "in_mode"]


@contextmanager
def asked(images: Tensor) -> Iterator[None]:
    """Run a model on images in here: what torch says of images it cannot take becomes one sentence.

    Args:
        images: (N, C, H, W), for the sentence.

    Raises:
        ValueError: The model fails on them.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"the model fails on images of {tuple(images.shape)}: {reason}") from error


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode, and undo everything that follows from it.

    In training mode batch normalisation uses the statistics of the batch, and auxiliary heads
    run. Dropout layers stay off in both modes, so that two looks at a model see the same. At the
    end each module has its own mode back, and each buffer (such as batch normalisation's running
    estimates) its own values, to the last bit.

    Args:
        model: Any module.
        training: Which of the two modes.
    """
    instance("model", model, nn.Module, "one, as models.build makes it")
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module._buffers, name, buffer, buffer.clone())
        for module, _ in modes
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        model.train(training)
        for module, _ in modes:
            if isinstance(module, _DropoutNd):
                module.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for place, name, buffer, values in buffers:
                place[name] = buffer.copy_(values)
