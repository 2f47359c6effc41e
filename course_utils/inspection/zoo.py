"""The course's architectures side by side, without building them in memory."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from course_utils import models
from course_utils.inspection.summary import Summary, summary
from course_utils.models.registry import lookup
from course_utils.tables import Table

__all__ = ["Counts", "count", "kept_counts", "model_table", "summarise"]


def summarise(
    name: str,
    input_size: tuple[int, int, int] | None = None,
    *,
    num_classes: int | None = None,
    depth: int | None = None,
    training: bool = False,
    **switches: Any,
) -> Summary:
    """Summarise an architecture by its name.

    Args:
        name: One of `models.names()`.
        input_size: (C, H, W) of an image; None for the size the architecture is made for.
        num_classes: Number of logits; None for the architecture's own.
        depth: How deep to look, as in `summary`.
        training: Run as in training, as in `summary`.
        **switches: The architecture's switches, as in `models.build`.

    Returns:
        The rows and their totals.

    Raises:
        ValueError: An unknown name or switch, or a size that the architecture cannot take.

    >>> summarise("vgg16").parameters
    138357544
    """
    entry = lookup(name)
    size = entry.input_shape if input_size is None else input_size
    if "image_size" in entry.switches:
        switches.setdefault("image_size", size[1])
    with torch.device("meta"):
        model = models.build(name, in_channels=size[0], num_classes=num_classes, **switches)
    return summary(model, size, depth=depth, training=training)


class Counts(NamedTuple):
    """What an architecture holds and computes, at the size and with the switches it is made for.

    Attributes:
        parameters: Learned values.
        multiply_adds: For one image.
    """

    parameters: int
    multiply_adds: int


def count(name: str) -> Counts:
    """Count an architecture's parameters and multiply-adds.

    Args:
        name: One of `models.names()`.

    Raises:
        ValueError: An unknown name.
    """
    found = summarise(name, depth=0)
    return Counts(found.parameters, found.multiply_adds)


def kept_counts() -> dict[str, Counts]:
    """Return the counts that come with the course: to count all anew takes many seconds.

    `tools/count_models.py` writes them, and a test holds them against `count`.
    """
    text = Path(__file__).with_name("counts.json").read_text("utf-8")
    return {name: Counts(*numbers) for name, numbers in json.loads(text).items()}


def model_table(names: Iterable[str] | None = None) -> Table:
    """Set architectures side by side: input, classes, parameters, multiply-adds, source.

    Args:
        names: Some of `models.names()`; None for all.

    Returns:
        One row per architecture, each at the size and with the switches it is made for.

    Raises:
        ValueError: An unknown name.

    >>> [row["parameters"] for row in model_table(["lenet5", "resnet20"])]
    [61706, 269722]
    """
    columns = ("model", "input", "classes", "parameters", "multiply-adds", "source")
    kept = kept_counts()
    rows = []
    for name in models.names() if names is None else names:
        entry = lookup(name)
        size = " x ".join(map(str, entry.input_shape))
        rows.append((name, size, entry.num_classes, *(kept.get(name) or count(name)), entry.source))
    return Table(columns, tuple(rows), "Architectures of the course; multiply-adds per picture")
