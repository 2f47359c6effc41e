# %% [markdown]
# # 05 · Channels and parameters
#
# **After this lesson you can**
# - read the four axes of a convolution's weights, and predict the shape of its output;
# - count its parameters and multiply-adds by hand, with and without biases and groups;
# - say where a network has its parameters, where it does its work, and where its memory goes;
# - explain the 1 × 1 convolution, and turn dense layers into convolutions and back.
#
# **Time** 55 minutes. Nothing is trained here.
#
# **Builds on** 03 (convolution) and 04 (stride, padding, pooling).

# %% [markdown]
# ## The question
#
# So far our filters have turned one grid of numbers into another. But a photo has three channels,
# and a layer in the middle of a network may read 256 maps and write 512. **Predict, then run.** A
# layer has sixteen 3 × 3 filters and reads a colour photo. How many weights does it learn? Is it
# $16 \cdot 9 = 144$?

# %%
from itertools import product

import matplotlib.pyplot as plt
import torch
from matplotlib.cbook import get_sample_data
from torch import nn
from torch.nn import functional as F

from course_utils import facts
from course_utils.arithmetic import conv_multiply_adds, conv_parameters, output_size
from course_utils.plots import plot_channel_sum, plot_counts, plot_filter_bank, plot_images, show
from course_utils.runtime import expect

# %%
layer = nn.Conv2d(3, 16, kernel_size=3)
print("weights", tuple(layer.weight.shape), "=", layer.weight.numel())
print("biases ", tuple(layer.bias.shape), "   =", layer.bias.numel())

# %% [markdown]
# There are 432 weights, three times 144, and sixteen biases. Where do they come from?

# %% [markdown]
# ## One filter reads all channels
#
# A "3 × 3" filter has a slice of 3 × 3 weights **for each input channel**. It multiplies slice by
# slice and adds up everything, across the channels as well:
#
# $$z(i, j) = b + \sum_{c=1}^{c_\text{in}} \sum_{p,q} f(c, p, q)\, x(c,\, i + p,\, j + q)$$
#
# The window slides over height and width, but not over the channels: the filter is as deep as the
# input, so **one filter makes one map**, however many channels go in. $b$ is the filter's bias, a
# single number.
#
# **Predict, then run.** Convolve each channel separately with its slice, and add the three results.
# Is their sum the filter's output?

# %%
generator = torch.Generator().manual_seed(0)
x = torch.randn(1, 3, 8, 8, generator=generator)
one = nn.Conv2d(3, 1, kernel_size=3)  # a single filter
alone = [F.conv2d(x[:, c : c + 1], one.weight[:, c : c + 1]) for c in range(3)]  # (1, 1, 6, 6) each
print(tuple(one(x).shape))
expect(
    torch.allclose(one(x), sum(alone) + one.bias, atol=1e-5),
    "The filter's output is a sum over the channels, plus its bias.",
)

# %% [markdown]
# Here is an example with numbers small enough to check. Each row is one channel with its kernel and
# the convolution of the two; the framed windows make the framed outputs.

# %%
generator = torch.Generator().manual_seed(3)
planes = torch.randint(0, 4, (3, 4, 4), generator=generator).float()  # (C, H, W)
kernels = torch.tensor([[[1, 0], [0, -1]], [[0, 1], [1, 0]], [[-1, 0], [0, 1]]]).float()
show(
    plot_channel_sum(planes, kernels, bias=1.0),
    "Three rows, each with a channel of four by four numbers, its two by two kernel, and the three "
    "by three output they make; beside them the sum of the three outputs, and the same plus 1, "
    "which is the map",
)
drawn = F.conv2d(planes[None], kernels[None], torch.tensor([1.0]))[0, 0]  # (3, 3)
by_hand = 1 + sum(float((planes[c, :2, :2] * kernels[c]).sum()) for c in range(3))
expect(drawn[0, 0] == by_hand, "The framed output is three framed sums, plus the bias.")

# %% [markdown]
# So a filter can weigh the channels against each other. This one averages over 3 × 3 pixels and
# measures how far red exceeds the mean of green and blue. A ReLU then sets negative numbers to 0:

# %%
photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
photo = photo.permute(2, 0, 1).float() / 255  # (3, 600, 512)
colours = torch.tensor([1.0, -0.5, -0.5])  # red, green, blue; sums to 0
red_filter = (colours[:, None, None] * torch.full((3, 3), 1 / 9))[None]  # (1, 3, 3, 3)
redness = F.conv2d(photo[None], red_filter)[0].relu()  # (1, 598, 510)
show(
    plot_images([photo, redness / redness.max()], ["three channels in", "one map out"], size=2.2),
    "The photo, and a map in which the red stripes of the flag are bright, the face is grey, and "
    "white and dark areas are black",
)

# %% [markdown]
# In white, the three channels are equal, so the output is 0: the weights sum to zero, and lesson
# 03's rule for flat areas holds across channels, too.

# %% [markdown]
# ## Many filters make many maps
#
# A layer has $c_\text{out}$ filters of the same size, each with its own weights and bias. Each
# makes one map, and the maps are stacked as the channels of the output. So the weights of a layer
# have four axes:
#
# $$(\,c_\text{out},\; c_\text{in},\; k_h,\; k_w\,)$$

# %%
torch.manual_seed(0)
layer = nn.Conv2d(3, 6, kernel_size=3)
show(
    plot_filter_bank(layer.weight),
    "Six rows of three small kernels: one row for each filter, one column for each input channel",
)

# %%
maps = layer(x)  # (1, 6, 6, 6)
fourth = F.conv2d(x, layer.weight[3:4], layer.bias[3:4])  # the filter with index 3 alone
expect(torch.allclose(maps[:, 3:4], fourth, atol=1e-6), "Each map comes from one filter.")

# %% [markdown]
# Three words are often mixed up. In this course a **kernel** is one k × k slice, a **filter** is
# the stack of $c_\text{in}$ kernels that makes one map, and a **channel**, or feature map, is one
# of the grids that go in or come out. The output channels of one layer are the input channels of
# the next, so you choose only $c_\text{out}$.
#
# Other libraries order the axes differently. Keras has $(k_h, k_w, c_\text{in}, c_\text{out})$, so
# `permute(3, 2, 0, 1)` turns its weights into PyTorch's.

# %% [markdown]
# ## The shape of the output
#
# This is a favourite exam question: the filters have the shape
# $c_\text{out} \times c_\text{in} \times k_h \times k_w$, the padding is $(p_h, p_w)$ and the
# stride $(s_h, s_w)$. What is the shape of the output for an input of shape
# $(N, c_\text{in}, h, w)$? The formula of lesson 04 applies to each axis separately:
#
# $$\left(N,\; c_\text{out},\; \left\lfloor \frac{h + 2p_h - k_h}{s_h} \right\rfloor + 1,\;
# \left\lfloor \frac{w + 2p_w - k_w}{s_w} \right\rfloor + 1\right)$$
#
# **Predict, then run.** A layer with eight 3 × 5 filters, stride (2, 1) and padding (1, 2) reads
# a batch of four colour images, 33 pixels high and 48 wide. What shape does its output have?

# %%
layer = nn.Conv2d(3, 8, kernel_size=(3, 5), stride=(2, 1), padding=(1, 2))
shape = layer(torch.zeros(4, 3, 33, 48)).shape
print(tuple(shape))
size = output_size((33, 48), k=(3, 5), s=(2, 1), p=(1, 2))
expect(
    shape == (4, 8, *size),
    "The output has shape (N, c_out, height, width), the last two from the formula.",
)

# %% [markdown]
# What if the number of channels is wrong? Then filter and input do not match, and PyTorch refuses:

# %%
try:
    layer(torch.zeros(4, 1, 33, 48))
except RuntimeError as error:
    print(error)

