"""The record of a training run, epoch by epoch, and its JSON form."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.arguments import as_path
from course_utils.training.config import TrainConfig

__all__ = ["EpochRecord", "History"]

SCHEMA = 1


@dataclass(frozen=True)
class EpochRecord:
    """The results of one epoch of training.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_loss: Cross-entropy averaged over the images as they were trained on: while the
            weights moved, with augmentation and dropout.
        train_accuracy: Share of the training images that were classified correctly then.
        val_loss: Cross-entropy averaged over the validation images, after the epoch.
        val_accuracy: Share of the validation images that are classified correctly.
        lr: Learning rate of the epoch's last step.
        seconds: Time spent training, without validation.
        val_seconds: Time spent on validation.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    val_seconds: float = 0.0


@dataclass
class History:
    """A training run: its settings, where it ran, and a record of each finished epoch.

    Attributes:
        config: The settings of the run.
        epochs: One record per finished epoch.
        interrupted: Whether the run was interrupted before its last epoch.
        environment: Where and with what it ran (device, precision, threads, versions); anything
            that JSON can hold may be added.
    """

    config: TrainConfig = field(default_factory=TrainConfig)
    epochs: list[EpochRecord] = field(default_factory=list)
    interrupted: bool = False
    environment: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of finished epochs."""
        return len(self.epochs)

    def column(self, name: str) -> list[float]:
        """Return one value of every epoch, such as `column("val_accuracy")`.

        Raises:
            ValueError: The records have no such field.
        """
        names = [field.name for field in dataclasses.fields(EpochRecord)]
        if name not in names:
            raise ValueError(f"a history has no column {name!r}: use one of {', '.join(names)}")
        return [getattr(record, name) for record in self.epochs]

    @property
    def seconds(self) -> float:
        """Time of the whole run, validation included."""
        return sum(record.seconds + record.val_seconds for record in self.epochs)

    def to_json(self) -> str:
        """Return the history as JSON text; a value that is not finite becomes null."""
        epochs = [dataclasses.asdict(record) for record in self.epochs]
        content = {
            "schema": SCHEMA,
            "config": self.config.to_dict(),
            "environment": self.environment,
            "interrupted": self.interrupted,
            "epochs": [{k: v if math.isfinite(v) else None for k, v in e.items()} for e in epochs],
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "History":
        """Build a history from the text that `to_json` returned; null becomes NaN.

        Raises:
            ValueError: The text is not the JSON of a history, or comes from a newer version.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"this is not JSON ({error})") from error
        if not isinstance(content, dict) or "schema" not in content:
            raise ValueError("this JSON is not a training history: it has no schema")
        if (schema := content["schema"]) != SCHEMA:
            reads = f"this version reads {SCHEMA}: update the course's package"
            raise ValueError(f"this history has schema {schema}, but {reads}")
        try:
            config = TrainConfig.from_dict(content["config"])
            records: list[dict[str, Any]] = [
                {k: math.nan if v is None else v for k, v in record.items()}
                for record in content["epochs"]
            ]
            epochs = [EpochRecord(**record) for record in records]
            return cls(config, epochs, content["interrupted"], content["environment"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this history is incomplete or not one of ours: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write the history to a JSON file; missing folders are created."""
        path = as_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Read a history from a file that `save` wrote.

        Raises:
            ValueError: The file holds no history; the message names it.
        """
        try:
            return cls.from_json(as_path(path).read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
