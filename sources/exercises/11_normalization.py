# %% [markdown]
# # Exercise 11: what is measured, and over what
#
# **You practise** folding a normalisation into the layer after it, computing statistics over more
# images than fit into one batch, repairing a fine-tuning loop from its symptoms, and measuring how
# much larger the learning rate may be with normalisation.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, data, quiz
from course_utils.models.initialization import he_normal_

RATES = [2.0**k for k in range(-6, 4)]  # 1/64, 1/32, ..., 4, 8


def own_width(student_id):
    """Return the width of your nets."""
    return 2 * int(torch.randint(8, 15, (), generator=quiz.generator(student_id)))


def deep_net(width, normalised):
    """Return a net of four convolutions with He's weights, with or without batch normalisation."""
    net = nn.Sequential(nn.AvgPool2d(2))
    for number in range(4):
        c_in, stride = (width, 1) if number else (1, 2)
        net.append(nn.Conv2d(c_in, width, 3, stride, padding=1, bias=not normalised))
        net.extend([nn.BatchNorm2d(width), nn.ReLU()] if normalised else [nn.ReLU()])
    net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)])
    return he_normal_(net)


def trained(width, normalised, rate, seed):
    """Take 40 steps on images of clothes; return the net, and the mean loss of the last ten."""
    torch.manual_seed(seed)
    net, train = deep_net(width, normalised), data.load("fashion_mnist_mini", batch_size=50).train
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=rate), []
    for batch in torch.randperm(2000).split(50):
        loss = F.cross_entropy(net(train.images[batch] / 127.5 - 1), train.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return net, sum(losses[-10:]) / 10


def learns(width, normalised, rate, seed):
    """Return whether a net learns at this rate: its loss must fall below 2.2; guessing has 2.3."""
    return trained(width, normalised, rate, seed)[1] < 2.2  # False for NaN


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions and the width of
# your nets, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="running_mean"
running_mean = None  # a number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/11_normalization", "running_mean", student_id)
m, a, b = (numbers[letter] for letter in "mab")
first = m * a  # the estimate starts at 0
running_mean = (1 - m) * first + m * b
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="one_seen"
one_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/11_normalization", "one_seen", student_id)
# One image is enough as long as each channel has more than one value.
seen = "An error" if question.values["s"] == 1 else "No error: each map"
one_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="behind_told"
behind_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/11_normalization", "behind_told", student_id)
# Only the estimates may change: then only they can be the reason.
told = "Send training images through"
behind_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=7
# ## Task 1: fold it forwards
#
# The lesson folds a normalisation into the convolution *before* it. In other nets the normalisation
# comes first. Here the convolution follows it directly, without even a ReLU between the two.
# Complete the function so that it returns the weight and the bias of a *single* convolution that
# computes the same as the normalisation (in evaluation mode) followed by the given convolution,
# which has no bias and no padding.
#
# hint: In evaluation mode each channel of x is multiplied by one number, and another is added.
# What are these two numbers, in terms of `gamma`, `beta`, `mean`, `variance` and `eps`?
#
# hint: Every filter reads all input channels. Which axis of `weight` runs over them?
#
# hint: The number added to a channel is the same at every pixel. What does a filter return if each
# of its input maps is constant? All its weights contribute, whatever the kernel size.


# %% task="fold"
def fold_forwards(
    weight: torch.Tensor,
    gamma: torch.Tensor,
    beta: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a weight (K, C, k, k) and a bias (K,), given a weight and four tensors (C,)."""
    ### BEGIN SOLUTION
    scale = gamma / (variance + eps).sqrt()  # one factor for each input channel
    added = beta - scale * mean
    # The numbers added are constant, so each weight of a filter multiplies its channel's number.
    return weight * scale[:, None, None], (weight * added[:, None, None]).sum(dim=(1, 2, 3))
    ### END SOLUTION


# %% check="fold_check" points=1
import torch
import torch.nn.functional as F

from course_utils import checks


def _layers(k_out, c, k, seed):
    """Return a weight, then gamma, beta, mean and variance."""
    weight = checks.random_tensor(k_out, c, k, k, seed=seed)
    gamma, beta, mean, spread = checks.random_tensor(4, c, seed=seed + 1)
    return weight, gamma, beta, mean, spread.abs() + 0.2


def _folded(fold_forwards, layers, eps):
    """Return the learner's weight and bias, of the right shapes."""
    found = fold_forwards(*layers, eps)
    if found is None:
        raise checks.NotAnswered
    is_pair = isinstance(found, tuple | list) and len(found) == 2
    checks.require(is_pair, "Return two tensors: the weight, then the bias.")
    for value, shape in zip(found, (layers[0].shape, layers[0].shape[:1]), strict=True):
        sizes = tuple(getattr(value, "shape", ()))
        sentence = f"One of your tensors has the shape {sizes}, expected {tuple(shape)}."
        checks.require(sizes == tuple(shape), sentence)
    return [value.detach().float() for value in found]  # whatever precision they were computed in


def check_small(fold_forwards):
    weight, gamma, beta, mean, variance = _layers(3, 3, 1, 0)
    layers, x = (weight, gamma, beta, 0 * mean, variance), checks.random_tensor(2, 3, 4, 4)
    weight, bias = _folded(fold_forwards, layers, 1e-5)
    expected = F.conv2d(F.batch_norm(x, *layers[3:], *layers[1:3], eps=1e-5), layers[0])
    turned = layers[0] * (gamma / variance.sqrt())[:, None, None, None]
    slips = {
        "you scale whole filters: scale the channels that they read": F.conv2d(x, turned, bias),
        "you divide by the variance, not by its square root": F.conv2d(
            x, layers[0] * (gamma / variance)[:, None, None], bias
        ),
        "you leave the weight as it is": F.conv2d(x, layers[0], bias),
        "you leave out the bias": F.conv2d(x, weight),
    }
    checks.require_tensor(F.conv2d(x, weight, bias), expected, slips, tolerance=1e-3)


fold_is_right = checks.show(check_small, fold_forwards)


### BEGIN HIDDEN TESTS
def check_answer(fold_forwards):
    import torch.nn.functional as F

    check_small(fold_forwards)
    for seed, (k_out, c, k, eps) in enumerate([(4, 2, 1, 0.3), (2, 5, 3, 0.1), (3, 3, 2, 0.2)]):
        layers = _layers(k_out, c, k, 10 * seed + 10)
        weight, gamma, beta, mean, variance = layers
        x = checks.random_tensor(2, c, 6, 5, seed=seed + 90)

        def ours(eps=eps, sign=-1.0, total=True, layers=layers, x=x):
            """Fold by the definition, or with a slip."""
            weight, gamma, beta, mean, variance = layers
            scale = gamma / (variance + eps).sqrt()
            added = weight * (beta + sign * scale * mean)[:, None, None]
            bias = added.sum((1, 2, 3)) if total else added.sum(1).mean((1, 2))
            return F.conv2d(x, weight * scale[:, None, None], bias)

        expected = F.conv2d(F.batch_norm(x, mean, variance, gamma, beta, eps=eps), weight)
        slips = {
            "you leave out eps": ours(eps=0.0),
            "you leave out the running mean": ours(sign=0.0),
            "you add the running mean": ours(sign=1.0),
            "you count one weight per kernel in the bias: every weight multiplies the shift": ours(
                total=False
            ),
        }
        found = F.conv2d(x, *_folded(fold_forwards, layers, eps))
        checks.require_tensor(found, expected, slips, tolerance=1e-3)


checks.award(1, check_answer, fold_forwards)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=11
# ## Task 2: the statistics of many small batches
#
# A running estimate forgets old batches, and it averages the variances of batches. You want the
# true statistics of a channel instead: the mean and the variance of *all* its values in all
# batches. Complete the function. `batches` yields tensors (N, C, H, W) one after the other, and
# only once; N, H and W may differ from batch to batch (N may be 1), but C does not. Memory is
# scarce: do not keep the batches. Return the mean and the **unbiased** variance (dividing by n − 1)
# of each channel.
#
# hint: If the batches differ in size, the mean of all values is not the mean of the batches' means.
# What do you have to keep besides the sums?
#
# hint: If one batch is dark and the next one bright, is the mean of their variances the variance of
# all values together? What is missing?
#
# hint: The variance is the mean square minus the square of the mean. float32 has about seven
# digits: with a mean of 1,000 and a variance of 1, how many of them are still correct after the
# subtraction? float64 has 16.


# %% task="statistics"
def statistics(batches) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and unbiased variance of each channel, (C,) and (C,), over all batches."""
    ### BEGIN SOLUTION
    count = total = squares = 0
    for batch in batches:
        batch = batch.double()  # a small difference between large numbers needs digits
        count += batch[:, 0].numel()
        total += batch.sum(dim=(0, 2, 3))
        squares += batch.square().sum(dim=(0, 2, 3))
    mean = total / count
    variance = (squares - count * mean.square()) / (count - 1)  # with the variance between batches
    return mean.float(), variance.float()
    ### END SOLUTION


# %% check="statistics_check" points=3
import torch

from course_utils import checks
from course_utils.inspection.memory import LiveBytes


@checks.beside
def _measured(statistics, batches):
    """Return what the learner's function returns for batches that can be read only once."""
    return statistics(iter(batches))


@checks.beside
def _alive(statistics, num_batches):
    """Return the most memory that is in use at once, as a multiple of one batch."""
    with LiveBytes() as live:
        statistics(torch.rand(4, 3, 16, 16) for _ in range(num_batches))
    return live.peak / torch.rand(4, 3, 16, 16).nbytes


def _require_means(statistics, batches):
    """Require two tensors, and the right means; return the variances."""
    found = _measured(statistics, batches)
    if found is None:
        raise checks.NotAnswered
    is_pair = isinstance(found, tuple | list) and len(found) == 2
    checks.require(is_pair, "Return two tensors: the means, then the variances.")
    every = torch.cat([batch.double().transpose(0, 1).flatten(1) for batch in batches], dim=1)
    slips = {
        "you average the batches' means: weight each by its number of values": torch.stack(
            [batch.double().mean((0, 2, 3)) for batch in batches]
        ).mean(0),
        "you add the values up, but do not divide": every.sum(1),
    }
    checks.require_tensor(found[0], every.mean(1), slips, tolerance=1e-4)
    shape = tuple(getattr(found[1], "shape", ()))
    sentence = f"Your variances have the shape {shape}, expected ({len(every)},)."
    checks.require(shape == (len(every),), sentence)
    return found[1]


def check_small(statistics):
    batch = torch.arange(48.0).view(4, 2, 2, 3)
    variances = _require_means(statistics, [batch, batch + 10])
    checks.require(bool((variances >= 0).all()), f"A variance cannot be negative: {variances}.")
    alive = _alive(statistics, 60)
    sentence = f"Of 60 batches, your function holds {alive:.0f} in memory: keep none of them."
    checks.require(alive < 30, sentence)


statistics_are_right = checks.show(check_small, statistics)


### BEGIN HIDDEN TESTS
def check_answer(statistics):
    import torch

    check_small(statistics)

    def slips_of(batches, every):
        """Return the variances that well-known slips lead to."""
        rows = [batch.double().transpose(0, 1).flatten(1) for batch in batches]
        sizes = torch.tensor([row.shape[1] for row in rows]).double()[:, None]
        inside = torch.stack([row.var(1) for row in rows])
        images = torch.cat([batch.double().flatten(2).mean(2) for batch in batches])
        return {
            "you divide by the number of values, not by one less": every.var(1, correction=0),
            "you average the batches' variances: their means differ, too": inside.mean(0),
            "you weight the batches' variances, but ignore that their means differ": (
                (inside * sizes).sum(0) / sizes.sum()
            ),
            "you return the standard deviation": every.std(1),
            "you take the variance of the batches' means": torch.stack(
                [row.mean(1) for row in rows]
            ).var(0),
            "you take the variance of the images' means": images.var(0),
            "you return the mean square": every.square().mean(1),
        }

    rows = [
        ([(2, 3, 4, 4)] * 3, 3.0, 0.0),
        ([(1, 2, 2, 3), (5, 2, 4, 1), (1, 2, 1, 2)], 2.0, 1.0),
        ([(1, 4, 3, 3)] * 6, 1.0, -2.0),
        ([(3, 2, 5, 5), (2, 2, 4, 6)], 0.1, 1000.0),
    ]
    for seed, (shapes, apart, offset) in enumerate(rows):
        batches = [
            checks.random_tensor(*shape, seed=10 * seed + i) + apart * i + offset
            for i, shape in enumerate(shapes)
        ]
        variances = _require_means(statistics, batches)
        every = torch.cat([batch.double().transpose(0, 1).flatten(1) for batch in batches], dim=1)
        if offset == 1000:  # the batches above have shown other slips: here only digits are missing
            sentence = (
                f"At a mean of 1,000 your variances are {variances.tolist()}, expected "
                f"{every.var(1).tolist()}: float32 has too few digits for such squares."
            )
            fine = torch.allclose(variances.double(), every.var(1), rtol=1e-3)
            checks.require(fine, sentence)
        slips = slips_of(batches, every)
        checks.require_tensor(variances, every.var(1), slips, tolerance=1e-3)


checks.award(3, check_answer, statistics)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: fine-tuning, one image at a time
#
# Somebody fine-tunes a net with batch normalisation on large images, only *one* of which fits into
# memory. So `step` sends the images of a batch through the net one at a time. It should still take
# one step on the mean loss of the whole batch, and leave the running estimates from training
# unchanged. They report four symptoms: "Even with a learning rate of 0, the net's predictions
# change after a step. The mean loss is much higher than it used to be. It makes no difference which
# images come first in a batch: only the last one counts. And what the net predicts for an image
# depends on the other images." Run the next two cells, and look at these symptoms before you read
# the code. There are four faults.

# %% readonly="broken"


def broken_step(net, optimizer, images, labels):
    """Take one step on a batch, one image at a time; return the mean loss before it."""
    net.train()
    total = 0.0
    for image, label in zip(images.split(1), labels.split(1), strict=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(image), label)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def broken_predict(net, images):
    """Return the predicted classes of some images."""
    with torch.no_grad():
        return net(images).argmax(dim=1)


# %% tags=["nbval-ignore-output"]
net, _ = trained(12, True, 0.5, seed=0)
train = data.load("fashion_mnist_mini", batch_size=50).train
images, labels = train.images / 127.5 - 1, train.labels
before = net.eval()(images[:8]).detach()
loss = broken_step(net, torch.optim.SGD(net.parameters(), lr=0.0), images[:8], labels[:8])
change = (net.eval()(images[:8]) - before).abs().max().item()
print(f"one step with a learning rate of 0: the logits have changed by up to {change:.2f}")
print(f"the mean loss of its eight images: {loss:.1f}")
filters = []
for start in (0, 100):
    chosen, twin = [*range(start, start + 7), 7], deepcopy(net)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    broken_step(twin, optimizer, images[chosen], labels[chosen])
    filters.append(twin[1].weight.detach())
apart = (filters[0] - filters[1]).abs().max().item()
print(f"two batches that share only their last image lead to filters that differ by {apart:.3f}")
with torch.no_grad():
    for name, order in (("mixed order", torch.arange(500)), ("by class", labels[:500].argsort())):
        hits = [(broken_predict(net.train(), images[i]) == labels[i]) for i in order.split(50)]
        print(f"accuracy, 50 images at a time, {name}: {torch.cat(hits).float().mean():.0%}")

# %% [markdown]
# Now write both functions without the four faults. Either may be given a net in training or in
# evaluation mode. `step` sends one image at a time through the net, normalises with the running
# estimates and leaves them unchanged, takes one step of the optimiser on the **mean** of the
# losses, and returns this mean. `predict` returns what the net would predict in use.
#
# hint: Only the last image counts: what does `zero_grad` do, and how often does it run in a step?
# How often does `optimizer.step` run?
#
# hint: The loss is too high: what is added up, and what is it divided by? If you add up eight
# gradients, what else must you do to get the gradient of the mean of eight losses?
#
# hint: A step with a learning rate of 0 changes the net: in training mode, batch normalisation uses
# the statistics of the batch, here of a single image, and moves its running estimates towards
# these. Which mode uses the estimates and leaves them unchanged? Can the weights still learn in
# that mode?


# %% task="repair"
def step(net, optimizer, images, labels) -> float:
    """Take one step on a batch, one image at a time; return the mean loss before it."""
    ### BEGIN SOLUTION
    net.eval()  # uses the running estimates, not one image's statistics, and does not move them
    optimizer.zero_grad()  # once, so that all images count
    total = 0.0
    for image, label in zip(images.split(1), labels.split(1), strict=True):
        loss = F.cross_entropy(net(image), label) / len(images)  # its share of the mean
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total
    ### END SOLUTION


def predict(net, images):
    """Return the predicted classes of some images."""
    ### BEGIN SOLUTION
    net.eval()  # what is predicted for an image does not depend on the others
    with torch.no_grad():
        return net(images).argmax(dim=1)
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks


@checks.beside
class _Net(nn.Sequential):
    """A small net with batch normalisation that records how many images it reads at a time."""

    def __init__(self, state, training):
        layers = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)]
        super().__init__(*layers)
        self.most = 0
        if state:
            self.load_state_dict(state)
        self.float().train(training)  # whatever the default dtype is

    def forward(self, images):
        self.most = max(self.most, len(images))
        return super().forward(images)


