"""A locally connected net: it looks at neighbourhoods like a convolution, but shares nothing."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models.choices import checked
from course_utils.models.initialization import he_normal_
from course_utils.models.lenet import PADDINGS, ImageSize

__all__ = ["LocallyConnected2d", "LocallyConnectedNet", "locally_connected"]


class LocallyConnected2d(nn.Module):
    """A convolution without weight sharing: every position has its own filters and biases.

    It has out_channels * H_out * W_out * (in_channels * kernel_size^2 + 1) parameters, and works
    for only one image size.

    Args:
        in_channels: Channels of the input.
        out_channels: Filters at each position.
        input_size: Height and width of the input.
        kernel_size: Height and width of a filter.
        padding: Padding on each side.

    Source: LeCun 1989 (Generalization and network design strategies), net 3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: int,
        kernel_size: int,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.output_size = input_size + 2 * padding - kernel_size + 1
        num_positions = self.output_size**2
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.empty(num_positions, out_channels, fan_in))
        self.bias = nn.Parameter(torch.zeros(out_channels, num_positions))
        nn.init.normal_(self.weight, std=(2 / fan_in) ** 0.5)  # He et al. 2015, for ReLU

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C_in, H, W) into (N, C_out, H_out, W_out)."""
        patches = F.unfold(x, self.kernel_size, padding=self.padding)  # (N, C_in*k*k, positions)
        x = torch.einsum("nfp,pof->nop", patches, self.weight) + self.bias  # (N, C_out, positions)
        return x.unflatten(2, (self.output_size, self.output_size))  # (N, C_out, H_out, W_out)


class LocallyConnectedNet(nn.Module):
    """LeNet-5 with its two convolutions replaced by locally connected layers."""

    def __init__(self, in_channels: int = 1, num_classes: int = 10, padding: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            LocallyConnected2d(in_channels, 6, 32 - 2 * padding, 5, padding),  # (N, 6, 28, 28)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 6, 14, 14)
            LocallyConnected2d(6, 16, 14, 5),  # (N, 16, 10, 10)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 16, 5, 5)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (N, 400)
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),  # (N, num_classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, 28, 28), or 32x32 without padding, into logits (N, num_classes)."""
        return self.classifier(self.features(images))


@checked
def locally_connected(
    *, in_channels: int, num_classes: int, image_size: ImageSize = 28
) -> LocallyConnectedNet:
    """Build the locally connected twin of `lenet5`, initialised for ReLU.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        image_size: 28 (the first layer pads by 2) or 32 (no padding).

    Source: The idea is from LeCun 1989, net 3; the sizes are LeNet-5's, so that the two differ
        only in sharing.
    """
    return he_normal_(LocallyConnectedNet(in_channels, num_classes, PADDINGS[image_size]))
