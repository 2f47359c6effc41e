"""The tool that trains recorded runs: it keeps each run, and goes on where it was stopped."""

import base64
import json

import msgspec
import numpy as np
import pytest
import torch
from scripts import load_script

from course_utils.models import pretrained
from course_utils.training.experiments import Experiment

ROW = Experiment("tiny", "Tiny", "mlp", "shapes", 1, 20, 0.05, limit=40, seeds=(0, 3))


@pytest.fixture
def tool(tmp_path, monkeypatch):
    module = load_script("tools/record.py")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / "unfinished")
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
    assert ROW.is_that_of(stored(tool))
    assert stored(tool)["machine"]["threads"] >= 1 and stored(tool)["num_parameters"] > 0


def test_the_same_seed_gives_the_same_run(tool):
    losses = []
    for _ in range(2):
        tool.record(ROW, 0)
        losses.append(stored(tool)["runs"][0]["history"]["epochs"][0]["train_loss"])
        (tool.FOLDER / "tiny.json").unlink()
    assert losses[0] == losses[1]


@pytest.mark.parametrize(("name", "value"), [("lr", 1.0), ("warmup", 3)], ids=["other", "gone"])
def test_a_record_of_other_settings_counts_for_nothing(tool, name, value):
    tool.record(ROW, 0)
    content = stored(tool)
    content["experiment"][name] = value
    tool.write(tool.FOLDER / "tiny.json", content)
    assert tool.missing_seeds(ROW) == [0, 3]


def test_a_seed_can_be_added_and_the_others_stay(tool):
    tool.record(ROW, 0)
    more = msgspec.structs.replace(ROW, seeds=(0, 1))
    assert more.is_that_of(stored(tool)) and tool.missing_seeds(more) == [1]
    tool.record(more, 1)
    assert stored(tool)["experiment"]["seeds"] == [0, 1]
    assert [run["seed"] for run in stored(tool)["runs"]] == [0, 1]


def test_which_test_images_are_right_is_kept(tool):
    """What a paired comparison needs; the share of them is the accuracy."""
    tool.record(ROW, 0)
    run = stored(tool)["runs"][0]
    num_images = len(torch.cat([labels for _, labels in ROW.prepare(0).loaders.test]))
    bits = np.unpackbits(np.frombuffer(base64.b64decode(run["test_right"]), np.uint8))
    assert len(bits) - 8 < num_images <= len(bits)
    assert bits[:num_images].mean() == pytest.approx(run["test_accuracy"])
    assert not bits[num_images:].any()


def test_the_first_seed_s_weights_are_kept(tool, monkeypatch):
    row = msgspec.structs.replace(ROW, keep_weights=True)
    for seed in (3, 0):
        tool.record(row, seed)
    monkeypatch.setitem(pretrained.__globals__, "RECORDS", tool.FOLDER)
    model = pretrained("tiny")
    right = tool.right_answers(model, row.prepare(0).loaders.test).float().mean().item()
    assert right == pytest.approx(stored(tool)["runs"][0]["test_accuracy"], abs=0.02)
    assert stored(tool)["weights"]["switches"]["in_channels"] == 3


TUNED = msgspec.structs.replace(ROW, rates=(0.001, 0.05, 1e30), tuning_epochs=1, seeds=(0,))


def test_the_rate_is_the_one_that_validates_best(tool, capsys):
    """A rate that diverges is kept as such; another start may choose among more rates."""
    assert tool.record(TUNED, 0)
    tried = stored(tool)["tuning"]
    assert [trial["lr"] for trial in tried] == [0.001, 0.05, 1e30]
    assert tried[2]["val_accuracy"] is None and "infinite or NaN" in capsys.readouterr().out
    best = max(tried[:2], key=lambda trial: trial["val_accuracy"])
    run = stored(tool)["runs"][0]
    assert run["lr"] == best["lr"] == run["history"]["config"]["lr"]


def test_a_rate_can_be_added_and_the_runs_stay_if_the_best_one_does(tool, capsys):
    tool.record(TUNED, 0)
    before = stored(tool)
    wider = msgspec.structs.replace(TUNED, rates=(*TUNED.rates, 2e30))
    assert tool.missing_seeds(wider) == [0]
    capsys.readouterr()
    assert tool.record(wider, 0) and "lr 2e+30" in capsys.readouterr().out
    assert [trial["lr"] for trial in stored(tool)["tuning"]] == [0.001, 0.05, 1e30, 2e30]
    assert stored(tool)["runs"] == before["runs"] and tool.missing_seeds(wider) == []


def test_a_row_that_names_no_rates_any_more_wants_its_own(tool):
    tool.record(TUNED, 0)
    other = msgspec.structs.replace(TUNED, rates=(), lr=0.02)
    assert tool.missing_seeds(other) == [0]
    assert tool.missing_seeds(msgspec.structs.replace(TUNED, rates=(), lr=TUNED.lr)) == [0]


def test_runs_at_a_rate_that_is_no_longer_the_best_are_made_again(tool):
    tool.record(TUNED, 0)
    worse = stored(tool)["runs"][0]["lr"]
    other = msgspec.structs.replace(TUNED, rates=tuple(r for r in TUNED.rates if r != worse))
    assert tool.missing_seeds(other) == [0]
    assert tool.record(other, 0) and stored(tool)["runs"][0]["lr"] in set(other.rates) - {1e30}


def test_rates_are_not_tried_twice_and_without_one_that_works_nothing_is_recorded(tool, capsys):
    wild = msgspec.structs.replace(TUNED, rates=(1e30, 2e30))
    assert not tool.record(wild, 0)
    assert capsys.readouterr().out.count("infinite or NaN") == 2
    assert not tool.record(wild, 0) and not capsys.readouterr().out
    assert not list(tool.UNFINISHED.iterdir())
    assert tool.missing_seeds(wild) == [0]


def test_a_run_that_was_stopped_goes_on_and_its_seconds_add_up(tool, monkeypatch):
    row = msgspec.structs.replace(ROW, epochs=3)
    tool.record(row, 0)
    whole = stored(tool)["runs"][0]
    (tool.FOLDER / "tiny.json").unlink()

    class Killed(Exception):
        pass

    class Stops(tool.Clock):
        def __call__(self, history):
            super().__call__(history)
            self.file.write_text("1000")
            if len(history) == 2:
                raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(tool, "Clock", Stops)
        tool.record(row, 0)
    tool.record(row, 0)
    again = stored(tool)["runs"][0]
    assert 1000 <= again["cpu_seconds"] < 1010
    for name in ("test_accuracy", "test_right"):
        assert again[name] == whole[name]


def test_an_unknown_name_is_answered(tool, monkeypatch):
    monkeypatch.setattr("sys.argv", ["record.py", "tiny"])
    with pytest.raises(SystemExit, match=r"experiments\.toml has no tiny"):
        tool.main()


def test_a_run_that_diverges_is_said_and_not_recorded(tool, capsys):
    wild = msgspec.structs.replace(ROW, lr=1e30)
    assert not tool.record(wild, 0)
    assert "infinite or NaN" in capsys.readouterr().out
    assert tool.missing_seeds(wild) == [0, 3]
