"""Exercise 11 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* running statistics that go on changing in fine-tuning:
  https://github.com/speedinghzl/Pytorch-Deeplab/issues/17
* gradients set to 0 for every part of a batch: https://github.com/bytetriper/RAE/issues/67
* a loss that is a sum over the parts: https://github.com/agokrani/distillKitPlus/issues/5
* predictions made in training mode: https://github.com/prokia/drugVQA/issues/7
"""

import pytest
import torch

SLUG = "11_normalization"

FOLD = """
def fold_forwards(weight, gamma, beta, mean, variance, eps):
    scale = {scale}
    added = {added}
    return {result}
"""


def fold(
    scale="gamma * (variance + eps).rsqrt()",
    added="beta - mean * scale",
    result="weight * scale.view(1, -1, 1, 1), torch.einsum('kchw,c->k', weight, added)",
):
    return FOLD.format(scale=scale, added=added, result=result)


BY_RUNNING = """
def fold_forwards(weight, gamma, beta, mean, variance, eps):
    k, c, h, w = weight.shape
    norm = nn.BatchNorm2d(c, eps=eps).eval()
    norm.weight.data, norm.bias.data = gamma, beta
    norm.running_mean, norm.running_var = mean, variance
    with torch.no_grad():
        bias = F.conv2d(norm(torch.zeros(1, c, h, w)), weight).flatten()
        unit = torch.eye(c * h * w).view(-1, c, h, w)
        answers = F.conv2d(norm(unit), weight).flatten(1) - bias
    return answers.T.reshape(weight.shape), bias
"""
IN_DOUBLE = """
def fold_forwards(weight, gamma, beta, mean, variance, eps):
    weight, gamma, beta, mean, variance = (
        each.double() for each in (weight, gamma, beta, mean, variance))
    flat = weight.flatten(2).movedim(1, -1)
    scale = gamma / torch.sqrt(variance + eps)
    bias = (flat @ (beta - scale * mean)).sum(1)
    return (flat * scale).movedim(-1, 1).reshape(weight.shape).float(), bias.float()
"""
STATISTICS = """
def statistics(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        x = {x}
        count = count + {count}
        total = total + {total}
        squares = squares + {squares}
    mean = total / count
    variance = {variance}
    return {result}
"""


def statistics(
    x="batch.double()",
    count="x.numel() / x.shape[1]",
    total="x.sum((0, 2, 3))",
    squares="(x ** 2).sum((0, 2, 3))",
    variance="(squares / count - mean ** 2) * count / (count - 1)",
    result="mean, variance",
):
    return STATISTICS.format(
        x=x, count=count, total=total, squares=squares, variance=variance, result=result
    )


MERGED = """
def statistics(batches):
    m, mean, spread = 0, 0.0, 0.0
    for batch in batches:
        rows = batch.transpose(0, 1).flatten(1)
        n, new = rows.shape[1], rows.mean(1)
        apart = new - mean
        spread = spread + (rows - new[:, None]).square().sum(1) + apart ** 2 * m * n / (m + n)
        mean, m = mean + apart * n / (m + n), m + n
    return [mean, spread / (m - 1)]
"""
SHIFTED = """
import numpy as np
def statistics(batches):
    shift, sums = None, np.zeros(3)
    for batch in batches:
        x = batch.numpy().astype(np.float64)
        if shift is None:
            shift = x.mean((0, 2, 3), keepdims=True)
            sums = np.zeros((3, x.shape[1]))
        d = x - shift
        sums += np.stack([np.ones_like(d).sum((0, 2, 3)), d.sum((0, 2, 3)), (d * d).sum((0, 2, 3))])
    n, one, two = sums
    return (torch.from_numpy(shift.ravel() + one / n),
            torch.from_numpy((two - one ** 2 / n) / (n - 1)))
"""
AVERAGED = """
def statistics(batches):
    means, inside = [], []
    for batch in batches:
        row = batch.transpose(0, 1).flatten(1)
        means.append(row.mean(1))
        inside.append(({variance})(row))
    means, inside = torch.stack(means), torch.stack(inside)
    return {result}
"""
KEPT = """
def statistics(batches):
    rows = {rows}
    every = torch.cat(rows, dim=1)
    return every.mean(1), every.var(1)
"""


