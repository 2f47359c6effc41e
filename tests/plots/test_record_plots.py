"""The figure of recorded runs draws what the records hold."""

from dataclasses import replace

import pytest

from course_utils.plots import plot_records
from course_utils.training import records


def test_a_line_a_band_and_a_label_for_each_experiment():
    runs = {name: records.load(name) for name in ("mlp", "lenet5")}
    axes = plot_records(runs, "train_loss", "training loss").axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [
        runs[name].mean("train_loss") for name in runs
    ]
    assert len(axes.collections) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mlp", "lenet5"]
    assert axes.get_ylabel() == "training loss" and "5 seeds" in axes.get_xlabel()


def test_seeds_that_part_ways_are_drawn_one_by_one():
    runs = {"E": records.load("vgg_depth_e")}
    axes = plot_records(runs, "train_loss", each=True).axes[0]
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert drawn[:-1] == [history.column("train_loss") for history in runs["E"].histories]
    assert drawn[-1] == runs["E"].mean("train_loss") and not axes.collections
    assert "each seed" in axes.get_xlabel()


def test_experiments_of_one_condition_share_a_dash():
    names = ["norm_batch", "norm_layer", "norm_weight", "norm_none", "norm_group", "norm_instance"]
    runs = {name: records.load(name) for name in names}
    conditions = dict(zip(names, "aabcde", strict=True))
    axes = plot_records(runs, "train_loss", conditions=conditions).axes[0]
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "--", ":", "-.", "-"]
    assert [line.get_linestyle() for line in axes.get_legend().get_lines()][:3] == ["-", "-", "--"]
    assert axes.get_legend().get_title().get_text().startswith("solid: a\ndashed: b\n")
    assert len({line.get_color() for line in axes.lines}) == len(names)
    assert {line.get_linestyle() for line in plot_records(runs).axes[0].lines} == {"-"}


def test_a_single_run_is_no_mean():
    recorded = records.load("settled_plain20")
    runs = {"plain-20": replace(recorded, histories=recorded.histories[:1])}
    assert plot_records(runs, "train_loss").axes[0].get_xlabel() == "epoch"


def test_no_experiment_is_refused():
    with pytest.raises(ValueError, match="0 experiments"):
        plot_records({})
