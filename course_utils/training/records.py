"""Runs that were trained once and kept, so that a lesson can show them on any machine.

    from course_utils.training import records
    records.load("settled_resnet56").mean("train_loss")

`make records` trains them; each file says on which processor, with which versions and from
which commit it was made.
"""

import base64
import json
import statistics
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.tables import Cell, Table
from course_utils.training.experiments import RECORDS
from course_utils.training.history import History

__all__ = ["Difference", "RecordedRuns", "Spread", "compare", "load", "names", "table"]

SCHEMA = 1


class Spread(NamedTuple):
    """A mean over runs, and the standard deviation of a single run (with n - 1)."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.1%} ± {self.deviation:.1%}"


class Difference(NamedTuple):
    """How many more of the same test images one net classifies correctly than another.

    Attributes:
        mean: Difference of the mean accuracies.
        low: Lower end of the interval that holds 95 % of the bootstrap differences.
        high: Upper end of that interval.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} points ({100 * self.low:+.1f} to {100 * self.high:+.1f})"

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class RecordedRuns:
    """One experiment: the same training, once for each seed.

    Attributes:
        title: Its name in figures.
        experiment: Its settings, as they were in `experiments.toml`.
        num_parameters: Parameters of the model.
        histories: One per seed.
        test_accuracies: One per seed, in [0, 1], after the last epoch.
        cpu_seconds: One per seed: processor time of training and validation on `machine`, summed
            over all threads. Other programs on a busy machine do not count.
        machine: Processor, cores, versions and commit.
        right: (seeds, test images), bool: which of the images each run classifies correctly.
        trials: Learning rate -> validation accuracy of the run that tried it, None if it diverged;
            empty where the rate was not chosen.
    """

    title: str
    experiment: dict[str, Any]
    num_parameters: int
    histories: tuple[History, ...]
    test_accuracies: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    machine: dict[str, Any]
    right: Tensor
    trials: dict[float, float | None]

    @property
    def num_seeds(self) -> int:
        """Number of runs."""
        return len(self.histories)

    @property
    def lr(self) -> float:
        """Highest learning rate of the runs."""
        return self.histories[0].config.lr

    @property
    def tried(self) -> str:
        """The rates that were tried and how well each validated: `0.1: 61.7%, 0.2: diverged`."""
        return ", ".join(
            f"{lr:g}: {'diverged' if accuracy is None else f'{accuracy:.1%}'}"
            for lr, accuracy in self.trials.items()
        )

    @property
    def test_accuracy(self) -> Spread:
        """Accuracy on the test set, over the runs."""
        return spread(self.test_accuracies)

    @property
    def seconds(self) -> float:
        """Mean processor time of a run."""
        return statistics.mean(self.cpu_seconds)

    def mean(self, column: str) -> list[float]:
        """Return the mean over the runs of one value of each epoch, such as `train_loss`."""
        return [spread(values).mean for values in self._by_epoch(column)]

    def deviation(self, column: str) -> list[float]:
        """Return the standard deviation over the runs of one value of each epoch."""
        return [spread(values).deviation for values in self._by_epoch(column)]

    def final(self, column: str) -> Spread:
        """Return mean and standard deviation of one value after the last epoch."""
        return spread([history.column(column)[-1] for history in self.histories])

    def _by_epoch(self, column: str) -> list[tuple[float, ...]]:
        return list(zip(*(history.column(column) for history in self.histories), strict=True))


def spread(values: tuple[float, ...] | list[float]) -> Spread:
    """Return mean and standard deviation; a single value deviates by 0."""
    return Spread(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0)


def names() -> list[str]:
    """Return the names of all recorded experiments."""
    files = (entry.name for entry in RECORDS.iterdir())
    return sorted(name.removesuffix(".json") for name in files if name.endswith(".json"))


def load(name: str) -> RecordedRuns:
    """Return the recorded runs of one experiment.

    Raises:
        ValueError: There is no such record.
    """
    file = RECORDS.joinpath(f"{name}.json")
    if not file.is_file():
        raise ValueError(f"there is no record {name!r}: choose from {', '.join(names())}")
    return from_dict(json.loads(file.read_text("utf-8")))


