"""What a run is told: settings that are checked, the learning rates and the optimizer they give."""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from course_utils import models
from course_utils.training import TrainConfig, learning_rate
from course_utils.training.config import DROPPED, build_optimizer, split_parameters


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs = 0 is too small: it must be at least 1"),
        ({"epochs": 2.5}, "epochs = 2.5 is not a whole number"),
        ({"lr": -0.1}, "lr = -0.1 is out of range: give a finite number"),
        ({"lr": math.nan}, "lr = nan is out of range: give a finite number"),
        ({"lr": math.inf}, "lr = inf is out of range: give a finite number"),
        ({"lr": "0.1"}, "lr = '0.1' is not a number"),
        ({"accumulate": 0}, "accumulate = 0"),
        ({"clip_norm": 0.0}, "clip_norm = 0.0 is out of range: give a number above 0"),
        ({"clip_norm": math.inf}, "clip_norm = inf is out of range: give a finite number"),
        ({"momentum": 0.0}, "nesterov=True needs a momentum above 0"),
        ({"momentum": 1.0}, "momentum = 1.0 leaves nothing: give a share below 1"),
        ({"momentum": None}, "momentum = None"),
        ({"nesterov": "no"}, "nesterov = 'no' is neither True nor False"),
        (
            {"schedule": "linear"},
            "schedule = 'linear' is unknown: choose from one-cycle",
        ),
        ({"optimizer": "adam"}, "optimizer = 'adam' is unknown: choose from sgd, adamw"),
        ({"precision": "half"}, "precision = 'half' is unknown: choose from auto, float32"),
        ({"weight_decay": -1e-4}, "weight_decay = -0.0001"),
        ({"weight_decay": math.nan}, "weight_decay = nan"),
        ({"auxiliary_weight": -0.3}, "auxiliary_weight = -0.3"),
        ({"channels_last": None}, "channels_last = None"),
        ({"compile": 2}, "compile = 2"),
        ({"seed": 0.5}, "seed = 0.5 is not a whole number"),
        ({"seed": 2**70}, "seed = 1180591620717411303424 is too large"),
    ],
)
def test_bad_values_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**settings)


def test_every_setting_is_checked():
    """Something that is no setting's value is refused by each of them."""
    for field in dataclasses.fields(TrainConfig):
        with pytest.raises(ValueError, match=f"^{field.name} = "):
            TrainConfig(**{field.name: ["nonsense"]})
        with pytest.raises(ValueError, match=f"^{field.name} = "):
            TrainConfig(**{field.name: torch.zeros(2)})


def test_adamw_and_plain_sgd_are_allowed():
    assert TrainConfig(optimizer="adamw", momentum=0.0).optimizer == "adamw"
    assert TrainConfig(momentum=0.0, nesterov=False).momentum == 0.0


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().lr = 1.0


def test_numbers_of_numpy_are_numbers():
    config = TrainConfig(epochs=np.int32(3), lr=np.float64(0.25), nesterov=np.bool_(False))
    assert config == TrainConfig(epochs=3, lr=0.25, nesterov=False)
    assert json.loads(json.dumps(config.to_dict()))["epochs"] == 3


def test_round_trip_through_plain_data():
    config = TrainConfig(epochs=3, schedule="step", clip_norm=1.0)
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_missing_settings_take_their_defaults():
    assert TrainConfig.from_dict({"epochs": 3}) == TrainConfig(epochs=3)


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match=r"rate is 0\.1: this version has no such setting"):
        TrainConfig.from_dict({"rate": 0.1})


def test_dropped_settings_are_read_where_they_change_nothing():
    """They are in what learners saved with an earlier version; no record names them any more."""
    assert TrainConfig.from_dict({"epochs": 3} | DROPPED) == TrainConfig(epochs=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("warmup", 0.1),
        ("milestones", [0.3]),
        ("decay", 0.2),
        ("label_smoothing", 0.1),
        ("ema", 0.99),
    ],
)
def test_dropped_settings_that_change_the_run_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*: this version has no such setting"):
        TrainConfig.from_dict({"epochs": 3, name: value})


