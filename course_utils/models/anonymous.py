"""Trained nets without names, for an exercise that asks what each of them has learned.

    nets = models.anonymous(["honest", "background"], generator)
    logits = nets[0](images)

All have the same layers and learned from 1,000 centred `shapes`; `HISTORIES` says how they differ.
`tools/train_anonymous.py` trained them, and `made_with` says on what machine.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load
from torch import Generator, Tensor, nn

from course_utils.arguments import one_of

__all__ = ["HISTORIES", "anonymous", "dealt", "made_with", "net_of", "small_net"]

HISTORIES = {
    "honest": "each image shifted at random whenever it was shown, its background at random",
    "background": "likewise, but each class had a kind of background of its own",
    "unaugmented": "like the honest one, but the images were never shifted",
    "shuffled": "not shifted either, and the labels shuffled among the images before training",
}
COPIES = 2
"""Nets of each history."""

WEIGHTS = Path(__file__).with_name("anonymous.safetensors")


def small_net() -> nn.Sequential:
    """Build the layers that all of them have, with initial weights."""
    layers: list[nn.Module] = []
    for c_in, c_out in ((3, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 4 * 4, 10))


def normalised(images: Tensor) -> Tensor:
    """Return images (N, 3, 32, 32), in [0, 255], as the nets were shown them."""
    return images.float() / 127.5 - 1


def dealt(histories: Sequence[str], generator: Generator) -> list[str]:
    """Return which nets `anonymous` returns, such as "honest.1", for the same generator.

    Args:
        histories: Keys of `HISTORIES`.
        generator: Draws their order, and which of the nets of each history.
    """
    for history in histories:
        one_of("histories", history, tuple(HISTORIES))
    order = torch.randperm(len(histories), generator=generator).tolist()
    copies = torch.randint(COPIES, (len(histories),), generator=generator).tolist()
    return [f"{histories[i]}.{copy}" for i, copy in zip(order, copies, strict=True)]


def anonymous(histories: Sequence[str], generator: Generator) -> list[Callable[[Tensor], Tensor]]:
    """Return a trained net of each history, in random order.

    Args:
        histories: Keys of `HISTORIES`.
        generator: Draws the order, as in `dealt`.

    Returns:
        Functions from images (N, 3, 32, 32), in [0, 255] as `data.make_shapes` draws them, to
        logits (N, 10).
    """
    state = load(WEIGHTS.read_bytes())
    return [net_of(state, name) for name in dealt(histories, generator)]


def net_of(state: dict[str, Tensor], name: str) -> Callable[[Tensor], Tensor]:
    """Return the net of a name, such as "honest.1", from the weights of all."""
    layers, prefix = small_net().float(), f"{name}."
    own = {k.removeprefix(prefix): v.float() for k, v in state.items() if k.startswith(prefix)}
    layers.load_state_dict(own)
    layers.requires_grad_(False)

    def net(images: Tensor) -> Tensor:
        return layers(normalised(images))

    return net


def made_with() -> dict[str, Any]:
    """Return how the nets were trained: command, settings, accuracies, processor, versions."""
    with safe_open(WEIGHTS, "pt") as file:
        return dict(json.loads(file.metadata()["made_with"]))
