# %% [markdown]
# # Exercise 13: what each block adds
#
# **You practise** reading from a plan how many layers and projections a net has, making a trained
# stage deeper without changing what it computes, finding four faults in residual blocks from their
# symptoms, and measuring what a trained net loses when you take out or swap its blocks.
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
from course_utils.models.resnet import BasicBlock, ResNet


def own_plan(student_id):
    """Return the stages of your net, the channels of its first layer, and the size of the maps."""
    spans = ((2, 4), (2, 7), (2, 7), (2, 7), (8, 17))
    drawn = quiz.generator(student_id)
    layers, *blocks, half = (int(torch.randint(*span, (), generator=drawn)) for span in spans)
    first = {2: 16, 3: 64}[layers]
    rows = [(layers, n, first * 2**i, 1 + (i > 0)) for i, n in enumerate(blocks)]
    return rows, 16, 2 * half + 1


def own_stage(student_id):
    """Return a stage with values like those after training, and how many blocks you want."""
    drawn = quiz.generator(student_id)
    spans = ((6, 13), (2, 5), (2, 5))
    channels, old, new = (int(torch.randint(*span, (), generator=drawn)) for span in spans)
    stage = nn.Sequential(*(BasicBlock(channels, channels) for _ in range(old)))
    for name, value in stage.state_dict().items():
        if value.dim():  # all but the counters of batch normalisation
            numbers = torch.randn(value.shape, generator=drawn)
            value.copy_(numbers.abs() + 0.5 if "running_var" in name else 0.3 * numbers)
    return stage.eval(), old + new


def own_blocks(student_id):
    """Return how many blocks your nets have, and which one you take out or swap, counted from 0."""
    drawn = quiz.generator(student_id)
    return tuple(int(torch.randint(*span, (), generator=drawn)) for span in ((5, 8), (0, 4)))


def logits_of(net, images, order):
    """Return the logits of a net whose blocks run in the order of a list, such as [0, 2, 1]."""
    x = net.stem(F.avg_pool2d(images, 2))
    for number in order:
        x = net.stages[0][number](x)
    return net.classifier(x.mean(dim=(2, 3)))


