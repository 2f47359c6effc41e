"""What each architecture does that parity with torchvision and the counts do not show."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data import load
from course_utils.models import build
from course_utils.models.densenet import DenseBlock, DenseLayer, MemoryEfficientDenseLayer
from course_utils.models.googlenet import INCEPTION_TABLE, GoogLeNetOutput, Inception
from course_utils.models.highway import HighwayConv2d, HighwayLinear
from course_utils.models.lenet import LeNet5, ScaledTanh
from course_utils.models.locally_connected import LocallyConnected2d
from course_utils.models.mlp import MLP
from course_utils.models.nin import MLPConv
from course_utils.models.resnet import BasicBlock, Bottleneck, Shortcut
from course_utils.models.speednet import PatchWhitening
from course_utils.models.vgg import VGGBlock


def num_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# MLP, LeNet, locally connected


def test_mlp_has_the_parameters_of_its_formula():
    sizes = [3072, 100, 50, 10]
    expected = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    assert num_parameters(MLP(3072, (100, 50), 10)) == expected
    linear = MLP(3072, (), 10)  # no hidden layer: a linear classifier
    assert num_parameters(linear) == 3073 * 10
    assert linear(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_lenet_s_switches_reach_its_layers():
    model = build("lenet5", activation="scaled_tanh", pooling="average")
    kinds = [type(m) for m in model.modules()]
    assert kinds.count(ScaledTanh) == 4
    assert kinds.count(nn.AvgPool2d) == 2
    assert nn.ReLU not in kinds
    assert num_parameters(model) == num_parameters(LeNet5())


def test_scaled_tanh_passes_through_one():
    x = torch.tensor([-1.0, 0.0, 1.0])
    torch.testing.assert_close(ScaledTanh()(x), x, atol=1e-4, rtol=0)


def test_a_locally_connected_layer_is_a_convolution_when_all_positions_share():
    layer = LocallyConnected2d(3, 5, input_size=9, kernel_size=3, padding=1).double()
    conv = nn.Conv2d(3, 5, kernel_size=3, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(conv.weight.flatten(1).expand(81, 5, 27))
        layer.bias.copy_(conv.bias[:, None].expand(5, 81))
    x = maps(2, 3, 9, 9)
    torch.testing.assert_close(layer(x), conv(x))
    assert num_parameters(layer) == 5 * 9 * 9 * (3 * 3 * 3 + 1)


def test_each_position_of_a_locally_connected_layer_has_its_own_filter():
    layer = LocallyConnected2d(1, 1, input_size=4, kernel_size=3).double()
    x = maps(1, 1, 4, 4)
    before = layer(x).detach()
    with torch.no_grad():
        layer.weight[3] += 1  # the last of the 2x2 positions
    changed = (layer(x) != before).flatten().tolist()
    assert changed == [False, False, False, True]


# AlexNet, VGG


def test_alexnet_s_towers_meet_in_the_third_convolution_only():
    model = build("alexnet", num_classes=10)
    groups = [m.groups for m in model.features if isinstance(m, nn.Conv2d)]
    assert groups == [1, 2, 1, 2, 2]
    small = build("alexnet_small", groups=1)
    assert all(m.groups == 1 for m in small.features if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("in_channels", [1, 3])
def test_torchvision_s_single_tower_takes_what_it_is_built_with(in_channels):
    with torch.device("meta"):
        model = build(
            "alexnet", one_tower=True, in_channels=in_channels, num_classes=7, dropout=0.25
        )
        for size in (67, 96, 224):
            assert model(torch.zeros(2, in_channels, size, size)).shape == (2, 7)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.25, 0.25]
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 192, 384, 256, 256]
    assert (convolutions[0].stride, convolutions[0].padding) == ((4, 4), (2, 2))


def test_a_vgg_block_follows_its_line():
    block = VGGBlock(3, 8, "3 LRN 1", batch_norm=False)
    kinds = [type(m).__name__ for m in block]
    assert kinds == ["Conv2d", "ReLU", "LocalResponseNorm", "Conv2d", "ReLU", "MaxPool2d"]
    assert block[-1].kernel_size == block[-1].stride == 2
    assert block(torch.zeros(1, 3, 7, 7)).shape == (1, 8, 3, 3)
    assert VGGBlock(3, 8, round_up=True)(torch.zeros(1, 3, 7, 7)).shape == (1, 8, 4, 4)


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("vgg11", 11),
        ("vgg11_lrn", 11),
        ("vgg13", 13),
        ("vgg16_c", 16),
        ("vgg16", 16),
        ("vgg19", 19),
    ],
)
def test_vgg_has_as_many_layers_as_its_name_says(name, depth):
    with torch.device("meta"):
        model = build(name)
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules()) == depth
    ones = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert len(ones) == (3 if name == "vgg16_c" else 0)


# NiN, GoogLeNet


def test_an_mlpconv_is_an_mlp_at_every_pixel():
    layer = MLPConv(3, (8, 6, 4), kernel_size=1).double()
    x = maps(2, 3, 5, 5)
    pixels = x.permute(0, 2, 3, 1).reshape(-1, 3)
    for conv in (layer[0], layer[2], layer[4]):
        pixels = torch.relu(F.linear(pixels, conv.weight.flatten(1), conv.bias))
    expected = pixels.reshape(2, 5, 5, 4).permute(0, 3, 1, 2)
    torch.testing.assert_close(layer(x), expected)


def test_a_relu_on_the_logits_can_lose_a_class_for_good():
    """Why nin_small has none: a map that starts below zero everywhere gets no gradient."""
    images = maps(4, 3, 32, 32).float()
    for relu_logits in (True, False):
        model = build("nin_small", relu_logits=relu_logits, dropout=0.0)
        last = [m for m in model.modules() if isinstance(m, nn.Conv2d)][-1]
        nn.init.constant_(last.bias, -100.0)
        F.cross_entropy(model(images), torch.arange(4)).backward()
        assert bool(last.weight.grad.any()) != relu_logits


def test_an_inception_module_puts_its_paths_side_by_side():
    module = Inception(192, *INCEPTION_TABLE["3a"]).double()
    x = maps(1, 192, 7, 7)
    parts = module(x).split([64, 128, 32, 32], dim=1)
    for part, path in zip(
        parts, (module.path1, module.path2, module.path3, module.path4), strict=True
    ):
        torch.testing.assert_close(part, path(x))
    assert module.path3[1][0].kernel_size == (5, 5)


def test_googlenet_returns_three_logits_in_training_with_heads_only():
    with torch.device("meta"):
        images = torch.zeros(2, 3, 96, 96)
        with_heads = build("googlenet", num_classes=7)
        without = build("googlenet", num_classes=7, aux_heads=False)
        outputs = with_heads.train()(images)
        assert isinstance(outputs, GoogLeNetOutput)
        assert outputs._fields == ("logits", "aux1", "aux2")
        assert all(logits.shape == (2, 7) for logits in outputs)
        assert with_heads.eval()(images).shape == (2, 7)
        assert without.train()(images).shape == (2, 7)


def test_googlenet_s_heads_pool_5x5_with_stride_3_as_in_the_paper():
    head = build("googlenet", num_classes=7).aux1.layers.double()
    x = maps(1, 512, 14, 14)
    pooled = head[1](head[0](x))
    torch.testing.assert_close(pooled, F.avg_pool2d(x, 5, 3))
    assert [m.p for m in head if isinstance(m, nn.Dropout)] == [0.7]


def test_googlenet_s_table_adds_up():
    with torch.device("meta"):
        model = build("googlenet")
    widths = [model.inception[name].out_channels for name in INCEPTION_TABLE]
    assert widths == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


# Highway


@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_a_highway_layer_mixes_by_its_gate(kind):
    torch.manual_seed(0)
    if kind == "linear":
        layer, x = HighwayLinear(6).double(), maps(4, 6)
    else:
        layer, x = HighwayConv2d(6).double(), maps(2, 6, 5, 5)
    h, t = torch.relu(layer.transform(x)), torch.sigmoid(layer.gate(x))
    torch.testing.assert_close(layer(x), h * t + x * (1 - t))
    for bias, expected in ((-50.0, x), (50.0, h)):  # closed: carries x; open: a plain layer
        nn.init.zeros_(layer.gate.weight)
        nn.init.constant_(layer.gate.bias, bias)
        torch.testing.assert_close(layer(x), expected)


def test_closed_gates_let_gradient_through_fifty_layers():
    """The plain twin loses it: that is what the gates are for."""
    images = maps(8, 1, 28, 28).float()

    def gradient_at_the_first_layer(gated):
        generator = torch.Generator().manual_seed(0)
        model = build("highway", num_layers=50, gate_bias=-4.0, gated=gated, generator=generator)
        if not gated:  # the default of PyTorch's linear layer, too small for ReLU
            for layer in model.layers:
                nn.init.normal_(layer[0].weight, std=math.sqrt(1 / 3 / 50))
        F.cross_entropy(model(images), torch.arange(8)).backward()
        return model.stem[1].weight.grad.norm().item()

    assert gradient_at_the_first_layer(True) > 1e3 * gradient_at_the_first_layer(False)


# ResNet


def test_the_three_shortcuts_differ_in_where_they_project():
    same, other = (8, 8, 1), (8, 16, 2)
    x = maps(2, 8, 6, 6)
    for option, sizes in {
        "A": (0, 0),
        "B": (0, 8 * 16 + 32),
        "C": (8 * 8 + 16, 8 * 16 + 32),
    }.items():
        assert num_parameters(Shortcut(*same, option)) == sizes[0]
        assert num_parameters(Shortcut(*other, option)) == sizes[1]
        assert Shortcut(*other, option).double()(x).shape == (2, 16, 3, 3)
    assert torch.equal(Shortcut(*same, "B")(x), x)
    padded = Shortcut(*other, "A")(x)
    assert torch.equal(padded[:, :8], x[:, :, ::2, ::2])
    assert not padded[:, 8:].any()


@pytest.mark.parametrize("option", ["A", "B", "C"])
@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_a_block_adds_its_shortcut_before_the_last_relu(block, option):
    layer = block(16, 32, stride=2, shortcut=option).double().eval()
    last = layer.norm2 if block is BasicBlock else layer.norm3
    nn.init.zeros_(last.weight)  # F(x) = 0
    x = maps(2, 16, 8, 8)
    torch.testing.assert_close(layer(x), torch.relu(layer.shortcut(x)))
    plain = block(16, 32, stride=2, shortcut=option, residual=False).double().eval()
    assert plain(x).shape == (2, 32, 4, 4)


def test_a_bottleneck_strides_where_it_is_told():
    first, later = Bottleneck(64, 128, stride=2), Bottleneck(64, 128, stride=2, stride_on="3x3")
    assert [c.stride[0] for c in (first.conv1, first.conv2, first.conv3)] == [2, 1, 1]
    assert [c.stride[0] for c in (later.conv1, later.conv2, later.conv3)] == [1, 2, 1]


def test_a_plain_twin_is_the_resnet_of_option_a_without_its_shortcuts():
    residual = build("resnet20", generator=torch.Generator().manual_seed(0)).eval()
    plain = build("plain20", generator=torch.Generator().manual_seed(0)).eval()
    weights = residual.state_dict()
    assert all(torch.equal(w, weights[k]) for k, w in plain.state_dict().items())
    assert plain.state_dict().keys() == weights.keys()
    images = maps(2, 3, 32, 32).float()
    assert not torch.allclose(plain(images), residual(images))
    for block in (m for m in residual.modules() if isinstance(m, BasicBlock)):
        block.shortcut = None
    torch.testing.assert_close(plain(images), residual(images))


def test_zero_init_makes_every_block_pass_its_shortcut():
    model = build("resnet_small", zero_init_residual=True).eval()
    x = maps(2, 16, 8, 8).float().relu()
    torch.testing.assert_close(model.stages[0][0](x), x)


@pytest.mark.parametrize(("name", "depth"), [("resnet20", 20), ("plain56", 56), ("resnet152", 152)])
def test_a_resnet_has_as_many_layers_as_its_name_says(name, depth):
    with torch.device("meta"):
        model = build(name, shortcut="A")
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules()) == depth


# DenseNet


def test_a_dense_block_keeps_its_input_and_appends():
    block = DenseBlock(6, num_layers=3, growth_rate=4).double().eval()
    x = maps(2, 6, 5, 5)
    y = block(x)
    assert y.shape == (2, 18, 5, 5)
    assert torch.equal(y[:, :6], x)
    second = block.layers[1]([x, y[:, 6:10]])
    torch.testing.assert_close(y[:, 10:14], second)


@pytest.mark.parametrize("bottleneck", [True, False])
def test_a_dense_layer_normalises_before_it_convolves(bottleneck):
    layer = DenseLayer(8, 4, bottleneck)
    kinds = [
        type(m).__name__ for m in (*layer.wide, *layer.narrow) if not isinstance(m, nn.Dropout)
    ]
    step = ["BatchNorm2d", "ReLU", "Conv2d"]
    assert kinds == (step + step if bottleneck else step)


@pytest.mark.parametrize(
    ("name", "depth"), [("densenet40", 40), ("densenet_bc100", 100), ("densenet121", 121)]
)
def test_a_densenet_has_as_many_layers_as_its_name_says(name, depth):
    with torch.device("meta"):
        model = build(name)
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules()) == depth


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_memory_efficient_gives_the_same_numbers_even_in_the_buffers(dropout):
    results = []
    images = maps(2, 3, 16, 16)
    for memory_efficient in (False, True):
        generator = torch.Generator().manual_seed(0)
        switches = {"memory_efficient": memory_efficient, "dropout": dropout, "depth": 16}
        model = build("densenet_small", generator=generator, **switches).double()
        torch.manual_seed(1)
        model(images).square().sum().backward()
        results.append([p.grad for p in model.parameters()] + list(model.buffers()))
        used = {type(m) for m in model.modules()}
        assert (MemoryEfficientDenseLayer in used) == memory_efficient
    for stored, recomputed in zip(*results, strict=True):
        torch.testing.assert_close(stored, recomputed)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}


def test_memory_efficient_stores_less():
    def stored_bytes(memory_efficient):
        model = build("densenet_small", memory_efficient=memory_efficient)
        sizes = {}

        def pack(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            outputs = model(torch.zeros(8, 3, 32, 32))
        assert outputs.requires_grad
        return sum(sizes.values())

    assert stored_bytes(True) < 0.75 * stored_bytes(False)


# SpeedNet


def test_speednet_has_the_parameters_of_its_paper():
    assert round(num_parameters(build("speednet")) / 1e6, 2) == 1.97


def test_whitening_filters_are_a_basis_and_their_responses_have_variance_one():
    filters = PatchWhitening(3).filters.flatten(1)
    torch.testing.assert_close(filters @ filters.T, torch.eye(12), atol=1e-6, rtol=0)
    colours = filters[::4].reshape(3, 3, 4)[..., 0]  # of the three means of a patch
    opposite = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    torch.testing.assert_close(colours * opposite.norm(dim=1, keepdim=True) * 2, opposite)
    responses = PatchWhitening(2)(maps(8, 2, 9, 9).float())
    assert responses.shape == (8, 16, 8, 8)
    torch.testing.assert_close(responses[:, :8], -responses[:, 8:])
    torch.testing.assert_close(
        responses.var((0, 2, 3), correction=0), torch.ones(16), atol=0.01, rtol=0
    )


def test_whitening_hardly_leaves_a_correlation_in_photos():
    """Neighbouring pixels of photos of clothes are nearly equal."""
    images = next(iter(load("fashion_mnist_mini", batch_size=200).test))[0]
    banks = {"pixels": torch.eye(4).reshape(4, 1, 2, 2), "whitened": PatchWhitening(1).filters}
    responses = {k: F.conv2d(images, bank).transpose(0, 1).flatten(1) for k, bank in banks.items()}
    largest = {k: (torch.corrcoef(r) - torch.eye(4)).abs().max() for k, r in responses.items()}
    assert largest["pixels"] > 0.9
    assert largest["whitened"] < 0.1


def test_speednet_starts_by_passing_its_input_on():
    """An identity start copies the input of each 3x3 convolution; without it nothing is copied."""
    x = maps(2, 24, 6, 6)
    first = build("speednet").double().blocks[0][0]
    torch.testing.assert_close(first(x)[:, :24], x)
    at_random = build("speednet", identity_start=False).double().blocks[0][0]
    assert (at_random(x)[:, :24] - x).abs().mean() > 0.1
    narrowing = build("speednet", widths=(8, 8)).double().blocks[0][0]  # fewer outputs than inputs
    torch.testing.assert_close(narrowing(x), x[:, :8])


@pytest.mark.parametrize(("pool_first", "worked_on"), [(True, 15), (False, 31)])
def test_speednet_pools_before_or_after_a_block_s_second_convolution(pool_first, worked_on):
    sizes = []
    model = build("speednet", pool_first=pool_first)
    second = [m for m in model.blocks[0] if isinstance(m, nn.Conv2d)][1]
    second.register_forward_hook(lambda _, args, out: sizes.append(out.shape[-1]))
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert sizes == [worked_on]
