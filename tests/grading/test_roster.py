"""Tables of students as spreadsheet programs write them: each name right, or a doubt told."""

import csv
import locale
from unicodedata import normalize

import pytest

from convnet_grader.gradebook import write_table
from convnet_grader.roster import filled_in, read_students

WESTERN = {"1": "Jürgen Müller", "2": "Zoë Garçon", "3": "Ærø Ĳsbrand".replace("Ĳ", "I")}
KOREAN = {"1": "김철수", "2": "이영희", "3": "박지민"}


def written(
    tmp_path, students, encoding="utf-8", delimiter=",", head="id,student,note", end="\r\n"
):
    """Write a table as Excel does; return the file."""
    rows = [[id_, student, f"Group {delimiter} A"] for id_, student in students.items()]
    quoted = [delimiter.join([a, b, f'"{c}"']) for a, b, c in rows]
    file = tmp_path / "students.csv"
    text = end.join([head.replace(",", delimiter), *quoted, ""])
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("students", [WESTERN, KOREAN], ids=["western", "korean"])
def test_a_table_in_unicode_is_read_without_a_doubt(tmp_path, students, encoding, delimiter):
    """Semicolons made one name of a whole line in KAMRONBEK/talim-ai#48."""
    assert read_students(written(tmp_path, students, encoding, delimiter)) == (students, "")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(("students", "encoding"), [(WESTERN, "cp1252"), (KOREAN, "cp949")])
def test_a_table_in_an_older_encoding_is_read_and_the_guess_is_told(
    tmp_path, students, encoding, delimiter
):
    """Names in cp1252 were spoilt without a word in foundation50/classroom50#746."""
    found, note = read_students(written(tmp_path, students, encoding, delimiter))
    assert found == students
    assert f"read as {encoding}: line 2 is '1" in note
    assert students["1"] in note


def test_ids_and_students_are_compared_composed(tmp_path):
    students = {"김철수": "Zoë"}
    parts = {normalize("NFD", id_): normalize("NFD", name) for id_, name in students.items()}
    assert read_students(written(tmp_path, parts)) == (students, "")
    twice = written(tmp_path, {"김철수": "a", normalize("NFD", "김철수"): "b"})
    with pytest.raises(ValueError, match="an id or a student twice"):
        read_students(twice)


def test_a_rare_syllable_does_not_make_a_korean_table_a_western_one(tmp_path):
    students = KOREAN | {"4": "똠방각하", "5": "펲시"}
    found, note = read_students(written(tmp_path, students, "cp949"))
    assert found == students and "read as cp949" in note


def test_the_encoding_of_the_machine_comes_before_a_guess(tmp_path, monkeypatch):
    monkeypatch.setattr(locale, "getpreferredencoding", lambda _: "cp1251")
    students = {"1": "Нодира Каримова"}
    found, note = read_students(written(tmp_path, students, "cp1251", ";"))
    assert found == students and "read as cp1251" in note


