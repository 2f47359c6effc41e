"""The quiz of a lesson on a page without a kernel: marked in the browser, and nothing is kept.

The page asks with the widget's own JavaScript. What the kernel would reply is worked out here: one
reply to each choice, the right number or shape, and what each wrong rule gives instead.
"""

import base64
import itertools
import json
from typing import Any

from course_utils import quiz
from course_utils.quiz.bank import Item
from course_utils.quiz.marking import answer_in_words, explain
from course_utils.quiz.render import anchor, markup, phrase
from course_utils.quiz.state import QuizState
from course_utils.quiz.variants import Question, slack
from course_utils.quiz.widget import QuizWidget
from course_utils.widgets.base import css_of, esm_of

KEPT = "Your answers are kept on this machine."
NOT_KEPT = "Nothing is kept: reload the page to begin again."


class PageState(QuizState):
    """A quiz that nobody's answers are read from or written to."""

    def _keep(self) -> None:
        pass


def script(marker: str) -> str:
    """Return the script that brings every quiz on a page to life.

    Args:
        marker: The text of `tools/website/quiz.js`, which marks in the kernel's place.

    Raises:
        ValueError: The widget no longer says where answers are kept, so that this cannot be put
            right.
    """
    esm = esm_of(QuizWidget)
    if esm.count(KEPT) != 1:
        raise ValueError(f"quiz/widget.mjs no longer says {KEPT!r}: say here what it says now")
    code = esm.replace(KEPT, NOT_KEPT).replace("export default ", "const courseWidget = ")
    return f"(() => {{\n{code}\n{marker}}})();\n"


def style() -> str:
    """Return the style sheet of a quiz."""
    return css_of(QuizWidget)


def living(name: str, still: str) -> str:
    """Return the HTML of a quiz that marks at once.

    Args:
        name: Name of its bank, such as `04_stride_padding_pooling`.
        still: What to show where no script runs.
    """
    data = base64.b64encode(json.dumps(replies(name)).encode()).decode()  # no answer meets the eye
    return (
        '<link rel="stylesheet" href="../_static/quiz.css">\n'
        f'<div data-quiz="{data}">{still}</div>\n'
        '<script defer src="../_static/quiz.js"></script>'
    )


def replies(name: str) -> dict[str, Any]:
    """Return a quiz as its page needs it: what the widget shows first, and each item's replies."""
    state = PageState(quiz.load(name))
    shown = state.view()
    items = {item.id: _item(state, item) for item in state.bank.items}
    return {key: shown[key] for key in ("questions", "progress", "summary")} | {"items": items}


def _item(state: PageState, item: Item) -> dict[str, Any]:
    """Return how one item is marked."""
    question = state.question(item.id)
    known = {
        "rules": {rule: phrase(text) for rule, text in state.bank.rules.items()},
        "explanation": markup(explain(question)),
        "solution": phrase(answer_in_words(question)),
        "section": {"href": anchor(item.section), "text": item.section},
        "form": item.form,
        "whole": bool(item.computation) and isinstance(question.answer, int),
    }
    known["replies"] = _typed(state, question) if _is_typed(item) else _chosen(state, question)
    used = {rule for reply in known["replies"] for rule in reply["rules"]}
    known["rules"] = {rule: text for rule, text in known["rules"].items() if rule in used}
    return known


def _is_typed(item: Item) -> bool:
    return item.kind in ("number", "shape")


def _reply(state: PageState, item_id: str, given: Any) -> dict[str, Any]:
    """Return what the page is told about an answer, as if it were the first one."""
    state.restart()
    state.answer(item_id, given)
    told = state.view()["progress"][item_id]
    reply = {key: told[key] for key in ("right", "feedback", "link")}
    return reply | {"given": given, "rules": state.entries[item_id].rules}


def _chosen(state: PageState, question: Question) -> list[dict[str, Any]]:
    """Return the replies to all choices, by the positions of the options."""
    positions = range(len(question.options))
    if question.item.kind == "single":
        return [_reply(state, question.item.id, position) for position in positions]
    subsets = (itertools.combinations(positions, size) for size in range(1, len(positions) + 1))
    every = map(list, itertools.chain.from_iterable(subsets))
    return [_reply(state, question.item.id, chosen) for chosen in every]


def _typed(state: PageState, question: Question) -> list[dict[str, Any]]:
    """Return the replies to the right answer and to what the wrong rules give."""
    item = question.item
    answers = [question.answer, *question.slips.values()]
    around = slack if item.kind == "number" else lambda item, shape: 0.0
    return [_reply(state, item.id, answer) | {"slack": around(item, answer)} for answer in answers]
