"""The command line, run as a learner runs it."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from course_utils import cli, lab
from course_utils.training import History, TrainConfig


def run(*arguments, **environment):
    command = [sys.executable, "-m", "course_utils", *arguments]
    env = os.environ | environment
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_help_answers_without_loading_torch():
    code = """
import sys
from course_utils.cli import main
try:
    main(["--help"])
except SystemExit:
    print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "doctor" in done.stdout and done.stdout.endswith("False\n")


def test_an_unknown_verb_exits_with_2():
    done = run("fly")
    assert done.returncode == 2
    assert "invalid choice: 'fly'" in done.stderr


def test_an_installed_package_brings_its_verb(monkeypatch):
    added = EntryPoint("fly", "os:getcwd", cli.VERBS)
    monkeypatch.setattr(cli, "entry_points", lambda group: [added])
    assert list(cli.installed_verbs()) == [os.getcwd]


@pytest.mark.parametrize("found", [[], [EntryPoint("grade", "moved_since.cli:add", cli.VERBS)]])
def test_where_no_grader_is_installed_it_says_how_to_get_it(monkeypatch, capsys, found):
    monkeypatch.setattr(cli, "entry_points", lambda group: found)
    assert cli.main(["grade", "--out", "grades", "submissions.zip"]) == 1
    assert capsys.readouterr().err == f"grade: {cli.NO_GRADER}\n"


def test_an_unknown_option_is_not_swallowed():
    done = run("doctor", "--loud")
    assert done.returncode == 2
    assert "not understood: --loud" in done.stderr


def test_an_unknown_model_is_answered_in_one_sentence():
    done = run("summary", "resnet19")
    assert done.returncode == 1
    assert done.stderr.startswith("summary: there is no model 'resnet19': did you mean")
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


@pytest.fixture(autouse=True)
def profile_of_this_machine(monkeypatch):
    """Undo what ``--profile`` leaves in this process's environment."""
    monkeypatch.setenv("COURSE_PROFILE", "")
    monkeypatch.delenv("COURSE_PROFILE")


@pytest.mark.parametrize("text", ["224", "3x224", "3x0x224", "axbxc", "3x224x224x2", "-3x2x2"])
def test_a_shape_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="write channels x height x width"):
        cli.parse_shape(text)


def test_a_shape_is_channels_height_width():
    assert cli.parse_shape("3x224X160") == (3, 224, 160)


def test_summary_prints_the_layers_and_the_total(capsys):
    assert cli.main(["summary", "lenet5"]) == 0
    assert "61,706" in capsys.readouterr().out


