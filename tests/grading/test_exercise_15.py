"""Exercise 15 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "15_showdown"

STAGE = """
def make_stage(in_channels, out_channels, row):
    layers = nn.Sequential()
    for k in row.split():
        k = int(k)
        layers.append({conv})
        {act}
        in_channels = {then}
    {pool}
    return layers
"""


def stage(
    conv='nn.Conv2d(in_channels, out_channels, k, padding="same")',
    act="layers.append(nn.ReLU())",
    then="out_channels",
    pool="layers.append(nn.MaxPool2d(2))",
):
    return STAGE.format(conv=conv, act=act, then=then, pool=pool)


NESTED = """
def make_stage(in_channels, out_channels, row):
    sizes = [int(k) for k in row.split()]
    channels = [in_channels] + [out_channels] * len(sizes)
    units = [
        nn.Sequential(nn.Conv2d(a, b, k, 1, (k - 1) // 2), nn.ReLU(inplace=True))
        for a, b, k in zip(channels, channels[1:], sizes)
    ]
    return nn.Sequential(nn.Sequential(*units), nn.MaxPool2d(kernel_size=2, stride=2))
"""
CAM = """
def cam(maps, gradients, size):
    weights = {weights}
    coarse = {coarse}
    return {out}
"""


def cam(
    weights="gradients.mean(dim=(2, 3))",
    coarse='torch.einsum("nk,nkhw->nhw", weights, maps).clamp(min=0)',
    out='F.interpolate(coarse[:, None], size, mode="bilinear", align_corners=False).squeeze(1)',
):
    return CAM.format(weights=weights, coarse=coarse, out=out)


LOOPED = """
def cam(maps, gradients, size):
    found = []
    for picture, gradient in zip(maps, gradients):
        total = sum(g.mean() * m for g, m in zip(gradient, picture))
        total = torch.where(total > 0, total, torch.zeros_like(total))
        found.append(F.interpolate(total[None, None], size=size, mode="bilinear")[0, 0])
    return torch.stack(found)
"""
FRONT = """
def pareto_front(rows):
    return {{a for a, x, c in rows if not any({beats} for _, y, d in rows)}}
"""
BEATS = "y >= x and d <= c and (y, d) != (x, c)"
SORTED = """
def pareto_front(rows):
    front, best, price = set(), -1, None
    for name, accuracy, cost in sorted(rows, key=lambda row: (row[2], -row[1])):
        if accuracy > best or (accuracy == best and cost == price):
            front.add(name)
            best, price = accuracy, cost
    return front
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("stage", stage()),
        ("stage", NESTED),
        ("cam", cam()),
        ("cam", LOOPED),
        ("front", FRONT.format(beats=BEATS)),
        ("front", SORTED),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source})


CONV = "nn.Conv2d(in_channels, out_channels, k, padding=k // 2"
WRONG_STAGES = [
    (stage(conv="nn.Conv2d(in_channels, out_channels, k)"), "expected (8, 16, 16): look at its"),
    (stage(conv="nn.Conv2d(in_channels, out_channels, k, padding=1)"), 'for the row "3 3 1"'),
    (stage(conv="nn.Conv2d(in_channels, out_channels, 3, padding=1)"), "kernel_size=(1, 1)"),
    (stage(conv=CONV + ", bias=False)"), "your layer 1 is"),
    (stage(then="in_channels"), "your model stops after layer 1"),
    (stage(conv="nn.Conv2d(in_channels, in_channels, k, padding=1)"), "expected Conv2d(3, 8"),
    (stage(act="pass"), "look at the activation, pool or sum between it and layer 1"),
    (stage(act="layers.append(nn.Sigmoid())"), "look at the activation"),
    (stage(act="layers.append(nn.BatchNorm2d(out_channels)); layers.append(nn.ReLU())"), "layer 2"),
    (stage(pool="pass"), "your output is (2, 8, 16, 16), expected (2, 8, 8, 8)"),
    (stage(pool="layers.append(nn.AvgPool2d(2))"), "look at what follows layer 2"),
    (stage(pool="layers.append(nn.MaxPool2d(3, stride=2, padding=1))"), "look at what follows"),
    (stage(pool="return list(layers)"), "return an nn.Sequential, not list"),
    (
        "from course_utils.models.vgg import VGGBlock\ndef make_stage(a, b, row):\n"
        "    return VGGBlock(a, b, row)",
        "VGGBlock is borrowed from course_utils.models.vgg",
    ),
    ("def make_stage(a, b, row): return None", "not answered yet"),
]


@pytest.mark.parametrize(("source", "finding"), WRONG_STAGES)
def test_a_wrong_stage_is_named(exercise, source, finding):
    result = exercise.grade(stage=source)["stage_check"]
    assert result.score == 0
    assert finding in result.finding


