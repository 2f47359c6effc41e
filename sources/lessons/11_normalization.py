# %% [markdown]
# # 11 · Normalisation: keeping the numbers in range
#
# **After this lesson you can**
# - say where the signal of a deep net dies, and choose initial weights that keep it alive;
# - write batch normalisation by hand, in both of its modes, and avoid its traps;
# - tell six normalisations apart by what they average over, and choose one for a given batch
#   size;
# - separate what is known about why batch normalisation works from what is only claimed.
#
# **Time** 85 minutes; 55 if you leave out the sections marked ◇, which you may skip on a first reading.
# Training takes about two of these minutes on a laptop.
#
# **Builds on** 07 (training loop, sigmoid against ReLU), 08 (ReLU) and 09 (deep stacks of 3 × 3
# convolutions).

# %% [markdown]
# ## The question
#
# Two 3 × 3 convolutions see as much as one 5 × 5, with fewer weights (lesson 09). So should you
# stack more of them? Here are fourteen layers, thirteen of them convolutions, with ReLU in between
# and the initial weights that were designed for ReLU. Nothing about this net is unusual.
#
# We train it twice. The second time, each convolution is followed by one more layer, called **batch
# normalisation** (BN).
#
# **Predict, then run.** A net that knows nothing about ten classes has a loss of
# $\log 10 \approx 2.30$. What training loss does each of the two reach after a few epochs? Write
# both down.

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

from course_utils import data, facts, models
from course_utils.plots import LivePlot, plot_block, plot_by_depth, plot_lines, show
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.training import History, TrainConfig, fit

settings = profile("11_normalization")
device = choose_device()


# %%
def load(**options) -> data.Loaders:
    """Load the images in the same order each time."""
    options = settings.loading | options
    return data.load(settings.data, device=device, generator=seed_everything(0), **options)


def plain_net(norm: str = "none") -> nn.Module:
    """Return thirteen 3 x 3 convolutions in three stages and a linear layer, no shortcuts."""
    switches = {"depth": 14, "width": 8, "residual": False, "norm": norm}
    return models.build("resnet_small", in_channels=1, num_classes=10, **switches).to(device)


# %%
def train(model: nn.Module, title: str, **changes) -> History:
    """Train on the same images in the same order each time; only the model differs."""
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr, precision="float32", **changes)
    return fit(model, load(), config, on_epoch_end=[LivePlot(title, chance=0.1)])


seed_everything(0)
without = plain_net("none")
without_history = train(without, "fourteen layers, no normalisation")

# %%
seed_everything(0)
with_bn = plain_net("batch")
with_bn_history = train(with_bn, "fourteen layers, batch normalisation")

# %% tags=["nbval-ignore-output"]
losses = {
    "without": without_history.column("train_loss")[-1],
    "with BN": with_bn_history.column("train_loss")[-1],
}
print({name: round(loss, 2) for name, loss in losses.items()})
expect(
    losses["without"] > math.log(10) - 0.3,
    "Without normalisation the net has hardly learned anything.",
    trained=True,
)
expect(losses["with BN"] < 1.2, "With batch normalisation the same net learns.", trained=True)

# %% control="the other net"
refute(
    losses["with BN"] > math.log(10) - 0.3,
    "Without normalisation the net has hardly learned anything.",
)
refute(losses["without"] < 1.2, "With batch normalisation the same net learns.")

# %% [markdown]
# One run of each is an anecdote. Here are recorded runs of the same two nets, with three seeds and
# two more epochs:

# %%
from course_utils.training import records

records.table("norm_none_unclipped", "norm_batch_unclipped")

# %% [markdown]
# The first net does not overfit, and it is not too small: it hardly starts to learn. Somewhere
# between image and loss the activations, or the gradients, go out of range. This lesson asks how
# that happens, tries two remedies, initial weights and normalisation, and then asks what the second
# one really does.

# %% [markdown]
# ## Saturation: where slopes are zero
#
# The oldest suspect is the activation. Backpropagation multiplies by the slope of every activation
# on the way. Here are the slopes of three activations:

# %%
x = torch.linspace(-6, 6, 2401, requires_grad=True)
slopes = {}
for name, activation in {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "ReLU": torch.relu}.items():
    slopes[name] = torch.autograd.grad(activation(x).sum(), x)[0].tolist()
show(
    plot_lines(slopes, x.tolist(), "input of the activation", "slope"),
    "Slopes of three activations: the sigmoid's is a low hill of height one quarter, tanh's a hill "
    "of height one, both nearly zero beyond plus or minus four; ReLU's is zero, then jumps to one",
)
expect(abs(max(slopes["sigmoid"]) - 0.25) < 1e-6, "The sigmoid's slope is at most 1/4.")

# %% [markdown]
# Far from zero the sigmoid and tanh are flat. A unit there is **saturated**: its output hardly
# depends on its input, and hardly any gradient passes through it. Even where it is steepest, a
# sigmoid passes on only a quarter of the gradient. **Predict, then run.** By what factor do the
# slopes of ten sigmoids in a row multiply a gradient, at most?

# %%
print(f"{0.25**10:.1e}")

# %% [markdown]
# Which layer of a deep net saturates first? Folklore has an answer, and lecture slides repeat it:

# %%
print(facts.trap("deeper_tanh_saturates_more").claim)

# %% [markdown]
# Glorot and Bengio examined this in 2010, with up to five hidden layers and the initial weights of
# the time, uniform between $-1/\sqrt{n}$ and $1/\sqrt{n}$ for $n$ inputs. We repeat their
# experiment on our images. We call a unit saturated for an image if its slope there is less than a
# tenth of the activation's largest slope, and follow the share of saturated units in each layer.


