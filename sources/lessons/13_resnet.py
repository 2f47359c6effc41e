# %% [markdown]
# # 13 · ResNet: learning what to add
#
# **After this lesson you can**
# - write a residual block, with the right shortcut where the shape changes, and say what is wrong with a popular version of it;
# - say why a residual block starts close to the identity, and when that is of no use;
# - unroll the sums of a residual net, forwards and backwards, and check them in code;
# - rebuild the table of ResNet-18 to ResNet-152 from a few numbers, and count its work;
# - say what a trained net loses when one of its blocks is taken out.
#
# **Time** 70 minutes. The training in it takes about two minutes on a laptop.
#
# **Builds on** 11 (batch normalisation) and 12 (degradation, skip connections).

# %% [markdown]
# ## The question
#
# Lesson 12 ended with a cure: $\mathbf{y} = \mathbf{x} + F(\mathbf{x})$. It left questions open. *Why* should adding be easier than replacing? What happens where the maps get smaller, and
# $\mathbf{x}$ and $F(\mathbf{x})$ differ in shape? And how do we get from there to 152 layers, at a price that one can pay?

# %%
import torch
from torch import nn
from torch.nn import functional as F  # noqa: F401 - the classes shown below use it

from course_utils import data, facts, inspection, models, plots
from course_utils.arithmetic import conv_multiply_adds, conv_parameters
from course_utils.inspection import summarise
from course_utils.models.resnet import IMAGENET
from course_utils.plots import LivePlot, show
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.tables import Table
from course_utils.training import TrainConfig, evaluate, fit, records

settings = profile("13_resnet")
device = choose_device()

# %% tags=["nbval-ignore-output"]
print(f"{settings.name} profile on {device.type}: {settings.data}, {settings.epochs} epochs")

# %% [markdown]
# ## Learn the difference
#
# Say that a few layers ought to compute some mapping $H(\mathbf{x})$. A plain net has to produce all of $H$. A residual block produces only what is
# *missing*, the **residual** $F(\mathbf{x}) = H(\mathbf{x}) - \mathbf{x}$, and adds the input:
#
# $$H(\mathbf{x}) = F(\mathbf{x}) + \mathbf{x}$$
#
# On paper nothing is gained: what the one can express, so can the other. The gain is in where the learning starts, and in which direction it drifts. Weights start small, and weight
# decay pulls them to zero. Weights of zero make a plain layer return **nothing**, and a residual block return **its input**.
#
# **Predict, then run.** We take the simplest layer, $\mathbf{y} = W\mathbf{x}$ with 20 inputs, and give it only 10 examples. Ridge regression, which is least
# squares with weight decay, finds $W$; or, in the residual form, $F$ with $W = I + F$. Three targets: nearly the identity, a random rotation, and
# $-\mathbf{x}$. On which of them is the residual form better on new data?


# %%
def ridge(inputs: torch.Tensor, outputs: torch.Tensor, decay: float = 0.1) -> torch.Tensor:
    """Return the W that minimises |W x - y|^2 + decay |W|^2 over examples in columns."""
    eye = torch.eye(len(inputs), dtype=inputs.dtype)
    return outputs @ inputs.T @ torch.linalg.inv(inputs @ inputs.T + decay * eye)


draws = torch.Generator().manual_seed(0)
identity = torch.eye(20, dtype=torch.float64)
inputs, new = (torch.randn(20, n, generator=draws, dtype=torch.float64) for n in (10, 1000))
noise = torch.randn(20, 20, generator=draws, dtype=torch.float64)
rotation = torch.linalg.qr(noise).Q
targets = {"nearly x": identity + 0.02 * noise, "a rotation of x": rotation, "-x": -identity}

# %%
errors = {}
for label, target in targets.items():
    plain = ridge(inputs, target @ inputs)
    residual = identity + ridge(inputs, target @ inputs - inputs)
    errors[label] = [float(((w - target) @ new).square().mean()) for w in (plain, residual)]
    print(
        f"target {label:16} error on new data: plain {errors[label][0]:.3f}, residual {errors[label][1]:.3f}"
    )

# %%
expect(
    errors["nearly x"][1] < errors["nearly x"][0] / 10,
    "Near the identity the residual form is ten times better.",
)
expect(errors["-x"][1] > 2 * errors["-x"][0], "For −x it is twice as bad.")

