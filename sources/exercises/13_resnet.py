# %% [markdown]
# # Exercise 13: the residual block, for every shape
#
# **You practise** writing a residual block that also works where the shapes change, counting a
# bottleneck's parameters, and building a stage from blocks.
#
# **Minutes:** 55 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 13
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the residual block | 5 | the checks |
# | Task 2: count a bottleneck | 3 | the checks |
# | Task 3: a stage | 2 | the checks |
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

# %% quiz="stage_shape"
stage_shape = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/13_resnet", "stage_shape", student_id)
c, size = numbers["c"], numbers["size"]
stage_shape = (2 * c, size // 2, size // 2)  # the first block alone changes the shape
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="stage_weights"
stage_weights = None  # weights
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/13_resnet", "stage_weights", student_id)
c, n = numbers["c"], numbers["n"]
first = 9 * c * 2 * c + 9 * 2 * c * 2 * c + c * 2 * c  # the last term is the projection
stage_weights = first + (n - 1) * 2 * 9 * 2 * c * 2 * c
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="chain_derivative"
chain_derivative = None  # one number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/13_resnet", "chain_derivative", student_id)
a, n = numbers["a"], numbers["n"]
chain_derivative = (1 + a) ** n  # each block passes its gradient on along two paths
### END SOLUTION

# %% [markdown]
# ## Task 1: the residual block
#
# Complete the class. It takes x (N, `in_channels`, H, W) and returns ReLU(F(x) + shortcut(x)), with
# `out_channels` channels; stride 2 halves H and W.
#
# - **F**: 3 × 3 convolution with the block's stride, batch normalisation, ReLU, 3 × 3 convolution
#   with stride 1, batch normalisation. Both convolutions have padding 1.
# - **shortcut**: x itself if F(x) has the shape of x. Otherwise, that is if the stride is not 1
#   *or* the channels change, a 1 × 1 convolution with the block's stride, and batch normalisation.
#
# No convolution has a bias: the normalisation after it would remove it again. A block that adds x
# without looking at its shape fails as soon as a stage begins. Use what `torch.nn` has.


# %% task="block"
class ResidualBlock(nn.Module):
    """Two convolutions that learn what to add to the input."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out_channels))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        f = F.relu(self.norm1(self.conv1(x)))
        f = self.norm2(self.conv2(f))
        return F.relu(f + self.shortcut(x))
        ### END SOLUTION


# %% check="block_shapes_check" points=2
import torch

from course_utils import checks


def _run_block(block, x):
    """Return the block's output; explain the error if the two summands do not fit together."""
    try:
        output = block(x)
    except RuntimeError as error:
        if "must match the size" not in str(error):
            raise
        sentence = f"{error}: F(x) and x have different shapes here, so x must be projected"
        raise checks.CheckFailed(sentence) from None
    if output is None:
        raise checks.NotAnswered
    checks.require(isinstance(output, torch.Tensor), "return one tensor")
    return output


def check_shape(ResidualBlock, in_channels, out_channels, stride, size):
    block = ResidualBlock(in_channels, out_channels, stride)
    output = _run_block(block, torch.zeros(2, in_channels, size, size + 2))
    checks.require_own_layers(block)
    right = (2, out_channels, (size - 1) // stride + 1, (size + 1) // stride + 1)
    found = tuple(output.shape)
    arguments = f"ResidualBlock({in_channels}, {out_channels}, stride={stride})"
    sentence = f"{arguments} gives {found}, expected {right}: padding 1, and the stride used once?"
    checks.require(found == right, sentence)


def check_small(ResidualBlock):
    for in_channels, out_channels, stride in [(6, 6, 1), (6, 10, 1), (6, 6, 2), (6, 10, 2)]:
        check_shape(ResidualBlock, in_channels, out_channels, stride, size=8)


shapes_are_right = checks.show(check_small, ResidualBlock)


### BEGIN HIDDEN TESTS
def check_answer(ResidualBlock):
    check_small(ResidualBlock)
    for in_channels, out_channels, stride in [(9, 4, 1), (9, 4, 2), (5, 5, 2), (3, 8, 3)]:
        check_shape(ResidualBlock, in_channels, out_channels, stride, size=7)


checks.award(2, check_answer, ResidualBlock)
### END HIDDEN TESTS

# %% check="block_numbers_check" points=3
import torch
from torch import nn

from course_utils import checks


def check_parameters(ResidualBlock):
    def count(*arguments):
        block = ResidualBlock(*arguments)
        if block(torch.zeros(2, arguments[0], 4, 4)) is None:
            raise checks.NotAnswered
        checks.require_own_layers(block)
        return sum(parameter.numel() for parameter in checks.parameters_of(block).values())

    slips = {
        "you project x although the shapes agree": 2808,
        "your convolutions have biases": 2664,
        "you leave out batch normalisation": 2592,
        "you use one batch normalisation for both convolutions": 2616,
    }
    checks.require_number(count(12, 12), 2640, slips)
    slips = {
        "your convolutions have biases": 2364,
        "you leave out batch normalisation after the projection": 2304,
        "you give the projection a bias in place of batch normalisation": 2316,
        "you give the projection 3x3 filters": 3096,
        "you leave out batch normalisation": 2256,
        "you do not project x at all": 2208,
    }
    checks.require_number(count(8, 12, 2), 2328, slips)


parameters_are_right = checks.show(check_parameters, ResidualBlock)


### BEGIN HIDDEN TESTS
@checks.beside
def _norms_of(block):
    """Return the names of the scales of torch's normalisations, and the eps of the first."""
    modules = {name: m for name, m in block.named_modules() if isinstance(m, nn.BatchNorm2d)}
    eps = next((module.eps for module in modules.values()), 1e-5)
    return [f"{name}.weight" for name in modules], eps


@checks.beside
def _settle(block, x):
    """Let the running estimates follow x for a while."""
    for _ in range(50):
        block.train()(x)


def check_answer(ResidualBlock):
    from itertools import combinations

    import torch
    import torch.nn.functional as F

    check_parameters(ResidualBlock)

    def identity(x):
        return x

    def forward(parameters, x, c_out, stride, norm, order=0, **options):
        """Compute the block by its definition, with the learner's own filters."""

        def weights(c_in, k):
            shape = (c_out, c_in, k, k)
            found = [p for p in parameters if p.shape == shape]
            checks.require(bool(found), f"a convolution with weights {shape} is missing")
            return found

        changed = {"inner": F.relu, "on_f": identity, "around": identity, "end": F.relu}
        changed |= {"strides": (stride, 1), "relu_first": False, "skip": 1.0, "norm_sum": False}
        changed |= options
        c_in = x.shape[1]
        first = weights(c_in, 3)
        second = weights(c_out, 3)
        if c_in == c_out:
            first, second = first[order:] + first[:order], second[1 - order :]
        f = F.conv2d(x, first[0], stride=changed["strides"][0], padding=1)
        inner = changed["inner"]
        f = norm(inner(f)) if changed["relu_first"] else inner(norm(f))
        f = F.conv2d(f, second[0], stride=changed["strides"][1], padding=1)
        shortcut = x
        if stride != 1 or c_in != c_out:
            shortcut = norm(F.conv2d(x, weights(c_in, 1)[0], stride=stride))
        shortcut = changed["skip"] * changed["around"](shortcut)
        total = norm(f + shortcut) if changed["norm_sum"] else changed["on_f"](norm(f)) + shortcut
        return changed["end"](total)

    def settled(parameters, x, other, c_out, stride, eps, order, biased):
        """Compute the block's output for other maps once it has seen x many times."""
        seen = []

        def noting(maps):
            maps = maps.detach()  # running estimates have no gradient
            seen.append((maps.mean((0, 2, 3)), maps.var((0, 2, 3), correction=not biased)))
            return F.batch_norm(maps, None, None, training=True, eps=eps)

        forward(parameters, x, c_out, stride, noting, order)
        estimates = iter(seen)

        def evaluating(maps):
            return F.batch_norm(maps, *next(estimates), eps=eps)

        return forward(parameters, other, c_out, stride, evaluating, order)

    def neutral(block, parameters, scales, c_out):
        """Set all scales to 1 and all shifts to 0; repeat for each guess of which is which.

        How a normalisation starts, and what it calls its parameters, is up to the learner.
        """
        vectors = {name: p for name, p in parameters.items() if p.numel() == c_out}
        names = sorted(vectors, key=lambda name: (name not in scales, -vectors[name].mean().item()))
        for ones in combinations(names, len(names) // 2):
            values = {name: torch.full_like(p, name in ones) for name, p in vectors.items()}
            checks.set_parameters(block, values)
            yield _run_block(block, x)

    def difference(one, other):
        return (
            float((one - other).detach().abs().max()) if one.shape == other.shape else float("inf")
        )

    def is_close(one, other):
        return difference(one, other) < 1e-4 * (1 + float(other.detach().abs().max()))

    variants = {
        "you leave out the ReLU after the addition": {"end": identity},
        "you put the ReLU before the addition, not after it": {"on_f": F.relu, "end": identity},
        "you put F(x) through a ReLU before you add it": {"on_f": F.relu},
        "you leave out the ReLU between the two convolutions": {"inner": identity},
        "you leave out the shortcut": {"skip": 0.0},
        "you put the shortcut through a ReLU": {"around": F.relu},
        "you subtract the shortcut": {"skip": -1.0},
        "you put the ReLU before the batch normalisation": {"relu_first": True},
        "you normalise the sum, not F(x)": {"norm_sum": True},
    }

    def name_slips(parameters, x, c_out, stride, norm, orders, answers):
        """Reject answers that one of the slips leads to."""
        late = {"you give the stride to the second convolution": {"strides": (1, stride)}}
        for slip, options in (variants | late).items():
            wrongs = [forward(parameters, x, c_out, stride, norm, n, **options) for n in orders]
            found = any(is_close(answer, wrong) for answer in answers for wrong in wrongs)
            checks.require(not found, f"your output is what you get if {slip}")

    rows = [(6, 9, 2), (7, 4, 1), (5, 5, 2), (8, 8, 1)]
    for seed, (c_in, c_out, stride) in enumerate(rows):
        block = ResidualBlock(c_in, c_out, stride)
        checks.set_mode(block, training=True)
        x = 2 * checks.random_tensor(3, c_in, 6, 8, seed=seed)
        before = x.clone()
        _run_block(block, x)  # lazy layers get their parameters here
        named = checks.parameters_of(block)
        parameters, (scales, eps) = named.values(), _norms_of(block)

        def norm(maps, eps=eps):
            return F.batch_norm(maps, None, None, training=True, eps=eps)

        orders = (0, 1) if c_in == c_out else (0,)  # nobody can see which filters come first
        rights = [forward(parameters, x, c_out, stride, norm, order) for order in orders]
        answers = []
        for answer in neutral(block, named, scales, c_out):
            answers.append(answer)
            if any(is_close(answer, right) for right in rights):
                break
        else:
            name_slips(parameters, x, c_out, stride, norm, orders, answers)
            answer = answers[0]
        checks.require(torch.equal(x, before), "your block changes the maps that it is given")
        right = min(rights, key=lambda maps: difference(maps, answer))
        checks.require_tensor(answer, right, tolerance=1e-4)
        checks.require(answer.requires_grad, "no gradient flows through your block")
        gradients = checks.gradients_of(block, x)
        dead = [name for name, gradient in gradients.items() if gradient is None]
        checks.require(not dead, f"your block never uses {', '.join(dead)}")
        other = checks.random_tensor(2, c_in, 6, 8, seed=seed + 10)
        rights = [
            settled(parameters, x, other, c_out, stride, eps, n, b) for n in orders for b in (0, 1)
        ]
        for _ in range(20):  # however slowly the running estimates follow
            _settle(block, x)
            checks.set_mode(block, training=False)
            answer = _run_block(block, other)
            if any(is_close(answer, right) for right in rights):
                break
        else:
            sentence = "in evaluation mode your block does not use the statistics from training"
            checks.require(False, sentence)


checks.award(3, check_answer, ResidualBlock)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: count a bottleneck
#
# Complete the function: how many parameters does a bottleneck block have? Its main path has a 1 × 1
# convolution to a quarter of `out_channels`, a 3 × 3 convolution that keeps this number, and a 1 ×
# 1 convolution to `out_channels`. Its shortcut follows the rule of task 1. Batch normalisation
# follows each convolution, on the main path and on the shortcut, and no convolution has a bias.


# %% task="bottleneck"
def bottleneck_parameters(in_channels: int, out_channels: int, stride: int = 1) -> int:
    """Count all learnable parameters of a bottleneck; out_channels is a multiple of 4."""
    ### BEGIN SOLUTION
    width = out_channels // 4

    def convolution_and_norm(c_in: int, c_out: int, k: int) -> int:
        return c_in * c_out * k * k + 2 * c_out  # a scale and a shift for each map

    count = convolution_and_norm(in_channels, width, 1)
    count += convolution_and_norm(width, width, 3)
    count += convolution_and_norm(width, out_channels, 1)
    if stride != 1 or in_channels != out_channels:
        count += convolution_and_norm(in_channels, out_channels, 1)
    return count
    ### END SOLUTION


# %% check="bottleneck_check" points=3
from course_utils import checks


def check_small(bottleneck_parameters):
    slips = {
        "you count a projection although the shapes agree": 608,
        "you forget batch normalisation": 272,
        "you count one parameter for each normalised map: there are a scale and a shift": 296,
        "your convolutions have biases": 344,
        "you let the 3x3 convolution work at full width": 2912,
        "you count k weights for a kernel, not k * k": 224,
        "you count two 3x3 convolutions: that is a basic block": 4672,
    }
    checks.require_number(bottleneck_parameters(16, 16, 1), 320, slips)
    slips = {
        "you leave out the projection": 288,
        "you leave out batch normalisation after the projection": 416,
        "you squeeze to a quarter of in_channels, not of out_channels": 284,
        "you start the projection from the squeezed maps": 384,
        "you give the projection 3x3 filters": 1472,
        "you give the projection a bias in place of batch normalisation": 432,
    }
    checks.require_number(bottleneck_parameters(8, 16, 2), 448, slips)


bottleneck_is_right = checks.show(check_small, bottleneck_parameters)


### BEGIN HIDDEN TESTS
def check_answer(bottleneck_parameters):
    from course_utils.models.resnet import Bottleneck

    check_small(bottleneck_parameters)
    for row in [(64, 256, 1), (256, 256, 1), (256, 512, 2), (32, 32, 2), (40, 24, 1)]:
        right = sum(parameter.numel() for parameter in Bottleneck(*row).parameters())
        even = sum(parameter.numel() for parameter in Bottleneck(row[0], row[1]).parameters())
        slips = {"you leave out the projection for stride 2: the sizes differ, too": even}
        checks.require_number(bottleneck_parameters(*row), right, slips)


checks.award(3, check_answer, bottleneck_parameters)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: a stage
#
# Complete the function: return one module that runs `num_blocks` blocks one after another. The
# first goes from `in_channels` to `out_channels` with the stage's stride; the others keep the
# shape. Make each block with `block(c_in, c_out, stride)`, so that your stage can also be made of
# bottlenecks.


# %% task="stage"
def make_stage(
    block: type[nn.Module], in_channels: int, out_channels: int, num_blocks: int, stride: int
) -> nn.Module:
    """Return a module with num_blocks blocks, each with its own weights."""
    ### BEGIN SOLUTION
    blocks = [block(in_channels, out_channels, stride)]
    blocks += [block(out_channels, out_channels, 1) for _ in range(num_blocks - 1)]
    return nn.Sequential(*blocks)
    ### END SOLUTION


# %% check="stage_check" points=2
import torch
from torch import nn

from course_utils import checks


@checks.beside
def _passed(make_stage, in_channels, out_channels, num_blocks, stride):
    """Return which blocks a batch goes through in a stage, and what the stage knows of them."""
    noted = []

    class NotingBlock(nn.Module):
        """A block that notes when it is run; its convolution stands for the whole of it."""

        def __init__(self, in_channels, out_channels, stride=1):
            super().__init__()
            self.row = (in_channels, out_channels, stride)
            self.layer = nn.Conv2d(in_channels, out_channels, 1, stride)

        def forward(self, x):
            noted.append(self)
            checks.require(
                x.shape[1] == self.row[0],
                f"block number {len(noted)} expects {self.row[0]} channels, but gets {x.shape[1]}",
            )
            return self.layer(x)

    stage = make_stage(NotingBlock, in_channels, out_channels, num_blocks, stride)
    if stage is None:
        raise checks.NotAnswered
    checks.require(isinstance(stage, nn.Module), "return one module, such as nn.Sequential(...)")
    stage(torch.zeros(2, in_channels, 16, 16))
    return {
        "rows": [block.row for block in noted],
        "num_different": len({id(block) for block in noted}),
        "known": sum(parameter.numel() for parameter in stage.parameters()),
        "theirs": sum(p.numel() for block in noted for p in block.parameters()),
    }


def check_stage(make_stage, in_channels, out_channels, num_blocks, stride):
    noted = _passed(make_stage, in_channels, out_channels, num_blocks, stride)
    found = noted["rows"]
    right = [(in_channels, out_channels, stride)] + [(out_channels, out_channels, 1)] * (
        num_blocks - 1
    )
    number = f"your stage runs {len(found)} blocks, expected {num_blocks}"
    checks.require(len(found) == num_blocks, number)
    every = [(c_in, c_out, stride) for c_in, c_out, _ in right]
    sentence = "every block has the stride: only the first block of a stage makes the maps smaller"
    checks.require(found != every or every == right, sentence)
    checks.require(found == right, f"your blocks are {found}, expected {right}")
    sentence = "your stage runs one block several times: each needs its own weights"
    checks.require(noted["num_different"] == num_blocks, sentence)
    sentence = "your stage does not know all parameters of its blocks: keep them in nn.Sequential"
    checks.require(noted["known"] == noted["theirs"], sentence)


def check_small(make_stage):
    check_stage(make_stage, 4, 8, 3, 2)


stage_is_right = checks.show(check_small, make_stage)


### BEGIN HIDDEN TESTS
def check_answer(make_stage):
    check_small(make_stage)
    for row in [(3, 3, 2, 1), (5, 2, 1, 2), (6, 10, 5, 1), (4, 4, 4, 2)]:
        check_stage(make_stage, *row)


checks.award(2, check_answer, make_stage)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Your blocks in your stages: this is ResNet-20 for small images, with shortcut B. The slides'
# block, which adds x as it is, would fail where the second stage begins.

# %%
if parameters_are_right and stage_is_right:
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    stages = [make_stage(ResidualBlock, 16, 16, 3, 1)]
    stages += [make_stage(ResidualBlock, c // 2, c, 3, 2) for c in (32, 64)]
    maps = stem(torch.rand(2, 3, 32, 32))
    for number, stage in enumerate(stages, start=1):
        maps = stage(maps)
        print(f"after stage {number}: {tuple(maps.shape)}")
    net = nn.Sequential(stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    print(f"{sum(parameter.numel() for parameter in net.parameters()):,} parameters")
else:
    print("Your own ResNet-20 appears here once tasks 1 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# **(a)** Somebody says: "A plain block can learn the identity, too, so the shortcut adds nothing
# new." What is right, and what is missing? **(b)** Why is the shortcut just x wherever possible,
# and not a 1 × 1 convolution in every block? Four to six sentences, 2 points, read by a person.

# %% [markdown] written="why_identity" points=2
# **A model answer.** A plain block can indeed *represent* the identity: with filters that copy each
# map, for maps that are nowhere negative. But weights near zero, where training starts and where
# weight decay pulls, make a plain block return zeros, and a residual block return x. So the
# shortcut changes what is easy to find, not what exists: plain-56 trains worse although we can
# write good weights for it down. The shortcut x passes on signal and gradient unchanged, however
# many blocks there are. A 1 × 1 convolution in its place multiplies both by a matrix in every
# block, which can make them vanish or explode again, and it costs parameters and work; in the paper
# it gains very little.
#
# **Marking scheme.**
#
# - (a) 1 point: distinguishes what can be represented from what training finds, *and* says that the
#   residual block only needs F = 0. Half a point for one of the two.
# - (b) 1 point: the signal or the gradient passes unchanged, *and* one cost (parameters, work,
#   matrix products). Half a point for one of the two.
