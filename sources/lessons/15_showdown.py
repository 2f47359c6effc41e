# %% [markdown]
# # 15 · Showdown: build, compare, look inside
#
# **After this lesson you can**
# - build VGG-16 and a residual network from an empty cell, and find a mistake in a network by
#   comparing it, layer by layer, with one that is correct;
# - read a chart of accuracy, parameters and time, and choose an architecture for a task;
# - draw a Grad-CAM map, measure how much of it lies on the object, and say what that does not
#   prove;
# - train a network on your own folder of photos, from fresh or from pretrained weights.
#
# **Time** 80 minutes to read and try, of which training takes three to four minutes on a laptop.
#
# **Builds on** all lessons before it: blocks from 09, 10, 13 and 14, saliency and occlusion from
# 02.

# %% [markdown]
# ## The question
#
# You have met ten architectures, each better than the one before, if you believe its paper. But
# every paper had its own images, its own tricks and its own number of crops at test time. **Which
# one would *you* choose?**
#
# To answer that you need three things, and this lesson takes them in turn. You must be able to
# build a network, and to check that you built the right one. You need to compare all candidates
# under the *same* conditions. And you must look behind the accuracy: the best validation accuracy
# in this lesson will come from the model that you should trust least.

# %%
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import data, facts, models
from course_utils.inspection import first_difference, summary
from course_utils.models.initialization import he_normal_
from course_utils.models.vgg import CONFIGURATIONS, VGG
from course_utils.plots import LivePlot, plot_block, plot_images, show
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.training import TrainConfig, evaluate, fit

# %%
settings = profile("15_showdown")
device = choose_device()

# %% [markdown]
# # Part 1: build VGG-16
#
# ## A stage from a row
#
# A configuration from the VGG paper's table is data: five rows, each with the number of filters and
# the kernels of its convolutions. Configuration D, thirteen convolutions and three linear layers,
# is VGG-16:

# %%
for out_channels, layers in CONFIGURATIONS["D"]:
    print(f"{out_channels:4} filters, kernels {layers}")

# %% [markdown]
# So first we write a function that makes a stage from its row. Each convolution keeps the size
# (3 × 3, padding 1) and is followed by a ReLU; one 2 × 2 pool at the end halves the size.


# %%
def vgg_stage(in_channels: int, out_channels: int, num_convs: int) -> nn.Sequential:
    """Build a stage from (N, in_channels, H, W) to (N, out_channels, H/2, W/2)."""
    layers = []
    for _ in range(num_convs):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
        in_channels = out_channels  # what the next convolution reads
    return nn.Sequential(*layers, nn.MaxPool2d(2))


# %% [markdown]
# Is it right? It runs, but that says little. The best check is a comparison with a network that
# *is* correct, and the course's package has one (its tests compare it with torchvision's, using the
# same weights). We compare in three steps, from coarse to fine:
#
# 1. the **layers with weights**, in the order in which they run: kind, sizes, input and output
#    shapes;
# 2. the total **number of parameters**;
# 3. the **outputs**, after copying the weights from one network into the other. Only this step
#    finds a wrong activation, a wrong pool or a forgotten addition, which have no weights.
#
# `first_difference` takes all three steps, and tells you where two networks first differ.


# %%
def check(what: str, mine: nn.Module, right: nn.Module, shape: tuple[int, int, int]) -> None:
    """Stop with a message if two networks differ."""
    pictures = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    found = first_difference(mine, right, pictures)
    expect(not found, f"{what} is right.{found and f' But {found}'}")


package = VGG(CONFIGURATIONS["D"], pooled_size=1, hidden_size=512)  # for images of 32 x 32
check("Stage 1", vgg_stage(3, 64, 2), package.blocks[0], (3, 32, 32))
check("Stage 3", vgg_stage(128, 256, 3), package.blocks[2], (128, 8, 8))

# %% [markdown]
# ## What the check says when something is wrong
#
# Do not trust a check that you have never seen fail. Here are four stages with one mistake each.
#
# **Predict, then run.** Which of the four have the right *number of parameters*? Which of them have
# an output of the right *shape*?


# %%
def conv(c_in: int, c_out: int, **options) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the size, unless the options say otherwise."""
    return nn.Conv2d(c_in, c_out, 3, **({"padding": 1} | options))


relu, pool = nn.ReLU(), nn.MaxPool2d(2)
wrong = {
    "no padding": nn.Sequential(conv(3, 64, padding=0), relu, conv(64, 64), relu, pool),
    "no bias": nn.Sequential(conv(3, 64, bias=False), relu, conv(64, 64), relu, pool),
    "average pool": nn.Sequential(conv(3, 64), relu, conv(64, 64), relu, nn.AvgPool2d(2)),
    "one ReLU missing": nn.Sequential(conv(3, 64), conv(64, 64), relu, pool),
}

# %%
pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
for name, stage in wrong.items():
    num = sum(parameter.numel() for parameter in stage.parameters())
    print(f"{name}: {num:,} parameters, output {tuple(stage(pictures).shape)}")
    print("   ", first_difference(stage, package.blocks[0], pictures) or "nothing found")

# %% [markdown]
# The last two have the right number of parameters *and* the right shapes. They would train without
# any error message, perhaps worse than they should, and nobody would know why. (The average pool is
# the last layer of its stage, so what differs is the output.)
#
# ## Five stages and a head
#
# Five stages reduce a width of 32 pixels to one: 16, 8, 4, 2, 1. The paper's images are 224 pixels
# wide and end as maps of 7 × 7. Only the head depends on the size of the images: the first of its
# three linear layers reads all positions of the last maps.
#
# **Predict, then run.** With the paper's head (7 × 7 pixels, 4,096 hidden units, 1,000 classes),
# which layer has most of the parameters?


# %%
def vgg16(in_channels=3, num_classes=10, width=64, pixels=1, hidden=512) -> nn.Sequential:
    """Build VGG-16 with `width` filters in its first stage."""
    stages, channels = [], in_channels
    for factor, num_convs in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3)):
        stages.append(vgg_stage(channels, factor * width, num_convs))
        channels = factor * width
    head = [nn.Flatten(), nn.Linear(channels * pixels**2, hidden), nn.ReLU(), nn.Dropout(0.5)]
    head += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, num_classes)]
    return he_normal_(nn.Sequential(*stages, *head))


small = models.build("vgg_small", configuration="D", width=16)
check("VGG-16 for 32 pixels", vgg16(width=16, hidden=128), small, (3, 32, 32))

# %%
with torch.device("meta"):  # shapes without memory: the weights would need half a gigabyte
    paper_size = vgg16(3, 1000, width=64, pixels=7, hidden=4096)
rows = {row.name: row.parameters for row in summary(paper_size, (3, 224, 224)).rows}
total, biggest = sum(rows.values()), max(rows, key=rows.get)
ledger = facts.get("vgg16.parameters").ours
expect(total == ledger, f"VGG-16 has {total:,} parameters.")
share = rows[biggest] / total
print(f"the largest layer, {paper_size.get_submodule(biggest)}, has {share:.0%} of them")
print()
print(facts.trap("vgg19_has_138m"))

# %% [markdown]
# Three quarters of VGG-16's parameters are in one linear layer, the one that has separate weights
# for every position of the last maps. For images of 32 × 32 pixels its input shrinks
# from 7 × 7 positions to one. Most networks after 2014 replaced this layer by the mean of each map.
#
# We do not train VGG-16 here. If you do, leave its initial weights as they are: they are drawn as
# He et al. (2015) propose, for the reasons in lessons 09 and 11. With other initial weights,
# sixteen layers without normalisation often stay at chance.

# %% [markdown]
# # Part 2: build a ResNet
#
# ## A residual block
#
# A block computes $y = \mathrm{ReLU}(F(x) + x)$, where $F$ is convolution, BN, ReLU, convolution,
# BN. You can find this version of it on slides:


# %%
class SlideBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv2(torch.relu(self.conv1(x))) + x)


right = models.build("resnet20")
maps = torch.randn(2, 16, 32, 32, generator=torch.Generator().manual_seed(0))
print(first_difference(SlideBlock(16, 16), right.stages[0][0], maps))
print(first_difference(SlideBlock(16, 32), right.stages[1][0], maps))
print()
print(facts.trap("residual_block_class"))

# %% [markdown]
# The check reports only the *first* layer that differs. In both blocks this layer has a bias, which
# BN would make useless; in the second block its stride is wrong, too.
#
# **Try it.** Before you read on, fix `SlideBlock` in a new cell until `first_difference` returns an
# empty string for both blocks. The class needs BN, a stride (2 in the second block) and a shortcut
# that fits. For images of 32 × 32 pixels the paper uses option A, which has no parameters: take
# every second row and column, and fill the new channels with zeros.


# %%
class ResidualBlock(nn.Module):
    """ReLU(F(x) + x); stride 2 halves the size, and the shortcut fills new channels with zeros."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.stride, self.num_new = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        f = torch.relu(self.norm1(self.conv1(x)))  # (N, out_channels, H/stride, W/stride)
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.num_new))
        return torch.relu(self.norm2(self.conv2(f)) + shortcut)


