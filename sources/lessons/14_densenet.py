# %% [markdown]
# # 14 · DenseNet: keep everything, side by side
#
# **After this lesson you can**
# - say what concatenation keeps that addition loses, and write a dense block;
# - follow the channels through a DenseNet by hand: growth rate, bottleneck, transition,
#   compression;
# - read a feature-reuse map, and say what it does and does not show;
# - explain why a net with few parameters can need a lot of memory, and what you pay when
#   checkpointing saves some of it.
#
# **Time** 60 minutes to read and try, of which training takes about two minutes on a laptop.
#
# **Builds on** 10 (concatenation, 1 × 1 reductions) and 13 (ResNet).

# %% [markdown]
# ## The question
#
# A residual block **adds** what it computes to its input:
#
# $$x_\ell = H_\ell(x_{\ell-1}) + x_{\ell-1}$$
#
# So there is one stream of maps, and every block writes into it. You cannot separate what the third
# block added from what the tenth block added later, and a later block that needs a clean copy of an
# early map has none. Could each layer pass its maps on **unchanged**, to all layers that come after
# it?

# %%
import time

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from course_utils import data, facts, models
from course_utils.arithmetic import conv_multiply_adds
from course_utils.inspection import feature_reuse, summarise, summary, training_memory
from course_utils.models.densenet import IMAGENET, MemoryEfficientDenseLayer

generator = torch.Generator().manual_seed(0)

# %%
from course_utils.plots import (
    LivePlot,
    plot_architecture,
    plot_block,
    plot_feature_reuse,
    plot_histories,
    plot_records,
    show,
)
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.tables import Table
from course_utils.training import TrainConfig, evaluate, fit, records

settings = profile("14_densenet")
device = choose_device()

# %% [markdown]
# **Predict, then run.** Two layers put out $a$ and $b$, maps of the same size. You get either $a +
# b$ or the concatenation $[a, b]$. From which result can you recover $a$? And which 1 × 1
# convolution turns $[a, b]$ into $a + b$?

# %%
a, b = torch.randn(2, 1, 16, 8, 8, generator=generator)  # each (1, 16, 8, 8)
added, side_by_side = a + b, torch.cat([a, b], dim=1)  # 16 and 32 channels
print("addition:", tuple(added.shape), " concatenation:", tuple(side_by_side.shape))
expect(torch.equal(side_by_side[:, :16], a), "The concatenation contains the maps a.")

adds = nn.Conv2d(32, 16, kernel_size=1, bias=False)
with torch.no_grad():
    adds.weight.copy_(torch.cat([torch.eye(16), torch.eye(16)], dim=1)[:, :, None, None])
same = torch.allclose(adds(side_by_side), added, atol=1e-5)
expect(same, "One choice of 1 × 1 weights turns concatenation into addition.")

# %% [markdown]
# Concatenation loses nothing, and a learned 1 × 1 convolution can still add, if adding is best. The
# price is that the channels pile up.
#
# ## The dense block
#
# In a **dense block**, layer $\ell$ reads the concatenated outputs of *all* layers before it:
#
# $$x_\ell = H_\ell([x_0, x_1, \dots, x_{\ell-1}])$$
#
# Every $H_\ell$ makes the same small number of new maps, the **growth rate** $k$. So layer $\ell$
# reads $k_0 + (\ell - 1)\,k$ maps, where $k_0$ is the number of maps that enter the block. A chain
# of $L$ layers has $L$ connections; a dense block has
#
# $$1 + 2 + \dots + L = \frac{L(L+1)}{2}$$
#
# The size of the maps must stay the same inside a block: you cannot concatenate maps of different
# sizes.

# %%
from course_utils.models.densenet import DenseLayer  # inline

# %% [markdown]
# Note the order inside the layer: batch normalisation and ReLU come *before* the convolution, as in
# the pre-activation ResNet. Each layer has its own normalisation of the maps that it reads. What
# `bottleneck` adds is the subject of the next section.

# %%
layer = DenseLayer(24 + 12, growth_rate=12, bottleneck=False)
x0, x1 = torch.randn(1, 24, 32, 32), torch.randn(1, 12, 32, 32)  # the block's input; layer 1's maps
print("layer 2 reads 24 + 12 maps and makes", layer([x0, x1]).shape[1])

# %% [markdown]
# The block itself only collects the maps in a list:

# %%
from course_utils.models.densenet import DenseBlock  # inline

