import shutil
import warnings

import pytest
import torch
from PIL import Image

from course_utils.data import DataUnavailable, load
from course_utils.data.folder import FolderConfig, read


def fill(folder, num, colour, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + num):
        shade = tuple(min(255, value + i) for value in colour)
        Image.new("RGB", (12, 10), shade).save(folder / f"{i:03}.png")


@pytest.fixture
def album(tmp_path):
    """Cats are red and dogs are blue; 20 and 10 to train on, 4 and 4 to test."""
    for part, nums in (("train", (20, 10)), ("test", (4, 4))):
        fill(tmp_path / "album" / part / "cat", nums[0], (200, 0, 0))
        fill(tmp_path / "album" / part / "dog", nums[1], (0, 0, 200))
    return tmp_path / "album"


def load_folder(folder, tmp_path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load(f"imagefolder:{folder}", batch_size=8, root=tmp_path / "root", **options)


def one_sentence(error):
    message = str(error.value)
    assert "\n" not in message
    assert ". " not in message
    return message


def test_the_folders_are_the_classes(album, tmp_path):
    loaders = load_folder(album, tmp_path, image_size=8)
    assert loaders.info.classes == ("cat", "dog")
    assert loaders.info.image_shape == (3, 8, 8)
    sizes = [part.num_images for part in (loaders.train, loaders.val, loaders.test)]
    assert sizes == [27, 3, 8]
    for part in (loaders.train, loaders.val, loaders.test):
        reddish = part.images[:, 0, 0, 0] > part.images[:, 2, 0, 0]
        assert torch.equal(reddish, part.labels == 0)


def test_the_statistics_are_those_of_the_training_part(album, tmp_path):
    loaders = load_folder(album, tmp_path)
    pixels = loaders.train.images.double() / 255
    assert loaders.info.mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-12)


def test_a_validation_folder_is_used_as_it_is(album, tmp_path):
    fill(album / "val" / "cat", 2, (100, 0, 0))
    fill(album / "val" / "dog", 3, (0, 0, 100))
    loaders = load_folder(album, tmp_path)
    assert loaders.train.num_images == 30
    assert loaders.val.labels.tolist() == [0, 0, 1, 1, 1]


def test_one_folder_is_split_always_the_same_way(album, tmp_path):
    one = load_folder(album / "train", tmp_path, test_fraction=0.3)
    two = load_folder(album / "train", tmp_path, test_fraction=0.3)
    assert torch.bincount(one.test.labels).tolist() == [6, 3]
    assert torch.equal(one.test.images, two.test.images)
    shown = {image.numpy().tobytes() for image in one.test.images}
    assert not any(image.numpy().tobytes() in shown for image in one.train.images)


def test_what_is_no_picture_is_ignored(album, tmp_path):
    (album / "notes.txt").write_text("mine")
    (album / "train" / "cat" / "notes.txt").write_text("mine")
    (album / "train" / "cat" / "._000.png").write_text("left by a file manager")
    (album / "train" / ".cache").mkdir()
    (album / "train" / "__MACOSX").mkdir()
    loaders = load_folder(album, tmp_path)
    assert loaders.info.skipped == ()
    assert loaders.info.classes == ("cat", "dog")


def test_pictures_in_deeper_folders_belong_to_the_class_above(album, tmp_path):
    fill(album / "train" / "dog" / "2024" / "june", 5, (0, 0, 100))
    assert load_folder(album, tmp_path, val_fraction=0).train.num_images == 35


def test_suffixes_may_be_in_capitals(album, tmp_path):
    (album / "train/cat/000.png").rename(album / "train/cat/000.PNG")
    assert load_folder(album, tmp_path, val_fraction=0).train.num_images == 30


@pytest.mark.parametrize("max_bytes", [2**30, 1])
def test_unreadable_pictures_are_listed_and_left_out(album, tmp_path, max_bytes):
    (album / "train/cat/003.png").write_bytes(b"no picture")
    (album / "test/dog/phone.heic").write_bytes(b"a format that Pillow does not know")
    with pytest.warns(UserWarning) as caught:
        loaders = load(
            f"imagefolder:{album}", batch_size=8, root=tmp_path, max_bytes=max_bytes, workers=0
        )
    assert loaders.info.skipped == ("train/cat/003.png", "test/dog/phone.heic")
    assert loaders.train.num_images + loaders.val.num_images == 29
    messages = [str(warning.message) for warning in caught]
    assert sum("2 of the pictures" in message for message in messages) == 1
    assert all(warning.filename == __file__ for warning in caught)


