"""Runs that were trained once and kept, so that a lesson can show them on any machine.

    from course_utils.training import records
    records.load("resnet56").mean("train_loss")

`make records` trains them; each file says on which processor, with which versions and from
which commit it came.
"""

import json
import statistics
from dataclasses import dataclass
from typing import Any, NamedTuple

from course_utils.tables import Table
from course_utils.training.experiments import RECORDS
from course_utils.training.history import History

__all__ = ["RecordedRuns", "Spread", "load", "names", "table"]

SCHEMA = 1


class Spread(NamedTuple):
    """A mean over runs, and the standard deviation of a single run (n - 1 below the line)."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.1%} ± {self.deviation:.1%}"


@dataclass(frozen=True)
class RecordedRuns:
    """One experiment: the same training, once for each seed.

    Attributes:
        title: What a figure calls it.
        experiment: Its settings, as `experiments.toml` had them.
        num_parameters: Of the model.
        histories: One a seed.
        test_accuracies: One a seed, in [0, 1], after the last epoch.
        cpu_seconds: One a seed: processor time of training and validation on `machine`, all
            threads added up. Neighbours on a busy machine do not count in it.
        machine: Processor, cores, versions and commit.
    """

    title: str
    experiment: dict[str, Any]
    num_parameters: int
    histories: tuple[History, ...]
    test_accuracies: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    machine: dict[str, Any]

    @property
    def num_seeds(self) -> int:
        """Number of runs."""
        return len(self.histories)

    @property
    def test_accuracy(self) -> Spread:
        """Accuracy on the test part, over the runs."""
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
        """Return mean and deviation of one value after the last epoch."""
        return spread([history.column(column)[-1] for history in self.histories])

    def _by_epoch(self, column: str) -> list[tuple[float, ...]]:
        return list(zip(*(history.column(column) for history in self.histories), strict=True))


def spread(values: tuple[float, ...] | list[float]) -> Spread:
    """Return mean and standard deviation; one value alone deviates by 0."""
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
    if content.get("schema") != SCHEMA or not content.get("runs"):
        raise ValueError("this record is empty or of another version: run `make records`")
    runs = content["runs"]
    return RecordedRuns(
        title=content["experiment"]["title"],
        experiment=content["experiment"],
        num_parameters=content["num_parameters"],
        histories=tuple(History.from_json(json.dumps(run["history"])) for run in runs),
        test_accuracies=tuple(run["test_accuracy"] for run in runs),
        cpu_seconds=tuple(run["cpu_seconds"] for run in runs),
        machine=content["machine"],
    )


def table(*names: str) -> Table:
    """Return one row an experiment, as `load` finds it: size, accuracy over the seeds, time."""
    rows = []
    for runs in map(load, names):
        accuracy = f"{runs.test_accuracy} ({runs.num_seeds} seeds)"
        rows.append((runs.title, runs.num_parameters, accuracy, round(runs.seconds)))
    columns = ("model", "parameters", "test accuracy", "CPU seconds")
    return Table(columns, tuple(rows), "Recorded runs: mean and standard deviation of one run")
