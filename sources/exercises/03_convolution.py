# %% [markdown]
# # Exercise 03: convolution, by hand
#
# **You practise** designing a filter for a purpose, finding two faults by their symptoms, finding a
# layer's weights from its outputs, and measuring how much one image tells you about a filter.
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
from course_utils.kernels import named_kernel
from course_utils.plots import plot_images, show

SOBEL = named_kernel("Sobel, vertical edges")


def own_motif(student_id):
    """Return your motif (5, 5): 12 ones among 25 pixels."""
    motif = torch.zeros(25)
    motif[torch.randperm(25, generator=quiz.generator(student_id))[:12]] = 1.0
    return motif.reshape(5, 5)


def own_box(student_id):
    """Return your black box: 3 x 3 weights that slide over images (N, H, W), and a ReLU."""
    weights = torch.randint(1, 10, (1, 1, 3, 3), generator=quiz.generator(student_id)).float()
    return lambda images: F.conv2d(images[:, None], weights).relu()[:, 0]


def own_stripes(student_id):
    """Return your image (32, 32), and the period and slope of its thin lines."""
    drawn = quiz.generator(student_id)
    period, slope = (int(torch.randint(*span, (), generator=drawn)) for span in ((4, 9), (1, 4)))
    period += int(period == 2 * slope)  # such stripes could lead to Sobel itself
    rows, columns = torch.arange(32)[:, None], torch.arange(32)
    return ((slope * rows + columns) % period == 0).float(), period, slope


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your motif, your
# black box and your stripes, so yours will differ from most people's. If you work on your own,
# leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="zeros_in_the_matrix"
zeros_in_the_matrix = None
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/03_convolution", "zeros_in_the_matrix", student_id)
n, k = numbers["n"], numbers["k"]
zeros_in_the_matrix = (n - k + 1) * (n - k)  # each row has k weights, the rest are zeros
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="square_seen"
square_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/03_convolution", "square_seen", student_id)
a, b = question.values["a"], question.values["b"]
# At the left side, the larger of a and b reaches the white pixels first; 1 - 0 is positive.
seen = "Its left side " + ("positive, its right side negative" if a > b else "negative, its right")
square_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="flip_told"
flip_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/03_convolution", "flip_told", student_id)
a, c = question.values["a"], question.values["c"]
# One white pixel shows all weights in their order; if a = c, that order is the same both ways.
told = "No experiment" if a == c else "Give it one white pixel"
flip_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: take a kernel apart
#
# A separable kernel is the product of a column and a row, $f_{ij} = c_i\, r_j$. Complete the
# function so that it takes such a kernel and returns a column and a row whose product is the
# kernel. There are many such pairs; any will do.
#
# hint: Every row of the kernel is a multiple of the row $r$, and every column a multiple of $c$.
#
# hint: So take one row and one column of the kernel. By what factor is their product too large?
#
# hint: That factor is the number where the row and the column cross. Divide one of them by it, and
# choose a crossing where the number is not 0: in Sobel's kernel, the whole middle column is 0.


