"""Summaries count, measure and see what is there, and leave the model alone."""

import random
from typing import NamedTuple

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.flop_counter import FlopCounterMode

from course_utils import models
from course_utils.arithmetic import conv_multiply_adds, conv_parameters
from course_utils.inspection import (
    FieldTracker,
    capture,
    model_table,
    summarise,
    summary,
    zoo,
)
from course_utils.inspection.trace import without_storage

# The functions of the same names hide these two modules.


def torch_flops(model, size):
    """What PyTorch's own counter says of one picture, in the model itself."""
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *size, device=device))
    return counter.get_total_flops()


def num_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


# --- Counts ------------------------------------------------------------------------------------

PUBLISHED = {
    "alexnet": 714_188_480,
    "vgg16": 15_470_264_320,
    "googlenet": 1_498_376_192,
    "resnet50": 4_089_184_256,
    "densenet121": 2_834_161_664,
    "mobilenet_v3_small": None,
    "vit_b_16": None,
}


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet")
@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_of_torchvision_models(name):
    with torch.device("meta"):
        model = getattr(torchvision.models, name)()
    found = summary(model, (3, 224, 224))
    assert 2 * found.multiply_adds == torch_flops(model, (3, 224, 224))
    assert found.parameters == num_parameters(model)
    assert PUBLISHED[name] in (None, found.multiply_adds)


def test_each_convolution_is_counted_by_the_formula():
    found = {row.name: row for row in summarise("vgg16").rows}
    channels, name_of_size = 3, {224: "0", 112: "1", 56: "2", 28: "3", 14: "4"}
    for size, block in name_of_size.items():
        for name, row in found.items():
            if name.startswith(f"blocks.{block}.") and row.kind == "Conv2d":
                c_out = row.output_shape[0]
                assert row.output_shape == (c_out, size, size)
                assert row.parameters == conv_parameters(channels, c_out, 3)
                assert row.multiply_adds == conv_multiply_adds(channels, c_out, 3, size)
                channels = c_out


class Pair(NamedTuple):
    logits: torch.Tensor
    extra: torch.Tensor


