"""Where on a page each step of a module goes: a small version of layered graph drawing.

`arrange` lays the steps out in rows, paths side by side.

Source: Sugiyama et al. 1981 (layers, and order by the mean of the neighbours); Gansner et al.
    1993 (long lines are kept straight by their weight).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from course_utils.inspection.trace import Step

__all__ = ["Arrow", "Slot", "arrange", "merge"]


def merge(steps: Sequence[Step]) -> list[Step]:
    """Put norms and activations into the step that they follow, where nothing forks between."""
    users = [sum(k in step.sources for step in steps) for k in range(len(steps))]
    merged: list[Step] = []
    number: dict[int, int] = {}
    for k, step in enumerate(steps):
        before = step.sources[0] if len(step.sources) == 1 else None
        if (
            before is not None
            and step.kind in ("norm", "activation")
            and users[before] == 1
            and steps[before].kind not in ("input", "join")
        ):
            number[k] = number[before]
            host = merged[number[k]]
            merged[number[k]] = replace(host, operations=host.operations + step.operations)
        else:
            number[k] = len(merged)
            merged.append(replace(step, sources=tuple(number[s] for s in step.sources)))
    return merged


# --- Layout ------------------------------------------------------------------------------------


@dataclass(eq=False)
class Slot:
    """A place in a row: for a step, or for a line that passes the row on its way down."""

    step: int  # its number; for a line, that of the step where it starts
    passing: bool  # whether it is such a line
    left: float  # room needed to the left of the centre
    right: float
    x: float = 0.0  # where the centre goes
    above: list["Slot"] = field(default_factory=list)  # what is joined to it in the row above
    below: list["Slot"] = field(default_factory=list)


Arrow = tuple[Slot, ...]
"""A line from one step to another: the slots it visits, both ends included."""


def arrange(
    steps: Sequence[Step], room: Callable[[int, bool], tuple[float, float]]
) -> tuple[list[list[Slot]], list[Arrow]]:
    """Lay steps out in rows, from top to bottom: each below all its inputs, paths side by side.

    `room` takes a step's number and whether its line only passes, and returns the room needed to
    the left and to the right of its centre. There is an arrow for every source of every step.
    """
    ranks = _ranks(steps)
    rows: list[list[Slot]] = [[] for _ in range(max(ranks) + 1)]
    slots: dict[tuple[int, int], Slot] = {}  # (step, row) -> where it is, or passes
    last = {k: max((ranks[u] for u, s in enumerate(steps) if k in s.sources), default=ranks[k])
            for k in range(len(steps))}  # fmt: skip
    for k in range(len(steps)):
        for row in range(ranks[k], max(last[k], ranks[k] + 1)):
            slot = slots[k, row] = Slot(k, row > ranks[k], *room(k, row > ranks[k]))
            rows[row].append(slot)
    arrows = [
        (*(slots[source, row] for row in range(ranks[source], ranks[k])), slots[k, ranks[k]])
        for k, step in enumerate(steps)
        for source in step.sources
    ]
    _join(arrows)
    _order(rows)
    _place(rows)
    return rows, arrows


def _ranks(steps: Sequence[Step]) -> list[int]:
    """Return each step's row: one below its lowest source; the outputs share the last one."""
    ranks: list[int] = []
    for step in steps:
        ranks.append(max((ranks[s] + 1 for s in step.sources), default=0))
    lowest = max(ranks)
    return [lowest if s.kind == "output" else rank for s, rank in zip(steps, ranks, strict=True)]


def _join(arrows: Sequence[Arrow]) -> None:
    for arrow in arrows:
        for upper, lower in pairwise(arrow):
            if upper not in lower.above:
                lower.above.append(upper)
                upper.below.append(lower)


def _order(rows: list[list[Slot]]) -> None:
    """Sort each row by the mean place of what is joined to it from above."""
    for upper, row in pairwise(rows):
        place = {slot: i for i, slot in enumerate(upper)}
        means = {s: sum(place[above] for above in s.above) / max(len(s.above), 1) for s in row}
        keys = {slot: (mean, slot.passing, slot.step) for slot, mean in means.items()}
        row.sort(key=keys.__getitem__)


def _place(rows: list[list[Slot]], num_sweeps: int = 60) -> None:
    """Give every slot its x: paths run straight down, forks and joins stand between them."""
    columns = _columns(rows)
    if not _spread(columns, rows):  # two columns each want to be left of the other
        columns = [[slot] for row in rows for slot in row]
        _spread(columns, rows)
    for sweep in range(num_sweeps):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _move(column, rows)
    leftmost = min(slot.x - slot.left for row in rows for slot in row)
    for row in rows:
        for slot in row:
            slot.x -= leftmost


def _columns(rows: list[list[Slot]]) -> list[list[Slot]]:
    """Return slots that share their x: a line passing several rows, or a path without forks."""
    columns: list[list[Slot]] = []
    for slot in (slot for row in rows for slot in row):
        above = [other for other in slot.above if other.passing == slot.passing]
        if len(above) == 1 and _only_successor(slot, above[0]):
            next(column for column in columns if column[-1] is above[0]).append(slot)
        else:
            columns.append([slot])
    return columns


def _only_successor(slot: Slot, above: Slot) -> bool:
    if slot.passing:
        return slot.step == above.step
    return sum(not other.passing for other in above.below) == 1


def _spread(columns: list[list[Slot]], rows: list[list[Slot]]) -> bool:
    """Put every column as far left as those to its left allow; False if that has no end."""
    for _ in range(len(columns) + 1):
        before = [column[0].x for column in columns]
        for column in columns:
            _shift_to(column, max(_limits(column, rows)[0], 0.0))
        if before == [column[0].x for column in columns]:
            return True
    return False


def _limits(column: list[Slot], rows: list[list[Slot]]) -> tuple[float, float]:
    """Return how far left and right the column may stand for its neighbours in all its rows."""
    low, high = float("-inf"), float("inf")
    for row in rows:
        for one, other in pairwise(row):
            distance = one.right + other.left
            if other in column:
                low = max(low, one.x + distance)
            if one in column:
                high = min(high, other.x - distance)
    return low, high


def _move(column: list[Slot], rows: list[list[Slot]]) -> None:
    """Move a column to the mean of what it is joined to, as far as there is room."""
    pulls = [
        (0.02 if other.passing or slot.passing else 1.0, other.x)
        for slot in column
        for other in (*slot.above, *slot.below)
        if other not in column
    ]
    if pulls:
        wish = sum(weight * x for weight, x in pulls) / sum(weight for weight, _ in pulls)
        low, high = _limits(column, rows)
        _shift_to(column, min(max(wish, low), high))


def _shift_to(column: list[Slot], x: float) -> None:
    for slot in column:
        slot.x = x
