"""fit: what it computes, what it leaves alone, how it ends early."""

import dataclasses
import gc
import math
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import startup
from course_utils.data import Batches
from course_utils.training import (
    DivergenceError,
    TrainConfig,
    evaluate,
    fit,
    learning_rate,
    loop,
)
from course_utils.training.distributed import World
from course_utils.training.interrupts import Interrupts

EXACT = TrainConfig(epochs=3, lr=0.1, precision="float32")


def results(history):
    """A history without what a clock has measured."""
    return [dataclasses.replace(record, seconds=0.0, val_seconds=0.0) for record in history.epochs]


def same_weights(one, other):
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_equals_a_loop_written_by_hand(make_model, make_loaders):
    config = dataclasses.replace(EXACT, channels_last=False)
    model, loaders = make_model(dropout=0.5, norm=True), make_loaders()
    history = fit(model, loaders, config)

    by_hand, loaders = make_model(dropout=0.5, norm=True), make_loaders()
    weights = [by_hand[0].weight, by_hand[6].weight]
    others = [p for p in by_hand.parameters() if not any(p is w for w in weights)]
    optimizer = torch.optim.SGD(
        [{"params": weights, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}],
        lr=0.1,
        momentum=0.9,
        nesterov=True,
    )
    torch.manual_seed(config.seed)
    step, num_steps = 0, 3 * len(loaders.train)
    by_hand.train()
    for _ in range(3):
        for images, labels in loaders.train:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, num_steps, config)
            loss = F.cross_entropy(by_hand(images), labels, reduction="sum") * (1 / len(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1

    assert same_weights(model, by_hand)
    assert evaluate(by_hand, loaders.val, precision="float32").loss == history.epochs[-1].val_loss


def test_learns(make_model, make_loaders):
    history = fit(make_model(), make_loaders(num_train=400), dataclasses.replace(EXACT, epochs=6))
    assert history.epochs[0].train_accuracy < 0.9
    assert history.epochs[-1].val_accuracy > 0.9
    assert [record.epoch for record in history.epochs] == [1, 2, 3, 4, 5, 6]


def test_same_seed_same_history(make_model, make_loaders):
    runs = [fit(make_model(dropout=0.5), make_loaders(), EXACT) for _ in range(2)]
    assert results(runs[0]) == results(runs[1])
    other = fit(make_model(dropout=0.5), make_loaders(), dataclasses.replace(EXACT, seed=1))
    assert results(other) != results(runs[0])


def test_epoch_metrics_average_over_pictures(make_model, make_loaders):
    """With a rate of nearly zero the epoch's metrics are those of the first weights.

    The last batch has 4 pictures and the others 32: an average over batches differs.
    """
    model, loaders = make_model(), make_loaders(num_train=100, batch_size=32)
    config = TrainConfig(epochs=1, lr=1e-12, schedule="constant", precision="float32")
    record = fit(model, loaders, config).epochs[0]
    everything = evaluate(model, loaders.train, precision="float32")
    per_batch = [F.cross_entropy(model(images), labels).item() for images, labels in loaders.train]
    assert record.train_loss == pytest.approx(everything.loss, rel=1e-5)
    assert record.train_accuracy == pytest.approx(everything.accuracy)
    assert record.train_loss != pytest.approx(sum(per_batch) / len(per_batch), rel=1e-5)


def test_the_test_part_is_not_read(make_model, make_loaders):
    class Guarded:
        train, val = make_loaders().train, make_loaders().val

        @property
        def test(self):
            raise AssertionError("fit has read the test set")

    assert len(fit(make_model(), Guarded(), EXACT)) == 3


def test_calls_back_after_each_epoch_and_step(make_model, make_loaders):
    class Watcher:
        def __init__(self):
            self.epochs, self.steps = [], []

        def on_step(self, step, num_steps):
            self.steps.append((step, num_steps))

        def __call__(self, history):
            self.epochs.append(len(history))

    watcher, lengths = Watcher(), []
    fit(make_model(), make_loaders(), EXACT, on_epoch_end=[watcher, lambda h: lengths.append(h)])
    assert watcher.epochs == [1, 2, 3]
    assert watcher.steps == [(step, 21) for step in range(1, 22)]
    assert len(lengths) == 3


def test_the_time_of_callbacks_is_not_that_of_training(make_model, make_loaders, monkeypatch):
    now = 0

    def wait(_):
        nonlocal now
        now += 1000

    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now))
    history = fit(make_model(), make_loaders(), TrainConfig(epochs=3), on_epoch_end=[wait])
    assert history.column("seconds") == [0, 0, 0]


