import pytest
import torch
from torch import nn

from course_utils import models
from course_utils.training import TrainConfig
from course_utils.training.optimizers import build_optimizer, split_parameters


def names_of(model, parameters):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)] for parameter in parameters}


def test_norms_and_biases_are_not_decayed():
    model = nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 4, 3),
            "pointwise": nn.Conv2d(4, 4, 1),
            "batch": nn.BatchNorm2d(4),
            "group": nn.GroupNorm(2, 4),
            "layer": nn.LayerNorm([4, 8, 8]),
            "weighted": nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)),
            "linear": nn.Linear(4, 2),
        }
    )
    decayed, kept = split_parameters(model)
    assert names_of(model, decayed) == {
        "conv.weight",
        "pointwise.weight",
        "weighted.parametrizations.weight.original1",  # the direction, not the scale
        "linear.weight",
    }
    assert len(decayed) + len(kept) == len(list(model.parameters()))


@pytest.mark.parametrize("name", ["locally_connected", "resnet20", "densenet40", "vgg11_lrn"])
def test_of_the_courses_models_exactly_the_products_are_decayed(name):
    model = models.build(name, in_channels=3, num_classes=10)
    decayed, _ = split_parameters(model)
    products = {name for name, p in model.named_parameters() if p.dim() > 1 and "bias" not in name}
    assert names_of(model, decayed) == products


def test_frozen_parameters_are_left_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    decayed, kept = split_parameters(model)
    assert len(decayed) == len(kept) == 1
    with pytest.raises(ValueError, match="no trainable parameters"):
        build_optimizer(model.requires_grad_(False), TrainConfig())


def test_settings_reach_the_optimizer():
    model = nn.Linear(2, 2)
    sgd = build_optimizer(model, TrainConfig(momentum=0.8, nesterov=False, weight_decay=0.1))
    assert isinstance(sgd, torch.optim.SGD)
    assert [group["weight_decay"] for group in sgd.param_groups] == [0.1, 0.0]
    assert {(group["momentum"], group["nesterov"]) for group in sgd.param_groups} == {(0.8, False)}
    adamw = build_optimizer(model, TrainConfig(optimizer="adamw", weight_decay=0.1))
    assert isinstance(adamw, torch.optim.AdamW)
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.1, 0.0]
