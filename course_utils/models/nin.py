"""Network in network: 1x1 convolutions as a small net at every pixel, and no linear layers."""

from functools import partial

import torch
from torch import nn

from course_utils.models.choices import Share, checked
from course_utils.models.initialization import he_normal_

__all__ = ["MLPConv", "NiN", "nin", "nin_small"]


class MLPConv(nn.Sequential):
    """A convolution followed by two 1x1 convolutions: a three-layer MLP slid over the image.

    Args:
        in_channels: Channels of the input.
        widths: Channels after each of the three layers.
        kernel_size: Odd height and width of the first filter; the others are 1x1.
        last_relu: Whether the third layer has a ReLU, too.

    Source: Lin et al. 2014, section 3.1.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, int, int],
        kernel_size: int,
        last_relu: bool = True,
    ) -> None:
        first, second, third = widths
        super().__init__(
            nn.Conv2d(in_channels, first, kernel_size, padding=kernel_size // 2),
            nn.ReLU(),  # (N, first, H, W)
            nn.Conv2d(first, second, kernel_size=1),
            nn.ReLU(),  # (N, second, H, W)
            nn.Conv2d(second, third, kernel_size=1),
            nn.ReLU() if last_relu else nn.Identity(),  # (N, third, H, W)
        )


class NiN(nn.Module):
    """Three mlpconv layers; the last has one map per class, whose mean is that class's logit.

    For its arguments see `nin`.

    Source: Lin et al. 2014, sections 3.2 and 4.1. The paper does not print the widths; 192, 160
        and 96 are those of the authors' published CIFAR-10 network.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        width: int = 192,
        dropout: float = 0.5,
        relu_logits: bool = True,
    ) -> None:
        super().__init__()
        narrow, half = width * 5 // 6, width // 2  # 160 and 96
        self.features = nn.Sequential(
            MLPConv(in_channels, (width, narrow, half), kernel_size=5),  # (N, 96, 32, 32)
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 96, 16, 16)
            nn.Dropout(dropout),
            MLPConv(half, (width, width, width), kernel_size=5),  # (N, 192, 16, 16)
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 192, 8, 8)
            nn.Dropout(dropout),
            MLPConv(width, (width, width, num_classes), 3, relu_logits),  # (N, num_classes, 8, 8)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) into logits (N, num_classes)."""
        maps = self.features(images)  # (N, num_classes, H/4, W/4)
        return maps.mean(dim=(2, 3))  # (N, num_classes): global average pooling


@checked
def nin(
    *,
    in_channels: int,
    num_classes: int,
    width: int = 192,
    dropout: Share = 0.5,
    relu_logits: bool = True,
) -> NiN:
    """Build the network in network of CIFAR-10.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        width: Channels of the widest layers, a multiple of 12.
        dropout: Share of the values switched off after the first two mlpconv layers.
        relu_logits: Whether the logits' maps pass through a ReLU, as in the paper's equation 2.

    Raises:
        ValueError: The width is not a multiple of 12.

    Source: Lin et al. 2014, section 4.1. Initial weights: He et al. 2015; the paper only
        says that they are set by hand.
    """
    if width % 12:
        raise ValueError(f"width must be a multiple of 12 (layers have 5/6 and 1/2), got {width}")
    return he_normal_(NiN(in_channels, num_classes, width, dropout, relu_logits))


nin_small = partial(nin, width=48, dropout=0.2, relu_logits=False)
"""A network in network, a quarter as wide, that a laptop trains in a minute.

Source: After Lin et al. 2014.
Differs: Less dropout, and no ReLU on the logits: a map that is negative everywhere at the start
    gets no gradient through it, so its class is lost for good.
"""
