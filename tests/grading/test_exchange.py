"""Collecting takes what a student has handed in, and nothing that they only point to."""

import logging
import os
from pathlib import Path

import pytest

from convnet_grader import exchange
from convnet_grader.collect import LARGEST
from convnet_grader.exchange import CollectOwn, number_by_name

SLUG = "07_lenet"
NAME = f"kim+{SLUG}+2026-01-01 10:00:00.0 UTC+x"
OURS = {"timestamp.txt", "submission_secret.txt"}


@pytest.fixture
def collector(tmp_path, monkeypatch):
    """A collector of files that this process owns; only kim is its user."""
    numbers = {"kim": os.geteuid(), "lee": os.geteuid() + 1}
    monkeypatch.setitem(exchange.NUMBERS, "system", numbers.__getitem__)
    made = CollectOwn()
    made.inbound_path = str(tmp_path / "inbound")
    (tmp_path / "inbound").mkdir()
    return made


def record(collector, student, second, make=True):
    """Hand something in for a student."""
    name = f"{student}+{SLUG}+2026-01-01 10:00:{second:02d}.0 UTC+x"
    if make:
        Path(collector.inbound_path, name).mkdir()
    return collector._path_to_record(name)


def test_the_owner_of_a_folder_is_the_student(collector):
    assert collector._is_own(record(collector, "kim", 1))
    assert not collector._is_own(record(collector, "lee", 1))
    assert not collector._is_own(record(collector, "stranger", 1))


def test_the_latest_of_ones_own_comes_before_later_ones_of_strangers(collector, monkeypatch):
    records = [record(collector, "kim", second) for second in (1, 2, 3)]
    own = [records[0]["filename"], records[1]["filename"]]
    monkeypatch.setattr(CollectOwn, "_is_own", lambda self, each: each["filename"] in own)
    order = collector._sort_by_timestamp(records)
    assert [each["timestamp"].second for each in order] == [2, 1, 3]


def test_a_folder_that_is_gone_meanwhile_is_nobodys(collector):
    assert not collector._is_own(record(collector, "kim", 1, make=False))


def test_only_small_plain_files_of_ones_own_are_copied(collector, tmp_path, caplog):
    source, target = tmp_path / NAME, tmp_path / "target"
    source.mkdir()
    secret = tmp_path / "solution.ipynb"
    secret.write_text("the answer")
    (source / f"{SLUG}.ipynb").write_text("mine")
    (source / "link.ipynb").symlink_to(secret)
    (source / "folder").symlink_to(tmp_path)
    (source / "inside").mkdir()
    os.mkfifo(source / "pipe")  # opening one waits, unless it is done with care
    with (source / "large.ipynb").open("wb") as file:
        file.truncate(LARGEST + 1)
    collector.log = logging.getLogger("collector")

    collector.do_copy(str(source), str(target))
    assert {path.name for path in target.iterdir()} == {f"{SLUG}.ipynb", *OURS}
    assert (target / f"{SLUG}.ipynb").read_text() == "mine"
    assert len(caplog.records) == 5


def test_a_file_of_somebody_else_in_ones_folder_is_left(root, collector, tmp_path):
    source, target = tmp_path / NAME, tmp_path / "target"
    source.mkdir()
    (source / "foreign.ipynb").write_text("slipped in")
    os.chown(source / "foreign.ipynb", 12345, 12345)
    collector.do_copy(str(source), str(target))
    assert {path.name for path in target.iterdir()} == OURS


def test_what_nbgrader_needs_later_is_there_whatever_was_handed_in(collector, tmp_path):
    source = tmp_path / NAME
    source.mkdir()
    (source / "timestamp.txt").write_text("yesterday")
    collector.do_copy(str(source), str(tmp_path / "one"))
    collector.do_copy(str(source), str(tmp_path / "two"))
    assert (tmp_path / "one" / "timestamp.txt").read_text() == "2026-01-01 10:00:00.0 UTC"
    made = {(tmp_path / name / "submission_secret.txt").read_text() for name in ("one", "two")}
    assert len(made) == 2 and min(map(len, made)) == 128

    (source / "submission_secret.txt").write_text("of nbgrader")
    collector.do_copy(str(source), str(tmp_path / "three"))
    assert (tmp_path / "three" / "submission_secret.txt").read_text() == "of nbgrader"


@pytest.mark.parametrize("name", ["x", "kim+07_lenet", f"kim+{SLUG}+yesterday+x", "++++"])
def test_a_strange_name_is_nobodys_and_stops_nothing(collector, name):
    (Path(collector.inbound_path) / name).mkdir()
    found = collector._path_to_record(str(Path(collector.inbound_path) / name))
    assert found["filename"] == name
    assert not collector._is_own(found)
    assert collector._sort_by_timestamp([found]) == [found]


def test_a_submission_that_is_a_link_is_refused(collector, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError):
        collector.do_copy(str(tmp_path / "link"), str(tmp_path / "target"))


def test_a_link_or_a_file_is_nobodys_submission(collector):
    made = record(collector, "kim", 1)
    link, file = record(collector, "kim", 2, make=False), record(collector, "kim", 3, make=False)
    place = Path(collector.inbound_path)
    (place / link["filename"]).symlink_to(place / made["filename"])
    (place / file["filename"]).write_text("")
    assert [collector._is_own(each) for each in (made, link, file)] == [True, False, False]


def test_one_that_cannot_be_copied_is_named_and_the_others_are_collected(
    collector, monkeypatch, caplog
):
    collected = []

    def copy(self):
        [student] = [each["username"] for each in self.src_records]
        if student == "lee":
            raise PermissionError(13, "Permission denied")
        collected.append(student)

    monkeypatch.setattr(exchange.ExchangeCollect, "copy_files", copy)
    collector.log = logging.getLogger("collector")
    collector.src_records = [record(collector, name, 1) for name in ("kim", "lee", "park")]
    collector.copy_files()
    assert collected == ["kim", "park"]
    assert len(collector.src_records) == 3
    [said] = caplog.messages
    assert "lee" in said and "Permission denied" in said and said.endswith(": not collected")


def test_numbers_from_names_are_numbers_of_ordinary_users():
    numbers = {number_by_name(f"student{index}") for index in range(300)}
    assert len(numbers) == 300
    assert min(numbers) >= 100_000 and max(numbers) < 2**31
