"""Highway networks: each layer decides, value by value, how much of its input to pass on."""

import torch
from torch import nn

from course_utils.models.choices import checked
from course_utils.models.initialization import he_normal_

__all__ = [
    "HighwayConv2d",
    "HighwayConvNet",
    "HighwayLinear",
    "HighwayMLP",
    "highway",
    "highway_small",
]


class HighwayLinear(nn.Module):
    """Fully connected highway layer: y = H(x) T(x) + x (1 - T(x)).

    Args:
        num_units: Units of the layer, as many as its input has.
        gate_bias: Initial bias of the transform gate T; a negative one lets x pass.

    Source: Srivastava et al. 2015 (Training very deep networks), equation 3 and section 2.2.
    """

    def __init__(self, num_units: int, gate_bias: float = -2.0) -> None:
        super().__init__()
        self.transform = nn.Linear(num_units, num_units)
        self.gate = nn.Linear(num_units, num_units)
        self.gate.bias = nn.Parameter(torch.full((num_units,), gate_bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return y (N, num_units) for x (N, num_units)."""
        h = torch.relu(self.transform(x))
        t = torch.sigmoid(self.gate(x))  # in (0, 1); the carry gate is C = 1 - T
        return h * t + x * (1 - t)


class HighwayConv2d(nn.Module):
    """Convolutional highway layer: the same equation, with 3x3 convolutions for H and T.

    Args:
        num_channels: Channels of the layer, as many as its input has.
        gate_bias: Initial bias of the transform gate T; a negative one lets x pass.

    Source: Srivastava et al. 2015 (Training very deep networks), section 2.1.
    """

    def __init__(self, num_channels: int, gate_bias: float = -1.0) -> None:
        super().__init__()
        self.transform = nn.Conv2d(num_channels, num_channels, kernel_size=3, padding=1)
        self.gate = nn.Conv2d(num_channels, num_channels, kernel_size=3, padding=1)
        self.gate.bias = nn.Parameter(torch.full((num_channels,), gate_bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return y (N, C, H, W) for x (N, C, H, W)."""
        h = torch.relu(self.transform(x))
        t = torch.sigmoid(self.gate(x))
        return h * t + x * (1 - t)


class HighwayMLP(nn.Module):
    """A thin and deep fully connected net: one plain layer, highway layers, one linear layer.

    For its arguments see `highway`; `in_features` is C * H * W of the images. The plain twin has
    linear layers with ReLU instead of the highway layers.
    """

    def __init__(
        self,
        in_features: int,
        num_units: int,
        num_layers: int,
        num_classes: int,
        gated: bool = True,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Flatten(), nn.Linear(in_features, num_units), nn.ReLU())
        self.layers = nn.Sequential()
        for _ in range(num_layers):
            plain = nn.Sequential(nn.Linear(num_units, num_units), nn.ReLU())
            self.layers.append(HighwayLinear(num_units) if gated else plain)
        self.classifier = nn.Linear(num_units, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) into logits (N, num_classes)."""
        x = self.stem(images)  # (N, num_units)
        x = self.layers(x)  # (N, num_units)
        return self.classifier(x)  # (N, num_classes)


class HighwayConvNet(nn.Module):
    """Three stages of convolutional highway layers; a plain layer and a pool lead to each.

    For its arguments see `highway_small`. The plain twin has convolutions with ReLU in place of the
    highway layers.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        num_layers: int = 3,
        width: int = 16,
        gated: bool = True,
    ) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        for channels in (width, 2 * width, 4 * width):
            self.stages.append(nn.Conv2d(in_channels, channels, kernel_size=3, padding=1))
            self.stages.append(nn.ReLU())
            self.stages.append(nn.MaxPool2d(2))  # (N, channels, H/2, W/2)
            for _ in range(num_layers):
                plain = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
                self.stages.append(HighwayConv2d(channels) if gated else plain)
            in_channels = channels
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) of 28 or 32 px into logits (N, num_classes)."""
        x = self.stages(images)  # (N, 4*width, H/8, W/8)
        return self.classifier(x.mean(dim=(2, 3)))  # (N, num_classes)


def bias_gates_(model: nn.Module, gate_bias: float) -> None:
    """Set the bias of every transform gate of a model."""
    for module in model.modules():
        if isinstance(module, HighwayLinear | HighwayConv2d):
            nn.init.constant_(module.gate.get_parameter("bias"), gate_bias)


@checked
def highway(
    *,
    in_channels: int,
    num_classes: int,
    image_size: int = 28,
    num_units: int = 50,
    num_layers: int = 20,
    gate_bias: float = -2.0,
    gated: bool = True,
) -> HighwayMLP:
    """Build a fully connected highway network.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        image_size: Height and width of the images.
        num_units: Units of every hidden layer; 50 for MNIST in the paper.
        num_layers: Number of highway layers.
        gate_bias: Initial bias of the gates; a negative one lets the input pass.
        gated: False builds the plain twin.

    Source: Srivastava et al. 2015 (Training very deep networks), section 3. Initial weights:
        He et al. 2015; in the paper many zero-mean distributions work.
    """
    in_features = in_channels * image_size**2
    model = HighwayMLP(in_features, num_units, num_layers, num_classes, gated=gated)
    bias_gates_(he_normal_(model), gate_bias)
    return model


@checked
def highway_small(
    *,
    in_channels: int,
    num_classes: int,
    num_layers: int = 3,
    width: int = 16,
    gate_bias: float = -1.0,
    gated: bool = True,
) -> HighwayConvNet:
    """Build a convolutional highway network for 28 and 32 px.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        num_layers: Highway layers in each of the three stages.
        width: Channels of the first stage; the others have twice and four times as many.
        gate_bias: Initial bias of the gates; the paper suggests -1, -2 and -3 for about 10,
            20 and 30 layers.
        gated: False builds the plain twin.

    Source: Srivastava et al. 2015 (Training very deep networks), sections 2.1, 2.2; sizes are ours.
    """
    model = HighwayConvNet(in_channels, num_classes, num_layers, width, gated=gated)
    bias_gates_(he_normal_(model), gate_bias)
    return model
