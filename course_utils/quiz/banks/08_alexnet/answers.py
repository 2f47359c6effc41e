"""Answers of lesson and exercise 08: dropout, top-5 error, response normalisation."""

import torch
from torch import nn

from course_utils.models.normalization import LocalResponseNorm
from course_utils.quiz.answer import Answer


def kept_unit(x: float, percent: int) -> Answer:
    """Return the value of a unit that dropout has kept, in training."""
    factor = nn.functional.dropout(torch.ones(1000), percent / 100).max().item()
    return Answer(
        round(x * factor, 6),
        not_scaled=x,
        shrunk=x * (1 - percent / 100),
        scaled_by_dropped=x / (percent / 100) if percent != 50 else None,
    )


def top_five_error(right: int, second: int, wrong: int) -> Answer:
    """Return the top-5 error in per cent; counted are the class first, in the next four, later."""
    num = right + second + wrong
    logits = torch.zeros(num, 10)
    logits[:, :6] = torch.arange(6, 0, -1).float()  # class 0 is said first, 1 to 4 next
    labels = torch.tensor([0] * right + [3] * second + [7] * wrong)
    found = (logits.topk(5).indices == labels[:, None]).any(dim=1)
    return Answer(
        round(100 * (1 - found.double().mean().item()), 6),
        top_one=round(100 * (second + wrong) / num, 6),
        accuracy_not_error=round(100 * (right + second) / num, 6),
        second_only=round(100 * second / num, 6),
    )


def quietened(left: int, x: int, right: int, k: int) -> Answer:
    """Return what local response normalisation leaves of the middle of three channels."""
    norm = LocalResponseNorm(size=3, alpha=1.0, beta=0.5, k=k)
    channels = torch.tensor([left, x, right], dtype=torch.float64).view(1, 3, 1, 1)
    squares = left**2 + x**2 + right**2
    return Answer(
        float(f"{norm(channels)[0, 1, 0, 0].item():.4g}"),
        alpha_divided=x / (k + squares / 3) ** 0.5,
        itself_left_out=x / (k + left**2 + right**2) ** 0.5,
        not_squared=x / (k + left + x + right) ** 0.5,
        power_forgotten=x / (k + squares),
        constant_forgotten=x / squares**0.5,
    )
