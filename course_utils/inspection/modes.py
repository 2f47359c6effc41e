"""A model's mode for the time of a look at it, and nothing left behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode, and undo everything that follows from it.

    In training mode batch normalisation uses the statistics of the batch, and auxiliary heads
    run. Dropout stays off in both modes, so that two looks at a model see the same. At the end
    each module has its own mode back, and each buffer (such as batch normalisation's running
    estimates) its own values, to the last bit.

    Args:
        model: any module.
        training: which of the two modes.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        model.train(training)
        for module, _ in modes:
            if isinstance(module, DROPOUTS):
                module.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for buffer, values in buffers:
                buffer.copy_(values)
