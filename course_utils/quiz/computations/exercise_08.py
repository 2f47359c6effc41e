"""Answers of exercise 08: local response normalisation."""

import torch

from course_utils.models.normalization import LocalResponseNorm
from course_utils.quiz.computation import computation


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
