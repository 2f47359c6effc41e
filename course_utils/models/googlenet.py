"""GoogLeNet: Inception modules with four parallel paths, and two auxiliary classifiers."""

from typing import Literal, NamedTuple

import torch
from torch import nn

from course_utils.models.choices import Share, checked
from course_utils.models.initialization import glorot_uniform_, he_normal_
from course_utils.models.normalization import LocalResponseNorm, Norm, set_norm_

__all__ = [
    "INCEPTION_TABLE",
    "AuxiliaryHead",
    "ConvUnit",
    "GoogLeNet",
    "GoogLeNetOutput",
    "Inception",
    "SmallGoogLeNet",
    "googlenet",
    "googlenet_small",
]

INCEPTION_TABLE = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
"""Channels of the paths: 1x1; reduction and 3x3; reduction and 5x5; projection after the pool."""

SMALL_TABLE = {
    "3a": (16, (16, 24), (4, 8), 8),
    "3b": (24, (24, 32), (6, 12), 12),
    "4a": (32, (32, 48), (8, 16), 16),
    "4b": (40, (40, 64), (8, 20), 20),
}
"""The modules of the small net, in the proportions of the large one."""


class GoogLeNetOutput(NamedTuple):
    """What GoogLeNet returns in training: the logits, and those of the two auxiliary heads."""

    logits: torch.Tensor
    aux1: torch.Tensor
    aux2: torch.Tensor


class ConvUnit(nn.Sequential):
    """A convolution that keeps the size at stride 1, optional batch normalisation, and ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        batch_norm: bool = False,
    ) -> None:
        padding = kernel_size // 2
        bias = not batch_norm  # batch normalisation has a shift of its own
        modules: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        ]
        if batch_norm:
            modules.append(nn.BatchNorm2d(out_channels, eps=0.001))  # torchvision's eps
        super().__init__(*modules, nn.ReLU())  # (N, out_channels, H/stride, W/stride)


class Inception(nn.Module):
    """Four paths side by side that look at the same maps through windows of different sizes.

    Args:
        in_channels: Channels of the input.
        one: Channels of the 1x1 path.
        three: Channels of the 3x3 path, after its 1x1 reduction and at its end.
        five: The same for the 5x5 path.
        pool: Channels of the path with the max pool, set by the 1x1 convolution after it.
        five_kernel: Kernel size of the 5x5 path: 5, but 3 in torchvision's port.
        batch_norm: Whether batch normalisation follows each convolution.

    Source: Szegedy et al. 2015, figure 2(b).
    """

    def __init__(
        self,
        in_channels: int,
        one: int,
        three: tuple[int, int],
        five: tuple[int, int],
        pool: int,
        five_kernel: int = 5,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.path1 = ConvUnit(in_channels, one, 1, batch_norm=batch_norm)
        self.path2 = nn.Sequential(
            ConvUnit(in_channels, three[0], 1, batch_norm=batch_norm),
            ConvUnit(three[0], three[1], 3, batch_norm=batch_norm),
        )
        self.path3 = nn.Sequential(
            ConvUnit(in_channels, five[0], 1, batch_norm=batch_norm),
            ConvUnit(five[0], five[1], five_kernel, batch_norm=batch_norm),
        )
        self.path4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            ConvUnit(in_channels, pool, 1, batch_norm=batch_norm),
        )
        self.out_channels = one + three[1] + five[1] + pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C, H, W) into (N, one + three[1] + five[1] + pool, H, W)."""
        paths = [self.path1(x), self.path2(x), self.path3(x), self.path4(x)]
        return torch.cat(paths, dim=1)  # channels side by side


class AuxiliaryHead(nn.Module):
    """A small classifier partway through a net, which feeds gradients to the layers below it.

    Args:
        in_channels: Channels of the maps that it reads.
        num_classes: Number of logits.
        overlapping_pool: Whether to use the paper's 5x5 pool with stride 3, or torchvision's
            adaptive one.
        batch_norm: Whether batch normalisation follows the convolution.

    Source: Szegedy et al. 2015, section 5.
    Differs: an adaptive pool, which changes nothing at 224, admits other sizes.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        overlapping_pool: bool = True,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool2d(5, stride=3) if overlapping_pool else nn.Identity(),  # (N, C, 4, 4)
            nn.AdaptiveAvgPool2d(4),  # (N, C, 4, 4)
            ConvUnit(in_channels, 128, 1, batch_norm=batch_norm),  # (N, 128, 4, 4)
            nn.Flatten(),  # (N, 2048)
            nn.Linear(128 * 4 * 4, 1024),
            nn.ReLU(),
            nn.Dropout(0.7),
            nn.Linear(1024, num_classes),  # (N, num_classes)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C, 14, 14) into logits (N, num_classes)."""
        return self.layers(x)


