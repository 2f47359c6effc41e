# %% [markdown]
# # 13 · ResNet: learning what to add
#
# **After this lesson you can**
# - write a residual block, with the right shortcut where the shape changes, and say what is wrong
#   with a popular version of it;
# - say in what sense a residual block starts from the identity, and when that does not help;
# - unroll a residual net into sums, forwards and backwards, and check them in code;
# - rebuild the table of ResNet-18 to ResNet-152 from a few numbers, and count each net's work;
# - say what a trained net loses when you remove one of its blocks.
#
# **Time** 70 minutes to read and try, of which training takes about two minutes on a laptop.
#
# **Builds on** 11 (batch normalisation) and 12 (degradation, shortcuts).

# %% [markdown]
# ## The question
#
# Lesson 12 ended with a cure: $\mathbf{y} = \mathbf{x} + F(\mathbf{x})$. It left questions open.
# *Why* should adding be easier than replacing? What happens where the maps get smaller, and
# $\mathbf{x}$ and $F(\mathbf{x})$ differ in shape? And how do we get from there to 152 layers at a
# price we can afford?

# %%
import torch
from torch import nn
from torch.nn import functional as F

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
# Suppose that a few layers should compute some mapping $H(\mathbf{x})$. A plain net has to produce
# all of $H$. A residual block produces only what is *missing*, the **residual**
# $F(\mathbf{x}) = H(\mathbf{x}) - \mathbf{x}$, and adds the input:
#
# $$H(\mathbf{x}) = F(\mathbf{x}) + \mathbf{x}$$
#
# On paper nothing is gained: each form can express what the other can. What differs is the
# starting point. Weights are drawn around zero, and weight decay pulls them back towards zero. With
# weights of zero, a plain layer returns **zeros**, and a residual block returns **its input**.
#
# **Predict, then run.** We take the simplest layer, $\mathbf{y} = W\mathbf{x}$ with 20 inputs, and
# give it only 10 examples. Ridge regression, which is least squares with weight decay, finds $W$;
# or, in the residual form, $F$ with $W = I + F$. There are three targets: nearly the identity, a
# random rotation, and $-\mathbf{x}$. For which of them does the residual form have the smaller
# error on new data?


# %%
def ridge(inputs: torch.Tensor, outputs: torch.Tensor, decay: float = 0.1) -> torch.Tensor:
    """Return the W that minimises |W x - y|^2 + decay |W|^2; each column is an example."""
    eye = torch.eye(len(inputs), dtype=inputs.dtype)
    return outputs @ inputs.T @ torch.linalg.inv(inputs @ inputs.T + decay * eye)


draws = torch.Generator().manual_seed(0)
identity = torch.eye(20, dtype=torch.float64)
inputs, new = (torch.randn(20, n, generator=draws, dtype=torch.float64) for n in (10, 1000))
noise = torch.randn(20, 20, generator=draws, dtype=torch.float64)
rotation = torch.linalg.matrix_exp(noise - noise.T)  # exp(antisymmetric) is a rotation
targets = {"nearly x": identity + 0.02 * noise, "a rotation of x": rotation, "-x": -identity}

# %%
errors = {}
for label, target in targets.items():
    plain = ridge(inputs, target @ inputs)
    residual = identity + ridge(inputs, target @ inputs - inputs)
    errors[label] = [float(((w - target) @ new).square().mean()) for w in (plain, residual)]
    print(
        f"target {label:16} error on new data: plain {errors[label][0]:.3f}, residual "
        f"{errors[label][1]:.3f}"
    )

# %%
expect(
    errors["nearly x"][1] < errors["nearly x"][0] / 10,
    "Near the identity the residual form has less than a tenth of the plain form's error.",
)
expect(errors["-x"][1] > 2 * errors["-x"][0], "For −x it has more than twice the error.")

# %% [markdown]
# A residual block makes a **guess**: "the output is the input". Where the guess is nearly right,
# little is left to learn. Where it is wrong, it does harm. So a sentence that you will often read
# holds only under a condition:

# %%
print(facts.trap("zero_residual_is_optimal"))
print()
print(facts.get("resnet.zero_residual"))

# %% [markdown]
# In a net of many layers the guess is plausible: if 56 layers share the work of 20, each has only a
# little to change.
#
# ### Nested classes of functions
#
# There is another argument for residual blocks. The functions that a net can compute, with any
# choice of its weights, form a **class**. A larger class is certain to come at least as close to
# the best function as a smaller one only if it *contains* the smaller one. In the figure, each
# circle is a class and the star is the best function; the marker on each circle is the function of
# that class that comes closest to the star:

# %%
show(
    plots.plot_function_classes(),
    "Two panels with four circles each, numbered by size, and a star. On the left most "
    "circles overlap, but none contains the one numbered before it, and the largest is further from "
    "the star than the second; on the right each contains the one before it, and comes closer to the "
    "star",
)

