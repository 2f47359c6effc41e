import dataclasses
from pathlib import Path

import pytest
import torch

from course_utils import data
from course_utils.data import sets

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def loaders():
    return data.load("fashion_mnist_mini", batch_size=64)


def test_the_names():
    assert data.names() == ["fashion_mnist_mini", "shapes", "mnist", "fashion_mnist", "cifar10"]


def test_the_parts_and_their_sizes(loaders):
    sizes = [part.num_images for part in (loaders.train, loaders.val, loaders.test)]
    assert sizes == [9000, 1000, 2000]
    assert loaders.info.image_shape == (1, 28, 28)
    assert loaders.info.num_classes == 10
    assert torch.bincount(loaders.val.labels).tolist() == [100] * 10


def test_the_test_part_is_the_official_one_in_its_order(loaders):
    raw = sets.read_raw("fashion_mnist_mini")
    assert torch.equal(loaders.test.images, raw.test.images)
    assert torch.equal(loaders.test.labels, raw.test.labels)


def test_validation_and_training_part_are_disjoint_and_complete(loaders):
    raw = sets.read_raw("fashion_mnist_mini")
    both = [*loaders.train.images, *loaders.val.images]
    found = sorted(image.numpy().tobytes() for image in both)
    assert found == sorted(image.numpy().tobytes() for image in raw.train.images)


def test_the_split_does_not_depend_on_the_seed(loaders):
    other = data.load(
        "fashion_mnist_mini", batch_size=64, generator=torch.Generator().manual_seed(9)
    )
    assert torch.equal(other.val.images, loaders.val.images)


def test_training_pictures_are_normalised_to_mean_0_and_deviation_1(loaders):
    images = torch.cat([images for images, _ in loaders.train])
    assert float(images.mean()) == pytest.approx(0, abs=1e-4)
    assert float(images.std()) == pytest.approx(1, abs=1e-4)


def test_the_statistics_are_those_of_the_training_part_alone(loaders):
    mean = float((loaders.train.images.double() / 255).mean())
    assert loaders.info.mean[0] == pytest.approx(mean, abs=1e-12)
    assert abs(loaders.info.mean[0] - float((loaders.test.images.double() / 255).mean())) > 1e-5


def test_only_training_pictures_are_shuffled_and_augmented():
    augment = data.Augment(crop_padding=2, flip=True)
    loaders = data.load("fashion_mnist_mini", batch_size=500, augment=augment)
    assert (loaders.train.shuffle, loaders.train.augment) == (True, augment)
    for part in (loaders.val, loaders.test):
        images, labels = next(iter(part))
        assert torch.equal(labels, part.labels[:500])
        shown = loaders.info.denormalise(images)
        assert torch.equal((shown * 255).round().byte(), part.images[:500])


def test_without_a_generator_every_load_gives_the_same_epochs():
    first, second = (data.load("fashion_mnist_mini", batch_size=64) for _ in range(2))
    assert torch.equal(next(iter(first.train))[0], next(iter(second.train))[0])


def test_a_limit_takes_classes_in_turns_and_shrinks_all_parts():
    loaders = data.load("fashion_mnist_mini", batch_size=64, limit=4500)
    assert torch.bincount(loaders.train.labels).tolist() == [450] * 10
    assert torch.bincount(loaders.val.labels).tolist() == [50] * 10
    assert torch.bincount(loaders.test.labels).tolist() == [100] * 10


def test_a_small_limit_leaves_ten_of_each_class_to_evaluate(loaders):
    small = data.load("fashion_mnist_mini", batch_size=64, limit=25)
    assert sorted(torch.bincount(small.train.labels).tolist()) == [2] * 5 + [3] * 5
    assert torch.bincount(small.test.labels).tolist() == [10] * 10
    everything = {image.numpy().tobytes() for image in loaders.train.images}
    assert all(image.numpy().tobytes() in everything for image in small.train.images)


def test_a_limit_can_leave_whole_what_is_evaluated(loaders):
    small = data.load("fashion_mnist_mini", batch_size=64, limit=25, limit_evaluation=False)
    assert small.train.num_images == 25
    assert torch.equal(small.val.images, loaders.val.images)
    assert torch.equal(small.test.images, loaders.test.images)


def test_a_limit_beyond_the_set_changes_nothing(loaders):
    large = data.load("fashion_mnist_mini", batch_size=64, limit=10**6)
    assert torch.equal(large.train.images, loaders.train.images)


def test_all_training_pictures_can_be_used():
    loaders = data.load("fashion_mnist_mini", batch_size=64, val_fraction=0)
    assert loaders.train.num_images == 10_000
    assert (loaders.val.num_images, len(loaders.val), list(loaders.val)) == (0, 0, [])


def test_the_options_of_shapes_are_its_dials():
    sizes = {"num_train": 200, "num_test": 100}
    loaders = data.load("shapes", batch_size=50, background_correlation=0.9, **sizes)
    config = data.ShapesConfig(background_correlation=0.9, **sizes)
    drawn = data.make_shapes(200, config, torch.Generator().manual_seed(0))
    shown = {image.numpy().tobytes() for image in loaders.train.images}
    assert shown < {image.numpy().tobytes() for image in drawn.images}
    assert (loaders.train.num_images, loaders.test.num_images) == (180, 100)
    assert loaders.info.classes[0] == "circle"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError) as error:
        data.load("imagenet", batch_size=64)
    assert str(error.value) == (
        "there is no data set 'imagenet': choose one of fashion_mnist_mini, shapes, mnist, "
        "fashion_mnist, cifar10, imagefolder:PATH"
    )


def test_an_unknown_option_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"shapes has no option 'rho': it has num_train, .*position"
    ):
        data.load("shapes", batch_size=64, rho=0.9)
    with pytest.raises(ValueError, match="fashion_mnist_mini has no option 'noise': it has none"):
        data.load("fashion_mnist_mini", batch_size=64, noise=0.1)


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"batch_size": 0}, "batch_size = 0"),
        ({"limit": 9}, "limit is 9: give at least 10, one image for each class"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": -1}, "limit = -1"),
        ({"val_fraction": 1.0}, r"val_fraction = 1.0 leaves nothing: give a share below 1"),
    ],
)
def test_impossible_settings_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        data.load("fashion_mnist_mini", **{"batch_size": 64, **wrong})


def test_the_data_folder_is_the_named_one_then_the_environment_then_the_projects(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "~/pictures")
    assert data.data_root("/some/where") == Path("/some/where")
    assert data.data_root() == Path.home() / "pictures"
    monkeypatch.setenv("COURSE_DATA", "")
    assert data.data_root() == PROJECT / "data"


def test_an_installed_package_keeps_its_data_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(sets, "__file__", str(tmp_path / "site-packages/course_utils/data/sets.py"))
    assert data.data_root() == Path.home() / ".cache" / "convnet-course"


def test_the_data_folder_does_not_depend_on_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    before = data.data_root()
    monkeypatch.chdir(tmp_path)
    assert data.data_root() == before
    assert before.is_absolute()


def test_what_load_gives_back_cannot_be_changed_by_accident(loaders):
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaders.train = loaders.test
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaders.train.batch_size = 3
