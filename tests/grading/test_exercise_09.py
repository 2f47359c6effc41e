"""Exercise 09 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "09_vgg"
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"

BLOCK = """
class VGGBlock(nn.Module):
    def __init__(self, in_channels, out_channels, layers):
        super().__init__()
        modules, c_in, c_out = [], in_channels, out_channels
        for k in map(int, layers.split()):
            modules += [{unit}]
            c_in = {then}
        modules += [{pool}]
        self.net = {net}
    def forward(self, x):
        {forward}
        return {result}
"""


def block(**other):
    options = {
        "unit": "nn.Conv2d(c_in, c_out, k, padding=k // 2), nn.ReLU()",
        "then": "c_out",
        "pool": "nn.MaxPool2d(2)",
        "net": "nn.Sequential(*modules)",
        "forward": "pass",
        "result": "self.net(x)",
    }
    return BLOCK.format(**(options | other))


SUBCLASS = """
class VGGBlock(nn.Sequential):
    def __init__(self, in_channels, out_channels, layers):
        sizes = [int(k) for k in layers.split()]
        channels = [in_channels] + [out_channels] * (len(sizes) - 1)
        super().__init__()
        for i, (c, k) in enumerate(zip(channels, sizes)):
            self.add_module(f"conv{i}", nn.Conv2d(c, out_channels, (k, k), padding="same"))
            self.add_module(f"relu{i}", nn.ReLU(inplace=True))
        self.add_module("pool", nn.MaxPool2d(kernel_size=2, stride=2))
