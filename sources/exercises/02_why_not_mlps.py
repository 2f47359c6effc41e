# %% [markdown]
# # Exercise 02: what a net knows about images
#
# **You practise** fitting an MLP into a parameter budget, finding an unknown order of pixels with
# one image, repairing code that prepares raw images for a net, and finding out which of two trained
# nets looks at the background.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, models, quiz
from course_utils.data import ShapesConfig, make_shapes
from course_utils.plots import plot_images, show


def own_budget(student_id):
    """Return the shape of your images, a number of classes, and how many parameters you may use."""
    drawn = quiz.generator(student_id)
    spans = ((20, 49), (20, 49), (5, 21), (40, 300), (0, 1000))
    height, width, classes, units, rest = (
        int(torch.randint(*span, (), generator=drawn)) for span in spans
    )
    return (3, height, width), classes, (3 * height * width + 1 + classes) * units + classes + rest


def own_shuffle(student_id, height, width):
    """Return a function that puts the pixels of images into this student's order."""
    order = torch.randperm(height * width, generator=quiz.generator(student_id))

    def shuffle(images):
        """Put the pixels of images (N, 3, H, W), uint8, into this order."""
        return images.byte().flatten(2)[:, :, order].view_as(images)

    return shuffle


def own_nets(student_id):
    """Return two trained nets, an honest one and one that looks at the background, in any order."""
    return models.anonymous(["honest", "background"], quiz.generator(student_id))


def accuracy(net, images, labels):
    """Return the share of images (N, 3, 32, 32), from 0 to 255, that a net classifies correctly."""
    return (net(images).argmax(dim=1) == labels).double().mean().item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your budget, your
# pixel order and your nets, so yours will differ from most people's. If you work on your own, leave
# it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="place"
place = None  # a whole number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/02_why_not_mlps", "place", student_id)
size, channel, row, column = (numbers[name] for name in ("size", "channel", "row", "column"))
place = (channel * size + row) * size + column  # channel by channel, row by row
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="flattened_seen"
flattened_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/02_why_not_mlps", "flattened_seen", student_id)
# To an MLP, one fixed order is as good as another, but weights fit only the order used in training.
fixed = question.values["when"] == "for the training and for the test images"
seen = "An accuracy about as high" if fixed else "An accuracy far lower"
flattened_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="shift_told"
shift_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/02_why_not_mlps", "shift_told", student_id)
# If shifted images could not be recognised, training on them would not help either.
told = "Train the same MLP on images"
shift_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=4
# ## Task 1: the widest layer within a budget
#
# An MLP flattens images of shape (C, H, W). It has one hidden layer, and an output layer with one
# unit for each class. Both layers have biases. Complete the function so that it returns the
# **largest** number of hidden units with which the MLP has at most `budget` parameters. One unit
# always fits.
#
# hint: What does one more hidden unit cost? Count its weights, its bias, and the weights that read
# it.
#
# hint: Which parameters are there even without any hidden unit?
#
# hint: `a // b` rounds down. If the budget is used up to the last parameter, the units still fit.

# %%
shape, num_classes, budget = own_budget(student_id)
print(f"images of shape {shape}, {num_classes} classes, at most {budget:,} parameters")


# %% task="widest"
def widest_hidden(shape: tuple[int, int, int], num_classes: int, budget: int) -> int:
    """Return the largest number of hidden units that the budget allows."""
    ### BEGIN SOLUTION
    channels, height, width = shape
    per_unit = channels * height * width + 1 + num_classes  # weights in, bias, weights out
    return (budget - num_classes) // per_unit  # the output biases are always there
    ### END SOLUTION


# %% check="widest_check" points=1
from course_utils import checks