# %% [markdown]
# ## Count the parameters
#
# 1. One kernel has $k_h k_w$ weights.
# 2. One filter has a kernel for each input channel: $c_\text{in} k_h k_w$.
# 3. One filter has one bias: $c_\text{in} k_h k_w + 1$.
# 4. The layer has $c_\text{out}$ filters:
#
# $$\boxed{\,c_\text{out}\,(c_\text{in}\, k_h k_w + 1)\,}$$
#
# Without biases, the count is $c_\text{out} c_\text{in} k_h k_w$. **Predict, then run.** In LeNet-5
# as it is usually built today, the second convolution has sixteen 5 × 5 filters, each of which
# reads all six maps. How many parameters does it have?


# %%
def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


layer = nn.Conv2d(6, 16, kernel_size=5)
print(num_parameters(layer), "=", f"16 · (6 · 25 + 1) = {16 * (6 * 25 + 1)}")
sizes = (1, 3, 8, 20)
for c_in, c_out, k, bias in product(sizes, sizes, sizes, (False, True)):
    built = nn.Conv2d(c_in, c_out, k, bias=bias)
    assert num_parameters(built) == c_out * (c_in * k * k + bias)  # True counts as 1
    assert num_parameters(built) == conv_parameters(c_in, c_out, k=k, bias=bias)
print("the formula holds for 128 layers")

# %% [markdown]
# Note what is *not* in the formula: the size of the image. The same layer works on images of any
# size in which its window fits, and a larger image needs no more parameters.

# %%
for size in (28, 224, 1000):
    maps = layer(torch.zeros(1, 6, size, size))
    print(f"{size:4} pixels: {num_parameters(layer):,} parameters, output {tuple(maps.shape)}")

# %% [markdown]
# ### When to leave out the bias
#
# Many networks since 2015 set `bias=False`. Their convolutions are followed by batch normalisation
# (lesson 11), which subtracts each channel's mean. A constant added to a whole channel is part of
# its mean, so it is subtracted again.

# %%
norm = nn.BatchNorm2d(16)
x = torch.randn(8, 6, 12, 12, generator=generator)
with_bias = norm(layer(x))
without = norm(F.conv2d(x, layer.weight))  # the same weights, no bias
expect(
    torch.allclose(with_bias, without, atol=1e-4),
    "Batch normalisation removes the bias.",
)

# %% [markdown]
# ## Count the work
#
# A **multiply-add** is one product, added to a sum. Each *output number* takes one multiply-add for
# every weight of its filter. So:
#
# 1. one output number: $c_\text{in} k_h k_w$ multiply-adds;
# 2. one map: times $h_\text{out} w_\text{out}$;
# 3. all maps: times $c_\text{out}$.
#
# $$c_\text{out}\, c_\text{in}\, k_h k_w \cdot h_\text{out} w_\text{out}$$
#
# That is the number of weights times the number of window positions. **Predict, then run.** PyTorch
# counts the "FLOPs" of the LeNet layer on maps of 14 × 14. Does it arrive at the same number?

# %%
from torch.utils.flop_counter import FlopCounterMode

with FlopCounterMode(display=False) as counter:
    layer(torch.zeros(1, 6, 14, 14))
by_hand = 16 * 6 * 25 * 10 * 10
print(f"multiply-adds by hand {by_hand:,}; PyTorch's FLOPs {counter.get_total_flops():,}")
expect(counter.get_total_flops() == 2 * by_hand, "A multiply-add is two FLOPs.")
counted = conv_multiply_adds(6, 16, k=5, out=output_size(14, k=5))
expect(counted == by_hand, "The course's own arithmetic counts multiply-adds.")

# %% [markdown]
# PyTorch's count is twice as high: it counts the product and the addition separately. Many papers
# count multiply-adds and call them "FLOPs", so a factor of 2 between two tables may mean nothing.
# This course counts multiply-adds.
#
# ### Parameters and work are in different places
#
# VGG-16 (lesson 09) is a good example, with thirteen convolutions and then three linear layers.
# `summarise` lists the layers of a network without running it on real data. Here are its first two
# convolutions, its last, and its three linear layers:

# %%
from course_utils.inspection import summarise

rows = [row for row in summarise("vgg16").rows if row.parameters]
print(f"{'':14}{'output':>15}{'parameters':>13}{'multiply-adds':>16}")
for row in (rows[0], rows[1], rows[12], *rows[13:]):
    shape = "×".join(map(str, row.output_shape))
    print(f"{row.name:14}{shape:>15}{row.parameters:13,}{row.multiply_adds:16,}")

