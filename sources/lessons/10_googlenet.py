# %% [markdown]
# # 10 · GoogLeNet: 1 × 1 convolutions, four paths, and fewer parameters
#
# **After this lesson you can**
# - explain what a network in network is, and use a 1 × 1 convolution to mix channels and to reduce
#   their number;
# - count what an Inception module costs with and without its reductions, path by path;
# - say what global average pooling replaces, and what you gain and lose by it;
# - attach an auxiliary head, weight its loss, measure what it does to the gradient, and remove it
#   again.
#
# **Time** 60 minutes to read and try, of which training takes about a minute on a laptop.
#
# **Builds on** 05 (1 × 1 convolutions, counting work) and 09 (VGG).

# %% [markdown]
# ## The question
#
# VGG showed that depth pays off, and what it costs. Most of its parameters sit in its first linear
# layer; most of its work is done by 3 × 3 convolutions that read hundreds of channels. A net that
# is deeper *and* wider by the same recipe would have been out of reach. Yet GoogLeNet, with 22
# layers, won the classification contest of 2014, in which VGG came second. Here is an old quiz
# question about these nets.
#
# **Predict, then run.** Which of these has the fewest parameters: AlexNet with 8 layers, VGG-19
# with 19, GoogLeNet with 22?

# %%
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from course_utils import data, facts, models
from course_utils.inspection import (
    capture,
    gradient_norms,
    summarise,
    summary,
    training_memory,
)
from course_utils.models.googlenet import INCEPTION_TABLE, SMALL_TABLE
from course_utils.models.initialization import glorot_uniform_, he_normal_

generator = torch.Generator().manual_seed(0)

# %%
from course_utils.plots import (
    LivePlot,
    plot_architecture,
    plot_block,
    plot_by_depth,
    plot_counts,
    plot_records,
    show,
)
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.tables import Table
from course_utils.training import TrainConfig, evaluate, fit, records

settings = profile("10_googlenet")
device = choose_device()

# %%
parameters = {
    "AlexNet, 8 layers": summarise("alexnet").parameters,
    "VGG-19, 19 layers": summarise("vgg19").parameters,
    "GoogLeNet, 22 layers": summarise("googlenet", aux_heads=False).parameters,
}
show(
    plot_counts(parameters, "parameters", log=False),
    "Three bars drawn to scale: AlexNet has 61.0 million parameters, VGG-19 143.7 million, "
    "GoogLeNet, with a short bar beside them, 7.0 million",
)
expect(
    min(parameters, key=parameters.get).startswith("GoogLeNet"),
    "The deepest of the three has the fewest parameters.",
)

# %% [markdown]
# More layers do not mean more parameters. What matters is how many channels each filter reads, and
# what comes at the end of the net. Three numbers that people often quote about these nets are
# wrong:

# %%
for name in ("vgg19_has_138m", "googlenet_has_4m"):
    print(facts.trap(name), end="\n\n")
claimed = facts.get("googlenet.fewer_than_alexnet")
counted = parameters["AlexNet, 8 layers"] / parameters["GoogLeNet, 22 layers"]
print(f"the paper: {claimed}\ncounted:   {counted:.1f} times")

# %% [markdown]
# How does GoogLeNet manage with so few? Three ideas make up the net: a small network at each pixel,
# which can also reduce the number of channels; a mean in place of the large linear layers; and
# several windows on the same maps at once. The first two save parameters, and make the third
# affordable.

# %% [markdown]
# ## Network in network
#
# A convolution is a linear function of a window; only the ReLU after it is non-linear. Lin, Chen
# and Yan asked in 2013: why not apply a whole small **MLP** to each window? Slide it over the image
# like a filter. Its first layer sees a window of $k \times k$ pixels; each later layer sees only
# the numbers that the layer before it computed *at the same place*. A linear layer at each place is
# a 1 × 1 convolution (lesson 05). So an **mlpconv** layer with an MLP of three layers is three
# convolutions, each with its ReLU:

# %%
from course_utils.models.nin import MLPConv  # inline

# %% [markdown]
# Is that really an MLP that slides? We cut out all windows by hand (`unfold`), apply an ordinary
# MLP with the same weights to each, and compare.

# %%
mlpconv = MLPConv(3, (32, 16, 8), kernel_size=5)
x = torch.randn(2, 3, 12, 12, generator=generator)
windows = F.unfold(x, kernel_size=5, padding=2).transpose(1, 2)  # (2, 144, 75), one row per window
for layer in mlpconv:
    if isinstance(layer, nn.Conv2d):
        windows = F.linear(windows, layer.weight.flatten(1), layer.bias)
    else:
        windows = layer(windows)
by_hand = windows.transpose(1, 2).reshape(2, 8, 12, 12)
same = torch.allclose(mlpconv(x), by_hand, atol=1e-5)
expect(same, "An mlpconv layer is an MLP that slides over the image.")

