# %% [markdown]
# # 02 · Why not MLPs?
#
# **After this lesson you can**
# - work out what a fully connected layer on an image costs in parameters, memory and arithmetic;
# - say what an MLP does not know about images, and show it by shuffling pixels and shifting shapes;
# - measure whether a model relies on the object or on its background;
# - draw an occlusion map and a saliency map, and say what they do not prove.
#
# **Time** 45 minutes, of which training takes one to two on a laptop.
#
# **Builds on** 01 (image tensors). Here a convnet is a black box; lessons 03 to 05 open it. The
# training loop stays a black box until lesson 07.

# %% [markdown]
# ## The question
#
# An image is a block of numbers. The simplest network, a **multilayer perceptron** (MLP), takes a
# list of numbers. So we could write the numbers of the image into one long list and be done. For a
# table of measurements that is a reasonable start. For images hardly anybody does it. Why not?
#
# You will often hear: *too many parameters*. That is true, but it is only a small part of the
# answer.

# %%
from itertools import product

import torch
from torch import Tensor, nn

from course_utils import data, models
from course_utils.arithmetic import conv_parameters, linear_parameters
from course_utils.data import ShapesConfig, make_shapes
from course_utils.data.shapes import CLASSES
from course_utils.inspection import summary
from course_utils.models.initialization import he_normal_
from course_utils.plots import plot_images, plot_lines, show
from course_utils.runtime import expect, profile, seed_everything
from course_utils.training import TrainConfig, evaluate, fit

settings = profile("02_why_not_mlps")
SEED = 0  # of the images and of the initial weights: try another

# %% [markdown]
# ## The images
#
# We need images that we can control. The data set `shapes` draws them from formulas. Each shows one
# of ten figures, which vary in colour and size, in front of one of ten kinds of background, with
# some clutter and noise. For now the figure is in the middle and the background is chosen at
# random. Both will change.

# %%
centred = ShapesConfig(position=0.0)  # how far, in pixels, a figure may be from the middle
test = make_shapes(1000, centred, torch.Generator().manual_seed(SEED + 100))
first_of_each = [int((test.labels == label).nonzero()[0]) for label in range(10)]
show(
    plot_images(test.images[first_of_each], CLASSES, num_columns=5, size=1.3),
    "Ten small colour images, each with a figure in the middle of a textured background: circle, "
    "square, triangle, ring, cross, star, heart, crescent, arrow and hourglass",
)

# %% [markdown]
# ## Flattening an image
#
# An image with 3 channels, 32 rows and 32 columns has $3 \cdot 32 \cdot 32 = 3072$ numbers.
# `flatten` puts them in one list: channel by channel, row by row.
#
# **Predict, then run.** In the image, the pixel at row 11, column 5 lies just below the one at row
# 10, column 5. How far apart are they in the list?

# %%
image = test.images[0] / 255  # (3, 32, 32), float in [0, 1]
vector = image.flatten()  # (3072,)


def place(channel: int, row: int, column: int) -> int:
    """Return the list index of the number at this channel, row and column."""
    return channel * 32 * 32 + row * 32 + column


expect(
    vector[place(2, 10, 5)] == image[2, 10, 5],
    "The value at channel 2, row 10, column 5 stands at that place in the list.",
)
print(f"{len(vector)} numbers")
print(f"one pixel down is {place(0, 11, 5) - place(0, 10, 5)} places further on")
print(f"the next channel is {place(1, 10, 5) - place(0, 10, 5)} places further on")

# %% [markdown]
# Neighbours in the image need not be neighbours in the list. And the first layer makes no use of
# the order at all: unit $i$ computes
#
# $$h_i = \sum_j w_{ij}\, x_j + b_i$$
#
# a sum over *all* numbers of the image, each with its own weight. The order of the terms in a sum
# does not matter, so nothing in this formula says which numbers were neighbours.

# %%
layer = nn.Linear(3072, 256)
by_hand = (layer.weight[7] * vector).sum() + layer.bias[7]
agree = torch.allclose(layer(vector)[7], by_hand, atol=1e-4)
expect(agree, "Unit 7 is the weighted sum of all 3072 numbers, plus a bias.")

# %% [markdown]
# ## What it costs
#
# A fully connected layer has one weight for every pair of input and output. For photos of the usual
# size that is a lot.
#
# **Predict, then run.** Networks often read colour images of 224 × 224 pixels. Take a fully
# connected layer with as many outputs as inputs. How many gigabytes do its weights take?

