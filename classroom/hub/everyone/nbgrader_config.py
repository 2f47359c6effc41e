"""nbgrader's settings of everybody on the hub: which course, and where things change hands."""

import os

c = get_config()  # noqa: F821 - traitlets puts it there
c.CourseDirectory.course_id = os.environ["COURSE_HUB_COURSE"]
c.Exchange.root = os.environ["COURSE_HUB_EXCHANGE"]
