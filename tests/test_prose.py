"""The texts of the course keep to the guide "How we write": what a pattern can hold of it."""

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [
    *sorted(ROOT.glob("classroom/grader/convnet_grader/*.py")),
    *sorted(ROOT.glob("tools/*.py")),
    *sorted(ROOT.glob("benchmarks/*.py")),
    *(ROOT / name for name in ("classroom/hub.md", "course_utils/quiz/README.md", "SECURITY.md")),
    *sorted(ROOT.glob("sources/*/*.py")),
    *sorted(ROOT.glob("course_utils/quiz/banks/*/*.toml")),
    *sorted(ROOT.glob("docs/*.md")),
    *(ROOT / name for name in ("README.md", "classroom/README.md", "classroom/workshop.md")),
]
PACKAGE = ROOT / "course_utils"
"""Its comments, docstrings and sentences are read too, and its widgets' JavaScript."""
CODE = [
    *sorted(file for file in PACKAGE.rglob("*.py") if "banks" not in file.parts),
    *sorted(PACKAGE.rglob("*.mjs")),
    PACKAGE / "records/experiments.toml",
]
STRINGS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
PARTICIPLE = r"been|made|learned|learnt|changed|become|seen|had|got|taken|given|done|\w+ed"
BANNED = {
    "image, where the field says image": re.compile(
        r"(?<![\w`.])(?:an?|the|one|each|every|of|no|\d+|whole|test|training|these|which|large)\s"
        r"(?:\w+\s)?pictures?\b(?![\w`(=\[]|\.\w)",
        re.IGNORECASE,
    ),
    "a set, not a part": re.compile(r"\b(?:training|validation|test) part\b"),
    "a slip is a thing that you do": re.compile(
        r"[\"'] ?(?:the|each|every|all|only|nothing|no|one|there) [\w' -]*?\b(?:is|are) "
        r"(?:forgotten|left out|counted|missing|averaged|swapped|shuffled|taken|pooled)\b"
        r"[^\"']*[\"']:"
    ),
    "words that read as translated": re.compile(
        r"(?<!drawn )by lot\b|\brims? of zeros\b|\bby heart\b|what (?:is|gets) told\b"
        r"|\bcomes? out where\b|\bcannot be had\b|\b(?:written|made|solved|built) anew\b"
        r"|\bsame line again\b|\bthe commonest\b|\bthe gravest\b|\bcomes? to no end\b"
        r"|(?<!there )\bis no (?:notebook|folder|id|table|plain file|UTF-8)\b|\"{3}Say whether\b"
        r"|\bone (?:a|an) (?:core|student|turn|learner|class)\b|\bread all the same\b"
        r"|\bfor a person's eye\b|\bof its own accord\b|\brightly\b|\bis to turn\b"
        r"|\bhow many per cent\b",
        re.IGNORECASE,
    ),
    "a question without do": re.compile(
        r"\b(?:how (?:many|much)|which(?! of\b)|what)\b[^.?!|:]*?\b(?:has|have)\s+"
        r"(?:it|they|a|an|the|this|that|these|those|its|their|each|one)\b"
        rf"(?![^.?!|]*\b(?:{PARTICIPLE})\b)[^.?!|]*\?",
        re.IGNORECASE,
    ),
    "a question without do, with another verb": re.compile(
        r"\b(?:how (?:many|much|often|far)|why|what|when|where)\s+(?:\w+\s+)?"
        r"(?:comes?|goes|gives?|takes?|costs?|needs?|sees?|gets?|matters?|helps?|stands?|works?)\s+"
        r"(?:it|they|the|this|that|these|its)\b[^.?!|]*\?",
        re.IGNORECASE,
    ),
    "words of no native speaker": re.compile(
        r"does not work so\b|asks? no network|drawn by lot|goe?s? round\b.*figure|keeps the find"
        r"|upright and level|around each two|does the missing|names? \w+ rightly"
        r"|no \w+ more than|against this helps|looks? (?:which|whether)|would tell\?"
        r"|not looked at",
        re.IGNORECASE,
    ),
}
BANNED_IN_CODE = BANNED | {
    "image, where the field says image": re.compile(
        r"(?:\b(?:an?|the|one|each|every|of|no|\d+|whole|test|training|padded|two) )"
        r"pictures?\b(?=[ ,.;:)\"]|$)",
        re.IGNORECASE,
    ),
    "correctly classified": re.compile(r"\b(?:names|named) correctly\b"),
    "words of no native speaker, in code": re.compile(
        r"\bcame out where\b|\bgoe?s? from (\w+) to \1\b"
        r"|\bbegins? anew\b|\bturns? the order\b|\bmay change places, always\b"
        r"|\bstripes that (?:lie|stand)\b|\bunder false names\b|\bwho sees whom\b"
        r"|\bis judged by\b|\bimages behind one update\b"
        r"|(?<!there )\bis no (?:map|tuple|list|path|chain|shape|image|number|variable)\b"
        r"|\bone (?:a|an) (?:pixel|image|seed|layer|class|frequency|epoch)\b",
        re.IGNORECASE,
    ),
}


