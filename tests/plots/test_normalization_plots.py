import itertools

import matplotlib.colors as colors
import pytest
import torch
from torch import nn

from course_utils.models.normalization import norm_layer
from course_utils.plots import plot_norms
from course_utils.plots.normalization import NORMS, shares
from course_utils.plots.style import BLUE, ORANGE


def coloured(axes, colour):
    """How many squares of a panel have a colour, and how many squares there are."""
    faces = [tuple(face) for face in axes.collections[0].get_facecolor()]
    return faces.count(colors.to_rgba(colour)), len(faces)


def test_the_visible_squares_of_one_set_are_coloured():
    panels = plot_norms().axes
    found = [coloured(axes, BLUE)[0] for axes in panels[:4]]
    # Front and top, and for layer norm the right-hand side as well.
    assert found == [5 + 4, 6 * 5 + 6 + 5, 3 * 5 + 3, 5 + 1]
    assert all(coloured(axes, BLUE)[1] == 6 * 5 + 6 * 4 + 4 * 5 for axes in panels[:4])
    assert [coloured(axes, ORANGE) for axes in panels[4:]] == [(5, 30), (5, 30)]
    assert [axes.get_title().strip() for axes in panels[:4]] == [f"{norm} norm" for norm in NORMS]


@pytest.mark.parametrize("norm", NORMS)
def test_the_coloured_set_is_what_the_layer_averages_over(norm):
    """Changing a number changes the first number's result exactly where they share a mean."""
    layer = norm_layer(norm, 16).double()
    assert isinstance(layer, nn.Module)
    x = torch.randn(3, 16, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = layer(x)[0, 0, 0, 0]
    for image, channel in itertools.product(range(3), range(16)):
        changed = x.clone()
        changed[image, channel, 1, 1] += 5.0
        moved = not torch.equal(layer(changed)[0, 0, 0, 0], before)
        assert moved == shares(norm, image, channel, group_size=8), (image, channel)
