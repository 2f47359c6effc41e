# %% [markdown]
# # 04 · Stride, padding and pooling
#
# **After this lesson you can**
# - compute the output size of any convolution or pooling layer, and say what rounding down
#   discards;
# - choose the padding that keeps the size, and say what the zeros do to the border;
# - recompute a worked example, and notice when a printed one is wrong;
# - say what pooling keeps, and when you may swap activation and pooling;
# - compute the receptive field of a stack layer by layer, and measure it.
#
# **Time** 60 minutes; 45 if you leave out the sections marked ◇, which you may skip on a first
# reading. Nothing is trained here.
#
# **Builds on** 03 (convolution).

# %% [markdown]
# ## The question
#
# On an image of 28 × 28 pixels a 3 × 3 filter has room for 26 × 26 windows. The next filter gets
# 26 × 26 and leaves 24 × 24. **Predict, then run.** How many such layers can you stack?

# %%
import warnings

import matplotlib.pyplot as plt
import torch
from matplotlib.cbook import get_sample_data
from torch import nn
from torch.nn import functional as F

from course_utils import facts
from course_utils.arithmetic import output_size
from course_utils.kernels import named_kernel
from course_utils.plots import plot_grids, plot_images, plot_window, show
from course_utils.runtime import expect

# %%
sizes = [28]
while sizes[-1] >= 3:
    sizes.append(sizes[-1] - 2)
print(" → ".join(map(str, sizes)))
expect(len(sizes) - 1 == 13, "13 layers fit, and the next one has no room for a window.")

# %% [markdown]
# So maps shrink although nobody asked for that. At the same time a network sees too little: one
# output of one layer depends on 3 × 3 pixels, and a shoe is 28 pixels wide. This lesson is about
# three tools that solve both problems: **padding** stops the shrinking where it hurts; **stride**
# and **pooling** shrink maps on purpose, and later layers then see further.

# %% [markdown]
# ## A worked example
#
# The convolution of lesson 03 places the filter $f$ on a window of the input $x$, multiplies cell
# by cell, and adds up the products:
#
# $$z(i, j) = \sum_{p,q} f(p, q)\, x(i + p,\, j + q)$$
#
# Here is an example from the slides of a lecture on convnets. **Predict, then run.** Work out the
# first output on paper before you look.

# %%
image = torch.tensor(
    [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
).float()
kernel = named_kernel("Worked example")
show(
    plot_window(image, kernel),
    "A five by five input with its first three by three window framed, the filter, and the three "
    "by three output: 12 12 17, 10 17 19, 9 6 14",
)

# %% [markdown]
# Row by row, the products in the framed window add up to
#
# $$\underbrace{0 \cdot 3 + 1 \cdot 3 + 2 \cdot 2}_{7} + \underbrace{2 \cdot 0 + 2 \cdot 0 + 0 \cdot 1}_{0} +
# \underbrace{0 \cdot 3 + 1 \cdot 1 + 2 \cdot 2}_{5} = 12$$
#
# PyTorch's `conv2d` expects a batch (N, C, H, W) and filters with four axes; `[None, None]` adds
# the two that are missing.


# %%
def convolve(image: torch.Tensor, kernel: torch.Tensor, **settings) -> torch.Tensor:
    """Convolve one image (H, W) with one filter (k, k), as nn.Conv2d does: without a flip."""
    return F.conv2d(image[None, None], kernel[None, None], **settings)[0, 0]


output = convolve(image, kernel)
taught = torch.tensor(facts.get("example.plain").value)  # as printed on the slide
print(output.long())
expect(torch.equal(output, taught.float()), "The example on the slide is correct.")

# %% [markdown]
# ## Why 3? Counting the places of a window
#
# Along one axis, the input has $n$ pixels and the window covers $k$. Number the pixels from 0. A
# window that starts at $a$ ends at $a + k - 1$, and the last pixel is $n - 1$:
#
# 1. The window fits if $a + k - 1 \le n - 1$, that is, $a \le n - k$.
# 2. With a **stride** $s$ the window stops only at $a = 0, s, 2s, \dots$ The window of output $i$
#    starts at $a = s\,i$, so it fits if $s\,i \le n - k$, or $i \le (n - k)/s$.
# 3. $i$ is a whole number, so the largest is $\lfloor (n - k)/s \rfloor$: we round down.
# 4. We count from 0, so the number of outputs is one more than this largest $i$.
# 5. With a **padding** of $p$ zeros on each side, $n$ becomes $n + 2p$. (In the formula for sizes
#    $p$ is the padding; in the sums over a filter it remains the offset.)
#
# $$\boxed{\,n_\text{out} = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1\,}$$
#
# If you can test a formula, do not take it on trust. The list of start positions, the formula, and
# PyTorch must agree for *every* setting, so we try 720 of them:


# %%
def formula(n: int, k: int, s: int, p: int) -> int:
    return (n + 2 * p - k) // s + 1  # // divides and rounds down


num_settings = 0
for n, k, s, p in torch.cartesian_prod(
    torch.arange(5, 17), torch.arange(1, 6), torch.arange(1, 5), torch.arange(3)
).tolist():
    starts = range(0, n + 2 * p - k + 1, s)
    out = F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p)
    assert formula(n, k, s, p) == len(starts) == out.shape[2] == output_size(n, k, s, p)
    num_settings += 1
print(f"{num_settings} settings tried, and all three agree in each")

# %% [markdown]
# The formula applies to height and width separately, each with its own $n, k, s, p$. From here on
# we use the course's function `output_size(n, k, s, p)`, which is the same formula with error
# messages.

