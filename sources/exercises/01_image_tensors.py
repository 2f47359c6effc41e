# %% [markdown]
# # Exercise 01: what a loader does to an image
#
# **You practise** reading an image out of memory, finding out what an unknown loader does, finding
# five faults in a loader by their symptoms, and measuring how many images it takes to estimate a
# mean.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
import torch

from course_utils import checks, data, quiz
from course_utils.plots import plot_images, show

SHAPES = data.make_shapes(200, data.ShapesConfig(), torch.Generator().manual_seed(0))


def own_frame(student_id):
    """Return the bytes of your frame, its height and width in pixels, and its bytes per row."""
    drawn = quiz.generator(student_id)
    height, width, which = (
        int(torch.randint(*span, (), generator=drawn)) for span in ((26, 33), (26, 33), (0, 200))
    )
    pitch = 3 * width + int(torch.randint(7, 40, (), generator=drawn))
    rows = torch.zeros(height, pitch, dtype=torch.uint8)
    image = SHAPES.images[which, :, :height, :width]
    rows[:, : 3 * width] = image.permute(1, 2, 0).flatten(1)
    return rows.flatten(), height, width, pitch


def sheared(frame, height, width):
    """Return the image (3, H, W) that you see if you do not know about the filler."""
    return frame[: 3 * height * width].view(height, width, 3).permute(2, 0, 1)


def own_loader(student_id):
    """Return order, mean and std of your loader, three numbers each."""
    drawn = quiz.generator(student_id)
    orders = ((2, 1, 0), (0, 2, 1), (1, 0, 2))
    order = orders[int(torch.randint(3, (), generator=drawn))]
    mean = [int(torch.randint(300, 601, (), generator=drawn)) / 1000 for _ in range(3)]
    std = [int(torch.randint(150, 351, (), generator=drawn)) / 1000 for _ in range(3)]
    return order, mean, std


def make_box(order, mean, std):
    """Return a loader with these numbers; it takes one `uint8` photo, (H, W, 3)."""
    mean, std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]

    def box(photo):
        if photo.dtype != torch.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise ValueError(f"expected uint8, (H, W, 3); got {photo.dtype}, {tuple(photo.shape)}")
        return (photo.permute(2, 0, 1)[list(order)] / 255 - mean) / std

    return box


def own_collection(student_id):
    """Return your images (3600, 1, 28, 28), floats from 0 to 1, and how many you may read."""
    drawn, clothes = quiz.generator(student_id), data.load("fashion_mnist_mini", batch_size=50)
    classes = torch.randperm(10, generator=drawn)[:4]
    mine = torch.isin(clothes.train.labels, classes)
    num_images = int(torch.randint(5, 41, (), generator=drawn))
    return clothes.train.images[mine] / 255, num_images


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your frame, your
# loader and your images, so yours will differ from most people's. If you work on your own, leave it
# empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=5
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="batch_bytes"
batch_bytes = None  # bytes
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/01_image_tensors", "batch_bytes", student_id)
num, width, height = (numbers[name] for name in ("num", "width", "height"))
batch_bytes = num * 3 * height * width * 4  # four bytes for each float32
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="wrapped_seen"
wrapped_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/01_image_tensors", "wrapped_seen", student_id)
# Above 255 a byte starts again at 0. If all pixels wrap around, the differences between them stay
# the same.
all_wrap = question.values["low"] + question.values["more"] > 255
seen = "The same image, but darker" if all_wrap else "Dark patches"
wrapped_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="own_mean_told"
own_mean_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/01_image_tensors", "own_mean_told", student_id)
# If the same number is subtracted from a whole set, its images still differ in brightness.
told = "Compute the mean of each"
own_mean_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: a frame in memory
#
# A camera hands over a frame as one long sequence of bytes: the pixels row by row, and for each
# pixel its red, green and blue values. But each row of the frame takes up `pitch` bytes: first
# those of its pixels, then filler, because the camera's chip needs rows of certain lengths.
# Complete the function so that it returns the image, without the filler and with its axes in
# PyTorch's order. The values stay as they are, from 0 to 255.
#
# Below is your frame as it looks if you do not know about the filler.
#
# hint: The bytes come in the order (row, place in the row). How long are these two axes?
#
# hint: In a row, the first 3 · W bytes belong to pixels. Cut off the rest *before* you split a row
# into pixels.
#
# hint: `reshape` keeps the order in memory, so it is right for going from (H, 3 · W) to (H, W, 3).
# What moves the axes after that?

