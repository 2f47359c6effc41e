"""The batch grader: from what students sent to points, feedback and a list for a person's eye.

`cli` is the command, `session` what it does from beginning to end. Below it: `collect` (who sent
what), `folder` (nbgrader's course), `batch` and `worker` (processes), `execute`, `kernel` and
`sandbox` (a student's code), `preprocessors` and `integrity` (damaged and changed notebooks),
`attempts`, `gradebook` and `items` (results). `exchange` collects on a shared machine. `guard` runs
beside the student's code, by its path; nothing else of this package is to be seen in the sandbox.

Needs nbgrader, which the course's extra `classroom` installs. The course's own package,
`course_utils`, knows nothing of this one: the command comes to it as an entry point.
"""
