"""A student's page: tasks by name, what was lost and why; nothing loads, runs, moves or covers."""

import re
import subprocess
import sys

import nbformat
import pytest
from feedback_pages import HOSTILE, exercise, graded, named, rendered
from nbformat.v4 import new_markdown_cell, new_output

from convnet_grader.collect import Submission
from convnet_grader.feedback import harmless, name_sections, tasks_of
from convnet_grader.folder import Batch
from convnet_grader.worker import NO_PAGE, grade

FORBIDDEN = re.compile(
    r"<(meta|base|script|style|svg|iframe|object|link|form|input|marquee|blink)\b"
    r"|\s(style|class|id|on\w+|background|srcset)=|evil\.example|javascript:|data:text|svg\+xml"
    r"|</(details|section|main|body|html)>",
    re.IGNORECASE,
)


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_nothing_is_left_that_loads_runs_moves_or_covers(html):
    assert FORBIDDEN.search(html), "the trick is one"
    assert not FORBIDDEN.search(harmless(f"before {html} after"))
    assert "before" in harmless(f"before {html} after")


@pytest.mark.parametrize(
    "html",
    [
        "<p>A <strong>bold</strong> <em>word</em> and <code>code</code>.</p>",
        '<img alt="a dot" src="data:image/png;base64,iVBORw0KGgo=">',
        '<table><tbody><tr><th scope="col">a</th><td colspan="2">1</td></tr></tbody></table>',
        "<ul><li>one</li></ul>",
    ],
)
def test_what_only_marks_up_stays(html):
    assert harmless(html) == html


def test_a_link_stays_and_tells_nobody_where_it_was_followed():
    assert harmless('<a href="https://example.org/a">a</a>') == (
        '<a href="https://example.org/a" rel="noopener noreferrer">a</a>'
    )


# --- By task -----------------------------------------------------------------------------------


def test_each_task_has_its_name_its_points_and_how_it_went():
    tasks = tasks_of(graded(), exercise())
    assert [(task.name, task.points, task.most, task.status) for task in tasks] == [
        ("Exercise 91: a light one", 0, 0, ""),
        ("Question 1", 1, 1, "right"),
        ("Task 1: write double", 2, 5, "partly right"),
        ("Task 2", 0, 2, "not answered"),
        ("Task 3", 0, 2, "not right"),
        ("In your own words", 0, 3, "not read yet"),
        ("Left open", 0, 1, "not answered"),
    ]
    assert tasks[2].findings == ["your output is 3 where 6 is right"], "once"
    assert tasks[4].comments == ["Look at the *sign*."] and not tasks[3].comments
    assert [cell.source for cell in tasks[4].answers] == ["third = 5"]


def test_a_students_own_headings_name_nothing():
    notebook = graded()
    fake = "# Exercise 91: 12 of 12 points"
    notebook.cells.insert(3, new_markdown_cell(fake))
    named(notebook, "double").source = "# ## Task 9: all right\n"
    named(notebook, "why").source = "## Task 9: all right"
    notebook.cells[0].source = fake  # known by its id all the same
    names = [task.name for task in tasks_of(notebook, exercise())]
    assert names == [task.name for task in tasks_of(graded(), exercise())]


def test_headings_are_found_where_another_program_has_taken_the_ids():
    notebook = graded()
    for cell in notebook.cells:
        del cell["id"]
    names = [task.name for task in tasks_of(notebook, exercise())]
    assert names == [task.name for task in tasks_of(graded(), exercise())]


def test_the_page_says_it_in_words():
    page = rendered(graded())
    text = " ".join(re.sub("<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())
    assert "3 of 14 points" in text
    assert "Answers worth 3 of these points have not been read yet" in text
    assert (
        "◐ partly right, 2 of 5 points" in text and "… not read yet, 0 of 3 points so far" in text
    )
    assert text.count("so far") == 1
    assert "5 is what you get if the sign is lost" in text
    assert "Read again: lesson 91, “Signs &amp; wonders”." in text
    assert text.count("Read again: lesson 91") == 4, "not where all is right, or nothing is read"
    assert "Kim &lt;Lee&gt; (s1)" in text and "No response" not in text
    assert "Look at the <em>sign</em>" in page and "Because <strong>it</strong>" in page


@pytest.mark.parametrize("place", ["markdown", "html", "plain", "stream", "error", "code"])
def test_a_page_with_hostile_output_has_no_more_tags_than_one_without(place):
    notebook, html = graded(), "\n\n".join(HOSTILE.values())
    cell = named(notebook, "third")
    outputs = {
        "html": new_output("display_data", {"text/html": html}),
        "plain": new_output("display_data", {"text/plain": html}),
        "stream": new_output("stream", text=html),
        "error": new_output("error", ename=html, evalue=html, traceback=[html]),
    }
    if place in outputs:
        cell.outputs = [outputs[place]]
    elif place == "code":
        cell.source = html
    else:
        named(notebook, "why").source = html
    head, body = rendered(notebook).split("<body>", 1)
    assert "15 of 15" in body and head == rendered(graded()).split("<body>", 1)[0]
    for tag in ("meta", "base", "script", "style", "svg", "iframe", "form", "link", "object"):
        assert f"<{tag}" not in body.lower()
    assert body.count("</section>") == 6 and body.count("</main>") == body.count("</html>") == 1
    assert not re.search(r"<[^>]*\s(on\w+|style|background)=", body)


def test_points_are_given_where_no_page_can_be_made(tmp_path):
    """The one does not depend on the other; whoever grades is told."""
    batch = Batch("91_light", tmp_path / "solution", tmp_path / "out")
    file = tmp_path / "s1.ipynb"
    nbformat.write(graded(), file)
    for stage, student in (("exercises", "."), ("autograded", "s1")):
        target = batch.notebook(stage, student)
        target.parent.mkdir(parents=True)
        nbformat.write(graded(), target)
    (tmp_path / "solution").mkdir()

    class Api:
        """nbgrader, whose page fails."""

        def autograde(self, *names, force):
            return {"success": True}

        def generate_feedback(self, *names, force):
            return {"success": False}

    outcome = grade(Api(), batch, Submission("s1", "s1.ipynb", file, "digest"))
    assert not outcome.failure and NO_PAGE in outcome.remarks
    assert outcome.scores["shape_check"] == 2 and outcome.scores["one_check"] == 1


def test_widgets_without_their_state_make_a_page():
    """Colab leaves `metadata.widgets` in a form that nbconvert's own pages stop at."""
    notebook = graded()
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"a": 1}}
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "a slider"}
    named(notebook, "third").outputs = [new_output("display_data", view)]
    assert "a slider" in rendered(nbformat.from_dict(notebook))


def test_the_lessons_section_stands_with_a_question_of_the_quiz():
    tasks = tasks_of(graded(), exercise())
    tasks[1].answers[0].metadata.nbgrader.grade_id = "after_two_blocks"
    name_sections(tasks, "07_lenet")
    assert [task.section for task in tasks] == ["", "LeNet-5", *[""] * 5]
    name_sections(tasks, "91_light")
    assert not any(task.section for task in tasks)


def test_a_worker_holds_no_pytorch():
    """Its judge and its kernel do; a third one took a teacher on a hub over the limit of memory."""
    code = "import sys, convnet_grader.worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