def test_a_long_list_of_unreadable_pictures_is_shortened(album, tmp_path):
    for i in range(8):
        (album / f"train/cat/{i:03}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"004\.png and 3 more \(see info\.skipped\)"):
        loaders = load(f"imagefolder:{album}", batch_size=8, root=tmp_path)
    assert len(loaders.info.skipped) == 8


def test_a_set_too_large_for_memory_stays_in_its_files_and_says_so(album, tmp_path):
    with pytest.warns(UserWarning, match="read from disk batch by batch") as caught:
        large = load(f"imagefolder:{album}", batch_size=8, root=tmp_path, max_bytes=1000, workers=0)
    assert len(caught) == 1
    assert large.info.notes == (str(caught[0].message),)
    small = load_folder(album, tmp_path)
    assert small.info.notes == ()
    assert small.info.mean == pytest.approx(large.info.mean, abs=1e-12)
    for (images, labels), (same, same_labels) in zip(small.train, large.train, strict=True):
        assert torch.equal(images, same)
        assert torch.equal(labels, same_labels)


def test_decoded_pictures_are_kept_for_the_next_time(album, tmp_path, monkeypatch):
    first = load_folder(album, tmp_path)
    monkeypatch.setattr("course_utils.data.folder.try_photo", None)  # must not be needed
    assert torch.equal(load_folder(album, tmp_path).train.images, first.train.images)


def test_a_limit_works_here_too(album, tmp_path):
    loaders = load_folder(album, tmp_path, limit=6)
    assert loaders.train.labels.tolist() == [0, 0, 0, 1, 1, 1]


def refused(album, tmp_path, kind=ValueError, **options):
    with pytest.raises(kind) as error:
        load_folder(album, tmp_path, **options)
    return one_sentence(error)


def test_a_missing_folder(tmp_path):
    message = refused(tmp_path / "absent", tmp_path, DataUnavailable)
    assert f"there is no folder {tmp_path / 'absent'}" in message
    assert "train/ and test/, or one folder for each class" in message


def test_no_path_at_all_is_no_folder(tmp_path):
    with pytest.raises(ValueError, match="imagefolder:PATH needs the PATH of a folder"):
        load("imagefolder:", batch_size=8, root=tmp_path)


def test_an_empty_class(album, tmp_path):
    (album / "train" / "bird").mkdir()
    fill(album / "test" / "bird", 2, (0, 200, 0))
    message = refused(album, tmp_path)
    assert message == (
        f"{album / 'train' / 'bird'} holds no pictures: add some, or remove the folder"
    )


@pytest.mark.parametrize("options", [{}, {"max_bytes": 1, "workers": 0}])
def test_a_class_of_unreadable_pictures_only(album, tmp_path, options):
    for path in (album / "test" / "dog").iterdir():
        path.write_bytes(b"broken")
    message = refused(album, tmp_path, **options)
    assert f"the test part of {album} has no readable picture of class 'dog'" in message


def test_different_classes_to_train_and_to_test(album, tmp_path):
    fill(album / "test" / "bird", 2, (0, 200, 0))
    shutil.rmtree(album / "test" / "dog")
    assert "different classes: bird, dog in only one of them" in refused(album, tmp_path)


def test_a_test_part_is_needed_beside_a_training_part(album, tmp_path):
    shutil.rmtree(album / "test")
    assert refused(album, tmp_path) == f"{album} has train, but no test: add test/"


def test_a_class_of_one_picture_cannot_be_split(album, tmp_path):
    fill(album / "train" / "bird", 1, (0, 200, 0))
    message = refused(album / "train", tmp_path)
    assert "the test part of" in message
    assert "no readable picture of class 'bird'" in message


def test_one_class_is_not_enough(album, tmp_path):
    message = refused(album / "train" / "cat", tmp_path)
    assert "has 0 folders: it takes at least two, one for each class" in message


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"image_size": 0}, "image_size is 0: give a number of pixels"),
        ({"test_fraction": 1.0}, r"share in \(0, 1\), not 1.0"),
    ],
)
def test_impossible_options_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        FolderConfig(**wrong)


def test_an_unknown_option_names_the_known_ones(album, tmp_path):
    message = refused(album, tmp_path, size=3)
    assert "has no option 'size': it has image_size, test_fraction, max_bytes, workers" in message


def test_reading_gives_whole_parts(album, tmp_path):
    raw = read(FolderConfig(image_size=6), album, tmp_path)
    assert raw.train.images.shape == (30, 3, 6, 6)
    assert raw.val is None
