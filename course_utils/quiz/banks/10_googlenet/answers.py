"""Answers of lesson and exercise 10: shapes, parameters and work of Inception modules."""

import torch
from torch import nn

from course_utils.arithmetic import conv_multiply_adds, linear_parameters
from course_utils.inspection import summarise
from course_utils.models.googlenet import Inception
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters, shape_after


def fewest_parameters(vgg: str) -> Answer:
    """Return which of AlexNet, a VGG and GoogLeNet has the fewest parameters."""
    nets = {"AlexNet": "alexnet", vgg: vgg.replace("-", "").lower(), "GoogLeNet": "googlenet"}
    return Answer(
        min(nets, key=lambda net: summarise(nets[net]).parameters),
        layers_for_parameters="AlexNet",  # it has the fewest layers
        filter_size_for_parameters=vgg,
    )


def inception_channels(
    one: int, reduce3: int, three: int, reduce5: int, five: int, pool: int
) -> Answer:
    """Count the channels that an Inception module puts out."""
    return Answer(
        Inception(8, one, (reduce3, three), (reduce5, five), pool).out_channels,
        reductions_concatenated=one + reduce3 + three + reduce5 + five + pool,
        paths_added_up=max(one, three, five, pool),
        pool_path_forgotten=one + three + five,
    )


def reduced_path_multiply_adds(c_in: int, reduced: int, c_out: int, n: int) -> Answer:
    """Count the multiply-adds of a 5x5 path with its reduction, on maps of n x n."""
    reduction = conv_multiply_adds(c_in, reduced, 1, n)
    expansion = conv_multiply_adds(reduced, c_out, 5, n)
    return Answer(
        reduction + expansion,
        reduction_is_free=expansion,
        reduction_overlooked=conv_multiply_adds(c_in, c_out, 5, n),
        one_position_only=(reduction + expansion) // n**2,
        kernel_not_squared=reduction + expansion // 5,
    )


def averaged_head_parameters(c: int, n: int, classes: int) -> Answer:
    """Count the parameters of a mean over each map, followed by a linear layer."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))
    return Answer(
        num_parameters(head),
        positions_kept=linear_parameters(c * n * n, classes),
        mean_has_weights=c * n * n + linear_parameters(c, classes),
        bias_forgotten=c * classes,
    )


def training_loss(main: float, aux1: float, aux2: float, weight: float) -> Answer:
    """Return what is minimised in training, with two auxiliary heads."""
    return Answer(
        main + weight * (aux1 + aux2),
        heads_unweighted=main + aux1 + aux2,
        heads_averaged=main + weight * (aux1 + aux2) / 2,
        weights_sum_to_one=(1 - 2 * weight) * main + weight * (aux1 + aux2),
    )


def module_shape(
    reduce3: int, reduce5: int, one: int, three: int, five: int, pool: int, c: int, h: int, w: int
) -> Answer:
    """Return what leaves an Inception module and a 3x3 pool with stride 2 and padding 1 behind."""
    with torch.device("meta"):
        module = Inception(c, one, (reduce3, three), (reduce5, five), pool)
    channels, *sides = shape_after(nn.Sequential(module, nn.MaxPool2d(3, 2, padding=1)), c, h, w)
    return Answer(
        (channels, *sides),
        reductions_concatenated=(channels + reduce3 + reduce5, *sides),
        pool_path_forgotten=(channels - pool, *sides),
        height_width_swapped=(channels, *sides[::-1]),
        padding_ignored=(channels, (h - 3) // 2 + 1, (w - 3) // 2 + 1),
        stride_ignored=(channels, h, w),
        channels_last=(*sides, channels),
    )


def path_parameters(c: int, r: int, k: int, f: int) -> Answer:
    """Count the parameters of a path: a reduction from c to r channels, then f filters of k x k."""
    path = nn.Sequential(nn.Conv2d(c, r, 1, device="meta"), nn.Conv2d(r, f, k, device="meta"))
    return Answer(
        num_parameters(path),
        bias_forgotten=r * c + f * r * k * k,
        reduction_is_free=f * (r * k * k + 1),
        reduction_overlooked=r * (c + 1) + f * (c * k * k + 1),
        kernel_not_squared=r * (c + 1) + f * (r * k + 1),
        one_channel_filters=r * (c + 1) + f * (k * k + 1),
    )


def work_saved(c: int, r: int, k: int, f: int) -> Answer:
    """Return how many times less work a path with a reduction does, to four digits."""
    plain = conv_multiply_adds(c, f, k, 1)
    reduced = conv_multiply_adds(c, r, 1, 1) + conv_multiply_adds(r, f, k, 1)
    return Answer(
        float(f"{plain / reduced:.4g}"),
        reduction_is_free=c / r,
        other_way_round=reduced / plain,
        kernel_not_squared=c * f * k / (c * r + r * f * k),
        reduction_overlooked=plain / (c * r + plain),
    )
