# %% [markdown]
# # Exercise 15: build, look inside, choose
#
# **You practise** building a stage of a network from a row of a table, writing Grad-CAM, and
# reading a chart of architectures.
#
# **Minutes:** 45 &nbsp; **Points:** 16 &nbsp; **Before:** lesson 15
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: a VGG stage from its row | 4 | the checks |
# | Task 2: Grad-CAM by hand | 4 | the checks |
# | Task 3: read the chart | 3 | the checks |
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

# %% quiz="halving_block"
halving_block = None  # parameters
### BEGIN SOLUTION
c = quiz.numbers("exercises/15_showdown", "halving_block", student_id)["c"]
weights = 9 * c * 2 * c + 9 * (2 * c) ** 2
halving_block = weights + 2 * 2 * (2 * c)  # two BNs: a scale and a shift for each of 2c channels
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="one_place"
one_place = None
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/15_showdown", "one_place", student_id)
a, b, g, h = (numbers[letter] for letter in "abgh")
one_place = max(0, (g * a + h * b) / 10)  # the sum first, then the ReLU
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="standard_error"
standard_error = None  # percentage points
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/15_showdown", "standard_error", student_id)
share = numbers["a"] / 100
standard_error = 100 * (share * (1 - share) / numbers["n"]) ** 0.5
### END SOLUTION

# %% [markdown]
# ## Task 1: a VGG stage from its row
#
# Complete the function. It turns a row of VGG's table into an `nn.Sequential`. The row is a string
# with one kernel size for each convolution: `"3 3"`, or `"3 3 1"` as in configuration C. Every
# convolution has `out_channels` filters and biases, keeps height and width, and is followed by a
# ReLU. At the end, 2 × 2 max pooling halves the size. Make each ReLU its own module.


# %% task="stage"
def make_stage(in_channels: int, out_channels: int, row: str) -> nn.Sequential:
    """Build a stage that turns (N, in_channels, H, W) into (N, out_channels, H/2, W/2)."""
    ### BEGIN SOLUTION
    layers = []
    for kernel_size in map(int, row.split()):
        layers += [nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)]
        layers += [nn.ReLU()]
        in_channels = out_channels
    return nn.Sequential(*layers, nn.MaxPool2d(2))
    ### END SOLUTION


# %% check="stage_check" points=4
import torch

from course_utils import checks
from course_utils.inspection import first_difference
from course_utils.models.vgg import VGGBlock


@checks.beside
def _difference(stage, c_in, c_out, row, pictures):
    """Say where a stage first differs from the right one."""
    return first_difference(stage, VGGBlock(c_in, c_out, row), pictures)


def check_stage(make_stage, c_in=3, c_out=8, row="3 3", size=16):
    stage = make_stage(c_in, c_out, row)
    if stage is None:
        raise checks.NotAnswered
    sentence = f"return an nn.Sequential, not {type(stage).__name__}"
    checks.require(checks.is_module(stage, "Sequential"), sentence)
    checks.require_own_layers(stage)
    pictures = checks.random_tensor(2, c_in, size, size)
    found = _difference(stage, c_in, c_out, row, pictures)
    checks.require(not found, f'for the row "{row}": {found}')
    # The sentence was made beside your code; now compare the numbers themselves.
    right = VGGBlock(c_in, c_out, row)
    parameters = checks.parameters_of(stage)
    sizes = [[value.shape for value in values] for values in (parameters.values(), right.parameters())]
    checks.require(sizes[0] == sizes[1], f'for the row "{row}": your layers have other weights')
    right.load_state_dict(dict(zip(right.state_dict(), parameters.values(), strict=True)))
    checks.require_tensor(stage(pictures), right(pictures), tolerance=1e-4)


stage_is_right = checks.show(check_stage, make_stage)


### BEGIN HIDDEN TESTS
def check_answer(make_stage):
    check_stage(make_stage)
    check_stage(make_stage, 5, 5, "3", 8)
    check_stage(make_stage, 4, 12, "3 3 1")
    check_stage(make_stage, 16, 6, "3 3 3 3", 12)
    check_stage(make_stage, 3, 8, "5 1")


checks.award(4, check_answer, make_stage)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: Grad-CAM by hand
#
# Complete the function. It gets a layer's maps $A^k$ for N images, and the gradients of each
# image's class logit with respect to them. It returns the Grad-CAM map of each image, as large as
# the image. Take the weights (means of the gradients over the positions), the weighted sum of the
# maps, and ReLU, and then upsample bilinearly with `F.interpolate(..., mode="bilinear")`, whose
# input and output have four axes.