# %% [markdown]
# So the point of a residual block, some say, is that deeper nets contain shallower ones.
# **Predict, then run.** Does ResNet-14 contain ResNet-8? (And is that a difference between residual
# and plain nets? Remember what lesson 12 built from Dirac filters.)

# %%
shallow, deep = (models.build("resnet_small", depth=d, in_channels=1).eval() for d in (8, 14))
deep.load_state_dict(shallow.state_dict(), strict=False)  # the first block of each stage
for stage in deep.stages:
    nn.init.zeros_(stage[1].norm2.weight)  # the new block of the stage: F = 0
x = torch.rand(4, 1, 28, 28)
with torch.no_grad():
    same = torch.allclose(shallow(x), deep(x), rtol=1e-4, atol=1e-4)
expect(same, "ResNet-14 computes what ResNet-8 does if its new blocks have F = 0.")

# %% [markdown]
# It does; but a deeper plain net contains a shallower one, too, only with other weights. *Both*
# kinds are nested. The difference is where in the larger class the smaller one lies. In the
# residual net it is enough that the scale and the shift of the last BN in each new block are zero;
# the block's filters may be anything. In the plain net, the new filters of a block must together
# pass every map on unchanged, as Dirac filters do, and nothing pulls the weights there. "Nested"
# says what a net **can** compute, not what training **finds**.

# %% [markdown]
# ## The unrolled sum
#
# Put $L$ blocks in a row, and write out what each adds:
#
# $$\mathbf{x}_L = \mathbf{x}_0 + \sum_{i=0}^{L-1} F_i(\mathbf{x}_i)$$
#
# The output is the input plus a sum, while a plain net is one long composition. For a loss $E$, the
# derivative with respect to $\mathbf{x}_0$ is:
#
# $$\frac{\partial E}{\partial \mathbf{x}_0} = \frac{\partial E}{\partial \mathbf{x}_L}\left(I + \frac{\partial}{\partial \mathbf{x}_0}\sum_{i=0}^{L-1} F_i(\mathbf{x}_i)\right)$$
#
# The first term carries the gradient from the last block to the first *unchanged*. We check both
# equations in code.

# %%
torch.manual_seed(0)
functions = nn.ModuleList(
    nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 6)) for _ in range(4)
).double()


