"""What a convolution costs, against layers with the same input and output but without its ideas."""

from typing import Any, ClassVar

import traitlets
from matplotlib.figure import Figure

from course_utils import arithmetic
from course_utils.arguments import one_of
from course_utils.plots import plot_counts
from course_utils.plots.style import BLUE, GREEN, RED
from course_utils.widgets.base import CourseWidget, Result, State
from course_utils.widgets.text import compact, count

__all__ = ["LAYERS", "ParameterCounter"]

LAYERS: dict[str, dict[str, int]] = {
    "LeNet, conv1": {"n": 28, "c_in": 1, "c_out": 6, "k": 5, "p": 2},
    "LeNet, conv2": {"n": 14, "c_in": 6, "c_out": 16, "k": 5},
    "AlexNet, conv1": {"n": 227, "c_in": 3, "c_out": 96, "k": 11, "s": 4},
    "AlexNet, conv2 (two groups)": {"n": 27, "c_in": 96, "c_out": 256, "k": 5, "p": 2, "groups": 2},
    "VGG-16, first": {"n": 224, "c_in": 3, "c_out": 64, "k": 3, "p": 1},
    "VGG-16, last": {"n": 14, "c_in": 512, "c_out": 512, "k": 3, "p": 1},
    "1×1 that reduces channels": {"n": 100, "c_in": 60, "c_out": 20, "k": 1},
    "ResNet, stem": {"n": 224, "c_in": 3, "c_out": 64, "k": 7, "s": 2, "p": 3},
    "Depthwise 3×3": {"n": 56, "c_in": 128, "c_out": 128, "k": 3, "p": 1, "groups": 128},
    "Small image, RGB": {"n": 32, "c_in": 3, "c_out": 16, "k": 3, "p": 1},
}
"""Well-known layers by name; a stride is 1, a padding 0 and groups 1 where not given."""

# The locally connected layer has the same windows, but weights of its own in each.
KINDS = {
    "conv": ("convolution", BLUE),
    "local": ("locally connected", GREEN),
    "dense": ("dense layer", RED),
}
"""The three layers that are compared: key, name, colour."""


class ParameterCounter(CourseWidget):
    """Count parameters and multiply-adds of a convolution, and of a dense layer in its place.

    Args:
        layer: A name in `LAYERS` to start from; settings given by letter override it.
        n: Side of the square input in pixels, 1 to 256.
        c_in, c_out: Channels in and out, 1 to 1024.
        k, s, p: Kernel size 1 to 15, stride 1 to 8, padding 0 to 7.
        groups: Into how many groups the channels are split.
        bias: Whether each filter has a bias.

    Raises:
        ValueError: For an unknown layer.
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

    def __init__(self, layer: str = "Small image, RGB", **settings: Any) -> None:
        start = LAYERS[one_of("layer", layer, [*LAYERS])]
        super().__init__(**({"s": 1, "p": 0, "groups": 1} | start | settings))

    @staticmethod
    def reference(state: State) -> Result:
        """Count with the course's arithmetic, which its own tests hold against torch."""
        n, c_in, c_out, k = (state[key] for key in ("n", "c_in", "c_out", "k"))
        groups, bias = state["groups"], state["bias"]
        if c_in % groups or c_out % groups:
            return {
                "problem": f"{groups} groups do not divide {c_in} input and {c_out} output "
                "channels evenly. Choose a number that divides both."
            }
        try:
            out = int(arithmetic.output_size(int(n), int(k), state["s"], state["p"]))
        except ValueError:
            return {
                "problem": f"No window fits: the kernel covers {k} pixels, but the padded image "
                f"has only {n + 2 * state['p']}. Use a smaller kernel, or more padding."
            }
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

    def draw(self, result: Result) -> Figure:
        """Draw both counts of the three layers as bars."""
        counts = {
            f"{kind}, {what.replace('_', '-')}": result[what][key]
            for what in ("parameters", "multiply_adds")
            for key, (kind, _) in KINDS.items()
        }
        shapes = " → ".join(" × ".join(map(str, result[key])) for key in ("input", "output"))
        return plot_counts(counts, f"count for {shapes}")

    def tell(self, result: Result) -> str:
        """Say how many parameters the convolution has, and how many a dense layer would need."""
        conv, dense = result["parameters"]["conv"], result["parameters"]["dense"]
        return (
            f"The convolution has {count(conv)} parameters; a dense layer between the same shapes "
            f"has {compact(dense)}, {compact(result['ratio'])} times as many."
        )
