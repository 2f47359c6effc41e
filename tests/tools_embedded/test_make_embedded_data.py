import gzip
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scripts import load_script

from course_utils.data import fashion_mini

TOOL = Path(__file__).parents[2] / "tools" / "make_embedded_data.py"


@pytest.fixture(scope="module")
def tool():
    return load_script(TOOL)


@pytest.mark.usefixtures("official_files")
def test_the_shipped_file_is_what_the_official_ones_give():
    command = [sys.executable, str(TOOL), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "byte for byte" in done.stdout


@pytest.mark.usefixtures("official_files")
def test_the_file_is_written_anew_with_the_same_bytes(tool, tmp_path):
    target = tmp_path / "new" / "file.npz"
    assert tool.main(["--target", str(target)]) == 0
    content = target.read_bytes()
    assert hashlib.sha256(content).hexdigest() == fashion_mini.SHA256


def test_uncompressed_files_do_as_well(tool, tmp_path, official_files):
    for name in tool.OFFICIAL:
        (tmp_path / name).write_bytes(gzip.decompress((official_files / f"{name}.gz").read_bytes()))
    assert tool.main(["--source", str(tmp_path), "--check"]) == 0


def test_a_changed_picture_is_refused(tool, tmp_path, capsys, official_files):
    shutil.copytree(official_files, tmp_path, dirs_exist_ok=True)
    name = "t10k-labels-idx1-ubyte"
    content = bytearray(gzip.decompress((official_files / f"{name}.gz").read_bytes()))
    content[100] ^= 1
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(bytes(content)))
    assert tool.main(["--source", str(tmp_path), "--check"]) == 2
    assert f"{tmp_path / name} is not the official file" in capsys.readouterr().err


def test_missing_files_are_one_sentence_on_stderr(tool, tmp_path, capsys):
    assert tool.main(["--source", str(tmp_path), "--check"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"{tmp_path / 'train-images-idx3-ubyte.gz'} is missing" in said.err
    assert "dataset-fashion-mnist" in said.err
    assert "--source" in said.err


def test_a_difference_is_an_error(tool, tmp_path, capsys):
    target = tmp_path / "other.npz"
    assert tool.compare(b"content", target) == 1  # absent
    target.write_bytes(b"contend")
    assert tool.compare(b"content", target) == 1
    assert "differs from what the official files give" in capsys.readouterr().err
    target.write_bytes(b"content")
    assert tool.compare(b"content", target) == 0


def test_the_first_of_each_class_are_chosen_in_order(tool):
    labels = np.array([c for c in range(10) for _ in range(2)] + list(range(10)))
    assert tool.choose(labels, 1).tolist() == list(range(0, 20, 2))
    assert tool.choose(labels[::-1], 2).tolist()[:3] == [0, 1, 2]


def test_packed_bytes_depend_on_the_arrays_alone(tool, tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros(3, np.uint8)}
    content = tool.pack(arrays)
    assert tool.pack(dict(arrays)) == content
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    with np.load(path) as loaded:
        assert np.array_equal(loaded["a"], arrays["a"])
    with zipfile.ZipFile(path) as archive:
        assert [entry.date_time for entry in archive.infolist()] == [(1980, 1, 1, 0, 0, 0)] * 2
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_BZIP2}
