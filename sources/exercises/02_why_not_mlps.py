# %% [markdown]
# # Exercise 02: what an MLP does not see
#
# **You practise** counting what a dense layer costs, and proving by code that an MLP cannot notice
# a shuffle of its pixels.
#
# **Minutes:** 40 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 02
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the parameters of an MLP | 2 | the checks |
# | Task 2: shuffle, and back | 4 | the checks |
# | Task 3: the twin | 4 | the checks |
# | In your own words | 2 | a person |
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
#
# **Working on your own?** Once the checks find nothing wrong, compare your answers with the
# notebook of the same name in `solutions/`.

# %% readonly="setup"
from itertools import pairwise

import torch

from course_utils import checks, data, quiz
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

# %% [markdown]
# ### Question 1

# %% quiz="first_layer"
first_layer = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/02_why_not_mlps", "first_layer", student_id)
size, units = numbers["size"], numbers["units"]
first_layer = (3 * size * size + 1) * units  # a weight for each number of the image, and a bias
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="place"
place = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/02_why_not_mlps", "place", student_id)
size, channel, row, column = (numbers[name] for name in ("size", "channel", "row", "column"))
place = (channel * size + row) * size + column  # channel by channel, row by row
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="training_memory"
training_memory = None  # bytes
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/02_why_not_mlps", "training_memory", student_id)
size, units = numbers["size"], numbers["units"]
training_memory = 3 * size * size * units * 4 * 4  # four floats of four bytes for each weight
### END SOLUTION

# %% [markdown]
# ## Task 1: the parameters of an MLP
#
# Complete the function. The list says how many numbers go into the first layer, and then how many
# come out of each layer: `[3072, 256, 10]` has two layers. Each layer has biases.


# %% task="num_parameters"
def mlp_parameters(sizes: list[int]) -> int:
    """Return the number of parameters of an MLP with these sizes, at least two."""
    ### BEGIN SOLUTION
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    ### END SOLUTION


# %% check="num_parameters_check" points=2
from course_utils import checks


def check_small(mlp_parameters):
    slips = {
        "you forget the biases": 50,
        "you count a bias for each number that goes in": 63,
        "you forget the first layer's biases": 52,
        "you forget the last layer's biases": 55,
        "you count only the first layer": 45,
        "you add the sizes instead of multiplying them": 17,
    }
    checks.require_number(mlp_parameters([8, 5, 2]), 57, slips)


count_is_right = checks.show(check_small, mlp_parameters)


### BEGIN HIDDEN TESTS
def check_answer(mlp_parameters):
    from itertools import pairwise

    from torch import nn

    check_small(mlp_parameters)
    for sizes in ([784, 256, 128, 10], [3, 4], [5, 5, 5, 5, 5]):
        layers = [nn.Linear(*pair, device="meta") for pair in pairwise(sizes)]
        right = sum(p.numel() for layer in layers for p in layer.parameters())
        weights = sum(layer.weight.numel() for layer in layers)
        slips = {"you forget the biases": weights}
        checks.require_number(mlp_parameters(list(sizes)), right, slips)


checks.award(2, check_answer, mlp_parameters)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: shuffle, and back
#
# Complete both functions. `order` is a permutation of the `H * W` pixels: pixel `i` of the shuffled
# image is pixel `order[i]` of the original, counted row by row. Every image and every channel is
# put into the *same* order. The second function undoes the first.


