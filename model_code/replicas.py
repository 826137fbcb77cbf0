"""The processes that train one model together, each on its shard of every batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Shard(NamedTuple):
    """The groups ``start`` to ``end`` of a batch of ``total``."""

    start: int
    end: int
    total: int


_active: Shard | None = None


def shard_of(groups: int) -> Shard:
    """Which part of its batch the ``groups`` at hand are: all of it, unless several processes share it."""
    return _active or Shard(0, groups, groups)


@contextmanager
def sharing(shard: Shard) -> Iterator[None]:
    """Tell what runs inside that the groups at hand are this shard of a batch."""
    global _active  # noqa: PLW0603 - as torch.distributed itself, one for the process
    _active = shard
    try:
        yield
    finally:
        _active = None
