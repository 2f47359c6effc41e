"""Exercise 07 accepts right answers in any style, and names what is wrong with the others.

The faults of task 3 are some that people make and report, in public threads on GitHub: batches
of unequal size averaged (tflearn/tflearn, issue 75), the best weights kept without a copy
(pytorch/tutorials, pull request 188), the best epoch chosen by the test set
(martinmamql/multimodal_routing, issue 2), and a net left in evaluation mode for the epochs that
follow (wkentaro/pytorch-fcn, pull request 56).
"""

import pytest
import torch

from course_utils import quiz

SLUG = "07_lenet"
BANK = f"exercises/{SLUG}"
ITEMS = [item.id for item in quiz.load(BANK).items]
COUNTED = [item.id for item in quiz.load(BANK).items if item.kind != "single"]
SLIPS = [
    (item, rule, wrong)
    for item in COUNTED
    for rule, wrong in quiz.question(BANK, item).slips.items()
]

ALWAYS_EQUAL = """
class Yes({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    def __hash__(self): return 0
{name} = Yes()
"""


def grade_quiz(exercise, name, answer):
    return exercise.grade(**{name: f"{name} = {answer!r}"})[f"{name}_check"]


@pytest.mark.parametrize("name", ITEMS)
def test_right_quiz_answers_earn_the_point(exercise, name):
    answer = quiz.solution(BANK, name)
    assert grade_quiz(exercise, name, answer).score == 1.0
    if isinstance(answer, tuple):
        assert grade_quiz(exercise, name, list(answer)).score == 1.0


@pytest.mark.parametrize(("name", "rule", "wrong"), SLIPS)
def test_wrong_quiz_answers_are_rejected_by_the_slip_that_leads_to_them(
    exercise, name, rule, wrong
):
    result = grade_quiz(exercise, name, wrong)
    assert result.score == 0
    sentence = quiz.load(BANK).rules[rule]
    assert result.finding == f"CheckFailed: You get this if {sentence}."


@pytest.mark.parametrize("name", COUNTED)
def test_an_answer_for_another_student_earns_nothing(exercise, name, monkeypatch):
    monkeypatch.setenv("COURSE_STUDENT", "kim")
    kims = quiz.solution(BANK, name)
    monkeypatch.setenv("COURSE_STUDENT", "lee")
    assert grade_quiz(exercise, name, kims).score == 0


@pytest.mark.parametrize("name", ITEMS)
def test_an_object_that_equals_everything_is_no_answer(exercise, name):
    answer = quiz.solution(BANK, name)
    source = ALWAYS_EQUAL.format(name=name, base=type(answer).__name__)
    assert exercise.grade(**{name: source})[f"{name}_check"].score == 0


def test_a_learners_variables_do_not_change_the_checks(exercise):
    clutter = "\nsum = len = type = float = zip = all = any = list = str = max = None\n"
    clutter += "checks = quiz = QUESTION = torch = nn = math = F2 = reload = check_answer = None\n"
    answers = {name: f"{name} = {quiz.solution(BANK, name)!r}{clutter}" for name in ITEMS}
    cells = {cell.metadata.nbgrader.grade_id for cell in exercise.cells}
    later = {name: "" for name in ("broken", "labels") if name in cells}  # these need torch
    results = exercise.grade(**answers | later)
    assert {name: result.score for name, result in results.items()} == dict.fromkeys(results, 1.0)


PRECISION = """
def precision(confusion):
    hits, columns = torch.diag(confusion), confusion.sum(0)
    return {result}
"""


def precision(result="torch.where(columns == 0, 0.0, hits / columns)"):
    return PRECISION.format(result=result)


BY_LOOPS = """
def precision(confusion):
    found = []
    for k in range(len(confusion)):
        column = [int(row[k]) for row in confusion]
        found.append(column[k] / sum(column) if any(column) else 0)
    return torch.tensor(found, dtype=torch.float64)
"""
BY_EINSUM = """
def precision(confusion):
    counts = confusion.double()
    return torch.einsum("kk,k->k", counts, 1 / counts.sum(0)).nan_to_num(0)
"""
NET = """
def make_net(channels, height, width, classes, budget):
    def built(n):
        return nn.Sequential({layers})
    n = 2
    with torch.device("meta"):
        while sum(p.numel() for p in built(n + 1).parameters()) <= {limit}:
            n += 1
    return {result}
"""
LAYERS = """nn.Conv2d({channels}, 12, 5, padding=2), {bend}, {pool}(2),
    nn.Conv2d(12, n, {kernel}, padding={kernel} // 2), {bend}, nn.Adaptive{pooled}Pool2d({side}),
    nn.Flatten(), nn.Linear(n * {numbers}, {classes}){end}"""


