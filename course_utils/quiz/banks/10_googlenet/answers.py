"""Answers of lesson and exercise 10: shapes, parameters and work of Inception modules."""

import torch

from course_utils.arithmetic import conv_multiply_adds
from course_utils.inspection import summarise
from course_utils.models.googlenet import Inception
from course_utils.models.registry import build
from course_utils.quiz.answer import Answer


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


def another_size(n: int) -> Answer:
    """Say what GoogLeNet returns for images of another size than its training images."""
    with torch.device("meta"):
        logits = build("googlenet").eval()(torch.empty(1, 3, n, n))
    return Answer(
        f"{logits.shape[1]:,} logits, as always",
        positions_kept="An error at the linear layer, which reads a different number of values",
        mean_cuts_out="The same logits as for the 224 × 224 pixels in the middle"
        if n > 224
        else None,
        resizing_expected="The same logits as for the image enlarged to 224 × 224 pixels"
        if n < 224
        else None,
    )


def training_loss(main: float, aux1: float, aux2: float, weight: float) -> Answer:
    """Return the loss that is minimised in training, with two auxiliary heads."""
    return Answer(
        main + weight * (aux1 + aux2),
        heads_unweighted=main + aux1 + aux2,
        heads_averaged=main + weight * (aux1 + aux2) / 2,
        weights_sum_to_one=(1 - 2 * weight) * main + weight * (aux1 + aux2),
    )


def work_saved(c: int, r: int, k: int, f: int) -> Answer:
    """Return the factor by which a reduction cuts a path's work, to four digits."""
    plain = conv_multiply_adds(c, f, k, 1)
    reduced = conv_multiply_adds(c, r, 1, 1) + conv_multiply_adds(r, f, k, 1)
    return Answer(
        float(f"{plain / reduced:.4g}"),
        reduction_is_free=c / r,
        other_way_round=reduced / plain,
        kernel_not_squared=c * f * k / (c * r + r * f * k),
        reduction_overlooked=plain / (c * r + plain),
    )


def axis_seen(a: int, b: int, n: int) -> Answer:
    """Say what happens to paths with a, b, a and b channels, concatenated along the height."""
    stopped = "An error at the concatenation: the numbers of channels differ"
    higher = f"No error: {a} maps, {4 * n} high and {n} wide"
    return Answer(
        higher if a == b else stopped,
        concatenation_wants_height="An error at the concatenation: only axis 1 can be used"
        if a == b
        else None,
        channels_need_not_fit=None if a == b else higher,
        axes_alike=f"No error: the usual {2 * a + 2 * b} channels of {n} × {n}",
        paths_summed=f"No error: {max(a, b)} maps of {n} × {n}, the sums over the paths",
    )
