"""A class's whole round over HTTP, on a real hub with a teacher and three students.

It is played once, in namespaces of its own (`hub_inside.py`); the tests look at what came of it.
Nothing is stubbed: the course's own hub config, PAM with passwords, the proxy, everybody's server
under their own name, nbgrader's exchange, and grading in the sandbox by a user who is not root.
"""

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from scripts import load_script

from course_utils.startup import SPIN_COUNT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hub"), pytest.mark.timeout(1800)]


hub_machine = load_script(Path(__file__).with_name("hub_machine.py"))
ROOT = hub_machine.ROOT
SLUG = "04_stride_padding_pooling"
NOTEBOOK = f"{SLUG}/{SLUG}.ipynb"
FORM = {"course_id": hub_machine.COURSE, "assignment_id": SLUG}
QUESTIONS = ("two_steps", "touched", "order_told")
TASKS = {"padding": 1, "seen": 3, "halve": 3, "experiment": 3}
WRONG = "def halve(image):\n    return image[::2, ::2]"


def answers():
    """The solution's own answers: name of the cell -> code."""
    solution = nbformat.read(ROOT / "solutions" / NOTEBOOK, as_version=4)
    return {
        cell.metadata.nbgrader.grade_id: "\n".join(
            line for line in cell.source.split("\n") if "SOLUTION" not in line
        )
        for cell in solution.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }


