import io

import nbformat
import pytest
from nbclient import NotebookClient

from course_utils.training import EpochRecord, History, ProgressBar, TrainConfig


@pytest.fixture
def open_terminal(monkeypatch):
    """A function that makes standard error a stream that remembers what it was sent.

    The test has to call it: pytest puts its own stream there between set-up and test.
    """

    def install(watched=True):
        stream = io.StringIO()
        stream.isatty = lambda: watched
        monkeypatch.setattr("sys.stderr", stream)
        return stream

    return install


def follow(bar):
    """Take a bar through a run of two epochs of two steps."""
    history = History(TrainConfig(epochs=2))
    for epoch in (1, 2):
        for step in (1, 2):
            bar.on_step(2 * epoch - 2 + step, 4)
        history.epochs.append(EpochRecord(epoch, 0.5, 0.8, 0.4, 0.25 * epoch, 0.1, 1.0))
        bar(history)


def test_shows_steps_and_accuracy_in_a_terminal(open_terminal):
    terminal = open_terminal()
    follow(ProgressBar())
    text = terminal.getvalue()
    assert "4/4" in text
    assert "epoch 2/2, train loss 0.500, val accuracy 50.0%" in text
    assert text.endswith("\n")  # closed


def test_a_bar_serves_one_run_after_another(open_terminal):
    terminal = open_terminal()
    bar = ProgressBar()
    follow(bar)
    follow(bar)
    assert terminal.getvalue().count("\n") == 2


def test_begins_where_a_resumed_run_begins(open_terminal):
    terminal = open_terminal()
    bar = ProgressBar()
    bar.on_step(3, 4)
    bar.close()
    assert "3/4" in terminal.getvalue()


def test_is_silent_without_a_reader(open_terminal):
    terminal = open_terminal(watched=False)
    follow(ProgressBar())
    assert terminal.getvalue() == ""


def test_an_interrupted_run_leaves_no_open_bar(open_terminal):
    terminal = open_terminal()
    bar = ProgressBar()
    bar.on_step(1, 4)
    bar.on_step(1, 4)
    bar.close()
    bar.close()
    assert terminal.getvalue().endswith("\n")


CELL = """
from course_utils.training import EpochRecord, History, ProgressBar, TrainConfig
bar, history = ProgressBar(), History(TrainConfig(epochs=1))
bar.on_step(1, 1)
history.epochs.append(EpochRecord(1, 0.5, 0.8, 0.4, 0.25, 0.1, 1.0))
bar(history)
"""


def test_leaves_nothing_in_an_executed_notebook():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    assert notebook.cells[0].outputs == []
