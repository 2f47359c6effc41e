"""A batch that is killed, or has no room left, goes on where it was, and grades nothing twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import left_over
from scripts import load_script

from convnet_grader.attempts import history
from convnet_grader.boundary import Problems
from convnet_grader.folder import Batch
from convnet_grader.session import run_batch

light = load_script(Path(__file__).with_name("light_exercise.py"))
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interrupted")]
DRIVER = f"""
import sys
from pathlib import Path
from convnet_grader.folder import Batch
from convnet_grader.session import run_batch
if __name__ == "__main__":
    source, solution, out = map(Path, sys.argv[1:])
    run_batch(source, Batch({light.SLUG!r}, solution, out), workers=1)
"""
STUDENTS = [f"s{number}" for number in range(8)]


@pytest.fixture
def sent(bubblewrap, tmp_path):
    """A folder of right answers, the exercise's solution, and a folder for what comes of them."""
    solution, source = light.write_solution(tmp_path / "course"), tmp_path / "sent"
    maker = light.Maker(light.released(tmp_path, solution), None)
    source.mkdir()
    for student in STUDENTS:
        data = light.as_bytes(maker.perfect(student))
        (source / f"{student}_{light.SLUG}.ipynb").write_bytes(data)
    return source, solution, tmp_path / "results"


def num_attempts(out):
    """Return how often each student was graded, by the folder of attempts."""
    kept = history(out / "attempts", Problems())
    return {student: len(attempts) for student, attempts in kept.items()}


def test_a_batch_killed_at_ten_random_moments_grades_everybody_once(sent):
    source, solution, out = sent
    moments = random.Random(2014)
    for _ in range(10):
        command = [sys.executable, "-c", DRIVER, source, solution, out]
        first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + moments.uniform(1, 8)
        while time.monotonic() < end and first.poll() is None:
            time.sleep(0.02)
        children = psutil.Process(first.pid).children(recursive=True)
        os.kill(first.pid, signal.SIGKILL)
        said = first.communicate()[1]
        assert first.returncode in (0, -signal.SIGKILL), said
        assert not left_over(children, seconds=20)
    before = num_attempts(out)

    batch = Batch(light.SLUG, solution, out)
    result = run_batch(source, batch, workers=1)
    assert result.num_graded == len(STUDENTS) - len(before)
    assert num_attempts(out) == dict.fromkeys(STUDENTS, 1)
    assert {report.student: report.points for report in result.reports} == dict.fromkeys(
        STUDENTS, 4.0
    )
    assert {file.stem for file in (out / "feedback").iterdir()} == set(STUDENTS)
    assert not (batch.course / "running.txt").exists()


FULL = f"""
import json, os, sys
from pathlib import Path
from convnet_grader import held
from convnet_grader.boundary import Problems
from convnet_grader.attempts import history
from convnet_grader.folder import Batch
from convnet_grader.session import run_batch

def free(folder):
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize

if __name__ == "__main__":
    source, solution, out = map(Path, sys.argv[1:])
    out.mkdir()
    assert held.hold(out, 16)
    batch = Batch({light.SLUG!r}, solution, out)
    said = []
    for kilobytes in (0, 300):
        filler = out / "filler"
        filler.write_bytes(bytes(max(0, free(out) - 1024 * kilobytes)))
        try:
            run_batch(source, batch, workers=1)
        except ValueError as error:
            said.append(str(error))
        filler.unlink()
    result = run_batch(source, batch, workers=1)
    points = {{report.student: report.points for report in result.reports}}
    attempts = history(out / "attempts", Problems())
    print(json.dumps([said, {{student: len(kept) for student, kept in attempts.items()}}, points]))
"""


def test_a_batch_on_a_full_disk_says_so_and_goes_on_once_there_is_room(sent):
    source, solution, out = sent
    command = [sys.executable, "-c", FULL, source, solution, out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, graded, points = json.loads(done.stdout.splitlines()[-1])
    assert len(said) == 2 and all(f"the disk of {out} is full" in sentence for sentence in said)
    assert graded == dict.fromkeys(STUDENTS, 1)
    assert points == dict.fromkeys(STUDENTS, 4.0)
