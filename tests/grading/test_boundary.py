"""No submission stops a batch: whatever students send, and whatever their code leaves on a disk.

All of it runs without a kernel. `test_batch.py` has the real thing.
"""

import ast
import copy
import csv
import json
import os
import random
import re
import shutil
import socket
import warnings
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from scripts import load_script

from convnet_grader import attempts, integrity, session
from convnet_grader.batch import throw_away_folder
from convnet_grader.boundary import Problems, Refused, plain
from convnet_grader.collect import collect
from convnet_grader.execute import SandboxedExecute
from convnet_grader.folder import Batch, batch_config, prepare
from convnet_grader.notebook import read_notebook
from convnet_grader.sandbox import clear_away, new_run_folder
from convnet_grader.session import run_batch
from convnet_grader.worker import done

light = load_script(Path(__file__).with_name("light_exercise.py"))
FUZZ = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # halves of characters, too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just("x" * 10_000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


class FullMarks(NbGraderPreprocessor):
    """A step in place of the kernel: every check gives all its points."""

    def preprocess_cell(self, cell, resources, cell_index):
        if is_grade(cell) and not is_solution(cell):
            text = {"text/plain": str(cell.metadata.nbgrader.points)}
            cell.outputs = [nbformat.v4.new_output("execute_result", text, execution_count=1)]
        return cell, resources


def without_kernels(jobs, batch, *, workers=2, on_outcome=None):
    """Grade as a worker does, in this process, and with no code of a student's."""
    from nbgrader.apps import NbGraderAPI

    config = batch_config(batch)
    steps = config.Autograde.autograde_preprocessors
    config.Autograde.autograde_preprocessors = [
        FullMarks if step is SandboxedExecute else step for step in steps
    ]
    with warnings.catch_warnings():  # SQLAlchemy warns of what nbgrader does
        warnings.simplefilter("ignore")
        return [done(NbGraderAPI(config=config), batch, job) for job in jobs]


@pytest.fixture(scope="module")
def solution(tmp_path_factory):
    """The folder of the light exercise."""
    return light.write_solution(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def prepared(solution, tmp_path_factory):
    """A batch of the light exercise that nothing has been graded in."""
    batch = Batch(light.SLUG, solution, tmp_path_factory.mktemp("release"), trusted=True)
    prepare(batch)
    return batch


@pytest.fixture(scope="module")
def released(prepared):
    """The light exercise as it is handed out."""
    return nbformat.read(prepared.notebook("exercises"), as_version=4)


@pytest.fixture
def batch(prepared, tmp_path, monkeypatch):
    """A batch of the light exercise, which starts no kernel."""
    monkeypatch.setattr(session, "grade_all", without_kernels)
    shutil.copytree(prepared.course, tmp_path / "out" / "course")
    return replace(prepared, out=tmp_path / "out")


def table(file):
    """Return the rows of a table."""
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def with_role(notebook, value):
    """Return a notebook, as JSON, whose first check has other metadata."""
    tree = json.loads(nbformat.writes(notebook))
    cell = next(cell for cell in tree["cells"] if cell["id"] == "double_check")
    cell["metadata"]["nbgrader"] = value
    return tree


def compared(released, data):
    """Take a submission through all steps before and after its kernel; return what is said."""
    notebook, said = read_notebook(data)
    nbformat.validate(notebook)
    ours = copy.deepcopy(released)
    assert integrity.belongs(ours, notebook) in (True, False)
    said += integrity.changes(ours, notebook) + integrity.misplaced(ours, notebook)
    said += integrity.suspicions(ours, notebook)
    nbformat.writes(notebook).encode("utf-8")
    plain(" ".join(said)).encode("utf-8")
    return said


@FUZZ
@given(st.data())
def test_any_json_in_any_place_is_graded_or_refused_in_one_sentence(released, data):
    tree = json.loads(nbformat.writes(released))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(light.places(tree))))
        tree = light.exchanged(tree, path, data.draw(JSON))
    problems = Problems()
    with problems.of("x.ipynb"):
        compared(released, json.dumps(tree).encode())
    assert [each for each in problems if not each.reason.startswith("has no notebook inside")] == []
    assert [each for each in problems if "\n" in each.reason or len(each.reason) > 300] == []


@FUZZ
@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_any_bytes_in_any_place_are_graded_or_refused_in_one_sentence(released, junk, place):
    data = nbformat.writes(released).encode()
    place %= len(data)
    problems = Problems()
    with problems.of("x.ipynb"):
        compared(released, data[:place] + junk + data[place + len(junk) :])
    assert [each for each in problems if not each.reason.startswith("has no notebook inside")] == []