# %%
def old_uniform_(model: nn.Module) -> nn.Module:
    """Draw weights from U(-1/sqrt(n), 1/sqrt(n)) for n inputs, as before 2010; set biases to 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
    return model


def deep_mlp(activation: type[nn.Module], num_layers: int = 5, width: int = 128) -> nn.Module:
    """Stack hidden layers of one width, each followed by the activation."""
    layers = [nn.Flatten()]
    for i in range(num_layers):
        layers += [nn.Linear(width if i else 28 * 28, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


# %%
from course_utils.inspection import capture, layer_names

# The slope at an output, divided by the largest slope of the activation.
SLOPE = {nn.Tanh: lambda out: 1 - out**2, nn.Sigmoid: lambda out: 4 * out * (1 - out)}


@torch.no_grad()
def saturated(model: nn.Module, activation: type[nn.Module], images: torch.Tensor) -> list[float]:
    """Return the share of saturated units of each hidden layer."""
    names = layer_names(model, activation)
    with capture(model, names) as seen:
        model(images)
    return [float((SLOPE[activation](seen.features[name]) < 0.1).float().mean()) for name in names]


# %%
def watch_saturation(activation: type[nn.Module], lr: float) -> dict[str, list[float]]:
    """Train, and record the saturated share of each layer at the start and after each epoch."""
    loaders = load(batch_size=16)
    model = old_uniform_(deep_mlp(activation)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    probe = next(iter(loaders.val))[0]
    shares = [saturated(model, activation, probe)]
    for _ in range(2 * settings.epochs):
        for images, labels in loaders.train:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        shares.append(saturated(model, activation, probe))
    return {f"layer {i}": list(row) for i, row in enumerate(zip(*shares, strict=True), start=1)}


# %% [markdown]
# **Predict, then run.** Which of the five layers of the tanh net saturates first: the first, the
# last, or all at once?

# %% tags=["nbval-ignore-output"]
tanh = watch_saturation(nn.Tanh, lr=0.3)
epochs = list(range(2 * settings.epochs + 1))
show(
    plot_lines(tanh, epochs, "epochs of training", "saturated tanh units", percent=True),
    "Share of saturated tanh units over the epochs: layer 1 rises first and highest, then layer 2, "
    "3 and so on in order",
)
expect(
    tanh["layer 1"][-1] > 2 * tanh["layer 2"][-1] + 0.02,
    "With tanh, layer 1 saturates first.",
    trained=True,
)
expect(tanh["layer 2"][-1] > tanh["layer 5"][-1], "Layer 2 saturates before layer 5.", trained=True)

# %%
print(facts.trap("deeper_tanh_saturates_more").right)

# %% [markdown]
# For tanh, the slides have it the wrong way round. (This run has a learning rate of 0.3. At 1.0,
# over 90 % of the units of all five layers are saturated after one epoch, so no order shows.) There
# is a net whose *last* hidden layer saturates first, though:

# %% tags=["nbval-ignore-output"]
sigmoid = watch_saturation(nn.Sigmoid, lr=1.0)
show(
    plot_lines(sigmoid, epochs, "epochs of training", "saturated sigmoid units", percent=True),
    "Share of saturated sigmoid units over the epochs: layer 5 saturates almost at once, while all "
    "other layers stay at zero",
)
expect(
    max(sigmoid["layer 5"]) > 0.5 and max(sigmoid["layer 1"]) < 0.05,
    "With sigmoids the last hidden layer saturates, not the first.",
    trained=True,
)

# %% control="the other activation"
refute(
    sigmoid["layer 1"][-1] > 2 * sigmoid["layer 2"][-1] + 0.02,
    "With tanh, layer 1 saturates first.",
)
refute(sigmoid["layer 2"][-1] > sigmoid["layer 5"][-1], "Layer 2 saturates before layer 5.")
refute(
    max(tanh["layer 5"]) > 0.5 and max(tanh["layer 1"]) < 0.05,
    "With sigmoids the last hidden layer saturates, not the first.",
)

# %% [markdown]
# This is how Glorot and Bengio explain it. At the start the lower layers of a sigmoid net compute
# nothing useful, so the net does best to ignore the last hidden layer, and it does so by pushing
# that layer's outputs to 0. A tanh is steepest where its output is 0; a sigmoid is flat where its
# output is close to 0. That is one reason to prefer activations that are centred on zero. (Here,
# too, the rate matters: ours is 1.0, and at 0.3 no layer saturates within eight epochs.)

# %% [markdown]
# ## A factor for each layer: vanishing and exploding
#
# ReLU does not saturate for positive inputs, and our fourteen layers used ReLU. What else goes
# wrong? Follow the size of the numbers. A unit sums $n$ products, $y = \sum_{i=1}^{n} w_i x_i$. If
# the weights are independent of each other and of the inputs and have mean 0, the variances of the
# products add up:
#
# $$\operatorname{Var}(y) = n \operatorname{Var}(w)\, \operatorname{E}(x^2)$$
#
# So every layer multiplies the mean square by a factor, $n \operatorname{Var}(w)$, and ReLU then
# halves the mean square, since it sets one half of a symmetric distribution to zero. After $L$
# layers the mean square has been multiplied by:
#
# $$\left(\tfrac{1}{2}\, n \operatorname{Var}(w)\right)^{L}$$
#
# The depth is the exponent. If the base is below 1, the activations **vanish**; if it is above 1,
# they **explode**. The same happens to the gradients on the way back, with the number of outputs in
# place of $n$. For a convolution, $n$ counts what one filter reads: $c_\text{in} k_h k_w$.
#
# | initial weights | $\operatorname{Var}(w)$ | made for |
# |---|---|---|
# | fixed, $N(0, 0.01^2)$ | $0.0001$, whatever $n$ is | no particular $n$; AlexNet used it |
# | old uniform, $U(\pm 1/\sqrt{n})$ | $1/(3n)$ | nothing in particular; still the default of PyTorch's layers |
# | Xavier (Glorot & Bengio 2010) | $2/(n_\text{in} + n_\text{out})$ | tanh, whose slope near 0 is 1; a compromise between forward and backward pass |
# | He (He et al. 2015) | $2/n_\text{in}$ | ReLU: makes up for the lost half |
#
# **Predict, then run.** Take twenty layers of 128 units with ReLU. By what factor does the standard
# deviation (so take the square root of the above) shrink with the old uniform weights, and with
# Xavier's?

# %%
for name, factor in {"old uniform": 1 / 3, "Xavier": 1.0, "He": 2.0}.items():
    print(f"{name:12} (1/2 · {factor:.2f})^(20/2) = {(0.5 * factor) ** 10:.1e}")

# %%
from course_utils.inspection import activation_spread, parameter_gradients
from course_utils.models.initialization import gaussian_, glorot_uniform_, he_normal_

INITIALISATIONS = {
    "N(0, 0.01²)": lambda model: gaussian_(model, 0.01),
    "old uniform": old_uniform_,
    "Xavier": glorot_uniform_,
    "He": he_normal_,
}


def stack(activation: type[nn.Module], initialise, width: int = 128) -> nn.Module:
    """Build twenty hidden layers of one width, with fresh weights."""
    torch.manual_seed(0)
    layers = [part for _ in range(20) for part in (nn.Linear(width, width), activation())]
    return initialise(nn.Sequential(*layers, nn.Linear(width, 10)))


# %%
noise = torch.randn(256, 128, generator=torch.Generator().manual_seed(0))
labels = torch.arange(256) % 10
nets = {name: stack(nn.ReLU, initialise) for name, initialise in INITIALISATIONS.items()}
spread = {name: list(activation_spread(net, noise, layers=layer_names(net, nn.ReLU)).values())
          for name, net in nets.items()}  # fmt: skip
show(
    plot_by_depth(spread, "standard deviation of the output"),
    "Standard deviation of the activations over twenty ReLU layers, logarithmic: a steep line down "
    "to 1e-22 for fixed small weights, to 1e-8 for old uniform, 1e-3 for Xavier; He's line is flat",
)

# %%
kept = {name: row[-1] / row[0] for name, row in spread.items()}
print({name: f"{ratio:.0e}" for name, ratio in kept.items()})
expect(0.1 < kept["He"] < 10, "He's weights keep the standard deviation through 20 layers.")
expect(
    kept["Xavier"] < 0.01,
    "With ReLU, Xavier's weights lose it: they ignore the half that ReLU sets to zero.",
)
expect(kept["old uniform"] < 1e-6, "The old weights shrink it by a factor of more than a million.")

# %% [markdown]
# And the gradients? What arrives at a unit on the way back, added up over the images, is the
# gradient of its bias. **Predict, then run.** With the old weights, where do the biases get the
# smaller gradient, in the first layers or in the last? And where do the weights?

# %%
arrives = {}
for name in ("old uniform", "Xavier", "He"):
    gradients = parameter_gradients(nets[name], noise, labels)
    norms = {key: float(gradient.norm()) for key, gradient in gradients.items()}
    arrives[name] = [norm for key, norm in norms.items() if key.endswith("bias")]
    first, last = norms["0.weight"], norms["38.weight"]
    print(f"{name:12} gradient of the weights: {first:.0e} in layer 1, {last:.0e} in layer 20")
show(
    plot_by_depth(arrives, "norm of the biases' gradient"),
    "Norm of the gradient of each layer's biases, logarithmic: nearly flat for He, falling towards "
    "the first layer by about two orders of magnitude for Xavier and almost seven for old uniform",
)

# %% [markdown]
# With the old weights almost nothing arrives at the first layers, those next to the image. And the
# weights? The gradient of a weight is what arrives, times the activation that the weight
# multiplies. Towards the image the former shrinks about as fast as the latter grows, so the weights
# of *all* layers get gradients of about the same size: with the old weights, next to nothing. Now
# take tanh: its slope at 0 is 1, so nothing is halved. Here Xavier's weights fit, and the old ones
# lose a factor of $\sqrt 3$ per layer:

# %%
tanh_nets = {name: stack(nn.Tanh, INITIALISATIONS[name]) for name in ("old uniform", "Xavier")}
tanh_spread = {}
for name, net in tanh_nets.items():
    row = list(activation_spread(net, noise, layers=layer_names(net, nn.Tanh)).values())
    tanh_spread[name] = row[-1] / row[0]
    print(f"{name:12} {row[0]:.2f} after layer 1, {row[-1]:.1e} after layer 20")
expect(
    tanh_spread["Xavier"] > 0.1 and tanh_spread["old uniform"] < 1e-3,
    "Xavier's weights suit tanh, and the old ones do not.",
)

# %% [markdown]
# So initialisation is a matter of arithmetic, not of taste. But it concerns only the start. Each
# step changes the weights, and nothing keeps the product of twenty factors near 1. Our fourteen
# layers had He's weights, and still the first large steps threw them off balance. (With clipped
# gradients they do learn, as you will see below.) The second remedy is to measure the
# standard deviation during training, and to divide by it.

# %% [markdown]
# ## Batch normalisation
#
# BN works on one channel at a time. It takes all the values of that channel in the batch,
# $m = N \cdot H \cdot W$ of them, computes their mean $\mu$ and variance $\sigma^2$, and gives the
# channel mean 0 and variance 1. Then the net may choose another scale $\gamma$ and shift $\beta$,
# which are learned, one of each per channel:
#
# $$\hat{x} = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad y = \gamma \hat{x} + \beta$$
#
# The $\varepsilon$ prevents a division by zero in a constant channel. Here is the layer, written
# out:

# %%
from course_utils.models.normalization import BatchNorm2dByHand  # inline

# %% [markdown]
# In a net it comes between the convolution and the activation. It does not change the shape, and it
# adds two parameters for each channel:

# %%
unit = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
show(
    plot_block(unit, (8, 28, 28), title="convolution, normalisation, activation"),
    "A convolution turns 8 maps of 28 by 28 into 16, batch normalisation and ReLU keep their shape",
)
expect(
    sum(p.numel() for p in unit[1].parameters()) == 2 * 16,
    "Batch normalisation has two parameters for each channel, γ and β.",
)

# %% [markdown]
# Here are two wrong claims about batch normalisation that you may meet:

# %%
for key in ("batchnorm_2016", "batchnorm_divides_by_variance"):
    print(facts.trap(key), "\n")

# %% [markdown]
# The second is easy to check. **Predict, then run.** Multiply the input by 10. What happens to the
# output if you divide by the standard deviation, and what if you divide by the variance?

# %%
generator = torch.Generator().manual_seed(0)
x = 3 + 2 * torch.randn(8, 4, 5, 5, generator=generator)  # (N, C, H, W)
layer = BatchNorm2dByHand(4)
change = (layer(10 * x) / layer(x)).median()
print(f"by the standard deviation: the output changes by a factor of {change:.3f}")
variance = x.var(dim=(0, 2, 3), correction=0)[:, None, None]
scaled = 10 * x / (10 * x).var(dim=(0, 2, 3), correction=0)[:, None, None]
print(f"by the variance: it changes by a factor of {(scaled / (x / variance)).median():.3f}")
expect(
    abs(change - 1) < 1e-3,
    "The scale of its input does not change the output of batch normalisation.",
)

# %% [markdown]
# The bias of the convolution before BN does not change the output either: BN subtracts it again,
# together with the mean. So we leave that bias out (`bias=False`), and $\beta$ takes its place.
#
# ### The scale of the weights
#
# BN cancels the scale of its input. So you can double the weights of the convolution before it, and
# the net still computes the same function, with the same loss. **Predict, then run.** What about
# the gradient with respect to these weights: is it the same, half as large, or twice as large?

# %%
conv, norm = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)
x = torch.randn(16, 3, 12, 12, generator=generator)
goal = torch.randn(16, 8, 10, 10, generator=generator)
start = conv.weight.detach().clone()
losses_at, gradient_at = {}, {}
for factor in (1, 2):
    with torch.no_grad():
        conv.weight.copy_(factor * start)
    loss = F.mse_loss(norm(conv(x)), goal)
    losses_at[factor], gradient_at[factor] = loss, torch.autograd.grad(loss, conv.weight)[0]

# %%
g = gradient_at[1]
expect(torch.allclose(losses_at[1], losses_at[2], rtol=1e-3), "Doubled weights: the same loss.")
expect(
    torch.allclose(gradient_at[2], g / 2, rtol=1e-2, atol=1e-5),
    "Their gradient is half as large.",
)
along = (start * g).sum(dim=(1, 2, 3)) / (start.flatten(1).norm(dim=1) * g.flatten(1).norm(dim=1))
expect(along.abs().max() < 1e-2, "It is orthogonal to each filter.")
expect((start - 0.1 * g).norm() > start.norm(), "So a step makes the weights longer.")

# %% [markdown]
# In symbols: the loss satisfies $E(a\,w) = E(w)$ for every $a > 0$. Differentiate with respect to
# $w$, and you get $\nabla E(a\,w) = \nabla E(w)/a$; with respect to $a$ at $a = 1$, and you get
# $w \cdot \nabla E(w) = 0$.
#
# This changes what two settings mean. The **learning rate** acts relative to the weights: if they
# are twice as long, the same rate turns a filter by a quarter of the angle. And **weight decay**
# cannot make the net simpler here, as shorter weights compute the same function. What it does is
# keep the weights from growing, so that the steps do not turn the filters less and less.
#
# ### The backward pass ◇
#
# What does backpropagation through BN compute? An input changes its own output and, through $\mu$
# and $\sigma^2$, the outputs of all other values of its channel. Let $g = \partial E/\partial y$ be
# the gradient that arrives, and let a bar mean the average over the channel. Then
#
# $$\frac{\partial E}{\partial x} = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}}
# \left(g - \overline{g} - \hat{x}\,\overline{g\,\hat{x}}\right), \qquad
# \frac{\partial E}{\partial \gamma} = \sum g\,\hat{x}, \qquad
# \frac{\partial E}{\partial \beta} = \sum g.$$
#
# The first term is what a fixed scale would give; $\overline{g}$ comes from the mean, the last term
# from the variance. **Predict, then run.** We put that into code and compare it with autograd. What
# do you expect for the mean of $\partial E/\partial x$ over a channel?


# %%
def batch_norm_backward(x, gamma, g, eps=1e-5):
    """Return the gradients for x, gamma and beta, from g, the output's gradient; all float64."""
    dims = (0, 2, 3)
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    scale = 1 / torch.sqrt(variance + eps)
    x_hat = (x - mean) * scale
    from_mean = g.mean(dims, keepdim=True)
    from_variance = x_hat * (g * x_hat).mean(dims, keepdim=True)
    in_x = gamma[:, None, None] * scale * (g - from_mean - from_variance)
    return in_x, (g * x_hat).sum(dims), g.sum(dims)