@checks.beside
def _stepped(step, state, training, batches):
    """Return the losses of some steps, the state afterwards, and the most images read at a time."""
    net = _Net(state, training)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    losses = [step(net, optimizer, *batch) for batch in batches]
    return losses, {name: value.float() for name, value in net.state_dict().items()}, net.most


@checks.beside
def _predicted(predict, state, training, images):
    return predict(_Net(state, training), images)


def _drawn(seed, num_batches):
    """Return a random state of the net, and random batches."""
    state = _Net(None, True).state_dict()
    for i, (name, value) in enumerate(state.items()):
        if value.dim():
            numbers = checks.random_tensor(*value.shape, seed=seed + i)
            state[name] = numbers.abs() + 0.3 if "running_var" in name else numbers
    images = checks.random_tensor(num_batches, 6, 1, 5, 5, seed=seed + 20)
    return state, [(x, torch.randint(4, (6,), generator=checks.generator(seed))) for x in images]


def check_small(step, predict):
    state, batches = _drawn(0, 1)
    [loss], _, most = _stepped(step, state, True, batches)
    classes = _predicted(predict, state, False, batches[0][0])
    if loss is None or classes is None:
        raise checks.NotAnswered
    checks.require(isinstance(loss, float), f"Return a Python float, not {loss!r}.")
    sentence = f"Your step sends {most} images through the net at once: only one fits into memory."
    checks.require(most == 1, sentence)
    shape = tuple(getattr(classes, "shape", ()))
    checks.require(shape == (6,), f"Your classes have the shape {shape}, expected (6,).")


