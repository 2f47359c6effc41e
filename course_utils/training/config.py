"""The settings of a training run, and what follows: its learning rates and its optimizer."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from torch import nn, optim

from course_utils.arguments import flag, number, one_of, positive, share, whole

__all__ = ["Precision", "TrainConfig", "build_optimizer", "learning_rate"]

Schedule = Literal["one-cycle", "step", "constant"]
Optimizer = Literal["sgd", "adamw"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

MOST = 2**60  # of anything that is counted: torch counts in 64 bits
WARM_UP = 0.3  # of the steps of one-cycle
FIRST_RATE = 1 / 25  # of its highest rate
LAST_RATE = 1e-4  # of its highest rate
MILESTONES = (0.5, 0.75)  # of the steps of the step schedule
DECAY = 0.1  # of its rate, at each milestone

# Settings that are gone, with the values under which old runs equal runs of today.
DROPPED = {
    "warmup": None,
    "milestones": list(MILESTONES),
    "decay": DECAY,
    "label_smoothing": 0.0,
    "ema": 0.0,
}


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training run. They say what is computed, never where files go.

    The batch size is not among them: it belongs to the loaders, and always means the images per
    update, however many pieces or processes share them.

    Attributes:
        epochs: Passes over the training set.
        lr: Highest learning rate of the schedule.
        schedule: `one-cycle`, `step` or `constant`; see `learning_rate`.
        optimizer: `sgd` or `adamw`.
        momentum: SGD's momentum, in [0, 1).
        nesterov: Whether SGD looks ahead along the momentum.
        weight_decay: Pulls weights towards zero, but not biases and normalisation.
        clip_norm: Largest norm of the whole gradient; None for no clipping.
        auxiliary_weight: Weight of the loss of each auxiliary head.
        precision: `auto`, `float32`, `bfloat16` or `float16`; see `device.choose_precision`.
        channels_last: Whether images and filters are NHWC in memory. Shapes stay NCHW.
        compile: Whether to compile the model with `torch.compile`.
        accumulate: Pieces that each batch is cut into, to save memory. The update is that of
            the whole batch, but BatchNorm sees the pieces.
        seed: Seed of the random numbers drawn while training, such as dropout's. The order of the
            images comes from the loaders' own generator.

    Raises:
        ValueError: A value is of the wrong kind or out of range.
    """

    epochs: int = 5
    lr: float = 0.05
    schedule: Schedule = "one-cycle"
    optimizer: Optimizer = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    clip_norm: float | None = None
    auxiliary_weight: float = 0.3
    precision: Precision = "auto"
    channels_last: bool = True
    compile: bool = False
    accumulate: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if self.optimizer == "sgd" and self.nesterov and self.momentum == 0:
            raise ValueError(
                "nesterov=True needs a momentum above 0: set nesterov=False for plain SGD"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "TrainConfig":
        """Build the settings from what `to_dict` returned; a missing one takes its default.

        Raises:
            ValueError: A setting is unknown, or its value out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name, value in settings.items():
            if name not in known and (name not in DROPPED or value != DROPPED[name]):
                raise ValueError(f"{name} is {value!r}: this version has no such setting")
        return cls(**{name: settings[name] for name in settings.keys() & known})


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "epochs": partial(whole, most=MOST),
    "lr": positive,
    "schedule": partial(one_of, options=get_args(Schedule)),
    "optimizer": partial(one_of, options=get_args(Optimizer)),
    "momentum": share,
    "nesterov": flag,
    "weight_decay": partial(number, least=0),
    "clip_norm": lambda name, value: None if value is None else positive(name, value),
    "auxiliary_weight": partial(number, least=0),
    "precision": partial(one_of, options=get_args(Precision)),
    "channels_last": flag,
    "compile": flag,
    "accumulate": partial(whole, most=MOST),
    "seed": partial(whole, least=-MOST, most=MOST),
}


def learning_rate(step: int, num_steps: int, config: TrainConfig) -> float:
    """Return the learning rate of one step.

    `one-cycle` rises linearly to the highest rate over three tenths of the run, and falls along
    half a cosine. `step` is divided by 10 after half and after three quarters of the run.
    `constant` stays the same.

    Args:
        step: Number of the step, from 0 to `num_steps - 1`.
        num_steps: Steps in the whole run.
        config: The settings, of which `lr` and `schedule` are used.

    Raises:
        ValueError: The step is outside the run.

    Source: Smith and Topin 2017 (one-cycle); He et al. 2015, Section 4.2 (step: divided by 10
        at 32k and 48k of 64k iterations).
    Differs: one-cycle falls along a cosine, as in PyTorch, and does not change the momentum.
    """
    whole("step", step, 0, num_steps - 1)
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * DECAY ** sum(step >= part * num_steps for part in MILESTONES)
    rising = round(WARM_UP * num_steps)
    if step < rising:
        return config.lr * (FIRST_RATE + (1 - FIRST_RATE) * step / rising)
    fallen = (step - rising) / (num_steps - rising)  # in [0, 1)
    return config.lr * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * fallen)) / 2)


def build_optimizer(model: nn.Module, config: TrainConfig) -> optim.Optimizer:
    """Return SGD or AdamW over the trainable parameters of a model.

    Raises:
        ValueError: The model has nothing to train.
    """
    decayed, kept = split_parameters(model)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("this model has no trainable parameters")
    if config.optimizer == "adamw":
        return optim.AdamW(groups, lr=config.lr)
    return optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters to decay, and those to leave alone: biases and normalisation.

    The scale of a normalisation has one number per channel, whatever its shape: weight norm
    keeps it as (C, 1, 1, 1). Only LayerNorm may have one number per pixel. A bias is recognised
    by its name, since that of a locally connected layer has as many dimensions as an image.
    """
    layer_norms = [layer for layer in model.modules() if isinstance(layer, nn.LayerNorm)]
    norm_parameters = {id(p) for layer in layer_norms for p in layer.parameters()}
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_bias = name.rpartition(".")[2] == "bias"
        is_vector = parameter.numel() == max(parameter.shape, default=1)
        is_kept = is_bias or is_vector or id(parameter) in norm_parameters
        (kept if is_kept else decayed).append(parameter)
    return decayed, kept