def averaged(variance="lambda row: row.var(1)", result="means.mean(0), inside.mean(0)"):
    return AVERAGED.format(variance=variance, result=result)


REPAIR = """
def step(net, optimizer, images, labels):
    {mode}
    {zero}
    total = 0.0
    for image, label in zip(images.split({most}), labels.split({most})):
        {each}
        loss = F.cross_entropy(net(image), label)
        ({share} * loss).backward()
        total += loss.item()
    optimizer.step()
    return {loss}

def predict(net, images):
    {switch}
    with torch.no_grad():
        return {classes}
"""


def repair(
    mode="net.eval()",
    zero="optimizer.zero_grad()",
    most="1",
    each="pass",
    share="1 / len(images)",
    loss="total / len(images)",
    switch="net.eval()",
    classes="net(images).argmax(1)",
):
    return REPAIR.format(
        mode=mode, zero=zero, most=most, each=each, share=share, loss=loss, switch=switch,
        classes=classes,
    )  # fmt: skip


ONLY_NORMS = """
def step(net, optimizer, images, labels):
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    pairs = zip(images.split(1), labels.split(1), strict=True)
    losses = [F.cross_entropy(net(image), label) for image, label in pairs]
    loss = torch.stack(losses).mean()
    net.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)

@torch.inference_mode()
def predict(net, images):
    return torch.cat([net.eval()(image[None]).softmax(1).argmax(1) for image in images])
"""
BY_GRADIENTS = """
def step(net, optimizer, images, labels):
    net.train(False)
    parameters = list(net.parameters())
    sums, total = [torch.zeros_like(p) for p in parameters], 0.0
    for image, label in zip(images, labels):
        loss = -net(image.unsqueeze(0)).log_softmax(1)[0, label]
        for s, g in zip(sums, torch.autograd.grad(loss, parameters)):
            s += g
        total += loss.item() / len(labels)
    for p, s in zip(parameters, sums):
        p.grad = s / len(labels)
    optimizer.step()
    return total

def predict(net, images):
    was = net.training
    net.eval()
    classes = net(images).detach().max(dim=1).indices
    net.train(was)
    return classes
"""
FIRST = "predicted = 3"
EXPERIMENT = """
import math
plain, normalised = {plain}, {normalised}
gaps = torch.tensor(normalised).double().log2() - torch.tensor(plain).double().log2()
doublings, error = {doublings}, {error}
"""


def experiment(
    plain="[0.25, 0.125, 0.25]",
    normalised="[4.0, 8.0, 2.0]",
    doublings="gaps.mean().item()",
    error="(gaps.var() / 3).sqrt().item()",
):
    return EXPERIMENT.format(plain=plain, normalised=normalised, doublings=doublings, error=error)