def paragraphs(text: str) -> Iterator[str]:
    """Yield a text's paragraphs, each on one line, without the marks of a comment."""
    for part in re.split(r"\n(?:# *)?\n", text):
        yield " ".join(line.strip().removeprefix("#").strip() for line in part.split("\n"))


def sentences(code: str) -> Iterator[str]:
    """Yield the comments and the strings of Python code, without code between backticks."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type in STRINGS:
            yield re.sub(r"`[^`\n]*`", "``", token.string)


def violations(text: str, banned: Mapping[str, re.Pattern[str]] = BANNED) -> list[str]:
    """Return what a text has of the banned patterns, each with the reason."""
    return [
        f"{reason}: {found[0][-120:]}"
        for part in paragraphs(text)
        for reason, pattern in banned.items()
        for found in pattern.finditer(part)
    ]


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_texts_keep_to_the_guide(file):
    assert violations(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_code_keeps_to_the_guide(file):
    text = file.read_text(encoding="utf-8")
    prose = "\n\n".join(sentences(text) if file.suffix == ".py" else [text])
    assert violations(prose, BANNED_IN_CODE) == []


@pytest.mark.parametrize(
    "planted",
    [
        "Normalise every test picture by itself.",
        "# the mean of the training part",
        'slips = {"the biases are forgotten": 50}',
        "The same line again goes on where it was.",
        "The file is no notebook (.ipynb).",
        "How many weights has it?",
        "# Which shape has the output of\n# the last block?",
        "What value have its pixels now?",
        "Why comes the loss back?",
        "The seed is drawn by lot.",
        "Look which blocks matter.",
        "Look whether the logits change.",
        "Which experiment would tell?",
    ],
)
def test_a_planted_phrase_is_found(planted):
    assert len(violations(f"A line.\n\n{planted}\n\nAnother.")) == 1


@pytest.mark.parametrize(
    "fine",
    [
        "def conv2d(picture, kernel): slide over the `picture`, one output at a time",
        'slips = {"you forget the biases": 50}',
        "What has the first layer learned?",
        "How many weights does it have?",
        "Which of the two has better accuracy?",
        "The layer that has the most weights: which one?",
        "What, then, makes the search so hard?",
    ],
)
def test_english_is_let_through(fine):
    assert violations(fine) == []


@pytest.mark.parametrize(
    "planted",
    [
        '"""Draw a picture beside its maps."""',
        'text = "of 20 pictures"',
        "# mean and deviation of the validation part",
        'say(meter, "questions answered rightly")',
        "padding: A rim of zeros on each side.",
        "# The seed is drawn by lot.",
        "fail(f'{value} is no number: give one')",
        '"""Two hex digits, one a pixel."""',
        'hint = "Tab goes from control to control"',
    ],
)
def test_a_planted_phrase_is_found_in_code(planted):
    assert len(violations(planted, BANNED_IN_CODE)) == 1


@pytest.mark.parametrize(
    "fine",
    ["picture: A name in `PICTURES`.", "data = state['picture']", "There is no image in it."],
)
def test_code_is_let_through(fine):
    assert violations(fine, BANNED_IN_CODE) == []
