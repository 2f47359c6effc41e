"""The whole-number arithmetic of convolutional networks: sizes, receptive fields, counts.

Every formula uses the letters of the course: an input of `n` pixels, a kernel of `k`, a
stride of `s`, and `p` rows of padding on *each* side. A size is one integer for both axes, or
a pair `(h, w)`; the result is a pair as soon as one argument is. Nothing is rounded by accident,
and nothing overflows: integers of every kind go in (Python's, NumPy's, a tensor of one element),
Python integers come out, and what no layer could do raises `ValueError` with its numbers.

>>> output_size(224, k=11, s=4, p=2)  # AlexNet's first layer
55
>>> conv_parameters(3, 96, k=11)  # its weights and biases
34944
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import inf
from typing import Any, Literal, TypeVar

from course_utils.arguments import flag, instance, listed, shown, whole

__all__ = [
    "Field",
    "Layer",
    "PaddingName",
    "Pair",
    "Size",
    "conv_multiply_adds",
    "conv_parameters",
    "effective_kernel",
    "linear_multiply_adds",
    "linear_parameters",
    "locally_connected_parameters",
    "output_size",
    "output_sizes",
    "pool_output_size",
    "receptive_field",
    "receptive_fields",
    "transposed_output_size",
]

Size = int | tuple[int, int]
Pair = tuple[int, int]
PaddingName = Literal["same", "valid"]
N = TypeVar("N", int, Pair, Size)  # pairs in, pairs out


# --- Output size -----------------------------------------------------------------------------


def output_size(
    n: N,
    k: N | int,
    s: N | int = 1,
    p: N | int | PaddingName = 0,
    dilation: N | int = 1,
    ceil_mode: bool = False,
) -> N:
    """Return the output size of a convolution, floor((n + 2p - k') / s) + 1.

    The kernel covers k' = dilation (k - 1) + 1 pixels. The lectures' (N - F) / stride + 1 is the
    case p = 0 in which the stride divides evenly. With `ceil_mode` the division rounds up instead,
    so the last window may hang over the right edge; a window that would start in the right padding
    is left out, as in PyTorch's pooling.

    Args:
        n: Input size in pixels, or `(h, w)`.
        k: Kernel size.
        s: Stride.
        p: Rows of zeros on each side, or `"valid"` (none), or `"same"` (as many as keep n;
            stride 1 only, as in `nn.Conv2d`).
        dilation: Distance between neighbouring taps of the kernel.
        ceil_mode: Whether to round up instead of down (pooling layers only).

    Returns:
        Number of window positions, as an int, or as `(h, w)` if any argument is a pair.

    Raises:
        ValueError: An argument is not a whole number or out of range, or no window fits.

    >>> output_size(5, k=3, s=2, p=1)
    3
    >>> output_size((28, 32), k=5, p="same")
    (28, 32)
    >>> output_size(6, k=3, s=2), output_size(6, k=3, s=2, ceil_mode=True)
    (2, 3)
    """
    rule = partial(_windows, ceil_mode=flag("ceil_mode", ceil_mode))
    if isinstance(p, str):
        if p == "same":
            return _per_axis(_same_axis, n=n, k=k, s=s, dilation=dilation)
        if p != "valid":
            raise ValueError(f'p = {p!r} is unknown: give a number, "same" or "valid"')
        p = 0
    return _per_axis(rule, n=n, k=k, s=s, p=p, dilation=dilation)


def pool_output_size(
    n: Size,
    k: Size,
    s: Size | None = None,
    p: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Size:
    """Return the output size of a pooling layer, which adds two rules.

    The stride is the kernel size unless given (windows side by side), and the padding may be at
    most half the kernel, so that no window lies entirely in the padding. The rest is as in
    `output_size`.

    Raises:
        ValueError: As for `output_size`; also if p is more than half the window.

    >>> pool_output_size(28, k=2)
    14
    >>> pool_output_size((112, 112), k=3, s=2, ceil_mode=True)
    (56, 56)
    """
    _per_axis(_check_pool_padding, k=k, p=p)
    return output_size(n, k, k if s is None else s, p, dilation, ceil_mode)


def transposed_output_size(
    n: Size, k: Size, s: Size = 1, p: Size = 0, output_padding: Size = 0, dilation: Size = 1
) -> Size:
    """Return the output size of a transposed convolution, (n - 1) s - 2p + k' + output_padding.

    It is the size that a convolution with the same k, s and p makes n of. With a stride there are
    s such sizes, as the convolution rounds down; `output_padding` chooses among them.

    Args:
        n: Input size in pixels, or `(h, w)`.
        k: Kernel size.
        s: Stride: how far apart the windows of neighbouring inputs lie in the output.
        p: Rows that are cut off on each side.
        output_padding: Rows that are added at the bottom and on the right, fewer than s or than
            the dilation.
        dilation: Distance between neighbouring taps of the kernel.

    Raises:
        ValueError: An argument is not a whole number or out of range, or nothing is left.

    >>> transposed_output_size(7, k=4, s=2, p=1)
    14
    >>> transposed_output_size((7, 9), k=3, s=2, p=1, output_padding=1)
    (14, 18)
    """
    return _per_axis(_spread, n=n, k=k, s=s, p=p, output_padding=output_padding, dilation=dilation)


def effective_kernel(k: Size, dilation: Size = 1) -> Size:
    """Return the width that a dilated kernel covers: dilation (k - 1) + 1 pixels.

    Args:
        k: Kernel size, its number of taps along an axis.
        dilation: Distance between neighbouring taps.

    Raises:
        ValueError: An argument is not a whole number of at least 1.

    >>> effective_kernel(3, dilation=2)
    5
    """
    return _per_axis(_effective, k=k, dilation=dilation)


# --- Stacks of layers: sizes and receptive fields ----------------------------------------------


@dataclass(frozen=True)
class Layer:
    """The geometry of one convolution or pooling layer, which is all a receptive field needs.

    Args:
        k: Kernel size.
        s: Stride.
        p: Padding on each side.
        dilation: Distance between neighbouring taps of the kernel.
        ceil_mode: Whether output sizes are rounded up (pooling only); this does not change the
            receptive field.
        name: The layer's name in tables and figures.

    Raises:
        ValueError: A size is not a whole number or out of range.

    >>> Layer(k=7, s=2, p=3, name="conv1")
    Layer(k=7, s=2, p=3, dilation=1, ceil_mode=False, name='conv1')
    """

    k: Size
    s: Size = 1
    p: Size = 0
    dilation: Size = 1
    ceil_mode: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        _make_whole(self, "k", "s", "p", "dilation")
        flag("ceil_mode", self.ceil_mode)


@dataclass(frozen=True)
class Field:
    """Which pixels of the image one output of a stack of layers can see.

    Along an axis, output i sees the pixels from `start + i * jump` up to and including
    `start + i * jump + size - 1`; indices below 0 or past the edge are padding.

    Args:
        size: Width of the receptive field in pixels.
        jump: Distance in pixels between the fields of neighbouring outputs.
        start: First pixel that output 0 sees; -p after one layer with padding p.
    """

    size: Size = 1
    jump: Size = 1
    start: Size = 0

    def __post_init__(self) -> None:
        _make_whole(self, "size", "jump", "start")

    def after(self, layer: Layer) -> "Field":
        """Return the field one layer further on.

        It is `size + (k' - 1) jump`, `jump s`, `start - p jump` for a kernel that covers k'.

        >>> Field().after(Layer(k=3, p=1)).after(Layer(k=3, p=1))
        Field(size=5, jump=1, start=-2)
        """
        (layer,) = _stack([layer])
        size, jump, start = self.size, self.jump, self.start
        k = effective_kernel(layer.k, layer.dilation)
        return Field(
            size=_per_axis(lambda size, k, jump: size + (k - 1) * jump, size=size, k=k, jump=jump),
            jump=_per_axis(lambda jump, s: jump * s, jump=jump, s=layer.s),
            start=_per_axis(
                lambda start, p, jump: start - p * jump, start=start, p=layer.p, jump=jump
            ),
        )


def receptive_fields(layers: Iterable[Layer]) -> list[Field]:
    """Return the receptive field, jump and start after each layer of a stack.

    The layers go from the image upwards; the image itself has `Field(size=1, jump=1, start=0)`.

    >>> [field.size for field in receptive_fields([Layer(3), Layer(2, s=2), Layer(3)])]
    [3, 4, 8]
    """
    passed = accumulate(_stack(layers), Field.after, initial=Field())
    return list(passed)[1:]


def receptive_field(layers: Iterable[Layer]) -> Field:
    """Return the receptive field, jump and start of a whole stack.

    An empty stack is the image itself.

    >>> receptive_field([Layer(3, p=1)] * 3) == receptive_field([Layer(7, p=3)])
    True
    """
    return (receptive_fields(layers) or [Field()])[-1]


def output_sizes(n: Size, layers: Iterable[Layer]) -> list[Size]:
    """Return the output size after each layer of a stack.

    Args:
        n: Size of the image in pixels, or `(h, w)`.
        layers: The stack, from the image upwards.

    Raises:
        ValueError: A layer does not fit; the message names it.

    >>> output_sizes(32, [Layer(5), Layer(2, s=2), Layer(5), Layer(2, s=2)])
    [28, 14, 10, 5]
    """
    sizes = []
    for index, layer in enumerate(_stack(layers)):
        try:
            n = output_size(n, layer.k, layer.s, layer.p, layer.dilation, layer.ceil_mode)
        except ValueError as error:
            raise ValueError(f"layer {layer.name or index}: {error}") from error
        sizes.append(n)
    return sizes


# --- Parameters and multiply-adds --------------------------------------------------------------


def conv_parameters(c_in: int, c_out: int, k: Size, *, groups: int = 1, bias: bool = True) -> int:
    """Count the parameters of a convolution: c_out (c_in / groups) k_h k_w, and c_out biases.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output, the number of filters.
        k: Kernel size.
        groups: Number of groups of channels; it must divide both channel counts.
        bias: Whether each filter has a bias.

    Raises:
        ValueError: A count is not a whole number of at least 1, or groups does not divide it.

    >>> conv_parameters(3, 64, k=3), conv_parameters(3, 64, k=3, bias=False)
    (1792, 1728)
    """
    c_out, weights = _filters(c_in, c_out, k, groups)
    return c_out * (weights + flag("bias", bias))


def conv_multiply_adds(c_in: int, c_out: int, k: Size, out: Size, *, groups: int = 1) -> int:
    """Count the multiply-adds of a convolution: c_out (c_in / groups) k_h k_w per position.

    `out` is the *output* size; the rest is as in `conv_parameters`. The count is for one image.
    Adding the bias does not count, as in the papers and in `torch.utils.flop_counter`, whose FLOPs
    are twice this number.

    Raises:
        ValueError: As for `conv_parameters`.

    >>> conv_multiply_adds(3, 64, k=7, out=112)  # ResNet's first layer
    118013952
    """
    c_out, weights = _filters(c_in, c_out, k, groups)
    return c_out * weights * _area("out", out)


def locally_connected_parameters(
    c_in: int, c_out: int, k: Size, out: Size, *, bias: bool = True
) -> int:
    """Count the parameters of a locally connected layer: a convolution's, at every position.

    `out` is the output size; the rest, including errors, is as in `conv_parameters`.

    >>> locally_connected_parameters(1, 6, k=5, out=24) == 24 * 24 * conv_parameters(1, 6, k=5)
    True
    """
    return _area("out", out) * conv_parameters(c_in, c_out, k, bias=bias)


def linear_parameters(n_in: int, n_out: int, *, bias: bool = True) -> int:
    """Count the parameters of a fully connected layer: n_in n_out weights, and n_out biases.

    Raises:
        ValueError: A count is not a whole number of at least 1.

    >>> linear_parameters(32 * 32 * 3, 10)
    30730
    """
    return whole("n_out", n_out) * (whole("n_in", n_in) + flag("bias", bias))


def linear_multiply_adds(n_in: int, n_out: int) -> int:
    """Count the multiply-adds of a fully connected layer on one image: n_in n_out.

    The bias is not counted.

    Raises:
        ValueError: A count is not a whole number of at least 1.

    >>> linear_multiply_adds(4096, 1000)
    4096000
    """
    return linear_parameters(n_in, n_out, bias=False)


# --- Arguments ---------------------------------------------------------------------------------

LEAST = {"p": 0, "output_padding": 0, "start": -inf}
"""The smallest value of an argument, by its name; 1 by default."""


def _size(name: str, size: Any) -> Size:
    """Return one whole number, or a pair of them."""
    least = LEAST.get(name, 1)
    if not isinstance(size, Sequence):
        return whole(name, size, least)
    if isinstance(size, str) or len(size) != 2:
        raise ValueError(
            f"{name} = {shown(size)} is not a size: give one integer, or a pair (h, w)"
        )
    return whole(name, size[0], least), whole(name, size[1], least)


def _make_whole(record: "Layer | Field", *names: str) -> None:
    """Turn sizes of a frozen dataclass into Python integers as it is made."""
    for name in names:
        object.__setattr__(record, name, _size(name, getattr(record, name)))


def _stack(layers: Any) -> list[Layer]:
    """Return the layers as a list, each checked to be one."""
    stack = listed("layers", layers)
    for layer in stack:
        instance("a layer of the stack", layer, Layer, "Layer(k, s, p)")
    return stack


def _area(name: str, size: Size) -> int:
    height, width = _pair(_size(name, size))
    return height * width


def _filters(c_in: int, c_out: int, k: Size, groups: int) -> tuple[int, int]:
    """Return the number of filters of a convolution, and of weights in each."""
    c_in, c_out, groups = whole("c_in", c_in), whole("c_out", c_out), whole("groups", groups)
    for name, channels in (("c_in", c_in), ("c_out", c_out)):
        if channels % groups:
            raise ValueError(
                f"{name} = {channels} channels cannot be split into {groups} equal groups: "
                f"choose a number that divides it"
            )
    return c_out, c_in // groups * _area("k", k)


# --- One axis at a time ------------------------------------------------------------------------


def _per_axis(rule: Callable[..., int], **sizes: Size) -> Any:
    """Apply a rule for one axis to whole numbers, or to h and w when any size is a pair."""
    sizes = {name: _size(name, size) for name, size in sizes.items()}
    if not any(isinstance(size, tuple) for size in sizes.values()):
        return rule(**sizes)
    height, width = ({n: _pair(size)[axis] for n, size in sizes.items()} for axis in (0, 1))
    return rule(**height), rule(**width)


def _pair(size: Size) -> Pair:
    return size if isinstance(size, tuple) else (size, size)


def _effective(k: int, dilation: int) -> int:
    return dilation * (k - 1) + 1


def _windows(n: int, k: int, s: int, p: int, dilation: int, *, ceil_mode: bool) -> int:
    spare = n + 2 * p - _effective(k, dilation)
    windows = 1 + (-(-spare // s) if ceil_mode else spare // s)
    if ceil_mode and (windows - 1) * s >= n + p:
        windows -= 1  # the last window would start in the right padding and see no pixel
    if windows < 1:
        kernel = f"kernel {k}"
        if dilation > 1:
            kernel += f" with dilation {dilation}, which covers {_effective(k, dilation)} pixels,"
        raise ValueError(
            f"{kernel} is larger than the padded input {n + 2 * p} (n = {n}, p = {p}): "
            f"use a smaller kernel, more padding or a larger image"
        )
    return windows


def _spread(n: int, k: int, s: int, p: int, output_padding: int, dilation: int) -> int:
    if output_padding >= max(s, dilation):
        raise ValueError(
            f"output padding {output_padding} is not less than the stride {s} or the dilation "
            f"{dilation}: give at most {max(s, dilation) - 1}"
        )
    size = (n - 1) * s - 2 * p + _effective(k, dilation) + output_padding
    if size < 1:
        raise ValueError(
            f"padding {p} cuts off all of the {size + 2 * p} rows: use a smaller padding"
        )
    return size


def _same_axis(n: int, k: int, s: int, dilation: int) -> int:
    if s != 1:
        raise ValueError(
            f'padding "same" keeps the size only at stride 1, not {s}: '
            f"give the padding as a number, e.g. p = {(k - 1) * dilation // 2}"
        )
    return n


def _check_pool_padding(k: int, p: int) -> int:
    half = k // 2  # of the undilated window, as PyTorch has it
    if p > half:
        raise ValueError(f"padding {p} is more than half the pooling window {k}: at most {half}")
    return p
