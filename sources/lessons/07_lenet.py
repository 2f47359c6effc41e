# %% [markdown]
# # 07 · LeNet: the first training loop
#
# **After this lesson you can**
# - say what LeNet-5 is made of, and compute the output shape and the parameters of each layer;
# - write a training loop by hand, and say what goes wrong when one of its lines is missing;
# - compare two models fairly, and read a confusion matrix and the maps inside a convnet.
#
# **Time** 55 minutes to read and try, of which training takes about two on a laptop.
#
# **Builds on** 04 (stride, padding, pooling) and 05 (channels and parameters).

# %% [markdown]
# ## The question
#
# In the 1990s banks wanted machines to read the amounts that people write on cheques. Every digit
# is a small grey image, and the same 7 may be a little further left, slanted, or crossed with a
# bar. A fully connected network treats each shifted 7 as a new input. The network of this lesson,
# LeNet-5, was built for that job, and banks read cheques with versions of it for years.
#
# The claim behind it was bold: **fewer parameters, and yet fewer errors**. Here we test it against
# a multilayer perceptron (MLP). Our images have the same size as the MNIST digits that made LeNet-5
# famous, 28 × 28 grey pixels, but they show clothes, which are harder to classify. They come with
# this course.

# %%
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

from course_utils import data, facts, models
from course_utils.inspection import summary
from course_utils.plots import LivePlot, plot_confusion, plot_histories, plot_images, show
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.training import TrainConfig, evaluate, fit, records

settings = profile("07_lenet")
device = choose_device()

# %% [markdown]
# `profile` says on which data and for how long this lesson trains on a machine like yours. Nothing
# else in the lesson depends on it.

# %% tags=["nbval-ignore-output"]
print(f"{settings.name} profile on {device.type}: {settings.data}, {settings.epochs} epochs")

# %% [markdown]
# ## Three parts of the data
#
# We train a model on the **training set**. While we make choices (which model, how many epochs), we
# look at the **validation set**. We use the **test set** once, at the very end. If you base choices
# on the test set, you are training on it by hand.


# %% tags=["nbval-ignore-output"]
def load(seed: int = 0) -> data.Loaders:
    """Load the images; the seed decides their order."""
    generator = seed_everything(seed)
    return data.load(settings.data, **settings.loading, device=device, generator=generator)


loaders = load()
for part in ("train", "val", "test"):
    print(f"{part:>5}: {getattr(loaders, part).num_images:6d} images")

# %%
classes = loaders.info.classes
first_of_each = [int((loaders.test.labels == k).nonzero()[0]) for k in range(len(classes))]
show(
    plot_images(loaders.test.images[first_of_each], classes, num_columns=5, size=1.2),
    "Ten grey images of 28 by 28 pixels, one for each class of clothing",
)

# %% [markdown]
# ## The rival: an MLP
#
# The MLP flattens each image into 784 numbers and applies linear layers. Every unit of its first
# layer has one weight for every pixel.
#
# **Predict, then run.** The layers are 784 → 256 → 128 → 10. Roughly how many parameters does that
# make: 20 thousand, 200 thousand or 2 million?


# %%
def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


mlp = models.build("mlp", in_channels=1, num_classes=10)
print(f"{num_parameters(mlp):,} parameters")
print("by hand:", f"{(784 + 1) * 256 + (256 + 1) * 128 + (128 + 1) * 10:,}")

# %% [markdown]
# The "+ 1" is the bias of each unit. About six in seven parameters are in the first layer, which
# reads the image: that is the price of one weight for every pixel.

# %% [markdown]
# ## LeNet-5
#
# LeNet-5 goes through the same two steps twice:
#
# 1. a **convolution** looks for small patterns, the same ones everywhere;
# 2. a **pooling** layer halves height and width, so that the next convolution sees twice as far.
#
# What remains is small enough for three linear layers. Here is the whole network. You may change
# it: the cells below use this code. From the comparison with the MLP onwards, they use the copy in
# the course package.

# %%
from course_utils.models.lenet import LeNet5  # inline

