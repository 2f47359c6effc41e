"""Residual networks and their plain twins, for CIFAR and for ImageNet."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models.choices import checked
from course_utils.models.initialization import he_normal_
from course_utils.models.normalization import Norm, set_norm_

__all__ = [
    "IMAGENET",
    "BasicBlock",
    "Bottleneck",
    "CifarStem",
    "ImageNetStem",
    "ResNet",
    "Shortcut",
    "ZeroPad",
    "resnet_basic",
    "resnet_bottleneck",
    "resnet_cifar",
    "resnet_small",
]

Option = Literal["A", "B", "C"]
"""What a shortcut does if the shapes differ; `Shortcut` says what each letter means."""


class ZeroPad(nn.Module):
    """A shortcut without parameters: it skips pixels as the stride does, and adds zero channels.

    Source: He et al. 2016, section 3.3, option A.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.num_new, self.stride = out_channels - in_channels, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C_in, H, W) into (N, C_out, H/stride, W/stride)."""
        x = x[:, :, :: self.stride, :: self.stride]  # (N, C_in, H/stride, W/stride)
        return F.pad(x, (0, 0, 0, 0, 0, self.num_new))  # (N, C_out, H/stride, W/stride)


class Shortcut(nn.Sequential):
    """The shortcut of a block: nothing at all if the shapes agree, else one of three options.

    Args:
        in_channels: Channels of the block's input.
        out_channels: Channels of the block's output.
        stride: Stride of the block.
        option: A pads with zeros, B projects with a 1x1 convolution if the shapes differ, C
            projects in every block.

    Raises:
        ValueError: The option is not one of these.

    Source: He et al. 2016, section 3.3 and table 3.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, option: str = "B"
    ) -> None:
        super().__init__()
        if option not in ("A", "B", "C"):
            raise ValueError(f"shortcut {option!r} is unknown: choose from A, B, C")
        same_shape = stride == 1 and in_channels == out_channels
        if option == "A" and not same_shape:
            self.append(ZeroPad(in_channels, out_channels, stride))
        if option == "C" or (option == "B" and not same_shape):
            self.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.append(nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions that learn F(x); the block returns ReLU(F(x) + x).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: 2 halves height and width.
        shortcut: Option A, B or C, see `Shortcut`.
        residual: False builds the plain twin: the same layers without the shortcut.

    Source: He et al. 2016, figures 2 and 5 (left), section 3.4 for batch normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        shortcut: str = "B",
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = Shortcut(in_channels, out_channels, stride, shortcut) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C_in, H, W) into (N, C_out, H/stride, W/stride)."""
        f = torch.relu(self.norm1(self.conv1(x)))  # (N, C_out, H/stride, W/stride)
        f = self.norm2(self.conv2(f))  # (N, C_out, H/stride, W/stride)
        if self.shortcut is not None:
            f = f + self.shortcut(x)
        return torch.relu(f)


class Bottleneck(nn.Module):
    """A 1x1 convolution reduces the channels to a quarter, 3x3 works there, 1x1 restores them.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, a multiple of 4.
        stride: 2 halves height and width.
        shortcut: Option A, B or C, see `Shortcut`.
        residual: False builds the plain twin: the same layers without the shortcut.
        stride_on: Which convolution has the stride: the first `1x1` (the paper), or the `3x3`
            (v1.5, and torchvision's), which discards no pixel unseen.

    Source: He et al. 2016, figure 5 (right) and table 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        shortcut: str = "B",
        residual: bool = True,
        stride_on: str = "1x1",
    ) -> None:
        super().__init__()
        if stride_on not in ("1x1", "3x3"):
            raise ValueError(f"stride_on {stride_on!r} is unknown: choose from 1x1, 3x3")
        stride1, stride2 = (stride, 1) if stride_on == "1x1" else (1, stride)
        width = out_channels // 4
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.shortcut = Shortcut(in_channels, out_channels, stride, shortcut) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C_in, H, W) into (N, C_out, H/stride, W/stride)."""
        f = torch.relu(self.norm1(self.conv1(x)))  # (N, C_out/4, H/stride1, W/stride1)
        f = torch.relu(self.norm2(self.conv2(f)))  # (N, C_out/4, H/stride, W/stride)
        f = self.norm3(self.conv3(f))  # (N, C_out, H/stride, W/stride)
        if self.shortcut is not None:
            f = f + self.shortcut(x)
        return torch.relu(f)


class ImageNetStem(nn.Sequential):
    """A 7x7 convolution with stride 2 and a pool: 224 px become 56 before the first block.

    Source: He et al. 2016, table 1.
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 64) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),  # (N, 64, 112, 112)
            nn.MaxPool2d(3, stride=2, padding=1),  # (N, 64, 56, 56)
        )