def named(notebook, name):
    """Return a cell by the name that nbgrader has for it."""
    return next(
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def hand_out(teacher):
    """Put an exercise into the course, generate its release and release it."""
    copy = f"import shutil, os\nhome = os.path.expanduser('~/course/solutions/{SLUG}')\n"
    copy += f"shutil.copytree({str(ROOT / 'solutions' / SLUG)!r}, home)"
    assert teacher.run(copy) == [""]
    for step in ("assign", "release"):
        done = teacher.json("POST", f"formgrader/api/assignment/{SLUG}/{step}")
        assert done["success"], done["log"]


def fetch(student):
    """Fetch the exercise as the button in JupyterLab does."""
    listed = student.json("GET", "assignments", params={"course_id": hub_machine.COURSE})
    assert [entry["status"] for entry in listed["value"]] == ["released"]
    after = student.json("POST", "assignments/fetch", json=FORM)
    assert [entry["status"] for entry in after["value"]] == ["fetched"], after


def work_right(student):
    """Compute one's own numbers in a kernel, write all answers, run the notebook, save it."""
    notebook, right = student.read(NOTEBOOK), answers()
    setup = named(notebook, "setup")["source"]
    numbers = student.run("student_id = None\n" + setup, *(
        f"{right[name]}\nprint(repr({name}))" for name in QUESTIONS
    ))[1:]  # fmt: skip
    right |= {name: f"{name} = {text}" for name, text in zip(QUESTIONS, numbers, strict=True)}
    for name, source in right.items():
        named(notebook, name)["source"] = source
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    printed = student.run(*code)
    student.save(NOTEBOOK, notebook)
    return printed


def work_partly(student):
    """Answer two tasks rightly, one wrongly and no question."""
    notebook, right = student.read(NOTEBOOK), answers()
    for name in ("padding", "seen"):
        named(notebook, name)["source"] = right[name]
    named(notebook, "halve")["source"] = WRONG
    student.save(NOTEBOOK, notebook)


def submit(student):
    """Hand in as the button does."""
    listed = student.json("POST", "assignments/submit", json=FORM)
    return [entry for entry in listed["value"] if entry["status"] == "submitted"]


HAND_IN = """
import os, shutil
from datetime import datetime, timezone
os.umask(0o022)
stamp = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
course = os.path.join(os.environ["COURSE_HUB_EXCHANGE"], os.environ["COURSE_HUB_COURSE"])
inbound = os.path.join(course, "inbound")
folder = os.path.join(inbound, f"{student}+{slug}+{stamp}+x")
os.mkdir(folder)
with open(os.path.join(folder, "timestamp.txt"), "w") as file:
    file.write(stamp)
notebook = os.path.expanduser(f"~/{slug}/{slug}.ipynb")
with open(notebook) as source, open(os.path.join(folder, f"{slug}.ipynb"), "w") as target:
    target.write(source.read())
if link:
    os.symlink(link, os.path.join(folder, "link.ipynb"))
print("done")
"""
PEEK = """
def attempt(what, path):
    try:
        print(what(path))
    except OSError as error:
        print(type(error).__name__)
import os
for what, path in tries:
    attempt({"read": lambda p: open(p, "rb").read(9), "list": os.listdir,
             "rename": lambda p: os.rename(p, p + "x"), "make": os.mkdir}[what], path)
"""
BOMB = """
import subprocess, sys
hog = subprocess.run([sys.executable, "-c", "print(len(bytearray(b'x') * (2 * 1024 ** 3)))"])
print(hog.returncode)
"""
CROWD = """
import subprocess
crowd = []
try:
    for _ in range(600):
        crowd.append(subprocess.Popen(["sleep", "60"]))
except OSError as error:
    print(type(error).__name__)
for sleeper in crowd:
    sleeper.kill()
"""
ABOUT = """
import os, stat
from course_utils.quiz.memory import path_of
print(oct(stat.S_IMODE(os.stat(os.path.expanduser("~")).st_mode)), os.getuid(), path_of("x"))
print(*(os.environ[name] for name in ("COURSE_STUDENT", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")))
import course_utils.data as data
print(data.load("fashion_mnist_mini", batch_size=8).test.num_images > 0)
"""
GRADE = """
import csv, os, subprocess, sys
os.chdir(os.path.expanduser("~"))
command = [sys.executable, "-m", "course_utils", "grade", "course/submitted", "--out", "grades",
           "--exercise", slug, "--workers", "2"]
done = subprocess.run(command, capture_output=True, text=True)
if done.returncode:
    print(done.stderr)
else:
    rows = list(csv.DictReader(open("grades/gradebook.csv")))
    print({row["student"]: float(row["points"]) for row in rows})
"""


def with_names(code, **names):
    """Return code that begins with assignments."""
    return "".join(f"{name} = {value!r}\n" for name, value in names.items()) + code


def forbidden(machine, victim):
    """What a student tries on others: how, and where."""
    exchange, teacher = machine.base / "exchange", machine.home / machine.teacher
    course = exchange / hub_machine.COURSE
    return [
        ("list", str(course / "inbound")),
        ("rename", str(course)),
        ("make", str(course / "outbound" / "mine")),
        ("list", str(machine.home / victim)),
        ("read", str(machine.home / victim / NOTEBOOK)),
        ("read", str(teacher / "course" / "gradebook.db")),
        ("read", str(teacher / "course" / "solutions" / NOTEBOOK)),
        ("list", str(teacher / "course" / "submitted")),
        ("read", str(ROOT / "solutions" / NOTEBOOK)),
        ("list", str(ROOT / "sources")),
        ("read", str(machine.base / "state" / "jupyterhub.sqlite")),
        ("read", str(machine.base / "state" / "cookie_secret")),
        ("read", "/etc/shadow"),
    ]


def collect(teacher):
    """Collect what has been handed in; return what nbgrader says of it."""
    done = teacher.json("POST", f"formgrader/api/assignment/{SLUG}/collect")
    assert done["success"], done["log"]
    return done["log"]


def grade(teacher, students):
    """Grade each student in Formgrader; return nbgrader's scores."""
    for student in students:
        path = f"formgrader/api/submission/{SLUG}/{student}/autograde"
        done = teacher.json("POST", path)
        assert done["success"], done["log"]
    rows = teacher.json("GET", f"formgrader/api/submissions/{SLUG}")
    return {row["student"]: row["score"] for row in rows}


def give_feedback(teacher):
    """Generate and release the feedback of everybody."""
    for step in ("generate_feedback", "release_feedback"):
        done = teacher.json("POST", f"formgrader/api/assignment/{SLUG}/{step}")
        assert done["success"], done["log"]


def fetch_feedback(student):
    """Fetch one's feedback; return its pages."""
    student.json("POST", "assignments/fetch_feedback", json=FORM)
    folder = f"{SLUG}/feedback"
    pages = [
        page["path"]
        for time_ in student.json("GET", f"api/contents/{folder}")["content"]
        for page in student.json("GET", f"api/contents/{time_['path']}")["content"]
    ]
    return [student.read(page) for page in pages]


def play(machine):
    """Play the round; return what is worth a look."""
    facts = SimpleNamespace(times={})

    start = time.monotonic()

    def lap(name):
        facts.times[name] = round(time.monotonic() - start, 1)

    teacher, *students = (hub_machine.Person(machine, name) for name in machine.names)
    right, partly, untouched = students
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hub_machine.Person.start, [teacher, *students]))
        lap("four servers")
        stranger = hub_machine.Person(machine, right.name)
        facts.wrong_password = stranger.log_in("wrong").status_code
        hand_out(teacher)
        list(pool.map(fetch, students))
        lap("fetched")
        partly_done = pool.submit(work_partly, partly)
        facts.printed = work_right(right)
        partly_done.result()
        facts.submitted = list(pool.map(submit, students))
        lap("submitted")
        facts.about = right.run(ABOUT)[0].split()
        facts.peeks = forbidden(machine, right.name)
        facts.peeked = untouched.run(with_names(PEEK, tries=facts.peeks))[0].split("\n")[:-1]
        facts.foreign_server = untouched.ask("GET", "api/contents", of=right.name).status_code
        facts.foreign_teacher = untouched.ask("GET", "formgrader", of=teacher.name).status_code
        facts.own_formgrader = untouched.ask("GET", "formgrader").status_code
        facts.teachers_formgrader = teacher.ask("GET", "formgrader").status_code
        facts.lessons = {entry["name"] for entry in right.read("lessons")}
        facts.bomb, facts.crowd = untouched.run(BOMB, CROWD)
        facts.groups = [str(folder) for folder in hub_machine.group_folders(machine.base.name)]
        lap("peeked")
        solution = str(machine.home / teacher.name / "course/solutions" / NOTEBOOK)
        facts.handed_in = [
            untouched.run(with_names(HAND_IN, slug=SLUG, student=student.name, link=link))[0]
            for student, link in ((right, None), (untouched, solution))
        ]
        facts.collect_log = collect(teacher)
        facts.collected = sorted(
            path.relative_to(machine.home / teacher.name / "course/submitted").as_posix()
            for path in machine.home.glob(f"{teacher.name}/course/submitted/*/*/*.ipynb")
        )
        submit(untouched)
        facts.second_collect_log = collect(teacher)
        lap("collected")
        facts.scores = grade(teacher, [student.name for student in students])
        lap("graded")
        give_feedback(teacher)
        facts.pages = list(pool.map(fetch_feedback, students))
        lap("feedback")
        facts.batch = teacher.run(with_names(GRADE, slug=SLUG))[0]
        lap("graded again")
    untouched.stop()
    facts.stopped = [p for p in hub_machine.group_folders(machine.base.name)
                     if p.name == untouched.name]  # fmt: skip
    facts.names = SimpleNamespace(right=right.name, partly=partly.name, untouched=untouched.name)
    facts.log = machine.log
    facts.home = machine.home
    return facts


