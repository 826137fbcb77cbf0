"""The table that monitoring compares: one row a scored candidate, of a log or of a service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.files import replacing

Kind = Literal["log", "predictions"]
DAY = 24 * 60 * 60 * 1000  # ms

SCHEMA = pa.schema(
    [
        pa.field("user", pa.int64(), nullable=False),  # which rows share a user; the unit of resampling
        pa.field("source", pa.int64()),  # whose event a drawn negative is; null for all others
        pa.field("time", pa.int64(), nullable=False),  # ms since 1970 UTC
        pa.field("label", pa.int8()),  # 1 clicked, 0 not, null while it has not arrived
        pa.field("score", pa.float32(), nullable=False),  # predicted click probability
        pa.field("category", pa.string()),  # of the candidate, as logged; null if it has none
        pa.field("category_known", pa.bool_()),  # to the model; null if it has none
        pa.field("item_known", pa.bool_(), nullable=False),  # to the model
        pa.field("user_known", pa.bool_()),  # to the model; null where nobody is named
        pa.field("popularity_decile", pa.int8(), nullable=False),  # see `popularity_deciles`
        pa.field("history_length", pa.int32(), nullable=False),  # events that the model was shown
        pa.field("gap_ms", pa.int64()),  # time since the last of them; null if not told
    ]
)


class ObservationsError(Exception):
    """A table of observations that is not what it should be; the message names the file and the remedy."""


@dataclass(frozen=True)
class Observations:
    """Rows of `SCHEMA` and the time that they cover.

    Attributes:
        table: the rows.
        start: where the period starts, ms since 1970 UTC.
        end: where it ends, exclusive.
        kind: "log" rows are clicked events and drawn negatives, by the protocol of training; "predictions"
            are what a service was asked for.
    """

    table: pa.Table
    start: int
    end: int
    kind: Kind

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """A column, (n,); nulls of a number become NaN, those of a text or a truth value None."""
        values: NDArray[Any] = self.table[name].to_numpy()
        return values

    def missing(self, name: str) -> NDArray[np.bool_]:
        """(n,) whether a value is null."""
        nulls: NDArray[np.bool_] = self.table[name].is_null().to_numpy()
        return nulls

    @property
    def clicked(self) -> NDArray[np.bool_]:
        """(n,) whether the candidate is known to have been clicked."""
        found: NDArray[np.bool_] = self.table["label"].fill_null(0).to_numpy() == 1
        return found

    def select(self, rows: NDArray[np.bool_]) -> Observations:
        """The rows where ``rows``, (n,), is true, of the same period."""
        return Observations(self.table.filter(pa.array(rows)), self.start, self.end, self.kind)

    def write(self, path: Path) -> None:
        """Write to a Parquet file."""
        facts = {"start": str(self.start), "end": str(self.end), "kind": self.kind}
        with replacing(path) as temporary:
            pq.write_table(self.table.replace_schema_metadata(facts), temporary, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> Observations:
        """Read what `write` wrote.

        Raises:
            ObservationsError: when there is no such file or it is not such a table.
        """
        if not path.is_file():
            raise ObservationsError(f"{path}: is missing; register the model anew")
        table = pq.read_table(path)
        facts = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if not table.schema.equals(SCHEMA) or facts.get("kind") not in ("log", "predictions"):
            raise ObservationsError(f"{path}: has other columns than this version reads; write it anew")
        kind: Kind = "log" if facts["kind"] == "log" else "predictions"
        return cls(table.replace_schema_metadata(None), int(facts["start"]), int(facts["end"]), kind)


def observations(columns: dict[str, Any], start: int, end: int, kind: Kind) -> Observations:
    """Make a table of columns by name, each (n,): arrays of numpy or Arrow."""
    arrays = [pa.array(columns[field.name], type=field.type) for field in SCHEMA]
    return Observations(pa.Table.from_arrays(arrays, schema=SCHEMA), start, end, kind)


def popularity_deciles(count: NDArray[np.int64]) -> NDArray[np.int8]:
    """The decile of each item by its count in the fit part, 1 the least popular, 10 the most.

    Deciles hold a tenth of the *events* each, so that clicks as in the fit part spread evenly over them; an
    item with the middle of its count's events in a decile is in it, and equal counts share one. Items
    without events (padding, unknown) have 0.

    Args:
        count: (items,) events of each item.
    """
    values, inverse, items = np.unique(count, return_inverse=True, return_counts=True)
    mass = values * items
    middle = (np.cumsum(mass) - mass / 2) / max(int(mass.sum()), 1)
    decile = np.minimum((10 * middle).astype(np.int8) + 1, 10)
    decile[values == 0] = 0
    result: NDArray[np.int8] = decile[inverse].astype(np.int8)
    return result


def sample_users(table: Observations, most_rows: int, seed: int) -> Observations:
    """Whole users, in an order that the seed draws, as long as their rows fit into ``most_rows``."""
    if len(table) <= most_rows:
        return table
    users, code, rows = np.unique(table.column("user"), return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(users))
    kept = np.zeros(len(users), dtype=bool)
    kept[order[np.cumsum(rows[order]) <= most_rows]] = True
    return table.select(kept[code])
