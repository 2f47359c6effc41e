"""Figures say which processor and which commit they come from."""

import subprocess

import pytest

from course_utils import provenance

TWO_CORES = "processor : 0\nmodel name : Fast 9\nflags : fpu {}\nmodel name : Fast 9\n"


@pytest.mark.parametrize(("flags", "has_amx"), [("amx_bf16", True), ("avx512_bf16", False)])
def test_the_processor_is_read_from_linux(flags, has_amx, monkeypatch):
    monkeypatch.setattr(provenance.Path, "is_file", lambda path: True)
    monkeypatch.setattr(provenance.Path, "read_text", lambda path, code: TWO_CORES.format(flags))
    assert provenance.processor() == ("Fast 9", has_amx)


def test_other_systems_give_the_name_only(monkeypatch):
    monkeypatch.setattr(provenance.Path, "is_file", lambda path: False)
    monkeypatch.setattr(provenance.platform, "processor", lambda: "")
    monkeypatch.setattr(provenance.platform, "machine", lambda: "arm64")
    assert provenance.processor() == ("arm64", False)


def test_git_answers_in_a_repository_and_is_silent_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git("status", "--short", folder=tmp_path) == ""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "new").touch()
    assert provenance.git("status", "--short", folder=tmp_path) == "?? new"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git("status", folder=tmp_path) == ""
