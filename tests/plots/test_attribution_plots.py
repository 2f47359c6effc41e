import matplotlib
import numpy as np
import pytest
import torch

from course_utils.plots import plot_attribution, plot_overlays
from course_utils.plots.attribution import overlay
from course_utils.plots.style import INTENSITY, SIGNED

PICTURE = torch.rand(3, 8, 8)
MASK = torch.zeros(8, 8, dtype=torch.bool)
MASK[2:5, 3:6] = True


def panels_of(figure):
    """Return the panels of a figure without its colour bars."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def maps(seed):
    values = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed))
    return {"occlusion": values, "saliency": values.abs().repeat(2, 2)}


def test_every_model_gets_a_column_of_its_maps():
    figure = plot_attribution(PICTURE, {"MLP": maps(0), "convnet": maps(1)}, MASK, "a star")
    picture, *panels = panels_of(figure)
    np.testing.assert_allclose(picture.images[0].get_array(), PICTURE.permute(1, 2, 0))
    assert picture.get_title() == "a star"
    assert [axes.get_title() for axes in panels] == ["MLP", "convnet", "", ""]
    assert [axes.get_ylabel() for axes in panels] == ["occlusion", "", "saliency", ""]
    expected = [maps(seed)[kind] for kind in ("occlusion", "saliency") for seed in (0, 1)]
    for axes, values in zip(panels, expected, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), values)


def test_every_row_of_maps_can_have_a_picture_of_its_own():
    pictures = torch.stack([PICTURE, 1 - PICTURE])
    figure = plot_attribution(pictures, {"MLP": maps(0)}, MASK, "a star")
    shown = [a for a in panels_of(figure) if a.images[0].get_array().shape == (8, 8, 3)]
    assert [axes.get_title() for axes in shown] == ["a star", ""]
    for axes, picture in zip(shown, pictures, strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), picture.permute(1, 2, 0))


def test_a_map_is_stretched_over_the_picture_under_the_outline():
    panels = panels_of(plot_attribution(PICTURE, {"MLP": maps(0)}, MASK))[1:]
    for axes in panels:
        assert axes.images[0].get_extent() == [-0.5, 7.5, 7.5, -0.5]
        [outline] = [path for path in axes.collections[0].get_paths() if len(path.vertices)]
        left, top = outline.vertices.min(axis=0)
        right, bottom = outline.vertices.max(axis=0)
        assert (left, top, right, bottom) == (2.5, 1.5, 5.5, 4.5)
    assert not plot_attribution(PICTURE, {"MLP": maps(0)}).axes[1].collections


def test_signed_maps_are_centred_on_zero_and_others_start_there():
    signed, positive = (
        axes.images[0] for axes in panels_of(plot_attribution(PICTURE, {"m": maps(3)}))[1:]
    )
    top = float(maps(3)["saliency"].max())
    assert signed.get_cmap().name == SIGNED and signed.get_clim() == pytest.approx((-top, top))
    assert positive.get_cmap().name == INTENSITY and positive.get_clim() == pytest.approx((0, top))


def test_maps_of_one_name_share_their_colours():
    models = {"a": {"occlusion": torch.ones(4, 4)}, "b": {"occlusion": -torch.ones(4, 4)}}
    first, second = panels_of(plot_attribution(PICTURE, models))[1:]
    assert first.images[0].get_cmap().name == second.images[0].get_cmap().name == SIGNED
    assert first.images[0].get_clim() == (-1, 1)


def test_beside_each_row_stands_that_every_map_has_its_own_scale():
    figure = plot_attribution(PICTURE, {"MLP": maps(0), "convnet": maps(1)})
    figure.draw_without_rendering()
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    own = "each map's own scale"
    signed = f"+ for, − against the class;\n{own}"
    assert [bar.get_ylabel() for bar in bars] == [signed, own]
    ticks = [[text.get_text() for text in bar.get_yticklabels()] for bar in bars]
    assert ticks == [["−max", "0", "max"], ["0", "max"]]
    assert [bar.get_ylim() for bar in bars] == [(-1, 1), (0, 1)]


def test_a_map_that_is_zero_everywhere_can_be_drawn():
    panel = plot_attribution(PICTURE, {"m": {"occlusion": torch.zeros(4, 4)}}).axes[1]
    assert panel.images[0].get_clim() == (0, 1)


def test_models_with_different_maps_are_refused():
    with pytest.raises(ValueError, match="give at least one model, and the same maps for each"):
        plot_attribution(PICTURE, {"a": maps(0), "b": {"occlusion": torch.ones(4, 4)}})
    with pytest.raises(ValueError, match="at least one model"):
        plot_attribution(PICTURE, {})


def test_overlays_stand_under_their_pictures():
    pictures = torch.rand(3, 3, 8, 8)
    rows = {"true": torch.rand(3, 8, 8), "spurious": torch.rand(3, 8, 8)}
    figure = plot_overlays(pictures, rows, MASK.expand(3, 8, 8), ["a", "b", "c"])
    panels = np.array(figure.axes).reshape(3, 3)
    assert [axes.get_title() for axes in panels[0]] == ["a", "b", "c"]
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["", "true", "spurious"]
    for column, picture in enumerate(pictures):
        np.testing.assert_allclose(
            panels[0, column].images[0].get_array(), picture.permute(1, 2, 0)
        )
        for line, values in enumerate(rows.values(), start=1):
            drawn = panels[line, column].images[0].get_array()
            np.testing.assert_allclose(drawn, overlay(picture, values[column]))
            assert panels[line, column].collections


def test_an_overlay_is_mostly_the_maps_colour():
    picture = torch.zeros(3, 1, 3, dtype=torch.uint8)
    picture[1, 0, 2] = 255  # one green pixel: 0.587 of full grey
    drawn = overlay(picture, torch.tensor([[0.0, 4.0, 4.0]]))
    low, high = (np.array(matplotlib.colormaps[INTENSITY](value)[:3]) for value in (0.0, 1.0))
    np.testing.assert_allclose(drawn[0], [0.6 * low, 0.6 * high, 0.6 * high + 0.4 * 0.587])
    assert np.isfinite(overlay(picture, torch.zeros(1, 3))).all()
    assert overlay(torch.ones(1, 1, 3), torch.ones(1, 3)).max() <= 1


def test_overlays_refuse_what_does_not_fit():
    pictures = torch.rand(2, 3, 8, 8)
    with pytest.raises(ValueError, match="2 images, but 3 a"):
        plot_overlays(pictures, {"a": torch.rand(3, 8, 8)})
    with pytest.raises(ValueError, match="2 images, but 1 titles"):
        plot_overlays(pictures, {"a": torch.rand(2, 8, 8)}, titles=["one"])
    with pytest.raises(ValueError, match="0 images, but none to draw"):
        plot_overlays(pictures[:0], {})
    with pytest.raises(ValueError, match=r"map \(4, 4\) on image \(3, 8, 8\): stretch it"):
        plot_overlays(pictures, {"a": torch.rand(2, 4, 4)})
