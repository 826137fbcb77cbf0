"""Each item's category from a table beside the log, at each time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis

from model_code.events.category_paths import NOTATIONS, write_category_paths
from model_code.events.checks import milliseconds, stripped
from model_code.events.engines.engine import Engine
from model_code.events.errors import IngestError
from model_code.events.plausibility import is_plausible
from model_code.events.raw_files import find_files
from model_code.events.raw_table import CATEGORY_LIST, CATEGORY_TABLE, open_table
from model_code.events.source import CategoryTableSettings
from model_code.events.staged_ids import as_integer

LINES_OF_OBJECTS = (".jsonl", ".json")
FIRST, LAST = 1 - 2**63, 2**63 - 1  # ms; no event is earlier, and all are before the last


@dataclass(frozen=True)
class CategoryCounts:
    """What the raw table held.

    Attributes:
        rows: records of the raw table.
        other_rows: those that tell something else (`CategoryTableSettings.only`).
        unusable: records without the form of a record, an item, a category or, where it matters, a time;
            passed over.
        items: items with a category.
        conflicts: items with several categories, at one time if rows have times; the first in byte order
            counts, whatever the rows' order.
        unlisted: categories that the list of the known ones lacks; ``None`` without a list.
    """

    rows: int
    other_rows: int
    unusable: int
    items: int
    conflicts: int
    unlisted: int | None


@dataclass(frozen=True)
class Categories:
    """The categories of items.

    Attributes:
        table: ``item_id`` and ``category_id``, as text, ``valid_from`` and ``valid_to`` (ms): the category
            holds from the one up to, not at, the other. The times of an item do not overlap.
        counts: what the raw table held.
        all_integers: whether each category is an integer as a computer writes it.
    """

    table: ibis.Table
    counts: CategoryCounts
    all_integers: bool

    def join(self, events: ibis.Table) -> ibis.Table:
        """Add ``category_id`` to events, as known at their ``timestamp``; NULL where it is not.

        Args:
            events: with ``item_id``, and the same as text in ``item``.
        """
        table = self.table
        begun, lasts = events.timestamp >= table.valid_from, events.timestamp < table.valid_to
        joined = events.left_join(table, [events.item == table.item_id, begun, lasts])
        return joined.drop("item_id_right", "valid_from", "valid_to")


def read_categories(
    connection: Engine, settings: CategoryTableSettings, log_unit: str, scratch: Path
) -> Categories:
    """Read the category table.

    Args:
        connection: to the engine.
        settings: where the table is and how it is written.
        log_unit: how the log's times are written.
        scratch: a folder to write to; the result is not read from there.

    Raises:
        IngestError: if the table or the list is not there or lacks a column, no row can be used, or the times
            cannot be right.
    """
    rows, records = _open(connection, settings, scratch)
    unit = settings.time_unit or log_unit
    table = connection.keep(_grouped(records, settings, unit))
    usable = table.item_id.notnull()
    facts = table.agg(
        used=table.rows.sum(where=usable),
        other_rows=table.other_rows.sum(),
        items=table.item_id.nunique(),
        conflicts=(table.choices > 1).sum(),
        integers=as_integer(table.category_id).notnull().all(where=usable),
        latest=table.valid_from.max(where=usable),
    )
    found = facts.to_pyarrow().to_pylist()[0]
    _refuse(settings, unit, rows, found)
    table = table.filter(usable)
    following = table.valid_from.lead().over(ibis.window(group_by="item_id", order_by="valid_from"))
    return Categories(
        table=table.select("item_id", "category_id", "valid_from", valid_to=following.fill_null(LAST)),
        counts=CategoryCounts(
            rows=rows,
            other_rows=found["other_rows"],
            unusable=rows - found["used"] - found["other_rows"],
            items=found["items"],
            conflicts=found["conflicts"],
            unlisted=_unlisted(connection, settings, table),
        ),
        all_integers=found["integers"],
    )


def _open(connection: Engine, settings: CategoryTableSettings, scratch: Path) -> tuple[int, ibis.Table]:
    """How many records there are, and those that have the form of one, as `stripped` texts."""
    columns = {"item_id": settings.item_id, "category_id": settings.category_id}
    if settings.only:
        columns["only"] = settings.only.column
    if settings.valid_from:
        columns["valid_from"] = settings.valid_from
    if settings.format == "table":
        raw = open_table(settings.path, columns, None, CATEGORY_TABLE)
        rows, records = raw.count, raw.scan(connection).records
        records = records.filter(records.record.notnull(), ~records.broken)
        records = records.select(**stripped(records, list(columns)))
    else:
        files = find_files(settings.path, LINES_OF_OBJECTS, CATEGORY_TABLE.path).paths
        parsed = scratch / "categories.parquet"
        notation = NOTATIONS[settings.format]
        rows = write_category_paths(files, notation, settings.item_id, settings.category_id, parsed)
        records = connection.read(parsed)
    return rows, records


def _grouped(records: ibis.Table, settings: CategoryTableSettings, unit: str) -> ibis.Table:
    """One category for each item and time; what cannot be used, and other rows, are those of no item."""
    other = (records.only != settings.only.value).fill_null(True) if settings.only else ibis.literal(False)
    time = milliseconds(records.valid_from, unit) if settings.valid_from else ibis.literal(FIRST, "int64")
    records = records.mutate(other=other, time=time)
    usable = ~records.other & records.item_id.notnull() & records.category_id.notnull()
    usable &= records.time.notnull()
    records = records.select(
        "other",
        item_id=ibis.ifelse(usable, records.item_id, ibis.null("string")),
        category_id=ibis.ifelse(usable, records.category_id, ibis.null("string")),
        valid_from=ibis.ifelse(usable, records.time, ibis.null("int64")),
    )
    return records.group_by("item_id", "valid_from").agg(
        category_id=records.category_id.min(),
        choices=records.category_id.nunique(),
        rows=records.count(),
        other_rows=records.other.sum(),
    )


def _refuse(settings: CategoryTableSettings, unit: str, rows: int, found: dict[str, Any]) -> None:
    """Raise unless the table can be used."""
    if not found["items"]:
        only = f" with {settings.only.column} = {settings.only.value!r}" if settings.only else ""
        time = " and a time" if settings.valid_from else ""
        raise IngestError(
            f"{settings.path}: none of its {rows} rows{only} has both an item and a category{time}; "
            "check source.categories.item_id, source.categories.category_id and what else is set there"
        )
    if settings.valid_from and not is_plausible(found["latest"]):
        raise IngestError(
            f"{settings.path}: the latest of its times is not a believable one when read as "
            f"source.categories.time_unit = {unit!r}"
        )


def _unlisted(connection: Engine, settings: CategoryTableSettings, table: ibis.Table) -> int | None:
    if settings.known is None:
        return None
    column = {"category_id": settings.known.category_id}
    listed = open_table(settings.known.path, column, None, CATEGORY_LIST).scan(connection).records
    listed = listed.select(category_id=listed.category_id.strip())
    used = table.select("category_id").distinct()
    count: int = used.anti_join(listed, "category_id").count().to_pyarrow().as_py()
    return count
