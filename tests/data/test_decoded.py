import os

import pytest
import torch
from PIL import Image, ImageFile

from course_utils.data import decoded
from course_utils.data.decoded import decode


@pytest.fixture
def files(tmp_path):
    """Three images, each as bright as a hundred times its number."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        Image.new("L", (4, 4), 100 * i).save(path)
    return paths


@pytest.fixture
def opened(monkeypatch):
    """The names of the files that were opened, in some order."""
    names = []

    def count(path, size):
        names.append(path.name)
        return decoded_try_photo(path, size)

    decoded_try_photo = decoded.try_photo
    monkeypatch.setattr(decoded, "try_photo", count)
    return names


def brightness(found):
    return found.images[:, 0, 0, 0].tolist()


def test_the_second_time_nothing_is_opened(tmp_path, files, opened):
    first = decode(files, 4, tmp_path)
    assert sorted(opened) == ["0.png", "1.png", "2.png"]
    assert brightness(first) == [0, 100, 200]
    second = decode(files, 4, tmp_path)
    assert len(opened) == 3
    assert torch.equal(first.images, second.images)
    assert second.kept.tolist() == [0, 1, 2]
    assert second.reasons == {}


@pytest.mark.parametrize("change", ["size", "content", "time", "file", "truncated", "pillow"])
def test_any_change_makes_it_anew(tmp_path, files, opened, change, monkeypatch):
    size = 4
    decode(files, size, tmp_path)
    opened.clear()
    if change == "size":
        size = 5
    elif change == "content":
        times = files[0].stat()
        Image.new("L", (5, 9), 50).save(files[0])
        os.utime(files[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "time":
        os.utime(files[0], ns=(1, 1))
    elif change == "file":
        files = files[:2]
    elif change == "truncated":
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    else:
        monkeypatch.setattr("PIL.__version__", "0")
    decode(files, size, tmp_path)
    assert len(opened) == len(files)


def test_what_could_not_be_read_is_tried_again_and_nothing_else(tmp_path, files, opened):
    """A failure that is remembered outlives its cause, as in EOPF-Explorer/titiler-eopf#35."""
    files[1].write_bytes(b"of a format that nobody knows yet")
    times = files[1].stat()
    first = decode(files, 4, tmp_path)
    assert first.kept.tolist() == [0, 2]
    assert first.reasons[1].startswith("not an image, or in a format that Pillow does not know")
    opened.clear()
    assert decode(files, 4, tmp_path).reasons == first.reasons
    assert opened == ["1.png"]

    def accept(start):
        return start.startswith(b"of a format")

    class NewFormat(ImageFile.ImageFile):
        format = "NEW"

        def _open(self):
            self._mode, self._size = "L", (4, 4)
            self.tile = [ImageFile._Tile("raw", (0, 0, 4, 4), 0, ("L", 0, 1))]

    Image.register_open("NEW", NewFormat, accept)
    try:
        assert decode(files, 4, tmp_path).kept.tolist() == [0, 1, 2]
    finally:
        Image.ID.remove("NEW")
        del Image.OPEN["NEW"]
    assert files[1].stat().st_mtime_ns == times.st_mtime_ns


def test_a_file_that_vanishes_meanwhile_is_one_of_those_that_cannot_be_read(tmp_path, files):
    files[0].unlink()
    found = decode(files, 4, tmp_path)
    assert found.kept.tolist() == [1, 2]
    assert found.reasons == {
        0: "No such file or directory: make sure that it is there and that you may read it"
    }


def test_a_torn_file_is_made_anew(tmp_path, files, opened):
    decode(files, 4, tmp_path)
    (keeper,) = (tmp_path / "decoded").iterdir()
    keeper.write_bytes(keeper.read_bytes()[:100])
    opened.clear()
    assert brightness(decode(files, 4, tmp_path)) == [0, 100, 200]
    assert len(opened) == 3
    assert brightness(decode(files, 4, tmp_path)) == [0, 100, 200]
    assert len(opened) == 3
    assert [path.name for path in (tmp_path / "decoded").iterdir()] == [keeper.name]


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path, files, opened):
    (tmp_path / "decoded").write_text("in the way")
    decode(files, 4, tmp_path)
    assert brightness(decode(files, 4, tmp_path)) == [0, 100, 200]
    assert len(opened) == 6
