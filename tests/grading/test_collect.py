"""Names as learning platforms make them, and files that are no submissions."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from tempfile import mkdtemp
from unicodedata import normalize

import nbformat
import pytest

from convnet_grader.collect import (
    LARGEST,
    collect,
    identify,
    which_exercise,
)

SLUG = "07_lenet"
NAMES = {
    "S123.ipynb": "S123",
    "12345.ipynb": "12345",
    "S123_07_lenet.ipynb": "S123",
    "ada.l@uni_my best try_07_lenet.ipynb": "ada.l@uni",
    "doejane_12345_678_07_lenet.ipynb": "12345",
    "doejane_LATE_12345_678_07_lenet-2.ipynb": "12345",
    "müller_12345_678_07_lenet (1).ipynb": "12345",
    "Jane Doe_12345_assignsubmission_file_/07_lenet.ipynb": "12345",
    "class/Jane Doe_12345_assignsubmission_file/07_lenet.ipynb": "12345",
    "ada/07_lenet/07_lenet.ipynb": "ada",
    "export/Ada Lovelace/07_lenet/07_lenet.ipynb": "Ada_Lovelace",
    "ada/07_lenet.ipynb": "ada",
    "S1-2.ipynb": "S1-2",
}
REFUSED = {
    "../S1_07_lenet.ipynb": "leads out of its folder",
    "/S1_07_lenet.ipynb": "leads out of its folder",
    "a\\S1_07_lenet.ipynb": "leads out of its folder",
    "C:S1_07_lenet.ipynb": "leads out of its folder",
    "S1_07_lenet.pdf": "is not a notebook",
    "07_lenet.ipynb": "without a student's id",
    "homework.ipynb": "without a student's id",
    "S1_homework.ipynb": "without a student's id",
    "doejane_12345_678_homework.ipynb": "is not called 07_lenet.ipynb",
    "doejane_12345_678_08_vgg.ipynb": "is not called 07_lenet.ipynb",
    "ada/07_lenet/Untitled.ipynb": "is not called 07_lenet.ipynb",
    "Jane_12345_assignsubmission_file_/lenet.ipynb": "is not called 07_lenet.ipynb",
    "*_07_lenet.ipynb": "which is not an id",
    "-rf_07_lenet.ipynb": "which is not an id",
    ".._07_lenet.ipynb": "which is not an id",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_id_is_found_in_a_name(name):
    assert identify(name, SLUG) == NAMES[name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_says_no_student_or_exercise_is_refused(name):
    with pytest.raises(ValueError, match=REFUSED[name]):
        identify(name, SLUG)


def test_a_list_of_students_translates_ids_and_refuses_strangers():
    students = {"12345": "ada", "m_1": "bob"}
    assert identify("doejane_12345_678_07_lenet.ipynb", SLUG, students) == "ada"
    assert identify("m_1_second try_07_lenet.ipynb", SLUG, students) == "bob"
    with pytest.raises(ValueError, match="777, who is not on the list"):
        identify("777_07_lenet.ipynb", SLUG, students)


def notebook(text="1"):
    cell = nbformat.v4.new_code_cell(text, id="one")
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()


def test_the_exercise_is_read_from_the_names(tmp_path):
    (tmp_path / "S1_07_lenet.ipynb").write_bytes(notebook())
    assert which_exercise(tmp_path, ["07_lenet", "08_vgg"]) == "07_lenet"
    with pytest.raises(ValueError, match="do not say which exercise"):
        which_exercise(tmp_path, ["08_vgg"])
    (tmp_path / "S1_08_vgg.ipynb").write_bytes(notebook())
    with pytest.raises(ValueError, match="mention 07_lenet, 08_vgg: add --exercise"):
        which_exercise(tmp_path, ["07_lenet", "08_vgg"])


def test_a_source_that_is_no_folder_and_no_archive_is_refused(tmp_path):
    (tmp_path / "file.txt").write_text("x")
    for path in (tmp_path / "file.txt", tmp_path / "missing"):
        with pytest.raises(ValueError, match="is neither a folder nor a zip file"):
            collect(path, SLUG, tmp_path / "inbox")


def test_files_of_a_folder_are_copied_or_listed(tmp_path):
    source, inbox = tmp_path / "sent", tmp_path / "inbox"
    source.mkdir()
    (source / "S1_07_lenet.ipynb").write_bytes(notebook())
    (source / "S2_07_lenet.ipynb").symlink_to("/etc/passwd")
    (source / "S3").symlink_to("/etc")
    (source / "S4_07_lenet.ipynb").write_bytes(b" " * (LARGEST + 1))
    (source / "S5_07_lenet.ipynb").write_bytes(notebook("other"))
    (source / "S6_a_07_lenet.ipynb").write_bytes(notebook("a"))
    (source / "S6_b_07_lenet.ipynb").write_bytes(notebook("b"))
    (source / "S7_a_07_lenet.ipynb").write_bytes(notebook("a"))
    (source / "S7_b_07_lenet.ipynb").write_bytes(notebook("a"))
    (source / ".DS_Store").write_bytes(b"\0")
    checkpoints = source / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "S1_07_lenet-checkpoint.ipynb").write_bytes(notebook("old"))

    found, problems = collect(source, SLUG, inbox, lambda nb: nb.cells[0].source != "other")

    assert [submission.student for submission in found] == ["S1", "S7"]
    assert found[0].file.read_bytes() == notebook()
    reasons = {problem.name: problem.reason for problem in problems}
    assert sorted(reasons) == ["S2_07_lenet.ipynb", "S3"] + [
        f"{name}_07_lenet.ipynb" for name in ("S4", "S5", "S6_a", "S6_b")
    ]
    assert reasons["S2_07_lenet.ipynb"] == "is a link to another file: not read"
    assert reasons["S4_07_lenet.ipynb"].startswith("is larger than 10 MB")
    assert reasons["S5_07_lenet.ipynb"] == "has no cell of this exercise"
    assert "2 different notebooks" in reasons["S6_a_07_lenet.ipynb"]


PLATFORM = "{}_{}_assignsubmission_file_/"
WRAPPED = "class/", "2026/class/"
EVE = {
    "a folder": (PLATFORM.format("Eve", 666), "123/07_lenet/07_lenet.ipynb"),
    "a folder as of the platform": (
        PLATFORM.format("Eve", 666),
        PLATFORM.format("Ada", 123) + "07_lenet.ipynb",
    ),
    "a name": (PLATFORM.format("Eve", 666), "123_07_lenet.ipynb"),
    "a name as of Canvas": (PLATFORM.format("Eve", 666), "ada_123_4_07_lenet.ipynb"),
    "a deep folder": (PLATFORM.format("Eve", 666), "a/b/c/123/07_lenet/07_lenet.ipynb"),
    "a folder in a plain one": ("666/", "123/07_lenet/07_lenet.ipynb"),
    "a name in a plain one": ("666/", "123_07_lenet.ipynb"),
    "a name as of Canvas in a plain one": ("666/", "ada_123_4_07_lenet.ipynb"),
}


@pytest.mark.parametrize("wrapper", ["", *WRAPPED])
@pytest.mark.parametrize("kind", EVE)
def test_whoever_packs_a_folder_of_somebody_else_stays_who_they_are(tmp_path, kind, wrapper):
    own, inner = EVE[kind]
    other = PLATFORM.format("Ada", 123) if own.startswith("Eve") else "123/"
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr(f"{wrapper}{own}{inner}", notebook("eve"))
        archive.writestr(f"{wrapper}{other}07_lenet.ipynb", notebook("ada"))
    found, problems = collect(tmp_path / "class.zip", SLUG, tmp_path / "inbox")
    texts = {job.student: json.loads(job.file.read_bytes())["cells"][0]["source"] for job in found}
    assert (texts, problems) == ({"666": ["eve"], "123": ["ada"]}, [])


@pytest.mark.parametrize(
    "stray", ["07_lenet.ipynb", "../S9_07_lenet.ipynb", "a/../b_07_lenet.ipynb"]
)
def test_a_stray_notebook_does_not_make_a_folder_of_all_a_student(tmp_path, stray):
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for name in (stray, "class/S1/07_lenet.ipynb", "class/S2_07_lenet.ipynb"):
            archive.writestr(name, notebook(name))
    found, [problem] = collect(tmp_path / "class.zip", SLUG, tmp_path / "inbox")
    assert [job.student for job in found] == ["S1", "S2"]
    assert problem.name == stray


@pytest.mark.parametrize("kind", [name for name in EVE if EVE[name][0].startswith("Eve")])
def test_who_is_alone_in_a_platforms_archive_is_nobody_else(kind):
    assert identify("".join(EVE[kind]), SLUG) == "666"
    assert identify("class/" + "".join(EVE[kind]), SLUG) == "666"


def test_a_list_of_students_says_that_a_folder_is_nobodys_wrapper():
    students = {"666": "eve", "123": "ada"}
    assert identify("666/123/07_lenet/07_lenet.ipynb", SLUG, students) == "eve"
    assert identify("class/123/07_lenet/07_lenet.ipynb", SLUG, students) == "ada"


def test_a_damaged_or_locked_member_of_an_archive_is_one_line(tmp_path):
    source = tmp_path / "class.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("S1", "S2", "S3", "S4", "S5"):
            archive.writestr(f"{name}_07_lenet.ipynb", notebook(name * 100))
        offsets = {info.filename[:2]: info.header_offset for info in archive.infolist()}
    data = bytearray(source.read_bytes())
    body = 30 + len("S1_07_lenet.ipynb")
    data[offsets["S2"] + body : offsets["S2"] + body + 60] = b"\xff" * 60
    data[offsets["S3"]] = 0
    table = data.index(b"PK\x01\x02")
    for number, place, value in ((3, 8, 1), (4, 10, 99)):  # a password; an unknown compression
        data[table + number * (46 + len("S1_07_lenet.ipynb")) + place] |= value
    source.write_bytes(data)
    found, problems = collect(source, SLUG, tmp_path / "inbox")
    assert [job.student for job in found] == ["S1"]
    assert [problem.student for problem in problems] == ["S2", "S3", "S4", "S5"]
    assert [each for each in problems if not each.reason.startswith("makes the grader fail")] == []


def test_a_folder_that_may_not_be_read_is_one_line(root, tmp_path):
    source = Path(mkdtemp(prefix="sent-", dir="/tmp"))
    (source / "S2").mkdir(mode=0o000)
    (source / "S3" / "inside").mkdir(parents=True)
    (source / "S3" / "07_lenet.ipynb").write_bytes(notebook())
    (source / "S3").chmod(0o744)  # its names can be read, and nothing else
    (source / "S1_07_lenet.ipynb").write_bytes(notebook())
    source.chmod(0o755)
    tmp_path.chmod(0o777)
    inbox = Path(mkdtemp(prefix="inbox-", dir="/tmp"))
    inbox.chmod(0o777)
    os.seteuid(65534)
    try:
        found, problems = collect(source, SLUG, inbox)
    finally:
        os.seteuid(0)
        shutil.rmtree(source)
        shutil.rmtree(inbox)
    assert [job.student for job in found] == ["S1"]
    assert {each.name for each in problems} == {"S2", "S3/07_lenet.ipynb", "S3/inside"}
    assert [each for each in problems if "Permission" not in each.reason] == []


KIM = "김철수"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_the_same_composed_and_in_parts(tmp_path, form):
    """macOS takes syllables and accents apart, a list from a spreadsheet does not."""
    for name in (KIM, "Müller"):
        assert identify(normalize(form, f"{name}_07_lenet.ipynb"), SLUG) == name
        assert identify(normalize(form, f"{name}_07_lenet.ipynb"), SLUG, {name: "x1"}) == "x1"
    for other in ("NFC", "NFD"):
        (tmp_path / other).mkdir()
        name = normalize(other, f"{KIM}_a_07_lenet.ipynb")
        (tmp_path / other / name).write_bytes(notebook(other if form == "NFC" else "same"))
    found, problems = collect(tmp_path / "NFC", SLUG, tmp_path / "inbox")
    assert [job.student for job in found] == [KIM]
    for file in (tmp_path / "NFD").iterdir():
        file.rename(tmp_path / "NFC" / normalize("NFD", f"{KIM}_b_07_lenet.ipynb"))
    found, problems = collect(tmp_path / "NFC", SLUG, tmp_path / "inbox")
    assert (len(found), len(problems)) == ((0, 2) if form == "NFC" else (1, 0))


def raw_archive(file, name, data):
    """Write a zip file with a name of bytes, as Windows' own program does."""
    stand_in = "x" * len(name)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(stand_in, data)
    file.write_bytes(file.read_bytes().replace(stand_in.encode(), name))


