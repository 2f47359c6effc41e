"""The table of all architectures: their names, sources and builders."""

import difflib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from course_utils.arguments import shown
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
    speednet,
    vgg,
)

__all__ = ["MODELS", "ModelEntry", "build", "input_shape", "lookup", "names"]


@dataclass(frozen=True)
class ModelEntry:
    """One row of the table.

    Attributes:
        name: Its name for `build`.
        family: The file it is in; `<family>_small`, if there is one, is for 28 and 32 px.
        builder: A function of `in_channels`, `num_classes` and the switches as keyword arguments.
        source: The paper.
        input_shape: (C, H, W) of the paper's images, or of the course's own.
        num_classes: Number of classes in the paper, or in the course's own images.
        min_size: Smallest height and width that every variant of the net takes.
    """

    name: str
    family: str
    builder: Callable[..., nn.Module]
    source: str
    input_shape: tuple[int, int, int]
    num_classes: int
    min_size: int

    @property
    def switches(self) -> dict[str, Any]:
        """The name of each switch, and its default."""
        parameters = inspect.signature(self.builder).parameters.values()
        given = ("in_channels", "num_classes")
        return {p.name: p.default for p in parameters if p.name not in given}


@dataclass(frozen=True)
class InputCheck:
    """A forward pre-hook that refuses images that do not fit, in one clear sentence.

    It keeps the checks out of the classes that the lessons show, and out of the state dict.

    Attributes:
        name: The model's name, for the sentence.
        input_shape: (C, H, W) that the model was built for.
        min_size: Smallest height and width it takes.
        exact: Whether it takes only the height and width of `input_shape`.
        way_out: What to do about images that are too small.
    """

    name: str
    input_shape: tuple[int, int, int]
    min_size: int
    exact: bool
    way_out: str

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check the images before `forward` sees them.

        Raises:
            ValueError: They are not floats (N, C, H, W), or C, H and W do not fit.
        """
        images: Any = args[0] if args else kwargs.get("images")
        complaint = self.kind_complaint(images) or self.size_complaint(images)
        if complaint:
            raise ValueError(f"{self.name} {complaint}")

    def kind_complaint(self, images: Any) -> str:
        """Say what is wrong, unless the images are a batch of floats; "" otherwise."""
        if not isinstance(images, torch.Tensor):
            return f"takes a batch of images (N, C, H, W) as a tensor, got {shown(images)}"
        if images.dim() != 4:
            return (
                f"takes a batch of images (N, C, H, W), got shape {tuple(images.shape)}: a single "
                "image becomes a batch by images[None]"
            )
        if not images.is_floating_point():
            return (
                f"takes images of floats, got {images.dtype}: convert them, for example by "
                "images.float() / 255"
            )
        return ""

    def size_complaint(self, images: torch.Tensor) -> str:
        """Say what is wrong with the channels, the height or the width; "" if nothing is."""
        channels, height, width = images.shape[1:]
        size = self.input_shape[1]
        if channels != self.input_shape[0]:
            return (
                f"was built for in_channels={self.input_shape[0]}, but the images have "
                f"{channels}: build it with in_channels={channels}"
            )
        if self.exact and (height, width) != (size, size):
            return (
                f"was built for images of {size}x{size}, got {height}x{width}: resize them, or "
                "build it with another image_size"
            )
        if not self.exact and min(height, width) < self.min_size:
            return (
                f"needs images of at least {self.min_size}x{self.min_size}, got "
                f"{height}x{width}: {self.way_out}"
            )
        return ""


PAPERS = {
    "mlp": "Rumelhart et al. 1986, Learning representations",
    "locally_connected": "LeCun 1989, Generalization and network design strategies",
    "lenet": "LeCun et al. 1998, Gradient-based learning applied to document recognition",
    "alexnet": "Krizhevsky et al. 2012, ImageNet classification with deep convolutional networks",
    "vgg": "Simonyan & Zisserman 2015, Very deep convolutional networks, table 1",
    "nin": "Lin et al. 2014, Network in network",
    "googlenet": "Szegedy et al. 2015, Going deeper with convolutions",
    "highway": "Srivastava et al. 2015, Training very deep networks",
    "resnet": "He et al. 2016, Deep residual learning for image recognition",
    "densenet": "Huang et al. 2017, Densely connected convolutional networks",
    "speednet": "Jordan 2024, 94% on CIFAR-10 in 3.29 seconds on a single GPU",
}
"""Family -> where it comes from."""

DIGITS = (1, 28, 28)
CIFAR = (3, 32, 32)
IMAGENET = (3, 224, 224)

VGG_NAMES = ("vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16", "vgg19")
"""Today's names of the columns A, A-LRN, B, C, D and E of the paper's table 1."""

CIFAR_DEPTHS = (20, 32, 44, 56, 110)


def entry(
    name: str,
    builder: Callable[..., nn.Module],
    input_shape: tuple[int, int, int],
    min_size: int = 1,
) -> ModelEntry:
    """Return a row, its family from the builder's file, its number of classes from the size."""
    function = getattr(builder, "func", builder)  # the function that a partial wraps
    family = function.__module__.rpartition(".")[2]
    num_classes = 1000 if input_shape[1] > 32 else 10
    return ModelEntry(name, family, builder, PAPERS[family], input_shape, num_classes, min_size)


