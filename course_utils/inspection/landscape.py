"""The loss around a model: along one direction, and over a plane of two.

A position is the model's parameters plus multiples of one or two directions. The model itself
never changes: each position is evaluated with parameters of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, is_tensor, nn
from torch.func import functional_call

from course_utils.arguments import flag, instance, listed, shown
from course_utils.inspection.capture import in_mode
from course_utils.inspection.gradients import cross_entropy
from course_utils.runtime import asked

__all__ = ["Direction", "Landscape", "loss_along", "loss_surface", "random_direction"]

Direction = Mapping[str, Tensor]
"""Parameter name -> a step of its shape; a parameter that is not in it stays where it is."""

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Landscape:
    """The loss over a plane through a model.

    Attributes:
        x: (W,): multiples of the first direction.
        y: (H,): multiples of the second direction.
        losses: (H, W): mean loss at each position; (0, 0) is the model itself.
    """

    x: Tensor
    y: Tensor
    losses: Tensor


def random_direction(model: nn.Module, generator: Generator) -> dict[str, Tensor]:
    """Draw a direction from the standard normal distribution, scaled filter by filter.

    Each filter `d_ij` of the direction gets the norm of the model's own filter `theta_ij`:
    `d_ij <- d_ij / |d_ij| * |theta_ij|`. So one step is equally far for two nets that compute
    the same with weights of different size, and their surfaces can be compared. A filter is all
    the weights of one output: a row of a linear layer, a filter of a convolution. Parameters with
    one number per output (biases, scales and shifts of normalisation, gains) do not move, as in
    the authors' code.

    Args:
        model: Where the direction starts.
        generator: A generator on the CPU; the same state gives the same direction on every device.

    Returns:
        Parameter name -> step of its shape, on its device.

    Source: Li et al. 2018, section 4.
    Differs: gains of weight normalisation, which are (C_out, 1, 1, 1), count as one number per
        output, and do not move either.
    """
    instance("model", model, nn.Module, "one, such as models.build(...)")
    instance("generator", generator, Generator, "torch.Generator().manual_seed(0)")
    direction = {}
    for name, parameter in model.named_parameters():
        step = torch.randn(parameter.shape, generator=generator).to(parameter)
        direction[name] = _filter_normalised(step, parameter)
    return direction


def loss_along(
    model: nn.Module,
    batches: Iterable[Batch],
    direction: Direction,
    positions: Sequence[float] | Tensor,
    *,
    training: bool = False,
) -> Tensor:
    """Return the mean cross-entropy at multiples of one direction away from a model.

    Args:
        model: The point 0; it is left as it was, to the last bit.
        batches: (images (N, C, H, W), labels (N,)) each, on the model's device; read once.
        direction: From `random_direction`, or a gradient times -1, say.
        positions: Multiples of the direction.
        training: The mode of batch normalisation. False uses the running estimates of the
            model at 0 everywhere, as Li et al. do; True the statistics of each batch, which
            follow the weights. Dropout is off in both.

    Returns:
        (len(positions),), float64, on the CPU.

    Raises:
        ValueError: There are no batches or positions, or a step fits no parameter.
    """
    points = [((direction, step),) for step in _multiples(positions).tolist()]
    return _losses(model, batches, points, training=training)


def loss_surface(
    model: nn.Module,
    batches: Iterable[Batch],
    directions: tuple[Direction, Direction],
    positions: Sequence[float] | Tensor,
    *,
    training: bool = False,
) -> Landscape:
    """Return the mean cross-entropy over a square in the plane of two directions.

    The cost is one evaluation of all batches for each of len(positions)^2 points.

    Args:
        model: The point (0, 0); it is left as it was, to the last bit.
        batches: As in `loss_along`.
        directions: Two directions, such as two draws of `random_direction`.
        positions: Multiples of each of them.
        training: As in `loss_along`; which of two nets is smoother may depend on it.

    Raises:
        ValueError: There are no batches or positions, or a step fits no parameter.

    Source: Li et al. 2018, section 4: f(a, b) = L(theta + a delta + b eta).
    """
    pair = list(directions) if isinstance(directions, list | tuple) else []
    if len(pair) != 2:
        raise ValueError(
            f"directions = {shown(directions)}: give two, such as from random_direction"
        )
    (first, second), steps = pair, _multiples(positions)
    points = [((first, x), (second, y)) for y in steps.tolist() for x in steps.tolist()]
    losses = _losses(model, batches, points, training=training)
    return Landscape(steps, steps, losses.reshape(len(steps), len(steps)))


# --- Helpers -----------------------------------------------------------------------------------


def _multiples(positions: Any) -> Tensor:
    """Return positions as (P,), float64."""
    try:
        steps = torch.as_tensor(positions, dtype=torch.float64)
        is_line = steps.dim() == 1 and bool(steps.isfinite().all())
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"positions = {shown(positions)}: give a list of numbers") from error
    if not is_line:
        raise ValueError(f"positions = {shown(positions)}: give a list of finite numbers")
    return steps


Point = tuple[tuple[Direction, float], ...]  # steps away from the model, each with its multiple


def _filter_normalised(step: Tensor, parameter: Tensor) -> Tensor:
    """Scale each filter of a step to the norm of the parameter's; zero if it has no filters."""
    if parameter.dim() < 2 or parameter[0].numel() == 1:
        return torch.zeros_like(step)
    rows, own = step.flatten(1), parameter.detach().flatten(1)  # (C_out, values of a filter)
    scale = own.norm(dim=1, keepdim=True) / rows.norm(dim=1, keepdim=True)
    return (rows * scale).reshape(parameter.shape)


