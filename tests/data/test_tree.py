"""Folders of images as people have them: what is read, what is left out, and what is refused."""

import os
import socket
import tempfile
import unicodedata
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data import DataUnavailable, load
from course_utils.data.photos import try_photo
from course_utils.data.tree import SYSTEM, find_images

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has other links and permissions")


def fill(folder, num=2, shade=100):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        Image.new("RGB", (4, 4), (shade, i, 0)).save(folder / f"{i}.png")


@pytest.fixture
def album(tmp_path):
    """Two parts, two classes, two images each."""
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            fill(tmp_path / "album" / part / name)
    return tmp_path / "album"


@pytest.fixture
def pets(tmp_path):
    """Two classes of two images each, and no parts."""
    for name in ("cat", "dog"):
        fill(tmp_path / "pets" / name)
    return tmp_path / "pets"


def names(tree, part="train"):
    return [path.parent.name + "/" + path.name for path in tree.parts[part].paths]


def refused(folder):
    with pytest.raises(ValueError) as error:
        find_images(folder, 0.5)
    message = str(error.value)
    assert "\n" not in message
    return message


# --- Hidden and system folders and files -------------------------------------------------------


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", ".git", ".Trashes", *sorted(SYSTEM), "@eaDir", "$RECYCLE.BIN"]
)
def test_what_a_system_made_is_no_part_no_class_and_no_image(album, name):
    """`.ipynb_checkpoints` became a class in pytorch/vision#2831; the thumbnails in `@eaDir` were
    taken for images in immich-app/immich#30690."""
    for place in ("", "train", "train/cat", "train/cat/june", "test/dog"):
        fill(album / place / name)
        fill(album / place / name / "deeper")
    fill(album / "train/cat/june", 1)
    tree = find_images(album, 0.5)
    assert tree.classes == ("cat", "dog")
    assert names(tree) == ["cat/0.png", "cat/1.png", "june/0.png", "dog/0.png", "dog/1.png"]
    assert names(tree, "test") == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert tree.skipped == {}


def test_hidden_files_are_no_images(album):
    for name in ("._0.png", ".DS_Store", ".0.png.swp.png", "Thumbs.db", "desktop.ini"):
        (album / "train/cat" / name).write_bytes(b"not mine")
    tree = find_images(album, 0.5)
    assert names(tree)[:2] == ["cat/0.png", "cat/1.png"]
    assert tree.skipped == {}


def test_a_class_may_begin_with_underscores(album):
    """Sets with a class for everything else call it so."""
    for part in ("train", "test"):
        fill(album / part / "__background__")
    assert find_images(album, 0.5).classes == ("__background__", "cat", "dog")


# --- Parts and classes -------------------------------------------------------------------------


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING", "training"])
@pytest.mark.parametrize("val", [None, "val", "valid", "Validation"])
@pytest.mark.parametrize("test", ["test", "TEST", "Testing"])
def test_parts_are_known_by_every_usual_name(tmp_path, train, val, test):
    """`val` was overlooked in huggingface/datasets#4839, and exports call it `valid`, as
    roboflow/roboflow-python#153 says."""
    nums = {train: 3, test: 2} | ({val: 1} if val else {})
    for part, num in nums.items():
        fill(tmp_path / part / "cat", num)
        fill(tmp_path / part / "dog", num)
    tree = find_images(tmp_path, 0.5)
    assert {part: len(files.paths) for part, files in tree.parts.items()} == (
        {"train": 6, "test": 4} | ({"val": 2} if val else {})
    )
    assert tree.classes == ("cat", "dog")


def test_two_folders_that_mean_the_same_part_are_refused_by_name(album):
    fill(album / "val" / "cat")
    fill(album / "valid" / "cat")
    assert refused(album) == (
        f"{album} holds val and valid, which mean the same set: keep one of them"
    )


def test_a_class_called_as_a_part_is_named(pets):
    fill(pets / "train")
    assert refused(pets) == (f"{pets} has train, but no test: add test/, or rename what is a class")


def test_what_lies_beside_parts_and_classes_is_reported(album):
    fill(album / "more")
    fill(album, 1)
    fill(album / "train", 1)
    assert find_images(album, 0.5).skipped == {
        "0.png": "neither a set nor a class",
        "more": "neither a set nor a class",
        "train/0.png": "in no class folder",
    }


def test_a_class_of_folders_only_is_refused_by_name(pets):
    fill(pets / "birds" / "blackbird")
    fill(pets / "birds" / "sparrow")
    assert refused(pets).startswith(f"{pets / 'birds'} holds only folders: put the images of")


