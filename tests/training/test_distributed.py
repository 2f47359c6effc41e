"""Several processes that train one model come to what one process comes to."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course_utils.training.distributed import World, current_world, process_group

SCRIPT = Path(__file__).with_name("several_processes.py")
CONFIG = {"epochs": 2, "lr": 0.02, "precision": "float32"}


def environment():
    """The environment without what an outer torchrun may have left there."""
    outer = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return {name: value for name, value in os.environ.items() if name not in outer}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """All runs that the tests compare, made one after another: name -> results, errors."""
    folder = tmp_path_factory.mktemp("worlds")
    runs = folder / "runs"
    norm = {"config": CONFIG, "norm": True, "num_val": 1}  # one process has none to validate
    saved = norm | {"checkpoint": str(runs), "checkpoint_steps": 2}
    options = {
        "one": {"num_processes": 1, "config": CONFIG},
        "three": {"num_processes": 3, "config": CONFIG},
        "two": {"num_processes": 2, "config": CONFIG | {"accumulate": 3}},
        "norm": {"num_processes": 2, **norm},
        "killed": {"num_processes": 2, "kill": [1, 8], **saved},
        "resumed": {"num_processes": 2, **saved},
        "seeds": {"num_processes": 2, "config": CONFIG, "unequal_seeds": True},
        "plain": {"num_processes": 2, "config": CONFIG, "plain_batches": True},
    }
    outcome = subprocess.run(
        [sys.executable, SCRIPT, "1", folder, json.dumps(list(options.values()))],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return {
        name: {
            "codes": json.loads((folder / str(number) / "codes.json").read_text()),
            "ranks": [
                torch.load(file, weights_only=True)
                for file in sorted((folder / str(number)).glob("rank*.pt"))
            ],
            "errors": outcome.stderr,
        }
        for number, name in enumerate(options)
    }


def curve(result):
    """Every figure of a history that is not a time."""
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")
    rows = [[record[name] for name in names] for record in result["history"]]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("name", ["two", "three"])
def test_reaches_the_same_curve_as_one_process(worlds, name):
    """The batches of 16 and 7 pictures are cut unevenly, for two also into pieces."""
    one, several = worlds["one"]["ranks"][0], worlds[name]["ranks"][0]
    torch.testing.assert_close(curve(several), curve(one), rtol=1e-6, atol=0)
    torch.testing.assert_close(several["model"], one["model"], rtol=1e-6, atol=1e-7)
    assert several["environment"]["processes"] == len(worlds[name]["ranks"])


@pytest.mark.parametrize("name", ["two", "three", "norm"])
def test_all_processes_end_alike(worlds, name):
    first, *others = worlds[name]["ranks"]
    assert len(others) == len(worlds[name]["codes"]) - 1 > 0
    for other in others:
        assert torch.equal(curve(first), curve(other))
        for key, tensor in first["model"].items():
            assert torch.equal(tensor, other["model"][key]), key


def test_each_process_drops_out_on_its_own(worlds):
    first, second = (rank["random_state"] for rank in worlds["two"]["ranks"])
    assert not first.equal(second)


def test_statistics_come_from_all_shares(worlds):
    """The running mean is that of all pictures, as one process would have found it."""
    model = worlds["norm"]["ranks"][0]["model"]
    assert model["0.num_batches_tracked"] == 10
    assert -0.1 < model["0.running_mean"].item() < 0.1
    assert 0.5 < model["0.running_var"].item() < 1.5


def test_a_peers_death_ends_the_others_with_a_message(worlds):
    assert worlds["killed"]["codes"][1] == -9
    assert worlds["killed"]["codes"][0] == 1
    assert re.search("Connection (closed|reset) by peer", worlds["killed"]["errors"])


def test_goes_on_from_the_checkpoint_of_both(worlds):
    """Bit by bit: the share of each process in the interrupted epoch was kept, too."""
    assert worlds["resumed"]["codes"] == [0, 0]
    for resumed, whole in zip(worlds["resumed"]["ranks"], worlds["norm"]["ranks"], strict=True):
        assert torch.equal(curve(resumed), curve(whole))
        for key, tensor in whole["model"].items():
            assert torch.equal(tensor, resumed["model"][key]), key


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seeds", "the 2 processes would not see the same batches: seed the loaders' generator"),
        ("plain", "list cannot be shared among 2 processes"),
    ],
)
def test_what_cannot_be_shared_is_an_error(worlds, name, message):
    assert worlds[name]["codes"] == [1, 1]
    assert message in worlds[name]["errors"]


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with process_group("cpu") as (world, device):
        assert world == current_world() == World(rank=0, size=1, local_size=1)
        assert world.is_main and device.type == "cpu"
    assert not torch.distributed.is_initialized()


def test_more_processes_than_cards_is_an_error(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with (
        pytest.raises(ValueError, match="process 7 of this machine has no GPU"),
        process_group("cuda"),
    ):
        pass


@pytest.mark.slow
def test_torchrun_restarts_from_the_checkpoint(worlds, tmp_path):
    """One of two processes is killed; the launcher starts both again, and the run is whole."""
    options = {
        "config": CONFIG,
        "norm": True,
        "num_val": 1,
        "kill": [1, 8],
        "checkpoint": str(tmp_path / "run"),
        "checkpoint_steps": 2,
    }
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", "2", "--max-restarts", "1"]
    launcher += ["--local-addr", "127.0.0.1"]  # a machine may not know its own name
    outcome = subprocess.run(
        [*launcher, SCRIPT, "0", tmp_path, json.dumps([options])],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "failed (exitcode: -9) local_rank: 1" in outcome.stderr
    result = torch.load(tmp_path / "rank0.pt", weights_only=True)
    whole = worlds["norm"]["ranks"][0]
    assert torch.equal(curve(result), curve(whole))
    for key, tensor in whole["model"].items():
        assert torch.equal(tensor, result["model"][key]), key