# %%
frame, height, width, pitch = own_frame(student_id)
print(f"{len(frame)} bytes: {height} rows of {pitch} bytes, for {width} pixels each")
show(
    plot_images([sheared(frame, height, width)], ["filler read\nas pixels"], size=1.6),
    "An image cut apart by black lines that slant across it: no shape can be recognised",
)


# %% task="unpack"
def unpack(frame: torch.Tensor, height: int, width: int, pitch: int) -> torch.Tensor:
    """Return the image (3, height, width) from a frame (height * pitch,) of bytes."""
    ### BEGIN SOLUTION
    rows = frame.reshape(height, pitch)[:, : 3 * width]  # first cut off the filler
    return rows.reshape(height, width, 3).permute(2, 0, 1)  # split, then move axes
    ### END SOLUTION


# %% check="unpack_check" points=1
import torch

from course_utils import checks


def _frame(seed, height, width, pitch):
    """Return a frame of random bytes, and its image."""
    drawn = checks.generator(seed)
    frame = torch.randint(256, (height * pitch,), generator=drawn).to(torch.uint8)
    image = torch.empty(3, height, width)
    for row in range(height):
        pixels = frame[row * pitch : row * pitch + 3 * width]
        for channel in range(3):
            image[channel, row] = pixels[channel::3]
    return frame, image


def check_small(unpack):
    frame, image = _frame(0, 6, 6, 24)
    found = unpack(frame.clone(), 6, 6, 24)
    if found is None:
        raise checks.NotAnswered
    shape = tuple(getattr(found, "shape", ()))
    checks.require(shape == (3, 6, 6), f"Your image has the shape {shape}, expected (3, 6, 6).")
    naive, right = frame[:108].double(), image.double().mean(dim=(1, 2))
    cut = image.permute(1, 2, 0).reshape(3, 36).double()
    means = torch.as_tensor(found).double().mean(dim=(1, 2))
    for slip, wrong in {
        "take the filler for pixels": naive.view(36, 3).mean(dim=0),
        "cut the bytes into thirds, one for each channel": naive.view(3, 36).mean(dim=1),
        "use `reshape` to move the channels: it keeps the order in memory": cut.mean(dim=1),
        "reverse the channels to blue, green, red": right.flip(0),
        "divide by 255: here the values stay as they are": right / 255,
    }.items():
        is_slip = torch.allclose(means, wrong, rtol=1e-4)
        checks.require(not is_slip, f"Your image is what you get if you {slip}.")
    given, expected = ([round(each, 1) for each in row.tolist()] for row in (means, right))
    sentence = f"Your channels have the means {given}, expected {expected}."
    checks.require(torch.allclose(means, right, rtol=1e-4), sentence)


unpack_is_right = checks.show(check_small, unpack)


### BEGIN HIDDEN TESTS
def check_answer(unpack):

    check_small(unpack)
    sizes = [(5, 8, 24), (5, 8, 31), (9, 4, 12 + 64), (7, 7, 23), (1, 3, 10)]
    for seed, (height, width, pitch) in enumerate(sizes):
        frame, image = _frame(10 + seed, height, width, pitch)
        slips = {
            "you swap rows and columns": image.mT,
            "you turn the image upside down": image.flip(1),
            "you reverse the columns": image.flip(2),
            "you rotate the image": image.flip(1, 2),
        }
        found = unpack(frame.clone(), height, width, pitch)
        checks.require_tensor(found, image, slips, hint="channels, rows, columns")


checks.award(1, check_answer, unpack)
### END HIDDEN TESTS

# %%
if unpack_is_right:
    show(
        plot_images([unpack(frame, height, width, pitch)], ["your unpack"], size=1.6),
        "The same image with its rows in place: a shape in front of a textured background",
    )
else:
    print("Your frame appears here once task 1 is done.")