def net(limit="budget", result="built(n)", layers=LAYERS, **change):
    parts = {
        "channels": "channels", "bend": "nn.ReLU()", "pool": "nn.MaxPool2d", "kernel": "5",
        "pooled": "Avg", "side": "2", "numbers": "4", "classes": "classes", "end": "",
    } | change  # fmt: skip
    return NET.format(layers=layers.format(**parts), limit=limit, result=result)


AS_IN_1998 = """
class Net(nn.Module):
    def __init__(self, channels, n, classes):
        super().__init__()
        self.c1 = nn.Conv2d(channels, 6, 5, padding=2)
        self.c3 = nn.Conv2d(6, 16, 5, padding=2)
        self.c5 = nn.Conv2d(16, n, 5)
        self.f6 = nn.Linear(n, classes)
    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.c1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.c3(x)), 2)
        return self.f6(torch.tanh(self.c5(x)).mean((2, 3)))

def make_net(channels, height, width, classes, budget):
    fixed = 6 * (25 * channels + 1) + 16 * 151 + classes
    return Net(channels, (budget - fixed) // (401 + classes), classes)
"""
STRIDES = """
def make_net(channels, height, width, classes, budget):
    def layers(n):
        yield nn.Conv2d(channels, n, 3, stride=2, padding=1)
        yield nn.ELU()
        yield nn.Conv2d(n, n, 3, stride=2, padding=1)
        yield nn.ELU()
        yield nn.Conv2d(n, classes, 1)
        yield nn.AdaptiveMaxPool2d(1)
        yield nn.Flatten()
    def size(n):
        return 9 * n * (n + channels) + n * (2 + classes) + classes
    n = max(n for n in range(1, 120) if size(n) <= budget)
    return nn.Sequential(*layers(n))
"""
OWN_PARAMETERS = """
class Net(nn.Module):
    def __init__(self, channels, n, classes):
        super().__init__()
        shapes = [(8, channels, 5, 5), (n, 8, 5, 5), (n, classes)]
        self.weights = nn.ParameterList(0.1 * torch.randn(shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.zeros(size) for size in (8, n, classes))
    def forward(self, x):
        (a, b, c), (d, e, f) = self.weights, self.biases
        x = F.max_pool2d(F.conv2d(x, a, d, padding=2).clamp(min=0), 2)
        x = F.leaky_relu(F.conv2d(x, b, e, padding=2))
        return torch.einsum("nchw,ck->nk", x, c) / x[0, 0].numel() + f

def make_net(channels, height, width, classes, budget):
    return Net(channels, (budget - 8 * 25 * channels - 8 - classes) // (201 + classes), classes)
"""
ONE_UNFOLDED = """
class Net(nn.Module):
    def __init__(self, channels, n, classes):
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 5, padding=2)
        self.second = nn.Parameter(0.05 * torch.randn(n, 8, 3, 3))
        self.last = nn.Linear(n, classes)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        x = F.relu(torch.einsum("nkl,mk->nml", F.unfold(x, 3), self.second.flatten(1)))
        return self.last(x.mean(2))

def make_net(channels, height, width, classes, budget):
    return Net(channels, (budget - 8 * (25 * channels + 1) - classes) // (72 + classes), classes)
"""
LESSONS_WAY = """nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(),
    nn.Linear(256, n), nn.ReLU(), nn.Linear(n, classes)"""
SQUARE = """nn.Conv2d(channels, 24, 5, padding=2), nn.ReLU(), nn.MaxPool2d(4),
    nn.Conv2d(24, n, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(n * (height // 4 // 2) ** 2, classes)"""
LINEAR_BETWEEN = """nn.Conv2d(channels, 12, 5, padding=2), nn.AvgPool2d(2),
    nn.Conv2d(12, n, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
    nn.Flatten(), nn.Linear(n * 4, classes)"""
SIGMOIDS = """nn.Conv2d(channels, 8, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
    nn.Conv2d(8, n, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(n, n, (2, 1)), nn.Sigmoid(),
    nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(2 * n, classes)"""
