"""What a checkpoint holds of a run, and how a run goes on from it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from course_utils.training.checkpoint import CheckpointError, CheckpointFolder, State
from course_utils.training.distributed import running_statistics
from course_utils.training.history import History
from course_utils.training.metrics import State as MeterState
from course_utils.training.randomness import random_state, seed_device, set_random_state

if TYPE_CHECKING:
    from course_utils.training.loop import Trainer


class Saver:
    """Saves a run to a folder, and takes it up again from there.

    Args:
        folder: Of this run alone.
        every: Steps between two checkpoints within an epoch; None for epoch ends only.

    Raises:
        ValueError: The number of steps is not positive.
    """

    def __init__(self, folder: str | Path, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise ValueError(f"checkpoint_steps is {every}: save after 1 or more steps, or None")
        self.folder = CheckpointFolder(folder)
        self.every = every

    def is_due(self, trainer: "Trainer") -> bool:
        """Whether to save within the epoch, after the step just done."""
        is_last = len(trainer.meter) == trainer.steps_per_epoch  # saved once it is validated
        return self.every is not None and trainer.step % self.every == 0 and not is_last

    def save(self, trainer: "Trainer") -> None:
        """Write a checkpoint. All processes take part, the main one alone writes."""
        trainer.check_loss(at_once=True)  # a checkpoint of NaN would end every later attempt
        state = snapshot(trainer)
        if trainer.world.is_main:
            self.folder.save(state, trainer.step)

    def resume(self, trainer: "Trainer") -> None:
        """Bring a run that has not started to where its newest checkpoint was written.

        Raises:
            CheckpointError: There are checkpoints, but none of them is of this run.
        """
        found: State | CheckpointError | None = None
        if trainer.world.is_main:
            try:
                found = self.folder.load(lambda state: check_same_run(state, trainer))
            except CheckpointError as error:
                found = error
        found = trainer.world.from_main(found)
        if isinstance(found, CheckpointError):
            raise found
        if found is not None:
            restore(trainer, found)


def snapshot(trainer: "Trainer") -> State:
    """Return everything that the rest of a run depends on."""
    own = {
        "random": random_state(trainer.device),
        "meter": trainer.meter.state(),
        "statistics": {k: v.cpu() for k, v in running_statistics(trainer.model).items()},
    }
    return {
        "config": trainer.config.to_dict(),
        "steps_per_epoch": trainer.steps_per_epoch,
        "step": trainer.step,
        "seconds": time.perf_counter() - trainer.epoch_started,
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "scaler": trainer.scaler.state_dict(),
        "average": None if trainer.average is None else trainer.average.average,
        "shuffler": trainer.shuffler.remembered,
        "history": trainer.history.to_json(),
        "processes": trainer.world.gather(own),
    }


def restore(trainer: "Trainer", state: State) -> None:
    """Bring a run to where ``snapshot`` was taken."""
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.scaler.load_state_dict(state["scaler"])
    if trainer.average is not None:
        trainer.average.load(state["average"])
    trainer.step = state["step"]
    trainer.epoch_started = time.perf_counter() - state["seconds"]
    trainer.shuffler.rewind(state["shuffler"])
    trainer.history.epochs = History.from_json(state["history"]).epochs
    _restore_process(trainer, state["processes"])


def _restore_process(trainer: "Trainer", processes: list[dict[str, Any]]) -> None:
    """Restore what each process has of its own: its random numbers, its share of the sums."""
    world, device = trainer.world, trainer.device
    if len(processes) == world.size:
        own = processes[world.rank]
        set_random_state(own["random"], device)
        trainer.meter.load(own["meter"])
        for name, buffer in running_statistics(trainer.model).items():
            buffer.copy_(own["statistics"][name])
        return
    # Another number of processes: the sums go to the main one, the statistics are its own, and
    # dropout gets new numbers.
    seed_device(trainer.config.seed + world.rank + trainer.step, device)
    total = _added([process["meter"] for process in processes])
    trainer.meter.load(total if world.is_main else _emptied(total))


def _added(meters: list[MeterState]) -> MeterState:
    return {
        "losses": torch.stack([meter["losses"] for meter in meters]).sum(dim=0),
        "correct": torch.stack([meter["correct"] for meter in meters]).sum(dim=0),
        "num_images": sum(meter["num_images"] for meter in meters),
    }


def _emptied(meter: MeterState) -> MeterState:
    zeros = torch.zeros_like
    return {"losses": zeros(meter["losses"]), "correct": zeros(meter["correct"]), "num_images": 0}


def check_same_run(state: State, trainer: "Trainer") -> None:
    """Make sure that a checkpoint belongs to this run: same settings, model and data.

    Raises:
        CheckpointError: It does not; the message continues a sentence that begins with the
            file's name.
    """
    theirs, ours = state["config"], trainer.config.to_dict()
    for name in ours:
        if theirs.get(name) != ours[name]:
            raise CheckpointError(
                f"belongs to another run: its {name} is {theirs.get(name)!r}, "
                f"and here it is {ours[name]!r}"
            )
    if _shapes(state["model"]) != _shapes(trainer.model):
        raise CheckpointError("belongs to another model: its parameters differ in name or shape")
    if state["steps_per_epoch"] != trainer.steps_per_epoch:
        raise CheckpointError(
            f"belongs to other data: an epoch had {state['steps_per_epoch']} batches, "
            f"and here it has {trainer.steps_per_epoch}"
        )
    if (state["shuffler"] is None) != (trainer.shuffler.remembered is None):
        raise CheckpointError("belongs to other data: only one of the two has a generator")


def _shapes(model: nn.Module | dict[str, Tensor]) -> dict[str, torch.Size]:
    tensors = model.state_dict() if isinstance(model, nn.Module) else model
    return {name: tensor.shape for name, tensor in tensors.items()}
