"""The feature-reuse figure: what it draws of maps that are known."""

import numpy as np
import pytest
import torch

from course_utils import models
from course_utils.inspection import ReuseMap, feature_reuse
from course_utils.plots import plot_feature_reuse


def known_map() -> ReuseMap:
    weights = torch.tensor([[4.0, 1.0, 6.0], [torch.nan, 2.0, 3.0], [torch.nan, torch.nan, 1.5]])
    return ReuseMap(weights, ("input", "1", "2"), ("1", "2", "transition"))


def panels(figure):
    return [axes for axes in figure.axes if axes.get_title()]


def test_each_column_is_relative_to_its_largest_weight() -> None:
    [axes] = panels(plot_feature_reuse([known_map()]))
    drawn = axes.images[0].get_array()
    wanted = [[1.0, 0.5, 1.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.25]]
    np.testing.assert_allclose(drawn.filled(0.0), wanted)
    assert drawn.mask.tolist() == [[False] * 3, [True, False, False], [True, True, False]]
    assert axes.images[0].get_clim() == (0, 1)


def test_rows_columns_and_blocks_are_named() -> None:
    figure = plot_feature_reuse([known_map(), known_map()])
    assert [axes.get_title() for axes in panels(figure)] == ["block 1", "block 2"]
    for axes in panels(figure):
        assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "transition"]
        assert [text.get_text() for text in axes.get_yticklabels()] == ["input", "1", "2"]


def test_the_frame_stands_around_the_last_column() -> None:
    [axes] = panels(plot_feature_reuse([known_map()]))
    [frame] = axes.patches
    assert (frame.get_x(), frame.get_y()) == (1.5, -0.5)
    assert (frame.get_width(), frame.get_height()) == (1, 3)


def test_a_deep_block_names_some_layers_and_always_the_last_reader() -> None:
    net = models.build("densenet40", in_channels=1, num_classes=10)  # 12 layers a block
    deep = models.build("densenet_bc100", in_channels=1, num_classes=10)  # 16 layers a block
    for model, most in ((net, 13), (deep, 10)):
        last = panels(plot_feature_reuse(feature_reuse(model)))[-1]
        names = [text.get_text() for text in last.get_xticklabels()]
        assert names[0] == "1" and names[-1] == "classifier"
        assert len(names) <= most


def test_no_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="give what feature_reuse"):
        plot_feature_reuse([])