class Tricky(nn.Module):
    """Everything a summary can stumble over: sharing, loose parameters, branches, tuples."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.shared = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.tied = nn.Conv2d(4, 4, 3, padding=1)
        self.tied.weight = self.shared.weight
        self.normed = weight_norm(nn.Conv2d(4, 4, 1))
        self.loose = nn.Parameter(torch.ones(5, 12, 1, 1))
        self.unused = nn.Linear(7, 7)
        self.fc = nn.Linear(5, 2)

    def forward(self, x):
        x = self.relu(self.conv(x))
        x = x + self.relu(self.shared(self.shared(x)))
        x = torch.cat([x, self.tied(x), self.normed(x)], dim=1)
        x = F.conv2d(x, self.loose)
        logits = self.fc(x.mean(dim=(2, 3)))
        return Pair(logits, logits * 2)


def test_sharing_loose_parameters_branches_and_tuples():
    model = Tricky()
    found = summary(model, (3, 8, 8))
    assert 2 * found.multiply_adds == torch_flops(model, (3, 8, 8))
    assert found.parameters == num_parameters(model)
    rows = {row.name: row for row in found.rows}
    shared = [row for row in found.rows if row.name == "shared"]
    assert [row.parameters for row in shared] == [4 * 4 * 9 + 4, 0]
    assert [row.multiply_adds for row in shared] == [4 * 4 * 9 * 64] * 2
    assert rows["tied"].parameters == 4  # its bias; the weight is the shared one
    assert rows["normed"].kind == "Conv2d"
    assert rows["(model)"].multiply_adds == 5 * 12 * 64
    assert rows["(model)"].output_shape == (2,)
    assert rows["unused"].output_shape is None
    assert rows["unused"].parameters == 56
    assert [row.receptive_field for row in found.rows[:2]] == [3, 3]
    assert rows["fc"].receptive_field == 9 + 7  # 3x3, twice 3x3, tied 3x3; then 8 positions


def test_depth_lumps_the_layers_and_keeps_the_totals():
    whole = summarise("resnet18")
    lumped = [summarise("resnet18", depth=depth) for depth in (0, 1, 2, 3)]
    for found in lumped:
        assert found.parameters == whole.parameters
        assert found.multiply_adds == whole.multiply_adds
        assert found.rows[-1].receptive_field == whole.rows[-1].receptive_field
    assert [row.name for row in lumped[1].rows] == ["stem", "stages", "classifier"]


def test_the_auxiliary_heads_are_counted_and_do_not_run():
    found = summary(models.build("googlenet"), (3, 224, 224), depth=1)
    assert found.parameters == 13_378_280
    heads = [row for row in found.rows if row.name.startswith("aux")]
    assert [row.output_shape for row in heads] == [None, None]


# --- Receptive fields --------------------------------------------------------------------------


def measurable(name, **switches):
    """A model whose gradients cannot cancel: positive weights, average pools, float64."""
    model = models.build(name, in_channels=1, num_classes=2, **switches).double().eval()
    for parameter in model.parameters():
        parameter.data = torch.rand(parameter.shape, dtype=torch.float64) + 0.1
    for parent in list(model.modules()):
        for child_name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):  # same geometry, but every pixel counts
                options = (child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(parent, child_name, nn.AvgPool2d(*options))
    return model


def measured_fields(model, picture):
    """Convolution or pool -> height and width of what the middle of its output depends on."""
    outputs = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda m, a, out, name=name: outputs.update({name: out}))
    model(picture)
    fields = {}
    for name, out in outputs.items():
        if out.dim() == 4 and hasattr(model.get_submodule(name), "kernel_size"):
            middle = out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum()
            (gradient,) = torch.autograd.grad(middle, picture, retain_graph=True)
            seen = gradient[0, 0].nonzero()
            extent = seen.amax(0) - seen.amin(0) + 1
            fields[name] = tuple(extent.tolist())
    return fields


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("resnet_small", {"depth": 8}),
        ("resnet_small", {"depth": 14, "shortcut": "B"}),
        ("googlenet_small", {}),
        ("densenet_small", {"depth": 16}),
        ("nin_small", {}),
    ],
)
def test_fields_through_branches_are_the_ones_measured_by_gradients(name, switches):
    torch.manual_seed(0)
    size = 96  # holds every field around the middle
    model = measurable(name, **switches)
    picture = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    rows = {row.name: row for row in summary(model, (1, size, size)).rows}
    measured = measured_fields(model, picture)
    compared = [row_name for row_name in rows if row_name in measured]
    assert len(compared) >= 7
    for row_name in compared:
        field = rows[row_name].receptive_field
        assert measured[row_name] == (field, field), row_name


def field_of(function, *size):
    picture = torch.empty(1, *size, device="meta")
    with torch.no_grad(), FieldTracker(picture) as fields:
        out = function(picture)
    return fields.of(out)


def test_fields_of_functions():
    kernel = torch.empty(3, 3, 3, 5, device="meta")
    field = field_of(lambda x: F.conv2d(x, kernel, stride=(2, 1), padding=(1, 0)), 3, 20, 20)
    assert (field.size, field.jump, field.start) == ((3, 5), (2, 1), (-1, 0))
    field = field_of(lambda x: F.pad(x, (2, 0, 1, 0))[:, :, 1::2], 3, 20, 20)
    assert (field.size, field.jump, field.start) == ((1, 1), (2, 1), (0, -2))
    field = field_of(lambda x: F.adaptive_avg_pool2d(x, 5), 3, 20, 10)
    assert (field.size, field.jump) == ((4, 2), (4, 2))
    field = field_of(lambda x: x.mean(dim=(2, 3)), 3, 20, 10)
    assert field.size == (20, 10)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.adaptive_avg_pool2d(x, 7),  # windows of different size
        lambda x: x.transpose(2, 3),
        lambda x: x.flip(3),
        lambda x: x.roll(1, dims=2),
        lambda x: torch.cat([x, x], dim=2),
        lambda x: x + F.avg_pool2d(x, 3, stride=1, padding=1).mean(dim=(2, 3), keepdim=True),
        lambda x: x.cumsum(dim=3),
        lambda x: F.conv_transpose2d(x, torch.empty(3, 1, 2, 2, device="meta"), stride=2),
        lambda x: torch.relu(x.flip(2)),  # what is unknown stays unknown
        lambda x: F.conv2d(torch.empty(1, 3, 20, 20, device="meta"), x[:, :, :3, :3]),
    ],
)
def test_a_field_that_cannot_be_known_is_left_open(function):
    assert field_of(function, 3, 20, 20) is None


def test_a_tensor_that_owes_the_picture_only_its_shape_has_no_field():
    assert field_of(torch.zeros_like, 3, 4, 4) is None
    field = field_of(lambda x: torch.zeros_like(x) + F.max_pool2d(x, 3, 1, 1), 3, 4, 4)
    assert field.size == (3, 3)


@pytest.mark.parametrize("norm", ["layer", "group", "instance", "weight", "scaled_weight", "none"])
def test_normalisation_does_not_blur_the_fields(norm):
    fields = [row.receptive_field for row in summarise("resnet20", norm=norm).rows]
    # 19 convolutions of 3x3: 8 on full pixels, 6 at jump 2, 5 at jump 4.
    assert fields[-2] == 1 + 2 * (1 * 8 + 2 * 6 + 4 * 5)
    assert None not in fields


# --- Nothing changes ---------------------------------------------------------------------------


def test_the_model_and_the_generators_stay_as_they_were():
    model = models.build("resnet_small", in_channels=1, num_classes=2)
    model.stages[0].eval()
    watched = []
    model.stem.register_forward_hook(lambda *args: watched.append(args))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    summary(model, (1, 28, 28))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert hooks == [len(module._forward_hooks) for module in model.modules()]
    assert not watched
    assert torch.equal(torch_state, torch.get_rng_state())
    assert python_state == random.getstate()
    assert all(p.device.type == "cpu" and p.grad is None for p in model.parameters())


def test_no_storage_is_taken():
    model = models.build("lenet5", in_channels=1, num_classes=10)
    model.cached = torch.ones(3) * 2  # a loose tensor that deepcopy alone would copy
    model.loose = (torch.ones(3, requires_grad=True) * 2,)[0]
    model.kept = [torch.ones(2), {"deep": torch.ones(2)}]
    twin = without_storage(model)
    assert {t.device.type for t in (twin.kept[0], twin.kept[1]["deep"])} == {"meta"}
    assert {p.device.type for p in (*twin.parameters(), twin.cached, twin.loose)} == {"meta"}
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in model.parameters()}


# --- How it reads ------------------------------------------------------------------------------


def test_text_and_html():
    found = summarise("lenet5")
    text = str(found)
    assert text.splitlines()[0] == (
        "LeNet5 on 1 x 28 x 28: 61,706 parameters, 416,520 multiply-adds"
    )
    assert "features.3    Conv2d     16 x 10 x 10" in text
    html = found._repr_html_()
    assert html.startswith("<table>")
    assert html.count("<tr>") == len(found.rows) + 1
    assert found.rows[0].output_shape == (6, 28, 28)


def test_the_zoo_in_a_table():
    rows = {row["model"]: row for row in model_table()}
    assert list(rows) == list(models.names())
    assert rows["resnet50"]["input"] == "3 x 224 x 224"
    assert rows["resnet50"]["parameters"] == 25_557_032
    assert rows["resnet50"]["multiply-adds"] == 3_857_973_248


def test_one_architecture_is_counted_as_the_table_says():
    assert zoo.kept_counts()["lenet5"] == zoo.count("lenet5") == (61_706, 416_520)


def test_inputs_other_than_pictures_have_no_field():
    row = summary(nn.Sequential(nn.Linear(784, 10)), (784,)).rows[0]
    assert (row.multiply_adds, row.output_shape, row.receptive_field) == (7840, (10,), None)


def test_an_architecture_by_name_at_another_size():
    assert summarise("mlp", (3, 32, 32)).input_size == (3, 32, 32)
    assert summarise("resnet20", (1, 28, 28), num_classes=7).rows[-1].output_shape == (7,)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: summary(nn.Linear(3, 4), ()), "not made of positive integers"),
        (lambda: summary(nn.Linear(3, 4), (3.0,)), "not made of positive integers"),
        (lambda: summary(nn.Linear(3, 4), (True,)), "not made of positive integers"),
        (lambda: summary(nn.Linear(3, 4), 3), "not made of positive integers"),
        (lambda: summary(nn.Linear(3, 4), "3"), "not made of positive integers"),
        (lambda: summary(nn.Linear(3, 4), [(3,), (3,)]), "gives a model one input, not several"),
        (lambda: summary(nn.Conv2d(3, 4, 3), (3, 0, 5)), "not made of positive integers"),
        (lambda: summary(nn.Linear(3, 4), (5,)), "Linear cannot take an input of 5"),
        (lambda: summarise("vgg16", (3, 8, 8)), "vgg16 needs images of at least 32x32"),
        (lambda: summarise("vgg61"), "vgg61.*did you mean"),
        (lambda: summarise("resnet21"), "resnet21"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- Capture -----------------------------------------------------------------------------------


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 1, bias=False)
    )


def test_features_and_gradients_are_those_of_the_layer(net):
    images = torch.randn(5, 1, 4, 4)
    with capture(net, ["0", "1"]) as seen:
        net(images).sum().backward()
    before_relu = net[0](images)
    assert torch.equal(seen.features["0"], before_relu)  # though ReLU overwrote it
    assert torch.equal(seen.features["1"], before_relu.clamp(min=0))
    weight = net[3].weight.view(1, 2, 2, 2).expand(5, -1, -1, -1)
    assert torch.allclose(seen.gradients["1"], weight)
    assert torch.allclose(seen.gradients["0"], weight * (before_relu > 0))


def test_the_last_pass_counts_and_stale_gradients_go(net):
    with capture(net, "0") as seen:
        net(torch.ones(1, 1, 4, 4)).sum().backward()
        with torch.no_grad():
            net(torch.zeros(2, 1, 4, 4))
    assert seen.features["0"].shape == (2, 2, 2, 2)
    with pytest.raises(KeyError, match="backward inside the with block"):
        seen.gradients["0"]


def test_hooks_are_gone_even_after_an_error(net):
    with pytest.raises(RuntimeError), capture(net, ["0", "3"]) as seen:
        net(torch.ones(1, 1, 9, 9))
    assert all(not module._forward_hooks for module in net.modules())
    net(torch.zeros(1, 1, 4, 4))
    assert seen.features["0"].shape == (1, 2, 7, 7)
    with pytest.raises(KeyError, match="run the model inside the with block"):
        seen.features["3"]


def test_of_several_outputs_the_first_is_kept():
    model = Tricky()
    with capture(model, ["", "fc"]) as seen:
        model(torch.ones(1, 3, 8, 8))
    assert torch.equal(seen.features[""], seen.features["fc"])


def test_an_unknown_layer_is_answered_with_the_nearest(net):
    model = models.build("resnet_small", in_channels=1, num_classes=2)
    with (
        pytest.raises(ValueError, match=r"no layer 'stages\.0\.0\.conv3'.*'stages\.0\.0\.conv1'"),
        capture(model, ["stages.0.0.conv3"]),
    ):
        pass
    with pytest.raises(ValueError, match="no layer 'zzz': layers are 0, 1"), capture(net, "zzz"):
        pass
    assert all(not module._forward_hooks for module in net.modules())