repair_is_right = checks.show(check_small, step, predict)


### BEGIN HIDDEN TESTS
def check_answer(step, predict):
    import torch
    import torch.nn.functional as F

    check_small(step, predict)

    def ours(state, batches, training=False, last=False, share=1 / 6, clear=True):
        """Return losses and state by the definition, or with slips."""
        net, losses = _Net(state, training), []
        optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
        for images, labels in batches:
            if clear:
                optimizer.zero_grad()
            each = []
            for pair in zip(images.split(1), labels.split(1), strict=True):
                if last:
                    optimizer.zero_grad()
                each.append(F.cross_entropy(net(pair[0]), pair[1]))
                (share * each[-1]).backward()
            optimizer.step()
            losses.append(sum(loss.item() for loss in each) / 6)
        return losses, {name: value.float() for name, value in net.state_dict().items()}

    def alike(one, other, name=""):
        rows = [key for key in other if name in key and "tracked" not in key]
        return all(torch.allclose(one[key], other[key], atol=1e-4) for key in rows)

    slips = {
        "you set the gradients to zero for each image: only the last one counts": {"last": True},
        "you add the gradients up: for the mean, divide by the number of images": {"share": 1.0},
        "you count only the last image, with its full gradient": {"last": True, "share": 1.0},
        "you never set the gradients to zero: those of earlier steps count, too": {"clear": False},
        "you normalise each image with its own statistics": {"training": True},
        "you normalise each image with its own statistics, and add the gradients up": {
            "training": True,
            "share": 1.0,
        },
    }
    for seed, training in ((30, True), (60, False)):
        state, batches = _drawn(seed, 3)
        losses, after, _ = _stepped(step, state, training, batches)
        right, expected = ours(state, batches)
        kept = alike(after, expected, "running")
        checks.require(kept, "Your step moves the running estimates: leave them unchanged.")
        for slip, change in slips.items():
            wrong = ours(state, batches, **change)[1]
            is_slip = alike(after, wrong, "weight")
            checks.require(not is_slip, f"Your weights are what you get if {slip}.")
        sentence = "Your weights after three steps are not those of three steps on the mean loss."
        checks.require(alike(after, expected), sentence)
        slips_of_loss = {"you return the sum of the losses": torch.tensor(right) * 6}
        checks.require_tensor(
            torch.tensor(losses), torch.tensor(right), slips_of_loss, tolerance=1e-4
        )
    for seed, training in ((30, False), (30, True), (60, True)):
        state, batches = _drawn(seed, 10)
        for images, _ in batches:
            found = _predicted(predict, state, training, images)
            expected = _Net(state, False)(images).argmax(dim=1)
            sentence = (
                "Your predict does not return what the net would predict in use. Does it depend on "
                "the other images, or on the mode that the net is in?"
            )
            checks.require(torch.equal(found, expected), sentence)


