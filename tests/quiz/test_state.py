"""A learner at a quiz, without a browser: what is kept, and what the page may know."""

import json
from importlib.resources import files
from typing import Any

import pytest

from course_utils import quiz
from course_utils.quiz import memory
from course_utils.quiz.marking import explain, right_answer
from course_utils.quiz.state import QuizState

NAME = "04_stride_padding_pooling"


@pytest.fixture
def learner() -> QuizState:
    return QuizState(quiz.load(NAME))


def again() -> QuizState:
    """The quiz after its kernel was restarted."""
    learner = QuizState(quiz.load(NAME))
    learner.recall()
    return learner


def progress(learner: QuizState, item: str) -> dict[str, Any]:
    return learner.view()["progress"][item]


def answer_rightly(learner: QuizState, item: str) -> None:
    question = learner.question(item)
    right = right_answer(question)
    texts = [option.text for option in question.options]
    if texts and isinstance(right, list):
        learner.answer(item, [texts.index(text) for text in right])
    else:
        learner.answer(item, texts.index(right) if texts else str(right))


@pytest.mark.parametrize("name", quiz.names())
def test_every_item_of_every_bank_can_be_answered(name: str) -> None:
    learner = QuizState(quiz.load(name))
    for item in learner.bank.items:
        answer_rightly(learner, item.id)
        assert progress(learner, item.id)["right"], item.id
    summary = learner.view()["summary"]
    assert summary["closed"] and summary["slips"] == []
    assert summary["first_try"] == summary["right"] == summary["total"] == len(learner.bank.items)


def test_the_page_knows_no_answer_before_it_is_found(learner: QuizState) -> None:
    for item in learner.bank.items:
        text = json.dumps(learner.view(), ensure_ascii=False)
        question = learner.question(item.id)
        assert explain(question) not in text
        assert not any(sentence in text for sentence in learner.bank.rules.values())
        assert '"rule"' not in text and '"right": true' not in text
        for option in question.options:
            assert not option.why or option.why not in text


def test_the_page_is_the_same_whichever_option_is_right(learner: QuizState) -> None:
    text = files("course_utils.quiz").joinpath("banks", NAME, "lesson.toml").read_text("utf-8")
    mark = 'text = "With max pooling, but not with average pooling", right = true'
    other = 'text = "With both", rule = "average_like_max"'
    assert mark in text and other in text
    flipped = text.replace(mark, mark.replace("right = true", 'rule = "max_like_average"'))
    flipped = flipped.replace(other, 'text = "With both", right = true')
    assert QuizState(quiz.parse(flipped, NAME)).view() == learner.view()


def test_a_wrong_answer_gets_its_rule_and_a_link_but_not_the_answer(learner: QuizState) -> None:
    learner.answer("output_size", str(learner.question("output_size").slips["no_floor"]))
    state = progress(learner, "output_size")
    assert "you do not round the division down" in state["feedback"]
    assert state["link"] == {
        "href": "#What-the-floor-throws-away",
        "text": "What the floor throws away",
    }
    assert (state["right"], state["explanation"], state["solution"]) == (False, "", "")


def test_what_is_no_answer_costs_no_try(learner: QuizState) -> None:
    learner.answer("output_size", "many")
    state = progress(learner, "output_size")
    assert state["tries"] == 0 and "Answer with a number" in state["feedback"]
    learner.answer("order_of_pooling", None)
    learner.answer("order_of_pooling", 17)
    learner.answer("order_of_pooling", True)
    assert progress(learner, "order_of_pooling")["feedback"] == "<p>Choose an answer first.</p>"


def test_a_right_answer_that_is_checked_twice_is_one_try(learner: QuizState) -> None:
    for _ in range(2):
        answer_rightly(learner, "output_size")
    assert progress(learner, "output_size")["tries"] == 1
    learner.answer("receptive_field", "1000")
    learner.answer("receptive_field", "1000")
    assert progress(learner, "receptive_field")["tries"] == 2


def test_the_answer_is_shown_to_somebody_who_has_tried_twice(learner: QuizState) -> None:
    for tries in range(3):
        learner.reveal("receptive_field")
        state = progress(learner, "receptive_field")
        assert state["can_reveal"] is False and bool(state["solution"]) == (tries == 2)
        learner.answer("receptive_field", "1000")
    assert progress(learner, "receptive_field")["done"]


def test_other_numbers_are_another_question(learner: QuizState) -> None:
    before = learner.question("output_size").text
    learner.answer("output_size", "17.5")
    learner.vary("output_size")
    assert learner.question("output_size").text != before
    assert progress(learner, "output_size")["tries"] == 0
    learner.vary("order_of_pooling")  # has no numbers
    assert learner.entries["order_of_pooling"].variant == 0


def test_a_restarted_kernel_knows_all_but_the_hurdles(learner: QuizState) -> None:
    learner.answer("output_size", str(learner.question("output_size").slips["no_floor"]))
    answer_rightly(learner, "output_size")
    learner.answer("order_of_pooling", 0)
    learner.vary("receptive_field")
    assert again().view() == learner.view()


def test_the_summary_counts_wrong_rules_of_all_tries(learner: QuizState) -> None:
    for _ in range(2):
        learner.answer("output_size", str(learner.question("output_size").slips["no_floor"]))
    learner.answer("output_size", str(learner.question("output_size").slips["padding_ignored"]))
    learner.vary("output_size")
    for item in learner.bank.items:
        assert not learner.view()["summary"]["closed"]
        answer_rightly(learner, item.id)
    summary = learner.view()["summary"]
    assert summary["closed"]
    assert [(slip["count"], slip["link"]["text"]) for slip in summary["slips"]] == [
        (2, "What the floor throws away"),
        (1, "What the floor throws away"),
    ]
    assert "you do not round the division down" in summary["slips"][0]["text"]


def test_start_again(learner: QuizState) -> None:
    learner.answer("output_size", "3")
    learner.restart()
    assert learner.view() == QuizState(quiz.load(NAME)).view()
    assert again().entries == QuizState(quiz.load(NAME)).entries


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
    learner = again()
    assert "no_such_item" not in learner.entries
    assert progress(learner, "order_of_pooling")["answer"] is None
    assert progress(learner, "output_size")["answer"] is None
    assert progress(learner, "slide_formula")["answer"] is not None
    assert len(learner.view()["summary"]["slips"]) == 1


def test_a_damaged_file_is_told_on_the_page() -> None:
    memory.remember(NAME, {})
    memory.path_of(NAME).write_text("{")
    assert "damaged" in again().view()["note"]


def test_what_was_kept_of_an_item_that_is_of_another_kind_now_is_let_go() -> None:
    """Lesson 07's training step was put in order once; its answer was a list of all lines."""
    lines = ["`optimizer.zero_grad()`", "`loss.backward()`", "`optimizer.step()`"]
    kept = memory.Entry(answer=lines, tries=2, rules=["loss_forgotten", "gradients_thrown_away"])
    memory.remember("07_lenet", {"training_step": kept})
    learner = QuizState(quiz.load("07_lenet"))
    learner.recall()
    assert progress(learner, "training_step")["answer"] is None
    assert learner.entries["training_step"].rules == ["gradients_thrown_away"]
    answer_rightly(learner, "training_step")
    assert progress(learner, "training_step")["right"]


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
    question = QuizState(quiz.parse(text, "x")).view()["questions"][0]
    assert question["html"] == (
        "<p>Is <code>a &lt; b &amp; c</code> <b>bold</b> &lt;script&gt;alert(1)&lt;/script&gt;?</p>"
    )
    assert set(question["options"]) == {"&lt;b&gt;", "1 * 2 * 3"}