# %%
layer = nn.BatchNorm2d(4).double()
nn.init.normal_(layer.weight, generator=generator)
x = torch.randn(8, 4, 5, 5, generator=generator, dtype=torch.float64).requires_grad_()
g = torch.randn(8, 4, 5, 5, generator=generator, dtype=torch.float64)
by_autograd = torch.autograd.grad(layer(x), (x, *layer.parameters()), g)
by_formula = batch_norm_backward(x.detach(), layer.weight.detach(), g)
same = all(torch.allclose(a, b) for a, b in zip(by_autograd, by_formula, strict=True))
expect(same, "The formula gives autograd's three gradients.")
in_x = by_formula[0]
expect(in_x.mean(dim=(0, 2, 3)).abs().max() < 1e-9, "Its mean over a channel is zero.")

# %% [markdown]
# Adding a constant to a channel changes no output, so no gradient can point that way; nor can it
# point along $\hat{x}$, since a larger scale changes nothing. BN removes these two directions from
# every gradient that passes. In evaluation mode $\mu$ and $\sigma$ are constants, and only the
# first term remains.

# %% [markdown]
# ### Two variances ◇
#
# For the variance of $m$ numbers you can divide by $m$ or by $m - 1$. The first, the **biased**
# one, is the variance of these numbers. The second, the **unbiased** one, estimates the variance of
# the distribution that they come from. BN uses *both*: it normalises with the first and tracks the
# second. **Predict, then run.** A channel holds only the values 1 and 3. What does BN turn them
# into, and what is the running variance if only this batch counts?