SUM = 'torch.einsum("nk,nkhw->nhw", weights, maps)'
WRONG_MAPS = [
    (cam(coarse=SUM), "you leave out the ReLU"),
    (cam(coarse="(weights[:, :, None, None] * maps).relu().sum(1)"), "before the sum"),
    (cam(weights="gradients", coarse="(weights * maps).sum(1).relu()"), "not their means"),
    (
        cam(weights="gradients.mean(1, True)", coarse="(weights * maps).sum(1).relu()"),
        "the maps, not over",
    ),
    (cam(weights="gradients.mean(dim=(2, 3)).abs()"), "you drop the signs of the weights"),
    (cam(weights="gradients.sum(dim=(2, 3))"), "you add the gradients up"),
    (cam(coarse=SUM + ".relu() / maps.shape[1]"), "you average over the maps"),
    (cam(out="F.interpolate(coarse[:, None], size)[:, 0]"), "repeating pixels"),
    (
        cam(coarse=SUM, out='F.interpolate(coarse[:, None], size, mode="bilinear")[:, 0].relu()'),
        "you apply ReLU after upsampling",
    ),
    (cam(out="coarse"), "not (1, 2, 2)"),
    (
        cam(out='F.interpolate(coarse[:, None], size, mode="bilinear")'),
        "your output is (1, 1, 2, 2)",
    ),
    (
        cam(out='F.interpolate(coarse[:, None], size, mode="bilinear", align_corners=True)[:, 0]'),
        "your output differs from the right one",
    ),
    (cam(coarse=SUM.replace("maps", "maps.mul_(2)") + ".relu() / 2"), "changes the tensors"),
    (cam(out="None"), "not answered yet"),
]


@pytest.mark.parametrize(("source", "finding"), WRONG_MAPS)
def test_a_wrong_map_is_named(exercise, source, finding):
    result = exercise.grade(cam=source)["cam_check"]
    assert result.score == 0
    assert finding in result.finding


WRONG_FRONTS = [
    (FRONT.format(beats="y > x and d < c"), "P is on your front"),
    (FRONT.format(beats="y > x and d <= c"), "as accurate but cost more"),
    (FRONT.format(beats="y >= x and d < c"), "cost as much but are less accurate"),
    (FRONT.format(beats="y >= x and d <= c"), "is missing from your front"),
    (FRONT.format(beats="y > x"), "A is missing from your front"),
    (FRONT.format(beats="d < c"), "missing from your front"),
    (FRONT.format(beats="y <= x and d >= c and (y, d) != (x, c)"), "on your front"),
    ("def pareto_front(rows): return ['A', 'B', 'D']", "return a set, not list"),
    ("def pareto_front(rows): return {'A', 'B', 'D'}", "is on your front"),
    (SORTED.replace(" or (accuracy == best and cost == price)", ""), "T is missing"),
    ("def pareto_front(rows): return None", "not answered yet"),
]


@pytest.mark.parametrize(("source", "finding"), WRONG_FRONTS)
def test_a_wrong_front_is_named(exercise, source, finding):
    result = exercise.grade(front=source)["front_check"]
    assert result.score == 0
    assert finding in result.finding


WRONG_NUMBERS = [
    ("halving_block", "9*c*2*c + 9*4*c*c", "you leave out batch normalisation"),
    ("halving_block", "2 * 9*c*c + 4*c", "keep its number of channels"),
    ("halving_block", "9*c*2*c + 9*4*c*c + 8*c + 4*c", "biases that are not there"),
    ("halving_block", "9*c*2*c + 9*4*c*c + 8*c + 2*c*c + 4*c", "option A pads with zeros"),
    ("one_place", "(a*g + b*h) / 10", "you keep a negative sum"),
    ("one_place", "a + b", "without their weights"),
    ("one_place", "(a*g - b*h) / 10", "evidence against the class"),
    ("standard_error", "100 * a/100 * (1 - a/100) / n", "square root"),
    ("standard_error", "100 * (a/100 * (1 - a/100)) ** 0.5", "a single image"),
    ("standard_error", "50 / n**0.5", "worst case"),
]


@pytest.mark.parametrize(("name", "formula", "finding"), WRONG_NUMBERS)
def test_a_wrong_number_is_answered_by_its_rule(exercise, name, formula, finding, monkeypatch):
    from course_utils import quiz

    for student in map(str, range(200)):  # until the rule gives something of its own
        monkeypatch.setenv("COURSE_STUDENT", student)
        numbers = quiz.numbers("exercises/15_showdown", name, "")
        if name != "one_place" or numbers["a"] * numbers["g"] < -numbers["b"] * numbers["h"]:
            break
    value = eval(formula, {}, dict(numbers))
    result = exercise.grade(**{name: f"{name} = {value!r}"})[f"{name}_check"]
    assert result.score == 0
    assert finding in result.finding
