"""Exercise 11 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "11_normalization"
SETUP = "import torch\nfrom torch import nn"

NORM = """
class BatchNorm2d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        flat = x.transpose(0, 1).flatten(1)
        m = flat.shape[1]
        if {mode}:
            mu, var = {statistics}
            {track}
        else:
            mu, var = {estimates}
        column = lambda v: v[None, :, None, None]
        y = (x - column(mu)) / {deviation}
        return {result}
"""
TRACK = (
    "a, b = self.momentum, m / (m - 1); "
    "self.running_mean = ({old}) * self.running_mean + ({new}) * mu{detach}; "
    "self.running_var = ({old}) * self.running_var + ({new}) * {unbiased}{detach}"
)


def track(old="1 - a", new="a", unbiased="(b * var)", detach=".detach()"):
    return TRACK.format(old=old, new=new, unbiased=unbiased, detach=detach)


def norm(**other):
    options = {
        "mode": "self.training",
        "statistics": "flat.mean(1), ((flat - flat.mean(1)[:, None]) ** 2).mean(1)",
        "track": track(),
        "estimates": "self.running_mean, self.running_var",
        "deviation": "(column(var) + self.eps) ** 0.5",
        "result": "y * column(self.weight) + column(self.bias)",
    }
    return NORM.format(**(options | other))


CHANNEL_BY_CHANNEL = (
    norm().split("    def forward")[0]
    + """
    def forward(self, x):
        channels = []
        for c in range(x.shape[1]):
            values = x[:, c]
            mean, variance = self.running_mean[c], self.running_var[c]
            if self.training:
                mean, variance = values.mean(), values.var(correction=0)
                with torch.no_grad():
                    for row, new in ((self.running_mean, mean), (self.running_var, values.var())):
                        row[c] += self.momentum * (new - row[c])
            values = (values - mean) / (variance + self.eps).sqrt()
            channels.append(self.weight[c] * values + self.bias[c])
        return torch.stack(channels, dim=1)
"""
)
IN_DOUBLE = (
    norm()
    .replace(
        "(num_features))\n        self.register", "(num_features).double())\n        self.register"
    )
    .replace("ones(num_features))\n\n", "ones(num_features).double())\n\n")
)
GROUP = """
def group_norm(x, num_groups, eps=1e-5):
    N, C, H, W = x.shape
    t = {grouped}
    var, mean = torch.var_mean(t, dim={dims}, correction={correction}, keepdim=True)
    return ({numerator} / {deviation}){back}
def layer_norm(x): return {layer}
def instance_norm(x): return {instance}
"""


def group(**other):
    options = {
        "grouped": "x.reshape(N, num_groups, C // num_groups, H, W)",
        "dims": "(2, 3, 4)",
        "correction": "0",
        "numerator": "(t - mean)",
        "deviation": "(var + eps).sqrt()",
        "back": ".reshape(x.shape)",
        "layer": "group_norm(x, 1)",
        "instance": "group_norm(x, x.shape[1])",
    }
    return GROUP.format(**(options | other))


GROUP_LOOPS = """
def group_norm(x, num_groups, eps=1e-5):
    out = torch.empty_like(x)
    size = x.shape[1] // num_groups
    for i in range(len(x)):
        for start in range(0, x.shape[1], size):
            part = x[i, start : start + size]
            variance = ((part - part.mean()) ** 2).mean()
            out[i, start : start + size] = (part - part.mean()) / (variance + eps) ** 0.5
    return out
def layer_norm(x):
    return torch.stack([(p - p.mean()) / (p.var(correction=0) + 1e-5).sqrt() for p in x])
