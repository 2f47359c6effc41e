"""Marking: right, wrong by a named rule, wrong in a way of its own, and no answer at all."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, strategies

from course_utils import quiz
from course_utils.quiz import marking
from course_utils.quiz.bank import fill, written


def posed(name: str, item: str, seed: str = "lesson") -> quiz.Question:
    bank = quiz.load(name)
    return quiz.pose(bank, bank.item(item), seed)


SIZE = posed("04_stride_padding_pooling", "output_size")
SHAPE = posed("04_stride_padding_pooling", "pooled_shape")
LOSS = posed("07_lenet", "fresh_loss")
GROWS = posed("05_channels_and_parameters", "twice_as_large")
ORDER = posed("04_stride_padding_pooling", "order_of_pooling")


@pytest.mark.parametrize("question", [SIZE, SHAPE, LOSS, GROWS, ORDER], ids=lambda q: q.item.id)
def test_right_and_wrong_answers_are_marked_as_what_they_are(question: quiz.Question) -> None:
    assert quiz.mark(question, marking.right_answer(question)).right is True
    wrong = list(marking.wrong_answers(question))
    assert wrong
    for rule, answer in wrong:
        verdict = quiz.mark(question, answer)
        assert verdict.right is False
        assert verdict.rules == (rule,)


def test_a_number_is_right_however_it_is_typed() -> None:
    right = SIZE.answer
    for typed in (right, float(right), str(right), f" {right} ", f"{right} pixels", f"{right}.0"):
        assert quiz.mark(SIZE, typed).right, typed


def test_every_slip_of_a_number_is_named() -> None:
    for rule, wrong in SIZE.slips.items():
        verdict = quiz.mark(SIZE, str(wrong))
        assert (verdict.right, verdict.rules) == (False, (rule,))
        assert verdict.sentences == (f"You get this if {SIZE.bank.rules[rule]}.",)


def test_a_number_of_nobody_s_rule() -> None:
    verdict = quiz.mark(SIZE, "100000")
    assert (verdict.right, verdict.rules) == (False, ())
    assert verdict.sentences == ("100,000 is not right, and comes from no slip that we know.",)


def test_a_tolerance_is_kept_on_both_sides() -> None:
    right = float(LOSS.answer)
    assert all(quiz.mark(LOSS, right + d).right for d in (-0.019, 0.019))
    assert not any(quiz.mark(LOSS, right + d).right for d in (-0.021, 0.021))
    size = posed("01_image_tensors", "batch_megabytes")
    assert quiz.mark(size, float(size.answer) * 1.009).right
    assert not quiz.mark(size, float(size.answer) * 1.011).right
    assert not quiz.mark(SIZE, float(SIZE.answer) + 1e-6).right, "without one it is exact"


@pytest.mark.parametrize(
    "typed", ["", "many", "1/0", "nan", "inf", "1 2", "1,2,3", "1,23,456", "0,125,000", "1,2.5",
              None, [3], "(3)"],
)  # fmt: skip
def test_what_is_no_number(typed: Any) -> None:
    with pytest.raises(quiz.NoAnswer, match="a number"):
        quiz.mark(SIZE, typed)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1,234,567.5", 1234567.5),
        ("61 706", 61706),
        ("61\u202f706,5", 61706.5),
        ("1’234.5", 1234.5),
        ("-1/4", -0.25),
        ("1/2,5", 0.4),
        ("1e3", 1000),
        ("1,5e3", 1500),
        ("0,125", 0.125),
        ("−0,5", -0.5),
        (",5", 0.5),
        ("1,23", 1.23),
        ("1234,567", 1234.567),
        ("1.234,567", 1234.567),
        ("1.234.567", 1234567),
        ("1.250", 1.25),  # a point is the decimal point, as everywhere in the course
        ("9007199254740991", 2**53 - 1),
    ],
)
def test_numbers_that_people_type(typed: str, value: float) -> None:
    assert marking.read_number(typed) == value
    assert marking.read_number(typed, whole=True) == value


def test_a_comma_that_may_be_either_is_asked_about() -> None:
    """16,000 is not 16 (Khan/perseus#2574), and 3,145 is either (sakaiproject/sakai#344)."""
    assert marking.read_number("61,706", whole=True) == 61706
    assert marking.read_number("16,000", whole=True) == 16000
    with pytest.raises(quiz.NoAnswer, match=r"^3,145 can be read as 3145 or as 3\.145"):
        marking.read_number("3,145")
    with pytest.raises(quiz.NoAnswer, match=r"^1,250 can be read as 1250 or as 1\.250: write one"):
        marking.read_number("1,250")


def test_a_comma_in_an_answer_is_read_by_what_the_question_asks_for() -> None:
    whole, size = (
        posed("07_lenet", "second_convolution"),
        posed("01_image_tensors", "batch_megabytes"),
    )
    assert quiz.mark(whole, f"{whole.answer:,}").right
    assert quiz.mark(LOSS, f"{LOSS.answer:.2f}".replace(".", ",")).right
    with pytest.raises(quiz.NoAnswer, match="can be read as"):
        quiz.mark(size, "19,268")


WAYS = [("", "."), (",", "."), (" ", "."), ("\u202f", ","), ("'", "."), ("", ","), (".", ",")]


@given(
    value=strategies.decimals(-(10**9), 10**9, places=5) | strategies.integers(-(10**9), 10**9),
    way=strategies.sampled_from(WAYS),
    whole=strategies.booleans(),
)
def test_a_number_is_read_as_it_was_meant_or_asked_about(
    value: Decimal | int, way: tuple[str, str], whole: bool
) -> None:
    thousands, point = way
    plain = f"{Decimal(value).normalize():,f}"
    typed = plain.replace(",", "T").replace(".", point).replace("T", thousands)
    assume(not (whole and "." in plain))  # only a whole number makes sense
    assume(not re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", typed) or point == ".")  # see 1.250 above
    if re.fullmatch(r"-?[1-9]\d{0,2},\d{3}", typed) and not whole:
        with pytest.raises(quiz.NoAnswer, match="can be read as"):
            marking.read_number(typed)
    else:
        assert marking.read_number(typed, whole=whole) == float(value)


@pytest.mark.parametrize(
    ("typed", "kind"), [("61706", int), ("5.0", int), (5.0, float), ("9007199254740992", float)]
)
def test_a_typed_number_is_whole_as_long_as_a_float_holds_it(typed: Any, kind: type) -> None:
    assert type(marking.read_number(typed)) is kind


def test_what_is_no_answer_is_told_what_is_one() -> None:
    for question, answer, sentence in [
        (ORDER, "else", "choose one of the answers"),
        (GROWS, {"else"}, "choose from the statements"),
        (GROWS, set(), "choose at least one statement: at least one is right"),
        (SIZE, "many", "answer with a number, such as 61706 or 0.25"),
        (SHAPE, "many", "answer with sizes, such as (16, 5, 5)"),
    ]:
        with pytest.raises(quiz.NoAnswer) as refusal:
            quiz.mark(question, answer)
        assert str(refusal.value) == sentence
    with pytest.raises(quiz.NoAnswer, match=r"^answer with 3 sizes: \w"):
        quiz.mark(SHAPE, (1, 2))


def test_a_misjudged_statement_says_why_where_the_bank_does() -> None:
    judged = [q for q in every_question() if q.item.kind == "multiple"]
    assert any(option.why for question in judged for option in question.options)
    for question in judged:
        right = {option.text for option in question.options if option.right}
        for option in question.options:
            chosen = right ^ {option.text}
            if chosen:  # nothing chosen is no answer
                told = quiz.mark(question, chosen).sentences[1]
                assert told.endswith(f". {option.why}" if option.why else ".")
        assert marking.answer_in_words(question) == "; ".join(
            o.text for o in question.options if o.right
        )


def every_question() -> list[quiz.Question]:
    banks = [quiz.load(name) for name in quiz.names()]
    return [quiz.pose(bank, item, "lesson") for bank in banks for item in bank.items]


def test_a_shape_is_right_however_it_is_typed() -> None:
    right = SHAPE.answer
    assert isinstance(right, tuple)
    c, h, w = right
    for typed in (
        right,
        list(right),
        str(right),
        f"{c} x {h} x {w}",
        f"[{c},{h}, {w}]",
        f"{c}×{h}×{w}",
    ):
        assert quiz.mark(SHAPE, typed).right, typed


def test_every_slip_of_a_shape_is_named() -> None:
    for rule, wrong in SHAPE.slips.items():
        assert quiz.mark(SHAPE, wrong).rules == (rule,)


@pytest.mark.parametrize(
    "typed", ["", "16", "16, 5", "a x b x c", "1.5, 2, 3", "-1, 2, 3", 16, None]
)
def test_what_is_no_shape(typed: Any) -> None:
    with pytest.raises(quiz.NoAnswer):
        quiz.mark(SHAPE, typed)


def test_a_single_choice() -> None:
    for option in ORDER.options:
        verdict = quiz.mark(ORDER, option.text)
        assert verdict.right == option.right
        assert verdict.rules == ((option.rule,) if option.rule else ())
        assert not option.why or option.why in verdict.sentences
    with pytest.raises(quiz.NoAnswer):
        quiz.mark(ORDER, "something else")


def test_a_multiple_choice_must_be_right_in_all() -> None:
    right = {option.text for option in GROWS.options if option.right}
    assert quiz.mark(GROWS, right).right
    for option in GROWS.options:
        verdict = quiz.mark(GROWS, right ^ {option.text})
        assert not verdict.right and verdict.rules == (option.rule,)
        assert verdict.sentences[0] == "You judge 3 of 4 correctly."
    with pytest.raises(quiz.NoAnswer, match="at least one"):
        quiz.mark(GROWS, set())
    with pytest.raises(quiz.NoAnswer):
        quiz.mark(GROWS, {"something else"})


def test_a_misjudged_statement_is_called_by_the_letter_it_is_shown_with() -> None:
    right = {option.text for option in GROWS.options if option.right}
    last = GROWS.options[-1]
    verdict = quiz.mark(GROWS, right ^ {last.text})
    assert verdict.sentences[1].startswith("You misjudge D if")


def test_explanations_hold_the_answer_and_the_ledger() -> None:
    assert str(SIZE.answer) in marking.explain(SIZE)
    mistake = posed("04_stride_padding_pooling", "slide_formula")
    assert "floor((n + 2p - k) / s) + 1" in marking.explain(mistake)
    assert marking.answer_in_words(SIZE) == f"{SIZE.answer} pixels"
    assert marking.answer_in_words(mistake) == "The padding and the floor are missing"


def test_texts_are_filled() -> None:
    assert fill("{n} of {c:,} { set } {answer:.1f}", {"n": 3, "c": 12345, "answer": 2.25}) == (
        "3 of 12,345 { set } 2.2"
    )
    assert fill("{fact:vgg16.parameters}", {}) == "138 x 10^6 parameters"
    assert [written(v) for v in (7, 61706, (1, 20), 2.5, 15.0)] == [
        "7",
        "61,706",
        "(1, 20)",
        "2.5",
        "15",
    ]
