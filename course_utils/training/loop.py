"""The training loop: `fit` is the function to call, `Trainer` does the work.

Read `Trainer` from `run` downwards: run, run_epoch, train_epoch, train_step. It is the loop of
lesson 07, plus what a long run needs.
"""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from course_utils.arguments import instance, listed, whole
from course_utils.data import Loaders
from course_utils.runtime import find_device
from course_utils.startup import limited_threads
from course_utils.training import device as devices
from course_utils.training.callbacks import EpochCallback
from course_utils.training.checkpoint import CheckpointError, CheckpointFolder, describe_data
from course_utils.training.config import TrainConfig, build_optimizer, learning_rate
from course_utils.training.device import Shuffler
from course_utils.training.distributed import World, current_world, running_statistics
from course_utils.training.history import EpochRecord, History
from course_utils.training.interrupts import Interrupts
from course_utils.training.metrics import Meter, averages, class_numbers, forward, score, tally

__all__ = ["DivergenceError", "Trainer", "fit"]

# Reading the loss makes a program wait for its device; only the CPU has nothing to wait for.
LOSS_CHECKED_EVERY_STEP_ON = ("cpu",)
STEPS_BETWEEN_LOSS_CHECKS = 50


class DivergenceError(FloatingPointError):
    """The loss is no longer a number; the message says when, and what to try.

    Attributes:
        history: The epochs before it.
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
    """Train a model on `loaders.train` and validate it on `loaders.val`.

    `fit` neither prints nor plots: pass it what should happen after each epoch. It leaves the
    model on the device, in evaluation mode, and everything else as it was. The same weights,
    loaders' generator and config give the same history, to the last bit on one machine with one
    number of threads.

    Interrupting it (Ctrl-C, or the stop button of a notebook) ends the run after the current step,
    or at once the second time: the model is usable, and the history says that it was interrupted.
    With a checkpoint folder, the same call continues from the last checkpoint, whatever ended the
    run, and reaches the same result as a run that was never stopped. That needs batches that are
    drawn by torch's generators: the loaders' own, or the global ones.

    Under `torchrun` each process calls it in the same way; see `distributed`.

    Args:
        model: Returns logits (N, num_classes), or a NamedTuple whose first field they are.
        loaders: As `data.load` returns them. In others, `train` and `val` need a length, and
            batches of images (B, C, H, W), normalised, and labels (B,). `test` is not touched.
        config: The settings of the run.
        device: Where to train; None means on the images' device.
        on_epoch_end: Called with the history after each epoch, in turn. One that has a method
            `on_step(step, num_steps)` is also told of each step.
        checkpoint: A folder for this run alone, to save to after each epoch, and to continue
            from.
        checkpoint_steps: Also save after every so many steps; for long epochs.

    Returns:
        The history of the finished epochs.

    Raises:
        ValueError: There is nothing to train or nothing to train on, the model cannot take the
            batches, or the checkpoints in the folder belong to another run.
        DivergenceError: The loss became infinite or NaN.
    """
    devices.check_model(model)
    instance("config", config, TrainConfig, "TrainConfig(...)")
    on_epoch_end = listed("on_epoch_end", on_epoch_end)
    for callback in on_epoch_end:
        instance("a callback in on_epoch_end", callback, Callable, "a function of the history")
    if checkpoint_steps is not None:
        checkpoint_steps = whole("checkpoint_steps", checkpoint_steps)
    _check_parts(loaders)
    place = devices.device_of_data(loaders) if device is None else find_device(device)
    world = current_world()
    with (
        torch.enable_grad(),
        limited_threads(world.local_size),
        devices.seeded(config.seed + world.rank, place),
    ):
        trainer = Trainer(model, loaders, config, place, world, on_epoch_end)
        if checkpoint is not None:
            trainer.resume(CheckpointFolder(checkpoint), checkpoint_steps)
        return trainer.run()


def _check_parts(loaders: Loaders) -> None:
    for name in ("train", "val"):
        try:
            num_batches = len(getattr(loaders, name))
        except (AttributeError, TypeError) as error:
            raise ValueError(
                f"loaders need train and val with a length, as data.load returns them: {error}"
            ) from error
        if not num_batches:
            raise ValueError(f"loaders.{name} {_nothing_in(getattr(loaders, name))}")


def _nothing_in(part: Any) -> str:
    """Say why one of the three sets has no batch."""
    try:
        num_images = len(part.dataset)
    except (AttributeError, TypeError):  # no DataLoader
        num_images = 0
    if not num_images:
        return "is empty: there is nothing to train on"
    return (
        f"has {num_images} images but not one batch: with drop_last=True, use a smaller "
        f"batch size than {part.batch_size}"
    )


class Trainer:
    """One training run: a model, its data, its optimizer, and how far it has got."""

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
        self.dtype = devices.choose_precision(config.precision, device)
        self.model = model.to(device)
        if config.channels_last:
            self.model.to(memory_format=torch.channels_last)
        network = world.wrap(self.model, device)
        self.network = cast(nn.Module, torch.compile(network)) if config.compile else network
        self.optimizer = build_optimizer(self.model, config)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)

        self.loaders = loaders
        parts = (world.share(part) for part in (loaders.train, loaders.val))
        self.train, self.val = (devices.laid_out(part, config.channels_last) for part in parts)
        self.shuffler = Shuffler(loaders.train, device)
        self.steps_per_epoch = len(self.train)
        self.num_steps = config.epochs * self.steps_per_epoch
        world.check_agreement(self.steps_per_epoch, self.shuffler.own)

        self.on_epoch_end = tuple(on_epoch_end)
        self.on_step = [c.on_step for c in self.on_epoch_end if hasattr(c, "on_step")]
        environment = {
            "device": device.type,
            "precision": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "processes": world.size,
            "torch": str(torch.__version__),
        }
        self.history = History(config, environment=environment)
        self.folder: CheckpointFolder | None = None
        self.save_every: int | None = None
        self.interrupts = Interrupts()
        self.step = 0  # steps done
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Reset what is counted within an epoch."""
        self.meter = Meter()
        self.shuffler.remember()
        self.epoch_started = time.perf_counter()

    def run(self) -> History:
        """Train until the last epoch, or until interrupted."""
        try:
            with self.interrupts:
                while len(self.history) < self.config.epochs:
                    self.run_epoch()
        except KeyboardInterrupt:
            if self.world.size > 1:  # the other processes wait for this one: end them, too
                raise
            self.history.interrupted = True
        self.model.eval()
        return self.history

    def run_epoch(self) -> None:
        """Train on every image once, validate, record, save, and tell the callbacks."""
        self.train_epoch()
        self.history.epochs.append(self.validate())
        self.begin_epoch()
        self.save()
        for callback in self.on_epoch_end:
            callback(self.history)
        self.interrupts.check()
        self.epoch_started = time.perf_counter()  # saving and callbacks are not training

    def train_epoch(self) -> None:
        """Take one step for each batch; skip the batches that a checkpoint has already seen.

        Raises:
            ValueError: There are more or fewer batches than the loader's length said.
        """
        self.model.train()
        for batch in self.shuffler.epoch(self.train, num_done=len(self.meter)):
            self.train_step(batch)
            self.check_loss()
            is_last = len(self.meter) == self.steps_per_epoch  # saved once it is validated
            if self.save_every and self.step % self.save_every == 0 and not is_last:
                self.save()
            for callback in self.on_step:
                callback(self.step, self.num_steps)
            self.interrupts.check()
        self.check_loss(at_once=True)
        if len(self.meter) != self.steps_per_epoch:
            raise ValueError(
                f"an epoch had {len(self.meter)} batches, but loaders.train has the "
                f"length {self.steps_per_epoch}: every pass over it must yield them all"
            )

    def train_step(self, batch: Any) -> None:
        """Change the weights once, against the gradient of the mean loss over one batch."""
        images, labels = devices.move_batch(batch, self.device, self.config.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.num_steps, self.config)
        self.optimizer.zero_grad()
        self.add_gradients(images, labels)
        if self.config.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1

    def add_gradients(self, images: Tensor, labels: Tensor) -> None:
        """Compute the gradient of the mean loss, piece by piece if the config says so.

        Each piece gives the sum of its losses over the number of all images, so that pieces,
        and shares of several processes, add up to the mean even when they differ in size.
        """
        # The processes' gradients are averaged, not added: their number corrects for that.
        scale = self.world.size / self.world.total(len(labels), self.device)
        loss_sum = num_right = torch.zeros((), device=self.device)
        cut = (tensor.chunk(self.config.accumulate) for tensor in (images, labels))
        pieces = list(zip(*cut, strict=True))
        for number, (piece, piece_labels) in enumerate(pieces, start=1):
            with self.world.gradients_averaged(self.network, now=number == len(pieces)):
                logits = forward(self.network, piece, self.dtype)
                classes = class_numbers(piece_labels, logits[0].shape[1], not len(self.meter))
                sums = score(logits, classes, self.config.auxiliary_weight)
                self.scaler.scale(sums.objective * scale).backward()
            loss_sum = loss_sum + sums.cross_entropy
            num_right = num_right + sums.num_right
        self.meter.add(loss_sum, num_right, len(labels))

    def check_loss(self, at_once: bool = False) -> None:
        """Check the losses; on a device that makes us wait only now and then, or `at_once`.

        Raises:
            DivergenceError: One of them is no longer a number.
        """
        is_free = self.device.type in LOSS_CHECKED_EVERY_STEP_ON
        index = self.meter.find_non_finite(1 if at_once or is_free else STEPS_BETWEEN_LOSS_CHECKS)
        if index is not None:
            raise self.divergence(self.step - len(self.meter) + index)

    def divergence(self, step: int) -> DivergenceError:
        """Return the error that says when training diverged, and what to try."""
        lr = learning_rate(step, self.num_steps, self.config)
        advice = f"a lower lr (say {self.config.lr / 10:g}), clip_norm=1.0"
        if self.dtype != torch.float32:
            advice += ", precision='float32'"
        return DivergenceError(
            f"the loss became infinite or NaN in epoch {step // self.steps_per_epoch + 1}, step "
            f"{step + 1} of {self.num_steps}, at lr {lr:.3g}: try {advice}, or look for NaN in "
            "the images",
            self.history,
        )

    def validate(self) -> EpochRecord:
        """Return the record of the epoch that has just been trained.

        Raises:
            DivergenceError: The loss is infinite or NaN, as after a last step that diverged.
        """
        train_loss, train_accuracy, _ = averages(self.world.sum(self.meter.sums(), self.device))
        trained = time.perf_counter()
        self.world.average_statistics(self.model)
        meter, _ = tally(self.model, self.val, self.dtype, self.config.channels_last)
        val_loss, val_accuracy, _ = averages(self.world.sum(meter.sums(), self.device))
        if not math.isfinite(val_loss):
            raise self.divergence(self.step - 1)
        return EpochRecord(
            epoch=len(self.history) + 1,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            lr=learning_rate(self.step - 1, self.num_steps, self.config),
            seconds=trained - self.epoch_started,
            val_seconds=time.perf_counter() - trained,
        )

    def resume(self, folder: CheckpointFolder, save_every: int | None = None) -> None:
        """Continue from the newest checkpoint in a folder, and save there from now on.

        Args:
            folder: Used by this run alone.
            save_every: Steps between two checkpoints within an epoch; None for epoch ends only.

        Raises:
            CheckpointError: There are checkpoints, but none of them is of this run.
        """
        self.folder, self.save_every = folder, save_every
        found: Any = None
        if self.world.is_main:
            try:
                found = folder.load(self.identity(), self.model.state_dict())
            except CheckpointError as error:
                found = error
        found = self.world.gather(found)[0]
        if isinstance(found, CheckpointError):
            raise found
        if found is not None:
            self.load_state_dict(found)

    def save(self) -> None:
        """Write a checkpoint if there is a folder. All processes take part, the main one writes."""
        if self.folder is None:
            return
        self.check_loss(at_once=True)  # a checkpoint of NaN would end every later attempt
        state = self.state_dict()
        if self.world.is_main:
            self.folder.save(state, self.step)

    def identity(self) -> dict[str, Any]:
        """Return what identifies this run: its settings, its data, its number of processes."""
        return {
            **self.config.to_dict(),
            **describe_data(self.loaders),
            "number of batches in an epoch": self.steps_per_epoch,
            "number of processes": self.world.size,
            "seeded order": self.shuffler.own is not None,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on: tensors and plain data."""
        statistics = running_statistics(self.model)
        own = {
            "random": devices.random_state(self.device),
            "random_at_epoch": self.shuffler.shared,
            "meter": self.meter.state(),
            "statistics": {name: buffer.cpu() for name, buffer in statistics.items()},
        }
        return {
            "identity": self.identity(),
            "step": self.step,
            "seconds": time.perf_counter() - self.epoch_started,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "shuffler": self.shuffler.own,
            "history": self.history.to_json(),
            "processes": self.world.gather(own),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring the run back to where `state_dict` was called."""
        for name in ("model", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]
        self.epoch_started = time.perf_counter() - state["seconds"]
        self.history.epochs = History.from_json(state["history"]).epochs
        own = state["processes"][self.world.rank]
        self.meter = Meter(**own["meter"])
        for name, buffer in running_statistics(self.model).items():
            buffer.copy_(own["statistics"][name])
        self.shuffler.own = state["shuffler"]
        self.shuffler.shared = own.get("random_at_epoch", own["random"])
        devices.set_random_state(own["random"], self.device)
