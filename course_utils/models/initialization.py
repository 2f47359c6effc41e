"""Initial weights, as the papers of the course set them.

Each function changes a whole model in place and returns it, so that a builder ends with
`return he_normal_(Model(...))`. Normalisation layers keep PyTorch's start (scale 1, shift 0),
which is also what their papers use.
"""

from typing import TypeVar

from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def he_normal_(model: Model) -> Model:
    """Draw weights from N(0, 2 / fan_in), the variance that survives a ReLU; biases are 0.

    Source: He et al. 2015 (Delving Deep into Rectifiers), equation 10.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def glorot_uniform_(model: Model) -> Model:
    """Draw weights from U(-a, a) with a = sqrt(6 / (fan_in + fan_out)); biases are 0.

    Source: Glorot & Bengio 2010, equation 16.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def lecun_uniform_(model: Model) -> Model:
    """Draw weights and biases from U(-2.4 / fan_in, 2.4 / fan_in), made for the scaled tanh.

    Source: LeCun et al. 1998 (Gradient-Based Learning), appendix A.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 2.4 / module.weight[0].numel()
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound)
    return model


def gaussian_(model: Model, std: float) -> Model:
    """Draw weights from N(0, std^2) whatever the layer's size; biases are 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
