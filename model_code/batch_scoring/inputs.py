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
    """Read columns of ids, each row once, in the types of the log's; with an item its category, if given.

    Args:
        connection: to the engine.
        path: a Parquet file; but for ``category_id`` beside "item_id", other columns are left alone.
        id_types: BIGINT or VARCHAR for each id, as in the log's manifest.
        columns: "user_id", "item_id" or both.

    Raises:
        BatchScoringError: when there is no such file, a column is missing or of another type, an id null
            (of a category it may be), or a row comes with several categories.
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
    read = columns
    if "item_id" in columns and "category_id" in schema.names:
        read = (*columns, "category_id")
        if not pa.types.is_null(schema.field("category_id").type):
            _check_type(path, "category_id", schema.field("category_id").type, id_types["category_id"])
    rows = read_parquet(connection, path, file_row_number=True)
    for name in columns:
        if (row := rows.filter(rows[name].isnull()).file_row_number.min().to_pyarrow().as_py()) is not None:
            raise BatchScoringError(f"{path}, row {row}: {name} is null; every row needs one")
    to = {"BIGINT": "int64", "VARCHAR": "string"}
    rows = rows.select(**{name: rows[name].cast(to[id_types[name]]) for name in read}).distinct()
    if read != columns:
        _refuse_several_categories(path, rows, columns)
    return rows


def _refuse_several_categories(path: Path, rows: ibis.Table, keys: tuple[str, ...]) -> None:
    counts = rows.group_by(keys).agg(categories=rows.count())
    several = counts.filter(counts.categories > 1).order_by(keys).limit(1).to_pyarrow().to_pylist()
    if several:
        which = ", ".join(f"{name} {several[0][name]}" for name in keys)
        raise BatchScoringError(
            f"{path}: {which} comes with {several[0]['categories']} values of category_id; give one"
        )


def _check_type(path: Path, name: str, found: pa.DataType, wanted: str) -> None:
    integer = pa.types.is_integer(found) and found != pa.uint64()
    text = pa.types.is_string(found) or pa.types.is_large_string(found)
    if not (integer if wanted == "BIGINT" else text):
        kind = "an integer type of 64 bits or less, with a sign" if wanted == "BIGINT" else "text"
        raise BatchScoringError(
            f"{path}: {name} is of type {found}; in the log it is {wanted}: make it {kind}"
        )
