# %% [markdown]
# # 03 · Convolution
#
# **After this lesson you can**
# - derive the convolution from a fully connected layer by imposing two constraints, and count what
#   each one saves;
# - say how PyTorch's convolution differs from the mathematicians', and when that matters;
# - read a small filter: say what it does to flat areas and to edges;
# - write `conv2d` by hand in two ways and explain why the second is so much faster.
#
# **Time** 60 minutes; 40 if you leave out the sections marked ◇, which you may skip on a first
# reading. You train only nine weights here.
#
# **Builds on** 01 (image tensors) and 02 (why not MLPs).

# %% [markdown]
# ## A detector
#
# Where in this photo is the nose? Here is a way that needs no network: cut the nose out as a
# **template**, lay it on the photo at every place, multiply each of its pixels by the pixel of the
# photo under it, and add up the products. The sum is the **score** of that place. We subtract the
# template's mean first, so that a uniformly bright place scores 0 instead of winning.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.cbook import get_sample_data
from torch import nn
from torch.nn import functional as F

from course_utils import data, facts
from course_utils.arithmetic import conv_parameters, locally_connected_parameters
from course_utils.kernels import named_kernel
from course_utils.plots import plot_filters, plot_grids, plot_images, plot_maps, show
from course_utils.runtime import expect

# %%
photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
face = photo.float().mean(dim=2)[100:340, 130:370] / 255  # (240, 240), grey, in [0, 1]
nose = face[130:166, 70:180]  # (36, 110); its middle is pixel (148, 125) of `face`
template = nose - nose.mean()


def correlate(image: torch.Tensor, kernel: torch.Tensor, **settings) -> torch.Tensor:
    """Slide a filter (k_h, k_w) over an image (H, W), as nn.Conv2d does."""
    return F.conv2d(image[None, None], kernel[None, None], **settings)[0, 0]


def peak(scores: torch.Tensor) -> tuple[int, int]:
    """Return the row and the column of the highest score."""
    return divmod(int(scores.argmax()), scores.shape[1])


# %% [markdown]
# **Predict, then run.** Where is the score highest? And where is it highest after the photo has
# moved 30 pixels down and 20 to the right?

# %%
moved = face.roll((30, 20), dims=(0, 1))  # what leaves at one edge comes back at the opposite one
scores, scores_moved = (correlate(image, template, padding=(18, 55)) for image in (face, moved))
print("peak at", peak(scores), "and after the move at", peak(scores_moved))  # maps of 241 × 241
expect(peak(scores) == (148, 125), "The score is highest where the template was cut out.")
expect(peak(scores_moved) == (148 + 30, 125 + 20), "The peak follows the nose.")

# %%
shown = [nose, face, scores.relu() / scores.max(), moved, scores_moved.relu() / scores_moved.max()]
titles = ["template", "photo", "positive scores", "moved", "positive scores"]
show(
    plot_images([values[None] for values in shown], titles, num_columns=5, size=1.55),
    "A nose; the photo, and a map of scores with one bright spot, where the nose is; the photo "
    "moved down and to the right, and the same map, moved just as far",
)

# %% [markdown]
# The template is a **filter**, and the map of scores is a **feature map**. One question remains:
# when is a score high enough? Add a negative number, the **bias**, and replace negative sums with
# zero. This last step is the **ReLU**, $\max(0, x)$; together, bias and ReLU act as a threshold. In
# the small image below each pixel is −1 or 1, and the filter is a plus sign. The score at a place
# is the number of pixels that agree with the filter minus the number of those that do not, so 9 is
# a perfect match.

# %%
plus = torch.tensor([[-1.0, 1, -1], [1, 1, 1], [-1, 1, -1]])
scene = -torch.ones(8, 10)
scene[1:4, 1:4] = plus
scene[4:7, 5:8] = 1  # a square
scene[1, 5:9] = scene[6, 0:4] = 1  # two bars
scores = correlate(scene, plus)  # (6, 8)
detected = (scores - 8).relu()  # the bias is −8
show(
    plot_grids([scene, scores, detected], ["image", "scores", "ReLU(scores − 8)"], shared=False),
    "An image with a plus sign, a square and two bars; its scores, of which one is 9; and the same "
    "after bias and ReLU: a single 1, where the plus sign is, and 0 everywhere else",
)
expect(detected.sum() == 1 and detected[1, 1] == 1, "Only the plus sign is left.")

# %% [markdown]
# Filter, bias, ReLU: that is a layer of a convolutional network, except that a network *learns* its
# filters and biases, many at a time. The rest of this lesson shows why the sliding filter is the
# right layer for images.

# %% [markdown]
# ## The question
#
# We want a layer that turns an image of 28 × 28 pixels into a map of 28 × 28 numbers, such as "how
# strong is the edge here?" **Predict, then run.** How many weights does a fully connected layer
# need for that?

# %%
dense = nn.Linear(28 * 28, 28 * 28, bias=False)
print(f"{dense.weight.numel():,} weights")