def run(x: torch.Tensor, after: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x_L and the sum of all F_i(x_i); x_{i+1} is `after` of x_i + F_i(x_i)."""
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
# **Predict, then run.** The block of the ResNet paper has a ReLU *after* the addition. Does the sum
# still hold?

# %%
with torch.no_grad():
    last_relu, total_relu = run(x0, after=nn.ReLU())
    off = (last_relu - (x0 + total_relu)).abs().max()
print(f"with a ReLU after the addition the sum is off by up to {off:.2f}")
expect(off > 1e-3, "The sum needs an identity after the addition.")

# %% [markdown]
# No: it needs an identity after the addition, and so does the equation for the gradient. The
# *pre-activation* block of a later paper has one, as it moves BN and ReLU in front of the
# convolutions; we build it below. In the original block the path is blocked wherever a sum is
# negative. And even with an identity there, does the $I$ (on slides: the 1 in $(1 + \ldots)$) keep
# the gradient alive? Not on its own, as the first line below shows. The last line says when it
# does, according to the paper:

# %%
x0 = torch.tensor([2.0, 3.0], requires_grad=True)
block_output = x0 + (-x0)  # F(x) = -x, a block that cancels its input
print(
    "gradient through a block with F(x) = -x:",
    torch.autograd.grad(block_output.sum(), x0)[0].tolist(),
)
print()
print(facts.trap("product_cannot_vanish"))
print(facts.get("preactivation.product"))

# %% [markdown]
# Another slip is to count the identity twice. One slide gets the sum right, but writes the
# derivative as $I + \partial\mathbf{h}_2/\partial\mathbf{h}_1 + \ldots$ (its $\mathbf{h}$ is our
# $\mathbf{x}$):

# %%
print(facts.trap("unrolled_sum"))

# %%
jacobian = torch.func.jacrev(lambda h: h + functions[1](h))(last.detach())  # dh2/dh1
alone = torch.func.jacrev(functions[1])(last.detach())  # dF/dh1
expect(
    torch.allclose(jacobian, identity[:6, :6] + alone),
    "The derivative dh2/dh1 is I + dF/dh1: it already includes the I.",
)

# %% [markdown]
# ### Many paths
#
# Expand the product of three linear blocks: $(I + C)(I + B)(I + A)$ has $2^3 = 8$ terms, as each
# block offers the choice of "through it" or "around it". The derivatives of nonlinear blocks
# multiply in the same way: a gradient runs back through a bundle of paths of different lengths that
# share their weights.

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
    f"ResNet-56: {sum(lengths):,} paths; {sum(lengths[9:19]) / sum(lengths):.0%} of them go "
    f"through 9 to 18 of the 27 blocks"
)

# %% [markdown]
# Most paths have a medium length, but the gradient through a path tends to shrink with each block
# on it. Veit et al. measured the length of the paths that carry most of the gradient in a ResNet of
# 110 layers:

# %%
print(facts.get("residual.gradient_paths"))

# %% [markdown]
# ## The block
#
# A residual block has two 3 × 3 convolutions, each followed by BN, with a ReLU between them; then
# the addition and another ReLU. The convolutions have no biases, as BN would subtract them again.
# Where input and output have the same shape, the shortcut is the identity. Where the block halves
# height and width and doubles the number of maps, the shortcut has to change the shape, and the
# paper tries three options:
#
# - **A**: skip every other pixel, as the stride does, and fill the new channels with zeros. This
#   takes no parameters.
# - **B**: **project** with a 1 × 1 convolution, only where the shape changes.
# - **C**: project in every block.

# %%
from course_utils.models.resnet import Shortcut, ZeroPad  # inline

# %%
x = torch.rand(1, 64, 56, 56)
padded = ZeroPad(64, 128, stride=2)(x)
expect(torch.equal(padded[:, :64], x[:, :, ::2, ::2]), "Option A keeps every other pixel.")
expect(not padded[:, 64:].any(), "Option A fills the new channels with zeros.")
for option in "ABC":
    for c_out, stride in ((128, 2), (64, 1)):
        shortcut = Shortcut(64, c_out, stride, option)
        num = sum(parameter.numel() for parameter in shortcut.parameters())
        print(
            f"{option}: 64 to {c_out:3} maps, {num:6,} parameters, output "
            f"{tuple(shortcut(x).shape)}"
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
    "A residual block that halves height and width: on the left two 3 by 3 convolutions with batch "
    "normalisation and a ReLU, on the right a 1 by 1 convolution with stride 2; their outputs of "
    "128 x 28 x 28 are added and go through a ReLU",
)

# %% [markdown]
# **Predict, then run.** We set the scale of the last BN to zero, so that $F = 0$. What does the
# block return for an input that comes out of a ReLU? What does it return for one that does not? And
# what does its **plain twin** return, the same block without the shortcut?

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
    torch.equal(outputs[True][0], positive), "With F = 0 the block is the identity after a ReLU."
)
expect(torch.equal(outputs[True][1], signed.relu()), "The last ReLU sets negative inputs to zero.")
expect(not outputs[False][0].any(), "The plain twin returns zeros.")

# %% [markdown]
# So the scale of the last BN decides how close a block is to the identity. It usually starts at 1,
# and then $F$ is not small. Some people start with zeros, exactly as here
# (`zero_init_residual=True` in `models.build`; Goyal et al. 2017).
#
# ### The same layers in another order: pre-activation
#
# For the sums of "The unrolled sum" to hold, nothing may come after the addition. So He et al.
# (2016, in their second paper) changed the order: BN and ReLU come *before* each convolution, and
# the block ends with the addition. It is the same block with four lines rewritten:


# %%
class PreActivationBlock(BasicBlock):
    """The layers of BasicBlock in the order BN, ReLU, convolution, twice; then the addition."""

    def __init__(self, in_channels: int, out_channels: int, *args, **options) -> None:
        super().__init__(in_channels, out_channels, *args, **options)
        self.norm1 = nn.BatchNorm2d(in_channels)  # it now comes before the first convolution

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.conv1(torch.relu(self.norm1(x)))  # (N, C_out, H/stride, W/stride)
        f = self.conv2(torch.relu(self.norm2(f)))  # (N, C_out, H/stride, W/stride)
        return f + self.shortcut(x)


# %% [markdown]
# The stem loses its BN and ReLU, as the first block brings its own; and one BN and ReLU come after
# the last block. **Predict, then run.** Does the net have more parameters than ResNet-20, fewer, or
# just as many?

# %%
from course_utils.models.resnet import ResNet


def pre_activation_resnet(depth: int) -> ResNet:
    """Build a ResNet for CIFAR from pre-activation blocks, with shortcut A."""
    stem, blocks = nn.Conv2d(3, 16, 3, padding=1, bias=False), ((depth - 2) // 6,) * 3
    net = ResNet(stem, 16, PreActivationBlock, blocks, (16, 32, 64), 10, shortcut="A")
    net.stages.extend([nn.BatchNorm2d(64), nn.ReLU()])
    return models.initialization.he_normal_(net)


pre = pre_activation_resnet(20)
num = sum(parameter.numel() for parameter in pre.parameters())
expect(num == facts.get("resnet20.cifar_parameters").ours, f"It has ResNet-20's {num:,}.")

# %% [markdown]
# Just as many: the last BN has the 64 channels that the BNs of the stem and of the first blocks of
# stages 2 and 3 have lost (16 + 16 + 32).
#
# **Predict, then run.** Now we check both sums on the first stage of a whole net. Forwards: is
# $\mathbf{x}_L$ equal to $\mathbf{x}_0 + \sum F_i(\mathbf{x}_i)$? Backwards: is the gradient at
# $\mathbf{x}_0$ equal to the one at $\mathbf{x}_L$ plus the gradient that comes through the $F_i$?
# For which order do the sums hold?


# %%
def branch(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return F(x), what a block computes without its shortcut."""
    if isinstance(block, PreActivationBlock):
        f = block.conv1(torch.relu(block.norm1(x)))
        return block.conv2(torch.relu(block.norm2(f)))
    return block.norm2(block.conv2(torch.relu(block.norm1(block.conv1(x)))))


# %%
def sums_hold(blocks: nn.Module) -> tuple[bool, bool]:
    """Return whether the sums hold, forwards and backwards."""
    x0 = x = torch.rand(4, 16, 8, 8, generator=draws).requires_grad_()
    total = torch.zeros_like(x)
    for block in blocks.eval():
        total, x = total + branch(block, x), block(x)
    arriving = torch.randn(x.shape, generator=draws)
    (whole,) = torch.autograd.grad(x, x0, arriving, retain_graph=True)
    (through,) = torch.autograd.grad(total, x0, arriving)
    pairs = ((x, x0 + total), (whole, arriving + through))
    return tuple(torch.allclose(*pair, rtol=1e-3, atol=1e-3) for pair in pairs)


# %%
original = models.build("resnet20")
print("forwards and backwards, pre-activation:", sums_hold(pre.stages[0]))
print("forwards and backwards, original order:", sums_hold(original.stages[0]))
assert sums_hold(original.stages[0]) == (False, False)
expect(sums_hold(pre.stages[0]) == (True, True), "In the new order both sums hold, exactly.")

# %% [markdown]
# Only in the new order: the ReLU after the addition was in the way. Where the size changes, the
# shortcut is not the identity, so the sums hold only within a stage. Whether the new order also
# *trains* better is another question. The paper found that it mattered most for very deep nets; we
# have not measured it.

# %% [markdown]
# ### A slide's block
#
# You can find this class on slides. **Predict, then run.** Where does it fail, and what does it
# lack?


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
# (Ours keeps 56 × 56 here because we left its stride at 1.) Why does it matter that BN is missing?
# With BN, each fresh block adds a response of standard deviation 1. Without it, a block adds a
# response about as large as its input, so the activations grow by about the same factor in
# every block:

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
    print(f"standard deviation after 20 blocks, {label:11}: {spread[label]:.1e}")
expect(
    spread["the slide's"] > 10 * spread["ours"],
    "Without BN the activations grow more than ten times as large.",
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
# The paper draws its conclusion from how *small* the differences are: projections are not what
# cures degradation, since A cures it, too. The paper keeps B for the deeper nets. C costs more and
# gains little. Libraries use B throughout: the 11,689,512 parameters that they give for ResNet-18
# are those with B.

# %% [markdown]
# ## The bottleneck
#
# From 50 layers on, ResNets use another block. A 1 × 1 convolution reduces the channels to a
# quarter, a 3 × 3 convolution works on these, and another 1 × 1 convolution restores the channels:
# the bottleneck of lesson 05, with a shortcut around it.

# %%
from course_utils.models.resnet import Bottleneck  # inline

# %%
show(
    plots.plot_block(Bottleneck(256, 256), (256, 56, 56), title="Bottleneck(256, 256)"),
    "A bottleneck block: 256 maps are reduced to 64 by a 1 by 1 convolution, a 3 by 3 convolution "
    "works on 64, a 1 by 1 convolution restores 256, and the input is added",
)

# %% [markdown]
# **Predict, then run.** How many weights do two 3 × 3 convolutions on 256 channels have? How many
# does the bottleneck on 256 channels have, and how many do two 3 × 3 convolutions on 64 channels
# have?


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
expect(basic256 > 16 * bottleneck, "The bottleneck has less than a sixteenth of the weights.")
expect(bottleneck < basic64, "It has fewer than a basic block on a quarter of the channels.")

# %% [markdown]
# So a block of three layers on 256 channels costs about as much as a block of two layers on 64.
# That is how ResNet-50 gets its depth at nearly the price of ResNet-34. Note what the shortcut does
# here: it connects the two *wide* ends. A projection there (256 to 256) would cost almost as much
# as the block itself:

# %%
print(
    f"a projection 256 to 256: {weights((256, 256, 1)):,} weights, the whole block {bottleneck:,}"
)

# %% [markdown]
# ## The table, rebuilt
#
# All five nets of the paper follow from a few choices: which block, how many in each of four
# stages, how many channels. Before the blocks, a 7 × 7 convolution with stride 2 and a pooling
# layer take 224 pixels to 56; after them come an average over each map and one linear layer. The
# paper counts from the first convolution, so the blocks are in stages 2 to 5:

# %%
rows = []
for depth, (block, num_blocks, widths) in IMAGENET.items():
    convolutions = {"BasicBlock": 2, "Bottleneck": 3}[block.__name__]
    counted = 1 + convolutions * sum(num_blocks) + 1  # the stem, the blocks, the linear layer
    rows.append((depth, block.__name__, str(num_blocks), str(widths), counted))
    assert counted == depth
Table(("ResNet", "block", "blocks in stages 2 to 5", "channels", "layers"), tuple(rows))

# %% [markdown]
# Projections do not count as layers. Now we count the work in multiply-adds, with the formula of
# lesson 05:


# %%
def block_work(kind: str, c_in: int, c_out: int, out: int) -> int:
    """Count the multiply-adds of one block; its stride, if any, is in the first convolution."""
    width = c_out // 4
    layers = {
        "BasicBlock": [(c_in, c_out, 3), (c_out, c_out, 3)],  # shortcut A computes nothing
        "Bottleneck": [(c_in, width, 1), (width, width, 3), (width, c_out, 1)],
    }[kind]
    if kind == "Bottleneck" and c_in != c_out:
        layers.append((c_in, c_out, 1))  # shortcut B
    return sum(conv_multiply_adds(a, b, k=k, out=out) for a, b, k in layers)


# %%
def work(depth: int) -> int:
    """Count the multiply-adds of a ResNet on one image of 224 x 224."""
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
    "Multiply-adds on one image of 3 x 224 x 224",
)

# %% [markdown]
# Four of the five agree with the paper to the last digit that it prints; ResNet-50 would round to
# 3.9. Watch the unit:

# %%
print(facts.trap("resnet50_3_8_gflops"))

# %%
show(
    plots.plot_architecture(models.build("resnet18"), (3, 224, 224), title="ResNet-18"),
    "ResNet-18 as blocks from left to right: the maps shrink from 112 to 7 pixels while their "
    "number grows from 64 to 512, then an average and a linear layer",
)

# %% [markdown]
# ### v1 and v1.5
#
# Where a bottleneck halves height and width, the paper puts the stride into the first 1 × 1.
# **Predict, then run.** What share of the input pixels does that convolution read?

# %%
for place in ("1x1", "3x3"):
    block = Bottleneck(256, 512, stride=2, stride_on=place)
    x = torch.rand(1, 256, 8, 8, requires_grad=True)
    block.conv3(block.conv2(block.conv1(x))).sum().backward()  # only the convolutions
    used = (x.grad.abs().sum(dim=1) > 0).double().mean()
    count = summarise("resnet50", stride_on=place).multiply_adds
    print(
        f"stride in the {place}: {used:.0%} of the pixels used; ResNet-50 takes {count / 1e9:.2f} "
        f"x 10^9 multiply-adds"
    )
    assert used == (0.25 if place == "1x1" else 1.0)

# %% [markdown]
# With the stride in the 1 × 1, three quarters of the pixels are thrown away unread. The variant
# with the stride in the 3 × 3 is known as **v1.5**, costs a little more, and is what torchvision
# builds when you ask for `resnet50`. Say which one you mean when you quote a number.

# %% [markdown]
# ## Plain twin against residual
#
# Now we train plain and residual nets of two depths, with all else equal: 20 and 44 layers of half
# the usual width, on a small set of images.
#
# **Predict, then run.** Order the four by their final training loss.


# %%
def load(seed: int = 0, **options) -> data.Loaders:
    """Load the images; the seed decides their order."""
    options = settings.loading | options
    return data.load(settings.data, **options, device=device, generator=seed_everything(seed))


# %%
channels = load().info.image_shape[0]
TITLES = {
    "plain20": "plain-20",
    "plain44": "plain-44",
    "resnet20": "ResNet-20",
    "resnet44": "ResNet-44",
}


def train(name: str) -> tuple[nn.Module, object]:
    """Build a net of half the usual width and train it, always from the same seed."""
    loaders = load(seed=0)
    model = models.build(name, in_channels=channels, num_classes=10, width=8).to(device)
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
    return model, fit(model, loaders, config, on_epoch_end=[LivePlot(TITLES[name], chance=0.1)])


# %%
trained, histories = {}, {}
for name in ("plain20", "plain44"):
    trained[name], histories[name] = train(name)

# %%
for name in ("resnet20", "resnet44"):
    trained[name], histories[name] = train(name)

# %%
show(
    plots.plot_histories(
        {TITLES[name]: history for name, history in histories.items()},
        "train_loss",
        "training loss",
    ),
    "Training loss of plain and residual nets of 20 and 44 layers over the epochs: from the second "
    "epoch on, the plain net of 44 layers is far above the other three",
)

# %% tags=["nbval-ignore-output"]
loss = {name: history.epochs[-1].train_loss for name, history in histories.items()}
for name, value in loss.items():
    print(f"{TITLES[name]:9} training loss {value:.3f}")
expect(
    loss["resnet44"] < loss["plain44"] - 0.2,
    "With 44 layers the residual net has a training loss lower by more than 0.2.",
    trained=True,
)
expect(
    loss["plain44"] - loss["plain20"] > loss["resnet44"] - loss["resnet20"] + 0.1,
    "Depth costs the plain net more than the residual net.",
    trained=True,
)

# %% control="residual nets with another seed in the plain nets' place"
others = {}
for name in ("resnet20", "resnet44"):
    fresh = load(seed=1)
    net = models.build(name, in_channels=channels, num_classes=10, width=8).to(device)
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
    others[name] = fit(net, fresh, config).epochs[-1].train_loss
refute(
    loss["resnet44"] < others["resnet44"] - 0.2,
    "With 44 layers the residual net has a training loss lower by more than 0.2.",
)
refute(
    others["resnet44"] - others["resnet20"] > loss["resnet44"] - loss["resnet20"] + 0.1,
    "Depth costs the plain net more than the residual net.",
)

# %% [markdown]
# With 20 layers the two kinds are not far apart, and one run of each is thin evidence for the rest.
# Here are the recorded runs of lesson 12, with 20 and 56 layers, three seeds, and one rate for all:

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
        chance=0.1,
    ),
    "Recorded validation accuracy of plain-20, plain-56, ResNet-20 and ResNet-56, mean of three "
    "seeds: plain-56 is lowest",
)

