# %% [markdown]
# # Exercise 01: from photos to a batch
#
# **You practise** turning what a file holds into what a network reads: the order of the axes, the
# type, the scale, the normalisation.
#
# **Minutes:** 35 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 01
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: photos to a batch | 4 | the checks |
# | Task 2: normalisation | 4 | the checks |
# | Task 3: luminance | 2 | the checks |
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

# %% quiz="batch_shape"
batch_shape = None  # (four sizes)
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/01_image_tensors", "batch_shape", student_id)
num, width, height = (numbers[name] for name in ("num", "width", "height"))
batch_shape = (num, 3, height, width)  # rows before columns
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="batch_bytes"
batch_bytes = None  # bytes
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/01_image_tensors", "batch_bytes", student_id)
num, width, height = (numbers[name] for name in ("num", "width", "height"))
batch_bytes = num * 3 * height * width * 4  # four bytes for each float32
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="brighter"
brighter = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/01_image_tensors", "brighter", student_id)
value, more = numbers["value"], numbers["more"]
brighter = (value + more) % 256  # a byte wraps around
### END SOLUTION

# %% [markdown]
# ## Task 1: photos to a batch
#
# Complete the function. A decoder gives you photos as bytes, height by width by channel, all of the
# same size. A network wants one tensor of floats from 0 to 1, with the channels before the rows.


# %% task="to_batch"
def to_batch(photos: list[torch.Tensor]) -> torch.Tensor:
    """Turn photos, each (H, W, 3) uint8, into images (N, 3, H, W), float32 in [0, 1]."""
    ### BEGIN SOLUTION
    stacked = torch.stack(photos)  # (N, H, W, 3)
    return stacked.permute(0, 3, 1, 2).float() / 255
    ### END SOLUTION


# %% check="to_batch_check" points=4
import torch

from course_utils import checks

_HINT = "one photo is (H, W, 3), the batch (N, 3, H, W)"


def _compare(to_batch, photos):
    stacked = torch.stack(photos)
    right = stacked.movedim(-1, 1) / 255
    slips = {
        "you do not divide the bytes by 255": right * 255,
        "you divide by 256: white does not become 1": right * 255 / 256,
        "you divide by the largest number there is, not by 255": right / right.max(),
        "you reshape, which cuts the rows anew: move the axis": stacked.reshape(right.shape)
        / 255,
        "you swap height and width": right.transpose(2, 3),
        "you leave the channels last": stacked / 255,
        "you reverse the channels to blue, green, red": right.flip(1),
    }
    answer = to_batch([photo.clone() for photo in photos])
    checks.require_tensor(answer, right, slips, hint=_HINT)
    dtype = str(answer.dtype).removeprefix("torch.")
    checks.require(dtype == "float32", f"your batch is {dtype}, expected float32")


def check_small(to_batch):
    photo = torch.arange(18, dtype=torch.uint8).reshape(2, 3, 3) * 10  # 2 rows, 3 columns
    _compare(to_batch, [photo, 3 + photo])


batch_is_right = checks.show(check_small, to_batch)


### BEGIN HIDDEN TESTS
def check_answer(to_batch):
    import torch

    check_small(to_batch)
    generator = checks.generator(1)
    for shape in [
        (5, 7, 3),
        (4, 4, 3),
        (3, 3, 3),
    ]:  # the last one raises no error for a mixed-up axis
        photos = [torch.randint(256, shape, generator=generator).byte() for _ in range(4)]
        _compare(to_batch, photos)


checks.award(4, check_answer, to_batch)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: normalisation
#
# Complete both functions. The first measures the mean and the standard deviation of each channel,
# over all images and all pixels; the standard deviation is the square root of the *mean* squared
# deviation. The second normalises images with such numbers.


# %% task="normalise"
def channel_statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean (C,) and standard deviation (C,) of images (N, C, H, W), float."""
    ### BEGIN SOLUTION
    mean = images.mean(dim=(0, 2, 3))
    std = images.std(dim=(0, 2, 3), correction=0)
    return mean, std
    ### END SOLUTION


def normalise(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Subtract the mean (C,) of each channel from images (N, C, H, W), divide by std (C,)."""
    ### BEGIN SOLUTION
    return (images - mean[:, None, None]) / std[:, None, None]  # (C, 1, 1): the same at each pixel
    ### END SOLUTION


# %% check="statistics_check" points=2
import torch

from course_utils import checks


def _compare(channel_statistics, images):
    axes = (0, 2, 3)
    answer = channel_statistics(images.clone())
    if answer is None:
        raise checks.NotAnswered
    is_pair = isinstance(answer, tuple | list) and len(answer) == 2
    checks.require(is_pair, "return two tensors: the means and the standard deviations")
    mean, std = images.mean(axes), images.std(axes, correction=0)
    slips = {
        "you put all channels together": images.mean().reshape(1).expand(len(mean)),
        "you average each image, not each channel": images.mean((1, 2, 3)),
        "you look only at the first image": images[0].mean((1, 2)),
    }
    checks.require_tensor(answer[0], mean, slips, hint="one mean for each channel")
    slips = {
        "you divide the sum by one less than the number of pixels": images.std(axes),
        "you forget the square root: that is the variance": images.var(axes, correction=0),
        "you take the mean absolute deviation": (images - mean[:, None, None]).abs().mean(axes),
        "you average the images' standard deviations": images.std((2, 3), correction=0).mean(0),
        "you put all channels together": images.std(correction=0).reshape(1).expand(len(std)),
    }
    checks.require_tensor(answer[1], std, slips, hint="one standard deviation for each channel")


