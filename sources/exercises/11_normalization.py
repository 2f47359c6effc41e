# %% [markdown]
# # Exercise 11: batch norm, group norm, and weights to start from
#
# **You practise** normalising with the right statistics in each of two modes, choosing the axes of
# a normalisation, and working out how large initial weights should be.
#
# **Minutes:** 50 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 11
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: batch normalisation, both modes | 5 | the checks |
# | Task 2: group norm and its two ends | 3 | the checks |
# | Task 3: He's standard deviation | 2 | the checks |
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

# %% quiz="he_deviation"
he_deviation = None  # a number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/11_normalization", "he_deviation", student_id)
k, c_in = numbers["k"], numbers["c_in"]
he_deviation = (2 / (c_in * k * k)) ** 0.5  # a filter reads c_in kernels of k x k
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="running_mean"
running_mean = None  # a number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/11_normalization", "running_mean", student_id)
m, a, b = (numbers[letter] for letter in "mab")
first = m * a  # the estimate starts at 0
running_mean = (1 - m) * first + m * b
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="number_of_means"
number_of_means = None  # means
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/11_normalization", "number_of_means", student_id)
number_of_means = numbers["n"] * numbers["g"]  # each image has g groups, each with its own mean
### END SOLUTION

# %% [markdown]
# ## Task 1: batch normalisation, both modes
#
# Complete `forward`. The four tensors are made for you; keep their names.
#
# - **In training mode** (`self.training` is true) normalise each channel by the mean and the
#   variance of the batch. Then update the running estimates: they take the share `momentum` from
#   the new value, and the rest from the old one. Remember which of the two variances normalises and
#   which one you track.
# - **In evaluation mode** normalise by the running estimates, and leave them alone.
# - Scale and shift come last. Gradients flow through the batch's statistics, but the running
#   estimates keep no graph.
#
# Do not use torch's own normalisation functions and layers.


# %% task="batch_norm"
class BatchNorm2d(nn.Module):
    """Batch normalisation of x (N, C, H, W)."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))  # gamma, (C,)
        self.bias = nn.Parameter(torch.zeros(num_features))  # beta, (C,)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (N, C, H, W), normalised; the shape stays the same."""
        ### BEGIN SOLUTION
        if self.training:
            mean = x.mean(dim=(0, 2, 3))  # (C,)
            variance = x.var(dim=(0, 2, 3), correction=0)  # (C,), biased: of these numbers alone
            unbiased = x.detach().var(dim=(0, 2, 3), correction=1)  # an estimate for all data
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight / torch.sqrt(variance + self.eps)  # (C,)
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        ### END SOLUTION


# %% check="batch_norm_training_check" points=2
import torch

from course_utils import checks


def _run_norm(norm, *inputs):
    with checks.without("batch_norm", "group_norm", "layer_norm", "instance_norm"):
        return norm(*inputs)


@checks.beside
def _with_gradient(norm, x, weights):
    """Return the gradient of x if the output is weighted and added up."""
    leaf = x.clone().requires_grad_()
    (norm(leaf) * weights).sum().backward()
    return leaf.grad


def _small_layer(BatchNorm2d):
    """Return the learner's layer for two channels, with a scale and a shift other than 1 and 0."""
    layer = BatchNorm2d(2)
    checks.require_own_layers(layer)
    values = {"weight": torch.tensor([2.0, 1.0]), "bias": torch.tensor([1.0, 10.0])}
    checks.set_parameters(layer, values)
    return layer


def _small_batch():
    """Return two images of two channels and 1 x 2 pixels."""
    return torch.tensor([[[[1.0, 3.0]], [[10.0, 20.0]]], [[[5.0, 7.0]], [[30.0, 40.0]]]])


