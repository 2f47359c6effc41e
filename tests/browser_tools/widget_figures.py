"""Whether the figures on a widget's page follow from its controls, by `course_utils.arithmetic`.

The settings are read off the page's own controls, so nothing of the widget's Python comes into it.
"""

import re
from collections import Counter
from collections.abc import Callable

from shown_widget import Shown

from course_utils import arithmetic, widgets
from course_utils.arithmetic import Layer
from course_utils.widgets.text import count


def setting(shown: Shown, label: str) -> int:
    """The whole number that stands beside a slider, or that a list or box holds."""
    control = shown.control(label)
    beside = control.locator("xpath=following-sibling::output")
    return int(beside.inner_text() if beside.count() else control.input_value())


def side_of(shown: Shown, grid: str) -> tuple[int, int]:
    """Rows and columns of the grid whose text boxes are named so."""
    names = shown.root.locator(f"input[aria-label^='{grid}, row']").evaluate_all(
        "all => all.map((input) => input.getAttribute('aria-label'))"
    )
    rows, columns = zip(*(map(int, re.findall(r"\d+", name)) for name in names), strict=True)
    return max(rows), max(columns)


def stepper(shown: Shown) -> None:
    """The convolution's output has the size of the formula."""
    s, p, d = (setting(shown, label) for label in ("Stride", "Padding", "Dilation"))
    out = arithmetic.output_size(side_of(shown, "picture"), side_of(shown, "kernel"), s, p, d)
    assert f" of {out[0]} × {out[1]}:" in shown.readout
    assert len(shown.numbers("Output")) == out[0] * out[1]


def counter(shown: Shown) -> None:
    """Output size, parameters and multiply-adds are those of the formulas."""
    labels = ("Channels in", "Channels out", "Input size", "Kernel", "Stride", "Padding")
    c_in, c_out, n, k, s, p = (setting(shown, label) for label in labels)
    groups, bias = setting(shown, "Groups"), shown.control("Bias").is_checked()
    out = arithmetic.output_size(n, k, s, p)
    parameters = arithmetic.conv_parameters(c_in, c_out, k, groups=groups, bias=bias)
    multiply_adds = arithmetic.conv_multiply_adds(c_in, c_out, k, out, groups=groups)
    dense = arithmetic.linear_parameters(c_in * n * n, c_out * out * out, bias=bias)
    cells = shown.root.locator(".cw-below tr td > b").all_inner_texts()
    assert cells == [str(out), count(parameters), count(multiply_adds), count(dense)]
    assert f"has {count(parameters)} parameters" in shown.readout


def explorer(shown: Shown) -> None:
    """Sizes, jumps and receptive fields are those of the formulas."""
    rows = shown.root.locator(".cw-layers tbody tr").all()
    layers = [layer_of(shown, row.locator("th").inner_text()) for row in rows[1:]]
    sizes = [setting(shown, "Picture size")]
    sizes += arithmetic.output_sizes(sizes[0], layers)
    fields = [(1, 1), *((f.jump, f.size) for f in arithmetic.receptive_fields(layers))]
    wanted = [[f"{n} × {n}", *map(str, field)] for n, field in zip(sizes, fields, strict=True)]
    assert [row.locator("td").all_inner_texts()[4:7] for row in rows] == wanted


def layer_of(shown: Shown, name: str) -> Layer:
    """One layer of the explorer, as the boxes of its row say."""
    k, s, p = (setting(shown, f"{name} {what}") for what in ("kernel", "stride", "padding"))
    dilated = shown.control(f"{name} dilation").count()  # a pooling layer has no such box
    return Layer(k, s, p, setting(shown, f"{name} dilation") if dilated else 1)


def pooling(shown: Shown) -> None:
    """There are as many windows as the formula says."""
    window, stride = setting(shown, "Window"), setting(shown, "Stride")
    rows, columns = arithmetic.pool_output_size(side_of(shown, "picture"), window, stride)
    told = re.search(r"(?:of|all) (\d+) places", shown.readout)
    assert told and int(told[1]) == rows * columns
    assert len(shown.numbers("Activation first minus")) == rows * columns


FORMULAS: dict[str, Callable[[Shown], None]] = {
    widgets.ConvolutionStepper.title: stepper,
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