def check_small(channel_statistics):
    images = torch.tensor([[[[0.0, 2.0]], [[1.0, 1.0]]], [[[4.0, 6.0]], [[1.0, 5.0]]]])
    _compare(channel_statistics, images)  # (2, 2, 1, 2): the means are 3 and 2


statistics_are_right = checks.show(check_small, channel_statistics)


### BEGIN HIDDEN TESTS
def check_answer(channel_statistics):
    check_small(channel_statistics)
    _compare(channel_statistics, checks.random_tensor(5, 3, 4, 6, seed=1))
    _compare(channel_statistics, checks.random_tensor(3, 3, 3, 3, seed=2) * 7 + 2)


checks.award(2, check_answer, channel_statistics)
### END HIDDEN TESTS

# %% check="normalise_check" points=2
import torch

from course_utils import checks


def _compare(normalise, images, mean, std):
    column, row = mean[:, None, None], std[:, None, None]
    right = (images - column) / row
    slips = {
        "you do not subtract the mean": images / row,
        "you do not divide by the standard deviation": images - column,
        "you divide by the square root of the standard deviation": (images - column) / row.sqrt(),
        "you divide before you subtract the mean": images / row - column,
        "you multiply and add: that is the way back": images * row + column,
    }
    if images.shape[1] == images.shape[-1]:
        slips["your numbers run along the pixels of a row, not along the channels"] = (
            images - mean
        ) / std
    answer = normalise(images.clone(), mean.clone(), std.clone())
    checks.require_tensor(answer, right, slips, hint="only the numbers change, not the shape")


def check_small(normalise):
    images = torch.arange(12.0).reshape(1, 3, 2, 2)
    _compare(normalise, images, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 0.5]))


normalise_is_right = checks.show(check_small, normalise)


### BEGIN HIDDEN TESTS
def check_answer(normalise):
    check_small(normalise)
    for seed, shape in enumerate([(2, 3, 3, 3), (4, 1, 5, 2), (2, 5, 4, 5)]):
        images, mean = (
            checks.random_tensor(*shape, seed=seed),
            checks.random_tensor(shape[1], seed=9),
        )
        _compare(normalise, images, mean, mean.abs() + 0.5)


checks.award(2, check_answer, normalise)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3: luminance
#
# Complete the function: it turns images to grey and weights the colours as the eye does, $Y =
# 0.299\,R + 0.587\,G + 0.114\,B$. Keep the channel axis, with one channel in it.


# %% task="luminance"
def luminance(images: torch.Tensor) -> torch.Tensor:
    """Turn images (N, 3, H, W), red first, into grey images (N, 1, H, W)."""
    ### BEGIN SOLUTION
    weights = torch.tensor([0.299, 0.587, 0.114])
    return torch.einsum("c,nchw->nhw", weights, images)[:, None]
    ### END SOLUTION


# %% check="luminance_check" points=2
import torch

from course_utils import checks


def _compare(luminance, images):
    red, green, blue = images.split(1, dim=1)
    right = 0.299 * red + 0.587 * green + 0.114 * blue
    slips = {
        "you weight all colours alike": images.mean(1, keepdim=True),
        "you take the colours as blue, green, red": 0.299 * blue + 0.587 * green + 0.114 * red,
        "you drop the channel axis": right[:, 0],
        "you divide the sum by 3, though the weights add up to 1": right / 3,
        "you keep three channels": right.expand(-1, 3, -1, -1),
    }
    answer = luminance(images.clone())
    checks.require_tensor(answer, right, slips, hint="one channel is left", tolerance=1e-4)


def check_small(luminance):
    _compare(luminance, torch.tensor([1.0, 0.0, 0.5, 0.0, 1.0, 0.25]).reshape(1, 3, 1, 2))


luminance_is_right = checks.show(check_small, luminance)


### BEGIN HIDDEN TESTS
def check_answer(luminance):
    check_small(luminance)
    _compare(luminance, checks.random_tensor(2, 3, 5, 4, seed=1))
    _compare(luminance, checks.random_tensor(3, 3, 3, 3, seed=2))


checks.award(2, check_answer, luminance)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here are your functions on four colour images from the course's own data set.

# %%
if batch_is_right and luminance_is_right:
    loaders = data.load(
        "shapes", batch_size=4, limit=40, generator=torch.Generator().manual_seed(0)
    )
    photos = [image.permute(1, 2, 0) for image in loaders.train.images[:4]]  # as a file has them
    images = to_batch(photos)
    show(
        plot_images([*images, *luminance(images)], num_columns=4, size=1.3),
        "Four colour images of simple shapes, and below them the same four in grey",
    )
else:
    print("Images appear here once tasks 1 and 3 are done.")

# %% [markdown]
# ## In your own words
#
# A friend normalises every *test* image by its own mean and standard deviation, "because that is
# more exact". **(a)** What does the network lose by that? **(b)** Which numbers should you use for
# test images, and why not those of the test set? Three to five sentences, 2 points, read by a
# person.

# %% [markdown] written="own_mean" points=2
# **A model answer.** A dark image and a bright one look the same once each is normalised by itself:
# brightness and contrast are lost, though they may tell the classes apart. And the network was
# trained on images that were normalised with fixed numbers, so it now gets inputs unlike those it
# learned from. The mean and standard deviation of the *training* set belong to the model, like its
# weights, and are used for every image. Numbers measured on the test set would let it have a say in
# the model; it should only judge it.
#
# **Marking scheme.**
#
# - (a) 1 point: overall brightness or contrast is lost, or inputs differ from those of training.
#   Half a point for "it gives other numbers" without saying what is lost.
# - (b) 1 point: those of the training set, because the test set must not influence the model (or
#   because in use there is one image at a time). Half a point without a reason.
