# %% [markdown]
# # Exercise 04: what fits, and what an output sees
#
# **You practise** choosing the padding for a wanted size, working out which outputs see a pixel,
# repairing a layer that works for some sizes only, and measuring how much of its receptive field an
# output uses.
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

from course_utils import checks, quiz
from course_utils.plots import plot_grids, show


def own_stack(student_id):
    """Return the kernel size and the number of layers of your stack."""
    drawn = quiz.generator(student_id)
    k = int(torch.randint(1, 4, (), generator=drawn)) * 2 + 1
    return k, int(torch.randint(4, 11, (), generator=drawn))


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions and your stack of
# layers, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
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

# %% quiz="touched"
touched = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/04_stride_padding_pooling", "touched", student_id)
n, k, s = (question.values[letter] for letter in "nks")
lost = (n - k) % s  # the remainder
last = "row and column" if lost == 1 else f"{lost} rows and columns"
seen = f"All pixels except the last {last}"
touched = next(x for x, option in question.lettered.items() if option.text == seen)
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="order_told"
order_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/04_stride_padding_pooling", "order_told", student_id)
a, b, s = (question.values[letter] for letter in "abs")
told = f"Change pixel {a + s * (b - 1) - 1},"  # the last one seen with the stride first
order_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: padding for a wanted size
#
# A window of `k` pixels slides over `n` pixels with stride `s`, and you want exactly `wanted`
# outputs. Complete the function so that it returns how many zeros to put before the first pixel and
# how many after the last. Use as few zeros as possible. If their total is odd, the end gets one
# more, as in the lesson. (`wanted` is never less than the number of outputs without padding.)
#
# hint: Where does the last of the `wanted` windows start, and where does it end?
#
# hint: The windows cover `(wanted - 1) * s + k` pixels. How many of these are missing?
#
# hint: Pixels that the floor throws away need no padding: the number of zeros is never negative.
# How do you split an odd number in two, with `//` and a subtraction?


# %% task="padding"
def padding_for(n: int, k: int, s: int, wanted: int) -> tuple[int, int]:
    """Return the numbers of zeros (before, after) that give `wanted` outputs."""
    ### BEGIN SOLUTION
    missing = max(0, (wanted - 1) * s + k - n)  # what the windows cover beyond the pixels
    return missing // 2, missing - missing // 2  # the end gets the rest
    ### END SOLUTION


# %% check="padding_check" points=1
import torch

from course_utils import checks


def _whole(value):
    """Return whole-numbered floats and tensors of one number as whole numbers."""
    value = value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value
    return int(value) if type(value) is float and value.is_integer() else value


def _require_pair(answer, expected, what, slips=None):
    if answer is None:
        raise checks.NotAnswered
    if isinstance(answer, torch.Tensor):
        answer = answer.tolist()
    is_pair = type(answer) in (tuple, list) and len(answer) == 2
    checks.require(is_pair, f"Return two numbers, the {what}, not {answer!r}.")
    found = tuple(_whole(number) for number in answer)
    for slip, wrong in (slips or {}).items():
        checks.require(found != wrong or wrong == expected, f"You get {found} if {slip}.")
    fits = found == expected and all(type(number) is int for number in found)
    checks.require(fits, f"You return {answer} as the {what}, expected {expected}.")


def check_small(padding_for):
    slips = {
        "you count one window too many": (3, 3),
        "you leave out the stride, or the size of the window": (0, 0),
        "you put the whole padding on each side": (4, 4),
    }
    _require_pair(padding_for(9, 5, 2, 5), (2, 2), "zeros before and after", slips)


padding_is_right = checks.show(check_small, padding_for)