# %%
records.table(*titles)

# %% [markdown]
# All these runs are short: plain-56 has hardly started to learn. In the long runs of lesson 12 it
# does learn, and still ends at a higher training loss than plain-20.
#
# ### Options A, B, C, trained
#
# How much does the option matter? These are recorded runs of a ResNet of 8 layers on 3,000 small
# images, with three seeds for each option, each at the rate that did best on the validation set.
# **Predict, then run.** By how many points will A, B and C differ?

# %%
records.table("resnet_shortcut_a", "resnet_shortcut_b", "resnet_shortcut_c")

# %%
accuracy = {
    option: records.load(f"resnet_shortcut_{option}").test_accuracy.mean for option in "abc"
}
apart = max(accuracy.values()) - min(accuracy.values())
print(f"the best and the worst option are {100 * apart:.1f} points apart")
expect(apart < 0.03, "The three options are within three points of each other.")

# %% [markdown]
# ## How large are the responses?
#
# If a block has little to change, its $F$ should be small. The paper measured this (figure 7): the
# standard deviation of each 3 × 3 layer's output, after BN and before ReLU or addition.

# %%
print(facts.get("resnet.layer_responses"))

# %% [markdown]
# **Predict, then run.** Our nets above were trained for only a few epochs, which is too short for
# this. The course comes with four nets that were trained until their learning rate had fallen to 0
# (lesson 12 shows their curves). We measure the responses in these, and in a net with fresh weights
# as a control. What do you expect from the fresh net, whatever the images are?


