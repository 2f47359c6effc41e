# %% [markdown]
# # Exercise 05: what a layer costs, and what it connects
#
# **You practise** rewriting a grouped convolution as an ordinary one, designing a net that keeps
# within two budgets, finding three faults in a net by looking at what its output depends on, and
# measuring when groups cost accuracy.
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
from course_utils.plots import plot_images, show

CLOTHES = data.load("fashion_mnist_mini", batch_size=50)


def your_brief(student_id):
    """Return the side of the images, the number of classes, and the two budgets for the net."""
    drawn = quiz.generator(student_id)
    side, num_classes, parameters, times = (
        int(torch.randint(*span, (), generator=drawn))
        for span in ((12, 21), (5, 21), (20, 61), (60, 151))
    )
    return 2 * side, num_classes, 1000 * parameters, 1000 * parameters * times


def own_pair(student_id):
    """Return your two classes of clothes, and the width of your nets."""
    drawn = quiz.generator(student_id)
    worn, other, width = (torch.randint(n, (), generator=drawn) for n in (5, 4, 4))
    return (int(worn), (5, 7, 8, 9)[other]), 16 + 4 * int(width)


def drawn_pairs(classes, start, num, drawn):
    """Return pairs of images, as two channels, and the class of each image: 0 or 1."""
    images, labels = CLOTHES.train.images, CLOTHES.train.labels
    kinds = [images[labels == label][start : start + 300] for label in classes]
    small = F.avg_pool2d(torch.cat(kinds) / 255, 2)[:, 0]  # 600 images of 14 x 14
    chosen = torch.randint(600, (num, 2), generator=drawn)
    return small[chosen], chosen // 300


def pair_net(width, wiring):
    """Return a net with two groups: "towers" keeps them apart, "shuffled" mixes them."""
    mix = {"towers": nn.Identity, "shuffled": lambda: nn.ChannelShuffle(2)}[wiring]
    layers = []
    for c_in in (2, width, width):
        layers += [nn.Conv2d(c_in, width, 3, stride=2, padding=1, groups=2), nn.ReLU(), mix()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2))


