# %% [markdown]
# # 08 · AlexNet: from LeNet, one thing at a time
#
# **After this lesson you can**
# - say what changed between LeNet-5 and AlexNet, and what each change does on its own;
# - design a feature by hand, as people did before 2012, and train a linear classifier on it;
# - compute AlexNet's map sizes and parameter counts, and find the slip in the input size that its
#   paper prints;
# - read a top-5 error, and say when dropout and augmentation help and when they do not.
#
# **Time** 50 minutes to read and try, of which training takes two to three minutes on a laptop.
#
# **Builds on** 05 (channels, groups) and 07 (LeNet, the training loop).

# %% [markdown]
# ## The question
#
# LeNet-5 read digits in the 1990s. But until 2012 no net of its kind was the best at telling a
# thousand classes of photos apart: the leading systems computed features that people had designed,
# and trained only the classifier on top. Then a convnet, AlexNet, won the field's largest contest by
# a wide margin, and within two years nearly every entry was a convnet. AlexNet followed LeNet's
# plan: convolutions, pools, linear layers.
#
# So **what was LeNet missing?** The usual answer is a list: ReLU, max pooling, dropout,
# augmentation, two GPUs, more data. A list does not say which item did the work. So we change one
# thing at a time, and measure.

# %%
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import data, facts, models
from course_utils.arithmetic import conv_parameters, output_size
from course_utils.inspection import capture, summary
from course_utils.models.initialization import glorot_uniform_
from course_utils.models.normalization import LocalResponseNorm
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.tables import Table
from course_utils.training import TrainConfig, evaluate, fit, records

settings = profile("08_alexnet")
device = choose_device()

# %%
from course_utils.plots import (
    LivePlot,
    plot_architecture,
    plot_counts,
    plot_filter_bank,
    plot_grids,
    plot_images,
    plot_records,
    show,
)

# %% [markdown]
# All nets in this lesson train on the same 3,000 images of clothes in the same order, with the same
# learning rate. The set is small on purpose, so that a net *can* overfit it. The validation set
# shrinks with it: the live plots show a third of that set, and the tables use all of it, `val`.
#
# Gradients are **clipped**: one with a norm above 2 is scaled down to a norm of 2. Without
# clipping, the net with dropout diverges at this learning rate on some machines.


# %% tags=["nbval-ignore-output"]
def load(augment: data.Augment | None = None) -> data.Loaders:
    """Load the same images in the same order every time."""
    options = settings.loading | {"augment": augment, "generator": seed_everything(0)}
    return data.load(settings.data, **options, device=device)


loaders = load()  # to look at and to evaluate on: never augmented
unlimited = data.load(settings.data, batch_size=settings.batch_size, device=device).val
val = loaders.val.with_options(images=unlimited.images, labels=unlimited.labels)
print(f"{settings.name} profile: {loaders.train.num_images} images, {settings.epochs} epochs")
print(f"validation: {loaders.val.num_images} images in the plots, {val.num_images} in the tables")

# %% [markdown]
# ## The contest
#
# ImageNet is a collection of labelled photos. From 2010 on, its yearly contest, **ILSVRC**, asked
# for a program that assigns each photo to one of a thousand classes. These were its data:

# %%
facts.table("ilsvrc.*")

# %% [markdown]
# A photo may show a dog *and* a ball, yet it has one label. So the contest lets a program predict
# five classes, and counts an error only if the right class is not among them: the **top-5 error**.
# Lower is better.


# %%
def top_k_error(logits: torch.Tensor, labels: torch.Tensor, k: int) -> float:
    """Return the share of images whose label is not among the k highest logits."""
    best = logits.topk(k, dim=1).indices  # (N, k)
    found = (best == labels[:, None]).any(dim=1)  # (N,)
    return 1 - found.float().mean().item()


# %% [markdown]
# **Predict, then run.** Here are the logits of three images for four classes. What are the top-1
# error and the top-2 error?

# %%
logits = torch.tensor([[3.0, 1.0, 0.0, 2.0], [0.0, 1.0, 2.0, 3.0], [5.0, 1.0, 2.0, 0.0]])
labels = torch.tensor([0, 2, 1])
for k in (1, 2, 3):
    print(f"top-{k} error: {top_k_error(logits, labels, k):.2f}")
expect(top_k_error(logits, labels, 4) == 0, "If all classes may be given, none is missed.")

# %% [markdown]
# Now for the results of 2012. Read the first column with care: what was measured, on which set, and
# with how many nets?

# %%
facts.table("alexnet.top5_*", "alexnet.top1_single", "ilsvrc2012.second_place")

# %%
print(facts.trap("alexnet_84_7_percent"))
print()
print(facts.trap("ilsvrc_sizes"))

# %% [markdown]
# ## Before 2012: features by hand
#
# An edge is where brightness changes. Its direction says a lot about a shape, and hardly depends on
# the light. This observation carried computer vision for a decade. **SIFT** (2004) describes the
# neighbourhood of each distinctive point by histograms of edge directions, rotated and scaled so
# that the same point can be found again in another photo. **SURF** (2006) does this faster, with
# sums over boxes. **HOG** (2005) computes such a histogram in every cell of a grid. People decided
# what a histogram holds; only the classifier on top was trained.
#
# Here is a small feature in the style of HOG. It takes the gradient of the brightness at every
# pixel. In each cell of 4 × 4 pixels, every pixel votes for one of eight directions, with a vote
# weighted by the strength of its gradient. The direction is that of the gradient, at right angles
# to the edge: the pixels of a horizontal edge, such as the sole of a boot, vote for a direction
# near 90°.


