"""Answers of lesson 09: VGG."""

from torch import nn

from course_utils.arithmetic import Layer, receptive_field
from course_utils.quiz.computation import computation


@computation(
    kernels_summed=lambda k, num: k * num,
    field_of_one=lambda k, num: k,
    fields_multiplied=lambda k, num: k**num,
    doubled_step=lambda k, num: 1 + 2 * num * (k - 1),
)
def stack_field(k: int, num: int) -> int:
    """Pixels that one output of a stack of equal layers sees, along one axis."""
    size = receptive_field([Layer(k)] * num).size
    return size if isinstance(size, int) else size[0]


@computation(
    one_layer_only=lambda c, num: 9 * c * c,
    channels_not_squared=lambda c, num: 9 * c * num,
    bias_counted=lambda c, num: num * (9 * c * c + c),
    large_kernel=lambda c, num: (2 * num + 1) ** 2 * c * c,
)
def stack_weights(c: int, num: int) -> int:
    """Weights, without biases, of 3x3 layers with c channels in and out."""
    layers = [nn.Conv2d(c, c, 3, bias=False, device="meta") for _ in range(num)]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


@computation(
    pools_ignored=lambda n, pools, c: c * n * n,
    pools_once=lambda n, pools, c: c * (n // 2) ** 2,
    area_forgotten=lambda n, pools, c: c * (n // 2**pools),
    one_pool_less=lambda n, pools, c: c * (n // 2 ** (pools - 1)) ** 2,
)
def into_classifier(n: int, pools: int, c: int) -> int:
    """Numbers that the first linear layer reads after blocks that each halve the size."""
    side = n
    for _ in range(pools):
        side //= 2
    return c * side * side