"""
BARE_PARAMETERS = """
class VGGBlock(nn.Module):
    def __init__(self, in_channels, out_channels, layers):
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for k in layers.split():
            weight = 0.1 * torch.randn(out_channels, in_channels, int(k), int(k))
            self.weights.append(weight)
            self.biases.append(torch.zeros(out_channels))
            in_channels = out_channels
    def forward(self, x):
        for weight, bias in zip(self.weights, self.biases):
            x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
            x = torch.where(x > 0, x, 0.0)
        n, c, h, w = x.shape
        x = x[..., : h // 2 * 2, : w // 2 * 2]
        return x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
"""
FEATURES = """
def make_features(blocks, in_channels):
    made, c = [], in_channels
    for c_out, layers in blocks:
        made.append(VGGBlock(c, c_out, layers))
        {then}
    return {result}
"""


def features(then="c = c_out", result="nn.Sequential(*made)"):
    return FEATURES.format(then=then, result=result)


RECURSIVE = """
def make_features(blocks, in_channels):
    (c, layers), *rest = blocks
    block = VGGBlock(in_channels, c, layers)
    return nn.Sequential(block, make_features(rest, c)) if rest else block
"""
MERGED = """
def merged_kernel(first, second):
    k, m = len(first), len(second)
    pad = (m - 1,) * 4
    return {result}
"""
BY_CONVOLUTION = "F.conv2d(F.pad(first, pad)[None, None], second.flip(0, 1)[None, None])[0, 0]"


def merged(result=BY_CONVOLUTION):
    return MERGED.format(result=result)


LOOPS = """
def merged_kernel(first, second):
    k, m = len(first), len(second)
    out = torch.zeros(k + m - 1, k + m - 1)
    for a in range(k):
        for b in range(k):
            for c in range(m):
                for d in range(m):
                    out[a + c, b + d] += first[a, b] * second[c, d]
    return out
"""
BY_FOURIER = """
def merged_kernel(first, second):
    size = (len(first) + len(second) - 1,) * 2
    return torch.fft.ifft2(torch.fft.fft2(first, s=size) * torch.fft.fft2(second, s=size)).real
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("block", block()),
        ("block", SUBCLASS),
        ("block", BARE_PARAMETERS),
        ("features", features()),
        ("features", RECURSIVE),
        ("merged", merged()),
        ("merged", LOOPS),
        ("merged", BY_FOURIER),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    answers = {task: source} | ({"block": SUBCLASS} if task == "features" else {})
    exercise.assert_passes(**answers, setup=SETUP)


SHAPES, NUMBERS = "block_shapes_check", "block_numbers_check"
FEATURES_CHECK, MERGED_CHECK = "features_check", "merged_check"
CONV = "nn.Conv2d(c_in, c_out, k, padding=k // 2)"
WRONG = [
    (SHAPES, block(pool=""), "you leave out the pooling at the end"),
    (SHAPES, block(unit="nn.Conv2d(c_in, c_out, k), nn.ReLU()"), "do not pad the convolutions"),
    (SHAPES, block(pool="nn.MaxPool2d(3, 2)"), "pooling windows are 3x3"),
    (SHAPES, block(unit=f"{CONV}, nn.ReLU(), nn.MaxPool2d(2)", pool=""), "after each convolution"),
    (SHAPES, block(unit="nn.Conv2d(c_in, c_out, k, padding=1), nn.ReLU()"), "every kernel by 1"),
    (SHAPES, block(pool="nn.MaxPool2d(2, ceil_mode=True)"), "your pooling rounds up"),
    (SHAPES, block(then="c_in"), "your code stopped with RuntimeError"),
    (SHAPES, block(unit="nn.Conv2d(c_in, 64, k, padding=k // 2), nn.ReLU()", then="64"),
     "(2, 64, 6, 5), expected (2, 8, 6, 5)"),
    (SHAPES, block(result="[self.net(x)]"), "must return one tensor"),
    (SHAPES, "from course_utils.models.vgg import VGGBlock", "borrowed from course_utils"),
    (NUMBERS, block(unit="nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False), nn.ReLU()"),
     "have no biases"),
    (NUMBERS, block(unit=f"{CONV}, nn.BatchNorm2d(c_out), nn.ReLU()"), "batch normalisation"),
    (NUMBERS, block(unit=f"*(modules[-2:] if len(modules) > 2 else [{CONV}, nn.ReLU()])"),
     "two of your layers share their weights"),
    (NUMBERS, block(net="[nn.Sequential(*modules)]", result="self.net[0](x)"), "a plain list"),
    (NUMBERS, block(unit=CONV), "you leave out the ReLUs"),
    (NUMBERS, block(unit=CONV, pool="nn.ReLU(), nn.MaxPool2d(2)"), "the last convolution only"),
    (NUMBERS, block(pool="nn.AvgPool2d(2)"), "you pool the average"),
    (NUMBERS, block(result="self.net[-1](self.net[:-2](x))"), "you put no ReLU after the last"),
    (NUMBERS, block(unit=f"{CONV}, nn.Sigmoid()"), "differs"),
    (NUMBERS, block(unit="nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU()"), "kernels of [3]"),
    (NUMBERS, block(forward="layers = list(self.net[:-1]); same = self.net[0].in_channels == "
     "self.net[0].out_channels; x = nn.Sequential(*[m for i in range(0, len(layers), 2) for m in "
     "layers[len(layers) - 2 - i : len(layers) - i]])(x) if same else self.net[:-1](x)",
     result="self.net[-1](x)"), "the opposite order"),
    (FEATURES_CHECK, features(then="pass"), "does it read as many channels"),
    (FEATURES_CHECK, features(result="made"), "return a module, not a list"),
    (FEATURES_CHECK, features(result="nn.Sequential(*made[:-1])"), "block 2"),
    (FEATURES_CHECK, features(result="nn.Sequential(*made, nn.MaxPool2d(2))"),
     "at the end, expected"),
    (FEATURES_CHECK, features(result="nn.Sequential(*made, nn.Conv2d(c, c, 1))"), "418 is not"),
    (FEATURES_CHECK, "from course_utils.models.vgg import VGGBlock\n" + features(), "borrowed"),
    (FEATURES_CHECK, "def make_features(blocks, in_channels):\n"
     "    return nn.Sequential(VGGBlock(3, 4, '3'), VGGBlock(4, 6, '3 1'))", "read as many"),
    (MERGED_CHECK, merged(BY_CONVOLUTION.replace(".flip(0, 1)", "")), "you rotate second"),
    (MERGED_CHECK, merged(BY_CONVOLUTION.replace("second.flip(0, 1)", "second")
     .replace("F.pad(first", "F.pad(first.flip(0, 1)")), "you rotate the result by 180 degrees"),
    (MERGED_CHECK, merged(BY_CONVOLUTION.replace("F.pad(first", "F.pad(first.flip(0, 1)")),
     "you rotate first by 180 degrees"),
    (MERGED_CHECK, merged(f"{BY_CONVOLUTION}.T"), "you swap rows and columns"),
    (MERGED_CHECK, merged("first * second"), "number by number"),
    (MERGED_CHECK, merged("first @ second"), "as matrices"),
    (MERGED_CHECK, merged(BY_CONVOLUTION.replace("F.pad(first, pad)", "first")), "(1, 1), exp"),
    (MERGED_CHECK, merged("F.conv2d(first[None, None], second[None, None])[0, 0]"),
     "you keep only full overlaps"),
    (MERGED_CHECK, merged("torch.tensor([[1.0, 2, 0], [3, 14, 20], [0, 30, 40]])"),
     "expected (5, 5)"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    others = {"block": SUBCLASS} if check == FEATURES_CHECK else {}
    exercise.assert_rejects(check, source, finding, setup=SETUP, **others)
