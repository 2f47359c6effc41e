import errno
import hashlib
import subprocess
import sys
import time

import pytest

from course_utils.data import DataCorrupt
from course_utils.data.downloads import NETWORK_ERRORS, alone, fetch, is_full, md5_of

CONTENT = bytes(range(256)) * 4000  # more than one chunk
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def target(server, tmp_path):
    server.files["file"] = CONTENT
    return tmp_path / "file"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_download_arrives_whole_under_its_own_name(server, target):
    fetch([f"{server.url}file"], target, MD5)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["file"]


def test_a_download_shows_how_far_it_is(server, target, capsys):
    fetch([f"{server.url}file"], target, MD5)
    said = capsys.readouterr()
    assert "file: 100%" in said.err
    assert said.out == ""


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_is_finished_by_the_next_try(server, target, knows_ranges):
    server.knows_ranges, server.breaks_at = knows_ranges, 300_000
    with pytest.raises(ConnectionError, match="the connection broke"):
        fetch([f"{server.url}file"], target, MD5)
    assert names(target.parent) == ["file.part"]
    server.breaks_at = None
    fetch([f"{server.url}file"], target, MD5)
    assert target.read_bytes() == CONTENT
    assert server.requests == [("file", None), ("file", "bytes=300000-")]


def test_a_beginning_that_is_too_long_is_thrown_away(server, target):
    target.with_name("file.part").write_bytes(CONTENT + b"more")
    fetch([f"{server.url}file"], target, MD5)
    assert target.read_bytes() == CONTENT


def test_the_next_mirror_is_tried(server, target):
    fetch([f"{server.url}nowhere", "http://127.0.0.1:9/file", f"{server.url}file"], target, MD5)
    assert target.read_bytes() == CONTENT


def test_no_server_at_all_is_a_network_error(target):
    with pytest.raises(NETWORK_ERRORS):
        fetch(["http://127.0.0.1:9/file"], target, MD5)
    assert names(target.parent) == []


def test_damaged_content_is_refused_and_leaves_nothing(server, target):
    server.files["file"] = CONTENT[:-1] + b"!"
    with pytest.raises(DataCorrupt, match=r"file was damaged on its way .* load it again"):
        fetch([f"{server.url}file"], target, MD5)
    assert names(target.parent) == []


def test_md5_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert md5_of(tmp_path / "a") == "900150983cd24fb0d6963f7d28e17f72"


def test_a_full_disk_is_recognised():
    assert is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert not is_full(OSError(errno.EACCES, "Permission denied"))


HOLD_LOCK = """
import sys, time
from pathlib import Path
from course_utils.data.downloads import alone
with alone(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start_holder(lock, seconds):
    command = [sys.executable, "-c", HOLD_LOCK, str(lock), str(seconds)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "locked\n"
    return holder


def test_another_process_waits_its_turn(tmp_path):
    holder = start_holder(tmp_path / "lock", 0.5)
    start = time.perf_counter()
    with alone(tmp_path / "lock"):
        waited = time.perf_counter() - start
    assert holder.wait() == 0
    assert waited > 0.3


def test_a_killed_process_gives_the_lock_back(tmp_path):
    holder = start_holder(tmp_path / "lock", 600)
    holder.kill()
    holder.wait()
    with alone(tmp_path / "lock"):
        pass
