"""Every lesson as a learner meets it: opened in JupyterLab and run from top to bottom.

The profile is the quick one, and neither page nor kernel can reach another machine.
"""

import re
from typing import Any

from controls import move_every_control, settles
from shown_widget import Shown
from widget_figures import figures_are_right

from course_utils import widgets

# What IPython keeps of a cell's result: the object that the page shows.
DESCRIBED = (
    "[shown.describe() for shown in Out.values() if getattr(shown, 'title', 0) == {title!r}][-1]"
)


def shown_by(source: str) -> list[str]:
    """The titles of what a cell shows: widgets that its last line makes, or a quiz."""
    made = re.search(r"^(\w+)\(", source.strip().splitlines()[-1]) if source.strip() else None
    if made and made[1] in widgets.__all__:
        return [getattr(widgets, made[1]).title]
    return ["Pop quiz"] if re.search(r"^quiz\.show\(", source, re.MULTILINE) else []


def shown_widgets(lesson: Any) -> list[tuple[int, str]]:
    """Index of the cell, and title, of each widget and quiz of a lesson."""
    return [(i, title) for i, c in enumerate(lesson.cells) for title in shown_by(c.source)]


def test_all_cells_run_to_their_end(lesson: Any) -> None:
    code = [cell for cell in lesson.cells if cell.kind == "code"]
    assert len(code) > 5
    assert [error for cell in code for error in cell.errors] == []
    assert lesson.ran
    assert [cell.count for cell in code] == list(range(1, len(code) + 1))
    lesson.lab.wait_for_kernel("idle")


def test_nothing_goes_wrong_in_the_page(lesson: Any) -> None:
    assert lesson.errors == []


def test_no_other_machine_is_asked(lesson: Any) -> None:
    assert lesson.outside == []


def test_its_widgets_and_its_quiz_are_shown(lesson: Any) -> None:
    wanted = shown_widgets(lesson)
    assert "Pop quiz" in [title for _, title in wanted] or lesson.name == "00_start_here"
    for index, title in wanted:
        cell = lesson.lab.select(index)
        cell.get_by_role("group", name=title, exact=True).wait_for()


def test_every_control_moves_the_picture_and_the_figures_are_right(lesson: Any) -> None:
    """By keyboard alone, from where the lesson starts the widget."""
    lab = lesson.lab
    for index, title in shown_widgets(lesson):
        if title == "Pop quiz":  # worked through in tests/widgets/test_quiz_browser.py
            continue
        shown = Shown(lab.page, lab.select(index).get_by_role("group", name=title, exact=True))
        shown.root.wait_for()

        def check(shown: Shown = shown, title: str = title) -> None:
            figures_are_right(shown, title, lab.ask(DESCRIBED.format(title=title)))

        settles(check)
        assert len(move_every_control(shown, check)) >= 2
