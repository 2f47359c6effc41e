# %% [markdown]
# # 06 · Equivariance and Fourier
#
# **After this lesson you can**
# - say what it means that a layer is equivariant or invariant to shifts, and measure both;
# - say which of padding, stride and pooling breaks them, where, and by how much;
# - state the convolution theorem for what deep learning calls convolution, and add the zeros it
#   needs;
# - read a filter as a frequency response, predict aliasing, and repair a pooling layer by a blur.
#
# **Time** 60 minutes. Nothing is trained here.
#
# **Builds on** 03 (convolution) and 04 (stride, padding, pooling). Complex numbers are used in the
# second half; $e^{i\varphi}$ as a point on the unit circle is all you need.

# %% [markdown]
# ## The question
#
# A cat that walks from the left of a photo to the right stays a cat. What should the numbers inside
# a network do meanwhile? Where the network still asks *where is an ear?*, they should walk along.
# Where it answers *is there a cat?*, they should stay as they are.
#
# "Convnets are translation invariant" is one of the most repeated sentences of the field. It mixes
# the two up, and for most convnets it is not even true. In this lesson we hold a ruler to it.

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
# Our picture is the photo of lesson 01, in grey, cut to a square and made four times smaller.

# %%
photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
WEIGHTS = torch.tensor([0.299, 0.587, 0.114])  # luminance, as in lesson 01
grey = photo[20:532] / 255 @ WEIGHTS  # (512, 512)
picture = F.avg_pool2d(grey[None], 4)  # (1, 128, 128), float in [0, 1]
x = picture[None]  # (N, C, H, W) = (1, 1, 128, 128)

# %% [markdown]
# ## A shift is an operator
#
# An **operator** takes a whole picture and gives a whole picture. The shift $T_{a,b}$ moves
# everything down by $a$ pixels and to the right by $b$:
#
# $$(T_{a,b}\,x)(i, j) = x(i - a,\; j - b)$$
#
# The minus is right: what is *now* at row $i$ was at row $i-a$ before. One question is open: what
# comes in at the edge? We close the picture to a ring: what leaves on the right comes in on the
# left. No camera does that, but it is the only shift that loses nothing, so it tests a layer and
# nothing else. `torch.roll` is this shift.


# %%
def roll(x: Tensor, rows: int, columns: int) -> Tensor:
    """T: move pictures (..., H, W) down and to the right, on a ring."""
    return x.roll((rows, columns), dims=(-2, -1))


show(
    plot_images([picture, roll(picture, 24, 40)], ["x", "T x"], size=2.2),
    "The photo, and the photo moved down by 24 and right by 40 pixels: what leaves at the bottom "
    "and at the right comes in at the top and at the left",
)

# %%
expect(roll(roll(x, 3, 1), 4, 5).equal(roll(x, 7, 6)), "Two shifts make one.")
expect(roll(roll(x, 9, 9), -9, -9).equal(x), "A shift can be undone.")
both = roll(2 * x + x.sqrt(), 5, 8)
expect(both.equal(2 * roll(x, 5, 8) + roll(x.sqrt(), 5, 8)), "A shift is linear.")

# %% [markdown]
# What is linear is a matrix. For a row of six pixels, $T_1$ is this one. Each row has a single 1,
# which picks the left neighbour:

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
# | **equivariance** | the output moves along | $f(T x) = T f(x)$ | feature maps, detection, segmentation |
# | **invariance** | the output stays | $g(T x) = g(x)$ | classification |
#
# Read the first equation as two ways around a square: *move, then look* must give what *look, then
# move* gives. An equivariant layer has not forgotten where things are. An invariant one has.
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
# The third step needs two things: $f(p)$ does not depend on $i$, which is **weight sharing**, and
# $i+p-a$ is always a pixel, which on the ring it is.


# %%
def correlate(weights: Tensor, x: Tensor) -> Tensor:
    """Sum over p of weights(p) x(i + p), for every i of a ring; weights may differ by i."""
    return sum(weights[..., p] * x.roll(-p) for p in range(weights.shape[-1]))


row = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6])
shared = torch.tensor([1, -2, 3])  # the same three weights at every place
move_look, look_move = correlate(shared, row.roll(2)), correlate(shared, row).roll(2)
print("move, then look:", move_look.tolist())
print("look, then move:", look_move.tolist())
expect(move_look.equal(look_move), "Both ways give the same.")

# %% [markdown]
# **Predict, then run.** A *locally connected* layer (lesson 03) has three weights of its own at
# every place. Does the output still move along?

# %%
local = torch.tensor([[(3 * i + 5 * p) % 7 - 3 for p in range(3)] for i in range(8)])  # (8, 3)
print("move, then look:", correlate(local, row.roll(2)).tolist())
print("look, then move:", correlate(local, row).roll(2).tolist())

