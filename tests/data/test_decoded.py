import os

import pytest
import torch

from course_utils.data.decoded import Decoded, remember


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / name for name in "ab"]
    for path in paths:
        path.write_bytes(b"picture")
    return paths


class Maker:
    """Makes something and counts how often."""

    calls = 0

    def __call__(self):
        self.calls += 1
        images = torch.full((2, 3, 4, 4), self.calls, dtype=torch.uint8)
        return Decoded(images, torch.tensor([0, 1]))


def test_the_second_time_it_is_read(tmp_path, files):
    make = Maker()
    first = remember(tmp_path, files, 4, make)
    second = remember(tmp_path, files, 4, make)
    assert make.calls == 1
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.kept, second.kept)


@pytest.mark.parametrize("change", ["size", "content", "time", "file"])
def test_any_change_makes_it_anew(tmp_path, files, change):
    make, size = Maker(), 4
    remember(tmp_path, files, 4, make)
    if change == "size":
        size = 5
    elif change == "content":
        times = files[0].stat()
        files[0].write_bytes(b"another picture")
        os.utime(files[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "time":
        os.utime(files[0], ns=(1, 1))
    else:
        files = files[:1]
    remember(tmp_path, files, size, make)
    assert make.calls == 2


def test_a_torn_file_is_made_anew(tmp_path, files):
    make = Maker()
    remember(tmp_path, files, 4, make)
    (keeper,) = (tmp_path / "decoded").iterdir()
    keeper.write_bytes(keeper.read_bytes()[:100])
    assert (remember(tmp_path, files, 4, make).images == 2).all()
    assert (remember(tmp_path, files, 4, make).images == 2).all()
    assert [path.name for path in (tmp_path / "decoded").iterdir()] == [keeper.name]


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path, files):
    (tmp_path / "decoded").write_text("in the way")
    make = Maker()
    remember(tmp_path, files, 4, make)
    assert remember(tmp_path, files, 4, make).images.shape == (2, 3, 4, 4)
    assert make.calls == 2
