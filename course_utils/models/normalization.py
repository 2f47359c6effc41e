"""Normalisation: of activations, of weights, or none, behind one switch."""

import math
from typing import Literal, TypeVar, get_args

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import register_parametrization

from course_utils.arguments import one_of

__all__ = [
    "NORMS",
    "BatchNorm2dByHand",
    "LocalResponseNorm",
    "Norm",
    "StandardisedWeight",
    "norm_layer",
    "set_norm_",
]

Model = TypeVar("Model", bound=nn.Module)

Norm = Literal["none", "batch", "layer", "group", "instance", "weight", "scaled_weight"]
"""Values of the switch `norm`: four normalise activations, the last two normalise weights."""

NORMS: tuple[Norm, ...] = get_args(Norm)

GROUP_SIZE = 8
"""Channels in one group of group normalisation, if the number of channels allows it."""


class BatchNorm2dByHand(nn.Module):
    """Batch normalisation written out; equal to `nn.BatchNorm2d` to the last buffer.

    Args:
        num_features: Number of channels C.
        eps: Added to the variance, so that a constant channel does not divide by zero.
        momentum: Weight of the newest batch in the running estimates.

    Source: Ioffe & Szegedy 2015, algorithms 1 and 2.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor
    num_batches_tracked: torch.Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))  # gamma, (C,)
        self.bias = nn.Parameter(torch.zeros(num_features))  # beta, (C,)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise x (N, C, H, W): by this batch in training, else by the running estimates.

        Raises:
            ValueError: In training, if a channel holds a single value: it has no variance.
        """
        if self.training:
            mean = x.mean(dim=(0, 2, 3))  # (C,)
            variance = x.var(dim=(0, 2, 3), correction=0)  # (C,), divided by n: biased
            self.track(mean.detach(), variance.detach(), n=x.numel() // x.shape[1])
        else:
            mean, variance = self.running_mean, self.running_var
        mean, variance = mean[:, None, None], variance[:, None, None]  # (C, 1, 1)
        normalised = (x - mean) / torch.sqrt(variance + self.eps)
        return self.weight[:, None, None] * normalised + self.bias[:, None, None]

    def track(self, mean: torch.Tensor, variance: torch.Tensor, n: int) -> None:
        """Move the running estimates towards this batch of n values per channel."""
        if n == 1:
            raise ValueError("batch normalisation needs more than 1 value per channel to train on")
        unbiased = variance * n / (n - 1)  # estimates the variance of the distribution
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked.add_(1)


class LocalResponseNorm(nn.Module):
    """Divide each channel by the activity of its neighbours: a / (k + alpha sum a^2)^beta.

    The defaults are AlexNet's. `nn.LocalResponseNorm` divides its alpha by the size of the
    window, so the same layer there needs alpha = 5e-4.

    Source: Krizhevsky et al. 2012, section 3.3.
    """

    def __init__(
        self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
    ) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (N, C, H, W) normalised; the shape stays the same."""
        num_channels = x.shape[1]
        before, after = self.size // 2, (self.size - 1) // 2
        squares = F.pad(x.square(), (0, 0, 0, 0, before, after))  # (N, C + size - 1, H, W)
        total = squares[:, :num_channels]
        for i in range(1, self.size):
            total = total + squares[:, i : i + num_channels]  # neighbour i of every channel
        return x / (self.k + self.alpha * total) ** self.beta

    def extra_repr(self) -> str:
        """Show the four numbers when the model is printed."""
        return f"size={self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class StandardisedWeight(nn.Module):
    """Give every filter mean 0 and a fixed variance, whatever the optimiser does to it.

    With this variance, the variance of the activations stays 1 through a ReLU, so no layer has to
    normalise the activations themselves.

    Args:
        num_filters: C_out of the convolution; each filter gets a trained gain.

    Source: Brock et al. 2021 (Characterizing signal propagation), section 4.1; the trained
        gain: Brock et al. 2021 (High-performance large-scale image recognition), section 2.
    """

    def __init__(self, num_filters: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(num_filters))
        self.relu_factor = (2 / (1 - 1 / math.pi)) ** 0.5  # 1 / standard deviation of ReLU(N(0, 1))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the filters to convolve with, from the trained ones (C_out, C_in, k, k)."""
        fan_in = weight[0].numel()
        mean = weight.mean(dim=(1, 2, 3), keepdim=True)  # (C_out, 1, 1, 1)
        variance = weight.var(dim=(1, 2, 3), correction=0, keepdim=True)  # (C_out, 1, 1, 1)
        scale = torch.sqrt((fan_in * variance).clamp(min=1e-4))
        return self.relu_factor * self.gain[:, None, None, None] * (weight - mean) / scale


def norm_layer(norm: Norm, num_channels: int) -> nn.Module:
    """Return a layer that normalises activations (N, C, H, W), with scale and shift per channel.

    For `none`, `weight` and `scaled_weight`, which leave the activations alone, it does nothing.

    Raises:
        ValueError: The norm is not one of `NORMS`.

    Source: Ioffe & Szegedy 2015 (batch), Ba et al. 2016 (layer), Wu & He 2018 (group),
        Ulyanov et al. 2016 (instance).
    Differs: layer normalisation has one scale and shift per channel, not per value, as in Wu & He.
        Groups have 8 channels, where Wu & He fix their number at 32: the small nets of this course
        have only 16 channels.
    """
    one_of("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm2d(num_channels)
    if norm == "layer":
        return nn.GroupNorm(1, num_channels)
    if norm == "group":
        return nn.GroupNorm(num_channels // math.gcd(num_channels, GROUP_SIZE), num_channels)
    if norm == "instance":
        return nn.InstanceNorm2d(num_channels, affine=True)
    return nn.Identity()


def norm_weight_(conv: nn.Conv2d, norm: Norm) -> None:
    """Change a convolution to suit a net in which no layer normalises the activations.

    It gets the bias that the shift of a normalisation layer would make useless; `weight` and
    `scaled_weight` normalise its filters, too.

    Source: Salimans & Kingma 2016, equation 2 (weight); `StandardisedWeight` (scaled_weight).
    Differs: weight normalisation starts from the filters as they are, not from a first batch.
    """
    if conv.bias is None:
        conv.bias = nn.Parameter(conv.weight.new_zeros(conv.out_channels))
    if norm == "weight":
        weight_norm(conv)
    if norm == "scaled_weight":
        register_parametrization(conv, "weight", StandardisedWeight(conv.out_channels))


def set_norm_(model: Model, norm: Norm) -> Model:
    """Swap every `nn.BatchNorm2d` of a model for another normalisation, in place.

    So classes can be written plainly with batch normalisation, and each still has the whole
    switch. Scales and shifts are carried over if the new layer has them.

    Args:
        model: A freshly built model, with `nn.BatchNorm2d` wherever it normalises.
        norm: One of `NORMS`; `batch` changes nothing.

    Raises:
        ValueError: The norm is not one of `NORMS`.
    """
    norm_layer(norm, 1)  # refuses an unknown value before anything is changed
    if norm == "batch":
        return model
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                replacement = norm_layer(norm, child.num_features)
                replacement.load_state_dict(child.state_dict(), strict=False)
                setattr(parent, name, replacement)
            elif isinstance(child, nn.Conv2d) and norm in ("none", "weight", "scaled_weight"):
                norm_weight_(child, norm)
    return model