@pytest.mark.parametrize(
    "value", ["a", ["grade_id"], None, 5, {"grade_id": None}, {"grade_id": []}]
)
def test_metadata_that_nbgrader_never_wrote_does_not_keep_a_cell_from_being_known(released, value):
    said = compared(released, json.dumps(with_role(released, value)).encode())
    assert said == ["has damaged metadata in cells (1): recognised by their id or text"]


UNREADABLE = {"minus": "-" * 50_000 + "1", "open": "(" * 5_000, "dots": "a" + ".b" * 50_000}


@pytest.mark.parametrize("code", UNREADABLE.values(), ids=UNREADABLE)
def test_code_that_python_cannot_read_costs_nobody_the_comparison(released, code):
    """Which code that is depends on the version of Python; what is no code counts as text."""
    notebook = copy.deepcopy(released)
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    said = compared(released, json.dumps(notebook).encode())
    assert len(said) == (not is_read(code))
    assert all(
        s.startswith("why is unanswered, but a cell that the student added says") for s in said
    )


def is_read(code):
    try:
        ast.parse(code)
    except (SyntaxError, MemoryError, RecursionError):
        return False
    return True


# --- a batch


def damaged(archive, name):
    """Spoil the content of one member of a zip file."""
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo(name)
    data = bytearray(archive.read_bytes())
    start = info.header_offset + 30 + len(name.encode())
    data[start : start + 200] = b"\xff" * 200
    archive.write_bytes(data)


