"""Files that are written whole or not at all, and looked at before they are trusted."""

import io
import os
import pickle
import resource
import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from course_utils.training import CheckpointError
from course_utils.training.checkpoint import FORMAT, CheckpointFolder, read

RUN = {"identity": {"lr": 0.1, "batch size": "16"}, "model": {"weight": torch.zeros(2, 3)}}


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "runs" / "x")


def state_of(step):
    return RUN | {"step": step, "weights": torch.full((500,), float(step))}


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


def test_the_last_two_are_kept(folder):
    for step in (5, 10, 15, 100_000_000):
        folder.save(state_of(step), step)
    assert names(folder) == ["step-00000015.pt", "step-100000000.pt"]
    assert folder.load(**RUN)["step"] == 100_000_000


def test_an_empty_folder_has_none(folder):
    assert folder.load(**RUN) is None


def test_a_half_written_file_is_not_seen_and_makes_way(folder):
    (folder.path / "saving.partial").write_bytes(b"half")
    assert folder.load(**RUN) is None
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
            assert folder.load(**RUN)["step"] == 1
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
        "has version 99, but this package reads version 1": newer.getvalue(),
        "is not a checkpoint of tensors and plain data": exploit.getvalue(),
        "is damaged or not a checkpoint": pickle.dumps({"step": 3}),
    }


@pytest.mark.parametrize("reason", foreign_files())
def test_a_foreign_file_is_refused(folder, reason, monkeypatch):
    monkeypatch.chdir(folder.path.parent)
    (folder.path / "step-00000009.pt").write_bytes(foreign_files()[reason])
    with pytest.raises(CheckpointError, match=reason) as caught:
        folder.load(**RUN)
    assert "step-00000009.pt" in str(caught.value)
    assert "Give another folder, or delete" in str(caught.value)
    assert names(folder) == ["step-00000009.pt"]  # it may be someone's work: left as it is
    folder.save(state_of(1), 1)
    with pytest.warns(UserWarning, match=reason):
        assert folder.load(**RUN)["step"] == 1
    assert not Path("broken_in").exists()


def test_a_checkpoint_of_another_run_gives_way_to_the_older_one(folder):
    folder.save(state_of(1), 1)
    folder.save(state_of(2) | {"identity": {"lr": 0.2, "batch size": "16"}}, 2)
    message = (
        r"belongs to another run: its lr is 0\.2, but here it is 0\.1; continuing from step-0+1"
    )
    with pytest.warns(UserWarning, match=message):
        assert folder.load(**RUN)["step"] == 1


def test_another_model_is_named(folder):
    folder.save(state_of(1), 1)
    for other in ({"weight": torch.zeros(3, 2)}, {"kernel": torch.zeros(2, 3)}, {}):
        with pytest.raises(
            CheckpointError, match="belongs to another model: its parameters differ"
        ):
            folder.load(RUN["identity"], other)


def test_a_dropped_setting_counts_where_it_changes_the_run(folder):
    neutral = RUN["identity"] | {"warmup": None, "milestones": [0.5, 0.75], "ema": 0.0}
    folder.save(state_of(1) | {"identity": neutral}, 1)
    assert folder.load(**RUN)["step"] == 1
    folder.save(state_of(2) | {"identity": neutral | {"ema": 0.99}}, 2)
    with pytest.warns(UserWarning, match=r"its ema is 0\.99, but here it is 0\.0; continuing from"):
        assert folder.load(**RUN)["step"] == 1


def test_the_home_folder_may_be_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert CheckpointFolder("~/runs/x").path == tmp_path / "runs" / "x"


def test_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"cannot be created: .*file"):
        CheckpointFolder(tmp_path / "file" / "x")


@contextmanager
def files_limited_to(num_bytes):
    """Let the kernel refuse to write more into a file, as it does on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def disk_filled_up(folder):
    """Leave 30 kB of the disk; where no small disk can be mounted, limit the files instead."""
    if not os.path.ismount(folder):
        with files_limited_to(30_000) as reason:
            yield reason
        return
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "other").write_bytes(bytes(free - 30_000))
    yield "No space left on device"
    (folder / "other").unlink()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 kB, if this process may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(tmp_path)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield tmp_path
    if mounted:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_told_and_survived(small_disk):
    folder = CheckpointFolder(small_disk / "run")
    state = RUN | {"step": 1, "weights": torch.zeros(25_000)}  # 100 kB
    folder.save(state, 1)
    with disk_filled_up(small_disk) as reason, pytest.warns(UserWarning) as caught:
        folder.save(state | {"step": 2}, 2)
    assert [str(warning.message) for warning in caught] == [
        "no checkpoint was written at step 2, and training continues without it: "
        f"{reason} in {folder.path}; the older checkpoints are kept"
    ]
    assert names(folder) == ["step-00000001.pt"]
    assert folder.load(**RUN)["step"] == 1
    folder.save(state | {"step": 3}, 3)
    assert folder.load(**RUN)["step"] == 3


def test_a_write_that_the_kernel_refuses_is_told_and_survived(folder):
    folder.save(state_of(1), 1)
    with files_limited_to(20_000), pytest.warns(UserWarning, match="step 2.*File too large"):
        folder.save({"weights": torch.zeros(100_000)}, 2)
    assert names(folder) == ["step-00000001.pt"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert folder.load(**RUN)["step"] == 1