def check_small(BatchNorm2d):
    def maps(first, second):
        """Join two rows, one for each channel, to (2, 2, 1, 2)."""
        return torch.tensor([first, second]).view(2, 2, 1, 2).transpose(0, 1)

    expected = maps([-1.6833, 0.1056, 1.8944, 3.6833], [8.6584, 9.5528, 10.4472, 11.3416])
    slips = {
        "you normalise by the variance with m - 1, which is the one to track": maps(
            [-1.3238, 0.2254, 1.7746, 3.3238], [8.8381, 9.6127, 10.3873, 11.1619]
        ),
        "you divide by the variance, not by its square root": maps(
            [-0.2, 0.6, 1.4, 2.2], [9.88, 9.96, 10.04, 10.12]
        ),
        "you leave out scale and shift": maps(
            [-1.3416, -0.4472, 0.4472, 1.3416], [-1.3416, -0.4472, 0.4472, 1.3416]
        ),
        "you scale the shift, too: add it last": maps(
            [-0.6833, 1.1056, 2.8944, 4.6833], [8.6584, 9.5528, 10.4472, 11.3416]
        ),
        "you leave out the shift": maps(
            [-2.6833, -0.8944, 0.8944, 2.6833], [-1.3416, -0.4472, 0.4472, 1.3416]
        ),
        "you normalise each image by itself: take the mean over the batch, too": maps(
            [-1.0, 3.0, -1.0, 3.0], [9.0, 11.0, 9.0, 11.0]
        ),
        "you normalise each pixel by itself: take the mean over height and width, too": maps(
            [-1.0, -1.0, 3.0, 3.0], [9.0, 9.0, 11.0, 11.0]
        ),
        "you take one mean for all channels: each has its own": maps(
            [-1.0396, -0.7374, -0.4352, -0.1331], [9.6601, 10.4155, 11.1709, 11.9262]
        ),
        "you use the running estimates in training mode": maps(
            [3.0, 7.0, 11.0, 15.0], [20.0, 30.0, 40.0, 50.0]
        ),
        "you use the running estimates in training mode, after this batch has moved them": maps(
            [1.9587, 5.1545, 8.3502, 11.5459], [11.7894, 14.1754, 16.5613, 18.9472]
        ),
        "you do not subtract the mean": maps(
            [1.8944, 3.6833, 5.4721, 7.261], [10.8944, 11.7889, 12.6833, 13.5777]
        ),
    }
    output = _run_norm(_small_layer(BatchNorm2d), _small_batch())
    checks.require_tensor(output, expected, slips, tolerance=1e-3)


training_is_right = checks.show(check_small, BatchNorm2d)


### BEGIN HIDDEN TESTS
def check_answer(BatchNorm2d):
    import torch
    import torch.nn.functional as F

    check_small(BatchNorm2d)

    def ours(x, scale, shift, eps, outside=0.0, detached=False):
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        variance = x.var(dim=(0, 2, 3), correction=0, keepdim=True)
        if detached:
            mean, variance = mean.detach(), variance.detach()
        normalised = (x - mean) / (torch.sqrt(variance + eps) + outside)
        return scale.view(1, -1, 1, 1) * normalised + shift.view(1, -1, 1, 1)

    for seed, (shape, size) in enumerate([((4, 3, 5, 2), 2.0), ((3, 6, 2, 4), 0.02)]):
        x = size * checks.random_tensor(*shape, seed=seed) + 1
        layer = BatchNorm2d(shape[1], eps=1e-3)
        affine = checks.random_tensor(2, shape[1], seed=7)
        checks.set_parameters(layer, dict(zip(("weight", "bias"), affine, strict=True)))
        before = x.clone().requires_grad_()
        answer = _run_norm(layer, before)
        right = F.batch_norm(x, None, None, *affine, training=True, eps=1e-3)
        slips = {
            "you leave out eps": ours(x, *affine, 0.0),
            "you add eps outside the root: it belongs under it": ours(x, *affine, 0.0, 1e-3),
            "you always take 1e-5 for eps, whatever you are given": ours(x, *affine, 1e-5),
        }
        checks.require_tensor(answer, right, slips, tolerance=1e-3)
        checks.require(torch.equal(before, x), "your layer changes the images that it is given")
        checks.require(answer.requires_grad, "no gradient flows through your layer")
        weights = checks.random_tensor(*shape, seed=9)
        gradients = []
        for detached in (False, True):
            other = x.clone().requires_grad_()
            (ours(other, *affine, 1e-3, detached=detached) * weights).sum().backward()
            gradients.append(other.grad)
        found = _run_norm(_with_gradient, layer, x, weights)
        scale = gradients[0].abs().max()
        slip = "gradients do not flow through mean and variance: detach only the running estimates"
        close = torch.allclose(found, gradients[1], rtol=1e-3, atol=1e-3 * float(scale))
        checks.require(not close, slip)
        close = torch.allclose(found, gradients[0], rtol=1e-2, atol=1e-2 * float(scale))
        checks.require(close, "the gradient of your output is not that of batch normalisation")


