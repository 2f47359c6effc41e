"""`python -m course_utils grade`, as a teacher types it."""

import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from scripts import load_script

import convnet_grader.cli
from convnet_grader import sandbox
from convnet_grader.execute import SandboxedExecute
from convnet_grader.folder import Batch, batch_config, course_config, prepare
from convnet_grader.preprocessors import WithholdHidden, copies_of
from convnet_grader.sandbox import Limits, require_sandbox
from course_utils import cli

light = load_script(Path(__file__).with_name("light_exercise.py"))


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course that has the light exercise only."""
    light.write_solution(tmp_path)
    monkeypatch.setattr(convnet_grader.cli, "course_root", lambda: tmp_path)
    return tmp_path


def send(course, *names):
    """Write untouched notebooks into a folder; return it."""
    folder = course / "sent"
    folder.mkdir()
    batch = Batch(light.SLUG, course / "solutions" / light.SLUG, course / "release")
    prepare(batch)
    for name in names:
        shutil.copyfile(batch.notebook("exercises"), folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.xdist_group("batch")
def test_a_folder_becomes_results(bubblewrap, course, capsys):
    folder = send(course, f"s1_{light.SLUG}.ipynb", "homework.txt")
    students = course / "students.csv"
    students.write_bytes("id;name\ns1;김철수\ns2;박지민\n".encode("cp949"))
    arguments = ["grade", str(folder), "--out", str(course / "out"), "--students", str(students)]

    assert cli.main([*arguments, "--workers", "1"]) == 0
    line = capsys.readouterr().out
    assert f"{light.SLUG}: 1 graded now, 1 in all, 1 not graded; 3 lines in" in line
    assert (course / "out" / "feedback" / "s1.html").is_file()
    review = (course / "out" / "review.csv").read_text()
    assert (
        f"{students},look,\"is not in UTF-8, and was read as cp949: line 2 is 's1;김철수'" in review
    )
    assert "homework.txt,not graded,is not a notebook (.ipynb)" in review
    assert "s2,,missing,sent nothing that can be graded" in review

    assert cli.main(arguments) == 0
    assert f"{light.SLUG}: 0 graded now, 1 in all" in capsys.readouterr().out


def refusal(capsys, *arguments):
    """Run a command that cannot be done; return its sentence."""
    assert cli.main(["grade", *map(str, arguments)]) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("package", ["nbgrader", "torch"])
@pytest.mark.parametrize("module", ["convnet_grader", "convnet_grader.batch"])
def test_importing_without_a_package_it_needs_says_how_to_get_it(package, module):
    """The extra is what a reader lacks, in earthobservations/wetterdienst#1938 as well."""
    code = f"import sys\nsys.modules[{package!r}] = None\nimport {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == f"ImportError: {cli.NO_GRADER}"
    assert "pip install --editable '.[classroom]'" in cli.NO_GRADER