# %% [markdown]
# It does not. And the other direction holds as well: **every linear layer that is equivariant to
# shifts is a convolution.** Let $M$ be its matrix and $e_j$ the input that is 1 at pixel $j$ and 0
# elsewhere. Each $e_j$ is a shifted $e_0$, so
#
# $$M e_j = M\,T_j\,e_0 = T_j\,M e_0$$
#
# But $M e_j$ is column $j$ of the matrix. Every column is the first one, moved: one set of weights,
# used everywhere. So weight sharing is no trick to save memory. If a linear layer is to treat all
# places alike, there is no other choice.
#
# We can watch it happen: take any matrix, and average it over all ways of moving, applying, and
# moving back.

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
# Every diagonal holds one number, six numbers in all instead of thirty-six: a convolution with a
# filter of six weights. A small filter is the case in which most of them are 0, which is the
# principle of locality and a separate choice.

# %% [markdown]
# ## The ruler
#
# How far from equal are the two sides? We measure the distance as a part of the output's own size:
#
# $$\text{equivariance error} = \frac{\lVert f(Tx) - T f(x) \rVert}{\lVert f(x) \rVert} \qquad
# \text{invariance error} = \frac{\lVert g(Tx) - g(x) \rVert}{\lVert g(x) \rVert}$$
#
# 0 is perfect. At 1 the mistake is as large as the output itself. Our layer has four filters, which
# look for edges in two directions, for their opposite, and for bright spots (minus the Laplacian);
# then a ReLU.

# %%
SOBEL, LAPLACIAN = named_kernel("Sobel, vertical edges"), named_kernel("Laplacian")
filters = torch.stack([SOBEL, SOBEL.T, -SOBEL, -LAPLACIAN])[:, None]  # (4, 1, 3, 3)


def edges(x: Tensor, border: str = "circular") -> Tensor:
    """Convolution and ReLU: (N, 1, H, W) -> (N, 4, H, W)."""
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=border), filters).relu()


# %%
by_hand = (edges(roll(x, 5, 9)) - roll(edges(x), 5, 9)).norm() / edges(x).norm()
print(f"by hand: {by_hand:.4f}   by the package: {equivariance_error(edges, x, 5, 9):.4f}")
errors = [equivariance_error(edges, x, s, s) for s in range(1, 9)]
expect(max(errors) < 1e-5, "Circular convolution has no error beyond rounding.")

# %%
show(
    plot_two_ways(edges, picture, 24, 40),
    "A square of pictures. Above: the photo, its map of vertical edges, and that map moved. "
    "Below: the photo moved, its map of edges, which is the same as the moved map, and their "
    "difference, which is empty",
)

# %% [markdown]
# The ReLU did no harm: it treats every pixel alike. Nor does stacking, since
# $f_2(f_1(Tx)) = f_2(T f_1(x)) = T f_2(f_1(x))$. A net of circular convolutions and pointwise
# functions is equivariant, however deep. What, then, breaks it?
#
# ### Try it: the shift lab
#
# A shape of 12 × 12 pixels goes through a convolution, ReLU and pooling. Move it with the mouse or
# the arrow keys, or press Play, and compare $f(Tx)$ with $T f(x)$.
#
# 1. Set the pooling to "none". Is there a shift that the map does not follow? Now put zeros around
#    the picture. From which shift on does it fail, and why not before?
# 2. Back to "circular", with "stride 2": which shifts does the map still follow?
# 3. Choose "Fine stripes", "Identity" and "stride 2". What does the layer see at shift 0, at 1, at 2?
# 4. Take the disc, Sobel and "max 2 × 2". Does the mean of the map stay? Which poolings make it stay?
# 5. Order the poolings by their equivariance error for the disc. The rest of the lesson explains it.

# %%
from course_utils.widgets import ShiftLab

ShiftLab(pool="max 2 × 2", right=3)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. None. With zeros the disc is safe until 10 pixels to the left and 12 to the right: what lies
#    beyond the border is black either way. (That the sides differ is ReLU's doing, which drops the
#    answer at one of them.)
# 2. The even ones, for which the map moves by whole cells.
# 3. At 0 and 2 a solid block, at 1 nothing at all: every pixel that is kept is black.
# 4. Not with "max 2 × 2": it sees another set of windows after every odd shift. With all others it stays,
#    on the ring.
# 5. From the largest: stride 2, max 2 × 2, average 2 × 2, blur 3 × 3, max with blur 3 × 3, max with
#    blur 5 × 5, none. Where the map should move by half a cell, the lab has to say what half a cell
#    is; so will we, below.
# </details>

