"""The processes that train one model together, each on its shard of every batch.

With one process, without `torch.distributed`, everything here does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_reduce

T = TypeVar("T")


class Shard(NamedTuple):
    """The groups ``start`` to ``end`` of a batch of ``total``, shared by ``processes``."""

    start: int
    end: int
    total: int
    processes: int = 1

    @property
    def weight(self) -> float:
        """Times this, a mean over the shard becomes one whose mean over the processes is the batch's."""
        return (self.end - self.start) * self.processes / self.total


_active: Shard | None = None


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is; 0 reports and writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def shard(total: int) -> Shard:
    """This process's shard of a batch; sizes differ by one at most.

    A batch of fewer groups than processes is not shared: each process computes all of it.
    """
    processes = count()
    if total < processes:
        return Shard(0, total, total)
    return Shard(total * rank() // processes, total * (rank() + 1) // processes, total, processes)


def current(groups: int) -> Shard:
    """Which shard of a batch the ``groups`` at hand are: all of it, unless `sharing` says otherwise."""
    return _active or Shard(0, groups, groups)


@contextmanager
def sharing(part: Shard) -> Iterator[None]:
    """Tell the layers that run inside which shard of a batch they see."""
    global _active  # noqa: PLW0603 - one for the process, as torch.distributed's own state
    _active = part
    try:
        yield
    finally:
        _active = None


def total(values: Tensor) -> Tensor:
    """Sum over all processes; the gradient of the sum flows back to each."""
    result: Tensor = all_reduce(values)
    return result


def mean(values: Tensor) -> Tensor:
    """Mean over all processes, without gradient."""
    if count() == 1:
        return values
    result = values.clone()
    dist.all_reduce(result)
    return result / count()


def batch_mean(total: Tensor, number: Tensor, groups: int) -> Tensor:
    """Mean over entries of which groups have different numbers, as the histories' events.

    Processes are averaged by how many groups each has (`Shard.weight`). This is scaled such that they then
    give the mean over all entries of the batch, and not that of their means.

    Args:
        total: sum over the entries of the groups at hand, a scalar.
        number: how many these are, a scalar; there may be none.
        groups: at hand.
    """
    shard = current(groups)
    of_batch = mean(number.to(total.dtype)) * shard.processes
    return total / of_batch.clamp(min=1) * (shard.total / (shard.end - shard.start))


def any_of(*flags: bool) -> list[bool]:
    """For each flag, whether any process has raised it."""
    if count() == 1:
        return list(flags)
    raised = torch.tensor(flags, dtype=torch.uint8)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return raised.bool().tolist()


def of_first(compute: Callable[[], T]) -> T:
    """What process 0 computes, known to all; the others wait."""
    if count() == 1:
        return compute()
    result = [compute() if rank() == 0 else None]
    dist.broadcast_object_list(result, src=0)
    return cast(T, result[0])


def mean_rows(rows: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Collect the rows of a table that the processes have read, for the mean of their gradients.

    Args:
        rows: (n,) ids; n may differ between processes.
        gradients: (n, width).

    Returns:
        The rows of all processes one after the other, (m,), and their gradients over the number of
        processes, (m, width); rows that several have read come several times.
    """
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(count())]
    dist.all_gather(sizes, torch.tensor([len(rows)]))
    most = int(max(sizes))

    def gathered(values: Tensor) -> Tensor:
        padded = values.new_zeros(most, *values.shape[1:])
        padded[: len(values)] = values
        everyone = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(everyone, padded)
        return torch.cat([part[: int(size)] for part, size in zip(everyone, sizes, strict=True)])

    return gathered(rows), gathered(gradients / count())
