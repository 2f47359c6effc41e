# %% [markdown]
# # Exercise 14: side by side
#
# **You practise** writing a dense block and a transition, and counting the channels through a
# DenseNet.
#
# **Minutes:** 50 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 14
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the dense block | 5 | the checks |
# | Task 2: the transition | 3 | the checks |
# | Task 3: the channels of a whole net | 2 | the checks |
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

# %% quiz="block_weights"
block_weights = None  # weights
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/14_densenet", "block_weights", student_id)
k0, k, layers = (numbers[name] for name in ("k0", "k", "layers"))
block_weights = sum(9 * k * (k0 + i * k) for i in range(layers))  # i layers came before
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="bottleneck_pays"
bottleneck_pays = None  # the layer's number, counted from 1
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/14_densenet", "bottleneck_pays", student_id)
k0, k = numbers["k0"], numbers["k"]
bottleneck_pays = 1
while k0 + (bottleneck_pays - 1) * k <= 7.2 * k:  # 9ck = 4ck + 36k² at c = 7.2k
    bottleneck_pays += 1
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="copied_maps"
copied_maps = None  # maps
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/14_densenet", "copied_maps", student_id)
k0, k, layers = (numbers[name] for name in ("k0", "k", "layers"))
copied_maps = layers * k0 + k * layers * (layers - 1) // 2  # it grows with the square of layers
### END SOLUTION

# %% [markdown]
# ## Task 1: the dense block
#
# Complete the class. Each of its `num_layers` layers reads the block's input and the maps of all
# earlier layers, concatenated, the oldest first. It makes `growth_rate` new maps of the same size
# by batch normalisation, ReLU and a 3 × 3 convolution without a bias, in this order. There is no
# bottleneck. The output is everything concatenated: the input, then the maps of the first layer,
# and so on. Use what `torch.nn` has, and make sure that the block registers its layers.


# %% task="block"
class DenseBlock(nn.Module):
    """Layers that turn (N, C, H, W) into (N, C + num_layers * growth_rate, H, W)."""

    def __init__(self, in_channels: int, num_layers: int, growth_rate: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.ModuleList()
        for i in range(num_layers):
            channels = in_channels + i * growth_rate
            convolution = nn.Conv2d(channels, growth_rate, 3, padding=1, bias=False)
            self.layers.append(nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), convolution))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x
        ### END SOLUTION


# %% check="block_shapes_check" points=2
import torch

from course_utils import checks


def _run(module, x):
    output = module(x)
    if output is None:
        raise checks.NotAnswered
    checks.require(isinstance(output, torch.Tensor), "return one tensor: concatenate the maps")
    checks.require_own_layers(module)
    return output


def check_block_shape(DenseBlock, in_channels, num_layers, growth_rate, height, width):
    block = DenseBlock(in_channels, num_layers, growth_rate)
    found = tuple(_run(block, torch.zeros(2, in_channels, height, width)).shape)
    channels = in_channels + num_layers * growth_rate
    slips = {
        "you leave the block's input out of the output": num_layers * growth_rate,
        "you return only the last layer's maps": growth_rate,
        "you leave out the last layer's maps": channels - growth_rate,
    }
    for slip, wrong in slips.items():
        sentence = f"{wrong} channels are what you get if {slip}"
        checks.require(found != (2, wrong, height, width) or wrong == channels, sentence)
    right = (2, channels, height, width)
    sentence = f"your output is {found}, expected {right}: does each layer add growth_rate maps?"
    checks.require(found == right, sentence)


def check_small(DenseBlock):
    check_block_shape(DenseBlock, 6, 3, 4, 5, 7)


shapes_are_right = checks.show(check_small, DenseBlock)


### BEGIN HIDDEN TESTS
def check_answer(DenseBlock):
    check_small(DenseBlock)
    for row in [(24, 6, 12, 4, 4), (5, 1, 3, 6, 2), (3, 4, 7, 1, 5)]:
        check_block_shape(DenseBlock, *row)


checks.award(2, check_answer, DenseBlock)
### END HIDDEN TESTS

# %% check="block_numbers_check" points=3
from course_utils import checks


def check_parameters(DenseBlock):
    block = DenseBlock(6, 3, 4)
    _run(block, torch.zeros(2, 6, 4, 4))
    count = sum(parameter.numel() for parameter in checks.parameters_of(block).values())
    slips = {
        "you keep the layers in a plain list, which hides them: use nn.ModuleList": 0,
        "your convolutions have biases": 1152,
        "you leave out batch normalisation": 1080,
        "you put the normalisation after the convolution": 1104,
        "each of your layers reads only the layer before": 532,
        "each of your layers reads only the block's input": 684,
    }
    checks.require_number(count, 1140, slips)


parameters_are_right = checks.show(check_parameters, DenseBlock)