# %% [markdown]
# The comments give the shapes of the maps. By the formula of lesson 04, the output size is
# $\lfloor (n + 2p - k)/s \rfloor + 1$: check both convolutions and both pools.
#
# **Predict, then run.** How many parameters does each layer have? Write them down before you run
# the next cell.

# %%
lenet = LeNet5()
x = torch.zeros(1, 1, 28, 28)  # (N, C, H, W)
print(f"{'layer':12}{'output shape':>18}{'parameters':>12}")
for layer in [*lenet.features, *lenet.classifier]:
    x = layer(x)
    print(f"{type(layer).__name__:12}{tuple(x.shape)!s:>18}{num_parameters(layer):12,}")
print(f"{'all':12}{'':>18}{num_parameters(lenet):12,}")

# %%
first, second = 6 * (1 * 5 * 5 + 1), 16 * (6 * 5 * 5 + 1)  # c_out * (c_in * k * k + 1)
linear = (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10
expect(
    num_parameters(lenet) == first + second + linear,
    f"LeNet-5 has {first} + {second:,} + {linear:,} = {num_parameters(lenet):,} parameters.",
)
expect(
    num_parameters(lenet) * 3 < num_parameters(mlp),
    "LeNet-5 has less than a third of the MLP's parameters.",
)

# %% [markdown]
# The two convolutions, the part designed for images, have only 2,572 of the 61,706 parameters.
# Sharing makes them cheap; most parameters are in the first linear layer, which shares nothing.
#
# ### What the paper's own net looked like
#
# Textbooks, and the class above, simplify the net from 1998. It is worth knowing where:

# %%
facts.table("lenet5.*")

# %% [markdown]
# And a sentence that you will often read is wrong in two ways:

# %%
print(facts.trap("lenet_first_cnn"))

# %% [markdown]
# Further down you will see how much the scaled tanh matters.

# %% [markdown]
# ## One step of training, by hand
#
# Training repeats one step. The model turns a batch into **logits**, ten scores for each image. The
# **cross-entropy** loss compares them with the true classes: it is $-\log p_\text{true}$, averaged
# over the batch, where the probabilities $p$ are the softmax of the logits. The gradient says how
# to change each parameter to lower the loss.
#
# **Predict, then run.** An untrained model knows nothing, so each of the ten classes gets a
# probability near 1/10. What is the loss?

# %% tags=["nbval-ignore-output"]
seed_everything(0)
lenet = LeNet5().to(device)
images, labels = next(iter(loaders.train))  # (64, 1, 28, 28) and (64,)
logits = lenet(images)  # (64, 10)
loss = F.cross_entropy(logits, labels)
print(f"loss of an untrained model: {loss.item():.2f}; log 10 = {math.log(10):.2f}")

# %% [markdown]
# An initial loss far above $\log 10 \approx 2.30$ is the cheapest warning you can get of a
# mistake, such as wrong scaling or wrong initial weights.
#
# The step itself takes an optimiser and four lines, and every line is needed:

# %% tags=["nbval-ignore-output"]
optimizer = torch.optim.SGD(lenet.parameters(), lr=0.05)
optimizer.zero_grad()  # forget the gradients of the previous step
loss = F.cross_entropy(lenet(images), labels)  # forward: how wrong is the model?
loss.backward()  # backward: the gradient of the loss for every parameter
optimizer.step()  # move every parameter a little against its gradient
after = F.cross_entropy(lenet(images), labels)
print(f"loss on this batch: {loss.item():.3f} before the step, {after.item():.3f} after it")
expect(after.item() < loss.item(), "One step lowers the loss on its own batch.", trained=True)

# %% control="the same step uphill"
from copy import deepcopy

uphill = deepcopy(lenet)
with torch.no_grad():
    for parameter, moved in zip(uphill.parameters(), lenet.parameters(), strict=True):
        parameter += 2 * 0.05 * moved.grad  # back, and as far again
above = F.cross_entropy(uphill(images), labels)
refute(above.item() < loss.item(), "One step lowers the loss on its own batch.")

# %% [markdown]
# ## The loop, written out
#
# An **epoch** is one pass over the training set. Two details separate a correct loop from one that
# only looks correct. First, the mean loss should weight every *image* equally, so a smaller last
# batch must not count as much as a full one. Second, a model has two modes: `train()` and `eval()`.
# LeNet-5 behaves the same in both, but dropout (lesson 08) and batch normalisation (lesson 11) do
# not, so we set the mode from the start.


# %%
def train_one_epoch(model: nn.Module, batches: data.Batches, optimizer) -> float:
    """Train on every batch once; return the mean loss over the images."""
    model.train()
    total = 0.0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)  # a mean over the batch, times its size
    return total / batches.num_images