checks.award(4, check_answer, step, predict)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=16
# ## Task 4: how much faster may it go?
#
# "With batch normalisation you can use much larger learning rates." How much larger, in a net of
# *your* width? Take two nets of four convolutions with He's initial weights, one with batch
# normalisation after each convolution and one without. For each, find the largest of the rates in
# `RATES` (each is double the one before) at which it still **learns**: 40 steps must bring its loss
# (the mean over the last ten) to below 2.2; guessing has 2.3. How many doublings lie between the
# largest rate of the net without normalisation and that of the net with it?

# %% readonly="width"
width = own_width(student_id)

# %%
print(f"your nets are {width} channels wide; rates: {', '.join(f'{rate:g}' for rate in RATES)}")

# %% [markdown]
# **Predict first.** How many doublings are there, as a mean over three seeds, between the largest
# rate without normalisation and the largest with it? 0 means that both nets learn up to the same
# rate, 3 that the normalised net learns up to eight times that rate, −1 that it learns only up to
# half of it. Write down a number from −9 to 9 before you run anything. A wrong prediction costs
# nothing; without a prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # a number of doublings
### BEGIN SOLUTION
predicted = 6  # the lesson's net without normalisation did not learn at all
### END SOLUTION

# %% [markdown]
# **Now the experiment.** `learns(width, normalised, rate, seed)` trains one net in about half a
# second and returns `True` if it learns. Find the largest rate at which it does, for each kind of
# net and each of the seeds 0, 1 and 2. Report the mean number of doublings, and its standard error:
# the standard deviation of the three numbers of doublings (dividing by n − 1), divided by √3.
#
# hint: Begin with the largest rate and stop at the first one at which the net learns: that saves
# many of the runs. `reversed(RATES)` goes through the rates in this order.
#
# hint: From a rate of 1/4 to a rate of 4 there are four doublings: `math.log2(4 / 0.25)` is 4.
#
# hint: `torch.tensor(numbers).std()` divides by n − 1. It is 0 if all three numbers are equal:
# would that mean that you know their mean exactly, although each rate is double the one before?

