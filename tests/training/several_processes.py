"""Trains one model in several processes; used by test_distributed.

Called as ``several_processes.py NUM_PROCESSES FOLDER JSON``, it loads torch once and forks the
processes off; under torchrun it is one of the processes, and NUM_PROCESSES is 0. Each process
writes what it came to into the folder.
"""

import dataclasses
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import torch
import torch._dynamo  # wanted by DistributedDataParallel: loaded once, before forking
from torch import nn

from course_utils import models
from course_utils.data import Augment, Batches
from course_utils.training import TrainConfig, fit
from course_utils.training.distributed import process_group


class Loaders:
    """71 pictures in batches of 16 and 7, which neither two nor three processes share evenly."""

    def __init__(self, seed=1, num_val=49):
        draw = torch.Generator().manual_seed(0)
        images = torch.randint(256, (71, 1, 28, 28), generator=draw).to(torch.uint8)
        labels = torch.randint(10, (71,), generator=draw)
        common = {"batch_size": 16, "mean": (0.5,), "std": (0.3,)}
        self.train = Batches(
            images,
            labels,
            shuffle=True,
            augment=Augment(crop_padding=2),
            generator=torch.Generator().manual_seed(seed),
            **common,
        )
        self.val = Batches(images[:num_val], labels[:num_val], **common)  # the last batch has one


class Watch:
    """Keeps the state of the random numbers; may kill this process at a step, but only once."""

    def __init__(self, step=None):
        self.at = step
        self.random_state = None

    def on_step(self, step, num_steps):
        if step == self.at and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
            os.kill(os.getpid(), signal.SIGKILL)

    def __call__(self, history):
        self.random_state = torch.get_rng_state()


class InDouble(nn.Module):
    """A net in double precision, so that rounding hides no wrong share of a batch.

    In single precision, the order of a sum shows after ten steps; how much depends on the
    processor.
    """

    def __init__(self, net):
        super().__init__()
        self.net = net.double()

    def forward(self, images):
        return self.net(images.double())


def make_model(norm):
    torch.manual_seed(0)
    model = models.build("lenet5", in_channels=1, num_classes=10)
    return nn.Sequential(nn.BatchNorm2d(1), model) if norm else InDouble(model)


def work(
    folder,
    config,
    kill=None,
    norm=False,
    num_val=49,
    unequal_seeds=False,
    plain_batches=False,
    **rest,
):
    """The part of one process."""
    torch.set_num_threads(1)
    with process_group("cpu") as (world, device):
        loaders = Loaders(world.rank if unequal_seeds else 1, num_val)
        if plain_batches:
            loaders.train = list(loaders.train)
        model = make_model(norm)
        watch = Watch(kill[1] if kill and kill[0] == world.rank else None)
        history = fit(
            model, loaders, TrainConfig(**config), device=device, on_epoch_end=[watch], **rest
        )
        result = {
            "history": [dataclasses.asdict(record) for record in history.epochs],
            "model": model.state_dict(),
            "environment": history.environment,
            "random_state": watch.random_state,
        }
        torch.save(result, Path(folder) / f"rank{world.rank}.pt")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fork(num_processes, options):
    """Do by hand what torchrun does; returns the exit codes."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
    os.environ.update(WORLD_SIZE=str(num_processes), LOCAL_WORLD_SIZE=str(num_processes))
    children = []
    for rank in range(num_processes):
        child = os.fork()
        if child == 0:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
            try:
                work(**options)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main(num_processes, folder, options):
    """Run one world after another, each described by one element of the options."""
    if num_processes == 0:
        work(folder, **options[0])
        return
    for number, each in enumerate(options):
        place = Path(folder) / str(number)
        place.mkdir()
        num = each.pop("num_processes", num_processes)
        codes = fork(num, each | {"folder": place})
        (place / "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