# %%
def edge_histograms(images: torch.Tensor, cell: int = 4, num_bins: int = 8) -> torch.Tensor:
    """Turn grey images (N, 1, H, W) into histograms (N, num_bins, H/cell, W/cell)."""
    grey = images[:, 0].float() / 255  # (N, H, W)
    dy, dx = torch.gradient(grey, dim=(1, 2))
    angle = torch.atan2(dy, dx) % torch.pi  # light to dark counts the same as dark to light
    direction = (angle / torch.pi * num_bins).long().clamp(max=num_bins - 1)  # (N, H, W)
    strength = (dx**2 + dy**2).sqrt()
    chosen = F.one_hot(direction, num_bins).permute(0, 3, 1, 2)  # (N, bins, H, W)
    votes = chosen * strength[:, None]
    histograms = F.avg_pool2d(votes, cell)  # (N, bins, H/cell, W/cell)
    return histograms / (histograms.norm(dim=1, keepdim=True) + 0.05)  # contrast cancels


# %%
boot = loaders.test.images[:1].cpu()  # (1, 1, 28, 28)
histograms = edge_histograms(boot)  # (1, 8, 7, 7)
titles = ["image\n", *(f"gradient at\n{i * 22.5:g}–{(i + 1) * 22.5:g}°" for i in range(8))]
panels = [boot[0].float() / 255, *histograms[0, :, None]]
show(
    plot_images(panels, titles, num_columns=9, size=0.86),
    "An ankle boot and eight small maps, one for each range of directions: a map is bright in the "
    "cells where many gradients point that way",
)

# %% [markdown]
# The maps look like the feature maps of a convnet's first layer, and that is no accident: the
# gradient *is* a convolution, the vote is a non-linearity, and the mean over a cell is average
# pooling. But nothing here was trained.
#
# On top of the feature sits a linear classifier: ten scores, each a weighted sum. We train it once
# on the raw pixels and once on the histograms, with a little weight decay and with L-BFGS, an
# optimiser that uses all images in every step.
#
# **Predict, then run.** By how many percentage points of accuracy do the histograms beat the
# pixels?


# %%
def linear_accuracy(feature) -> float:
    """Train a linear classifier on a feature of the images; return its validation accuracy."""
    x, labels = feature(loaders.train.images).flatten(1), loaders.train.labels
    classifier = nn.Linear(x.shape[1], 10, device=device)
    optimizer = torch.optim.LBFGS(classifier.parameters(), max_iter=60)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        decay = 1e-3 * classifier.weight.square().sum()
        loss = F.cross_entropy(classifier(x), labels) + decay
        loss.backward()
        return loss

    optimizer.step(closure)  # up to 60 steps; L-BFGS calls `closure` in each
    predicted = classifier(feature(val.images).flatten(1)).argmax(dim=1)
    return (predicted == val.labels).float().mean().item()


# %% tags=["nbval-ignore-output"]
seed_everything(0)
by_pixels = linear_accuracy(lambda images: images.float() / 255)
by_hand = linear_accuracy(edge_histograms)
print(f"linear classifier on the pixels:     {by_pixels:.1%}")
print(f"linear classifier on the histograms: {by_hand:.1%}")
expect(
    by_hand > by_pixels + 0.02,
    "The hand-crafted feature is worth more than two points of accuracy.",
    trained=True,
)

# %% control="pixels in one random order"
order = torch.randperm(28 * 28, generator=torch.Generator().manual_seed(0))
by_disorder = linear_accuracy(
    lambda images: edge_histograms(images.flatten(2)[..., order].unflatten(2, (28, 28)))
)
refute(
    by_disorder > by_pixels + 0.02,
    "The hand-crafted feature is worth more than two points of accuracy.",
)

# %% [markdown]
# The histograms hold half as many numbers as the image, and do better: those who designed such
# features had chosen well. Remember this accuracy when you meet the convnets below. A hand-crafted
# feature, however, does not improve with more images, and it is hard to stack: what should a
# *second* layer measure? Some researchers believed that the features themselves should be learned.
# In 2012 they showed that this works for photos of a thousand classes, too.

# %% [markdown]
# ## Step 0: LeNet with sigmoids
#
# We start where textbooks start: LeNet-5 with the sigmoid $\sigma(x) = 1/(1 + e^{-x})$ and average
# pooling. (The original 1998 net had a scaled tanh; lesson 07 trained that one as well.)


# %%
config = TrainConfig(epochs=settings.epochs, lr=settings.lr, clip_norm=2.0)


def train(name: str, title: str, augment: data.Augment | None = None, **switches):
    """Build a model and train it, always from the same seed; return the model and its history."""
    fresh = load(augment)
    model = models.build(name, in_channels=1, num_classes=10, **switches).to(device)
    return model, fit(model, fresh, config, on_epoch_end=[LivePlot(title, chance=0.1)])


