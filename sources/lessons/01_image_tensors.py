# %% [markdown]
# # 01 · Image tensors
#
# **After this lesson you can**
# - read the shape, dtype and value range of an image, and say what each axis means;
# - move between the three orders HWC, CHW and NCHW without garbling the image;
# - convert an image to grey with weights that match the eye, normalise it, and stack images into a
#   batch;
# - say what classification, localisation, detection and segmentation each ask about an image.
#
# **Time** 30 minutes. Nothing is trained here.
#
# **Builds on** Python, and the first page of any PyTorch tutorial: you know what a tensor is.

# %% [markdown]
# ## The question
#
# You look at a photo and see a person in a uniform. What does a network see? Every lesson of this
# course builds on the answer, and many bugs start there: a wrong axis order may raise no error and
# merely make the model worse.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image

from course_utils import data
from course_utils.plots import plot_channels, plot_images, plot_pixels, plot_tasks, show
from course_utils.runtime import expect, seed_everything

# %% [markdown]
# ## A photo is a block of numbers
#
# matplotlib ships a sample photo: a portrait of Grace Hopper, the naval officer who built one of
# the first compilers. We read it as most programs do, into an array.

# %%
photo = plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False))
print("type: ", type(photo).__name__, "of", photo.dtype)
print("shape:", photo.shape)
print("range:", photo.min(), "to", photo.max())

# %% [markdown]
# The photo has 600 rows, 512 columns, and three numbers for each pixel: how much red, green and
# blue light it has. Each of the three is a whole number from 0 (none) to 255 (full), so it fits
# into one byte: `uint8`. Here are the red values of a few pixels at the rim of the glasses. The
# lowest of these values is drawn black, the highest white:

# %%
patch = torch.tensor(photo[230:238, 210:222, 0])  # (8, 12): rows, columns; channel 0 is red
show(
    plot_pixels(patch, "red channel, rows 230 to 237, columns 210 to 221"),
    "A grid of eight by twelve pixels with their values: the brighter the cell, the higher its "
    "value",
)

# %% [markdown]
# ## Rows first: which number is the width?
#
# **Predict, then run.** People say "a 1080 × 720 photo" and mean 1080 wide, 720 high. What shape
# does its array have: `(1080, 720, 3)` or `(720, 1080, 3)`?

# %%
wide = Image.new("RGB", (1080, 720))  # PIL, like people, says (width, height)
array = np.asarray(wide)
print("PIL says     ", wide.size)
print("the array has", array.shape)

# %% [markdown]
# An array is indexed like a matrix, rows first: (height, width). Lecture slides that turn
# "1080 × 720" into a tensor of shape (3, 1080, 720) swap the two. The correct shape is **(3, 720,
# 1080)**.

# %% [markdown]
# ## Three orders of the axes
#
# | order | who uses it | shape of our photo |
# |---|---|---|
# | HWC | most programs that read or draw images: PIL, OpenCV, matplotlib | (600, 512, 3) |
# | CHW | one image in PyTorch | (3, 600, 512) |
# | NCHW | a batch of N images in PyTorch | (1, 3, 600, 512) |
#
# `permute` changes the order of the axes. Here the channels move to the front, followed by rows and
# columns as before:

# %%
image = torch.tensor(photo).permute(2, 0, 1)  # (3, 600, 512)
batch = image[None]  # (1, 3, 600, 512)
print(tuple(image.shape), tuple(batch.shape))
same = all(image[c].equal(torch.tensor(photo[:, :, c])) for c in range(3))
expect(same, "Each value is where it belongs.")

# %% [markdown]
# **Predict, then run.** `reshape(3, 600, 512)` returns the same shape. Is the result the same
# photo?

# %%
garbled = torch.tensor(photo).reshape(3, 600, 512)
show(
    plot_images([image, garbled], ["permute", "reshape"], size=2.6),
    "On the left the photo, on the right what reshape makes of it: coloured stripes in which the "
    "face is hard to find",
)

