"""Item analysis: which items were hard, which separate students, and what went wrong."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from convnet_grader.attempts import write_at_once
from convnet_grader.boundary import plain
from convnet_grader.feedback import UNANSWERED
from convnet_grader.folder import CLASSROOM
from convnet_grader.gradebook import Report, share_of

__all__ = ["ItemSummary", "analyse", "commonest", "correlation", "histogram", "write_items"]

Findings = Mapping[str, Mapping[str, str]]
"""Student -> test cell -> what its check said was wrong."""
FEWEST = 5
"""With fewer students a correlation says nothing."""
TEMPLATE = "items.html.j2"
SLIP = re.compile(r"(?:what you get|You get this) if (?P<rule>.+?)\.?$", re.DOTALL)


@dataclass(frozen=True)
class ItemSummary:
    """How one item went.

    Args:
        name: Of nbgrader's cell.
        most: How many points there are.
        num_students: Number of students with known points: a written answer counts once it has
            been read.
        mean: Mean share of the points, 0 to 1.
        full: Share of the students with all points.
        discrimination: Correlation with the points for all other items; None with too few
            students, or if all have the same.
        unanswered: How many students left it unanswered.
        findings: What went wrong and how often, the most common first.
    """

    name: str
    most: float
    num_students: int
    mean: float
    full: float
    discrimination: float | None
    unanswered: int
    findings: tuple[tuple[str, int], ...]


def analyse(reports: Sequence[Report], findings: Findings) -> list[ItemSummary]:
    """Return what a teacher wants to know of each item.

    Args:
        reports: Of the students who have been graded.
        findings: What the checks said was wrong.
    """
    names = dict.fromkeys(mark.name for report in reports for mark in report.marks)
    return [_item(name, reports, findings) for name in names]


def _item(name: str, reports: Sequence[Report], findings: Findings) -> ItemSummary:
    """Return how one item went."""
    shares, others, most = [], [], 0.0
    for report in reports:
        mark = next((mark for mark in report.marks if mark.name == name), None)
        if mark is not None and mark.share is not None:
            most = mark.most
            shares.append(mark.share)
            others.append(share_of(each for each in report.read if each is not mark) or 0.0)
    said = [plain(findings.get(report.student, {}).get(name, "")) for report in reports]
    return ItemSummary(
        name,
        most,
        len(shares),
        sum(shares) / len(shares) if shares else 0.0,
        sum(share >= 1 for share in shares) / len(shares) if shares else 0.0,
        correlation(shares, others),
        sum(UNANSWERED in text for text in said),
        tuple(commonest(text for text in said if text and UNANSWERED not in text)),
    )


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Pearson's correlation; None for few pairs, or if one side is constant."""
    if len(first) < FEWEST:
        return None
    a = [value - sum(first) / len(first) for value in first]
    b = [value - sum(second) / len(second) for value in second]
    spread = sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / spread if spread > 1e-12 else None


def commonest(sentences: Iterable[str], most: int = 3) -> list[tuple[str, int]]:
    """Return the most common wrong rules.

    A check that knows a wrong rule names it, whatever numbers a student had. Other sentences count
    as one if they differ only in their numbers; the page shows the first of them.
    """
    counts, shown = Counter[str](), dict[str, str]()
    for sentence in sentences:
        rule = SLIP.search(sentence)
        text = rule["rule"] if rule else re.sub(r"^\w+: ", "", sentence)
        key = re.sub(r"-?\d+(\.\d+)?", "#", text)
        counts[key] += 1
        shown.setdefault(key, text)
    return [(shown[key], count) for key, count in counts.most_common(most)]


def histogram(reports: Sequence[Report], num_bins: int = 10) -> list[int]:
    """Return how many students have each tenth of the points for what has been read."""
    counts = [0] * num_bins
    for share in (report.share for report in reports if report.share is not None):
        counts[min(num_bins - 1, max(0, int(share * num_bins)))] += 1
    return counts


def write_items(file: Path, exercise: str, reports: Sequence[Report], findings: Findings) -> None:
    """Write the analysis as a page that works offline."""
    from jinja2 import Environment, FileSystemLoader

    folder = FileSystemLoader(CLASSROOM / "templates")
    environment = Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    items, bins = analyse(reports, findings), histogram(reports)
    shares = [report.share for report in reports if report.share is not None]
    page = environment.get_template(TEMPLATE).render(
        exercise=exercise, reports=reports, shares=shares, items=items, bins=bins, fewest=FEWEST
    )
    write_at_once(file, page)
