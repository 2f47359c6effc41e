"""The training loop: `fit` is the door, `Trainer` the machine behind it.

Read `Trainer` from `run` downwards: run, run_epoch, train_epoch, train_step. It is the loop of
lesson 07, with what a long run needs besides.
"""

import time
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from course_utils.training.averaging import WeightAverage
from course_utils.training.callbacks import EpochCallback
from course_utils.training.config import TrainConfig
from course_utils.training.distributed import World, current_world
from course_utils.training.evaluation import tally
from course_utils.training.history import EpochRecord, History
from course_utils.training.interfaces import Loaders
from course_utils.training.losses import losses, main_logits
from course_utils.training.metrics import Meter, averages, num_correct
from course_utils.training.optimizers import build_optimizer
from course_utils.training.placement import device_of_data, move_batch, move_model
from course_utils.training.precision import autocast, choose_precision, precision_name
from course_utils.training.randomness import Shuffler, seeded
from course_utils.training.resume import Saver
from course_utils.training.schedules import learning_rate
from course_utils.training.threads import limited_threads

# Reading the loss makes a program wait for its device; only the CPU has nothing to wait for.
LOSS_CHECKED_EVERY_STEP_ON = ("cpu",)
STEPS_BETWEEN_LOSS_CHECKS = 50


class DivergenceError(FloatingPointError):
    """The loss is no longer a number; the message says when, and what to try.

    Attributes:
        history: The epochs before that.
    """

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: nn.Module,
    loaders: Loaders,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen, so shared without harm
    *,
    device: torch.device | str | None = None,
    on_epoch_end: Iterable[EpochCallback] = (),
    checkpoint: str | Path | None = None,
    checkpoint_steps: int | None = None,
) -> History:
    """Train a model on ``loaders.train`` and watch it on ``loaders.val``.

    ``fit`` neither prints nor plots; what should happen after each epoch is handed to it. It
    leaves the model on the device, in evaluation mode, and everything else as it was. The same
    weights, loaders' generator and config give the same history, to the last bit on one
    machine with one number of threads.

    Interrupting it (Ctrl-C, or the stop button of a notebook) ends the run early: the model is
    usable, and the history says so. With a checkpoint folder, calling it again in the same way
    goes on from the last checkpoint, whatever ended the run, and comes to the same result as a
    run that was never stopped.

    Under ``torchrun`` each process calls it in the same way; see ``distributed``.

    Args:
        model: Returns logits (N, num_classes), or a NamedTuple whose first field they are.
        loaders: ``train`` and ``val`` are used; ``test`` is not touched.
        config: The settings of the run.
        device: Where to train; None means where the pictures are.
        on_epoch_end: Called with the history after each epoch, in turn. One that has a method
            ``on_step(step, num_steps)`` is also told of each step.
        checkpoint: A folder of this run's own, in which to save after each epoch, and from
            which to go on.
        checkpoint_steps: Save after so many steps, too; for epochs that take long.

    Returns:
        The history of the finished epochs.

    Raises:
        ValueError: There is nothing to train, nothing to train on, or the checkpoints in the
            folder belong to another run.
        DivergenceError: The loss became infinite or NaN.
    """
    device = torch.device(device) if device is not None else device_of_data(loaders)
    world = current_world()
    with (
        torch.enable_grad(),
        limited_threads(world.local_size),
        seeded(config.seed + world.rank, device),
    ):
        saver = None if checkpoint is None else Saver(checkpoint, checkpoint_steps)
        trainer = Trainer(model, loaders, config, device, world, on_epoch_end)
        if saver is not None:
            saver.resume(trainer)
        return trainer.run(saver)