# %% [markdown]
# A residual block carries a **guess**: "what comes out is what came in". Where the guess is nearly right, little is left to learn. Where it is wrong, it harms. So a sentence that you
# will often read holds only under a condition:

# %%
print(facts.trap("zero_residual_is_optimal"))
print()
print(facts.get("resnet.zero_residual"))

# %% [markdown]
# In a net of many layers the guess is a good one: if 56 layers share the work of 20, each has only a little to change.

# %% [markdown]
# ## The unrolled sum
#
# Put $L$ blocks in a row, and write out what each adds:
#
# $$\mathbf{x}_L = \mathbf{x}_0 + \sum_{i=0}^{L-1} F_i(\mathbf{x}_i)$$
#
# The output is the input plus one sum, where a plain net is one long composition. Differentiate that, for a loss $E$, with respect to $\mathbf{x}_0$:
#
# $$\frac{\partial E}{\partial \mathbf{x}_0} = \frac{\partial E}{\partial \mathbf{x}_L}\left(I + \frac{\partial}{\partial \mathbf{x}_0}\sum_{i=0}^{L-1} F_i(\mathbf{x}_i)\right)$$
#
# The first term brings the gradient of the last block to the first *unchanged*. Check both sums in code.

# %%
torch.manual_seed(0)
functions = nn.ModuleList(
    nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 6)) for _ in range(4)
).double()


