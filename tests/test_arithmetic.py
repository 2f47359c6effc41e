"""The formulas of course_utils.arithmetic against PyTorch's own layers."""

import math
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.arithmetic import (
    Field,
    Layer,
    conv_multiply_adds,
    conv_parameters,
    effective_kernel,
    linear_multiply_adds,
    linear_parameters,
    locally_connected_parameters,
    output_size,
    output_sizes,
    pool_output_size,
    receptive_field,
    receptive_fields,
    transposed_output_size,
)

# The same examples every run: a red build means a change, never luck. `make mutate` runs them for
# hundreds of mutants, so it has to do with fewer.
SHARE = 10 if "MUTANT_UNDER_TEST" in os.environ else 1
many = settings(max_examples=2000 // SHARE, derandomize=True, deadline=None)
few = settings(max_examples=150 // SHARE, derandomize=True, deadline=None)


def sizes(least, most):
    """One integer, or a pair (h, w)."""
    one = st.integers(least, most)
    return one | st.tuples(one, one)


def pair(size):
    return size if isinstance(size, tuple) else (size, size)


def torch_size(module, n):
    """(h, w) that a layer really gives, or None if it refuses; on the meta device nothing runs."""
    channels = getattr(module, "in_channels", 1)
    try:
        return tuple(module(torch.empty(1, channels, *pair(n), device="meta")).shape[2:])
    except RuntimeError:
        return None


def our_size(function, *args, **options):
    try:
        return pair(function(*args, **options))
    except ValueError:
        return None


# --- Output size -----------------------------------------------------------------------------


@many
@given(n=sizes(1, 40), k=sizes(1, 9), s=sizes(1, 5), p=sizes(0, 6), dilation=sizes(1, 4))
def test_output_size_is_that_of_conv2d(n, k, s, p, dilation):
    conv = nn.Conv2d(1, 1, k, s, p, dilation, device="meta")
    assert our_size(output_size, n, k, s, p, dilation) == torch_size(conv, n)


@many
@given(
    n=sizes(1, 30),
    k=sizes(1, 7),
    s=st.none() | sizes(1, 6),
    p=sizes(0, 4),
    dilation=sizes(1, 3),
    ceil_mode=st.booleans(),
)
def test_pool_output_size_is_that_of_max_pool2d(n, k, s, p, dilation, ceil_mode):
    pool = nn.MaxPool2d(k, s, p, dilation, ceil_mode=ceil_mode)
    assert our_size(pool_output_size, n, k, s, p, dilation, ceil_mode) == torch_size(pool, n)


@many
@given(
    n=sizes(1, 30),
    k=sizes(1, 8),
    s=st.none() | sizes(1, 9),
    p=sizes(0, 4),
    ceil_mode=st.booleans(),
)
def test_pool_output_size_is_that_of_avg_pool2d(n, k, s, p, ceil_mode):
    pool = nn.AvgPool2d(k, s, p, ceil_mode=ceil_mode)
    assert our_size(pool_output_size, n, k, s, p, ceil_mode=ceil_mode) == torch_size(pool, n)


@few
@given(n=sizes(1, 12), k=sizes(1, 5), s=sizes(1, 5), p=sizes(0, 2), ceil_mode=st.booleans())
def test_the_meta_device_tells_the_truth_about_real_pictures(n, k, s, p, ceil_mode):
    pool, picture = nn.MaxPool2d(k, s, p, ceil_mode=ceil_mode), torch.zeros(1, 1, *pair(n))
    try:
        real = tuple(pool(picture).shape[2:])
    except RuntimeError:
        real = None
    assert our_size(pool_output_size, n, k, s, p, ceil_mode=ceil_mode) == real


@few
@given(n=sizes(1, 8), k=sizes(1, 5), s=sizes(1, 4), p=sizes(0, 4), extra=sizes(0, 4),
       dilation=sizes(1, 3))  # fmt: skip
def test_transposed_output_size_is_that_of_conv_transpose2d(n, k, s, p, extra, dilation):
    module = nn.ConvTranspose2d(1, 1, k, s, p, extra, dilation=dilation)
    try:
        real = tuple(module(torch.zeros(1, 1, *pair(n))).shape[2:])  # meta checks less
    except RuntimeError:
        real = None
    assert our_size(transposed_output_size, n, k, s, p, extra, dilation) == real


@many
@given(n=sizes(1, 40), k=sizes(1, 7), s=sizes(1, 4), p=sizes(0, 3), dilation=sizes(1, 3))
def test_a_transposed_convolution_undoes_the_size_of_a_convolution(n, k, s, p, dilation):
    small = our_size(output_size, n, k, s, p, dilation)
    if small is not None:
        large = our_size(transposed_output_size, small, k, s, p, 0, dilation)
        lost = [a - b for a, b in zip(pair(n), large, strict=True)] if large else []
        assert all(0 <= rest < step for rest, step in zip(lost, pair(s), strict=False))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@few
@given(n=sizes(1, 40), k=sizes(1, 9), dilation=sizes(1, 4), name=st.sampled_from(["same", "valid"]))
def test_named_padding_is_that_of_conv2d(n, k, dilation, name):
    conv = nn.Conv2d(1, 1, k, padding=name, dilation=dilation, device="meta")
    assert our_size(output_size, n, k, 1, name, dilation) == torch_size(conv, n)


@few
@given(n=sizes(1, 40), half=sizes(0, 4), s=sizes(1, 5), dilation=sizes(1, 3))
def test_padding_by_half_a_kernel_keeps_the_size_and_strides_round_up(n, half, s, dilation):
    k = tuple(2 * h + 1 for h in half) if isinstance(half, tuple) else 2 * half + 1
    p = tuple(d * h for d, h in zip(pair(dilation), pair(half), strict=True))
    assert pair(output_size(n, k, 1, p, dilation)) == pair(n)
    rounded_up = tuple(-(-a // b) for a, b in zip(pair(n), pair(s), strict=True))
    assert pair(output_size(n, k, s, p, dilation)) == rounded_up


def test_whole_numbers_in_whole_numbers_out():
    assert type(output_size(7, 3)) is int
    assert output_size((7, 9), 3) == (5, 7)
    assert output_size(7, (3, 5)) == (5, 3)
    assert output_size([7, 9], 3) == (5, 7)  # torch.Size and lists are pairs too


@pytest.mark.parametrize(
    ("n", "k", "s", "p", "out"),
    [
        (5, 3, 1, 0, 3),  # the lectures' plain example
        (5, 3, 2, 1, 3),  # the lectures' example with padding and stride
        (7, 3, 1, 1, 7),
        (227, 11, 4, 0, 55),  # AlexNet: 55 needs 227 pixels,
        (224, 11, 4, 2, 55),  # or padding 2;
        (224, 11, 4, 0, 54),  # 224 without padding gives floor(54.25)
        (224, 7, 2, 3, 112),  # ResNet's stem
    ],
)
def test_worked_examples(n, k, s, p, out):
    assert output_size(n, k, s, p) == out


def test_sizes_are_rounded_down_unless_asked_for():
    assert pool_output_size(6, k=3, s=2) == output_size(6, k=3, s=2) == 2
    assert pool_output_size(6, k=3, s=2, ceil_mode=True) == 3


def test_valid_is_no_padding():
    assert output_size(7, 3, 2, "valid") == output_size(7, 3, 2, 0) == 3


def test_a_kernel_without_dilation_covers_its_own_width():
    assert effective_kernel(5) == effective_kernel(5, 1) == 5


# --- Receptive fields --------------------------------------------------------------------------

layers = st.builds(Layer, k=sizes(1, 4), s=sizes(1, 2), p=sizes(0, 1), dilation=sizes(1, 2))
# Padding that no window can lie in wholly, so that output 0 sees the first pixel.
padded_layers = st.builds(
    lambda k, s: Layer(k, s, p=(k - 1) // 2), st.integers(2, 5), st.integers(1, 2)
)


def pixels_seen(stack, n, index):
    """(first, last) pixel per axis that one output of a random network depends on, by gradient.

    Positive weights in float64: no contribution can cancel another or underflow.
    """
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 1, *n, generator=generator, dtype=torch.float64, requires_grad=True)
    x = picture
    for layer in stack:
        weight = torch.rand(1, 1, *pair(layer.k), generator=generator, dtype=torch.float64) + 0.5
        x = nn.functional.conv2d(
            x, weight, stride=layer.s, padding=layer.p, dilation=layer.dilation
        )
    (gradient,) = torch.autograd.grad(x[0, 0, *index], picture)
    seen = gradient[0, 0].nonzero()
    return tuple((int(seen[:, axis].min()), int(seen[:, axis].max())) for axis in (0, 1))


def pixels_predicted(field, index):
    size, jump, start = pair(field.size), pair(field.jump), pair(field.start)
    first = [start[axis] + index[axis] * jump[axis] for axis in (0, 1)]
    return tuple((first[axis], first[axis] + size[axis] - 1) for axis in (0, 1))


@few
@given(stack=st.lists(layers, min_size=1, max_size=5))
def test_receptive_field_is_the_one_measured_by_gradients(stack):
    field = receptive_field(stack)
    # The first output whose whole field lies inside the picture, and a picture that holds it.
    index = [math.ceil(-a / j) for a, j in zip(pair(field.start), pair(field.jump), strict=True)]
    predicted = pixels_predicted(field, index)
    n = [last + 1 + 2 * j for (_, last), j in zip(predicted, pair(field.jump), strict=True)]
    assert pixels_seen(stack, n, index) == predicted


@few
@given(stack=st.lists(padded_layers, min_size=1, max_size=4))
def test_the_first_output_starts_in_the_padding(stack):
    field = receptive_field(stack)
    n = [size + 8 for size in pair(field.size)]
    clipped = tuple((max(first, 0), last) for first, last in pixels_predicted(field, (0, 0)))
    assert pixels_seen(stack, n, (0, 0)) == clipped


def test_a_dilated_layer_sees_as_far_as_its_taps():
    assert Field().after(Layer(3, dilation=2)) == Field(size=5)
    assert Field(jump=2).after(Layer(3, dilation=4)).size == 17


def test_two_3x3_see_a_5x5_and_three_a_7x7():
    small = receptive_fields([Layer(3, p=1)] * 3)
    assert [field.size for field in small] == [3, 5, 7]
    assert small[2] == Field(size=7, jump=1, start=-3)


def test_output_sizes_follow_the_stack():
    stack = [Layer(5, p=2), Layer(2, s=2), Layer(3, s=2, ceil_mode=True)]
    assert output_sizes(28, stack) == [28, 14, 7]
    assert output_sizes((28, 30), stack) == [(28, 30), (14, 15), (7, 7)]
    assert receptive_field([]) == Field()


# --- Counts ------------------------------------------------------------------------------------


@few
@given(
    groups=st.integers(1, 4),
    a=st.integers(1, 5),
    b=st.integers(1, 5),
    k=sizes(1, 5),
    bias=st.booleans(),
    n=sizes(5, 12),
)
def test_convolution_is_counted_as_torch_counts_it(groups, a, b, k, bias, n):
    c_in, c_out = groups * a, groups * b
    conv = nn.Conv2d(c_in, c_out, k, groups=groups, bias=bias, device="meta")
    assert conv_parameters(c_in, c_out, k, groups=groups, bias=bias) == sum(
        p.numel() for p in conv.parameters()
    )
    with FlopCounterMode(display=False) as counter:
        out = conv(torch.empty(1, c_in, *pair(n), device="meta"))
    multiply_adds = conv_multiply_adds(c_in, c_out, k, tuple(out.shape[2:]), groups=groups)
    assert 2 * multiply_adds == counter.get_total_flops()


@few
@given(n_in=st.integers(1, 300), n_out=st.integers(1, 300), bias=st.booleans())
def test_linear_is_counted_as_torch_counts_it(n_in, n_out, bias):
    linear = nn.Linear(n_in, n_out, bias=bias, device="meta")
    assert linear_parameters(n_in, n_out, bias=bias) == sum(p.numel() for p in linear.parameters())
    with FlopCounterMode(display=False) as counter:
        linear(torch.empty(1, n_in, device="meta"))
    assert 2 * linear_multiply_adds(n_in, n_out) == counter.get_total_flops()


def test_a_locally_connected_layer_has_a_filter_per_position():
    assert locally_connected_parameters(1, 6, 5, 24) == 24 * 24 * 6 * (5 * 5 + 1)
    assert locally_connected_parameters(2, 3, (1, 2), (4, 5), bias=False) == 20 * 3 * 2 * 2


def test_three_3x3_have_27_c_squared_weights_and_a_7x7_has_49():
    c = 64
    assert 3 * conv_parameters(c, c, 3, bias=False) == 27 * c**2
    assert conv_parameters(c, c, 7, bias=False) == 49 * c**2


# --- Refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: output_size(5, 7), "kernel 7 is larger than the padded input 5"),
        (
            lambda: output_size(3, 7, p=1),
            r"^kernel 7 is larger than the padded input 5 \(n = 3, p = 1",
        ),
        (
            lambda: output_size(5, 4, 1, 0, 2),
            "^kernel 4 with dilation 2, which covers 7 pixels, is",
        ),
        (lambda: output_size(1, 9, 2, ceil_mode=True), "kernel 9 is larger"),
        (lambda: output_size((9, 5), (3, 7)), "kernel 7 is larger"),
        (lambda: output_size(5.0, 3), r"n = 5\.0 is not a whole number"),
        (lambda: output_size(True, 1), "n = True is not a whole number"),
        (lambda: output_size(5, 3, s=0), "s = 0 is too small: it must be at least 1"),
        (lambda: output_size(5, 0), "k = 0 is too small"),
        (lambda: output_size(5, 3, p=-1), "p = -1 is too small: it must be at least 0"),
        (lambda: output_size(5, 3, dilation=0), "dilation = 0 is too small"),
        (lambda: output_size((5, 5, 5), 3), r"n = \(5, 5, 5\) is not a size"),
        (lambda: output_size("5", 3), "n = '5' is not a size"),
        (lambda: output_size((5, 1.5), 3), r"^n = 1\.5 is not a whole number"),
        (lambda: output_size((1.5, 5), 3), r"^n = 1\.5 is not a whole number"),
        (lambda: output_size(5, 3, p="full"), "'full' is unknown"),
        (lambda: output_size(8, 3, 2, "same"), "only at stride 1, not 2.*e.g. p = 1$"),
        (lambda: output_size(8, 5, 2, "same", dilation=3), "e.g. p = 6$"),
        (
            lambda: pool_output_size(8, 3, p=2),
            "padding 2 is more than half the pooling window 3: at most 1$",
        ),
        (
            lambda: transposed_output_size(4, 3, 2, output_padding=2),
            "output padding 2 is not less than the stride 2 or the dilation 1: give at most 1",
        ),
        (lambda: transposed_output_size(1, 3, p=2), "padding 2 cuts off all of the 3 rows"),
        (lambda: effective_kernel(3, 1.5), r"dilation = 1\.5 is not a whole number"),
        (lambda: Layer(3, s=0), "s = 0 is too small"),
        (lambda: output_sizes(8, [Layer(3), Layer(9, name="conv2")]), "layer conv2: kernel 9"),
        (lambda: conv_parameters(3, 64, 3, groups=2), "c_in = 3 channels cannot be split into 2"),
        (lambda: conv_parameters(4, 9, 3, groups=2), "c_out = 9 channels cannot be split into 2"),
        (lambda: conv_parameters(3, 64, 3, groups=0), "groups = 0 is too small"),
        (lambda: conv_multiply_adds(3, 64, 3, 1.5), r"out = 1\.5 is not a whole number"),
        (lambda: linear_parameters(0, 10), "n_in = 0 is too small"),
        (lambda: linear_multiply_adds(10, -1), "n_out = -1 is too small"),
    ],
)
def test_the_impossible_is_refused_with_its_numbers(call, words):
    with pytest.raises(ValueError, match=words):
        call()
