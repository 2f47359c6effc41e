"""Answers of lesson and exercise 14: what the layers of a dense block read, weigh and copy."""

from itertools import count

import torch
from torch import nn

from course_utils.arithmetic import conv_multiply_adds
from course_utils.models.densenet import DenseBlock, Transition
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import shape_after


def _maps_read(k0: int, k: int, layers: int) -> list[int]:
    """Count the maps that each layer of a dense block reads."""
    with torch.device("meta"):
        block = DenseBlock(k0, layers, k, bottleneck=False)
    return [m.in_channels for m in block.modules() if isinstance(m, nn.Conv2d)]


def maps_read(k0: int, k: int, layer: int) -> Answer:
    """Count the maps that a layer of a dense block reads; layers count from 1."""
    return Answer(
        _maps_read(k0, k, layer)[-1],
        maps_added_up=k0,
        own_maps_read=k0 + layer * k,
        input_forgotten=(layer - 1) * k,
        newest_only=k,
    )


def after_transition(m: int, layers: int, k: int, size: int) -> Answer:
    """Return the shape after a block and a transition that keeps half of the maps."""
    with torch.device("meta"):
        block = DenseBlock(m, layers, k)
        thin = Transition(block.out_channels, block.out_channels // 2)
    return Answer(
        shape_after(nn.Sequential(block, thin), m, size, size),
        compression_forgotten=(m + layers * k, size // 2, size // 2),
        pooling_forgotten=((m + layers * k) // 2, size, size),
        only_new_maps=(layers * k // 2, size // 2, size // 2),
        growth_once=((m + k) // 2, size // 2, size // 2),
    )


def bottleneck_multiply_adds(c: int, k: int) -> Answer:
    """Count the multiply-adds for each position of a layer with a bottleneck."""
    return Answer(
        _work_with_bottleneck(c, k),
        reduction_is_free=36 * k * k,
        bottleneck_overlooked=9 * c * k,
        reduced_to_k=c * k + 9 * k * k,
    )


def _work_with_bottleneck(c: int, k: int) -> int:
    return conv_multiply_adds(c, 4 * k, 1, 1) + conv_multiply_adds(4 * k, k, 3, 1)


def block_weights(k0: int, k: int, layers: int) -> Answer:
    """Count the weights of the 3x3 convolutions of a dense block without bottlenecks."""
    return Answer(
        sum(9 * k * maps for maps in _maps_read(k0, k, layers)),
        newest_only=9 * k * (k0 + (layers - 1) * k),
        input_forgotten=9 * k * k * layers * (layers - 1) // 2,
        maps_added_up=9 * k * k0 * layers,
        own_maps_read=9 * k * (layers * k0 + k * layers * (layers + 1) // 2),
    )


def bottleneck_pays(k0: int, k: int) -> Answer:
    """Return the number of the first layer whose bottleneck saves multiply-adds."""
    maps = ((number, k0 + (number - 1) * k) for number in count(1))
    return Answer(
        next(n for n, c in maps if conv_multiply_adds(c, k, 3, 1) > _work_with_bottleneck(c, k)),
        pays_above_4k=max(1, (4 * k - k0) // k + 2),
        input_forgotten=9,
        counted_from_zero=(36 * k // 5 - k0) // k + 1,
    )


def copied_maps(k0: int, k: int, layers: int) -> Answer:
    """Count the maps in all the tensors that the layers concatenate for themselves."""
    return Answer(
        sum(_maps_read(k0, k, layers)),
        output_only=k0 + layers * k,
        input_forgotten=k * layers * (layers - 1) // 2,
        own_maps_read=layers * k0 + k * layers * (layers + 1) // 2,
    )
