import pytest
import torch

from course_utils.data import DataInfo
from course_utils.data.info import channel_statistics

INFO = DataInfo(
    name="toy",
    classes=("cat", "dog"),
    image_shape=(2, 3, 3),
    mean=(0.25, 0.5),
    std=(0.5, 0.125),
    source="made up",
    licence="MIT",
)


def test_denormalise_undoes_the_normalisation():
    pixels = torch.rand(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor(INFO.mean)[:, None, None], torch.tensor(INFO.std)[:, None, None]
    normalised = (pixels - mean) / std
    torch.testing.assert_close(INFO.denormalise(normalised), pixels)
    torch.testing.assert_close(INFO.denormalise(normalised[0]), pixels[0])


def test_denormalised_pictures_stay_between_0_and_1():
    wild = torch.full((1, 2, 3, 3), 100.0)
    assert INFO.denormalise(wild).max() == 1
    assert INFO.denormalise(-wild).min() == 0


def test_the_number_of_classes():
    assert INFO.num_classes == 2


def test_statistics_equal_those_of_all_pixels():
    dice = torch.Generator().manual_seed(0)
    images = torch.randint(85, (50, 3, 7, 5), dtype=torch.uint8, generator=dice)
    mean, std = channel_statistics(images)
    pixels = images.double().transpose(0, 1).flatten(1) / 255
    assert mean == pytest.approx(pixels.mean(dim=1).tolist(), abs=1e-14)
    assert std == pytest.approx(pixels.std(dim=1, correction=0).tolist(), abs=1e-14)


def test_a_constant_channel_can_be_divided_by_its_deviation():
    mean, std = channel_statistics(torch.full((3, 1, 4, 4), 51, dtype=torch.uint8))
    assert mean == pytest.approx((0.2,))
    assert std == (1.0,)
