import copy
import inspect

import pytest
import torch

from course_utils import models
from course_utils.models import MODELS, build, input_shape, names
from course_utils.models.registry import lookup

FAMILIES_WITH_SMALL = ("alexnet", "vgg", "nin", "googlenet", "highway", "resnet", "densenet")
CIFAR_DEPTHS = (20, 32, 44, 56, 110)
PROMISED = {
    *("mlp", "locally_connected", "lenet5", "alexnet", "nin", "googlenet", "highway"),
    *("vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16", "vgg19"),
    *(f"plain{depth}" for depth in (*CIFAR_DEPTHS, 18, 34)),
    *(f"resnet{depth}" for depth in (*CIFAR_DEPTHS, 18, 34, 50, 101, 152)),
    *("densenet40", "densenet_bc100", "densenet121", "densenet169", "densenet201", "speednet"),
    *(f"{family}_small" for family in FAMILIES_WITH_SMALL),
}


def sentence(excinfo) -> str:
    """Return the message, having checked that it is one line."""
    message = str(excinfo.value)
    assert "\n" not in message
    return message


def test_every_promised_name_is_there():
    assert set(names()) >= PROMISED
    assert names() == list(MODELS)


def test_an_entry_says_where_it_comes_from_and_what_it_takes():
    for name, row in MODELS.items():
        assert row.name == name
        assert inspect.getmodule(lookup(name)) is not None
        assert any(year in row.source for year in map(str, range(1986, 2025))), name
        assert row.input_shape[1] == row.input_shape[2] >= row.min_size
    assert MODELS["alexnet"].input_shape == (3, 227, 227)
    assert MODELS["lenet5"].input_shape == (1, 28, 28)
    assert MODELS["plain20"].family == MODELS["resnet50"].family == "resnet"
    assert MODELS["resnet50"].switches["stride_on"] == "1x1"
    assert "residual" not in MODELS["plain20"].switches  # or it would be no plain net


def test_unknown_name_lists_what_looks_alike():
    with pytest.raises(ValueError) as excinfo:
        build("resnet19")
    assert "'resnet19'" in sentence(excinfo)
    assert "resnet18" in sentence(excinfo)
    with pytest.raises(ValueError) as excinfo:
        build("qqqq")
    assert "lenet5" in sentence(excinfo)


def test_unknown_switch_lists_the_switches():
    with pytest.raises(ValueError) as excinfo:
        build("resnet50", shortcuts="A", in_channels=3, num_classes=10)
    assert "shortcuts" in sentence(excinfo)
    assert "stride_on" in sentence(excinfo)


@pytest.mark.parametrize(
    ("name", "switches", "words"),
    [
        ("lenet5", {"activation": "elu"}, "'elu'"),
        ("lenet5", {"pooling": "median"}, "'median'"),
        ("lenet5", {"image_size": 64}, "64"),
        ("mlp", {"image_size": 0}, "image_size = 0 is too small: it must be at least 1"),
        ("mlp", {"hidden_sizes": 256}, "such as (256,)"),
        ("alexnet_small", {"groups": 3}, "3"),
        ("vgg_small", {"configuration": "F"}, "'F'"),
        ("vgg16", {"norm": "bn"}, "'bn'"),
        ("nin", {"width": 100}, "100"),
        ("googlenet", {"variant": "v3"}, "'v3'"),
        ("googlenet", {"aux_heads": "no"}, "aux_heads = 'no' is neither True nor False"),
        ("resnet20", {"shortcut": "D"}, "'D'"),
        ("resnet50", {"stride_on": "7x7"}, "'7x7'"),
        ("resnet_small", {"depth": 9}, "9"),
        ("resnet_small", {"norm": "none", "zero_init_residual": True}, "zero_init_residual"),
        ("densenet_small", {"depth": 27}, "27"),
        ("densenet40", {"growth_rate": 1.5}, "1.5"),
        ("resnet18", {"in_channels": "3"}, "in_channels = '3' is not a whole number"),
        ("resnet18", {"in_channels": True}, "in_channels = True is not a whole number"),
        ("resnet18", {"num_classes": 0}, "num_classes = 0 is too small"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_the_value(name, switches, words):
    with pytest.raises(ValueError) as excinfo:
        build(name, **switches)
    assert words in sentence(excinfo)


def test_left_out_counts_are_those_of_the_paper():
    with torch.device("meta"):
        assert build("resnet18").classifier.out_features == 1000
        assert build("resnet20").classifier.out_features == 10
    assert input_shape(build("resnet20")) == (3, 32, 32)
    assert input_shape(build("resnet20", in_channels=1)) == (1, 32, 32)
    assert input_shape(build("lenet5", image_size=32)) == (1, 32, 32)


def test_input_shape_refuses_a_model_of_other_make():
    with pytest.raises(ValueError, match="Linear was not made by build"):
        input_shape(torch.nn.Linear(1, 1))


def test_the_generator_fixes_the_weights_and_leaves_the_global_one_alone():
    def weights(seed):
        model = build("lenet5", generator=torch.Generator().manual_seed(seed))
        return torch.cat([p.flatten() for p in model.parameters()])

    torch.manual_seed(7)
    before = torch.get_rng_state()
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("resnet20", (2, 1, 32, 32), "in_channels=1"),
        ("lenet5", (2, 3, 28, 28), "in_channels=3"),
        ("resnet20", (3, 32, 32), "images[None]"),
        ("resnet20", (2, 3, 7, 32), "at least 8x8, got 7x32: resize them"),
        ("lenet5", (2, 1, 32, 32), "images of 28x28, got 32x32"),
        ("densenet121", (2, 3, 28, 28), "'densenet_small', which is made for 28 and 32 px"),
    ],
)
def test_pictures_that_do_not_fit_get_one_sentence(name, shape, words):
    model = build(name)
    with pytest.raises(ValueError) as excinfo:
        model(torch.zeros(shape))
    assert words in sentence(excinfo)
    assert name in sentence(excinfo)


def test_integer_pictures_get_one_sentence():
    with pytest.raises(ValueError, match=r"torch\.uint8.*float\(\) / 255"):
        build("lenet5")(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))


def test_the_check_follows_a_copy_and_a_keyword_argument():
    model = copy.deepcopy(build("lenet5"))
    assert model(images=torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    with pytest.raises(ValueError, match="28x28"):
        model(images=torch.zeros(1, 1, 27, 28))


def test_the_package_exports_what_others_use():
    assert set(models.__all__) >= {"MODELS", "ModelEntry", "build", "input_shape", "names"}
