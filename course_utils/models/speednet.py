"""A net that is built for speed: few and wide layers, which spend their time on small maps."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models.choices import checked

__all__ = ["PatchWhitening", "SpeedBlock", "SpeedNet", "speednet"]

Activation = Literal["gelu", "relu"]
ACTIVATIONS: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}


class PatchWhitening(nn.Module):
    """Fixed 2x2 filters whose responses are hardly correlated, each scaled to variance 1.

    The filters are a cosine basis over channels, rows and columns: for colour images, brightness
    and two opponent colours, each as a mean, as an edge in one of two directions and as a
    checkerboard. The principal components of 2x2 patches of photos look almost the same. Each
    response comes with both signs, since the activation that follows treats them differently.

    Args:
        in_channels: Channels of the images, C; there are 8C responses.

    Source: Jordan 2024, section 3.2 (after Page 2019).
    Differs: Jordan computes principal components of training images; batch normalisation scales.
    """

    filters: torch.Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        basis = torch.einsum("ac,bi,dj->abdcij", cosines(in_channels), cosines(2), cosines(2))
        self.register_buffer("filters", basis.reshape(-1, in_channels, 2, 2))  # (4C, C, 2, 2)
        # Without so large an eps, responses that are almost 0 would be amplified to mere noise.
        self.scale = nn.BatchNorm2d(4 * in_channels, eps=5e-4, affine=False)
        self.bias = nn.Parameter(torch.zeros(8 * in_channels, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) into responses (N, 8C, H - 1, W - 1)."""
        responses = self.scale(F.conv2d(images, self.filters))
        return torch.cat([responses, -responses], dim=1) + self.bias


def cosines(n: int) -> torch.Tensor:
    """Return an orthonormal basis (n, n) of cosines, one per row, the constant one first."""
    k = torch.arange(n)
    rows = torch.cos(math.pi / n * (k + 0.5) * k[:, None])
    return rows / rows.norm(dim=1, keepdim=True)


class SpeedBlock(nn.Sequential):
    """Two 3x3 convolutions and a 2x2 pool, by default right after the first of them.

    Args:
        in_channels: Channels of the input.
        out_channels: Filters of both convolutions.
        activation: Class of the activations.
        pool_first: Whether the pool comes before the first normalisation, which then works on a
            quarter of the pixels, and the second convolution, too; otherwise it ends the block.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        activation: type[nn.Module] = nn.GELU,
        pool_first: bool = True,
    ) -> None:
        def layer(channels: int, *pool: nn.Module) -> list[nn.Module]:
            conv = nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)
            return [conv, *pool, nn.BatchNorm2d(out_channels), activation()]

        pool = [nn.MaxPool2d(2)]
        first = layer(in_channels, *pool) if pool_first else layer(in_channels)
        last = layer(out_channels)
        super().__init__(*first, *last, *([] if pool_first else pool))


class SpeedNet(nn.Module):
    """2x2 filters, three blocks of two convolutions, and the largest value of each map.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        widths: Filters of each block's convolutions.
        activation: Class of the activations.
        pool_first: See `SpeedBlock`.
        whitening: Whether the first filters are those of `PatchWhitening`; otherwise as many are
            learned.

    Source: Jordan 2024, sections 3.1 and 3.2.
    Differs: normalisation has a scale; no rate of their own for its biases.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        widths: tuple[int, ...] = (64, 256, 256),
        activation: type[nn.Module] = nn.GELU,
        pool_first: bool = True,
        whitening: bool = True,
    ) -> None:
        super().__init__()
        channels = 8 * in_channels
        self.patches = (
            PatchWhitening(in_channels) if whitening else nn.Conv2d(in_channels, channels, 2)
        )
        self.activation = activation()
        self.blocks = nn.Sequential()
        for width in widths:
            self.blocks.append(SpeedBlock(channels, width, activation, pool_first))
            channels = width
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.classifier = nn.Linear(channels, num_classes, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) into logits (N, num_classes); sizes are for 32 x 32."""
        x = self.activation(self.patches(images))  # (N, 24, 31, 31)
        x = self.blocks(x)  # (N, 256, 3, 3)
        x = self.pool(x).flatten(1)  # (N, 256)
        return self.classifier(x) / 9  # (N, num_classes)


@checked
def speednet(
    *,
    in_channels: int,
    num_classes: int,
    widths: tuple[int, ...] = (64, 256, 256),
    activation: Activation = "gelu",
    pool_first: bool = True,
    whitening: bool = True,
    identity_start: bool = True,
) -> SpeedNet:
    """Build a net made to learn CIFAR-10 in as little time as possible.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        widths: Filters of each block's convolutions.
        activation: `gelu` or `relu`.
        pool_first: See `SpeedBlock`.
        whitening: See `SpeedNet`.
        identity_start: Whether a 3x3 convolution begins by copying its input to as many of its
            outputs, so that only the other filters are drawn at random.

    Source: Jordan 2024, sections 3.1 to 3.3; PyTorch's own initial weights.
    """
    chosen = ACTIVATIONS[activation]
    model = SpeedNet(in_channels, num_classes, widths, chosen, pool_first, whitening)
    if identity_start:
        for layer in model.blocks.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.dirac_(layer.weight[: layer.in_channels])
    return model
