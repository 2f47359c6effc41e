"""Exercise 14 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "14_densenet"
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"

BLOCK = """
class DenseBlock(nn.Module):
    def __init__(self, in_channels, num_layers, growth_rate):
        super().__init__()
        i, L, k = in_channels, num_layers, growth_rate
        rows = [{channels} for l in range(L)]
        self.norms = {keep}(nn.BatchNorm2d({normed}) for c in rows)
        self.convs = {keep}(nn.Conv2d(c, k, 3, padding=1, bias={bias}) for c in rows)
    def forward(self, x):
        maps = [x]
        for norm, conv in zip(self.norms, self.convs):
            x = {read}
            new = {new}
            maps.append(new)
        return {result}
"""
TRANSITION = """
class Transition(nn.Sequential):
    def __init__(self, c):
        super().__init__({layers})
"""
CHANNELS = """
def final_channels(stem_width, num_layers, growth_rate):
    c = stem_width
    for i, n in enumerate(num_layers):
        c = {grown}
        {thin}
    return c
"""
RECURSIVE = """
def final_channels(stem_width, num_layers, growth_rate):
    if not num_layers[1:]:
        return stem_width + num_layers[0] * growth_rate
    halved = (stem_width + num_layers[0] * growth_rate) // 2
    return final_channels(halved, num_layers[1:], growth_rate)
"""


def block(**other):
    options = {
        "channels": "i + l * k",
        "keep": "nn.ModuleList",
        "normed": "c",
        "bias": "False",
        "read": "torch.cat(maps, 1)",
        "new": "conv(torch.relu(norm(x)))",
        "result": "torch.cat(maps, dim=1)",
    }
    return BLOCK.format(**(options | other))


NORM, THIN = "nn.BatchNorm2d(c)", "nn.Conv2d(c, c // 2, 1, bias=False)"


def transition(layers=f"{NORM}, nn.ReLU(), {THIN}, nn.AvgPool2d(2)"):
    return TRANSITION.format(layers=layers)


def channels(grown="c + n * growth_rate", thin="if i + 1 < len(num_layers): c = c // 2"):
    return CHANNELS.format(grown=grown, thin=thin)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("block", block()),
        ("block", block(new="F.conv2d(norm(x).clamp(min=0), conv.weight, padding=1)")),
        ("transition", transition()),
        ("transition", transition(f"{NORM}, nn.ReLU(), nn.AvgPool2d(2), {THIN}")),
        ("channels", channels()),
        ("channels", RECURSIVE),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


SHAPES, NUMBERS = "block_shapes_check", "block_numbers_check"
THINNED, COUNTED = "transition_check", "channels_check"
WRONG = [
    (SHAPES, block(result="torch.cat(maps[1:], 1)"), "the block's input out of the output"),
    (SHAPES, block(result="maps[-1]"), "return only the last layer's maps"),
    (SHAPES, block(result="x"), "leave out the last layer's maps"),
    (SHAPES, block(result="maps"), "concatenate the maps"),
    (SHAPES, block(result="torch.cat([*maps, maps[0]], 1)"), "add growth_rate maps"),
    (SHAPES, block(read="sum(maps)"), "your code stopped with RuntimeError"),
    (NUMBERS, block(keep="list"), "nn.ModuleList"),
    (NUMBERS, block(bias="True"), "your convolutions have biases"),
    (NUMBERS, block(normed="k", new="torch.relu(norm(conv(x)))"), "after the convolution"),
    (NUMBERS, block(channels="k if l else i", read="maps[-1]"), "only the layer before"),
    (NUMBERS, block(channels="i", read="maps[0]"), "only the block's input"),
    (NUMBERS, block(new="conv(norm(x))"), "you leave out the ReLU"),
    (NUMBERS, block(new="conv(norm(x.relu()))"), "before the normalisation"),
    (NUMBERS, block(new="conv(norm(x).relu()).relu()"), "another ReLU"),
    (NUMBERS, block(read="torch.cat(maps[::-1], 1)", result="torch.cat(maps[::-1], 1)"), "newest"),
    (NUMBERS, block(new="conv(norm(x).relu()).detach()"), "no gradient"),
    (THINNED, transition(f"{NORM}, nn.ReLU(), {THIN}"), "you do not halve height and width"),
    (THINNED, transition(f"{NORM}, nn.ReLU(), nn.AvgPool2d(2)"), "halve the number of maps"),
    (THINNED, transition().replace(", bias=False", ""), "your convolution has a bias"),
    (THINNED, transition().replace("AvgPool2d(2)", "MaxPool2d(2)"), "the mean"),
    (THINNED, transition().replace("AvgPool2d(2)", "AvgPool2d(2, ceil_mode=True)"), "does not fit"),
    (THINNED, transition().replace("c // 2", "(c + 1) // 2"), "you round"),
    (THINNED, transition(f"{NORM}, {THIN}, nn.AvgPool2d(2)"), "you leave out the ReLU"),
    (THINNED, transition(f"nn.ReLU(), {NORM}, {THIN}, nn.AvgPool2d(2)"), "before the norm"),
    (
        THINNED,
        "from course_utils.models import densenet\n"
        "def Transition(c): return densenet.Transition(c, c // 2)",
        "borrowed",
    ),
    (COUNTED, channels(thin="c = c // 2"), "after the last block"),
    (COUNTED, channels(thin=""), "keep all maps"),
    (COUNTED, channels(grown="c + growth_rate"), "not once per layer"),
    (COUNTED, channels(grown="n * growth_rate"), "you drop the maps"),
    (COUNTED, channels(thin="if i + 1 < len(num_layers): c = (c + 1) // 2"), "you round"),
    (COUNTED, channels(thin="if i + 1 < len(num_layers): c = c / 2"), "whole number"),
]


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