class CifarStem(nn.Sequential):
    """One 3x3 convolution that keeps all the pixels of a small image.

    Source: He et al. 2016, section 4.2.
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 16) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),  # (N, 16, 32, 32)
        )


class ResNet(nn.Module):
    """A stem, stages of blocks that halve the size and double the channels, and a linear layer.

    Args:
        stem: Turns images into `stem_width` maps.
        stem_width: Channels after the stem.
        block: `BasicBlock` or `Bottleneck`.
        num_blocks: Blocks in each stage.
        widths: Channels of each stage.
        num_classes: Number of logits.
        **options: Passed to every block: shortcut, residual, stride_on.

    Source: He et al. 2016, table 1 (ImageNet) and section 4.2 (CIFAR).
    """

    def __init__(
        self,
        stem: nn.Module,
        stem_width: int,
        block: type[nn.Module],
        num_blocks: tuple[int, ...],
        widths: tuple[int, ...],
        num_classes: int,
        **options: str | bool,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.Sequential()
        in_channels = stem_width
        for i, (num, width) in enumerate(zip(num_blocks, widths, strict=True)):
            stride = 1 if i == 0 else 2
            first = block(in_channels, width, stride, **options)  # (N, width, H/stride, W/stride)
            rest = [block(width, width, **options) for _ in range(num - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            in_channels = width
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) into logits (N, num_classes)."""
        x = self.stem(images)
        x = self.stages(x)  # (N, widths[-1], 7, 7) on ImageNet, (N, 64, 8, 8) on CIFAR
        x = x.mean(dim=(2, 3))  # (N, widths[-1]): global average pooling
        return self.classifier(x)  # (N, num_classes)


IMAGENET: dict[int, tuple[type[nn.Module], tuple[int, ...], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2), (64, 128, 256, 512)),
    34: (BasicBlock, (3, 4, 6, 3), (64, 128, 256, 512)),
    50: (Bottleneck, (3, 4, 6, 3), (256, 512, 1024, 2048)),
    101: (Bottleneck, (3, 4, 23, 3), (256, 512, 1024, 2048)),
    152: (Bottleneck, (3, 8, 36, 3), (256, 512, 1024, 2048)),
}
"""Depth -> block, blocks and channels of each stage: the columns of the paper's table 1."""


def finish_(model: ResNet, norm: Norm, zero_init_residual: bool) -> ResNet:
    """Set the initial weights and the normalisation of a freshly built ResNet."""
    set_norm_(he_normal_(model), norm)
    if zero_init_residual:
        zero_last_scales_(model)
    return model


def zero_last_scales_(model: nn.Module) -> None:
    """Make every residual block start with F(x) = 0, by the scale of its last normalisation.

    Raises:
        ValueError: That normalisation has no scale.

    Source: Goyal et al. 2017, section 5.1.
    """
    for block in model.modules():
        if not isinstance(block, BasicBlock | Bottleneck) or block.shortcut is None:
            continue
        last = block.norm2 if isinstance(block, BasicBlock) else block.norm3
        if getattr(last, "weight", None) is None:
            raise ValueError("zero_init_residual needs a norm with a scale, such as batch or group")
        nn.init.zeros_(last.weight)


