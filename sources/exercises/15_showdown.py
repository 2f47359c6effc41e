# %% [markdown]
# # Exercise 15: what has this net learned?
#
# **You practise** reading a chart together with its uncertainty, repairing a faulty Grad-CAM from
# its symptoms, and finding out by experiments of your own how each of four nets was trained.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing. At the end there is an open challenge.

# %% readonly="setup"
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, models, quiz
from course_utils.data import ShapesConfig, make_shapes


def own_chart(student_id):
    """Return your own chart: rows (name, accuracies of three seeds, cost)."""
    drawn = quiz.generator(student_id)
    rows = []
    for name in ("P", "Q", "R", "S", "T"):
        middle, width = torch.rand(2, generator=drawn, dtype=torch.float64).tolist()
        spread = torch.randn(3, generator=drawn, dtype=torch.float64) * (0.002 + 0.01 * width)
        runs = [round(0.85 + 0.06 * middle + each, 3) for each in spread.tolist()]
        rows.append((name, runs, 10 * int(torch.randint(2, 40, (), generator=drawn))))
    return rows


def own_nets(student_id):
    """Return four trained nets, one for each history, in this student's order."""
    return models.anonymous(list(models.HISTORIES), quiz.generator(student_id))


def training_images(correlation):
    """Return the 1,000 training images, drawn with this correlation of background and class."""
    config = ShapesConfig(position=0.0, background_correlation=correlation)
    return make_shapes(1000, config, torch.Generator().manual_seed(1000))


def accuracy(net, images, labels):
    """Return the share of images (N, 3, 32, 32), from 0 to 255, that a net classifies correctly."""
    return (net(images).argmax(dim=1) == labels).double().mean().item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your chart and your
# nets, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="standard_error"
standard_error = None  # percentage points
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/15_showdown", "standard_error", student_id)
share = numbers["a"] / 100
standard_error = 100 * (share * (1 - share) / numbers["n"]) ** 0.5  # standard deviation / √n
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="best_seen"
best_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/15_showdown", "best_seen", student_id)
# The best of many runs was also lucky, and another run seldom is.
seen = "Most often a lower accuracy"
best_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="longer_told"
longer_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/15_showdown", "longer_told", student_id)
# Only what changes can be the reason: here the epochs, for both nets.
told = "Train both"
longer_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=6
# ## Task 1: a front with doubts
#
# In the lesson a model is off the Pareto front as soon as another one costs less and has a higher
# *mean*. Three other seeds might reverse that. The chart in this task has one row for each model.
# Call a row **surely beaten** if some other row costs no more and has a mean accuracy that is
# higher by more than two standard errors of the difference. The standard error of a mean is the
# standard deviation of its runs (dividing by n − 1), divided by √n; that of a difference of two
# means is the square root of the sum of their squared standard errors.
#
# Complete the function: it returns the **set** of the names of the rows that are *not* surely
# beaten. The next cell prints a chart of your own; the function must work for others, too.
#
# hint: Besides its name, what do you need to know about each row? Work these numbers out first.
#
# hint: `statistics.stdev(runs)` and `torch.tensor(runs).std()` divide by n − 1.
#
# hint: If the means have standard errors of 0.3 and 0.4 points, the standard error of their
# difference is 0.5 points, not 0.7. And does it matter whether you compare a row with itself?

# %%
for name, runs, cost in own_chart(student_id):
    print(f"{name}: {', '.join(f'{each:.1%}' for each in runs)}; {cost},000 parameters")


# %% task="front"
def not_surely_beaten(rows: list[tuple[str, list[float], float]]) -> set[str]:
    """Return the names of the rows (name, accuracies by seed, cost) that no other surely beats."""
    ### BEGIN SOLUTION
    known = []
    for name, runs, cost in rows:
        values = torch.tensor(runs, dtype=torch.float64)
        known.append((name, values.mean(), values.var() / len(runs), cost))  # variance of the mean
    kept = set()
    for name, average, variance, cost in known:
        ahead = [
            other - average - 2 * (more + variance) ** 0.5
            for _, other, more, price in known
            if price <= cost
        ]
        if max(ahead) <= 0:  # a row is never ahead of itself
            kept.add(name)
    return kept
    ### END SOLUTION


