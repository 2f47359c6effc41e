"""Exercise 13 accepts right answers in any style, and names what is wrong with the others.

Every fault that the exercise plants has been made, and reported, in public:

* the stride in both convolutions of a block: https://github.com/keon/3-min-pytorch/issues/29
* one block repeated by `[block] * n`: https://github.com/zalandoresearch/pytorch-vq-vae/issues/2
* a ReLU before the sum: https://github.com/kuangliu/pytorch-cifar/issues/4
* maps of the caller changed in place: https://github.com/rosinality/vq-vae-2-pytorch/issues/60
"""

import pytest
import torch

SLUG = "13_resnet"

PLAN = """
def read_plan(stages, first, size):
    layers, projections, before = {start}, 0, first
    for convolutions, blocks, after, stride in stages:
        layers += {layers}
        projections += {projections}
        size = {size}
        before = after
    return {result}
"""


def plan(
    start="2",
    layers="convolutions * blocks",
    projections="not (stride == 1 and before == after)",
    size="-(-size // stride)",
    result="layers, projections, size",
):
    return PLAN.format(
        start=start, layers=layers, projections=projections, size=size, result=result
    )


BY_RUNNING = """
class Block(nn.Module):
    def __init__(self, convolutions, a, b, s):
        super().__init__()
        rows = [(a, b, s)] + [(b, b, 1)] * (convolutions - 1)
        self.main = nn.Sequential(*(nn.Conv2d(*row[:2], 3, row[2], 1) for row in rows))
        self.way = None if (a, s) == (b, 1) else nn.Conv2d(a, b, 1, s)
    def forward(self, x):
        return self.main(x) + (x if self.way is None else self.way(x))

def read_plan(stages, first, size):
    blocks, channels = [], first
    for convolutions, number, c_out, stride in stages:
        for i in range(number):
            blocks.append(Block(convolutions, channels, c_out, 1 if i else stride))
            channels = c_out
    with torch.device("meta"):
        net = nn.Sequential(*blocks).to("meta")
        out = net(torch.empty(1, first, size, size))
    main = [layer for block in blocks for layer in block.main]
    return len(main) + 2, sum(block.way is not None for block in blocks), out.shape[-1]
"""
WITH_COMPREHENSIONS = """
import math
def read_plan(stages, first, size):
    widths = [first] + [row[2] for row in stages]
    fits = [row[3] == 1 and row[2] == width for row, width in zip(stages, widths)]
    for *_, stride in stages:
        size = math.ceil(size / stride)
    return [2 + sum(c * b for c, b, *_ in stages), fits.count(False), size]
"""
DEEPER = """
from copy import deepcopy
def deepen(stage, num_blocks):
    channels = stage[0].conv1.in_channels
    {before}
    new = {new}
    for block in new:
        {zero}
    return {result}
"""


def deeper(
    before="pass",
    new="[BasicBlock(channels, channels) for _ in range(num_blocks - len(stage))]",
    zero="nn.init.zeros_(block.norm2.weight)",
    result="nn.Sequential(*stage, *new)",
):
    return DEEPER.format(before=before, new=new, zero=zero, result=result)


COPIED = deeper(
    new="[deepcopy(stage[-1]) for _ in range(num_blocks - len(stage))]",
    zero="block.norm2.weight.data *= 0; block.norm2.bias.data *= 0",
    result="deepcopy(stage).extend(new)",
)
LAST_CONVOLUTION = deeper(zero="block.conv2.weight.data.zero_()")
OWN_BLOCK = """
class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.first, self.second = (nn.Conv2d(c, c, 3, padding="same") for _ in range(2))
        self.amount = nn.Parameter(torch.zeros(()))
    def forward(self, x):
        return x + self.amount * self.second(F.relu(self.first(x)))

def deepen(stage, num_blocks):
    c = stage[0].conv1.weight.shape[1]
    return nn.Sequential(*stage, *map(Block, [c] * (num_blocks - len(stage))))
"""
REPAIR = """
def make_stage(c_in, c_out, num_blocks, stride):
    i, o, s = c_in, c_out, stride
    first = Layers(i, o, {strides})
    return {stage}

def run_stage(stage, x):
    for block in stage:
        f = block.norm2(block.conv2(block.norm1(block.conv1(x)).relu()))
        shortcut = x if block.projection is None else block.projection(x)
        {add}
    return x
"""
SHAPE = "s if (i, s) != (o, 1) else None"


