# %% [markdown]
# # Exercise 07: nets to measure, and measures to trust
#
# **You practise** reading a confusion matrix by its columns, designing a small convnet within a
# budget, finding four faults in the choice of the best epoch by their symptoms, and asking what
# images with doubtful labels are worth.
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


def own_wish(student_id):
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
        seed: For the choice of images, the wrong labels, the weights and the batches.

    Returns:
        Its accuracy on 2,000 other images, whose labels are right; and the share of the wrongly
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
    """Return how many images reach an accuracy, on a curve {number of images: accuracy}.

    Between two points of the curve the accuracy rises linearly with the logarithm of the number.
    For an accuracy below or above the whole curve, the answer is the curve's first or last number.
    """
    sizes = sorted(curve)
    if accuracy <= curve[sizes[0]]:
        return float(sizes[0])
    for a, b in pairwise(sizes):
        if curve[b] >= accuracy:
            return a * (b / a) ** ((accuracy - curve[a]) / (curve[b] - curve[a]))
    return float(sizes[-1])


# %% [markdown]
# Your student id, as your teacher writes it. It picks your questions, your net and your images, so
# yours will differ from most people's. If you work on your own, leave it empty.

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
# Padding 2 makes up for a 5x5 kernel; without padding it takes off 4. Halves are rounded down.
after_two_blocks = (16, (h // 2 - 4) // 2, (w // 2 - 4) // 2)
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="wider_convolution"
wider_convolution = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "wider_convolution", student_id)
c_in, c_out, k = numbers["c_in"], numbers["c_out"], numbers["k"]
# Each filter reads all the channels: c_in * k * k weights, and one bias.
wider_convolution = c_out * (c_in * k * k + 1)
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="size_seen"
size_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/07_lenet", "size_seen", student_id)
side = (question.values["n"] // 2 - 4) // 2
# Only the linear layer is bound to a number of values; the convolutions run on any size.
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
# A question about pairs of image and label is answered by looking at pairs.
told = "Show "
pairs_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=4
# ## Task 1: when the net says shirt
#
# The lesson asks: of all shirts, what share does the net recognise? Whoever *uses* the net asks the
# other way round: of all images that the net classifies as shirts, what share are shirts? This is
# the **precision** of a class. Complete the function: it returns the precision of each class. For a
# class that the net never predicts, return 0.
#
# hint: Rows are true classes, columns are predicted ones. Are all images that the net classifies as
# shirts in one row or in one column?
#
# hint: The diagonal has those that are classified correctly. By what do you divide it?
#
# hint: 0 / 0 makes `nan`. What can you divide by instead, where a sum is 0, so that 0 comes out?


# %% task="precision"
def precision(confusion: torch.Tensor) -> torch.Tensor:
    """Return (K,) for counts (K, K), with a row for each true class, a column for each predicted."""
    ### BEGIN SOLUTION
    predicted = confusion.sum(dim=0)  # down each column: all that is predicted as this class
    return confusion.diagonal() / predicted.clamp(min=1)  # 0 / 1 where nothing did
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
    shape, expected = tuple(found.shape), (len(confusion),)
    checks.require(shape == expected, f"Your precision is {shape}, expected {expected}.")
    return found


def check_small(precision):
    confusion = torch.tensor([[6, 1, 3], [1, 8, 1], [3, 1, 4]])
    found = _precision_of(precision, confusion)
    slips = {
        "you divide by all images: divide by those that the net predicts as this class": (
            confusion.diagonal() / confusion.sum()
        ),
        "you give the share that is wrong": 1 - confusion.diagonal() / confusion.sum(dim=0),
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
        expected = torch.where(columns > 0, hits / columns.clamp(min=1), 0.0)
        slips = {
            "you divide by the rows, which gives the share of each class that is recognised": (
                hits / rows
            ),
            "you take both together, 2 hits for each row and column": 2 * hits / (rows + columns),
            "you divide by the larger of row and column": hits / torch.maximum(rows, columns),
            "you give a class that is never predicted the precision 1": torch.where(
                columns > 0, expected, 1.0
            ),
            "you give hits and misses as a ratio": hits / (columns - hits).clamp(min=1),
        }
        found = _precision_of(precision, confusion).float()
        sentence = "For a class that is never predicted you divide 0 by 0: return 0 there."
        checks.require(not bool(found.isnan().any()), sentence)
        checks.require_tensor(found, expected, slips, tolerance=1e-4)


checks.award(1, check_answer, precision)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=10
# ## Task 2: a LeNet turned round
#
# Of LeNet-5's 61,706 parameters, 96 % are in its linear layers, which share nothing. Turn that
# round. Write a function that designs a convnet for images (N, `channels`, `height`, `width`) with
# one to three channels, which returns logits (N, `classes`). The design is yours, as long as
#
# - it has at least two convolutions with kernels larger than 1 × 1, with something non-linear
#   between them;
# - it has at most `budget` parameters, and at least nine tenths of that;
# - at least half of its parameters are the weights of convolutions;
# - every parameter can learn: a gradient reaches it.
#
# The requirements below are yours; the function must meet others, too, with images that are not
# square. All budgets are between 12,000 and 60,000 parameters. Build the net from layers of
# `torch.nn`.
#
# hint: What makes LeNet-5's first linear layer large? With `nn.AdaptiveAvgPool2d(2)` before
# `nn.Flatten()`, four numbers remain of each map, whatever the size of the image.
#
# hint: Fix all widths but one. How many parameters does *one more filter* in this layer bring:
# in itself, in its bias, and in the layer that reads its map?
#
# hint: So the number of parameters is a + b · filters. Divide what the budget leaves after a by b,
# and round down. Or build nets with 1, 2, 3, … filters, and keep the last one that fits.

# %%
channels, height, width, classes, budget = own_wish(student_id)
print(f"{classes} classes of images, {channels} x {height} x {width}")
print(f"at most {budget:,} parameters")


# %% task="net"
def make_net(channels: int, height: int, width: int, classes: int, budget: int) -> nn.Module:
    """Return a net for images (N, channels, height, width), most of whose weights are shared."""
    ### BEGIN SOLUTION
    first = 16 * (25 * channels + 1)  # the layer below stays as it is
    # One more filter costs its 16 kernels and its bias, and 4 weights in each unit that reads it.
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


def _require_net(make_net, wish, num_images):
    """Require the form of the logits, and the upper end of the budget; return the net."""
    channels, height, width, classes, budget = wish
    net = make_net(*wish)
    if net is None:
        raise checks.NotAnswered
    checks.require(checks.is_module(net), "Return an nn.Module.")
    checks.set_mode(net, training=False)
    logits = net(checks.random_tensor(num_images, channels, height, width))
    found, expected = tuple(getattr(logits, "shape", ())), (num_images, classes)
    checks.require(found == expected, f"For {wish}, your logits are {found}, expected {expected}.")
    number = sum(value.numel() for value in checks.parameters_of(net).values())
    sentence = f"For {wish}, your net has {number:,} parameters: {budget:,} are allowed."
    checks.require(number <= budget, sentence)
    return net


def check_small(make_net):
    _require_net(make_net, own_wish(student_id), 2)


net_is_right = checks.show(check_small, make_net)


### BEGIN HIDDEN TESTS
from torch.utils._python_dispatch import TorchDispatchMode


@checks.beside
class _Reads(TorchDispatchMode):
    """Keeps what convolutions with kernels larger than 1 x 1 read, whatever calls them."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default and max(args[1].shape[2:]) > 1:
            self.kept.append(args[0])
        return func(*args, **(kwargs or {}))


@checks.beside
def _bends(net, one, other):
    """Return how far from linear in the images the inputs of large convolutions are, and the output.

    An affine map f has f(x + y) - f(x) - f(y) + f(0) = 0. Small images would hide a sigmoid.
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
    wishes = [
        own_wish(student_id),
        (3, 33, 21, 7, 58_000),
        (1, 22, 36, 12, 12_000),
        (2, 27, 30, 20, 31_000),
    ]
    for wish in wishes:
        channels, height, width, classes, budget = wish
        net = _require_net(make_net, wish, 3)
        checks.require_own_layers(net)
        parameters = checks.parameters_of(net)
        number = sum(value.numel() for value in parameters.values())
        sentence = f"For {wish}, your net has {number:,} parameters, less than 90% of {budget:,}."
        checks.require(number >= 0.9 * budget, sentence)
        filters = [value for value in parameters.values() if value.dim() == 4]
        large = sum(max(value.shape[2:]) > 1 for value in filters)
        sentence = f"{large} of your layers have kernels larger than 1 × 1: at least two must."
        checks.require(large >= 2, sentence)
        share = sum(value.numel() for value in filters) / number
        sentence = f"For {wish}, {share:.0%} of your parameters are weights of convolutions."
        checks.require(share >= 0.5, sentence)
        one, other = (checks.random_tensor(1, channels, height, width, seed=i) for i in (1, 2))
        *read, output = _bends(net, 30 * one, 30 * other)
        sentence = "Between your large convolutions all is linear: put a non-linear layer there."
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
# Accuracy goes up and down during training, so somebody keeps the best epoch and reports its
# accuracy on the test set. The symptoms: "With 11 images, one of them wrongly classified, my
# accuracy is 66.7 %. After training I measure the net that I kept, and it is not as good as the
# report says. Dropout seems to work only in the first epoch. And on images of noise, with labels
# drawn at random from ten classes, where nobody can do better than 10 %, it reports a good deal
# more." Look at the symptoms before you read the code.

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
    """Train; leave the net as it was after the best epoch; return which, and its test accuracy."""
    best, reported = 0, -1.0
    for epoch in range(1, num_epochs + 1):
        train_epoch(net)
        share = broken_accuracy(net, test)
        if share > reported:
            best, reported, kept = epoch, share, net.state_dict()
    net.load_state_dict(kept)
    return best, reported


def symptoms(accuracy, best_epoch):
    """Try both functions where it is known what must come out."""
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
        """Do as badly as one can: draw all weights anew."""
        modes.append(net.training)
        nn.init.normal_(net[0].weight, generator=generator)

    epoch, reported = best_epoch(net, train_epoch, 30, *parts)
    print(f"noise: epoch {epoch} of 30 is reported with {reported:.1%}")
    print(f"the net that was kept, measured again: {accuracy(net, parts[1]):.1%}")
    print(f"epochs that were trained in training mode: {sum(modes)} of 30")


# %% tags=["nbval-ignore-output"]
symptoms(broken_accuracy, broken_best)

# %% [markdown]
# Mend both: write the functions with all faults repaired. `accuracy` measures in evaluation mode,
# and leaves the net in the mode in which it was. `best_epoch` counts the epochs from 1; it leaves
# the net as it was after the best of them, buffers included, and returns the number of
# that epoch and the accuracy of that net on the test set. Of equally good epochs, the first counts.
#
# hint: The 11 images: how much does the one image of the last batch count, and how much does each of
# the first five? What is a fair weight of a batch?
#
# hint: The net that was kept: does `net.state_dict()` hand you numbers, or the tensors in which the
# net keeps its numbers? What happens to them in the next epoch?
#
# hint: The noise: the largest of 30 accuracies is luck. Which set may choose, and which set then
# sees only the one net that was chosen? And who puts the net back into training mode?


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
    net.train(was_training)  # whoever trains next must find dropout at work
    return right / total
    ### END SOLUTION


def best_epoch(net, train_epoch, num_epochs, val, test):
    """Train; leave the net as it was after the best epoch; return which, and its test accuracy."""
    ### BEGIN SOLUTION
    best, highest, kept = 0, -1.0, {}
    for epoch in range(1, num_epochs + 1):
        train_epoch(net)
        share = accuracy(net, val)  # the validation set chooses
        if share > highest:
            best, highest = epoch, share
            kept = {name: value.clone() for name, value in net.state_dict().items()}  # numbers
    net.load_state_dict(kept)
    return best, accuracy(net, test)  # the test set sees one net, once
    ### END SOLUTION


# %% check="repair_check" points=3
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Net(nn.Module):
    """A linear net with a buffer, which says nonsense in training mode."""

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
    """Let the states come one after the other; return what is reported, and what is left."""
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
    """Return what a net consists of, several times."""
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
    checks.require(fine, f"best_epoch must return a number and an accuracy, not {report!r}.")


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
        sentence = "Your accuracy leaves the net in another mode than it was in."
        checks.require(same_mode, sentence)

    def case(start):
        """Return states, validation and test set for which each slip gives another epoch."""
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
        sentence = f"Only {len(modes)} of {len(states) - 1} epochs are trained."
        checks.require(len(modes) == len(states) - 1, sentence)
        sentence = "Your net is not in training mode in every epoch: accuracy must put it back."
        checks.require(all(modes), sentence)
        epoch, reported = report
        by_test = on_test.index(max(on_test))
        slips = {
            "you let the test set choose": by_test + 1,
            "you count the epochs from 0": best,
            "you take the last of equally good epochs": len(states) - 1,
            "you choose the worst epoch": on_val.index(min(on_val)) + 1,
        }
        checks.require_number(epoch, best + 1, slips)
        checks.require(
            not torch.equal(left["linear.weight"], states[-1]["linear.weight"])
            or torch.equal(states[-1]["linear.weight"], states[best + 1]["linear.weight"]),
            "Your net is left as it was after the last epoch: state_dict() returns no copies.",
        )
        right = states[best + 1]
        same = {name: torch.equal(left[name], value) for name, value in right.items()}
        sentence = "You bring the weights back, but not the buffers: load the whole state_dict()."
        partly = same["linear.weight"] and not same["shift"]
        checks.require(not partly, sentence)
        sentence = "Your net is not left as it was after the best epoch."
        checks.require(all(same.values()), sentence)
        slips = {
            "you report the accuracy on the validation set": on_val[best],
            "you report the best accuracy on the test set, not that of the chosen net": max(
                on_test
            ),
            "you measure the test set with the net of the last epoch": share(states[-1], test),
        }
        checks.require_number(reported, on_test[best], slips, tolerance=1e-5)


checks.award(3, check_answer, accuracy, best_epoch)
### END HIDDEN TESTS

# %% [markdown]
# Here are the same symptoms with your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    symptoms(accuracy, best_epoch)
else:
    print("The same with your functions appears here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: what is a doubtful label worth?
#
# Labels that were collected cheaply are often wrong. You have a set of images, and many of
# its labels are wrong; nobody knows which. Somebody offers you a smaller set, all of whose labels
# are right. **How many images must it have to be worth as much as yours?**

# %% readonly="labels"
num_images, wrong = own_labels(student_id)

# %%
print(f"you have {num_images} images; {wrong:.0%} of their labels are wrong")

# %% [markdown]
# **Predict first.** How many images with right labels give a net the same accuracy as your whole
# set? Write the number down, from 1 to `num_images`, before you run anything. A wrong prediction
# costs nothing; without one, the experiment is not marked.

# %% task="prediction"
predicted = None  # a number of images
### BEGIN SOLUTION
predicted = round(num_images * (1 - wrong))  # as many as have a right label, at most
### END SOLUTION

# %% [markdown]
# **Now the experiment.** `trained(num_images, wrong, seed)` trains a small LeNet in a second or two,
# and returns two shares: its accuracy, and the share of the wrong labels that it has *taken over*,
# that is, predicts for the images that were given them. Train on
# your set with the seeds 0, 1 and 2, and, as a yardstick, on sets of 50, 150, 450 and 1,350 images
# with right labels (`SIZES`), with the same three seeds each.
#
# `worth_of(curve, accuracy)` reads off how many images with right labels reach an accuracy; `curve`
# is a dictionary with the mean accuracy of each size. Report what your set is worth, read off at
# its mean accuracy, and the span in which that may lie, read off at the mean less two standard
# errors and at the mean plus two. (The standard error is the standard deviation of the three
# accuracies, with n − 1, divided by √3.)
#
# hint: `[trained(num_images, wrong, seed) for seed in range(3)]` are three pairs; the accuracy is the
# first of each. For right labels, `wrong` is 0.
#
# hint: `{size: sum(values) / 3 for size, values in clean.items()}` is the curve.
#
# hint: `torch.tensor(accuracies).std()` divides by n − 1. Add and subtract two standard errors
# *before* you read off the curve: it is not a straight line.

# %% task="experiment" tags=["nbval-ignore-output"]
noisy = None  # three accuracies of nets that were trained on your set
taken = None  # the three shares of the wrong labels that these nets have taken over
clean = None  # {50: three accuracies, 150: ..., 450: ..., 1350: ...}, with right labels
worth = None  # how many images with right labels reach the mean of noisy
span = None  # (how many reach the mean less two standard errors, how many the mean plus two)
### BEGIN SOLUTION
pairs = [trained(num_images, wrong, seed) for seed in range(3)]
noisy, taken = [share for share, _ in pairs], [share for _, share in pairs]
clean = {size: [trained(size, 0, seed)[0] for seed in range(3)] for size in SIZES}
curve = {size: sum(values) / 3 for size, values in clean.items()}
for size, share in curve.items():
    print(f"{size:5} right labels: {share:.1%}")
mean, error = sum(noisy) / 3, torch.tensor(noisy).std().item() / 3**0.5
worth = worth_of(curve, mean)
span = (
    worth_of(curve, mean - 2 * error),
    worth_of(curve, mean + 2 * error),
)  # first the two ends, then the curve
print(f"{num_images} labels, {wrong:.0%} of them wrong: {mean:.1%}, standard error {error:.1%}")
print(f"worth {worth:.0f} right ones ({span[0]:.0f} to {span[1]:.0f}), taken over: {taken}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
from course_utils import checks


def _require_shares(values, name, least):
    fits = isinstance(values, list | tuple) and len(values) == 3
    fits = fits and all(isinstance(each, float) and least <= each <= 1 for each in values)
    sentence = f"{name} must be three shares of trained nets, from {least} to 1, not {values!r}."
    checks.require(fits, sentence)


def check_small(predicted, noisy, taken, clean, worth, span):
    if all(each is None for each in (noisy, taken, clean, worth, span)):
        raise checks.NotAnswered
    number, _ = own_labels(student_id)
    fine = isinstance(predicted, int | float) and 1 <= predicted <= number
    sentence = f"Write your prediction down before the experiment: a number from 1 to {number}."
    checks.require(fine, sentence)
    _require_shares(noisy, "noisy", 0.15)
    _require_shares(taken, "taken", 0.0)
    fits = isinstance(clean, dict) and clean.keys() == set(SIZES)
    checks.require(fits, f"clean must be a dictionary with the keys {SIZES}.")
    for size, values in clean.items():
        _require_shares(values, f"clean[{size}]", 0.15)
    for values in (noisy, *clean.values()):
        checks.require(len(set(values)) > 1, f"{values} are the same: use a new seed for each.")
    checks.require(isinstance(worth, float), f"Answer with a Python float, not {worth!r}.")
    fits = isinstance(span, list | tuple) and len(span) == 2
    fits = fits and all(isinstance(each, float) for each in span)
    checks.require(fits, f"span must be two Python floats, not {span!r}.")


def _in_words(worth, span):
    try:
        return f"{worth:.0f} ({span[0]:.0f} to {span[1]:.0f})"
    except (IndexError, TypeError, ValueError):
        return "nothing yet"


_BESIDE = (
    f"you predicted {predicted} and measured {_in_words(worth, span)}: say below what explains it"
)
experiment_is_right = checks.show(
    check_small, predicted, noisy, taken, clean, worth, span, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, noisy, taken, clean, worth, span):
    import torch

    check_small(predicted, noisy, taken, clean, worth, span)

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
        "you take the median of your three nets": worth_of(curve, found.median().item()),
        "you take the best of your three nets": worth_of(curve, found.max().item()),
        "you take the medians of the curve": worth_of(middle, mean),
        "you take the curve of the first seed": worth_of(first, mean),
        "you read off the share of the wrong labels": worth_of(curve, sum(taken) / 3),
    }
    require_close(worth, worth_of(curve, mean), slips, "worth")
    spread = {
        "you go one standard error down and up, not two": error,
        "you do not divide by the root of the number of seeds": 2 * found.std().item(),
        "you divide by n, not by n - 1": 2 * (found.std(correction=0) / 3**0.5).item(),
        "you divide by 3, not by its root": 2 * (found.std() / 3).item(),
        "you take the variance": 2 * (found.var() / 3).item(),
    }
    for end, sign, name in ((0, -1, "span[0]"), (1, 1, "span[1]")):
        slips = {slip: worth_of(curve, mean + sign * wide) for slip, wide in spread.items()}
        slips["you give the upper number first"] = worth_of(curve, mean - 2 * sign * error)
        shifted = found.min() if end == 0 else found.max()
        slips["you take the lowest and the highest of your nets"] = worth_of(curve, shifted.item())
        require_close(span[end], worth_of(curve, mean + 2 * sign * error), slips, name)


checks.award(2, check_answer, predicted, noisy, taken, clean, worth, span)
### END HIDDEN TESTS

# %% [markdown]
# **In three sentences:** What did you predict, and what did the experiment show against it, given
# the span? In which two ways could wrong labels do harm, and which of them does the share of wrong
# labels that your nets have taken over speak for? You may have the wrong labels corrected, or
# buy as many new images with labels of the same quality: which further run would you make before you
# decide? 2 points, read by a person.

# %% [markdown] written="doubtful_labels" points=2
# **A model answer.** I predicted 1,000 images, as many as have a right label in my set, but its nets
# are only as accurate as those of 100 right ones, and 1,000 lies far outside the span of 70 to 130:
# so the wrong labels do not only teach nothing, they do harm. The net could memorise them, or they
# could disturb each step, as gradients that point anywhere drown the useful part of a batch; my nets
# have taken over 5 % of the wrong labels, less than the ninth that guessing would give, so I
# think that it is the steps that suffer. Before I decide I would train on twice as many images with
# the same share of wrong labels, and on my own set with all labels right, for as many steps and for
# ten times as many: I would be wrong about the reason if more steps raised the share that is taken
# over and lowered the accuracy, and I would buy images if they helped as much as corrected labels.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: prediction and measurement are set against each other *with* the span: a prediction
#   inside it is not contradicted. Half a point without the span. A wrong prediction costs nothing.
# - 1 point: tells memorising from disturbed steps (or something of that kind), uses the
#   share that was taken over (about a ninth would be chance), *and* names a run that compares more
#   images with corrected ones, or a longer training. Half a point for one of the two.
