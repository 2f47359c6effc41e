# %% [markdown]
# # 09 · VGG: blocks of small filters
#
# **After this lesson you can**
# - write a VGG block, and build VGG-11 to VGG-19 from a table;
# - replace a large filter by a stack of small ones, and say what that changes and what it does not;
# - explain why a deep plain net may not start to learn, and name two ways to make it start;
# - adapt VGG-16 to images of 32 × 32 pixels, and find the slips in the usual summaries of VGG.
#
# **Time** 45 minutes to read and try, of which training takes about a minute on a laptop.
#
# **Builds on** 04 (receptive field), 05 (parameters) and 08 (AlexNet).

# %% [markdown]
# ## The question
#
# AlexNet works, but it is a list of decisions: 11 × 11 with stride 4, then 5 × 5, then 3 × 3 three
# times; 96, 256, 384, 384, 256 filters. If you want a net twice as deep, what should the next
# layers be? AlexNet offers no rule.
#
# Two years later the Visual Geometry Group in Oxford asked **how accuracy depends on depth alone**.
# For that they needed nets that differ in nothing else. They made one decision for all
# convolutions, 3 × 3 with stride 1 and padding 1, and repeated it. The result is a way of *writing
# down* a net that the field has used since: a **block**, and a table that says how often to repeat
# it.

# %%
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import data, facts, models
from course_utils.arithmetic import Layer, conv_parameters, output_size, receptive_field
from course_utils.inspection import activation_spread, summary
from course_utils.models.initialization import gaussian_, glorot_uniform_, he_normal_
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.tables import Table
from course_utils.training import TrainConfig, fit, records

settings = profile("09_vgg")
device = choose_device()

# %%
from course_utils.plots import (
    LivePlot,
    plot_architecture,
    plot_block,
    plot_by_depth,
    plot_counts,
    plot_images,
    plot_receptive_field,
    plot_records,
    show,
)


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# %% [markdown]
# ## The block
#
# A VGG block has a few convolutions that keep height and width, a ReLU after each, and one pool
# that halves both.
# %%
from course_utils.models.vgg import VGGBlock  # inline

# %%
block = VGGBlock(64, 128, "3 3")
show(
    plot_block(block, (64, 112, 112), title="VGG block: 64 channels in, 128 out"),
    "Two convolutions of 3 by 3 with ReLU keep 112 by 112 pixels, a 2 by 2 max pool halves height "
    "and width: 64 x 112 x 112 goes in, 128 x 56 x 56 comes out",
)

# %% [markdown]
# **Predict, then run.** A widely copied slide writes the pool as `MaxPool2d(3, stride=2)`. Start
# from 224 pixels and pool five times, once as the slide says and once with 2 × 2. What sizes do you
# get?

# %%
for kernel_size in (2, 3):
    sizes = [224]
    for _ in range(5):
        sizes.append(
            nn.MaxPool2d(kernel_size, stride=2)(torch.zeros(1, 1, sizes[-1], 1000)).shape[2]
        )
    print(f"MaxPool2d({kernel_size}, stride=2):", " -> ".join(map(str, sizes)))