runs, nets = {}, {}

# %%
name = "sigmoid, average pooling"
nets[name], runs[name] = train("lenet5", name, activation="sigmoid", pooling="average")

# %% [markdown]
# ## Step 1: ReLU
#
# The **rectified linear unit** is $\max(0, x)$. Its slope is 1 wherever its input is positive: the
# unit is *on*. The sigmoid's slope is
#
# $$\sigma'(x) = \sigma(x)\,(1 - \sigma(x)) \le \tfrac14,$$
#
# and close to 0 as soon as $|x|$ is large: the unit **saturates**. The gradient of an early layer
# is a product that contains one such factor for every activation above it, and LeNet-5 has four
# above its first filters. With the same weights, sigmoids leave, along each path through the net,
# at most $(1/4)^4 = 1/256$ of the gradient that ReLUs would pass on if all of them were on. (About
# half of them are off, so expect a factor of less than 256.)
#
# **Predict, then run.** We take two fresh nets with the same weights, one batch and one backward
# pass. By what factor do sigmoids shrink the gradient of the first filters, compared with ReLUs?


# %% tags=["nbval-ignore-output"]
def first_gradient(activation: str) -> float:
    """Return the norm of the gradient for the first layer's filters, before training."""
    net = models.build("lenet5", activation=activation, pooling="average")
    seed_everything(0)
    glorot_uniform_(net)  # the same weights for every activation
    images, labels = loaders.test.images[:256].cpu() / 255, loaders.test.labels[:256].cpu()
    F.cross_entropy(net(images), labels).backward()
    return net.features[0].weight.grad.norm().item()


ratio = first_gradient("relu") / first_gradient("sigmoid")
print(f"with ReLUs the first layer's gradient is {ratio:.0f} times as large")
expect(20 < ratio < 256, "That is more than 20 times, and less than the bound of 256.")

# %%
name = "ReLU, average pooling"
nets[name], runs[name] = train("lenet5", name, activation="relu", pooling="average")

# %% [markdown]
# There is a catch: `models.build` draws initial weights that suit the activation, so the two nets
# differ in those, too. As a control, we train the ReLU net again, from the kind of weights that the
# sigmoid net started with:

# %%
fresh = load()
control = glorot_uniform_(models.build("lenet5", in_channels=1, num_classes=10, pooling="average"))
control_history = fit(control.to(device), fresh, config)
final = {name: history.column("val_accuracy")[-1] for name, history in runs.items()}
with_relu = min(final["ReLU, average pooling"], control_history.column("val_accuracy")[-1])
expect(
    with_relu > final["sigmoid, average pooling"] + 0.1,
    "At this learning rate the activation alone is worth more than ten points of accuracy.",
    trained=True,
)

# %% control="the sigmoid at twenty times the rate"
from dataclasses import replace

fresh, switches = load(), {"activation": "sigmoid", "pooling": "average"}
tuned = models.build("lenet5", in_channels=1, num_classes=10, **switches).to(device)
faster = fit(tuned, fresh, replace(config, lr=20 * config.lr))
refute(
    with_relu > faster.column("val_accuracy")[-1] + 0.1,
    "At this learning rate the activation alone is worth more than ten points of accuracy.",
)

# %% [markdown]
# The change is one line of code and, at this learning rate, by far the largest step of this lesson.
# (At twenty times the rate, the sigmoid net comes within ten points of the ReLU net.) The paper
# compared ReLU with tanh. The first line below says how many times faster the net with ReLUs
# reached a given training error. And ReLU was not new, as the lines after it say:

# %%
print(facts.get("alexnet.relu_speedup"))
print()
print(facts.trap("alexnet_first_relu"))

# %% [markdown]
# The curves are what the larger gradient suggests: with ReLUs the loss falls at once, with sigmoids
# only after several epochs. But ReLU has a price: a unit whose input is negative for every image
# has slope 0 for all of them, and stops learning (a **dead** unit). Lesson 11 returns to slopes,
# together with initial weights and normalisation.

# %% [markdown]
# ## Step 2: max pooling
#
# Average pooling asks how strong a pattern is across a window; max pooling asks whether it is
# *anywhere* in the window. **Predict, then run.** Does max pooling help as much as the ReLU did?

# %%
name = "ReLU, max pooling"
nets[name], runs[name] = train("lenet5", name, activation="relu", pooling="max")

# %%
train_loss = {name: history.column("train_loss")[-1] for name, history in runs.items()}
expect(
    train_loss["ReLU, max pooling"] < 0.9 * train_loss["ReLU, average pooling"],
    "With max pooling the net fits its training images better.",
    trained=True,
)

# %% control="average pooling, another seed"
fresh, generator = load(), torch.Generator().manual_seed(1)
again = models.build(
    "lenet5", in_channels=1, num_classes=10, pooling="average", generator=generator
).to(device)
other = fit(again, fresh, config)
refute(
    other.column("train_loss")[-1] < 0.9 * train_loss["ReLU, average pooling"],
    "With max pooling the net fits its training images better.",
)

# %% tags=["nbval-ignore-output"]
for name, net in nets.items():
    print(f"{name:24} validation accuracy {evaluate(net, val).accuracy:.1%}")