# %% [markdown]
# ## Stride: keep every s-th output
#
# $$z(i, j) = \sum_{p,q} f(p, q)\, x(s\,i + p,\, s\,j + q)$$
#
# Compare this with the formula further up: output $(i, j)$ with stride $s$ is output $(s\,i, s\,j)$
# without it. A stride computes nothing new. It skips outputs.

# %%
strided = convolve(image, kernel, stride=2)
print(strided.long())
expect(torch.equal(strided, output[::2, ::2]), "Stride 2 keeps every second output.")

# %% [markdown]
# But it skips them *before* they are computed, so it saves work as well: with stride 2, a large map
# has about a quarter of the windows, and takes a quarter of the multiplications.

# %% [markdown]
# ## What the floor throws away
#
# **Predict, then run.** Take an image of 6 × 6 pixels, a 3 × 3 filter and stride 2. The fraction is
# $(6 - 3)/2 = 1.5$, so there are 2 × 2 outputs. Which pixels does no window ever touch?
#
# The gradient tells us: a pixel that no output depends on has gradient 0.

# %%
x = torch.ones(6, 6, requires_grad=True)
convolve(x, torch.ones(3, 3), stride=2).sum().backward()
show(
    plot_grids([x.grad], ["windows that touch each pixel"]),
    "A grid of six by six counts: mostly 1, 2 in the third row and column, 4 where they cross, and "
    "0 in the last row and the last column",
)
expect(
    not x.grad[5].any() and not x.grad[:, 5].any(),
    "No window touches the last row or the last column.",
)

# %% [markdown]
# The remainder of the division, here 1, is the number of rows and columns that are lost, always at
# the bottom and on the right. With padding these are often only zeros. Without padding they are
# pixels, and no error message says so.
#
# Slides often print the formula as $(N - F)/\text{stride} + 1$, for $N$ pixels and a filter of size
# $F$, with neither padding nor floor. That is the special case where $p = 0$ and the stride happens
# to divide $N - F$. The best-known victim is the first layer of AlexNet, whose sizes in the paper
# do not fit together:

# %%
facts.table("alexnet.conv1_size_*")

# %%
print(facts.trap("alexnet_224_gives_55"))
print("With neither, the floor leaves", output_size(224, k=11, s=4), "positions.")

# %% [markdown]
# There is no such thing as a quarter of a position. People who rebuild AlexNet use images that are
# three pixels larger, or pad by 2 (lesson 08).

# %% [markdown]
# ## Padding: a border of zeros
#
# To keep the size at stride 1 we need $n + 2p - k + 1 = n$, so
#
# $$p = \frac{k - 1}{2}$$
#
# which is a whole number if $k$ is odd. That is one reason why filters are usually 3, 5 or 7 wide.
# Two names are common: **valid** means $p = 0$, so that windows cover real pixels only; **same**
# means the padding that keeps the size.

