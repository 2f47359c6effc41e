"""What a convolution costs, against layers with the same input and output but without its ideas."""

import math
from typing import Any, ClassVar

import traitlets

from course_utils import arithmetic
from course_utils.widgets.base import CourseWidget, State
from course_utils.widgets.svg import MARK, MUTED, OKABE_ITO, Drawing, compact, count

LAYERS: dict[str, dict[str, int]] = {
    "LeNet, conv1": {"n": 28, "c_in": 1, "c_out": 6, "k": 5, "p": 2},
    "LeNet, conv2": {"n": 14, "c_in": 6, "c_out": 16, "k": 5},
    "AlexNet, conv1": {"n": 227, "c_in": 3, "c_out": 96, "k": 11, "s": 4},
    "AlexNet, conv2 (two groups)": {
        "n": 27,
        "c_in": 96,
        "c_out": 256,
        "k": 5,
        "p": 2,
        "groups": 2,
    },
    "VGG-16, first": {"n": 224, "c_in": 3, "c_out": 64, "k": 3, "p": 1},
    "VGG-16, last": {"n": 14, "c_in": 512, "c_out": 512, "k": 3, "p": 1},
    "1×1 that reduces channels": {"n": 100, "c_in": 60, "c_out": 20, "k": 1},
    "ResNet, stem": {"n": 224, "c_in": 3, "c_out": 64, "k": 7, "s": 2, "p": 3},
    "Depthwise 3×3": {"n": 56, "c_in": 128, "c_out": 128, "k": 3, "p": 1, "groups": 128},
    "Small picture, RGB": {"n": 32, "c_in": 3, "c_out": 16, "k": 3, "p": 1},
}
"""Well-known layers by name; a stride is 1, a padding 0 and groups 1 where not given."""

# "Not shared" is the locally connected layer: the same windows, but weights of its own in each.
KINDS = {
    "conv": ("convolution", OKABE_ITO["blue"]),
    "local": ("not shared", OKABE_ITO["green"]),
    "dense": ("dense layer", OKABE_ITO["vermillion"]),
}
"""The three layers that are compared: key, name, colour."""


class ParameterCounter(CourseWidget):
    """Count the parameters and multiply-adds of a convolution, and of a dense layer in its place.

    Args:
        layer: a name in `LAYERS` to start from; what is given by letter wins over it.
        n: side of the square input in pixels, 1 to 256.
        c_in, c_out: channels in and out, 1 to 1024.
        k, s, p: kernel size 1 to 15, stride 1 to 8, padding 0 to 7.
        groups: into how many groups the channels are split.
        bias: whether each filter has a bias.

    Raises:
        ValueError: for an unknown layer.
        traitlets.TraitError: for a setting out of its range.
    """

    title = "What a convolution costs"
    data: ClassVar[dict[str, Any]] = {"layers": LAYERS, "kinds": KINDS}

    n = traitlets.Int(32, min=1, max=256).tag(sync=True)
    c_in = traitlets.Int(3, min=1, max=1024).tag(sync=True)
    c_out = traitlets.Int(16, min=1, max=1024).tag(sync=True)
    k = traitlets.Int(3, min=1, max=15).tag(sync=True)
    s = traitlets.Int(1, min=1, max=8).tag(sync=True)
    p = traitlets.Int(1, min=0, max=7).tag(sync=True)
    groups = traitlets.Int(1, min=1, max=1024).tag(sync=True)
    bias = traitlets.Bool(True).tag(sync=True)

    def __init__(self, layer: str = "Small picture, RGB", **settings: Any) -> None:
        if layer not in LAYERS:
            raise ValueError(f"there is no layer {layer!r}: choose from {', '.join(LAYERS)}")
        super().__init__(**({"s": 1, "p": 0, "groups": 1} | LAYERS[layer] | settings))

    @staticmethod
    def reference(state: State) -> dict[str, Any]:
        """Count with the course's arithmetic, which its own tests hold against torch."""
        return _reference(state)

    def describe(self) -> str:
        """Say how many parameters the convolution has, and how many a dense layer would need."""
        result = self.result()
        return str(result["problem"] or comparison(result))

    def still(self) -> Drawing:
        """Draw the shapes and the bars, on a scale on which each step is ten times the last."""
        return _still(self.state(), self.result())