# %%
print(f"{'image':>15}{'numbers':>12}{'256 units':>16}{'as many units':>24}")
for shape in ((1, 28, 28), (3, 32, 32), (3, 224, 224), (3, 720, 1080)):
    numbers = torch.Size(shape).numel()
    narrow, wide = linear_parameters(numbers, 256), linear_parameters(numbers, numbers)
    print(f"{shape!s:>15}{numbers:12,}{narrow:16,}{wide:24,}")
wide = linear_parameters(3 * 224 * 224, 3 * 224 * 224)
print(f"224 x 224: {4 * wide / 1e9:.0f} GB of weights, {4 * 4 * wide / 1e9:.0f} GB to train them")
print(f"a 3 x 3 convolution instead: {conv_parameters(3, 3, 3)} parameters, for any image size")

# %% [markdown]
# The last two columns count the parameters of a layer with 256 units, and of one with as many units
# as inputs. Each weight takes four bytes, and training keeps four numbers for it: the weight, its
# gradient, and two running averages of the optimiser, AdamW. Lesson 05 counts the parameters of a
# convolution.

# %% [markdown]
# ## Two models
#
# Our MLP has two hidden layers. Our convnet is small, and for now a black box: it looks at patches
# of 3 × 3 pixels with the same weights everywhere, and halves height and width four times by
# pooling. At the end a linear layer reads the mean of each **map**, that is, of each channel that
# the last convolution puts out.


# %%
def small_convnet() -> nn.Module:
    """Build four rounds of convolution, ReLU and pooling, and a linear layer on the maps' means."""
    layers, channels = [], 3
    for width in (16, 32, 64, 64):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return he_normal_(nn.Sequential(*layers, *head))


def mlp() -> nn.Module:
    """Build a net of 3072 inputs, 256 units, 128 units and 10 logits."""
    return models.build("mlp", in_channels=3, num_classes=10, image_size=32)


# %% [markdown]
# **Predict, then run.** The convnet has fewer parameters. Does it also need less arithmetic per
# image? We count **multiply-adds**: a product, added to a sum.

# %%
BUILD = {"MLP": mlp, "convnet": small_convnet}
found = {name: summary(build(), (3, 32, 32)) for name, build in BUILD.items()}
for name, counts in found.items():
    print(f"{name:8}{counts.parameters:10,} parameters{counts.multiply_adds:12,} multiply-adds")
less, more = found["convnet"], found["MLP"]
expect(
    less.parameters * 13 < more.parameters,
    "The MLP has more than 13 times as many parameters as the convnet.",
)
expect(
    less.multiply_adds > 4 * more.multiply_adds,
    "The convnet needs more than 4 times as many multiply-adds.",
)

# %% [markdown]
# Sharing weights saves parameters, not arithmetic: a shared weight is used once at every place. An
# MLP uses each weight once per image.
#
# What happens with images of a different size?

# %%
for name, build in BUILD.items():
    try:
        logits = build()(torch.zeros(1, 3, 48, 48))
        print(f"{name}: logits {tuple(logits.shape)} for 48 x 48")
    except ValueError as error:
        print(f"{name}: {error}")

# %% [markdown]
# ## A fair comparison
#
# Both models get the same images, the same optimiser with the same learning rate, and the same
# number of epochs. For validation, 10 % of the training images are held out.

# %%
config = TrainConfig(epochs=settings.epochs, lr=settings.lr, optimizer="adamw")


def load(**dials) -> data.Loaders:
    """Draw `shapes`, with the figure in the middle unless the dials say otherwise."""
    dials = {"position": 0.0, "num_train": settings.limit, "num_test": 1000, "seed": SEED} | dials
    order = torch.Generator().manual_seed(SEED)
    return data.load("shapes", batch_size=settings.batch_size, generator=order, **dials)


# %%
def train(name: str, loaders: data.Loaders):
    """Train a fresh model; return it and the record of its last epoch."""
    seed_everything(SEED)
    model = BUILD[name]()
    history = fit(model, loaders, config)
    return model, history.epochs[-1]


# %% tags=["nbval-ignore-output"]
loaders = load()
trained, last = {}, {}
print(f"{loaders.train.num_images} images, {config.epochs} epochs")
for name in BUILD:
    trained[name], last[name] = train(name, loaders)
    on_train, on_val = last[name].train_accuracy, last[name].val_accuracy
    print(f"{name:8} training {on_train:6.1%}   validation {on_val:6.1%}")
expect(last["MLP"].val_accuracy > 0.88, "The MLP exceeds 88 % validation accuracy.", trained=True)
expect(last["convnet"].val_accuracy > 0.97, "The convnet exceeds 97 %.", trained=True)