# %%
for k in (1, 3, 5, 7):
    valid, same = output_size(28, k), output_size(28, k, p=(k - 1) // 2)
    print(f"k = {k}: size {valid} if valid, {same} with p = {(k - 1) // 2}")

# %% [markdown]
# **Predict, then run.** What does `padding="same"` do with a 4 × 4 filter, which needs three more
# rows in total?

# %%
even = torch.arange(16.0).reshape(4, 4)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch warns that it must copy the image here
    by_name = convolve(image, even, padding="same")
by_hand = convolve(F.pad(image, (1, 2, 1, 2)), even)  # left, right, top, bottom
expect(torch.equal(by_name, by_hand), "It adds one row above and two rows below.")

# %% [markdown]
# So the output is shifted by half a pixel relative to the image. With an odd kernel size that
# cannot happen.
#
# With stride 2 the size cannot stay the same, and PyTorch refuses `padding="same"`. But the padding
# $p = (k - 1)/2$ is still useful: the output size becomes $\lceil n/s \rceil$, whatever the kernel
# size. A 3 × 3 convolution with stride 2 and padding 1 halves every even size exactly.

# %%
for n in (28, 32, 224, 7):
    sizes = [output_size(n, k, s=2, p=(k - 1) // 2) for k in (1, 3, 5, 7)]
    print(f"n = {n:3}: {sizes} for k = 1, 3, 5, 7")

# %% [markdown]
# ### The zeros are not free
#
# **Predict, then run.** Blur an image in which every pixel is 1, with weights that sum to 1 and
# padding 1. Is the result 1 everywhere?

# %%
blur = named_kernel("Gaussian 3 × 3")  # 1 2 1 / 2 4 2 / 1 2 1 over 16: sums to 1
white = torch.ones(1, 1, 5, 5)
modes = ("constant", "replicate", "reflect", "circular")
padded = [F.pad(white, (1, 1, 1, 1), mode=mode)[0, 0] for mode in modes]
show(
    plot_grids(
        [convolve(picture, blur) for picture in padded],
        [f"padding: {mode}" for mode in ("zeros", *modes[1:])],
    ),
    "Four blurred grids: with zeros the border falls to 0.75 and the corners to 0.56; with "
    "replicate, reflect and circular every cell stays 1",
)

# %% [markdown]
# Zeros are black pixels that nobody photographed, so the border gets darker. The other modes invent
# less: they repeat the edge, mirror the image, or wrap it around. Still, most networks use zeros.
# They are cheap, and the filters are learned with them in place. The price is that a network can
# tell where the border is, so its response to a pattern is not quite the same everywhere. Lesson 06
# measures that.

# %% [markdown]
# ## A printed example that is wrong ◇
#
# The example above came from a lecture. Another slide from that lecture shows the input and filter
# below, with padding 1 and stride 2. The size must be $\lfloor (5 + 2 - 3)/2 \rfloor + 1 = 3$, and
# 3 × 3 numbers are printed. Are they correct?

# %%
slide = torch.tensor(
    [[2, 2, 3, 3, 3], [0, 1, 3, 0, 3], [2, 3, 0, 1, 3], [3, 3, 2, 1, 2], [3, 3, 0, 2, 3]]
).float()
listed = torch.tensor([[2, 0, 0], [1, 0, 0], [0, 1, 1]]).float()
printed = torch.tensor(facts.get("example.padded_as_printed").value).float()
show(
    plot_grids([slide, listed, printed], ["input", "filter", "printed output"], shared=False),
    "The slide's five by five input, its filter 2 0 0, 1 0 0, 0 1 1, and its printed output 1 6 5, "
    "7 10 9, 7 10 8",
)

# %% [markdown]
# To check an example, **start with the corners**. A window in a corner is partly padding, so few
# products remain. At the bottom right the window covers the pixels 1 2 / 2 3 and, below and to the
# right of them, zeros. These pixels meet the upper left corner of the filter, 2 0 / 1 0:
#
# $$2 \cdot 1 + 0 \cdot 2 + 1 \cdot 2 + 0 \cdot 3 = 4$$
#
# The slide says 8. So something is wrong, and four products were enough to find out.

# %%
right = convolve(slide, listed, stride=2, padding=1)
show(
    plot_window(slide, listed, stride=2, padding=1, position=(2, 2)),
    "The input in its border of zeros, the last window framed at the bottom right, the filter, and "
    "the correct output: 1 5 6, 6 8 3, 0 9 4",
)
ledger = torch.tensor(facts.get("example.padded").value).float()
expect(torch.equal(right, ledger), "The listed filter gives 1 5 6 / 6 8 3 / 0 9 4.")
expect(not torch.equal(right, printed), "That is not what is printed.")

# %% [markdown]
# What went wrong? A misprint is a puzzle with few solutions, so let us search. The slide also has a
# drawing, in which small numbers show a different filter, with the first row 2 0 **1**. The filter
# could also have been rotated or flipped, or the padding or the stride could differ.

# %%
drawn = torch.tensor([[2, 0, 1], [1, 0, 0], [0, 1, 1]]).float()
for name, candidate in {"listed": listed, "drawn": drawn}.items():
    for turns in range(4):
        for flip in (False, True):
            turned = candidate.rot90(turns, (0, 1))
            turned = turned.flip(1) if flip else turned
            for stride, padding in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 2)):
                result = convolve(slide, turned, stride=stride, padding=padding)
                if torch.equal(result[:3, :3], printed):
                    print(f"{name} filter, {turns} turns, flip {flip}, stride {stride},", end=" ")
                    print(f"padding {padding}: the first 3 × 3 of {tuple(result.shape)}")

# %% [markdown]
# Of all the settings tried, only one explains all nine numbers: the drawn filter, neither rotated
# nor flipped, with padding 1 and stride **1**. So it seems that the listed filter lost an entry,
# and that the output was computed without the stride and cut to its first three rows and columns.
# Two small slips, and eight of the nine numbers on the slide are wrong.
#
# The moral: a correct size proves nothing about the numbers.

# %% [markdown]
# ## Dilation and ceil mode ◇
#
# Two more settings complete the formula. **Dilation** $d$ spreads the filter: its weights are $d$
# pixels apart, so $k$ of them cover $k' = d(k - 1) + 1$ pixels. Replace $k$ by $k'$:
#
# $$z(i) = \sum_p f(p)\, x(s\,i + d\,p) \qquad
# n_\text{out} = \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1$$
#
# **Predict, then run.** How many outputs does a 3 × 3 filter with dilation 2 have on the 5 × 5
# example?

# %%
holes = torch.zeros(5, 5)
holes[::2, ::2] = kernel  # the same nine weights, zeros between them
dilated = convolve(image, kernel, dilation=2)
print(dilated.long(), "size", output_size(5, k=3, dilation=2))
same = torch.equal(dilated, convolve(image, holes))
expect(same, "A dilated filter is a larger filter with zeros in between.")

# %% [markdown]
# Nine weights see as far as 25 would. The second setting exists only for pooling layers: with
# `ceil_mode=True` the division rounds **up**, so the last window may reach beyond the edge.

# %%
row = torch.arange(6.0)[None]  # (1, 6)
print("floor:", F.max_pool1d(row, 3, stride=2).tolist())
print("ceil: ", F.max_pool1d(row, 3, stride=2, ceil_mode=True).tolist())
for n in (6, 112):
    up = output_size(n, k=3, s=2, ceil_mode=True)
    print(f"{n} pixels: {output_size(n, k=3, s=2)} or {up} windows")

# %% [markdown]
# GoogLeNet (lesson 10) needs this: 3 × 3 pooling with stride 2 then halves the size exactly, which
# it would not do if it rounded down.

# %% [markdown]
# ## Try it: the stepper
#
# Press the play button, or the arrow keys on the output, and watch the window move. Then find
# settings for which
#
# 1. the output for the 7 × 7 image is 3 × 3, in three ways: by stride, by dilation, and by a larger
#    kernel;
# 2. the output is 7 × 7 with a 5 × 5 kernel;
# 3. rounding down loses a row and a column (the stepper tells you);
# 4. no window fits at all; use the formula to say why.

# %%
from course_utils.widgets import ConvolutionStepper

ConvolutionStepper(picture="Noise", kernel="Sobel, vertical edges", stride=2, padding=1)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. A 3 × 3 kernel with stride 2; or with dilation 2; or a 5 × 5 kernel with stride 1; all without
#    padding.
# 2. Padding 2.
# 3. For example stride 3 without padding: 7 − 3 = 4 leaves the remainder 1.
# 4. A 5 × 5 kernel with dilation 2 covers 9 pixels, and $n + 2p$ is 7 without padding.
# </details>

# %% [markdown]
# ## Pooling
#
# A pooling layer slides a window, too, but has no weights. It replaces each window with one number:
# the largest value (**max pooling**) or the mean (**average pooling**). It does so in each channel
# separately, so the number of channels stays the same. Unless you say otherwise, its stride is the
# size of its window, so windows lie side by side. The output size follows the same formula:
# $n_\text{out} = \lfloor (n - k)/s \rfloor + 1$.
#
# A window as large as the whole map leaves one number per channel. That is **global** pooling. The
# networks of lessons 10 and 13 use it before their last layer.

# %%
grid = torch.tensor([[3, -4, 1, 0], [-1, 2, -6, 4], [0, -5, 7, -2], [6, 1, -3, -8]]).float()
largest = F.max_pool2d(grid[None], 2)[0]
mean = F.avg_pool2d(grid[None], 2)[0]
show(
    plot_grids([grid, largest, mean], ["input", "max pooling", "average pooling"]),
    "A grid of four by four numbers; the maxima of its four two by two windows, 3 4 6 7; and their "
    "means, 0, minus 0.25, 0.5 and minus 1.5",
)

# %% [markdown]
# Without overlap each window is a block. To pool by hand, split height and width into two axes
# each, and take the maximum over the two that lie inside a block:

# %%
maps = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))  # (N, C, H, W)
blocks = maps.reshape(2, 3, 4, 2, 4, 2)  # (N, C, H/2, 2, W/2, 2)
largest, mean = blocks.amax(dim=(3, 5)), blocks.mean(dim=(3, 5))  # (N, C, H/2, W/2)
expect(
    torch.equal(largest, nn.MaxPool2d(2)(maps)),
    "PyTorch's nn.MaxPool2d gives the largest number of each block.",
)
expect(
    torch.allclose(mean, nn.AvgPool2d(2)(maps)),
    "PyTorch's nn.AvgPool2d gives the mean of each block.",
)
print("shape", tuple(largest.shape), "and parameters:", list(nn.MaxPool2d(2).parameters()))

