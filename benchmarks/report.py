"""`results.md`: what was measured, on which machine; each script rewrites its own section."""

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_utils.provenance import git, processor
from course_utils.startup import find_processors
from course_utils.tables import Table, show

RESULTS = Path(__file__).with_name("results.md")


def write_section(file: Path, name: str, body: str) -> None:
    """Put a section between its markers; leave everything outside them alone.

    A file without the markers gets them at its end.

    Args:
        file: A Markdown file; it is made if it is missing.
        name: The section's name, as in its markers.
        body: The section, without markers.

    Raises:
        ValueError: The file has one of the markers without the other, or one twice.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{body.strip()}\n{end}"
    text = file.read_text("utf-8") if file.exists() else ""
    counts = text.count(begin), text.count(end)
    if counts == (0, 0):
        text = f"{text.rstrip()}\n\n{section}\n".lstrip()
    elif counts == (1, 1) and text.index(begin) < text.index(end):
        before, rest = text.split(begin)
        text = before + section + rest.split(end)[1]
    else:
        raise ValueError(f"{file} needs {begin} and {end} once each, in this order: repair that")
    file.write_text(text, "utf-8")


def markdown(table: Table) -> str:
    """Return a table in Markdown: words on the left, numbers on the right."""
    numeric = [all(isinstance(row[i], int | float) for row in table.rows) for i in _places(table)]
    rule = ["---:" if right else "---" for right in numeric]
    rows = [table.columns, rule, *([show(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _places(table: Table) -> range:
    return range(len(table.columns))


def circumstances(packages: tuple[str, ...], environment: dict[str, str]) -> str:
    """Return when, on which machine, with which versions and from which commit it was measured.

    Args:
        packages: Whose versions matter; those that are not installed are left out.
        environment: Variables that were set for the measurement.
    """
    settings = " ".join(f"{name}={value}" for name, value in environment.items())
    lines = {
        "machine": machine(),
        "versions": ", ".join([f"Python {platform.python_version()}", *_versions(packages)]),
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "environment": settings or "nothing set",
    }
    return "\n".join(f"- {name}: {value}" for name, value in lines.items())


def machine() -> str:
    """Return the processor, the number of usable cores, and whether it has AMX."""
    model, has_amx = processor()
    processors = find_processors()
    cores = f"{processors.logical} processors on {processors.physical} cores"
    return f"{model}, {cores}, AMX {'yes' if has_amx else 'no'}"


def _versions(packages: tuple[str, ...]) -> list[str]:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the commit that is checked out, and whether the package differs from it."""
    here = Path(__file__).parent
    sha = git("rev-parse", "--short=12", "HEAD", folder=here)
    changed = git("status", "--porcelain", "--", "../course_utils", ".", folder=here)
    changed = "\n".join(line for line in changed.splitlines() if RESULTS.name not in line)
    return (sha or "unknown") + (", with changes since" if changed else "")
