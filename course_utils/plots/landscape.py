"""Figures of the loss around a model: contours over a plane, lines along one direction."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.inspection import Landscape
from course_utils.plots.style import FONT, INTENSITY, ORANGE, new_figure

__all__ = ["plot_landscape"]

NUM_LEVELS = 14  # contours: enough to see a shape, few enough to count
LARGEST_PANELS = 4


def plot_landscape(landscapes: Mapping[str, Landscape]) -> Figure:
    """Draw one or several loss landscapes side by side, on one common scale.

    A cross marks the model. The levels are evenly spaced in log loss. Equal colours mean equal
    losses in all panels, which is what makes them comparable; that needs directions with filter
    normalisation.

    Args:
        landscapes: Title -> what `loss_surface` returned.

    Raises:
        ValueError: There is no landscape, too many for one figure, or no range of losses.
    """
    if not 1 <= len(landscapes) <= LARGEST_PANELS:
        raise ValueError(f"{len(landscapes)} landscapes: one figure holds 1 to {LARGEST_PANELS}")
    levels = _levels([found.losses for found in landscapes.values()])
    figure = new_figure(2.9 * len(landscapes) + 1.0, 3.2)
    panels = figure.subplots(1, len(landscapes), squeeze=False)[0]
    for axes, (title, landscape) in zip(panels, landscapes.items(), strict=True):
        filled = _draw_contours(axes, landscape, levels)
        axes.set_title(title, fontsize=FONT)
        axes.set_xlabel("first direction", fontsize=FONT)
    panels[0].set_ylabel("second direction", fontsize=FONT)
    bar = figure.colorbar(filled, ax=list(panels), ticks=levels[::3], format="%.3g")
    bar.set_label("loss", fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT - 2)
    return figure


def _levels(losses: Sequence[Tensor]) -> np.ndarray:
    """Return levels from the lowest loss to the highest finite one, (NUM_LEVELS,)."""
    finite = np.concatenate([values.numpy()[np.isfinite(values.numpy())] for values in losses])
    if finite.size == 0:
        raise ValueError("no loss is finite: take smaller steps away from the model")
    low, high = float(finite.min()), float(finite.max())
    if not 0 < low < high:
        raise ValueError(
            f"losses from {low:.3g} to {high:.3g} give no levels: take larger steps, "
            "and a loss above 0"
        )
    return np.geomspace(low, high, NUM_LEVELS)


def _draw_contours(axes: Axes, landscape: Landscape, levels: np.ndarray) -> QuadContourSet:
    """Draw one plane: what is above the highest level, or not finite, has the highest colour."""
    losses = np.nan_to_num(landscape.losses.numpy(), nan=np.inf).clip(levels[0], levels[-1])
    x, y = landscape.x.numpy(), landscape.y.numpy()
    norm = BoundaryNorm(levels, ncolors=256)
    filled = axes.contourf(x, y, losses, levels=levels, cmap=INTENSITY, norm=norm)
    axes.contour(x, y, losses, levels=levels, colors="white", linewidths=0.4)
    axes.plot(0, 0, marker="x", color=ORANGE, markersize=7, markeredgewidth=2)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=FONT - 1)
    return filled
