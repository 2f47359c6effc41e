# %% [markdown]
# # Exercise 04: sizes, pooling and receptive fields
#
# **You practise** predicting the size of an output, writing a pooling layer, and working out how
# far one output sees.
#
# **Minutes:** 40 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 04
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the output formula | 3 | the checks |
# | Task 2: write max pooling | 4 | the checks |
# | Task 3: the receptive field | 3 | the checks |
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

# %% quiz="two_steps"
two_steps = None  # pixels
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/04_stride_padding_pooling", "two_steps", student_id)
n, k, s, p = (numbers[letter] for letter in "nksp")
two_steps = ((n + 2 * p - k) // s + 1 - 2) // 2 + 1  # the convolution's size, then the pooling's
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="pooled_shape"
pooled_shape = None  # (maps, height, width)
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/04_stride_padding_pooling", "pooled_shape", student_id)
c, h, w, k, s = (numbers[letter] for letter in "chwks")
pooled_shape = (c, (h - k) // s + 1, (w - k) // s + 1)  # each map by itself
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="field"
field = None  # pixels
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/04_stride_padding_pooling", "field", student_id)
a, b, s = (numbers[letter] for letter in "abs")
field = 1 + (a - 1) + s * (b - 1)  # the second kernel's inputs are s pixels apart
### END SOLUTION

# %% [markdown]
# ## Task 1: the output formula
#
# Complete the function: at how many positions does a window of `k` fit on `n` pixels, with stride
# `s` and `p` pixels of padding *on each side*? If the window is larger than the padded image, it
# does not fit at all: raise a `ValueError`.


# %% task="output_size"
def output_size(n: int, k: int, s: int = 1, p: int = 0) -> int:
    """Return the output's size along one axis."""
    ### BEGIN SOLUTION
    if k > n + 2 * p:
        raise ValueError(f"a window of {k} does not fit on {n + 2 * p} pixels")
    return (n + 2 * p - k) // s + 1
    ### END SOLUTION


# %% check="output_size_check" points=3
from course_utils import checks


def _refuses(output_size, *arguments):
    """Return whether these arguments raise a ValueError."""
    try:
        output_size(*arguments)
    except ValueError:
        return True
    return False


def check_small(output_size):
    slips = {
        "you round the division up": 13,
        "you add the padding on one side only": 10,
        "you leave out the padding": 8,
        "you count the steps, not the positions": 11,
        "you leave out the stride": 24,
    }
    answer = output_size(20, 5, 2, 4)
    checks.require(answer is None or answer != 12.5, "12.5 is not a whole number: take the floor")
    checks.require_number(answer, 12, slips)


output_size_is_right = checks.show(check_small, output_size)


### BEGIN HIDDEN TESTS
def check_answer(output_size):
    from itertools import product

    import torch

    check_small(output_size)
    for n, k, s, p in product((5, 8, 27), (1, 2, 5), (1, 2, 3), (0, 1)):
        layer = torch.nn.Conv1d(1, 1, k, stride=s, padding=p, device="meta")
        right = layer(torch.empty(1, 1, n, device="meta")).shape[-1]
        checks.require_number(output_size(n, k, s, p), right)
    checks.require_number(output_size(9, 3), 7)  # stride 1 and no padding by default
    checks.require(_refuses(output_size, 4, 5), "a window of 5 on 4 pixels must raise a ValueError")
    checks.require(
        _refuses(output_size, 4, 7, 2, 1), "a window of 7 on 4 + 2 pixels must raise a ValueError"
    )
    checks.require(not _refuses(output_size, 4, 6, 2, 1), "a window of 6 fits once on 4 + 2 pixels")


checks.award(3, check_answer, output_size)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: write max pooling
#
# Complete the function for a batch of maps: windows of `k` by `k`, with stride `s`, no padding.
# Leave out what does not fill a window on the right or at the bottom. Do not use torch's own
# pooling.


# %% task="pooling"
def max_pool2d(maps: torch.Tensor, k: int, s: int) -> torch.Tensor:
    """Return the largest number of each window of `maps` (N, C, H, W), float."""
    ### BEGIN SOLUTION
    windows = maps.unfold(2, k, s).unfold(3, k, s)  # (N, C, H_out, W_out, k, k)
    return windows.amax(dim=(-2, -1))
    ### END SOLUTION


# %% check="pooling_check" points=4
import torch

from course_utils import checks

_OWN = ("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d")


def check_small(max_pool2d):
    maps = torch.arange(15.0).reshape(1, 1, 3, 5) - 7
    slips = {
        "you take the mean, not the largest": torch.tensor([[[[-4.0, -2.0]]]]),
        "you keep windows that are not full": torch.tensor(
            [[[[-1.0, 1.0, 2.0], [4.0, 6.0, 7.0]]]]
        ),
        "you never let the largest fall below zero": torch.tensor([[[[0.0, 1.0]]]]),
        "you leave out the stride": torch.tensor([[[[-1.0, 0, 1, 2], [4, 5, 6, 7]]]]),
        "you pad the maps with zeros": torch.tensor([[[[0.0, 0, 0], [4, 6, 7]]]]),
    }
    with checks.without(*_OWN):
        output = max_pool2d(maps.clone(), 2, 2)
    hint = "(3 - 2) // 2 + 1 = 1 row and (5 - 2) // 2 + 1 = 2 columns of windows"
    checks.require_tensor(output, torch.tensor([[[[-1.0, 1.0]]]]), slips, hint=hint)


pooling_is_right = checks.show(check_small, max_pool2d)


### BEGIN HIDDEN TESTS
def check_answer(max_pool2d):
    import torch.nn.functional as F

    check_small(max_pool2d)
    for seed, (size, k, s) in enumerate([((2, 3, 8, 9), 3, 2), ((3, 1, 7, 6), 2, 3)]):
        maps = checks.random_tensor(*size, seed=seed) - 3  # mostly negative: a zero would show
        expected = F.max_pool2d(maps, k, s)
        slips = {
            "you take the mean, not the largest": F.avg_pool2d(maps, k, s),
            "you make the window as wide as the stride": F.max_pool2d(maps, s, s),
            "you make the stride as wide as the window": F.max_pool2d(maps, k, k),
            "you keep windows that are not full": F.max_pool2d(maps, k, s, ceil_mode=True),
            "you take the largest over all channels": expected.amax(1, keepdim=True).expand_as(
                expected
            ),
            "you never let the largest fall below zero": expected.clamp(min=0),
            "you take the smallest": -F.max_pool2d(-maps, k, s),
        }
        with checks.without(*_OWN):
            output = max_pool2d(maps.clone(), k, s)
        checks.require_tensor(output, expected, slips, hint="each side is (size - k) // s + 1")


checks.award(4, check_answer, max_pool2d)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: the receptive field
#
# Complete the function. A layer is given by its window and its stride, `(k, s)`, whether it is a
# convolution or a pooling layer. How many pixels wide is the region of the image that **one**
# output of the last layer can see?


# %% task="receptive_field"
def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Return the size of the field along one axis; without any layer it is one pixel."""
    ### BEGIN SOLUTION
    field, jump = 1, 1  # in pixels: what one output sees; how far neighbours are apart
    for k, s in layers:
        field += (k - 1) * jump
        jump *= s
    return field
    ### END SOLUTION


# %% check="receptive_field_check" points=3
from course_utils import checks


def check_small(receptive_field):
    slips = {
        "you leave out the strides": 6,
        "you let a layer's own stride widen its own window": 17,
        "you multiply the windows' sizes": 18,
        "you add the windows' sizes": 8,
        "you apply all strides before the last window only": 12,
    }
    checks.require_number(receptive_field([(3, 2), (2, 2), (3, 1)]), 13, slips)


field_is_right = checks.show(check_small, receptive_field)


### BEGIN HIDDEN TESTS
def check_answer(receptive_field):
    import torch
    from torch import nn

    check_small(receptive_field)
    checks.require_number(receptive_field([]), 1)
    for layers in ([(5, 1)], [(3, 1)] * 3, [(11, 4), (3, 2), (5, 1)], [(2, 2), (3, 1), (2, 2)]):
        # Every weight is 1, so an output sees exactly the pixels that a gradient reaches.
        net = nn.Sequential(*(nn.Conv1d(1, 1, k, stride=s, bias=False) for k, s in layers))
        for parameter in net.parameters():
            nn.init.ones_(parameter)
        signal = torch.zeros(1, 1, 200, requires_grad=True)
        net(signal)[0, 0, 0].backward()
        checks.require_number(receptive_field(layers), int((signal.grad != 0).sum()))


checks.award(3, check_answer, receptive_field)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here are three stacks with the same receptive field. Which is the cheapest, with 64 channels in
# and out?

# %%
if field_is_right:
    for name, layers in {
        "one 7x7": [(7, 1)],
        "5x5, 3x3": [(5, 1), (3, 1)],
        "3x3 x 3": [(3, 1)] * 3,
    }.items():
        weights = sum(64 * 64 * k * k for k, _ in layers)
        print(f"{name:9} sees {receptive_field(layers)} pixels with {weights:7,} weights")
else:
    print("A comparison of stacks appears here once task 3 is done.")

# %% [markdown]
# ## In your own words
#
# A colleague replaces `conv, ReLU, max pool` by `conv, max pool, ReLU`, and `conv, ReLU, average
# pool` by `conv, average pool, ReLU`. **(a)** Which of the two changes leaves the output as it was,
# and why? **(b)** What do you gain by that change? Three to five sentences, 2 points, read by a
# person.

# %% [markdown] written="order" points=2
# **A model answer.** The first. ReLU never decreases: the number that is largest in a window is
# largest after ReLU as well, so max pooling and ReLU may change places. A mean mixes the numbers of
# a window: 4 and -4 have the mean 0, but after ReLU, 4 and 0, it is 2; so the second change gives
# another function. The first change saves work: after 2x2 pooling ReLU has a quarter of the numbers
# to process, and only a quarter has to be kept for the backward pass.
#
# **Marking scheme.**
#
# - (a) 1 point: names max pooling *and* the reason (ReLU does not decrease, so the largest stays
#   the largest), or a number example for the average. Half a point for the right choice without a
#   reason.
# - (b) 1 point: fewer numbers go through the activation (a quarter for 2x2), time or memory. No
#   point for "fewer parameters": neither layer has any.