# %% [markdown]
# **Predict, then run.** 24 maps enter a block of four layers with $k = 12$. How many maps does each
# layer read, and how many does the block put out?

# %%
block = DenseBlock(24, num_layers=4, growth_rate=12, bottleneck=False)
for number, layer in enumerate(block.layers, start=1):
    print(f"layer {number} reads {layer.wide[0].num_features} maps, makes 12")
print("the block puts out", block.out_channels)
reads = [layer.wide[0].num_features for layer in block.layers]
expect(reads == [24 + ell * 12 for ell in range(4)], "Layer ℓ reads k₀ + (ℓ − 1) k maps.")

# %%
show(
    plot_block(
        DenseBlock(24, 2, 12, bottleneck=False), (24, 32, 32), title="Two layers of a dense block"
    ),
    "24 maps come in; the first layer makes 12 from them, which are concatenated with the input; "
    "the second layer makes 12 from all 36; the output is all 48",
)

# %% [markdown]
# Nothing is ever overwritten. The block's output contains its input and every layer's maps,
# unchanged to the last bit:

# %%
x = torch.randn(2, 24, 32, 32, generator=generator)
with torch.no_grad():
    out = block.eval()(x)
    first = block.layers[0]([x])
expect(torch.equal(out[:, :24], x), "The input is in the output.")
expect(torch.equal(out[:, 24:36], first), "So are the first layer's maps.")

# %% [markdown]
# So the classifier after the last block reads the maps of every layer of that block directly, and
# each of these layers gets a gradient straight from the classifier.

# %% [markdown]
# ## Bottleneck: 4k
#
# A late layer in a block reads hundreds of maps and makes a dozen. A 3 × 3 convolution on all of
# them is the kind of waste that we met in lesson 10, and the cure is the same: a 1 × 1 convolution
# first, which reduces the input to $4k$ maps.

# %%
print(facts.get("densenet.bottleneck"))

# %% [markdown]
# **Predict, then run.** With $k = 12$ the bottleneck reduces to 48 maps. For a layer that reads
# *fewer* than 48, that is no reduction at all. How many maps must a layer read before the
# bottleneck saves work?

# %%
growth = 12
rows = []
for reads in (24, 48, 72, 96, 192, 384):
    alone = conv_multiply_adds(reads, growth, k=3, out=1)
    first = conv_multiply_adds(reads, 4 * growth, k=1, out=1)
    both = first + conv_multiply_adds(4 * growth, growth, k=3, out=1)
    rows.append((reads, alone, both, round(alone / both, 2)))
Table(("maps read", "3×3 alone", "1×1 to 4k, then 3×3", "3×3 alone / with 1×1"), tuple(rows))

# %% [markdown]
# At each position, a layer that reads $c$ maps takes $9\,c\,k$ multiply-adds without the
# bottleneck, and $4\,c\,k + 36\,k^2$ with it. The two are equal at $c = 7.2\,k$, here between 72
# and 96 maps. The saving grows towards a factor of $9/4$, and no further. Here is one layer with
# its bottleneck:

# %%
show(
    plot_block(DenseLayer(96, 12), [(96, 32, 32)], title="A layer with a bottleneck, k = 12"),
    "96 maps go through batch normalisation, ReLU and a 1 by 1 convolution to 48 maps, then "
    "through batch normalisation, ReLU and a 3 by 3 convolution to 12 maps",
)

# %% [markdown]
# ## Transition and compression
#
# Between two blocks comes a **transition**, which makes the maps smaller so that the next block can
# see larger patterns:

# %%
print(facts.get("densenet.transition"))

# %%
from course_utils.models.densenet import Transition  # inline

# %%
thin = Transition(216, 108)
print((216, 32, 32), "→", tuple(thin(torch.zeros(1, 216, 32, 32)).shape[1:]))

# %% [markdown]
# The 1 × 1 convolution of the transition also reduces the number of maps, from $m$ to
# $\lfloor \theta m \rfloor$. The factor $\theta$ is the **compression**. A DenseNet with
# bottlenecks is called DenseNet-B, one with $\theta < 1$ DenseNet-C, and one with both
# **DenseNet-BC**. These are its settings in the paper:

# %%
facts.table("densenet.compression", "densenet.first_maps")

# %% [markdown]
# **Predict, then run.** DenseNet-BC for CIFAR has 100 layers and $k = 12$: three blocks of 16
# layers, and 24 maps after the first convolution. Follow the channels by hand through blocks and
# transitions. How many does the classifier read?