# %% [markdown]
# ## The 1 × 1 convolution as a mixer and a reducer
#
# Take 60 maps of 100 × 100, and 20 filters of 1 × 1. **Predict, then run.** What shape does the
# output have, and how many parameters does the layer have, with biases?

# %%
maps = torch.randn(1, 60, 100, 100, generator=generator)
mix = nn.Conv2d(60, 20, kernel_size=1)
num_parameters = sum(parameter.numel() for parameter in mix.parameters())
print(f"{tuple(maps.shape)} → {tuple(mix(maps).shape)} with {num_parameters:,} parameters")
expect(num_parameters == 20 * (60 + 1), "Each filter has a weight for each channel, and a bias.")

# %% [markdown]
# A linear map, the same at each pixel, has turned each pixel's vector of 60 numbers into one of 20.
# Height and width stay the same. Some call that "a fully connected layer"; it is one over the
# *channels*, not over the image.
#
# In general, going from 60 to 20 loses information. But the maps of a real net can be redundant:
# many of them carry nearly the same information. In the extreme case the 60 maps are mixtures of
# only 20. Then the right 1 × 1 convolution loses *nothing*:

# %%
hidden = torch.randn(1, 20, 100, 100, generator=generator)
spread, reduce = nn.Conv2d(20, 60, 1, bias=False), nn.Conv2d(60, 20, 1, bias=False)
with torch.no_grad():
    inverse = torch.linalg.pinv(spread.weight.flatten(1))  # (20, 60)
    reduce.weight.copy_(inverse[:, :, None, None])
    recovered = reduce(spread(hidden))  # 20 → 60 → 20 channels
same = torch.allclose(recovered, hidden, atol=1e-3)
expect(same, "60 maps that are mixtures of 20 can be reduced without loss.")

# %% [markdown]
# Later in this lesson we measure how redundant the maps of a trained net are.
#
# ### Try it: what a 1 × 1 costs
#
# 1. How many times as many parameters does a dense layer between the same two shapes have?
# 2. Set the kernel size to 3 and the padding to 1. By what factor do parameters and multiply-adds
#    grow?
# 3. Which takes more multiply-adds: a 5 × 5 convolution from 60 to 20 channels, or a 1 × 1
#    convolution from 60 to 20 followed by a 5 × 5 convolution from 20 to 20?

# %%
from course_utils.widgets import ParameterCounter

ParameterCounter("1×1 that reduces channels")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. About a hundred million times as many: 120 billion against 1,220.
# 2. By 9, apart from the biases.
# 3. The first: 60 · 20 · 25 = 30,000 for each pixel, against 60 · 20 + 20 · 20 · 25 = 11,200.
# </details>

# %% [markdown]
# ## Four windows at once
#
# How large should a window be? A detail needs 1 × 1 or 3 × 3, a larger pattern 5 × 5, and the same
# layer may meet both. An **Inception module** does not choose. It runs four **paths** on the same
# maps: 1 × 1, 3 × 3 and 5 × 5 convolutions and 3 × 3 max pooling with stride 1. All paths keep
# height and width, so their outputs can be stacked as channels. That is **concatenation**. In its
# simplest form, the module looks like this. (`ConvUnit`, a convolution with its ReLU, follows
# below.)


# %%
class NaiveInception(nn.Module):
    """Four paths without reductions: the paper's figure 2(a), a design that it does not use."""

    def __init__(self, in_channels, one, three, five, pool, batch_norm=False):
        super().__init__()
        # three and five are pairs: channels of the reduction, channels of the filters. Without
        # reductions only the second counts, and pool does not count at all.
        self.path1 = ConvUnit(in_channels, one, 1, batch_norm=batch_norm)
        self.path2 = ConvUnit(in_channels, three[1], 3, batch_norm=batch_norm)
        self.path3 = ConvUnit(in_channels, five[1], 5, batch_norm=batch_norm)
        self.path4 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.out_channels = one + three[1] + five[1] + in_channels

    def forward(self, x):
        paths = [self.path1(x), self.path2(x), self.path3(x), self.path4(x)]
        return torch.cat(paths, dim=1)  # (N, one + three + five + in_channels, H, W)


# %% [markdown]
# And this is the module that the paper uses. **Predict:** where does it differ, and why does the
# pooling path have a convolution?

# %%
from course_utils.models.googlenet import ConvUnit, Inception  # inline

# %%
row = (64, (96, 128), (16, 32), 32)  # 1x1; reduce and 3x3; reduce and 5x5; after the pool
naive, reduced = NaiveInception(192, *row), Inception(192, *row)  # GoogLeNet's first, "3a"
show(
    plot_block(naive, (192, 28, 28), title="Inception 3a without reductions"),
    "192 maps of 28 by 28 go into four paths: 1 by 1, 3 by 3 and 5 by 5 convolutions and max "
    "pooling; their 64, 128, 32 and 192 maps are concatenated into 416",
)

