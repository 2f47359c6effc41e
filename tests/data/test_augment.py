import pytest
import torch
import torch.nn.functional as F

from course_utils.data import Augment
from course_utils.data.augment import Draws, crop_and_flip, draw, join

SHAPE = (3, 8, 6)


def images_of(num=50, shape=SHAPE):
    dice = torch.Generator().manual_seed(0)
    return torch.randint(256, (num, *shape), dtype=torch.uint8, generator=dice)


def draws_of(augment, num=50, seed=0):
    return draw(augment, num, torch.Generator().manual_seed(seed))


def test_crop_and_flip_equals_one_picture_at_a_time():
    images, augment = images_of(), Augment(crop_padding=2, flip=True)
    draws = draws_of(augment)
    result = crop_and_flip(images, augment, draws)
    for i, image in enumerate(images):
        padded = F.pad(image, (2, 2, 2, 2))
        if draws.flip[i]:
            padded = padded.flip(2)
        top, left = draws.offset[i].tolist()
        assert torch.equal(result[i], padded[:, top : top + 8, left : left + 6])


def test_flip_alone_mirrors_about_half():
    images, augment = images_of(400), Augment(flip=True)
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


@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_reaches_every_corner_and_shows_black_beyond(channels):
    images = images_of(4, (channels, 8, 6))
    offsets = torch.tensor([[0, 0], [0, 4], [4, 0], [4, 4]])
    result = crop_and_flip(images, Augment(crop_padding=2), Draws(offset=offsets))
    assert torch.equal(result[0, :, 2:, 2:], images[0, :, :-2, :-2])
    assert torch.equal(result[3, :, :-2, :-2], images[3, :, 2:, 2:])
    assert result[1, :, :2].eq(0).all()
    assert result[1, :, :, -2:].eq(0).all()
    assert result[2, :, -2:].eq(0).all()


def test_without_draws_the_images_stay_as_they_are():
    images = images_of(3)
    assert crop_and_flip(images, Augment(), draws_of(Augment(), 3)) is images


def test_the_same_generator_draws_the_same():
    augment = Augment(crop_padding=2, flip=True)
    one, two, other = (draws_of(augment, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.offset, two.offset)
    assert torch.equal(one.flip, two.flip)
    assert not torch.equal(one.offset, other.offset)


def test_draws_can_be_shared_and_joined():
    draws = draws_of(Augment(crop_padding=1))
    first, second = (draws.map(lambda v, half=half: v[half]) for half in (slice(20), slice(20, 50)))
    assert torch.equal(second.offset, draws.offset[20:])
    assert second.flip is None
    together = join([first, second])
    assert torch.equal(together.offset, draws.offset)
    assert together.flip is None


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"crop_padding": -1}, "crop_padding = -1 is too small: it must be at least 0"),
        ({"crop_padding": 2.0}, "crop_padding = 2.0 is not a whole number"),
        ({"crop_padding": True}, "crop_padding = True"),
        ({"flip": "no"}, "flip = 'no' is neither True nor False"),
    ],
)
def test_impossible_settings_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        Augment(**wrong)