# %% [markdown]
# Average pooling is, in each channel, a convolution whose weights are all $1/k^2$, so it is linear.
# Max pooling is not:

# %%
other = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
for name, pool in {"average": nn.AvgPool2d(2), "max": nn.MaxPool2d(2)}.items():
    linear = torch.allclose(pool(maps + other), pool(maps) + pool(other), atol=1e-6)
    print(f"{name:8} pool(x + y) = pool(x) + pool(y)? {linear}")

# %% [markdown]
# ### What pooling keeps of a photo
#
# **Predict, then run.** We shrink the photo from lesson 01 to a sixth of its width and height, in
# three ways: by the maximum of each 6 × 6 window, by its mean, and by taking every sixth pixel. In
# which of them can you still see the frame of the glasses?

# %%
photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
face = (photo.float().mean(dim=2) / 255)[None, 100:340, 130:370]  # (1, 240, 240)
small = [F.max_pool2d(face, 6), F.avg_pool2d(face, 6), face[:, ::6, ::6]]
show(
    plot_images([face, *small], ["240 × 240", "maximum", "mean", "every sixth"], size=1.8),
    "A face, and three versions of 40 by 40 pixels: the maximum is bright and has lost the thin "
    "dark frame of the glasses, the mean is soft, every sixth pixel is jagged",
)

# %% [markdown]
# The maximum keeps what is bright and loses what is dark and thin, such as the frame. In a feature
# map bright means "the pattern is here", so max pooling keeps the detection and forgets where in
# the window it was. The mean keeps the average brightness and blurs. Taking every sixth pixel keeps
# whatever happens to lie on the grid.
#
# ### A small shift
#
# Pooling is often said to make a network *invariant* to shifts. **Predict, then run.** One bright
# pixel moves to the right, one step per line. When does the pooled row change?

# %%
for place in range(2, 7):
    row = torch.zeros(1, 8)
    row[0, place] = 9
    pooled = F.max_pool1d(row, 2)
    print(row[0].int().tolist(), "→", pooled[0].int().tolist())

# %% [markdown]
# From 2 to 3 nothing changes: both positions lie in the same window. From 3 to 4 the pixel crosses
# a border, and the output jumps by a whole cell. So pooling ignores a shift only while nothing
# leaves its window: **locally and approximately**. A shift by 2 moves the output by exactly 1, but
# a shift by 1 does not move it by a half.

# %%
print(facts.trap("pooling_is_invariant"))

# %% [markdown]
# Lesson 06 measures this.
#
# ### Pooling at the border ◇
#
# **Predict, then run.** Pad a map of negative numbers by 1 and apply max pooling. Do the zeros win?

# %%
negative = torch.full((1, 4, 4), -5.0)
print("max:    ", F.max_pool2d(negative, 3, stride=2, padding=1)[0].tolist())
mean = F.avg_pool2d(negative, 3, stride=2, padding=1)[0]
print("average:", [[round(v, 2) for v in r] for r in mean.tolist()])

