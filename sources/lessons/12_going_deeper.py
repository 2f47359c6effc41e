# %% [markdown]
# # 12 · Going deeper: when more layers make a net worse
#
# **After this lesson you can**
# - say what the degradation problem is, and show that it is neither overfitting nor a lack of
#   solutions;
# - measure gradient norms and gradient autocorrelation by depth, and say what each explains and
#   what it does not;
# - write a highway layer, set its initial gate bias, and read what its gates learned;
# - compare two loss landscapes without fooling yourself.
#
# **Time** 60 minutes to read and try, of which training takes about two minutes on a laptop.
#
# **Builds on** 09 (depth from small filters) and 11 (initialisation, batch normalisation).

# %% [markdown]
# ## The question
#
# From LeNet to VGG, nets got deeper and more accurate. Good initial weights and batch normalisation
# (BN) let deep nets start to learn. So why stop at 19 layers? We build a net of 20 layers and one
# of 56, alike in everything else, and compare.
#
# Both are **plain**: 3 × 3 convolutions, BN and ReLU, one after the other, in three stages. Each
# new stage halves height and width and doubles the number of maps. At the end come an average over
# each map and one linear layer. We give both nets half of their usual width, so that a laptop can
# train them while you wait.

# %%
import math

import torch
from torch import nn

from course_utils import data, facts, inspection, models, plots
from course_utils.arithmetic import conv_multiply_adds
from course_utils.plots import LivePlot, plot_by_depth, plot_histories, plot_records, show
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.tables import Table
from course_utils.training import TrainConfig, fit, records

# %%
settings = profile("12_going_deeper")
device = choose_device()

# %% [markdown]
# ## Two rules make a net
#
# VGG's table of 3 × 3 layers shrinks to two rules in the paper of He et al.:
#
# 1. Where the maps keep their size, all layers have the same number of filters.
# 2. Where the size is halved, the number of filters doubles, so that each layer still does the
#    same **work**.
#
# Between stages, a stride of 2 halves the maps; there are no pools there. **Predict, then run.**
# The paper's plain net for ImageNet has 34 layers, VGG-19 has 19. What share of VGG-19's
# multiply-adds does it need?

