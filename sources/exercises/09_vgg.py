# %% [markdown]
# # Exercise 09: a block from a line, a net from a table, one kernel from two
#
# **You practise** turning a configuration into layers, counting what you have built, and working
# out which single kernel equals a stack of small ones.
#
# **Minutes:** 50 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 09
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the block | 5 | the checks |
# | Task 2: all blocks of a row | 3 | the checks |
# | Task 3: two kernels in one | 2 | the checks |
# | In your own words | 2 | a person |
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
#
# **Working on your own?** Once the checks find nothing wrong, compare your answers with the
# notebook of the same name in `solutions/`.

# %% readonly="setup"
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, quiz

# %% [markdown]
# Your student id, as your teacher writes it. It picks the numbers in your quiz, so that no two
# people get the same ones. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown]
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.

# %% [markdown]
# ### Question 1

# %% quiz="block_parameters"
block_parameters = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/09_vgg", "block_parameters", student_id)
c_in, c_out, num = (numbers[name] for name in ("c_in", "c_out", "num"))
# The first layer reads c_in channels, the others c_out; each filter has a bias.
block_parameters = c_out * (9 * c_in + 1) + (num - 1) * c_out * (9 * c_out + 1)
### END SOLUTION

# %% [markdown]
# ### Question 2

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
# ### Question 3

# %% quiz="stack_weights"
stack_weights = None  # weights
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/09_vgg", "stack_weights", student_id)
k, c = numbers["k"], numbers["c"]
num_layers = (k - 1) // 2  # each 3 x 3 layer adds two pixels to the first one
stack_weights = num_layers * 9 * c * c
### END SOLUTION

# %% [markdown]
# ## Task 1: the block
#
# Complete the class. `layers` lists the kernel sizes of the block in one line: `"3 3 1"` means a 3
# × 3 convolution, another one, and a 1 × 1 convolution. Kernel sizes are odd. Every convolution has
# `out_channels` filters with biases, keeps height and width, and is followed by a ReLU. A 2 × 2 max
# pooling with stride 2 ends the block. The style is up to you.


