import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from course_utils.arithmetic import Layer, receptive_field
from course_utils.plots import (
    plot_channel_sum,
    plot_counts,
    plot_filter_bank,
    plot_filters,
    plot_grids,
    plot_maps,
    plot_receptive_field,
    plot_window,
    plot_wiring,
)
from course_utils.plots.style import ORANGE, SKY

IMAGE = torch.tensor(
    [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
)
KERNEL = torch.tensor([[0, 1, 2], [2, 2, 0], [0, 1, 2]])


def numbers(axes):
    """Return what is written on the cells of a grid: (row, column) -> text."""
    return {
        tuple(int(at) for at in text.get_position()[::-1]): text.get_text() for text in axes.texts
    }


def framed(axes):
    """Return the cells (row, column) that have a frame."""
    frames = [patch for patch in axes.patches if not patch.get_fill()]
    return [(round(frame.get_y()), round(frame.get_x())) for frame in frames]


def filled(figure, colour):
    """Return the drawn centre and height of each box that is filled with a colour."""
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    found = [box for box in boxes if box.get_facecolor() == to_rgba(colour)]
    return [(round(box.get_x() + 0.42, 3), round(box.get_y() + 0.28, 3)) for box in found]


# --- Grids ---


def test_grids_write_every_number_in_its_place():
    figure = plot_grids([IMAGE, torch.tensor([[0.5, -1.25]])], ["whole", "parts"])
    assert [axes.get_title() for axes in figure.axes] == ["whole", "parts"]
    assert numbers(figure.axes[0]) == {
        (row, column): str(int(IMAGE[row, column])) for row in range(5) for column in range(5)
    }
    assert numbers(figure.axes[1]) == {(0, 0): "0.50", (0, 1): "−1.25"}


def test_grids_share_their_colours_unless_told_otherwise():
    pair = [torch.zeros(2, 2), torch.full((2, 2), 9)]
    shared = [axes.images[0].get_clim() for axes in plot_grids(pair, ["a", "b"]).axes]
    assert shared == [(0, 9), (0, 9)]
    own = [axes.images[0].get_clim() for axes in plot_grids(pair, ["a", "b"], shared=False).axes]
    assert own[0] != own[1]


def test_a_negative_number_centres_the_colours_on_zero():
    (axes,) = plot_grids([torch.tensor([[-3, 1]])], ["signed"]).axes
    assert axes.images[0].get_clim() == (-3, 3)
    assert axes.images[0].get_cmap().name == "PuOr"


def test_an_empty_cell_has_no_number():
    (axes,) = plot_grids([torch.tensor([[1.0, float("nan")]])], ["gap"]).axes
    assert numbers(axes) == {(0, 0): "1"}


def test_grids_break_into_rows():
    figure = plot_grids([torch.eye(2)] * 5, list("abcde"), columns=3)
    assert [axes.get_title() for axes in figure.axes] == [*"abcde"]
    places = [axes.get_position() for axes in figure.axes]
    assert places[0].x0 == places[3].x0 < places[1].x0 < places[2].x0
    assert places[0].y0 == places[2].y0 > places[3].y1


@pytest.mark.parametrize(
    "grids, titles, message",
    [
        ([], [], "0 grids and 0 titles"),
        ([torch.eye(2)], ["a", "b"], "1 grids and 2 titles"),
        ([torch.zeros(2, 2, 2)], ["a"], "at most 18 cells a side"),
        ([torch.zeros(19, 2)], ["a"], "at most 18 cells a side"),
    ],
)
def test_grids_refuse_what_cannot_be_read(grids, titles, message):
    with pytest.raises(ValueError, match=message):
        plot_grids(grids, titles)


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"padding": 2, "dilation": 3}]
)
def test_window_shows_what_torch_computes(settings):
    figure = plot_window(IMAGE, KERNEL, **settings)
    expected = F.conv2d(IMAGE[None, None].float(), KERNEL[None, None].float(), **settings)[0, 0]
    written = numbers(figure.axes[2])
    assert written == {at: f"{expected[at]:.0f}" for at in np.ndindex(*expected.shape)}


