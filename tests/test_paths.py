"""`~` in a path is the home folder, in every option of every command."""

import argparse
import ast
import re
from pathlib import Path

import pytest
from refusals import refusal

from course_utils import cli, lab
from course_utils.arguments import as_path
from course_utils.training import History, TrainConfig
from course_utils.training.checkpoint import CheckpointFolder

ROOT = Path(cli.__file__).parents[1]
PARTS = ("course_utils", "classroom", "tools", "benchmarks")
SPEAKS_OF_A_PATH = re.compile(r"\b(folder|file|path|directory|dir|csv|zip|json)s?\b", re.IGNORECASE)
NO_PATHS = {
    "--exercise": "the name of an exercise",
    "--data": "expanded by `data.load`, behind `imagefolder:`",
    "--torch-from": "may be an address; `tools/bundle.py` expands it where it is none",
}
"""Options that speak of files and take no path, or not always, and what they take."""


def options_in(file):
    """Yield name, help with metavar, and type, as they are written, of each option in a file."""
    for call in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_argument":
            words = {word.arg: ast.unparse(word.value) for word in call.keywords}
            name = ast.literal_eval(call.args[0])
            said = f"{name} {words.get('metavar', '')} {words.get('help', '')}"
            yield name, said.replace("--", " ").replace("_", " "), words.get("type", "")


def all_options():
    files = (file for part in PARTS for file in sorted((ROOT / part).rglob("*.py")))
    return [option for file in files for option in options_in(file)]


def test_no_option_for_a_path_is_forgotten():
    """A parser that leaves the tilde alone: spinalcordtoolbox/spinalcordtoolbox#1416."""
    options = all_options()
    assert len(options) > 50
    assert [name for name, _, kind in options if "Path" in kind] == []
    speaking = {name for name, said, kind in options if SPEAKS_OF_A_PATH.search(said) and not kind}
    assert speaking == NO_PATHS.keys()
    assert sum(kind == "as_path" for _, _, kind in options) >= 12


def paths_of(parser):
    """Yield the actions for paths of a parser and of those below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from paths_of(verb)
        elif action.type is as_path:
            yield action


@pytest.fixture
def home(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path


def test_the_commands_expand_their_paths(home):
    assert {action.dest for action in paths_of(cli.build_parser())} == {
        *("checkpoint", "record", "submissions", "out", "students"),
        *("entry", "entries", "seed_file"),
    }
    parse = cli.build_parser().parse_args
    train = parse(["train", "lenet5", "--checkpoint=~/ck", "--record=~/a b.json"])
    assert (train.checkpoint, train.record) == (home / "ck", home / "a b.json")
    grade = parse(["grade", "~/in.zip", "--out=~/out", "--students=~", "--exercise", "07_lenet"])
    assert (grade.submissions, grade.out, grade.students) == (home / "in.zip", home / "out", home)
    board = parse(["leaderboard", "~/sent", "--out=~/out", "--seed-file=~/s"])
    assert (board.entries, board.out, board.seed_file) == (home / "sent", home / "out", home / "s")
    assert parse(["challenge", "~/mine.py"]).entry == home / "mine.py"


@pytest.mark.parametrize("wrong", ["~nobody-of-this-name/x", "", "a\0b"])
def test_what_is_no_path_is_refused_by_the_commands_in_one_line(capsys, wrong):
    """A home that is unknown stays as it is, silently, in elixir-lang/elixir#2611."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "lenet5", f"--checkpoint={wrong}"])
    assert ended.value.code == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith(f"argument --checkpoint: invalid as_path value: {wrong!r}")
    )
    assert "is not a path: give that of a file or a folder" in refusal(lambda: as_path(wrong))


@pytest.mark.parametrize("path", ["foo~", "a/~/b", "x=~"])
def test_a_tilde_elsewhere_is_part_of_a_name(path):
    """Only the first character is short for something: matteobaccan/owner#40."""
    assert as_path(path) == Path(path)


def test_paths_in_python_are_expanded_as_well(home):
    assert CheckpointFolder("~/ck").path == home / "ck"
    History(TrainConfig()).save("~/h/history.json")
    assert (home / "h/history.json").is_file()
    assert History.load(Path("~/h/history.json")).epochs == []


def test_jupyterlabs_own_options_are_expanded(home, monkeypatch):
    monkeypatch.setattr(lab, "lab_settings", lambda root: [])
    monkeypatch.setattr(lab, "end_properly", lambda: None)
    seen = []
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", seen.append)
    lab.serve(["--config=~/my.py", "--no-browser", "--port=9000", "--ServerApp.token=a~b"])
    assert seen == [
        [f"--config={home}/my.py", "--no-browser", "--port=9000", "--ServerApp.token=a~b"]
    ]