# %%
def responses(model: nn.Module) -> list[float]:
    """Return the standard deviation of each convolution's output after BN, block by block."""
    names = [n for n, _ in model.stages.named_modules() if n.endswith(("norm1", "norm2"))]
    layers = [f"stages.{name}" for name in names]
    return list(inspection.activation_spread(model, probe, layers=layers).values())


settled = {
    title: models.pretrained(name.replace("depth", "settled")).to(device)
    for name, title in titles.items()
}
probe = torch.cat([images for images, _ in load(seed=0).val])[:256]
seed_everything(0)
untrained = models.build("resnet56", in_channels=channels, num_classes=10, width=8).to(device)
measured = {title: responses(net) for title, net in settled.items()}
at_start = responses(untrained)

# %%
show(
    plots.plot_by_depth(measured | {"ResNet-56, fresh": at_start}, "standard deviation after BN"),
    "Standard deviation of the layer responses by depth for four trained nets and a fresh one, "
    "whose line is flat at one; those of the two deep nets stay close to one, those of the nets of "
    "20 layers lie above it",
)
expect(all(abs(value - 1) < 0.05 for value in at_start), "Before training all responses are 1.")

# %% [markdown]
# The control shows what there is to explain: BN starts every response at 1. The paper finds smaller
# responses in residual nets than in plain ones, and among residual nets smaller ones with more
# layers. The second finding shows here, too, and even in both kinds: the responses of the deeper
# net lie close to 1, those of the shallower one above it. The first hardly shows: neither of the
# two nets of 20 layers has the smaller responses throughout, and of the two with 56 the residual
# net has smaller ones only in some layers.
#
# Before you attribute this to depth: what else differs between the shallow nets and the deep ones?
# Each was trained at the rate that suited it best, which for the deep ones was a much smaller one.
# Smaller steps leave BN's scales nearer to where they began, at 1. To separate depth from rate, you
# would have to train both depths at one rate.
#
# ## Take one block out
#
# If a residual net is a bundle of paths, one block more or less should not matter much: half of the
# paths do not go through it. A plain net has one path. Veit et al. removed single blocks, and so do
# we: we take the nets that were trained to the end, remove one block *at test time*, without any
# training afterwards, and measure the accuracy. In a residual net the shortcut stays; in a plain
# one the identity replaces the block, if its input and output have the same shape.
#
# **Predict, then run.** What accuracy does plain-20 keep, and what does ResNet-20 keep?