# %%
@torch.no_grad()  # nothing is learned here, so no gradients are needed
def accuracy(model: nn.Module, batches: data.Batches) -> float:
    """Return the share of images whose highest logit is that of the true class."""
    model.eval()
    num_right = 0
    for images, labels in batches:
        num_right += int((model(images).argmax(dim=1) == labels).sum())
    return num_right / batches.num_images


# %% tags=["nbval-ignore-output"]
lenet = LeNet5().to(device)
optimizer = torch.optim.SGD(lenet.parameters(), lr=0.05, momentum=0.9)
for epoch in range(1, 3):
    start = time.perf_counter()
    loss = train_one_epoch(lenet, loaders.train, optimizer)
    seconds = time.perf_counter() - start
    share = accuracy(lenet, loaders.val)
    print(f"epoch {epoch}: loss {loss:.3f}, validation accuracy {share:.1%}, {seconds:.1f} s")

# %% [markdown]
# That is the core of training. **Try it.** Delete `optimizer.zero_grad()` in `train_one_epoch`, and
# run that cell and the training cell above again. Now the gradients of all batches so far add up,
# and the steps follow gradients that are mostly out of date. What happens to the loss? Put the line
# back, and run both cells once more.

# %% [markdown]
# ## From the step to `fit`
#
# Every later lesson uses this loop, wrapped up as `fit`. Let $w$ be the parameters and $g$ the
# gradient of one batch. The step of plain **stochastic gradient descent** (SGD) has one setting,
# the **learning rate** $\eta$. `fit` has four more, and you have used the first of them, momentum,
# in the loop above. Here is the plain step:
#
# $$w \leftarrow w - \eta\, g$$
#
# Take a bowl that is 25 times as steep along one axis as along the other:
# $L(w) = \frac12(w_1^2 + 25\, w_2^2)$. **Predict, then run.** If the steps are too short, it takes
# many of them to reach the bottom. What do steps that are too long do?


# %%
def descend(lr: float, momentum: float = 0.0, num_steps: int = 40) -> list[float]:
    """Return the loss on the bowl before each step, and after the last."""
    steepness = torch.tensor([1.0, 25.0])
    w, velocity, losses = torch.tensor([5.0, 1.0]), torch.zeros(2), []
    for _ in range(num_steps + 1):
        losses.append(float((steepness * w**2).sum() / 2))
        velocity = momentum * velocity + steepness * w
        w = w - lr * velocity
    return losses


bowl = {f"rate {lr}": descend(lr) for lr in (0.01, 0.03, 0.081)}
bowl["rate 0.03, momentum 0.7"] = descend(0.03, 0.7)

# %%
from course_utils.plots import plot_loss_lines

show(
    plot_loss_lines(bowl, range(41), xlabel="step", log=True),
    "The loss on a logarithmic scale against the step. With a rate of 0.01 it falls slowly, with "
    "0.03 faster, and with 0.081 it grows. With momentum it falls by far the fastest",
)
slow, medium, large, rolling = (losses[-1] for losses in bowl.values())
expect(rolling < medium < slow < bowl["rate 0.01"][0], "Momentum gets furthest in 40 steps.")
expect(large > bowl["rate 0.081"][0], "Past 2/25 = 0.08 each step jumps up the other side.")

