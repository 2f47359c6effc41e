"""Receptive fields: point at an output of a stack of layers, and see its field in each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure

from course_utils import arithmetic
from course_utils.arguments import one_of, shown, whole
from course_utils.plots import plot_receptive_field
from course_utils.plots.convolution import seen_ranges
from course_utils.widgets.base import CourseWidget, Result, State
from course_utils.widgets.text import number

__all__ = ["STACKS", "LayerState", "ReceptiveFieldExplorer", "conv", "layer_names", "pool"]

LayerState = dict[str, Any]
"""A layer: `kind` ("conv" or "pool"), kernel `k`, stride `s`, padding `p`, dilation `d`.
"""

MAX_LAYERS = 20
LIMITS = {"k": (1, 15), "s": (1, 8), "p": (0, 15), "d": (1, 8)}


def conv(k: int, s: int = 1, p: int = 0, d: int = 1) -> LayerState:
    """Return a convolution layer; see `LayerState` for the letters."""
    return {"kind": "conv", "k": k, "s": s, "p": p, "d": d}


def pool(k: int, s: int | None = None, p: int = 0) -> LayerState:
    """Return a pooling layer; its windows do not overlap unless a stride is given."""
    return {"kind": "pool", "k": k, "s": k if s is None else s, "p": p, "d": 1}


def _vgg(*blocks: int) -> list[LayerState]:
    return [layer for depth in blocks for layer in (*[conv(3, p=1)] * depth, pool(2))]


STACKS: dict[str, tuple[int, list[LayerState]]] = {
    "Three 3×3": (16, [conv(3, p=1)] * 3),
    "One 7×7": (16, [conv(7, p=3)]),
    "LeNet-5": (28, [conv(5, p=2), pool(2), conv(5), pool(2)]),
    "AlexNet, first five": (227, [conv(11, 4), pool(3, 2), conv(5, p=2), pool(3, 2), conv(3, p=1)]),
    "VGG-16, two blocks": (224, _vgg(2, 2)),
    "VGG-16, all five blocks": (224, _vgg(2, 2, 3, 3, 3)),
    "ResNet, stem and stage 1": (224, [conv(7, 2, 3), pool(3, 2, 1), *[conv(3, p=1)] * 4]),
    "Small ResNet, stem and stage 1": (32, [conv(3, p=1)] * 3),
    "Dilated 1, 2, 4, 8": (32, [conv(3, p=d, d=d) for d in (1, 2, 4, 8)]),
}
"""Stacks by name: the size of the image, and the layers from the image upwards."""


class ReceptiveFieldExplorer(CourseWidget):
    """Stack layers, point at an output, and see its receptive field in every layer below.

    Args:
        layers: A name in `STACKS`, or layers made by `conv` and `pool`, or objects of
            `arithmetic.Layer` (as convolutions, square only); at most 20.
        n: Side of the square image, 1 to 256; the stack's own if it has a name, else 32.
        layer: The layer whose output is pointed at; 0 is the image, the last if left out.
        position: Which of its outputs, from 0; the middle one if left out.

    Raises:
        ValueError: For an unknown name, too many layers, or a layer's number out of its range.
    """

    title = "What an output sees: receptive fields"
    data: ClassVar[dict[str, Any]] = {"stacks": STACKS, "limits": LIMITS, "most": MAX_LAYERS}

    n = traitlets.Int(32, min=1, max=256).tag(sync=True)
    layers: traitlets.List[LayerState] = traitlets.List().tag(sync=True)
    layer = traitlets.Int(1, min=0).tag(sync=True)
    position = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        layers: str | Iterable[LayerState | arithmetic.Layer] = "LeNet-5",
        n: int | None = None,
        **settings: Any,
    ) -> None:
        size, stack = _stack_by_name(layers) if isinstance(layers, str) else (32, layers)
        n = size if n is None else n
        super().__init__(n=n, layers=stack, **({"layer": MAX_LAYERS} | settings))
        if "layer" not in settings:
            self.layer = len(self.layers)
        if "position" not in settings:
            self.position = self.result()["sizes"][self.result()["layer"]] // 2

    @traitlets.validate("layers")
    def _possible(self, proposal: Any) -> list[LayerState]:
        layers = [_checked(layer) for layer in proposal["value"]]
        if len(layers) > MAX_LAYERS:
            raise ValueError(
                f"{len(layers)} layers do not fit on the screen: use at most {MAX_LAYERS}"
            )
        return layers

    @staticmethod
    def reference(state: State) -> Result:
        """Compute with the course's arithmetic, and count paths by torch's gradients."""
        layers, problem = _fitting(state)
        geometry = [_geometry(layer) for layer in layers]
        sizes = [state["n"], *arithmetic.output_sizes(state["n"], geometry)]
        fields = [arithmetic.Field(), *arithmetic.receptive_fields(geometry)]
        at = min(state["layer"], len(layers))
        position = min(state["position"], int(sizes[at]) - 1)
        paths = _paths(state["n"], layers[:at], position)
        return {
            "problem": problem,
            "sizes": sizes,
            "fields": [{"size": f.size, "jump": f.jump, "start": f.start} for f in fields],
            "layer": at,
            "position": position,
            "seen": [list(ends) for ends in seen_ranges(geometry[:at], position)],
            "paths": (paths / paths.max().clamp(min=1)).tolist(),
            "share": float((paths > 0).double().mean() ** 2),
        }

    def draw(self, result: Result) -> Figure:
        """Draw the layers up to the one pointed at, and the cone that its output sees."""
        names = layer_names(self.layers)[1:]
        stack = [
            replace(_geometry(layer), name=name)
            for name, layer in zip(names[: result["layer"]], self.layers, strict=False)
        ]
        itself = [arithmetic.Layer(1, name="a pixel")]  # where the image is pointed at
        return plot_receptive_field(stack or itself, self.n, result["position"])

    def tell(self, result: Result) -> str:
        """Say how large the field of the output is, and where it lies."""
        at, (low, high) = result["layer"], result["seen"][0]
        field = result["fields"][at]
        where = f"{layer_names(self.layers)[at]}, output {result['position'] + 1}"
        outside = max(0, -low) + max(0, high - self.n + 1)
        padding = f", {outside} of them in the padding" if outside else ""
        return (
            f"{where} sees {_pixels(field['size'])} across (pixels {number(low + 1)} to "
            f"{number(high + 1)}{padding}), {number(100 * result['share'], 1)}% of the image. "
            f"The field of the next output lies {_pixels(field['jump'])} further on."
        )


def _pixels(count: int) -> str:
    return f"{count} pixel{'s' * (count != 1)}"


def _stack_by_name(name: str) -> tuple[int, list[LayerState]]:
    return STACKS[one_of("layers", name, [*STACKS])]


def _checked(layer: Mapping[str, Any] | arithmetic.Layer) -> LayerState:
    if isinstance(layer, arithmetic.Layer):
        layer = {"kind": "conv", "k": layer.k, "s": layer.s, "p": layer.p, "d": layer.dilation}
    if not isinstance(layer, Mapping):
        raise ValueError(f"a layer cannot be {shown(layer)}: make it with conv or pool")
    checked = {"kind": layer.get("kind", "conv"), "s": 1, "p": 0, "d": 1, **layer}
    one_of("a layer's kind", checked["kind"], ("conv", "pool"))
    return checked | {name: whole(name, checked.get(name), *span) for name, span in LIMITS.items()}


def layer_names(layers: Sequence[LayerState]) -> list[str]:
    """Return a name for the image and for each layer, counted by kind: conv1, conv2, pool1.

    Args:
        layers: The stack, from the image upwards.
    """
    seen = {"conv": 0, "pool": 0}
    names = ["image"]
    for layer in layers:
        seen[layer["kind"]] += 1
        names.append(f"{layer['kind']}{seen[layer['kind']]}")
    return names


# --- What it computes ------------------------------------------------------------------------


def _geometry(layer: LayerState) -> arithmetic.Layer:
    return arithmetic.Layer(k=layer["k"], s=layer["s"], p=layer["p"], dilation=layer["d"])


def _fitting(state: State) -> tuple[list[LayerState], str | None]:
    """Return the layers up to the first that does not fit, and what is wrong with that one."""
    n = state["n"]
    names = layer_names(state["layers"])[1:]
    for index, (name, layer) in enumerate(zip(names, state["layers"], strict=True)):
        rule = arithmetic.pool_output_size if layer["kind"] == "pool" else arithmetic.output_size
        try:
            n = rule(n, layer["k"], layer["s"], layer["p"], layer["d"])
        except ValueError:
            return state["layers"][:index], _problem(name, layer, n)
    return state["layers"], None


def _problem(name: str, layer: LayerState, n: int) -> str:
    covered, padded = layer["d"] * (layer["k"] - 1) + 1, n + 2 * layer["p"]
    if layer["kind"] == "pool" and layer["p"] > covered // 2:
        return (
            f"{name} is impossible: its padding of {layer['p']} is more than half of its window "
            f"of {covered}."
        )
    return (
        f"{name} is impossible: its kernel covers {covered} pixels, but its padded input "
        f"has only {padded}. Use a smaller kernel, more padding or a larger image."
    )


def _paths(n: int, layers: list[LayerState], position: int) -> torch.Tensor:
    """Return the paths from each pixel to the output: its gradient where all weights are 1."""
    pixels = torch.zeros(1, 1, n, dtype=torch.float64, requires_grad=True)
    signal = pixels  # (1, 1, n), later (1, 1, o)
    for layer in layers:
        ones = torch.ones(1, 1, layer["k"], dtype=torch.float64)
        place = {"stride": layer["s"], "padding": layer["p"], "dilation": layer["d"]}
        signal = F.conv1d(signal, ones, **place)
    (paths,) = torch.autograd.grad(signal[0, 0, position], pixels)
    return paths[0, 0]