def test_window_frames_exactly_the_pixels_that_are_used():
    figure = plot_window(IMAGE, KERNEL, stride=2, padding=1, position=(1, 2))
    used = {(row, column) for row in (2, 3, 4) for column in (4, 5, 6)}
    assert set(framed(figure.axes[0])) == used
    assert framed(figure.axes[2]) == [(1, 2)]
    dilated = plot_window(IMAGE, KERNEL, dilation=2)
    assert set(framed(dilated.axes[0])) == {(r, c) for r in (0, 2, 4) for c in (0, 2, 4)}


def test_padding_is_hatched_and_no_colour_of_the_scale():
    for image in (IMAGE, -IMAGE):  # zero is dark in one scale and white in the other
        axes = plot_window(image, KERNEL, padding=1).axes[0]
        rim = [p for p in axes.patches if p.get_fill()]
        assert len(rim) == 7 * 7 - 5 * 5
        assert all(patch.get_facecolor() == (1, 1, 1, 1) and patch.get_hatch() for patch in rim)
        written = [t for t in axes.texts if t.get_style() == "italic"]
        assert [text.get_text() for text in written] == ["0"] * len(rim)


def test_window_can_show_its_products_and_stop_at_its_cell():
    figure = plot_window(IMAGE, KERNEL, position=(1, 0), products=True, whole=False)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["input", "filter", "products, sum 10", "output"]
    under = IMAGE[1:4, 0:3] * KERNEL
    assert numbers(figure.axes[2]) == {at: str(int(under[at])) for at in np.ndindex(3, 3)}
    assert numbers(figure.axes[3]) == {
        (0, 0): "12", (0, 1): "12", (0, 2): "17", (1, 0): "10"
    }  # fmt: skip
    assert framed(figure.axes[3]) == [(1, 0)]
    colours = figure.axes[3].images[0].get_clim()
    assert colours == plot_window(IMAGE, KERNEL).axes[2].images[0].get_clim()


def test_window_refuses_a_cell_that_does_not_exist():
    with pytest.raises(ValueError, match=r"position \(3, 0\) is outside the \(3, 3\) output"):
        plot_window(IMAGE, KERNEL, position=(3, 0))


def test_all_cells_of_a_figure_are_of_one_size():
    figure = plot_grids([torch.eye(5), torch.eye(3), torch.eye(2)], ["five", "three", "two"])
    figure.draw_without_rendering()
    for axes, cells in zip(figure.axes, (5, 3, 2), strict=True):
        box = axes.get_window_extent()
        assert box.width / cells == pytest.approx(box.height / cells)
        assert box.width / cells == pytest.approx(figure.axes[0].get_window_extent().width / 5)


# --- Maps and filter banks ---


def test_a_channel_sum_ends_in_the_map_that_torch_computes():
    image, weight = IMAGE[None].repeat(3, 1, 1), torch.stack([KERNEL, -KERNEL, KERNEL.T])
    panels = np.array(plot_channel_sum(image, weight, -2.0).axes).reshape(3, 4)
    layer = F.conv2d(image[None].float(), weight[None].float(), torch.tensor([-2.0]))[0, 0]
    expected = {at: f"{layer[at]:.0f}".replace("-", "−") for at in np.ndindex(3, 3)}
    assert numbers(panels[2, 3]) == expected and framed(panels[2, 3]) == [(0, 0)]
    assert panels[2, 3].get_title() == "+ bias −2 = map"
    assert [row[0].get_title() for row in panels] == ["channel 1", "channel 2", "channel 3"]
    assert not numbers(panels[1, 3])
    assert len(framed(panels[1, 0])) == 9


