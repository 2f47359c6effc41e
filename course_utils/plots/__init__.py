"""Figures of the lessons: every `plot_*` returns a matplotlib `Figure`, `show` displays it.

No function here calls `plt.show()`, changes rcParams or keeps a figure alive: a figure is an
object like any other. `show(figure, alt)` displays it in a notebook, with a text for readers
who cannot see it.
"""

from course_utils.plots.architecture import plot_architecture, plot_block
from course_utils.plots.attribution import plot_attribution, plot_overlays
from course_utils.plots.comparison import ComparisonRow, pareto_front, plot_comparison
from course_utils.plots.convolution import (
    plot_counts,
    plot_filter_bank,
    plot_filters,
    plot_grids,
    plot_maps,
    plot_receptive_field,
    plot_window,
)
from course_utils.plots.depth_experiments import (
    plot_ablations,
    plot_feature_reuse,
    plot_gates,
    plot_landscape,
    plot_shattering,
)
from course_utils.plots.display import show
from course_utils.plots.equivariance import (
    plot_frequency_responses,
    plot_spectra,
    plot_two_ways,
)
from course_utils.plots.images import (
    plot_channels,
    plot_images,
    plot_pixels,
    plot_prediction,
    plot_tasks,
)
from course_utils.plots.lines import (
    plot_autocorrelation,
    plot_by_depth,
    plot_lines,
    plot_loss_lines,
)
from course_utils.plots.normalization import plot_norms
from course_utils.plots.training import (
    LivePlot,
    plot_confusion,
    plot_histories,
    plot_history,
    plot_records,
)

__all__ = [
    "ComparisonRow",
    "LivePlot",
    "pareto_front",
    "plot_ablations",
    "plot_architecture",
    "plot_attribution",
    "plot_autocorrelation",
    "plot_block",
    "plot_by_depth",
    "plot_channels",
    "plot_comparison",
    "plot_confusion",
    "plot_counts",
    "plot_feature_reuse",
    "plot_filter_bank",
    "plot_filters",
    "plot_frequency_responses",
    "plot_gates",
    "plot_grids",
    "plot_histories",
    "plot_history",
    "plot_images",
    "plot_landscape",
    "plot_lines",
    "plot_loss_lines",
    "plot_maps",
    "plot_norms",
    "plot_overlays",
    "plot_pixels",
    "plot_prediction",
    "plot_receptive_field",
    "plot_records",
    "plot_shattering",
    "plot_spectra",
    "plot_tasks",
    "plot_two_ways",
    "plot_window",
    "show",
]