@pytest.mark.parametrize(
    ("student", "encoding", "said"),
    [
        (KIM, "cp949", "cp949"),
        ("똠방각하", "cp949", "cp949"),  # a syllable that only Windows' encoding has
        ("Müller", "cp437", "cp437"),
        ("José", "cp437", "cp437"),
        (KIM, "utf-8", ""),
    ],
)
def test_a_name_in_an_archive_is_read_in_its_encoding_and_that_is_said(
    tmp_path, student, encoding, said
):
    source = tmp_path / "class.zip"
    raw_archive(source, f"{student}_07_lenet.ipynb".encode(encoding), notebook())
    found, problems = collect(source, SLUG, tmp_path / "inbox")
    assert [(job.student, job.name) for job in found] == [(student, f"{student}_07_lenet.ipynb")]
    reason = f"has a name that is not in UTF-8, and was read as {said}"
    assert [(each.kind, each.reason) for each in problems] == ([("look", reason)] if said else [])


@pytest.mark.parametrize(
    ("name", "student", "said"),
    [
        (f"{KIM}_07_lenet.ipynb".encode("cp949"), KIM, "cp949"),
        ("Müller_07_lenet.ipynb".encode("cp1252"), "Müller", "cp1252"),
        (f"{KIM}/07_lenet/07_lenet.ipynb".encode("cp949"), KIM, "cp949"),
    ],
)
def test_a_name_that_unzip_left_on_a_disk_is_read_in_its_encoding(tmp_path, name, student, said):
    path = Path(os.fsdecode(os.fsencode(tmp_path / "sent") + b"/" + name))
    path.parent.mkdir(parents=True)
    path.write_bytes(notebook())
    found, problems = collect(tmp_path / "sent", SLUG, tmp_path / "inbox")
    assert [job.student for job in found] == [student]
    assert [problem.reason for problem in problems] == [
        f"has a name that is not in UTF-8, and was read as {said}"
    ]
    assert which_exercise(tmp_path / "sent", [SLUG]) == SLUG


