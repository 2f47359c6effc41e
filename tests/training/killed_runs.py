"""Trains in child processes and kills them without warning; used by test_resume.

It loads torch once and forks each run off. Prints one JSON object to standard output.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from course_utils.data import Augment, Batches
from course_utils.training import TrainConfig, fit

CONFIG = TrainConfig(epochs=3, lr=0.1, accumulate=2, precision="float32")


class Loaders:
    """Random pictures: nothing is learnt, but every bit of every weight depends on the order."""

    def __init__(self):
        draw = torch.Generator().manual_seed(0)
        images = torch.randint(256, (240, 1, 12, 12), generator=draw).to(torch.uint8)
        labels = torch.randint(4, (240,), generator=draw)
        common = {"batch_size": 16, "mean": (0.5,), "std": (0.3,)}
        self.train = Batches(
            images,
            labels,
            shuffle=True,
            augment=Augment(crop_padding=1, flip=True),
            generator=torch.Generator().manual_seed(1),
            **common,
        )
        self.val = Batches(images[:64], labels[:64], **common)


def train(folder):
    """One run, with dropout and BatchNorm; the line that is run again after each kill."""
    torch.set_num_threads(1)
    torch.manual_seed(time.time_ns())  # neither weights nor dropout may depend on this
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * 12 * 12, 4),
    )
    start = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1, generator=start)
    history = fit(model, Loaders(), CONFIG, checkpoint=folder, checkpoint_steps=7)
    torch.save({"model": model.state_dict(), "history": history.to_json()}, f"{folder}.result")


def run(folder, prepare=lambda: None, kill_after=None):
    """Train in a child process; returns whether it came to its end, and in how many seconds."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            prepare()
            train(folder)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError("a run ended with an error")
    return os.WIFEXITED(status), time.perf_counter() - started


def die_at(owner, name, call, before):
    """Let the process kill itself at the n-th call of a function, before or after it acts."""

    def prepare():
        original = getattr(owner, name)
        calls = 0

        def deadly(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == call and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*args, **kwargs)
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, deadly)

    return prepare


def at_random_moments(folder, seconds, dice):
    """Kill again and again at random moments until a run gets through; return the kills."""
    kills = 0
    while True:
        limit = dice.uniform(0, 0.3 * seconds) if kills < 8 else None
        ended, _ = run(folder, kill_after=limit)
        if ended:
            return kills
        kills += 1


def around_each_write(folder):
    """Kill before and after each of the calls that make a checkpoint durable."""
    kills = 0
    for owner, name in ((torch, "save"), (os, "fsync"), (Path, "replace"), (Path, "unlink")):
        for call, before in ((1, True), (2, False)):
            ended, _ = run(folder, die_at(owner, name, call, before))
            kills += not ended
    run(folder)
    return kills


def main(root):
    """Compare killed runs with one that was left alone."""
    _, seconds = run(f"{root}/whole")
    report = {
        "random kills": at_random_moments(f"{root}/random", seconds, random.Random(sys.argv[2])),
        "aimed kills": around_each_write(f"{root}/aimed"),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