# %% control="training labels at random"
mixed = loaders.train.labels[torch.randperm(loaders.train.num_images)]
lottery = data.Loaders(
    loaders.train.with_options(labels=mixed), loaders.val, loaders.test, loaders.info
)
lucky = {name: train(name, lottery)[1] for name in BUILD}
refute(lucky["MLP"].val_accuracy > 0.88, "The MLP exceeds 88 % validation accuracy.")
refute(lucky["convnet"].val_accuracy > 0.97, "The convnet exceeds 97 %.")

# %% [markdown]
# So does the MLP work? On these images it does, but there are only ten kinds of figure, always in
# the middle. Accuracy says *how often* a model is right. It does not say *what it has learned*.
# Four experiments try to find that out. They measure the accuracy on test images with this
# function:


# %%
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of raw images (N, 3, 32, 32), uint8, that a model classifies correctly."""
    part = loaders.test.with_options(images=images, labels=labels)  # normalises as in training
    return evaluate(model, part).accuracy


# %% [markdown]
# ## Experiment 1: shuffle the pixels
#
# Draw one random order of the 1024 pixels, and rearrange the pixels of *every* image in that order,
# for training and for testing. No information is lost: you could put the pixels back in their
# places. But nobody can tell a star from a heart by eye any more.

# %%
order = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(0))


def shuffled(images: Tensor) -> Tensor:
    """Rearrange the pixels of images (N, C, 32, 32) in that one random order."""
    return images.flatten(2)[:, :, order].unflatten(2, (32, 32))


pair = test.images[first_of_each[5:8]]
show(
    plot_images(
        [*pair, *shuffled(pair)], num_columns=3, size=1.3, row_titles=["in order", "shuffled"]
    ),
    "A star, a heart and a crescent, and the same three images with their pixels shuffled: "
    "three fields of coloured noise",
)

# %% [markdown]
# **Predict, then run.** How does the accuracy of each model change when it is trained and tested on
# shuffled images? Write down two numbers before you read on.
#
# For the MLP, algebra gives the answer. Let $P$ be the shuffle, written as a permutation matrix. A
# first layer with weights $W$ that reads images in order has a twin with weights $W P^\top$ that
# reads shuffled ones:
#
# $$(W P^\top)(P x) = W (P^\top P) x = W x$$
#
# The twin computes the same outputs for every image. It has the same weights in other places, and
# since initial weights have the same distribution everywhere, training is just as likely to start
# from the twin. The twin's gradients are shuffled in the same way, so the two stay twins during
# training. An MLP *cannot* notice the shuffle.

# %%
tidy, twin = mlp(), mlp()
twin.load_state_dict(tidy.state_dict())
columns = torch.cat([order + channel * 1024 for channel in range(3)])  # (3072,)
twin.hidden[0].weight.data = tidy.hidden[0].weight.data[:, columns]  # weights follow their pixels
x = test.images[:100] / 255  # (100, 3, 32, 32)
same = torch.allclose(tidy(x), twin(shuffled(x)), atol=1e-4)
expect(same, "The twin gives the same logits on shuffled images.")

# %%
parts = {}
for key in ("train", "val", "test"):
    part = getattr(loaders, key)
    parts[key] = part.with_options(images=shuffled(part.images))
noise = data.Loaders(**parts, info=loaders.info)

# %% tags=["nbval-ignore-output"]
print(f"{'test accuracy':14}{'in order':>8}{'shuffled':>10}")
tidy_score, noise_score = {}, {}
for name in BUILD:
    model, _ = train(name, noise)
    tidy_score[name] = accuracy(trained[name], test.images, test.labels)
    noise_score[name] = accuracy(model, shuffled(test.images), test.labels)
    print(f"{name:14}{tidy_score[name]:8.1%}{noise_score[name]:10.1%}")

# %% tags=["nbval-ignore-output"]
change = {name: noise_score[name] - tidy_score[name] for name in BUILD}
expect(
    abs(change["MLP"]) < 0.04,
    "Shuffling changes the MLP's accuracy by less than four points.",
    trained=True,
)
expect(change["convnet"] < -0.15, "It costs the convnet more than 15 points.", trained=True)
expect(
    noise_score["MLP"] > noise_score["convnet"],
    "On shuffled images the MLP is the better of the two.",
    trained=True,
)

# %% control="another seed, pixels in order"
SEED += 1000
again = {name: accuracy(train(name, load())[0], test.images, test.labels) for name in BUILD}
SEED -= 1000
refute(
    again["convnet"] - tidy_score["convnet"] < -0.15, "It costs the convnet more than 15 points."
)
refute(again["MLP"] > again["convnet"], "On shuffled images the MLP is the better of the two.")

# %% control="the other model"
refute(
    abs(change["convnet"]) < 0.04, "Shuffling changes the MLP's accuracy by less than four points."
)

# %% [markdown]
# Read the last check twice. A convnet is not simply a better learner. It is a learner that makes
# **assumptions** about its input: neighbours belong together, and a pattern worth detecting in one
# place is worth detecting everywhere. Such assumptions are called an **inductive bias**. Where they
# are true, less has to be learned from examples. Where they are false, they hurt. The MLP makes no
# such assumptions, and pays for that when the pixels are in order.

# %% [markdown]
# ## Experiment 2: move the figure
#
# Both models were trained with figures in the middle. We now shift the test images to the right,
# one pixel at a time; what leaves on the right comes back on the left. Up to a shift of 5 pixels
# every figure stays whole.
#
# **Predict, then run.** By how many pixels do you have to shift the images before the MLP is wrong
# half the time?

# %% tags=["nbval-ignore-output"]
pixels = range(9)
moved = {}
for name, model in trained.items():
    moved[name] = [accuracy(model, test.images.roll(s, dims=3), test.labels) for s in pixels]
show(
    plot_lines(moved, pixels, "shift right, in pixels", "test accuracy", percent=True, chance=0.1),
    "Test accuracy against the shift. The MLP falls from above 90 per cent to below 30 at two "
    "pixels and to chance at three or four. The convnet falls more slowly",
)
dense, conv = moved["MLP"], moved["convnet"]
ahead = all(c > d for c, d in zip(conv, dense, strict=True))
expect(dense[2] < 0.4 * dense[0], "At two pixels the MLP has lost more than half.", trained=True)
expect(dense[4] < 0.2, "At four pixels its accuracy is below 20 %.", trained=True)
expect(conv[2] > 0.65, "At two pixels the convnet's is above 65 %.", trained=True)
expect(ahead, "The convnet is ahead at every shift.", trained=True)

# %% control="the other model"
refute(conv[2] < 0.4 * conv[0], "At two pixels the MLP has lost more than half.")
refute(conv[4] < 0.2, "At four pixels its accuracy is below 20 %.")
refute(dense[2] > 0.65, "At two pixels the convnet's is above 65 %.")

# %% control="untrained weights"
guesses = {
    name: [accuracy(model, test.images.roll(s, dims=3), test.labels) for s in pixels]
    for name, model in ((name, build()) for name, build in BUILD.items())
}
level = all(c > d for c, d in zip(guesses["convnet"], guesses["MLP"], strict=True))
refute(level, "The convnet is ahead at every shift.")

# %% [markdown]
# To an MLP, a star two pixels further right is a new pattern that meets different weights. The
# convnet applies the *same* filters in the new place. But look: its accuracy falls, too. "Convnets
# are invariant to shifts" is only a slogan. Pooling and padding break the invariance, and lesson 06
# measures how badly.

# %% [markdown]
# ## Experiment 3: figures anywhere
#
# So let us train both models on figures in many places.
#
# **Predict, then run.** The MLP has about 821,000 parameters and gets a few thousand images with
# figures up to 8 pixels from the middle, across and down. What will its training accuracy and its
# validation accuracy be?

# %% tags=["nbval-ignore-output"]
anywhere = load(position=8.0)
scattered = {}
for name in BUILD:
    _, scattered[name] = train(name, anywhere)
    on_train, on_val = scattered[name].train_accuracy, scattered[name].val_accuracy
    print(f"{name:8} training {on_train:6.1%}   validation {on_val:6.1%}")
expect(scattered["MLP"].train_accuracy > 0.75, "The MLP learns its training images.", trained=True)
expect(scattered["MLP"].val_accuracy < 0.3, "It learns little about other images.", trained=True)
expect(scattered["convnet"].val_accuracy > 0.88, "The convnet learns the figures.", trained=True)

# %% control="untrained weights"
guess = evaluate(small_convnet(), anywhere.val).accuracy
refute(evaluate(mlp(), anywhere.train).accuracy > 0.75, "The MLP learns its training images.")
refute(guess > 0.88, "The convnet learns the figures.")

# %% control="figures in the middle"
refute(last["MLP"].val_accuracy < 0.3, "It learns little about other images.")

# %% [markdown]
# This is **overfitting** in its purest form: the MLP has memorised its training images. To
# *generalise*, it would need to see every figure in every place, because what it learns in one
# place hardly helps in another.
#
# Two common arguments against MLPs deserve a second look:
#
# - "MLPs are hard to optimise." Not here: the training accuracy is high. What is hard is to find
#   the *right* one of the many solutions that fit the training images.
# - "They overfit because they have too many parameters." Convnets such as AlexNet and VGG have many
#   millions, and yet they generalise. Nor does their architecture prevent memorising: Zhang et al.
#   (2017) trained convnets on images with *random* labels, and the convnets memorised those labels.
#   What matters is what the parameters are used for.

# %% [markdown]
# ## Experiment 4: object or background?
#
# Ships are photographed on water, cows on grass. If a model predicts "ship", what did it recognise:
# the ship or the water? What belongs to the object is an **object feature**; what only tends to
# appear with it is a **context feature**. A model that reads all pixels may use either. If one day
# the context changes, the correlation between object and context turns out to be **spurious**.
#
# Our images have a dial for this correlation. At $\rho = 0$ the background is chosen at random. At
# $\rho = 1$ every class has its own. In between, an image has the background of its class with
# probability $\rho$, and one of the ten at random otherwise.

# %%
tied = ShapesConfig(position=0.0, background_correlation=1.0)
true, swapped = (
    make_shapes(1000, tied, torch.Generator().manual_seed(SEED + 100), backgrounds)
    for backgrounds in ("same", "swapped")
)
hearts = (true.labels == CLASSES.index("heart")).nonzero().flatten()[:5]
expect(true.masks.equal(swapped.masks), "Every figure has the same outline in both sets.")

# %%
pairs, names = [*true.images[hearts], *swapped.images[hearts]], ["true background", "swapped"]
show(
    plot_images(pairs, num_columns=5, size=1.3, row_titles=names),
    "Above: five hearts in front of one kind of background, differing in colour, size and clutter. "
    "Below: the same five hearts in front of backgrounds that belong to other classes",
)

# %% [markdown]
# The upper row has **true** backgrounds, the lower row **swapped** ones, which always belong to
# another class. Everything else is the same in both.
#
# How much does the background give away? A model that looked at nothing else would be right with
# probability $\rho + (1 - \rho)/10$, since one in ten random backgrounds happens to belong to the
# correct class.

# %%
DIAL = (0.0, 0.5, 0.8, 0.9, 1.0)
for rho in DIAL:
    config_at = ShapesConfig(background_correlation=rho)
    drawn = make_shapes(2000, config_at, torch.Generator().manual_seed(SEED))
    right = (drawn.backgrounds == drawn.labels).float().mean()
    print(f"ρ = {rho}: background alone {right:.1%} correct; formula {rho + (1 - rho) / 10:.1%}")

# %% [markdown]
# We train both models at each of these five settings, and test them on true and on swapped
# backgrounds.
#
# **Predict, then run.** Sketch four curves of accuracy against $\rho$: for each model, one on true
# and one on swapped backgrounds. The *validation* images are drawn like the training images. What
# accuracy will the models reach on them?

# %% tags=["nbval-ignore-output"]
seen = {(0.0, name): (trained[name], last[name]) for name in BUILD}  # already trained
scores = {}  # (rho, name) -> accuracy on validation, true and swapped images
print(f"{'rho':4} {'model':8}{'validation':>12}{'true':>8}{'swapped':>9}")
for rho, name in product(DIAL, BUILD):
    if rho > 0:
        seen[rho, name] = train(name, load(background_correlation=rho))
    model, record = seen[rho, name]
    on_true, on_swapped = (accuracy(model, part.images, part.labels) for part in (true, swapped))
    scores[rho, name] = record.val_accuracy, on_true, on_swapped
    print(f"{rho:<4} {name:8}{record.val_accuracy:12.1%}{on_true:8.1%}{on_swapped:9.1%}")

# %% tags=["nbval-ignore-output"]
curves = {}
for name, (column, backgrounds) in product(BUILD, ((1, "true"), (2, "swapped"))):
    curves[f"{name}, {backgrounds} background"] = [scores[rho, name][column] for rho in DIAL]
axis = "background correlation ρ in training"
style = {"percent": True, "chance": 0.1, "by_condition": True}
show(
    plot_lines(curves, DIAL, axis, "accuracy", **style),
    "Accuracy against ρ. On true backgrounds both models stay above 90 per cent. On swapped "
    "ones the MLP falls from 95 to below 30 per cent at 0.9, the convnet from 99 to about 70; at "
    "1 both are below 10",
)

# %% tags=["nbval-ignore-output"]
dense, conv = ({rho: scores[rho, name] for rho in DIAL} for name in BUILD)
expect(
    conv[0.9][2] > dense[0.9][2] + 0.2, "At 0.9 the convnet is ahead on swapped ones.", trained=True
)
expect(conv[0.9][2] < conv[0.0][2] - 0.2, "But it relies on the background, too.", trained=True)
expect(max(conv[1.0][2], dense[1.0][2]) < 0.1, "At 1 both do worse than chance.", trained=True)
expect(
    dense[1.0][0] > dense[0.0][0],
    "The MLP's validation accuracy is higher at 1 than at 0.",
    trained=True,
)

# %% control="the same on true backgrounds"
refute(conv[0.9][1] > dense[0.9][1] + 0.2, "At 0.9 the convnet is ahead on swapped ones.")
refute(conv[0.9][1] < conv[0.0][1] - 0.2, "But it relies on the background, too.")
refute(max(conv[1.0][1], dense[1.0][1]) < 0.1, "At 1 both do worse than chance.")

# %% control="the same on swapped backgrounds"
refute(dense[1.0][2] > dense[0.0][2], "The MLP's validation accuracy is higher at 1 than at 0.")

# %% [markdown]
# Four things to learn from this:
#
# - **Validation does not warn you.** Its images have the same correlation as the training images.
#   At $\rho = 1$, where the models do worst on swapped backgrounds, both have excellent validation
#   accuracy. Only images *without* the correlation reveal the problem.
# - **Worse than chance tells you something.** A model that knew nothing would get 10 %. A model
#   that gets less has learned something that points to the wrong class. Here that can only be the
#   background: the figures are the same in both test sets, and a swapped background always
#   belongs to another class.
# - **The convnet resists longer.** A likely reason: it finds the figure easier to recognise, so the
#   background has less to add. In the demo below, where the MLP finds the figures much harder, it
#   leans on the background sooner.
# - **But it is not immune.** Nothing in convolution says "look at the object": a texture is as
#   local as an edge, and a filter finds either of them anywhere. At $\rho = 1$ both cues are
#   equally good on the training images, and no architecture can know which one you meant.
#
# The remedy is training data in which the correlation is broken, from other places, other seasons,
# other cameras. To find out whether it worked, you need a test set that breaks the correlation on
# purpose. Beery et al. (2018) found that models trained to recognise animals do far worse in new
# places; Xiao et al. (2021) swapped the backgrounds of ImageNet images as we did.
#
# ### Turn the dial yourself
#
# The demo shows recorded results for a harder case: figures up to 5 pixels from the centre, an MLP
# with one hidden layer, and LeNet-5 as the convnet. How good is the MLP at $\rho = 0$? As $\rho$
# grows, why does a gap between true and swapped backgrounds open so soon? What happens to the
# coloured maps? (The next section explains them: violet is evidence for the class, orange evidence
# against it.)

# %%
from course_utils.widgets import SpuriousBackgroundDial

SpuriousBackgroundDial()

# %% [markdown]
# ## Who looks at the object?
#
# The last test needs swapped backgrounds, and real photos do not come with them. Can we ask the
# model itself where it looks? There are two simple ways:
#
# - **Occlusion**: cover a patch and see how far the model's confidence in the class drops. Where it
#   drops a lot, the patch has covered something that the model relied on. We measure the drop in
#   **log-odds**, $\log\frac{p}{1-p}$, because the probability $p$ of a confident model hardly
#   moves.
# - **Saliency**: the gradient of the class's logit with respect to every pixel. Where it is
#   largest, a small change in the pixel changes the logit most.
#
# With logits $z$ and class $c$ the log-odds are $z_c - \log \sum_{k \ne c} e^{z_k}$: how far the
# class is ahead of all others together. This form is exact even where $p$ rounds to 1.


# %%
from course_utils.inspection import occlusion
from course_utils.plots import plot_attribution


def log_odds(model: nn.Module, image: Tensor, label: int) -> Tensor:
    """Return log p/(1 - p) for one class of one image."""
    logits = model(image[None])[0]  # (10,)
    others = logits[torch.arange(10) != label]  # (9,)
    return logits[label] - others.logsumexp(dim=0)


# %%
@torch.no_grad()
def occlusion_map(model, image: Tensor, label: int, patch: int = 8, stride: int = 4) -> Tensor:
    """Return, for each pixel, the mean fall in log-odds over the patches that cover it."""
    total, count = torch.zeros(32, 32), torch.zeros(32, 32)
    for row, column in product(range(0, 32 - patch + 1, stride), repeat=2):
        window = slice(row, row + patch), slice(column, column + patch)
        covered = image.clone()
        covered[:, *window] = 0  # the mean colour, since images are normalised
        total[window] += log_odds(model, image, label) - log_odds(model, covered, label)
        count[window] += 1
    return total / count  # (32, 32)


# %%
def saliency_map(model: nn.Module, image: Tensor, label: int) -> Tensor:
    """Return the largest absolute gradient among the channels of each pixel: (32, 32)."""
    image = image.clone().requires_grad_()
    model(image[None])[0, label].backward()
    return image.grad.abs().amax(dim=0)


# %% [markdown]
# The course package computes the same occlusion map for many images at once. It should agree with
# ours:

# %%
model = small_convnet().eval()
image = (test.images[0] / 255 - 0.5) / 0.25  # (3, 32, 32)
ours = occlusion_map(model, image, 3)
theirs = occlusion(model, image[None], labels=torch.tensor([3])).maps  # (1, 8, 8): cells of 4 x 4
agree = torch.allclose(ours[::4, ::4], theirs[0], atol=1e-3)
expect(agree, "Both maps are the same.")

# %% [markdown]
# Now take one image with its true background and four of our models: the two trained at
# $\rho = 0$, where the background says nothing, and the two trained at $\rho = 1$, where it says
# everything. In the occlusion maps violet is evidence for the class, orange evidence against it. In
# the saliency maps yellow is a large gradient, dark blue a small one. The line is the outline of
# the figure. Each map has its own scale, so compare where the maps are strong, not how strong they
# are.

# %% tags=["nbval-ignore-output"]
index = int(hearts[0])
mean, std = (torch.tensor(v)[:, None, None] for v in (loaders.info.mean, loaders.info.std))
image, label = (true.images[index] / 255 - mean) / std, int(true.labels[index])
maps = {}
for rho, name in product((0.0, 1.0), BUILD):
    model = seen[rho, name][0].eval()
    occluded, salient = occlusion_map(model, image, label), saliency_map(model, image, label)
    maps[f"{name}, ρ = {rho}"] = {"occlusion": occluded, "saliency": salient}
show(
    plot_attribution(true.images[index], maps, true.masks[index], "heart"),
    "A heart, and for each of four models its occlusion map and its saliency map. The maps of the "
    "models trained at 0 are strongest on the heart; those of the MLP trained at 1 "
    "also fill the background",
)

# %% [markdown]
# One image proves little; on this one even the convnet trained at $\rho = 1$ may seem to look at
# the heart. So we measure on sixty images: what share of the evidence *for* the correct class
# (positive values of the occlusion map), and what share of the gradient, lies on the figure? The
# figure covers about a ninth of the image, so an evenly spread map would have a ninth of its total
# there.


# %%
def share(maps: Tensor, masks: Tensor) -> float:
    """Return the share of the maps' positive values that lies on the masks, both (N, 32, 32)."""
    evidence = maps.clamp(min=0)
    return float(((evidence * masks).sum(dim=(1, 2)) / evidence.sum(dim=(1, 2))).nanmean())


