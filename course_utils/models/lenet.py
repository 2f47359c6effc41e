"""LeNet-5 as textbooks build it today, with the choices of 1998 as switches."""

from typing import Literal

import torch
from torch import nn

from course_utils.models.choices import checked
from course_utils.models.initialization import glorot_uniform_, he_normal_, lecun_uniform_

__all__ = ["PADDINGS", "LeNet5", "ScaledTanh", "lenet5"]


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x): it passes through (1, 1) and (-1, -1), and bends most there.

    Source: LeCun et al. 1998, section II-B and appendix A.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activation of every element; the shape stays the same."""
        return 1.7159 * torch.tanh(2 / 3 * x)


class LeNet5(nn.Module):
    """Two rounds of convolution and pooling, then three linear layers.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        activation: Module type used after every convolution and linear layer except the last.
        pooling: Module type that halves height and width.
        padding: Padding of the first layer: 2 for 28x28 images, 0 for 32x32.

    Source: LeCun et al. 1998, section II-B and figure 2.
    Differs: 61,706 parameters instead of 60,000, as C3 sees all six maps, pooling has no
        trainable scale and shift, and a linear layer replaces the RBF units at the end.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        activation: type[nn.Module] = nn.ReLU,
        pooling: type[nn.Module] = nn.MaxPool2d,
        padding: int = 2,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, kernel_size=5, padding=padding),  # (N, 6, 28, 28)
            activation(),
            pooling(2),  # (N, 6, 14, 14)
            nn.Conv2d(6, 16, kernel_size=5),  # (N, 16, 10, 10)
            activation(),
            pooling(2),  # (N, 16, 5, 5)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (N, 400)
            nn.Linear(16 * 5 * 5, 120),
            activation(),
            nn.Linear(120, 84),
            activation(),
            nn.Linear(84, num_classes),  # (N, num_classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, 28, 28), or 32x32 without padding, into logits (N, num_classes)."""
        return self.classifier(self.features(images))


Activation = Literal["relu", "sigmoid", "tanh", "scaled_tanh"]
Pooling = Literal["max", "average"]
ImageSize = Literal[28, 32]

ACTIVATIONS = {
    "relu": (nn.ReLU, he_normal_),
    "sigmoid": (nn.Sigmoid, glorot_uniform_),
    "tanh": (nn.Tanh, glorot_uniform_),
    "scaled_tanh": (ScaledTanh, lecun_uniform_),
}
"""Name of an activation -> its module, and the initial weights that suit it."""

POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}

PADDINGS = {28: 2, 32: 0}
"""Size of the images -> padding of the first layer; both give 28x28 maps."""


@checked
def lenet5(
    *,
    in_channels: int,
    num_classes: int,
    activation: Activation = "relu",
    pooling: Pooling = "max",
    image_size: ImageSize = 28,
) -> LeNet5:
    """Build LeNet-5 with initial weights that suit the activation.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        activation: `relu` (default), `sigmoid`, `tanh`, or `scaled_tanh` as in 1998.
        pooling: `max` (default), or `average`, which is closer to 1998.
        image_size: 28 (the first layer pads by 2) or 32 (no padding, as in 1998).

    Source: LeCun et al. 1998, section II-B; initial weights: see `ACTIVATIONS`.
    Differs: see `LeNet5`; ReLU and max pooling are the choice of today, not of 1998.
    """
    module, initialise = ACTIVATIONS[activation]
    padding = PADDINGS[image_size]
    return initialise(LeNet5(in_channels, num_classes, module, POOLINGS[pooling], padding))
