# %% [markdown]
# # Exercise 14: side by side
#
# **You practise** reading a dense layer's weights, fitting a DenseNet to a depth, a width and a
# budget, repairing a faulty forward pass that raises no error, and testing whether a net *needs* a
# layer that it relies on.
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
from course_utils.models.densenet import DenseBlock, DenseNet


def your_brief(student_id):
    """Return your numbers of stem maps, layers and last maps, and a budget of weights."""
    drawn = quiz.generator(student_id)
    spans = ((12, 33), (6, 13), (2, 7), (2, 7), (2, 7))
    stem, growth, *counts = (int(torch.randint(*span, (), generator=drawn)) for span in spans)
    with torch.device("meta"):
        net = DenseNet(nn.Identity(), stem, tuple(counts), 10, growth, bottleneck=False)
    weights = sum(each.numel() for each in net.blocks.parameters() if each.dim() == 4)
    return stem, sum(counts), net.classifier.in_features, weights + weights // 20


def own_growth(student_id):
    """Return the growth rate of your net."""
    return int(torch.randint(4, 11, (), generator=quiz.generator(student_id)))


def small_net(growth, dropout=0.0):
    """Return a DenseNet of two blocks with four layers each, for images of 14 x 14."""
    stem = nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False)
    return DenseNet(stem, 8, (4, 4), 10, growth, bottleneck=False, dropout=dropout)


def silence(net, number, zeros=False):
    """Make one of the layers 1 to 8 pass on only the mean of each of its maps, or only zeros."""
    layers = [layer for part in net.blocks if isinstance(part, DenseBlock) for layer in part.layers]

    def constant(layer, reads, maps):
        means = maps.mean(dim=(0, 2, 3), keepdim=True).expand_as(maps)
        return torch.zeros_like(maps) if zeros else means

    return layers[number - 1].register_forward_hook(constant)


def clothes():
    """Return 2,500 images of clothes, shrunk to 14 x 14, from -1 to 1, and their labels."""
    train = data.load("fashion_mnist_mini", batch_size=50).train
    return F.avg_pool2d(train.images[:2500] / 127.5 - 1, 2), train.labels[:2500]


def trained_net(growth, seed=0, silent=None, dropout=0.0):
    """Train a small net on 1,500 images; layer `silent`, if given, passes on zeros."""
    torch.manual_seed(seed)
    net, (images, labels) = small_net(growth, dropout), clothes()
    if silent:
        silence(net, silent, zeros=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=90)
    for _ in range(3):
        for batch in torch.randperm(1500).split(50):
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def accuracy(net, silent=None):
    """Return the accuracy on 1,000 other images, with layer `silent` silenced, if given."""
    images, labels = clothes()
    hook = silence(net, silent) if silent else None
    with torch.no_grad():
        found = net(images[1500:]).argmax(dim=1) == labels[1500:]
    if hook:
        hook.remove()
    return found.float().mean().item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your budget and
# your net, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="copied_maps"
copied_maps = None  # maps
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/14_densenet", "copied_maps", student_id)
k0, k, layers = (numbers[name] for name in ("k0", "k", "layers"))
copied_maps = layers * k0 + k * layers * (layers - 1) // 2  # it grows quadratically
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="addition_seen"
addition_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/14_densenet", "addition_seen", student_id)
# Only equal numbers of maps can be added, and the sum has too few for the second layer.
equal = question.values["k0"] == question.values["k"]
seen = "An error in layer 2" if equal else "An error at the first addition"
addition_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="twice_told"
twice_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/14_densenet", "twice_told", student_id)
# In training, gradients and outputs use the batch's mean: only the running mean can tell.
told = "Compare the running means"
twice_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: what a layer reads
#
# A layer of a dense block reads, in this order, the `in_maps` maps that enter the block and the
# `growth_rate` maps of each layer before it. The weights of its first convolution are `weight`, of
# shape (maps it makes, maps it reads, height of the kernel, width of the kernel). How strongly does
# it read each of its **sources**? Measure this by the mean of |w| over all weights that are applied
# to the maps of one source. Complete the function so that it returns one number for each source:
# first for the block's input, then for each earlier layer, starting with the first.
#
# hint: Which axis of `weight` runs over the input maps? Over which axes can you take the mean at
# once?
#
# hint: If you take absolute values first, the mean over the other three axes is one number for each
# input map. The first `in_maps` of these belong to the block's input.
#
# hint: `split` cuts a tensor into pieces; it takes a list of their sizes. How many earlier layers
# are there, if all maps but the first `in_maps` come in groups of `growth_rate`?


