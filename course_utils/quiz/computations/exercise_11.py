"""Answers of exercise 11: He's deviation, a running mean, the means of group norm."""

import torch
from torch import nn

from course_utils.quiz.computation import computation


@computation(
    variance_given=lambda c_in, c_out, k: 2 / (c_in * k * k),
    kernel_forgotten=lambda c_in, c_out, k: (2 / c_in) ** 0.5,
    half_forgotten=lambda c_in, c_out, k: (1 / (c_in * k * k)) ** 0.5,
    outputs_for_inputs=lambda c_in, c_out, k: (2 / (c_out * k * k)) ** 0.5,
    xavier_for_relu=lambda c_in, c_out, k: (2 / ((c_in + c_out) * k * k)) ** 0.5,
)
def he_deviation(c_in: int, c_out: int, k: int) -> float:
    """Standard deviation of He's initial weights of a convolution, to four digits."""
    fan_in = nn.Conv2d(c_in, c_out, k, device="meta").weight[0].numel()
    return float(f"{(2 / fan_in) ** 0.5:.4g}")


@computation(
    momentum_swapped=lambda m, a, b: m * (1 - m) * a + (1 - m) * b,
    starts_at_first=lambda m, a, b: (1 - m) * a + m * b,
    last_batch_only=lambda m, a, b: b,
    plain_average=lambda m, a, b: (a + b) / 2,
    old_not_shrunk=lambda m, a, b: m * (a + b),
)
def running_mean(m: float, a: int, b: int) -> float:
    """What a fresh layer tracks after two batches with the means a and b."""
    layer = nn.BatchNorm2d(1, momentum=m).double()
    for mean in (a, b):
        layer(torch.full((2, 1, 1, 1), float(mean), dtype=torch.float64))
    assert layer.running_mean is not None
    return round(float(layer.running_mean), 6)


@computation(
    pictures_share=lambda n, c, g, h, w: g,
    one_for_each_picture=lambda n, c, g, h, w: n,
    one_for_each_map=lambda n, c, g, h, w: n * c,
    one_for_each_channel=lambda n, c, g, h, w: c,
    groups_for_size=lambda n, c, g, h, w: n * (c // g),
)
def number_of_means(n: int, c: int, g: int, h: int, w: int) -> int:
    """Means that group norm with g groups takes of (n, c, h, w)."""
    x = torch.empty(n, c, h, w, device="meta")
    return x.reshape(n, g, c // g, h, w).mean(dim=(2, 3, 4)).numel()
