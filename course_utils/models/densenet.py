"""DenseNet: every layer of a block sees the maps of all layers before it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from course_utils.models.choices import Share, checked
from course_utils.models.initialization import he_normal_
from course_utils.models.normalization import Norm, set_norm_

__all__ = [
    "IMAGENET",
    "DenseBlock",
    "DenseLayer",
    "DenseNet",
    "MemoryEfficientDenseLayer",
    "Transition",
    "densenet_cifar",
    "densenet_imagenet",
    "densenet_small",
]


class DenseLayer(nn.Module):
    """One layer of a block, which makes `growth_rate` new maps from all maps so far.

    Args:
        in_channels: Channels of all maps so far, together.
        growth_rate: Number of new maps, the paper's k.
        bottleneck: Whether a 1x1 convolution reduces the input to 4k maps first.
        dropout: Share of the values switched off in training after each convolution.

    Source: Huang et al. 2017, section 3.
    """

    def __init__(
        self, in_channels: int, growth_rate: int, bottleneck: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        wide: list[nn.Module] = [nn.BatchNorm2d(in_channels), nn.ReLU()]
        narrow: list[nn.Module] = []
        if bottleneck:
            wide.append(nn.Conv2d(in_channels, 4 * growth_rate, kernel_size=1, bias=False))
            narrow += [nn.Dropout(dropout), nn.BatchNorm2d(4 * growth_rate), nn.ReLU()]
            in_channels = 4 * growth_rate
        narrow.append(nn.Conv2d(in_channels, growth_rate, kernel_size=3, padding=1, bias=False))
        narrow.append(nn.Dropout(dropout))
        self.wide = nn.Sequential(*wide)
        self.narrow = nn.Sequential(*narrow)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Turn all maps so far, each (N, C_i, H, W), into the new ones (N, growth_rate, H, W)."""
        x = torch.cat(features, dim=1)  # (N, in_channels, H, W)
        x = self.wide(x)  # (N, 4*growth_rate, H, W) with a bottleneck
        return self.narrow(x)  # (N, growth_rate, H, W)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Keep the batch normalisation inside `module` from updating its running estimates.

    They must still be there: the recomputation has to store what the first pass stored.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    states = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, num_batches) in zip(norms, states, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, num_batches


class MemoryEfficientDenseLayer(DenseLayer):
    """A dense layer that recomputes its wide maps in the backward pass instead of storing them.

    Source: Pleiss et al. 2017.
    Differs: recomputing shows batch normalisation the same batch a second time, which does not
        count here; with torchvision's `memory_efficient`, the running estimates move twice.
    """

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Turn all maps so far, each (N, C_i, H, W), into the new ones (N, growth_rate, H, W)."""
        x = checkpoint(self.widen, *features, use_reentrant=False, context_fn=self.contexts)
        return self.narrow(x)  # (N, growth_rate, H, W)

    def widen(self, *features: torch.Tensor) -> torch.Tensor:
        """Return (N, 4*growth_rate, H, W), with a bottleneck; no maps on the way are stored."""
        return self.wide(torch.cat(features, dim=1))

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Return the contexts of the first computation and of the one in the backward pass."""
        return nullcontext(), frozen_statistics(self.wide)


class DenseBlock(nn.Module):
    """Layers that each add `growth_rate` maps; all maps together are the output.

    Args:
        in_channels: Channels of the input.
        num_layers: Number of layers.
        growth_rate: Maps that each layer adds, the paper's k.
        bottleneck: See `DenseLayer`.
        dropout: See `DenseLayer`.
        layer: `DenseLayer`, or `MemoryEfficientDenseLayer`.

    Source: Huang et al. 2017, figure 1 and equation 2.
    """

    def __init__(
        self,
        in_channels: int,
        num_layers: int,
        growth_rate: int,
        bottleneck: bool = True,
        dropout: float = 0.0,
        layer: type[nn.Module] = DenseLayer,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(layer(in_channels, growth_rate, bottleneck, dropout))
            in_channels += growth_rate
        self.out_channels = in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C, H, W) into (N, C + num_layers * growth_rate, H, W)."""
        features = [x]
        for make_maps in self.layers:
            features.append(make_maps(features))  # (N, growth_rate, H, W)
        return torch.cat(features, dim=1)


class Transition(nn.Sequential):
    """A 1x1 convolution that reduces the maps between two blocks, and a 2x2 average pool.

    Source: Huang et al. 2017, section 3.
    """

    def __init__(self, in_channels: int, out_channels: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.Dropout(dropout),
            nn.AvgPool2d(2),  # (N, out_channels, H/2, W/2)
        )


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, and one linear layer.

    Args:
        stem: Turns images into `stem_width` maps.
        stem_width: Channels after the stem.
        num_layers: Layers in each block.
        num_classes: Number of logits.
        growth_rate: Maps that each layer adds, the paper's k.
        bottleneck: See `DenseLayer`.
        compression: A transition reduces the number of maps to this share, the paper's theta.
        dropout: See `DenseLayer`.
        layer: `DenseLayer`, or `MemoryEfficientDenseLayer`.

    Source: Huang et al. 2017, table 1 (ImageNet) and section 3 (CIFAR).
    """

    def __init__(
        self,
        stem: nn.Module,
        stem_width: int,
        num_layers: tuple[int, ...],
        num_classes: int,
        growth_rate: int,
        bottleneck: bool = True,
        compression: float = 0.5,
        dropout: float = 0.0,
        layer: type[nn.Module] = DenseLayer,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.Sequential()
        channels = stem_width
        for i, num in enumerate(num_layers):
            if i > 0:
                thinned = int(channels * compression)
                self.blocks.append(Transition(channels, thinned, dropout))  # (N, C/2, H/2, W/2)
                channels = thinned
            block = DenseBlock(channels, num, growth_rate, bottleneck, dropout, layer)
            self.blocks.append(block)
            channels = block.out_channels
        self.norm = nn.BatchNorm2d(channels)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) into logits (N, num_classes)."""
        x = self.blocks(self.stem(images))  # (N, C, 7, 7) on ImageNet, (N, C, 8, 8) on CIFAR
        x = torch.relu(self.norm(x))
        return self.classifier(x.mean(dim=(2, 3)))  # (N, num_classes)


IMAGENET = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""Depth -> layers in each of the four blocks: the columns of the paper's table 1."""


@checked
def densenet_imagenet(
    depth: int,
    *,
    in_channels: int,
    num_classes: int,
    growth_rate: int = 32,
    dropout: Share = 0.0,
    memory_efficient: bool = False,
    norm: Norm = "batch",
) -> DenseNet:
    """Build a DenseNet-BC for ImageNet.

    Args:
        depth: 121, 169 or 201.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        growth_rate: Maps that each layer adds.
        dropout: Share of the values switched off in training.
        memory_efficient: Whether to recompute the wide maps instead of storing them.
        norm: One of `normalization.NORMS`.

    Source: Huang et al. 2017, table 1; initial weights: section 4.2 (He et al. 2015).
    """
    width = 2 * growth_rate
    stem = nn.Sequential(
        nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),  # (N, 64, 112, 112)
        nn.MaxPool2d(3, stride=2, padding=1),  # (N, 64, 56, 56)
    )
    model = DenseNet(
        stem,
        width,
        IMAGENET[depth],
        num_classes,
        growth_rate,
        dropout=dropout,
        layer=MemoryEfficientDenseLayer if memory_efficient else DenseLayer,
    )
    return set_norm_(he_normal_(model), norm)


