import json
import math

import pytest

from course_utils.training import EpochRecord, History, TrainConfig


def example():
    record = EpochRecord(1, 0.1 + 0.2, 0.5, math.pi, 0.25, 0.1, 1.5, 0.5)
    return History(TrainConfig(epochs=2, clip_norm=0.5), [record], environment={"device": "cpu"})


def test_round_trip_is_exact(tmp_path):
    history = example()
    assert History.from_json(history.to_json()) == history
    history.save(tmp_path / "new" / "run.json")
    assert History.load(tmp_path / "new" / "run.json") == history


def test_interrupted_is_kept():
    history = example()
    history.interrupted = True
    assert History.from_json(history.to_json()).interrupted


def test_what_is_not_finite_stays_so_in_strict_json():
    history = example()
    history.epochs.append(EpochRecord(2, 0.1, 0.5, math.inf, 0.1, 0.1, 1.0))
    text = history.to_json()
    assert "NaN" not in text and "Infinity" not in text
    assert math.isnan(History.from_json(text).epochs[1].val_loss)


def test_columns_and_time():
    assert example().column("val_accuracy") == [0.25]
    assert example().seconds == 2.0
    with pytest.raises(ValueError, match="no column 'accuracy': use one of epoch, train_loss"):
        example().column("accuracy")


def without(key):
    content = json.loads(example().to_json())
    del content[key]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is not JSON"),
        ("[1, 2]", "not a training history: it has no schema"),
        ('{"schema": 2}', "this history has schema 2, but this version reads 1: update"),
        (without("epochs"), "incomplete or not one of ours: 'epochs'"),
        (without("config"), "incomplete or not one of ours: 'config'"),
        ('{"schema": 1, "config": {"epochs": 0}}', "epochs = 0"),
        (
            example().to_json().replace('"lr": 0.1,', '"rate": 0.1,'),
            "incomplete or not one of ours: .*rate",
        ),
    ],
)
def test_what_is_no_history_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        History.from_json(text)


def test_the_file_is_named(tmp_path):
    (tmp_path / "run.json").write_text("no")
    with pytest.raises(ValueError, match=r"run\.json: this is not JSON"):
        History.load(tmp_path / "run.json")
