"""Exercise 10 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* maps concatenated along another axis: https://github.com/mattmacy/vnet.pytorch/issues/1
* images that are normalised in place, again in each epoch:
  https://github.com/pytorch/vision/issues/680
* auxiliary heads that might have a say in the prediction:
  https://github.com/NVIDIA/DIGITS/issues/942
"""

import pytest

SLUG = "10_googlenet"

EVIDENCE = """
def evidence(maps, weight, bias):
    each = torch.einsum("nchw,kc->nkhw", maps, weight)
    logits = F.linear(maps.mean((2, 3)), weight, bias)[..., None, None]
    return {result}
"""


def evidence(result="each + bias[:, None, None]"):
    return EVIDENCE.format(result=result)


CHANNELS_LAST = """
def evidence(maps, weight, bias):
    return F.linear(maps.movedim(1, -1).double(), weight.double(), bias.double()).movedim(-1, 1)
"""
LOOPS = """
def evidence(maps, weight, bias):
    n, c, h, w = maps.shape
    found = bias.view(1, -1, 1, 1).repeat(n, 1, h, w)
    for k in range(len(weight)):
        for i in range(c):
            found[:, k] += weight[k, i] * maps[:, i]
    return found
"""
REDUCTIONS = """
def reductions(in_channels, ends, height, width, max_multiply_adds):
    c, (one, three, five, pool) = in_channels, ends
    size = {size}
    p, q, fixed = {p}, {q}, {fixed}
    for r5 in {order}:
        left = max_multiply_adds - size * (fixed + q * r5)
        r3 = min(left // (size * p), {most})
        if {fine}:
            return {result}
"""


def reductions(
    size="height * width",
    p="c + 9 * three",
    q="c + 25 * five",
    fixed="c * (one + pool)",
    order="range(1, c)",
    most="c - 1",
    fine="r3 >= 1 and left - size * p * r3 < size * min(p, q)",
    result="(r3, r5)",
):
    return REDUCTIONS.format(
        size=size, p=p, q=q, fixed=fixed, order=order, most=most, fine=fine, result=result
    )


BY_SUMMARY = """
from course_utils.models.googlenet import Inception
def reductions(in_channels, ends, height, width, max_multiply_adds):
    one, three, five, pool = ends
    def work(r3, r5):
        with torch.device("meta"):
            module = Inception(in_channels, one, (r3, three), (r5, five), pool)
        return summary(module, (in_channels, height, width)).multiply_adds
    r = [1, 1]
    slope = [work(2, 1) - work(1, 1), work(1, 2) - work(1, 1)]
    start = work(1, 1)
    cost = lambda r: start + slope[0] * (r[0] - 1) + slope[1] * (r[1] - 1)
    while True:
        wider = [[r[0] + 1, r[1]], [r[0], r[1] + 1]]
        fits = [each for each in wider if cost(each) <= max_multiply_adds]
        if not fits:
            return r
        r = fits[0] if len(fits) == 1 or r[0] < 2 * r[1] else fits[1]
"""
REPAIR = """
def join(paths, x):
    {centre}
    return {joined}

def outputs(net, images):
    maps = join(net.paths, images)
    logits = net.classifier(net.top(maps).mean(dim=(2, 3)))
    head = net.head(maps.mean(dim=(2, 3)))
    {done}
"""


def repair(
    centre="x = x - x.mean(dim=(2, 3), keepdim=True)",
    joined="torch.cat([path(x).relu() for path in paths], dim=1)",
    done="return (logits, head) if net.training else logits",
):
    return REPAIR.format(centre=centre, joined=joined, done=done)


