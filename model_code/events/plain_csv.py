"""CSV read by a kernel, as far as its lines need no second look.

The columns of most logs are whole numbers and short words. To split such a line, and to see that there is no
more to it, takes a fraction of what it takes to make texts of all fields and to look at each of them. Lines
that are otherwise, a few among many, go the way of all others; a log of which many are goes it whole. So do
behaviors of 32 bytes or more, and those after the first `MOST_WORDS`.
"""

from __future__ import annotations

import ibis
import pyarrow as pa
from ibis.expr.types import Value

from model_code.events.checks import IDS, check, check_stripped
from model_code.events.engines.engine import Engine
from model_code.events.plain_lines import MOST_WORDS, PlainLines
from model_code.events.raw_table import RawTable
from model_code.events.readers import csv
from model_code.events.source import SourceSettings
from model_code.kernels import library


def stage_plain(connection: Engine, raw: RawTable, source: SourceSettings) -> ibis.Table | None:
    """Read and check a log of plain lines, but for a few.

    Args:
        connection: the engine, which checks and keeps the records.
        raw: the log.
        source: a table source.

    Returns:
        The checked records with ``row``, as `Engine.stage` returns them; ``None`` if the log is not of that
        kind, is not CSV, or there are no kernels.
    """
    known = [*dict.fromkeys(source.behaviors_known or ())]
    if raw.files.suffix != ".csv" or not library.ready() or len(known) > MOST_WORDS:
        return None
    texts = {"timestamp"} if source.time.unit == "iso" else set()
    lines = PlainLines(raw.filled, raw.layout, texts, known)
    reader = pa.RecordBatchReader.from_batches(lines.schema, lines.batches())
    # What is alike in all of them need not be written.
    alike: dict[str, Value] = {name: ibis.null(str) for name in raw.layout.columns if name in IDS}
    if len(lines.paths) == 1:
        alike["file"] = ibis.literal(str(lines.paths[0]))
    staged = connection.stage_batches(reader, lambda table: _checked(table, source).drop(*alike))
    if lines.failure is not None:
        raise lines.failure
    if staged is None or not lines.complete:
        return None
    plain = staged.mutate(**alike, **_decoded(staged, lines))
    if not lines.odd:
        return plain
    odd = ibis.memtable(pa.Table.from_batches(lines.odd)).mutate(garbled=ibis.literal(False))
    checked = connection.keep(check(csv.records(odd, raw.layout), source))
    # Of no rows, nobody would know that none is NULL.
    return plain.select(checked.columns).union(checked) if lines.plain else checked


def _checked(plain: ibis.Table, source: SourceSettings) -> ibis.Table:
    return check_stripped(plain.mutate(broken=ibis.literal(False)), source)


def _decoded(staged: ibis.Table, lines: PlainLines) -> dict[str, Value]:
    """The texts that numbers stand for."""
    decoded: dict[str, Value] = {}
    if "file" in staged.columns:
        decoded["file"] = ibis.literal([str(path) for path in lines.paths], "array<string>")[staged.file]
    if "behavior" in staged.columns:
        words = [(staged.behavior == number, word) for number, word in enumerate(lines.words)]
        decoded["behavior"] = ibis.cases(*words, else_=ibis.null(str)) if words else ibis.null(str)
    return decoded
