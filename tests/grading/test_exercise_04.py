"""Exercise 04 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* zeros of the padding that count in a mean: https://github.com/VeriSilicon/TIM-VX/issues/272
* a padding that is right for even sizes only: https://github.com/brunexgeek/hqx/pull/4
* the padding of one axis given to the other: https://github.com/pytorch/pytorch/issues/37844
"""

import pytest

SLUG = "04_stride_padding_pooling"

PADDING = """
def padding_for(n, k, s, wanted):
    missing = {missing}
    return {result}
"""


def padding(missing="max(0, (wanted - 1) * s + k - n)", result="missing // 2, -(-missing // 2)"):
    return PADDING.format(missing=missing, result=result)


TRIED = """
def padding_for(n, k, s, wanted):
    before = after = 0
    while F.conv1d(torch.zeros(1, 1, n + before + after), torch.ones(1, 1, k),
                   stride=s).shape[-1] < wanted:
        before, after = after, before + 1
    return [before, after]
"""
SEEN = """
def seen_from(layers, pixel):
    start, field, jump = 0, 1, 1
    for k, s, p in layers:
        start -= {pad}
        field += {wider}
        jump *= s
    first, last = {first}, (pixel - start) // jump
    return {result}
"""


def seen(pad="p * jump", wider="(k - 1) * jump", first="-((start + field - 1 - pixel) // jump)",
         result="max(0, first), last"):  # fmt: skip
    return SEEN.format(pad=pad, wider=wider, first=first, result=result)


STEPS = """
def seen_from(layers, pixel):
    first = last = pixel
    for k, s, p in layers:
        first, last = {first}, {last}
    return {result}
"""


def steps(first="(first + p - k + s) // s", last="(last + p) // s", result="max(0, first), last"):
    return STEPS.format(first=first, last=last, result=result)


WITH_NUMPY = """
import numpy as np
def padding_for(n, k, s, wanted):
    missing = np.maximum(0, np.prod([wanted - 1.0, s]) + k - n)
    return np.floor(missing / 2), np.ceil(missing / 2)
"""
TENSORS = """
def padding_for(n, k, s, wanted):
    missing = torch.tensor((wanted - 1) * s + k - n).clamp(min=0)
    return missing // 2, (missing + 1) // 2
"""
SETS = """
def seen_from(layers, pixel):
    seeing = {pixel}
    for k, s, p in layers:
        windows = {i: range(s * i - p, s * i - p + k) for i in range(max(seeing) + p + 1)}
        seeing = {i for i, window in windows.items() if seeing & set(window)}
    return torch.tensor([min(seeing), max(seeing)])
"""
RECURSIVE = """
def seen_from(layers, pixel):
    if not layers:
        return pixel, pixel
    *below, (k, s, p) = layers
    first, last = seen_from(below, pixel)
    return [max((first + p - k) // s + 1, 0), (last + p) // s]
"""
BY_GRADIENT = """
def seen_from(layers, pixel):
    signal = torch.zeros(1, 1, 300, dtype=torch.float64, requires_grad=True)
    y = signal
    for k, s, p in layers:
        y = F.conv1d(y, torch.ones(1, 1, k, dtype=torch.float64), stride=s, padding=p)
    seeing = [i for i, each in enumerate(y[0, 0])
              if torch.autograd.grad(each, signal, retain_graph=True)[0][0, 0, pixel]]
    return seeing[0], seeing[-1]
"""
BY_FIELDS = """
from course_utils.arithmetic import Layer, receptive_fields
def seen_from(layers, i):
    field = receptive_fields([Layer(k, s, p=p) for k, s, p in layers] or [Layer(1)])[-1]
    return {result}
"""


def by_fields(result="field.start + i * field.jump, field.start + i * field.jump + field.size - 1"):
    return BY_FIELDS.format(result=result)


HALVE = """
def halve(image):
    H, W = image.shape
    image = F.pad(image[None, None], {pad}, mode="{mode}"{more})
    return {pooled}[0, 0]
"""


def halve(pad="(0, W % 2, 0, H % 2)", mode="replicate", pooled="F.avg_pool2d(image, 2)", more=""):
    return HALVE.format(pad=pad, mode=mode, pooled=pooled, more=more)


