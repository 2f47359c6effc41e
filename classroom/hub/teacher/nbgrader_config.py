"""nbgrader's settings of the teacher on the hub: the course's own, moved to the teacher's home.

Formgrader works in ~/course: `solutions/` is what the teacher puts there, the rest nbgrader makes.
Students' code runs in the sandbox, as on any other machine (`classroom/README.md`).
"""

import os
from pathlib import Path

from convnet_grader.exchange import CollectOwn

load_subconfig(str(Path(__file__).resolve().parents[2] / "nbgrader_config.py"))  # noqa: F821
c = get_config()  # noqa: F821 - traitlets puts it there
c.CourseDirectory.root = str(Path.home() / "course")
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"
c.ExchangeFactory.collect = CollectOwn  # ours: nobody hands in for somebody else, or a link
c.CollectOwn.owners = os.environ.get("COURSE_HUB_OWNERS", "system")
