"""Every test has a folder of its own for what was answered."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which answers are kept."""
    folder = tmp_path / "state"
    monkeypatch.setenv("COURSE_STATE", str(folder))
    return folder
