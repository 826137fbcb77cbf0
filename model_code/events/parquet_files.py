"""Writing Parquet so that the same rows give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyarrow import parquet

if TYPE_CHECKING:
    import ibis
    from ibis.backends.duckdb import Backend

ROW_GROUP = 122_880  # rows, DuckDB's own


def write_parquet(connection: Backend, rows: ibis.Table, path: Path) -> None:
    """Stream rows into a file in their order, in row groups of one size, whatever the threads."""
    connection.to_parquet(rows, path, compression="zstd", row_group_size=ROW_GROUP)


def count_rows(path: Path) -> int:
    """Rows of a file, from its footer."""
    rows: int = parquet.ParquetFile(path).metadata.num_rows
    return rows
