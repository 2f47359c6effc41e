"""What the figures of lessons 12 and 13 show."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from course_utils.inspection.ablation import Ablation
from course_utils.inspection.shattering import covariance
from course_utils.plots import (
    plot_ablations,
    plot_autocorrelation,
    plot_function_classes,
    plot_gates,
    plot_shattering,
)
from course_utils.plots.depth_experiments import CLASSES


def test_gradients_are_drawn_over_their_covariance():
    grid = torch.linspace(-2, 2, 8)
    series = {"a": torch.randn(3, 8), "b": torch.randn(5, 8)}
    figure = plot_shattering(series, grid)
    upper, lower, bar = figure.axes[:2], figure.axes[2:4], figure.axes[4]
    assert bar.get_ylabel() == "covariance, one\nscale for all" and bar.get_ylim() == (-1, 1)
    assert [axes.get_title() for axes in upper] == ["a", "b"]
    for axes, values in zip(upper, series.values(), strict=True):
        x, y = axes.lines[0].get_data()
        np.testing.assert_allclose(x, grid)
        np.testing.assert_allclose(y, values[0] / values[0].square().mean().sqrt(), rtol=1e-5)
    for axes, values in zip(lower, series.values(), strict=True):
        drawn = np.asarray(axes.images[0].get_array())
        np.testing.assert_allclose(drawn, covariance(values), rtol=1e-5)
        assert axes.images[0].get_extent() == [-2, 2, 2, -2]
        assert axes.images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize("series", [{}, {"short": torch.randn(2, 7)}])
def test_a_series_without_a_value_for_each_input_is_refused(series):
    with pytest.raises(ValueError, match=r"give \(R, 8\) values each"):
        plot_shattering(series, torch.linspace(0, 1, 8))


def test_noise_is_a_reference_beside_the_curves():
    curves = {f"{name}": torch.tensor([1.0, k / 4]) for k, name in enumerate(["1", "2", "3"])}
    curves["white noise"] = torch.tensor([1.0, 0.0])
    axes = plot_autocorrelation(curves, "plain").axes[0]
    assert [line.get_label() for line in axes.lines] == list(curves)
    np.testing.assert_allclose(axes.lines[2].get_ydata(), [1.0, 0.5])
    assert axes.lines[-1].get_color() == "0.35" != axes.lines[0].get_color()
    assert axes.get_title() == "plain"


@pytest.mark.parametrize("num", [0, 8])
def test_as_many_curves_as_can_be_told_apart(num):
    with pytest.raises(ValueError, match=f"{num} curves: one figure compares 1 to 7"):
        plot_autocorrelation({str(k): torch.ones(3) for k in range(num)})


def test_only_nested_classes_are_sure_to_come_closer():
    distances = {}
    for axes in plot_function_classes().axes:
        *classes, star = axes.lines
        best = np.array(star.get_xydata()[0])
        distances[axes.get_title()] = [
            float(np.linalg.norm(best - line.get_xydata()[0])) for line in classes
        ]
        assert [text.get_text() for text in axes.texts] == [*"1234", "the best function"]
    nested, other = distances["nested"], distances["not nested"]
    assert nested == sorted(nested, reverse=True)
    assert min(other) == other[1]  # the largest class is further away than the second


def test_nested_classes_contain_each_other():
    for (inner, small), (outer, large) in pairwise(CLASSES["nested"]):
        assert np.linalg.norm(np.subtract(inner, outer)) + small <= large


def test_gates_are_a_row_for_each_look():
    gates = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    axes, bar = plot_gates(gates).axes
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), gates)
    assert axes.images[0].get_clim() == (0, 0.6)
    assert axes.images[0].get_extent() == [0.5, 3.5, 1.5, -0.5]  # layers 1 to 3, epochs 0 and 1
    assert "epochs" in axes.get_ylabel() and "T" in bar.get_ylabel()


@pytest.mark.parametrize("gates", [[], [[0.1], [0.1, 0.2]]])
def test_uneven_gates_are_refused(gates):
    with pytest.raises(ValueError, match="give equal rows"):
        plot_gates(gates)


def test_each_block_has_a_bar_beside_the_whole():
    found = {"plain": Ablation(0.8, {"stages.0.1": 0.1, "stages.2.1": 0.5})}
    axes = plot_ablations(found).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [0.1, 0.5]
    assert [line.get_ydata()[0] for line in axes.lines] == [0.8, 0.1]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.1", "2.1"]
    assert axes.get_title() == "plain: whole 80%"


def test_every_one_of_many_blocks_is_named_without_touching_its_neighbours():
    scores = {f"stages.0.{k}": 0.5 for k in range(21)}
    few = {"stages.0.1": 0.5}
    figure = plot_ablations({"shallow": Ablation(0.8, few), "deep": Ablation(0.8, scores)})
    axes = figure.axes[1]
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"0.{k}" for k in range(21)]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.get_xticklabels()]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


def test_no_model_is_refused():
    with pytest.raises(ValueError, match="no model"):
        plot_ablations({})
