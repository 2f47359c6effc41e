"""Answers of lesson 13: residual networks."""

from math import comb, perm

import torch
from torch import nn

from course_utils.arithmetic import conv_parameters
from course_utils.models.resnet import BasicBlock, Bottleneck
from course_utils.quiz.computation import computation


def _num_weights(block: nn.Module) -> int:
    """Weights of a block's convolutions."""
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    return sum(convolution.weight.numel() for convolution in convolutions)


@computation(
    kernel_not_squared=lambda c: 2 * (c * c // 4) + 3 * (c // 4) ** 2,
    middle_is_wide=lambda c: 2 * (c * c // 4) + 9 * (c // 4) * c,
    one_by_one_free=lambda c: 9 * (c // 4) ** 2,
    basic_block_instead=lambda c: 2 * conv_parameters(c, c, k=3, bias=False),
)
def bottleneck_weights(c: int) -> int:
    """Weights of the convolutions of a bottleneck on c channels, identity shortcut."""
    with torch.device("meta"):
        return _num_weights(Bottleneck(c, c))


@computation(
    shortcut_forgotten=lambda c: (
        conv_parameters(c, 2 * c, k=3, bias=False) + conv_parameters(2 * c, 2 * c, k=3, bias=False)
    ),
    projection_three_wide=lambda c: (
        conv_parameters(c, 2 * c, k=3, bias=False) * 2
        + conv_parameters(2 * c, 2 * c, k=3, bias=False)
    ),
    both_from_the_input=lambda c: (
        2 * conv_parameters(c, 2 * c, k=3, bias=False) + conv_parameters(c, 2 * c, k=1, bias=False)
    ),
)
def projected_block_weights(c: int) -> int:
    """Weights of the convolutions of a basic block from c to 2c channels, shortcut B."""
    with torch.device("meta"):
        return _num_weights(BasicBlock(c, 2 * c, stride=2, shortcut="B"))


@computation(
    stem_and_classifier_forgotten=lambda blocks: 3 * 2 * blocks,
    one_layer_a_block=lambda blocks: 3 * blocks + 2,
    projections_counted=lambda blocks: 3 * 2 * blocks + 2 + 2,
)
def cifar_depth(blocks: int) -> int:
    """Layers with weights of a CIFAR ResNet with so many blocks in each of three stages."""
    return 6 * blocks + 2


@computation(
    one_path_a_block=lambda blocks, k: blocks,
    order_of_paths_counts=lambda blocks, k: perm(blocks, k),
    all_paths_counted=lambda blocks, k: 2**blocks,
)
def num_paths(blocks: int, k: int) -> int:
    """Paths through residual blocks that go through exactly k of them."""
    return comb(blocks, k)
