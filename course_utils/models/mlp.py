"""Multilayer perceptron: the baseline that does not know its input is an image."""

import torch
from torch import nn

from course_utils.models.choices import checked
from course_utils.models.initialization import he_normal_

__all__ = ["MLP", "mlp"]


class MLP(nn.Module):
    """The image as one long vector, then linear layers with ReLU between them."""

    def __init__(self, in_features: int, hidden_sizes: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for num_units in hidden_sizes:
            layers += [nn.Linear(in_features, num_units), nn.ReLU()]
            in_features = num_units
        self.hidden = nn.Sequential(*layers)
        self.classifier = nn.Linear(in_features, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, C, H, W) with C*H*W = in_features into logits (N, num_classes)."""
        x = images.flatten(start_dim=1)  # (N, C*H*W): which pixels were neighbours is lost here
        x = self.hidden(x)  # (N, hidden_sizes[-1])
        return self.classifier(x)  # (N, num_classes)


@checked
def mlp(
    *,
    in_channels: int,
    num_classes: int,
    image_size: int = 28,
    hidden_sizes: tuple[int, ...] = (256, 128),
) -> MLP:
    """Build an MLP for square images, initialised for ReLU.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of logits.
        image_size: Height and width of the images; the first layer takes no other size.
        hidden_sizes: Units of each hidden layer.

    Source: Rumelhart et al. 1986; initial weights: He et al. 2015, section 2.2.
    """
    return he_normal_(MLP(in_channels * image_size**2, hidden_sizes, num_classes))
