"""Our own Parquet files: written so that the same rows give the same bytes, and read as they are."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

if TYPE_CHECKING:
    import ibis
    from ibis.backends.duckdb import Backend

ROW_GROUP = 122_880  # rows, DuckDB's own

# Version 2 writes differences of integers: files as small as zstd makes them, in half the time. Dictionaries
# of many values cost more time than all else; without them texts take two to three times the room.
ENCODING = {"compression": "snappy", "parquet_version": "v2", "dictionary_size_limit": 1000}


def write_parquet(connection: Backend, rows: ibis.Table, path: Path) -> None:
    """Stream rows into a file in their order, in row groups of one size, whatever the threads."""
    connection.to_parquet(rows, path, **ENCODING, row_group_size=ROW_GROUP)


def even_batches(reader: pa.RecordBatchReader, size: int) -> pa.RecordBatchReader:
    """The same rows, ``size`` in each batch but the last."""

    def batches() -> Iterator[pa.RecordBatch]:
        rest = reader.schema.empty_table()
        for batch in reader:
            rows = pa.concat_tables([rest, pa.Table.from_batches([batch])])
            cut = len(rows) // size * size
            yield from rows[:cut].combine_chunks().to_batches(size)
            rest = rows[cut:]
        yield from rest.combine_chunks().to_batches()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def read_parquet(connection: Backend, path: Path, *, file_row_number: bool = False) -> ibis.Table:
    """The rows of a file, whatever its folders are called; ``file_row_number`` adds that column, from 0."""
    return connection.read_parquet(
        glob.escape(str(path)), file_row_number=file_row_number, hive_partitioning=False
    )


def count_nulls(path: Path, column: str) -> int | None:
    """How many NULLs a column has, as its file says; None if it does not."""
    metadata = parquet.read_metadata(path)
    place = metadata.schema.names.index(column)
    found = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
    nulls = [known.null_count for known in found if known and known.has_null_count]
    return sum(nulls) if len(nulls) == len(found) else None


def number_range(metadata: parquet.FileMetaData, column: str) -> tuple[int, int]:
    """The lowest number of a column, as its file says, and how many there are up to the highest one."""
    place = metadata.schema.names.index(column)
    found = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
    ends = [end for known in found if known and known.has_min_max for end in (known.min, known.max)]
    low = min(ends, default=0)
    return low, max(ends, default=0) - low + 1


def count_rows(path: Path) -> int:
    """Rows of a file, from its footer."""
    rows: int = parquet.read_metadata(path).num_rows
    return rows