# %% [markdown]
# For max pooling PyTorch pads with $-\infty$, so a padded cell never wins. Average pooling pads
# with zeros, and counts them unless you set `count_include_pad=False`.
#
# ### Stride or pooling?
#
# Both halve the map. A convolution with stride 2 computes a quarter of the outputs. A convolution
# followed by pooling computes all of them; then max pooling discards three quarters, and average
# pooling merges every four into one. Here are the multiply-adds of both, for 64 channels in and out
# and maps of 56 × 56:

# %%
from course_utils.arithmetic import conv_multiply_adds

pooled = conv_multiply_adds(64, 64, k=3, out=output_size(56, k=3, p=1))
strided = conv_multiply_adds(64, 64, k=3, out=output_size(56, k=3, s=2, p=1))
print(f"convolution, then pooling: {pooled:12,}")
print(f"convolution with stride 2: {strided:12,}")
expect(pooled == 4 * strided, "The convolution with stride 2 costs a quarter.")

# %% [markdown]
# LeNet-5 and VGG halve their maps by pooling alone. AlexNet and GoogLeNet also use a stride in
# their first layer, and ResNet (lesson 13) mostly uses strides.

# %% [markdown]
# ## Convolution, activation, pooling: in which order?
#
# This is a favourite exam question. Take ReLU, $\max(0, x)$, and one window with the numbers
# $3, -4, -1, 2$.
#
# **Predict, then run.** For which kind of pooling does the order matter?

# %%
window = torch.tensor([[[3.0, -4.0], [-1.0, 2.0]]])  # (1, 2, 2)
for name, pool in {"max": F.max_pool2d, "average": F.avg_pool2d}.items():
    before = pool(F.relu(window), 2).item()
    after = F.relu(pool(window, 2)).item()
    print(f"{name:8} ReLU first: {before:.2f}   pooling first: {after:.2f}")

# %% [markdown]
# For the maximum both orders agree, and not by chance. Let $f$ be **non-decreasing**:
# $a \le b$ implies $f(a) \le f(b)$. Let $m$ be the largest of $x_1, \dots, x_k$.
#
# 1. $x_i \le m$ for every $i$, so $f(x_i) \le f(m)$ for every $i$.
# 2. $m$ is one of the $x_i$, so $f(m)$ is one of the $f(x_i)$.
# 3. A value that is one of the $f(x_i)$ and not below any of them is their maximum:
#
# $$\max_i f(x_i) = f\!\left(\max_i x_i\right)$$
#
# Step 1 needs an $f$ that does not decrease. With $f(x) = -x$ the order is reversed, and the
# maximum of the $-x_i$ is minus the *minimum* of the $x_i$. For the mean there is no such argument:
# you can swap it only with an $f$ that is linear, or linear plus a constant.

# %%
non_decreasing = {"ReLU": F.relu, "leaky ReLU": F.leaky_relu, "tanh": F.tanh, "sigmoid": F.sigmoid}
others = {"GELU": F.gelu, "|x|": torch.abs, "−x": torch.neg}
x = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
differing = {}
print("windows where the order matters\n" + f"{'':12}{'max':>8}{'average':>10}")
for name, f in {**non_decreasing, **others}.items():
    shares = []
    for pool in (F.max_pool2d, F.avg_pool2d):
        difference = (pool(f(x), 2) - f(pool(x, 2))).abs()
        shares.append((difference > 1e-6).float().mean().item())
    differing[name] = shares
    print(f"{name:12}{shares[0]:8.0%}{shares[1]:10.0%}")

# %%
for_max = all(differing[name][0] == 0 for name in non_decreasing)
for_mean = all(differing[name][1] > 0.5 for name in non_decreasing)
expect(for_max, "With max pooling the order never matters for the first four activations.")
expect(for_mean, "With average pooling it matters in most windows.")
expect(
    differing["GELU"][0] > 0,
    "GELU decreases below −0.75, so its order matters with max pooling, too.",
)

# %% [markdown]
# Where the order does not matter, **pooling first is cheaper**: after 2 × 2 pooling
# the activation has only a quarter of the numbers to process. Where it does matter, the two orders
# make different networks, and neither is wrong. For ReLU and the mean we can even say which result
# is larger: ReLU is convex, so by Jensen's inequality the mean of the ReLUs is never below the ReLU
# of the mean.

# %%
gap = F.avg_pool2d(F.relu(x), 2) - F.relu(F.avg_pool2d(x, 2))
expect(gap.min() >= -1e-6, "In every window, mean(ReLU(x)) ≥ ReLU(mean(x)).")

# %% [markdown]
# ### Try it: both orders at once
#
# 1. With average pooling and ReLU, choose an image for which the two orders agree everywhere. Why
#    do they agree?
# 2. Go back to "Mixed signs" and switch to max pooling. For which two activations do the orders
#    differ?
# 3. With average pooling and "−x", why do the orders agree?

# %%
from course_utils.widgets import PoolingAndOrder

PoolingAndOrder(pool="average", activation="ReLU")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. "All positive" and "One peak", where ReLU does nothing, and "All negative", where both orders
#    end in 0. Within one window ReLU is linear as long as no two numbers have opposite signs.
# 2. |x| and −x: both decrease somewhere.
# 3. −x is linear, and so is the mean.
# </details>

# %% [markdown]
# ## The receptive field
#
# The **receptive field** of an output is the set of pixels that it depends on. An output of one
# 3 × 3 layer sees 3 × 3 pixels. **Predict, then run.** How many does an output of a second 3 × 3
# layer on top of it see?

# %%
from course_utils.arithmetic import Layer, receptive_fields
from course_utils.plots import plot_maps, plot_receptive_field