# %%
channels, trace = 24, ["24"]
for number in range(3):
    channels += 16 * 12  # 16 layers add k maps each
    trace.append(f"block {number + 1}: {channels}")
    if number < 2:
        channels = channels // 2  # the transition makes half as many
        trace.append(f"transition: {channels}")
print(" → ".join(trace))
model = models.build("densenet_bc100")
expect(model.classifier.in_features == channels, "The classifier reads just as many.")

# %% [markdown]
# Why 100? Each of the 48 layers in the blocks has two convolutions; add two transitions, the first
# convolution and the classifier: $2 \cdot 48 + 2 + 1 + 1 = 100$.
#
# ## Three blocks, or four?

# %%
print(facts.trap("densenet_three_blocks"))

# %% [markdown]
# For images of 32 × 32, three sizes of maps are enough: 32, 16, 8. For 224 × 224, the stem halves
# height and width twice, and four blocks work on maps 56, 28, 14 and 7 pixels wide. The figure is
# drawn from the model:


# %%
shapes = {row.name: row.output_shape for row in summarise("densenet121", depth=2).rows}
stages = [("stem", shapes["stem.3"])]
for i in range(7):
    label = "transition" if i % 2 else f"block {i // 2 + 1}"
    stages.append((label, shapes[f"blocks.{i}"]))
stages.append(("classifier", (1000, 1, 1)))
show(
    plot_architecture(stages, (3, 224, 224), title="DenseNet-121"),
    "DenseNet-121 from left to right: a stem that makes 64 maps of 56 by 56, then four blocks that "
    "widen to 256, 512, 1,024 and 1,024 maps, with transitions between them that halve "
    "both the number and the size of the maps",
)

# %%
rows = [
    (f"DenseNet-{depth}", str(blocks), summarise(f"densenet{depth}").parameters)
    for depth, blocks in IMAGENET.items()
]
Table(("net", "layers in the four blocks", "parameters"), tuple(rows))

# %% [markdown]
# ## Growth rate: how few new maps are enough?
#
# Twelve new maps per layer sounds like very few; VGG's layers make hundreds. But a layer need not
# repeat what is already there; it only adds what is missing. How many new maps does that take? We
# train three small DenseNet-BCs of 16 layers that differ in $k$ only.
#
# **Predict, then run.** We set $k$ to 4, 8 and 16. By about what factor do the parameters grow from
# one to the next? What happens to the training loss?


# %%
def build(growth_rate: int) -> nn.Module:
    """Return an untrained DenseNet-BC of 16 layers for grey images."""
    return models.build(
        "densenet_small", in_channels=1, num_classes=10, depth=16, growth_rate=growth_rate
    )


sizes = {k: summary(build(k), (1, 28, 28)) for k in (4, 8, 16)}
rows = [(k, size.parameters, size.multiply_adds) for k, size in sizes.items()]
Table(("growth rate", "parameters", "multiply-adds"), tuple(rows))

# %% tags=["nbval-ignore-output"]
print(f"{settings.name} profile on {device.type}: {settings.data}, {settings.epochs} epochs")


def train(title: str, model_of, **options: int) -> tuple[nn.Module, object]:
    """Build a model and train it, always from the same seed."""
    generator = seed_everything(0)
    loaders = data.load(settings.data, **settings.loading, device=device, generator=generator)
    model = model_of(**options).to(device)
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
    return model, fit(model, loaders, config, on_epoch_end=[LivePlot(title, chance=0.1)])


# %%
trained = {k: train(f"growth rate {k}", build, growth_rate=k) for k in (4, 8, 16)}

# %%
show(
    plot_histories({f"k = {k}": history for k, (_, history) in trained.items()}, "train_loss"),
    "Training loss over the epochs for growth rates of 4, 8 and 16: the larger the growth rate, "
    "the lower the loss",
)

# %% tags=["nbval-ignore-output"]
losses = {k: history.column("train_loss")[-1] for k, (_, history) in trained.items()}
for k, loss in losses.items():
    print(f"k = {k:2}: {sizes[k].parameters:7,} parameters, training loss {loss:.3f}")
expect(
    losses[16] < losses[4] - 0.1,
    "With k = 16 the net fits its training images better than with k = 4.",
    trained=True,
)

