"""What was answered is kept, and no damaged file stops a quiz or is lost."""

import json
from pathlib import Path

import pytest

from course_utils.quiz import memory
from course_utils.quiz.memory import Entry, path_of, recall, remember

ENTRIES = {"a": Entry(1, "17.5", 2, ["no_floor"], True), "b": Entry(answer=["x", "y"])}


def test_what_is_remembered_is_recalled(state: Path) -> None:
    assert recall("01_x") == ({}, "")
    assert remember("01_x", ENTRIES) == ""
    assert recall("01_x") == (ENTRIES, "")
    assert recall("02_x") == ({}, "")
    assert path_of("01_x") == state / "quiz" / "01_x.json"


def test_a_quiz_of_an_exercise_has_a_file_of_its_own() -> None:
    remember("exercises/01_x", ENTRIES)
    assert recall("01_x") == ({}, "")
    assert recall("exercises/01_x")[0] == ENTRIES


def test_without_a_folder_named_it_is_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COURSE_STATE")
    monkeypatch.setattr(memory.Path, "home", lambda: tmp_path)
    assert path_of("01_x") == tmp_path / ".convnet-course" / "quiz" / "01_x.json"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"a": 1}',
        '{"a": {"varient": 1}}',
        '{"a": {"tries": "2"}}',
        '{"a": {"rules": "no_floor"}}',
        '{"a": {"variant": true}}',
        "[" * 100_000,
        "\ufeff\x00",
    ],
)
def test_a_damaged_file_is_set_aside(text: str) -> None:
    path = path_of("01_x")
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    entries, note = recall("01_x")
    assert entries == {} and "01_x.unreadable-1.json" in note
    assert not path.exists()
    assert path.with_suffix(".unreadable-1.json").read_text("utf-8") == text


def test_bytes_that_are_no_text_are_set_aside_too() -> None:
    path = path_of("01_x")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe\x00")
    assert "unreadable-1" in recall("01_x")[1]


def test_a_second_damaged_file_does_not_replace_the_first() -> None:
    path = path_of("01_x")
    for text in ("{first", "{second"):
        remember("01_x", ENTRIES)
        path.write_text(text, "utf-8")
        recall("01_x")
    kept = sorted(path.parent.glob("*.unreadable-*.json"))
    assert [file.read_text("utf-8") for file in kept] == ["{first", "{second"]


def test_it_is_written_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    remember("01_x", ENTRIES)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory.Path, "replace", broken)
    assert "No space left on device" in remember("01_x", {})
    assert json.loads(path_of("01_x").read_text("utf-8")).keys() == {"a", "b"}
    assert [file.name for file in path_of("01_x").parent.iterdir()] == ["01_x.json"]


def test_a_folder_that_cannot_be_used_is_said(state: Path) -> None:
    state.write_text("a file where the folder should be")
    assert "set COURSE_STATE to a folder" in remember("01_x", ENTRIES)
    entries, note = recall("01_x")
    assert entries == {} and (not note or "cannot be read" in note)


def test_a_file_that_may_not_be_read_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    remember("01_x", ENTRIES)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(memory.Path, "read_text", denied)
    assert recall("01_x") == ({}, "Your answers cannot be read (Permission denied).")
    assert path_of("01_x").exists()