def test_a_name_that_nobody_can_read_is_refused_with_the_way_out(tmp_path):
    name = b"\x81 \x8d_07_lenet.ipynb"
    path = Path(os.fsdecode(os.fsencode(tmp_path / "sent") + b"/" + name))
    path.parent.mkdir()
    path.write_bytes(notebook())
    found, [problem] = collect(tmp_path / "sent", SLUG, tmp_path / "inbox")
    assert (found, problem.name) == ([], "\ufffd \ufffd_07_lenet.ipynb")
    assert problem.reason == "has a name in an unknown encoding: rename it, in UTF-8"


def test_an_archive_that_lies_about_sizes_is_not_read_to_the_end(tmp_path):
    source = tmp_path / "bomb.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("S1_07_lenet.ipynb", b" " * (LARGEST * 5))
        archive.writestr("S2_07_lenet.ipynb", notebook())
    found, problems = collect(source, SLUG, tmp_path / "inbox")
    assert [submission.student for submission in found] == ["S2"]
    assert [problem.name for problem in problems] == ["S1_07_lenet.ipynb"]


def test_a_copied_cell_and_one_without_an_id_are_read_without_a_word(tmp_path, recwarn):
    one, other = (nbformat.v4.new_code_cell(text, id="same") for text in ("1", "2"))
    twice = nbformat.v4.new_notebook()
    source = tmp_path / "sent"
    source.mkdir()
    twice.cells = [one, other]
    (source / "S1_07_lenet.ipynb").write_text(nbformat.v4.nbjson.writes(twice))
    del other["id"]
    (source / "S2_07_lenet.ipynb").write_text(nbformat.v4.nbjson.writes(twice))
    found, problems = collect(source, SLUG, tmp_path / "inbox")
    assert (len(found), problems) == (2, [])
    assert [str(warning.message) for warning in recwarn] == []
