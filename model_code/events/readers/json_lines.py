"""JSON lines: one object a line; a key that a record lacks is a missing value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

from model_code.events.functions import json_extract_string, json_type, json_valid
from model_code.events.raw_files import count_lines
from model_code.events.readers.lines import scan_lines
from model_code.events.readers.reader import Layout, Reader, Scan


def names(path: Path) -> None:
    """Nothing: each record names its values."""


def scan(connection: Backend, paths: Sequence[Path], layout: Layout) -> Scan:
    """Take the wanted keys of each object; a line that is no JSON object is broken."""
    lines, rejects = scan_lines(connection, paths, layout.header_line)
    valid = json_valid(lines.record)
    is_object = ibis.ifelse(valid, json_type(lines.record) == "OBJECT", False)
    lines = lines.mutate(broken=~is_object)
    columns = {
        name: ibis.ifelse(
            lines.broken, ibis.null(str), json_extract_string(lines.record, f"$.{json.dumps(raw)}")
        )
        for name, raw in layout.columns.items()
    }
    return Scan(lines.select("file", "record", "broken", **columns), rejects)


READER = Reader(names=names, count=count_lines, scan=scan, headed=False)
