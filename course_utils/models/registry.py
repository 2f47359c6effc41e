"""The table of all architectures: what each is called, where it comes from, how it is built."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from course_utils.models import (
    alexnet,
    densenet,
    googlenet,
    highway,
    lenet,
    locally_connected,
    mlp,
    nin,
    resnet,
    vgg,
)


@dataclass(frozen=True)
class ModelEntry:
    """One row of the table.

    `builder` takes `in_channels` and `num_classes` and, as further keyword arguments, the
    switches. `input_shape` (C, H, W) and `num_classes` are the ones of the source, or of the
    course's own data; `min_size` is the smallest height and width that the net makes sense of.
    """

    name: str
    family: str
    builder: Callable[..., nn.Module]
    source: str
    input_shape: tuple[int, int, int] = (3, 224, 224)
    num_classes: int = 1000
    min_size: int = 1

    @property
    def switches(self) -> dict[str, Any]:
        """Name of each switch, and its default."""
        parameters = inspect.signature(self.builder).parameters.values()
        fixed = ("in_channels", "num_classes")
        return {p.name: p.default for p in parameters if p.name not in fixed}


@dataclass(frozen=True)
class InputCheck:
    """A forward pre-hook that answers pictures which do not fit with one clear sentence."""

    name: str
    family: str
    input_shape: tuple[int, int, int]
    min_size: int
    exact: bool

    def __call__(self, module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        """Raise a ValueError unless args[0] is (N, C, H, W) with a C, H and W that fit."""
        images = args[0]
        if images.dim() != 4:
            raise ValueError(
                f"{self.name} takes a batch of pictures (N, C, H, W), got shape "
                f"{tuple(images.shape)}: add the missing axis with images[None]"
            )
        _, channels, height, width = images.shape
        if channels != self.input_shape[0]:
            raise ValueError(
                f"{self.name} was built for {self.input_shape[0]} channels, but the pictures have "
                f"{channels}: build it with in_channels={channels}"
            )
        size = self.input_shape[1]
        if self.exact and (height, width) != (size, size):
            raise ValueError(
                f"{self.name} was built for {size}x{size} pictures, got {height}x{width}: "
                "resize them, or build it with another image_size"
            )
        if min(height, width) < self.min_size:
            raise ValueError(
                f"{self.name} needs pictures of at least {self.min_size}x{self.min_size}, got "
                f"{height}x{width}: resize them, or build '{self.family}_small'"
            )


LENET_PAPER = "LeCun et al. 1998, Gradient-based learning applied to document recognition"
ALEXNET_PAPER = "Krizhevsky et al. 2012, ImageNet classification with deep convolutional networks"
VGG_PAPER = "Simonyan & Zisserman 2015, Very deep convolutional networks, table 1"
NIN_PAPER = "Lin et al. 2014, Network in network"
GOOGLENET_PAPER = "Szegedy et al. 2015, Going deeper with convolutions"
HIGHWAY_PAPER = "Srivastava et al. 2015, Training very deep networks"
RESNET_PAPER = "He et al. 2016, Deep residual learning for image recognition"
DENSENET_PAPER = "Huang et al. 2017, Densely connected convolutional networks"

DIGITS = (1, 28, 28)
CIFAR = (3, 32, 32)

CIFAR_DEPTHS = (20, 32, 44, 56, 110)


def entry(
    name: str,
    builder: Callable[..., nn.Module],
    source: str,
    input_shape: tuple[int, int, int] = (3, 224, 224),
    min_size: int = 1,
) -> ModelEntry:
    """Fill in what follows from the rest: the family is the builder's file, ImageNet has 1,000."""
    function = getattr(builder, "func", builder)  # what a partial is a part of
    family = function.__module__.rpartition(".")[2]
    num_classes = 1000 if input_shape[1] > 32 else 10
    return ModelEntry(name, family, builder, source, input_shape, num_classes, min_size)


