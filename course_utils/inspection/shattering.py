"""Shattered gradients: how alike the gradients of nearby inputs are, by depth.

Along a line of inputs, a net with one output has one derivative at each point. In a shallow net
they change slowly, like a random walk; in a deep plain net they change like white noise.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from course_utils.arguments import whole
from course_utils.inspection.capture import in_mode

__all__ = [
    "Line",
    "autocorrelation",
    "autocorrelation_by_depth",
    "brown_noise",
    "gradient_series",
    "input_gradients",
    "rectifier_net",
    "white_noise",
]

WIDTH = 200  # units of each layer of a rectifier net

Builder = Callable[[torch.Generator], nn.Module]


class RectifierLayer(nn.Module):
    """Normalise, rectify, mix: W ReLU(BN(x)), with or without a shortcut.

    Source: Balduzzi et al. 2017, whose residual layers are x + beta W ReLU(BN(x)), with beta = 1.
    """

    def __init__(self, width: int, skip: bool) -> None:
        super().__init__()
        self.norm, self.mix = nn.BatchNorm1d(width), nn.Linear(width, width, bias=False)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, width) to (N, width)."""
        f = self.mix(torch.relu(self.norm(x)))
        return x + f if self.skip else f


def rectifier_net(depth: int, *, skip: bool = False, generator: torch.Generator) -> nn.Sequential:
    """Build a fresh net from one number to one number, to look at its derivative.

    Args:
        depth: Number of rectifier layers.
        skip: Whether each layer adds to its input instead of replacing it.
        generator: Draws the weights, as in He et al. 2015.

    Raises:
        ValueError: The depth is below 1.

    Source: Balduzzi et al. 2017, section 2 and figure 1: 200 units per layer, input a number.
    Differs: all nets are normalised by the whole grid; random shifts of the first
        normalisation give each kink of layer 1 its own place.
    """
    layers = [RectifierLayer(WIDTH, skip) for _ in range(whole("depth", depth))]
    first, last = nn.Linear(1, WIDTH, bias=False), nn.Linear(WIDTH, 1, bias=False)
    net = nn.Sequential(first, *layers, last)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            fan_in = module.weight.shape[1]
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in), generator=generator)
    # The first normalisation's shifts: zeros would put all of layer 1's kinks at the same place.
    nn.init.normal_(net.get_parameter("1.norm.bias"), generator=generator)
    return net


class Line(nn.Module):
    """One logit of a model along the straight line between two images, as a function of t.

    Args:
        model: Returns logits (N, num_classes).
        start: (C, H, W), the image at t = 0.
        end: (C, H, W), the image at t = 1.
        label: The class of the logit.
    """

    def __init__(self, model: nn.Module, start: Tensor, end: Tensor, label: int) -> None:
        super().__init__()
        self.model, self.start, self.end, self.label = model, start, end, label

    def forward(self, t: Tensor) -> Tensor:
        """Map t (N, 1) to logits (N, 1)."""
        t = t[:, :, None, None]  # (N, 1, 1, 1)
        pictures = (1 - t) * self.start + t * self.end  # (N, C, H, W)
        return self.model(pictures)[:, self.label : self.label + 1]


def input_gradients(model: nn.Module, inputs: Tensor) -> Tensor:
    """Differentiate a model's output with respect to each of its inputs.

    Batch normalisation uses the mean and variance of these very inputs, which are measured
    first and then held fixed, so that each derivative belongs to one input alone. The model keeps
    its mode and its running estimates.

    Args:
        model: Maps numbers (N, 1) to numbers (N, 1).
        inputs: (N,), such as a uniform grid.

    Returns:
        (N,): dy/dx at each input.
    """
    x = inputs.detach()[:, None].requires_grad_()  # (N, 1)
    with in_mode(model, training=True), torch.enable_grad():
        settle_norms_(model, x.detach())
        model.eval()
        (gradients,) = torch.autograd.grad(model(x).sum(), x)
    return gradients[:, 0]


