# %% [markdown]
# # 06 · Equivariance and Fourier
#
# **After this lesson you can**
# - say what it means for a layer to be equivariant or invariant to shifts, and measure both;
# - say how padding, stride and pooling break these properties, where, and how badly;
# - state the convolution theorem for what deep learning calls convolution, and pad with the zeros
#   that it needs;
# - read a filter as a frequency response, predict aliasing, and repair a pooling layer with a blur.
#
# **Time** 60 minutes; 45 if you leave out the sections marked ◇, which you may skip on a first
# reading. Nothing is trained here.
#
# **Builds on** 03 (convolution) and 04 (stride, padding, pooling). The second half uses complex
# numbers; all you need is $e^{i\varphi}$ as a point on the unit circle.

# %% [markdown]
# ## The question
#
# A cat that walks from the left of a photo to the right is still a cat. What should the numbers
# inside a network do meanwhile? Where the network still asks *where is an ear?*, they should move
# along. Where it answers *is there a cat?*, they should stay the same.
#
# "Convnets are translation invariant" is one of the most repeated sentences in the field. It
# confuses these two behaviours, and for most convnets it is not even true. In this lesson we
# measure how far it is from the truth.

# %%
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.cbook import get_sample_data
from torch import Tensor, nn

from course_utils import facts
from course_utils.equivariance import equivariance_error, invariance_error
from course_utils.kernels import named_kernel
from course_utils.plots import plot_images, plot_lines, plot_pixels, plot_two_ways, show
from course_utils.runtime import expect

# %% [markdown]
# Our image is the photo from lesson 01, in grey, cropped to a square and scaled down to a quarter
# of its width and height.

# %%
photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
WEIGHTS = torch.tensor([0.299, 0.587, 0.114])  # luminance, as in lesson 01
grey = photo[20:532] / 255 @ WEIGHTS  # (512, 512)
picture = F.avg_pool2d(grey[None], 4)  # (1, 128, 128), float in [0, 1]
x = picture[None]  # (N, C, H, W) = (1, 1, 128, 128)

# %% [markdown]
# ## A shift is an operator
#
# An **operator** maps a whole image to a whole image. The shift $T_{a,b}$ moves everything down by
# $a$ pixels and to the right by $b$:
#
# $$(T_{a,b}\,x)(i, j) = x(i - a,\; j - b)$$
#
# The minus sign is correct: what is *now* in row $i$ was in row $i-a$ before. But what comes in at
# the edge? We close the image into a ring, so that what leaves on the right comes back on the left.
# No camera does that, but no other kind of shift keeps every pixel, so this one tests the layer and
# nothing else. In PyTorch it is `torch.roll`.


# %%
def roll(x: Tensor, rows: int, columns: int) -> Tensor:
    """Move images (..., H, W) down and to the right, on a ring: the operator T."""
    return x.roll((rows, columns), dims=(-2, -1))


show(
    plot_images([picture, roll(picture, 24, 40)], ["x", "T x"], size=2.2),
    "The photo, and the photo moved down by 24 and right by 40 pixels: what leaves at the bottom "
    "and on the right comes back at the top and on the left",
)

# %%
expect(roll(roll(x, 3, 1), 4, 5).equal(roll(x, 7, 6)), "Two shifts make one.")
expect(roll(roll(x, 9, 9), -9, -9).equal(x), "A shift can be undone.")
both = roll(2 * x + x.sqrt(), 5, 8)
expect(both.equal(2 * roll(x, 5, 8) + roll(x.sqrt(), 5, 8)), "A shift is linear.")

# %% [markdown]
# A linear operator is a matrix. For a row of six pixels, this is $T_1$. Each of its rows has a
# single 1, which picks the left neighbour:

# %%
T = torch.eye(6).roll(1, dims=0)
row = torch.tensor([7.0, 1, 0, 0, 3, 9])
show(
    plot_pixels(T.int(), "T as a matrix"),
    "A 6 by 6 matrix with ones just below the diagonal and one in the upper right corner",
)
print((T @ row).int().tolist())
expect((T @ row).equal(row.roll(1)), "The matrix rolls the row.")

# %% [markdown]
# ## Two properties
#
# | property | in words | as an equation | who needs it |
# |---|---|---|---|
# | **equivariance** | the output moves with the input | $f(T x) = T f(x)$ | feature maps, detection, segmentation |
# | **invariance** | the output stays the same | $g(T x) = g(x)$ | classification |
#
# Read the first equation as two ways to the same output: *move, then look* must lead to the same
# result as *look, then move*. An equivariant layer still knows where things are. An invariant one
# has forgotten.
#
# ### Why convolution is equivariant
#
# Take the convolution of lesson 03 in one dimension, $[f * x](i) = \sum_p f(p)\,x(i+p)$, and feed
# it the shifted input:
#
# $$
# \begin{aligned}
# {}[f * T_a x](i) &= \sum_p f(p)\,(T_a x)(i+p) && \text{convolution, written out} \\
# &= \sum_p f(p)\,x(i+p-a) && \text{the shift, written out} \\
# &= [f * x](i-a) && \text{the same sum at } i-a \\
# &= (T_a[f * x])(i) && \text{the shift again}
# \end{aligned}
# $$
#
# The third step needs two things: $f(p)$ must not depend on $i$, which is **weight sharing**, and
# there must always be a pixel at $i+p-a$, as there is on the ring.


# %%
def correlate(weights: Tensor, x: Tensor) -> Tensor:
    """Sum weights(p) x(i + p) over p, for every i on a ring; the weights may depend on i."""
    return sum(weights[..., p] * x.roll(-p) for p in range(weights.shape[-1]))


row = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6])
shared = torch.tensor([1, -2, 3])  # the same three weights at every place
move_look, look_move = correlate(shared, row.roll(2)), correlate(shared, row).roll(2)
print("move, then look:", move_look.tolist())
print("look, then move:", look_move.tolist())
expect(move_look.equal(look_move), "Both ways give the same result.")

# %% [markdown]
# **Predict, then run.** A *locally connected* layer (lesson 03) has its own three weights at every
# place. Does its output still move with the input?

# %%
local = torch.tensor([[(3 * i + 5 * p) % 7 - 3 for p in range(3)] for i in range(8)])  # (8, 3)
print("move, then look:", correlate(local, row.roll(2)).tolist())
print("look, then move:", correlate(local, row).roll(2).tolist())

