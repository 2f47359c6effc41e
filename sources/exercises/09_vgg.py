# %% [markdown]
# # Exercise 09: small filters, deep nets
#
# **You practise** making a net deeper without changing what it computes, designing a net for a
# given receptive field within two budgets, finding three faults in a training loop from their
# symptoms, and measuring how much of its receptive field a stack uses.
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

from course_utils import checks, data, models, quiz
from course_utils.inspection import summary
from course_utils.models.vgg import VGG
from course_utils.plots import plot_lines, show


def your_brief(student_id):
    """Return your requirements: field, width, and the limits on parameters and multiply-adds."""
    counts = torch.randint(2, 5, (3,), generator=quiz.generator(student_id)).tolist()
    row = tuple((8 * 2**i, " ".join(["3"] * count)) for i, count in enumerate(counts))
    found = summary(VGG(row, 3, pooled_size=1).blocks, (3, 32, 32))
    return found.rows[-1].receptive_field, 8, found.parameters, int(1.5 * found.multiply_adds)


def own_nets(student_id):
    """Return a stack of 3 x 3 layers, a single layer with the same field, and the field's side."""
    drawn = quiz.generator(student_id)
    num_layers = int(torch.randint(6, 13, (), generator=drawn))
    side = 2 * num_layers + 1
    stack = nn.Sequential()
    for c_in in [1] + [16] * (num_layers - 1):
        stack.extend([nn.Conv2d(c_in, 16, 3, bias=False), nn.ReLU()])
    single = nn.Sequential(nn.Conv2d(1, 16, side, bias=False), nn.ReLU())
    for weight in (*stack.parameters(), *single.parameters()):  # He's initialisation
        weight.data = torch.randn(weight.shape, generator=drawn) * (2 / weight[0].numel()) ** 0.5
    return stack, single, side


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your requirements
# and your nets, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="features_shape"
features_shape = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/09_vgg", "features_shape", student_id)
c, pools, h, w = (numbers[name] for name in ("c", "pools", "h", "w"))
for _ in range(pools):
    h, w = h // 2, w // 2  # each pooling rounds down, not only the last one
features_shape = (c * 2 ** (pools - 1), h, w)
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="signal_seen"
signal_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/09_vgg", "signal_seen", student_id)
factor = question.values["factor"]
# He's weights keep the signal; here each layer multiplies its input by the factor.
seen = f"It is multiplied by about {factor} from each"
signal_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="cause_told"
cause_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/09_vgg", "cause_told", student_id)
# Before the first step the learning rate has had no effect, but a dying signal shows.
told = "Before the first step"
cause_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: a layer that changes nothing
#
# The authors of VGG trained a shallow net first, and started deeper ones with some of its layers.
# A careful way to make a trained net deeper is to insert layers that at first change nothing.
# Complete the function: it returns the weights of a `k` × `k` convolution that reads `channels`
# maps and returns as many (`k` is odd, the padding is `k // 2`, and there is no bias). If its input
# is the output of a ReLU, this convolution, followed by a ReLU, must return that input unchanged.
#
# hint: The maps contain no negative numbers, so the ReLU does nothing to them. What must the
# convolution alone do?
#
# hint: Each filter computes one map. Which of the input maps must it read, and which must it
# ignore?
#
# hint: A filter has `channels` kernels, each `k` × `k`. All its weights but one are 0: in which
# kernel is that one, and where in the kernel?