# %% [markdown]
# Max pooling lowers the training loss, but the validation accuracies of the last two nets are
# close, and another seed may swap their order. So this experiment does not show that max pooling
# generalises better. It became standard all the same; our results do not say why.
#
# AlexNet's pools also **overlap**: each has a 3 × 3 window and a stride of 2. The paper reports by
# how much the overlap alone lowers the top-5 error:

# %%
print(facts.get("alexnet.overlapping_pool_top5"))

# %% [markdown]
# ## Step 3: size
#
# AlexNet is LeNet's plan on a larger scale: five convolutions and three linear layers. Here it is
# as the paper describes it. In the figure, above each block stand the kernel size, the number of
# filters and, after the slash, the stride; below it, the number of channels and the size of the
# maps.

# %%
from course_utils.models.alexnet import AlexNet  # inline

# %%
with torch.device("meta"):  # shapes only: no memory, no time
    alexnet = AlexNet()
show(
    plot_architecture(alexnet, (3, 227, 227), title="AlexNet"),
    "AlexNet from left to right: an image of 227 pixels, maps of 55, 27, 13 and 6 pixels, then "
    "three linear layers; the blocks get lower and wider",
)

# %%
layers = summary(alexnet, (3, 227, 227))
names = [f"convolution {i}" for i in range(1, 6)] + [f"linear layer {i}" for i in range(1, 4)]
counts = [row.parameters for row in layers.rows if row.parameters]
parameters = dict(zip(names, counts, strict=True))
show(
    plot_counts(parameters, "parameters of AlexNet", log=False),
    "Parameters of each layer of AlexNet, drawn to scale: the first linear layer has 38 million, "
    "the second 17 million; the bars of the five convolutions can hardly be seen",
)
linear = sum(counts[5:])
assert layers.parameters == facts.get("alexnet.parameters").ours
expect(linear > 0.95 * layers.parameters, "More than 19 of 20 parameters are in the linear layers.")

# %%
facts.table("alexnet.parameters*", "alexnet.convolutions", "alexnet.poolings", "alexnet.dropouts")

# %% [markdown]
# ### The stem: 224 or 227?
#
# The first layer, the net's **stem**, reads a window of 11 × 11 every 4 pixels. The paper says that
# its images are 224 pixels wide, and draws maps that are 55 wide. **Predict, then run.** What does
# lesson 04's formula, $\lfloor (n + 2p - k)/s \rfloor + 1$, give for 224 without padding?

# %%
for n, p in ((224, 0), (227, 0), (224, 2)):
    stem = nn.Conv2d(3, 96, kernel_size=11, stride=4, padding=p)
    size = stem(torch.zeros(1, 3, n, n)).shape[-1]
    print(
        f"{n} pixels, padding {p}: ({n} + {2 * p} - 11) / 4 + 1 = {(n + 2 * p - 11) / 4 + 1:5}, "
        f"so {size}"
    )
    assert size == output_size(n, k=11, s=4, p=p)

# %%
print(facts.trap("alexnet_224_gives_55"))

# %% [markdown]
# 54.25 is not a size. PyTorch rounds down and reads 54 windows; it never looks at the last row and
# the last column of pixels. Our `AlexNet` still runs, since an adaptive pool before the linear
# layers accepts any size: only someone who counts notices the slip.
#
# What is the stride of 4 for? It saves work:

# %%
strided = summary(nn.Conv2d(3, 96, kernel_size=11, stride=4), (3, 227, 227)).multiply_adds
dense = summary(nn.Conv2d(3, 96, kernel_size=11, padding=5), (3, 227, 227)).multiply_adds
print(f"stride 4: {strided:,} multiply-adds; stride 1, padded to keep the size: {dense:,}")
expect(round(dense / strided) == 17, "At stride 1 it would be 17 times the work.")

# %% [markdown]
# ### Two GPUs
#
# A graphics card of 2012 had little memory. How much does training need? For each parameter, it
# stores the value, the gradient and the momentum; for each image of the batch, the outputs of all
# layers, which the backward pass needs. Each of these numbers takes four bytes.

# %%
weights = 3 * layers.parameters * 4
outputs = sum(torch.Size(row.output_shape).numel() for row in layers.rows) * 4
batch_size = facts.get("alexnet.batch_size").value
print(f"weights, gradients, momentum: {weights / 2**30:.2f} GiB")
print(f"outputs of {batch_size} images:        {batch_size * outputs / 2**30:.2f} GiB")
print("a GPU of 2012 had", facts.get("alexnet.gpu_memory"))

# %% [markdown]
# Add to that the gradients of the outputs, the images, and the working memory of the convolutions.
# On one GPU it would have been tight. So half of the filters lived on one GPU and half on another,
# and to save traffic some layers read only the maps of their own GPU. That is a convolution with
# **groups** (lesson 05). Without groups, each filter reads all maps; with two groups, each reads
# half.