# %% [markdown]
# It does not. In fact, the converse of what we have just derived holds as well: **every linear
# layer that is equivariant to shifts is a convolution.** Let $M$ be its matrix and $e_j$ the input
# that is 1 at pixel $j$ and 0 elsewhere. Each $e_j$ is a shifted $e_0$, so
#
# $$M e_j = M\,T_j\,e_0 = T_j\,M e_0$$
#
# But $M e_j$ is column $j$ of the matrix. So every column is the first one, shifted: one set of
# weights, used everywhere. Weight sharing is therefore not just a trick to save memory. For a
# linear layer that treats all places alike, it is the only choice.
#
# You can turn any matrix into such a layer by averaging it over all shifts: for each of them, shift
# the input, apply the matrix, and shift the output back.

# %%
M = torch.tensor([[(4 * i * i + 3 * j + i * j) % 10 for j in range(6)] for i in range(6)]).float()
powers = [torch.linalg.matrix_power(T, steps) for steps in range(6)]
tied = sum(power.T @ M @ power for power in powers) / 6  # a shift is undone by its transpose
show(
    plot_pixels(tied, "M, averaged over all shifts"),
    "A 6 by 6 matrix in which every diagonal, wrapped around the edge, holds one number",
)
expect(not torch.allclose(M @ T, T @ M), "M does not commute with the shift.")
expect(torch.allclose(tied @ T, T @ tied), "Its average over all shifts does.")

# %% [markdown]
# Every diagonal holds one number, so there are six numbers instead of 36. This is a convolution
# with a filter of six weights. If all but a few neighbouring weights are 0, the filter is small,
# but that is a separate choice, the principle of locality.

# %% [markdown]
# ## The ruler
#
# How far apart are the two sides of such an equation? We measure their distance relative to the
# size of the output:
#
# $$\text{equivariance error} = \frac{\lVert f(Tx) - T f(x) \rVert}{\lVert f(x) \rVert} \qquad
# \text{invariance error} = \frac{\lVert g(Tx) - g(x) \rVert}{\lVert g(x) \rVert}$$
#
# An error of 0 is perfect. At 1 the difference is as large as the output itself. Our layer has four
# filters, followed by a ReLU: two for edges in two directions, one that is the first of these with
# the opposite sign, and one for bright spots (minus the Laplacian).

# %%
SOBEL, LAPLACIAN = named_kernel("Sobel, vertical edges"), named_kernel("Laplacian")
filters = torch.stack([SOBEL, SOBEL.T, -SOBEL, -LAPLACIAN])[:, None]  # (4, 1, 3, 3)


def edges(x: Tensor, border: str = "circular") -> Tensor:
    """Apply the four filters and a ReLU: (N, 1, H, W) -> (N, 4, H, W)."""
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=border), filters).relu()


# %%
by_hand = (edges(roll(x, 5, 9)) - roll(edges(x), 5, 9)).norm() / edges(x).norm()
print(f"by hand: {by_hand:.4f}   by the package: {equivariance_error(edges, x, 5, 9):.4f}")
errors = [equivariance_error(edges, x, s, s) for s in range(1, 9)]
expect(max(errors) < 1e-5, "Circular convolution has no error beyond rounding.")

# %%
show(
    plot_two_ways(edges, picture, 24, 40),
    "Two rows of three images. Above: the photo, its map of vertical edges, and that map moved. "
    "Below: the photo moved, its map of edges, which equals the moved map, and their difference, "
    "which is empty",
)

# %% [markdown]
# The ReLU does no harm: it treats every pixel alike. Nor does stacking, since
# $f_2(f_1(Tx)) = f_2(T f_1(x)) = T f_2(f_1(x))$. A net of circular convolutions and pointwise
# functions is equivariant, however deep it is. What, then, breaks equivariance?
#
# ### Try it: the shift lab
#
# A shape of 12 × 12 pixels goes through a convolution, a ReLU and pooling. Move it with the mouse
# or the arrow keys, or press Play, and compare $f(Tx)$ with $T f(x)$. In the starting position the
# map should move by one and a half cells. Moving by half a cell, which a later section defines, is
# what gives $T f(x)$ its ripples.
#
# 1. Set the pooling to "none". Is there a shift that the map does not follow? Now put zeros around
#    the image. At what shift does the map first fail to follow, and why not earlier?
# 2. Go back to "circular" and choose "stride 2". Which shifts does the map still follow?
# 3. Choose "Fine stripes", "Identity" and "stride 2". What does the layer see at shifts of 0, 1
#    and 2?
# 4. Take the disc, Sobel and "max 2 × 2". Does the mean of the map stay the same? With which kinds
#    of pooling does it?
# 5. Order the kinds of pooling by their equivariance error for the disc. The rest of the lesson
#    explains the order.

# %%
from course_utils.widgets import ShiftLab

ShiftLab(pool="max 2 × 2", right=3)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. There is none. With zeros the disc is safe up to 10 pixels to the left and 12 to the right:
#    what lies beyond the border is black either way. (The two sides differ because ReLU drops the
#    response at one of them.)
# 2. The even ones, for which the map moves by whole cells.
# 3. At 0 and 2 it sees a solid block, at 1 nothing at all: every pixel that it keeps is black.
# 4. Not with "max 2 × 2", which sees different windows after every odd shift. With all others it
#    does, on the ring; with "stride 2" only because the disc is symmetric. Take the triangle and
#    the Laplacian, and move it down by 1: the mean changes.
# 5. From the largest: stride 2, max 2 × 2, average 2 × 2, blur 3 × 3, max with blur 3 × 3, max with
#    blur 5 × 5, none. Where the map should move by half a cell, the lab has to define what that
#    means; so will we, in the section on phases.
# </details>

# %% [markdown]
# ## What zero padding does to equivariance
#
# Real layers do not close the image into a ring. They usually pad it with zeros.
#
# **Predict, then run.** With a 3 × 3 filter and a shift by 4 pixels, where will *move, then look*
# and *look, then move* differ? And after 4 layers, or 16?

# %%
generator = torch.Generator().manual_seed(0)
# The factors keep the size of the numbers about the same from layer to layer (lesson 09).
first = torch.randn(8, 1, 3, 3, generator=generator) * (2 / 9) ** 0.5
others = torch.randn(8, 8, 3, 3, generator=generator) * (2 / 72) ** 0.5


def stack(x: Tensor, num_layers: int, border: str = "constant") -> Tensor:
    """Apply random 3 x 3 convolutions, each with a ReLU; "constant" pads with zeros."""
    for index in range(num_layers):
        weights = others if index else first
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=border), weights).relu()
    return x