# %%
show(
    plot_block(reduced, (192, 28, 28), title="Inception 3a as in the paper"),
    "The same four paths, with a 1 by 1 convolution before the 3 by 3 (to 96 maps) and the 5 by 5 "
    "(to 16 maps), and one after the pooling (to 32 maps); 256 maps come out",
)

# %% [markdown]
# Concatenation neither adds nor mixes: each path's maps stay as they are, in channels of their own.
# The 1 × 1 convolutions of the next module do the mixing.

# %%
x = torch.randn(1, 192, 28, 28, generator=generator)
outputs = [reduced.path1(x), reduced.path2(x), reduced.path3(x), reduced.path4(x)]
print(" + ".join(str(path.shape[1]) for path in outputs), "=", reduced(x).shape[1], "channels")
slices = reduced(x).split([path.shape[1] for path in outputs], dim=1)
same = all(torch.equal(a, b) for a, b in zip(outputs, slices, strict=True))
expect(same, "Each path's maps are unchanged in the output.")

# %% [markdown]
# ## Naive against reduced: count
#
# **Predict, then run.** The 5 × 5 path makes only 32 of the naive module's 416 maps. What share of
# that module's work does it take? By what factor does the reduction to 16 channels shrink the work
# of this path?


# %%
def costs(module: nn.Module) -> dict[str, int]:
    """Return the multiply-adds of each path on 192 maps of 28 x 28."""
    rows = summary(module, (192, 28, 28), depth=1).rows
    return {row.name: row.multiply_adds for row in rows if row.name.startswith("path")}


kinds = ("1×1", "3×3", "5×5", "pool")
pairs = zip(kinds, costs(naive).values(), costs(reduced).values(), strict=True)
rows = [(kind, plain, small) for kind, plain, small in pairs]
rows.append(("all", sum(costs(naive).values()), sum(costs(reduced).values())))
Table(("path", "naive multiply-adds", "reduced multiply-adds"), tuple(rows))

# %%
naive_cost, reduced_cost = costs(naive), costs(reduced)
print(f"5×5 path: {naive_cost['path3'] / sum(naive_cost.values()):.0%} of the naive module's work,")
print(f"and the reduction divides it by {naive_cost['path3'] / reduced_cost['path3']:.1f}")
total = sum(reduced_cost.values())
assert total == facts.get("googlenet.inception_3a_multiply_adds").ours
facts.table("googlenet.inception_3*", caption="What the paper's table 1 prints")

# %% [markdown]
# For the whole module the factor is 2.4, which does not sound like much. But look at the number of
# output channels: 416 against 256. The pooling path of the naive module passes on all the channels
# that it receives, so the number of channels can only grow, and the next module reads all of them.
# **Predict, then run.** How much do nine modules in a row cost, naive and reduced?


# %%
def stack_costs(kind: type[nn.Module]) -> tuple[int, int]:
    """Return the last module's channels and the multiply-adds of GoogLeNet's nine modules."""
    channels, total = 192, 0
    for name, row in INCEPTION_TABLE.items():
        size = {"3": 28, "4": 14, "5": 7}[name[0]]
        with torch.device("meta"):  # counts without computing
            module = kind(channels, *row)
        total += summary(module, (channels, size, size)).multiply_adds
        channels = module.out_channels
    return channels, total


stacks = {"naive": stack_costs(NaiveInception), "reduced": stack_costs(Inception)}
for name, (channels, total) in stacks.items():
    print(f"{name:8} {channels:5,} channels at the end, {total / 1e9:5.2f} · 10⁹ multiply-adds")
ratio = stacks["naive"][1] / stacks["reduced"][1]
expect(ratio > 5, f"Nine naive modules cost {ratio:.1f} times as much as nine reduced ones.")

# %% [markdown]
# ## Naive against reduced: train
#
# Making a net cheaper is easy; does the cheaper net still learn? Here is a net for small images: a
# stem, four modules of a kind that we choose, and a head. The head will matter later: it averages
# each map down to `side` × `side` values.


# %%
class SmallNet(nn.Module):
    """A stem, four Inception modules of one kind, and a head, for images of 28 x 28 pixels."""

    def __init__(self, kind, table, side=1):
        super().__init__()
        channels, layers = 32, [ConvUnit(1, 32, 3, batch_norm=True), nn.MaxPool2d(3, 2, padding=1)]
        for name, row in table.items():
            if name == "4a":
                layers.append(nn.MaxPool2d(3, stride=2, padding=1))  # 7 px
            layers.append(kind(channels, *row, batch_norm=True))
            channels = layers[-1].out_channels
        self.body = nn.Sequential(*layers)  # (N, channels, 7, 7)
        head = [nn.AdaptiveAvgPool2d(side), nn.Flatten(), nn.Linear(channels * side**2, 10)]
        self.head = nn.Sequential(*head)

    def forward(self, images):
        return self.head(self.body(images))