# %%
tiny = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)  # two images of one pixel
layer = nn.BatchNorm2d(1, momentum=1.0, eps=1e-12)  # momentum 1: it tracks only the last batch
print("output:", layer(tiny).flatten().tolist(), " running variance:", layer.running_var.item())
expect(layer(tiny).abs().max() == 1, "The layer normalises with 1, the biased variance.")
expect(layer.running_var.item() == 2, "It tracks 2, the unbiased variance.")

# %%
facts.table("batchnorm.formula", "batchnorm.inference_variance", "batchnorm.eps_torch")

# %% [markdown]
# Now we compare our whole layer with PyTorch's: three batches in training mode, then one in
# evaluation mode.

# %%
ours, torchs = BatchNorm2dByHand(4), nn.BatchNorm2d(4)
for step in range(4):
    if step == 3:
        ours.eval(), torchs.eval()
    x = step + (step + 1) * torch.randn(8, 4, 5, 5, generator=generator)
    assert torch.allclose(ours(x), torchs(x), atol=1e-5)
same = all(
    torch.allclose(mine, theirs)
    for mine, theirs in zip(ours.state_dict().values(), torchs.state_dict().values(), strict=True)
)
expect(same, "Our layer has the same outputs and the same five tensors as nn.BatchNorm2d.")

# %% [markdown]
# ### Two modes
#
# In training mode the statistics come from the batch. So an image's output depends on **the other
# images in the batch**. No other layer that you have met does that. In evaluation mode this would
# be absurd: the same garment might be classified as a shirt or as a coat, depending on which images
# share its batch. So in that mode BN uses estimates that it updated after every training batch,
# $\mu_\text{run} \leftarrow 0.9\, \mu_\text{run} + 0.1\, \mu$ and likewise for the variance: it
# multiplies each channel by a fixed number and adds another.
#
# A frequent mistake with BN is to forget the mode. **Predict, then run.** We sort the test images
# by class, so that every batch shows one kind of garment, and classify them in both modes. How do
# the accuracies differ?


