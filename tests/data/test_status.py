import pytest

from course_utils import data
from course_utils.data.classic import classic_set


def fill(folder, names, num_bytes=1_000_000):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(bytes(num_bytes))


def test_what_is_built_in_needs_nothing(tmp_path):
    assert data.status("fashion_mnist_mini", tmp_path) == "built in: 5 MB"
    assert data.status("shapes", tmp_path) == "built in: drawn on demand"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_set_that_is_not_here_says_how_to_get_it(name, tmp_path):
    status = data.status(name, tmp_path)
    assert status.startswith("not downloaded: loading it downloads it, or put ")
    assert str(tmp_path) in status
    assert ".gz" in status
    assert list(tmp_path.iterdir()) == []


def test_a_complete_set_tells_its_size(tmp_path):
    fill(tmp_path / "cifar-10-batches-py", classic_set("cifar10").files)
    place = tmp_path / "cifar-10-batches-py"
    assert data.status("cifar10", tmp_path) == f"on disk: 7 MB in {place}"


def test_half_a_set_is_incomplete(tmp_path):
    fill(tmp_path / "MNIST/raw", list(classic_set("mnist").files)[:3])
    assert data.status("mnist", tmp_path).startswith("incomplete: loading it downloads it")


def test_archives_that_wait_to_be_unpacked_are_on_disk(tmp_path):
    fill(tmp_path / "FashionMNIST/raw", classic_set("fashion_mnist").archives, 1000)
    status = data.status("fashion_mnist", tmp_path)
    assert status == f"on disk: packed in {tmp_path / 'FashionMNIST/raw'}, unpacked when loaded"


def test_a_folder_of_ones_own(tmp_path):
    assert data.status(f"imagefolder:{tmp_path}") == f"on disk: {tmp_path}"
    absent = data.status(f"imagefolder:{tmp_path / 'absent'}")
    assert absent == f"there is no folder {tmp_path / 'absent'}"


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="there is no data set 'imagenet'"):
        data.status("imagenet")
