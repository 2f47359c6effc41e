"""Answers of exercise 09: a block's parameters, a row's shape, a stack's weights."""

from itertools import pairwise

import torch
from torch import nn

from course_utils.arithmetic import Layer, receptive_field
from course_utils.models.vgg import VGGBlock
from course_utils.quiz.computation import computation


@computation(
    bias_forgotten=lambda c_in, c_out, num: 9 * c_out * (c_in + (num - 1) * c_out),
    reads_what_came_in=lambda c_in, c_out, num: num * c_out * (9 * c_in + 1),
    first_layer_wide=lambda c_in, c_out, num: num * c_out * (9 * c_out + 1),
    one_layer_only=lambda c_in, c_out, num: c_out * (9 * c_in + 1),
    kernel_not_squared=lambda c_in, c_out, num: (
        c_out * (3 * c_in + 1) + (num - 1) * c_out * (3 * c_out + 1)
    ),
)
def block_parameters(c_in: int, c_out: int, num: int) -> int:
    """Parameters of a VGG block of 3x3 layers."""
    with torch.device("meta"):
        block = VGGBlock(c_in, c_out, " ".join(["3"] * num))
    return sum(parameter.numel() for parameter in block.parameters())


def _pooled(size: int, pools: int, up: bool = False) -> int:
    for _ in range(pools):
        size = -(-size // 2) if up else size // 2
    return size


@computation(
    rounded_up=lambda c, pools, h, w: (
        c * 2 ** (pools - 1),
        _pooled(h, pools, up=True),
        _pooled(w, pools, up=True),
    ),
    one_pool_less=lambda c, pools, h, w: (
        c * 2 ** (pools - 1),
        _pooled(h, pools - 1),
        _pooled(w, pools - 1),
    ),
    height_width_swapped=lambda c, pools, h, w: (
        c * 2 ** (pools - 1),
        _pooled(w, pools),
        _pooled(h, pools),
    ),
    doubled_once_more=lambda c, pools, h, w: (c * 2**pools, _pooled(h, pools), _pooled(w, pools)),
    pools_ignored=lambda c, pools, h, w: (c * 2 ** (pools - 1), h, w),
    channels_last=lambda c, pools, h, w: (
        _pooled(h, pools),
        _pooled(w, pools),
        c * 2 ** (pools - 1),
    ),
)
def features_shape(c: int, pools: int, h: int, w: int) -> tuple[int, ...]:
    """What leaves a row of VGG blocks whose channels double from block to block."""
    with torch.device("meta"):
        sizes = [3] + [c * 2**i for i in range(pools)]
        blocks = [VGGBlock(*pair, "3") for pair in pairwise(sizes)]
        maps = nn.Sequential(*blocks)(torch.empty(1, 3, h, w))
    return tuple(maps.shape[1:])


@computation(
    kernels_summed=lambda k, c: k // 3 * 9 * c * c,
    large_kernel=lambda k, c: k * k * c * c,
    one_layer_only=lambda k, c: 9 * c * c,
    channels_not_squared=lambda k, c: (k - 1) // 2 * 9 * c,
    doubled_step=lambda k, c: (k - 1) // 4 * 9 * c * c,
)
def stack_weights(k: int, c: int) -> int:
    """Weights of the stack of 3x3 layers that sees as much as one k x k layer."""
    num = 1
    while receptive_field([Layer(3)] * num).size != receptive_field([Layer(k)]).size:
        num += 1
    return num * nn.Conv2d(c, c, 3, bias=False, device="meta").weight.numel()
