"""The command line, run as a learner runs it."""

import os
import subprocess
import sys

import pytest
from jupyter_core.paths import jupyter_config_path
from jupyterlab_server.config import get_page_config

from course_utils import cli
from course_utils.training import History


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


def test_doctor_prints_a_table(capsys):
    assert cli.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "device" in printed and "data: fashion_mnist_mini" in printed


def test_lab_passes_its_options_on_and_stays_private(monkeypatch):
    called = {}

    def call(command, env):
        called.update(command=command, env=env)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    assert cli.main(["lab", "--no-browser", "--port", "9000"]) == 0
    command = called["command"]
    assert command[1:3] == ["-m", "jupyterlab"]
    assert command[-3:] == ["--no-browser", "--port", "9000"]
    text = " ".join(command)
    assert "token" not in text and "ip=" not in text, "JupyterLab's own safe defaults stand"
    assert "default_url=/lab/tree/notebooks/00_start_here.ipynb" in text


def test_lab_asks_for_no_news_and_keeps_the_readers_settings(monkeypatch, tmp_path):
    page_config = tmp_path / "labconfig" / "page_config.json"
    page_config.parent.mkdir()
    page_config.write_text('{"disabledExtensions": {"theirs": true}}')
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", cli.lab_environment()["JUPYTER_CONFIG_PATH"])
    disabled = get_page_config(jupyter_config_path())["disabledExtensions"]
    assert {"@jupyterlab/apputils-extension:announcements", "theirs"} <= set(disabled)


def test_lab_explains_a_missing_course(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site-packages/course_utils/cli.py"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab"]) == 1
    assert "run this in a copy of the whole course" in capsys.readouterr().err


def test_an_installed_package_opens_the_course_of_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site-packages/course_utils/cli.py"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / cli.START).touch()
    assert cli.course_root() == tmp_path


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


def test_train_takes_what_is_not_given_from_the_profile(capsys):
    assert cli.main(["train", "mlp", "--profile", "quick"]) == 0
    assert "after 1 epoch," in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["lenet5", "--epochs", "0"], "epochs is 0: train for at least 1"),
        (["lenet5", "--data", "imagenet"], "there is no data set 'imagenet': choose one of"),
        (["lenet5", "--data", "imagefolder:/nowhere"], "/nowhere"),
        (["vgg16", "--limit", "20"], "vgg16 needs images of at least 32x32, got 28x28"),
        (["lenet5", "--lr", "1e9", "--limit", "640"], "the loss became infinite or NaN in epoch 1"),
        (["lenet5", "--precision", "int4"], "precision is 'int4': use one of"),
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
