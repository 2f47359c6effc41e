import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils.kernels import named_kernel
from course_utils.models.blurpool import binomial_kernel
from course_utils.plots import (
    plot_frequency_responses,
    plot_lines,
    plot_spectra,
    plot_two_ways,
)
from course_utils.plots.equivariance import frequency_response

LAPLACIAN = named_kernel("Laplacian")


def shown(axes):
    """Return what an axes shows, as an array."""
    return np.asarray(axes.images[0].get_array())


def wave(down, across, size=16):
    i, j = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (0.5 + 0.5 * torch.cos(2 * math.pi * (down * i + across * j) / size))[None]


def test_the_colour_is_the_model_and_the_dash_the_condition():
    lines = {f"{m}, {c}": [1, 2] for m in ("MLP", "convnet") for c in ("true", "swapped")}
    (axes,) = plot_lines(lines, [0, 1], "x", "y", by_condition=True).axes
    looks = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in axes.lines}
    colours, dashes = ({look[i] for look in looks.values()} for i in (0, 1))
    assert len(colours) == len(dashes) == 2
    assert looks["MLP, true"][0] == looks["MLP, swapped"][0]
    assert looks["MLP, swapped"][1] == looks["convnet, swapped"][1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(lines)
    assert [handle.get_color() for handle in axes.get_legend().get_lines()] == [
        line.get_color() for line in axes.lines
    ]


def test_every_line_is_drawn_with_its_name():
    figure = plot_lines({"a": [0.1, 0.2], "b": [0.3, 0.0]}, [1, 4], "shift", "error", percent=True)
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), [[1, 0.3], [4, 0.0]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("shift", "error")
    assert axes.get_ylim()[0] == 0
    assert axes.yaxis.get_major_formatter()(0.25, 0) == "25%"
    assert len({line.get_marker() for line in axes.lines}) == 2


def test_lines_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="b: give one value for each of the 2 x"):
        plot_lines({"a": [1, 2], "b": [1]}, [0, 1], "x", "y")
    for lines in ({}, {str(k): [0] for k in range(8)}):
        with pytest.raises(ValueError, match=f"{len(lines)} lines: one figure compares 1 to 7"):
            plot_lines(lines, [0], "x", "y")


def test_both_ways_around_the_square_are_drawn():
    picture = torch.rand(1, 8, 8)

    def first_row_twice(x):
        return torch.cat([2 * x[..., :1, :], x[..., 1:, :]], dim=-2)

    panels = plot_two_ways(first_row_twice, picture, 1, 2).axes
    x, output, look_move, moved, move_look, difference = (shown(axes) for axes in panels)
    layer = first_row_twice(picture)[0]
    np.testing.assert_array_equal(x, picture[0])
    np.testing.assert_array_equal(moved, picture[0].roll((1, 2), (0, 1)))
    np.testing.assert_array_equal(output, layer)
    np.testing.assert_array_equal(look_move, layer.roll((1, 2), (0, 1)))
    np.testing.assert_array_equal(move_look, first_row_twice(picture.roll((1, 2), (1, 2)))[0])
    np.testing.assert_allclose(difference, move_look - look_move)
    assert np.abs(difference[2:]).max() == 0 < np.abs(difference[:2]).min()


def test_the_square_says_its_error_and_takes_a_stride():
    def every_second(x):
        return x[..., ::2, ::2]

    picture = torch.rand(1, 8, 8)
    titles = [axes.get_title() for axes in plot_two_ways(every_second, picture, 2, 2).axes]
    assert titles[-1] == "difference: error 0.00"
    panels = plot_two_ways(every_second, wave(4, 0, 8), 1, 0).axes
    assert panels[-1].get_title() != "difference: error 0.00"


def test_a_map_of_one_dot_keeps_its_colours():
    picture = torch.zeros(1, 16, 16)
    picture[0, 3, 3] = 1
    output = plot_two_ways(lambda x: x, picture, 1, 0).axes[1]
    assert output.images[0].get_clim() == (-1, 1)


def test_a_spectrum_has_a_wave_where_its_frequency_is():
    figure = plot_spectra([wave(0, 4), torch.rand(1, 16, 16)], ["wave", "noise"])
    pictures, spectra = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title() for axes in pictures] == ["wave", "noise"]
    amplitude = shown(spectra[0])  # logarithms, frequency 0 at row and column 8
    assert set(zip(*np.nonzero(amplitude > -4), strict=True)) == {(8, 4), (8, 8), (8, 12)}
    assert amplitude[8, 8] == pytest.approx(math.log10(0.5))
    assert amplitude[8, 4] == pytest.approx(math.log10(0.25))
    circled = spectra[0].collections[0].get_offsets()
    assert sorted(circled.tolist()) == [[-0.25, 0], [0, 0], [0.25, 0]]
    assert not spectra[1].collections  # noise has too many waves to circle


def test_spectra_want_one_title_each():
    with pytest.raises(ValueError, match="1 images and 2 titles"):
        plot_spectra([wave(0, 1)], ["a", "b"])
    with pytest.raises(ValueError, match="0 images"):
        plot_spectra([], [])


def test_a_response_is_what_a_filter_does_to_a_wave():
    kernel = torch.randn(3, 3)
    response = frequency_response(kernel, 16)
    for down, across in ((0, 3), (5, 2), (8, 8)):
        cosine = wave(down, across)[None] - 0.5
        filtered = F.conv2d(F.pad(cosine, (1, 1, 1, 1), mode="circular"), kernel[None, None])
        spectra = torch.fft.fft2(filtered), torch.fft.fft2(cosine)
        ratio = (spectra[0] / spectra[1])[0, 0, down, across].abs()
        assert ratio == pytest.approx(float(response[down, across]), rel=1e-3)


def test_filters_are_drawn_by_what_they_let_through():
    picture = torch.rand(1, 32, 32)
    kernels = {"blur": binomial_kernel(3), "Laplacian": LAPLACIAN}
    figure = plot_frequency_responses(kernels, picture)
    curve, *panels, bar = figure.axes
    assert bar.get_ylabel() == "gain" and bar.get_ylim() == pytest.approx((0, 8), rel=1e-5)
    assert panels[1].get_xlabel() == "black 0, white 1"
    top = panels[3].images[0].get_clim()[1]
    low, high = panels[3].get_xlabel().replace("−", "-").split(" to ")
    assert float(high) == -float(low) == pytest.approx(top, abs=0.006)
    assert [line.get_label() for line in curve.lines] == ["blur", "Laplacian"]
    x, y = curve.lines[0].get_data()
    assert (x[0], x[-1]) == (0, 0.5)
    np.testing.assert_allclose(y, np.cos(np.pi * x) ** 2, atol=1e-6)
    np.testing.assert_allclose(curve.lines[1].get_ydata(), 2 - 2 * np.cos(2 * np.pi * x), atol=1e-5)
    low_pass, blurred, high_pass, _ = (shown(axes) for axes in panels)
    middle = (64, 64)
    assert low_pass[middle] == low_pass.max() and high_pass[middle] == 0
    expected = F.conv2d(
        F.pad(picture[None], (0, 2, 0, 2), mode="circular"), binomial_kernel(3)[None, None]
    )
    np.testing.assert_allclose(blurred, expected[0, 0], atol=1e-5)


def test_as_many_filters_as_can_be_told_apart():
    for num in (0, 8):
        kernels = {str(k): LAPLACIAN for k in range(num)}
        with pytest.raises(ValueError, match=f"{num} filters: one figure compares 1 to 7"):
            plot_frequency_responses(kernels, torch.rand(1, 8, 8))