# %% task="split"
def split(kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a column (K_h,) and a row (K_w,) whose product is the separable `kernel`."""
    ### BEGIN SOLUTION
    i, j = divmod(int(kernel.abs().argmax()), kernel.shape[1])  # the largest number is not 0
    column, row = kernel[:, j], kernel[i]
    return column, row / kernel[i, j]  # at the crossing the product is kernel[i, j] squared
    ### END SOLUTION


# %% check="split_check" points=1
import torch

from course_utils import checks


def _require_split(split, kernel):
    answer = split(kernel.clone())
    if answer is None:
        raise checks.NotAnswered
    is_pair = type(answer) in (tuple, list) and len(answer) == 2
    checks.require(is_pair, "Return two tensors: the column, then the row")
    for vector, size, name in zip(answer, kernel.shape, ("column", "row"), strict=True):
        shape = tuple(getattr(vector, "shape", ()))
        checks.require(shape == (size,), f"Your {name} has the shape {shape}, expected ({size},)")
    product = torch.outer(answer[0].double(), answer[1].double())
    is_finite = bool(product.isfinite().all())
    checks.require(is_finite, "Your column or row is not finite: do you divide by 0?")
    factor = float((product * kernel).sum() / kernel.square().sum())
    slip = (
        f"you keep a factor of {factor:.3g}: the product of column and row must be the kernel "
        "itself"
    )
    slips = {slip: factor * kernel} if abs(factor) > 1e-3 else {}
    checks.require_tensor(product, kernel.double(), slips)


def check_small(split):
    kernel = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]))
    _require_split(split, kernel)


split_is_right = checks.show(check_small, split)


### BEGIN HIDDEN TESTS
def check_answer(split):
    import torch

    check_small(split)
    column = checks.random_tensor(4, seed=1)
    for zeros in ([-1.0, 0.0, 1.0], [0.0, 1.0, 2.0], [-3.0, -1.0, 0.0]):
        _require_split(split, torch.outer(column, torch.tensor(zeros)))
        _require_split(split, torch.outer(torch.tensor(zeros), column))


checks.award(1, check_answer, split)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=8
# ## Task 2: a filter that finds
#
# Design a filter that finds a motif, such as yours, which is shown below. Complete the function so
# that it returns such a filter. When `F.conv2d` slides the filter over an image, its output must be
#
# - 0 on every flat area, however bright;
# - exactly 1 where the motif lies on a flat area (its pixels are added to those of the area);
# - largest where the motif lies, in at least nine out of ten images with noise *and* bright squares
#   larger than the motif.
#
# hint: Begin with the motif itself as a filter: its output is large where bright pixels meet
# weights of 1. Why does a bright square beat the motif?
#
# hint: What does the lesson say about the sum of the weights? Which single number can you subtract
# from all the weights so that flat areas give 0?
#
# hint: If the weights add up to 0, the output on the motif is the sum, over its pixels, of weight
# times pixel. Divide the weights by that sum, and the output is 1.

# %%
show(plot_images([own_motif(student_id)[None]], ["your motif"]), "5 x 5 pixels, 12 of them white")


# %% task="motif"
def motif_filter(motif: torch.Tensor) -> torch.Tensor:
    """Return a filter as large as the `motif` (K_h, K_w), float, which finds it."""
    ### BEGIN SOLUTION
    weights = motif - motif.mean()  # they add up to 0, so flat areas give 0
    return weights / (weights * motif).sum()  # now the output on the motif is 1
    ### END SOLUTION


# %% check="motif_check" points=3
import torch
import torch.nn.functional as F

from course_utils import checks


def _require_gain(kernel, motif):
    found, expected = tuple(getattr(kernel, "shape", ())), tuple(motif.shape)
    sentence = f"Your filter has the shape {found}, expected {expected}: as large as the motif"
    checks.require(found == expected, sentence)
    gain = float((kernel.double() * motif.double()).sum())
    checks.require(abs(gain - 1) < 1e-3, f"On the motif alone your output is {gain:.4g}, not 1")


def _share_found(kernel, motif, drawn, squares):
    """Return the share of 50 images in which the largest output is where the motif lies."""
    (height, width), found = motif.shape, 0
    for _ in range(50):
        image = 0.3 + 0.08 * torch.randn(40, 40, generator=drawn)
        for _ in range(squares):
            i, j = torch.randint(0, 40 - 9, (2,), generator=drawn)
            image[i : i + 9, j : j + 9] += 0.6
        i, j = (int(torch.randint(0, 40 - size, (), generator=drawn)) for size in motif.shape)
        image[i : i + height, j : j + width] = 0.3 + 0.8 * motif  # on a flat area of its own
        scores = F.conv2d(image[None, None], kernel[None, None].float())[0, 0]
        found += int(scores.argmax()) == i * scores.shape[1] + j
    return found / 50


def check_small(motif_filter):
    motif = own_motif(student_id)
    kernel = motif_filter(motif.clone())
    if kernel is None:
        raise checks.NotAnswered
    _require_gain(kernel, motif)
    share = _share_found(kernel, motif, checks.generator(5), squares=0)
    sentence = (
        f"In noise alone your filter finds the motif in {share:.0%} of the images: "
        "at least 90% is needed"
    )
    checks.require(share >= 0.9, sentence)


motif_is_right = checks.show(check_small, motif_filter)


### BEGIN HIDDEN TESTS
def check_answer(motif_filter):
    import torch

    check_small(motif_filter)
    drawn = checks.generator(6)
    for size in [(5, 5), (4, 7), (6, 6)]:
        num_pixels = size[0] * size[1]
        motif = torch.randperm(num_pixels, generator=drawn).reshape(size) / num_pixels
        motif = (motif > 0.5).float() * (0.9 + 0.1 * motif)  # dark and bright, at random
        before = motif.clone()
        kernel = motif_filter(motif)
        checks.require(torch.equal(motif, before), "Your function changes the motif")
        _require_gain(kernel, motif)
        flat = abs(float(kernel.double().sum()))
        sentence = f"On a flat area of brightness 1 your output is {flat:.4g}, not 0"
        checks.require(flat < 1e-4, sentence)
        share = _share_found(kernel, motif, drawn, squares=3)
        sentence = (
            f"Among bright squares your filter finds a motif in {share:.0%} of the images: "
            "at least 90% is needed"
        )
        checks.require(share >= 0.9, sentence)


checks.award(3, check_answer, motif_filter)
### END HIDDEN TESTS

# %% [markdown]
# Here is your filter at work.

# %%
if motif_is_right:
    scene = 0.3 + 0.08 * torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    scene[4:13, 5:14] += 0.6
    scene[24:29, 22:27] = 0.3 + 0.8 * own_motif(student_id)
    scores = F.conv2d(scene[None, None], motif_filter(own_motif(student_id))[None, None])[0]
    titles = ["image", "output"]
    figure = plot_images([scene[None].clamp(0, 1), scores.clamp(0, 1)], titles, num_columns=2)
    show(figure, "Noise with a bright square and your motif; in the output one point stands out")
else:
    print("An image and your filter's output appear here once task 2 is done.")

# %% [markdown] tier="build" minutes=7
# ## Task 3: an edge detector with two faults
#
# Somebody wrote the function below, and a colleague reports two symptoms: "The edges of a disc come
# out as horizontal stripes all over the map. And the outline of a square lacks two of its corners."
# Run the next two cells, and look at the figure before you read the code.

# %% readonly="broken"
SOBELS = torch.stack([SOBEL, SOBEL.T])[:, None]  # (2, 1, 3, 3): the slopes across and down


def broken_edge_strength(photo):
    """Return the edge strength (H - 2, W - 2), float, of a photo (H, W, 3), uint8."""
    height, width, channels = photo.shape
    image = photo.reshape(channels, height, width).float() / 255
    grey = image.mean(dim=0)
    slopes = F.conv2d(grey[None, None], SOBELS)[0]
    return slopes.sum(dim=0).abs()


# %%
r, c = torch.meshgrid(torch.arange(48) - 23.5, torch.arange(48) - 23.5, indexing="ij")
disc = (40 + 180 * (r**2 + c**2 < 300)).byte()[..., None].expand(-1, -1, 3)
square = (40 + 180 * ((r.abs() < 15) & (c.abs() < 15))).byte()
of_disc = broken_edge_strength(disc)
# The square is grey already, so only the last two steps of the function remain.
of_square = F.conv2d(square[None, None] / 255, SOBELS)[0].sum(dim=0).abs()
shown = [disc.permute(2, 0, 1) / 255, of_disc[None] / 4, square[None] / 255, of_square[None] / 4]
titles = ["a disc", "its edges?", "a square", "its edges?"]
show(
    plot_images([each.clamp(0, 1) for each in shown], titles, num_columns=4),
    "A bright disc and its edge map, which is full of horizontal stripes; a bright square and its "
    "edge map, an outline that lacks two opposite corners",
)

# %% [markdown]
# Fix the function: write `edge_strength` without the two faults. It takes the mean of the three
# channels as the brightness, from 0 to 1, and returns the length of the gradient of this
# brightness, $\sqrt{g_x^2 + g_y^2}$.
#
# hint: The first symptom is there before any filter is applied: look at `disc.reshape(3, 48, 48)`.
# In what order do the values of a photo lie in memory, and what does `reshape` do to that order?
#
# hint: Now explain the second symptom. What are the two slopes at the four corners of the square?
# At which corners do they have opposite signs?
#
# hint: Axes are exchanged by `permute`, not by `reshape`. And the two slopes are the components of
# a vector: what is its length?


# %% task="edges"
def edge_strength(photo: torch.Tensor) -> torch.Tensor:
    """Return the edge strength (H - 2, W - 2), float, of a photo (H, W, 3), uint8."""
    ### BEGIN SOLUTION
    image = photo.permute(2, 0, 1).float() / 255  # reshape keeps the order of the values
    slopes = F.conv2d(image.mean(dim=0)[None, None], SOBELS)[0]  # (2, H - 2, W - 2)
    return slopes.norm(dim=0)  # in a sum, opposite signs would cancel
    ### END SOLUTION


# %% check="edges_check" points=2
import torch
import torch.nn.functional as F

from course_utils import checks


def check_small(edge_strength):
    photo = torch.zeros(7, 7, 3, dtype=torch.uint8)
    photo[:, 4:] = 255  # dark on the left, bright on the right
    expected = torch.tensor([0.0, 0.0, 4.0, 4.0, 0.0]).expand(5, 5)
    slips = {
        "you leave the brightness between 0 and 255": 255 * expected,
        "you swap rows and columns": expected.T,
    }
    strength = edge_strength(photo.clone())
    checks.require_tensor(strength, expected, slips, tolerance=1e-4)


edges_are_right = checks.show(check_small, edge_strength)


### BEGIN HIDDEN TESTS
def check_answer(edge_strength):
    import torch
    import torch.nn.functional as F

    check_small(edge_strength)
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    for seed, size in enumerate([(9, 12), (14, 8)]):
        drawn = checks.generator(seed)
        photo = torch.randint(0, 256, (*size, 3), generator=drawn).byte()

        def slopes(image):
            filters = torch.stack([across, across.T])[:, None]
            return F.conv2d(image[None, None], filters)[0]

        channels = (photo / 255).movedim(2, 0)
        x, y = slopes(channels.mean(0))
        expected = (x**2 + y**2).sqrt()
        slips = {
            "you add the slopes: where their signs differ, they cancel": (x + y).abs(),
            "you add the absolute values of the slopes: that is not the length of a vector": (
                x.abs() + y.abs()
            ),
            "you take the larger of the two slopes": torch.maximum(x.abs(), y.abs()),
            "you look at one channel only": slopes(channels[0]).norm(dim=0),
            "you add up the channels: take their mean": 3 * expected,
            "you forget the square root": expected**2,
        }
        checks.require_tensor(edge_strength(photo), expected, slips, tolerance=1e-4)


checks.award(2, check_answer, edge_strength)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=8
# ## Task 4: a black box
#
# A layer slides `k` by `k` weights over an image, without padding, and applies a ReLU: negative
# values become 0. You cannot look at its weights. You may send it **at most two images**, in a
# single call, and look at the output. Complete both functions: `probes` makes the images, and
# `recover` finds the weights from the output. `own_box(student_id)` is your box; other boxes have
# different weights, some of them negative.
#
# hint: Which image shows the weights one by one? The lesson used it to tell cross-correlation from
# convolution.
#
# hint: For a single white pixel, far enough from the border, the output shows the weights, rotated
# by 180°. What is missing from it because of the ReLU?
#
# hint: For which second image does the output show the negative weights, as positive numbers? How
# do you combine the two outputs?


# %% task="box"
def probes(k: int) -> torch.Tensor:
    """Return at most two images (N, H, W) for a box with `k` by `k` weights."""
    ### BEGIN SOLUTION
    dot = torch.zeros(2 * k - 1, 2 * k - 1)
    dot[k - 1, k - 1] = 1.0  # k * k windows hold the pixel, each under a different weight
    return torch.stack([dot, -dot])  # the second shows the negative weights
    ### END SOLUTION


def recover(outputs: torch.Tensor) -> torch.Tensor:
    """Return the weights (k, k) from the outputs of the box for your `probes(k)`."""
    ### BEGIN SOLUTION
    positive, negative = outputs  # one of them is the weight's absolute value, the other is 0
    # A window further up holds the pixel under a weight further down: rotate by 180 degrees.
    return (positive - negative).flip(0, 1)
    ### END SOLUTION


# %% check="box_check" points=2
import torch
import torch.nn.functional as F

from course_utils import checks


def _recovered(probes, recover, k, box):
    images = probes(k)
    if images is None:
        raise checks.NotAnswered
    shape = tuple(getattr(images, "shape", ()))
    fits = len(shape) == 3 and 1 <= shape[0] <= 2 and min(shape[1:]) >= k
    sentence = (
        f"Your probes have the shape {shape}: send one or two images of at least {k} × {k} pixels"
    )
    checks.require(fits, sentence)
    return recover(box(images.float()))


def check_small(probes, recover):
    box = own_box(student_id)
    dot = torch.zeros(1, 5, 5)
    dot[0, 2, 2] = 1.0
    weights = box(dot)[0].flip(0, 1)
    slips = {
        "you forget that the weights appear rotated by 180 degrees": weights.flip(0, 1),
        "you reverse only the order of the rows": weights.flip(1),
        "you reverse only the order of the columns": weights.flip(0),
    }
    checks.require_tensor(_recovered(probes, recover, 3, box), weights, slips, tolerance=1e-3)


box_is_right = checks.show(check_small, probes, recover)


### BEGIN HIDDEN TESTS
def check_answer(probes, recover):
    import torch.nn.functional as F

    check_small(probes, recover)
    for seed, k in enumerate([3, 5, 4]):
        weights = checks.random_tensor(k, k, seed=seed)

        def box(images, weights=weights):
            return F.conv2d(images[:, None], weights[None, None]).relu()[:, 0]

        slips = {
            "you miss the negative weights: the ReLU turns them into 0": weights.relu(),
            "you lose the signs": weights.abs(),
            "you forget that the weights appear rotated by 180 degrees": weights.flip(0, 1),
        }
        checks.require_tensor(_recovered(probes, recover, k, box), weights, slips, tolerance=1e-3)


checks.award(2, check_answer, probes, recover)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=11
# ## Task 5: is one image enough?
#
# In the lesson, one image of noise was enough to find Sobel's nine weights. Is *any* image enough?
# Yours has thin lines. Each of its 3 × 3 windows gives you one equation for the nine weights.

# %% readonly="stripes"
stripes, period, slope = own_stripes(student_id)

# %%
print(f"white where {slope} * row + column is divisible by {period}")
show(plot_images([stripes[None]], ["your stripes"]), "Thin white lines on black, evenly spaced")

# %% [markdown]
# **Predict first.** How many of these equations are independent? In other words, how many facts
# about the nine weights does your image tell you, not counting those that follow from others? Write
# down your prediction before you run anything. A wrong prediction costs nothing; without a
# prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # a whole number from 1 to 9
### BEGIN SOLUTION
# The weight in row p and column q meets white pixels at the same time as all those for which
# slope * p + q has the same remainder. Each remainder gives one sum, so count the remainders.
predicted = len({(slope * p + q) % period for p in range(3) for q in range(3)})
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Measure the number of independent equations. Then find a filter whose
# output on your stripes is the same as Sobel's. Use your stripes alone: train the filter on them,
# or solve the equations. Then measure how much the outputs of the two filters differ on your
# stripes, and on an image of noise.
#
# hint: Look at a window. The output is the sum of the weights that lie on white pixels. What does
# the next window add to what you know?
#
# hint: Two weights that always lie on white pixels at the same time appear only as their sum. So
# how many *different* sums does your image give you?
#
# hint: Write every window as a row of nine numbers (`F.unfold`, transposed). The number of
# independent rows is the rank of this table: `int(torch.linalg.matrix_rank(table))`.

# %% task="experiment"
measured = None  # a whole number: the number of independent equations, by an experiment
found = None  # your filter (3, 3), found from your stripes alone
### BEGIN SOLUTION
windows = F.unfold(stripes[None, None], 3)[0].T  # (900, 9): each window is one equation
measured = int(torch.linalg.matrix_rank(windows))  # equations that follow from others do not count
outputs = windows @ SOBEL.reshape(9)
found = (torch.linalg.pinv(windows) @ outputs).reshape(3, 3)  # the smallest of all solutions
noise = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
for name, image in {"stripes": stripes[None, None], "noise": noise}.items():
    # Convolution is linear: filter with the difference to get the difference of the outputs.
    gap = F.conv2d(image, (found - SOBEL)[None, None]).abs().max()
    print(f"largest difference from Sobel's output on {name}: {gap:.2f}")
### END SOLUTION

# %% check="experiment_check" points=2
import torch
import torch.nn.functional as F

from course_utils import checks


def check_small(predicted, measured, found):
    if measured is None and found is None:
        raise checks.NotAnswered
    checks.require(predicted is not None, "Write your prediction down before the experiment")
    for number in (predicted, measured):
        fits = 1 <= checks.as_integer(number) <= 9
        checks.require(fits, f"There can be 1 to 9 facts about nine weights, not {number}")
    shape = tuple(getattr(found, "shape", ()))
    checks.require(shape == (3, 3), f"Your filter has the shape {shape}, expected (3, 3)")
    stripes, _, _ = own_stripes(student_id)
    gap = F.conv2d(stripes[None, None], (found.float() - SOBEL)[None, None]).abs().max()
    sentence = (
        f"On your stripes the output differs from Sobel's by up to {gap:.3g}: "
        "less than 0.02 is needed"
    )
    checks.require(bool(gap < 0.02), sentence)
    is_sobel = bool((found.float() - SOBEL).abs().max() < 0.05)
    checks.require(
        not is_sobel, "This is the Sobel filter itself, which your stripes alone do not determine"
    )


_BESIDE = f"you predicted {predicted} and measured {measured}: explain this below"
experiment_is_right = checks.show(check_small, predicted, measured, found, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, measured, found):
    check_small(predicted, measured, found)
    windows = F.unfold(own_stripes(student_id)[0][None, None], 3)[0].T
    slips = {
        "you count the different windows: a black one tells you nothing": len(
            windows.unique(dim=0)
        ),
        "you count the weights, not what your image tells you about them": 9,
    }
    checks.require_number(measured, int(torch.linalg.matrix_rank(windows)), slips)


checks.award(2, check_answer, predicted, measured, found)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show? Why does your
# filter agree with Sobel on your stripes, but not on noise? Which image would you use instead, and
# why? 2 points, graded by a person.

# %% [markdown] written="one_image" points=2
# **A model answer.** I predicted 5 and measured 5, although there are 900 windows: my lines are
# diagonals, on which row + column is divisible by 8, so weights on the same diagonal of the filter
# always meet white pixels at the same time, and the image gives only the sum of each of the five
# diagonals. Every filter with the same sums gives the same output on my stripes, so an error of 0
# there says nothing about noise, where these weights meet different pixels: there the output of my
# filter is off by up to 8.3. I would use noise, or a single white pixel: both give nine independent
# windows.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement, and explains a gap (windows that
#   repeat, weights that always meet white pixels at the same time) or, if there is no gap, says why
#   the prediction was right. Half a point if both numbers are there without a reason. A wrong
#   prediction costs nothing.
# - 1 point: the answer says that the stripes do not determine all the weights, so that agreement on
#   them proves nothing elsewhere, *and* names an image with independent windows. Half a point for
#   only one.
