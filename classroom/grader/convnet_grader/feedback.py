"""What a student's feedback page shows: tasks by name, lost points and why, and nothing harmful.

`ByTask` arranges a graded notebook for the template `classroom/templates/feedback`; everything
there that a student's code or text wrote passes through the filter `harmless`.
"""

import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import nh3
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import GetGrades

from convnet_grader.preprocessors import handed_out, is_test
from convnet_grader.sandbox import PACKAGE

__all__ = [
    "UNANSWERED",
    "ByTask",
    "Status",
    "Task",
    "finding",
    "harmless",
    "name_sections",
    "tasks_of",
]

Status = Literal["right", "partly right", "not right", "not answered", "not read yet", ""]
"""How a task went, in words; "" for a section of the notebook without points."""
HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)
UNANSWERED = "not answered yet"
NO_RESPONSE = "No response."
"""What nbgrader itself writes if an answer cell is as it was handed out."""
COLOURS = {"right": "right", "partly right": "partly", "not read yet": "unread", "": ""}
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,[\w+/=\s]+")
LINK = re.compile(r"(https?|mailto):", re.IGNORECASE)


def harmless(html: str) -> str:
    """Return a piece of HTML without what loads, runs, moves or covers something.

    Tags that only mark up text stay, and so do images inside the page itself and links to click;
    styles, classes, ids, forms and everything else go.
    """

    def kept(tag: str, name: str, value: str) -> str | None:
        wanted = {"src": PICTURE, "href": LINK}.get(name)
        return value if wanted is None or wanted.match(value) else None

    return nh3.clean(
        html,
        tags=nh3.ALLOWED_TAGS - {"area", "map"},
        attributes={
            "a": {"href"},
            "img": {"src", "alt"},
            "th": {"colspan", "rowspan", "scope"},
            "td": {"colspan", "rowspan"},
        },
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=kept,
        strip_comments=True,
    )


def finding(cell: NotebookNode) -> str:
    """Return what a test cell says is wrong, or ""."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if not errors:
        return ""
    text = errors[0].evalue or errors[0].ename
    return str(text).strip()[:300]


@dataclass
class Task:
    """A section of the notebook, under one heading.

    Attributes:
        name: The heading.
        number: Of the section; the page's links lead to it.
        points: How many were earned.
        most: How many there were to earn.
        findings: What the checks say is wrong.
        comments: What a person wrote about it.
        unread: Whether a person still has to read an answer.
        section: The section of the lesson to read again; "" if none is known.
        questions: What the task asks, if that depends on the student: cells with outputs.
        answers: The student's cells.
        rest: All its other cells: what was handed out, and what the student added.
    """

    name: str
    number: int
    points: float = 0.0
    most: float = 0.0
    findings: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    unread: bool = False
    section: str = ""
    questions: list[NotebookNode] = field(default_factory=list)
    answers: list[NotebookNode] = field(default_factory=list)
    rest: list[NotebookNode] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """How it went."""
        if not self.most:
            return ""
        if self.unread:
            return "not read yet"
        if self.points >= self.most:
            return "right"
        if self.points > 0:
            return "partly right"
        return "not answered" if set(self.findings) == {UNANSWERED} else "not right"

    @property
    def colour(self) -> str:
        """The CSS class of its status, which the page also gives in words."""
        return COLOURS.get(self.status, "wrong")

    def take(self, cell: NotebookNode) -> None:
        """Put a cell where it belongs, with the points that it gave."""
        role = cell.metadata.get("nbgrader", {})
        if role.get("grade"):
            self.points += role.get("score") or 0
            self.most += role.get("points") or 0
            self.unread = self.unread or bool(role.get("unread"))
        if role.get("comment") == NO_RESPONSE:
            self._find(UNANSWERED)
        elif role.get("comment"):
            self.comments.append(role.comment)
        if role.get("solution"):
            self.answers.append(cell)
            return
        asks = str(role.get("grade_id", "")).startswith("ask_")
        (self.questions if asks else self.rest).append(cell)
        if is_test(cell):
            self._find(finding(cell))

    def _find(self, text: str) -> None:
        """Note what is wrong, once."""
        if text and text not in self.findings:
            self.findings.append(text)


def tasks_of(notebook: NotebookNode, exercise: NotebookNode) -> list[Task]:
    """Cut a graded notebook at the headings of its exercise.

    Only headings that were handed out count, found by their cell's id or text: a student cannot
    name anything on the page.

    Args:
        notebook: With points and comments in its cells, as nbgrader's `GetGrades` leaves it.
        exercise: As it was handed out.
    """
    headings = {
        key: _plain(heading[1])
        for cell in exercise.cells
        if _is_text(cell) and (heading := HEADING.search(cell.source))
        for key in (cell.get("id"), cell.source)
    }
    tasks: list[Task] = []
    for cell in notebook.cells:
        known = _is_text(cell)
        name = (headings.get(cell.source) or headings.get(cell.get("id"))) if known else None
        if name or not tasks:
            tasks.append(Task(name or "", len(tasks) + 1))
        tasks[-1].take(cell)
    return tasks


def _is_text(cell: NotebookNode) -> bool:
    """Return whether a cell is markdown without a role."""
    return cell.cell_type == "markdown" and "nbgrader" not in cell.metadata


def _plain(heading: str) -> str:
    """Return a heading without Markdown's marks."""
    return re.sub(r"[*`_]", "", heading).strip()


class ByTask(GetGrades):
    """A step that arranges a graded notebook by task, with all that the page says about it.

    It does what nbgrader's `GetGrades` does, and comes last, when no cell changes any more.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Fill in grades; put title, name, date and tasks where the template finds them."""
        nb, resources = super().preprocess(nb, resources)
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            student = gradebook.find_student(names["student"])
            full = " ".join(filter(None, (student.first_name, student.last_name)))
            handed_in = gradebook.find_submission(names["assignment"], names["student"]).timestamp
        tasks = tasks_of(nb, handed_out(self, resources))
        name_sections(tasks, names["assignment"])
        names["title"] = tasks[0].name or names["notebook"]
        names["who"] = f"{full} ({names['student']})" if full else names["student"]
        names["dates"] = [f"graded on {_day(datetime.now())}"]
        if handed_in:
            names["dates"].insert(0, f"handed in on {_day(handed_in)}")
        names["tasks"] = tasks
        names["unread"] = sum(task.most for task in tasks if task.unread)
        return nb, resources

    def _get_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        super()._get_score(cell, resources)
        grade = self.gradebook.find_grade(
            cell.metadata.nbgrader.grade_id, self.notebook_id, self.assignment_id, self.student_id
        )
        cell.metadata.nbgrader["unread"] = grade.needs_manual_grade and utils.is_solution(cell)


def name_sections(tasks: list[Task], exercise: str) -> None:
    """Find the section of the lesson that each quiz question is about."""
    # Not with `course_utils.quiz`: it loads PyTorch, which a worker should not hold, too.
    file = PACKAGE / "quiz/banks" / exercise / "exercise.toml"
    bank = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {"items": []}
    sections = {item["id"]: item["section"] for item in bank["items"]}
    for task in tasks:
        names = (cell.metadata.nbgrader.grade_id for cell in task.answers)
        task.section = next((sections[name] for name in names if name in sections), "")


def _day(time: datetime) -> str:
    """Return a date in words: 29 November 2026."""
    return f"{time.day} {time:%B %Y}"
