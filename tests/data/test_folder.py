import shutil
import warnings

import pytest
import torch
from PIL import Image

from course_utils.data import DataUnavailable, load
from course_utils.data.folder import FolderConfig, read_folder


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
    assert loaders.info.skipped == {}
    assert loaders.info.classes == ("cat", "dog")


def test_pictures_in_deeper_folders_belong_to_the_class_above(album, tmp_path):
    fill(album / "train" / "dog" / "2024" / "june", 5, (0, 0, 100))
    assert load_folder(album, tmp_path, val_fraction=0).train.num_images == 35


def test_suffixes_may_be_in_capitals(album, tmp_path):
    (album / "train/cat/000.png").rename(album / "train/cat/000.PNG")
    assert load_folder(album, tmp_path, val_fraction=0).train.num_images == 30


def test_unreadable_pictures_are_listed_and_left_out(album, tmp_path):
    (album / "train/cat/003.png").write_bytes(b"no picture")
    (album / "test/dog/phone.heic").write_bytes(b"a format that Pillow does not know")
    with pytest.warns(UserWarning) as caught:
        loaders = load(f"imagefolder:{album}", batch_size=8, root=tmp_path)
    assert list(loaders.info.skipped) == ["train/cat/003.png", "test/dog/phone.heic"]
    assert all(why.startswith("not an image, or in") for why in loaders.info.skipped.values())
    assert loaders.train.num_images + loaders.val.num_images == 29
    (warning,) = caught
    assert str(warning.message).startswith(
        f"2 of the files in {album} are left out (see info.skipped): train/cat/003.png (not an"
    )
    assert warning.filename == __file__


def test_a_long_list_of_unreadable_pictures_is_shortened(album, tmp_path):
    for i in range(8):
        (album / f"train/cat/{i:03}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"cat/004\.png \(.*\) and 3 more$"):
        loaders = load(f"imagefolder:{album}", batch_size=8, root=tmp_path)
    assert len(loaders.info.skipped) == 8


def test_a_set_too_large_for_memory_is_refused_and_told_what_would_fit(
    album, tmp_path, monkeypatch
):
    monkeypatch.setattr("course_utils.data.folder.MAX_BYTES", 3 * 38 * 10**2)
    message = refused(album, tmp_path, image_size=12)
    assert message.startswith("38 images of 12x12 pixels take 0.0 GiB of memory")
    assert message.endswith(f"give image_size=10 or less, or leave at most 26 images in {album}")
    assert load_folder(album, tmp_path, image_size=10).train.num_images == 27


def test_decoded_pictures_are_kept_for_the_next_time(album, tmp_path, monkeypatch):
    first = load_folder(album, tmp_path)
    monkeypatch.setattr("course_utils.data.decoded.try_photo", None)  # must not be needed
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
        f"{album / 'train' / 'bird'} holds no images: add some, or remove the folder"
    )


def test_a_class_of_unreadable_pictures_only(album, tmp_path):
    for path in (album / "test" / "dog").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(ValueError) as error:
        load_folder(album, tmp_path)
    message = one_sentence(error)
    assert f"the test set of {album} has no readable image of class 'dog'" in message
    assert error.value.__notes__[0].startswith("left out: test/dog/000.png (not an image, or in")


def test_different_classes_to_train_and_to_test(album, tmp_path):
    fill(album / "test" / "bird", 2, (0, 200, 0))
    shutil.rmtree(album / "test" / "dog")
    assert "different classes: bird, dog in only one of them" in refused(album, tmp_path)


def test_a_test_part_is_needed_beside_a_training_part(album, tmp_path):
    shutil.rmtree(album / "test")
    assert refused(album, tmp_path) == (
        f"{album} has train, but no test: add test/, or rename what is a class"
    )


def test_a_class_of_one_picture_cannot_be_split(album, tmp_path):
    """Named by its class, which v7labs/darwin-py#406 and embeddings-benchmark/mteb#519 missed."""
    fill(album / "train" / "bird", 1, (0, 200, 0))
    assert refused(album / "train", tmp_path) == (
        f"class 'bird' of {album / 'train'} has a single image: it needs at least two, one to "
        "train on and one to test on"
    )


def test_one_image_a_class_is_enough_to_train_on_where_there_is_a_test_part(tmp_path):
    for part in ("train", "test"):
        fill(tmp_path / "album" / part / "cat", 1, (200, 0, 0))
        fill(tmp_path / "album" / part / "dog", 1, (0, 0, 200))
    loaders = load_folder(tmp_path / "album", tmp_path)
    assert [part.num_images for part in (loaders.train, loaders.val, loaders.test)] == [2, 0, 2]


def test_one_class_is_not_enough(album, tmp_path):
    message = refused(album / "train" / "cat", tmp_path)
    assert message.endswith("has 0 folders: it needs at least two, one for each class")
    message = refused(tmp_path, tmp_path)
    assert message.endswith(f"one for each class, or is {album} meant?")


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"image_size": 0}, "image_size = 0 is too small: it must be at least 1"),
        ({"image_size": "32"}, "image_size = '32' is not a whole number"),
        ({"test_fraction": 1.0}, r"test_fraction = 1.0 leaves nothing: give a share below 1"),
        ({"test_fraction": 0}, "test_fraction is 0.0: the test set needs a share"),
    ],
)
def test_impossible_options_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        FolderConfig(**wrong)


def test_an_unknown_option_names_the_known_ones(album, tmp_path):
    message = refused(album, tmp_path, size=3)
    assert message.endswith("has no option 'size': it has image_size, test_fraction")


def test_reading_gives_whole_parts(album, tmp_path):
    raw = read_folder(FolderConfig(image_size=6), album, tmp_path)
    assert raw.train.images.shape == (30, 3, 6, 6)
    assert raw.val is None
