import math

import pytest
import torch

from course_utils.data.drawing import OUTLINES, coverage


def plane(num=201):
    steps = torch.linspace(-1.2, 1.2, num, dtype=torch.float64)
    return torch.meshgrid(steps, steps, indexing="xy")


@pytest.mark.parametrize("name", OUTLINES)
def test_a_figure_fills_its_circle_and_does_not_leave_it(name):
    x, y = plane()
    inside = OUTLINES[name](x, y) < 0
    radius = torch.hypot(x, y)[inside]
    assert 0.85 < radius.max() < 1.1
    assert 0.1 < inside.double().mean() * 2.4**2 / math.pi < 0.85


@pytest.mark.parametrize("name", OUTLINES)
def test_the_distance_never_overstates_how_far_the_edge_is(name):
    """A signed distance changes by at most the step taken; edges would blur or break otherwise."""
    x, y = plane()
    distance = OUTLINES[name](x, y)
    step = 2.4 / 200
    assert (distance.diff(dim=0).abs() <= step * 1.001).all()
    assert (distance.diff(dim=1).abs() <= step * 1.001).all()


@pytest.mark.parametrize(
    "name, points_inside, points_outside",
    [
        ("circle", [(0, 0), (0.6, 0.6)], [(0.7, 0.7)]),
        ("square", [(0.7, 0.7)], [(0.9, 0)]),
        ("triangle", [(0, 0.9), (0.8, -0.45)], [(0.6, 0.6), (0, -0.7)]),
        ("ring", [(0.66, 0), (0, -0.66)], [(0, 0), (1, 0)]),
        ("cross", [(0.8, 0), (0, 0.8)], [(0.6, 0.6)]),
        ("star", [(0, 0.9), (0.9 * math.sin(0.4 * math.pi), 0.9 * math.cos(0.4 * math.pi))],
         [(0, -0.9), (0.6, 0.6)]),
        ("heart", [(0.35, 0.5), (-0.35, 0.5), (0, -0.7)], [(0, 0.75), (0.6, -0.6)]),
        ("crescent", [(-0.6, 0)], [(0.4, 0), (0.6, 0)]),
        ("arrow", [(0.9, 0), (-0.9, 0), (0.2, 0.5)], [(-0.5, 0.5), (0.9, 0.3)]),
        ("hourglass", [(0, 0), (0.6, 0.75), (-0.6, -0.75)], [(0.7, 0)]),
    ],
)  # fmt: skip
def test_figures_are_what_their_names_say(name, points_inside, points_outside):
    for points, sign in ((points_inside, -1), (points_outside, 1)):
        x, y = torch.tensor(points, dtype=torch.float64).unbind(dim=1)
        assert (OUTLINES[name](x, y).sign() == sign).all()


def test_coverage_is_soft_over_one_pixel():
    distance = torch.tensor([-3.0, -0.5, 0.0, 0.25, 0.5, 3.0])
    assert coverage(distance).tolist() == [1, 1, 0.5, 0.25, 0, 0]