def test_parts_inside_of_classes_are_refused_by_name(tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            fill(tmp_path / name / part)
    assert refused(tmp_path).startswith(f"{tmp_path / 'cat'} holds only folders")


def test_the_folder_around_the_right_one_names_it(album):
    """People name the folder that an archive was unpacked into, as in pytorch/vision#669."""
    assert refused(album.parent).endswith(
        f"has 1 folders: it needs at least two, one for each class, or is {album} meant?"
    )


def test_a_class_is_the_same_however_its_letters_are_composed(tmp_path):
    """An archive from a Mac has an accent as a character of its own."""
    for part, form in (("train", "NFC"), ("test", "NFD")):
        fill(tmp_path / part / unicodedata.normalize(form, "caf\u00e9"))
        fill(tmp_path / part / "bar")
    assert find_images(tmp_path, 0.5).classes == ("bar", "caf\u00e9")
    fill(tmp_path / "train" / unicodedata.normalize("NFD", "caf\u00e9"))
    assert "has two folders that read 'caf\u00e9': rename one" in refused(tmp_path)


# --- Names, links and what is no file ----------------------------------------------------------


@posix
def test_a_name_that_is_no_text_neither_stops_the_set_nor_is_lost(album, tmp_path):
    """Python reads the bytes of such a name as characters that no text can be written with, which
    stops arsenetar/dupeguru#335 and others."""
    odd = os.fsdecode(b"caf\xe9.png")
    (album / "train/cat/0.png").rename(album / "train/cat" / odd)
    (album / "train/dog" / odd).write_bytes(b"broken")
    for part in ("train", "test"):
        fill(album / part / os.fsdecode(b"d\xe9j\xe0"))
    with pytest.warns(UserWarning, match=r"caf.xe9\.png \(not an image"):
        loaders = load(f"imagefolder:{album}", batch_size=4, root=tmp_path, val_fraction=0)
    assert loaders.train.num_images == 6
    assert loaders.info.classes == ("cat", "d\\xe9j\\xe0", "dog")
    assert list(loaders.info.skipped) == ["train/dog/caf\\xe9.png"]
    with pytest.warns(UserWarning, match="1 of the files"):  # from what is kept
        load(f"imagefolder:{album}", batch_size=4, root=tmp_path)


@posix
def test_links_that_lead_nowhere_or_in_circles_are_left_out_and_reported(album, tmp_path):
    """One link that leads nowhere must not stop the set; one that leads upwards must not be
    followed for ever, as in twisted/twisted#3098."""
    place = album / "train/cat"
    (place / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (place / "gone").symlink_to(tmp_path / "nowhere")
    (place / "self.png").symlink_to(place / "self.png")
    (place / "up").symlink_to(album)
    (place / "further_up").symlink_to(tmp_path)
    (place / "same").symlink_to(place)
    (place / "other").symlink_to(album / "test/dog")
    os.mkfifo(place / "pipe.png")
    with socket.socket(socket.AF_UNIX) as endpoint:
        here = Path.cwd()
        os.chdir(place)  # the name of a socket must be short
        endpoint.bind("socket.png")
        os.chdir(here)
        tree = find_images(album, 0.5)
    assert names(tree)[:2] == ["cat/0.png", "cat/1.png"]
    again = "a link to a folder that is already read"
    assert tree.skipped == {
        "train/cat/further_up": again,
        "train/cat/gone": "a link that leads nowhere",
        "train/cat/gone.png": "a link that leads nowhere",
        "train/cat/other": again,
        "train/cat/pipe.png": "not a file: a pipe, a socket or a device",
        "train/cat/same": again,
        "train/cat/self.png": "a link that leads to itself",
        "train/cat/socket.png": "not a file: a pipe, a socket or a device",
        "train/cat/up": again,
    }


@posix
def test_links_to_images_elsewhere_are_followed_once(album, tmp_path):
    """Sets are put together from links, as huggingface/datasets#6853 asks for."""
    fill(tmp_path / "store" / "cats", 3)
    fill(tmp_path / "store" / "deep" / "er", 1)
    (tmp_path / "store/deep/back").symlink_to(tmp_path / "store/deep")
    (album / "train/cat/2.png").symlink_to(tmp_path / "store/cats/2.png")
    (album / "train/cat/more").symlink_to(tmp_path / "store/deep")
    (album / "train/dog/more").symlink_to(tmp_path / "store/deep/er")
    (album / "train/fish").symlink_to(tmp_path / "store/cats")
    (album / "test/fish").mkdir()
    fill(album / "test/fish", 1)
    tree = find_images(album, 0.5)
    assert tree.classes == ("cat", "dog", "fish")
    assert torch.bincount(tree.parts["train"].labels).tolist() == [4, 2, 3]
    assert tree.skipped == {
        "train/cat/more/back": "a link to a folder that is already read",
        "train/dog/more": "a link to a folder that is already read",
    }


@posix
def test_a_part_that_is_a_link_to_another_is_not_read_twice(album):
    """Else what is trained on would be tested on."""
    (album / "val").symlink_to(album / "test")
    tree = find_images(album, 0.5)
    assert list(tree.parts) == ["train", "test"]
    assert tree.skipped == {"val": "a link to a folder that is already read"}


@contextmanager
def somebody_else():
    """A user for whom permissions hold, which they do not for root; with a folder of theirs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


@posix
def test_what_one_may_not_read_is_left_out_and_reported():
    Image.init()  # its modules may lie where that user may not look
    with somebody_else() as album:
        for part in ("train", "test"):
            for name in ("cat", "dog"):
                fill(album / part / name)
        fill(album / "train/dog/secret")
        (album / "train/cat/0.png").chmod(0)
        (album / "train/dog/secret").chmod(0)
        with pytest.warns(UserWarning, match="2 of the files"):
            loaders = load(f"imagefolder:{album}", batch_size=4, root=album / "data")
        (album / "train/dog/secret").chmod(0o700)
        assert loaders.info.skipped == {
            "train/cat/0.png": "Permission denied: make sure that it is there and "
            "that you may read it",
            "train/dog/secret": "no permission to read it",
        }
        (album / "test/dog").chmod(0)
        message = refused(album)
        (album / "test/dog").chmod(0o700)
        assert message == (
            f"{album / 'test/dog'} holds no images but test/dog (no permission to read it): add "
            "some, or remove the folder"
        )


# --- Any tree ----------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["cat", "dog", "train", "Test", "val", "valid", ".git", "@eaDir", "Thumbs.db", "a$b$", "\u00e9"]
)
IMAGES = [".png", ".jpg", ".tif", ".gif", ".heic"]
SUFFIXES = st.sampled_from([*IMAGES, ".PNG", ".txt", ""])
MODES = st.sampled_from(["RGB", "L", "P", "1", "I;16", "F", "LA", "RGBA", "CMYK", "I"])
FILES = st.one_of(
    st.tuples(st.just("image"), MODES),
    st.tuples(st.just("bytes"), st.binary(max_size=20)),
    st.tuples(st.just("link"), st.sampled_from([".", "..", "../..", "nowhere", "0.png", "cat"])),
    st.tuples(st.just("pipe"), st.none()),
)
ENTRIES = st.tuples(st.lists(NAMES, max_size=4), NAMES, SUFFIXES, FILES)


def make(path, kind, what):
    """Make one entry of a tree; what the tree has no place for is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        return
    if kind == "image":
        Image.new(what, (5, 4)).save(path, "TIFF")
    elif kind == "bytes":
        path.write_bytes(what)
    elif kind == "link":
        path.symlink_to(what)
    else:
        os.mkfifo(path)


@posix
@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, max_size=25), st.booleans())
def test_any_tree_loads_with_a_true_report_or_is_refused_by_name(entries, seeded):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(folder) / "set"
        root.mkdir()
        if seeded:  # so that many of them can be loaded
            for part in ("train", "Test"):
                fill(root / part / "cat")
                fill(root / part / "dog")
        for places, name, suffix, (kind, what) in entries:
            try:
                make(root.joinpath(*places, name + suffix), kind, what)
            except OSError:  # a file where a folder should be, or the other way round
                continue
        try:
            loaders = load(f"imagefolder:{root}", batch_size=4, root=Path(folder) / "data")
        except (ValueError, DataUnavailable) as error:
            assert str(root) in str(error)
            return
        check_report(root, loaders)


