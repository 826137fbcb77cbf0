"""CSV (RFC 4180) with commas, a record a line: quoted fields may hold commas and quotes, but no line end."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import ibis
from ibis.expr.types import ArrayValue, StringValue

from model_code.events.engines.engine import Engine
from model_code.events.errors import IngestError
from model_code.events.functions import csv_fields
from model_code.events.raw_lines import count_lines, first_line
from model_code.events.readers.reader import Column, Layout, Reader, Scan


def columns(path: Path) -> tuple[Column, ...] | None:
    """The names in the first line; ``None`` if the file is empty, or all its lines are."""
    line = first_line(path)
    if line is None or not (line.strip() or count_lines(path)):
        return None
    if "\r" in line:
        raise IngestError(f"{path}: lines end in a carriage return alone; they should end in a line feed")
    try:
        return tuple(Column(name.strip()) for name in next(csv.reader([line]), []))
    except csv.Error as error:
        raise IngestError(
            f"{path}: its first line holds no column names: {error}; write them there"
        ) from None


def scan(engine: Engine, paths: Sequence[Path], layout: Layout) -> Scan:
    """Split lines into fields; one with more or fewer than the header, or with stray quotes, is broken."""
    read = engine.read_lines(paths, layout.header_line)
    return Scan(records(read.table, layout), read.rejects)


def records(lines: ibis.Table, layout: Layout) -> ibis.Table:
    """The records of lines, as `Scan.records`; ``row`` is kept if lines have it."""
    if layout.names is None:
        raise ValueError("the fields of a CSV line have no names of their own")
    fields = _split(lines.record)
    sound = ~lines.garbled & (fields.length() == len(layout.names))
    lines = lines.mutate(fields=ibis.ifelse(sound, fields, ibis.null("array<string>")))
    wanted = {name: lines.fields[layout.names.index(raw)] for name, raw in layout.columns.items()}
    kept = [name for name in ("file", "record", "row") if name in lines.columns]
    return lines.select(*kept, broken=lines.fields.isnull(), **wanted)


def _split(line: StringValue) -> ArrayValue:
    """The fields of a line; NULL if its quotes do not pair up."""
    return ibis.ifelse(line.contains('"'), csv_fields(line).map(_unquote), line.split(","))


def _unquote(field: StringValue) -> StringValue:
    inside = field.substr(1, field.length() - 2).replace('""', '"')
    return ibis.ifelse(field.startswith('"'), inside, field)


READER = Reader(columns=columns, count=count_lines, scan=scan, headed=True)