IN_PLACE = """
def halve(image):
    H, W = image.shape
    image *= 0.25
    padded = F.pad(image[None, None], (0, W % 2, 0, H % 2), mode="replicate")
    return 4 * F.avg_pool2d(padded, 2)[0, 0]
"""
CEIL = "def halve(image): return F.avg_pool2d(image[None, None], 2, ceil_mode=True)[0, 0]"
COUNTED = """
def halve(image):
    weights = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    padded = [F.pad(x, (0, x.shape[1] % 2, 0, x.shape[0] % 2))[None, None].double()
              for x in (image, torch.ones_like(image))]
    total, number = (F.conv2d(x, weights, stride=2)[0, 0] for x in padded)
    return total / number
"""
SLICES = """
def halve(image):
    for axis in (0, 1):
        image = image.movedim(axis, 0)
        odd = image[1::2] if len(image) % 2 == 0 else torch.cat([image[1::2], image[-1:]])
        image = ((image[::2] + odd) / 2).movedim(0, axis)
    return image
"""
EXPERIMENT = """
def core(depth):
    x = torch.ones(1, 1, 1 + depth * (k - 1), dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(depth):
        y = F.conv1d(y, torch.ones(1, 1, k, dtype=torch.float64) / k)
    y.sum().backward()
    shares, reach = x.grad[0, 0], 0
    middle = len(shares) // 2
    while {inside} < {share}:
        reach += 1
    return {width}

measured, four_times = {result}
"""


def experiment(inside="shares[middle - reach:middle + reach + 1].sum()", share="0.9",
               width="2 * reach + 1", result="core(num_layers), core(4 * num_layers)"):  # fmt: skip
    return EXPERIMENT.format(inside=inside, share=share, width=width, result=result)


DICE = """
import numpy as np
def core(depth):
    shares = np.ones(1)
    for _ in range(depth):
        shares = np.convolve(shares, np.full(k, 1 / k))
    sums = np.cumsum(shares)
    lost = np.searchsorted(sums, 0.05, side="right")
    return len(shares) - 2.0 * lost

measured, four_times = core(num_layers), core(4 * num_layers)
"""
EXACT = """
def core(depth):
    paths = [1]
    for _ in range(depth):
        paths = [sum(paths[max(0, i - k + 1):i + 1]) for i in range(len(paths) + k - 1)]
    inside, total = list(paths), sum(paths)
    while sum(inside[1:-1]) * 10 >= 9 * total:
        inside = inside[1:-1]
    return len(inside)

measured, four_times = core(num_layers), core(4 * num_layers)
"""
FIRST = "predicted = 11"


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("padding", padding()),
        ("padding", TRIED),
        ("padding", WITH_NUMPY),
        ("padding", TENSORS),
        ("seen", seen()),
        ("seen", steps()),
        ("seen", SETS),
        ("seen", RECURSIVE),
        ("seen", BY_GRADIENT),
        ("halve", CEIL),
        ("halve", COUNTED),
        ("halve", SLICES),
        ("experiment", experiment()),
        ("experiment", DICE),
        ("experiment", EXACT),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    before = {"padding": padding(), "prediction": FIRST}
    exercise.assert_passes(**before | {task: source})


