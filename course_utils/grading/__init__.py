"""Grading: `checks` is what the exercises call, the rest is what a teacher's computer does.

A learner's notebook imports `checks` alone, which needs no nbgrader. A batch goes through
`session` (the whole), `collect` (who sent what), `folder` (nbgrader's course), `batch` and
`worker` (processes), `execute`, `kernel` and `sandbox` (a student's code), `preprocessors` and
`integrity` (damaged and changed notebooks), `attempts`, `gradebook` and `items` (results).
"""

import sys

from course_utils import checks

# Exercises released before version 0.2 import the checks from here.
sys.modules[f"{__name__}.checks"] = checks