# %% [markdown]
# `reshape` keeps the numbers in their order in memory and only divides them into rows differently.
# Three neighbours in memory, one pixel's red, green and blue, become three pixels of one channel.
# There is no error and the shape is right, but the image is wrong. **Look at what you feed a
# network before you train it.**

# %% [markdown]
# ## uint8 or float?
#
# Files hold bytes; networks compute with floats. Arithmetic with bytes has a trap.
#
# **Predict, then run.** Make a pixel of value 200 brighter by 100. What do you get?

# %%
pixel = torch.tensor(200, dtype=torch.uint8)
print("uint8:      200 + 100 =", (pixel + 100).item())
print("float:      200 + 100 =", (pixel.float() + 100).item())
print("float:      200 / 255 =", round((pixel / 255).item(), 3))

# %% [markdown]
# A byte wraps around at 256, so what should be white turns dark. In this course images are *stored*
# as `uint8` from 0 to 255, which takes a quarter of the memory of `float32`. To *compute* with
# them, we divide them by 255, which gives `float32` from 0 to 1.

# %%
as_float = image / 255  # (3, 600, 512), float32 in [0, 1]
for name, tensor in (("uint8", image), ("float32", as_float)):
    megabytes = tensor.nbytes / 1e6
    print(f"{name:8} {megabytes:5.2f} MB, from {tensor.min():g} to {tensor.max():g}")

# %% [markdown]
# ## Channels
#
# Here is the photo again, followed by its three channels, each drawn in grey:

# %%
show(
    plot_channels(image),
    "The photo beside its red, green and blue channels: the red stripes of the flag are bright in "
    "the red channel and dark in the other two",
)

# %% [markdown]
# Each channel is an image of its own. Look at the flag: its red stripes are bright in the red
# channel and dark in the other two; its white stripes are bright in all three. The later layers of
# a network have channels, too, but these stand for patterns that the network has learned, not for
# colours.
#
# Some libraries, OpenCV among them, store blue first. Nothing warns you when you mix up the two
# orders:

# %%
show(
    plot_images([image, image.flip(0)], ["RGB", "the same bytes, read as BGR"], size=2.2),
    "The photo in its true colours, and with red and blue swapped: the face looks blue",
)

# %% [markdown]
# ## What if we average the channels?
#
# The mean of the channels, $(R + G + B)/3$, is a grey image. That is simple, but the eye does not
# weight the three equally: it is most sensitive to green and least to blue. The television standard
# BT.601 therefore gives each channel its own weight:
#
# $$Y = 0.299\,R + 0.587\,G + 0.114\,B$$
#
# **Predict, then run.** Take pure red, pure green, pure blue and yellow. Which of them can the mean
# tell apart?

# %%
WEIGHTS = torch.tensor([0.299, 0.587, 0.114])  # red, green, blue; they sum to 1
colours = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
for name, rgb in colours.items():
    rgb = torch.tensor(rgb).float()  # (3,)
    print(f"{name:7} mean {rgb.mean():.3f}   luminance {rgb @ WEIGHTS:.3f}")

# %% [markdown]
# So a pure red disc on pure green should vanish in the mean:

# %%
down, across = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")  # (60, 60)
disc = (down - 30) ** 2 + (across - 30) ** 2 < 18**2
signal = torch.stack([disc.float(), 1 - disc.float(), torch.zeros(60, 60)])  # (3, 60, 60)
mean_grey = signal.mean(dim=0, keepdim=True)  # (1, 60, 60)
weighted = WEIGHTS[:, None, None] * signal  # (3, 60, 60): each channel times its weight
luminance = weighted.sum(dim=0, keepdim=True)  # (1, 60, 60)
show(
    plot_images([signal, mean_grey, luminance], ["colour", "mean", "luminance"], size=1.9),
    "A red disc on green; as the mean of its channels, a uniform grey; and as luminance, a dark "
    "disc on a lighter background",
)
expect(mean_grey.min() == mean_grey.max(), "The mean shows no disc.")