# %% check="front_check" points=1
from statistics import mean, pstdev, stdev

from course_utils import checks


def _front(rows, deviation=stdev, root=0.5, times=2.0, strict=False, added=False, costs=True):
    """Return the names by the definition, or with a slip."""
    kept = set()
    for name, runs, cost in rows:
        beaten = False
        for other, others, price in rows:
            errors = [deviation(each) / len(each) ** root for each in (runs, others)]
            error = sum(errors) if added else (errors[0] ** 2 + errors[1] ** 2) ** 0.5
            cheaper = price < cost if strict else price <= cost
            if other != name and (cheaper or not costs):
                beaten = beaten or mean(others) - mean(runs) > times * error
        if not beaten:
            kept.add(name)
    return kept


def _require_front(not_surely_beaten, charts):
    found = []
    for rows in charts:
        found.append(not_surely_beaten([(name, list(runs), cost) for name, runs, cost in rows]))
        if found[-1] is None:
            raise checks.NotAnswered
        kind = type(found[-1]).__name__
        checks.require(isinstance(found[-1], set), f"Return a set, not {kind}.")
    right = [_front(rows) for rows in charts]
    slips = {
        "ignore the standard errors": {"times": 0.0},
        "ignore the costs": {"costs": False},
        "take one standard error, not two": {"times": 1.0},
        "do not divide by the square root of the number of runs": {"root": 0.0},
        "divide by the number of runs, not by its square root": {"root": 1.0},
        "divide by n, not by n - 1": {"deviation": pstdev},
        "count a row as beaten only by cheaper ones: equal costs are enough": {"strict": True},
        "add the two errors: their squares add up": {"added": True},
    }
    for slip, change in slips.items():
        wrong = [_front(rows, **change) for rows in charts]  # a slip shows in several charts
        is_slip = found == wrong != right
        checks.require(not is_slip, f"Your sets are what you get if you {slip}.")
    for rows, one, other in zip(charts, found, right, strict=True):
        checks.require(one == other, f"{sorted(one)} is not the right set for the rows {rows}.")


def check_small(not_surely_beaten):
    # A is about a point behind B, but its runs vary; C is far behind.
    rows = [("A", [0.87, 0.91, 0.89], 20), ("B", [0.90, 0.90, 0.901], 10), ("C", [0.5, 0.51], 30)]
    _require_front(not_surely_beaten, [rows])


front_is_right = checks.show(check_small, not_surely_beaten)


### BEGIN HIDDEN TESTS
def check_answer(not_surely_beaten):
    check_small(not_surely_beaten)

    def steady(middle, width):
        return [middle - width, middle, middle + width]  # a standard deviation of `width`

    # Two standard errors of the difference are 1.633 times the width: which gaps exceed that?
    charts = [
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.8145, 0.01), 10)],
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.818, 0.01), 10)],
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.83, 0.01), 12)],
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.821, 0.01), 9)],
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.812, 0.01), 9)],
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.8088, 0.01), 9)],
        [("A", steady(0.80, 0.01), 10), ("B", steady(0.825, 0.01), 9)],
        [("A", [0.80, 0.81, 0.80, 0.81, 0.80], 7), ("B", steady(0.85, 0.001), 7)],
    ]
    charts.append(own_chart(student_id))
    _require_front(not_surely_beaten, [*charts, *(rows[::-1] for rows in charts)])


checks.award(1, check_answer, not_surely_beaten)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=14
# ## Task 2: a Grad-CAM with five faults
#
# Somebody wrote Grad-CAM for nets of two parts: `features` turns images into maps, and `head` turns
# the maps into logits. They report: "If the net is confident about an image, its Grad-CAM is zero
# everywhere. If it is not, the Grad-CAM highlights nearly everything, even regions that count
# against the class. An image gets a different Grad-CAM in another batch. And when I continue
# training after looking at a few of them, the first step goes in the wrong direction." Run the next
# two cells, and look at these symptoms before you read the code. There are five faults.

# %% readonly="broken"


class Head(nn.Module):
    """Turn maps (N, C, h, w) into logits: batch norm, ReLU, mean over positions, linear layer."""

    def __init__(self, channels, num_classes):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, num_classes)

    def forward(self, maps):
        return self.linear(self.norm(maps).relu().mean(dim=(2, 3)))


