"""Work in threads: what NumPy, Arrow and the kernels do holds no lock of Python's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call a function on each item, as many at once as PyTorch has threads.

    What a call writes, no other may read or write: then results do not depend on the threads.

    Returns:
        The results in the order of the items.
    """
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(function, items))


def pieces(count: int, size: int) -> list[slice]:
    """Cut the numbers below ``count`` into slices of one size, the last one shorter."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