@torch.no_grad()
def _losses(
    model: nn.Module, batches: Iterable[Batch], points: Sequence[Point], *, training: bool
) -> Tensor:
    """Return the mean loss at each point, (len(points),)."""
    kept = listed("batches", batches)  # shuffled batches would give each point another epoch
    for batch in kept:
        if not (isinstance(batch, tuple | list) and len(batch) == 2 and all(map(is_tensor, batch))):
            raise ValueError(f"batches hold {shown(batch)}: give pairs of images and labels")
    if not kept or not points:
        raise ValueError(
            f"{len(kept)} batches and {len(points)} positions: give at least one of each"
        )
    for direction, _ in points[0]:
        _check_direction(model, direction)
    with in_mode(model, training=flag("training", training)):
        values = [_loss_at(model, kept, _parameters_at(model, point)) for point in points]
    return torch.tensor(values, dtype=torch.float64)


def _parameters_at(model: nn.Module, point: Point) -> dict[str, Tensor]:
    """Return the parameters at a point, new tensors where they differ from the model's own."""
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    for direction, multiple in point:
        for name, step in direction.items():
            parameters[name] = parameters[name] + multiple * step
    return parameters


def _loss_at(model: nn.Module, batches: Sequence[Batch], parameters: dict[str, Any]) -> float:
    """Return the mean over all images, with these parameters in place of the model's."""
    total, num_images = 0.0, 0
    for images, labels in batches:
        with asked(images):
            outputs = functional_call(model, parameters, (images,))
        total += float(cross_entropy(outputs, labels)) * len(labels)
        num_images += len(labels)
    return total / num_images


def _check_direction(model: nn.Module, direction: Direction) -> None:
    instance("model", model, nn.Module, "one, such as models.build(...)")
    instance("direction", direction, Mapping, "what random_direction returns")
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    for name, step in direction.items():
        found = tuple(step.shape) if isinstance(step, Tensor) else shown(step)
        if shapes.get(name) != found:
            wanted = shapes.get(name, "no such parameter")
            raise ValueError(
                f"the direction's {shown(name)} is {found}, but the model has {wanted}: "
                "draw it with random_direction(model, generator)"
            )