def broken_cam(features, head, images, targets):
    """Return the Grad-CAM of each image (N, C, H, W) for its target class, (N, H, W)."""
    maps = features(images)
    maps.retain_grad()
    probabilities = head(maps).softmax(dim=1)
    probabilities.gather(1, targets[:, None]).sum().backward()
    weights = maps.grad.mean(dim=1, keepdim=True)
    coarse = (weights * maps).relu().sum(dim=1, keepdim=True)
    return F.interpolate(coarse.detach(), images.shape[2:], mode="bilinear")[:, 0]


# %%
torch.manual_seed(0)
features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
head, images, targets = Head(8, 4), torch.randn(6, 3, 12, 12), torch.tensor([0, 1, 2, 3, 0, 1])
print("gradient of the weights before:", head.linear.weight.grad)
maps = broken_cam(features, head, images, targets)
print("gradient of the weights after:  up to", round(head.linear.weight.grad.max().item(), 3))
print(f"positions where the map is 0: {(maps < 1e-9).double().mean():.0%}")
alone = broken_cam(features, head, images[:2], targets[:2])
print(f"sum of the first map, in a batch of 6: {maps[0].sum():.4f}; of 2: {alone[0].sum():.4f}")
with torch.no_grad():
    head.linear.weight *= 1e6  # now the net is confident
certain = broken_cam(features, head, images, head(features(images)).argmax(dim=1))
print(f"largest value in the maps of a confident net: {certain.max():.3f}")

# %% [markdown]
# Now write the function without the five faults. Run both parts in evaluation mode. The function
# leaves both unchanged: the mode of each, their running statistics, and the gradients (`.grad`) of
# their parameters. The result is detached from the graph. The function may be a few lines longer
# than the faulty one.
#
# hint: Confident nets: what is the derivative of a softmax whose output is 1? Of which number does
# the lesson's formula take the gradient? And the Grad-CAMs that highlight nearly everything: in
# that formula, over which axes is the gradient averaged, and where is the ReLU applied?
#
# hint: A different Grad-CAM in another batch: in which layer, and in which mode, do the images of a
# batch affect each other? Store `part.training` for both parts, and restore it at the end.
#
# hint: The first step of training: where does `backward` put the gradients of *all* parameters?
# `torch.autograd.grad(score, maps)` computes only the one that you ask for, and returns a tuple.


# %% task="repair"
def cam(features, head, images, targets):
    """Return the Grad-CAM of each image (N, C, H, W) for its target class, (N, H, W)."""
    ### BEGIN SOLUTION
    modes = [(part, part.training) for part in (features, head)]
    maps = features.eval()(images)  # with the running statistics: no image affects another
    scores = head.eval()(maps).gather(1, targets[:, None]).sum()  # logits, not probabilities
    [gradients] = torch.autograd.grad(scores, maps)  # does not touch the parameters' .grad
    for part, training in modes:
        part.train(training)
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # one for each map
    coarse = (weights * maps).sum(dim=1, keepdim=True).relu()  # the ReLU comes after the sum
    return F.interpolate(coarse.detach(), images.shape[2:], mode="bilinear")[:, 0]
    ### END SOLUTION


# %% check="repair_check" points=5
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Parts(nn.Module):
    """Features and a head, with parameters that the check has drawn."""

    def __init__(self, state, features=False, head=False):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6))
        self.norm = nn.BatchNorm2d(6)
        self.linear = nn.Linear(6, 4)
        if state:
            self.load_state_dict(state)
        self.train(head).features.train(features)