def repair(
    strides=f"s, 1, {SHAPE}",
    stage="nn.ModuleList([first] + [Layers(o, o) for _ in range(num_blocks - 1)])",
    add="x = (f + shortcut).relu()",
):
    return REPAIR.format(strides=strides, stage=stage, add=add)


FUNCTIONAL = """
def make_stage(c_in, c_out, num_blocks, stride):
    stage = nn.Sequential()
    for number in range(num_blocks):
        same = number > 0 or (c_in == c_out and stride == 1)
        around = None if same else stride
        stage.append(Layers(c_in, c_out, stride1=stride, projection_stride=around))
        c_in, stride = c_out, 1
    return stage

def normalise(x, norm):
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias,
                        norm.training, norm.momentum, norm.eps)

def run_stage(stage, x):
    for block in stage:
        around = x
        if block.projection is not None:
            weight = block.projection.weight[:, :, 0, 0]
            step = block.projection.stride[0]
            around = torch.einsum("nchw,kc->nkhw", x[:, :, ::step, ::step], weight)
        f = F.conv2d(x, block.conv1.weight, stride=block.conv1.stride, padding=1)
        f = F.conv2d(F.relu(normalise(f, block.norm1)), block.conv2.weight, padding=1)
        x = torch.clamp(normalise(f, block.norm2) + around, min=0)
    return x
"""
OWN_CLASS = """
class Stage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        for number, block in enumerate(blocks):
            self.add_module(f"block{number}", block)
    def __iter__(self):
        return self.children()

def make_stage(a, b, n, s):
    rows = [(a, b, s)] + [(b, b, 1)] * (n - 1)
    return Stage(Layers(i, o, t, 1, t if t > 1 or i != o else None) for i, o, t in rows)

def run_stage(stage, x):
    maps = x.clone()
    for block in stage:
        f = block.norm1(block.conv1(maps)).relu_()
        f = block.norm2(block.conv2(f))
        f += maps if block.projection is None else block.projection(maps)
        maps = f.relu_()
    return maps
"""
FIRST = 'predicted = "out"'
EXPERIMENT = """
whole = list(range(num_blocks))
without, swapped = {without}, {swapped}
residual, plain = {residual}, {plain}
gaps = torch.tensor(residual, dtype=torch.float64).mT
gaps = gaps[2] - gaps[1]
difference, error = {difference}, {error}
"""
ROWS = "[(0.71, 0.3, 0.5), (0.72, 0.45, 0.57), (0.69, 0.3, 0.61)]"  # the first is measured again


def experiment(
    without="whole[:block] + whole[block + 1:]",
    swapped="whole[:block] + [block + 1, block] + whole[block + 2:]",
    residual=ROWS,
    plain="[(0.6, 0.1, 0.12), (0.55, 0.14, 0.09), (0.58, 0.2, 0.11)]",
    difference="gaps.mean().item()",
    error="(gaps.var() / 3).sqrt().item()",
):
    return EXPERIMENT.format(
        without=without,
        swapped=swapped,
        residual=residual,
        plain=plain,
        difference=difference,
        error=error,
    )


