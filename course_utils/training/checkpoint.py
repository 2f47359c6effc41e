"""Checkpoints that survive a power cut: written whole or not at all, and checked when read.

A file appears under its name only when all of it is on the disk. Reading checks every byte
against the sums that the file itself holds, and unpickles nothing but tensors and plain data.
"""

import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

FORMAT = "convnet-course training checkpoint"
VERSION = 1
NUM_KEPT = 2  # the newest may turn out to be damaged

State = dict[str, Any]


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message says why, and what to do."""


class CheckpointFolder:
    """The checkpoints of one run: ``step-00000120.pt`` and the one before it.

    Only one run at a time may write to a folder.

    Args:
        path: Is made if it is missing.

    Raises:
        CheckpointError: There can be no such folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"no folder for checkpoints can be made at {self.path}: {error.strerror}"
            ) from error

    def files(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        return sorted(self.path.glob("step-*.pt"), reverse=True)

    def save(self, state: State, step: int) -> bool:
        """Write a checkpoint, and remove all but the last two.

        A full disk does not end the run: it is better to finish without a new checkpoint. The
        older checkpoints stay, and a warning says so.

        Args:
            state: Tensors and plain data only.
            step: Steps done; the file is named after it.

        Returns:
            Whether the checkpoint was written.
        """
        target = self.path / f"step-{step:08d}.pt"
        try:
            write_atomically({"format": FORMAT, "version": VERSION} | state, target)
        except OSError as error:
            warnings.warn(
                f"no checkpoint was written at step {step}, the run goes on without it: "
                f"{error.strerror or error} in {self.path}; the older checkpoints are kept",
                stacklevel=2,
            )
            return False
        for old in self.files()[NUM_KEPT:]:
            old.unlink(missing_ok=True)
        return True

    def load(self, check: Callable[[State], None]) -> State | None:
        """Return the newest usable checkpoint; None if there are no checkpoints at all.

        One that is refused although an older one is usable is renamed to ``*.refused``, and a
        warning says why.

        Args:
            check: Raises a CheckpointError if a checkpoint belongs to another run.

        Raises:
            CheckpointError: There are checkpoints, and none of them can be used.
        """
        refused: dict[Path, CheckpointError] = {}
        for file in self.files():
            try:
                state = read(file)
                check(state)
            except CheckpointError as error:
                refused[file] = error
                continue
            for bad, reason in refused.items():
                bad.rename(bad.with_suffix(".refused"))
                warnings.warn(f"{bad} {reason}; going on from {file.name}", stacklevel=2)
            return state
        if refused:
            file, reason = next(iter(refused.items()))
            raise CheckpointError(
                f"{file} {reason}. Give another folder, or delete {self.path} to start again"
            )
        return None


def write_atomically(state: State, target: Path) -> None:
    """Write a file so that at any moment its name stands for all of it, or does not exist.

    The bytes go to a neighbour of the file and are pushed to the disk before the neighbour
    takes the file's name; then the folder, which holds the name, is pushed to the disk too.

    Raises:
        OSError: The disk is full, or does not let itself be written; nothing is left behind.
    """
    partial = target.with_name("saving.partial")
    try:
        with partial.open("wb") as file:
            _save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        _sync_folder(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _save(state: State, file: Any) -> None:
    """Write with torch, whose own error hides that of the disk behind it."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and needs no pushing
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> State:
    """Read one checkpoint.

    Raises:
        CheckpointError: The file is damaged, is no checkpoint of ours, or is from a newer
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
    if state["version"] != VERSION:
        raise CheckpointError(
            f"has version {state['version']}, and this package reads version {VERSION}"
        )
    return state
