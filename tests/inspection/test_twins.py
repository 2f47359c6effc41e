"""What is wrong with a model is named where it is."""

import pytest
import torch
from torch import nn

from course_utils import models
from course_utils.inspection import first_difference
from course_utils.models.resnet import BasicBlock
from course_utils.models.vgg import VGGBlock

IMAGES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def stage(**changes) -> nn.Sequential:
    """A VGG block and a linear layer, with something changed."""
    parts = {
        "conv1": nn.Conv2d(3, 4, 3, padding=1), "norm1": nn.BatchNorm2d(4), "act1": nn.ReLU(),
        "conv2": nn.Conv2d(4, 4, 3, padding=1), "norm2": nn.BatchNorm2d(4), "act2": nn.ReLU(),
        "pool": nn.MaxPool2d(2), "flatten": nn.Flatten(), "linear": nn.Linear(4 * 64, 5),
    }  # fmt: skip
    parts |= changes
    return nn.Sequential(*(part for part in parts.values() if part is not None))


def test_models_of_other_weights_and_names_are_the_same_network() -> None:
    torch.manual_seed(0)
    named = nn.Sequential(
        VGGBlock(3, 4, "3 3", True), nn.Sequential(nn.Flatten(), nn.Linear(256, 5))
    )
    assert first_difference(named, stage(), IMAGES) == ""
    for name in ("vgg_small", "resnet_small", "googlenet_small"):
        images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        assert first_difference(models.build(name), models.build(name), images) == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pool": None}, "your model stops after layer 4 (4): mat1 and mat2 shapes"),
        ({"pool": None, "linear": nn.Linear(1024, 5)}, "layer 5 (7 = Linear(in_features=1024"),
        ({"pool": nn.Identity(), "conv1": nn.Conv2d(3, 4, 3, 2, 1)}, "look at its stride"),
        ({"conv1": nn.Conv2d(3, 8, 3, padding=1), "norm1": nn.BatchNorm2d(8),
          "conv2": nn.Conv2d(8, 4, 3, padding=1)}, "your layer 1 is 0 = Conv2d(3, 8"),
        ({"conv1": nn.Conv2d(3, 4, 3, padding=1, bias=False)}, "expected Conv2d(3, 4"),
        ({"norm2": None}, "your layer 4 (7 = Linear"),
        ({"linear": nn.Linear(256, 10)}, "your layer 5 is 8 = Linear"),
        ({"linear": None}, "your model ends after layer 4: Linear(in_features=256"),
        ({"more": nn.Linear(5, 5)}, "should end after layer 5: 9 = Linear"),
        ({"act1": nn.Sigmoid()}, "your layer 3 (3) gets other numbers: look at the activation"),
        ({"act2": None}, "your layer 5 (7) gets other numbers"),
        ({"pool": nn.AvgPool2d(2)}, "your layer 5 (8) gets other numbers"),
        ({"norm1": nn.BatchNorm2d(4, eps=1.0)}, "your layer 2 (1 = BatchNorm2d(4, eps=1.0"),
        ({"softmax": nn.Softmax(dim=1)}, "your output differs: look at what follows layer 5 (8)"),
        ({"flatten": nn.Flatten(0)}, "your model stops after layer 4 (4): "),
        ({"conv1": nn.Conv2d(3, 4, 3), "pool": None}, "your layer 1 (0 = Conv2d(3, 4"),
        ({"conv1": nn.Conv2d(1, 4, 3)}, "your model stops after the image: Given groups=1"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_difference_is_named_where_it_is(changes, sentence: str) -> None:
    torch.manual_seed(0)
    assert sentence in first_difference(stage(**changes), stage(), IMAGES)


class NoSum(BasicBlock):
    def forward(self, x):
        f = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(f)))


class EarlyReLU(BasicBlock):
    def forward(self, x):
        f = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(f))) + self.shortcut(x)


class SpareLayer(BasicBlock):
    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.spare = nn.Linear(2, 2)


def net(block) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(block(3, 3), nn.Conv2d(3, 4, 1))


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (NoSum, "your layer 5 (1) gets other numbers"),
        (EarlyReLU, "your layer 5 (1) gets other numbers"),
        (SpareLayer, "is a layer never used?"),
    ],
)
def test_a_wrong_block_is_found_though_its_layers_are_right(block, sentence: str) -> None:
    assert sentence in first_difference(net(block), net(BasicBlock), IMAGES)


def test_an_output_that_is_no_tensor_or_of_another_shape() -> None:
    class Tupled(nn.Module):
        def forward(self, x):
            return x, x

    assert "returns tuple" in first_difference(Tupled(), nn.Identity(), IMAGES)
    assert "expected (2, 3, 16, 16)" in first_difference(nn.Flatten(), nn.Identity(), IMAGES)


def test_both_models_stay_as_they_are() -> None:
    mine, right = stage().train(), stage().train()
    before = [value.clone() for model in (mine, right) for value in model.state_dict().values()]
    first_difference(mine, right, IMAGES)
    after = [value for model in (mine, right) for value in model.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert mine.training and right.training
    assert not any(layer._forward_hooks for layer in [*mine, *right])
