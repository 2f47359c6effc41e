"""Answers of lesson and exercise 13: blocks, paths and stages of residual networks."""

from math import comb, perm

import torch
from torch import nn

from course_utils.models.resnet import BasicBlock, Bottleneck
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import shape_after


def _num_weights(block: nn.Module) -> int:
    """Weights of a block's convolutions."""
    return sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))


def bottleneck_weights(c: int) -> Answer:
    """Count the weights of the convolutions of a bottleneck on c channels, identity shortcut."""
    with torch.device("meta"):
        block = Bottleneck(c, c)
    return Answer(
        _num_weights(block),
        kernel_not_squared=2 * (c * c // 4) + 3 * (c // 4) ** 2,
        middle_is_wide=2 * (c * c // 4) + 9 * (c // 4) * c,
        one_by_one_free=9 * (c // 4) ** 2,
        basic_block_instead=2 * 9 * c * c,
    )


def projected_block_weights(c: int) -> Answer:
    """Count the weights of the convolutions of a basic block from c to 2c channels, shortcut B."""
    with torch.device("meta"):
        block = BasicBlock(c, 2 * c, stride=2, shortcut="B")
    return Answer(
        _num_weights(block),
        shortcut_forgotten=18 * c * c + 36 * c * c,
        projection_three_wide=2 * 18 * c * c + 36 * c * c,
        both_from_the_input=2 * 18 * c * c + 2 * c * c,
    )


def cifar_depth(blocks: int) -> Answer:
    """Count the layers with weights of a CIFAR ResNet with so many blocks in each of its stages."""
    return Answer(
        6 * blocks + 2,
        stem_and_classifier_forgotten=3 * 2 * blocks,
        one_layer_a_block=3 * blocks + 2,
        projections_counted=3 * 2 * blocks + 2 + 2,
    )


def num_paths(blocks: int, k: int) -> Answer:
    """Count the paths through residual blocks that go through exactly k of them."""
    return Answer(
        comb(blocks, k),
        one_path_a_block=blocks,
        order_of_paths_counts=perm(blocks, k),
        all_paths_counted=2**blocks,
    )


def _stage(c: int, n: int) -> nn.Sequential:
    """Build a stage of n basic blocks from c to 2c channels, without memory for its weights."""
    with torch.device("meta"):
        rest = [BasicBlock(2 * c, 2 * c) for _ in range(n - 1)]
        return nn.Sequential(BasicBlock(c, 2 * c, stride=2), *rest)


def stage_shape(c: int, size: int, n: int) -> Answer:
    """Return the shape after a stage that doubles the channels and halves the size."""
    return Answer(
        shape_after(_stage(c, n), c, size, size),
        channels_kept=(c, size // 2, size // 2),
        every_block_strides=(2 * c, size // 2**n, size // 2**n),
        stride_ignored=(2 * c, size, size),
    )


def stage_weights(c: int, n: int) -> Answer:
    """Count the weights of all convolutions of such a stage, with projections where it changes."""
    return Answer(
        _num_weights(_stage(c, n)),
        shortcut_forgotten=18 * c * c + 36 * c * c + (n - 1) * 72 * c * c,
        every_block_projects=56 * c * c + (n - 1) * 76 * c * c,
        projection_three_wide=72 * c * c + (n - 1) * 72 * c * c,
        all_at_new_width=2 * c * c + n * 72 * c * c,
    )


def chain_derivative(a: int, n: int) -> Answer:
    """Return the derivative of n residual blocks in a row, by automatic differentiation."""
    x = torch.ones((), dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(n):
        y = y + a * y
    [gradient] = torch.autograd.grad(y, x)
    return Answer(
        round(gradient.item()),
        addition_forgotten=a**n,
        identity_added_once=1 + a**n,
        blocks_added=n * (1 + a),
    )
