"""A seed gives the same question everywhere, and no question on which a slip is right."""

import itertools
import sys
from types import SimpleNamespace

import pytest

from course_utils import quiz
from course_utils.quiz.answer import Answer
from course_utils.quiz.variants import is_close

ITEMS = [(bank.name, item.id) for bank in map(quiz.load, quiz.names()) for item in bank.items]


def posed(name: str, item: str, seed: object) -> quiz.Question:
    bank = quiz.load(name)
    return quiz.pose(bank, bank.item(item), str(seed))


def test_the_draw_is_fixed_for_ever() -> None:
    """Students and graders run different machines: these values may not change."""
    text = """
[[items]]
id = "size"
kind = "number"
section = "x"
question = "{n} {k} {s} {p}"
computation = "shared.output_size"
wrong = ["no_floor", "padding_one_side", "padding_ignored"]
variables = { n = { from = 28, to = 64 }, k = [3, 5, 7], s = [2, 3], p = [1, 2] }
explanation = "x"
"""
    bank = quiz.parse(text, "fixed")
    drawn = [quiz.pose(bank, bank.items[0], seed).text for seed in ("kim", "lee", "2026001")]
    assert drawn == ["54 3 2 2", "28 3 2 2", "64 3 2 2"]


def test_the_same_seed_gives_the_same_question() -> None:
    for name, item in ITEMS:
        first, second = (posed(name, item, "kim") for _ in range(2))
        assert first == second


def test_students_get_different_numbers() -> None:
    texts = {posed("04_stride_padding_pooling", "pooled_shape", n).text for n in range(60)}
    assert len(texts) > 45


def test_no_two_students_have_the_same_quiz() -> None:
    def sheet(student: int) -> tuple[str, ...]:
        bank = quiz.load("04_stride_padding_pooling")
        return tuple(quiz.pose(bank, item, student).text for item in bank.items)

    assert len({sheet(student) for student in range(300)}) == 300


@pytest.mark.parametrize(("name", "item"), ITEMS)
def test_no_slip_is_right(name: str, item: str) -> None:
    for seed in range(25):
        question = posed(name, item, seed)
        if question.item.computation:
            answer = question.answer
            assert question.slips, "nothing to recognise"
            assert not any(is_close(question.item, s, answer) for s in question.slips.values())


def test_every_answer_of_a_choice_stands_in_every_place() -> None:
    places = set()
    for seed in range(40):
        options = posed("04_stride_padding_pooling", "order_of_pooling", seed).options
        places.add([option.right for option in options].index(True))
    assert places == {0, 1, 2, 3}


def test_a_choice_made_by_a_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    def counts() -> Answer:
        return Answer("GoogLeNet", a="AlexNet", b="VGG-16", c="AlexNet", d=None)

    module = SimpleNamespace(counts=counts)
    monkeypatch.setitem(sys.modules, "course_utils.quiz.banks.x.answers", module)
    text = """
[[items]]
id = "nets"
kind = "single"
section = "x"
question = "Which has the fewest parameters?"
computation = "counts"
explanation = "{answer}"
"""
    bank = quiz.parse(text, "x", dict.fromkeys("abcd", "something is done"))
    question = quiz.pose(bank, bank.items[0], "kim")
    options = {option.text: (option.right, option.rule) for option in question.options}
    assert options == {"GoogLeNet": (True, ""), "AlexNet": (False, "a"), "VGG-16": (False, "b")}


def test_wrong_rules_that_differ_are_preferred() -> None:
    """As far as the ranges allow, a wrong answer tells which slip it was."""
    ambiguous = 0
    for seed in range(50):
        slips = posed("04_stride_padding_pooling", "pooled_shape", seed).slips.values()
        ambiguous += any(a == b for a, b in itertools.combinations(slips, 2))
    assert ambiguous == 0