# %% [markdown]
# A fair comparison needs a third net. If the naive net is better, is that because it has no
# reductions, or because it does more work? So we also build a **thin** naive net, whose paths are
# narrow enough to cost about as much as the reduced net.


# %%
def thinner(share: float) -> dict:
    """Return the small net's table with every path narrowed to a share of its channels."""
    return {
        name: (int(one * share), (0, int(three[1] * share)), (0, int(five[1] * share)), 0)
        for name, (one, three, five, _) in SMALL_TABLE.items()
    }


candidates = {
    "reduced": lambda: SmallNet(Inception, SMALL_TABLE),
    "naive": lambda: SmallNet(NaiveInception, SMALL_TABLE),
    "thin naive": lambda: SmallNet(NaiveInception, thinner(0.4)),
}
work = {name: summary(build(), (1, 28, 28)) for name, build in candidates.items()}
rows = [(name, net.parameters, net.multiply_adds) for name, net in work.items()]
Table(("net", "parameters", "multiply-adds"), tuple(rows))

# %% tags=["nbval-ignore-output"]
print(f"{settings.name} profile on {device.type}: {settings.data}, {settings.epochs} epochs")


def load(seed: int = 0) -> data.Loaders:
    """Load the images; the seed decides their order."""
    generator = seed_everything(seed)
    return data.load(settings.data, **settings.loading, device=device, generator=generator)


# %%
def train(title, build, initialise=he_normal_, epochs=settings.epochs):
    """Build and train a net, always from the same seed; return it with its history."""
    loaders = load(seed=0)
    model = initialise(build()).to(device)
    config = TrainConfig(epochs=epochs, lr=settings.lr)
    return model, fit(model, loaders, config, on_epoch_end=[LivePlot(title, chance=0.1)])


# %% [markdown]
# **Predict, then run.** Rank the three by test accuracy.

# %%
trained = {name: train(f"small GoogLeNet, {name}", build) for name, build in candidates.items()}

# %% tags=["nbval-ignore-output"]
test = load().test
accuracy = {name: evaluate(model, test).accuracy for name, (model, _) in trained.items()}
for name, value in accuracy.items():
    print(f"{name:11} {work[name].multiply_adds:11,} multiply-adds, test accuracy {value:.1%}")
expect(
    accuracy["reduced"] > accuracy["naive"] - 0.05,
    "The reduced net is at most five points behind the naive net, for about a fifth of the work.",
    trained=True,
)

# %% control="untrained weights"
seed_everything(0)
guess = evaluate(he_normal_(candidates["reduced"]()).to(device), test).accuracy
refute(
    guess > accuracy["naive"] - 0.05,
    "The reduced net is at most five points behind the naive net, for about a fifth of the work.",
)
# %% [markdown]
# The naive net's extra work gains little here. But look at the thin net, too. On these small
# images, with a few dozen channels, narrow paths without reductions do about as well for the same
# work. The nine modules above show what the reductions are for: with hundreds of channels, and a
# pooling path that passes all of them on, naive modules cost too much.
#
# ### Why does the reduction not hurt?
#
# Are the maps redundant, as we assumed? We take the maps that the second module of the trained
# naive net reads, and ask how many **directions** in their channel space hold 95 % of their
# variance. (That is a principal component analysis: each position gives one vector of channels.)


# %%
@torch.no_grad()
def directions(model: nn.Module) -> int:
    """Return how many directions hold 95 % of the variance of what the second module reads."""
    images, _ = next(iter(test))
    with capture(model.eval(), "body.2") as seen:
        model(images)
    pixels = seen.features["body.2"].movedim(1, -1).flatten(0, 2)  # (N*H*W, channels)
    spectrum = torch.linalg.svdvals(pixels - pixels.mean(dim=0)) ** 2
    return int((spectrum.cumsum(0) / spectrum.sum() < 0.95).sum()) + 1


# %% tags=["nbval-ignore-output"]
seed_everything(0)
fresh = he_normal_(candidates["naive"]()).to(device)
needed = {"trained": directions(trained["naive"][0]), "fresh weights": directions(fresh)}
print({name: f"{number} of 80 directions" for name, number in needed.items()})
expect(
    needed["trained"] < 40,
    "Fewer than half of the directions hold 95 % of the variance.",
    trained=True,
)

# %% control="each image's maps replaced by noise"
noise = torch.randn(5000, 80, generator=torch.Generator().manual_seed(0))
spectrum = torch.linalg.svdvals(noise - noise.mean(dim=0)) ** 2
of_noise = int((spectrum.cumsum(0) / spectrum.sum() < 0.95).sum()) + 1
refute(of_noise < 40, "Fewer than half of the directions hold 95 % of the variance.")

