"""The checks that a record passes, in order, and what a record that fails is set aside for."""

from __future__ import annotations

import ibis
from ibis.expr.types import BooleanValue, IntegerValue, StringValue

from model_code.events.functions import divide, iso_microseconds
from model_code.events.source import SourceSettings

UNPARSABLE_ROW = "unparsable row"
UNPARSABLE_TIMESTAMP = "unparsable timestamp"
NOT_AN_INTEGER = "id not an integer"
MISSING_KEY = "missing key"
UNKNOWN_BEHAVIOR = "unknown behavior"
OUTSIDE_WINDOW = "outside window"
REASONS = (
    UNPARSABLE_ROW,
    UNPARSABLE_TIMESTAMP,
    NOT_AN_INTEGER,
    MISSING_KEY,
    UNKNOWN_BEHAVIOR,
    OUTSIDE_WINDOW,
)
BLANK_LINE = "blank line"  # no record at all, so in no count

IDS = ("user_id", "item_id", "category_id")
KEYS = ("user_id", "item_id", "timestamp")


def check(records: ibis.Table, source: SourceSettings) -> ibis.Table:
    """Parse each record and find the first check that it fails.

    Args:
        records: as `Scan.records`.
        source: a table source.

    Returns:
        ``file``, ``reason`` (NULL if it passed), ``record`` (the raw text if it failed), ids and behavior as
        text without outer white space (NULL if empty), ``timestamp`` in milliseconds UTC.
    """
    texts = [name for name in (*IDS, "timestamp", "behavior") if name in records.columns]
    records = records.mutate(**{name: records[name].strip().nullif("") for name in texts})
    records = records.mutate(milliseconds=milliseconds(records.timestamp, source.time.unit))
    records = records.mutate(reason=_reason(records, source))
    failed = records.reason.notnull()
    ids = [name for name in (*IDS, "behavior") if name in records.columns]
    return records.select(
        "file",
        "reason",
        *ids,
        record=ibis.ifelse(failed, records.record, None),
        timestamp=records.milliseconds,
    )


def milliseconds(text: StringValue, unit: str) -> IntegerValue:
    """Milliseconds since 1970 UTC, rounded down; NULL if the text is no time in this unit.

    Texts without an offset ("iso") are in the connection's time zone.
    """
    if unit == "iso":
        return _round_down(iso_microseconds(text), 1000)
    per_millisecond = {"s": 1, "ms": 1, "us": 1000, "ns": 1_000_000}[unit]
    factor = 1000 if unit == "s" else 1
    largest = (2**63 - 1) // factor - per_millisecond  # nothing below overflows
    number = text.try_cast("int64")
    whole = ibis.ifelse(is_integer(text) & number.between(-largest, largest), number, ibis.null("int64"))
    return whole * factor if per_millisecond == 1 else _round_down(whole, per_millisecond)


def _round_down(number: IntegerValue, per_millisecond: int) -> IntegerValue:
    """The milliseconds of a number of smaller units."""
    remainder = number % per_millisecond  # negative before 1970
    return divide(number - (remainder + per_millisecond) % per_millisecond, per_millisecond)


def is_integer(text: StringValue) -> BooleanValue:
    """Whether the text is a 64-bit integer as a computer writes it, so that nothing is lost by parsing it."""
    return (text.try_cast("int64").cast("string") == text).fill_null(False)


def _reason(records: ibis.Table, source: SourceSettings) -> StringValue:
    branches = [
        (records.record.isnull(), BLANK_LINE),
        (records.broken, UNPARSABLE_ROW),
        (records.timestamp.notnull() & records.milliseconds.isnull(), UNPARSABLE_TIMESTAMP),
    ]
    if source.ids == "integer":
        ids = [records[name] for name in IDS if name in records.columns]
        branches += [(text.notnull() & ~is_integer(text), NOT_AN_INTEGER) for text in ids]
    branches += [(records[name].isnull(), MISSING_KEY) for name in KEYS]
    if source.behaviors_known is not None:
        known = records.behavior.isin(source.behaviors_known).fill_null(False)
        branches.append((~known, UNKNOWN_BEHAVIOR))
    start, end = source.window.milliseconds()
    if start is not None:
        branches.append((records.milliseconds < start, OUTSIDE_WINDOW))
    if end is not None:
        branches.append((records.milliseconds >= end, OUTSIDE_WINDOW))
    return ibis.cases(*branches, else_=ibis.null(str))
