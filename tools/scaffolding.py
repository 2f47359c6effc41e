"""What the builder writes around the answers of an exercise, so that no source repeats it.

`# %% quiz="toeplitz_shape"` is the answer cell of a question of the exercise's bank. The builder
puts the cell that asks before it, and the cell that checks the answer, for one point, behind it.

A hidden test ends with `checks.award(points, check, answer)`. The builder loads `checks` anew for
it, whatever a learner's code did to the module.
"""

import re
from collections.abc import Iterator

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course_utils import quiz

ASK = 'quiz.ask("{bank}", "{item}", student_id)'
CHECK = """from course_utils import checks, quiz

QUESTION = ("{bank}", "{item}", student_id)
form_is_right = checks.show(quiz.form(*QUESTION), {item}, fine="answered")
### BEGIN HIDDEN TESTS
checks.award(1, quiz.right(*QUESTION), {item})
### END HIDDEN TESTS"""
BEGIN = "### BEGIN HIDDEN TESTS\n"
AWARD = re.compile(r"^checks\.award\(", re.MULTILINE)


def scaffolded(cells: list[NotebookNode], slug: str) -> Iterator[NotebookNode]:
    """Yield the cells of an exercise with what its source leaves out.

    Args:
        cells: As the source has them.
        slug: Of the exercise, such as `03_convolution`.

    Raises:
        ValueError: A cell answers a question that the exercise's bank does not have.
    """
    for cell in cells:
        if "quiz" in cell.metadata:
            yield from around(cell, slug)
        else:
            if "check" in cell.metadata:
                cell.source = with_fresh_checks(cell.source)
            yield cell


def around(answer: NotebookNode, slug: str) -> Iterator[NotebookNode]:
    """Yield the cell that asks, the answer cell, and the cell that checks the answer."""
    item = answer.metadata.pop("quiz")
    bank = quiz.load(f"exercises/{slug}")
    names = {"bank": bank.name, "item": bank.item(item).id}
    yield new_code_cell(ASK.format(**names), metadata={"readonly": f"ask_{item}"})
    answer.metadata["task"] = item
    yield answer
    check = with_fresh_checks(CHECK.format(**names))
    yield new_code_cell(check, metadata={"check": f"{item}_check", "points": 1})


def with_fresh_checks(source: str) -> str:
    """Let the hidden test of a cell award its points by a module that was loaded anew."""
    shown, begin, hidden = source.partition(BEGIN)
    if not begin:
        return source
    gap = "\n\n" if hidden.startswith(("def ", "class ")) else "\n"
    hidden = AWARD.sub("reload(checks).award(", hidden)
    return f"{shown.rstrip()}\n{begin}from importlib import reload\n{gap}{hidden}"