# %% task="experiment" tags=["nbval-ignore-output"]
plain = None  # the largest rate without normalisation, for seeds 0, 1 and 2
normalised = None  # likewise, with batch normalisation
doublings = None  # the mean of the three numbers of doublings, from plain to normalised
error = None  # its standard error
### BEGIN SOLUTION
largest = {False: [], True: []}
for kind, rates in largest.items():
    for seed in range(3):
        working = (rate for rate in reversed(RATES) if learns(width, kind, rate, seed))
        rates.append(next(working))  # stops at the first that works, which is the largest
plain, normalised = largest[False], largest[True]
each = torch.tensor(normalised).log2() - torch.tensor(plain).log2()  # seed by seed
doublings, error = each.mean().item(), (each.std() / 3**0.5).item()
print(f"plain {plain}, normalised {normalised}")
print(f"{doublings:+.1f} doublings, standard error {error:.1f}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def _require_rates(rates, name):
    fits = isinstance(rates, list | tuple) and len(rates) == 3
    fits = fits and all(isinstance(each, int | float) and each in RATES for each in rates)
    checks.require(fits, f"{name} must be three rates from RATES, not {rates!r}.")


def check_small(predicted, plain, normalised, doublings, error):
    if all(each is None for each in (plain, normalised, doublings, error)):
        raise checks.NotAnswered
    fits = isinstance(predicted, int | float) and -9 <= predicted <= 9
    sentence = "Write your prediction down before the experiment: a number from -9 to 9."
    checks.require(fits, sentence)
    _require_rates(plain, "plain")
    _require_rates(normalised, "normalised")
    for value in (doublings, error):
        checks.require(isinstance(value, float), f"Answer with a Python float, not {value!r}.")


_SHOWN = f"{doublings:+.1f} ± {error:.1f}" if isinstance(error, float) else "nothing yet"
_BESIDE = f"you predicted {predicted} and measured {_SHOWN} doublings: explain this below"
experiment_is_right = checks.show(
    check_small, predicted, plain, normalised, doublings, error, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, plain, normalised, doublings, error):
    import torch

    check_small(predicted, plain, normalised, doublings, error)
    one, other = (torch.tensor(rates).double() for rates in (plain, normalised))
    right = checks.paired_seeds(other.log2().tolist(), one.log2().tolist())
    slips = {
        "you count from the net with normalisation to the one without": -right.mean,
        "you take the natural logarithm": (other.log() - one.log()).mean().item(),
        "you return how many times larger the rate is": (other / one).mean().item(),
        "you take the ratio of the mean rates": (other.mean() / one.mean()).log2().item(),
        "you subtract the rates": (other - one).mean().item(),
    }
    checks.require_number(doublings, right.mean, slips | right.mean_slips, tolerance=1e-3)
    checks.require_number(error, right.error, right.error_slips, tolerance=1e-3)
    for rates, kind, name in ((plain, False, "without"), (normalised, True, "with")):
        again = next(x for x in reversed(RATES) if learns(own_width(student_id), kind, x, 0))
        sentence = (
            f"With seed 0 your net {name} normalisation learns up to a rate of {again:g}, not "
            f"{rates[0]:g}: did you train it?"
        )
        checks.require(again / 2 <= rates[0] <= 2 * again, sentence)  # processors round differently


checks.award(2, check_answer, predicted, plain, normalised, doublings, error)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# error and the coarse grid of rates? What other difference between the two nets, or what choice in
# the experiment (the 40 steps, the 2.2, the batches of 50), could explain part of the gap? What
# further run would show whether the normalised net also *benefits* from its larger rate? 2 points,
# graded by a person.

# %% [markdown] written="larger_rates" points=2
# **A model answer.** I predicted six doublings, and measured 4.0 with a standard error of 0.6.
# Each of my rates is double the one before, so I know each gap only to within about one doubling,
# but six lies outside that range, too. A loss below 2.2 after 40 steps may be easier to reach for
# the normalised net simply because it learns faster, so the gap depends on the threshold and on the
# number of steps: a plain net that starts slowly, at a rate at which it would learn later, counts
# as a failure. I would give each net its best rate, train both to a plateau with several seeds, and
# compare the losses; and I would add the plain net with clipped gradients, as the lesson does, so
# that it has its best chance, too.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement with the standard error *and* with the
#   distance between the rates (a standard error of 0 does not mean certainty). Half a point for
#   only one of these. A wrong prediction costs nothing.
# - 1 point: the answer names a choice in the experiment or a difference between the nets that
#   favours one of them, *and* a run that compares the two, each at its own best rate (or that clips
#   the gradients). Half a point for only one of these.