def instance_norm(x):
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / (x.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
"""
HE_BY_CASES = """
def he_std(layer):
    if isinstance(layer, nn.Linear):
        return (2 / layer.in_features) ** 0.5
    height, width = layer.kernel_size
    return (2 / (layer.in_channels // layer.groups * height * width)) ** 0.5
"""
HE_BY_TORCH = """
def he_std(layer):
    fan_in, _ = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    return nn.init.calculate_gain("relu") / fan_in**0.5
"""
HE_BY_NUMPY = """
import numpy as np
def he_std(layer): return np.sqrt(2 / np.prod(layer.weight.shape[1:]))
"""


def he(result):
    """Return a function whose result is written with the layer's weight w."""
    return f"def he_std(layer):\n    w = layer.weight\n    return float({result})"


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("batch_norm", norm()),
        ("batch_norm", CHANNEL_BY_CHANNEL),
        ("batch_norm", IN_DOUBLE),
        ("group_norm", group()),
        ("group_norm", GROUP_LOOPS),
        ("he", HE_BY_CASES),
        ("he", HE_BY_TORCH),
        ("he", HE_BY_NUMPY),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


TRAINING, EVALUATION = "batch_norm_training_check", "batch_norm_evaluation_check"
GROUPS, ENDS, HE = "group_norm_check", "ends_check", "he_check"
NO_GRAPH = "flat.mean(1).detach(), flat.var(1, correction=0).detach()"
ONE_MEAN = "x.mean().expand(x.shape[1]), x.var(correction=0).expand(x.shape[1])"
FIXED_EPS = "(column(var) + 1e-5) ** 0.5"
WRONG = [
    (TRAINING, norm(statistics="flat.mean(1), flat.var(1)"), "m - 1"),
    (TRAINING, norm(deviation="(column(var) + self.eps)"), "by its square root"),
    (TRAINING, norm(result="y"), "you leave out scale and shift"),
    (TRAINING, norm(result="y * column(self.weight)"), "you leave out the shift"),
    (TRAINING, norm(result="(y + column(self.bias)) * column(self.weight)"), "add it last"),
    (TRAINING, norm(statistics=ONE_MEAN), "you take one mean for all channels"),
    (TRAINING, norm(mode="False"), "you use the running estimates in training mode"),
    (TRAINING, norm(deviation=FIXED_EPS), "you always take 1e-5 for eps"),
    (TRAINING, norm(deviation="(column(var) ** 0.5 + self.eps)"), "it belongs under it"),
    (TRAINING, norm(statistics=NO_GRAPH), "gradients do not flow through mean and variance"),
    (TRAINING, norm(result="nn.functional.batch_norm(x, None, None, training=True)"),
     "torch's own batch_norm"),
    (TRAINING, "BatchNorm2d = nn.BatchNorm2d", "torch's own batch_norm"),
    (TRAINING, "from course_utils.models.normalization import BatchNorm2dByHand as BatchNorm2d",
     "borrowed"),
    (EVALUATION, norm(track="pass"), "running_mean: your output is what you get if you do"),
    (EVALUATION, norm(track=track(unbiased="var")), "you track the biased variance"),
    (EVALUATION, norm(track=track(old="a", new="1 - a")), "the share of the old value"),
    (EVALUATION, norm(track=track(old="0", new="1")), "you forget the old value"),
    (EVALUATION, norm(track=track(unbiased="(b * var).sqrt()")), "you track a standard deviation"),
    (EVALUATION, norm(track=track(detach="")), "keeps the graph of every batch"),
    (EVALUATION, norm(track=track(old="0.9", new="0.1")), "you always take 0.1 for momentum"),
    (EVALUATION, norm(estimates="flat.mean(1), flat.var(1, correction=0)"), "own statistics"),
    (EVALUATION, norm(estimates="self.running_mean, self.running_var ** 2"), "by its square root"),
    (EVALUATION, norm(estimates="self.running_mean.mul_(1.1) / 1.1, self.running_var"), "moves"),
    (GROUPS, group(grouped="x.reshape(N, C // num_groups, num_groups, H, W)"), "the size of a"),
    (GROUPS, group(grouped="x.reshape(N, C // num_groups, num_groups, H, W)", dims="(1, 3, 4)"),
     "its channels are neighbours"),
    (GROUPS, group(correction="1"), "m - 1"),
    (GROUPS, group(deviation="(var + eps)"), "by its square root"),
    (GROUPS, group(deviation="1"), "do not divide"),
    (GROUPS, group(dims="(1, 2, 3, 4)"), "you take all channels as one group"),
    (GROUPS, group(dims="(3, 4)"), "each channel as a group of its own"),
    (GROUPS, group(dims="(0, 2, 3, 4)"), "stays within an image"),
    (GROUPS, group(dims="(2,)"), "you take a mean for each pixel"),
    (GROUPS, group(deviation="(var + 1e-5).sqrt()"), "you always take 1e-5 for eps"),
    (GROUPS, group(back=""), "your output is (1, 2, 3, 1, 1), expected (1, 6, 1, 1)"),
    (GROUPS, "from torch.nn.functional import group_norm\nlayer_norm = instance_norm = None",
     "torch's own group_norm"),
    (ENDS, group(layer="group_norm(x, x.shape[1])"), "that is instance norm"),
    (ENDS, group(instance="group_norm(x, 1)"), "that is layer norm"),
    (ENDS, group(layer="group_norm(x.transpose(1, 3), x.shape[3]).transpose(1, 3)"), "each pixel"),
    (ENDS, group(layer="(x - x.mean()) / x.std(correction=0)"), "all images together"),
    (ENDS, group(instance="(x - x.mean((0, 2, 3))[:, None, None]) "
     "/ x.std((0, 2, 3), correction=0)[:, None, None]"), "that is batch norm"),
    (HE, he("2 / w[0].numel()"), "you return the variance"),
    (HE, he("(2 / w.shape[1]) ** 0.5"), "you count only the channels"),
    (HE, he("(2 / (len(w) * w[0, 0].numel())) ** 0.5"), "you count the outputs"),
    (HE, he("(1 / w[0].numel()) ** 0.5"), "the half that ReLU"),
    (HE, he("(2 / w.numel()) ** 0.5"), "the whole layer's weights"),
    (HE, he("(2 / (w[0].numel() + 1)) ** 0.5"), "you count the bias"),
    (HE, he("(2 / (w.shape[1] * w.shape[2] ** 2)) ** 0.5"), "you take the kernel to be square"),
    (HE, he("(2 / (layer.in_channels * w[0, 0].numel())) ** 0.5"), "you ignore the groups"),
    (HE, "def he_std(layer): return (2 / layer.weight[0].numel() * torch.ones(())).sqrt()",
     "return a number, not Tensor"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
