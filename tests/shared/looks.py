"""What is true of a model, found out without the package: sizes, fields, who passes on what."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


def first_tensor(output: Any) -> Tensor | None:
    return next((leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)), None)


@torch.no_grad()
def shapes_and_work(
    model: nn.Module, pictures: Tensor
) -> tuple[dict[str, list[tuple[int, ...]]], int]:
    """The shape of each output of each module, and the multiply-adds by PyTorch's own counter."""
    found: dict[str, list[tuple[int, ...]]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is not None:
                found.setdefault(name, []).append(tuple(tensor.shape[1:]))

        return hook

    handles = [m.register_forward_hook(note(name)) for name, m in model.named_modules()]
    with FlopCounterMode(display=False) as counter:
        model(pictures)
    for handle in handles:
        handle.remove()
    return found, counter.get_total_flops() // 2 // len(pictures)


def positive(model: nn.Module) -> nn.Module:
    """Give a model positive weights that keep the size of their input: nothing cancels."""
    generator = torch.Generator().manual_seed(0)
    model.double().eval()
    for parameter in model.parameters():
        values = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.1
        if parameter.dim() > 1:
            values /= values.flatten(1).sum(dim=1).view(-1, *[1] * (values.dim() - 1))
        parameter.data = values
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d) and not child.return_indices:
                options = (child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(parent, name, nn.AvgPool2d(*options))  # every pixel counts
    return model


@torch.no_grad()
def fields_by_trial(model: nn.Module, size: tuple[int, int, int]) -> dict[str, tuple[int, int]]:
    """Name -> height and width of the pixels that change the middle of a module's last maps.

    Every pixel is changed by itself, in all channels, so that no gradient is needed.
    """
    channels, height, width = size
    base = torch.rand(1, channels, height, width, dtype=torch.float64) + 1
    change = torch.eye(height * width, dtype=torch.float64).view(-1, 1, height, width)
    pictures = torch.cat([base, base + change])
    outputs: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is not None and tensor.dim() == 4 and len(tensor) == len(pictures):
                outputs[name] = tensor.clone()

        return hook

    handles = [m.register_forward_hook(note(name)) for name, m in model.named_modules()]
    model(pictures.clone())
    for handle in handles:
        handle.remove()
    return {name: _extent(output, height, width) for name, output in outputs.items()}


def _extent(output: Tensor, height: int, width: int) -> tuple[int, int]:
    middle = output[:, :, output.shape[2] // 2, output.shape[3] // 2]
    changed = ((middle[1:] - middle[:1]).abs() > 1e-12).any(dim=1).view(height, width)
    if not changed.any():
        return 0, 0
    rows, columns = changed.nonzero(as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def fields_by_gradient(
    model: nn.Module, names: list[str], size: tuple[int, int, int]
) -> dict[str, tuple[int, int]]:
    """The same by gradients, for a large model; only for some modules."""
    picture = torch.rand(1, *size, dtype=torch.float64, requires_grad=True)
    outputs: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda m, a, out, name=name: outputs.update({name: out.clone()})
        )
        for name in names
    ]
    model(picture)
    for handle in handles:
        handle.remove()
    found = {}
    for name, out in outputs.items():
        middle = out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum()
        (gradient,) = torch.autograd.grad(middle, picture, retain_graph=True)
        rows, columns = gradient[0].abs().sum(dim=0).nonzero(as_tuple=True)
        found[name] = (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)
    return found


@torch.no_grad()
def answer_rests_on(model: nn.Module, name: str, size: tuple[int, int, int]) -> bool:
    """Whether the answer is the same for any picture, once a module's output is held fixed."""
    pictures = torch.rand(2, *size, generator=torch.Generator().manual_seed(3))
    kept: list[Tensor] = []

    def hold(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        kept.append(output.clone())
        return kept[0].clone()

    handle = model.get_submodule(name).register_forward_hook(hold)
    try:
        first, second = (first_tensor(model(picture[None])) for picture in pictures)
    finally:
        handle.remove()
    return bool(torch.allclose(first, second))


def grad_cam_by_hand(model: nn.Module, images: Tensor, targets: Tensor, name: str) -> Tensor:
    """Equations 1 and 2 of Selvaraju et al. 2017, for what the layer puts out."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # what follows may change it in place

    handle = model.get_submodule(name).register_forward_hook(keep)
    logits = model(images.clone().requires_grad_())
    handle.remove()
    (gradient,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), kept[-1])
    maps = (gradient.mean(dim=(2, 3), keepdim=True) * kept[-1]).sum(dim=1, keepdim=True).relu()
    return nn.functional.interpolate(maps, images.shape[2:], mode="bilinear")[:, 0].detach()
