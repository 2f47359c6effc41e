"""Answers of lesson and exercise 03: the convolution as a matrix, and what tells."""

import torch
import torch.nn.functional as F

from course_utils.arithmetic import output_size
from course_utils.quiz.answer import Answer


def local_weights(n: int, d: int) -> Answer:
    """Count the weights of a locally connected layer on a row: entries of a band matrix."""
    rows, columns = torch.arange(n)[:, None], torch.arange(n)[None]
    return Answer(
        int(((columns - rows).abs() <= d).sum()),
        ends_forgotten=(2 * d + 1) * n,
        half_a_window=(d + 1) * n,
        shared_already=2 * d + 1,
    )


def flat_area(a: int, b: int, v: int) -> Answer:
    """Return what a filter of three rows a b a makes of pixels of the value v."""
    kernel = torch.tensor([[a, b, a]] * 3, dtype=torch.float64)
    return Answer(
        int(F.conv2d(torch.full((1, 1, 3, 3), float(v)).double(), kernel[None, None])),
        mean_of_the_weights=(2 * a + b) * v / 3,
        only_the_centre=b * v,
        kernel_not_squared=(2 * a + b) * v,
    )


def unfolded_table(c: int, n: int, k: int) -> Answer:
    """Count the numbers in the unfolded table of an image, at stride 1 and with the size kept."""
    image = torch.empty(1, c, n, n, device="meta")
    return Answer(
        F.unfold(image, k, padding=k // 2).numel(),
        pixels_counted_once=c * n * n,
        kernel_not_squared=c * k * n * n,
        windows_do_not_overlap=c * k * k * (n // k) ** 2,
        one_channel_unfolded=None if c == 1 else k * k * n * n,
    )


def zeros_in_the_matrix(n: int, k: int) -> Answer:
    """Count the entries outside the band of the matrix."""
    rows = torch.zeros(output_size(n, k), n)
    for i, row in enumerate(rows):
        row[i : i + k] = 1
    return Answer(
        int((rows == 0).sum()),
        no_plus_one=(n - k) * (n - k),
        square_matrix=n * (n - k),
        dense_layer=0,
        one_row_only=n - k,
    )


def square_seen(a: int, b: int) -> Answer:
    """Say at which sides of a white square x(i, j + a) - x(i, j + b) is positive and negative."""
    image = torch.zeros(24, 24)
    image[8:16, 8:16] = 1.0
    output = image.roll(-a, 1) - image.roll(-b, 1)
    left, right = output[:, :12].sum(), output[:, 12:].sum()
    if left == 0:
        raise ValueError(f"x(i, j + {a}) - x(i, j + {b}) is 0 everywhere")
    forwards, backwards = (
        f"Its left side {first}, its right side {second}"
        for first, second in (("positive", "negative"), ("negative", "positive"))
    )
    seen, flipped = (forwards, backwards) if left > right else (backwards, forwards)
    return Answer(
        seen,
        flipped_twice=flipped,
        axes_exchanged=seen.replace("left", "upper").replace("right", "lower"),
        sign_dropped="Its left side positive, its right side positive",
    )


def flip_told(a: int, b: int, c: int) -> Answer:
    """Say which image shows whether a row filter is flipped: the one whose output differs."""
    row = torch.tensor([[[float(a), b, c]]])
    images = {
        "Give it one white pixel on black": torch.eye(9)[4],
        "Give it a white area without edges": torch.ones(9),
        "Give it columns that alternate between white and black": torch.arange(9) % 2.0,
    }
    both = {
        text: (F.conv1d(x[None, None], row), F.conv1d(x[None, None], row.flip(2)))
        for text, x in images.items()
    }
    telling = [text for text, (kept, flipped) in both.items() if not kept.equal(flipped)]
    dot, flat, columns = images
    nothing = "No experiment: a flip leaves this filter as it is"
    return Answer(
        telling[0] if telling else nothing,
        symmetry_overlooked=None if telling else dot,
        sum_only=flat,
        neighbours_alike=columns,
        flip_thought_invisible=nothing if telling else None,
    )
