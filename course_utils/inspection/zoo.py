"""The course's architectures side by side, without building them in memory."""

import json
from pathlib import Path
from typing import Any

import torch

from course_utils import models
from course_utils.inspection.summary import Summary, summary
from course_utils.inspection.trace import times
from course_utils.models.registry import lookup
from course_utils.tables import Table

__all__ = ["count", "kept_counts", "model_table", "summarise"]


def summarise(
    name: str,
    input_size: tuple[int, int, int] | None = None,
    *,
    num_classes: int | None = None,
    depth: int | None = None,
    **switches: Any,
) -> Summary:
    """Summarise an architecture by its name.

    Args:
        name: One of `models.names()`.
        input_size: (C, H, W) of an image; None for the size the architecture is made for.
        num_classes: Number of logits; None for the architecture's own.
        depth: How deep to look, as in `summary`.
        **switches: The architecture's switches, as in `models.build`.

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
    return summary(model, size, depth=depth)


Counts = tuple[int, int]  # parameters, and multiply-adds for one image


def count(name: str) -> Counts:
    """Count one of `models.names()`, at its own input size and with its default switches."""
    found = summarise(name, depth=0)
    return found.parameters, found.multiply_adds


def kept_counts() -> dict[str, Counts]:
    """Return the counts that come with the course: counting them all takes many seconds.

    `tools/count_models.py` writes them, and a test compares them with `count`.
    """
    text = Path(__file__).with_name("counts.json").read_text("utf-8")
    return {name: (held, computed) for name, (held, computed) in json.loads(text).items()}


def model_table() -> Table:
    """List all architectures with input, classes, parameters, multiply-adds and source.

    Each has its own input size and its default switches.

    >>> next(row["parameters"] for row in model_table() if row["model"] == "lenet5")
    61706
    """
    columns = ("model", "input", "classes", "parameters", "multiply-adds", "source")
    rows = []
    for name, counts in kept_counts().items():
        entry = lookup(name)
        rows.append((name, times(entry.input_shape), entry.num_classes, *counts, entry.source))
    return Table(columns, tuple(rows), "Architectures of the course; multiply-adds per image")