# %% tags=["nbval-ignore-output"]
@torch.no_grad()
def accuracy_in(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the accuracy, 100 images at a time, in whatever mode the model is in."""
    hits = [
        model(x).argmax(dim=1) == y
        for x, y in zip(images.split(100), labels.split(100), strict=True)
    ]
    return float(torch.cat(hits).float().mean())


batches = list(load().test)
images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
by_class = labels.argsort()
in_eval = accuracy_in(with_bn.eval(), images[by_class], labels[by_class])

# %% tags=["nbval-ignore-output"]
import copy

forgotten = copy.deepcopy(with_bn).train()  # a copy: training mode moves the running estimates
in_train = accuracy_in(forgotten, images[by_class], labels[by_class])
print(f"sorted by class: evaluation mode {in_eval:.0%}, training mode {in_train:.0%}")
expect(
    in_train < in_eval - 0.2,
    "In training mode, a sorted test set costs more than 20 points of accuracy.",
    trained=True,
)

# %% control="the test set in random order"
mixed = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
unsorted = accuracy_in(copy.deepcopy(with_bn).train(), images[mixed], labels[mixed])
refute(
    unsorted < in_eval - 0.2,
    "In training mode, a sorted test set costs more than 20 points of accuracy.",
)

# %% [markdown]
# Subtract the mean from a batch of nothing but coats, and much of what made them coats is gone.
#
# ### Folding ◇
#
# In evaluation mode BN multiplies each channel by one number and adds another. A convolution can do
# that itself, with other weights and a bias. So a convolution without a bias, followed by BN, is
# one convolution, with
#
# $$w' = \frac{\gamma}{\sqrt{\sigma_\text{run}^2 + \varepsilon}}\, w, \qquad
# b' = \beta - \frac{\gamma}{\sqrt{\sigma_\text{run}^2 + \varepsilon}}\, \mu_\text{run}.$$
#
# To check this, we fold all thirteen BN layers of the trained net into their convolutions, and
# compare the logits before and after.


# %%
def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Return one convolution that computes what conv and norm do in evaluation mode."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    c_in, c_out = conv.in_channels, conv.out_channels
    one = nn.Conv2d(c_in, c_out, conv.kernel_size, conv.stride, conv.padding)
    one.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    one.bias = nn.Parameter(norm.bias - scale * norm.running_mean)
    return one


# %%
from course_utils.models.resnet import BasicBlock

net = copy.deepcopy(with_bn).eval()
blocks = [m for m in net.modules() if isinstance(m, BasicBlock)]
pairs = [(block, f"conv{i}", f"norm{i}") for block in blocks for i in (1, 2)]
for parent, conv, norm in [(net.stem, "0", "1"), *pairs]:
    setattr(parent, conv, folded(getattr(parent, conv), getattr(parent, norm)))
    setattr(parent, norm, nn.Identity())
left = sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
with torch.no_grad():
    before, after = with_bn(images[:200]), net(images[:200])
print(f"BN layers left: {left}")
expect(torch.allclose(before, after, rtol=1e-3, atol=1e-3), "The logits are the same.")

# %% [markdown]
# This is done when a net is prepared for a phone, so BN costs nothing there. In training mode you
# cannot fold, because the statistics belong to the batch. Nor can you fold a normalisation that
# computes new statistics for every image, as three of those below do.

# %% [markdown]
# ### Small batches
#
# In training mode, mean and variance are *estimates* from the batch. How noisy are they? We apply a
# convolution with random filters to all test images, draw many batches of $N$ images, and compare
# the standard deviation of the batch mean with that of single values.

# %%
pictures = data.load("fashion_mnist_mini", batch_size=2000, generator=generator).test
pictures = next(iter(pictures))[0]  # (2000, 1, 28, 28)
torch.manual_seed(0)
maps = nn.Conv2d(1, 8, 3)(pictures).detach()  # (2000, 8, 26, 26)
means = maps.mean(dim=(2, 3))  # (2000, 8): the mean of each map
noise_of = {}
for num in (2, 8, 32, 128):
    drawn = torch.randint(0, 2000, (500, num), generator=generator)
    noise_of[num] = float((means[drawn].mean(dim=1).std(dim=0) / maps.std(dim=(0, 2, 3))).mean())
    print(f"N = {num:3}: the mean varies by {noise_of[num]:.3f} of a standard deviation; "
          f"times √N: {noise_of[num] * num**0.5:.2f}")  # fmt: skip
expect(6 < noise_of[2] / noise_of[128] < 10, "The noise falls as 1/√N.")

# %% [markdown]
# A 26 × 26 map has 676 values, yet a batch of two images does not behave like 1,352 independent
# samples. Their mean would vary by only $1/\sqrt{1352} \approx 0.027$ of a standard deviation; but
# the pixels of one image resemble each other. What counts is mostly the number of *images*. Each
# layer adds its own noise. In evaluation mode the noise is gone, so the net meets activations that
# it was not trained on.

# %%
print(facts.trap("small_batches_clt"))

# %% [markdown]
# The central limit theorem says that the mean of many independent values is approximately normally
# distributed.
# For the noise to fall as $1/\sqrt{N}$ you need no theorem of that kind, only independent images.
# And what hurts is the size of the noise, not the shape of its distribution. A little noise can
# even help, as dropout does: it is a mild regulariser. That was not what BN was made for.

# %% [markdown]
# ## The family: over which values is the mean taken?
#
# Activations have shape $(N, C, H, W)$. BN takes one mean for each channel, over $N$, $H$ and $W$.
# Other choices need no batch at all:

# %%
from course_utils.plots import plot_norms

show(
    plot_norms(),
    "Six blocks. Batch norm: one channel of all images is coloured. Layer norm: all channels of "
    "one image. Group norm: three channels of one image. Instance norm: one channel of one "
    "image. Weight norm and scaled weight standardisation: one column of a table of filters",
)

# %% [markdown]
# The blue numbers of a block share one mean and one variance. (The orange ones are weights; we come
# to them below.) **Layer norm** (LN) takes one image at a time, **instance norm** (IN) one map at a
# time, **group norm** (GN) a group of channels of one image. LN and IN are the two extremes of GN:
# one group, and as many groups as channels. One function computes all four:


# %%
def normalise(x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """Give the numbers whose indices differ only in `dims` mean 0 and variance 1."""
    mean = x.mean(dim=dims, keepdim=True)
    variance = x.var(dim=dims, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


x = torch.randn(4, 16, 5, 5, generator=generator)  # (N, C, H, W)
grouped = x.reshape(4, 2, 8, 5, 5)  # (N, groups, C/groups, H, W)
pairs = {
    "batch": (normalise(x, (0, 2, 3)), nn.BatchNorm2d(16)(x)),
    "layer": (normalise(x, (1, 2, 3)), nn.GroupNorm(1, 16)(x)),
    "instance": (normalise(x, (2, 3)), nn.InstanceNorm2d(16)(x)),
    "group": (normalise(grouped, (2, 3, 4)).reshape(x.shape), nn.GroupNorm(2, 16)(x)),
}
same = all(torch.allclose(mine, theirs, atol=1e-5) for mine, theirs in pairs.values())
expect(same, "The four normalisations are one function over different axes.")

# %% [markdown]
# The name "layer norm" stands for two different layers. In a **transformer**, it works on one
# *token* at a time, over its features. ConvNeXt (Liu et al. 2022) is a convnet with that version; a
# token is then a pixel. **Predict, then run.** Over which of the axes $(N, C, H, W)$ does it take
# the mean and the variance?

# %%
per_pixel = normalise(x, (1,))  # (4, 16, 5, 5)
tokens = x.flatten(2).transpose(1, 2)  # (4, 25, 16): 25 tokens with 16 features each
as_in_transformers = nn.LayerNorm(16, elementwise_affine=False)(tokens)
same = torch.allclose(per_pixel.flatten(2).transpose(1, 2), as_in_transformers, atol=1e-4)
expect(same, "A transformer's layer norm on pixels takes the channels axis alone.")
other = torch.allclose(per_pixel, pairs["layer"][0], atol=0.1)
expect(not other, "It is not the layer norm in the figure, which takes height and width, too.")

# %% [markdown]
# Neither version looks at other images or has running estimates, so training and evaluation mode
# are the same. Read a paper's "LN" with care: which version is it?
#
# All of these normalise *activations*; a slide that says BN normalises weights is wrong. The last
# two blocks of the figure are different: they leave the activations alone, and normalise the
# **weights**. That adds no work per image, and there is nothing to track.
#
# - **Weight norm** writes each filter as $w = g\, v / \lVert v \rVert$: its length $g$ and its
#   direction $v$ are learned separately.
# - **Scaled weight standardisation** gives each filter mean 0 and the variance that keeps the
#   activations' variance at 1 through a ReLU. It is the arithmetic of He's initialisation, enforced
#   at every step and not only at the start, up to one learned factor for each filter. (He's factor
#   2 keeps the mean *square* at 1. To keep the *variance*, it takes $2/(1 - 1/\pi) \approx 2.93$,
#   since the mean of a ReLU's output is not 0.)

# %%
from course_utils.models.normalization import StandardisedWeight  # inline

# %%
filters = 5 + torch.randn(256, 64, 3, 3, generator=generator)  # far from mean 0
standard = StandardisedWeight(256)(filters).detach()
x = torch.randn(16, 64, 12, 12, generator=generator)  # mean 0, variance 1
y = torch.relu(F.conv2d(x, standard))  # (16, 256, 10, 10)
print(
    f"mean of a filter {standard[0].mean().abs():.4f}, standard deviation after ReLU {y.std():.2f}"
)
expect(abs(y.std() - 1) < 0.1, "The standard deviation stays at 1, though nothing measures it.")

# %% [markdown]
# Let us check with seven nets which of the six looks at other images: one net without
# normalisation, and one with each of those in the figure. Does an image's output, in training mode,
# depend on the rest of its batch?

# %%
from course_utils.models.normalization import NORMS

mine, company_a, company_b = torch.randn(3, 4, 1, 28, 28, generator=generator)  # 4 images each
for norm in NORMS:
    torch.manual_seed(0)
    net = plain_net(norm).cpu().train()
    with torch.no_grad():
        first, second = (net(torch.cat([mine, other]))[:4] for other in (company_a, company_b))
    depends = not torch.allclose(first, second, atol=1e-5)
    print(f"{norm:14} {'depends on the batch' if depends else 'does not'}")
    assert depends == (norm == "batch")

# %% [markdown]
# Only with BN. That makes a clean experiment possible. Compute the gradient of a batch of 128 in 64
# pieces of 2, and average the pieces before the step: for six of the seven nets nothing changes, as
# the gradient is the same mean. With BN something does change: it normalises 2 images at a time.
# Everything else stays as it was: the number of images in an update, and the number of updates.
# First we check this with 16 images:


# %%
def flat_gradient(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the loss for all parameters, as one long vector."""
    gradients = parameter_gradients(model, images, labels)
    return torch.cat([gradient.flatten() for gradient in gradients.values()])


x, y = torch.randn(16, 1, 28, 28, generator=generator), torch.arange(16) % 10
for norm in ("none", "group", "batch"):
    torch.manual_seed(0)
    net = plain_net(norm).cpu()
    whole = flat_gradient(net, x, y)
    pieces = sum(flat_gradient(net, x[i : i + 2], y[i : i + 2]) for i in range(0, 16, 2)) / 8
    same = bool((pieces - whole).norm() < 1e-3 * whole.norm())
    print(f"{norm:6} eight pieces of 2 give the gradient of 16: {same}")
    assert same == (norm != "batch")

# %% [markdown]
# ## One net, seven ways
#
# These are recorded runs of the net from the beginning of this lesson, with each normalisation,
# three seeds each. All have the same learning rate, and the gradient is clipped to a norm of 1;
# without clipping some of them do not learn at that rate. Each update uses 128 images. In the
# figure, solid lines stand for normalised weights, dashed lines for normalised activations, and the
# dotted line for neither.
#
# **Predict, then run.** Rank them: none, batch, layer, group, instance, weight, scaled weight.
# Which learns fastest here?

# %%
from course_utils.plots import plot_records

kinds = ("scaled_weight", "batch", "layer", "group", "instance", "weight", "none")
runs = {kind.replace("_", " "): records.load(f"norm_{kind}") for kind in kinds}
of_what = dict.fromkeys(runs, "normalises activations") | {"none": "normalises nothing"}
of_what |= dict.fromkeys(("scaled weight", "weight"), "normalises weights")
show(
    plot_records(runs, "train_loss", "training loss", conditions=of_what),
    "Training loss over six epochs of one net with six normalisations and with none, mean and "
    "standard deviation of three seeds: batch norm and scaled weights end lowest, instance norm "
    "stays far above the others",
)

# %%
records.table("norm_none", *(f"norm_{kind}" for kind in kinds if kind != "none"))

# %%
final = {kind: runs[kind].final("train_loss").mean for kind in runs}
print({kind: round(loss, 2) for kind, loss in sorted(final.items(), key=lambda item: item[1])})
ahead = max(final.pop("scaled weight"), final.pop("batch"))
expect(ahead < min(final.values()), "Batch norm and scaled weights lead.")
expect(final["instance"] > 1.5, "Instance norm hardly learns.")
expect(abs(final["weight"] - final["none"]) < 0.1, "Weight norm changes little.")

# %% [markdown]
# Two are ahead: BN, and scaled weight standardisation, which never looks at an activation. Weight
# norm hardly differs from none: it starts from the same filters and fixes neither their mean nor
# their length. With each of the three seeds, layer and group norm end with a *higher* loss than the
# net without any, which clipping has saved; by how much varies a lot with the seed. (Our GN has
# groups of 8 channels, and the first stage has 8 channels: there GN *is* LN.)
#
# And instance norm? This net ends by averaging each map over its pixels, after a ReLU. **Predict,
# then run.** Instance norm gives each map mean 0 and variance 1 before that ReLU. How much can the
# average after it still differ between images: as much as with BN, or less?

# %%
varies = {}
for kind, dims in {"batch": (0, 2, 3), "instance": (2, 3)}.items():
    pooled = normalise(maps, dims).relu().mean(dim=(2, 3))  # (2000, 8), what the head reads
    varies[kind] = float(pooled.std(dim=0).mean())
    print(f"{kind:9} across images, the average of a map has standard deviation {varies[kind]:.2f}")
expect(varies["instance"] < varies["batch"] / 2, "Instance norm leaves less than half of that.")

# %% [markdown]
# How strongly a map responds on average is all that the head of this net reads, and instance norm
# removes most of what distinguishes the images there. It was made for transferring style between
# images, where the contrast is *meant* to be removed.
#
# One net, one learning rate and a few epochs do not rank the normalisations for all nets. On
# ImageNet, with a ResNet-50 and the usual batch size, Wu and He find group norm close to batch
# norm.
#
# ### Two, eight, 128 ◇
#
# Now we vary the batch that BN sees. For the other six nets that would change nothing, as we saw
# above, so BN alone was trained again. **Predict, then run.** How much worse does BN train if it
# normalises 8 images at a time? And 2?

# %%
by_size = {
    "batch norm, 128 images": records.load("norm_batch"),
    "batch norm, 8": records.load("norm_batch_8"),
    "batch norm, 2": records.load("norm_batch_2"),
    "group norm, any number": records.load("norm_group"),
}
show(
    plot_records(by_size, "train_loss", "training loss"),
    "Training loss of batch normalisation over 128, 8 and 2 images at a time, and of group "
    "normalisation: the fewer images, the higher the loss",
)

# %%
final = {
    part: [run.final(f"{part}_loss").mean for run in by_size.values()] for part in ("train", "val")
}
for row in zip(by_size, final["train"], final["val"], strict=True):
    print("{:26} training loss {:.2f}, validation loss {:.2f}".format(*row))
whole, eight, two = final["train"][:3]
expect(whole < eight < two, "The fewer images a batch has, the higher the training loss is.")
expect(
    final["val"][2] > final["val"][0] + 0.1,
    "With batches of two the validation loss is higher, too.",
)

# %% [markdown]
# The training loss is measured in training mode, which includes the noise of the small batches; the
# validation loss is measured in evaluation mode, without it. So BN over two images can be *better*
# in validation than in training. Still, at two images its lead over group norm is gone.
#
# For large images, memory may allow no more than two on each GPU. On ImageNet, with as few, the
# authors of group norm report:

# %%
facts.table("groupnorm.batch_of_two")

# %% [markdown]
# ## Why does it work?
#
# There are two stories.
#
# **The first** was told by the authors of BN. While a layer learns, the layers before it change, so
# the distribution of its inputs keeps moving. They call that **internal covariate shift** (ICS),
# and say that BN helps because it holds the distribution still.
#
# A story can be tested: disturb the distribution on purpose. The class below is BN followed by a
# random scale and a random shift for each channel, drawn anew *at every step*. Now the inputs of
# the next layer jump about.


# %%
class ShakenBatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose output is scaled and shifted at random at every training step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x)
        if self.training:
            scale = 0.75 + 0.5 * torch.rand(1, self.num_features, 1, 1, device=x.device)
            x = scale * x + 0.3 * torch.randn(1, self.num_features, 1, 1, device=x.device)
        return x


