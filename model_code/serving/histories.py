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

from model_code.sequences.vocabulary import Vocabulary


class HistoriesError(Exception):
    """The file cannot be used; the message names it, says why, and what to do."""


class History(NamedTuple):
    """What a user clicked."""

    items: list[Any]  # as logged, oldest first
    categories: list[Any] | None  # likewise, one for each; None where none are told
    last_event_time: int | None  # ms since 1970 UTC


class Histories:
    """The last events of each user, by (timestamp, item, category) as in training; compact arrays."""

    def __init__(
        self,
        users: pa.Array,
        offsets: NDArray[np.int64],
        items: pa.Array,
        categories: pa.Array | None,
        last: pa.Array,
    ) -> None:
        """Keep what `load` read.

        Args:
            users: (U,) sorted.
            offsets: (U + 1,) where their events start and end.
            items: (events,)
            categories: (events,) or ``None``.
            last: (U,) times of the last events.
        """
        self._users, self._offsets, self._last = users, offsets, last
        self._items, self._categories = items, categories

    @classmethod
    def load(cls, path: Path, max_length: int, vocabulary: Vocabulary) -> Self:
        """Read the events of a log.

        Args:
            path: a Parquet file, or a folder of them, with at least ``user_id``, ``item_id`` and
                ``timestamp`` (ms), such as the events of a split log; with ``category_id``, if it is there.
            max_length: events kept of a user, the most recent ones.
            vocabulary: of the model, whose ids have the types of the log's.

        Raises:
            HistoriesError: when a column is missing, is not of the type in the model's log, or has nulls,
                categories excepted.
        """
        table = _read(path, vocabulary)
        order = ["user_id", "timestamp", "item_id"]
        if "category_id" in table.column_names:
            known = vocabulary.categories["category_id"]
            table = table.append_column("place", _place(table["category_id"], known))
            order.append("place")
        table = table.sort_by([(name, "ascending") for name in order])
        runs = pc.run_end_encode(table["user_id"].combine_chunks(), run_end_type=pa.int64())
        ends = runs.run_ends.to_numpy()
        lengths = np.minimum(np.diff(ends, prepend=0), max_length)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        kept = np.arange(offsets[-1]) + np.repeat(ends - offsets[1:], lengths)
        items, categories = (
            table[name].take(pa.array(kept)).combine_chunks() if name in table.column_names else None
            for name in ("item_id", "category_id")
        )
        last = table["timestamp"].take(pa.array(ends - 1)).combine_chunks()
        return cls(runs.values, offsets, items, categories, last)

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
        categories = None if self._categories is None else self._categories[start:end].to_pylist()
        return History(self._items[start:end].to_pylist(), categories, self._last[row].as_py())


def _place(categories: pa.ChunkedArray, known: pa.ChunkedArray) -> pa.ChunkedArray:
    """Place of categories in the order of training: none first, then as in the vocabulary, others last."""
    row = pc.index_in(categories, value_set=known.cast(categories.type), skip_nulls=True)
    return pc.if_else(pc.is_null(categories), -1, pc.fill_null(row, len(known)))


def _read(path: Path, vocabulary: Vocabulary) -> pa.Table:
    types = {
        "user_id": vocabulary.users["user_id"].type,
        "item_id": vocabulary.items["item_id"].type,
        "timestamp": pa.int64(),
    }
    try:
        schema = pq.ParquetDataset(path).schema
        missing = [name for name in types if name not in schema.names]
        if missing:
            raise HistoriesError(f"{path}: has no column {missing[0]}; histories need {', '.join(types)}")
        if "category_id" in schema.names:
            types["category_id"] = vocabulary.categories["category_id"].type
        table = pq.read_table(path, columns=list(types))
    except (OSError, pa.ArrowInvalid) as error:
        raise HistoriesError(f"{path}: cannot be read as Parquet ({error})") from None
    columns = {}
    for name, expected in types.items():
        found = table[name]
        if name == "category_id" and found.null_count == len(found):
            found = pa.chunked_array([pa.nulls(len(found), expected)])  # of no type where there are none
        if pa.types.is_integer(found.type) != pa.types.is_integer(expected):
            raise HistoriesError(
                f"{path}: {name} is of type {found.type}, but {expected} in the log of the model; convert it"
            )
        if found.null_count and name != "category_id":
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