# %% [markdown]
# So the maps *are* redundant: 80 independent maps would need about 76 directions. But look at the
# net with fresh weights. Its maps are about as redundant, and nobody has trained it. That is
# plausible: filters that read the same few maps, on images whose neighbouring pixels agree, tend to
# respond alike whatever their weights are. Without that second number we would have called the
# redundancy something that the net has *learned*. Whenever you look into a trained net, ask what
# fresh weights would show.

# %% [markdown]
# ## The mean of a map instead of linear layers
#
# VGG's first linear layer reads 512 maps of 7 × 7, and this layer alone has more than 100 million
# parameters. The network in network ends differently: its last mlpconv makes **one map for each
# class**, and the mean of that map is the class's logit. That is **global average pooling**, which
# has no parameters at all. GoogLeNet also takes the means, and adds one linear layer that reads the
# 1,024 means and makes the logits.

# %%
nin = models.build("nin_small", in_channels=1, num_classes=10).eval()
class_maps = nin.features(torch.zeros(1, 1, 28, 28))  # (1, 10, 7, 7)
print("NiN: maps", tuple(class_maps.shape), "→ logits", tuple(class_maps.mean(dim=(2, 3)).shape))
averaged, flattened = (1024 + 1) * 1000, (1024 * 7 * 7 + 1) * 1000
print(f"GoogLeNet's head: {averaged:,} parameters; if it read all 7 × 7 positions: {flattened:,}")
print(
    "top-1 accuracy gained by the mean, in the paper:", facts.get("googlenet.average_pooling_gain")
)

# %% [markdown]
# **Predict, then run.** Here is our reduced net again, once with `side=1`, the mean, and once with
# `side=7`, a dense head that reads every position. Which has better accuracy on Fashion-MNIST,
# where each garment is centred and upright and fills the image? (In the plot, a triangle at the top
# marks a value beyond the axis, and is labelled with that value.)

# %%
dense, _ = train("small GoogLeNet, dense head", lambda: SmallNet(Inception, SMALL_TABLE, side=7))
average = trained["reduced"][0]

# %% [markdown]
# Now we move the test images a few pixels to the right and down. (What leaves the frame is lost;
# background fills the gap.) Neither net has seen such images. **Predict, then run.** Which net
# suffers more?


# %%
@torch.no_grad()
def shifted_accuracy(model: nn.Module, batches: data.Batches, pixels: int) -> float:
    """Return the accuracy on images moved right and down by some pixels."""
    model.eval()
    num_right = 0
    for images, labels in batches:
        background, size = float(images.min()), images.shape[-1]
        moved = F.pad(images, (pixels, 0, pixels, 0), value=background)[..., :size, :size]
        num_right += int((model(moved).argmax(dim=1) == labels).sum())
    return num_right / batches.num_images


# %% tags=["nbval-ignore-output"]
shifts = (0, 2, 4)
kept = {
    name: [shifted_accuracy(model, test, pixels) for pixels in shifts]
    for name, model in {"average": average, "dense": dense}.items()
}
for name, values in kept.items():
    print(f"{name:8}", ", ".join(f"{p} px: {v:.1%}" for p, v in zip(shifts, values, strict=True)))
expect(
    kept["dense"][0] - kept["dense"][2] > kept["average"][0] - kept["average"][2] + 0.1,
    "A shift of four pixels costs the dense head over ten points more than the average.",
    trained=True,
)

# %% control="untrained weights"
still = {}
for name, side in (("average", 1), ("dense", 7)):
    seed_everything(0)
    guessing = he_normal_(SmallNet(Inception, SMALL_TABLE, side=side)).to(device)
    still[name] = [shifted_accuracy(guessing, test, pixels) for pixels in shifts]
refute(
    still["dense"][0] - still["dense"][2] > still["average"][0] - still["average"][2] + 0.1,
    "A shift of four pixels costs the dense head over ten points more than the average.",
)

# %% [markdown]
# The dense head can use *where* something is. On centred garments that does no harm: on images that
# are not shifted, the dense head does at least as well as the mean in our short run. What the dense
# head has learned, however, is tied to the positions that it has seen. The subject of a photo is
# not always centred. For photos, a head that cannot overfit to positions is the safer choice; the
# paper measured a gain from the mean. Another advantage of the mean shows without any training: it
# accepts images of another size.

# %%
larger = torch.zeros(1, 1, 40, 40, device=device)
averaging = SmallNet(Inception, SMALL_TABLE).to(device).eval()
print("mean of each map:", tuple(averaging(larger).shape))
reading_all = nn.Sequential(nn.Flatten(), nn.Linear(144 * 7 * 7, 10)).to(device)
try:
    reading_all(averaging.body(larger))
