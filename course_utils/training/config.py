"""What a training run is told: one frozen dataclass."""

import dataclasses
from dataclasses import dataclass
from typing import Any

SCHEDULES = ("one-cycle", "cosine", "step", "constant")
OPTIMIZERS = ("sgd", "adamw")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training run. They say what is computed, never where files go.

    The batch size is not among them: it belongs to the loaders, and always means the pictures
    behind one update, however many pieces or processes share them.

    Attributes:
        epochs: Passes over the training part.
        lr: Highest learning rate of the schedule.
        schedule: ``one-cycle``, ``cosine``, ``step`` or ``constant``; see ``schedules``.
        warmup: Part of all steps in which the rate rises linearly to ``lr``, in [0, 1).
            None means 0.3 for one-cycle and 0 for the others.
        milestones: Of the step schedule: the parts of the run after which the rate falls.
        decay: Of the step schedule: what the rate is multiplied by at each milestone.
        optimizer: ``sgd`` or ``adamw``.
        momentum: Of SGD.
        nesterov: Of SGD: look ahead along the momentum.
        weight_decay: Pulls weights towards zero; norms and biases are left out.
        label_smoothing: Part of the target spread evenly over all classes, in [0, 1).
        clip_norm: Largest norm of the whole gradient; None does not clip.
        ema: Decay per step of the moving average of the weights, in [0, 1). 0 is off; when on,
            the average is what is validated and what the model holds in the end.
        auxiliary_weight: Weight of the loss of each auxiliary head.
        precision: ``auto``, ``float32``, ``bfloat16`` or ``float16``; see ``precision``.
        channels_last: Keep pictures and filters as NHWC in memory. Shapes stay NCHW.
        compile: Compile the model with ``torch.compile``.
        accumulate: Pieces that each batch is cut into, to save memory. The update is that of
            the whole batch, but BatchNorm sees the pieces.
        seed: Of the random numbers drawn while training, such as dropout's. The order of the
            pictures comes from the loaders' own generator.
    """

    epochs: int = 5
    lr: float = 0.05
    schedule: str = "one-cycle"
    warmup: float | None = None
    milestones: tuple[float, ...] = (0.5, 0.75)
    decay: float = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    ema: float = 0.0
    auxiliary_weight: float = 0.3
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    accumulate: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, f"epochs is {self.epochs}: train for at least 1")
        _require(self.lr > 0, f"lr is {self.lr}: use a positive learning rate")
        _require(
            self.weight_decay >= 0,
            f"weight_decay is {self.weight_decay}: use 0 for none, or a positive value",
        )
        _require(self.accumulate >= 1, f"accumulate is {self.accumulate}: use 1 or more pieces")
        _require(
            self.clip_norm is None or self.clip_norm > 0,
            f"clip_norm is {self.clip_norm}: use a positive norm, or None",
        )
        _require(
            not self.nesterov or self.momentum > 0 or self.optimizer != "sgd",
            "nesterov=True needs a momentum above 0: set nesterov=False for plain SGD",
        )
        self._check_choices()
        self._check_fractions()

    def _check_choices(self) -> None:
        choices = {"schedule": SCHEDULES, "optimizer": OPTIMIZERS, "precision": PRECISIONS}
        for field, allowed in choices.items():
            value = getattr(self, field)
            _require(value in allowed, f"{field} is {value!r}: use one of {', '.join(allowed)}")

    def _check_fractions(self) -> None:
        for field in ("warmup", "momentum", "label_smoothing", "ema"):
            value = getattr(self, field)
            in_range = value is None or 0 <= value < 1
            _require(in_range, f"{field} is {value}: use a value from 0 up to, but not, 1")
        ascending = tuple(sorted(self.milestones)) == self.milestones
        _require(
            ascending and all(0 < part < 1 for part in self.milestones),
            f"milestones are {self.milestones}: use ascending parts of the run, as (0.5, 0.75)",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name, ready for JSON."""
        return dataclasses.asdict(self) | {"milestones": list(self.milestones)}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "TrainConfig":
        """Build the settings from what ``to_dict`` gave; a missing one takes its default.

        Raises:
            ValueError: A name is unknown, or a value out of range.
        """
        unknown = sorted(set(settings) - {field.name for field in dataclasses.fields(cls)})
        _require(not unknown, f"unknown settings of a training run: {', '.join(unknown)}")
        milestones = tuple(settings.get("milestones", cls.milestones))
        return cls(**(settings | {"milestones": milestones}))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
