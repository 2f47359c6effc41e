"""A table of a model's layers: their outputs, parameters, multiply-adds and receptive fields."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.arguments import instance, whole
from course_utils.arithmetic import Layer, Size
from course_utils.inspection.receptive import FieldTracker
from course_utils.inspection.trace import (
    Shape,
    empty_input,
    is_identity,
    kind_of,
    main_tensor,
    one_sentence,
    parts_of,
    times,
    without_storage,
)
from course_utils.models.locally_connected import LocallyConnected2d
from course_utils.tables import Table

__all__ = ["LayerRow", "Summary", "summary"]


@dataclass(frozen=True)
class LayerRow:
    """One call of one layer.

    Args:
        name: Dotted name inside the model; "(model)" for the model itself.
        kind: The layer's class.
        output_shape: The output's shape for one image, without the batch axis; None if the layer
            was not used.
        parameters: Parameters that no earlier row has counted.
        multiply_adds: Multiply-adds of this call, for one image.
        receptive_field: Pixels of the input that one output sees, as an int or (h, w); None
            where it cannot be known. Near an edge, part of it lies in the padding.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    parameters: int
    multiply_adds: int
    receptive_field: Size | None


@dataclass(frozen=True)
class Summary:
    """The layers of a model in the order in which they run, and their totals.

    Args:
        model: The model's class.
        input_size: Shape of one input, (C, H, W) for an image.
        rows: One per call of a layer; layers that hold parameters but did not run come last.
    """

    model: str
    input_size: tuple[int, ...]
    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int:
        """All parameters, shared ones counted once."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image; `torch.utils.flop_counter` gives twice this number."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def caption(self) -> str:
        """The totals in one line."""
        return (
            f"{self.model} on {times(self.input_size)}: {self.parameters:,} parameters, "
            f"{self.multiply_adds:,} multiply-adds"
        )

    def table(self) -> Table:
        """Return the rows, with layer, type, output, parameters, multiply-adds and field."""
        columns = ("layer", "type", "output", "parameters", "multiply-adds", "field")
        return Table(columns, tuple(_cells(row) for row in self.rows), self.caption)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def summary(model: nn.Module, input_size: tuple[int, ...], *, depth: int | None = None) -> Summary:
    """List a model's layers with their output, parameters, multiply-adds and receptive field.

    The forward pass runs in a copy without storage (on the meta device), so that even VGG-16
    takes no memory and hardly any time. Nothing about the model changes: neither its mode, nor its
    buffers and hooks, nor any random generator.

    Args:
        model: Any module that takes one tensor.
        input_size: Shape of one input without the batch axis, such as (3, 224, 224).
        depth: How deep to look: 1 lists the model's direct parts, 2 theirs, None every layer.

    Returns:
        The rows and their totals, shown as a table in a terminal and in a notebook.

    Raises:
        ValueError: The input size is not one, or the model cannot take it.

    >>> net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2))
    >>> print(summary(net, (1, 28, 28)))
    Sequential on 1 x 28 x 28: 156 parameters, 86,400 multiply-adds
    layer  type       output       parameters  multiply-adds  field
    -----  ---------  -----------  ----------  -------------  -----
    0      Conv2d     6 x 24 x 24         156         86,400      5
    1      ReLU       6 x 24 x 24           0              0      5
    2      MaxPool2d  6 x 12 x 12           0              0      6
    """
    instance("model", model, nn.Module, "one, such as models.build(...)")
    depth = None if depth is None else whole("depth", depth, least=0)
    pictures = empty_input(model, input_size)
    if not isinstance(pictures, torch.Tensor):
        raise ValueError(f"input size {input_size}: a summary gives a model one input, not several")
    size = tuple(pictures.shape[1:])
    recorder = _Recorder(without_storage(model).eval(), pictures, depth)
    with one_sentence(model, times(size)):
        recorder.run()
    return Summary(type(model).__name__, size, tuple(recorder.rows))


class _Recorder:
    """Runs a copy of the model once and notes each call of its layers."""

    def __init__(self, twin: nn.Module, pictures: torch.Tensor, depth: int | None) -> None:
        self.twin, self.pictures = twin, pictures
        self.layers = dict(_layers(twin, depth))
        self.rows: list[LayerRow] = []
        self.counted: set[nn.Parameter] = set()
        self.open_calls: list[int] = []  # FLOPs of each call that has begun and not ended
        self.flops_so_far = 0
        self.flops = FlopCounterMode(display=False)
        self.fields = FieldTracker(pictures) if pictures.dim() == 4 else None

    def run(self) -> None:
        """Fill the rows, in the order in which the calls end; unused layers come last."""
        for name, module in self.twin.named_modules():
            if name in self.layers:
                module.register_forward_pre_hook(self._begin)
                module.register_forward_hook(self._end(name))
        with self.flops, self.fields or nullcontext():
            self.twin(self.pictures)
        for name, is_row in self.layers.items():
            parameters = self._new_parameters(self.twin.get_submodule(name), is_row)
            if parameters:
                self._note(name, None, parameters, 0, None)

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._charge()
        self.open_calls.append(0)

    def _end(self, name: str) -> Any:
        def end(module: nn.Module, args: Any, output: Any) -> None:
            self._charge()
            flops = self.open_calls.pop()
            is_row = self.layers[name]
            parameters = self._new_parameters(module, is_row)
            if is_row or flops or parameters:
                tensor = main_tensor(output)
                shape = None if tensor is None else tuple(tensor.shape[1:])
                field = self._field(module, args, tensor)
                self._note(name, shape, parameters, flops, field)

        return end

    def _charge(self) -> None:
        """Charge what was computed since the last event to the innermost call."""
        total = self.flops.get_total_flops()
        if self.open_calls:
            self.open_calls[-1] += total - self.flops_so_far
        self.flops_so_far = total

    def _new_parameters(self, module: nn.Module, with_parts: bool) -> int:
        """Return how many parameters of the module no row has counted yet."""
        new = set(module.parameters(recurse=with_parts)) - self.counted
        self.counted |= new
        return sum(parameter.numel() for parameter in new)

    def _note(
        self, name: str, shape: Shape | None, parameters: int, flops: int, field: Size | None
    ) -> None:
        kind = kind_of(self.twin.get_submodule(name)).__name__
        row = LayerRow(name or "(model)", kind, shape, parameters, flops // 2, field)
        self.rows.append(row)

    def _field(self, module: nn.Module, args: Any, tensor: torch.Tensor | None) -> Size | None:
        if self.fields is None or tensor is None:
            return None
        if isinstance(module, LocallyConnected2d):  # patches and a product: no rule can see that
            layer = Layer(module.kernel_size, p=module.padding)
            self.fields.pass_through(layer, args[0], tensor)
        field = self.fields.of(tensor)
        if field is None or isinstance(field.size, int):
            return None
        height, width = field.size
        return height if height == width else (height, width)


# --- Helpers -----------------------------------------------------------------------------------


def _layers(module: nn.Module, depth: int | None, name: str = "") -> Iterator[tuple[str, bool]]:
    """Yield each module down to `depth`, and whether it counts as a layer."""
    parts = parts_of(module)
    is_layer = not parts or depth == 0
    if not is_identity(module):
        yield name, is_layer
    if not is_layer:
        for part, child in parts:
            inner = f"{name}.{part}" if name else part
            yield from _layers(child, None if depth is None else depth - 1, inner)


def _cells(row: LayerRow) -> tuple[str | int | None, ...]:
    shape = "not used" if row.output_shape is None else times(row.output_shape)
    field = row.receptive_field
    shown = times(field) if isinstance(field, tuple) else field
    return row.name, row.kind, shape, row.parameters, row.multiply_adds, shown
