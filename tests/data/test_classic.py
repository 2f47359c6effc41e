import gzip
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torchvision import datasets

from course_utils.data import DataCorrupt, DataUnavailable, classic


def files_in(root):
    """All files below a folder but the lock."""
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return found - {".downloading/lock"}


def expected_files(data_set):
    return {f"{data_set.folder}/{name}" for name in data_set.files}


def one_sentence(error):
    """The message, which must not have lines or several sentences."""
    message = str(error.value)
    assert "\n" not in message
    assert not message.endswith(".")
    assert ". " not in message
    return message


@pytest.mark.parametrize(
    "fixture, shape", [("tiny_mnist", (1, 28, 28)), ("tiny_cifar", (3, 32, 32))]
)
def test_the_first_load_downloads_and_the_second_does_not(
    request, server, tmp_path, fixture, shape
):
    data_set = request.getfixturevalue(fixture)
    raw = classic.read_classic(data_set, tmp_path)
    assert raw.train.images.shape[1:] == raw.test.images.shape[1:] == shape
    assert raw.train.images.dtype == torch.uint8
    assert raw.train.images.is_contiguous()
    assert raw.test.labels.tolist() == [i % 10 for i in range(20)]
    assert len(raw.classes) == 10
    assert files_in(tmp_path) == expected_files(data_set)
    num_requests = len(server.requests)
    again = classic.read_classic(data_set, tmp_path)
    assert torch.equal(again.train.images, raw.train.images)
    assert len(server.requests) == num_requests


def test_colours_and_rows_are_where_they_belong(tiny_cifar, tmp_path):
    raw = classic.read_classic(tiny_cifar, tmp_path)
    official = datasets.TinyCIFAR(tmp_path, train=False)
    picture, label = official[7]
    assert raw.test.images[7, 1, 2, 3] == picture.getpixel((3, 2))[1]
    assert raw.test.labels[7] == label


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_our_list_of_files_is_the_one_of_torchvision(name):
    data_set = classic.classic_set(name)
    kind = getattr(datasets, data_set.kind)
    if name == "cifar10":
        listed = dict(
            [*kind.train_list, *kind.test_list, [kind.meta["filename"], kind.meta["md5"]]]
        )
        assert data_set.files == listed
        assert data_set.folder == kind.base_folder
        assert data_set.archives == [kind.filename]
    else:
        assert set(data_set.archives) == {name for name, _ in kind.resources}
        assert data_set.folder == f"{kind.__name__}/raw"


def test_without_a_network_the_sentence_says_what_to_do(no_network, tmp_path):
    with pytest.raises(DataUnavailable) as error:
        classic.read_classic(classic.classic_set("fashion_mnist"), tmp_path)
    message = one_sentence(error)
    for part in (
        "'fashion_mnist' is not in",
        "Name or service not known",
        "train-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        str(tmp_path / "FashionMNIST/raw"),
        "fashion_mnist_mini or shapes",
    ):
        assert part in message
    assert files_in(tmp_path) == set()


def test_archives_that_somebody_put_there_are_unpacked(no_network, server, tiny_mnist, tmp_path):
    place = tmp_path / "TinyMNIST/raw"
    place.mkdir(parents=True)
    for name, content in server.files.items():
        # Compressed anew, as distributions do: other bytes, the same content.
        (place / name).write_bytes(gzip.compress(gzip.decompress(content), 1))
    assert len(classic.read_classic(tiny_mnist, tmp_path).train) == 30
    for name in server.files:
        (place / name).unlink()
    assert len(classic.read_classic(tiny_mnist, tmp_path).test) == 20


def test_only_what_is_missing_is_downloaded(server, tiny_mnist, tmp_path):
    classic.read_classic(tiny_mnist, tmp_path)
    (tmp_path / "TinyMNIST/raw/t10k-images-idx3-ubyte").unlink()
    server.requests.clear()
    classic.read_classic(tiny_mnist, tmp_path)
    assert server.requests == ["t10k-images-idx3-ubyte.gz"]