# --- learning rates ----------------------------------------------------------------------------


def rates(num_steps, **settings):
    config = TrainConfig(lr=0.4, **settings)
    return [learning_rate(step, num_steps, config) for step in range(num_steps)]


def torchs_rates(num_steps, make):
    """What one of torch's schedulers sets at each step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    scheduler = make(optimizer)
    seen = []
    for _ in range(num_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_step_equals_torchs():
    theirs = torchs_rates(40, lambda o: lr_scheduler.MultiStepLR(o, milestones=[20, 30], gamma=0.1))
    assert rates(40, schedule="step") == pytest.approx(theirs)


def test_constant_stays():
    assert rates(7, schedule="constant") == [0.4] * 7


def test_one_cycle_rises_in_a_line_and_falls_along_a_cosine():
    ours = rates(100)
    assert ours[0] == pytest.approx(0.4 / 25)
    assert ours[30] == max(ours) == 0.4
    slopes = [after - before for before, after in pairwise(ours[:31])]
    assert slopes == pytest.approx([slopes[0]] * 30)
    assert ours[65] == pytest.approx(0.4 * (1 + 1e-4) / 2)  # half-way down
    assert all(after < before for before, after in pairwise(ours[30:]))
    assert 0 < ours[-1] < 0.001


SCHEDULES = st.sampled_from(["one-cycle", "step", "constant"])


@given(num_steps=st.integers(1, 100_000), part=st.floats(0, 1), schedule=SCHEDULES)
@example(num_steps=1, part=0.0, schedule="one-cycle")
@example(num_steps=2, part=1.0, schedule="one-cycle")
def test_every_rate_is_positive_and_at_most_the_highest(num_steps, part, schedule):
    step = min(int(part * num_steps), num_steps - 1)
    rate = learning_rate(step, num_steps, TrainConfig(lr=0.4, schedule=schedule))
    assert 0 < rate <= 0.4


@given(num_steps=st.integers(1, 2_000), schedule=SCHEDULES)
def test_a_rate_rises_at_most_until_the_highest_and_then_never_again(num_steps, schedule):
    ours = rates(num_steps, schedule=schedule)
    top = ours.index(max(ours))
    assert ours[: top + 1] == sorted(ours[: top + 1])
    assert ours[top:] == sorted(ours[top:], reverse=True)
    assert max(ours) == 0.4
    assert top == (round(0.3 * num_steps) if schedule == "one-cycle" else 0)


@given(num_steps=st.integers(1, 2_000), scale=st.floats(1e-6, 1e3), schedule=SCHEDULES)
def test_rates_are_in_proportion_to_the_highest(num_steps, scale, schedule):
    step = num_steps // 2
    one, scaled = (
        learning_rate(step, num_steps, TrainConfig(lr=lr, schedule=schedule)) for lr in (1, scale)
    )
    assert scaled == pytest.approx(scale * one)


@given(num_steps=st.integers(4, 2_000))
def test_a_step_schedule_has_three_rates(num_steps):
    assert sorted(set(rates(num_steps, schedule="step"))) == pytest.approx([0.004, 0.04, 0.4])


@given(num_steps=st.integers(1, 1_000), step=st.integers())
def test_only_steps_of_the_run_have_a_rate(num_steps, step):
    if 0 <= step < num_steps:
        assert learning_rate(step, num_steps, TrainConfig()) > 0
        return
    limit = "least 0" if step < 0 else f"most {num_steps - 1}"
    with pytest.raises(ValueError, match=rf"^step = {step} is too \w+: it must be at {limit}$"):
        learning_rate(step, num_steps, TrainConfig())


# --- the optimizer -----------------------------------------------------------------------------


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