# %% [markdown]
# Along $w_2$ each step multiplies the distance from the bottom by $1 - 25\,\eta$: past
# $\eta = 2/25$ it grows. So the steepest direction limits the rate, and progress along the flattest
# one is slow. **Momentum** $\mu$ helps: the step follows a running sum $v$ of past gradients. Where
# the gradients agree, $v$ grows to as much as $1/(1-\mu)$ times one of them; where they alternate
# in sign, they cancel. **Nesterov's** variant looks one step ahead along $v$. **Weight decay**
# $\lambda$ adds a pull towards zero to each gradient:
#
# $$g \leftarrow g + \lambda w \qquad v \leftarrow \mu v + g \qquad w \leftarrow w - \eta\,(g + \mu v)$$
#
# (Without Nesterov, the last step is $w - \eta\, v$.) That is all that PyTorch's optimiser does:

# %%
w = torch.tensor([5.0, 1.0], requires_grad=True)
sgd = torch.optim.SGD([w], lr=0.03, momentum=0.9, nesterov=True, weight_decay=0.1)
ours, velocity = w.detach().clone(), torch.zeros(2)
for _ in range(10):
    gradient = torch.tensor([1.0, 25.0]) * ours + 0.1 * ours
    velocity = 0.9 * velocity + gradient
    ours = ours - 0.03 * (gradient + 0.9 * velocity)
    sgd.zero_grad()
    (torch.tensor([1.0, 25.0]) * w**2 / 2).sum().backward()
    sgd.step()
expect(torch.allclose(w.detach(), ours, atol=1e-5), "Ten of these steps are ten of PyTorch's.")

# %% [markdown]
# The last setting is the **schedule**. Long steps make fast progress at first. Later they only make
# the parameters jump about, since each batch has its own gradient. So `fit` ends with a rate that
# falls to 0 along half a cosine. It begins with one that rises from near 0, over the first three
# tenths of the steps, because long steps from random weights can make the loss diverge:

# %%
from course_utils.training.config import learning_rate

config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
print(f"momentum {config.momentum}, Nesterov {config.nesterov}, decay {config.weight_decay}")
for step in (0, 15, 29, 50, 75, 99):
    print(f"step {step:2} of 100: learning rate {learning_rate(step, 100, config):.4f}")

# %% [markdown]
# ## LeNet-5 against the MLP
#
# A fair comparison changes only one thing. Both models see the same images in the same order, for
# the same number of epochs, with the same optimiser and schedule. Only the architecture differs.
#
# **Predict, then run.** Which model's validation accuracy is higher, and by how much? Write down a
# number; a prediction without one cannot be wrong.


# %%
def train(name: str, title: str, start=None, **switches) -> tuple[nn.Module, object]:
    """Build a model and train it, always from the same seed; `start` sets new initial weights."""
    fresh = load(seed=0)
    model = models.build(name, in_channels=1, num_classes=10, **switches).to(device)
    model = start(model) if start else model
    return model, fit(model, fresh, config, on_epoch_end=[LivePlot(title, chance=0.1)])


mlp, mlp_history = train("mlp", "MLP")

# %%
lenet, lenet_history = train("lenet5", "LeNet-5")

# %% [markdown]
# All choices are made, so now we use the test set, once:

# %% tags=["nbval-ignore-output"]
results = {"MLP": evaluate(mlp, loaders.test), "LeNet-5": evaluate(lenet, loaders.test)}
for (name, result), model in zip(results.items(), (mlp, lenet), strict=True):
    print(f"{name:8} {num_parameters(model):8,} parameters, test accuracy {result.accuracy:.1%}")

# %%
show(
    plot_histories({"MLP": mlp_history, "LeNet-5": lenet_history}, "val_loss"),
    "The validation loss of both models over the epochs: LeNet-5 ends below the MLP",
)
expect(
    results["LeNet-5"].accuracy > 0.80,
    "LeNet-5 classifies more than 80 % of the test images correctly.",
    trained=True,
)