@checked
def densenet_cifar(
    bottleneck: bool,
    depth: int,
    *,
    in_channels: int,
    num_classes: int,
    growth_rate: int = 12,
    dropout: Share = 0.0,
    memory_efficient: bool = False,
    norm: Norm = "batch",
) -> DenseNet:
    """Build a DenseNet of three blocks for images of about 32 px.

    Args:
        bottleneck: Whether to build DenseNet-BC, with 1x1 bottlenecks and transitions that
            halve the number of maps.
        depth: 3n + 4 layers, n in each block; with bottlenecks 6n + 4.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        growth_rate: Maps that each layer adds.
        dropout: Share of the values switched off in training; 0.2 in the paper if the
            images are not augmented.
        memory_efficient: Whether to recompute the wide maps instead of storing them.
        norm: One of `normalization.NORMS`.

    Raises:
        ValueError: The depth does not split into three blocks.

    Source: Huang et al. 2017, sections 3 and 4.2, table 2; initial weights by He et al. 2015.
    """
    layers_per_step = 2 if bottleneck else 1
    num_layers, rest = divmod(depth - 4, 3 * layers_per_step)
    if num_layers < 1 or rest:
        raise ValueError(f"depth must be {3 * layers_per_step}n + 4, got {depth}")
    width = 2 * growth_rate if bottleneck else 16
    model = DenseNet(
        nn.Conv2d(in_channels, width, 3, padding=1, bias=False),  # (N, 16, 32, 32)
        width,
        (num_layers,) * 3,
        num_classes,
        growth_rate,
        bottleneck,
        compression=0.5 if bottleneck else 1.0,
        dropout=dropout,
        layer=MemoryEfficientDenseLayer if memory_efficient else DenseLayer,
    )
    return set_norm_(he_normal_(model), norm)


densenet_small = partial(densenet_cifar, True, depth=22, growth_rate=8)
"""A narrow DenseNet-BC for 28 and 32 px that a laptop trains in a minute or two."""
