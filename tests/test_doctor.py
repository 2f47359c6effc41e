import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from course_utils import data, doctor


def row(findings, what):
    return next(finding for finding in findings if finding.what == what)


def test_the_table_has_a_row_for_each_data_set():
    table = doctor.doctor()
    names = [line["what"] for line in table]
    assert [name for name in names if name.startswith("data: ")] == [
        f"data: {name}" for name in data.names()
    ]


def test_the_caption_counts_the_problems(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "huge")
    table = doctor.doctor()
    problems = [line for line in table if line["state"] == doctor.WARN]
    assert table.caption == f"{len(problems)} to look at"
    assert any("set it to quick, laptop or full" in line["found"] for line in problems)


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 18))
    assert doctor.check_python().state == doctor.WARN
    assert "the course needs 3.11" in doctor.check_python().found


def test_a_missing_package_says_what_to_run(monkeypatch):
    def version(name):
        if name == "torchvision":
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    findings = doctor.check_packages()
    assert row(findings, "torchvision").found == "missing: run `make lab` again"
    assert row(findings, "torch").state == doctor.GOOD


@pytest.mark.parametrize(
    "kind, text", [("cpu", "no GPU found, and none is needed"), ("mps", "Mac")]
)
def test_the_device_is_named(monkeypatch, kind, text):
    monkeypatch.setattr(doctor.runtime, "choose_device", lambda: torch.device(kind))
    assert text in doctor.check_device().found


@pytest.mark.parametrize("gigabytes, state", [(2, doctor.WARN), (8, doctor.GOOD)])
def test_little_memory_is_pointed_out(monkeypatch, gigabytes, state):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gigabytes * 10**9 // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert doctor.check_memory().state == state


@pytest.mark.parametrize(
    "free, writable, state", [(9e9, True, "ok"), (1e8, True, "look"), (9e9, False, "look")]
)
def test_a_full_or_locked_disk_is_pointed_out(monkeypatch, free, writable, state):
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(os, "access", lambda folder, mode: writable)
    assert doctor.check_disk(Path("/somewhere")).state == state