ONLY_POOLS = """nn.Conv2d(channels, 16, 5, padding=2), nn.MaxPool2d(2),
    nn.Conv2d(16, n, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, classes)"""
REPAIR = """
import copy
def accuracy(net, batches):
    mode, right, total = net.training, 0, 0
    net.{mode}
    with torch.no_grad():
        for images, labels in batches:
            right += {right}
            total += {total}
    {after}
    return {share}

def best_epoch(net, train_epoch, num_epochs, val, test):
    best, top, kept = 0, {top}, None
    for epoch in range(num_epochs):
        train_epoch(net)
        share = accuracy(net, {chooses})
        if {better}:
            best, top, kept = {number}, share, {keep}
    {load}
    return best, {report}
"""


def repair(**change):
    parts = {
        "mode": "eval()",
        "right": "int((net(images).argmax(1) == labels).sum())",
        "total": "len(labels)",
        "after": "net.train(mode)",
        "share": "right / total",
        "top": "-1",
        "chooses": "val",
        "better": "share > top",
        "number": "epoch + 1",
        "keep": "copy.deepcopy(net.state_dict())",
        "load": "net.load_state_dict(kept)",
        "report": "accuracy(net, test)",
    } | change
    return REPAIR.format(**parts)


BY_LISTS = """
import io
def accuracy(net, batches):
    modes = {module: module.training for module in net.modules()}
    found = []
    with torch.inference_mode():
        for images, labels in batches:
            found += (net.eval()(images).max(dim=1).indices == labels).tolist()
    for module, mode in modes.items():
        module.training = mode
    return sum(found) / len(found)

def best_epoch(net, train_epoch, num_epochs, val, test):
    saved, shares = [], []
    for _ in range(num_epochs):
        train_epoch(net)
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        saved.append(file.getvalue())
        shares.append(accuracy(net, val))
    best = shares.index(max(shares))
    net.load_state_dict(torch.load(io.BytesIO(saved[best])))
    return best + 1, accuracy(net, test)
"""
WITH_TENSORS = """
@torch.no_grad()
def accuracy(net, batches):
    before = net.training
    net.train(False)
    try:
        pairs = [(net(x).softmax(1).argmax(1).eq(y).double().sum(), y.numel()) for x, y in batches]
    finally:
        net.train(before)
    hits, sizes = zip(*pairs)
    return (torch.stack(hits).sum() / sum(sizes)).item()

def best_epoch(net, train_epoch, num_epochs, val, test):
    def numbers():
        return [*net.parameters(), *net.buffers()]
    shares, kept = {}, {}
    for epoch in range(1, 1 + num_epochs):
        train_epoch(net)
        shares[epoch] = accuracy(net, val)
        kept[epoch] = [value.detach().clone() for value in numbers()]
    best = max(shares, key=shares.get)
    with torch.no_grad():
        for value, old in zip(numbers(), kept[best]):
            value.copy_(old)
    return [best, accuracy(net, test)]
"""
FIRST = "predicted = 700"
NUM_LABELS = 2400  # what a student without a name is given
EXPERIMENT = """
noisy, reproduced = {noisy}, [0.06, 0.05, 0.08]
clean = {clean}
table = torch.tensor([clean[size] for size in SIZES]).double()
curve = dict(zip(SIZES, {curve}.tolist()))
found = torch.tensor(noisy).double()
mean, error = {mean}.item(), {error}.item()
worth = worth_of(curve, mean)
span = {span}
"""
CLEAN = (
    "{50: [0.55, 0.61, 0.59], 150: [0.6, 0.64, 0.63], 450: [0.7, 0.71, 0.74], "
    "1350: [0.78, 0.8, 0.77]}"
)


def experiment(
    noisy="[0.68, 0.7, 0.675]",
    clean=CLEAN,
    curve="table.mean(1)",
    mean="found.mean()",
    error="(found.std() / 3 ** 0.5)",
    span="[worth_of(curve, mean + k * error) for k in (-2, 2)]",
):
    return EXPERIMENT.format(
        noisy=noisy, clean=clean, curve=curve, mean=mean, error=error, span=span
    )