@pytest.mark.parametrize("package", ["nbgrader", "torch"])
def test_the_command_without_a_package_it_needs_says_how_to_get_it(package):
    """A package that is found and then fails to load is as good as missing."""
    code = f"""
import sys
from importlib.abc import MetaPathFinder

class Hide(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hide())
from course_utils.cli import main
sys.exit(main(["grade", "x", "--out", "y"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"grade: {cli.NO_GRADER}\n")


@dataclass(frozen=True)
class OtherLimits(Limits):
    """Limits with other numbers."""

    seconds: float = 8.0
    memory_mb: int = 3


def test_the_command_takes_its_defaults_from_the_limits(course, monkeypatch):
    monkeypatch.setattr(convnet_grader.cli, "Limits", OtherLimits)
    parser = cli.build_parser()
    options = parser.parse_args(["grade", "x", "--out", "y", "--exercise", light.SLUG])
    assert convnet_grader.cli.prepare_batch(options)[0].limits == OtherLimits()


def test_the_guide_names_the_limits_there_are():
    guide = (Path(cli.__file__).parents[1] / "classroom" / "README.md").read_text("utf-8")
    numbers = r"`--timeout` seconds \((\d+); .*`--memory` megabytes \((\d+)\).*after (\d+) seconds"
    seconds, megabytes, of_a_cell = map(int, re.search(numbers, guide, re.DOTALL).groups())
    limits = Limits()
    assert (seconds, megabytes) == (limits.seconds, limits.memory_mb)
    assert of_a_cell == limits.cell_seconds


def test_all_limits_of_a_batch_reach_the_step_that_keeps_to_them(tmp_path):
    limits = Limits(seconds=40, memory_mb=400, processes=30, disk_mb=20, output_kb=10)
    batch = Batch(light.SLUG, tmp_path / light.SLUG, tmp_path / "out", limits)
    batch.course.mkdir(parents=True)
    (batch.course / "nbgrader_config.py").write_text("")
    config = batch_config(batch)
    assert config.Execute.timeout == 10
    assert SandboxedExecute(config=config).limits == limits


def test_settings_that_say_nothing_have_the_limits_of_everybody(tmp_path):
    config = course_config(tmp_path)
    assert config.Execute.timeout == Limits().cell_seconds
    assert SandboxedExecute(config=config).limits == Limits()


def test_windows_is_sent_to_wsl(monkeypatch, capsys):
    monkeypatch.setattr(cli.sys, "platform", "win32")
    assert "on Windows use WSL" in refusal(capsys, "x", "--out", "y")


def test_without_a_sandbox_nothing_is_graded(course, monkeypatch, capsys):
    require_sandbox.cache_clear()
    monkeypatch.setattr(sandbox, "sys", SimpleNamespace(platform="darwin"))
    out = course / "out"
    said = refusal(capsys, course, "--out", out, "--exercise", light.SLUG)
    assert "the sandbox needs Linux, and this is darwin" in said and "--trusted" in said
    assert not out.exists()


def test_what_does_not_fit_together_is_refused(course, capsys):
    (course / "sent").mkdir()
    out = ["--out", course / "out"]
    assert "add --exercise SLUG" in refusal(capsys, course / "sent", *out)
    known = ["--exercise", light.SLUG]
    assert "--workers 0: at least 1" in refusal(capsys, course, *out, *known, "--workers", "0")
    assert "seconds = -1.0" in refusal(capsys, course, *out, *known, "--timeout", "-1")


def test_an_exercise_that_is_not_there_is_refused(bubblewrap, course, capsys):
    said = refusal(capsys, course, "--out", course / "out", "--exercise", "99_none")
    assert "there is no exercise 99_none" in said


def test_a_grader_without_the_course_around_it_grades_nothing(course, monkeypatch):
    monkeypatch.setattr(convnet_grader.folder, "CLASSROOM", course / "site-packages")
    batch = Batch(light.SLUG, course / "solutions" / light.SLUG, course / "out")
    with pytest.raises(ValueError, match=r"nbgrader_config.py is not there: grade in a copy"):
        prepare(batch)
    assert not (batch.course / "nbgrader_config.py").exists()


def test_results_of_another_exercise_are_left_alone(course):
    batch = Batch(light.SLUG, course / "solutions" / light.SLUG, course / "out")
    batch.course.mkdir(parents=True)
    (batch.course / "exercise.txt").write_text("07_lenet 123\n")
    with pytest.raises(ValueError, match="has the results of 07_lenet: name another folder"):
        prepare(batch)


def cell(source, name, text=""):
    """A test cell that printed something."""
    made = light.check(name, 1, "")
    made.source = source
    made.outputs = [nbformat.v4.new_output("stream", text=text)] if text else []
    return made


def test_feedback_withholds_a_printed_check_and_keeps_its_sentence():
    hidden = (
        'show()\n### BEGIN HIDDEN TESTS\nvalue = learners_function(41.5)\n"the bias is missing"\n'
    )
    hidden += "### END HIDDEN TESTS"
    cells = [
        cell(hidden, "a", "CheckFailed: the bias is missing"),
        cell("x", "b", "['show()\\n### BEGIN', \"value = learners_function(41.5)\"]"),
        cell("x", "c", "learners_function"),
    ]
    WithholdHidden().preprocess(nbformat.v4.new_notebook(cells=cells), {})
    shown = [each.outputs[0].text for each in cells]
    assert shown[0] == "CheckFailed: the bias is missing"
    assert shown[1] == "withheld: this cell printed a part of a hidden check\n"
    assert shown[2] == "learners_function"


def test_a_cell_is_known_by_id_or_name_before_its_text():
    ours = [cell("same", "a"), cell("same", "b"), cell("same", "c")]
    stripped = nbformat.v4.new_code_cell("same", id="new")
    theirs = [cell("same", "c"), stripped, nbformat.v4.new_code_cell("other", id="b")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = copies_of(ours, theirs)
    assert [[theirs.index(other) for other in copies] for copies in found] == [[1], [2], [0]]
