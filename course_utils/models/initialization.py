"""Initial weights, as the papers of the course set them.

Each function changes a whole model in place and returns it, so that a builder ends with
`return he_normal_(Model(...))`. Normalisation layers keep PyTorch's initial values (scale 1,
shift 0), which are also those of their papers.
"""

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import nn

__all__ = ["gaussian_", "glorot_uniform_", "he_normal_", "lecun_uniform_"]

Model = TypeVar("Model", bound=nn.Module)


def he_normal_(model: Model) -> Model:
    """Draw weights from N(0, 2 / fan_in), the variance that survives a ReLU; biases are 0.

    Source: He et al. 2015 (Delving Deep into Rectifiers), equation 10.
    """
    for weight in _weights(model):
        nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu")
    return model


def glorot_uniform_(model: Model) -> Model:
    """Draw weights from U(-a, a) with a = sqrt(6 / (fan_in + fan_out)); biases are 0.

    Source: Glorot & Bengio 2010, equation 16.
    """
    for weight in _weights(model):
        nn.init.xavier_uniform_(weight)
    return model


def gaussian_(model: Model, std: float) -> Model:
    """Draw weights from N(0, std^2) whatever the layer's size; biases are 0."""
    for weight in _weights(model):
        nn.init.normal_(weight, std=std)
    return model


def lecun_uniform_(model: Model) -> Model:
    """Draw weights and biases from U(-2.4 / fan_in, 2.4 / fan_in), made for the scaled tanh.

    Source: LeCun et al. 1998 (Gradient-Based Learning), appendix A.
    """
    for layer in _layers(model):
        bound = 2.4 / layer.weight[0].numel()
        nn.init.uniform_(layer.weight, -bound, bound)
        if layer.bias is not None:
            nn.init.uniform_(layer.bias, -bound, bound)
    return model


def _layers(model: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    return (module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear))


def _weights(model: nn.Module) -> Iterator[torch.Tensor]:
    """Yield the weights of each layer, whose bias becomes 0."""
    for layer in _layers(model):
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        yield layer.weight
