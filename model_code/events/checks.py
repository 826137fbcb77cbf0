"""The checks that a record passes, in order, and what a record that fails is set aside for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import ibis
from ibis.expr.types import BooleanValue, IntegerValue, StringValue

from model_code.events.functions import divide, iso_microseconds
from model_code.events.source import SourceSettings, to_milliseconds
from model_code.events.staged_ids import as_integer, stage_ids

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

# Of the years that calendars and reports can write, 1 to 9999: from, and up to and with.
FIRST_MOMENT, LAST_MOMENT = (
    to_milliseconds(moment.replace(tzinfo=UTC)) for moment in (datetime.min, datetime.max)
)


def check(records: ibis.Table, source: SourceSettings) -> ibis.Table:
    """Parse each record and find the first check that it fails.

    Args:
        records: as `Scan.records`.
        source: a table source.

    Returns:
        ``file``, ``reason`` (NULL if it passed), ``record`` (the raw text if it failed), the columns of ids
        (see `stage_ids`), ``behavior``, ``timestamp`` in milliseconds UTC; ``row`` if the records have it.
        Texts are without outer white space, NULL if empty.
    """
    texts = [name for name in (*IDS, "timestamp", "behavior") if name in records.columns]
    return check_stripped(records.mutate(**stripped(records, texts)), source)


def check_stripped(records: ibis.Table, source: SourceSettings) -> ibis.Table:
    """The same of records whose texts have no outer white space and are not empty, or are numbers already.

    Behaviors that are numbers stay so: those of ``source.behaviors_known`` come first, each once.
    """
    records = records.mutate(milliseconds=milliseconds(records.timestamp, source.time.unit))
    records = records.mutate(reason=_reason(records, source))
    failed = records.reason.notnull()
    ids = [name for name in IDS if name in records.columns]
    return records.select(
        "file",
        "reason",
        *(name for name in ("behavior", "row") if name in records.columns),
        **stage_ids(records, ids),
        record=ibis.ifelse(failed, records.record, None),
        timestamp=records.milliseconds,
    )


def stripped(records: ibis.Table, names: list[str]) -> dict[str, StringValue]:
    """Texts of `Scan.records` without outer white space, NULL if empty."""
    # Stripping costs more than all else here, and few logs have anything to strip. JSON writes a tab as \t.
    # To look for one character after the other is faster than an expression for all of them.
    spaced = ibis.or_(*(records.record.contains(character) for character in " \t\n\r\v\f\\"))
    return {name: ibis.ifelse(spaced, records[name].strip(), records[name]).nullif("") for name in names}


def milliseconds(text: StringValue, unit: str) -> IntegerValue:
    """Milliseconds since 1970 UTC, rounded down; NULL if the text is no time of years 1 to 9999 in this unit.

    Texts without an offset ("iso") are in the connection's time zone.
    """
    if unit == "iso":
        found = _round_down(iso_microseconds(text), 1000)
        return ibis.ifelse(found.between(FIRST_MOMENT, LAST_MOMENT), found, ibis.null("int64"))
    per_millisecond = {"s": 1, "ms": 1, "us": 1000, "ns": 1_000_000}[unit]
    factor = 1000 if unit == "s" else 1
    # Nothing between them overflows.
    first = max(FIRST_MOMENT * per_millisecond // factor, per_millisecond - 2**63)
    last = min((LAST_MOMENT + 1) * per_millisecond // factor - 1, 2**63 - 1)
    number = as_integer(text)
    whole = ibis.ifelse(number.between(first, last), number, ibis.null("int64"))
    return whole * factor if per_millisecond == 1 else _round_down(whole, per_millisecond)


def _round_down(number: IntegerValue, per_millisecond: int) -> IntegerValue:
    """The milliseconds of a number of smaller units."""
    remainder = number % per_millisecond  # negative before 1970
    return divide(number - (remainder + per_millisecond) % per_millisecond, per_millisecond)


def _reason(records: ibis.Table, source: SourceSettings) -> StringValue:
    branches = [
        (records.record.isnull(), BLANK_LINE),
        (records.broken, UNPARSABLE_ROW),
        (records.timestamp.notnull() & records.milliseconds.isnull(), UNPARSABLE_TIMESTAMP),
    ]
    if source.ids == "integer":
        ids = [records[name] for name in IDS if name in records.columns]
        branches += [(text.notnull() & as_integer(text).isnull(), NOT_AN_INTEGER) for text in ids]
    branches += [(records[name].isnull(), MISSING_KEY) for name in KEYS]
    if source.behaviors_known is not None:
        branches.append((~_is_known(records.behavior, source.behaviors_known), UNKNOWN_BEHAVIOR))
    start, end = source.window.milliseconds()
    if start is not None:
        branches.append((records.milliseconds < start, OUTSIDE_WINDOW))
    if end is not None:
        branches.append((records.milliseconds >= end, OUTSIDE_WINDOW))
    return ibis.cases(*branches, else_=ibis.null(str))


def _is_known(behavior: StringValue | IntegerValue, known: Sequence[str]) -> BooleanValue:
    if isinstance(behavior, IntegerValue):
        return behavior < len(set(known))
    return behavior.isin(known).fill_null(False)