@pytest.mark.parametrize("fixture", ["tiny_mnist", "tiny_cifar"])
def test_one_flipped_byte_on_disk_is_found(request, tmp_path, fixture):
    data_set = request.getfixturevalue(fixture)
    classic.read_classic(data_set, tmp_path)
    victim = sorted(data_set.paths(tmp_path))[-1]
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    with pytest.raises(DataCorrupt) as error:
        classic.read_classic(data_set, tmp_path)
    message = one_sentence(error)
    assert f"{victim} is damaged" in message
    assert f"delete it and load '{data_set.name}' again" in message
    victim.unlink()
    classic.read_classic(data_set, tmp_path)


@pytest.mark.parametrize("how", ["flip", "cut", "other"])
@pytest.mark.parametrize("fixture", ["tiny_mnist", "tiny_cifar"])
def test_a_damaged_archive_is_named_and_nothing_of_it_used(
    request, server, no_network, tmp_path, fixture, how
):
    data_set = request.getfixturevalue(fixture)
    place = data_set.archive_folder(tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    for name, content in server.files.items():
        (place / name).write_bytes(content)
    name = data_set.archives[0]
    content = bytearray(server.files[name])
    if how == "flip":
        content[len(content) // 2] ^= 1
    elif how == "cut":
        del content[len(content) // 2 :]
    else:
        content = b"<html>log in to this network first</html>"
    (place / name).write_bytes(content)
    with pytest.raises(DataCorrupt) as error:
        classic.read_classic(data_set, tmp_path)
    message = one_sentence(error)
    assert f"{place / name} is damaged" in message
    assert "delete it and load" in message
    for path, md5 in data_set.paths(tmp_path).items():
        assert not path.exists() or classic.md5_of(path) == md5


def test_damage_on_the_way_is_found(server, tiny_cifar, tmp_path):
    server.files["tiny.tar.gz"] = server.files["tiny.tar.gz"][:-1] + b"!"
    with pytest.raises(DataCorrupt, match=r"tiny.tar.gz was damaged on the way"):
        classic.read_classic(tiny_cifar, tmp_path)
    assert files_in(tmp_path) == set()


def test_a_broken_download_leaves_nothing_in_place_and_can_be_had_again(
    server, tiny_cifar, tmp_path
):
    server.breaks_at = 100_000
    with pytest.raises(DataUnavailable) as error:
        classic.read_classic(tiny_cifar, tmp_path)
    assert "cannot be downloaded now (" in one_sentence(error)
    assert files_in(tmp_path) == set()
    server.breaks_at = None
    assert len(classic.read_classic(tiny_cifar, tmp_path).train) == 100
    assert files_in(tmp_path) == expected_files(tiny_cifar)


def test_a_server_that_falls_silent_is_given_up(server, tiny_cifar, tmp_path, monkeypatch):
    monkeypatch.setattr(classic, "TIMEOUT_SECONDS", 0.3)
    server.breaks_at, server.stalls_for = 1000, 2
    with pytest.raises(DataUnavailable, match=r"cannot be downloaded now \(.*timed out"):
        classic.read_classic(tiny_cifar, tmp_path)
    assert files_in(tmp_path) == set()


def test_a_download_shows_how_far_it_is(server, tiny_cifar, tmp_path, capsys):
    classic.read_classic(tiny_cifar, tmp_path)
    said = capsys.readouterr()
    assert "100%" in said.err
    assert said.out == ""


def test_a_mirror_that_has_another_file_is_passed_over(server, tiny_mnist, tmp_path):
    """The first is as a network that wants one to log in: it has a page for every address."""
    for name, content in list(server.files.items()):
        server.files |= {f"good/{name}": content, name: b"<html>log in first</html>"}
    kind = tiny_mnist.torchvision_class()
    kind.mirrors = [server.url, f"{server.url}good/"]
    assert len(classic.read_classic(tiny_mnist, tmp_path).train) == 30


def test_a_process_killed_while_unpacking_leaves_no_half_file_in_place(
    server, tiny_cifar, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed_half_way(source, target, size):
        target.write(source.read(1000))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(classic.shutil, "copyfileobj", killed_half_way)
        with pytest.raises(Killed):
            classic.read_classic(tiny_cifar, tmp_path)
    assert all(name.startswith(".downloading/") for name in files_in(tmp_path))
    (tmp_path / ".downloading/tiny_cifar/tmp12345").write_bytes(b"half a download")
    server.requests.clear()
    assert len(classic.read_classic(tiny_cifar, tmp_path).test) == 20
    assert server.requests == []  # the archive was whole
    assert files_in(tmp_path) == expected_files(tiny_cifar)


def test_two_loads_at_once_do_not_clash(server, tiny_mnist, tmp_path):
    results, errors = [], []

    def load():
        try:
            results.append(len(classic.read_classic(tiny_mnist, tmp_path).train))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results, errors) == ([30] * 4, [])
    assert len(server.requests) == 4  # each archive once
    assert files_in(tmp_path) == expected_files(tiny_mnist)


HOLD_LOCK = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_killed_process_does_not_lock_the_others_out(server, tiny_mnist, tmp_path):
    (tmp_path / ".downloading").mkdir()
    command = [sys.executable, "-c", HOLD_LOCK, str(tmp_path / ".downloading/lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        with ThreadPoolExecutor() as pool:
            loading = pool.submit(classic.read_classic, tiny_mnist, tmp_path)
            with pytest.raises(TimeoutError):
                loading.result(timeout=0.3)
            assert server.requests == []
            holder.kill()
            assert len(loading.result().train) == 30


@pytest.fixture
def tiny_disk(mounts, tmp_path):
    """A disk of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    subprocess.run(mount, check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(server, tiny_cifar, tiny_disk):
    assert len(server.files["tiny.tar.gz"]) > 64 * 1024
    with pytest.raises(DataUnavailable) as error:
        classic.read_classic(tiny_cifar, tiny_disk)
    message = one_sentence(error)
    assert f"the disk of {tiny_disk} is full" in message
    assert "set COURSE_DATA to a folder on another disk" in message
    assert files_in(tiny_disk) == set()


def test_a_disk_that_fills_up_while_unpacking(server, tiny_cifar, tiny_disk):
    """The archive lies elsewhere; only what is unpacked goes to the small disk."""
    outside = tiny_disk.parent / "tiny.tar.gz"
    outside.write_bytes(server.files["tiny.tar.gz"])
    (tiny_disk / "tiny.tar.gz").symlink_to(outside)
    with pytest.raises(DataUnavailable, match="is full: 'tiny_cifar' needs about 360 MB"):
        classic.read_classic(tiny_cifar, tiny_disk)
    for path, md5 in tiny_cifar.paths(tiny_disk).items():
        assert not path.exists() or classic.md5_of(path) == md5
    assert not (tiny_disk / ".downloading/tiny_cifar").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailable) as error:
        classic.read_classic(classic.classic_set("cifar10"), tmp_path / "file" / "data")
    assert "cannot write to" in one_sentence(error)
    assert "set COURSE_DATA to a folder that you may write to" in str(error.value)


def test_the_official_files_from_debian_are_read(official_files, no_network, tmp_path):
    place = tmp_path / "FashionMNIST/raw"
    place.mkdir(parents=True)
    for archive in official_files.glob("*.gz"):
        shutil.copy(archive, place)
    raw = classic.read_classic(classic.classic_set("fashion_mnist"), tmp_path)
    assert raw.train.images.shape == (60_000, 1, 28, 28)
    assert torch.bincount(raw.train.labels).tolist() == [6000] * 10
    assert torch.bincount(raw.test.labels).tolist() == [1000] * 10


def test_importing_does_not_load_torchvision():
    """Importing it takes as long as importing torch."""
    code = (
        "import sys, course_utils.data; names = {'torchvision', 'PIL', 'tqdm.auto', 'pooch'}; "
        "print(sorted(names & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
