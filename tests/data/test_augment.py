import pytest
import torch
import torch.nn.functional as F

from course_utils.data import Augment
from course_utils.data.augment import (
    Boxes,
    Draws,
    crop_and_flip,
    cut_windows,
    cut_windows_by_row,
    draw,
    fill_holes,
    inside,
    random_bytes,
)

SHAPE = (3, 8, 6)


def pictures(num=50, shape=SHAPE, seed=0):
    return random_bytes((num, *shape), torch.Generator().manual_seed(seed))


def draws_of(augment, num=50, seed=0):
    return draw(augment, num, SHAPE, torch.Generator().manual_seed(seed))


def test_crop_and_flip_equals_one_picture_at_a_time():
    images, augment = pictures(), Augment(crop_padding=2, flip=True)
    draws = draws_of(augment)
    result = crop_and_flip(images, augment, draws)
    for i, image in enumerate(images):
        padded = F.pad(image, (2, 2, 2, 2))
        if draws.flip[i]:
            padded = padded.flip(2)
        top, left = draws.offset[i].tolist()
        assert torch.equal(result[i], padded[:, top : top + 8, left : left + 6])


def test_flip_alone_mirrors_about_half():
    images, augment = pictures(400), Augment(flip=True)
    draws = draws_of(augment, 400)
    result = crop_and_flip(images, augment, draws)
    mirrored = (result == images.flip(3)).flatten(1).all(dim=1)
    same = (result == images).flatten(1).all(dim=1)
    assert torch.equal(mirrored, draws.flip)
    assert torch.equal(same, ~draws.flip)
    assert 160 < int(mirrored.sum()) < 240


def test_every_offset_comes_up():
    offsets = draws_of(Augment(crop_padding=2), 2000).offset
    assert offsets.unique(dim=0).shape == (25, 2)
    assert offsets.min() == 0
    assert offsets.max() == 4


def test_reflected_padding_shows_the_picture_mirrored_at_its_border():
    augment = Augment(crop_padding=2, padding="reflect")
    corner = Draws(offset=torch.zeros(1, 2, dtype=torch.int64))
    image = torch.arange(48, dtype=torch.uint8).view(1, 1, 8, 6)
    result = crop_and_flip(image, augment, corner)
    assert result[0, 0, 0, 0] == image[0, 0, 2, 2]
    assert result[0, 0, 2, 2] == image[0, 0, 0, 0]


