"""Where data and model meet: number formats, layouts, devices, dice."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from course_utils.data import Batches
from course_utils.runtime import find_device
from course_utils.training import device as devices
from course_utils.training.device import Shuffler, autocast, choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("flag", ["amx_bf16", "avx512_bf16"])
def test_auto_is_bfloat16_where_the_cpu_multiplies_it(monkeypatch, flag):
    monkeypatch.setattr(devices, "cpu_flags", lambda: {"avx2", flag})
    assert choose_precision("auto", CPU) == torch.bfloat16


def test_auto_is_float32_on_other_cpus(monkeypatch):
    monkeypatch.setattr(devices, "cpu_flags", lambda: {"avx2", "avx512f"})
    assert choose_precision("auto", CPU) == torch.float32


@pytest.mark.parametrize("supported", [True, False])
def test_auto_asks_cuda_for_native_support(monkeypatch, supported):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    expected = torch.bfloat16 if supported else torch.float32
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_named_formats():
    names = ["float32", "bfloat16", "float16"]
    assert [str(choose_precision(name, CPU)) for name in names] == [f"torch.{n}" for n in names]


def test_unknown_format():
    with pytest.raises(ValueError, match="precision = 'fp8' is unknown: choose from auto, float32"):
        choose_precision("fp8", CPU)


def test_flags_agree_with_the_operating_system():
    """torch and Linux read the same processor; where one of them is silent there is no test."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    for flag in devices.CPU_BFLOAT16_FLAGS if flags else ():
        assert (flag in devices.cpu_flags()) == (flag in flags)


def test_flags_without_torchs_help(monkeypatch):
    expected = devices.cpu_flags() & set(devices.CPU_BFLOAT16_FLAGS)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert devices.cpu_flags() & set(devices.CPU_BFLOAT16_FLAGS) == expected


def test_autocast_is_the_format_of_products():
    layer, images = torch.nn.Linear(4, 4), torch.ones(2, 4)
    for dtype in (torch.float32, torch.bfloat16):
        with autocast(CPU, dtype):
            assert layer(images).dtype == dtype


# --- batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(4, 1, 8, 8), "but this one is \\(Tensor\\)"),
        ((torch.zeros(4, 1, 8, 8),), "but this one is \\(Tensor\\)"),
        ((torch.zeros(4, 3), torch.zeros(4, 3), torch.zeros(4)), "\\(Tensor, Tensor, Tensor\\)"),
        (((torch.zeros(4, 3), torch.zeros(4, 3)), torch.zeros(4)), "\\(tuple, Tensor\\)"),
        ((torch.zeros(4, 3), [0, 1, 2, 3]), "\\(Tensor, list\\)"),
        ({"images": torch.zeros(4, 3)}, "\\(dict\\)"),
        ((torch.zeros(4, 3), torch.tensor(1)), "is two tensors, images and labels"),
        ((torch.zeros(4, 3), torch.zeros(3)), "a batch has 4 images, but 3 labels"),
    ],
)
def test_what_is_no_batch_is_refused(batch, message):
    with pytest.raises(ValueError, match=message):
        devices.images_and_labels(batch)


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_batch_is_a_pair(kind):
    images, labels = torch.zeros(4, 3), torch.arange(4)
    assert devices.images_and_labels(kind([images, labels])) == (images, labels)


def test_a_batch_is_laid_out_and_nothing_else():
    images, labels = torch.rand(4, 3, 5, 6), torch.arange(4)
    moved, same = devices.move_batch((images, labels), CPU, channels_last=True)
    assert moved.is_contiguous(memory_format=torch.channels_last) and moved.equal(images)
    assert same is labels
    assert devices.move_batch((images, labels), CPU, channels_last=False)[0] is images


def test_batches_are_asked_for_the_layout_and_others_left_alone():
    images = torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
    ours = Batches(images, torch.zeros(8).long(), 4, mean=(0.5,) * 3, std=(0.5,) * 3)
    asked = devices.laid_out(ours, channels_last=True)
    assert next(iter(asked))[0].is_contiguous(memory_format=torch.channels_last)
    assert devices.laid_out(ours, channels_last=False) is ours
    theirs = [(images, torch.zeros(8))]
    assert devices.laid_out(theirs, channels_last=True) is theirs


# --- devices and models ------------------------------------------------------------------------


def test_a_device_that_is_not_there_is_named():
    for name in ("gpu", "cuda:77", "mps:9"):
        with pytest.raises(ValueError, match=f"there is no device '{name}' here: use 'cpu'"):
            find_device(name)
    assert find_device("cpu") == find_device(CPU) == CPU


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("lenet5", "model = 'lenet5' is not a Module: give one"),
        (None, "model = None is not a Module"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), r"call model\(images\) once"),
    ],
)
def test_what_cannot_be_trained_yet_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        devices.check_model(model)


# --- dice --------------------------------------------------------------------------------------


def test_seeded_is_as_torchs_own_seed_and_leaves_no_trace():
    torch.manual_seed(5)
    expected = torch.rand(4), torch.randn(3)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with devices.seeded(5, CPU):
        assert torch.rand(4).equal(expected[0]) and torch.randn(3).equal(expected[1])
    assert torch.get_rng_state().equal(before)


DATA = TensorDataset(torch.arange(12), torch.arange(12))


def own_generator():
    return DataLoader(DATA, 2, shuffle=True, generator=torch.Generator().manual_seed(3))


def sampler_with_a_generator():
    return DataLoader(DATA, 2, sampler=RandomSampler(DATA, generator=torch.Generator()))


def global_generator():
    return DataLoader(DATA, 2, shuffle=True)


def order(batches):
    return [images.tolist() for images, _ in batches]


@pytest.mark.parametrize("make", [own_generator, sampler_with_a_generator, global_generator])
def test_the_rest_of_an_epoch_is_what_it_would_have_been(make):
    """A step draws from the global generators between two batches, as dropout does."""
    torch.manual_seed(0)
    loader = make()
    shuffler = Shuffler(loader, CPU)
    epochs = []
    for _ in range(2):
        epochs.append([])
        shuffler.remember()
        for number, (images, _) in enumerate(shuffler.epoch(loader, num_done=0)):
            epochs[-1].append(images.tolist())
            torch.rand(3)
            if number == 3:
                middle = torch.get_rng_state()
    assert epochs[0] != epochs[1]
    torch.manual_seed(99)
    torch.set_rng_state(middle)
    assert order(shuffler.epoch(loader, num_done=4)) == epochs[1][4:]
    assert torch.get_rng_state().equal(middle)