# %% [markdown]
# It takes six hundred thousand weights to learn the same thing 784 times over: what an edge looks
# like at the top left, what an edge looks like one pixel further on, and so on. The layer does not
# know two facts about images:
#
# 1. **Locality.** Whether there is an edge here depends on the pixels nearby, not on those far
#    away.
# 2. **Spatial invariance.** What an edge looks like does not depend on where it is.
#
# We now build both into the layer, step by step, and see what remains. To keep the matrices small
# enough to look at, we begin with images of one dimension: a row of $n = 12$ pixels.

# %% [markdown]
# ## Step 0: a dense layer
#
# The layer reads $x(\ell)$ at each input location $\ell$ and computes $h(i)$ at each output
# location $i$. Every pair of locations has its own weight:
#
# $$h(i) = \sum_{\ell} W_i(\ell)\, x(\ell)$$

# %%
n = 12
generator = torch.Generator().manual_seed(0)
x = torch.randn(n, generator=generator)
W = torch.randn(n, n, generator=generator)  # row i holds the weights of output i
h = torch.stack([sum(W[i, ell] * x[ell] for ell in range(n)) for i in range(n)])
expect(torch.allclose(h, W @ x, atol=1e-5), "The sum is a matrix times the pixels.")
print(f"{W.numel()} weights")

# %% [markdown]
# ## Step 1: count from where you stand
#
# This step only changes names. Instead of the absolute location $\ell$ we use the **offset**
# $p = \ell - i$ from the output's own location. With $V_i(p) := W_i(i + p)$ the same sum reads
#
# $$h(i) = \sum_{p} V_i(p)\, x(i + p)$$
#
# where $p$ runs from $-i$ to $n - 1 - i$, so that $i + p$ stays inside the image.


# %%
def V(i: int, p: int) -> torch.Tensor:
    """Return the weight from the pixel at offset p to output i."""
    return W[i, i + p]


renamed = torch.stack([sum(V(i, p) * x[i + p] for p in range(-i, n - i)) for i in range(n)])
expect(torch.allclose(renamed, h, atol=1e-5), "The outputs are the same.")

# %% [markdown]
# Why rename? Because both facts about images are now easy to state. Locality is about $p$,
# invariance about $i$.

# %% [markdown]
# ## Step 2: locality
#
# We set $V_i(p) = 0$ wherever $|p| > \Delta$. The sum then has at most $2\Delta + 1$ terms:
#
# $$h(i) = \sum_{|p| \le \Delta} V_i(p)\, x(i + p)$$
#
# In the matrix, row $i$ keeps only the entries near column $i$, which leaves a **band** around the
# diagonal.
#
# **Predict, then run.** With $n = 12$ and $\Delta = 1$, how many weights remain? (Not quite 36.)

# %%
delta = 1
row, column = torch.arange(n)[:, None], torch.arange(n)[None]
band = (column - row).abs() <= delta  # (n, n), True where |p| <= delta
local = W * band
nearby = [range(max(-delta, -i), min(delta, n - 1 - i) + 1) for i in range(n)]  # the offsets p
h_local = torch.stack([sum(V(i, p) * x[i + p] for p in nearby[i]) for i in range(n)])
expect(
    torch.allclose(h_local, local @ x, atol=1e-5),
    "The local sum is a band matrix times the pixels.",
)
print(
    f"{int(band.sum())} weights; (2Δ + 1) n − Δ (Δ + 1) = "
    f"{(2 * delta + 1) * n - delta * (delta + 1)}"
)

# %% [markdown]
# Each output has $2\Delta + 1$ weights, but at each end of the image $1 + 2 + \dots + \Delta$
# weights would reach outside and are left out. Such a layer is called **locally connected**. It
# still has its own weights at each location.

# %% [markdown]
# ## Step 3: sharing
#
# We set $V_i(p) = f(p)$ for every $i$: the weights now depend only on the offset, no longer on the
# location.
#
# $$h(i) = \sum_{|p| \le \Delta} f(p)\, x(i + p)$$
#
# In the matrix, entry $(i, \ell)$ is $f(\ell - i)$, so each diagonal holds one number all the way
# down. Such a matrix is called a **Toeplitz** matrix. This is the layer that the course is about:
# $f$ is the **filter**, or **kernel**, and it has $2\Delta + 1$ weights, however large the image
# is.

# %%
f = torch.tensor([-1.5, 0.5, 1.0])  # f(-1), f(0), f(1)
toeplitz = sum(f[p + delta] * torch.ones(n - abs(p)).diag(p) for p in range(-delta, delta + 1))
h_shared = torch.stack([sum(f[p + delta] * x[i + p] for p in nearby[i]) for i in range(n)])
expect(
    torch.allclose(h_shared, toeplitz @ x, atol=1e-6),
    "The shared sum is a Toeplitz matrix times the pixels.",
)

# %%
show(
    plot_maps(
        [W, local, toeplitz],
        [
            f"dense: {n * n} weights",
            f"local: {int(band.sum())} weights",
            f"shared: {len(f)} weights",
        ],
        xlabel="input location ℓ",
        ylabel="output location i",
    ),
    "Three twelve by twelve matrices: one full; one with a band of three diagonals, all entries "
    "different; one with the same band, but one colour along each diagonal",
)