# %% control="untrained weights"
seed_everything(0)
guess = evaluate(models.build("lenet5", in_channels=1, num_classes=10).to(device), loaders.test)
refute(guess.accuracy > 0.80, "LeNet-5 classifies more than 80 % of the test images correctly.")
refute(
    classes[(guess.confusion.diagonal() / guess.confusion.sum(dim=1)).argmin()] == "Shirt",
    "Shirts are recognised least often.",
)

# %% [markdown]
# The last figure shows both validation losses on one scale. In the end the MLP's training loss is
# about as low as LeNet's (see the two figures before it); its validation loss is not. The MLP has
# enough parameters to fit the training images, but, as in lesson 02, what it learns in one place
# helps little in another. Sharing weights does more than save parameters: it tells the model
# something true about images, so less has to be learned from examples.
#
# How reliable is the comparison? Both models saw the *same* test images, so only the images that
# one model classifies correctly and the other wrongly can tell the two apart. If the two were
# equally good, the counts $b$ and $c$ of such images would differ by about $\sqrt{b + c}$, by
# chance alone:

# %% tags=["nbval-ignore-output"]
predicted, right = {}, {}
for name, model in (("MLP", mlp), ("LeNet-5", lenet)):
    with torch.no_grad():
        guesses = [model(images).argmax(dim=1) for images, _ in loaders.test]
    predicted[name] = torch.cat(guesses)  # (N,)
    right[name] = predicted[name] == loaders.test.labels
b = int((right["LeNet-5"] & ~right["MLP"]).sum())
c = int((right["MLP"] & ~right["LeNet-5"]).sum())
print(f"only LeNet-5 is right on {b} images, only the MLP on {c}")
print(f"a difference of {b - c}; by chance alone it would be about {math.sqrt(b + c):.0f}")
for name, model in (("MLP", mlp), ("LeNet-5", lenet)):
    print(f"{name:8} {summary(model, (1, 28, 28)).multiply_adds:8,} multiply-adds for an image")

# %% [markdown]
# A difference of less than twice what chance alone would produce does not tell you which model is
# better. And another seed would lead to other counts, another learning rate to other accuracies.
# Here are five recorded runs of each model, on the same images. Each model got the learning rate
# that did best on the validation set. In the table, the brackets after the difference hold its
# 95 % **interval**: test images and seeds are drawn again, with replacement, 4,000 times, and the
# lowest and the highest 2.5 % of the differences are left out.

# %%
records.table("mlp", "lenet5")

# %%
recorded = {name: records.load(name) for name in ("mlp", "lenet5")}
for found in recorded.values():
    tested = ", ".join(f"{accuracy:.1%}" for accuracy in found.test_accuracies)
    print(f"{found.title:8} rate {found.lr}: {tested}")
lead = records.compare(recorded["lenet5"], recorded["mlp"])
expect(lead.mean > 0.005, "On average LeNet-5 is more than half a point ahead.")

# %% [markdown]
# So LeNet-5 is ahead on these images, by about one point, with less than a third of the parameters.
# But the interval begins close to 0. (With the first three seeds alone it contains 0, and whoever
# adds runs until it no longer does fools himself: then it is not a 95 % interval any more. More
# test images would help more than more seeds.) And LeNet-5 is smaller, not cheaper: it uses its
# shared weights at many places, and does more arithmetic.

# %% [markdown]
# ## What did 1998 do differently?
#
# Textbooks often draw LeNet-5 with sigmoids and average pooling. Let us train that net, and one
# with the paper's scaled tanh, with the settings that worked well for the ReLU net.
#
# **Predict, then run.** The sigmoid squashes everything into $[0, 1]$, and its slope is at most
# 1/4. Between the first filters and the loss there are four sigmoids. By what factor, at least, do
# their slopes shrink the gradient?

# %%
_, sigmoid_history = train(
    "lenet5", "sigmoid, average pooling", activation="sigmoid", pooling="average"
)

# %%
_, tanh_history = train(
    "lenet5", "scaled tanh, average pooling", activation="scaled_tanh", pooling="average"
)