# %% [markdown]
# ## Zero padding breaks it, from the border inwards
#
# No real layer closes the picture to a ring. The usual one puts zeros around it.
#
# **Predict, then run.** With a filter of 3 × 3 and a shift by 4, at which pixels will *move, then
# look* and *look, then move* differ? And after 4 layers, or 16?

# %%
generator = torch.Generator().manual_seed(0)
first = torch.randn(8, 1, 3, 3, generator=generator) * (2 / 9) ** 0.5
others = torch.randn(8, 8, 3, 3, generator=generator) * (2 / 72) ** 0.5


def stack(x: Tensor, num_layers: int, border: str = "constant") -> Tensor:
    """Convolutions of 3 x 3 with random filters, each with a ReLU; "constant" is zeros."""
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
    plot_images(marked, ["1 layer", "4 layers", "16 layers"], size=2.4),
    "The moved photo with the differing pixels in orange: thin lines along the border and the old "
    "border after one layer, a frame after four, and half of the picture after sixteen",
)

# %% [markdown]
# Orange pixels differ; all others agree but for rounding. There are two borders at the top and at
# the left: the picture's own, and 4 pixels further in the one that has moved along. Around both,
# the error spreads by a pixel with every layer, just as the **receptive field** (lesson 04) grows.
#
# So a deep net with zero padding can *know where it is*: the distance from the border is written
# into its maps. Islam et al. (2020) could read positions out of trained nets, and Kayhan and van
# Gemert (2020) found that nets learn filters that answer in one part of the picture only.
#
# What stays away from the border is safe:

# %%
framed = x * F.pad(torch.ones(1, 1, 88, 88), (20, 20, 20, 20))  # 20 black pixels on each side
for depth in (1, 4, 16):
    layers = partial(stack, num_layers=depth)
    on_photo, on_framed = (equivariance_error(layers, image, 4, 4) for image in (x, framed))
    print(f"depth {depth:2}: {on_photo:.4f} on the photo, {on_framed:.4f} with a black frame")

# %% [markdown]
# Even after sixteen layers a frame of twenty pixels is wide enough. (These layers have no bias.
# With one, black would not stay 0 after the first layer, and the zeros around it would show again.)

# %% [markdown]
# ## A stride breaks it, between its multiples
#
# A stride of 2 keeps every second pixel. Look at the hardest case:

# %%
stripes_row = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
print("kept of the stripes:       ", stripes_row[::2].tolist())
print("kept after a shift by one: ", stripes_row.roll(1)[::2].tolist())

# %% [markdown]
# All black turns into all white. No shift of the first output gives the second: equivariance is not
# bent here, it is gone.
#
# **Predict, then run.** For the photo and a stride of 2: which shifts, from 1 to 8, does the output
# follow? For a stride of 4? To be generous, we compare with all whole shifts of the output along the same
# diagonal, by up to 8 places, and count the best.


# %%
def best_error(layer, x: Tensor, pixels: int) -> float:
    """Return the smallest error over all whole shifts of the output, down and right."""
    output, moved = layer(x), layer(roll(x, pixels, pixels))
    distances = [(moved - roll(output, s, s)).norm() for s in range(-8, 9)]
    return float(min(distances) / output.norm())


def keep_every(stride: int):
    """Return the edge maps' layer with a stride: (N, 1, H, W) -> (N, 4, H/stride, W/stride)."""
    return lambda x: edges(x)[..., ::stride, ::stride]


# %%
print("shift   " + "".join(f"{pixels:7}" for pixels in range(1, 9)))
for stride in (1, 2, 4):
    found = [best_error(keep_every(stride), x, pixels) for pixels in range(1, 9)]
    print(f"stride {stride}" + "".join(f"{error:7.2f}" for error in found))

# %% [markdown]
# A stride $s$ is exactly equivariant to multiples of $s$, for which the output moves by $1/s$ of
# the shift. In between the error is of the size of the output. Only one shift in $s$ is a multiple,
# in two dimensions one in $s^2$; and strides multiply. A net that has halved its maps five times
# follows one shift in $32^2 = 1024$.

# %% [markdown]
# ## Does pooling give invariance?

# %%
print(facts.trap("pooling_is_invariant"))

# %% [markdown]
# Max pooling looks as if it did: move a feature within its window, and the maximum stays. But at
# the window's edge it falls out, and its neighbour's falls in.
#
# **Predict, then run.** We pool the edge maps in windows of 2 to 32 pixels, and over the whole map.
# Which of them are invariant to a shift by one pixel? Which to a shift by 8?


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
    "Invariance error over the shift for max pooling with windows from none to the whole map: the "
    "larger the window, the slower the error rises; only for the whole map it is zero",
)

