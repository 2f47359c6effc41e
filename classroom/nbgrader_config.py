"""nbgrader's settings for this course. `classroom/README.md` says how to use them.

nbgrader reads it where it is run in this folder: `cd classroom; ../.venv/bin/nbgrader ...`. Its
paths start at the root of the course; what students hand in goes into `.course/`, the grades into
`gradebook.db`. Git ignores both.
"""

import os
import sys
from pathlib import Path

import nbgrader
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)

from convnet_grader.execute import SandboxedExecute
from convnet_grader.feedback import ByTask, harmless
from convnet_grader.preprocessors import RequireEvidence, RestoreCells, WithholdHidden
from convnet_grader.sandbox import Limits

c = get_config()  # noqa: F821 - traitlets puts it there
root = Path(__file__).resolve().parent.parent

# nbgrader calls `alembic` by its name, which is only found where the environment is active.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
# Nets as small as these gain nothing from a second thread, and lose much on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = str(Path(".course") / "submitted")
c.CourseDirectory.autograded_directory = str(Path(".course") / "autograded")
c.CourseDirectory.feedback_directory = str(Path(".course") / "feedback")

# A stub that raises would stop "Run All" at the first question that is not answered.
c.ClearSolutions.code_stub = {"python": "pass  # YOUR ANSWER HERE: replace this line"}
c.ClearSolutions.text_stub = "*Your answer here.*"

c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    RestoreCells,  # ours: copied, deleted and disguised cells
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    SandboxedExecute,  # ours: students' code is kept from everything else, and judged elsewhere
    IgnorePattern,
    LimitOutput,
    RequireEvidence,  # ours: silence is not success
    SaveAutoGrades,
    CheckCellMetadata,
]
c.SandboxedExecute.secret = str(Path(".course") / "secret")  # below the root: a hub moves that
c.Execute.timeout = Limits().cell_seconds  # on a slow machine
c.Execute.extra_arguments = [
    "--HistoryManager.hist_file=:memory:",
    "--InteractiveShell.xmode=Minimal",  # a traceback would print hidden checks
]
# nbgrader takes any line on stderr for a failed test; a warning of a library is none.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s).*"

c.GenerateFeedback.preprocessors = [
    WithholdHidden,  # ours: hidden checks that a student's code printed
    ClearHiddenTests,  # grading wrote them back into the notebook
    ByTask,  # ours: grades, arranged for the page
]
# The page is our template, and what a student's code wrote passes through a filter.
c.HTMLExporter.filters = {"harmless": harmless}
c.HTMLExporter.exclude_anchor_links = True
c.HTMLExporter.extra_template_basedirs = [
    str(root / "classroom" / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]
