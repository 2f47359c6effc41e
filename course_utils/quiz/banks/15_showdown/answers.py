"""Answers of lesson and exercise 15: maps, errors of measurement, and what a chart can tell."""

import torch

from course_utils.quiz.answer import Answer


def cam_at_place(a: int, b: int, g: int, h: int) -> Answer:
    """Return Grad-CAM where two maps are a and b, and the mean gradients are g/10 and h/10."""
    maps = torch.tensor([a, b], dtype=torch.float64)
    weights = torch.tensor([g, h], dtype=torch.float64) / 10
    total = round((a * g + b * h) / 10, 6)
    return Answer(
        round(float((weights * maps).sum().relu()), 6),
        relu_forgotten=min(total, 0) or None,
        relu_on_each_map=max(round(a * g / 10, 6), 0) + max(round(b * h / 10, 6), 0),
        weights_forgotten=float(a + b),
        absolute_weights=round((a * abs(g) + b * abs(h)) / 10, 6),
    )


def standard_error(a: int, n: int) -> Answer:
    """Return the standard error, in percentage points, of an accuracy of a % on n images."""
    share = torch.tensor(a / 100, dtype=torch.float64)
    return Answer(
        float(100 * torch.distributions.Bernoulli(share).stddev / n**0.5),
        root_forgotten=100 * a / 100 * (1 - a / 100) / n,
        number_forgotten=100 * (a / 100 * (1 - a / 100)) ** 0.5,
        half_for_any=100 * 0.5 / n**0.5,
        share_of_errors=100 * (1 - a / 100) / n**0.5,
    )


def best_seen(nets: int, seeds: int) -> Answer:
    """Say what you see if you train the best of many runs once more."""
    return Answer(
        f"Most often a lower accuracy: the best of {nets * seeds} runs was lucky, too",
        luck_kept="A higher accuracy as often as a lower one: the settings are those of the best "
        "run",
        luck_grows="Most often a higher accuracy: another seed can only improve on the best run",
        seeds_reversed=f"Most often the worst of the {nets * seeds}: luck is followed by bad luck",
    )


def longer_told(short: int, times: int) -> Answer:
    """Return which experiment tells whether a net only needs longer training."""
    return Answer(
        f"Train both for {short * times} epochs, with several seeds and a learning rate "
        "for each net",
        more_seeds_of_the_same=f"Repeat both runs of {short} epochs, with ten times as many seeds",
        more_images_of_the_same=f"Test both after {short} epochs on ten times as many images",
        helped_one=f"Train VGG alone for {short * times} epochs, and compare it with the chart",
    )
