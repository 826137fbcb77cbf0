"""The records set aside, each with its file, line and reason."""

from __future__ import annotations

import ibis
import pyarrow as pa

from model_code.events.checks import BLANK_LINE, UNPARSABLE_ROW
from model_code.events.raw_table import RawTable


def quarantine(staged: ibis.Table, rejects: ibis.Table | None, raw: RawTable) -> ibis.Table:
    """The failed records and the lines that are no text.

    Args:
        staged: checked records with ``row``, as `Engine.stage` returns them.
        rejects: what `Scan.rejects` returns, if there is such.
        raw: the table that they are of.

    Returns:
        ``file`` (relative to the log's folder), ``line`` (1-based), ``reason``, ``record``, by file and line.
    """
    names = pa.table(
        {
            "file": [str(path) for path in raw.files.paths],
            "name": [raw.files.name(path) for path in raw.files.paths],
        }
    )
    bad = _placed(staged, raw.layout.header_line)
    if rejects is None:
        bad = bad.rename(line="place")
    else:
        rejected = rejects.select("file", "line", reason=ibis.literal(UNPARSABLE_ROW), record="record")
        bad = ibis.union(_numbered(bad, rejects), rejected)
    bad = bad.join(ibis.memtable(names), "file").select("line", "reason", "record", file="name")
    return bad.select("file", "line", "reason", "record").order_by("file", "line")


def _placed(staged: ibis.Table, header_line: bool) -> ibis.Table:
    """The failed records with their ``place`` among those of their file, from 1, a header included."""
    first = staged.group_by("file").agg(first=staged.row.min())
    failed = staged.filter(staged.reason.notnull(), staged.reason != BLANK_LINE).join(first, "file")
    failed = failed.mutate(place=failed.row - failed.first + 1 + int(header_line))
    return failed.select("file", "reason", "record", "place")


def _numbered(failed: ibis.Table, rejects: ibis.Table) -> ibis.Table:
    """The failed records with their lines: their place among the readable ones, plus the rejects before."""
    # The j-th rejected line of a file (from 1) has `line - j` readable ones before it; later ones shift by j.
    order = ibis.window(group_by="file", order_by="line")
    shifts = rejects.mutate(shift=ibis.row_number().over(order) + 1)
    shifts = shifts.mutate(before=shifts.line - shifts["shift"])
    shifts = shifts.group_by("file", "before").agg(shift=shifts["shift"].max())
    shifted = failed.asof_join(shifts, on=failed.place > shifts.before, predicates="file")
    line = shifted.place + shifted["shift"].fill_null(0)
    return shifted.select("file", "reason", "record", line=line).select("file", "line", "reason", "record")
