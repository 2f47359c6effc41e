# %% [markdown]
# # 00 · Start here
#
# Welcome. In this course you build the networks that taught computers to see, from LeNet to
# DenseNet, train each of them, or a smaller version, on your own machine, and look inside.
#
# **After this lesson you can**
# - run a notebook of this course and check that your machine is ready;
# - train a small convnet and use it to classify an image;
# - use predictions, quizzes and exercises as intended.
#
# **Time** 15 minutes.
#
# **You need** Python, a little PyTorch (what a tensor is, what `backward()` does), and no GPU.
# After the set-up, nothing here needs an internet connection.

# %% [markdown]
# ## How to run a cell
#
# Click into the grey cell below and press **Shift + Enter**. It runs, and the next cell is
# selected. The menu *Run → Run All Cells* runs a whole lesson. If a cell gets stuck, *Kernel →
# Restart Kernel* starts over; nothing on disk is lost.
#
# The cell shows a garment in only 28 × 28 pixels. What kind of garment is it?

# %%
from course_utils import data
from course_utils.plots import plot_images, show

garments = data.load("fashion_mnist_mini", batch_size=64)
number = int((garments.test.labels == 6).nonzero()[3])
show(
    plot_images([garments.test.images[number]], size=1.8), "A small, coarse grey image of a garment"
)

# %% [markdown]
# **Predict, then run.** Write down your guess, then run the next cell for the answer.

# %%
print(f"It is labelled {garments.info.classes[6]!r}.")

# %% [markdown]
# At 28 × 28 pixels, a T-shirt would have been a fair guess, too. Further down, a network answers
# this question for two thousand such images.

# %% [markdown]
# ## Is this machine ready?
#
# `doctor()` checks your machine. It says whether everything is ready and, if not, what to do. It
# changes nothing and stays offline.

# %% tags=["nbval-ignore-output"]
from course_utils.doctor import doctor

doctor()

# %% [markdown]
# Click on *What was checked* to see the details. The lessons adapt to your machine through a
# **profile**: `laptop` without a GPU (each lesson trains for a few minutes at most), `full` with a
# GPU, `quick` for a fast look at everything. To choose one yourself, set the environment variable
# `COURSE_PROFILE` before you start JupyterLab.

# %% [markdown]
# ## An image classified in a minute
#
# The course comes with 12,000 small images of clothes. Here are ten of them, one from each class:

# %%
import torch

from course_utils import models
from course_utils.plots import LivePlot, plot_prediction
from course_utils.runtime import choose_device, expect, profile, seed_everything
from course_utils.training import TrainConfig, evaluate, fit

# %%
settings = profile("00_start_here")
loaders = data.load(
    settings.data,
    batch_size=settings.batch_size,
    device=choose_device(),
    generator=seed_everything(0),
    limit=settings.limit or None,
)
classes = loaders.info.classes
one_of_each = [int((loaders.test.labels == k).nonzero()[0]) for k in range(len(classes))]
show(
    plot_images(loaders.test.images[one_of_each], classes, num_columns=5, size=1.2),
    "Ten grey images of 28 by 28 pixels, one for each class of clothing",
)

# %% [markdown]
# Next comes a small convnet, LeNet-5, which you will build yourself in lesson 07. It starts with
# random weights, so it can only guess.
#
# **Predict, then run.** All ten classes have the same number of images. What accuracy does a model
# reach by guessing?

# %% tags=["nbval-ignore-output"]
model = models.build("lenet5", in_channels=1, num_classes=10).to(choose_device())
print(f"before training: {evaluate(model, loaders.val).accuracy:.0%} correct")

# %% tags=["nbval-ignore-output"]
config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
history = fit(model, loaders, config, on_epoch_end=[LivePlot("LeNet-5")])
print(f"{history.seconds:.0f} seconds")

# %% [markdown]
# On the left you see the **loss**, which says how wrong the model is, and on the right its
# **accuracy**, the share of images that it classifies correctly. Both are drawn for each **epoch**,
# in which the model sees every training image once. Each plot has two lines: *training* for the
# images that the model learns from, and *validation* for images that it never learns from. At
# first the training line may look worse: it is an average over the whole epoch, during which the
# model improves, while validation is measured at the end of the epoch.

# %% tags=["nbval-ignore-output"]
result = evaluate(model, loaders.test)
print(f"after training: {result.accuracy:.0%} of {loaders.test.num_images} new images correct")
expect(
    result.accuracy > 0.75,
    "More than 75 % of the new images are classified correctly.",
    trained=True,
)