# %%
convolutions, linear = rows[:13], rows[13:]
parameters = sum(row.parameters for row in linear) / sum(row.parameters for row in rows)
work = sum(row.multiply_adds for row in convolutions) / sum(row.multiply_adds for row in rows)
print(f"the linear layers hold {parameters:.0%} of the parameters")
print(f"the convolutions do    {work:.0%} of the work")
expect(
    parameters > 0.85 and work > 0.98,
    "The convolutions have few weights and do nearly all of the work.",
)

# %% [markdown]
# A convolution has few weights and uses each at every position. A linear layer has many and uses
# each one once. To make such a network *smaller*, change its linear layers; to make it *faster*,
# change its convolutions.
#
# ### Memory: what is kept
#
# Training keeps the output of every layer until the backward pass has used it. **Predict, then
# run.** How many megabytes do the weights of VGG-16's second convolution take? And how many does
# its output take for a batch of 64?

# %%
second = rows[1]
weights, maps = 4 * second.parameters, 4 * torch.Size(second.output_shape).numel()  # bytes
print(f"weights {weights / 1e6:7.2f} MB")
print(f"output  {maps / 1e6:7.2f} MB for one image, {64 * maps / 1e6:,.0f} MB for 64")

# %% [markdown]
# When you run out of memory while training a convnet, look at the maps of the *early* layers first,
# not at the weights. A smaller batch helps. A smaller linear layer helps, too, but less. Training
# with SGD and momentum stores three numbers per weight: the weight itself, its gradient and its
# momentum. For VGG-16's linear layers that takes 1.5 GB, against 3.5 GB for the outputs of its
# convolutions on 64 images.

# %% [markdown]
# ## The dense layer in its place
#
# What would a dense layer cost if its input and its output had the same shapes as a convolution's?
# It has one weight for each pair of input and output. Take VGG's first layer, from 3 × 224 × 224 to
# 64 × 224 × 224. **Predict, then run.** How many digits does the number of parameters have?

# %%
conv = conv_parameters(3, 64, k=3)
dense = (3 * 224 * 224) * (64 * 224 * 224) + 64 * 224 * 224
show(
    plot_counts({"convolution": conv, "dense layer": dense}, "parameters"),
    "Two bars on a logarithmic scale: 1,792 parameters against 483 billion",
)
print(f"in memory: {4 * conv / 1e3:.1f} kB against {4 * dense / 1e12:.1f} TB")

# %% [markdown]
# ### Try it: the counter
# The row *locally connected* counts lesson 03's layer without shared weights.
#
# 1. Double both numbers of channels. By what factor does the number of parameters grow?
# 2. Set the stride to 2. What falls, and what stays the same?
# 3. Find a convolution that has **exactly** as many parameters as the dense layer in its place.
#    (Hint: shrink the image.)
# 4. Set both numbers of channels, and *Groups*, to the same value. What shape do the weights have
#    now? (A later section says what groups are.)

# %%
from course_utils.widgets import ParameterCounter

ParameterCounter("LeNet, conv2")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. By 4, apart from the biases: the formula has $c_\text{in}$ and $c_\text{out}$ as factors.
# 2. The multiply-adds fall to a quarter. The parameters of the convolution stay the same; the other
#    two layers, which have weights for each output, need only a quarter of theirs.
# 3. $k = n$ without padding: there is one window, which covers everything. There is more about that
#    below.
# 4. $(c, 1, k, k)$: each filter reads one channel.
# </details>

# %% [markdown]
# ## The 1 × 1 convolution
#
# A 1 × 1 filter looks at a single pixel, which sounds useless. But it is as deep as its input, so
# it takes a weighted sum of that pixel's channels:
#
# $$z(o, i, j) = b(o) + \sum_c W(o, c)\, x(c, i, j)$$
#
# Fix a pixel $(i, j)$ and read the formula again: it is a **linear layer** from $c_\text{in}$ to
# $c_\text{out}$ numbers, the same at every pixel. To check this, we give both layers the same
# weights.