# %%
print("grouped layers:", facts.get("alexnet.grouped_layers").text)
whole = conv_parameters(96, 256, k=5)
grouped = conv_parameters(96, 256, k=5, groups=2)
print(f"second convolution: {whole:,} parameters without groups, {grouped:,} with two")
toy = nn.Conv2d(8, 8, kernel_size=3, groups=2)
show(
    plot_filter_bank(toy.weight, groups=2, size=0.3),
    "Eight filters for eight channels in two groups: the first four filters have weights for the "
    "first four channels only, the others for the last four",
)

# %% [markdown]
# Compared with a net on one GPU, with half as many filters in every convolution but the last, the
# net on two GPUs lowered the top-5 error by:

# %%
print(facts.get("alexnet.two_gpus_top5"))

# %% [markdown]
# ### Try it: what groups save
#
# 1. Set the groups to 1. By what factor do the parameters and the multiply-adds grow? What happens
#    to the output's shape?
# 2. Now choose more groups. With how many does this layer have fewer parameters than AlexNet's
#    first layer?
# 3. Choose that first layer, *AlexNet, conv1*. Its kernel is 11 × 11, nearly five times the area of
#    the second layer's 5 × 5. Why does it have so few parameters?

# %%
from course_utils.widgets import ParameterCounter

ParameterCounter("AlexNet, conv2 (two groups)")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. Both by 2, apart from the biases: each filter then reads 96 maps, not 48. The shape does not
#    depend on the groups.
# 2. With 32, the largest number that divides both 96 and 256: 19,456 parameters against 34,944.
#    With 16 it has 38,656.
# 3. It reads 3 channels and makes 96 maps. The second layer reads up to 96 channels and makes 256
#    maps.
# </details>

# %% [markdown]
# ### Local response normalisation
#
# After its first two layers, and before their pools (slides often draw it after them), AlexNet
# divides every value by a term that grows with the activity of the neighbouring channels at the
# same pixel, so that a strong channel damps its neighbours:
#
# $$b_i = \frac{a_i}{\left(k + \alpha \sum_{j = i - n/2}^{i + n/2} a_j^2\right)^{\beta}}$$
#
# The sum runs over $n$ neighbouring channels, the channel itself included. **Predict, then run.**
# Take one pixel with six channels, of which the third has a large value. Which values change, and
# which change most?

# %%
norm = LocalResponseNorm(size=3, alpha=1.0, beta=0.5, k=1.0)  # far stronger than AlexNet's
a = torch.tensor([1.0, 1.0, 10.0, 1.0, 1.0, 1.0]).reshape(1, 6, 1, 1)
by_formula = [
    a[0, i, 0, 0] / (1 + a[0, max(i - 1, 0) : i + 2].square().sum()).sqrt() for i in range(6)
]
show(
    plot_grids([a[0, :, :, 0].T, norm(a)[0, :, :, 0].T], ["before LRN", "after LRN"]),
    "Six channels before and after: the large value drops to about one, its two neighbours to a "
    "tenth, the others to about a half",
)
expect(
    torch.allclose(norm(a).flatten(), torch.stack(by_formula)), "The layer computes the formula."
)

# %% [markdown]
# There is a trap when you build AlexNet in PyTorch: `nn.LocalResponseNorm` divides its `alpha` by
# the window's size, and the paper's formula does not. So the paper's setting needs five times the
# `alpha` there:

# %%
paper_norm = LocalResponseNorm()
print(paper_norm)
torch_norm = nn.LocalResponseNorm(
    5, alpha=5 * paper_norm.alpha, beta=paper_norm.beta, k=paper_norm.k
)
maps = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(0)).relu()
expect(
    torch.allclose(paper_norm(maps), torch_norm(maps)),
    "With five times the alpha, PyTorch's layer returns the same values.",
)
print(facts.get("alexnet.lrn_top5"))
for key in ("vgg11.top5", "vgg11_lrn.top5"):
    print(facts.get(key).what, "-", facts.get(key))

# %% [markdown]
# The layer lowered AlexNet's top-5 error by 1.2 points; two years later VGG tried the same layer
# and gained nothing (the last two lines). Hardly any net uses it today. Batch normalisation (lesson
# 11) is a different thing.

# %% [markdown]
# ### Train it small
#
# 28 pixels do not survive a stride of 4 and AlexNet's three pools, so we train a small version of
# it, `alexnet_small`: the same order of layers, 5 × 5 filters at stride 1 in the first layer, two
# groups, fewer channels. First we train it **without** dropout. The step that we call "size" is
# several changes at once: more layers, more channels, overlapping pools, and groups. (We leave out
# local response normalisation.)

# %%
name = "AlexNet's size"
nets[name], runs[name] = train("alexnet_small", name, dropout=0.0)


# %% [markdown]
# ## Step 4: dropout
#
# A net with many parameters can fit its training images much better than new ones: it **overfits**.
# **Dropout** sets each hidden unit to 0 with probability $p$, afresh for every image, and
# multiplies the others by $1/(1-p)$ to keep the expected value. So no unit can rely on any other
# being on. At test time all units are on, and nothing is random.
#
# **Predict, then run.** What is the mean of a thousand ones after dropout with $p = 0.5$, in
# training mode and in evaluation mode?

# %%
seed_everything(0)
drop, ones = nn.Dropout(0.5), torch.ones(1000)
for mode in ("training", "evaluation"):
    values = drop.train(mode == "training")(ones)
    print(f"{mode + ':':11}", sorted(set(values.tolist())), f"mean {values.mean():.1f}")