# %%
val = load().val


def accuracy_of(model: nn.Module) -> float:
    return evaluate(model, val).accuracy


def one_block_less(model: nn.Module) -> inspection.Ablation:
    """Measure a model without each of its blocks in turn."""
    names = inspection.removable(model, inspection.blocks(model), next(iter(val))[0][:1])
    return inspection.ablate(model, accuracy_of, names)


ablations = {
    title: one_block_less(settled[title]) for title in ("plain-20", "ResNet-20", "ResNet-56")
}

# %%
show(
    plots.plot_ablations(ablations),
    "Accuracy of plain-20, ResNet-20 and ResNet-56 without each of their blocks in turn: the plain "
    "net falls far with any block gone, ResNet-20 with about half of its blocks, and ResNet-56 "
    "hardly with any",
)

# %% tags=["nbval-ignore-output"]
for name, found in ablations.items():
    print(
        f"{name:9} whole {found.whole:.1%}; one block less costs {100 * found.mean_drop:.1f} "
        f"points on average, and most at {found.worst}"
    )

# %% tags=["nbval-ignore-output"]
drop = {name: found.mean_drop for name, found in ablations.items()}
expect(
    drop["plain-20"] > drop["ResNet-20"] + 0.3,
    "Losing a block costs plain-20 over 30 points more accuracy than ResNet-20.",
    trained=True,
)
expect(
    drop["ResNet-56"] < drop["ResNet-20"] - 0.1,
    "In ResNet-56 a block is worth over ten points less than in ResNet-20.",
    trained=True,
)

