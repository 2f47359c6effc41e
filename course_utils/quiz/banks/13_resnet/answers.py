"""Answers of lesson and exercise 13: blocks, paths and stages of residual networks."""

from math import comb, perm

import torch
from torch import nn

from course_utils.models.resnet import Bottleneck
from course_utils.quiz.answer import Answer


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


def stride_seen(c: int, n: int) -> Answer:
    """Say what happens if the main path has stride 2 and the projection has stride 1."""
    half, kept = f"{n // 2} × {n // 2}", f"{n} × {n}"
    stopped = "An error at the addition: the sizes do not fit"
    stretched = f"No error: {2 * c} maps of {kept}, the larger size"
    return Answer(
        stretched if n // 2 == 1 else stopped,
        stretching_overlooked=stopped if n // 2 == 1 else None,
        stretching_expected=None if n // 2 == 1 else stretched,
        addition_crops=f"No error: {2 * c} maps of {half}, the smaller size",
        projection_looks_ahead="An error at the projection: its stride does not fit",
    )


def shared_told(a: int, b: int) -> Answer:
    """Return which experiment tells whether two blocks are one object."""
    return Answer(
        f"Change one weight of block {a}, and check whether block {b} has changed",
        outputs_tell_sharing=f"Send an image through, and compare what blocks {a} and {b} return",
        print_tells_sharing=f"Print the net, and check whether block {b} is missing",
        loss_tells_sharing="Train on a few images, and check whether the loss stops falling",
    )