# %% [markdown] tier="build" minutes=9
# ## Task 2: a loader that nobody has described
#
# You get a trained net together with its loader. The loader is a black box: nobody has written down
# what it does, and the net fails on images that are loaded in any other way. The loader takes one
# `uint8` photo, (H, W, 3), and returns floats, (3, H, W). All you know is the form of its output.
# Channel c is
#
# $$\frac{\text{photo}[:, :, \text{order}[c]] / 255 - \text{mean}[c]}{\text{std}[c]}$$
#
# Complete the function so that it finds out `order`, `mean` and `std` by sending photos through the
# box. You choose the photos. The `box` below is yours, but the function must work for any box.
#
# hint: What does the box return for a black photo? And how does that differ from what it returns
# for a white one?
#
# hint: Send pure red: which of the three output channels changes, compared with the black photo? Is
# the index of this channel a position in `order`, or the value at a position?
#
# hint: A photo may have a single row: one black pixel, one red, one green, one blue. Then one call
# tells you everything.

# %%
box = make_box(*own_loader(student_id))
grey = box(torch.full((1, 1, 3), 128, dtype=torch.uint8)).flatten().tolist()
print(f"your box returns {grey} for one grey pixel")


# %% task="recover"
def recover(box):
    """Return order (three whole numbers), mean (three floats) and std (three floats) of a box."""
    ### BEGIN SOLUTION
    photo = torch.zeros(1, 4, 3, dtype=torch.uint8)
    photo[0, 1:] = 255 * torch.eye(3, dtype=torch.uint8)  # black, red, green, blue
    black, *colours = box(photo)[:, 0].unbind(dim=1)
    gain = torch.stack(colours) - black  # (3, 3): the photo's channel, output channel
    order = gain.argmax(dim=0).tolist()  # for each output channel, where it comes from
    std = 1 / gain.max(dim=0).values  # the output at 255, minus that at 0, is 1 / std
    return order, -black * std, std
    ### END SOLUTION


# %% check="recover_check" points=3
import torch

from course_utils import checks


@checks.beside
def _probed(recover, order, mean, std):
    """Return what the learner's function finds out about a box."""
    mean, std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]

    def box(photo):
        if photo.dtype != torch.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise ValueError(f"expected uint8, (H, W, 3); got {photo.dtype}, {tuple(photo.shape)}")
        return (photo.permute(2, 0, 1)[list(order)] / 255 - mean) / std

    return recover(box)