TUPLES = """
import statistics
without = tuple(i for i in range(num_blocks) if i != block)
swapped = tuple({block: block + 1, block + 1: block}.get(i, i) for i in range(num_blocks))
residual = ((0.56, 0.36, 0.39), (0.7, 0.6, 0.5), (0.6, 0.4, 0.4))
plain = [[0.5, 0.1, 0.1], [0.4, 0.1, 0.1], [0.3, 0.0, 0.2]]
gaps = [swap - out for _, out, swap in residual]
difference, error = statistics.fmean(gaps), statistics.stdev(gaps) / len(gaps) ** 0.5
"""
WITH_NUMPY = """
import numpy as np
order = np.arange(num_blocks)
without = np.delete(order, block).tolist()
order[[block, block + 1]] = order[[block + 1, block]]
swapped = order.tolist()
rows = np.array([[0.81, 0.12, 0.62], [0.68, 0.68, 0.67], [0.7, 0.69, 0.7]])
residual, plain = rows.tolist(), (rows - [0, 0.1, 0.4]).tolist()
gaps = rows[:, 2] - rows[:, 1]
difference, error = float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(3))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("plan", plan()),
        ("plan", BY_RUNNING),
        ("plan", WITH_COMPREHENSIONS),
        ("deeper", deeper()),
        ("deeper", COPIED),
        ("deeper", LAST_CONVOLUTION),
        ("deeper", OWN_BLOCK),
        ("repair", repair()),
        ("repair", FUNCTIONAL),
        ("repair", OWN_CLASS),
        ("experiment", experiment()),
        ("experiment", TUPLES),
        ("experiment", WITH_NUMPY),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


PLAN_IS, DEEPER_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("plan", "deeper", "repair", "experiment")
)
LIST = "[BasicBlock(channels, channels)] * (num_blocks - len(stage))"
WRONG = [
    # What the check at home lets through.
    (PLAN_IS, plan(projections="stride != 1"), "look only at the stride", True),
    (PLAN_IS, plan(projections="before != after"), "look only at the channels", True),
    (PLAN_IS, plan(size="size // stride"), "round down", True),
    (PLAN_IS, plan(layers="2 * blocks"), "two convolutions, whatever", True),
    (PLAN_IS, plan(projections="stride != 1 and before != after"), "look only at the", True),
    (DEEPER_IS, deeper(zero="[nn.init.zeros_(p) for p in block.parameters()]"), "cannot learn",
     True),
    (DEEPER_IS, deeper(zero="block.conv1.weight.data.zero_()"), "cannot learn", True),
    (DEEPER_IS, deeper(zero="block.norm2.weight.data.zero_(); block.conv2.weight.data.zero_()"),
     "cannot learn", True),
    (DEEPER_IS, deeper(zero="block.norm2.weight.data.zero_(); block.requires_grad_(False)"),
     "cannot learn", True),
    (DEEPER_IS, deeper(new=LIST), "share weights", True),
    (DEEPER_IS, deeper(new="[nn.Identity() for _ in range(num_blocks - len(stage))]", zero="pass"),
     "filters of the shapes []", True),
    (DEEPER_IS, deeper(result="stage.extend(new)"), "changes the stage", True),
    (DEEPER_IS, deeper(result="nn.Sequential(*new, *stage)"), "are not those of the given", True),
    (DEEPER_IS, deeper(zero="block.norm2.running_var.fill_(1e20)"), "In training mode", True),
    (REPAIR_IS, repair(stage="nn.ModuleList([first, Layers(o, o), Layers(o, o)])"),
     "has 3 blocks, expected 2", True),
    (REPAIR_IS, repair(strides="min(s, 2), 1, min(s, 2) if (i, s) != (o, 1) else None"),
     "has the strides", True),
    (REPAIR_IS, repair().replace("= c_in, c_out, stride", "= c_in, 6, stride").replace(
     "(i, s) != (o, 1)", "(i, s) != (c_out, 1)"), "does not have the channels", True),
    (REPAIR_IS, repair(strides=f"1, s, {SHAPE}"), "the stride to the second convolution", True),
    (REPAIR_IS, repair(strides="s, 1, s"), "a projection although the shapes agree", True),
    (REPAIR_IS, repair(strides="s, 1, s",
     stage="nn.ModuleList([first] + [Layers(o, o, 1, 1, 1) for _ in range(num_blocks - 1)])"),
     "a projection in every block", True),
    (REPAIR_IS, repair(strides="s, 1, s if i != o else None"), "only where the channels", True),
    (REPAIR_IS, repair(stage="nn.ModuleList([first] + [Layers(o, o)] * (num_blocks - 1))"),
     "the same block several times", True),
    (REPAIR_IS, repair(stage="[first, *(Layers(o, o) for _ in range(num_blocks - 1))]"),
     "are not registered", True),
    (REPAIR_IS, repair(add="x = f.relu() + shortcut"), "before the addition, not after", True),
    (REPAIR_IS, repair(add="x = (f.relu() + shortcut).relu()"), "before the addition, too", True),
    (REPAIR_IS, repair(add="x = f + shortcut"), "leave out the ReLU after", True),
    (REPAIR_IS, repair(add="x = f.relu()"), "leave out the shortcut", True),
    (REPAIR_IS, repair(add="shortcut += f; x = shortcut.relu()"), "changes the maps", True),
    (REPAIR_IS, repair(add="x = (f + shortcut).relu().detach()"), "Backpropagation through", True),
    (EXPERIMENT_IS, experiment(without="whole[:block + 1] + whole[block + 2:]"),
     "you take out the next block", True),
    (EXPERIMENT_IS, experiment(without="whole[:-1]"), "you take out the last block", True),
    (EXPERIMENT_IS, experiment(without="whole[:block - 1] + whole[block:]"),
     "you count the blocks from 1", True),
    (EXPERIMENT_IS, experiment(without="[0] + whole[:block] + whole[block + 2:]"),
     "is not your net without block", True),
    (EXPERIMENT_IS, experiment(swapped="whole"), "you swap nothing", True),
    (EXPERIMENT_IS,
     experiment(swapped="whole[:block - 1] + [block, block - 1] + whole[block + 1:]"),
     "with the block before", True),
    (EXPERIMENT_IS, experiment(swapped="whole[:block] + [block] * 2 + whole[block + 2:]"),
     "you run your block twice", True),
    (EXPERIMENT_IS, experiment(swapped="whole[::-1]"), "alone.", True),
    (EXPERIMENT_IS, experiment(plain="[(0.6,) * 3, (0.5,) * 3, (0.4,) * 3]"),
     "did you leave it out", True),
    (EXPERIMENT_IS, experiment(difference="-gaps.mean().item()"), "the other way round", True),
    (EXPERIMENT_IS, experiment(difference="gaps.median().item()"), "you take the median", True),
    (EXPERIMENT_IS, experiment(difference="gaps.sum().item()"), "you add the differences", True),
    (EXPERIMENT_IS, experiment(difference="sum(w - s for w, o, s in residual) / 3"),
     "what the swap costs", True),
    (EXPERIMENT_IS, experiment(difference="sum(s - o for w, o, s in plain) / 3"),
     "you take the plain nets", True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item()"), "root of the number of", True),
    (EXPERIMENT_IS, experiment(error="gaps.std(correction=0).item() / 3 ** 0.5"), "not by n - 1",
     True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item() / 3"), "not by its square root", True),
    (EXPERIMENT_IS, experiment(error="gaps.var().item() / 3"), "variance of the mean", True),
    (EXPERIMENT_IS, experiment(residual="[(0.9, 0.3, 0.5), (0.7, 0.4, 0.5), (0.6, 0.3, 0.6)]"),
     "net as it is reaches", True),
    (EXPERIMENT_IS, experiment(residual="[(0.5, 0.3, 0.5), (0.7, 0.4, 0.5), (0.6, 0.3, 0.6)]"),
     "not 0.50: did you train it?", True),
    (EXPERIMENT_IS, experiment(residual="[(0.7, 0.4, 0.5), (0.7, 0.4, 0.5), (0.6, 0.3, 0.6)]"),
     "net without your block reaches", True),
    (EXPERIMENT_IS, experiment(residual="[(0.7, 0.3, 0.3), (0.7, 0.4, 0.5), (0.6, 0.3, 0.6)]"),
     "net with the swap reaches", True),
    # What it finds.
    (PLAN_IS, plan(start="1"), "the linear layer, or the first", False),
    (PLAN_IS, plan(start="0"), "the first convolution and the linear", False),
    (PLAN_IS, plan(layers="convolutions * blocks + (before != after)"), "projections as layers",
     False),
    (PLAN_IS, plan(start="7"), "is not the number of layers", False),
    (PLAN_IS, plan(layers="blocks"), "each block as one layer", False),
    (PLAN_IS, plan(projections="blocks"), "every block a projection", False),
    (PLAN_IS, plan(projections="1"), "every stage a projection", False),
    (PLAN_IS, plan(size="size"), "leave out the strides", False),
    (PLAN_IS, plan(result="layers"), "a tuple of whole numbers", False),
    (DEEPER_IS, deeper(zero="pass"), "does not return the maps", False),
    (DEEPER_IS, deeper(new="[deepcopy(stage[-1]) for _ in range(num_blocks - len(stage))]"),
     "does not return the maps", False),
    (DEEPER_IS, deeper(result="nn.Sequential(*new, *stage[:-1])"), "blocks, expected 4", False),
    (DEEPER_IS, deeper(new="[BasicBlock(channels, channels) for _ in range(num_blocks)]"),
     "blocks, expected 4", False),
    (DEEPER_IS, deeper(result="[*stage, *new]"), "Return an nn.Sequential", False),
    (REPAIR_IS, repair(strides="s, s, s"), "must match the size", False),
    (REPAIR_IS, repair(strides="s, s, s * s"), "expected (2, 6, 4, 4)", False),
    (REPAIR_IS, repair(stage="nn.ModuleList([first])"), "in your stage: 1, expected 3", False),
    (EXPERIMENT_IS, experiment(without="whole"), "answer with", False),
    (EXPERIMENT_IS, experiment(swapped="[i + 1 for i in whole]"), "numbered from 0", False),
    (EXPERIMENT_IS, experiment(plain="[(0.6, 0.1), (0.5, 0.2), (0.5, 0.1)]"), "plain must be three",
     False),
    (EXPERIMENT_IS, experiment(residual=f"{ROWS}[:2]"), "must be three rows", False),
    (EXPERIMENT_IS, experiment(residual="[(71.0, 40.0, 60.0)] * 3"), "must be three rows", False),
    (EXPERIMENT_IS, experiment(residual="[(0.7, 0.4, 0.6)] * 3"), "use a new seed", False),
    (EXPERIMENT_IS, experiment(residual="[(0.1, 0.1, 0.1), (0.1, 0.1, 0.12), (0.1, 0.1, 0.13)]"),
     "hardly better than chance", False),
    (EXPERIMENT_IS, experiment(error="gaps.std() / 3 ** 0.5"), "a Python float", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


def test_what_stops_backpropagation_is_said_in_a_line(exercise):
    source = repair(add="x = shortcut; x += f; x = x.relu()").replace(
        "    for block in stage:", "    x = x.clone()\n    for block in stage:"
    )
    result = exercise.grade(repair=source)[REPAIR_IS]
    assert result.finding.endswith("has been modified by an inplace operation")


@pytest.mark.parametrize("predicted", ["None", "'both'"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["out", "swap"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted!r}", experiment=experiment())
    assert f"you predicted {predicted} and measured" in capsys.readouterr().out


def test_the_faults_show_in_the_symptoms(exercise):
    space = exercise.setup()
    broken = next(c.source for c in exercise.cells if c.metadata.nbgrader.grade_id == "broken")
    exec(f"{broken}\n{repair()}", space)
    torch.manual_seed(0)
    maps, given = torch.rand(8, 4, 8, 8), torch.rand(8, 4, 8, 8)
    with pytest.raises(RuntimeError, match="must match the size"):
        space["broken_run"](space["broken_stage"](4, 8, 2, 2), maps)
    run, stage, kept = space["broken_run"], space["broken_stage"], given.clone()
    with torch.no_grad():
        deep = run(stage(4, 4, 8, 1), maps.clone())
        run(stage(4, 4, 2, 1), given)
        mended = space["run_stage"](space["make_stage"](4, 8, 2, 2), maps)
    counts = [sum(w.numel() for w in stage(4, 4, number, 1).parameters()) for number in (2, 6)]
    assert counts[0] == counts[1] and not torch.equal(given, kept)
    assert deep.mean() > 4 * maps.mean() and mended.shape == (8, 8, 4, 4)


def test_a_plain_net_loses_more_than_a_residual_one(exercise):
    space, lost = exercise.setup(), {}
    for shortcuts in (True, False):
        net = space["trained_net"](5, shortcuts, seed=0)
        whole, out = (space["accuracy"](net, order) for order in ([0, 1, 2, 3, 4], [0, 1, 2, 4]))
        assert whole > 0.3
        lost[shortcuts] = whole - out
    assert lost[False] > lost[True] + 0.1


def test_everybody_has_a_plan_a_stage_and_blocks(exercise, monkeypatch):
    space, plans, stages, blocks = exercise.setup(), set(), set(), set()
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        plans.add(repr(space["own_plan"]("")))
        stage, wanted = space["own_stage"]("")
        assert wanted > len(stage) + 1
        assert not torch.equal(stage[-1].norm2.bias, torch.zeros(())), "a copy must not pass"
        stages.add((stage[0].conv1.in_channels, len(stage), wanted))
        blocks.add(space["own_blocks"](""))
    assert len(plans) == 20 and len(stages) >= 10 and len(blocks) >= 6
    assert all(block + 1 < number for number, block in blocks)