stack = [Layer(3, name="conv A"), Layer(3, name="conv B")]
show(
    plot_receptive_field(stack, 11),
    "Eleven pixels at the bottom, nine outputs of layer A, seven of layer B: the middle output of "
    "B sees three of A, which together see five pixels",
)

# %% [markdown]
# Along each axis it sees three neighbouring outputs of layer A. The outer two are one step away
# from the middle one, so each reaches one pixel further on its side: five pixels in all, so 5 × 5
# in the image.
#
# In general we need two numbers for each layer: the size $r$ of the receptive field, and the
# **jump** $j$, the distance in pixels between the fields of neighbouring outputs. At the image
# itself $r = 1$ and $j = 1$. A layer with kernel $k$ and stride $s$ looks at $k$ positions below
# it. The first sees $r$ pixels, and each of the other $k - 1$ adds one jump:
#
# $$r' = r + (k - 1)\,j \qquad\qquad j' = j\,s$$
#
# A stride does not change the field of its own layer; it makes the fields of all *later* layers
# grow faster.

# %%
r, j = 1, 1
layers = {"conv 1": (5, 1), "pool 1": (2, 2), "conv 2": (5, 1), "pool 2": (2, 2)}  # LeNet-5
for name, (k, s) in layers.items():
    r, j = r + (k - 1) * j, j * s
    print(f"{name:8} sees {r:2d} pixels, jump {j}")
fields = receptive_fields([Layer(k, s) for k, s in layers.values()])
expect(fields[-1].size == r == 16, "Each output of LeNet-5's last pool sees 16 of 28 pixels.")

# %%
lenet = [Layer(5, p=2, name="conv 1"), Layer(2, 2, name="pool 1"), Layer(5, name="conv 2"),
         Layer(2, 2, name="pool 2")]  # fmt: skip
show(
    plot_receptive_field(lenet, 28),
    "LeNet-5 along one axis: an output of the second pool sees 2 of 10 outputs of the second "
    "convolution, 6 of 14 of the first pool, 12 of 28 of the first convolution, and 16 of 28 "
    "pixels",
)

# %% [markdown]
# ### Where it lies
#
# The recursion gives the width of the field. Where does it begin? Let $a$ be the first pixel that
# output 0 sees; at the image itself $a = 0$. A layer with padding $p$ begins $p$ positions before
# its input does, and positions are $j$ pixels apart:
#
# $$a' = a - p\,j$$
#
# So output $i$ of a stack sees the pixels from $a + i\,j$ to $a + i\,j + r - 1$. **Predict, then
# run.** The corner output of LeNet-5's last pool has the same field width, 16, as the middle one.
# How many of those 16 pixels are real?

# %%
field = receptive_fields(lenet)[-1]
print(f"a = {field.start}, j = {field.jump}, r = {field.size}")
show(
    plot_receptive_field(lenet, 28, output=0),
    "LeNet-5 along one axis, seen from the first output of its last pool: its field begins two "
    "positions left of the image, so that 14 of its 16 pixels are real",
)
expect(field.start == -2, "The field of the first output begins two pixels before the image.")

# %% [markdown]
# ### Measure it
#
# The gradient can test a formula about dependence: compute one output, run the backward pass, and
# see at which pixels the gradient is not 0. All weights are 1 and sums stand in for the pools, so
# that nothing cancels and every pixel of the field counts. (A max pool passes its gradient only to
# the largest number of each window.)


# %%
def gradient_of_middle(stack: list[Layer], n: int) -> torch.Tensor:
    """Return the gradient (n, n) of the middle output with respect to an image of n × n ones."""
    x = torch.ones(1, 1, n, n, requires_grad=True)
    y = x
    for layer in stack:
        ones = torch.ones(1, 1, layer.k, layer.k)
        y = F.conv2d(y, ones, stride=layer.s, padding=layer.p, dilation=layer.dilation)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]


def measured_field(stack: list[Layer], n: int = 64) -> int:
    """Return how many rows of the image the middle output depends on."""
    rows = gradient_of_middle(stack, n).sum(dim=1).nonzero().flatten()  # rows that matter
    return int(rows[-1] - rows[0]) + 1


# %%
three, seven = [Layer(3, p=1)] * 3, [Layer(7, p=3)]
pooled = [Layer(3, p=1), Layer(3, p=1), Layer(2, 2)] * 2
dilated = [Layer(3, dilation=d) for d in (1, 2, 4, 8)]
stacks = {"three 3×3": three, "one 7×7": seven, "LeNet-5": lenet, "VGG, two blocks": pooled,
          "dilation 1, 2, 4, 8": dilated}  # fmt: skip
for name, stack in stacks.items():
    computed, measured = receptive_fields(stack)[-1].size, measured_field(stack)
    print(f"{name:20} computed {computed:2d}, measured {measured:2d}")
    assert computed == measured

# %% [markdown]
# In a stack with stride 1, each layer enlarges the field by $k - 1$. A stride multiplies the growth
# in all later layers; dilation multiplies the growth in its own layer, without making the map
# smaller.

# %%
plain, halved = [Layer(3, p=1)] * 12, ([Layer(3, p=1)] * 2 + [Layer(2, 2)]) * 4
print("twelve 3×3 layers:         ", [field.size for field in receptive_fields(plain)])
print("eight 3×3 and four pools:  ", [field.size for field in receptive_fields(halved)])

# %% [markdown]
# ### Try it: the explorer
#
# 1. Build a stack of 3 × 3 layers with stride 1 that sees 15 pixels across. How many layers does it
#    take?
# 2. Put a 2 × 2 pool after the first layer. How many 3 × 3 layers do you now need in all to see at
#    least 15?
# 3. Load all five blocks of VGG-16. In which block does an output first see all 224 pixels, or is
#    there no such block?

