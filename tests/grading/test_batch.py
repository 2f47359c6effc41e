"""One batch of all the kinds of submissions that a class can think of.

The batch runs once; the tests look at what it came to.
"""

import csv
import os
import random
import re
import socket
import time
import zipfile
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from scripts import load_script

from convnet_grader.attempts import attempts_of
from convnet_grader.boundary import Problems
from convnet_grader.folder import Batch
from convnet_grader.sandbox import Limits, SandboxUnavailable, require_sandbox
from convnet_grader.session import run_batch

light = load_script(Path(__file__).with_name("light_exercise.py"))
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("batch")]
STUDENTS = {f"s{number:02d}": kind for number, kind in enumerate(light.GRADED, start=1)}
IDS = [f"{student}-{kind}" for student, kind in STUDENTS.items()]
FUZZED = [f"f{number:02d}" for number in range(10)]
LAYOUTS = [
    "{id}.ipynb",
    "{id}_" + light.SLUG + ".ipynb",
    "{id}_try 3_" + light.SLUG + " (1).ipynb",
    "{id}/" + light.SLUG + "/" + light.SLUG + ".ipynb",
]


@pytest.fixture(scope="module")
def done(bubblewrap, tmp_path_factory):
    """A batch of everything, as one zip file."""
    tmp = tmp_path_factory.mktemp("batch")
    solution = light.write_solution(tmp / "course")
    out = tmp / "results"
    limits = Limits(seconds=40, memory_mb=400, processes=40)
    batch = Batch(light.SLUG, solution, out, limits, hidden=(tmp,))
    with socket.create_server(("127.0.0.1", 0)) as server:
        paths = SimpleNamespace(
            solution=solution / f"{light.SLUG}.ipynb",
            gradebook=batch.course / "gradebook.db",
            inbox=batch.course / "inbox",
            port=server.getsockname()[1],
        )
        maker = light.Maker(light.released(tmp, solution), paths)
        source, refused = tmp / "class.zip", light.refused(maker)
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, (student, name) in enumerate(STUDENTS.items()):
                notebook = light.GRADED[name].make(maker, student)
                layout = LAYOUTS[number % len(LAYOUTS)]
                archive.writestr(layout.format(id=student), light.as_bytes(notebook))
            for student in FUZZED:
                data = light.fuzzed(maker, student, random.Random(student))
                archive.writestr(f"{student}_{light.SLUG}.ipynb", data)
            for name, (data, _) in refused.items():
                archive.writestr(zipfile.ZipInfo(name), data)
            link = zipfile.ZipInfo(f"s90_{light.SLUG}.ipynb")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
            archive.writestr("__MACOSX/._s01.ipynb", b"\0")
        start = time.monotonic()
        result = run_batch(source, batch, workers=2)
        seconds = time.monotonic() - start
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has come through
            server.accept()
    return SimpleNamespace(
        result=result, batch=batch, out=out, seconds=seconds, source=source, refused=refused
    )


def test_each_kind_of_submission_that_must_be_there_is(done):
    graded = {report.student for report in done.result.reports}
    assert graded - set(FUZZED) == set(STUDENTS)
    assert len(graded) == len(done.result.reports) == done.result.num_graded
    assert len(STUDENTS) + len(done.refused) + len(FUZZED) >= 60


def test_what_the_fuzzer_sent_is_graded_or_refused_in_one_sentence(done):
    graded = {report.student for report in done.result.reports}
    refused = {problem.name: problem.reason for problem in done.result.problems}
    for student in set(FUZZED) - graded:
        reason = refused[f"{student}_{light.SLUG}.ipynb"]
        assert "\n" not in reason and len(reason) <= 300
    assert 0 < len(graded & set(FUZZED)) < len(FUZZED), "some of each"
    assert not done.result.failed


@pytest.mark.parametrize("student", STUDENTS, ids=IDS)
def test_each_student_gets_what_the_answers_are_worth(done, student):
    expected = light.GRADED[STUDENTS[student]]
    report = next(report for report in done.result.reports if report.student == student)
    points = {mark.name: mark.points for mark in report.marks}
    written = points.pop("why")
    assert tuple(points.values()) == expected.points, done.result.review
    assert written == (0 if STUDENTS[student] in light.UNANSWERED else None)
    remarks = [row[3] for row in done.result.review if row[0] == student and row[2] == "look"]
    if expected.remark is None:
        assert not [text for text in remarks if "took longer" in text or "was " in text]
    else:
        assert any(expected.remark in text for text in remarks), remarks


