"""Whatever is passed for a number, the answer is right or a sentence of ours."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import ANYTHING, WRONG, refusal

from course_utils import arguments, arithmetic, models
from course_utils.arithmetic import Field, Layer
from course_utils.models import MODELS, build
from course_utils.models.choices import MOST_PARAMETERS

RIGHT = {
    "s": 1,
    "p": 0,
    "output_padding": 1,
    "layers": [Layer(3), Layer(2, s=2)],
    "layer": Layer(3),
}
FUNCTIONS = {
    **{name: getattr(arithmetic, name) for name in arithmetic.__all__ if name.islower()},
    "Layer": Layer,
    "Field": Field,
    "Field.after": Field().after,
}
ARGUMENTS = [
    (function, name)
    for function in FUNCTIONS
    for name in inspect.signature(FUNCTIONS[function]).parameters
    if name != "name"
]
FLAGS = {"ceil_mode", "bias", "affine"}


def right_arguments(function, integer=int):
    """Return arguments that a function takes, its whole numbers of one kind."""
    names = inspect.signature(FUNCTIONS[function]).parameters
    given = {name: RIGHT.get(name, 4 if name == "n" else 2) for name in names}
    given = {name: integer(v) if type(v) is int else v for name, v in given.items()}
    flags = dict.fromkeys(FLAGS & given.keys(), True)
    return given | flags | ({"name": "conv"} if "name" in names else {})


# --- Arithmetic --------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "name"), ARGUMENTS)
def test_arithmetic_refuses_a_wrong_argument_in_one_sentence(function, name):
    for value in WRONG:
        is_right = (name == "s" and value is None) or (name == "start" and value == -1)
        is_right |= name == "layers" and value in ([], (), {}, "", b"3")
        given = right_arguments(function) | {name: value}
        found = refusal(lambda given=given: FUNCTIONS[function](**given))
        if not is_right:
            assert found, f"{name} = {value!r} passes"
            assert f"{name} = " in found or name.startswith("layer")


@settings(max_examples=60, derandomize=True, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("function", FUNCTIONS)
def test_arithmetic_ends_in_an_answer_or_in_a_sentence_of_ours(function, data):
    names = inspect.signature(FUNCTIONS[function]).parameters
    given = {name: data.draw(ANYTHING, label=name) for name in names}
    refusal(lambda: FUNCTIONS[function](**given))


INTEGERS = [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, torch.tensor, np.array]


@pytest.mark.parametrize("integer", INTEGERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_integers_of_every_kind_give_the_answer_of_pythons(function, integer):
    answer = FUNCTIONS[function](**right_arguments(function, integer))
    expected = FUNCTIONS[function](**right_arguments(function))
    assert answer == expected
    assert repr(answer) == repr(expected)  # no integer of another kind comes out


def test_products_of_numpys_integers_do_not_overflow():
    """They did in fvcore (facebookresearch/fvcore#104), nmhkahn/torchsummaryX#23 and
    sovrasov/flops-counter.pytorch#112.
    """
    arguments = [np.int32(n) for n in (512, 512, 3, 224)]
    assert arithmetic.conv_multiply_adds(*arguments) == 512 * 512 * 9 * 224**2
    assert arithmetic.linear_parameters(np.int16(30_000), np.int16(30_000)) == 30_000 * 30_001
    far = [Layer(np.int8(100), s=np.int8(100))] * 2
    assert arithmetic.receptive_field(far) == Field(size=100 * 100, jump=100 * 100, start=0)


@pytest.mark.parametrize("flag", [True, np.bool_(True), torch.tensor(True), np.array(True)])
def test_a_flag_is_no_number(flag):
    assert "is not a whole number" in refusal(lambda: arithmetic.output_size(flag, 1))


def test_a_tensor_without_a_value_is_no_number():
    nothing = torch.tensor(3, device="meta")
    assert "is not a whole number" in refusal(lambda: arithmetic.output_size(nothing, 1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: arithmetic.output_sizes(8, 3), "layers = 3 is not a list: give one"),
        (
            lambda: arithmetic.receptive_field([Layer(3), 5]),
            "the stack = 5 is not a Layer: give Layer",
        ),
        (lambda: Field().after("conv"), "a layer of the stack = 'conv' is not a Layer"),
        (lambda: arithmetic.output_size(5, 3, ceil_mode="no"), "ceil_mode = 'no' is neither True"),
        (lambda: Field(jump=0), "jump = 0 is too small"),
    ],
)
def test_what_is_no_stack_and_no_flag_is_named(call, words):
    assert words in refusal(call)


# --- The checks themselves ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: arguments.whole("k", 0), "k = 0 is too small: it must be at least 1"),
        (lambda: arguments.whole("k", 9, most=8), "k = 9 is too large: it must be at most 8"),
        (lambda: arguments.number("p", "1"), "p = '1' is not a number: give one"),
        (lambda: arguments.number("p", True), "p = True is not a number: give one"),
        (
            lambda: arguments.number("p", 1.5, 0, 1),
            "p = 1.5 is out of range: give a number from 0 to 1",
        ),
        (
            lambda: arguments.one_of("norm", "bn", ("none", "batch")),
            "norm = 'bn' is unknown: choose from none, batch",
        ),
        (lambda: arguments.one_of("groups", True, (1, 2)), "choose from 1, 2"),
        (lambda: arguments.flag("bias", 1), "bias = 1 is neither True nor False: give one of them"),
    ],
)
def test_a_check_names_the_argument_and_the_way_out(call, sentence):
    assert refusal(call).endswith(sentence)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_a_number_is_finite(value):
    assert "is out of range" in refusal(lambda: arguments.number("p", value))


def test_what_is_right_comes_back_as_pythons_own():
    assert type(arguments.whole("k", np.uint8(3))) is int
    assert type(arguments.number("p", np.float32(0.5))) is float
    assert [arguments.number("p", end, 0, 1) for end in (0, 1)] == [0.0, 1.0]
    assert arguments.one_of("groups", 2, (1, 2)) == 2


# --- Models ------------------------------------------------------------------------------------

ONE_OF_EACH_KIND = [
    *("mlp", "locally_connected", "lenet5", "alexnet", "vgg11", "nin", "googlenet", "highway"),
    *("resnet20", "resnet18", "resnet50", "densenet40", "densenet121"),
    *(name for name in MODELS if name.endswith("_small")),
]
SWITCHES = [
    (name, switch)
    for name in ONE_OF_EACH_KIND
    for switch in ("in_channels", "num_classes", *MODELS[name].switches)
]
ALSO_WRONG = [np.array([1, 2]), torch.ones(2), "batched", 10**9, 10**30]
TAKES_REALS = {"gate_bias"}


@pytest.mark.parametrize(("name", "switch"), SWITCHES)
def test_build_refuses_a_wrong_choice_in_one_sentence(name, switch):
    for value in [*WRONG, *ALSO_WRONG]:
        means_default = value is None and switch in ("in_channels", "num_classes")
        no_layers = switch == "hidden_sizes" and isinstance(value, list | tuple)
        is_real = switch in TAKES_REALS and type(value) in (int, float) and math.isfinite(value)
        if not (means_default or no_layers or is_real):
            found = refusal(lambda value=value: build(name, **{switch: value}))
            assert found and switch in found, f"{switch} = {value!r}"


@pytest.mark.parametrize("switch", ["dropout", "num_layers", "gated", "groups"])
def test_a_switch_takes_what_numpy_has_or_its_own_kind_only(switch):
    name = "alexnet_small" if switch in ("dropout", "groups") else "highway_small"
    fitting = {"dropout": np.float32(0.25), "num_layers": np.int64(2), "gated": False, "groups": 1}
    with torch.device("meta"):
        build(name, **{switch: fitting[switch]})
    assert refusal(lambda: build(name, **{switch: "1"}))


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("mlp", {"image_size": 10_000, "in_channels": 100}),
        ("mlp", {"image_size": 100_000, "in_channels": 100_000}),
        ("resnet_small", {"width": 90_000}),
        ("highway", {"num_units": 100_000}),
    ],
)
def test_a_net_that_would_fill_the_memory_is_refused_before_it_does(name, switches):
    found = refusal(lambda: build(name, **switches))
    assert "choose fewer layers, channels or units" in found
    model = build("lenet5")  # the next one is counted from 0 again
    assert sum(p.numel() for p in model.parameters()) < MOST_PARAMETERS


@pytest.mark.parametrize("name", [None, 7, [], ["lenet5"], "lenet", "LENET5 " * 20, b"lenet5"])
def test_build_refuses_a_name_that_is_none(name):
    assert "there is no model" in refusal(lambda: build(name))


@pytest.mark.parametrize("generator", [0, "seed", torch.manual_seed])
def test_build_refuses_a_generator_that_is_none(generator):
    assert "is not a generator" in refusal(lambda: build("lenet5", generator=generator))


@pytest.mark.parametrize("images", [None, 3, [[1.0]], np.zeros((1, 1, 28, 28)), "images"])
def test_a_model_refuses_what_is_no_tensor(images):
    model = build("lenet5")
    assert "as a tensor, got" in refusal(lambda: model(images))


@pytest.mark.parametrize("model", [None, 3, "lenet5", torch.nn.Linear(1, 1)])
def test_input_shape_refuses_what_build_did_not_make(model):
    assert "was not made by build" in refusal(lambda: models.input_shape(model))


def test_a_model_built_with_numpys_integers_remembers_pythons():
    model = build("lenet5", in_channels=np.int64(3), num_classes=np.int32(4), image_size=32)
    assert repr(models.input_shape(model)) == "(3, 32, 32)"
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