# %%
images = (true.images[:60] / 255 - mean) / std  # (60, 3, 32, 32)
labels, masks = true.labels[:60], true.masks[:60]


def evidence_on_figure(model: nn.Module) -> tuple[float, float]:
    """Return the share of occlusion maps, and of saliency maps, that lies on the figure."""
    found = occlusion(model.eval(), images, labels=labels, patch=6, stride=2).maps  # (60, 16, 16)
    occluded = found.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)  # (60, 32, 32)
    salient = torch.stack([saliency_map(model, *pair) for pair in zip(images, labels, strict=True)])
    return share(occluded, masks), share(salient, masks)


# %% tags=["nbval-ignore-output"]
print(f"the figure covers {masks.float().mean():.0%} of the image")
print(f"{'rho':4} {'model':8}{'occlusion':>11}{'saliency':>10}")
on_figure = {}
for rho, name in product((0.0, 0.9, 1.0), BUILD):
    on_figure[rho, name] = evidence_on_figure(seen[rho, name][0])
    print(f"{rho:<4} {name:8}{on_figure[rho, name][0]:11.0%}{on_figure[rho, name][1]:10.0%}")
seed_everything(SEED)
for name, build in BUILD.items():  # what do nets that have learned nothing show?
    on_figure["fresh", name] = evidence_on_figure(build())
    print("{:<4} {:8}{:11.0%}{:10.0%}".format("none", name, *on_figure["fresh", name]))