# %%
work = [conv_multiply_adds(c, c, k=3, out=3584 // c) for c in (64, 128, 256, 512)]  # 56 to 7 pixels
expect(len(set(work)) == 1, f"Each 3 × 3 layer takes {work[0]:,} multiply-adds in every stage.")
plain34, vgg19 = (inspection.summarise(name).multiply_adds for name in ("plain34", "vgg19"))
print(f"plain-34: {plain34:,}\nVGG-19:  {vgg19:,}\nshare:    {plain34 / vgg19:.1%}")
assert int(100 * plain34 / vgg19) == facts.get("plain34.share_of_vgg19").value
print("the paper:", facts.get("plain34.share_of_vgg19"))

# %% [markdown]
# Plain-34 has more layers and does less than a fifth of the work: on maps of 56 pixels it has 64
# filters, where VGG-19 has 256. What a net costs depends on its widths and on the sizes of its
# maps, not on its depth alone. So depth is a separate choice, and we can vary it while the two
# rules stay the same.

# %% tags=["nbval-ignore-output"]
print(f"{settings.name} profile on {device.type}: {settings.data}, {settings.epochs} epochs")


def load(seed: int = 0) -> data.Loaders:
    """Load the images; the seed decides their order."""
    generator = seed_everything(seed)
    return data.load(settings.data, **settings.loading, device=device, generator=generator)


loaders = load()
channels, size, _ = loaders.info.image_shape

# %% [markdown]
# **Predict, then run.** Plain-56 has three times as many parameters as plain-20. Which of them has
# the lower *training* loss after the same number of epochs, and which the lower *validation* loss?
# (A triangle at the top of a panel marks a value that is off its scale.)


# %%
TITLES = {"plain20": "plain-20", "plain56": "plain-56", "resnet56": "ResNet-56"}


def train(name: str) -> tuple[nn.Module, object]:
    """Build a net of half the usual width and train it, always from the same seed."""
    fresh = load(seed=0)
    model = models.build(name, in_channels=channels, num_classes=10, width=8).to(device)
    config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
    return model, fit(model, fresh, config, on_epoch_end=[LivePlot(TITLES[name], chance=0.1)])


plain20, plain20_history = train("plain20")

# %%
plain56, plain56_history = train("plain56")

# %% tags=["nbval-ignore-output"]
last20, last56 = plain20_history.epochs[-1], plain56_history.epochs[-1]
for name, last in {"plain-20": last20, "plain-56": last56}.items():
    print(f"{name}: training loss {last.train_loss:.3f}, validation loss {last.val_loss:.3f}")
expect(
    last56.train_loss > last20.train_loss + 0.3,
    "Plain-56 fits its own training images worse than plain-20, by more than 0.3.",
    trained=True,
)

# %% [markdown]
# The deeper net is worse on the very images it is trained on. He et al. call this **degradation**.
# (Why does the validation loss leave the scale? It is measured in evaluation mode, in which BN uses
# running estimates, and these lag behind weights that change fast.)

# %% [markdown]
# ## Not overfitting
#
# "The bigger net overfits" is the first thing that most people say. Overfitting has a signature:
# the training loss is *low*, and the validation loss is not. Here the training loss itself is high.
# A net that cannot even fit its training images does not suffer from fitting them too well.
#
# Three epochs and one seed are thin evidence. Here are recorded runs of the same nets, longer and
# with three seeds:

# %%
titles = {
    "plain-20": "depth_plain20",
    "plain-56": "depth_plain56",
    "ResNet-20": "depth_resnet20",
    "ResNet-56": "depth_resnet56",
}
runs = {title: records.load(name) for title, name in titles.items()}
setting = runs["plain-56"].experiment
for key in ("data", "limit", "epochs", "batch_size", "lr", "switches", "seeds"):
    print(f"{key:10} {setting[key]}")

# %%
plain_runs = {title: runs[title] for title in ("plain-20", "plain-56")}
show(
    plot_records(plain_runs, "train_loss", "training loss"),
    "Recorded training loss of plain-20 and plain-56 over the epochs, mean of three seeds: the "
    "curve of the deeper net lies above that of the shallower one throughout",
)

# %%
for title, recorded in plain_runs.items():
    train_loss, val_loss = recorded.final("train_loss"), recorded.final("val_loss")
    print(f"{title}: training loss {train_loss.mean:.2f} ± {train_loss.deviation:.2f}, "
          f"validation loss {val_loss.mean:.2f} ± {val_loss.deviation:.2f}")  # fmt: skip
shallow, deep = (runs[title].mean("train_loss") for title in plain_runs)
expect(
    all(d > s for s, d in zip(shallow, deep, strict=True)),
    "On average over the seeds, plain-56 has the higher training loss after every epoch.",
)

# %% [markdown]
# The authors who made degradation famous trained far longer, on CIFAR-10 and ImageNet. Be careful
# with what people quote from their paper. Its evidence is in figures 1 and 4, *curves* of the
# training error. The numbers that are usually quoted are **validation** errors:

# %%
facts.table("plain18.top1", "plain34.top1", "resnet18.top1", "resnet34.top1")

# %% [markdown]
# ## No lack of solutions
#
# Perhaps there are no good weights for a plain net of 56 layers? There are. Take the trained
# plain-20, and insert layers that do nothing: a convolution whose filter $i$ copies channel $i$ (a
# **Dirac** filter), and BN with a running mean of 0 and a running variance of 1, which changes
# nothing in evaluation mode. The ReLU after them changes nothing either, since its input already
# comes out of a ReLU.
#
# **Predict, then run.** How far are the logits of this plain-56 from those of plain-20?


# %%
@torch.no_grad()
def set_identity_(block: nn.Module) -> None:
    """Make a plain block return its input, as long as that is nowhere negative."""
    for conv, norm in ((block.conv1, block.norm1), (block.conv2, block.norm2)):
        nn.init.dirac_(conv.weight)
        nn.init.constant_(norm.weight, math.sqrt(1 + norm.eps))  # BN divides by this


deepened = models.build("plain56", in_channels=channels, num_classes=10, width=8).to(device)
# Plain-20 has 3 blocks in each stage: they become the first 3 of the 9 that plain-56 has.
deepened.load_state_dict(plain20.state_dict(), strict=False)
for stage in deepened.stages:
    for block in list(stage)[3:]:
        set_identity_(block)

# %%
images, labels = next(iter(loaders.val))
with torch.no_grad():
    logits20, logits56 = plain20.eval()(images), deepened.eval()(images)
expect(
    torch.allclose(logits20, logits56, rtol=1e-3, atol=1e-3),
    "A plain net of 56 layers can compute exactly what the trained plain-20 does.",
)

# %% [markdown]
# So good weights exist; we have just written them down. **Training does not find them.**
# Degradation is a problem of optimisation. What, then, makes the search so hard?

# %% [markdown]
# ## First suspect: the size of the gradients
#
# Lesson 11 showed gradients that vanish. Do they vanish here? We take fresh nets, send one batch
# through them, and measure the norm of the gradient at each layer's parameters.
#
# **Predict, then run.** In a fresh plain-56 with BN, is the gradient at the first layer smaller
# than at the last, about equal, or larger?

# %%
kinds = {
    "plain-20": ("plain20", {}),
    "plain-56": ("plain56", {}),
    "plain-56 without BN": ("plain56", {"norm": "none"}),
    "ResNet-56": ("resnet56", {}),
}
norms = {}
for label, (name, switches) in kinds.items():
    seed_everything(1)
    fresh = models.build(name, in_channels=channels, num_classes=10, width=8, **switches).to(device)
    norms[label] = inspection.gradient_norms(
        fresh, images, labels, layers=inspection.layer_names(fresh)
    )
# %%
show(
    plot_by_depth(norms, "norm of the gradient"),
    "Norm of the gradient at each layer of four fresh nets, on a logarithmic scale: in plain-56 "
    "with batch normalisation it grows over a hundredfold from the last layer to the first; in the "
    "convolutions of ResNet-56 and plain-20 it stays within a factor of ten",
)

# %% tags=["nbval-ignore-output"]
ratio = {}
for label, norm in norms.items():
    layers = list(norm.values())
    ratio[label] = layers[0] / layers[-2]  # the last one is the linear layer
for label, value in ratio.items():
    print(f"{label:20} first layer's norm / last convolution's: {value:8.2g}")

# %%
expect(
    ratio["plain-56"] > 20, "In a fresh plain-56 with BN the gradient explodes towards the input."
)
expect(ratio["ResNet-56"] < 20, "In a fresh ResNet-56 it does not.")

# %% [markdown]
# With BN the gradients do not vanish: before the first step they *explode* towards the input. The
# first line below says that this is a known effect of BN itself; the second is what He et al. say
# of their own plain nets:

# %%
print(facts.get("gradients.batchnorm_explosion"))
print(facts.get("resnet.vanishing_gradients"))

# %% [markdown]
# The two statements do not contradict each other: one is about the very first step, the other about
# training. Here are our own trained nets:

# %% tags=["nbval-ignore-output"]
for label, model in {"plain-20": plain20, "plain-56": plain56}.items():
    norm = list(inspection.gradient_norms(model, images, labels).values())
    print(
        f"{label} after training: first layer {norm[0]:.3f}, middle {norm[len(norm) // 2]:.3f}, "
        f"last {norm[-2]:.3f}"
    )

# %% [markdown]
# After three epochs the answer is mixed: in our run, plain-56 now has a much smaller gradient at
# the first layer than at the last. But it started with a much larger one there, and its recorded
# loss is higher than that of plain-20 from the first epoch on. So our measurements alone do not
# establish the explanation that is most often given:

# %%
print(facts.trap("degradation_is_vanishing"))

# %% [markdown]
# ## Second suspect: gradients that do not agree
#
# A step follows the gradient at one point, and relies on the gradient being similar a little
# further on. A gradient can have a good *size* and still be useless, if it points somewhere else
# after the slightest move. Balduzzi et al. studied this in the simplest possible case: a net that
# turns one number $x$ into one number $y$, and the derivative $dy/dx$ along a line of 256 inputs.
# (This is a gradient with respect to the input, not to the weights: a stand-in that can be drawn.)
#
# The layers are those of `rectifier_net`:
# $\mathbf{h}' = W\,\mathrm{ReLU}(\mathrm{BN}(\mathbf{h}))$, or, with a shortcut,
# $\mathbf{h}' = \mathbf{h} + W\,\mathrm{ReLU}(\mathrm{BN}(\mathbf{h}))$. We compare with two kinds
# of noise. In **white noise**, each value is independent of all others. **Brown noise** is a random
# walk: each value is the one before it plus a small random step.
#
# **Predict, then run.** We take nets of one layer, of 24 plain layers, and of 24 layers with
# shortcuts. Which net will look like which noise?

# %%
grid = torch.linspace(-2, 2, 256)
draws = torch.Generator().manual_seed(0)


def gradients(depth: int, skip: bool) -> torch.Tensor:
    """Return the derivatives of 10 fresh nets along the grid: (10, 256)."""

    def build(generator: torch.Generator) -> nn.Module:
        return inspection.rectifier_net(depth, skip=skip, generator=generator)

    return inspection.gradient_series(build, grid, num_nets=10, generator=draws)


# %%
series = {
    "1 layer": gradients(1, skip=False),
    "24 layers, plain": gradients(24, skip=False),
    "24 layers, shortcuts": gradients(24, skip=True),
    "brown noise": inspection.brown_noise(10, 256, draws),
    "white noise": inspection.white_noise(10, 256, draws),
}
middle = slice(64, 192)  # half of the line, so that single inputs can be told apart
show(
    plots.plot_shattering({label: rows[:, middle] for label, rows in series.items()}, grid[middle]),
    "Five derivatives along a line of inputs, and below each its covariance. One layer gives a "
    "slow random walk like brown noise; 24 plain layers look like white noise, with nothing but a "
    "thin diagonal; 24 layers with shortcuts lie in between. All covariances share one scale",
)

# %% [markdown]
# The upper row shows one series of each kind; the lower row shows the covariance of the values at
# every pair of inputs, over ten nets (or ten draws of the noise). In the deep plain net, the
# gradients at neighbouring inputs are unrelated: only the diagonal stands out. The gradient is
# **shattered**.
#
# The **autocorrelation** expresses this as one number for each distance. Subtract the mean from a
# series $g$ of $N$ values; then
#
# $$\rho(k) = \frac{\sum_{i=1}^{N-k} g_i\, g_{i+k}}{\sum_{i=1}^{N} g_i^2}$$
#
# where $k$ is the lag. White noise has $\rho(k) \approx 0$ for every $k > 0$.

# %%
depths = (1, 2, 4, 10, 24, 50)
noise = {
    label: inspection.autocorrelation(series[label]) for label in ("brown noise", "white noise")
}
curves = {}
for skip in (False, True):
    curves[skip] = inspection.autocorrelation_by_depth(
        depths, grid, skip=skip, num_nets=6, generator=draws
    )
# %%
show(
    plots.plot_autocorrelation(
        {f"{d} layer{'s' * (d > 1)}": c for d, c in curves[False].items()} | noise, "plain nets"
    ),
    "Autocorrelation over the lag for plain nets of 1 to 50 layers: it falls with depth, and from "
    "24 layers on it is that of white noise",
)

# %% [markdown]
# **Predict, then run.** Now we add shortcuts. How deep must the net be before neighbouring
# gradients have nothing in common?

# %%
show(
    plots.plot_autocorrelation(
        {f"{d} layer{'s' * (d > 1)}": c for d, c in curves[True].items()} | noise,
        "nets with shortcuts",
    ),
    "Autocorrelation over the lag for nets with shortcuts: it falls slowly with depth, and at 50 "
    "layers neighbouring gradients still agree for the most part",
)

# %% tags=["nbval-ignore-output"]
neighbours = {
    skip: {depth: float(curve[1]) for depth, curve in curves[skip].items()} for skip in curves
}
for depth in depths:
    print(
        f"{depth:3} layers: correlation of neighbours {neighbours[False][depth]:6.2f} plain, "
        f"{neighbours[True][depth]:6.2f} with shortcuts"
    )
expect(abs(neighbours[False][24]) < 0.2, "24 plain layers shatter the gradient.")
expect(neighbours[True][50] > 0.5, "50 layers with shortcuts do not.")

# %% [markdown]
# This agrees with what the paper measured and derived about the correlation as depth grows:

# %%
print(facts.get("gradients.shattered"))

# %% [markdown]
# Does the same hold for our convolutional nets, on images? We walk along a twentieth of the
# straight line from one image to another, in 64 steps, and follow the derivative of one logit. (The
# noise has 64 values here, too. In so short a series, with its mean subtracted, even a curve that
# falls slowly must get below zero sooner or later.)

# %%
start, end = images[:2]
steps = torch.linspace(0, 0.05, 64, device=device)
paths = {}
for label, name in {"plain-20": "plain20", "plain-56": "plain56", "ResNet-56": "resnet56"}.items():
    rows = []
    for seed in range(2):
        seed_everything(seed)
        fresh = models.build(name, in_channels=channels, num_classes=10, width=8).to(device)
        rows.append(inspection.input_gradients(inspection.Line(fresh, start, end, label=0), steps))
    paths[label] = inspection.autocorrelation(torch.stack(rows).cpu())

# %%
short_noise = {
    "brown noise": inspection.autocorrelation(inspection.brown_noise(10, 64, draws)),
    "white noise": inspection.autocorrelation(inspection.white_noise(10, 64, draws)),
}
way = "a twentieth of the way from one image to another"
show(
    plots.plot_autocorrelation(paths | short_noise, way),
    "Autocorrelation of the gradient along a line between two images, for three fresh nets: that "
    "of ResNet-56 and plain-20 at first falls about as slowly as that of brown noise, and then "
    "below zero; that of plain-56 is near zero from the first step on",
)

# %%
expect(float(paths["plain-56"][1]) < 0.2, "Plain-56 is shattered on images, too.")
expect(paths["ResNet-56"][1] > paths["plain-56"][1] + 0.3, "ResNet-56 is shattered much less.")

# %% [markdown]
# A word of caution: this is a difference between *fresh* nets, and it coincides with what we saw in
# training. It does not prove that one causes the other; what exactly makes deep plain nets hard to
# train is still debated. What is not debated is what helps.

# %% [markdown]
# ## A gate: Highway networks
#
# Earlier in 2015, the year of He et al.'s paper, Srivastava et al. had asked: if a layer should
# sometimes do nothing, why not let it *choose* to? A **highway layer** mixes the output of an
# ordinary layer, $H$, with its own input. The **transform gate** $T$, a number between 0 and 1 for
# each unit, says how much of $H$ to take; the **carry gate** $C$ says how much of the input to
# keep:
#
# $$\mathbf{y} = H(\mathbf{x}) \cdot T(\mathbf{x}) + \mathbf{x} \cdot C(\mathbf{x}), \qquad C = 1 - T$$
#
# With $T = 0$ the layer is a wire: it passes its input on unchanged. With $T = 1$ it is a plain
# layer. The trick is how it starts: $T(\mathbf{x}) = \sigma(W_T\mathbf{x} + \mathbf{b}_T)$ has a
# **negative bias**, so every layer at first carries most of its input, and a deep net starts as if
# it were a shallow one.

# %%
print(facts.get("highway.gate_bias"))

# %%
from course_utils.models.highway import HighwayLinear  # inline

# %%
layer = HighwayLinear(4)
x = torch.randn(2, 4, generator=draws)
with torch.no_grad():
    nn.init.constant_(layer.gate.bias, -50.0)
    expect(torch.allclose(layer(x), x), "With its gates closed the layer is a wire.")
    nn.init.constant_(layer.gate.bias, 50.0)
    plain = torch.relu(layer.transform(x))
    expect(torch.allclose(layer(x), plain), "With its gates open it is a plain layer.")

# %% [markdown]
# Now we train 50 fully connected layers of 50 units, plain and gated; the papers of the time used
# nets like this one. We clip the gradient, because the plain net may diverge otherwise. The gates
# start with a bias of −4, more closed than with the −1 or −3 above: if each of 50 layers
# transformed a share of $\sigma(-1) \approx 0.27$, next to nothing of the input would reach the
# end.
#
# **Predict, then run.** Where will the gates open most: near the input, near the logits, or equally
# everywhere?


# %%
def mean_gates(model: nn.Module) -> list[float]:
    """Return the mean of T in each highway layer, on a batch of validation images."""
    names = [f"layers.{k}.gate" for k in range(len(model.layers))]
    with torch.no_grad(), inspection.capture(model, names) as seen:
        model(images)
    return [float(seen.features[name].sigmoid().mean()) for name in names]


# %%
def train_dense(title: str, gated: bool, watch: list) -> tuple[nn.Module, object]:
    """Train 50 layers; `watch` collects the mean gates before training and after each epoch."""
    options = {"image_size": size, "num_layers": 50, "gate_bias": -4.0, "gated": gated}
    fresh = load(seed=0)
    model = models.build("highway", in_channels=channels, num_classes=10, **options).to(device)
    config = TrainConfig(epochs=2 * settings.epochs, lr=0.02, clip_norm=1.0)
    callbacks = [LivePlot(title, chance=0.1)]
    if gated:
        watch.append(mean_gates(model))
        callbacks.append(lambda history: watch.append(mean_gates(model)))
    return model, fit(model, fresh, config, on_epoch_end=callbacks)


# %%
gates = []
_, dense_history = train_dense("50 plain layers", gated=False, watch=gates)

# %%
highway, highway_history = train_dense("50 highway layers", gated=True, watch=gates)

# %% tags=["nbval-ignore-output"]
final = {"plain": dense_history.epochs[-1], "highway": highway_history.epochs[-1]}
for label, last in final.items():
    print(
        f"50 {label:7} layers: training loss {last.train_loss:.3f}, validation accuracy "
        f"{last.val_accuracy:.1%}"
    )
expect(
    final["highway"].train_loss < final["plain"].train_loss - 0.3,
    "The gated net ends with the lower training loss, by more than 0.3.",
    trained=True,
)

# %% control="untrained weights"
from course_utils.training import evaluate

seed_everything(0)
options = {"image_size": size, "num_layers": 50, "gate_bias": -4.0}
guessing = models.build("highway", in_channels=channels, num_classes=10, **options).to(device)
refute(
    evaluate(guessing, loaders.val).loss < final["plain"].train_loss - 0.3,
    "The gated net ends with the lower training loss, by more than 0.3.",
)

# %%
show(
    plots.plot_gates(gates),
    "Mean of the transform gates of 50 layers before training and after each epoch: almost closed "
    "at first, and opening a little as training goes on, in the first layers more than in the last",
)

# %% tags=["nbval-ignore-output"]
before, after = sum(gates[0]), sum(gates[-1])
print(f"all 50 gates together: {before:.1f} layers' worth before training, {after:.1f} afterwards")
print(f"largest mean of T: {max(gates[-1]):.2f}, in layer {gates[-1].index(max(gates[-1])) + 1}")
expect(after > 1.2 * before, "Training opens the gates, by at least a fifth.", trained=True)
expect(max(gates[-1]) < 0.5, "Yet no layer transforms more than it carries.", trained=True)
opening = [last - first for first, last in zip(gates[0], gates[-1], strict=True)]
expect(
    sum(opening[:10]) > 1.5 * sum(opening[-10:]) + 0.1,
    "The gates near the image open most.",
    trained=True,
)

# %% control="before training"
refute(sum(mean_gates(guessing)) > 1.2 * before, "Training opens the gates, by at least a fifth.")
nothing = [last - first for first, last in zip(gates[0], mean_gates(guessing), strict=True)]
refute(sum(nothing[:10]) > 1.5 * sum(nothing[-10:]) + 0.1, "The gates near the image open most.")

# %% control="gates that begin with a bias of +1"
options["gate_bias"] = 1.0
opened = models.build("highway", in_channels=channels, num_classes=10, **options).to(device)
refute(max(mean_gates(opened)) < 0.5, "Yet no layer transforms more than it carries.")

# %% [markdown]
# The gates near the input open most; they also began a little further open. But no layer ever
# becomes an ordinary one. Each changes a small share of its input and carries the rest; added up
# over all layers, the gates amount to a few ordinary layers, whose gates would be wide open. In
# this sense the net chose how deep to be.
#
# This has a price: $T$ has as many weights as $H$, so every layer costs twice as much. And a gate
# may open all the way: where $C = 0$, the highway layer is a plain layer again, with all the
# problems of one.

# %%
highway_parameters = sum(p.numel() for p in HighwayLinear(50).parameters())
expect(
    highway_parameters == 2 * (50 * 50 + 50),
    "A highway layer has twice a plain layer's parameters.",
)

# %% [markdown]
# ## Shortcuts: the gate that is always open
#
# Half a year later He et al. removed the gates. The input is always carried, in full, and the
# layers *add* to it:
#
# $$\mathbf{y} = \mathbf{x} + F(\mathbf{x})$$
#
# The identity is called a **shortcut**, or skip connection. It adds no parameters and no
# multiplications. A net of such blocks is a residual network, or **ResNet**. Lesson 13 takes it
# apart. Here we only ask whether it cures the degradation.
#
# **Predict, then run.** Here are the same 56 layers, with just as many parameters, and a shortcut
# around each pair of convolutions after the first. Where does the training loss end, compared with
# plain-20 and plain-56?

# %%
resnet56, resnet56_history = train("resnet56")

# %%
same_size = sum(p.numel() for p in resnet56.parameters()) == sum(
    p.numel() for p in plain56.parameters()
)
expect(same_size, "ResNet-56 has exactly as many parameters as plain-56.")
show(
    plot_histories(
        {"plain-20": plain20_history, "plain-56": plain56_history, "ResNet-56": resnet56_history},
        "train_loss",
        "training loss",
    ),
    "Training loss of plain-20, plain-56 and ResNet-56 over the epochs: plain-56 hardly falls, the "
    "other two end far below it",
)

# %% tags=["nbval-ignore-output"]
expect(
    resnet56_history.epochs[-1].train_loss < plain56_history.epochs[-1].train_loss - 0.3,
    "With shortcuts the same 56 layers train: their loss is lower by more than 0.3.",
    trained=True,
)

# %% control="56 layers with shortcuts in the plain net's place"
refute(
    resnet56_history.epochs[-1].train_loss > last20.train_loss + 0.3,
    "Plain-56 fits its own training images worse than plain-20, by more than 0.3.",
)

# %% control="untrained weights"
seed_everything(0)
guessing = models.build("resnet56", in_channels=channels, num_classes=10, width=8).to(device)
refute(
    evaluate(guessing, loaders.val).loss < plain56_history.epochs[-1].train_loss - 0.3,
    "With shortcuts the same 56 layers train: their loss is lower by more than 0.3.",
)

# %% [markdown]
# This single run is short: ResNet-56 may still be improving. Here are the recorded runs, longer and
# with three seeds:

# %%
show(
    plot_records(runs, "train_loss", "training loss"),
    "Recorded training loss of plain-20, plain-56, ResNet-20 and ResNet-56, mean of three seeds: "
    "from the second epoch on, plain-56 is far above the other three",
)

# %%
loss = {title: recorded.final("train_loss").mean for title, recorded in runs.items()}
cost = {kind: loss[f"{kind}-56"] - loss[f"{kind}-20"] for kind in ("plain", "ResNet")}
print(
    f"what 36 more layers cost in training loss: plain {cost['plain']:+.2f}, ResNet "
    f"{cost['ResNet']:+.2f}"
)
expect(cost["plain"] > 0.3, "Depth harms the plain net.")
expect(cost["ResNet"] < cost["plain"] / 3, "It costs the residual net less than a third of that.")

# %%
records.table(*titles.values())

# %% [markdown]
# But are these nets *worse*, or only slow? Five epochs at one learning rate cannot tell us. So here
# are the same nets on all 9,000 training images, for 30 epochs, in which the rate first rises and
# then falls to 0. Each net's highest rate is the one at which it did best on the validation set in
# short runs.

# %%
settled = {title: records.load(name.replace("depth", "settled")) for title, name in titles.items()}
at_end = {
    title: [history.epochs[-1].train_loss for history in recorded.histories]
    for title, recorded in settled.items()
}
for title, recorded in settled.items():
    losses = ", ".join(f"{loss:.3f}" for loss in at_end[title])
    print(f"{title:9} rate {recorded.lr:5}, training loss of each run {losses}")

# %%
show(
    plot_records(settled, "train_loss", "training loss"),
    "Training loss of four nets over 30 epochs, mean of their runs: plain-56 stays above plain-20 to "
    "the end; ResNet-56 ends below the other three, close to zero",
)
expect(
    min(at_end["plain-56"]) > 2 * max(at_end["plain-20"]),
    "Every run of plain-56 ends at over twice the loss of every run of plain-20.",
)
expect(
    max(at_end["ResNet-56"]) < min(at_end["ResNet-20"]) / 2,
    "Every run of ResNet-56 ends at less than half the loss of every run of ResNet-20.",
)

# %%
records.table(*(name.replace("depth", "settled") for name in titles.values()))

# %% [markdown]
# So the plain net's trouble is not only a slow start. Shortcuts reverse the order: the deeper
# ResNet fits its training images *better*. Now look at the test accuracies. The deeper ResNet is
# not ahead there: it fits its 9,000 images almost perfectly, and does not generalise better.
#
# Is that so with more images, and harder ones? The same four nets were also trained on CIFAR-10:
# 45,000 colour photos, cropped and flipped at random, 15 epochs, two seeds, and again the best rate
# for each. **Predict, then run.** What do 36 more layers do to the plain net's test accuracy, and
# to the residual net's? (The photos are JPEG files, which have lost some detail. Trials of three
# epochs chose the rates, and with two seeds the interval is rather too narrow.)

# %%
cifar = {title: f"cifar_{name.removeprefix('depth_')}" for title, name in titles.items()}
on_cifar = {title: records.load(name) for title, name in cifar.items()}
for title, recorded in on_cifar.items():
    print(f"{title:9} rate {recorded.lr:4g} (validation by rate: {recorded.tried})")
show(
    plot_records(on_cifar, "train_loss", "training loss"),
    "Training loss of four nets on CIFAR-10 over 15 epochs, mean of two seeds: plain-56 is far above "
    "the others in every epoch, then comes plain-20; ResNet-56 is lowest from the third epoch on",
)
records.table(*cifar.values())

# %%
lead = records.compare(on_cifar["ResNet-20"], on_cifar["plain-20"])
expect(lead.low > 0.01, "With 20 layers the residual net is more than a point ahead.")
lost = records.compare(on_cifar["plain-56"], on_cifar["plain-20"])
gained = records.compare(on_cifar["ResNet-56"], on_cifar["ResNet-20"])
print(f"36 more layers: plain {lost}, ResNet {gained}")
expect(lost.high < -0.1, "36 more layers cost the plain net over ten points.")
expect(gained.low > 0.01, "They gain the residual net more than one.")
last = [history.epochs[-2:] for recorded in on_cifar.values() for history in recorded.histories]
falls = [1 - end.train_loss / before.train_loss for before, end in last]
expect(min(falls) > 0.02, "In its last epoch, each run's training loss still falls by over 2 %.")

# %% [markdown]
# Here is what the paper describes. With 36 more layers, the plain net gets *worse* by about twenty
# points, on the images it was trained on and on new ones alike. The residual net gets better by
# about three, also on new ones. And shortcuts pay with 20 layers already, which they did not on
# clothes. So how much depth harms, and whether it helps, depends on the task.
#
# Two limits: after 15 epochs no net has reached a plateau, so that longer training would change the
# figures; and all are half as wide as the paper's.

# %% [markdown]
# ## The landscape, with and without
#
# Can you *see* the difference? Li et al. cut a plane through the space of all weights, with the
# trained net at the centre and two random directions as axes, and draw the loss over it.
#
# There is a trap in the units. In training mode, BN makes a net blind to the scale of its filters.
# If you double all weights of a layer, its output after BN does not change, but relative to the
# weights a step of length 1 goes only half as far. So the surface of a net with large weights looks
# flat, whatever its shape. The cure is **filter normalisation**: each filter of the random
# direction gets the length of the net's own filter. Then one step means the same relative change in
# both nets.
#
# A fair comparison needs one more thing: both nets must be trained to the end. A net that is
# stopped early sits high on a slope, and its surroundings show where it *is*, not how it is built.
# So these are two nets of 56 layers from the long runs above, which come with the course.
#
# **Predict, then run.** Around which of them does the loss rise faster? Read the colours, not the
# number of lines: the loss roughly doubles or triples from one line to the next.

# %%
points = torch.linspace(-0.5, 0.5, 9 if settings.checks_claims else 3)
nets = {
    name: models.pretrained(f"settled_{name.lower().replace('-', '')}").to(device)
    for name in ("plain-56", "ResNet-56")
}
batch = next(iter(loaders.train))


def surface(model: nn.Module, *, training: bool, seed: int = 0) -> inspection.Landscape:
    """Return the loss on a plane of two random directions through a model."""
    draws = torch.Generator().manual_seed(seed)
    plane = tuple(inspection.random_direction(model, draws) for _ in range(2))
    return inspection.loss_surface(model, [batch], plane, points, training=training)


# %%
running = {label: surface(model, training=False) for label, model in nets.items()}
show(
    plots.plot_landscape(running),
    "Loss over a plane through trained plain-56 and ResNet-56, on one scale for both: the "
    "low basin around ResNet-56 is the wider one, and the corners of both planes are high",
)

# %% tags=["nbval-ignore-output"]
near = points.abs() <= 0.25


def rise(land: inspection.Landscape) -> float:
    """Return by how much the loss near the centre exceeds that at the centre, on average."""
    return float(land.losses[near][:, near].mean() - land.losses[land.x == 0, land.y == 0])


rises = {label: rise(land) for label, land in running.items()}
print({label: f"rises by {value:.2f}" for label, value in rises.items()})

# %% [markdown]
# The loss rises faster around plain-56, it seems. But is that so? For one thing, a net with BN has
# two modes, and we have not said which one we drew. This was evaluation mode, as in the paper: BN
# divides by *running estimates* that were collected at the centre. Move all filters of 56 layers,
# and every layer receives inputs that its estimates do not fit, and passes on values that the next
# layer's estimates fit even less.
#
# **Predict, then run.** Draw the same two planes in training mode, in which BN uses the statistics
# of the batch at each point. What will change?

# %%
of_batch = {label: surface(model, training=True) for label, model in nets.items()}
show(
    plots.plot_landscape(of_batch),
    "The same two planes with the statistics of the batch, on a scale of their own: both surfaces are "
    "lower and their basins wider, and that of ResNet-56 is still the wider one",
)

# %% tags=["nbval-ignore-output"]
of_batch_rises = {label: rise(land) for label, land in of_batch.items()}
print({label: f"rises by {value:.2f}" for label, value in of_batch_rises.items()})

# %% [markdown]
# The order is the same. For another thing, we have drawn *one* plane through each net. Would
# another one look the same? So we take 16 random directions for each net, and go a quarter of the
# filters' length along each. The table sorts them: along a quarter of the directions, the loss
# rises by at most the value under "a quarter", and so on; the value under "half" is the median.
#
# **Predict, then run.** Between the flattest and the steepest of the 16 directions around
# ResNet-56, by what factor does the rise of the loss differ in evaluation mode?


# %%
def along(model: nn.Module, *, training: bool, seed: int = 0) -> torch.Tensor:
    """Return by how much the loss rises along random directions through a model, in order."""
    draws, num = torch.Generator().manual_seed(seed), 16 if settings.checks_claims else 2
    ways = [inspection.random_direction(model, draws) for _ in range(num)]
    centre = inspection.loss_along(model, [batch], ways[0], [0.0], training=training)
    losses = [inspection.loss_along(model, [batch], way, [0.25], training=training) for way in ways]
    return (torch.cat(losses) - centre).sort().values


# %% tags=["nbval-ignore-output"]
quarters, rows, spread = torch.linspace(0, 1, 5, dtype=torch.float64), [], {}
for mode, mode_name in {False: "evaluation", True: "training"}.items():
    for label, model in nets.items():
        spread[label, mode] = along(model, training=mode).quantile(quarters).tolist()
        rows.append((label, mode_name, *(f"{value:.3f}" for value in spread[label, mode])))
Table(("net", "mode", "flattest", "a quarter", "half", "three quarters", "steepest"), tuple(rows))

# %% tags=["nbval-ignore-output"]
for mode in (False, True):
    most, least = spread["ResNet-56", mode][3], spread["plain-56", mode][1]
    expect(
        most < least,
        f"In {'training' if mode else 'evaluation'} mode, three quarters of the directions around "
        "ResNet-56 are flatter than three quarters of those around plain-56.",
        trained=True,
    )

# %% tags=["nbval-ignore-output"]
tops = {label: (float(running[label].losses.max()), float(of_batch[label].losses.max()))
        for label in nets}  # fmt: skip
print(
    {
        label: f"highest loss {a:.1f} in evaluation mode, {b:.1f} in training mode"
        for label, (a, b) in tops.items()
    }
)
expect(
    all(a > 2 * b for a, b in tops.values()),
    "More than half of each net's highest wall is made of running estimates.",
    trained=True,
)

# %% control="ResNet-56 along other directions, in the plain net's place"
for mode in (False, True):
    others = along(nets["ResNet-56"], training=mode, seed=1).quantile(quarters).tolist()
    refute(
        spread["ResNet-56", mode][3] < others[1],
        f"In {'training' if mode else 'evaluation'} mode, three quarters of the directions around "
        "ResNet-56 are flatter than three quarters of those around plain-56.",
    )
another = surface(nets["ResNet-56"], training=False, seed=1)
refute(
    float(another.losses.max()) > 2 * tops["ResNet-56"][0],
    "More than half of each net's highest wall is made of running estimates.",
)

# %% [markdown]
# So the residual net does lie in the wider basin, in either mode. But look at the steepest of its
# directions in evaluation mode: along it, the loss rises many times as much as along the median
# one, and a plane that happens to contain such a direction may look much like a plane through
# plain-56. One plane of each net proves little; over many directions the difference is clear. And
# how high the walls are in evaluation mode is mostly a matter of estimates that no longer fit. A
# figure of a landscape that does not name BN's mode tells half the story: name the mode whenever
# you show one.
#
# And remember what such a figure cannot show. These nets have more than 200,000 parameters: a plane
# of two random directions shows little of that space, and it shows only one run of each net. And
# that the basin is wide does not mean that training found it *because* it is wide. This is what the
# paper reports, in evaluation mode:

# %%
print(facts.get("landscape.depth"))
print(facts.get("landscape.normalisation"))

# %% [markdown]
# ## On a GPU, for real
#
# He et al. train on CIFAR-10 for 64,000 steps of 128 images, and divide the rate by 10 twice. On a
# GPU, this comes closest to their setting (`docs/training.md` says what still differs):
#
# ```
# python -m course_utils train plain56 --data cifar10 --epochs 182 --batch-size 128 --lr 0.1 \
#     --schedule step --weight-decay 1e-4 --no-nesterov --precision float32 --crop 4 --flip
# ```
#
# Do the same with `plain20`, `resnet20` and `resnet56`. Below are the errors on CIFAR-10 that He et
# al. report for two ResNets and a highway network; **we have not measured these**.

# %%
facts.table("resnet20.cifar_error", "resnet56.cifar_error", "highway19.cifar_error")

# %% [markdown]
# ## Pop quiz

# %%
from course_utils import quiz

quiz.show("12_going_deeper")

# %% [markdown]
# ## What to remember
#
# - **Degradation**: beyond some depth, further layers raise a plain net's *training* loss. That is
#   neither overfitting nor a lack of good weights: it is a problem of optimisation.
# - With BN the gradients of a fresh plain net do not vanish. They explode towards the input, and
#   they **shatter**: the correlation between the gradients of neighbouring inputs falls
#   exponentially with depth, until they look like white noise.
# - A **highway** layer mixes: $\mathbf{y} = H \cdot T + \mathbf{x} \cdot (1 - T)$. A negative gate
#   bias makes a deep net start as a shallow one.
# - A **shortcut** adds: $\mathbf{y} = \mathbf{x} + F(\mathbf{x})$, without extra parameters.
#   Gradients stay similar for neighbouring inputs, and 56 layers train.
# - A comparison of loss landscapes means something only if the directions are normalised, the nets
#   are trained to the end, and you say which mode batch normalisation was in.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Good weights for 56 plain layers exist, and training does not find them. Is that a fault of the
#    net, of the optimiser, or of where training starts? What experiment could tell them apart?
# 2. Gradients shatter in fresh plain nets. What would you have to see before you called that the
#    *cause* of degradation?
# 3. A highway net has gates that decide how much each layer does; a residual net has none. Why do
#    you think the simpler one won?

# %% [markdown]
# ## Further reading
#
# - K. He, X. Zhang, S. Ren, J. Sun: *Deep residual learning for image recognition*. CVPR 2016.
#   Figures 1 and 4, and section 4.1 for the argument against vanishing gradients.
# - D. Balduzzi et al.: *The shattered gradients problem: If resnets are the answer, then what is
#   the question?* ICML 2017.
# - R. K. Srivastava, K. Greff, J. Schmidhuber: *Training very deep networks*. NIPS 2015. Section 2
#   defines the layer, section 2.2 the bias.
# - H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein: *Visualizing the loss landscape of neural
#   nets*. NeurIPS 2018.
# - G. Yang et al.: *A mean field theory of batch normalization*. ICLR 2019. Why gradients explode
#   in fresh normalised nets.
#
# **Exercise** {exercise}
#
# **Next** comes lesson 13, which takes the residual block apart: what its shortcut does where
# shapes change, why it starts near the identity, and what happens when you remove one.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | degradation | 성능 저하 (degradation) | a deeper net has a higher training loss |
# | overfitting | 과적합 | low training loss, high validation loss |
# | plain network | 일반(plain) 신경망 | layers one after the other, without shortcuts |
# | shortcut, skip connection | 스킵 연결, 잔차 연결 | the input is added to the output |
# | gradient norm | 기울기 크기(노름) | length of the gradient of one layer |
# | shattered gradients | 산산조각 난 기울기 | gradients of neighbouring inputs do not agree |
# | autocorrelation | 자기상관 | correlation of a series with itself, shifted |
# | white noise | 백색 잡음 | values that are independent of each other |
# | transform gate | 변환 게이트 | how much of a layer's output is taken |
# | carry gate | 전달 게이트 | how much of its input is kept |
# | loss landscape | 손실 지형 | the loss over the space of the weights |
