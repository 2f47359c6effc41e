"""Exercise 10 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "10_googlenet"
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"

INCEPTION = """
class Inception(nn.Module):
    def __init__(self, in_channels, one, three, five, pool):
        super().__init__()
        c = in_channels
        {before}
        self.d = nn.Sequential({d})
        self.b = nn.Sequential({b})
        self.a = nn.Sequential({a})
        self.c = nn.Sequential({c})
    def forward(self, x):
        outputs = [self.a(x), self.b(x), self.c(x), self.d(x)]
        return {result}
"""


def inception(**other):
    """Write the module with something changed; the paths are made in another order."""
    options = {
        "before": "R = nn.ReLU",
        "a": "nn.Conv2d(c, one, 1), R()",
        "b": "nn.Conv2d(c, three[0], 1), R(), nn.Conv2d(three[0], three[1], 3, padding=1), R()",
        "c": "nn.Conv2d(c, five[0], 1), R(), nn.Conv2d(five[0], five[1], 5, padding=2), R()",
        "d": "nn.MaxPool2d(3, 1, 1), nn.Conv2d(c, pool, 1), R()",
        "result": "torch.cat(outputs, dim=1)",
    }
    return INCEPTION.format(**(options | other))


RELU_AT_THE_END = inception(
    a="nn.Conv2d(c, one, 1)",
    b="nn.Conv2d(c, three[0], (1, 1)), R(), nn.Conv2d(three[0], three[1], 3, padding='same')",
    c="nn.Conv2d(c, five[0], 1), R(), nn.Conv2d(five[0], five[1], 5, padding='same')",
    d="nn.MaxPool2d(3, 1, 1), nn.Conv2d(c, pool, 1)",
    result="torch.cat(outputs, dim=-3).clamp(min=0)",
)
OWN_UNIT = """
class Unit(nn.Module):
    def __init__(self, c_in, c_out, k):
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(c_out, c_in, k, k))
        self.bias = nn.Parameter(torch.zeros(c_out))
    def forward(self, x):
        return F.relu(F.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2))

class Inception(nn.Module):
    def __init__(self, in_channels, one, three, five, pool):
        super().__init__()
        self.paths = nn.ModuleList([
            Unit(in_channels, one, 1),
            nn.Sequential(Unit(in_channels, three[0], 1), Unit(three[0], three[1], 3)),
            nn.Sequential(Unit(in_channels, five[0], 1), Unit(five[0], five[1], 5)),
            nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Unit(in_channels, pool, 1)),
        ])
    def forward(self, x):
        n, _, h, w = x.shape
        maps = [path(x) for path in self.paths]
        out = torch.empty(n, sum(m.shape[1] for m in maps), h, w)
        start = 0
        for m in maps:
            out[:, start : start + m.shape[1]] = m
            start += m.shape[1]
        return out
"""
WORK = """
def inception_multiply_adds(in_channels, one, three, five, pool, height, width):
    c = in_channels
    layers = [{layers}]
    return {result}
"""
LAYERS = (
    "(c, one, 1), (c, three[0], 1), (three[0], three[1], 3), "
    "(c, five[0], 1), (five[0], five[1], 5), (c, pool, 1)"
)


def work(layers=LAYERS, result="sum(a * b * k**2 * height * width for a, b, k in layers)"):
    """Write the count with something changed."""
    return WORK.format(layers=layers, result=result)


BY_TORCH = """
def inception_multiply_adds(in_channels, one, three, five, pool, height, width):
    rows = [(in_channels, one + three[0] + five[0] + pool, 1), (*three, 3), (*five, 5)]
    weights = [nn.Conv2d(a, b, k, device="meta").weight.numel() for a, b, k in rows]
    return height * width * sum(weights)
"""
HEAD = """
class AveragingHead(nn.Module):
    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.last = {last}
    def forward(self, maps):
        return {result}
