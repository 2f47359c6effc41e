"""Exercise 14 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* `detach` on the way through a shortcut: https://github.com/PRBonn/lidar-bonnetal/issues/99
* dropout that does not know the mode: https://github.com/delip/PyTorchNLPBook/issues/28
"""

import pytest

SLUG = "14_densenet"

SOURCES = """
def source_strengths(weight, in_maps, growth_rate):
    size, k = {size}, weight[0, 0].numel()
    found = [size[:, :in_maps].{mean}]
    for start in range(in_maps, weight.shape[1], growth_rate):
        found.append(size[:, start : start + growth_rate].{mean})
    found = {result}
    return found
"""


def sources(size="weight.abs()", mean="mean()", result="torch.stack(found)"):
    return SOURCES.format(size=size, mean=mean, result=result)


BY_MATRIX = """
def source_strengths(weight, in_maps, growth_rate):
    number = (torch.arange(weight.shape[1]) - in_maps).div(growth_rate, rounding_mode="floor")
    belongs = F.one_hot(number.clamp(min=-1) + 1).double()
    return (torch.einsum("oihw,is->s", weight.abs().double(), belongs)
            / belongs.sum(0) / weight[:, 0].numel()).float()
"""
RESHAPED = """
def source_strengths(weight, in_maps, growth_rate):
    maps = weight.transpose(0, 1).flatten(1).norm(p=1, dim=1) / weight[:, 0].numel()
    if len(maps) == in_maps:
        return maps.mean().view(1)
    return torch.cat([maps[:in_maps].mean().view(1), maps[in_maps:].view(-1, growth_rate).mean(1)])
"""
PLAN = """
def plan(stem_maps, num_layers, last_maps, max_weights):
    best, found = 0, None
    for k in {rates}:
        for a in range(1, num_layers - 1):
            for b in range(1, num_layers - a):
                counts, maps, weights = (a, b, num_layers - a - b), stem_maps, 0
                for i, count in enumerate(counts):
                    if {between}:
                        half = {half}
                        weights += {thin}
                        maps = half
                    for _ in range(count):
                        weights += {layer}
                        maps += k
                if {fine}:
                    best, found = weights, {result}
    return found
"""


def plan(
    rates="range(1, last_maps + 1)",
    between="i",
    half="maps // 2",
    thin="maps * half",
    layer="9 * maps * k",
    fine="maps == last_maps and best < weights <= max_weights",
    result="[k, *counts]",
):
    return PLAN.format(
        rates=rates, between=between, half=half, thin=thin, layer=layer, fine=fine, result=result
    )


BY_MODEL = """
def plan(stem_maps, num_layers, last_maps, max_weights):
    fits = []
    for k in range(1, last_maps):
        for c in range(1, num_layers - 1):
            for b in range(1, num_layers - c):
                a = num_layers - b - c
                if ((stem_maps + a * k) // 2 + b * k) // 2 + c * k == last_maps:
                    with torch.device("meta"):
                        net = DenseNet(nn.Identity(), stem_maps, (a, b, c), 10, k, bottleneck=False)
                    convs = [m for m in net.blocks.modules() if isinstance(m, nn.Conv2d)]
                    fits.append((sum(m.weight.numel() for m in convs), (k, a, b, c)))
    return max(each for each in fits if each[0] <= max_weights)[1]
"""
BACKWARDS = """
from itertools import product
def plan(stem_maps, num_layers, last_maps, max_weights):
    best = {}
    for a, b in product(range(1, num_layers), repeat=2):
        c = num_layers - a - b
        for k in range(last_maps, 0, -1):
            if c < 1:
                continue
            reads, thin = [stem_maps + i * k for i in range(a)], []
            for count in (b, c):
                end = (reads[-1] + k)
                thin.append(end * (end // 2))
                reads += [end // 2 + i * k for i in range(count)]
            if reads[-1] + k == last_maps:
                best[9 * k * sum(reads) + sum(thin)] = (k, a, b, c)
    return best[max(weights for weights in best if weights <= max_weights)]
"""
REPAIR = """
def block(layers, x):
    maps = [x]
    for layer in layers:
        new = {new}
        maps = {kept}
    return {joined}

def transition(norm, thin, x):
    {before}
    mixed = {mixed}
    return {pooled}
"""


def repair(
    new="layer(maps)",
    kept="maps + [new]",
    joined="torch.cat(maps, dim=1)",
    before="pass",
    mixed="F.dropout(thin(norm(x).relu()), 0.2, training=norm.training)",
    pooled="F.avg_pool2d(mixed, 2)",
):
    return REPAIR.format(
        new=new, kept=kept, joined=joined, before=before, mixed=mixed, pooled=pooled
    )