# %%
from course_utils.widgets import ReceptiveFieldExplorer

ReceptiveFieldExplorer("LeNet-5")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. Seven: each adds 2 to the 1 of the image.
# 2. Four: the first sees 3, the pool 4, and from there each layer adds 4: 8, 12, 16.
# 3. There is none: the last pool sees 212 pixels. The linear layers that follow see everything.
# </details>

# %%
vgg16 = []
for depth in (2, 2, 3, 3, 3):
    vgg16 += [Layer(3, p=1)] * depth + [Layer(2, 2)]
expect(receptive_fields(vgg16)[-1].size == 212, "The last pool of VGG-16 sees 212 of 224 pixels.")

# %% [markdown]
# ### Not every pixel of the field counts equally ◇
#
# The receptive field says what an output *can* see. But how much does each pixel contribute? With
# all weights 1, the gradient counts the paths from a pixel to the output. **Predict, then run.**
# Six 3 × 3 layers see 13 × 13 pixels. How many times as many paths does the middle pixel have as a
# corner?

# %%
paths = gradient_of_middle([Layer(3, p=1)] * 6, 19)
show(
    plot_maps([paths / paths.max()], ["paths to the output, relative to the maximum"], size=2.6),
    "A nineteen by nineteen map: a bright spot in the middle that fades to almost nothing long "
    "before the edge of the thirteen by thirteen field",
)
print(f"the middle has {int(paths.max()):,} paths, a corner of the field {int(paths[3, 3])}")

# %% [markdown]
# Along each axis the paths are distributed like the sum of six three-sided dice: a bell curve. With
# random weights, as at the start of training, an output depends mostly on the middle of its field,
# too, and the **effective** receptive field is much smaller than the theoretical one (Luo et al.
# 2016). The formula is a bound: pixels outside the field, drawn white, have no influence at all.

# %% [markdown]
# ## Stacks of 3 × 3
#
# Two 3 × 3 layers see as far as one 5 × 5 layer, three as far as one 7 × 7. VGG (lesson 09) is
# built on that. What do you gain from a stack? First, it has fewer weights. With $C$ channels in
# and out, a $k \times k$ layer has $k^2 C^2$:

# %%
stacked, single = facts.get("vgg.three_3x3_weights"), facts.get("vgg.one_7x7_weights")
print(f"three 3×3: {stacked.value} C²;  one 7×7: {single.value} C²  ({single.source})")
expect(
    (stacked.value, single.value) == (3 * 3**2, 7**2),
    "Three 3 × 3 layers have 27 C² weights, one 7 × 7 layer has 49 C².",
)

# %% [markdown]
# Second, it has more non-linearities. Without an activation between them, two 3 × 3 filters $f$ and
# $g$ *are* one 5 × 5 filter, and the stack would only be a restricted way of writing it:
#
# $$\sum_q g(q) \sum_p f(p)\, x(i + p + q) = \sum_m \Big(\underbrace{\sum_q g(q) f(m - q)}_{h(m)}\Big)\, x(i + m)$$
#
# with $m = p + q$. The inner sum is the true convolution of $f$ and $g$ (lesson 03: one of them is
# flipped).

# %%
generator = torch.Generator().manual_seed(0)
f, g = torch.randn(2, 3, 3, generator=generator)
x = torch.randn(12, 12, generator=generator)
h = convolve(F.pad(f, (2, 2, 2, 2)), g.flip(0, 1))  # (5, 5)
two_steps, one_step = convolve(convolve(x, f), g), convolve(x, h)
expect(
    torch.allclose(two_steps, one_step, atol=1e-4),
    "Two 3 × 3 filters in a row are one 5 × 5 filter.",
)
bent = [convolve(F.relu(convolve(sign * x, f)), g) for sign in (1, -1)]
expect(
    not torch.allclose(bent[0], -bent[1]),
    "With a ReLU between them, no single filter does the same.",
)

# %% [markdown]
# The last check is a proof: every single filter satisfies $z(-x) = -z(x)$, and the stack with a
# ReLU does not.

# %% [markdown]
# ## The way back: transposed convolution ◇
#
# Networks that generate images, or label every pixel, have to make maps *larger* again. A
# **transposed convolution** runs a convolution backwards. For each *input* number, the whole filter
# is multiplied by that number and stamped into the output, $s$ pixels after the stamp before it;
# where stamps overlap, they add up. Its matrix is the transpose of the convolution's, hence the
# name. Let $f^\top y$ be the transposed convolution of $y$; then for all $x$ and $y$ of matching
# sizes $\langle y, f \star x \rangle = \langle f^\top y, x \rangle$.

# %%
generator = torch.Generator().manual_seed(0)
f = torch.randn(1, 1, 3, 3, generator=generator)
x, y = (torch.randn(1, 1, n, n, generator=generator) for n in (9, 4))
forward, back = F.conv2d(x, f, stride=2), F.conv_transpose2d(y, f, stride=2)
print(f"9 → {forward.shape[2]}, and back 4 → {back.shape[2]}")
same = torch.allclose((y * forward).sum(), (back * x).sum(), atol=1e-4)
expect(same, "The transposed convolution is the transpose of the convolution.")

# %% [markdown]
# It brings back the *size*, not the numbers. To find the size, solve the formula for $n$: the last
# stamp begins at $(n - 1)s$, covers $k' = d(k - 1) + 1$ pixels, and the padding cuts $p$ off on
# each side:
#
# $$n_\text{out} = (n - 1)\,s - 2p + k'$$
#
# A convolution rounds down, so up to $s$ different sizes lead to the same $n$, and the way back
# leads to the smallest of them. `output_padding` adds the missing rows and columns.

