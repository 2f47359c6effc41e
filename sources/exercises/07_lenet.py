# %% [markdown]
# # Exercise 07: LeNet-5, from its layers to one epoch
#
# **You practise** working out a layer's output shape and its cost, writing a convnet, and writing
# the training loop that every later lesson takes for granted.
#
# **Minutes:** 45 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 07
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, four questions | 4 | the checks |
# | Task 1: write LeNet-5 | 4 | the checks |
# | Task 2: write one epoch of training | 4 | the checks |
# | In your own words | 3 | a person |
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# (Each imports what it needs, so that none of your variables gets in its way.)
#
# **Working on your own?** Once the checks find nothing wrong, compare your answers with the
# notebook of the same name in `solutions/`: it answers everything here, with a reason for each
# answer.

# %% readonly="setup"
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, data, quiz
from course_utils.runtime import seed_everything

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

# %% quiz="after_two_blocks"
after_two_blocks = None  # channels, height, width
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "after_two_blocks", student_id)
h, w = numbers["h"], numbers["w"]
# Padding 2 makes up for a 5x5 kernel; without padding it takes off 4. Halves are rounded down.
after_two_blocks = (16, (h // 2 - 4) // 2, (w // 2 - 4) // 2)
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="wider_convolution"
wider_convolution = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "wider_convolution", student_id)
c_in, c_out, k = numbers["c_in"], numbers["c_out"], numbers["k"]
# Each filter reads all the channels: c_in * k * k weights, and one bias.
wider_convolution = c_out * (c_in * k * k + 1)
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="uses_of_a_weight"
uses_of_a_weight = None  # times
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "uses_of_a_weight", student_id)
n = numbers["n"]
uses_of_a_weight = (n // 2 - 4) ** 2  # once at each position of the filter
### END SOLUTION

# %% [markdown]
# ### Question 4

# %% quiz="changed_lenet"
changed_lenet = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/07_lenet", "changed_lenet", student_id)
n, classes = numbers["n"], numbers["classes"]
width = ((n - 4) // 2 - 4) // 2  # activations and pooling have no parameters, but pooling halves
convolutions = 6 * (1 * 25 + 1) + 16 * (6 * 25 + 1)
linears = 120 * (16 * width * width + 1) + 84 * (120 + 1) + classes * (84 + 1)
changed_lenet = convolutions + linears
### END SOLUTION

# %% [markdown]
# ## Task 1: write LeNet-5
#
# Complete the class. It takes images of 28x28 pixels and returns logits. Build it yourself from
# what `torch.nn` has; the style is up to you. For a batch of N images:
#
# | layers | output |
# |---|---|
# | 5x5 convolution, padding 2; ReLU | (N, 6, 28, 28) |
# | 2x2 max pooling | (N, 6, 14, 14) |
# | 5x5 convolution, no padding; ReLU | (N, 16, 10, 10) |
# | 2x2 max pooling | (N, 16, 5, 5) |
# | linear; ReLU | (N, 120) |
# | linear; ReLU | (N, 84) |
# | linear | (N, `num_classes`) |


# %% task="lenet"
class LeNet5(nn.Module):
    def __init__(self, in_channels: int = 1, num_classes: int = 10) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.linear1 = nn.Linear(16 * 5 * 5, 120)
        self.linear2 = nn.Linear(120, 84)
        self.linear3 = nn.Linear(84, num_classes)
        ### END SOLUTION

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)  # (N, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 16, 5, 5)
        x = x.flatten(start_dim=1)  # (N, 400)
        x = F.relu(self.linear1(x))  # (N, 120)
        x = F.relu(self.linear2(x))  # (N, 84)
        return self.linear3(x)  # (N, num_classes)
        ### END SOLUTION


# %% check="lenet_shapes_check" points=2
import torch

from course_utils import checks

_STAGES = [
    ("the first convolution", (6, 28, 28), "is its padding 2?"),
    ("the first block", (6, 14, 14), "is its pooling 2x2?"),
    ("the second convolution", (16, 10, 10), "is its padding 0, and the first one's 2?"),
    ("the second block", (16, 5, 5), "is the first convolution's padding 2, the second's 0?"),
    ("the first linear layer", (120,), "does it have 400 inputs and 120 outputs?"),
    ("the second linear layer", (84,), "does it have 120 inputs and 84 outputs?"),
    ("the last layer", (10,), "is there one logit for each class?"),
]


def check_shapes(LeNet5, num_images=2, in_channels=1, num_classes=10):
    stages = [checks.Stage(name, (num_images, *shape), ask) for name, shape, ask in _STAGES[:-1]]
    name, _, ask = _STAGES[-1]
    stages.append(checks.Stage(name, (num_images, num_classes), ask))
    model = LeNet5(in_channels=in_channels, num_classes=num_classes)
    checks.require_stages(model, torch.zeros(num_images, in_channels, 28, 28), stages)


shapes_are_right = checks.show(check_shapes, LeNet5)


### BEGIN HIDDEN TESTS
def check_answer(LeNet5):
    check_shapes(LeNet5)
    check_shapes(LeNet5, num_images=7)
    check_shapes(LeNet5, num_images=3, in_channels=3, num_classes=26)


checks.award(2, check_answer, LeNet5)
### END HIDDEN TESTS

# %% check="lenet_numbers_check" points=2
import torch

from course_utils import checks


def check_parameters(LeNet5):
    model = LeNet5()
    model(torch.zeros(2, 1, 28, 28))  # lazy layers get their parameters here
    count = sum(parameter.numel() for parameter in checks.parameters_of(model).values())
    if count == 0:
        raise checks.NotAnswered
    checks.require(
        count == 61_706,
        f"your model has {count:,} parameters, LeNet-5 has 61,706: does each of the five layers "
        "have biases, and does the first linear layer have 16 * 5 * 5 inputs?",
    )
    checks.require_own_layers(model)


parameters_are_right = checks.show(check_parameters, LeNet5)


### BEGIN HIDDEN TESTS
def check_answer(LeNet5):
    import torch
    import torch.nn.functional as F

    check_parameters(LeNet5)

    def identity(x):
        return x

    def ours(images, weights, activation=F.relu, pooling=F.max_pool2d, end=identity):
        """Compute LeNet-5 by its definition, with the learner's own weights."""
        kernel1, bias1, kernel2, bias2, *linears = weights
        x = pooling(activation(F.conv2d(images, kernel1, bias1, padding=2)), 2)
        x = pooling(activation(F.conv2d(x, kernel2, bias2)), 2)
        x = activation(F.linear(x.flatten(1), linears[0], linears[1]))
        x = activation(F.linear(x, linears[2], linears[3]))
        return end(F.linear(x, linears[4], linears[5]))

    def laid_out(parameter, shape):
        """Transpose weights that were written as (in, out), not (out, in); a kernel's, too."""
        swapped = parameter.transpose(0, 1) if parameter.dim() > 1 else parameter
        is_turned = swapped.shape[0] == shape[0] != parameter.shape[0]
        return (swapped if is_turned else parameter).reshape(shape)

    def compare(in_channels, num_classes):
        model = LeNet5(in_channels=in_channels, num_classes=num_classes)
        images = checks.random_tensor(5, in_channels, 28, 28, seed=7)
        model(images)
        checks.require_own_layers(model)
        shapes = [(6, in_channels, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,)]
        shapes += [(84, 120), (84,), (num_classes, 84), (num_classes,)]
        # All of these differ in size, so the order and the names do not matter.
        theirs = {p.numel(): p for p in checks.parameters_of(model).values()}
        sizes = [torch.Size(shape).numel() for shape in shapes]
        for shape, size in zip(shapes, sizes, strict=True):
            checks.require(size in theirs, f"no parameter has the shape {shape}")
        sentence = "your model has parameters that LeNet-5 does not have"
        checks.require(len(theirs) == len(sizes), sentence)
        weights = [laid_out(theirs[size], shape) for shape, size in zip(shapes, sizes, strict=True)]
        checks.set_mode(model, training=False)
        logits = model(images)
        slips = {
            "you leave out the activations between the layers": {"activation": identity},
            "you use a sigmoid as the activation": {"activation": torch.sigmoid},
            "you use tanh as the activation": {"activation": torch.tanh},
            "you pool the average": {"pooling": F.avg_pool2d},
            "you put a softmax at the end: return the logits as they are": {
                "end": lambda x: x.softmax(dim=1)
            },
            "you put a log-softmax at the end: return the logits as they are": {
                "end": lambda x: x.log_softmax(dim=1)
            },
            "you put a ReLU at the end: logits may be negative": {"end": F.relu},
        }
        for slip, change in slips.items():
            checks.require(
                not torch.allclose(logits, ours(images, weights, **change), atol=1e-5),
                f"your logits are what you get if {slip}",
            )
        checks.require(
            torch.allclose(logits, ours(images, weights), atol=1e-5),
            "with the same weights your logits differ from LeNet-5's: is there a ReLU after each "
            "layer but the last, and nothing but what the table lists?",
        )

    def check_gradients():
        model = LeNet5()
        checks.set_mode(model, training=True)
        images = checks.random_tensor(8, 1, 28, 28, seed=8)
        for name, gradient in checks.gradients_of(model, images, torch.arange(8)).items():
            checks.require(
                gradient is not None and bool(gradient.any()),
                f"no gradient reaches {name}: is something in forward detached or under no_grad?",
            )

    check_gradients()
    compare(in_channels=1, num_classes=10)
    compare(in_channels=3, num_classes=26)


checks.award(2, check_answer, LeNet5)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: write one epoch of training
#
# Complete the function. For each batch it computes the logits, the cross-entropy and the gradients
# (of this batch alone), and lets the optimizer take one step. It returns the **mean loss over all
# the images** of the epoch, as a Python `float`: the last batch is often smaller than the others,
# and its images count no more than the rest. You may be given a model in evaluation mode, because
# somebody has just measured its accuracy; train it in training mode.


# %% task="train"
def train_one_epoch(model: nn.Module, batches, optimizer: torch.optim.Optimizer) -> float:
    """Train for one epoch. `batches` yields (images, labels): (B, ...) float32, (B,) int64."""
    ### BEGIN SOLUTION
    model.train()
    loss_sum, num_images = 0.0, 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(images)
        num_images += len(images)
    return loss_sum / num_images
    ### END SOLUTION


# %% check="train_weights_check" points=2
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Watched(nn.Linear):
    """A linear classifier, all zeros, that notes in which mode it is called."""

    def __init__(self, num_classes):
        super().__init__(4, num_classes)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        self.modes = []

    def forward(self, images):
        self.modes.append(self.training)
        return super().forward(images)


@checks.beside
def _epoch_of(train_one_epoch, batches, lr, num_classes=3):
    """Return what an epoch of training returns, and what it leaves of the model."""
    model, batches = _Watched(num_classes).eval(), checks.ListedBatches(batches)
    loss = train_one_epoch(model, batches, torch.optim.SGD(model.parameters(), lr=lr))
    if loss is None and not model.modes:
        raise checks.NotAnswered
    weight, bias = model.weight.detach(), model.bias.detach()
    return {"loss": loss, "modes": model.modes, "training": model.training} | {
        "weight": torch.cat([weight, bias[:, None]], dim=1)
    }


def check_training(train_one_epoch):
    images, labels = torch.eye(4), torch.tensor([0, 1, 2, 0])
    batches = checks.ListedBatches([(images, labels), (images[:3], labels[:3])])
    found = _epoch_of(train_one_epoch, batches, lr=0.1)
    checks.require(len(found["modes"]) > 1, "the model has not seen every batch")
    checks.require(
        bool(found["weight"].any()),
        "no weight has changed: does the optimizer step, and are the gradients still there by then?",
    )


training_is_right = checks.show(check_training, train_one_epoch)


### BEGIN HIDDEN TESTS
def check_answer(train_one_epoch):
    import torch
    import torch.nn.functional as F

    check_training(train_one_epoch)

    def ours(batches, lr, num_classes, add_up=False, once=False, first=lambda x: x, scale=len):
        """Compute the weights after an epoch of SGD by its definition."""
        weight, gradient = torch.zeros(num_classes, 5), torch.zeros(num_classes, 5)
        for images, labels in batches:
            inputs = torch.cat([images, torch.ones(len(images), 1)], dim=1)
            leaf = weight.clone().requires_grad_()
            loss = F.cross_entropy(first(inputs @ leaf.T), labels, reduction="sum") / scale(images)
            gradient = torch.autograd.grad(loss, leaf)[0] + (gradient if add_up else 0)
            weight = weight if once else weight - lr * gradient
        return weight - lr * gradient if once else weight

    slips = {
        "you keep the gradients of earlier batches: see zero_grad": {"add_up": True},
        "you take one step an epoch, with the last batch's gradient": {"once": True},
        "you take one step an epoch, with all the gradients added up": {
            "once": True,
            "add_up": True,
        },
        "you put a softmax before the cross-entropy, which takes logits": {
            "first": lambda x: x.softmax(dim=1)
        },
        "you make the loss of a batch a sum, not a mean": {"scale": lambda images: 1},
        "you step up the gradient, not down": {"sign": -1},
    }
    for sizes, lr, num_classes in [((8, 8, 3), 0.1, 3), ((5, 5, 5, 1), 0.02, 4)]:
        batches = checks.uneven_batches(sizes, num_classes)
        found = _epoch_of(train_one_epoch, batches, lr, num_classes)
        theirs = found["weight"]
        for slip, change in slips.items():
            change = dict(change)
            wrong = ours(batches, lr * change.pop("sign", 1), num_classes, **change)
            checks.require(
                not torch.allclose(theirs, wrong, atol=1e-6),
                f"your weights are what you get if {slip}",
            )
        checks.require(
            torch.allclose(theirs, ours(batches, lr, num_classes), atol=1e-6),
            "after an epoch your weights differ from those of one step of SGD for each batch",
        )
        checks.require(
            all(found["modes"]),
            "the model was in evaluation mode and you trained it so: model.train() is missing",
        )
        checks.require(found["training"], "you leave the model in evaluation mode")


checks.award(2, check_answer, train_one_epoch)
### END HIDDEN TESTS

# %% check="train_loss_check" points=2
import math

import torch

from course_utils import checks


def _returned_loss(train_one_epoch, batches, lr, num_classes=3):
    loss = _epoch_of(train_one_epoch, batches, lr, num_classes)["loss"]
    checks.require(
        isinstance(loss, float),
        f"return a Python float, not {type(loss).__name__}: a tensor of one number has .item()",
    )
    return float(loss)


def check_loss(train_one_epoch):
    batches = checks.ListedBatches([(torch.eye(4), torch.tensor([0, 1, 2, 0]))] * 2)
    loss = _returned_loss(train_one_epoch, batches, lr=0.0)
    checks.require(
        math.isclose(loss, math.log(3), rel_tol=1e-5),
        f"a model that gives 3 classes the same logits has the loss ln 3 = 1.0986, not {loss:.4f}",
    )


loss_is_right = checks.show(check_loss, train_one_epoch)


### BEGIN HIDDEN TESTS
def check_answer(train_one_epoch):
    import math

    import torch
    import torch.nn.functional as F

    check_loss(train_one_epoch)

    def losses(batches, lr, num_classes):
        """Return the loss of each batch before its step, and of all batches after the last."""
        weight, found = torch.zeros(num_classes, 5), []
        inputs = [torch.cat([images, torch.ones(len(images), 1)], dim=1) for images, _ in batches]
        for x, (_, labels) in zip(inputs, batches, strict=True):
            leaf = weight.clone().requires_grad_()
            loss = F.cross_entropy(x @ leaf.T, labels)
            weight = weight - lr * torch.autograd.grad(loss, leaf)[0]
            found.append(loss.item())
        labels = torch.cat([labels for _, labels in batches])
        return found, F.cross_entropy(torch.cat(inputs) @ weight.T, labels).item()

    for sizes, lr, num_classes in [((8, 8, 3), 0.1, 3), ((5, 5, 5, 1), 0.2, 4)]:
        batches = checks.uneven_batches(sizes, num_classes)
        loss = _returned_loss(train_one_epoch, batches, lr, num_classes)
        found, afterwards = losses(batches, lr, num_classes)
        mean, total = sum(found) / len(found), sum(sizes)
        weighted = sum(n * value for n, value in zip(sizes, found, strict=True))
        slips = {
            "you average the batches, so that images in a small batch count more": mean,
            "you add up the losses of the batches": sum(found),
            "you add up the losses of all the images": weighted,
            "you count only the last batch": found[-1],
            "you take every batch to be as large as the first": weighted / (sizes[0] * len(sizes)),
            "you divide the batches' mean losses by the number of images": sum(found) / total,
            "you measure the loss again, after the epoch": afterwards,
        }
        for slip, value in slips.items():
            checks.require(
                not math.isclose(loss, value, rel_tol=1e-4),
                f"{loss:.4f} is what you get if {slip}",
            )
        checks.require(
            math.isclose(loss, weighted / total, rel_tol=1e-4),
            f"{loss:.4f} is not the mean loss over all the images, {weighted / total:.4f}",
        )


checks.award(2, check_answer, train_one_epoch)
### END HIDDEN TESTS

# %% [markdown]
# ## Your net learns
#
# Here are your two pieces together: three epochs on 2,000 images of clothes. The second column is
# what `train_one_epoch` returns; the third is the loss on the same 2,000 images, measured after the
# epoch, when the weights no longer change.


# %% readonly="measure"
@torch.no_grad()
def mean_loss(model, batches):
    model.eval()
    losses = [F.cross_entropy(model(x), y, reduction="sum").item() for x, y in batches]
    return sum(losses) / batches.num_images


# %% tags=["nbval-ignore-output"]
if shapes_are_right and parameters_are_right and training_is_right and loss_is_right:
    generator = seed_everything(7)
    loaders = data.load("fashion_mnist_mini", batch_size=64, limit=2000, generator=generator)
    model = LeNet5()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    print("epoch  returned  afterwards  validation")
    for epoch in (1, 2, 3):
        returned = train_one_epoch(model, loaders.train, optimizer)
        afterwards, validation = (mean_loss(model, part) for part in (loaders.train, loaders.val))
        print(f"{epoch:5}{returned:10.3f}{afterwards:12.3f}{validation:12.3f}")
else:
    print("Your net is trained here once tasks 1 and 2 are done.")

# %% [markdown]
# ## In your own words
#
# Look at the first line of the table. **(a)** Why is the loss that `train_one_epoch` returns higher
# than the loss on the very same images measured afterwards? **(b)** A friend sees that in the first
# epoch the *validation* loss, too, is below the returned one, and concludes that the validation
# images must be easier. What do you answer? **(c)** Name one way to get two curves that can be
# compared fairly, and say what it costs. Four to six sentences, 3 points, read by a person.

# %% [markdown] written="two_losses" points=3
# **A model answer.** The returned loss is a mean over the epoch: its first terms come from a net
# that knew nothing yet, its last ones from a net with 32 steps behind it. Afterwards, all the
# images are measured with the net as it is at the end. The validation loss is measured afterwards
# as well, so in the first epoch, in which the net improves most, it may well be the lower one: what
# differs is when you measure, not the images. For a fair comparison measure the training set once
# more after each epoch, in evaluation mode and without gradients. That costs another forward pass
# over the training set, about a third more time, or less on a fixed sample of it.
#
# **Marking scheme.**
#
# - (a) 1 point: the weights change *during* the epoch, and the mean includes the early, bad ones.
#   Half a point for "the model gets better" with no word on when each loss is measured.
# - (b) 1 point: says that the two are measured at different times (or, where the model has dropout
#   or the training images are augmented, in different modes). No point for blaming luck or the
#   split; half a point for saying no more than "one epoch is too early to tell".
# - (c) half a point for a way that works (measure the training set after the epoch; compare with
#   the validation loss shifted by half an epoch; measure both on samples of equal size after each
#   epoch), half for its cost (an extra forward pass; or noise, with a sample; or a curve that is
#   only roughly aligned, with a shift).