# %%
x = torch.randn(2, 60, 100, 100, generator=generator)
linear = nn.Linear(60, 20)
conv = nn.Conv2d(60, 20, kernel_size=1)
with torch.no_grad():
    conv.weight.copy_(linear.weight[:, :, None, None])  # (20, 60) → (20, 60, 1, 1)
    conv.bias.copy_(linear.bias)
    by_conv = conv(x)  # (2, 20, 100, 100)
    by_pixel = linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # channels last, and back
expect(
    torch.allclose(by_conv, by_pixel, atol=1e-5),
    "A 1 × 1 convolution is a linear layer at each pixel.",
)
print(f"{tuple(x.shape)} → {tuple(by_conv.shape)} with {num_parameters(conv):,} parameters")

# %% [markdown]
# You have already met one. The luminance of lesson 01, $0.299 R + 0.587 G + 0.114 B$, is a 1 × 1
# convolution from three channels to one:

# %%
weights = torch.tensor([0.299, 0.587, 0.114])
luminance = torch.einsum("c,chw->hw", weights, photo)
as_conv = F.conv2d(photo[None], weights.reshape(1, 3, 1, 1))[0, 0]
expect(torch.allclose(luminance, as_conv, atol=1e-6), "Luminance is a 1 × 1 convolution.")

# %% [markdown]
# People say "a 1 × 1 convolution is a fully connected layer". Yes, but over the *channels*, and
# shared by all pixels. It is not fully connected over the image, which would connect every pixel to
# every other:

# %%
over_image = (60 * 100 * 100) * (20 * 100 * 100)
print(f"over channels: {60 * 20:,} weights; over the image: {over_image:,}")

# %% [markdown]
# A 1 × 1 convolution is good for three things. It mixes channels. It changes their number: here
# from 60 to 20, at full resolution. And two 1 × 1 convolutions with an activation in between are a
# small MLP at every pixel, which is the idea of *Network in network* (lesson 10).
#
# ### Reduce first, then look
#
# 5 × 5 filters on many channels are expensive. **Predict, then run.** Take 192 channels in, 32 out,
# and maps of 28 × 28. How much work do you save if a 1 × 1 convolution first reduces the channels
# to 16?

# %%
direct = conv_multiply_adds(192, 32, k=5, out=28)
reduced = conv_multiply_adds(192, 16, k=1, out=28) + conv_multiply_adds(16, 32, k=5, out=28)
print(f"direct {direct:,}; reduced {reduced:,}: a saving by a factor of {direct / reduced:.1f}")
expect(reduced < direct / 9, "The reduction saves more than eight ninths of the work.")

# %% [markdown]
# That is a **bottleneck**. GoogLeNet (lesson 10) and the deep ResNets (lesson 13) use bottlenecks
# throughout.

# %% [markdown]
# ## From dense to convolution and back
#
# A convolution is a dense layer most of whose weights are zero (lesson 03). Conversely, a dense
# layer on a map is a convolution whose window covers the whole map: $k = n$, no padding, one
# position. LeNet's first linear layer reads 16 maps of 5 × 5:

# %%
linear = nn.Linear(16 * 5 * 5, 120)
conv = nn.Conv2d(16, 120, kernel_size=5)
with torch.no_grad():
    conv.weight.copy_(linear.weight.reshape(120, 16, 5, 5))
    conv.bias.copy_(linear.bias)
maps = torch.randn(2, 16, 5, 5, generator=generator)
same = torch.allclose(conv(maps)[:, :, 0, 0], linear(maps.flatten(1)), atol=1e-5)
expect(same, "A dense layer is a convolution as large as its map.")
expect(num_parameters(conv) == num_parameters(linear), "Both have the same number of parameters.")

# %% [markdown]
# The LeNet paper of 1998 describes this layer as a convolution, C5. What is that good for? On a
# larger map the linear layer fails, while the convolution slides:

# %%
larger = torch.randn(1, 16, 7, 9, generator=generator)
print("convolution:", tuple(conv(larger).shape))
try:
    linear(larger.flatten(1))