def is_visible(path):
    return not any(part[0] == "." or part.lower() in ("@eadir", "thumbs.db") for part in path.parts)


def check_report(root, loaders):
    """Hold a loaded set and its report against the folder that it came from."""
    tree, skipped = find_images(root, 0.2), loaders.info.skipped
    assert all(why and os.path.lexists(root / name) for name, why in skipped.items())
    listed = [path for files in tree.parts.values() for path in files.paths]
    read = {path for path in listed if not isinstance(try_photo(path, 4), str)}
    assert {path for path in listed if path not in read} == {
        root / name for name in skipped if name not in tree.skipped
    }
    parts = (loaders.train, loaders.val, loaders.test)
    assert (
        sum(part.num_images for part in parts)
        == len(read)
        == len(listed) - len(skipped.keys() - tree.skipped.keys())
    )
    for files in tree.parts.values():
        for path, label in zip(files.paths, files.labels.tolist(), strict=True):
            assert tree.classes[label] in path.relative_to(root).parts[:2]
    # Whatever has the name of an image is read, hidden, or reported: itself or what it is in.
    for path in root.rglob("*"):
        inside = path.relative_to(root)
        if path.suffix.lower() in IMAGES and path.is_file() and is_visible(inside):
            reported = any(name.as_posix() in skipped for name in (inside, *inside.parents))
            assert reported != (path in read)
        else:
            assert path not in listed