class Trainer:
    """One run of training: a model, its data, its optimizer, and how far it has come."""

    def __init__(
        self,
        model: nn.Module,
        loaders: Loaders,
        config: TrainConfig,
        device: torch.device,
        world: World,
        on_epoch_end: Iterable[EpochCallback] = (),
    ) -> None:
        self.config, self.device, self.world = config, device, world
        self.dtype = choose_precision(config.precision, device)
        self.model = move_model(model, device, config.channels_last)
        network = world.wrap(self.model, device)
        self.network = cast(nn.Module, torch.compile(network)) if config.compile else network
        self.optimizer = build_optimizer(self.model, config)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)
        self.average = WeightAverage(self.model, config.ema) if config.ema else None

        _check_data(loaders)
        self.shuffler = Shuffler(loaders.train)
        self.train, self.val = world.share(loaders.train), world.share(loaders.val)
        self.steps_per_epoch = len(self.train)
        self.num_steps = config.epochs * self.steps_per_epoch
        world.check_agreement(self.steps_per_epoch, self.shuffler.state())

        self.on_epoch_end = tuple(on_epoch_end)
        self.on_step = [c.on_step for c in self.on_epoch_end if hasattr(c, "on_step")]
        self.history = History(config, environment=self.describe())
        self.step = 0  # steps done
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Set to zero what is counted in each epoch anew."""
        self.meter = Meter()
        self.shuffler.remember()
        self.epoch_started = time.perf_counter()

    def run(self, saver: Saver | None = None) -> History:
        """Train until the last epoch, or until interrupted."""
        try:
            while len(self.history) < self.config.epochs:
                self.run_epoch(saver)
        except KeyboardInterrupt:
            if self.world.size > 1:  # the other processes wait for this one: end them, too
                raise
            self.history.interrupted = True
        if self.average is not None:
            self.average.swap()
        self.model.eval()
        return self.history

    def run_epoch(self, saver: Saver | None = None) -> None:
        """Train on every picture once, validate, record, save, and tell the callbacks."""
        self.train_epoch(saver)
        self.history.epochs.append(self.validate())
        self.begin_epoch()
        if saver is not None:
            saver.save(self)
        for callback in self.on_epoch_end:
            callback(self.history)
        self.epoch_started = time.perf_counter()  # saving and callbacks are not training

    def train_epoch(self, saver: Saver | None = None) -> None:
        """Take one step for each batch; the batches behind a checkpoint are passed over."""
        self.model.train()
        self.shuffler.rewind()
        for images, labels in islice(self.train, len(self.meter), None):
            self.train_step(images, labels)
            self.check_loss()
            if saver is not None and saver.is_due(self):
                saver.save(self)
            for callback in self.on_step:
                callback(self.step, self.num_steps)
        self.check_loss(at_once=True)

    def train_step(self, images: Tensor, labels: Tensor) -> None:
        """Change the weights once, against the gradient of the mean loss over one batch.

        Args:
            images: (B, C, H, W).
            labels: (B,).
        """
        images, labels = move_batch(images, labels, self.device, self.config.channels_last)
        self.set_learning_rate()
        self.optimizer.zero_grad()
        self.add_gradients(images, labels)
        if self.config.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.step)
        self.step += 1

    def add_gradients(self, images: Tensor, labels: Tensor) -> None:
        """Compute the gradient of the mean loss, piece by piece if the config says so.

        Each piece gives the sum of its losses over the number of all pictures, so that pieces,
        and shares of several processes, add up to the mean even when they differ in size.
        """
        # The processes' gradients are averaged, not added: their number makes up for that.
        scale = self.world.size / self.world.total(len(labels), self.device)
        loss_sum = num_right = torch.zeros((), device=self.device)
        pieces = list(
            zip(*(t.chunk(self.config.accumulate) for t in (images, labels)), strict=True)
        )
        for number, (piece, piece_labels) in enumerate(pieces, start=1):
            with self.world.gradients_averaged(self.network, now=number == len(pieces)):
                with autocast(self.device, self.dtype):
                    outputs = self.network(piece)
                sums = losses(outputs, piece_labels, self.config)
                self.scaler.scale(sums.objective * scale).backward()
            loss_sum = loss_sum + sums.cross_entropy
            num_right = num_right + num_correct(main_logits(outputs), piece_labels)
        self.meter.add(loss_sum, num_right, len(labels))

    def set_learning_rate(self) -> None:
        """Give the optimizer the rate that the schedule has for this step."""
        lr = learning_rate(self.step, self.num_steps, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def check_loss(self, at_once: bool = False) -> None:
        """Stop the run if the loss is no longer a number.

        Args:
            at_once: Look now, even at a device that has to be waited for.

        Raises:
            DivergenceError: It is not.
        """
        is_free = self.device.type in LOSS_CHECKED_EVERY_STEP_ON
        wait = 1 if is_free else STEPS_BETWEEN_LOSS_CHECKS
        if self.meter.num_unchecked < wait and not at_once:
            return
        index = self.meter.find_non_finite()
        if index is not None:
            step = self.step - len(self.meter) + index
            raise DivergenceError(self.describe_divergence(step), self.history)

    def describe_divergence(self, step: int) -> str:
        """Say when the loss went astray, and what to try."""
        lr = learning_rate(step, self.num_steps, self.config)
        advice = f"a lower lr (say {self.config.lr / 10:g}), clip_norm=1.0"
        if self.dtype != torch.float32:
            advice += ", precision='float32'"
        return (
            f"the loss became infinite or NaN in epoch {step // self.steps_per_epoch + 1}, step "
            f"{step + 1} of {self.num_steps}, at lr {lr:.3g}: try {advice}, or look for NaN in "
            "the pictures"
        )

    def validate(self) -> EpochRecord:
        """Return the record of the epoch that has just been trained."""
        train = averages(self.world.sum(self.meter.sums(), self.device))
        trained = time.perf_counter()
        self.world.average_statistics(self.model)
        with nullcontext() if self.average is None else self.average.in_use():
            channels_last = self.config.channels_last
            meter, _ = tally(self.model, self.val, self.device, self.dtype, channels_last)
        val = averages(self.world.sum(meter.sums(), self.device))
        return EpochRecord(
            epoch=len(self.history) + 1,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            val_loss=val.loss,
            val_accuracy=val.accuracy,
            lr=learning_rate(self.step - 1, self.num_steps, self.config),
            seconds=trained - self.epoch_started,
            val_seconds=time.perf_counter() - trained,
        )

    def describe(self) -> dict[str, str | int]:
        """Return where and with what this run computes."""
        return {
            "device": self.device.type,
            "precision": precision_name(self.dtype),
            "threads": torch.get_num_threads(),
            "processes": self.world.size,
            "torch": str(torch.__version__),
        }


def _check_data(loaders: Loaders) -> None:
    for name, batches in (("train", loaders.train), ("val", loaders.val)):
        if not len(batches):
            raise ValueError(f"the {name} part of the data is empty: there is nothing to fit on")
