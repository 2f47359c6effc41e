# %% [markdown]
# # Exercise 10: paths side by side, within a budget
#
# **You practise** finding where a logit comes from, fitting an Inception module to a budget of
# multiply-adds, finding three faults in a net from their symptoms, and measuring whether a
# reduction improves accuracy at equal work.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, data, quiz
from course_utils.inspection import summary
from course_utils.models.initialization import he_normal_


def your_brief(student_id):
    """Return the input channels, each path's output channels, height, width and a budget."""
    drawn = quiz.generator(student_id)
    c, one, three, five, pool = (
        8 * int(torch.randint(*span, (), generator=drawn))
        for span in ((12, 25), (4, 9), (8, 17), (2, 5), (2, 5))
    )
    side = int(torch.randint(7, 15, (), generator=drawn))
    work = c * one + c * pool + (c + 9 * three) * (c // 2) + (c + 25 * five) * (c // 10)
    return c, (one, three, five, pool), side, side, work * side * side


def small_net(width, reduction=None):
    """Return a net: a first layer, and three 3 x 3 layers, each after a reduction if it is given."""
    layers = [nn.Conv2d(1, width, 3, stride=2, padding=1), nn.ReLU()]
    for _ in range(3):
        if reduction:
            layers += [nn.Conv2d(width, reduction, 1), nn.ReLU()]
        layers += [nn.Conv2d(reduction or width, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def trained_accuracy(width, reduction=None, seed=0):
    """Train a small net on 1,500 images of clothes; return its accuracy on 1,000 others."""
    torch.manual_seed(seed)
    net = he_normal_(small_net(width, reduction))
    loaders = data.load("fashion_mnist_mini", batch_size=50)
    images, labels = loaders.train.images / 127.5 - 1, loaders.train.labels
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
    for _ in range(3):
        for batch in torch.randperm(1500).split(50):
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        logits = net(images[2000:3000])
    return (logits.argmax(dim=1) == labels[2000:3000]).float().mean().item()


def own_width(student_id):
    """Return the width of your plain net."""
    return 4 * int(torch.randint(4, 9, (), generator=quiz.generator(student_id)))


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your requirements
# and your net, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="work_saved"
work_saved = None  # a factor
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/10_googlenet", "work_saved", student_id)
c, r, k, f = (numbers[letter] for letter in "crkf")
work_saved = c * f * k * k / (c * r + r * f * k * k)  # for each position of the maps
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="axis_seen"
axis_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/10_googlenet", "axis_seen", student_id)
a, b = question.values["a"], question.values["b"]
# Along the height, only the heights may differ; with equal channels there is no error.
seen = f"No error: {a} maps, " if a == b else "An error at the concatenation"
axis_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="head_told"
head_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/10_googlenet", "head_told", student_id)
# If the head has no effect on the logits, changing the head does not change them.
told = "In evaluation mode, add"
head_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: where does a logit come from?
#
# GoogLeNet ends in a mean over each map and one linear layer. Complete the function: it splits each
# logit into evidence, one number for each position, so that **the logit is the mean of the evidence
# over all positions**, and so that the evidence at a position depends only on the maps at that
# position.
#
# hint: In the net, the mean comes before the linear layer. Both are linear. Can you swap them?
#
# hint: At one position there are C numbers, one from each map. What does the linear layer compute
# from them? Which layer computes that at every position?
#
# hint: A linear layer at every position is a 1 × 1 convolution. Each position gets the whole bias:
# the mean of a constant is that constant.


# %% task="evidence"
def evidence(maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return evidence (N, K, H, W) for maps (N, C, H, W), a weight (K, C) and a bias (K,)."""
    ### BEGIN SOLUTION
    # The linear layer and the mean are both linear, so either may come first.
    return F.conv2d(maps, weight[:, :, None, None], bias)
    ### END SOLUTION


# %% check="evidence_check" points=1
import torch
import torch.nn.functional as F

from course_utils import checks


def _maps_and_layer(*shape, seed, num_classes=4):
    drawn = [shape, (num_classes, shape[1]), (num_classes,)]
    return [checks.random_tensor(*each, seed=seed + i) for i, each in enumerate(drawn)]


def check_small(evidence):
    maps, weight, bias = _maps_and_layer(2, 3, 4, 4, seed=0)
    found = evidence(maps, weight, bias)
    if found is None:
        raise checks.NotAnswered
    shape = tuple(getattr(found, "shape", ()))
    checks.require(
        shape == (2, 4, 4, 4), f"Your evidence has the shape {shape}, expected (2, 4, 4, 4)."
    )
    logits = F.linear(maps.mean(dim=(2, 3)), weight, bias)
    slips = {
        "you leave out the bias": logits - bias,
        "you divide the bias among the positions: each must get the whole bias": logits
        - bias * 15 / 16,
        "you divide the logit among the positions: the mean of the evidence, not its sum, is the "
        "logit": logits / 16,
    }
    checks.require_tensor(found.double().mean(dim=(2, 3)).float(), logits, slips, tolerance=1e-4)


evidence_is_right = checks.show(check_small, evidence)


### BEGIN HIDDEN TESTS
def check_answer(evidence):
    import torch
    import torch.nn.functional as F

    check_small(evidence)
    for seed, size in enumerate([(5, 5), (3, 6), (1, 1)]):
        maps, weight, bias = _maps_and_layer(3, 5, *size, seed=10 * seed + 10)
        expected = torch.einsum("nchw,kc->nkhw", maps, weight) + bias[:, None, None]
        logits = F.linear(maps.mean(dim=(2, 3)), weight, bias)
        slips = {
            "you give every position the net's logit": logits[..., None, None].expand_as(expected),
            "you swap rows and columns": expected.mT,
            "you rotate the positions": expected.flip(2, 3),
            "you reverse the columns": expected.flip(3),
        }
        checks.require_tensor(evidence(maps, weight, bias), expected, slips, tolerance=1e-4)


checks.award(1, check_answer, evidence)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=11
# ## Task 2: a module within a budget
#
# Suppose that the numbers of output channels of an Inception module are fixed: `ends` holds those
# of the 1 × 1 path, the 3 × 3 path, the 5 × 5 path and the path with the pooling. You choose the
# two reductions, that is, how many channels the 3 × 3 and the 5 × 5 filters read. Find two numbers
# such that
#
# - the module takes at most `max_multiply_adds` multiply-adds for one image (one for each weight
#   and position; biases, ReLUs and pooling do not count);
# - the budget is used up: one more channel in *either* reduction would exceed it;
# - each reduction has at least one channel, and fewer than `in_channels`.
#
# The requirements below are your own; the function must meet others, too. All of them can be met,
# usually in several ways, and each of these is right.
#
# hint: The 1 × 1 path and the path with the pooling do not depend on your choice. How many
# multiply-adds do they take at each position, and how much of the budget remains?
#
# hint: One more channel in a reduction costs work in two places: the reduction itself has one
# more filter, and every large filter has one more kernel. What is the sum, for 3 × 3 and for 5 × 5?
#
# hint: If the reductions have r3 and r5 channels, the work at each position is p · r3 + q · r5 plus
# a fixed number; p and q are the two sums of the second hint. Try every r5: what is the largest r3
# that still fits? And is the rest of the budget enough for one more channel in r5?

# %%
in_channels, ends, height, width, max_multiply_adds = your_brief(student_id)
print(f"input: {in_channels} maps of {height} x {width}; output channels of the paths: {ends}")
print(f"at most {max_multiply_adds:,} multiply-adds")


# %% task="reductions"
def reductions(
    in_channels: int,
    ends: tuple[int, int, int, int],
    height: int,
    width: int,
    max_multiply_adds: int,
) -> tuple[int, int]:
    """Return the numbers of channels after the two reductions, before 3 x 3 and before 5 x 5."""
    ### BEGIN SOLUTION
    one, three, five, pool = ends
    per_three = in_channels + 9 * three  # one filter, and a kernel in each filter that reads it
    per_five = in_channels + 25 * five
    left = max_multiply_adds // (height * width) - in_channels * (one + pool)
    for five_reads in range(1, in_channels):
        three_reads = min((left - per_five * five_reads) // per_three, in_channels - 1)
        rest = left - per_five * five_reads - per_three * three_reads
        if three_reads >= 1 and rest < min(per_three, per_five):  # no room for one more of either
            return three_reads, five_reads
    ### END SOLUTION


# %% check="reductions_check" points=3
from course_utils import checks
from course_utils.arithmetic import conv_multiply_adds


def _work(in_channels, ends, height, width, chosen):
    one, three, five, pool = ends
    layers = [(in_channels, one, 1), (in_channels, pool, 1)]
    for reduced, after, k in zip(chosen, (three, five), (3, 5), strict=True):
        layers += [(in_channels, reduced, 1), (reduced, after, k)]
    return sum(conv_multiply_adds(*layer, (height, width)) for layer in layers)


def _require_fit(reductions, brief):
    *sizes, budget = brief
    chosen = checks.as_shape(reductions(*brief), 2)
    fine = all(1 <= each < sizes[0] for each in chosen)
    checks.require(
        fine,
        f"{chosen} cannot reduce {sizes[0]} channels: each must be from 1 to {sizes[0] - 1}.",
    )
    work = _work(*sizes, chosen)
    sentence = (
        f"With {chosen} the module takes {work:,} multiply-adds: at most {budget:,} are allowed."
    )
    checks.require(work <= budget, sentence)
    for more in ((1, 0), (0, 1)):
        wider = tuple(a + b for a, b in zip(chosen, more, strict=True))
        fits = _work(*sizes, wider) <= budget
        checks.require(not fits, f"{chosen} do not use up the budget: {wider} would fit, too.")


def check_small(reductions):
    _require_fit(reductions, your_brief(student_id))


reductions_are_right = checks.show(check_small, reductions)


### BEGIN HIDDEN TESTS
def check_answer(reductions):
    check_small(reductions)
    briefs = [
        (192, (64, 128, 32, 32), 28, 28, (96, 16)),
        (48, (16, 20, 12, 8), 9, 14, (20, 7)),
        (256, (32, 96, 64, 16), 7, 5, (100, 40)),
        (30, (5, 40, 40, 5), 6, 11, (3, 2)),
        (40, (8, 8, 24, 8), 10, 7, (20, 12)),  # if 5 x 5 gets one channel, 3 x 3 gets too many
        (64, (16, 96, 8, 8), 7, 12, (20, 3)),  # a remainder too small for 3 x 3 is enough for 5 x 5
        (8, (4, 8, 8, 4), 5, 5, (6, 2)),  # eight channels for 3 x 3 would fit, but reduce nothing
    ]
    for *sizes, chosen in briefs:
        _require_fit(reductions, (*sizes, _work(*sizes, chosen)))


checks.award(3, check_answer, reductions)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: a net with three faults
#
# Somebody wrote a small net: three paths read the images, and both an auxiliary head and the layers
# above read the maps of the paths. The symptoms: "The net stops with an error about channels. With
# a workaround it runs, but it changes my images. And when I replaced the auxiliary head after
# training, all logits changed." Run the next two cells, and look at the symptoms before you read
# the code.

# %% readonly="broken"


class MiniNet(nn.Module):
    """The layers of the net; the functions below connect them."""

    def __init__(self, in_channels=3, num_classes=4):
        super().__init__()
        convolutions = (nn.Conv2d(in_channels, 8, k, padding=k // 2) for k in (1, 3, 5))
        self.paths = nn.ModuleList(convolutions)
        self.top = nn.Sequential(nn.Conv2d(24, 16, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(24, num_classes)
        self.classifier = nn.Linear(16, num_classes)


def broken_join(paths, x):
    """Subtract from each channel of x its mean, apply all paths to the result, and concatenate."""
    x -= x.mean(dim=(2, 3), keepdim=True)
    return torch.cat([path(x).relu() for path in paths], dim=2)


def broken_outputs(net, images, join=broken_join):
    """Return the logits and, in training, also those of the head."""
    maps = join(net.paths, images)
    logits = net.classifier(net.top(maps).mean(dim=(2, 3)))
    head = net.head(maps.mean(dim=(2, 3)))
    return (logits, head) if net.training else logits + 0.3 * head


# %%
torch.manual_seed(0)
net, images = MiniNet().eval(), torch.rand(2, 3, 6, 6)
try:
    broken_outputs(net, images)
except RuntimeError as error:
    print("the error:", error)


def workaround(paths, x):
    return torch.cat(broken_join(paths, x).chunk(3, dim=2), dim=1)


images = torch.rand(2, 3, 6, 6)
with torch.no_grad():
    print("mean of the images before:", round(images.mean().item(), 3))
    old_head = broken_outputs(net, images, workaround)
    print("mean of the images after: ", round(images.mean().item(), 3))
    net.head = nn.Linear(24, 4)  # a new head, with different random weights
    new_head = broken_outputs(net, images, workaround)
for name, logits in {"the old head:": old_head, "a new head:": new_head}.items():
    print(f"logits with {name:13}", [round(value, 3) for value in logits[0].tolist()])

# %% [markdown]
# Write both functions without the three faults. `join` returns maps (N, 8 · 3, H, W) and does not
# change its input. In training mode `outputs` returns a pair: the logits of the net and those of
# the head. In evaluation mode it returns only the logits of the net, and the head has no effect on
# them.
#
# hint: The error: how many channels does `net.top` read, and how many does `broken_join` return?
# Print the shape of its result.
#
# hint: The images change: which line writes into a tensor that the caller still uses? What is the
# difference between `x -= y` and `x = x - y`?
#
# hint: The head: in training, the gradients of its loss reach the paths. What use is the head once
# training is over?


# %% task="repair"
def join(paths, x):
    """Subtract from each channel of x its mean, apply all paths to the result, and concatenate."""
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=(2, 3), keepdim=True)  # a new tensor: the caller's does not change
    return torch.cat([path(centred).relu() for path in paths], dim=1)  # channels side by side
    ### END SOLUTION


def outputs(net, images):
    """Return the logits and, in training, also those of the head."""
    ### BEGIN SOLUTION
    maps = join(net.paths, images)
    logits = net.classifier(net.top(maps).mean(dim=(2, 3)))
    if not net.training:
        return logits  # the head only helps in training
    return logits, net.head(maps.mean(dim=(2, 3)))
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Mini(nn.Module):
    """The net of this task, with weights that the check has chosen."""

    def __init__(self, state, training):
        super().__init__()
        convolutions = [nn.Conv2d(3, 8, k, padding=k // 2) for k in (1, 3, 5)]
        self.paths = nn.ModuleList(convolutions)
        self.top = nn.Sequential(nn.Conv2d(24, 16, 3, padding=1), nn.ReLU())
        self.head, self.classifier = nn.Linear(24, 4), nn.Linear(16, 4)
        if state:
            self.load_state_dict(state)
        self.train(training)


@checks.beside
def _joined(join, state, x):
    return join(_Mini(state, True).paths, x)


@checks.beside
def _put_out(outputs, state, training, x):
    return outputs(_Mini(state, training), x)


@checks.beside
def _taught(outputs, state, x):
    """Return whether each output has a gradient for the paths, and the net's mode afterwards."""
    net = _Mini(state, True)
    weights = list(net.paths.parameters())
    found = []
    for each in outputs(net, x):
        steps = [None]
        if each.requires_grad:
            steps = torch.autograd.grad(each.sum(), weights, retain_graph=True, allow_unused=True)
        found.append(all(step is not None for step in steps))
    return found, net.training


def _drawn(seed, size):
    """Return weights for a net, and images."""
    shapes = {name: value.shape for name, value in _Mini(None, True).state_dict().items()}
    state = {
        name: 0.3 * checks.random_tensor(*shape, seed=seed + i)
        for i, (name, shape) in enumerate(shapes.items())
    }
    return state, checks.random_tensor(3, 3, *size, seed=seed + 50) + 1


def check_small(join, outputs):
    state, x = _drawn(0, (6, 6))
    maps, logits = _joined(join, state, x.clone()), _put_out(outputs, state, False, x.clone())
    if maps is None or logits is None:
        raise checks.NotAnswered
    for value, expected, name in ((maps, (3, 24, 6, 6), "join"), (logits, (3, 4), "outputs")):
        found = tuple(getattr(value, "shape", ()))
        checks.require(
            found == expected,
            f"The result of your {name} has the shape {found}, expected {expected}.",
        )
    pair = _put_out(outputs, state, True, x.clone())
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    checks.require(is_pair, "In training, return two tensors: the net's logits, then the head's.")


repair_is_right = checks.show(check_small, join, outputs)


### BEGIN HIDDEN TESTS
def check_answer(join, outputs):
    import torch

    check_small(join, outputs)
    for seed, size in ((100, (6, 6)), (200, (5, 9))):
        state, x = _drawn(seed, size)
        net = _Mini(state, True)
        centred = x - x.mean(dim=(2, 3), keepdim=True)
        paths = [path(centred).relu() for path in net.paths]
        maps, given = torch.cat(paths, dim=1), x.clone()
        found = _joined(join, state, given)
        checks.require(torch.equal(given, x), "Your join changes the images that it is given.")
        slips = {
            "you do not subtract the means": torch.cat([p(x).relu() for p in net.paths], dim=1),
            "you concatenate the paths in the opposite order": torch.cat(paths[::-1], dim=1),
            "you add the paths instead of concatenating them": sum(paths).repeat(1, 3, 1, 1),
            "you leave out the ReLUs": torch.cat([p(centred) for p in net.paths], dim=1),
            "you subtract one mean for the whole image": torch.cat(
                [p(x - x.mean(dim=(1, 2, 3), keepdim=True)).relu() for p in net.paths], dim=1
            ),
        }
        checks.require_tensor(found, maps, slips, tolerance=1e-4)
        logits = net.classifier(net.top(maps).mean(dim=(2, 3)))
        head = net.head(maps.mean(dim=(2, 3)))
        given = x.clone()
        found = _put_out(outputs, state, False, given)
        checks.require(
            torch.equal(given, x), "Your function outputs() changes the images that it is given."
        )
        slips = {
            "you still add the head's logits": logits + 0.3 * head,
            "you return the head's logits": head,
            "you average the net's logits and the head's": (logits + head) / 2,
            "you add the head's logits with full weight": logits + head,
        }
        checks.require_tensor(found, logits, slips, tolerance=1e-4)
        pair = _put_out(outputs, state, True, x.clone())
        slips = {
            "you return the head's logits first": head,
            "you add the head's logits in training": logits + 0.3 * head,
        }
        checks.require_tensor(pair[0], logits, slips, tolerance=1e-4)
        checks.require_tensor(pair[1], head, tolerance=1e-4)
        (main, auxiliary), training = _taught(outputs, state, x.clone())
        checks.require(main, "No gradient flows from your logits to the paths in training.")
        checks.require(auxiliary, "No gradient flows from the head to the paths in training.")
        checks.require(
            training, "Your function outputs() changes the mode of the net that it is given."
        )


checks.award(4, check_answer, join, outputs)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=16
# ## Task 4: does the reduction pay?
#
# In the lesson a reduction makes a module *cheaper*. The work that you save could pay for a wider
# net. After its first layer, `small_net(width)` has three plain 3 × 3 layers. In
# `small_net(wide, wide // 4)` a 1 × 1 reduction to a quarter of the channels comes before each of
# these three, so it can be wider for the same work. Which of the two nets is more accurate **at
# equal multiply-adds**?

# %% readonly="width"
plain_width = own_width(student_id)

# %%
print(f"your plain net is {plain_width} channels wide")
print(
    f"multiply-adds for 1 x 28 x 28: {summary(small_net(plain_width), (1, 28, 28)).multiply_adds:,}"
)

# %% [markdown]
# **Predict first.** Which net will have the higher mean accuracy: `"plain"` or `"reduced"`? Write
# down your prediction before you run anything. A wrong prediction costs nothing; without a
# prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # "plain" or "reduced"
### BEGIN SOLUTION
predicted = "reduced"  # nearly twice as wide for the same work, with three more ReLUs
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Find the width `wide`, a multiple of 4, for which the reduced net's
# multiply-adds are nearest to those of your plain net. Then train both with the seeds 0, 1 and 2;
# `trained_accuracy` trains a net in a few seconds. Report the mean of the three differences
# *reduced − plain*, seed by seed, and its standard error: the standard deviation of the three
# differences (dividing by n − 1), divided by √3.
#
# hint: `summary(small_net(wide, wide // 4), (1, 28, 28)).multiply_adds` counts without training.
# Try `wide = 4, 8, 12, …`.
#
# hint: `trained_accuracy(plain_width, seed=0)` and `trained_accuracy(wide, wide // 4, seed=0)` are
# one pair.
#
# hint: `torch.tensor(differences).std()` divides by n − 1. Is the mean difference more than two
# standard errors away from 0?

# %% task="experiment" tags=["nbval-ignore-output"]
wide = None  # the width of the reduced net
plain = None  # a list of three accuracies, for seeds 0, 1 and 2
reduced = None  # likewise
difference = None  # the mean of the three differences, reduced - plain
error = None  # its standard error
### BEGIN SOLUTION
target = summary(small_net(plain_width), (1, 28, 28)).multiply_adds
work = {w: summary(small_net(w, w // 4), (1, 28, 28)).multiply_adds for w in range(4, 81, 4)}
wide = min(work, key=lambda w: abs(work[w] - target))  # the work is nearly equal
plain = [trained_accuracy(plain_width, seed=seed) for seed in range(3)]
reduced = [trained_accuracy(wide, wide // 4, seed=seed) for seed in range(3)]
differences = torch.tensor(reduced) - torch.tensor(plain)  # pairs: the same seed in both
difference, error = differences.mean().item(), (differences.std() / 3**0.5).item()
print(f"reduced ({wide} wide) - plain ({plain_width} wide): {difference:+.1%} ± {error:.1%}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def _require_accuracies(values, name):
    fits = isinstance(values, list | tuple) and len(values) == 3
    fits = fits and all(isinstance(each, float) and 0.05 < each < 0.8 for each in values)
    sentence = (
        f"{name} must be what `trained_accuracy` returned for the three seeds: accuracies from "
        f"0.05 to 0.8, and not all the same. You have {values!r}."
    )
    checks.require(fits and len(set(values)) > 1, sentence)


def check_small(predicted, wide, plain, reduced, difference, error):
    if all(each is None for each in (wide, plain, reduced, difference, error)):
        raise checks.NotAnswered
    sentence = 'Write your prediction down before the experiment: "plain" or "reduced".'
    checks.require(predicted in ("plain", "reduced"), sentence)
    checks.require(checks.as_integer(wide) % 4 == 0 < wide, f"{wide} is not a multiple of 4.")
    _require_accuracies(plain, "plain")
    _require_accuracies(reduced, "reduced")
    for value in (difference, error):
        checks.require(isinstance(value, float), f"Answer with a Python float, not {value!r}.")


_SHOWN = f"{difference:+.3f} ± {error:.3f}" if isinstance(error, float) else "nothing yet"
_BESIDE = f"you predicted {predicted} and measured {_SHOWN}: explain this below"
experiment_is_right = checks.show(
    check_small, predicted, wide, plain, reduced, difference, error, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, wide, plain, reduced, difference, error):
    check_small(predicted, wide, plain, reduced, difference, error)
    width = own_width(student_id)

    def work(c, r=None):
        """Count multiply-adds: the first layer, three layers at 14 x 14 positions, the last."""
        layer = c * r + 9 * r * c if r else 9 * c * c
        return 196 * (9 * c + 3 * layer) + 10 * c

    def nearest(count):
        return min(range(4, 257, 4), key=lambda w: abs(count(w, w // 4) - count(width)))

    slips = {
        "you leave out the work of the 1x1 layers": nearest(
            lambda c, r=None: 9 * c * (r or c) * 3 + 9 * c
        ),
        "you keep the width: then the reduced net takes far less work": width,
    }
    checks.require_number(wide, nearest(work), slips)
    right = checks.paired_seeds(reduced, plain)
    turned = {"you subtract the reduced net's accuracy from the plain net's": -right.mean}
    checks.require_number(difference, right.mean, turned | right.mean_slips, tolerance=1e-3)
    checks.require_number(error, right.error, right.error_slips, tolerance=1e-3)
    again = trained_accuracy(width)  # with the first seed
    what = "With seed 0 your plain net reaches"
    checks.require_again(what, plain[0], again, tolerance=0.15)


checks.award(2, check_answer, predicted, wide, plain, reduced, difference, error)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# error? What other differences between the two nets could explain the result? What would you train
# and compare before you told somebody that reductions pay off, or that they do not? 2 points,
# graded by a person.

# %% [markdown] written="does_it_pay" points=2
# **A model answer.** I predicted the reduced net, because it is nearly twice as wide for the same
# work, but over three seeds its mean accuracy is 5.3 points below the plain net's, with a standard
# error of 3.6, so my experiment decides nothing. The nets do not differ in the reduction alone: the
# reduced one has six convolutions instead of three after its first layer, and three more ReLUs,
# which may make it learn more slowly at the same learning rate, and it has more channels before the
# classifier. I would train both until the accuracy levels off, each with its own best learning rate
# and with more seeds, and add a net with six plain layers after the first, at the same work, to
# separate the effect of depth from that of the reduction.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement *with* the standard error, and calls a
#   difference within two standard errors undecided. Half a point without the error. A wrong
#   prediction costs nothing.
# - 1 point: the answer names another difference between the nets (depth, ReLUs, the number of maps
#   before the classifier, few steps at one learning rate) *and* a run that separates it from the
#   reduction. Half a point for one of the two.
