# %% [markdown]
# # 00 · Start here
#
# Welcome. In this course you build the networks that taught computers to see, from the first pixel
# to DenseNet, train each of them on your own machine, and look inside.
#
# **After this lesson you can**
# - run a notebook of this course and know that your machine is ready;
# - train a small convnet and let it classify a picture;
# - work with predictions, quizzes and exercises the way the course means them.
#
# **Time** 15 minutes.
#
# **You need** Python, a little PyTorch (what a tensor is, what `backward()` does), and no GPU. After
# the set-up, nothing here needs a network.

# %% [markdown]
# ## How to run a cell
#
# Click into the grey cell below and press **Shift + Enter**. It runs, and the next cell is selected.
# The menu *Run → Run All Cells* runs a whole lesson. If things get stuck, *Kernel → Restart Kernel*
# begins anew; nothing on disk is lost.

# %%
2 + 3

# %% [markdown]
# ## Is this machine ready?
#
# The doctor looks at your machine and says whether all is ready, and what to do if not. It changes
# nothing and asks no network.

# %% tags=["nbval-ignore-output"]
from course_utils.doctor import doctor

doctor()

# %% [markdown]
# A click on *What was looked at* shows the rest. The lessons adapt to your machine by a
# **profile**: `laptop` without a GPU (each lesson trains for at most three minutes), `full` with one,
# `quick` for a fast look at everything. To choose yourself, set the environment variable
# `COURSE_PROFILE` before you start JupyterLab.

# %% [markdown]
# ## A picture classified in a minute
#
# Twelve thousand small pictures of clothes come with the course. Here are ten of them, one of each
# class:

# %%
import torch

from course_utils import data, models
from course_utils.plots import LivePlot, plot_images, plot_prediction, show
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
    "Ten grey pictures of 28 by 28 pixels, one for each class of clothing",
)

# %% [markdown]
# Now a small convnet, LeNet-5. You will build it yourself in lesson 07. It starts with random
# weights, so it can only guess.
#
# **Predict, then run.** There are ten classes, equally many pictures of each. Which accuracy does a
# guessing model have?

# %% tags=["nbval-ignore-output"]
model = models.build("lenet5", in_channels=1, num_classes=10).to(choose_device())
print(f"before training: {evaluate(model, loaders.val).accuracy:.0%} right")

# %% tags=["nbval-ignore-output"]
config = TrainConfig(epochs=settings.epochs, lr=settings.lr)
history = fit(model, loaders, config, on_epoch_end=[LivePlot("LeNet-5")])
print(f"{history.seconds:.0f} seconds")

# %% [markdown]
# The left curve, the **loss**, says how wrong the model is; the right one how often it is right. Both
# come in two lines: pictures it learns from, and pictures it has never seen.

# %% tags=["nbval-ignore-output"]
result = evaluate(model, loaders.test)
print(f"after training: {result.accuracy:.0%} of {loaders.test.num_images} new pictures right")
expect(
    result.accuracy > 0.75,
    "More than 75 % of the new images are classified correctly.",
    trained=True,
)

# %% [markdown]
# And one single picture. Change the number and run the cell again; is the model ever surely wrong?

# %%
number = one_of_each[5]  # any number from 0 to 1999
images, labels = zip(*loaders.test, strict=True)
with torch.no_grad():
    probabilities = model(torch.cat(images)[number : number + 1]).softmax(dim=1)[0]  # (10,)
show(
    plot_prediction(loaders.test.images[number], probabilities, classes),
    f"A picture of the class {classes[loaders.test.labels[number]]}, beside bars with the model's "
    "probability for each class",
)

# %% [markdown]
# That is the whole way from pixels to an answer. The rest of the course explains every step of it.

# %% [markdown]
# ## How the lessons work
#
# - **Predict, then run.** Where you read these words, stop. Write your guess down, then run the cell.
#   A wrong guess is the moment in which you learn most.
# - **Change things.** Every cell is yours. To get a lesson back as it was, see the README.
# - **`expect(...)`** is how a lesson checks its own claims: if what the text says were false on your
#   machine, the cell would fail.
# - **Folded answers** are for you alone: answer first, then open. There is one below.
# - **Pop quizzes** stand at the end of the lessons from 01 on. Each answer is marked at once, and kept.
# - **Exercises** are notebooks of their own, in the folder `exercises`. Their checks tell you what is
#   wrong, not only that something is. In a graded course you hand in the same notebook.
# - Pictures have a text for readers who cannot see them, and colours that colour-blind readers can
#   tell apart.
#
# **A question, to try one out:** a lesson claims "this model reaches 90 %", and its cell with `expect`
# fails on your machine. What do you know?
#
# <details><summary>Answer</summary>
#
# That the claim does not hold *here*: perhaps you changed a cell above, perhaps the number of epochs is
# too small in the profile you chose, perhaps the lesson is wrong. You do not know that your machine is
# broken. Restart the kernel, run all cells, and if it still fails, tell the authors.
# </details>

# %% [markdown]
# ## Where to go
#
# | lessons | what they are about |
# |---|---|
# | [01](01_image_tensors.ipynb) | what a picture is to a computer |
# | [02](02_why_not_mlps.ipynb) | why not MLPs: shuffled pixels, shifts, backgrounds |
# | [03](03_convolution.ipynb) | from a dense layer to a convolution; what filters do |
# | [04](04_stride_padding_pooling.ipynb) | stride, padding, pooling, receptive fields |
# | [05](05_channels_and_parameters.ipynb) | channels, parameters, multiply-adds |
# | [06](06_equivariance_and_fourier.ipynb) | what a shift does; filters as frequencies |
# | [07](07_lenet.ipynb) | LeNet, and the training loop by hand |
# | [08](08_alexnet.ipynb), [09](09_vgg.ipynb), [10](10_googlenet.ipynb) | AlexNet, VGG, GoogLeNet: deeper, and why that worked |
# | [11](11_normalization.ipynb), [12](12_going_deeper.ipynb) | normalisation; plain nets that get worse the deeper they are, Highway |
# | [13](13_resnet.ipynb), [14](14_densenet.ipynb) | ResNet, DenseNet: deeper still |
# | [15](15_showdown.ipynb) | everything side by side, and your own photos |
#
# In a workshop of two hours, do 00, 01 and 07.
#
# **Next** [01 · Image tensors](01_image_tensors.ipynb)
#
# ## What to remember
#
# - Shift + Enter runs a cell; predict before you do.
# - `doctor()` says whether the machine is ready and what to do if not.
# - Everything in the first hour works without a network.
