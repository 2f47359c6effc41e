"""Checkpoints that survive a power cut: written in full or not at all, and checked when read.

A file appears under its name only when all of it is on the disk. Reading checks every byte
against the sums that the file itself holds, and unpickles nothing but tensors and plain data.
"""

import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from course_utils.arguments import as_path
from course_utils.data import Loaders
from course_utils.training.config import DROPPED

__all__ = ["CheckpointError", "CheckpointFolder", "describe_data"]

FORMAT = "convnet-course training checkpoint"
VERSION = 1
NUM_KEPT = 2  # the newest may prove damaged

State = dict[str, Any]


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message says why, and what to do."""


class CheckpointFolder:
    """The checkpoints of one run: `step-00000120.pt` and the one before it.

    Only one run at a time may write to a folder.

    Args:
        path: The folder; it is created if it is missing.

    Raises:
        CheckpointError: The folder cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = as_path(path, "checkpoint")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"{self.path}: {error.strerror}"
            raise CheckpointError(
                f"the folder for checkpoints cannot be created: {reason}"
            ) from error

    def files(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        return sorted(self.path.glob("step-*.pt"), reverse=True)

    def save(self, state: State, step: int) -> None:
        """Write a checkpoint, and remove all but the last two.

        A full disk does not end the run: it is better to finish without a new checkpoint. The
        older checkpoints are kept, and a warning says so.

        Args:
            state: Only tensors and plain data, including what `load` compares: the run's
                `identity` and the state of its `model`.
            step: Number of steps done; the file is named after it.
        """
        target = self.path / f"step-{step:08d}.pt"
        try:
            write_atomically({"format": FORMAT, "version": VERSION} | state, target)
        except OSError as error:
            warnings.warn(
                f"no checkpoint was written at step {step}, and training continues without it: "
                f"{error.strerror or error} in {self.path}; the older checkpoints are kept",
                stacklevel=2,
            )
            return
        for old in self.files()[NUM_KEPT:]:
            old.unlink(missing_ok=True)

    def load(self, identity: State, model: State) -> State | None:
        """Return the newest usable checkpoint of a run; None if there are none at all.

        If one is refused and an older one is usable, the refused one is renamed to `*.refused`,
        and a warning says why.

        Args:
            identity: What identifies the run.
            model: The state of its model; names and shapes are compared.

        Raises:
            CheckpointError: There are checkpoints, and none of them can be used.
        """
        refused: dict[Path, CheckpointError] = {}
        for file in self.files():
            try:
                state = read(file)
                check_same_run(state, identity, model)
            except CheckpointError as error:
                refused[file] = error
                continue
            for bad, reason in refused.items():
                bad.rename(bad.with_suffix(".refused"))
                warnings.warn(f"{bad} {reason}; continuing from {file.name}", stacklevel=2)
            return state
        for file, reason in refused.items():
            way_out = f"Give another folder, or delete {self.path} to start again"
            raise CheckpointError(f"{file} {reason}. {way_out}")
        return None


def write_atomically(state: State, target: Path) -> None:
    """Write a file so that at any moment its name stands for all of it, or does not exist.

    The bytes go to a temporary file beside it and are flushed to the disk before that file takes
    the name; then the folder, which holds the name, is flushed to the disk, too.

    Raises:
        OSError: The disk is full or cannot be written to; nothing is left behind.
    """
    partial = target.with_name("saving.partial")
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        if os.name == "posix":  # elsewhere a folder cannot be opened, and needs no flushing
            descriptor = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError):
            raise error.__context__ from error  # torch's error hides that of the disk behind it
        raise


def read(path: Path) -> State:
    """Read one checkpoint.

    Raises:
        CheckpointError: The file is damaged, is not one of ours, or comes from a newer
            version; the message continues a sentence that begins with the file's name.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch.save writes a zip file; torch.load does
            damaged = archive.testzip()  # not compare its checksums, Python does
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise CheckpointError(f"is damaged or not a checkpoint ({error})") from error
    if damaged is not None:
        raise CheckpointError(f"is damaged ({damaged} fails its checksum)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what the bytes happen to provoke
        raise CheckpointError("is not a checkpoint of tensors and plain data") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError("was not written by this course")
    if (version := state["version"]) != VERSION:
        raise CheckpointError(f"has version {version}, but this package reads version {VERSION}")
    return state


def check_same_run(state: State, identity: State, model: State) -> None:
    """Make sure that a checkpoint belongs to a run: same settings, data and model.

    Raises:
        CheckpointError: It does not; the message continues a sentence that begins with the
            file's name.
    """
    theirs = state.get("identity")
    if theirs is None:  # written before the data became part of it
        theirs = state["config"] | {"number of batches in an epoch": state["steps_per_epoch"]}
        warnings.warn(
            "the checkpoint is old and does not name its data: make sure that it is the same",
            stacklevel=2,
        )
    for name, value in theirs.items():
        ours = identity.get(name, DROPPED.get(name, value))
        if value != ours:
            difference = f"its {name} is {value}, but here it is {ours}"
            raise CheckpointError(f"belongs to another run: {difference}")
    shapes = [
        {name: tensor.shape for name, tensor in net.items()} for net in (state["model"], model)
    ]
    if shapes[0] != shapes[1]:
        raise CheckpointError("belongs to another model: its parameters differ in name or shape")


def describe_data(loaders: Loaders) -> dict[str, str]:
    """Return what identifies the data; "None" for what loaders that are not ours do not say."""
    info, train, val = getattr(loaders, "info", None), loaders.train, loaders.val
    known = {
        "data set": getattr(info, "name", None),
        "list of classes": getattr(info, "classes", None),
        "image size": getattr(train, "image_shape", None),
        "batch size": getattr(train, "batch_size", None),
        "augmentation": getattr(train, "augment", None),
        "number of training images": _num_images(train),
        "number of validation images": _num_images(val),
        "mean of the pixels": getattr(info, "mean", None),
    }
    return {name: re.sub(" at 0x[0-9a-f]+", "", str(value)) for name, value in known.items()}


def _num_images(batches: Any) -> int | None:
    dataset = getattr(batches, "dataset", None)  # of a DataLoader
    return getattr(batches, "num_images", None) if dataset is None else len(dataset)