# %%
none, two, eight, whole = (pooled[name] for name in ("no pooling", "2 × 2", "8 × 8", "whole map"))
print("shift by 4:", ", ".join(f"{name} {errors[4]:.2f}" for name, errors in pooled.items()))
expect(0 < eight[1] < none[1] / 2, "8 × 8 windows take most of a shift by 1, but not all.")
expect(two[4] > 1, "2 × 2 windows do nothing against a shift by 4.")
expect(max(whole) < 1e-5, "Pooling over the whole map is invariant.")

# %% [markdown]
# So pooling is invariant *locally* (for shifts well below its window) and *approximately* (never
# exactly). And as its windows move by a stride, it breaks equivariance, too.

# %% [markdown]
# ## From equivariance to invariance
#
# Only the last line is flat. Pooling over the **whole** map cannot notice where things are: a mean
# or a maximum does not know the order of its numbers. Together with an equivariant $f$,
#
# $$g(f(Tx)) = g(T f(x)) = g(f(x))$$
#
# and that is the recipe: **equivariant layers first, one global pooling at the end.** The mean is
# called **global average pooling**; GoogLeNet and ResNet (lessons 10 and 13) end with it. LeNet,
# AlexNet and VGG flatten instead, and a linear layer then has weights of its own for every place.
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
expect(errors["flatten"] > 1, "Flattened, it is anything but that.")

# %% [markdown]
# With zero padding the global average is nearly invariant, since the border is a small part of the
# map. It is exact for an $f$ that is exact.
#
# We know now *that* strides break equivariance. To see *why*, and what to do about it, we need to
# look at pictures in another way.

# %% [markdown]
# ## Every picture is a sum of stripes
#
# The **discrete Fourier transform** writes a picture $x(r, c)$ of $H$ rows and $W$ columns as a sum
# of waves. The wave with $k$ cycles down and $l$ cycles across the picture gets the complex number
#
# $$X(k, l) = \sum_{r,\,c} x(r, c)\; e^{-2\pi \mathrm{i}\,(k r/H \,+\, l c/W)}$$
#
# whose size, divided by $HW$, is the wave's **amplitude** and whose angle, the **phase**, says where its crests lie.
# Adding up all waves gives the picture back:
#
# $$x(r, c) = \frac{1}{HW} \sum_{k,\,l} X(k, l)\; e^{2\pi \mathrm{i}\,(k r/H \,+\, l c/W)}$$
#
# We count frequencies in cycles per pixel, $u = k/H$ and $v = l/W$. The finest possible stripes,
# one pixel light and one dark, have frequency $\tfrac12$, the **Nyquist frequency**.


# %%
from course_utils.plots import plot_frequency_responses, plot_spectra


def stripes(down: float, across: float, size: int = 128) -> Tensor:
    """A wave with so many cycles down and across, as a picture (1, size, size) in [0, 1]."""
    r, c = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return 0.5 + 0.5 * torch.cos(2 * math.pi * (down * r + across * c) / size)[None]


broad, slanted = stripes(0, 4), stripes(24, 12)
titles = ["4 across", "24 down, 12 across", "their mean", "photo"]
show(
    plot_spectra([broad, slanted, (broad + slanted) / 2, picture], titles, size=1.9),
    "Pictures and their spectra. Broad upright stripes: three dots near the middle. Fine slanted "
    "stripes: two dots farther out and one in the middle. Their mean: all of these dots. The "
    "photo: a bright middle that fades outwards, with a cross through it",
)

# %% [markdown]
# Frequency 0, the mean brightness, is in the middle. Each wave shows up twice, at $(u, v)$ and
# $(-u, -v)$, because a cosine is the sum of two opposite complex waves. The photo holds all
# frequencies, the low ones far stronger. The cross through its middle comes from upright and level
# edges; the jump where the ring closes is one of them.
#
# Nothing is lost on the way, so we may also change the spectrum and go back. The **ideal low-pass**
# keeps what is below a cut-off and drops the rest.


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
titles = ["below 1/4", "below 1/8", "below 1/16", "above 1/8"]
show(
    plot_images([*kept, rest], titles, size=1.8),
    "The photo with its high frequencies cut off at a quarter, an eighth and a sixteenth: softer "
    "and softer, with faint ripples beside edges. What lies above an eighth: fine lines on grey",
)

# %% [markdown]
# ## A shift turns phases, and nothing else
#
# Put $T_{a,b}\,x$ into the sum and count rows from $a$ and columns from $b$. A factor comes out:
#
# $$\mathcal{F}[T_{a,b}\,x](u, v) = e^{-2\pi \mathrm{i}\,(u a + v b)} \; \mathcal{F}[x](u, v)$$
#
# It lies on the unit circle. So amplitudes stay, and each phase turns by an angle proportional to
# its frequency. Nothing here demands that $a$ and $b$ are whole numbers: the formula also says what
# a shift by half a pixel *is*. Our ruler will need that.

