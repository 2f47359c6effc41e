"""Answers of lesson and exercise 09: fields, weights and shapes of stacks and blocks."""

import math
from itertools import pairwise

import torch
from torch import nn

from course_utils.arithmetic import Layer
from course_utils.models.vgg import VGGBlock
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import field_of, num_parameters, shape_after


def stack_field(k: int, num: int) -> Answer:
    """Count the pixels that one output of a stack of equal layers sees, along one axis."""
    return Answer(
        field_of(*[Layer(k)] * num),
        kernels_summed=k * num,
        field_of_one=k,
        fields_multiplied=k**num,
        doubled_step=1 + 2 * num * (k - 1),
    )


def stack_weights(c: int, num: int) -> Answer:
    """Count the weights, without biases, of 3x3 layers with c channels in and out."""
    layer = nn.Conv2d(c, c, 3, bias=False, device="meta")
    return Answer(
        num * num_parameters(layer),
        one_layer_only=9 * c * c,
        channels_not_squared=9 * c * num,
        bias_counted=num * (9 * c * c + c),
        large_kernel=(2 * num + 1) ** 2 * c * c,
    )


def into_classifier(n: int, pools: int, c: int) -> Answer:
    """Count the values that the first linear layer reads after blocks that each halve the size."""
    pooling = nn.Sequential(*[nn.MaxPool2d(2)] * pools)
    return Answer(
        math.prod(shape_after(pooling, c, n, n)),
        pools_ignored=c * n * n,
        pools_once=c * (n // 2) ** 2,
        area_forgotten=c * (n // 2**pools),
        one_pool_less=c * (n // 2 ** (pools - 1)) ** 2,
    )


def features_shape(c: int, pools: int, h: int, w: int) -> Answer:
    """Return the output shape of VGG blocks whose channels double from block to block."""
    with torch.device("meta"):
        blocks = [VGGBlock(*pair, "3") for pair in pairwise([3, *(c * 2**i for i in range(pools))])]
    channels, height, width = shape_after(nn.Sequential(*blocks), 3, h, w)
    return Answer(
        (channels, height, width),
        rounded_up=(channels, -(-h // 2**pools), -(-w // 2**pools)),
        one_pool_less=(channels, h // 2 ** (pools - 1), w // 2 ** (pools - 1)),
        height_width_swapped=(channels, width, height),
        doubled_once_more=(2 * channels, height, width),
        pools_ignored=(channels, h, w),
        channels_last=(height, width, channels),
    )


def signal_seen(layers: int, factor: float) -> Answer:
    """Say how a net's outputs change from layer to layer if its weights are He's times a factor."""
    return Answer(
        f"It is multiplied by about {factor} from each layer to the next",
        scaled_once=f"It is about {factor} times as large as with He's weights, in every layer",
        variance_for_deviation=f"It is multiplied by about {factor**2:.2f} from each layer to the "
        "next",
        relu_restores="It stays about the same: each ReLU cancels the factor",
    )


def cause_told(epochs: int, layers: int) -> Answer:
    """Say which experiment tells a dying signal from steps that are too large."""
    return Answer(
        f"Before the first step, print the standard deviation of each of the {layers} layers' "
        "outputs",
        waited_for_cause=f"Train for {epochs} more epochs, and watch the training loss",
        accuracy_for_cause="Compare its accuracy on training and on test images",
        data_for_start="Train it on twice as many images",
    )
