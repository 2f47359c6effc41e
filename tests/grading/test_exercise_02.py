"""Exercise 02 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "02_why_not_mlps"
SETUP = "import torch\nfrom torch import nn"

COUNT = """
def mlp_parameters(sizes):
    total = 0
    for i in range({first}, len(sizes)):
        total += {layer}
    return total
"""
LAYER = "sizes[i - 1] * sizes[i] + sizes[i]"
SHUFFLE = """
def shuffle_pixels(images, order):
    N, C, H, W = images.shape
    return {shuffled}

def unshuffle_pixels(images, order):
    out = torch.empty_like(images).flatten(2)
    out[:, :, order] = images.flatten(2)
    return {back}
"""
TAKEN = "images.reshape(N, C, H * W).index_select(2, order).reshape(N, C, H, W)"
BACK = "out.view(images.shape)"
TWIN = """
def twin_weight(weight, order, num_channels):
    columns = torch.cat([order + c * len(order) for c in range({channels})])
    return weight{columns}
"""


def count(layer=LAYER, first=1):
    return COUNT.format(layer=layer, first=first)


def shuffle(shuffled=TAKEN, back=BACK):
    return SHUFFLE.format(shuffled=shuffled, back=back)


def twin(columns="[:, columns]", channels="num_channels"):
    return TWIN.format(columns=columns, channels=channels)


BUILT = """
def mlp_parameters(sizes):
    net = nn.Sequential(*(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])))
    return sum(p.numel() for p in net.parameters())
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("num_parameters", count()),
        ("num_parameters", BUILT),
        ("shuffle", shuffle()),
        ("twin", twin()),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source}, setup=SETUP)


COUNT_CHECK, SHUFFLE_CHECK, TWIN_CHECK = "num_parameters_check", "shuffle_check", "twin_check"
EACH_ITS_OWN = "torch.stack([i.flatten(1)[:, torch.randperm(H * W)].view(C, H, W) for i in images])"
WRONG = [
    (COUNT_CHECK, count("sizes[i - 1] * sizes[i]"), "you forget the biases"),
    (COUNT_CHECK, count("sizes[i - 1] * sizes[i] + sizes[i - 1]"), "each number that goes in"),
    (COUNT_CHECK, count(first=2), "12 is not the right number"),
    (COUNT_CHECK, count("sizes[i - 1] * sizes[i] + 1"), "52 is what you get if"),
    (COUNT_CHECK, count("float(sizes[i - 1] * sizes[i] + sizes[i])"), "a whole number"),
    (SHUFFLE_CHECK, shuffle("images"), "you do not shuffle at all"),
    (SHUFFLE_CHECK, shuffle(TAKEN.replace("order)", "order.argsort())")), "the wrong way"),
    (SHUFFLE_CHECK, shuffle(TAKEN.replace("(N, C, H, W)", "(N, C, H * W)")), "the shape stays"),
    (SHUFFLE_CHECK, shuffle(EACH_ITS_OWN), "differs"),
    (SHUFFLE_CHECK, shuffle(back="shuffle_pixels(images, order)"), "once more, not back"),
    (SHUFFLE_CHECK, shuffle(back="images"), "the shuffled images as they are"),
    (SHUFFLE_CHECK, shuffle(back="shuffle_pixels(images, order.flip(0))"), "order backwards"),
    (TWIN_CHECK, twin(""), "you leave the weights where they are"),
    (TWIN_CHECK, twin("[:, columns.argsort()]"), "the wrong way"),
    (TWIN_CHECK, twin(channels="1"), "(3, 6), expected (3, 12): the twin has as many weights"),
    (TWIN_CHECK, twin("[:, columns].flip(0)"), "differs"),
    (TWIN_CHECK, twin("[:, columns].tolist()"), "return a tensor, not list"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding):
    exercise.assert_rejects(check, source, finding, setup=SETUP)