# %%
from course_utils.equivariance import shift  # inline

# %%
before, after = torch.fft.fft2(x), torch.fft.fft2(roll(x, 24, 40))
expect(torch.allclose(before.abs(), after.abs(), atol=1e-2), "Amplitudes are invariant.")
smooth = low_pass(x, 1 / 2)  # all but the Nyquist frequency
in_two_steps = shift(shift(smooth, 0.5, 0.25), 0.5, 0.75)
expect(
    torch.allclose(in_two_steps, roll(smooth, 1, 1), atol=1e-5),
    "Parts of a pixel add up to a whole one.",
)
finest = stripes(0, 64)  # one column light, one dark
between = shift(finest, 0, 0.5)
print(f"the finest stripes, half a pixel on: from {between.min():.2f} to {between.max():.2f}")

# %% [markdown]
# The last line is the exception. Half a pixel on, stripes of one light and one dark pixel are an
# even grey: the pixels of such stripes do not tell where their crests lie between the pixels.

# %% [markdown]
# ## The convolution theorem, and a trap
#
# A convolution treats all places alike, so it cannot turn one wave into another. It can only make
# each stronger or weaker and turn its phase: in the spectrum, convolution is *multiplication*. By
# what? In one dimension, with $q = r + p$ in the third line:
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
# Mind the bar. It stands for the complex conjugate, and it comes from the *plus* in $x(r+p)$. Deep
# learning's "convolution" is a **cross-correlation**. Mathematicians' convolution,
# $\sum_p f(p)\,x(r-p)$, flips the filter and has no bar.

# %%
print(facts.trap("fourier_without_conjugate"))

# %% [markdown]
# **Predict, then run.** We compute both sides for three filters. For which of them does the formula
# *without* the conjugate fail?