# %% control="untrained weights"
val = data.load(settings.data, batch_size=250, device=device, limit=settings.limit or None).val
guesses = {k: evaluate(build(k).to(device), val).loss for k in (4, 16)}
refute(
    guesses[16] < guesses[4] - 0.1,
    "With k = 16 the net fits its training images better than with k = 4.",
)

# %% [markdown]
# That is one short run for each $k$. The recorded runs with $k$ = 4 and 8 have three seeds, six
# epochs, and for each $k$ the learning rate that did best on the validation set. **Predict:** how
# much test accuracy does doubling the growth rate gain?

# %%
growth_runs = {f"k = {k}": records.load(f"densenet_growth_{k}") for k in (4, 8)}
show(
    plot_records(growth_runs, "val_accuracy", "validation accuracy"),
    "Recorded validation accuracy over the epochs for growth rates of 4 and 8, mean of three "
    "seeds: the curve of 8 ends higher",
)
records.table("densenet_growth_4", "densenet_growth_8")

# %%
gain = records.compare(growth_runs["k = 8"], growth_runs["k = 4"])
print(f"doubling k gains {gain}, for nearly four times the parameters")
expect(gain.low > 0, "The whole interval of the gain is above 0.")

# %% [markdown]
# ## Do the layers really reuse features?
#
# A layer *may* read all earlier maps. Does it? The paper looks at the weights. For each pair of a
# source $s$ and a reader $\ell$ it takes the mean absolute weight with which $\ell$ reads the maps
# of $s$:

# %%
print(facts.get("densenet.reuse_measure"))

# %% [markdown]
# `feature_reuse` computes it: the mean of $|w|$ over the source's maps, the reader's filters and
# the positions of the kernel. With a bottleneck, the 1 × 1 convolution is the reader. In the figure
# each column is divided by its largest value, so compare the *sources of one reader*, never two
# readers with each other.
#
# For this figure we train a deeper net with $k = 8$: it has 28 layers, with four dense layers, of
# two convolutions each, in each block.
#
# **Predict, then run.** If each layer read only the maps of the layer right before it, where would
# the bright cells be? Where would they be if it read all layers equally?

# %%
deep, _ = train(
    "28 layers, k = 8",
    lambda: models.build("densenet_small", in_channels=1, num_classes=10, depth=28),
)

# %%
maps = feature_reuse(deep)
show(
    plot_feature_reuse(maps),
    "Three triangles, one for each dense block: rows are the layers that made the maps, columns "
    "those that read them; no cell is near zero, and the last columns are the transitions and the "
    "classifier",
)


# %% [markdown]
# The cells are bright everywhere: every layer seems to read every earlier one. Before you believe
# it, ask for what should stand beside every figure of a trained net: the same figure for an
# untrained one.
#
# **Predict, then run.** What will the figure look like for a net of this shape that has never seen
# an image?

# %%
seed_everything(1)
fresh = models.build("densenet_small", in_channels=1, num_classes=10, depth=28)
fresh_maps = feature_reuse(fresh)
show(
    plot_feature_reuse(fresh_maps),
    "The same three triangles for an untrained net: they are bright everywhere, too",
)


# %% tags=["nbval-ignore-output"]
def earlier_share(block) -> float:
    """Return the mean weight for all sources but the newest, over that for the newest."""
    newest = block.weights.diagonal()[1:]  # layer l reads what layer l - 1 made
    older = block.weights.triu(diagonal=1)[:, 1:]
    count = torch.arange(1, len(newest) + 1)
    return float((older.nansum(dim=0) / count / newest).mean())


print("weight for older maps / for the newest: trained, untrained")
shares = [(earlier_share(a), earlier_share(b)) for a, b in zip(maps, fresh_maps, strict=True)]
for number, (after, before) in enumerate(shares, start=1):
    print(f"block {number}: {after:.2f}, {before:.2f}")
moved = max(abs(after - before) for after, before in shares)
expect(moved < 0.15, "Training moved these ratios by less than 0.15.", trained=True)

# %% control="older maps are not read"
for block_map in maps:
    block_map.weights.masked_fill_(torch.ones_like(block_map.weights).triu(1).bool(), 0.0)
blind = max(abs(earlier_share(one) - old) for one, (_, old) in zip(maps, shares, strict=True))
refute(blind < 0.15, "Training moved these ratios by less than 0.15.")