# %% [markdown]
# **Predict, then run.** We copy our three weights into an `nn.Conv1d`, in the same order. Does it
# give the same outputs, or do we have to reverse the weights first? `padding=1` puts a zero before
# the first and after the last pixel, which has the same effect as leaving out the terms at the
# ends.

# %%
layer = nn.Conv1d(1, 1, kernel_size=3, padding=1, bias=False)
with torch.no_grad():
    layer.weight.copy_(f[None, None])  # (c_out, c_in, k) = (1, 1, 3)
    h_torch = layer(x[None, None])[0, 0]  # (N, C, n) = (1, 1, 12) in and out
difference = (h_torch - toeplitz @ x).abs().max()
expect(difference < 1e-6, "PyTorch's nn.Conv1d computes the product with the Toeplitz matrix.")

# %% [markdown]
# So a convolution is a dense layer with most weights set to zero and the others tied together. It
# can do nothing that a dense layer cannot. It just has fewer ways to be wrong.

# %% [markdown]
# ## The same in two dimensions
#
# $$h(i, j) = \sum_{|p| \le \Delta,\, |q| \le \Delta} f(p, q)\, x(i + p,\, j + q)$$
#
# The course package has a locally connected layer, the step between dense and convolutional: its
# weights are local, but not yet shared. To see the matrix of a layer, feed it every image that has
# a single bright pixel. Each output is one column of the matrix.


# %%
def matrix_of(layer: nn.Module, size: int) -> torch.Tensor:
    """Return the matrix (outputs, inputs) of a linear layer without bias on size × size pixels."""
    dots = torch.eye(size * size).reshape(-1, 1, size, size)  # one bright pixel in each image
    with torch.no_grad():
        return layer(dots).flatten(1).T  # column l is the output for dot l


# %%
from course_utils.models.locally_connected import LocallyConnected2d

torch.manual_seed(0)
local2d = LocallyConnected2d(1, 1, input_size=6, kernel_size=3, padding=1)  # its biases start at 0
shared2d = nn.Conv2d(1, 1, kernel_size=3, padding=1, bias=False)
with torch.no_grad():
    shared2d.weight.mul_(3)  # so that the colours can be told apart

# %%
show(
    plot_maps(
        [matrix_of(local2d, 6), matrix_of(shared2d, 6)],
        ["weights, locally connected", "weights, convolution"],
        xlabel="36 pixels, row by row",
        ylabel="36 outputs",
        size=2.9,
    ),
    "Two 36 by 36 matrices with three bands of three diagonals each; on the left all "
    "entries differ, on the right each diagonal has one colour, with gaps where a window reaches "
    "over the edge of the image",
)

# %% [markdown]
# There are three bands of three diagonals each, since in the row-by-row order the pixels above and
# below are six places away. If we give every location of the locally connected layer the *same*
# filter, it becomes the convolution:

# %%
with torch.no_grad():
    local2d.weight.copy_(shared2d.weight.reshape(1, 1, 9).expand(36, 1, 9))  # a copy for each place
equal = torch.allclose(matrix_of(local2d, 6), matrix_of(shared2d, 6), atol=1e-6)
expect(equal, "A locally connected layer with tied weights is a convolution.")

# %% [markdown]
# Back to the question: 28 × 28 pixels in and out, now with 5 × 5 windows:

# %%
counts = {
    "dense": dense.weight.numel(),
    "locally connected": locally_connected_parameters(1, 1, k=5, out=28, bias=False),
    "convolution": conv_parameters(1, 1, k=5, bias=False),
}
for name, count in counts.items():
    print(f"{name:18}{count:8,} weights")
expect(
    counts["dense"] > 24_000 * counts["convolution"],
    "The dense layer has more than 24,000 times as many weights as the convolution.",
)

# %% [markdown]
# (19,600 counts 25 weights at each of the 784 locations, including the weights that meet only
# padding at the edge. The count of 34 for the band above left such weights out.) Locality saved a
# factor of about 31, sharing another factor of 784. And sharing has a second advantage, which no
# count shows: every window of every image now trains the same 25 weights.

# %% [markdown]
# ## Why sharing, and not something else? ◇
#
# We asked for a layer that treats all locations alike. More precisely: if the image moves, the map
# should move with it and change in no other way. Let $S$ be the shift by one pixel, with the row
# closed into a circle so that no pixel falls off its end. Then the matrix $W$ has to satisfy
#
# $$W S x = S W x \quad \text{for every } x$$
#
# This is called **equivariance**, and lesson 06 is about it. Which matrices satisfy it? The
# condition is the same as $S W S^{-1} = W$. The left side is $W$ with all entries moved down and to
# the right by one, so
#
# $$W_{i,\ell} = W_{i-1,\,\ell-1} = W_{i-2,\,\ell-2} = \dots$$
#
# Each entry depends only on $\ell - i$, counted around the circle. So a linear layer treats all
# locations alike **if and only if** it is a (circular) convolution. Sharing weights is not one way
# to do it among many. It is the only one.