def entries() -> Iterator[ModelEntry]:
    """Yield the rows of the table, oldest architecture first."""
    yield entry("mlp", mlp.mlp, DIGITS)
    yield entry("locally_connected", locally_connected.locally_connected, DIGITS)
    yield entry("lenet5", lenet.lenet5, DIGITS)
    yield entry("alexnet", alexnet.alexnet, (3, 227, 227), 67)
    yield entry("alexnet_small", alexnet.alexnet_small, CIFAR, 8)
    for name, configuration in zip(VGG_NAMES, vgg.CONFIGURATIONS, strict=True):
        yield entry(name, partial(vgg.vgg, configuration), IMAGENET, 32)
    yield entry("vgg_small", vgg.vgg_small, CIFAR, 16)
    yield entry("nin", nin.nin, CIFAR, 8)
    yield entry("nin_small", nin.nin_small, CIFAR, 8)
    yield entry("googlenet", googlenet.googlenet, IMAGENET, 79)
    yield entry("googlenet_small", googlenet.googlenet_small, CIFAR, 8)
    yield entry("highway", highway.highway, DIGITS)
    yield entry("highway_small", highway.highway_small, CIFAR, 8)
    for d in CIFAR_DEPTHS:
        yield entry(f"plain{d}", partial(resnet.resnet_cifar, d, False), CIFAR, 8)
    for d in CIFAR_DEPTHS:
        yield entry(f"resnet{d}", partial(resnet.resnet_cifar, d), CIFAR, 8)
    for d in (18, 34):
        yield entry(f"plain{d}", partial(resnet.resnet_basic, d, False), IMAGENET, 32)
    for d in (18, 34):
        yield entry(f"resnet{d}", partial(resnet.resnet_basic, d), IMAGENET, 32)
    for d in (50, 101, 152):
        yield entry(f"resnet{d}", partial(resnet.resnet_bottleneck, d), IMAGENET, 32)
    yield entry("resnet_small", resnet.resnet_small, CIFAR, 8)
    for d in (40, 100):
        yield entry(f"densenet{d}", partial(densenet.densenet_cifar, False, d), CIFAR, 8)
    for d in (40, 100):
        yield entry(f"densenet_bc{d}", partial(densenet.densenet_cifar, True, d), CIFAR, 8)
    for d in densenet.IMAGENET:
        yield entry(f"densenet{d}", partial(densenet.densenet_imagenet, d), IMAGENET, 32)
    yield entry("densenet_small", densenet.densenet_small, CIFAR, 8)
    yield entry("speednet", speednet.speednet, CIFAR, 9)


MODELS: dict[str, ModelEntry] = {row.name: row for row in entries()}
"""Every architecture, by name."""


def names() -> list[str]:
    """Return the names that `build` knows, oldest architecture first."""
    return list(MODELS)


def lookup(name: str) -> ModelEntry:
    """Return the row of the table with this name.

    Raises:
        ValueError: There is none; the message lists similar names.
    """
    if isinstance(name, str) and name in MODELS:
        return MODELS[name]
    close = difflib.get_close_matches(str(name), MODELS, n=5, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(MODELS)}"
    raise ValueError(f"there is no model {shown(name)}: {hint}")


def build(
    name: str,
    *,
    in_channels: int | None = None,
    num_classes: int | None = None,
    generator: torch.Generator | None = None,
    **switches: Any,
) -> nn.Module:
    """Build a model from the zoo with fresh weights.

    Args:
        name: One of `names()`.
        in_channels: Channels of the images; the paper's when left out.
        num_classes: Number of logits; the paper's when left out.
        generator: Draws the initial weights; PyTorch's global one when left out.
        **switches: The model's own options, see `MODELS[name].switches`.

    Returns:
        A model from images (N, in_channels, H, W) to logits (N, num_classes), which refuses
        images that do not fit; `input_shape(model)` is the size it is meant for.

    Raises:
        ValueError: The name or a switch is unknown, or a value makes no sense.
    """
    row = lookup(name)
    unknown = sorted(set(switches) - set(row.switches))
    if unknown:
        known = ", ".join(row.switches) or "none"
        raise ValueError(f"{name} has no switch {', '.join(unknown)}: its switches are {known}")
    in_channels = row.input_shape[0] if in_channels is None else in_channels
    num_classes = row.num_classes if num_classes is None else num_classes
    with drawing_from(generator):
        model = row.builder(in_channels=in_channels, num_classes=num_classes, **switches)
    attach_check(model, row, in_channels, switches)
    return model


@contextmanager
def drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """Seed PyTorch's global generator from another one, and restore its state at the end."""
    if generator is None:
        yield
        return
    if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
        raise ValueError(
            f"generator = {shown(generator)} is not a generator on the CPU: give torch.Generator()"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        yield


def attach_check(
    model: nn.Module, row: ModelEntry, in_channels: int, switches: dict[str, Any]
) -> None:
    """Make the model refuse images that do not fit, and remember the size it is meant for."""
    choices = {**row.switches, **switches}
    size = choices.get("image_size", row.input_shape[1])
    small = f"{row.family}_small"
    way_out = "resize them"
    if small in MODELS and row.name != small and row.min_size > 28:
        way_out += f", or build '{small}', which is made for 28 and 32 px"
    shape = (int(in_channels), int(size), int(size))  # what the builder took may be NumPy's
    check = InputCheck(row.name, shape, row.min_size, "image_size" in choices, way_out)
    model.register_forward_pre_hook(check, with_kwargs=True)


def input_shape(model: nn.Module) -> tuple[int, int, int]:
    """Return the (C, H, W) that a model of `build` is meant for.

    Raises:
        ValueError: The model was not made by `build`.
    """
    for hook in getattr(model, "_forward_pre_hooks", {}).values():
        if isinstance(hook, InputCheck):
            return hook.input_shape
    raise ValueError(f"{type(model).__name__} was not made by build(): pass the input size")
