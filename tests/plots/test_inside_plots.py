from itertools import pairwise

import numpy as np
import pytest
import torch

from course_utils import models
from course_utils.plots import plot_inside

LAYERS = ["features.0", "features.2", "features.3", "features.5", "classifier.1", "classifier.5"]


@pytest.fixture(scope="module")
def lenet():
    return models.build("lenet5", generator=torch.Generator().manual_seed(0))


def sheets(figure):
    return [np.ma.getdata(axes.images[0].get_array()) for axes in figure.axes]


def titles(figure):
    return [text.get_text().split("\n") for text in figure.texts]


def test_every_stage_stands_in_its_place(lenet):
    figure = plot_inside(lenet, torch.rand(1, 28, 28), LAYERS)
    assert titles(figure) == [
        ["image", "1×28×28"], ["filters, 3×", "6×1×5×5"], ["Conv", "6×28×28"],
        ["MaxPool", "6×14×14"], ["the first 6 filters, 3×", "16×6×5×5"], ["Conv", "16×10×10"],
        ["MaxPool", "16×5×5"], ["Linear", "120"], ["Linear", "10"],
    ]  # fmt: skip
    lefts = [axes.get_position().x0 for axes in figure.axes]
    assert lefts == sorted(lefts) and lefts[0] >= 0 and figure.axes[-1].get_position().x1 <= 1


def test_every_pixel_is_of_one_size(lenet):
    figure = plot_inside(lenet, torch.rand(1, 28, 28), LAYERS)
    width, height = figure.get_size_inches()
    for axes, sheet in zip(figure.axes, sheets(figure), strict=True):
        box = axes.get_position()
        assert box.y0 >= 0 and box.y1 <= 1
        assert box.width * width / sheet.shape[1] == pytest.approx(box.height * height / len(sheet))
        first = figure.axes[0].get_position().width * width / 28
        assert box.width * width / sheet.shape[1] == pytest.approx(first)


def test_filters_and_maps_are_the_models_own(lenet):
    image = torch.rand(1, 28, 28)
    drawn = sheets(plot_inside(lenet, image, LAYERS[:1]))
    kernel = lenet.features[0].weight.detach()[1, 0]
    np.testing.assert_allclose(drawn[1][18:33], np.kron(kernel, np.ones((3, 3))))
    assert np.isnan(drawn[1][15:18]).all()  # between two kernels
    maps = lenet.features[0](image[None]).detach()[0]
    np.testing.assert_allclose(drawn[2][:28, :28], maps[0])
    np.testing.assert_allclose(drawn[2][:28, 29:57], maps[1])
    np.testing.assert_allclose(drawn[2][29:57, :28], maps[2])


def test_what_has_a_sign_is_drawn_around_zero(lenet):
    figure = plot_inside(lenet, torch.rand(1, 28, 28), LAYERS[:2])
    _, _, signed, pooled = (axes.images[0] for axes in figure.axes)
    low, high = signed.get_clim()
    assert signed.get_cmap().name == "PuOr" and low == -high < 0
    assert pooled.get_cmap().name == "gray" and pooled.get_clim()[0] == 0


def test_of_many_channels_the_first_are_drawn():
    wide = torch.nn.Sequential(torch.nn.Conv2d(8, 40, 3))
    figure = plot_inside(wide, torch.rand(8, 12, 12), ["0"])
    drawn = sheets(figure)
    assert titles(figure)[1] == ["the first 6 filters, 5×", "40×8×3×3"]
    assert drawn[1].shape == (6 * 20 - 5, 6 * 20 - 5)
    assert drawn[2].shape[0] * drawn[2].shape[1] <= 11 * 16 * 2 * 11


def test_titles_do_not_meet_and_large_kernels_stay_as_they_are(lenet):
    figure = plot_inside(lenet, torch.rand(1, 28, 28), LAYERS)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    large = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 11))
    figure = plot_inside(large, torch.rand(3, 20, 20), ["0"])
    assert titles(figure)[1][0] == "filters, 1×"
    np.testing.assert_allclose(sheets(figure)[1][:11, :11], large[0].weight.detach()[0, 0])


def test_a_layer_without_maps_is_refused():
    words = torch.nn.Sequential(torch.nn.Flatten(2))
    with pytest.raises(ValueError, match=r"layer '0' gives \(3, 16\)"):
        plot_inside(words, torch.rand(3, 4, 4), ["0"])
