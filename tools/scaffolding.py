"""What the builder writes around the texts and answers of a course, so that no source repeats it.

* `# %% quiz="toeplitz_shape"` is the answer cell of a question of the exercise's bank. The builder
  puts the cell that asks before it, and the cell that checks the answer, for one point, after it.
* `# %% [markdown] tier="build" minutes=8` begins a task. The builder adds tier, minutes and points
  to its heading; `{tasks}` in the exercise's first cell becomes the table of all of them.
* A paragraph `hint: ...` of a task's text is folded; after the last one stands how to see the
  worked solution.
* `{exercise}` in a lesson becomes a link to its exercise, with the titles of its tasks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course_utils import quiz

ROOT = Path(__file__).resolve().parent.parent
ASK = 'quiz.ask("{bank}", "{item}", student_id)'
CHECK = """from course_utils import checks, quiz

QUESTION = ("{bank}", "{item}", student_id)
form_is_right = checks.show(quiz.form(*QUESTION), {item}, fine="answered")
### BEGIN HIDDEN TESTS
checks.award(1, quiz.right(*QUESTION), {item})
### END HIDDEN TESTS"""
TIERS = {"drill": "Drill", "build": "Build or repair", "investigate": "Investigate"}
HINT = re.compile(r"^hint: (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
FOLDED = "<details><summary>Hint {number}</summary>\n\n{text}\n\n</details>"
REVEAL = "Still stuck? `{calls}` in a cell of your own prints a worked solution."
TABLE = "| task | tier | minutes | points |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Task:
    """A part of an exercise: its heading, its tier, and what it takes and gives."""

    title: str
    tier: str
    minutes: int
    points: int
    read: int  # of the points, those that a person gives

    @property
    def heading(self) -> str:
        """The heading, as the notebook has it."""
        points = f"{self.points} point" + "s" * (self.points != 1)
        return f"{self.title} · {TIERS[self.tier]} · {self.minutes} minutes · {points}"

    @property
    def row(self) -> str:
        """The line of the table at the top."""
        points = f"{self.points}, {self.read} of them from a person" if self.read else self.points
        return f"| {self.title} | {TIERS[self.tier].lower()} | {self.minutes} | {points} |"


def scaffolded(cells: list[NotebookNode], path: Path) -> Iterator[NotebookNode]:
    """Yield the cells of a source with what it leaves out.

    Args:
        cells: As the source has them.
        path: Of the source; its stem is the slug, such as `03_convolution`.

    Raises:
        ValueError: A cell answers a question that the exercise's bank does not have, names an
            unknown tier, or gives a task no minutes.
    """
    slug, tasks = path.stem, []
    cells = [each for cell in cells for each in around(cell, slug)]
    for cell, section in sections(cells):
        task = headed(cell, section)
        tasks.append(task)
        cell.source = cell.source.replace(task.title, task.heading, 1)
        for text in (cell, *section):
            text.source = folded(text.source, slug, section)
    for cell in cells:
        if cell.cell_type == "markdown" and "{tasks}" in cell.source:
            cell.source = cell.source.replace("{tasks}", summary(tasks, slug))
        if cell.cell_type == "markdown" and "{exercise}" in cell.source:
            cell.source = cell.source.replace("{exercise}", exercise_of(slug))
        yield cell


def around(answer: NotebookNode, slug: str) -> Iterator[NotebookNode]:
    """Yield a cell; if it answers a question, also the cells that ask and that check."""
    if "quiz" not in answer.metadata:
        yield answer
        return
    item = answer.metadata.pop("quiz")
    bank = quiz.load(f"exercises/{slug}")
    names = {"bank": bank.name, "item": bank.item(item).id}
    yield new_code_cell(ASK.format(**names), metadata={"readonly": f"ask_{item}"})
    answer.metadata["task"] = item
    yield answer
    yield new_code_cell(CHECK.format(**names), metadata={"check": f"{item}_check", "points": 1})


def sections(cells: list[NotebookNode]) -> Iterator[tuple[NotebookNode, list[NotebookNode]]]:
    """Yield each cell that begins a task, and the cells up to the next task."""
    starts = [number for number, cell in enumerate(cells) if "tier" in cell.metadata]
    for start, end in zip(starts, [*starts, len(cells)][1:], strict=True):
        yield cells[start], cells[start + 1 : end]


def headed(cell: NotebookNode, section: list[NotebookNode]) -> Task:
    """Take tier and minutes out of a cell's metadata; return the task that it begins."""
    tier, minutes = cell.metadata.pop("tier"), cell.metadata.pop("minutes", None)
    title = re.match(r"## (.+)", cell.source)
    if tier not in TIERS or not minutes or not title:
        raise ValueError(
            f"a task has the tier {tier!r} and the minutes {minutes}: it needs a heading ##, "
            f"minutes=N, and one of {', '.join(TIERS)}"
        )
    points = sum(each.metadata.get("points", 0) for each in section)
    read = sum(each.metadata.get("points", 0) for each in section if "written" in each.metadata)
    return Task(title[1], tier, minutes, points, read)


def folded(text: str, slug: str, section: list[NotebookNode]) -> str:
    """Fold the hints of a task's text, and say behind them how to see a worked solution."""
    hints = len(HINT.findall(text))
    if not hints:
        return text
    numbers = iter(range(1, hints + 1))
    text = HINT.sub(lambda m: FOLDED.format(number=f"{next(numbers)} of {hints}", text=m[1]), text)
    answers = [cell.metadata["task"] for cell in section if "task" in cell.metadata]
    calls = "`, `".join(f'checks.reveal("{slug}", "{name}")' for name in answers)
    return f"{text}\n\n{REVEAL.format(calls=calls)}"


def summary(tasks: list[Task], slug: str) -> str:
    """Return what an exercise takes and gives, in a line and a table."""
    minutes, points = sum(each.minutes for each in tasks), sum(each.points for each in tasks)
    lesson = f"[lesson {slug[:2]}](../../notebooks/{slug}.ipynb)"
    line = f"**Minutes:** {minutes} &nbsp; **Points:** {points} &nbsp; **Before:** {lesson}"
    return f"{line}\n\n{TABLE}" + "\n".join(each.row for each in tasks)


def exercise_of(slug: str, root: Path = ROOT) -> str:
    """Return a link to a lesson's exercise, its minutes, and the titles of its tasks."""
    text = (root / f"sources/exercises/{slug}.py").read_text("utf-8")
    title = re.search(r"^# # Exercise (.+)$", text, re.MULTILINE)
    assert title, f"exercise {slug} has no title"
    tasks = re.findall(r"^# ## Task \d+: (.+)$", text, re.MULTILINE)
    minutes = sum(map(int, re.findall(r"(?:\bminutes=|\*\*Minutes:\*\* )(\d+)", text)))
    # Bold, so that it is not the colour alone that tells it from the text.
    link = f"[**{title[1]}**](../exercises/{slug}/{slug}.ipynb)"
    line = f"{link}, {minutes} minutes. Its tasks: {'; '.join(tasks)}"
    return line if line.endswith("?") else f"{line}."
