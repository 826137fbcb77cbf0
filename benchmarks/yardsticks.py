"""What the machine can do at best: large matrix products in float32, and large copies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.apart import serve
from benchmarks.clock import clock_of
from model_code.training.device import resolve_device

SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices
COPIED = {"cpu": 1 << 28, "cuda": 1 << 30}  # bytes; far more than any cache holds


def yardsticks(payload: Mapping[str, Any]) -> dict[str, float]:
    """Measure the best rates seen within ``seconds`` each, with the threads and device of the payload."""
    if payload["threads"]:
        torch.set_num_threads(payload["threads"])
    device = resolve_device(payload["device"])
    side, size = SIDE[device.type], COPIED[device.type]
    left, right, product = (torch.rand(side, side, device=device) for _ in range(3))
    source, target = (torch.ones(size // 4, device=device) for _ in range(2))

    def best(work: Callable[[], object]) -> float:
        return _best(work, clock_of(device), payload["seconds"])

    return {
        "flop_per_second": 2 * side**3 / best(lambda: torch.mm(left, right, out=product)),
        "bytes_per_second": 2 * size / best(lambda: target.copy_(source)),  # read and written
    }


def _best(work: Callable[[], object], clock: Callable[[], float], seconds: float) -> float:
    work()
    shortest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = clock()
        work()
        shortest = min(shortest, clock() - began)
    return shortest


if __name__ == "__main__":
    serve(yardsticks)