except RuntimeError as error:
    print("every position:  ", str(error).split(":")[-1].strip())

# %% [markdown]
# ## The whole net
#
# GoogLeNet has a stem like those of older nets, and then nine Inception modules, with max pooling
# twice in between to halve height and width. The figure is drawn from the model itself:

# %%
whole = summarise("googlenet", depth=2, aux_heads=False)
shapes = {row.name: row.output_shape for row in whole.rows}
stages = [("stem", shapes["stem.6"])]
for name in INCEPTION_TABLE:
    if name == "4a":
        stages.append(("pool", shapes["pool3"]))
    if name == "5a":
        stages.append(("pool", shapes["pool4"]))
    stages.append((name, shapes[f"inception.{name}"]))
stages.append(("classifier", (1000, 1, 1)))
show(
    plot_architecture(stages, (3, 224, 224), title="GoogLeNet"),
    "GoogLeNet from left to right: a stem that makes 192 maps of 28 by 28, modules 3a and 3b, "
    "pooling, 4a to 4e at 14 by 14, pooling, 5a and 5b at 7 by 7 with 1,024 maps, the classifier",
)

# %%
facts.table("googlenet.parameters*", "googlenet.multiply_adds")

# %% [markdown]
# Two remarks in that table deserve a second look. One is the budget: the designers allowed
# themselves 1.5 · 10⁹ multiply-adds and nearly kept to it, at less than a tenth of VGG-19's work.
# The other is **torchvision's variant**: if you load `googlenet` from that library, you get batch
# normalisation instead of biases, and a 3 × 3 convolution where the paper has 5 × 5. The 3 × 3 is a
# slip in the port that it was copied from, and stayed because the trained weights depend on it. If
# you report a result, say which variant you used.

# %%
original = Inception(192, *row)
port = models.build("googlenet", variant="torchvision", aux_heads=False).inception["3a"]
for name, module in {"paper": original, "torchvision": port}.items():
    sizes = [m.kernel_size[0] for m in module.path3.modules() if isinstance(m, nn.Conv2d)]
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())
    print(f"{name:12} “5×5” path: kernels {sizes}, {norms} batch normalisations in the module")

# %% [markdown]
# ### Why no Inception in the first layers?

# %%
print(facts.trap("inception_not_early"))

# %% [markdown]
# What counts here is the memory for outputs that must be kept until the backward pass needs them.
# `training_memory` adds it up. **Predict, then run.** Take the same module on 28 × 28 maps, where
# GoogLeNet has its first one, and on 112 × 112 maps, right after the first convolution. How many
# times as much memory does it need there?

# %%
memory = {}
for size in (28, 56, 112):
    with torch.device("meta"):  # counts without computing
        module, maps = Inception(64, *row), torch.zeros(32, 64, size, size)
    memory[size] = training_memory(module, maps).saved
    print(f"{size:3} × {size:<3} {memory[size] / 1e6:7.1f} MB for 32 images")
expect(
    memory[112] == 16 * memory[28], "Sixteen times as many positions take sixteen times the memory."
)

# %% [markdown]
# ## Auxiliary heads
#
# A gradient that has passed back through 22 layers may be weak when it reaches the first. So the
# paper attaches two small classifiers partway through the net, after modules 4a and 4d. During
# training their losses are added with a weight:
#
# $$L = L_\text{main} + w\,(L_\text{aux 1} + L_\text{aux 2})$$
#
# At test time the heads are thrown away.

# %%
facts.table("googlenet.head*")

# %%
from course_utils.models.googlenet import AuxiliaryHead  # inline

# %% [markdown]
# The model returns three sets of logits in training mode, and only the main ones in evaluation
# mode. `fit` accepts such outputs and weights the heads by `TrainConfig.auxiliary_weight`.
# **Predict, then run.** What share of the parameters disappears when you remove the two heads?

# %%
with torch.device("meta"):
    googlenet = models.build("googlenet", num_classes=10)
    images = torch.zeros(2, 3, 224, 224)
    in_training, in_evaluation = googlenet.train()(images), googlenet.eval()(images)
print("training:  ", {name: tuple(out.shape) for name, out in in_training._asdict().items()})
print("evaluation:", tuple(in_evaluation.shape))
print("weight of each head in `fit`:", TrainConfig().auxiliary_weight)

# %%
all_parameters = summarise("googlenet").parameters
heads = [summary(AuxiliaryHead(channels, 1000), (channels, 14, 14)) for channels in (512, 528)]
in_heads = sum(head.parameters for head in heads)
print(
    f"the two heads hold {in_heads:,} of {all_parameters:,} parameters: "
    f"{in_heads / all_parameters:.0%}"
)
without = facts.get("googlenet.parameters").ours
expect(all_parameters - in_heads == without, f"Without the heads, {without:,} parameters are left.")

