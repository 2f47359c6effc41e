# %% [markdown]
# # Exercise 05: what a layer costs, and what 1x1 means
#
# **You practise** counting parameters and multiply-adds, with and without groups, writing a 1x1
# convolution, and turning a dense layer into a convolution.
#
# **Minutes:** 45 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 05
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the cost of a layer | 3 | the checks |
# | Task 2: write a 1x1 convolution | 3 | the checks |
# | Task 3: from dense to convolution | 4 | the checks |
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

# %% quiz="weight_shape"
weight_shape = None  # (first axis, second, third, fourth)
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/05_channels_and_parameters", "weight_shape", student_id)
c_in, c_out, h, w = (numbers[name] for name in ("c_in", "c_out", "h", "w"))
weight_shape = (c_out, c_in, h, w)  # for each filter, a kernel for each channel that it reads
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="grouped_parameters"
grouped_parameters = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/05_channels_and_parameters", "grouped_parameters", student_id)
c_in, c_out, k, g = (numbers[name] for name in ("c_in", "c_out", "k", "g"))
grouped_parameters = c_out * (c_in // g * k * k + 1)  # a filter reads the channels of its group
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="reduced_work"
reduced_work = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/05_channels_and_parameters", "reduced_work", student_id)
c, r, n = (numbers[name] for name in "crn")
reduced_work = n * n * (c * r + r * c * 5 * 5)  # first 1x1 from c to r, then 5x5 from r to c
### END SOLUTION

# %% [markdown]
# ## Task 1: the cost of a layer
#
# Complete the function for a convolution with square kernels: how many parameters does it have, and
# how many multiply-adds does one image cost if the output is `n_out` by `n_out`? (Adding a bias is
# not a multiply-add.) `groups` divides both numbers of channels.


# %% task="conv_cost"
def conv_cost(
    c_in: int, c_out: int, k: int, n_out: int, groups: int = 1, bias: bool = True
) -> tuple[int, int]:
    """Return (parameters, multiply-adds)."""
    ### BEGIN SOLUTION
    weights = c_out * (c_in // groups) * k * k  # each filter reads the channels of its group
    parameters = weights + c_out * bias
    return parameters, weights * n_out * n_out  # each weight is used at every position
    ### END SOLUTION


# %% check="conv_cost_check" points=3
from course_utils import checks


def check_small(conv_cost):
    answer = conv_cost(6, 9, 3, 5, groups=3)
    if answer is None:
        raise checks.NotAnswered
    is_pair = isinstance(answer, tuple) and len(answer) == 2
    checks.require(is_pair, "return a tuple of two numbers: parameters, multiply-adds")
    slips = {
        "you leave out the groups": 495,
        "you forget the biases": 162,
        "you divide both numbers of channels by the groups": 57,
        "you count k weights for a kernel, not k * k": 63,
        "you count a bias for each channel that goes in": 168,
    }
    checks.require_number(answer[0], 171, slips)
    slips = {
        "you leave out the groups": 12150,
        "you use each weight only once": 162,
        "you count the biases": 4275,
        "you divide both numbers of channels by the groups": 1350,
        "you count a multiplication and its addition as two": 8100,
    }
    checks.require_number(answer[1], 4050, slips)


cost_is_right = checks.show(check_small, conv_cost)


### BEGIN HIDDEN TESTS
def check_answer(conv_cost):
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    check_small(conv_cost)
    for c_in, c_out, k, n_out, groups, bias in [
        (3, 64, 7, 12, 1, True),
        (16, 32, 3, 9, 4, False),
        (8, 8, 5, 6, 8, True),
        (10, 20, 1, 7, 1, False),
    ]:
        layer = nn.Conv2d(c_in, c_out, k, groups=groups, bias=bias, device="meta")
        counter = FlopCounterMode(display=False)
        with counter:
            layer(torch.empty(1, c_in, n_out + k - 1, n_out + k - 1, device="meta"))
        parameters, work = conv_cost(c_in, c_out, k, n_out, groups, bias)
        right = sum(parameter.numel() for parameter in layer.parameters())
        slips = {"you count biases that are not there": right + c_out * (not bias)}
        checks.require_number(parameters, right, slips)
        slips = {"you count a multiplication and its addition as two": counter.get_total_flops()}
        checks.require_number(work, counter.get_total_flops() // 2, slips)


checks.award(3, check_answer, conv_cost)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: write a 1x1 convolution
#
# Complete the function. A 1x1 convolution applies the same linear layer, from `c_in` to `c_out`
# numbers, at each pixel. Do not call torch's own convolution; a matrix product will do.


# %% task="conv1x1"
def conv1x1(maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Mix channels: maps (N, C_in, H, W), weight (C_out, C_in), bias (C_out,)."""
    ### BEGIN SOLUTION
    mixed = torch.einsum("oc,nchw->nohw", weight, maps)
    return mixed + bias[:, None, None]  # (C_out, 1, 1): the same bias at every pixel
    ### END SOLUTION


# %% check="conv1x1_check" points=3
import torch

from course_utils import checks

_OWN = ("conv1d", "conv2d", "conv3d")


def check_small(conv1x1):
    maps = torch.tensor([[[[1.0, 2.0]], [[10.0, 20.0]]]])  # (1, 2, 1, 2): two channels, two pixels
    weight, bias = (
        torch.tensor([[1.0, 1.0], [0.0, 2.0], [1.0, -1.0]]),
        torch.tensor([0.5, 0.0, 0.0]),
    )
    expected = torch.tensor([[[[11.5, 22.5]], [[20.0, 40.0]], [[-9.0, -18.0]]]])
    slips = {
        "you forget the bias": expected - bias[:, None, None],
        "you leave the channels last": expected.movedim(1, -1),
    }
    with checks.without(*_OWN):
        output = conv1x1(maps.clone(), weight, bias)
    hint = "the output has three channels, and the two pixels stay where they are"
    checks.require_tensor(output, expected, slips, hint=hint)


conv1x1_is_right = checks.show(check_small, conv1x1)


### BEGIN HIDDEN TESTS
def check_answer(conv1x1):
    import torch
    import torch.nn.functional as F

    check_small(conv1x1)
    # As many channels as pixels along each side, so that a mixed-up axis raises no error.
    for seed, (num, c_in, c_out, side) in enumerate([(2, 4, 4, 4), (3, 5, 2, 7)]):
        maps = checks.random_tensor(num, c_in, side, side, seed=seed)
        weight = checks.random_tensor(c_out, c_in, seed=seed + 10)
        bias = checks.random_tensor(c_out, seed=seed + 20)
        expected = F.conv2d(maps, weight[:, :, None, None], bias)
        slips = {"you forget the bias": expected - bias[:, None, None]}
        if c_in == c_out == side:
            slips |= {
                "you swap the weights' rows and columns": F.conv2d(
                    maps, weight.T[:, :, None, None], bias
                ),
                "you mix rows of pixels, not channels": torch.einsum(
                    "oh,nchw->ncow", weight, maps
                )
                + bias[:, None, None],
                "your bias runs along the pixels of a row": expected - bias[:, None, None] + bias,
            }
        with checks.without(*_OWN):
            output = conv1x1(maps, weight, bias)
        checks.require_tensor(output, expected, slips, hint="only the channels change")


checks.award(3, check_answer, conv1x1)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: from dense to convolution
#
# A dense layer that reads flattened maps of `c` by `h` by `w` is a convolution whose kernel is as
# large as the map. Complete the function: it returns an `nn.Conv2d` with the same weights. On maps
# of that size it gives the same numbers (as maps of 1 by 1), and over larger maps it slides.


# %% task="as_convolution"
def as_convolution(linear: nn.Linear, c: int, h: int, w: int) -> nn.Conv2d:
    """Return the convolution that does what `linear` does to maps (N, c, h, w), flattened."""
    ### BEGIN SOLUTION
    convolution = nn.Conv2d(c, linear.out_features, kernel_size=(h, w))
    with torch.no_grad():
        convolution.weight.copy_(linear.weight.view(-1, c, h, w))  # flatten goes c, h, w as well
        convolution.bias.copy_(linear.bias)
    return convolution
    ### END SOLUTION


# %% check="as_convolution_check" points=4
import torch
from torch import nn

from course_utils import checks


@checks.beside
def _turned(as_convolution, weight, bias, shape):
    """Return the convolution made from a dense layer with these weights, and the layer itself."""
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    layer = as_convolution(linear, *shape)
    found = {"kind": type(layer).__name__, "left": linear.weight.detach()}
    if type(layer) is nn.Conv2d:
        found |= {"weight": layer.weight.detach(), "bias": layer.bias, "run": layer}
    return found


def _compare(as_convolution, c, h, w, num_out, seed=0):
    weight = checks.random_tensor(num_out, c * h * w, seed=seed)
    bias = checks.random_tensor(num_out, seed=seed + 1)
    maps = checks.random_tensor(2, c, h, w, seed=seed + 2)
    found = _turned(as_convolution, weight, bias, (c, h, w))
    if found["kind"] == "NoneType":
        raise checks.NotAnswered
    checks.require("run" in found, f"return an nn.Conv2d, not {found['kind']}")
    shape, expected = tuple(found["weight"].shape), (num_out, c, h, w)
    checks.require(
        shape == expected, f"the weights of your convolution are {shape}, expected {expected}"
    )
    checks.require(found["bias"] is not None, "the dense layer has a bias, but your layer has none")
    right = (maps.flatten(1) @ weight.T + bias)[:, :, None, None]
    slips = {
        "you do not copy the bias": right - (bias - found["bias"])[:, None, None],
        "you do not copy the weights": torch.zeros(0),
    }
    slips["you lay the weights out with the channels last"] = nn.functional.conv2d(
        maps, weight.view(-1, h, w, c).permute(0, 3, 1, 2), bias
    )
    checks.require_tensor(found["run"](maps), right, slips, tolerance=1e-4)
    same = torch.equal(found["left"], weight)
    checks.require(same, "your function changes the dense layer that it is given")
    return weight, bias, found["run"]


def check_small(as_convolution):
    _compare(as_convolution, c=3, h=2, w=4, num_out=5)


dense_is_right = checks.show(check_small, as_convolution)


### BEGIN HIDDEN TESTS
def check_answer(as_convolution):
    import torch

    check_small(as_convolution)
    weight, bias, convolution = _compare(as_convolution, c=4, h=3, w=3, num_out=7, seed=5)
    maps = checks.random_tensor(2, 4, 5, 6, seed=9)
    right = torch.stack(
        [
            torch.stack(
                [maps[:, :, i : i + 3, j : j + 3].flatten(1) @ weight.T + bias for j in range(4)],
                -1,
            )
            for i in range(3)
        ],
        -2,
    )
    hint = "on larger maps the layer slides: stride 1, no padding"
    checks.require_tensor(convolution(maps), right, hint=hint, tolerance=1e-4)


checks.award(4, check_answer, as_convolution)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# LeNet-5's first dense layer is a convolution in disguise: written as one, the net accepts larger
# images, and gives a map of predictions.

# %%
if dense_is_right:
    dense = nn.Linear(16 * 5 * 5, 120)
    sliding = as_convolution(dense, 16, 5, 5)
    for size in (5, 6, 9):
        shape = tuple(sliding(torch.zeros(1, 16, size, size)).shape)
        print(f"maps of 16 x {size} x {size} -> {shape}")
else:
    print("Shapes appear here once task 3 is done.")

# %% [markdown]
# ## In your own words
#
# A net has most of its parameters in its first dense layer and most of its multiply-adds in its
# first convolutions. **(a)** How can that be? **(b)** You want the net to be *faster*. A friend
# suggests halving the dense layer. What do you answer? Three to five sentences, 2 points, read by
# a person.

# %% [markdown] written="two_places" points=2
# **A model answer.** A dense layer uses each of its weights once per image, a convolution uses each
# of its few weights at every position, and the first convolutions have the most positions. So
# parameters count what has to be stored and learned, multiply-adds what has to be computed, and the
# two need not sit in the same layer. Halving the dense layer saves memory, and the net may overfit
# less, but it saves hardly any time; to be faster, make the early maps smaller (a stride) or give
# them fewer channels (a 1x1 reduction, say).
#
# **Marking scheme.**
#
# - (a) 1 point: sharing, in words such as "each weight is used at every position"; half a point for
#   "convolutions are expensive" without the positions.
# - (b) 1 point: says that time follows multiply-adds, not parameters, and names the right place.
#   Half a point for only one of the two.