checks.award(2, check_answer, BatchNorm2d)
### END HIDDEN TESTS

# %% check="batch_norm_evaluation_check" points=3
import torch

from course_utils import checks


def _require_row(name, answer, expected, slips):
    """Compare a running estimate with the right one, and say which of the two it is."""
    try:
        checks.require_tensor(answer, expected, slips, tolerance=1e-3)
    except checks.CheckFailed as failure:
        raise checks.CheckFailed(f"{name}: {failure}") from None
    sentence = f"{name} keeps the graph of every batch: detach what you add to it"
    checks.require(not answer.requires_grad, sentence)


def check_small(BatchNorm2d):
    layer = _small_layer(BatchNorm2d)
    if _run_norm(layer, _small_batch().requires_grad_()) is None:
        raise checks.NotAnswered
    slips = {
        "you do not track anything": torch.tensor([0.0, 0.0]),
        "you take momentum as the share of the old value: it is that of the new one": torch.tensor(
            [3.6, 22.5]
        ),
        "you forget the old value": torch.tensor([4.0, 25.0]),
    }
    found = checks.buffers_of(layer)
    _require_row("running_mean", found["running_mean"], torch.tensor([0.4, 2.5]), slips)
    slips = {
        "you do not track anything": torch.tensor([1.0, 1.0]),
        "you track the biased variance: it normalises, but track the one with m - 1": (
            torch.tensor([1.4, 13.4])
        ),
        "you take momentum as the share of the old value: it is that of the new one": torch.tensor(
            [6.1, 150.1]
        ),
        "you forget the old value": torch.tensor([6.6667, 166.6667]),
        "you track a standard deviation, not the variance": torch.tensor([1.1582, 2.191]),
    }
    _require_row("running_var", found["running_var"], torch.tensor([1.5667, 17.5667]), slips)
    checks.set_mode(layer, training=False)
    pixel = torch.tensor([1.0, 20.0]).view(1, 2, 1, 1)
    expected = torch.tensor([1.9587, 14.1754]).view(1, 2, 1, 1)
    slips = {
        "you use the batch's own statistics in evaluation mode, too": [1.0, 10.0],
        "you divide by running_var, not by its square root": [1.766, 10.9962],
        "you leave out scale and shift in evaluation mode": [0.4794, 4.1754],
    }
    slips = {name: torch.tensor(row).view(1, 2, 1, 1) for name, row in slips.items()}
    checks.require_tensor(_run_norm(layer, pixel), expected, slips, tolerance=1e-3)
    kept = torch.tensor([0.4, 2.5])
    moved = "evaluation mode moves the running estimates: only training mode should"
    mean = checks.buffers_of(layer)["running_mean"].float()
    checks.require(torch.allclose(mean, kept, atol=1e-3), moved)


evaluation_is_right = checks.show(check_small, BatchNorm2d)


### BEGIN HIDDEN TESTS
def check_answer(BatchNorm2d):
    import torch
    from torch import nn

    check_small(BatchNorm2d)
    ours, theirs = (kind(3, eps=1e-3, momentum=0.3) for kind in (BatchNorm2d, nn.BatchNorm2d))
    weights = checks.random_tensor(2, 3, seed=4)
    values = dict(zip(("weight", "bias"), weights, strict=True))
    checks.set_parameters(ours, values)
    theirs.load_state_dict(values, strict=False)
    usual = torch.zeros(3)
    for step in range(3):
        x = step + (step + 1) * checks.random_tensor(2, 3, 2, 1 + step, seed=step)
        _run_norm(ours, x)
        theirs(x)
        usual = 0.9 * usual + 0.1 * x.mean(dim=(0, 2, 3))
    slips = {"you always take 0.1 for momentum, whatever you are given": usual}
    found = checks.buffers_of(ours)
    _require_row("running_mean", found["running_mean"], theirs.running_mean, slips)
    _require_row("running_var", found["running_var"], theirs.running_var, {})
    checks.set_mode(ours, training=False)
    theirs.eval()
    for seed, shape in enumerate([(1, 3, 1, 1), (4, 3, 2, 5)]):
        x = checks.random_tensor(*shape, seed=10 + seed)
        checks.require_tensor(_run_norm(ours, x), theirs(x), tolerance=1e-4)
    found = checks.buffers_of(ours)
    _require_row("running_mean", found["running_mean"], theirs.running_mean, {})
    _require_row("running_var", found["running_var"], theirs.running_var, {})


