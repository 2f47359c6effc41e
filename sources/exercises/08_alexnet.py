# %% [markdown]
# # Exercise 08: a stem that fits, and a recipe that works
#
# **You practise** finding the image sizes that a first layer's windows fit exactly, predicting from
# several crops as the AlexNet paper does, finding four faults in a training recipe from their
# symptoms, and measuring which part of a recipe pays off.
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

from course_utils import checks, data, quiz
from course_utils.plots import plot_images, show

MEAN, STD = 0.286, 0.353  # of the training images' pixels, divided by 255
CLOTHES = data.load("fashion_mnist_mini", batch_size=50).train
PARTS = ("dropout", "augmentation", "weight decay")


def own_number(student_id):
    """Return your number of training images."""
    return 10 * int(torch.randint(8, 33, (), generator=quiz.generator(student_id)))


def small_net(dropout=0.0):
    """Return a small convnet, with dropout of this probability before its last layer."""
    return nn.Sequential(
        nn.AvgPool2d(2),  # 14 x 14 pixels are enough, and quick
        *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Flatten(), nn.Linear(32 * 2 * 2, 128), nn.ReLU()),
        *(nn.Dropout(dropout), nn.Linear(128, 10)),
    )


def trained_accuracy(num_images, part=None, seed=0):
    """Train a small net with one part of a recipe; return its accuracy on 2,000 other images.

    Args:
        num_images: How many images to train the net on.
        part: "dropout", "augmentation", "weight decay", or None for a net with none of them.
        seed: The seed for the choice of images, the weights and everything drawn in training.
    """
    torch.manual_seed(seed)
    chosen = torch.randperm(6000)[:num_images]
    images, labels = CLOTHES.images[chosen], CLOTHES.labels[chosen]
    net = small_net(0.5 if part == "dropout" else 0.0)
    decay = 1.0 if part == "weight decay" else 0.0
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.002, weight_decay=decay)
    for _ in range(250):
        batch = torch.randint(num_images, (50,))
        x = images[batch]
        if part == "augmentation":
            augment = data.Augment(crop_padding=2, flip=True)
            draws = data.augment.draw(augment, 50, torch.default_generator)
            x = data.augment.crop_and_flip(x, augment, draws)
        optimizer.zero_grad()
        F.cross_entropy(net((x / 255 - MEAN) / STD), labels[batch]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        logits = net((CLOTHES.images[6000:8000] / 255 - MEAN) / STD)
    return (logits.argmax(dim=1) == CLOTHES.labels[6000:8000]).float().mean().item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions and your number of
# training images, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=5
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="stem_maps"
stem_maps = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/08_alexnet", "stem_maps", student_id)
c_out, h, w, k, s, p = (numbers[name] for name in ("c_out", "h", "w", "k", "s", "p"))
stem_maps = (c_out, (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1)  # only whole windows count
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="asleep_seen"
asleep_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/08_alexnet", "asleep_seen", student_id)
# In training mode dropout draws again at every call, so two measurements differ.
seen = "A lower accuracy, and a different one"
asleep_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="pooling_told"
pooling_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/08_alexnet", "pooling_told", student_id)
# A difference counts as large only if the differences between seeds are smaller.
told = "Train both with several seeds"
pooling_told = next(x for x, option in question.lettered.items() if option.text.startswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=5
# ## Task 1: sizes that fit
#
# Which image sizes n do the windows of a first layer fit exactly? Those for which the division in
# the formula for the output size leaves no remainder, so that nothing of the padded image is cut
# off on the right or at the bottom. (For AlexNet's stem, without padding, 224 is not such a size.)
# The padded image must be at least as large as the kernel. Complete the function so that it lists
# these sizes from `smallest` to `largest`.
#
# hint: The lesson's formula is ⌊(n + 2p − k) / s⌋ + 1. Which part of it cuts something off?
#
# hint: `a % b` is the remainder of the division a / b. For which image sizes is the remainder 0
# although not even one window fits?
#
# hint: Go through all sizes from `smallest` to `largest`, both included, and keep those for which
# n + 2p − k is at least 0 and a multiple of s.


# %% task="fitting"
def fitting_sizes(
    kernel_size: int, stride: int, padding: int, smallest: int, largest: int
) -> list[int]:
    """Return the sizes n, smallest <= n <= largest, that fit exactly, in ascending order."""
    ### BEGIN SOLUTION
    # The pixels beyond the first window must be a whole number of strides.
    steps = {n: n + 2 * padding - kernel_size for n in range(smallest, largest + 1)}
    return [n for n, step in steps.items() if step >= 0 and step % stride == 0]
    ### END SOLUTION


# %% check="fitting_check" points=1
from course_utils import checks


def _require_sizes(answer, expected, slips):
    """Compare a list of whole numbers with the right one, and name the slip."""
    if answer is None:
        raise checks.NotAnswered
    checks.require(isinstance(answer, list), f"Return a list, not {type(answer).__name__}.")
    checks.name_slip(answer, {slip: wrong for slip, wrong in slips.items() if wrong != expected})
    checks.require(answer == expected, f"Your list is {answer}, expected {expected}.")


def check_small(fitting_sizes):
    slips = {
        "you leave out the padding": [221, 226, 231],
        "you add the padding on one side only": [220, 225, 230],
        "you leave out the kernel size": [223, 228, 233],
        "you leave out the largest size": [224, 229],
        "you list every size that has an output at all": list(range(220, 235)),
        "you list the sizes that do not fit": [n for n in range(220, 235) if n % 5 != 4],
        "you divide the number of positions by the stride, not n + 2p − k": [229],
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
            "you list a size at which the image, padding included, is smaller than the kernel": [
                n for n in sizes if (n + 2 * p - k) % s == 0
            ],
            "you leave out the padding when you compare a small image with the kernel": [
                n for n in sizes if n >= k and (n + 2 * p - k) % s == 0
            ],
        }
        _require_sizes(fitting_sizes(k, s, p, smallest, largest), right, slips)
    _require_sizes(fitting_sizes(3, 2, 0, 4, 4), [], {})


checks.award(1, check_answer, fitting_sizes)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=9
# ## Task 2: predict from ten crops
#
# The paper does not predict from one crop of a photo but from **ten**: the four corners and the
# centre, each also mirrored left to right. A softmax turns the net's logits for each crop into
# probabilities, and these are averaged over the ten crops. Complete the function. If no crop lies
# exactly in the centre, take the nearest one towards the top left. The net must predict in
# evaluation mode, whatever mode it is in when your function is called; afterwards its mode and the
# images must be unchanged.
#
# hint: The corners are slices: `images[:, :, :size, -size:]` is the one at the top right. (If the
# image itself is `size` pixels high and wide, all five crops are the same.)
#
# hint: The centre crop begins at row `(height - size) // 2` and column `(width - size) // 2`.
# Images need not be square.
#
# hint: Call the net ten times, take ten softmaxes and one mean. `net.training` says whether the net
# is in training mode; remember it, switch to evaluation mode, and switch back.


# %% task="crops"
def ten_crops(net: nn.Module, images: torch.Tensor, size: int) -> torch.Tensor:
    """Return probabilities (N, K) for images (N, C, H, W): the mean over ten crops."""
    ### BEGIN SOLUTION
    h, w = images.shape[2:]
    middle, was_training = ((h - size) // 2, (w - size) // 2), net.training
    total = 0
    net.eval()  # so that dropout drops nothing
    with torch.no_grad():
        for top, left in ((0, 0), (0, w - size), (h - size, 0), (h - size, w - size), middle):
            crop = images[:, :, top : top + size, left : left + size]
            for view in (crop, crop.flip(3)):  # flip copies: the images stay as they are
                total = total + net(view).softmax(dim=1)  # probabilities, not logits
    net.train(was_training)
    return total / 10
    ### END SOLUTION


# %% check="crops_check" points=3
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks


@checks.beside
def _net_of(weight, bias, training):
    """Return a net with these weights that flattens the images it reads."""
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.weight.data, head.bias.data = weight.clone(), bias.clone()
    return nn.Sequential(nn.Dropout(0.5), nn.Flatten(), head).train(training)


@checks.beside
def _asked(ten_crops, weight, bias, training, images, size):
    """Return the probabilities, and whether the images and the mode are as they were."""
    net, before = _net_of(weight, bias, training), images.clone()
    found = ten_crops(net, images, size)
    modes = {module.training for module in net.modules()}
    return found, torch.equal(images, before), modes == {training}


def _drawn(size, channels, shape, seed):
    """Return weight, bias and images."""
    numbers = checks.random_tensor(3, channels * size * size, seed=seed), torch.zeros(3)
    return *numbers, checks.random_tensor(2, channels, *shape, seed=seed + 1)


def check_small(ten_crops):
    *net, images = _drawn(6, 1, (6, 6), seed=0)  # one crop and its mirror image
    found, *_ = _asked(ten_crops, *net, False, images.clone(), 6)
    if found is None:
        raise checks.NotAnswered
    logits = [F.linear(x.flatten(1), *net) for x in (images, images.flip(3))]
    expected = (logits[0].softmax(1) + logits[1].softmax(1)) / 2
    slips = {
        "you only add up the probabilities of the ten crops: divide by ten": 10 * expected,
        "you average logits and leave out the softmax": sum(logits) / 2,
        "you average the logits, and take one softmax of the mean": (sum(logits) / 2).softmax(1),
        "you leave out the mirror images": logits[0].softmax(1),
        "you use the mirror images alone": logits[1].softmax(1),
        "you flip the images top to bottom": (
            logits[0].softmax(1) + F.linear(images.flip(2).flatten(1), *net).softmax(1)
        )
        / 2,
    }
    checks.require_tensor(found, expected, slips)


crops_are_right = checks.show(check_small, ten_crops)


### BEGIN HIDDEN TESTS
def check_answer(ten_crops):
    import torch
    import torch.nn.functional as F

    check_small(ten_crops)
    for seed, (size, channels, shape, training) in enumerate(
        [(5, 2, (8, 11), False), (4, 1, (9, 6), True), (3, 3, (6, 6), True)]
    ):
        *net, images = _drawn(size, channels, shape, seed=10 * seed + 10)
        h, w = (side - size for side in shape)

        def mean_of(places, *, both=True, of=images, numbers=net, side=size):
            crops = [of[:, :, top : top + side, left : left + side] for top, left in places]
            crops += [crop.flip(3) for crop in crops] if both else []
            return sum(F.linear(x.flatten(1), *numbers).softmax(1) for x in crops) / len(crops)

        corners = [(0, 0), (0, w), (h, 0), (h, w)]
        middle = (h // 2, w // 2)
        found, kept, mode = _asked(ten_crops, *net, training, images.clone(), size)
        steady = not training or torch.equal(
            found, _asked(ten_crops, *net, training, images.clone(), size)[0]
        )
        sentence = "Your probabilities differ from call to call: dropout is still on."
        checks.require(steady, sentence)
        rounded_up = ((h + 1) // 2, (w + 1) // 2)
        slips = {
            "you leave out the centre": mean_of(corners),
            "you round the position of the centre up": mean_of([*corners, rounded_up]),
            "you use the centre alone": mean_of([middle]),
            "you put the centre where it would be if images were as wide as they are high": mean_of(
                [*corners, (h // 2, min(h // 2, w))]
            ),
            "you mirror only the centre crop": (
                5 * mean_of([*corners, middle], both=False)
                + mean_of([middle], both=False, of=images.flip(3))
            )
            / 6,
            "you use the top left corner five times": mean_of([(0, 0)]),
        }
        checks.require_tensor(found, mean_of([*corners, middle]), slips, tolerance=1e-4)
        checks.require(kept, "Your function changes the images that it is given.")
        checks.require(
            mode, "Your function does not put the net back into the mode that it was in."
        )


checks.award(3, check_answer, ten_crops)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=12
# ## Task 3: a recipe with four faults
#
# Somebody trains a small net with dropout and augmentation: each training image is shifted by up to
# two pixels, and mirrored at random. They report four symptoms: "The inputs of my net do not have a
# mean of 0 and a standard deviation of 1. I measured the accuracy on the validation set three times
# and got three different numbers. The validation images themselves look different each time. And in
# evaluation, the numbers that the last layer reads are on average twice as large as in training."
# Run the next two cells, and look at the symptoms before you read the code.

# %% readonly="broken"


def broken_drop(x, p, training):
    """Set each number of x to 0 with probability p, in training only."""
    return x * (torch.rand_like(x) >= p) if training else x


def broken_prepare(images, training):
    """Normalise `uint8` images (N, 1, H, W); in training, shift and mirror each at random."""
    x = (images / 255 - MEAN) / STD
    height, width = x.shape[2:]
    padded = F.pad(x, (2, 2, 2, 2), value=-MEAN / STD)  # black, as the background is
    offsets = torch.randint(5, (len(x), 2)).tolist()
    windows = zip(padded, offsets, strict=True)
    x = torch.stack([one[:, i : i + height, j : j + width] for one, (i, j) in windows])
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
    return (x - MEAN) / STD


def broken_accuracy(net, images, labels, prepare=broken_prepare):
    """Return the share of the images that are classified correctly."""
    logits = net(prepare(images, net.training))
    return (logits.argmax(dim=1) == labels).float().mean().item()


class Recipe(nn.Module):
    """The small net, with the given dropout function before the last layer."""

    def __init__(self, drop):
        super().__init__()
        self.net, self.drop = small_net(), drop

    def hidden(self, x):
        """Return the input of the last layer."""
        return self.drop(self.net[:-2](x), 0.5, self.training)

    def forward(self, x):
        return self.net[-1](self.hidden(x))


def symptoms(drop, prepare, accuracy):
    """Train on 1,000 images, print the symptoms; return six validation images, prepared twice."""
    torch.manual_seed(0)
    net, images, labels = Recipe(drop), CLOTHES.images, CLOTHES.labels
    optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
    for batch in torch.randint(1000, (100, 50)):
        x = prepare(images[batch], True)
        optimizer.zero_grad()
        F.cross_entropy(net(x), labels[batch]).backward()
        optimizer.step()
    print(f"a training batch: mean {x.mean():.2f}, standard deviation {x.std():.2f}")
    unseen = slice(6000, 6500)
    shares = [accuracy(net.train(), images[unseen], labels[unseen]) for _ in range(3)]
    print("validation accuracy, measured three times:", [f"{share:.1%}" for share in shares])
    with torch.no_grad():
        sizes = [net.train(mode).hidden(x).mean().item() for mode in (True, False)]
    print("mean input of the last layer: {:.2f} in training, {:.2f} in evaluation".format(*sizes))
    shoes = 6000 + torch.isin(labels[6000:], torch.tensor([5, 7, 9])).nonzero()[:6, 0]
    views = [prepare(images[shoes], False) for _ in range(2)]
    return ((torch.cat(views) - x.min()) / (x.max() - x.min())).clamp(0, 1)


# %% tags=["nbval-ignore-output"]
views = symptoms(broken_drop, broken_prepare, broken_accuracy)
show(
    plot_images(views, num_columns=6, row_titles=["first time", "second time"]),
    "The same six shoes in two rows; in the second row they are shifted differently, and some of "
    "them point the other way",
)

# %% [markdown]
# Write all three functions without the four faults. In training, `prepare` draws random numbers for
# each image separately: it shifts the image to one of 5 × 5 positions, fills the empty pixels with
# black, and mirrors the image with probability 0.5. The net's input should have a mean of about 0
# and a standard deviation of about 1. `accuracy` may be given a net in either mode; it measures the
# net in evaluation mode, with images prepared for that mode. In evaluation mode `drop` returns x
# unchanged.
#
# hint: The mean: how often does `broken_prepare` subtract it?
#
# hint: The validation images: what does `broken_prepare` do with `training`? And which mode is a
# net in if nobody has set it?
#
# hint: Twice as large: with p = 0.5, what share of the sum remains in training, on average? By what
# factor does the lesson scale the numbers that are kept?


# %% task="repair"
def drop(x, p, training):
    """Set each number of x to 0 with probability p, in training only."""
    ### BEGIN SOLUTION
    if not training:
        return x
    return x * (torch.rand_like(x) >= p) / (1 - p)  # so the expected value stays the same
    ### END SOLUTION


def prepare(images, training):
    """Normalise `uint8` images (N, 1, H, W); in training, shift and mirror each at random."""
    ### BEGIN SOLUTION
    if training:  # in evaluation the images stay as they are
        height, width = images.shape[2:]
        padded = F.pad(images, (2, 2, 2, 2))  # still bytes, so black is 0
        offsets = torch.randint(5, (len(images), 2)).tolist()
        windows = zip(padded, offsets, strict=True)
        images = torch.stack([one[:, i : i + height, j : j + width] for one, (i, j) in windows])
        images = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
    return (images / 255 - MEAN) / STD  # once
    ### END SOLUTION


def accuracy(net, images, labels) -> float:
    """Return the share of the images that are classified correctly."""
    ### BEGIN SOLUTION
    net.eval()  # no unit is dropped, no image shifted
    with torch.no_grad():
        logits = net(prepare(images, training=False))
    return (logits.argmax(dim=1) == labels).float().mean().item()
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks


@checks.beside
def _called(function, start, *arguments):
    """Return what a learner's function returns when torch's generator has this seed."""
    torch.manual_seed(start)
    return function(*arguments)


@checks.beside
def _accuracy_of(accuracy, start, weight, training, images, labels):
    """Return the accuracy of a linear net with dropout, given in this mode."""
    torch.manual_seed(start)
    head = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    head.weight.data = weight.clone()
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), head).train(training)
    return accuracy(net, images, labels)


def _start(seed):
    """Return a seed for torch's generator."""
    return int(torch.randint(2**31, (), generator=checks.generator(seed)))


def _bytes(seed, num, height, width):
    """Return images (N, 1, H, W) of random bytes, so that every shift shows."""
    drawn = checks.generator(seed)
    return torch.randint(1, 256, (num, 1, height, width), generator=drawn).to(torch.uint8)


def check_small(drop, prepare, accuracy):
    images = _bytes(0, 3, 6, 7)
    x = images / 255
    answers = [_called(drop, _start(0), x, 0.5, True), _called(prepare, _start(0), images, True)]
    answers += [_called(drop, _start(0), x, 0.5, False), _called(prepare, _start(0), images, False)]
    if any(each is None for each in answers):
        raise checks.NotAnswered
    for found, name in zip(answers, ("drop", "prepare") * 2, strict=True):
        shape = tuple(getattr(found, "shape", ()))
        sentence = f"The result of your {name} has the shape {shape}, expected (3, 1, 6, 7)."
        checks.require(shape == (3, 1, 6, 7), sentence)
    share = _accuracy_of(
        accuracy, _start(0), torch.eye(4, 42), False, images, torch.zeros(3).long()
    )
    if share is None:
        raise checks.NotAnswered
    fine = isinstance(share, float) and 0 <= share <= 1
    checks.require(fine, f"An accuracy is a Python float from 0 to 1, not {share!r}.")


repair_is_right = checks.show(check_small, drop, prepare, accuracy)


### BEGIN HIDDEN TESTS
def check_answer(drop, prepare, accuracy):
    import torch
    import torch.nn.functional as F

    check_small(drop, prepare, accuracy)

    def normal(x):
        return (x / 255 - MEAN) / STD

    # Dropout.
    ones = torch.ones(60, 500)
    for p in (0.5, 0.2):
        found = _called(drop, _start(1), ones, p, True)
        off = (found == 0).float()
        by_row = off.mean(dim=1)
        fine = float(by_row.max() - by_row.min()) < 0.3 and not off[0].equal(off[1])
        checks.require(
            fine, "Your drop draws once for several numbers: draw for each number separately."
        )
        share = float(off.mean())
        checks.require(abs(share - p) < 0.02, f"With p = {p} your drop sets {share:.0%} of x to 0.")
        kept = found[found != 0]
        slips = {
            "you do not scale up the numbers that you keep": torch.ones_like(kept),
            "you scale by 1 - p in training": (1 - p) * torch.ones_like(kept),
            "you divide by the share that you drop": torch.ones_like(kept) / p,
        }
        checks.require_tensor(kept, torch.ones_like(kept) / (1 - p), slips)
        slips = {
            "you multiply by 1 - p in evaluation, although you have scaled up in training": (
                (1 - p) * ones
            ),
            "you scale up in evaluation, too": ones / (1 - p),
        }
        awake = _called(drop, _start(1), ones, p, False)
        checks.require(bool((awake != 0).all()), "Your drop sets numbers to 0 in evaluation.")
        checks.require_tensor(awake, ones, slips)

    # The net's input.
    images = _bytes(2, 200, 6, 9)
    given = images.clone()
    slips = {
        "you normalise twice": (normal(images) - MEAN) / STD,
        "you do not normalise": images / 255,
        "you leave out the division by 255": (images - MEAN) / STD,
        "you normalise each batch by its own mean": (images / 255 - (images / 255).mean())
        / (images / 255).std(),
    }
    found = _called(prepare, _start(3), given, False)
    moved = (
        found.flatten(1)
        .sort(dim=1)
        .values.allclose(normal(images).flatten(1).sort(dim=1).values, atol=1e-4)
    )
    still = found.shape == images.shape and torch.allclose(found, normal(images), atol=1e-4)
    checks.require(
        still or not moved,
        "Your prepare mirrors or moves pixels in evaluation: only training images are augmented.",
    )
    checks.require_tensor(found, normal(images), slips, tolerance=1e-4)
    found = _called(prepare, _start(3), given, True)
    checks.require(torch.equal(given, images), "Your prepare changes the images that it is given.")

    def views(pad):
        """Return all 50 views of each image: (5, 5, mirrored or not, N, 1, H, W)."""
        padded = pad(images)
        windows = padded.unfold(2, 6, 1).unfold(3, 9, 1).permute(2, 3, 0, 1, 4, 5)
        return torch.stack([windows, windows.flip(5)], dim=2)

    def where(views):
        """Return which of its views each found image may be: (N, 50)."""
        return (views.flatten(0, 2) - found).abs().amax(dim=(2, 3, 4)).T < 1e-3

    black = views(lambda x: F.pad(normal(x), (2,) * 4, value=-MEAN / STD))
    alike = where(black)
    grey = where(views(lambda x: F.pad(normal(x), (2,) * 4)))
    rolled = where(
        torch.stack(
            [
                torch.stack(
                    [
                        torch.stack([x, x.flip(3)])
                        for j in range(-2, 3)
                        for x in [normal(images).roll((i, j), (2, 3))]
                    ]
                )
                for i in range(-2, 3)
            ]
        )
    )
    twice = where((black - MEAN) / STD)
    for slip, wrong in {
        "you normalise twice": twice,
        "you pad with 0 after normalising, which is the mean grey, not black": grey,
        "you shift cyclically: pixels that leave on one side come back on the other": rolled,
    }.items():
        fits = bool(wrong.any(dim=1).all()) and not bool(alike.any(dim=1).all())
        checks.require(not fits, f"In training your images are what you get if {slip}.")
    sentence = "In training your images are not the given ones, shifted by at most two pixels."
    checks.require(bool(alike.any(dim=1).all()), sentence)
    views_used = alike.float().argmax(dim=1)
    place, mirrored = views_used // 2, views_used % 2
    sentence = "Your prepare neither shifts nor mirrors the training images."
    checks.require(not torch.allclose(found, normal(images), atol=1e-4), sentence)
    sentence = "Your prepare draws once for the whole batch: draw for each image separately."
    checks.require(len(set(place.tolist())) > 5, sentence)
    rows, columns = (set(each.tolist()) for each in (place // 5, place % 5))
    sentence = "Your prepare does not use all 5 × 5 positions."
    checks.require(len(rows) == len(columns) == 5, sentence)
    share = float(mirrored.float().mean())
    sentence = f"Your prepare mirrors {share:.0%} of the images, not about half of them."
    checks.require(0.3 < share < 0.7, sentence)

    # The accuracy.
    for seed, training in ((4, True), (5, False)):
        images = _bytes(seed, 300, 6, 9)
        weight = checks.random_tensor(4, 54, seed=seed)
        scores = F.linear(normal(images).flatten(1), weight)
        labels = torch.where(torch.arange(300) < 240, scores.argmax(1), scores.argmin(1))
        share = _accuracy_of(accuracy, _start(0), weight, training, images, labels)
        sentence = (
            f"For a net in {'training' if training else 'evaluation'} mode your accuracy returns "
            f"{share:.1%}, expected 80.0%: measure with all units on, and do not shift the images."
        )
        checks.require(abs(share - 0.8) < 1e-3, sentence)


checks.award(4, check_answer, drop, prepare, accuracy)
### END HIDDEN TESTS

# %% [markdown]
# Here are the same measurements with your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    views = symptoms(drop, prepare, accuracy)
    show(
        plot_images(views, num_columns=6, row_titles=["first time", "second time"]),
        "The same six shoes in two rows, which are identical",
    )
else:
    print("The measurements with your functions appear here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: which part of the recipe pays?
#
# AlexNet's recipe has dropout, augmentation and weight decay, and the paper hardly tests them one
# by one. In the lesson, the nets trained for only eight epochs on 3,000 images. With fewer images a
# net overfits sooner. You have a few hundred at most: **which part of the recipe pays off?**

# %% readonly="number"
num_images = own_number(student_id)

# %%
print(f"you have {num_images} training images of ten classes")

# %% [markdown]
# **Predict first.** Which part will raise the mean accuracy most: `"dropout"`, `"augmentation"` or
# `"weight decay"`? Or will none of them raise it (`"none"`)? Write down your prediction before you
# run anything. A wrong prediction costs nothing; without a prediction, the experiment is not
# marked.

# %% task="prediction"
predicted = None  # "dropout", "augmentation", "weight decay" or "none"
### BEGIN SOLUTION
predicted = "augmentation"  # it adds something new; the others only restrict the net
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Train four nets, one with no part of the recipe and one with each part,
# each with the seeds 0 to 3; `trained_accuracy` trains a net in a second or two. For each part,
# report the mean of the four differences *with it − without*, seed by seed, and its standard error:
# the standard deviation of the four differences (dividing by n − 1), divided by √4.
#
# hint: `trained_accuracy(num_images, "dropout", seed=0)` and `trained_accuracy(num_images, seed=0)`
# are one pair. `PARTS` lists the three names.
#
# hint: `measured = {part: [trained_accuracy(...) for seed in range(4)] for part in (None, *PARTS)}`
# holds all sixteen runs.
#
# hint: `torch.tensor(differences).std()` divides by n − 1. `.item()` turns it into a Python float.

# %% task="experiment" tags=["nbval-ignore-output"]
measured = None  # {None: [four accuracies], "dropout": [...], "augmentation": ..., ...}
gained = None  # {"dropout": the mean of the four differences, with it - without, ...}
error = None  # {"dropout": the standard error of that mean, ...}
### BEGIN SOLUTION
measured = {
    part: [trained_accuracy(num_images, part, seed) for seed in range(4)] for part in (None, *PARTS)
}
plain, gained, error = torch.tensor(measured[None]), {}, {}
print(f"{'nothing':13}: {plain.mean():.1%}")
for part in PARTS:
    gaps = torch.tensor(measured[part]) - plain  # pairs: the same seed, so the same images
    gained[part], error[part] = gaps.mean().item(), (gaps.std() / 4**0.5).item()
    print(f"{part:13}: {gained[part]:+.1%}, standard error {error[part]:.1%}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def check_small(predicted, measured, gained, error):
    if measured is None and gained is None and error is None:
        raise checks.NotAnswered
    sentence = 'Write your prediction down before the experiment: one of the parts, or "none".'
    checks.require(predicted in (*PARTS, "none"), sentence)
    fits = isinstance(measured, dict) and measured.keys() == {None, *PARTS}
    checks.require(fits, f"measured must be a dictionary with the keys {(None, *PARTS)}.")
    for part, values in measured.items():
        fits = isinstance(values, list | tuple) and len(values) == 4
        fits = fits and all(isinstance(each, float) and 0.3 < each < 1 for each in values)
        sentence = (
            f"measured[{part!r}] must be four accuracies of trained nets, each between 0.3 and "
            f"1, and not all the same. You have {values!r}."
        )
        checks.require(fits and len(set(values)) > 1, sentence)
    for name, values in (("gained", gained), ("error", error)):
        fits = isinstance(values, dict) and values.keys() == set(PARTS)
        fits = fits and all(isinstance(each, float) for each in values.values())
        checks.require(fits, f"{name} must be a dictionary with a Python float for each part.")


def _in_words(gained, error):
    try:
        return ", ".join(f"{gained[each]:+.3f} ± {error[each]:.3f} ({each})" for each in PARTS)
    except (KeyError, TypeError, ValueError):
        return "nothing yet"


_BESIDE = f"you predicted {predicted} and measured {_in_words(gained, error)}: explain this below"
experiment_is_right = checks.show(check_small, predicted, measured, gained, error, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, measured, gained, error):
    check_small(predicted, measured, gained, error)

    def require_close(value, expected, slips, part):
        for slip, wrong in slips.items():
            near = abs(value - wrong) < 1e-5 < 2e-5 < abs(wrong - expected)
            sentence = f"For {part}, {value:.5f} is what you get if {slip}."
            checks.require(not near, sentence)
        sentence = f"For {part}, {value:.5f} does not follow from your lists: {expected:.5f} does."
        checks.require(abs(value - expected) < 1e-5, sentence)

    for part in PARTS:
        right = checks.paired_seeds(measured[part], measured[None])
        slips = {
            "you subtract the accuracy with it from that without": -right.mean,
            "you report its accuracy, not its gain": sum(measured[part]) / 4,
        }
        require_close(gained[part], right.mean, slips | right.mean_slips, part)
        require_close(error[part], right.error, right.error_slips, part)
    for part in (None, "augmentation"):
        value, again = measured[part][0], trained_accuracy(own_number(student_id), part)
        what = f"The training of measured[{part!r}][0] reaches"
        checks.require_again(what, value, again, tolerance=0.08)


checks.award(2, check_answer, predicted, measured, gained, error)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# errors? What does each of the three parts do, and why should it help, or not help, a net that has
# few images and 250 steps? What would you change in the experiment before you advise somebody with
# equally few images to leave a part out? 2 points, graded by a person.

# %% [markdown] written="which_part_pays" points=2
# **A model answer.** I predicted augmentation, because it alone adds something new, but with my 120
# images no part changes the accuracy of the plain net by two standard errors, and with augmentation
# it is 1.1 points *lower*: the experiment decides nothing and does not support my prediction.
# Augmentation makes every batch different, so in 250 steps the net may not see any view often
# enough to fit it, and shoes that point the other way hardly occur among the test images; dropout
# and weight decay add nothing new and only keep the net from relying on single units or large
# weights. Before I advised anybody, I would train each net until its validation accuracy levels
# off, choose the strength of each part on validation images, and use ten seeds instead of four: if
# augmentation then came out ahead, the training here would have been too short for it.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement *with* the standard errors, and calls a
#   difference within two of them undecided. Half a point without the errors. A wrong prediction
#   costs nothing.
# - 1 point: the answer gives a reason for the result that fits the part (augmentation adds views,
#   dropout switches units off, weight decay keeps weights small; a net with dropout needs more
#   steps), *and* a change that would settle it (longer training, the strength of each part chosen
#   on a validation set, more seeds). Half a point for one of the two.