@pytest.fixture(scope="module")
def played(root, mounts, hub_proxy, bubblewrap):
    """The round, after which the machine is gone."""
    hub_machine.sweep()
    start = time.monotonic()
    machine = hub_machine.Machine()
    try:
        with machine:
            facts = play(machine)
    except BaseException:
        print(machine.log[-5000:])
        raise
    finally:
        left = machine.leftovers()
    facts.left = left
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"seconds to each step: {facts.times}; in all {time.monotonic() - start:.0f}, "
        f"of which processors worked {used.ru_utime + used.ru_stime:.0f}"
    )
    return facts


def test_only_who_knows_the_password_comes_in(played):
    assert played.wrong_password == 403


def test_a_server_runs_as_its_user_with_a_private_home(played):
    mode, user, memory, student, threads, spin_count, has_data = played.about
    assert mode == "0o700"
    assert int(user) > 0
    assert Path(memory).is_relative_to(played.home / played.names.right)
    assert student == played.names.right, "questions are drawn by the name that the grader sees"
    assert (threads, spin_count) == ("2", str(SPIN_COUNT))
    assert has_data == "True"
    assert played.lessons >= {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_visible_checks_agree_with_right_answers(played):
    told = [line for text in played.printed for line in text.split("\n") if line[:1] in "✓✗"]
    *quiz_and_tasks, experiment = [line for line in told if line][-7:]
    assert quiz_and_tasks == ["✓ answered"] * 3 + ["✓ nothing wrong found here"] * 3
    assert experiment.startswith("✓ you predicted ")


def test_everybody_hands_in_once(played):
    assert [len(entries) for entries in played.submitted] == [1, 1, 1]
    assert [len(entries[0]["submissions"]) for entries in played.submitted] == [1, 1, 1]


def test_scores_of_formgrader_in_the_sandbox(played):
    names = played.names
    partly = TASKS["padding"] + TASKS["seen"]
    full = len(QUESTIONS) + sum(TASKS.values())  # the written answer is for a person to read
    assert played.scores == {names.right: full, names.partly: partly, names.untouched: 0}


def test_our_batch_grader_agrees_when_a_teacher_runs_it(played):
    assert played.batch == f"{played.scores}\n"


def test_feedback_comes_back_to_each_student_alone(played):
    points = ["13", "4", "0"]
    for pages, score in zip(played.pages, points, strict=True):
        assert len(pages) == 1
        assert f">{score} of 15 points</p>" in pages[0]
        assert "BEGIN HIDDEN" not in pages[0]


def test_a_student_reads_nothing_of_others(played):
    assert len(played.peeked) == len(played.peeks)
    allowed = [
        (try_, said)
        for try_, said in zip(played.peeks, played.peeked, strict=True)
        if said != "PermissionError"
    ]
    assert allowed == []


def test_nobody_opens_the_server_of_somebody_else(played):
    assert (played.foreign_server, played.foreign_teacher) == (403, 403)
    assert (played.own_formgrader, played.teachers_formgrader) == (404, 200)


def test_nobody_hands_in_for_somebody_else_or_by_a_link(played):
    assert played.handed_in == ["done\n", "done\n"]
    names = played.names
    assert played.collected == sorted(
        f"{name}/{NOTEBOOK}" for name in (names.right, names.partly, names.untouched)
    )
    assert "link.ipynb is not a plain file" in played.collect_log


def test_a_later_submission_takes_the_place_of_an_earlier_one(played):
    name = played.names.untouched
    assert f"Updating submission: {name} {SLUG}" in played.second_collect_log
    assert played.second_collect_log.count("Updating") == 1


def test_memory_and_processes_of_a_learner_are_limited(played):
    assert played.bomb == "-9\n", "twice the memory was given out"
    assert played.crowd == "BlockingIOError\n"
    assert any(played.names.untouched in folder for folder in played.groups)
    assert played.stopped == [], "a server that was stopped left its group behind"


def test_the_idle_culler_may_do_its_work(played):
    asked = [line for line in played.log.split("\n") if "(idle-culler@" in line]
    assert any(" 200 GET /hub/api/users" in line for line in asked)
    assert not [line for line in asked if " 403 " in line]


def test_no_user_no_process_and_no_control_group_is_left(played):
    assert played.left == []
