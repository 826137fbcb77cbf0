"""Tables of users and items, as other systems write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from model_code.events.parquet_files import count_rows, read_parquet

if TYPE_CHECKING:
    import ibis
    from ibis.backends.duckdb import Backend


class BatchScoringError(Exception):
    """A file that cannot be scored; the message names file, column and remedy."""


def read_ids(connection: Backend, path: Path, id_types: Mapping[str, str], *columns: str) -> ibis.Table:
    """Read columns of ids, each row once, in the types of the log's.

    Args:
        connection: to the engine.
        path: a Parquet file; other columns are left alone.
        id_types: BIGINT or VARCHAR for each id, as in the log's manifest.
        columns: "user_id", "item_id" or both.

    Raises:
        BatchScoringError: when there is no such file, a column is missing or of another type, or an id null.
    """
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        raise BatchScoringError(f"{path}: does not exist; write {' and '.join(columns)} to it") from None
    except (pa.ArrowException, OSError) as error:
        raise BatchScoringError(f"{path}: is no Parquet file: {error}") from None
    if not count_rows(path):
        raise BatchScoringError(f"{path}: has no row, so that there is nothing to score")
    for name in columns:
        if schema.names.count(name) != 1:
            found = ", ".join(schema.names)
            raise BatchScoringError(f"{path}: has the columns {found}; should have one {name}")
        _check_type(path, name, schema.field(name).type, id_types[name])
    rows = read_parquet(connection, path, file_row_number=True)
    for name in columns:
        if (row := rows.filter(rows[name].isnull()).file_row_number.min().to_pyarrow().as_py()) is not None:
            raise BatchScoringError(f"{path}, row {row}: {name} is null; every row needs one")
    to = {"BIGINT": "int64", "VARCHAR": "string"}
    return rows.select(**{name: rows[name].cast(to[id_types[name]]) for name in columns}).distinct()


def _check_type(path: Path, name: str, found: pa.DataType, wanted: str) -> None:
    integer = pa.types.is_integer(found) and found != pa.uint64()
    text = pa.types.is_string(found) or pa.types.is_large_string(found)
    if not (integer if wanted == "BIGINT" else text):
        kind = "an integer type of 64 bits or less, with a sign" if wanted == "BIGINT" else "text"
        raise BatchScoringError(
            f"{path}: {name} is of type {found}; in the log it is {wanted}: make it {kind}"
        )
