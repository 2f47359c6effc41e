"""The map of CONTRIBUTING leads where it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAP = re.findall(
    r"^\| (.+?) \| `([^`]+)` \| `([^`]+)` \|$",
    (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
    re.MULTILINE,
)


def text_of(place: Path) -> str:
    """Return a file's text, or that of all files below a folder."""
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*.*") if p.is_file())
    return "\n".join(file.read_text("utf-8", errors="ignore") for file in files)


def test_the_map_has_ten_arrows():
    assert len(MAP) == 10


@pytest.mark.parametrize(("what", "place", "word"), MAP, ids=[row[1] for row in MAP])
def test_an_arrow_leads_to_its_word(what, place, word):
    assert (ROOT / place).exists(), f"{what}: there is no {place}"
    assert word.lower() in text_of(ROOT / place).lower(), f"{what}: {place} has no {word}"
