"""The whole-number arithmetic of convolutional networks: sizes, receptive fields, counts.

Every formula uses the letters of the lectures: an input of ``n`` pixels, a kernel of ``k``, a
stride of ``s``, and ``p`` rows of padding on *each* side. A size is one integer for both axes, or
a pair ``(h, w)``; the answer is a pair as soon as one argument is. Nothing is rounded by accident:
integers go in, integers come out, and what no layer could do raises ``ValueError`` with its
numbers.

>>> output_size(224, k=11, s=4, p=2)  # AlexNet's first layer
55
>>> conv_parameters(3, 96, k=11)  # its weights and biases
34944
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, overload

Size = int | tuple[int, int]
Pair = tuple[int, int]
PaddingName = Literal["same", "valid"]


# --- Output size -----------------------------------------------------------------------------


@overload
def output_size(
    n: int,
    k: int,
    s: int = 1,
    p: int | PaddingName = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int: ...
@overload
def output_size(
    n: Pair,
    k: Size,
    s: Size = 1,
    p: Size | PaddingName = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Pair: ...
@overload
def output_size(
    n: Size,
    k: Size,
    s: Size = 1,
    p: Size | PaddingName = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Size: ...
def output_size(
    n: Size,
    k: Size,
    s: Size = 1,
    p: Size | PaddingName = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Size:
    """Size of the output of a convolution: floor((n + 2p - k') / s) + 1, k' = dilation (k - 1) + 1.

    The lectures' (N - F) / stride + 1 is the case p = 0 in which the stride divides evenly. With
    ``ceil_mode`` the division rounds up instead, so the last window may hang over the right edge;
    a window that would start in the right padding is left out, as in PyTorch's pooling.

    Args:
        n: input size in pixels, or ``(h, w)``.
        k: kernel size.
        s: stride.
        p: rows of zeros on each side, or ``"valid"`` (none), or ``"same"`` (as many as keep n;
            stride 1 only, as in ``nn.Conv2d``).
        dilation: distance between neighbouring taps of the kernel.
        ceil_mode: round up instead of down (pooling layers only).

    Returns:
        Number of window positions, as an int, or as ``(h, w)`` if any argument is a pair.

    Raises:
        ValueError: an argument is not a whole number or out of range, or no window fits.

    >>> output_size(5, k=3, s=2, p=1)
    3
    >>> output_size((28, 32), k=5, p="same")
    (28, 32)
    >>> output_size(6, k=3, s=2), output_size(6, k=3, s=2, ceil_mode=True)
    (2, 3)
    """
    if p == "same":
        return _per_axis(_same_axis, n=n, k=k, s=s, dilation=dilation)
    rule = _ceil_axis if ceil_mode else _floor_axis
    return _per_axis(rule, n=n, k=k, s=s, p=_unnamed(p), dilation=dilation)


@overload
def pool_output_size(
    n: int,
    k: int,
    s: int | None = None,
    p: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int: ...
@overload
def pool_output_size(
    n: Pair,
    k: Size,
    s: Size | None = None,
    p: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Pair: ...
@overload
def pool_output_size(
    n: Size,
    k: Size,
    s: Size | None = None,
    p: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Size: ...
def pool_output_size(
    n: Size,
    k: Size,
    s: Size | None = None,
    p: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Size:
    """Size of the output of a pooling layer, under the two rules that pooling adds.

    The stride is the kernel size unless given, and the padding may be at most half the kernel, so
    that no window lies wholly in the padding.

    Args:
        n: input size in pixels, or ``(h, w)``.
        k: window size.
        s: stride; None means k, windows side by side.
        p: padding on each side, at most half of k.
        dilation: distance between neighbouring taps of the window.
        ceil_mode: round up instead of down.

    Returns:
        Number of window positions, as an int, or as ``(h, w)`` if any argument is a pair.

    Raises:
        ValueError: as `output_size`; also if p is more than half the window.

    >>> pool_output_size(28, k=2)
    14
    >>> pool_output_size((112, 112), k=3, s=2, ceil_mode=True)
    (56, 56)
    """
    _per_axis(_check_pool_padding, k=k, p=p)
    return output_size(n, k, k if s is None else s, p, dilation, ceil_mode)


def same_padding(k: Size, dilation: Size = 1) -> Size:
    """The padding p that keeps the size at stride 1: dilation (k - 1) / 2.

    Args:
        k: kernel size; odd, or else the zeros cannot be split evenly.
        dilation: distance between neighbouring taps of the kernel.

    Returns:
        Rows of zeros for each side.

    Raises:
        ValueError: the total number of zeros is odd.

    >>> same_padding(3), same_padding(5), same_padding((1, 7))
    (1, 2, (0, 3))
    """
    return _per_axis(_same_padding_axis, k=k, dilation=dilation)


def valid_size(n: Size, k: Size, s: Size = 1, dilation: Size = 1) -> Size:
    """Output size without padding ("valid": every window lies on real pixels).

    Args:
        n: input size in pixels, or ``(h, w)``.
        k: kernel size.
        s: stride.
        dilation: distance between neighbouring taps of the kernel.

    Returns:
        floor((n - k') / s) + 1 with k' = dilation (k - 1) + 1.

    Raises:
        ValueError: as `output_size`.

    >>> valid_size(7, k=3, s=2)
    3
    """
    return output_size(n, k, s, 0, dilation)


def same_size(n: Size, s: Size = 1) -> Size:
    """Output size with an odd kernel and "same" padding: n / s rounded up, whatever the kernel.

    Args:
        n: input size in pixels, or ``(h, w)``.
        s: stride.

    Returns:
        ceil(n / s).

    Raises:
        ValueError: an argument is not a whole number of at least 1.

    >>> same_size(32, s=2), same_size(7, s=2)
    (16, 4)
    """
    return _per_axis(_floor_axis, n=n, k=1, s=s, p=0, dilation=1)


def effective_kernel(k: Size, dilation: Size = 1) -> Size:
    """Width that a dilated kernel covers: dilation (k - 1) + 1 pixels.

    Args:
        k: kernel size, its number of taps along an axis.
        dilation: distance between neighbouring taps.

    Returns:
        Number of pixels from the first tap to the last.

    Raises:
        ValueError: an argument is not a whole number of at least 1.

    >>> effective_kernel(3, dilation=2)
    5
    """
    return _per_axis(_effective, k=k, dilation=dilation)


# --- Stacks of layers: sizes and receptive fields ----------------------------------------------


@dataclass(frozen=True)
class Layer:
    """The geometry of one convolution or pooling layer, which is all a receptive field needs.

    Args:
        k: kernel size.
        s: stride.
        p: padding on each side.
        dilation: distance between neighbouring taps of the kernel.
        ceil_mode: round output sizes up (pooling only); it does not change the receptive field.
        name: what to call the layer in tables and figures.

    Raises:
        ValueError: a size is not a whole number or out of range.

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
        _per_axis(_check_layer, k=self.k, s=self.s, p=self.p, dilation=self.dilation)


@dataclass(frozen=True)
class Field:
    """Which pixels of the picture one output of a stack of layers can see.

    Along an axis, output i sees the pixels from ``start + i * jump`` up to and including
    ``start + i * jump + size - 1``; indices below 0 or past the edge are padding.

    Args:
        size: width of the receptive field in pixels.
        jump: distance in pixels between the fields of neighbouring outputs.
        start: first pixel that output 0 sees; -p after one layer with padding p.
    """

    size: Size = 1
    jump: Size = 1
    start: Size = 0

    def after(self, layer: Layer) -> "Field":
        """The field one layer further on.

        Args:
            layer: the layer whose output is looked at.

        Returns:
            size + (k' - 1) jump, jump s, start - p jump.

        >>> Field().after(Layer(k=3, p=1)).after(Layer(k=3, p=1))
        Field(size=5, jump=1, start=-2)
        """
        kernel = effective_kernel(layer.k, layer.dilation)
        return Field(
            size=_per_axis(lambda r, k, j: r + (k - 1) * j, r=self.size, k=kernel, j=self.jump),
            jump=_per_axis(lambda j, s: j * s, j=self.jump, s=layer.s),
            start=_per_axis(lambda a, p, j: a - p * j, a=self.start, p=layer.p, j=self.jump),
        )


def receptive_fields(layers: Iterable[Layer]) -> list[Field]:
    """Receptive field, jump and start after each layer of a stack.

    A layer with kernel k' (dilated) and stride s takes (size, jump, start) to
    (size + (k' - 1) jump, jump s, start - p jump), from (1, 1, 0) at the picture itself.

    Args:
        layers: the stack, from the picture upwards.

    Returns:
        One field per layer.

    >>> [field.size for field in receptive_fields([Layer(3), Layer(2, s=2), Layer(3)])]
    [3, 4, 8]
    """
    fields, field = [], Field()
    for layer in layers:
        field = field.after(layer)
        fields.append(field)
    return fields


def receptive_field(layers: Iterable[Layer]) -> Field:
    """Receptive field, jump and start of a whole stack.

    Args:
        layers: the stack, from the picture upwards; empty means the picture itself.

    Returns:
        The field of one output of the last layer.

    >>> receptive_field([Layer(3, p=1)] * 3) == receptive_field([Layer(7, p=3)])
    True
    """
    return (receptive_fields(layers) or [Field()])[-1]


def output_sizes(n: Size, layers: Iterable[Layer]) -> list[Size]:
    """Output size after each layer of a stack.

    Args:
        n: size of the picture in pixels, or ``(h, w)``.
        layers: the stack, from the picture upwards.

    Returns:
        One size per layer.

    Raises:
        ValueError: a layer does not fit; the message names it.

    >>> output_sizes(32, [Layer(5), Layer(2, s=2), Layer(5), Layer(2, s=2)])
    [28, 14, 10, 5]
    """
    sizes = []
    for index, layer in enumerate(layers):
        try:
            n = output_size(n, layer.k, layer.s, layer.p, layer.dilation, layer.ceil_mode)
        except ValueError as error:
            raise ValueError(f"layer {layer.name or index}: {error}") from error
        sizes.append(n)
    return sizes


# --- Parameters and multiply-adds --------------------------------------------------------------


def conv_parameters(c_in: int, c_out: int, k: Size, *, groups: int = 1, bias: bool = True) -> int:
    """Parameters of a convolution: c_out (c_in / groups) k_h k_w weights, and c_out biases.

    Args:
        c_in: channels of the input.
        c_out: channels of the output, the number of filters.
        k: kernel size.
        groups: number of separate stacks of channels; both channel counts must divide by it.
        bias: whether each filter has a bias.

    Returns:
        Number of learned values.

    Raises:
        ValueError: a count is not a whole number of at least 1, or does not divide by groups.

    >>> conv_parameters(3, 64, k=3), conv_parameters(3, 64, k=3, bias=False)
    (1792, 1728)
    """
    return c_out * (_weights_per_filter(c_in, c_out, k, groups) + bool(bias))


def conv_multiply_adds(c_in: int, c_out: int, k: Size, out: Size, *, groups: int = 1) -> int:
    """Multiply-adds of a convolution on one picture: c_out (c_in / groups) k_h k_w per position.

    Adding the bias is not counted, as in the papers and in ``torch.utils.flop_counter``, whose
    FLOPs are twice this number.

    Args:
        c_in: channels of the input.
        c_out: channels of the output.
        k: kernel size.
        out: *output* size in pixels, or ``(h, w)``; see `output_size`.
        groups: number of separate stacks of channels.

    Returns:
        Number of multiply-adds.

    Raises:
        ValueError: as `conv_parameters`.

    >>> conv_multiply_adds(3, 64, k=7, out=112)  # ResNet's first layer
    118013952
    """
    return c_out * _weights_per_filter(c_in, c_out, k, groups) * _area(out, "out")


def locally_connected_parameters(
    c_in: int, c_out: int, k: Size, out: Size, *, bias: bool = True
) -> int:
    """Parameters of a locally connected layer: a convolution's, once for every output position.

    Args:
        c_in: channels of the input.
        c_out: channels of the output.
        k: kernel size.
        out: output size in pixels, or ``(h, w)``.
        bias: whether each filter has a bias at each position.

    Returns:
        Number of learned values.

    Raises:
        ValueError: a count is not a whole number of at least 1.

    >>> locally_connected_parameters(1, 6, k=5, out=24) == 24 * 24 * conv_parameters(1, 6, k=5)
    True
    """
    return _area(out, "out") * conv_parameters(c_in, c_out, k, bias=bias)


def linear_parameters(n_in: int, n_out: int, *, bias: bool = True) -> int:
    """Parameters of a fully connected layer: n_in n_out weights, and n_out biases.

    Args:
        n_in: number of inputs.
        n_out: number of outputs.
        bias: whether each output has a bias.

    Returns:
        Number of learned values.

    Raises:
        ValueError: a count is not a whole number of at least 1.

    >>> linear_parameters(32 * 32 * 3, 10)
    30730
    """
    n_in, n_out = _whole("n_in", n_in), _whole("n_out", n_out)
    return n_out * (n_in + bool(bias))


def linear_multiply_adds(n_in: int, n_out: int) -> int:
    """Multiply-adds of a fully connected layer on one picture: n_in n_out.

    Args:
        n_in: number of inputs.
        n_out: number of outputs.

    Returns:
        Number of multiply-adds; the bias is not counted.

    Raises:
        ValueError: a count is not a whole number of at least 1.

    >>> linear_multiply_adds(4096, 1000)
    4096000
    """
    return linear_parameters(n_in, n_out, bias=False)


def batchnorm_parameters(c: int, *, affine: bool = True) -> int:
    """Parameters of batch normalisation: a scale and an offset per channel.

    The running mean and variance are not learned, so they are not counted.

    Args:
        c: number of channels.
        affine: whether the layer has a scale and an offset at all.

    Returns:
        Number of learned values.

    Raises:
        ValueError: c is not a whole number of at least 1.

    >>> batchnorm_parameters(64)
    128
    """
    c = _whole("c", c)
    return 2 * c if affine else 0


# --- One axis at a time ------------------------------------------------------------------------


def _per_axis(rule: Callable[..., int], **sizes: Size) -> Size:
    """Apply a rule for one axis to plain integers, or to h and w when any size is a pair."""
    if not any(isinstance(size, Sequence) for size in sizes.values()):
        return rule(**sizes)
    pairs = {name: _pair(name, size) for name, size in sizes.items()}
    height, width = ({name: pair[axis] for name, pair in pairs.items()} for axis in (0, 1))
    return rule(**height), rule(**width)


def _pair(name: str, size: Size) -> Pair:
    if not isinstance(size, Sequence):
        return size, size
    if isinstance(size, str) or len(size) != 2:
        raise ValueError(f"{name} = {size!r} is not a size: give one integer, or a pair (h, w)")
    return size[0], size[1]


def _whole(name: str, value: int, least: int = 1) -> int:
    """The value as an int; True and 3.0 are refused, since they hide a slip more often than not."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} = {value!r} is not a whole number: give an integer")
    if value < least:
        raise ValueError(f"{name} = {value} is too small: it must be at least {least}")
    return int(value)


def _check_layer(k: int, s: int, p: int, dilation: int) -> int:
    return _effective(k, dilation) + _whole("s", s) + _whole("p", p, 0)


def _effective(k: int, dilation: int) -> int:
    return _whole("dilation", dilation) * (_whole("k", k) - 1) + 1


def _floor_axis(n: int, k: int, s: int, p: int, dilation: int) -> int:
    padded = _whole("n", n) + 2 * _whole("p", p, 0)
    kernel = _effective(k, dilation)
    if kernel > padded:
        raise ValueError(_too_large(k, dilation, n, p))
    return (padded - kernel) // _whole("s", s) + 1


def _ceil_axis(n: int, k: int, s: int, p: int, dilation: int) -> int:
    padded = _whole("n", n) + 2 * _whole("p", p, 0)
    windows = -((_effective(k, dilation) - padded) // _whole("s", s)) + 1
    if (windows - 1) * s >= n + p:
        windows -= 1  # the last window would start in the right padding and see no pixel
    if windows < 1:
        raise ValueError(_too_large(k, dilation, n, p))
    return windows


def _same_axis(n: int, k: int, s: int, dilation: int) -> int:
    _effective(k, dilation)
    if _whole("s", s) != 1:
        raise ValueError(
            f'padding "same" keeps the size only at stride 1, not {s}: '
            f"give the padding as a number, e.g. p = {(k - 1) * dilation // 2}"
        )
    return _whole("n", n)


def _unnamed(p: Size | str) -> Size:
    if isinstance(p, str) and p != "valid":
        raise ValueError(f'p = {p!r} is unknown: give a number, "same" or "valid"')
    return 0 if isinstance(p, str) else p


def _same_padding_axis(k: int, dilation: int) -> int:
    zeros = _effective(k, dilation) - 1
    if zeros % 2:
        raise ValueError(
            f"kernel {k} with dilation {dilation} needs {zeros} zeros in all, which two sides "
            f"cannot share evenly: use an odd kernel"
        )
    return zeros // 2


def _check_pool_padding(k: int, p: int) -> int:
    half = _whole("k", k) // 2  # of the undilated window, as PyTorch has it
    if _whole("p", p, 0) > half:
        raise ValueError(f"padding {p} is more than half the pooling window {k}: at most {half}")
    return p


def _too_large(k: int, dilation: int, n: int, p: int) -> str:
    kernel = f"kernel {k}"
    if dilation > 1:
        kernel += f" with dilation {dilation}, which covers {_effective(k, dilation)} pixels,"
    return (
        f"{kernel} is larger than the padded input {n + 2 * p} (n = {n}, p = {p}): "
        f"use a smaller kernel, more padding or a larger picture"
    )


def _area(size: Size, name: str) -> int:
    height, width = _pair(name, size)
    return _whole(name, height) * _whole(name, width)


def _weights_per_filter(c_in: int, c_out: int, k: Size, groups: int) -> int:
    for name, channels in (("c_in", c_in), ("c_out", c_out)):
        if _whole(name, channels) % _whole("groups", groups):
            raise ValueError(
                f"{name} = {channels} channels cannot be split into {groups} equal groups: "
                f"choose groups that divide it"
            )
    return c_in // groups * _area(k, "k")
