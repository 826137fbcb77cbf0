"""Parquet: typed columns, each read as the text that the engine writes for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ibis
import pyarrow
from ibis.expr.types import StringValue, Value
from pyarrow import parquet

from model_code.events.engines.engine import Engine
from model_code.events.errors import IngestError
from model_code.events.readers.reader import Column, Layout, Reader, Scan


def columns(path: Path) -> tuple[Column, ...]:
    """The columns of the file's schema; encodings of one type that the engine reads alike count as one."""
    return tuple(Column(field.name, _type(field.type)) for field in _open(path).schema_arrow)


def count(path: Path) -> int:
    """Rows, from the file's own footer."""
    rows: int = _open(path).metadata.num_rows
    return rows


def scan(engine: Engine, paths: Sequence[Path], layout: Layout) -> Scan:
    """Read the wanted columns; every row has the form of a record."""
    if layout.names is None:
        raise ValueError("a Parquet file has names")
    file = ibis.util.gen_name("file")  # no column of the log's own
    rows = engine.read_columns(paths, layout.columns.values(), file)
    # By place: of names that differ in case alone, the engine renames the second.
    wanted = {raw: rows[layout.names.index(raw)] for raw in layout.columns.values()}
    texts = {name: _text(wanted[raw]) for name, raw in layout.columns.items()}
    record = ibis.struct(wanted).cast("json").cast("string")
    records = rows.select(file=rows[file], record=record, broken=ibis.literal(False), **texts)
    return Scan(records)


def _text(value: Value) -> StringValue:
    """What the engine writes for a value; NULL for NaN, which some writers mean by it."""
    text = value.cast("string")
    return ibis.ifelse(value.isnan(), ibis.null(str), text) if value.type().is_floating() else text


def _type(kind: pyarrow.DataType) -> str:
    value = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    return str(value).removeprefix("large_").removesuffix("_view")


def _open(path: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise IngestError(f"{path}: not a Parquet file: {error}") from None


READER = Reader(columns=columns, count=count, scan=scan, headed=False)
