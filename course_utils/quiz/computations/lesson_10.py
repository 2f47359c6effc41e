"""Answers of lesson 10: GoogLeNet."""

from torch import nn

from course_utils import arithmetic
from course_utils.inspection import summarise
from course_utils.models.googlenet import Inception
from course_utils.quiz.computation import computation

# What somebody would choose who goes by the number of layers, or by the size of the filters.
FEWEST_LAYERS = "AlexNet"


@computation(
    layers_for_parameters=lambda vgg: FEWEST_LAYERS,
    filter_size_for_parameters=lambda vgg: vgg,
)
def fewest_parameters(vgg: str) -> str:
    """Which of AlexNet, a VGG and GoogLeNet has the fewest parameters."""
    nets = {"AlexNet": "alexnet", vgg: vgg.replace("-", "").lower(), "GoogLeNet": "googlenet"}
    return min(nets, key=lambda net: summarise(nets[net]).parameters)


@computation(
    reductions_concatenated=lambda one, reduce3, three, reduce5, five, pool: (
        one + reduce3 + three + reduce5 + five + pool
    ),
    paths_added_up=lambda one, reduce3, three, reduce5, five, pool: max(one, three, five, pool),
    pool_path_forgotten=lambda one, reduce3, three, reduce5, five, pool: one + three + five,
)
def inception_channels(
    one: int, reduce3: int, three: int, reduce5: int, five: int, pool: int
) -> int:
    """Channels that an Inception module puts out."""
    return Inception(8, one, (reduce3, three), (reduce5, five), pool).out_channels


@computation(
    reduction_is_free=lambda c_in, reduced, c_out, n: _work(reduced, c_out, 5, n),
    reduction_overlooked=lambda c_in, reduced, c_out, n: _work(c_in, c_out, 5, n),
    one_position_only=lambda c_in, reduced, c_out, n: _path(c_in, reduced, c_out, 1),
    kernel_not_squared=lambda c_in, reduced, c_out, n: (
        _work(c_in, reduced, 1, n) + 5 * _work(reduced, c_out, 1, n)
    ),
)
def reduced_path_multiply_adds(c_in: int, reduced: int, c_out: int, n: int) -> int:
    """Multiply-adds of a 5x5 path with its reduction, on maps of n x n."""
    return _path(c_in, reduced, c_out, n)


def _path(c_in: int, reduced: int, c_out: int, n: int) -> int:
    return _work(c_in, reduced, 1, n) + _work(reduced, c_out, 5, n)


def _work(c_in: int, c_out: int, k: int, n: int) -> int:
    return arithmetic.conv_multiply_adds(c_in, c_out, k, n)


@computation(
    positions_kept=lambda c, n, classes: arithmetic.linear_parameters(c * n * n, classes),
    mean_has_weights=lambda c, n, classes: c * n * n + arithmetic.linear_parameters(c, classes),
    bias_forgotten=lambda c, n, classes: c * classes,
)
def averaged_head_parameters(c: int, n: int, classes: int) -> int:
    """Parameters of a mean over each map, followed by a linear layer."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))
    return sum(parameter.numel() for parameter in head.parameters())


@computation(
    heads_unweighted=lambda main, aux1, aux2, weight: main + aux1 + aux2,
    heads_averaged=lambda main, aux1, aux2, weight: main + weight * (aux1 + aux2) / 2,
    weights_sum_to_one=lambda main, aux1, aux2, weight: (
        (1 - 2 * weight) * main + weight * (aux1 + aux2)
    ),
)
def training_loss(main: float, aux1: float, aux2: float, weight: float) -> float:
    """What is minimised in training, with two auxiliary heads."""
    return main + weight * (aux1 + aux2)