# %%
moved, orange = roll(picture, 4, 4), torch.tensor([0.84, 0.37, 0.0])[:, None]
marked = []
for depth in (1, 4, 16):
    look_move, move_look = roll(stack(x, depth), 4, 4), stack(roll(x, 4, 4), depth)
    differs = ((move_look - look_move).abs() > 1e-5 * look_move.max()).any(dim=1)[0]  # (128, 128)
    marked.append(moved.repeat(3, 1, 1))  # (3, 128, 128)
    marked[-1][:, differs] = orange
    inside = differs[4 + depth : -depth, 4 + depth : -depth]
    expect(not inside.any(), f"Depth {depth}: all errors lie within {depth} of a border.")
show(
    plot_images(marked, ["1 layer (orange: differs)", "4 layers", "16 layers"], size=2.4),
    "The moved photo with the differing pixels in orange: thin lines along the border and the "
    "moved border after one layer, a frame after four, and half of the image after sixteen",
)

# %% [markdown]
# Orange pixels differ; all others agree up to rounding. At the top and on the left there are two
# borders: that of the image and, 4 pixels further in, the one that has moved along. From both, the
# error spreads by one pixel per layer, just as the **receptive field** (lesson 04) grows.
#
# So a deep net with zero padding can *know where a pattern is*: the distance from the border leaves
# a trace in its maps. Islam et al. (2020) could read positions from trained nets, and Kayhan and
# van Gemert (2020) found that nets learn filters that respond only in one part of the image.
#
# What stays away from the border is safe:

# %%
framed = x * F.pad(torch.ones(1, 1, 88, 88), (20, 20, 20, 20))  # 20 black pixels on each side
for depth in (1, 4, 16):
    layers = partial(stack, num_layers=depth)
    on_photo, on_framed = (equivariance_error(layers, image, 4, 4) for image in (x, framed))
    print(f"depth {depth:2}: {on_photo:.4f} on the photo, {on_framed:.4f} with a black frame")

# %% [markdown]
# Even after sixteen layers a frame of 20 pixels is wide enough. (These layers have no bias. With a
# bias, black would not stay 0 after the first layer, and the zeros around it would show again.)

# %% [markdown]
# ## What a stride does to equivariance
#
# A stride of 2 keeps every second pixel. Look at the hardest case:

# %%
stripes_row = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
print("kept of the stripes:       ", stripes_row[::2].tolist())
print("kept after a shift by one: ", stripes_row.roll(1)[::2].tolist())

# %% [markdown]
# All black turns into all white. No shift turns the first output into the second: equivariance is
# not just damaged here, it is gone.
#
# **Predict, then run.** We use the photo and a stride of 2. Which shifts, by 1 to 8 pixels both
# down and to the right, does the output follow? And with a stride of 4? To be generous, we shift
# the output for the original photo along the same diagonal, by every whole number of places from −8
# to 8, and keep the result that best matches the output for the moved photo.


# %%
def best_error(layer, x: Tensor, pixels: int) -> float:
    """Return the smallest error over all whole shifts of the output, down and right."""
    output, moved = layer(x), layer(roll(x, pixels, pixels))
    distances = [(moved - roll(output, s, s)).norm() for s in range(-8, 9)]
    return float(min(distances) / output.norm())


def keep_every(stride: int):
    """Return the layer of edge maps with a stride: (N, 1, H, W) -> (N, 4, H/stride, W/stride)."""
    return lambda x: edges(x)[..., ::stride, ::stride]


# %%
print("shift   " + "".join(f"{pixels:7}" for pixels in range(1, 9)))
for stride in (1, 2, 4):
    found = [best_error(keep_every(stride), x, pixels) for pixels in range(1, 9)]
    print(f"stride {stride}" + "".join(f"{error:7.2f}" for error in found))

# %% [markdown]
# A layer with stride $s$ is exactly equivariant to shifts by multiples of $s$, for which the output
# moves by $1/s$ of the shift. In between, the error is about as large as the output. Only one shift
# in $s$ is such a multiple, in two dimensions one in $s^2$; and the strides of successive layers
# multiply. A net that halves its maps five times follows one shift in $32^2 = 1024$.

# %% [markdown]
# ## Does pooling give invariance?

# %%
print(facts.trap("pooling_is_invariant"))

# %% [markdown]
# At first it seems so: if a feature moves within its window, the maximum stays the same. But at the
# window's edge a feature leaves, and another one enters.
#
# **Predict, then run.** We pool the edge maps in windows of 2 to 32 pixels, and over the whole map.
# Which of the outputs are invariant to a shift by one pixel? And which to a shift by 8?


