"""Answers of exercise 15: what a residual block holds."""

import torch
from torch import nn

from course_utils.models.resnet import BasicBlock
from course_utils.quiz.computation import computation


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _block(c_in: int, c_out: int, stride: int = 1, shortcut: str = "A") -> int:
    with torch.device("meta"):
        return _parameters(BasicBlock(c_in, c_out, stride, shortcut))


@computation(
    bias_counted=lambda c: _block(c, 2 * c, 2) + 2 * (2 * c),
    norm_forgotten=lambda c: 9 * c * 2 * c + 9 * (2 * c) ** 2,
    channels_stay=lambda c: _block(c, c),
    shortcut_projects=lambda c: _block(c, 2 * c, 2, "B"),
)
def halving_block_parameters(c: int) -> int:
    """Parameters of a residual block with shortcut A that doubles c channels."""
    return _block(c, 2 * c, 2)
