import copy
import json
from pathlib import Path

import pytest
from scripts import load_script

from course_utils.widgets.background_results import made_with, recorded

TOOL = Path(__file__).parents[2] / "tools" / "record_backgrounds.py"


@pytest.fixture
def tool():
    return load_script(TOOL)


def test_the_record_was_made_with_todays_settings(tool):
    assert made_with() == json.loads(json.dumps(tool.SETTINGS))
    known = [result["correlation"] for result in recorded()["results"]]
    assert known == list(tool.CORRELATIONS)


@pytest.mark.parametrize(("error", "code"), [(0.0, 0), (0.09, 0), (0.2, 1)])
def test_check_allows_rounding_and_no_more(tool, monkeypatch, capsys, error, code):
    state = copy.deepcopy(recorded())
    state["results"][2]["models"][1]["accuracy"][0] -= error
    monkeypatch.setattr(tool, "train_and_measure", lambda correlation: correlation)
    monkeypatch.setattr(tool, "describe", str)
    monkeypatch.setattr(tool, "as_state", lambda results: state)
    before = tool.RECORD.read_bytes()
    assert tool.main(["--check"]) == code
    assert f"differ by up to {error:.3f}, allowed 0.1" in capsys.readouterr().out
    assert tool.RECORD.read_bytes() == before


def test_writing_the_same_results_gives_the_same_bytes(tool, monkeypatch, tmp_path):
    monkeypatch.setattr(tool, "train_and_measure", lambda correlation: correlation)
    monkeypatch.setattr(tool, "describe", str)
    monkeypatch.setattr(tool, "as_state", lambda results: recorded())
    shipped = tool.RECORD.read_bytes()
    monkeypatch.setattr(tool, "RECORD", tmp_path / "record.npz")
    assert tool.main([]) == 0
    assert (tmp_path / "record.npz").read_bytes() == shipped