def test_a_batch_goes_on_where_one_submission_after_another_goes_wrong(released, batch, tmp_path):
    good = nbformat.writes(released).encode()
    kinds = {"text": "a", "list": ["a"], "null": None}
    source = tmp_path / "class.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in kinds.items():
            made = json.dumps(with_role(released, value))
            archive.writestr(f"{name}_{light.SLUG}.ipynb", made)
        for name in ("first", "broken", "last"):
            archive.writestr(f"{name}_{light.SLUG}.ipynb", good)
        archive.writestr(f"half_{light.SLUG}.ipynb", good[: len(good) // 2])
        archive.writestr(f"deep_{light.SLUG}.ipynb", b"[" * 100_000)
    damaged(source, f"broken_{light.SLUG}.ipynb")

    for _ in range(2):  # and a later run is no worse
        result = run_batch(source, batch)
        points = {row["student"]: row["points"] for row in table(batch.out / "gradebook.csv")}
        assert points == dict.fromkeys([*kinds, "first", "last"], "4.0")
        lines = {row["student"]: row for row in table(batch.out / "review.csv") if row["student"]}
        refused = {name for name, row in lines.items() if row["kind"] == "not graded"}
        assert refused == {"broken", "half", "deep"}
        assert "Traceback" not in str(lines)
        assert len(result.problems) == 3


def test_a_failure_in_grading_is_a_line_of_that_student(released, batch, tmp_path, monkeypatch):
    source = tmp_path / "sent"
    source.mkdir()
    for name in ("s1", "s2", "s3"):
        (source / f"{name}_{light.SLUG}.ipynb").write_text(nbformat.writes(released))
    keep = attempts.keep

    def fail_once(folder, outcome, files):
        if outcome.student == "s2":
            raise RecursionError("maximum recursion depth exceeded")
        return keep(folder, outcome, files)

    monkeypatch.setattr(attempts, "keep", fail_once)
    assert run_batch(source, batch).num_graded == 2
    assert [row["student"] for row in table(batch.out / "gradebook.csv")] == ["s1", "s3"]
    [line] = [row for row in table(batch.out / "review.csv") if row["kind"] == "not graded"]
    assert (line["student"], line["reason"]) == (
        "s2",
        "makes the grader fail (RecursionError: maximum recursion depth exceeded)",
    )
    monkeypatch.setattr(attempts, "keep", keep)
    assert run_batch(source, batch).num_graded == 1
    assert len(table(batch.out / "gradebook.csv")) == 3


def test_an_outcome_that_a_full_disk_cut_short_costs_nobody_the_tables(released, batch, tmp_path):
    source = tmp_path / "sent"
    source.mkdir()
    for name in ("s1", "s2"):
        (source / f"{name}_{light.SLUG}.ipynb").write_text(nbformat.writes(released))
    run_batch(source, batch)
    [outcome] = (batch.out / "attempts" / "s1").glob("*/outcome.json")
    outcome.write_text(outcome.read_text()[:40])
    (source / f"s1_{light.SLUG}.ipynb").unlink()

    run_batch(source, batch)
    assert [row["student"] for row in table(batch.out / "gradebook.csv")] == ["s2"]
    [line] = [row for row in table(batch.out / "review.csv") if row["student"] == "s1"]
    assert line["kind"] == "look" and line["file"].endswith("outcome.json")


def test_an_analysis_that_fails_costs_nobody_the_points(released, batch, tmp_path, monkeypatch):
    source = tmp_path / "sent"
    source.mkdir()
    (source / f"s1_{light.SLUG}.ipynb").write_text(nbformat.writes(released))

    def fail(*arguments):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(session, "write_items", fail)
    run_batch(source, batch)
    assert len(table(batch.out / "gradebook.csv")) == 1
    line = next(row for row in table(batch.out / "review.csv") if row["file"] == "items.html")
    assert line["reason"] == "makes the grader fail (ZeroDivisionError: division by zero)"


def test_a_refusal_speaks_for_itself_and_any_other_failure_says_what_it_is():
    problems = Problems()
    with problems.of("a\udcb1.ipynb", "a"):
        raise Refused("is a link")
    with problems.of("b.ipynb", "b"):
        raise ValueError("\x1b[31mred\x1b[0m\nand\x07 more")
    assert [problem.reason for problem in problems] == [
        "is a link",
        "makes the grader fail (ValueError: red and\ufffd more)",
    ]
    assert problems[0].name == "a\ufffd.ipynb"


def test_somebody_who_stops_the_batch_is_heard():
    with pytest.raises(KeyboardInterrupt), Problems().of("a.ipynb"):
        raise KeyboardInterrupt


# --- names


def any_names(seed):
    """Return names that a disk takes and hardly any program expects."""
    draw = random.Random(seed)
    letters = [byte for byte in range(1, 256) if byte != ord("/")]
    junk = {bytes(draw.choices(letters, k=draw.randint(1, 60))) for _ in range(60)}
    ends = (b"", b".ipynb", f"_{light.SLUG}.ipynb".encode())
    return sorted({name + draw.choice(ends) for name in junk if len(set(name)) > 2})


def assert_all_listed(source, tmp_path, released):
    """Collect from a source with one honest submission, and write the table of all others."""
    found, problems = collect(source, light.SLUG, tmp_path / "inbox")
    assert "honest" in [job.student for job in found]
    rows = session.review_rows(problems, [], [], {})
    session.write_table(tmp_path / "review.csv", ["a"], session.review_lines(rows))
    text = (tmp_path / "review.csv").read_bytes().decode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
    assert [each for each in problems if "makes the grader fail" in each.reason] == []
    return len(found) + len(problems)


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_are_a_name_on_a_disk(released, tmp_path, seed):
    source = tmp_path / "sent"
    source.mkdir()
    data = nbformat.writes(released).encode()
    names = [name for name in any_names(seed) if not name.startswith(b".")]
    for name in [*names, f"honest_{light.SLUG}.ipynb".encode()]:
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_bytes(data)
    assert assert_all_listed(source, tmp_path, released) > len(names) / 2


def write_archive(file, members, flag=0):
    """Write a zip file whose names are bytes, which may say that they are in UTF-8."""
    stand_ins = {f"{number:04d}".ljust(len(name), "x"): name for number, name in enumerate(members)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for stand_in, name in stand_ins.items():
            archive.writestr(stand_in, members[name])
    data = file.read_bytes()
    for stand_in, name in stand_ins.items():
        for head, place, at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
            found = re.search(
                re.escape(head) + b"(.{%d})" % (at - 4) + stand_in.encode(), data, re.DOTALL
            )
            entry = bytearray(found[0])
            entry[place + 1] |= flag
            entry[at:] = name
            data = data[: found.start()] + bytes(entry) + data[found.end() :]
    file.write_bytes(data)


@pytest.mark.parametrize("flag", [0, 8], ids=["says nothing", "says UTF-8"])
@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_are_a_name_in_an_archive(released, tmp_path, seed, flag):
    data = nbformat.writes(released).encode()
    names = [name for name in any_names(seed) if len(name) > 3]
    members = dict.fromkeys(names, data) | {f"honest_{light.SLUG}.ipynb".encode(): data}
    write_archive(tmp_path / "sent.zip", members, flag)
    assert assert_all_listed(tmp_path / "sent.zip", tmp_path, released) > len(names) / 2


def test_an_archive_with_any_damage_is_read_or_named(released, tmp_path):
    data = nbformat.writes(released).encode()
    whole, draw = tmp_path / "whole.zip", random.Random(0)
    write_archive(
        whole, {b"%d_91_light.ipynb" % n: data for n in range(3)} | {b"\xb1\xe8.txt": b""}, 8
    )
    table = whole.read_bytes().index(b"PK\x01\x02")
    for number in range(120):
        spoilt = bytearray(whole.read_bytes())
        for _ in range(3):
            spoilt[draw.randrange(table if number % 2 else 0, len(spoilt))] = draw.randrange(256)
        file = tmp_path / "spoilt.zip"
        file.write_bytes(spoilt)
        try:
            collect(file, light.SLUG, tmp_path / "inbox")
        except ValueError as error:
            assert re.match(
                rf"{re.escape(str(file))} is (damaged|neither a folder nor a zip)", str(error)
            )


# --- what code leaves on a disk


def nested(folder, depth, name="d"):
    """Make folders inside each other, deeper than a path may be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def any_tree(folder, seed):
    """Make folders, files and other things with any names and modes."""
    draw, folders = random.Random(seed), [folder]
    for number in range(60):
        name = bytes(draw.choices(range(128, 256), k=9)) + b"%d" % number
        place = draw.choice(folders) / os.fsdecode(name)
        kind = draw.randrange(6)
        if kind < 2:
            place.mkdir()
            folders.append(place)
        elif kind == 2:
            os.mkfifo(place)
        elif kind == 3:
            place.symlink_to(draw.choice(["/etc/passwd", ".", "/", place]))
        else:
            with place.open("wb") as file:
                file.truncate(draw.choice([0, 1, 10**9]))
    for place in reversed(folders[1:]):
        place.chmod(draw.choice([0o000, 0o100, 0o400, 0o777, 0o1777]))


def deep(folder):
    nested(folder, 3_000)


def long_names(folder):
    nested(folder, 40, "x" * 250)


def closed(folder):
    (folder / "a" / "b" / "c").mkdir(parents=True)
    for place in (folder / "a" / "b" / "c", folder / "a" / "b", folder / "a"):
        place.chmod(0o000)


def sockets(folder):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))


def anything(seed):
    return partial(any_tree, seed=seed)


TREES = [deep, long_names, closed, sockets, *map(anything, range(4))]


def assert_cleared(make, user):
    """Let a user make a tree, and clear it away."""
    place = Path(mkdtemp(prefix="left-", dir="/tmp"))
    os.chown(place, user, -1)
    me = os.geteuid()
    os.seteuid(user)
    try:
        make(place)
        assert clear_away(place)
        assert not place.exists()
    finally:
        os.seteuid(me)
        clear_away(place)


@pytest.mark.parametrize("make", TREES)
def test_whatever_code_leaves_is_cleared_away(make):
    assert_cleared(make, os.geteuid())


@pytest.mark.parametrize("make", TREES)
def test_an_ordinary_user_clears_it_away_as_well(root, make):
    """Who is not root may not even look into a folder with mode 000."""
    assert_cleared(make, 65534)


def test_a_target_of_a_link_outlives_the_clearing(tmp_path):
    (tmp_path / "left").mkdir()
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (tmp_path / "left" / "link").symlink_to(kept)
    assert clear_away(tmp_path / "left")
    assert kept.is_dir() and kept.stat().st_mode & 0o777 == 0o500


def test_what_a_killed_batch_left_is_cleared_at_the_next_start(batch):
    left = Path(mkdtemp(prefix="grading-"))
    nested(left, 3_000)
    (batch.course / "running.txt").write_text(str(left))
    with throw_away_folder(batch) as folder:
        assert not left.exists()
        nested(folder, 3_000)
    assert not folder.exists()
    assert not (batch.course / "running.txt").exists()


def test_the_folder_of_a_run_is_gone_after_it_whatever_is_in_it(tmp_path):
    with new_run_folder(str(tmp_path)) as folder:
        closed(folder)
        nested(folder, 1_500)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_sent_with_thousands_inside_each_other_costs_one_line(released, tmp_path):
    source = tmp_path / "sent"
    (source / "eve").mkdir(parents=True)
    (source / f"honest_{light.SLUG}.ipynb").write_text(nbformat.writes(released))
    try:
        nested(source / "eve", 1_500)
        found, problems = collect(source, light.SLUG, tmp_path / "inbox")
    finally:
        clear_away(source / "eve")
    assert [job.student for job in found] == ["honest"]
    assert len(problems) == 1
