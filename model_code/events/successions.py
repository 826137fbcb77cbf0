"""Users' numbers of events, and the times between two of them: in one pass where a log is in order."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.threads import in_threads

# Where bins of gaps start, in milliseconds; each goes up to the next.
GAP_STARTS = (0, 1, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 604_800_000, 2_592_000_000)
_ROOM = 1 << 28  # bytes of users: a few times as much is taken
_BIN = " + ".join(f"(gap >= {start})::BIGINT" for start in GAP_STARTS[1:])
# The gaps of a log in any order, in SQL.
GAPS_QUERY = f"""
    SELECT {_BIN} AS number, count(*) AS pairs
    FROM (SELECT timestamp - lag(timestamp) OVER (PARTITION BY user_id ORDER BY timestamp) AS gap
          FROM events WHERE user_id IS NOT NULL AND timestamp IS NOT NULL)
    WHERE gap IS NOT NULL GROUP BY ALL"""


class Successions(NamedTuple):
    """What the order of the events tells.

    Attributes:
        users: ``user_id`` and its ``events``.
        gaps: ``number`` of a bin in `GAP_STARTS`, and how many ``pairs`` of successive events of a user lie
            so far apart.
    """

    users: pa.Table
    gaps: pa.Table


class _Part(NamedTuple):
    """A part of a file: its users in order, their events in it, its first and its last time, its gaps."""

    users: pa.Array
    events: NDArray[np.int64]
    first: int
    last: int
    gaps: NDArray[np.int64]


def follow(path: Path) -> Successions | None:
    """Follow the events of a Parquet file that are in order of ``user_id`` and ``timestamp``.

    Returns:
        What they tell; None if they are in another order, there is none, one lacks its user or its time, or
        the users are more than should be held in memory.
    """
    metadata = pq.read_metadata(path)
    if not metadata.num_rows or metadata.schema.to_arrow_schema().field("timestamp").type != pa.int64():
        return None

    groups = [group for group in range(metadata.num_row_groups) if metadata.row_group(group).num_rows]
    held = np.zeros(metadata.num_row_groups, np.int64)  # bytes

    def read(group: int) -> _Part | None:
        if held.sum() > _ROOM:
            return None
        with pq.ParquetFile(path, metadata=metadata) as file:
            rows = file.read_row_group(group, ["user_id", "timestamp"], use_threads=False)
        part = _part(rows["user_id"].combine_chunks(), rows["timestamp"].combine_chunks())
        held[group] = part.users.nbytes + part.events.nbytes if part else 0
        return part

    parts = in_threads(read, groups)
    complete = [part for part in parts if part is not None]
    return _joined(complete) if len(complete) == len(parts) else None


def _part(users: pa.Array, times: pa.Array) -> _Part | None:
    if users.null_count or times.null_count:
        return None
    time = times.to_numpy()
    same = _alike(users)
    gap = np.diff(time)[same]
    if (same & (time[1:] < time[:-1])).any() or (gap < 0).any():  # too far apart for 64 bits
        return None
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    events = np.diff(starts, append=len(time))
    return _Part(users.take(pa.array(starts)), events, int(time[0]), int(time[-1]), _binned(gap))


def _alike(values: pa.Array) -> NDArray[np.bool_]:
    """Whether each value but the first equals the one before."""
    if pa.types.is_integer(values.type):  # several times as fast
        numbers = values.to_numpy()
        alike: NDArray[np.bool_] = numbers[1:] == numbers[:-1]
        return alike
    return np.asarray(pc.equal(values[1:], values[:-1]))


def _binned(gap: NDArray[np.int64]) -> NDArray[np.int64]:
    # There are few bins: to compare with the end of each is faster than to search for each gap.
    below = [np.count_nonzero(gap < start) for start in GAP_STARTS[1:]]
    return np.diff([0, *below, len(gap)])


def _joined(parts: list[_Part]) -> Successions | None:
    users, events = (
        pa.concat_arrays([part.users for part in parts]),
        np.concatenate([part.events for part in parts]),
    )
    gaps = np.sum([part.gaps for part in parts], axis=0)
    begins = np.ones(len(users), dtype=bool)
    place = 0
    for before, after in pairwise(parts):
        place += len(before.users)
        if users[place - 1] == users[place]:
            begins[place] = False
            gap = after.first - before.last
            if not 0 <= gap < 2**63:
                return None
            gaps += _binned(np.array([gap]))
    users = users.filter(pa.array(begins))
    if not pc.all(pc.less(users[:-1], users[1:]), min_count=0).as_py():
        return None
    events = np.add.reduceat(events, np.flatnonzero(begins))
    return Successions(
        users=pa.table({"user_id": users, "events": events}),
        gaps=pa.table({"number": range(len(gaps)), "pairs": gaps}),
    )
