"""The loss around a model, held against functions that are known."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import models
from course_utils.inspection import landscape, loss_along, loss_surface, random_direction

IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
BATCHES = [(IMAGES[:4], LABELS[:4]), (IMAGES[4:], LABELS[4:])]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def convnet():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(4 * 36, 3),
    )  # fmt: skip


@pytest.fixture
def half_square(monkeypatch):
    """Take a loss in place of cross-entropy whose values are known by hand."""

    def loss(outputs, labels):
        return 0.5 * (outputs[:, 0] - labels).square().mean()

    monkeypatch.setattr(landscape, "cross_entropy", loss)


def one_weight(value):
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def test_every_filter_of_a_direction_has_the_norm_of_the_models_own():
    model = convnet()
    direction = random_direction(model, generator())
    assert set(direction) == {name for name, _ in model.named_parameters()}
    for name in ("0.weight", "5.weight"):
        own = model.get_parameter(name)
        torch.testing.assert_close(
            direction[name].flatten(1).norm(dim=1), own.flatten(1).norm(dim=1)
        )
        assert not torch.allclose(direction[name], own)
    for name in ("0.bias", "1.weight", "1.bias", "5.bias"):
        assert not direction[name].any()


def test_a_filter_normalised_by_hand():
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    drawn = torch.randn(2, 2, generator=generator(5))
    found = random_direction(model, generator(5))["weight"]
    torch.testing.assert_close(found[0], drawn[0] / drawn[0].norm() * 5)
    assert not found[1].any()  # a filter of zeros has no size to go by


def test_gains_of_weight_normalisation_are_not_moved():
    model = models.build("resnet_small", in_channels=1, num_classes=3, norm="weight")
    direction = random_direction(model, generator())
    gains = [step for name, step in direction.items() if name.endswith("weight.original0")]
    filters = [step for name, step in direction.items() if name.endswith("weight.original1")]
    assert gains and not any(step.any() for step in gains)
    assert filters and all(step.any() for step in filters)


def test_same_generator_same_direction():
    model = convnet()
    first, second, other = (random_direction(model, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first["0.weight"], second["0.weight"])
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_a_parabola_is_found_on_its_line(half_square):
    net, step = one_weight(3.0), {"weight": torch.tensor([[2.0]])}
    batches = [(torch.ones(1, 1), torch.tensor([5.0]))]
    # The loss is (3 + 2 a - 5)^2 / 2 = 2 (a - 1)^2.
    found = loss_along(net, batches, step, [-1.0, 0.0, 1.0, 2.5])
    assert found.tolist() == pytest.approx([8.0, 2.0, 0.0, 4.5])
    assert found.dtype == torch.float64


def test_a_paraboloid_is_found_on_its_plane_first_direction_across(half_square):
    net = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(net.weight)
    across, down = {"weight": torch.tensor([[1.0, 0.0]])}, {"weight": torch.tensor([[0.0, 1.0]])}
    batches = [(torch.tensor([[1.0, 3.0]]), torch.tensor([0.0]))]
    found = loss_surface(net, batches, (across, down), [-1.0, 0.0, 2.0])
    wanted = [[0.5 * (x + 3 * y) ** 2 for x in (-1, 0, 2)] for y in (-1, 0, 2)]
    torch.testing.assert_close(found.losses, torch.tensor(wanted, dtype=torch.float64))
    assert found.x.tolist() == found.y.tolist() == [-1.0, 0.0, 2.0]


def test_batches_count_by_their_pictures(half_square):
    net = one_weight(0.0)
    batches = [(torch.zeros(3, 1), torch.full((3,), 2.0)), (torch.zeros(1, 1), torch.zeros(1))]
    [found] = loss_along(net, batches, {}, [0.0])
    assert found == pytest.approx(3 * 2.0 / 4)


def test_an_iterator_of_batches_is_read_once(half_square):
    once = iter([(torch.ones(1, 1), torch.tensor([5.0]))])
    found = loss_along(one_weight(5.0), once, {}, [0.0, 1.0, 2.0])
    assert found.tolist() == [0.0, 0.0, 0.0]


def test_the_middle_is_the_models_own_loss_in_both_modes_of_batch_norm():
    model = convnet().eval()
    model[1].running_var.fill_(9.0)
    direction = random_direction(model, generator())
    own = F.cross_entropy(model(IMAGES), LABELS)
    found = loss_along(model, BATCHES, direction, [0.0])
    torch.testing.assert_close(found[0], own.detach().double())
    model[1].train()  # batch statistics, and dropout still off
    own = F.cross_entropy(model(IMAGES), LABELS)
    found = loss_along(model, [(IMAGES, LABELS)], direction, [0.0], training=True)
    torch.testing.assert_close(found[0], own.detach().double())


@pytest.mark.parametrize("norm", ["batch", "weight", "scaled_weight"])
def test_the_model_is_where_it_was_to_the_last_bit(norm):
    torch.manual_seed(0)
    model = models.build("resnet_small", in_channels=1, num_classes=3, norm=norm).train()
    images = torch.randn(4, 1, 28, 28, generator=generator())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parameters = [id(parameter) for parameter in model.parameters()]
    pair = (random_direction(model, generator(1)), random_direction(model, generator(2)))
    found = loss_surface(model, [(images, LABELS[:4])], pair, [0.3, 1.0])
    assert len(found.losses.unique()) > 1
    loss_along(model, [(images, LABELS[:4])], pair[0], [0.3], training=True)
    assert model.training and [id(parameter) for parameter in model.parameters()] == parameters
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_gradients_are_kept(monkeypatch):
    seen = []

    def watching(outputs, labels):
        seen.append(outputs.requires_grad)
        return F.cross_entropy(outputs, labels)

    monkeypatch.setattr(landscape, "cross_entropy", watching)
    loss_along(convnet(), BATCHES, {}, [0.0, 1.0])
    assert seen == [False] * 4


def test_what_is_missing_or_does_not_fit_is_named():
    model = convnet()
    with pytest.raises(ValueError, match="0 batches"):
        loss_along(model, [], {}, [0.0])
    with pytest.raises(ValueError, match="0 positions"):
        loss_along(model, BATCHES, {}, [])
    with pytest.raises(ValueError, match=r"'0.weight' is \(4,\), but the model has \(4, 1, 3, 3\)"):
        loss_along(model, BATCHES, {"0.weight": torch.zeros(4)}, [0.0])
    with pytest.raises(ValueError, match="no such parameter"):
        loss_surface(model, BATCHES, ({}, {"conv": torch.zeros(4)}), [0.0])
