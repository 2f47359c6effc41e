"""Whether the figures on a widget's page follow from its controls, by `course_utils.arithmetic`.

The settings are read off the page's own controls, so nothing of the widget's Python comes into it.
"""

import re
from collections import Counter
from collections.abc import Callable

from shown_widget import Shown

from course_utils import arithmetic, widgets
from course_utils.arithmetic import Layer
from course_utils.widgets.channel_stepper import KINDS
from course_utils.widgets.text import count


def whole_numbers(shown: Shown, *labels: str) -> list[int]:
    """The whole numbers that these controls hold."""
    settings = shown.settings
    return [int(settings[label]) for label in labels]


def side_of(shown: Shown, grid: str) -> tuple[int, int]:
    """Rows and columns of the grid whose text boxes are named so."""
    names = [name for name in shown.settings if name.startswith(f"{grid}, row")]
    rows, columns = zip(*(map(int, re.findall(r"\d+", name)) for name in names), strict=True)
    return max(rows), max(columns)


def stepper(shown: Shown) -> None:
    """The convolution's output has the size of the formula."""
    s, p, d = whole_numbers(shown, "Stride", "Padding", "Dilation")
    out = arithmetic.output_size(side_of(shown, "image"), side_of(shown, "kernel"), s, p, d)
    assert f" of {out[0]} × {out[1]}:" in shown.readout
    assert len(shown.numbers("Output")) == out[0] * out[1]


def counter(shown: Shown) -> None:
    """Output size, parameters and multiply-adds are those of the formulas."""
    labels = ("Channels in", "Channels out", "Input size", "Kernel", "Stride", "Padding", "Groups")
    c_in, c_out, n, k, s, p, groups = whole_numbers(shown, *labels)
    bias = shown.settings["Bias"] == "true"
    out = arithmetic.output_size(n, k, s, p)
    parameters = arithmetic.conv_parameters(c_in, c_out, k, groups=groups, bias=bias)
    multiply_adds = arithmetic.conv_multiply_adds(c_in, c_out, k, out, groups=groups)
    dense = arithmetic.linear_parameters(c_in * n * n, c_out * out * out, bias=bias)
    cells = shown.root.locator(".cw-below tr td > b").all_inner_texts()
    assert cells == [str(out), count(parameters), count(multiply_adds), count(dense)]
    assert f"has {count(parameters)} parameters" in shown.readout


def channels(shown: Shown) -> None:
    """Parameters, multiply-adds and the channels that are read follow from layer and filter."""
    k, groups = KINDS[shown.settings["Layer"]]
    [filter_] = whole_numbers(shown, "Filter")
    side = arithmetic.output_size(5, k)
    costs = shown.root.locator(".cw-below b").all_inner_texts()
    parameters = arithmetic.conv_parameters(4, 4, k, groups=groups)
    multiply_adds = arithmetic.conv_multiply_adds(4, 4, k, side, groups=groups)
    assert costs == [count(parameters), count(multiply_adds)]
    read = [c for c in range(1, 5) if (c - 1) * groups // 4 == (filter_ - 1) * groups // 4]
    told = shown.readout.partition("reads channel")[2].partition(". ")[0]
    assert [int(c) for c in re.findall(r"\d", told)] == read
    assert len(shown.numbers("Map:")) == side**2


def explorer(shown: Shown) -> None:
    """Sizes, jumps and receptive fields are those of the formulas."""
    settings = shown.settings
    rows = shown.root.locator(".cw-layers tbody tr").evaluate_all(
        """rows => rows.map((row) => [row.querySelector("th").innerText,
            [...row.querySelectorAll("td")].slice(4, 7).map((cell) => cell.innerText)])"""
    )
    layers = [layer_of(settings, name) for name, _ in rows[1:]]
    sizes = [int(settings["Image size"])]
    sizes += arithmetic.output_sizes(sizes[0], layers)
    fields = [(1, 1), *((f.jump, f.size) for f in arithmetic.receptive_fields(layers))]
    wanted = [[f"{n} × {n}", *map(str, field)] for n, field in zip(sizes, fields, strict=True)]
    assert [figures for _, figures in rows] == wanted


def layer_of(settings: dict[str, str], name: str) -> Layer:
    """One layer of the explorer, as the boxes of its row say."""
    k, s, p = (int(settings[f"{name} {what}"]) for what in ("kernel", "stride", "padding"))
    return Layer(k, s, p, int(settings.get(f"{name} dilation", 1)))  # pooling has no such box


def pooling(shown: Shown) -> None:
    """There are as many windows as the formula says."""
    window, stride = whole_numbers(shown, "Window", "Stride")
    rows, columns = arithmetic.pool_output_size(side_of(shown, "image"), window, stride)
    told = re.search(r"(?:of|all) (\d+) places", shown.readout)
    assert told and int(told[1]) == rows * columns
    assert len(shown.numbers("Activation first minus")) == rows * columns


FORMULAS: dict[str, Callable[[Shown], None]] = {
    widgets.ConvolutionStepper.title: stepper,
    widgets.ChannelStepper.title: channels,
    widgets.ParameterCounter.title: counter,
    widgets.ReceptiveFieldExplorer.title: explorer,
    widgets.PoolingAndOrder.title: pooling,
}
"""The check of each widget that shows figures of `arithmetic`, by its title."""


def numbers(text: str) -> Counter[str]:
    """The numbers in a text, and how often each stands there."""
    return Counter(re.findall(r"[−-]?\d+(?:[.,]\d+)*", text))


def figures_are_right(shown: Shown, title: str, described: str) -> None:
    """Hold what a widget shows against the formulas, and against what the kernel says of it.

    Args:
        shown: The widget.
        title: Its title, which says what formulas there are.
        described: What the widget's `describe` says in the kernel.

    Raises:
        AssertionError: A figure is wrong, or page and kernel differ.
    """
    if title in FORMULAS:
        FORMULAS[title](shown)
    told_by_python(shown, described)


def told_by_python(shown: Shown, described: str) -> None:
    """The page tells of its state what the kernel, which was told of the same moves, computes."""
    told = shown.readout
    missing = numbers(described) - numbers(told)
    assert told in described or not missing, f"{told!r} lacks {dict(missing)} of {described!r}"