ENTRIES = [
    entry("mlp", mlp.mlp, "Rumelhart et al. 1986, Learning representations", DIGITS),
    entry(
        "locally_connected",
        locally_connected.locally_connected,
        "LeCun 1989, Generalization and network design strategies",
        DIGITS,
    ),
    entry("lenet5", lenet.lenet5, LENET_PAPER, DIGITS),
    entry("alexnet", alexnet.alexnet, ALEXNET_PAPER, (3, 227, 227), 67),
    entry("alexnet_small", alexnet.alexnet_small, ALEXNET_PAPER, CIFAR, 8),
    *(
        entry(name, partial(vgg.vgg, configuration), VGG_PAPER, min_size=32)
        for name, configuration in {
            "vgg11": "A",
            "vgg11_lrn": "A-LRN",
            "vgg13": "B",
            "vgg16_c": "C",
            "vgg16": "D",
            "vgg19": "E",
        }.items()
    ),
    entry("vgg_small", vgg.vgg_small, VGG_PAPER, CIFAR, 16),
    entry("nin", nin.nin, NIN_PAPER, CIFAR, 8),
    entry("nin_small", nin.nin_small, NIN_PAPER, CIFAR, 8),
    entry("googlenet", googlenet.googlenet, GOOGLENET_PAPER, min_size=65),
    entry("googlenet_small", googlenet.googlenet_small, GOOGLENET_PAPER, CIFAR, 8),
    entry("highway", highway.highway, HIGHWAY_PAPER, DIGITS),
    entry("highway_small", highway.highway_small, HIGHWAY_PAPER, CIFAR, 8),
    *(
        entry(f"plain{d}", partial(resnet.resnet_cifar, d, False), RESNET_PAPER, CIFAR, 8)
        for d in CIFAR_DEPTHS
    ),
    *(
        entry(f"resnet{d}", partial(resnet.resnet_cifar, d), RESNET_PAPER, CIFAR, 8)
        for d in CIFAR_DEPTHS
    ),
    *(
        entry(f"plain{d}", partial(resnet.resnet_basic, d, False), RESNET_PAPER, min_size=32)
        for d in (18, 34)
    ),
    *(
        entry(f"resnet{d}", partial(resnet.resnet_basic, d), RESNET_PAPER, min_size=32)
        for d in (18, 34)
    ),
    *(
        entry(f"resnet{d}", partial(resnet.resnet_bottleneck, d), RESNET_PAPER, min_size=32)
        for d in (50, 101, 152)
    ),
    entry("resnet_small", resnet.resnet_small, RESNET_PAPER, CIFAR, 8),
    *(
        entry(f"densenet{d}", partial(densenet.densenet_cifar, d, False), DENSENET_PAPER, CIFAR, 8)
        for d in (40, 100)
    ),
    *(
        entry(
            f"densenet_bc{d}", partial(densenet.densenet_cifar, d, True), DENSENET_PAPER, CIFAR, 8
        )
        for d in (40, 100)
    ),
    *(
        entry(f"densenet{d}", partial(densenet.densenet_imagenet, d), DENSENET_PAPER, min_size=32)
        for d in densenet.IMAGENET
    ),
    entry("densenet_small", densenet.densenet_small, DENSENET_PAPER, CIFAR, 8),
]

MODELS: dict[str, ModelEntry] = {row.name: row for row in ENTRIES}
"""Every architecture, by name."""


def names() -> list[str]:
    """Return the names that `build` knows, oldest architecture first."""
    return list(MODELS)


def lookup(name: str) -> ModelEntry:
    """Return the row of the table called `name`.

    Raises:
        ValueError: if there is none; the message lists the names that look alike.
    """
    if name in MODELS:
        return MODELS[name]
    close = difflib.get_close_matches(str(name), MODELS, n=5, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(MODELS)}"
    raise ValueError(f"there is no model {name!r}: {hint}")


def require_count(label: str, value: object) -> None:
    """Raise a ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{label} must be a whole number of at least 1, got {value!r}")


def build(
    name: str,
    *,
    in_channels: int | None = None,
    num_classes: int | None = None,
    generator: torch.Generator | None = None,
    **switches: Any,
) -> nn.Module:
    """Build a model of the zoo with fresh weights.

    Args:
        name: one of `names()`.
        in_channels: channels of the pictures; the source's own when left out.
        num_classes: number of logits; the source's own when left out.
        generator: draws the initial weights; PyTorch's global one when left out.
        **switches: the entry's own choices, see `MODELS[name].switches`.

    Returns:
        A model from images (N, in_channels, H, W) to logits (N, num_classes), which refuses
        pictures that do not fit; `input_shape(model)` tells the size it is meant for.

    Raises:
        ValueError: for an unknown name, an unknown switch, or a value that makes no sense.
    """
    entry = lookup(name)
    unknown = sorted(set(switches) - set(entry.switches))
    if unknown:
        known = ", ".join(entry.switches) or "none"
        raise ValueError(f"{name} has no switch {', '.join(unknown)}: its switches are {known}")
    channels = entry.input_shape[0] if in_channels is None else in_channels
    classes = entry.num_classes if num_classes is None else num_classes
    require_count("in_channels", channels)
    require_count("num_classes", classes)
    with torch.random.fork_rng(devices=[], enabled=generator is not None):
        if generator is not None:
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        model = entry.builder(in_channels=channels, num_classes=classes, **switches)
    attach_check(model, entry, channels, switches)
    return model


def attach_check(
    model: nn.Module, entry: ModelEntry, in_channels: int, switches: dict[str, Any]
) -> None:
    """Let the model refuse pictures that do not fit, and remember the size it is meant for."""
    exact = "image_size" in entry.switches
    size = {**entry.switches, **switches}.get("image_size", entry.input_shape[1])
    shape = (in_channels, size, size)
    check = InputCheck(entry.name, entry.family, shape, entry.min_size, exact)
    model.register_forward_pre_hook(check)


def input_shape(model: nn.Module) -> tuple[int, int, int]:
    """Return the (C, H, W) that a model of `build` is meant for.

    Raises:
        ValueError: if the model was not made by `build`.
    """
    for hook in model._forward_pre_hooks.values():
        if isinstance(hook, InputCheck):
            return hook.input_shape
    raise ValueError(f"{type(model).__name__} was not made by build(): pass the input size")
