"""Exercise 05 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "05_channels_and_parameters"

COST = """
def conv_cost(c_in, c_out, k, n_out, groups=1, bias=True):
    return {parameters}, {work}
"""
PARAMETERS = "k * k * c_in * c_out // groups + (c_out if bias else 0)"
WORK = "k * k * c_in * c_out // groups * n_out ** 2"


def cost(parameters=PARAMETERS, work=WORK):
    return COST.format(parameters=parameters, work=work)


LINEAR_ON_PIXELS = """
def conv1x1(maps, weight, bias):
    return nn.functional.linear(maps.movedim(1, -1), weight, bias).movedim(-1, 1)
"""
MATMUL = """
def conv1x1(maps, weight, bias):
    N, C, H, W = maps.shape
    return ({weight} @ maps.view(N, C, H * W){bias}).view(N, -1, H, W)
"""
LOOPS = """
def conv1x1(maps, weight, bias):
    out = torch.zeros(maps.shape[0], len(weight), *maps.shape[2:])
    for o in range(len(weight)):
        for c in range(maps.shape[1]):
            out[:, o] += weight[o, c] * maps[:, c]
        out[:, o] += bias[o]
    return out
"""
SWAPPED = "(weight.T if len(weight) == maps.shape[1] else weight)[o, c]"
DENSE = """
def as_convolution(linear, c, h, w):
    layer = nn.Conv2d(c, linear.out_features, {kernel}{options})
    layer.weight = nn.Parameter(linear.weight.detach(){layout})
    {bias}
    return layer
"""
BIAS = "layer.bias = nn.Parameter(linear.bias.detach().clone())"


def matmul(weight="weight", bias=" + bias[:, None]"):
    return MATMUL.format(weight=weight, bias=bias)


def dense(kernel="(h, w)", options="", layout=".reshape(-1, c, h, w)", bias=BIAS):
    return DENSE.format(kernel=kernel, options=options, layout=layout, bias=bias)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("conv_cost", cost()),
        ("conv1x1", LINEAR_ON_PIXELS),
        ("conv1x1", matmul()),
        ("conv1x1", LOOPS),
        ("as_convolution", dense()),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup="import torch\nfrom torch import nn")


COST_CHECK, MIX_CHECK, DENSE_CHECK = "conv_cost_check", "conv1x1_check", "as_convolution_check"
WRONG = [
    (COST_CHECK, cost("k * k * c_in * c_out + c_out"), "you leave out the groups"),
    (COST_CHECK, cost("k * k * c_in * c_out // groups"), "you forget the biases"),
    (COST_CHECK, cost("k * c_in * c_out // groups + c_out"), "k weights for a kernel"),
    (COST_CHECK, cost("k * k * c_in * c_out // groups + c_in"), "each channel that goes in"),
    (COST_CHECK, cost("k * k * c_in * c_out // groups + c_out"), "biases that are not there"),
    (COST_CHECK, cost(work="k * k * c_in * c_out // groups"), "you use each weight only once"),
    (COST_CHECK, cost(work="k * k * c_in * c_out * n_out ** 2"), "you leave out the groups"),
    (COST_CHECK, cost(work="2 * " + WORK), "its addition as two"),
    (COST_CHECK, cost(work="1.0 * " + WORK), "a whole number, not float"),
    (COST_CHECK, "def conv_cost(*a, **k): return 114", "a tuple of two numbers"),
    (MIX_CHECK, matmul(bias=""), "you forget the bias"),
    (MIX_CHECK, LINEAR_ON_PIXELS.replace(".movedim(-1, 1)", ""), "you leave the channels last"),
    (MIX_CHECK, LOOPS.replace("weight[o, c]", SWAPPED), "you swap the weights' rows and columns"),
    (MIX_CHECK, matmul(bias=" + bias.sum()"), "differs"),
    (
        MIX_CHECK,
        "def conv1x1(m, w, b): return nn.functional.conv2d(m, w[:, :, None, None], b)",
        "your code calls torch's own conv2d",
    ),
    (DENSE_CHECK, dense(bias="pass"), "you do not copy the bias"),
    (DENSE_CHECK, dense(options=", bias=False", bias="pass"), "your layer has none"),
    (DENSE_CHECK, dense(layout=".reshape(-1, h, w, c).permute(0, 3, 1, 2)"), "channels last"),
    (DENSE_CHECK, dense(layout=".reshape(-1, c, w, h).transpose(2, 3)"), "differs"),
    (DENSE_CHECK, dense(kernel="(w, h)", layout=".reshape(-1, c, w, h)"), "are (5, 3, 4, 2)"),
    (DENSE_CHECK, dense(options=", stride=2"), "the layer slides: stride 1"),
    (DENSE_CHECK, dense(options=", padding=1"), "your output is"),
    (DENSE_CHECK, "def as_convolution(linear, c, h, w): return linear", "not Linear"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup="import torch\nfrom torch import nn")