# %% [markdown]
# On their own, four slopes of at most 1/4 leave at most $1/4^4 = 1/256$ of the gradient. But the
# two nets differ in more than the activation. The scaled tanh net starts from the initial weights
# of the paper, the sigmoid net from those of Glorot and Bengio (2010), which lesson 11 derives. As
# a control, here is the scaled tanh net with the initial weights of 2010:

# %%
from course_utils.models.initialization import glorot_uniform_

_, control_history = train(
    "lenet5",
    "scaled tanh, weights of 2010",
    start=glorot_uniform_,
    activation="scaled_tanh",
    pooling="average",
)

# %%
runs = {
    "ReLU, max pooling": lenet_history,
    "scaled tanh, average pooling": tanh_history,
    "scaled tanh, weights of 2010": control_history,
    "sigmoid, average pooling": sigmoid_history,
}
show(
    plot_histories(runs, "val_accuracy", "validation accuracy", chance=0.1),
    "Validation accuracy over the epochs for four variants of LeNet-5: the ReLU net and the "
    "scaled tanh net with weights of 2010 learn from the first epoch on; the one with the paper's "
    "weights starts from chance and catches up; the sigmoid net starts late and learns less",
)

# %%
final = {name: history.column("val_accuracy")[-1] for name, history in runs.items()}
expect(
    final["sigmoid, average pooling"] < final["scaled tanh, average pooling"],
    "The sigmoid net learns less than the scaled tanh net in the same time.",
    trained=True,
)
expect(
    final["sigmoid, average pooling"] < final["scaled tanh, weights of 2010"],
    "It learns less than the scaled tanh net that starts from the same kind of weights.",
    trained=True,
)

# %%
first = {name: history.column("val_accuracy")[0] for name, history in runs.items()}
expect(
    first["scaled tanh, weights of 2010"] > first["scaled tanh, average pooling"] + 0.2,
    "After one epoch the weights of 2010 are more than 20 points ahead.",
    trained=True,
)

# %% control="after the last epoch"
refute(
    final["scaled tanh, weights of 2010"] > final["scaled tanh, average pooling"] + 0.2,
    "After one epoch the weights of 2010 are more than 20 points ahead.",
)

# %% control="the ReLU net in the sigmoid net's place"
refute(
    final["ReLU, max pooling"] < final["scaled tanh, average pooling"],
    "The sigmoid net learns less than the scaled tanh net in the same time.",
)
refute(
    final["ReLU, max pooling"] < final["scaled tanh, weights of 2010"],
    "It learns less than the scaled tanh net that starts from the same kind of weights.",
)

# %% [markdown]
# The sigmoid net and the control differ in the activation alone, so it is the *activation* that
# makes the sigmoid net start late. The late start of the scaled tanh net comes from its initial
# weights. All this holds for *these* settings and one seed; we have not tried other learning rates.
# Lesson 08 takes the steps from here to AlexNet one at a time, and lesson 11 measures where the
# gradient goes.

# %% [markdown]
# ## Inside: feature maps
#
# You can look inside a convnet. For one image, the output of a convolution is a stack of **feature
# maps**: each shows where its filter found the pattern that it looks for. Here is LeNet-5 at work,
# drawn to scale: a pixel has the same size in the image and in every map. Only the filters are
# enlarged, threefold, and of the second layer's sixteen filters you see the first six. Numbers that
# can be negative are violet above zero and orange below; the others are grey.

# %%
from course_utils.plots import plot_inside

image = next(iter(loaders.test))[0][0]  # (1, 28, 28)
names = [f"features.{i}" for i in (0, 2, 3, 5)]  # two convolutions, each with its pool
names += [f"classifier.{i}" for i in (1, 3, 5)]  # three linear layers
show(
    plot_inside(lenet, image, names),
    "LeNet-5 from left to right: the image; six filters and the six maps that they make, which "
    "look like the image; the six maps pooled; six of sixteen filters with six kernels each, and "
    "all sixteen smaller maps; the sixteen maps pooled; and columns of 120, 84 and 10 numbers, the "
    "last of them the logits",
)

