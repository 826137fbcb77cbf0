"""Counts, time and memory of a step, logged as its metadata."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zenml import log_metadata

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Yield a dictionary for the body to fill; log it with the body's seconds and peak memory.

    Steps may share a process, so the kernel's high-water mark is reset first; where there is no /proc, the
    memory is left out.
    """
    _reset_peak_memory()
    notes: dict[str, Any] = {}
    began = time.monotonic()
    yield notes
    notes["seconds"] = round(time.monotonic() - began, 3)
    if (peak := _peak_memory()) is not None:
        notes["peak_memory_mib"] = peak
    log_metadata(_without_none(notes))


def _without_none(value: Any) -> Any:
    """Leave out what has no value, which the orchestrator's metadata cannot hold."""
    if not isinstance(value, dict):
        return value
    return {str(key): _without_none(part) for key, part in value.items() if part is not None}


def _reset_peak_memory() -> None:
    try:
        CLEAR.write_text("5")
    except OSError:
        return


def _peak_memory() -> int | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), None)