# %% tags=["nbval-ignore-output"]
expect(
    on_figure[0.9, "convnet"][0] > on_figure[0.9, "MLP"][0] + 0.04,
    "By occlusion, at 0.9 more of the convnet's evidence lies on the figure than of the MLP's.",
    trained=True,
)

# %% tags=["nbval-ignore-output"]
for column, kind in enumerate(("occlusion", "saliency")):
    dense, conv = ({rho: on_figure[rho, name][column] for rho in (0.0, 0.9, 1.0)} for name in BUILD)
    expect(
        dense[1.0] < dense[0.0] - 0.05,
        f"By {kind}, less of the MLP's evidence lies on the figure at 1 than at 0.",
        trained=True,
    )
    expect(
        conv[1.0] < conv[0.0] - 0.05,
        f"By {kind}, the same is true of the convnet's evidence.",
        trained=True,
    )

# %% control="untrained weights"
refute(
    on_figure["fresh", "convnet"][0] > on_figure["fresh", "MLP"][0] + 0.04,
    "By occlusion, at 0.9 more of the convnet's evidence lies on the figure than of the MLP's.",
)
for column, kind in enumerate(("occlusion", "saliency")):
    dense, conv = ([evidence_on_figure(build())[column] for _ in "ab"] for build in BUILD.values())
    refute(
        dense[0] < dense[1] - 0.05,
        f"By {kind}, less of the MLP's evidence lies on the figure at 1 than at 0.",
    )
    refute(conv[0] < conv[1] - 0.05, f"By {kind}, the same is true of the convnet's evidence.")

