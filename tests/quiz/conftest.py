"""Every test has a folder of its own for what was answered."""

from pathlib import Path
from types import ModuleType

import pytest
from scripts import load_script


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which answers are kept."""
    folder = tmp_path / "state"
    monkeypatch.setenv("COURSE_STATE", str(folder))
    return folder


@pytest.fixture(scope="session")
def review() -> ModuleType:
    """tools/review_quiz.py, which looks for what is wrong with a bank that reads well."""
    return load_script("tools/review_quiz.py")