def test_a_callback_may_look_at_the_training_pictures(make_model, make_loaders):
    """Going through the shuffled part in between does not change what comes after."""
    loaders = make_loaders()
    watched = fit(
        make_model(), loaders, EXACT, on_epoch_end=[lambda _: [len(b) for b in loaders.train]]
    )
    assert results(watched) == results(fit(make_model(), make_loaders(), EXACT))


def test_leaves_the_model_in_evaluation_mode(make_model, make_loaders):
    model = make_model()
    fit(model, make_loaders(), EXACT)
    assert not model.training


# --- what it leaves alone --------------------------------------------------------------------


def global_state():
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002 - it is this one that counts
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "cwd": Path.cwd(),
    }


@pytest.mark.parametrize("stopped", [False, True])
def test_leaves_global_state_alone(make_model, make_loaders, stopped, tmp_path):
    torch.manual_seed(1234)
    before = global_state()

    def stop(_):
        torch.rand(5)  # a callback that draws must not leak either
        if stopped:
            raise RuntimeError("stop")

    config = dataclasses.replace(EXACT, clip_norm=1.0, precision="bfloat16")
    options = {"on_epoch_end": [stop], "checkpoint": tmp_path}
    if stopped:
        with pytest.raises(RuntimeError, match="stop"):
            fit(make_model(dropout=0.5), make_loaders(), config, **options)
    else:
        fit(make_model(dropout=0.5), make_loaders(), config, **options)
    assert global_state() == before


def test_trains_inside_no_grad(make_model, make_loaders):
    with torch.no_grad():
        history = fit(make_model(), make_loaders(), EXACT)
        assert not torch.is_grad_enabled()
    assert results(history) == results(fit(make_model(), make_loaders(), EXACT))


def resident_megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


class MemoryWatch:
    """Notes memory after epochs 5 and 20; told to leak, it shows what a leak looks like."""

    def __init__(self, leaks=None):
        self.kept, self.leaks = [], leaks
        self.megabytes, self.tensors = [], []

    def __call__(self, history):
        if self.leaks is not None:
            self.kept.append(torch.ones(self.leaks))
        if len(history) in (5, 20):
            gc.collect()
            self.tensors.append(sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects()))
            self.megabytes.append(resident_megabytes())

    def has_grown(self):
        tensors, megabytes = (last - first for first, last in (self.tensors, self.megabytes))
        return tensors > 0 or megabytes > 8


def test_memory_does_not_grow_over_epochs(make_model, make_loaders):
    config = dataclasses.replace(EXACT, epochs=20, accumulate=2)
    watch = MemoryWatch()
    fit(make_model(norm=True), make_loaders(num_train=96), config, on_epoch_end=[watch])
    assert not watch.has_grown()

    leaking = MemoryWatch(leaks=1)
    fit(make_model(norm=True), make_loaders(num_train=96), config, on_epoch_end=[leaking])
    assert leaking.has_grown()


def test_processes_on_one_machine_share_its_cores(make_model, make_loaders, monkeypatch):
    for name in startup.COUNT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(startup, "find_processors", lambda: startup.Processors(4, 4))
    monkeypatch.setattr(loop, "current_world", lambda: World(local_size=2))
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    try:
        loaders = make_loaders(num_train=16, num_val=16)
        history = fit(make_model(), loaders, dataclasses.replace(EXACT, epochs=1))
        assert torch.get_num_threads() == 8
    finally:
        torch.set_num_threads(before)
    assert history.environment["threads"] == 2


# --- settings --------------------------------------------------------------------------------


def first_step(make_model, make_loaders, **settings):
    """The model after one step on one batch of 16 pictures."""
    model = make_model()
    loaders = make_loaders(num_train=16, num_val=16)
    config = TrainConfig(**{"epochs": 1, "schedule": "constant", "precision": "float32"} | settings)
    history = fit(model, loaders, config)
    assert len(loaders.train) == 1
    return model, history


def change(make_model, model):
    """The step that the parameters have taken, as one vector."""
    pairs = zip(model.parameters(), make_model().parameters(), strict=True)
    return torch.cat([(after - before).flatten() for after, before in pairs]).detach()


