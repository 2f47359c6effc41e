"""Answers of lesson and exercise 08: dropout, top-5 error, experiments."""

import torch
from torch import nn

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
    """Return the top-5 error in per cent.

    The arguments count the images whose class ranks first, second to fifth, and lower.
    """
    num = right + second + wrong
    logits = torch.zeros(num, 10)
    logits[:, :6] = torch.arange(6, 0, -1).float()  # class 0 ranks first, 1 to 4 next
    labels = torch.tensor([0] * right + [3] * second + [7] * wrong)
    found = (logits.topk(5).indices == labels[:, None]).any(dim=1)
    return Answer(
        round(100 * (1 - found.double().mean().item()), 6),
        top_one=round(100 * (second + wrong) / num, 6),
        accuracy_not_error=round(100 * (right + second) / num, 6),
        second_only=round(100 * second / num, 6),
    )


def asleep_seen(p: float, a: int) -> Answer:
    """Say what you see if you measure a net with dropout twice in training mode."""
    return Answer(
        "A lower accuracy, and a different one the second time",
        fixed_units="A lower accuracy, the same one both times",
        dropout_on_gradients=f"{a} % both times, as in evaluation mode",
        share_of_accuracy=f"About {a * (1 - p):.0f} %, which is {100 * (1 - p):.0f} % of {a} %",
    )


def pooling_told(a: int, b: int, c: int, n: int) -> Answer:
    """Say which experiment tells a difference between settings from one between seeds."""
    return Answer(
        "Train both with several seeds, and compare the mean difference with its standard error",
        one_seed_again="Train both once more with the same seed, and check that "
        f"{a}.{b} % and {a}.{c} % come back",
        images_for_seeds=f"Measure the same two nets again, on {5 * n:,} validation images",
        longer_for_seeds="Train both for twice as many epochs, and compare the final accuracies",
    )
