"""Names that come from data are drawn as they are, dollar signs and all, and nothing is cut off."""

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from course_utils import plots
from course_utils.arithmetic import Layer
from course_utils.inspection import Ablation, Landscape, ReuseMap
from course_utils.plots.display import draw
from course_utils.training import History, records

NAMES = ["$5 notes", "a$b$c", r"$\nonsense$"]  # a lone sign, a formula, and one that cannot be set
PICTURES = torch.rand(3, 3, 8, 8)
MAPS = [torch.eye(3)] * 3
MASK = torch.eye(8, dtype=torch.bool)
HEIGHTS = [1.0, 2.0, 3.0]
AXIS = torch.linspace(-1, 1, 3)
SURFACE = Landscape(AXIS, AXIS, 1 + AXIS[:, None] ** 2 + AXIS**2)
RUN = records.load("mlp")


def of_each(thing):
    return dict.fromkeys(NAMES, thing)


FIGURES = {
    "ablations": lambda: plots.plot_ablations(of_each(Ablation(0.9, of_each(0.5)))),
    "architecture": lambda: plots.plot_architecture([(n, (4, 8, 8)) for n in NAMES], (3, 8, 8)),
    "attribution": lambda: plots.plot_attribution(PICTURES[0], of_each(of_each(MAPS[0]))),
    "autocorrelation": lambda: plots.plot_autocorrelation(of_each(AXIS)),
    "block": lambda: plots.plot_block(torch.nn.ReLU(), (3, 8, 8), title=" ".join(NAMES)),
    "by_depth": lambda: plots.plot_by_depth(of_each(HEIGHTS), "norm"),
    "comparison": lambda: plots.plot_comparison(
        [plots.ComparisonRow(n, 0.5 + i / 9, 0.01, {"cost": 10.0**i}) for i, n in enumerate(NAMES)]
    ),
    "confusion": lambda: plots.plot_confusion(torch.eye(3).int(), NAMES),
    "counts": lambda: plots.plot_counts(of_each(5000), "parameters"),
    "feature_reuse": lambda: plots.plot_feature_reuse([ReuseMap(MAPS[0], NAMES, NAMES)]),
    "filters": lambda: plots.plot_filters(of_each(MAPS[0]), list(PICTURES[:, 0])),
    "frequency_responses": lambda: plots.plot_frequency_responses(
        of_each(MAPS[0]), PICTURES[0, :1]
    ),
    "grids": lambda: plots.plot_grids(MAPS, NAMES),
    "history": lambda: plots.plot_history(History(), " ".join(NAMES)),
    "histories": lambda: plots.plot_histories(of_each(History())),
    "images": lambda: plots.plot_images(PICTURES, NAMES),
    "landscape": lambda: plots.plot_landscape(of_each(SURFACE)),
    "lines": lambda: plots.plot_lines(of_each(HEIGHTS), [1, 2, 3], "x", "y"),
    "loss_lines": lambda: plots.plot_loss_lines(of_each(HEIGHTS), [1, 2, 3], log=True),
    "maps": lambda: plots.plot_maps(MAPS, NAMES),
    "overlays": lambda: plots.plot_overlays(PICTURES, of_each(PICTURES[:, 0]), titles=NAMES),
    "pixels": lambda: plots.plot_pixels(MAPS[0], " ".join(NAMES)),
    "prediction": lambda: plots.plot_prediction(PICTURES[0], AXIS.softmax(0), NAMES),
    "receptive_field": lambda: plots.plot_receptive_field([Layer(2, name=n) for n in NAMES], 9),
    "records": lambda: plots.plot_records(of_each(RUN)),
    "shattering": lambda: plots.plot_shattering(of_each(MAPS[0] + 1), AXIS),
    "spectra": lambda: plots.plot_spectra(PICTURES[:, :1], NAMES),
    "tasks": lambda: plots.plot_tasks(PICTURES[0], of_each(MASK)),
    "wiring": lambda: plots.plot_wiring(of_each(torch.nn.Conv2d(2, 2, 1))),
}
"""Every `plot_*` that takes names or titles."""

OTHERS = {
    "channel_sum": lambda: plots.plot_channel_sum(torch.ones(3, 4, 4), torch.ones(3, 2, 2), 1.0),
    "filter_bank": lambda: plots.plot_filter_bank(torch.randn(6, 3, 3, 3)),
    "function_classes": plots.plot_function_classes,
    "gates": lambda: plots.plot_gates([HEIGHTS, HEIGHTS]),
    "norms": plots.plot_norms,
}
"""Figures whose words are all ours."""

UNTRIED = {"channels", "inside", "two_ways", "window"}
"""More of these; they are looked at in tests of their own."""


def titles_and_labels(figure):
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label)
        if legend := axes.get_legend():
            yield from (*legend.get_texts(), legend.get_title())
    yield from figure.texts


@pytest.mark.parametrize("name", FIGURES | OTHERS)
def test_no_title_or_label_is_cut_off_at_the_edge(name):
    figure = (FIGURES | OTHERS)[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox
    for text in titles_and_labels(figure):
        box = text.get_window_extent(canvas.get_renderer())
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside or not text.get_text(), text.get_text()


def test_every_figure_is_tried():
    tried = {f"plot_{name}" for name in (*FIGURES, *OTHERS, *UNTRIED)}
    assert tried == {name for name in plots.__all__ if name.startswith("plot_")}


@pytest.mark.parametrize("name", FIGURES)
def test_a_name_with_dollar_signs_is_drawn_as_it_is(name):
    figure = FIGURES[name]()
    draw(figure)
    named = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    named = [text for text in named if "mathdefault" not in text.get_text()]
    assert all(any(name in text.get_text() for text in named) for name in NAMES)
    assert not any(text.get_parse_math() for text in named)


def test_the_powers_of_ten_at_a_logarithmic_axis_are_formulas():
    figure = FIGURES["counts"]()
    draw(figure)
    [axes] = figure.axes
    powers = [text for text in axes.get_xticklabels() if text.get_text()]
    assert powers and all(text.get_parse_math() for text in powers)
