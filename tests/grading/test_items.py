"""Item analysis, the table of points, and the list for the teacher."""

import csv

import pytest

from convnet_grader.attempts import Outcome
from convnet_grader.collect import Problem
from convnet_grader.gradebook import Mark, Report, write_table
from convnet_grader.items import analyse, commonest, correlation, histogram, write_items
from convnet_grader.session import ReviewRow, review_lines, review_rows

EASY, HARD = [1, 1, 1, 1, 1, 0], [0, 0, 0, 1, 1, 0]


def report(student, easy, hard, written=None):
    marks = (
        Mark("easy", float(easy), 1.0, False, ""),
        Mark("hard", 2.0 * hard, 2.0, False, ""),
        Mark("essay", written, 3.0, written is None, ""),
    )
    return Report(student, marks)


def six():
    return [report(f"s{i}", *pair) for i, pair in enumerate(zip(EASY, HARD, strict=True))]


def test_an_item_is_described_by_share_and_discrimination():
    findings = {
        "s0": {"hard": "CheckFailed: 12 is what you get if you forget the bias"},
        "s1": {"hard": "CheckFailed: You get this if you forget the bias."},
        "s2": {"hard": "expected 7"},
        "s5": {"hard": "CheckFailed: not answered yet"},
    }
    easy, hard, essay = analyse(six(), findings)
    assert (easy.mean, easy.full, easy.most) == (pytest.approx(5 / 6), pytest.approx(5 / 6), 1.0)
    assert hard.mean == pytest.approx(1 / 3)
    # Pearson's correlation of EASY and HARD by hand: 1/9 over 5/36 and 2/9, squared.
    assert hard.discrimination == pytest.approx((1 / 18) / (5 / 36 * 2 / 9) ** 0.5)
    assert hard.unanswered == 1
    assert hard.findings == (("you forget the bias", 2), ("expected 7", 1))
    assert (essay.num_students, essay.mean, essay.discrimination) == (0, 0.0, None)


def test_a_correlation_needs_pairs_that_differ():
    assert correlation([1, 2, 3, 4], [1, 2, 3, 4]) is None
    assert correlation([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]) is None
    assert correlation([1, 2, 3, 4, 5], [10, 8, 6, 4, 2]) == pytest.approx(-1)


def test_sentences_that_differ_in_numbers_count_as_one():
    assert commonest(["got 3.5, expected -2", "got 4, expected 8", "else"]) == [
        ("got 3.5, expected -2", 2),
        ("else", 1),
    ]


def test_a_histogram_has_every_student_once():
    bins = histogram(six())
    assert sum(bins) == 6
    assert (bins[0], bins[3], bins[9]) == (1, 3, 2)  # of 3 points: nobody has read the essay
    assert histogram([report("full", 1, 1, 3.0)])[9] == 1


def test_the_page_takes_nothing_of_a_student_for_markup(tmp_path):
    page = tmp_path / "items.html"
    evil = {"s0": {"hard": "<script>alert(1)</script> =1+1"}}
    write_items(page, "07_lenet", six(), evil)
    text = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in text and "<script" not in text
    assert "6 students" in text and 'role="img"' in text and "easy 83 %" in text


def test_what_nobody_has_read_counts_nowhere(tmp_path):
    reports = [*six(), report("read", 1, 1, 1.5)]
    again = Mark("essay", 3.0, 3.0, True, "")  # read once; then the student sent another answer
    reports.append(Report("again", (*reports[0].marks[:2], again)))
    essay = analyse(reports, {})[2]
    assert (essay.num_students, essay.mean, essay.full) == (1, 0.5, 0.0)
    assert [each.share for each in reports[-2:]] == [4.5 / 6, 1 / 3]
    assert histogram(reports)[7] == 1
    write_items(tmp_path / "items.html", "07_lenet", six(), {})
    text = (tmp_path / "items.html").read_text(encoding="utf-8")
    assert "essay –." in text and "essay 0 %" not in text
    assert "Mean 50 % of the points." in text  # (3 * 1/3 + 2 * 1 + 0) / 6, without the essay


def test_an_item_is_correlated_with_what_has_been_read():
    """Whose essay waits to be read is no weaker for it."""
    marks = [(1, 1, 3.0), (1, 1, None), (0, 0, 0.0), (0, 0, None), (1, 1, 3.0), (0, 0, 0.0)]
    easy = analyse([report(f"s{i}", *each) for i, each in enumerate(marks)], {})[0]
    assert easy.discrimination == pytest.approx(1)