def trained_net(num_blocks, residual, seed):
    """Train a net of blocks of one kind, with or without shortcuts, on 2,000 images of clothes."""
    torch.manual_seed(seed)
    stem = nn.Sequential(nn.Conv2d(1, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
    net = ResNet(stem, 12, BasicBlock, (num_blocks,), (12,), 10, residual=residual)
    train = data.load("fashion_mnist_mini", batch_size=50).train
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.05, total_iters=80)
    for step in range(80):
        if step % 40 == 0:
            batches = torch.randperm(2000).split(50)
        images, labels = (values[batches[step % 40]] for values in (train.images, train.labels))
        optimizer.zero_grad()
        F.cross_entropy(logits_of(net, images / 127.5 - 1, range(num_blocks)), labels).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def accuracy(net, order):
    """Return the accuracy on 1,000 other images if the blocks run in this order."""
    train = data.load("fashion_mnist_mini", batch_size=50).train
    with torch.no_grad():
        logits = logits_of(net, train.images[2000:3000] / 127.5 - 1, order)
    return (logits.argmax(dim=1) == train.labels[2000:3000]).float().mean().item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your plan, your
# stage and your blocks, so yours will differ from most people's. If you work on your own, leave it
# empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="chain_derivative"
chain_derivative = None  # one number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/13_resnet", "chain_derivative", student_id)
a, n = numbers["a"], numbers["n"]
chain_derivative = (1 + a) ** n  # each block passes its gradient on along two paths
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="stride_seen"
stride_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/13_resnet", "stride_seen", student_id)
# The main path halves the size; 1 x 1 maps can be added to any size, others only to their own.
seen = f"No error: {2 * question.values['c']} maps of 2 × 2"
seen = seen if question.values["n"] == 2 else "An error at the addition"
stride_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="shared_told"
shared_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/13_resnet", "shared_told", student_id)
# If both blocks are one object, a change to one shows in the other.
told = "Change one weight"
shared_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=7
# ## Task 1: read a plan
#
# A plan has one row for each stage: (convolutions on the main path of each block, blocks, output
# channels of each block, stride). In the first block of a stage, one 3 × 3 convolution (padding 1)
# has the stage's stride; all other convolutions on the main path have stride 1. The net begins with
# one convolution that makes `first` maps of `size` × `size`; after the stages come a mean over each
# map and one linear layer.
#
# Complete the function. It returns three numbers: how many layers such a net has by the count that
# gives ResNet-18 its name, how many of its shortcuts need a projection, and the size of the last
# maps (the number of pixels along a side).
#
# hint: Which layers does the name count: only those on the main path, or the projections as well?
# And which two layers are in no block?
#
# hint: x can be added unchanged only if F(x) has the same number of channels *and* the same size.
# In which blocks of a stage can they differ? Can the first block of the first stage need a
# projection, too?
#
# hint: How many rows do 7 rows become with a 3 × 3 kernel, padding 1 and stride 2? Lesson 04 has
# the formula; try it with 8 rows, too.

# %%
stages, first, size = own_plan(student_id)
print(f"one convolution makes {first} maps of {size} x {size}, then")
for row in stages:
    print("convolutions per block: {}; blocks: {}; channels: {}; stride: {}".format(*row))


# %% task="plan"
def read_plan(
    stages: list[tuple[int, int, int, int]], first: int, size: int
) -> tuple[int, int, int]:
    """Return the number of layers, the number of projections, and the size of the last maps."""
    ### BEGIN SOLUTION
    layers, projections, channels = 2, 0, first  # the first convolution and the linear layer
    for convolutions, blocks, c_out, stride in stages:
        layers += convolutions * blocks  # projections do not count
        projections += stride != 1 or channels != c_out  # either is enough
        size = (size - 1) // stride + 1  # with padding 1 the quotient is rounded up
        channels = c_out
    return layers, projections, size
    ### END SOLUTION


# %% check="plan_check" points=1
from itertools import pairwise

from course_utils import checks


def _read(stages, first, size):
    """Return layers, projections and size, block by block."""
    layers, projections, channels = 1, 0, first
    for convolutions, blocks, c_out, stride in stages:
        for s in [stride] + [1] * (blocks - 1):
            layers += convolutions
            projections += (channels, 1) != (c_out, s)
            size, channels = (size + 2 - 3) // s + 1, c_out
    return layers + 1, projections, size


def _require_plan(read_plan, plan):
    found = checks.as_shape(read_plan(*plan), 3)
    stages, first, size = plan
    blocks = sum(row[1] for row in stages)
    fewer = sum(row[0] * row[1] for row in stages)
    layers, projections, last = _read(*plan)
    halved = size
    for row in stages:
        halved //= row[3]
    slips = {
        "forget the first convolution and the linear layer": (0, fewer),
        "forget the linear layer, or the first convolution": (0, fewer + 1),
        "count the projections as layers": (0, layers + projections),
        "count each block as one layer": (0, blocks + 2),
        "give each block two convolutions, whatever the plan says": (0, 2 * blocks + 2),
        "give every block a projection": (1, blocks),
        "give every stage a projection": (1, len(stages)),
        "look only at the stride: the channels must match, too": (
            1, sum(row[3] != 1 for row in stages)
        ),
        "look only at the channels: the size must match, too": (
            1, sum(a != b for a, b in pairwise([first, *(row[2] for row in stages)]))
        ),
        "round down: with padding 1, half an odd size is rounded up": (2, halved),
        "leave out the strides": (2, size),
    }  # fmt: skip
    names = ("layers", "projections", "pixels along a side")
    rights = (layers, projections, last)
    for slip, (place, wrong) in slips.items():
        is_slip = found[place] == wrong != rights[place]
        sentence = f"For {plan}, you get {wrong} {names[place]} if you {slip}."
        checks.require(not is_slip, sentence)
    for name, one, right in zip(names, found, rights, strict=True):
        checks.require(one == right, f"For {plan}, {one} is not the number of {name}.")


def check_small(read_plan):
    _require_plan(read_plan, ([(2, 2, 16, 1), (2, 2, 32, 2)], 16, 8))


plan_is_right = checks.show(check_small, read_plan)


### BEGIN HIDDEN TESTS
def check_answer(read_plan):
    check_small(read_plan)
    plans = [
        own_plan(student_id),
        ([(3, 3, 64, 1), (3, 4, 128, 2), (3, 2, 256, 2)], 16, 33),
        ([(2, 1, 24, 2), (2, 5, 24, 2), (2, 3, 24, 1)], 24, 27),
        ([(3, 2, 32, 1), (2, 3, 48, 1), (2, 1, 48, 3)], 32, 20),
    ]
    for plan in plans:
        _require_plan(read_plan, plan)


checks.award(1, check_answer, read_plan)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=11
# ## Task 2: deeper, and nothing changes
#
# The next cell makes a stage of residual blocks with parameters like those of a trained net. You
# want to make it deeper without losing what it has learned. Complete the function: it returns an
# `nn.Sequential` of `num_blocks` blocks, first those of the stage, in their order, then new ones,
# so that
#
# - for input maps that come out of a ReLU, the deeper stage returns what the old one returns, in
#   training mode and in evaluation mode;
# - each new block has two 3 × 3 convolutions, like the old ones, with its own weights;
# - the new blocks can *learn*: after three steps of gradient descent on the deeper stage, all their
#   convolutions have changed;
# - the stage that the function is given stays unchanged.
#
# You may use `BasicBlock(channels, channels)`, whose four layers are `conv1`, `norm1`, `conv2` and
# `norm2`; the deeper stage may contain the old blocks themselves, without copying them.
#
# hint: A block returns ReLU(F(x) + x). What must F(x) be, so that nothing changes?
#
# hint: The last layer of F is a batch normalisation: it multiplies the normalised values by a scale
# and adds a shift. Which scale and which shift make F(x) the same for any input, in either mode?
#
# hint: The derivative of a product with respect to one factor contains the other factor. What
# happens to the gradients if both factors are 0? So how many of the layers may you set to 0?

# %%
stage, num_blocks = own_stage(student_id)
print(f"{len(stage)} blocks on {stage[0].conv1.in_channels} channels; you want {num_blocks}")


# %% task="deeper"
def deepen(stage: nn.Sequential, num_blocks: int) -> nn.Sequential:
    """Return a stage of num_blocks blocks that computes what the given one does."""
    ### BEGIN SOLUTION
    channels = stage[-1].conv2.out_channels
    deeper = nn.Sequential(*stage)  # a new container: the old one keeps its length
    while len(deeper) < num_blocks:
        block = BasicBlock(channels, channels)  # a new object each time
        nn.init.zeros_(block.norm2.weight)  # F(x) = 0, as the shift is 0; all can learn
        deeper.append(block)
    return deeper
    ### END SOLUTION


# %% check="deeper_check" points=3
import torch
from torch import nn

from course_utils import checks
from course_utils.models.resnet import BasicBlock


@checks.beside
class _Stage(nn.Sequential):
    """A stage with parameters that the check has drawn."""

    def __init__(self, channels, num_blocks, state):
        super().__init__(*(BasicBlock(channels, channels) for _ in range(num_blocks)))
        if state:
            self.load_state_dict(state)


@checks.beside
def _deepened(deepen, channels, old, new, state, training, x):
    """Return the form of the deeper stage, its maps in both modes, and which layers learn."""
    stage = nn.Sequential(*_Stage(channels, old, state)).train(training)
    deeper = deepen(stage, new)
    if deeper is None or not isinstance(deeper, nn.Sequential):
        return {"kind": type(deeper).__name__, "nothing": deeper is None}
    after, own = stage.state_dict(), _Stage(channels, old, state)
    found = {
        "first": all(
            torch.equal(one, other)
            for block, right in zip(deeper, own, strict=False)
            for one, other in zip(block.parameters(), right.parameters(), strict=False)
        ),
        "kept": len(stage) == old and all(torch.equal(after[name], state[name]) for name in state),
        "length": len(deeper),
        "maps": [deeper.train(mode)(x.clone()).detach() for mode in (False, True)],
        "distinct": sum(value.numel() for value in deeper.parameters()),
        "together": sum(value.numel() for block in deeper for value in block.parameters()),
    }
    filters = [[v for v in block.parameters() if v.dim() == 4] for block in deeper][old:]
    before = [[v.detach().clone() for v in block] for block in filters]
    optimizer = torch.optim.SGD([{"params": list(deeper.parameters())}], lr=0.05)
    for step in range(3):
        optimizer.zero_grad()
        (deeper(x) * x.roll(step + 1, dims=0)).mean().backward()
        optimizer.step()
    found["filters"] = [[tuple(v.shape) for v in block] for block in filters]
    found["moved"] = [
        [not torch.equal(v, w) for v, w in zip(*pair, strict=True)]
        for pair in zip(filters, before, strict=True)
    ]
    return found


def _drawn(channels, num_blocks, seed):
    """Return values like those after training, and maps that come out of a ReLU."""
    state = _Stage(channels, num_blocks, None).state_dict()
    for i, (name, value) in enumerate(state.items()):
        if value.dim():
            numbers = 0.3 * checks.random_tensor(*value.shape, seed=seed + i)
            state[name] = numbers.abs() + 0.5 if "running_var" in name else numbers
    return state, checks.random_tensor(4, channels, 6, 6, seed=seed + 90).relu()


def _require_deeper(deepen, channels, old, new, seed, training, modes):
    """Require the form and the maps; return all that was found."""
    state, x = _drawn(channels, old, seed)
    found = _deepened(deepen, channels, old, new, state, training, x)
    if found.get("nothing"):
        raise checks.NotAnswered
    checks.require("maps" in found, f"Return an nn.Sequential, not {found.get('kind')}.")
    sentence = f"Your deeper stage has {found['length']} blocks, expected {new}."
    checks.require(found["length"] == new, sentence)
    for mode, maps in enumerate(found["maps"]):
        expected = _Stage(channels, old, state).train(bool(mode))(x).detach()
        name = ("evaluation", "training")[mode]
        same = maps.shape == expected.shape and torch.allclose(maps, expected, atol=1e-4)
        sentence = f"In {name} mode the deeper stage does not return the maps of the old one."
        checks.require(same or mode not in modes, sentence)
    return found


def check_small(deepen):
    _require_deeper(deepen, 5, 2, 4, 0, False, {0})


deeper_is_right = checks.show(check_small, deepen)


### BEGIN HIDDEN TESTS
def check_answer(deepen):
    check_small(deepen)
    for seed, (channels, old, new, training) in enumerate([(6, 2, 5, True), (4, 3, 4, False)]):
        found = _require_deeper(deepen, channels, old, new, 100 * seed + 100, training, {0, 1})
        checks.require(found["kept"], "Your deepen changes the stage that it is given.")
        sentence = f"The first {old} blocks of your deeper stage are not those of the given stage."
        checks.require(found["first"], sentence)
        sentence = "Blocks of your deeper stage share weights: each needs its own."
        checks.require(found["distinct"] == found["together"], sentence)
        two = [(channels, channels, 3, 3)] * 2
        for number, (shapes, moved) in enumerate(
            zip(found["filters"], found["moved"], strict=True), start=old + 1
        ):
            sentence = f"Block {number} has filters of the shapes {shapes}, expected {two}."
            checks.require(shapes == two, sentence)
            sentence = (
                f"Block {number} cannot learn: after three steps one of its convolutions has not "
                "changed. If two factors are both 0, neither gets a gradient."
            )
            checks.require(all(moved), sentence)


checks.award(3, check_answer, deepen)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: blocks with four faults
#
# Somebody wrote stages of residual blocks in two functions: one chooses the layers, the other sends
# maps through them. They report four symptoms: "The stage that halves the size of the maps stops
# with an error. A stage of six blocks has no more parameters than one of two. The deeper the stage,
# the larger the values in its maps. And if I send the same maps through it twice, the results
# differ." Run the next two cells, and look at these symptoms before you read the code. There are
# four faults.

# %% readonly="broken"


class Layers(nn.Module):
    """The layers of one block; the functions below choose the strides and connect them."""

    def __init__(self, c_in, c_out, stride1=1, stride2=1, projection_stride=None):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride1, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, stride2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.projection = None
        if projection_stride is not None:
            self.projection = nn.Conv2d(c_in, c_out, 1, projection_stride, bias=False)


def broken_stage(c_in, c_out, num_blocks, stride):
    """Return the blocks of a stage; the first one changes channels and size."""
    shape_changes = stride != 1 or c_in != c_out
    first = Layers(c_in, c_out, stride, stride, stride if shape_changes else None)
    return nn.ModuleList([first] + [Layers(c_out, c_out)] * (num_blocks - 1))


def broken_run(stage, x):
    """Send maps through the blocks; each adds what its layers compute."""
    for block in stage:
        f = block.norm1(block.conv1(x)).relu()
        f = block.norm2(block.conv2(f)).relu()
        if block.projection is not None:
            x = block.projection(x)
        x += f
    return x


# %%
torch.manual_seed(0)
maps = torch.rand(8, 4, 8, 8)
try:
    broken_run(broken_stage(4, 8, 2, 2), maps)
except RuntimeError as error:
    print("the error:", error)
for number in (2, 6):
    weights = sum(weight.numel() for weight in broken_stage(4, 4, number, 1).parameters())
    print(f"{number} blocks have {weights} parameters")
with torch.no_grad():
    for number in (2, 4, 8):
        deep = broken_run(broken_stage(4, 4, number, 1), maps.clone())
        print(f"mean of the maps after {number} blocks: {deep.mean():.1f}")
    stage = broken_stage(4, 4, 2, 1).eval()
    for run in ("first", "second"):
        print(f"mean in the {run} run: {broken_run(stage, maps).mean():.2f}")

# %% [markdown]
# Now write both functions without the four faults. `make_stage` returns a module that holds the
# blocks, such as an `nn.ModuleList`; each block is a `Layers(...)`. The stride belongs where the
# ResNet paper has it, which is where the block takes the fewest multiply-adds. In `run_stage` each
# block turns x into ReLU(F(x) + shortcut(x)), and the maps that the function is given stay
# unchanged. Neither function needs more lines than the faulty one has.
#
# hint: The error: what size do the maps have after each convolution of the first block, and what
# size after the projection? A block makes the maps smaller only *once*.
#
# hint: Six blocks with the parameters of two: what does Python do in `[item] * 3`? Does it make
# three copies of the item?
#
# hint: The growing maps: can `x + f` ever be smaller than x if f has gone through a ReLU? The two
# runs: which line writes into a tensor that the caller still uses?


# %% task="repair"
def make_stage(c_in, c_out, num_blocks, stride):
    """Return the blocks of a stage; the first one changes channels and size."""
    ### BEGIN SOLUTION
    shape_changes = stride != 1 or c_in != c_out
    # The first convolution has the stride, so the second one works on small maps.
    first = Layers(c_in, c_out, stride, 1, stride if shape_changes else None)
    return nn.ModuleList([first, *(Layers(c_out, c_out) for _ in range(num_blocks - 1))])
    ### END SOLUTION


def run_stage(stage, x):
    """Send maps through the blocks; each adds what its layers compute."""
    ### BEGIN SOLUTION
    for block in stage:
        f = block.norm1(block.conv1(x)).relu()
        f = block.norm2(block.conv2(f))  # no ReLU yet: a block may also lower a value
        shortcut = x if block.projection is None else block.projection(x)
        x = (f + shortcut).relu()  # a new tensor: the caller's stays unchanged
    return x
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Block(nn.Module):
    """The layers of one block, with the strides where they belong."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.projection = None
        if (c_in, 1) != (c_out, stride):
            self.projection = nn.Conv2d(c_in, c_out, 1, stride, bias=False)


@checks.beside
class _Blocks(nn.ModuleList):
    """The blocks of a stage, with parameters that the check has drawn."""

    def __init__(self, row, state):
        c_in, c_out, num_blocks, stride = row
        rows = [(c_in, c_out, stride)] + [(c_out, c_out, 1)] * (num_blocks - 1)
        super().__init__(_Block(*each) for each in rows)
        if state:
            self.load_state_dict(state)


@checks.beside
def _built(make_stage, row):
    """Return what the check needs to know: a stage's blocks, their strides, its parameters."""
    stage = make_stage(*row)
    if stage is None:
        return None
    blocks = list(stage)
    strides = [
        [
            layer and layer.stride[0]
            for layer in (block.conv1, block.conv2, getattr(block, "projection", None))
        ]
        for block in blocks
    ]
    return {
        "known": isinstance(stage, nn.Module) and sum(v.numel() for v in stage.parameters()),
        "different": len({id(block) for block in blocks}),
        "strides": [tuple(each) for each in strides],
        "channels": [(block.conv1.in_channels, block.conv2.out_channels) for block in blocks],
    }


@checks.beside
def _together(make_stage, run_stage, row, x):
    return run_stage(make_stage(*row), x)


@checks.beside
def _ran(run_stage, row, state, training, x):
    """Return the maps, and the error that stopped backpropagation, if any."""
    stage, stopped = _Blocks(row, state).train(training), None
    maps = run_stage(stage, x)
    try:
        torch.autograd.grad(maps.sum(), list(stage.parameters()))
    except RuntimeError as error:
        stopped = str(error).split(":")[0]  # the rest is about internals
    return maps, stopped


def check_small(make_stage, run_stage):
    row, x = (4, 6, 3, 2), checks.random_tensor(2, 4, 8, 8)
    built = _built(make_stage, row)
    maps = None if built is None else _together(make_stage, run_stage, row, x)
    if maps is None:
        raise checks.NotAnswered
    found = len(built["strides"])
    checks.require(found == 3, f"Number of blocks in your stage: {found}, expected 3.")
    found = tuple(getattr(maps, "shape", ()))
    sentence = f"Your maps have the shape {found}, expected (2, 6, 4, 4)."
    checks.require(found == (2, 6, 4, 4), sentence)


repair_is_right = checks.show(check_small, make_stage, run_stage)


### BEGIN HIDDEN TESTS
def check_answer(make_stage, run_stage):
    import torch

    check_small(make_stage, run_stage)
    rows = [(4, 4, 3, 1), (4, 8, 2, 2), (5, 5, 2, 2), (3, 6, 4, 1), (6, 6, 1, 3)]
    for row in rows:
        c_in, c_out, num_blocks, stride = row
        built, name = _built(make_stage, row), f"make_stage{row}"
        sentence = f"{name} has {len(built['strides'])} blocks, expected {num_blocks}."
        checks.require(len(built["strides"]) == num_blocks, sentence)
        sentence = f"{name} holds the same block several times: each needs its own weights."
        checks.require(built["different"] == num_blocks, sentence)
        changes = stride if (c_in, 1) != (c_out, stride) else None
        right = [(stride, 1, changes)] + [(1, 1, None)] * (num_blocks - 1)
        slips = {
            "give the stride to the second convolution: the first then works on large maps": [
                (1, stride, changes), *right[1:]
            ],
            "give the stride to both convolutions": [(stride, stride, changes), *right[1:]],
            "use a projection although the shapes agree": [(stride, 1, stride), *right[1:]],
            "use a projection in every block": [(one, two, one) for one, two, _ in right],
            "use a projection only where the channels change": [
                (stride, 1, None if c_in == c_out else stride), *right[1:]
            ],
            "give every block the stride": [(stride, 1, changes)] * num_blocks,
        }  # fmt: skip
        for slip, wrong in slips.items():
            is_slip = built["strides"] == wrong != right
            sentence = f"The stage of {name} is what you get if you {slip}."
            checks.require(not is_slip, sentence)
        sentence = (
            f"{name} has the strides {built['strides']}, expected {right}: for each block, those "
            "of its two convolutions and of its projection."
        )
        checks.require(built["strides"] == right, sentence)
        channels = [(c_in, c_out)] + [(c_out, c_out)] * (num_blocks - 1)
        sentence = f"{name} does not have the channels that were asked for."
        checks.require(built["channels"] == channels, sentence)
        known = sum(value.numel() for value in _Blocks(row, None).parameters())
        sentence = f"Parameters of {name} are not registered: put the blocks into an nn.ModuleList."
        checks.require(built["known"] == known, sentence)

    def ours(stage, x, before=False, after=True, skip=1.0):
        """Run the blocks by the definition, or with a slip."""
        for block in stage:
            f = block.norm2(block.conv2(block.norm1(block.conv1(x)).relu()))
            shortcut = x if block.projection is None else block.projection(x)
            x = (f.relu() if before else f) + skip * shortcut
            x = x.relu() if after else x
        return x

    slips = {
        "you put the ReLU before the addition, not after it": {"before": True, "after": False},
        "you put a ReLU before the addition, too": {"before": True},
        "you leave out the ReLU after the addition": {"after": False},
        "you leave out the shortcut": {"skip": 0.0},
    }
    for seed, (row, training) in enumerate(
        zip(rows, (True, True, False, True, False), strict=True)
    ):
        state = _Blocks(row, None).state_dict()
        for i, (name, value) in enumerate(state.items()):
            if value.dim():
                numbers = 0.5 * checks.random_tensor(*value.shape, seed=100 * seed + i)
                state[name] = numbers.abs() + 0.5 if "running_var" in name else numbers
        x = checks.random_tensor(3, row[0], 7, 6, seed=100 * seed + 90)
        given = x.clone()
        maps, stopped = _ran(run_stage, row, state, training, given)
        checks.require(torch.equal(given, x), "Your run_stage changes the maps that it is given.")
        wrong = {
            slip: ours(_Blocks(row, state).train(training), x, **change).detach()
            for slip, change in slips.items()
        }
        expected = ours(_Blocks(row, state).train(training), x).detach()
        checks.require_tensor(maps, expected, wrong, tolerance=1e-4)
        sentence = f"Backpropagation through your run_stage fails: {stopped}"
        checks.require(stopped is None, sentence)


checks.award(4, check_answer, make_stage, run_stage)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=16
# ## Task 4: out, or in another place?
#
# In the lesson a residual net loses far less than a plain one when one block is taken out. If each
# block only *adds* something, it might as well do so one place later: then swapping two neighbouring
# blocks should cost little, too. But after a swap *both* blocks read maps that they were not trained
# on, and so do all later blocks; without a block, only the later ones do. **Which costs a trained
# residual net more accuracy: taking out a block, or swapping two?**

# %% readonly="blocks"
num_blocks, block = own_blocks(student_id)

# %%
print(f"your nets have {num_blocks} blocks: 0 to {num_blocks - 1}")
print(f"take out block {block}, or swap blocks {block} and {block + 1}")

# %% [markdown]
# **Predict first.** What will cost your residual nets more accuracy: leaving your block out,
# `"out"`, or the swap, `"swap"`? Write down one of the two words before you run anything. A wrong
# prediction costs nothing; without a prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # "out" or "swap"
### BEGIN SOLUTION
predicted = "swap"  # two blocks read what they have never seen
### END SOLUTION

# %% [markdown]
# **Now the experiment.** `trained_net(num_blocks, residual, seed)` trains a net in a few seconds,
# with shortcuts (`True`) or, as a control, without them (`False`). `accuracy(net, order)` measures
# it with its blocks in any order, without further training: in a net of four blocks, `[0, 1, 3]`
# leaves out block 2. Train residual and plain nets with the seeds 0, 1 and 2, and measure each of
# them whole, without your block, and with the swap.
#
# Then compare the two changes in the *residual* nets: report the mean of the three differences
# *accuracy with the swap − accuracy without the block*, seed by seed, and its standard error: the
# standard deviation of the three differences (dividing by n − 1), divided by √3.
#
# hint: `order = list(range(num_blocks))` is the whole net. A list has `remove`, and
# `a[i], a[j] = a[j], a[i]` swaps two of its items. Work on copies.
#
# hint: You need three accuracies of each net: train it once, then measure it with the three orders.
#
# hint: `torch.tensor(differences).std()` divides by n − 1. Is the mean difference more than two
# standard errors away from 0? And what does each change cost the plain nets?

# %% task="experiment" tags=["nbval-ignore-output"]
without = None  # the order of the blocks without yours, a list
swapped = None  # the order with yours and the next one swapped, a list
residual = None  # for seeds 0, 1, 2: [(whole, without, swapped), ...], accuracies
plain = None  # likewise, for the nets that have no shortcuts
difference = None  # the mean of swapped - without, in the residual nets
error = None  # its standard error
### BEGIN SOLUTION
whole = list(range(num_blocks))
without = [number for number in whole if number != block]
swapped = [*whole[:block], block + 1, block, *whole[block + 2 :]]  # the two in reverse order
measured = {True: [], False: []}
for shortcuts, rows in measured.items():
    for seed in range(3):
        net = trained_net(num_blocks, shortcuts, seed)  # once: all three orders use its weights
        rows.append(tuple(accuracy(net, order) for order in (whole, without, swapped)))
        print("residual" if shortcuts else "plain   ", [f"{each:.0%}" for each in rows[-1]])
residual, plain = measured[True], measured[False]
differences = torch.tensor([swap - out for _, out, swap in residual])
difference, error = differences.mean().item(), (differences.std() / 3**0.5).item()
print(f"swapped - without: {difference:+.1%}, standard error {error:.1%}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def _require_rows(rows, name, least):
    fits = isinstance(rows, list | tuple) and len(rows) == 3
    fits = fits and all(isinstance(row, list | tuple) and len(row) == 3 for row in rows)
    fits = fits and all(isinstance(each, float) and 0 <= each <= 1 for row in rows for each in row)
    sentence = f"{name} must be three rows (whole, without, swapped) of accuracies, not {rows!r}."
    checks.require(fits, sentence)
    sentence = f"The nets in {name} are hardly better than chance: {rows!r}."
    checks.require(all(row[0] >= least for row in rows), sentence)
    sentence = f"All rows in {name} are the same: use a new seed for each."
    checks.require(len(set(map(tuple, rows))) > 1, sentence)


def check_small(predicted, without, swapped, residual, plain, difference, error):
    if all(each is None for each in (without, swapped, residual, plain, difference, error)):
        raise checks.NotAnswered
    sentence = 'Write your prediction down before the experiment: "out" or "swap".'
    checks.require(predicted in ("out", "swap"), sentence)
    num_blocks, _ = own_blocks(student_id)
    for order, length in ((without, num_blocks - 1), (swapped, num_blocks)):
        numbers = checks.as_shape(order, length)
        fine = all(0 <= number < num_blocks for number in numbers)
        sentence = f"Your blocks are numbered from 0 to {num_blocks - 1}, not as in {order}."
        checks.require(fine, sentence)
    _require_rows(residual, "residual", 0.25)
    _require_rows(plain, "plain", 0.0)  # a plain net may fail to learn
    for value in (difference, error):
        checks.require(isinstance(value, float), f"Answer with a Python float, not {value!r}.")


_SHOWN = f"{difference:+.3f} ± {error:.3f}" if isinstance(error, float) else "nothing yet"
_BESIDE = f"you predicted {predicted} and measured swapped - without = {_SHOWN}: explain this below"
experiment_is_right = checks.show(
    check_small, predicted, without, swapped, residual, plain, difference, error, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, without, swapped, residual, plain, difference, error):
    check_small(predicted, without, swapped, residual, plain, difference, error)
    number, block = own_blocks(student_id)
    whole = list(range(number))

    def order(*middle, start=block):
        return [*whole[:start], *middle, *whole[start + len(middle) :]]

    right = whole[:block] + whole[block + 1 :]
    slips = {
        "you take out the next block": whole[: block + 1] + whole[block + 2 :],
        "you count the blocks from 1": whole[: max(block - 1, 0)] + whole[max(block, 1) :],
        "you take out the last block": whole[:-1],
    }
    for slip, wrong in slips.items():
        is_slip = list(without) == wrong != right
        checks.require(not is_slip, f"{without} is what you get if {slip}.")
    checks.require(list(without) == right, f"{without} is not your net without block {block}.")
    right = order(block + 1, block)
    slips = {
        "you swap nothing": whole,
        "you swap with the block before": order(block, block - 1, start=block - 1),
        "you count the blocks from 1": order(block, block - 1, start=block - 1),
        "you run your block twice": order(block, block),
        "you run the next block twice": order(block + 1, block + 1),
    }
    for slip, wrong in slips.items():
        is_slip = list(swapped) == wrong != right
        checks.require(not is_slip, f"{swapped} is what you get if {slip}.")
    checks.require(
        list(swapped) == right, f"{swapped} does not swap blocks {block} and {block + 1} alone."
    )
    left = any(row[0] != row[1] for row in plain)
    checks.require(left, "Your plain nets lose nothing without a block: did you leave it out?")

    def compared(rows, one, other):
        return checks.paired_seeds([row[one] for row in rows], [row[other] for row in rows])

    right, of_plain = compared(residual, 2, 1), compared(plain, 2, 1)
    slips = {
        "you subtract the other way round": -right.mean,
        "you take the plain nets": of_plain.mean,
        "you subtract the whole net's accuracy": compared(residual, 2, 0).mean,
        "you report what the swap costs": compared(residual, 0, 2).mean,
    }
    checks.require_number(difference, right.mean, slips | right.mean_slips, tolerance=1e-3)
    slips = right.error_slips | {"you take the plain nets": of_plain.error}
    checks.require_number(error, right.error, slips, tolerance=1e-3)
    net = trained_net(number, True, 0)
    for claim, row, name in zip(
        residual[0], (whole, without, swapped), ("as it is", "without your block", "with the swap"),
        strict=True,
    ):  # fmt: skip
        what = f"With seed 0 your residual net {name} reaches"
        checks.require_again(what, claim, accuracy(net, row), tolerance=0.15)


checks.award(2, check_answer, predicted, without, swapped, residual, plain, difference, error)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# error? What could be the reason, and what do the plain nets say about it? What order of the blocks
# would you measure next to test that reason, and what result do you expect? 2 points, graded
# by a person.

# %% [markdown] written="out_or_swap" points=2
# **A model answer.** I predicted that the swap costs more, because two blocks read what they have
# never seen, but with blocks 1 and 2 swapped my residual nets are 24 points more accurate than
# without block 1, and that is over four standard errors (with less than two, the experiment would
# decide nothing). One reason could be that after a swap both blocks still add nearly what they
# added before, while without block 1 its share is missing; the plain nets, in which a block
# replaces what it reads, fall close to chance in both cases, so the shortcuts keep the cost of a
# swap down. If it is the missing share that counts, then running block 2 twice and block 1 not at
# all should cost as much as leaving block 1 out; if it is the number of blocks, that order
# should cost less. I would measure that for each block and with more seeds.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement *with* the standard error, and calls a
#   difference within two of them undecided. Half a point without the error. A wrong prediction
#   costs nothing.
# - 1 point: the answer gives a reason that uses the plain net as a control (a residual block adds,
#   a plain one replaces; inputs that have hardly changed; late blocks that do little), *and* an
#   order of the blocks that could refute it. Half a point for one of the two.
