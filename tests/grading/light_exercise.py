"""A small exercise without torch, for tests of the batch grader, and what students make of it."""

import json
from copy import copy, deepcopy
from types import SimpleNamespace

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SLUG = "91_light"
SECRET = "the sum of twice the numbers, as nobody is told"
DOUBLE = "def double(number):\n    return 2 * number"
LAST = "last = 3"


def own_number(student):
    """The answer to the question whose numbers depend on the student."""
    return sum(map(ord, student))


def mine(student):
    return f"mine = {own_number(student)}"


def role(name, **extra):
    base = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return {"nbgrader": base | {"grade_id": name} | extra}


def answer(name, source):
    text = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    return new_code_cell(text, id=name, metadata=role(name, solution=True))


def check(name, points, hidden):
    text = f'print("handed out")\n### BEGIN HIDDEN TESTS\n{hidden}\nfloat({points})\n'
    text += "### END HIDDEN TESTS"
    extra = {"grade": True, "locked": True, "points": points}
    return new_code_cell(text, id=name, metadata=role(name, **extra))


def solution():
    """The exercise with answers and hidden checks, as nbgrader's source folder has it."""
    cells = [
        new_markdown_cell("# A light exercise", id="title"),
        answer("double", DOUBLE),
        check("double_check", 2, f"assert double(21) == 42, {SECRET!r}"),
        answer("mine", "mine = 0"),
        check(
            "mine_check",
            1,
            "import os\nassert mine == sum(map(ord, os.environ['COURSE_STUDENT'])), 'not yours'",
        ),
        answer("last", LAST),
        check("last_check", 1, "if last != 3:\n    raise ValueError(f'{last} is not three')"),
        new_markdown_cell(
            "Because.", id="why", metadata=role("why", grade=True, solution=True, points=1)
        ),
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write_solution(course):
    """Write the light exercise where a course has it; return its folder."""
    place = course / "solutions" / SLUG
    place.mkdir(parents=True)
    nbformat.write(solution(), place / f"{SLUG}.ipynb")
    return place


def released(tmp, solution):
    """Return the notebook that students get, as nbgrader releases it."""
    from convnet_grader.folder import Batch, prepare

    batch = Batch(SLUG, solution, tmp / "release")
    prepare(batch)
    return nbformat.read(batch.notebook("exercises"), as_version=4)


class Maker:
    """Makes submissions from the exercise as it was handed out."""

    def __init__(self, released, paths):
        """Take the released notebook, and the paths that a student may try to read."""
        self.released, self.paths = released, paths

    def answered(self, **sources):
        notebook = deepcopy(self.released)
        for name, source in sources.items():
            named(notebook, name).source = source
        return notebook

    def perfect(self, student, **sources):
        right = {"double": DOUBLE, "mine": mine(student), "last": LAST, "why": "As it is so."}
        return self.answered(**right | sources)

    def trying(self, student, attempt):
        """Right answers, but the last one is only right if an attempt raises no error."""
        body = "\n".join(f"    {line}" for line in attempt.split("\n"))
        code = f"try:\n{body}\n    last = 3\nexcept Exception as error:\n    last = repr(error)"
        return self.perfect(student, last=code)


def named(notebook, name):
    """Return the cell that nbgrader knows by this name."""
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def as_bytes(notebook):
    """Return a notebook as a file has it, whatever nbformat thinks of it."""
    return nbformat.v4.writes(notebook).encode()


def kind(make, points, remark=None):
    """One kind of submission: who makes it, the points of its three checks, what is remarked."""
    return SimpleNamespace(make=make, points=points, remark=remark)


def deleted(maker, student):
    notebook = maker.perfect(student)
    notebook.cells.remove(named(notebook, "double_check"))
    return notebook


def copied(maker, student):
    notebook = maker.perfect(student)
    notebook.cells.insert(1, deepcopy(named(notebook, "double_check")))
    return notebook


def tampered(maker, student):
    notebook = maker.answered(double="def double(number): return number")
    for name, points in (("double_check", 2), ("mine_check", 1), ("last_check", 1)):
        named(notebook, name).source = f"float({points})"
    return notebook


def flipped(maker, student):
    notebook = maker.perfect(student)
    named(notebook, "double_check").metadata.nbgrader.update(grade=False, solution=True)
    named(notebook, "last_check").metadata.nbgrader.update(locked=False, schema_version=1)
    return notebook


def raised(maker, student):
    notebook = maker.perfect(student, double="def double(number): return number")
    named(notebook, "mine_check").metadata.nbgrader.update(points=99)
    named(notebook, "mine_check").source = "99.0"
    return notebook


def elsewhere(maker, student):
    notebook = maker.perfect(student, why=named(maker.released, "why").source)
    notebook.cells.append(new_markdown_cell("As it is so, in a cell of my own."))
    return notebook


def without_ids(maker, student):
    notebook = maker.perfect(student)
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"c{number}", {}
    return notebook


def marked_and_older(maker, student):
    notebook = maker.perfect(student)
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
        cell.metadata.setdefault("nbgrader", "gone")
    return notebook


def without_sigint(maker, student):
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code += "while True: time.sleep(0.1)"
    return maker.perfect(student, mine=code)


DELETED = """
import os
mine = open("a", "wb", buffering=0)
os.unlink("a")
while True:
    try:
        mine.write(bytes(2**20))
    except OSError:
        pass
"""
WRITE = """
i = 0
while True:
    i += 1
    try:
        open(f"{i}", "wb").write(bytes(2**24))
    except OSError:
        pass
"""
LONG_PATH = f"""
import os
for _ in range(30):
    os.mkdir("a" * 200)
    os.chdir("a" * 200)
{WRITE}"""
EMPTY = WRITE.replace("bytes(2**24)", "b''")
HOG = """import time
blocks = []
while True:
    try:
        blocks.append(b"x" * 10**8)
    except MemoryError:
        pass
    time.sleep(0.03)
"""
CLAIM = f"import os\nos.environ['COURSE_STUDENT'] = 'victim'\nmine = {own_number('victim')}"
WATCH = """import IPython, os
print(In, [open(name).read() for name in os.listdir() if name.endswith('.ipynb')])
last = 3"""
FOLDERS = """import os
for _ in range(3_000):
    os.mkdir("d")
    os.chdir("d")
os.mkdir(b"closed \\xb1\\xe8", 0)"""
KILL = "import os\nos.kill(1, 9)\nos.kill(os.getppid(), 9)\nlast = 3"
LEAVE = """import subprocess
subprocess.Popen(["sleep", "98765"], start_new_session=True)
last = 3"""

GRADED = {
    "perfect": kind(lambda m, s: m.perfect(s), (2, 1, 1)),
    "partial": kind(lambda m, s: m.answered(double=DOUBLE), (2, 0, 0)),
    "untouched": kind(lambda m, s: m.answered(), (0, 0, 0)),
    "syntax_error": kind(lambda m, s: m.perfect(s, double="def double(number:"), (0, 1, 1)),
    "infinite_loop": kind(
        lambda m, s: m.perfect(s, double="def double(number):\n    while True: pass"),
        (0, 1, 1),
        "took longer than 10 seconds, in double_check",
    ),
    "deaf_loop": kind(without_sigint, (2, 0, 0), ", in mine_check"),
    "print_flood": kind(
        lambda m, s: m.perfect(s, last="last = 3\nwhile True: print('x' * 1000)"),
        (2, 1, 1),
        "printed more than 1024 kB, in last",
    ),
    "memory_bomb": kind(lambda m, s: m.perfect(s, mine="bytearray(10**12)"), (2, 0, 1)),
    "memory_hog": kind(
        lambda m, s: m.perfect(s, mine=HOG), (2, 0, 0), "used more than 400 MB of memory, in mine"
    ),
    "fork_bomb": kind(
        lambda m, s: m.perfect(s, mine="import os\nwhile True: os.fork()"),
        (2, 0, 0),
        ", in mine",
    ),
    "disk_bomb": kind(lambda m, s: m.perfect(s, mine=WRITE), (2, 0, 0), "wrote more than 256 MB"),
    "open_but_deleted": kind(
        lambda m, s: m.perfect(s, mine=DELETED), (2, 0, 0), "wrote more than 256 MB"
    ),
    "below_a_long_path": kind(
        lambda m, s: m.perfect(s, mine=LONG_PATH), (2, 0, 0), "wrote more than 256 MB"
    ),
    "empty_files": kind(lambda m, s: m.perfect(s, mine=EMPTY), (2, 0, 0), "or 20,000 files"),
    "files_in_memory": kind(lambda m, s: m.trying(s, "import os\nos.memfd_create('a')"), (2, 1, 0)),
    "memory_of_nobody": kind(
        lambda m, s: m.trying(s, "import ctypes\nassert ctypes.CDLL(None).shmget(0, 9, 384) >= 0"),
        (2, 1, 0),
    ),
    "deleted_check": kind(deleted, (2, 1, 1), "double_check was deleted"),
    "copied_check": kind(copied, (2, 1, 1), "double_check was copied"),
    "tampered_checks": kind(tampered, (0, 0, 0), "last_check was changed"),
    "flipped_metadata": kind(flipped, (2, 1, 1), "double_check had other points"),
    "raised_points": kind(raised, (0, 1, 1), "mine_check had other points"),
    "reads_solutions": kind(
        lambda m, s: m.trying(s, f"open({str(m.paths.solution)!r}).read()"), (2, 1, 0)
    ),
    "reads_gradebook": kind(
        lambda m, s: m.trying(s, f"open({str(m.paths.gradebook)!r}, 'rb').read()"),
        (2, 1, 0),
        "its code mentions the gradebook",
    ),
    "reads_others": kind(
        lambda m, s: m.trying(s, f"import os\nassert len(os.listdir({str(m.paths.inbox)!r})) > 1"),
        (2, 1, 0),
    ),
    "reads_passwords": kind(lambda m, s: m.trying(s, "open('/etc/shadow').read()"), (2, 1, 0)),
    "opens_socket": kind(
        lambda m, s: m.trying(
            s,
            f"import socket\nlink = socket.create_connection(('127.0.0.1', {m.paths.port}), 3)\n"
            "assert link.getsockname() != link.getpeername(), 'connected to itself, by chance'",
        ),
        (2, 1, 0),
        "its code mentions the network",
    ),
    "hard_exit": kind(
        lambda m, s: m.perfect(s, mine="import os\nos._exit(0)"),
        (2, 0, 0),
        "ended Python, in mine",
    ),
    "soft_exit": kind(
        lambda m, s: m.perfect(s, last="import sys\nlast = 3\nsys.exit()"), (2, 1, 1)
    ),
    "asks_input": kind(lambda m, s: m.perfect(s, last="last = int(input())"), (2, 1, 0)),
    "other_id": kind(
        lambda m, s: m.perfect(s, mine=CLAIM), (2, 0, 1), "its code mentions the student's id"
    ),
    "watches": kind(lambda m, s: m.perfect(s, last=WATCH), (2, 1, 1)),
    "kills": kind(lambda m, s: m.perfect(s, last=KILL), (2, 1, 1)),
    "leaves_processes": kind(lambda m, s: m.perfect(s, last=LEAVE), (2, 1, 1)),
    "answers_elsewhere": kind(elsewhere, (2, 1, 1), "why is unanswered, but a cell that"),
    "without_ids": kind(without_ids, (2, 1, 1), "why is unanswered, but a cell that"),
    "leaves_folders": kind(lambda m, s: m.perfect(s, last=f"{LAST}\n{FOLDERS}"), (2, 1, 1)),
    "says_half_a_character": kind(
        lambda m, s: m.perfect(s, last="print('\\ud83d')\nlast = '\\udcb1 \\x1b[31m'"), (2, 1, 0)
    ),
    "marked_and_older": kind(marked_and_older, (2, 1, 1), "is not quite as Jupyter writes"),
}
"""Kinds that get points: their students are s01, s02, ... in this order."""
UNANSWERED = ("partial", "untouched", "tampered_checks", "answers_elsewhere", "without_ids")
"""Those whose written answer is not in its cell."""


def refused(maker):
    """Return name -> bytes of what cannot be graded, and name -> a part of the reason."""
    perfect = as_bytes(maker.perfect("s80"))
    large = maker.perfect("s87")
    large.cells[0].source += "x" * 50 * 2**20
    other = deepcopy(maker.released)
    for cell in other.cells:
        cell.id, cell.source, cell.metadata = f"o-{cell.id}", f"other {cell.source}", {}
    deep = "[" * 100_000 + "]" * 100_000
    return {
        f"s80_{SLUG}.txt": (perfect, "is not a notebook (.ipynb)"),
        f"s81_{SLUG}.ipynb": (b"\x89PNG\r\n", "has no notebook inside"),
        f"s82_{SLUG}.ipynb": (json.dumps({"cells": 3}).encode(), "has no notebook inside"),
        "my homework.ipynb": (perfect, "without a student's id"),
        "s83/91_light/homework.ipynb": (perfect, "is not called 91_light.ipynb"),
        f"s84_first_{SLUG}.ipynb": (perfect, "is one of 2 different notebooks"),
        f"s84_second_{SLUG}.ipynb": (perfect + b"\n", "is one of 2 different notebooks"),
        f"../../s85_{SLUG}.ipynb": (perfect, "leads out of its folder"),
        f"/tmp/s86_{SLUG}.ipynb": (perfect, "leads out of its folder"),
        f"s87_{SLUG}.ipynb": (as_bytes(large), "is larger than 10 MB"),
        f"s88_{SLUG}.ipynb": (as_bytes(other), "has no cell of this exercise"),
        f"s89_{SLUG}.ipynb": (deep.encode(), "has no notebook inside"),
    }


# --- From the fuzzer ---------------------------------------------------------------------------


def places(tree, path=()):
    """Yield the way to every place in some JSON."""
    yield path
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(value, (*path, key))


def exchanged(tree, path, value):
    """Return some JSON with another value in one place."""
    if not path:
        return value
    made = copy(tree)
    made[path[0]] = exchanged(tree[path[0]], path[1:], value)
    return made


STRANGE = (None, True, -1, 1e400, "", "x" * 10_000, "\ud83d", [], [[]], {}, {"a": None}, "code")


def fuzzed(maker, student, rng):
    """Return the bytes of a right notebook with other bytes, or another value, in some place."""
    tree = json.loads(as_bytes(maker.perfect(student)))
    if rng.random() < 0.2:
        data = bytearray(json.dumps(tree).encode())
        place = rng.randrange(len(data))
        data[place : place + 20] = rng.randbytes(20)
        return bytes(data)
    path = rng.choice(list(places(tree["cells"], ("cells",))))
    return json.dumps(exchanged(tree, path, rng.choice(STRANGE))).encode()