def test_accumulating_gives_the_update_of_the_whole_batch(make_model, make_loaders):
    whole, history = first_step(make_model, make_loaders, lr=0.1)
    for pieces in (3, 16):  # 3 pieces are 6, 6 and 4 pictures
        cut, in_pieces = first_step(make_model, make_loaders, lr=0.1, accumulate=pieces)
        assert torch.allclose(change(make_model, cut), change(make_model, whole), atol=1e-7)
        assert in_pieces.epochs[0].train_loss == pytest.approx(history.epochs[0].train_loss)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_clipping_bounds_the_gradient(make_model, make_loaders, precision):
    """Also that of float16, whose loss is scaled up before the gradient is taken."""
    plain = {"lr": 1.0, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    free, _ = first_step(make_model, make_loaders, **plain)
    assert change(make_model, free).norm() > 0.02
    clipped, _ = first_step(make_model, make_loaders, clip_norm=0.01, precision=precision, **plain)
    assert change(make_model, clipped).norm() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_sixteen_bits_learn_too(make_model, make_loaders, precision):
    seen = []
    model = make_model()
    model[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    config = dataclasses.replace(EXACT, epochs=6, precision=precision)
    history = fit(model, make_loaders(num_train=400), config)
    assert set(seen) == {getattr(torch, precision)}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert history.epochs[-1].val_accuracy > 0.9
    assert history.environment["precision"] == precision


def test_channels_last_reaches_pictures_and_filters(make_model, make_loaders):
    seen = []

    class Layout(nn.Module):
        def forward(self, images):
            seen.append(images.is_contiguous(memory_format=torch.channels_last))
            return images

    loaders = make_loaders()
    wide = loaders.train.with_options(images=loaders.train.images.expand(-1, 3, -1, -1))
    model = nn.Sequential(Layout(), nn.Conv2d(3, 6, 3), nn.Flatten(), nn.Linear(216, 4))
    fit(model, type(loaders)(wide, wide), EXACT)
    assert all(seen)
    assert model[1].weight.is_contiguous(memory_format=torch.channels_last)


def test_images_of_three_channels_are_not_copied(make_model, make_loaders, monkeypatch):
    """By default: they are made in the layout that the model wants, and the results are those of
    images that are made otherwise and copied."""
    copies = []
    move = loop.devices.move_batch

    def watch(batch, *rest):
        moved = move(batch, *rest)
        copies.append(moved[0].data_ptr() != batch[0].data_ptr())
        return moved

    monkeypatch.setattr(loop.devices, "move_batch", watch)

    def train(as_list):
        loaders = make_loaders()
        settings = {"mean": (0.4,) * 3, "std": (0.2,) * 3, "batch_size": 16}
        wide = [part.images.repeat(1, 3, 1, 1) for part in (loaders.train, loaders.val)]
        parts = [Batches(wide[0], loaders.train.labels, **settings),
                 Batches(wide[1], loaders.val.labels, **settings)]  # fmt: skip
        parts = [list(part) for part in parts] if as_list else parts
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(216, 4)
        )
        nn.init.constant_(model[0].weight, 0.1)
        nn.init.constant_(model[3].weight, 0.1)
        return results(fit(model, type(loaders)(*parts), EXACT)), model.state_dict()

    torch.manual_seed(0)
    (history, weights) = train(as_list=False)
    assert copies and not any(copies)
    torch.manual_seed(0)
    (same_history, same) = train(as_list=True)
    assert any(copies)
    assert history == same_history
    assert all(weights[name].equal(same[name]) for name in weights)


def test_compiles_only_when_asked(make_model, make_loaders, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    fit(make_model(), make_loaders(), EXACT)
    assert compiled == []
    fit(make_model(), make_loaders(), dataclasses.replace(EXACT, compile=True))
    assert len(compiled) == 1


class ThreeHeads(NamedTuple):
    logits: torch.Tensor
    aux1: torch.Tensor
    aux2: torch.Tensor


class Headed(nn.Module):
    """Three linear heads while training, one otherwise, as GoogLeNet has it."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(64, 4) for _ in range(3))

    def forward(self, images):
        flat = images.flatten(1)
        if not self.training:
            return self.heads[0](flat)
        return ThreeHeads(*(head(flat) for head in self.heads))


def test_auxiliary_heads_are_trained_with_their_weight(make_loaders):
    torch.manual_seed(0)
    model = Headed()
    before = [head.weight.detach().clone() for head in model.heads]
    model.heads[1].load_state_dict(model.heads[0].state_dict())
    before[1] = before[0]
    config = TrainConfig(
        epochs=1, lr=0.1, schedule="constant", weight_decay=0.0, precision="float32"
    )
    fit(model, make_loaders(num_train=16), config)
    main, aux1, aux2 = (h.weight - b for h, b in zip(model.heads, before, strict=True))
    assert torch.allclose(aux1, 0.3 * main, rtol=1e-3, atol=1e-6)
    assert main.abs().sum() > 0 and aux2.abs().sum() > 0


# --- ends before its time --------------------------------------------------------------------


def test_nan_stops_with_a_sentence(make_model, make_loaders):
    loaders = make_loaders(num_train=64)
    config = dataclasses.replace(EXACT, lr=1e30, schedule="constant")
    with pytest.raises(DivergenceError) as caught:
        fit(make_model(), loaders, config)
    message = str(caught.value)
    assert "in epoch 1, step 2 of 12, at lr 1e+30" in message
    assert "try a lower lr (say 1e+29), clip_norm=1.0" in message
    assert "precision" not in message  # it is float32 already
    assert len(caught.value.history) == 0


def test_nan_in_a_picture_is_found_where_it_is(make_model, make_loaders, monkeypatch):
    """Also where the loss is read seldom: the step is named exactly, the epoch is not finished."""
    monkeypatch.setattr(loop, "LOSS_CHECKED_EVERY_STEP_ON", ())
    loaders = make_loaders(num_train=64)

    class Broken:
        passes = 0

        def __len__(self):
            return 4

        def __iter__(self) -> Iterator:
            self.passes += 1
            for number, (images, labels) in enumerate(loaders.train):
                if self.passes == 2 and number == 1:
                    images = images * math.nan
                yield images, labels

    config = dataclasses.replace(EXACT, precision="bfloat16")
    with pytest.raises(
        DivergenceError, match=r"in epoch 2, step 6 of 12.*precision='float32'"
    ) as e:
        fit(make_model(), type(loaders)(Broken(), loaders.val), config)
    assert len(e.value.history) == 1


def test_loss_is_read_seldom_where_reading_waits(make_model, make_loaders, monkeypatch):
    reads = []
    look = loop.Meter.find_non_finite
    monkeypatch.setattr(loop, "LOSS_CHECKED_EVERY_STEP_ON", ())

    def find(meter, at_least):
        before, index = meter.num_checked, look(meter, at_least)
        if meter.num_checked > before:
            reads.append(len(meter))
        return index

    monkeypatch.setattr(loop.Meter, "find_non_finite", find)
    fit(
        make_model(),
        make_loaders(num_train=120, batch_size=2),
        dataclasses.replace(EXACT, epochs=1),
    )
    assert reads == [50, 60]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_last_step_that_goes_astray_is_noticed(make_model, make_loaders, tmp_path, precision):
    """Its loss is taken before its update: only validation sees what came of that."""
    loaders = make_loaders(num_train=16, num_val=16)
    config = TrainConfig(epochs=1, lr=1e30, schedule="constant", precision=precision)
    with pytest.raises(DivergenceError, match=r"in epoch 1, step 1 of 1, at lr 1e\+30") as caught:
        fit(make_model(), loaders, config, checkpoint=tmp_path)
    assert len(caught.value.history) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("when", ["step", "epoch", "validation"])
def test_interrupt_returns_the_history_so_far(make_model, make_loaders, when):
    class Stop:
        def on_step(self, step, num_steps):
            if when == "step" and step == 10:
                raise KeyboardInterrupt

        def __call__(self, history):
            if when == "epoch" and len(history) == 2:
                raise KeyboardInterrupt

    model = make_model()
    if when == "validation":
        calls = iter(range(100))

        def stop(*_):
            if not model.training and next(calls) == 5:
                raise KeyboardInterrupt

        model.register_forward_hook(stop)
    history = fit(model, make_loaders(), EXACT, on_epoch_end=[Stop()])
    assert history.interrupted
    assert len(history) == {"step": 1, "epoch": 2, "validation": 1}[when]
    assert not model.training
    assert evaluate(model, make_loaders().val).accuracy > 0.3
    assert not fit(make_model(), make_loaders(), EXACT).interrupted


@pytest.fixture
def interruptible():
    """What Ctrl-C does by default; in a process started in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("when", ["step", "epoch"])
def test_an_interrupt_ends_the_run_between_two_steps(make_model, make_loaders, interruptible, when):
    """Not where the program happens to be: in a `__del__` Python would swallow it."""
    said = []

    class Stop:
        def on_step(self, step, num_steps):
            if when == "step" and step == 10:
                signal.raise_signal(signal.SIGINT)
                said.append(step)

        def __call__(self, history):
            if when == "epoch" and len(history) == 2:
                signal.raise_signal(signal.SIGINT)
                said.append(len(history))

    history = fit(make_model(), make_loaders(), EXACT, on_epoch_end=[Stop()])
    assert history.interrupted
    assert said == [{"step": 10, "epoch": 2}[when]]
    assert len(history) == {"step": 1, "epoch": 2}[when]
    assert signal.getsignal(signal.SIGINT) is interruptible


def test_a_second_interrupt_does_not_wait(make_model, make_loaders, interruptible):
    def press_twice(history):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")

    assert fit(make_model(), make_loaders(), EXACT, on_epoch_end=[press_twice]).interrupted


def test_signals_are_left_alone_in_other_threads_and_where_they_are_ignored(
    make_model, make_loaders
):
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(fit, make_model(), make_loaders(), EXACT).result())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_of_one_process_ends_all(make_model, make_loaders, monkeypatch):
    """Returning would leave the others waiting for this one's gradients."""
    trainer = loop.Trainer(make_model(), make_loaders(), EXACT, torch.device("cpu"), World())
    trainer.world = World(rank=1, size=2)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "run_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()


@pytest.mark.parametrize("part", ["train", "val"])
def test_an_empty_part_is_an_error(make_model, make_loaders, part):
    loaders = make_loaders()
    with pytest.raises(ValueError, match=f"loaders.{part} is empty"):
        fit(make_model(), dataclasses.replace(loaders, **{part: []}), EXACT)


def test_a_model_without_parameters_is_an_error(make_loaders):
    with pytest.raises(ValueError, match="no trainable parameters"):
        fit(nn.Flatten(), make_loaders(), EXACT)


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize("value", [None, iter([]), 3])
def test_a_part_without_a_length_is_an_error(make_model, make_loaders, part, value):
    loaders = dataclasses.replace(make_loaders(), **{part: value})
    with pytest.raises(ValueError, match="loaders need train and val with a length"):
        fit(make_model(), loaders, EXACT)


def test_one_part_alone_is_an_error(make_model, make_loaders):
    with pytest.raises(ValueError, match=r"loaders need train and val.*'train'"):
        fit(make_model(), make_loaders().train, EXACT)


class Once:
    """Two batches at the first pass, fewer at the others."""

    def __init__(self, batches):
        self.rest = iter(batches)

    def __len__(self):
        return 2

    def __iter__(self):
        return self.rest


def test_batches_that_are_used_up_are_an_error(make_model, make_loaders):
    loaders = make_loaders()
    once = Once(list(loaders.train)[:2])
    with pytest.raises(ValueError, match=r"an epoch had 0 batches, but loaders.train has.* 2:"):
        fit(make_model(), dataclasses.replace(loaders, train=once), EXACT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images, labels: (images, labels[:, None]), "labels have shape .*labels.:, 0."),
        (lambda images, labels: (images, F.one_hot(labels, 4)), "labels have shape .*argmax"),
        (lambda images, labels: (images, labels.float()), "labels are torch.float32"),
        (lambda images, labels: (images, labels + 1), "labels go from 1 to 4.*give labels - 1"),
        (lambda images, labels: (images, labels - 9), "labels go from -9 to"),
        (lambda images, labels: (images, labels[1:]), "images, but"),
        (lambda images, labels: (images, labels, labels), "a batch is two tensors"),
        (lambda images, labels: ((images, images), labels), "a batch is two tensors"),
        (
            lambda images, labels: (images.byte(), labels),
            "the model fails on images of .*torch.uint8",
        ),
        (lambda images, labels: (images[:, :, :5], labels), "the model fails on images of .*5, 8"),
    ],
)
@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_batches_that_do_not_fit_are_an_error(
    make_model, make_loaders, part, change, message, accumulate
):
    loaders = make_loaders()
    changed = [change(*batch) for batch in getattr(loaders, part)]
    config = dataclasses.replace(EXACT, epochs=1, accumulate=accumulate)
    with pytest.raises(ValueError, match=message):
        fit(make_model(), dataclasses.replace(loaders, **{part: changed}), config)


def test_labels_of_another_integer_type_are_the_same(make_model, make_loaders):
    loaders = make_loaders()
    train = list(loaders.train)
    runs = [
        fit(make_model(), dataclasses.replace(loaders, train=part), EXACT)
        for part in (train, [(images, labels.to(torch.uint8)) for images, labels in train])
    ]
    assert results(runs[0]) == results(runs[1])