# %% task="shuffle"
def shuffle_pixels(images: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Put the pixels of images (N, C, H, W) into `order` (H * W,)."""
    ### BEGIN SOLUTION
    return images.flatten(2)[:, :, order].view_as(images)
    ### END SOLUTION


def unshuffle_pixels(images: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Undo `shuffle_pixels` with the same order."""
    ### BEGIN SOLUTION
    return shuffle_pixels(images, order.argsort())  # where each pixel went
    ### END SOLUTION


# %% check="shuffle_check" points=4
import torch

from course_utils import checks


def _compare(shuffle_pixels, unshuffle_pixels, images, order):
    flat = images.flatten(2)
    right, back = flat[:, :, order].view_as(images), flat[:, :, order.argsort()].view_as(images)
    slips = {
        "you shuffle the wrong way: pixel i goes to place order[i]": back,
        "you do not shuffle at all": images,
        "you count column by column, not row by row": images.transpose(2, 3)
        .flatten(2)[:, :, order]
        .view_as(images),
    }
    answer = shuffle_pixels(images.clone(), order.clone())
    checks.require_tensor(answer, right, slips, hint="the shape stays the same")
    restored = unshuffle_pixels(right.clone(), order.clone())
    slips = {
        "you shuffle once more, not back": right.flatten(2)[:, :, order].view_as(images),
        "you return the shuffled images as they are": right,
        "you read the order backwards": right.flatten(2)[:, :, order.flip(0)].view_as(images),
    }
    checks.require_tensor(restored, images, slips, hint="the shape stays the same")


def check_small(shuffle_pixels, unshuffle_pixels):
    images = torch.arange(12.0).reshape(1, 2, 2, 3)
    _compare(shuffle_pixels, unshuffle_pixels, images, torch.tensor([2, 0, 1, 5, 3, 4]))


shuffle_is_right = checks.show(check_small, shuffle_pixels, unshuffle_pixels)


### BEGIN HIDDEN TESTS
def check_answer(shuffle_pixels, unshuffle_pixels):
    import torch

    check_small(shuffle_pixels, unshuffle_pixels)
    for seed, shape in enumerate([(3, 3, 4, 4), (2, 1, 5, 3)]):
        images = checks.random_tensor(*shape, seed=seed)
        order = torch.randperm(shape[2] * shape[3], generator=checks.generator(seed))
        _compare(shuffle_pixels, unshuffle_pixels, images, order)


checks.award(4, check_answer, shuffle_pixels, unshuffle_pixels)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: the twin
#
# An MLP cannot notice the shuffle: every first layer has a *twin* that gives the same numbers on
# shuffled images. Complete the function: given the weights of a first layer that reads flattened
# images of `C` channels, return the weights of its twin.


# %% task="twin"
def twin_weight(weight: torch.Tensor, order: torch.Tensor, num_channels: int) -> torch.Tensor:
    """Return weights (units, C * H * W) that do to shuffled images what `weight` does to others."""
    ### BEGIN SOLUTION
    by_channel = weight.unflatten(1, (num_channels, len(order)))  # (units, C, H * W)
    return by_channel[:, :, order].flatten(1)  # each weight moves along with its pixel
    ### END SOLUTION


# %% check="twin_check" points=4
import torch

from course_utils import checks


def _compare(twin_weight, units, channels, height, width, seed):
    weight = checks.random_tensor(units, channels * height * width, seed=seed)
    order = torch.randperm(height * width, generator=checks.generator(seed))
    images = checks.random_tensor(4, channels, height, width, seed=seed + 1)
    shuffled = images.flatten(2)[:, :, order].flatten(1)
    answer = twin_weight(weight.clone(), order.clone(), channels)
    by_channel = weight.unflatten(1, (channels, height * width))
    slips = {
        "you leave the weights where they are": weight,
        "you move the weights the wrong way": by_channel[:, :, order.argsort()].flatten(1),
        "you reorder the columns as if there were one channel": torch.cat(
            [weight[:, order], weight[:, height * width :]], 1
        ),
    }
    right = by_channel[:, :, order].flatten(1)
    if isinstance(answer, torch.Tensor) and answer.shape == right.shape:
        given, wanted = shuffled @ answer.T.to(shuffled.dtype), images.flatten(1) @ weight.T
        if torch.allclose(given, wanted, atol=1e-4):
            return
    checks.require_tensor(answer, right, slips, hint="the twin has as many weights")


def check_small(twin_weight):
    _compare(twin_weight, units=2, channels=1, height=2, width=3, seed=3)
    _compare(twin_weight, units=3, channels=2, height=3, width=2, seed=4)


twin_is_right = checks.show(check_small, twin_weight)


### BEGIN HIDDEN TESTS
def check_answer(twin_weight):
    check_small(twin_weight)
    _compare(twin_weight, units=5, channels=3, height=4, width=4, seed=11)
    _compare(twin_weight, units=4, channels=1, height=6, width=5, seed=12)


checks.award(4, check_answer, twin_weight)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Once they are shuffled, no person can tell the images apart; for the MLP nothing has changed.

# %%
if shuffle_is_right and twin_is_right:
    generator = torch.Generator().manual_seed(0)
    loaders = data.load("shapes", batch_size=4, limit=40, generator=generator)
    images = loaders.test.images[:4] / 255  # (4, 3, 32, 32)
    order = torch.randperm(32 * 32, generator=generator)
    mixed = shuffle_pixels(images, order)
    show(
        plot_images([*images, *mixed], num_columns=4, size=1.3),
        "Four coloured shapes, and below them the same four with shuffled pixels: only noise",
    )
    weight = checks.random_tensor(10, 3 * 32 * 32, seed=5)
    tidy = images.flatten(1) @ weight.T
    twin = mixed.flatten(1) @ twin_weight(weight, order, 3).T
    print(f"largest difference between the twins: {(tidy - twin).abs().max():.3f}")
else:
    print("Images appear here once tasks 2 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# On shuffled images the MLP of the lesson does better than the convnet, on the original ones worse.
# **(a)** Explain both with one idea. **(b)** Name a kind of data, other than shuffled images, for
# which you would not use a convnet, and say which of its assumptions fails. Four to six sentences,
# 2 points, read by a person.

# %% [markdown] written="prejudice" points=2
# **A model answer.** A convnet starts from an assumption, an inductive bias: neighbours belong
# together, and a pattern means the same wherever it is. In ordinary images that is true, so the
# convnet need not learn it from examples and gets further with the same number of images. After
# the shuffle neighbours have nothing to do with each other; the assumption is false and only rules
# things out, while the MLP, which assumed nothing, loses nothing. A table of a patient's blood
# values is such data: the order of the columns is arbitrary (locality fails), and a high value in
# one column does not mean what it means in another (sharing fails).
#
# **Marking scheme.**
#
# - (a) 1 point: an assumption (locality, sharing, inductive bias) that holds in one case and fails
#   in the other. Half a point if only one of the two cases is explained.
# - (b) 1 point: suitable data *and* the assumption that fails. Half a point for the data alone.
