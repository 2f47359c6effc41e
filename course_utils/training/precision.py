"""The number format of the forward pass: float32, or a 16-bit one where that is faster."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from course_utils.training.config import PRECISIONS

CPU_BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")  # as Linux and torch both spell them


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the format in which a model's products are computed on a device.

    ``auto`` is bfloat16 where the hardware multiplies it natively: CUDA from the Ampere
    generation on, and CPUs with AMX or AVX512-BF16. Elsewhere bfloat16 is emulated and slow,
    so ``auto`` is float32 there. bfloat16 has float32's range, so no loss scaling is needed.

    Args:
        name: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device: Where the model runs.

    Raises:
        ValueError: The name is none of the four.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision is {name!r}: use one of {', '.join(PRECISIONS)}")
    if name != "auto":
        return {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[name]
    return torch.bfloat16 if _is_bfloat16_fast(device) else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which a forward pass computes in the given format."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def precision_name(dtype: torch.dtype) -> str:
    """Return ``float32`` for ``torch.float32``, and so on."""
    return str(dtype).removeprefix("torch.")


def _is_bfloat16_fast(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(cpu_flags() & set(CPU_BFLOAT16_FLAGS))


def cpu_flags() -> set[str]:
    """Return the instruction sets of this CPU that matter here; empty where none is known."""
    if hasattr(torch.cpu, "get_capabilities"):  # newer torch asks the CPU itself
        return {flag for flag, present in torch.cpu.get_capabilities().items() if present is True}
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}