# %% [markdown]
# So which model is more **interpretable**, that is, easier to understand? By occlusion, the
# convnet: more of what it relies on is what we would point at. By saliency the convnet is ahead,
# too. But look at the last two rows of the table: there it is ahead *before it has learned
# anything*. So part of its lead comes from the architecture, not from learning. You may therefore
# use saliency to compare an architecture with itself, trained at 0 and at 1, but not to decide
# which of two architectures has learned more about the figure. And note the limits of all these
# maps:
#
# - They show where the evidence is, not *what* it is. A map that is strongest on the object does
#   not prove that the model knows the object: the model may use only the object's colour.
# - Even for the best of our models, most of the gradient lies outside the figure. Saliency is a
#   noisy measure. Some prettier maps hardly change at all when the model's weights are replaced by
#   random ones (Adebayo et al. 2018). Test a method on models for which you already know the
#   answer, as we just did.
# - A covered patch is itself something that the model has never seen, so it may change the
#   prediction for that reason alone.

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("02_why_not_mlps")

# %% [markdown]
# ## What to remember
#
# - Flattening an image discards which pixels were neighbours. An MLP does not notice a fixed
#   shuffle of the pixels.
# - A fully connected layer has a weight for every pair of input and output: with as many outputs as
#   inputs, memory grows with the square of the number of pixels. Sharing weights saves parameters,
#   not arithmetic.
# - What an MLP learns in one place it can hardly use in another. It overfits instead.
# - A convnet's assumptions, locality and sharing, are an inductive bias: good on images, bad on
#   shuffled ones.
# - A validation set cannot reveal a spurious correlation that it shares with the training set.
#   Break the correlation on purpose.
# - Occlusion and saliency say where the evidence lies, not what it is. Test them on models for
#   which you already know the answer.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. An MLP does not notice a fixed shuffle of the pixels. Is that a weakness or a strength? Name a
#    kind of data for each answer.
# 2. When is the background honest evidence, and when is it cheating?
# 3. You have to explain a decision of one of these models to the person it affects. Which of the
#    maps would you show, and what would you say about it?

