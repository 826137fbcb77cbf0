"""Refusing a log that cannot be what its settings say, with advice on the setting."""

from __future__ import annotations

import statistics
from datetime import datetime

import ibis

from model_code.events.errors import IngestError
from model_code.events.readers.reader import Scan
from model_code.events.source import SourceSettings
from model_code.events.survey import EARLY, LATE, YEARS, Survey

SAMPLE = 1000  # timestamps from which to guess the unit
DIGITS = 20  # no time in any unit has as many


def refuse_implausible(
    found: Survey, staged: ibis.Table, scan: Scan, source: SourceSettings, raw: int
) -> None:
    """Raise unless the log can be used.

    Args:
        found: the survey of ``staged``.
        staged: the checked records.
        scan: the records before the checks.
        source: a table source.
        raw: the log's records, counted without the engine.

    Raises:
        IngestError: if records went missing, none passed, half of the times lie outside 1995 to 2100, none is
            wanted, or an optional column is empty throughout.
    """
    if found.records != raw:
        raise IngestError(
            f"{source.path} holds {raw} records, but {found.records} were read; did a file change?"
        )
    if not found.passed:
        counts = ", ".join(f"{count} {reason}" for reason, count in found.reasons.items())
        raise IngestError(
            f"{source.path}: no record passes: {counts}{_example(staged)}{_unit_advice(source, scan)}"
        )
    if 2 * max(found.early, found.late) >= found.timed:  # where the median is, which costs more to find
        raise IngestError(
            f"{source.path}: half of the timestamps lie outside {YEARS[0]} to {YEARS[1]} when read as "
            f"source.time.unit = {source.time.unit!r}{_unit_advice(source, scan)}"
        )
    if not found.wanted:
        rows = staged.select("behavior").distinct().order_by("behavior").limit(10).to_pyarrow().to_pylist()
        raise IngestError(
            f"{source.path}: no record has a behavior of source.behaviors_kept = {source.behaviors_kept}; "
            f"there are {[row['behavior'] for row in rows]}"
        )
    for name in found.empty:
        raise IngestError(f"{source.path}: the column of source.columns.{name} is empty in every record")


def is_plausible(moment: int) -> bool:
    """Whether a moment, in ms since 1970 UTC, lies in `YEARS`."""
    return EARLY <= moment < LATE


def _example(staged: ibis.Table) -> str:
    rows = staged.filter(staged.record.notnull()).select("record").limit(1).to_pyarrow().to_pylist()
    return f"; the first is {rows[0]['record'][:200]!r}" if rows else ""


def _unit_advice(source: SourceSettings, scan: Scan) -> str:
    rows = scan.records.select("timestamp").drop_null().limit(SAMPLE).to_pyarrow().to_pylist()
    unit = _fitting_unit([row["timestamp"].strip() for row in rows], source)
    if unit is None or unit == source.time.unit:
        return "; check source.columns, source.time and source.window"
    return f"; source.time.unit: {unit} would fit"


def _fitting_unit(texts: list[str], source: SourceSettings) -> str | None:
    """The unit in which the median of the texts lies in the window, and in plausible years."""
    start, end = source.window.milliseconds()
    low, high = max(start or EARLY, EARLY), min(end or LATE, LATE)
    numbers = [int(text) for text in texts if len(text) < DIGITS and text.isascii() and text.isdigit()]
    if numbers:
        median = statistics.median_low(numbers)
        candidates = {"s": median * 1000, "ms": median, "us": median // 1000, "ns": median // 1_000_000}
        return next((unit for unit, moment in candidates.items() if low <= moment < high), None)
    return "iso" if any(_is_iso(text) for text in texts) else None


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
