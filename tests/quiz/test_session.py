"""A learner at a quiz, without a browser: what is kept, and what the page may know."""

import json
from typing import Any

import pytest

from course_utils import quiz
from course_utils.quiz import memory, review
from course_utils.quiz.marking import explain
from course_utils.quiz.session import Session

NAME = "04_stride_padding_pooling"


@pytest.fixture
def session() -> Session:
    return Session(quiz.load(NAME))


def again() -> Session:
    """The session of a restarted kernel."""
    session = Session(quiz.load(NAME))
    session.recall()
    return session


def progress(session: Session, item: str) -> dict[str, Any]:
    return session.view()["progress"][item]


def answer_rightly(session: Session, item: str) -> None:
    question = session.question(item)
    right = review.right_answer(question)
    texts = [option.text for option in question.options]
    if texts and isinstance(right, list):
        session.answer(item, [texts.index(text) for text in right])
    else:
        session.answer(item, texts.index(right) if texts else str(right))


@pytest.mark.parametrize("name", quiz.names())
def test_every_item_of_every_bank_can_be_answered(name: str) -> None:
    session = Session(quiz.load(name))
    for item in session.bank.items:
        answer_rightly(session, item.id)
        assert progress(session, item.id)["right"], item.id
    summary = session.view()["summary"]
    assert summary["closed"] and summary["slips"] == []
    assert summary["first_try"] == summary["right"] == summary["total"] == len(session.bank.items)


def test_the_page_knows_no_answer_before_it_is_found(session: Session) -> None:
    for item in session.bank.items:
        text = json.dumps(session.view(), ensure_ascii=False)
        question = session.question(item.id)
        assert explain(question) not in text
        assert not any(sentence in text for sentence in session.bank.rules.values())
        assert '"rule"' not in text and '"right": true' not in text
        for option in question.options:
            assert not option.why or option.why not in text


def test_the_page_is_the_same_whichever_option_is_right(session: Session) -> None:
    text = (review.SOURCES.parents[1] / f"course_utils/quizzes/{NAME}.toml").read_text("utf-8")
    mark = 'text = "With max pooling, but not with average pooling", right = true'
    other = 'text = "With both", rule = "average_like_max"'
    assert mark in text and other in text
    flipped = text.replace(mark, mark.replace("right = true", 'rule = "max_like_average"'))
    flipped = flipped.replace(other, 'text = "With both", right = true')
    assert Session(quiz.parse(flipped, NAME)).view() == session.view()


def test_a_wrong_answer_gets_its_rule_and_a_link_but_not_the_answer(session: Session) -> None:
    session.answer("output_size", str(session.question("output_size").slips["no_floor"]))
    state = progress(session, "output_size")
    assert "the division is not rounded down" in state["feedback"]
    assert state["link"] == {
        "href": "#What-the-floor-throws-away",
        "text": "What the floor throws away",
    }
    assert (state["right"], state["explanation"], state["solution"]) == (False, "", "")


def test_what_is_no_answer_costs_no_try(session: Session) -> None:
    session.answer("output_size", "many")
    state = progress(session, "output_size")
    assert state["tries"] == 0 and "Answer with a number" in state["feedback"]
    session.answer("order_of_pooling", None)
    session.answer("order_of_pooling", 17)
    session.answer("order_of_pooling", True)
    assert progress(session, "order_of_pooling")["feedback"] == "<p>Choose an answer first.</p>"


def test_a_right_answer_that_is_checked_twice_is_one_try(session: Session) -> None:
    for _ in range(2):
        answer_rightly(session, "output_size")
    assert progress(session, "output_size")["tries"] == 1
    session.answer("receptive_field", "1000")
    session.answer("receptive_field", "1000")
    assert progress(session, "receptive_field")["tries"] == 2


def test_the_answer_is_shown_to_somebody_who_has_tried_twice(session: Session) -> None:
    for tries in range(3):
        session.reveal("receptive_field")
        state = progress(session, "receptive_field")
        assert state["can_reveal"] is False and bool(state["solution"]) == (tries == 2)
        session.answer("receptive_field", "1000")
    assert progress(session, "receptive_field")["done"]


def test_other_numbers_are_another_question(session: Session) -> None:
    before = session.question("output_size").text
    session.answer("output_size", "17.5")
    session.vary("output_size")
    assert session.question("output_size").text != before
    assert progress(session, "output_size")["tries"] == 0
    session.vary("order_of_pooling")  # has no numbers
    assert session.entry("order_of_pooling").variant == 0


def test_a_restarted_kernel_knows_all_but_the_hurdles(session: Session) -> None:
    session.answer("output_size", str(session.question("output_size").slips["no_floor"]))
    answer_rightly(session, "output_size")
    session.answer("order_of_pooling", 0)
    session.vary("receptive_field")
    assert again().view() == session.view()


def test_the_summary_counts_wrong_rules_of_all_tries(session: Session) -> None:
    for _ in range(2):
        session.answer("output_size", str(session.question("output_size").slips["no_floor"]))
    session.answer("output_size", str(session.question("output_size").slips["padding_ignored"]))
    session.vary("output_size")
    for item in session.bank.items:
        assert not session.view()["summary"]["closed"]
        answer_rightly(session, item.id)
    summary = session.view()["summary"]
    assert summary["closed"]
    assert [(slip["count"], slip["link"]["text"]) for slip in summary["slips"]] == [
        (2, "What the floor throws away"),
        (1, "What the floor throws away"),
    ]
    assert "the division is not rounded down" in summary["slips"][0]["text"]


def test_start_again(session: Session) -> None:
    session.answer("output_size", "3")
    session.restart()
    assert session.view() == Session(quiz.load(NAME)).view()
    assert again().entries == {}


def test_answers_to_a_bank_that_has_changed_are_let_go() -> None:
    entries = {
        "no_such_item": memory.Entry(answer="3", tries=1),
        "order_of_pooling": memory.Entry(answer="An option of last year", tries=1, rules=["gone"]),
        "output_size": memory.Entry(answer=["a", "list"], tries=1),
        "slide_formula": memory.Entry(
            answer="The + 1 is one too many", tries=1, rules=["no_plus_one"]
        ),
    }
    memory.remember(NAME, entries)
    session = again()
    assert "no_such_item" not in session.entries
    assert progress(session, "order_of_pooling")["answer"] is None
    assert progress(session, "output_size")["answer"] is None
    assert progress(session, "slide_formula")["answer"] is not None
    assert len(session.view()["summary"]["slips"]) == 1


def test_a_damaged_file_is_told_on_the_page() -> None:
    memory.remember(NAME, {})
    memory.path_of(NAME).write_text("{")
    assert "damaged" in again().view()["note"]


def test_text_of_a_bank_is_no_html() -> None:
    text = """
[[items]]
id = "a"
kind = "single"
section = "x"
question = "Is `a < b & c` **bold** <script>alert(1)</script>?"
explanation = "x"
options = [{ text = "<b>", right = true }, { text = "1 * 2 * 3", rule = "no_floor" }]
"""
    question = Session(quiz.parse(text, "x")).view()["questions"][0]
    assert question["html"] == (
        "<p>Is <code>a &lt; b &amp; c</code> <b>bold</b> &lt;script&gt;alert(1)&lt;/script&gt;?</p>"
    )
    assert set(question["options"]) == {"&lt;b&gt;", "1 * 2 * 3"}