# %%
S = torch.eye(n).roll(1, dims=0)  # (S x)(i) = x(i - 1)
circulant = torch.stack([torch.cat([f, torch.zeros(n - 3)]).roll(i - 1) for i in range(n)])
average = torch.stack([W.roll((k, k), dims=(0, 1)) for k in range(n)]).mean(dim=0)
cases = {"dense": W, "local": local, "shared, on a circle": circulant, "dense, averaged": average}
for name, matrix in cases.items():
    gap = (matrix @ S - S @ matrix).abs().max().item()
    print(f"{name:20} largest difference between W S and S W: {gap:.4f}")

# %% [markdown]
# The last line is a surprise: average a dense layer over all shifts of the image, and it becomes a
# convolution as well, with a filter as wide as the image.

# %%
show(
    plot_maps(
        [W, average],
        ["dense, own scale", "shift average, own scale"],
        xlabel="input location",
        ylabel="output location",
        shared=False,
    ),
    "A dense matrix of random entries, and its average over all shifts, in which each diagonal, "
    "continued around the edges, has one colour; each map has its own scale",
)

# %% [markdown]
# ## Is it a convolution at all?
#
# Mathematicians define the **convolution** with a minus sign, and call the sum with a plus sign the
# **cross-correlation**:
#
# $$(f * x)(i) = \sum_p f(p)\, x(i - p) \qquad\qquad (f \star x)(i) = \sum_p f(p)\, x(i + p)$$
#
# Deep learning computes the second and calls it the first. Replace $p$ by $-p$ and you see the only
# difference: the filter is **flipped**.
#
# **Predict, then run.** Take a single bright pixel and the filter 1, 2, 3. What does PyTorch
# compute, and what does NumPy?

# %%
dot, f = np.zeros(9), np.array([1.0, 2.0, 3.0])
dot[4] = 1
by_torch = F.conv1d(torch.tensor(dot)[None, None], torch.tensor(f)[None, None], padding=1)[0, 0]
by_numpy = np.convolve(dot, f, mode="same")
print("image       ", dot.astype(int))
print("torch conv1d  ", by_torch.numpy().astype(int))
print("numpy convolve", by_numpy.astype(int))

# %% [markdown]
# PyTorch shows the filter backwards: output $i$ meets the bright pixel at offset $p = 4 - i$, so as
# $i$ grows, $p$ falls. NumPy convolves, and stamps the filter onto the pixel as it is. In two
# dimensions you flip both axes, which is a rotation by 180°:


# %%
def convolve(image: torch.Tensor, kernel: torch.Tensor, **settings) -> torch.Tensor:
    """Convolve as mathematicians do: rotate the filter by 180° first."""
    return correlate(image, kernel.flip(0, 1), **settings)


# %%
one_pixel = torch.zeros(5, 5)
one_pixel[2, 2] = 1
kernel = torch.arange(1.0, 10).reshape(3, 3)
grids = [correlate(one_pixel, kernel, padding=1), convolve(one_pixel, kernel, padding=1)]
show(
    plot_grids([kernel, *grids], ["filter", "cross-correlation", "convolution"]),
    "The filter 1 to 9, row by row; the cross-correlation with a single pixel shows it rotated "
    "by 180 degrees, the convolution shows it as it is",
)

# %% [markdown]
# Does it matter? There are three answers:
#
# - **For a learned filter, no.** Training finds the flipped filter instead, and the outputs are the
#   same.
# - **For a filter that someone wrote down, yes**, unless it looks the same after a rotation by
#   180°. The same goes for weights that you move from one library to another.
# - **For algebra, yes.** Convolution is commutative, $f * g = g * f$, and associative, so you may
#   reorder and regroup a chain of filters. Cross-correlation is neither. And the convolution
#   theorem of lesson 06 needs the flip.

# %%
f, g = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5])
print("f * g:", np.convolve(f, g), "  g * f:", np.convolve(g, f))
f_star_g, g_star_f = np.correlate(g, f, "full"), np.correlate(f, g, "full")  # the filter is second
print("f ⋆ g:", f_star_g, "  g ⋆ f:", g_star_f)
by_torch = F.conv1d(torch.tensor(g)[None, None], torch.tensor(f)[None, None], padding=2)[0, 0]
expect(
    np.allclose(by_torch, f_star_g), "PyTorch's sum over f(p) g(i + p) is NumPy's with f second."
)

# %% [markdown]
# From here on, like everybody else, we call what PyTorch computes a convolution.