# %% [markdown]
# So the brightness in the first figure was there before training. The initial weights are drawn
# from one distribution for all sources of a reader, and a few epochs hardly change their mean size.
# This figure cannot show whether features are reused. The paper's net was trained for 300 epochs
# with weight decay, which can shrink what is not needed; its figure has structure that ours lacks.
# Remember the trap: a measurement on a trained net says something about training only next to the
# same measurement on an untrained one.
#
# Even where weights have moved, a weight says how strongly a map is *read*, not how much the
# prediction would suffer without it. So we ask a stronger question: if we take a source's maps away
# from **all** later readers (and leave only the mean of each map), how accurate is the net then?


# %%
@torch.no_grad()
def accuracy_without(model: nn.Module, batches: data.Batches, number: int, layer: int) -> float:
    """Return the accuracy if one layer of a block passes on only the mean of each of its maps."""
    chosen = model.blocks[2 * number].layers[layer]  # between two blocks is a transition

    def silence(module, args, output):
        return output.mean(dim=(0, 2, 3), keepdim=True).expand_as(output)

    handle = chosen.register_forward_hook(silence)
    try:
        return evaluate(model, batches).accuracy
    finally:
        handle.remove()


# %% tags=["nbval-ignore-output"]
val = data.load(settings.data, batch_size=250, device=device, limit=settings.limit or None).val
whole = evaluate(deep, val).accuracy
print(f"accuracy of the whole net: {whole:.1%} on the validation images")
for number in range(3):
    left = [accuracy_without(deep, val, number, layer) for layer in range(4)]
    print(f"without one layer of block {number + 1}:", ", ".join(f"{share:.1%}" for share in left))

# %% [markdown]
# This test does show a difference: an untrained net has no accuracy to lose, and in the trained one
# not every layer is needed equally. Silence a layer of the first block, on which all later ones
# were built, and much of the accuracy is gone; silence the last layers of the last block, and
# little happens. Being read and being needed are two different things. (The accuracies vary with
# the seed; look at the pattern.)
#
# ## Parameters against ResNet
#
# Reuse is meant to save parameters. Here are the papers' results on CIFAR-10 with augmentation, and
# our counts:

# %%
nets = [
    ("ResNet-110", "resnet110", "cifar_parameters"),
    ("DenseNet, 40 layers, k = 12", "densenet40", "parameters"),
    ("DenseNet-BC, 100 layers, k = 12", "densenet_bc100", "parameters"),
]
counted = {name: summarise(name) for _, name, _ in nets}
rows = []
for title, name, key in nets:
    printed, error = facts.get(f"{name}.{key}"), facts.get(f"{name}.cifar_error")
    size = counted[name]
    rows.append((title, printed.text, size.parameters, size.multiply_adds, error.text))
Table(("net", "paper", "counted", "multiply-adds", "test error (paper)"), tuple(rows))

# %%
small, large = counted["densenet_bc100"], counted["resnet110"]
print(f"ResNet-110 has {large.parameters / small.parameters:.1f} times the parameters,")
print(f"DenseNet-BC {small.multiply_adds / large.multiply_adds:.1f} times the multiply-adds")
expect(2 * small.parameters < large.parameters, "DenseNet-BC has less than half of the parameters.")
expect(small.multiply_adds > large.multiply_adds, "It needs more multiply-adds.")

# %% [markdown]
# DenseNet-BC has less than half of ResNet-110's parameters, makes nearly a third fewer errors, and
# does *more* work. The number of parameters tells you the size of a file on disk, not time or
# memory. Here are recorded runs of our small nets on the same 3,000 images, with three seeds, each
# net at its best rate:

# %%
lead = records.compare(records.load("densenet_rival"), growth_runs["k = 8"])
print(f"the ResNet is ahead of the larger DenseNet by {lead}")
records.table("densenet_growth_4", "densenet_growth_8", "densenet_rival")

# %% [markdown]
# In such short runs each run of the small ResNet is ahead of each run of the larger DenseNet, with
# nearly four times the parameters. But an interval from three seeds tends to be too narrow, and
# this one nearly reaches 0. "Fewer parameters for the *same* accuracy" is a claim about long runs;
# the paper trains for 300 epochs.
#
# ## Memory, and how to pay for it with time
#
# The backward pass needs what the forward pass computed. In a dense block that is a lot: each layer
# first concatenates *everything so far* into a new tensor, normalises it into another, and passes
# it through a ReLU into a third. The first and the third have to be kept, so every later layer keeps
# two more copies of the first layer's maps.
#
# **Predict, then run.** DenseNet-121 has a third of ResNet-50's parameters. Which one keeps more
# bytes for the backward pass, with 32 images of 224 × 224?


