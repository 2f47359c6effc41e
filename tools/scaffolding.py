"""What the builder adds around the answers of an exercise, so that no source repeats it.

`# %% quiz="toeplitz_shape"` is the answer cell of a question of the exercise's bank. The builder
puts the cell that asks before it, and the cell that checks the answer, for one point, after it.
"""

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


def scaffolded(cells: list[NotebookNode], slug: str) -> Iterator[NotebookNode]:
    """Yield the cells of an exercise with what its source leaves out.

    Args:
        cells: As the source has them.
        slug: The exercise's name, such as `03_convolution`.

    Raises:
        ValueError: A cell answers a question that the exercise's bank does not have.
    """
    for cell in cells:
        if "quiz" in cell.metadata:
            yield from around(cell, slug)
        else:
            yield cell


def around(answer: NotebookNode, slug: str) -> Iterator[NotebookNode]:
    """Yield the cell that asks, the answer cell, and the cell that checks the answer."""
    item = answer.metadata.pop("quiz")
    bank = quiz.load(f"exercises/{slug}")
    names = {"bank": bank.name, "item": bank.item(item).id}
    yield new_code_cell(ASK.format(**names), metadata={"readonly": f"ask_{item}"})
    answer.metadata["task"] = item
    yield answer
    yield new_code_cell(CHECK.format(**names), metadata={"check": f"{item}_check", "points": 1})