def test_nothing_read_at_all_is_in_no_bar():
    unread = [Report("a", (Mark("essay", None, 3.0, True, ""),))]
    assert (sum(histogram(unread)), unread[0].share) == (0, None)


def test_what_a_students_code_said_is_shown_without_its_colours(tmp_path):
    said = {"s0": {"hard": "\x1b[31mred\x1b[0m \udcb1 \x07"}}
    write_items(tmp_path / "items.html", "07_lenet", six(), said)
    text = (tmp_path / "items.html").read_text(encoding="utf-8")
    assert "<li>1 × red \ufffd \ufffd</li>" in text


def test_no_students_make_a_page_too(tmp_path):
    write_items(tmp_path / "items.html", "07_lenet", [], {})
    assert "0 students" in (tmp_path / "items.html").read_text()


def test_a_spreadsheet_runs_no_cell(tmp_path):
    write_table(tmp_path / "t.csv", ["a", "b"], [["=1+1", 3.0], ["-x", -3.0], [None, "@"]])
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["'=1+1", "3.0"], ["'-x", "-3.0"], ["", "'@"]]


def test_a_table_has_no_terminals_colours_and_no_control_characters(tmp_path):
    cells = [
        "\x1b[0;31mNameError\x1b[0m: x",
        "a\x00b\x9b",
        "\u202egpj.exe",
        "\udcb1.ipynb",
        "ok\r\n",
    ]
    write_table(tmp_path / "t.csv", list("abcde"), [cells])
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        row = list(csv.reader(file))[1]
    assert row == ["NameError: x", "a\ufffdb\ufffd", "\ufffdgpj.exe", "\ufffd.ipynb", "ok\n"]


def row(student, file, kind, reason):
    return ReviewRow(student, file, kind, reason)


def test_the_review_has_a_line_for_each_student_and_kind():
    rows = [
        row("a", "a.ipynb", "look", "ended Python"),
        row("a", "a.ipynb", "look", "x was changed"),
        row("b", "b.ipynb", "look", "x was changed"),
        row("a", "a.ipynb", "look", "ended Python"),
        row("a", "a.ipynb", "read", "the answer why"),
    ]
    assert review_lines(rows) == [
        ("a", "a.ipynb", "look", "ended Python (2 times); x was changed", 3),
        ("b", "b.ipynb", "look", "x was changed", 1),
        ("a", "a.ipynb", "read", "the answer why", 1),
    ]


def test_twenty_thousand_junk_files_are_one_line_that_hides_no_honest_one():
    junk = [
        row("", f"junk/{n}.txt", "not graded", "is not a notebook (.ipynb)") for n in range(20_000)
    ]
    lost = row("", "my homework.ipynb", "not graded", "has a name without a student's id")
    [line] = review_lines([*junk, lost])
    assert line.num_rows == 20_001
    assert "has a name without a student's id: my homework.ipynb" in line.reason
    assert "is not a notebook (.ipynb): junk/0.txt, junk/1.txt" in line.reason
    assert "and 19,980 more" in line.reason
    assert line.file == "junk/0.txt, and 20,000 more"
    assert len(line.reason) < 1000


def test_three_hundred_remarks_are_one_line_that_a_person_reads():
    remarks = [row("a", "a.ipynb", "look", f"replaced f{n}" * 300) for n in range(300)]
    [line] = review_lines(remarks)
    assert line.reason.endswith("; and 292 more")
    assert len(line.reason) < 6_000


def test_the_review_list_has_the_gravest_first():
    outcomes = {
        name: Outcome(name, f"{name}.ipynb", digest, "", remarks=remarks)
        for name, digest, remarks in [("a", "1", ["ended Python"]), ("b", "2", []), ("c", "2", [])]
    }
    reports = [report("a", 1, 0, 2.0), report("b", 1, 0), report("c", 0, 0, 0.0)]
    failed = [Outcome("d", "d.ipynb", "3", "", failure="no reason")]
    rows = review_rows([Problem("x.pdf", "is not a notebook")], failed, reports, outcomes, ["e"])
    assert rows == [
        ("", "x.pdf", "not graded", "is not a notebook"),
        ("d", "d.ipynb", "not graded", "no reason"),
        ("e", "", "missing", "sent nothing that can be graded"),
        ("a", "a.ipynb", "look", "ended Python"),
        ("b", "b.ipynb", "look", "is the same file as the one from c"),
        ("b", "b.ipynb", "read", "the answer essay"),
    ]
