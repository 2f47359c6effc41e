"""Recorded runs: what is read back, and that no record is behind its experiment."""

import base64
import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import data
from course_utils.runtime import profile
from course_utils.training import History, TrainConfig, records
from course_utils.training.experiments import RECORDS, experiments, read_row
from course_utils.training.history import EpochRecord

LAPTOP = profile(name="laptop")
LESSONS = Path(__file__).parents[2] / "sources/lessons"


def history(*losses):
    epochs = [EpochRecord(i, loss, 0.5, loss, 0.5, 0.1, 1.0) for i, loss in enumerate(losses, 1)]
    return History(TrainConfig(epochs=len(losses)), epochs)


def content(**changes):
    runs = [
        {
            "seed": seed,
            "test_accuracy": accuracy,
            "test_right": base64.b64encode(bytes(2)).decode(),
            "cpu_seconds": seconds,
            "history": json.loads(history(loss, loss / 2).to_json()),
        }
        for seed, accuracy, seconds, loss in [(0, 0.80, 10, 2.0), (1, 0.84, 20, 4.0)]
    ]
    about = {"experiment": {"title": "A net"}, "num_parameters": 7, "machine": {}}
    return {"schema": 1, **about, "num_test": 13, "runs": runs} | changes


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


@pytest.mark.parametrize("changes", [{"schema": 0}, {"runs": []}, {"num_test": None}])
def test_an_empty_or_foreign_record_is_refused(changes):
    with pytest.raises(ValueError, match="make records"):
        records.from_dict(content(**changes))


def test_the_rates_that_were_tried_are_told_in_words():
    trials = {0.05: 0.8126, 0.1: 0.85, 0.2: None}
    assert dataclasses.replace(records.load("lenet5"), trials=trials).tried == (
        "0.05: 81.3%, 0.1: 85.0%, 0.2: diverged"
    )


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
    rates = {run["history"]["config"]["lr"] for run in stored["runs"]}
    assert experiments()[name].rates or rates == {experiments()[name].lr}


@pytest.mark.parametrize("name", [name for name, row in experiments().items() if row.rates])
def test_the_best_rate_stands_inside_its_grid(name):
    """At its end, an arm could do better still, and a comparison would be of untuned nets."""
    stored = json.loads(RECORDS.joinpath(f"{name}.json").read_text("utf-8"))
    trials = {t["lr"]: t["val_accuracy"] for t in stored["tuning"] if t["val_accuracy"]}
    best = max(trials, key=trials.get)
    ties = [lr for lr, accuracy in trials.items() if accuracy == trials[best]]
    assert sorted(t["lr"] for t in stored["tuning"]) == sorted(experiments()[name].rates)
    assert min(trials) < min(ties) and max(ties) < max(experiments()[name].rates)
    assert {run["lr"] for run in stored["runs"]} == {best}


def test_every_run_is_tested_on_the_whole_test_set_and_can_be_compared():
    """A limit is for training: few test images make wide intervals."""
    rows = experiments()
    whole = {"imagefolder:data/cifar10-jpeg": 10_000}  # a folder that only a maintainer has
    for name in {row.data for row in rows.values()} - set(whole):
        whole[name] = data.load(name, batch_size=64).test.num_images
    for name, row in rows.items():
        assert records.load(name).right.shape == (len(row.seeds), whole[row.data]), name


def test_no_record_is_left_of_an_experiment_that_is_gone():
    assert set(records.names()) <= set(experiments())


def test_every_record_is_shown_in_a_lesson():
    """By its name, or by one with a placeholder, such as f"vgg_depth_{letter}"."""
    cells = [c for f in LESSONS.glob("*.py") for c in f.read_text("utf-8").split("# %%")]
    text = "".join(c for c in cells if "records." in c or "models.pretrained(" in c)
    formed = re.findall(r'f"(\w+_\{[^"{}]*\}\w*)"', text)
    shapes = [re.sub(r"\{.*\}", r"\\w+", name) for name in formed]
    literal = set(re.findall(r'"(\w+)"', text))
    lost = set(records.names()) - literal
    assert [n for n in lost if not any(re.fullmatch(shape, n) for shape in shapes)] == []


def test_every_record_is_read():
    """Also those that name settings which are gone."""
    for name in records.names():
        runs = records.load(name)
        assert len(runs.histories) == runs.num_seeds == len(runs.test_accuracies) > 0


def test_the_table_has_a_row_for_each_record():
    table = records.table("mlp", "lenet5")
    assert [row["parameters"] for row in table] == [235146, 61706]
    assert all("(5 seeds)" in str(row["test accuracy"]) for row in table)


# --- Comparisons -------------------------------------------------------------------------------


