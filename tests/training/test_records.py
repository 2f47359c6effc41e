"""Recorded runs: what is read back, and that no record is behind its experiment."""

import json
import math

import pytest

from course_utils.runtime import profile
from course_utils.training import History, TrainConfig, records
from course_utils.training.experiments import RECORDS, experiments, read_row
from course_utils.training.history import EpochRecord

LAPTOP = profile(name="laptop")


def history(*losses):
    epochs = [EpochRecord(i, loss, 0.5, loss, 0.5, 0.1, 1.0) for i, loss in enumerate(losses, 1)]
    return History(TrainConfig(epochs=len(losses)), epochs)


def content(**changes):
    runs = [
        {
            "seed": seed,
            "test_accuracy": accuracy,
            "cpu_seconds": seconds,
            "history": json.loads(history(loss, loss / 2).to_json()),
        }
        for seed, accuracy, seconds, loss in [(0, 0.80, 10, 2.0), (1, 0.84, 20, 4.0)]
    ]
    row = {"title": "A net"}
    stored = {"schema": 1, "experiment": row, "num_parameters": 7, "machine": {}, "runs": runs}
    return stored | changes


def test_mean_and_deviation_are_those_of_the_runs():
    runs = records.from_dict(content())
    assert (runs.title, runs.num_seeds, runs.num_parameters) == ("A net", 2, 7)
    assert runs.mean("train_loss") == [3.0, 1.5]
    assert runs.deviation("train_loss") == pytest.approx([math.sqrt(2), math.sqrt(2) / 2])
    assert runs.final("train_loss") == pytest.approx((1.5, math.sqrt(2) / 2))
    assert runs.test_accuracy == pytest.approx((0.82, 0.02 * math.sqrt(2)))
    assert runs.seconds == 15
    assert str(runs.test_accuracy) == "82.0% ± 2.8%"


def test_one_run_alone_has_no_deviation():
    assert records.spread([0.5]) == (0.5, 0.0)


@pytest.mark.parametrize("changes", [{"schema": 0}, {"runs": []}])
def test_an_empty_or_foreign_record_is_refused(changes):
    with pytest.raises(ValueError, match="make records"):
        records.from_dict(content(**changes))


def test_an_unknown_record_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"no record 'nothing': choose from .*lenet5"):
        records.load("nothing")


def test_a_row_with_an_unknown_field_names_itself():
    with pytest.raises(ValueError, match=r"\[odd\]: .*colour"):
        read_row("odd", {"model": "mlp", "title": "x", "colour": 1}, LAPTOP)


def test_a_row_takes_from_the_profile_what_it_does_not_say():
    row = read_row("a", {"model": "mlp", "title": "x", "lr": 0.3, "seeds": [5]}, LAPTOP)
    assert (row.lr, row.epochs, row.seeds) == (0.3, LAPTOP.epochs, (5,))


@pytest.mark.parametrize("name", list(experiments()))
def test_the_record_is_of_the_experiment_as_it_stands(name):
    file = RECORDS.joinpath(f"{name}.json")
    assert file.is_file(), f"run `make records`: {name} has not been trained"
    stored = json.loads(file.read_text("utf-8"))
    assert experiments()[name].is_that_of(stored)
    assert [run["seed"] for run in stored["runs"]] == list(experiments()[name].seeds)
    assert all(len(run["history"]["epochs"]) == experiments()[name].epochs
               for run in stored["runs"])  # fmt: skip


def test_no_record_is_left_of_an_experiment_that_is_gone():
    assert set(records.names()) <= set(experiments())


def test_every_record_is_read():
    """Also those that name settings which are gone."""
    for name in records.names():
        runs = records.load(name)
        assert len(runs.histories) == runs.num_seeds == len(runs.test_accuracies) > 0


def test_the_table_has_a_row_for_each_record():
    table = records.table("mlp", "lenet5")
    assert [row["parameters"] for row in table] == [235146, 61706]
    assert all("(3 seeds)" in str(row["test accuracy"]) for row in table)


def test_a_run_is_prepared_from_its_seed():
    row = read_row("a", {"model": "lenet5", "title": "x", "limit": 100}, LAPTOP)
    first, again, other = (row.prepare(seed) for seed in (0, 0, 1))
    weights = [next(run.model.parameters()) for run in (first, again, other)]
    assert weights[0].equal(weights[1]) and not weights[0].equal(weights[2])
    labels = [next(iter(run.loaders.train))[1] for run in (first, again, other)]
    assert labels[0].equal(labels[1]) and not labels[0].equal(labels[2])
    assert other.config.seed == 1 and first.config.lr == LAPTOP.lr
