import pytest

from course_utils import data
from course_utils.data import classic


def fill(folder, names, num_bytes=1_000_000):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(bytes(num_bytes))


def test_what_is_built_in_needs_nothing(tmp_path):
    shipped = data.status("fashion_mnist_mini", tmp_path)
    assert (shipped.name, shipped.state) == ("fashion_mnist_mini", "built in")
    assert 4e6 < shipped.num_bytes < 6e6
    assert shipped.message == "built in: 5 MB"
    drawn = data.status("shapes", tmp_path)
    assert (drawn.state, drawn.folder, drawn.num_bytes) == ("built in", None, 0)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_set_that_is_not_here_says_how_to_get_it(name, tmp_path):
    status = data.status(name, tmp_path)
    assert (status.state, status.num_bytes) == ("not downloaded", 0)
    assert status.message.startswith("not downloaded: loading it downloads it, or put ")
    assert str(tmp_path) in status.message
    assert ".gz" in status.message
    assert list(tmp_path.iterdir()) == []


def test_a_complete_set_tells_its_size(tmp_path):
    fill(tmp_path / "cifar-10-batches-py", classic.CIFAR10.files)
    status = data.status("cifar10", tmp_path)
    assert (status.state, status.num_bytes) == ("on disk", 7_000_000)
    assert status.message == f"on disk: 7 MB in {tmp_path / 'cifar-10-batches-py'}"


def test_half_a_set_is_incomplete(tmp_path):
    fill(tmp_path / "MNIST/raw", list(classic.MNIST.files)[:3])
    assert data.status("mnist", tmp_path).state == "incomplete"
    assert data.status("mnist", tmp_path).num_bytes == 3_000_000


def test_archives_that_wait_to_be_unpacked_are_on_disk(tmp_path):
    fill(tmp_path / "FashionMNIST/raw", classic.FASHION_MNIST.archives, 1000)
    status = data.status("fashion_mnist", tmp_path)
    assert status.state == "on disk"
    assert "unpacked when loaded" in status.message


def test_a_folder_of_ones_own(tmp_path):
    assert data.status(f"imagefolder:{tmp_path}").state == "on disk"
    absent = data.status(f"imagefolder:{tmp_path / 'absent'}")
    assert absent.message == f"there is no folder {tmp_path / 'absent'}"


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="there is no data set 'imagenet'"):
        data.status("imagenet")