# %%
def chain(*steps):
    """Return the function that does one step after another."""

    def run(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return run


# %%
shifts = [0, 1, 2, 3, 4, 6, 8, 12, 16]
windows = {"no pooling": 1, **{f"{k} × {k}": k for k in (2, 4, 8, 16, 32)}, "whole map": 128}
pooled = {}
for name, k in windows.items():
    layer = chain(edges, nn.MaxPool2d(k))
    pooled[name] = [invariance_error(layer, x, 0, pixels) for pixels in shifts]
show(
    plot_lines(pooled, shifts, "shift to the right, in pixels", "invariance error"),
    "Invariance error against the shift for max pooling with windows from none to the whole map: "
    "the larger the window, the more slowly the error rises; only for the whole map is it zero",
)

# %%
none, two, eight, whole = (pooled[name] for name in ("no pooling", "2 × 2", "8 × 8", "whole map"))
print("shift by 4:", ", ".join(f"{name} {errors[4]:.2f}" for name, errors in pooled.items()))
expect(0 < eight[1] < none[1] / 2, "8 × 8 windows absorb most of a shift by 1, but not all.")
expect(two[4] > 1, "2 × 2 windows do nothing against a shift by 4.")
expect(max(whole) < 1e-5, "Pooling over the whole map is invariant.")

# %% [markdown]
# So pooling in windows is invariant only *locally* (for shifts much smaller than a window) and only
# *approximately* (the error is small, but not 0). And since its windows move by a stride, it breaks
# equivariance, too.

# %% [markdown]
# ## From equivariance to invariance
#
# In the figure above, only the line for the whole map is flat. Pooling over the **whole** map
# cannot notice where things are: a mean or a maximum does not depend on the order of its numbers.
# For such a pooling $g$ and an equivariant $f$,
#
# $$g(f(Tx)) = g(T f(x)) = g(f(x))$$
#
# and that is the recipe: **first equivariant layers, then one global pooling.** With the mean it is
# called **global average pooling**; GoogLeNet and ResNet (lessons 10 and 13) use it. LeNet, AlexNet
# and VGG flatten instead, and their linear layers have separate weights for every place.
#
# **Predict, then run.** Which of the six numbers below are 0?

# %%
heads = {
    "flatten": nn.Flatten(),
    "global average": nn.AdaptiveAvgPool2d(1),
    "global maximum": nn.AdaptiveMaxPool2d(1),
}
with_zeros = partial(edges, border="constant")
print(f"{'invariance error, shift by 5':30}{'circular':>10}{'zeros':>10}")
errors = {}
for name, head in heads.items():
    pair = [invariance_error(chain(layer, head), x, 5, 5) for layer in (edges, with_zeros)]
    print(f"{name:30}{pair[0]:10.4f}{pair[1]:10.4f}")
    errors[name] = pair[0]
expect(errors["global average"] < 1e-5, "With a global average the net is invariant, on the ring.")
expect(errors["flatten"] > 1, "With flatten it is far from invariant.")

# %% [markdown]
# Only two are 0: the global average and the global maximum on the ring. With zero padding $f$ is no
# longer equivariant at the border, so neither is exactly invariant, though both stay far closer to
# it than the flattened map. If $f$ is exactly equivariant, both are exactly invariant.
#
# We now know *that* strides break equivariance. To see *why*, and what to do about it, we need
# another way to look at images.

# %% [markdown]
# ## Every image is a sum of stripes
#
# The **discrete Fourier transform** writes an image $x(r, c)$ of $H$ rows and $W$ columns as a sum
# of waves. The wave with $k$ cycles down and $l$ cycles across the image gets the complex number
#
# $$X(k, l) = \sum_{r,\,c} x(r, c)\; e^{-2\pi \mathrm{i}\,(k r/H \,+\, l c/W)}$$
#
# Its absolute value, divided by $HW$, is the **amplitude** of the wave; its angle, the **phase**,
# says where the crests lie. Adding up all waves gives the image back:
#
# $$x(r, c) = \frac{1}{HW} \sum_{k,\,l} X(k, l)\; e^{2\pi \mathrm{i}\,(k r/H \,+\, l c/W)}$$
#
# We measure frequencies in cycles per pixel, $u = k/H$ and $v = l/W$. The finest possible stripes,
# one pixel light and one dark, have the frequency $\tfrac12$, the **Nyquist frequency**. In the
# figure, each image stands above its amplitudes; where there are only a few waves, each is circled.


# %%
from course_utils.plots import plot_frequency_responses, plot_spectra


def stripes(down: float, across: float, size: int = 128) -> Tensor:
    """Return a wave with these cycles down and across, as an image (1, size, size) in [0, 1]."""
    r, c = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return 0.5 + 0.5 * torch.cos(2 * math.pi * (down * r + across * c) / size)[None]


broad, slanted = stripes(0, 4), stripes(24, 12)
titles = ["4 cycles across", "24 cycles down, 12 across", "their mean", "photo"]
show(
    plot_spectra([broad, slanted, (broad + slanted) / 2, picture], titles, size=1.9),
    "Images above their spectra. Broad vertical stripes: three dots near the middle. Fine slanted "
    "stripes: two dots farther out and one in the middle. Their mean: all of these dots. The "
    "photo: a bright middle that fades outwards, with a cross through it",
)

# %% [markdown]
# Frequency 0, the mean brightness, is in the middle. Each wave appears twice, at $(u, v)$ and
# $(-u, -v)$, because a cosine is the sum of two opposite complex waves. The photo contains all
# frequencies, the low ones far more strongly than the high ones. The cross through the middle comes
# from vertical and horizontal edges; the jump where the ring closes is one of them.
#
# The transform loses nothing, so we can change the spectrum and transform back. The **ideal
# low-pass** keeps the frequencies below a cut-off and drops the rest.


# %%
def low_pass(x: Tensor, cut_off: float) -> Tensor:
    """Keep the frequencies below the cut-off (in cycles per pixel), down and across."""
    keep_rows = torch.fft.fftfreq(x.shape[-2]).abs() < cut_off  # (H,)
    keep_columns = torch.fft.fftfreq(x.shape[-1]).abs() < cut_off  # (W,)
    return torch.fft.ifft2(torch.fft.fft2(x) * keep_rows[:, None] * keep_columns).real


there_and_back = torch.fft.ifft2(torch.fft.fft2(x)).real
expect(torch.allclose(there_and_back, x, atol=1e-5), "There and back gives the same image.")

# %%
kept = [low_pass(picture, cut_off).clamp(0, 1) for cut_off in (1 / 4, 1 / 8, 1 / 16)]
rest = (0.5 + picture - kept[1]).clamp(0, 1)
titles = [
    f"{part} cycle per pixel" for part in ("below 1/4", "below 1/8", "below 1/16", "above 1/8")
]
show(
    plot_images([*kept, rest], titles, size=2.6),
    "The photo without frequencies above a quarter, an eighth and a sixteenth: softer and softer, "
    "with faint ripples beside the edges. What lies above an eighth: fine lines on grey",
)

# %% [markdown]
# ## A shift changes phases, and nothing else
#
# From now on we write $\mathcal{F}[x](u, v)$ for $X(k, l)$. Put $T_{a,b}\,x$ into the sum, and
# substitute $r + a$ for $r$ and $c + b$ for $c$. You get a factor:
#
# $$\mathcal{F}[T_{a,b}\,x](u, v) = e^{-2\pi \mathrm{i}\,(u a + v b)} \; \mathcal{F}[x](u, v)$$
#
# The factor lies on the unit circle. So the amplitudes stay the same, and each phase turns by an
# angle proportional to its frequency. Nothing here requires $a$ and $b$ to be whole numbers: the
# formula also defines what a shift by half a pixel *is*. Our ruler will need that.

# %%
from course_utils.equivariance import shift  # inline

# %%
before, after = torch.fft.fft2(x), torch.fft.fft2(roll(x, 24, 40))
expect(torch.allclose(before.abs(), after.abs(), atol=1e-2), "Amplitudes are invariant.")
smooth = low_pass(x, 1 / 2)  # all but the Nyquist frequency
in_two_steps = shift(shift(smooth, 0.5, 0.25), 0.5, 0.75)
expect(
    torch.allclose(in_two_steps, roll(smooth, 1, 1), atol=1e-5),
    "Two shifts by parts of a pixel add up to a whole pixel.",
)
finest = stripes(0, 64)  # one column light, one dark
between = shift(finest, 0, 0.5)
print(f"the finest stripes, moved by half a pixel: from {between.min():.2f} to {between.max():.2f}")

# %% [markdown]
# The last line shows the one frequency at which this fails, the Nyquist frequency. Shifted by half
# a pixel, stripes of one light and one dark pixel become a uniform grey: the pixels do not say
# where between them the crests of such stripes lie.

# %% [markdown]
# ## The convolution theorem, and a trap ◇
#
# A convolution treats all places alike, so it cannot turn one wave into another. It can only make
# each wave stronger or weaker and change its phase: in the spectrum, convolution is
# *multiplication*. By what? In one dimension, with $q = r + p$ in the third line:
#
# $$
# \begin{aligned}
# \mathcal{F}[f * x](u) &= \sum_r\, [f * x](r)\; e^{-2\pi \mathrm{i}\, u r} \\
# &= \sum_r \sum_p f(p)\, x(r+p)\; e^{-2\pi \mathrm{i}\, u r} \\
# &= \sum_p f(p)\, e^{+2\pi \mathrm{i}\, u p} \;\sum_q x(q)\; e^{-2\pi \mathrm{i}\, u q} \\
# &= \overline{\mathcal{F}[f](u)} \;\; \mathcal{F}[x](u)
# \end{aligned}
# $$
#
# Note the bar. It stands for the complex conjugate: for a filter of real numbers, a sum over $p$
# with a *plus* in the exponent is the conjugate of $\mathcal{F}[f](u)$. This plus comes from the
# *plus* in $x(r+p)$. Deep learning's "convolution" is a **cross-correlation**. The convolution of
# mathematics, $\sum_p f(p)\,x(r-p)$, flips the filter, and its theorem has no bar.

# %%
print(facts.trap("fourier_without_conjugate"))

# %% [markdown]
# **Predict, then run.** We compute both sides for three filters. For which of them does the formula
# *without* the conjugate fail?


# %%
def on_the_ring(kernel: Tensor, size: int = 128) -> Tensor:
    """Put a filter (k, k) into an image of zeros, with its middle at pixel (0, 0)."""
    k = len(kernel)
    return roll(F.pad(kernel, (0, size - k, 0, size - k)), -(k // 2), -(k // 2))


def filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Return what F.conv2d computes with one filter on the ring; the size stays the same."""
    around = F.pad(x, (len(kernel) // 2,) * 4, mode="circular")
    return F.conv2d(around, kernel[None, None])


# %%
BLUR = named_kernel("Gaussian 3 × 3")
of_x = torch.fft.fft2(x)
print(f"{'relative error':14}{'conj(F[f]) F[x]':>18}{'F[f] F[x]':>12}")
for name, kernel in (("blur", BLUR), ("Laplacian", LAPLACIAN), ("Sobel", SOBEL)):
    left, of_f = torch.fft.fft2(filtered(x, kernel)), torch.fft.fft2(on_the_ring(kernel))
    with_bar = (left - of_f.conj() * of_x).norm() / left.norm()
    without = (left - of_f * of_x).norm() / left.norm()
    print(f"{name:14}{with_bar:18.4f}{without:12.4f}")

# %% [markdown]
# These numbers show why the mistake survives. Blur and Laplacian are symmetric, so their spectra
# are real and the bar changes nothing. Sobel's spectrum is imaginary, so the bar changes its sign
# and the error is 2: the formula without the bar finds every edge with the opposite sign. That
# formula is right for the *flipped* filter:

# %%
left, of_f = torch.fft.fft2(filtered(x, SOBEL.flip(0, 1))), torch.fft.fft2(on_the_ring(SOBEL))
expect(
    torch.allclose(left, of_f * of_x, atol=1e-2),
    "The product F[f] F[x] belongs to the flipped filter.",
)

# %% [markdown]
# ## What about zeros around the image? ◇
#
# The Fourier transform lives on the ring. With zero padding the theorem fails at the border, where
# the product sees pixels from the opposite edge. The remedy is to append zeros, so that the ring
# closes over *them*.
#
# **Predict, then run.** Take a filter with $k = 5$ and an image with $n = 128$. How many zeros does
# the "same" output need? And how many does the "full" one need, with a number for every window that
# touches the image?


# %%
def by_product(x: Tensor, kernel: Tensor, num_zeros: int) -> Tensor:
    """Append zeros, multiply spectra, transform back: (1, 1, 128, 128) -> (1, 1, 132, 132)."""
    ring = F.pad(x, (0, num_zeros, 0, num_zeros))
    of_f = torch.fft.fft2(kernel, s=ring.shape[2:])  # its first weight at pixel (0, 0)
    product = torch.fft.ifft2(of_f.conj() * torch.fft.fft2(ring)).real
    starts = torch.arange(-4, 128) % ring.shape[2]  # where the windows start, on the ring
    return product[..., starts, :][..., starts]


# %%
kernel = torch.outer(torch.arange(1.0, 6), torch.tensor([1.0, 0, 2, 0, 4]))  # (5, 5), lopsided
same = F.conv2d(x, kernel[None, None], padding=2)  # (1, 1, 128, 128)
full = F.conv2d(x, kernel[None, None], padding=4)  # (1, 1, 132, 132)
for num_zeros in range(6):
    result = by_product(x, kernel, num_zeros)
    error_full = (result - full).norm() / full.norm()
    error_same = (result[..., 2:-2, 2:-2] - same).norm() / same.norm()
    print(f"{num_zeros} zeros: error {error_same:.4f} (same), {error_full:.4f} (full)")

# %% [markdown]
# For all windows the ring needs $n + k - 1$ pixels, so $k - 1 = 4$ zeros. For the "same" output
# $(k-1)/2 = 2$ are enough, because the left and the right border share them.
#
# The theorem is also a way to *compute*: two transforms, a product, and one transform back, at a
# cost that does not grow with the filter. That pays off for large filters. For nine weights the
# direct sum is cheaper, so we use the theorem only for insight.

# %% [markdown]
# ## Filters as frequency responses
#
# By the convolution theorem, a filter multiplies the amplitude of each frequency by a factor, the
# **gain** $|\mathcal{F}[f](u, v)|$. As a function of frequency, the gain is the magnitude of the
# filter's **frequency response**. Take the blur in one dimension, $(1, 2, 1)/4$ with its middle at
# 0:
#
# $$\mathcal{F}[f](u) = \tfrac14 e^{2\pi \mathrm{i}\, u} + \tfrac24 + \tfrac14 e^{-2\pi \mathrm{i}\, u}
# = \tfrac12 + \tfrac12\cos 2\pi u = \cos^2 \pi u$$
#
# The gain is 1 at frequency 0 and falls to 0 at $\tfrac12$: low frequencies pass, so the blur is a
# **low-pass**. The Laplacian lets high ones pass and is a **high-pass**. A narrow blur minus a wide
# one, the **difference of Gaussians**, keeps what lies between and is a **band-pass**. For our
# blurs we use binomial coefficients, which approximate a Gaussian:

# %%
from course_utils.models.blurpool import binomial_kernel  # inline

# %% [markdown]
# **Predict, then run.** Sobel subtracts the left neighbours from the right ones. What does it do to
# the finest vertical stripes? (In the figure the upper row shows the four responses, on one scale
# from dark blue, 0, to yellow, 2.)

# %%
difference = F.pad(binomial_kernel(3), (2, 2, 2, 2)) - binomial_kernel(7)  # narrow minus wide
kernels = {"blur": BLUR, "Laplacian": LAPLACIAN / 4, "difference": difference, "Sobel": SOBEL / 8}
show(
    plot_frequency_responses(kernels, picture),
    "Four filters, each with its response over all frequencies and the photo after it. The blur is "
    "brightest in the middle; the Laplacian is dark there and bright in the corners; the "
    "difference of two blurs is a ring; Sobel is two spots left and right of the middle. Beside "
    "them the four responses as curves against the horizontal frequency",
)

# %%
u = torch.arange(65) / 128  # cycles per pixel across, from 0 to 1/2
for name, kernel in kernels.items():
    response = torch.fft.fft2(kernel, s=(128, 128)).abs()[0, :65]  # (65,): 0 cycles down
    top = f"largest at {u[response.argmax()]:.2f}"
    print(f"{name:10} at 0: {response[0]:.2f}   at 1/2: {response[-1]:.2f}   {top}")
response = torch.fft.fft2(BLUR, s=(128, 128)).abs()[0, :65]
expect(
    torch.allclose(response, torch.cos(math.pi * u) ** 2, atol=1e-5),
    "The blur's response is cos² πu.",
)

# %% [markdown]
# Sobel does not see the finest stripes: they are the same on both sides of every pixel. It is a
# band-pass across and a low-pass down, so it responds less to noise than a plain difference does.
#
# So filters differ in the frequencies and directions that they respond to. Krizhevsky et al. (2012)
# found many such filters in AlexNet's first layer; lesson 08 looks at those of a small net.
#
# ### Try it: the Fourier gallery
#
# The demo filters an image of 32 × 32 pixels in two ways, by sums in space and by a product of
# spectra, and shows how much the two outputs differ. Its low-pass is round: it limits the frequency
# $\sqrt{u^2 + v^2}$, whatever the direction, while ours limits down and across separately.
#
# 1. "Fine slanted stripes" has 10 cycles down and 6 across. At which cut-off does the low-pass let
#    them through? Predict, then move the cut-off.
# 2. With "House" and low-pass, switch the roll-off from ideal to Gaussian. Where did the ripples
#    come from? Look at the weights of the filter.
# 3. What is the spectrum of "One dot"? What is the output, for any filter?
# 4. With "Sobel, vertical edges", multiply by $\mathcal{F}[f]$ without the bar. What happens to the
#    output? What else can you change so that both ways agree again? Why does the bar make no
#    difference to "Gaussian 3 × 3"?
# 5. Put zeros at the border. Where do the two ways differ, for a small filter and for a low-pass,
#    which is a mask on the spectrum? Then append zeros.

# %%
from course_utils.widgets import FourierGallery

FourierGallery("House", filter="Low-pass", cut_off=6)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. Between 11/32 and 12/32, since $\sqrt{10^2 + 6^2} = 11.7$. At 11/32 only a uniform grey
#    remains.
# 2. From the weights, which oscillate around 0 all over the image: a sharp edge in frequency makes
#    ripples in space. The weights of the Gaussian are a Gaussian again and do not oscillate.
# 3. It has the same amplitude at all frequencies. The output is the filter itself, rotated by 180°
#    in cross-correlation.
# 4. All signs are reversed. Compute a convolution in space: it flips the filter and has no bar. The
#    blur is its own flipped copy.
# 5. As far from the border as the filter reaches: one pixel for 3 × 3, everywhere for a mask, whose
#    filter has as many weights as the image has pixels. If you append enough zeros, both agree.
# </details>
#
# You can also pass an image of your own, 32 × 32 pixels. For our photo, scaled down to that size,
# write `FourierGallery(F.avg_pool2d(picture, 4)[0].tolist())`.

# %% [markdown]
# ## Aliasing: when a frequency changes its name
#
# If you keep every second pixel, the new grid can hold frequencies up to $\tfrac12$ cycle per *new*
# pixel, which is $\tfrac14$ cycle per old pixel. What happens to finer stripes?
#
# **Predict, then run.** Take stripes with 56 cycles across 128 pixels, and keep every second pixel.
# How many stripes will you count?

# %%
fine = stripes(0, 56)  # 56/128 = 0.44 cycles per pixel
thinned = fine[..., ::2, ::2]  # (1, 64, 64)
blurred_first = filtered(fine[None], binomial_kernel(5))[0, ..., ::2, ::2]  # (1, 64, 64)
titles = ["56 cycles across", "every second pixel", "blurred first"]
show(
    plot_images([fine, thinned, blurred_first], titles, size=2.2),
    "Fine vertical stripes; the same with every second pixel kept, which shows eight broad "
    "stripes; and with a blur before that, which leaves a uniform grey",
)
amplitudes = torch.fft.rfft(thinned[0, 0] - thinned.mean()).abs()  # (33,): 0 to 32 cycles
expect(amplitudes.argmax() == 64 - 56, "56 cycles have become 64 − 56 = 8.")

# %% [markdown]
# You see eight broad stripes that nobody drew. The pixels in between would show that there were 56
# fine ones, but these pixels are gone: a frequency above the new limit lives on under a *false
# name*, an **alias**. With stride $s$, the frequency $u$ becomes $s\,u$ cycles per new pixel, and
# no grid can see a difference of whole cycles per pixel. Here $2 \cdot 0.4375 = 0.875 = 1 - 0.125$,
# and 0.125 cycles per pixel are eight cycles in 64 pixels.
#
# Afterwards nothing helps. Beforehand, a blur does: what the grid cannot hold should be removed,
# and grey is the honest result. An image that contains all frequencies shows both the aliases and
# the remedy:

# %%
r, c = torch.meshgrid(torch.arange(256) - 128.0, torch.arange(256) - 128.0, indexing="ij")
rings = (0.5 + 0.5 * torch.cos(math.pi * (r**2 + c**2) / 256))[None]  # finer and finer outwards
blurred_first = filtered(rings[None], binomial_kernel(9))[0, ..., ::3, ::3]  # (1, 86, 86)
titles = ["rings", "every third pixel", "blurred first"]
show(
    plot_images([rings, rings[..., ::3, ::3], blurred_first], titles, size=1.9),
    "Rings that get finer outwards. With every third pixel kept, nine centres of rings appear, "
    "eight of them false. Blurred first, the rings fade to grey where they are too fine",
)

# %% [markdown]
# ## Pooling taken apart
#
# We return to strides. Zhang (2019) splits max pooling into two steps:

# %%
print("Are convnets invariant to shifts?")
print(facts.get("shift.convnets").value)
dense = F.max_pool2d(edges(x), 2, stride=1)  # the maximum of every window, (1, 4, 127, 127)
every_second = dense[..., ::2, ::2]  # (1, 4, 64, 64)
expect(F.max_pool2d(edges(x), 2).equal(every_second), "Max pooling is both steps in one.")

# %% [markdown]
# The dense maximum treats every window alike, so it is equivariant. The subsampling is not, and the
# reason is aliasing. Move the image by one pixel, which is half a new pixel. The phase of a wave
# that keeps its name turns by exactly the angle that moves the output by half a pixel. An alias
# turns by the angle of its true frequency, but to move with the image it would have to turn by the
# angle of its false one. The two angles differ by half a turn, so the alias arrives with the
# opposite sign.
#
# If that is the only reason, then a layer that drops the frequencies above the new limit must
# follow *every* shift. Our ruler can test this, since it knows how to move an output by half a
# pixel:


# %%
def dense_max(maps: Tensor) -> Tensor:
    """Return the maximum of every 2 x 2 window on the ring; the size stays the same."""
    return F.max_pool2d(F.pad(maps, (0, 1, 0, 1), mode="circular"), 2, stride=1)


def ideal_pool(maps: Tensor) -> Tensor:
    """Max-pool without aliasing: drop what the new grid cannot hold, then subsample."""
    return low_pass(dense_max(maps), 1 / 4)[..., ::2, ::2]


# %%
print("shift     " + "".join(f"{pixels:8}" for pixels in range(1, 7)))
worst = {}
for name, pool in (("dense max", dense_max), ("max pool", nn.MaxPool2d(2)), ("ideal", ideal_pool)):
    found = [equivariance_error(chain(edges, pool), x, s, s) for s in range(1, 7)]
    print(f"{name:10}" + "".join(f"{error:8.4f}" for error in found))
    worst[name] = max(found)
expect(worst["dense max"] < 1e-5, "The dense maximum follows every shift.")
expect(worst["ideal"] < 1e-5, "Without aliasing, so does a layer with stride 2.")
expect(worst["max pool"] > 0.4, "Max pooling does not.")

# %% [markdown]
# ## Blur-pooling
#
# The ideal low-pass needs the whole image for every pixel, which is neither local nor cheap.
# Zhang's layer uses a small binomial blur instead. Here it is, with the max pooling built on it:

# %%
from course_utils.models.blurpool import BlurPool, MaxBlurPool  # inline

# %% [markdown]
# **Predict, then run.** All layers below except the first halve the same edge maps. Order these by
# their error for a shift by one pixel: plain stride, max pooling, average pooling, blur-pooling.

# %%
on_ring = {"padding_mode": "circular"}
halving = {
    "nothing halved": nn.Identity(),
    "stride 2": lambda maps: maps[..., ::2, ::2],
    "max 2 × 2": nn.MaxPool2d(2),
    "average 2 × 2": nn.AvgPool2d(2),
    "blur 3 × 3": BlurPool(3, **on_ring),
    "blur 5 × 5": BlurPool(5, **on_ring),
    "max, blur 3 × 3": MaxBlurPool(blur_size=3, **on_ring),
    "max, blur 5 × 5": MaxBlurPool(blur_size=5, **on_ring),
    "max, ideal": ideal_pool,
}

# %%
print(f"{'padding':18}{'circular':>18}{'zeros':>20}")
print(f"{'shift by':18}{1:9}{2:9}{1:11}{2:9}")
odd, even = {}, {}
for name, halve in halving.items():
    odd[name], even[name], *zeros = (
        equivariance_error(chain(layer, halve), x, pixels, pixels)
        for layer in (edges, with_zeros)
        for pixels in (1, 2)
    )
    print(f"{name:18}{odd[name]:9.3f}{even[name]:9.3f}{zeros[0]:11.3f}{zeros[1]:9.3f}")

# %%
expect(
    odd["max, blur 3 × 3"] < odd["max 2 × 2"] / 3,
    "A 3 × 3 blur removes 2/3 of max pooling's error.",
)
expect(odd["max, blur 5 × 5"] < odd["max 2 × 2"] / 7, "A 5 × 5 blur removes 6/7 of it.")
expect(odd["blur 3 × 3"] < odd["average 2 × 2"] < odd["stride 2"], "A mean blurs a little.")
expect(max(even.values()) < 1e-5, "On the ring, all layers follow a shift by 2.")

# %% [markdown]
# Average pooling is also a blur, but such a weak one, with 2 × 2 weights, that here it does no
# better than max pooling. And no blur can repair the zeros at the border, which add to the errors
# in the two columns on the right.
#
# Networks halve their maps several times. Let us chain three rounds of convolution, ReLU and
# pooling.


# %%
def rounds(x: Tensor, pool, border: str = "circular") -> Tensor:
    """Apply a random convolution, ReLU and pooling three times: (N, 8, H/8, W/8)."""
    for weights in (first, others, others):
        x = pool(F.conv2d(F.pad(x, (1, 1, 1, 1), mode=border), weights).relu())
    return x


chosen = ["max 2 × 2", "average 2 × 2", "max, ideal", "max, blur 3 × 3", "max, blur 5 × 5"]
chains = {}
for name in chosen:
    net = partial(rounds, pool=halving[name])
    chains[name] = [equivariance_error(net, x, pixels, pixels) for pixels in range(17)]

# %%
show(
    plot_lines(chains, range(17), "shift down and right, in pixels", "equivariance error"),
    "Equivariance error of three rounds against the shift: zero at 0, 8 and 16 for all. In between "
    "max pooling is highest, then comes average pooling; the ideal low-pass and the 3 × 3 blur are "
    "lower, and the 5 × 5 blur is lowest, except at 4 and 12, where the ideal low-pass is at zero",
)
worst = {name: max(errors) for name, errors in chains.items()}
exact = [errors[pixels] for errors in chains.values() for pixels in (0, 8, 16)]
expect(max(exact) < 1e-5, "A shift by 8 = 2 · 2 · 2 is exact for all.")
expect(
    worst["max, blur 5 × 5"] < worst["max 2 × 2"] / 8,
    "5 × 5 blurs leave less than 1/8 of the error.",
)
expect(worst["max, ideal"] > 0.01, "The ideal low-pass is no longer exact.")

# %% [markdown]
# The last claim may surprise you. A ReLU makes sharp kinks, which are new high frequencies. In the
# second round it does so *after* the map was subsampled, on a grid that cannot hold them. A blur
# leaves softer maps, which give the next ReLU less to alias. No pooling layer can prevent that
# completely. (At 4 and 12 the error of the ideal low-pass falls to 0: its last subsampling is
# exact, so the only grids that count are those on which a ReLU or a maximum works, and the coarsest
# of these keeps every fourth pixel.)
#
# The recipe ends with global average pooling. Here it follows these three rounds:

# %%
print(f"{'invariance error, shift by 3':30}{'circular':>10}{'zeros':>10}")
scores = {}
for name in (*chosen, "blur 3 × 3"):
    nets = [partial(rounds, pool=halving[name], border=b) for b in ("circular", "constant")]
    pair = [invariance_error(chain(net, nn.AdaptiveAvgPool2d(1)), x, 3, 3) for net in nets]
    print(f"{name:30}{pair[0]:10.4f}{pair[1]:10.4f}")
    scores[name] = pair[0]
expect(
    scores["max, blur 5 × 5"] < scores["max 2 × 2"] / 8,
    "With blurs, the scores move less than 1/8 as much.",
)

# %% [markdown]
# The two that take no maximum do best here: a maximum, like a ReLU, makes new high frequencies. (On
# the ring, the last round costs only max pooling anything: means, blurs and the ideal low-pass all
# keep the mean of the whole map.) The error of max pooling, one to two per cent, sounds harmless.
# But the prediction of a trained net can depend on it: Azulay and Weiss (2019) and Zhang (2019)
# show nets that change their prediction when the image moves by one pixel. Zhang also reports that
# blur-pooling *raised* the accuracy on ImageNet, although it adds no parameters and removes detail.

# %% [markdown]
# ## Other operators: a quarter turn ◇
#
# $T$ need not be a shift. **Predict, then run.** Rotate the image by 90 degrees. For which filters
# does *turn, then look* equal *look, then turn*?

# %%
for name, kernel in (("blur", BLUR), ("Laplacian", LAPLACIAN), ("Sobel", SOBEL)):
    turn_look = filtered(x.rot90(dims=(2, 3)), kernel)
    look_turn = filtered(x, kernel).rot90(dims=(2, 3))
    error = (turn_look - look_turn).norm() / look_turn.norm()
    alike = "is" if kernel.equal(kernel.rot90()) else "is not"
    print(f"{name:10} error {error:.4f}; turned, the filter {alike} the same")

# %% [markdown]
# Convolution shares its weights over places, not over directions. A filter that is equivariant to
# quarter turns must look the same after one, and no filter for edges in *one* direction does.
# Some layers share weights over rotated copies of their filters (Cohen and Welling 2016); most nets
# learn the rotated copies from data.

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("06_equivariance_and_fourier")

# %% [markdown]
# ## What to remember
#
# - Equivariance: $f(Tx) = T f(x)$, the output moves with the input. Invariance: $g(Tx) = g(x)$, the
#   output stays the same.
# - A linear layer that is equivariant to shifts is a convolution: weight sharing is the only way.
# - Zero padding breaks equivariance from the border inwards. A stride $s$ breaks it for all shifts
#   except multiples of $s$.
# - Pooling is invariant only locally and approximately. Global pooling turns equivariance into
#   invariance.
# - The convolution theorem for deep learning's convolution is
#   $\overline{\mathcal{F}[f]}\;\mathcal{F}[x]$, on the ring. With zero padding, a ring of
#   $n + k - 1$ pixels is always large enough.
# - A stride gives high frequencies false names. Blur before you subsample.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Which changes to an image should never change the prediction? Is there one for which that holds
#    in every task?
# 2. Blurring before subsampling costs sharpness. When would you pay that price?
# 3. Your images come from a microscope, and have no right way up. Which symmetry would you build
#    in, and how?

# %% [markdown]
# ## Further reading
#
# - R. Zhang: *Making convolutional networks shift-invariant again.* ICML 2019, pages 7324–7334.
# - A. Azulay, Y. Weiss: *Why do deep convolutional networks generalize so poorly to small image
#   transformations?* Journal of Machine Learning Research 20(184), 2019.
# - M. A. Islam, S. Jia, N. D. B. Bruce: *How much position information do convolutional neural
#   networks encode?* ICLR 2020.
# - O. S. Kayhan, J. C. van Gemert: *On translation invariance in CNNs: Convolutional layers can
#   exploit absolute spatial location.* CVPR 2020, pages 14262–14273.
# - T. S. Cohen, M. Welling: *Group equivariant convolutional networks.* ICML 2016.
#
# **Exercise** {exercise}
#
# **Next** In lesson 07 you write a training loop and train LeNet-5.

# %% [markdown]
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | operator | 연산자 | maps a whole image to a whole image |
# | equivariance | 등변성 | the output moves along with the input |
# | invariance | 불변성 | the output stays the same when the input moves |
# | global average pooling | 전역 평균 풀링 | mean of each map over all places |
# | frequency | 주파수 | how many cycles a wave has per pixel |
# | amplitude, phase | 진폭, 위상 | how strong a wave is, and where its crests lie |
# | Fourier transform | 푸리에 변환 | writes an image as a sum of waves |
# | cross-correlation | 교차 상관 | convolution without flipping the filter |
# | low-pass, high-pass | 저역 통과, 고역 통과 | lets low or high frequencies through |
# | aliasing | 에일리어싱 | a frequency too high for the grid appears as a lower one |
# | subsampling | 서브샘플링 | keeping only every s-th pixel |
