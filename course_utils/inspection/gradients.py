"""Gradients and the standard deviation of activations, by depth."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.inspection.capture import capture, find_layer, in_mode
from course_utils.inspection.trace import main_tensor

__all__ = [
    "Loss",
    "activation_spread",
    "cross_entropy",
    "gradient_norms",
    "layer_names",
    "parameter_gradients",
]

Loss = Callable[[Any, Tensor], Tensor]
"""(outputs of the model, labels (N,)) -> one number, a mean over the images."""

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def cross_entropy(outputs: Any, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (N, K) and labels (N,), int64.

    Of several outputs, such as GoogLeNet's in training mode, the first counts.
    """
    logits = main_tensor(outputs)
    if logits is None:
        raise ValueError(f"the model returned {type(outputs).__name__}, not logits (N, K)")
    return F.cross_entropy(logits, labels)


def layer_names(
    model: nn.Module, kinds: type[nn.Module] | tuple[type[nn.Module], ...] = WEIGHTED
) -> list[str]:
    """List the layers of some kinds, in the order in which the model defines them.

    For the models of this course that is the order in which they run.

    Args:
        model: Any module.
        kinds: Classes of layers; convolutions and linear layers by default.

    Raises:
        ValueError: The model has no such layer.

    >>> layer_names(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)))
    ['0', '3']
    """
    names = [name for name, module in model.named_modules() if isinstance(module, kinds)]
    if not names:
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        raise ValueError(
            f"the model has no layer of type {', '.join(kind.__name__ for kind in wanted)}: "
            "name a type that print(model) shows"
        )
    return names


def parameter_gradients(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    loss: Loss = cross_entropy,
) -> dict[str, Tensor]:
    """Return the gradient of the loss on one batch for every parameter, by name.

    The model runs as in training, without dropout. It is left as it was: its parameters' own
    `.grad`, its mode, its running estimates.

    Args:
        model: The model, whose outputs `loss` takes.
        images: (N, C, H, W), float, on the model's device.
        labels: (N,), int64.
        loss: What is differentiated. To add the losses of auxiliary heads, pass your own:
            `lambda out, y: cross_entropy(out, y) + 0.3 * ...`.

    Returns:
        Name -> gradient of the parameter's shape; zeros where the loss does not depend on it.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with in_mode(model, training=True), torch.enable_grad():
        value = loss(model(images), labels)
        found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient.detach()
        for (name, parameter), gradient in zip(named.items(), found, strict=True)
    }


def gradient_norms(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    layers: Iterable[str] | None = None,
    loss: Loss = cross_entropy,
) -> dict[str, float]:
    """Return how large the gradient of the loss is at each layer, or at each block.

    The norm is Euclidean, over all parameters of the layer together: weights and bias, and for a
    block those of every layer in it.

    Args:
        model: The model, whose outputs `loss` takes.
        images: (N, C, H, W), float, on the model's device.
        labels: (N,), int64.
        layers: Dotted names of layers or blocks; None for all of `layer_names`.
        loss: What is differentiated, as in `parameter_gradients`.

    Returns:
        Name -> norm, in the order of `layers`.

    Raises:
        ValueError: A layer is unknown, or has no parameters.
    """
    names = layer_names(model) if layers is None else list(layers)
    inside = {name: _parameters_of(model, name) for name in names}
    gradients = parameter_gradients(model, images, labels, loss=loss)
    return {
        name: float(torch.stack([gradients[own].norm() for own in owned]).norm())
        for name, owned in inside.items()
    }


@torch.no_grad()
def activation_spread(
    model: nn.Module,
    images: Tensor,
    *,
    layers: Iterable[str] | None = None,
) -> dict[str, float]:
    """Return the standard deviation of each layer's output, over all values of a batch.

    The model runs as in training, without dropout, and is left as it was.

    Args:
        model: Any module that takes the images.
        images: (N, C, H, W), float, on the model's device.
        layers: Dotted names of layers or blocks; None for all of `layer_names`, which are
            measured before their activation.

    Returns:
        Name -> standard deviation (of all values, with N, not N - 1), in the order of `layers`.

    Raises:
        ValueError: A layer is unknown.
        KeyError: A layer did not run.
    """
    names = layer_names(model) if layers is None else list(layers)
    with in_mode(model, training=True), capture(model, names) as seen:
        model(images)
    return {name: float(seen.features[name].std(correction=0)) for name in names}


def _parameters_of(model: nn.Module, layer: str) -> list[str]:
    """Return the names of the trained parameters in a layer, block or model (`""`)."""
    module = find_layer(model, layer)
    prefix = f"{layer}." if layer else ""
    owned = [f"{prefix}{name}" for name, p in module.named_parameters() if p.requires_grad]
    if not owned:
        kind = type(module).__name__
        raise ValueError(f"layer {layer!r} ({kind}) has no parameters to learn: choose another")
    return owned
