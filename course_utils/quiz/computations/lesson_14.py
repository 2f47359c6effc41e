"""Answers of lesson 14: DenseNet."""

import math

import torch
from torch import nn

from course_utils import arithmetic
from course_utils.models.densenet import DenseBlock, DenseLayer, Transition
from course_utils.quiz.computation import computation


@computation(
    maps_added_up=lambda k0, k, layer: k0,
    own_maps_read=lambda k0, k, layer: k0 + layer * k,
    input_forgotten=lambda k0, k, layer: (layer - 1) * k,
    newest_only=lambda k0, k, layer: k,
)
def maps_read(k0: int, k: int, layer: int) -> int:
    """Maps that a layer of a dense block reads, counted from 1."""
    with torch.device("meta"):
        block = DenseBlock(k0, layer, k, bottleneck=False)
    last = block.layers[-1]
    assert isinstance(last, DenseLayer)
    norm = last.wide[0]
    assert isinstance(norm, nn.BatchNorm2d)
    return norm.num_features


@computation(
    chain_for_all_pairs=lambda layers: layers,
    both_directions=lambda layers: layers * (layers + 1),
    input_not_a_source=lambda layers: layers * (layers - 1) // 2,
)
def connections(layers: int) -> int:
    """Direct connections in a block, each layer to its input and to all layers before it."""
    return math.comb(layers + 1, 2)


@computation(
    compression_forgotten=lambda m, layers, k, size: (m + layers * k, size // 2, size // 2),
    pooling_forgotten=lambda m, layers, k, size: ((m + layers * k) // 2, size, size),
    only_new_maps=lambda m, layers, k, size: (layers * k // 2, size // 2, size // 2),
    growth_once=lambda m, layers, k, size: ((m + k) // 2, size // 2, size // 2),
)
def after_transition(m: int, layers: int, k: int, size: int) -> tuple[int, ...]:
    """Shape after a block and a transition that keeps half of the maps."""
    with torch.device("meta"):
        block = DenseBlock(m, layers, k)
        thin = Transition(block.out_channels, block.out_channels // 2)
        return tuple(thin(block(torch.empty(2, m, size, size))).shape[1:])


@computation(
    reduction_is_free=lambda c, k: 36 * k * k,
    bottleneck_overlooked=lambda c, k: 9 * c * k,
    reduced_to_k=lambda c, k: c * k + 9 * k * k,
)
def bottleneck_multiply_adds(c: int, k: int) -> int:
    """Multiply-adds for each position of a layer with a bottleneck."""
    first = arithmetic.conv_multiply_adds(c, 4 * k, 1, 1)
    return first + arithmetic.conv_multiply_adds(4 * k, k, 3, 1)


@computation(
    one_convolution_a_layer=lambda n: 3 * n + 4,
    two_ends_forgotten=lambda n: 6 * n,
    four_blocks=lambda n: 8 * n + 5,
)
def depth(n: int) -> int:
    """Depth of a DenseNet-BC for CIFAR with n layers in each block."""
    return 3 * 2 * n + 2 + 2  # two convolutions a layer; two transitions; stem and classifier
