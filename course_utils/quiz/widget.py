"""The quiz in a notebook: asked in the browser, marked in Python.

The page gets the questions and, answer by answer, the result of marking. Where no kernel runs, it
shows the questions as a list, with the same bytes each time.
"""

from typing import Any, ClassVar

import traitlets

from course_utils.quiz.bank import load
from course_utils.quiz.render import stored_form
from course_utils.quiz.state import QuizState
from course_utils.widgets.base import CourseWidget

__all__ = ["QuizWidget"]


class QuizWidget(CourseWidget):
    """The quiz of a lesson.

    Args:
        name: Name of its bank, such as `04_stride_padding_pooling`.

    Raises:
        ValueError: There is no such bank.
    """

    title = "Pop quiz"
    data: ClassVar[dict[str, Any]] = {}

    questions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    summary = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str) -> None:
        self.quiz = QuizState(load(name))
        self.quiz.recall()
        super().__init__(**self.quiz.view())
        self.on_msg(self._hear)

    def _hear(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        """Do what the page asks for: answer, reveal, vary, restart."""
        match content:
            case {"action": "answer", "id": item_id, "answer": given}:
                self.quiz.answer(item_id, given)
            case {"action": "reveal", "id": item_id}:
                self.quiz.reveal(item_id)
            case {"action": "vary", "id": item_id}:
                self.quiz.vary(item_id)
            case {"action": "restart"}:
                self.quiz.restart()
        with self.hold_sync():
            for name, value in self.quiz.view().items():
                setattr(self, name, value)
        self.send({"heard": content.get("number")})

    def describe(self) -> str:
        """Return the questions as plain text, as they are first asked."""
        return stored_form(self.quiz.bank)[0]

    def to_html(self) -> str:
        """Return the questions as a list that needs no kernel and holds no answer."""
        return stored_form(self.quiz.bank)[1]