seed_everything(0)
shaken = plain_net("batch")
for module in shaken.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.__class__ = ShakenBatchNorm  # the same tensors, another `forward`

# %% [markdown]
# **Predict, then run.** If holding the distribution still is what helps, this net should do as
# badly as the one without normalisation. Does it?

# %%
shaken_history = train(shaken, "batch normalisation, then shaken at random")

# %% tags=["nbval-ignore-output"]
losses["shaken"] = shaken_history.column("train_loss")[-1]
print({name: round(loss, 2) for name, loss in losses.items()})
expect(
    losses["shaken"] < losses["without"] - 0.5,
    "The shaken net learns, where the net without normalisation does not.",
    trained=True,
)

# %% control="without normalisation, another seed"
seed_everything(1)
another = train(plain_net("none"), "another seed").column("train_loss")[-1]
refute(
    another < losses["without"] - 0.5,
    "The shaken net learns, where the net without normalisation does not.",
)

# %% [markdown]
# So normalisation helps even if the distribution jumps about? Look first at what we compared it
# with: the net without normalisation failed at this learning rate. If its gradients were too large,
# there is a remedy without any normalisation: scale the gradient down to a norm of 1 whenever it is
# larger (**clipping**).
#
# **Predict, then run.** Will the shaken net also beat a rival that trains?