"""


def head(result="self.last(maps.mean((2, 3)))", last="nn.Linear(in_channels, num_classes)"):
    return HEAD.format(result=result, last=last)


BY_LAYERS = head(
    "self.last(maps)",
    "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, num_classes, 1), nn.Flatten())",
)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("inception", inception()),
        ("inception", RELU_AT_THE_END),
        ("inception", OWN_UNIT),
        ("work", work()),
        ("work", BY_TORCH),
        ("head", head()),
        ("head", head("self.last(maps.flatten(2).sum(-1) / maps[0, 0].numel())")),
        ("head", BY_LAYERS),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


SHAPES, NUMBERS = "inception_shapes_check", "inception_numbers_check"
WORK_CHECK, HEAD_CHECK = "work_check", "head_check"
NO_INNER = {
    "b": "nn.Conv2d(c, three[0], 1), nn.Conv2d(three[0], three[1], 3, padding=1), R()",
    "c": "nn.Conv2d(c, five[0], 1), nn.Conv2d(five[0], five[1], 5, padding=2), R()",
}
POOL = "nn.Conv2d(c, pool, 1), R()"
NO_BIASES = inception(before="R = nn.ReLU; C = lambda *a, **k: nn.Conv2d(*a, bias=False, **k)")
NO_BIASES = NO_BIASES.replace("(nn.Conv2d", "(C").replace(", nn.Conv2d", ", C")
WRONG = [
    (SHAPES, inception(result="torch.cat(outputs[:3], dim=1)"), "you leave out the pooling path"),
    (SHAPES, inception(d="nn.MaxPool2d(3, 1, 1)"), "leave out the 1x1 convolution"),
    (SHAPES, inception(result="torch.cat([*outputs, self.b[0](x), self.c[0](x)], 1)"),
     "you concatenate the reductions' maps"),
    (SHAPES, inception(result="torch.cat([self.a(x), self.b[0](x), self.c[0](x), self.d(x)], 1)"),
     "only the reductions' maps"),
    (SHAPES, inception(b="nn.Conv2d(c, three[0], 1), R(), nn.Conv2d(three[0], three[1], 3), R()"),
     "does each keep height and width?"),
    (SHAPES, inception(d=f"nn.MaxPool2d(3, padding=1), {POOL}"), "keep height and width?"),
    (SHAPES, inception(result="outputs"), "return one tensor"),
    (SHAPES, inception(result="torch.cat(outputs, 1)[..., 1:]"), "padded to keep H and W"),
    (SHAPES, inception(result="sum(outputs)"), "your code stopped with RuntimeError"),
    (SHAPES, inception(a="nn.Conv2d(20, one, 1), R()"), "your code stopped with RuntimeError"),
    (SHAPES, "from course_utils.models.googlenet import Inception", "borrowed"),
    (NUMBERS, NO_BIASES, "no biases"),
    (NUMBERS, inception(c="nn.Conv2d(c, five[0], 1), R(), "
     "nn.Conv2d(five[0], five[1], 3, padding=1), R()"), "where you need 5x5 filters"),
    (NUMBERS, inception(b="nn.Conv2d(c, three[1], 3, padding=1), R()",
     c="nn.Conv2d(c, five[1], 5, padding=2), R()"), "put their reductions first"),
    (NUMBERS, inception(before="R = nn.Identity"), "you leave out all ReLUs"),
    (NUMBERS, inception(before="R = nn.Sigmoid"), "differs"),
    (NUMBERS, inception(**NO_INNER), "you put no ReLU after the reductions"),
    (NUMBERS, inception(d=f"nn.AvgPool2d(3, 1, 1), {POOL}"), "you pool the average"),
    (NUMBERS, inception(d=f"nn.ZeroPad2d(1), nn.MaxPool2d(3, 1), {POOL}"), "zeros around the maps"),
    (NUMBERS, inception(d=f"nn.Identity(), {POOL}"), "you do not pool"),
    (NUMBERS, inception(d=f"{POOL}, nn.MaxPool2d(3, 1, 1)"), "the pooling after its convolution"),
    (NUMBERS, inception(result="torch.cat(outputs[::-1], 1)"), "order pooling, 5x5, 3x3, 1x1"),
    (NUMBERS, inception(result="torch.cat([m.detach() for m in outputs], 1)"), "no gradient"),
    (WORK_CHECK, work(result="sum(a * b * k**2 for a, b, k in layers)"), "weight once"),
    (WORK_CHECK, work(result="sum(a * b * k**2 * height**2 for a, b, k in layers)"), "the height"),
    (WORK_CHECK, work(result="sum(a * b * k * height * width for a, b, k in layers)"), "k weights"),
    (WORK_CHECK, work(result="sum((a * k**2 + 1) * b * height * width for a, b, k in layers)"),
     "you count the biases"),
    (WORK_CHECK, work(result="sum((a * k**2 + 1) * b for a, b, k in layers)"), "parameters, not"),
    (WORK_CHECK, work(LAYERS.removesuffix(", (c, pool, 1)")), "you leave out the path"),
    (WORK_CHECK, work("(c, one, 1), (*three, 3), (*five, 5), (c, pool, 1)"), "cost nothing"),
    (WORK_CHECK, work("(c, one, 1), (c, three[1], 3), (c, five[1], 5), (c, pool, 1)"),
     "you leave out the reductions"),
    (WORK_CHECK, work("(c, one, 1), (c, three[0], 1), (c, three[1], 3), (c, five[0], 1), "
     "(c, five[1], 5), (c, pool, 1)"), "not only what the reduction leaves"),
    (WORK_CHECK, work(result="2160.0"), "return a whole number"),
    (WORK_CHECK, work(result="2160"), "is not the right number"),
    (HEAD_CHECK, head("self.last(maps.amax((2, 3)))"), "the largest number"),
    (HEAD_CHECK, head("self.last(maps.sum((2, 3)))"), "you add each map up"),
    (HEAD_CHECK, head("self.last(maps.mean((2, 3))).softmax(1)"), "a softmax"),
    (HEAD_CHECK, head("self.last(maps.mean((2, 3))).log_softmax(1)"), "a log-softmax"),
    (HEAD_CHECK, head("self.last(maps.mean((2, 3))).relu()"), "logits may be negative"),
    (HEAD_CHECK, head("self.last(maps.relu().mean((2, 3)))"), "a ReLU before the mean"),
    (HEAD_CHECK, head("self.last(maps.mean((2, 3)).relu())"), "a ReLU after the mean"),
    (HEAD_CHECK, head(last="nn.Linear(in_channels, num_classes, bias=False)"), "has no bias"),
    (HEAD_CHECK, head("self.last(maps.flatten(1))", "nn.Linear(2 * in_channels, num_classes)"),
     "reads every position"),
    (HEAD_CHECK, head("self.last(maps.mean((2, 3), keepdim=True))",
     "nn.Conv2d(in_channels, num_classes, 1)"), "(1, 3, 1, 1), expected (1, 3): one logit"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