# %% [markdown]
# ## One, two, three dimensions ◇
#
# | axes | formula | input | filter | used for |
# |---|---|---|---|---|
# | 1D | $\sum_p f(p)\, x(i + p)$ | (N, C, L) | (k) | sound, text, sensor data |
# | 2D | $\sum_{p,q} f(p, q)\, x(i + p, j + q)$ | (N, C, H, W) | (k, k) | images |
# | 3D | $\sum_{p,q,r} f(p, q, r)\, x(i + p, j + q, \ell + r)$ | (N, C, D, H, W) | (k, k, k) | video, medical scans |
#
# Each row of the table only adds an axis. As an example of 3D, take a "video" of six frames in
# which a bright pixel moves to the right three times and then stands still. The filter spans two
# frames and one pixel, and computes now minus before.
#
# **Predict, then run.** What is the output while the pixel stands still?

# %%
video = torch.zeros(6, 1, 6)  # (frames, H, W)
for frame, place in enumerate((0, 1, 2, 3, 3, 3)):
    video[frame, 0, place] = 1
change = torch.tensor([-1.0, 1.0]).reshape(1, 1, 2, 1, 1)  # (c_out, c_in, k_d, k_h, k_w)
motion = F.conv3d(video[None, None], change)[0, 0]  # (5, 1, 6): one frame fewer
for before, after, seen in zip(video[:-1], video[1:], motion, strict=True):
    print(
        before[0].int().tolist(), "→", after[0].int().tolist(), "  change", seen[0].int().tolist()
    )

# %% [markdown]
# It is zero. Two weights make a motion detector.

# %% [markdown]
# ## What filters do
#
# For decades people designed filters by hand, and it pays to know a few: some filters in the first
# layer of a trained network look like them (lesson 08). We apply them to the face from the first
# section. Where the weights sum to 0, violet is a positive output and orange a negative one. (The
# faint grid in the maps of the edges and the Laplacian comes from JPEG, which stores a photo in
# blocks of 8 × 8 pixels.)

# %%
filters = {
    "identity": named_kernel("Identity"),
    "mean of 9": named_kernel("Mean of 9"),
    "Gaussian 5 × 5": named_kernel("Gaussian 5 × 5"),
    "sharpen": named_kernel("Sharpen"),
    "emboss": named_kernel("Emboss"),
    "edges": named_kernel("Edges"),
    "Sobel": named_kernel("Sobel, vertical edges"),
    "Laplacian": named_kernel("Laplacian"),
}

# %%
responses = [correlate(face, kernel) for kernel in filters.values()]
show(
    plot_filters(filters, responses),
    "Eight filters, each with the filtered face: unchanged, softer, softer still, sharper, in "
    "relief, and three maps of differences, where the outlines stand out in two colours around "
    "zero",
)

# %% [markdown]
# ### The sum of the weights
#
# **Look at a filter's sum first.** In a flat area all pixels have the same value $v$, and the
# output is $v \sum f$. A sum of 1 keeps the brightness; a sum of 0 turns every flat area into 0, so
# that only changes remain.
#
# **Predict, then run.** A lecture slide calls the kernel below "blur". What does it do to an area
# of brightness 200 if you apply it once, and if you apply it ten times?

# %%
printed = torch.tensor([[0.06, 0.12, 0.06], [0.12, 0.25, 0.12], [0.06, 0.12, 0.06]])
exact = named_kernel("Gaussian 3 × 3")  # 1/16, 1/8, 1/4
flat = torch.full((23, 23), 200.0)
for name, kernel in {"printed": printed, "exact": exact}.items():
    once, ten = correlate(flat, kernel), flat
    for _ in range(10):
        ten = correlate(ten, kernel)
    print(
        f"{name:8} sum {kernel.sum():.2f}: 200 → {once[0, 0]:.1f}, after ten passes {ten[0, 0]:.1f}"
    )

# %%
total = facts.get("example.blur_kernel_sum")
print(facts.trap("blur_kernel_sums_to_one"))
expect(
    abs(printed.sum() - total.value) < 1e-6,
    f"The weights of the printed kernel add up to {total.value}, so it darkens.",
)

# %% [markdown]
# Somebody rounded 0.0625 and 0.125 down. In an image you hardly see a difference of three per cent.
# In a deep network, the factors of all layers multiply; lesson 11 is about that.
#
# ### Differences: Sobel and Laplacian
#
# How fast does the brightness grow along a row? At pixel $j$, compare the two neighbours:
# $x(j + 1) - x(j - 1)$ is twice the slope. As a filter, that is $(-1, 0, 1)$. A single row is
# noisy, so **Sobel** takes a weighted sum of three rows with the weights 1, 2, 1. Its kernel is the
# product of the column of these weights and the row $(-1, 0, 1)$:
#
# $$\begin{pmatrix} 1 \\ 2 \\ 1 \end{pmatrix} \begin{pmatrix} -1 & 0 & 1 \end{pmatrix} =
# \begin{pmatrix} -1 & 0 & 1 \\ -2 & 0 & 2 \\ -1 & 0 & 1 \end{pmatrix}$$
#
# The **Laplacian** takes the second difference, the change of the change:
# $\big(x(j+1) - x(j)\big) - \big(x(j) - x(j-1)\big) = x(j + 1) - 2x(j) + x(j - 1)$. In an image, it
# adds the same difference along the column.

