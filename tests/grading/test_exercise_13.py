"""Exercise 13 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "13_resnet"
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"

BLOCK = """
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        i, o, s = in_channels, out_channels, stride
        self.around = {around}
        self.main = nn.Sequential({main})
        {after}
    def forward(self, x):
        return {result}
"""
NORM = "nn.BatchNorm2d(o)"
FIRST = "nn.Conv2d(i, o, 3, s, 1, bias=False)"
SECOND = "nn.Conv2d(o, o, 3, padding='same', bias=False)"
PROJECTION = f"nn.Sequential(nn.Conv2d(i, o, (1, 1), s, bias=False), {NORM})"


def block(**other):
    """Write the block with something changed."""
    options = {
        "around": f"nn.Identity() if (i, s) == (o, 1) else {PROJECTION}",
        "main": f"{FIRST}, {NORM}, nn.ReLU(), {SECOND}, {NORM}",
        "after": "",
        "result": "(self.main(x) + self.around(x)).clamp(min=0)",
    }
    return BLOCK.format(**(options | other))


SECOND_FIRST = """
class ResidualBlock(nn.Module):
    def __init__(self, a, b, s=1):
        super().__init__()
        self.second = nn.Conv2d(b, b, 3, padding=1, bias=False)
        self.first = nn.Conv2d(a, b, 3, stride=s, padding=1, bias=False)
        self.n1, self.n2 = nn.BatchNorm2d(b), nn.BatchNorm2d(b)
        self.way = None
        if a != b or s > 1:
            self.way = nn.Conv2d(a, b, 1, stride=s, bias=False)
            self.n3 = nn.BatchNorm2d(b)
    def forward(self, x):
        y = torch.relu(self.n1(self.first(x)))
        y = self.n2(self.second(y))
        y += x if self.way is None else self.n3(self.way(x))
        return y.relu_()
"""
LAZY = block(
    main="nn.LazyConv2d(o, 3, s, 1, bias=False), nn.LazyBatchNorm2d(), nn.ReLU(), "
    "nn.LazyConv2d(o, 3, padding=1, bias=False), nn.LazyBatchNorm2d()",
    around="nn.Identity() if (i, s) == (o, 1) else "
    "nn.Sequential(nn.LazyConv2d(o, 1, s, bias=False), nn.LazyBatchNorm2d())",
)
OWN_NORM = """
class Norm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a_shift = nn.Parameter(torch.full((1, c, 1, 1), {shift}))
        self.scale = nn.Parameter(torch.full((1, c, 1, 1), {scale}))
        self.register_buffer("center", torch.full((1, c, 1, 1), 5.0))
        self.register_buffer("spread", torch.full((1, c, 1, 1), 0.1))
    def forward(self, x):
        center, spread = self.center, self.spread
        if {batch}:
            center = x.mean((0, 2, 3), keepdim=True)
            spread = x.var((0, 2, 3), unbiased=False, keepdim=True)
            self.center.lerp_(center.detach(), 0.02)
            self.spread.lerp_(spread.detach(), 0.02)
        return (x - center) / (spread + 1e-5).sqrt() * self.scale + {added}
"""


def own_norm(shift="0.5", scale="0.25", batch="self.training", added="self.a_shift", **other):
    """Write the block with a normalisation of one's own, which starts as one likes."""
    norm = OWN_NORM.format(shift=shift, scale=scale, batch=batch, added=added)
    return norm + block(**other).replace("nn.BatchNorm2d(o)", "Norm(o)")


COUNT = """
def bottleneck_parameters(in_channels, out_channels, stride=1):
    i, o = in_channels, out_channels
    w = {width}
    n = i * w + {middle} + w * o + {norms}
    if {condition}:
        n += {projection}
    return n
"""
LAYERS = """
def bottleneck_parameters(i, o, stride=1):
    rows = [(i, o // 4, 1), (o // 4, o // 4, 3), (o // 4, o, 1)]
    rows += [(i, o, 1)] * (i != o or stride > 1)
    layers = [m for a, b, k in rows for m in (nn.Conv2d(a, b, k, bias=False), nn.BatchNorm2d(b))]
    return sum(p.numel() for layer in layers for p in layer.parameters())
"""
STAGE = """
def make_stage(block, in_channels, out_channels, num_blocks, stride):
    i, o, n, s = in_channels, out_channels, num_blocks, stride
    return {result}
"""
OWN_STAGE = """
class Stage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.blocks = {keep}(blocks)
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x

def make_stage(block, i, o, n, s):
    return Stage([block(i if k == 0 else o, o, stride=s if k == 0 else 1) for k in range(n)])
"""


def count(**other):
    options = {
        "width": "o // 4",
        "middle": "9 * w * w",
        "norms": "4 * w + 2 * o",
        "condition": "i != o or stride != 1",
        "projection": "i * o + 2 * o",
    }
    return COUNT.format(**(options | other))