# %% [markdown]
# The maps of the first layer still look like the image: they show edges and surfaces. Those of the
# second layer are coarser, and after ReLU and pooling only certain parts light up. Nobody told the
# model which filters to learn. `plot_inside` takes any trained model and the names of its layers.

# %% [markdown]
# ## Where it goes wrong: the confusion matrix
#
# Accuracy does not say which classes are mistaken for which. The **confusion matrix** does: it has
# a row for each true class and a column for each predicted class. A perfect model has counts only
# on the diagonal.
#
# **Predict, then run.** Which two classes will be confused most often?

# %%
confusion = results["LeNet-5"].confusion
show(
    plot_confusion(confusion, classes),
    "Confusion matrix of LeNet-5 on the test set: most counts lie on the diagonal, and shirts are "
    "mistaken for T-shirts, pullovers and coats",
)

# %% tags=["nbval-ignore-output"]
mistakes = confusion.clone().fill_diagonal_(0)
for index in mistakes.flatten().argsort(descending=True)[:3].tolist():
    true, said = divmod(index, len(classes))  # row and column
    print(f"{mistakes[true, said]:3d} of {confusion[true].sum()} {classes[true]} → {classes[said]}")
recall = confusion.diagonal() / confusion.sum(dim=1)
expect(
    classes[recall.argmin()] == "Shirt",
    "Shirts are recognised least often.",
    trained=True,
)

# %% [markdown]
# Are those mistakes foolish? Before you judge, look at some images that the model got wrong, each
# with the class that it predicted and the label.

# %% tags=["nbval-ignore-output"]
wrong = (~right["LeNet-5"]).nonzero().flatten()[:10]
titles = [
    f"net: {classes[predicted['LeNet-5'][i]]}\nlabel: {classes[loaders.test.labels[i]]}"
    for i in wrong
]
show(
    plot_images(loaders.test.images[wrong], titles, num_columns=5, size=1.35),
    "Ten misclassified images with their true and their predicted class; several would be hard "
    "for a person at this size",
)

# %% [markdown]
# ## Where it goes wrong: images that have moved
#
# All our images show the item in the middle. A camera would not do us that favour. We move the test
# images to the right, pixel by pixel: black comes in on the left, and what leaves on the right is
# lost. Neither net is retrained.
#
# **Predict, then run.** A convolution is equivariant, and pooling forgives small shifts. How many
# points does LeNet-5 lose when the images move by two pixels, and how many does the MLP lose? And
# when they move by six?


# %%
def moved(part: data.Batches, pixels: int) -> data.Batches:
    """Return the same images, moved to the right."""
    images = F.pad(part.images, (pixels, 0))[..., : part.images.shape[-1]]
    return part.with_options(images=images, labels=part.labels)


pixels = range(7)
after = {
    name: [evaluate(model, moved(loaders.test, p)).accuracy for p in pixels]
    for name, model in (("MLP", mlp), ("LeNet-5", lenet))
}

# %%
from course_utils.plots import plot_lines

show(
    plot_lines(
        after,
        pixels,
        "shift to the right, in pixels",
        "test accuracy",
        percent=True,
        chance=0.1,
    ),
    "Test accuracy against the shift in pixels: both fall, the MLP at once and LeNet-5 later; at "
    "six pixels both classify less than a quarter of the images correctly",
)

# %%
expect(
    after["LeNet-5"][2] > after["MLP"][2] + 0.1,
    "Moved by two pixels, LeNet-5 is over ten points ahead of the MLP.",
    trained=True,
)
expect(
    max(after["LeNet-5"][6], after["MLP"][6]) < 0.4,
    "Moved by six pixels, neither classifies 40 % correctly.",
    trained=True,
)

# %% control="images that have not moved"
refute(
    after["LeNet-5"][0] > after["MLP"][0] + 0.1,
    "Moved by two pixels, LeNet-5 is over ten points ahead of the MLP.",
)
refute(
    max(after["LeNet-5"][0], after["MLP"][0]) < 0.4,
    "Moved by six pixels, neither classifies 40 % correctly.",
)