# %% task="sources"
def source_strengths(weight: torch.Tensor, in_maps: int, growth_rate: int) -> torch.Tensor:
    """Return (1 + number of earlier layers,): the mean |w| for each source."""
    ### BEGIN SOLUTION
    each_map = weight.abs().mean(dim=(0, 2, 3))  # without the signs, which would cancel
    num_earlier = (len(each_map) - in_maps) // growth_rate
    sources = each_map.split([in_maps] + num_earlier * [growth_rate])
    return torch.stack([maps.mean() for maps in sources])  # averaged again
    ### END SOLUTION


# %% check="sources_check" points=1
import torch

from course_utils import checks


def check_small(source_strengths):
    weight = checks.random_tensor(3, 16, 1, 1, seed=0)
    found = source_strengths(weight, 4, 4)
    if found is None:
        raise checks.NotAnswered
    sentence = f"Return a tensor, not {type(found).__name__}."
    checks.require(isinstance(found, torch.Tensor), sentence)
    shape = tuple(found.shape)
    sentence = f"For 16 maps, 4 from each source, your result has the shape {shape}, expected (4,)."
    checks.require(shape == (4,), sentence)
    sentence = "A mean of |w| is at least 0: take the absolute value first."
    checks.require(bool((found >= 0).all()), sentence)
    slips = {
        "you add up the weights instead of averaging them": weight.abs().sum() / 4,
        "you average over the filters, but add up over the input maps": weight.abs().mean() * 4,
        "you take the absolute value after the mean": weight.mean(dim=(0, 2, 3))
        .view(4, 4)
        .mean(dim=1)
        .abs()
        .mean(),
    }
    checks.require_tensor(found.mean(), weight.abs().mean(), slips, tolerance=1e-4)


sources_are_right = checks.show(check_small, source_strengths)


### BEGIN HIDDEN TESTS
def check_answer(source_strengths):
    import torch

    check_small(source_strengths)
    rows = [(5, 10, 3, 4, 3), (6, 3, 5, 3, 1), (2, 7, 0, 2, 3), (4, 2, 4, 6, 1)]
    for seed, (out, in_maps, earlier, growth, k) in enumerate(rows):
        sizes = [in_maps] + earlier * [growth]
        scales = torch.cat([torch.full((n,), 1.0 + i) for i, n in enumerate(sizes)])
        drawn = checks.random_tensor(out, sum(sizes), k, k, seed=seed + 1)
        weight = drawn * scales[:, None, None]

        def of(each_map, sizes=sizes):
            return torch.stack([part.mean() for part in each_map.split(sizes)])

        size = weight.abs()
        expected = of(size.mean(dim=(0, 2, 3)))
        count = torch.tensor(sizes)
        slips = {
            "you put the newest source first": expected.flip(0),
            "you take the absolute value after the mean": of(weight.mean(dim=(0, 2, 3))).abs(),
            "you add up over the maps of a source": expected * count,
            "you add up over the positions of the kernel": expected * k * k,
            "you divide by the largest strength": expected / expected.max(),
            "you square the weights": of(weight.square().mean(dim=(0, 2, 3))),
            "you return the overall mean for every source": size.mean().expand(len(sizes)),
        }
        found = source_strengths(weight, in_maps, growth)
        hint = f"one number for the block's input, and one for each of the {earlier} earlier layers"
        checks.require_tensor(found, expected, slips, hint=hint, tolerance=1e-4)


