# %% [markdown]
# # Exercise 03: convolution, by hand
#
# **You practise** what one output of a convolution is, how the whole is a matrix with few
# different numbers in it, and why some kernels can be had in two cheap steps.
#
# **Minutes:** 45 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 03
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: write `conv2d` | 4 | the checks |
# | Task 2: the matrix of a convolution | 3 | the checks |
# | Task 3: a kernel in two steps | 3 | the checks |
# | In your own words | 2 | a person |
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# says what is wrong, if it can tell; run it as often as you like. Where this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
#
# **On your own?** Once the checks find nothing wrong, compare with the notebook of the same name in
# `solutions/`.

# %% readonly="setup"
import torch

from course_utils import checks, quiz
from course_utils.plots import plot_images, show

# %% [markdown]
# Your id, as your teacher writes it. The numbers of the quiz are drawn from it, so no two people
# have the same. On your own, leave it empty.

# %%
student_id = ""

# %% [markdown]
# ## Pop quiz
#
# The check under a question looks at the form of your answer only. Make up your mind first.
#
# ### Question 1

# %% quiz="toeplitz_shape"
toeplitz_shape = None  # (rows, columns)
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/03_convolution", "toeplitz_shape", student_id)
n, k = numbers["n"], numbers["k"]
toeplitz_shape = (n - k + 1, n)  # a row for each output, a column for each input
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="zeros_in_the_matrix"
zeros_in_the_matrix = None
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/03_convolution", "zeros_in_the_matrix", student_id)
n, k = numbers["n"], numbers["k"]
zeros_in_the_matrix = (n - k + 1) * (n - k)  # each row has k weights, the rest are zeros
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="one_output"
one_output = None
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/03_convolution", "one_output", student_id)
a, b, c, d, e = (numbers[letter] for letter in "abcde")
one_output = a * 1 + b * c + c * 0 + d * e  # cross-correlation: nothing is flipped
### END SOLUTION

# %% [markdown]
# ## Task 1: write `conv2d`
#
# Complete the function, for one channel, without padding, stride 1. Each output is the sum of the
# products of the kernel with the part of the picture under it. Loops, `unfold` or anything else
# will do, but not torch's own convolution.


