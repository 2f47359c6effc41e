"""Answers of exercise 07: what comes out of LeNet-5's blocks, and what its layers cost."""

from itertools import pairwise

import torch
from torch import nn

from course_utils.quiz.computation import computation


def _convolutions(paddings: tuple[int, int] = (2, 0)) -> tuple[nn.Conv2d, nn.Conv2d]:
    """LeNet-5's two convolutions, without memory for their weights."""
    first = nn.Conv2d(1, 6, 5, padding=paddings[0], device="meta")
    return first, nn.Conv2d(6, 16, 5, padding=paddings[1], device="meta")


def _after_blocks(
    h: int, w: int, paddings: tuple[int, int] = (2, 0), ceil_mode: bool = False
) -> tuple[int, ...]:
    first, second = _convolutions(paddings)
    pool = nn.MaxPool2d(2, ceil_mode=ceil_mode)
    return tuple(pool(second(pool(first(torch.empty(1, 1, h, w, device="meta"))))).shape[1:])


@computation(
    rounded_up=lambda h, w: _after_blocks(h, w, ceil_mode=True),
    second_padded=lambda h, w: _after_blocks(h, w, paddings=(2, 2)),
    padding_ignored=lambda h, w: _after_blocks(h, w, paddings=(0, 0)),
    height_width_swapped=lambda h, w: _after_blocks(w, h),
    channels_last=lambda h, w: (*_after_blocks(h, w)[1:], 16),
)
def after_two_blocks(h: int, w: int) -> tuple[int, ...]:
    """Shape of one picture after LeNet-5's two blocks."""
    return _after_blocks(h, w)


@computation(
    one_position_only=lambda n: 1,
    first_pooling_forgotten=lambda n: (n - 4) ** 2,
    second_padded=lambda n: (n // 2) ** 2,
    counted_after_pooling=lambda n: ((n // 2 - 4) // 2) ** 2,
)
def uses_of_a_weight(n: int) -> int:
    """How often each weight of the second convolution is used for a picture of n x n pixels."""
    first, second = _convolutions()
    maps = second(nn.functional.max_pool2d(first(torch.empty(1, 1, n, n, device="meta")), 2))
    return maps[0, 0].numel()


@computation(
    padding_without_effect=lambda n, classes: _parameters(_after_blocks(n, n), classes),
    one_map_only=lambda n, classes: _parameters((1, *_after_blocks(n, n, (0, 0))[1:]), classes),
    bias_forgotten=lambda n, classes: _parameters(_after_blocks(n, n, (0, 0)), classes, bias=False),
    pooling_has_weights=lambda n, classes: (
        _parameters(_after_blocks(n, n, (0, 0)), classes) + 2 * (6 + 16)
    ),
)
def changed_lenet_parameters(n: int, classes: int) -> int:
    """Parameters of LeNet-5 for n x n pictures with sigmoids, average pooling and no padding."""
    with torch.device("meta"):
        blocks = nn.Sequential(
            *(nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.AvgPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
        )
        sizes = [blocks(torch.empty(1, 1, n, n)).shape[1], 120, 84, classes]
        linears = [nn.Linear(*pair) for pair in pairwise(sizes)]
    return sum(parameter.numel() for parameter in nn.Sequential(blocks, *linears).parameters())


def _parameters(maps: tuple[int, ...], classes: int, bias: bool = True) -> int:
    """Parameters of LeNet-5 whose first linear layer reads these maps (C, H, W)."""
    num_features = torch.Size(maps).numel()
    weights = 25 * 6 + 25 * 6 * 16 + num_features * 120 + 120 * 84 + 84 * classes
    return weights + bias * (6 + 16 + 120 + 84 + classes)
