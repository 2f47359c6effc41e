"""Blur pooling: blur before subsampling, so that a small shift makes a small change."""

import math

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["BlurPool", "MaxBlurPool", "binomial_kernel"]


def binomial_kernel(size: int) -> torch.Tensor:
    """Return the blur kernel (size, size) made of binomial coefficients; its entries sum to 1.

    Size 3 is 1 2 1 / 2 4 2 / 1 2 1 over 16, and a larger one blurs more.

    Raises:
        ValueError: The size is below 1.
    """
    if size < 1:
        raise ValueError(f"a blur kernel of size {size}: use 1 (no blur) or more")
    row = torch.tensor([math.comb(size - 1, i) for i in range(size)]) / 2 ** (size - 1)  # (size,)
    return torch.outer(row, row)


class BlurPool(nn.Module):
    """Blur each channel, then keep every stride-th pixel; there is nothing to learn.

    Args:
        kernel_size: Side of the binomial blur; 1 does not blur.
        stride: Distance between the pixels that are kept.
        padding_mode: What the blur sees beyond the border: `reflect`, `replicate` or `circular`.

    Raises:
        ValueError: Another padding mode, or a kernel size below 1.

    Source: Zhang 2019, section 3.2.
    """

    def __init__(
        self, kernel_size: int = 3, stride: int = 2, padding_mode: str = "reflect"
    ) -> None:
        super().__init__()
        if padding_mode not in ("reflect", "replicate", "circular"):
            raise ValueError(
                f"padding_mode {padding_mode!r} would darken the border, or is unknown: "
                "use reflect, replicate or circular"
            )
        self.stride, self.padding_mode = stride, padding_mode
        self.padding = ((kernel_size - 1) // 2, kernel_size // 2) * 2  # left, right, top, bottom
        self.register_buffer("kernel", binomial_kernel(kernel_size), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C, H, W) into (N, C, ceil(H/stride), ceil(W/stride))."""
        num_channels = x.shape[1]
        kernel = self.get_buffer("kernel").expand(num_channels, 1, -1, -1)  # one for each channel
        x = F.pad(x, self.padding, mode=self.padding_mode)
        return F.conv2d(x, kernel, stride=self.stride, groups=num_channels)


class MaxBlurPool(nn.Module):
    """Max pooling, taken apart and repaired: the maximum everywhere, then blur, then subsample.

    With blur_size=1 it is nn.MaxPool2d(kernel_size, stride), where the windows fit.

    Args:
        kernel_size: Side of the window of the maximum.
        stride: Distance between the pixels that are kept.
        blur_size: Side of the binomial blur; 1 does not blur.
        padding_mode: As in `BlurPool`; it also says what the last windows see.

    Source: Zhang 2019, section 3.2.
    Differs: the maximum is padded at the end, so that a map of n pixels becomes one of
        ceil(n/stride), with any window.
    """

    def __init__(
        self,
        kernel_size: int = 2,
        stride: int = 2,
        blur_size: int = 3,
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__()
        self.padding = (0, kernel_size - 1) * 2  # left, right, top, bottom
        self.dense_max = nn.MaxPool2d(kernel_size, stride=1)
        self.blur = BlurPool(blur_size, stride, padding_mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn x (N, C, H, W) into (N, C, ceil(H/stride), ceil(W/stride))."""
        x = F.pad(x, self.padding, mode=self.blur.padding_mode)
        x = self.dense_max(x)  # (N, C, H, W): nothing is left out yet
        return self.blur(x)