### BEGIN HIDDEN TESTS
def check_answer(padding_for):
    check_small(padding_for)
    odd = {
        "you put the same on both sides": (2, 2),
        "you put the extra zero first": (2, 1),
        "you drop the extra zero": (1, 1),
    }
    _require_pair(padding_for(28, 4, 1, 28), (1, 2), "zeros before and after", odd)
    negative = {"you allow a negative number: pixels may be left over": (-1, 0)}
    _require_pair(padding_for(10, 3, 2, 4), (0, 0), "zeros before and after", negative)
    for n, k, s, wanted in [
        (7, 3, 2, 4),
        (224, 11, 4, 55),
        (5, 2, 3, 4),
        (6, 6, 1, 6),
        (8, 1, 1, 8),
    ]:
        fewest = next(p for p in range(99) if (n + p - k) // s + 1 == wanted)
        right = (fewest // 2, fewest - fewest // 2)
        _require_pair(padding_for(n, k, s, wanted), right, "zeros before and after")


checks.award(1, check_answer, padding_for)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=10
# ## Task 2: which outputs see a pixel?
#
# The lesson goes from an output down to the pixels that it sees. Go the other way: when one pixel
# changes, which outputs can change? Complete the function. The layers are given as `(k, s, p)`,
# that is, kernel size, stride and padding, from the image upwards, and no stride is larger than its
# kernel. The function returns the first and the last output of the last layer that see the pixel,
# along one axis. Pixels and outputs are counted from 0. The pixel is far from the end of the image,
# so only one limit matters: there is no output before 0.
#
# hint: Begin with one layer. Its output `i` sees the pixels from `s * i - p` to
# `s * i - p + k - 1`. For which `i` is the pixel `x` neither before the first of them nor after the
# last?
#
# hint: So `i` lies between `(x + p - k + 1) / s` and `(x + p) / s`. Which of the two do you have to
# round up, and which down? And what if the first is negative?
#
# hint: The second layer sees not one changed number but a stretch of them. The first output that
# you want is the first one that sees the *first* of these numbers. And which output is the last?
# (`-(-a // b)` divides and rounds up.)


# %% task="seen"
def seen_from(layers: list[tuple[int, int, int]], pixel: int) -> tuple[int, int]:
    """Return (first, last), the outputs of the last layer that see the `pixel`."""
    ### BEGIN SOLUTION
    first = last = pixel
    for k, s, p in layers:  # from the image upwards
        first = max(0, -(-(first + p - k + 1) // s))  # the first window not yet ended: round up
        last = (last + p) // s  # the last window that has begun: round down
    return first, last
    ### END SOLUTION


# %% check="seen_check" points=3
import torch

from course_utils import checks


def check_small(seen_from):
    slips = {
        "you leave out the strides": (9, 14),
        "you round the first output down, not up, or take k, not k - 1, for the distance from the "
        "first pixel of a window to its last": (0, 3),
        "you return the pixels that output 14 sees": (56, 68),
    }
    found = seen_from([(3, 2, 0), (2, 2, 0), (3, 1, 0)], 14)
    _require_pair(found, (1, 3), "first and last output", slips)


seen_is_right = checks.show(check_small, seen_from)


### BEGIN HIDDEN TESTS
def check_answer(seen_from):
    import torch
    from torch import nn

    check_small(seen_from)
    _require_pair(seen_from([], 7), (7, 7), "first and last output")
    stacks = [
        ([(5, 1, 0)], 9),
        ([(5, 1, 0)], 2),
        ([(3, 1, 1)] * 3, 20),
        ([(3, 1, 1)] * 3, 1),
        ([(11, 4, 2), (3, 2, 0), (5, 1, 2)], 61),
        ([(2, 2, 0), (3, 1, 1), (2, 2, 0)], 26),
        ([(2, 2, 0), (3, 1, 1), (2, 2, 0)], 29),
        ([(7, 2, 3), (3, 2, 1)], 0),
        ([(4, 3, 1), (4, 3, 1)], 33),
    ]
    for layers, pixel in stacks:
        # Every weight is 1, so exactly the outputs that see a single white pixel are not 0.
        net = nn.Sequential(*(nn.Conv1d(1, 1, k, s, p, bias=False) for k, s, p in layers))
        for parameter in net.parameters():
            nn.init.ones_(parameter)
        dot = torch.zeros(1, 1, 200)
        dot[0, 0, pixel] = 1.0
        reached = net(dot)[0, 0].nonzero().flatten()
        right = (int(reached[0]), int(reached[-1]))
        what = f"first and last output of {layers} that see pixel {pixel}"
        _require_pair(seen_from(layers, pixel), right, what)


checks.award(3, check_answer, seen_from)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=7
# ## Task 3: a layer that fits even sizes only
#
# Somebody halves images by taking the mean of each block of 2 × 2 pixels. If a side is odd, the
# last blocks along it have only one row or one column, and the mean of such a block should be that
# of the pixels that it has. A colleague reports: "With 32 × 32 pixels all is well. With an odd
# height the top and the sides are dark, and everything has moved. With an odd width a column is
# missing." Run the next two cells, and look at the symptoms before you read the code.


# %% readonly="broken"
def broken_halve(image):
    """Return the means of the blocks of an image (H, W): (H/2, W/2), both rounded up."""
    padding = image.shape[0] % 2  # an odd size needs one more
    return F.avg_pool2d(image[None, None], 2, padding=padding)[0, 0]


# %%
ones = [torch.ones(4, 4), torch.ones(5, 4), torch.ones(4, 5)]
show(
    plot_grids([broken_halve(image) for image in ones], [f"from {tuple(x.shape)}" for x in ones]),
    "White images, halved. From 4 by 4: 2 by 2 ones. From 5 by 4: 3 by 3 numbers, a quarter in the "
    "upper corners, a half along the top and the sides, 1 elsewhere. From 4 by 5: 2 by 2 ones, a "
    "column is missing",
)

# %% [markdown]
# Fix the function: write `halve`, which returns the mean of each block for images of any size. A
# white image stays white.
#
# hint: Where does `padding=1` put its zeros? And along how many axes?
#
# hint: The zeros count in the mean. What would you have to append instead, so that the mean of the
# two rows is the same as that of the last row alone?
#
# hint: Append a copy of the last row if the height is odd, and of the last column if the width is:
# `F.pad` has a mode for that. Or look up what `ceil_mode` of `F.avg_pool2d` does.


# %% task="halve"
def halve(image: torch.Tensor) -> torch.Tensor:
    """Return the means of the blocks of an image (H, W), float: (H/2, W/2), both rounded up."""
    ### BEGIN SOLUTION
    height, width = image.shape
    pad = (0, width % 2, 0, height % 2)  # each axis separately, and only at the end
    doubled = F.pad(image[None, None], pad, mode="replicate")  # the mean of two copies is the same
    return F.avg_pool2d(doubled, 2)[0, 0]
    ### END SOLUTION


# %% check="halve_check" points=3
import torch

from course_utils import checks


def _blocks(image):
    """Return the mean of each block, over the pixels that it has."""
    rows, columns = (range(0, size, 2) for size in image.shape)
    return torch.stack(
        [torch.stack([image[i : i + 2, j : j + 2].mean() for j in columns]) for i in rows]
    )


def check_small(halve):
    image = torch.tensor([[1.0, 3, 5, 7], [1, 3, 5, 7], [10, 20, 30, 40]])
    expected = torch.tensor([[2.0, 6.0], [15.0, 35.0]])
    mixed = torch.tensor([[2.0, 6.0], [8.5, 20.5]])
    slips = {
        "you drop the last row": expected[:1],
        "your zeros count in the mean": torch.tensor([[2.0, 6.0], [7.5, 17.5]]),
        "you mix the last row with the one above it, by reflection or in overlapping blocks": mixed,
        "you add up the pixels of a block": 4 * expected,
    }
    checks.require_tensor(halve(image.clone()), expected, slips, hint="three rows make two blocks")


halve_is_right = checks.show(check_small, halve)


### BEGIN HIDDEN TESTS
def check_answer(halve):
    import torch
    import torch.nn.functional as F

    check_small(halve)
    for seed, (height, width) in enumerate([(4, 6), (6, 5), (7, 9), (1, 1), (2, 1), (1, 5)]):
        image = checks.random_tensor(height, width, seed=seed) + 3
        before, expected = image.clone(), _blocks(image)
        even = image[: height // 2 * 2, : width // 2 * 2]
        zeros = F.avg_pool2d(F.pad(image, (0, width % 2, 0, height % 2))[None, None], 2)[0, 0]
        slips = {
            "you drop the last row or column": _blocks(even) if even.numel() else torch.zeros(0),
            "your zeros count in the mean": zeros,
        }
        hint = f"the image has {height} x {width} pixels"
        checks.require_tensor(halve(image), expected, slips, hint=hint)
        checks.require(torch.equal(image, before), "Your function changes the image it is given.")


checks.award(3, check_answer, halve)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: how much of its field does an output use?
#
# Your stack consists of several layers with the same kernel size, stride 1 and no padding, and all
# their weights are 1. Look at one axis only: the *core* of an output's receptive field is the
# narrowest stretch around its middle that holds at least 90 % of all paths from pixels to the
# output.

# %% readonly="stack"
k, num_layers = own_stack(student_id)

# %%
print(f"{num_layers} layers with kernels of size {k}: a field of {1 + num_layers * (k - 1)} pixels")

# %% [markdown]
# **Predict first.** How many pixels wide is the core of your stack? Write down your prediction
# before you run anything. A wrong prediction costs nothing; without a prediction, the experiment is
# not marked.

# %% task="prediction"
predicted = None  # a whole number of pixels
### BEGIN SOLUTION
# The paths are distributed like the sum of `num_layers` dice with k sides: nearly a bell curve,
# 90 % of which lies within 1.645 standard deviations of the middle.
deviation = (num_layers * (k**2 - 1) / 12) ** 0.5
predicted = 1 + 2 * round(1.645 * deviation)
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Measure the width of the core of your stack, and that of a stack with four
# times as many of the same layers. Compare: by what factor does the field grow, and by what factor
# does the core grow?
#
# hint: The gradient of one output with respect to a pixel counts the paths from that pixel. One
# axis is enough: use `F.conv1d` with weights of 1.
#
# hint: With forty layers the numbers become huge: use `float64`, and divide by their sum.
#
# hint: The field has an odd number of pixels. Begin with the middle one, and add one more pixel on
# each side until their share of the sum is at least 0.9.

# %% task="experiment"
measured = None  # the width of the core of your stack, in pixels
four_times = None  # that of a stack with four times as many layers
### BEGIN SOLUTION
widths = []
for depth in (num_layers, 4 * num_layers):
    paths = torch.ones(1, 1, 1, dtype=torch.float64)
    for _ in range(depth):  # each layer spreads a path over k neighbours; / k keeps the sum at 1
        paths = F.conv1d(paths, torch.ones(1, 1, k, dtype=torch.float64) / k, padding=k - 1)
    shares, middle = paths[0, 0], paths.shape[2] // 2
    reach = 0
    while shares[middle - reach : middle + reach + 1].sum() < 0.9:
        reach += 1
    widths.append(2 * reach + 1)
measured, four_times = widths  # the core has about doubled, while the field is four times as wide
print(f"the core grows from {measured} to {four_times} pixels")
### END SOLUTION

# %% check="experiment_check" points=3
import torch
import torch.nn.functional as F

from course_utils import checks


def check_small(predicted, measured, four_times):
    if measured is None and four_times is None:
        raise checks.NotAnswered
    checks.require(predicted is not None, "Write your prediction down before the experiment.")
    k, num_layers = own_stack(student_id)
    for number, depth in ((measured, num_layers), (four_times, 4 * num_layers)):
        width, field = checks.as_integer(_whole(number)), 1 + depth * (k - 1)
        sentence = f"Your core for {depth} layers is {width} pixels wide, and the field {field}."
        checks.require(1 <= width <= field, sentence)
        checks.require(
            width % 2 == 1,
            f"{sentence} Take the same number of pixels on both sides of the middle.",
        )


_BESIDE = f"you predicted {predicted} pixels and measured {measured}: explain this below"
experiment_is_right = checks.show(check_small, predicted, measured, four_times, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, measured, four_times):
    check_small(predicted, measured, four_times)
    k, num_layers = own_stack(student_id)

    def core(depth, share):
        paths = torch.ones(1, 1, 1, dtype=torch.float64)
        for _ in range(depth):
            paths = F.conv1d(paths, torch.ones(1, 1, k, dtype=torch.float64) / k, padding=k - 1)
        shares, middle = paths[0, 0], paths.shape[2] // 2
        inside = (float(shares[middle - r : middle + r + 1].sum()) for r in range(middle + 1))
        return 1 + 2 * next(r for r, part in enumerate(inside) if part >= share)

    for number, depth in ((measured, num_layers), (four_times, 4 * num_layers)):
        field = 1 + depth * (k - 1)
        slips = {
            "you take the whole field": field,
            "you take nine tenths of the field: the core holds nine tenths of the paths": 1
            + 2 * round(0.45 * (field - 1)),
            "you stop at half of the paths": core(depth, 0.5),
            "you stop one pixel too early on each side": core(depth, 0.9) - 2,
        }
        checks.require_number(_whole(number), core(depth, 0.9), slips)


checks.award(3, check_answer, predicted, measured, four_times)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show? Why does the core
# grow more slowly than the field? What would you change in a net so that its outputs use a wider
# region? 2 points, graded by a person.

# %% [markdown] written="core" points=2
# **A model answer.** I predicted that the core would have 21 of the field's 61 pixels, and measured
# 21: many paths lead from the pixels in the middle to the output, but only one from a pixel at the
# edge. The paths are distributed like the sum of ten dice with seven sides, whose standard
# deviation grows with the square root of the number of dice, so four times as many layers made the
# field four times as wide, but the core only twice as wide: 43 pixels. I would put strides or
# pooling between the layers, or dilate them, because then later layers take larger steps.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement, and explains a gap by the crowding of
#   paths in the middle or, if there is no gap, says why the prediction was right. Half a point if
#   both numbers are there without a reason. A wrong prediction costs nothing.
# - 1 point: the answer says that the core grows with the square root of the depth (or that it
#   doubles where the field is four times as wide), *and* names strides, pooling or dilation as a
#   remedy. Half a point for only one.
