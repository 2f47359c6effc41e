import dataclasses

import pytest

from course_utils.training import TrainConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs is 0: train for at least 1"),
        ({"lr": -0.1}, "lr is -0.1: use a positive learning rate"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0: use a positive norm, or None"),
        ({"momentum": 0.0}, "nesterov=True needs a momentum above 0"),
        ({"schedule": "linear"}, "schedule is 'linear': use one of one-cycle, cosine, step"),
        ({"optimizer": "adam"}, "optimizer is 'adam': use one of sgd, adamw"),
        ({"precision": "half"}, "precision is 'half': use one of auto, float32"),
        ({"warmup": 1.0}, "warmup is 1.0: use a value from 0 up to, but not, 1"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"weight_decay": -1e-4}, "weight_decay is -0.0001"),
        ({"milestones": (0.75, 0.5)}, "milestones are"),
        ({"milestones": (30, 60)}, "milestones are"),
    ],
)
def test_bad_values_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**settings)


def test_adamw_and_plain_sgd_are_allowed():
    assert TrainConfig(optimizer="adamw", momentum=0.0).optimizer == "adamw"
    assert TrainConfig(momentum=0.0, nesterov=False).momentum == 0.0


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().lr = 1.0


def test_round_trip_through_plain_data():
    config = TrainConfig(epochs=3, schedule="step", milestones=(0.25,), clip_norm=1.0)
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_missing_settings_take_their_defaults():
    assert TrainConfig.from_dict({"epochs": 3}) == TrainConfig(epochs=3)


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match="unknown settings of a training run: rate"):
        TrainConfig.from_dict({"rate": 0.1})