# %% control="untrained weights"
untrained = models.build("lenet5", in_channels=1, num_classes=10).to(choose_device())
guessed = evaluate(untrained, loaders.test)
refute(guessed.accuracy > 0.75, "More than 75 % of the new images are classified correctly.")

# %% [markdown]
# Now look at a single image. Change `number` and run the cell again. Can you find an image on which
# the model is confident but wrong?

# %%
number = one_of_each[5]  # or any other number below loaders.test.num_images
images = torch.cat([batch for batch, _ in loaders.test])  # (N, 1, 28, 28), as the model needs them
with torch.no_grad():
    probabilities = model(images[number : number + 1]).softmax(dim=1)[0]  # (10,)
show(
    plot_prediction(loaders.test.images[number], probabilities, classes),
    f"An image of the class {classes[loaders.test.labels[number]]}, beside bars that show the "
    "model's probability for each class",
)
print(f"It is labelled {classes[loaders.test.labels[number]]!r}.")

# %% [markdown]
# That is the whole path from pixels to a prediction. The rest of the course explains every step.

# %% [markdown]
# ## How the lessons work
#
# - **Predict, then run.** Where you read these words, stop. Write down your guess, then run the
#   cell. You learn most from a guess that turns out wrong.
# - **Change things.** Every cell is yours to edit. The README says how to get the original back.
# - **`expect(...)`** is how a lesson checks its own claims: if what the text says is false on your
#   machine, the cell fails. (The profile `quick` trains too little for claims about trained models,
#   so it does not check them.)
# - **Folded answers** are for checking yourself: answer first, then open them. There is one below.
# - **Pop quizzes** come at the end of each lesson from 01 on. Each answer is marked at once and
#   saved.
# - **Exercises** are notebooks of their own, in the folder `exercises`. Their checks tell you what
#   is wrong, not just that something is. In a graded course you hand in the same notebook.
# - Every figure has a description for readers who cannot see it, and colours that colour-blind
#   readers can tell apart.
#
# **A question to try out:** a lesson claims "this model reaches 90 %", and its cell with `expect`
# fails on your machine. What does that tell you?
#
# <details><summary>Answer</summary>
#
# That the claim does not hold *here*. Perhaps you changed or skipped a cell above, perhaps the
# model trained a little differently on your machine, or perhaps the lesson is wrong. It does not
# tell you that your machine is broken. Restart the kernel and run all cells. If the cell still
# fails, tell the authors.
# </details>

# %% [markdown]
# ## Where to go
#
# | lessons | what they are about |
# |---|---|
# | [01](01_image_tensors.ipynb) | what a computer sees in an image |
# | [02](02_why_not_mlps.ipynb) | why not MLPs: shuffled pixels, shifts, backgrounds |
# | [03](03_convolution.ipynb) | from a dense layer to a convolution; what filters do |
# | [04](04_stride_padding_pooling.ipynb) | stride, padding, pooling, receptive fields |
# | [05](05_channels_and_parameters.ipynb) | channels, parameters, multiply-adds |
# | [06](06_equivariance_and_fourier.ipynb) | what happens to the maps when the image moves; filters and frequencies |
# | [07](07_lenet.ipynb) | LeNet, and the training loop by hand |
# | [08](08_alexnet.ipynb), [09](09_vgg.ipynb), [10](10_googlenet.ipynb) | AlexNet, VGG, GoogLeNet: deeper nets, and why they worked |
# | [11](11_normalization.ipynb), [12](12_going_deeper.ipynb) | normalisation; plain nets that get worse as they get deeper; highway networks |
# | [13](13_resnet.ipynb), [14](14_densenet.ipynb) | ResNet, DenseNet: deeper still |
# | [15](15_showdown.ipynb) | everything side by side, and your own photos |
#
# In a two-hour workshop, do 00, 01 and 07.
#
# **Next** [01 · Image tensors](01_image_tensors.ipynb)
#
# ## What to remember
#
# - Shift + Enter runs a cell; predict before you do.
# - `doctor()` says whether your machine is ready and, if not, what to do.
# - After the set-up, you can work offline.
#
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. A model classifies 85 % of the images correctly. What would convince you that it knows what a
#    shirt is?
# 2. Which of the model's mistakes would worry you most if a shop used it, and do they show in its
#    accuracy?
