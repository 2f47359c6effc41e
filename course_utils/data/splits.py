"""Choosing images so that every class keeps its share."""

import torch
from torch import Tensor

from course_utils.arguments import share

__all__ = ["balanced_first", "hold_out", "rank_in_class"]

# The split into training and validation set is a property of the course, not of a run:
# it never changes with the seed of an experiment.
SPLIT_SEED = 20_481


def rank_in_class(labels: Tensor) -> Tensor:
    """Count the images of each class in their order: 0 for its first, 1 for its second, ...

    Args:
        labels: (N,), int64.

    Returns:
        (N,), int64.
    """
    by_class = labels.argsort(stable=True)
    counts = torch.bincount(labels)
    first = counts.cumsum(0) - counts  # where each class starts in the sorted order
    ranks = torch.empty_like(labels)
    ranks[by_class] = torch.arange(len(labels)) - first[labels[by_class]]
    return ranks


def balanced_first(labels: Tensor, num: int) -> Tensor:
    """Return the first images with the classes in turn: the first of each, the second of each, ...

    Args:
        labels: (N,), int64.
        num: How many images; at most N are taken.

    Returns:
        Their positions, ascending.
    """
    turns = rank_in_class(labels).argsort(stable=True)
    return turns[:num].sort().values


def hold_out(labels: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Split images into those to train on and those held out, by the same fraction of each class.

    The choice is random but always the same: it depends on the labels alone.

    Args:
        labels: (N,), int64.
        fraction: Share of each class to hold out, in [0, 1); a class of two images or more
            gives at least one and keeps at least one, unless the fraction is 0.

    Returns:
        Positions to train on and positions held out, both ascending.

    Raises:
        ValueError: The fraction is out of range.
    """
    fraction = share("fraction", fraction)
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    ranks = torch.empty_like(labels)
    ranks[shuffled] = rank_in_class(labels[shuffled])
    counts = torch.bincount(labels)
    held = (counts * fraction).round().long().clamp(min=1 if fraction else 0)
    held = held.minimum(counts - 1)  # never a whole class
    chosen = ranks < held[labels]
    return (~chosen).nonzero().squeeze(1), chosen.nonzero().squeeze(1)