# %%
down, across = torch.tensor([1.0, 2, 1]), torch.tensor([-1.0, 0, 1])
expect(
    torch.equal(torch.outer(down, across), filters["Sobel"]),
    "The Sobel filter is the product of a column and a row.",
)
ramp = torch.arange(7.0).expand(7, 7)  # slope 1 to the right
bowl = torch.arange(7.0)[:, None] ** 2 + torch.arange(7.0) ** 2  # second differences 2 and 2
print("Sobel on a ramp of slope 1:", correlate(ramp, filters["Sobel"]).unique().tolist())
print("Laplacian on the ramp:     ", correlate(ramp, filters["Laplacian"]).unique().tolist())
print("Laplacian on a bowl:       ", correlate(bowl, filters["Laplacian"]).unique().tolist())

# %% [markdown]
# For a slope of 1 Sobel returns 8: twice the slope, times 1 + 2 + 1.
#
# A filter that is the product of a column and a row is called **separable**. You can apply it in
# two passes, first the row, then the column, which takes $2k$ instead of $k^2$ multiplications per
# pixel. Gaussian filters are separable.

# %%
binomial = torch.tensor([1.0, 4, 6, 4, 1]) / 16
in_two = correlate(correlate(face, binomial[None]), binomial[:, None])
expect(
    torch.allclose(in_two, correlate(face, filters["Gaussian 5 × 5"]), atol=1e-6),
    "A row of 5 weights and a column of 5 do the work of the 5 × 5 filter.",
)

# %% [markdown]
# Three filters are left. Each is a combination of filters that you have already met:
#
# | filter | is | so it |
# |---|---|---|
# | edges | 9 × (identity − mean of 9) | shows how a pixel differs from its surroundings |
# | sharpen | identity − Laplacian | exaggerates curvature in brightness |
# | emboss | identity + slope along the diagonal | makes the image look lit from one corner |

# %%
identity, laplacian = filters["identity"], filters["Laplacian"]
slope = filters["emboss"] - identity
edges = 9 * (identity - filters["mean of 9"])
expect(torch.allclose(edges, filters["edges"]), "The filter “edges” is 9 × (identity − mean of 9).")
expect(
    torch.equal(identity - laplacian, filters["sharpen"]),
    "The filter “sharpen” is identity − Laplacian.",
)
expect(
    torch.equal(slope, -slope.flip(0, 1)),
    "What “emboss” adds to the identity is odd: it is a slope.",
)

# %% [markdown]
# Of these three, flipping changes only emboss. With cross-correlation and convolution, the light
# seems to come from opposite corners:

# %%
reliefs = [correlate(face, filters["emboss"]), convolve(face, filters["emboss"])]
show(
    plot_images(
        [r.clamp(0, 1)[None] for r in reliefs], ["cross-correlation", "convolution"], size=2.2
    ),
    "The face in relief, twice: lit from one corner, then from the opposite one",
)

# %% [markdown]
# ### Edges of clothes ◇
#
# Sobel and its transpose measure the slope along the row and along the column. Together the two
# slopes form a vector, the gradient, whose length $\sqrt{g_x^2 + g_y^2}$ says how strong an edge
# is, whatever its direction.

# %%
loaders = data.load("fashion_mnist_mini", batch_size=64)
clothes = loaders.test.images[:8].float() / 255  # (8, 1, 28, 28)
both = torch.stack([filters["Sobel"], filters["Sobel"].T])[:, None]  # (2, 1, 3, 3): two filters
slopes = F.conv2d(clothes, both, padding=1)  # (8, 2, 28, 28): two maps for each image
strength = slopes.norm(dim=1, keepdim=True)  # (8, 1, 28, 28)
show(
    plot_images(
        [*clothes, *(strength / strength.amax())],
        num_columns=8,
        size=0.95,
        row_titles=["image", "edges"],
    ),
    "Eight grey images of clothes, and below them their outlines and seams",
)

# %% [markdown]
# Two filters make two maps. A layer of a network has dozens of filters, and nobody writes them by
# hand.

# %% [markdown]
# ### Try it: the stepper
#
# 1. The stepper begins with the image "One dot" and the kernel "Emboss". What do you see in the
#    output? Then switch the operation to convolution.
# 2. Switch back, and edit the kernel so that a single 1 among zeros moves the image one pixel to
#    the right. Where does the 1 go?
# 3. Choose the image "Vertical edge". With which of the two Sobel kernels is the output zero
#    everywhere?
# 4. Find a kernel with sum 1 that leaves flat areas unchanged and makes edges stronger.

# %%
from course_utils.widgets import ConvolutionStepper

ConvolutionStepper(picture="One dot", kernel="Emboss", step=6, show_all=True)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. The kernel, rotated by 180°. With convolution, the kernel as it is.
# 2. To the left of the middle: $z(i, j) = x(i, j - 1)$ needs $f(0, -1) = 1$. With convolution, to
#    the right.
# 3. The one for horizontal edges: nothing changes along a column.
# 4. "Sharpen" is one.
# </details>

