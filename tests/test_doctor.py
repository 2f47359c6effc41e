import os
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from course_utils import data, doctor
from course_utils.lab import Server


def row(findings, what):
    return next(finding for finding in findings if finding.what == what)


def test_the_table_has_a_row_for_each_data_set():
    names = [line["what"] for line in doctor.doctor().table()]
    assert [name for name in names if name.startswith("data: ")] == [
        f"data: {name}" for name in data.names()
    ]


READY = doctor.Finding("memory", doctor.GOOD, "16 GB")
FULL = doctor.Finding("disk", doctor.WARN, "<0.1 GB free: make room")


def test_a_machine_that_is_ready_is_told_so_in_one_line():
    report = doctor.Report((READY, READY))
    assert str(report).splitlines() == ["Everything is ready.", doctor.MORE]
    assert repr(report) == str(report)


def test_what_there_is_to_do_is_listed_and_the_rest_is_not():
    report = doctor.Report((READY, FULL))
    assert str(report).splitlines() == [
        "1 thing to look at:", "- disk: <0.1 GB free: make room", doctor.MORE,
    ]  # fmt: skip


def test_a_notebook_folds_the_table_away():
    page = doctor.Report((READY, FULL))._repr_html_()
    first, _, folded = page.partition("<details>")
    assert "1 thing to look at:" in first and "disk: &lt;0.1 GB free" in first
    assert "memory" not in first
    assert "memory" in folded and folded.endswith("</details>")
    assert "<ul>" not in doctor.Report((READY,))._repr_html_()


def test_environment_variables_are_shown_on_request_only():
    variables = {"waiting threads", "freed memory"}
    assert not variables & {finding.what for finding in doctor.doctor().findings}
    assert variables <= {finding.what for finding in doctor.doctor(everything=True).findings}


def test_a_problem_makes_the_report_say_so(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "huge")
    report = doctor.doctor()
    assert any("choose from quick, laptop, full" in problem.found for problem in report.problems)
    assert not report.verdict.startswith("All")


def test_a_forgotten_server_is_named_with_what_ends_it(monkeypatch):
    server = Server(port=8899, pid=1, folder=Path("/course"))
    monkeypatch.setattr(doctor, "forgotten_servers", lambda: [server])
    (finding,) = doctor.check_servers()
    assert finding.state == doctor.WARN
    assert finding.found.endswith(f"{sys.executable} -m jupyter_server stop 8899")


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