### BEGIN HIDDEN TESTS
def check_answer(DenseBlock):
    import torch
    import torch.nn.functional as F

    check_parameters(DenseBlock)

    def norm(maps, training):
        c = maps.shape[1]
        return F.batch_norm(maps, torch.zeros(c), torch.ones(c), training=training)

    def forward(weights, x, training, kind=""):
        """Compute the block by its definition, with the learner's own weights."""

        def before(maps):
            if kind == "relu first":
                return norm(maps.relu(), training)
            return norm(maps, training) if kind == "no relu" else norm(maps, training).relu()

        for weight in weights:
            new = F.conv2d(before(x), weight, padding=1)
            new = new.relu() if kind == "relu behind" else new
            x = torch.cat([new, x] if kind == "newest first" else [x, new], 1)
        return x

    slips_by_kind = {
        "no relu": "you leave out the ReLU",
        "relu first": "you put the ReLU before the normalisation",
        "relu behind": "you put another ReLU after the convolution",
        "newest first": "you put the newest maps first: append them to the older ones",
    }
    for seed, (c, num_layers, k) in enumerate([(6, 3, 4), (3, 4, 5)]):
        block = DenseBlock(c, num_layers, k)
        named, names = checks.parameters_of(block), []
        for i in range(num_layers):
            shape = (k, c + i * k, 3, 3)
            found = [name for name, value in named.items() if value.shape == shape]
            checks.require(len(found) == 1, f"there is no convolution with weights {shape}")
            names += found
        weights = [named[name] for name in names]
        for training in (False, True):  # first, while the running estimates are still 0 and 1
            checks.set_mode(block, training)
            x = checks.random_tensor(3, c, 6, 4, seed=seed)
            before = x.clone()
            answer = _run(block, x)
            checks.require(torch.equal(x, before), "your block changes the maps that it is given")
            slips = {
                slip: forward(weights, x, training, kind) for kind, slip in slips_by_kind.items()
            }
            right = forward(weights, x, training)
            checks.require_tensor(answer, right, slips, tolerance=1e-4)
        checks.require(answer.requires_grad, "no gradient flows through your block")
        gradients = checks.gradients_of(block, x)
        untouched = [name for name in names if gradients[name] is None]
        checks.require(not untouched, "no gradient reaches some of the convolutions")


checks.award(3, check_answer, DenseBlock)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: the transition
#
# Complete the class: batch normalisation, ReLU, a 1 × 1 convolution without a bias to half as many
# maps (rounded down), and the mean of each 2 × 2 window. Drop a last row or column without a
# partner.


