"""Questions as text and as HTML, with nothing that gives an answer away."""

import html
import re
from urllib.parse import quote

from course_utils.quiz.bank import Bank
from course_utils.quiz.variants import NOBODY, SEED, Question, pose

__all__ = ["anchor", "as_html", "as_text", "how_to_answer", "markup", "phrase", "stored_form"]

HOW = "To answer, run this cell in JupyterLab: each answer is marked at once and saved."

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*(?!\w)"), r"<i>\1</i>"),
)
_FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)


def markup(text: str) -> str:
    """Return a bank's text as HTML: `code`, **bold**, *italic*, fenced code, paragraphs.

    Everything else is shown as it stands.
    """
    made = []
    for index, part in enumerate(_FENCE.split(text)):
        if index % 2:
            made.append(f"<pre><code>{html.escape(part)}</code></pre>")
        else:
            made += [f"<p>{phrase(p)}</p>" for p in re.split(r"\n\s*\n", part.strip()) if p]
    return "".join(made)


def phrase(text: str) -> str:
    """Return a text as HTML without a paragraph around it; in `code`, nothing else is marked up."""
    pieces = re.split(r"(`[^`]+`)", html.escape(text.strip(), quote=False))
    for index, piece in enumerate(pieces):
        rules = _INLINE[:1] if index % 2 else _INLINE[1:]
        for pattern, replacement in rules:
            piece = pattern.sub(replacement, piece)
        pieces[index] = piece
    return "".join(pieces)


def how_to_answer(question: Question) -> str:
    """Return in a few words what form an answer has."""
    item = question.item
    if item.kind == "number":
        return f"a number, in {item.unit}" if item.unit else "a number"
    return {
        "single": "one answer",
        "multiple": "all right answers",
        "shape": f"a shape: {question.filled(item.form)}" if item.form else "a shape",
    }[item.kind]


def as_html(question: Question, number: int) -> str:
    """Return a question with its options as static HTML."""
    options = "".join(f"<li>{phrase(option.text)}</li>" for option in question.options)
    listed = f'<ol type="A">{options}</ol>' if options else ""
    hint = f"<i>({phrase(how_to_answer(question))})</i>"
    body = markup(question.text)
    first = body.replace("<p>", f"<p><b>{number}.</b> ", 1)
    return f"<div>{first}{listed}<p>{hint}</p></div>"


def as_text(question: Question, number: int) -> str:
    """Return a question with its options as plain text."""
    lines = [f"{number}. {question.text}  ({how_to_answer(question)})"]
    lines += [f"   {letter}. {option.text}" for letter, option in question.lettered.items()]
    return "\n".join(lines)


def stored_form(bank: Bank) -> tuple[str, str]:
    """Return a bank's questions, as text and as HTML, for places where no kernel runs.

    Args:
        bank: A lesson's, or an exercise's as it is posed to a learner without an id.
    """
    seed = SEED if bank.name == bank.lesson else NOBODY
    asked = [(pose(bank, item, seed), number) for number, item in enumerate(bank.items, 1)]
    body = "\n".join(as_html(*question) for question in asked)
    html = f'<section aria-label="Pop quiz"><p><i>{HOW}</i></p>\n{body}</section>'
    return "\n\n".join([HOW, *(as_text(*question) for question in asked)]), html


def anchor(section: str) -> str:
    """Return the link to a heading, as in JupyterLab and its exported pages."""
    return "#" + quote(section.replace(" ", "-"))
