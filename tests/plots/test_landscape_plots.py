import numpy as np
import pytest
import torch

from course_utils.inspection import Landscape
from course_utils.plots import plot_landscape, plot_loss_lines

STEPS = torch.arange(-20, 21, dtype=torch.float64) / 20


def bowl(scale, floor=0.1):
    return Landscape(STEPS, STEPS, floor + scale * (STEPS[None] ** 2 + 4 * STEPS[:, None] ** 2))


def filled(axes):
    return axes.collections[0]


def test_panels_share_their_levels_and_mark_the_model():
    figure = plot_landscape({"plain": bowl(10.0), "residual": bowl(0.5)})
    plain, residual, bar = figure.axes
    assert [axes.get_title() for axes in (plain, residual)] == ["plain", "residual"]
    levels = filled(plain).levels
    np.testing.assert_array_equal(levels, filled(residual).levels)
    np.testing.assert_allclose(levels, [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100])
    bar.figure.draw_without_rendering()
    assert [text.get_text() for text in bar.get_yticklabels()][:4] == ["0.1", "0.2", "0.5", "1"]
    for axes in (plain, residual):
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines] == [(0, 0)]
    assert bar.get_ylabel() == "loss, on a scale of this figure alone"


@pytest.mark.parametrize("losses", [(0.5, 0.51), (0.99, 1.01), (2.3, 2.9), (1e-5, 1e5), (1, 10)])
def test_levels_enclose_all_losses_and_can_be_counted(losses):
    low, high = losses
    surface = torch.linspace(low, high, 41**2, dtype=torch.float64).reshape(41, 41)
    [axes, _] = plot_landscape({"net": Landscape(STEPS, STEPS, surface)}).axes
    levels = filled(axes).levels
    assert levels[0] <= low * (1 + 1e-9) and levels[-1] >= high * (1 - 1e-9)
    assert 4 <= len(levels) <= 14 and (np.diff(levels) > 0).all()


def test_no_two_levels_are_written_alike():
    surface = torch.logspace(-3.3, 0.6, 41**2, dtype=torch.float64).reshape(41, 41)
    figure = plot_landscape({"net": Landscape(STEPS, STEPS, surface)})
    figure.draw_without_rendering()
    written = [text.get_text() for text in figure.axes[-1].get_yticklabels()]
    assert written[:2] == ["0.0005", "0.001"] and len(set(written)) == len(written)


def test_the_second_direction_goes_up():
    [axes, _] = plot_landscape({"net": bowl(1.0)}).axes
    outermost = filled(axes).get_paths()[0].vertices  # the lowest level: a flat ellipse
    assert np.ptp(outermost[:, 0]) == pytest.approx(2 * np.ptp(outermost[:, 1]), rel=0.05)


def test_infinite_losses_have_the_highest_colour():
    landscape = bowl(10.0)
    landscape.losses[0, 0] = float("inf")
    landscape.losses[0, 1] = float("nan")
    [axes, _] = plot_landscape({"net": landscape}).axes
    highest = filled(axes).get_paths()[-1]
    assert highest.contains_point((-0.99, -0.99), radius=1e-6)


def test_landscapes_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="0 landscapes"):
        plot_landscape({})
    with pytest.raises(ValueError, match="5 landscapes"):
        plot_landscape({str(i): bowl(1.0) for i in range(5)})
    with pytest.raises(ValueError, match="give no levels"):
        plot_landscape({"flat": bowl(0.0)})
    with pytest.raises(ValueError, match="a loss above 0"):
        plot_landscape({"zero": bowl(1.0, floor=0.0)})
    with pytest.raises(ValueError, match="no loss is finite"):
        plot_landscape({"gone": Landscape(STEPS, STEPS, torch.full((41, 41), torch.nan))})


def test_lines_of_losses_over_positions():
    lines = {"plain": torch.tensor([1.0, float("inf"), 3.0]), "residual": [1.0, 0.5, 1.0]}
    [axes] = plot_loss_lines(lines, [-1, 0, 1], xlabel="step", log=True).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), [-1, 0, 1])
    assert axes.get_xlabel() == "step" and axes.get_yscale() == "log"


def test_lines_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="residual: give one loss for each of the 3 positions"):
        plot_loss_lines({"plain": [1, 2, 3], "residual": [1, 2]}, [0, 1, 2])
    with pytest.raises(ValueError, match="0 lines"):
        plot_loss_lines({}, [0])