# %% control="untrained weights"
guessed = {}
for name in ("plain20", "resnet20", "resnet56"):
    seed_everything(0)
    net = models.build(name, in_channels=channels, num_classes=10, width=8).to(device).eval()
    guessed[name] = one_block_less(net).mean_drop
refute(
    guessed["plain20"] > guessed["resnet20"] + 0.3,
    "Losing a block costs plain-20 over 30 points more accuracy than ResNet-20.",
)
refute(
    guessed["resnet56"] < guessed["resnet20"] - 0.1,
    "In ResNet-56 a block is worth over ten points less than in ResNet-20.",
)

# %% [markdown]
# One block of 27 is a smaller share than one of 9. The ResNet of Veit et al. was deeper still, and
# their contrast is sharper:

# %%
print(facts.get("residual.one_block_removed"))

# %% [markdown]
# Look at which blocks our nets miss most. In both ResNets it is the very first, on which all others
# build; in that of Veit et al. it is those that change the size of the maps.

# %% [markdown]
# ## The paper's table beside ours
#
# On CIFAR-10 the nets of the ResNet paper have three stages of 16, 32 and 64 channels. We can count
# the parameters; the errors are the paper's, **not measured here**:

# %%
rows = []
for depth in (20, 32, 44, 56, 110):
    said, error = (facts.get(f"resnet{depth}.cifar_{what}") for what in ("parameters", "error"))
    counted = summarise(f"resnet{depth}", num_classes=10).parameters
    assert counted == said.ours
    rows.append((f"ResNet-{depth}", said.value, counted, error.text))
Table(("net", "paper, 10^6 parameters", "we count", "paper's test error"), tuple(rows), "CIFAR-10")

# %%
print(f"ResNet-110's error is {facts.get('resnet110.cifar_error').why}")
facts.table(
    "resnet1202.cifar_error", "resnet34.top1", "resnet50.top1", "resnet101.top1", "resnet152.top1"
)

# %% [markdown]
# ResNet-1202 trains without trouble, and does worse than ResNet-110 on test images. *That* is
# overfitting, the authors think: its training error is just as low. To train one of these nets
# yourself on a GPU:
#
# ```
# python -m course_utils train resnet56 --data cifar10 --profile full --crop 4 --flip
# ```

# %% [markdown]
# ## What people say
#
# ResNet won several large contests in 2015, and people say a lot about it. Four common claims are
# wrong:

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
# ## From 2017 on: why shortcuts stayed
#
# Most of what ResNet was made of has since been replaced. The addition has not, as three families
# show; we only count and check here, and have trained none of them.
#
# **ResNeXt** (Xie et al. 2017) keeps the bottleneck and cuts its 3 × 3 into 32 *groups*, which
# makes room for twice as many channels inside. **Predict, then run.** Does its block have more
# weights?

# %%
grouped = conv_parameters(128, 128, k=3, groups=32, bias=False)
resnext = weights((256, 128, 1), (128, 256, 1)) + grouped
print(f"bottleneck with 64 channels inside: {bottleneck:,}; with 128 in 32 groups: {resnext:,}")
expect(abs(resnext / bottleneck - 1) < 0.01, "The two are within one per cent of each other.")

# %% [markdown]
# The **transformer** (Vaswani et al. 2017) has no convolution at all. Yet each of its layers
# computes $\mathbf{x} + \mathrm{attention}$, then $\mathbf{x} + \mathrm{MLP}$, with layer norm in
# place of BN: at first after each addition; later models moved it in front, as pre-activation does.
#
# **ConvNeXt** (Liu et al. 2022) went back to convolutions with what people had learned from
# transformers: one 7 × 7 filter per channel, one normalisation per block, and nothing after the
# addition. (Our class leaves out two extras: a learned scale for each channel of $F$, and dropping
# whole blocks at random in training.)