# %% [markdown]
# (The paper did the scaling the other way round: it left the units that are on as they are, and
# halved all outputs at test time. Either way, a layer reads at test time what it reads on average
# in training.)

# %%
name = "+ dropout"
nets[name], runs[name] = train("alexnet_small", name, dropout=0.5)

# %% [markdown]
# Look at the live plot: in most epochs *training* accuracy lies below *validation* accuracy. That
# is no mystery. The training curve was measured with half of the hidden units off, and while the
# net was still improving; the validation curve with all units on, at the end of the epoch. To
# compare the two, measure both in evaluation mode, with the same weights.

# %% [markdown]
# ## Step 5: augmentation
#
# A shirt that is shifted by two pixels, or mirrored, is the same shirt. **Augmentation** shows the
# net a different version of each image in every epoch: new images for free, as long as the change
# does not alter the label. Here we remove dropout again, to see augmentation on its own. Our images
# are padded by 2 pixels, cropped at random, and flipped at random. In the figure, the top row holds
# eight originals; the rows below hold what the net might see of them in two epochs.

# %% tags=["nbval-ignore-output"]
from course_utils.data.augment import crop_and_flip, draw

augment, generator = data.Augment(crop_padding=2, flip=True), torch.Generator().manual_seed(0)
originals = loaders.test.images[:8].cpu()
changed = [crop_and_flip(originals, augment, draw(augment, 8, generator)) for _ in range(2)]
show(
    plot_images(
        torch.cat([originals, *changed]).float() / 255,
        num_columns=8,
        size=0.8,
        row_titles=["original", "epoch 1", "epoch 2"],
    ),
    "Three rows of the same eight images of clothes: above as they are, below as the net might see "
    "them in two epochs, shifted by up to two pixels and some of them mirrored",
)

# %%
name = "+ augmentation"
nets[name], runs[name] = train("alexnet_small", name, augment=augment, dropout=0.0)

# %% [markdown]
# **Predict, then run.** We now have three nets of AlexNet's size: plain, with dropout, with
# augmentation. Which will show the largest **gap** between training and validation accuracy? Which
# will reach the best validation accuracy?

# %% tags=["nbval-ignore-output"]
on_train = {name: evaluate(net, loaders.train).accuracy for name, net in nets.items()}
on_val = {name: evaluate(net, val).accuracy for name, net in nets.items()}
gap = {name: on_train[name] - on_val[name] for name in nets}
columns = ("net", "training images", "validation images", "gap")
rows = [(n, f"{on_train[n]:.1%}", f"{on_val[n]:.1%}", f"{gap[n]:.1%}") for n in nets]
Table(columns, tuple(rows), "Accuracy in evaluation mode, without augmentation")

# %% [markdown]
# How large are differences that mean nothing? To get an idea, we train a second net of AlexNet's
# size, which differs from the first in its initial weights only, and compare with the smaller of
# the two gaps:


# %%
def gap_from(seed: int) -> float:
    """Return the gap of a net of AlexNet's size with other initial weights."""
    fresh, generator = load(), torch.Generator().manual_seed(seed)
    options = {"in_channels": 1, "num_classes": 10, "dropout": 0.0, "generator": generator}
    net = models.build("alexnet_small", **options).to(device)
    fit(net, fresh, config)
    return evaluate(net, loaders.train).accuracy - evaluate(net, val).accuracy


# %% tags=["nbval-ignore-output"]
second = gap_from(seed=1)
print(f"gap of the second net: {second:.1%}")
plain = min(gap["AlexNet's size"], second)
dropped, augmented = gap["+ dropout"], gap["+ augmentation"]
expect(dropped < plain - 0.01, "Dropout narrows the gap.", trained=True)
expect(augmented < plain - 0.01, "Augmentation narrows the gap.", trained=True)

# %% control="neither of them, a third seed"
third = gap_from(seed=2)
refute(third < plain - 0.01, "Dropout narrows the gap.")
refute(third < plain - 0.01, "Augmentation narrows the gap.")

# %% [markdown]
# Augmentation narrows the gap by several points. Dropout narrows it by one to three, depending on
# the seed, which a single run on 1,000 images can hardly tell from chance. And narrowing the gap is
# not the same as getting better. A net with dropout learns more slowly, and in so few epochs it has
# not even fitted its training images; in this one run it is *worse* than the net without. A
# **regulariser**, which is anything meant to narrow the gap, pays off when the net would otherwise
# fit its training images perfectly, and when there is time to train. That was AlexNet's situation:
# it had millions of parameters and trained for days.

# %% [markdown]
# ## The same steps, recorded
#
# One seed is thin evidence, and one learning rate may suit one net and not another. Here are recorded
# runs of the same steps on the same images: three seeds each, without clipping, and every net at
# the rate that did best on the validation set. Bands are one standard deviation.
#
# **Predict, then run.** At the shared rate the ReLU net was almost thirty points ahead of the
# sigmoid net. How many will be left?