class GoogLeNet(nn.Module):
    """A stem, nine Inception modules, and a mean over each of the last maps.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        aux_heads: Whether the two auxiliary heads exist; they run in training only.
        torchvision: Whether to build torchvision's port instead of the paper's net: batch
            normalisation instead of biases and LRN, 3x3 where the paper has 5x5, dropout 0.2
            instead of 0.4, a 2x2 pool before 5a, and an adaptive pool in the heads.

    Source: Szegedy et al. 2015, table 1. LRN's numbers, which it does not give, are AlexNet's.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        aux_heads: bool = True,
        torchvision: bool = False,
    ) -> None:
        super().__init__()
        bn = torchvision
        self.stem = nn.Sequential(
            ConvUnit(in_channels, 64, 7, stride=2, batch_norm=bn),  # (N, 64, 112, 112)
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 64, 56, 56)
            nn.Identity() if torchvision else LocalResponseNorm(),
            ConvUnit(64, 64, 1, batch_norm=bn),
            ConvUnit(64, 192, 3, batch_norm=bn),  # (N, 192, 56, 56)
            nn.Identity() if torchvision else LocalResponseNorm(),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 192, 28, 28)
        )
        channels = 192
        self.inception = nn.ModuleDict()
        for name, row in INCEPTION_TABLE.items():
            module = Inception(channels, *row, five_kernel=3 if torchvision else 5, batch_norm=bn)
            self.inception[name] = module
            channels = module.out_channels  # 256 480 512 512 512 528 832 832 1024
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.pool4 = nn.MaxPool2d(2 if torchvision else 3, stride=2, ceil_mode=True)
        self.aux1 = AuxiliaryHead(512, num_classes, not torchvision, bn) if aux_heads else None
        self.aux2 = AuxiliaryHead(528, num_classes, not torchvision, bn) if aux_heads else None
        self.dropout = nn.Dropout(0.2 if torchvision else 0.4)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor | GoogLeNetOutput:
        """Turn images (N, C, 224, 224) into logits (N, num_classes).

        Returns:
            The logits; in training with auxiliary heads, a `GoogLeNetOutput` with three of them.
        """
        inception = self.inception
        x = self.stem(images)  # (N, 192, 28, 28)
        x = inception["3b"](inception["3a"](x))  # (N, 480, 28, 28)
        at_4a = inception["4a"](self.pool3(x))  # (N, 512, 14, 14)
        at_4d = inception["4d"](inception["4c"](inception["4b"](at_4a)))  # (N, 528, 14, 14)
        x = self.pool4(inception["4e"](at_4d))  # (N, 832, 7, 7)
        x = inception["5b"](inception["5a"](x))  # (N, 1024, 7, 7)
        x = x.mean(dim=(2, 3))  # (N, 1024): global average pooling
        if self.training and self.aux1 is not None and self.aux2 is not None:
            aux1, aux2 = self.aux1(at_4a), self.aux2(at_4d)
            return GoogLeNetOutput(self.classifier(self.dropout(x)), aux1, aux2)
        return self.classifier(self.dropout(x))


class SmallGoogLeNet(nn.Module):
    """Four Inception modules for 28 and 32 px, after a stem that halves the size once.

    For its arguments see `googlenet_small`.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        batch_norm: bool = False,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvUnit(in_channels, 32, 3, batch_norm=batch_norm),  # (N, 32, 32, 32)
            nn.MaxPool2d(3, stride=2, padding=1),  # (N, 32, 16, 16)
        )
        channels = 32
        self.inception = nn.Sequential()
        for name, row in SMALL_TABLE.items():
            if name == "4a":
                self.inception.append(nn.MaxPool2d(3, stride=2, padding=1))  # (N, 80, 8, 8)
            module = Inception(channels, *row, batch_norm=batch_norm)
            self.inception.append(module)
            channels = module.out_channels  # 56 80 112 144
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) of 28 or 32 px into logits (N, num_classes)."""
        x = self.inception(self.stem(images))  # (N, 144, H/4, W/4)
        return self.classifier(x.mean(dim=(2, 3)))  # (N, num_classes)


@checked
def googlenet(
    *,
    in_channels: int,
    num_classes: int,
    variant: Literal["paper", "torchvision"] = "paper",
    aux_heads: bool = True,
) -> GoogLeNet:
    """Build GoogLeNet.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        variant: `paper`, or `torchvision` for that library's port; `GoogLeNet` lists what differs.
        aux_heads: Whether the two auxiliary heads exist; they run in training only, and the
            paper adds their losses with weight 0.3.

    Source: Szegedy et al. 2015, table 1 and section 5. The paper does not give the initial
        weights, so they are those of Glorot & Bengio 2010.
    """
    model = GoogLeNet(in_channels, num_classes, aux_heads, torchvision=variant == "torchvision")
    return glorot_uniform_(model)


@checked
def googlenet_small(
    *, in_channels: int, num_classes: int, norm: Norm = "none", dropout: Share = 0.4
) -> SmallGoogLeNet:
    """Build a GoogLeNet for 28 and 32 px, without auxiliary heads.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        norm: One of `normalization.NORMS`.
        dropout: Share of the last features switched off in training.

    Source: After Szegedy et al. 2015; sizes are ours, initial weights by He et al. 2015.
    """
    model = SmallGoogLeNet(in_channels, num_classes, norm != "none", dropout)
    return set_norm_(he_normal_(model), norm)
