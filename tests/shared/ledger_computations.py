"""How a figure of the ledger is computed again: what `compute` in facts.toml may say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from course_utils.facts import Fact, ledger

NEEDS = {
    "parameters": ("model",),
    "multiply_adds": ("model", "input"),
    "expression": ("expression",),
    "cross_correlation": ("input", "filter"),
}
"""Each kind of computation, and the fields without which it means nothing."""


@dataclass(frozen=True)
class Computation:
    """A row `compute` of the ledger.

    Args:
        kind: `parameters` or `multiply_adds` of a model, a Python `expression` in the functions
            of `course_utils.arithmetic`, or a `cross_correlation` worked by hand.
        model: Name in the zoo, for the first two.
        switches: The model's switches, by name.
        in_channels: Channels of the images.
        num_classes: Number of logits.
        input: (C, H, W) of one image, for multiply-adds; or the rows to be correlated.
        expression: What to evaluate.
        filter: Rows of the filter to correlate with.
        s: Stride of the filter.
        p: Padding on each side.
    """

    kind: str
    model: str = ""
    switches: Mapping[str, Any] = field(default_factory=dict)
    in_channels: int = 3
    num_classes: int = 1000
    input: tuple[Any, ...] = ()
    expression: str = ""
    filter: tuple[Any, ...] = ()
    s: int = 1
    p: int = 0

    def __post_init__(self) -> None:
        assert self.kind in NEEDS, f"{self.kind} is no kind of computation"
        missing = [name for name in NEEDS[self.kind] if not getattr(self, name)]
        assert not missing, f"a computation of {self.kind} needs {missing}"


def computation(fact: Fact) -> Computation:
    """Return how the figure of a fact is computed; an unknown field is a TypeError."""
    lists = {name: _frozen(value) for name, value in fact.compute.items()}
    return Computation(**lists)


def computed(kind: str) -> list:
    """Return the facts that are computed in one way, each a case named by its key."""
    facts = (fact for fact in ledger().facts.values() if fact.compute)
    return [pytest.param(f, id=f.key) for f in facts if computation(f).kind == kind]


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