def test_reflection_needs_a_large_enough_picture():
    augment = Augment(crop_padding=6, padding="reflect")
    with pytest.raises(ValueError, match="6 cannot be reflected in a picture of 8x6"):
        crop_and_flip(pictures(2), augment, draws_of(augment, 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_cutting_by_row_equals_cutting_by_pixel(channels):
    generator = torch.Generator().manual_seed(1)
    images = random_bytes((7, channels, 9, 11), generator)
    sample = torch.randint(7, (40,), generator=generator)
    top = torch.randint(9 - 5 + 1, (40,), generator=generator)
    left = torch.randint(11 - 4 + 1, (40,), generator=generator)
    by_row = cut_windows_by_row(images, sample, top, left, (5, 4))
    assert torch.equal(by_row, cut_windows(images, sample, top, left, (5, 4)))


def test_cutting_by_row_reaches_the_very_last_byte():
    images = pictures(2, (1, 3, 3))
    ones = torch.ones(1, dtype=torch.int64)
    assert torch.equal(
        cut_windows_by_row(images, ones, ones, ones, (2, 2))[0], images[1, :, 1:, 1:]
    )


def test_inside_marks_a_rectangle_cut_to_the_picture():
    boxes = Boxes(*torch.tensor([[-1, 2], [4, 0], [2, 2], [9, 3]]))
    expected = torch.zeros(2, 1, 4, 6, dtype=torch.bool)
    expected[0, 0, 0:2, 4:6] = True  # the second box is empty: it ends where it begins
    assert torch.equal(inside(boxes, (4, 6)), expected)


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_cutout_sets_a_square_to_the_mean(side):
    draws = draws_of(Augment(cutout=side), 500)
    result = fill_holes(torch.ones(500, *SHAPE), draws, None)
    holes = (result == 0).sum(dim=(2, 3))
    assert (holes == holes[:, :1]).all()  # the same pixels in each channel
    assert holes.max() == side**2
    # With its centre on the last row or column, this much of a side is left.
    assert holes.min() == min(side - side // 2, side // 2 + 1) ** 2
    assert set(result.unique().tolist()) <= {0.0, 1.0}


def test_cutout_reaches_every_pixel_and_crosses_the_border():
    result = fill_holes(torch.ones(2000, *SHAPE), draws_of(Augment(cutout=4), 2000), None)
    assert (result == 0).any(dim=0).all()
    assert (result == 0).sum(dim=(2, 3)).min() < 16


def test_random_erasing_happens_as_often_as_asked():
    draws = draws_of(Augment(erase=0.3, erase_fill="mean"), 3000)
    result = fill_holes(torch.ones(3000, *SHAPE), draws, None)
    share = (result == 0).flatten(1).any(dim=1).float().mean()
    assert 0.27 < share < 0.33


def test_random_erasing_keeps_to_its_area_and_aspect():
    augment = Augment(erase=1.0, erase_area=(0.1, 0.2), erase_aspect=(0.5, 2.0))
    top, left, bottom, right = draw(
        augment, 3000, (3, 32, 32), torch.Generator().manual_seed(0)
    ).erase
    height, width = (bottom - top).double(), (right - left).double()
    area, aspect = height * width / 32**2, height / width
    slack = 1.15  # sides are whole pixels
    assert 0.1 / slack < area.min() < area.max() < 0.2 * slack
    assert 0.5 / slack < aspect.min() < aspect.max() < 2 * slack
    assert 0.9 < aspect.median() < 1.1  # as often high as wide
    assert min(top.min(), left.min()) == 0
    assert max(bottom.max(), right.max()) == 32


def test_erased_pixels_become_noise_and_the_others_stay():
    augment = Augment(erase=1.0)
    draws = draws_of(augment, 20)
    images, noise = torch.zeros(20, *SHAPE), torch.rand(20, *SHAPE) + 1
    result = fill_holes(images, draws, noise)
    hole = inside(draws.erase, SHAPE[1:]).expand_as(result)
    assert torch.equal(result[hole], noise[hole])
    assert (result[~hole] == 0).all()


def test_random_bytes_are_uniform_in_every_position():
    values = random_bytes((4096, 3, 5, 7), torch.Generator().manual_seed(0))
    for position in range(8):  # eight bytes come from one draw
        counts = torch.bincount(values.flatten()[position::8].int(), minlength=256).double()
        expected = counts.mean()
        chi_square = float(((counts - expected) ** 2 / expected).sum())
        assert 170 < chi_square < 360  # 255 degrees of freedom: mean 255, deviation 22.6


def test_the_same_generator_draws_the_same():
    augment = Augment(crop_padding=2, flip=True, cutout=3, erase=0.5)
    one, two, other = (draws_of(augment, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.noise, two.noise)
    assert all(torch.equal(a, b) for a, b in zip(one.erase, two.erase, strict=True))
    assert not torch.equal(one.offset, other.offset)


def test_taking_a_share_of_the_draws():
    draws = draws_of(Augment(crop_padding=1, cutout=2))
    share = draws.take(slice(10, 20), "cpu")
    assert torch.equal(share.offset, draws.offset[10:20])
    assert torch.equal(share.cutout.left, draws.cutout.left[10:20])
    assert share.flip is None
    chosen = draws.take(torch.tensor([3, 1]), "cpu")
    assert torch.equal(chosen.offset, draws.offset[[3, 1]])


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"padding": "wrap"}, "padding is one of zeros, reflect, not 'wrap'"),
        ({"erase_fill": "black"}, "erase_fill is one of noise, mean, not 'black'"),
        ({"crop_padding": -1}, "numbers of pixels"),
        ({"cutout": -4}, "numbers of pixels"),
        ({"erase": 1.5}, r"probability in \[0, 1\], not 1.5"),
        ({"erase_area": (0.5, 0.2)}, "smallest, largest"),
        ({"erase_aspect": (0, 1)}, "smallest, largest"),
    ],
)
def test_impossible_settings_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        Augment(**wrong)
