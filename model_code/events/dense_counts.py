"""How often numbers that lie close together occur, by a table of all of them in place of a hash table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from model_code.events.parquet_files import number_range
from model_code.kernels.library import call, ready
from model_code.threads import in_threads

_ROOM = 1 << 30  # bytes that the tables of all threads, and what is made of them, may take


def count_numbers(path: Path, column: str) -> pa.Table | None:
    """Count the numbers in a column of a Parquet file.

    Returns:
        ``column``, each number that occurs once, and its ``events``; None where a table does not pay or
        would take too much memory, and without kernels.
    """
    metadata = pq.read_metadata(path)
    if metadata.schema.to_arrow_schema().field(column).type != pa.int64():
        return None
    low, size = number_range(metadata, column)
    threads = min(torch.get_num_threads(), metadata.num_rows // size, metadata.num_row_groups)
    threads = min(threads, _ROOM // (8 * size) - 3)
    if threads < 1 or not ready():
        return None
    outside = np.zeros(threads, np.int64)

    def count(thread: int) -> NDArray[np.int64]:
        counts = np.zeros(size, np.int64)
        with pq.ParquetFile(path, metadata=metadata) as file:
            for group in range(thread, metadata.num_row_groups, threads):
                numbers = file.read_row_group(group, [column], use_threads=False)[column].drop_null()
                for chunk in numbers.chunks:
                    call("count_numbers", len(chunk), chunk.to_numpy(), low, size, counts, outside[thread:])
        return counts

    counts, *others = in_threads(count, range(threads))
    if outside.any():  # the file says wrong things of itself
        return None
    while others:  # each is freed once it is added
        counts += others.pop()
    numbers = np.flatnonzero(counts)
    return pa.table({column: numbers + low, "events": counts[numbers]})