def from_dict(content: dict[str, Any]) -> RecordedRuns:
    """Build the runs from the content of a record's file.

    Raises:
        ValueError: The file comes from another version of the course, or holds no run.
    """
    whole = content.get("runs") and content.get("num_test")
    if content.get("schema") != SCHEMA or not whole:
        raise ValueError("this record is empty or from another version: run `make records`")
    runs = content["runs"]
    return RecordedRuns(
        title=content["experiment"]["title"],
        experiment=content["experiment"],
        num_parameters=content["num_parameters"],
        histories=tuple(History.from_json(json.dumps(run["history"])) for run in runs),
        test_accuracies=tuple(run["test_accuracy"] for run in runs),
        cpu_seconds=tuple(run["cpu_seconds"] for run in runs),
        machine=content["machine"],
        right=_right_answers(runs, content["num_test"]),
        trials={trial["lr"]: trial["val_accuracy"] for trial in content.get("tuning", [])},
    )


def _right_answers(runs: list[dict[str, Any]], num_images: int) -> Tensor:
    """Unpack which images each run classifies correctly; a file keeps one bit per image."""
    packed = (np.frombuffer(base64.b64decode(run["test_right"]), np.uint8) for run in runs)
    return torch.stack(
        [torch.from_numpy(np.unpackbits(bits, count=num_images)).bool() for bits in packed]
    )


NUM_RESAMPLES, AT_ONCE = 4000, 500


def compare(one: RecordedRuns, other: RecordedRuns) -> Difference:
    """Return how much better one record's net is than another's, on the same test images.

    The interval comes from a bootstrap over images and seeds. Images are drawn with replacement,
    the same for both nets, so that an image that is hard for both counts for neither; the runs of
    each net are drawn with replacement, too. The interval is the same each time.

    Args:
        one: The record whose net is better if the difference is above 0.
        other: The record to compare it with.

    Raises:
        ValueError: The test sets differ.

    Source: Efron and Tibshirani 1993, chapters 8 and 13 (bootstrap; percentile interval).
    """
    if one.right.shape[1] != other.right.shape[1]:
        sizes = f"{one.right.shape[1]} and {other.right.shape[1]}"
        raise ValueError(f"records of different test sets ({sizes} images) cannot be compared")
    generator = torch.Generator().manual_seed(0)
    num_images = one.right.shape[1]
    nets = [runs.right.float().T for runs in (one, other)]  # each (images, seeds)
    blocks: list[list[Tensor]] = [[], []]
    for _ in range(NUM_RESAMPLES // AT_ONCE):
        drawn = torch.randint(num_images, (AT_ONCE, num_images), generator=generator)
        weights = torch.zeros(AT_ONCE, num_images).scatter_add_(
            1, drawn, torch.ones(1).expand(drawn.shape) / num_images
        )
        for accuracies, right in zip(blocks, nets, strict=True):
            accuracies.append(weights @ right)  # (resamples, seeds)
    means = []
    for block in blocks:
        by_seed = torch.cat(block)  # (all resamples, seeds)
        seeds = torch.randint(by_seed.shape[1], by_seed.shape, generator=generator)
        means.append(by_seed.gather(1, seeds).mean(dim=1))
    low, high = torch.quantile(means[0] - means[1], torch.tensor([0.025, 0.975])).tolist()
    mean = one.right.float().mean() - other.right.float().mean()
    return Difference(mean.item(), low, high)


def table(*names: str) -> Table:
    """Return one row per experiment: size, mean accuracy over the seeds, time.

    Each row but the first says how many points it is ahead of the first, with the interval of
    `compare`.

    Raises:
        ValueError: There is no such record, or the test sets differ.
    """
    found = [load(name) for name in names]
    rows: list[tuple[Cell, ...]] = []
    for number, runs in enumerate(found):
        seeds = f"{runs.num_seeds} seed{'s' * (runs.num_seeds > 1)}"
        accuracy = f"{runs.test_accuracy.mean:.1%} ({seeds})"
        ahead = str(compare(runs, found[0])) if number else ""
        rows.append((runs.title, runs.num_parameters, accuracy, ahead, round(runs.seconds)))
    columns = ("model", "parameters", "test accuracy", "ahead of the first row by", "CPU seconds")
    num_images = found[0].right.shape[1]
    caption = f"Recorded runs, {num_images:,} test images; in brackets, the 95 % bootstrap interval"
    return Table(columns, tuple(rows), caption)
