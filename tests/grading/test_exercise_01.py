"""Exercise 01 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "01_image_tensors"

BATCH = """
def to_batch(photos):
    rows = []
    for photo in photos:
        rows.append(photo.{move} / {by})
    return torch.stack(rows){end}
"""
STATISTICS = """
def channel_statistics(images):
    x = images.transpose(0, 1).flatten(1)
    mean = {mean}
    return mean, {std}

def normalise(images, mean, std):
    return {normalised}
"""
MEAN, STD = "x.sum(1) / x.shape[1]", "((x - mean[:, None]) ** 2).mean(1).sqrt()"
NORMALISED = "(images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)"
BACK = "images * std[:, None, None] + mean[:, None, None]"
GREY = """
def luminance(images):
    r, g, b = images{unpack}
    return ({sum}){end}
"""


def batch(move="permute(2, 0, 1)", by="255.0", end=""):
    return BATCH.format(move=move, by=by, end=end)


def statistics(mean=MEAN, std=STD, normalised=NORMALISED):
    return STATISTICS.format(mean=mean, std=std, normalised=normalised)


def grey(total="0.299 * r + 0.587 * g + 0.114 * b", unpack=".unbind(1)", end=".unsqueeze(1)"):
    return GREY.format(sum=total, unpack=unpack, end=end)


@pytest.mark.parametrize(
    ("task", "source"),
    [("to_batch", batch()), ("normalise", statistics()), ("luminance", grey())],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup="import torch")


TO_BATCH, GREYS = "to_batch_check", "luminance_check"
STATS, NORMAL = "statistics_check", "normalise_check"
WRONG = [
    (TO_BATCH, batch(by="1.0"), "do not divide the bytes by 255"),
    (TO_BATCH, batch(by="256"), "you divide by 256"),
    (TO_BATCH, batch(by="photo.max()"), "differs"),
    (TO_BATCH, batch(move="reshape(3, *photo.shape[:2])"), "you reshape, which cuts the rows anew"),
    (TO_BATCH, batch(move="permute(2, 1, 0)"), "you swap height and width"),
    (TO_BATCH, batch(move="clone()"), "you leave the channels last"),
    (TO_BATCH, batch(move="permute(2, 0, 1).flip(0)"), "blue, green, red"),
    (TO_BATCH, batch(end=".double()"), "your batch is float64, expected float32"),
    (TO_BATCH, batch(end="[0]"), "your output is (3, 2, 3), expected (2, 3, 2, 3)"),
    (STATS, statistics(std="x.std(1)"), "one less than the number"),
    (STATS, statistics(std="x.var(1, correction=0)"), "the variance"),
    (STATS, statistics(std="(x - mean[:, None]).abs().mean(1)"), "mean absolute deviation"),
    (STATS, statistics(mean="images.mean()[None].expand(images.shape[1])"), "all channels tog"),
    (STATS, statistics(mean="images[0].mean((1, 2))"), "only at the first image"),
    (STATS, statistics(mean="images.mean((2, 3))", std="mean"), "one mean for each channel"),
    (NORMAL, statistics(normalised="images / std.view(-1, 1, 1)"), "you do not subtract the mean"),
    (NORMAL, statistics(normalised="images - mean.view(-1, 1, 1)"), "not divide by the standard"),
    (NORMAL, statistics(normalised=NORMALISED + " ** 2"), "differs"),
    (NORMAL, statistics(normalised=BACK), "way back"),
    (NORMAL, statistics(normalised="(images - mean) / std"), "your code stopped with RuntimeError"),
    (GREYS, grey("(r + g + b) / 3"), "you weight all colours alike"),
    (GREYS, grey("0.299 * b + 0.587 * g + 0.114 * r"), "blue, green, red"),
    (GREYS, grey(end=""), "you drop the channel axis"),
    (GREYS, grey("(0.299 * r + 0.587 * g + 0.114 * b) / 3"), "divide the sum by 3"),
    (GREYS, grey(unpack=".unbind(0)"), "your code stopped with ValueError"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup="import torch")