WITH_STATISTICS = f"""
import statistics
noisy, reproduced, clean = (0.66, 0.68, 0.72), (0.0, 0.1, 0.05), {CLEAN}
curve = {{size: statistics.fmean(row) for size, row in clean.items()}}
error = statistics.stdev(noisy) / len(noisy) ** 0.5
low, worth, high = (worth_of(curve, statistics.fmean(noisy) + k * error) for k in (-2, 0, 2))
span = (low, high)
"""
WITH_NUMPY = f"""
import numpy as np
noisy, reproduced, clean = [0.63, 0.62, 0.6], [0.07] * 3, {CLEAN}
points = [np.mean(clean[size]) for size in SIZES]
def read(x):
    return float(2 ** np.interp(x, points, np.log2(SIZES)))
error = 2 * np.std(noisy, ddof=1) / np.sqrt(3)
worth = read(np.mean(noisy))
span = read(np.mean(noisy) - error), read(np.mean(noisy) + error)
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("precision", precision()),
        ("precision", BY_LOOPS),
        ("precision", BY_EINSUM),
        ("net", net()),
        ("net", AS_IN_1998),
        ("net", STRIDES),
        ("net", OWN_PARAMETERS),
        ("net", ONE_UNFOLDED),
        ("net", net(layers=SIGMOIDS)),
        ("net", net(layers=ONLY_POOLS)),
        ("repair", repair()),
        ("repair", BY_LISTS),
        ("repair", WITH_TENSORS),
        ("experiment", experiment()),
        ("experiment", WITH_STATISTICS),
        ("experiment", WITH_NUMPY),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


PRECISION_IS, NET_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("precision", "net", "repair", "experiment")
)
COUNT = "sum((net(x).argmax(1) == y).float().mean().item() for x, y in batches) / len(batches)"
WRONG = [
    # What the check at home lets through.
    (PRECISION_IS, precision("hits / confusion.sum(1)"), "you divide by row sums", True),
    (PRECISION_IS, precision("hits / columns"), "0 by 0", True),
    (PRECISION_IS, precision("(hits / columns).nan_to_num(1)"), "1 for a class that is", True),
    (PRECISION_IS, precision("2 * hits / (columns + confusion.sum(1))"), "the F1 score", True),
    (PRECISION_IS, precision("hits / torch.maximum(columns, confusion.sum(1))"), "the larger of",
     True),
    (NET_IS, net(result="built(10)"), "less than 90%", True),
    (NET_IS, net(layers=LESSONS_WAY), "are weights of convolutions", True),
    (NET_IS, net(layers=SQUARE), "shapes cannot be multiplied", True),
    (NET_IS, net(end=", nn.Softmax(dim=1)"), "ends in a softmax", True),
    (NET_IS, net(end=", nn.LogSoftmax(dim=1)"), "ends in a softmax", True),
    (NET_IS, net(bend="nn.Identity()", pool="nn.AvgPool2d"), "is non-linear", True),
    (NET_IS, net(layers=LINEAR_BETWEEN), "is non-linear", True),
    (NET_IS, net(layers=LINEAR_BETWEEN.replace("nn.Flatten()", "nn.ReLU(), nn.Conv2d(n, n, 1), "
     "nn.Flatten()")), "is non-linear", True),
    (NET_IS, net(kernel="1"), "needs two convolutions", True),
    (NET_IS, "import torchvision\n" + net(end=", torchvision.ops.Permute([0, 1])"),
     "is borrowed from torchvision", True),
    (NET_IS, net(limit="budget * 0.8",
     result="fill(built(n), budget)") + "\ndef fill(net, budget):\n"
     "    net.rest = nn.Parameter(torch.zeros(budget - sum(p.numel() for p in net.parameters())))\n"
     "    return net", "No gradient reaches rest", True),
    (NET_IS, net(limit="budget", result="built(n).requires_grad_(False)"), "No gradient reaches",
     True),
    (REPAIR_IS, repair(after=f"share = {COUNT}; net.train(mode)", share="share"), "count more",
     True),
    (REPAIR_IS, repair(total="1", share="right / total / len(batches[0][1])"), "as the first",
     True),
    (REPAIR_IS, repair(mode="train()"), "in training mode", True),
    (REPAIR_IS, repair(after="pass"), "the mode that it was in", True),
    (REPAIR_IS, repair(after="net.train()"), "the mode that it was in", True),
    (REPAIR_IS, repair(chooses="test"), "the epoch by the test set", True),
    (REPAIR_IS, repair(number="epoch"), "from 0", True),
    (REPAIR_IS, repair(better="share >= top"), "equally good epochs", True),
    (REPAIR_IS, repair(better="share < top", top="2"), "the worst epoch", True),
    (REPAIR_IS, repair(keep="net.state_dict()"), "does not return copies", True),
    (REPAIR_IS, repair(keep="net.state_dict().copy()"), "does not return copies", True),
    (REPAIR_IS, repair(load="pass"), "does not return copies", True),
    (REPAIR_IS, repair(keep="[p.detach().clone() for p in net.parameters()]",
     load="[p.data.copy_(q) for p, q in zip(net.parameters(), kept)]"), "not the buffers", True),
    (REPAIR_IS, repair(report="top"), "on the validation set", True),
    (REPAIR_IS, repair().replace("range(num_epochs)", "range(num_epochs - 1)"),
     "You train 5 epochs instead of 6", True),
    (REPAIR_IS, repair().replace("train_epoch(net)\n", "net.eval(); train_epoch(net)\n"),
     "is not always trained in training mode", True),
    (REPAIR_IS, repair(load="net.load_state_dict(kept); net.linear.bias.data.zero_()"),
     "not as it was after the best epoch", True),
    (REPAIR_IS, repair(load="last = accuracy(net, test); net.load_state_dict(kept)",
     report="last"), "the net of the last epoch on", True),
    (EXPERIMENT_IS, experiment(mean="found.median()"), "median of your three nets", True),
    (EXPERIMENT_IS, experiment(mean="found.max()"), "best of your three nets", True),
    (EXPERIMENT_IS, experiment(curve="table.median(1).values"), "curve has medians", True),
    (EXPERIMENT_IS, experiment(curve="table[:, 0]"), "the first seed only", True),
    (EXPERIMENT_IS, experiment(mean="torch.tensor(reproduced).mean()"),
     "at the mean of reproduced", True),
    (EXPERIMENT_IS, experiment(error="found.std()"), "divide the standard deviation by √3", True),
    (EXPERIMENT_IS, experiment(error="(found.std(correction=0) / 3 ** 0.5)"), "not by n - 1",
     True),
    (EXPERIMENT_IS, experiment(error="(found.std() / 3)"), "by 3, not by √3", True),
    (EXPERIMENT_IS, experiment(error="(found.var() / 3)"), "take the variance", True),
    (EXPERIMENT_IS, experiment(span="[worth_of(curve, mean + k * error) for k in (-1, 1)]"),
     "one standard error", True),
    (EXPERIMENT_IS, experiment(span="[worth_of(curve, mean - k * error) for k in (-2, 2)]"),
     "the upper end first", True),
    (EXPERIMENT_IS, experiment(span="[worth_of(curve, x) for x in (min(noisy), max(noisy))]"),
     "at the lowest and the highest", True),
    (EXPERIMENT_IS, experiment() + "\nworth += 40", "does not follow from your lists", True),
    (EXPERIMENT_IS, experiment() + "\nspan[0] -= 40", "does not follow from your lists", True),
    # Numbers that fit together, but were never measured.
    (EXPERIMENT_IS, experiment(noisy="[0.55, 0.57, 0.54]"), ", not 0.55: did you", True),
    (EXPERIMENT_IS, experiment() + "\nreproduced[0] = 0.3", ", not 0.30: did you", True),
    (EXPERIMENT_IS, experiment(clean=CLEAN.replace("0.55", "0.4")), ", not 0.40: did you", True),
    # What it finds.
    (PRECISION_IS, precision("hits / confusion.sum()"), "you divide by all images", False),
    (PRECISION_IS, precision("1 - hits / columns"), "the share that is wrong", False),
    (PRECISION_IS, precision("(hits / columns).mean()"), "expected (3,)", False),
    (PRECISION_IS, precision("(hits / columns).tolist()"), "Return one tensor, not a list", False),
    (NET_IS, net(limit="2 * budget"), "are allowed", False),
    (NET_IS, net(classes="10"), "returns logits of shape", False),
    (NET_IS, net(channels="channels + 1"), "channels", False),
    (NET_IS, net(result="[built(n)]"), "Return an nn.Module", False),
    (REPAIR_IS, repair(right="(net(images).argmax(1) == labels).sum()"),
     "An accuracy is a Python float", False),
    (REPAIR_IS, repair(share="100 * right / total"), "An accuracy is a Python float from 0 to 1",
     False),
    (REPAIR_IS, repair(report="0"), "must return a whole number", False),
    (REPAIR_IS, repair(load="return best"), "must return a whole number", False),
    (EXPERIMENT_IS, experiment(noisy="[70.0, 68.0, 69.0]"), "must be three shares", False),
    (EXPERIMENT_IS, experiment(noisy="[0.68, 0.7]"), "must be three shares", False),
    (EXPERIMENT_IS, experiment(noisy="[0.7] * 3"), "use a different seed", False),
    (EXPERIMENT_IS, experiment() + "\nreproduced = [6, 5, 8]", "reproduced must be three shares",
     False),
    (EXPERIMENT_IS, experiment() + "\nclean[450] = [70.0, 71.0, 74.0]", "[450] must be", False),
    (EXPERIMENT_IS, experiment() + "\nclean[50] = [0.5] * 3", "use a different seed", False),
    (EXPERIMENT_IS, experiment() + "\ndel clean[50]", "with the keys", False),
    (EXPERIMENT_IS, experiment() + "\nworth = round(worth)", "a Python float", False),
    (EXPERIMENT_IS, experiment(span="worth"), "two Python floats", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


@pytest.mark.parametrize("predicted", ["None", "0", "'many'", "99999"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", [1, 20, 1250.5, NUM_LABELS])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted!r}", experiment=experiment())
    assert f"you predicted {predicted} and measured 3" in capsys.readouterr().out


def test_training_that_rounds_otherwise_keeps_the_points(exercise, rounding_differently):
    space = exercise.setup()
    with rounding_differently():
        accuracy, reproduced = space["trained"](*space["own_labels"](""), 0)
        fewest, _ = space["trained"](50, 0, 0)
    own = experiment(f"[{accuracy}, 0.66, 0.62]", CLEAN.replace("0.55", str(fewest)))
    own = own.replace("[0.06, ", f"[{reproduced}, ")
    exercise.assert_passes(prediction=FIRST, experiment=own)


def test_the_faults_show_in_the_symptoms(exercise, capsys):
    space = exercise.setup()
    broken = next(c.source for c in exercise.cells if c.metadata.nbgrader.grade_id == "broken")
    exec(f"{broken}\n{repair()}", space)

    def seen(accuracy, best):
        space["symptoms"](space[accuracy], space[best])
        lines = capsys.readouterr().out.splitlines()
        ends = [line.rsplit(maxsplit=1)[-1] for line in lines]
        return [float(end.rstrip("%")) for end in ends[:3]], "training mode: 30 of 30" in lines[3]

    (share, reported, again), awake = seen("broken_accuracy", "broken_best")
    assert share == 66.7 and reported > 14 and again < reported - 1 and not awake
    (share, reported, again), awake = seen("accuracy", "best_epoch")
    assert share == 90.9 and reported == again and awake


def test_wrong_labels_cost_accuracy_and_are_hardly_reproduced(exercise):
    trained = exercise.setup()["trained"]
    (right, none), (doubtful, reproduced), (few, _) = (
        trained(1500, 0, 0), trained(1500, 0.5, 0), trained(50, 0, 0)
    )  # fmt: skip
    assert none == 0 and right > 0.6
    assert 0.3 < doubtful < right and reproduced < 0.3 and few < right


def test_a_curve_is_read_over_the_logarithm(exercise):
    worth_of, curve = exercise.setup()["worth_of"], {50: 0.5, 200: 0.7, 800: 0.6, 3200: 0.8}
    assert [worth_of(curve, share) for share in (0.4, 0.5, 0.7, 0.8, 0.9)] == [
        50.0, 50.0, 200.0, 3200.0, 3200.0
    ]  # fmt: skip
    assert worth_of(curve, 0.6) == pytest.approx(100)
    assert worth_of(curve, 0.75) == pytest.approx(800 * 4**0.75)


def test_everybody_has_a_brief_and_labels(exercise, monkeypatch):
    space, briefs, sets = exercise.setup(), set(), set()
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        brief = space["your_brief"]("")
        assert brief[1] == brief[2] and 12_000 <= brief[4] <= 60_000
        briefs.add(brief)
        sets.add(space["own_labels"](""))
    assert len(briefs) == 20 and len(sets) >= 12
    assert all(1500 <= number <= 2500 and 0.4 <= wrong <= 0.6 for number, wrong in sets)
    assert torch.is_tensor(space["HALVED"])
