"""Codes of items, categories and users: numbers in place of the ids that a log has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from model_code.groups import UNKNOWN

if TYPE_CHECKING:
    import ibis

    from model_code.events.engines.engine import Engine

FIRST_ID = UNKNOWN + 1
SPARSE = 16  # numbers to an id, from which a table of all numbers takes too much room


def count_events(events: ibis.Table, end: int, *keys: str) -> ibis.Table:
    """Group a log by columns.

    Returns:
        The groups, with ``events`` in the whole log, their ``count`` before the timestamp ``end``, as that of
        the fit part, and the timestamp of the ``last`` one before it, null if there is none.
    """
    earlier = events.timestamp < end
    count, last = events.count(where=earlier), events.timestamp.max(where=earlier)
    return events.group_by(*keys).agg(events=events.count(), count=count, last=last)


def regroup(groups: ibis.Table, key: str) -> ibis.Table:
    """Return ``events`` and ``count`` by one of the columns by which `count_events` grouped."""
    return groups.group_by(key).agg(events=groups.events.sum(), count=groups["count"].sum())


@dataclass(frozen=True, eq=False)
class Codes:
    """The n distinct ids of a column of a log: row r has the code r + 2.

    Those of the fit part come first, by descending count there and then by id: their codes are vocabulary
    ids. The others follow, by id: their codes only tell them apart.
    """

    ids: pa.Array  # (n,) as logged
    events: NDArray[np.int64]  # (n,) in the whole log
    count: NDArray[np.int64]  # (n,) in the fit part

    @classmethod
    def of(cls, connection: Engine, counts: ibis.Table, key: str) -> Codes:
        """Give codes to a split log's ids.

        Args:
            connection: the engine of the log.
            counts: of `count_events`, a row for each id.
            key: "item_id", "category_id" or "user_id"; its nulls get no code.
        """
        known = counts.filter(counts[key].notnull()).select(key, "events", "count")
        table = connection.fetch(known.order_by(known["count"].desc(), known[key]))
        ids = table[key].combine_chunks()
        return cls(ids, *(table[name].to_numpy().astype(np.int64) for name in ("events", "count")))

    @property
    def known(self) -> int:
        """How many of the ids are in the fit part."""
        return int(np.count_nonzero(self.count))

    @property
    def size(self) -> int:
        """Rows of an embedding table: an id each, after padding and unknown."""
        return self.known + FIRST_ID

    @property
    def identities(self) -> int:
        """One more than the largest code."""
        return len(self.ids) + FIRST_ID

    @property
    def dense(self) -> bool:
        """Whether the ids are integers that lie close together: a table then finds the codes, else a hash."""
        return self._table is not None

    def encode(self, values: pa.Array | pa.ChunkedArray) -> NDArray[np.int32]:
        """Return the codes of ids as logged, (n,), UNKNOWN for null and for what the log does not have."""
        if self._table is None:
            return encode(values, self.ids)
        low, table = self._table
        # Modulo 2**64 whatever is below the lowest is above the highest, too.
        number = values.fill_null(low).to_numpy().astype(np.uint64) - np.uint64(low % 2**64)
        place: NDArray[np.int64] = np.minimum(number, len(table) - 1).view(np.int64)
        if values.null_count:
            place[np.asarray(values.is_null())] = -1
        return table[place]

    @cached_property
    def _table(self) -> tuple[int, NDArray[np.int32]] | None:
        """Of integers that lie close together: the lowest, and the codes of all from it on, UNKNOWN last.

        To look a number up takes a fraction of the time of a hash table, and that is made anew in each call.
        """
        if not (len(self.ids) and pa.types.is_integer(self.ids.type)):
            return None
        ids = self.ids.to_numpy()
        low, high = int(ids.min()), int(ids.max())
        if high - low >= SPARSE * len(ids):
            return None
        table = np.full(high - low + 2, UNKNOWN, dtype=np.int32)
        table[ids - low] = np.arange(FIRST_ID, self.identities, dtype=np.int32)
        return low, table


def encode(values: pa.Array | pa.ChunkedArray, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int32]:
    """Return the place among ``ids`` of each value, plus 2, (n,); UNKNOWN for null and what is not there."""
    row = pc.fill_null(pc.index_in(values, value_set=ids, skip_nulls=True), UNKNOWN - FIRST_ID)
    found: NDArray[np.int32] = row.to_numpy() + np.int32(FIRST_ID)
    return found
