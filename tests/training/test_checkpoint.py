"""Files that are written whole or not at all, and looked at before they are trusted."""

import io
import os
import pickle
import resource
import subprocess
import warnings
from pathlib import Path

import pytest
import torch

from course_utils.training import CheckpointError
from course_utils.training.checkpoint import FORMAT, CheckpointFolder, read


def accept(state):
    """A check that every checkpoint passes."""


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "runs" / "x")


def state_of(step):
    return {"step": step, "weights": torch.full((500,), float(step))}


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


def test_the_last_two_are_kept(folder):
    for step in (5, 10, 15, 100_000_000):
        assert folder.save(state_of(step), step)
    assert names(folder) == ["step-00000015.pt", "step-100000000.pt"]
    assert folder.load(accept)["step"] == 100_000_000


def test_an_empty_folder_has_none(folder):
    assert folder.load(accept) is None


def test_a_half_written_file_is_not_seen_and_makes_way(folder):
    (folder.path / "saving.partial").write_bytes(b"half")
    assert folder.load(accept) is None
    folder.save(state_of(1), 1)
    assert names(folder) == ["step-00000001.pt"]


def test_a_torn_checkpoint_gives_way_to_the_older_one(folder):
    folder.save(state_of(1), 1)
    folder.save(state_of(2), 2)
    newest = folder.files()[0]
    whole = newest.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        newest.write_bytes(whole[:length])
        with pytest.warns(UserWarning, match="step-00000002.pt is damaged.*step-00000001.pt"):
            assert folder.load(accept)["step"] == 1
        assert names(folder) == ["step-00000001.pt", "step-00000002.refused"]


def test_one_changed_byte_never_goes_unnoticed(folder):
    """Every 97th byte in turn: the file is refused, or what is read is what was written."""
    folder.save(state_of(1), 1)
    file = folder.files()[0]
    whole = file.read_bytes()
    refused = 0
    for position in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[position] ^= 0x10
        file.write_bytes(changed)
        try:
            state = read(file)
        except CheckpointError:
            refused += 1
        else:  # padding between the parts of the file
            assert state["step"] == 1 and state["weights"].equal(state_of(1)["weights"])
    assert refused > len(whole) / 97 / 3
    # torch alone would have taken the changed weights:
    changed = bytearray(whole)
    changed[whole.index(state_of(1)["weights"].numpy().tobytes()) + 1000] ^= 0x10
    loaded = torch.load(io.BytesIO(changed), weights_only=True)
    assert not loaded["weights"].equal(state_of(1)["weights"])


class Exploit:
    def __reduce__(self):
        return (os.system, ("touch broken_in",))


def foreign_files():
    archive = io.BytesIO()
    torch.save({"model": torch.zeros(3)}, archive)
    newer = io.BytesIO()
    torch.save({"format": FORMAT, "version": 99}, newer)
    exploit = io.BytesIO()
    torch.save({"format": FORMAT, "version": 1, "bait": Exploit()}, exploit)
    return {
        "was not written by this course": archive.getvalue(),
        "has version 99, and this package reads version 1": newer.getvalue(),
        "is not a checkpoint of tensors and plain data": exploit.getvalue(),
        "is damaged or not a checkpoint": pickle.dumps({"step": 3}),
    }


@pytest.mark.parametrize("reason", foreign_files())
def test_a_foreign_file_is_refused(folder, reason, monkeypatch):
    monkeypatch.chdir(folder.path.parent)
    (folder.path / "step-00000009.pt").write_bytes(foreign_files()[reason])
    with pytest.raises(CheckpointError, match=reason) as caught:
        folder.load(accept)
    assert "step-00000009.pt" in str(caught.value)
    assert "Give another folder, or delete" in str(caught.value)
    assert names(folder) == ["step-00000009.pt"]  # it may be someone's work: left as it is
    folder.save(state_of(1), 1)
    with pytest.warns(UserWarning, match=reason):
        assert folder.load(accept)["step"] == 1
    assert not Path("broken_in").exists()


def test_what_the_check_refuses_is_not_used(folder):
    folder.save(state_of(1), 1)
    folder.save(state_of(2), 2)

    def only_the_first(state):
        if state["step"] != 1:
            raise CheckpointError("belongs to another run")

    with pytest.warns(UserWarning, match="belongs to another run; going on from step-00000001"):
        assert folder.load(only_the_first)["step"] == 1


def test_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"can be made at .*file"):
        CheckpointFolder(tmp_path / "file" / "x")


def test_an_unwritable_disk_is_told_and_survived(folder):
    """The kernel refuses to write beyond a limit, as it does on a full disk."""
    folder.save(state_of(1), 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.warns(UserWarning, match="no checkpoint was written at step 2") as caught:
            assert not folder.save({"weights": torch.zeros(100_000)}, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(caught) == 1
    assert "File too large" in str(caught[0].message)
    assert names(folder) == ["step-00000001.pt"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert folder.load(accept)["step"] == 1


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 300 kB; where none may be mounted, there is nothing to test."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes the rights of root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_told_and_survived(tiny_disk):
    folder = CheckpointFolder(tiny_disk / "run")
    first = {"step": 1, "weights": torch.zeros(30_000)}  # 120 kB: two of them fit, no third
    assert folder.save(first, 1)
    (tiny_disk / "other").write_bytes(bytes(100_000))
    with pytest.warns(UserWarning) as caught:
        assert not folder.save(first | {"step": 2}, 2)
    assert str(caught[0].message) == (
        "no checkpoint was written at step 2, the run goes on without it: No space left on "
        f"device in {folder.path}; the older checkpoints are kept"
    )
    assert names(folder) == ["step-00000001.pt"]
    assert folder.load(accept)["step"] == 1
    (tiny_disk / "other").unlink()
    assert folder.save(first | {"step": 3}, 3)
    assert folder.load(accept)["step"] == 3
