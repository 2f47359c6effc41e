"""Answers of exercise 14: what the layers of a dense block read, weigh and copy."""

from itertools import count

import torch
from torch import nn

from course_utils.arithmetic import conv_multiply_adds
from course_utils.models.densenet import DenseBlock
from course_utils.quiz.computation import computation


def _maps_read(k0: int, k: int, layers: int) -> list[int]:
    """Maps that each layer of a dense block reads."""
    with torch.device("meta"):
        block = DenseBlock(k0, layers, k, bottleneck=False)
    return [m.in_channels for m in block.modules() if isinstance(m, nn.Conv2d)]


@computation(
    newest_only=lambda k0, k, layers: 9 * k * (k0 + (layers - 1) * k),
    input_forgotten=lambda k0, k, layers: 9 * k * k * layers * (layers - 1) // 2,
    maps_added_up=lambda k0, k, layers: 9 * k * k0 * layers,
    own_maps_read=lambda k0, k, layers: 9 * k * (layers * k0 + k * layers * (layers + 1) // 2),
)
def block_weights(k0: int, k: int, layers: int) -> int:
    """Weights of the 3x3 convolutions of a dense block without bottlenecks."""
    return sum(9 * k * maps for maps in _maps_read(k0, k, layers))


@computation(
    pays_above_4k=lambda k0, k: max(1, (4 * k - k0) // k + 2),
    input_forgotten=lambda k0, k: 9,
    counted_from_zero=lambda k0, k: (36 * k // 5 - k0) // k + 1,
)
def bottleneck_pays(k0: int, k: int) -> int:
    """Number of the first layer whose bottleneck saves multiply-adds."""

    def saved(maps: int) -> int:
        with_bottleneck = conv_multiply_adds(maps, 4 * k, 1, 1) + conv_multiply_adds(4 * k, k, 3, 1)
        return conv_multiply_adds(maps, k, 3, 1) - with_bottleneck

    return next(number for number in count(1) if saved(k0 + (number - 1) * k) > 0)


@computation(
    output_only=lambda k0, k, layers: k0 + layers * k,
    input_forgotten=lambda k0, k, layers: k * layers * (layers - 1) // 2,
    own_maps_read=lambda k0, k, layers: layers * k0 + k * layers * (layers + 1) // 2,
)
def copied_maps(k0: int, k: int, layers: int) -> int:
    """Maps in all the tensors that the layers concatenate for themselves."""
    return sum(_maps_read(k0, k, layers))