# %% task="transition"
class Transition(nn.Module):
    """Layers that turn (N, C, H, W) into (N, C // 2, H // 2, W // 2)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.norm = nn.BatchNorm2d(in_channels)
        self.thin = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return F.avg_pool2d(self.thin(F.relu(self.norm(x))), 2)
        ### END SOLUTION


# %% check="transition_check" points=3
import torch

from course_utils import checks


def _run_transition(module, x):
    output = module(x)
    if output is None:
        raise checks.NotAnswered
    checks.require_own_layers(module)
    n, c, h, w = x.shape
    right, found = (n, c // 2, h // 2, w // 2), tuple(output.shape)
    slips = {
        "you do not halve height and width": (n, c // 2, h, w),
        "you do not halve the number of maps": (n, c, h // 2, w // 2),
        "you round the number of maps up": (n, (c + 1) // 2, h // 2, w // 2),
        "you pool a window that does not fit, too": (n, c // 2, (h + 1) // 2, (w + 1) // 2),
    }
    for slip, wrong in slips.items():
        sentence = f"your output is {found}: you get this if {slip}"
        checks.require(found != wrong or wrong == right, sentence)
    checks.require(found == right, f"your output is {found}, expected {right}")
    return output


def check_small(Transition):
    module = Transition(10)
    _run_transition(module, torch.zeros(2, 10, 6, 4))
    count = sum(parameter.numel() for parameter in checks.parameters_of(module).values())
    slips = {
        "your convolution has a bias": 75,
        "you put the normalisation after the convolution": 60,
        "you leave out batch normalisation": 50,
        "your filters are 2x2": 220,
        "your filters are 3x3": 470,
    }
    checks.require_number(count, 70, slips)


transition_is_right = checks.show(check_small, Transition)


### BEGIN HIDDEN TESTS
def check_answer(Transition):
    import torch
    import torch.nn.functional as F

    check_small(Transition)
    for seed, (c, height, width) in enumerate([(6, 4, 8), (7, 7, 5)]):
        module = Transition(c)
        checks.set_mode(module, training=False)  # while the running estimates are still 0 and 1
        _run_transition(module, torch.zeros(2, c, height, width))
        shapes = [(c // 2, c, 1, 1), (c // 2, c)]
        parameters = checks.parameters_of(module).values()
        weight = next((p for p in parameters if p.shape in shapes), None)
        checks.require(weight is not None, f"there is no convolution with weights {shapes[0]}")
        weight = weight.view(-1, c, 1, 1)
        for training in (False, True):
            checks.set_mode(module, training)
            x = 2 * checks.random_tensor(3, c, height, width, seed=seed) + 0.5

            def norm(maps, c=c, training=training):
                return F.batch_norm(maps, torch.zeros(c), torch.ones(c), training=training)

            def thin(maps, weight=weight):
                return F.conv2d(maps, weight)

            right = F.avg_pool2d(thin(norm(x).relu()), 2)
            crop = x[..., : height // 2 * 2, : width // 2 * 2]
            slips = {
                "you pool the largest number, not the mean": F.max_pool2d(thin(norm(x).relu()), 2),
                "you leave out the ReLU": F.avg_pool2d(thin(norm(x)), 2),
                "you put the ReLU before the normalisation": F.avg_pool2d(thin(norm(x.relu())), 2),
                "you put the ReLU after the convolution": F.avg_pool2d(thin(norm(x)).relu(), 2),
                "you skip pixels instead of averaging": thin(norm(x).relu())[
                    ..., : crop.shape[2] : 2, : crop.shape[3] : 2
                ],
                "you average the windows before the ReLU": thin(F.avg_pool2d(norm(x), 2).relu()),
            }
            answer = _run_transition(module, x)
            checks.require_tensor(answer, right, slips, tolerance=1e-4)
        checks.require(answer.requires_grad, "no gradient flows through your transition")


checks.award(3, check_answer, Transition)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: the channels of a whole net
#
# Complete the function: how many maps does the classifier of a DenseNet read? `stem_width` maps go
# into the first block; `num_layers` says how many layers each block has; between two blocks (and
# only there) a transition keeps half of the maps, rounded down.


# %% task="channels"
def final_channels(stem_width: int, num_layers: list[int], growth_rate: int) -> int:
    """Return the number of maps after the last block."""
    ### BEGIN SOLUTION
    channels = stem_width
    for number, layers in enumerate(num_layers):
        if number > 0:
            channels //= 2
        channels += layers * growth_rate
    return channels
    ### END SOLUTION


# %% check="channels_check" points=2
from course_utils import checks


def check_small(final_channels):
    slips = {
        "you put a transition after the last block, too": 171,
        "you let the transitions keep all maps": 600,
        "you add growth_rate maps once per block, not once per layer": 27,
        "you drop the maps that go into a block": 192,
        "you put a transition before the first block, too": 339,
    }
    checks.require_number(final_channels(24, [16, 16, 16], 12), 342, slips)
    slips = {"you round half a map up": 10}
    checks.require_number(final_channels(7, [1, 1], 4), 9, slips)


channels_are_right = checks.show(check_small, final_channels)


### BEGIN HIDDEN TESTS
def check_answer(final_channels):
    import torch
    from torch import nn

    from course_utils.models.densenet import DenseNet

    check_small(final_channels)
    for stem_width, num_layers, k in [(64, [6, 12, 24, 16], 32), (9, [2, 3, 1], 5), (10, [4], 3)]:
        with torch.device("meta"):
            net = DenseNet(nn.Identity(), stem_width, tuple(num_layers), 10, k)
        given = list(num_layers)
        checks.require_number(final_channels(stem_width, given, k), net.classifier.in_features)
        checks.require(given == num_layers, "your function changes the list that it is given")


checks.award(2, check_answer, final_channels)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here are your blocks in one net: three blocks of six layers with growth rate 12, and two
# transitions.

# %%
if parameters_are_right and transition_is_right and channels_are_right:
    maps, channels = torch.rand(2, 24, 32, 32), 24
    num_parameters = 0
    for number in (1, 2, 3):
        parts = [Transition(channels)] if number > 1 else []
        channels = channels // 2 if number > 1 else channels
        parts.append(DenseBlock(channels, 6, 12))
        for part in parts:
            maps = part(maps)
            num_parameters += sum(parameter.numel() for parameter in part.parameters())
        channels = maps.shape[1]
        print(f"after block {number}: {tuple(maps.shape)}, {num_parameters:,} parameters so far")
    print(f"your formula: {final_channels(24, [6, 6, 6], 12)} maps for the classifier")
else:
    print("Your own DenseNet appears here once tasks 1 to 3 are done.")

# %% [markdown]
# ## In your own words
#
# **(a)** A residual block adds, a dense block concatenates. What can a later layer still see in the
# second case, but not in the first, and what is the price? **(b)** A colleague picks a DenseNet for
# a small graphics card "because it has few parameters". What do you answer? Four to six sentences,
# 2 points, read by a person.

# %% [markdown] written="add_or_concatenate" points=2
# **A model answer.** From a sum nobody can get the two summands back; concatenated, each earlier
# map is still there unchanged, so that a later layer can read it directly and give it its own
# weights. The gradient takes the same direct path back. The price is that channels pile up: layer
# number ℓ reads k₀ + (ℓ − 1)k maps, which is why there are bottlenecks and transitions. Few
# parameters mean a small file, not little memory in training: what counts there is the maps kept
# for the backward pass, and a dense block that concatenates again in each layer keeps a number of
# copies that grows with the square of its depth. Checkpointing helps, but costs time.
#
# **Marking scheme.**
#
# - (a) 1 point: earlier maps can still be read one by one, *and* the price (channels, work or
#   memory grow). Half a point for one of the two.
# - (b) 1 point: memory in training is about kept maps, not parameters, *and* a reason or a remedy
#   (copies by concatenation, checkpointing). Half a point for the first alone.