# %%
seed_everything(0)
clipped = plain_net("none")
clipped_history = train(clipped, "no normalisation, gradient clipped", clip_norm=1.0)

# %% tags=["nbval-ignore-output"]
losses["clipped"] = clipped_history.column("train_loss")[-1]
print({name: round(loss, 2) for name, loss in losses.items()})
expect(
    losses["shaken"] > losses["clipped"] - 0.1,
    "The shaken net is not 0.1 ahead of the clipped one, which has no normalisation.",
    trained=True,
)

# %% control="not shaken"
refute(
    losses["with BN"] > losses["clipped"] - 0.1,
    "The shaken net is not 0.1 ahead of the clipped one, which has no normalisation.",
)

# %% [markdown]
# The shaken net has no lead worth the name. So the experiment says two things. A distribution that
# jumps about does not stop a net from learning. And the shaking costs everything that BN had gained
# here over a fair rival. Whether BN helps *by* holding distributions still, the experiment leaves
# open; had we stopped at the first comparison, we would have taken it for a refutation. In every
# comparison, ask whether the loser was given its best chance.
#
# Santurkar et al. shook a net in 2018, too, and it still did better than theirs without BN. They
# also *measured* ICS, as the change of a layer's gradient when the layers before it have moved:

# %%
print(facts.trap("batchnorm_increases_shift"))
print(facts.get("batchnorm.covariate_shift"))

# %% [markdown]
# **The second story** is about the loss surface. Each training step follows the gradient, which
# describes the immediate neighbourhood only. How far can you trust it? We take one batch and its
# gradient $g$, walk along $-g$, and look at the loss, for the net with BN and for the clipped one.
# (Moving by $-0.1\,g$ is one step of plain SGD with learning rate 0.1.)
#
# **Predict, then run.** Both nets are somewhere on a slope. For which of them does the loss rise
# sooner as we walk downhill?

# %%
from course_utils.inspection import loss_along, random_direction
from course_utils.plots import plot_loss_lines

batch = next(iter(load(batch_size=256).train))
steps = [0.05 * i for i in range(11)]


def downhill(model: nn.Module) -> torch.Tensor:
    """Return the loss on the batch at steps along minus its gradient."""
    gradients = parameter_gradients(model, *batch)
    direction = {name: -gradient for name, gradient in gradients.items()}
    return loss_along(model, [batch], direction, steps, training=True)


walks = {"no normalisation": downhill(clipped), "batch norm": downhill(with_bn)}

# %% tags=["nbval-ignore-output"]
show(
    plot_loss_lines(walks, steps, xlabel="step, in multiples of minus the gradient", log=True),
    "Loss along minus the gradient: without normalisation it rises steeply from the first step on, "
    "with batch normalisation it hardly changes",
)
rise = {name: float(walk[-1] / walk[0]) for name, walk in walks.items()}
print({name: f"ends at {ratio:.2f} times the initial loss" for name, ratio in rise.items()})
expect(
    rise["batch norm"] < 2 < rise["no normalisation"],
    "With batch normalisation a large step along the gradient does less harm.",
    trained=True,
)

# %% control="another net without normalisation in its place"
seed_everything(1)
second = plain_net("none")
train(second, "another seed, clipped", clip_norm=1.0)
walk = downhill(second)
refute(
    float(walk[-1] / walk[0]) < 2 < rise["no normalisation"],
    "With batch normalisation a large step along the gradient does less harm.",
)

# %% [markdown]
# This fits the large learning rates that nets with BN tolerate: the gradient can be trusted over a
# longer distance. (The figure counts steps in multiples of each net's own gradient. If one gradient
# is longer, so are its steps: that alone could explain part of the difference.) Next we walk in a
# direction that has nothing to do with the gradient. To compare two nets, a step must mean the same
# for both, so each filter of a random direction gets the length of the net's own filter (**filter
# normalisation**, Li et al. 2018); biases, $\gamma$ and $\beta$ stay as they are. At ±1 the change
# of every filter is as long as the filter itself.

# %%
positions = [i / 10 for i in range(-10, 11)]
lines = {}
for name, model in {"no normalisation": clipped, "batch norm": with_bn}.items():
    direction = random_direction(model, torch.Generator().manual_seed(0))
    lines[name] = loss_along(model, [batch], direction, positions, training=True)

# %% tags=["nbval-ignore-output"]
show(
    plot_loss_lines(lines, positions, log=True),
    "Loss along a random direction, logarithmic: without normalisation a deep valley whose walls "
    "rise more than tenfold on both sides, with batch normalisation a shallow one",
)
walls = {name: float(max(line) / line[10]) for name, line in lines.items()}
print({name: f"{ratio:.1f} times the loss in the middle" for name, ratio in walls.items()})
expect(
    5 * walls["batch norm"] < walls["no normalisation"],
    "With batch normalisation the walls are less than a fifth as high.",
    trained=True,
)

# %% control="another net without normalisation in its place"
direction = random_direction(second, torch.Generator().manual_seed(0))
line = loss_along(second, [batch], direction, positions, training=True)
refute(
    5 * float(max(line) / line[10]) < walls["no normalisation"],
    "With batch normalisation the walls are less than a fifth as high.",
)