# %% task="block"
class VGGBlock(nn.Module):
    """Convolutions that keep the size, each followed by ReLU; then pooling that halves it."""

    def __init__(self, in_channels: int, out_channels: int, layers: str) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.convolutions = nn.ModuleList()
        for layer in layers.split():
            k = int(layer)
            self.convolutions.append(nn.Conv2d(in_channels, out_channels, k, padding=k // 2))
            in_channels = out_channels
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        for convolution in self.convolutions:
            x = F.relu(convolution(x))  # (N, out_channels, H, W)
        return F.max_pool2d(x, 2)  # (N, out_channels, H/2, W/2)
        ### END SOLUTION


# %% check="block_shapes_check" points=2
import torch

from course_utils import checks


def check_shape(VGGBlock, in_channels, out_channels, layers, size, slips):
    block = VGGBlock(in_channels, out_channels, layers)
    output = block(torch.zeros(2, in_channels, *size))
    if output is None:
        raise checks.NotAnswered
    checks.require(isinstance(output, torch.Tensor), "the block must return one tensor")
    checks.require_own_layers(block)
    expected = (2, out_channels, size[0] // 2, size[1] // 2)
    found = tuple(output.shape)
    start = f'"{layers}" turns {(2, in_channels, *size)} into'
    for slip, height in slips.items():
        checks.require(found[2] != height, f"{start} {found}: {slip}")
    checks.require(found == expected, f"{start} {found}, expected {expected}")


def check_small(VGGBlock):
    slips = {
        "you leave out the pooling at the end": 12,
        "you do not pad the convolutions, which must keep the size": 4,
        "your pooling windows are 3x3, and should be 2x2": 5,
        "you pool after each convolution, not only at the end": 3,
    }
    check_shape(VGGBlock, 3, 8, "3 3", (12, 10), slips)
    slips = {
        "you pad every kernel by 1, but a kernel of k pixels needs k // 2": 5,
        "your pooling rounds up": 7,
    }
    check_shape(VGGBlock, 3, 8, "5", (13, 10), slips)


shapes_are_right = checks.show(check_small, VGGBlock)


### BEGIN HIDDEN TESTS
def check_answer(VGGBlock):
    check_small(VGGBlock)
    padded = {"you pad every kernel by 1, but a kernel of k pixels needs k // 2": 6}
    check_shape(VGGBlock, 2, 5, "5", (15, 20), padded)
    padded = {"you pad every kernel by 1, but a kernel of k pixels needs k // 2": 9}
    check_shape(VGGBlock, 6, 4, "3 1", (16, 9), padded)
    check_shape(VGGBlock, 4, 4, "3 3 3 3", (8, 8), {})


checks.award(2, check_answer, VGGBlock)
### END HIDDEN TESTS

# %% check="block_numbers_check" points=3
import torch

from course_utils import checks


def check_parameters(VGGBlock):
    block = VGGBlock(3, 8, "3 3 3")
    if block(torch.zeros(1, 3, 4, 4)) is None:
        raise checks.NotAnswered
    count = sum(parameter.numel() for parameter in checks.parameters_of(block).values())
    slips = {
        "your convolutions have no biases": 1368,
        "two of your layers share their weights": 808,
        "you add batch normalisation": 1440,
        "you leave out a layer, or one has no weights": 224,
        "you keep the layers in a plain list, which hides them: use nn.ModuleList": 0,
    }
    checks.require_number(count, 1392, slips)
    checks.require_own_layers(block)


parameters_are_right = checks.show(check_parameters, VGGBlock)


### BEGIN HIDDEN TESTS
def check_answer(VGGBlock):
    import torch
    import torch.nn.functional as F

    check_parameters(VGGBlock)

    def identity(x):
        return x

    def ours(x, kernels, bias, inner=F.relu, last=F.relu, pool=F.max_pool2d):
        """Compute a block by its definition, with the learner's own weights."""
        for kernel in kernels:
            activation = last if kernel is kernels[-1] else inner
            x = activation(F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2))
        return pool(x, 2)

    for seed, (in_channels, out_channels, layers) in enumerate([(3, 6, "3 5 1"), (4, 4, "1 7 3")]):
        block = VGGBlock(in_channels, out_channels, layers)
        x = checks.random_tensor(2, in_channels, 9, 8, seed=seed)
        block(x)
        parameters = checks.parameters_of(block)
        sizes = [int(layer) for layer in layers.split()]
        found = {value.shape[-1] for value in parameters.values() if value.dim() > 1}
        sentence = f'"{layers}" gives layers with kernels of {sorted(found)} pixels'
        checks.require(sorted(found) == sorted(sizes), sentence)
        bias = torch.full((out_channels,), 0.1)
        for name, value in parameters.items():  # of both signs after each layer
            numbers = checks.random_tensor(*value.shape, seed=seed)
            # All biases are alike: nothing tells one layer's from another's.
            parameters[name] = numbers if value.dim() > 1 else torch.full_like(value, 0.1)
        checks.set_parameters(block, parameters)
        weights = {value.shape[-1]: value for value in parameters.values() if value.dim() > 1}
        kernels = [weights[size] for size in sizes]
        right = ours(x, kernels, bias)
        slips = {
            "you leave out the ReLUs": ours(x, kernels, bias, identity, identity),
            "you put a ReLU after the last convolution only, not after each": ours(
                x, kernels, bias, inner=identity
            ),
            "you put no ReLU after the last convolution": ours(x, kernels, bias, last=identity),
            "you pool the average, not the largest": ours(x, kernels, bias, pool=F.avg_pool2d),
        }
        if in_channels == out_channels:
            slips["you put the layers in the opposite order"] = ours(x, kernels[::-1], bias)
        checks.require_tensor(block(x), right, slips, tolerance=1e-4)


checks.award(3, check_answer, VGGBlock)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: all blocks of a row
#
# Complete the function. It builds the convolutional layers of a VGG from a row of blocks such as
# `((64, "3"), (128, "3 3"))`: one block with 64 filters per layer, then one with 128. Use your
# block.


# %% task="features"
def make_features(blocks: tuple[tuple[int, str], ...], in_channels: int) -> nn.Module:
    """Build a module that sends maps (N, in_channels, H, W) through the blocks in turn."""
    ### BEGIN SOLUTION
    features = nn.Sequential()
    for out_channels, layers in blocks:
        features.append(VGGBlock(in_channels, out_channels, layers))
        in_channels = out_channels  # what the next block reads
    return features
    ### END SOLUTION


# %% check="features_check" points=3
import torch

from course_utils import checks


@checks.beside
def _on_meta(function, *arguments):
    """Call something on the meta device, with shapes but no numbers: a net costs nothing."""
    with torch.device("meta"):
        return function(*arguments)


def check_row(make_features, blocks, in_channels, size, num_parameters, slips):
    features = _on_meta(make_features, blocks, in_channels)
    if features is None:
        raise checks.NotAnswered
    checks.require(checks.is_module(features), "return a module, not a list of blocks")
    stages, (height, width) = [], size
    for number, (channels, _) in enumerate(blocks, start=1):
        height, width = height // 2, width // 2
        ask = "does this block read the previous block's output, and halve the size once?"
        stages.append(checks.Stage(f"block {number}", (2, channels, height, width), ask))
    images = torch.empty(2, in_channels, *size, device="meta")
    try:
        found, expected = tuple(_on_meta(features, images).shape), stages[-1].shape
    except RuntimeError:
        sentence = "a block does not fit: does it read as many channels as the one before puts out?"
        raise checks.CheckFailed(sentence) from None
    checks.require_stages(features, images, stages)
    checks.require(found == expected, f"your output is {found} at the end, expected {expected}")
    checks.require_own_layers(features)
    count = sum(parameter.numel() for parameter in checks.parameters_of(features).values())
    checks.require_number(count, num_parameters, slips)


def check_small(make_features):
    slips = {
        "your convolutions have no biases": 360,
        "you leave out the last layer of a block": 334,
        "you give the 1x1 layer 3x3 kernels": 664,
    }
    check_row(make_features, ((4, "3"), (6, "3 1")), 3, (13, 20), 376, slips)


features_are_right = checks.show(check_small, make_features)


### BEGIN HIDDEN TESTS
def check_answer(make_features):
    import torch

    from course_utils.models.vgg import CONFIGURATIONS, VGG

    check_small(make_features)
    rows = [CONFIGURATIONS[letter] for letter in "ACE"] + [((8, "5 3"),), ((4, "3"),) * 3]
    for blocks in rows:
        with torch.device("meta"):
            ours = VGG(blocks, 5).blocks
        count = sum(parameter.numel() for parameter in ours.parameters())
        check_row(make_features, blocks, 5, (64, 40), count, {})


checks.award(3, check_answer, make_features)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: two kernels in one
#
# Without a ReLU between them, two convolutions are one. Complete the function for one channel: it
# returns the kernel that does in one step what `first` and then `second` do in two (as PyTorch's
# convolutions, without padding). It is $k + m - 1$ pixels wide.


# %% task="merged"
def merged_kernel(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Merge two kernels (k, k) and (m, m) into one, (k + m - 1, k + m - 1)."""
    ### BEGIN SOLUTION
    k, m = len(first), len(second)
    merged = torch.zeros(k + m - 1, k + m - 1)
    for i in range(m):
        for j in range(m):
            merged[i : i + k, j : j + k] += second[i, j] * first  # the same kernel, shifted by i, j
    return merged
    ### END SOLUTION


# %% check="merged_check" points=2
import torch

from course_utils import checks


def check_small(merged_kernel):
    first = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 10.0]])
    expected = torch.tensor([[1.0, 2.0, 0.0], [3.0, 14.0, 20.0], [0.0, 30.0, 40.0]])
    flipped = torch.tensor([[10.0, 20.0, 0.0], [30.0, 41.0, 2.0], [0.0, 3.0, 4.0]])
    slips = {
        "you rotate second by 180 degrees: its weight at (i, j) shifts first by (i, j)": flipped,
        "you rotate first by 180 degrees: its weights keep their order": flipped.flip(0, 1),
        "you rotate the result by 180 degrees": expected.flip(0, 1),
        "you swap rows and columns": expected.T,
        "you multiply the kernels number by number": torch.tensor([[1.0, 0.0], [0.0, 40.0]]),
        "you multiply the kernels as matrices": torch.tensor([[1.0, 20.0], [3.0, 40.0]]),
        "you keep only full overlaps: the result is larger than both": torch.tensor([[41.0]]),
    }
    hint = "each side is k + m - 1"
    checks.require_tensor(merged_kernel(first, second), expected, slips, hint=hint)


merged_is_right = checks.show(check_small, merged_kernel)


### BEGIN HIDDEN TESTS
def check_answer(merged_kernel):
    import torch
    import torch.nn.functional as F

    check_small(merged_kernel)
    for seed, (k, m) in enumerate([(3, 3), (3, 5), (5, 2)]):
        first, second = checks.random_tensor(k, k, seed=seed), checks.random_tensor(m, m, seed=9)
        before = first.clone(), second.clone()
        size = k + m - 1
        impulses = torch.eye(size * size).view(-1, 1, size, size)  # one pixel lit in each image
        answers = F.conv2d(F.conv2d(impulses, first[None, None]), second[None, None])
        right = answers.view(size, size)
        checks.require_tensor(merged_kernel(first, second), right, tolerance=1e-4)
        same = torch.equal(first, before[0]) and torch.equal(second, before[1])
        checks.require(same, "your function changes the kernels that it is given")


checks.award(2, check_answer, merged_kernel)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Your function builds the paper's rows (on the meta device, so that it needs no memory). And merged
# into one kernel, a stack of 3 × 3 means looks less and less like a box the more layers it has.

# %%
if features_are_right and merged_is_right:
    ROWS = {
        "VGG-11": ((64, "3"), (128, "3"), (256, "3 3"), (512, "3 3"), (512, "3 3")),
        "VGG-16": ((64, "3 3"), (128, "3 3"), (256, "3 3 3"), (512, "3 3 3"), (512, "3 3 3")),
    }
    for name, row in ROWS.items():
        with torch.device("meta"):
            features = make_features(row, 3)
            maps = features(torch.empty(1, 3, 224, 224))
        count = sum(parameter.numel() for parameter in checks.parameters_of(features).values())
        print(f"{name}: {count:12,} parameters in the convolutions, output {tuple(maps.shape)}")
    kernel = mean = torch.full((3, 3), 1 / 9)
    for num_layers in (2, 3):
        kernel = merged_kernel(kernel, mean)
        row = kernel.sum(dim=0)
        print(num_layers, "layers, weights by column:", [round(v, 3) for v in row.tolist()])
else:
    print("The paper's rows appear here once all three tasks are done.")

# %% [markdown]
# ## In your own words
#
# "Three layers of 3 × 3 are the same as one layer of 7 × 7, only cheaper." **(a)** What is the
# same, and what is not? **(b)** When is the stack *not* cheaper? Four to six sentences, 2 points,
# read by a person.

# %% [markdown] written="stack" points=2
# **A model answer.** The receptive field is the same: one output of either sees 7 × 7 pixels. The
# functions differ. With a ReLU between its layers the stack is not linear, while a single layer is;
# without the ReLUs it is a 7 × 7 convolution, but not every one can be written so, since it has 27
# weights for each pair of channels where the large kernel has 49. The stack has $27 C^2$ weights
# against $49 C^2$ if each layer has $C$ channels in and out. Where few channels become many, as at
# the start of a net, the stack is the larger one: only its first layer reads the few, and the
# others read the many.
#
# **Marking scheme.**
#
# - (a) 1 point: the receptive field is the same, *and* the function is not (the non-linearities, or
#   fewer free parameters). Half a point for one of the two.
# - (b) 1 point: when the number of channels grows a lot in the first layer, with the reason that
#   the later layers read all of them. Half a point without the reason. "It needs more memory or
#   time in training, since more maps are kept" earns half a point as well.