# %% task="cam"
def cam(maps: torch.Tensor, gradients: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Turn maps and gradients, both (N, K, h, w), into (N, *size), never negative."""
    ### BEGIN SOLUTION
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, K, 1, 1)
    coarse = F.relu((weights * maps).sum(dim=1, keepdim=True))  # (N, 1, h, w)
    return F.interpolate(coarse, size, mode="bilinear")[:, 0]  # (N, H, W)
    ### END SOLUTION


# %% check="cam_check" points=4
import torch

from course_utils import checks


def check_cam(cam):
    # Two maps of 2 x 2 positions; the means of their gradients are 3 and 1.
    maps = torch.tensor([[[[1.0, -4.0], [2.0, 0.5]], [[-1.0, 4.0], [-2.0, -0.5]]]])
    gradients = torch.tensor([[[[3.0, 3.0], [3.0, 3.0]], [[4.0, 0.0], [0.0, 0.0]]]])
    given = maps.clone(), gradients.clone()
    answer = cam(*given, (2, 2))  # as large as the maps: nothing to upsample
    slips = {
        "you leave out the ReLU": [[2, -8], [4, 1]],
        "you apply ReLU to each map before the sum": [[3, 4], [6, 1.5]],
        "you add the gradients up instead of averaging them": [[8, 0], [16, 4]],
        "you take the gradients themselves as weights, not their means": [[0, 0], [6, 1.5]],
        "you average the gradients over the maps, not over the positions": [[0, 0], [0, 0]],
        "you average over the maps instead of adding them up": [[1, 0], [2, 0.5]],
    }
    slips = {slip: torch.tensor([values]) for slip, values in slips.items()}
    checks.require_tensor(answer, torch.tensor([[[2.0, 0.0], [4.0, 1.0]]]), slips)
    same = torch.equal(maps, given[0]) and torch.equal(gradients, given[1])
    checks.require(same, "your function changes the tensors that it is given")
    shape = tuple(cam(maps, gradients, (6, 8)).shape)
    checks.require(shape == (1, 6, 8), f"a map for a 6 x 8 image must be (1, 6, 8), not {shape}")


cam_is_right = checks.show(check_cam, cam)


### BEGIN HIDDEN TESTS
def check_answer(cam):
    import torch.nn.functional as F

    def ours(maps, gradients, size, relu=F.relu, mean=(2, 3), each=False, sign=1, mode="bilinear"):
        """Compute Grad-CAM by its definition, or with one thing changed."""
        weights = gradients.mean(dim=mean, keepdim=True) if mean else gradients
        weighted = (weights.abs() if sign is None else weights) * maps
        coarse = F.relu(weighted).sum(1, True) if each else relu(weighted.sum(1, True))
        return F.interpolate(coarse, size, mode=mode)[:, 0]

    def compare(N, K, h, w, size):
        maps = checks.random_tensor(N, K, h, w, seed=1)
        gradients = checks.random_tensor(N, K, h, w, seed=2)
        right = ours(maps, gradients, size)
        changes = {
            "you apply ReLU to each map before the sum": {"each": True},
            "you take the gradients themselves as weights, not their means": {"mean": None},
            "you average the gradients over the maps, not over the positions": {"mean": (1,)},
            "you drop the signs of the weights": {"sign": None},
            "you upsample by repeating pixels": {"mode": "nearest"},
        }
        slips = {slip: ours(maps, gradients, size, **c) for slip, c in changes.items()}
        linear = ours(maps, gradients, size, relu=lambda x: x)
        slips["you apply ReLU after upsampling"] = linear.relu()
        slips["you average over the maps instead of adding them up"] = right / K
        slips["you do not upsample"] = ours(maps, gradients, (h, w))
        slips["you keep the channel axis"] = right[:, None]
        answer = cam(maps.clone(), gradients.clone(), size)
        checks.require_tensor(answer, right, slips, hint="one map for each image, as large")

    check_cam(cam)
    compare(2, 3, 4, 4, (8, 8))
    compare(3, 5, 4, 6, (16, 24))
    compare(1, 2, 7, 7, (28, 28))


checks.award(4, check_answer, cam)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: read the chart
#
# Complete the function. It gets the rows of a chart, `(name, accuracy, cost)`, in any order, and
# returns the **set** of the names on the Pareto front: those that no other row beats. One row beats
# another if it is at least as accurate *and* at most as costly, and better in one of the two.


# %% task="front"
def pareto_front(rows: list[tuple[str, float, float]]) -> set[str]:
    """Return the names of the rows that no other row beats."""
    ### BEGIN SOLUTION
    front = set()
    for name, accuracy, cost in rows:
        beaten = any(
            other >= accuracy and price <= cost and (other > accuracy or price < cost)
            for _, other, price in rows
        )
        if not beaten:
            front.add(name)
    return front
    ### END SOLUTION


# %% check="front_check" points=3
from course_utils import checks

_CHART = [
    ("A", 0.90, 100.0), ("B", 0.85, 20.0), ("C", 0.89, 300.0), ("D", 0.92, 300.0), ("E", 0.80, 50.0),
]  # fmt: skip


def check_front(pareto_front, rows=_CHART, front=("A", "B", "D"), slips=()):
    answer = pareto_front(list(rows))
    if answer is None:
        raise checks.NotAnswered
    checks.require(isinstance(answer, set), f"return a set, not {type(answer).__name__}")
    for slip, wrong in slips:
        checks.require(answer != set(wrong), f"{sorted(answer)} is what you get if {slip}")
    for name in sorted(answer - set(front)):
        checks.require(False, f"{name} is on your front, but another row beats it")
    for name in front:
        checks.require(name in answer, f"{name} is missing from your front: no other row beats it")


front_is_right = checks.show(check_front, pareto_front)


### BEGIN HIDDEN TESTS
def check_answer(pareto_front):
    check_front(pareto_front)
    check_front(pareto_front, _CHART[::-1])
    equal_cost = [("P", 0.7, 10.0), ("Q", 0.8, 10.0), ("R", 0.8, 20.0)]
    slips = [
        ("you keep rows that are as accurate but cost more", ("Q", "R")),
        ("you keep rows that cost as much but are less accurate", ("P", "Q")),
    ]
    check_front(pareto_front, equal_cost, ("Q",), slips)
    twins = [("S", 0.9, 5.0), ("T", 0.9, 5.0), ("U", 0.5, 9.0)]
    check_front(pareto_front, twins, ("S", "T"), [("you let equal rows beat each other", ())])
    check_front(pareto_front, [("alone", 0.1, 1.0)], ("alone",))


checks.award(3, check_answer, pareto_front)
### END HIDDEN TESTS

# %% [markdown]
# ## In your own words
#
# A team classifies photos of skin marks. Its net is right on 97 % of the validation photos. In the
# Grad-CAM maps of fifty malignant marks nearly all of the mass lies at the border of the image,
# where many photos show a ruler. **(a)** What do you conclude, and what do you *not* know yet?
# **(b)** Name one experiment that would tell, and say what you would expect from it. Three to five
# sentences, 2 points, read by a person.

# %% [markdown] written="ruler" points=2
# **A model answer.** The evidence for "malignant" lies where the ruler is, not on the mark: the net
# may have learned that doctors measure what they find suspicious. Validation cannot warn you, since
# its photos come from the same clinics. The map shows where, not what; the border might also hold a
# vignette, or the scanner's frame. So cover the ruler in the malignant photos (or copy rulers into
# benign ones) and look at the predictions: if the ruler is the cue, accuracy falls on the first,
# and benign marks with a ruler are classified as malignant.
#
# **Marking scheme.**
#
# - (a) 1 point: a cue beside the object is likely, *and* one limit is named (a map says where, not
#   what; fifty images; validation shares the cue). Half a point for either alone.
# - (b) 1 point: an intervention on the images (cover, crop, paste, new photos without rulers)
#   with the expected outcome. Half a point without the outcome. No point for "train longer" or
#   "look at more maps".

# %% [markdown]
# ## Challenge
#
# This part earns no points. **Who classifies `shapes` best, with at most 15 million multiply-adds for
# an image and two minutes of training?** You hand in a file, `my_entry.py`, that builds a net and says
# how to train it. Such as:
#
# ```python
# from torch import nn
#
# from course_utils.data import Augment
# from course_utils.training import TrainConfig
#
# config = TrainConfig(epochs=4, lr=0.05)
# augment = Augment(crop_padding=2)
# batch_size = 64
#
#
# def build() -> nn.Module:
#     return nn.Sequential(
#         nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
#         nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
#     )
# ```
#
# Score it at home on practice images, in a cell of your own or in a terminal:
#
#     from course_utils import challenge
#     challenge.practise("my_entry.py")
#
#     python -m course_utils challenge my_entry.py
#
# Your teacher scores it on images that nobody has seen. The rules:
#
# - **The challenge trains**, on 1,600 images that are the same for everybody. It counts 120 seconds of
#   processor time, on one core. What is not done by then is left out, so ask for few enough epochs.
# - **The initial weights are shuffled** before training: whatever an entry has learned elsewhere is lost.
# - **Everything counts.** A convolution or a product of matrices counts its multiply-adds, as in
#   `summary`, wherever it is called: in a layer, a hook or a function. Any other operator counts one for
#   each number that goes in or comes out.
# - **Each image is classified by itself.** A net cannot decide by what it sees which operators run.
# - An entry has at most 6,000 bytes. It imports torch, `course_utils.models`, `Augment` and
#   `TrainConfig`, but reads no file and draws no images.
