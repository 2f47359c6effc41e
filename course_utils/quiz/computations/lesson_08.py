"""Answers of lesson 08: AlexNet."""

import torch
from torch import nn

from course_utils.arithmetic import conv_parameters
from course_utils.quiz.computation import computation


@computation(
    groups_ignored=lambda c_in, c_out, k: conv_parameters(c_in, c_out, k),
    bias_forgotten=lambda c_in, c_out, k: conv_parameters(c_in, c_out, k, groups=2, bias=False),
    filters_halved_too=lambda c_in, c_out, k: conv_parameters(c_in // 2, c_out // 2, k),
    one_channel_filters=lambda c_in, c_out, k: c_out * (k * k + 1),
)
def two_groups(c_in: int, c_out: int, k: int) -> int:
    """Parameters of a convolution in two groups, with biases."""
    layer = nn.Conv2d(c_in, c_out, k, groups=2, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


@computation(
    not_scaled=lambda x, percent: x,
    shrunk=lambda x, percent: x * (1 - percent / 100),
    scaled_by_dropped=lambda x, percent: x / (percent / 100) if percent != 50 else None,
)
def kept_unit(x: float, percent: int) -> float:
    """Value of a unit that dropout has kept, in training."""
    torch_factor = nn.functional.dropout(torch.ones(1000), percent / 100).max().item()
    return round(x * torch_factor, 6)


@computation(
    top_one=lambda right, second, wrong: round(
        100 * (second + wrong) / (right + second + wrong), 6
    ),
    accuracy_not_error=lambda right, second, wrong: round(
        100 * (right + second) / (right + second + wrong), 6
    ),
    second_only=lambda right, second, wrong: round(100 * second / (right + second + wrong), 6),
)
def top_five_error(right: int, second: int, wrong: int) -> float:
    """Top-5 error in percent, from counts: class first, among the next four, further down."""
    logits = torch.zeros(right + second + wrong, 10)
    logits[:, :6] = torch.arange(6, 0, -1).float()  # class 0 is said first, 1 to 4 next
    labels = torch.tensor([0] * right + [3] * second + [7] * wrong)
    found = (logits.topk(5).indices == labels[:, None]).any(dim=1)
    return round(100 * (1 - found.double().mean().item()), 6)
