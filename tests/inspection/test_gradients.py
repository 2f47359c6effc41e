"""Gradients and spread by depth, held against nets that are worked out by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import models
from course_utils.inspection import (
    activation_spread,
    gradient_norms,
    layer_names,
    parameter_gradients,
)

IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def half_square(outputs, labels):
    """Mean of (output - label)^2 / 2: its gradient is the error itself."""
    return 0.5 * (outputs[:, 0] - labels).square().mean()


def chain(*weights):
    """Linear layers of one unit each: the output is the product of the weights times x."""
    layers = [nn.Linear(1, 1, bias=False) for _ in weights]
    for layer, weight in zip(layers, weights, strict=True):
        nn.init.constant_(layer.weight, weight)
    return nn.Sequential(*layers)


def convnet():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(4 * 36, 3),
    )  # fmt: skip


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_gradient_of_a_chain_is_the_product_of_the_other_weights():
    net = chain(2.0, 3.0, 5.0)
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([20.0, 70.0])
    # Outputs 30 and 60, errors 10 and -10: dL/dw1 = mean(error * 15 x) = (150 - 300) / 2.
    found = parameter_gradients(net, x, y, loss=half_square)
    values = [float(found[f"{i}.weight"]) for i in range(3)]
    assert values == pytest.approx([-75.0, -50.0, -30.0])
    norms = gradient_norms(net, x, y, loss=half_square)
    assert norms == pytest.approx({"0": 75.0, "1": 50.0, "2": 30.0})


def test_norm_of_a_block_is_taken_over_all_its_parameters():
    net = chain(2.0, 3.0, 5.0)
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([20.0, 70.0])
    blocks = nn.Sequential(net[:2], net[2:])
    norms = gradient_norms(blocks, x, y, layers=["1", "0", ""], loss=half_square)
    assert list(norms) == ["1", "0", ""]
    assert norms["0"] == pytest.approx(math.hypot(75, 50)) and norms["1"] == pytest.approx(30)
    assert norms[""] == pytest.approx(math.hypot(75, 50, 30))


def test_gradients_are_those_of_backward():
    model = convnet().train()
    model[3].eval()  # no dropout, as in what is tested
    found = parameter_gradients(model, IMAGES, LABELS)
    F.cross_entropy(model(IMAGES), LABELS).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad)


def test_frozen_parameters_are_left_out_and_unused_ones_are_zero():
    model = convnet()
    model.spare = nn.Linear(2, 2)
    model.forward = lambda x: nn.Sequential(*list(model)[:6])(x)
    model[0].requires_grad_(False)
    found = parameter_gradients(model, IMAGES, LABELS)
    assert "0.weight" not in found and not found["spare.weight"].any()
    with pytest.raises(ValueError, match=r"layer '0' \(Conv2d\) has no parameters to learn"):
        gradient_norms(model, IMAGES, LABELS, layers=["0"])


def test_spread_is_the_deviation_of_all_values_of_the_output():
    net = chain(2.0, -3.0)
    x = torch.tensor([[1.0], [3.0], [5.0], [7.0]])  # deviation sqrt(5)
    spread = activation_spread(net, x)
    assert spread == pytest.approx({"0": 2 * math.sqrt(5), "1": 6 * math.sqrt(5)})


def test_a_look_uses_the_statistics_of_the_batch():
    model = convnet().eval()
    model[1].running_var.fill_(4.0)
    batch = activation_spread(model, 10 * IMAGES, layers=["1"])["1"]
    assert batch == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("look", [gradient_norms, parameter_gradients])
def test_a_look_leaves_the_model_as_it_was_and_sees_the_same_again(look):
    model = convnet().eval()
    model[2].train()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before, modes = state(model), [module.training for module in model.modules()]
    with torch.no_grad():  # a lesson's cell may be under it
        first, second = (look(model, IMAGES, LABELS) for _ in range(2))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=0)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones(4, 1, 3, 3))
    assert model[5].weight.grad is None and not model[0]._forward_hooks


def test_the_model_is_restored_even_if_the_look_fails():
    model = convnet().eval()
    before = state(model)
    with pytest.raises(IndexError):
        gradient_norms(model, IMAGES, LABELS + 7)
    assert not model.training
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


class TwoHeads(nn.Module):
    """In training mode a second head reads the first layer, as in GoogLeNet."""

    def __init__(self):
        super().__init__()
        self.stem, self.main, self.head = (nn.Linear(1, 1, bias=False) for _ in range(3))
        for layer, weight in zip((self.stem, self.main, self.head), (1.0, 2.0, 10.0), strict=True):
            nn.init.constant_(layer.weight, weight)

    def forward(self, x):
        x = self.stem(x)
        return (self.main(x), self.head(x)) if self.training else self.main(x)


def test_auxiliary_heads_count_where_the_loss_says_so():
    model, x, y = TwoHeads(), torch.ones(1, 1), torch.zeros(1)

    def with_head(outputs, labels):
        return sum(w * half_square(o, labels) for w, o in zip((1, 0.3), outputs, strict=True))

    def without(outputs, labels):
        return half_square(outputs[0], labels)

    norms = gradient_norms(model, x, y, layers=["stem"], loss=without)
    assert norms["stem"] == pytest.approx(2 * 2)  # error times weight
    norms = gradient_norms(model, x, y, layers=["stem"], loss=with_head)
    assert norms["stem"] == pytest.approx(2 * 2 + 0.3 * 10 * 10)


def test_of_several_outputs_the_first_is_classified():
    class Pair(nn.Module):
        def forward(self, x):
            return self.head(x), -self.head(x)

    model = Pair()
    model.head = nn.Linear(2, 3)
    x = torch.ones(3, 2)
    found = parameter_gradients(model, x, LABELS[:3])["head.weight"]
    [wanted] = torch.autograd.grad(F.cross_entropy(model.head(x), LABELS[:3]), [model.head.weight])
    torch.testing.assert_close(found, wanted)


def test_layers_are_listed_by_kind():
    model = convnet()
    assert layer_names(model) == ["0", "5"]
    assert layer_names(model, nn.ReLU) == ["2"]
    assert layer_names(model, (nn.ReLU, nn.BatchNorm2d)) == ["1", "2"]
    weight_normed = models.build("resnet_small", in_channels=1, num_classes=3, norm="weight")
    assert "stem.0" in layer_names(weight_normed)
    with pytest.raises(ValueError, match="no layer of type Tanh, LSTM"):
        layer_names(model, (nn.Tanh, nn.LSTM))


def test_an_unknown_layer_is_answered_with_near_names():
    model = models.build("lenet5", in_channels=1, num_classes=3)
    with pytest.raises(ValueError, match=r"no layer 'feature.0': did you mean 'features.0'"):
        gradient_norms(model, torch.zeros(1, 1, 28, 28), LABELS[:1], layers=["feature.0"])
