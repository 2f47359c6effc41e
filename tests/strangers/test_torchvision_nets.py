"""Forty nets of torchvision, held against torch's own counters, shapes and gradients."""

from functools import cache

import pytest
import torch
import torchvision
from looks import (
    answer_rests_on,
    fields_by_gradient,
    grad_cam_by_hand,
    positive,
    shapes_and_work,
)
from torch import nn

from course_utils.inspection import grad_cam, last_conv, summary
from course_utils.inspection.trace import list_steps
from course_utils.plots import plot_block

pytestmark = pytest.mark.filterwarnings("ignore:The default weight initialization of")

# Name -> layer whose maps Grad-CAM is asked about, and their size; the picture is 224 wide.
NETS = {
    "alexnet": ("features.11", 13),
    "vgg11": ("features.19", 14),
    "vgg11_bn": ("features.27", 14),
    "vgg13": ("features.23", 14),
    "vgg13_bn": ("features.33", 14),
    "vgg16": ("features.29", 14),
    "vgg16_bn": ("features.42", 14),
    "vgg19": ("features.35", 14),
    "vgg19_bn": ("features.51", 14),
    "squeezenet1_0": ("classifier.2", 13),
    "squeezenet1_1": ("classifier.2", 13),
    "resnet18": ("layer4.1", 7),
    "resnet34": ("layer4.2", 7),
    "resnet50": ("layer4.2", 7),
    "resnext50_32x4d": ("layer4.2", 7),
    "wide_resnet50_2": ("layer4.2", 7),
    "densenet121": ("features.norm5", 7),
    "googlenet": ("inception5b", 7),
    "inception_v3": ("Mixed_7c", 8),
    "mobilenet_v2": ("features.18", 7),
    "mobilenet_v3_small": ("features.12", 7),
    "mobilenet_v3_large": ("features.16", 7),
    "mnasnet0_5": ("layers.16", 7),
    "mnasnet0_75": ("layers.16", 7),
    "mnasnet1_0": ("layers.16", 7),
    "mnasnet1_3": ("layers.16", 7),
    "shufflenet_v2_x0_5": ("conv5.2", 7),
    "shufflenet_v2_x1_0": ("conv5.2", 7),
    "shufflenet_v2_x1_5": ("conv5.2", 7),
    "shufflenet_v2_x2_0": ("conv5.2", 7),
    "efficientnet_b0": ("features.8", 7),
    "efficientnet_v2_s": ("features.7", 7),
    "regnet_x_400mf": ("trunk_output.block4", 7),
    "regnet_y_400mf": ("trunk_output.block4", 7),
    "convnext_tiny": ("features.7.2", 7),
    "swin_t": ("permute", 7),
    "swin_v2_t": ("permute", 7),
    "vit_b_16": ("conv_proj", 14),  # the only maps: from here on there are tokens
    "vit_b_32": ("conv_proj", 7),
    "maxvit_t": ("blocks.3", 7),
}


def build(name: str, device: str = "meta") -> nn.Module:
    """A net without weights; those that compute while they are made are made elsewhere."""
    switches = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("cpu" if "regnet" in name else device):
        return torchvision.models.get_model(name, weights=None, **switches).to(device).eval()


@cache
def looked_at(name: str) -> tuple[nn.Module, dict[str, list[tuple[int, ...]]], int]:
    """A net on the meta device, the shapes of its outputs, its multiply-adds: for several tests."""
    net = build(name)
    return net, *shapes_and_work(net, torch.empty(1, *size_of(name), device="meta"))


def is_leaf(part: nn.Module) -> bool:
    return not list(part.children()) or type(part).__module__.startswith("torch.nn.modules.act")


def size_of(name: str) -> tuple[int, int, int]:
    return (3, 299, 299) if name == "inception_v3" else (3, 224, 224)


def test_there_are_forty() -> None:
    assert len(NETS) == 40


