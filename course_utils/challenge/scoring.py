"""The challenge itself: count, train and classify, from a recording, without the entry's code."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from course_utils.arguments import as_path, positive, whole
from course_utils.challenge.entry import Entry, Refused, read_entry
from course_utils.challenge.recording import SHAPE, Counter, Replay, record
from course_utils.checks import seed_of
from course_utils.data import Augment, Loaders, ShapesConfig, load, make_shapes
from course_utils.runtime import seed_everything
from course_utils.training import DivergenceError, History, TrainConfig, fit

__all__ = ["Answers", "Rules", "draw_test", "practise", "prepared", "score"]

TRAINING_SEED = 2015  # of the training images, which everybody knows
PRACTICE = "practice"  # stands where a teacher has a secret
AT_ONCE = 100  # test images drawn from one seed: torch's seeds have only 32 bits


@dataclass(frozen=True)
class Rules:
    """The rules of a challenge.

    Args:
        multiply_adds: The most that one image may take.
        seconds: The most processor time that training may take.
        num_train: Training images.
        num_test: Test images, a multiple of 100.

    Raises:
        ValueError: One of them is out of range.
    """

    multiply_adds: int = 15_000_000
    seconds: float = 120
    num_train: int = 1600
    num_test: int = 4000

    def __post_init__(self) -> None:
        positive("seconds", self.seconds)
        for name in ("multiply_adds", "num_train", "num_test"):
            whole(name, getattr(self, name))


@dataclass(frozen=True)
class Answers:
    """What an entry's net predicts for the test images, and what it took.

    Args:
        classes: (N,) the class predicted for each image.
        multiply_adds: For an image.
        seconds: Of processor time for training.
        share: How much of the training that the entry asks for was done in time, in [0, 1].
    """

    classes: Tensor
    multiply_adds: int
    seconds: float
    share: float


def draw_test(secret: str, num: int) -> tuple[Tensor, Tensor]:
    """Draw test images (N, 3, 32, 32) in bytes, and their labels (N,).

    Args:
        secret: Without it, nobody can draw these images.
        num: How many, a multiple of 100.
    """
    parts = [
        make_shapes(AT_ONCE, ShapesConfig(), Generator().manual_seed(seed_of(f"{secret}|{place}")))
        for place in range(num // AT_ONCE)
    ]
    return torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])


def prepared(entry: Entry, rules: Rules) -> dict[str, Any]:
    """Build an entry's net and return its recording, with the entry's settings.

    Raises:
        Refused: The net or a setting is not what it must be.
    """
    if entry.batch_size < 2 or rules.num_train % entry.batch_size:
        raise Refused(
            f"batch_size = {entry.batch_size} does not divide the {rules.num_train:,} training "
            "images: take 16, 32 or 64"
        )
    seed_everything(entry.config.seed)
    try:
        model = entry.build()
    except (Exception, SystemExit) as error:
        raise Refused(f"build() stops with {type(error).__name__}: {error}") from None
    augment = entry.augment and dataclasses.asdict(entry.augment)
    settings = {"config": entry.config.to_dict(), "augment": augment}
    return record(model, entry.batch_size) | settings


def score(recording: dict[str, Any], rules: Rules, images: Tensor, secret: str) -> Answers:
    """Count, train, and classify images, each by itself.

    Args:
        recording: What `prepared` returned.
        rules: The rules.
        images: (N, 3, 32, 32), bytes.
        secret: What the order of the training images and the shuffling of weights are drawn from.

    Raises:
        Refused: The net is over the budget, diverges, or brings its weights along.
    """
    count = _counted(recording, rules)
    net, dice = Replay(recording), Generator().manual_seed(seed_of(f"{secret}|training"))
    net.shuffle(dice)
    loaders = _loaders(recording, rules, dice)
    config = dataclasses.replace(
        TrainConfig.from_dict(recording["config"]),
        precision="float32", channels_last=False, compile=False, accumulate=1,
    )  # fmt: skip
    stop = _Stop(rules.seconds)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        history = fit(net, loaders, config, on_epoch_end=[stop])
        if history.interrupted and not stop.is_over:
            raise KeyboardInterrupt
        seconds = stop.seconds
        classes = _classified(net, loaders, images)
    except DivergenceError as error:
        raise Refused(f"its training diverges: {error}") from None
    finally:
        torch.set_num_threads(threads)
    return Answers(classes, count, seconds, stop.share)


def _counted(recording: dict[str, Any], rules: Rules) -> int:
    """Return the multiply-adds of one image, and look at what runs in training.

    Raises:
        Refused: They are over the budget, or something runs that cannot be counted.
    """
    trial, counter = Replay(recording), Counter()
    image, batch = (torch.zeros(num, *SHAPE) for num in (1, recording["batch_size"]))
    with torch.no_grad():
        with counter:
            trial.run("eval", image)
        if counter.total > rules.multiply_adds:
            name, most = max(counter.parts.items(), key=lambda part: part[1])
            raise Refused(
                f"it needs {counter.total:,} multiply-adds for an image ({most:,} of them in "
                f"{name}), over the budget of {rules.multiply_adds:,}"
            )
        with Counter():
            trial.run("train", batch)
    return counter.total


def _loaders(recording: dict[str, Any], rules: Rules, dice: Generator) -> Loaders:
    """Return the training images, the same for everybody, and a few for `fit` to validate on."""
    augment = recording["augment"] and Augment(**recording["augment"])
    loaders = load(
        "shapes", batch_size=recording["batch_size"], augment=augment, generator=dice,
        val_fraction=0, num_train=rules.num_train, num_test=20, seed=TRAINING_SEED,
    )  # fmt: skip
    return dataclasses.replace(loaders, val=loaders.test)


@torch.no_grad()
def _classified(net: Replay, loaders: Loaders, images: Tensor) -> Tensor:
    """Return the class of each image.

    Raises:
        Refused: A logit is NaN or infinite, or the net keeps something from one image for the next.
    """
    labels = torch.zeros(len(images), dtype=torch.int64)
    batches = loaders.test.with_options(images=images, labels=labels)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    logits = torch.cat([net.eval()(batch) for batch, _ in batches])
    if not all(torch.equal(before[name], value) for name, value in net.state_dict().items()):
        raise Refused(
            "it changes its own numbers while it classifies: each image is classified by itself"
        )
    if not bool(logits.isfinite().all()):
        raise Refused("some of its logits are NaN or infinite")
    return logits.argmax(dim=1)


class _Stop:
    """A callback that ends training once its processor time is used up."""

    def __init__(self, seconds: float) -> None:
        self.most, self.start = seconds, time.process_time()
        self.seconds, self.share, self.is_over = 0.0, 0.0, False

    def on_step(self, step: int, num_steps: int) -> None:
        self.seconds, self.share = time.process_time() - self.start, step / num_steps
        self.is_over = self.seconds >= self.most and step < num_steps
        if self.is_over:
            raise KeyboardInterrupt  # by which `fit` ends a run, and leaves the net usable

    def __call__(self, history: History) -> None:
        pass


def practise(file: str | Path, rules: Rules = Rules()) -> float:
    """Score an entry at home, on practice images that everybody may see; print how it went.

    Args:
        file: The entry.
        rules: The rules, if not the usual ones.

    Returns:
        The accuracy on the practice images, in [0, 1].

    Raises:
        Refused: The challenge would refuse it.
        ValueError: There is no such file.
    """
    path = as_path(file, "file")
    if not path.is_file():
        raise ValueError(f"there is no file {path}: exercise 15 says how to write an entry")
    recording = prepared(read_entry(path.read_text("utf-8")), rules)
    images, labels = draw_test(PRACTICE, rules.num_test)
    answers = score(recording, rules, images, PRACTICE)
    accuracy = float((answers.classes == labels).double().mean())
    error = (accuracy * (1 - accuracy) / len(labels)) ** 0.5
    print(f"{accuracy:.1%} ± {error:.1%} of {len(labels):,} practice images correct")
    print(f"{answers.multiply_adds:,} multiply-adds of {rules.multiply_adds:,} allowed")
    print(f"{answers.seconds:.0f} seconds of processor time, of {rules.seconds:g} allowed")
    if answers.share < 1:
        print(f"training was stopped after {answers.share:.0%} of its steps: ask for fewer epochs")
    return accuracy
