"""One contender of the training benchmark, in its own process; `training.py` starts it.

    python benchmarks/contenders.py '{"contender": "ours-float32", ...}'

This file has the course's own training and the limit that no training can beat; the other libraries
are in `peers.py`. All of them get the same bytes, weights, batch size, optimiser and augmentation.
"""

import json
import sys
from types import SimpleNamespace

import torch
from common import LR, MOMENTUM, WEIGHT_DECAY, build_model, build_optimizer, load_pictures
from torch import nn
from turns import Setting, Turns, wait_for_the_others

from course_utils.data import Batches
from course_utils.training import TrainConfig, fit
from course_utils.training.device import autocast, choose_precision

CPU = torch.device("cpu")


def train_ours(setting: Setting, train: Batches, model: nn.Module, choice: str) -> None:
    """Train with the course: one call of `fit`, with all its defaults (schedule, metrics, ...).

    Its validation after each epoch is not timed, as no other library validates.

    Args:
        setting: What every contender is told.
        train: The training set.
        model: The model, with the weights that all start from.
        choice: A precision, or "compiled" for "auto" with `compile=True`.
    """
    num = min(setting.batch_size, train.num_images)
    val = train.with_options(
        images=train.images[:num], labels=train.labels[:num], shuffle=False, augment=None
    )
    loaders = SimpleNamespace(train=Turns(train), val=val)
    config = TrainConfig(
        epochs=setting.turns,
        lr=LR,
        momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY,
        precision="auto" if choice == "compiled" else choice,
        compile=choice == "compiled",
    )
    fit(model, loaders, config)


def train_limit(setting: Setting, train: Batches, model: nn.Module, precision: str) -> None:
    """Train at the limit: forward, backward and step on one batch in memory, and nothing else."""
    model.to(memory_format=torch.channels_last).train()
    optimizer = build_optimizer(model)
    dtype = choose_precision(precision, CPU)
    batch = next(iter(train.with_options(memory_format=torch.channels_last)))
    for _ in range(setting.turns):
        for images, labels in Turns([batch] * setting.steps):
            optimizer.zero_grad()
            with autocast(CPU, dtype):
                logits = model(images)
            nn.functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()


def main() -> None:
    setting = Setting(**json.loads(sys.argv[1]))
    train = load_pictures(setting)
    model = build_model(setting, train)
    name, choice = setting.contender.split("-")
    if name == "ours":
        train_ours(setting, train, model, choice)
    elif name == "limit":
        train_limit(setting, train, model, precision=choice)
    else:
        import peers  # here, so that the others do not pay for torchvision's memory

        peers.PEERS[name](setting, train, model, int(choice))
    wait_for_the_others()


if __name__ == "__main__":
    main()