def runs_of(right):
    """A record of which only the right answers (seeds, images) are known."""
    packed = [base64.b64encode(np.packbits(row.numpy()).tobytes()).decode() for row in right]
    runs = [content()["runs"][0] | {"test_right": bits} for bits in packed]
    return records.from_dict(content(runs=runs, num_test=right.shape[1]))


def answers(*accuracies, num_images=2003, seed=0, common=None):
    """Right answers of runs of these accuracies, each image drawn on its own."""
    generator = torch.Generator().manual_seed(seed)
    dice = (
        torch.rand(len(accuracies), num_images, generator=generator) if common is None else common
    )
    return dice < torch.tensor(accuracies)[:, None]


def test_right_answers_are_read_as_they_were_kept():
    right = answers(0.3, 0.6, num_images=13)
    assert runs_of(right).right.equal(right)


def test_an_interval_is_that_of_the_formula_where_there_is_one():
    """Two nets with one run each whose errors have nothing to do with each other."""
    one, other = answers(0.8, seed=1), answers(0.6, seed=2)
    found = records.compare(runs_of(one), runs_of(other))
    p, q = one.float().mean().item(), other.float().mean().item()
    error = math.sqrt((p * (1 - p) + q * (1 - q)) / 2003)
    assert found.mean == pytest.approx(p - q, abs=1e-6)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.06)
    assert found.is_clear and str(found).startswith(f"{100 * (p - q):+.1f} points (")


def test_images_that_are_hard_for_both_do_not_widen_it():
    """Paired as McNemar's test pairs them: only images on which the two differ count."""
    common = torch.rand(1, 2003, generator=torch.Generator().manual_seed(3))
    one, other = (answers(p, common=common) for p in (0.80, 0.78))
    found = records.compare(runs_of(one), runs_of(other))
    differing = (one != other).sum().item()
    assert found.is_clear
    assert (found.high - found.low) / 2 == pytest.approx(
        1.96 * math.sqrt(differing) / 2003, rel=0.1
    )


def test_seeds_that_differ_widen_it():
    """Many images do not make up for few runs: nothing is clear of nets that scatter so."""
    narrow = records.compare(runs_of(answers(*[0.75] * 5)), runs_of(answers(*[0.72] * 5, seed=1)))
    one, other = answers(0.6, 0.7, 0.75, 0.8, 0.9), answers(0.57, 0.67, 0.72, 0.77, 0.87, seed=1)
    wide = records.compare(runs_of(one), runs_of(other))
    assert narrow.is_clear and not wide.is_clear
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_a_net_is_no_better_than_itself_and_each_call_says_the_same():
    runs = runs_of(answers(0.7, 0.7, 0.7))
    assert records.compare(runs, runs).mean == 0 and not records.compare(runs, runs).is_clear
    assert records.compare(runs, runs) == records.compare(runs, runs)
    one, other = runs_of(answers(0.8)), runs_of(answers(0.6, seed=1))
    assert records.compare(one, other).mean == -records.compare(other, one).mean


def test_a_table_says_how_far_each_row_is_ahead_of_the_first(monkeypatch):
    kept = {"one": runs_of(answers(0.6, 0.6)), "other": runs_of(answers(0.8, 0.8, seed=1))}
    monkeypatch.setattr(records, "load", kept.get)
    table = records.table("one", "other")
    first, second = (row["ahead of the first row by"] for row in table)
    assert first == "" and second == str(records.compare(kept["other"], kept["one"]))
    assert "2,003 test images" in table.caption
    assert [row["test accuracy"][6:] for row in table] == ["(2 seeds)"] * 2


def test_records_of_different_test_sets_are_not_compared():
    runs = runs_of(answers(0.7))
    with pytest.raises(ValueError, match=r"different test sets \(2003 and 1000 images\)"):
        records.compare(runs, runs_of(answers(0.7, num_images=1000)))


def test_a_run_is_prepared_from_its_seed():
    row = read_row("a", {"model": "lenet5", "title": "x", "limit": 100}, LAPTOP)
    first, again, other = (row.prepare(seed) for seed in (0, 0, 1))
    weights = [next(run.model.parameters()) for run in (first, again, other)]
    assert weights[0].equal(weights[1]) and not weights[0].equal(weights[2])
    labels = [next(iter(run.loaders.train))[1] for run in (first, again, other)]
    assert labels[0].equal(labels[1]) and not labels[0].equal(labels[2])
    assert other.config.seed == 1 and first.config.lr == LAPTOP.lr


def test_a_limit_cuts_training_only():
    row = read_row("a", {"model": "lenet5", "title": "x", "limit": 100}, LAPTOP)
    limited, whole = row.prepare(0).loaders, data.load(row.data, batch_size=row.batch_size)
    assert limited.train.num_images == 100
    assert torch.equal(limited.val.images, whole.val.images)
    assert torch.equal(limited.test.images, whole.test.images)
