# %% [markdown]
# # Exercise 03: convolution, by hand
#
# **You practise** computing one output of a convolution, writing a convolution as a matrix with few
# different numbers in it, and splitting a kernel into two cheap steps.
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
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
#
# **Working on your own?** Once the checks find nothing wrong, compare your answers with the
# notebook of the same name in `solutions/`.

# %% readonly="setup"
import torch

from course_utils import checks, quiz
from course_utils.plots import plot_images, show

# %% [markdown]
# Your student id, as your teacher writes it. It picks the numbers in your quiz, so that no two
# people get the same ones. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown]
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
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
# Complete the function, for one channel, without padding, with stride 1. Each output is the sum of
# the products of the kernel and the pixels under it. Use loops, `unfold` or anything else, but not
# torch's own convolution.


# %% task="conv2d"
def conv2d(picture: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Slide `kernel` (K_h, K_w) over `picture` (H, W), both float; return all sums."""
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

_HINT = "the kernel has to lie inside the image, so there are H - K_h + 1 rows, W - K_w + 1 columns"


def check_small(conv2d):
    picture, kernel = torch.arange(12.0).reshape(3, 4), torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    expected = torch.tensor([[9.0, 12.0, 15.0], [21.0, 24.0, 27.0]])
    slips = {
        "you rotate the kernel by 180 degrees": expected - 3,
        "you mirror the kernel": torch.tensor([[10.0, 13.0, 16.0], [22.0, 25.0, 28.0]]),
        "you divide the sum by the number of weights": expected / 4,
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
            "you rotate the kernel by 180 degrees: that is the convolution of mathematics": ours(
                picture, kernel.flip(0, 1)
            ),
            "you mirror the kernel from top to bottom": ours(picture, kernel.flip(0)),
            "you mirror the kernel from left to right": ours(picture, kernel.flip(1)),
            "you leave out the last row and column of positions": expected[:-1, :-1],
            "you divide the sum by the number of weights": expected / kernel.numel(),
            "you pad the image with zeros": ours(
                picture, kernel, padding=[size // 2 for size in kernel_size]
            ),
        }
        with checks.without("conv1d", "conv2d", "conv3d", "conv_transpose2d"):
            output = conv2d(picture, kernel)
        checks.require_tensor(output, expected, slips, hint=_HINT)
        unchanged = torch.equal(picture, before[0]) and torch.equal(kernel, before[1])
        checks.require(unchanged, "your function changes the image or the kernel that it is given")


checks.award(4, check_answer, conv2d)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: the matrix of a convolution
#
# Complete the function, in one dimension, so that `convolution_matrix(kernel, n) @ x` is the
# cross-correlation of the kernel with any `x` of `n` numbers. Locality makes the matrix banded;
# sharing makes every row a copy of the row above it, moved one column to the right.


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
        "you mirror the kernel": mirrored,
        "you swap rows and columns": expected.T,
        "you let the kernel wrap around the end": torch.cat([expected, expected[:1].roll(-1, 1)]),
        "you do not move the kernel from row to row": expected[:1].expand(3, 4),
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
        # Column j of the matrix is the output for a 1 at position j and zeros elsewhere.
        expected = F.conv1d(torch.eye(n)[:, None], kernel[None, None])[:, 0].T
        flipped = F.conv1d(torch.eye(n)[:, None], kernel.flip(0)[None, None])[:, 0].T
        around = torch.stack([F.pad(kernel, (0, n - k)).roll(i) for i in range(n)])
        slips = {
            "you mirror the kernel": flipped,
            "you swap rows and columns": expected.T,
            "you let the kernel wrap around the end: a circular convolution": around,
            "you leave out the last position": expected[:-1],
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
# Some kernels are the product of a column and a row, $f_{ij} = c_i\, r_j$: they are *separable*.
# Sliding the column over the image, and then the row over the result, gives the same sums.
#
# Complete both functions. The first returns the result, computed in two steps (your `conv2d` may
# help; a column is a kernel with one column). The second returns how many multiplications the two
# steps need, for all outputs of both together, on an image of `n` by `n`, with a column of `k` and
# a row of `k` weights, without padding.


# %% task="separable"
def separable_conv2d(
    picture: torch.Tensor, column: torch.Tensor, row: torch.Tensor
) -> torch.Tensor:
    """Slide `column` (K_h,) over `picture` (H, W), and `row` (K_w,) over the result."""
    ### BEGIN SOLUTION
    return conv2d(conv2d(picture, column[:, None]), row[None, :])
    ### END SOLUTION


def separable_multiplications(n: int, k: int) -> int:
    """Return the number of multiplications of both steps."""
    ### BEGIN SOLUTION
    height = n - k + 1  # the first step reduces the height, not the width
    return k * height * n + k * height * height
    ### END SOLUTION


# %% check="separable_check" points=2
import torch
from torch.overrides import TorchFunctionMode

from course_utils import checks


@checks.beside
class _Counted(TorchFunctionMode):
    """Note whether a tensor of the full kernel's size is made: then it is not two steps."""

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
    hint = "the column reduces the height, the row reduces the width"
    slips = {
        "you swap column and row": torch.full((2, 4), 9.0),
        "you use only the column": torch.full((3, 5), 3.0),
        "you use only the row": torch.full((4, 3), 3.0),
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
            "you use only the column": F.conv2d(picture[None, None], column[None, None, :, None])[
                0, 0
            ],
            "you use only the row": F.conv2d(picture[None, None], row[None, None, None])[0, 0],
            "you swap column and row": ours(picture, row, column),
            "you add the two results": ours(picture, column, torch.ones(width))
            + ours(picture, torch.ones(height), row),
        }
        # In two steps there is never a tensor as small as the whole kernel.
        output, is_made = _watched(separable_conv2d, picture, column, row)
        checks.require_tensor(output, expected, slips, hint="column first, then row")
        sentence = "your code builds the whole kernel first: slide the column, then the row"
        checks.require(not is_made, sentence)


checks.award(2, check_answer, separable_conv2d)
### END HIDDEN TESTS

# %% check="separable_count_check" points=1
from course_utils import checks


def check_small(separable_multiplications):
    slips = {
        "you use the whole kernel at every position": 81,
        "you give both steps as few outputs as the second has": 54,
        "you give both steps as many outputs as the first has": 90,
        "you let the image keep its size": 150,
        "you count only the first step": 45,
    }
    checks.require_number(separable_multiplications(5, 3), 72, slips)


count_is_right = checks.show(check_small, separable_multiplications)


### BEGIN HIDDEN TESTS
def check_answer(separable_multiplications):
    import torch

    check_small(separable_multiplications)

    def outputs(n, *sizes):
        """Return how many outputs a layer of this kernel size has on n x n."""
        layer = torch.nn.Conv2d(1, 1, sizes, device="meta")
        return layer(torch.empty(1, 1, n, n, device="meta")).numel()

    for n, k in [(28, 5), (10, 3), (17, 16)]:
        both, column_only = outputs(n, k, k), outputs(n, k, 1)
        slips = {
            "you use the whole kernel at every position": k * k * both,
            "you give both steps as few outputs as the second has": 2 * k * both,
            "you give both steps as many outputs as the first has": 2 * k * column_only,
            "you let the image keep its size": 2 * k * n * n,
            "you count only the first step": k * column_only,
        }
        checks.require_number(separable_multiplications(n, k), k * (column_only + both), slips)


checks.award(1, check_answer, separable_multiplications)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Your function can blur: slide the binomial weights 1, 4, 6, 4, 1 as a column, then as a row.

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
    print("A blurred image appears here once tasks 1 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# What `F.conv2d` computes is called cross-correlation in mathematics; a convolution rotates the
# kernel by 180 degrees first. **(a)** Why does a network that *learns* its kernels not care?
# **(b)** Name a case where somebody who mixes the two up gets a visibly wrong result. Three to five
# sentences, 2 points, read by a person.

# %% [markdown] written="why_no_flip" points=2
# **A model answer.** The weights start at random and are moved by gradients. A net with flipped
# kernels can represent exactly the same functions: each of its solutions is a flipped solution of
# the other net, and from flipped starting values training finds it by the same steps. So nothing is
# lost by leaving the flip out. It matters as soon as a kernel comes from elsewhere: a textbook edge
# filter that is not symmetric (Sobel, say) gives edges of the opposite sign, and the convolution
# theorem of lesson 06 holds only for the flipped kernel.
#
# **Marking scheme.**
#
# - (a) 1 point: the kernels are learned, and the flipped kernel is as easy to learn as the other,
#   so that both nets can represent the same functions. Half a point for "it learns the right one
#   anyway" without saying why both are possible.
# - (b) 1 point: a fixed asymmetric kernel (sign or direction of an edge, a shift in the wrong
#   direction), weights copied between programs with different conventions, or the Fourier theorem.
#   No point for a symmetric kernel, such as a blur: there the two agree.
