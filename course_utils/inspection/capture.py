"""Look at a model while it runs, by layer name, and leave nothing behind."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from course_utils.arguments import instance, listed, shown
from course_utils.inspection.trace import main_tensor

__all__ = ["Capture", "Captured", "capture", "find_layer", "hooked", "in_mode"]


class Captured(dict[str, Tensor]):
    """Tensors by layer name, with a hint for when one is missing."""

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

    features: Captured
    gradients: Captured


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode, and undo everything that follows from it.

    In training mode batch normalisation uses the statistics of the batch, and auxiliary heads
    run. Dropout layers stay off in both modes, so that two looks at a model see the same. At the
    end, each module is back in its own mode, and each buffer (such as batch normalisation's
    running estimates) has its own values, to the last bit.
    """
    instance("model", model, nn.Module, "one, such as models.build(...)")
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module._buffers, name, buffer, buffer.clone())
        for module, _ in modes
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        model.train(training)
        for module, _ in modes:
            if isinstance(module, _DropoutNd):
                module.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for place, name, buffer, values in buffers:
                place[name] = buffer.copy_(values)


@contextmanager
def hooked(modules: Iterable[nn.Module], hook: Callable[..., Any]) -> Iterator[None]:
    """Call a forward hook on some modules for as long as the with block lasts."""
    with ExitStack() as handles:
        for module in modules:
            handles.enter_context(module.register_forward_hook(hook))
        yield


@contextmanager
def capture(model: nn.Module, layers: str | Iterable[str]) -> Iterator[Capture]:
    """Keep the outputs of some layers, and the gradients that flow back to them.

    The model is watched through hooks, which are removed at the end of the block, whatever
    happens in it. For a layer that runs twice, the last output is kept; for a layer with several
    outputs, the first.

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
    captured = Capture(
        Captured("run the model inside the with block, on that layer"),
        Captured("run forward and backward inside the with block, with gradients enabled"),
    )
    with ExitStack() as handles:
        for name, module in modules.items():
            keep = _keeper(name, captured, handles)
            handles.enter_context(module.register_forward_hook(keep))
        yield captured


def _keeper(name: str, captured: Capture, handles: ExitStack) -> Any:
    """Return a hook that keeps a layer's output, and asks for its gradient."""

    def keep_gradient(gradient: Tensor) -> None:
        captured.gradients[name] = gradient.detach().clone()

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        tensor = main_tensor(output)
        if tensor is None:
            raise ValueError(f"layer {name!r} has no tensor as output: capture one inside it")
        # A copy, since the next layer may overwrite its input (ReLU with inplace=True does).
        captured.features[name] = tensor.detach().clone()
        captured.gradients.pop(name, None)
        if tensor.requires_grad:
            handles.enter_context(tensor.register_hook(keep_gradient))

    return keep


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the layer, block or model (`""`) of a name, or raise the error as `capture` does."""
    instance("model", model, nn.Module, "one, such as models.build(...)")
    modules = dict(model.named_modules(remove_duplicate=False))
    if isinstance(name, str) and name in modules:
        return modules[name]
    near = difflib.get_close_matches(str(name), modules, n=3, cutoff=0.4)
    known = ", ".join(list(modules)[1:6])
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"layers are {known}, ..."
    raise ValueError(f"the model has no layer {shown(name)}: {hint}")