def test_what_cannot_be_graded_is_listed_with_its_reason(done):
    fuzzed = {f"{student}_{light.SLUG}.ipynb" for student in FUZZED}
    found = {p.name: p.reason for p in done.result.problems if p.name not in fuzzed}
    expected = {name: reason for name, (_, reason) in done.refused.items()}
    assert found.pop(f"s90_{light.SLUG}.ipynb") == "is a link to another file: not read"
    assert found.keys() == expected.keys()
    assert [name for name in found if expected[name] not in found[name]] == []
    with (done.out / "review.csv").open(newline="") as file:
        lines = [row for row in csv.DictReader(file) if row["kind"] == "not graded"]
    listed = "\n".join(f"{row['file']} {row['reason']}" for row in lines)
    assert [name for name in expected if name not in listed] == []
    assert len({row["student"] for row in lines}) == len(lines)
    assert not (done.out.parent.parent / f"s85_{light.SLUG}.ipynb").exists()


def test_the_table_of_points_has_all_students(done):
    with (done.out / "gradebook.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows.keys() - set(FUZZED) == STUDENTS.keys()
    assert rows["s01"]["points"] == "4.0" and rows["s01"]["unread"] == "why"
    assert rows["s02"]["points"] == "2.0" and rows["s02"]["mine_check"] == "0.0"


@pytest.mark.parametrize("student", STUDENTS, ids=IDS)
def test_feedback_shows_no_hidden_check_and_needs_no_network(done, student):
    page = (done.out / "feedback" / f"{student}.html").read_text(encoding="utf-8")
    text = re.sub("<[^>]*>", "", page)
    assert "double" in text and "of 5 points" in text
    assert not re.search(r"HIDDEN TESTS|assert (<[^>]*>)*double|map\(ord, os", text)
    assert "default-src 'none'" in page
    assert re.findall(r"""<(?:script|link|img)[^>]*(?:src|href)=["']?(?:https?:)?//""", page) == []


def test_the_analysis_names_what_went_wrong(done):
    page = (done.out / "items.html").read_text(encoding="utf-8")
    assert page.count('role="img"') == 2 and page.count("<title id=") == 2
    assert "0 is not three" in page or "is not three" in page
    assert not re.search(r"(src|href)=", page)


def test_the_code_of_each_student_lies_ready_for_programs_that_compare(done):
    code = {file.stem: file.read_text(encoding="utf-8") for file in (done.out / "code").iterdir()}
    assert STUDENTS.keys() <= code.keys()
    assert code["s01"] == "\n\n".join([light.DOUBLE, light.mine("s01"), light.LAST])
    untouched = next(student for student, kind in STUDENTS.items() if kind == "untouched")
    assert code[untouched] == ""
    given = (done.batch.course / "given" / f"{light.SLUG}.py").read_text(encoding="utf-8")
    assert "handed out" in given and light.SECRET not in given


def test_nothing_is_left_running_or_lying_about(done):
    commands = [
        " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    ]
    assert not [command for command in commands if "98765" in command]
    assert not (done.batch.course / "running.txt").exists()


def test_the_same_line_again_grades_nothing_and_a_new_version_keeps_the_old(done):
    assert run_batch(done.source, done.batch).num_graded == 0

    notebook = nbformat.read(done.batch.course / "inbox" / "s02.ipynb", as_version=4)
    light.named(notebook, "last").source = light.LAST
    folder = done.source.parent / "later"
    folder.mkdir()
    (folder / f"s02_{light.SLUG}.ipynb").write_bytes(light.as_bytes(notebook))
    result = run_batch(folder, done.batch)

    assert result.num_graded == 1
    points = {report.student: report.points for report in result.reports}
    before = {report.student: report.points for report in done.result.reports}
    assert points == before | {"s02": 3.0}
    kept = attempts_of(done.out / "attempts", "s02", Problems())
    assert [sum(attempt.scores.values()) for attempt in kept] == [2.0, 3.0]

    light.named(notebook, "double").source = light.named(notebook, "last").source = ""
    (folder / f"s02_{light.SLUG}.ipynb").write_bytes(light.as_bytes(notebook))
    run_batch(folder, done.batch)
    with (done.out / "gradebook.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["student"] == "s02")
    assert (row["points"], row["attempts"], row["best"]) == ("0.0", "3", "3.0")


def test_points_given_by_a_person_reach_the_table_and_the_feedback(done):
    from nbgrader.api import Gradebook

    with Gradebook(done.batch.gradebook) as gradebook:
        grade = gradebook.find_grade("why", light.SLUG, light.SLUG, "s01")
        grade.manual_score, grade.needs_manual_grade = 0.5, False
        comment = gradebook.find_comment("why", light.SLUG, light.SLUG, "s01")
        comment.manual_comment = "Half of it."
        gradebook.db.commit()
    table = done.out / "canvas.csv"
    table.write_text("ID\n" + "".join(f"{student}\n" for student in STUDENTS))
    result = run_batch(done.source, done.batch, students=table)
    report = next(report for report in result.reports if report.student == "s01")
    assert (report.points, report.unread) == (4.5, [])
    assert "Half of it." in (done.out / "feedback" / "s01.html").read_text(encoding="utf-8")
    assert "Half of it." not in (done.out / "feedback" / "s02.html").read_text(encoding="utf-8")
    with (done.out / "upload.csv").open(newline="") as file:
        uploaded = {row["ID"]: row[light.SLUG] for row in csv.DictReader(file)}
    assert uploaded["s01"] == "4.5", "all has been read"
    unread = next(student for student, kind in STUDENTS.items() if kind == "syntax_error")
    assert uploaded[unread] == "", "a person has still to read an answer"


def test_only_one_batch_writes_to_a_folder(tmp_path):
    from convnet_grader.batch import only_batch

    with (
        only_batch(tmp_path),
        pytest.raises(ValueError, match="another batch is writing"),
        only_batch(tmp_path),
    ):
        pass


def test_a_worker_that_dies_or_hangs_costs_one_submission(tmp_path, monkeypatch):
    from convnet_grader import batch as module
    from convnet_grader.collect import Submission

    jobs = [Submission(student, student, tmp_path, "") for student in ("a", "b", "c", "d")]
    batch = Batch(light.SLUG, tmp_path, tmp_path / "out", Limits(seconds=1))
    batch.course.mkdir(parents=True)
    monkeypatch.setattr(module, "GRACE", 4.0)
    monkeypatch.setattr(module, "work", fake_work)
    monkeypatch.setattr(module, "get_context", lambda kind: get_context("fork"))
    found = {outcome.student: outcome.failure for outcome in module.grade_all(jobs, batch)}
    assert found == {
        "a": "",
        "b": "the grader's own process ended (3)",
        "c": "grading it did not finish, and was stopped",
        "d": "",
    }


def fake_work(connection, batch):
    """A worker that ends at b, and never answers for c."""
    from convnet_grader.attempts import Outcome

    while True:
        job = connection.recv()
        if job.student == "b":
            os._exit(3)
        if job.student == "c":
            time.sleep(600)
        connection.send(Outcome(job.student, job.name, "", ""))


def test_trusted_notebooks_are_graded_without_a_sandbox(tmp_path, monkeypatch):
    solution, source = light.write_solution(tmp_path / "course"), tmp_path / "sent"
    maker = light.Maker(light.released(tmp_path, solution), None)
    source.mkdir()
    (source / f"s1_{light.SLUG}.ipynb").write_bytes(light.as_bytes(maker.perfect("s1")))
    shadow = tmp_path / "bin"
    shadow.mkdir()
    (shadow / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (shadow / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(shadow), os.environ["PATH"]]))
    require_sandbox.cache_clear()
    try:
        batch = Batch(light.SLUG, solution, tmp_path / "out", trusted=False)
        with pytest.raises(SandboxUnavailable, match="does not start"):
            run_batch(source, batch)
        batch = Batch(light.SLUG, solution, tmp_path / "out", trusted=True)
        result = run_batch(source, batch)
    finally:
        require_sandbox.cache_clear()
    assert [report.points for report in result.reports] == [4.0]
