# %% [markdown]
# # Exercise 06: a measure for shifts, Fourier's shortcut, and a blur
#
# **You practise** measuring how equivariant a layer is, applying a filter through its spectrum, and
# repairing a subsampling.
#
# **Minutes:** 50 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 06
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the equivariance error | 4 | the checks |
# | Task 2: cross-correlation through Fourier | 3 | the checks |
# | Task 3: write blur-pooling | 3 | the checks |
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

# %% quiz="exact_shift"
exact_shift = None  # pixels
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/06_equivariance_and_fourier", "exact_shift", student_id)
a, b, c = (numbers[letter] for letter in "abc")
exact_shift = a * b * c  # only then is the shift a whole number of pixels after every layer
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="alias"
alias = None  # periods
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/06_equivariance_and_fourier", "alias", student_id)
n, c, s = (numbers[letter] for letter in "ncs")
m = n // s  # pixels that are left
alias = min(c % m, m - c % m)  # frequencies repeat every m, and mirror at m / 2
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="dark_rim"
dark_rim = None  # pixels
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/06_equivariance_and_fourier", "dark_rim", student_id)
k, num_layers = numbers["k"], numbers["num_layers"]
dark_rim = num_layers * (k // 2)  # each layer looks k // 2 pixels further
### END SOLUTION

# %% [markdown]
# ## Task 1: the equivariance error
#
# Complete the function. Let $T$ move images down by `rows` pixels, so that what leaves at the
# bottom comes in at the top. For a layer $f$ whose output is as large as its input, return
# $\|f(Tx) - T f(x)\| / \|f(x)\|$, where $\|\cdot\|$ is the square root of the sum of all squares.


# %% task="error"
def equivariance_error(layer, x: torch.Tensor, rows: int) -> float:
    """Measure how far `layer` is from equivariant, on x (N, C, H, W); 0 is exact."""
    ### BEGIN SOLUTION
    output = layer(x)
    moved_first = layer(x.roll(rows, dims=-2))
    moved_last = output.roll(rows, dims=-2)
    return ((moved_first - moved_last).norm() / output.norm()).item()
    ### END SOLUTION


# %% check="error_check" points=4
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Layer:
    """A layer to be measured: one of a few, with these weights."""

    def __init__(self, kind, weights):
        self.kind, self.weights = kind, weights

    def __call__(self, x):
        if self.kind == "product":
            return x * self.weights
        if self.kind == "upside down":
            return x.flip(-2) + x
        mode = {"zeros": "constant", "ring": "circular"}[self.kind]
        padded = nn.functional.pad(x, (1, 1, 1, 1), mode=mode)
        return nn.functional.conv2d(padded, self.weights)


@checks.beside
def _measured(equivariance_error, kind, weights, x, rows):
    return equivariance_error(_Layer(kind, weights), x, rows)


def check_small(equivariance_error):
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 3, 1)
    weights = torch.tensor([0.0, 1.0, 2.0]).view(3, 1)
    answer = _measured(equivariance_error, "product", weights, x, 1)
    if isinstance(answer, torch.Tensor):
        raise checks.CheckFailed("return a Python float: a tensor of one number has .item()")
    slips = {
        "you do not divide the difference by the size of f(x)": 41**0.5,
        "you compare f(Tx) with f(x): that is invariance": (5 / 40) ** 0.5,
        "you divide the difference by the size of x": (41 / 14) ** 0.5,
        "you divide the difference by the size of f(Tx)": (41 / 17) ** 0.5,
        "you forget the square root": 41 / 40,
        "you make the second shift upwards": (45 / 40) ** 0.5,
        "you compare x with Tx": (6 / 40) ** 0.5,
    }
    checks.require_number(answer, (41 / 40) ** 0.5, slips)


error_is_right = checks.show(check_small, equivariance_error)


### BEGIN HIDDEN TESTS
def check_answer(equivariance_error):
    import torch

    from course_utils import equivariance

    check_small(equivariance_error)
    kernel = checks.random_tensor(3, 2, 3, 3, seed=1)

    for seed, (kind, rows) in enumerate([("zeros", 2), ("zeros", -3), ("upside down", 1)]):
        x = checks.random_tensor(2, 2, 8, 6, seed=seed)
        before = x.clone()
        right = equivariance.equivariance_error(_Layer(kind, kernel), x, rows)
        answer = _measured(equivariance_error, kind, kernel, x, rows)
        checks.require_number(answer, right, tolerance=1e-4)
        checks.require(torch.equal(x, before), "your function changes the images that it is given")
    exact = _measured(equivariance_error, "ring", kernel, checks.random_tensor(1, 2, 8, 8), 3)
    checks.require(abs(exact) < 1e-5, f"a convolution on a ring has the error 0, not {exact:.3g}")


