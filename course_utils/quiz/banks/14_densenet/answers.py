"""Answers of lesson and exercise 14: what the layers of a dense block read, weigh and copy."""

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
    """Return the shape after a block and a transition that halves the number of maps."""
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


def copied_maps(k0: int, k: int, layers: int) -> Answer:
    """Count the maps in all the tensors that the layers concatenate for themselves."""
    return Answer(
        sum(_maps_read(k0, k, layers)),
        output_only=k0 + layers * k,
        input_forgotten=k * layers * (layers - 1) // 2,
        own_maps_read=layers * k0 + k * layers * (layers + 1) // 2,
    )


def addition_seen(k0: int, k: int, layers: int) -> Answer:
    """Say what happens if a block adds its maps, although its layers expect a concatenation."""
    first = "An error at the first addition of the maps"
    second = f"An error in layer 2, which is built for {k0 + k} maps"
    return Answer(
        second if k0 == k else first,
        equal_maps_refused=first if k0 == k else None,
        any_maps_added=None if k0 == k else second,
        runs_as_residual=f"No error: the block puts out {k0} maps of the same size",
        sum_grows=f"No error: the block puts out {k0 + layers * k} maps of the same size",
    )


def twice_seen(m: int) -> Answer:
    """Say where a running mean is after one step whose forward pass is computed twice."""
    norm = nn.BatchNorm1d(1)
    for _ in range(2):  # the forward pass, and the recomputation
        norm(torch.tensor([[m - 1.0], [m + 1.0]]))
    assert norm.running_mean is not None
    return Answer(
        f"{norm.running_mean.item():.2f}",
        second_pass_free=f"{0.1 * m:.2f}",
        moves_added=f"{0.2 * m:.2f}",
        shares_swapped=f"{0.9 * m:.2f}",
    )
