import numpy as np
import pytest
import torch
import torch.nn.functional as F
from operations import num_operations

from course_utils.data import ShapesConfig, make_shapes
from course_utils.data.shapes import CLASSES, FAMILIES, draw_shapes


def make(num=500, seed=0, backgrounds="same", **dials):
    generator = torch.Generator().manual_seed(seed)
    return make_shapes(num, ShapesConfig(**dials), generator, backgrounds)


def test_shapes_and_types():
    shapes = make(40)
    assert shapes.images.shape == (40, 3, 32, 32)
    assert shapes.images.dtype == torch.uint8
    assert shapes.labels.dtype == torch.int64
    assert shapes.masks.shape == (40, 32, 32)
    assert len(CLASSES) == len(FAMILIES) == 10


def test_the_same_seed_draws_the_same_and_another_does_not():
    assert torch.equal(make().images, make().images)
    assert not torch.equal(make().images, make(seed=1).images)


def test_pictures_do_not_depend_on_the_number_of_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = make(100).images
        torch.set_num_threads(1)
        assert torch.equal(make(100).images, two)
    finally:
        torch.set_num_threads(before)


NO_NOISE = ("course_utils.data.shapes.NOISE", 0.0)


def test_drawing_in_chunks_changes_nothing_but_the_order_of_the_noise(monkeypatch):
    monkeypatch.setattr(*NO_NOISE)
    whole = make(50)
    monkeypatch.setattr("course_utils.data.shapes._CHUNK", 7)
    assert torch.equal(make(50).images, whole.images)


def test_classes_are_equally_frequent_and_mixed():
    labels = make(1000).labels
    assert torch.bincount(labels).tolist() == [100] * 10
    assert labels[:10].unique().numel() < 10


@pytest.mark.parametrize("correlation, share", [(0.0, 0.1), (0.5, 0.55), (0.9, 0.91), (1.0, 1.0)])
def test_the_dial_sets_how_often_the_background_goes_with_the_class(correlation, share):
    shapes = make(4000, background_correlation=correlation)
    measured = (shapes.backgrounds == shapes.labels).double().mean()
    assert measured == pytest.approx(share, abs=0.025)


def test_without_correlation_the_background_says_nothing_about_the_class():
    shapes = make(10_000)
    table = torch.zeros(10, 10).index_put_(
        (shapes.labels, shapes.backgrounds), torch.ones(10_000), accumulate=True
    )
    chi_square = float(((table - 100) ** 2 / 100).sum())
    assert 40 < chi_square < 140  # 90 degrees of freedom or so: mean 90, deviation 13


@pytest.mark.parametrize("backgrounds", ["random", "swapped"])
def test_other_backgrounds_leave_the_figures_alone(monkeypatch, backgrounds):
    monkeypatch.setattr(*NO_NOISE)
    dials = {"background_correlation": 0.95}
    before, after = make(**dials), make(backgrounds=backgrounds, **dials)
    assert torch.equal(before.labels, after.labels)
    assert torch.equal(before.masks, after.masks)
    # On its edge a figure is blended with what is behind: look two pixels further in.
    edge_or_outside = F.max_pool2d((~before.masks).float()[:, None], 5, stride=1, padding=2) > 0
    within = ~edge_or_outside.expand_as(before.images)
    assert within.any(dim=(2, 3)).double().mean() > 0.5
    same = before.images == after.images
    assert same[within].all()
    assert same[~before.masks[:, None].expand_as(same)].double().mean() < 0.4


def test_swapped_backgrounds_are_never_the_own_one():
    shapes = make(2000, backgrounds="swapped", background_correlation=1.0)
    assert not (shapes.backgrounds == shapes.labels).any()
    assert shapes.backgrounds.unique().numel() == 10


def test_the_dial_of_position_moves_the_figure(monkeypatch):
    monkeypatch.setattr("course_utils.data.shapes.RADIUS", (6.0, 6.0))
    monkeypatch.setattr("course_utils.data.shapes.ROTATION", 0.0)
    steps = torch.arange(32) + 0.5 - 16

    def middles(drawn):
        weights = drawn.masks.double()
        across = (weights.sum(dim=1) * steps).sum(dim=1)
        return (across / weights.sum(dim=(1, 2)))[drawn.labels == CLASSES.index("circle")]

    assert middles(make(2000, position=0.0)).abs().max() < 0.1
    assert 7 < middles(make(2000, position=8.0)).abs().max() < 8.5


def test_the_radius_scales_the_figure(monkeypatch):
    def area(radius):
        monkeypatch.setattr("course_utils.data.shapes.RADIUS", (radius, radius))
        return make(200).masks.double().sum(dim=(1, 2)).mean()

    assert area(10.0) / area(5.0) == pytest.approx(4, rel=0.1)


def test_figures_stay_inside_the_picture():
    masks = make(2000, position=16.0).masks
    border = torch.ones(32, 32, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    # Corners of squares, hearts and arrows reach a little over the radius that was kept inside.
    assert masks[:, border].double().mean() < 0.002


def test_noise_has_its_deviation(monkeypatch):
    noisy = make()
    monkeypatch.setattr(*NO_NOISE)
    clean = make()
    difference = noisy.images.double() - clean.images.double()
    free = (clean.images > 60) & (clean.images < 195)  # not cut off at black or white
    assert difference[free].std() / 255 == pytest.approx(0.07, rel=0.03)


def test_clutter_adds_spots_outside_the_figure(monkeypatch):
    monkeypatch.setattr(*NO_NOISE)
    busy = make()
    monkeypatch.setattr("course_utils.data.shapes.CLUTTER", 0)
    calm = make()
    assert calm.images.double().std() < busy.images.double().std()


def test_training_and_test_part_are_different_pictures():
    raw = draw_shapes(ShapesConfig(num_train=200, num_test=100))
    assert (len(raw.train), len(raw.test)) == (200, 100)
    assert not torch.equal(raw.train.images[:100], raw.test.images)


def test_pictures_are_drawn_many_at_a_time():
    """So ten thousand of them take a second, and not a minute."""
    assert num_operations(lambda: make(2_000)) < 2_000


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"num_train": 5}, "num_train = 5 is too small: it must be at least 20"),
        ({"num_test": 10**9}, "num_test = 1000000000 is too large.* at most 349,525"),
        ({"num_train": 100.0}, "num_train = 100.0 is not a whole number"),
        ({"seed": -1}, "seed = -1 is too small: it must be at least 0"),
        ({"position": float("nan")}, "position = nan is out of range: give a number from 0 to 32"),
        ({"position": "far"}, "position = 'far'"),
        (
            {"background_correlation": 1.2},
            "background_correlation = 1.2 is out of range.* from 0 to 1",
        ),
    ],
)
def test_impossible_dials_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        ShapesConfig(**wrong)


def test_backgrounds_of_no_known_kind_are_refused():
    with pytest.raises(
        ValueError, match="backgrounds = 'other' is unknown: choose from same, random, swapp"
    ):
        make(backgrounds="other")


def test_numbers_of_numpy_are_as_good_as_pythons():
    """A sum of small integers of NumPy would overflow: 2 * 100 is -56 in eight bits."""
    few = ShapesConfig(num_train=np.int64(40), num_test=np.uint8(40), seed=np.int8(100))
    assert few == ShapesConfig(num_train=40, num_test=40, seed=100)
    assert torch.equal(
        draw_shapes(few).test.images,
        make_shapes(40, ShapesConfig(), torch.Generator().manual_seed(201)).images,
    )
