"""Names as learning platforms make them, and files that are no submissions."""

import zipfile

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
    "S1_07_lenet.pdf": "is no notebook",
    "07_lenet.ipynb": "without a student's id",
    "homework.ipynb": "without a student's id",
    "S1_homework.ipynb": "without a student's id",
    "doejane_12345_678_homework.ipynb": "is not called 07_lenet.ipynb",
    "doejane_12345_678_08_vgg.ipynb": "is not called 07_lenet.ipynb",
    "ada/07_lenet/Untitled.ipynb": "is not called 07_lenet.ipynb",
    "Jane_12345_assignsubmission_file_/lenet.ipynb": "is not called 07_lenet.ipynb",
    "*_07_lenet.ipynb": "which is no id",
    "-rf_07_lenet.ipynb": "which is no id",
    ".._07_lenet.ipynb": "which is no id",
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
    with pytest.raises(ValueError, match="777, who is not in the list"):
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
    with pytest.raises(ValueError, match="speak of 07_lenet, 08_vgg: add --exercise"):
        which_exercise(tmp_path, ["07_lenet", "08_vgg"])


def test_a_source_that_is_no_folder_and_no_archive_is_refused(tmp_path):
    (tmp_path / "file.txt").write_text("x")
    for path in (tmp_path / "file.txt", tmp_path / "missing"):
        with pytest.raises(ValueError, match="is no folder and no zip file"):
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