@torch.no_grad()
def settle_norms_(model: nn.Module, inputs: Tensor) -> None:
    """Set the running estimates of every batch normalisation to those of these inputs."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # the newest batch is all that counts
    model.train()
    model(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def gradient_series(
    build: Builder, inputs: Tensor, *, num_nets: int, generator: torch.Generator
) -> Tensor:
    """Differentiate several fresh nets along the same inputs.

    Args:
        build: Makes a net with weights drawn from the generator that it is given.
        inputs: (N,).
        num_nets: Number of nets.
        generator: Draws all of them, one after another.

    Returns:
        (num_nets, N): a row of derivatives for each net.

    Raises:
        ValueError: `num_nets` is below 1.
    """
    whole("num_nets", num_nets)
    return torch.stack([input_gradients(build(generator), inputs) for _ in range(num_nets)])


def autocorrelation(series: Tensor, max_lag: int = 15) -> Tensor:
    """Correlate each series with itself, shifted by 0, 1, ..., max_lag points, and average.

    Args:
        series: (R, N), R series of N equally spaced values.
        max_lag: Largest shift, below N.

    Returns:
        (max_lag + 1,): 1 at lag 0; near 0 from lag 1 on for white noise.

    Raises:
        ValueError: The lag does not fit, or a series is constant and has no correlation.

    Source: Balduzzi et al. 2017, figure 2.
    """
    num_points = series.shape[1]
    whole("max_lag", max_lag, 0, num_points - 1)
    centred = series - series.mean(dim=1, keepdim=True)  # (R, N)
    power = centred.square().sum(dim=1)  # (R,)
    if not bool((power > 0).all()):
        raise ValueError("a series is constant, so it has no autocorrelation: leave it out")
    lags = [
        (centred[:, : num_points - lag] * centred[:, lag:]).sum(dim=1) / power
        for lag in range(max_lag + 1)
    ]
    return torch.stack(lags).mean(dim=1)


def covariance(series: Tensor) -> Tensor:
    """Average the product of the values at every two points, over the series.

    Each of R series (R, N) is scaled to mean square 1 first, so that none outweighs the others.
    For white noise the result (N, N) is only a bright diagonal, for a random walk a broad band.

    Source: Balduzzi et al. 2017, figure 1, lower row.
    """
    scaled = series / series.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-30)
    return scaled.T @ scaled / len(series)


def white_noise(num_series: int, num_points: int, generator: torch.Generator) -> Tensor:
    """Draw series (num_series, num_points) of independent values from N(0, 1)."""
    return torch.randn(num_series, num_points, generator=generator)


def brown_noise(num_series: int, num_points: int, generator: torch.Generator) -> Tensor:
    """Draw random walks (num_series, num_points): each value is the last one plus white noise."""
    return white_noise(num_series, num_points, generator).cumsum(dim=1)


def autocorrelation_by_depth(
    depths: Sequence[int],
    inputs: Tensor,
    *,
    skip: bool,
    num_nets: int = 10,
    generator: torch.Generator,
) -> dict[int, Tensor]:
    """Measure the gradients' autocorrelation for rectifier nets of several depths.

    Args:
        depths: Rectifier layers of each kind of net.
        inputs: (N,), a uniform grid.
        skip: Whether the layers add to their inputs.
        num_nets: Nets of each depth to average over.
        generator: Draws all the weights.

    Returns:
        Depth -> what `autocorrelation` returns.

    Source: Balduzzi et al. 2017, figure 2.
    """

    def measure(depth: int) -> Tensor:
        def build(draws: torch.Generator) -> nn.Module:
            return rectifier_net(depth, skip=skip, generator=draws)

        series = gradient_series(build, inputs, num_nets=num_nets, generator=generator)
        return autocorrelation(series)

    return {depth: measure(depth) for depth in depths}