# %%
check("A block that keeps the size", ResidualBlock(16, 16), right.stages[0][0], (16, 32, 32))
check("A block that halves it", ResidualBlock(16, 32, 2), right.stages[1][0], (16, 32, 32))

# %% [markdown]
# The figure is drawn by following a tensor through the block, so it shows what the code does:

# %%
show(
    plot_block(ResidualBlock(16, 32, 2), (16, 32, 32), title="ResidualBlock(16, 32, stride=2)"),
    "The residual block: a convolution with stride 2, BN, ReLU, a second convolution and BN on one "
    "path, slicing and padding with zeros on the other; the two are added, and a ReLU follows",
)

# %% [markdown]
# ## The whole net
#
# The net has a stem, three stages of $n$ blocks with 16, 32 and 64 channels, the mean of each map,
# and one linear layer: $6n + 2$ layers with weights. The first block of the second and of the third
# stage has stride 2.


# %%
class ResNet(nn.Module):
    """A residual net of 6n + 2 layers for small images."""

    def __init__(self, n: int, in_channels: int = 3, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.stages = nn.Sequential()
        for c_in, c_out, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
            self.stages.append(ResidualBlock(c_in, c_out, stride))
            self.stages.extend([ResidualBlock(c_out, c_out) for _ in range(n - 1)])
        self.classifier = nn.Linear(64, num_classes)
        he_normal_(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stages(torch.relu(self.norm(self.stem(images))))  # (N, 64, H/4, W/4)
        return self.classifier(x.mean(dim=(2, 3)))  # (N, num_classes)


# %%
check("ResNet-20", ResNet(3), right, (3, 32, 32))
num = sum(parameter.numel() for parameter in ResNet(3).parameters())
fact = facts.get("resnet20.cifar_parameters")
expect(num == fact.ours, f"ResNet-20 has {num:,} parameters ({fact.text}).")

# %% [markdown]
# You have built two architectures without taking a line on trust. Below we train a `ResNet(1)`,
# with eight layers, which takes a laptop only seconds.

# %% [markdown]
# # Part 3: all side by side
#
# ## The same images, and a rate for each
#
# All small architectures of the course were trained on the same 9,000 images of clothes, for eight
# epochs, with the same schedule. No rate suits them all, so each got the one that did best on the
# 1,000 validation images, in one trial run for each rate: it is roughly right, not exactly. (NiN and
# GoogLeNet, which are deep and have no normalisation, also clip their gradients.) The package holds
# the recorded runs; nothing in this part trains.
#
# **Predict, then run.** Order these by test accuracy: MLP, LeNet-5 (1998), AlexNet (2012), VGG
# (2014). Which of them has the *most parameters*?

# %%
from course_utils.inspection import summarise
from course_utils.plots import ComparisonRow, pareto_front, plot_comparison
from course_utils.tables import Table
from course_utils.training import records

NAMES = (
    "mlp", "locally_connected", "lenet5", "alexnet_small", "vgg_small", "nin_small",
    "googlenet_small", "highway_small", "resnet_small", "densenet_small",
)  # fmt: skip
runs = {name: records.load(name) for name in NAMES if name in records.names()}
setting = runs["lenet5"].experiment
print(f"{setting['data']}, {setting['epochs']} epochs")

# %%
rows = []
for name, found in sorted(runs.items(), key=lambda item: -item[1].test_accuracy.mean):
    work = summarise(name, (1, 28, 28), num_classes=10).multiply_adds
    accuracy = f"{found.test_accuracy} ({found.num_seeds} seeds)"
    rows.append((found.title, accuracy, found.lr, found.num_parameters, work, round(found.seconds)))
columns = ("model", "test accuracy", "rate", "parameters", "multiply-adds", "CPU seconds")
Table(columns, tuple(rows))

# %% [markdown]
# Accuracies are means over the seeds, ± the standard deviation of one run. The rate is the highest
# one of the schedule. Multiply-adds are for one image. CPU seconds are for one training run, on the
# processor that recorded it.

# %%
chart = [
    ComparisonRow(
        found.title,
        *found.test_accuracy,
        {"parameters": found.num_parameters, "CPU seconds of a run": found.seconds},
    )
    for found in runs.values()
]
show(
    plot_comparison(chart, lowest=0.85),
    "Test accuracy of the small architectures by name, over parameters and over training time, "
    "each with a bar of one standard deviation. ResNet and DenseNet are highest; LeNet-5 follows "
    "in far less time",
)

# %% [markdown]
# ## How to read it
#
# The blue points, joined by steps, are the **Pareto front**: for each of them, no other model is
# both cheaper and better. You need a reason to choose a model that is not on it.
#
# **Bars first.** Where bars overlap, three other seeds might change the order. And the bars do not
# show everything: they show seeds, not images. With $n$ test images, an accuracy $a$ has a standard
# error of $\sqrt{a(1-a)/n}$ from the choice of images alone. But all models were tested on the
# *same* images, so we can compare them in pairs, as in lesson 07: draw images and seeds again.
# **Predict, then run.** How many of the other nine are clearly behind the best model?

# %%
for cost in chart[0].costs:
    print(f"front for {cost}: {' → '.join(row.label for row in pareto_front(chart, cost))}")
best, *others = sorted(runs.values(), key=lambda found: -found.test_accuracy.mean)
num_test, accuracy = best.right.shape[1], best.test_accuracy.mean
error = (accuracy * (1 - accuracy) / num_test) ** 0.5
print(f"best: {best.title}, {accuracy:.1%}; standard error, {num_test} images: {error:.1%}")
for other in others:
    print(f"ahead of {other.title}: {records.compare(best, other)}")

# %% [markdown]
# The two best nets have both normalisation and shortcuts (DenseNet's concatenate instead of adding).
# Which of the two do they owe their lead to? Here is the ResNet again, once without its shortcuts
# and once without its normalisation, each at its own best rate. **Predict, then run.** Which of the
# two costs more?

# %%
records.table("resnet_small", "resnet_no_shortcuts", "resnet_no_norm")

# %%
whole = runs["resnet_small"]
no_shortcuts, no_norm = (records.load(f"resnet_no_{part}") for part in ("shortcuts", "norm"))
expect(records.compare(no_shortcuts, whole).low > -0.01, "Without shortcuts it is no worse.")
expect(records.compare(no_norm, whole).high < 0, "Without normalisation it is clearly worse.")

# %% [markdown]
# And VGG without its dropout, with BN, and with both changes:

# %%
records.table("vgg_small", "vgg_small_no_dropout", "vgg_small_bn", "vgg_small_bn_no_dropout")

# %%
level = records.compare(records.load("vgg_small_bn_no_dropout"), whole)
print(f"VGG with both changes against the ResNet: {level}")
expect(not level.is_clear, "The interval of that difference contains 0.")

# %%
counts = {name: found.num_parameters for name, found in runs.items()}
times = {name: found.seconds for name, found in runs.items()}
thin = min(counts, key=counts.get) == "densenet_small" == max(times, key=times.get)
expect(thin, "DenseNet has the fewest parameters, and takes the longest.")
for name in ("alexnet_small", "googlenet_small"):
    print(f"{runs[name].title}, validation accuracy by rate: {runs[name].tried}")
wild = records.load("nin_unclipped")
print(f"{wild.title}, seed by seed:", *(f"{accuracy:.1%}" for accuracy in wild.test_accuracies))

# %%
local, shared = runs["locally_connected"], runs["lenet5"]
same = len({summarise(name).multiply_adds for name in ("locally_connected", "lenet5")}) == 1
expect(same, "The locally connected net and LeNet-5 take the same multiply-adds.")
print(f"but the first takes {local.seconds / shared.seconds:.1f} times as long")

# %% [markdown]
# - **Normalisation leads; shortcuts do not, at this depth.** ResNet and DenseNet are ahead of all
#   the others. But take the shortcuts out of the ResNet, and it loses nothing: eight layers
#   learn without them. Take BN out (and clip the gradients), and a point is gone, though the
#   interval nearly reaches 0. And with BN and without dropout, VGG is about as good as the ResNet,
#   with eight times as many parameters. What shortcuts are *for* is depth, as lesson 12 showed.
#   DenseNet gets there with the fewest weights and the most time: what it saves in one column it
#   spends in another.
# - **The order is not chronological.** LeNet-5 of 1998 is level with nets that take several times as
#   long. VGG comes close to the ResNet once you leave out its dropout: nets with dropout probably
#   need more epochs than the eight that we gave them. And no paper claimed that its net wins *here*.
#   "Better" always refers to a setting.
# - **No rate suits all.** GoogLeNet, with clipping, does best at 0.2, and at 0.05 it is more than
#   five points below its best. AlexNet, without clipping, does best at a rate many times lower. Had
#   we trained all nets at one rate, the choice of that rate would have decided much of the order.
# - **A mean can hide a failure.** Without clipping, the mean of NiN describes none of its three
#   runs. And if you show only one seed, it may be the lucky one, or the unlucky one.
# - **Multiply-adds are not seconds.** The locally connected net takes as many as LeNet-5, and
#   several times as long. A likely reason: shared weights are read once and stay in the processor's
#   fast memory; without sharing, the same arithmetic waits for its weights.

# %% [markdown]
# ## How to choose an architecture
#
# Start from what you are short of. Then take the *simplest* candidate that comes close to the best
# (here: within a point of accuracy).


# %%
def choose(rows: list[ComparisonRow], within: float = 0.01, **limits: float) -> list[str]:
    """Return the models that keep to the limits and come within a point of the best of these."""
    names = {"parameters": "parameters", "seconds": "CPU seconds of a run"}
    allowed = [r for r in rows if all(r.costs[names[k]] <= v for k, v in limits.items())]
    top = max(row.accuracy for row in allowed)
    return [row.label for row in allowed if row.accuracy > top - within]


print("no limit:                  ", choose(chart))
print("at most 100,000 parameters:", choose(chart, parameters=100_000))
print("at most 20 CPU seconds:    ", choose(chart, seconds=20))

# %% [markdown]
# | you are short of | choose | because |
# |---|---|---|
# | nothing, and you want a good default | a ResNet | it trains at almost any depth, with few settings to get wrong |
# | memory for weights | global average pooling at the end, 1 × 1 convolutions, DenseNet | they need no large linear layer |
# | time | few layers, early pools, small images | multiply-adds are not seconds: many thin layers are slow |
# | memory during training | any net but DenseNet, or DenseNet with checkpointing | concatenated maps must be kept |
# | labelled images | augmentation, then a pretrained net | data often change the result more than the choice of block |
# | trust | a net that you have looked into | the next part shows why |
#
# Our chart has limits: small grey images, eight epochs, no augmentation, only the learning rate
# tuned (and two nets clipped), and narrow versions of every net. It answers "what do I get in a
# minute or two on a laptop?", and nothing else. What a paper reports for its full setting is
# another experiment:

# %%
facts.table("resnet20.cifar_parameters", "resnet20.cifar_error", "resnet56.cifar_error")

# %% [markdown]
# *Not measured here.* On a GPU, this comes closest to the paper's setting (`docs/training.md` says
# what still differs):
#
#     python -m course_utils train resnet20 --data cifar10 --epochs 182 --batch-size 128 --lr 0.1 \
#         --schedule step --weight-decay 1e-4 --no-nesterov --precision float32 --crop 4 --flip

# %% [markdown]
# ## What can you do in ten minutes?
#
# Turn the question around: you have CIFAR-10, two cores and ten minutes, about 1,200 seconds of
# processor time. Which net gets furthest? Papers seldom ask, but there is a competition about it:
# who brings a net to 94 % on CIFAR-10 in the least time?

# %%
facts.table("speednet.cifar_accuracy", "speednet.parameters")

# %% [markdown]
# `speednet` follows this net, with half as many filters in its second block. It is a VGG with batch
# normalisation: three blocks of two convolutions. It is *wide* for its depth, and four things about
# it are new:
#
# - **The pool comes first.** Each block pools right after its first convolution, so that everything
#   else in the block has a quarter of the pixels to process.
# - **GELU** instead of ReLU: $x\,\Phi(x)$, where $\Phi$ is the distribution function of the standard
#   normal distribution.
# - **It starts as a copy.** Each 3 × 3 convolution begins as the identity: it passes its input
#   channels on, and only its remaining filters are random.
# - **Whitening.** In a photo, neighbouring pixels are nearly equal, and so are the three colours of a
#   pixel. The first filters are fixed, and turn such a patch into numbers that hardly correlate;
#   each is then scaled to variance 1. Here they are; a weight of 0 is a medium grey:

# %%
from course_utils.models.speednet import PatchWhitening

filters = PatchWhitening(3).filters
show(
    plot_images(0.5 + filters / (2 * filters.abs().max()), num_columns=12, size=0.6),
    "Twelve filters of 2 by 2 pixels: brightness, orange against blue, and magenta against green, "
    "each as an even patch, as two halves side by side, as two halves one above the other, and as "
    "a checkerboard",
)

# %% [markdown]
# Three nets were trained on CIFAR-10 for about the same processor time, each at its own best
# rate, on two seeds: ResNet-20 for 22 epochs, ResNet-56 with half the filters for 15, `speednet` for
# 20, and then again for 4. For one image, `speednet` takes 1.6 times the multiply-adds of ResNet-20,
# and it has four times the parameters. **Predict, then run.** Which is ahead, and by how many
# points? What is left of its lead after a fifth of the time?

# %%
names = ("speed_resnet20", "cifar_resnet56", "speed_cifar", "speed_short")
for name in names:
    ran = records.load(name)
    print(f"{ran.title:22} rate {ran.lr:3g} (validation by rate: {ran.tried})")
records.table(*names)

# %%
slow, fast, short = (records.load(f"speed_{name}") for name in ("resnet20", "cifar", "short"))
expect(
    records.compare(fast, slow).low > 0.02, "In equal time the fast net is over two points ahead."
)
print(f"after a fifth of the time: {records.compare(short, slow)}")
expect(short.seconds < slow.seconds / 4, "Four epochs take less than a quarter of that time.")
expect(records.compare(short, slow).low > -0.025, "After them it is at most 2.5 points behind.")

# %% [markdown]
# So if time is what you are short of, the net to take is not the one that won the last chart: a
# few wide layers and early pools get more out of ten minutes than many thin layers do. (ResNet-20
# was made to have few parameters, and its paper trains it on eight times as many images as we do.
# Its error there is in the table above.)
#
# What this does not show is *which* of the four new things does it, or whether the shape alone
# would. Each is a switch of `models.build("speednet", ...)`: `pool_first`, `activation`,
# `identity_start`, `whitening`. The crops differ, too: each net has those of its paper, by up to 4
# pixels or 2. And 94 % is far: the competition's net is wider, has more tricks, and sees the
# original images, not JPEG files.

# %% [markdown]
# # Part 4: who looks at the object?
#
# ## Two training sets
#
# Each image of the data set `shapes` shows one of ten shapes on a textured background. A parameter,
# $\rho$ (`background_correlation` in the code), sets how often a class gets the background that
# belongs to it. We train your `ResNet(1)` at two values of $\rho$, with three seeds each. At
# $\rho = 0$ the background is drawn at random: it says nothing about the class. At $\rho = 1$ every
# class has its own background, a **spurious** cue: as good as the shape in the training data,
# worthless elsewhere.

# %%
from course_utils.data import ShapesConfig, make_shapes
from course_utils.data.shapes import CLASSES

SCENES = ShapesConfig(background_correlation=1.0)
true, swapped = (
    make_shapes(200, SCENES, torch.Generator().manual_seed(100), backgrounds)
    for backgrounds in ("same", "swapped")
)
some = [int((true.labels == label).nonzero()[0]) for label in range(6)]
pairs = [*true.images[some], *swapped.images[some]]
show(
    plot_images(pairs, num_columns=6, size=1.25, row_titles=["true background", "swapped"]),
    "Six shapes: above on the background of their class, below the same shapes on other "
    "backgrounds",
)


# %%
def train(rho: float, seed: int, *callbacks) -> tuple[nn.Module, data.Loaders, float]:
    """Train a fresh net; return it, its data, and its validation accuracy."""
    order = seed_everything(seed)
    loaders = data.load(
        "shapes", batch_size=settings.batch_size, device=device, generator=order,
        num_train=settings.limit, num_test=500, seed=order.initial_seed(),
        background_correlation=rho,
    )  # fmt: skip
    model = ResNet(1).to(device)
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
    history = fit(model, loaders, config, on_epoch_end=callbacks)
    return model, loaders, history.epochs[-1].val_accuracy


# %% [markdown]
# **Predict, then run.** Which value of $\rho$ leads to the higher validation accuracy?

# %% tags=["nbval-ignore-output"]
RANDOM, TIED = 0.0, 1.0
trained = {(RANDOM, 0): train(RANDOM, 0, LivePlot("background at random", chance=0.1))}

# %% tags=["nbval-ignore-output"]
trained[TIED, 0] = train(TIED, 0, LivePlot("background tied to the class", chance=0.1))

# %% tags=["nbval-ignore-output"]
for rho, seed in ((RANDOM, 1), (TIED, 1), (RANDOM, 2), (TIED, 2)):
    trained[rho, seed] = train(rho, seed)


def accuracy(model: nn.Module, loaders: data.Loaders, scenes) -> float:
    part = loaders.test.with_options(
        images=scenes.images.to(device), labels=scenes.labels.to(device)
    )
    return evaluate(model, part).accuracy


print(f"{'rho':5}{'seed':>4}{'validation':>12}{'swapped backgrounds':>22}")
scores = {key: (val, accuracy(net, its, swapped)) for key, (net, its, val) in trained.items()}
for (rho, seed), (val, on_swapped) in sorted(scores.items()):
    print(f"{rho:<5}{seed:4}{val:12.1%}{on_swapped:22.1%}")

# %% tags=["nbval-ignore-output"]
for seed in range(3):
    at_random, tied = scores[RANDOM, seed], scores[TIED, seed]
    expect(
        tied[0] > at_random[0],
        f"Seed {seed}: the net that learned backgrounds has the higher validation accuracy.",
        trained=True,
    )
    expect(
        at_random[1] > 0.7 > 0.1 > tied[1],
        f"Seed {seed}: on swapped backgrounds that net does worse than chance.",
        trained=True,
    )

# %% control="that net judged on swapped backgrounds"
for seed in range(3):
    refute(
        scores[TIED, seed][1] > scores[RANDOM, seed][0],
        f"Seed {seed}: the net that learned backgrounds has the higher validation accuracy.",
    )

# %% control="true backgrounds"
for seed in range(3):
    on_true = {rho: accuracy(*trained[rho, seed][:2], true) for rho in (RANDOM, TIED)}
    refute(
        on_true[RANDOM] > 0.7 > 0.1 > on_true[TIED],
        f"Seed {seed}: on swapped backgrounds that net does worse than chance.",
    )

# %% [markdown]
# If you had chosen by validation accuracy, you would have chosen the wrong net three times out of
# three. But we have images with swapped backgrounds only because we draw our images ourselves. Can
# we see the problem without them?

# %% [markdown]
# ## Grad-CAM
#
# The last maps of a convnet still know *where*, and already know *what*. **Grad-CAM** asks which of
# their positions are evidence for a class $c$ (Selvaraju et al. 2017). With maps $A^1 \dots A^K$ of
# $Z$ positions each, and the logit $y^c$:
#
# $$\alpha_k^c = \frac{1}{Z} \sum_{i,j} \frac{\partial y^c}{\partial A^k_{ij}}, \qquad
# L^c = \mathrm{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)$$
#
# Each map is weighted by how much the logit rises with it, on average over its positions. Evidence
# against the class is set to zero. The result is as coarse as the maps, and is resized to the
# image.
#
# **Try it.** Suppose that you have the maps and their gradients, two tensors of shape (N, K, h, w).
# Two lines turn them into $L^c$ at the size of the maps: write these lines before you read on.


# %%
from course_utils.inspection import capture, grad_cam, last_conv, occlusion, share_on_mask
from course_utils.plots import plot_overlays


def grad_cam_by_hand(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    """Return the Grad-CAM of each image for its target class: (N, H, W)."""
    model.eval()
    with capture(model, layer) as seen:  # keeps the layer's output and its gradient
        model(images).gather(1, targets[:, None]).sum().backward()
    maps, gradients = seen.features[layer], seen.gradients[layer]  # both (N, K, h, w)
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, K, 1, 1)
    coarse = (weights * maps).sum(dim=1, keepdim=True).relu()  # (N, 1, h, w)
    model.zero_grad()
    return F.interpolate(coarse, images.shape[2:], mode="bilinear")[:, 0]


# %%
seed_everything(0)
fresh = ResNet(1).to(device)
layer = last_conv(fresh, torch.zeros(1, 3, 32, 32, device=device))
print("the last maps, through which everything passes, come from", layer)
x, labels = torch.randn(4, 3, 32, 32, device=device), torch.tensor([0, 3, 3, 9], device=device)
ours, theirs = grad_cam_by_hand(fresh, x, labels, layer), grad_cam(fresh, x, labels, layer)
agree = torch.allclose(ours, theirs, atol=1e-5 * float(theirs.abs().max()))
expect(agree, "Our Grad-CAM and the package's are the same.")

# %% [markdown]
# The package's `grad_cam` uses Captum, PyTorch's library for such questions; so do `saliency` and
# `occlusion`.
#
# ## Look
#
# **Predict, then run.** Here are six images with the backgrounds of their classes; both nets
# classify most images of this kind correctly. Where will the map of each net be bright? (In the
# figure, yellow marks evidence for the class, and the white line is the outline of the shape.)


# %%
def prepared(images: Tensor, info: data.DataInfo) -> Tensor:
    """Normalise raw images (N, 3, 32, 32) as in training."""
    mean, std = (torch.tensor(v, device=device)[:, None, None] for v in (info.mean, info.std))
    return (images.to(device) / 255 - mean) / std


def maps_of(rho: float, seed: int, scenes) -> Tensor:
    """Return the Grad-CAM of one net for the right class of each image, (N, 32, 32)."""
    model, loaders, _ = trained[rho, seed]
    x = prepared(scenes.images, loaders.info)
    return grad_cam(model, x, scenes.labels.to(device), layer).cpu()


# %% tags=["nbval-ignore-output"]
cams = {
    "Grad-CAM,\nrandom background": maps_of(RANDOM, 0, true)[some],
    "Grad-CAM,\ntied background": maps_of(TIED, 0, true)[some],
}
show(
    plot_overlays(true.images[some], cams, true.masks[some], [CLASSES[i] for i in range(6)]),
    "Six shapes with the Grad-CAM maps of both nets laid over them. The maps of the net trained "
    "with random backgrounds are bright mostly on the shapes; those of the other around them",
)

# %% [markdown]
# ## Measure
#
# Six images convince the eye, and prove little. So what share of each map lies on the shape, on
# average over 200 images? To judge that number, you need two values to compare it with.
#
# - A map that is the same everywhere gets the share of the image that the shape covers.
# - Even the *best* map cannot get 100 %: with 8 × 8 positions it spills over the edge.

# %%
area = true.masks.float().mean()
print(f"a map that is the same everywhere: {area:.0%}")
for places in (2, 4, 8, 16):
    coarse = F.adaptive_avg_pool2d(true.masks[:, None].float(), places)
    ideal = F.interpolate(coarse, (32, 32), mode="bilinear")[:, 0]  # the shape itself, blurred
    print(f"the shape itself at {places} x {places} positions: "
          f"{share_on_mask(ideal, true.masks).mean():.0%}")  # fmt: skip

# %% tags=["nbval-ignore-output"]
on_figure = {}
untrained = grad_cam(fresh, prepared(true.images, trained[RANDOM, 0][1].info),
                     true.labels.to(device), layer).cpu()  # fmt: skip
print(f"fresh weights: {share_on_mask(untrained, true.masks).nanmean():.0%}")
for rho, seed in sorted(trained):
    on_figure[rho, seed] = float(share_on_mask(maps_of(rho, seed, true), true.masks).nanmean())
    print(f"rho {rho}, seed {seed}: {on_figure[rho, seed]:.0%} of the map lies on the shape")

# %% tags=["nbval-ignore-output"]
for seed in range(3):
    at_random, tied = on_figure[RANDOM, seed], on_figure[TIED, seed]
    expect(
        at_random > 2 * area,
        f"Seed {seed}: with random backgrounds, the share is more than twice the area.",
        trained=True,
    )
    expect(tied < area, f"Seed {seed}: with tied ones, it is less than the area.", trained=True)
    expect(
        at_random > 3 * tied,
        f"Seed {seed}: with random ones, it is more than three times as large.",
        trained=True,
    )

# %% control="the other nets, and another seed"
for seed in range(3):
    at_random, tied = on_figure[RANDOM, seed], on_figure[TIED, seed]
    refute(
        tied > 2 * area,
        f"Seed {seed}: with random backgrounds, the share is more than twice the area.",
    )
    refute(at_random < area, f"Seed {seed}: with tied ones, it is less than the area.")
    another = on_figure[RANDOM, (seed + 1) % 3]
    refute(
        at_random > 3 * another,
        f"Seed {seed}: with random ones, it is more than three times as large.",
    )

# %% [markdown]
# A meaningless map has a share as large as the shape's area, and so have the maps of a net that was
# never trained. The nets that learned shapes reach about three times as much. Those that learned
# backgrounds stay *below* the area: they look past the shape, which only hides the background. And
# to show this, we needed no swapped backgrounds, only masks of the shapes.
#
# ## A second opinion
#
# Never trust a single method. Occlusion works in a very different way: it needs neither gradients
# nor maps, only the net's outputs for partly covered images.

# %% tags=["nbval-ignore-output"]
num = 40
shares = {}
for rho in (RANDOM, TIED):
    model, loaders, _ = trained[rho, 0]
    found = occlusion(model, prepared(true.images[:num], loaders.info),
                      labels=true.labels[:num].to(device)).maps.cpu()  # fmt: skip
    stretched = found.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)  # (40, 32, 32)
    shares[rho] = float(share_on_mask(stretched, true.masks[:num]).nanmean())
    print(f"rho {rho}: {shares[rho]:.0%} of the evidence by occlusion lies on the shape")
expect(shares[RANDOM] > shares[TIED] + 0.1, "Occlusion gives the same order.", trained=True)

# %% control="two nets that learned backgrounds"
model, loaders, _ = trained[TIED, 1]
found = occlusion(model, prepared(true.images[:num], loaders.info),
                  labels=true.labels[:num].to(device)).maps.cpu()  # fmt: skip
stretched = found.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
another = float(share_on_mask(stretched, true.masks[:num]).nanmean())
refute(another > shares[TIED] + 0.1, "Occlusion gives the same order.")

# %% [markdown]
# ## Which layer to ask
#
# Grad-CAM usually takes the last maps. It could take any, and earlier ones are sharper. But it
# gives each map *one* weight for all its positions, so it needs maps that mean the same thing at
# every position. **Predict, then run.** Ask each of the three stages of the nets that were trained
# with random backgrounds. Which maps find the shape best? The last column is the control, a net
# with fresh weights.


# %% tags=["nbval-ignore-output"]
def maps_at(model: nn.Module, stage: int, info: data.DataInfo) -> Tensor:
    """Return Grad-CAM at the end of a stage for the right class of each image, (200, 32, 32)."""
    x, targets = prepared(true.images, info), true.labels.to(device)
    return grad_cam(model, x, targets, f"stages.{stage}").cpu()


rows, by_stage = [], {}
for stage, places in enumerate((32, 16, 8)):
    nets = [trained[RANDOM, seed][:2] for seed in range(3)] + [(fresh, trained[RANDOM, 0][1])]
    found = [maps_at(net, stage, its.info) for net, its in nets]
    shares = [f"{share_on_mask(maps, true.masks).nanmean():.0%}" for maps in found]
    by_stage[f"Grad-CAM, stage {stage + 1}"] = found[0][some]
    rows.append((f"stage {stage + 1}", f"{places} × {places}", *shares))
Table(("maps from", "positions", "seed 0", "seed 1", "seed 2", "fresh weights"), tuple(rows))

# %% tags=["nbval-ignore-output"]
show(
    plot_overlays(true.images[some], by_stage, true.masks[some], [CLASSES[i] for i in range(6)]),
    "Six shapes with Grad-CAM maps of three stages of one net laid over them: fine-grained after "
    "the first stage, coarse after the third",
)

# %% [markdown]
# The maps of the two earlier stages lie on the shape more than the last ones, and the control shows
# why that proves little: with fresh weights they do so, too, and their share is far larger than the
# shape's area. They seem to follow edges and strong colours, whatever the class. Compare each row
# with its control: the gap is what training added, and it is largest at the last stage. So ask the
# last maps, unless you have a reason to ask others, and a control. And report which layer you
# asked: "the Grad-CAM" of a net does not exist, only that of a layer, for a class, on an image.

# %% [markdown]
# ## What the map does not say
#
# - **It is coarse.** Your VGG-16 has only 2 × 2 positions before its last pool. Check which of its
#   layers `last_conv` finds, and look above at what 2 × 2 positions can show at best.
# - **It answers for the class that you ask about.** On a swapped background the net that learned
#   backgrounds predicts the background's class. Ask for the *right* class, and you still get a map:
#   of what little evidence there is for a class that the net does not predict.
# - **Where is not what.** A map on the shape may rest on its colour alone. A map *off* the object
#   is a warning; a map on it is no proof.
# - **It is exact for nets like ours only.** For a net that ends in the mean of its maps and one
#   linear layer, $\alpha_k^c$ is that layer's weight divided by $Z$, and the map, before its ReLU,
#   says precisely what each position adds to the logit (this is CAM, Zhou et al. 2016). In other
#   nets the gradients hold for this image only, and differ between positions: their mean is an
#   approximation.
# - **Check the method.** Some methods draw convincing maps that hardly change if you make the
#   weights random (Adebayo et al. 2018). We have done that check: at the last stage, the share with
#   fresh weights is no larger than the shape's area.

# %%
vgg = vgg16(width=16, hidden=128).eval()
name = last_conv(vgg, torch.zeros(1, 3, 32, 32))
with torch.no_grad(), capture(vgg, name) as seen:
    vgg(torch.zeros(1, 3, 32, 32))
print(f"{name} = {vgg.get_submodule(name)} puts out {tuple(seen.features[name].shape)}")
weights = fresh.classifier.weight[3] / 64  # of class 3, divided by the 8 x 8 positions
with capture(fresh, layer) as seen:
    fresh(x[:1])[0, 3].backward()
same = torch.allclose(seen.gradients[layer].mean(dim=(2, 3))[0], weights, atol=1e-6)
expect(same, "With a mean and a linear layer at the end, Grad-CAM's weights are that layer's.")

# %% [markdown]
# # Part 5: your own photos
#
# ## A folder of folders
#
# You can train a net on your own photos, and draw its maps, if you sort the photos into one folder
# for each class:
#
#     photos/cat/*.jpg     photos/dog/*.jpg     photos/parrot/*.jpg
#
# File names, sizes and formats may differ. A share of each class becomes the test set, with the
# same images each time (or provide `train/` and `test/` yourself). The shorter side is resized and
# the centre cropped; files that cannot be read are listed and left out.
#
# You may have no photos at hand, so this cell writes some: shapes as PNG files of different sizes,
# in a folder that is deleted when the kernel ends.

# %%
from torchvision.io import write_png

folder = tempfile.TemporaryDirectory()
photos = Path(folder.name) / "photos"
pictures = make_shapes(1000, ShapesConfig(position=2.0), torch.Generator().manual_seed(7))
for index, label in enumerate(pictures.labels.tolist()):
    if label >= 4:
        continue  # four classes are enough
    size = 32 + 4 * (index % 5)  # 32 to 48 pixels: photos come in all sizes
    picture = F.interpolate(pictures.images[index : index + 1].float(), size, mode="bilinear")[0]
    target = photos / CLASSES[label] / f"photo{index:04}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_png(picture.round().byte(), str(target))
broken = photos / "star" / "broken.png"
broken.parent.mkdir()
_ = broken.write_bytes(b"no image")

# %% [markdown]
# We made one mistake on purpose: a class folder without a single readable file. What does
# `data.load` do?


# %%
def load_photos(path: Path, seed: int = 0) -> data.Loaders:
    return data.load(
        f"imagefolder:{path}", batch_size=32, image_size=32, device=device, root=folder.name,
        augment=data.Augment(crop_padding=3), generator=seed_everything(seed),
    )  # fmt: skip


try:
    load_photos(photos)
except ValueError as error:
    print(str(error).replace(str(photos), "photos"))

# %%
broken.unlink()
broken.parent.rmdir()
mine = load_photos(photos)
for part in ("train", "val", "test"):
    print(f"{part:>5}: {getattr(mine, part).num_images} images of {', '.join(mine.info.classes)}")

# %% [markdown]
# **Predict, then run.** We have 288 training images of four classes, and a net of 75 thousand
# parameters. Will it do better than chance? Will it do as well as the nets above?

# %% tags=["nbval-ignore-output"]
model = ResNet(1, num_classes=mine.info.num_classes).to(device)
config = TrainConfig(epochs=5 * settings.epochs, lr=settings.lr)
fit(
    model,
    mine,
    config,
    on_epoch_end=[LivePlot("your own photos", chance=1 / mine.info.num_classes)],
)
result = evaluate(model, mine.test)
print(f"test accuracy {result.accuracy:.1%} on {result.num_images} images")
expect(
    result.accuracy > 0.4,
    "More than 40 % of the test images are classified correctly.",
    trained=True,
)

# %% control="untrained weights"
seed_everything(0)
guess = evaluate(ResNet(1, num_classes=mine.info.num_classes).to(device), mine.test)
refute(guess.accuracy > 0.4, "More than 40 % of the test images are classified correctly.")

# %% tags=["nbval-ignore-output"]
shown = torch.arange(0, mine.test.num_images, mine.test.num_images // 6)[:6]
images = prepared(mine.test.images[shown], mine.info)
with torch.no_grad():
    said = model.eval()(images).argmax(dim=1)
names = [[mine.info.classes[i] for i in row] for row in (said, mine.test.labels[shown])]
titles = [f"net: {a}\nlabel: {b}" for a, b in zip(*names, strict=True)]
show(
    plot_overlays(mine.test.images[shown].cpu(), {"Grad-CAM": grad_cam(model, images, said).cpu()},
                  titles=titles),
    "Six test images, each with the predicted class and the label above it, and the Grad-CAM map "
    "for the predicted class below",
)  # fmt: skip

# %% [markdown]
# ## Start from pretrained weights
#
# A few dozen photos of each class are not much to learn from. What helps is a net that was trained
# on many other images: keep its weights, give it a new last layer for your classes, and continue
# the training (**fine-tuning**, one kind of **transfer learning**). The course ships such a net: a
# ResNet-20, half as wide as the paper's, trained on 9,000 images of clothes.
#
# So suppose that a shop has taken photos of its clothes, none of them quite straight. Of each
# class, ten are for training, 20 for validation and 170 for testing. We make these photos from test
# images that our net has never seen: we rotate them by up to 30°, and put them on white, as in a
# catalogue.

# %% tags=["nbval-ignore-output"]
from collections import Counter

from torchvision.transforms.functional import rotate

shop, generator, seen = Path(folder.name) / "shop", torch.Generator().manual_seed(7), Counter()
clothes = data.load("fashion_mnist_mini", batch_size=64).test
for image, label in zip(clothes.images, clothes.labels.tolist(), strict=True):
    number, angle = seen[label], 60 * float(torch.rand((), generator=generator)) - 30  # in degrees
    seen[label] += 1
    part = "train" if number < 10 else "val" if number < 30 else "test"
    target = shop / part / f"class{label}" / f"{number:03}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_png(255 - rotate(image, angle).expand(3, -1, -1), str(target))
shown = load_photos(shop).test.images[::300].cpu()
show(plot_images(shown, num_columns=6, size=1.25), "Six of the shop's photos: clothes on white")

# %% [markdown]
# The shipped net reads one channel, and the photos have three; so a first step takes the mean of
# the three. And the net has only seen clothes that are light on black. These photos are dark on
# white. After normalisation, a change of sign turns one into the other. Perhaps the sign does not
# matter if all the weights continue to learn.
#
# **Predict, then run.** We start in three ways (fresh weights; the shipped weights, where only the
# new last layer learns; the shipped weights, where all layers learn), each on the photos as they
# are and on inverted ones. Which of the six will be best? How much does the sign matter to each
# start?


# %%
class OnPhotos(nn.Module):
    """A net for grey images, with a new last layer, that reads RGB photos (N, 3, H, W)."""

    def __init__(self, start: str, sign: int, num_classes: int) -> None:
        super().__init__()
        if start == "fresh":
            net = models.build("resnet20", in_channels=1, width=8)
        else:
            net = models.pretrained("settled_resnet20")
        net.requires_grad_(start != "last layer")
        net.classifier = nn.Linear(net.classifier.in_features, num_classes)
        self.net, self.sign = net, sign

    def forward(self, photos: Tensor) -> Tensor:
        return self.net(self.sign * photos.mean(dim=1, keepdim=True))


# %% [markdown]
# Each of the six gets the learning rate that suits it: we try three, and the validation photos
# decide. Then we run two more seeds with that rate.


# %%
STARTS = {
    "fresh": "fresh weights",
    "last layer": "shipped, only the last layer learns",
    "all": "shipped, all weights learn",
}


def adapt(start: str, sign: int, lr: float, seed: int) -> tuple[float, nn.Module]:
    """Train a net on the shop's photos; return its validation accuracy, and the net."""
    photos = load_photos(shop, seed)
    model = OnPhotos(start, sign, photos.info.num_classes).to(device)
    history = fit(model, photos, TrainConfig(epochs=5 * settings.epochs, lr=lr))
    return history.epochs[-1].val_accuracy, model


# %% tags=["nbval-ignore-output"]
catalogue = load_photos(shop).test
rows, adapted = [], {}
for start, sign in [(start, sign) for start in STARTS for sign in (1, -1)]:
    tried = {lr: adapt(start, sign, lr, 0) for lr in (0.02, 0.1, 0.5)}
    best = max(tried, key=lambda lr: tried[lr][0])
    nets = [tried[best][1], *(adapt(start, sign, best, seed)[1] for seed in (1, 2))]
    tests = [evaluate(net, catalogue).accuracy for net in nets]
    adapted[start, sign] = tests
    photos_are = "as they are" if sign == 1 else "inverted"
    rows.append((STARTS[start], photos_are, best, *(f"{each:.0%}" for each in tests)))
Table(("start", "photos", "rate", "seed 0", "seed 1", "seed 2"), tuple(rows))

# %% tags=["nbval-ignore-output"]
mean = {key: sum(tests) / 3 for key, tests in adapted.items()}
expect(
    mean["all", -1] > mean["fresh", -1] + 0.1,
    "On inverted photos, fine-tuning is over ten points ahead of fresh weights.",
    trained=True,
)
expect(
    mean["all", -1] > mean["all", 1] + 0.1,
    "As they are, the photos cost fine-tuning over ten points.",
    trained=True,
)

# %% tags=["nbval-ignore-output"]
expect(
    mean["last layer", -1] > mean["fresh", -1],
    "On inverted photos, the last layer alone is ahead of fresh weights.",
    trained=True,
)

# %% control="the photos as they are; fresh weights"
refute(
    mean["all", 1] > mean["fresh", 1] + 0.1,
    "On inverted photos, fine-tuning is over ten points ahead of fresh weights.",
)
refute(
    mean["fresh", -1] > mean["fresh", 1] + 0.1,
    "As they are, the photos cost fine-tuning over ten points.",
)
refute(
    mean["last layer", 1] > mean["fresh", 1],
    "On inverted photos, the last layer alone is ahead of fresh weights.",
)

# %% [markdown]
# On photos that look like what the net learned from, the shipped weights are worth a lot, and even
# the last layer alone beats a whole net with fresh weights. On the same photos without the change
# of sign they are worth nearly nothing. That change of sign is a piece of **preprocessing**, and
# preprocessing belongs to the weights as much as their shapes do: the size, the range, the mean and
# the order of channels of the images that the net was trained on. Whoever publishes weights should
# publish the preprocessing with them (in torchvision: `weights.transforms()`). A forgotten step
# raises no error; it only makes transfer look useless.
#
# **Try it.** Are clothes a good start for the photos of shapes above, too? Run `shop = photos` in a
# new cell, and then run the cell that makes the table once more. (It has more photos to train on
# now, so it takes several minutes.) Compare each start with fresh weights.
#
# ## And now yours
#
# It takes one line in a notebook, or one on the command line:
#
#     loaders = data.load("imagefolder:/path/to/photos", batch_size=32, image_size=32)
#
#     python -m course_utils train resnet_small --data imagefolder:/path/to/photos
#
# Before you believe the accuracy, ask what this course has taught you to ask:
#
# - How many *test* images are there? With 80 of them, an accuracy of 80 % has a standard error of
#   4.5 points.
# - Are there near-copies of a test image (the same cat, a second later) in the training set?
# - Does a background, a camera or a watermark go with one class? Draw the maps.
# - Is the net better than always predicting the most frequent class?
#
# For photos in colour, start from weights that were trained on ImageNet. They have to be downloaded
# once:
#
#     weights = torchvision.models.ResNet18_Weights.DEFAULT
#     model = torchvision.models.resnet18(weights=weights)
#     model.fc = nn.Linear(model.fc.in_features, num_classes)
#     image = weights.transforms()(photo)  # the model reads a batch: image[None]

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("15_showdown")

# %% [markdown]
# ## What to remember
#
# - Build in steps, and compare each with a network that is correct: layers, then parameters, then
#   outputs with the same weights. With a wrong pool or a missing addition, the number of parameters
#   and the shapes are still right.
# - Compare architectures in one setting, over several seeds, and by what they cost. Look at the
#   bars, and at the size of the test set, before you rank them.
# - No other model is both cheaper and better than one on the Pareto front. Choose from the front by
#   what you are short of. For a few minutes on a laptop that may be a few wide layers that pool
#   early.
# - Grad-CAM weights each of the last maps by the mean gradient of a class's logit, adds them up,
#   and sets negative values to zero. It is as coarse as those maps.
# - The best validation accuracy of this lesson belongs to the net that never learned the shapes. A
#   map off the object is a warning; a map on it is no proof.
# - With few photos, start from pretrained weights, and preprocess your photos as the original
#   training images were: otherwise the weights may be worth nothing.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Two nets are equally accurate, and their maps differ. Does that give you a reason to choose
#    one?
# 2. Our chart fixes eight epochs for all. What would be fairer: equal time, equal energy, or the
#    best that each can reach? Which net would win under which rule?
# 3. For shapes, you can draw images with swapped backgrounds. What would you do for X-rays?

# %%
for key in ("selvaraju2017", "zeiler2014", "simonyan2014", "simonyan2015", "he2016"):
    print(facts.cite(key))

# %% [markdown]
# ## Further reading
#
# - The papers above: Grad-CAM, occlusion, saliency, VGG, ResNet.
# - B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba: *Learning deep features for
#   discriminative localization*. CVPR 2016. CAM, for nets that end in the mean of their maps.
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim: *Sanity checks for saliency
#   maps*. NeurIPS 2018.
# - S. Beery, G. Van Horn, P. Perona: *Recognition in terra incognita*. ECCV 2018. Animals in new
#   places.
# - N. Kokhlikyan et al.: *Captum: a unified and generic model interpretability library for
#   PyTorch*. arXiv 2009.07896, 2020.

# %% [markdown]
# ## Now you
#
# **Exercise** {exercise}
#
# Then start your own project: take a folder of photos, choose an architecture by what you are short
# of, train it, and find out where the net looks.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | architecture | 아키텍처 | which layers, in which order, how wide |
# | Pareto front | 파레토 경계 | the candidates that no other beats in both cost and accuracy |
# | standard error | 표준 오차 | standard deviation of an average over repeated samples |
# | attribution | 기여도 분석 | which pixels of the input a prediction rests on |
# | Grad-CAM | 그래드캠 | last maps weighted by the gradient of a class's logit |
# | saliency | 현저성 | size of the gradient at each pixel |
# | occlusion | 가림 | covering a patch and predicting again |
# | spurious correlation | 허위 상관 | a cue that goes with the class only in the training data |
# | transfer learning | 전이 학습 | starting from weights that were trained on other images |
# | fine-tuning | 미세 조정 | training pretrained weights further on the new images |