PADDING_IS, SEEN_IS, HALVE_IS = "padding_check", "seen_check", "halve_check"
EXPERIMENT_IS = "experiment_check"
WRONG = [
    # What the check at home lets through.
    (PADDING_IS, padding(result="-(-missing // 2), -(-missing // 2)"), "same on both sides", True),
    (PADDING_IS, padding(result="missing - missing // 2, missing // 2"), "extra zero first", True),
    (PADDING_IS, padding(result="missing // 2, missing // 2"), "drop the extra zero", True),
    (PADDING_IS, padding("(wanted - 1) * s + k - n"), "allow a negative number", True),
    (PADDING_IS, padding("min(k - 1, max(0, (wanted - 1) * s + k - n))"), "expected (3, 3)", True),
    (SEEN_IS, seen(pad="0"), "that see pixel 20", True),
    (SEEN_IS, seen(pad="p"), "that see pixel 61", True),
    (SEEN_IS, seen(result="first, last"), "that see pixel 2, expected (0, 2)", True),
    (SEEN_IS, steps(result="first, last"), "that see pixel 2, expected (0, 2)", True),
    (SEEN_IS, steps(last="(last + p + s - 1) // s"), "expected (1, 3)", False),
    (SEEN_IS, steps(first="(first + p) // s"), "expected (1, 3)", False),
    (SEEN_IS, "def seen_from(layers, pixel): return 1, 3", "expected (7, 7)", True),
    (HALVE_IS, halve("(0, 0, 0, H % 2)"), "you drop the last row or column", True),
    (HALVE_IS, halve("(0, H % 2, 0, H % 2)"), "you drop the last row or column", True),
    (HALVE_IS, halve("(0, 0, 0, H % 2)", pooled="F.avg_pool2d(F.pad(image, (0, W % 2, 0, 0)), 2)"),
     "your zeros count in the mean", True),
    (HALVE_IS, IN_PLACE, "changes the image it is given", True),
    (EXPERIMENT_IS, experiment(result="1 + num_layers * (k - 1), 1 + 4 * num_layers * (k - 1)"),
     "you take the whole field", True),
    (EXPERIMENT_IS, experiment(share="0.5"), "at half of the paths", True),
    (EXPERIMENT_IS, experiment(width="2 * reach - 1"), "one pixel too early", True),
    (EXPERIMENT_IS, experiment(result="[1 + 2 * round(0.45 * d * (k - 1)) for d in "
                               "(num_layers, 4 * num_layers)]"), "nine tenths of the field", True),
    # What it finds.
    (PADDING_IS, padding("wanted * s + k - n"), "if you count one window too many", False),
    (PADDING_IS, padding(result="missing"), "Return two numbers, the zeros before", False),
    (PADDING_IS, padding(result="missing, missing"), "the whole padding on each", False),
    (PADDING_IS, padding(result="missing / 2 + 0.5, missing / 2"), "expected (2, 2)", False),
    (SEEN_IS, steps("first - k + 1", "last"), "if you leave out the strides", False),
    (SEEN_IS, steps(first="(first + p - k + 1) // s"), "you round the first output down", False),
    (SEEN_IS, seen(first="(pixel - start - field + 1) // jump"), "you round the first", False),
    (SEEN_IS, by_fields(), "the pixels that output 14 sees", False),
    (SEEN_IS, seen(result="last"), "Return two numbers, the first and last", False),
    (SEEN_IS, "def seen_from(layers, pixel): return torch.zeros(2)", "expected (1, 3)", False),
    (HALVE_IS, halve("(0, W % 2, 0, H % 2)", "constant"), "zeros count in the mean", False),
    (HALVE_IS, halve(pad="(0, 0, 0, 0)"), "you drop the last row", False),
    (HALVE_IS, halve("(0, 0, 0, H % 2)", "reflect"), "you mix the last row with", False),
    (HALVE_IS, "def halve(image): return F.adaptive_avg_pool2d(image[None], [-(-n // 2) for n in "
     "image.shape])[0]", "in overlapping blocks", False),
    (HALVE_IS, halve(pooled="4 * F.avg_pool2d(image, 2)"), "you add up the pixels", False),
    (HALVE_IS, "def halve(image): return torch.zeros(-(-image.shape[0] // 2), -(-image.shape[1] "
     "// 2))", "differs", False),
    (EXPERIMENT_IS, experiment(width="2 * reach"), "same number of pixels on both", False),
    (EXPERIMENT_IS, experiment(width="2 * reach + 1001"), "pixels wide, and the field", False),
    (EXPERIMENT_IS, experiment(width="str(reach)"), "a whole number", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    others = {"padding": padding(), "prediction": FIRST}
    exercise.assert_rejects(check, source, finding, at_home, **others)


def test_without_a_prediction_the_experiment_is_not_looked_at(exercise):
    exercise.assert_asks_for_prediction(experiment(), padding=padding())


def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(exercise, capsys):
    others = {"padding": padding(), "prediction": "predicted = 1"}
    exercise.assert_passes(experiment=experiment(), **others)
    assert "you predicted 1 pixels and measured " in capsys.readouterr().out


def test_everybody_has_a_stack_whose_core_is_smaller_than_its_field(exercise, monkeypatch):
    space, stacks = exercise.setup(), set()
    for number in range(40):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        space["k"], space["num_layers"] = space["own_stack"]("")
        stacks.add((space["k"], space["num_layers"]))
        exec(experiment(), space)
        field = 1 + space["num_layers"] * (space["k"] - 1)
        assert space["measured"] < field
        assert space["four_times"] < 2.5 * space["measured"]
    assert len(stacks) > 8