def _require_widest(widest_hidden, shape, num_classes, budget):
    channels, height, width = shape
    n, rest = channels * height * width, budget - num_classes
    slips = {
        "you forget all biases": budget // (n + num_classes),
        "you forget the biases of the hidden layer": rest // (n + num_classes),
        "you forget the biases of the outputs": budget // (n + 1 + num_classes),
        "you count one channel": rest // (height * width + 1 + num_classes),
        "you forget the weights of the outputs": rest // (n + 1),
        "you use the height as the width, too": rest // (channels * height**2 + 1 + num_classes),
        "you stay below the budget: it may be used up": (rest - 1) // (n + 1 + num_classes),
        "you round up": -(-rest // (n + 1 + num_classes)),
    }
    checks.require_number(
        widest_hidden(shape, num_classes, budget), rest // (n + 1 + num_classes), slips
    )


def check_small(widest_hidden):
    _require_widest(widest_hidden, (3, 4, 4), 3, 1573)


widest_is_right = checks.show(check_small, widest_hidden)


### BEGIN HIDDEN TESTS
def check_answer(widest_hidden):
    check_small(widest_hidden)
    for shape, num_classes, units in (((3, 8, 5), 4, 30), ((1, 6, 9), 10, 70)):
        exactly = (torch.Size(shape).numel() + 1 + num_classes) * units + num_classes
        for budget in (exactly, exactly - 1, exactly + 1):
            _require_widest(widest_hidden, shape, num_classes, budget)


checks.award(1, check_answer, widest_hidden)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=7
# ## Task 2: an order, found with one image
#
# Somebody's function `shuffle` puts the pixels of every image into the same random order. You
# cannot look inside it, but you may show it **one** image, **once**, and look at the result. Design
# that image, and complete the function so that it returns the order: pixel `i` of the shuffled
# image is pixel `order[i]` of the original, with pixels counted row by row. `shuffle` takes `uint8`
# images (N, 3, H, W), and all channels of an image get the same order. H and W are at most 200.
#
# hint: If no two pixels of your image were alike, you could see where each of them went. What would
# you write into a pixel, so that you could read off where it came from?
#
# hint: `uint8` ends at 255, so one channel can tell only 256 pixels apart. But a pixel has three
# channels. How do people write a number above 9 with the digits 0 to 9?
#
# hint: With `places = torch.arange(height * width)`, two of the channels can be `places // 256` and
# `places % 256`. What does `shuffle` return, and how do you put the digits together again?
# Remember that a `uint8` times 256 does not fit into a `uint8`.

# %%
shuffle = own_shuffle(student_id, 32, 32)
generator = torch.Generator().manual_seed(0)
tidy = make_shapes(10, ShapesConfig(), generator).images[:4]  # (4, 3, 32, 32), uint8
show(
    plot_images(
        [*tidy, *shuffle(tidy)], num_columns=4, size=1.3, row_titles=["original", "shuffled"]
    ),
    "Four coloured shapes, and below them the same four with shuffled pixels: only noise",
)


# %% task="order"
def find_order(shuffle, height: int, width: int) -> torch.Tensor:
    """Return the order (H * W,), int64, into which `shuffle` puts the pixels; call it once."""
    ### BEGIN SOLUTION
    places = torch.arange(height * width)
    digits = torch.stack([places // 256, places % 256, 0 * places])  # in base 256: one byte each
    shuffled = shuffle(digits.byte().view(1, 3, height, width))
    high, low, _ = shuffled[0].flatten(1).long()  # no longer uint8, where 256 would be 0
    return high * 256 + low  # each pixel says where it came from
    ### END SOLUTION


# %% check="order_check" points=3
import torch

from course_utils import checks


@checks.beside
def _asked(find_order, order, height, width):
    """Return the order that was found, and what shuffle was shown."""
    shown = []

    def shuffle(images):
        shown.append((tuple(images.shape), str(images.dtype)))
        return images.flatten(2)[:, :, order].view_as(images)

    return find_order(shuffle, height, width), shown


def check_small(find_order):
    order = torch.tensor([3, 0, 5, 1, 4, 2, 8, 6, 7])
    found, _ = _asked(find_order, order, 3, 3)
    if found is None:
        raise checks.NotAnswered
    given = tuple(getattr(found, "shape", ()))
    checks.require(
        given == (9,), f"Your order of 3 x 3 pixels has the shape {given}, expected (9,)."
    )
    every = sorted(found.long().tolist()) == list(range(9))
    sentence = (
        f"Your order of 3 x 3 pixels, {found.tolist()}, lacks some of the numbers from 0 to 8."
    )
    checks.require(every, sentence)


order_is_right = checks.show(check_small, find_order)


### BEGIN HIDDEN TESTS
def check_answer(find_order):
    import torch

    check_small(find_order)
    for seed, (height, width) in enumerate([(4, 4), (3, 7), (32, 32), (20, 48), (150, 200)]):
        order = torch.randperm(height * width, generator=checks.generator(seed))
        found, shown = _asked(find_order, order, height, width)
        images = sum(shape[0] for shape, _ in shown)
        sentence = f"Images shown: {images}; calls: {len(shown)}. Show one image, once."
        checks.require(len(shown) == 1 and images == 1, sentence)
        is_image = shown[0] == ((1, 3, height, width), "torch.uint8")
        checks.require(is_image, f"You show {shown[0]}, expected uint8 of shape (1, 3, H, W).")
        columns = torch.arange(height * width).view(height, width).T.flatten()
        slips = {
            "you say where each pixel goes, not where it comes from": order.argsort(),
            "you tell only 256 pixels apart": order % 256,
            "you read off only the high digit": order // 256,
            "you return the order of an image that was not shuffled": order.sort().values,
            "you count column by column": columns.argsort()[order],
        }
        checks.require_tensor(found, order, slips)


checks.award(3, check_answer, find_order)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=9
# ## Task 3: an MLP that learns nothing
#
# Somebody wrote two functions that prepare raw images for an MLP, which reads their pixels in a
# shuffled order. The symptoms: "The MLP stops with an error. Now that I have given it as many
# inputs as actually arrive, it runs, but the loss stays above that of guessing, however long I
# train. And when I draw a prepared image, the dark parts are bright." Run the next two cells, in
# which a single linear layer stands in for the MLP, and look at the symptoms before you read the
# code.

# %% readonly="broken"


def broken_prepare(images, order):
    """Scale raw images (N, C, H, W), uint8, to [-1, 1], shuffle their pixels, and flatten them."""
    centred = (images - 128) / 127.5
    return centred.flatten(1)[:, order]


def broken_batches(images, labels, size, generator):
    """Return the batches of one epoch as a list of (images, labels), in a new order each time."""
    images = images[torch.randperm(len(images), generator=generator)]
    labels = labels[torch.randperm(len(labels), generator=generator)]
    return list(zip(images.split(size), labels.split(size), strict=True))


# %%
torch.manual_seed(0)
order = torch.randperm(32 * 32, generator=generator)
raw = make_shapes(200, ShapesConfig(position=0.0), generator)
net = nn.Linear(3 * 32 * 32, 10)
try:
    net(broken_prepare(raw.images, order))
except RuntimeError as error:
    print("the error:", error)
net = nn.Linear(32 * 32, 10)
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
for epoch in range(20):
    losses = []
    for images, labels in broken_batches(raw.images, raw.labels, 20, generator):
        loss = F.cross_entropy(net(broken_prepare(images, order)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.2f}; guessing: 2.30")
for value in (0, 60, 127, 128, 200, 255):
    dot = torch.full((1, 1, 1, 1), value, dtype=torch.uint8)
    print(f"a pixel of {value:3} becomes {broken_prepare(dot, torch.tensor([0])).item():5.2f}")

# %% [markdown]
# Fix both functions: write them without the faults. `prepare` turns each value x into x / 127.5 − 1
# and returns a `float32` tensor of shape (N, C · H · W): channel by channel, with pixel `order[i]`
# of each channel at place i. `make_batches` returns every image once, with its own label, in a new
# order at each call, drawn with `generator`; the last batch may be smaller. Neither function may
# change the tensors that it is given, and neither needs more lines than its broken version.
#
# hint: Begin with the error. `order` has H · W numbers. How many does an image have, and which of
# them does `[:, order]` take from the flattened image?
#
# hint: Now explain why dark parts are bright. What is 60 − 128 in `uint8`, which has no negative
# numbers? So what do you have to do before you subtract?
#
# hint: Now explain the loss. Print the first labels of a batch, and draw its first images. Which
# label does an image get if images and labels are put into two different orders?


# %% task="repair"
def prepare(images, order):
    """Scale raw images (N, C, H, W), uint8, to [-1, 1], shuffle their pixels, and flatten them."""
    ### BEGIN SOLUTION
    centred = images.float() / 127.5 - 1  # float before anything becomes negative
    return centred.flatten(2)[:, :, order].flatten(1)  # the pixels are axis 2, for all channels
    ### END SOLUTION


def make_batches(images, labels, size, generator):
    """Return the batches of one epoch as a list of (images, labels), in a new order each time."""
    ### BEGIN SOLUTION
    shuffled = torch.randperm(len(images), generator=generator)  # one order for both
    return [(images[some], labels[some]) for some in shuffled.split(size)]
    ### END SOLUTION


# %% check="repair_check" points=4
import torch

from course_utils import checks


@checks.beside
def _prepared(prepare, images, order):
    """Return the prepared images, their dtype, and whether the raw images are unchanged."""
    before = images.clone()
    found = prepare(images, order)
    return found, str(getattr(found, "dtype", "")), torch.equal(before, images)


@checks.beside
def _epochs(make_batches, images, labels, size, generator):
    """Return the batches of two epochs, and whether the tensors are unchanged."""
    before = images.clone(), labels.clone()
    epochs = [
        [tuple(batch) for batch in make_batches(images, labels, size, generator)] for _ in range(2)
    ]
    return epochs, torch.equal(before[0], images) and torch.equal(before[1], labels)


def check_small(prepare, make_batches):
    images = (17 * torch.arange(48)).byte().view(4, 3, 2, 2)
    flat, _, _ = _prepared(prepare, images, torch.tensor([2, 0, 3, 1]))
    if flat is None:
        raise checks.NotAnswered
    found = tuple(getattr(flat, "shape", ()))
    sentence = f"The result of your prepare has the shape {found}, expected (4, 12)."
    checks.require(found == (4, 12), sentence)
    (batches, _), _ = _epochs(make_batches, images, torch.arange(4), 3, checks.generator())
    found = [len(labels) for _, labels in batches]
    checks.require(found == [3, 1], f"Your batches have {found} images, expected [3, 1].")


repair_is_right = checks.show(check_small, prepare, make_batches)


### BEGIN HIDDEN TESTS
def check_answer(prepare, make_batches):
    import torch

    check_small(prepare, make_batches)
    for seed, (c, h, w) in enumerate([(3, 4, 5), (2, 6, 3), (1, 5, 5)]):
        images = torch.randint(256, (7, c, h, w), generator=checks.generator(seed)).byte()
        order = torch.randperm(h * w, generator=checks.generator(seed + 10))
        found, dtype, kept = _prepared(prepare, images, order)
        checks.require(kept, "Your prepare changes the images that it is given.")
        centred = (images.double() / 127.5 - 1).float().flatten(2)
        wrapped = ((images - 128).double() / 127.5).float().flatten(2)
        slips = {
            "you subtract in uint8, which has no negative numbers": wrapped[:, :, order].flatten(1),
            "you subtract 128, not 127.5": ((images.double() - 128) / 127.5)
            .float()
            .flatten(2)[:, :, order]
            .flatten(1),
            "you do not shuffle": centred.flatten(1),
            "you shuffle the wrong way": centred[:, :, order.argsort()].flatten(1),
            "you put the channels of a pixel side by side": centred[:, :, order].mT.flatten(1),
            "you fill every channel with pixels from the first one": centred[:, :1, order]
            .expand(-1, c, -1)
            .flatten(1),
            "you shuffle groups of C neighbours, not pixels": centred.flatten(1)
            .view(7, h * w, c)[:, order]
            .flatten(1),
            "you scale the values to between 0 and 1": ((centred + 1) / 2)[:, :, order].flatten(1),
        }
        checks.require_tensor(found, centred[:, :, order].flatten(1), slips, tolerance=1e-4)
        checks.require(dtype == "torch.float32", f"Your prepare returns {dtype}, not float32.")
    for seed, (number, size) in enumerate([(23, 5), (12, 4), (9, 20)]):
        labels = torch.randperm(number, generator=checks.generator(seed + 20))
        images = labels.byte().view(-1, 1, 1, 1).repeat(1, 3, 2, 2)  # each image shows its label
        epochs, kept = _epochs(make_batches, images, labels, size, checks.generator(seed + 30))
        checks.require(kept, "Your make_batches changes the tensors that it is given.")
        orders = []
        for batches in epochs:
            sizes = [len(batch[1]) for batch in batches]
            right = [len(some) for some in labels.split(size)]
            checks.require(sizes == right, f"Your batches have {sizes} images, expected {right}.")
            seen = torch.cat([batch[0][:, 0, 0, 0] for batch in batches]).long()
            beside = torch.cat([batch[1] for batch in batches])
            checks.require(torch.equal(seen, beside), "Your images have other images' labels.")
            once = sorted(seen.tolist()) == list(range(number))
            checks.require(once, "Your epoch does not show every image exactly once.")
            orders.append(seen.tolist())
        checks.require(orders[0] != labels.tolist(), "Your images come in their original order.")
        checks.require(orders[0] != orders[1], "Both epochs have the same order: draw a new one.")
        sentence = "Your order does not come from the generator: one seed gave two orders."
        again, _ = _epochs(make_batches, images, labels, size, checks.generator(seed + 30))
        first = torch.cat([batch[1] for batch in again[0]]).tolist()
        checks.require(first == orders[0], sentence)


checks.award(4, check_answer, prepare, make_batches)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: which of two nets cheats?
#
# Here are two trained convnets, `nets[0]` and `nets[1]`; your student id determines their order.
# Both are functions from raw images to logits; what they are made of does not matter. Both were
# trained to classify the ten figures of `shapes`, which were always centred. But the training
# images of one net had backgrounds chosen at random, while most training images of the other had
# the background that belongs to their class. **Which one looks at the background?** You design the
# images that tell them apart.

# %% readonly="nets"
nets = own_nets(student_id)

# %%
drawn = make_shapes(500, ShapesConfig(position=0.0, background_correlation=1.0), generator)
for number, net in enumerate(nets):
    share = accuracy(net, drawn.images, drawn.labels)
    print(f"on backgrounds of the right class, nets[{number}] classifies {share:.0%} correctly")

# %% [markdown]
# You hand in three sets, each a pair (images, labels) of 300 to 1,000 images, as `make_shapes`
# draws them: (N, 3, 32, 32), `uint8`. The labels say which figure was drawn.
#
# - `control`: ordinary images, of which each net classifies more than 60 % correctly. Without them
#   nobody knows whether a net fails because of what you changed.
# - `swap`: images with the backgrounds of other classes, as in the lesson.
# - `cover`: images in which you have covered something, as for an occlusion map. *You* choose what
#   to cover (the figure, what surrounds it, a square in the middle?) and with what.
#
# On `swap` and on `cover` the accuracies of the two nets must be at least 20 percentage points
# apart.
#
# **Predict first.** Which set will separate the nets more: `"swap"` or `"cover"`? Write down your
# prediction before you run anything. A wrong prediction costs nothing; without a prediction, the
# experiment is not marked.

# %% task="prediction"
predicted = None  # "swap" or "cover"
### BEGIN SOLUTION
predicted = "swap"  # it misleads one net, and should not disturb the other at all
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Make the three sets, measure both nets on each with `accuracy`, and report
# the gaps on `swap` and on `cover`: the accuracy of `nets[0]` minus that of `nets[1]`. Then say
# which net cheats.
#
# hint: `make_shapes(500, config, generator, "swapped")` draws images whose backgrounds always
# belong to a different class. Which option of `config` ties the background of an ordinary image to
# its class?
#
# hint: `drawn.masks`, (N, 32, 32), says where the figure is, and
# `torch.where(drawn.masks[:, None], 128, drawn.images)` covers it with grey. What can a net still
# see of the figure?
#
# hint: If the figure is hidden, which net should still be right: the one that looks at it, or the
# other? And what if everything but the figure is hidden?

# %% task="experiment" tags=["nbval-ignore-output"]
control = None  # (images, labels): both nets do well on them
swap = None  # (images, labels): the backgrounds of other classes
cover = None  # (images, labels): something is covered
gaps = None  # accuracy of nets[0] minus that of nets[1]: (on swap, on cover)
cheater = None  # the number of the net that looks at the background: 0 or 1
### BEGIN SOLUTION
config = ShapesConfig(position=0.0, background_correlation=1.0)
generator = torch.Generator().manual_seed(2)
drawn = make_shapes(500, config, generator)
control = drawn.images, drawn.labels
other = make_shapes(500, config, generator, "swapped")
swap = other.images, other.labels
# Grey leaves the outline of the figure: does the honest net still read it?
cover = torch.where(drawn.masks[:, None], 128, drawn.images), drawn.labels
shares = [[accuracy(net, *part) for net in nets] for part in (control, swap, cover)]
for name, pair in zip(("control", "swap", "cover"), shares, strict=True):
    print(f"{name:8}{pair[0]:6.1%}{pair[1]:7.1%}")
gaps = tuple(first - second for first, second in shares[1:])
cheater = int(gaps[0] > 0)  # the net that other backgrounds mislead
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def _require_set(part, name):
    fits = isinstance(part, list | tuple) and len(part) == 2
    fits = fits and all(isinstance(each, torch.Tensor) for each in part)
    checks.require(fits, f"{name} must be a pair (images, labels) of tensors.")
    images, labels = part
    number = len(labels) if labels.ndim == 1 else 0
    sentence = f"{name} must have 300 to 1,000 images with a label each."
    checks.require(300 <= number <= 1000, sentence)
    fits = images.shape == (number, 3, 32, 32) and images.dtype == torch.uint8
    sentence = f"The images in {name} are {tuple(images.shape)}, {images.dtype}: expected uint8 of"
    checks.require(fits, f"{sentence} shape ({number}, 3, 32, 32).")


def check_small(predicted, control, swap, cover, gaps, cheater):
    if all(each is None for each in (control, swap, cover, gaps, cheater)):
        raise checks.NotAnswered
    sentence = 'Write your prediction down before the experiment: "swap" or "cover".'
    checks.require(predicted in ("swap", "cover"), sentence)
    for part, name in ((control, "control"), (swap, "swap"), (cover, "cover")):
        _require_set(part, name)
    fits = isinstance(gaps, list | tuple) and len(gaps) == 2
    fits = fits and all(isinstance(each, float) and -1 <= each <= 1 for each in gaps)
    checks.require(fits, f"gaps must be two differences in accuracy, from -1 to 1, not {gaps!r}.")
    is_number = type(cheater) is int and cheater in (0, 1)
    checks.require(is_number, f"cheater must be the number of a net, 0 or 1, not {cheater!r}.")


def _in_words(gaps):
    try:
        return "{:+.2f} and {:+.2f}".format(*gaps)
    except (IndexError, TypeError, ValueError):
        return "nothing yet"


_SHOWN = _in_words(gaps)
_BESIDE = f"you predicted {predicted} and measured gaps of {_SHOWN}: say below what they mean"
experiment_is_right = checks.show(
    check_small, predicted, control, swap, cover, gaps, cheater, fine=_BESIDE
)


### BEGIN HIDDEN TESTS
def check_answer(predicted, control, swap, cover, gaps, cheater):
    from course_utils import models

    check_small(predicted, control, swap, cover, gaps, cheater)
    sentence = "Your swap and cover hold the same images: each needs a change of its own."
    checks.require(not torch.equal(swap[0], cover[0]), sentence)
    nets = own_nets(student_id)

    def measured(part):
        return [accuracy(net, *part) for net in nets]

    shares = measured(control)
    sentence = "On your control the nets classify {:.0%} and {:.0%} correctly: both should do well."
    checks.require(min(shares) > 0.6, sentence.format(*shares))
    for part, name, found in ((swap, "swap", gaps[0]), (cover, "cover", gaps[1])):
        first, second = measured(part)
        gap = first - second
        points = f"{100 * abs(gap):.0f} percentage points"
        sentence = f"On your {name} the accuracies are only {points} apart: make them differ more."
        checks.require(abs(gap) >= 0.2, sentence)
        for slip, wrong in {
            "you subtract the other way round": -gap,
            "you report the accuracy of nets[0]": first,
            "you report the accuracy of nets[1]": second,
            "you take the gap on the control": shares[0] - shares[1],
        }.items():
            is_slip = abs(found - wrong) < 0.004 and abs(gap - wrong) > 0.02
            checks.require(not is_slip, f"Your gap on {name} is what you get if {slip}.")
        right = abs(found - gap) < 0.02
        checks.require(
            right, f"Your gap on {name} is {found:+.3f}; on your images it is {gap:+.3f}."
        )
    truth = models.dealt(["honest", "background"], quiz.generator(student_id))
    sentence = f"nets[{cheater}] looks at the figure. Which net is misled by other backgrounds?"
    checks.require(truth[cheater].startswith("background"), sentence)


checks.award(2, check_answer, predicted, control, swap, cover, gaps, cheater)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did `swap` and `cover` show? What do these
# two sets show together that neither of them, nor the control, shows alone? What else did your
# covering change besides hiding something, and which further images would tell you whether that
# matters? 2 points, graded by a person.

# %% [markdown] written="who_cheats" points=2
# **A model answer.** I predicted that swapping would separate the nets more, and it did, but not by
# much: on swapped backgrounds nets[0] was 77 points behind, and with the figures covered it was 72
# points ahead. The control says only that both are good on ordinary images, and a net could fail on
# swapped backgrounds because it has never seen such images; but a net that is still right when the
# figure is covered most likely looks at the background, so I say that nets[0] cheats. However, my
# grey leaves the outline of each figure visible, and neither net has ever seen such an even grey: I
# would cover the figure with a piece of the same background instead, and in other images cover an
# area of the same shape that misses the figure, to see what the covering alone does.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares the prediction with both gaps, *and* says what each set shows
#   (which net the background misleads; which net needs the figure). Half a point for numbers
#   without that. A wrong prediction costs nothing.
# - 1 point: the answer names a side effect of the covering (an outline that stays visible, a grey
#   that neither net has seen, parts that remain uncovered) *and* images that would show its effect.
#   Half a point for only one.
