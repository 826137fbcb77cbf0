"""JSON lines: one object a line; a key that a record lacks is a missing value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import ibis

from model_code.events.engines.engine import Engine
from model_code.events.functions import json_extract_string, json_type, json_type_at, json_valid
from model_code.events.raw_lines import count_lines
from model_code.events.readers.reader import Layout, Reader, Scan


def columns(path: Path) -> None:
    """Nothing: each record names its values."""


def scan(engine: Engine, paths: Sequence[Path], layout: Layout) -> Scan:
    """Take the wanted keys of each object.

    A line is broken if it is no JSON object, or the value of a wanted key is itself an object or an array.
    """
    read = engine.read_lines(paths, layout.header_line)
    lines = read.table
    valid = json_valid(lines.record) & ~lines.garbled
    is_object = ibis.ifelse(valid, json_type(lines.record) == "OBJECT", False)
    lines = lines.mutate(object=ibis.ifelse(is_object, lines.record, ibis.null(str)))
    keys = {name: f"$.{json.dumps(raw, ensure_ascii=False)}" for name, raw in layout.columns.items()}
    nested = (json_type_at(lines.object, key).isin(["OBJECT", "ARRAY"]) for key in keys.values())
    broken = reduce(or_, (found.fill_null(False) for found in nested), lines.object.isnull())
    values = {name: json_extract_string(lines.object, key) for name, key in keys.items()}
    return Scan(lines.select("file", "record", broken=broken, **values), read.rejects)


READER = Reader(columns=columns, count=count_lines, scan=scan, headed=False)
