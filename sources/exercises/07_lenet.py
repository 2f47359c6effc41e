# %% [markdown]
# # Exercise 07: nets to measure, and measures to trust
#
# **You practise** reading a confusion matrix by its columns, designing a small convnet within a
# budget, finding four faults in code that chooses the best epoch, and measuring what images with
# doubtful labels are worth.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, data, quiz

CLOTHES = data.load("fashion_mnist_mini", batch_size=50).train
HALVED = F.avg_pool2d(CLOTHES.images / 127.5 - 1, 2)  # 14 x 14 pixels are enough, and quick
SIZES = (50, 150, 450, 1350)


def your_brief(student_id):
    """Return channels, height and width of your images, your number of classes and a budget."""
    drawn = quiz.generator(student_id)
    spans = ((1, 4), (20, 37), (4, 21), (14, 41))
    channels, size, classes, thousands = (
        int(torch.randint(*span, (), generator=drawn)) for span in spans
    )
    return channels, size, size, classes, 1000 * thousands


def own_labels(student_id):
    """Return how many images your set has, and the share of its labels that are wrong."""
    drawn = quiz.generator(student_id)
    number, wrong = (int(torch.randint(*span, (), generator=drawn)) for span in ((15, 26), (8, 13)))
    return 100 * number, wrong / 20


def trained(num_images, wrong, seed):
    """Train a small LeNet; return two shares.

    Args:
        num_images: How many images it is trained on.
        wrong: The share of them that get a wrong label: one of the nine other classes, at random.
        seed: The seed of the choice of images, the wrong labels, the weights and the batches.

    Returns:
        Its accuracy on 2,000 other images, whose labels are correct; and the share of the wrongly
        labelled images for which it predicts the wrong label that it was trained with.
    """
    torch.manual_seed(seed)
    chosen = torch.randperm(6000)[:num_images]
    images, labels = HALVED[chosen], CLOTHES.labels[chosen].clone()
    false = slice(0, round(wrong * num_images))
    labels[false] = (labels[false] + torch.randint(1, 10, labels[false].shape)) % 10
    net = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * 2 * 2, 84), nn.ReLU(), nn.Linear(84, 10)),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.004)
    for _ in range(200):
        batch = torch.randint(num_images, (50,))
        optimizer.zero_grad()
        F.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = net(HALVED[6000:8000]).argmax(dim=1) == CLOTHES.labels[6000:8000]
        fitted = net(images[false]).argmax(dim=1) == labels[false]
    return right.float().mean().item(), fitted.float().sum().item() / max(len(fitted), 1)