expect(output_size(14, k=2, s=2) == 7, "With 2 × 2 windows, 14 pixels become 7.")
loses = all(output_size(n, k=3, s=2) == n // 2 - 1 for n in range(4, 225, 2))
expect(loses, "With 3 × 3 windows, an even size n becomes n/2 − 1.")
print()
print(facts.trap("vgg_pools_3x3"))

# %% [markdown]
# 224 = 7 · 32, so five exact halvings lead to 7. With 3 × 3 windows and no padding, an even size
# $n$ becomes $n/2 - 1$, and an odd one $(n - 1)/2$: the fifth pool leaves 6. So the first linear
# layer, made for 7 × 7 maps, does not fit.

# %% [markdown]
# ## Six nets as data
#
# The paper's table 1 lists the nets A to E, and A-LRN, which is A with AlexNet's local response
# normalisation (LRN). As data, it is six lines, one for each net. For each of the five blocks, a
# line gives the number of channels and one kernel size per layer.

# %%
from course_utils.models.vgg import CONFIGURATIONS, VGG

rows = []
for name, blocks in CONFIGURATIONS.items():
    layers = " ".join(layers for _, layers in blocks).split()
    weight_layers = sum(layer != "LRN" for layer in layers) + 3  # and three linear layers
    rows.append((name, weight_layers, " | ".join(f"{c}: {layers}" for c, layers in blocks)))
Table(("net", "layers with weights", "channels: kernel sizes, block by block"), tuple(rows))

# %% [markdown]
# **VGG-16** is D, **VGG-19** is E: the number counts layers with weights. C has as many layers as
# D, but three of them are 1 × 1. The number of channels doubles after each of the first three
# pools: as each map shrinks to a quarter of its pixels, the number of maps doubles.

# %%
with torch.device("meta"):  # shapes and counts only: no memory, no time
    vgg16 = VGG(CONFIGURATIONS["D"])
show(
    plot_architecture(vgg16, (3, 224, 224), title="VGG-16, configuration D"),
    "VGG-16 from left to right: five groups of convolutions at 224, 112, 56, 28 and 14 pixels, "
    "each followed by a pool, then three linear layers",
)

# %% [markdown]
# **Predict, then run.** From A to E the number of layers grows from 11 to 19. By how much does the
# number of parameters grow?

# %%
names = {"A": "vgg11", "B": "vgg13", "C": "vgg16_c", "D": "vgg16", "E": "vgg19"}
rows = []
for letter, name in names.items():
    with torch.device("meta"):
        counted = summary(VGG(CONFIGURATIONS[letter]), (3, 224, 224), depth=0)
    printed = facts.get(f"{name}.parameters")
    rows.append((letter, counted.parameters, printed.text, f"{counted.multiply_adds / 1e9:.2f}"))
    assert counted.parameters == printed.ours
columns = ("net", "parameters, counted", "the paper's table 2", "10^9 multiply-adds, counted")
Table(columns, tuple(rows))

# %% [markdown]
# By less than a tenth, while the work becomes two and a half times as large. The depth is in the
# convolutions; the parameters are elsewhere:

# %%
counts = {f"block {i}": num_parameters(block) for i, block in enumerate(vgg16.blocks, start=1)}
counts["three linear layers"] = num_parameters(vgg16.classifier)
show(
    plot_counts(counts, "parameters of VGG-16", log=False),
    "Parameters of VGG-16, drawn to scale: the three linear layers have 124 million together; the "
    "bars of the five blocks, up to 7 million each, are short or hardly visible",
)
expect(
    counts["three linear layers"] > 8 * num_parameters(vgg16.blocks),
    "More than eight in nine parameters are in the three linear layers.",
)

# %%
print(facts.trap("vgg19_has_138m"))

# %% [markdown]
# The two numbers are easily confused. GoogLeNet, in the next lesson, removes these linear layers.

# %% [markdown]
# ## Do two 3 × 3 make one 5 × 5?
#
# Why 3 × 3? The receptive field of two stacked 3 × 3 layers is 5 × 5 pixels, and that of three is
# 7 × 7. Lesson 04 gave the rule for any stack, with kernel sizes $k_l$ and strides $s_l$:
#
# $$r = 1 + \sum_l (k_l - 1) \prod_{i<l} s_i.$$
#
# The figure follows one output of two such layers, each with a kernel 3 wide, down to the image, in
# one dimension.

# %%
two, three = [Layer(3, p=1)] * 2, [Layer(3, p=1)] * 3
show(
    plot_receptive_field(two, 9),
    "One output of two 3 by 3 layers sees three values of the layer below and five pixels of the "
    "image",
)
expect(
    receptive_field(two).size == receptive_field([Layer(5, p=2)]).size,
    "Two 3 × 3 layers see as much as one 5 × 5 layer.",
)
expect(
    receptive_field(three).size == receptive_field([Layer(7, p=3)]).size,
    "Three see as much as one 7 × 7 layer.",
)

# %% [markdown]
# **Same receptive field, fewer weights.** With $C$ channels in and out, and without biases, the
# layers have these weights:
#
# | stack | weights | compared with the single layer |
# |---|---|---|
# | one 5 × 5 | $25\,C^2$ | |
# | two 3 × 3 | $2 \cdot 9\,C^2 = 18\,C^2$ | 28 % fewer |
# | one 7 × 7 | $49\,C^2$ | |
# | three 3 × 3 | $3 \cdot 9\,C^2 = 27\,C^2$ | 45 % fewer |
#
# The paper puts it the other way round, and says how many *more* the single layer has:

# %%
facts.table("vgg.three_3x3_weights", "vgg.one_7x7_weights", "vgg.extra_weights_7x7")

# %% [markdown]
# ### Try it: the same field, another view
#
# 1. Choose one 7 × 7 layer in place of the three 3 × 3 layers. The receptive field stays the same.
#    Which gives more weight to the middle of its field, the stack or the single layer? (Take every
#    weight to be 1.)
# 2. Choose the first two blocks of VGG-16. By how much does a layer of the second block widen the
#    field? Why is that more than in the first block?
# 3. Choose all five blocks. Which layer is the first to see more than half of the image's width?

# %%
from course_utils.widgets import ReceptiveFieldExplorer

ReceptiveFieldExplorer("Three 3×3")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. The stack: seven times as many paths lead to the output from the middle column as from either
#    outermost one. The single layer has one path from each pixel.
# 2. By 4 pixels instead of 2: after the first pool, neighbouring values lie two image pixels apart.
# 3. The first layer of the fifth block, with 132 of 224 pixels.
# </details>

# %% [markdown]
# The table of weights assumes that $C$ channels come in *and* go out. **Predict, then run.** Does a
# stack of two also have fewer weights at the start of a net, where 3 channels become 64?

# %%
for c_in, c_out in ((64, 64), (64, 128), (3, 64)):
    one = conv_parameters(c_in, c_out, k=5, bias=False)
    stack = sum(conv_parameters(c, c_out, k=3, bias=False) for c in (c_in, c_out))
    print(f"{c_in:3} -> {c_out:3} channels: one 5x5 {one:8,} weights, two 3x3 {stack:8,}")
expect(stack > one, "Where few channels become many, the stack has more weights.")

# %% [markdown]
# No. It has fewer where the number of channels stays the same. Where the number doubles, the two
# are about equal. At the start of the net the stack has eight times as many weights (though both
# have few): its second layer already reads all 64 channels.
#
# **Is it the same function?** Remove the ReLU between the two layers. Then the two convolutions
# *are* one 5 × 5 convolution; its kernel is the two small kernels convolved with each other. The
# code below checks this: it slides the second kernel, flipped, over the first, and treats the first
# layer's two input channels as a batch of two. **Predict, then run.** Is the reverse true, too: can
# every 5 × 5 kernel be written as the convolution of two 3 × 3 kernels? (The code does not test
# that: count the weights that you can choose.)

# %%
generator = torch.Generator().manual_seed(0)
first = torch.randn(4, 2, 3, 3, generator=generator)  # 2 channels -> 4
second = torch.randn(3, 4, 3, 3, generator=generator)  # 4 channels -> 3
x = torch.randn(1, 2, 9, 9, generator=generator)
stacked = F.conv2d(F.conv2d(x, first), second)  # (1, 3, 5, 5), nothing between
kernel = F.conv2d(first.transpose(0, 1), second.flip(2, 3), padding=2).transpose(0, 1)
print("one kernel:", tuple(kernel.shape))
expect(
    torch.allclose(stacked, F.conv2d(x, kernel), atol=1e-3),
    "With nothing between them, two 3 × 3 layers are one 5 × 5 layer.",
)
with_relu = F.conv2d(F.conv2d(x, first).relu(), second)
expect(not torch.allclose(with_relu, stacked, atol=1), "With a ReLU between them they are not.")

# %% [markdown]
# No: in a 5 × 5 kernel you can choose 25 weights, in two 3 × 3 kernels only 18 (for one channel).
# Without the ReLU, then, the stack can do less. The ReLU in between gives it something that the
# single layer does not have: a second non-linearity. The paper's view is that small filters are a
# *constraint* (fewer weights) plus a *gain* (one more ReLU).
#
# Does the stack pay off? We train both, with equal receptive fields. A first layer makes 24 maps;
# then come two blocks, each with one 5 × 5 layer or with two 3 × 3 layers.


# %%
def small_net(layers: str) -> nn.Module:
    """Return a net of three blocks: a 3x3 layer, then twice the given layers; 24 channels each."""
    blocks = ((24, "3"), (24, layers), (24, layers))
    net = VGG(blocks, 1, 10, pooled_size=3, hidden_size=64, dropout=0.0)
    return he_normal_(net)


size = {layers: num_parameters(small_net(layers).blocks) for layers in ("5", "3 3")}
print(f"convolutions: {size['5']:,} parameters with 5x5, {size['3 3']:,} with two 3x3")
expect(size["3 3"] < 0.75 * size["5"], "The stacks have more than a quarter fewer parameters.")


# %%
def train(net: nn.Module, seed: int = 0, lr: float = settings.lr, on_epoch_end=()):
    """Train a net on the lesson's images; the seed decides their order."""
    generator = seed_everything(seed)
    loaders = data.load(settings.data, **settings.loading, device=device, generator=generator)
    config = TrainConfig(epochs=settings.epochs, lr=lr, seed=seed)
    return fit(net.to(device), loaders, config, on_epoch_end=on_epoch_end)


# %% [markdown]
# **Predict, then run.** We train each net with two seeds. In the paper's comparison on ImageNet,
# the stacks were better. Are they better here?

# %% tags=["nbval-ignore-output"]
accuracy = {}
for layers in ("5", "3 3"):
    for seed in (0, 1):
        seed_everything(seed)
        net = small_net(layers)
        accuracy[layers, seed] = train(net, seed).column("val_accuracy")[-1]
        print(f"layers {layers:3} seed {seed}: validation accuracy {accuracy[layers, seed]:.1%}")

# %%
mean = {layers: sum(accuracy[layers, seed] for seed in (0, 1)) / 2 for layers in ("5", "3 3")}
expect(
    abs(mean["3 3"] - mean["5"]) < 0.06,
    "With a quarter fewer weights, the stacks are within six points of the 5 × 5 layers.",
    trained=True,
)
print("ImageNet, top-1 error with 5 × 5 layers: higher by", facts.get("vgg.five_5x5_top1"))

# %% control="stacks with untrained weights"
from course_utils.training import evaluate

seed_everything(0)
part = data.load(settings.data, **settings.loading, device=device).val
guess = evaluate(small_net("3 3").to(device), part).accuracy
refute(
    abs(guess - mean["5"]) < 0.06,
    "With a quarter fewer weights, the stacks are within six points of the 5 × 5 layers.",
)

# %% [markdown]
# This short training does not decide the question: the two seeds of one net differ at least as much
# as the means of the two nets. So our results do **not** reproduce what the paper found. They show
# what saving a quarter of the weights costs here: a few points at most. Two things may explain why
# our result differs from the paper's: two layers without normalisation may be slower to start than
# one (we come to that), and ten kinds of clothes in small images are an easier task than a thousand
# classes of photos. What you can count, the receptive field and the weights, holds everywhere. What
# you measure holds for the task on which you measured it.

# %% [markdown]
# ## Depth on small images
#
# Back to the question: what does depth alone do? Here is the paper's answer for ImageNet, at one
# image scale, on the validation set:

# %%
letters = {
    "A": "vgg11",
    "A-LRN": "vgg11_lrn",
    "B": "vgg13",
    "C": "vgg16_c",
    "D": "vgg16",
    "E": "vgg19",
}
rows = [
    (letter, facts.get(f"{name}.top1").value, facts.get(f"{name}.top5").value)
    for letter, name in letters.items()
]
caption = f"Source: {facts.get('vgg16.top1').source}; training and test scale 256"
Table(("net", "top-1 error, %", "top-5 error, %"), tuple(rows), caption)

# %% [markdown]
# Read it line by line. A-LRN against A: AlexNet's normalisation gains nothing. B to C: three more
# layers help, even 1 × 1 layers, which add only a non-linearity and a mixing of channels. C to D:
# with 3 × 3 in place of 1 × 1 kernels, these layers also see the *neighbouring pixels*, and that
# helps again. D to E: at this scale, more depth no longer helps.
#
# **Predict, then run.** A, B, D and E, with an eighth of the channels, were trained on 3,000 images
# of clothes, 28 pixels wide, all at a learning rate of 0.05. Which is best? The curves are recorded
# runs, three seeds each.

# %%
plain = {letter: records.load(f"vgg_depth_{letter.lower()}") for letter in "ABDE"}
show(
    plot_records(
        {f"VGG {letter}": runs for letter, runs in plain.items()}, "train_loss", each=True
    ),
    "Training loss of VGG A, B, D and E over six epochs, a thin line for each seed: those of A "
    "all fall; of B and D two fall, and one ends at the loss of guessing; of E one falls, and two "
    "end there",
)
records.table(*(f"vgg_depth_{letter}" for letter in "abde"))

# %% [markdown]
# The paper's order is gone, and not because deeper nets *generalise* worse: look at the axis. It
# shows the **training** loss. A learns with every seed. B and D end at guessing with one seed each, E
# with two, so the means of these nets describe none of their runs. Whether such a net learns is a
# matter of chance. To see what goes wrong, look at how a deep net starts.

# %%
for letter in "BDE":
    print(letter, [f"{accuracy:.0%}" for accuracy in plain[letter].test_accuracies])
expect(
    all(min(plain[letter].test_accuracies) < 0.2 for letter in "DE"),
    "VGG-16 and VGG-19 each still guess after six epochs in at least one recorded run.",
)

# %% [markdown]
# ## Why plain VGG-16 does not start
#
# Each output of a layer is a sum of $n$ products, $n = c_\text{in} k^2$. With independent weights
# of mean 0 and variance $\sigma^2$, the variance of the output is $n \sigma^2$ times the mean
# square of the input, and a ReLU halves the mean square. So from layer to layer the signal's
# standard deviation is multiplied by about
#
# $$\sqrt{\tfrac{1}{2}\, n\, \sigma^2}.$$
#
# In the last five of VGG-16's thirteen convolutions $n$ is 4,608 = 512 · 9. **Predict, then run.**
# What happens to the signal in these five layers if $\sigma = 0.01$, as in AlexNet? If
# $\sigma^2 = 0.01$, as in the VGG paper? Which $\sigma$ would preserve it?

# %%
reads = [m.weight[0].numel() for m in vgg16.modules() if isinstance(m, nn.Conv2d)]
assert len(reads) == 13 and reads[-5:] == [4608] * 5 and 4608 not in reads[:-5]
for sigma in (0.01, 0.1, (2 / 4608) ** 0.5):
    factor = (0.5 * 4608 * sigma**2) ** 0.5
    print(
        f"sigma {sigma:.4f}: a factor of {factor:.2f} per layer, {factor**5:.1e} after five such "
        f"layers"
    )
print("initial weights in the paper:", facts.get("vgg.random_weights"))

# %% [markdown]
# Here σ = 0.01 and σ = 0.1 both fail, in opposite directions. **He initialisation** draws weights
# with $\sigma^2 = 2/n$, so that the factor is 1; **Glorot initialisation** uses
# $\sigma^2 = 2/(n_\text{in} + n_\text{out})$, with $n_\text{out} = c_\text{out} k^2$: half of that
# where the number of channels stays the same. Here is what we measure in the thirteen convolutions
# of VGG-16:

# %%
starts = {
    "σ = 0.01 (AlexNet)": lambda net: gaussian_(net, std=0.01),
    "σ = 0.1 (VGG)": lambda net: gaussian_(net, std=0.1),
    "Glorot": glorot_uniform_,
    "He": he_normal_,
}
torch.manual_seed(0)
noise = torch.randn(4, 3, 32, 32)
with torch.device("meta"):
    net = VGG(CONFIGURATIONS["D"]).blocks
convolutions = net.to_empty(device="cpu")  # 15 of VGG-16's 138 million parameters
spread = {name: activation_spread(start(convolutions), noise) for name, start in starts.items()}
last = {name: list(values.values())[-1] for name, values in spread.items()}

# %%
show(
    plot_by_depth(spread, "standard deviation of the output", xlabel="convolution of VGG-16"),
    "Standard deviation of each convolution's output on a logarithmic axis: with sigma 0.01 it "
    "falls by many orders of magnitude, with 0.1 it grows by as many; Glorot falls slowly, He "
    "stays flat",
)
expect(last["σ = 0.01 (AlexNet)"] < 1e-4, "With σ = 0.01 hardly any signal reaches the end.")
expect(last["σ = 0.1 (VGG)"] > 1e4, "With σ = 0.1 the signal explodes.")
expect(0.05 < last["He"] < 20, "With He initialisation it stays in range.")

# %% [markdown]
# Once the signal has shrunk to less than a millionth of its size, the net's output is nearly the
# same for every image: each logit is close to its bias, and the loss for ten classes stays at
# $\log 10$. The gradient, which is multiplied by similar factors on its way back, is just as small.
# With the σ of the VGG paper it is the other way round: the logits are huge, and so is each step.
# The authors write that bad initial weights can stall a deep net. Their way out was to train A
# first, which is shallow enough, and to start the deeper nets with its first four convolutions and
# its linear layers. After submission they found that Glorot's initialisation makes that
# unnecessary.
#
# **Predict, then run.** We start VGG-16, with an eighth of the channels, in four ways: σ = 0.01;
# He; He at a fifth of the learning rate; He with **batch normalisation** (`norm="batch"`: after
# each convolution, each channel is brought to mean 0 and standard deviation 1; lesson 11). Which of
# the four losses fall, and which falls fastest?


# %%
def deep(norm: str = "none") -> nn.Module:
    """Return VGG-16 with an eighth of the channels and He's initial weights."""
    return models.build(
        "vgg_small", in_channels=1, configuration="D", width=8, dropout=0.0, norm=norm
    )


last_loss = {}

# %%
seed_everything(0)
history = train(
    gaussian_(deep(), std=0.01), on_epoch_end=[LivePlot("VGG-16, σ = 0.01", chance=0.1)]
)
last_loss["σ = 0.01"] = history.column("train_loss")[-1]

# %%
seed_everything(0)
history = train(deep(), on_epoch_end=[LivePlot("VGG-16, He", chance=0.1)])
last_loss["He"] = history.column("train_loss")[-1]

# %%
seed_everything(0)
careful = train(
    deep(), lr=settings.lr / 5, on_epoch_end=[LivePlot("VGG-16, He, small steps", chance=0.1)]
)
last_loss["He, small steps"] = careful.column("train_loss")[-1]

# %%
seed_everything(0)
history = train(
    deep("batch"), on_epoch_end=[LivePlot("VGG-16, He, batch normalisation", chance=0.1)]
)
last_loss["batch norm"] = history.column("train_loss")[-1]

# %% tags=["nbval-ignore-output"]
print({name: round(value, 3) for name, value in last_loss.items()})
log10 = torch.tensor(10.0).log().item()
expect(
    abs(last_loss["σ = 0.01"] - log10) < 0.02,
    "With σ = 0.01 the loss stays at log 10.",
    trained=True,
)
expect(last_loss["batch norm"] < 0.8, "Batch normalisation makes it fall at once.", trained=True)
expect(last_loss["He, small steps"] < 1.8, "He's weights with small steps do, too.", trained=True)
expect(
    last_loss["batch norm"] < last_loss["He"] - 0.1,
    "With batch normalisation it falls faster than with He's weights alone.",
    trained=True,
)

# %% control="He's weights with small steps"
refute(abs(last_loss["He, small steps"] - log10) < 0.02, "With σ = 0.01 the loss stays at log 10.")

# %% control="σ = 0.01, without batch normalisation"
refute(last_loss["σ = 0.01"] < 0.8, "Batch normalisation makes it fall at once.")
refute(last_loss["σ = 0.01"] < 1.8, "He's weights with small steps do, too.")
refute(
    last_loss["σ = 0.01"] < last_loss["He"] - 0.1,
    "With batch normalisation it falls faster than with He's weights alone.",
)

# %% [markdown]
# So there are two ways to start. One is **care**: weights that preserve the signal, *and* steps
# small enough not to spoil them at once. At the full learning rate, whether plain VGG-16 learns
# depends on the seed, and a net that has begun to learn may fall back to guessing, as the recorded
# runs show: nothing in a plain net restores the scale of the signal once large steps have changed
# it. The other way is **batch normalisation**, which restores the scale in every step, and
# tolerates large steps. Libraries offer VGG-16 with it as `vgg16_bn`, and the paper's plain VGG is
# seldom trained today.
#
# **Predict, then run.** Is a high rate all that BN buys? Give every net the rate that does best on
# the validation set, without BN and with it. Here are the recorded runs. How far behind are the
# plain nets now, and does depth still cost them anything?

# %%
tuned = {letter: records.load(f"vgg_tuned_{letter.lower()}") for letter in "ABDE"}
print("rates:", {letter: found.lr for letter, found in tuned.items()})
records.table(*(f"vgg_tuned_{letter}" for letter in "abde"))

# %%
normalised = {
    f"{letter} with BN": records.load(f"vgg_depth_{letter.lower()}_bn") for letter in "ABDE"
}
show(
    plot_records({f"VGG {name}": runs for name, runs in normalised.items()}, "train_loss"),
    "Training loss of VGG A, B, D and E with batch normalisation: all four fall from the first "
    "epoch, and end close together",
)
records.table(*(f"vgg_depth_{letter}_bn" for letter in "abde"))

# %%
print("rates with BN:", {letter: found.lr for letter, found in normalised.items()})
for letter, found in tuned.items():
    gain = records.compare(normalised[f"{letter} with BN"], found)
    print(f"{letter}: with BN ahead by {gain}")
    expect(gain.low > 0, f"Net {letter} is clearly better with batch normalisation, both tuned.")
expect(tuned["A"].lr == normalised["A with BN"].lr, "A has the same rate with BN and without.")
deeper = records.compare(tuned["E"], tuned["A"])
expect(deeper.high < 0, "Without it, E is clearly worse than A.")

# %% [markdown]
# So a plain VGG-19 *can* be trained: at an eighth of the rate, B, D and E learn with every seed. But
# E's depth still costs it several points, at least in six epochs. With BN all four nets are better.
# B, D and E also run at higher rates with it. But A has the same rate in both tables, and gains
# four points: so BN does more than allow a high rate.
#
# And still depth gains nothing: on 3,000 small images the 11 layers of A are enough. *"The deeper
# the better"* is a statement about a task that needs depth.

# %% [markdown]
# ## Scale jittering
#
# In one photo a dog fills the frame, in another it takes up a tenth of the width. VGG's training
# photos are resized so that their shorter side is $S$ pixels; then a 224 × 224 square is cropped at
# random. With **scale jittering**, $S$ is random as well, for every photo: a crop at a small $S$
# shows nearly the whole photo, one at a large $S$ only a detail.

# %%
import matplotlib.pyplot as plt
from matplotlib.cbook import get_sample_data

photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
photo = photo.permute(2, 0, 1).float() / 255  # (3, 600, 512)


def crop_at_scale(photo: torch.Tensor, scale: int, generator: torch.Generator) -> torch.Tensor:
    """Resize a photo (3, H, W) to a shorter side of `scale`; crop 224 x 224 at random."""
    factor = scale / min(photo.shape[1:])
    resized = F.interpolate(photo[None], scale_factor=factor, mode="bilinear", antialias=True)[0]
    top, left = (int(torch.randint(n - 223, (), generator=generator)) for n in resized.shape[1:])
    return resized[:, top : top + 224, left : left + 224]


# %%
low, high = facts.get("vgg.scales").value
generator = torch.Generator().manual_seed(1)
scales = [low, low, (low + high) // 2, (low + high) // 2, high, high]
crops = [crop_at_scale(photo, scale, generator).clamp(0, 1) for scale in scales]
show(
    plot_images(crops, [f"S = {scale}" for scale in scales], num_columns=6, size=1.15),
    "Six crops of one portrait: at S = 256 nearly all of it, at 384 less, at 512 a detail",
)
expect(all(crop.shape == (3, 224, 224) for crop in crops), "Every crop fits the net.")

# %%
facts.table("vgg16.top5", "vgg16.top5_jittered", "vgg19.top5", "vgg19.top5_jittered")

# %% [markdown]
# With jittering the errors fall, and by more than they did from C to D. (Beware: the nets with
# jittering were also *tested* at another scale, so two things changed. With a fixed scale of 384 in
# training and in the test, the errors in the paper lie in between.)

# %% [markdown]
# ## VGG-16 and VGG-19 for 32 × 32 images
#
# CIFAR-10's photos are 32 = 2⁵ pixels wide, so after five pools one pixel remains, and 512 numbers
# go to the classifier. **Predict, then run.** How many of VGG-16's 138 million parameters remain,
# with linear layers of 512 units and ten classes?

# %%
for letter, name in (("D", "VGG-16"), ("E", "VGG-19")):
    with torch.device("meta"):
        for_cifar = VGG(CONFIGURATIONS[letter], num_classes=10, pooled_size=1, hidden_size=512)
    counted = summary(for_cifar, (3, 32, 32), depth=0)
    print(
        f"{name} for 32 x 32: {counted.parameters:,} parameters, {counted.multiply_adds:,} "
        f"multiply-adds"
    )
expect(counted.parameters < 21e6, "Even VGG-19 has fewer than 21 million parameters here.")

# %% [markdown]
# Watch out for two traps:
#
# - **28 pixels.** 28 → 14 → 7 → 3 → 1 → 0: the fifth pool's window no longer fits. The course's
#   `vgg_small` rounds up (28, 14, 7, 4, 2, 1).
# - **The adaptive pool.** Libraries put one before the linear layers; it turns maps of any size
#   into 7 × 7 maps. Feed an image of 32 pixels into the ImageNet model, and the pool copies the one
#   remaining pixel 49 times, so that 100 million weights read copies. The model runs without a
#   warning.

# %%
try:
    x = torch.zeros(1, 1, 28, 28)
    for _ in range(5):
        x = nn.MaxPool2d(2)(x)
except RuntimeError as error:
    print(f"the fifth pool reads {x.shape[2]} × {x.shape[3]} pixels:", error)
one_pixel = torch.rand(1, 512, 1, 1)
copies = nn.AdaptiveAvgPool2d(7)(one_pixel)
expect(bool((copies == one_pixel).all()), "The adaptive pool makes 49 copies of one pixel.")

# %% [markdown]
# ## The full setting
#
# On a machine with a GPU and internet access, this trains the small VGG on CIFAR-10's 50,000 colour
# photos:
#
# ```
# python -m course_utils train vgg_small --data cifar10 --epochs 30 --lr 0.05 --crop 4 --flip
# ```
#
# **Not measured here.** In lesson 15 you build VGG-16 for small images yourself. This is how long
# the paper's own training took, and how VGG placed in the contest of 2014:

# %%
facts.table("vgg.training_weeks", "vgg.rank_*", "vgg.top5_contest", "vgg.top5_single_test")

# %%
print(facts.trap("vgg_won_ilsvrc"))

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("09_vgg")

# %% [markdown]
# ## What to remember
#
# - A block (convolutions that keep the size, then a 2 × 2 pool) and a table of how often to repeat
#   it: that is VGG, and the way nets have been written since.
# - Two 3 × 3 layers see as much as one 5 × 5, with $18\,C^2$ weights instead of $25\,C^2$ and one
#   more ReLU. Where few channels become many, they have more weights.
# - Most of VGG's parameters are in its linear layers; VGG-16 has 138 million, VGG-19 144 million.
# - From layer to layer a plain net multiplies its signal by $\sqrt{n\sigma^2/2}$. If this factor is
#   far from 1, a deep net does not start. He's weights set it to 1 (and need small steps); batch
#   normalisation keeps it there.
# - Depth helps where the task needs it. For our small images 11 layers are enough.
# - Second in classification, first in localisation: VGG did not win ILSVRC's classification task,
#   though many people say that it did.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Why 3 × 3, and not 2 × 2, or 1 × 1 and 3 × 3 in turn? What would each choice cost in weights,
#    and what would it gain or lose?
# 2. A, B, D and E differ in depth, but also in where the extra layers are. How would you design
#    nets that differ in depth alone?
# 3. You may spend twice the multiply-adds of VGG-11: on more layers, on more channels, or on larger
#    images. What would you spend them on for clothes, and what for photos?

# %% [markdown]
# ## Further reading

# %%
for key in ("simonyan2015", "krizhevsky2012", "glorot2010", "he2015"):
    print(facts.paper(key))
    print()

# %% [markdown]
# **Exercise** {exercise}
#
# **Next** comes GoogLeNet, which won in the same year with a twentieth of the parameters: several
# filter sizes side by side, and no large linear layer.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | block | 블록 | layers that are repeated as a unit |
# | configuration | 구성 | the table from which a net is built |
# | stack | 스택 | layers one after the other |
# | receptive field | 수용 영역 | the pixels that one value depends on |
# | non-linearity | 비선형성 | what an activation adds between linear layers |
# | depth | 깊이 | number of layers with weights |
# | initialisation | 초기화 | how the initial weights are drawn |
# | variance | 분산 | mean square of the distance from the mean |
# | batch normalisation | 배치 정규화 | bringing each channel to mean 0 and standard deviation 1 |
# | scale jittering | 스케일 지터링 | resizing each training image to a random size every time |
# | crop | 크롭 | a piece cut out of an image |
# | fully connected layer | 완전 연결 층 | linear layer: every input is connected to every output |
