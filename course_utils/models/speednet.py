"""A net that is built for speed: few and wide layers, which spend their time on small maps."""

from typing import Literal

import torch
from torch import nn

from course_utils.models.choices import checked

__all__ = ["SpeedBlock", "SpeedNet", "speednet"]

Activation = Literal["gelu", "relu"]
ACTIVATIONS: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}

PATCH_FILTERS = 24
LOGIT_SCALE = 1 / 9


class SpeedBlock(nn.Sequential):
    """Two 3x3 convolutions and a 2x2 pool, by default right after the first of them.

    Args:
        in_channels: Channels of the input.
        out_channels: Filters of both convolutions.
        activation: `gelu` or `relu`.
        pool_first: Whether the pool comes before the first normalisation, which then works on a
            quarter of the pixels, and the second convolution, too; otherwise it ends the block.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        activation: Activation = "gelu",
        pool_first: bool = True,
    ) -> None:
        def layer(channels: int, *pool: nn.Module) -> list[nn.Module]:
            conv = nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)
            return [conv, *pool, nn.BatchNorm2d(out_channels), ACTIVATIONS[activation]()]

        pool = [nn.MaxPool2d(2)]
        first = layer(in_channels, *pool) if pool_first else layer(in_channels)
        last = layer(out_channels)
        super().__init__(*first, *last, *([] if pool_first else pool))


class SpeedNet(nn.Module):
    """A 2x2 convolution, three blocks of two convolutions, the largest value of each map.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        widths: Filters of each block's convolutions.
        activation: `gelu` or `relu`.
        pool_first: See `SpeedBlock`.

    Source: Jordan 2024, sections 3.1 and 3.2 (widths 64, 256, 256).
    Differs: the first filters are learned, where Jordan computes them from the images so that they
        whiten 2x2 patches, and freezes them; normalisation has a scale.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        widths: tuple[int, ...] = (64, 256, 256),
        activation: Activation = "gelu",
        pool_first: bool = True,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(in_channels, PATCH_FILTERS, 2)
        self.activation = ACTIVATIONS[activation]()
        self.blocks = nn.Sequential()
        channels = PATCH_FILTERS
        for width in widths:
            self.blocks.append(SpeedBlock(channels, width, activation, pool_first))
            channels = width
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.classifier = nn.Linear(channels, num_classes, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, 32, 32) into logits (N, num_classes)."""
        x = self.activation(self.patches(images))  # (N, 24, 31, 31)
        x = self.blocks(x)  # (N, 256, 3, 3)
        x = self.pool(x).flatten(1)  # (N, 256)
        return self.classifier(x) * LOGIT_SCALE  # (N, num_classes)


@checked
def speednet(
    *,
    in_channels: int,
    num_classes: int,
    widths: tuple[int, ...] = (64, 256, 256),
    activation: Activation = "gelu",
    pool_first: bool = True,
    identity_start: bool = True,
) -> SpeedNet:
    """Build a net made to learn CIFAR-10 in as little time as possible.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        widths: Filters of each block's convolutions.
        activation: `gelu` or `relu`.
        pool_first: See `SpeedBlock`.
        identity_start: Whether a 3x3 convolution begins by copying its input to as many of its
            outputs, so that only the others, and the first and last layer, are drawn at random.

    Source: Jordan 2024, sections 3.1 to 3.3; PyTorch's own initial weights.
    """
    model = SpeedNet(in_channels, num_classes, widths, activation, pool_first)
    if identity_start:
        for layer in model.blocks.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.dirac_(layer.weight[: layer.in_channels])
    return model