# %% [markdown]
# ### What a head does to the gradient
#
# To measure what a head does, we build a narrow net of nine modules with one head after the third,
# without any normalisation and with the initial weights that were usual at the time (Glorot's, from
# lesson 09). A model with several outputs returns a `NamedTuple` whose first field is `logits`.


# %%
class Outputs(NamedTuple):
    """What the deep net returns in training."""

    logits: torch.Tensor
    aux: torch.Tensor


def small_head() -> nn.Sequential:
    """Return a small auxiliary head: pool, 1x1, two linear layers with dropout between them."""
    reduce = [nn.AdaptiveAvgPool2d(4), ConvUnit(56, 32, 1), nn.Flatten()]  # (N, 512)
    return nn.Sequential(*reduce, nn.Linear(512, 64), nn.ReLU(), nn.Dropout(0.7), nn.Linear(64, 10))


# %%
class DeepNet(nn.Module):
    """A stem and nine narrow modules on 7 x 7 maps, with or without a head after the third."""

    def __init__(self, with_head: bool):
        super().__init__()
        self.stem = nn.Sequential(ConvUnit(1, 32, 3, stride=2), nn.MaxPool2d(3, 2, padding=1))
        row = SMALL_TABLE["3a"]  # 56 channels come out
        self.lower = nn.Sequential(*[Inception(c, *row) for c in (32, 56, 56)])
        self.upper = nn.Sequential(*[Inception(56, *row) for _ in range(6)])
        self.head = small_head() if with_head else None
        self.classifier = nn.Linear(56, 10)

    def forward(self, images):
        x = self.lower(self.stem(images))  # (N, 56, 7, 7)
        logits = self.classifier(self.upper(x).mean(dim=(2, 3)))
        both = self.training and self.head is not None
        return Outputs(logits, self.head(x)) if both else logits


# %% [markdown]
# **Predict, then run.** We take a fresh net and one batch, and measure the norm of the gradient at
# each module, once for the main loss alone and once with the head's loss added. Where do the two
# curves differ, and where can't they?