except RuntimeError as error:
    print("linear:     ", error)

# %% [markdown]
# If the layers after it become 1 × 1 convolutions, the network makes a prediction for each of 3 × 5
# places in the larger image, and shares the work between them. Networks for detection and
# segmentation rely on this.

# %% [markdown]
# ## Groups
#
# AlexNet did not fit into the memory of one GPU in 2012, so its authors split it across two. Half
# of the filters were on each GPU and read only the maps on that GPU; in one layer, conv3, all
# filters read all maps. The two halves are often called **towers**. Today this is a setting,
# `groups=2`.
#
# With $g$ groups the input channels are divided into $g$ equal parts, and so are the filters; each
# filter reads only its own part. It has $c_\text{in}/g$ kernels, so the weights have the shape
# $(c_\text{out},\, c_\text{in}/g,\, k_h,\, k_w)$ and the layer has
#
# $$c_\text{out} \left(\frac{c_\text{in}}{g}\, k_h k_w + 1\right)$$
#
# parameters: the number of weights is divided by $g$, and the number of biases stays the same.

# %%
torch.manual_seed(0)
towers = nn.Conv2d(6, 8, kernel_size=3, groups=2)
print("weights", tuple(towers.weight.shape))
show(
    plot_filter_bank(towers.weight, groups=2),
    "Eight filters and six channels: the first four filters have kernels only for the first three "
    "channels, the last four only for the last three; the other half of the grid is empty",
)

# %% [markdown]
# **Predict, then run.** This layer is the same as two separate layers on the two halves of the
# channels. We add up the first four of its maps, and compute the gradient with respect to the
# input. For which of the six channels is it zero?

# %%
x = torch.randn(2, 6, 10, 10, generator=generator)
first = F.conv2d(x[:, :3], towers.weight[:4], towers.bias[:4])  # (2, 4, 8, 8)
second = F.conv2d(x[:, 3:], towers.weight[4:], towers.bias[4:])  # (2, 4, 8, 8)
same = torch.allclose(towers(x), torch.cat([first, second], dim=1), atol=1e-5)
expect(same, "Two groups are two layers side by side.")
x.requires_grad_()
towers(x)[:, :4].sum().backward()  # backward pass from the first tower only
expect(not x.grad[:, 3:].any(), "The first tower does not depend on the channels of the second.")

# %% [markdown]
# How much did the split save in AlexNet?

# %%
print(facts.get("alexnet.grouped_layers"))
layers = {"conv2": (96, 256, 5), "conv4": (384, 384, 3), "conv5": (384, 256, 3)}
saved = 0
for name, (c_in, c_out, k) in layers.items():
    whole, split = (conv_parameters(c_in, c_out, k=k, groups=g) for g in (1, 2))
    saved += whole - split
    print(f"{name}: {whole:9,} parameters, in two groups {split:9,}")
total = summarise("alexnet").parameters
print(f"AlexNet has {total:,} parameters; without groups it would have {total + saved:,}")
assert total == facts.get("alexnet.parameters").ours

# %% [markdown]
# The split saved only two per cent of all parameters, since most of them are in the linear layers,
# but it saved half of the work in these three layers.
#
# ### One group for each channel
#
# At the extreme, $g = c_\text{in}$: each filter reads **one** channel. That is a **depthwise**
# convolution. It looks at neighbouring pixels but does not mix channels; a 1 × 1 convolution mixes
# channels but does not look at neighbours. One after the other they make a **depthwise separable**
# convolution. For $c$ channels in and out, its work relative to an ordinary convolution's is
#
# $$\frac{\overbrace{k^2 c}^{\text{depthwise}} + \overbrace{c^2}^{1 \times 1}}{\underbrace{k^2 c^2}_{\text{ordinary}}} = \frac{1}{c} + \frac{1}{k^2}$$
#
# For 3 × 3 kernels and many channels that is little more than a ninth. Here are four kinds of
# layer, with six channels in and out, a line for each kernel, and a colour for each group:

# %%
from course_utils.plots import plot_wiring

