"""Experiments as data: what is trained, on what, how, and with which seeds.

The experiments that the lessons show as recorded runs are rows of `records/experiments.toml`;
`tools/record.py` trains them, and `records` reads the results.
"""

import tomllib
from typing import Any, NamedTuple

import msgspec
import torch
from torch import nn

from course_utils import data, models
from course_utils.data import DataInfo, Loaders
from course_utils.models.pretrained import RECORDS
from course_utils.models.registry import lookup
from course_utils.runtime import Profile, profile, seed_everything
from course_utils.training.config import TrainConfig

__all__ = ["RECORDS", "Experiment", "Run", "experiments", "read_row"]


class Run(NamedTuple):
    """What `fit` needs."""

    model: nn.Module
    loaders: Loaders
    config: TrainConfig


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: everything that a run depends on, except its seed.

    Attributes:
        name: Name of the record's file.
        title: Its name in figures.
        model: A name in the zoo.
        data: A data set, as `data.load` takes it.
        epochs: Passes over the training set.
        batch_size: Images per update.
        lr: Highest learning rate.
        limit: Training images used; 0 means all. Validation and test set stay whole.
        switches: The model's own options.
        augment: Fields of `data.Augment`.
        config: Further fields of `TrainConfig`.
        seeds: One run each.
        rates: Learning rates to choose from on the validation set, instead of `lr`.
        tuning_epochs: Epochs of each of the runs that choose.
        keep_weights: Whether the weights of the first seed's run are kept, too.
    """

    name: str
    title: str
    model: str
    data: str
    epochs: int
    batch_size: int
    lr: float
    limit: int = 0
    switches: dict[str, Any] = {}
    augment: dict[str, Any] = {}
    config: dict[str, Any] = {}
    seeds: tuple[int, ...] = (0, 1, 2)
    rates: tuple[float, ...] = ()
    tuning_epochs: int = 0
    keep_weights: bool = False

    def prepare(self, seed: int, device: torch.device | str = "cpu") -> Run:
        """Return a fresh model, the data and the settings of the run with one seed.

        The seed decides the order of the images, the initial weights and dropout's draws.

        Raises:
            ValueError: Something in the row does not exist or is out of range.
        """
        loaders = data.load(
            self.data,
            batch_size=self.batch_size,
            device=device,
            augment=data.Augment(**self.augment),
            generator=seed_everything(seed),
            limit=self.limit or None,
            limit_evaluation=False,
        )
        model = models.build(self.model, **self.building(loaders.info))
        config = TrainConfig(epochs=self.epochs, lr=self.lr, seed=seed, **self.config)
        return Run(model.to(device), loaders, config)

    def building(self, info: DataInfo) -> dict[str, Any]:
        """Return what `models.build` takes besides the model's name."""
        channels, size, _ = info.image_shape
        sized = {"image_size": size} if "image_size" in lookup(self.model).switches else {}
        given = {"in_channels": channels, "num_classes": info.num_classes}
        return given | sized | self.switches

    def to_dict(self) -> dict[str, Any]:
        """Return the row by name, ready for JSON."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row

    def is_that_of(self, record: dict[str, Any]) -> bool:
        """Return whether a record, as in its file, was made with these settings.

        Seeds and rates can be added to a record, so any will do.
        """
        try:
            stored = msgspec.convert(record["experiment"], Experiment)
        except msgspec.ValidationError:  # it names a setting that is gone
            return False
        return msgspec.structs.replace(stored, seeds=self.seeds, rates=self.rates) == self


def experiments() -> dict[str, Experiment]:
    """Return every experiment of `records/experiments.toml` by name.

    What a row leaves out comes from the laptop profile.

    Raises:
        ValueError: As for `read_row`.
    """
    rows = tomllib.loads(RECORDS.joinpath("experiments.toml").read_text("utf-8"))
    settings = profile(name="laptop")
    return {name: read_row(name, row, settings) for name, row in rows.items()}


def read_row(name: str, row: dict[str, Any], settings: Profile) -> Experiment:
    """Turn one table of the file into an experiment.

    Raises:
        ValueError: A field is unknown, missing or of another type.
    """
    shared = ("data", "epochs", "batch_size", "lr", "limit")
    defaults = {key: getattr(settings, key) for key in shared}
    try:
        return msgspec.convert({"name": name} | defaults | row, Experiment)
    except msgspec.ValidationError as error:
        raise ValueError(f"experiments.toml, [{name}]: {error}") from error
