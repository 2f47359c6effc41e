"""Whether two models are the same network and, if not, where they first differ."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.inspection.capture import hooked, in_mode

__all__ = ["first_difference"]

TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one layer that has weights of its own."""

    name: str  # dotted, in its model
    layer: nn.Module
    before: Tensor  # what came in
    after: Tensor  # what went out

    def __str__(self) -> str:
        return f"{self.name} = {self.layer}"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the layer's own weights, by name."""
        return {name: tuple(p.shape) for name, p in self.layer.named_parameters(recurse=False)}


def first_difference(model: nn.Module, reference: nn.Module, images: Tensor) -> str:
    """Say in a sentence where a model first differs from the right one, or "" if it does not.

    The layers with weights are compared in the order in which they run: what comes in, what they
    are, what goes out. Then the model gets the reference's weights, and the numbers themselves
    are compared, which finds a wrong activation, pool or sum. Both models are copied first and
    stay as they are.

    Args:
        model: The model to check, made of modules.
        reference: The right one.
        images: (N, C, H, W), random, as zeros could hide a difference.

    Example:
        >>> right = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
        >>> wrong = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3))
        >>> first_difference(wrong, right, torch.randn(1, 1, 8, 8))[:59]
        'with the same weights, your layer 2 (1) gets other numbers:'
    """
    model, reference = copy.deepcopy(model), copy.deepcopy(reference)
    right: list[Call] = []
    mine: list[Call] = []
    expected = _run(reference, images, right)
    try:
        output = _run(model, images, mine)
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        end = _before(mine, len(mine) + 1)
        return _other_layers(mine, right[: len(mine)]) or f"your model stops after {end}: {error}"
    if not isinstance(output, Tensor):
        return f"your model returns {type(output).__name__}: return the logits, one tensor"
    if other := _other_layers(mine, right):
        return other
    num, wanted = (sum(p.numel() for p in m.parameters()) for m in (model, reference))
    if num != wanted:
        return f"your model has {num:,} parameters, expected {wanted:,}: is a layer never used?"
    if output.shape != expected.shape:
        return f"your output is {tuple(output.shape)}, expected {tuple(expected.shape)}"
    return _other_numbers(model, mine, reference, images)


@torch.no_grad()
def _run(model: nn.Module, images: Tensor, steps: list[Call]) -> Any:
    """Run a model in evaluation mode; return its output, and append its steps to a list."""
    layers = {
        layer: name
        for name, layer in model.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    }

    def note(layer: nn.Module, args: Any, output: Any) -> None:
        # Copies, since the next layer may overwrite its input.
        steps.append(Call(layers[layer], layer, args[0].clone(), output.clone()))

    with hooked(layers, note), in_mode(model, training=False):
        return model(images)


def _other_layers(mine: list[Call], right: list[Call]) -> str:
    """Return the first layer with weights that differs in kind, or in its input or output shape."""
    for i, (ours, theirs) in enumerate(zip(mine, right, strict=False), start=1):
        came, wanted = (tuple(step.before.shape[1:]) for step in (ours, theirs))
        if came != wanted:
            return (
                f"your layer {i} ({ours}) gets {came} for each image, expected {wanted}: look at "
                f"what lies between it and {_before(mine, i)}"
            )
        same_kind = isinstance(ours.layer, type(theirs.layer))
        if not same_kind or ours.shapes != theirs.shapes:
            return f"your layer {i} is {ours}, expected {theirs.layer}"
        went, wanted = (tuple(step.after.shape[1:]) for step in (ours, theirs))
        if went != wanted:
            return (
                f"your layer {i} ({ours}) returns {went} for each image, expected {wanted}: look "
                "at its stride and padding"
            )
    if len(mine) < len(right):
        return f"your model ends after layer {len(mine)}: {right[len(mine)].layer} comes next"
    if len(mine) > len(right):
        return f"your model should end after layer {len(right)}: {mine[len(right)]} is one too many"
    return ""


def _before(steps: list[Call], i: int) -> str:
    """Return what comes before layer i, counted from 1."""
    return f"layer {i - 1} ({steps[i - 2].name})" if i > 1 else "the image"


def _other_numbers(
    model: nn.Module, steps: list[Call], reference: nn.Module, images: Tensor
) -> str:
    """Say where the numbers first differ when both models have the same weights."""
    right: list[Call] = []
    mine: list[Call] = []
    expected = _run(_with_random_statistics(reference), images, right)
    for ours, theirs in zip(steps, right, strict=True):
        ours.layer.load_state_dict(theirs.layer.state_dict())
    output = _run(model, images, mine)
    for i, (ours, theirs) in enumerate(zip(mine, right, strict=True), start=1):
        if not _close(ours.before, theirs.before):
            return (
                f"with the same weights, your layer {i} ({ours.name}) gets other numbers: "
                f"look at the activation, pool or sum between it and {_before(mine, i)}"
            )
        if not _close(ours.after, theirs.after):
            return (
                f"with the same weights, your layer {i} ({ours}) returns other numbers than "
                f"{theirs.layer}: look at its settings"
            )
    if _close(output, expected):
        return ""
    end = _before(mine, len(mine) + 1)
    return f"with the same weights, your output differs: look at what follows {end}"


def _with_random_statistics(model: nn.Module) -> nn.Module:
    """Draw what normalisation layers hold: a fresh one would do nothing in evaluation."""
    generator = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for value in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                if value is not None:
                    noise = torch.rand(value.shape, generator=generator) + 0.5
                    value.data.copy_(noise)
    return model


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * max(float(b.abs().max()), 1e-6))