def pair_accuracy(classes, width, question, wiring, seed):
    """Train a net on 2,000 pairs; return its accuracy on 1,000 pairs of other images.

    Args:
        classes: Two labels.
        width: Channels of each layer.
        question: "first" (what class is the first image?) or "same" (are both of the same class?).
        wiring: "towers" or "shuffled".
        seed: Seed for the weights and for the pairs.
    """
    torch.manual_seed(seed)
    net, drawn = pair_net(width, wiring), torch.Generator().manual_seed(seed)
    (images, which), (others, asked) = (
        drawn_pairs(classes, start, num, drawn) for start, num in ((0, 2000), (300, 1000))
    )
    labels, wanted = (
        pair[:, 0] if question == "first" else (pair[:, 0] == pair[:, 1]).long()
        for pair in (which, asked)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    # Each of the 2,000 pairs is drawn three times, in random order.
    for batch in torch.randperm(2000 * 3, generator=drawn).remainder(2000).split(50):
        optimizer.zero_grad()
        F.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        return (net(others).argmax(dim=1) == wanted).float().mean().item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your budgets and
# your images, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=5
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="grouped_parameters"
grouped_parameters = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/05_channels_and_parameters", "grouped_parameters", student_id)
c_in, c_out, k, g = (numbers[name] for name in ("c_in", "c_out", "k", "g"))
grouped_parameters = c_out * (c_in // g * k * k + 1)  # a filter reads the channels of its group
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="change_seen"
change_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/05_channels_and_parameters", "change_seen", student_id)
c_in, c_out, g, j = (question.values[name] for name in ("c_in", "c_out", "g", "j"))
first = j // (c_in // g) * (c_out // g)  # filters are split into groups in order, as channels are
seen = f"The {c_out // g} maps from {first} "
change_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="time_told"
time_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/05_channels_and_parameters", "time_told", student_id)
# Only the time *per* multiply-add tells a layer that does a lot of work from one that waits.
told = "Time each layer alone"
time_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: the same layer without groups
#
# Suppose the library on a phone has no grouped convolutions. Every grouped convolution can be
# rewritten as an ordinary one, which has more weights: those that would connect different groups
# are 0. Complete the function so that it turns the weights of a convolution with `groups` groups
# into those of an ordinary convolution that computes the same output.
#
# hint: What shape do the weights of the ordinary layer have? The first axis keeps its size; the
# second has one place for *each* input channel.
#
# hint: How many filters does a group have, and how many input channels? So which group does filter
# `o` belong to, and what is the first channel that it reads?
#
# hint: Begin with zeros. Then copy the kernels of each filter to the channels of its group.


# %% task="plain"
def plain_weights(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Turn the weights of a grouped layer, (c_out, c_in / g, k, k), into (c_out, c_in, k, k)."""
    ### BEGIN SOLUTION
    c_out, reads, *kernel = weight.shape
    plain = torch.zeros(c_out, reads * groups, *kernel)
    for o in range(c_out):
        group = o // (c_out // groups)  # a group has consecutive filters and channels
        plain[o, group * reads : (group + 1) * reads] = weight[o]
    return plain
    ### END SOLUTION


# %% check="plain_check" points=1
import torch

from course_utils import checks


def _require_plain(plain_weights, weight, groups, expected, slips):
    found = plain_weights(weight.clone(), groups)
    if found is None:
        raise checks.NotAnswered
    checks.require_tensor(found, expected, slips, hint="each filter has a kernel for each channel")


def check_small(plain_weights):
    weight = torch.tensor([5.0, 7.0]).view(2, 1, 1, 1)  # two groups of one filter and one channel
    expected = torch.diag(torch.tensor([5.0, 7.0])).view(2, 2, 1, 1)
    slips = {
        "each filter reads every group, with the same kernels: the weights between different "
        "groups must be 0": weight.repeat(1, 2, 1, 1),
        "all filters read the first group": torch.cat([weight, 0 * weight], dim=1),
        "you return the weights unchanged": weight,
        "you leave all weights at 0": torch.zeros(2, 2, 1, 1),
    }
    _require_plain(plain_weights, weight, 2, expected, slips)


plain_is_right = checks.show(check_small, plain_weights)


### BEGIN HIDDEN TESTS
def check_answer(plain_weights):
    import torch

    check_small(plain_weights)
    for seed, (c_out, c_in, k, g) in enumerate([(6, 9, 3, 3), (8, 4, 1, 2), (4, 8, 2, 4)]):
        weight = checks.random_tensor(c_out, c_in // g, k, k, seed=seed)
        blocks = weight.chunk(g)
        expected, dealt, down = torch.zeros(3, c_out, c_in, k, k)
        reads, makes = c_in // g, c_out // g
        for i, block in enumerate(blocks):
            expected[i * makes : (i + 1) * makes, i * reads : (i + 1) * reads] = block
            dealt[i * makes : (i + 1) * makes, i::g] = block
            down[i::g, i * reads : (i + 1) * reads] = weight[i::g]
        slips = {
            "you deal the channels out to the groups in turn: a group has consecutive ones": dealt,
            "you deal the filters out to the groups in turn: a group has consecutive ones": down,
            "you flip the kernels": expected.flip(2, 3),
            "you swap rows and columns of the kernels": expected.mT,
            "you reverse the order of the groups": torch.cat(
                [expected[:, (g - 1 - i) * reads :][:, :reads] for i in range(g)], dim=1
            ),
        }
        _require_plain(plain_weights, weight, g, expected, slips)


checks.award(1, check_answer, plain_weights)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=11
# ## Task 2: a net for two budgets
#
# A net for colour images of `side` × `side` pixels has two budgets: at most `max_parameters`
# parameters, and at most `max_multiply_adds` multiply-adds for one image. It must use **at least
# nine tenths of each**. Some kinds of layer have many parameters, and others do a lot of work, so
# you can spend the two budgets in different places. You choose the layers: the function returns an
# `nn.Module` that turns images (N, 3, side, side) into logits (N, num_classes), and the predictions
# must depend on every one of its parameters.
#
# The budgets below are yours; your function must work for others, too. Multiply-adds are counted in
# convolutions and linear layers (one for each product), but not in biases, ReLUs or pooling.
#
# hint: Which kind of layer does a lot of work with few parameters, and which has many parameters
# and does little work? You need only one or two layers of each kind. What do you put between the
# two kinds, so that the second reads only a few numbers?
#
# hint: A 3 × 3 convolution (padding 1) with `a` filters on the images takes 27 · a · side²
# multiply-adds. A linear layer takes about as many multiply-adds as it has parameters. If the
# linear layers use up `max_parameters`, how many filters can you pay for with the remaining
# multiply-adds?
#
# hint: Now `a` is fixed. Take the mean of each map, then add two linear layers, `a` → `hidden` →
# `num_classes`. One more hidden unit adds a + 1 + num_classes parameters: what is the largest
# `hidden` that `max_parameters` allows?

# %%
side, num_classes, max_parameters, max_multiply_adds = your_brief(student_id)
print(f"images of 3 x {side} x {side}, {num_classes} classes")
print(f"at most {max_parameters:,} parameters and {max_multiply_adds:,} multiply-adds")


# %% task="design"
def design(side: int, num_classes: int, max_parameters: int, max_multiply_adds: int) -> nn.Module:
    """Return a net that uses at least nine tenths of both budgets, and exceeds neither."""
    ### BEGIN SOLUTION
    # A linear layer takes one multiply-add for each weight: the rest is for the convolution.
    filters = (max_multiply_adds - max_parameters) // (27 * side * side)
    left = max_parameters - 28 * filters - num_classes  # after filters and last biases
    hidden = left // (filters + 1 + num_classes)  # a row of weights, a bias, a column of weights
    return nn.Sequential(
        nn.Conv2d(3, filters, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),  # one number per map for the next layer
        nn.Linear(filters, hidden),
        nn.ReLU(),
        nn.Linear(hidden, num_classes),
    )
    ### END SOLUTION


# %% check="design_check" points=3
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils import checks


@checks.beside
def _counted(design, brief):
    """Return the logits' shape, the number of parameters, that of unused ones, and the work."""
    net, images = design(*brief), torch.rand(2, 3, brief[0], brief[0])
    if not isinstance(net, nn.Module):
        return type(net).__name__
    with FlopCounterMode(display=False) as counter:
        shape = tuple(net(images).shape)
    work = counter.get_total_flops() // 4  # two images, and two FLOPs for each multiply-add
    for each in net.parameters():
        each.data = torch.rand_like(each) / 50  # small and positive, so that no ReLU hides one
    logits = net(images)
    apart = 2 * torch.arange(shape[-1]) - shape[-1] + 1  # sums to 0: ignores what all logits share
    (logits * apart).sum().backward()
    sizes = [(x.numel(), x.grad is None or not x.grad.any()) for x in net.parameters()]
    count, idle = sum(size for size, _ in sizes), sum(size for size, unused in sizes if unused)
    return shape, count, idle, work


def _require_design(design, brief):
    side, num_classes, max_parameters, max_multiply_adds = brief
    found = _counted(design, brief)
    if found == "NoneType":
        raise checks.NotAnswered
    checks.require(not isinstance(found, str), f"Return an nn.Module, not {found}.")
    shape, count, idle, work = found
    start = f"For images of {side} × {side} pixels and {num_classes} classes your net"
    fine = shape == (2, num_classes)
    sentence = (
        f"{start} returns logits of shape {shape} for two images, expected {(2, num_classes)}."
    )
    checks.require(fine, sentence)
    for used, most, what in (
        (count, max_parameters, "parameters"),
        (work, max_multiply_adds, "multiply-adds"),
    ):
        sentence = f"{start} uses {used:,} {what}: at most {most:,} are allowed."
        checks.require(used <= most, sentence)
        sentence = f"{start} uses {used:,} {what}: that is less than nine tenths of {most:,}."
        checks.require(10 * used >= 9 * most, sentence)
    sentence = f"{start} has {idle:,} parameters that take no part: no prediction depends on them."
    checks.require(idle == 0, sentence)


def check_small(design):
    _require_design(design, your_brief(student_id))


design_is_right = checks.show(check_small, design)


### BEGIN HIDDEN TESTS
def check_answer(design):
    check_small(design)
    for brief in [
        (32, 10, 40_000, 4_000_000),
        (24, 5, 60_000, 3_600_000),
        (40, 20, 20_000, 3_000_000),
        (28, 12, 33_000, 2_500_000),
    ]:
        _require_design(design, brief)


checks.award(3, check_answer, design)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: a net with three faults
#
# This is the plan of a net of four blocks. Each block has 1 × 1 filters that reduce 16 channels to
# 8, then 3 × 3 filters **in four groups**, then 1 × 1 filters that restore the 16 channels. Each
# layer has biases and is followed by a ReLU. The first block halves height and width. No two blocks
# share weights, and the 1 × 1 filters are there to connect the groups.
#
# The code below is meant to follow the plan, but its author reports: "The net has far fewer
# parameters than I counted. Most of the 144 pixels of a map have no effect on the output. And each
# output map depends on only four of the input maps." Run the next two cells, and look at these
# symptoms before you read the code.

# %% readonly="broken"


def broken_block(channels, reduced, groups, stride=1):
    """Return a block that reduces the channels, applies 3 × 3 filters and restores the channels."""
    return nn.Sequential(
        nn.Conv2d(channels, reduced, 1, stride=stride, groups=groups),
        nn.ReLU(),
        nn.Conv2d(reduced, reduced, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(reduced, channels, 1, groups=groups),
        nn.ReLU(),
    )


def broken_net(channels, reduced, groups, num_blocks, block=broken_block):
    """Return a net: a block that halves height and width, then blocks that keep them."""
    first = block(channels, reduced, groups, stride=2)
    return nn.Sequential(first, *[block(channels, reduced, groups)] * (num_blocks - 1))


def symptoms(net):
    """Count the parameters, and find the pixels and maps on which each output depends."""
    count = sum(each.numel() for each in net.parameters())
    for each in net.parameters():
        each.data = each.data.abs()  # so that no ReLU hides a connection
    maps = torch.rand(1, 16, 12, 12, requires_grad=True)
    means = net(maps).mean(dim=(0, 2, 3))  # one for each output map
    gradients = [torch.autograd.grad(each, maps, retain_graph=True)[0][0] for each in means]
    acts = torch.stack(gradients) > 0  # (output maps, input maps, height, width)
    return count, acts.any(dim=1).any(dim=0)[None].float(), acts.flatten(2).any(dim=2)[None].float()


# %%
count, pixels, maps = symptoms(broken_net(16, 8, 4, 4))
by_hand = 4 * (8 * (16 + 1) + 8 * (2 * 9 + 1) + 16 * (8 + 1))
print(f"parameters: {count:,}; counted by hand: {by_hand:,}")
titles = ["dark: a pixel that affects the output", "dark: input map (across) affects output (down)"]
show(
    plot_images([0.9 - 0.8 * pixels, 0.9 - 0.8 * maps], titles, size=3.2),
    "Two grids, dark where the output is affected: of 12 by 12 pixels, every second one in every "
    "second row; of 16 by 16 pairs of maps, four blocks of 4 by 4 along the diagonal",
)

# %% [markdown]
# Repair the net: write both functions without the three faults. In the first block, it is the 3 × 3
# filters that halve height and width.
#
# hint: Begin with the pixels. Which layer reads the maps first? What does a 1 × 1 filter with
# stride 2 do with the pixel beside the one that it reads? A 3 × 3 filter with stride 2 leaves no
# pixel out.
#
# hint: Now explain the maps. Follow one group from layer to layer. Where does it meet another
# group?
#
# hint: Now explain the parameters. What does `[thing] * 3` put into a list? Make a `broken_net`,
# call it `faulty`, and evaluate `faulty[1] is faulty[2]`.


# %% task="repair"
def block(channels: int, reduced: int, groups: int, stride: int = 1) -> nn.Module:
    """Return a block that reduces the channels, applies 3 × 3 filters and restores the channels."""
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(channels, reduced, 1),  # no groups: this is where they meet
        nn.ReLU(),
        nn.Conv2d(reduced, reduced, 3, stride=stride, padding=1, groups=groups),  # skips no pixel
        nn.ReLU(),
        nn.Conv2d(reduced, channels, 1),
        nn.ReLU(),
    )
    ### END SOLUTION


def net(channels: int, reduced: int, groups: int, num_blocks: int) -> nn.Module:
    """Return a net: a block that halves height and width, then blocks that keep them."""
    ### BEGIN SOLUTION
    strides = [2] + [1] * (num_blocks - 1)  # numbers may be repeated, modules may not
    return nn.Sequential(*(block(channels, reduced, groups, stride) for stride in strides))
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils import checks


@checks.beside
def _measured(make, sizes, values, x):
    """Return the shapes of a module's parameters, its output with these values, and its work."""
    module = make(*sizes)
    if not isinstance(module, nn.Module):
        return type(module).__name__
    parameters = list(module.parameters())
    if values and all(tuple(each.shape) in values for each in parameters):
        for each in parameters:
            each.data = values[tuple(each.shape)].clone()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = module(x)
    return [tuple(each.shape) for each in parameters], output, counter.get_total_flops() // 2


def check_small(block, net):
    x = torch.rand(2, 16, 12, 12)
    halved, kept = (2, 16, 6, 6), (2, 16, 12, 12)
    cases = [
        (block, (16, 8, 4), kept),
        (block, (16, 8, 4, 2), halved),
        (net, (16, 8, 4, 4), halved),
    ]
    for make, sizes, expected in cases:
        name = "block" if make is block else "net"
        found = _measured(make, sizes, {}, x)
        if found == "NoneType":
            raise checks.NotAnswered
        sentence = f"Your {name} must return an nn.Module, not {found}."
        checks.require(not isinstance(found, str), sentence)
        shape = tuple(getattr(found[1], "shape", ()))
        sentence = f"Your {name} turns {tuple(x.shape)} into {shape}, expected {expected}."
        checks.require(shape == expected, sentence)


repair_is_right = checks.show(check_small, block, net)


### BEGIN HIDDEN TESTS
def check_answer(block, net):
    import torch
    import torch.nn.functional as F

    check_small(block, net)

    def count(*shapes):
        return sum(torch.Size(each).numel() for each in shapes)

    def run(drawn, x, g, halves, strides=(1, 2, 1), active=(True, True, True)):
        """Compute the output by the definition; all blocks have the same weights here."""
        kernels = [shape for shape in drawn if len(shape) == 4]
        for halved in halves:
            for i, kernel in enumerate(kernels):
                options = {"padding": 1, "groups": g} if i == 1 else {}
                stride = strides[i] if halved else 1
                x = F.conv2d(x, drawn[kernel], drawn[kernel[:1]], stride, **options)
                x = x.relu() if active[i] else x
        return x

    cases = [
        (net, (16, 8, 4, 4), 4, True),
        (block, (12, 6, 3, 1), 1, False),
        (net, (10, 4, 2, 3), 3, True),
        (block, (12, 6, 2, 2), 1, True),
    ]
    for seed, (make, sizes, num, halving) in enumerate(cases):
        name, (c, r, g, _) = "block" if make is block else "net", sizes
        kernels = [(r, c, 1, 1), (r, r // g, 3, 3), (c, r, 1, 1)]
        drawn = {
            shape: 0.3 * checks.random_tensor(*shape, seed=10 * seed + i)
            for i, shape in enumerate([*kernels, (r,), (c,)])
        }
        drawn |= {bias: drawn[bias].abs() for bias in ((r,), (c,))}  # no ReLU is off everywhere
        x = checks.random_tensor(2, c, 8, 12, seed=10 * seed + 7)
        by_pixel = {shape[:2]: drawn[shape][:, :, 0, 0] for shape in (kernels[0], kernels[2])}
        shapes, output, work = _measured(make, sizes, drawn | by_pixel, x)
        shapes = [(*each, 1, 1) if len(each) == 2 else each for each in shapes]  # nn.Linear
        biases = [(r,), (r,), (c,)]
        one = count(*kernels, *biases)
        all_grouped = count((r, c // g), kernels[1], (c, r // g), *biases)
        slips = {
            "you give the 1 × 1 filters groups, too": num * all_grouped,
            "you give one of the two 1 × 1 layers groups": num * (one - r * (c - c // g)),
            "you give the 3 × 3 filters no groups": num * (one + 9 * r * (r - r // g)),
            "you leave out the biases": num * count(*kernels),
        }
        if num > 2:
            slips |= {
                "all blocks after the first share their weights": 2 * one,
                "all blocks share their weights": one,
                "all blocks after the first share their weights, and the 1 × 1 filters have "
                "groups": 2 * all_grouped,
            }
        checks.require_number(count(*shapes), num * one, slips)
        sentence = f"The parameters of your {name} do not have the shapes that the plan gives them."
        checks.require(sorted(shapes) == sorted(num * [*kernels, *biases]), sentence)
        halves = [halving] + [False] * (num - 1)
        right = run(drawn, x, g, halves)
        first = run(drawn, x, g, halves, (2, 1, 1))
        slips = {
            "you halve with the first 1 × 1 filters: they skip three of every four pixels": first
        }
        for i, which in enumerate(("first", "second", "last")):
            active = [j != i for j in range(3)]
            slips[f"you leave out the {which} ReLU of a block"] = run(
                drawn, x, g, halves, active=active
            )
        checks.require_tensor(output, right, slips, tolerance=1e-4)
        before, after = 2 * 96, 2 * 96 // (4 if halving else 1)  # positions in two images
        work_of = [count(kernel) for kernel in kernels]
        expected = before * work_of[0] + after * (num * sum(work_of) - work_of[0])
        late = expected + (before - after) * work_of[1]
        slips = {
            "you halve after the 3 × 3 filters: they work at four times as many positions": late
        }
        checks.require_number(work, expected, slips)


checks.award(4, check_answer, block, net)
### END HIDDEN TESTS

# %% [markdown]
# Here are the same measurements for your net.

# %%
if repair_is_right:
    count, pixels, maps = symptoms(net(16, 8, 4, 4))
    print(f"parameters: {count:,}; counted by hand: {by_hand:,}")
    show(
        plot_images([0.9 - 0.8 * pixels, 0.9 - 0.8 * maps], titles, size=3.2),
        "Two grids, dark all over: every pixel affects the output, and every input map affects "
        "every output map",
    )
else:
    print("The measurements of your net appear here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: when do groups cost accuracy?
#
# Two nets have the same convolutions, each with two groups, the same number of parameters and the
# same number of multiply-adds. In the *towers* the groups stay separate up to the linear layer at
# the end. In the *shuffled* net the channels are interleaved after each convolution, like the two
# halves of a pack of cards, so that each group of the next layer reads half the channels of each
# group. Shuffling adds no parameters and no multiply-adds.
#
# An example is a **pair** of images in two channels, so each tower sees one of them. Each image
# shows one of your two classes. Each net learns to answer one of two questions about the pairs.
# `"first"` asks which class the first image belongs to, and `"same"` whether both images are of the
# same class.

# %% readonly="pair"
classes, width = own_pair(student_id)

# %%
names = CLOTHES.info.classes
print(f"your classes: {names[classes[0]]} and {names[classes[1]]}; {width} channels per layer")
for wiring in ("towers", "shuffled"):
    costs = summary(pair_net(width, wiring), (2, 14, 14))
    print(f"{wiring:8}: {costs.parameters:,} parameters, {costs.multiply_adds:,} multiply-adds")

# %% [markdown]
# **Predict first.** For which question are the towers more than five percentage points less
# accurate than the shuffled net: `"first"`, `"same"`, `"both"` or `"neither"`? Write down your
# prediction before you run anything. A wrong prediction costs nothing; without a prediction, the
# experiment is not marked.

# %% task="prediction"
predicted = None  # "first", "same", "both" or "neither"
### BEGIN SOLUTION
predicted = "same"  # one image answers "first"; "same" needs both, and they meet too late
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Measure the accuracy of both nets for both questions, with the seeds 0, 1
# and 2. `pair_accuracy` trains and measures one net, in about a second. For each question, compute
# the difference *shuffled − towers* for each seed. Report the mean of the three differences, and
# its standard error: their standard deviation (dividing by n − 1), divided by √3.
#
# hint: `pair_accuracy(classes, width, "same", "towers", seed=0)` is one of the twelve runs. Two
# loops and a list, or one dictionary comprehension, do all of them.
#
# hint: A dictionary may have pairs as keys: `measured["same", "towers"]` is a list of three.
#
# hint: `torch.tensor(differences).std()` divides by n − 1. `.item()` turns it into a Python float.

# %% task="experiment" tags=["nbval-ignore-output"]
measured = None  # {("first", "towers"): [for seed 0, for 1, for 2], ("first", "shuffled"): ...}
lost = None  # {"first": the mean of the three differences, shuffled - towers, "same": ...}
error = None  # {"first": the standard error of that mean, "same": ...}
### BEGIN SOLUTION
cases = [(asked, wiring) for asked in ("first", "same") for wiring in ("towers", "shuffled")]
measured = {
    case: [pair_accuracy(classes, width, *case, seed) for seed in range(3)] for case in cases
}
lost, error = {}, {}
for asked in ("first", "same"):
    shuffled, towers = (torch.tensor(measured[asked, each]) for each in ("shuffled", "towers"))
    gaps = shuffled - towers  # paired: the same seed in both, so the same images
    lost[asked], error[asked] = gaps.mean().item(), (gaps.std() / 3**0.5).item()
    print(f"{asked:5}: towers {towers.mean():.1%}, shuffled {shuffled.mean():.1%}")
    print(f"       difference {lost[asked]:+.1%}, standard error {error[asked]:.1%}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks

_ASKED, _WIRED = ("first", "same"), ("towers", "shuffled")


def check_small(predicted, measured, lost, error):
    if measured is None and lost is None and error is None:
        raise checks.NotAnswered
    sentence = (
        'Write your prediction down before the experiment: "first", "same", "both" or "neither".'
    )
    checks.require(predicted in ("first", "same", "both", "neither"), sentence)
    keys = {(asked, wiring) for asked in _ASKED for wiring in _WIRED}
    fits = isinstance(measured, dict) and measured.keys() == keys
    checks.require(fits, f"measured must be a dictionary with the keys {sorted(keys)}.")
    for case, values in measured.items():
        fits = isinstance(values, list | tuple) and len(values) == 3
        fits = fits and all(isinstance(each, float) and 0.2 < each <= 1 for each in values)
        sentence = (
            f"{case} must have three accuracies of trained nets, between 0.2 and 1, not {values!r}."
        )
        checks.require(fits, sentence)
    for name, values in (("lost", lost), ("error", error)):
        fits = isinstance(values, dict) and values.keys() == set(_ASKED)
        fits = fits and all(isinstance(each, float) for each in values.values())
        sentence = f'{name} must be a dictionary with a Python float for "first" and for "same".'
        checks.require(fits, sentence)


def _in_words(lost, error):
    try:
        return ", ".join(f"{lost[each]:+.3f} ± {error[each]:.3f} ({each})" for each in _ASKED)
    except (KeyError, TypeError, ValueError):
        return "nothing yet"


_BESIDE = f"you predicted {predicted} and measured {_in_words(lost, error)}: explain this below"
experiment_is_right = checks.show(check_small, predicted, measured, lost, error, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, measured, lost, error):
    check_small(predicted, measured, lost, error)
    best = max(measured["same", "towers"])
    sentence = (
        f'Towers cannot reach {best:.1%} for "same": they add up one score for each image, and a '
        "sum gets at most three of the four kinds of pairs right. Which runs are in your lists?"
    )
    checks.require(best < 0.8, sentence)

    def require_close(value, expected, slips, asked):
        for slip, wrong in slips.items():
            near = abs(value - wrong) < 1e-5 < 2e-5 < abs(wrong - expected)
            sentence = f"For {asked!r}, {value:.5f} is what you get if {slip}."
            checks.require(not near, sentence)
        sentence = (
            f"For {asked!r}, {value:.5f} does not follow from your lists: they give {expected:.5f}."
        )
        checks.require(abs(value - expected) < 1e-5, sentence)

    for asked in _ASKED:
        right = checks.paired_seeds(measured[asked, "shuffled"], measured[asked, "towers"])
        turned = {"you subtract the shuffled net's accuracy from the towers'": -right.mean}
        require_close(lost[asked], right.mean, turned | right.mean_slips, asked)
        require_close(error[asked], right.error, right.error_slips, asked)

    classes, width = own_pair(student_id)
    again = pair_accuracy(classes, width, "same", "shuffled", 0)
    what = 'With seed 0 and "same", the shuffled net reaches'
    checks.require_again(what, measured["same", "shuffled"][0], again, tolerance=0.05)


checks.award(2, check_answer, predicted, measured, lost, error)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# errors? Both nets have the same number of parameters and do the same work, so what property of the
# towers explains for which question they lose accuracy? Which change to the towers, or to the
# question, would test your explanation, and what result would you expect? 2 points, graded by a
# person.

# %% [markdown] written="when_groups_cost" points=2
# **A model answer.** I predicted that the towers would lose accuracy only on "same", and the
# experiment agrees: on "first" they lose 0.2 points, with a standard error of 0.1, and on "same"
# they lose 48.5 points, with a standard error of 1.7. For "first" one tower sees all that is
# needed, while "same" depends on both images together: the towers meet only in the last layer,
# which adds up one score from each tower, and no such sum is high for two coats and for two
# sneakers, yet low for both mixed pairs. If that is right, a single shuffle, after the first
# convolution, should be enough for the towers to answer "same", and a question such as "is at least
# one of them a coat?", which a sum can answer, should cost them little.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement for both questions, *with* the standard
#   errors. Half a point without them. A wrong prediction costs nothing.
# - 1 point: the answer says what the towers cannot do (combine the two images before the last
#   layer; a sum of two parts is not enough for "same"), *and* describes a run that would test this,
#   with the expected result. Half a point for either alone. (To mix only just before the classifier
#   is a fair proposal, too, although in so short a training such a net often stays at chance.) No
#   point for "groups have fewer weights": both nets have the same number.
