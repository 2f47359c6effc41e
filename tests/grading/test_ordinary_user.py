"""A teacher who is not root grades in the sandbox, or is told why not.

Root runs these tests where nobody else is there to do so. They take the part of a user that every
Debian has, in a mount namespace of their own, in which that user may walk to Python and the course.
"""

import csv
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
USER = "games"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("batch")]

# A folder that others may not enter gets an open one in its place, with only what is needed in it.
OPEN = """set -eu
for needed in {needed}; do
    folder=$needed
    while [ "$folder" != / ]; do
        folder=$(dirname "$folder")
        setpriv --reuid={uid} --regid={gid} --clear-groups test -x "$folder" || closed=$folder
    done
    if [ -n "${{closed-}}" ]; then
        mkdir -p {place}/kept && mount --rbind "$needed" {place}/kept
        mount -t tmpfs -o mode=755 tmpfs "$closed"
        mkdir -p "$needed" && mount --move {place}/kept "$needed"
        unset closed
    fi
done
"""
AS_USER = "exec setpriv --reuid={uid} --regid={gid} --clear-groups {command}"
# Linux makes no user namespace for somebody whose root is not the root of all that is mounted.
FORBIDDEN = """mount --rbind / {place}/everything
exec chroot --userspec={uid}:{gid} --groups= {place}/everything {command}"""

light = load_script(Path(__file__).with_name("light_exercise.py"))


@dataclass
class Teacher:
    """An ordinary user with a home, and a copy of the course that only root can change."""

    place: Path

    @property
    def home(self):
        return self.place / "home"

    @property
    def course(self):
        return self.place / "course"

    def grade(self, *arguments, last=AS_USER):
        """Run `python -m course_utils grade` as this user."""
        variables = {"HOME": self.home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        variables["PYTHONPATH"] = self.course / "classroom" / "grader"  # this copy is not installed
        command = ["env", "-i", f"--chdir={self.course}"]
        command += [f"{name}={value}" for name, value in variables.items()]
        command += [sys.executable, "-m", "course_utils", "grade", *map(str, arguments)]
        user = pwd.getpwnam(USER)
        names = {"uid": user.pw_uid, "gid": user.pw_gid, "place": self.place}
        needed = " ".join(dict.fromkeys((sys.base_prefix, sys.prefix)))
        script = OPEN.format(needed=needed, **names)
        script += last.format(command=" ".join(command), **names)
        inside = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        return subprocess.run(inside, capture_output=True, text=True, timeout=400)


@pytest.fixture
def teacher(mounts, bubblewrap):
    """An ordinary user, and the light exercise in a course of their own."""
    with TemporaryDirectory(prefix="course-teacher-", dir="/tmp") as name:
        someone = Teacher(Path(name))
        someone.place.chmod(0o755)
        for folder in ("home", "everything"):
            (someone.place / folder).mkdir()
        shutil.chown(someone.home, USER, pwd.getpwnam(USER).pw_gid)
        ignored = shutil.ignore_patterns("__pycache__")
        for part in ("course_utils", "classroom"):
            shutil.copytree(ROOT / part, someone.course / part, ignore=ignored)
        start = Path("notebooks", "00_start_here.ipynb")  # by which the program knows a course
        (someone.course / start).parent.mkdir()
        shutil.copyfile(ROOT / start, someone.course / start)
        light.write_solution(someone.course)
        yield someone


@pytest.fixture
def sent(teacher, tmp_path):
    """A folder of submissions: perfect, looking for its teacher's files, filling the disk."""
    solution = teacher.course / "solutions" / light.SLUG
    maker = light.Maker(light.released(tmp_path, solution), None)
    (teacher.home / "key.txt").write_text("of the teacher")
    look = f"import os\nassert os.path.exists({str(teacher.home / 'key.txt')!r}), 'nothing there'"
    folder = teacher.home / "sent"
    folder.mkdir()
    made = {
        "s1": maker.perfect("s1"),
        "s2": maker.trying("s2", look),
        "s3": maker.perfect("s3", mine=light.DELETED),
    }
    for student, notebook in made.items():
        (folder / f"{student}_{light.SLUG}.ipynb").write_bytes(light.as_bytes(notebook))
    return folder


def test_an_ordinary_user_grades_in_the_sandbox(teacher, sent):
    out = teacher.home / "grades"
    done = teacher.grade(sent, "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    with (out / "gradebook.csv").open(newline="") as file:
        points = {row["student"]: float(row["points"]) for row in csv.DictReader(file)}
    assert points == {"s1": 4.0, "s2": 3.0, "s3": 2.0}
    assert "wrote more than 256 MB" in (out / "review.csv").read_text(encoding="utf-8")
    assert "nothing there" in (out / "feedback" / "s2.html").read_text(encoding="utf-8")
    owners = {path.stat().st_uid for path in out.rglob("*")}
    assert owners == {pwd.getpwnam(USER).pw_uid}


def test_where_user_namespaces_are_forbidden_it_says_so_and_grades_nothing(teacher, sent):
    out = teacher.home / "grades"
    done = teacher.grade(sent, "--out", out, last=FORBIDDEN)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "the sandbox does not start (bwrap: No permissions" in sentence
    assert "has to allow unprivileged user namespaces, or" in sentence and "--trusted" in sentence
    assert not out.exists()