def test_models_lists_every_name(capsys):
    from course_utils import models

    assert cli.main(["models"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in models.names())


def test_a_reader_who_has_enough_is_no_error():
    """As in `models | head -1`: whoever reads closes the pipe before the table is written."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "course_utils", "models"]
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_gives_its_verdict_and_everything_on_request(capsys):
    assert cli.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "data: fashion_mnist_mini" not in printed and "--all" in printed
    assert cli.main(["doctor", "--all"]) == 0
    printed = capsys.readouterr().out
    assert "data: fashion_mnist_mini" in printed and "waiting threads" in printed


def test_lab_explains_a_missing_course(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site-packages/course_utils/lab.py"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab"]) == 1
    assert "run this in a copy of the whole course" in capsys.readouterr().err


def test_train_reports_and_records(tmp_path, capsys):
    record = tmp_path / "runs/lenet5.json"
    arguments = ["train", "lenet5", "--limit", "100", "--epochs", "2", "--record", str(record)]
    assert cli.main([*arguments, "--checkpoint", str(tmp_path / "checkpoint")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("lenet5: test accuracy") and "after 2 epochs" in printed
    history = History.load(record)
    assert len(history) == 2 and history.config.epochs == 2
    assert history.environment["model"] == "lenet5"
    assert list((tmp_path / "checkpoint").iterdir())


def test_train_takes_the_papers_setting(tmp_path):
    record = tmp_path / "run.json"
    arguments = ["train", "lenet5", "--limit", "64", "--epochs", "1", "--record", str(record)]
    paper = ["--schedule", "step", "--weight-decay", "1e-4", "--no-nesterov", "--lr", "0.1"]
    assert cli.main([*arguments, *paper]) == 0
    config = History.load(record).config
    assert (config.schedule, config.weight_decay, config.nesterov) == ("step", 1e-4, False)
    assert cli.main(arguments) == 0
    config, default = History.load(record).config, TrainConfig()
    assert (config.schedule, config.weight_decay, config.nesterov) == (
        default.schedule,
        default.weight_decay,
        default.nesterov,
    )


@pytest.mark.parametrize(
    ("option", "difference"),
    [
        (["--crop", "4"], "its augmentation is "),
        (["--batch-size", "60"], "its batch size is 64, but here it is 60"),
        (["--limit", "101"], "its number of training images is 100, but here it is 101"),
        (["--schedule", "step"], "its schedule is one-cycle, but here it is step"),
    ],
)
def test_train_does_not_go_on_from_another_run(tmp_path, capsys, option, difference):
    """The same line again prints the same; with another setting it is refused, by name."""
    common = ["train", "lenet5", "--epochs", "1", "--checkpoint", str(tmp_path)]
    line = [*common, "--batch-size", "64", "--limit", "100"]
    assert cli.main(line) == cli.main(line) == 0
    first, again = capsys.readouterr().out.splitlines()
    assert first.partition(" after ")[0] == again.partition(" after ")[0]
    assert cli.main([*line, *option]) == 1
    message = capsys.readouterr().err
    assert "belongs to another run" in message and difference in message


def test_train_takes_what_is_not_given_from_the_profile(capsys):
    assert cli.main(["train", "mlp", "--profile", "quick"]) == 0
    assert "after 1 epoch," in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["lenet5", "--epochs", "0"], "epochs = 0 is too small: it must be at least 1"),
        (["lenet5", "--data", "imagenet"], "there is no data set 'imagenet': choose one of"),
        (["lenet5", "--data", "imagefolder:/nowhere"], "/nowhere"),
        (["vgg16", "--limit", "20"], "vgg16 needs images of at least 32x32, got 28x28"),
        (["lenet5", "--lr", "1e9", "--limit", "640"], "the loss became infinite or NaN in epoch 1"),
        (
            ["lenet5", "--lr", "1e30", "--limit", "64", "--epochs", "1"],
            "NaN in epoch 1, step 1 of 1",
        ),
        (["lenet5", "--lr", "inf"], "lr = inf is out of range: give a finite number"),
        (["lenet5", "--lr", "nan"], "lr = nan is out of range: give a finite number"),
        (["lenet5", "--precision", "int4"], "precision = 'int4' is unknown: choose from"),
        (
            ["lenet5", "--schedule", "cosine"],
            "schedule = 'cosine' is unknown: choose from one-c",
        ),
        (["lenet5", "--weight-decay", "-1"], "weight_decay = -1.0 is out of range: give a finite"),
        (["lenet5", "--device", "gpu"], "there is no device 'gpu' here: use 'cpu'"),
    ],
)
def test_train_answers_what_cannot_be_done_in_one_sentence(capsys, arguments, sentence):
    assert cli.main(["train", *arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("train: ") and sentence in message and message.count("\n") == 1


def test_an_interrupted_training_says_so_by_its_exit_code(monkeypatch, capsys):
    def interrupt(history):
        raise KeyboardInterrupt

    monkeypatch.setattr("course_utils.training.ProgressBar", lambda: interrupt)
    assert cli.main(["train", "mlp", "--limit", "100", "--epochs", "3"]) == 130
    assert "after 1 epoch," in capsys.readouterr().out
