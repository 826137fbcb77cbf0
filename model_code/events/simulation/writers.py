"""Write a simulated log in the formats that logs are delivered in."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from model_code.events.simulation.clicks import SCHEMA
from model_code.events.simulation.settings import DAY_MS
from model_code.files import replacing

PLAIN = csv.WriteOptions(include_header=False, quoting_style="none")
BEIJING_S = 8 * 3600


def write_daily_csv(batches: Iterable[pa.RecordBatch], folder: Path) -> list[Path]:
    """Write ``clicks_YYYY-MM-DD.csv.gz``, one for each day (UTC) that has events, each in order of time.

    Columns as in `SCHEMA`, under a header; timestamps in ms since the epoch. Sorting takes the whole log into
    memory. Equal rows give equal bytes.

    Returns:
        the files, in order of time.
    """
    table = pa.Table.from_batches(batches, SCHEMA)
    table = table.sort_by([(name, "ascending") for name in ("timestamp", "user_id", "item_id")])
    time = table["timestamp"].to_numpy()
    header = (",".join(SCHEMA.names) + "\n").encode()
    paths = []
    for day in np.unique(time // DAY_MS):
        first, last = np.searchsorted(time, [day * DAY_MS, (day + 1) * DAY_MS])
        rows = pa.BufferOutputStream()
        csv.write_csv(table.slice(first, last - first), rows, PLAIN)
        date = datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date()
        paths.append(folder / f"clicks_{date.isoformat()}.csv.gz")
        write_gzip(paths[-1], header + rows.getvalue().to_pybytes())
    return paths


def write_gzip(path: Path, content: bytes) -> None:
    """Compress ``content`` into ``path``, without the name and time that would change its bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0))


def write_taobao_csv(batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write one file in the format of Taobao's ``UserBehavior.csv``, a batch at a time.

    No header; ``user, item, category, behavior, timestamp`` with the timestamp in seconds since the epoch. As
    in the original, days begin at midnight in Beijing: the log's midnight (UTC) is moved there.

    Returns:
        the number of rows.
    """
    rows = 0
    with replacing(path) as temporary, csv.CSVWriter(temporary, SCHEMA, write_options=PLAIN) as writer:
        for batch in batches:
            seconds = pc.subtract(pc.divide(batch["timestamp"], 1000), BEIJING_S)
            writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns[:-1], seconds], schema=SCHEMA))
            rows += batch.num_rows
    return rows