kinds = {
    "3 × 3": nn.Conv2d(6, 6, 3),
    "1 × 1": nn.Conv2d(6, 6, 1),
    "3 × 3, 2 groups": nn.Conv2d(6, 6, 3, groups=2),
    "3 × 3, depthwise": nn.Conv2d(6, 6, 3, groups=6),
}
show(
    plot_wiring(kinds),
    "Six channels joined to six filters, four times: each to each, with 324 weights; each to each, "
    "with 36; in two separate halves, with 162; and one to one, with 54",
)
counts = [kind.weight.numel() for kind in kinds.values()]
expect(counts == [324, 36, 162, 54], "The counts are 36 · 9, 36, half and a sixth of the first.")

# %% [markdown]
# ### Try it: a filter and its channels
# Here are the four kinds once more, with four channels in and out and numbers you can check. Choose
# a kind under *Layer* and one of its filters under *Filter*; *Next* moves the window on.
#
# 1. Step through the map of filter 1. In which of its cells does channel 1 add nothing, and why?
# 2. Change the layer to *1 × 1*. What can this filter no longer see?
# 3. Change to *3 × 3, two groups* and go from filter 2 to filter 3. Which channels does each read?
# 4. With *3 × 3, depthwise*, which channels influence the map of filter 4? What would you add after
#    this layer so that every output depends on all channels?

# %%
from course_utils.widgets import ChannelStepper

ChannelStepper(step=4)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. In the right-hand column: there all numbers in the window are 3, and the weights of the kernel
#    for channel 1 add up to zero.
# 2. Neighbouring pixels, and therefore edges. It has one weight for each channel, so it can only
#    mix the numbers at one place.
# 3. Filters 1 and 2 read channels 1 and 2; filters 3 and 4 read channels 3 and 4.
# 4. Channel 4 alone. A 1 × 1 convolution after it would mix the channels.
# </details>

# %% [markdown]
# **Predict, then run.** Is a layer with about a ninth of the work nine times as fast?

# %%
c, n = 128, 56
ordinary = conv_multiply_adds(c, c, k=3, out=n)
separable = conv_multiply_adds(c, c, k=3, out=n, groups=c) + conv_multiply_adds(c, c, k=1, out=n)
print(f"ordinary {ordinary:,}; separable {separable:,}; ratio {separable / ordinary:.4f}")
expect(
    abs(separable / ordinary - (1 / c + 1 / 9)) < 1e-12,
    "The separable pair costs 1/c + 1/k² of the ordinary convolution.",
)

# %% tags=["nbval-ignore-output"]
import time

models = {
    "ordinary": nn.Conv2d(c, c, 3, padding=1),
    "separable": nn.Sequential(nn.Conv2d(c, c, 3, padding=1, groups=c), nn.Conv2d(c, c, 1)),
}
maps, best = torch.randn(8, c, n, n), {}
for name, model in models.items():
    times = []
    with torch.no_grad():
        for _ in range(6):
            start = time.perf_counter()
            model(maps)
            times.append(time.perf_counter() - start)
    best[name] = min(times)
    print(f"{name:10} {1000 * best[name]:6.1f} ms")

# %% tags=["nbval-ignore-output"]
faster = best["ordinary"] / best["separable"]
print(f"saved: a factor of {ordinary / separable:.1f} in work, of {faster:.1f} in time")

# %% [markdown]
# On most machines it is not. The usual reason is that a depthwise filter does little work with each
# number that it fetches from memory, so the processor waits. **Multiply-adds are a model of time,
# not time itself.** Measure before you believe them.

# %% [markdown]
# ## A whole network
#
# **Predict, then run.** Before you look at the table, write down the output shape, parameters and
# multiply-adds of each layer.

# %%
from course_utils.inspection import summary

network = nn.Sequential(
    nn.Conv2d(3, 16, kernel_size=3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, kernel_size=3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 8 * 8, 10),
)
summary(network, (3, 32, 32))

# %% [markdown]
# The table says that the last layer sees 38 pixels across, though the image has only 32: each of
# its outputs reads the whole map, and the receptive fields of the map's outermost positions reach
# three pixels into the padding on each side.

