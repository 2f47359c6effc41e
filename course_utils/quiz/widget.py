"""The quiz in a notebook: asked in the browser, marked in Python.

The page is sent the questions and, answer by answer, what marking found. Where no kernel runs, the
questions stand there as a list, the same bytes each time.
"""

from typing import Any, ClassVar

import traitlets

from course_utils.quiz.bank import load
from course_utils.quiz.render import list_as_html, list_as_text
from course_utils.quiz.session import Session
from course_utils.quiz.variants import SEED, Question, pose_all
from course_utils.widgets.base import CourseWidget


class QuizWidget(CourseWidget):
    """The quiz of a lesson.

    Args:
        name: of its bank, such as ``04_stride_padding_pooling``.

    Raises:
        ValueError: there is no such bank.
    """

    title = "Pop quiz"
    data: ClassVar[dict[str, Any]] = {}

    questions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    summary = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str) -> None:
        self.session = Session(load(name))
        self.session.recall()
        super().__init__(**self.session.view())
        self.on_msg(self._hear)

    def _hear(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        """Do what the page asks for: answer, reveal, vary, restart."""
        session, item_id = self.session, content.get("id", "")
        if content.get("action") == "answer":
            session.answer(item_id, content.get("answer"))
        elif content.get("action") == "reveal":
            session.reveal(item_id)
        elif content.get("action") == "vary":
            session.vary(item_id)
        elif content.get("action") == "restart":
            session.restart()
        with self.hold_sync():
            for name, value in session.view().items():
                setattr(self, name, value)
        self.send({"heard": content.get("number")})

    def _asked(self) -> list[Question]:
        """The questions as a lesson first asks them, whatever was answered since."""
        return pose_all(self.session.bank, SEED)

    def describe(self) -> str:
        """Return the questions as plain text."""
        return list_as_text(self._asked())

    def to_html(self) -> str:
        """Return the questions as a list that needs no kernel and holds no answer."""
        return list_as_html(self._asked())
