"""Feature maps and gradients inside a model, by layer name."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from course_utils.arguments import instance, listed, shown
from course_utils.inspection.trace import main_tensor

__all__ = ["Capture", "Captured", "capture", "find_layer"]


class Captured(dict[str, Tensor]):
    """Tensors by layer name, which says what to do when one is missing."""

    def __init__(self, hint: str) -> None:
        super().__init__()
        self.hint = hint

    def __missing__(self, name: str) -> Tensor:
        raise KeyError(f"nothing captured at {name!r}: {self.hint}")


@dataclass(frozen=True)
class Capture:
    """What passed through the chosen layers.

    Args:
        features: Output of each layer in the last forward pass, detached copies.
        gradients: Gradient of whatever was differentiated with respect to that output.
    """

    features: Captured = field(
        default_factory=lambda: Captured("run the model inside the with block, on that layer")
    )
    gradients: Captured = field(
        default_factory=lambda: Captured(
            "run forward and backward inside the with block, with gradients enabled"
        )
    )


@contextmanager
def capture(model: nn.Module, layers: str | Iterable[str]) -> Iterator[Capture]:
    """Keep the outputs of some layers, and the gradients that come back to them.

    The model is watched through hooks, which are removed at the end of the block, whatever
    happens in it. A layer that runs twice keeps its last output; of a layer with several outputs
    the first is kept.

    Args:
        model: Any module.
        layers: Dotted names of layers, as in `model.named_modules()`; "" is the model itself.

    Yields:
        A `Capture` whose `features` and `gradients` fill as the model runs.

    Raises:
        ValueError: A layer is unknown; the message offers the nearest names.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    >>> with capture(net, ["0", "1"]) as seen:
    ...     net(torch.ones(1, 1, 4, 4)).sum().backward()
    >>> seen.features["0"].shape, seen.gradients["1"].shape
    (torch.Size([1, 2, 2, 2]), torch.Size([1, 2, 2, 2]))
    """
    names = [layers] if isinstance(layers, str) else listed("layers", layers)
    modules = {name: find_layer(model, name) for name in names}
    captured = Capture()
    handles: list[RemovableHandle] = []
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(_keeper(name, captured, handles)))
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _keeper(name: str, captured: Capture, handles: list[RemovableHandle]) -> Any:
    """Return a hook that keeps a layer's output, and asks for its gradient."""

    def keep_gradient(gradient: Tensor) -> None:
        captured.gradients[name] = gradient.detach().clone()

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        tensor = main_tensor(output)
        if tensor is None:
            raise ValueError(f"layer {name!r} puts out no tensor: capture one inside it")
        # A copy, since the next layer may overwrite its input (ReLU with inplace=True does).
        captured.features[name] = tensor.detach().clone()
        captured.gradients.pop(name, None)
        if tensor.requires_grad:
            handles.append(tensor.register_hook(keep_gradient))

    return keep


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the layer, block or model (`""`) of a name.

    Args:
        model: Any module.
        name: Dotted name, as in `model.named_modules()`.

    Raises:
        ValueError: There is none; the message offers the nearest names.
    """
    instance("model", model, nn.Module, "one, as models.build makes it")
    modules = dict(model.named_modules(remove_duplicate=False))
    if isinstance(name, str) and name in modules:
        return modules[name]
    near = difflib.get_close_matches(str(name), modules, n=3, cutoff=0.4)
    known = ", ".join(list(modules)[1:6])
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"layers are {known}, ..."
    raise ValueError(f"the model has no layer {shown(name)}: {hint}")