checks.award(4, check_answer, equivariance_error)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: cross-correlation through Fourier
#
# Complete the function: $y(r) = \sum_p f(p)\, x(r + p)$ on the ring, where $r + p$ starts again at
# 0 after the last pixel, and $p$ counts from the kernel's upper left corner. Use the Fourier
# transform (`torch.fft.fft2`, `ifft2`) and watch out for the lesson's trap. Do not call torch's own
# convolution.


# %% task="fourier"
def cross_correlation(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Slide `kernel` (k, k) over the ring x (H, W), both float; return (H, W), float."""
    ### BEGIN SOLUTION
    height, width = x.shape
    k = len(kernel)
    padded = torch.zeros(height, width)  # the spectrum must have as many frequencies as that of x
    padded[:k, :k] = kernel
    spectrum = torch.fft.fft2(padded).conj() * torch.fft.fft2(x)
    return torch.fft.ifft2(spectrum).real
    ### END SOLUTION


# %% check="fourier_check" points=3
import torch

from course_utils import checks


def _run(cross_correlation, x, kernel):
    with checks.without("conv1d", "conv2d", "conv3d"):
        output = cross_correlation(x.clone(), kernel.clone())
    is_complex = isinstance(output, torch.Tensor) and output.is_complex()
    checks.require(not is_complex, "your output is complex: its imaginary part is 0, drop it")
    return output


def check_small(cross_correlation):
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    kernel = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    expected = torch.tensor([[2.0, 3.0, 1.0], [5.0, 6.0, 4.0], [8.0, 9.0, 7.0]])
    slips = {
        "you forget the conjugate: that is the convolution of mathematics": expected.roll(2, 1),
        "you take the kernel's middle for its corner": x.roll(1, 0),
        "you swap rows and columns": x.roll(-1, 0),
        "you do not divide the sum, as ifft2 does": 9 * expected,
    }
    output = _run(cross_correlation, x, kernel)
    checks.require_tensor(output, expected, slips, tolerance=1e-4)


fourier_is_right = checks.show(check_small, cross_correlation)


### BEGIN HIDDEN TESTS
def check_answer(cross_correlation):
    import torch.nn.functional as F

    check_small(cross_correlation)
    for seed, (height, width, k) in enumerate([(6, 9, 3), (8, 5, 4)]):
        x, kernel = checks.random_tensor(height, width, seed=seed), checks.random_tensor(k, k)

        def ours(kernel, x=x, k=k, **pad):
            around = F.pad(x[None, None], (0, k - 1, 0, k - 1), **pad)
            return F.conv2d(around, kernel[None, None])[0, 0]

        flipped = ours(kernel.flip(0, 1), mode="circular").roll((k - 1, k - 1), (0, 1))
        slips = {
            "you forget the conjugate: that is the convolution of mathematics": flipped,
            "you put zeros after the last pixel, not the first pixels": ours(kernel),
            "you count p from the kernel's middle": ours(kernel, mode="circular").roll(
                (k // 2, k // 2), (0, 1)
            ),
        }
        output = _run(cross_correlation, x, kernel)
        checks.require_tensor(output, ours(kernel, mode="circular"), slips, tolerance=1e-4)


checks.award(3, check_answer, cross_correlation)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: write blur-pooling
#
# Complete the function: blur each channel with the weights 1/4, 1/2, 1/4 along the rows *and* along
# the columns, on the ring, then keep every second pixel, starting with the first. Height and width
# are even.


# %% task="blur_pool"
def blur_pool(maps: torch.Tensor) -> torch.Tensor:
    """Halve maps (N, C, H, W) to (N, C, H/2, W/2)."""
    ### BEGIN SOLUTION
    for axis in (-2, -1):
        maps = maps / 2 + (maps.roll(1, axis) + maps.roll(-1, axis)) / 4
    return maps[..., ::2, ::2]
    ### END SOLUTION


# %% check="blur_pool_check" points=3
import torch

from course_utils import checks


def check_small(blur_pool):
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 0, 0] = 16.0
    expected = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]])
    slips = {
        "you do not blur at all": 4 * expected,
        "you blur only one axis": 2 * expected,
        "your weights do not add up to 1": 16 * expected,
        "you skip the first pixel: start with it": torch.ones(1, 1, 2, 2),
        "you drop pixels before the blur": 4 * torch.ones(1, 1, 2, 2),
    }
    hint = "every second row, every second column"
    checks.require_tensor(blur_pool(maps.clone()), expected, slips, hint=hint)


blur_is_right = checks.show(check_small, blur_pool)


### BEGIN HIDDEN TESTS
def check_answer(blur_pool):
    import torch
    import torch.nn.functional as F

    check_small(blur_pool)
    row = torch.tensor([1.0, 2.0, 1.0]) / 4

    def ours(maps, kernel, mode="circular", first=0):
        weights = kernel.expand(maps.shape[1], 1, 3, 3)
        blurred = F.conv2d(F.pad(maps, (1, 1, 1, 1), mode=mode), weights, groups=maps.shape[1])
        return blurred[..., first::2, first::2]

    for seed, size in enumerate([(2, 3, 8, 6), (1, 1, 4, 10)]):
        maps, before = (
            checks.random_tensor(*size, seed=seed),
            checks.random_tensor(*size, seed=seed),
        )
        kernel = torch.outer(row, row)
        slips = {
            "you pad with zeros, not the opposite edge": ours(maps, kernel, "constant"),
            "you pad with a mirror image, not the opposite edge": ours(maps, kernel, "reflect"),
            "you repeat the border pixel": ours(maps, kernel, "replicate"),
            "you make all nine weights the same": ours(maps, torch.full((3, 3), 1 / 9)),
            "you skip the first pixel: start with it": ours(maps, kernel, first=1),
            "you average 2 x 2 pixels": F.avg_pool2d(maps, 2),
            "you mix the channels": ours(maps, kernel)
            .mean(1, keepdim=True)
            .expand(-1, size[1], -1, -1),
        }
        checks.require_tensor(blur_pool(maps), ours(maps, kernel), slips)
        checks.require(torch.equal(maps, before), "your function changes the maps that it is given")


checks.award(3, check_answer, blur_pool)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here are your error and your blur together. After halving, a shift by 2 has become a shift by 1,
# but your error needs an output as large as the input. So we double each remaining pixel again.

# %%
if error_is_right and blur_is_right:

    def doubled(halve):
        return lambda x: halve(x).repeat_interleave(2, -1).repeat_interleave(2, -2)

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 32, 32, generator=generator)
    for name, halve in {
        "keep every second": lambda x: x[..., ::2, ::2],
        "max 2 x 2": nn.MaxPool2d(2),
        "average 2 x 2": nn.AvgPool2d(2),
        "blur, then halve": blur_pool,
    }.items():
        errors = [equivariance_error(doubled(halve), x - 0.5, rows) for rows in (1, 2)]
        print(f"{name:18} shift by 1: {errors[0]:.2f}   by 2: {errors[1]:.2f}")
else:
    print("Errors of four ways to halve a map appear here once tasks 1 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# "Pooling makes a network translation invariant." **(a)** What is right and what is wrong with that
# sentence? **(b)** Which part of a usual classifier does make its prediction nearly invariant, and
# what spoils it in practice? Four to six sentences, 2 points, read by a person.

# %% [markdown] written="invariant" points=2
# **A model answer.** Max pooling tolerates a shift inside a window: the largest stays the largest.
# But it tolerates only some shifts, and only approximately: its stride drops positions, so that
# after a shift by one pixel other numbers are kept, and the result is not even a shifted copy of
# the old one. What makes a classifier's prediction nearly invariant is the global average (or
# maximum) at its end, which does not know where something was. That would be exact if all layers
# before it were equivariant; zero padding at the borders and strides without a blur spoil it.
#
# **Marking scheme.**
#
# - (a) 1 point: local and approximate only, *and* the stride breaks equivariance. Half a point for
#   one of the two.
# - (b) 1 point: names global pooling (or the averaging over all positions) and at least one of
#   padding and striding. Half a point for global pooling alone.
