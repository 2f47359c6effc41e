"""The picture under each widget holds the numbers that the browser computes for the same state."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from widget_figures import numbers as numbers_in

from course_utils.widgets import (
    ChannelStepper,
    ConvolutionStepper,
    FourierGallery,
    ParameterCounter,
    PoolingAndOrder,
    ReceptiveFieldExplorer,
    ShiftLab,
    SpuriousBackgroundDial,
)
from course_utils.widgets.background_results import BACKGROUNDS
from course_utils.widgets.base import CourseWidget
from course_utils.widgets.receptive_field_explorer import conv, layer_names
from course_utils.widgets.text import percent

Shown = dict[str, Any]
WRITTEN = 0.0051  # a number is written with two decimals


def grid(axes: Axes) -> np.ndarray:
    """The numbers written on the cells of a grid, NaN where there is none."""
    values = np.full(axes.images[0].get_array().shape, np.nan)
    for text in axes.texts:
        column, row = map(int, text.get_position())
        values[row, column] = float(text.get_text().replace("−", "-"))
    return values


def framed(axes: Axes) -> set[tuple[int, int]]:
    """The cells (row, column) with a frame."""
    frames = [patch for patch in axes.patches if not patch.get_fill()]
    return {(round(frame.get_y()), round(frame.get_x())) for frame in frames}


def pixels(axes: Axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array().filled(0.0))


def stepper(figure: Figure, widget: ConvolutionStepper, shown: Shown) -> None:
    picture, kernel, products, output = figure.axes
    np.testing.assert_allclose(grid(kernel), shown["used"], atol=WRITTEN)
    np.testing.assert_allclose(grid(products), shown["products"], atol=WRITTEN)
    total = float(products.get_title().split("sum ")[1].replace("−", "-"))
    assert total == pytest.approx(shown["total"], abs=WRITTEN)
    wanted = np.array(shown["output"], dtype=float)
    if not widget.show_all:
        wanted.flat[shown["step"] + 1 :] = np.nan
    np.testing.assert_allclose(grid(output), wanted, atol=WRITTEN)
    d, (height, width) = widget.dilation, np.shape(shown["used"])
    taps = {(shown["top"] + d * i, shown["left"] + d * j)
            for i in range(height) for j in range(width)}  # fmt: skip
    assert framed(picture) == taps
    assert framed(output) == {(shown["row"], shown["col"])}
    rim = sum(patch.get_hatch() is not None for patch in picture.patches)
    assert rim == grid(picture).size - np.size(widget.picture)


def pooling(figure: Figure, widget: PoolingAndOrder, shown: Shown) -> None:
    keys = ("activated", "before", "difference", "pooled", "after")
    wanted = [widget.picture, *(shown[key] for key in keys)]
    for axes, values in zip(figure.axes, wanted, strict=True):
        np.testing.assert_allclose(grid(axes), values, atol=WRITTEN)
    assert len(framed(figure.axes[0])) == widget.window**2
    assert all(framed(axes) == {(shown["row"], shown["col"])} for axes in figure.axes[2:])


def channels(figure: Figure, widget: ChannelStepper, shown: Shown) -> None:
    rows = [figure.axes[row : row + 4] for row in range(0, len(figure.axes), 4)]
    at = (shown["row"], shown["col"])
    for panels, channel, kernel, part in zip(
        rows, shown["read"], shown["kernels"], shown["parts"], strict=True
    ):
        plane, weights, alone, _ = panels
        assert plane.get_title() == f"channel {channel + 1}"
        np.testing.assert_array_equal(grid(weights), kernel)
        assert grid(alone)[at] == part and framed(alone) == {at}
        taps = {(at[0] + r, at[1] + c) for r, c in np.ndindex(*np.shape(kernel))}
        assert framed(plane) == taps
    final = rows[-1][3]
    np.testing.assert_array_equal(grid(final), shown["map"])
    assert framed(final) == {at}


def counter(figure: Figure, widget: ParameterCounter, shown: Shown) -> None:
    [axes] = figure.axes
    wanted = [*shown["parameters"].values(), *shown["multiply_adds"].values()]
    assert [bar.get_width() for bar in axes.patches] == wanted
    assert [text.get_text() for text in axes.texts] == [f" {value:,}" for value in wanted]
    sizes = [*shown["input"], *shown["output"]]
    assert [int(size) for size in re.findall(r"\d+", axes.get_xlabel())] == sizes


def explorer(figure: Figure, widget: ReceptiveFieldExplorer, shown: Shown) -> None:
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    names, levels = layer_names(widget.layers), zip(shown["seen"], shown["sizes"], strict=False)
    wanted = []
    for name, ((first, last), size) in zip(names, levels, strict=False):
        real = min(last, size - 1) - max(first, 0) + 1
        padding = f", {outside} in the padding" if (outside := last - first + 1 - real) else ""
        wanted.append(f"{name}: {real} of {size}{padding}")
    assert labels[: len(wanted)] == wanted
    assert widget.layer == 0 or len(labels) == len(wanted)


def lab(figure: Figure, widget: ShiftLab, shown: Shown) -> None:
    x, output, look_move, moved, move_look, difference = figure.axes
    keys = {output: "still", look_move: "expected", moved: "picture", move_look: "map",
            difference: "difference"}  # fmt: skip
    for axes, key in keys.items():
        np.testing.assert_allclose(pixels(axes), shown[key], atol=2e-6)
    back = np.roll(shown["picture"], (-widget.down, -widget.right), (0, 1))
    np.testing.assert_array_equal(pixels(x), back)
    error = float(difference.get_title().split("error ")[1])
    assert error == pytest.approx(shown["equivariance"], abs=WRITTEN)


def gallery(figure: Figure, widget: FourierGallery, shown: Shown) -> None:
    names = ["picture", "kernel", "in_space", "difference", "spectrum", "response", "product",
             "by_product"]  # fmt: skip
    maps = dict(zip(names, map(pixels, figure.axes), strict=True))
    kernel = np.array(shown["kernel"])
    rim = 16 - len(maps["kernel"]) // 2
    own = kernel[rim : rim + len(maps["kernel"]), rim : rim + len(maps["kernel"])]
    assert np.abs(own).sum() == pytest.approx(np.abs(kernel).sum())  # nothing is cut off
    wanted = shown | {"kernel": own, "picture": widget.picture}
    for name in ("spectrum", "product"):
        wanted[name] = np.array(shown[name]) + 5  # from 10 to the power of -5 upwards
    if kernel.sum() > 0.5:
        wanted |= {name: np.clip(shown[name], 0, 1) for name in ("in_space", "by_product")}
    for name in names:
        np.testing.assert_allclose(maps[name], wanted[name], atol=2e-6, err_msg=name)


def dial(figure: Figure, widget: SpuriousBackgroundDial, shown: Shown) -> None:
    test, chosen = widget.tests[shown["picture"]], widget.results[shown["index"]]
    drawn = [axes for axes in figure.axes if axes.images]  # the others are colour bars
    photos = [axes for axes in drawn if axes.images[0].get_array().ndim == 3]
    assert len(photos) == len(BACKGROUNDS)
    maps = [axes for axes in drawn if axes not in photos]
    wanted = [model["maps"][shown["picture"]][k] for k in range(2) for model in chosen["models"]]
    for axes, values in zip(maps, wanted, strict=True):
        np.testing.assert_allclose(pixels(axes), values, atol=1e-6)
    for axes, model in zip(maps, shown["models"], strict=False):
        title = axes.get_title()
        assert all(percent(part) in title for part in model["accuracy"]) and model["name"] in title
    assert photos[0].get_title().startswith(f"ρ = {shown['correlation']}: ")
    mask = np.array([[mark == "1" for mark in row] for row in test["mask"]])
    rows, columns = mask.nonzero()
    [outline] = [path for path in maps[0].collections[0].get_paths() if len(path.vertices)]
    left, top = outline.vertices.min(axis=0)
    assert (left, top) == (columns.min() - 0.5, rows.min() - 0.5)


CASES: list[tuple[Callable[..., None], CourseWidget]] = [
    (stepper, ConvolutionStepper()),
    (stepper, ConvolutionStepper("One dot", "Emboss", step=6, show_all=True)),
    (stepper, ConvolutionStepper("Noise", stride=2, padding=1)),
    (stepper, ConvolutionStepper("Ramp", "Gaussian 3 × 3", padding=3, dilation=2, step=9)),
    (stepper, ConvolutionStepper([[1, -2, 3]] * 12, [[0.5, -1]], flip=True, step=4)),
    (pooling, PoolingAndOrder(pool="average", activation="ReLU")),
    (pooling, PoolingAndOrder("One peak", pool="max", activation="tanh", window=3, step=1)),
    (channels, ChannelStepper()),
    (channels, ChannelStepper(kind="1 × 1", filter=1, step=23)),
    (channels, ChannelStepper(kind="3 × 3, two groups", filter=2, step=7)),
    (channels, ChannelStepper(kind="3 × 3, depthwise", filter=3, step=99)),
    (counter, ParameterCounter()),
    (counter, ParameterCounter("AlexNet, conv2 (two groups)")),
    (explorer, ReceptiveFieldExplorer("LeNet-5")),
    (explorer, ReceptiveFieldExplorer("Three 3×3", layer=1, position=0)),
    (explorer, ReceptiveFieldExplorer("VGG-16, all five blocks")),
    (explorer, ReceptiveFieldExplorer([conv(3)], layer=0)),
    (lab, ShiftLab()),
    (lab, ShiftLab(shape="Fine stripes", kernel="Laplacian", pool="none", down=-3, right=0)),
    (gallery, FourierGallery("House", filter="Low-pass", cut_off=6)),
    (gallery, FourierGallery("Disc", filter="Laplacian", border="zeros", append=True)),
    (gallery, FourierGallery("Noise", filter="Lopsided 5 × 5", conjugate=False)),
    (dial, SpuriousBackgroundDial()),
    (dial, SpuriousBackgroundDial(correlation=0.0, picture=2)),
]  # fmt: skip


@pytest.mark.parametrize(("check", "one"), CASES, ids=lambda case: type(case).__name__)
def test_still_shows_what_the_browser_shows(
    check: Callable[..., None], one: CourseWidget, compute: Any, show: Any
) -> None:
    [shown] = compute(type(one), [one.state()])
    check(one.still(), one, shown)
    said = one.describe()  # the shift lab's names its settings first
    said = said.partition(". ")[2] if isinstance(one, ShiftLab) else said
    assert not numbers_in(said) - numbers_in(show(one).readout)


def test_the_widgets_of_lessons_start_on_a_case_that_shows_something() -> None:
    stepper = ConvolutionStepper(picture="One dot", kernel="Emboss", step=6, show_all=True)
    assert stepper.result()["total"] == 2  # the window holds the dot
    result = SpuriousBackgroundDial().result()
    mlp, convnet = result["models"]
    assert mlp["kinds"] == ["right", "background"] and convnet["kinds"] == ["right", "right"]
    test = SpuriousBackgroundDial().tests[result["picture"]]
    chosen = SpuriousBackgroundDial().results[result["index"]]["models"]
    mask = torch.tensor([[mark == "1" for mark in row] for row in test["mask"]]).float()
    cover = torch.nn.functional.avg_pool2d(mask[None, None], 4)[0, 0]
    figure = [[float((torch.tensor(m) * cover).sum()) for m in model["maps"][result["picture"]]]
              for model in chosen]  # fmt: skip
    # What the models have from the figure itself: the MLP's turns against its answer.
    assert figure[0][0] > 0 > figure[0][1] and min(figure[1]) > 0
