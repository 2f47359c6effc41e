import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from course_utils.plots import (
    plot_channels,
    plot_images,
    plot_pixels,
    plot_prediction,
    plot_tasks,
    show,
)
from course_utils.plots.display import DPI, draw, to_html, to_webp
from course_utils.plots.images import mask_box, to_hwc

draw_figure = Figure.draw


def drawn(axes):
    """Return what an axes shows, as an array."""
    return np.asarray(axes.images[0].get_array())


def test_the_axes_of_a_colour_picture_move_to_the_end():
    image = torch.arange(3 * 4 * 5, dtype=torch.uint8).reshape(3, 4, 5)
    shown = to_hwc(image)
    assert shown.shape == (4, 5, 3)
    assert all(
        shown[r, c, k] == image[k, r, c] for k in range(3) for r in range(4) for c in range(5)
    )


def test_one_channel_is_drawn_in_black_and_white_and_not_stretched():
    image = torch.full((1, 4, 4), 0.25)
    axes = plot_images([image]).axes[0]
    np.testing.assert_allclose(axes.images[0].to_rgba(drawn(axes))[..., :3], 64 / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5), (1, 3, 4, 5)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"is not an image: expected \(1 or 3, H, W\)"):
        to_hwc(torch.zeros(shape))


def test_a_normalised_picture_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"from -1\.00 to 2\.00: undo the normalisation first"):
        to_hwc(torch.tensor([[[-1.0, 2.0]]]))


def test_plot_images_puts_each_picture_in_its_place():
    images = torch.randint(256, (5, 3, 8, 8), dtype=torch.uint8)
    figure = plot_images(images, list("abcde"), num_columns=3)
    assert [axes.get_title() for axes in figure.axes] == [*"abcde", ""]
    for axes, image in zip(figure.axes, images, strict=False):
        np.testing.assert_array_equal(drawn(axes), to_hwc(image))
    assert not figure.axes[5].images


def test_plot_images_wants_one_title_each():
    with pytest.raises(ValueError, match="2 images and 1 titles"):
        plot_images(torch.zeros(2, 1, 4, 4), ["one"])
    with pytest.raises(ValueError, match="0 images"):
        plot_images([])


def test_plot_channels_shows_each_channel_once():
    image = torch.rand(3, 6, 7)
    figure = plot_channels(image)
    for index in range(3):
        shown = drawn(figure.axes[index + 1])
        np.testing.assert_allclose(shown[..., index], image[index])
        assert np.delete(shown, index, axis=2).max() == 0
    with pytest.raises(ValueError, match="1 channels"):
        plot_channels(image[:1])


@pytest.mark.parametrize(
    "values, texts",
    [
        (torch.tensor([[0, 255], [7, 30]]), {"0", "255", "7", "30"}),
        (torch.tensor([[0.5, -1.25]]), {"0.50", "−1.25"}),
    ],
)
def test_plot_pixels_writes_every_number(values, texts):
    assert {text.get_text() for text in plot_pixels(values).axes[0].texts} == texts


def test_plot_pixels_refuses_what_could_not_be_read():
    with pytest.raises(ValueError, match="at most 18 cells a side"):
        plot_pixels(torch.zeros(19, 3))


def test_no_figure_stays_behind_in_pyplot():
    before = dict(plt.rcParams), plt.get_fignums()
    plot_images(torch.rand(2, 3, 4, 4))
    plot_pixels(torch.eye(3))
    assert (dict(plt.rcParams), plt.get_fignums()) == before


def test_a_shown_figure_carries_its_alt_text():
    html = to_html(plot_pixels(torch.eye(2)), 'a "unit" matrix <2 x 2>')
    assert '<img alt="a &quot;unit&quot; matrix &lt;2 x 2&gt;"' in html
    assert 'src="data:image/webp;base64,UklGR' in html


def test_the_same_figure_gives_the_same_bytes():
    first, second = (to_html(plot_pixels(torch.eye(3)), "eye") for _ in range(2))
    assert first == second


def test_the_pixels_are_those_that_matplotlib_saves_but_drawn_once(monkeypatch):
    file = io.BytesIO()
    plot_pixels(torch.eye(3)).savefig(file, format="png", dpi=DPI)
    calls = []
    monkeypatch.setattr(Figure, "draw", lambda *args: calls.append(draw_figure(*args)))
    stored = Image.open(io.BytesIO(to_webp(draw(plot_pixels(torch.eye(3))), lossless=True)))
    assert len(calls) == 1
    saved = Image.open(file).convert("RGBA")
    assert np.array_equal(np.asarray(stored.convert("RGBA")), np.asarray(saved))


def test_a_figure_without_alt_text_is_refused():
    with pytest.raises(ValueError, match="alt is empty"):
        show(plot_pixels(torch.eye(2)), "  ")


def test_plot_prediction_sorts_the_classes_by_probability():
    figure = plot_prediction(torch.rand(1, 4, 4), torch.tensor([0.2, 0.7, 0.1]), ["a", "b", "c"])
    bars = figure.axes[1]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["c", "a", "b"]
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], [0.1, 0.2, 0.7])
    with pytest.raises(ValueError, match="2 classes, but"):
        plot_prediction(torch.rand(1, 4, 4), torch.ones(3) / 3, ["a", "b"])


def test_the_box_of_a_mask_touches_its_outermost_pixels():
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[2, 3] = mask[4, 6] = True
    assert mask_box(mask) == (3, 2, 4, 3)
    with pytest.raises(ValueError, match="the mask is empty"):
        mask_box(torch.zeros(2, 2, dtype=torch.bool))


def test_plot_tasks_gives_each_object_its_box_and_its_class():
    masks = {
        "ball": torch.zeros(8, 8, dtype=torch.bool),
        "box": torch.zeros(8, 8, dtype=torch.bool),
    }
    masks["ball"][1:3, 1:3] = True
    masks["box"][5:8, 4:6] = True
    panels = plot_tasks(torch.rand(3, 8, 8), masks).axes
    assert [len(axes.patches) for axes in panels] == [0, 1, 2, 0]
    assert [text.get_text() for text in panels[2].texts] == ["ball", "box"]
    classes = np.asarray(panels[3].images[-1].get_array())
    assert set(np.unique(classes)) == {0, 1, 2} and (classes[5:8, 4:6] == 2).all()


def test_a_figure_of_photos_is_stored_small():
    noise = torch.randint(256, (3, 300, 300), dtype=torch.uint8)
    assert len(to_html(plot_images([noise], size=4), "noise")) < 600_000
