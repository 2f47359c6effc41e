import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from course_utils.plots import ComparisonRow, pareto_front, plot_comparison
from course_utils.plots.comparison import MARKER

PARAMETERS, SECONDS = "parameters", "CPU seconds"


def row(label, accuracy, parameters=1000.0, seconds=1.0, deviation=0.003):
    return ComparisonRow(label, accuracy, deviation, {PARAMETERS: parameters, SECONDS: seconds})


ROWS = [
    row("MLP", 0.868, 235_146, 2),
    row("locally connected", 0.850, 400_000, 4),
    row("LeNet-5", 0.885, 61_706, 5),
    row("AlexNet, small", 0.900, 800_000, 30),
    row("VGG, small", 0.905, 700_000, 28, deviation=0.006),
    row("NiN, small", 0.895, 200_000, 50),
    row("GoogLeNet, small", 0.908, 160_000, 54),
    row("Highway, small", 0.903, 250_000, 36),
    row("ResNet, small", 0.912, 175_000, 44),
    row("DenseNet, small", 0.915, 180_000, 108),
]
CROWD = [row(f"network number {i}", 0.9 + 0.0004 * i, 100_000 + 900 * i, 30) for i in range(12)]


def labels(axes):
    return [text for text in axes.texts if text.get_text()]


def boxes(figure, axes):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return {text.get_text(): text.get_window_extent(canvas.get_renderer()) for text in labels(axes)}


def test_a_panel_for_each_cost_with_every_model_in_it():
    figure = plot_comparison(ROWS)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "parameters (log scale)",
        "CPU seconds (log scale)",
    ]
    for axes, cost in zip(figure.axes, (PARAMETERS, SECONDS), strict=True):
        assert axes.get_xscale() == "log"
        drawn = {
            (float(bars[0].get_xdata()[0]), float(bars[0].get_ydata()[0]))
            for bars in axes.containers
        }
        assert drawn == {(one.costs[cost], one.accuracy) for one in ROWS}
        assert {text.get_text() for text in labels(axes)} == {one.label for one in ROWS}


def test_each_label_belongs_to_its_own_point():
    for axes, cost in zip(plot_comparison(ROWS).axes, (PARAMETERS, SECONDS), strict=True):
        places = {text.get_text(): text.xy for text in labels(axes)}
        assert places == {one.label: (one.costs[cost], one.accuracy) for one in ROWS}


def test_bars_are_one_deviation_up_and_down():
    [axes, _] = plot_comparison(ROWS).axes
    for one, bars in zip(ROWS, axes.containers, strict=True):
        [segment] = bars[2][0].get_segments()
        low, high = sorted(float(point[1]) for point in segment)
        wanted = (one.accuracy - one.deviation, one.accuracy + one.deviation)
        assert (low, high) == pytest.approx(wanted)
    [alone] = plot_comparison([ComparisonRow("a", 0.5, 0.0, {PARAMETERS: 1})]).axes
    assert not alone.containers[0].has_yerr


@pytest.mark.parametrize("rows", [ROWS, CROWD], ids=["the course's nets", "a crowd"])
def test_no_label_hides_another_or_a_point_or_leaves_the_panel(rows):
    figure = plot_comparison(rows)
    for axes, cost in zip(figure.axes, (PARAMETERS, SECONDS), strict=True):
        found = boxes(figure, axes)
        for (one, a), (two, b) in itertools.combinations(found.items(), 2):
            assert not a.overlaps(b), f"{one} and {two}"
        points = axes.transData.transform([(r.costs[cost], r.accuracy) for r in rows])
        radius = MARKER / 2 * figure.dpi / 72
        for label, box in found.items():
            for x, y in points:
                assert not box.padded(radius - 0.5).contains(x, y), label
            assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1, label
            assert axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1, label


def test_the_front_holds_what_nobody_beats_for_less():
    assert [one.label for one in pareto_front(ROWS, PARAMETERS)] == [
        "LeNet-5",
        "GoogLeNet, small",
        "ResNet, small",
        "DenseNet, small",
    ]
    same = [row("a", 0.8), row("b", 0.9), row("c", 0.9, 2000)]
    assert [one.label for one in pareto_front(same, PARAMETERS)] == ["b"]


def test_the_front_is_filled_and_the_others_are_hollow():
    [axes, _] = plot_comparison(ROWS).axes
    front = {one.label for one in pareto_front(ROWS, PARAMETERS)}
    for one, bars in zip(ROWS, axes.containers, strict=True):
        assert (bars[0].get_markerfacecolor() != "white") == (one.label in front)


def test_who_is_off_the_chart_stands_at_its_edge_with_the_numbers():
    failed = row("NiN, small", 0.612, 61_370, 55, deviation=0.128)
    [axes, _] = plot_comparison([*ROWS[:5], failed], lowest=0.84).axes
    bars = axes.containers[-1]
    assert (float(bars[0].get_ydata()[0]), bars[0].get_marker()) == (0.84, "v")
    assert not bars.has_yerr
    assert "NiN, small (61% ± 13%)" in {text.get_text() for text in labels(axes)}
    assert axes.get_ylim()[0] > 0.82
    assert {container[0].get_marker() for container in axes.containers[:-1]} == {"o"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (list, "nothing to compare: give at least one model"),
        (lambda: [ComparisonRow("a", 0.5, 0.1, {})], "with one cost"),
        (lambda: [row("a", 0.5), row("a", 0.6)], "two models are called a"),
        (
            lambda: [row("a", 0.5), ComparisonRow("b", 0.5, 0.0, {SECONDS: 1})],
            "all models the same",
        ),
        (lambda: [row("a", 85.0)], "a: accuracy = 85.0 is out of range: give a number from 0 to 1"),
        (lambda: [row("a", 0.5, deviation=-1)], "a: deviation = -1 is out of range"),
        (lambda: [row("a", 0.5, parameters=0)], "a: parameters = 0 is out of range: give"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        plot_comparison(rows())