checks.award(3, check_answer, BatchNorm2d)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: group norm and its two ends
#
# Complete the three functions. `group_norm` divides the channels of each image into `num_groups`
# groups of neighbours and gives each group mean 0 and variance 1 (biased, plus `eps` under the
# root); there is no scale and no shift. Layer norm and instance norm are group norm with a certain
# number of groups. Do not use torch's own functions.


# %% task="group_norm"
def group_norm(x: torch.Tensor, num_groups: int, eps: float = 1e-5) -> torch.Tensor:
    """Normalise x (N, C, H, W) group by group, in the same shape; num_groups divides C."""
    ### BEGIN SOLUTION
    grouped = x.reshape(len(x), num_groups, -1)  # (N, groups, C/groups * H * W)
    mean = grouped.mean(dim=2, keepdim=True)
    variance = grouped.var(dim=2, correction=0, keepdim=True)
    return ((grouped - mean) / torch.sqrt(variance + eps)).reshape(x.shape)
    ### END SOLUTION


def layer_norm(x: torch.Tensor) -> torch.Tensor:
    """Normalise x (N, C, H, W) image by image."""
    ### BEGIN SOLUTION
    return group_norm(x, 1)
    ### END SOLUTION


def instance_norm(x: torch.Tensor) -> torch.Tensor:
    """Normalise x (N, C, H, W) map by map."""
    ### BEGIN SOLUTION
    return group_norm(x, x.shape[1])
    ### END SOLUTION


# %% check="group_norm_check" points=2
import torch

from course_utils import checks


def _run_norm(norm, *inputs):
    with checks.without("batch_norm", "group_norm", "layer_norm", "instance_norm"):
        return norm(*inputs)


def check_small(group_norm):
    x = torch.tensor([1.0, 2.0, 6.0, 4.0, 4.0, 10.0]).view(1, 6, 1, 1)
    expected = torch.tensor([-0.9258, -0.4629, 1.3887, -0.7071, -0.7071, 1.4142])
    slips = {
        "you take num_groups for the size of a group: it is the number of groups": [
            *(-1, 1, 1, -1, -1, 1)
        ],
        "you put every second channel into a group: its channels are neighbours": [
            *(-1.2978, -0.9806, 1.1355, -0.3922, 0.1622, 1.3728)
        ],
        "you divide by m - 1 in the variance": [-0.7559, -0.378, 1.1339, -0.5774, -0.5774, 1.1547],
        "you divide by the variance, not by its square root": [
            *(-0.4286, -0.2143, 0.6429, -0.25, -0.25, 0.5)
        ],
        "you subtract the mean, but do not divide": [-2, -1, 3, -2, -2, 4],
        "you take all channels as one group": [-1.1946, -0.8533, 0.512, -0.1707, -0.1707, 1.8773],
        "you take each channel as a group of its own": [0, 0, 0, 0, 0, 0],
    }
    slips = {name: torch.tensor(row).float().view(1, 6, 1, 1) for name, row in slips.items()}
    output = _run_norm(group_norm, x, 2)
    checks.require_tensor(output, expected.view(1, 6, 1, 1), slips, tolerance=1e-3)


group_is_right = checks.show(check_small, group_norm)


