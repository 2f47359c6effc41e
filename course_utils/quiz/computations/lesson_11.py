"""Answers of lesson 11: normalisation."""

import torch
from torch import nn

from course_utils.quiz.computation import computation


def _values_sharing_a_mean(layer: nn.Module, n: int, c: int, h: int, w: int) -> int:
    """How many numbers of (n, c, h, w) move the layer's first output."""
    x = torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    first = layer.double()(x)[0, 0, 0, 0]
    [gradient] = torch.autograd.grad(first, x)
    return int((gradient != 0).sum())


@computation(
    pixels_forgotten=lambda n, c, h, w: n,
    one_picture_only=lambda n, c, h, w: h * w,
    all_channels_of_one=lambda n, c, h, w: c * h * w,
    everything_at_once=lambda n, c, h, w: n * c * h * w,
    means_counted=lambda n, c, h, w: c,
)
def batch_norm_values(n: int, c: int, h: int, w: int) -> int:
    """Numbers behind each mean of batch normalisation."""
    return _values_sharing_a_mean(nn.BatchNorm2d(c), n, c, h, w)


@computation(
    batch_included=lambda n, c, g, h, w: n * c // g * h * w,
    groups_for_size=lambda n, c, g, h, w: g * h * w,
    all_channels_of_one=lambda n, c, g, h, w: c * h * w,
    one_picture_only=lambda n, c, g, h, w: h * w,
)
def group_norm_values(n: int, c: int, g: int, h: int, w: int) -> int:
    """Numbers behind each mean of group normalisation with g groups."""
    return _values_sharing_a_mean(nn.GroupNorm(g, c), n, c, h, w)


@computation(
    biased_tracked=lambda a, d: d * d / 4,
    deviation_tracked=lambda a, d: d / 2**0.5,
    mean_tracked=lambda a, d: a + d / 2,
)
def running_variance(a: int, d: int) -> float:
    """What batch normalisation tracks of a batch with the two values a and a + d."""
    layer = nn.BatchNorm2d(1, momentum=1.0)
    layer(torch.tensor([float(a), float(a + d)]).reshape(2, 1, 1, 1))
    assert layer.running_var is not None
    return round(float(layer.running_var), 4)


@computation(
    kernel_forgotten=lambda c_in, c_out, k: 2 / c_in,
    half_forgotten=lambda c_in, c_out, k: 1 / (c_in * k * k),
    outputs_for_inputs=lambda c_in, c_out, k: 2 / (c_out * k * k),
    xavier_for_relu=lambda c_in, c_out, k: 2 / ((c_in + c_out) * k * k),
)
def he_variance(c_in: int, c_out: int, k: int) -> float:
    """Variance of He's initial weights of a convolution."""
    return 2 / nn.Conv2d(c_in, c_out, k, device="meta").weight[0].numel()