# %% [markdown]
# So the convnet's lead is larger on images that have moved a little than on those that have not: it
# has learned each filter once and uses it everywhere. But it is far from invariant. Where does it
# lose its points? Look at the end of the net: the last maps are flattened, and the first linear
# layer has separate weights for each *place*. A pattern that moves by more than pooling forgives
# arrives at weights that were trained for another place. Lesson 08 moves the training images
# instead; from lesson 10 on, nets end in an average over each map.

# %% [markdown]
# ## What was missing in 1998?
#
# If all this worked, why did convnets not conquer computer vision until 2012? Two things that were
# missing can be counted: **data** and **hardware**.

# %%
mnist, imagenet = facts.get("mnist.train_images"), facts.get("ilsvrc.train_images")
print(f"MNIST    {mnist.value:>9,} training images of 28 x 28 = 784 numbers")
print(f"ImageNet {imagenet.value:>9,} training images, usually 3 x 224 x 224 = 150,528 numbers")
ratio = imagenet.value * 150528 / (mnist.value * 784)
print(f"that is {ratio:,.0f} times as many numbers in one epoch")

# %% [markdown]
# And a larger net needs hardware that can hold it. Each of the two GPUs that trained AlexNet had
# this much memory:

# %%
print(facts.get("alexnet.gpu_memory"))

# %% [markdown]
# Lesson 08 is about AlexNet, which had both.

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("07_lenet")

# %% [markdown]
# ## What to remember
#
# - LeNet-5 applies convolution, activation and pooling, twice, and then linear layers. AlexNet, in
#   2012, still followed that pattern with more layers.
# - Shared weights make the convolutions cheap (2,572 of 61,706 parameters); the linear layers have
#   the rest.
# - One step is: zero the gradients, forward pass, loss, backward pass, update. An untrained model
#   with ten classes has a loss near 2.30.
# - Choose with the validation set, test once, and say how many images and seeds each number is
#   based on.
# - LeNet-5 had a scaled tanh, and it was not the first convnet.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Most of LeNet was known in 1989. Why did it take until 2012 for nets like it to take over
#    computer vision?
# 2. A net that reads cheques gets one digit in a thousand wrong. Is that good enough? Who should
#    decide?
# 3. You may change one thing in LeNet-5. What do you change, and which experiment would show
#    whether it pays off?

# %% [markdown]
# ## Further reading
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: *Gradient-based learning applied to document
#   recognition*. Proceedings of the IEEE 86(11), 1998. Section II-B describes LeNet-5.
# - K. Fukushima: *Neocognitron: A self-organizing neural network model for a mechanism of pattern
#   recognition unaffected by shift in position*. Biological Cybernetics 36, 1980.
# - Y. LeCun et al.: *Backpropagation applied to handwritten zip code recognition*. Neural
#   Computation 1(4), 1989.
# - H. Xiao, K. Rasul, R. Vollgraf: *Fashion-MNIST: a novel image dataset for benchmarking machine
#   learning algorithms*. arXiv 1708.07747, 2017.
#
# **Digits instead of clothes?** If you are online, replace `settings.data` in `load`, near the top,
# with `"mnist"`. The digits of MNIST are downloaded once, and the code above runs on them, although
# claims about clothes then fail, as they should. (The digits come from forms that clerks and pupils
# filled in, not from cheques.)

# %% [markdown]
# ## Now you
#
# **Exercise** {exercise}
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | feature map | 특징 맵 | output channel of a convolution: where its filter responds |
# | pooling | 풀링 | summarising each small window as one number |
# | logit | 로짓 | score of a class before the softmax |
# | cross-entropy | 교차 엔트로피 | −log of the probability given to the true class |
# | gradient | 기울기 | how the loss changes with each parameter |
# | backpropagation | 역전파 | computing the gradients layer by layer, from the loss backwards |
# | epoch | 에포크 | one pass over the training set |
# | learning rate | 학습률 | how far a step goes against the gradient |
# | validation set | 검증 데이터 | images on which we base our choices |
# | confusion matrix | 혼동 행렬 | counts of images by true and predicted class |