AS_MODULES = """
class Block(nn.Module):
    def forward(self, layers, x):
        return x if not len(layers) else self(layers[1:], torch.cat([x, layers[0]([x])], 1))
block = Block()

def transition(norm, thin, x):
    drop = nn.Dropout(0.2).train(thin.training)
    return nn.Sequential(norm, nn.ReLU(), thin, drop, nn.AvgPool2d(2))(x)
"""
IN_PLACE = """
def block(layers, x):
    buffer = list(x.unbind(1))
    for layer in layers:
        buffer.extend(layer([torch.stack(buffer, dim=1)]).unbind(1))
    return torch.stack(buffer, 1)

def transition(norm, thin, x):
    y = torch.einsum("nchw,oc->nohw", F.relu(norm(x)), thin.weight[..., 0, 0])
    if norm.training:
        y = y * (torch.rand_like(y) < 0.8) / 0.8
    n, c, h, w = y.shape
    return y[:, :, : h // 2 * 2, : w // 2 * 2].view(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
"""
FIRST = "predicted = 0.5"
EXPERIMENT = """
each = {each}
worst = {worst}
whole, silenced, without = {whole}, {silenced}, {without}
a, b, c = (torch.tensor(x, dtype=torch.float64) for x in (whole, silenced, without))
reliance, need, error = {one}, {two}, {error}
"""


EACH = "[0.24, 0.27, 0.36, 0.46, 0.59, 0.7, 0.72, 0.72]"  # what the net of seed 0 reaches
MIDDLE = "[0.7, 0.61, 0.33, 0.69, 0.68, 0.66, 0.71, 0.7]"


def experiment(
    each=EACH,
    worst="each.index(min(each)) + 1",
    whole="[0.74, 0.7, 0.76]",
    silenced="[0.57, 0.42, 0.25]",
    without="[0.75, 0.64, 0.71]",
    one="(a - b).mean().item()",
    two="(a - c).mean().item()",
    error="(a - c).std().item() / 3 ** 0.5",
):
    return EXPERIMENT.format(
        each=each,
        worst=worst,
        whole=whole,
        silenced=silenced,
        without=without,
        one=one,
        two=two,
        error=error,
    )