@checks.beside
class _Head(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.norm, self.linear = parts.norm, parts.linear
        self.train(parts.training)

    def forward(self, maps):
        return self.linear(self.norm(maps).relu().mean(dim=(2, 3)))


@checks.beside
def _looked(cam, state, modes, images, targets):
    """Return the maps, and what has changed in the net, given a mode for each of its parts."""
    parts = _Parts(state, *modes)
    head, given = _Head(parts), images.clone()
    for number, value in enumerate(parts.parameters()):
        value.grad = None if number % 2 else torch.full_like(value, number)
    maps = cam(parts.features, head, given, targets)
    if maps is None:
        return None
    grads = all(
        value.grad is None
        if number % 2
        else value.grad is not None and bool((value.grad == number).all())
        for number, value in enumerate(parts.parameters())
    )
    after = parts.state_dict()
    return {
        "maps": maps,
        "attached": getattr(maps, "requires_grad", False),
        "grads": grads,
        "state": all(torch.equal(after[name], state[name]) for name in state),
        "modes": [[each.training for each in part.modules()] for part in (parts.features, head)],
        "images": torch.equal(given, images),
    }


def _drawn(seed, size, number=5):
    """Return random values for the net, images and targets."""
    state = _Parts(None).state_dict()
    for i, (name, value) in enumerate(state.items()):
        if value.dim():
            numbers = checks.random_tensor(*value.shape, seed=seed + i)
            state[name] = numbers.abs() + 0.5 if "running_var" in name else 0.7 * numbers
    images = checks.random_tensor(number, 3, *size, seed=seed + 50)
    return state, images, torch.arange(number) % 4


def check_small(cam):
    state, images, targets = _drawn(0, (8, 12))
    found = _looked(cam, state, (False, False), images, targets)
    if found is None:
        raise checks.NotAnswered
    shape = tuple(getattr(found["maps"], "shape", ()))
    sentence = f"Your maps have the shape {shape}, expected (5, 8, 12)."
    checks.require(shape == (5, 8, 12), sentence)
    checks.require(bool((found["maps"] >= 0).all()), "One of your maps has negative values.")


repair_is_right = checks.show(check_small, cam)


### BEGIN HIDDEN TESTS
def check_answer(cam):
    import torch
    import torch.nn.functional as F

    def ours(parts, images, targets, over=(2, 3), each=False, score="logit", mode="bilinear"):
        """Compute Grad-CAM by its definition, or with a slip."""
        maps = parts.features(images)
        logits = _Head(parts)(maps)
        values = {"logit": logits, "probability": logits.softmax(1), "log": logits.log_softmax(1)}
        chosen = values[score].gather(1, targets[:, None]).sum()
        [gradients] = torch.autograd.grad(chosen, maps)
        weights = gradients.mean(dim=over, keepdim=True) if over else gradients
        weighted = weights * maps
        coarse = weighted.relu().sum(1, True) if each else weighted.sum(1, True).relu()
        return F.interpolate(coarse, images.shape[2:], mode=mode)[:, 0].detach()

    check_small(cam)
    changes = {
        "you take the gradient of the probability, not of the logit": {"score": "probability"},
        "you take the gradient of the logarithm of the probability": {"score": "log"},
        "you average the gradients over the maps, not over the positions": {"over": (1,)},
        "you take the gradients themselves as weights, without averaging them": {"over": None},
        "you apply the ReLU to each map before the sum": {"each": True},
        "you repeat pixels instead of interpolating bilinearly": {"mode": "nearest"},
    }
    cases = [
        ((8, 12), (True, True)),
        ((10, 6), (False, False)),
        ((12, 12), (True, False)),
        ((6, 8), (False, True)),
    ]
    for seed, (size, modes) in enumerate(cases):
        state, images, targets = _drawn(100 * seed + 100, size)
        found = _looked(cam, state, modes, images, targets)
        net = _Parts(state)
        right = ours(net, images, targets)
        slips = {slip: ours(net, images, targets, **change) for slip, change in changes.items()}
        slips["you use training mode, where the images of a batch affect each other"] = ours(
            _Parts(state, True, True), images, targets
        )
        slips["you use each image's predicted class, not its target"] = ours(
            net, images, _Head(net)(net.features(images)).argmax(dim=1)
        )
        checks.require_tensor(found["maps"], right, slips, tolerance=1e-4)
        sentence = "Your cam adds to the parameters' gradients, or clears them."
        checks.require(found["grads"], sentence)
        sentence = "Your cam changes the weights or the running statistics of the net."
        checks.require(found["state"], sentence)
        sentence = "Your cam does not leave each part in the mode that it was in."
        kept = [set(now) == {before} for now, before in zip(found["modes"], modes, strict=True)]
        checks.require(all(kept), sentence)
        checks.require(found["images"], "Your cam changes the images that it is given.")
        checks.require(not found["attached"], "Your maps are still part of a graph: detach them.")


checks.award(5, check_answer, cam)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=20
# ## Task 3: four nets, four histories
#
# The next cell makes four trained nets, `nets[0]` to `nets[3]`; your student id determines their
# order. They are functions from raw images to logits, all with the same layers; which layers does
# not matter. All of them were trained on the same 1,000 figures, drawn in the centre. **How was each
# of them trained?**

# %% readonly="nets"
nets = own_nets(student_id)

# %%
for history, sentence in models.HISTORIES.items():
    print(f"{history:12}{sentence}")
drawn = make_shapes(
    500, ShapesConfig(position=0.0, background_correlation=1.0), torch.Generator().manual_seed(1)
)
for number, net in enumerate(nets):
    share = accuracy(net, drawn.images, drawn.labels)
    print(f"nets[{number}] on fresh images, each class on its own background: {share:.0%}")

# %% [markdown]
# One test set is not enough to tell them apart. You need **probes**: two or three sets (images,
# labels), so that *any two* of the four nets are at least 20 points of accuracy apart on at least
# one probe. Each probe has 300 to 800 images (N, 3, 32, 32), `uint8`, as `make_shapes` draws them.
# The labels say which figure was drawn. What you do to the images is up to you: you may change
# backgrounds, or cover, shift or flip something; or take the training images themselves,
# `training_images(correlation)`.
#
# **Predict first.** Which two histories will be hardest to tell apart, whatever you do? Write
# down a pair, such as `("honest", "shuffled")`, before you run anything. A wrong prediction costs
# nothing; without a prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # two of "honest", "background", "unaugmented", "shuffled"
### BEGIN SOLUTION
predicted = ("honest", "unaugmented")  # both must have learned the figures
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Set `probes` to a list of your probes, and `table` to the accuracies of
# the nets on them: for each probe a list of four, one for each net. `accuracy(net, images, labels)`
# returns one of them.
#
# hint: Write down what each history does to a net: what can a net with that history be good at, and
# what can it never have learned? Then look for images on which two of the nets must differ.
#
# hint: `make_shapes(500, config, generator, "swapped")` has backgrounds of other classes, and
# `images.roll(6, dims=3)` shifts images by six pixels. Which of the nets should do worse on the
# first, and which on the second?
#
# hint: A net that has only memorised its training images knows nothing about fresh ones. Is there a
# set on which all the others are good?

# %% task="experiment" tags=["nbval-ignore-output"]
probes = None  # two or three pairs (images, labels)
table = None  # for each probe, the accuracies of the four nets
### BEGIN SOLUTION
config = ShapesConfig(position=0.0, background_correlation=1.0)
generator = torch.Generator().manual_seed(2)
true = make_shapes(500, config, generator)
swapped = make_shapes(500, config, generator, "swapped")  # misleads nets that read backgrounds
shifted = swapped.images.roll(6, dims=3)  # unfamiliar places, unless training shifted images, too
probes = [(true.images, true.labels), (swapped.images, swapped.labels), (shifted, swapped.labels)]
table = [[accuracy(net, *probe) for net in nets] for probe in probes]
for row in table:
    print("  ".join(f"{share:6.1%}" for share in row))
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
from itertools import combinations

import torch

from course_utils import checks, models


def _require_prediction(predicted):
    sentence = "Write your prediction down before the experiment: a pair of histories."
    is_pair = isinstance(predicted, tuple | list | set | frozenset) and len(predicted) == 2
    is_pair = is_pair and all(isinstance(each, str) for each in predicted)
    is_pair = is_pair and len(set(predicted) & set(models.HISTORIES)) == 2
    checks.require(is_pair, sentence)


def _require_probe(probe, name):
    fits = isinstance(probe, list | tuple) and len(probe) == 2
    fits = fits and all(isinstance(each, torch.Tensor) for each in probe)
    checks.require(fits, f"{name} must be a pair (images, labels) of tensors.")
    images, labels = probe
    number = len(labels) if labels.ndim == 1 else 0
    checks.require(300 <= number <= 800, f"{name} must have 300 to 800 images with a label each.")
    fits = images.shape == (number, 3, 32, 32) and images.dtype == torch.uint8
    found, expected = f"{images.dtype} {tuple(images.shape)}", f"uint8 ({number}, 3, 32, 32)"
    checks.require(fits, f"The images in {name} are {found}, expected {expected}.")


def check_small(predicted, probes, table):
    if probes is None and table is None:
        raise checks.NotAnswered
    _require_prediction(predicted)
    fits = isinstance(probes, list | tuple) and len(probes) in (2, 3)
    checks.require(fits, "probes must be a list of two or three pairs (images, labels).")
    for number, probe in enumerate(probes):
        _require_probe(probe, f"probes[{number}]")
    fits = isinstance(table, list | tuple) and len(table) == len(probes)
    fits = fits and all(isinstance(row, list | tuple) and len(row) == 4 for row in table)
    fits = fits and all(isinstance(each, float) and 0 <= each <= 1 for row in table for each in row)
    sentence = "table must hold one list for each probe: four accuracies, floats from 0 to 1."
    checks.require(fits, sentence)


experiment_is_right = checks.show(check_small, predicted, probes, table)


### BEGIN HIDDEN TESTS
def check_answer(predicted, probes, table):
    check_small(predicted, probes, table)
    nets = own_nets(student_id)
    measured = [[accuracy(net, *probe) for net in nets] for probe in probes]
    for number, (given, right) in enumerate(zip(table, measured, strict=True)):
        for net, (one, other) in enumerate(zip(given, right, strict=True)):
            sentence = (
                f"On probes[{number}], nets[{net}] has the accuracy {other:.3f}, not {one:.3f}."
            )
            checks.require(abs(one - other) < 0.02, sentence)
    for one, other in combinations(range(4), 2):
        apart = max(abs(row[one] - row[other]) for row in measured)
        sentence = (
            f"No probe tells nets[{one}] and nets[{other}] apart: their accuracies differ by "
            f"{100 * apart:.0f} points at most."
        )
        checks.require(apart >= 0.2, sentence)


checks.award(2, check_answer, predicted, probes, table)
### END HIDDEN TESTS

# %% [markdown]
# **The verdict.** Say what each net's history is, and which two histories were in fact hardest to
# tell apart. For each pair, take the *largest* difference in accuracy on any of your probes; the
# pair for which this is smallest is the hardest.

# %% task="verdict" tags=["nbval-ignore-output"]
verdict = None  # the histories of nets[0] to nets[3], a list of four
closest = None  # the pair of histories that was the hardest to tell apart
### BEGIN SOLUTION
verdict = [None] * 4
left = [0, 1, 2, 3]  # assign one net after the other
for history, row in (("shuffled", table[0]), ("background", table[1]), ("unaugmented", table[2])):
    lowest = min(left, key=lambda net: row[net])  # hurt most by this probe
    verdict[lowest] = history
    left.remove(lowest)
verdict[left[0]] = "honest"
apart = {
    (a, b): max(abs(row[a] - row[b]) for row in table) for a, b in combinations(range(4), 2)
}  # one probe is enough to tell them apart
closest = tuple(verdict[net] for net in min(apart, key=apart.get))
print(verdict, "closest:", closest)
### END SOLUTION

# %% check="verdict_check" points=2 tags=["nbval-ignore-output"]
from itertools import combinations

from course_utils import checks, models


def check_verdict(predicted, table, verdict, closest):
    if verdict is None and closest is None:
        raise checks.NotAnswered
    _require_prediction(predicted)
    checks.require(table is not None, "First measure the nets on your probes.")
    fits = isinstance(verdict, list | tuple) and sorted(map(str, verdict)) == sorted(
        models.HISTORIES
    )
    checks.require(fits, f"verdict must have each history once, not {verdict!r}.")
    fits = isinstance(closest, tuple | list | set | frozenset) and len(closest) == 2
    fits = fits and len({*map(str, closest)} & set(models.HISTORIES)) == 2
    checks.require(fits, f"closest must be a pair of histories, not {closest!r}.")


def _sorted(pair):
    fits = isinstance(pair, tuple | list | set | frozenset)
    return " and ".join(sorted(map(str, pair))) if fits else "nothing"


_BESIDE = f"you predicted {_sorted(predicted)}, and found {_sorted(closest)}: explain this below"
verdict_is_right = checks.show(check_verdict, predicted, table, verdict, closest, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, table, verdict, closest):
    check_verdict(predicted, table, verdict, closest)
    truth = [name.split(".")[0] for name in models.dealt(
        list(models.HISTORIES), quiz.generator(student_id))]  # fmt: skip
    wrong = [number for number in range(4) if verdict[number] != truth[number]]
    names = ", ".join(f"nets[{number}]" for number in wrong)
    sentence = (
        f"Your verdict is wrong for {names}. What accuracy should a net of such a history have on "
        "your probes?"
    )
    checks.require(not wrong, sentence)
    gaps = {
        frozenset((truth[a], truth[b])): [abs(row[a] - row[b]) for row in table]
        for a, b in combinations(range(4), 2)
    }
    pair, apart = frozenset(closest), {two: max(found) for two, found in gaps.items()}
    right = apart[pair] <= min(apart.values()) + 0.02
    for slip, is_slip in {
        "you take the pair that is farthest apart": apart[pair] == max(apart.values()),
        "you take the smallest difference of each pair, not its largest": min(gaps[pair])
        == min(map(min, gaps.values())),
    }.items():
        checks.require(right or not is_slip, f"{_sorted(closest)} is what you get if {slip}.")
    sentence = f"In your table another pair is closer together than {_sorted(closest)}."
    checks.require(right, sentence)


checks.award(2, check_answer, predicted, table, verdict, closest)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** Which pair did you predict to be the hardest, and which was it in your
# table? Which nets could you *not* have told apart with an ordinary test set, drawn like the
# training images, and which probe told them apart? What measurement would tell the net with
# shuffled labels from one that was never trained? 2 points, graded by a person.

# %% [markdown] written="histories" points=2
# **A model answer.** I predicted that honest and unaugmented would be hardest to tell apart, but in
# my table they were 82 points apart once the figures were shifted by six pixels, and background and
# unaugmented came closest, with 73 points on swapped backgrounds (with a smaller shift, my
# prediction might have been right). On an ordinary test set with each class on its own background,
# three nets were within ten points, so all three would have passed validation; swapped backgrounds
# told one of them from the others, and the shift told the other two apart. On fresh images, the net
# with shuffled labels looks like one that was never trained, but it has learned something: it
# should be far more confident on its own training images than on fresh ones, while a net that was
# never trained should be equally unsure on both.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares the prediction with the closest pair, *and* says which nets an
#   ordinary test set cannot tell apart, with the probe that does. Half a point for only one of
#   these. A wrong prediction costs nothing.
# - 1 point: the answer names a measurement that compares the training images with fresh ones
#   (confidence, loss, predictions that stay the same under small changes; or accuracy by the
#   shuffled labels), *and* the result to expect for both nets. Half a point without the result. No
#   point for accuracy on fresh images.

# %% [markdown]
# ## Challenge
#
# This part earns no points. **Who classifies `shapes` best, with at most 15 million multiply-adds
# per image and two minutes of training?** You hand in a file, `my_entry.py`, that builds a net
# and says how to train it. For example:
#
# ```python
# from torch import nn
#
# from course_utils.data import Augment
# from course_utils.training import TrainConfig
#
# config = TrainConfig(epochs=4, lr=0.05)
# augment = Augment(crop_padding=2)
# batch_size = 64
#
#
# def build() -> nn.Module:
#     return nn.Sequential(
#         nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
#         nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
#     )
# ```
#
# Score it at home on practice images, either in a cell of your own or in a terminal:
#
#     from course_utils import challenge
#     challenge.practise("my_entry.py")
#
#     python -m course_utils challenge my_entry.py
#
# Your teacher scores it on images that nobody has seen. The rules:
#
# - **The challenge trains your net**, on 1,600 images that are the same for everybody. Training
#   stops after 120 seconds of processor time, on one core, even if epochs remain, so choose a
#   number of epochs that fits.
# - **The initial weights are shuffled** before training, so whatever an entry has learned elsewhere
#   is lost.
# - **Everything counts.** A convolution or a matrix product counts as its number of multiply-adds,
#   as in `summary`, wherever it is called: in a layer, a hook or a function. Any other operator
#   counts as one multiply-add for each input and output value.
# - **Each image is classified on its own**, and always by the same operators: which of them run
#   must not depend on what the image shows.
# - An entry has at most 6,000 bytes. It may import torch, `course_utils.models`, `Augment` and
#   `TrainConfig`, but must not read files or draw images.