@checked
def resnet_basic(
    depth: int,
    residual: bool = True,
    *,
    in_channels: int,
    num_classes: int,
    shortcut: Option = "A",
    norm: Norm = "batch",
    zero_init_residual: bool = False,
) -> ResNet:
    """Build a ResNet of basic blocks for ImageNet, or its plain twin.

    Args:
        depth: 18 or 34.
        residual: False builds the plain twin.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        shortcut: `A` as in the paper's comparison with plain nets; `B` is torchvision's.
        norm: One of `normalization.NORMS`.
        zero_init_residual: Whether to start every block as the identity (Goyal et al. 2017).

    Raises:
        ValueError: The norm has no scale for `zero_init_residual`.

    Source: He et al. 2016, tables 1 and 2; initial weights: section 3.4 (He et al. 2015).
    """
    model = _for_imagenet(depth, in_channels, num_classes, shortcut=shortcut, residual=residual)
    return finish_(model, norm, zero_init_residual)


@checked
def resnet_bottleneck(
    depth: int,
    *,
    in_channels: int,
    num_classes: int,
    shortcut: Option = "B",
    stride_on: Literal["1x1", "3x3"] = "1x1",
    residual: bool = True,
    norm: Norm = "batch",
    zero_init_residual: bool = False,
) -> ResNet:
    """Build a ResNet of bottleneck blocks for ImageNet.

    Args:
        depth: 50, 101 or 152.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        shortcut: `B` as in the paper, or `A`, `C`.
        stride_on: `1x1` as in the paper; `3x3` is known as ResNet v1.5, and torchvision's.
        residual: False builds the plain twin.
        norm: One of `normalization.NORMS`.
        zero_init_residual: Whether to start every block as the identity (Goyal et al. 2017).

    Raises:
        ValueError: The norm has no scale for `zero_init_residual`.

    Source: He et al. 2016, table 1 and section 4.1; initial weights: section 3.4 (He et al. 2015).
    """
    blocks: dict[str, str | bool] = {"shortcut": shortcut, "stride_on": stride_on}
    model = _for_imagenet(depth, in_channels, num_classes, residual=residual, **blocks)
    return finish_(model, norm, zero_init_residual)


def _for_imagenet(depth: int, in_channels: int, num_classes: int, **options: str | bool) -> ResNet:
    """Build one of the table's nets; the options are those of its blocks."""
    block, num_blocks, widths = IMAGENET[depth]
    return ResNet(ImageNetStem(in_channels), 64, block, num_blocks, widths, num_classes, **options)


@checked
def resnet_cifar(
    depth: int,
    residual: bool = True,
    *,
    in_channels: int,
    num_classes: int,
    shortcut: Option = "A",
    width: int = 16,
    norm: Norm = "batch",
    zero_init_residual: bool = False,
) -> ResNet:
    """Build a ResNet for images of about 32 px, or its plain twin.

    Args:
        depth: 6n + 2 layers, n blocks in each of three stages: 8, 14, 20, 32, 44, 56, 110.
        residual: False builds the plain twin.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        shortcut: `A` as in the paper, or `B`, `C`.
        width: Channels of the first stage.
        norm: One of `normalization.NORMS`.
        zero_init_residual: Whether to start every block as the identity (Goyal et al. 2017).

    Raises:
        ValueError: The depth is not 6n + 2, or the norm has no scale for `zero_init_residual`.

    Source: He et al. 2016, section 4.2 and table 6; initial weights: section 3.4.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth must be 6n + 2 (8, 14, 20, 26, 32, ...), got {depth}")
    num_blocks = ((depth - 2) // 6,) * 3
    widths = (width, 2 * width, 4 * width)
    options: dict[str, str | bool] = {"shortcut": shortcut, "residual": residual}
    stem = CifarStem(in_channels, width)
    model = ResNet(stem, width, BasicBlock, num_blocks, widths, num_classes, **options)
    return finish_(model, norm, zero_init_residual)


resnet_small = partial(resnet_cifar, depth=8)
"""A shallow ResNet for 28 and 32 px that a laptop trains in a minute: n = 1."""
