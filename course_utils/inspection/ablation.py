"""Remove one block from a trained model, and see what it can still do."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.inspection.capture import find_layer, hooked, in_mode
from course_utils.models.resnet import BasicBlock, Bottleneck

__all__ = ["Ablation", "Score", "ablate", "blocks", "removable", "without"]

Score = Callable[[nn.Module], float]


@dataclass(frozen=True)
class Ablation:
    """What a model scores without each of its blocks.

    Attributes:
        whole: Score of the untouched model.
        scores: Name of the removed block -> score without it, from the first block to the last.
    """

    whole: float
    scores: dict[str, float]

    @property
    def mean_drop(self) -> float:
        """How much one block is worth, on average."""
        return self.whole - sum(self.scores.values()) / len(self.scores)

    @property
    def worst(self) -> str:
        """The block whose loss hurts most."""
        return min(self.scores, key=lambda name: self.scores[name])


def blocks(model: nn.Module) -> list[str]:
    """List the dotted names of a ResNet's blocks, or of its plain twin's, in order."""
    kinds = (BasicBlock, Bottleneck)
    return [name for name, module in model.named_modules() if isinstance(module, kinds)]


@torch.no_grad()
def removable(model: nn.Module, names: Iterable[str], picture: Tensor) -> list[str]:
    """Keep those parts of a model whose output has the shape of their input.

    A residual block can always be removed: what remains is its shortcut, which changes the shape
    as the block did.

    Args:
        model: The model, which is run once in evaluation mode.
        names: Dotted names.
        picture: (1, C, H, W).
    """
    parts = {name: model.get_submodule(name) for name in names}
    fits: set[nn.Module] = set()

    def note(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs[0].shape == output.shape or _is_residual(part):
            fits.add(part)

    with hooked(parts.values(), note), in_mode(model, training=False):
        model(picture)
    return [name for name, part in parts.items() if part in fits]


@contextmanager
def without(model: nn.Module, name: str) -> Iterator[nn.Module]:
    """Remove one part of a model for as long as the with block lasts.

    A residual block leaves its shortcut and the ReLU behind, as if F(x) were 0. Anything else is
    replaced by the identity. At the end the same part is back in its place.

    Args:
        model: Any model built of named parts.
        name: Dotted name of the part.

    Yields:
        The model without it.

    Raises:
        ValueError: There is no such part, or it is the model itself.

    Source: Veit et al. 2016, section 4.1.
    """
    if not name:
        raise ValueError("the model itself cannot be removed: blocks(model) lists what can")
    part = find_layer(model, name)
    parent_name, _, attribute = name.rpartition(".")
    parent = model.get_submodule(parent_name)
    bypass: nn.Module = nn.Identity()
    if _is_residual(part):
        bypass = nn.Sequential(part.get_submodule("shortcut"), nn.ReLU()).train(part.training)
    setattr(parent, attribute, bypass)
    try:
        yield model
    finally:
        setattr(parent, attribute, part)


def ablate(model: nn.Module, score: Score, names: Iterable[str]) -> Ablation:
    """Score a model as it is, and without each of some parts.

    Args:
        model: The trained model, which is left as it was.
        score: What to measure, such as `lambda model: evaluate(model, loaders.test).accuracy`.
        names: Dotted names of the parts, see `removable`.

    Raises:
        ValueError: There are no parts, or one is unknown.

    Source: Veit et al. 2016, section 4.1 and figure 3.
    """
    names = list(names)
    if not names:
        raise ValueError("there is nothing to remove: give at least one name of blocks(model)")
    whole = score(model)
    scores = {}
    for name in names:
        with without(model, name):
            scores[name] = score(model)
    return Ablation(whole, scores)


def _is_residual(part: nn.Module) -> bool:
    return isinstance(part, BasicBlock | Bottleneck) and part.shortcut is not None