def worth_of(curve, accuracy):
    """Return the number of images at which a curve {images: accuracy} reaches an accuracy.

    Between two points of the curve, accuracy is linear in the logarithm of the number of images.
    Below or above the whole curve, the result is its smallest or its largest number of images.
    """
    sizes = sorted(curve)
    if accuracy <= curve[sizes[0]]:
        return float(sizes[0])
    for a, b in pairwise(sizes):
        if curve[b] >= accuracy:
            return a * (b / a) ** ((accuracy - curve[a]) / (curve[b] - curve[a]))
    return float(sizes[-1])


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your net and your
# images, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=7
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="after_two_blocks"
after_two_blocks = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "after_two_blocks", student_id)
h, w = numbers["h"], numbers["w"]
# Padding 2 makes up for a 5x5 kernel; without padding, height and width lose 4 each. Halves are
# rounded down.
after_two_blocks = (16, (h // 2 - 4) // 2, (w // 2 - 4) // 2)
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="wider_convolution"
wider_convolution = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "wider_convolution", student_id)
c_in, c_out, k = numbers["c_in"], numbers["c_out"], numbers["k"]
# Each filter reads all channels, so it has c_in * k * k weights and one bias.
wider_convolution = c_out * (c_in * k * k + 1)
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="size_seen"
size_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/07_lenet", "size_seen", student_id)
side = (question.values["n"] // 2 - 4) // 2
# Only the linear layer needs a fixed number of inputs; the convolutions run on any size.
seen = f"An error at the first linear layer: it gets {16 * side * side} "
seen = "No error" if side == 5 else seen
size_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 4

# %% quiz="pairs_told"
pairs_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/07_lenet", "pairs_told", student_id)
# Whether an image and its label belong together can only be seen by looking at pairs.
told = "Show "
pairs_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=4
# ## Task 1: when the net says shirt
#
# The lesson asks what share of all shirts the net recognises. Somebody who *uses* the net asks the
# reverse: of all images that the net classifies as shirts, what share really are shirts? This share
# is the **precision** of the class. Complete the function so that it returns the precision of each
# class, and 0 for a class that the net never predicts.
#
# hint: Rows are true classes, columns are predicted ones. Are all images that the net classifies as
# shirts in one row or in one column?
#
# hint: The diagonal holds the images that are classified correctly. What do you divide it by?
#
# hint: 0 / 0 is `nan`. Where a sum is 0, what can you divide by instead to get 0?


# %% task="precision"
def precision(confusion: torch.Tensor) -> torch.Tensor:
    """Return precisions (K,) for counts (K, K): rows are true classes, columns predicted ones."""
    ### BEGIN SOLUTION
    predicted = confusion.sum(dim=0)  # down each column: all images predicted as this class
    return confusion.diagonal() / predicted.clamp(min=1)  # 0 / 1 if there are none
    ### END SOLUTION


# %% check="precision_check" points=1
import torch

from course_utils import checks


def _precision_of(precision, confusion):
    found = precision(confusion.clone())
    if found is None:
        raise checks.NotAnswered
    kind = type(found).__name__
    checks.require(isinstance(found, torch.Tensor), f"Return one tensor, not a {kind}.")
    return found


def check_small(precision):
    confusion = torch.tensor([[6, 1, 3], [1, 8, 1], [3, 1, 4]])
    found = _precision_of(precision, confusion)
    slips = {
        "you divide by all images: divide by those that are predicted as this class": (
            confusion.diagonal() / confusion.sum()
        ),
        "you return the share that is wrong": 1 - confusion.diagonal() / confusion.sum(dim=0),
    }
    expected = torch.tensor([0.6, 0.8, 0.5])
    checks.require_tensor(found.float(), expected, slips, tolerance=1e-4)


precision_is_right = checks.show(check_small, precision)


### BEGIN HIDDEN TESTS
def check_answer(precision):
    import torch

    check_small(precision)
    for number, size in enumerate((4, 7, 10)):
        drawn = checks.generator(number)
        confusion = torch.randint(1, 30, (size, size), generator=drawn)
        if number:
            confusion[:, number] = 0  # never predicted
        hits, rows, columns = confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0)
        expected = hits / columns.clamp(min=1)
        slips = {
            "you divide by row sums, which gives the share of each class that is recognised": (
                hits / rows
            ),
            "you return the F1 score, which combines precision and recall": 2
            * hits
            / (rows + columns),
            "you divide by the larger of the two sums, of the row and of the column": hits
            / torch.maximum(rows, columns),
            "you return 1 for a class that is never predicted": torch.where(
                columns > 0, expected, 1.0
            ),
            "you divide the hits by the false alarms, not by all predictions of this class": hits
            / (columns - hits).clamp(min=1),
        }
        found = _precision_of(precision, confusion).float()
        sentence = "For a class that is never predicted you divide 0 by 0: return 0 instead."
        checks.require(not bool(found.isnan().any()), sentence)
        checks.require_tensor(found, expected, slips, tolerance=1e-4)


checks.award(1, check_answer, precision)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=10
# ## Task 2: a LeNet turned round
#
# Of LeNet-5's 61,706 parameters, 96 % are in its linear layers, which share no weights. Turn that
# round. Write a function that builds a convnet. The net takes images (N, `channels`, `height`,
# `width`), with one to three channels, and returns logits (N, `classes`). The design is up to you,
# as long as
#
# - the net has at least two convolutions with kernels larger than 1 × 1, and something non-linear
#   between them;
# - it has at most `budget` parameters, and at least nine tenths of that;
# - at least half of its parameters are the weights of convolutions;
# - every parameter can learn: a gradient reaches it.
#
# The requirements below are your own; the function must meet others, too: images of 20 to 36 pixels
# along each side, not always square, 4 to 20 classes, and budgets between 12,000 and 60,000
# parameters. Build the net from layers of `torch.nn`.
#
# hint: What makes LeNet-5's first linear layer large? `nn.AdaptiveAvgPool2d(2)` before
# `nn.Flatten()` reduces each map to four numbers, whatever the size of the image.
#
# hint: Fix the width of every layer but one. How many parameters does *one more filter* in that
# layer add? Count its weights, its bias, and the weights of the next layer that read its map.
#
# hint: So the number of parameters is a + b · filters, where b is what one more filter adds and a
# is all the rest. Subtract a from the budget, divide by b, and round down. Or build nets with 1, 2,
# 3, … filters, and keep the last one that fits.

# %%
channels, height, width, classes, budget = your_brief(student_id)
print(f"{classes} classes of images, {channels} x {height} x {width}")
print(f"at most {budget:,} parameters")


# %% task="net"
def make_net(channels: int, height: int, width: int, classes: int, budget: int) -> nn.Module:
    """Return a net, most of whose weights are shared, for images (N, channels, height, width)."""
    ### BEGIN SOLUTION
    first = 16 * (25 * channels + 1)  # the first layer keeps its width
    # One more filter adds 16 kernels and a bias, and 4 weights for each class.
    filters = (budget - first - classes) // (16 * 25 + 1 + 4 * classes)
    return nn.Sequential(
        *(nn.Conv2d(channels, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, filters, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(4 * filters, classes)),
    )
    ### END SOLUTION


# %% check="net_check" points=3
import torch

from course_utils import checks


def _require_net(make_net, brief, num_images):
    """Require logits of the right shape and at most `budget` parameters; return the net."""
    channels, height, width, classes, budget = brief
    net = make_net(*brief)
    if net is None:
        raise checks.NotAnswered
    checks.require(checks.is_module(net), "Return an nn.Module.")
    checks.set_mode(net, training=False)
    logits = net(checks.random_tensor(num_images, channels, height, width))
    found, expected = tuple(getattr(logits, "shape", ())), (num_images, classes)
    sentence = f"The net of make_net{brief} returns logits of shape {found}, expected {expected}."
    checks.require(found == expected, sentence)
    number = sum(value.numel() for value in checks.parameters_of(net).values())
    sentence = (
        f"The net of make_net{brief} has {number:,} parameters: at most {budget:,} are allowed."
    )
    checks.require(number <= budget, sentence)
    return net


def check_small(make_net):
    _require_net(make_net, your_brief(student_id), 2)


net_is_right = checks.show(check_small, make_net)


### BEGIN HIDDEN TESTS
from torch.utils._python_dispatch import TorchDispatchMode


@checks.beside
class _Reads(TorchDispatchMode):
    """Keeps the inputs of convolutions with kernels larger than 1 x 1, whatever calls them."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default and max(args[1].shape[2:]) > 1:
            self.kept.append(args[0])
        return func(*args, **(kwargs or {}))


@checks.beside
def _bends(net, one, other):
    """Return how far each large convolution's input, then the output, is from linear in the images.

    An affine map f has f(x + y) - f(x) - f(y) + f(0) = 0. On small inputs a sigmoid looks affine.
    """
    with torch.no_grad(), _Reads() as reads:
        output = net(torch.cat([one, other, one + other, 0 * one]))
    found = []
    for values in (*reads.kept, output):
        a, b, both, none = values.double().chunk(4)
        size = (both - none).abs().max().clamp(min=1e-12)
        found.append(float((both - a - b + none).abs().max() / size))
    return found


def check_answer(make_net):
    import torch

    check_small(make_net)
    briefs = [
        your_brief(student_id),
        (3, 33, 21, 7, 58_000),
        (1, 22, 36, 12, 12_000),
        (2, 27, 30, 20, 31_000),
    ]
    for brief in briefs:
        channels, height, width, classes, budget = brief
        net = _require_net(make_net, brief, 3)
        checks.require_own_layers(net)
        parameters = checks.parameters_of(net)
        number = sum(value.numel() for value in parameters.values())
        sentence = (
            f"The net of make_net{brief} has {number:,} parameters, less than 90% of {budget:,}."
        )
        checks.require(number >= 0.9 * budget, sentence)
        filters = [value for value in parameters.values() if value.dim() == 4]
        large = sum(max(value.shape[2:]) > 1 for value in filters)
        sentence = (
            f"Your net needs two convolutions with kernels larger than 1 × 1, and has {large}."
        )
        checks.require(large >= 2, sentence)
        share = sum(value.numel() for value in filters) / number
        sentence = (
            f"For make_net{brief}, {share:.0%} of your parameters are weights of convolutions: "
            "at least half must be."
        )
        checks.require(share >= 0.5, sentence)
        one, other = (checks.random_tensor(1, channels, height, width, seed=i) for i in (1, 2))
        *read, output = _bends(net, 30 * one, 30 * other)
        sentence = "Nothing between your large convolutions is non-linear: put an activation there."
        checks.require((max(read) if len(read) > 1 else output) > 1e-3, sentence)
        a = net(checks.random_tensor(4, channels, height, width, seed=4)).detach()
        total = a.exp().sum(dim=1)
        unit = torch.allclose(a.sum(dim=1), torch.ones(4), atol=1e-4) and bool((a >= 0).all())
        unit = unit or torch.allclose(total, torch.ones(4), atol=1e-4)
        checks.require(not unit, "Your net ends in a softmax: return the logits as they are.")
        checks.set_mode(net, training=True)
        images = checks.random_tensor(16, channels, height, width, seed=3)
        gradients = checks.gradients_of(net, images, torch.arange(16) % classes)
        for name, gradient in gradients.items():
            sentence = f"No gradient reaches {name}, so it cannot learn."
            checks.require(gradient is not None and bool(gradient.any()), sentence)


checks.award(3, check_answer, make_net)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=10
# ## Task 3: a choice with four faults
#
# Accuracy goes up and down during training, so somebody keeps the net of the best epoch and reports
# its accuracy on the test set. The symptoms: "With 11 images, one of them wrongly classified, my
# accuracy is 66.7 %. When I measure the kept net again, its accuracy is lower than reported.
# Dropout seems to work only in the first epoch. And on images of noise, whose labels are drawn at
# random from ten classes, I expect 10 %, but the function reports well over that." Run the next two
# cells, and look at the symptoms before you read the code.

# %% readonly="broken"


def broken_accuracy(net, batches):
    """Return the share of the images that are classified correctly."""
    net.eval()
    shares = []
    with torch.no_grad():
        for images, labels in batches:
            shares.append((net(images).argmax(dim=1) == labels).float().mean().item())
    return sum(shares) / len(shares)


def broken_best(net, train_epoch, num_epochs, val, test):
    """Train; restore the net of the best epoch; return that epoch and its test accuracy."""
    best, reported = 0, -1.0
    for epoch in range(1, num_epochs + 1):
        train_epoch(net)
        share = broken_accuracy(net, test)
        if share > reported:
            best, reported, kept = epoch, share, net.state_dict()
    net.load_state_dict(kept)
    return best, reported


def symptoms(accuracy, best_epoch):
    """Try both functions on cases in which the right result is known."""
    torch.manual_seed(0)  # the net below, and its dropout
    ones = torch.eye(11)
    labels = torch.arange(11) + (torch.arange(11) == 10)  # wrong for the last image alone
    batches = list(zip(ones.split(5), labels.split(5), strict=True))
    print(f"one of 11 wrong: {accuracy(nn.Identity(), batches):.1%}")
    generator = torch.Generator().manual_seed(8)
    noise = torch.randn(2, 60, 36, generator=generator)
    parts = [[(images, torch.randint(10, (60,), generator=generator))] for images in noise]
    net, modes = nn.Sequential(nn.Linear(36, 10), nn.Dropout(0.5)), []

    def train_epoch(net):
        """Learn nothing: draw all weights again."""
        modes.append(net.training)
        nn.init.normal_(net[0].weight, generator=generator)

    epoch, reported = best_epoch(net, train_epoch, 30, *parts)
    print(f"noise: epoch {epoch} of 30 is reported as the best, with {reported:.1%}")
    print(f"the net that was kept, measured again: {accuracy(net, parts[1]):.1%}")
    print(f"epochs trained in training mode: {sum(modes)} of 30")


# %% tags=["nbval-ignore-output"]
symptoms(broken_accuracy, broken_best)

# %% [markdown]
# Write both functions without the four faults. `accuracy` measures in evaluation mode, then puts
# the net back into the mode that it was in. `best_epoch` counts epochs from 1. It leaves the net as
# it was after the best epoch, buffers included, and returns the number of that epoch and the net's
# accuracy on the test set. If several epochs are equally good, the first of them counts.
#
# hint: Begin with the 11 images. How much does the one image of the last batch count, and how much
# does each of the first five? What weight should a batch have?
#
# hint: Now explain the net that was kept. Does `net.state_dict()` return copies, or the tensors in
# which the net keeps its weights? What happens to those in the next epoch?
#
# hint: Now explain the noise. The largest of 30 accuracies is large by luck. Which set may you use
# to choose the epoch, and which set may you use only for the net that was chosen? And what does
# `broken_accuracy` do to the mode of the net, and so to dropout?


# %% task="repair"
def accuracy(net, batches):
    """Return the share of the images that are classified correctly."""
    ### BEGIN SOLUTION
    was_training, right, total = net.training, 0, 0
    net.eval()
    with torch.no_grad():
        for images, labels in batches:
            right += (net(images).argmax(dim=1) == labels).sum().item()  # count images, not batches
            total += len(labels)
    net.train(was_training)  # dropout must work again in the next epoch
    return right / total
    ### END SOLUTION


def best_epoch(net, train_epoch, num_epochs, val, test):
    """Train; restore the net of the best epoch; return that epoch and its test accuracy."""
    ### BEGIN SOLUTION
    best, highest, kept = 0, -1.0, {}
    for epoch in range(1, num_epochs + 1):
        train_epoch(net)
        share = accuracy(net, val)  # choose by the validation set
        if share > highest:
            best, highest = epoch, share
            kept = {name: value.clone() for name, value in net.state_dict().items()}  # copies
    net.load_state_dict(kept)
    return best, accuracy(net, test)  # the test set is used for one net, once
    ### END SOLUTION


# %% check="repair_check" points=3
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Net(nn.Module):
    """A linear net with a buffer, whose logits have the wrong sign in training mode."""

    def __init__(self, state, training):
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.register_buffer("shift", torch.zeros(4))
        self.load_state_dict(state)
        self.train(training)

    def forward(self, images):
        logits = self.linear(images) + self.get_buffer("shift")
        return -logits if self.training else logits


@checks.beside
def _measured(accuracy, state, training, batches):
    """Return the accuracy, and whether the mode is as it was."""
    net = _Net(state, training)
    found = accuracy(net, checks.ListedBatches(batches))
    return found, net.training == training


@checks.beside
def _kept(best_epoch, states, val, test):
    """Train by loading one state an epoch; return the report, the modes and the final state."""
    net, modes, epochs = _Net(states[0], True), [], iter(states[1:])

    def train_epoch(net):
        modes.append(net.training)
        for name, value in next(epochs).items():
            net.state_dict()[name].copy_(value)

    val, test = checks.ListedBatches(val), checks.ListedBatches(test)
    found = best_epoch(net, train_epoch, len(states) - 1, val, test)
    return found, modes, {name: value.clone() for name, value in net.state_dict().items()}


def _parts(number, sizes, classes=4):
    """Return batches of random images with random labels."""
    drawn = checks.generator(number)
    return [
        (
            torch.randn(size, 6, generator=drawn),
            torch.randint(classes, (size,), generator=drawn),
        )
        for size in sizes
    ]


def _states(number, count):
    """Return several state dictionaries of a net."""
    return [
        {
            "linear.weight": checks.random_tensor(4, 6, seed=100 * number + 3 * i),
            "linear.bias": checks.random_tensor(4, seed=100 * number + 3 * i + 1),
            "shift": checks.random_tensor(4, seed=100 * number + 3 * i + 2),
        }
        for i in range(count)
    ]


def check_small(accuracy, best_epoch):
    batches, states = _parts(1, (8, 8)), _states(1, 3)
    share, _ = _measured(accuracy, states[0], False, batches)
    report, *_ = _kept(best_epoch, states, batches, batches)
    if share is None or report is None:
        raise checks.NotAnswered
    fine = isinstance(share, float) and 0 <= share <= 1
    checks.require(fine, f"An accuracy is a Python float from 0 to 1, not {share!r}.")
    fine = isinstance(report, tuple | list) and len(report) == 2
    fine = fine and isinstance(report[0], int) and isinstance(report[1], float)
    checks.require(
        fine, f"best_epoch must return a whole number and a Python float, not {report!r}."
    )


repair_is_right = checks.show(check_small, accuracy, best_epoch)


### BEGIN HIDDEN TESTS
def check_answer(accuracy, best_epoch):
    import torch

    check_small(accuracy, best_epoch)

    def hits(state, batches, sign=1):
        """Return for each batch which images are classified correctly."""
        weight, bias, shift = state.values()
        return [
            ((sign * (x @ weight.T + bias + shift)).argmax(dim=1) == y).float() for x, y in batches
        ]

    def share(state, batches):
        return torch.cat(hits(state, batches)).mean().item()

    def by_batch(state, batches):
        return sum(each.mean().item() for each in hits(state, batches)) / len(batches)

    for number, (sizes, training) in enumerate([((9, 9, 2), True), ((7, 7, 7, 1), False)], start=2):
        batches, [state] = _parts(number, sizes), _states(number, 1)
        found, same_mode = _measured(accuracy, state, training, batches)
        each = hits(state, batches)
        slips = {
            "you average the batches, so that images in a small batch count more": by_batch(
                state, batches
            ),
            "you count only the last batch": each[-1].mean().item(),
            "you divide by the number of batches": sum(map(float, map(torch.sum, each)))
            / len(sizes),
            "you take the last batch to be as large as the first": float(torch.cat(each).sum())
            / (sizes[0] * len(sizes)),
            "you measure in training mode": torch.cat(hits(state, batches, -1)).mean().item(),
        }
        checks.require_number(found, torch.cat(each).mean().item(), slips, tolerance=1e-5)
        sentence = "Your accuracy does not put the net back into the mode that it was in."
        checks.require(same_mode, sentence)

    def case(start):
        """Return states, validation and test set for which each slip gives a different epoch."""
        number = start
        while True:
            number += 1
            states = _states(number, 7)
            val, test = _parts(number, (12, 12, 5)), _parts(number + 5000, (12, 12, 5))
            on_val = [share(state, val) for state in states[1:]]
            on_test = [share(state, test) for state in states[1:]]
            best, by_test = (row.index(max(row)) for row in (on_val, on_test))
            told_apart = {best + 1, best, by_test + 1, on_val.index(min(on_val)) + 1}
            unlike = on_val.count(max(on_val)) == 1 and best != 5 and len(told_apart) == 4
            reports = {round(on_test[i], 3) for i in (best, by_test, 5)} | {round(on_val[best], 3)}
            if unlike and len(reports) == 4:
                return states, val, test, on_val, on_test, best

    for start in (10, 1000, 2000):
        states, val, test, on_val, on_test, best = case(start)
        if start == 2000:  # a later epoch is as good as the best one
            states.append(states[best + 1])
        report, modes, left = _kept(best_epoch, states, val, test)
        sentence = f"You train {len(modes)} epochs instead of {len(states) - 1}."
        checks.require(len(modes) == len(states) - 1, sentence)
        sentence = (
            "Your net is not always trained in training mode: accuracy must restore the mode."
        )
        checks.require(all(modes), sentence)
        epoch, reported = report
        by_test = on_test.index(max(on_test))
        slips = {
            "you choose the epoch by the test set": by_test + 1,
            "you count the epochs from 0": best,
            "you take the last of equally good epochs": len(states) - 1,
            "you choose the worst epoch": on_val.index(min(on_val)) + 1,
        }
        checks.require_number(epoch, best + 1, slips)
        checks.require(
            not torch.equal(left["linear.weight"], states[-1]["linear.weight"])
            or torch.equal(states[-1]["linear.weight"], states[best + 1]["linear.weight"]),
            "Your net ends as it was after the last epoch: load a copy of the best state "
            "(state_dict() does not return copies).",
        )
        right = states[best + 1]
        same = {name: torch.equal(left[name], value) for name, value in right.items()}
        sentence = "You restore the weights, but not the buffers: load the whole state_dict()."
        partly = same["linear.weight"] and not same["shift"]
        checks.require(not partly, sentence)
        sentence = "At the end your net is not as it was after the best epoch."
        checks.require(all(same.values()), sentence)
        slips = {
            "you report the accuracy on the validation set": on_val[best],
            "you report the best accuracy on the test set, not that of the chosen net": max(
                on_test
            ),
            "you measure the net of the last epoch on the test set": share(states[-1], test),
        }
        checks.require_number(reported, on_test[best], slips, tolerance=1e-5)


checks.award(3, check_answer, accuracy, best_epoch)
### END HIDDEN TESTS

# %% [markdown]
# Here are the same measurements with your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    symptoms(accuracy, best_epoch)
else:
    print("The measurements of your functions appear here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: what is a doubtful label worth?
#
# Labels that were collected cheaply are often wrong. You have a set of images, and many of
# its labels are wrong; nobody knows which. Somebody offers you a smaller set, all of whose labels
# are correct. **How many images must it have to be worth as much as yours?**

# %% readonly="labels"
num_images, wrong = own_labels(student_id)

# %%
print(f"you have {num_images} images; {wrong:.0%} of their labels are wrong")

# %% [markdown]
# **Predict first.** With how many correctly labelled images does a net reach the same accuracy as
# with your whole set? Write down a number from 1 to `num_images` before you run anything. A wrong
# prediction costs nothing; without a prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # a number of images
### BEGIN SOLUTION
predicted = round(num_images * (1 - wrong))  # as many as have a correct label
### END SOLUTION

# %% [markdown]
# **Now the experiment.** `trained(num_images, wrong, seed)` trains a small LeNet in a second or
# two, and returns two shares: its accuracy, and the share of the wrong labels that it *reproduces*:
# it predicts them for the very images that carried them in training. Train on your set with the
# seeds 0, 1 and 2. As a yardstick, train on sets of 50, 150, 450 and 1,350 correctly
# labelled images (`SIZES`), each with the same three seeds.
#
# `worth_of(curve, accuracy)` reads off how many correctly labelled images it takes to reach an
# accuracy; `curve` is a dictionary {size: mean accuracy}. It never leaves the curve: 50 may mean
# "50 or fewer", and 1350 "1,350 or more". Report `worth`, the number that you read off at the mean
# accuracy of the three nets trained on your set, and `span`, the two numbers that you read off at
# this mean minus and plus two standard errors. (The standard error is the standard deviation of the
# three accuracies, computed with n − 1, divided by √3.)
#
# hint: `[trained(num_images, wrong, seed) for seed in range(3)]` is a list of three pairs, each
# with the accuracy first. For correctly labelled images, `wrong` is 0.
#
# hint: `{size: sum(values) / 3 for size, values in clean.items()}` is the curve.
#
# hint: `torch.tensor(accuracies).std()` divides by n − 1. Add and subtract two standard errors
# *before* you read off the curve: it is not a straight line.

# %% task="experiment" tags=["nbval-ignore-output"]
noisy = None  # three accuracies of nets that were trained on your set
reproduced = None  # the three shares of the wrong labels that these nets reproduce
clean = None  # {50: three accuracies, 150: ..., 450: ..., 1350: ...}, with correct labels
worth = None  # how many correctly labelled images it takes to reach the mean of noisy
span = None  # (the same at the mean - 2 standard errors, at the mean + 2)
### BEGIN SOLUTION
pairs = [trained(num_images, wrong, seed) for seed in range(3)]
noisy, reproduced = [share for share, _ in pairs], [share for _, share in pairs]
clean = {size: [trained(size, 0, seed)[0] for seed in range(3)] for size in SIZES}
curve = {size: sum(values) / 3 for size, values in clean.items()}
for size, share in curve.items():
    print(f"{size:5} correct labels: {share:.1%}")
mean, error = sum(noisy) / 3, torch.tensor(noisy).std().item() / 3**0.5
worth = worth_of(curve, mean)
span = (
    worth_of(curve, mean - 2 * error),
    worth_of(curve, mean + 2 * error),
)  # each end read off the curve, which is not straight
print(f"{num_images} labels, {wrong:.0%} of them wrong: {mean:.1%}, standard error {error:.1%}")
print(f"worth {worth:.0f} correct ones ({span[0]:.0f} to {span[1]:.0f})")
print("wrong labels reproduced:", [f"{share:.1%}" for share in reproduced])
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
from course_utils import checks


def _require_shares(values, name, least):
    fits = isinstance(values, list | tuple) and len(values) == 3
    fits = fits and all(isinstance(each, float) and least <= each <= 1 for each in values)
    sentence = f"{name} must be three shares of trained nets, from {least} to 1, not {values!r}."
    checks.require(fits, sentence)


def check_small(predicted, noisy, reproduced, clean, worth, span):
    if all(each is None for each in (noisy, reproduced, clean, worth, span)):
        raise checks.NotAnswered
    number, _ = own_labels(student_id)
    fine = isinstance(predicted, int | float) and 1 <= predicted <= number
    sentence = f"Write your prediction down before the experiment: a number from 1 to {number}."
    checks.require(fine, sentence)
    _require_shares(noisy, "noisy", 0.15)
    _require_shares(reproduced, "reproduced", 0.0)
    fits = isinstance(clean, dict) and clean.keys() == set(SIZES)
    checks.require(fits, f"clean must be a dictionary with the keys {SIZES}.")
    for size, values in clean.items():
        _require_shares(values, f"clean[{size}]", 0.15)
    for values in (noisy, *clean.values()):
        checks.require(
            len(set(values)) > 1, f"All of {values} are the same: use a different seed for each."
        )
    checks.require(isinstance(worth, float), f"Answer with a Python float, not {worth!r}.")
    fits = isinstance(span, list | tuple) and len(span) == 2
    fits = fits and all(isinstance(each, float) for each in span)
    checks.require(fits, f"span must be two Python floats, not {span!r}.")


def _in_words(worth, span):
    try:
        return f"{worth:.0f} ({span[0]:.0f} to {span[1]:.0f})"
    except (IndexError, TypeError, ValueError):
        return "nothing yet"


_BESIDE = f"you predicted {predicted} and measured {_in_words(worth, span)}: explain this below"
experiment_is_right = checks.show(
    check_small, predicted, noisy, reproduced, clean, worth, span, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, noisy, reproduced, clean, worth, span):
    import torch

    check_small(predicted, noisy, reproduced, clean, worth, span)

    def require_close(value, expected, slips, name):
        for slip, wrong in slips.items():
            near = abs(value - wrong) < 0.5 < 1 < abs(wrong - expected)
            checks.require(not near, f"{name} = {value:.0f} is what you get if {slip}.")
        sentence = f"{name} = {value:.0f} does not follow from your lists: {expected:.0f} does."
        checks.require(abs(value - expected) < 0.5, sentence)

    rows = {size: torch.tensor(values).double() for size, values in clean.items()}
    curve = {size: row.mean().item() for size, row in rows.items()}
    found = torch.tensor(noisy).double()
    mean, error = found.mean().item(), (found.std() / 3**0.5).item()
    middle = {size: row.median().item() for size, row in rows.items()}
    first = {size: row[0].item() for size, row in rows.items()}
    slips = {
        "you take the median of your three nets, not the mean": worth_of(
            curve, found.median().item()
        ),
        "you take the best of your three nets, not the mean": worth_of(curve, found.max().item()),
        "your curve has medians, not means": worth_of(middle, mean),
        "your curve has the first seed only": worth_of(first, mean),
        "you read the curve off at the mean of reproduced, not of noisy": worth_of(
            curve, sum(reproduced) / 3
        ),
    }
    require_close(worth, worth_of(curve, mean), slips, "worth")
    spread = {
        "you go one standard error down and up, not two": error,
        "you do not divide the standard deviation by √3": 2 * found.std().item(),
        "you divide by n, not by n - 1, in the standard deviation": 2
        * (found.std(correction=0) / 3**0.5).item(),
        "you divide by 3, not by √3": 2 * (found.std() / 3).item(),
        "you take the variance, not the standard deviation": 2 * (found.var() / 3).item(),
    }
    for end, sign, name in ((0, -1, "span[0]"), (1, 1, "span[1]")):
        slips = {slip: worth_of(curve, mean + sign * wide) for slip, wide in spread.items()}
        slips["you put the upper end first"] = worth_of(curve, mean - 2 * sign * error)
        shifted = found.min() if end == 0 else found.max()
        slips["you read the curve off at the lowest and the highest accuracy"] = worth_of(
            curve, shifted.item()
        )
        require_close(span[end], worth_of(curve, mean + 2 * sign * error), slips, name)
    share, followed = trained(*own_labels(student_id), 0)
    fewest, _ = trained(SIZES[0], 0, 0)
    for name, value, again in (
        ("noisy[0]", noisy[0], share),
        ("reproduced[0]", reproduced[0], followed),
        (f"clean[{SIZES[0]}][0]", clean[SIZES[0]][0], fewest),
    ):
        what = f"When the training is repeated, {name} is"
        checks.require_again(what, value, again, tolerance=0.08)


checks.award(2, check_answer, predicted, noisy, reproduced, clean, worth, span)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the span?
# Name two ways in which wrong labels could do harm. Which of them fits the share of wrong labels
# that your nets reproduce? You could have the wrong labels corrected, or double your set by buying
# new images, whose labels are wrong as often as yours: what would you train and compare before you
# decide? 2 points, graded by a person.

# %% [markdown] written="doubtful_labels" points=2
# **A model answer.** I predicted 1,080 images, as many as have a correct label in my set, but my
# nets are only as accurate as nets trained on 93 correctly labelled images, and 1,080 lies far
# outside the span of 68 to 129: the wrong labels do not merely teach nothing, they do harm. A net
# could memorise them, or they could disturb each step, because gradients in all directions drown
# out the useful part of a batch. My nets reproduce 5 % of the wrong labels, hardly more than chance:
# they are wrong on 35 % of new images, and a ninth of that is 4 %. So I think that the steps suffer.
# Before I decide, I would train on twice as many images with the same share of wrong labels, and on
# my own set with all labels correct, for as many steps as here and for ten times as many: I would be
# wrong about the reason if more steps raised the share that is reproduced and lowered the accuracy,
# and I would buy images if they helped as much as corrected labels.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement *with* the span: a prediction inside it
#   is not contradicted. Half a point without the span. A wrong prediction costs nothing.
# - 1 point: the answer distinguishes memorising from disturbed steps (or two similar ways), uses
#   the share that is reproduced (by chance it would be about a ninth of the error rate), *and* names
#   a run that compares more images with corrected labels, or one that trains for longer. Half a
#   point for only one.