def comparison(result: dict[str, Any]) -> str:
    """Return one sentence: the convolution's parameters against the dense layer's.

    Args:
        result: the reference's answer for a state without a problem.
    """
    conv, dense = result["parameters"]["conv"], result["parameters"]["dense"]
    return (
        f"The convolution has {count(conv)} parameters; a dense layer between the same shapes "
        f"{compact(dense)}, {compact(result['ratio'])} times as many."
    )


def _reference(state: State) -> dict[str, Any]:
    n, c_in, c_out, k = (state[key] for key in ("n", "c_in", "c_out", "k"))
    groups, bias = state["groups"], state["bias"]
    if c_in % groups or c_out % groups:
        return {"problem": _uneven(c_in, c_out, groups)}
    try:
        out = int(arithmetic.output_size(int(n), int(k), state["s"], state["p"]))
    except ValueError:
        return {"problem": _too_large(k, n + 2 * state["p"])}
    conv = arithmetic.conv_parameters(c_in, c_out, k, groups=groups, bias=bias)
    local = arithmetic.locally_connected_parameters(c_in // groups, c_out, k, out, bias=bias)
    n_in, n_out = c_in * n * n, c_out * out * out
    dense = arithmetic.linear_parameters(n_in, n_out, bias=bias)
    multiply_adds = arithmetic.conv_multiply_adds(c_in, c_out, k, out, groups=groups)
    return {
        "problem": None,
        "input": [c_in, n, n],
        "weight": [c_out, c_in // groups, k, k],
        "output": [c_out, out, out],
        "parameters": {"conv": conv, "local": local, "dense": dense},
        "multiply_adds": {
            "conv": multiply_adds,
            "local": multiply_adds,
            "dense": arithmetic.linear_multiply_adds(n_in, n_out),
        },
        "ratio": dense / conv,
    }


def _uneven(c_in: int, c_out: int, groups: int) -> str:
    return (
        f"{groups} groups cannot share {c_in} input and {c_out} output channels evenly. "
        "Choose groups that divide both."
    )


def _too_large(kernel: int, padded: int) -> str:
    return (
        f"No window fits: the kernel covers {kernel} pixels, the padded picture has only "
        f"{padded}. Use a smaller kernel, or more padding."
    )


# --- The still picture -----------------------------------------------------------------------


def _still(state: State, result: dict[str, Any]) -> Drawing:
    page = Drawing(width=860, height=330)
    if result["problem"]:
        page.text(20, 40, result["problem"], fill=MARK, bold=True)
        return page
    shapes = " → ".join(_shape(result[key]) for key in ("input", "output"))
    page.text(20, 34, f"{shapes}, weights {_shape(result['weight'])}", size=17, bold=True)
    for row, key in enumerate(("parameters", "multiply_adds")):
        _draw_bars(page, key.replace("_", "-").capitalize(), result[key], y=70 + 115 * row)
    page.text(20, 310, comparison(result))
    return page


def _shape(sizes: list[int]) -> str:
    return " × ".join(map(str, sizes))


def _draw_bars(page: Drawing, title: str, values: dict[str, int], y: float) -> None:
    page.text(20, y, f"{title} (logarithmic scale)", bold=True)
    for line, (key, value) in enumerate(values.items()):
        name, colour = KINDS[key]
        top = y + 10 + 26 * line
        width = 420 * math.log10(max(value, 1) * 2) / 16
        page.text(190, top + 15, name, anchor="end", fill=MUTED)
        page.rect(200, top, width, 20, fill=colour)
        page.text(210 + width, top + 15, compact(value), bold=True)