@pytest.mark.parametrize(
    ("text", "students"),
    [
        ("id\n1\n2\n", {"1": "1", "2": "2"}),
        ("sep=;\nid;student\n1;ada\n", {"1": "ada"}),
        (" ID ;Student\n1; ada \n;;\n\n2;\n", {"1": "ada", "2": "2"}),
        ("id\tname, first\n1\tA, B\n", {"1": "1"}),
        ('"id";"student"\n"1";"ada; the first"\n', {"1": "ada; the first"}),
        ('student,note,id\nada,"two\nlines",1\nbob,,2\n', {"1": "ada", "2": "bob"}),
        ("id,student\r1,ada\r", {"1": "ada"}),
    ],
)
def test_what_spreadsheets_put_around_a_table_does_no_harm(tmp_path, text, students):
    """Empty lines at the end, Excel's own first line, quotes, capitals, the ends of lines."""
    file = tmp_path / "students.csv"
    file.write_bytes(text.encode())
    assert read_students(file) == (students, "")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no column `id` in line 1: ''"),
        (b"name;mail\nAda;a@b\n", "no column `id` in line 1: 'name;mail'"),
        (b"id\n", "no row below its header"),
        (b"id\n1\n\n1\n", "an id or a student twice: 1 in line 4"),
        (b"id,student\n1,a\n2,a\n", "an id or a student twice: 2 in line 3"),
        (b"id;student\n1;ada\n;bob\n", "line 3: no id"),
        (b"id;student\n2,02E+09;ada\n", "line 2: the id 2,02E+09 has lost digits"),
        (b"id\n1\n\x81\x20\n", "cannot be read in line 3"),
        (b"\xff\xfei\0d\0\n", "cannot be read in line"),
        (b"PK\x03\x04\x00\x00", "is not a table of text: save it as CSV, in UTF-8"),
        ("id\n1\n".encode("utf-16-le"), "is not a table of text"),
        (b'id,note\n1,"' + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path, data, sentence):
    """Ids that lost their last digits: jasp-stats/jasp-desktop#927, pulibrary/orangelight#2695."""
    file = tmp_path / "students.csv"
    file.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        read_students(file)
    message = str(caught.value)
    assert str(file) in message and sentence in message and "\n" not in message


MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\r\n"
    'Participant 12345,"Doe, Jane",j@a.example,Submitted,,15.00,\r\n'
    "Participant 12346,=Kim,k@a.example,No submission,,15.00,\r\n"
)
CANVAS = (
    "Student,ID,SIS Login ID,Section,06 Fourier (11),07 LeNet (12)\r\n"
    "    Points Possible,,,,10,15\r\n"
    '"Doe, Jane",12345,jane,A,9,\r\n'
    '"Kim, Lee",12346,lee,A,8,\r\n'
)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        (MOODLE, MOODLE.replace("Submitted,,", "Submitted,11.5,")),
        (MOODLE.replace("Participant ", "참가자"), MOODLE.replace("Participant ", "참가자")
         .replace("Submitted,,", "Submitted,11.5,")),
        (CANVAS, CANVAS.replace("A,9,", "A,9,11.5")),
        (
            CANVAS.replace("07 LeNet (12)", "Essay (13)"),
            CANVAS.replace("07 LeNet (12)", "Essay (13),07_lenet").replace("10,15", "10,15,")
            .replace("A,9,", "A,9,,11.5").replace("A,8,", "A,8,,"),
        ),
        ("id;student\n1;12345\n2;12346\n",
         "id;student;07_lenet\r\n1;12345;11.5\r\n2;12346;\r\n"),
    ],
    ids=["Moodle", "Moodle in Korean", "Canvas", "Canvas without the column", "ours"],
)  # fmt: skip
def test_a_platforms_own_table_comes_back_with_the_points(tmp_path, text, filled):
    """Its rows, columns and order stay, a cell that looks like a formula too."""
    file = tmp_path / "students.csv"
    file.write_bytes(text.encode())
    students, note = read_students(file)
    assert sorted(students.values()) == ["12345", "12346"] and note == ""
    assert filled_in(file, "07_lenet", {"12345": 11.5}) == filled


def test_a_row_without_an_id_is_refused_wherever_it_is_a_students(tmp_path):
    file = tmp_path / "students.csv"
    file.write_text(CANVAS.replace("12346", ""))
    with pytest.raises(ValueError, match="line 4: no id"):
        read_students(file)


def test_a_table_for_a_spreadsheet_keeps_each_text_in_its_cell(tmp_path):
    """Only quoted fields came through in autolab/Autolab#874."""
    cells = ["a,b", "c;d", 'say "e"', "two\nlines", "tab\tbed", "김철수", " f "]
    write_table(tmp_path / "t.csv", ["student, or id", *"bcdefg"], [cells])
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        head, row = csv.reader(file)
    assert head[0] == "student, or id" and row == cells