### BEGIN HIDDEN TESTS
def check_answer(group_norm):
    import torch
    import torch.nn.functional as F

    check_small(group_norm)

    def normalised(x, shape, dims, eps=1e-5):
        grouped = x.reshape(shape)
        variance, mean = torch.var_mean(grouped, dims, correction=0, keepdim=True)
        return ((grouped - mean) / torch.sqrt(variance + eps)).reshape(x.shape)

    for seed, (shape, num_groups) in enumerate([((2, 6, 3, 5), 3), ((3, 8, 2, 2), 2)]):
        n, c, h, w = shape
        x = 0.01 * checks.random_tensor(*shape, seed=seed) + torch.arange(c).view(-1, 1, 1)
        x, before = x.clone(), x
        split = (n, num_groups, c // num_groups, h, w)
        slips = {
            "you take one mean for the whole batch: group norm stays within an image": normalised(
                x, split, (0, 2, 3, 4)
            ),
            "you take a mean for each pixel: take it over height and width, too": normalised(
                x, split, (2,)
            ),
            "you take a mean for each channel: a group shares one": normalised(x, split, (3, 4)),
        }
        right = F.group_norm(x, num_groups)
        checks.require_tensor(_run_norm(group_norm, x, num_groups), right, slips, tolerance=1e-3)
        checks.require(torch.equal(x, before), "your function changes the maps that it is given")
    x = 0.01 * checks.random_tensor(2, 4, 3, 3)
    slips = {
        "you leave out eps": normalised(x, (2, 2, 18), 2, eps=0.0),
        "you always take 1e-5 for eps": normalised(x, (2, 2, 18), 2),
    }
    answer = _run_norm(group_norm, x, 2, 1e-3)
    checks.require_tensor(answer, F.group_norm(x, 2, eps=1e-3), slips, tolerance=1e-3)


checks.award(2, check_answer, group_norm)
### END HIDDEN TESTS

# %% check="ends_check" points=1
import torch

from course_utils import checks


def check_small(layer_norm, instance_norm):
    x = torch.tensor([[1.0, 3.0], [10.0, 20.0]]).view(1, 2, 1, 2)
    layer = torch.tensor([-1.009, -0.7399, 0.2018, 1.5471]).view(1, 2, 1, 2)
    instance = torch.tensor([-1.0, 1.0, -1.0, 1.0]).view(1, 2, 1, 2)
    pixel = torch.tensor([-1.0, -1.0, 1.0, 1.0]).view(1, 2, 1, 2)
    slips = {
        "you normalise each map by itself: that is instance norm": instance,
        "you normalise each pixel over the channels": pixel,
    }
    checks.require_tensor(_run_norm(layer_norm, x), layer, slips, tolerance=1e-3)
    slips = {"you normalise whole images: that is layer norm": layer}
    checks.require_tensor(_run_norm(instance_norm, x), instance, slips, tolerance=1e-3)


ends_are_right = checks.show(check_small, layer_norm, instance_norm)


### BEGIN HIDDEN TESTS
def check_answer(layer_norm, instance_norm):
    import torch.nn.functional as F

    check_small(layer_norm, instance_norm)
    for seed, shape in enumerate([(2, 4, 3, 5), (3, 6, 2, 2)]):
        x = 3 * checks.random_tensor(*shape, seed=seed) + 1
        whole_batch = ((x - x.mean()) / x.std(correction=0)).to(x.dtype)
        one_channel = F.batch_norm(x, None, None, training=True)
        slips = {"you normalise all images together": whole_batch}
        checks.require_tensor(_run_norm(layer_norm, x), F.group_norm(x, 1), slips, tolerance=1e-3)
        slips = {"you take one mean for the whole batch: that is batch norm": one_channel}
        checks.require_tensor(_run_norm(instance_norm, x), F.instance_norm(x), slips, tolerance=1e-3)


checks.award(1, check_answer, layer_norm, instance_norm)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: He's standard deviation
#
# Complete the function: which standard deviation must the initial weights have, so that a layer
# followed by ReLU keeps the scale of its inputs? The layer may be linear, its kernels need not be
# square, and it may be a grouped convolution (lesson 05).


# %% task="he"
def he_std(layer: nn.Conv2d | nn.Linear) -> float:
    """Return the standard deviation of He's initial weights for this layer."""
    ### BEGIN SOLUTION
    fan_in = layer.weight[0].numel()  # what one filter, or one unit, reads
    return (2 / fan_in) ** 0.5
    ### END SOLUTION


# %% check="he_check" points=2
from torch import nn

from course_utils import checks


@checks.beside
def _deviation(he_std, kind, *sizes, **options):
    """Return the learner's standard deviation for a layer of torch's."""
    return he_std(getattr(nn, kind)(*sizes, **options))


def check_small(he_std):
    slips = {
        "you return the variance: take its square root": 2 / 27,
        "you count only the channels: a filter reads all pixels under its kernels": (2 / 3)
        ** 0.5,
        "you count the outputs: for the forward pass, count the inputs": (2 / 144) ** 0.5,
        "you do not make up for the half that ReLU sets to zero": (1 / 27) ** 0.5,
        "you add inputs and outputs: that is Xavier's formula, for tanh": (2 / 171) ** 0.5,
        "you count the whole layer's weights, not one filter's": (2 / 432) ** 0.5,
        "you count the bias as an input": (2 / 28) ** 0.5,
        "you count k weights for a kernel, not k * k": (2 / 9) ** 0.5,
        "you use PyTorch's default: it shrinks the numbers layer by layer": (1 / 81) ** 0.5,
    }
    checks.require_number(_deviation(he_std, "Conv2d", 3, 16, 3), 0.2721655, slips)


he_is_right = checks.show(check_small, he_std)


### BEGIN HIDDEN TESTS
def check_answer(he_std):
    check_small(he_std)
    layers = [
        (("Conv2d", 4, 6, (3, 5)), 1, 60, {"you take the kernel to be square": (2 / 36) ** 0.5}),
        (
            ("Conv2d", 8, 16, 3),
            4,
            18,
            {"you ignore the groups: a filter reads only its own group": (2 / 72) ** 0.5},
        ),
        (
            ("Linear", 100, 20),
            1,
            100,
            {"you swap inputs and outputs: a linear layer's weights are (out, in)": 0.1**0.5},
        ),
    ]
    for layer, groups, fan_in, slips in layers:
        options = {"groups": groups} if groups > 1 else {}
        found = _deviation(he_std, *layer, **options)
        checks.require_number(found, (2 / fan_in) ** 0.5, slips)


checks.award(2, check_answer, he_std)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here noise goes into twenty convolutions with ReLU. How large are the numbers at the other end if
# the weights are too small, if they have your standard deviation, and if they are too small but
# your layer normalises?

# %%
if he_is_right and training_is_right:

    @torch.no_grad()
    def spread_after(num_layers, std, normalise):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(8, 16, 12, 12, generator=generator)
        for _ in range(num_layers):
            conv = nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular", bias=False)
            conv.weight.normal_(0, std or he_std(conv), generator=generator)
            x = conv(x)
            x = torch.relu(BatchNorm2d(16)(x) if normalise else x)
        return x.std().item()

    for name, std, normalise in [
        ("std 0.05", 0.05, False),
        ("he_std", None, False),
        ("std 0.05, batch norm", 0.05, True),
    ]:
        row = [spread_after(num, std, normalise) for num in (1, 5, 10, 20)]
        print(f"{name:27} after 1, 5, 10, 20 layers:", *(f"{spread:8.1e}" for spread in row))
else:
    print("The numbers after twenty layers appear here once tasks 1 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# Somebody trains a net with batch normalisation on large images; only two fit into memory at a
# time. The training loss falls nicely. In evaluation mode, on *the same training images*, the loss
# is much higher. **(a)** How can that be, though no weight differs? **(b)** Name a remedy that does
# not need larger batches, and say why it works. Four to six sentences, 2 points, read by a person.

# %% [markdown] written="batch_of_two" points=2
# **A model answer.** In training mode each channel is normalised by the mean and variance of just
# two images, which are noisy: the net has learned with numbers that depend on the other image in
# the batch. In evaluation mode the running estimates are used instead, an average over many
# batches. They differ from what any single batch of two had, so every layer gets inputs that it was
# not trained on, and over many layers the difference adds up. Group norm (or layer norm) takes mean
# and variance within one image, so both modes compute the same and the batch size does not matter.
# You can also normalise weights instead of activations, or keep BN's statistics fixed while
# fine-tuning.
#
# **Marking scheme.**
#
# - (a) 1 point: training uses the batch's own statistics, evaluation the running estimates, *and*
#   with two images the former are noisy. Half a point for one of the two.
# - (b) 1 point: a remedy that works (group, layer or weight normalisation, frozen statistics, ...)
#   and why: its statistics do not depend on the other images. Half a point without the reason. None
#   for "collect gradients over several batches": BN still sees two images at a time.