def stage(result):
    return STAGE.format(result=result)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("block", block()),
        ("block", block(after="nn.init.zeros_(self.main[4].weight)")),
        ("block", block(after="nn.init.constant_(self.main[1].bias, 3.0)")),
        ("block", block().replace("nn.BatchNorm2d(o)", "nn.BatchNorm2d(o, eps=1e-3)")),
        ("block", LAZY),
        ("block", own_norm()),
        ("block", own_norm(shift="0.0", scale="1.0")),
        ("block", own_norm(shift="1.0", scale="0.0")),
        ("block", SECOND_FIRST),
        ("bottleneck", count()),
        ("bottleneck", LAYERS),
        ("stage", stage("nn.Sequential(block(i, o, s), *(block(o, o, 1) for _ in range(n - 1)))")),
        ("stage", OWN_STAGE.format(keep="nn.ModuleList")),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


SHAPES, NUMBERS = "block_shapes_check", "block_numbers_check"
COUNTED, STAGED = "bottleneck_check", "stage_check"
ALWAYS = stage("nn.Sequential(block(i, o, s), *[block(o, o, s) for _ in range(n - 1)])")
WRONG = [
    (SHAPES, block(around="nn.Identity()"), "x must be projected"),
    (SHAPES, block(around=f"nn.Identity() if i == o else {PROJECTION}"), "x must be projected"),
    (SHAPES, block(around=f"nn.Identity() if s == 1 else {PROJECTION}"), "x must be projected"),
    (
        SHAPES,
        block(main=f"nn.Conv2d(i, o, 3, s, bias=False), {NORM}, nn.ReLU(), {SECOND}, {NORM}"),
        "x must be projected",
    ),
    (
        SHAPES,
        "from course_utils.models.resnet import BasicBlock as ResidualBlock",
        "borrowed",
    ),
    (NUMBERS, block(around=PROJECTION), "although the shapes agree"),
    (
        NUMBERS,
        block(main=f"{FIRST}, {NORM}, nn.ReLU(), {SECOND}, {NORM}".replace(", bias=False", "")),
        "your convolutions have biases",
    ),
    (NUMBERS, block(main=f"{FIRST}, nn.ReLU(), {SECOND}"), "leave out batch normalisation"),
    (
        NUMBERS,
        block(around="nn.Identity() if (i, s) == (o, 1) else nn.Conv2d(i, o, 1, s, bias=False)"),
        "batch normalisation after the projection",
    ),
    (NUMBERS, block(result="self.main(x) + self.around(x)"), "ReLU after the addition"),
    (NUMBERS, block(result="self.main(x).relu() + self.around(x)"), "before the addition, not"),
    (NUMBERS, block(result="self.main(x).relu()"), "you leave out the shortcut"),
    (NUMBERS, block(main=f"{FIRST}, {NORM}, {SECOND}, {NORM}"), "leave out the ReLU between"),
    (NUMBERS, block(main=f"{FIRST}, nn.ReLU(), {NORM}, {SECOND}, {NORM}"), "before the batch norm"),
    (
        NUMBERS,
        block(
            main=f"nn.Conv2d(i, o, 3, 1, 1, bias=False), {NORM}, nn.ReLU(), "
            f"nn.Conv2d(o, o, 3, s, 1, bias=False), {NORM}"
        ),
        "the stride to the second convolution",
    ),
    (NUMBERS, block(result="(self.main(x) + self.around(x).relu()).relu()"), "through a ReLU"),
    (NUMBERS, block(result="(self.main(x) + self.around(x)).relu().detach()"), "no gradient"),
    (NUMBERS, own_norm(result="self.main(x).relu() + self.around(x)"), "before the addition, not"),
    (NUMBERS, own_norm(shift="1.0", scale="0.0", result="self.main(x).relu() + self.around(x)"),
     "before the addition, not"),
    (NUMBERS, own_norm(batch="True"), "in evaluation mode"),
    (NUMBERS, own_norm(added="0.0"), "your block never uses around.1.a_shift"),
    (COUNTED, count(condition="False"), "you leave out the projection"),
    (COUNTED, count(condition="True"), "although the shapes agree"),
    (COUNTED, count(condition="i != o"), "the projection for stride 2"),
    (COUNTED, count(norms="0", projection="i * o"), "you forget batch normalisation"),
    (COUNTED, count(projection="i * o"), "batch normalisation after the projection"),
    (COUNTED, count(middle="3 * w * w"), "k weights"),
    (COUNTED, count(width="i // 4"), "a quarter of in_channels"),
    (COUNTED, count(norms="2 * w + o"), "a scale and a shift"),
    (STAGED, ALWAYS, "every block has the stride"),
    (STAGED, stage("nn.Sequential(block(i, o, s), *[block(o, o, 1)] * (n - 1))"), "its own w"),
    (STAGED, ALWAYS.replace("o, s) for _ in range(n - 1)", "o, 1) for _ in range(n)"), "4 blocks"),
    (STAGED, ALWAYS.replace("block(o, o, s)", "block(i, o, 1)"), "gets 8"),
    (STAGED, stage("[block(i, o, s)]"), "return one module"),
    (STAGED, OWN_STAGE.format(keep="list"), "does not know all parameters"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
