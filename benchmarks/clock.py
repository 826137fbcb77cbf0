"""Time and memory as a measurement reads them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
MIB = 1 << 20


def clock_of(device: torch.device) -> Callable[[], float]:
    """A clock in seconds that first waits for what the device has been given to do."""
    if device.type != "cuda":
        return time.perf_counter

    def after_waiting() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return after_waiting


def peak_memory(device: torch.device) -> dict[str, float | None]:
    """Peaks so far in MiB: the process's resident memory (None without /proc), and a GPU's allocated."""
    peaks = {"process_mib": _resident_peak()}
    if device.type == "cuda":
        peaks["cuda_mib"] = torch.cuda.max_memory_allocated(device) / MIB
    return peaks


def _resident_peak() -> float | None:
    # Not getrusage: its peak is inherited from the process that started this one.
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)