FUNCTIONAL = """
def join(paths, x):
    x = x.clone()
    x -= x.flatten(2).mean(-1)[..., None, None]
    kernels = torch.cat([F.pad(p.weight, [2 - p.padding[0]] * 4) for p in paths])
    biases = torch.cat([p.bias for p in paths])
    return F.relu(F.conv2d(x, kernels, biases, padding=2))

def outputs(net, images):
    maps = join(net.paths, images)
    found = [net.classifier(F.adaptive_avg_pool2d(net.top(maps), 1).flatten(1))]
    if net.training:
        found.append(torch.einsum("nchw,kc->nk", maps, net.head.weight) / maps[0, 0].numel()
                     + net.head.bias)
        return found
    return found[0]
"""
STACKED = """
def join(paths, x):
    means = torch.stack([image.view(len(image), -1).mean(1) for image in x])
    return torch.stack([p((x.double() - means.view(*means.shape, 1, 1)).float()).clamp(min=0)
                        for p in paths], dim=1).flatten(1, 2)

def outputs(net, images):
    maps = join(net.paths, images)
    logits = net.classifier(net.top(maps).sum((-2, -1)) / images.shape[2] / images.shape[3])
    if net.training is False:
        return logits
    return logits, net.head(maps.mean(-1).mean(-1))
"""
FIRST = 'predicted = "plain"'
EXPERIMENT = """
def work(w, r=None):
    return summary(small_net(w, r), (1, 28, 28)).multiply_adds
plain, reduced = {plain}, {reduced}
wide = {wide}
gaps = torch.tensor(reduced, dtype=torch.float64) - torch.tensor(plain, dtype=torch.float64)
difference, error = {difference}, {error}
"""
NEAREST = "min(range(4, 97, 4), key=lambda w: abs(work(w, w // 4) - work(own_width(student_id))))"


def experiment(
    plain="[0.61, 0.64, 0.59]",
    reduced="[0.65, 0.63, 0.64]",
    wide=NEAREST,
    difference="gaps.mean().item()",
    error="(gaps.var() / 3).sqrt().item()",
):
    return EXPERIMENT.format(
        plain=plain, reduced=reduced, wide=wide, difference=difference, error=error
    )