# %% [markdown]
# The mean gives red, green and blue the same grey. The weighted sum tells these three apart, but
# it, too, replaces three numbers with one and so discards colour. (Strictly speaking, luminance is
# a weighted sum of amounts of *light*. Image files store gamma-encoded values, and their weighted
# sum is called *luma*.) Whether the loss of colour matters depends on the task: a network that has
# to find ripe tomatoes should get all three channels. Most convnets do.

# %% [markdown]
# ## Normalisation
#
# A network usually trains more easily when its inputs have a mean near zero and a standard
# deviation near one. So we subtract each channel's **mean** $\mu_c$ and divide by its **standard
# deviation** $\sigma_c$:
#
# $$x' = \frac{x - \mu_c}{\sigma_c}$$
#
# Both are measured once for each channel, on the *training* images, and then used for *every*
# image, test images included. Here they are for the images of clothes that come with the course:

# %%
loaders = data.load("fashion_mnist_mini", batch_size=64, generator=seed_everything(0))
pixels = loaders.train.images / 255  # (9000, 1, 28, 28), float in [0, 1]
mean, std = pixels.mean(), pixels.std()
print(f"measured: mean {mean:.4f}, standard deviation {std:.4f}")
print(f"loaders : mean {loaders.info.mean[0]:.4f}, standard deviation {loaders.info.std[0]:.4f}")
expect(
    abs(mean - loaders.info.mean[0]) < 1e-4,
    "The loaders normalise with the mean of the training images.",
)

# %% [markdown]
# **Predict, then run.** What, roughly, are the mean and the range of a normalised batch? Is the
# mean exactly zero?

# %%
images, labels = next(iter(loaders.val))  # (64, 1, 28, 28) and (64,)
print(f"mean {images.mean():.2f}, from {images.min():.2f} to {images.max():.2f}")
restored = loaders.info.denormalise(images)  # back to [0, 1], for people to look at
print(f"restored: from {restored.min():.2f} to {restored.max():.2f}")

# %% [markdown]
# The mean is only close to zero: the constants come from the whole training set, and this is one
# batch of the validation set. If we normalised each batch by its own mean, the same image would
# look different to the network depending on the other images in its batch.

# %% [markdown]
# ## Batches
#
# A network processes many images at once, stacked along a new first axis N. They must all have the
# same size, so photos are resized and cropped first.

# %%
titles = [loaders.info.classes[label] for label in labels[:10]]
show(
    plot_images(restored[:10], titles, num_columns=5, size=1.25),
    "The first ten grey images of a batch, each with its class as a title",
)
print("images:", tuple(images.shape), images.dtype)
print("labels:", tuple(labels.shape), labels.dtype)

# %% [markdown]
# **Predict, then run.** A typical ImageNet batch holds 256 colour images of 224 × 224 pixels. How
# many megabytes does it take as `float32`?

# %%
numbers = 256 * 3 * 224 * 224
print(
    f"{numbers:,} numbers: {numbers / 1e6:.1f} MB as uint8, {4 * numbers / 1e6:.1f} MB as float32"
)

# %% [markdown]
# ## An image of our own, and four questions about it
#
# We can also *make* an image. Two coordinate grids hold the row and the column of each pixel; a
# condition on row and column describes a shape.

# %%
rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")  # (96, 96)
ball = (rows - 62) ** 2 + (columns - 30) ** 2 < 20**2
box = (rows - 30).abs().maximum((columns - 66).abs()) < 15
tent = (rows < 88) & (rows - 58 > 2 * (columns - 74).abs())
scene = torch.stack([0.45 + rows / 400, 0.62 + rows / 500, 0.80 - rows / 300])  # (3, 96, 96)
for mask, colour in ((ball, (0.84, 0.37, 0)), (box, (0, 0.45, 0.70)), (tent, (0, 0.62, 0.45))):
    scene[:, mask] = torch.tensor(colour)[:, None]

