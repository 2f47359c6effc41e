"""The training loop: `fit` runs it, `Trainer` is it."""

import time
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from course_utils.training.callbacks import EpochCallback, WatchesSteps
from course_utils.training.config import TrainConfig
from course_utils.training.evaluation import evaluate
from course_utils.training.history import EpochRecord, History
from course_utils.training.interfaces import Batches, Loaders
from course_utils.training.losses import losses, main_logits
from course_utils.training.metrics import Meter, Metrics, averages
from course_utils.training.optimizers import build_optimizer
from course_utils.training.precision import autocast, choose_precision, precision_name
from course_utils.training.schedules import learning_rate


def fit(
    model: nn.Module,
    loaders: Loaders,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen, so shared without harm
    *,
    device: torch.device | str | None = None,
    on_epoch_end: Iterable[EpochCallback] = (),
) -> History:
    """Train a model on ``loaders.train`` and watch it on ``loaders.val``.

    ``fit`` neither prints nor plots; what should happen after each epoch is handed to it. It
    leaves the model on the device, in evaluation mode. Interrupting it (Ctrl-C, or the stop
    button of a notebook) ends the run early: the model is usable, and the history says so.

    Args:
        model: Returns logits (N, num_classes), or a NamedTuple whose first field they are.
        loaders: ``train`` and ``val`` are used; ``test`` is not touched.
        config: The settings of the run.
        device: Where to train; None means where the pictures are.
        on_epoch_end: Called with the history after each epoch, in turn. One that has a method
            ``on_step(step, num_steps)`` is also told of each step.

    Returns:
        The history of the finished epochs.

    Raises:
        ValueError: There is nothing to train, or nothing to train on.
    """
    device = torch.device(device) if device is not None else _device_of_data(loaders)
    trainer = Trainer(model, loaders, config, device, on_epoch_end)
    try:
        for _ in range(config.epochs):
            trainer.run_epoch()
    except KeyboardInterrupt:
        trainer.history.interrupted = True
    model.eval()
    return trainer.history


class Trainer:
    """One run of training: a model, its data, its optimizer, and how far it has come."""

    def __init__(
        self,
        model: nn.Module,
        loaders: Loaders,
        config: TrainConfig,
        device: torch.device,
        on_epoch_end: Iterable[EpochCallback] = (),
    ) -> None:
        _check_data(loaders)
        self.model = model.to(device)
        self.loaders = loaders
        self.config = config
        self.device = device
        self.dtype = choose_precision(config.precision, device)
        self.callbacks = tuple(on_epoch_end)
        self.optimizer = build_optimizer(model, config)
        self.step = 0
        self.num_steps = config.epochs * len(loaders.train)
        self.history = History(config, environment=self._describe())

    def run_epoch(self) -> None:
        """Train on every picture once, validate, record, and tell the callbacks."""
        start = time.perf_counter()
        train = self.train_epoch(self.loaders.train)
        trained = time.perf_counter()
        val = evaluate(self.model, self.loaders.val, precision=self.config.precision)
        record = EpochRecord(
            epoch=len(self.history) + 1,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            val_loss=val.loss,
            val_accuracy=val.accuracy,
            lr=self.optimizer.param_groups[0]["lr"],
            seconds=trained - start,
            val_seconds=time.perf_counter() - trained,
        )
        self.history.epochs.append(record)
        self.model.eval()
        for callback in self.callbacks:
            callback(self.history)

    def train_epoch(self, batches: Batches) -> Metrics:
        """Take one step for each batch."""
        self.model.train()
        meter = Meter()
        for images, labels in batches:
            self.train_step(images.to(self.device), labels.to(self.device), meter)
        return averages(meter.sums())

    def train_step(self, images: Tensor, labels: Tensor, meter: Meter) -> None:
        """Change the weights once, against the gradient of the loss on one batch.

        Args:
            images: (B, C, H, W).
            labels: (B,).
            meter: Takes in what the batch came to.
        """
        self.set_learning_rate()
        with autocast(self.device, self.dtype):
            outputs = self.model(images)
        loss_sums = losses(outputs, labels, self.config)
        self.optimizer.zero_grad()
        (loss_sums.objective / len(labels)).backward()
        self.optimizer.step()
        meter.add(loss_sums.cross_entropy, main_logits(outputs), labels)
        self.step += 1
        self.report_step()

    def set_learning_rate(self) -> None:
        """Give the optimizer the rate that the schedule has for this step."""
        lr = learning_rate(self.step, self.num_steps, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def report_step(self) -> None:
        """Tell those callbacks that asked for it how far the run has come."""
        for callback in self.callbacks:
            if isinstance(callback, WatchesSteps):
                callback.on_step(self.step, self.num_steps)

    def _describe(self) -> dict[str, str | int]:
        """Return where and with what this run computes."""
        return {
            "device": self.device.type,
            "precision": precision_name(self.dtype),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }


def _check_data(loaders: Loaders) -> None:
    for name, batches in (("train", loaders.train), ("val", loaders.val)):
        if not len(batches):
            raise ValueError(f"the {name} part of the data is empty: there is nothing to fit on")


def _device_of_data(loaders: Loaders) -> torch.device:
    """Return where the pictures are. Validation pictures are asked: they have a fixed order."""
    images, _ = next(iter(loaders.val))
    return images.device