checks.award(1, check_answer, source_strengths)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=13
# ## Task 2: a depth, a width and a budget
#
# Plan a DenseNet without bottlenecks: `stem_maps` maps enter the first of three blocks, and a
# transition after each of the first two blocks halves the number of maps, rounding down. Every
# layer of the net has the same growth rate. Find the growth rate and the number of layers of each
# block (at least one) such that
#
# - the three blocks have exactly `num_layers` layers in total;
# - the classifier reads exactly `last_maps` maps, all those at the end of the third block;
# - the convolutions of the blocks (3 × 3) and of the transitions (1 × 1) have at most `max_weights`
#   weights in total. There are no biases; stem, batch normalisation and classifier do not count;
# - no other net that satisfies these conditions has more weights.
#
# The next cell prints your own four numbers; your function must work for others, too. For each
# set of four numbers that the checks use, at least one such net exists. If two nets have the same
# number of weights, either is right.
#
# hint: Follow the maps by hand. By how many maps does one more layer in the third block raise the
# number at the end? And one more in the second block, whose maps pass through a transition? And in
# the first?
#
# hint: A layer that reads c maps has 9 · c · k weights, and a transition that reads c maps has
# c · ⌊c / 2⌋. Write a function that follows the maps through the net and adds these up.
#
# hint: There are few candidates: growth rates up to `last_maps`, and for each the ways to split
# `num_layers` into three. Try them all, skip those that end with a different number of maps, and
# keep the one with the most weights within the budget.

# %%
stem_maps, num_layers, last_maps, max_weights = your_brief(student_id)
print(f"{stem_maps} maps come from the stem, and the classifier reads {last_maps}")
print(f"{num_layers} layers in three blocks, and at most {max_weights:,} weights")