# %%
def memory_of(name: str, num_images: int, **switches: bool):
    """Count the memory on the meta device, where tensors have shapes but no content."""
    with torch.device("meta"):
        model = models.build(name, **switches)
        images = torch.zeros(num_images, *models.input_shape(model))
    return training_memory(model, images)


kept = {
    "ResNet-50": memory_of("resnet50", 32),
    "DenseNet-121": memory_of("densenet121", 32),
    "DenseNet-121, checkpointed": memory_of("densenet121", 32, memory_efficient=True),
}
rows = [(name, round(m.saved / 1e9, 2), round(m.peak / 1e9, 2)) for name, m in kept.items()]
Table(("net", "kept for backward, GB", "peak, GB"), tuple(rows))

# %%
ratio = {name: memory.saved / kept["ResNet-50"].saved for name, memory in kept.items()}
print(", ".join(f"{name}: {value:.2f}" for name, value in ratio.items()))
expect(ratio["DenseNet-121"] > 1.5, "DenseNet-121 keeps more than ResNet-50.")
expect(ratio["DenseNet-121, checkpointed"] < 1, "With checkpointing it keeps less.")

# %% [markdown]
# **Checkpointing** is the way out: do not keep the concatenated and normalised maps, but compute
# them again when the backward pass needs them. They are cheap to compute (a copy, a normalisation
# and a ReLU) and expensive to keep. PyTorch has a function for it:


# %%
class CheckpointedLayer(DenseLayer):
    """A dense layer that does not keep its wide maps, but computes them twice."""

    def forward(self, features):
        x = checkpoint(self.widen, *features, use_reentrant=False)
        return self.narrow(x)

    def widen(self, *features):
        return self.wide(torch.cat(features, dim=1))


# %% [markdown]
# **Predict, then run.** We run one forward and backward pass through two blocks with the same
# weights, one with plain and one with checkpointed layers. Do they get the same gradients? Do their
# batch normalisations get the same running means?

# %%
plain = DenseBlock(24, 4, 12)
again = DenseBlock(24, 4, 12, layer=CheckpointedLayer)
again.load_state_dict(plain.state_dict())
x = torch.randn(8, 24, 16, 16, generator=generator)
for block in (plain, again):
    block.train()(x).square().mean().backward()
pairs = list(zip(plain.parameters(), again.parameters(), strict=True))
same = all(torch.allclose(p.grad, q.grad, rtol=1e-3, atol=1e-6) for p, q in pairs)
expect(same, "The gradients are the same.")
ratio = again.layers[2].wide[0].running_mean / plain.layers[2].wide[0].running_mean
print(f"running mean, checkpointed over plain: {ratio.min():.2f} to {ratio.max():.2f}")

# %% [markdown]
# The gradients are the same. The running means are not: the recomputation shows batch normalisation
# the same batch a *second* time, and its running estimates move twice. After the first step they
# hold $0.1 + 0.9 \cdot 0.1 = 0.19$ of the batch's mean instead of $0.1$. The course's own
# `memory_efficient=True` does not update them in the second pass:

# %%
fresh = DenseBlock(24, 4, 12)
own = DenseBlock(24, 4, 12, layer=MemoryEfficientDenseLayer)
own.load_state_dict(fresh.state_dict())
for block in (fresh, own):
    block.train()(x).square().mean().backward()
buffers = zip(fresh.buffers(), own.buffers(), strict=True)
same = all(torch.allclose(p.float(), q.float(), atol=1e-6) for p, q in buffers)
expect(same, "With care, the running estimates are the same, too.")

# %% [markdown]
# The deeper the block, the more memory checkpointing saves. Without it, layer $\ell$ keeps copies
# of $\ell$ groups of maps, so in deep blocks the bytes grow nearly with the *square* of the number
# of layers. With checkpointing they grow in proportion to the number of layers.


# %%
def block_bytes(num_layers: int, kind: type[nn.Module]) -> int:
    """Return the bytes that a block keeps for the backward pass, for 32 images."""
    with torch.device("meta"):
        block = DenseBlock(24, num_layers, growth_rate=12, layer=kind)
        maps = torch.zeros(32, 24, 32, 32)
    return training_memory(block, maps).saved