# %%
class ConvNeXtBlock(nn.Module):
    """7x7 depthwise, layer norm, 1x1 to four times the channels, GELU, 1x1 back; then add x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.back = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.norm(self.spatial(x).movedim(1, -1))  # (N, H, W, C)
        f = self.back(F.gelu(self.wide(f)))  # a linear layer at each pixel is a 1x1 convolution
        return x + f.movedim(-1, 1)  # (N, C, H, W)


# %%
block, x = ConvNeXtBlock(64), torch.randn(2, 64, 14, 14, generator=draws)
nn.init.zeros_(block.back.weight)
nn.init.zeros_(block.back.bias)
expect(torch.equal(block(x), x), "With F = 0 it returns any input, negative values, too.")

# %% [markdown]
# What do the three have in common with ResNet? An identity around every block, so that what a block
# computes is a *change*. What is *not* settled is why that helps so much: paths, smoother losses,
# gradients that do not shatter and easy initialisation have all been proposed, with some evidence
# for each. Nor is it the only way: with carefully chosen initial weights, plain convnets of
# thousands of layers have been trained (Xiao et al. 2018).

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("13_resnet")

# %% [markdown]
# ## What to remember
#
# - $H(\mathbf{x}) = F(\mathbf{x}) + \mathbf{x}$. A small $F$ means "change little". That is a good
#   guess in a deep net, and no more than a guess.
# - With an identity after the addition, $\mathbf{x}_L = \mathbf{x}_0 + \sum F_i(\mathbf{x}_i)$, and
#   the gradient has a term that passes through all blocks unchanged. The original block has a ReLU
#   there.
# - Where the shape changes, the shortcut pads with zeros (A) or projects (B). The two differ little
#   in accuracy, but without either the addition fails.
# - A bottleneck of 1 × 1, 3 × 3, 1 × 1 costs about a seventeenth of two 3 × 3 convolutions on the
#   same channels. ResNets use it from 50 layers on.
# - If you remove one block, a residual net on average loses far less accuracy than a plain net.
# - 3.57 % is an error rate, not an accuracy, and that of an ensemble. ResNet-50's 3.8 × 10⁹ counts
#   multiply-adds, and those of v1.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. A residual block guesses that the output is the input. For what task would that be a bad guess,
#    and what would you guess instead?
# 2. A trained residual net survives the loss of one block. Is that a sign of a good design, or of
#    blocks that do too little?
# 3. Shortcuts have outlived the layers around them. Which part of today's nets do you expect to be
#    gone in ten years, and what evidence do you have?

# %% [markdown]
# ## Further reading
#
# - K. He, X. Zhang, S. Ren, J. Sun: *Deep residual learning for image recognition*. CVPR 2016.
# - K. He, X. Zhang, S. Ren, J. Sun: *Identity mappings in deep residual networks*. ECCV 2016.
#   Section 2 has the sums, section 3 what breaks them.
# - A. Veit, M. Wilber, S. Belongie: *Residual networks behave like ensembles of relatively shallow
#   networks*. NIPS 2016. Paths, and what removing blocks does.
# - P. Goyal et al.: *Accurate, large minibatch SGD: Training ImageNet in 1 hour*. arXiv 1706.02677,
#   2017. Section 5.1: blocks that start as the identity.
# - S. Xie, R. Girshick, P. Dollár, Z. Tu, K. He: *Aggregated residual transformations for deep
#   neural networks*. CVPR 2017. ResNeXt.
# - A. Vaswani et al.: *Attention is all you need*. NIPS 2017. Section 3.1 has the residual layers.
# - L. Xiao, Y. Bahri, J. Sohl-Dickstein, S. Schoenholz, J. Pennington: *Dynamical isometry and a mean
#   field theory of CNNs: How to train 10,000-layer vanilla convolutional neural networks*. ICML 2018.
# - Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie: *A ConvNet for the 2020s*. CVPR
#   2022. ConvNeXt.
#
# **Exercise** {exercise}
#
# **Next** comes lesson 14, which asks: why add, when you can keep everything side by side?
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | residual | 잔차 | the difference between the desired output and the input |
# | residual block | 잔차 블록 | layers that compute F(x), and an addition of x |
# | shortcut | 지름길 연결 (숏컷) | the connection around the layers of a block |
# | identity mapping | 항등 사상 | a function that returns its input |
# | projection | 투영 (프로젝션) | a 1 × 1 convolution that makes the shapes fit |
# | zero padding | 제로 패딩 | here: new channels filled with zeros |
# | bottleneck | 병목 | few channels between many |
# | ensemble | 앙상블 | several nets whose outputs are averaged |
# | ablation | 제거 실험 | removing a component to see what it does |
