"""What torchvision calls a weight, and what we call the same weight.

For holding our models against torchvision's: `model.load_state_dict(from_torchvision(weights,
model))`. The switches must fit torchvision's variant: `vgg16(norm="none" or "batch")`,
`googlenet(variant="torchvision")`, `resnet18(shortcut="B")`, `resnet50(stride_on="3x3")`,
`densenet121()`. With `alexnet(one_tower=True)` the net is torchvision's own.
"""

import re
from collections.abc import Callable

import torch
from torch import nn

from course_utils.models.densenet import DenseNet
from course_utils.models.googlenet import GoogLeNet
from course_utils.models.resnet import ResNet
from course_utils.models.vgg import VGG

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A regular expression, and what replaces each of its matches."""

RESNET: list[Rule] = [
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^layer(\d)\.", lambda m: f"stages.{int(m[1]) - 1}."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.downsample\.", ".shortcut."),
    (r"^fc\.", "classifier."),
]

DENSENET: list[Rule] = [
    (r"^features\.conv0\.", "stem.0."),
    (r"^features\.norm0\.", "stem.1."),
    (r"^features\.norm5\.", "norm."),
    (r"^features\.denseblock(\d)\.", lambda m: f"blocks.{2 * int(m[1]) - 2}."),
    (r"^features\.transition(\d)\.", lambda m: f"blocks.{2 * int(m[1]) - 1}."),
    (r"\.norm\.", ".0."),
    (r"\.conv\.", ".2."),
    (r"\.denselayer(\d+)\.", lambda m: f".layers.{int(m[1]) - 1}."),
    (r"\.norm1\.", ".wide.0."),
    (r"\.conv1\.", ".wide.2."),
    (r"\.norm2\.", ".narrow.1."),
    (r"\.conv2\.", ".narrow.3."),
]

GOOGLENET: list[Rule] = [
    (r"^conv1\.", "stem.0."),
    (r"^conv2\.", "stem.3."),
    (r"^conv3\.", "stem.4."),
    (r"^inception(\w\w)\.branch", r"inception.\1.path"),
    (r"^(aux\d)\.conv\.", r"\1.layers.2."),
    (r"\.fc1\.", ".layers.4."),
    (r"\.fc2\.", ".layers.7."),
    (r"^fc\.", "classifier."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
]


def vgg_rules(model: VGG) -> list[Rule]:
    """Return the rules for a VGG: torchvision numbers the layers through, we count in blocks."""
    places = [
        f"blocks.{b}.{i}."
        for b, block in enumerate(model.blocks)
        for i, _ in enumerate(block.children())
    ]
    return [
        (r"^features\.(\d+)\.", lambda m: places[int(m[1])]),
        (r"^classifier\.(\d)\.", lambda m: f"classifier.{int(m[1]) + 1}."),
    ]


def rules_for(model: nn.Module) -> list[Rule]:
    """Return the rules that turn torchvision's names into those of `model`.

    Raises:
        ValueError: If torchvision has no such model.
    """
    if isinstance(model, VGG):
        return vgg_rules(model)
    fixed = {ResNet: RESNET, DenseNet: DENSENET, GoogLeNet: GOOGLENET}
    if type(model) not in fixed:
        raise ValueError(f"torchvision has no counterpart of {type(model).__name__}")
    return fixed[type(model)]


def from_torchvision(weights: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Rename the state dict of a torchvision model to fit `model`.

    Args:
        weights: `state_dict()` of torchvision's model.
        model: Our counterpart, with the switches of torchvision's variant.

    Returns:
        The same tensors, for `model.load_state_dict`.

    Raises:
        ValueError: If torchvision has no such model.
    """
    renamed = {}
    rules = rules_for(model)
    for key, tensor in weights.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        renamed[key] = tensor
    return renamed
