"""The tool that trains recorded runs: it keeps each run, and goes on where it was stopped."""

import json

import msgspec
import pytest
from scripts import load_script

from course_utils.training.experiments import Experiment

ROW = Experiment("tiny", "Tiny", "mlp", "shapes", 1, 20, 0.05, limit=40, seeds=(0, 3))


@pytest.fixture
def tool(tmp_path, monkeypatch):
    module = load_script("tools/record.py")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


def stored(tool):
    return json.loads((tool.FOLDER / "tiny.json").read_text("utf-8"))


def test_runs_are_kept_one_by_one_and_only_the_missing_are_trained(tool):
    assert tool.missing_seeds(ROW) == [0, 3]
    tool.record(ROW, 3)
    assert tool.missing_seeds(ROW) == [0]
    tool.record(ROW, 0)
    assert tool.missing_seeds(ROW) == []
    assert [run["seed"] for run in stored(tool)["runs"]] == [0, 3]
    assert stored(tool)["experiment"] == ROW.to_dict()
    assert stored(tool)["machine"]["threads"] >= 1 and stored(tool)["num_parameters"] > 0


def test_the_same_seed_gives_the_same_run(tool):
    losses = []
    for _ in range(2):
        tool.record(ROW, 0)
        losses.append(stored(tool)["runs"][0]["history"]["epochs"][0]["train_loss"])
        (tool.FOLDER / "tiny.json").unlink()
    assert losses[0] == losses[1]


def test_a_record_of_other_settings_counts_for_nothing(tool):
    tool.record(ROW, 0)
    content = stored(tool)
    content["experiment"]["lr"] = 1.0
    tool.write(tool.FOLDER / "tiny.json", content)
    assert tool.missing_seeds(ROW) == [0, 3]


def test_an_unknown_name_is_answered(tool, monkeypatch):
    monkeypatch.setattr("sys.argv", ["record.py", "tiny"])
    with pytest.raises(SystemExit, match=r"experiments\.toml has no tiny"):
        tool.main()


def test_a_run_that_diverges_is_said_and_not_recorded(tool, capsys):
    wild = msgspec.structs.replace(ROW, lr=1e30)
    assert not tool.record(wild, 0)
    assert "infinite or NaN" in capsys.readouterr().out
    assert tool.missing_seeds(wild) == [0, 3]