# %% task="harmless"
def harmless_weights(channels: int, k: int) -> torch.Tensor:
    """Return weights (channels, channels, k, k) of a convolution that changes nothing."""
    ### BEGIN SOLUTION
    weights = torch.zeros(channels, channels, k, k)
    for i in range(channels):
        weights[i, i, k // 2, k // 2] = 1.0  # filter i reads only map i, at the same place
    return weights
    ### END SOLUTION


# %% check="harmless_check" points=1
import torch
import torch.nn.functional as F

from course_utils import checks


def _require_harmless(harmless_weights, k, maps, slips):
    channels = maps.shape[1]
    weights = harmless_weights(channels, k)
    if weights is None:
        raise checks.NotAnswered
    checks.require(isinstance(weights, torch.Tensor), "Return one tensor of weights.")
    found, expected = tuple(weights.shape), (channels, channels, k, k)
    checks.require(found == expected, f"Your weights have the shape {found}, expected {expected}.")
    output = F.conv2d(maps, weights.detach().float(), padding=k // 2).relu()
    checks.require_tensor(output, maps, slips)


def check_small(harmless_weights):
    maps = torch.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    slips = {
        "you put the 1 into a corner of the kernel": F.pad(maps, (1, -1, 1, -1)),
        "you fill the kernel with ones": 9 * F.avg_pool2d(maps, 3, stride=1, padding=1),
        "you leave all weights at 0": 0 * maps,
    }
    _require_harmless(harmless_weights, 3, maps, slips)


harmless_is_right = checks.show(check_small, harmless_weights)


### BEGIN HIDDEN TESTS
def check_answer(harmless_weights):
    check_small(harmless_weights)
    for seed, (channels, k) in enumerate([(3, 3), (2, 5), (6, 1), (4, 7)]):
        maps = checks.random_tensor(2, channels, 6, 5, seed=seed).relu()
        total = maps.sum(dim=1, keepdim=True).expand_as(maps)
        slips = {
            "you make every filter read every map": total,
            "you average over the maps": total / channels,
            "you reverse the order of the maps": maps.flip(1),
            "you make every filter read the first map": maps[:, :1].expand_as(maps),
        }
        _require_harmless(harmless_weights, k, maps, slips)


checks.award(1, check_answer, harmless_weights)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=11
# ## Task 2: a field within two budgets
#
# Somebody wants a net of three VGG blocks for colour images of 32 × 32 pixels. Each block has at
# least one 3 × 3 layer (stride 1, padding 1, with biases) and ends in a 2 × 2 pool. Each layer of
# the first block has `width` filters, each of the second twice as many, each of the third four
# times as many. Find how many layers each block needs so that
#
# - one output of the third block (after its pool) has a receptive field of exactly `field` pixels
#   along each axis (it is wider than the image here: it reaches into the padding);
# - the net has at most `max_parameters` parameters;
# - one image takes at most `max_multiply_adds` multiply-adds (one for each weight and position).
#
# The requirements below are your own; the function must meet others, too. All of them can be met,
# and any answer that meets all three conditions is right.
#
# hint: What does one more 3 × 3 layer add to the field in the first block, in the second and in the
# third? And what does each pool add? Lesson 04 has the rule.
#
# hint: A layer in the third block has 16 times the weights of one in the first, but is applied at a
# sixteenth of the positions. So which block makes the field large with few parameters, and which
# with little work?
#
# hint: There are few candidates: write a function that computes field, parameters and multiply-adds
# from the three numbers of layers, and try all values from 1 to `field // 2` for each.

# %%
field, width, max_parameters, max_multiply_adds = your_brief(student_id)
print(f"a field of {field} pixels, with {width} filters per layer in the first block")
print(f"at most {max_parameters:,} parameters and {max_multiply_adds:,} multiply-adds")


# %% task="design"
def layers_per_block(
    field: int, width: int, max_parameters: int, max_multiply_adds: int
) -> tuple[int, int, int]:
    """Return the numbers of layers of the three blocks, the first block first."""
    ### BEGIN SOLUTION
    # The field is 1 pixel, 1 + 2 + 4 more from the pools, and 2, 4 or 8 more for each layer.
    for third in range(1, field // 8 + 1):
        for second in range(1, field // 4 + 1):
            first = (field - 8 - 4 * second - 8 * third) // 2  # what remains for the first block
            parameters = multiply_adds = 0
            c_in, side, counts = 3, 32, (first, second, third)
            for block, count in enumerate(counts):
                c_out = width * 2**block
                weights = 9 * c_out * (c_in + (count - 1) * c_out)  # only the first reads c_in
                parameters += weights + count * c_out
                multiply_adds += weights * side * side
                c_in, side = c_out, side // 2
            fits = parameters <= max_parameters and multiply_adds <= max_multiply_adds
            if fits and first >= 1 and field % 2 == 0:
                return counts
    ### END SOLUTION


# %% check="design_check" points=3
from course_utils import checks
from course_utils.arithmetic import Layer, conv_multiply_adds, conv_parameters, receptive_field


def _measured(counts, width):
    """Return field, parameters and multiply-adds of three blocks."""
    layers, parameters, work, c_in, side = [], 0, 0, 3, 32
    for block, count in enumerate(counts):
        layers += [Layer(3, p=1)] * count + [Layer(2, s=2)]
        for _ in range(count):
            parameters += conv_parameters(c_in, width * 2**block, 3)
            work += conv_multiply_adds(c_in, width * 2**block, 3, side)
            c_in = width * 2**block
        side //= 2
    return receptive_field(layers).size, parameters, work


def _require_design(layers_per_block, brief):
    field, width, max_parameters, max_multiply_adds = brief
    counts = checks.as_shape(layers_per_block(*brief), 3)
    start = f"For a field of {field}, {counts} layers per block"
    fine = min(counts) >= 1 and max(counts) < field
    checks.require(fine, f"{start} are not possible: each block needs 1 to {field - 1}.")
    found, parameters, work = _measured(counts, width)
    checks.require(found == field, f"{start} have a field of {found} pixels.")
    sentence = f"{start} have {parameters:,} parameters: at most {max_parameters:,} are allowed."
    checks.require(parameters <= max_parameters, sentence)
    sentence = f"{start} take {work:,} multiply-adds: at most {max_multiply_adds:,} are allowed."
    checks.require(work <= max_multiply_adds, sentence)


def check_small(layers_per_block):
    _require_design(layers_per_block, your_brief(student_id))


design_is_right = checks.show(check_small, layers_per_block)


### BEGIN HIDDEN TESTS
def check_answer(layers_per_block):
    check_small(layers_per_block)
    for counts, width in [((2, 2, 2), 8), ((1, 5, 2), 16), ((7, 1, 1), 8), ((3, 2, 4), 12)]:
        field, parameters, work = _measured(counts, width)
        _require_design(layers_per_block, (field, width, parameters, work))


checks.award(3, check_answer, layers_per_block)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: a training loop with three faults
#
# Somebody trains a small VGG with batch normalisation on 320 images of clothes, always the same
# ones. Such a net can fit them all. The symptoms: "The training loss levels off far above 0. If I
# train longer, it rises instead of falling further. And the accuracy depends on the order in which
# I measure the images." Run the next two cells, and look at the symptoms before you read the code.

# %% readonly="broken"


def broken_step(net, optimizer, images, labels):
    """Take one training step; return the loss before it."""
    probabilities = net(images).softmax(dim=1)
    loss = F.cross_entropy(probabilities, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def broken_accuracy(net, images, labels):
    """Return the share of the images that are classified correctly."""
    return (net(images).argmax(dim=1) == labels).float().mean().item()


def symptoms(train_step, accuracy):
    """Train on 320 images; return the losses, and the accuracies in mixed order and by class."""
    torch.manual_seed(0)
    net = models.build("vgg_small", in_channels=1, width=4, dropout=0.0, norm="batch")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    train = data.load("fashion_mnist_mini", batch_size=64).train
    images, labels = train.images[:320] / 255, train.labels[:320]
    losses = []
    for step in range(90):
        batch = slice(step % 5 * 64, step % 5 * 64 + 64)
        losses.append(train_step(net, optimizer, images[batch], labels[batch]))
    accuracies = []
    for order in (torch.arange(320), labels.argsort()):
        batches = zip(images[order].split(32), labels[order].split(32), strict=True)
        accuracies.append(sum(accuracy(net, *batch) for batch in batches) / 10)
    return losses, accuracies


# %% tags=["nbval-ignore-output"]
losses, (mixed, by_class) = symptoms(broken_step, broken_accuracy)
print(f"accuracy in batches of 32: {mixed:.0%} in mixed order, {by_class:.0%} sorted by class")
show(
    plot_lines({"as it is": losses}, range(len(losses)), "step", "training loss"),
    "A training loss that falls from 2.3, levels off between 1.5 and 2, and rises again",
)

# %% [markdown]
# Write both functions without the three faults. Either may be given a net in training or in
# evaluation mode. `accuracy` measures the net as it will be used: the prediction for one image must
# not depend on the others.
#
# hint: The loss that levels off: what is the smallest cross-entropy of ten logits between 0 and 1?
# What does `F.cross_entropy` itself do to the logits?
#
# hint: The loss that rises again: print the norm of the gradients at each step. What does
# `backward` do with the gradients of the step before?
#
# hint: The accuracy that depends on the order: which layers compute statistics over the batch, and
# what switches that off? And what switches it on again, before the next step?


# %% task="repair"
def train_step(net, optimizer, images, labels) -> float:
    """Take one training step; return the loss before it."""
    ### BEGIN SOLUTION
    net.train()  # accuracy may have been measured in between
    loss = F.cross_entropy(net(images), labels)  # it takes logits, and includes the softmax
    optimizer.zero_grad()  # backward adds to the old gradients
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


def accuracy(net, images, labels) -> float:
    """Return the share of the images that are classified correctly."""
    ### BEGIN SOLUTION
    net.eval()  # the running statistics, not those of the batch
    with torch.no_grad():
        return (net(images).argmax(dim=1) == labels).float().mean().item()
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks


@checks.beside
class _Net(nn.Sequential):
    """A small net with batch normalisation."""

    def __init__(self, state, training):
        layers = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)]
        super().__init__(*layers)
        self.load_state_dict(state)
        self.train(training)


@checks.beside
def _stepped(train_step, state, training, batches):
    """Return the losses of some steps, and the net's state afterwards."""
    net = _Net(state, training)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    losses = [train_step(net, optimizer, *batch) for batch in batches]
    return losses, {name: value.float() for name, value in net.state_dict().items()}


@checks.beside
def _accuracy_of(accuracy, state, training, images, labels):
    return accuracy(_Net(state, training), images, labels)


def _drawn(seed, num_batches):
    """Return a state of the net, and batches."""
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Identity(), nn.Identity())
    net.append(nn.Linear(27, 4))
    state = {
        name: checks.random_tensor(*value.shape, seed=seed + i).abs() + 0.1
        if "running" in name
        else checks.random_tensor(*value.shape, seed=seed + i)
        for i, (name, value) in enumerate(net.state_dict().items())
        if value.dim()
    } | {"1.num_batches_tracked": torch.tensor(0)}
    images = checks.random_tensor(num_batches, 8, 1, 5, 5, seed=seed + 20)
    return state, [(x, torch.randint(4, (8,), generator=checks.generator(seed))) for x in images]


def check_small(train_step, accuracy):
    state, batches = _drawn(0, 1)
    [loss], _ = _stepped(train_step, state, True, batches)
    share = _accuracy_of(accuracy, state, False, *batches[0])
    if loss is None or share is None:
        raise checks.NotAnswered
    for value in (loss, share):
        sentence = (
            f"Return a Python float, not a {type(value).__name__}: `.item()` converts a tensor."
        )
        checks.require(isinstance(value, float), sentence)
    checks.require(loss > 0, f"A cross-entropy of {loss:.3g} is not possible here.")
    checks.require(0 <= share <= 1, f"An accuracy of {share:.3g} is not between 0 and 1.")


repair_is_right = checks.show(check_small, train_step, accuracy)


### BEGIN HIDDEN TESTS
def check_answer(train_step, accuracy):
    import torch
    import torch.nn.functional as F

    check_small(train_step, accuracy)

    def ours(state, batches, softmax=False, add_up=False, mode=True, again=False):
        """Return the losses of correct or faulty steps, and the net's state after them."""
        net, losses = _Net(state, mode), []
        optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
        for images, labels in batches:
            logits = net(images)
            loss = F.cross_entropy(logits.softmax(dim=1) if softmax else logits, labels)
            if not add_up:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append((F.cross_entropy(net(images), labels) if again else loss).item())
        return losses, {name: value.float() for name, value in net.state_dict().items()}

    def alike(one, other):
        return all(torch.allclose(one[name], other[name], atol=1e-4) for name in other)

    slips = {
        "you put a softmax before the cross-entropy, which takes logits": {"softmax": True},
        "you keep the gradients of earlier steps": {"add_up": True},
        "you keep both the softmax and the old gradients": {"softmax": True, "add_up": True},
        "you measure the loss in a second pass, which updates the running statistics again": {
            "again": True
        },
    }
    for seed, training in ((30, True), (60, False)):
        state, batches = _drawn(seed, 3)
        losses, after = _stepped(train_step, state, training, batches)
        for slip, change in slips.items():
            wrong = ours(state, batches, **change)[1]
            checks.require(
                not alike(after, wrong), f"After your steps the net is what you get if {slip}."
            )
        asleep = alike(after, ours(state, batches, mode=False)[1])
        checks.require(
            not asleep, "You train the net in evaluation mode: switch to training mode first."
        )
        right, expected = ours(state, batches)
        sentence = "After three of your steps the net differs from one after three steps of SGD."
        checks.require(alike(after, expected), sentence)
        checks.require_tensor(torch.tensor(losses), torch.tensor(right), tolerance=1e-4)
    for seed, training in ((30, False), (30, True), (60, True)):
        state, batches = _drawn(seed, 12)
        shares = [_accuracy_of(accuracy, state, training, *batch) for batch in batches]
        expected = [
            float((_Net(state, False)(x).argmax(1) == y).float().mean()) for x, y in batches
        ]
        sentence = "You measure accuracy in training mode: it then depends on the whole batch."
        found = torch.tensor(shares)
        batchwise = [
            float((_Net(state, True)(x).argmax(1) == y).float().mean()) for x, y in batches
        ]
        checks.require(not found.equal(torch.tensor(batchwise)), sentence)
        checks.require_tensor(found, torch.tensor(expected))


checks.award(4, check_answer, train_step, accuracy)
### END HIDDEN TESTS

# %% [markdown]
# Here is the same training with your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    mended, (mixed, by_class) = symptoms(train_step, accuracy)
    print(f"accuracy in batches of 32: {mixed:.0%} in mixed order, {by_class:.0%} sorted by class")
    lines = {"as it was": losses, "repaired": mended}
    show(
        plot_lines(lines, range(len(losses)), "step", "training loss"),
        "Two curves of training loss: as it was, it stays above 1.5; repaired, it falls towards 0",
    )
else:
    print("The curve of the repaired training appears here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=16
# ## Task 4: how much of its field does a stack use?
#
# A stack of 3 × 3 layers *sees* as far as one large layer. Does it use all the pixels in its field
# equally? You have two nets with fresh weights: a stack, and a single layer with the same field. On
# images as large as the field, each net puts out 16 channels of one value each.

# %% readonly="nets"
stack, single, side = own_nets(student_id)

# %%
print(
    f"a stack of {len(stack) // 2} layers sees {side} x {side} pixels, "
    f"as one {side} x {side} layer does"
)

# %% [markdown]
# Measure this as follows: apply a net to 100 images of noise, add up all outputs, and take the
# gradient with respect to the images. Square the gradient and average it over the images: you get
# one number for each pixel of the field, which says how strongly this pixel affects the outputs.
# What is the side, in pixels, of the smallest centred square that holds **90 % of the total**?
#
# **Predict first.** Write down the side of that square for your stack before you run anything. A
# wrong prediction costs nothing; without a prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # an odd number of pixels
### BEGIN SOLUTION
# Each layer moves a path by -1, 0 or 1: a random walk, whose width grows with the square root of
# the depth.
deviation = (2 / 3 * len(stack) / 2) ** 0.5
predicted = 2 * round(1.96 * deviation) + 1  # 95 % along each axis, so 90 % in the square
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Measure this side, an odd number, for both nets. Then change something
# that you think matters (the number of layers, the weights), and look at what happens to the side.
#
# hint: `images = torch.randn(100, 1, side, side, requires_grad=True)`; after
# `net(images).sum().backward()` the gradient is in `images.grad`.
#
# hint: With `m = side // 2`, the centred square that reaches r pixels from the middle is
# `[m - r : m + r + 1]` along both axes.
#
# hint: Go through r = 0, 1, 2, … and stop at the first square that holds at least 0.9 of the sum
# over all pixels. Its side is 2r + 1.

# %% task="experiment"
measured_stack = None  # an odd number of pixels, for your stack
measured_single = None  # the same for your single layer
### BEGIN SOLUTION
measured = []
for net in (stack, single, stack[:4], stack[:8]):  # also the first two and four layers
    field = 1 + sum(weight.shape[2] - 1 for weight in net.parameters())
    noise = torch.randn(100, 1, field, field, generator=torch.Generator().manual_seed(0))
    images, m = noise.requires_grad_(), field // 2
    net(images).sum().backward()
    strength = images.grad.square().mean(dim=(0, 1))  # squared: signs must not cancel
    held = [strength[m - r : m + r + 1, m - r : m + r + 1].sum() for r in range(m + 1)]
    too_small = sum(bool(share < 0.9 * strength.sum()) for share in held)
    measured.append(2 * too_small + 1)  # the first square that is large enough
    print(f"layers: {len(net) // 2}; they see {field} pixels and use {measured[-1]}")
measured_stack, measured_single, *_ = measured
### END SOLUTION

# %% check="experiment_check" points=2
import torch

from course_utils import checks


def _as_side(number):
    side = own_nets(student_id)[2]
    odd = 1 <= checks.as_integer(number) <= side and number % 2 == 1
    checks.require(odd, f"A centred square has an odd side from 1 to {side}, not {number}.")


def check_small(predicted, measured_stack, measured_single):
    if measured_stack is None and measured_single is None:
        raise checks.NotAnswered
    checks.require(predicted is not None, "Write your prediction down before the experiment.")
    for number in (predicted, measured_stack, measured_single):
        _as_side(number)


_BESIDE = f"you predicted {predicted} and measured {measured_stack}: explain this below"
experiment_is_right = checks.show(
    check_small, predicted, measured_stack, measured_single, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, measured_stack, measured_single):
    import torch

    check_small(predicted, measured_stack, measured_single)
    *nets, side = own_nets(student_id)

    def shares(net, power):
        """Return the share of the gradient in each centred square, averaged over noise."""
        images = torch.randn(200, 1, side, side, generator=checks.generator(1)).requires_grad_()
        strength = torch.autograd.grad(net(images).sum(), images)[0].abs().pow(power).mean((0, 1))
        m = side // 2
        squares = [strength[m - r : m + r + 1, m - r : m + r + 1].sum() for r in range(m + 1)]
        return [float(each / strength.sum()) for each in squares]

    def smallest(held, share):
        return 2 * next(r for r, each in enumerate(held) if each >= share) + 1

    for name, net, found in zip(
        ("stack", "single layer"), nets, (measured_stack, measured_single), strict=True
    ):
        held, plain = shares(net, 2), shares(net, 1)
        # With other noise, a share differs by up to two points.
        fine = {smallest(held, share) for share in (0.88, 0.9, 0.92)}
        slips = {
            "you do not square the gradient": smallest(plain, 0.9),
            "you return the distance from the middle, not the side": smallest(held, 0.9) // 2,
            "you take every pixel whose gradient is not 0, which is the whole field": side,
            "you take half of the total, not 90%": smallest(held, 0.5),
        }
        for slip, wrong in slips.items():
            sentence = f"For your {name}, {found} is what you get if {slip}."
            checks.require(found != wrong or found in fine, sentence)
        sentence = f"For your {name}, the smallest side is {smallest(held, 0.9)}, not {found}."
        checks.require(found in fine, sentence)


checks.award(2, check_answer, predicted, measured_stack, measured_single)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show? Why do the stack
# and the single layer differ, although both see the same pixels? Somebody concludes that trained
# VGGs ignore the border of their field: which experiment, with which comparison, would show whether
# that is true? 2 points, graded by a person.

# %% [markdown] written="used_field" points=2
# **A model answer.** I predicted that the stack of 11 layers uses only 11 × 11 of its 23 × 23
# pixels, and 11 × 11 did hold 90 %, while the single layer needs all 23 × 23. In the stack only one
# sequence of positions leads from a pixel in the corner to the output, but very many lead there
# from the middle: the paths are like random walks, so the region in use grows with the square root
# of the depth, while the field grows with the depth itself; the single layer has one weight for
# each pixel and no reason to prefer any pixel. My nets have fresh weights, and training may change
# that: I would measure the same square before and after training, with several seeds, and call a
# trained net blind at the border only if the square stays small, and only for the task that it was
# trained for.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement, and explains the difference between the
#   nets by the number of paths (or a random walk, or repeated averaging). Half a point if the
#   numbers are there without a reason. A wrong prediction costs nothing.
# - 1 point: the answer says that nothing was trained here, *and* names an experiment that compares
#   trained weights with the fresh ones (or covers the border and measures accuracy against a
#   control). Half a point for one of the two.