# %% [markdown]
# ## Write it by hand
#
# We write a two-dimensional convolution twice, first slow and clear, then fast, and compare both
# versions with PyTorch's `F.conv2d`. The first does what the formula says, one multiplication at a
# time:


# %%
def conv2d_loops(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Slide a filter (k_h, k_w) over an image (H, W): four loops, no padding, stride 1."""
    (height, width), (k_h, k_w) = image.shape, kernel.shape
    out = torch.zeros(height - k_h + 1, width - k_w + 1)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for p in range(k_h):
                for q in range(k_w):
                    out[i, j] += kernel[p, q] * image[i + p, j + q]
    return out


# %% [markdown]
# The second version writes each window into a column of a table. With the filter written as a row,
# all the sums become one matrix product. Here is the table for 3 × 3 pixels and 2 × 2 windows:

# %%
tiny = torch.arange(1.0, 10).reshape(3, 3)
columns = F.unfold(tiny[None, None], kernel_size=2)[0]  # (k * k, windows) = (4, 4)
show(
    plot_grids([tiny, columns], ["image", "a column for each window"]),
    "The image 1 to 9, and a four by four table whose columns are its windows: 1 2 4 5, 2 3 5 6, "
    "4 5 7 8, 5 6 8 9",
)


# %%
def conv2d_unfold(images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Convolve images (N, C, H, W) with weight (c_out, C, k_h, k_w) by one matrix product."""
    c_out, _, k_h, k_w = weight.shape
    height, width = images.shape[2] - k_h + 1, images.shape[3] - k_w + 1
    columns = F.unfold(images, (k_h, k_w))  # (N, C * k_h * k_w, windows)
    out = weight.reshape(c_out, -1) @ columns  # (N, c_out, windows)
    return out.reshape(-1, c_out, height, width)


# %%
generator = torch.Generator().manual_seed(0)
image = torch.randn(28, 28, generator=generator)
kernel = torch.randn(5, 5, generator=generator)
expected = F.conv2d(image[None, None], kernel[None, None])
loops, unfolded = conv2d_loops(image, kernel), conv2d_unfold(image[None, None], kernel[None, None])
expect(
    torch.allclose(loops, expected[0, 0], atol=1e-4), "Four loops compute what PyTorch computes."
)
expect(torch.allclose(unfolded, expected, atol=1e-4), "So does unfolding.")
several = torch.randn(4, 3, 9, 8, generator=generator), torch.randn(6, 3, 3, 2, generator=generator)
same = torch.allclose(conv2d_unfold(*several), F.conv2d(*several), atol=1e-4)
expect(same, "It does so for several images, channels and filters.")

# %% [markdown]
# **Predict, then run.** For one image of 28 × 28 pixels and one 5 × 5 filter, how many times slower
# than PyTorch are the loops?


# %% tags=["nbval-ignore-output"]
def milliseconds(function, *arguments, repeats: int) -> float:
    """Return the time of the fastest of several runs, the one that was disturbed least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


batch = image[None, None], kernel[None, None]
slow = milliseconds(conv2d_loops, image, kernel, repeats=2)
table = milliseconds(conv2d_unfold, *batch, repeats=50)
torch_time = milliseconds(F.conv2d, *batch, repeats=50)
print(f"four loops {slow:8.2f} ms   unfold {table:.3f} ms   F.conv2d {torch_time:.3f} ms")

# %% tags=["nbval-ignore-output"]
print(f"the loops take {slow / torch_time:,.0f} times as long as F.conv2d")
expect(slow > 100 * torch_time, "The loops are more than 100 times slower.")

# %% [markdown]
# All three do the same 14,400 multiplications. The loops spend their time on what surrounds each
# of them: Python fetches the numbers, wraps them in tensors, and puts the result back. The matrix
# product is a single call into compiled code that has been tuned for decades.
#
# Unfolding has a price. The table holds every pixel once for each window that covers it:

# %%
maps = torch.zeros(1, 32, 56, 56)
for k in (1, 3, 5, 7):
    columns = F.unfold(maps, k, padding=k // 2)  # (1, 32 * k * k, 56 * 56)
    print(f"k = {k}: the table is {columns.numel() / maps.numel():2.0f} times the map")

# %% [markdown]
# The table is $k^2$ times as large. So fast libraries do not build all of it; they unfold one tile
# at a time in the processor's cache, or use other algorithms. With one tiny image you do not notice
# the difference; with a large batch, on most machines, you do:

# %% tags=["nbval-ignore-output"]
images = torch.randn(16, 32, 56, 56)
weight = torch.randn(32, 32, 3, 3)
table = milliseconds(conv2d_unfold, images, weight, repeats=5)
torch_time = milliseconds(F.conv2d, images, weight, repeats=5)
print(f"16 images, 32 channels: unfold {table:.0f} ms, F.conv2d {torch_time:.0f} ms")

# %% [markdown]
# ## A filter that nobody wrote ◇
#
# A convolution is linear in its weights, so finding them from examples is a least-squares problem.
# Suppose we do not know the Sobel filter, only an image and the filter's output for that image. We
# start from nine zeros and follow the gradient of the squared error downhill.
#
# **Predict, then run.** Is one image enough to find nine weights?

# %%
noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
target = F.conv2d(noise, filters["Sobel"][None, None])
student = nn.Conv2d(1, 1, kernel_size=3, bias=False)
nn.init.zeros_(student.weight)
optimizer = torch.optim.SGD(student.parameters(), lr=0.3)
for step in range(21):
    loss = F.mse_loss(student(noise), target)
    if step % 2 == 0 and step < 12:
        print(f"step {step:2d}: squared error {loss.item():.2f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
found = student.weight.detach()[0, 0]
show(
    plot_grids([found.round(decimals=3) + 0.0], ["learned filter"]),  # + 0.0 turns −0 into 0
    "The Sobel filter: minus 1, 0, 1; minus 2, 0, 2; minus 1, 0, 1",
)
expect(torch.allclose(found, filters["Sobel"], atol=1e-3), "Training found the Sobel filter.")

# %% [markdown]
# One is more than enough: the image has 62 × 62 windows, and each is an example. For a dense layer
# the same image would be *one* example for more than fifteen million weights. That is what sharing
# does for learning.

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("03_convolution")

# %% [markdown]
# ## Try it yourself
#
# Write a 5 × 5 filter that moves an image **two pixels down** and halves its brightness. The cell
# below checks it.

# %%
mine = torch.zeros(5, 5)  # your code here

# %%
moved = correlate(face, mine, padding=2)  # (240, 240)
wanted = torch.zeros_like(face)
wanted[2:] = face[:-2] / 2
if mine.shape != (5, 5):
    print(f"shape {tuple(mine.shape)}: expected (5, 5)")
elif torch.allclose(moved, wanted, atol=1e-5):
    print("correct")
elif torch.allclose(moved[:-2], face[2:] / 2, atol=1e-5):
    print("not yet: it moves up; output (i, j) must take pixel (i − 2, j)")
else:
    print(f"not yet: which pixel does it take, and is the sum 0.5? Yours is {mine.sum():.2f}")

# %% [markdown]
# <details><summary>A solution</summary>
#
# `mine = torch.zeros(5, 5)`, then `mine[0, 2] = 0.5`. The middle is (2, 2), and the pixel that has
# to come down lies two rows above it.
# </details>

# %% [markdown]
# ## What to remember
#
# - Locality turns a dense matrix into a band; sharing turns the band into a Toeplitz matrix, and
#   that is a convolution.
# - The number of weights falls from $n^2$ to about $(2\Delta+1)n$ and then to $2\Delta+1$. Sharing
#   is the only way for a linear layer to treat all locations alike.
# - PyTorch computes a cross-correlation: it does not flip the filter. For learned filters that
#   makes no difference.
# - Look at the sum of a filter first: 1 keeps the brightness, 0 leaves only changes.
# - Convolution is a matrix product of filters with unfolded windows. Do not loop in Python.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Sharing weights assumes that a pattern means the same everywhere. For which images is that
#    false?
# 2. In the first section the template was chosen by hand. What would be a fair way to choose
#    templates for a thousand classes?
# 3. A layer without shared weights can learn everything that a convolution can. What would it need
#    in order to do so?

# %% [markdown]
# ## Further reading
#
# - Y. LeCun: *Generalization and network design strategies*. Technical report CRG-TR-89-4,
#   University of Toronto, 1989. Compares local connections and shared weights.
# - K. Fukushima: *Neocognitron: A self-organizing neural network model for a mechanism of pattern
#   recognition unaffected by shift in position*. Biological Cybernetics 36, 1980.
# - I. Goodfellow, Y. Bengio, A. Courville: *Deep Learning*. MIT Press, 2016. Chapter 9.
# - K. Chellapilla, S. Puri, P. Simard: *High performance convolutional neural networks for document
#   processing*. 10th International Workshop on Frontiers in Handwriting Recognition, 2006.
#   Convolution by unfolding.
# - Y. Taigman, M. Yang, M. Ranzato, L. Wolf: *DeepFace: Closing the gap to human-level performance
#   in face verification*. CVPR 2014. Locally connected layers at work.
#
# **Exercise** {exercise}
#
# **Next** Lesson 04 moves the filter in larger steps and looks at the border.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | convolution | 합성곱 | sliding a filter over an image and adding up the products |
# | cross-correlation | 교차 상관 | the same, without flipping the filter: what PyTorch computes |
# | filter, kernel | 필터, 커널 | the shared weights of one window |
# | locality | 지역성 | only what is nearby matters |
# | weight sharing | 가중치 공유 | the same weights at every place |
# | locally connected layer | 지역 연결 층 | local weights that are not shared |
# | Toeplitz matrix | 토플리츠 행렬 | a matrix with one number along each diagonal |
# | equivariance | 등변성 | the map moves with the image |
# | edge | 경계, 에지 | a place where the brightness changes fast |
# | blur | 흐림, 블러 | averaging over neighbours |
