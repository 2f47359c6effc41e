"""AlexNet: the two towers of 2012, the later single tower, and a small one for 28 and 32 px."""

from typing import Any, Literal

import torch
from torch import nn

from course_utils.models.choices import Share, checked
from course_utils.models.initialization import gaussian_, he_normal_
from course_utils.models.normalization import LocalResponseNorm

__all__ = ["AlexNet", "SmallAlexNet", "alexnet", "alexnet_small"]


class AlexNet(nn.Module):
    """Five convolutions, three pools and three linear layers, split between two GPUs.

    `groups=2` is that split: each half of the filters sees only the half of the maps that was on
    the same GPU. The third convolution sees all maps.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        dropout: Share of the hidden units switched off in training.

    Source: Krizhevsky et al. 2012, section 3.5 and figure 2; dropout: section 4.2.
    Differs: images are 227x227, as (224 - 11) / 4 + 1 is not a whole number. An adaptive pool,
        which changes nothing at 227, admits other sizes.
    """

    def __init__(self, in_channels: int = 3, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, kernel_size=11, stride=4),  # (N, 96, 55, 55)
            nn.ReLU(),
            LocalResponseNorm(),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 96, 27, 27)
            nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),  # (N, 256, 27, 27)
            nn.ReLU(),
            LocalResponseNorm(),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 256, 13, 13)
            nn.Conv2d(256, 384, kernel_size=3, padding=1),  # (N, 384, 13, 13)
            nn.ReLU(),
            nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),  # (N, 384, 13, 13)
            nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),  # (N, 256, 13, 13)
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 256, 6, 6)
            nn.AdaptiveAvgPool2d(6),  # (N, 256, 6, 6)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (N, 9216)
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),  # (N, num_classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, 227, 227) into logits (N, num_classes)."""
        return self.classifier(self.features(images))


class SmallAlexNet(nn.Module):
    """AlexNet's order of layers for 28 and 32 px: 5x5 filters without stride at the start.

    For its arguments see `alexnet_small`.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        groups: int = 2,
        lrn: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=5, padding=2),  # (N, 32, 32, 32)
            nn.ReLU(),
            LocalResponseNorm() if lrn else nn.Identity(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),  # (N, 32, 16, 16)
            nn.Conv2d(32, 64, kernel_size=5, padding=2, groups=groups),  # (N, 64, 16, 16)
            nn.ReLU(),
            LocalResponseNorm() if lrn else nn.Identity(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),  # (N, 64, 8, 8)
            nn.Conv2d(64, 96, kernel_size=3, padding=1),  # (N, 96, 8, 8)
            nn.ReLU(),
            nn.Conv2d(96, 96, kernel_size=3, padding=1, groups=groups),  # (N, 96, 8, 8)
            nn.ReLU(),
            nn.Conv2d(96, 64, kernel_size=3, padding=1, groups=groups),  # (N, 64, 8, 8)
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),  # (N, 64, 4, 4)
            nn.AdaptiveAvgPool2d(4),  # (N, 64, 4, 4)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (N, 1024)
            nn.Linear(64 * 4 * 4, 256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, num_classes),  # (N, num_classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) of 28 or 32 px into logits (N, num_classes)."""
        return self.classifier(self.features(images))


@checked
def alexnet(
    *, in_channels: int, num_classes: int, one_tower: bool = False, dropout: Share = 0.5
) -> nn.Module:
    """Build AlexNet with the initial weights of its paper.

    Weights are drawn from N(0, 0.01^2). Biases are 1 in the second, fourth and fifth convolution
    and in the hidden linear layers, which gives their ReLUs positive inputs at the start; the
    others are 0.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        one_tower: Whether to build torchvision's net, for 224x224: widths 64-192-384-256-256, no
            groups, no LRN, and dropout before the linear layers.
        dropout: Share of the hidden units switched off in training.

    Source: Krizhevsky et al. 2012, section 5; one tower: Krizhevsky 2014 (One weird trick),
        section 5.
    """
    if one_tower:
        from torchvision.models import AlexNet as OneTower  # importing it takes as long as torch

        model: Any = OneTower(num_classes, dropout)
        if in_channels != 3:
            model.features[0] = nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2)
    else:
        model = AlexNet(in_channels, num_classes, dropout)
    convolutions = [m for m in model.features if isinstance(m, nn.Conv2d)]
    linears = [m for m in model.classifier if isinstance(m, nn.Linear)]
    gaussian_(model, std=0.01)
    for layer in (convolutions[1], convolutions[3], convolutions[4], *linears[:2]):
        nn.init.ones_(layer.get_parameter("bias"))
    return model


@checked
def alexnet_small(
    *,
    in_channels: int,
    num_classes: int,
    groups: Literal[1, 2] = 2,
    lrn: bool = False,
    dropout: Share = 0.5,
) -> SmallAlexNet:
    """Build AlexNet for 28 and 32 px.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        groups: 2 keeps the two towers, 1 joins them.
        lrn: Whether local response normalisation follows the first two layers.
        dropout: Share of the hidden units switched off in training.

    Source: After Krizhevsky et al. 2012; sizes are ours.
    Differs: initial weights as in He et al. 2015, which train at common learning rates. Local
        response normalisation only on request: it takes longer than all the rest of this net, and
        Simonyan & Zisserman 2015 (table 3) found it useless.
    """
    return he_normal_(SmallAlexNet(in_channels, num_classes, groups, lrn, dropout))