def test_a_channel_sum_wants_a_kernel_for_each_channel():
    with pytest.raises(ValueError, match="2 channels and 3 kernels"):
        plot_channel_sum(torch.zeros(2, 4, 4), torch.zeros(3, 2, 2), 0.0)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_wiring_draws_a_line_for_each_kernel(groups):
    layer = torch.nn.Conv2d(4, 8, 3, groups=groups)
    (axes,) = plot_wiring({"layer": layer}).axes
    channels, filters = (points.get_offsets()[:, 1] for points in axes.collections)
    ends = {(list(channels).index(a), list(filters).index(b)) for a, b in
            (line.get_ydata() for line in axes.lines)}  # fmt: skip
    own = {(c, f) for c in range(4) for f in range(8) if c * groups // 4 == f * groups // 8}
    assert ends == own
    assert axes.get_title() == f"layer\n{layer.weight.numel()} weights"


def test_wiring_has_its_limits():
    with pytest.raises(ValueError, match=r"\[19\] channels"):
        plot_wiring({"wide": torch.nn.Conv2d(19, 2, 1)})
    with pytest.raises(ValueError, match="at least one layer"):
        plot_wiring({})


def test_maps_share_one_scale_and_leave_zeros_white():
    band = torch.tensor([[2.0, 0.0], [-1.0, 0.5]])
    first, second, bar = plot_maps([band, 2 * band], ["a", "b"], xlabel="in", ylabel="out").axes
    assert first.images[0].get_clim() == second.images[0].get_clim() == (-4, 4)
    np.testing.assert_array_equal(np.ma.getmaskarray(first.images[0].get_array()), band == 0)
    assert (first.get_ylabel(), first.get_xlabel(), second.get_xlabel()) == ("out", "in", "in")
    assert bar.get_title() == ""


def test_maps_can_have_scales_of_their_own():
    figure = plot_maps([torch.eye(2), -3 * torch.eye(2), torch.eye(2)], list("abc"),
                       shared=False, columns=2)  # fmt: skip
    plain, signed, _, empty = figure.axes
    assert (plain.images[0].get_clim(), plain.images[0].get_cmap().name) == ((0, 1), "cividis")
    assert (signed.images[0].get_clim(), signed.images[0].get_cmap().name) == ((-3, 3), "PuOr")
    np.testing.assert_array_equal(np.ma.getmaskarray(plain.images[0].get_array()), 1 - np.eye(2))
    assert not empty.axison


def test_maps_refuse_what_is_no_map():
    with pytest.raises(ValueError, match=r"shapes \[\(2, 2, 2\)\] and 1 titles"):
        plot_maps([torch.zeros(2, 2, 2)], ["a"])
    with pytest.raises(ValueError, match="0 titles"):
        plot_maps([torch.eye(2)], [])


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_filter_bank_draws_the_kernels_of_the_own_group_only(groups):
    layer = torch.nn.Conv2d(4, 8, 3, groups=groups)
    *drawn, bar = plot_filter_bank(layer.weight, groups).axes
    panels = np.array(drawn).reshape(8, 4)
    largest = float(layer.weight.detach().abs().max())
    assert bar.get_ylabel() == "weight" and bar.get_ylim() == pytest.approx((-largest, largest))
    for (filter_index, channel), axes in np.ndenumerate(panels):
        own = filter_index // (8 // groups) == channel // (4 // groups)
        assert bool(axes.images) == own
    kernel = layer.weight[7, -1].detach()
    np.testing.assert_allclose(panels[7, 3].images[0].get_array(), kernel)


def test_a_filter_bank_has_its_limits():
    with pytest.raises(ValueError, match="at most 18 channels"):
        plot_filter_bank(torch.zeros(4, 19, 3, 3))
    with pytest.raises(ValueError, match="at most 18 channels"):
        plot_filter_bank(torch.zeros(4, 10, 3, 3), groups=2)
    with pytest.raises(ValueError, match="3 filters cannot be split into 2 groups"):
        plot_filter_bank(torch.zeros(3, 2, 3, 3), groups=2)


# --- Filters ---


def test_filters_that_sum_to_zero_are_drawn_around_zero():
    kernels = {"blur": torch.full((3, 3), 1 / 9), "edge": torch.tensor([[-1.0, 1.0]])}
    figure = plot_filters(kernels, [torch.rand(6, 6), torch.rand(6, 6) - 0.5])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["blur\nsum 1", "edge\nsum 0"]
    blurred, edges = (axes.images[0] for axes in figure.axes[2:])
    assert (blurred.get_cmap().name, blurred.get_clim()) == ("gray", (0, 1))
    low, high = edges.get_clim()
    assert edges.get_cmap().name == "PuOr" and low == -high


def test_filters_keep_to_their_columns():
    kernels = {name: torch.eye(3) for name in "abcde"}
    responses = [torch.full((4, 4), value / 10) for value in range(5)]
    panels = np.array(plot_filters(kernels, responses).axes).reshape(4, 4)
    assert panels[2, 0].get_title() == "e\nsum 3"
    assert panels[3, 0].images[0].get_array()[0, 0] == pytest.approx(0.4)
    assert not panels[3, 1].axison


def test_the_numbers_of_a_large_filter_are_left_out():
    figure = plot_filters({"large": torch.ones(5, 5) / 25}, [torch.rand(4, 4)])
    assert not figure.axes[0].texts


def test_filters_want_one_response_each():
    with pytest.raises(ValueError, match="1 filters and 0 responses"):
        plot_filters({"a": torch.eye(3)}, [])


# --- Receptive fields ---


@pytest.mark.parametrize(
    "layers",
    [
        [Layer(3), Layer(3)],
        [Layer(5), Layer(2, s=2), Layer(3)],
        [Layer(3, s=2), Layer(3, dilation=2)],
    ],
)
def test_the_seen_pixels_are_those_of_the_arithmetic(layers):
    field = receptive_field(layers)
    figure = plot_receptive_field(layers, 24, output=1)
    pixels = sorted(x for x, height in filled(figure, ORANGE) if height == 0)
    start = field.start + field.jump
    assert pixels == list(range(start, start + field.size))
    top = [x for x, height in filled(figure, SKY) if height == len(layers)]
    assert top == [start + (field.size - 1) / 2]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == f"image: {field.size} of 24"
    assert labels[-1].split(": ")[1].startswith("1 of ")


def test_seen_padding_is_not_coloured_as_a_pixel():
    figure = plot_receptive_field([Layer(3, p=1, name="conv"), Layer(3, p=1)], 9, output=0)
    assert sorted(x for x, height in filled(figure, ORANGE)) == [0, 1, 2]
    assert sorted(x for x, height in filled(figure, "white") if height == 0) == [-2, -1]


def test_a_large_picture_is_drawn_as_bars():
    layers = [Layer(7, s=2, p=3), Layer(3, s=2, p=1), Layer(3, p=1)]
    field = receptive_field(layers)
    figure = plot_receptive_field(layers, 224, output=0)
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert len(boxes) == 3 + 3 + 3 + 2  # padding, seen, unseen; at the top no padding
    (seen,) = [box for box in boxes if box.get_facecolor() == to_rgba(ORANGE)]
    assert (seen.get_x(), seen.get_width()) == (-0.5, field.start + field.size)
    real, padding = field.size + field.start, -field.start
    label = figure.axes[0].get_yticklabels()[0].get_text()
    assert label == f"image: {real} of 224, {padding} in the padding"


@pytest.mark.parametrize(
    "layers, n, output, message",
    [
        ([], 8, None, "0 layers on 8 pixels"),
        ([Layer(3)], 257, None, "at most 256 pixels"),
        ([Layer(3)], 8, 6, "output 6 does not exist: the last layer has 6"),
        ([Layer((3, 3))], 8, None, "this figure shows one axis"),
    ],
)
def test_impossible_fields_are_refused(layers, n, output, message):
    with pytest.raises(ValueError, match=message):
        plot_receptive_field(layers, n, output)


# --- Counts ---


def test_counts_are_bars_with_their_numbers():
    axes = plot_counts({"dense": 614_656, "shared": 25}, "parameters").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [614_656, 25]
    assert [text.get_text() for text in axes.texts] == [" 614,656", " 25"]
    assert axes.get_xscale() == "log" and axes.get_xlabel().startswith("parameters")


def test_counts_to_scale():
    axes = plot_counts({"all": 20_000_000, "most": 19_000_000}, "parameters", log=False).axes[0]
    assert axes.get_xscale() == "linear" and axes.get_xlim()[0] == 0
    assert axes.get_xlabel() == "parameters"
    assert axes.xaxis.get_major_formatter()(20_000_000) == "20M"


@pytest.mark.parametrize("counts", [{}, {"none": 0}])
def test_a_count_needs_a_logarithm(counts):
    with pytest.raises(ValueError, match="each at least 1"):
        plot_counts(counts, "parameters")