# %% [markdown]
# Read this with care. It is one direction out of very many; lesson 12 looks at planes. And it is a
# measurement on *these* two nets. What is *proved* is limited: under assumptions, Santurkar et al.
# bound how fast the loss and its gradient change in a net with BN, compared with the same net
# without it (their theorems 4.1 and 4.2). So "unproven" says too little, and "explained" too much.
#
# ### What about exploding gradients? ◇
#
# Here is one more claim, about group norm:

# %%
print(facts.trap("groupnorm_cures_explosion").claim)

# %% [markdown]
# We build the net with 38 layers and 16 channels in its first stage, and give GN groups of 1, 4 or
# 16 channels. **Predict, then run.** Before any training, with which group size is the gradient of
# the first layers largest?


# %%
from course_utils.inspection import gradient_norms


def grouped_net(group_size: int) -> nn.Module:
    """Build a plain net of 38 layers with group normalisation in groups of one size."""
    torch.manual_seed(0)
    switches = {"depth": 38, "width": 16, "residual": False}
    net = models.build("resnet_small", in_channels=1, num_classes=10, **switches)
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                num_groups = child.num_features // group_size
                setattr(parent, name, nn.GroupNorm(num_groups, child.num_features))
    return net


few = data.load("fashion_mnist_mini", batch_size=32, generator=generator, limit=32)
x, y = next(iter(few.train))
sizes = {f"groups of {k}": gradient_norms(grouped_net(k), x, y) for k in (1, 4, 16)}

# %% tags=["nbval-ignore-output"]
show(
    plot_by_depth(sizes, "norm of the gradient"),
    "Norm of the gradient by layer, logarithmic, 38 layers: with groups of one channel it grows "
    "towards the first layers by more than a hundred times, with groups of 16 it stays roughly flat",
)
early = [list(norms.values())[1] for norms in sizes.values()]
print([f"{norm:.2g}" for norm in early])
expect(
    early[0] > 3 * early[1] > 9 * early[2],
    "The smaller the groups, the larger the early gradients are.",
)

# %%
print(facts.trap("groupnorm_cures_explosion").right)
print(facts.get("groupnorm.gradients"))

# %% [markdown]
# So "GN" is not one thing. With one channel per group it is instance norm, whose gradients explode
# with depth; with large groups they do not. The paper calls the choice of the group size a
# trade-off: with small groups the net learns fast, with large ones it learns stably. In this plain
# net the gradient is multiplied by a factor at every layer. Shortcuts, in the next two lessons,
# change that.

# %% [markdown]
# ## In full size ◇
#
# This runs the experiment of this lesson on CIFAR-10, with the ResNet paper's twenty-layer net
# without shortcuts (not measured here). Set `norm` to each normalisation in turn:
#
# ```python
# loaders = data.load("cifar10", batch_size=128, device=device, generator=seed_everything(0))
# net = models.build("plain20", in_channels=3, num_classes=10, norm="group")
# fit(net, loaders, TrainConfig(epochs=30, lr=0.1))
# ```
#
# This is what the BN paper of 2015 reports for ImageNet, with an Inception network:

# %%
facts.table("batchnorm.fewer_steps")

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("11_normalization")

# %% [markdown]
# ## What to remember
#
# - A layer multiplies the mean square of its input by $n \operatorname{Var}(w)$, and ReLU halves
#   it. Xavier's weights suit tanh, He's suit ReLU. Both concern only the start.
# - Saturated units pass hardly any gradient. With the old weights, layer 1 saturates first in a
#   tanh net, and the last hidden layer in a sigmoid net.
# - BN takes mean and variance of each channel over the batch and all pixels, subtracts the mean,
#   divides by $\sqrt{\sigma^2 + \varepsilon}$, and then applies $\gamma$ and $\beta$. It normalises
#   with the biased variance and tracks the unbiased one.
# - BN has two modes. In training mode an image's output depends on the other images; forgetting
#   `eval()` is the classic bug. In evaluation mode BN can be folded into the convolution.
# - When BN follows a convolution, only the direction of its weights matters: double them, and the
#   output stays the same while the gradient halves.
# - Small batches hurt BN because its estimates are noisy. LN, GN, IN, weight norm and scaled weight
#   standardisation do not look at the batch.
# - Why does BN work? That it holds distributions still is one story; our test left it open, and BN
#   may not even reduce the shift. Measurements point to the loss surface: large steps do less harm.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Shuffling the images changes what BN computes, and nobody minds. Is a net whose training output
#    depends on the other images of the batch *one* function? Where could that matter?
# 2. Scaled weights do about as well as BN in our runs. What would you have to measure before you
#    removed BN from a net that works?
# 3. Weight decay on weights whose scale does not matter changes only the size of the steps. Is it
#    still regularisation?

# %%
for key in ("glorot2010", "he2015", "ioffe2015", "santurkar2018", "wu2018", "lubana2021"):
    print(facts.cite(key), "\n")

# %% [markdown]
# ## Further reading
#
# Read the papers above in the order of the list. Then:
#
# - J. L. Ba, J. R. Kiros, G. E. Hinton: *Layer normalization*. arXiv 1607.06450, 2016.
# - D. Ulyanov, A. Vedaldi, V. Lempitsky: *Instance normalization: the missing ingredient for fast
#   stylization*. arXiv 1607.08022, 2016.
# - T. Salimans, D. P. Kingma: *Weight normalization: a simple reparameterization to accelerate
#   training of deep neural networks*. NIPS 2016.
# - A. Brock, S. De, S. L. Smith: *Characterizing signal propagation to close the performance gap in
#   unnormalized ResNets*. ICLR 2021. Section 4: scaled weight standardisation.
# - H. Li et al.: *Visualizing the loss landscape of neural nets*. NeurIPS 2018. Section 4: filter
#   normalisation.
# - Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie: *A ConvNet for the 2020s*. CVPR
#   2022. ConvNeXt; section 2.6 for its normalisation.
#
# **Exercise** {exercise}
#
# **Next** comes lesson 12, which goes deeper. With normalisation the signal arrives, and yet a
# plain net of 56 layers *trains* worse than one of 20.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | saturation | 포화 | an activation's input lies where its slope is nearly zero |
# | vanishing gradient | 기울기 소실 | gradients shrink by a factor at every layer |
# | exploding gradient | 기울기 폭발 | gradients grow by a factor at every layer |
# | weight initialisation | 가중치 초기화 | how the initial weights are drawn |
# | batch normalisation | 배치 정규화 | mean 0 and variance 1 for each channel over the batch |
# | running estimate | 이동 평균 추정값 | average of the batches' statistics, used in evaluation mode |
# | biased / unbiased variance | 편향 / 불편 분산 | divided by m / by m − 1 |
# | layer, group, instance normalisation | 층, 그룹, 인스턴스 정규화 | mean 0 and variance 1 within one image, over all, some or one of its channels |
# | weight normalisation | 가중치 정규화 | length and direction of a filter, learned separately |
# | internal covariate shift | 내부 공변량 변화 | the distribution of a layer's inputs changes during training |
# | loss surface | 손실 곡면 | the loss as a function of all weights |