def run(x: torch.Tensor, after: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x_L and the sum of all F_i(x_i), with `after` behind each addition."""
    total = torch.zeros_like(x)
    for function in functions:
        f = function(x)
        total = total + f
        x = after(x + f)
    return x, total


# %%
x0 = torch.rand(6, generator=draws, dtype=torch.float64).requires_grad_()
last, total = run(x0, after=nn.Identity())
expect(torch.allclose(last, x0 + total), "Forwards, x_L is x_0 plus the sum of all F.")

gradient = torch.randn(6, generator=draws, dtype=torch.float64)  # dE/dx_L, whatever E is
(whole,) = torch.autograd.grad(last, x0, gradient, retain_graph=True)
(through_sum,) = torch.autograd.grad(total, x0, gradient)
expect(
    torch.allclose(whole, gradient + through_sum),
    "Backwards, dE/dx_0 is dE/dx_L plus what comes through the F.",
)

# %% [markdown]
# **Predict, then run.** The block of the ResNet paper has a ReLU *after* the addition. Do the sums still hold?

# %%
with torch.no_grad():
    last_relu, total_relu = run(x0, after=nn.ReLU())
    off = (last_relu - (x0 + total_relu)).abs().max()
print(f"with a ReLU after the addition the sum is off by up to {off:.2f}")
expect(off > 1e-3, "The sum needs an identity after the addition.")

# %% [markdown]
# They hold only with nothing but an identity after the addition. That is the *pre-activation* block of a later paper, which moves BN and ReLU in front of the convolutions. In the
# original block the way is blocked wherever a sum is negative. And even then, does the 1 in $(1 + \ldots)$ keep the gradient alive, as slides like to say? Not by itself:

# %%
x0 = torch.tensor([2.0, 3.0], requires_grad=True)
block_output = x0 + (-x0)  # F(x) = -x, a block that undoes its input
print(
    "gradient behind a block with F(x) = -x:",
    torch.autograd.grad(block_output.sum(), x0)[0].tolist(),
)
print()
print(facts.trap("product_cannot_vanish"))
print(facts.get("preactivation.product"))

# %% [markdown]
# Another slip is to count the identity twice. A slide writes the derivative as $I + \partial\mathbf{h}_2/\partial\mathbf{h}_1 + \ldots$,
# though it has the sum itself right:

# %%
print(facts.trap("unrolled_sum"))

# %%
jacobian = torch.func.jacrev(lambda h: h + functions[1](h))(last.detach())  # dh2/dh1
alone = torch.func.jacrev(functions[1])(last.detach())  # dF/dh1
expect(
    torch.allclose(jacobian, identity[:6, :6] + alone),
    "The derivative dh2/dh1 is I + dF/dh1: the I is in it already.",
)

# %% [markdown]
# ### Many paths
#
# Multiply the sum out, for three linear blocks: $(I + C)(I + B)(I + A)$ has $2^3 = 8$ terms, one for each choice of "through the block" or "around it". A residual net is a bundle of paths of
# different lengths, which share their weights.

# %%
from math import comb

a, b, c = (0.1 * torch.randn(6, 6, generator=draws, dtype=torch.float64) for _ in range(3))
eye = identity[:6, :6]
paths = [eye, a, b, c, b @ a, c @ a, c @ b, c @ b @ a]
expect(
    torch.allclose((eye + c) @ (eye + b) @ (eye + a), sum(paths)), "Three blocks are eight paths."
)
lengths = [comb(27, k) for k in range(28)]  # ResNet-56 has 27 blocks
print(
    f"ResNet-56: {sum(lengths):,} paths; {sum(lengths[9:19]) / sum(lengths):.0%} of them pass 9 to 18 of the 27 blocks"
)

# %% [markdown]
# Most paths are of middle length, but the gradient that comes through a path shrinks with each block on it:

# %%
print(facts.get("residual.gradient_paths"))

# %% [markdown]
# ## The block
#
# Two 3 × 3 convolutions, each followed by BN, a ReLU between them, the addition, a ReLU. No bias: BN would take it off again. The shortcut is empty where input and output have the same shape.
# Where the block halves the maps and doubles their number, something must be done, and the paper tries three things:
#
# - **A**: skip every other pixel, as the stride does, and fill the new channels with zeros. No parameter.
# - **B**: **project** with a 1 × 1 convolution, only where the shape changes.
# - **C**: project in every block.

# %%
from course_utils.models.resnet import Shortcut, ZeroPad  # inline

# %%
x = torch.rand(1, 64, 56, 56)
padded = ZeroPad(64, 128, stride=2)(x)
expect(torch.equal(padded[:, :64], x[:, :, ::2, ::2]), "Option A keeps every other pixel.")
expect(not padded[:, 64:].any(), "It fills the new channels with zeros.")
for option in "ABC":
    for c_out, stride in ((128, 2), (64, 1)):
        shortcut = Shortcut(64, c_out, stride, option)
        num = sum(parameter.numel() for parameter in shortcut.parameters())
        print(
            f"{option}: 64 to {c_out:3} maps, {num:6,} parameters, output {tuple(shortcut(x).shape)}"
        )

# %%
from course_utils.models.resnet import BasicBlock  # inline

# %%
show(
    plots.plot_block(
        BasicBlock(64, 128, stride=2),
        (64, 56, 56),
        title="BasicBlock(64, 128, stride=2), shortcut B",
    ),
    "A residual block that halves the maps: on the left two 3 by 3 convolutions with batch normalisation and a ReLU, on the right a "
    "1 by 1 convolution with stride 2; their outputs of 128 x 28 x 28 are added and go through a ReLU",
)

# %% [markdown]
# **Predict, then run.** We set the last scale of BN to zero, so that $F = 0$. What does the block return for an input that comes out of a ReLU? What for one that does not? And what does the
# plain twin return?

# %%
positive = torch.rand(2, 16, 8, 8, generator=draws)
signed = positive - 0.5
outputs = {}
for residual in (True, False):
    block = BasicBlock(16, 16, residual=residual).eval()
    nn.init.zeros_(block.norm2.weight)
    with torch.no_grad():
        outputs[residual] = block(positive), block(signed)
# %%
expect(
    torch.equal(outputs[True][0], positive), "With F = 0 the block is the identity behind a ReLU."
)
expect(
    torch.equal(outputs[True][1], signed.relu()), "Negative inputs are cut off by the last ReLU."
)
expect(not outputs[False][0].any(), "The plain twin returns zeros.")

# %% [markdown]
# Some train ResNets from exactly this start (`zero_init_residual=True` in `models.build`; Goyal et al. 2017).
#
# ### A slide's block
#
# This class is going round on slides. **Predict, then run.** Where does it fail, and what is missing besides?


# %%
class Residual_Block(nn.Module):
    def __init__(self, in_dim, mid_dim, out_dim):
        super().__init__()
        self.residual_block = nn.Sequential(
            nn.Conv2d(in_dim, mid_dim, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(mid_dim, out_dim, kernel_size=3, padding=1),
        )
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.residual_block(x) + x)


# %%
maps = torch.zeros(1, 64, 56, 56)
print("64 to 64: ", tuple(Residual_Block(64, 64, 64)(maps).shape))
try:
    Residual_Block(64, 128, 128)(maps)
except RuntimeError as error:
    print("64 to 128:", error)
print("ours:     ", tuple(BasicBlock(64, 128)(maps).shape))

# %%
print(facts.trap("residual_block_class"))

# %% [markdown]
# (Ours keeps 56 × 56 here because no stride was asked for.) What does the missing BN matter? Without it, each block *adds* variance to what it gets, and nothing takes it back:

# %%
torch.manual_seed(0)
spread = {}
for label, stack in {
    "the slide's": nn.Sequential(*(Residual_Block(16, 16, 16) for _ in range(20))),
    "ours": nn.Sequential(*(BasicBlock(16, 16) for _ in range(20))),
}.items():
    models.initialization.he_normal_(stack)
    with torch.no_grad():
        spread[label] = float(stack(torch.rand(8, 16, 8, 8)).std())
    print(f"deviation after 20 blocks, {label:11}: {spread[label]:.1e}")
expect(
    spread["the slide's"] > 10 * spread["ours"],
    "Without BN the activations grow more than ten times as much.",
)

# %% [markdown]
# ### Options A, B, C, counted

# %%
rows = []
for option in "ABC":
    key = f"option_{option.lower()}"
    top1, top5 = facts.get(f"resnet34.top1_{key}"), facts.get(f"resnet34.top5_{key}")
    said = facts.get(f"resnet34.parameters_{key}")
    counted = summarise("resnet34", shortcut=option).parameters
    assert counted == said.ours
    rows.append((option, counted, top1.text, top5.text))
caption = "ResNet-34: parameters as we count them, errors of the paper (validation)"
Table(("option", "parameters", "top-1 error", "top-5 error"), tuple(rows), caption)

# %% [markdown]
# The paper's conclusion is in the *smallness* of the differences: projections are not what cures the degradation, since A cures it, too. It keeps B for the deeper nets. C costs more and
# brings little. Libraries use B for all of them: the 11,689,512 parameters that they give for ResNet-18 are B's.

# %% [markdown]
# ## The bottleneck
#
# From 50 layers on the block changes. A 1 × 1 convolution reduces the channels to a quarter, the 3 × 3 works there, and another 1 × 1 restores them: the bottleneck of lesson 05, with a way around it.

# %%
from course_utils.models.resnet import Bottleneck  # inline

# %%
show(
    plots.plot_block(Bottleneck(256, 256), (256, 56, 56), title="Bottleneck(256, 256)"),
    "A bottleneck block: 256 maps are reduced to 64 by a 1 by 1 convolution, a 3 by 3 convolution works on 64, a 1 by 1 convolution "
    "restores 256, and the input is added",
)

# %% [markdown]
# **Predict, then run.** How many weights do two 3 × 3 convolutions on 256 channels have, and how many the bottleneck on 256? And two 3 × 3 on 64?


# %%
def weights(*layers: tuple[int, int, int]) -> int:
    """Count the weights of convolutions (c_in, c_out, k) without biases."""
    return sum(conv_parameters(c_in, c_out, k=k, bias=False) for c_in, c_out, k in layers)


basic64 = weights((64, 64, 3), (64, 64, 3))
basic256 = weights((256, 256, 3), (256, 256, 3))
bottleneck = weights((256, 64, 1), (64, 64, 3), (64, 256, 1))
print(
    f"two 3x3 on 256: {basic256:,}; bottleneck on 256: {bottleneck:,}; two 3x3 on 64: {basic64:,}"
)
expect(basic256 > 16 * bottleneck, "The bottleneck saves a factor of more than 16.")
expect(bottleneck < basic64, "It costs less than the basic block on a quarter of the channels.")

# %% [markdown]
# So a block of three layers on 256 channels costs what the block of two layers on 64 did. That is how ResNet-50 gets its depth at nearly the price of ResNet-34. Note what the shortcut does here: it joins the two *wide* ends. A
# projection there (256 to 256) would cost almost as much as the block itself:

# %%
print(
    f"a projection 256 to 256: {weights((256, 256, 1)):,} weights, the whole block {bottleneck:,}"
)

# %% [markdown]
# ## The table, rebuilt
#
# All five nets of the paper follow from a few numbers: which block, how many in each of four stages, how many channels. Around them stand a 7 × 7 convolution with stride 2 and a pooling layer, which take
# 224 pixels to 56, an average over each map, and one linear layer.

# %%
rows = []
for depth, (block, num_blocks, widths) in IMAGENET.items():
    convolutions = {"BasicBlock": 2, "Bottleneck": 3}[block.__name__]
    counted = 1 + convolutions * sum(num_blocks) + 1  # the stem, the blocks, the linear layer
    rows.append((depth, block.__name__, str(num_blocks), str(widths), counted))
    assert counted == depth
Table(("ResNet", "block", "blocks in stages 2 to 5", "channels", "layers"), tuple(rows))

# %% [markdown]
# Projections are not counted as layers. Now the work, in multiply-adds, by the formula of lesson 05:


# %%
def block_work(kind: str, c_in: int, c_out: int, out: int) -> int:
    """Count the multiply-adds of one block; its stride, if any, is in the first convolution."""
    width = c_out // 4
    layers = {
        "BasicBlock": [(c_in, c_out, 3), (c_out, c_out, 3)],  # shortcut A has nothing to compute
        "Bottleneck": [(c_in, width, 1), (width, width, 3), (width, c_out, 1)],
    }[kind]
    if kind == "Bottleneck" and c_in != c_out:
        layers.append((c_in, c_out, 1))  # shortcut B
    return sum(conv_multiply_adds(a, b, k=k, out=out) for a, b, k in layers)


# %%
def work(depth: int) -> int:
    """Count the multiply-adds of a ResNet on one picture of 224 x 224."""
    block, num_blocks, widths = IMAGENET[depth]
    total, c_in = conv_multiply_adds(3, 64, k=7, out=112), 64
    for stage, (num, c_out) in enumerate(zip(num_blocks, widths, strict=True)):
        for _ in range(num):
            total += block_work(block.__name__, c_in, c_out, out=56 // 2**stage)
            c_in = c_out
    return total + c_in * 1000


# %%
rows = []
for depth in IMAGENET:
    paper, model = facts.get(f"resnet{depth}.multiply_adds"), summarise(f"resnet{depth}")
    assert work(depth) == model.multiply_adds == paper.ours
    rows.append((f"ResNet-{depth}", paper.value, round(work(depth) / 1e9, 2), model.parameters))
Table(
    ("net", "paper, 10^9", "we count, 10^9", "parameters"),
    tuple(rows),
    "Multiply-adds on one picture of 3 x 224 x 224",
)

# %% [markdown]
# Four of five agree to the last digit that the paper prints; ResNet-50 would round to 3.9. Watch the unit:

# %%
print(facts.trap("resnet50_3_8_gflops"))

# %%
show(
    plots.plot_architecture(models.build("resnet18"), (3, 224, 224), title="ResNet-18"),
    "ResNet-18 as blocks from left to right: the maps shrink from 112 to 7 pixels while their number grows from 64 to 512, then an "
    "average and a linear layer",
)

# %% [markdown]
# ### v1 and v1.5
#
# Where a bottleneck halves the maps, the paper puts the stride into the first 1 × 1. **Predict, then run.** What share of the input pixels does that convolution look at?

# %%
for place in ("1x1", "3x3"):
    block = Bottleneck(256, 512, stride=2, stride_on=place)
    x = torch.rand(1, 256, 8, 8, requires_grad=True)
    residual_branch = block.conv3(block.conv2(block.conv1(x)))  # without the shortcut
    residual_branch.square().sum().backward()
    used = (x.grad.abs().sum(dim=1) > 0).double().mean()
    count = summarise("resnet50", stride_on=place).multiply_adds
    print(
        f"stride in the {place}: {used:.0%} of the pixels used; ResNet-50 takes {count / 1e9:.2f} x 10^9 multiply-adds"
    )
    assert used == (0.25 if place == "1x1" else 1.0)

# %% [markdown]
# Three quarters of the pixels are thrown away unseen. The variant with the stride in the 3 × 3 is known as **v1.5**, costs a little more, and is what torchvision builds when you ask for `resnet50`. Say which one you
# mean when you quote a number.

# %% [markdown]
# ## Plain twin against residual
#
# Now train. Two depths, plain and residual, all else equal: 20 and 44 layers of half the usual width, on a few pictures.
#
# **Predict, then run.** Order the four by their final training loss.


# %%
def load(seed: int = 0, **options) -> data.Loaders:
    """Load the images; the seed decides in which order they come."""
    options = settings.loading | options
    return data.load(settings.data, **options, device=device, generator=seed_everything(seed))


# %%
channels = load().info.image_shape[0]


def train(name: str) -> tuple[nn.Module, object]:
    """Build a net of half the usual width and train it, always from the same seed."""
    fresh = load(seed=0)
    model = models.build(name, in_channels=channels, num_classes=10, width=8).to(device)
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
    return model, fit(model, fresh, config, on_epoch_end=[LivePlot(name)])


# %%
trained, histories = {}, {}
for name in ("plain20", "resnet20"):
    trained[name], histories[name] = train(name)

# %%
for name in ("plain44", "resnet44"):
    trained[name], histories[name] = train(name)

# %%
show(
    plots.plot_histories(histories, "train_loss", "training loss"),
    "Training loss of plain and residual nets of 20 and 44 layers over the epochs: the plain net of 44 layers stays far above the other three",
)

# %% tags=["nbval-ignore-output"]
loss = {name: history.epochs[-1].train_loss for name, history in histories.items()}
for name, value in loss.items():
    print(f"{name:9} training loss {value:.3f}")
expect(
    loss["resnet44"] < loss["plain44"] - 0.2,
    "At 44 layers the residual net trains better, by more than 0.2.",
    trained=True,
)
expect(loss["resnet20"] < loss["plain20"], "At 20 layers it does, too.", trained=True)
expect(
    loss["plain44"] - loss["plain20"] > loss["resnet44"] - loss["resnet20"] + 0.1,
    "Depth costs the plain net more than the residual net.",
    trained=True,
)

# %% [markdown]
# The recorded runs of lesson 12, with 20 and 56 layers, over three seeds:

# %%
titles = {
    "depth_plain20": "plain-20",
    "depth_plain56": "plain-56",
    "depth_resnet20": "ResNet-20",
    "depth_resnet56": "ResNet-56",
}
show(
    plots.plot_records(
        {title: records.load(name) for name, title in titles.items()},
        "val_accuracy",
        "validation accuracy",
    ),
    "Recorded validation accuracy of plain-20, plain-56, ResNet-20 and ResNet-56, mean of three seeds: plain-56 is lowest",
)

# %%
records.table(*titles)

# %% [markdown]
# ### Options A, B, C, trained
#
# And the shortcuts? Three seeds each, a ResNet of 8 layers on 3,000 small pictures. **Predict, then run.** By how many points will A, B and C differ?

# %%
records.table("resnet_shortcut_a", "resnet_shortcut_b", "resnet_shortcut_c")

# %%
accuracy = {
    option: records.load(f"resnet_shortcut_{option}").test_accuracy.mean for option in "abc"
}
apart = max(accuracy.values()) - min(accuracy.values())
print(f"the best and the worst option are {apart:.1%} apart")
expect(apart < 0.03, "The three options are within three points of each other.")

# %% [markdown]
# ## Take one block out
#
# If a residual net is a bundle of paths, one block more or less should not matter much: half of the paths do not pass through it. A plain net has one path. Veit et al. tried it. We take the trained nets, remove one block *at test time*, without any
# training after it, and measure. In a residual net the shortcut stays; in a plain one the block is replaced by the identity, where its input and output have the same shape.
#
# **Predict, then run.** What accuracy is left, in plain-20 and in ResNet-20?

# %%
val = load(limit=2 * settings.limit or None).val


def accuracy_of(model: nn.Module) -> float:
    return evaluate(model, val).accuracy


ablations = {}
for name in ("plain20", "resnet20", "resnet44"):
    model = trained[name].eval()
    names = inspection.removable(model, inspection.blocks(model), next(iter(val))[0][:1])
    ablations[name] = inspection.ablate(model, accuracy_of, names)

# %%
show(
    plots.plot_ablations(ablations),
    "Accuracy of plain-20, ResNet-20 and ResNet-44 without each of their blocks in turn: the plain net falls far with any block gone, "
    "the residual nets keep most of their accuracy but for a few blocks",
)

# %% tags=["nbval-ignore-output"]
for name, found in ablations.items():
    print(
        f"{name:9} whole {found.whole:.1%}; one block less costs {found.mean_drop:.1%} on average; it hurts most at {found.worst}"
    )
drop = {name: found.mean_drop for name, found in ablations.items()}
expect(
    drop["plain20"] > drop["resnet20"] + 0.1,
    "A block less costs the plain net more than the residual net, by more than ten points.",
    trained=True,
)

# %% [markdown]
# Compare ResNet-20 with ResNet-44, too: of 21 blocks one is less than of 9. The paper's nets were deeper still, and trained to the end, so that its contrast is sharper:

# %%
print(facts.get("residual.one_block_removed"))

# %% [markdown]
# Look which blocks our nets miss most. Often it is the very first, on which all others build; the paper names those that change the size of the maps.

# %% [markdown]
# ## The paper's table beside ours
#
# On CIFAR-10 the paper has three stages of 16, 32 and 64 channels. The parameters we can count; the errors are the paper's, **not measured here**:

# %%
rows = []
for depth in (20, 32, 44, 56, 110):
    said, error = (facts.get(f"resnet{depth}.cifar_{what}") for what in ("parameters", "error"))
    counted = summarise(f"resnet{depth}", num_classes=10).parameters
    assert counted == said.ours
    rows.append((f"ResNet-{depth}", said.value, counted, error.text))
Table(("net", "paper, 10^6 parameters", "we count", "paper's test error"), tuple(rows), "CIFAR-10")

# %%
print(facts.get("resnet110.cifar_error").why)
facts.table(
    "resnet1202.cifar_error", "resnet34.top1", "resnet50.top1", "resnet101.top1", "resnet152.top1"
)

# %% [markdown]
# ResNet-1202 trains without trouble, and does worse than ResNet-110 on test pictures. *That* is overfitting, the authors think: its training error is as low. To train one of them yourself on a GPU:
#
# ```
# python -m course_utils train resnet56 --data cifar10 --profile full --crop 4 --flip
# ```

# %% [markdown]
# ## What people say
#
# ResNet won nearly everything in 2015, and its numbers travel fast. Four of them travel wrongly:

# %%
for key in (
    "resnet_accuracy_3_57",
    "resnet_first_beat_humans",
    "resnet_most_cited_ever",
    "four_layer_resnet",
):
    print(facts.trap(key), end="\n\n")

# %%
facts.table(
    "resnet.top5_contest", "resnet152.top5_single", "prelu.top5", "human.top5", "human.top5_second"
)

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("13_resnet")

# %% [markdown]
# ## What to remember
#
# - $H(\mathbf{x}) = F(\mathbf{x}) + \mathbf{x}$. Small weights mean "change nothing". That is a good guess in a deep net, and no more than a guess.
# - With an identity after the addition, $\mathbf{x}_L = \mathbf{x}_0 + \sum F_i(\mathbf{x}_i)$, and the gradient has a term that passes all blocks unchanged. The original block has a ReLU there.
# - Where the shape changes, the shortcut pads with zeros (A) or projects (B). The differences are small; forgetting it is an error.
# - A bottleneck of 1 × 1, 3 × 3, 1 × 1 costs a sixteenth of two 3 × 3 on the same channels. From 50 layers on it is the block.
# - A residual net survives the loss of most of its blocks; a plain net of none.
# - 3.57 % is an error, of an ensemble; 3.8 × 10⁹ counts multiply-adds, and of v1.

# %% [markdown]
# ## Further reading
#
# - K. He, X. Zhang, S. Ren, J. Sun: *Deep residual learning for image recognition*. CVPR 2016.
# - K. He, X. Zhang, S. Ren, J. Sun: *Identity mappings in deep residual networks*. ECCV 2016. Section 2 has the sums, and what breaks them.
# - A. Veit, M. Wilber, S. Belongie: *Residual networks behave like ensembles of relatively shallow networks*. NIPS 2016. Paths, and blocks taken out.
# - P. Goyal et al.: *Accurate, large minibatch SGD: Training ImageNet in 1 hour*. arXiv 1706.02677, 2017. Section 5.1: blocks that start as the identity.
#
# **Exercise** [`13_resnet`](../exercises/13_resnet/13_resnet.ipynb)
#
# **Next** Lesson 14 asks: why add, when one can keep everything side by side? The skill to take along into the exercise: write a residual block with any of the shortcuts, and count a ResNet from its row in the table.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | residual | 잔차 | what is missing between the input and the wanted output |
# | residual block | 잔차 블록 | layers that compute F(x), and an addition of x |
# | shortcut | 지름길 연결 (숏컷) | the way around the layers of a block |
# | identity mapping | 항등 사상 | returns its input |
# | projection | 투영 (프로젝션) | a 1 × 1 convolution that makes the shapes fit |
# | zero padding | 제로 패딩 | new channels filled with zeros |
# | bottleneck | 병목 | few channels between many |
# | ensemble | 앙상블 | the average of several nets' answers |
# | ablation | 제거 실험 | taking a part out to see what it did |
