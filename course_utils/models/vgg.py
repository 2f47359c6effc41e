"""VGG: nothing but 3x3 convolutions and 2x2 pools, in six depths, as a table."""

from typing import Literal

import torch
from torch import nn

from course_utils.models.choices import Share, checked
from course_utils.models.initialization import glorot_uniform_, he_normal_
from course_utils.models.normalization import LocalResponseNorm, Norm, set_norm_

__all__ = ["CONFIGURATIONS", "VGG", "VGGBlock", "vgg", "vgg_small"]

Blocks = tuple[tuple[int, str], ...]
"""A block is (channels, layers): each layer a kernel size, or LRN."""

Configuration = Literal["A", "A-LRN", "B", "C", "D", "E"]

CONFIGURATIONS: dict[Configuration, Blocks] = {
    "A": ((64, "3"), (128, "3"), (256, "3 3"), (512, "3 3"), (512, "3 3")),
    "A-LRN": ((64, "3 LRN"), (128, "3"), (256, "3 3"), (512, "3 3"), (512, "3 3")),
    "B": ((64, "3 3"), (128, "3 3"), (256, "3 3"), (512, "3 3"), (512, "3 3")),
    "C": ((64, "3 3"), (128, "3 3"), (256, "3 3 1"), (512, "3 3 1"), (512, "3 3 1")),
    "D": ((64, "3 3"), (128, "3 3"), (256, "3 3 3"), (512, "3 3 3"), (512, "3 3 3")),
    "E": ((64, "3 3"), (128, "3 3"), (256, "3 3 3 3"), (512, "3 3 3 3"), (512, "3 3 3 3")),
}
"""The columns of the paper's table 1."""


class VGGBlock(nn.Sequential):
    """Convolutions that keep the size, each followed by a ReLU; then a 2x2 pool that halves it.

    Args:
        in_channels: Channels of the input.
        out_channels: Filters of every convolution in the block.
        layers: The block in one line, for example `3 3 1`: a kernel size each, or LRN.
        batch_norm: Whether there is batch normalisation between convolution and ReLU.
        round_up: Whether the pool rounds an odd size up (7 -> 4) instead of down (7 -> 3).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: str = "3 3",
        batch_norm: bool = False,
        round_up: bool = False,
    ) -> None:
        modules: list[nn.Module] = []
        for layer in layers.split():
            if layer == "LRN":
                modules.append(LocalResponseNorm())
                continue
            kernel_size = int(layer)
            modules.append(
                nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
            )
            if batch_norm:
                modules.append(nn.BatchNorm2d(out_channels))
            modules.append(nn.ReLU())  # (N, out_channels, H, W)
            in_channels = out_channels
        modules.append(nn.MaxPool2d(2, stride=2, ceil_mode=round_up))  # (N, out_channels, H/2, W/2)
        super().__init__(*modules)


class VGG(nn.Module):
    """Five blocks of convolutions, then three linear layers that hold most of the parameters.

    Args:
        blocks: The five blocks, a value of `CONFIGURATIONS`.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        batch_norm: Whether batch normalisation follows each convolution.
        pooled_size: Height and width of the maps that the linear layers see.
        hidden_size: Units of the two hidden linear layers.
        dropout: Share of the hidden units switched off in training.
        round_up: See `VGGBlock`.

    Source: Simonyan & Zisserman 2015, table 1 and section 2.1.
    Differs: an adaptive pool, which changes nothing at 224, admits other sizes.
    """

    def __init__(
        self,
        blocks: tuple[tuple[int, str], ...],
        in_channels: int = 3,
        num_classes: int = 1000,
        batch_norm: bool = False,
        pooled_size: int = 7,
        hidden_size: int = 4096,
        dropout: float = 0.5,
        round_up: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        for out_channels, layers in blocks:
            block = VGGBlock(in_channels, out_channels, layers, batch_norm, round_up)
            self.blocks.append(block)  # (N, out_channels, H/2, W/2)
            in_channels = out_channels
        self.pool = nn.AdaptiveAvgPool2d(pooled_size)
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (N, 512*7*7)
            nn.Linear(in_channels * pooled_size**2, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, num_classes),  # (N, num_classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, 224, 224) into logits (N, num_classes)."""
        x = self.blocks(images)  # (N, 512, 7, 7)
        x = self.pool(x)  # (N, 512, 7, 7)
        return self.classifier(x)  # (N, num_classes)


@checked
def vgg(
    configuration: Configuration,
    *,
    in_channels: int,
    num_classes: int,
    norm: Norm = "none",
    dropout: Share = 0.5,
) -> VGG:
    """Build one of the paper's VGG networks.

    Args:
        configuration: A key of `CONFIGURATIONS`; D is VGG-16, E is VGG-19.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        norm: `none` as in the paper, or another of `normalization.NORMS`; `batch` is
            torchvision's vgg11_bn to vgg19_bn.
        dropout: Share of the hidden units switched off in training.

    Source: Simonyan & Zisserman 2015, table 1. Initial weights: Glorot & Bengio 2010, with which,
        says section 3.1, no shallower net needs to be pre-trained.
    """
    blocks = CONFIGURATIONS[configuration]
    model = VGG(blocks, in_channels, num_classes, norm != "none", dropout=dropout)
    return set_norm_(glorot_uniform_(model), norm)


@checked
def vgg_small(
    *,
    in_channels: int,
    num_classes: int,
    configuration: Configuration = "A",
    width: int = 16,
    norm: Norm = "none",
    dropout: Share = 0.5,
) -> VGG:
    """Build a VGG for 28 and 32 px: the paper's layers with fewer channels and a small classifier.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        configuration: A key of `CONFIGURATIONS`.
        width: Channels of the first block, 64 in the paper; the others scale with it.
        norm: One of `normalization.NORMS`.
        dropout: Share of the hidden units switched off in training.

    Source: After Simonyan & Zisserman 2015, table 1.
    Differs: Pools round up, so that 28 px survive five halvings (28, 14, 7, 4, 2, 1); the linear
        layers see one pixel and have 8 * width units; initial weights by He et al. 2015.
    """
    blocks = tuple((c * width // 64, layers) for c, layers in CONFIGURATIONS[configuration])
    model = VGG(
        blocks,
        in_channels,
        num_classes,
        batch_norm=norm != "none",
        pooled_size=1,
        hidden_size=8 * width,
        dropout=dropout,
        round_up=True,
    )
    return set_norm_(he_normal_(model), norm)