# %%
show(
    plot_tasks(scene, {"ball": ball, "box": box, "tent": tent}),
    "A scene with a ball, a box and a tent, four times: with one label for the whole image, with "
    "one box around the ball, with a labelled box around each object, and with every pixel "
    "coloured by class",
)

# %% [markdown]
# | task | question | what the model outputs |
# |---|---|---|
# | **classification** | what is in the image? | K logits |
# | **localisation** | what is it, and where? (one object) | K logits, and 4 numbers for a box |
# | **detection** | what and where is each object? | any number of pairs (class, box) |
# | **segmentation** | which class does each pixel belong to? | (K, H, W) logits |
#
# This course is about classification. The other three build on it: their networks often start with
# the convolutional layers of a classifier, called the **backbone**. A **logit** is a class's score
# before the softmax, so K classes have K logits: the higher the logit, the more probable the class.
#
# The background does not belong to any object. But a model sees all pixels, so it may rely on the
# background as well, and go wrong wherever the usual background is missing. Lesson 02 takes this
# up.

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("01_image_tensors")

# %% [markdown]
# ## Try it yourself
#
# Brighten the photo by 60 without letting it wrap around, then turn it into a batch of one image,
# as floats from 0 to 1. Replace the line below; the cell after it checks your result.

# %%
brightened = image[None] / 255  # your code here: (1, 3, 600, 512), float in [0, 1]

# %%
if brightened.shape != (1, 3, 600, 512) or not brightened.is_floating_point():
    print(f"shape {tuple(brightened.shape)}, {brightened.dtype}: expected (1, 3, 600, 512), float")
elif not 0 <= brightened.min() <= brightened.max() <= 1:
    print(f"from {brightened.min():.2f} to {brightened.max():.2f}: expected values within [0, 1]")
elif torch.allclose(brightened[0], (image.float() + 60).clamp(0, 255) / 255):
    print("correct")
else:
    print("not yet: each value should be 60/255 higher, but none may exceed 1")

# %% [markdown]
# <details><summary>A solution</summary>
#
# `brightened = ((image.float() + 60).clamp(max=255) / 255)[None]`
# </details>

# %% [markdown]
# ## What to remember
#
# - An image in PyTorch has shape (C, H, W), a batch (N, C, H, W). Height comes before width.
# - `permute` moves axes; `reshape` in its place garbles the image. Look at your input.
# - Store `uint8`, compute with `float32`; convert before you add.
# - Normalise each channel with the training set's mean and standard deviation, at test time as
#   well.
# - Converting to grey discards colour; a weighted sum of the channels keeps roughly the brightness
#   that the eye sees.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Is there a task for which grey images are better than colour ones? How would you find out?
# 2. A photo shows a dog on a sofa. Who decides what its label is, and what does a model learn from
#    that decision?
# 3. If you normalised each image by its own mean and standard deviation, you would remove its
#    brightness and contrast. For which task would you need to keep them?

# %% [markdown]
# ## Further reading
#
# - Recommendation ITU-R BT.601: the weights of red, green and blue in the luminance signal.
# - O. Russakovsky et al.: *ImageNet Large Scale Visual Recognition Challenge*. International
#   Journal of Computer Vision 115, 2015. A competition in three of the tasks above.
# - H. Xiao, K. Rasul, R. Vollgraf: *Fashion-MNIST*. arXiv 1708.07747, 2017.
#
# **Exercise** {exercise}
#
# **Next** Lesson 02 asks why we do not simply feed all those numbers to an MLP.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | pixel | 픽셀, 화소 | one cell of an image's grid |
# | channel | 채널 | one number for every pixel: red, green, blue, or a learned feature |
# | batch | 배치 | several images that are processed together |
# | luminance | 휘도 | brightness as the eye weighs it |
# | normalisation | 정규화 | shifting and scaling to mean 0 and standard deviation 1 |
# | classification | 분류 | predicting the class of an image |
# | localisation | 위치 추정 | predicting the class of one object and where it is |
# | detection | 객체 검출 | predicting the class and box of every object |
# | segmentation | 분할 | predicting the class of every pixel |
