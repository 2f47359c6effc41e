import re

import numpy as np
import pytest

from course_utils.plots import plot_by_depth


def test_each_net_is_a_line_over_the_number_of_the_layer():
    nets = {"plain": {"a": 1.0, "b": 0.1, "c": 0.01}, "residual": [2.0, 3.0]}
    [axes] = plot_by_depth(nets, "gradient norm").axes
    plain, residual = axes.lines
    np.testing.assert_array_equal(plain.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(plain.get_ydata(), [1.0, 0.1, 0.01])
    np.testing.assert_array_equal(residual.get_ydata(), [2.0, 3.0])
    assert axes.get_yscale() == "log" and axes.get_ylabel() == "gradient norm (log scale)"
    assert axes.get_xlim()[0] >= 0.5  # no room for a tick where there is no layer
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["plain", "residual"]
    assert plain.get_color() != residual.get_color()
    assert plain.get_marker() != residual.get_marker()


def test_layers_may_count_from_zero():
    [line] = plot_by_depth({"net": [1.0, 2.0]}, "y", first=0).axes[0].lines
    assert list(line.get_xdata()) == [0, 1]


def test_what_a_scale_has_no_place_for_is_a_gap():
    values = {"net": [0.0, 1.0, -1.0, float("inf")]}
    [line] = plot_by_depth(values, "y").axes[0].lines
    assert np.isnan(line.get_ydata()).tolist() == [True, False, True, True]


def test_none_too_many_or_an_empty_line_is_refused():
    with pytest.raises(ValueError, match="0 nets"):
        plot_by_depth({}, "y")
    with pytest.raises(ValueError, match="8 nets"):
        plot_by_depth({str(i): [1.0] for i in range(8)}, "y")
    with pytest.raises(ValueError, match="'plain' has no values"):
        plot_by_depth({"plain": {}}, "y")


@pytest.mark.parametrize(
    ("heights", "wanted"),
    [
        ([0.8, 2.6], ["1", "1.5", "2"]),
        ([0.23, 0.66], ["0.3", "0.4", "0.5"]),
        ([0.5, 40.0], ["0.5", "1", "2", "5", "10", "20"]),
        ([1e-3, 5.0], ["-3", "-2", "-1", "0"]),
    ],
)
def test_a_small_range_has_plain_numbers_and_a_large_one_powers_of_ten(heights, wanted):
    [axes] = plot_by_depth({"net": heights}, "y").axes
    low, high = axes.get_ylim()
    places = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    drawn = [label.get_text() for y, label in places if low <= y <= high]
    powers = [power for label in drawn for power in re.findall(r"\^\{(-?\d+)\}", label)]
    assert (powers or drawn) == wanted
