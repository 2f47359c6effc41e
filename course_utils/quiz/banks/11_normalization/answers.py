"""Answers of lesson and exercise 11: means and what they are taken of, initial weights."""

import torch
from torch import nn

from course_utils.quiz.answer import Answer


def _values_sharing_a_mean(layer: nn.Module, n: int, c: int, h: int, w: int) -> int:
    """Count the inputs, of shape (n, c, h, w), that affect the layer's first output."""
    x = torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    first = layer.double()(x)[0, 0, 0, 0]
    [gradient] = torch.autograd.grad(first, x)
    return int((gradient != 0).sum())


def batch_norm_values(n: int, c: int, h: int, w: int) -> Answer:
    """Count the numbers behind each mean of batch normalisation."""
    return Answer(
        _values_sharing_a_mean(nn.BatchNorm2d(c), n, c, h, w),
        pixels_forgotten=n,
        one_picture_only=h * w,
        all_channels_of_one=c * h * w,
        everything_at_once=n * c * h * w,
        means_counted=c,
    )


def group_norm_values(n: int, c: int, g: int, h: int, w: int) -> Answer:
    """Count the numbers behind each mean of group normalisation with g groups."""
    return Answer(
        _values_sharing_a_mean(nn.GroupNorm(g, c), n, c, h, w),
        batch_included=n * c // g * h * w,
        groups_for_size=g * h * w,
        all_channels_of_one=c * h * w,
        one_picture_only=h * w,
    )


def running_variance(a: int, d: int) -> Answer:
    """Return what batch normalisation tracks of a batch with the two values a and a + d."""
    layer = nn.BatchNorm2d(1, momentum=1.0)
    layer(torch.tensor([float(a), float(a + d)]).reshape(2, 1, 1, 1))
    return Answer(
        round(layer.state_dict()["running_var"].item(), 4),
        biased_tracked=d * d / 4,
        deviation_tracked=d / 2**0.5,
        mean_tracked=a + d / 2,
    )


def he_variance(c_in: int, c_out: int, k: int) -> Answer:
    """Return the variance of He's initial weights of a convolution."""
    return Answer(
        2 / nn.Conv2d(c_in, c_out, k, device="meta").weight[0].numel(),
        kernel_forgotten=2 / c_in,
        half_forgotten=1 / (c_in * k * k),
        outputs_for_inputs=2 / (c_out * k * k),
        xavier_for_relu=2 / ((c_in + c_out) * k * k),
    )


def running_mean(m: float, a: int, b: int) -> Answer:
    """Return the running mean of a fresh layer after two batches with the means a and b."""
    layer = nn.BatchNorm2d(1, momentum=m).double()
    for mean in (a, b):
        layer(torch.full((2, 1, 1, 1), float(mean), dtype=torch.float64))
    return Answer(
        round(layer.state_dict()["running_mean"].item(), 6),
        momentum_swapped=m * (1 - m) * a + (1 - m) * b,
        starts_at_first=(1 - m) * a + m * b,
        last_batch_only=b,
        plain_average=(a + b) / 2,
        old_not_shrunk=m * (a + b),
    )


def one_seen(c: int, s: int) -> Answer:
    """Say what happens to one image in training mode if the last maps are s x s."""
    stopped = "An error: each channel needs more than one value"
    alone = "No error: each map is normalised by its own pixels"
    return Answer(
        stopped if s == 1 else alone,
        images_for_values=None if s == 1 else stopped,
        formula_for_torch="No error: all the normalised values are 0" if s == 1 else None,
        zeros_everywhere="No error: all the normalised values are 0" if s > 1 else None,
        estimates_step_in="No error: the running estimates take the batch's place",
    )


def behind_told(a: int, b: int) -> Answer:
    """Return which experiment tells whether running estimates lag behind."""
    return Answer(
        "Send training images through in training mode without a step, then evaluate; "
        f"expect over {b} %",
        weights_move_too="Take more steps at a smaller learning rate, then evaluate; "
        f"expect over {b} %",
        both_reasons_at_once=f"Classify test images in evaluation mode; expect below {b} %",
        order_for_estimates=f"Shuffle the images in training mode; expect below {a} %",
    )