kinds = (DenseLayer, MemoryEfficientDenseLayer)
num_bytes = {layers: [block_bytes(layers, kind) for kind in kinds] for layers in (4, 8, 16, 32)}
rows = [
    (layers, round(stored / 1e6), round(again / 1e6), round(stored / again, 1))
    for layers, (stored, again) in num_bytes.items()
]
Table(("layers", "stored, MB", "checkpointed, MB", "ratio"), tuple(rows))

# %%
doubled = [wide / half for wide, half in zip(num_bytes[32], num_bytes[16], strict=True)]
print(f"from 16 to 32 layers: stored × {doubled[0]:.2f}, checkpointed × {doubled[1]:.2f}")
expect(
    doubled[0] > 3 and doubled[1] < 2.5,
    "Twice the layers keep over three times as much, and about twice with checkpointing.",
)

# %% [markdown]
# The price is work: each layer copies and normalises its maps once more. (PyTorch stops there: it
# does not need the result of the 1 × 1 convolution again.) How much time that takes depends on the
# machine; for a small block like this one, it may be lost in the noise:


# %% tags=["nbval-ignore-output"]
def seconds(block: nn.Module, repeats: int = 3) -> float:
    """Return the shortest time of a forward and backward pass."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        block(x).sum().backward()
        times.append(time.perf_counter() - start)
    return min(times)


x = torch.randn(16, 24, 32, 32, generator=generator)
stored, again = (seconds(DenseBlock(24, 8, 12, layer=kind)) for kind in kinds)
print(f"stored {stored * 1000:.0f} ms, checkpointed {again * 1000:.0f} ms: × {again / stored:.2f}")

# %% [markdown]
# ## Did DenseNet win the contest?

# %%
print(facts.trap("vgg_won_ilsvrc"))

# %% [markdown]
# **On a GPU** this comes close to the paper's setting on CIFAR-10:
#
# ```
# python -m course_utils train densenet_bc100 --data cifar10 --epochs 300 --batch-size 64 --lr 0.1 \
#     --schedule step --weight-decay 0.0001 --crop 4 --flip
# ```
#
# We have not measured this. The paper reports:

# %%
facts.table("densenet*.cifar_error")

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("14_densenet")

# %% [markdown]
# ## What to remember
#
# - A dense block concatenates: layer $\ell$ reads $k_0 + (\ell-1)k$ maps, makes $k$, and overwrites
#   nothing.
# - Bottlenecks reduce a layer's input to $4k$ maps, which saves work in layers that read more than
#   $7.2\,k$ maps; transitions halve the size of the maps and, with $\theta = 0.5$, their number.
# - CIFAR's DenseNets have three blocks, ImageNet's four.
# - Few parameters do not mean little work or little memory. Checkpointing saves memory, at the
#   price of computing a part of the forward pass twice.
# - A feature-reuse map says something about training only next to that of an untrained net. To find
#   out which maps are needed, take them away.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Every layer *may* read every earlier map. How would you find out which of these connections a
#    trained net needs, and what would you do with the answer?
# 2. DenseNet has fewer parameters and takes more time and memory. When is that a good trade?
# 3. One 1 × 1 convolution turns concatenation into addition. Why do you think, then, that most nets
#    since have used addition?

# %% [markdown]
# ## Further reading
#
# - G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger: *Densely connected convolutional
#   networks*. CVPR 2017. Section 3 has the net, figure 5 the reuse map.
# - G. Pleiss, D. Chen, G. Huang, T. Li, L. van der Maaten, K. Q. Weinberger: *Memory-efficient
#   implementation of DenseNets*. arXiv 1707.06990, 2017.
# - K. He, X. Zhang, S. Ren, J. Sun: *Identity mappings in deep residual networks*. ECCV 2016.
#
# **Exercise** {exercise}
#
# **Next** comes lesson 15, the showdown: all nets of the course on one chart.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | concatenation | 연결 | joining maps as channels of one tensor |
# | dense block | 덴스 블록 | layers that each read all maps so far |
# | growth rate | 성장률 | number of new maps a layer makes |
# | transition layer | 전이층 | 1 × 1 convolution and pooling between two blocks |
# | compression | 압축 | share of the maps that a transition keeps |
# | bottleneck | 병목 | 1 × 1 convolution that reduces the channels first |
# | feature reuse | 특징 재사용 | later layers read what early ones made |
# | checkpointing | 체크포인팅 | recomputing in the backward pass what was not kept |
