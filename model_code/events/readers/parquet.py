"""Parquet: typed columns, each read as the text that the engine writes for it."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import ibis
import pyarrow
from ibis.backends.duckdb import Backend
from pyarrow import parquet

from model_code.events.errors import IngestError
from model_code.events.functions import to_json
from model_code.events.readers.reader import Layout, Names, Reader, Scan


def names(path: Path) -> Names:
    """The columns of the file's schema."""
    return tuple(_open(path).schema_arrow.names)


def count(path: Path) -> int:
    """Rows, from the file's own footer."""
    rows: int = _open(path).metadata.num_rows
    return rows


def scan(connection: Backend, paths: Sequence[Path], layout: Layout) -> Scan:
    """Read the wanted columns; every row has the form of a record."""
    rows = connection.read_parquet([glob.escape(str(path)) for path in paths], filename=True)
    columns = {name: rows[raw].cast("string") for name, raw in layout.columns.items()}
    record = to_json(ibis.struct({raw: rows[raw] for raw in layout.columns.values()})).cast("string")
    records = rows.select(file=rows.filename, record=record, broken=ibis.literal(False), **columns)
    none = ibis.memtable(
        {"file": [], "line": [], "record": []}, schema={"file": str, "line": "int64", "record": str}
    )
    return Scan(records, lambda: none)


def _open(path: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise IngestError(f"{path}: not a Parquet file: {error}") from None


READER = Reader(names=names, count=count, scan=scan, headed=False)