# %% [markdown]
# ## Further reading
#
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals: *Understanding deep learning requires
#   rethinking generalization.* ICLR 2017.
# - R. Geirhos et al.: *Shortcut learning in deep neural networks.* Nature Machine Intelligence 2,
#   2020.
# - S. Beery, G. Van Horn, P. Perona: *Recognition in terra incognita.* ECCV 2018.
# - K. Xiao, L. Engstrom, A. Ilyas, A. Madry: *Noise or signal: The role of image backgrounds in
#   object recognition.* ICLR 2021.
# - M. D. Zeiler, R. Fergus: *Visualizing and understanding convolutional networks.* ECCV 2014.
#   Occlusion is in section 4.2.
# - K. Simonyan, A. Vedaldi, A. Zisserman: *Deep inside convolutional networks: Visualising image
#   classification models and saliency maps.* arXiv 1312.6034, 2013.
# - J. Adebayo et al.: *Sanity checks for saliency maps.* NeurIPS 2018.
#
# **Exercise** {exercise}
#
# **Next** Lesson 03 builds locality and sharing into a fully connected layer, in two steps.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | multilayer perceptron (MLP) | 다층 퍼셉트론 | a network of fully connected layers |
# | fully connected layer | 완전 연결 층 | every output has a weight for every input |
# | overfitting | 과적합 | fitting the training images instead of what they have in common |
# | inductive bias | 귀납 편향 | what a model assumes before it has seen any data |
# | object feature | 객체 특징 | what belongs to the object itself |
# | context feature | 문맥 특징 | what tends to appear with the object |
# | spurious correlation | 가짜 상관 관계 | a correlation that holds in the data but not in the world |
# | interpretability | 해석 가능성 | how well people can understand a model's predictions |
# | occlusion | 가림 | covering part of an image |
# | saliency | 돌출성 | how much a small change in each pixel changes the logit |
