"""Exercise 12 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "12_going_deeper"
SETUP = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"

HIGHWAY = """
class Highway(nn.Module):
    def __init__(self, d, gate_bias=-2.0):
        super().__init__()
        self.t = nn.Linear(d, d)
        self.h = nn.Linear(d, d)
        {init}
    def forward(self, x):
        t, h = {t}, {h}
        return {result}
"""
ONE_LAYER = """
class Highway(nn.Module):
    def __init__(self, d, gate_bias=-2.0):
        super().__init__()
        self.both = nn.Linear(d, 2 * d)
        self.both.bias.data[d:] = gate_bias
    def forward(self, x):
        h, t = self.both(x).chunk(2, dim=1)
        return torch.lerp(x, h.clamp(min=0), t.sigmoid())
"""
NORMS = """
def gradient_norms(model, images, labels):
    {start}
    loss = {loss}
    {backward}
    return [{norm} for p in model.parameters() if {which}]
"""
AUTOGRAD = """
def gradient_norms(model, images, labels):
    weights = [p for p in model.parameters() if p.ndim >= 2]
    loss = -model(images).log_softmax(1)[torch.arange(len(labels)), labels].mean()
    return [float((g * g).sum() ** 0.5) for g in torch.autograd.grad(loss, weights)]
"""


def highway(**other):
    options = {
        "init": "nn.init.constant_(self.t.bias, gate_bias)",
        "t": "self.t(x).sigmoid()",
        "h": "self.h(x).relu()",
        "result": "x + t * (h - x)",
    }
    return HIGHWAY.format(**(options | other))


def norms(**other):
    options = {
        "start": "model.zero_grad()",
        "loss": "F.cross_entropy(model(images), labels)",
        "backward": "loss.backward()",
        "norm": "p.grad.norm().item()",
        "which": "p.dim() > 1",
    }
    return NORMS.format(**(options | other))


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("highway", highway()),
        ("highway", ONE_LAYER),
        ("norms", norms(norm="p.grad.square().sum().sqrt().item()")),
        ("norms", AUTOGRAD),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


START, NUMBERS, MEASURED = "highway_start_check", "highway_numbers_check", "norms_check"
WRONG = [
    (START, highway(init="pass"), "no bias starts at gate_bias"),
    (START, highway(init="self.c = nn.Linear(d, d)"), "it is 1 - T"),
    (START, highway(init="self.t = nn.Linear(d, 1)"), "each unit has its own"),
    (START, highway(init="self.t = nn.Linear(d, d, bias=False)"), "your gate has no bias"),
    (START, highway(result="h * (1 - t) + x * t"), "must return x"),
    (START, highway(result="h * t + x"), "must return H(x)"),
    (START, highway().replace("=-2.0", "=-1.0"), "biases must be -2"),
    (
        START,
        "from course_utils.models.highway import HighwayLinear as Highway",
        "borrowed",
    ),
    (NUMBERS, highway(result="h * (1 - t) + x * t"), "you swap"),
    (NUMBERS, highway(result="h * t + x"), "as in a residual block"),
    (NUMBERS, highway(result="h * t"), "you carry nothing"),
    (NUMBERS, highway(h="self.h(x)"), "you leave out the ReLU in H"),
    (NUMBERS, highway(h="self.h(x).tanh()"), "you use tanh in H"),
    (NUMBERS, highway(t="self.t(x).softmax(1)"), "its units compete"),
    (NUMBERS, highway(init="nn.init.constant_(self.h.bias, gate_bias)"), "starts H's bias"),
    (NUMBERS, highway(t="self.t(x).sigmoid().detach()"), "no gradient reaches t.weight"),
    (MEASURED, norms(start="pass"), "you keep gradients from earlier"),
    (MEASURED, norms(which="True"), "expected 1: weights, no biases"),
    (MEASURED, norms(norm="p.grad.norm()"), "has .item()"),
    (MEASURED, norms(norm="p.grad.square().sum().item()"), "you forget the square root"),
    (MEASURED, norms(norm="p.norm().item()"), "of the weights"),
    (MEASURED, norms(norm="p.grad.abs().mean().item()"), "you average"),
    (
        MEASURED,
        norms(loss="F.cross_entropy(model(images), labels, reduction='sum')"),
        "take their mean",
    ),
    (MEASURED, norms().replace("model.parameters()", "[*model.parameters()][::-1]"), "reverse"),
    (
        MEASURED,
        norms(loss="F.cross_entropy(model(images).softmax(1), labels)"),
        "you put a softmax before the cross-entropy",
    ),
    (
        MEASURED,
        norms(backward="loss.backward(); torch.optim.SGD(model.parameters(), 0.1).step()"),
        "not the right number",
    ),
]


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
