import numpy as np
import pytest
import torch

from course_utils.plots import (
    LivePlot,
    plot_confusion,
    plot_histories,
    plot_history,
)
from course_utils.plots import training as training_plots
from course_utils.plots.style import in_words, new_figure, per_cent
from course_utils.training import History
from course_utils.training.history import EpochRecord


@pytest.fixture
def history():
    rows = [(1, 2.0, 0.3, 1.8, 0.35), (2, 1.0, 0.6, 1.2, 0.55), (3, 0.5, 0.8, 1.1, 0.6)]
    return History(epochs=[EpochRecord(*row, lr=0.1, seconds=1.0) for row in rows])


def curves(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}


def test_plot_history_draws_both_parts_of_both_quantities(history):
    loss, accuracy = plot_history(history).axes
    assert curves(loss) == {"training": [2.0, 1.0, 0.5], "validation": [1.8, 1.2, 1.1]}
    assert curves(accuracy) == {"training": [0.3, 0.6, 0.8], "validation": [0.35, 0.55, 0.6]}
    assert list(loss.get_lines()[0].get_xdata()) == [1, 2, 3]
    assert all(axes.get_xlim()[0] >= 0.5 for axes in (loss, accuracy))  # no tick at epoch 0


def test_the_two_parts_differ_in_more_than_colour(history):
    training, validation = plot_history(history).axes[0].get_lines()
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_marker() != validation.get_marker()


def test_plot_histories_compares_one_quantity(history):
    figure = plot_histories({"a": history, "b": History()}, "train_loss")
    assert curves(figure.axes[0]) == {"a": [2.0, 1.0, 0.5], "b": []}
    assert figure.axes[0].get_ylabel() == "training loss"


def test_ticks_that_differ_are_written_differently():
    """A run that stays at chance: its accuracies differ in the third digit."""
    figure = new_figure(2, 2)
    axis = figure.subplots().yaxis
    per_cent(axis)
    written = axis.get_major_formatter().format_ticks([0.1, 0.1005, 0.125, 0.7, 1.0])
    assert written == ["10%", "10.05%", "12.5%", "70%", "100%"]


def test_a_field_is_named_in_words():
    assert in_words("val_accuracy") == "validation accuracy"
    assert in_words("lr") == "lr"


@pytest.mark.parametrize("count", [0, 8])
def test_plot_histories_refuses_what_cannot_be_told_apart(history, count):
    with pytest.raises(ValueError, match=f"{count} runs: one figure compares 1 to 7"):
        plot_histories({str(i): history for i in range(count)})


def test_plot_confusion_writes_counts_and_colours_shares():
    confusion = torch.tensor([[8, 2], [0, 5]])
    axes = plot_confusion(confusion, ["cat", "dog"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["8", "2", "0", "5"]
    shown = torch.as_tensor(axes.images[0].get_array())
    assert torch.allclose(shown, torch.tensor([[0.8, 0.2], [0.0, 1.0]]))
    assert axes.get_ylabel() == "true class"


def test_a_class_without_pictures_is_drawn_as_zero():
    axes = plot_confusion(torch.tensor([[3, 0], [0, 0]]), ["cat", "dog"]).axes[0]
    assert not torch.as_tensor(axes.images[0].get_array()).isnan().any()


def test_plot_confusion_refuses_another_number_of_classes():
    with pytest.raises(ValueError, match=r"2 classes, but the matrix is \(3, 3\)"):
        plot_confusion(torch.zeros(3, 3), ["cat", "dog"])


def test_live_plot_draws_once_and_then_replaces(history, monkeypatch):
    calls = []

    class Handle:
        def display(self, bundle, raw):
            calls.append(("display", bundle["text/plain"]))

        def update(self, bundle, raw):
            calls.append(("update", bundle["text/plain"]))

    monkeypatch.setattr(training_plots, "DisplayHandle", Handle)
    live = LivePlot("LeNet-5")
    live(history)
    live(history)
    assert [how for how, _ in calls] == ["display", "update"]
    assert "LeNet-5" in calls[0][1]


def test_a_validation_loss_that_shoots_up_does_not_flatten_the_rest(history):
    assert plot_history(history).axes[0].get_ylim()[1] < 2.5
    rows = [(1, 2.0, 0.3, 2e6, 0.1), (2, 1.0, 0.6, 1.2, 0.55)]
    wild = History(epochs=[EpochRecord(*row, lr=0.1, seconds=1.0) for row in rows])
    loss, accuracy = plot_history(wild).axes
    assert loss.get_ylim() == (0, 6.0)
    assert accuracy.get_ylim()[1] < 1
    [arrow] = [line for line in loss.get_lines() if line.get_marker() == "^"]
    assert (list(arrow.get_xdata()), list(arrow.get_ydata())) == ([1], [6.0])
    assert [text.get_text() for text in loss.texts] == ["2,000,000"]


@pytest.fixture
def still():
    """A run whose accuracy stays close to 0.1."""
    rows = [(k, 2.303 + 0.001 * k, 0.1, 2.302, 0.098 + 0.001 * k) for k in range(1, 4)]
    return History(epochs=[EpochRecord(*row, lr=0.1, seconds=1.0) for row in rows])


def test_what_stays_at_chance_is_drawn_flat(still):
    heights = [np.ptp(axes.get_ylim()) for axes in plot_history(still).axes]
    np.testing.assert_allclose(heights, [0.5, 0.2])


def test_chance_is_a_dotted_line_where_it_is_in_view(history, still):
    def of_chance(figure):
        return [line for axes in figure.axes for line in axes.lines if line.get_label() == "chance"]

    low, high = plot_history(history).axes[1].get_ylim()
    [line] = of_chance(plot_history(history, chance=(low + high) / 2))
    assert line.get_linestyle() == ":" and line.axes.get_ylabel() == "accuracy"
    assert not of_chance(plot_history(history, chance=low - 0.1))
    assert of_chance(plot_history(still, chance=0.05))  # in view once the panel is high enough
    assert not of_chance(plot_history(history))
    [line] = of_chance(plot_histories({"net": history}, chance=history.column("val_accuracy")[0]))
    assert "chance" in [text.get_text() for text in line.axes.get_legend().get_texts()]
