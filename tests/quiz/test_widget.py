"""The widget without a browser, and what is left of it in a stored notebook."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from course_utils import quiz
from course_utils.quiz.marking import explain
from course_utils.quiz.widget import QuizWidget

ROOT = Path(__file__).resolve().parents[2]
NAME = "04_stride_padding_pooling"


def say(widget: QuizWidget, **message: Any) -> None:
    """What a message from the browser does."""
    widget._handle_custom_msg(message, [])


def test_a_message_is_marked_and_kept() -> None:
    widget = QuizWidget(NAME)
    right = quiz.pose(quiz.load(NAME), quiz.load(NAME).item("output_size"), "lesson").answer
    say(widget, action="answer", id="output_size", answer=str(right), number=1)
    assert widget.progress["output_size"]["right"] and widget.summary["right"] == 1
    assert QuizWidget(NAME).progress == widget.progress


def test_each_action_of_the_page() -> None:
    widget = QuizWidget(NAME)
    for _ in range(2):
        say(widget, action="answer", id="receptive_field", answer="1000")
    assert widget.progress["receptive_field"]["can_reveal"]
    say(widget, action="reveal", id="receptive_field")
    assert widget.progress["receptive_field"]["solution"]
    before = widget.questions
    say(widget, action="vary", id="receptive_field")
    assert widget.questions != before
    say(widget, action="restart")
    assert (widget.questions, widget.progress["receptive_field"]["tries"]) == (before, 0)


def test_what_is_stored_does_not_depend_on_what_was_answered() -> None:
    first, _ = QuizWidget(NAME)._repr_mimebundle_() or ({}, {})
    widget = QuizWidget(NAME)
    say(widget, action="answer", id="output_size", answer="3")
    say(widget, action="vary", id="receptive_field")
    second, _ = QuizWidget(NAME)._repr_mimebundle_() or ({}, {})
    for key in ("text/plain", "text/html"):
        assert first[key] == second[key]
    assert quiz.stored_form(quiz.load(NAME))[1] == first["text/html"]


@pytest.mark.parametrize("name", quiz.names())
def test_the_stored_form_lists_the_questions_and_no_answer(name: str) -> None:
    bank = quiz.load(name)
    text, html = quiz.stored_form(bank)
    assert html.count("<div>") == len(bank.items)
    for item in bank.items:
        explanation = explain(quiz.pose(bank, item, "lesson"))
        assert explanation not in text and explanation not in html
    for sentence in bank.rules.values():
        assert sentence not in text and sentence not in html


def leaks(*, rules: bool) -> dict[str, list[str]]:
    """For each bank what a notebook may not show: rules, reasons, explanations as written.

    Args:
        rules: whether the wrong rules count; visible checks of coding tasks name the same slips.
    """
    found = {}
    for bank in map(quiz.load, quiz.names()):
        texts = list(bank.rules.values()) if rules else []
        texts += [item.explanation.split("{")[0] for item in bank.items]
        texts += [option.why for item in bank.items for option in item.options]
        found[bank.name] = [text for text in texts if len(text) > 25]
    return found


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("exercises/*/*.ipynb")]),
    ids=lambda path: path.stem,
)
def test_no_answer_is_in_a_notebook_that_learners_get(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    is_lesson = path.parent.name == "notebooks"
    parts = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    text = json.dumps(parts if is_lesson else notebook, ensure_ascii=False)
    for bank, secrets in leaks(rules=is_lesson).items():
        for secret in secrets:
            assert json.dumps(secret, ensure_ascii=False)[1:-1] not in text, bank
    assert '"right": true' not in text and "quiz.solution(" not in text
    assert "quiz.numbers(" not in text or is_lesson


def test_the_script_asks_nobody_and_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = QuizWidget(NAME)
    assert "import" not in [line.split(" ")[0] for line in widget._esm.splitlines()]
    assert "fetch(" not in widget._esm and "://" not in widget._esm.replace("http://www.w3", "")
