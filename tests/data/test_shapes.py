import time

import pytest
import torch
import torch.nn.functional as F

from course_utils.data import ShapesConfig, make_shapes
from course_utils.data.shapes import CLASSES, FAMILIES, read


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


def test_drawing_in_chunks_changes_nothing_but_the_order_of_the_noise(monkeypatch):
    whole = make(50, noise=0.0)
    monkeypatch.setattr("course_utils.data.shapes._CHUNK", 7)
    assert torch.equal(make(50, noise=0.0).images, whole.images)


def test_classes_are_equally_frequent_and_mixed():
    labels = make(1000).labels
    assert torch.bincount(labels).tolist() == [100] * 10
    assert labels[:10].unique().numel() < 10


@pytest.mark.parametrize("correlation, share", [(0.0, 0.1), (0.5, 0.55), (0.9, 0.91), (1.0, 1.0)])
def test_the_dial_sets_how_often_the_background_goes_with_the_class(correlation, share):
    shapes = make(4000, background_correlation=correlation, clutter=0)
    measured = (shapes.backgrounds == shapes.labels).double().mean()
    assert measured == pytest.approx(share, abs=0.025)


def test_without_correlation_the_background_says_nothing_about_the_class():
    shapes = make(10_000, clutter=0)
    table = torch.zeros(10, 10).index_put_(
        (shapes.labels, shapes.backgrounds), torch.ones(10_000), accumulate=True
    )
    chi_square = float(((table - 100) ** 2 / 100).sum())
    assert 40 < chi_square < 140  # 90 degrees of freedom or so: mean 90, deviation 13


@pytest.mark.parametrize("backgrounds", ["random", "swapped"])
def test_other_backgrounds_leave_the_figures_alone(backgrounds):
    dials = {"background_correlation": 0.95, "noise": 0.0}
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


def test_the_dials_of_position_and_size_move_and_scale_the_figure():
    steps = torch.arange(32) + 0.5 - 16

    def middles(shapes):
        weights = shapes.masks.double()
        across = (weights.sum(dim=1) * steps).sum(dim=1)
        return across / weights.sum(dim=(1, 2))

    circles = {
        position: make(2000, position=position, size=(6.0, 6.0), rotation=0.0)
        for position in (0.0, 8.0)
    }
    still, moving = (
        middles(shapes)[shapes.labels == CLASSES.index("circle")] for shapes in circles.values()
    )
    assert still.abs().max() < 0.1
    assert 7 < moving.abs().max() < 8.5
    small, large = (
        make(200, size=(r, r)).masks.double().sum(dim=(1, 2)).mean() for r in (5.0, 10.0)
    )
    assert large / small == pytest.approx(4, rel=0.1)


def test_figures_stay_inside_the_picture():
    masks = make(2000, position=16.0).masks
    border = torch.ones(32, 32, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    # Corners of squares, hearts and arrows reach a little over the radius that was kept inside.
    assert masks[:, border].double().mean() < 0.002


def test_noise_has_the_asked_deviation():
    clean, noisy = make(noise=0.0), make(noise=0.05)
    difference = noisy.images.double() - clean.images.double()
    free = (clean.images > 60) & (clean.images < 195)  # not cut off at black or white
    assert difference[free].std() / 255 == pytest.approx(0.05, rel=0.03)


def test_clutter_adds_spots_outside_the_figure():
    calm, busy = make(clutter=0, noise=0.0), make(clutter=12, noise=0.0)
    assert calm.images.double().std() < busy.images.double().std()


def test_training_and_test_part_are_different_pictures():
    raw = read(ShapesConfig(num_train=200, num_test=100))
    assert (len(raw.train), len(raw.test)) == (200, 100)
    assert not torch.equal(raw.train.images[:100], raw.test.images)


def test_changing_the_test_backgrounds_leaves_the_training_part_alone():
    sizes = {"num_train": 100, "num_test": 100, "background_correlation": 1.0}
    same = read(ShapesConfig(**sizes))
    swapped = read(ShapesConfig(**sizes, test_backgrounds="swapped"))
    assert torch.equal(same.train.images, swapped.train.images)
    assert torch.equal(same.test.labels, swapped.test.labels)
    assert not torch.equal(same.test.images, swapped.test.images)


def test_ten_thousand_pictures_take_seconds():
    start = time.perf_counter()
    make(10_000)
    assert time.perf_counter() - start < 15  # about one second on an idle core


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"num_train": 5}, "at least 20, two of each class"),
        ({"size": (8.0, 6.0)}, "smallest, largest"),
        ({"size": (0.0, 6.0)}, "smallest, largest"),
        ({"size": (8.0, 20.0)}, "radius up to 16"),
        ({"noise": -1.0}, "cannot be negative"),
        ({"background_correlation": 1.2}, r"probability in \[0, 1\], not 1.2"),
        ({"test_backgrounds": "other"}, "one of same, random, swapped, not 'other'"),
    ],
)
def test_impossible_dials_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        ShapesConfig(**wrong)