BY_STATISTICS = """
import statistics
each = (0.16, 0.25, 0.44, 0.39, 0.6, 0.78, 0.64, 0.8)
worst = min(range(1, 9), key=lambda number: each[number - 1])
whole, silenced, without = (0.8, 0.7, 0.76), (0.49, 0.44, 0.25), (0.68, 0.64, 0.74)
reliance = statistics.fmean(whole) - statistics.fmean(silenced)
gaps = [one - other for one, other in zip(whole, without)]
need, error = statistics.fmean(gaps), statistics.stdev(gaps) / len(gaps) ** 0.5
"""
WITH_NUMPY = """
import numpy as np
each = np.linspace(0.2, 0.76, 8).tolist()
worst = int(np.argmin(each)) + 1
runs = np.array([[0.7, 0.65, 0.63], [0.52, 0.42, 0.44], [0.72, 0.61, 0.66]])
whole, silenced, without = runs.tolist()
reliance, need = (runs[0] - runs[1:]).mean(axis=1).tolist()
error = float((runs[0] - runs[2]).std(ddof=1) / np.sqrt(3))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("sources", sources()),
        ("sources", BY_MATRIX),
        ("sources", RESHAPED),
        ("plan", plan()),
        ("plan", BY_MODEL),
        ("plan", BACKWARDS),
        ("repair", repair()),
        ("repair", AS_MODULES),
        ("repair", IN_PLACE),
        ("experiment", experiment()),
        ("experiment", BY_STATISTICS),
        ("experiment", WITH_NUMPY),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


SOURCES_ARE, PLAN_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("sources", "plan", "repair", "experiment")
)
DROPPED = "F.dropout(thin(norm(x).relu()), 0.2, training=norm.training)"
WRONG = [
    # What the check at home lets through.
    (SOURCES_ARE, sources(result="torch.stack(found[::-1])"), "newest source first", True),
    (SOURCES_ARE, sources(result="weight.abs().mean().expand(len(found))"), "overall mean", True),
    (SOURCES_ARE, sources(result="torch.stack(found) * k"), "positions of the kernel", True),
    (SOURCES_ARE, sources(mean="sum() / (4 * len(weight) * k)"), "", True),
    (SOURCES_ARE, sources().replace("[:, :in_maps]", "[:, :growth_rate]"), "", True),
    (SOURCES_ARE, sources(result="torch.stack(found if len(found) > 1 else 2 * found)"),
     "one for each of the 0 earlier layers", True),
    (PLAN_IS, plan(rates="range(2, last_maps)"), "not answered yet", True),
    (PLAN_IS, plan(rates="range(1, 13)"), "", True),
    (PLAN_IS, plan(fine="maps == last_maps and best < weights < max_weights"), "", True),
    (PLAN_IS, plan(fine="a < 6 and maps == last_maps and best < weights <= max_weights"),
     "another such net within", True),
    (PLAN_IS, plan(fine="not found and maps == last_maps and weights <= max_weights"),
     "another such net within", True),
    (REPAIR_IS, repair(new="layer(maps[::-1])", joined="torch.cat(maps[::-1], 1)"),
     "the newest maps first: the weights", True),
    (REPAIR_IS, repair(joined="torch.cat(maps[::-1], 1)"), "the newest maps first in the", True),
    (REPAIR_IS, repair(joined="torch.cat(maps[1:] + maps[:1], 1)"), "after the maps of the", True),
    (REPAIR_IS, repair(joined="torch.cat(maps, 1).detach()"), "No gradient reaches", True),
    (REPAIR_IS, repair(joined="(torch.cat(maps, 1), x.data.add_(1))[0]"), "Your block changes",
     True),
    (REPAIR_IS, repair(kept="[m.detach() for m in maps] + [new]"), "Not all of the gradient", True),
    (REPAIR_IS, repair(new="layer([m.detach() for m in maps])"), "Not all of the gradient", True),
    (REPAIR_IS, repair(kept="maps + [new.detach()]"), "radient reaches", True),
    (REPAIR_IS, repair(new="layer.eval()(maps)"), "to the other mode", True),
    (REPAIR_IS, repair(mixed="F.dropout(thin(norm(x).relu()), 0.2)"), "two passes through your tra",
     True),
    (REPAIR_IS, repair(mixed="thin(norm(x).relu())"), "nothing is dropped", True),
    (REPAIR_IS, repair(mixed=DROPPED.replace("0.2", "0.5")), "drop a fifth", True),
    (REPAIR_IS, repair(mixed=DROPPED.replace("dropout", "dropout2d")), "each independently",
     True),
    (REPAIR_IS, repair(mixed="thin(norm(x).relu())",
     pooled="F.dropout(F.avg_pool2d(mixed, 2), 0.2, training=norm.training)"), "pool after that",
     True),
    (REPAIR_IS, repair(mixed="thin(norm(x).relu()) * (1.0 if not norm.training else "
     "(torch.rand(len(x), 3, *x.shape[2:]) < 0.8))"), "the mean of many passes", True),
    (REPAIR_IS, repair(mixed=f"{DROPPED} * (1 if norm.training else 0.8)"), "dropout scales them",
     True),
    (REPAIR_IS, repair(before="norm.eval()"), "changes the mode of a module", True),
    (REPAIR_IS, repair(mixed=DROPPED.replace(".relu()", "")), "you leave out the ReLU", True),
    (REPAIR_IS, repair(pooled="F.max_pool2d(mixed, 2)"), "you use max pooling", True),
    (REPAIR_IS, repair(pooled="F.avg_pool2d(mixed.detach(), 2)"), "No gradient flows", True),
    (REPAIR_IS, repair(before="x = x.relu_()"), "changes the maps", True),
    (EXPERIMENT_IS, experiment(MIDDLE, "each.index(min(each))"), "you count the layers from 0",
     True),
    (EXPERIMENT_IS, experiment(worst="each.index(max(each)) + 1"), "costs least", True),
    (EXPERIMENT_IS, experiment(one="b.mean().item()"), "the remaining accuracy", True),
    (EXPERIMENT_IS, experiment(two="(c - a).mean().item()"), "the other way round", True),
    (EXPERIMENT_IS, experiment(two="(b - c).mean().item()"), "silenced with without", True),
    (EXPERIMENT_IS, experiment(one="(a - c).mean().item()"), "the other comparison", True),
    (EXPERIMENT_IS, experiment(two="(a - c).median().item()"), "the median", True),
    (EXPERIMENT_IS, experiment(error="(a - c).std().item()"), "root of the number of", True),
    (EXPERIMENT_IS, experiment(error="(a - c).std(correction=0).item() / 3 ** 0.5"),
     "not by n - 1", True),
    (EXPERIMENT_IS, experiment(error="((a.var() + c.var()) / 3).sqrt().item()"), "as unrelated",
     True),
    (EXPERIMENT_IS, experiment(error="(a - b).std().item() / 3 ** 0.5"), "whole - silenced", True),
    (EXPERIMENT_IS, experiment(each="[0.24, 0.27, 0.36, 0.46, 0.59, 0.7, 0.72, 0.56]"),
     "not 0.56: did you", True),
    (EXPERIMENT_IS, experiment(each=f"{MIDDLE}[:7] + [0.2]"), "not 0.70: did you", True),
    (EXPERIMENT_IS, experiment(each=MIDDLE), "not 0.70: did you", True),
    (EXPERIMENT_IS, experiment(whole="[0.57, 0.7, 0.76]"), "not 0.57: did you", True),
    (EXPERIMENT_IS, experiment(silenced="[0.4, 0.31, 0.25]"), "not 0.40: did you", True),
    (EXPERIMENT_IS, experiment(without="[0.6, 0.73, 0.71]"), "did you train it?", True),
    # What it finds.
    (SOURCES_ARE, sources(size="weight", mean="mean().abs()"), "absolute value after", False),
    (SOURCES_ARE, sources(size="weight"), "take the absolute value first", False),
    (SOURCES_ARE, sources(mean="sum()"), "you add up the weights", False),
    (SOURCES_ARE, sources(mean="mean((0, 2, 3)).sum()"), "add up over the input maps", False),
    (SOURCES_ARE, sources(size="weight.square()"), "differs", False),
    (SOURCES_ARE, sources(result="torch.stack(found[1:])"), "expected (4,)", False),
    (SOURCES_ARE, sources(result="[each.item() for each in found]"), "a tensor, not list", False),
    (PLAN_IS, plan(half="-(-maps // 2)"), "", None),
    (PLAN_IS, plan(half="maps", thin="0"), "not answered yet", False),
    (PLAN_IS, plan(between="True"), "", False),
    (PLAN_IS, plan(fine="maps == last_maps + 1 and weights <= max_weights"), "maps, expected",
     False),
    (PLAN_IS, plan(layer="maps * k"), "are allowed", False),
    (PLAN_IS, plan(fine="maps == last_maps and weights > best"), "are allowed", False),
    (PLAN_IS, plan(fine="best < weights <= max_weights - 1000 and maps == last_maps"),
     "another such net within", False),
    (PLAN_IS, plan(fine="maps == last_maps and not best > weights > 0"), "are allowed", False),
    (PLAN_IS, plan(result="(0, *counts)"), "cannot be right", False),
    (PLAN_IS, plan(result="(k, a + 1, *counts[1:])"), "layers, expected", False),
    (PLAN_IS, plan(result="(k, counts)"), "a tuple of whole numbers", False),
    (REPAIR_IS, repair(joined="torch.cat(maps[1:], 1)"), "the shape (2, 12, 4, 4)", False),
    (REPAIR_IS, repair(joined="torch.cat(maps, 1) / 0"), "infinite or NaN", False),
    (REPAIR_IS, repair(joined="None"), "not answered yet", False),
    (REPAIR_IS, repair(joined="torch.cat(maps, 2)"), "your code stopped", False),
    (REPAIR_IS, repair(pooled="mixed"), "the shape (2, 3, 5, 4)", False),
    (REPAIR_IS, repair(pooled="F.avg_pool2d(mixed, 2, ceil_mode=True)"), "expected (2, 3, 2, 2)",
     False),
    (EXPERIMENT_IS, experiment(worst="0"), "are numbered from 1 to 8", False),
    (EXPERIMENT_IS, experiment(each="[0.5, 0.6, 0.7]"), "must be 8 accuracies", False),
    (EXPERIMENT_IS, experiment(whole="[74.0, 70.0, 76.0]"), "accuracies between", False),
    (EXPERIMENT_IS, experiment(whole="[1.0, 0.7, 0.76]"), "accuracies between", False),
    (EXPERIMENT_IS, experiment(silenced="[0.0, 0.42, 0.25]"), "accuracies between", False),
    (EXPERIMENT_IS, experiment(without="[0.7, 0.7, 0.7]"), "accuracies between", False),
    (EXPERIMENT_IS, experiment(whole="[0.1, 0.12, 0.1]"), "A trained net reaches more", False),
    (EXPERIMENT_IS, experiment(error="(a - c).std()"), "a Python float", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


def test_an_answer_to_one_brief_alone_earns_nothing(exercise):
    space = exercise.setup()
    exec(plan(), space)
    chosen = space["plan"](*space["your_brief"](""))
    source = f"def plan(stem_maps, num_layers, last_maps, max_weights):\n    return {chosen}"
    exercise.assert_rejects("plan_check", source, "expected")
    assert exercise.seen["plan_check"]


@pytest.mark.parametrize("predicted", ["None", "'half'", "True", "40", "float('nan')"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", [0, 0.4, 1.0])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted}", experiment=experiment())
    said = "measured a need of 0.033 ± 0.022, a reliance of 0.320"
    assert f"a share of {predicted} and {said}" in capsys.readouterr().out


def test_everybody_has_a_brief_that_can_be_fulfilled_and_a_growth_rate(exercise, monkeypatch):
    space, briefs, rates = exercise.setup(), set(), set()
    exec(plan(), space)
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        brief = space["your_brief"]("")
        assert min(space["plan"](*brief)) >= 1
        briefs.add(brief)
        rates.add(space["own_growth"](""))
    assert len(briefs) == 20 and len(rates) >= 4
