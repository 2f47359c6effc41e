# %% [markdown]
# # Exercise 10: an Inception module, what it costs, and a head that averages
#
# **You practise** building four paths side by side, counting what a 1 × 1 reduction saves, and
# ending a net with an average.
#
# **Minutes:** 50 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 10
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the Inception module | 5 | the checks |
# | Task 2: count its work | 3 | the checks |
# | Task 3: a head that averages | 2 | the checks |
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

# %% quiz="module_shape"
module_shape = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/10_googlenet", "module_shape", student_id)
one, three, five, pool = (numbers[name] for name in ("one", "three", "five", "pool"))
h, w = numbers["h"], numbers["w"]
# The module keeps height and width; a window of 3, padding 1, stride 2 halves them, rounding up.
module_shape = (one + three + five + pool, (h - 1) // 2 + 1, (w - 1) // 2 + 1)
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="path_parameters"
path_parameters = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/10_googlenet", "path_parameters", student_id)
c, r, k, f = (numbers[letter] for letter in "crkf")
path_parameters = r * (c + 1) + f * (r * k * k + 1)  # each filter has one bias
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="work_saved"
work_saved = None  # times less
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/10_googlenet", "work_saved", student_id)
c, r, k, f = (numbers[letter] for letter in "crkf")
work_saved = c * f * k * k / (c * r + r * f * k * k)  # for each position of the maps
### END SOLUTION

# %% [markdown]
# ## Task 1: the Inception module
#
# Complete the class. Four paths read the same maps (N, `in_channels`, H, W):
#
# | path | layers |
# |---|---|
# | 1 | 1 × 1 convolution to `one` channels |
# | 2 | 1 × 1 convolution to `three[0]`, then 3 × 3 convolution to `three[1]` |
# | 3 | 1 × 1 convolution to `five[0]`, then 5 × 5 convolution to `five[1]` |
# | 4 | 3 × 3 max pooling, stride 1, then 1 × 1 convolution to `pool` |
#
# Each convolution has a bias and is followed by a ReLU. All paths keep H and W. Concatenate their
# maps in this order. Use what `torch.nn` has; the style is up to you.


# %% task="inception"
class Inception(nn.Module):
    """Four paths that read the same maps through windows of different sizes, side by side."""

    def __init__(
        self,
        in_channels: int,
        one: int,
        three: tuple[int, int],
        five: tuple[int, int],
        pool: int,
    ) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.one = nn.Conv2d(in_channels, one, 1)
        self.reduce3 = nn.Conv2d(in_channels, three[0], 1)
        self.three = nn.Conv2d(three[0], three[1], 3, padding=1)
        self.reduce5 = nn.Conv2d(in_channels, five[0], 1)
        self.five = nn.Conv2d(five[0], five[1], 5, padding=2)
        self.pool = nn.Conv2d(in_channels, pool, 1)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        path1 = F.relu(self.one(x))
        path2 = F.relu(self.three(F.relu(self.reduce3(x))))
        path3 = F.relu(self.five(F.relu(self.reduce5(x))))
        path4 = F.relu(self.pool(F.max_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat([path1, path2, path3, path4], dim=1)
        ### END SOLUTION


# %% check="inception_shapes_check" points=2
import torch

from course_utils import checks


def _run_module(module, x):
    """Return the module's output; explain the error if the paths do not fit together."""
    try:
        output = module(x)
    except RuntimeError as error:
        if "Sizes of tensors must match" not in str(error):
            raise
        sentence = "the paths cannot be concatenated: does each keep height and width?"
        raise checks.CheckFailed(sentence) from None
    if output is None:
        raise checks.NotAnswered
    checks.require(isinstance(output, torch.Tensor), "return one tensor: concatenate the paths")
    return output


def check_shape(Inception, in_channels, one, three, five, pool, size):
    module = Inception(in_channels, one, three, five, pool)
    output = _run_module(module, torch.zeros(2, in_channels, *size))
    checks.require_own_layers(module)
    expected = one + three[1] + five[1] + pool
    slips = {
        "you concatenate the reductions' maps, too": expected + three[0] + five[0],
        "you leave out the pooling path": expected - pool,
        "you leave out the 1x1 convolution after the pooling": expected - pool + in_channels,
        "you return only the reductions' maps": one + three[0] + five[0] + pool,
    }
    found = tuple(output.shape)
    for slip, channels in slips.items():
        wrong = found == (2, channels, *size) and channels != expected
        checks.require(not wrong, f"{channels} channels are what you get if {slip}")
    right = (2, expected, *size)
    sentence = f"your output is {found}, expected {right}: is each path padded to keep H and W?"
    checks.require(found == right, sentence)


def check_small(Inception):
    check_shape(Inception, 20, one=6, three=(9, 12), five=(3, 4), pool=5, size=(6, 5))


shapes_are_right = checks.show(check_small, Inception)


### BEGIN HIDDEN TESTS
def check_answer(Inception):
    check_small(Inception)
    check_shape(Inception, 192, one=64, three=(96, 128), five=(16, 32), pool=32, size=(4, 4))
    check_shape(Inception, 3, one=1, three=(5, 2), five=(4, 7), pool=6, size=(1, 8))


checks.award(2, check_answer, Inception)
### END HIDDEN TESTS

# %% check="inception_numbers_check" points=3
import torch

from course_utils import checks


def check_parameters(Inception):
    module = Inception(192, 64, (96, 128), (16, 32), 32)
    if module(torch.zeros(1, 192, 5, 5)) is None:
        raise checks.NotAnswered
    count = sum(parameter.numel() for parameter in checks.parameters_of(module).values())
    slips = {
        "your convolutions have no biases": 163_328,
        "you use 3x3 filters where you need 5x5 filters": 155_504,
        "you add batch normalisation": 164_432,
        "your 3x3 and 5x5 filters read all channels: put their reductions first": 393_472,
        "your pooling path has no convolution": 157_520,
    }
    checks.require_number(count, 163_696, slips)
    checks.require_own_layers(module)


parameters_are_right = checks.show(check_parameters, Inception)


### BEGIN HIDDEN TESTS
def check_answer(Inception):
    from itertools import permutations

    import torch
    import torch.nn.functional as F

    check_parameters(Inception)

    def identity(x):
        return x

    def weights_by_shape(module, in_channels, one, three, five, pool):
        """Return (weight, bias) of each convolution; no two have filters of the same shape."""
        shapes = {
            "the 1x1 path": (one, in_channels, 1),
            "the reduction before 3x3": (three[0], in_channels, 1),
            "the 3x3 convolution": (three[1], three[0], 3),
            "the reduction before 5x5": (five[0], in_channels, 1),
            "the 5x5 convolution": (five[1], five[0], 5),
            "the 1x1 convolution after the pooling": (pool, in_channels, 1),
        }
        have = list(checks.parameters_of(module).values())
        found = []
        for name, (c_out, c_in, k) in shapes.items():
            weights = [p for p in have if p.dim() > 1 and p.shape[:2] == (c_out, c_in)]
            weights = [p for p in weights if p.numel() == c_out * c_in * k * k]
            biases = [p for p in have if p.shape == (c_out,)]
            sentence = f"{name} is missing: it has weights ({c_out}, {c_in}, {k}, {k}) and a bias"
            checks.require(len(weights) == len(biases) == 1, sentence)
            found.append((weights[0].reshape(c_out, c_in, k, k), biases[0]))
        return found

    def paths(x, weights, inner=F.relu, outer=F.relu, pool=None, pool_last=False):
        """Compute the four paths by their definition, with the learner's own weights."""

        def largest(maps):
            return F.max_pool2d(maps, 3, stride=1, padding=1)

        pool = pool or largest
        one, reduce3, three, reduce5, five, after = weights
        last = outer(F.conv2d(x if pool_last else pool(x), *after))
        return [
            outer(F.conv2d(x, *one)),
            outer(F.conv2d(inner(F.conv2d(x, *reduce3)), *three, padding=1)),
            outer(F.conv2d(inner(F.conv2d(x, *reduce5)), *five, padding=2)),
            pool(last) if pool_last else last,
        ]

    names = ("1x1", "3x3", "5x5", "pooling")
    rows = [(9, 3, (5, 6), (2, 7), 8), (4, 10, (6, 9), (3, 12), 5)]
    for seed, row in enumerate(rows):
        module = Inception(*row)
        x = checks.random_tensor(2, row[0], 7, 6, seed=seed) - 1  # zeros around would win
        _run_module(module, x)
        weights = weights_by_shape(module, *row)
        right = paths(x, weights)
        variants = {
            "you leave out all ReLUs": {"inner": identity, "outer": identity},
            "you put no ReLU after the reductions": {"inner": identity},
            "you put no ReLU at the end of the paths": {"outer": identity},
            "you pool the average, not the largest": {
                "pool": lambda maps: F.avg_pool2d(maps, 3, stride=1, padding=1)
            },
            "you let zeros around the maps take part in the pooling": {
                "pool": lambda maps: F.max_pool2d(F.pad(maps, (1, 1, 1, 1)), 3, stride=1)
            },
            "you do not pool in path 4": {"pool": identity},
            "you put the pooling after its convolution": {"pool_last": True},
        }
        slips = {
            name: torch.cat(paths(x, weights, **options), 1) for name, options in variants.items()
        }
        for order in list(permutations(range(4)))[1:]:
            said = ", ".join(names[i] for i in order)
            slip = f"you put the paths in the order {said}"
            slips[slip] = torch.cat([right[i] for i in order], 1)
        answer = _run_module(module, x)
        checks.require_tensor(answer, torch.cat(right, 1), slips, tolerance=1e-4)
        checks.require(answer.requires_grad, "no gradient flows through your module")


checks.award(3, check_answer, Inception)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: count its work
#
# Complete the function: how many multiply-adds does an Inception module do for one image? Count one
# for each weight and each position where it is used; biases, ReLU and pooling do not count. The
# arguments are as in task 1.


# %% task="work"
def inception_multiply_adds(
    in_channels: int,
    one: int,
    three: tuple[int, int],
    five: tuple[int, int],
    pool: int,
    height: int,
    width: int,
) -> int:
    """Return the multiply-adds of an Inception module on maps (in_channels, height, width)."""
    ### BEGIN SOLUTION
    path1 = in_channels * one
    path2 = in_channels * three[0] + three[0] * three[1] * 3 * 3
    path3 = in_channels * five[0] + five[0] * five[1] * 5 * 5
    path4 = in_channels * pool
    return (path1 + path2 + path3 + path4) * height * width
    ### END SOLUTION


# %% check="work_check" points=3
from course_utils import checks


def check_small(inception_multiply_adds):
    slips = {
        "you use each weight once, not at every position": 360,
        "you take the height for the width": 1440,
        "you take the width for the height": 3240,
        "you let the reductions cost nothing": 2100,
        "you let the large filters read all channels, not only what the reduction leaves": 2520,
        "you leave out the reductions": 2460,
        "you leave out the path with the pooling": 2076,
        "you count k weights for a kernel, not k * k": 720,
        "you count the biases": 2316,
        "you count parameters, not multiply-adds": 386,
        "you count the pooling, which multiplies nothing": 2268,
    }
    answer = inception_multiply_adds(2, 3, (4, 5), (1, 6), 7, 2, 3)
    checks.require_number(answer, 2160, slips)


work_is_right = checks.show(check_small, inception_multiply_adds)


### BEGIN HIDDEN TESTS
def check_answer(inception_multiply_adds):
    from course_utils.inspection import summary
    from course_utils.models import googlenet

    check_small(inception_multiply_adds)
    rows = [
        (192, *googlenet.INCEPTION_TABLE["3a"], 28, 28),
        (24, 8, (6, 10), (4, 7), 5, 9, 12),
    ]
    for *row, height, width in rows:
        right = summary(googlenet.Inception(*row), (row[0], height, width)).multiply_adds
        checks.require_number(inception_multiply_adds(*row, height, width), right)


checks.award(3, check_answer, inception_multiply_adds)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: a head that averages
#
# Complete the class: take the mean of each map, then apply one linear layer from these means to the
# logits. It accepts maps of any height and width.


# %% task="head"
class AveragingHead(nn.Module):
    """Turn maps (N, in_channels, H, W) into logits (N, num_classes)."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.linear = nn.Linear(in_channels, num_classes)
        ### END SOLUTION

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.linear(maps.mean(dim=(2, 3)))
        ### END SOLUTION


# %% check="head_check" points=2
import torch

from course_utils import checks


def check_small(AveragingHead):
    head = AveragingHead(2, 3)
    maps = torch.tensor([[[[1.0, 3.0]], [[10.0, 30.0]]]])  # (1, 2, 1, 2)
    if head(maps) is None:
        raise checks.NotAnswered
    parameters = checks.parameters_of(head)
    count = sum(parameter.numel() for parameter in parameters.values())
    slips = {
        "your linear layer has no bias": 6,
        "your linear layer reads every position, not one mean for each map": 15,
    }
    checks.require_number(count, 9, slips)
    for name, value in parameters.items():
        parameters[name] = torch.full_like(value, 1.0 if value.dim() > 1 else 0.5)
    checks.set_parameters(head, parameters)
    slips = {
        "you take the largest number of each map, not the mean": torch.full((1, 3), 33.5),
        "you add each map up instead of averaging it": torch.full((1, 3), 44.5),
        "you put a softmax at the end: return logits": torch.full((1, 3), 1 / 3),
        "you put a log-softmax at the end: return logits": torch.full((1, 3), -1.0986123),
    }
    hint = "one logit for each class, without sizes of 1 after it"
    checks.require_tensor(head(maps), torch.full((1, 3), 22.5), slips, hint=hint)
    checks.require_own_layers(head)


head_is_right = checks.show(check_small, AveragingHead)


### BEGIN HIDDEN TESTS
def check_answer(AveragingHead):
    import torch
    import torch.nn.functional as F

    check_small(AveragingHead)
    head = AveragingHead(6, 4)
    head(torch.zeros(1, 6, 2, 2))
    parameters = checks.parameters_of(head).values()
    weight = next(p for p in parameters if p.dim() > 1).reshape(4, 6)
    bias = next(p for p in parameters if p.dim() == 1)
    for seed, size in enumerate([(7, 7), (5, 9), (1, 1)]):
        maps = checks.random_tensor(3, 6, *size, seed=seed) - 0.5
        right = F.linear(maps.mean(dim=(2, 3)), weight, bias)
        slips = {
            "you put a ReLU at the end: logits may be negative": right.relu(),
            "you put a ReLU before the mean": F.linear(maps.relu().mean((2, 3)), weight, bias),
            "you put a ReLU after the mean": F.linear(maps.mean((2, 3)).relu(), weight, bias),
        }
        checks.require_tensor(head(maps), right, slips, tolerance=1e-4)


checks.award(2, check_answer, AveragingHead)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Your module and your head are most of GoogLeNet. Here is a small one, for images of two sizes:

# %%
if shapes_are_right and work_is_right and head_is_right:
    rows = [(16, (16, 24), (4, 8), 8), (24, (24, 32), (6, 12), 12), (32, (32, 48), (8, 16), 16)]
    layers = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    channels, work = 32, 0
    for row in rows:
        layers.append(Inception(channels, *row))
        work += inception_multiply_adds(channels, *row, 14, 14)
        channels = row[0] + row[1][1] + row[2][1] + row[3]
        print(f"{channels:4} channels out, {work:11,} multiply-adds so far")
    net = nn.Sequential(*layers, AveragingHead(channels, 10))
    print(f"{sum(parameter.numel() for parameter in net.parameters()):,} parameters")
    for size in (28, 40):
        print(f"{size} x {size} pixels:", tuple(net(torch.zeros(2, 1, size, size)).shape))
else:
    print("A small GoogLeNet appears here once all three tasks are done.")

# %% [markdown]
# ## In your own words
#
# **(a)** Somebody leaves out all 1 × 1 reductions and the 1 × 1 convolution after the pooling. One
# module then costs about two or three times as much, but nine of them in a row cost far more than
# that. Why? **(b)** Somebody else replaces the mean at the end by a linear layer on all positions.
# Name two consequences. Four to six sentences, 2 points, read by a person.

# %% [markdown] written="reductions" points=2
# **A model answer.** Without its 1 × 1 convolution the pooling path passes on every channel that it
# reads. So a module puts out all its input channels, and those of the other paths as well: the
# number of channels can only grow from module to module. And every later module reads them all with
# its 3 × 3 and 5 × 5 filters, so that its own work grows with them. A linear layer on all positions
# has a weight for each position: it has as many times more weights as the last maps have pixels,
# and so is more likely to overfit. It accepts images of one size only, and it learns *where*
# something is, so that it suffers more when the image is shifted.
#
# **Marking scheme.**
#
# - (a) 1 point: the pooling path keeps all channels, so channels grow with each module, *and* later
#   modules read them all. Half a point for one of the two.
# - (b) half a point for each of two consequences: many more parameters; one size of image only;
#   depends on positions (good for centred objects, bad under shifts); overfits more easily.
