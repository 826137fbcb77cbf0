"""Codes of ids that are integers and lie close together, by tables of all numbers in place of hash tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from model_code.events.parquet_files import number_range
from model_code.kernels.library import call, ready
from model_code.sequences.codes import Codes
from model_code.threads import in_threads

_COLUMNS = ("user_id", "item_id", "category_id", "timestamp")  # as the kernel takes them
_BATCH = 1 << 16  # events held in memory at once by each thread: they should fit in a cache
_ROOM = 1 << 30  # bytes that tables may take, those of all threads together
_FACT = np.dtype([("latest", np.uint64), ("events", np.int32), ("count", np.int32)])  # as in dense_codes.c
_Tables = list[NDArray[Any]]  # of users, items and categories, (size + 1,) each: the last row is of NULL


def count_dense(path: Path, fit_end: int) -> tuple[Codes, Codes, Codes, pa.Table] | None:
    """Give codes to the ids of a split log in one pass over its file.

    Args:
        path: the events, a Parquet file.
        fit_end: the timestamp at which the fit part ends.

    Returns:
        The codes of items, categories and users, and what `latest_categories` returns of the log, rows in
        any order; None where tables do not pay or would take too much memory, and without kernels.
    """
    metadata = pq.read_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    types = dict(zip(schema.names, schema.types, strict=True))
    if not ready() or any(types.get(name) != pa.int64() for name in _COLUMNS):
        return None
    low, size = map(list, zip(*(number_range(metadata, name) for name in _COLUMNS), strict=True))
    ids = sum(size[:3]) + 3
    # Tables of its own pay for a thread that has an event for each row.
    threads = min(torch.get_num_threads(), metadata.num_rows // ids, _ROOM // (ids * _FACT.itemsize))
    if not threads or metadata.num_rows >= 2**31 or size[2] * size[3] >= 2**63:  # more than a _FACT holds
        return None
    outside = np.zeros(threads, np.int64)

    def count(thread: int) -> _Tables:
        tables = [np.zeros(rows + 1, _FACT) for rows in size[:3]]
        with pq.ParquetFile(path, metadata=metadata) as file:
            for group in range(thread, metadata.num_row_groups, threads):
                # Were it given all groups, it would keep what it has read of them until the end.
                for batch in file.iter_batches(_BATCH, row_groups=[group], columns=list(_COLUMNS)):
                    columns = [_numbers(batch[name], low[i] + size[i]) for i, name in enumerate(_COLUMNS)]
                    call("add_events", len(batch), *columns, low, size, fit_end, *tables, outside[thread:])
        return tables

    tables, *others = in_threads(count, range(threads))
    if outside.any():  # the file says wrong things of itself
        return None
    while others:  # each is freed once it is added
        _add(tables, others.pop())
    users, items, categories = map(_codes, tables, low)
    return items, categories, users, _latest(tables[1], low, size[2])


def _numbers(values: pa.Array, null: int) -> NDArray[np.int64]:
    """The numbers of a column, one of its own, modulo 2**64, in place of NULL."""
    if values.null_count:
        values = values.fill_null((null + 2**63) % 2**64 - 2**63)
    numbers: NDArray[np.int64] = values.to_numpy()
    return numbers


def _add(tables: _Tables, others: _Tables) -> None:
    for table, other in zip(tables, others, strict=True):
        np.maximum(table["latest"], other["latest"], out=table["latest"])
        for name in ("events", "count"):
            table[name] += other[name]


def _codes(table: NDArray[Any], low: int) -> Codes:
    place = np.flatnonzero(table["events"][:-1])
    # By descending count and then by place: as one number they are sorted in a fraction of the time.
    count = table["count"][place].astype(np.int64)
    order = count.max(initial=0) - count
    order <<= 32
    order += place
    order.sort()
    order &= 2**32 - 1
    facts = table[order]
    return Codes(pa.array(order + low), facts["events"].astype(np.int64), facts["count"].astype(np.int64))


def _latest(items: NDArray[Any], low: list[int], categories: int) -> pa.Table:
    latest = items["latest"][:-1]
    place = np.flatnonzero(latest)
    category = ((latest[place] - np.uint64(1)) % np.uint64(categories)).astype(np.int64)
    return pa.table({"item_id": place + low[1], "category_id": category + low[2]})