BY_INDEX = """
import statistics as st
plain, normalised = (RATES[4], RATES[3], RATES[4]), (RATES[8], RATES[8], RATES[9])
gaps = [RATES.index(b) - RATES.index(a) for a, b in zip(plain, normalised)]
doublings, error = float(st.fmean(gaps)), st.stdev(gaps) / 3 ** 0.5
"""
ALL_EQUAL = """
import numpy as np
plain, normalised = [0.25] * 3, [4] * 3
gaps = np.log2(np.divide(normalised, plain))
doublings, error = float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(3))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("fold", fold()),
        ("fold", BY_RUNNING),
        ("fold", IN_DOUBLE),
        (
            "fold",
            fold(scale="gamma.double() * (variance + eps).rsqrt()").replace(
                ", weight, added", ", weight.double(), added"
            ),
        ),
        ("statistics", statistics()),
        ("statistics", MERGED),
        ("statistics", SHIFTED),
        ("repair", repair()),
        ("repair", ONLY_NORMS),
        ("repair", BY_GRADIENTS),
        ("experiment", experiment()),
        ("experiment", BY_INDEX),
        ("experiment", ALL_EQUAL),
        ("experiment", experiment("[0.5, 0.125, 0.25]", "[8, 4, 2]")),  # rounded otherwise
        ("experiment", experiment("[0.125, 0.125, 0.25]", "[2, 4, 2]")),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


FOLD_IS, STATISTICS_ARE, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("fold", "statistics", "repair", "experiment")
)
IN_LOOP = "optimizer.zero_grad()"
WRONG = [
    # What the check at home lets through.
    (FOLD_IS, fold(scale="gamma * variance.rsqrt()"), "you leave out eps", True),
    (FOLD_IS, fold(added="beta"), "you leave out the running mean", True),
    (FOLD_IS, fold(added="beta + mean * scale"), "you add the running mean", True),
    (FOLD_IS, fold(result="weight * scale.view(1, -1, 1, 1),"
                   " torch.einsum('kchw,c->k', weight, added) / weight[0, 0].numel()"),
     "one weight per kernel", True),
    (STATISTICS_ARE, statistics(variance="squares / count - mean ** 2"), "not by one less", True),
    (STATISTICS_ARE, statistics(x="batch"), "float32 has too few digits", True),
    (STATISTICS_ARE, statistics(variance="squares / count"), "mean square", True),
    (STATISTICS_ARE, statistics(result="mean, variance.sqrt()"), "standard deviation", True),
    (STATISTICS_ARE, averaged(), "you average the batches' variances", True),
    (STATISTICS_ARE, averaged(result="means.mean(0), means.var(0)"), "of the batches' means", True),
    (STATISTICS_ARE, averaged(variance="lambda row: 0 * row.mean(1) + 1"), "differs", True),
    (REPAIR_IS, repair(each=IN_LOOP), "only the last one counts", True),
    (REPAIR_IS, repair(share="1"), "for the mean, divide by", True),
    (REPAIR_IS, repair(zero="pass"), "you never set the gradients to zero", True),
    (REPAIR_IS, repair(each=IN_LOOP, share="1"), "with its full gradient", True),
    (REPAIR_IS, repair(mode="net.train()"), "moves the running estimates", True),
    (REPAIR_IS, repair(mode="net.train()\\n    for m in net.modules():"
                       "\\n        m.momentum = 0.0".replace("\\n", "\n")),
     "each image with its own statistics", True),
    (REPAIR_IS, repair(share="0.5 / len(images)"), "Your weights after three steps", True),
    (REPAIR_IS, repair(loss="total"), "you return the sum of the losses", True),
    (REPAIR_IS, repair(mode="pass"), "moves the running estimates", True),
    (REPAIR_IS, repair(switch="pass"), "depend on the other images", True),
    (REPAIR_IS, repair(classes="net(images).argmin(1)"), "depend on the other", True),
    (EXPERIMENT_IS, experiment(doublings="-gaps.mean().item()"), "to the one without", True),
    (EXPERIMENT_IS, experiment(doublings="gaps.mean().item() * math.log(2)"), "natural log", True),
    (EXPERIMENT_IS, experiment(doublings="(2 ** gaps).mean().item()"), "how many times", True),
    (EXPERIMENT_IS, experiment(doublings="math.log2(sum(normalised) / sum(plain))"),
     "the ratio of the mean rates", True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item()"), "root of the number of", True),
    (EXPERIMENT_IS, experiment(error="gaps.std(correction=0).item() / 3 ** 0.5"), "not by n - 1",
     True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item() / 3"), "not by its square root", True),
    (EXPERIMENT_IS, experiment(error="gaps.var().item() / 3"), "variance of the mean", True),
    (EXPERIMENT_IS, experiment(plain="[1.0, 0.5, 1.0]"), "without normalisation learns up", True),
    (EXPERIMENT_IS, experiment(plain="[1 / 16, 0.25, 0.25]"), "0.0625: did you train it?", True),
    (EXPERIMENT_IS, experiment(normalised="[1, 4, 4]"), "with normalisation learns up", True),
    # What it finds.
    (FOLD_IS, fold(result="weight * scale.view(-1, 1, 1, 1), weight.sum((2, 3)) @ added"),
     "you scale whole filters", False),
    (FOLD_IS, fold(scale="gamma / (variance + eps)"), "not by its square root", False),
    (FOLD_IS, fold(result="weight, weight.sum((2, 3)) @ added"), "weight as it is", False),
    (FOLD_IS, fold(result="weight * scale.view(1, -1, 1, 1), torch.zeros(len(weight))"),
     "you leave out the bias", False),
    (FOLD_IS, fold(result="weight * scale.view(1, -1, 1, 1)"), "Return two tensors", False),
    (FOLD_IS, fold(result="weight, weight.sum((2, 3)) @ added, eps"), "Return two tensors", False),
    (FOLD_IS, fold(result="weight * scale.view(1, -1, 1, 1), (weight.sum((2, 3)) @ added)[None]"),
     "has the shape (1, 3), expected (3,)", False),
    (STATISTICS_ARE, statistics(result="total, variance"), "but do not divide", False),
    (STATISTICS_ARE, KEPT.format(rows="[x.transpose(0, 1).flatten(1).double() for x in batches]"),
     "keep none of them", False),
    (STATISTICS_ARE, KEPT.format(rows="[x.transpose(0, 1).flatten(1) for x in list(batches)]"),
     "keep none of them", False),
    (STATISTICS_ARE, statistics(result="mean"), "Return two tensors", False),
    (STATISTICS_ARE, statistics(result="mean, variance.mean()"), "Your variances have", False),
    (STATISTICS_ARE, statistics(result="mean, -variance"), "cannot be negative", False),
    (REPAIR_IS, repair(most="len(images)"), "images through the net at once", False),
    (REPAIR_IS, repair(classes="net(images)"), "Your classes have the shape", False),
    (REPAIR_IS, repair(classes="None"), "not answered yet", False),
    (REPAIR_IS, repair(loss="loss"), "Return a Python float", False),
    (EXPERIMENT_IS, experiment(plain="[0.25, 0.25, 0.2]"), "three rates", False),
    (EXPERIMENT_IS, experiment(plain="[0.25] * 2", normalised="[4.0] * 2"), "three rates", False),
    (EXPERIMENT_IS, experiment(normalised="[3.0, 4.0, 4.0]"), "three rates", False),
    (EXPERIMENT_IS, experiment(error="gaps.std() / 3 ** 0.5"), "a Python float", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


@pytest.mark.parametrize("predicted", ["None", "'four'", "16"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", [-9, 6.5, 9])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted}", experiment=experiment())
    assert f"you predicted {predicted} and measured +4.3" in capsys.readouterr().out


def test_the_faults_show_in_the_symptoms(exercise):
    space = exercise.setup()
    broken = next(c.source for c in exercise.cells if c.metadata.nbgrader.grade_id == "broken")
    exec(f"{broken}\n{repair()}", space)
    torch.manual_seed(0)
    net, images, labels = space["deep_net"](4, True), torch.rand(8, 1, 28, 28), torch.arange(8)
    for name, changes in (("broken_step", True), ("step", False)):
        before = net.eval()(images).detach()
        space[name](net, torch.optim.SGD(net.parameters(), lr=0.0), images, labels)
        assert torch.equal(net.eval()(images), before) != changes


def test_everybody_has_a_width(exercise, monkeypatch):
    space, widths = exercise.setup(), set()
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        widths.add(space["own_width"](""))
    assert len(widths) >= 4 and min(widths) >= 16


def test_normalised_nets_bear_larger_rates(exercise):
    learns = exercise.setup()["learns"]
    assert learns(16, True, 2.0, 0) and not learns(16, False, 2.0, 0)