# %% task="conv2d"
def conv2d(picture: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Slide `kernel` (K_h, K_w) over `picture` (H, W), both float; return every sum."""
    ### BEGIN SOLUTION
    height, width = kernel.shape
    rows, columns = picture.shape[0] - height + 1, picture.shape[1] - width + 1
    output = torch.zeros(rows, columns)
    for i in range(height):
        for j in range(width):  # one weight at a time, for all positions at once
            output += kernel[i, j] * picture[i : i + rows, j : j + columns]
    return output
    ### END SOLUTION


# %% check="conv2d_check" points=4
import torch

from course_utils import checks

_HINT = "the kernel has to lie inside the picture, so H - K_h + 1 rows and W - K_w + 1 columns fit"


def check_small(conv2d):
    picture, kernel = torch.arange(12.0).reshape(3, 4), torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    expected = torch.tensor([[9.0, 12.0, 15.0], [21.0, 24.0, 27.0]])
    slips = {
        "the kernel is turned by half a turn": expected - 3,
        "the kernel is mirrored": torch.tensor([[10.0, 13.0, 16.0], [22.0, 25.0, 28.0]]),
        "the sum is divided by the number of weights": expected / 4,
    }
    with checks.without("conv1d", "conv2d", "conv3d", "conv_transpose2d"):
        output = conv2d(picture.clone(), kernel.clone())
    checks.require_tensor(output, expected, slips, hint=_HINT)


conv2d_is_right = checks.show(check_small, conv2d)


### BEGIN HIDDEN TESTS
def check_answer(conv2d):
    import torch
    import torch.nn.functional as F

    check_small(conv2d)

    def ours(picture, kernel, **options):
        return F.conv2d(picture[None, None], kernel[None, None], **options)[0, 0]

    for seed, (picture_size, kernel_size) in enumerate([((7, 9), (3, 3)), ((6, 11), (2, 5))]):
        picture = checks.random_tensor(*picture_size, seed=seed)
        kernel = checks.random_tensor(*kernel_size, seed=seed + 10)
        before = picture.clone(), kernel.clone()
        expected = ours(picture, kernel)
        slips = {
            "the kernel is turned by half a turn: that is the convolution of mathematics": ours(
                picture, kernel.flip(0, 1)
            ),
            "the kernel is mirrored from top to bottom": ours(picture, kernel.flip(0)),
            "the kernel is mirrored from left to right": ours(picture, kernel.flip(1)),
            "the last row and column of places are left out": expected[:-1, :-1],
            "the sum is divided by the number of weights": expected / kernel.numel(),
            "the picture is padded with zeros": ours(
                picture, kernel, padding=[size // 2 for size in kernel_size]
            ),
        }
        with checks.without("conv1d", "conv2d", "conv3d", "conv_transpose2d"):
            output = conv2d(picture, kernel)
        checks.require_tensor(output, expected, slips, hint=_HINT)
        unchanged = torch.equal(picture, before[0]) and torch.equal(kernel, before[1])
        checks.require(unchanged, "your function changes the picture or the kernel it is given")


checks.award(4, check_answer, conv2d)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: the matrix of a convolution
#
# In one dimension: complete the function, so that `convolution_matrix(kernel, n) @ x` is the
# cross-correlation of the kernel with any `x` of `n` numbers. Locality makes the matrix banded,
# sharing makes every row the row above it, moved one column to the right.


# %% task="matrix"
def convolution_matrix(kernel: torch.Tensor, n: int) -> torch.Tensor:
    """Return the matrix (n - K + 1, n) of a `kernel` (K,)."""
    ### BEGIN SOLUTION
    k = len(kernel)
    matrix = torch.zeros(n - k + 1, n)
    for i in range(n - k + 1):
        matrix[i, i : i + k] = kernel
    return matrix
    ### END SOLUTION


# %% check="matrix_check" points=3
import torch

from course_utils import checks


def check_small(convolution_matrix):
    expected = torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 1.0, 2.0]])
    mirrored = torch.tensor([[2.0, 1.0, 0.0, 0.0], [0.0, 2.0, 1.0, 0.0], [0.0, 0.0, 2.0, 1.0]])
    slips = {
        "the kernel is mirrored": mirrored,
        "rows and columns are swapped": expected.T,
        "the kernel goes around the end": torch.cat([expected, expected[:1].roll(-1, 1)]),
        "every row is the first row": expected[:1].expand(3, 4),
    }
    matrix = convolution_matrix(torch.tensor([1.0, 2.0]), 4)
    hint = "a row for each output, a column for each input"
    checks.require_tensor(matrix, expected, slips, hint=hint)


matrix_is_right = checks.show(check_small, convolution_matrix)


### BEGIN HIDDEN TESTS
def check_answer(convolution_matrix):
    import torch
    import torch.nn.functional as F

    check_small(convolution_matrix)
    for seed, (k, n) in enumerate([(3, 8), (5, 5), (4, 11)]):
        kernel = checks.random_tensor(k, seed=seed)
        # Column j of the matrix is what comes out for a 1 at place j and zeros elsewhere.
        expected = F.conv1d(torch.eye(n)[:, None], kernel[None, None])[:, 0].T
        flipped = F.conv1d(torch.eye(n)[:, None], kernel.flip(0)[None, None])[:, 0].T
        around = torch.stack([F.pad(kernel, (0, n - k)).roll(i) for i in range(n)])
        slips = {
            "the kernel is mirrored": flipped,
            "rows and columns are swapped": expected.T,
            "the kernel goes around the end: a circular convolution": around,
            "the last place is left out": expected[:-1],
        }
        checks.require_tensor(
            convolution_matrix(kernel, n),
            expected,
            slips,
            hint="a row for each output, a column for each input",
        )


checks.award(3, check_answer, convolution_matrix)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: a kernel in two steps
#
# Some kernels are the product of a column and a row, $f_{ij} = c_i\, r_j$. Sliding the column over
# the picture first, and the row over what comes out, gives the same sums.
#
# Complete both functions. The first returns the result, computed in two steps (your `conv2d` may
# help; a column is a kernel with one column). The second returns how many multiplications the two
# steps need, all outputs of both steps together, for a picture of `n` by `n`, a column of `k` and a
# row of `k` weights, without padding.


# %% task="separable"
def separable_conv2d(
    picture: torch.Tensor, column: torch.Tensor, row: torch.Tensor
) -> torch.Tensor:
    """Slide `column` (K_h,) over `picture` (H, W), and `row` (K_w,) over what comes out."""
    ### BEGIN SOLUTION
    return conv2d(conv2d(picture, column[:, None]), row[None, :])
    ### END SOLUTION


def separable_multiplications(n: int, k: int) -> int:
    """Return the number of multiplications of both steps."""
    ### BEGIN SOLUTION
    height = n - k + 1  # the first step makes the picture less high, not less wide
    return k * height * n + k * height * height
    ### END SOLUTION


# %% check="separable_check" points=2
import torch
from torch.overrides import TorchFunctionMode

from course_utils import checks


@checks.beside
class _Counted(TorchFunctionMode):
    """Notes whether a tensor of the full kernel's size is made: then it is not two steps."""

    def __init__(self, size):
        super().__init__()
        self.size, self.found = size, False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and tuple(result.shape) == self.size:
            self.found = True
        return result


@checks.beside
def _watched(separable_conv2d, picture, column, row):
    """Return the output, and whether the whole kernel was made on the way."""
    with _Counted((len(column), len(row))) as counted:
        output = separable_conv2d(picture, column, row)
    return output, counted.found


def check_small(separable_conv2d):
    picture = torch.ones(4, 5)
    column, row = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0, 1.0])
    hint = "the column makes the picture less high, the row less wide"
    slips = {
        "column and row are swapped": torch.full((2, 4), 9.0),
        "only the column is used": torch.full((3, 5), 3.0),
        "only the row is used": torch.full((4, 3), 3.0),
    }
    output = separable_conv2d(picture, column, row)
    checks.require_tensor(output, torch.full((3, 3), 9.0), slips, hint=hint)