# %% [markdown]
# ## Pop quiz
#
# Decide first, then answer. If you get one wrong, the feedback names the slip that leads to your
# answer.

# %%
from course_utils import quiz

quiz.show("05_channels_and_parameters")

# %% [markdown]
# ## Try it yourself
#
# Write a function that counts the parameters of a convolution, with groups and bias. The cell below
# compares it with PyTorch.


# %%
def count(c_in: int, c_out: int, k: int, groups: int = 1, bias: bool = True) -> int:
    return c_out * c_in * k * k  # your code here


# %%
for settings in ((3, 8, 3, 1, False), (3, 8, 3, 1, True), (6, 8, 5, 2, True), (8, 8, 3, 8, False)):
    c_in, c_out, k, groups, bias = settings
    expected = num_parameters(nn.Conv2d(c_in, c_out, k, groups=groups, bias=bias))
    if count(*settings) != expected:
        print(f"not yet: {c_in} → {c_out}, k = {k}, groups = {groups}, bias = {bias}:")
        print(f"         {count(*settings)}, expected {expected}")
        break
else:
    print("correct")

# %% [markdown]
# <details><summary>A solution</summary>
#
# `return c_out * (c_in // groups * k * k + bias)`. In a sum, `True` counts as 1.
# </details>

# %% [markdown]
# ## What to remember
#
# - Weights have the shape $(c_\text{out}, c_\text{in}, k_h, k_w)$. One filter reads all channels
#   and makes one map.
# - Parameters: $c_\text{out}(c_\text{in} k_h k_w + 1)$, whatever the size of the image.
#   Multiply-adds: the number of weights times the number of window positions.
# - In a net like VGG-16, linear layers hold most of the parameters, convolutions do most of the
#   work, and early maps fill the memory.
# - A 1 × 1 convolution is the same linear layer at every pixel. A dense layer is a convolution with
#   $k = n$.
# - $g$ groups divide weights and work by $g$, and cut the connections between groups.

# %% [markdown]
# ## Open questions
#
# These have no single right answer. Write down yours, and what would change your mind.
#
# 1. Do channels have an order? What would change in a net if you shuffled them?
# 2. For a phone, you may limit either the parameters or the multiply-adds of a net. Which do you
#    limit, and why?
# 3. When do you expect groups to cost accuracy?

# %% [markdown]
# ## Further reading
#
# - A. Krizhevsky, I. Sutskever, G. Hinton: *ImageNet classification with deep convolutional neural
#   networks*. NIPS 25, 2012. Section 3.5 and figure 2: the two towers.
# - M. Lin, Q. Chen, S. Yan: *Network in network*. ICLR 2014. 1 × 1 convolutions as an MLP at each
#   pixel.
# - F. Chollet: *Xception: Deep learning with depthwise separable convolutions*. CVPR 2017.
# - A. Howard et al.: *MobileNets: Efficient convolutional neural networks for mobile vision
#   applications*. arXiv 1704.04861, 2017.
# - J. Long, E. Shelhamer, T. Darrell: *Fully convolutional networks for semantic segmentation*.
#   CVPR 2015. Dense layers turned into convolutions.
#
# **Exercise** {exercise}
#
# **Next** Lesson 06 asks what happens to the maps when the image moves.
#
# ## Words of this lesson
#
# | English | Korean | meaning |
# |---|---|---|
# | channel | 채널 | one of the grids that go in or come out |
# | feature map | 특징 맵 | an output channel |
# | filter | 필터 | weights of shape (c_in, k, k) that make one map |
# | bias | 편향 | a constant that is added to a map |
# | parameter | 파라미터, 매개변수 | a number that training adjusts |
# | multiply-add | 곱셈-덧셈 연산 | one product, added to a sum; two FLOPs |
# | 1 × 1 convolution | 1×1 합성곱 | the same linear layer at every pixel |
# | bottleneck | 병목 | a layer with few channels between layers with many |
# | grouped convolution | 그룹 합성곱 | each filter reads only its own part of the channels |
# | depthwise convolution | 깊이별 합성곱 | each filter reads one channel |
