from pathlib import Path

import pytest
import torch

from course_utils.training import precision
from course_utils.training.precision import autocast, choose_precision, precision_name

CPU = torch.device("cpu")


@pytest.mark.parametrize("flag", ["amx_bf16", "avx512_bf16"])
def test_auto_is_bfloat16_where_the_cpu_multiplies_it(monkeypatch, flag):
    monkeypatch.setattr(precision, "cpu_flags", lambda: {"avx2", flag})
    assert choose_precision("auto", CPU) == torch.bfloat16


def test_auto_is_float32_on_other_cpus(monkeypatch):
    monkeypatch.setattr(precision, "cpu_flags", lambda: {"avx2", "avx512f"})
    assert choose_precision("auto", CPU) == torch.float32


@pytest.mark.parametrize("supported", [True, False])
def test_auto_asks_cuda_for_native_support(monkeypatch, supported):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    expected = torch.bfloat16 if supported else torch.float32
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_named_formats():
    names = ["float32", "bfloat16", "float16"]
    assert [precision_name(choose_precision(name, CPU)) for name in names] == names


def test_unknown_format():
    with pytest.raises(ValueError, match="precision is 'fp8': use one of auto, float32"):
        choose_precision("fp8", CPU)


def test_flags_agree_with_the_operating_system():
    """torch and Linux read the same processor; where one of them is silent there is no test."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    for flag in precision.CPU_BFLOAT16_FLAGS if flags else ():
        assert (flag in precision.cpu_flags()) == (flag in flags)


def test_flags_without_torchs_help(monkeypatch):
    expected = precision.cpu_flags() & set(precision.CPU_BFLOAT16_FLAGS)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision.cpu_flags() & set(precision.CPU_BFLOAT16_FLAGS) == expected


def test_autocast_is_the_format_of_products():
    layer, images = torch.nn.Linear(4, 4), torch.ones(2, 4)
    for dtype in (torch.float32, torch.bfloat16):
        with autocast(CPU, dtype):
            assert layer(images).dtype == dtype