# %%
keys = ("sigmoid", "relu", "max", "size", "dropout", "augmented")
steps = {name: records.load(f"alexnet_step_{key}") for name, key in zip(runs, keys, strict=True)}
for name, found in steps.items():
    print(f"{name:25} rate {found.lr}")
show(
    plot_records(steps, "val_accuracy", "validation accuracy", chance=0.1),
    "Validation accuracy over eight epochs, mean of three seeds: the sigmoid net guesses in the "
    "first epoch and ends below the others, which end within five points of each other; highest is "
    "the net of AlexNet's size without dropout",
)

# %% [markdown]
# In the table, the brackets hold the 95 % interval of each difference, as in lesson 07. If the
# interval contains 0, the runs do not show which net is better. With three seeds it is a rough
# guide, and rather too narrow.

# %%
records.table(*(f"alexnet_step_{key}" for key in keys))

# %% [markdown]
# The table compares every net with the first. Here is each compared with the net from which it
# differs in one step:

# %%
found = dict(zip(keys, steps.values(), strict=True))
before = {"relu": "sigmoid", "max": "relu", "size": "max", "dropout": "size", "augmented": "size"}
for key, earlier in before.items():
    one, other = found[key], found[earlier]
    print(f"{one.title}, against {other.title}: {records.compare(one, other)}")
sigmoid, relu = (records.load(f"alexnet_step_{key}") for key in ("sigmoid", "relu"))
gain = records.compare(relu, sigmoid)
expect(gain.low > 0.05, "The whole interval of ReLU's gain is above five points.")

# %% [markdown]
# Here is what holds up, and what does not:
#
# - **ReLU** is still the largest step, and its interval is far from 0. But look at the rates: the
#   sigmoid net wants one many times as high. Most of the gap that you saw in step 1 came from a
#   rate that did not suit it.
# - **Max against average pooling**, and **AlexNet's size against LeNet-5's**: both intervals contain
#   0; the second ends at two points. Eight times as many parameters gain little, if anything, on
#   3,000 small images. Showing what size is *for* takes more images than a laptop can train on in a
#   minute.
# - **Dropout** and **augmentation**: both *cost* between one and four points. A likely reason: they
#   slow the fit, and eight epochs are few.
#
# That is the honest answer to the question of this lesson: on our small images ReLU helped most, and
# to the sigmoid net a rate that suits it was worth even more. Dropout, augmentation and more data
# solve a problem, overfitting, that matters for a large net trained for a long time. AlexNet had
# that problem.
#
# And the hand-crafted feature?

# %% tags=["nbval-ignore-output"]
best = max(on_val.values())
print(f"linear classifier on histograms {by_hand:.1%}, best convnet {best:.1%}")
expect(
    by_hand > best - 0.03,
    "No convnet here is more than three points ahead of the hand-crafted feature.",
    trained=True,
)

# %% control="pixels in one random order"
refute(
    by_disorder > best - 0.03,
    "No convnet here is more than three points ahead of the hand-crafted feature.",
)

# %% [markdown]
# With 3,000 images, what people knew about edges is worth about as much as what a convnet learns. A
# convnet can learn more from more images; a feature designed by hand stays as it is. It took a set
# as large as ImageNet to settle the matter.

# %% [markdown]
# ## Inside: the first filters
#
# What has the first layer learned? The paper's figure 3 shows edges in all directions and blobs of
# colour; the hand-crafted feature responds to edges, too. Our filters are 5 × 5, grey, and learned
# from 3,000 images. Here are the sixteen filters with the largest norms, and then the map that each
# produces from the boot. In a filter, mid-grey is a weight of 0, white is positive and black
# negative; in a map, black is 0. Each filter and each map has its own scale.

# %%
learned = nets["AlexNet's size"].features[0].weight.detach().cpu()  # (32, 1, 5, 5)
strongest = learned.flatten(1).norm(dim=1).argsort(descending=True)[:16]
filters = learned[strongest] / learned[strongest].abs().amax(dim=(1, 2, 3), keepdim=True)
show(
    plot_images(
        (filters + 1) / 2, [f"filter {i}" for i in strongest.tolist()], num_columns=8, size=0.75
    ),
    "Sixteen filters of 5 by 5 after training: nearly all of them look like noise",
)

# %%
picture = next(iter(loaders.test))[0][:1]
net = nets["AlexNet's size"].eval()
with torch.no_grad(), capture(net, ["features.0"]) as captured:
    net(picture)
maps = captured.features["features.0"][0, strongest].cpu().relu()[:, None]  # (16, 1, 28, 28)
show(
    plot_images(
        maps / maps.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6),
        [f"map {i}" for i in strongest.tolist()],
        num_columns=8,
        size=0.75,
    ),
    "The maps of those sixteen filters for the boot: some are bright along part of its outline, "
    "others over whole surfaces",
)

# %% [markdown]
# The maps show edges, but do the filters look like edge detectors? We compare each with the random
# filter that it started as. The cosine of the angle between the two is 1 if training has changed
# its length alone.

# %% tags=["nbval-ignore-output"]
load()  # sets the seed, as `train` does
start = models.build("alexnet_small", in_channels=1, num_classes=10, dropout=0.0)
cosines = F.cosine_similarity(learned.flatten(1), start.features[0].weight.flatten(1))  # (32,)
print(f"mean cosine between a filter and its start: {cosines.mean():.2f}")