def _plain(values):
    """Return what a tensor, an array or a list holds, as a list of Python numbers."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, list | tuple):
        return []
    return [each.item() if hasattr(each, "item") else each for each in values]


def _as_three(values, name):
    """Return three floats as a tensor, whatever holds them."""
    plain = _plain(values)
    fits = len(plain) == 3 and all(type(each) in (int, float) for each in plain)
    checks.require(fits, f"Your {name} must be three numbers, in a tensor or a list.")
    return torch.tensor(plain, dtype=torch.float64)


def _require_three(values, right, name, slips):
    given = _as_three(values, name)
    if torch.allclose(given, right, rtol=2e-3, atol=2e-3):
        return
    for slip, wrong in slips.items():
        is_slip = torch.allclose(given, wrong, rtol=2e-3, atol=2e-3)
        checks.require(not is_slip, f"Your {name} is what you get if {slip}.")
    listed, expected = ([round(each, 3) for each in row.tolist()] for row in (given, right))
    checks.require(False, f"Your {name} is {listed}, expected {expected}.")


def _require_numbers(recover, order, mean, std):
    found = _probed(recover, order, mean, std)
    if found is None:
        raise checks.NotAnswered
    fits = isinstance(found, list | tuple) and len(found) == 3
    checks.require(fits, "Return three things: order, mean and std.")
    places = _plain(found[0])
    fits = sorted(map(str, places)) == ["0", "1", "2"]
    checks.require(fits, f"An order consists of the whole numbers 0, 1 and 2, not {found[0]!r}.")
    inverse = [order.index(channel) for channel in range(3)]
    for slip, wrong in {
        "say where each channel goes: order[c] is where output channel c comes from": inverse,
        "leave the channels as they are": [0, 1, 2],
        "reverse the channels, as if every loader put blue first": [2, 1, 0],
    }.items():
        is_slip = places == wrong != list(order)
        checks.require(
            not is_slip, f"For the order {order}, {places} is what you get if you {slip}."
        )
    checks.require(places == list(order), f"The order is {order}, not {places}.")
    means, stds = (torch.tensor(each, dtype=torch.float64) for each in (mean, std))
    slips = {
        "you follow the order of the photo's channels": means[inverse],
        "you keep the scale from 0 to 255: a mean lies between 0 and 1": 255 * means,
        "you forget the sign": -means,
        "you return the output for black: multiply it by -std": -means / stds,
        "you return the output for white": (1 - means) / stds,
        "you return the output for a grey of 128": (128 / 255 - means) / stds,
    }
    _require_three(found[1], means, "mean", slips)
    slips = {
        "you follow the order of the photo's channels": stds[inverse],
        "you return white - black: std is 1 divided by that difference": 1 / stds,
        "you keep the scale from 0 to 255": 255 * stds,
        "you return the variance, the square of std": stds**2,
    }
    _require_three(found[2], stds, "std", slips)


def check_small(recover):
    _require_numbers(recover, *own_loader(student_id))


recover_is_right = checks.show(check_small, recover)


### BEGIN HIDDEN TESTS
def check_answer(recover):
    import torch

    check_small(recover)
    drawn = checks.generator(1)
    boxes = []
    for order in ((1, 2, 0), (2, 0, 1), (0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2)):
        mean = [round(float(each), 3) for each in torch.rand(3, generator=drawn) / 2 + 0.2]
        std = [round(float(each), 3) for each in torch.rand(3, generator=drawn) / 2 + 0.1]
        boxes.append((order, mean, std))
    for order, mean, std in (
        *boxes,
        ((1, 2, 0), [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),  # three channels alike
        ((2, 0, 1), [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),  # only divided by 255
        ((1, 2, 0), [0.9, 0.1, 0.5], [0.05, 0.9, 2.0]),
    ):
        _require_numbers(recover, order, mean, std)


checks.award(3, check_answer, recover)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: a loader with five faults
#
# Somebody has photos in ten folders, named "1" to "10", and a list of the classes in that order.
# Three functions turn the photos and their folders' names into images and labels for a net. They
# run without an error, but the net learns nothing useful. The symptoms: "The images look like
# noise. The images from nine of the ten folders have the wrong title. Brightened images should have
# fewer dark pixels, but they have more. After normalisation, red still has a higher mean than blue.
# And an image has different values if it is normalised alone rather than in a batch." Run the next
# two cells, and look at the symptoms before you read the code.

# %% readonly="broken"
CLASSES = data.shapes.CLASSES


def broken_labels(folders):
    """Return a dictionary from each folder's name, such as "7", to its label, counted from 0."""
    return {name: label for label, name in enumerate(sorted(folders))}


def broken_images(photos, more):
    """Brighten `uint8` photos, each (H, W, 3); return (N, 3, H, W), floats from 0 to 1."""
    height, width, _ = photos[0].shape
    images = torch.stack(photos).reshape(len(photos), 3, height, width)
    return (images + more).clamp(max=255) / 255


def broken_normalise(images, training):
    """Normalise images with each channel's mean and standard deviation in the training images."""
    mean, std = images.mean(dim=(0, 1, 2)), images.std(dim=(0, 1, 2))
    return (images - mean) / std


def symptoms(labels, to_images, normalise):
    """Print what the functions do; return one brightened image from each folder, and its title."""
    warm = SHAPES.images * torch.tensor([1.0, 0.85, 0.7])[:, None, None]  # in the evening sun
    photos = list(warm.byte().permute(0, 2, 3, 1))
    label_of = labels([str(number) for number in range(1, 11)])
    firsts = [SHAPES.labels.tolist().index(number) for number in range(10)]
    titles = [CLASSES[label_of[str(number + 1)]] for number in range(10)]
    for more in (0, 150):
        images = to_images(photos, more)
        dark = (images < 0.25).float().mean().item()
        bright = (images >= 0.75).float().mean().item()
        print(f"brighter by {more:3}: {dark:3.0%} of the values are dark, {bright:3.0%} bright")
    training, few = warm[:150] / 255, warm[150:] / 255
    means = normalise(training, training).mean(dim=(0, 2, 3)).tolist()
    print("mean of red, green and blue, normalised: {:+.2f}, {:+.2f}, {:+.2f}".format(*means))
    gap = normalise(few[:1], training) - normalise(few, training)[:1]
    print(f"one image, normalised alone and in a batch: up to {gap.abs().max():.2f} apart")
    return to_images([photos[first] for first in firsts], 30), titles


