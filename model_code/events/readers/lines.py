"""Text files as tables of physical lines: the base of the readers of CSV and JSON lines.

DuckDB's CSV parser could split the columns itself. Reading whole lines instead costs no more, keeps the raw
text for the quarantine, makes a row's number the line's, and lets no stray quote swallow the lines after it.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

NO_DELIMITER = "\U0010ffff"  # no character; were there none at all, DuckDB would take NUL for one


def scan_lines(
    connection: Backend, paths: Sequence[Path], header_line: bool
) -> tuple[ibis.Table, Callable[[], ibis.Table]]:
    """Read the lines of text files in order, without a byte order mark, line ends and header.

    Returns:
        lines: ``file``, ``record`` (NULL on a blank line).
        rejects: to be called once the lines have been read: ``file``, ``line``, ``record`` of what is not
            UTF-8 or longer than 2 MB.
    """
    view = ibis.util.gen_name("lines")
    lines = connection.read_csv(
        [glob.escape(str(path)) for path in paths],
        table_name=view,
        columns={"line": "VARCHAR"},
        auto_detect=False,
        header=False,
        skip=int(header_line),
        delim=NO_DELIMITER,
        quote="",
        escape="",
        filename=True,
        hive_partitioning=False,
        store_rejects=True,
        rejects_table=f"{view}_rejects",
        rejects_scan=f"{view}_scans",
        rejects_limit=0,
    )
    blank = lines.line.isnull() | ~lines.line.re_search(r"[^ \t\n\r\v\f]")
    records = lines.select(file=lines.filename, record=ibis.ifelse(blank, ibis.null(str), lines.line))
    return records, partial(_rejects, connection, view)


def _rejects(connection: Backend, view: str) -> ibis.Table:
    rejected = connection.table(f"{view}_rejects")
    scans = connection.table(f"{view}_scans").select("scan_id", "file_id", "file_path")
    # A line can be rejected for several reasons, and once in each reading.
    return (
        rejected.join(scans, ["scan_id", "file_id"])
        .group_by(file="file_path", line=rejected.line.cast("int64"))
        .agg(record=rejected.csv_line.strip().min())
    )
