# %% [markdown]
# # Exercise 08: dropout, quiet neighbours, and a stem that fits
#
# **You practise** writing dropout for both of its modes, turning a paper's formula into tensors,
# and choosing image sizes that leave no pixel unused.
#
# **Minutes:** 45 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 08
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: dropout | 4 | the checks |
# | Task 2: local response normalisation | 3 | the checks |
# | Task 3: sizes that fit | 3 | the checks |
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

# %% quiz="stem_maps"
stem_maps = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/08_alexnet", "stem_maps", student_id)
c_out, h, w, k, s, p = (numbers[name] for name in ("c_out", "h", "w", "k", "s", "p"))
stem_maps = (c_out, (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1)
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="grouped_parameters"
grouped_parameters = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/08_alexnet", "grouped_parameters", student_id)
c_in, c_out, k, g = (numbers[name] for name in ("c_in", "c_out", "k", "g"))
grouped_parameters = c_out * (c_in // g * k * k + 1)  # a filter reads the maps of its own group
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="quietened"
quietened = None  # a number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/08_alexnet", "quietened", student_id)
left, x, right, k = (numbers[name] for name in ("left", "x", "right", "k"))
quietened = x / (k + left**2 + x**2 + right**2) ** 0.5
### END SOLUTION

# %% [markdown]
# ## Task 1: dropout
#
# Complete the function. In training it sets each number of `x` to 0 with probability `p`,
# independently of the others, and scales those that are left as PyTorch does, so that the expected
# value stays the same. In evaluation it returns `x` as it is. Draw from `generator` (`torch.rand`
# takes one), and do not call torch's own dropout.


# %% task="dropout"
def dropout(x: torch.Tensor, p: float, training: bool, generator: torch.Generator) -> torch.Tensor:
    """Drop numbers of x (any shape) with probability p, 0 <= p < 1; the shape stays the same."""
    ### BEGIN SOLUTION
    if not training:
        return x
    kept = torch.rand(x.shape, generator=generator) >= p  # true with probability 1 - p
    return x * kept / (1 - p)
    ### END SOLUTION


# %% check="dropout_training_check" points=3
import torch

from course_utils import checks

_DROPOUTS = "dropout", "alpha_dropout", "feature_dropout", "native_dropout", "dropout1d", "dropout2d"


def _run_dropout(dropout, x, p, training, seed=0):
    with checks.without(*_DROPOUTS):
        output = dropout(x.clone(), p, training, checks.generator(seed))
    if output is None:
        raise checks.NotAnswered
    checks.require(isinstance(output, torch.Tensor), "return a tensor")
    found, expected = tuple(output.shape), tuple(x.shape)
    checks.require(found == expected, f"your output is {found}, expected {expected}")
    return output.detach()


@checks.beside
def _with_gradient(dropout, x, p, generator):
    """Return the output in training, its gradient, and whether global numbers were drawn."""
    before = torch.get_rng_state()
    leaf = x.requires_grad_()
    output = dropout(leaf, p, True, generator)
    is_used = not torch.equal(torch.get_rng_state(), before)
    if output.requires_grad:
        output.sum().backward()
    return output.detach(), leaf.grad, is_used


def check_values(dropout, x, p, slips):
    """Check a tensor x that has the same number everywhere."""
    output = _run_dropout(dropout, x, p, training=True)
    kept = output[output != 0]
    checks.require(len(kept) > 0, "you drop everything")
    number, expected = float(kept.flatten()[0]), float(x.flatten()[0]) / (1 - p)
    for slip, wrong in slips.items():
        sentence = f"a {float(x.flatten()[0]):g} that you keep becomes {number:g}: {slip}"
        checks.require(abs(number - wrong) > 1e-3, sentence)
    close = torch.allclose(kept, torch.tensor(expected), rtol=1e-4)
    sentence = f"a {x.flatten()[0]:g} that you keep becomes {number:g}, not {expected:g}"
    checks.require(close, sentence)
    share = float((output == 0).float().mean())
    sentence = f"with p = {p} you drop {share:.0%} of the numbers"
    checks.require(abs(share - p) < 0.03, sentence)
    return output


def check_small(dropout):
    slips = {
        "scale up the numbers that you keep": 3.0,
        "divide by the share that you keep, not by the one that you drop": 12.0,
        "you multiply by the share that you keep, as the paper did at test time": 2.25,
    }
    check_values(dropout, torch.full((100, 100), 3.0), 0.25, slips)


training_is_right = checks.show(check_small, dropout)


### BEGIN HIDDEN TESTS
def check_answer(dropout):
    import torch

    check_small(dropout)
    x = torch.full((8, 10, 20, 20), 2.0)
    dropped = check_values(dropout, x, 0.6, {}) == 0
    whole = "you drop whole {} at once: draw for each number"
    maps = dropped.float().mean(dim=(2, 3))  # (N, C)
    checks.require(bool(((maps > 0.2) & (maps < 0.95)).all()), whole.format("maps"))
    rows = dropped.float().mean(dim=3)  # (N, C, H)
    checks.require(float(((rows == 0) | (rows == 1)).float().mean()) < 0.1, whole.format("rows"))
    same = "every image of a batch loses the same numbers: draw for each image"
    checks.require(not torch.equal(dropped[0], dropped[1]), same)
    again = _run_dropout(dropout, x, 0.6, training=True)
    sentence = "the same seed does not drop the same numbers: draw from the generator only"
    checks.require(torch.equal(again == 0, dropped), sentence)
    other = _run_dropout(dropout, x, 0.6, training=True, seed=1)
    sentence = "another seed drops the same numbers: draw from the generator"
    checks.require(not torch.equal(other == 0, dropped), sentence)
    generator = checks.generator(0)
    first, second = (dropout(x, 0.6, True, generator) for _ in range(2))
    sentence = "two calls in a row drop the same numbers: do not seed the generator again"
    checks.require(not torch.equal(first, second), sentence)
    x = checks.random_tensor(40, 50)
    output, gradient, is_used = _with_gradient(dropout, x, 0.5, checks.generator(3))
    sentence = "you use torch's global random numbers as well: draw from the generator only"
    checks.require(not is_used, sentence)
    kept = output != 0
    right = torch.where(kept, 2 * x, 0.0)
    checks.require(torch.equal(x, checks.random_tensor(40, 50)), "your function changes x itself")
    checks.require(torch.allclose(output, right), "the numbers that you keep are not x / (1 - p)")
    sentence = "the gradient has to pass through the numbers that you keep, scaled, and no others"
    checks.require(gradient is not None and torch.allclose(gradient, 2.0 * kept), sentence)
    untouched = _run_dropout(dropout, torch.ones(1000), 0.0, training=True)
    checks.require(bool((untouched == 1).all()), "with p = 0 you must not drop anything")


checks.award(3, check_answer, dropout)
### END HIDDEN TESTS

# %% check="dropout_evaluation_check" points=1
import torch

from course_utils import checks

_DROPOUTS = "dropout", "alpha_dropout", "feature_dropout", "native_dropout", "dropout1d", "dropout2d"


def check_small(dropout, p=0.25):
    x = torch.full((100, 100), 3.0)
    with checks.without(*_DROPOUTS):
        output = dropout(x, p, False, checks.generator(0))
    slips = {
        "you multiply by 1 - p at test time, as the paper did": (1 - p) * x,
        "you scale up in evaluation, too": x / (1 - p),
        "you swap the two modes": torch.zeros_like(x),
    }
    if isinstance(output, torch.Tensor):
        checks.require(bool((output != 0).all()), "do not drop anything in evaluation")
    checks.require_tensor(output, x, slips)


evaluation_is_right = checks.show(check_small, dropout)


### BEGIN HIDDEN TESTS
def check_answer(dropout):
    import torch

    check_small(dropout)
    check_small(dropout, p=0.9)
    x = checks.random_tensor(2, 3, 4)
    generator = checks.generator(0)
    before = generator.get_state()
    checks.require_tensor(dropout(x, 0.5, False, generator), x)
    sentence = "you draw random numbers in evaluation: nothing is random there"
    checks.require(torch.equal(generator.get_state(), before), sentence)


checks.award(1, check_answer, dropout)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: local response normalisation
#
# Complete the function with the paper's formula. `size` is $n$ and odd; channels that do not exist
# count as 0.
#
# $$b_i = \frac{a_i}{\left(k + \alpha \sum_{j = i - (n-1)/2}^{i + (n-1)/2} a_j^2\right)^{\beta}}$$
#
# The sum runs over channels at the same pixel. Do not use torch's own function (it means something
# else by `alpha`).


# %% task="lrn"
def local_response_norm(
    a: torch.Tensor, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> torch.Tensor:
    """Divide each value of a (N, C, H, W) by its neighbours' activity; the shape stays."""
    ### BEGIN SOLUTION
    num_channels, half = a.shape[1], size // 2
    total = torch.zeros_like(a)
    for i in range(num_channels):
        neighbours = a[:, max(i - half, 0) : i + half + 1]  # (N, up to size, H, W)
        total[:, i] = neighbours.square().sum(dim=1)
    return a / (k + alpha * total) ** beta
    ### END SOLUTION


# %% check="lrn_check" points=3
import torch

from course_utils import checks


def _run_lrn(local_response_norm, a, *constants):
    with checks.without("local_response_norm"):
        return local_response_norm(a, *constants)


def check_small(local_response_norm):
    a = torch.tensor([1.0, 2.0, 0.0, 3.0]).view(1, 4, 1, 1)
    expected = torch.tensor([0.4082, 0.8165, 0.0, 0.9487]).view(1, 4, 1, 1)
    slips = {
        "you divide alpha by the size of the window, as torch does": [0.6124, 1.2247, 0.0, 1.5],
        "you leave the channel itself out of the sum": [0.4472, 1.4142, 0.0, 3.0],
        "you add the values, not their squares": [0.5, 1.0, 0.0, 1.5],
        "you begin the window at the channel, not to its left": [0.4082, 0.8944, 0.0, 0.9487],
        "you end the window at the channel, not to its right": [0.7071, 0.8165, 0.0, 0.9487],
        "you add up all channels, not only the neighbours": [0.2582, 0.5164, 0.0, 0.7746],
        "you take the last channel for a neighbour of the first": [0.2582, 0.8165, 0.0, 0.9045],
        "you forget the power beta": [0.1667, 0.3333, 0.0, 0.3],
        "you forget k": [0.4472, 0.8944, 0.0, 1.0],
        "you sum over the channel itself only": [0.7071, 0.8944, 0.0, 0.9487],
    }
    slips = {name: torch.tensor(row).view(1, 4, 1, 1) for name, row in slips.items()}
    output = _run_lrn(local_response_norm, a, 3, 1.0, 0.5, 1.0)
    checks.require_tensor(output, expected, slips, tolerance=1e-3)


lrn_is_right = checks.show(check_small, local_response_norm)


### BEGIN HIDDEN TESTS
def check_answer(local_response_norm):
    import torch
    import torch.nn.functional as F

    check_small(local_response_norm)
    rows = [(5, 1e-4, 0.75, 2.0), (3, 0.5, 0.75, 1.5), (7, 0.2, 1.0, 2.0)]
    for seed, (size, alpha, beta, k) in enumerate(rows):
        a = 5 * checks.random_tensor(2, 6, 4, 3, seed=seed)
        before = a.clone()
        right = F.local_response_norm(a, size, size * alpha, beta, k)
        across = F.local_response_norm(a.transpose(1, 3), size, size * alpha, beta, k)
        down = F.local_response_norm(a.transpose(1, 2), size, size * alpha, beta, k)
        pictures = F.local_response_norm(a.transpose(0, 1), size, size * alpha, beta, k)
        slips = {
            "you take pixels of a row as neighbours, not channels": across.transpose(1, 3),
            "you take pixels of a column as neighbours, not channels": down.transpose(1, 2),
            "you take other images as neighbours, not channels": pictures.transpose(0, 1),
            "you take a power of 0.5, whatever beta is": F.local_response_norm(
                a, size, size * alpha, 0.5, k
            ),
        }
        answer = _run_lrn(local_response_norm, a, size, alpha, beta, k)
        checks.require_tensor(answer, right, slips, tolerance=1e-4)
        checks.require(torch.equal(a, before), "your function changes the maps that it is given")
    a = 50 * checks.random_tensor(1, 8, 2, 2)
    right = F.local_response_norm(a, 5, 5e-4, 0.75, 2.0)
    checks.require_tensor(_run_lrn(local_response_norm, a), right, tolerance=1e-4)


checks.award(3, check_answer, local_response_norm)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: sizes that fit
#
# Complete the function: for which image sizes $n$ does a first layer use every pixel? It does if
# the division in the formula leaves no remainder, so that nothing is cut off at the end. (224 with
# AlexNet's stem is not one of them.) The padded image must be at least as large as the kernel.


# %% task="fitting"
def fitting_sizes(
    kernel_size: int, stride: int, padding: int, smallest: int, largest: int
) -> list[int]:
    """Return the sizes n, smallest <= n <= largest, that use every pixel, in ascending order."""
    ### BEGIN SOLUTION
    steps = {n: n + 2 * padding - kernel_size for n in range(smallest, largest + 1)}
    return [n for n, step in steps.items() if step >= 0 and step % stride == 0]
    ### END SOLUTION


# %% check="fitting_check" points=3
from course_utils import checks


def _require_sizes(answer, expected, slips):
    """Hold a list of whole numbers against the right one, and name the slip."""
    if answer is None:
        raise checks.NotAnswered
    checks.require(isinstance(answer, list), f"return a list, not {type(answer).__name__}")
    checks.name_slip(answer, {slip: wrong for slip, wrong in slips.items() if wrong != expected})
    checks.require(answer == expected, f"{answer} is not the list, which is {expected}")


def check_small(fitting_sizes):
    slips = {
        "you leave out the padding": [221, 226, 231],
        "you add the padding on one side only": [220, 225, 230],
        "you leave out the kernel": [223, 228, 233],
        "you leave out the largest size": [224, 229],
        "you list every size that gives an output at all": list(range(220, 235)),
        "you list the sizes that do not fit": [n for n in range(220, 235) if n % 5 != 4],
        "you ask whether the stride divides the number of positions": [229],
    }
    _require_sizes(fitting_sizes(11, 5, 1, 220, 234), [224, 229, 234], slips)


fitting_is_right = checks.show(check_small, fitting_sizes)


### BEGIN HIDDEN TESTS
def check_answer(fitting_sizes):
    import torch
    import torch.nn.functional as F

    check_small(fitting_sizes)

    def uses_last_pixel(n, k, s, p):
        """Return whether the last row and column of the padded image lie under a window."""
        padded = torch.zeros(1, 1, n + 2 * p, n + 2 * p)
        if len(padded[0, 0]) < k:
            return False
        padded[..., -1, -1] = 1
        return bool(F.conv2d(padded, torch.ones(1, 1, k, k), stride=s).sum() > 0)

    for k, s, p, smallest, largest in [(7, 2, 3, 30, 41), (11, 4, 1, 1, 20), (5, 3, 0, 1, 12)]:
        sizes = range(smallest, largest + 1)
        right = [n for n in sizes if uses_last_pixel(n, k, s, p)]
        slips = {
            "you list an image that is smaller than the kernel, padding included": [
                n for n in sizes if (n + 2 * p - k) % s == 0
            ],
            "you leave out the padding": [n for n in sizes if n >= k and (n - k) % s == 0],
            "you leave out the padding when you compare a small image with the kernel": [
                n for n in sizes if n >= k and (n + 2 * p - k) % s == 0
            ],
        }
        _require_sizes(fitting_sizes(k, s, p, smallest, largest), right, slips)
    _require_sizes(fitting_sizes(3, 2, 0, 4, 4), [], {})


checks.award(3, check_answer, fitting_sizes)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here are two of your functions at work: a sum of a hundred units under dropout, which varies but
# keeps its mean, and one loud channel among quiet ones.

# %%
if training_is_right and evaluation_is_right and lrn_is_right:
    generator = torch.Generator().manual_seed(0)
    units = torch.ones(2000, 100)  # 2,000 draws of a hundred units
    for p in (0.2, 0.5, 0.8):
        sums = dropout(units, p, True, generator).sum(dim=1)
        print(
            f"p = {p}: mean of the sum {sums.mean():5.1f}, standard deviation {sums.std():4.1f}"
        )
    print("evaluation:", dropout(units, 0.5, False, generator).sum(dim=1)[0].item())
    channels = torch.tensor([1.0, 1.0, 1.0, 10.0, 1.0, 1.0, 1.0]).view(1, 7, 1, 1)
    after = local_response_norm(channels, size=3, alpha=0.1, beta=0.75, k=1.0)
    print("one loud channel:", [round(v, 2) for v in after.flatten().tolist()])
else:
    print("Sums under dropout and a loud channel appear here once tasks 1 and 2 are done.")

# %% [markdown]
# ## In your own words
#
# A live plot of a net with dropout shows the *training* accuracy below the *validation* accuracy.
# **(a)** Explain how dropout causes this, and say how to measure the two so that they can be
# compared. **(b)** Somebody forgets the factor $1/(1-p)$ in training, and leaves evaluation as it
# is. What goes wrong at test time, and why? Four to six sentences, 2 points, read by a person.

# %% [markdown] written="two_modes" points=2
# **A model answer.** The training curve is measured while some of the units are off, the validation
# curve with all of them on: it is the same net in two modes, and the one with missing units does
# worse. (The training curve is a mean over the epoch as well.) To compare, evaluate the training
# images once more after the epoch, in evaluation mode. Without the factor the next layer learns
# with inputs that are, on average, 1 − p times as large as without dropout. At test time all units
# are on, so its sums are larger by a factor of 1/(1 − p), twice as large with p = 0.5, in every
# layer with dropout: the net sees numbers that it was not trained on. Either scale in training, or
# multiply by 1 − p at test time, as the paper did.
#
# **Marking scheme.**
#
# - (a) 1 point: units are off during training only, *and* both must be measured in evaluation mode.
#   Half a point for one of the two. None for "the validation images are easier".
# - (b) 1 point: at test time the sums are larger than in training, because all units are on. Half a
#   point for "the scale is wrong" without the direction or the reason.