# %%
def with_head(outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
    """Return the main loss and 0.3 times the head's."""
    main, head = (F.cross_entropy(logits, labels) for logits in outputs)
    return main + 0.3 * head


# %%
images, labels = next(iter(load(seed=0).train))
fresh = glorot_uniform_(DeepNet(with_head=True)).to(device)
blocks = ["stem", *[f"lower.{i}" for i in range(3)], *[f"upper.{i}" for i in range(6)]]
off = gradient_norms(fresh, images, labels, layers=blocks)
on = gradient_norms(fresh, images, labels, layers=blocks, loss=with_head)
show(
    plot_by_depth({"main loss only": off, "with the auxiliary head": on}, "norm of the gradient",
                  xlabel="module (0: stem; the head reads module 3)", first=0),
    "Norm of the gradient by depth: after the third module the two curves coincide; up to it the "
    "curve with the head is several times higher",
)  # fmt: skip

# %% tags=["nbval-ignore-output"]
print(f"at the first layer: {off['stem']:.1e} without the head, {on['stem']:.1e} with it")
same = all(abs(on[name] - off[name]) < 1e-6 for name in blocks if name.startswith("upper"))
expect(same, "Above the head the gradient is the same.")
expect(
    on["stem"] > 1.5 * off["stem"],
    "The head makes the first layer's gradient more than 1.5 times as large.",
)

# %% [markdown]
# The head's loss does not depend on the modules above the head, so nothing changes there. Below it,
# the gradient has a second, shorter path back to the first layer.
#
# At test time the head is not used. We throw it away, and the predictions stay the same:

# %%
fresh.eval()
with torch.no_grad():
    before = fresh(images)
    fresh.head = None
    after = fresh(images)
expect(torch.equal(before, after), "Without its head the net predicts exactly the same.")

# %% [markdown]
# The heads were built to give the first layers a stronger gradient. Is that also why GoogLeNet
# trained well? The authors returned to the question a year later, with batch normalisation in their
# nets:

# %%
print(facts.get("googlenet.heads_later"))

# %% [markdown]
# So "auxiliary heads solve the vanishing gradient" is the idea behind the heads, not something that
# the authors measured. We have not measured it either: our net has not been trained.
#
# **Try it.** Train both: `train("no head", lambda: DeepNet(False), glorot_uniform_, 15)` and the
# same with `True`. (In five epochs hardly any of these nets starts to learn.) When a net starts, and
# whether it later falls back to guessing, depends a lot on the seed, so train with three seeds each
# before you believe a difference. (To change the seed, edit `load(seed=0)` in `train`.)

# %% [markdown]
# ## Recorded runs
#
# Here are our small GoogLeNet and a small VGG, both with batch normalisation and without dropout:
# 3,000 training images, four epochs, three seeds each. Each net was trained at the learning rate
# that did best on the validation set in a run of its own.

# %%
names = ("inception_vgg", "inception_googlenet")
nets = {name: records.load(name) for name in names}
for found in nets.values():
    print(f"{found.title}: rate {found.lr} (validation by rate: {found.tried})")
records.table(*names)

# %%
show(
    plot_records({found.title: found for found in nets.values()}),
    "Validation accuracy of the small VGG and the small GoogLeNet over four epochs, mean of three "
    "seeds with a band of one standard deviation: VGG is far ahead after the first epoch, and the two "
    "end level",
)
lead = records.compare(nets["inception_googlenet"], nets["inception_vgg"])
expect(not lead.is_clear, "The interval of the difference contains 0.")

# %% [markdown]
# With about a seventh of the parameters, the small GoogLeNet is as accurate as VGG after these four
# epochs, as far as three seeds can tell. It takes more than twice as long to train. Look at the
# trial runs, too: at VGG's best rate, GoogLeNet was three points behind. If two nets share one
# learning rate, you may be measuring how well that rate suits each of them.
#
# **Predict, then run.** Now both with the dropout of their papers, again each at its best rate.
# GoogLeNet has dropout 0.4 before its only linear layer, VGG 0.5 after each of two linear layers.
# Which is ahead now, and why?

# %%
names = ("dropout_vgg", "dropout_googlenet")
records.table(*names)

# %%
for name in names:
    without = nets[name.replace("dropout", "inception")]
    print(f"{without.title}: dropout changes {records.compare(records.load(name), without)}")

# %% [markdown]
# GoogLeNet is ahead by far. That looks like a victory of the modules. But without dropout the two
# were level. What you see is mostly what VGG's dropout costs in a training of four epochs.
#
# **On a GPU** you can train the small net on CIFAR-10, from the command line:
#
# ```
# python -m course_utils train googlenet_small --data cifar10 --epochs 30 --crop 4 --flip
# ```
#
# And you can train the paper's net on a folder of your own photos, in a notebook:
#
# ```python
# photos = data.load("imagefolder:photos", batch_size=64, image_size=224, device=device)
# model = models.build("googlenet", num_classes=photos.info.num_classes).to(device)
# fit(model, photos, TrainConfig(epochs=60))
# ```
#
# We have not trained either of them. This is what the paper reports on ImageNet:

# %%
facts.table("googlenet.top5*")

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("10_googlenet")

# %% [markdown]
# ## What to remember
#
# - A 1 × 1 convolution is a linear layer over the channels, the same at each pixel: it mixes them
#   and changes their number.
# - An Inception module runs four paths on the same maps and concatenates their outputs. Its
#   reductions keep that affordable when there are many channels.
# - Global average pooling replaces the linear layers that held most of the parameters, and accepts
#   images of any size.
# - The deepest of our three nets has the fewest parameters: 7.0 million, between an eighth and a
#   ninth of AlexNet's, not a twelfth.
# - Auxiliary heads give the gradient a second path; their losses have weight 0.3 in training, and
#   the heads are gone at test time. Whether they help depends on the net: Lee et al. (2015)
#   measured gains with heads on hidden layers, and Szegedy et al. (2016) found that their net did
#   as well without the lower head.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. The paper's table 1 gives every module its own numbers of channels. How would you find such
#    numbers today, and how would you know that they are better than one rule for all modules?
# 2. Four paths, or one path with four times the filters: what would a fair comparison hold fixed?
# 3. A mean over the map discards where something is. For which tasks does that hurt?

# %% [markdown]
# ## Further reading
#
# - M. Lin, Q. Chen, S. Yan: *Network in network*. ICLR 2014.
# - C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke, A.
#   Rabinovich: *Going deeper with convolutions*. CVPR 2015. Section 4 has the module, section 5 the
#   net and its heads.
# - C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna: *Rethinking the Inception architecture
#   for computer vision*. CVPR 2016. Section 4 revises what the heads are for.
# - C.-Y. Lee, S. Xie, P. Gallagher, Z. Zhang, Z. Tu: *Deeply-supervised nets*. AISTATS 2015. The
#   case for such heads.
#
# **Exercise** {exercise}
#
# **Next** comes lesson 11, normalisation: why deep plain nets do not start, and two ways to make
# them start.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | network in network | 네트워크 속의 네트워크 | a small MLP that slides over the image |
# | 1 × 1 convolution | 1×1 합성곱 | linear layer over the channels at each pixel |
# | dimension reduction | 차원 축소 | fewer channels that keep most of the information |
# | concatenation | 연결 | joining maps as channels of one tensor |
# | path | 경로 | one of the parallel branches of a module |
# | global average pooling | 전역 평균 풀링 | the mean of each map |
# | auxiliary classifier | 보조 분류기 | a head partway through the net, used in training only |
# | multiply-add | 곱셈-덧셈 | a product, added to a sum |