# %%
from course_utils.arithmetic import transposed_output_size

for n in (27, 28):
    small = output_size(n, k=3, s=2, p=1)
    back = [transposed_output_size(small, k=3, s=2, p=1, output_padding=m) for m in (0, 1)]
    print(f"{n} → {small} → {back[0]}, or {back[1]} with output_padding=1")

# %% [markdown]
# **Predict, then run.** Every input and every weight is 1, so each output counts its stamps. How
# often is each output pixel stamped, with stride 2 and a 3 × 3 filter, and with a 4 × 4 filter?

# %%
ones = torch.ones(1, 1, 4, 4)
stamped = [F.conv_transpose2d(ones, torch.ones(1, 1, k, k), stride=2)[0, 0] for k in (3, 4)]
show(
    plot_grids(stamped, ["3 × 3, stride 2: stamps", "4 × 4, stride 2: stamps"]),
    "How often each pixel is stamped: with 3 by 3 a checkerboard of 1, 2 and 4; with 4 by 4 a 4 "
    "everywhere except at the border",
)
expect(stamped[0][2:-2, 2:-2].unique().tolist() == [1, 2, 4], "3 × 3 gives a checkerboard.")
expect((stamped[1][2:-2, 2:-2] == 4).all(), "4 × 4 is even inside, since 2 divides 4.")

# %% [markdown]
# If the stride does not divide the kernel size, some pixels get more stamps than their neighbours,
# and a **checkerboard** can appear in the images that such networks generate. There are two
# remedies: choose a kernel size that the stride divides, or enlarge the map first and then convolve
# at stride 1 (Odena et al. 2016).

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("04_stride_padding_pooling")

# %% [markdown]
# ## Try it yourself
#
# Compute the output size of a stack: given an image `n` pixels wide and a list of `(k, s, p)`, one
# for each layer, return the size after the last layer. The cell below checks it.


# %%
def final_size(n: int, layers: list[tuple[int, int, int]]) -> int:
    return n  # your code here


# %%
stacks = ([(5, 1, 2), (2, 2, 0)], [(7, 2, 3), (3, 2, 1)], [(11, 4, 0), (3, 2, 0), (5, 1, 2)])
wrong = []
for n, layers in zip((28, 224, 227), stacks, strict=True):
    expected = n
    for k, s, p in layers:
        expected = output_size(expected, k, s, p)
    if final_size(n, layers) != expected:
        wrong.append(f"{n} pixels through {layers}: {final_size(n, layers)}, expected {expected}")
print("correct" if not wrong else "not yet: " + wrong[0])

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def final_size(n, layers):
#     for k, s, p in layers:
#         n = (n + 2 * p - k) // s + 1
#     return n
# ```
# </details>

# %% [markdown]
# ## What to remember
#
# - $n_\text{out} = \lfloor (n + 2p - k)/s \rfloor + 1$, with $k' = d(k-1)+1$ instead of $k$ for
#   dilation $d$. What the rounding cuts off is lost at the bottom and on the right.
# - $p = (k-1)/2$ keeps the size at stride 1 and makes it $\lceil n/s \rceil$ at stride $s$. Zeros
#   darken the border.
# - Pooling has no parameters and keeps the number of channels. It ignores shifts only within its
#   windows.
# - You can swap max pooling and a non-decreasing activation, but not average pooling and ReLU.
# - $r' = r + (k-1)j$, $j' = js$. Strides make *later* layers see further.
# - To check an example, start with its corners.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Why shrink the maps at all? What would you do if memory and time were free?
# 2. Zeros around an image are a strange border. What would you put there instead, and what would a
#    model learn from that?
# 3. Pooling forgets where a pattern was. For which tasks would you never pool?

# %% [markdown]
# ## Further reading
#
# - V. Dumoulin, F. Visin: *A guide to convolution arithmetic for deep learning*. arXiv 1603.07285,
#   2016. All the sizes, with drawings.
# - W. Luo, Y. Li, R. Urtasun, R. Zemel: *Understanding the effective receptive field in deep
#   convolutional neural networks*. NIPS 29, 2016.
# - A. Odena, V. Dumoulin, C. Olah: *Deconvolution and checkerboard artifacts*. Distill, 2016.
# - R. Zhang: *Making convolutional networks shift-invariant again*. ICML 2019. What strides and
#   pools break.
# - K. Simonyan, A. Zisserman: *Very deep convolutional networks for large-scale image recognition*.
#   ICLR 2015. Section 2.3 argues for stacks of 3 × 3 layers.
#
# **Exercise** {exercise}
#
# **Next** Lesson 05 adds channels.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | stride | 스트라이드 | distance between neighbouring windows |
# | padding | 패딩 | border added around the image, usually of zeros |
# | dilation | 팽창, 다일레이션 | distance between the weights of a filter |
# | floor | 바닥 함수, 내림 | rounding down to a whole number |
# | max pooling | 최대 풀링 | the largest number of each window |
# | average pooling | 평균 풀링 | the mean of each window |
# | downsampling | 다운샘플링 | making a map smaller |
# | transposed convolution | 전치 합성곱 | stamps the filter once for each input; makes maps larger |
# | receptive field | 수용 영역 | the pixels that an output depends on |
# | non-decreasing | 단조 증가(비감소) | never smaller for a larger input |
# | invariance | 불변성 | the output stays the same when the input moves |
