"""Bank items in graded exercises: whose numbers, and what earns the points."""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from course_utils import checks, quiz
from course_utils.quiz import exercise, marking

NAME = "04_stride_padding_pooling"
ITEMS = [
    (name, item)
    for name, item in [
        (NAME, "output_size"),
        (NAME, "pooled_shape"),
        (NAME, "order_of_pooling"),
        (NAME, "slide_formula"),
        ("05_channels_and_parameters", "twice_as_large"),
        ("07_lenet", "training_step"),
    ]
]


def award(name: str, item: str, student: str, answer: Any) -> float:
    return checks.award(2, quiz.right(name, item, student), answer)


@pytest.mark.parametrize(("name", "item"), ITEMS)
@pytest.mark.parametrize("student", ["kim", "2026001", ""])
def test_a_right_answer_earns_the_points(name: str, item: str, student: str) -> None:
    answer = quiz.solution(name, item, student)
    assert award(name, item, student, answer) == 2.0
    assert checks.show(quiz.form(name, item, student), answer)


@pytest.mark.parametrize("item", ["output_size", "pooled_shape"])
def test_every_slip_is_rejected_by_its_name(item: str) -> None:
    for student in ("kim", "lee"):
        question = quiz.question(NAME, item, student)
        for rule, wrong in question.slips.items():
            with pytest.raises(checks.CheckFailed) as failure:
                award(NAME, item, student, wrong)
            assert str(failure.value) == f"You get this if {question.bank.rules[rule]}."


def test_a_neighbour_s_answer_earns_nothing() -> None:
    students = [f"student{n}" for n in range(30)]
    answers = {s: quiz.solution(NAME, "pooled_shape", s) for s in students}
    passed = 0
    for student, neighbour in itertools.pairwise(students):
        try:
            passed += award(NAME, "pooled_shape", student, answers[neighbour]) > 0
        except checks.CheckFailed:
            continue
    assert passed <= 1  # a few of the many questions have one answer


@pytest.mark.parametrize(
    ("name", "item", "answer", "message"),
    [
        (NAME, "output_size", None, "not answered yet"),
        (NAME, "output_size", "17", "answer with a number such as 55, not with '17'"),
        (NAME, "output_size", True, "not with True"),
        (NAME, "pooled_shape", 7, "answer with a tuple"),
        (NAME, "pooled_shape", (7, 7), "answer with 3 numbers"),
        (NAME, "order_of_pooling", "E", "answer with one of the letters A, B, C, D"),
        ("05_channels_and_parameters", "twice_as_large", set(), "at least one is right"),
        ("05_channels_and_parameters", "twice_as_large", "A", "answer with a set of letters"),
        ("07_lenet", "training_step", {"F"}, "answer with one of the letters A, B, C, D, E"),
    ],
)
def test_the_form_is_checked_at_once(
    name: str, item: str, answer: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not checks.show(quiz.form(name, item), answer)
    assert message in capsys.readouterr().out
    with pytest.raises(checks.CheckFailed, match=message[:12]):
        award(name, item, "", answer)


def test_looking_at_the_form_gives_nothing_away(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[object] = [quiz.solution(NAME, "output_size", "kim"), 3, 17.5]
    for answer in answers:
        checks.show(quiz.form(NAME, "output_size", "kim"), answer, fine="answered")
    assert set(capsys.readouterr().out.splitlines()) == {"✓ answered"}


class Everything:
    """Equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(("name", "item"), ITEMS)
def test_an_object_that_equals_everything_is_no_answer(name: str, item: str) -> None:
    with pytest.raises(checks.CheckFailed):
        award(name, item, "kim", Everything())


def test_what_a_notebook_did_to_the_modules_earns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = int(quiz.question(NAME, "output_size", "kim").answer) + 100  # type: ignore[arg-type]
    yes = marking.Verdict(True, (), ())
    monkeypatch.setattr(marking, "mark", lambda *_: yes)
    monkeypatch.setattr(quiz, "mark", lambda *_: yes)
    monkeypatch.setattr(exercise, "student", lambda *_: "lee")
    with pytest.raises(checks.CheckFailed, match="is not right"):
        award(NAME, "output_size", "kim", wrong)
    assert sys.modules["course_utils.quiz"] is quiz, "what was in use is in use again"


def test_variables_called_like_builtins_change_nothing() -> None:
    code = f"""
from course_utils import checks, quiz
len = sum = type = sorted = str = "mine"
answer = quiz.solution({NAME!r}, "output_size", "kim")
points = checks.award(1, quiz.right({NAME!r}, "output_size", "kim"), answer)
"""
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["points"] == 1.0


# --- Whose numbers -----------------------------------------------------------------------------


def test_the_grader_s_word_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [quiz.student(claimed) for claimed in ("kim", " kim ", "", None, 7)] == [
        "kim",
        "kim",
        "nobody",
        "nobody",
        "nobody",
    ]
    answers = {s: quiz.solution(NAME, "pooled_shape", s) for s in ("kim", "park")}
    assert answers["kim"] != answers["park"]
    monkeypatch.setenv("COURSE_STUDENT", "park")
    assert quiz.student("kim") == "park"
    assert award(NAME, "pooled_shape", "kim", answers["park"]) == 2.0
    with pytest.raises(checks.CheckFailed):
        award(NAME, "pooled_shape", "kim", answers["kim"])


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux")
def test_a_notebook_cannot_change_the_grader_s_word() -> None:
    code = "import os; os.environ['COURSE_STUDENT'] = 'lee'; os.putenv('COURSE_STUDENT', 'lee')\n"
    code += "from course_utils.quiz import student; print(student('lee'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"COURSE_STUDENT": "kim"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "kim"


def test_a_question_is_shown_with_its_letters(capsys: pytest.CaptureFixture[str]) -> None:
    quiz.ask(NAME, "order_of_pooling", "kim")
    shown = capsys.readouterr().out
    assert "4. Somebody changes conv" in shown and "A. " in shown and "D. " in shown
    assert "right" not in shown.replace("all right answers", "")


def test_numbers_are_those_of_the_question() -> None:
    numbers = quiz.numbers(NAME, "output_size", "kim")
    assert f"{numbers['n']} × {numbers['n']}" in quiz.question(NAME, "output_size", "kim").text


def test_a_variant_is_drawn_for_the_student_whom_the_grader_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds = [quiz.generator(name).initial_seed() for name in ("kim", "kim", "lee")]
    assert seeds[0] == seeds[1] != seeds[2]
    monkeypatch.setenv("COURSE_STUDENT", "lee")
    assert quiz.generator("kim").initial_seed() == seeds[2]