BY_FORMULA = """
import statistics
target = 9 * plain_width ** 2 * 3 + 9 * plain_width
costs = {w: 3 * (w * w // 4 + 9 * w * w // 4) + 9 * w for w in range(4, 200, 4)}
wide = min(costs, key=lambda w: abs(costs[w] * 196 + 10 * w - target * 196 - 10 * plain_width))
plain, reduced = (0.65, 0.70, 0.72), (0.66, 0.69, 0.66)
gaps = [b - a for a, b in zip(plain, reduced)]
difference, error = statistics.mean(gaps), statistics.stdev(gaps) / len(gaps) ** 0.5
"""
WITH_NUMPY = """
import numpy as np
target = summary(small_net(plain_width), (1, 28, 28)).multiply_adds
wide = 4
while summary(small_net(wide + 4, wide // 4 + 1), (1, 28, 28)).multiply_adds <= target:
    wide += 4
near = [abs(summary(small_net(w, w // 4), (1, 28, 28)).multiply_adds - target)
        for w in (wide, wide + 4)]
wide += 4 * int(near[1] < near[0])
plain, reduced = np.float64([0.61, 0.73, 0.7]).tolist(), np.float64([0.78, 0.7, 0.71]).tolist()
gaps = np.subtract(reduced, plain)
difference, error = float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(3))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("evidence", evidence()),
        ("evidence", CHANNELS_LAST),
        ("evidence", LOOPS),
        ("reductions", reductions()),
        ("reductions", reductions(order="range(c - 1, 0, -1)", result="[r3, r5]")),
        ("reductions", BY_SUMMARY),
        ("repair", repair()),
        ("repair", FUNCTIONAL),
        ("repair", STACKED),
        ("experiment", experiment()),
        ("experiment", BY_FORMULA),
        ("experiment", WITH_NUMPY),
        ("experiment", experiment(reduced="[0.65, 0.1, 0.64]")),  # a net that has not started
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


EVIDENCE_IS, REDUCTIONS_ARE, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("evidence", "reductions", "repair", "experiment")
)
PLAIN = "own_width(student_id)"
BY_3X3 = NEAREST.replace("work(w, w // 4)", "27 * w * w // 4 + 9 * w").replace(
    f"work({PLAIN})", f"27 * {PLAIN} ** 2 - 9 * {PLAIN}"
)
WRONG = [
    # What the check at home lets through.
    (EVIDENCE_IS, evidence("logits.expand_as(each)"), "you give every position", True),
    (EVIDENCE_IS, evidence("(each + bias[:, None, None]).mT"), "swap rows and columns", True),
    (EVIDENCE_IS, evidence("(each + bias[:, None, None]).flip(2, 3)"), "rotate the posit", True),
    (EVIDENCE_IS, evidence("(each + bias[:, None, None]).flip(3)"), "reverse the columns", True),
    (EVIDENCE_IS, evidence("logits + 2 * (each - each.mean((2, 3), keepdim=True))"), "differs",
     True),
    (REDUCTIONS_ARE, reductions(size="height ** 2"), "", True),
    (REDUCTIONS_ARE, BY_SUMMARY.replace("<= max_multiply_adds", "< max_multiply_adds"),
     "do not use up", True),
    (REDUCTIONS_ARE, reductions(size="width ** 2"), "", True),
    (REDUCTIONS_ARE, reductions(order="range(8, c)"), "not answered yet", True),
    (REDUCTIONS_ARE, reductions(order="[1]", fine="True"), "do not use up", True),
    (REDUCTIONS_ARE, reductions(most="left"), "cannot reduce", True),
    (REDUCTIONS_ARE, reductions(fine="r3 > 8 and left - size * p * r3 < size * min(p, q)"),
     "not answered yet", True),
    (REPAIR_IS, repair(centre="x -= x.mean(dim=(2, 3), keepdim=True)"), "Your join changes", True),
    (REPAIR_IS, repair(done="return (logits, head) if net.training else logits + 0.3 * head"),
     "you still add the head's logits", True),
    (REPAIR_IS, repair(done="return (logits, head) if net.training else head"),
     "you return the head's logits", True),
    (REPAIR_IS, repair(done="return (head, logits) if net.training else logits"),
     "the head's logits first", True),
    (REPAIR_IS, repair(done="images += 1\n    return (logits, head) if net.training else logits"),
     "changes the images", True),
    (REPAIR_IS, repair(done="return (logits, 2 * head) if net.training else logits"), "", True),
    (REPAIR_IS, repair(done="return [logits] if net.training else logits"), "two tensors", False),
    (REPAIR_IS, repair(centre="pass"), "you do not subtract", True),
    (REPAIR_IS, repair(centre="x = x - x.mean(dim=(1, 2, 3), keepdim=True)"), "one mean for", True),
    (REPAIR_IS, repair(joined="torch.cat([path(x) for path in paths], dim=1)"), "leave out the R",
     True),
    (REPAIR_IS, repair(joined="torch.cat([p(x).relu() for p in reversed(paths)], dim=1)"),
     "the opposite order", True),
    (REPAIR_IS, repair(joined="sum(p(x).relu() for p in paths).repeat(1, 3, 1, 1)"),
     "you add the paths", True),
    (REPAIR_IS, repair(done="logits = logits if net.training else logits.detach()\n"
     "    return (logits.detach(), head) if net.training else logits"), "No gradient", True),
    (REPAIR_IS, repair(done="head = net.head(maps.detach().mean(dim=(2, 3)))\n"
     "    return (logits, head) if net.training else logits"), "from the head to the paths", True),
    (REPAIR_IS, repair(done="was = net.training\n    net.eval()\n"
     "    return (logits, head) if was else logits"), "changes the mode of the net", True),
    (EXPERIMENT_IS, experiment("[0.41, 0.44, 0.42]"), "not 0.41: did you train it?", True),
    (EXPERIMENT_IS, experiment(wide=PLAIN), "you keep the width", True),
    (EXPERIMENT_IS, experiment(wide=f"2 * {PLAIN} - 8"), "is not the right number", True),
    (EXPERIMENT_IS, experiment(wide=BY_3X3), "the work of the 1x1 layers", True),
    (EXPERIMENT_IS, experiment(difference="-gaps.mean().item()"), "the plain net's", True),
    (EXPERIMENT_IS, experiment(difference="gaps.sum().item()"), "you add the differences", True),
    (EXPERIMENT_IS, experiment(difference="gaps.median().item()"), "you take the median", True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item()"), "root of the number of", True),
    (EXPERIMENT_IS, experiment(error="gaps.std(correction=0).item() / 3 ** 0.5"), "not by n - 1",
     True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item() / 3"), "not by its square root", True),
    (EXPERIMENT_IS, experiment(error="gaps.var().item() / 3"), "variance of the mean", True),
    # What it finds.
    (EVIDENCE_IS, evidence("each"), "you leave out the bias", False),
    (EVIDENCE_IS, evidence("each + bias[:, None, None] / 16"), "you divide the bias", False),
    (EVIDENCE_IS, evidence("(each + bias[:, None, None]) / 16"), "you divide the logit", False),
    (EVIDENCE_IS, evidence("0 * each"), "differs", False),
    (EVIDENCE_IS, evidence("logits"), "expected (2, 4, 4, 4)", False),
    (REDUCTIONS_ARE, reductions(p="9 * three", q="25 * five"), "are allowed", False),
    (REDUCTIONS_ARE, reductions(result="(1, 1)"), "do not use up", False),
    (REDUCTIONS_ARE, reductions(result="(0, r5)"), "cannot reduce", False),
    (REDUCTIONS_ARE, reductions(most="c"), "cannot reduce", None),
    (REDUCTIONS_ARE, reductions(fixed="0"), "are allowed", False),
    (REDUCTIONS_ARE, reductions(size="1"), "", False),
    (REDUCTIONS_ARE, reductions(fine="r3 >= 1", result="(r3 - 1, r5)"), "do not use up", False),
    (REDUCTIONS_ARE, reductions(result="r3"), "a tuple of whole numbers", False),
    (REPAIR_IS, repair(joined="torch.cat([path(x).relu() for path in paths], dim=2)"),
     "expected input", False),
    (REPAIR_IS, repair(done="return logits"), "return two tensors", False),
    (REPAIR_IS, repair(done="return logits, head"), "your outputs has the shape", False),
    (EXPERIMENT_IS, experiment(plain="[0.0, 0.0, 0.0]"), "what `trained_accuracy`", False),
    (EXPERIMENT_IS, experiment(reduced="[0.75, 0.75, 0.75]"), "what `trained_accuracy`", False),
    (EXPERIMENT_IS, experiment(plain="[71.0, 74.0, 69.0]"), "what `trained_accuracy`", False),
    (EXPERIMENT_IS, experiment(plain="[0.91, 0.94, 0.92]"), "what `trained_accuracy`", False),
    (EXPERIMENT_IS, experiment() + "\nplain = plain[:2]", "what `trained_accuracy`", False),
    (EXPERIMENT_IS, experiment(wide="30"), "not a multiple of 4", False),
    (EXPERIMENT_IS, experiment(error="gaps.std() / 3 ** 0.5"), "a Python float", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


def test_an_answer_to_one_brief_alone_earns_nothing(exercise):
    space = exercise.setup()
    exec(reductions(), space)
    chosen = space["reductions"](*space["your_brief"](""))
    source = f"def reductions(in_channels, ends, height, width, work):\n    return {chosen}"
    exercise.assert_rejects("reductions_check", source, "(")
    assert exercise.seen["reductions_check"]


@pytest.mark.parametrize("predicted", ["None", "'deep'"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["plain", "reduced"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted!r}", experiment=experiment())
    assert f"you predicted {predicted} and measured +0.027 ± 0.019" in capsys.readouterr().out


def test_everybody_has_a_brief_that_can_be_fulfilled_and_a_width(exercise, monkeypatch):
    space, briefs, widths = exercise.setup(), set(), set()
    exec(reductions(), space)
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        brief = space["your_brief"]("")
        assert min(space["reductions"](*brief)) >= 1
        briefs.add(brief)
        widths.add(space["own_width"](""))
    assert len(briefs) == 20 and len(widths) >= 3