# %% tags=["nbval-ignore-output"]
views, titles = symptoms(broken_labels, broken_images, broken_normalise)
show(
    plot_images(views, titles, size=0.95),
    "Ten images, one from each folder, each titled with the class of its label: all of them are "
    "stripes of small coloured dots, in which no shape can be made out",
)
print("the folders hold, in order:", ", ".join(CLASSES))

# %% [markdown]
# Fix the loader: write all three functions without the faults. The names of folders are whole
# numbers, in any order and perhaps with gaps; the lowest has the label 0, the next one 1, and so
# on. `more` is 0 or higher, and anything brighter than white becomes white. The functions must not
# change the caller's photos. In `normalise`, the standard deviation may divide by n or by n − 1.
#
# hint: Begin with the titles. What does `sorted(["1", "2", "10"])` return, and why? Then go on to
# the dark pixels. What type do the values have when `more` is added, and what can `clamp` still do
# afterwards?
#
# hint: Now explain the noise. What does the lesson say about `reshape(3, H, W)`? Which values are
# neighbours in memory?
#
# hint: Now explain the means. `mean(dim=(0, 1, 2))` leaves one axis. Which one, and which would it
# be if the channels came last? And when an image is normalised alone, whose mean does the function
# subtract?


# %% task="repair"
def labels(folders):
    """Return a dictionary from each folder's name, such as "7", to its label, counted from 0."""
    ### BEGIN SOLUTION
    return {name: label for label, name in enumerate(sorted(folders, key=int))}  # "2" before "10"
    ### END SOLUTION


def to_images(photos, more):
    """Brighten `uint8` photos, each (H, W, 3); return (N, 3, H, W), floats from 0 to 1."""
    ### BEGIN SOLUTION
    images = torch.stack(photos).permute(0, 3, 1, 2).float()  # floats first: a byte would wrap
    return (images + more).clamp(max=255) / 255
    ### END SOLUTION


def normalise(images, training):
    """Normalise images with each channel's mean and standard deviation in the training images."""
    ### BEGIN SOLUTION
    axes = (0, 2, 3)  # all but the channels; `keepdim` aligns the means with them
    mean, std = training.mean(dim=axes, keepdim=True), training.std(dim=axes, keepdim=True)
    return (images - mean) / std
    ### END SOLUTION


# %% check="repair_check" points=4
import torch

from course_utils import checks


def _photos(seed, num, height, width):
    """Return `uint8` photos (H, W, 3) in which dark and bright are equally common."""
    drawn = checks.generator(seed)
    return list(torch.randint(256, (num, height, width, 3), generator=drawn).to(torch.uint8))


def check_small(labels, to_images, normalise):
    photos = _photos(0, 4, 5, 6)
    label_of, images = labels(["1", "2", "3"]), to_images([each.clone() for each in photos], 40)
    if label_of is None or images is None:
        raise checks.NotAnswered
    fits = isinstance(label_of, dict) and sorted(label_of) == ["1", "2", "3"]
    fits = fits and all(type(each) is int for each in label_of.values())
    checks.require(fits, f"Your labels are {label_of!r}, expected a whole number for each name.")
    normalised = normalise(torch.rand(2, 3, 5, 6), torch.rand(4, 3, 5, 6))
    if normalised is None:
        raise checks.NotAnswered
    for value, name, num in ((images, "to_images", 4), (normalised, "normalise", 2)):
        shape = tuple(getattr(value, "shape", ()))
        sentence = f"The result of your {name} has the shape {shape}, expected {(num, 3, 5, 6)}."
        checks.require(shape == (num, 3, 5, 6), sentence)
    fine = images.is_floating_point() and 0 <= float(images.min()) <= float(images.max()) <= 1
    checks.require(fine, "Your to_images must return floats from 0 to 1.")


repair_is_right = checks.show(check_small, labels, to_images, normalise)


