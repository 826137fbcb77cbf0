"""Recent histories of known users, looked up by user id."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

COLUMNS = ("user_id", "item_id", "timestamp")


class HistoriesError(Exception):
    """The file cannot be used; the message names it, says why, and what to do."""


class History(NamedTuple):
    """What a user clicked."""

    items: list[Any]  # as logged, oldest first
    last_event_time: int | None  # ms since 1970 UTC


class Histories:
    """The last events of each user, in order of (timestamp, item) as in training; compact arrays."""

    def __init__(self, users: pa.Array, offsets: NDArray[np.int64], items: pa.Array, last: pa.Array) -> None:
        """Keep sorted users (U,), where their events start and end (U + 1,), items, and last times (U,)."""
        self._users, self._offsets, self._items, self._last = users, offsets, items, last

    @classmethod
    def load(cls, path: Path, max_length: int, user_type: pa.DataType, item_type: pa.DataType) -> Self:
        """Read the events of a log.

        Args:
            path: a Parquet file, or a folder of them, with at least ``user_id``, ``item_id`` and
                ``timestamp`` (ms), such as the events of a split log.
            max_length: events kept of a user, the most recent ones.
            user_type: of the ids in the log that the model was trained on.
            item_type: likewise.

        Raises:
            HistoriesError: when a column is missing, has nulls, or is not of the type in the model's log.
        """
        table = _read(path, {"user_id": user_type, "item_id": item_type, "timestamp": pa.int64()})
        table = table.sort_by([(name, "ascending") for name in ("user_id", "timestamp", "item_id")])
        runs = pc.run_end_encode(table["user_id"].combine_chunks(), run_end_type=pa.int64())
        ends = runs.run_ends.to_numpy()
        lengths = np.minimum(np.diff(ends, prepend=0), max_length)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        kept = np.arange(offsets[-1]) + np.repeat(ends - offsets[1:], lengths)
        items = table["item_id"].take(pa.array(kept)).combine_chunks()
        last = table["timestamp"].take(pa.array(ends - 1)).combine_chunks()
        return cls(runs.values, offsets, items, last)

    def __len__(self) -> int:
        """Number of known users."""
        return len(self._users)

    def of(self, user: int | str) -> History | None:
        """A user's history; None for an unknown user. ``user`` is of the type of the log's ids."""
        users = self._users
        row = bisect_left(range(len(users)), user, key=lambda place: users[place].as_py())
        if row == len(users) or users[row].as_py() != user:
            return None
        start, end = self._offsets[row : row + 2].tolist()
        return History(self._items[start:end].to_pylist(), self._last[row].as_py())


def _read(path: Path, types: dict[str, pa.DataType]) -> pa.Table:
    try:
        schema = pq.ParquetDataset(path).schema
        missing = [name for name in types if name not in schema.names]
        if missing:
            raise HistoriesError(f"{path}: has no column {missing[0]}; histories need {', '.join(types)}")
        table = pq.read_table(path, columns=list(types))
    except (OSError, pa.ArrowInvalid) as error:
        raise HistoriesError(f"{path}: cannot be read as Parquet ({error})") from None
    columns = {}
    for name, expected in types.items():
        found = table[name]
        if pa.types.is_integer(found.type) != pa.types.is_integer(expected):
            raise HistoriesError(
                f"{path}: {name} is of type {found.type}, but {expected} in the log of the model; convert it"
            )
        if found.null_count:
            row = pc.index(pc.is_null(found), value=True).as_py()
            raise HistoriesError(f"{path}: row {row} has no {name}; leave such rows out")
        # 32-bit offsets would hold two gigabytes of text.
        try:
            columns[name] = found.cast(pa.large_string() if pa.types.is_string(expected) else expected)
        except pa.ArrowException as error:
            raise HistoriesError(
                f"{path}: {name} of type {found.type} cannot be read as {expected} ({error}); convert it"
            ) from None
    return pa.table(columns)
