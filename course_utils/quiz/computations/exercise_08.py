"""Answers of exercise 08: grouped convolutions, and local response normalisation."""

import torch
from torch import nn

from course_utils.models.normalization import LocalResponseNorm
from course_utils.quiz.computation import computation


@computation(
    groups_ignored=lambda c_in, c_out, k, g: c_out * (c_in * k * k + 1),
    bias_forgotten=lambda c_in, c_out, k, g: c_out * c_in // g * k * k,
    filters_halved_too=lambda c_in, c_out, k, g: c_out // g * (c_in // g * k * k + 1),
    kernel_not_squared=lambda c_in, c_out, k, g: c_out * (c_in // g * k + 1),
    one_channel_filters=lambda c_in, c_out, k, g: c_out * (k * k + 1),
)
def grouped_parameters(c_in: int, c_out: int, k: int, g: int) -> int:
    """Parameters of a convolution in g groups."""
    layer = nn.Conv2d(c_in, c_out, k, groups=g, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    alpha_divided=lambda left, x, right, k: x / (k + (left**2 + x**2 + right**2) / 3) ** 0.5,
    itself_left_out=lambda left, x, right, k: x / (k + left**2 + right**2) ** 0.5,
    not_squared=lambda left, x, right, k: x / (k + left + x + right) ** 0.5,
    power_forgotten=lambda left, x, right, k: x / (k + left**2 + x**2 + right**2),
    constant_forgotten=lambda left, x, right, k: x / (left**2 + x**2 + right**2) ** 0.5,
)
def quietened(left: int, x: int, right: int, k: int) -> float:
    """What local response normalisation leaves of the middle of three channels, to four digits."""
    norm = LocalResponseNorm(size=3, alpha=1.0, beta=0.5, k=k)
    channels = torch.tensor([left, x, right], dtype=torch.float64).view(1, 3, 1, 1)
    return float(f"{norm(channels)[0, 1, 0, 0].item():.4g}")