# %%
def on_the_ring(kernel: Tensor, size: int = 128) -> Tensor:
    """Put a filter (k, k) into a picture of zeros, its middle at pixel (0, 0)."""
    k = len(kernel)
    return roll(F.pad(kernel, (0, size - k, 0, size - k)), -(k // 2), -(k // 2))


def filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """What F.conv2d computes with one filter on the ring; the size stays."""
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
# That is why the mistake lives on. Blur and Laplacian are symmetric, their spectra are real, and
# the bar changes nothing. Sobel's spectrum is imaginary, the bar changes its sign, and so the error
# is 2: the wrong formula finds every edge with the opposite sign. It is right for the *flipped*
# filter:

# %%
left, of_f = torch.fft.fft2(filtered(x, SOBEL.flip(0, 1))), torch.fft.fft2(on_the_ring(SOBEL))
expect(
    torch.allclose(left, of_f * of_x, atol=1e-2),
    "The product F[f] F[x] belongs to the flipped filter.",
)

# %% [markdown]
# ## What about zeros around the picture?
#
# The Fourier transform lives on the ring. With zero padding the theorem fails at the border, where
# the product sees pixels of the opposite edge. The cure is to append zeros, so that the ring closes
# over *them*.
#
# **Predict, then run.** A filter of $k = 5$, a picture of $n = 128$. How many zeros does the "same"
# output need, and how many the "full" one, which has every window that touches the picture?


# %%
def by_product(x: Tensor, kernel: Tensor, num_zeros: int) -> Tensor:
    """Append zeros, multiply the spectra, go back: (1, 1, 128, 128) -> (1, 1, 132, 132)."""
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
# $(k-1)/2 = 2$ are enough, because the border on the left and the one on the right share them.
#
# The theorem is also a way to *compute*: two transforms, a product, and one transform back, at a
# cost that does not grow with the filter. That pays for large filters. For nine weights the direct
# sum is cheaper, and so we use the theorem for insight only.

# %% [markdown]
# ## Filters as frequency responses
#
# By the theorem a filter multiplies the amplitude of each frequency by $|\mathcal{F}[f](u, v)|$,
# its **frequency response**. Take the blur in one dimension, $(1, 2, 1)/4$ with its middle at 0:
#
# $$\mathcal{F}[f](u) = \tfrac14 e^{2\pi \mathrm{i}\, u} + \tfrac24 + \tfrac14 e^{-2\pi \mathrm{i}\, u}
# = \tfrac12 + \tfrac12\cos 2\pi u = \cos^2 \pi u$$
#
# It is 1 at frequency 0 and falls to 0 at $\tfrac12$: low frequencies pass, hence **low-pass**. The
# Laplacian lets high ones pass and is a **high-pass**. A narrow blur minus a wide one, the
# **difference of Gaussians**, keeps what lies between and is a **band-pass**. For our blurs we take
# binomial coefficients, which approach a Gaussian:

# %%
from course_utils.models.blurpool import binomial_kernel  # inline

# %% [markdown]
# **Predict, then run.** Sobel subtracts the left neighbours from the right ones. What does it do to
# the finest upright stripes?

# %%
difference = F.pad(binomial_kernel(3), (2, 2, 2, 2)) - binomial_kernel(7)  # narrow minus wide
kernels = {"blur": BLUR, "Laplacian": LAPLACIAN / 4, "difference": difference, "Sobel": SOBEL / 8}
show(
    plot_frequency_responses(kernels, picture),
    "Four filters, each with its response over all frequencies and with the photo it makes. The "
    "blur is bright in the middle only; the Laplacian is dark there and bright in the corners; the "
    "difference of two blurs is a ring; Sobel is two spots left and right of the middle. Beside "
    "them the four responses as curves over the frequency across",
)

# %%
u = torch.arange(65) / 128  # cycles per pixel across, from 0 to 1/2
for name, kernel in kernels.items():
    response = torch.fft.fft2(kernel, s=(128, 128)).abs()[0, :65]  # (65,): none down
    top = f"largest at {u[response.argmax()]:.2f}"
    print(f"{name:10} at 0: {response[0]:.2f}   at 1/2: {response[-1]:.2f}   {top}")
response = torch.fft.fft2(BLUR, s=(128, 128)).abs()[0, :65]
expect(
    torch.allclose(response, torch.cos(math.pi * u) ** 2, atol=1e-5),
    "The blur's response is cos² πu.",
)

# %% [markdown]
# Sobel does not see the finest stripes: left and right of every pixel they are alike. It is a
# band-pass across and a low-pass down, so that noise does not pass for an edge.
#
# So filters differ by the frequencies and directions that they answer to. The first layer of a
# trained net is a whole set of such filters; lesson 08 shows AlexNet's.
#
# ### Try it: the Fourier gallery
#
# It filters a picture of 32 × 32 pixels twice, by sums in space and by a product of spectra, and
# says by how much the two outputs differ. Its low-pass is round: what counts is the frequency
# $\sqrt{u^2 + v^2}$, whatever its direction; ours cut down and across.
#
# 1. "Fine slanted stripes" has 10 cycles down and 6 across. At which cut-off will the low-pass let
#    them through? Predict, then move the cut-off.
# 2. "House", low-pass: switch the edge from ideal to Gaussian. Where did the ripples come from? Look
#    at the filter's weights.
# 3. "One dot": what is its spectrum? What is the output, for any filter?
# 4. "Sobel, vertical edges": multiply by $\mathcal{F}[f]$ without the bar. What happens to the output?
#    What else can you change so that both ways agree again? Why does "Gaussian 3 × 3" not care?
# 5. Put zeros at the border. Where do the two ways differ, for a small filter and for a mask? Then
#    append zeros.

# %%
from course_utils.widgets import FourierGallery

FourierGallery("House", filter="Low-pass", cut_off=6)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. Between 11/32 and 12/32, since $\sqrt{10^2 + 6^2} = 11.7$. With 11/32 an even grey is left.
# 2. From the weights, which swing around 0 all over the picture: an edge in frequency makes ripples
#    in space. The Gaussian's weights are a Gaussian again, and do not swing.
# 3. The same amplitude at all frequencies. The output is the filter itself, turned by 180° in
#    cross-correlation.
# 4. All signs turn round. Compute a convolution in space: it flips the filter, and has no bar. The
#    blur is its own flipped copy.
# 5. As far from the border as the filter reaches: one pixel for 3 × 3, everywhere for a mask, whose
#    weights are as many as the picture's pixels. With enough zeros appended both agree.
# </details>
#
# It also takes a picture of your own, 32 × 32. Ours, made small enough:
# `FourierGallery(F.avg_pool2d(picture, 4)[0].tolist())`.

# %% [markdown]
# ## Aliasing: when a frequency changes its name
#
# A grid that keeps every second pixel holds frequencies up to $\tfrac12$ per *new* pixel, which is
# $\tfrac14$ per old one. What happens to stripes that are finer?
#
# **Predict, then run.** 56 cycles across 128 pixels. Keep every second pixel. How many stripes will
# you count?

# %%
fine = stripes(0, 56)  # 56/128 = 0.44 cycles per pixel
thinned = fine[..., ::2, ::2]  # (1, 64, 64)
blurred_first = filtered(fine[None], binomial_kernel(5))[0, ..., ::2, ::2]  # (1, 64, 64)
titles = ["56 cycles", "every second pixel", "blurred first"]
show(
    plot_images([fine, thinned, blurred_first], titles, size=2.2),
    "Fine upright stripes; every second pixel of them, which shows eight broad stripes; and the "
    "same after a blur, which is an even grey",
)
amplitudes = torch.fft.rfft(thinned[0, 0] - thinned.mean()).abs()  # (33,): 0 to 32 cycles
expect(amplitudes.argmax() == 64 - 56, "56 cycles have become 64 − 56 = 8.")

# %% [markdown]
# Eight broad stripes, which nobody has drawn. The pixels between would have told them from 56 fine
# ones, but these are gone: a frequency above the new limit goes on under a *false name*, an
# **alias**. With stride $s$, the frequency $u$ becomes $s\,u$ cycles per new pixel, up to whole
# numbers, which no grid can see: $2 \cdot 0.4375 = 0.875 = 1 - 0.125$, and 0.125 cycles per pixel
# are eight in 64.
#
# After the fact nothing helps. Before it, a blur does: what cannot be kept should be removed, and
# grey is the honest answer. A picture that holds all frequencies at once shows both:

# %%
r, c = torch.meshgrid(torch.arange(256) - 128.0, torch.arange(256) - 128.0, indexing="ij")
rings = (0.5 + 0.5 * torch.cos(math.pi * (r**2 + c**2) / 256))[None]  # finer and finer outwards
blurred_first = filtered(rings[None], binomial_kernel(9))[0, ..., ::3, ::3]  # (1, 86, 86)
titles = ["rings", "every third pixel", "blurred first"]
show(
    plot_images([rings, rings[..., ::3, ::3], blurred_first], titles, size=2.9),
    "Rings that get finer outwards. Of every third pixel nine centres of rings appear, eight of "
    "them false. Blurred first, the rings fade to grey where they are too fine",
)

# %% [markdown]
# ## Pooling taken apart
#
# Back to the strides. Zhang (2019) looked at max pooling as two steps:

# %%
print("Are convnets invariant to shifts?")
print(facts.get("shift.convnets").value)
dense = F.max_pool2d(edges(x), 2, stride=1)  # the maximum of every window, (1, 4, 127, 127)
every_second = dense[..., ::2, ::2]  # (1, 4, 64, 64)
expect(F.max_pool2d(edges(x), 2).equal(every_second), "Max pooling is both steps in one.")

# %% [markdown]
# The dense maximum treats every window alike, so it is equivariant. The subsampling is not, and its
# crime is aliasing. Move the picture by one pixel, half a new one. A wave that keeps its name turns
# its phase by the angle that $T$ expects. An alias turns by the angle of its true frequency, but
# $T$ expects that of the false one: half a turn off, so the wave arrives with the opposite sign.
#
# If that is all, then a layer that drops the frequencies above the new limit must follow *every*
# shift. The ruler can tell, since it knows how to move an output by half a pixel:


# %%
def dense_max(maps: Tensor) -> Tensor:
    """The maximum of every 2 x 2 window on the ring: as many pixels as before."""
    return F.max_pool2d(F.pad(maps, (0, 1, 0, 1), mode="circular"), 2, stride=1)


def ideal_pool(maps: Tensor) -> Tensor:
    """Max pooling without aliasing: drop what the new grid cannot hold, then subsample."""
    return low_pass(dense_max(maps), 1 / 4)[..., ::2, ::2]


# %%
print("shift     " + "".join(f"{pixels:8}" for pixels in range(1, 7)))
worst = {}
for name, pool in (("dense max", dense_max), ("max pool", nn.MaxPool2d(2)), ("ideal", ideal_pool)):
    found = [equivariance_error(chain(edges, pool), x, s, s) for s in range(1, 7)]
    print(f"{name:10}" + "".join(f"{error:8.4f}" for error in found))
    worst[name] = max(found)
expect(worst["dense max"] < 1e-5, "The dense maximum follows every shift.")
expect(worst["ideal"] < 1e-5, "Without aliasing, a layer of stride 2 does so, too.")
expect(worst["max pool"] > 0.4, "Max pooling does not.")

# %% [markdown]
# ## Blur-pooling
#
# The ideal low-pass looks at the whole picture for every pixel, which is neither local nor cheap.
# Zhang's layer takes a small binomial blur instead. Here it is, and max pooling with it:

# %%
from course_utils.models.blurpool import BlurPool, MaxBlurPool  # inline

# %% [markdown]
# **Predict, then run.** All layers below halve the same edge maps. Order them by their error for a
# shift by one: plain stride, max pooling, average pooling, blur-pooling.

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
expect(odd["blur 3 × 3"] < odd["average 2 × 2"] < odd["stride 2"], "An average blurs a little.")
expect(max(even.values()) < 1e-5, "On the ring, all layers follow a shift by 2.")

# %% [markdown]
# Average pooling is a blur, too, of 2 × 2 and a weak one. And no blur can repair the zeros at the
# border, of which the two columns on the right are full.
#
# Networks halve their maps several times. Let us chain three rounds of convolution, ReLU and
# pooling.


# %%
def rounds(x: Tensor, pool, border: str = "circular") -> Tensor:
    """Three times convolution with random filters, ReLU, pooling: (N, 8, H/8, W/8)."""
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
    "Equivariance error of three rounds over the shift: zero at 0, 8 and 16 for all. In between "
    "max pooling is highest, average pooling lower, and the blurs are far below both",
)
worst = {name: max(errors) for name, errors in chains.items()}
exact = [errors[pixels] for errors in chains.values() for pixels in (0, 8, 16)]
expect(max(exact) < 1e-5, "A shift by 8 = 2 · 2 · 2 is exact for all.")
expect(
    worst["max, blur 5 × 5"] < worst["max 2 × 2"] / 8,
    "5 × 5 blurs leave less than 1/8 of the error.",
)
expect(worst["max, ideal"] > 0.01, "The ideal low-pass is not exact any more.")

# %% [markdown]
# The last claim may surprise. A ReLU makes sharp kinks, which are new high frequencies. In the
# second round it does so *after* the map was thinned out, on a grid that cannot hold them. A blur
# leaves softer maps, with less for the next ReLU to fold. No pooling layer repairs that wholly.
#
# And the end of the recipe, global average pooling, on top of these three rounds:

# %%
print(f"{'invariance error, shift by 3':30}{'circular':>10}{'zeros':>10}")
scores = {}
for name in chosen:
    nets = [partial(rounds, pool=halving[name], border=b) for b in ("circular", "constant")]
    pair = [invariance_error(chain(net, nn.AdaptiveAvgPool2d(1)), x, 3, 3) for net in nets]
    print(f"{name:30}{pair[0]:10.4f}{pair[1]:10.4f}")
    scores[name] = pair[0]
expect(
    scores["max, blur 5 × 5"] < scores["max 2 × 2"] / 8,
    "Blurred, the scores move less than 1/8 as much.",
)

# %% [markdown]
# One per cent sounds harmless, and mostly is. But a trained net's decision can hang on it: Azulay
# and Weiss (2019) and Zhang (2019) show nets that change their answer when the picture moves by one
# pixel. Zhang also reports that blur-pooling *raised* the accuracy on ImageNet, although it adds no
# parameter and removes detail.

# %% [markdown]
# ## Other operators: a quarter turn
#
# $T$ need not be a shift. **Predict, then run.** Turn the picture by 90 degrees. For which filters
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
# turns must look the same when turned, and no filter for edges of *one* direction does. Layers that
# share weights over turned copies of their filters exist (Cohen and Welling 2016); most nets learn
# the turned copies from data.

# %% [markdown]
# ## Pop quiz
#
# Make up your mind first, then answer. A wrong answer is told which slip leads to it.

# %%
from course_utils import quiz

quiz.show("06_equivariance_and_fourier")

# %% [markdown]
# ## What to remember
#
# - Equivariance: $f(Tx) = T f(x)$, the output moves along. Invariance: $g(Tx) = g(x)$, it stays.
# - Linear and equivariant to shifts means convolution: weight sharing is the only way.
# - Zero padding breaks it from the border inwards, stride $s$ for all shifts but multiples of $s$.
# - Pooling is invariant only locally and approximately. Global pooling turns equivariance into
#   invariance.
# - The convolution theorem for deep learning's convolution is
#   $\overline{\mathcal{F}[f]}\;\mathcal{F}[x]$, on the ring; with $n + k - 1$ pixels also for
#   zeros.
# - A stride gives high frequencies false names. Blur before you subsample.

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
# **Exercise** [`06_equivariance_and_fourier`](../exercises/06_equivariance_and_fourier/06_equivariance_and_fourier.ipynb)
#
# **Next** Lesson 07 trains its first convnet. The exercise of this lesson asks you to write
# `equivariance_error` yourself.

# %% [markdown]
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | operator | 연산자 | takes a whole picture, gives a whole picture |
# | equivariance | 등변성 | the output moves along with the input |
# | invariance | 불변성 | the output does not notice the shift |
# | global average pooling | 전역 평균 풀링 | mean of each map over all places |
# | frequency | 주파수 | how many cycles a wave has per pixel |
# | amplitude, phase | 진폭, 위상 | how strong a wave is, and where its crests lie |
# | Fourier transform | 푸리에 변환 | writes a picture as a sum of waves |
# | cross-correlation | 교차 상관 | convolution without flipping the filter |
# | low-pass, high-pass | 저역 통과, 고역 통과 | lets low or high frequencies through |
# | aliasing | 에일리어싱 | a frequency too high for the grid appears as a lower one |
# | subsampling | 서브샘플링 | keeping only every s-th pixel |