### BEGIN HIDDEN TESTS
def check_answer(labels, to_images, normalise):
    import torch

    check_small(labels, to_images, normalise)

    # Labels.
    for folders in (["10", "1", "2"], ["4", "30", "100", "7", "12"], ["9", "3", "21"], ["1", "0"]):
        found = labels(list(folders))
        right = dict(zip(sorted(folders, key=int), range(len(folders)), strict=True))
        slips = {
            "sort the names as text: then 10 comes before 2": dict(
                zip(sorted(folders), range(len(folders)), strict=True)
            ),
            "leave the folders in the order in which they are listed": dict(
                zip(folders, range(len(folders)), strict=True)
            ),
            "sort by length alone": {name: i for i, name in enumerate(sorted(folders, key=len))},
            "use the names as labels": {name: int(name) for name in folders},
            "subtract 1 from the names: there may be gaps": {
                name: int(name) - 1 for name in folders
            },
            "count from 1": {name: 1 + label for name, label in right.items()},
            "sort from the highest to the lowest": {
                name: len(folders) - 1 - label for name, label in right.items()
            },
        }
        for slip, wrong in slips.items():
            is_slip = found == wrong != right
            checks.require(not is_slip, f"{found} is what you get if you {slip}.")
        checks.require(found == right, f"For {folders} your labels are {found}, expected {right}.")

    # Images.
    for seed, (height, width, more) in enumerate([(5, 6, 90), (4, 4, 0), (3, 3, 150), (7, 2, 30)]):
        photos = _photos(10 + seed, 6, height, width)
        if more == 30:
            photos = [photo // 2 for photo in photos]  # nothing becomes white
        stacked = torch.stack(photos)
        x = stacked.permute(0, 3, 1, 2)
        right = (x.double() + more).clamp(max=255) / 255
        given = [each.clone() for each in photos]
        found = to_images(given, more)
        same = all(torch.equal(a, b) for a, b in zip(given, photos, strict=True))
        checks.require(same, "Your to_images changes the photos that it is given.")
        slips = {
            "you use reshape: it keeps the order in memory, so it mixes the channels": (
                (stacked.reshape(6, 3, height, width).double() + more).clamp(max=255) / 255
            ),
            "you add to bytes, which start again at 0 above 255: convert them to floats first": (
                (x + more).double() / 255
            ),
            "you swap rows and columns": right.mT,
            "you reverse the channels": right.flip(1),
            "you do not make the images brighter": x.double() / 255,
            "you divide by the highest value, not by 255": right / right.max(),
            "you divide by 255 + more: divide by 255, and cut off what is brighter than white": (
                (x.double() + more) / (255 + more)
            ),
            "you add after dividing by 255: `more` is on the scale from 0 to 255": (
                (x.double() / 255 + more).clamp(max=1)
            ),
        }
        checks.require_tensor(found.double(), right, slips, tolerance=1e-4)

    # Normalisation.
    for seed, (height, width) in enumerate([(6, 6), (9, 7), (3, 3)]):
        scale = torch.tensor([0.3, 0.1, 0.2])[:, None, None]
        shift = torch.tensor([0.7, 0.2, 0.4])[:, None, None]
        training = checks.random_tensor(60, 3, height, width, seed=20 + seed) * scale + shift
        images = checks.random_tensor(4, 3, height, width, seed=30 + seed) * scale + 2 * shift
        axes = (0, 2, 3)

        def by(of, dim, keep=True, images=images):
            return (images - of.mean(dim=dim, keepdim=keep)) / of.std(dim=dim, keepdim=keep)

        mean, std = training.mean(axes, keepdim=True), training.std(axes, keepdim=True)
        slips = {
            "you use the images' own mean and std, not those of the training images": by(
                images, axes
            ),
            "you normalise each image separately": by(images, (1, 2, 3)),
            "you normalise each channel of each image separately": by(images, (2, 3)),
            "you use one mean for each column: the axes are (N, C, H, W)": by(
                training, (0, 1, 2), keep=False
            ),
            "you use one mean for all channels": by(training, (0, 1, 2, 3)),
            "you use one mean for each pixel": by(training, (0,)),
            "you do not divide by the standard deviation": images - mean,
            "you divide by the variance": (images - mean) / std**2,
            "you do not subtract the mean": images / std,
            "you normalise twice": (by(training, axes) - mean) / std,
        }
        found = normalise(images.clone(), training.clone())
        checks.require_tensor(found, by(training, axes), slips, tolerance=5e-3)


checks.award(4, check_answer, labels, to_images, normalise)
### END HIDDEN TESTS

# %% [markdown]
# Here are the same folders, loaded with your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    views, titles = symptoms(labels, to_images, normalise)
    show(
        plot_images(views, titles, size=0.95),
        "Ten images, one from each folder, each with the name of the shape that it shows",
    )
else:
    print("The repaired loader appears here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: how many images does a mean need?
#
# To normalise, you need the mean of the training images. Your collection has 3,600 images of four
# kinds of clothes, and you read only a few of them, chosen at random. A friend says: "Those few
# have thousands of pixels. A mean of so many values has the standard error σ / √(number of pixels),
# where σ is the standard deviation of all pixels. That is tiny, so a few images are enough." **Is
# your friend's standard error right?**

# %% readonly="collection"
images, num_images = own_collection(student_id)
num_pixels = num_images * 28 * 28

# %%
print(f"you read {num_images} images with {num_pixels:,} pixels")
print(f"the mean of all {len(images):,} images is {images.mean():.3f}")

# %% [markdown]
# **Predict first.** If you drew `num_images` images again and again, each draw would have a
# different mean. By what factor would the standard deviation of these means be larger than your
# friend's standard error? Write 1 if your friend is right. Write down your prediction before you
# run anything. A wrong prediction costs nothing; without a prediction, the experiment is not
# marked.

# %% task="prediction"
predicted = None  # a number: 1 if your friend is right
### BEGIN SOLUTION
predicted = 3  # neighbouring pixels are alike, so they tell less than they seem to
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Draw `num_images` images from `images`, at random and without repetition,
# and take the mean of all their pixels. Do that 300 times. As a control, draw `num_pixels` *pixels*
# instead, each from anywhere in the whole collection, and take their mean, again 300 times. Divide
# the standard deviation of each set of 300 means by your friend's standard error.
#
# hint: `torch.randperm(len(images))[:num_images]` draws the indices of `num_images` distinct
# images, and `torch.randint(images.numel(), (num_pixels,))` draws indices into `images.flatten()`.
#
# hint: You can make a list of 300 means in one line: `[... .mean().item() for _ in range(300)]`.
#
# hint: Your friend's standard error is `images.std()` divided by the square root of the number of
# pixels. The standard deviation of a list such as `whole` is `torch.tensor(whole).std()`.

# %% task="experiment" tags=["nbval-ignore-output"]
friend = None  # your friend's standard error
whole = None  # a list of 300 means, each of num_images whole images
scattered = None  # a list of 300 means, each of num_pixels pixels from anywhere
factor = None  # the standard deviation of the means in whole, divided by friend
control = None  # likewise, for scattered
### BEGIN SOLUTION
torch.manual_seed(0)
friend = (images.std() / num_pixels**0.5).item()
pixels = images.flatten()
whole = [images[torch.randperm(len(images))[:num_images]].mean().item() for _ in range(300)]
# As many pixels, but two of them come from the same image only by chance.
scattered = [pixels[torch.randint(len(pixels), (num_pixels,))].mean().item() for _ in range(300)]
factor, control = (torch.tensor(means).std().item() / friend for means in (whole, scattered))
print(f"your friend says {friend:.4f}")
print(f"whole images: {factor:.1f} times that; scattered pixels: {control:.1f} times that")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def _require_means(means, name):
    fits = isinstance(means, list | tuple) and len(means) == 300
    fits = fits and all(isinstance(each, float) and 0 < each < 1 for each in means)
    checks.require(fits, f"{name} must be a list of 300 means, Python floats between 0 and 1.")


def check_small(predicted, friend, whole, scattered, factor, control):
    if all(each is None for each in (friend, whole, scattered, factor, control)):
        raise checks.NotAnswered
    fits = type(predicted) in (int, float) and predicted > 0
    checks.require(fits, "Write your prediction down before the experiment: a number above 0.")
    _require_means(whole, "whole")
    _require_means(scattered, "scattered")
    for value in (friend, factor, control):
        checks.require(isinstance(value, float), f"Answer with a Python float, not {value!r}.")


_MEASURED = isinstance(factor, float) and isinstance(control, float)
_SHOWN = f"{factor:.1f}, with the control at {control:.1f}" if _MEASURED else "nothing yet"
_BESIDE = f"you predicted {predicted} and measured {_SHOWN}: explain this below"
experiment_is_right = checks.show(
    check_small, predicted, friend, whole, scattered, factor, control, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, friend, whole, scattered, factor, control):
    import torch

    check_small(predicted, friend, whole, scattered, factor, control)
    images, num = own_collection(student_id)
    sigma, pixels = images.double().std().item(), num * 784
    right = sigma / pixels**0.5
    slips = {
        "you divide by the square root of the number of images, not of pixels": sigma / num**0.5,
        "you do not take the square root": sigma / pixels,
        "you leave out the number of images": sigma / 28,
        "you do not divide at all": sigma,
        "you divide by the square root of the number of all pixels": sigma / images.numel() ** 0.5,
        "you take the variance": sigma**2 / pixels,
    }
    checks.require_number(friend, right, slips, tolerance=1e-3)
    each = images.double().mean(dim=(1, 2, 3))
    apart = each.std().item() / num**0.5
    for name, means, expected, slips in (
        (
            "whole",
            whole,
            apart,
            {
                "you draw pixels, not whole images": right,
                "you draw one image at a time": each.std().item(),
                "you take the standard deviation of each draw, not its mean": None,
            },
        ),
        (
            "scattered",
            scattered,
            right,
            {
                "you draw whole images, not pixels": apart,
                "you draw as many pixels as you have images": sigma / num**0.5,
                "you take the standard deviation of each draw, not its mean": None,
            },
        ),
    ):
        means = torch.tensor(means).double()
        spread, centre = means.std().item(), means.mean().item()
        for slip, wrong in slips.items():
            near = abs(centre - sigma) < 0.02 if wrong is None else 0.7 < spread / wrong < 1.4
            fine = 0.7 < spread / expected < 1.4
            sentence = f"The numbers in {name} are what you get if {slip}."
            checks.require(fine or not near, sentence)
        sentence = f"The means in {name} have a standard deviation of {spread:.4f}"
        fine = 0.7 < spread / expected < 1.4
        checks.require(fine, f"{sentence}, which does not fit such draws.")
        fine = abs(centre - each.mean().item()) < 0.5 * expected
        sentence = (
            f"The means in {name} lie around {centre:.3f}: that is not the collection's mean."
        )
        checks.require(fine, sentence)
    for name, value, means, other in (
        ("factor", factor, whole, scattered),
        ("control", control, scattered, whole),
    ):
        spread, swapped = (torch.tensor(m).double().std().item() for m in (means, other))
        slips = {
            "you swap whole images and scattered pixels": swapped / right,
            "you divide the other way round": right / spread,
            "you report the standard deviation itself": spread,
            "you compare the variances": (spread / right) ** 2,
            "you divide by the square root of 300, too": spread / right / 300**0.5,
        }
        for slip, wrong in slips.items():
            near = abs(value / wrong - 1) < 5e-3 < abs(wrong * right / spread - 1)
            checks.require(not near, f"Your {name}, {value:.3f}, is what you get if {slip}.")
        fine = abs(value * right / spread - 1) < 5e-3
        sentence = (
            f"Your {name}, {value:.3f}, does not follow from your means: they give "
            f"{spread / right:.3f}."
        )
        checks.require(fine, sentence)


checks.award(2, check_answer, predicted, friend, whole, scattered, factor, control)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment and its control show?
# Why do the pixels of one image tell you less about the mean than as many pixels from anywhere, and
# how many such pixels is one image worth? How many images would you read to know the mean to ±0.01
# (two standard errors), and how many would your friend? 2 points, graded by a person.

# %% [markdown] written="how_many_images" points=2
# **A model answer.** I predicted a factor of 3, but the means of draws of 33 images varied 9.8
# times as much as my friend said, while the control, as many pixels from anywhere, came out at 1.0:
# the formula is right for pixels that are drawn independently. The pixels of one image are not
# independent: the background is black everywhere, and a dark shirt is dark all over, so the 784
# pixels of an image are worth only 784 / 9.8² ≈ 8 pixels from anywhere. The mean of 33 images has a
# standard error of about 0.021. For ±0.01 it must fall to 0.005, which takes 33 · (0.021 / 0.005)²
# ≈ 580 images; my friend would stop at six, and be off by nearly ten times as much as promised.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement, *and* uses the control: it shows that
#   the formula holds for pixels from anywhere, so the excess comes from pixels that share an image.
#   Half a point without the control. A wrong prediction costs nothing.
# - 1 point: the answer gives a reason (pixels of one image resemble each other) *and* both numbers:
#   784 / factor² pixels, and a number of images within a factor of two of n · (2 · factor · friend
#   / 0.01)². Half a point for the reason or the numbers alone.