# %% task="plan"
def plan(
    stem_maps: int, num_layers: int, last_maps: int, max_weights: int
) -> tuple[int, int, int, int]:
    """Return the growth rate, and the number of layers of the first, second and third block."""
    ### BEGIN SOLUTION
    fitting = {}
    for growth in range(1, last_maps + 1):
        for first in range(1, num_layers - 1):
            for second in range(1, num_layers - first):
                counts = (first, second, num_layers - first - second)
                maps, weights = stem_maps, 0
                for block, count in enumerate(counts):
                    if block > 0:  # there are transitions only between blocks
                        weights += maps * (maps // 2)
                        maps //= 2
                    for _ in range(count):
                        weights += 9 * maps * growth  # a layer reads all maps before it
                        maps += growth
                if maps == last_maps and weights <= max_weights:
                    fitting[weights] = (growth, *counts)
    return fitting[max(fitting)] if fitting else None  # the most weights within the budget
    ### END SOLUTION


# %% check="plan_check" points=3
from course_utils import checks
from course_utils.arithmetic import conv_parameters


def _measured(stem_maps, growth, counts):
    """Return the maps at the end, and the weights of all convolutions."""
    maps, weights = stem_maps, 0
    for number, count in enumerate(counts):
        if number > 0:
            weights += conv_parameters(maps, maps // 2, 1, bias=False)
            maps //= 2
        for _ in range(count):
            weights += conv_parameters(maps, growth, 3, bias=False)
            maps += growth
    return maps, weights


def _most_weights(stem_maps, num_layers, last_maps, max_weights):
    """Return the largest number of weights that a brief's budget allows."""
    splits = [(a, b) for a in range(1, num_layers - 1) for b in range(1, num_layers - a)]
    nets = [
        _measured(stem_maps, growth, (a, b, num_layers - a - b))
        for growth in range(1, last_maps + 1)
        for a, b in splits
    ]
    return max(weights for maps, weights in nets if maps == last_maps and weights <= max_weights)


def _require_plan(plan, brief):
    stem_maps, num_layers, last_maps, max_weights = brief
    growth, *counts = checks.as_shape(plan(*brief), 4)
    start = f"A growth rate of {growth} with {tuple(counts)} layers"
    fine = growth >= 1 and min(counts) >= 1 and max(growth, *counts) <= last_maps + num_layers
    most = last_maps + num_layers
    checks.require(fine, f"{start} cannot be right: each number must be from 1 to {most}.")
    found = sum(counts)
    checks.require(found == num_layers, f"{start} has {found} layers, expected {num_layers}.")
    maps, weights = _measured(stem_maps, growth, counts)
    checks.require(maps == last_maps, f"{start} ends with {maps} maps, expected {last_maps}.")
    sentence = f"{start} has {weights:,} weights: at most {max_weights:,} are allowed."
    checks.require(weights <= max_weights, sentence)
    most = _most_weights(*brief)
    sentence = f"{start} has {weights:,} weights: another such net within the budget has more."
    checks.require(weights == most, sentence)


def check_small(plan):
    _require_plan(plan, your_brief(student_id))


plan_is_right = checks.show(check_small, plan)


### BEGIN HIDDEN TESTS
def check_answer(plan):
    check_small(plan)
    nets = [
        (24, 12, (5, 4, 3)),
        (17, 5, (1, 1, 2)),
        (9, 7, (3, 1, 1)),
        (40, 3, (1, 6, 8)),
        (16, 21, (2, 3, 4)),
        (13, 1, (6, 1, 3)),
    ]
    for number, (stem_maps, growth, counts) in enumerate(nets):
        maps, weights = _measured(stem_maps, growth, counts)
        spare = 10 * (number % 2)  # a net may use the whole budget
        _require_plan(plan, (stem_maps, sum(counts), maps, weights + spare))


checks.award(3, check_answer, plan)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: three faults and no error
#
# Somebody took a DenseNet from this course and rewrote its forward pass to save memory. It raises
# no error, no shape is wrong, and the weights of a trained net load without complaint. But they
# report: "With these weights the net is no better than guessing. When I send the same images
# through it twice, the logits differ. And in a fresh net the gradients of the first layers are much
# too small." Run the next two cells, and look at these symptoms before you read the code.

# %% readonly="broken"


def broken_block(layers, x):
    """Return the maps that enter a block and those of all its layers, side by side."""
    for layer in layers:
        x = torch.cat([layer([x]), x.detach()], dim=1)
    return x


def broken_transition(norm, thin, x):
    """Normalise, apply ReLU, mix into half as many maps, drop a fifth of the values, and pool."""
    mixed = F.dropout(thin(norm(x).relu()), 0.2)
    return F.avg_pool2d(mixed, 2)


def logits_of(net, images, block, transition):
    """Send images through a DenseNet from the course, with these functions for its parts."""
    x = net.stem(images)
    for part in net.blocks:
        is_block = isinstance(part, DenseBlock)
        x = block(part.layers, x) if is_block else transition(part[0], part[2], x)
    return net.classifier(net.norm(x).relu().mean(dim=(2, 3)))


def symptoms(block, transition):
    """Return the accuracy of the trained net, and by how much two predictions differ."""
    images, labels = clothes()
    with torch.no_grad():
        once, twice = (logits_of(trained, images[1500:], block, transition) for _ in range(2))
    share = (once.argmax(dim=1) == labels[1500:]).float().mean().item()
    return share, (once - twice).abs().max().item()


def first_gradients(forward):
    """Return the norms of the gradients of the first block's layers in a fresh net, as text."""
    torch.manual_seed(0)
    fresh, (images, labels) = small_net(6, dropout=0.2), clothes()
    F.cross_entropy(forward(fresh, images[:100]), labels[:100]).backward()
    norms = [layer.narrow[0].weight.grad.norm().item() for layer in fresh.blocks[0].layers]
    return ", ".join(f"{norm:.3f}" for norm in norms)


# %% tags=["nbval-ignore-output"]
trained = trained_net(6, dropout=0.2)
share, gap = symptoms(broken_block, broken_transition)
print(
    f"accuracy: {accuracy(trained):.0%} with the course's forward pass, "
    f"{share:.0%} with the new one"
)
print(f"two predictions of the same images with the new one differ by up to {gap:.2f}")
print("gradients of the first block's four layers in a fresh net:")
print("with the course's forward pass:", first_gradients(lambda net, images: net(images)))
broken = broken_block, broken_transition
print("with the new one:", first_gradients(lambda net, images: logits_of(net, images, *broken)))

# %% [markdown]
# Now write both functions without the three faults. `block` takes the layers of a block and the
# maps that enter it. Each layer takes a list of tensors of maps, and returns new maps; `block`
# returns one tensor with the maps that enter, then those of the first layer, and so on.
# `transition` takes the batch normalisation, the 1 × 1 convolution and the maps. Both functions
# respect the mode of the modules, training or evaluation, and change neither that mode nor the maps
# that they are given.
#
# hint: The weights load but the net only guesses: each filter has learned weights for particular
# input maps. In what order do the course's layers expect their maps?
#
# hint: Two predictions differ: which step draws random numbers, and how does `nn.Dropout` know when
# not to? `norm.training` says which mode the module is in.
#
# hint: The gradients are too small: along how many paths does the gradient come back to the maps of
# the first layer of a dense block? Which of these paths does `detach` cut?


# %% task="repair"
def block(layers, x):
    """Return the maps that enter a block and those of all its layers, side by side."""
    ### BEGIN SOLUTION
    for layer in layers:
        x = torch.cat([x, layer([x])], dim=1)  # the oldest first, and nothing detached
    return x
    ### END SOLUTION


def transition(norm, thin, x):
    """Normalise, apply ReLU, mix into half as many maps, drop a fifth of the values, and pool."""
    ### BEGIN SOLUTION
    mixed = F.dropout(thin(norm(x).relu()), 0.2, training=norm.training)  # else it always drops
    return F.avg_pool2d(mixed, 2)
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks
from course_utils.models.densenet import DenseBlock


@checks.beside
class _Parts(nn.Module):
    """A block of three layers and a transition, with parameters that the check has drawn."""

    def __init__(self, state, training):
        super().__init__()
        self.block = DenseBlock(6, 3, 4, bottleneck=False)
        self.norm, self.thin = nn.BatchNorm2d(7), nn.Conv2d(7, 3, 1, bias=False)
        self.load_state_dict(state, strict=False)
        self.train(training)


@checks.beside
def _blocked(block, state, training, x, weights):
    """Return a block's maps, whether its input is unchanged, and its gradients by name."""
    parts, stem = _Parts(state, training), nn.Parameter(torch.ones(1))
    reads = stem * x
    before = reads.detach().clone()
    maps = block(parts.block.layers, reads)
    is_right = getattr(maps, "shape", None) == weights.shape
    if is_right and maps.requires_grad:
        (maps * weights).sum().backward()
    named = {"the block's input": stem} | {
        f"layer {i + 1}": layer.narrow[0].weight for i, layer in enumerate(parts.block.layers)
    }
    gradients = {name: value.grad for name, value in named.items()}
    return maps, torch.equal(reads.detach(), before), gradients


@checks.beside
def _thinned(transition, state, training, x, repeats):
    """Return a transition's output each time, and whether all else is unchanged."""
    parts, given = _Parts(state, training), x.clone()
    found = [transition(parts.norm, parts.thin, given) for _ in range(repeats)]
    modes = {parts.training, parts.norm.training, parts.thin.training}
    return found, modes == {training}, torch.equal(given, x)


def _drawn(seed):
    """Return random parameters and statistics for the parts."""
    shapes = {name: value.shape for name, value in _Parts({}, True).state_dict().items()}
    state = {
        name: 0.4 * checks.random_tensor(*shape, seed=seed + i)
        for i, (name, shape) in enumerate(shapes.items())
        if shape
    }
    return {name: x.abs() + 0.5 if "running_var" in name else x for name, x in state.items()}


def check_small(block, transition):
    state, x = _drawn(0), checks.random_tensor(2, 6, 4, 4, seed=40)
    weights = torch.ones(2, 18, 4, 4)
    maps, _, _ = _blocked(block, state, False, x, weights)
    [thinned], _, _ = _thinned(transition, state, False, torch.ones(2, 7, 5, 4), 1)
    if maps is None or thinned is None:
        raise checks.NotAnswered
    for value, expected, name in (
        (maps, (2, 18, 4, 4), "block"),
        (thinned, (2, 3, 2, 2), "transition"),
    ):
        found = tuple(getattr(value, "shape", ()))
        sentence = f"The result of your {name} has the shape {found}, expected {expected}."
        checks.require(found == expected, sentence)
    checks.require(bool(maps.isfinite().all()), "Your block returns infinite or NaN values.")


repair_is_right = checks.show(check_small, block, transition)


### BEGIN HIDDEN TESTS
def check_answer(block, transition):
    import torch
    import torch.nn.functional as F

    check_small(block, transition)

    def ours(layers, x, kind=""):
        """Compute a block by its definition, or with a slip."""
        maps = [x]
        for layer in layers:
            reads = maps[::-1] if kind == "newest first" else maps
            reads = [each.detach() for each in reads] if kind == "read detached" else reads
            new = layer(reads)
            maps = [each.detach() for each in maps] if kind == "kept detached" else maps
            maps = [*maps, new]
        if kind == "input last":
            maps = [*maps[1:], x]
        return torch.cat(maps[::-1] if kind in ("newest first", "reversed") else maps, dim=1)

    slips = {
        "newest first": "you put the newest maps first: the weights expect the oldest first",
        "reversed": "you put the newest maps first in the result",
        "input last": "you put the block's input after the maps of the layers",
    }
    for seed, training in ((100, False), (200, True)):
        state = _drawn(seed)
        x = checks.random_tensor(4, 6, 5, 4, seed=seed + 50)
        weights = checks.random_tensor(4, 18, 5, 4, seed=seed + 60)
        maps, unchanged, gradients = _blocked(block, state, training, x, weights)
        checks.require(unchanged, "Your block changes the maps that it is given.")
        wrong = {
            slip: ours(_Parts(state, training).block.layers, x, kind)
            for kind, slip in slips.items()
        }
        other = ours(_Parts(state, not training).block.layers, x)
        wrong["you switch the layers to the other mode"] = other
        expected = ours(_Parts(state, training).block.layers, x)
        checks.require_tensor(maps, expected, wrong, tolerance=1e-4)
        parts, stem = _Parts(state, training), torch.ones(1, requires_grad=True)
        total = (ours(parts.block.layers, stem * x) * weights).sum()
        read = [stem, *(layer.narrow[0].weight for layer in parts.block.layers)]
        right = torch.autograd.grad(total, read)
        for name, gradient in zip(gradients, right, strict=True):
            found = gradients[name]
            sentence = f"No gradient reaches {name}."
            checks.require(found is not None, sentence)
            sentence = f"Not all of the gradient reaches {name}: is something detached?"
            checks.require(torch.allclose(found, gradient, rtol=1e-3, atol=1e-3), sentence)
        x = checks.random_tensor(6, 7, 9, 8, seed=seed + 70) + 0.3
        found, keeps, unchanged = _thinned(transition, state, training, x, 100 if training else 2)
        checks.require(unchanged, "Your transition changes the maps that it is given.")
        checks.require(keeps, "Your transition changes the mode of a module.")
        parts = _Parts(state, training)
        mixed = parts.thin(parts.norm(x).relu()).detach()
        expected = F.avg_pool2d(mixed, 2)
        alike = torch.equal(found[0], found[1])
        if not training:
            sentence = "In evaluation mode, two passes through your transition differ."
            checks.require(alike, sentence)
            wrong = {
                "you scale the maps in evaluation, too: dropout scales them in training": 0.8
                * expected,
                "you leave out the ReLU": F.avg_pool2d(parts.thin(parts.norm(x)).detach(), 2),
                "you use max pooling": F.max_pool2d(mixed, 2),
                "you normalise with the statistics of the batch": F.avg_pool2d(
                    _Parts(state, True).thin(_Parts(state, True).norm(x).relu()).detach(), 2
                ),
            }
            checks.require_tensor(found[0], expected, wrong, tolerance=1e-4)
            continue
        sentence = "In training mode, two passes through your transition agree: nothing is dropped."
        checks.require(not alike, sentence)
        passes = torch.stack(found).detach()
        away = (passes.mean(dim=0) - expected).norm() / expected.norm()
        sentence = "In training mode, the mean of many passes is not the output without dropout."
        checks.require(float(away) < 0.1, sentence)
        # A value that is kept with probability 0.8 and then divided by 0.8 has 1/4 of its square
        # as variance; the mean over a window has a sixteenth of the four variances' sum.
        spread = passes.var(dim=0).mean() / (F.avg_pool2d(mixed.square(), 2) / 16).mean()
        times = f"{float(spread):.1f}"
        sentence = (
            f"The variance of your passes is {times} times what it should be: drop a fifth of the "
            "values, each independently of the others, and pool after that."
        )
        checks.require(0.75 < float(spread) < 1.33, sentence)
        checks.require(found[0].requires_grad, "No gradient flows through your transition.")


checks.award(4, check_answer, block, transition)
### END HIDDEN TESTS

# %% [markdown]
# The next cell runs the trained net with your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    share, gap = symptoms(block, transition)
    print(f"accuracy: {share:.0%}; two predictions differ by up to {gap:.2f}")
    mended = block, transition
    print("gradients:", first_gradients(lambda net, images: logits_of(net, images, *mended)))
else:
    print("The results of the repaired net appear here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=18
# ## Task 4: needed, or only relied on?
#
# The lesson silenced the layers of a trained net one at a time: it replaced each map of the layer
# by its mean. Without one of the early layers, most of the accuracy was gone. Does a DenseNet
# *need* that layer? Or does this particular net rely on it because that layer was there during
# training? Your net has two blocks of four layers, numbered from 1 to 8, and a growth rate of your
# own.

# %% readonly="growth"
growth = own_growth(student_id)

# %%
print(f"your net: two blocks of four layers, growth rate {growth}")

# %% [markdown]
# **Predict first.** You will find the layer that costs your trained net the most accuracy when it
# is silenced. Then you will train fresh nets in which that layer passes on zeros from the first
# step to the last, so that no other layer can learn anything from it. What share of the loss in
# accuracy will remain? Write down a number from 0 (such a net is as accurate as a whole one) to 1
# (it loses just as much) before you run anything. A wrong prediction costs nothing; without a
# prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # a share from 0 to 1
### BEGIN SOLUTION
predicted = 0.25  # the other layers see the same images, and can make up for most of it
### END SOLUTION

# %% [markdown]
# **Now the experiment.** `trained_net(growth, seed)` trains your net in a few seconds, and
# `accuracy(net)` measures it on images that it has not seen.
#
# 1. Train your net with seed 0. Silence each layer in turn, with `accuracy(net, silent=number)`,
#    and store the eight accuracies in `each`. Let `worst` be the number of the layer that costs the
#    most accuracy.
# 2. With the seeds 1, 2 and 3 (new ones, because you chose the layer with seed 0), measure three
#    accuracies: of the net as it is (`whole`), of the same net with layer `worst` silenced
#    (`silenced`), and of a net that was trained without that layer (`without`), which
#    `trained_net(growth, seed, silent=worst)` returns.
# 3. Report two means over the three seeds: `reliance`, of *whole − silenced*, and `need`, of
#    *whole − without*. Report the standard error of `need` as `error`: the standard deviation of
#    its three differences (dividing by n − 1), divided by √3.
#
# hint: `each = [accuracy(net, silent=number) for number in range(1, 9)]`. Which accuracy is the
# smallest, and which layer number does it belong to?
#
# hint: In a net that `trained_net(growth, seed, silent=worst)` returns, the layer still passes on
# zeros: measure it with `accuracy(net)`, like a whole net.
#
# hint: Subtract seed by seed: the same seed draws the same initial weights.
# `torch.tensor(gaps).std()` divides by n − 1.

# %% task="experiment" tags=["nbval-ignore-output"]
each = None  # a list of eight accuracies, for seed 0
worst = None  # the number of a layer, from 1 to 8
whole = None  # a list of three accuracies, for seeds 1, 2 and 3
silenced = None  # likewise
without = None  # likewise
reliance = None  # the mean of whole - silenced
need = None  # the mean of whole - without
error = None  # the standard error of need
### BEGIN SOLUTION
net = trained_net(growth, seed=0)
each = [accuracy(net, silent=number) for number in range(1, 9)]
worst = each.index(min(each)) + 1  # accuracy is lowest without this layer
whole, silenced, without = [], [], []
for seed in (1, 2, 3):  # fresh nets: for seed 0, the layer was chosen to cost most
    net = trained_net(growth, seed)
    whole.append(accuracy(net))
    silenced.append(accuracy(net, silent=worst))
    without.append(accuracy(trained_net(growth, seed, silent=worst)))
reliance = (torch.tensor(whole) - torch.tensor(silenced)).mean().item()
gaps = torch.tensor(whole) - torch.tensor(without)  # pairs: the same seed in both
need, error = gaps.mean().item(), (gaps.std() / 3**0.5).item()
print("one layer silenced:", ", ".join(f"{share:.0%}" for share in each))
print(f"layer {worst} silenced: {100 * reliance:.1f} points lost")
print(f"trained without it: {100 * need:.1f} points lost, standard error {100 * error:.1f}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def _require_accuracies(values, number, name):
    fits = isinstance(values, list | tuple) and len(values) == number
    fits = fits and all(isinstance(share, float) and 0 < share < 1 for share in values)
    sentence = f"{name} must be {number} accuracies between 0 and 1, not {values!r}."
    checks.require(fits and len(set(values)) > 1, sentence)


def check_small(predicted, reported):
    if all(answer is None for answer in reported):
        raise checks.NotAnswered
    fits = type(predicted) in (int, float) and 0 <= predicted <= 1
    sentence = "Write your prediction down before the experiment: a share from 0 to 1."
    checks.require(fits, sentence)
    each, worst, whole, silenced, without, reliance, need, error = reported
    _require_accuracies(each, 8, "each")
    fits = 1 <= checks.as_integer(worst) <= 8
    checks.require(fits, f"The layers are numbered from 1 to 8, and worst is {worst}.")
    for values, name in ((whole, "whole"), (silenced, "silenced"), (without, "without")):
        _require_accuracies(values, 3, name)
    fits = min(whole) > 0.3
    checks.require(fits, f"A trained net reaches more than {min(whole):.0%}.")
    for value in (reliance, need, error):
        checks.require(isinstance(value, float), f"Answer with a Python float, not {value!r}.")


_SHOWN = "nothing yet"
if all(isinstance(value, float) for value in (reliance, need, error)):
    _SHOWN = f"a need of {need:.3f} ± {error:.3f}, a reliance of {reliance:.3f}"
_BESIDE = f"you predicted a share of {predicted} and measured {_SHOWN}: explain this below"
_REPORTED = each, worst, whole, silenced, without, reliance, need, error
experiment_is_right = checks.show(check_small, predicted, _REPORTED, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, reported):
    check_small(predicted, reported)
    each, worst, whole, silenced, without, reliance, need, error = reported
    lowest, highest = each.index(min(each)), each.index(max(each))
    slips = {
        "you count the layers from 0": lowest,
        "you take the layer that costs least": highest + 1,
    }
    checks.require_number(worst, lowest + 1, slips)
    relied, needed = (checks.paired_seeds(whole, less) for less in (silenced, without))
    for name, found, right, less, other in (
        ("reliance", reliance, relied, silenced, needed),
        ("need", need, needed, without, relied),
    ):
        slips = {
            f"you report the remaining accuracy, not the loss, as {name}": sum(less) / 3,
            f"you subtract the other way round for {name}": -right.mean,
            f"you report the other comparison's loss as {name}": other.mean,
            f"you compare silenced with without for {name}": needed.mean - relied.mean,
        }
        slips |= {f"{slip} for {name}": wrong for slip, wrong in right.mean_slips.items()}
        checks.require_number(found, right.mean, slips, tolerance=1e-3)
    slips = needed.error_slips | {"you take the differences whole - silenced": relied.error}
    checks.require_number(error, needed.error, slips, tolerance=1e-3)
    growth = own_growth(student_id)
    first, second = (trained_net(growth, number) for number in (0, 1))
    again = {
        "each": (each, [accuracy(first, silent=number) for number in range(1, 9)]),
        "whole": (whole, [accuracy(second)]),
        "silenced": (silenced, [accuracy(second, silent=worst)]),
        "without": (without, [accuracy(trained_net(growth, 1, silent=worst))]),
    }
    for name, (claims, measured) in again.items():
        what = f"One of the nets in your {name} reaches"
        for claim, found in zip(claims, measured, strict=False):
            checks.require_again(what, claim, found, tolerance=0.15)


checks.award(2, check_answer, predicted, _REPORTED)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# error? Why does silencing one layer of a trained net cost a different amount from training a net
# without that layer? Somebody silences the layers of a trained net and writes: "DenseNets need
# their early layers." What do you answer, and what further run would you make? 2 points, graded
# by a person.

# %% [markdown] written="needed_or_relied_on" points=2
# **A model answer.** I predicted that a quarter of the loss would remain, but silencing the layer
# cost my trained nets 45 points of accuracy, and nets trained without it are as accurate as whole
# ones: a loss of −0.1 points with a standard error of 1.1. The later layers were trained on the
# maps of that layer and can no longer adapt when these become constant; in a net that never had
# these maps, the other layers read the same images and can learn to do the work of that layer, so
# silencing shows what *this* net relies on, not what such a net needs. I would answer that the
# claim has to be tested on nets that are trained without their early layers, on harder images and
# with more seeds than mine. I would also leave out two or three layers at once, and continue to
# train a net for some steps after silencing a layer, to see how soon it makes up for the loss.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement *with* the standard error, and explains
#   why the two losses differ: the later layers were trained on these maps and can no longer adapt,
#   while in a net without them the other layers can learn to do that layer's work. Half a point for
#   only one of these. A wrong prediction costs nothing.
# - 1 point: the answer separates "this trained net relies on it" from "such a net needs it", *and*
#   names a run that tests the claim (training without the layer, training on after silencing, a net
#   of fewer layers, with several seeds). Half a point for only one of these.