separable_is_right = checks.show(check_small, separable_conv2d)


### BEGIN HIDDEN TESTS
def check_answer(separable_conv2d):
    import torch
    import torch.nn.functional as F

    check_small(separable_conv2d)

    def ours(picture, column, row):
        return F.conv2d(picture[None, None], torch.outer(column, row)[None, None])[0, 0]

    for seed, (height, width) in enumerate([(3, 5), (4, 2)]):
        picture = checks.random_tensor(13, 17, seed=seed)
        column = checks.random_tensor(height, seed=seed + 10)
        row = checks.random_tensor(width, seed=seed + 20)
        expected = ours(picture, column, row)
        slips = {
            "only the column is used": F.conv2d(picture[None, None], column[None, None, :, None])[
                0, 0
            ],
            "only the row is used": F.conv2d(picture[None, None], row[None, None, None])[0, 0],
            "column and row are swapped": ours(picture, row, column),
            "the two results are added": ours(picture, column, torch.ones(width))
            + ours(picture, torch.ones(height), row),
        }
        # In two steps there is never a tensor as small as the whole kernel.
        output, is_made = _watched(separable_conv2d, picture, column, row)
        checks.require_tensor(output, expected, slips, hint="column first, then row")
        sentence = "your code makes the whole kernel first: slide column and row"
        checks.require(not is_made, sentence)


checks.award(2, check_answer, separable_conv2d)
### END HIDDEN TESTS

# %% check="separable_count_check" points=1
from course_utils import checks


def check_small(separable_multiplications):
    slips = {
        "the whole kernel is used at every place": 81,
        "both steps are taken to have as few outputs as the second": 54,
        "both steps are taken to have as many outputs as the first": 90,
        "the picture is taken to keep its size": 150,
        "only the first step is counted": 45,
    }
    checks.require_number(separable_multiplications(5, 3), 72, slips)


count_is_right = checks.show(check_small, separable_multiplications)


### BEGIN HIDDEN TESTS
def check_answer(separable_multiplications):
    import torch

    check_small(separable_multiplications)

    def outputs(n, *sizes):
        """Return how many numbers come out of a layer of this kernel size on n x n."""
        layer = torch.nn.Conv2d(1, 1, sizes, device="meta")
        return layer(torch.empty(1, 1, n, n, device="meta")).numel()

    for n, k in [(28, 5), (10, 3), (17, 16)]:
        both, column_only = outputs(n, k, k), outputs(n, k, 1)
        slips = {
            "the whole kernel is used at every place": k * k * both,
            "both steps are taken to have as few outputs as the second": 2 * k * both,
            "both steps are taken to have as many outputs as the first": 2 * k * column_only,
            "the picture is taken to keep its size": 2 * k * n * n,
            "only the first step is counted": k * column_only,
        }
        checks.require_number(separable_multiplications(n, k), k * (column_only + both), slips)


checks.award(1, check_answer, separable_multiplications)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Your function blurs: the binomial weights 1, 4, 6, 4, 1 along a column, then along a row.

# %%
if conv2d_is_right and separable_is_right:
    picture = torch.zeros(24, 24)
    picture[4:20, 6:10] = picture[16:20, 6:18] = 1.0
    weights = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    blurred = separable_conv2d(picture, weights, weights)  # (20, 20)
    figure = plot_images(
        [picture[None], blurred[None]], ["24 x 24 pixels", "blurred, 20 x 20"], num_columns=2
    )
    show(figure, "A white letter L on black, sharp on the left and blurred on the right")
else:
    print("A blurred picture appears here once tasks 1 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# What `F.conv2d` computes is called cross-correlation in mathematics; a convolution turns the kernel
# by half a turn first. **(a)** Why does a network that *learns* its kernels not care? **(b)** Name a
# case where somebody who mixes the two up gets a visibly wrong result. Three to five sentences,
# 2 points, read by a person.

# %% [markdown] written="why_no_flip" points=2
# **A model answer.** The weights start at random and are moved by gradients. A net with flipped
# kernels can represent exactly the same functions: each of its solutions is the turned solution of
# the other net, and from turned starting values training finds it by the same steps. So nothing is
# lost by leaving the turn out. It matters as soon as a kernel comes from elsewhere: an edge filter
# out of a textbook that is not symmetric (Sobel, say) gives edges of the opposite sign, and the
# convolution theorem of lesson 06 holds only for the turned kernel.
#
# **Marking scheme.**
#
# - (a) 1 point: the kernels are learned, and the turned kernel is as easy to learn as the other, so
#   that both nets can represent the same functions. Half a point for "it learns the right one
#   anyway" without saying why both are possible.
# - (b) 1 point: a fixed, not symmetric kernel (sign or direction of an edge, a shift in the wrong
#   direction), weights copied between programs with different conventions, or the Fourier theorem.
#   No point for a symmetric kernel, such as a blur: there the two agree.
