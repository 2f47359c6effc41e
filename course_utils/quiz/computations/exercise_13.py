"""Answers of exercise 13: a residual stage, and what its shortcuts do to the derivative."""

import torch
from torch import nn

from course_utils.models.resnet import BasicBlock
from course_utils.quiz.computation import computation


def _stage(c: int, n: int) -> nn.Sequential:
    """A stage of n basic blocks from c to 2c channels, without memory for its weights."""
    with torch.device("meta"):
        rest = [BasicBlock(2 * c, 2 * c) for _ in range(n - 1)]
        return nn.Sequential(BasicBlock(c, 2 * c, stride=2), *rest)


@computation(
    channels_kept=lambda c, size, n: (c, size // 2, size // 2),
    every_block_strides=lambda c, size, n: (2 * c, size // 2**n, size // 2**n),
    stride_ignored=lambda c, size, n: (2 * c, size, size),
)
def stage_shape(c: int, size: int, n: int) -> tuple[int, ...]:
    """Shape after a stage that doubles the channels and halves the size."""
    return tuple(_stage(c, n)(torch.empty(2, c, size, size, device="meta")).shape[1:])


@computation(
    shortcut_forgotten=lambda c, n: 18 * c * c + 36 * c * c + (n - 1) * 72 * c * c,
    every_block_projects=lambda c, n: 56 * c * c + (n - 1) * 76 * c * c,
    projection_three_wide=lambda c, n: 72 * c * c + (n - 1) * 72 * c * c,
    all_at_new_width=lambda c, n: 2 * c * c + n * 72 * c * c,
)
def stage_weights(c: int, n: int) -> int:
    """Weights of all convolutions of such a stage, with projections where the shape changes."""
    convolutions = [m for m in _stage(c, n).modules() if isinstance(m, nn.Conv2d)]
    return sum(convolution.weight.numel() for convolution in convolutions)


@computation(
    addition_forgotten=lambda a, n: a**n,
    identity_added_once=lambda a, n: 1 + a**n,
    blocks_added=lambda a, n: n * (1 + a),
)
def chain_derivative(a: int, n: int) -> int:
    """Derivative of n residual blocks in a row, by automatic differentiation."""
    x = torch.ones((), dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(n):
        y = y + a * y
    y.backward()
    assert x.grad is not None
    return round(x.grad.item())