@pytest.mark.parametrize("name", NETS)
def test_what_is_said_of_a_net_is_what_torch_says(name: str) -> None:
    (net, shapes, work), size = looked_at(name), size_of(name)
    found = summary(net, size)
    assert found.parameters == sum(parameter.numel() for parameter in net.parameters())
    assert found.multiply_adds == work
    for row in found.rows:
        if row.output_shape is not None and row.name in shapes:
            assert row.output_shape in shapes[row.name], row.name

    layer, side = NETS[name]
    assert last_conv(net, torch.empty(1, *size, device="meta")) == layer
    assert shapes[layer][-1][1:] == (side, side)


# One of each family, which block diagrams are held against.
FOLLOWED = ["alexnet", "vgg11_bn", "squeezenet1_1", "resnet18", "densenet121", "googlenet",
            "inception_v3", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5",
            "shufflenet_v2_x0_5", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "swin_t",
            "vit_b_32"]  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_steps_of_a_net_are_all_its_layers_with_their_sizes(name: str) -> None:
    net, shapes, _ = looked_at(name)
    steps = list_steps(net, size_of(name), is_leaf)
    for step in steps:
        if step.name:
            assert step.shapes[0] in shapes[step.name], step.name
    called = {n for n in shapes if n and is_leaf(net.get_submodule(n))}
    left_out = called - {step.name for step in steps}
    kinds = {type(net.get_submodule(n)).__name__ for n in left_out}
    assert kinds <= {"Dropout", "Identity", "StochasticDepth", "AdaptiveAvgPool2d"}


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "squeezenet1_1", "resnet18", "googlenet"])
def test_a_small_net_is_drawn_with_its_sizes(name: str) -> None:
    net, shapes, _ = looked_at(name)
    shown = [text.get_text() for text in plot_block(net, (3, 224, 224)).axes[0].texts]
    for layer, [*_, shape] in shapes.items():
        if isinstance(net.get_submodule(layer), nn.Conv2d):
            kernel = "×".join(map(str, net.get_submodule(layer).kernel_size))
            assert any(text.startswith(f"{kernel} conv, {shape[0]}") for text in shown), layer
            assert "×".join(map(str, shape)) in shown, layer


@pytest.mark.parametrize("name", ["densenet121", "maxvit_t"])
def test_a_net_of_many_steps_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"has \d+ steps, of which 100 can be drawn: draw its"):
        plot_block(looked_at(name)[0], (3, 224, 224))


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "resnet18", "googlenet", "mobilenet_v2", "densenet121",
             "shufflenet_v2_x0_5"],
)  # fmt: skip
def test_fields_are_those_of_the_gradients(name: str) -> None:
    size = (3, 128, 128)
    net = positive(build(name).to_empty(device="cpu"))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    rows = [row for row in summary(net, size).rows if row.receptive_field is not None]
    last = {row.name: row for row in rows if len(row.output_shape) == 3}  # of several calls
    known = {name: row.receptive_field for name, row in last.items()
             if 1 < row.receptive_field < 96}  # fmt: skip
    assert len(known) >= 5
    every = max(1, len(known) // 5)
    names = list(known)[::every] + list(known)[-1:]
    measured = fields_by_gradient(net, list(dict.fromkeys(names)), size)
    assert measured == {name: (known[name], known[name]) for name in measured}


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5",
             "swin_t", "googlenet"],
)  # fmt: skip
def test_grad_cam_is_the_papers_formula(name: str) -> None:
    """Every family of which a member is small; in-place layers and sums in most of them.

    Of the kind of jacobgil/pytorch-grad-cam#296. From public reports also densenet121, whose
    `forward` rectifies the features in place (jacobgil/pytorch-grad-cam#147, frgfm/torch-cam#72),
    and mnasnet0_5 (jacobgil/pytorch-grad-cam#164).
    """
    torch.manual_seed(0)
    net = build(name, "cpu")
    images, targets = torch.rand(2, 3, 64, 64), torch.tensor([3, 7])
    layer = last_conv(net, images)
    assert layer == NETS[name][0]
    assert answer_rests_on(net, layer, (3, 64, 64))
    found = grad_cam(net, images, targets)
    torch.testing.assert_close(found, grad_cam_by_hand(net, images, targets, layer))