# %% [markdown]
# So these filters are still nearly the noise that they started as; random filters respond to edges,
# too. AlexNet's filters had 90 epochs on over a million photos to become what the paper shows.

# %% [markdown]
# ## Top-5 on our own net
#
# **Predict, then run.** The net may predict five of the ten classes. What is its error rate now?

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    logits = torch.cat([net(images).float().cpu() for images, _ in val])  # (N, 10)
for k in (1, 2, 5):
    error = top_k_error(logits, val.labels.cpu(), k)
    print(f"top-{k} error on the validation set: {error:.1%}")

# %% [markdown]
# Five guesses among ten classes are hardly a test; five among a thousand are. A top-5 error means
# something only together with the number of classes. And if you report 1 minus this error, call it
# a top-5 accuracy.

# %% [markdown]
# ## How AlexNet itself was trained
#
# The layers are only half of the story. Here is the other half, as section 5 of the paper describes
# it. **Predict, then run.** Which of these settings have we used in this lesson, too? `TrainConfig`
# says what `fit` uses by default.

# %%
facts.table("alexnet.batch_size", "alexnet.recipe_*")

# %%
defaults = TrainConfig()
for key in ("momentum", "weight_decay"):
    expect(
        getattr(defaults, key) == facts.get(f"alexnet.recipe_{key}").value,
        f"Our {key.replace('_', ' ')} is AlexNet's.",
    )
print(
    "learning rate:",
    defaults.schedule,
    "with a peak of",
    settings.lr,
    "instead of three steps down",
)

# %% [markdown]
# To this the paper adds two kinds of **augmentation**: random crops and their mirror images, and
# small random changes of colour. At test time the predictions for several crops of each photo are
# averaged. Dropout comes before the second and third linear layers.
#
# How much does each setting matter? The paper does not say: it tests few of them on their own. A
# **recipe** is often kept because it worked once.

# %% [markdown]
# ## The full setting
#
# On a machine with a GPU and internet access, this trains the small AlexNet on colour photos
# (CIFAR-10, 50,000 images):
#
# ```
# python -m course_utils train alexnet_small --data cifar10 --epochs 30 --lr 0.05 --crop 4 --flip
# ```
#
# **Not measured here.** Training AlexNet on ImageNet is beyond this course; the table under "The
# contest" holds what the paper reports. To see its layers, run
# `python -m course_utils summary alexnet`.

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("08_alexnet")

# %% [markdown]
# ## What to remember
#
# - AlexNet is LeNet's plan on a larger scale: five convolutions, three linear layers. In the decade
#   before, people designed features by hand; AlexNet learned its own.
# - Of the changes that we made one at a time, ReLU mattered most. Its slope is 1 where the unit is
#   on; a sigmoid's is at most 1/4. But at one shared learning rate it looked far better still: give
#   each net a rate of its own before you compare.
# - Dropout and augmentation narrow the gap between training and validation accuracy. That helps a
#   net that overfits, but training takes longer.
# - Compare training and validation accuracy in the same mode: without dropout, without
#   augmentation.
# - 224 pixels do not make 55 positions: 227 do, or 224 with a padding of 2. Nineteen in twenty of
#   AlexNet's parameters are in the linear layers.
# - A result is worth little without its measure: error or accuracy, top-1 or top-5, on which set,
#   from how many nets.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Would a LeNet with ReLUs have won in 2012, if it had had a million photos and two GPUs? Which
#    experiment that you can afford would test this?
# 2. The hand-crafted feature is as good as our convnets here. Plot both accuracies against the
#    number of training images: where would you expect the convnet to pull ahead, and why there?
# 3. Local response normalisation helped in one paper and did nothing in the next. What evidence
#    would you want before leaving a layer out?

# %% [markdown]
# ## Further reading

# %%
for key in ("krizhevsky2012", "nair2010", "lowe2004", "dalal2005", "bay2006", "russakovsky2015"):
    print(facts.paper(key))
    print()

# %% [markdown]
# **Exercise** {exercise}
#
# **Next** comes VGG: if you want a deeper net, how large should its filters be?
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | hand-crafted feature | 수작업 특징 | what to measure in an image, decided by people |
# | gradient histogram | 그래디언트 히스토그램 | how often each gradient direction occurs in a cell, weighted by strength |
# | top-5 error | top-5 오류율 | share of images whose label is not among the five highest scores |
# | ensemble | 앙상블 | several nets whose outputs are averaged |
# | rectified linear unit, ReLU | 렐루 | max(0, x) |
# | saturation | 포화 | an activation's input lies where its curve is so flat that hardly any gradient passes |
# | overlapping pooling | 중첩 풀링 | windows larger than the stride |
# | dropout | 드롭아웃 | switching off random units during training |
# | data augmentation | 데이터 증강 | changed images with the same label |
# | overfitting | 과적합 | fitting the training images much better than new ones |
# | regularisation | 규제 | anything meant to narrow the gap between training and validation accuracy |
# | local response normalisation | 국소 반응 정규화 | dividing by the activity of neighbouring channels |
# | grouped convolution | 그룹 합성곱 | each filter reads only its own group of the channels |
